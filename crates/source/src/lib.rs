//! Connectors: sources are scanned, never written.

mod descriptor;

pub use descriptor::{DuplicateKeys, FieldMapping, FileFormat, OneOrMany, SourceSettings};
