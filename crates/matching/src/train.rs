//! Training without labels: u from random pairs, m by expectation-maximisation over level patterns.

use std::collections::BTreeMap;

use rayon::prelude::*;
use sameas_graph::LevelPattern;
use sameas_record::ValueId;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::blocking::Blocking;
use crate::compare::Comparer;
use crate::model::{
    ComparisonParameters, FrequencyKey, FrequencyTable, LevelParameters, MODEL_FORMAT, Model,
};
use crate::plan::{BlockingRule, Comparison, MatchingPlan};
use crate::prepared::Prepared;
use crate::rows::GATHER_LEN;
use crate::{Scope, TrainSettings};

/// EM stops when no parameter moves by more than this.
const CONVERGED: f64 = 1e-5;
/// EM stops after this many rounds; what it has learnt by then is used.
const ROUNDS_MAX: usize = 100;
/// Values listed in a frequency table, at most.
const FREQUENT_COUNT_MAX: usize = 10_000;
/// Values listed in a frequency table occur at least this often.
const FREQUENT_LEAST: u32 = 4;
/// Pseudo-count of pairs that keeps unseen levels possible.
const SMOOTHING: f64 = 0.5;
/// How many pairs the guessed m counts for.
const GUESS_PAIRS: f64 = 2.0;
/// A rule with fewer pairs teaches nothing.
const PASS_PAIRS_LEAST: f64 = 20.0;
/// How often u, m and the prior are refined in turn.
const REFINEMENTS: usize = 4;

/// What training saw and how it ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Training {
    /// Random pairs drawn.
    pub random_pairs: u64,
    /// One pass per blocking rule.
    pub passes: Vec<TrainingPass>,
    /// What to be wary of, in words.
    pub warnings: Vec<String>,
}

/// EM over the pairs of one rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrainingPass {
    /// The rule.
    pub rule: String,
    /// Pairs looked at.
    pub pairs: u64,
    /// The share of them that EM takes for matches.
    pub matched: f64,
    /// Rounds until it converged.
    pub rounds: usize,
    /// Whether it converged and its levels order as they should.
    pub used: bool,
}

/// Counts of level patterns, in pattern order; a pattern stands for all pairs that show it.
type Patterns = Vec<(LevelPattern, f64)>;

/// Pairs of one rule: all, and those that no earlier rule makes.
struct RulePatterns {
    all: Patterns,
    owned: Patterns,
    pairs: u64,
}

/// Level probabilities by comparison and level, the missing level left out.
type Levels = Vec<Vec<f64>>;

/// Trains a model on the records in flight.
pub fn train(
    prepared: &Prepared<'_>,
    comparer: &Comparer<'_>,
    blocking: &Blocking<'_>,
    plan: &MatchingPlan,
    settings: &TrainSettings,
    key: &FrequencyKey,
) -> (Model, Training) {
    let mut training = Training::default();
    let total = total_pairs(prepared);
    let random = random_patterns(prepared, comparer, settings);
    training.random_pairs = random.iter().map(|(_, count)| count).sum::<f64>() as u64;
    let observed = observed_u(prepared, plan, &random);
    let rules = rule_patterns(prepared, comparer, blocking, plan, settings);
    let mut classes = Classes::guess(plan, &observed);
    let mut shares = Shares {
        matched: 1.0 / prepared.records.len().max(2) as f64,
        related: 0.0,
    };
    for _ in 0..REFINEMENTS {
        training.passes = classes.fit(plan, &rules);
        shares = estimate_shares(&rules, &classes, total, shares.matched);
        classes.u = corrected_u(&observed, &classes, shares);
        classes.pin_related(plan);
    }
    let Classes { m, u, .. } = &classes;
    warn(&mut training, plan, m, u);
    let comparisons = plan
        .comparisons
        .iter()
        .enumerate()
        .map(|(index, comparison)| ComparisonParameters {
            name: comparison.name.clone(),
            field: plan.schema.field(comparison.field).name.clone(),
            kinds: plan.kinds_of(comparison),
            scope: comparison.scope,
            levels: classes.level_parameters(index, comparison),
            frequency: comparison
                .frequency
                .then(|| frequencies(prepared, comparison, key)),
        })
        .collect();
    let records = prepared.records.len() as u64;
    let model = Model {
        format: MODEL_FORMAT,
        prior: shares.matched,
        related: classes.tells_related.then_some(shares.related.max(1e-15)),
        records,
        key_id: key.id(),
        comparisons,
    };
    (model.rounded(), training)
}

