//! Records in flight: Arrow batches in, normalised and dictionary-coded columns out.
//!
//! A value lives here only while a job runs, in memory; nothing in this crate writes
//! a file, and nothing that holds a value prints it.

mod assemble;
mod column;
mod derive;
mod derived;
mod dictionary;
mod excerpt;
mod ingest;
mod normalize;
mod records;
mod region;
mod schema;

pub use assemble::{KeyedSource, SourceParts, assemble};
pub use column::Column;
pub use derive::{Form, derive, derive_first, is_known_given_name, words};
pub use derived::Derived;
pub use dictionary::{Dictionary, ValueId};
pub use ingest::{CELL_LEN_MAX, FieldPlan, IngestError, PartitionIngest, RawPart, SourcePlan};
pub use normalize::{Normalizer, VALUE_LEN_MAX};
pub use records::Records;
pub use region::{is_region, region_meant};
pub use schema::{DateOrder, DuplicateKeys, Field, FieldId, FieldKind, Locale, Part, Schema};
