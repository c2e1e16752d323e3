//! Term frequencies of levels that are asked in SQL.

use sameas_record::Form;

use crate::find::ValueCounts;
use crate::model::ComparisonParameters;
use crate::plan::{LevelFrequency, PairConditions};
use crate::prepared::Prepared;
use crate::rows::NodeRow;

/// What the frequency of values adds to one level.
#[derive(Debug)]
pub(super) struct Adjustment {
    /// Where a row holds the field's first value.
    slot: usize,
    /// Bits by value number; none for the missing value.
    bits: Vec<f64>,
}

impl Adjustment {
    /// Counts the values of the records at hand, unless counts of all records are given.
    fn new(
        (prepared, given): (&Prepared<'_>, Option<&ValueCounts>),
        frequency: &LevelFrequency,
        u: f64,
    ) -> Self {
        let column = prepared.field(frequency.field).column;
        let given = given.and_then(|given| given.0.get(&frequency.field));
        let (counts, total) = given.map_or_else(
            || {
                let counts = column.counts();
                let known = counts.iter().skip(1).map(|&count| u64::from(count));
                let total = known.sum();
                (counts, total)
            },
            |given| given.of_column(column),
        );
        let total = total.max(1) as f64;
        let bits = |&count: &u32| {
            let share = (f64::from(count) / total).max(frequency.floor);
            frequency.strength * (u.log2() - share.log2())
        };
        let slot = prepared.rows().slot(frequency.field, Form::Whole);
        Self {
            slot: slot.expect("rows hold every field of the plan"),
            bits: counts.iter().map(bits).collect(),
        }
    }

    /// Returns what the more frequent of two values adds; a missing one does not count.
    pub(super) fn of(&self, a: NodeRow<'_>, b: NodeRow<'_>) -> f64 {
        let bits = |row: NodeRow<'_>| match row.id(self.slot) {
            0 => None,
            id => self.bits.get(id as usize).copied(),
        };
        match (bits(a), bits(b)) {
            (Some(a), Some(b)) => a.min(b),
            (one, other) => one.or(other).unwrap_or(0.0),
        }
    }
}

/// Returns what frequencies add by level, the missing level first, and the most that levels weigh.
pub(super) fn adjustments_of(
    ground: (&Prepared<'_>, Option<&ValueCounts>),
    conditions: &PairConditions,
    parameters: &ComparisonParameters,
    bits: &[f64],
) -> (Vec<Option<Adjustment>>, f64) {
    let of = |frequency: &Option<LevelFrequency>| {
        let frequency = frequency.as_ref()?;
        let base = parameters.levels.get(frequency.base)?;
        Some(Adjustment::new(ground, frequency, base.u))
    };
    let mut adjustments = vec![None];
    adjustments.extend(conditions.frequencies.iter().map(of));
    adjustments.push(None);
    let most = bits.iter().zip(&adjustments).map(|(bits, adjustment)| {
        let added = adjustment.as_ref().map_or(0.0, |adjustment| {
            let known = adjustment.bits.iter().skip(1).copied();
            known.fold(0.0, f64::max)
        });
        bits + added
    });
    let most = most.fold(f64::MIN, f64::max);
    (adjustments, most)
}