/// Returns how many pairs of records could be one entity.
fn total_pairs(prepared: &Prepared<'_>) -> f64 {
    let pairs = |n: f64| n * (n - 1.0) / 2.0;
    let exclusive = prepared.exclusive_sources();
    let mut same: BTreeMap<u16, f64> = BTreeMap::new();
    for &source in exclusive.iter().filter(|&&s| s != Prepared::SHARED) {
        *same.entry(source).or_default() += 1.0;
    }
    let all = pairs(prepared.records.len() as f64);
    (all - same.values().map(|&n| pairs(n)).sum::<f64>()).max(1.0)
}

/// Draws random pairs by hashing their number, so the sample is the same on every machine.
fn random_patterns(
    prepared: &Prepared<'_>,
    comparer: &Comparer<'_>,
    settings: &TrainSettings,
) -> Patterns {
    let len = prepared.records.len() as u64;
    let exclusive = prepared.exclusive_sources();
    let apart = |a: u64, b: u64| {
        a != b
            && (exclusive.is_empty()
                || exclusive[a as usize] == Prepared::SHARED
                || exclusive[a as usize] != exclusive[b as usize])
    };
    let all = len * len.saturating_sub(1) / 2;
    let exhaustive = all <= settings.random_pairs_max;
    let chunk = 16_384;
    let chunks: Vec<Patterns> = (0..all.min(settings.random_pairs_max).div_ceil(chunk))
        .into_par_iter()
        .map(|part| {
            let draws = part * chunk..all.min(settings.random_pairs_max).min((part + 1) * chunk);
            let drawn = draws.map(|draw| {
                if exhaustive {
                    nth_pair(draw)
                } else {
                    drawn_pair(draw, len, settings.seed)
                }
            });
            let drawn = drawn.filter(|&(a, b)| apart(a, b));
            let nodes: Vec<u32> = drawn.flat_map(|(a, b)| [a as u32, b as u32]).collect();
            let (rows, mut gathered) = (prepared.rows(), Vec::new());
            let mut patterns = Counter::default();
            for nodes in nodes.chunks(GATHER_LEN) {
                rows.gather(nodes, &mut gathered);
                for (pair, nodes) in nodes.as_chunks::<2>().0.iter().enumerate() {
                    let [a, b] = *nodes;
                    let a = rows.within(&gathered, 2 * pair, a);
                    let b = rows.within(&gathered, 2 * pair + 1, b);
                    patterns.add(comparer.pattern(a, b));
                }
            }
            patterns.sorted()
        })
        .collect();
    merge(chunks)
}

/// Returns the `n`-th pair (a, b) with a > b, counting row by row.
fn nth_pair(n: u64) -> (u64, u64) {
    let mut a = (0.5 + (0.25 + 2.0 * n as f64).sqrt()) as u64;
    while a * (a - 1) / 2 > n {
        a -= 1;
    }
    while a * (a + 1) / 2 <= n {
        a += 1;
    }
    (a, n - a * (a - 1) / 2)
}

fn drawn_pair(draw: u64, len: u64, seed: u64) -> (u64, u64) {
    let hash = |salt: u64| xxh3_64_with_seed(&draw.to_le_bytes(), seed.wrapping_mul(2) + salt);
    (hash(0) % len, hash(1) % len)
}

/// Lists the patterns of a chunk, to be counted at its end: sorting words beats hashing them.
#[derive(Default)]
struct Counter(Vec<LevelPattern>);

impl Counter {
    fn add(&mut self, pattern: LevelPattern) {
        self.0.push(pattern);
    }

