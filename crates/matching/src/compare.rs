//! The levels of a pair: comparisons evaluated over value ids.
//!
//! Cost per pair and comparison: two value ids of the rows at hand when they are equal or missing;
//! a bound over 16-byte signatures, and only then a kernel, when they are not.

mod by_words;

use std::collections::BTreeMap;
use std::sync::Arc;

use sameas_graph::LevelPattern;
use sameas_record::{Column, Derived, FieldId, Form, ValueId};

use self::by_words::likeness;
use crate::language::Test;
use crate::machine::prefetch;
use crate::memo::LevelMemo;
use crate::model::{FrequencyKey, Model};
use crate::place::square_of_km;
use crate::plan::{Comparison, FieldTest, MatchingPlan, PairConditions};
use crate::predicate::ReadyPredicate;
use crate::prepared::{Prepared, PreparedField};
use crate::rows::NodeRow;
use crate::sieve::Mesh;
use crate::similarity;
use crate::words::WordWeights;

/// How many values of one record's field are compared, as blocking uses so many keys of it.
const VALUES_MAX: usize = 64;

/// A test with everything it reads at hand.
#[derive(Debug)]
struct ReadyTest<'p> {
    test: Test,
    field: &'p PreparedField<'p>,
    other: &'p PreparedField<'p>,
    /// Where a row holds the first value of the field, and of the other field.
    slots: (usize, usize),
    derived: Option<&'p Derived>,
    /// Where a row holds the only derived value of a node.
    derived_slot: Option<usize>,
    /// For `swapped`: the numbers of the field's values among those of the other field.
    crossed: &'p [u32],
    /// What the words of the field weigh, for tests that weigh them.
    weights: Option<Arc<WordWeights>>,
    /// For distances on Earth: the largest square of the straight line between the places, in radii.
    square_max: f64,
    /// What rows say about it before anything else is read.
    mesh: Mesh,
    /// Whether it speaks of the comparison's own field, whose values are given.
    own: bool,
}

#[derive(Debug)]
struct ReadyComparison<'p> {
    field: &'p PreparedField<'p>,
    levels: Vec<Vec<ReadyTest<'p>>>,
    /// Whether level 1 is plain equality, so that equal ids decide.
    exact_first: bool,
    else_level: u8,
    /// How levels are found if not by asking one test after the other.
    otherwise: Option<Otherwise<'p>>,
}

/// Levels that are found in a way of their own.
#[derive(Debug)]
enum Otherwise<'p> {
    /// By conditions in SQL.
    Conditions(ReadyConditions<'p>),
    /// By measuring words of the two values alone; with the levels found before.
    Words(LevelMemo),
}

/// Levels asked in SQL.
#[derive(Debug)]
struct ReadyConditions<'p> {
    missing: Option<ReadyPredicate<'p>>,
    levels: Vec<ReadyPredicate<'p>>,
}

impl<'p> ReadyConditions<'p> {
    fn new(prepared: &'p Prepared<'p>, conditions: &PairConditions) -> Self {
        let ready = |predicate| ReadyPredicate::new(prepared, predicate);
        Self {
            missing: conditions.missing.as_ref().map(ready),
            levels: conditions.levels.iter().map(ready).collect(),
        }
    }

    /// Returns the level; the left record is the one whose source and key sort first.
    fn level(&self, a: NodeRow<'_>, b: NodeRow<'_>, values: (ValueId, ValueId)) -> u8 {
        let (left, right) = if a.node <= b.node { (a, b) } else { (b, a) };
        let is_missing = match &self.missing {
            Some(missing) => missing.holds(left, right),
            None => values.0.is_missing() || values.1.is_missing(),
        };
        if is_missing {
            return 0;
        }
        let level = self
            .levels
            .iter()
            .position(|asked| asked.holds(left, right));
        level.unwrap_or(self.levels.len()) as u8 + 1
    }
}

/// All comparisons over the records in flight.
#[derive(Debug)]
pub struct Comparer<'p> {
    comparisons: Vec<ReadyComparison<'p>>,
    rules: Vec<Vec<ReadyTest<'p>>>,
}

impl<'p> Comparer<'p> {
    /// Puts what each test reads at hand, to train; how rare words are is counted over the records.
    pub fn new(prepared: &'p Prepared<'p>, plan: &MatchingPlan) -> Self {
        Self::with_weights(prepared, plan, |field| {
            let field = prepared.field(field);
            WordWeights::counted(field.words(), field.column)
        })
    }

