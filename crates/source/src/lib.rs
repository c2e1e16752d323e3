//! Connectors: sources are scanned, never written.
//!
//! A [`Source`] is opened from its [`SourceSettings`], tells its columns and row count, checks a
//! [`ScanRequest`] before anything is read, and hands out streams of Arrow batches with only the
//! columns asked for. Values pass through memory: nothing here writes them to a disk, and no error
//! of this crate quotes one.
//!
//! ```no_run
//! use futures::TryStreamExt;
//! use sameas_source::{ScanRequest, Source, SourceSettings};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let settings: SourceSettings = serde_json::from_str(
//!     r#"{"name": "crm", "uri": "crm.csv", "key": "id", "fields": {"surname": "last_name"}}"#,
//! )?;
//! let source = Source::open(&settings, "data".as_ref()).await?;
//! let (request, _) = ScanRequest::for_settings(&settings);
//! source.check(&request)?;
//! for mut batches in source.scan(&request, 2).await? {
//!     while let Some(batch) = batches.try_next().await? {
//!         assert_eq!(batch.num_columns(), 2);
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod connector;
mod count;
mod database;
mod descriptor;
mod error;
mod expression;
mod fetch;
mod files;
mod finding;
mod flaw;
mod hint;
mod keys;
mod kind;
mod request;
mod scan;
mod secret;
mod skipped;
mod task;

pub use count::RowCount;
pub use database::{DatabaseFault, SqlState, is_mysql, is_postgres};
pub use descriptor::{
    Candidates, Encoding, FieldMapping, FileFormat, OneOrMany, OptionSetting, SourceSettings,
};
pub use error::{OpenError, ScanError, StoreCause};
pub use expression::UpdatedKind;
pub use fetch::FETCH_KEYS_MAX;
pub use files::DeltaFault;
pub use finding::{Finding, Standing, Topic};
pub use flaw::{Flaw, Problem};
pub use hint::NameHint;
pub use request::ScanRequest;
pub use sameas_record::DuplicateKeys;
pub use scan::{ColumnInfo, Source};
pub use secret::{Secret, SecretError, SecretPlace};
pub use skipped::SkippedFiles;
pub use task::to_the_end;
