//! What must not differ within a cluster: links are refused until nothing does.
//!
//! Cost: the square of the size of a component or, beyond 2,000 references, of a cluster; pairs
//! are held for some components at a time, at most 16 million of them and those of one more.

use rayon::prelude::*;
use sameas_graph::{
    Bridges, ClusterId, Constraints, Evidence, NodeId, Partition, ReferenceTable, cluster,
    cluster_without_weak_bridges, connect,
};

use crate::compare::Comparer;
use crate::plan::MatchingPlan;
use crate::prepared::Prepared;
use crate::rows::Rows;

/// The largest component whose pairs are all looked at; a larger one is taken apart by the other
/// constraints first.
const COMPONENT_LEN_MAX: usize = 2_000;
/// How many pairs are looked at before their components are clustered.
const PAIRS_TOGETHER: usize = 1 << 24;

/// What clusters are made by beside what must not differ.
#[derive(Clone, Copy, Debug)]
pub struct Clustered<'c> {
    /// The references.
    pub references: &'c ReferenceTable,
    /// The other constraints.
    pub constraints: &'c Constraints,
    /// What is asked of links between groups, if anything.
    pub bridges: Option<&'c Bridges<'c>>,
}

impl Clustered<'_> {
    /// Clusters evidence and marks what is refused.
    pub fn cluster(&self, evidence: &mut [Evidence]) -> Partition {
        match self.bridges {
            Some(bridges) => {
                cluster_without_weak_bridges(self.references, evidence, self.constraints, bridges)
            }
            None => cluster(self.references, evidence, self.constraints),
        }
    }
}

/// Comparisons whose lowest level no two records of a cluster may show.
#[derive(Debug)]
pub struct Apart<'p> {
    rows: &'p Rows,
    comparer: &'p Comparer<'p>,
    /// Each comparison and its lowest level.
    lowest: Vec<(usize, u8)>,
}

impl<'p> Apart<'p> {
    /// Takes the numbers of the comparisons.
    pub fn new(
        prepared: &'p Prepared<'_>,
        comparer: &'p Comparer<'p>,
        plan: &MatchingPlan,
        among: &[usize],
    ) -> Self {
        let lowest = |&comparison: &usize| {
            let levels = plan.comparisons[comparison].level_count();
            (comparison, levels as u8 - 1)
        };
        Self {
            rows: prepared.rows(),
            comparer,
            lowest: among.iter().map(lowest).collect(),
        }
    }

    /// Quarantines links until no cluster holds two records that must not share one.
    ///
    /// Links are taken best first under all constraints together, weak bridges among them. A
    /// component of more than 2,000 references is taken apart by the other constraints before, and
    /// then each of its clusters.
    pub fn quarantine(&self, by: Clustered<'_>, evidence: &mut [Evidence]) {
        if self.lowest.is_empty() {
            return;
        }
        let components = Partition::from_labels(&connect(by.references.len(), evidence));
        let (large, small): (Vec<_>, Vec<_>) = clusters_of(&components)
            .filter(|&component| components.members(component).len() > 1)
            .partition(|&component| components.members(component).len() > COMPONENT_LEN_MAX);
        self.quarantine_within(&components, &small, by, evidence);
        if large.is_empty() {
            return;
        }
        let parts = cluster_some(&components, &large, by, evidence);
        let parts_of_large: Vec<_> = clusters_of(&parts)
            .filter(|&part| parts.members(part).len() > 1)
            .collect();
        self.quarantine_within(&parts, &parts_of_large, by, evidence);
    }

    /// Quarantines links within some clusters, few of them at a time.
    fn quarantine_within(
        &self,
        partition: &Partition,
        clusters: &[ClusterId],
        by: Clustered<'_>,
        evidence: &mut [Evidence],
    ) {
        let mut rest = clusters;
        while !rest.is_empty() {
            let mut pairs = 0;
            let until = rest.iter().position(|&cluster| {
                let is_enough = pairs >= PAIRS_TOGETHER;
                pairs += partition.members(cluster).len().pow(2) / 2;
                is_enough
            });
            let (some, after) = rest.split_at(until.unwrap_or(rest.len()));
            rest = after;
            let differing: Vec<(ClusterId, Vec<(NodeId, NodeId)>)> = some
                .par_iter()
                .map(|&cluster| (cluster, self.differing(partition.members(cluster))))
                .filter(|(_, pairs)| !pairs.is_empty())
                .collect();
            if differing.is_empty() {
                continue;
            }
            let (clusters, pairs): (Vec<_>, Vec<_>) = differing.into_iter().unzip();
            let constraints = Constraints {
                cannot_link: pairs.concat(),
                ..by.constraints.clone()
            };
            let by = Clustered {
                constraints: &constraints,
                ..by
            };
            cluster_some(partition, &clusters, by, evidence);
        }
    }

    /// Lists the pairs of a cluster that must not share one.
    fn differing(&self, members: &[u32]) -> Vec<(NodeId, NodeId)> {
        let mut pairs = Vec::new();
        for (i, &a) in members.iter().enumerate() {
            let later = members[i + 1..].iter();
            let differing = later.filter(|&&b| self.differ(a, b));
            pairs.extend(differing.map(|&b| (NodeId::new(a), NodeId::new(b))));
        }
        pairs
    }

    fn differ(&self, a: u32, b: u32) -> bool {
        let (a, b) = (self.rows.of(a), self.rows.of(b));
        let mut lowest = self.lowest.iter();
        lowest.any(|&(comparison, level)| self.comparer.level(comparison, a, b) == level)
    }
}

fn clusters_of(partition: &Partition) -> impl Iterator<Item = ClusterId> + use<> {
    (0..partition.cluster_count() as u32).map(ClusterId::new)
}

/// Clusters the evidence within some clusters alone, marks what is refused, and returns the result.
fn cluster_some(
    partition: &Partition,
    clusters: &[ClusterId],
    by: Clustered<'_>,
    evidence: &mut [Evidence],
) -> Partition {
    let mut is_chosen = vec![false; partition.cluster_count()];
    for cluster in clusters {
        is_chosen[cluster.index()] = true;
    }
    let within = |edge: &Evidence| {
        let cluster = partition.cluster_of(edge.left);
        is_chosen[cluster.index()] && cluster == partition.cluster_of(edge.right)
    };
    let (places, mut chosen): (Vec<usize>, Vec<Evidence>) = evidence
        .iter()
        .enumerate()
        .filter(|(_, edge)| within(edge))
        .map(|(place, edge)| (place, *edge))
        .unzip();
    let parts = by.cluster(&mut chosen);
    for (place, edge) in places.into_iter().zip(chosen) {
        evidence[place] = edge;
    }
    parts
}
