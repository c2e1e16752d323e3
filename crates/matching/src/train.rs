//! Training without labels: u from random pairs, m by expectation-maximisation over level patterns.

mod classes;
mod dependence;
mod doubts;
mod labels;
mod patterns;
mod rivals;
mod strangers;

use std::collections::BTreeMap;

use rayon::prelude::*;
use sameas_graph::{ReferenceTable, SourceId};
use sameas_record::{Column, FieldId, ValueId};

use self::classes::{
    CONVERGED, Classes, Levels, Shares, agree, corrected_u, estimate_shares, taught_by,
};
use self::doubts::Doubts;
use self::labels::{Split, levels_of};
use self::patterns::{Patterns, RulePatterns, random_patterns, rule_patterns};
use self::rivals::{Rivals, has_too_many_rivals, is_doubtful};
use crate::TrainSettings;
use crate::blocking::Blocking;
use crate::compare::Comparer;
use crate::model::{
    Calibration, ComparisonParameters, FREQUENT_COUNT_MAX, FREQUENT_LEAST, FrequencyKey,
    FrequencyTable, MODEL_FORMAT, Model, squared_error,
};
use crate::plan::{Comparison, MatchingPlan};
use crate::prepared::Prepared;
use crate::weigh::{Threshold, Weigher};

pub use self::classes::PRIOR_MIN;
pub use self::labels::{Known, Labels};
pub use self::rivals::rival_probabilities;

/// Pseudo-count of pairs that keeps unseen levels possible.
const SMOOTHING: f64 = 0.5;
/// Interactions are learnt from so many comparisons on: a rule on two of them has to leave four.
///
/// Two classes of pairs with interactions in one of them have more unknowns than patterns below
/// that: with k comparisons of two levels, k + 1 + k (k - 1) / 2 against 2^k - 1.
const INTERACTING_LEAST: usize = 6;
/// Where nothing can be learnt: the share of records that are guessed to have one partner each.
const PARTNERED_GUESS: f64 = 0.5;
/// How often u, m and the prior are refined in turn.
const REFINEMENTS: usize = 4;

/// What training saw and how it ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Training {
    /// Random pairs drawn.
    pub random_pairs: u64,
    /// One pass per rule, and one per field by which its oversized blocks were refined.
    pub passes: Vec<TrainingPass>,
    /// The largest move of any parameter in each round of the last refinement; EM has converged
    /// if the last is below [`Training::CONVERGED`].
    pub moves: Vec<f64>,
    /// How often each level was seen, by comparison and level, the missing level left out.
    pub sightings: Vec<Vec<Sighting>>,
    /// What labels taught, if there were any.
    pub labels: Option<HeldOut>,
    /// Whether m is a guess, because the likest pairs do not look like records of one entity.
    pub is_guessed: bool,
    /// Whether the rules leave open what a match is: nothing was learnt, nothing of what is an
    /// entity's own, or that matches agree in something no more than strangers do.
    pub is_doubtful: bool,
    /// Whether m was learnt from which candidate of a record is the best, because all sources hold
    /// each entity once.
    pub is_by_rivals: bool,
    /// What to be wary of, in words.
    pub warnings: Vec<String>,
}

/// What labels were used for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeldOut {
    /// Pairs of one entity that taught m.
    pub taught: u64,
    /// The bits of the pairs that were held out, before calibration, and whether they are of one
    /// entity; none if there were too few.
    pub pairs: Vec<(f64, bool)>,
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
    /// Candidate pairs that showed it, whatever they are, in each pass that teaches its comparison;
    /// m comes from them.
    pub candidate: f64,
}

/// EM over the pairs of one rule's blocks within the bound.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrainingPass {
    /// The rule.
    pub rule: String,
    /// Pairs looked at.
    pub pairs: u64,
    /// The share of them that EM takes for matches.
    pub matched: f64,
    /// How many records the block of a pair holds, on average.
    pub block_len: f64,
    /// Rounds that all passes together took; at most 100.
    pub rounds: usize,
    /// Whether it had pairs and fields enough to teach something, equal values speak for a
    /// match in most of its comparisons, and it does not take nearly all pairs of large blocks for
    /// matches; a pass without the first teaches nothing.
    pub used: bool,
}

/// Returns what rivals teach, and says whether that is sound and whether anything is.
fn taught_by_rivals(
    rivals: &Rivals,
    plan: &MatchingPlan,
    (classes, observed, total): (&Classes, &Levels, f64),
    training: &mut Training,
) -> Option<(Classes, Shares)> {
    let (learnt, shares) = rivals.teach(plan, classes, observed, total);
    let compared: Vec<usize> = (0..plan.comparisons.len()).collect();
    training.is_by_rivals = !is_doubtful(plan, &compared, &learnt, shares);
    training.is_guessed = training.is_doubtful && !training.is_by_rivals;
    training.is_by_rivals.then_some((learnt, shares))
}

