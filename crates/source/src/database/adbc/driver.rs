//! Drivers: found as ADBC's conventions say, and loaded.

use std::path::{Path, PathBuf};

use adbc_core::LOAD_FLAG_DEFAULT;
use adbc_core::error::{Error, Status};
use adbc_core::options::AdbcVersion;
use adbc_driver_manager::ManagedDriver;

use super::system::System;
use crate::database::DatabaseFault;

/// The variable that names folders of drivers and manifests.
const DRIVER_PATH: &str = "ADBC_DRIVER_PATH";

/// Loads a driver: a path from the settings' folder, or else a name that ADBC looks for.
pub(crate) fn load(
    driver: &str,
    entry_point: Option<&str>,
    base: &Path,
    system: System,
) -> Result<ManagedDriver, DatabaseFault> {
    let entry = entry_point.or(system.entry_point()).map(str::as_bytes);
    let path = base.join(driver);
    let is_path = driver.contains(['/', '\\']) || path.is_file();
    if is_path && !path.is_file() && !path.with_extension("toml").is_file() {
        return Err(missing(driver, &path.display().to_string(), system));
    }
    // A library is looked up as a path only if it is one without doubt.
    let place = if is_path {
        std::path::absolute(&path).unwrap_or(path)
    } else {
        driver.into()
    };
    let loaded =
        |version| ManagedDriver::load_from_name(&place, entry, version, LOAD_FLAG_DEFAULT, None);
    let newest = loaded(AdbcVersion::V110).or_else(|error| match error.status {
        Status::NotImplemented => loaded(AdbcVersion::V100),
        _ => Err(error),
    });
    newest.map_err(|error| refused(driver, &error, is_path, system))
}

/// Tells why a driver was not loaded from what the loader says, which holds paths and symbols.
fn refused(driver: &str, error: &Error, is_path: bool, system: System) -> DatabaseFault {
    if error.message.contains("AdbcDriverInit") {
        let driver = driver.to_owned();
        return DatabaseFault::NoEntryPoint { driver };
    }
    if is_path {
        let place = driver.to_owned();
        return DatabaseFault::Unloadable { place };
    }
    if let Some(found) = found_by_name(driver) {
        let place = found.display().to_string();
        return DatabaseFault::Unloadable { place };
    }
    let names = names_of(driver);
    let folders: Vec<_> = folders().iter().map(|f| f.display().to_string()).collect();
    let looked = format!(
        "{} or {} in {}{}and the system's libraries",
        names[0],
        names[1],
        folders.join(", "),
        if folders.is_empty() { "" } else { " " },
    );
    missing(driver, &looked, system)
}

/// Returns the library or manifest that a driver of the settings is.
pub(crate) fn place_of(driver: &str, base: &Path) -> Option<PathBuf> {
    let path = base.join(driver);
    let manifest = path.with_extension("toml");
    if path.is_file() {
        Some(path)
    } else if driver.contains(['/', '\\']) {
        manifest.is_file().then_some(manifest)
    } else {
        found_by_name(driver)
    }
}

fn found_by_name(driver: &str) -> Option<PathBuf> {
    let names = names_of(driver);
    let folders = folders();
    let mut paths = folders
        .iter()
        .flat_map(|folder| names.iter().map(|name| folder.join(name)));
    paths.find(|path| path.is_file())
}

fn names_of(driver: &str) -> [String; 2] {
    [format!("{driver}.toml"), file_name(driver)]
}

fn missing(driver: &str, looked: &str, system: System) -> DatabaseFault {
    DatabaseFault::NoDriver {
        driver: driver.into(),
        help: format!("looked for {looked}; {}", system.remedy()).into(),
    }
}

/// Returns the name of the file that holds a library.
fn file_name(library: &str) -> String {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    format!("{DLL_PREFIX}{library}{DLL_SUFFIX}")
}

/// Returns where ADBC looks for drivers and manifests by their names.
fn folders() -> Vec<PathBuf> {
    let named = std::env::var_os(DRIVER_PATH).unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&named).collect();
    folders.retain(|folder| !folder.as_os_str().is_empty());
    if cfg!(all(unix, not(target_os = "macos"))) {
        let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".config"));
        let config = std::env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or(home);
        folders.extend(config.map(|config| config.join("adbc/drivers")));
        folders.push("/etc/adbc/drivers".into());
    }
    folders
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_driver_that_is_not_there_is_told_with_where_it_was_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let load = |driver: &str| {
            let system = System::of(driver);
            load(driver, None, folder.path(), system)
                .unwrap_err()
                .to_string()
        };
        let said = load("no_such_sqlite");
        for part in [
            "no_such_sqlite.toml",
            "/etc/adbc/drivers",
            "pip install adbc-driver-sqlite",
        ] {
            assert!(said.contains(part), "{said}");
        }
        let said = load("lib/no_such.so");
        assert!(said.contains("lib/no_such.so"), "{said}");
        std::fs::write(folder.path().join("text.so"), "no library").unwrap();
        let said = load("text.so");
        assert!(
            said.contains("text.so") && said.contains("cannot be loaded"),
            "{said}"
        );
    }
}
