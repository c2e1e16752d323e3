//! The clusters of a rebuild, made while the records are still at hand to be asked.

use sameas_graph::{
    Bridges, Constraints, Decision, Evidence, MatchWeight, NodeId, Partition, QuarantineReason,
    cluster, cluster_without_weak_bridges,
};
use sameas_matching::{Prepared, Weigher};

use super::Job;
use crate::report::RebuildReport;

impl Job<'_> {
    pub(super) fn constraints(&self) -> Constraints {
        Constraints {
            one_per_source: self.one_per_source(),
            cannot_link: Vec::new(),
            cluster_size_max: self.settings.decide.cluster_size_max,
        }
    }

    /// Clusters the evidence and marks what is refused.
    pub(super) fn cluster(
        &self,
        prepared: &Prepared<'_>,
        weigher: &Weigher<'_>,
        evidence: &mut [Evidence],
    ) -> Partition {
        let (references, constraints) = (self.records.references(), self.constraints());
        let Some(least) = self.settings.decide.bridge_weight() else {
            return cluster(references, evidence, &constraints);
        };
        let rows = prepared.rows();
        let weigh = |a: NodeId, b: NodeId| {
            let weight = weigher.weigh_pair(rows.of(a.get()), rows.of(b.get()));
            MatchWeight::from_bits(weight.bits)
        };
        let bridges = Bridges {
            least,
            weigh: &weigh,
        };
        cluster_without_weak_bridges(references, evidence, &constraints, &bridges)
    }
}

/// Counts links, reviews and quarantined links.
pub(super) fn decision_counts(evidence: &[Evidence]) -> [u64; 3] {
    let mut counts = [0; 3];
    for edge in evidence {
        counts[match edge.decision {
            Decision::Link => 0,
            Decision::Review => 1,
            Decision::Quarantined(_) => 2,
        }] += 1;
    }
    counts
}

/// Counts what was decided on all evidence.
pub(super) fn count_decisions(evidence: &[Evidence], report: &mut RebuildReport) {
    [report.links, report.review, report.quarantined] = decision_counts(evidence);
    let weak = Decision::Quarantined(QuarantineReason::WeakBridge);
    let bridges = evidence.iter().filter(|edge| edge.decision == weak);
    report.weak_bridges = bridges.count() as u64;
}