/// Trains a model on the records in flight.
///
/// Of labels one half teaches m beside the pairs that nobody labelled, the other shows what bits
/// are worth; few labels change little.
pub fn train(
    prepared: &Prepared<'_>,
    comparer: &Comparer<'_>,
    blocking: &Blocking<'_>,
    plan: &MatchingPlan,
    settings: &TrainSettings,
    key: &FrequencyKey,
    labels: Option<&Labels>,
) -> (Model, Training) {
    let mut training = Training::default();
    let total = prepared.pair_count().max(1.0);
    let random = random_patterns(prepared, comparer, settings);
    training.random_pairs = random.iter().map(|(_, count)| count).sum::<f64>() as u64;
    let observed = observed_u(prepared, plan, &random);
    let rules = rule_patterns(prepared, comparer, blocking, plan, settings);
    let mut classes = Classes::guess(plan, &observed);
    let split = labels.map(|labels| Split::new(labels, prepared, blocking, plan, settings.seed));
    if let Some(split) = &split {
        classes.labelled = levels_of(&split.taught, prepared, comparer, plan);
    }
    let mut shares = Shares {
        matched: 1.0 / prepared.records.len().max(2) as f64,
        related: 0.0,
    };
    let interacts = settings.interactions && plan.comparisons.len() >= INTERACTING_LEAST;
    for refinement in 0..REFINEMENTS {
        (training.passes, training.moves) = classes.fit(plan, &rules);
        shares = estimate_shares(&rules, &classes, total, shares.matched);
        classes.u = corrected_u(&observed, &classes, shares);
        if interacts && refinement + 1 < REFINEMENTS {
            classes.relate(plan, &random, &rules, shares);
        }
        if refinement == 0 && !classes.interactions.active().is_empty() {
            // What strangers share was taken for matches and relatives: those are learnt anew.
            classes.guess_again(plan);
        }
        classes.pin_related(plan);
    }
    let mut taught: Vec<usize> = rules.iter().flat_map(|r| taught_by(plan, r)).collect();
    taught.sort_unstable();
    taught.dedup();
    if taught.is_empty() && labels.is_none() {
        // A single field cannot tell what is equal by chance from what is of one entity.
        let guess = PARTNERED_GUESS / prepared.records.len().max(2) as f64;
        shares.matched = shares.matched.max(guess.min(0.45));
    }
    training.is_guessed =
        labels.is_none() && !taught.is_empty() && !agree(&taught, &classes.m, &classes.u);
    training.is_doubtful =
        labels.is_none() && (training.is_guessed || is_doubtful(plan, &taught, &classes, shares));
    // Pair by pair what relatives share may pass for what matches do, the more so the rarer these are.
    if labels.is_none()
        && let Some(rivals) = Rivals::of(prepared, comparer, blocking, plan, settings)
        && let Some(learnt) =
            taught_by_rivals(&rivals, plan, (&classes, &observed, total), &mut training)
    {
        (classes, shares) = learnt;
    }
    training.is_guessed &= !taught.is_empty();
    if training.is_guessed {
        classes.guess_again(plan);
        classes.pin_related(plan);
        classes.u.clone_from(&observed);
        shares = estimate_shares(&rules, &classes, total, 1.0 / total);
        shares.matched = shares.matched.max(1.0 / total);
    }
    for pass in &mut training.passes {
        pass.used &= !training.is_guessed && !training.is_by_rivals;
    }
    training.sightings = sightings(plan, &random, &rules);
    let doubts = Doubts {
        plan,
        classes: &classes,
        rules: &rules,
    };
    training.warnings = doubts.of(&training);
    if training.is_doubtful
        && prepared.are_all_exclusive()
        && has_too_many_rivals(blocking, settings)
    {
        training.warnings.push(format!("the rules leave open what a match is, and make more than {} pairs, so candidates of a record were not judged beside each other: choose rules that make fewer, or give labels", settings.rival_pairs_max));
    }
    let comparisons = parameters(prepared, plan, &classes, key);
    let interactions = classes.interactions.named(&comparisons);
    let records = prepared.records.len() as u64;
    let model = Model {
        format: MODEL_FORMAT,
        prior: shares.matched,
        related: classes.tells_related.then_some(shares.related.max(1e-15)),
        records,
        key_id: key.id(),
        comparisons,
        interactions,
        calibration: None,
        words: word_frequencies(prepared, plan, key),
    };
    let mut model = model.rounded();
    if let Some(split) = split {
        let held_out = HeldOut {
            taught: split.taught.len() as u64,
            pairs: weighed(&split, prepared, comparer, plan, &model, key),
        };
        model.calibration = calibration(&held_out, &mut training.warnings);
        training.labels = Some(held_out);
        model = model.rounded();
    }
    if let Some(labels) = labels {
        training.warnings.extend(labels.warnings.iter().cloned());
    }
    (model, training)
}

