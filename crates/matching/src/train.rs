//! Training without labels: u from random pairs, m by expectation-maximisation over level patterns.

use std::collections::BTreeMap;

use rayon::prelude::*;
use sameas_graph::LevelPattern;
use sameas_record::ValueId;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::TrainSettings;
use crate::blocking::Blocking;
use crate::compare::Comparer;
use crate::model::{
    ComparisonParameters, FrequencyKey, FrequencyTable, LevelParameters, MODEL_FORMAT, Model,
};
use crate::plan::{Comparison, MatchingPlan};
use crate::prepared::Prepared;

/// EM stops when no parameter moves by more than this.
const CONVERGED: f64 = 1e-6;
/// EM stops after this many rounds.
const ROUNDS_MAX: usize = 500;
/// Values listed in a frequency table, at most.
const FREQUENT_COUNT_MAX: usize = 10_000;
/// Values listed in a frequency table occur at least this often.
const FREQUENT_LEAST: u32 = 4;
/// Pseudo-count of pairs that keeps unseen levels possible.
const SMOOTHING: f64 = 0.5;
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

/// Counts of level patterns; a pattern stands for all pairs that show it.
type Patterns = BTreeMap<LevelPattern, f64>;

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
    training.random_pairs = random.values().sum::<f64>() as u64;
    let observed = observed_u(prepared, plan, &random);
    let rules = rule_patterns(prepared, comparer, blocking, plan, settings);
    let mut u = observed.clone();
    let mut m = initial_m(plan);
    let mut prior = 1.0 / prepared.records.len().max(2) as f64;
    for _ in 0..REFINEMENTS {
        training.passes.clear();
        m = estimate_m(plan, &rules, &u, &mut training.passes);
        prior = estimate_prior(&rules, &m, &u, total, prior);
        u = corrected_u(&observed, &m, prior);
    }
    warn(&mut training, plan, &m, &u);
    let comparisons = plan
        .comparisons
        .iter()
        .enumerate()
        .map(|(index, comparison)| ComparisonParameters {
            name: comparison.name.clone(),
            levels: level_parameters(comparison, &m[index], &u[index]),
            frequency: comparison.frequency.then(|| frequencies(prepared, comparison, key)),
        })
        .collect();
    let records = prepared.records.len() as u64;
    let model = Model { format: MODEL_FORMAT, prior, records, key_id: key.id(), comparisons };
    (model, training)
}

fn level_parameters(comparison: &Comparison, m: &[f64], u: &[f64]) -> Vec<LevelParameters> {
    let names = comparison.level_names().into_iter().skip(1);
    names.zip(m.iter().zip(u)).map(|(level, (&m, &u))| LevelParameters { level, m, u }).collect()
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
            let mut patterns = Counter::default();
            for draw in part * chunk..all.min(settings.random_pairs_max).min((part + 1) * chunk) {
                let (a, b) = if exhaustive { nth_pair(draw) } else { drawn_pair(draw, len, settings.seed) };
                if apart(a, b) {
                    patterns.add(comparer.pattern(a as u32, b as u32));
                }
            }
            patterns.sorted()
        })
        .collect();
    merge(chunks)
}

/// Returns the `n`-th pair (a, b) with a > b, counting row by row.
fn nth_pair(n: u64) -> (u64, u64) {
    let mut a = ((1.0 + (1.0 + 8.0 * n as f64).sqrt()) / 2.0) as u64;
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

/// Counts patterns while a chunk is read.
#[derive(Default)]
struct Counter(hashbrown::HashMap<LevelPattern, f64, std::hash::BuildHasherDefault<std::hash::DefaultHasher>>);

impl Counter {
    fn add(&mut self, pattern: LevelPattern) {
        *self.0.entry(pattern).or_default() += 1.0;
    }

    fn sorted(self) -> Patterns {
        self.0.into_iter().collect()
    }
}

fn merge(chunks: impl IntoIterator<Item = Patterns>) -> Patterns {
    let mut merged = Patterns::new();
    for (pattern, count) in chunks.into_iter().flatten() {
        *merged.entry(pattern).or_default() += count;
    }
    merged
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
            if comparison.levels[0].exact && !column.is_multi_valued() {
                if let Some(exact) = chance_of_equality(&column.counts()) {
                    let others: f64 = shares[1..].iter().sum();
                    shares[1..].iter_mut().for_each(|s| *s *= (1.0 - exact) / others);
                    shares[0] = exact;
                }
            }
            shares
        })
        .collect()
}

