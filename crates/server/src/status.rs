//! The one place where a refusal becomes a gRPC status.

use sameas_api::ERROR_DOMAIN;
use sameas_graph::Revision;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::config::REQUEST_LEN_MAX;
use crate::refusal::Refusal;

/// How the names of reasons begin in `proto/`; an `ErrorInfo` leaves it out.
const REASON_PREFIX: &str = "ERROR_REASON_";

#[expect(
    clippy::disallowed_types,
    reason = "tonic-types asks for it; at most two entries, whose order says nothing"
)]
type Metadata = std::collections::HashMap<String, String>;

/// Returns the status of a refusal, and the revision that refused if one was asked.
pub(crate) fn of(refusal: &Refusal, revision: Option<Revision>) -> Status {
    if let Refusal::SnapshotUnreadable(cause) = refusal {
        tracing::error!(%cause, "the served snapshot could not be read");
    }
    if let Refusal::ValuesUnreadable { reason } = refusal {
        tracing::error!(reason, "the systems could not be asked");
    }
    let name = refusal.reason().as_str_name();
    let reason = name.strip_prefix(REASON_PREFIX).unwrap_or(name);
    let facts = fact(refusal)
        .into_iter()
        .chain(revision.map(|revision| ("revision", revision.to_string())))
        .map(|(name, value)| (name.to_owned(), value));
    let mut details = ErrorDetails::new();
    details.set_error_info(reason, ERROR_DOMAIN, facts.collect::<Metadata>());
    Status::with_error_details(code(refusal), refusal.to_string(), details)
}

/// Gives a reason to what tonic refused before a handler saw it.
///
/// Handlers give a reason to all that they refuse. Without one, `INTERNAL` stands for bytes
/// that are no message and `OUT_OF_RANGE` for too many of them; the text of neither is sent,
/// because it is not ours.
pub(crate) fn explained(status: Status) -> Status {
    match status.code() {
        _ if !status.details().is_empty() => status,
        Code::Internal => of(&Refusal::MessageMalformed, None),
        Code::OutOfRange => of(
            &Refusal::MessageTooLarge {
                max: REQUEST_LEN_MAX,
            },
            None,
        ),
        _ => status,
    }
}

fn code(refusal: &Refusal) -> Code {
    match refusal {
        Refusal::FieldMissing { .. }
        | Refusal::KeyEmpty
        | Refusal::KeyTooLong
        | Refusal::UnifiedIdMalformed
        | Refusal::BatchTooLarge { .. }
        | Refusal::PageTooLarge { .. }
        | Refusal::CursorMalformed
        | Refusal::MessageMalformed
        | Refusal::MessageTooLarge { .. }
        | Refusal::FieldUnknown { .. }
        | Refusal::TooManyFields { .. }
        | Refusal::AttributesInsufficient { .. }
        | Refusal::AttributeUnknown { .. }
        | Refusal::AttributeTooLarge { .. }
        | Refusal::TooManyAttributes { .. }
        | Refusal::OutOfBounds { .. } => Code::InvalidArgument,
        Refusal::SourceUnknown
        | Refusal::SourceNotInSettings
        | Refusal::ReferenceUnknown
        | Refusal::UnifiedIdUnknown => Code::NotFound,
        Refusal::CursorExpired { .. } => Code::Aborted,
        Refusal::RevisionInFuture { .. } => Code::OutOfRange,
        Refusal::RevisionNotReached { .. } | Refusal::ShuttingDown | Refusal::NotReady => {
            Code::Unavailable
        }
        Refusal::Overloaded => Code::ResourceExhausted,
        Refusal::DeadlineExceeded => Code::DeadlineExceeded,
        Refusal::CallerUnknown => Code::Unauthenticated,
        Refusal::RightMissing { .. }
        | Refusal::FieldHidden { .. }
        | Refusal::ExplanationHidden { .. }
        | Refusal::AttributeHidden { .. } => Code::PermissionDenied,
        Refusal::EntityTooLarge { .. } | Refusal::AnswerTooLarge { .. } => Code::FailedPrecondition,
        Refusal::ValuesUnreadable { .. } | Refusal::SnapshotUnreadable(_) => Code::Internal,
    }
}

/// What a client's program may want to know beside the reason.
fn fact(refusal: &Refusal) -> Option<(&'static str, String)> {
    match refusal {
        Refusal::FieldMissing { field } | Refusal::OutOfBounds { field, .. } => {
            Some(("field", (*field).to_owned()))
        }
        Refusal::FieldUnknown { position } => Some(("field", format!("fields[{position}]"))),
        Refusal::AttributeUnknown { position } | Refusal::AttributeTooLarge { position } => {
            Some(("field", format!("attributes[{position}]")))
        }
        Refusal::RightMissing { .. } => Some(("setting", "may".to_owned())),
        Refusal::FieldHidden { .. }
        | Refusal::ExplanationHidden { .. }
        | Refusal::AttributeHidden { .. } => Some(("setting", "fields".to_owned())),
        Refusal::BatchTooLarge { max, .. }
        | Refusal::MessageTooLarge { max }
        | Refusal::TooManyFields { max, .. }
        | Refusal::TooManyAttributes { max, .. }
        | Refusal::AnswerTooLarge { max } => Some(("max", max.to_string())),
        Refusal::PageTooLarge { max, .. } | Refusal::EntityTooLarge { max, .. } => {
            Some(("max", max.to_string()))
        }
        _ => None,
    }
}
