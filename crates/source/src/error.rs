//! What can go wrong with a source, told without a single field value.

use std::fmt;

use datafusion::common::DataFusionError;

use crate::database::DatabaseFault;
use crate::files::DeltaFault;
use crate::flaw::Flaw;
use crate::hint::NameHint;

/// Why a source could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The settings name no place at all.
    #[error(
        "source `{source_name}`: uri is empty; name a file, a glob, a folder or an object store address"
    )]
    NoUri {
        /// The source.
        source_name: String,
    },
    /// An address could not be understood.
    #[error("source `{source_name}`: {uri} is no address: {reason}")]
    Address {
        /// The source.
        source_name: String,
        /// The address, without credentials.
        uri: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An address whose scheme this build does not serve.
    #[error(
        "source `{source_name}`: {uri} needs a build with object stores; \
         build with `--features object-stores`"
    )]
    ObjectStoresOff {
        /// The source.
        source_name: String,
        /// The address, without credentials.
        uri: String,
    },
    /// Nothing stands at the address.
    #[error(
        "source `{source_name}`: there is no file at {place}; \
         check `uri` (relative paths start at the folder of the settings file)"
    )]
    Missing {
        /// The source.
        source_name: String,
        /// The place looked at.
        place: String,
    },
    /// A glob matched no file.
    #[error("source `{source_name}`: no file matches {pattern}; check `uri`")]
    NoMatch {
        /// The source.
        source_name: String,
        /// The glob.
        pattern: String,
    },
    /// A folder without a data file.
    #[error(
        "source `{source_name}`: folder {folder} has no file that ends in {extensions}; name the files or set `format`"
    )]
    EmptyFolder {
        /// The source.
        source_name: String,
        /// The folder.
        folder: String,
        /// The extensions looked for.
        extensions: String,
    },
    /// A Delta table that cannot be read.
    #[error("source `{source_name}`: the Delta table {table} cannot be read")]
    Delta {
        /// The source.
        source_name: String,
        /// The folder, without credentials.
        table: String,
        /// What is wrong, and what helps.
        #[source]
        cause: DeltaFault,
    },
    /// A file without content.
    #[error(
        "source `{source_name}`: {file} is empty; write it again, with a header if it is CSV, or take it out of `uri`"
    )]
    EmptyFile {
        /// The source.
        source_name: String,
        /// The file.
        file: String,
    },
    /// The extension tells no format.
    #[error(
        "source `{source_name}`: the name of {file} tells no format; set `format` to csv, ndjson, parquet or arrow, or `driver` if it is a database of SQLite or DuckDB"
    )]
    UnknownFormat {
        /// The source.
        source_name: String,
        /// The file.
        file: String,
    },
    /// Files of more than one format.
    #[error("source `{source_name}`: {file} and {other} differ in format; make them two sources")]
    MixedFormats {
        /// The source.
        source_name: String,
        /// One file.
        file: String,
        /// Another file.
        other: String,
    },
    /// A compression that is not read.
    #[error(
        "source `{source_name}`: {file} is compressed in a way that is not read; decompress it, or use gzip or zstd with CSV or NDJSON"
    )]
    Compression {
        /// The source.
        source_name: String,
        /// The file.
        file: String,
    },
    /// A separator that cannot separate.
    #[error(
        "source `{source_name}`: `delimiter` cannot be {delimiter:?}; use one ASCII character other than a quote or a line break"
    )]
    Delimiter {
        /// The source.
        source_name: String,
        /// The separator.
        delimiter: char,
    },
    /// A header that names a column twice; a file without a header has values there, so their
    /// places are told and not their text.
    #[error(
        "source `{source_name}`: the header of {file} gives cells {} and {} one name; rename one, or add a header if there is none",
        .cells[0], .cells[1]
    )]
    DuplicateColumn {
        /// The source.
        source_name: String,
        /// The file.
        file: String,
        /// Which cells of the header, counted from one.
        cells: [usize; 2],
    },
    /// A text file whose beginning cannot be read.
    #[error("source `{source_name}`: {file}, {flaw}")]
    Flawed {
        /// The source.
        source_name: String,
        /// The file.
        file: String,
        /// What is wrong, and where.
        flaw: Flaw,
    },
    /// A binary file that is not what its format says.
    #[error(
        "source `{source_name}`: {file} cannot be read as {format}: it is damaged, truncated or of another format; write it again"
    )]
    Damaged {
        /// The source.
        source_name: String,
        /// The file.
        file: String,
        /// The format it should have.
        format: &'static str,
    },
    /// A database without a table.
    #[error(
        "source `{source_name}`: `table` is missing; name a table or view, for example `public.customers`"
    )]
    NoTable {
        /// The source.
        source_name: String,
    },
    /// A name that names no table.
    #[error(
        "source `{source_name}`: {table:?} is no name of a table; expected `table` or `schema.table`, odd names in double quotes"
    )]
    TableName {
        /// The source.
        source_name: String,
        /// What the settings say.
        table: String,
    },
    /// A database that cannot be read.
    #[error("source `{source_name}`: {place} cannot be read")]
    Database {
        /// The source.
        source_name: String,
        /// The address, without credentials.
        place: String,
        /// What is wrong, and what helps.
        #[source]
        cause: DatabaseFault,
    },
    /// The store did not answer.
    #[error(
        "source `{source_name}`: {place} cannot be read; check its address, permissions and credentials"
    )]
    Store {
        /// The source.
        source_name: String,
        /// The file, folder or address.
        place: String,
        /// The kind of failure.
        #[source]
        cause: StoreCause,
    },
}

