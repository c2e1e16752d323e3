//! Settings about matching, checked against the fields there are.

use std::collections::BTreeMap;

use sameas_record::{FieldId, FieldKind, Form, Schema};
use thiserror::Error;

use crate::language::{Condition, LanguageError, Test, did_you_mean, parse_key_part};
use crate::{
    BlockSettings, CompareSettings, FrequencyBase, LevelSettings, Predicate, RuleSettings, Scope,
};
use sameas_graph::LevelPattern;

/// The most rules and blocks together: evidence names its rule in one byte.
const RULE_COUNT_MAX: usize = 256;

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

struct Checker<'a> {
    schema: &'a Schema,
    errors: Vec<MatchingError>,
}

impl Checker<'_> {
    fn refuse(
        &mut self,
        table: &'static str,
        index: usize,
        key: &'static str,
        item: Option<usize>,
        message: String,
    ) {
        self.errors.push(MatchingError {
            place: Place {
                table,
                index,
                key,
                item,
            },
            message,
        });
    }

    fn field(&mut self, name: &str, place: Place) -> Option<FieldId> {
        let found = self.schema.field_id(name);
        if found.is_none() {
            let names = self.schema.fields().iter().map(|f| f.name.as_str());
            let suggestion = did_you_mean(crate::closest(name, names.clone()));
            let known = names.collect::<Vec<_>>().join(", ");
            let message =
                format!("no source maps a field `{name}`{suggestion}; mapped fields are {known}");
            self.errors.push(MatchingError { place, message });
        }
        found
    }

    fn rule_count(&mut self, rule_count: usize, block_count: usize) {
        if rule_count + block_count <= RULE_COUNT_MAX {
            return;
        }
        // Deterministic rules are numbered first, so blocks are those in excess, if there are any.
        let (table, index, key) = match RULE_COUNT_MAX.checked_sub(rule_count) {
            Some(index) => ("block", index, "on"),
            None => ("rule", RULE_COUNT_MAX, "when"),
        };
        let message = format!(
            "{rule_count} rules and {block_count} blocks are more than {RULE_COUNT_MAX} together; remove those that find the fewest new pairs, which `sameas rebuild` reports"
        );
        self.refuse(table, index, key, None, message);
    }

    fn comparison(&mut self, index: usize, settings: &CompareSettings) -> Option<Comparison> {
        let place = Place {
            table: "compare",
            index,
            key: "field",
            item: None,
        };
        let field = self.field(&settings.field, place)?;
        if let Some(levels) = &settings.level {
            return self.conditions(index, settings, field, levels);
        }
        let texts = match (&settings.levels, &settings.kind) {
            (Some(levels), _) => levels.clone(),
            (None, Some(kind)) => {
                let Some(levels) = preset_of_name(kind) else {
                    let suggestion = did_you_mean(crate::closest(kind, preset_names()));
                    let names = preset_names().collect::<Vec<_>>().join(", ");
                    let message = format!(
                        "unknown kind of comparison `{kind}`{suggestion}; kinds are {names}"
                    );
                    self.refuse("compare", index, "kind", None, message);
                    return None;
                };
                levels.iter().map(|&l| l.to_owned()).collect()
            }
            (None, None) => preset(self.schema.field(field).kind)
                .iter()
                .map(|&l| l.to_owned())
                .collect(),
        };
        if texts.is_empty() || texts.len() + 2 > LevelPattern::LEVEL_COUNT_MAX {
            let most = LevelPattern::LEVEL_COUNT_MAX - 2;
            let message = format!(
                "{} levels were given, 1 to {most} are possible",
                texts.len()
            );
            self.refuse("compare", index, "levels", None, message);
            return None;
        }
        let mut levels = Vec::new();
        for (item, text) in texts.iter().enumerate() {
            // The levels of a kind stand nowhere in the settings, but the kind does.
            let (key, item) = match (&settings.levels, &settings.kind) {
                (None, Some(_)) => ("kind", None),
                _ => ("levels", Some(item)),
            };
            let place = Place {
                table: "compare",
                index,
                key,
                item,
            };
            let condition = self.condition(text, place.clone())?;
            let clauses = self.tests(&condition, Some(field), &place)?;
            levels.push(Level {
                name: text.trim().to_owned(),
                clauses,
                exact: condition.is_exact(),
            });
        }
        let name = settings
            .name
            .clone()
            .unwrap_or_else(|| settings.field.clone());
        let scope = settings
            .scope
            .unwrap_or_else(|| scope_of(self.schema.field(field).kind));
        Some(Comparison {
            name,
            field,
            levels,
            scope,
            frequency: settings.frequency,
            conditions: None,
        })
    }

    /// Checks a comparison whose levels are asked in SQL.
    fn conditions(
        &mut self,
        index: usize,
        settings: &CompareSettings,
        field: FieldId,
        listed: &[LevelSettings],
    ) -> Option<Comparison> {
        let most = LevelPattern::LEVEL_COUNT_MAX - 2;
        if listed.is_empty() || listed.len() > most {
            let message = format!(
                "{} levels were given, 1 to {most} are possible",
                listed.len()
            );
            self.refuse("compare", index, "level", None, message);
            return None;
        }
        let missing = match &settings.missing {
            Some(text) => Some(self.predicate(text, (index, "missing", None))?),
            None => None,
        };
        let mut predicates = Vec::with_capacity(listed.len());
        for (item, level) in listed.iter().enumerate() {
            predicates.push(self.predicate(&level.when, (index, "level", Some(item)))?);
        }
        let mut frequencies = Vec::with_capacity(listed.len());
        for (item, level) in listed.iter().enumerate() {
            frequencies.push(match &level.frequency {
                Some(_) => Some(self.level_frequency(index, item, level, &predicates)?),
                None => None,
            });
        }
        let levels = listed.iter().map(|level| Level {
            name: level.name.as_ref().unwrap_or(&level.when).trim().to_owned(),
            clauses: Vec::new(),
            exact: false,
        });
        Some(Comparison {
            name: settings
                .name
                .clone()
                .unwrap_or_else(|| settings.field.clone()),
            field,
            levels: levels.collect(),
            scope: settings.scope.unwrap_or(Scope::Open),
            frequency: false,
            conditions: Some(PairConditions {
                missing,
                levels: predicates,
                frequencies,
            }),
        })
    }

    fn predicate(
        &mut self,
        text: &str,
        (index, key, item): (usize, &'static str, Option<usize>),
    ) -> Option<Predicate> {
        Predicate::parse(text, self.schema)
            .map_err(|error| self.refuse("compare", index, key, item, error.to_string()))
            .ok()
    }

    fn level_frequency(
        &mut self,
        index: usize,
        item: usize,
        level: &LevelSettings,
        predicates: &[Predicate],
    ) -> Option<LevelFrequency> {
        let settings = level.frequency.as_ref()?;
        let place = Place {
            table: "compare",
            index,
            key: "level",
            item: Some(item),
        };
        let field = self.field(&settings.field, place)?;
        let base = match settings.base {
            FrequencyBase::Level => Some(item),
            FrequencyBase::Exact => predicates
                .iter()
                .position(|predicate| predicate.exact_field() == Some(field)),
        };
        let fits = settings.strength.is_finite() && (0.0..=1.0).contains(&settings.floor);
        let wrong = match base {
            None => Some(format!(
                "no level is nothing but equality of `{0}`, whose u the frequency is compared with; add the level `{0}_l = {0}_r`, or set base = \"level\"",
                settings.field
            )),
            Some(_) if !fits => {
                Some("a frequency needs a finite strength and a floor from 0 to 1".to_owned())
            }
            Some(_) => None,
        };
        if let Some(message) = wrong {
            self.refuse("compare", index, "level", Some(item), message);
        }
        base.filter(|_| fits).map(|base| LevelFrequency {
            field,
            base,
            strength: settings.strength,
            floor: settings.floor,
        })
    }

    fn condition(&mut self, text: &str, place: Place) -> Option<Condition> {
        Condition::parse(text)
            .map_err(|error| self.language(&error, place))
            .ok()
    }

    fn language(&mut self, error: &LanguageError, place: Place) {
        self.errors.push(MatchingError {
            place,
            message: error.to_string(),
        });
    }

    fn tests(
        &mut self,
        condition: &Condition,
        own: Option<FieldId>,
        place: &Place,
    ) -> Option<Vec<FieldTest>> {
        let mut tests = Vec::new();
        for clause in &condition.clauses {
            let field = match (&clause.field, own) {
                (Some(name), _) => self.field(name, place.clone())?,
                (None, Some(own)) => own,
                (None, None) => {
                    let message = format!(
                        "`{condition}`: name the field before the test, as in `email: exact`"
                    );
                    self.errors.push(MatchingError {
                        place: place.clone(),
                        message,
                    });
                    return None;
                }
            };
            let other = match &clause.other {
                Some(name) => self.field(name, place.clone())?,
                None => field,
            };
            self.applies(clause.test, field, place)?;
            tests.push(FieldTest {
                field,
                other,
                test: clause.test,
            });
        }
        Some(tests)
    }

    fn applies(&mut self, test: Test, field: FieldId, place: &Place) -> Option<()> {
        let field = self.schema.field(field);
        let needed = match test {
            Test::Days(_) | Test::Months(_) | Test::Years(_) | Test::Transposed => {
                (field.kind != FieldKind::Date).then_some("a date")
            }
            Test::Difference(_) | Test::Percent(_) => {
                (field.kind != FieldKind::Number).then_some("a number")
            }
            Test::Jaccard(_) | Test::Overlap(_) => {
                (!Form::Tokens.applies_to(field.kind)).then_some("of words or e-mail")
            }
            Test::Same(form) if !form.applies_to(field.kind) => Some("of another kind"),
            _ => None,
        };
        let Some(needed) = needed else {
            return Some(());
        };
        let message = format!(
            "the test needs a field that is {needed}, `{}` is {:?}; set its kind under [fields]",
            field.name, field.kind
        );
        self.errors.push(MatchingError {
            place: place.clone(),
            message,
        });
        None
    }

    fn block(&mut self, index: usize, settings: &BlockSettings) -> Option<BlockingRule> {
        if settings.on.is_empty() {
            self.refuse(
                "block",
                index,
                "on",
                None,
                "name at least one field".to_owned(),
            );
            return None;
        }
        let mut parts = Vec::new();
        for (item, text) in settings.on.iter().enumerate() {
            let place = Place {
                table: "block",
                index,
                key: "on",
                item: Some(item),
            };
            let parsed = parse_key_part(text)
                .map_err(|e| self.language(&e, place.clone()))
                .ok();
            let (name, form) = parsed?;
            let field = self.field(&name, place.clone())?;
            self.applies(Test::Same(form), field, &place)?;
            parts.push(KeyPart { field, form });
        }
        Some(BlockingRule {
            name: settings.on.join(" + "),
            parts,
            links_when: None,
        })
    }

    fn rule(&mut self, index: usize, settings: &RuleSettings) -> Option<BlockingRule> {
        let place = Place {
            table: "rule",
            index,
            key: "when",
            item: None,
        };
        let condition = self.condition(&settings.when, place.clone())?;
        let tests = self.tests(&condition, None, &place)?;
        let parts: Vec<KeyPart> = tests.iter().filter_map(key_part).collect();
        if parts.is_empty() {
            let message = "a rule needs at least one `exact` or `same FORM` test, by which its pairs are found".to_owned();
            self.errors.push(MatchingError { place, message });
            return None;
        }
        Some(BlockingRule {
            name: settings.name.clone(),
            parts,
            links_when: Some(tests),
        })
    }
}

