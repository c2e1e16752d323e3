//! Which hints rows hold, and the words of each by value.

use std::collections::BTreeMap;

use rayon::prelude::*;
use sameas_record::{Derived, FieldId, Form, Records, ValueId};

use crate::BudgetSettings;
use crate::language::Test;
use crate::plan::{BlockingRule, MatchingPlan};
use crate::prepared::{NOT_A_DAY, PreparedField, per_value};
use crate::rows::{Hint, HintWords};
use crate::similarity::{Alphabet, sketch};

/// Records for which hints are filled unasked.
const FEW_RECORDS: usize = 100_000;
/// One record in so many tells how many pairs there will be.
const DENSITY_STEP: u64 = 32;
/// Candidate pairs a record from which hints pay: a million customers lose some 0.2 CPU s by them
/// at 1.6 pairs a record, and gain 1.3 at 17.
const DENSE_PAIRS: f64 = 6.0;

/// Returns whether the rules make so many pairs that hints repay what filling them costs.
///
/// Estimated from one record in [`DENSITY_STEP`], each by its first key under a rule: pairs of
/// the sample stand for the square of the step as many. Bounds on blocks are the usual ones.
fn is_dense(
    records: &Records,
    plan: &MatchingPlan,
    derived: &BTreeMap<(FieldId, Form), Derived>,
) -> bool {
    let count = records.len();
    if count <= FEW_RECORDS {
        return true;
    }
    let budget = BudgetSettings::default();
    let spread = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let sample: Vec<usize> = (0..count)
        .filter(|&node| (spread(node as u64) >> 32).is_multiple_of(DENSITY_STEP))
        .collect();
    let pairs_of_rule = |rule: &BlockingRule| {
        let parts: Vec<_> = rule
            .parts
            .iter()
            .map(|part| {
                (
                    records.column(part.field),
                    &derived[&(part.field, part.form)],
                )
            })
            .collect();
        let key_of = |&node: &usize| {
            parts.iter().try_fold(0_u64, |key, (column, derived)| {
                let &id = derived
                    .ids(column.first(node))
                    .first()
                    .filter(|&&id| id != 0)?;
                Some(spread(key.rotate_left(29) ^ u64::from(id)))
            })
        };
        if let Some(window) = rule.window {
            return sample.len() as f64 * f64::from(window - 1) / DENSITY_STEP as f64;
        }
        let mut keys: Vec<u64> = sample.iter().filter_map(key_of).collect();
        keys.sort_unstable();
        let runs = keys.chunk_by(|a, b| a == b).map(|run| run.len() as f64);
        // Of a block over the bound refining makes so many pairs a record at most.
        let pairs = |len: f64| {
            if len * DENSITY_STEP as f64 > budget.block_len_max.into() {
                len * budget.refined_pairs_per_record_max / DENSITY_STEP as f64
            } else {
                len * (len - 1.0) / 2.0
            }
        };
        runs.map(pairs).sum::<f64>()
    };
    let pairs: f64 = plan.rules.iter().map(pairs_of_rule).sum();
    pairs * (DENSITY_STEP * DENSITY_STEP) as f64 >= DENSE_PAIRS * count as f64
}

/// Computes the words of every hint that the comparisons' tests ask for, by value.
pub(crate) fn hint_words(
    records: &Records,
    plan: &MatchingPlan,
    fields: &[PreparedField<'_>],
    derived: &BTreeMap<(FieldId, Form), Derived>,
    crossed: &BTreeMap<(FieldId, FieldId), Vec<u32>>,
) -> Vec<HintWords> {
    if !is_dense(records, plan, derived) {
        return Vec::new();
    }
    let mut hints = hints(plan, records, derived);
    hints.sort_unstable();
    hints.dedup();
    let words = hints.into_par_iter().map(|hint| {
        let words = match hint {
            Hint::Sketch(field) => {
                let column = records.column(field);
                let dictionary = column.dictionary();
                let values = (1..dictionary.len() as u32).map(ValueId::new);
                let alphabet = Alphabet::of(values.map(|value| dictionary.text(value)));
                per_value(column, true, |value| sketch(value, alphabet)).into_flattened()
            }
            Hint::Set(field, form) => {
                let derived = &derived[&(field, form)];
                let values = (0..records.column(field).dictionary().len() as u32).map(ValueId::new);
                let set = |value| {
                    derived
                        .ids(value)
                        .iter()
                        .fold(0, |set, id| set | 1 << (id & 31))
                };
                values.map(set).collect()
            }
            Hint::Words(field) => {
                let words = fields[field.index()].words();
                let values = (0..records.column(field).dictionary().len() as u32).map(ValueId::new);
                let set = |value| {
                    let words = words.of_value(value).iter();
                    words.fold(0, |set, word| set | 1 << (word & 31))
                };
                values.map(set).collect()
            }
            Hint::Crossed(field, other) => crossed[&(field, other)].clone(),
            Hint::Days(field) => {
                let field = &fields[field.index()];
                let values = (0..field.column.dictionary().len() as u32).map(ValueId::new);
                let bits = |days: Option<i32>| days.unwrap_or(NOT_A_DAY) as u32;
                values
                    .flat_map(|v| [bits(field.days(v)), bits(field.transposed_days(v))])
                    .collect()
            }
        };
        (hint, words)
    });
    words.collect()
}

/// Lists the hints that the comparisons and rules of a plan ask for, some of them twice.
fn hints(
    plan: &MatchingPlan,
    records: &Records,
    derived: &BTreeMap<(FieldId, Form), Derived>,
) -> Vec<Hint> {
    let levels = plan.comparisons.iter().flat_map(|c| &c.levels);
    let tests = levels.flat_map(|level| &level.clauses);
    let single = |field: FieldId| !records.column(field).is_multi_valued();
    let parts = plan.rules.iter().flat_map(|rule| &rule.parts);
    let sets = parts
        .filter(|part| single(part.field) && derived[&(part.field, part.form)].is_multi())
        .map(|part| Hint::Set(part.field, part.form));
    tests
        .filter(|test| single(test.field) && single(test.other))
        .filter_map(|test| {
            let set = |form| {
                (derived[&(test.field, form)].is_multi() || form == Form::Tokens)
                    .then_some(Hint::Set(test.field, form))
            };
            match test.test {
                Test::JaroWinkler(_) | Test::Levenshtein(_) | Test::Damerau(_) | Test::Initial => {
                    Some(Hint::Sketch(test.field))
                }
                Test::Same(form) => set(form),
                Test::Jaccard(_) | Test::Overlap(_) => set(Form::Tokens),
                Test::Transposed | Test::Days(_) | Test::Months(_) | Test::Years(_) => {
                    Some(Hint::Days(test.field))
                }
                Test::Swapped => Some(Hint::Crossed(test.field, test.other)),
                Test::TfIdf(_) => Some(Hint::Words(test.field)),
                Test::Exact
                | Test::Initials
                | Test::Difference(_)
                | Test::Percent(_)
                | Test::SoftTfIdf(_)
                | Test::Kilometres(_)
                | Test::MongeElkan(_) => None,
            }
        })
        .chain(sets)
        .collect()
}
