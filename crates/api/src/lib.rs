//! The wire types of sameas and the stubs of its services, for clients and the server.
//!
//! Everything below [`v1`] is generated from `proto/` by `cargo xtask codegen` and
//! committed, so that building needs no protoc. Nothing here is edited by hand and
//! nothing here knows the graph: `sameas-server` translates.
//!
//! ```
//! use sameas_api::v1::{LookupRequest, Reference};
//!
//! let reference = Reference { source: "crm".into(), key: "4711".into() };
//! let request = LookupRequest { reference: Some(reference), ..LookupRequest::default() };
//! assert_eq!(request.min_revision, 0, "any revision will do");
//! ```

use std::fmt;

/// Messages and services of the package `sameas.v1`.
#[allow(
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    clippy::excessive_nesting,
    missing_docs,
    reason = "generated code follows its generator, not this repository"
)]
pub mod v1 {
    include!("generated/sameas.v1.rs");
}

/// Prints how long the value is: what is printed may end in a log.
impl fmt::Debug for v1::ProfileValue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ProfileValue")
            .field("value_len", &self.value.len())
            .field("reference_count", &self.reference_count)
            .finish_non_exhaustive()
    }
}

/// Prints the field and how long the value is.
impl fmt::Debug for v1::Attribute {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Attribute")
            .field("field", &self.field)
            .field("value_len", &self.value.len())
            .finish()
    }
}

/// The descriptors of all messages and services, as reflection serves them.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/sameas.v1.bin");

/// The `domain` of every `google.rpc.ErrorInfo` that this service sends.
pub const ERROR_DOMAIN: &str = "sameas.v1";

#[cfg(test)]
mod tests {
    use super::v1::{GetProfileResponse, ProfileField, ProfileValue};

    #[test]
    fn an_answer_with_values_prints_none() {
        let value = ProfileValue {
            value: "Canarysurname".into(),
            ..ProfileValue::default()
        };
        let field = ProfileField {
            value: Some(value.clone()),
            alternatives: vec![value],
            ..ProfileField::default()
        };
        let answer = GetProfileResponse {
            fields: vec![field],
            ..GetProfileResponse::default()
        };
        let printed = format!("{answer:?}");
        assert!(printed.contains("value_len: 13"), "{printed}");
        assert!(!printed.contains("Canary"), "{printed}");
    }
}
