//! Settings about matching, checked against the fields there are.

mod checker;
mod preset;

use std::collections::{BTreeMap, BTreeSet};

use sameas_graph::LevelPattern;
use sameas_record::{FieldId, FieldKind, Form, Schema};
use thiserror::Error;

use self::checker::Checker;
use crate::language::Test;
use crate::{BlockSettings, CompareSettings, Predicate, RuleSettings, Scope};

/// Where in the settings something is wrong: a table, its index, and a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The array of tables: `compare`, `block` or `rule`.
    pub table: &'static str,
    /// Its index, from 0.
    pub index: usize,
    /// The key, and the index in it if it is a list.
    pub key: &'static str,
    /// The index in a list.
    pub item: Option<usize>,
}

/// One thing wrong in the settings about matching.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{message}")]
pub struct MatchingError {
    /// Where.
    pub place: Place,
    /// What, and what may have been meant.
    pub message: String,
}

/// A checked comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Its name in reports.
    pub name: String,
    /// Its own field.
    pub field: FieldId,
    /// Its levels, best first; the missing level before and the level "else" after them are implied.
    pub levels: Vec<Level>,
    /// Whom its values belong to.
    pub scope: Scope,
    /// Whether rare values weigh more when they are equal.
    pub frequency: bool,
    /// What is asked in SQL instead of by the levels' tests, if it is.
    pub conditions: Option<PairConditions>,
}

/// The levels of a comparison as conditions on a pair.
#[derive(Clone, Debug, PartialEq)]
pub struct PairConditions {
    /// When a pair says nothing; none if a missing value of the comparison's own field decides.
    pub missing: Option<Predicate>,
    /// The levels' conditions, best first.
    pub levels: Vec<Predicate>,
    /// How frequencies change the levels' weights.
    pub frequencies: Vec<Option<LevelFrequency>>,
}

/// How the frequency of a value changes the weight of a level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LevelFrequency {
    /// The field whose values count.
    pub field: FieldId,
    /// The number, from 0, of the level whose u the share of a value is compared with.
    pub base: usize,
    /// How much of the change counts.
    pub strength: f64,
    /// The least share a value counts with.
    pub floor: f64,
}

impl PairConditions {
    /// Returns the fields they look at.
    pub fn fields(&self) -> impl Iterator<Item = FieldId> + '_ {
        let asked = self.missing.iter().chain(&self.levels);
        let weighed = self.frequencies.iter().flatten().map(|f| f.field);
        asked.flat_map(Predicate::fields).chain(weighed)
    }

    /// Describes everything that decides levels, for a model to be held to it.
    pub fn describe(&self, schema: &Schema) -> Vec<String> {
        let missing = self.missing.as_ref().map_or("", Predicate::text);
        let levels = self.levels.iter().zip(&self.frequencies);
        let level = |(asked, frequency): (&Predicate, &Option<LevelFrequency>)| match frequency {
            None => asked.text().to_owned(),
            Some(f) => {
                let field = &schema.field(f.field).name;
                let (strength, floor, base) = (f.strength, f.floor, f.base);
                let text = asked.text();
                format!("{text} [frequency of {field} * {strength}, floor {floor}, base {base}]")
            }
        };
        std::iter::once(missing.to_owned())
            .chain(levels.map(level))
            .collect()
    }
}

impl Comparison {
    /// Returns all fields that its levels look at beside its own, repeats included.
    pub fn fields(&self) -> impl Iterator<Item = FieldId> + '_ {
        let clauses = self.levels.iter().flat_map(|level| &level.clauses);
        let asked = self.conditions.iter().flat_map(PairConditions::fields);
        clauses
            .flat_map(|test| [test.field, test.other])
            .chain(asked)
    }

    /// Returns how many levels a pattern can show: missing, the listed ones, and else.
    pub fn level_count(&self) -> usize {
        self.levels.len() + 2
    }

    /// Returns the names of all levels, missing first and else last.
    pub fn level_names(&self) -> Vec<String> {
        let listed = self.levels.iter().map(|level| level.name.clone());
        std::iter::once("missing".to_owned())
            .chain(listed)
            .chain(["else".to_owned()])
            .collect()
    }
}

/// A checked level.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// As written.
    pub name: String,
    /// What must hold.
    pub clauses: Vec<FieldTest>,
    /// Whether it is plain equality of the comparison's own field.
    pub exact: bool,
}

impl Level {
    /// Tells whether only equal values of a field have it.
    pub(crate) fn asks_equality_of(&self, field: FieldId) -> bool {
        let mut tests = self.clauses.iter();
        tests.any(|test| test.test == Test::Exact && test.field == field)
    }
}

/// A test on a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FieldTest {
    /// The field.
    pub field: FieldId,
    /// The second field of `swapped`; else the same.
    pub other: FieldId,
    /// The test.
    pub test: Test,
}

