//! The weight of candidate pairs, and the evidence that is worth keeping.
//!
//! Cost: two rows of value ids at hand and three table look-ups for eight comparisons bound the
//! weight of a pair; a kernel runs only while the bound still reaches the review threshold. The bound never
//! refuses a pair that would have reached it.

mod adjustment;
mod bound;

use rayon::prelude::*;
use sameas_graph::{
    ComparisonLegend, Decision, Evidence, Legend, LevelLegend, LevelPattern, MatchWeight, NodeId,
    RuleId, RuleKind, RuleLegend,
};
use sameas_record::ValueId;

use self::adjustment::{Adjustment, adjustments_of};
use self::bound::BoundTables;
use crate::blocking::{Blocking, Blocks};
use crate::compare::Comparer;
use crate::find::ValueCounts;
use crate::model::{Calibration, FrequencyKey, FrequencyTable, Interactions, Model};
use crate::plan::{Comparison, MatchingPlan};
use crate::prepared::{Exclusive, Prepared};
use crate::rows::{Agreement, NodeRow};
use crate::sieve::Sieve;
use crate::{DecideSettings, Scope};

/// Bounds are sums in another order than weights; this covers the difference.
const ROUNDING_BITS: f64 = 1e-6;

/// How many pairs are weighed between two words about it.
const PAIRS_TOLD: u64 = 1 << 16;

