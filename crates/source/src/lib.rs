//! Connectors: sources are scanned, never written.
//!
//! A [`Source`] is opened from its [`SourceSettings`], tells its columns and row count, checks a
//! [`ScanRequest`] before anything is read, and hands out streams of Arrow batches with only the
//! columns asked for. Values pass through memory: nothing here writes them to a disk, and no error
//! of this crate quotes one.

mod count;
mod descriptor;
mod error;
mod expression;
mod files;
mod flaw;
mod request;
mod scan;

pub use count::RowCount;
pub use descriptor::{FieldMapping, FileFormat, OneOrMany, SourceSettings};
pub use error::{OpenError, ScanError, StoreCause};
pub use flaw::{Flaw, Problem};
pub use request::ScanRequest;
pub use sameas_record::DuplicateKeys;
pub use scan::{ColumnInfo, Source};
