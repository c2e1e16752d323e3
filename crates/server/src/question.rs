//! What clients ask, once it is known to be well formed.

use sameas_graph::{Revision, UnifiedId};

/// A reference as asked for: its source is named, its key is neither empty nor too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted<'r> {
    /// The name of the source.
    pub(crate) source: &'r str,
    /// The key of the record.
    pub(crate) key: &'r str,
}

/// A page of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageQuestion<'r> {
    /// The entity.
    pub(crate) entity: UnifiedId,
    /// The most members on the page.
    pub(crate) count_max: u32,
    /// Where the page starts; empty at the first member.
    pub(crate) cursor: &'r str,
}

/// Whose history is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject<'r> {
    /// What became of an id.
    Entity(UnifiedId),
    /// Where a reference belonged.
    Reference(Wanted<'r>),
}

/// The revision of a membership: the newest, or one that is past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AsOf {
    /// The revision that is served.
    Newest,
    /// This one.
    Revision(Revision),
}