    fn sorted(mut self) -> Patterns {
        self.0.sort_unstable();
        self.0
            .chunk_by(|a, b| a == b)
            .map(|run| (run[0], run.len() as f64))
            .collect()
    }
}

fn merge(chunks: impl IntoIterator<Item = Patterns>) -> Patterns {
    let mut all: Patterns = chunks.into_iter().flatten().collect();
    all.sort_unstable_by_key(|&(pattern, _)| pattern);
    all.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    all
}

/// Returns the share of each level among random pairs with both values present.
fn observed_u(prepared: &Prepared<'_>, plan: &MatchingPlan, random: &Patterns) -> Levels {
    let comparisons = plan.comparisons.iter().enumerate();
    comparisons
        .map(|(index, comparison)| {
            let mut counts = vec![SMOOTHING; comparison.level_count() - 1];
            for (pattern, count) in random {
                if let level @ 1.. = pattern.level(index) as usize {
                    counts[level - 1] += count;
                }
            }
            let total: f64 = counts.iter().sum();
            let mut shares: Vec<f64> = counts.iter().map(|count| count / total).collect();
            let column = prepared.field(comparison.field).column;
            if comparison.levels[0].exact
                && !column.is_multi_valued()
                && let Some(exact) = chance_of_equality(&column.counts())
            {
                let others: f64 = shares[1..].iter().sum();
                shares[1..]
                    .iter_mut()
                    .for_each(|s| *s *= (1.0 - exact) / others);
                shares[0] = exact;
            }
            shares
        })
        .collect()
}

/// Returns the chance that two records drawn at random have equal values, exactly.
fn chance_of_equality(counts: &[u32]) -> Option<f64> {
    let present: f64 = counts[1..].iter().map(|&c| f64::from(c)).sum();
    let equal: f64 = counts[1..]
        .iter()
        .map(|&c| f64::from(c) * (f64::from(c) - 1.0))
        .sum();
    (present >= 2.0).then(|| (equal.max(1.0) / (present * (present - 1.0))).min(0.999))
}

/// Takes the pairs of matches and of relatives out of what random pairs showed.
fn corrected_u(observed: &Levels, classes: &Classes, shares: Shares) -> Levels {
    let correct = |c: usize| {
        let levels = 0..observed[c].len();
        let left: Vec<f64> = levels
            .map(|l| {
                let others =
                    shares.matched * classes.m[c][l] + shares.related * classes.related[c][l];
                (observed[c][l] - others).max(observed[c][l] * 0.05)
            })
            .collect();
        let total: f64 = left.iter().sum();
        left.iter()
            .map(|share| (share / total).max(1e-12))
            .collect()
    };
    (0..observed.len()).map(correct).collect()
}

/// Looks at the pairs of every rule, or at a sample of its blocks if there are many.
fn rule_patterns(
    prepared: &Prepared<'_>,
    comparer: &Comparer<'_>,
    blocking: &Blocking<'_>,
    plan: &MatchingPlan,
    settings: &TrainSettings,
) -> Vec<RulePatterns> {
    let exclusive = prepared.exclusive_sources();
    let apart = |a: u32, b: u32| {
        a != b
            && (exclusive.is_empty()
                || exclusive[a as usize] == Prepared::SHARED
                || exclusive[a as usize] != exclusive[b as usize])
    };
    let share = settings.candidate_pairs_max / plan.rules.len().max(1) as u64;
    let rules = blocking.costs().iter().enumerate();
    rules
        .map(|(rule, cost)| {
            let fraction = (share as f64 / cost.pairs.max(1) as f64).min(1.0);
            let parts = blocking.map_blocks(
                rule,
                || (Counter::default(), Counter::default(), 0u64),
                |(all, owned, pairs), block| {
                    if block.sample(settings.seed) >= fraction {
                        return;
                    }
                    for (i, a) in block.rows().enumerate() {
                        let later = block.rows().skip(i + 1);
                        for b in later.filter(|b| apart(a.node, b.node)) {
                            let pattern = comparer.pattern(a, b);
                            all.add(pattern);
                            *pairs += 1;
                            if blocking.owns(&block, a, b) {
                                owned.add(pattern);
                            }
                        }
                    }
                },
            );
            let pairs = parts.iter().map(|(.., pairs)| pairs).sum();
            let (mut all, mut owned) = (Vec::new(), Vec::new());
            for (part_all, part_owned, _) in parts {
                all.push(part_all.sorted());
                owned.push(part_owned.sorted());
            }
            let (mut all, mut owned) = (merge(all), merge(owned));
            all.iter_mut()
                .chain(&mut owned)
                .for_each(|(_, count)| *count /= fraction);
            RulePatterns { all, owned, pairs }
        })
        .collect()
}

