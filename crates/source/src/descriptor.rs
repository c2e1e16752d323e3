//! What users write about a source.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use sameas_record::{DateOrder, DuplicateKeys, Locale, Part};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::database::{is_file_driver, is_mysql, is_postgres};
use crate::files::local_files;
use crate::secret::SecretPlace;

/// One text or a list of texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// A single text.
    One(String),
    /// Several texts.
    Many(Vec<String>),
}

impl OneOrMany {
    /// Returns the texts.
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

/// The format of files; the extension tells it when absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// Comma-separated values with a header; every column is text.
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// Apache Parquet.
    Parquet,
    /// Apache Arrow IPC, file format.
    Arrow,
}

/// Where a field's value comes from: a column or a SQL expression over columns, or several (a multi-valued field).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FieldMapping {
    /// Columns or expressions as they are.
    From(OneOrMany),
    /// A part of a composite value.
    Part {
        /// Columns or expressions.
        from: OneOrMany,
        /// The part to take.
        part: Part,
    },
}

/// The value of a driver's option.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OptionSetting {
    /// The value itself, which is no secret.
    Text(String),
    /// Where the value is kept.
    Kept(SecretPlace),
}

/// Prints the length of a text: it may be a secret that somebody wrote there.
impl fmt::Debug for OptionSetting {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(out, "Text({} bytes)", text.len()),
            Self::Kept(place) => place.fmt(out),
        }
    }
}

/// Where the values of records come from when one record is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Candidates {
    /// They stay in memory from the last reading.
    #[default]
    Memory,
    /// They are fetched from the source, compared and forgotten.
    Fetch,
}

/// How the text of a CSV or NDJSON file is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Encoding {
    /// The usual one.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// That of older files of Western Europe and America; Latin-1 is part of it.
    #[serde(rename = "windows-1252")]
    Windows1252,
}

/// A source: an external system, registered by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceSettings {
    /// Its name, part of every reference to its records.
    pub name: String,
    /// A file, a glob, a folder or an object-store address; or several; or one database, for
    /// example `postgres://reader@db.example:5432/crm` or `mysql://reader@db.example/crm`. Beside `driver` it is what the driver takes
    /// as its address, and may be missing.
    pub uri: Option<OneOrMany>,
    /// The ADBC driver of a database: its name or the name of its manifest, or the path of a shared
    /// library or manifest, relative to the settings file.
    pub driver: Option<String>,
    /// The function that a driver begins with, if its name does not tell it.
    pub entry_point: Option<String>,
    /// Options of a driver, by their names in its documentation.
    #[serde(default)]
    pub options: BTreeMap<String, OptionSetting>,
    /// The table or view of a database, for example `public.customers`.
    pub table: Option<String>,
    /// Where the password of a database comes from; a driver is given it as its option `password`.
    pub password: Option<SecretPlace>,
    /// The files' format.
    pub format: Option<FileFormat>,
    /// The column, or SQL expression, of the record key.
    pub key: String,
    /// The column, or SQL expression, that says when a record was changed last; profiles use it.
    pub updated: Option<String>,
    /// Where `find` has the values of its records from.
    #[serde(default)]
    pub candidates: Candidates,
    /// The separator of CSV columns.
    pub delimiter: Option<char>,
    /// How text files are encoded.
    #[serde(default)]
    pub encoding: Encoding,
    /// A SQL condition; records for which it does not hold are not read.
    #[serde(rename = "where")]
    pub filter: Option<String>,
    /// The region of phone numbers without a country code, for example `US`.
    pub region: Option<String>,
    /// How dates with numbers only are read.
    #[serde(default)]
    pub date_order: DateOrder,
    /// What happens to records that share a key.
    #[serde(default)]
    pub duplicate_keys: DuplicateKeys,
    /// The canonical fields this source has.
    pub fields: BTreeMap<String, FieldMapping>,
}

impl SourceSettings {
    /// Returns whether the source is a table of a database, not files.
    pub fn is_database(&self) -> bool {
        let is_address = |uri: &String| is_postgres(uri) || is_mysql(uri);
        self.driver.is_some() || self.uris().iter().any(is_address)
    }

    /// Returns whether the source is files of this machine, or a database that is one.
    pub fn is_local(&self) -> bool {
        let is_path = |uri: &String| {
            let is_remote = uri.contains("://") || uri.starts_with("md:");
            !is_remote || uri.starts_with("file://")
        };
        let opens_files = |driver: &String| is_file_driver(driver);
        self.driver.as_ref().is_none_or(opens_files) && self.uris().iter().all(is_path)
    }

    /// Returns whether `find` asks the source for the values of candidates.
    pub fn fetches_candidates(&self) -> bool {
        self.candidates == Candidates::Fetch
    }

    /// Returns how its values are written.
    pub fn locale(&self) -> Locale {
        Locale {
            region: self.region.clone(),
            date_order: self.date_order,
        }
    }

    /// Returns the addresses.
    pub fn uris(&self) -> &[String] {
        self.uri.as_ref().map_or(&[], OneOrMany::as_slice)
    }

    /// Returns the files of this machine that the address names now, seen from a folder; what
    /// cannot be found is left out.
    pub fn local_files(&self, base: &Path) -> Vec<PathBuf> {
        local_files(self, base)
    }
}
