//! How clusters inherit unified ids from the revision before: the id contract.
//!
//! Cost: one merge of the sorted reference tables, then a few passes over clusters and
//! nodes, each by all threads but one. Nothing is allocated for a node that stays where it is.

mod claim;
mod returned;
#[cfg(test)]
mod tests;

use rayon::prelude::*;
use roaring::RoaringBitmap;

use self::claim::Claims;
use crate::join::ABSENT;
use crate::{
    Entity, Evidence, GraphRevision, Legend, LineageEvent, LineageKind, Namespace, NodeId,
    Partition, PastMembership, ReferenceTable, Revision, UnifiedId, history,
};

/// A rebuild whose clusters have no ids yet.
#[derive(Clone, Debug)]
pub struct NextRevision {
    /// The graph's identity.
    pub namespace: Namespace,
    /// The references, sorted.
    pub references: ReferenceTable,
    /// Which nodes form which cluster.
    pub partition: Partition,
    /// The evidence to keep, sorted by left and then right node.
    pub evidence: Vec<Evidence>,
    /// What the evidence's levels and rules mean.
    pub legend: Legend,
}

/// Gives clusters their unified ids by the id contract and tells what became of the old ones.
///
/// The heir of an entity is the cluster with most of its references, of equals the one with
/// the smallest reference. A cluster takes the id of the oldest entity whose heir it is (by
/// revision of birth, then by id); a cluster that is nobody's heir is founded by its smallest
/// reference. The references of an entity are its members in the previous revision, and those
/// that come back now and left it last, if its id is active or retired. An id that was merged
/// or split away never wakes again.
///
/// The revision is numbered after the previous one.
///
/// # Panics
/// As [`succeed_as`].
pub fn succeed(previous: Option<&GraphRevision>, next: NextRevision) -> GraphRevision {
    let revision = previous.map_or(Revision::FIRST, |previous| previous.revision.next());
    succeed_as(previous, next, revision)
}

/// Does what [`succeed`] does, under a number that the caller knows to be free.
///
/// No id is issued twice as long as no two revisions of one graph bear the same number: who
/// went back to an older revision must pass over the numbers that were published after it.
///
/// # Panics
/// Panics if the namespace is not the previous one, the partition is not of the references or
/// the number is not above the previous one.
pub fn succeed_as(
    previous: Option<&GraphRevision>,
    next: NextRevision,
    revision: Revision,
) -> GraphRevision {
    let nothing = nothing(next.namespace);
    let previous = previous.unwrap_or(&nothing);
    assert!(
        previous.revision < revision,
        "revisions are numbered upwards"
    );
    assert_eq!(
        previous.namespace, next.namespace,
        "a graph keeps its namespace for ever"
    );
    assert_eq!(
        next.partition.node_count(),
        next.references.len(),
        "every reference has a cluster"
    );
    let claims = Claims::new(previous, &next.references, &next.partition);
    let succession = Succession {
        entities: entities(&claims, &next, revision),
        revision,
        claims,
    };
    let since = succession.since(&next.partition);
    let changed = succession.changed(&next.partition);
    let lineage = merged(&previous.lineage, succession.events());
    let past = merged(&previous.past, succession.ended(&next.partition));
    GraphRevision {
        revision: succession.revision,
        namespace: next.namespace,
        entities: succession.entities,
        references: next.references,
        partition: next.partition,
        since,
        evidence: next.evidence,
        legend: next.legend,
        lineage,
        past,
        changed,
    }
}

/// Returns what comes before the first revision.
fn nothing(namespace: Namespace) -> GraphRevision {
    GraphRevision {
        revision: Revision::new(Revision::FIRST.get() - 1),
        namespace,
        references: crate::ReferenceTableBuilder::new(Vec::new()).finish(),
        partition: Partition::from_labels(&[]),
        entities: Vec::new(),
        since: Vec::new(),
        evidence: Vec::new(),
        legend: Legend::default(),
        lineage: Vec::new(),
        past: Vec::new(),
        changed: RoaringBitmap::new(),
    }
}

/// Returns the entity of each cluster: the one that claims it, else a new one.
fn entities(claims: &Claims<'_>, next: &NextRevision, born: Revision) -> Vec<Entity> {
    claims
        .carried
        .par_iter()
        .enumerate()
        .map(|(cluster, &claimant)| {
            if claimant != ABSENT {
                return claims.entity(claimant);
            }
            let founder = next
                .partition
                .members(crate::ClusterId::new(cluster as u32))[0];
            let founder = NodeId::new(founder);
            let source = &next.references.sources()[next.references.source_of(founder).index()];
            let key = next.references.key(founder);
            Entity {
                id: UnifiedId::issue(next.namespace, source, key, born),
                born,
            }
        })
        .collect()
}

