//! What levels and rules in evidence mean: names and weights, never values.

use crate::MatchWeight;

/// The key to all evidence of one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Legend {
    /// The comparisons in pattern order.
    pub comparisons: Vec<ComparisonLegend>,
    /// The rules in [`RuleId`](crate::RuleId) order: deterministic rules first, then blocking rules.
    pub rules: Vec<RuleLegend>,
    /// The weight of two random records being one entity.
    pub prior: MatchWeight,
    /// Posterior bits from which evidence links.
    pub link: MatchWeight,
    /// Posterior bits from which evidence is kept for review.
    pub review: MatchWeight,
    /// Identifies the model that weighed the evidence (a digest of its parameters).
    pub model: u64,
}

/// One comparison of the legend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparisonLegend {
    /// The comparison's name in the settings.
    pub name: String,
    /// Its levels; level 0 is "a value is missing".
    pub levels: Vec<LevelLegend>,
}

/// One level of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelLegend {
    /// What the level means, for example `jaro_winkler >= 0.92`.
    pub name: String,
    /// The level's weight before any adjustment for frequency.
    pub weight: MatchWeight,
}

/// Whether a rule links by itself or only proposes pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// A pair on which it fires is linked at once.
    Deterministic,
    /// A pair that shares its key is weighed.
    Blocking,
}

/// One rule of the legend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleLegend {
    /// The rule's name in the settings.
    pub name: String,
    /// What it does.
    pub kind: RuleKind,
}
