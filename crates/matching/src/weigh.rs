//! The weight of candidate pairs, and the evidence that is worth keeping.
//!
//! Cost: two rows of value ids at hand and three table look-ups for eight comparisons bound the
//! weight of a pair; a kernel runs only while the bound still reaches the review threshold. The bound never
//! refuses a pair that would have reached it.

mod adjustment;
mod bound;
mod candidates;
#[cfg(target_arch = "x86_64")]
mod screen;

use rayon::prelude::*;
use sameas_graph::{
    ComparisonLegend, Evidence, Legend, LevelLegend, LevelPattern, MatchWeight, RuleKind,
    RuleLegend,
};
use sameas_record::ValueId;

use self::adjustment::{Adjustment, adjustments_of};
use crate::compare::Comparer;
use crate::find::ValueCounts;
use crate::model::{Calibration, FrequencyKey, FrequencyTable, Interactions, Model};
use crate::plan::{Comparison, MatchingPlan};
use crate::prepared::{Exclusive, Prepared};
use crate::rows::NodeRow;
use crate::sieve::Sieve;
use crate::{DecideSettings, Scope};

/// Bounds are sums in another order than weights; this covers the difference.
const ROUNDING_BITS: f64 = 1e-6;

/// Records of a block from which it pays to copy their rows word by word and look at eight pairs at a time.
const SCREENED_LEN: usize = 8;

/// What a sum of a few numbers of 24 bits can be off by, as a share of their sizes.
const ROUNDED_SHARE: f64 = 1.0 / (1 << 17) as f64;

/// Thresholds on the posterior weight, in bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// From here evidence links.
    pub link: f64,
    /// From here evidence is kept for review.
    pub review: f64,
}

impl Threshold {
    /// Converts probabilities to log odds.
    pub fn of(decide: &DecideSettings) -> Self {
        let bits = |p: f64| (p / (1.0 - p)).log2().clamp(-300.0, 300.0);
        Self {
            link: bits(decide.link),
            review: bits(decide.review.min(decide.link)),
        }
    }
}

/// What weighing did.
#[derive(Debug, Default)]
pub struct Weighed {
    /// Pairs that link or wait for review, sorted by left and then right node.
    pub evidence: Vec<Evidence>,
    /// Distinct pairs each rule was the first to make.
    pub pairs_of_rule: Vec<u64>,
    /// Pairs whose levels were computed because the bound could not refuse them.
    pub compared: u64,
}

/// Weighs pairs by a model.
#[derive(Debug)]
pub struct Weigher<'p> {
    comparer: &'p Comparer<'p>,
    tables: Vec<Table>,
    /// Comparisons that rows say something about, those first that can take most off a bound.
    sieves: Vec<(usize, Sieve)>,
    /// All comparisons, in the order in which their levels are found: those of the sieves first.
    order: Vec<usize>,
    /// Covers what bounds in numbers of 24 bits round away.
    rounding: f64,
    /// Records of a block from which eight pairs are looked at at a time.
    screened_len: usize,
    prior: f64,
    /// The prior against related records, if the model knows them.
    related_prior: Option<f64>,
    /// What comparisons say twice; it only ever takes bits away, so bounds hold without it.
    interactions: Interactions,
    calibration: Option<Calibration>,
    /// Bits before calibration below which a pair cannot reach the review threshold.
    least: f64,
    threshold: Threshold,
    exclusive: Exclusive,
    deterministic: usize,
}

/// What one comparison's levels weigh.
#[derive(Debug)]
struct Table {
    /// Bits of each level against strangers, the missing level first.
    bits: Vec<f64>,
    /// Bits of each level against related records.
    related_bits: Vec<f64>,
    /// Whether relatives differ in this like strangers, so that rarity counts against them too.
    personal: bool,
    /// What values weigh, or little less, that agree in nothing.
    least: f64,
    /// What an equal value adds because it is rarer than the average, by value number.
    rarity: Vec<f32>,
    /// The most that missing, unequal and equal first values can weigh, rarity left out.
    most: [f64; 3],
    /// All bits if the rarity of equal first values adds to that, none if it is in it.
    rarity_mask: u32,
    /// What frequencies add to levels that are asked in SQL, by level; empty for others.
    adjustments: Vec<Option<Adjustment>>,
}

