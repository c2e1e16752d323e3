//! Options of drivers: the address, opened for reading only, and what else the settings say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use adbc_core::options::{OptionDatabase, OptionValue};

use super::system::System;
use crate::database::DatabaseFault;
use crate::descriptor::{OptionSetting, SourceSettings};
use crate::error::{OpenError, StoreCause};
use crate::secret::{SecretError, SecretPlace};

const SNOWFLAKE_LOGIN: (&str, &str) = ("adbc.snowflake.sql.client_option.login_timeout", "20s");

/// What a driver is given. It does not print itself, for it knows secrets.
#[derive(Clone)]
pub(crate) struct Options {
    pairs: BTreeMap<String, String>,
    /// The file of a database that is one, as messages call it.
    file: Option<String>,
}

impl Options {
    /// Reads the options, and the secrets that they name.
    pub(crate) fn of(
        settings: &SourceSettings,
        base: &Path,
        system: System,
    ) -> Result<Self, OpenError> {
        let failed = |cause: SecretError| OpenError::Database {
            source_name: settings.name.clone(),
            place: settings.driver.clone().unwrap_or_default(),
            cause: DatabaseFault::Secret(cause),
        };
        let read = |place: &SecretPlace| {
            let secret = place.read(base).map_err(failed)?;
            Ok::<_, OpenError>(secret.reveal().to_owned())
        };
        let mut pairs = BTreeMap::new();
        if let Some(place) = &settings.password {
            pairs.insert("password".to_owned(), read(place)?);
        }
        for (name, value) in &settings.options {
            let value = match value {
                OptionSetting::Text(text) => text.clone(),
                OptionSetting::Kept(place) => read(place)?,
            };
            pairs.insert(name.clone(), value);
        }
        if let [_, _, ..] = settings.uris() {
            return Err(OpenError::Address {
                source_name: settings.name.clone(),
                uri: "`uri`".to_owned(),
                reason: "a database is a source alone; make each table a source".to_owned(),
            });
        }
        if let Some(uri) = settings.uris().first() {
            pairs.insert("uri".to_owned(), uri.clone());
        }
        let mut options = Self { pairs, file: None };
        match system {
            System::Sqlite => options.open_sqlite(&settings.name, base)?,
            System::DuckDb => options.open_duckdb(&settings.name, base)?,
            System::Snowflake => options.bound_login(),
            _ => {}
        }
        Ok(options)
    }

    /// Returns the names of the options.
    pub(crate) fn names(&self) -> Vec<String> {
        self.pairs.keys().cloned().collect()
    }

    /// Returns what messages call the database: an address may hold secrets, a file's path does not.
    pub(crate) fn place(&self, driver: &str) -> String {
        match &self.file {
            Some(file) => format!("{file} by {driver}"),
            None => format!("the database of {driver}"),
        }
    }

    /// Returns the options as the driver takes them.
    pub(crate) fn into_pairs(self) -> impl Iterator<Item = (OptionDatabase, OptionValue)> {
        let pairs = self.pairs.into_iter();
        pairs.map(|(name, value)| (name.as_str().into(), value.into()))
    }

    /// Bounds how long a login is tried, which the driver does for minutes.
    fn bound_login(&mut self) {
        let (name, value) = SNOWFLAKE_LOGIN;
        let pairs = self.pairs.entry(name.to_owned());
        pairs.or_insert_with(|| value.to_owned());
    }

    fn open_sqlite(&mut self, source_name: &str, base: &Path) -> Result<(), OpenError> {
        let address = self
            .pairs
            .remove("uri")
            .ok_or_else(|| no_uri(source_name))?;
        let (path, parameters) = match address.strip_prefix("file:") {
            Some(rest) => {
                let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
                (
                    path.strip_prefix("//").unwrap_or(path).to_owned(),
                    parameters,
                )
            }
            // The signs that mean something in an address are told by their numbers.
            None => (percent_coded(&address), ""),
        };
        let file = base.join(percent_decoded(&path));
        require_file(source_name, &file)?;
        let whole = std::path::absolute(&file).unwrap_or_else(|_| file.clone());
        let kept = parameters
            .split('&')
            .filter(|p| !p.is_empty() && !p.starts_with("mode="));
        let parameters: Vec<_> = ["mode=ro"].into_iter().chain(kept).collect();
        let path = percent_coded(&whole.to_string_lossy());
        let uri = format!("file:{path}?{}", parameters.join("&"));
        self.pairs.insert("uri".to_owned(), uri);
        self.file = Some(file.display().to_string());
        Ok(())
    }

