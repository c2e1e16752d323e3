//! Columns with everything about each distinct value that comparisons and rules need, computed once.

use std::collections::BTreeMap;

use rayon::prelude::*;
use sameas_graph::SourceId;
use sameas_record::{Column, Derived, FieldId, FieldKind, Form, Records, ValueId};

use crate::language::Test;
use crate::plan::{BlockingRule, MatchingPlan};
use crate::rows::{Hint, HintWords, Rows};
use crate::sieve;
use crate::similarity::{Signature, sketch};

/// Values that are not numbers or dates hold this.
pub(crate) const NOT_A_DAY: i32 = i32::MIN;
/// Records for which hints are filled unasked.
const FEW_RECORDS: usize = 100_000;
/// One record in so many tells how many pairs there will be.
const DENSITY_STEP: u64 = 32;
/// Candidate pairs a record from which hints pay: a million customers lose some 0.3 CPU s by them
/// at 1.6 pairs a record, and gain 1.3 at 17.
const DENSE_PAIRS: f64 = 6.0;

/// One field with what was precomputed for its distinct values.
#[derive(Debug)]
pub struct PreparedField<'a> {
    /// The column.
    pub column: &'a Column,
    /// What bounds on similarity need, per distinct value; empty unless a test needs it.
    pub signatures: Vec<Signature>,
    days: Vec<i32>,
    /// Days of the date with day and month exchanged.
    transposed_days: Vec<i32>,
    numbers: Vec<f64>,
}

impl PreparedField<'_> {
    /// Returns days since 1970-01-01 of a date value; none for an impossible calendar date.
    pub fn days(&self, value: ValueId) -> Option<i32> {
        self.days
            .get(value.index())
            .copied()
            .filter(|&days| days != NOT_A_DAY)
    }

    /// Returns days since 1970-01-01 of a date value with its day and month exchanged, if that is a date.
    pub fn transposed_days(&self, value: ValueId) -> Option<i32> {
        let days = self.transposed_days.get(value.index()).copied();
        days.filter(|&days| days != NOT_A_DAY)
    }

    /// Returns a numeric value.
    pub fn number(&self, value: ValueId) -> Option<f64> {
        self.numbers
            .get(value.index())
            .copied()
            .filter(|n| n.is_finite())
    }
}

/// All fields of the records in flight, prepared for one plan.
#[derive(Debug)]
pub struct Prepared<'a> {
    /// The records.
    pub records: &'a Records,
    fields: Vec<PreparedField<'a>>,
    derived: BTreeMap<(FieldId, Form), Derived>,
    crossed: BTreeMap<(FieldId, FieldId), Vec<u32>>,
    rows: Rows,
    exclusive: Vec<SourceId>,
}

impl<'a> Prepared<'a> {
    /// Computes what the plan's tests and rules need of every distinct value.
    ///
    /// Pairs within a source of `one_per_source` are never candidates.
    pub fn new(records: &'a Records, plan: &MatchingPlan, one_per_source: &[SourceId]) -> Self {
        let tests: Vec<_> = plan
            .comparisons
            .iter()
            .flat_map(|c| c.levels.iter().flat_map(|l| &l.clauses))
            .chain(
                plan.rules
                    .iter()
                    .filter_map(|r| r.links_when.as_ref())
                    .flatten(),
            )
            .collect();
        let ids: Vec<FieldId> = records.schema().ids().collect();
        let fields: Vec<PreparedField<'_>> = ids
            .par_iter()
            .map(|&id| {
                let needs = |wanted: fn(&Test) -> bool| {
                    tests.iter().any(|t| t.field == id && wanted(&t.test))
                };
                let column = records.column(id);
                PreparedField {
                    column,
                    signatures: per_value(column, needs(is_edit_test), Signature::of),
                    days: per_value(column, needs(is_date_test), |v| {
                        days_of(v).unwrap_or(NOT_A_DAY)
                    }),
                    transposed_days: per_value(column, needs(|t| *t == Test::Transposed), |v| {
                        transposed_days_of(v).unwrap_or(NOT_A_DAY)
                    }),
                    numbers: per_value(column, needs(is_number_test), |v| {
                        v.parse().unwrap_or(f64::NAN)
                    }),
                }
            })
            .collect();
        let mut forms: Vec<(FieldId, Form)> = plan
            .rules
            .iter()
            .flat_map(|r| &r.parts)
            .map(|part| (part.field, part.form))
            .chain(
                tests
                    .iter()
                    .filter_map(|t| Some((t.field, form_of(&t.test)?))),
            )
            .collect();
        forms.sort_unstable();
        forms.dedup();
        let derived: BTreeMap<_, _> = forms
            .into_par_iter()
            .map(|(field, form)| {
                let kind: FieldKind = records.schema().field(field).kind;
                (
                    (field, form),
                    Derived::of(records.column(field), kind, form),
                )
            })
            .collect();
        let mut exclusive = one_per_source.to_vec();
        exclusive.sort_unstable();
        exclusive.dedup();
        let crossed: BTreeMap<_, _> = tests
            .iter()
            .filter(|test| test.test == Test::Swapped)
            .map(|test| {
                let (from, to) = (records.column(test.field), records.column(test.other));
                ((test.field, test.other), crossed(from, to))
            })
            .collect();
        let words = hint_words(records, plan, &fields, &derived, &crossed);
        Self {
            records,
            fields,
            rows: Rows::new(records, plan, &derived, &words),
            derived,
            crossed,
            exclusive,
        }
    }