    /// Puts what each test reads at hand, to weigh; how rare words are is in the model, so that a
    /// pair's levels depend on no other record.
    ///
    /// # Panics
    /// Panics if [`Model::check`] refuses the model for the plan.
    pub fn of_model(
        prepared: &'p Prepared<'p>,
        plan: &MatchingPlan,
        model: &Model,
        key: &FrequencyKey,
    ) -> Self {
        Self::with_weights(prepared, plan, |field| {
            let name = &plan.schema.field(field).name;
            let table = model.words.get(name);
            let table = table.expect("a checked model has the words of every field of the plan");
            WordWeights::listed(prepared.field(field).words(), table, name, key)
        })
    }

    fn with_weights(
        prepared: &'p Prepared<'p>,
        plan: &MatchingPlan,
        weights: impl Fn(FieldId) -> WordWeights,
    ) -> Self {
        let fields = plan.weighed_word_fields().into_iter();
        let weights = fields
            .map(|field| (field, Arc::new(weights(field))))
            .collect();
        let ground = Ground { prepared, weights };
        let comparisons: Vec<ReadyComparison<'_>> = plan
            .comparisons
            .iter()
            .map(|c| ready_comparison(&ground, c))
            .collect();
        let conditions = plan
            .rules
            .iter()
            .filter_map(|rule| rule.links_when.as_ref());
        let rules = conditions
            .map(|tests| {
                tests
                    .iter()
                    .map(|test| ready_test(&ground, test, None))
                    .collect()
            })
            .collect();
        Self { comparisons, rules }
    }

    /// Returns how many comparisons there are.
    pub fn len(&self) -> usize {
        self.comparisons.len()
    }

    /// Returns whether there is no comparison.
    pub fn is_empty(&self) -> bool {
        self.comparisons.is_empty()
    }

    /// Returns the level of one comparison: 0 if a value is missing.
    pub fn level(&self, comparison: usize, a: NodeRow<'_>, b: NodeRow<'_>) -> u8 {
        let values = (a.value(comparison), b.value(comparison));
        let comparison = &self.comparisons[comparison];
        match &comparison.otherwise {
            None => {}
            Some(Otherwise::Conditions(conditions)) => return conditions.level(a, b, values),
            Some(Otherwise::Words(memo)) => return comparison.level_by_words(memo, (a, b), values),
        }
        let column = comparison.field.column;
        if values.0.is_missing() || values.1.is_missing() {
            return 0;
        }
        if comparison.exact_first && values.0 == values.1 {
            return 1;
        }
        if !column.is_multi_valued() {
            return level_of(comparison, (a, b), values);
        }
        let mut best = comparison.else_level;
        for value_a in compared(column, a) {
            for value_b in compared(column, b) {
                best = best.min(level_of(comparison, (a, b), (value_a, value_b)));
            }
        }
        best
    }

    /// Asks memory for the summaries of values that differ, which kernels will be bounded by.
    pub(crate) fn prefetch(&self, a: NodeRow<'_>, b: NodeRow<'_>) {
        for (index, comparison) in self.comparisons.iter().enumerate() {
            let (x, y) = (a.value(index), b.value(index));
            if x != y && !x.is_missing() && !y.is_missing() {
                let signatures = &comparison.field.signatures;
                prefetch(signatures, x.index());
                prefetch(signatures, y.index());
            }
        }
    }

    /// Returns the levels of all comparisons.
    pub fn pattern(&self, a: NodeRow<'_>, b: NodeRow<'_>) -> LevelPattern {
        (0..self.comparisons.len()).fold(LevelPattern::default(), |pattern, c| {
            pattern.with(c, self.level(c, a, b))
        })
    }

    /// Returns the first deterministic rule, from this one on, that holds for a pair.
    pub fn rule_that_links(&self, from: usize, a: NodeRow<'_>, b: NodeRow<'_>) -> Option<usize> {
        (from..self.rules.len()).find(|&rule| self.rules[rule].iter().all(|t| holds_for(t, (a, b))))
    }
}

/// What tests are made ready from.
struct Ground<'p> {
    prepared: &'p Prepared<'p>,
    weights: BTreeMap<FieldId, Arc<WordWeights>>,
}

