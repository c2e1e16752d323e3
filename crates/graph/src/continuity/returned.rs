//! References that come back, and the entities they left.

use rayon::prelude::*;

use crate::join::{ABSENT, Join};
use crate::{
    Entity, EntityState, GraphRevision, LineageKind, NodeId, PastMembership, ReferenceTable,
    UnifiedId, history,
};

/// The references that come back to an entity that is active or retired.
pub(super) struct Returned {
    /// The retired entities, ascending; they are the claimants after the active ones.
    pub(super) dormant: Vec<Entity>,
    /// Claimant and new node, ascending.
    nodes: Vec<(u32, u32)>,
}

impl Returned {
    /// Returns the nodes that come back to a claimant.
    pub(super) fn nodes_of(&self, claimant: u32) -> impl Iterator<Item = u32> {
        let from = self.nodes.partition_point(|node| node.0 < claimant);
        let of_claimant = self.nodes[from..]
            .iter()
            .take_while(move |node| node.0 == claimant);
        of_claimant.map(|node| node.1)
    }
}

/// Finds the references that were not in the previous revision but in one before it.
pub(super) fn returned(
    previous: &GraphRevision,
    references: &ReferenceTable,
    join: &Join,
) -> Returned {
    let comers = comers(&previous.past, references, join);
    let mut left: Vec<UnifiedId> = comers.iter().map(|&(entity, _)| entity).collect();
    left.sort_unstable();
    left.dedup();
    let dormant: Vec<Entity> = left
        .iter()
        .filter_map(|&id| dormant(previous, id))
        .collect();
    let mut claimants = active_claimants(previous, &left);
    let first = previous.entities.len() as u32;
    claimants.extend(
        (first..)
            .zip(&dormant)
            .map(|(claimant, entity)| (entity.id, claimant)),
    );
    claimants.sort_unstable();
    let claimant = |entity| {
        let index = claimants
            .binary_search_by_key(&entity, |&(id, _)| id)
            .ok()?;
        Some(claimants[index].1)
    };
    let claim = |(entity, node)| Some((claimant(entity)?, node));
    let mut nodes: Vec<(u32, u32)> = comers.into_iter().filter_map(claim).collect();
    nodes.sort_unstable();
    Returned { dormant, nodes }
}

/// Merges past memberships with the references that are new, and returns for each reference
/// that had any the entity it left last.
fn comers(
    past: &[PastMembership],
    references: &ReferenceTable,
    join: &Join,
) -> Vec<(UnifiedId, u32)> {
    let mut comers = Vec::new();
    for of_source in past.chunk_by(|a, b| a.source == b.source) {
        let Some(source) = references.source_id(&of_source[0].source) else {
            continue;
        };
        let mut nodes = references.nodes_of(source);
        for of_reference in of_source.chunk_by(|a, b| a.key == b.key) {
            let key = of_reference[0].key.as_bytes();
            let of_node = |node| references.key_bytes_of(NodeId::new(node));
            while !nodes.is_empty() && of_node(nodes.start) < key {
                nodes.start += 1;
            }
            let is_here = !nodes.is_empty() && of_node(nodes.start) == key;
            if is_here && join.old_of[nodes.start as usize] == ABSENT {
                comers.push((of_reference[of_reference.len() - 1].entity, nodes.start));
            }
        }
    }
    comers
}

/// Returns the active ones among ascending ids, each with its claimant.
fn active_claimants(previous: &GraphRevision, ids: &[UnifiedId]) -> Vec<(UnifiedId, u32)> {
    if ids.is_empty() {
        return Vec::new();
    }
    let entities = previous.entities.par_iter().enumerate();
    let wanted = entities.filter(|(_, entity)| ids.binary_search(&entity.id).is_ok());
    wanted
        .map(|(cluster, entity)| (entity.id, cluster as u32))
        .collect()
}

/// Returns the entity of an id if it is retired.
fn dormant(previous: &GraphRevision, id: UnifiedId) -> Option<Entity> {
    let events = history(&previous.lineage, id);
    let Some(EntityState::Retired { .. }) = EntityState::after(events) else {
        return None;
    };
    let born = events
        .iter()
        .find(|event| event.kind == LineageKind::Born)?;
    Some(Entity {
        id,
        born: born.revision,
    })
}
