//! Columns with everything about each distinct value that comparisons and rules need, computed once.

use std::collections::BTreeMap;

use rayon::prelude::*;
use sameas_graph::SourceId;
use sameas_record::{Column, Derived, FieldId, FieldKind, Form, Records, ValueId};

use crate::day::{days_of, transposed_days_of};
use crate::hints::hint_words;
use crate::language::Test;
use crate::place::Place;
use crate::plan::MatchingPlan;
use crate::rows::Rows;
use crate::similarity::Signature;
use crate::words::Words;

/// Values that are not numbers or dates hold this.
pub(crate) const NOT_A_DAY: i32 = i32::MIN;

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
    places: Vec<Place>,
    /// The words of values, if a test measures how alike they are.
    words: Option<Words>,
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

    /// Returns a value's place on Earth.
    pub(crate) fn place(&self, value: ValueId) -> Place {
        let place = self.places.get(value.index()).copied();
        place.unwrap_or(Place::NOWHERE)
    }

    /// Returns the words of values.
    ///
    /// # Panics
    /// Panics if no test of the plan measures how alike they are.
    pub(crate) fn words(&self) -> &Words {
        let words = self.words.as_ref();
        words.expect("words of every field whose words are measured are prepared")
    }

    /// Returns a numeric value.
    pub fn number(&self, value: ValueId) -> Option<f64> {
        self.numbers
            .get(value.index())
            .copied()
            .filter(|n| n.is_finite())
    }
}

/// When rows are filled with hints.
#[derive(Clone, Copy, Debug)]
enum Filling {
    IfDense,
    Never,
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
        Self::with(records, plan, one_per_source, Filling::IfDense)
    }

    /// Does the same, but fills no hints, as if there were many records and few pairs: all results
    /// are the same, and tests hold them to it.
    pub fn without_hints(
        records: &'a Records,
        plan: &MatchingPlan,
        one_per_source: &[SourceId],
    ) -> Self {
        Self::with(records, plan, one_per_source, Filling::Never)
    }

    fn with(
        records: &'a Records,
        plan: &MatchingPlan,
        one_per_source: &[SourceId],
        filling: Filling,
    ) -> Self {
        let tests: Vec<_> = plan.tests().collect();
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
                    places: per_value(column, needs(is_place_test), Place::of),
                    words: needs(|t| t.measures_words()).then(|| Words::of(column)),
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
        let words = match filling {
            Filling::IfDense => hint_words(records, plan, &fields, &derived, &crossed),
            Filling::Never => Vec::new(),
        };
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

    /// Returns whether there are several sources and each holds every entity once.
    pub fn are_all_exclusive(&self) -> bool {
        let sources = self.records.references().sources().len();
        sources > 1 && self.exclusive.len() == sources
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
    /// Marks what may pair with all others.
    #[cfg(target_arch = "x86_64")]
    pub(crate) const ANY: u32 = SHARED as u32;

    /// Returns a number that nodes share which can never be one entity, or [`Exclusive::ANY`].
    #[cfg(target_arch = "x86_64")]
    #[inline]
    pub(crate) fn group(&self, node: u32) -> u32 {
        let source = self.0.get(node as usize).copied();
        source.unwrap_or(SHARED).into()
    }

    /// Returns whether two nodes are two and could be one entity.
    #[inline]
    pub fn may_pair(&self, a: u32, b: u32) -> bool {
        a != b
            && (self.0.is_empty()
                || self.0[a as usize] == SHARED
                || self.0[a as usize] != self.0[b as usize])
    }
}

pub(crate) fn per_value<T: Send>(
    column: &Column,
    needed: bool,
    of: impl Fn(&str) -> T + Sync,
) -> Vec<T> {
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

fn is_place_test(test: &Test) -> bool {
    matches!(test, Test::Kilometres(_))
}

fn form_of(test: &Test) -> Option<Form> {
    match test {
        Test::Same(form) => Some(*form),
        Test::Jaccard(_) | Test::Overlap(_) => Some(Form::Tokens),
        _ => None,
    }
}
