//! The clusters of a rebuild, made while the records are still at hand to be asked.

use sameas_graph::{Constraints, Decision, Evidence, MatchWeight, NodeId, QuarantineReason};
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
}

/// Weighs a pair of groups that weak bridges are asked of, whether or not a rule made it.
pub(crate) fn pair_weight<'p>(
    prepared: &'p Prepared<'_>,
    weigher: &'p Weigher<'_>,
) -> impl Fn(NodeId, NodeId) -> MatchWeight + Sync + 'p {
    let rows = prepared.rows();
    move |a, b| {
        let (bits, _) = weigher.judge_pair(rows.of(a.get()), rows.of(b.get()));
        MatchWeight::from_bits(bits)
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
