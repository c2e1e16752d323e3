//! All evidence of a rebuild, counted by weight and by level.
//!
//! Cost: one parallel pass over the evidence before a revision keeps the strongest of it.

use rayon::prelude::*;
use sameas_graph::{Decision, Evidence, Legend, LevelPattern, MatchWeight};
use serde::{Deserialize, Serialize};

/// The width of a bin in hundredths of a bit.
const BIN_HUNDREDTHS: i32 = 50;
/// Evidence that one thread counts at a time.
const CHUNK_LEN: usize = 1 << 16;
/// Link, review, refused.
const KIND_COUNT: usize = 3;
const WEIGHT_COUNT: usize = 1 << 16;
const LEVEL_COUNT: usize = LevelPattern::COMPARISON_COUNT_MAX * LevelPattern::LEVEL_COUNT_MAX;

/// The evidence whose weight lies in a bin of half a bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WeightBin {
    /// Where the bin begins, in bits.
    pub from_bits: f64,
    /// Pairs that link.
    pub links: u64,
    /// How many of them are expected to be of one entity: the sum of their probabilities.
    pub links_expected: f64,
    /// Pairs that wait for review.
    pub reviews: u64,
    /// How many of them are expected to be of one entity.
    pub reviews_expected: f64,
    /// Links that a constraint refused.
    pub refused: u64,
    /// How many of them are expected to be of one entity.
    pub refused_expected: f64,
}

/// How often one level of a comparison occurs in the evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelCount {
    /// In pairs that link.
    pub links: u64,
    /// In pairs that wait for review.
    pub reviews: u64,
    /// In links that a constraint refused.
    pub refused: u64,
}

impl WeightBin {
    /// The width of a bin in bits.
    pub const WIDTH_BITS: f64 = BIN_HUNDREDTHS as f64 / 100.0;
}

/// Counts of evidence by weight and kind, and by comparison, level and kind.
#[derive(Debug)]
pub(crate) struct Tally {
    weights: Vec<u64>,
    levels: Vec<u64>,
}

impl Tally {
    /// Counts evidence.
    pub(crate) fn of(evidence: &[Evidence]) -> Self {
        let parts = evidence.par_chunks(CHUNK_LEN).map(|chunk| {
            let mut part = Self::empty();
            for edge in chunk {
                part.add(edge);
            }
            part
        });
        parts.reduce(Self::empty, |sum, part| sum.and(&part))
    }

    fn empty() -> Self {
        Self {
            weights: vec![0; WEIGHT_COUNT * KIND_COUNT],
            levels: vec![0; LEVEL_COUNT * KIND_COUNT],
        }
    }

    fn add(&mut self, edge: &Evidence) {
        let kind = kind(edge.decision);
        let place = i32::from(edge.weight.hundredths()) - i32::from(i16::MIN);
        self.weights[place as usize * KIND_COUNT + kind] += 1;
        for comparison in 0..LevelPattern::COMPARISON_COUNT_MAX {
            let level = usize::from(edge.pattern.level(comparison));
            let place = comparison * LevelPattern::LEVEL_COUNT_MAX + level;
            self.levels[place * KIND_COUNT + kind] += 1;
        }
    }

    fn and(mut self, other: &Self) -> Self {
        let sums = self.weights.iter_mut().chain(&mut self.levels);
        let more = other.weights.iter().chain(&other.levels);
        sums.zip(more).for_each(|(sum, more)| *sum += more);
        self
    }

    /// Returns the bins that hold evidence and those between them, ascending.
    pub(crate) fn bins(&self) -> Vec<WeightBin> {
        let mut bins: Vec<WeightBin> = Vec::new();
        for (place, counts) in self.weights.chunks_exact(KIND_COUNT).enumerate() {
            let &[links, reviews, refused] = counts else {
                continue;
            };
            if links + reviews + refused == 0 {
                continue;
            }
            let hundredths = place as i32 + i32::from(i16::MIN);
            let from = hundredths.div_euclid(BIN_HUNDREDTHS) * BIN_HUNDREDTHS;
            extend_to(&mut bins, f64::from(from) / 100.0);
            let weight = MatchWeight::from_hundredths(hundredths as i16);
            if let Some(bin) = bins.last_mut() {
                bin.links += links;
                bin.links_expected += links as f64 * weight.probability();
                bin.reviews += reviews;
                bin.reviews_expected += reviews as f64 * weight.probability();
                bin.refused += refused;
                bin.refused_expected += refused as f64 * weight.probability();
            }
        }
        bins
    }

