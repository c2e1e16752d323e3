//! What two comparisons say twice, because between strangers one agreement brings the other about.

use sameas_graph::LevelPattern;
use serde::{Deserialize, Serialize};

use super::ComparisonParameters;

/// Levels of one comparison, the missing level included, fit four bits.
const LEVELS: usize = 16;

/// How much of the weights of two levels is one and the same evidence.
///
/// Strangers of one name have like e-mail addresses, so a pair that shows both is no rarity among
/// strangers as the product of both u would have it (the interaction term of a log-linear model:
/// Thibaudeau 1993, Winkler 1993).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interaction {
    /// The names of the comparisons.
    pub comparisons: [String; 2],
    /// A level of each, as the settings write it.
    pub levels: [String; 2],
    /// How much likelier strangers show both than they would if one said nothing of the other, in
    /// bits above 0: so much less a pair weighs.
    pub bits: f64,
}

/// Interactions by comparison and level, ready to be asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Interactions {
    comparison_count: usize,
    /// Bits by pair of comparisons, both ways round, and by their levels.
    bits: Vec<f64>,
    /// The pairs that have any, lower comparison first.
    active: Vec<(usize, usize)>,
}

impl Interactions {
    pub(crate) fn none(comparison_count: usize) -> Self {
        Self {
            comparison_count,
            bits: vec![0.0; comparison_count * comparison_count * LEVELS * LEVELS],
            active: Vec::new(),
        }
    }

    /// Finds the comparisons and levels that interactions name; `None` if one is not there.
    pub(crate) fn resolve(
        interactions: &[Interaction],
        comparisons: &[ComparisonParameters],
    ) -> Option<Self> {
        let mut resolved = Self::none(comparisons.len());
        for interaction in interactions {
            let find = |side: usize| {
                let name = &interaction.comparisons[side];
                let comparison = comparisons.iter().position(|c| c.name == *name)?;
                let mut levels = comparisons[comparison].levels.iter();
                let level = levels.position(|l| l.level == interaction.levels[side])?;
                Some((comparison, level as u8 + 1))
            };
            let (one, other) = (find(0)?, find(1)?);
            if one.0 == other.0 {
                return None;
            }
            resolved.set(one, other, interaction.bits);
        }
        Some(resolved)
    }

    fn place(&self, (a, i): (usize, u8), (b, j): (usize, u8)) -> usize {
        ((a * self.comparison_count + b) * LEVELS + i as usize) * LEVELS + j as usize
    }

    /// Returns the bits that two levels say twice.
    pub(crate) fn between(&self, one: (usize, u8), other: (usize, u8)) -> f64 {
        self.bits[self.place(one, other)]
    }

    pub(crate) fn set(&mut self, one: (usize, u8), other: (usize, u8), bits: f64) {
        for place in [self.place(one, other), self.place(other, one)] {
            self.bits[place] = bits;
        }
        let pair = (one.0.min(other.0), one.0.max(other.0));
        if bits > 0.0
            && let Err(at) = self.active.binary_search(&pair)
        {
            self.active.insert(at, pair);
        }
    }

    /// Returns the pairs of comparisons that say anything twice, lower one first.
    pub(crate) fn active(&self) -> &[(usize, usize)] {
        &self.active
    }

    /// Returns the bits that the levels of a pattern say twice.
    pub(crate) fn bits_of(&self, pattern: LevelPattern) -> f64 {
        let between =
            |&(a, b): &(usize, usize)| self.between((a, pattern.level(a)), (b, pattern.level(b)));
        self.active.iter().map(between).sum()
    }

    /// Names what is there, comparison by comparison.
    pub(crate) fn named(&self, comparisons: &[ComparisonParameters]) -> Vec<Interaction> {
        let mut named = Vec::new();
        for &(a, b) in &self.active {
            let (left, right) = (&comparisons[a], &comparisons[b]);
            for (i, one) in (1..).zip(&left.levels) {
                for (j, other) in (1..).zip(&right.levels) {
                    let bits = self.between((a, i), (b, j));
                    if bits > 0.0 {
                        named.push(Interaction {
                            comparisons: [left.name.clone(), right.name.clone()],
                            levels: [one.level.clone(), other.level.clone()],
                            bits,
                        });
                    }
                }
            }
        }
        named
    }
}
