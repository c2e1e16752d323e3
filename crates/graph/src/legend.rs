//! What levels and rules in evidence mean: names and weights, never values.

use crate::{LevelPattern, MatchWeight, RuleId};

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

/// What of a pair's weight neither the prior nor the levels explain, in bits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Remainder {
    /// What rare values add to the levels, less what relatives would share as well.
    pub adjustment_bits: f64,
    /// What a deterministic rule adds, the adjustment included: only the raised weight is kept.
    pub rule_bits: f64,
}

impl Legend {
    /// Returns what of a posterior weight neither the prior nor the levels explain.
    ///
    /// A deterministic rule accounts for it unless the pair weighs more than
    /// [`MatchWeight::OF_RULE`], to which the rule raises: such a pair owes the rule nothing.
    pub fn remainder(
        &self,
        weight: MatchWeight,
        rule: Option<RuleId>,
        pattern: LevelPattern,
    ) -> Remainder {
        let comparisons = self.comparisons.iter().enumerate();
        let levels = comparisons.filter_map(|(index, comparison)| {
            let level = usize::from(pattern.level(index));
            comparison.levels.get(level)
        });
        // Hundredths, because they add up without rounding.
        let levels: i32 = levels.map(|l| i32::from(l.weight.hundredths())).sum();
        let rest = i32::from(weight.hundredths()) - i32::from(self.prior.hundredths()) - levels;
        let bits = f64::from(rest) / 100.0;
        let rule = rule.and_then(|rule| self.rules.get(rule.index()));
        let kind = rule.map(|rule| rule.kind);
        if kind == Some(RuleKind::Deterministic) && weight <= MatchWeight::OF_RULE {
            Remainder {
                adjustment_bits: 0.0,
                rule_bits: bits,
            }
        } else {
            Remainder {
                adjustment_bits: bits,
                rule_bits: 0.0,
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The remainder of a pair whose levels weigh 12 bits against a prior of -20.
    fn remainder(bits: f64, rule: u8) -> Remainder {
        let level = |bits| LevelLegend {
            name: String::new(),
            weight: MatchWeight::from_bits(bits),
        };
        let comparison = |bits| ComparisonLegend {
            name: String::new(),
            levels: vec![level(0.0), level(bits)],
        };
        let rule_of = |kind| RuleLegend {
            name: String::new(),
            kind,
        };
        let legend = Legend {
            comparisons: vec![comparison(15.1), comparison(-3.1), comparison(9.0)],
            rules: vec![
                rule_of(RuleKind::Deterministic),
                rule_of(RuleKind::Blocking),
            ],
            prior: MatchWeight::from_bits(-20.0),
            ..Legend::default()
        };
        let pattern = LevelPattern::default().with(0, 1).with(1, 1);
        let rule = Some(RuleId::new(rule));
        legend.remainder(MatchWeight::from_bits(bits), rule, pattern)
    }

    fn adjustment(bits: f64) -> Remainder {
        Remainder {
            adjustment_bits: bits,
            ..Remainder::default()
        }
    }

    #[test]
    fn a_rule_accounts_for_a_pair_that_it_raised() {
        let rule = |bits| Remainder {
            rule_bits: bits,
            ..Remainder::default()
        };
        assert_eq!(remainder(40.0, 0), rule(48.0));
        assert_eq!(remainder(20.0, 0), rule(28.0));
    }

    #[test]
    fn a_pair_that_weighs_more_than_a_rule_owes_it_nothing() {
        assert_eq!(remainder(40.01, 0), adjustment(48.01));
    }

    #[test]
    fn what_a_blocking_rule_brought_together_is_adjusted() {
        assert_eq!(remainder(-8.5, 1), adjustment(-0.5));
        assert_eq!(remainder(40.0, 1), adjustment(48.0));
        assert_eq!(remainder(40.0, 9), adjustment(48.0));
    }
}