    /// Returns the counts of every level that the legend names.
    pub(crate) fn levels(&self, legend: &Legend) -> Vec<Vec<LevelCount>> {
        let count = |comparison: usize, level: usize| {
            let place = (comparison * LevelPattern::LEVEL_COUNT_MAX + level) * KIND_COUNT;
            LevelCount {
                links: self.levels[place],
                reviews: self.levels[place + 1],
                refused: self.levels[place + 2],
            }
        };
        let comparisons = legend.comparisons.iter().enumerate();
        comparisons
            .map(|(index, comparison)| {
                let levels = 0..comparison.levels.len();
                levels.map(|level| count(index, level)).collect()
            })
            .collect()
    }
}

/// Adds bins without evidence until the last begins here.
fn extend_to(bins: &mut Vec<WeightBin>, from_bits: f64) {
    while bins.last().is_none_or(|bin| bin.from_bits < from_bits) {
        let next = bins.last().map(|bin| bin.from_bits + WeightBin::WIDTH_BITS);
        bins.push(WeightBin {
            from_bits: next.unwrap_or(from_bits),
            ..WeightBin::default()
        });
    }
}

fn kind(decision: Decision) -> usize {
    match decision {
        Decision::Link => 0,
        Decision::Review => 1,
        Decision::Quarantined(_) => 2,
    }
}

#[cfg(test)]
mod tests {
    use sameas_graph::{ComparisonLegend, LevelLegend, NodeId, QuarantineReason, RuleId};

    use super::*;

    fn edge(hundredths: i16, level: u8, decision: Decision) -> Evidence {
        Evidence {
            left: NodeId::new(0),
            right: NodeId::new(1),
            weight: MatchWeight::from_hundredths(hundredths),
            rule: RuleId::new(0),
            pattern: LevelPattern::default().with(1, level),
            decision,
        }
    }

    #[test]
    fn bins_hold_what_lies_in_them_and_leave_no_gap() {
        let refused = Decision::Quarantined(QuarantineReason::OnePerSource);
        let evidence = [
            edge(-1, 1, Decision::Review),
            edge(0, 1, Decision::Review),
            edge(149, 2, Decision::Link),
            edge(100, 2, refused),
        ];
        let tally = Tally::of(&evidence);
        let bins = tally.bins();
        let shown: Vec<_> = bins
            .iter()
            .map(|bin| (bin.from_bits, bin.links, bin.reviews, bin.refused))
            .collect();
        let expected = [
            (-0.5, 0, 1, 0),
            (0.0, 0, 1, 0),
            (0.5, 0, 0, 0),
            (1.0, 1, 0, 1),
        ];
        assert_eq!(shown, expected);
        assert!((bins[1].reviews_expected - 0.5).abs() < 1e-12);
        // One bit is two to one.
        assert!((bins[3].refused_expected - 2.0 / 3.0).abs() < 1e-12);
        let level = LevelLegend {
            name: String::new(),
            weight: MatchWeight::default(),
        };
        let comparison = ComparisonLegend {
            name: String::new(),
            levels: vec![level; 3],
        };
        let legend = Legend {
            comparisons: vec![comparison.clone(), comparison],
            ..Legend::default()
        };
        let levels = tally.levels(&legend);
        let count = |links, reviews, refused| LevelCount {
            links,
            reviews,
            refused,
        };
        assert_eq!(levels[0][0], count(1, 2, 1));
        assert_eq!(levels[1], [count(0, 0, 0), count(0, 2, 0), count(1, 0, 1)]);
    }
}