/// The exact weight of one pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairWeight {
    /// The posterior weight in bits, as decisions see it before it is kept in hundredths.
    pub bits: f64,
    /// The level of every comparison.
    pub pattern: LevelPattern,
}

impl<'p> Weigher<'p> {
    /// Lays out value ids by record and weights by level.
    pub fn new(
        prepared: &'p Prepared<'p>,
        comparer: &'p Comparer<'p>,
        plan: &MatchingPlan,
        model: &Model,
        key: &FrequencyKey,
        threshold: Threshold,
    ) -> Self {
        Self::with(prepared, comparer, (plan, model, key), threshold, None)
    }

    /// Does the same for a few records out of many, of which the counts of values are given.
    pub(crate) fn with(
        prepared: &'p Prepared<'p>,
        comparer: &'p Comparer<'p>,
        (plan, model, key): (&MatchingPlan, &Model, &FrequencyKey),
        threshold: Threshold,
        counts: Option<&ValueCounts>,
    ) -> Self {
        let tables: Vec<Table> = plan
            .comparisons
            .iter()
            .zip(&model.comparisons)
            .map(|(comparison, parameters)| {
                let column = prepared.field(comparison.field).column;
                let mut bits = vec![0.0];
                bits.extend(
                    parameters
                        .levels
                        .iter()
                        .map(super::model::LevelParameters::bits),
                );
                let mut related_bits = vec![0.0];
                related_bits.extend(
                    parameters
                        .levels
                        .iter()
                        .map(super::model::LevelParameters::bits_against_related),
                );
                let personal = comparison.scope == Scope::Person;
                let rarity = match &parameters.frequency {
                    Some(table) => rarity(prepared, comparison, table, parameters.levels[0].u, key),
                    None => vec![0.0],
                };
                let rarity_max: f64 = rarity.iter().copied().fold(0.0, f32::max).into();
                let best = |bits: &mut dyn Iterator<Item = f64>| bits.fold(f64::MIN, f64::max);
                let best_any = best(&mut bits[1..].iter().copied()) + rarity_max;
                let levels = comparison.levels.iter().zip(&bits[1..]);
                let levels = levels.filter(|(level, _)| !level.asks_equality_of(comparison.field));
                let best_unequal = levels.map(|(_, bits)| *bits).chain(bits.last().copied());
                let best_unequal = best(&mut best_unequal.into_iter());
                let (adjustments, most, rarity_mask) = match &comparison.conditions {
                    // Of levels asked in SQL the equality of values tells nothing.
                    Some(asked) => {
                        let (adjustments, most) =
                            adjustments_of((prepared, counts), asked, parameters, &bits);
                        (adjustments, [most; 3], 0)
                    }
                    None if column.is_multi_valued() => (Vec::new(), [0.0, best_any, best_any], 0),
                    None if comparison.levels[0].exact => {
                        let is_rare = parameters.frequency.is_some();
                        let mask = if is_rare { u32::MAX } else { 0 };
                        (Vec::new(), [0.0, best_unequal, bits[1]], mask)
                    }
                    None => (Vec::new(), [0.0, best_unequal, best_any], 0),
                };
                let least = bits.last().copied().unwrap_or(0.0) + ROUNDING_BITS;
                Table {
                    bits,
                    related_bits,
                    personal,
                    least,
                    rarity,
                    most,
                    rarity_mask,
                    adjustments,
                }
            })
            .collect();
        let sieves = plan.comparisons.iter().zip(&tables).enumerate();
        let mut sieves: Vec<(usize, Sieve)> = sieves
            .filter(|(_, (comparison, _))| comparison.conditions.is_none())
            .filter_map(|(index, (comparison, table))| {
                Some((
                    index,
                    Sieve::of(prepared, comparison, &table.most_of_levels())?,
                ))
            })
            .collect();
        sieves.sort_by(|(_, a), (_, b)| b.gain().total_cmp(&a.gain()));
        let mut order: Vec<usize> = sieves.iter().map(|(index, _)| *index).collect();
        order.extend((0..tables.len()).filter(|index| sieves.iter().all(|(one, _)| one != index)));
        let sizes = tables.iter().map(Table::largest);
        let rounding = (model.prior_bits().abs() + sizes.sum::<f64>()) * ROUNDED_SHARE;
        Self {
            comparer,
            tables,
            sieves,
            order,
            rounding,
            screened_len: SCREENED_LEN,
            prior: model.prior_bits(),
            related_prior: model.prior_bits_against_related(),
            interactions: Interactions::resolve(&model.interactions, &model.comparisons)
                .unwrap_or_default(),
            calibration: model.calibration,
            least: least_bits(model, threshold),
            threshold,
            exclusive: prepared.exclusive(),
            deterministic: plan.deterministic_count(),
        }
    }

