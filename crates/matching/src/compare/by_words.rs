//! Levels that measure how alike the words of two values are.
//!
//! Cost: a measure is taken once a pair of values, however many levels ask for it, and pairs of
//! values that come again are remembered.

use sameas_record::ValueId;

use super::{ReadyComparison, ReadyTest, holds};
use crate::language::Test;
use crate::memo::LevelMemo;
use crate::rows::NodeRow;
use crate::similarity::{Known, WordPair};

/// A way to measure how alike words are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    TfIdf,
    SoftTfIdf,
    MongeElkan,
}

impl Measure {
    /// Returns the measure that a test asks, and how much of it.
    fn of(test: Test) -> Option<(Self, f64)> {
        match test {
            Test::TfIdf(least) => Some((Self::TfIdf, least)),
            Test::SoftTfIdf(least) => Some((Self::SoftTfIdf, least)),
            Test::MongeElkan(least) => Some((Self::MongeElkan, least)),
            _ => None,
        }
    }
}

impl ReadyComparison<'_> {
    /// Returns the level of two records whose words are measured.
    pub(super) fn level_by_words(
        &self,
        memo: &LevelMemo,
        (a, b): (NodeRow<'_>, NodeRow<'_>),
        values: (ValueId, ValueId),
    ) -> u8 {
        let column = self.field.column;
        if values.0.is_missing() || values.1.is_missing() {
            return 0;
        }
        let level = |a, b| memo.level(a, b, || self.level_of_words((a, b)));
        if !column.is_multi_valued() {
            return level(values.0, values.1);
        }
        let of_b = || column.values(b.node as usize);
        let pairs = column
            .values(a.node as usize)
            .flat_map(|a| of_b().map(move |b| (a, b)));
        let best = pairs.map(|(a, b)| level(a, b)).min();
        best.unwrap_or(self.else_level)
    }

    /// Returns the level of two values; what is known of a measure after one level serves the next.
    fn level_of_words(&self, values: (ValueId, ValueId)) -> u8 {
        let mut known: Option<(Measure, Known)> = None;
        let mut holds_so = |test: &ReadyTest<'_>| {
            let Some((measure, least)) = Measure::of(test.test) else {
                return holds(test, values);
            };
            let before = known.filter(|(other, _)| *other == measure);
            if let Some(reaches) = before.and_then(|(_, known)| known.reaches(least)) {
                return reaches;
            }
            let found = likeness(test, values);
            known = Some((measure, found));
            found.reaches(least) == Some(true)
        };
        let mut levels = self.levels.iter();
        let level = levels.position(|tests| tests.iter().all(&mut holds_so));
        level.map_or(self.else_level, |level| level as u8 + 1)
    }
}

/// Measures how alike the words of two values are, at least as well as the test needs to know.
pub(super) fn likeness(test: &ReadyTest<'_>, values: (ValueId, ValueId)) -> Known {
    let pair = WordPair::new(test.field.words(), values);
    let weights = || {
        let weights = test.weights.as_deref();
        weights.expect("weights of every field whose words are weighed are ready")
    };
    match test.test {
        Test::TfIdf(_) => pair.tf_idf(weights()),
        Test::SoftTfIdf(least) => pair.soft_tf_idf(weights(), least),
        Test::MongeElkan(least) => pair.monge_elkan(least),
        _ => unreachable!("no other test measures words"),
    }
}
