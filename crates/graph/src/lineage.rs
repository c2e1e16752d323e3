//! What became of unified ids, and where references were before.

use crate::{Revision, UnifiedId};

/// What happened to an entity in one revision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LineageKind {
    /// The id was issued.
    Born,
    /// All its references went to the entity that took it over; the id is no longer active.
    Merged {
        /// The entity that took it over.
        into: UnifiedId,
    },
    /// Its references went to several entities; if `into` holds the id itself it stays active.
    Split {
        /// The entities its references went to, ascending.
        into: Vec<UnifiedId>,
    },
    /// No reference of it is left in any source; it wakes again when one returns.
    Retired,
    /// A retired entity whose references returned.
    Revived,
}

/// One line of an entity's history.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineageEvent {
    /// Whose history.
    pub entity: UnifiedId,
    /// When.
    pub revision: Revision,
    /// What.
    pub kind: LineageKind,
}

/// A membership that has ended: which entity a reference belonged to, and until when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PastMembership {
    /// The name of the source (it may be gone from the settings by now).
    pub source: String,
    /// The record's key.
    pub key: String,
    /// The first revision in which the membership no longer held.
    pub ended: Revision,
    /// The revision in which it began.
    pub began: Revision,
    /// The entity the reference belonged to.
    pub entity: UnifiedId,
}