/// Why a scan was refused or stopped.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// A name that no column has.
    #[error("source `{source_name}`: there is no column {column:?}{}{}", InExpression { text, column }, hint)]
    UnknownColumn {
        /// The source.
        source_name: String,
        /// What the settings say.
        text: String,
        /// The name that was not found.
        column: String,
        /// What helps to correct it.
        hint: NameHint,
    },
    /// An expression that cannot be computed over the columns.
    #[error(
        "source `{source_name}`: {:?} is neither a column nor a SQL expression over columns: {reason}{hint}",
        without_literals(text)
    )]
    Expression {
        /// The source.
        source_name: String,
        /// What the settings say.
        text: String,
        /// Why it is refused.
        reason: String,
        /// What helps to correct it.
        hint: NameHint,
    },
    /// A column whose values have no common type.
    #[error(
        "source `{source_name}`: column {column:?} has no single type: {conflict}; write all its values as one type"
    )]
    MixedTypes {
        /// The source.
        source_name: String,
        /// The column.
        column: String,
        /// The types that do not go together, and where they stand.
        conflict: String,
    },
    /// A key of a type that is no exact text.
    #[error(
        "source `{source_name}`: key {text:?} is {data_type}, which is no exact key; use a text or integer column, or cast it"
    )]
    KeyType {
        /// The source.
        source_name: String,
        /// What the settings say.
        text: String,
        /// Its type, in words.
        data_type: String,
    },
    /// A column or expression of a type that no field has.
    #[error(
        "source `{source_name}`: {text:?} is {data_type}, which cannot be a field; map an expression that gives text, a number, a date or a list of texts"
    )]
    FieldType {
        /// The source.
        source_name: String,
        /// What the settings say.
        text: String,
        /// Its type, in words.
        data_type: String,
    },
    /// A condition that is not a condition.
    #[error("source `{source_name}`: `where` {text:?} is {data_type}; it must be true or false")]
    FilterType {
        /// The source.
        source_name: String,
        /// What the settings say.
        text: String,
        /// Its type, in words.
        data_type: String,
    },
    /// A column or expression that tells no time.
    #[error(
        "source `{source_name}`: `updated` {text:?} is {data_type}, which says no time; name a column of times, or of numbers that grow"
    )]
    UpdatedType {
        /// The source.
        source_name: String,
        /// What the settings say.
        text: String,
        /// Its type, in words.
        data_type: String,
    },
    /// A text file with a record that cannot be read.
    #[error("source `{source_name}`: {file}, {flaw}")]
    Flawed {
        /// The source.
        source_name: String,
        /// The file.
        file: String,
        /// What is wrong, and where.
        flaw: Flaw,
    },
    /// A binary file whose content cannot be read.
    #[error("source `{source_name}`: {file} is damaged or truncated; write it again")]
    Damaged {
        /// The source.
        source_name: String,
        /// The file.
        file: String,
    },
    /// A file that was replaced, appended to or removed while it was read.
    #[error(
        "source `{source_name}`: {file} changed while it was read; rebuild when its writer is done"
    )]
    Changed {
        /// The source.
        source_name: String,
        /// The file.
        file: String,
    },
    /// The store did not answer.
    #[error(
        "source `{source_name}`: {file} cannot be read; check its address, permissions and credentials"
    )]
    Store {
        /// The source.
        source_name: String,
        /// The file.
        file: String,
        /// The kind of failure.
        #[source]
        cause: StoreCause,
    },
    /// A database that failed while it was read.
    #[error("source `{source_name}`: {place} cannot be read")]
    Database {
        /// The source.
        source_name: String,
        /// The address, without credentials.
        place: String,
        /// What is wrong, and what helps.
        #[source]
        cause: DatabaseFault,
    },
    /// Files that changed since they were opened, and cannot be opened as they are now.
    #[error(
        "source `{source_name}`: its files changed and cannot be opened as they are now: {reason}"
    )]
    Reopen {
        /// The source.
        source_name: String,
        /// Why, and what helps.
        reason: String,
    },
    /// More records have the keys that were asked for than an answer holds.
    #[error(
        "source `{source_name}`: more than 100,000 records have the keys asked for; \
         map a `key` that tells records apart"
    )]
    TooManyFetched {
        /// The source.
        source_name: String,
    },
    /// An expression that failed on some record.
    #[error("source `{source_name}`: an expression cannot be computed for some record: {reason}")]
    Compute {
        /// The source.
        source_name: String,
        /// The kind of failure and its remedy, without the value.
        reason: &'static str,
    },
    /// The engine failed in a way that no settings or data explain.
    #[error("source `{source_name}`: the scan stopped: {reason}")]
    Engine {
        /// The source.
        source_name: String,
        /// The kind of failure, without its text, which may quote values.
        reason: &'static str,
    },
}

