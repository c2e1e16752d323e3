//! Connectors: sources are scanned, never written.

mod descriptor;

pub use descriptor::{FieldMapping, FileFormat, OneOrMany, SourceSettings};
pub use sameas_record::DuplicateKeys;
