//! One record against its candidates, weighed as a rebuild would weigh the pairs.
//!
//! The record and its candidates become records of their own, with everything that weighing needs computed
//! for their values alone. So the code is that of a rebuild, and so is the outcome: what a pair
//! weighs depends on the model and the two records.
//!
//! Levels asked in SQL see the record as the left one of each pair, whatever its source and key.
//!
//! Cost: about a microsecond a candidate and field.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use sameas_graph::LevelPattern;
use sameas_record::{Column, FieldId, Records, ValueId};

use crate::compare::Comparer;
use crate::model::{FrequencyKey, Model};
use crate::plan::MatchingPlan;
use crate::prepared::Prepared;
use crate::weigh::{Threshold, Weigher};

/// What one candidate is to the record that is looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// The posterior weight in bits.
    pub bits: f64,
    /// The level of every comparison.
    pub pattern: LevelPattern,
    /// The deterministic rule that links the pair whatever it weighs.
    pub linked_by: Option<usize>,
    /// The comparison in which the two differ and must not.
    pub held_apart_by: Option<usize>,
}

/// Everything that judging needs beside the records.
#[derive(Debug)]
pub struct Judge {
    /// The plan without what only finds candidates.
    plan: MatchingPlan,
    model: Model,
    key: FrequencyKey,
    threshold: Threshold,
    apart: Vec<usize>,
    counts: ValueCounts,
}

/// How many records have a value, for levels whose weight depends on it (those of imported models).
///
/// Values of one record alone are not listed: so many more records have any other.
#[derive(Debug, Default)]
pub struct ValueCounts(pub(crate) BTreeMap<FieldId, FieldCounts>);

/// Counts of one field's values by content hash, and the total.
#[derive(Debug, Default)]
pub(crate) struct FieldCounts {
    pub(crate) of_value: HashMap<u64, u32>,
    pub(crate) total: u64,
}

impl FieldCounts {
    /// Returns the count of every value of a column, by value number, and the total.
    pub(crate) fn of_column(&self, column: &Column) -> (Vec<u32>, u64) {
        let values = (0..column.dictionary().len() as u32).map(ValueId::new);
        let count = |value| self.of_value.get(&column.dictionary().hash(value)).copied();
        (
            values.map(|value| count(value).unwrap_or(1)).collect(),
            self.total,
        )
    }
}

impl ValueCounts {
    /// Counts the values of fields whose frequencies the plan asks of the records at hand.
    pub fn of(records: &Records, plan: &MatchingPlan) -> Self {
        let conditions = plan
            .comparisons
            .iter()
            .filter_map(|c| c.conditions.as_ref());
        let asked = conditions.flat_map(|c| c.frequencies.iter().flatten().map(|f| f.field));
        let counted = asked.map(|field| {
            let column = records.column(field);
            let counts = column.counts();
            let dictionary = column.dictionary();
            let listed = (0u32..)
                .zip(&counts)
                .skip(1)
                .filter(|(_, count)| **count > 1);
            let listed = listed.map(|(id, &count)| (dictionary.hash(ValueId::new(id)), count));
            let counted = FieldCounts {
                of_value: listed.collect(),
                total: counts.iter().skip(1).map(|&count| u64::from(count)).sum(),
            };
            (field, counted)
        });
        Self(counted.collect())
    }
}

impl Judge {
    /// Takes what a rebuild weighs by; `apart` are the numbers of the comparisons that must not differ.
    pub fn new(
        plan: &MatchingPlan,
        model: Model,
        key: FrequencyKey,
        threshold: Threshold,
        apart: Vec<usize>,
        counts: ValueCounts,
    ) -> Self {
        let mut plan = plan.clone();
        plan.rules.retain(|rule| rule.links_when.is_some());
        Self {
            plan,
            model,
            key,
            threshold,
            apart,
            counts,
        }
    }

    /// Weighs the first record against each of the others, in their order. Comparisons of the hidden
    /// fields say nothing, whatever their own conditions make of missing values.
    pub fn judge(&self, records: &Records, hidden: &[FieldId]) -> Vec<Judged> {
        let (plan, model, key) = (&self.plan, &self.model, &self.key);
        let prepared = Prepared::without_hints(records, plan, &[]);
        let comparer = Comparer::of_model(&prepared, plan, model, key);
        let counts = Some(&self.counts);
        let weigher = Weigher::with(
            &prepared,
            &comparer,
            (plan, model, key),
            self.threshold,
            counts,
        );
        let rows = prepared.rows();
        let others = 1..records.len() as u32;
        let differs = |pattern: LevelPattern, comparison: usize| {
            let lowest = plan.comparisons[comparison].level_count() as u8 - 1;
            pattern.level(comparison) == lowest
        };
        let comparisons = plan.comparisons.iter().enumerate();
        let hidden = comparisons.filter(|(_, comparison)| hidden.contains(&comparison.field));
        let hidden: Vec<usize> = hidden.map(|(number, _)| number).collect();
        let judge = |other: u32| {
            let (a, b) = (rows.of(0), rows.of(other));
            let asked = comparer.pattern(a, b);
            let pattern = hidden
                .iter()
                .fold(asked, |kept, &number| kept.without(number));
            let (bits, linked_by) = weigher.judge_pattern(pattern, a, b);
            let mut apart = self.apart.iter().copied();
            Judged {
                bits,
                pattern,
                linked_by,
                held_apart_by: apart.find(|&comparison| differs(pattern, comparison)),
            }
        };
        others.map(judge).collect()
    }
}