fn ready_comparison<'p>(ground: &Ground<'p>, comparison: &Comparison) -> ReadyComparison<'p> {
    let prepared = ground.prepared;
    let own = Some(comparison.field);
    let levels = comparison.levels.iter();
    let levels: Vec<Vec<ReadyTest<'p>>> = levels
        .map(|level| {
            let tests = level.clauses.iter();
            tests.map(|t| ready_test(ground, t, own)).collect()
        })
        .collect();
    let mut tests = levels.iter().flatten();
    let measures_words = tests.clone().any(|t| t.test.measures_words());
    let is_of_values = tests.all(|t| t.own && t.derived_slot.is_none());
    ReadyComparison {
        field: prepared.field(comparison.field),
        levels,
        exact_first: comparison.levels.first().is_some_and(|level| level.exact),
        else_level: comparison.levels.len() as u8 + 1,
        otherwise: match &comparison.conditions {
            Some(asked) => Some(Otherwise::Conditions(ReadyConditions::new(prepared, asked))),
            None => (measures_words && is_of_values).then(|| Otherwise::Words(LevelMemo::new())),
        },
    }
}

fn ready_test<'p>(
    ground: &Ground<'p>,
    test: &FieldTest,
    own: Option<sameas_record::FieldId>,
) -> ReadyTest<'p> {
    let prepared = ground.prepared;
    let derived = match test.test {
        Test::Same(form) => Some(prepared.derived(test.field, form)),
        Test::Jaccard(_) | Test::Overlap(_) => Some(prepared.derived(test.field, Form::Tokens)),
        _ => None,
    };
    let rows = prepared.rows();
    let slot = |field| {
        rows.slot(field, Form::Whole)
            .expect("rows hold every field of the plan")
    };
    ReadyTest {
        test: test.test,
        field: prepared.field(test.field),
        other: prepared.field(test.other),
        slots: (slot(test.field), slot(test.other)),
        derived,
        derived_slot: match test.test {
            Test::Same(form) if form != Form::Whole => rows.slot(test.field, form),
            _ => None,
        },
        crossed: match test.test {
            Test::Swapped => prepared.crossed(test.field, test.other),
            _ => &[],
        },
        weights: ground.weights.get(&test.field).cloned(),
        square_max: match test.test {
            Test::Kilometres(most) => square_of_km(most),
            _ => 0.0,
        },
        mesh: Mesh::of(prepared, test),
        own: own == Some(test.field) && test.test != Test::Swapped,
    }
}

fn level_of(
    comparison: &ReadyComparison<'_>,
    nodes: (NodeRow<'_>, NodeRow<'_>),
    values: (ValueId, ValueId),
) -> u8 {
    let holds = |tests: &Vec<ReadyTest<'_>>| {
        let (a, b) = nodes;
        tests.iter().all(|t| t.mesh.lets_through(a, b))
            && tests.iter().all(|t| {
                if t.own && t.derived_slot.is_none() {
                    holds(t, values)
                } else {
                    holds_for(t, nodes)
                }
            })
    };
    let level = comparison.levels.iter().position(holds);
    level.map_or(comparison.else_level, |level| level as u8 + 1)
}

/// Returns whether a test holds for any values that two records have in its field.
fn holds_for(test: &ReadyTest<'_>, (a, b): (NodeRow<'_>, NodeRow<'_>)) -> bool {
    if test.test == Test::Swapped {
        return swapped(test, a, b);
    }
    if let Some(slot) = test.derived_slot {
        return a.id(slot) != 0 && a.id(slot) == b.id(slot);
    }
    let column = test.field.column;
    let (slot, _) = test.slots;
    if !column.is_multi_valued() {
        let values = (a.value(slot), b.value(slot));
        return !values.0.is_missing() && !values.1.is_missing() && holds(test, values);
    }
    compared(column, a).any(|x| compared(column, b).any(|y| holds(test, (x, y))))
}

/// Returns the values of a record that are compared: the first of a list that has more, for no list
/// of thousands may hold up all others.
fn compared<'c>(column: &'c Column, row: NodeRow<'_>) -> impl Iterator<Item = ValueId> + 'c {
    column.values(row.node as usize).take(VALUES_MAX)
}

/// Returns whether each record's value is the other record's value of the second field.
fn swapped(test: &ReadyTest<'_>, a: NodeRow<'_>, b: NodeRow<'_>) -> bool {
    let (field, other) = (test.field.column, test.other.column);
    let (field_slot, other_slot) = test.slots;
    let number = |value: ValueId| test.crossed[value.index()];
    let crosses = |one: NodeRow<'_>, two: NodeRow<'_>| {
        if !field.is_multi_valued() && !other.is_multi_valued() {
            let number = number(one.value(field_slot));
            return number != 0 && number == two.id(other_slot);
        }
        compared(field, one).any(|x| {
            let number = number(x);
            number != 0 && compared(other, two).any(|y| y.get() == number)
        })
    };
    crosses(a, b) && crosses(b, a)
}