/// Pairs whose values are asked of memory before the first is read.
const PROMISING_LEN: usize = 64;

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
    /// The most bits a pair of unequal present values can win.
    best_unequal: f64,
    /// What an equal value adds because it is rarer than the average, by value number.
    rarity: Vec<f32>,
    /// The most that missing, unequal and equal first values can weigh, rarity left out.
    most: [f64; 3],
    /// All bits if the rarity of equal first values adds to that, none if it is in it.
    rarity_mask: u32,
    exact_first: bool,
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
                // Of levels asked in SQL the equality of values tells nothing.
                let exact_first = comparison.conditions.is_none() && comparison.levels[0].exact;
                let unequal = if exact_first { 2 } else { 1 };
                let best_unequal = bits[unequal..].iter().copied().fold(f64::MIN, f64::max);
                let rarity = match &parameters.frequency {
                    Some(table) => rarity(prepared, comparison, table, parameters.levels[0].u, key),
                    None => vec![0.0],
                };
                let rarity_max: f64 = rarity.iter().copied().fold(0.0, f32::max).into();
                let decided = exact_first && !column.is_multi_valued();
                let most_any = best_unequal.max(bits[1]) + rarity_max;
                let (most, rarity_mask) = match decided {
                    true if parameters.frequency.is_some() => {
                        ([0.0, best_unequal, bits[1]], u32::MAX)
                    }
                    true => ([0.0, best_unequal, bits[1]], 0),
                    false => ([0.0, most_any, most_any], 0),
                };
                let (adjustments, most, rarity_mask) = match &comparison.conditions {
                    Some(asked) => {
                        let (adjustments, most) =
                            adjustments_of((prepared, counts), asked, parameters, &bits);
                        (adjustments, [most; 3], 0)
                    }
                    None => (Vec::new(), most, rarity_mask),
                };
                Table {
                    bits,
                    related_bits,
                    personal,
                    best_unequal,
                    rarity,
                    most,
                    rarity_mask,
                    exact_first,
                    adjustments,
                }
            })
            .collect();
        let sieves = plan.comparisons.iter().zip(&tables).enumerate();
        let mut sieves: Vec<(usize, Sieve)> = sieves
            .filter(|(_, (_, table))| table.exact_first)
            .filter_map(|(index, (comparison, table))| {
                Some((index, Sieve::of(prepared, comparison, &table.bits)?))
            })
            .collect();
        sieves.sort_by(|(_, a), (_, b)| b.gain().total_cmp(&a.gain()));
        Self {
            comparer,
            tables,
            sieves,
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

    /// Weighs every candidate pair and keeps what reaches the review threshold.
    ///
    /// `advance` is told, now and then, how many more pairs of blocks were looked at; together
    /// they are the pairs that [`Blocking::costs`] predicts.
    pub fn weigh_all(
        &self,
        blocking: &Blocking<'_>,
        rule_count: usize,
        advance: &(dyn Fn(u64) + Sync),
    ) -> Weighed {
        let mut weighed = Weighed::default();
        let mut found: Vec<Vec<Evidence>> = Vec::new();
        let bounds = BoundTables::new(self.prior, &self.tables);
        // A pair for which a deterministic rule holds shares that rule's key, so its first rule is
        // no later one, unless the block was too large and refining it did not make the pair, or
        // the record has too many keys.
        let mut costs = blocking.costs()[..self.deterministic].iter();
        let hot = costs.position(|cost| cost.hot_count > 0 || cost.cut_records > 0);
        for rule in 0..rule_count {
            let asked_from = hot.map_or(rule, |hot| hot.min(rule));
            let parts = blocking.map_batches(rule, Part::default, |part, blocks| {
                self.weigh_blocks(blocking, (blocks, &bounds), asked_from, part);
                part.untold += blocks.iter().map(|block| block.pairs).sum::<u64>();
                if part.untold >= PAIRS_TOLD {
                    advance(std::mem::take(&mut part.untold));
                }
            });
            advance(parts.iter().map(|part| part.untold).sum());
            weighed
                .pairs_of_rule
                .push(parts.iter().map(|p| p.pairs).sum());
            weighed.compared += parts.iter().map(|p| p.compared).sum::<u64>();
            found.extend(parts.into_iter().map(|p| p.evidence));
        }
        weighed.evidence = found.concat();
        weighed
            .evidence
            .par_sort_unstable_by_key(|e| (e.left, e.right));
        weighed
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

    /// Weighs the pairs that these blocks made first; deterministic rules are asked from another one on.
    ///
    /// What a pair's kernels will read is asked of memory when the pair is found, and read when
    /// many pairs are.
    fn weigh_blocks(
        &self,
        blocking: &Blocking<'_>,
        (blocks, bounds): (Blocks<'_>, &BoundTables),
        asked_from: usize,
        part: &mut Part,
    ) {
        let mut promising = Vec::with_capacity(PROMISING_LEN);
        for block in blocks.iter() {
            for (i, a) in block.rows().enumerate() {
                for b in block.rows().skip(i + 1) {
                    let agreement = a.agreement(b);
                    if !self.exclusive.may_pair(a.node, b.node)
                        || !blocking.owns_agreeing(&block, (a, b), agreement)
                    {
                        continue;
                    }
                    part.pairs += 1;
                    if let Some(pair) = self.promise(asked_from, (a, b), (agreement, bounds)) {
                        self.comparer.prefetch(a, b);
                        promising.push(pair);
                    }
                }
                if promising.len() >= PROMISING_LEN {
                    self.weigh_promising(blocks.rule, &mut promising, part);
                }
            }
        }
        self.weigh_promising(blocks.rule, &mut promising, part);
    }

    /// Returns a pair with the most it can weigh and the deterministic rule that links it, unless
    /// it can be seen from rows that the pair stays below the review threshold.
    fn promise<'b>(
        &self,
        asked_from: usize,
        (a, b): (NodeRow<'b>, NodeRow<'b>),
        (agreement, bounds): (Agreement, &BoundTables),
    ) -> Option<Promising<'b>> {
        let linked = (asked_from < self.deterministic)
            .then(|| self.comparer.rule_that_links(asked_from, a, b))
            .flatten();
        let bound = match linked {
            Some(_) => f64::MAX,
            None => self.bound((a, b), agreement, bounds)?,
        };
        Some(Promising {
            a,
            b,
            bound,
            linked,
        })
    }

    fn weigh_promising(&self, rule: usize, pairs: &mut Vec<Promising<'_>>, part: &mut Part) {
        part.compared += pairs.len() as u64;
        for pair in pairs.drain(..) {
            part.evidence.extend(self.weigh(rule, pair));
        }
    }

    fn weigh(&self, rule: usize, pair: Promising<'_>) -> Option<Evidence> {
        let Promising {
            a,
            b,
            bound,
            linked,
        } = pair;
        let pattern = match linked {
            Some(_) => self.comparer.pattern(a, b),
            None => self.pattern_while_reachable(a, b, bound)?,
        };
        let bits = self.posterior_bits(pattern, a, b);
        let decision = match linked {
            Some(_) => Decision::Link,
            None if bits >= self.threshold.link => Decision::Link,
            None if bits >= self.threshold.review => Decision::Review,
            None => return None,
        };
        let bits = if linked.is_some() {
            bits.max(MatchWeight::OF_RULE.bits())
        } else {
            bits
        };
        Some(Evidence {
            left: NodeId::new(a.node.min(b.node)),
            right: NodeId::new(a.node.max(b.node)),
            weight: MatchWeight::from_bits(bits),
            rule: RuleId::new(linked.unwrap_or(rule) as u8),
            pattern,
            decision,
        })
    }

    /// Returns the most a pair can weigh by which values are equal, unless that, or what rows show
    /// beside it, is below the review threshold.
    fn bound(
        &self,
        (a, b): (NodeRow<'_>, NodeRow<'_>),
        agreement: Agreement,
        bounds: &BoundTables,
    ) -> Option<f64> {
        let bound = bounds.reach(&self.tables, a, agreement, self.least)?;
        let mut left = bound;
        for (index, sieve) in &self.sieves {
            if agreement.unequal >> index & 1 == 1 {
                left += sieve.most(a, b) - self.tables[*index].best_unequal;
                if left < self.least {
                    return None;
                }
            }
        }
        Some(bound)
    }

    /// Returns the pattern, unless the weight turns out to stay below the review threshold.
    fn pattern_while_reachable(
        &self,
        a: NodeRow<'_>,
        b: NodeRow<'_>,
        mut bound: f64,
    ) -> Option<LevelPattern> {
        let mut pattern = LevelPattern::default();
        for (index, table) in self.tables.iter().enumerate() {
            let level = self.comparer.level(index, a, b);
            pattern = pattern.with(index, level);
            let rarity = self.rarity(index, level, a, b);
            bound += table.bits[level as usize] + rarity - table.most(a.id(index), b.id(index));
            if bound < self.least {
                return None;
            }
        }
        Some(pattern)
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

#[derive(Debug, Default)]
struct Part {
    evidence: Vec<Evidence>,
    pairs: u64,
    compared: u64,
    /// Pairs of blocks that nobody was told of yet.
    untold: u64,
}

/// Returns the bits before calibration that just reach the review threshold.
fn least_bits(model: &Model, threshold: Threshold) -> f64 {
    let calibration = model.calibration;
    let least = calibration.map_or(threshold.review, |line| line.before(threshold.review));
    least - ROUNDING_BITS
}

/// A pair that rows alone could not refuse.
#[derive(Clone, Copy, Debug)]
struct Promising<'b> {
    a: NodeRow<'b>,
    b: NodeRow<'b>,
    /// The most it can weigh, if no rule links it.
    bound: f64,
    /// The deterministic rule that links it.
    linked: Option<usize>,
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
