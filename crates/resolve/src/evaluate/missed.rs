//! The pairs of the truth that the graph does not hold together, and why.

use std::collections::BTreeMap;

use sameas_graph::{Decision, Evidence, GraphRevision, NodeId, QuarantineReason, ReferenceTable};
use serde::Serialize;

use super::truth::Truth;

/// Missed pairs that are named of each reason, at most.
const EXAMPLES_MAX: usize = 10;

/// A record by its source and key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NamedReference {
    /// The source.
    pub source: String,
    /// The key.
    pub key: String,
}

/// Two records by their sources and keys.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NamedPair {
    /// The lower one.
    pub left: NamedReference,
    /// The higher one.
    pub right: NamedReference,
    /// What they weigh, if that is known, in bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<f64>,
}

/// Pairs that were missed for one reason.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MissedReason {
    /// The reason, as a name for programs.
    pub reason: &'static str,
    /// The reason in words.
    pub meaning: &'static str,
    /// How many pairs.
    pub pairs: u64,
    /// Some of them.
    pub examples: Vec<NamedPair>,
}

/// Pairs of one entity of the truth that the graph holds in several.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MissedPairs {
    /// How many.
    pub pairs: u64,
    /// By reason, most pairs first.
    pub reasons: Vec<MissedReason>,
}

/// Why a pair of the truth is not together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    NoRecord,
    NoEvidence,
    Exclusive,
    NoCandidate,
    HotBlock,
    Light,
    Review,
    OnePerSource,
    Apart,
    ClusterSize,
    WeakBridge,
    Changed,
}

impl Reason {
    fn told(self) -> (&'static str, &'static str) {
        match self {
            Self::NoRecord => ("no_record", "the graph lacks one of the records"),
            Self::NoEvidence => (
                "no_evidence",
                "never a candidate, or weighed below the review threshold (--trace tells which)",
            ),
            Self::Exclusive => (
                "exclusive",
                "never a candidate: both are of one source that holds each customer once",
            ),
            Self::NoCandidate => (
                "no_candidate",
                "never a candidate: no blocking rule makes the pair",
            ),
            Self::HotBlock => (
                "hot_block",
                "never a candidate: the block that holds both is too large",
            ),
            Self::Light => ("light", "weighed below the review threshold"),
            Self::Review => ("review", "waits for review: below the link threshold"),
            Self::OnePerSource => (
                "one_per_source",
                "refused: two records of a source that holds each customer once",
            ),
            Self::Apart => ("apart", "refused: values that must not differ do"),
            Self::ClusterSize => ("cluster_size", "refused: the entity would be too large"),
            Self::WeakBridge => (
                "weak_bridge",
                "refused: the pairs between two groups of records speak against it",
            ),
            Self::Changed => (
                "changed",
                "would link now: sources, settings or model changed since the rebuild",
            ),
        }
    }

    /// Returns the reason that kept evidence gives.
    pub(crate) fn of(evidence: Option<&Evidence>) -> Self {
        match evidence.map(|edge| edge.decision) {
            None => Self::NoEvidence,
            Some(Decision::Link) => Self::Changed,
            Some(Decision::Review) => Self::Review,
            Some(Decision::Quarantined(QuarantineReason::OnePerSource)) => Self::OnePerSource,
            Some(Decision::Quarantined(QuarantineReason::CannotLink)) => Self::Apart,
            Some(Decision::Quarantined(QuarantineReason::ClusterSize)) => Self::ClusterSize,
            Some(Decision::Quarantined(QuarantineReason::WeakBridge)) => Self::WeakBridge,
        }
    }
}

/// Counts missed pairs by reason.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    reasons: BTreeMap<Reason, (u64, Vec<NamedPair>)>,
}

impl Tally {
    pub(crate) fn count(&mut self, reason: Reason, pairs: u64) {
        if pairs > 0 {
            self.reasons.entry(reason).or_default().0 += pairs;
        }
    }

    pub(crate) fn add(
        &mut self,
        reason: Reason,
        references: &ReferenceTable,
        pair: [u32; 2],
        bits: Option<f64>,
    ) {
        let (pairs, examples) = self.reasons.entry(reason).or_default();
        *pairs += 1;
        if examples.len() < EXAMPLES_MAX {
            let [left, right] = pair.map(|node| named(references, NodeId::new(node)));
            examples.push(NamedPair { left, right, bits });
        }
    }

    pub(crate) fn finish(self) -> MissedPairs {
        let reasons = self.reasons.into_iter();
        let mut reasons: Vec<MissedReason> = reasons
            .map(|(reason, (pairs, examples))| {
                let (reason, meaning) = reason.told();
                MissedReason {
                    reason,
                    meaning,
                    pairs,
                    examples,
                }
            })
            .collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.pairs));
        MissedPairs {
            pairs: reasons.iter().map(|reason| reason.pairs).sum(),
            reasons,
        }
    }
}

/// Names a node.
pub(crate) fn named(references: &ReferenceTable, node: NodeId) -> NamedReference {
    let source = references.source_of(node).index();
    NamedReference {
        source: references.sources()[source].clone(),
        key: references.key(node).to_owned(),
    }
}

/// Returns the kept evidence between two nodes.
pub(crate) fn evidence_between(evidence: &[Evidence], [a, b]: [u32; 2]) -> Option<&Evidence> {
    let wanted = (NodeId::new(a.min(b)), NodeId::new(a.max(b)));
    let found = evidence.binary_search_by_key(&wanted, |edge| (edge.left, edge.right));
    found.ok().and_then(|place| evidence.get(place))
}

/// Lists the pairs of the truth that lie in several entities of the graph, with what the kept
/// evidence says about them.
pub(super) fn missed(graph: &GraphRevision, truth: &Truth) -> MissedPairs {
    let mut tally = Tally::default();
    let (entities, lacking) = truth.entities();
    tally.count(Reason::NoRecord, lacking);
    for nodes in entities {
        for (index, &a) in nodes.iter().enumerate() {
            for &b in &nodes[index + 1..] {
                let [one, other] = [a, b].map(|n| graph.partition.cluster_of(NodeId::new(n)));
                if one == other {
                    continue;
                }
                let edge = evidence_between(&graph.evidence, [a, b]);
                let bits = edge.map(|edge| edge.weight.bits());
                tally.add(Reason::of(edge), &graph.references, [a, b], bits);
            }
        }
    }
    tally.finish()
}
