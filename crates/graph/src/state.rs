//! What has become of a unified id.

use std::collections::BTreeSet;

use crate::{GraphRevision, LineageEvent, LineageKind, Revision, UnifiedId, history};

/// What has become of a unified id by some revision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityState {
    /// It stands for a cluster.
    Active,
    /// All its references went to another entity.
    Merged {
        /// The entity that took it over, itself perhaps merged since.
        into: UnifiedId,
        /// When.
        revision: Revision,
    },
    /// Its references went to several other entities.
    Split {
        /// The entities its references went to, ascending.
        into: Vec<UnifiedId>,
        /// When.
        revision: Revision,
    },
    /// No reference of it is left; it wakes when one returns.
    Retired {
        /// When its last reference went.
        revision: Revision,
    },
    /// The graph never issued it.
    Unknown,
}

impl EntityState {
    /// Returns the state that an entity's [`history`] ends in, or nothing if it has none.
    ///
    /// An entity without a history is active or was never issued.
    pub fn after(events: &[LineageEvent]) -> Option<Self> {
        let LineageEvent {
            entity,
            revision,
            kind,
        } = events.last()?;
        let revision = *revision;
        Some(match kind {
            LineageKind::Born | LineageKind::Revived => Self::Active,
            LineageKind::Merged { into } => Self::Merged {
                into: *into,
                revision,
            },
            LineageKind::Split { into } if into.contains(entity) => Self::Active,
            LineageKind::Split { into } => Self::Split {
                into: into.clone(),
                revision,
            },
            LineageKind::Retired => Self::Retired { revision },
        })
    }
}

/// Returns the active entities that an id leads to, ascending.
///
/// An active id leads to itself, a merged or split one to wherever its references went, a
/// retired or unknown one nowhere. `state_of` tells the state of an id.
pub fn current_ids(
    entity: UnifiedId,
    mut state_of: impl FnMut(UnifiedId) -> EntityState,
) -> Vec<UnifiedId> {
    let mut current = BTreeSet::new();
    // Ids that were visited are not visited again, so that even a corrupt lineage ends the walk.
    let mut visited = BTreeSet::from([entity]);
    let mut open = vec![entity];
    while let Some(id) = open.pop() {
        let next = match state_of(id) {
            EntityState::Active => {
                current.insert(id);
                continue;
            }
            EntityState::Merged { into, .. } => vec![into],
            EntityState::Split { into, .. } => into,
            EntityState::Retired { .. } | EntityState::Unknown => continue,
        };
        open.extend(next.into_iter().filter(|&id| visited.insert(id)));
    }
    current.into_iter().collect()
}

impl GraphRevision {
    /// Returns what has become of an id; an id without events costs a scan of all entities.
    pub fn state_of(&self, entity: UnifiedId) -> EntityState {
        if let Some(state) = EntityState::after(history(&self.lineage, entity)) {
            return state;
        }
        let is_active = self.entities.iter().any(|active| active.id == entity);
        if is_active {
            EntityState::Active
        } else {
            EntityState::Unknown
        }
    }

    /// Returns the active entities that an id leads to, ascending.
    pub fn current_ids(&self, entity: UnifiedId) -> Vec<UnifiedId> {
        current_ids(entity, |id| self.state_of(id))
    }
}
