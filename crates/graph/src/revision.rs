//! Everything one revision of the graph says, in memory.

use roaring::RoaringBitmap;

use crate::{
    Evidence, Legend, LineageEvent, Namespace, Partition, PastMembership, ReferenceTable, Revision,
    UnifiedId,
};

/// The entity that a cluster stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entity {
    /// Its unified id.
    pub id: UnifiedId,
    /// The revision in which the id was issued.
    pub born: Revision,
}

/// One revision of the graph, whole: what a rebuild makes and a snapshot holds.
///
/// `store` writes it and reads it back equal; everything in it is in canonical order.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphRevision {
    /// The number of this revision.
    pub revision: Revision,
    /// The graph's identity.
    pub namespace: Namespace,
    /// The references, sorted.
    pub references: ReferenceTable,
    /// Which nodes form which cluster.
    pub partition: Partition,
    /// The entity of each cluster, in cluster order.
    pub entities: Vec<Entity>,
    /// Since when each node has belonged to its entity, in node order.
    pub since: Vec<Revision>,
    /// Kept evidence, sorted by left and then right node, each pair at most once.
    pub evidence: Vec<Evidence>,
    /// What the evidence's levels and rules mean.
    pub legend: Legend,
    /// What happened to each id ever issued, sorted by entity and then revision.
    /// The birth of an entity to which nothing else has happened is not listed: `entities` says it.
    pub lineage: Vec<LineageEvent>,
    /// Memberships that have ended, sorted.
    pub past: Vec<PastMembership>,
    /// The nodes whose entity differs from the previous revision, new references included.
    pub changed: RoaringBitmap,
}