/// Returns the chance that two records drawn at random have equal values, exactly.
fn chance_of_equality(counts: &[u32]) -> Option<f64> {
    let present: f64 = counts[1..].iter().map(|&c| f64::from(c)).sum();
    let equal: f64 = counts[1..].iter().map(|&c| f64::from(c) * (f64::from(c) - 1.0)).sum();
    (present >= 2.0).then(|| (equal.max(1.0) / (present * (present - 1.0))).min(0.999))
}

/// Takes the pairs of matches out of what random pairs showed.
fn corrected_u(observed: &Levels, m: &Levels, prior: f64) -> Levels {
    let correct = |(observed, m): (&Vec<f64>, &Vec<f64>)| {
        let left = observed.iter().zip(m).map(|(o, m)| (o - prior * m).max(o * 0.05));
        let left: Vec<f64> = left.collect();
        let total: f64 = left.iter().sum();
        left.iter().map(|share| (share / total).max(1e-12)).collect()
    };
    observed.iter().zip(m).map(correct).collect()
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
                    for (i, &a) in block.nodes.iter().enumerate() {
                        for &b in block.nodes[i + 1..].iter().filter(|&&b| apart(a, b)) {
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
            all.values_mut().chain(owned.values_mut()).for_each(|count| *count /= fraction);
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

/// Runs EM within the pairs of each rule, where u is known and the rule's own fields say nothing.
fn estimate_m(
    plan: &MatchingPlan,
    rules: &[RulePatterns],
    u: &Levels,
    passes: &mut Vec<TrainingPass>,
) -> Levels {
    let initial = initial_m(plan);
    let mut sums: Levels = initial.iter().map(|m| vec![0.0; m.len()]).collect();
    for (rule, patterns) in plan.rules.iter().zip(rules) {
        let fields: Vec<_> = rule.parts.iter().map(|part| part.field).collect();
        let included: Vec<usize> = (0..plan.comparisons.len())
            .filter(|&c| !touches(&plan.comparisons[c], &fields))
            .collect();
        let mut pass = TrainingPass { rule: rule.name.clone(), pairs: patterns.pairs, ..TrainingPass::default() };
        if included.len() >= 2 && patterns.pairs >= 20 {
            let fit = expectation_maximisation(&patterns.all, &included, &initial, u);
            pass.rounds = fit.rounds;
            pass.matched = fit.matched;
            pass.used = fit.rounds < ROUNDS_MAX && ordered(&included, &fit.m, u);
            let weight = fit.matched * patterns.all.values().sum::<f64>();
            for &c in included.iter().filter(|_| pass.used) {
                let present = fit.present[c] * weight;
                sums[c].iter_mut().zip(&fit.m[c]).for_each(|(sum, m)| *sum += m * present);
            }
        }
        passes.push(pass);
    }
    // The guess counts as a few pairs, so that a comparison that no pass could learn keeps it.
    let blend = |(sum, guess): (&Vec<f64>, &Vec<f64>)| {
        let total: f64 = sum.iter().sum::<f64>() + 2.0;
        sum.iter().zip(guess).map(|(s, g)| ((s + 2.0 * g) / total).max(1e-9)).collect()
    };
    sums.iter().zip(&initial).map(blend).collect()
}

fn touches(comparison: &Comparison, fields: &[sameas_record::FieldId]) -> bool {
    let clauses = comparison.levels.iter().flat_map(|level| &level.clauses);
    fields.contains(&comparison.field)
        || clauses.into_iter().any(|c| fields.contains(&c.field) || fields.contains(&c.other))
}

struct Fit {
    m: Levels,
    /// The share of matched pairs that have both values, by comparison.
    present: Vec<f64>,
    matched: f64,
    rounds: usize,
}

/// EM for a mixture of matches and others with independent levels and known u
/// (Winkler 1988; Jaro 1989). Missing levels say nothing.
fn expectation_maximisation(
    patterns: &Patterns,
    included: &[usize],
    initial: &Levels,
    u: &Levels,
) -> Fit {
    let total: f64 = patterns.values().sum();
    let mut fit = Fit {
        m: initial.clone(),
        present: vec![0.0; initial.len()],
        matched: 0.5,
        rounds: ROUNDS_MAX,
    };
    for round in 0..ROUNDS_MAX {
        let mut sums: Levels = fit.m.iter().map(|m| vec![1e-6; m.len()]).collect();
        let mut matched = 0.0;
        for (pattern, count) in patterns {
            let mut odds = fit.matched / (1.0 - fit.matched);
            for &c in included {
                if let level @ 1.. = pattern.level(c) as usize {
                    odds *= fit.m[c][level - 1] / u[c][level - 1];
                }
            }
            let expected = count * odds / (1.0 + odds);
            matched += expected;
            for &c in included {
                if let level @ 1.. = pattern.level(c) as usize {
                    sums[c][level - 1] += expected;
                }
            }
        }
        let mut moved = (matched / total - fit.matched).abs();
        fit.matched = (matched / total).clamp(1e-9, 1.0 - 1e-9);
        for &c in included {
            let sum: f64 = sums[c].iter().sum();
            fit.present[c] = sum / matched.max(1e-9);
            for (m, s) in fit.m[c].iter_mut().zip(&sums[c]) {
                moved = moved.max((s / sum - *m).abs());
                *m = s / sum;
            }
        }
        if moved < CONVERGED {
            fit.rounds = round + 1;
            break;
        }
    }
    fit
}

/// Guards against switched labels: equality must speak for a match in most comparisons.
fn ordered(included: &[usize], m: &Levels, u: &Levels) -> bool {
    let speaks_for = included.iter().filter(|&&c| m[c][0] > u[c][0]).count();
    2 * speaks_for > included.len()
}

/// Finds the prior at which the expected matches among all candidate pairs are those it says there are.
fn estimate_prior(rules: &[RulePatterns], m: &Levels, u: &Levels, total: f64, start: f64) -> f64 {
    let mut ratios: Vec<(f64, f64)> = Vec::new();
    for (pattern, count) in rules.iter().flat_map(|rule| &rule.owned) {
        let mut ratio = 1.0;
        for c in 0..m.len() {
            if let level @ 1.. = pattern.level(c) as usize {
                ratio *= m[c][level - 1] / u[c][level - 1];
            }
        }
        ratios.push((ratio, *count));
    }
    let mut prior = start;
    for _ in 0..ROUNDS_MAX {
        let odds = prior / (1.0 - prior);
        let expected: f64 =
            ratios.iter().map(|(ratio, count)| count * (odds * ratio) / (1.0 + odds * ratio)).sum();
        let next = (expected / total).clamp(1e-15, 0.5);
        let moved = (next / prior - 1.0).abs();
        prior = next;
        if moved < CONVERGED {
            break;
        }
    }
    prior
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

fn frequencies(prepared: &Prepared<'_>, comparison: &Comparison, key: &FrequencyKey) -> FrequencyTable {
    let column = prepared.field(comparison.field).column;
    let counts = column.counts();
    let total = counts[1..].iter().map(|&c| f64::from(c)).sum::<f64>().max(1.0);
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
