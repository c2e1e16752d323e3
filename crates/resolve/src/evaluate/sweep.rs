//! What would have been linked at other thresholds.
//!
//! The kept evidence is clustered again at each threshold, under the same constraints. From the
//! link threshold upwards the result is exact: a revision keeps a spanning forest of the strongest
//! links of every cluster. Weak bridges that were refused stay refused, and no others are looked for,
//! because that takes the records. Below it each record has its four strongest reviews, so a chain of
//! weaker ones may be missing; below the review threshold nothing is kept, and nothing is said.

use sameas_graph::{
    Constraints, Decision, Evidence, GraphRevision, Legend, QuarantineReason, RuleKind, cluster,
    probability_of,
};
use serde::Serialize;

use super::truth::Truth;
use super::{Evaluation, Quality};
use crate::Settings;

/// Thresholds are tried up to here; beyond it there is hardly any doubt left.
const BITS_MAX: f64 = 40.0;

/// What one threshold would give.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ThresholdPoint {
    /// Posterior bits from which pairs would link.
    pub bits: f64,
    /// The same as a probability, which `decide.link` takes.
    pub probability: f64,
    /// Entities there would be.
    pub entities: u64,
    /// Records of the largest.
    pub largest: u64,
    /// Over pairs, if there is a truth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairwise: Option<Quality>,
}

/// What thresholds would give, from the review threshold upwards.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Thresholds {
    /// The threshold of the revision, in bits.
    pub link_bits: f64,
    /// The lowest threshold of which anything is known, in bits.
    pub review_bits: f64,
    /// What the figures cover.
    pub covers: &'static str,
    /// The points, ascending.
    pub points: Vec<ThresholdPoint>,
    /// The point of the highest pairwise F1, if there is a truth; the highest threshold of equals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best: Option<ThresholdPoint>,
}

impl Thresholds {
    /// Returns the point of the revision's own threshold.
    pub fn own(&self) -> Option<&ThresholdPoint> {
        self.points
            .iter()
            .min_by(|a, b| self.distance(a).total_cmp(&self.distance(b)))
    }

    fn distance(&self, point: &ThresholdPoint) -> f64 {
        (point.bits - self.link_bits).abs()
    }
}

/// Clusters the kept evidence at many thresholds.
pub(super) fn sweep(
    graph: &GraphRevision,
    settings: &Settings,
    truth: Option<&Truth>,
) -> Thresholds {
    let legend = &graph.legend;
    let (link_bits, review_bits) = (legend.link.bits(), legend.review.bits());
    let point = |bits: f64| point_at(graph, settings, truth, bits);
    let points: Vec<ThresholdPoint> = grid(review_bits, link_bits)
        .into_iter()
        .map(point)
        .collect();
    let f1 = |point: &ThresholdPoint| point.pairwise.map_or(0.0, |quality| quality.f1);
    let best = points.iter().max_by(|a, b| f1(a).total_cmp(&f1(b)));
    let best = best.filter(|_| truth.is_some()).cloned();
    Thresholds {
        link_bits,
        review_bits,
        covers: "from the link threshold upwards exact; between review and link as far as the four strongest reviews of each record reach; below the review threshold unknown",
        points,
        best,
    }
}

/// Returns the thresholds to try: both of the settings, and steps that grow with the weight.
fn grid(review_bits: f64, link_bits: f64) -> Vec<f64> {
    let mut bits = vec![review_bits, link_bits];
    let mut next = review_bits.ceil();
    while next <= BITS_MAX.max(link_bits) {
        if (next - link_bits).abs() > 0.25 && next > review_bits {
            bits.push(next);
        }
        next += match next - link_bits {
            near if near < 4.0 => 0.5,
            near if near < 16.0 => 1.0,
            _ => 2.0,
        };
    }
    bits.sort_unstable_by(f64::total_cmp);
    bits.dedup();
    bits
}

fn point_at(
    graph: &GraphRevision,
    settings: &Settings,
    truth: Option<&Truth>,
    bits: f64,
) -> ThresholdPoint {
    let apart = apart(&graph.legend, settings);
    let decide = |edge: &Evidence| Evidence {
        decision: decision_at(edge, &graph.legend, &apart, bits),
        ..*edge
    };
    let mut evidence: Vec<Evidence> = graph.evidence.iter().map(decide).collect();
    let partition = cluster(
        &graph.references,
        &mut evidence,
        &constraints(graph, settings),
    );
    let sizes = partition.clusters().map(|(_, members)| members.len());
    ThresholdPoint {
        bits,
        probability: probability_of(bits),
        entities: partition.cluster_count() as u64,
        largest: sizes.max().unwrap_or(0) as u64,
        pairwise: truth.map(|truth| {
            let Evaluation { pairwise, .. } = truth.compare(&partition);
            pairwise
        }),
    }
}

/// Returns the numbers and lowest levels of the comparisons that hold records apart.
fn apart(legend: &Legend, settings: &Settings) -> Vec<(usize, u8)> {
    let comparisons = legend.comparisons.iter().enumerate();
    comparisons
        .filter(|(_, comparison)| settings.decide.apart.contains(&comparison.name))
        .map(|(index, comparison)| (index, comparison.levels.len() as u8 - 1))
        .collect()
}

fn decision_at(edge: &Evidence, legend: &Legend, apart: &[(usize, u8)], bits: f64) -> Decision {
    // The decisions of the revision itself were made over exact weights and all evidence.
    if (bits - legend.link.bits()).abs() < f64::EPSILON {
        return edge.decision;
    }
    let refused = [QuarantineReason::CannotLink, QuarantineReason::WeakBridge];
    if refused.map(Decision::Quarantined).contains(&edge.decision) {
        return edge.decision;
    }
    let held_apart = apart
        .iter()
        .any(|&(comparison, lowest)| edge.pattern.level(comparison) == lowest);
    let kind = legend.rules.get(edge.rule.index()).map(|rule| rule.kind);
    let links = kind == Some(RuleKind::Deterministic) || edge.weight.bits() >= bits;
    match (held_apart, links) {
        (true, _) => Decision::Quarantined(QuarantineReason::CannotLink),
        (false, true) => Decision::Link,
        (false, false) => Decision::Review,
    }
}

fn constraints(graph: &GraphRevision, settings: &Settings) -> Constraints {
    let names = settings.decide.one_per_source.iter();
    Constraints {
        one_per_source: names
            .filter_map(|name| graph.references.source_id(name))
            .collect(),
        cannot_link: Vec::new(),
        cluster_size_max: settings.decide.cluster_size_max,
    }
}