    fn open_duckdb(&mut self, source_name: &str, base: &Path) -> Result<(), OpenError> {
        let (uri, path) = (self.pairs.remove("uri"), self.pairs.remove("path"));
        let address = uri.or(path).ok_or_else(|| no_uri(source_name))?;
        let is_remote = address.contains("://") || address.starts_with("md:");
        let path = if is_remote {
            address
        } else {
            let file = base.join(address);
            require_file(source_name, &file)?;
            self.file = Some(file.display().to_string());
            file.to_string_lossy().into_owned()
        };
        self.pairs.insert("path".to_owned(), path);
        // Nothing is written: no table, no values that do not fit into memory, no program.
        for (name, value) in [
            ("access_mode", "READ_ONLY"),
            ("temp_directory", ""),
            ("autoinstall_known_extensions", "false"),
        ] {
            self.pairs.insert(name.to_owned(), value.to_owned());
        }
        Ok(())
    }
}

fn no_uri(source_name: &str) -> OpenError {
    OpenError::NoUri {
        source_name: source_name.to_owned(),
    }
}

/// Drivers make a missing file anew or tell little of it.
fn require_file(source_name: &str, file: &Path) -> Result<(), OpenError> {
    let place = || file.display().to_string();
    if !file.is_file() {
        return Err(OpenError::Missing {
            source_name: source_name.to_owned(),
            place: place(),
        });
    }
    let opened = std::fs::File::open(file);
    opened.map(drop).map_err(|error| OpenError::Store {
        source_name: source_name.to_owned(),
        place: place(),
        cause: StoreCause::from_io(&error),
    })
}

fn percent_coded(path: &str) -> String {
    let coded = path.replace('%', "%25").replace('?', "%3f");
    coded.replace('#', "%23")
}

fn percent_decoded(path: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let coded = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        match coded {
            Some(coded) if byte == b'%' => {
                bytes.push(coded);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    /// Returns the options that a driver is given for such settings in a folder.
    fn options(folder: &Path, more: &str) -> Result<Options, OpenError> {
        let settings: SourceSettings = serde_json::from_str(&format!(
            r#"{{"name": "shop", "key": "id", "table": "t", "fields": {{}}, {more}}}"#
        ))
        .unwrap();
        let system = System::of(settings.driver.as_deref().unwrap());
        Options::of(&settings, folder, system)
    }

    #[test]
    fn files_of_databases_are_opened_for_reading_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a b?.db");
        std::fs::write(&file, "").unwrap();
        let read_only = format!("file:{}/a b%3f.db?mode=ro", folder.path().display());
        for uri in ["a b?.db", "file:a b%3f.db?mode=rwc", "file:a b%3f.db"] {
            let more = format!(r#""driver": "sqlite", "uri": "{uri}""#);
            let pairs = options(folder.path(), &more).unwrap().pairs;
            assert_eq!(pairs.get("uri"), Some(&read_only), "{uri}");
        }
        let more =
            r#""driver": "duckdb", "uri": "a b?.db", "options": {"access_mode": "READ_WRITE"}"#;
        let pairs = options(folder.path(), more).unwrap().pairs;
        assert_eq!(pairs.get("path"), Some(&file.display().to_string()));
        assert_eq!(
            pairs.get("access_mode").map(String::as_str),
            Some("READ_ONLY")
        );
        let more = r#""driver": "duckdb", "uri": "none.db""#;
        let missing = options(folder.path(), more).err();
        assert!(matches!(missing, Some(OpenError::Missing { .. })));
    }

    #[test]
    fn options_hold_secrets_and_places_do_not() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "hunter2\n").unwrap();
        let more = r#""driver": "other", "uri": "x://host?token=hunter2",
            "password": {"file": "secret"}, "options": {"account": "a"}"#;
        let options = options(folder.path(), more).unwrap();
        assert_eq!(options.names(), ["account", "password", "uri"]);
        assert_eq!(options.pairs["password"], "hunter2");
        assert_eq!(options.place("other"), "the database of other");
    }
}
