//! Names that outlive a revision: graph namespaces, revision numbers and unified ids.

use std::fmt;

use uuid::Uuid;

/// The random identity of one graph, from which its unified ids are derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(Uuid);

impl Namespace {
    /// Wraps an existing random UUID.
    pub const fn new(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// Returns the UUID.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

/// The number of one published rebuild; the first is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(u64);

impl Revision {
    /// The first revision of a graph.
    pub const FIRST: Self = Self(1);

    /// Wraps a revision number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Returns the revision that follows.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The customer that a cluster stands for, across revisions.
///
/// A unified id is opaque and never reused. It is derived (UUID version 5, RFC 9562
/// section 5.5) from the graph's namespace, the founding reference and the revision
/// of birth, so the same history always issues the same ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnifiedId(Uuid);

impl UnifiedId {
    /// Wraps an id that was issued before.
    pub const fn new(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// Issues the id of an entity founded by this reference in this revision.
    pub fn issue(namespace: Namespace, source: &str, key: &str, born: Revision) -> Self {
        let mut name = Vec::with_capacity(source.len() + key.len() + 24);
        for part in [source.as_bytes(), key.as_bytes()] {
            name.extend_from_slice(&(part.len() as u64).to_be_bytes());
            name.extend_from_slice(part);
        }
        name.extend_from_slice(&born.get().to_be_bytes());
        Self(Uuid::new_v5(&namespace.uuid(), &name))
    }

    /// Returns the UUID.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for UnifiedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