fn key_part(test: &FieldTest) -> Option<KeyPart> {
    match test.test {
        Test::Exact => Some(KeyPart {
            field: test.field,
            form: Form::Whole,
        }),
        Test::Same(form) => Some(KeyPart {
            field: test.field,
            form,
        }),
        _ => None,
    }
}

fn scope_of(kind: FieldKind) -> Scope {
    match kind {
        FieldKind::GivenName | FieldKind::FullName | FieldKind::Date | FieldKind::Identifier => {
            Scope::Person
        }
        FieldKind::Surname
        | FieldKind::Email
        | FieldKind::Phone
        | FieldKind::Street
        | FieldKind::City
        | FieldKind::Postcode
        | FieldKind::Company => Scope::Household,
        FieldKind::Text | FieldKind::Number | FieldKind::Verbatim => Scope::Open,
    }
}

const PRESETS: &[(&str, FieldKind, &[&str])] = &[
    (
        "given_name",
        FieldKind::GivenName,
        &[
            "exact",
            "same nickname",
            "jaro_winkler >= 0.92",
            "initial",
            "jaro_winkler >= 0.85",
        ],
    ),
    (
        "surname",
        FieldKind::Surname,
        &[
            "exact",
            "jaro_winkler >= 0.92",
            "overlap >= 1",
            "jaro_winkler >= 0.85",
        ],
    ),
    (
        "full_name",
        FieldKind::FullName,
        &[
            "exact",
            "same sorted",
            "jaro_winkler >= 0.92",
            "overlap >= 1",
            "jaccard >= 0.5",
        ],
    ),
    (
        "date",
        FieldKind::Date,
        &[
            "exact",
            "transposed",
            "damerau <= 1",
            "days <= 31",
            "years <= 1",
        ],
    ),
    (
        "email",
        FieldKind::Email,
        &["exact", "damerau <= 1", "same user", "jaro_winkler >= 0.92"],
    ),
    (
        "phone",
        FieldKind::Phone,
        &["exact", "damerau <= 1", "same last7"],
    ),
    (
        "street",
        FieldKind::Street,
        &["exact", "damerau <= 2", "overlap >= 1", "jaccard >= 0.5"],
    ),
    ("city", FieldKind::City, &["exact", "jaro_winkler >= 0.92"]),
    (
        "postcode",
        FieldKind::Postcode,
        &["exact", "damerau <= 1", "same prefix3"],
    ),
    (
        "company",
        FieldKind::Company,
        &[
            "exact",
            "same sorted",
            "jaro_winkler >= 0.92",
            "overlap >= 1",
            "jaccard >= 0.5",
        ],
    ),
    (
        "identifier",
        FieldKind::Identifier,
        &["exact", "damerau <= 1", "damerau <= 2"],
    ),
    (
        "text",
        FieldKind::Text,
        &[
            "exact",
            "jaccard >= 0.8",
            "jaccard >= 0.6",
            "jaccard >= 0.4",
            "jaccard >= 0.2",
        ],
    ),
    (
        "number",
        FieldKind::Number,
        &["exact", "difference <= 1", "percent <= 5"],
    ),
    (
        "verbatim",
        FieldKind::Verbatim,
        &["exact", "jaro_winkler >= 0.92", "jaro_winkler >= 0.85"],
    ),
];

fn preset(kind: FieldKind) -> &'static [&'static str] {
    PRESETS
        .iter()
        .find(|(_, k, _)| *k == kind)
        .expect("every kind has a preset")
        .2
}

fn preset_of_name(name: &str) -> Option<&'static [&'static str]> {
    PRESETS
        .iter()
        .find(|(n, ..)| *n == name)
        .map(|(.., levels)| *levels)
}

fn preset_names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|(name, ..)| *name)
}

#[cfg(test)]
mod tests;
