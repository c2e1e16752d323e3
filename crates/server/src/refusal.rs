//! Why a request, or one reference of it, has no answer.

use sameas_api::v1::ErrorReason;
use sameas_graph::{KEY_LEN_MAX, Revision};
use sameas_store::CorruptError;
use thiserror::Error;

use crate::callers::Right;

/// Why there is no answer, in words that are safe to send to any client.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum Refusal {
    #[error("{field} is not set")]
    FieldMissing { field: &'static str },
    #[error("a key is empty")]
    KeyEmpty,
    #[error("a key is longer than {KEY_LEN_MAX} bytes")]
    KeyTooLong,
    #[error("unified_id is not a UUID in lower case with hyphens")]
    UnifiedIdMalformed,
    #[error("the batch has {count} references, at most {max} are accepted; send several batches")]
    BatchTooLarge { count: usize, max: usize },
    #[error("page_size is {count}, at most {max} is accepted; follow next_cursor")]
    PageTooLarge { count: u32, max: u32 },
    #[error("the cursor was not issued for this request")]
    CursorMalformed,
    #[error("the cursor is of revision {revision}, which is no longer served; begin again")]
    CursorExpired { revision: Revision },
    #[error("the graph has no source of this name")]
    SourceUnknown,
    #[error("the graph has no such reference")]
    ReferenceUnknown,
    #[error("the graph never issued this unified id")]
    UnifiedIdUnknown,
    #[error("revision {wanted} is not served yet; try again later")]
    RevisionNotReached { wanted: Revision },
    #[error("revision {wanted} is not published yet")]
    RevisionInFuture { wanted: Revision },
    #[error("the server has as much work as it accepts; try again after a pause")]
    Overloaded,
    #[error("the server is going away; try again on another connection")]
    ShuttingDown,
    #[error("the request did not arrive in time")]
    DeadlineExceeded,
    #[error("the request is not the message of its method")]
    MessageMalformed,
    #[error("the request has more than {max} bytes")]
    MessageTooLarge { max: usize },
    #[error("no token of a known caller is shown; send `authorization: Bearer TOKEN`")]
    CallerUnknown,
    #[error(
        "the caller {caller} may not ask for this; its `may` in the settings lacks {:?}",
        .right.word()
    )]
    RightMissing { caller: String, right: Right },
    #[error(
        "the caller {caller} may not see fields[{position}]; its `fields` in the settings lacks it"
    )]
    FieldHidden { caller: String, position: usize },
    #[error(
        "the caller {caller} may not see all fields, and an explanation tells of all that were compared"
    )]
    ExplanationHidden { caller: String },
    #[error("fields[{position}] is a field that no source has")]
    FieldUnknown { position: usize },
    #[error("{count} fields are asked for, at most {max} are accepted")]
    TooManyFields { count: usize, max: usize },
    #[error("the entity has {count} references, values are read of at most {max}")]
    EntityTooLarge { count: u32, max: u32 },
    #[error("the answer has more than {max} bytes; ask for less")]
    AnswerTooLarge { max: usize },
    #[error("{what}")]
    AttributesInsufficient { what: String },
    #[error(
        "the caller {caller} may not ask by attributes[{position}]; its `fields` in the settings lacks that"
    )]
    AttributeHidden { caller: String, position: usize },
    #[error("attributes[{position}] is of a field that is not compared")]
    AttributeUnknown { position: usize },
    #[error(
        "attributes[{position}] or its field has too many values, or all together are too long"
    )]
    AttributeTooLarge { position: usize },
    #[error("{count} attributes are given, at most {max} are accepted")]
    TooManyAttributes { count: usize, max: usize },
    #[error("the settings of the server have no source of this name")]
    SourceNotInSettings,
    #[error("the server is still reading what it finds records among; try again later")]
    NotReady,
    #[error("{field} is not from 0 to {max}")]
    OutOfBounds { field: &'static str, max: u32 },
    #[error("the systems could not be asked; the server's log says more")]
    ValuesUnreadable { reason: String },
    #[error("the snapshot could not be read; the server's log says more")]
    SnapshotUnreadable(#[source] CorruptError),
}

impl Refusal {
    /// Returns the reason as clients know it.
    pub(crate) fn reason(&self) -> ErrorReason {
        match self {
            Self::FieldMissing { .. } => ErrorReason::FieldMissing,
            Self::KeyEmpty => ErrorReason::KeyEmpty,
            Self::KeyTooLong => ErrorReason::KeyTooLong,
            Self::UnifiedIdMalformed => ErrorReason::UnifiedIdMalformed,
            Self::BatchTooLarge { .. } => ErrorReason::BatchTooLarge,
            Self::PageTooLarge { .. } => ErrorReason::PageTooLarge,
            Self::CursorMalformed => ErrorReason::CursorMalformed,
            Self::CursorExpired { .. } => ErrorReason::CursorExpired,
            Self::SourceUnknown | Self::SourceNotInSettings => ErrorReason::SourceUnknown,
            Self::ReferenceUnknown => ErrorReason::ReferenceUnknown,
            Self::UnifiedIdUnknown => ErrorReason::UnifiedIdUnknown,
            Self::RevisionNotReached { .. } => ErrorReason::RevisionNotReached,
            Self::RevisionInFuture { .. } => ErrorReason::RevisionInFuture,
            Self::Overloaded => ErrorReason::Overloaded,
            Self::ShuttingDown => ErrorReason::ShuttingDown,
            Self::DeadlineExceeded => ErrorReason::DeadlineExceeded,
            Self::MessageMalformed => ErrorReason::MessageMalformed,
            Self::MessageTooLarge { .. } => ErrorReason::MessageTooLarge,
            Self::CallerUnknown => ErrorReason::CallerUnknown,
            Self::RightMissing { .. }
            | Self::FieldHidden { .. }
            | Self::ExplanationHidden { .. }
            | Self::AttributeHidden { .. } => ErrorReason::CallerNotAllowed,
            Self::FieldUnknown { .. } | Self::AttributeUnknown { .. } => ErrorReason::FieldUnknown,
            Self::TooManyFields { .. } | Self::TooManyAttributes { .. } => {
                ErrorReason::TooManyFields
            }
            Self::AttributesInsufficient { .. } => ErrorReason::AttributesInsufficient,
            Self::AttributeTooLarge { .. } => ErrorReason::AttributeTooLarge,
            Self::NotReady => ErrorReason::NotReady,
            Self::OutOfBounds { .. } => ErrorReason::NumberOutOfBounds,
            Self::EntityTooLarge { .. } => ErrorReason::EntityTooLarge,
            Self::AnswerTooLarge { .. } => ErrorReason::AnswerTooLarge,
            Self::ValuesUnreadable { .. } => ErrorReason::ValuesUnreadable,
            Self::SnapshotUnreadable(_) => ErrorReason::SnapshotUnreadable,
        }
    }
}

impl From<CorruptError> for Refusal {
    fn from(error: CorruptError) -> Self {
        Self::SnapshotUnreadable(error)
    }
}
