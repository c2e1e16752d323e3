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

/// Returns the events of one entity, oldest first, from a lineage sorted by entity.
pub fn history(lineage: &[LineageEvent], entity: UnifiedId) -> &[LineageEvent] {
    let from = lineage.partition_point(|event| event.entity < entity);
    let len = lineage[from..].partition_point(|event| event.entity == entity);
    &lineage[from..from + len]
}

/// Returns the ended memberships of one reference, oldest first, from a sorted list.
pub fn past_of<'a>(past: &'a [PastMembership], source: &str, key: &str) -> &'a [PastMembership] {
    let order = |m: &PastMembership| (m.source.as_str(), m.key.as_str()).cmp(&(source, key));
    let from = past.partition_point(|membership| order(membership).is_lt());
    let len = past[from..].partition_point(|membership| order(membership).is_eq());
    &past[from..from + len]
}

/// Returns the entity that a reference belonged to in a revision.
///
/// `past` are the ended memberships of that reference; `current` is its entity and since when.
pub fn entity_as_of(
    past: &[PastMembership],
    current: Option<(UnifiedId, Revision)>,
    revision: Revision,
) -> Option<UnifiedId> {
    if let Some((entity, since)) = current
        && since <= revision
    {
        return Some(entity);
    }
    let held = past
        .iter()
        .find(|past| past.began <= revision && revision < past.ended)?;
    Some(held.entity)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const fn id(number: u128) -> UnifiedId {
        UnifiedId::new(Uuid::from_u128(number))
    }

    fn past(key: &str, began: u64, ended: u64, entity: u128) -> PastMembership {
        PastMembership {
            source: "crm".to_owned(),
            key: key.to_owned(),
            ended: Revision::new(ended),
            began: Revision::new(began),
            entity: id(entity),
        }
    }

    #[test]
    fn a_history_holds_the_events_of_one_entity() {
        let event = |entity, revision, kind| LineageEvent {
            entity: id(entity),
            revision: Revision::new(revision),
            kind,
        };
        let lineage = [
            event(1, 1, LineageKind::Born),
            event(1, 4, LineageKind::Retired),
            event(3, 2, LineageKind::Born),
        ];
        assert_eq!(history(&lineage, id(1)), &lineage[..2]);
        assert_eq!(history(&lineage, id(3)), &lineage[2..]);
        assert!(
            [0, 2, 4]
                .iter()
                .all(|&number| history(&lineage, id(number)).is_empty())
        );
    }

    #[test]
    fn memberships_end_before_the_revision_that_ends_them() {
        let all = [
            past("a", 9, 9, 9),
            past("b", 2, 4, 1),
            past("b", 4, 6, 2),
            past("c", 1, 9, 3),
        ];
        let of_b = past_of(&all, "crm", "b");
        assert_eq!(of_b, &all[1..3]);
        assert!(past_of(&all, "crm", "bb").is_empty() && past_of(&all, "shop", "b").is_empty());
        let current = Some((id(7), Revision::new(8)));
        let as_of: Vec<_> = (1..=9)
            .map(|revision| entity_as_of(of_b, current, Revision::new(revision)))
            .collect();
        let expected = [0, 1, 1, 2, 2, 0, 0, 7, 7];
        assert_eq!(
            as_of,
            expected.map(|entity| (entity != 0).then_some(id(entity)))
        );
    }
}