    /// Returns a prepared field.
    pub fn field(&self, field: FieldId) -> &PreparedField<'a> {
        &self.fields[field.index()]
    }

    /// Returns the derived column of a form that the plan mentions.
    ///
    /// # Panics
    /// Panics if the plan does not mention it.
    pub fn derived(&self, field: FieldId, form: Form) -> &Derived {
        self.derived
            .get(&(field, form))
            .expect("every form of the plan is prepared")
    }

    /// Returns the rows of all nodes.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// Returns for each value of a field the number that its text has in the other field of a
    /// `swapped` test, 0 where it has none.
    ///
    /// # Panics
    /// Panics if the plan has no such test.
    pub fn crossed(&self, field: FieldId, other: FieldId) -> &[u32] {
        self.crossed
            .get(&(field, other))
            .expect("every `swapped` test of the plan is prepared")
    }

    /// Returns which nodes can never be one entity.
    pub fn exclusive(&self) -> Exclusive {
        let references = self.records.references();
        let mut of_node = Vec::new();
        if !self.exclusive.is_empty() {
            of_node.resize(self.records.len(), SHARED);
        }
        for &source in &self.exclusive {
            for node in references.nodes_of(source) {
                of_node[node as usize] = source.index() as u16;
            }
        }
        Exclusive(of_node)
    }

    /// Returns how many pairs of records could be one entity.
    pub fn pair_count(&self) -> f64 {
        let pairs = |len: usize| len as f64 * (len as f64 - 1.0) / 2.0;
        let references = self.records.references();
        let excluded = self.exclusive.iter();
        let excluded: f64 = excluded
            .map(|&source| pairs(references.nodes_of(source).len()))
            .sum();
        pairs(self.records.len()) - excluded
    }
}

/// Marks a node whose source may hold a customer several times.
const SHARED: u16 = u16::MAX;

/// Which nodes can never be one entity, because their source holds each customer once.
#[derive(Debug)]
pub struct Exclusive(Vec<u16>);

impl Exclusive {
    /// Returns whether two nodes are two and could be one entity.
    #[inline]
    pub fn may_pair(&self, a: u32, b: u32) -> bool {
        a != b
            && (self.0.is_empty()
                || self.0[a as usize] == SHARED
                || self.0[a as usize] != self.0[b as usize])
    }
}

/// Returns whether the rules make so many pairs that hints repay what filling them costs.
///
/// Estimated from one record in [`DENSITY_STEP`], each by its first key under a rule: pairs of
/// the sample stand for the square of the step as many.
fn is_dense(
    records: &Records,
    plan: &MatchingPlan,
    derived: &BTreeMap<(FieldId, Form), Derived>,
) -> bool {
    let count = records.len();
    if count <= FEW_RECORDS {
        return true;
    }
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
        let mut keys: Vec<u64> = sample.iter().filter_map(key_of).collect();
        keys.sort_unstable();
        let runs = keys.chunk_by(|a, b| a == b).map(|run| run.len() as f64);
        runs.map(|len| len * (len - 1.0) / 2.0).sum::<f64>()
    };
    let pairs: f64 = plan.rules.iter().map(pairs_of_rule).sum();
    pairs * (DENSITY_STEP * DENSITY_STEP) as f64 >= DENSE_PAIRS * count as f64
}

