//! Why a Delta table cannot be read.

use std::sync::Arc;

use super::READER_VERSION_MAX;
use crate::error::StoreCause;

/// Why a Delta table cannot be read, and what helps. No message quotes a value.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeltaFault {
    /// A log without the actions that make a table.
    #[error(
        "its log says neither a protocol nor a schema; copy the table whole, with `_delta_log`"
    )]
    Empty,
    /// A version that neither a commit nor a checkpoint tells.
    #[error("its log lacks version {version}; copy the table whole, with `_delta_log`")]
    Gap {
        /// The version.
        version: u64,
    },
    /// A file of the log that cannot be read.
    #[error("{file}{} is no log of a Delta table; copy the table anew", line.map_or(String::new(), |line| format!(", line {line},")))]
    Unreadable {
        /// The file.
        file: String,
        /// The line, if it has lines.
        line: Option<usize>,
    },
    /// A feature that readers have to know.
    #[error("it uses the feature `{feature}` of Delta, which is not read; {remedy}")]
    Feature {
        /// The feature, as the protocol names it.
        feature: String,
        /// What helps.
        remedy: String,
    },
    /// A protocol of the future.
    #[error(
        "it asks for readers of version {version}, and this one is of version {READER_VERSION_MAX}; read it through its warehouse by `driver`"
    )]
    ReaderVersion {
        /// The version.
        version: i32,
    },
    /// Rows that are deleted beside the file that still has them.
    #[error(
        "some of its rows are deleted by deletion vectors, which are not read; run REORG TABLE … APPLY (PURGE), or read it through its warehouse by `driver`"
    )]
    DeletedRows,
    /// A file that is not below the table.
    #[error(
        "some of its files lie outside of its folder, as those of a shallow clone do; make a deep clone"
    )]
    Elsewhere,
    /// A file that the log names and nobody has.
    #[error(
        "{file} of version {version} is not there; copy the table whole, or restore a version that VACUUM has left"
    )]
    Gone {
        /// The file.
        file: String,
        /// The version of the table.
        version: u64,
    },
    /// A partition column whose values cannot be read.
    #[error(
        "the values of its partition column {column:?} are not read as {data_type}; take the column out of the partitioning"
    )]
    Partition {
        /// The column.
        column: String,
        /// Its type, as Delta names it.
        data_type: String,
    },
    /// A table of no files.
    #[error("it has no rows at version {version}; load it, or take the source out of the settings")]
    NoRows {
        /// The version.
        version: u64,
    },
    /// A store that failed.
    #[error("{0}")]
    Store(Arc<StoreCause>),
}

impl DeltaFault {
    pub(super) fn feature(feature: &str) -> Self {
        let warehouse = "read the table through its warehouse by `driver`";
        Self::Feature {
            feature: feature.to_owned(),
            remedy: format!("drop it by ALTER TABLE … DROP FEATURE {feature}, or {warehouse}"),
        }
    }
}

impl From<object_store::Error> for DeltaFault {
    fn from(error: object_store::Error) -> Self {
        Self::Store(Arc::new(StoreCause::new(&error)))
    }
}
