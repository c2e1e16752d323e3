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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const fn id(number: u128) -> UnifiedId {
        UnifiedId::new(Uuid::from_u128(number))
    }

    fn merged(into: u128) -> EntityState {
        EntityState::Merged {
            into: id(into),
            revision: Revision::FIRST,
        }
    }

    fn split(into: &[u128]) -> EntityState {
        let into = into.iter().map(|&number| id(number)).collect();
        EntityState::Split {
            into,
            revision: Revision::FIRST,
        }
    }

    #[test]
    fn ids_lead_through_merges_and_splits_to_active_entities() {
        let state_of = |entity| match entity {
            entity if entity == id(1) => merged(2),
            entity if entity == id(2) => split(&[3, 4, 5]),
            entity if entity == id(3) => merged(6),
            entity if entity == id(5) => EntityState::Retired {
                revision: Revision::FIRST,
            },
            entity if entity == id(9) => EntityState::Unknown,
            _ => EntityState::Active,
        };
        assert_eq!(current_ids(id(1), state_of), [id(4), id(6)]);
        assert_eq!(current_ids(id(6), state_of), [id(6)]);
        assert!(current_ids(id(5), state_of).is_empty() && current_ids(id(9), state_of).is_empty());
    }

    #[test]
    fn a_lineage_that_runs_in_a_circle_leads_nowhere() {
        let state_of = |entity| {
            if entity == id(1) {
                merged(2)
            } else {
                merged(1)
            }
        };
        assert!(current_ids(id(1), state_of).is_empty());
    }

    #[test]
    fn an_entity_that_split_is_active_while_it_is_one_of_the_parts() {
        let event = |into: &[u128]| LineageEvent {
            entity: id(1),
            revision: Revision::FIRST,
            kind: LineageKind::Split {
                into: into.iter().map(|&number| id(number)).collect(),
            },
        };
        assert_eq!(
            EntityState::after(&[event(&[1, 2])]),
            Some(EntityState::Active)
        );
        assert_eq!(EntityState::after(&[event(&[2, 3])]), Some(split(&[2, 3])));
        assert_eq!(EntityState::after(&[]), None);
    }
}
