//! What probabilities promised and what a truth found (a reliability diagram, Murphy and Winkler 1977).

use sameas_graph::{Evidence, Legend, RuleKind};
use serde::Serialize;

use super::estimate::{Interval, wilson};

/// The width of a point in bits.
const WIDTH_BITS: f64 = 1.0;
/// Pairs beyond this weight are as sure as can be and stand together.
const BITS_MAX: f64 = 16.0;

/// Pairs of about one weight: how many were promised to be of one entity, and how many are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ReliabilityPoint {
    /// Where the weights begin, in bits.
    pub from_bits: f64,
    /// Pairs of which the truth names both records.
    pub pairs: u64,
    /// The mean of their probabilities.
    pub promised: f64,
    /// The share of them that is of one entity, with what chance allows.
    pub found: Interval,
}

/// Whether probabilities hold, from the evidence that a revision keeps.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Reliability {
    /// Pairs of which the truth names both records. Pairs that rules decide are left out.
    pub pairs: u64,
    /// The mean of their probabilities.
    pub promised: f64,
    /// The share of them that is of one entity.
    pub found: f64,
    /// How far promise and finding lie apart at a pair of evidence, on average.
    pub error: f64,
    /// The same by weight, ascending.
    pub points: Vec<ReliabilityPoint>,
}

impl Reliability {
    /// Holds evidence to the entity of every node; `None` if the truth names no pair of it.
    pub(super) fn of(
        evidence: &[Evidence],
        legend: &Legend,
        entities: &[Option<u32>],
    ) -> Option<Self> {
        let entity = |node: sameas_graph::NodeId| entities.get(node.index()).copied().flatten();
        let known = evidence.iter().filter_map(|edge| {
            let rule = legend.rules.get(edge.rule.index());
            let is_decided = rule.is_some_and(|rule| rule.kind == RuleKind::Deterministic);
            let same = entity(edge.left)? == entity(edge.right)?;
            (!is_decided).then(|| (edge.weight.bits(), edge.weight.probability(), same))
        });
        Self::of_pairs(known)
    }

    /// Holds pairs to what is known of them: bits, probability, and whether they are of one entity.
    pub(crate) fn of_pairs(pairs: impl Iterator<Item = (f64, f64, bool)>) -> Option<Self> {
        let mut sums: std::collections::BTreeMap<i32, (u64, f64, u64)> =
            std::collections::BTreeMap::default();
        for (bits, probability, same) in pairs {
            let place = (bits.clamp(-BITS_MAX, BITS_MAX) / WIDTH_BITS).floor() as i32;
            let sum = sums.entry(place).or_default();
            sum.0 += 1;
            sum.1 += probability;
            sum.2 += u64::from(same);
        }
        let all = sums.values().fold((0, 0.0, 0), |all, sum| {
            (all.0 + sum.0, all.1 + sum.1, all.2 + sum.2)
        });
        let points = sums
            .iter()
            .map(|(&place, &(pairs, promised, same))| ReliabilityPoint {
                from_bits: f64::from(place) * WIDTH_BITS,
                pairs,
                promised: promised / pairs as f64,
                found: wilson(same as f64 / pairs as f64, pairs as f64),
            });
        let points: Vec<ReliabilityPoint> = points.collect();
        let apart = |point: &ReliabilityPoint| {
            point.pairs as f64 * (point.promised - point.found.value).abs()
        };
        let total = all.0 as f64;
        (all.0 > 0).then(|| Self {
            pairs: all.0,
            promised: all.1 / total,
            found: all.2 as f64 / total,
            error: points.iter().map(apart).sum::<f64>() / total,
            points,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked out by hand: at 0 to 1 bits three pairs of 0.6, two of them right; beyond 16 one.
    #[test]
    fn promises_are_held_to_what_is_found() {
        let pairs = [
            (0.5, 0.6, true),
            (0.6, 0.6, false),
            (0.9, 0.6, true),
            (40.0, 1.0, true),
        ];
        let found = Reliability::of_pairs(pairs.into_iter()).expect("pairs");
        assert_eq!((found.pairs, found.points.len()), (4, 2));
        assert!((found.promised - 0.7).abs() < 1e-9, "{found:?}");
        assert!((found.found - 0.75).abs() < 1e-9, "{found:?}");
        assert!(
            (found.error - 3.0 * (2.0 / 3.0 - 0.6) / 4.0).abs() < 1e-9,
            "{found:?}"
        );
        assert!((found.points[1].from_bits - 16.0).abs() < 1e-9, "{found:?}");
        assert_eq!(Reliability::of_pairs(std::iter::empty()), None);
    }
}
