//! Which old entity claims which new cluster.

use rayon::prelude::*;

use super::returned::{self, Returned};
use crate::join::{ABSENT, Join};
use crate::{ClusterId, Entity, GraphRevision, NodeId, Partition, ReferenceTable};

/// Entities that one thread looks at together at least.
const BATCH_LEN: usize = 1024;

/// The heir of an old entity.
#[derive(Clone, Copy)]
pub(super) struct Heir {
    /// The cluster with most of its references, or [`ABSENT`] if none is left.
    pub(super) cluster: u32,
    /// Whether its references are in more than one cluster.
    pub(super) spread: bool,
}

/// The old entities and what they claim.
///
/// A claimant is the number of an old cluster, for its entity; numbers beyond those stand for
/// retired entities of which references come back.
pub(super) struct Claims<'a> {
    pub(super) previous: &'a GraphRevision,
    pub(super) join: Join,
    /// By claimant.
    pub(super) heirs: Vec<Heir>,
    /// By new cluster: the claimant whose id it carries on, or [`ABSENT`].
    pub(super) carried: Vec<u32>,
    returned: Returned,
    partition: &'a Partition,
}

impl<'a> Claims<'a> {
    pub(super) fn new(
        previous: &'a GraphRevision,
        references: &ReferenceTable,
        partition: &'a Partition,
    ) -> Self {
        let join = Join::new(&previous.references, references);
        let returned = returned::returned(previous, references, &join);
        let (heirs, carried) = (Vec::new(), Vec::new());
        let mut claims = Self {
            previous,
            join,
            heirs,
            carried,
            returned,
            partition,
        };
        claims.heirs = claims.find_heirs();
        claims.carried = claims.settle();
        claims
    }

    pub(super) fn claimant_count(&self) -> u32 {
        (self.previous.entities.len() + self.returned.dormant.len()) as u32
    }

    /// Returns whether a claimant was retired in the previous revision.
    pub(super) fn is_dormant(&self, claimant: u32) -> bool {
        claimant as usize >= self.previous.entities.len()
    }

    pub(super) fn entity(&self, claimant: u32) -> Entity {
        match (claimant as usize).checked_sub(self.previous.entities.len()) {
            None => self.previous.entities[claimant as usize],
            Some(dormant) => self.returned.dormant[dormant],
        }
    }

    /// Writes the new cluster of each reference of a claimant that is left, ascending.
    pub(super) fn clusters_of(&self, claimant: u32, clusters: &mut Vec<u32>) {
        clusters.clear();
        let members = if self.is_dormant(claimant) {
            &[]
        } else {
            self.previous.partition.members(ClusterId::new(claimant))
        };
        let stayed = members.iter().map(|&old| self.join.new_of[old as usize]);
        let left = stayed
            .filter(|&node| node != ABSENT)
            .chain(self.returned.nodes_of(claimant));
        clusters.extend(left.map(|node| self.partition.cluster_of(NodeId::new(node)).get()));
        clusters.sort_unstable();
    }

    fn find_heirs(&self) -> Vec<Heir> {
        (0..self.claimant_count())
            .into_par_iter()
            .with_min_len(BATCH_LEN)
            .map_init(Vec::new, |clusters, claimant| {
                self.clusters_of(claimant, clusters);
                heir(clusters)
            })
            .collect()
    }

    /// Gives each cluster to the oldest entity whose heir it is.
    fn settle(&self) -> Vec<u32> {
        let mut carried = vec![ABSENT; self.partition.cluster_count()];
        let age = |claimant| {
            let Entity { id, born } = self.entity(claimant);
            (born, id)
        };
        for (claimant, heir) in (0_u32..)
            .zip(&self.heirs)
            .filter(|(_, h)| h.cluster != ABSENT)
        {
            let slot = &mut carried[heir.cluster as usize];
            if *slot == ABSENT || age(claimant) < age(*slot) {
                *slot = claimant;
            }
        }
        carried
    }
}

/// Returns the most frequent of ascending cluster numbers, of equals the smallest.
fn heir(clusters: &[u32]) -> Heir {
    let (mut best, mut best_len) = (ABSENT, 0);
    for run in clusters.chunk_by(|a, b| a == b) {
        if run.len() > best_len {
            (best, best_len) = (run[0], run.len());
        }
    }
    Heir {
        cluster: best,
        spread: best_len < clusters.len(),
    }
}