/// The claims settled: which entity every cluster has in the new revision.
struct Succession<'a> {
    claims: Claims<'a>,
    entities: Vec<Entity>,
    revision: Revision,
}

impl Succession<'_> {
    /// Returns the old node of a new node that still belongs to the same entity.
    fn stayed(&self, partition: &Partition, node: u32) -> Option<NodeId> {
        let old = self.claims.join.old_of[node as usize];
        if old == ABSENT {
            return None;
        }
        let claimant = self.claims.carried[partition.cluster_of(NodeId::new(node)).index()];
        let old = NodeId::new(old);
        (claimant == self.claims.previous.partition.cluster_of(old).get()).then_some(old)
    }

    fn since(&self, partition: &Partition) -> Vec<Revision> {
        let began = |node| match self.stayed(partition, node) {
            Some(old) => self.claims.previous.since[old.index()],
            None => self.revision,
        };
        (0..partition.node_count() as u32)
            .into_par_iter()
            .map(began)
            .collect()
    }

    fn changed(&self, partition: &Partition) -> RoaringBitmap {
        let nodes = 0..partition.node_count() as u32;
        let changed: Vec<u32> = nodes
            .into_par_iter()
            .filter(|&node| self.stayed(partition, node).is_none())
            .collect();
        RoaringBitmap::from_sorted_iter(changed).expect("nodes ascend")
    }

    /// Returns the memberships that end with this revision, sorted.
    fn ended(&self, partition: &Partition) -> Vec<PastMembership> {
        let previous = self.claims.previous;
        let ends =
            |&(_, &new): &(usize, &u32)| new == ABSENT || self.stayed(partition, new).is_none();
        let end = |(old, _): (usize, &u32)| {
            let node = NodeId::new(old as u32);
            let source = previous.references.source_of(node);
            PastMembership {
                source: previous.references.sources()[source.index()].clone(),
                key: previous.references.key(node).to_owned(),
                ended: self.revision,
                began: previous.since[old],
                entity: previous.entities[previous.partition.cluster_of(node).index()].id,
            }
        };
        self.claims
            .join
            .new_of
            .par_iter()
            .enumerate()
            .filter(ends)
            .map(end)
            .collect()
    }

    /// Returns what happens to old entities, sorted.
    fn events(&self) -> Vec<LineageEvent> {
        let claimants = 0..self.claims.claimant_count();
        let mut events: Vec<LineageEvent> = claimants
            .into_par_iter()
            .filter(|&claimant| !self.is_uneventful(claimant))
            .flat_map_iter(|claimant| self.events_of(claimant))
            .collect();
        events.par_sort_unstable();
        events
    }

    /// Returns whether an entity was active and still has all its references that are left.
    fn is_uneventful(&self, claimant: u32) -> bool {
        let heir = self.claims.heirs[claimant as usize];
        heir.cluster != ABSENT
            && !heir.spread
            && self.claims.carried[heir.cluster as usize] == claimant
            && !self.claims.is_dormant(claimant)
    }

    fn events_of(&self, claimant: u32) -> Vec<LineageEvent> {
        let Entity { id, born } = self.claims.entity(claimant);
        let event = |revision, kind| LineageEvent {
            entity: id,
            revision,
            kind,
        };
        let mut events = Vec::new();
        if history(&self.claims.previous.lineage, id).is_empty() {
            events.push(event(born, LineageKind::Born));
        }
        let heir = self.claims.heirs[claimant as usize];
        if heir.cluster == ABSENT {
            events.push(event(self.revision, LineageKind::Retired));
            return events;
        }
        let carried = self.claims.carried[heir.cluster as usize] == claimant;
        if heir.spread {
            let into = self.spread(claimant);
            events.push(event(self.revision, LineageKind::Split { into }));
        } else if !carried {
            let into = self.entities[heir.cluster as usize].id;
            events.push(event(self.revision, LineageKind::Merged { into }));
        }
        if carried && self.claims.is_dormant(claimant) {
            events.push(event(self.revision, LineageKind::Revived));
        }
        events
    }

    /// Returns the entities that an entity's references belong to now, ascending.
    fn spread(&self, claimant: u32) -> Vec<UnifiedId> {
        let mut clusters = Vec::new();
        self.claims.clusters_of(claimant, &mut clusters);
        clusters.dedup();
        let mut into: Vec<UnifiedId> = clusters
            .iter()
            .map(|&cluster| self.entities[cluster as usize].id)
            .collect();
        into.sort_unstable();
        into
    }
}

/// Merges two sorted lists; the sort finds the two runs and merges them in one pass.
fn merged<T: Ord + Clone>(old: &[T], new: Vec<T>) -> Vec<T> {
    let mut all = Vec::with_capacity(old.len() + new.len());
    all.extend_from_slice(old);
    all.extend(new);
    all.sort();
    all
}