/// Returns m as one would guess it: better levels are likelier between records of one entity.
fn initial_m(plan: &MatchingPlan) -> Levels {
    let of = |comparison: &Comparison| {
        let between = comparison.levels.len() as f64 - 1.0;
        let mut m = vec![0.8];
        m.extend(comparison.levels[1..].iter().map(|_| 0.15 / between));
        m.push(if between > 0.0 { 0.05 } else { 0.2 });
        m
    };
    plan.comparisons.iter().map(of).collect()
}

/// How likely each level is in each kind of pair.
struct Classes {
    /// Between records of one entity.
    m: Levels,
    /// Between strangers.
    u: Levels,
    /// Between records of related entities.
    related: Levels,
    tells_related: bool,
}

/// How likely each kind of pair is among random pairs; the rest are strangers.
#[derive(Clone, Copy)]
struct Shares {
    matched: f64,
    related: f64,
}

/// One rule's pairs, as EM sees them: its own fields say nothing there.
struct Pass<'r> {
    patterns: &'r Patterns,
    included: Vec<usize>,
    /// The shares of matches, relatives and strangers.
    mix: [f64; 3],
}

impl Classes {
    fn guess(plan: &MatchingPlan, observed: &Levels) -> Self {
        let m = initial_m(plan);
        let mut classes = Self {
            related: m.clone(),
            m,
            u: observed.clone(),
            tells_related: plan.tells_related(),
        };
        classes.pin_related(plan);
        classes
    }

    /// Relatives differ like strangers in what is a person's own.
    fn pin_related(&mut self, plan: &MatchingPlan) {
        for (index, comparison) in plan.comparisons.iter().enumerate() {
            if comparison.scope == Scope::Person {
                self.related[index].clone_from(&self.u[index]);
            }
        }
    }

    /// Runs EM over the pairs of all rules together: one m and one kind of relatives, but shares
    /// of their own for each rule (Winkler 1988; Jaro 1989; Larsen and Rubin 2001 for more than
    /// two classes). u is known, and missing levels say nothing.
    fn fit(&mut self, plan: &MatchingPlan, rules: &[RulePatterns]) -> Vec<TrainingPass> {
        let mut passes: Vec<Pass<'_>> = plan
            .rules
            .iter()
            .zip(rules)
            .map(|(rule, patterns)| self.pass(plan, rule, patterns))
            .collect();
        let mut rounds = 0;
        while rounds < ROUNDS_MAX {
            rounds += 1;
            if self.round(plan, &mut passes) < CONVERGED {
                break;
            }
        }
        let reports = plan.rules.iter().zip(rules).zip(&passes);
        reports
            .map(|((rule, patterns), pass)| TrainingPass {
                rule: rule.name.clone(),
                pairs: patterns.pairs,
                matched: pass.mix[0],
                rounds,
                used: pass.usable() && ordered(&pass.included, &self.m, &self.u),
            })
            .collect()
    }