    /// Looks at eight pairs at a time in blocks of so many records or more, where the processor
    /// can: all but [`Weighed::compared`] is the same, and tests hold it to that.
    #[must_use]
    pub fn with_screened_len(mut self, len: usize) -> Self {
        self.screened_len = len;
        self
    }

    /// Returns the posterior weight of a pair in bits, and the deterministic rule that links it
    /// whatever it weighs.
    pub fn judge_pair(&self, a: NodeRow<'_>, b: NodeRow<'_>) -> (f64, Option<usize>) {
        self.judge_pattern(self.comparer.pattern(a, b), a, b)
    }

    /// Does the same for a pair whose levels are known.
    pub(crate) fn judge_pattern(
        &self,
        pattern: LevelPattern,
        a: NodeRow<'_>,
        b: NodeRow<'_>,
    ) -> (f64, Option<usize>) {
        let bits = self.posterior_bits(pattern, a, b);
        match self.comparer.rule_that_links(0, a, b) {
            Some(rule) => (bits.max(MatchWeight::OF_RULE.bits()), Some(rule)),
            None => (bits, None),
        }
    }

    /// Weighs one pair exactly, by the levels and parameters that decide; deterministic rules are not asked.
    pub fn weigh_pair(&self, a: NodeRow<'_>, b: NodeRow<'_>) -> PairWeight {
        let pattern = self.comparer.pattern(a, b);
        let bits = self.posterior_bits(pattern, a, b);
        PairWeight { bits, pattern }
    }

    /// Returns the posterior weight of a pattern: prior, levels, and the rarity of equal values.
    ///
    /// A pair that is no match is of strangers or of relatives, so the odds are those of a match
    /// against both: `M / (U + R)`, in bits the soft minimum of the two weights.
    fn posterior_bits(&self, pattern: LevelPattern, a: NodeRow<'_>, b: NodeRow<'_>) -> f64 {
        let mut bits = self.prior - self.interactions.bits_of(pattern);
        let mut related = self.related_prior.unwrap_or(0.0);
        for (index, table) in self.tables.iter().enumerate() {
            let level = pattern.level(index);
            let rarity = self.rarity(index, level, a, b);
            bits += table.bits[level as usize] + rarity;
            related +=
                table.related_bits[level as usize] + if table.personal { rarity } else { 0.0 };
        }
        let bits = match self.related_prior {
            Some(_) => -((-bits).exp2() + (-related).exp2()).log2(),
            None => bits,
        };
        self.calibration
            .map_or(bits, |calibration| calibration.of(bits))
    }

    fn rarity(&self, comparison: usize, level: u8, a: NodeRow<'_>, b: NodeRow<'_>) -> f64 {
        let table = &self.tables[comparison];
        if let Some(Some(adjustment)) = table.adjustments.get(level as usize) {
            return adjustment.of(a, b);
        }
        if level != 1 || table.rarity.len() == 1 {
            return 0.0;
        }
        let (x, y) = (a.id(comparison), b.id(comparison));
        if x == y {
            f64::from(table.rarity[x as usize])
        } else {
            0.0
        }
    }
}

