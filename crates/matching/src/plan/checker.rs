//! Settings turned into a plan, and all that is wrong with them at once.

use sameas_graph::LevelPattern;
use sameas_record::{FieldId, FieldKind, Form, Schema};

use super::preset::{preset, preset_names, preset_of_name, scope_of};
use super::{
    BlockingRule, Comparison, FieldTest, KeyPart, Level, LevelFrequency, MatchingError,
    PairConditions, Place,
};
use crate::language::{Condition, LanguageError, Test, did_you_mean, parse_key_part};
use crate::{
    BlockSettings, CompareSettings, FrequencyBase, LevelSettings, Predicate, RuleSettings, Scope,
};

/// The most rules and blocks together: evidence names its rule in one byte.
const RULE_COUNT_MAX: usize = 256;

/// The most neighbours that a rule brings together; pairs are so many a record.
const WINDOW_MAX: u32 = 100;

pub(super) struct Checker<'a> {
    pub(super) schema: &'a Schema,
    pub(super) errors: Vec<MatchingError>,
}

impl Checker<'_> {
    pub(super) fn refuse(
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

    pub(super) fn rule_count(&mut self, rule_count: usize, block_count: usize) {
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

    pub(super) fn comparison(
        &mut self,
        index: usize,
        settings: &CompareSettings,
    ) -> Option<Comparison> {
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
            Test::Kilometres(_) => (field.kind != FieldKind::Coordinates)
                .then_some("coordinates (`latitude,longitude`)"),
            Test::Jaccard(_)
            | Test::Overlap(_)
            | Test::TfIdf(_)
            | Test::SoftTfIdf(_)
            | Test::MongeElkan(_) => {
                (!Form::Tokens.applies_to(field.kind)).then_some("of words or e-mail")
            }
            Test::Initials => (!Form::Sorted.applies_to(field.kind)).then_some("of words"),
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

    pub(super) fn block(&mut self, index: usize, settings: &BlockSettings) -> Option<BlockingRule> {
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
            if settings.window.is_some() && form.is_multi() {
                let message = format!(
                    "a window needs one value a record to sort by, and `{form}` has several; use `sorted` or another form"
                );
                self.errors.push(MatchingError { place, message });
                return None;
            }
            parts.push(KeyPart { field, form });
        }
        let mut name = settings.on.join(" + ");
        if let Some(window) = settings.window {
            if !(2..=WINDOW_MAX).contains(&window) {
                let message = format!("expected a number from 2 to {WINDOW_MAX}");
                self.refuse("block", index, "window", None, message);
                return None;
            }
            name = format!("{name} (window {window})");
        }
        Some(BlockingRule {
            name,
            parts,
            window: settings.window,
            links_when: None,
        })
    }

    pub(super) fn rule(&mut self, index: usize, settings: &RuleSettings) -> Option<BlockingRule> {
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
            window: None,
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