/// Returns what was learnt of each comparison.
fn parameters(
    prepared: &Prepared<'_>,
    plan: &MatchingPlan,
    classes: &Classes,
    key: &FrequencyKey,
) -> Vec<ComparisonParameters> {
    let comparisons = plan.comparisons.iter().enumerate();
    comparisons
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
        .collect()
}

/// Weighs the pairs that were held out.
fn weighed(
    split: &Split,
    prepared: &Prepared<'_>,
    comparer: &Comparer<'_>,
    plan: &MatchingPlan,
    model: &Model,
    key: &FrequencyKey,
) -> Vec<(f64, bool)> {
    let all = Threshold {
        link: 0.0,
        review: 0.0,
    };
    let weigher = Weigher::new(prepared, comparer, plan, model, key, all);
    let rows = prepared.rows();
    let pairs = split.held_out.par_iter();
    pairs
        .map(|&(a, b, is_match)| (weigher.weigh_pair(rows.of(a), rows.of(b)).bits, is_match))
        .collect()
}

/// Finds the line that the pairs held out bear out, or says why there is none.
fn calibration(labels: &HeldOut, warnings: &mut Vec<String>) -> Option<Calibration> {
    if labels.pairs.is_empty() {
        warnings.push("too few labels of either kind to hold half of them out: all pairs of one entity teach m, and nothing is calibrated".to_owned());
        return None;
    }
    let Some(line) = Calibration::fit(&labels.pairs) else {
        warnings.push("among labelled pairs more bits do not speak for one entity, so nothing is calibrated: are the labels of these records?".to_owned());
        return None;
    };
    let before = squared_error(&labels.pairs, None);
    let after = squared_error(&labels.pairs, Some(&line));
    if after > before {
        warnings.push(format!(
            "calibration would raise the squared error of the pairs held out from {before:.4} to {after:.4}, so nothing is calibrated; labels teach m all the same"
        ));
        return None;
    }
    Some(line)
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
            if let Some(field) = equal_field(comparison)
                && let column = prepared.field(field).column
                && !column.is_multi_valued()
                && let Some(exact) = chance_of_equality_in(prepared, column)
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

/// Returns the field of which the first level is mere equality, if its values alone also decide
/// whether a pair says nothing.
fn equal_field(comparison: &Comparison) -> Option<FieldId> {
    let Some(asked) = &comparison.conditions else {
        return comparison.levels[0].exact.then_some(comparison.field);
    };
    let decides = match &asked.missing {
        Some(missing) => missing.missing_field(),
        None => Some(comparison.field),
    };
    let equal = asked.levels.first()?.exact_field();
    equal.filter(|_| equal == decides)
}

/// Returns the chance that two records drawn at random, which could be one entity, have equal values.
fn chance_of_equality_in(prepared: &Prepared<'_>, column: &Column) -> Option<f64> {
    if prepared.are_all_exclusive() {
        chance_between_sources(prepared.records.references(), column)
    } else {
        chance_of_equality(&column.counts())
    }
}

/// Returns the chance that two records of different sources have equal values, exactly.
fn chance_between_sources(references: &ReferenceTable, column: &Column) -> Option<f64> {
    let ids = column.first_ids();
    let mut of_all = vec![0_u32; column.dictionary().len()];
    let mut of_source = of_all.clone();
    let (mut present, mut equal, mut pairs) = (0.0, 0.0, 0.0);
    for source in 0..references.sources().len() as u16 {
        let nodes = references.nodes_of(SourceId::new(source));
        let ids = ids[nodes.start as usize..nodes.end as usize].iter();
        let ids = || ids.clone().map(|&id| id as usize).filter(|&id| id != 0);
        let count = ids().count() as f64;
        pairs += present * count;
        present += count;
        ids().for_each(|id| of_source[id] += 1);
        for id in ids() {
            let new = f64::from(std::mem::take(&mut of_source[id]));
            equal += new * f64::from(of_all[id]);
            of_all[id] += new as u32;
        }
    }
    (pairs >= 1.0).then(|| (equal.max(1.0) / pairs).min(0.999))
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

/// Counts how often each level was seen among random pairs and among the candidate pairs of the
/// passes that teach its comparison.
fn sightings(plan: &MatchingPlan, random: &Patterns, rules: &[RulePatterns]) -> Vec<Vec<Sighting>> {
    let comparisons = plan.comparisons.iter();
    let mut sightings: Vec<Vec<Sighting>> = comparisons
        .map(|comparison| vec![Sighting::default(); comparison.level_count() - 1])
        .collect();
    for (pattern, count) in random {
        for (index, levels) in sightings.iter_mut().enumerate() {
            if let level @ 1.. = usize::from(pattern.level(index)) {
                levels[level - 1].random += count;
            }
        }
    }
    for patterns in rules {
        for index in taught_by(plan, patterns) {
            for (pattern, count) in &patterns.all {
                if let level @ 1.. = usize::from(pattern.level(index)) {
                    sightings[index][level - 1].candidate += count;
                }
            }
        }
    }
    sightings
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

#[cfg(test)]
mod tests;
