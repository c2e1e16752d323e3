//! Training without labels: u from random pairs, m by expectation-maximisation over level patterns.

mod classes;
mod patterns;

use std::collections::BTreeMap;

use rayon::prelude::*;
use sameas_record::{FieldId, ValueId};

use self::classes::{CONVERGED, Classes, Levels, ROUNDS_MAX, Shares, corrected_u, estimate_shares};
use self::patterns::{Patterns, RulePatterns, random_patterns, rule_patterns};
use crate::TrainSettings;
use crate::blocking::Blocking;
use crate::compare::Comparer;
use crate::model::{
    ComparisonParameters, FREQUENT_COUNT_MAX, FREQUENT_LEAST, FrequencyKey, FrequencyTable,
    MODEL_FORMAT, Model,
};
use crate::plan::{Comparison, MatchingPlan};
use crate::prepared::Prepared;

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
    /// The largest move of any parameter in each round of the last refinement; EM has converged
    /// if the last is below [`Training::CONVERGED`].
    pub moves: Vec<f64>,
    /// How often each level was seen, by comparison and level, the missing level left out.
    pub sightings: Vec<Vec<Sighting>>,
    /// What to be wary of, in words.
    pub warnings: Vec<String>,
}

impl Training {
    /// EM stops when no parameter moves by more than this.
    pub const CONVERGED: f64 = CONVERGED;
}

/// How much evidence there was for the weight of one level.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sighting {
    /// Random pairs that showed it; u comes from them.
    pub random: f64,
    /// Candidate pairs that showed it, whatever they are; m comes from them.
    pub candidate: f64,
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
    /// Rounds that all passes together took; at most 100.
    pub rounds: usize,
    /// Whether it had pairs and fields enough to teach something, and equal values speak for a
    /// match in most of its comparisons; a pass without the first teaches nothing.
    pub used: bool,
}

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
    let total = prepared.pair_count().max(1.0);
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
        (training.passes, training.moves) = classes.fit(plan, &rules);
        shares = estimate_shares(&rules, &classes, total, shares.matched);
        classes.u = corrected_u(&observed, &classes, shares);
        classes.pin_related(plan);
    }
    training.sightings = sightings(plan, &random, &rules);
    let Classes { m, u, .. } = &classes;
    warn(&mut training, plan, m, u);
    let comparisons = plan
        .comparisons
        .iter()
        .enumerate()
        .map(|(index, comparison)| ComparisonParameters {
            conditions: comparison
                .conditions
                .as_ref()
                .map_or_else(Vec::new, |asked| asked.describe(&plan.schema)),
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
        words: word_frequencies(prepared, plan, key),
    };
    (model.rounded(), training)
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

/// Counts how often each level was seen among random pairs and among candidate pairs.
fn sightings(plan: &MatchingPlan, random: &Patterns, rules: &[RulePatterns]) -> Vec<Vec<Sighting>> {
    let seen = |patterns: &Patterns, comparison: usize, level: usize| -> f64 {
        let showing = patterns
            .iter()
            .filter(|(pattern, _)| usize::from(pattern.level(comparison)) == level);
        showing.map(|(_, count)| count).sum()
    };
    let of = |comparison: usize, level: usize| Sighting {
        random: seen(random, comparison, level),
        candidate: rules
            .iter()
            .map(|rule| seen(&rule.owned, comparison, level))
            .sum(),
    };
    let comparisons = plan.comparisons.iter().enumerate();
    comparisons
        .map(|(index, comparison)| {
            (1..comparison.level_count())
                .map(|level| of(index, level))
                .collect()
        })
        .collect()
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
    if training.passes.iter().any(|pass| pass.rounds == ROUNDS_MAX) {
        training.warnings.push(format!(
            "weights still moved after {ROUNDS_MAX} rounds and are used as they were then; look at them before you rely on them"
        ));
    }
    if training.passes.iter().all(|pass| !pass.used) {
        training.warnings.push(
            "no blocking rule gave enough pairs to learn m from; the weights are guesses: add blocking rules on different fields".to_owned(),
        );
    }
}

/// Lists how frequent words are, by field, where their rarity weighs.
fn word_frequencies(
    prepared: &Prepared<'_>,
    plan: &MatchingPlan,
    key: &FrequencyKey,
) -> BTreeMap<String, FrequencyTable> {
    let table = |field: FieldId| {
        let name = &plan.schema.field(field).name;
        let field = prepared.field(field);
        (name.clone(), field.words().table(field.column, name, key))
    };
    plan.weighed_word_fields().into_iter().map(table).collect()
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