/// A derived value that blocking looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPart {
    /// The field.
    pub field: FieldId,
    /// The form.
    pub form: Form,
}

/// A rule that brings records together: they share all these derived values.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockingRule {
    /// Its name in reports.
    pub name: String,
    /// The derived values.
    pub parts: Vec<KeyPart>,
    /// Of how many records in the order of these values each two are brought together, if it is
    /// neighbours that the rule brings together instead of equals.
    pub window: Option<u32>,
    /// What must hold as well for the pair to be linked at once; none for a plain blocking rule.
    pub links_when: Option<Vec<FieldTest>>,
}

/// Everything that settings say about matching, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct MatchingPlan {
    /// The fields.
    pub schema: Schema,
    /// The comparisons, in pattern order.
    pub comparisons: Vec<Comparison>,
    /// Deterministic rules first, then blocking rules.
    pub rules: Vec<BlockingRule>,
}

impl MatchingPlan {
    /// Checks settings against the fields there are.
    ///
    /// # Errors
    /// Lists everything that is wrong, each with its place and what may have been meant.
    pub fn new(
        schema: &Schema,
        compare: &[CompareSettings],
        block: &[BlockSettings],
        rule: &[RuleSettings],
    ) -> Result<Self, Vec<MatchingError>> {
        let mut checker = Checker {
            schema,
            errors: Vec::new(),
        };
        let comparisons: Vec<_> = compare
            .iter()
            .enumerate()
            .filter_map(|(i, settings)| checker.comparison(i, settings))
            .collect();
        if comparisons.len() > LevelPattern::COMPARISON_COUNT_MAX {
            let message = format!(
                "{} comparisons are more than {}",
                comparisons.len(),
                LevelPattern::COMPARISON_COUNT_MAX
            );
            checker.refuse(
                "compare",
                LevelPattern::COMPARISON_COUNT_MAX,
                "field",
                None,
                message,
            );
        }
        let deterministic = rule
            .iter()
            .enumerate()
            .filter_map(|(i, r)| checker.rule(i, r));
        let mut rules: Vec<_> = deterministic.collect();
        rules.extend(
            block
                .iter()
                .enumerate()
                .filter_map(|(i, b)| checker.block(i, b)),
        );
        checker.rule_count(rule.len(), block.len());
        if checker.errors.is_empty() {
            Ok(Self {
                schema: schema.clone(),
                comparisons,
                rules,
            })
        } else {
            Err(checker.errors)
        }
    }

    /// Returns whether related records can be told from matches: some comparison must be of persons, some of households.
    pub fn tells_related(&self) -> bool {
        [Scope::Person, Scope::Household]
            .iter()
            .all(|scope| self.comparisons.iter().any(|c| c.scope == *scope))
    }

    /// Returns how many rules link by themselves.
    pub fn deterministic_count(&self) -> usize {
        self.rules
            .iter()
            .filter(|rule| rule.links_when.is_some())
            .count()
    }

    /// Returns the kinds of all fields that a comparison looks at, by their names.
    pub fn kinds_of(&self, comparison: &Comparison) -> BTreeMap<String, FieldKind> {
        comparison
            .fields()
            .chain([comparison.field])
            .map(|id| self.schema.field(id))
            .map(|field| (field.name.clone(), field.kind))
            .collect()
    }

    /// Returns the tests of all comparisons and rules.
    pub(crate) fn tests(&self) -> impl Iterator<Item = &FieldTest> {
        let levels = self.comparisons.iter().flat_map(|c| &c.levels);
        let conditions = self.rules.iter().flat_map(|rule| &rule.links_when);
        levels
            .flat_map(|level| &level.clauses)
            .chain(conditions.flatten())
    }

    /// Returns the fields whose words weigh by their rarity.
    pub(crate) fn weighed_word_fields(&self) -> BTreeSet<FieldId> {
        let weighed = self.tests().filter(|test| test.test.weighs_words());
        weighed.map(|test| test.field).collect()
    }

    /// Returns the fields that settings use, for finding unused ones.
    pub fn used_fields(&self) -> Vec<FieldId> {
        let compared = self.comparisons.iter().flat_map(Comparison::fields);
        let conditions = self
            .rules
            .iter()
            .flat_map(|r| r.links_when.iter().flatten());
        let tests = conditions.flat_map(|t| [t.field, t.other]).chain(compared);
        let parts = self.rules.iter().flat_map(|r| &r.parts).map(|p| p.field);
        let own = self.comparisons.iter().map(|c| c.field);
        let mut used: Vec<FieldId> = tests.chain(parts).chain(own).collect();
        used.sort_unstable();
        used.dedup();
        used
    }
}

#[cfg(test)]
mod tests;