/// A failure of a file system or an object store.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct StoreCause {
    reason: String,
}

impl OpenError {
    /// Tells the error with its cause, neither of which quotes a value.
    pub(crate) fn in_full(&self) -> String {
        match std::error::Error::source(self) {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        }
    }
}

impl ScanError {
    /// Tells what went wrong from an item of a scan's stream.
    ///
    /// Engines quote cells in their errors, so only errors of this crate pass on their text; of all
    /// others the kind is kept and the text is dropped.
    pub fn from_stream(source_name: &str, error: &DataFusionError) -> Self {
        match error {
            DataFusionError::External(cause) => match cause.downcast_ref::<Self>() {
                Some(known) => known.clone(),
                None => Self::engine(source_name, "a part of the engine failed"),
            },
            DataFusionError::Shared(inner) => Self::from_stream(source_name, inner),
            DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
                Self::from_stream(source_name, inner)
            }
            DataFusionError::Collection(errors) => match errors.first() {
                Some(first) => Self::from_stream(source_name, first),
                None => Self::engine(source_name, "the engine failed without a reason"),
            },
            DataFusionError::ArrowError(cause, _) => Self::from_arrow(source_name, cause),
            DataFusionError::Execution(_) => Self::Compute {
                source_name: source_name.to_owned(),
                reason: VALUE_REFUSED,
            },
            DataFusionError::ResourcesExhausted(_) => Self::engine(source_name, "out of memory"),
            DataFusionError::ExecutionJoin(_) => {
                Self::engine(source_name, "a task of the scan panicked or was cancelled")
            }
            DataFusionError::ParquetError(_)
            | DataFusionError::IoError(_)
            | DataFusionError::ObjectStore(_) => {
                Self::engine(source_name, "a file could not be read")
            }
            _ => Self::engine(source_name, "the engine could not carry out the plan"),
        }
    }

    fn from_arrow(source_name: &str, error: &arrow_schema::ArrowError) -> Self {
        use arrow_schema::ArrowError as Arrow;
        let source_name = source_name.to_owned();
        match error {
            Arrow::ExternalError(cause) => {
                if let Some(known) = cause.downcast_ref::<Self>() {
                    return known.clone();
                }
                match cause.downcast_ref::<DataFusionError>() {
                    Some(inner) => Self::from_stream(&source_name, inner),
                    None => Self::engine(&source_name, "a part of the engine failed"),
                }
            }
            Arrow::CastError(_) | Arrow::ParseError(_) => {
                let reason = "a value cannot be cast; use try_cast, which gives null instead";
                Self::Compute {
                    source_name,
                    reason,
                }
            }
            Arrow::DivideByZero => {
                let reason = "division by zero; use nullif around the divisor";
                Self::Compute {
                    source_name,
                    reason,
                }
            }
            Arrow::ArithmeticOverflow(_) => {
                let reason = "a number is too large; cast the operands to a wider type";
                Self::Compute {
                    source_name,
                    reason,
                }
            }
            Arrow::ComputeError(_) | Arrow::InvalidArgumentError(_) => Self::Compute {
                source_name,
                reason: VALUE_REFUSED,
            },
            Arrow::OffsetOverflowError(_) => {
                Self::engine(&source_name, "the texts of one batch are longer than 2 GiB")
            }
            Arrow::MemoryError(_) => Self::engine(&source_name, "out of memory"),
            _ => Self::engine(&source_name, "a file could not be decoded"),
        }
    }

    fn engine(source_name: &str, reason: &'static str) -> Self {
        Self::Engine {
            source_name: source_name.to_owned(),
            reason,
        }
    }
}

