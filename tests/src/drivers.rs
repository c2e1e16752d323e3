//! ADBC drivers: shared libraries of real systems, fetched once.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

use crate::paths_below;

/// A folder that holds the libraries already.
const FOLDER: &str = "SAMEAS_ADBC_DRIVERS";
/// Set to 1, tests fail that miss a library.
const REQUIRED: &str = "SAMEAS_REQUIRE_DRIVERS";

/// Python packages that carry a library.
const WHEELS: &[&str] = &[
    "adbc-driver-sqlite==1.13.0",
    "adbc-driver-snowflake==1.11.0",
    "adbc-driver-bigquery==1.11.0",
    "adbc-driver-flightsql==1.13.0",
];
/// The Python package that writes Delta tables.
const DELTALAKE: &str = "deltalake==1.6.6";
/// The package of Node.js that carries DuckDB's library.
const DUCKDB: &str = "@duckdb/node-bindings-linux-x64@1.5.6-r.1";
/// Unpacks what `npm pack` made.
const UNPACK: &str = "import glob, tarfile\nfor name in glob.glob('*.tgz'):\n    tarfile.open(name).extractall('.', filter='data')";

/// Returns the library of a driver by its short name, such as `sqlite` or `duckdb`.
///
/// Nothing is returned, and said why, if it cannot be had on this machine.
///
/// # Panics
/// Panics if it cannot be had and the environment demands it.
#[expect(
    clippy::print_stderr,
    reason = "who runs the tests has to know what they left out"
)]
pub fn driver(name: &str) -> Option<PathBuf> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let file = match name {
        "duckdb" => "libduckdb.so".to_owned(),
        name => format!("libadbc_driver_{name}.so"),
    };
    let folder = FOUND.get_or_init(find);
    let path = folder.as_ref().map(|folder| folder.join(&file));
    let reason = match path {
        Ok(path) if path.is_file() => return Some(path),
        Ok(path) => format!("{} is not there", path.display()),
        Err(reason) => reason.clone(),
    };
    let is_required = env::var_os(REQUIRED).is_some_and(|value| value == "1");
    assert!(!is_required, "no ADBC driver {name}: {reason}");
    eprintln!("not tested: no ADBC driver {name}: {reason}");
    None
}

/// Returns a folder to import the Python package `deltalake` from, which writes Delta tables.
///
/// Nothing is returned, and said why, if it cannot be had on this machine.
///
/// # Panics
/// Panics if it cannot be had and the environment demands it.
#[expect(
    clippy::print_stderr,
    reason = "who runs the tests has to know what they left out"
)]
pub fn deltalake() -> Option<PathBuf> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let installed = FOUND.get_or_init(|| {
        let target = target()?;
        let folder = target.join("python-deltalake");
        if !folder.is_dir() {
            install(&target, &folder)?;
        }
        Ok(folder)
    });
    match installed {
        Ok(folder) => Some(folder.clone()),
        Err(reason) => {
            let is_required = env::var_os(REQUIRED).is_some_and(|value| value == "1");
            assert!(!is_required, "no {DELTALAKE}: {reason}");
            eprintln!("not tested: no {DELTALAKE}: {reason}");
            None
        }
    }
}

fn install(target: &Path, folder: &Path) -> Result<(), String> {
    let kept = tempfile::tempdir_in(target).map_err(|error| error.to_string())?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--root-user-action=ignore",
        "--target",
        ".",
        DELTALAKE,
    ];
    run(kept.path(), "python3", &pip)?;
    keep(kept, folder)
}

/// Returns the folder that this build's results lie in.
fn target() -> Result<PathBuf, String> {
    let executable = env::current_exe().map_err(|error| error.to_string())?;
    let target = executable.ancestors().nth(3).ok_or("no target folder")?;
    Ok(target.to_owned())
}

/// Gives a folder its name, whole or not at all: another run may fill it at the same time.
fn keep(made: tempfile::TempDir, folder: &Path) -> Result<(), String> {
    match fs::rename(made.path(), folder) {
        Ok(()) => {
            let _ = made.keep();
            Ok(())
        }
        Err(_) if folder.is_dir() => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Returns the folder of the libraries, which is filled at the first time.
fn find() -> Result<PathBuf, String> {
    if let Some(folder) = env::var_os(FOLDER) {
        return Ok(folder.into());
    }
    let target = target()?;
    let folder = target.join("adbc-drivers");
    if !folder.is_dir() {
        fill(&target, &folder)?;
    }
    Ok(folder)
}

/// Fetches the packages and keeps their libraries; what one registry lacks keeps nothing else away.
fn fill(target: &Path, folder: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| error.to_string();
    fs::create_dir_all(target).map_err(failed)?;
    let fetched = tempfile::tempdir_in(target).map_err(failed)?;
    let place = fetched.path();
    let mut pip = vec![
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        ".",
    ];
    pip.extend(WHEELS);
    let mut problems = Vec::new();
    problems.extend(run(place, "python3", &pip).err());
    for wheel in paths_below(place) {
        let wheel = wheel.to_string_lossy();
        let unzip = ["-m", "zipfile", "-e", &wheel, "."];
        problems.extend(run(place, "python3", &unzip).err());
    }
    match run(place, "npm", &["pack", "--silent", DUCKDB]) {
        Ok(()) => problems.extend(run(place, "python3", &["-c", UNPACK]).err()),
        Err(problem) => problems.push(problem),
    }
    let libraries = paths_below(place).into_iter();
    let libraries: Vec<_> = libraries
        .filter(|path| path.extension().is_some_and(|extension| extension == "so"))
        .collect();
    if libraries.is_empty() {
        return Err(problems.join("; "));
    }
    let kept = tempfile::tempdir_in(target).map_err(failed)?;
    for library in libraries {
        let name = library.file_name().unwrap_or_default();
        fs::rename(place.join(&library), kept.path().join(name)).map_err(failed)?;
    }
    keep(kept, folder)
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> Result<(), String> {
    let ran = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output();
    match ran {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().last().unwrap_or_default();
            Err(format!("{program} failed: {last}"))
        }
        Err(error) => Err(format!("{program} cannot be run: {error}")),
    }
}