    fn pass<'r>(
        &self,
        plan: &MatchingPlan,
        rule: &BlockingRule,
        patterns: &'r RulePatterns,
    ) -> Pass<'r> {
        let fields: Vec<_> = rule.parts.iter().map(|part| part.field).collect();
        let included: Vec<usize> = (0..plan.comparisons.len())
            .filter(|&c| !touches(&plan.comparisons[c], &fields))
            .collect();
        let personal = included
            .iter()
            .any(|&c| plan.comparisons[c].scope == Scope::Person);
        // Without a person's own fields relatives look like matches; then there are none in this pass.
        let mix = if self.tells_related && personal {
            [0.5, 0.25, 0.25]
        } else {
            [0.5, 0.0, 0.5]
        };
        Pass {
            patterns: &patterns.all,
            included,
            mix,
        }
    }

    /// One round of EM; returns the largest move of a parameter.
    fn round(&mut self, plan: &MatchingPlan, passes: &mut [Pass<'_>]) -> f64 {
        // The guess counts as a few pairs, so that a comparison that no pass could learn keeps it.
        let mut matched: Levels = initial_m(plan);
        matched.iter_mut().flatten().for_each(|m| *m *= GUESS_PAIRS);
        let mut related = matched.clone();
        let mut moved: f64 = 0.0;
        let expected: Vec<Expected> = passes.par_iter().map(|pass| self.expect(pass)).collect();
        for (pass, expected) in passes.iter_mut().zip(expected) {
            let total: f64 = expected.sums.iter().sum();
            if total <= 0.0 {
                continue;
            }
            add(&mut matched, &expected.matched);
            add(&mut related, &expected.related);
            for (mix, sum) in pass.mix.iter_mut().zip(expected.sums) {
                moved = moved.max((sum / total - *mix).abs());
                *mix = sum / total;
            }
        }
        for (index, comparison) in plan.comparisons.iter().enumerate() {
            moved = moved.max(settle(&mut self.m[index], &matched[index]));
            if comparison.scope != Scope::Person {
                moved = moved.max(settle(&mut self.related[index], &related[index]));
            }
        }
        moved
    }

    /// Returns how many pairs of a pass are expected to be of each kind, and at which levels.
    fn expect(&self, pass: &Pass<'_>) -> Expected {
        let zeros: Levels = self.m.iter().map(|m| vec![0.0; m.len()]).collect();
        let mut expected = Expected {
            sums: [0.0; 3],
            matched: zeros.clone(),
            related: zeros,
        };
        if !pass.usable() {
            return expected;
        }
        for &(pattern, count) in pass.patterns {
            let shares = self.shares_of(pattern, &pass.included, pass.mix);
            for (sum, share) in expected.sums.iter_mut().zip(shares) {
                *sum += share * count;
            }
            for &c in &pass.included {
                if let level @ 1.. = pattern.level(c) as usize {
                    expected.matched[c][level - 1] += shares[0] * count;
                    expected.related[c][level - 1] += shares[1] * count;
                }
            }
        }
        expected
    }

    /// Returns how likely a pattern is of a match, of relatives, of strangers.
    fn shares_of(&self, pattern: LevelPattern, included: &[usize], mix: [f64; 3]) -> [f64; 3] {
        let mut odds = mix;
        for &c in included {
            if let level @ 1.. = pattern.level(c) as usize {
                odds[0] *= self.m[c][level - 1];
                odds[1] *= self.related[c][level - 1];
                odds[2] *= self.u[c][level - 1];
            }
        }
        let total: f64 = odds.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        odds.map(|o| o / total)
    }

    fn level_parameters(&self, index: usize, comparison: &Comparison) -> Vec<LevelParameters> {
        let names = comparison.level_names().into_iter().skip(1).enumerate();
        names
            .map(|(l, level)| LevelParameters {
                level,
                m: self.m[index][l],
                u: self.u[index][l],
                related: self.tells_related.then_some(self.related[index][l]),
            })
            .collect()
    }
}

/// What one pass expects.
struct Expected {
    sums: [f64; 3],
    matched: Levels,
    related: Levels,
}

fn add(sums: &mut Levels, more: &Levels) {
    for (sum, more) in sums.iter_mut().flatten().zip(more.iter().flatten()) {
        *sum += more;
    }
}

impl Pass<'_> {
    fn usable(&self) -> bool {
        self.included.len() >= 2
            && self.patterns.iter().map(|(_, count)| count).sum::<f64>() >= PASS_PAIRS_LEAST
    }
}

