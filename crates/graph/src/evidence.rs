//! What is known about a pair of references, and what was decided on it.

use std::fmt;

use crate::NodeId;

/// Evidence in bits: the base-two logarithm of m over u, summed over comparisons.
///
/// Kept in steps of a hundredth of a bit, so that it costs two bytes at rest and says
/// no more about a value than its level and frequency class do. The range is +-327 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MatchWeight(i16);

impl MatchWeight {
    /// What a pair weighs at least that a deterministic rule links: 40 bits.
    ///
    /// The rule raises a lighter pair to this and adds nothing to a heavier one.
    pub const OF_RULE: Self = Self(4_000);

    /// Rounds bits to the nearest hundredth, within the range.
    pub fn from_bits(bits: f64) -> Self {
        Self(
            (bits * 100.0)
                .round()
                .clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16,
        )
    }

    /// Returns the weight in bits.
    pub fn bits(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    /// Wraps hundredths of a bit, as stored.
    pub const fn from_hundredths(hundredths: i16) -> Self {
        Self(hundredths)
    }

    /// Returns hundredths of a bit, as stored.
    pub const fn hundredths(self) -> i16 {
        self.0
    }

    /// Returns the probability that belongs to a *posterior* weight.
    pub fn probability(self) -> f64 {
        probability_of(self.bits())
    }
}

/// Returns the probability that belongs to log odds in bits, the *posterior* weight of a pair:
/// `2^w / (1 + 2^w)`.
pub fn probability_of(bits: f64) -> f64 {
    1.0 / (1.0 + (-bits).exp2())
}

impl fmt::Display for MatchWeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:+.2}", self.bits())
    }
}

/// The level every comparison gave a pair, four bits each: comparison 0 in the lowest bits.
///
/// Level 0 is "a value is missing"; level n is the n-th level of the comparison's legend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LevelPattern(u64);

impl LevelPattern {
    /// The most comparisons a pattern holds.
    pub const COMPARISON_COUNT_MAX: usize = 16;
    /// The most levels a comparison may have, the missing level included.
    pub const LEVEL_COUNT_MAX: usize = 16;

    /// Wraps a packed pattern.
    pub const fn new(packed: u64) -> Self {
        Self(packed)
    }

    /// Returns the packed pattern.
    pub const fn packed(self) -> u64 {
        self.0
    }

    /// Returns the level of one comparison.
    pub const fn level(self, comparison: usize) -> u8 {
        ((self.0 >> (4 * comparison)) & 0xf) as u8
    }

    /// Returns the pattern with one more comparison's level.
    #[must_use]
    pub const fn with(self, comparison: usize, level: u8) -> Self {
        Self(self.0 | ((level as u64) << (4 * comparison)))
    }

    /// Returns the pattern with one comparison at its missing level.
    #[must_use]
    pub const fn without(self, comparison: usize) -> Self {
        Self(self.0 & !(0xf << (4 * comparison)))
    }
}

/// The number of a blocking rule or deterministic rule in the [`Legend`](crate::Legend).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(u8);

impl RuleId {
    /// Numbers a rule by its position in the legend.
    pub const fn new(index: u8) -> Self {
        Self(index)
    }

    /// Returns the position in the legend.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Why an edge that reaches the link threshold was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuarantineReason {
    /// The union would put two records of a one-per-source system into one cluster.
    OnePerSource,
    /// The union would join references that a decision holds apart.
    CannotLink,
    /// The union would make the cluster larger than the bound.
    ClusterSize,
    /// The union would join two groups of records whose pairs together speak against one entity.
    WeakBridge,
}

/// What was decided on a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// The pair reaches the link threshold, or a deterministic rule fired.
    Link,
    /// The pair waits for a person: between the thresholds.
    Review,
    /// The pair reaches the link threshold, but linking it would break a constraint or be a weak
    /// bridge.
    Quarantined(QuarantineReason),
}

/// An edge: what the records of two nodes said about each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Evidence {
    /// The lower node.
    pub left: NodeId,
    /// The higher node.
    pub right: NodeId,
    /// The posterior weight, prior included, in bits.
    pub weight: MatchWeight,
    /// The deterministic rule that fired, else the first blocking rule that made the pair.
    pub rule: RuleId,
    /// The level each comparison gave.
    pub pattern: LevelPattern,
    /// What was decided.
    pub decision: Decision,
}