fn holds(test: &ReadyTest<'_>, (a, b): (ValueId, ValueId)) -> bool {
    let equal = a == b;
    match test.test {
        Test::Exact => equal,
        Test::Same(_) => share(test, a, b),
        Test::JaroWinkler(least) => {
            equal
                || similarity::jaro_winkler_may_reach(signature(test, a), signature(test, b), least)
                    && similarity::jaro_winkler_reaches(text(test, a), text(test, b), least)
        }
        Test::Levenshtein(most) => {
            equal
                || similarity::levenshtein_may_be_within(
                    signature(test, a),
                    signature(test, b),
                    most,
                ) && similarity::levenshtein_within(text(test, a), text(test, b), most)
        }
        Test::Damerau(most) => {
            // An exchange changes no length and no set of characters, so the same bound is exact.
            equal
                || similarity::levenshtein_may_be_within(
                    signature(test, a),
                    signature(test, b),
                    most,
                ) && similarity::damerau_within(text(test, a), text(test, b), most)
        }
        Test::Initial => {
            (signature(test, a).is_single() || signature(test, b).is_single())
                && is_initial(text(test, a), text(test, b))
        }
        Test::Transposed => is_transposed(test, a, b),
        Test::Days(most) => days_apart(test, a, b).is_some_and(|days| days <= most),
        Test::Months(most) => {
            days_apart(test, a, b).is_some_and(|days| f64::from(days) <= f64::from(most) * 30.44)
        }
        Test::Years(most) => {
            days_apart(test, a, b).is_some_and(|days| f64::from(days) <= f64::from(most) * 365.25)
        }
        Test::Difference(most) => numbers(test, a, b).is_some_and(|(a, b)| (a - b).abs() <= most),
        Test::Percent(most) => numbers(test, a, b)
            .is_some_and(|(a, b)| (a - b).abs() * 100.0 <= most * a.abs().max(b.abs())),
        Test::Jaccard(least) => tokens(test, a, b, similarity::jaccard) >= least,
        Test::Overlap(least) => tokens(test, a, b, similarity::overlap) >= least,
        Test::TfIdf(least) | Test::SoftTfIdf(least) | Test::MongeElkan(least) => {
            likeness(test, (a, b)).reaches(least) == Some(true)
        }
        Test::Initials => equal || similarity::agrees_in_initials(text(test, a), text(test, b)),
        Test::Kilometres(_) => {
            test.field.place(a).square_to(test.field.place(b)) <= test.square_max
        }
        Test::Swapped => unreachable!("`swapped` speaks of records and is answered there"),
    }
}

fn text<'t>(test: &'t ReadyTest<'_>, value: ValueId) -> &'t str {
    test.field.column.dictionary().text(value)
}

fn signature<'t>(test: &'t ReadyTest<'_>, value: ValueId) -> &'t similarity::Signature {
    &test.field.signatures[value.index()]
}

fn share(test: &ReadyTest<'_>, a: ValueId, b: ValueId) -> bool {
    let derived = test.derived.expect("the test's form was derived");
    if !derived.is_multi() {
        let id = derived.single(a);
        return id != 0 && id == derived.single(b);
    }
    let (a, b) = (derived.ids(a), derived.ids(b));
    a.iter().any(|id| b.contains(id))
}

fn tokens(test: &ReadyTest<'_>, a: ValueId, b: ValueId, of: fn(&[u32], &[u32]) -> f64) -> f64 {
    let derived = test.derived.expect("tokens were derived");
    let (a, b) = (derived.ids(a), derived.ids(b));
    if a.is_empty() || b.is_empty() {
        0.0
    } else {
        of(a, b)
    }
}

fn is_initial(a: &str, b: &str) -> bool {
    let single = |x: &str| x.chars().nth(1).is_none();
    (single(a) || single(b)) && a.chars().next() == b.chars().next()
}

fn is_transposed(test: &ReadyTest<'_>, a: ValueId, b: ValueId) -> bool {
    let transposed = test.field.transposed_days(a);
    transposed.is_some() && transposed == test.field.days(b)
}

fn days_apart(test: &ReadyTest<'_>, a: ValueId, b: ValueId) -> Option<u32> {
    Some(test.field.days(a)?.abs_diff(test.field.days(b)?))
}

fn numbers(test: &ReadyTest<'_>, a: ValueId, b: ValueId) -> Option<(f64, f64)> {
    Some((test.field.number(a)?, test.field.number(b)?))
}

#[cfg(test)]
mod tests;
