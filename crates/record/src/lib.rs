//! Records in flight: Arrow batches in, normalised and dictionary-coded columns out.
//!
//! A value lives here only while a job runs, in memory; nothing in this crate writes
//! a file, and nothing that holds a value prints it.

mod schema;

pub use schema::{DateOrder, Field, FieldId, FieldKind, Locale, Part, Schema};