impl From<ScanError> for DataFusionError {
    fn from(error: ScanError) -> Self {
        Self::External(Box::new(error))
    }
}

const VALUE_REFUSED: &str = "a function refuses a value; guard it with case, nullif or try_cast";

impl StoreCause {
    /// Keeps of a store's failure what cannot hold content: the answers of servers are dropped.
    pub(crate) fn new(error: &object_store::Error) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(current) = cause {
            if let Some(io) = current.downcast_ref::<std::io::Error>() {
                return Self::from_io(io);
            }
            cause = current.source();
        }
        Self {
            reason: kind_of(error).to_owned(),
        }
    }

    /// Keeps the kind of an input or output failure.
    pub(crate) fn from_io(error: &std::io::Error) -> Self {
        Self {
            reason: error.kind().to_string(),
        }
    }
}

fn kind_of(error: &object_store::Error) -> &'static str {
    use object_store::Error;
    match error {
        Error::NotFound { .. } => "it is not there",
        Error::PermissionDenied { .. } => "permission denied; check the credentials",
        Error::Unauthenticated { .. } => "not authenticated; set the store's credentials",
        Error::InvalidPath { .. } => "its path is not valid",
        Error::NotSupported { .. } | Error::NotImplemented { .. } => {
            "the store does not support the request"
        }
        Error::Precondition { .. } | Error::NotModified { .. } => "it changed meanwhile",
        Error::UnknownConfigurationKey { .. } => "the store's configuration is not valid",
        _ => "the store did not answer as it should; check its address and the network",
    }
}

struct InExpression<'a> {
    text: &'a str,
    column: &'a str,
}

impl fmt::Display for InExpression<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text == self.column {
            Ok(())
        } else {
            write!(out, " in {:?}", without_literals(self.text))
        }
    }
}

/// Leaves texts in quotes out of SQL: one may be a value of a record.
fn without_literals(text: &str) -> String {
    let pieces = text.split('\'').enumerate();
    let kept = pieces.map(|(number, piece)| if number % 2 == 0 { piece } else { "…" });
    kept.collect::<Vec<_>>().join("'")
}