/// Computes the words of every hint that the comparisons' tests ask for, by value.
fn hint_words(
    records: &Records,
    plan: &MatchingPlan,
    fields: &[PreparedField<'_>],
    derived: &BTreeMap<(FieldId, Form), Derived>,
    crossed: &BTreeMap<(FieldId, FieldId), Vec<u32>>,
) -> Vec<HintWords> {
    if !is_dense(records, plan, derived) {
        return Vec::new();
    }
    let mut hints = sieve::hints(plan, records, derived);
    hints.sort_unstable();
    hints.dedup();
    let words = hints.into_par_iter().map(|hint| {
        let words = match hint {
            Hint::Sketch(field) => per_value(records.column(field), true, sketch).into_flattened(),
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

fn per_value<T: Send>(column: &Column, needed: bool, of: impl Fn(&str) -> T + Sync) -> Vec<T> {
    if !needed {
        return Vec::new();
    }
    let dictionary = column.dictionary();
    (0..dictionary.len() as u32)
        .into_par_iter()
        .map(|id| of(dictionary.text(ValueId::new(id))))
        .collect()
}

/// Numbers the values of one column as another column does; texts are equal if their content
/// hashes are (64 bits).
fn crossed(from: &Column, to: &Column) -> Vec<u32> {
    let sorted = |column: &Column| {
        let dictionary = column.dictionary();
        let hashed = (1..dictionary.len() as u32).map(|id| (dictionary.hash(ValueId::new(id)), id));
        let mut hashed: Vec<(u64, u32)> = hashed.collect();
        hashed.par_sort_unstable();
        hashed
    };
    let mut numbers = vec![0; from.dictionary().len()];
    let targets = sorted(to);
    let mut targets = targets.iter().peekable();
    for (hash, id) in sorted(from) {
        while targets.next_if(|(other, _)| *other < hash).is_some() {}
        if let Some((_, number)) = targets.peek().filter(|(other, _)| *other == hash) {
            numbers[id as usize] = *number;
        }
    }
    numbers
}

fn is_edit_test(test: &Test) -> bool {
    matches!(
        test,
        Test::JaroWinkler(_) | Test::Levenshtein(_) | Test::Damerau(_) | Test::Initial
    )
}

fn is_date_test(test: &Test) -> bool {
    matches!(
        test,
        Test::Days(_) | Test::Months(_) | Test::Years(_) | Test::Transposed
    )
}

fn is_number_test(test: &Test) -> bool {
    matches!(test, Test::Difference(_) | Test::Percent(_))
}

fn form_of(test: &Test) -> Option<Form> {
    match test {
        Test::Same(form) => Some(*form),
        Test::Jaccard(_) | Test::Overlap(_) => Some(Form::Tokens),
        _ => None,
    }
}

fn transposed_days_of(text: &str) -> Option<i32> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    days_of(&format!("{year}-{day}-{month}"))
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, of a date written `YYYY-MM-DD`.
///
/// After H. Hinnant, "chrono-compatible low-level date algorithms", `days_from_civil`.
fn days_of(text: &str) -> Option<i32> {
    let mut parts = text.split('-').map(|part| part.parse::<i32>().ok());
    days_of_civil([parts.next()??, parts.next()??, parts.next()??])
}

/// Days since 1970-01-01 of a year, a month and a day, if there is that day.
pub(crate) fn days_of_civil([year, month, day]: [i32; 3]) -> Option<i32> {
    let longest = match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=longest).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use super::{days_of, transposed_days_of};

    #[test]
    fn days_count_from_the_epoch() {
        assert_eq!(days_of("1970-01-01"), Some(0));
        assert_eq!(days_of("2000-03-01"), Some(11_017));
        assert_eq!(days_of("1969-12-31"), Some(-1));
        assert_eq!(days_of("2001-02-29"), None);
        assert_eq!(days_of("soon"), None);
        assert_eq!(transposed_days_of("2001-03-04"), days_of("2001-04-03"));
        assert_eq!(transposed_days_of("2001-03-14"), None);
    }
}