/// Moves probabilities to their shares of the sums; returns the largest move.
fn settle(probabilities: &mut [f64], sums: &[f64]) -> f64 {
    let total: f64 = sums.iter().sum();
    let mut moved: f64 = 0.0;
    for (probability, sum) in probabilities.iter_mut().zip(sums) {
        let next = (sum / total).max(1e-9);
        moved = moved.max((next - *probability).abs());
        *probability = next;
    }
    moved
}

fn touches(comparison: &Comparison, fields: &[sameas_record::FieldId]) -> bool {
    let clauses = comparison.levels.iter().flat_map(|level| &level.clauses);
    fields.contains(&comparison.field)
        || clauses
            .into_iter()
            .any(|c| fields.contains(&c.field) || fields.contains(&c.other))
}

/// Guards against switched labels: equality must speak for a match in most comparisons.
fn ordered(included: &[usize], m: &Levels, u: &Levels) -> bool {
    let speaks_for = included.iter().filter(|&&c| m[c][0] > u[c][0]).count();
    2 * speaks_for > included.len()
}

/// Finds the shares at which the matches and relatives expected among all candidate pairs are those they say there are.
fn estimate_shares(rules: &[RulePatterns], classes: &Classes, total: f64, start: f64) -> Shares {
    let all: Vec<usize> = (0..classes.m.len()).collect();
    let related = if classes.tells_related { start } else { 0.0 };
    let mut shares = Shares {
        matched: start,
        related,
    };
    for _ in 0..ROUNDS_MAX {
        let mix = [
            shares.matched,
            shares.related,
            1.0 - shares.matched - shares.related,
        ];
        let mut sums = [0.0; 2];
        for (pattern, count) in rules.iter().flat_map(|rule| &rule.owned) {
            let of = classes.shares_of(*pattern, &all, mix);
            sums[0] += of[0] * count;
            sums[1] += of[1] * count;
        }
        let next = Shares {
            matched: (sums[0] / total).clamp(1e-15, 0.45),
            related: (sums[1] / total).clamp(0.0, 0.45),
        };
        let moved = (next.matched / shares.matched - 1.0)
            .abs()
            .max((next.related - shares.related).abs() / next.related.max(1e-15));
        shares = next;
        if moved < CONVERGED {
            break;
        }
    }
    shares
}

fn warn(training: &mut Training, plan: &MatchingPlan, m: &Levels, u: &Levels) {
    for (index, comparison) in plan.comparisons.iter().enumerate() {
        if m[index][0] <= u[index][0] {
            training.warnings.push(format!(
                "comparison `{}`: equal values are no likelier between records of one entity; is the field informative?",
                comparison.name
            ));
        }
    }
    if training.passes.iter().all(|pass| !pass.used) {
        training.warnings.push(
            "no blocking rule gave enough pairs to learn m from; the weights are guesses: add blocking rules on different fields".to_owned(),
        );
    }
}

fn frequencies(
    prepared: &Prepared<'_>,
    comparison: &Comparison,
    key: &FrequencyKey,
) -> FrequencyTable {
    let column = prepared.field(comparison.field).column;
    let counts = column.counts();
    let total = counts[1..]
        .iter()
        .map(|&c| f64::from(c))
        .sum::<f64>()
        .max(1.0);
    let mut frequent: Vec<(u32, &str)> = column
        .dictionary()
        .values()
        .map(|(value, text): (ValueId, &str)| (counts[value.index()], text))
        .filter(|&(count, _)| count >= FREQUENT_LEAST)
        .collect();
    frequent.par_sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    frequent.truncate(FREQUENT_COUNT_MAX);
    let listed: f64 = frequent.iter().map(|&(count, _)| f64::from(count)).sum();
    let distinct = counts[1..].iter().filter(|&&c| c > 0).count();
    let unlisted = (distinct - frequent.len()).max(1) as f64;
    FrequencyTable {
        rest: ((total - listed).max(1.0) / unlisted / total).min(1.0),
        frequent: frequent
            .into_iter()
            .map(|(count, text)| (key.token(comparison, text), f64::from(count) / total))
            .collect(),
    }
}