impl Table {
    /// Returns the size of the largest number that a bound adds up.
    fn largest(&self) -> f64 {
        let rarest = self
            .rarity
            .iter()
            .fold(0.0_f32, |most, bits| most.max(bits.abs()));
        let levels = self.most.iter().chain(&self.bits);
        let most = levels.fold(0.0_f64, |most, bits| most.max(bits.abs()));
        most + f64::from(rarest)
    }

    /// Returns the most that each level weighs, the missing level first.
    fn most_of_levels(&self) -> Vec<f64> {
        let mut most = self.bits.clone();
        most[1] += f64::from(self.rarity.iter().copied().fold(0.0, f32::max));
        most
    }

    /// Returns the most one comparison can weigh for these first values.
    #[inline]
    fn most(&self, x: u32, y: u32) -> f64 {
        // Without a jump, which the processor could not foresee: the rarity of number 0 is 0.
        let present = u32::from(x != 0) & u32::from(y != 0);
        let equal = present & u32::from(x == y);
        let rare = x & self.rarity_mask & equal.wrapping_neg();
        self.most[(present + equal) as usize] + f64::from(self.rarity[rare as usize])
    }
}

/// Returns the bits before calibration that just reach the review threshold.
fn least_bits(model: &Model, threshold: Threshold) -> f64 {
    let calibration = model.calibration;
    let least = calibration.map_or(threshold.review, |line| line.before(threshold.review));
    least - ROUNDING_BITS
}

/// Returns `log2(u / frequency)` of every value: what its equality says beyond that of an average value
/// (Winkler 2000, frequency-based matching).
fn rarity(
    prepared: &Prepared<'_>,
    comparison: &Comparison,
    table: &FrequencyTable,
    u_exact: f64,
    key: &FrequencyKey,
) -> Vec<f32> {
    let dictionary = prepared.field(comparison.field).column.dictionary();
    let rest = (u_exact / table.rest).log2() as f32;
    (0..dictionary.len() as u32)
        .into_par_iter()
        .map(|id| {
            let value = ValueId::new(id);
            if value.is_missing() {
                return 0.0;
            }
            let token = key.token(comparison, dictionary.text(value));
            table
                .frequent
                .get(&token)
                .map_or(rest, |frequency| (u_exact / frequency).log2() as f32)
        })
        .collect()
}

/// Returns a level's name without the texts that a condition in SQL compares values with: they may be
/// values of records, and names of levels go into snapshots. Formats of dates stay.
pub fn without_literals(name: &str) -> String {
    if !name.matches('\'').count().is_multiple_of(2) {
        return name.to_owned();
    }
    let mut kept = String::with_capacity(name.len());
    for (index, part) in name.split('\'').enumerate() {
        if index > 0 {
            kept.push('\'');
        }
        let is_literal = index % 2 == 1 && !part.is_empty() && !part.contains('%');
        kept.push_str(if is_literal { "…" } else { part });
    }
    kept
}

/// Returns the names and weights that explain this model's evidence.
pub fn legend(plan: &MatchingPlan, model: &Model, threshold: Threshold) -> Legend {
    let comparisons = plan.comparisons.iter().zip(&model.comparisons);
    let comparisons = comparisons
        .map(|(comparison, parameters)| {
            let missing = LevelLegend {
                name: "missing".to_owned(),
                weight: MatchWeight::default(),
            };
            let levels = parameters.levels.iter().map(|level| LevelLegend {
                name: without_literals(&level.level),
                weight: MatchWeight::from_bits(level.bits()),
            });
            ComparisonLegend {
                name: comparison.name.clone(),
                levels: std::iter::once(missing).chain(levels).collect(),
            }
        })
        .collect();
    let rules = plan.rules.iter().map(|rule| RuleLegend {
        name: rule.name.clone(),
        kind: if rule.links_when.is_some() {
            RuleKind::Deterministic
        } else {
            RuleKind::Blocking
        },
    });
    Legend {
        comparisons,
        rules: rules.collect(),
        prior: MatchWeight::from_bits(model.prior_bits()),
        link: MatchWeight::from_bits(threshold.link),
        review: MatchWeight::from_bits(threshold.review),
        model: model.digest(),
    }
}
