//! What a server offers beyond its graph: answers that carry values, to callers that may see them.
//!
//! The server has no source. Whoever starts it hands it what asks them, in terms of the wire, and
//! values pass through the server on their way to the caller. A server that is handed nothing
//! never holds a value.

use std::collections::BTreeSet;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sameas_api::v1 as wire;
use sameas_store::Snapshot;
use thiserror::Error;

use crate::callers::Callers;

/// An answer that is on its way; dropping it ends what was asked for it.
pub type Answering<T> = Pin<Box<dyn Future<Output = Result<T, ValuesError>> + Send>>;

/// Why values could not be asked for at all; what it says is for the server's log alone.
#[derive(Debug, Error)]
#[error("{reason}")]
pub struct ValuesError {
    /// The reason, which quotes no value.
    pub reason: String,
}

/// What the records of one customer are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileQuestion {
    /// The records: source and key, by source and then key in byte order.
    pub members: Vec<(String, String)>,
    /// The fields, all of them known; nothing else is to be read.
    pub fields: Vec<String>,
    /// Whether values that differ from the one that survives are to be told.
    pub include_alternatives: bool,
    /// The longest a source may take.
    pub time: Duration,
}

/// What the systems said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProfileAnswer {
    /// The fields, by name.
    pub fields: Vec<wire::ProfileField>,
    /// The records, in the order asked.
    pub members: Vec<wire::ProfileMember>,
    /// The sources that did not tell what they have, by name.
    pub gaps: Vec<wire::ProfileGap>,
}

/// Asks the systems for profiles.
pub trait Profiles: Send + Sync {
    /// Returns the fields that some source has.
    fn fields(&self) -> &[String];

    /// Asks the systems, all at once.
    fn profile(&self, question: ProfileQuestion) -> Answering<ProfileAnswer>;
}

/// The record that is looked for. `Debug` prints no value.
#[derive(Clone, PartialEq)]
pub struct FindQuestion {
    /// Fields and values, in the order of the request.
    pub attributes: Vec<(String, String)>,
    /// The source that the record is of.
    pub source: Option<String>,
    /// Its key there.
    pub key: Option<String>,
    /// The fields that the answer may depend on; all if none are named.
    pub visible: Option<BTreeSet<String>>,
    /// The least probability of an entity that is told.
    pub min_probability: f64,
    /// The most entities to tell.
    pub limit: usize,
    /// The longest a source may take.
    pub time: Duration,
}

impl fmt::Debug for FindQuestion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("FindQuestion")
            .field("attribute_count", &self.attributes.len())
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FindAnswer {
    /// The entities, most likely first.
    pub entities: Vec<wire::FoundEntity>,
    /// The sources that were not searched, by name.
    pub gaps: Vec<wire::FindGap>,
    /// The fields of the question with a value that cannot be read, by name.
    pub unreadable_fields: Vec<String>,
    /// What turned weights into decisions.
    pub decision_model: wire::DecisionModel,
}

/// Why a record could not be looked for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FindFailure {
    /// What records are found among is still being read.
    #[error("not ready")]
    NotReady,
    /// A field is not compared.
    #[error("attributes[{position}] is of a field that is not compared")]
    FieldUnknown {
        /// Where it stands in the question.
        position: usize,
    },
    /// A value is too long, or its field has too many.
    #[error("attributes[{position}] is too large")]
    TooLarge {
        /// Where it stands in the question.
        position: usize,
    },
    /// The settings have no such source.
    #[error("the source is not in the settings")]
    SourceUnknown,
    /// What is known does not do.
    #[error("{what}")]
    Insufficient {
        /// What would do, in words for the client.
        what: String,
    },
    /// It failed for a reason of our own.
    #[error(transparent)]
    Failed(#[from] ValuesError),
}

/// An answer of a finder that is on its way.
pub type Finding = Pin<Box<dyn Future<Output = Result<FindAnswer, FindFailure>> + Send>>;

/// Finds records among those of the sources.
pub trait Matches: Send + Sync {
    /// Finds the entities of a snapshot that a record may be of.
    fn find(&self, question: FindQuestion, snapshot: Arc<Snapshot>) -> Finding;
}

/// What is offered to callers; nothing by default.
#[derive(Clone)]
pub struct Values {
    pub(crate) callers: Callers,
    pub(crate) lookup_needs_caller: bool,
    pub(crate) profiles: Option<Arc<dyn Profiles>>,
    pub(crate) matches: Option<Arc<dyn Matches>>,
}

impl Default for Values {
    fn default() -> Self {
        Self::new(Callers::new([0; 32]))
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Values")
            .field("callers", &self.callers)
            .field("lookup_needs_caller", &self.lookup_needs_caller)
            .field("profiles", &self.profiles.is_some())
            .field("matches", &self.matches.is_some())
            .finish()
    }
}

impl Values {
    /// Offers nothing yet to these callers.
    pub fn new(callers: Callers) -> Self {
        Self {
            callers,
            lookup_needs_caller: false,
            profiles: None,
            matches: None,
        }
    }

    /// Lets only callers look ids up.
    #[must_use]
    pub fn with_caller_for_lookups(self) -> Self {
        Self {
            lookup_needs_caller: true,
            ..self
        }
    }

    /// Offers profiles.
    #[must_use]
    pub fn with_profiles(self, profiles: Arc<dyn Profiles>) -> Self {
        Self {
            profiles: Some(profiles),
            ..self
        }
    }

    /// Offers to find records.
    #[must_use]
    pub fn with_matches(self, matches: Arc<dyn Matches>) -> Self {
        Self {
            matches: Some(matches),
            ..self
        }
    }

    /// Returns whether tokens are sent to the server at all.
    pub(crate) fn takes_tokens(&self) -> bool {
        self.lookup_needs_caller || self.profiles.is_some() || self.matches.is_some()
    }
}
