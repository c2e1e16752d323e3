//! Small random worlds: records, settings and a model.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, RecordBatch, StringArray, StringBuilder};
use proptest::prelude::*;
use sameas_graph::SourceId;
use sameas_matching::{
    BlockSettings, BudgetSettings, Calibration, CompareSettings, ComparisonParameters,
    FrequencyKey, FrequencyTable, Interaction, LevelParameters, MODEL_FORMAT, MatchingPlan, Model,
    RuleSettings, Scope, Threshold,
};
use sameas_record::{
    DuplicateKeys, FieldPlan, Locale, PartitionIngest, Records, Schema, SourceParts, SourcePlan,
    assemble,
};
use sameas_tests::Draw;

use super::likeness::Ask;

/// The fields in the order of the schema, with values that normalisation leaves as they are.
///
/// Many of them lie just on either side of what some level asks for.
pub(super) const FIELDS: [(&str, &str, &[&str]); 7] = [
    (
        "dob",
        "date",
        &[
            "1980-03-04",
            "1980-04-03",
            "1980-04-04",
            "1980-04-05",
            "1981-03-04",
            "1981-03-05",
            "1999-01-01",
        ],
    ),
    (
        "email",
        "email",
        &[
            "an.x@one.test",
            "an.x@two.test",
            "be.y@one.test",
            "ce.z@one.test",
            "an.y@one.test",
            "de.q@six.test",
        ],
    ),
    (
        "given_name",
        "given_name",
        &[
            "abba", "abab", "baba", "bab", "abbab", "cabab", "b", "acaba", "bacaba", "abcabac",
        ],
    ),
    (
        "place",
        "coordinates",
        &[
            "48.1,11.5",
            "48.1004,11.5",
            "48.1,11.5131",
            "48.1,11.5137",
            "48.1091,11.5",
            "-48.1,11.5",
            "89.9999,12",
        ],
    ),
    (
        "size",
        "number",
        &["1", "2", "3", "100", "104", "105", "106", "97"],
    ),
    (
        "surname",
        "surname",
        &[
            "abba",
            "abab",
            "babab",
            "cababa",
            "dabba",
            "dabab",
            "abbadab",
            "bacaba",
            "abcabacada",
        ],
    ),
    (
        "title",
        "text",
        &[
            "red green",
            "green red",
            "red green blue",
            "blue black",
            "black white grey red",
            "white",
            "grey blue",
            "red",
            "b grey red",
            "gren black blue",
            "blackk whyte",
        ],
    ),
];

/// The field that holds several values.
const MULTI: usize = 1;

/// The names of the sources.
pub(super) const SOURCES: [&str; 3] = ["a", "b", "c"];

/// One record: its source, and for each field the numbers of its values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) source: usize,
    pub(super) values: [Vec<usize>; 7],
}

impl Row {
    pub(super) fn drawn(draw: &mut Draw) -> Self {
        let source = draw.below(SOURCES.len());
        let values = std::array::from_fn(|field| {
            let most = if field == MULTI { 4 } else { 1 };
            let count = if draw.chance(0.15) {
                0
            } else {
                1 + draw.below(most)
            };
            distinct(
                (0..count)
                    .map(|_| draw.below(FIELDS[field].2.len()))
                    .collect(),
            )
        });
        Self { source, values }
    }
}

/// Drops values equal to an earlier one.
fn distinct(values: Vec<usize>) -> Vec<usize> {
    let mut kept = Vec::new();
    for value in values {
        if !kept.contains(&value) {
            kept.push(value);
        }
    }
    kept
}

/// Any records.
pub(super) fn rows(count: Range<usize>) -> impl Strategy<Value = Vec<Row>> {
    let one = |field: usize| prop::collection::vec(0..FIELDS[field].2.len(), 0..=1);
    let many = prop::collection::vec(0..FIELDS[MULTI].2.len(), 0..=4).prop_map(distinct);
    let values = (one(0), many, one(2), one(3), one(4), one(5), one(6));
    let values = values.prop_map(|(a, b, c, d, e, f, g)| [a, b, c, d, e, f, g]);
    let row = (0..SOURCES.len(), values).prop_map(|(source, values)| Row { source, values });
    prop::collection::vec(row, count)
}

/// A level: asks of the comparison's own field, or of a named one.
pub(super) type Level = Vec<(Option<&'static str>, Ask)>;

/// A comparison as settings say it.
#[derive(Clone, Debug)]
pub(super) struct Comparison {
    pub(super) field: &'static str,
    pub(super) levels: Vec<Level>,
    pub(super) scope: Scope,
    pub(super) frequency: bool,
}

/// Records and everything that decides on them.
#[derive(Clone, Debug)]
pub(super) struct World {
    /// In node order.
    pub(super) rows: Vec<Row>,
    pub(super) comparisons: Vec<Comparison>,
    /// Deterministic rules: tests on named fields.
    pub(super) rules: Vec<Vec<(&'static str, Ask)>>,
    /// Blocking rules: fields and forms.
    pub(super) blocks: Vec<Vec<(&'static str, &'static str)>>,
    pub(super) one_per_source: Vec<usize>,
    pub(super) budget: BudgetSettings,
    seed: u64,
}

impl World {
    pub(super) fn new(mut rows: Vec<Row>, seed: u64) -> Self {
        rows.sort_by_key(|row| row.source);
        let mut draw = Draw::new(seed ^ 0x000b_ac1e);
        let mut comparisons = comparisons();
        draw.shuffle(&mut comparisons);
        comparisons.truncate(3 + draw.below(6));
        let mut blocks = BLOCKS.map(<[_]>::to_vec).to_vec();
        draw.shuffle(&mut blocks);
        blocks.truncate(1 + draw.below(5));
        let mut rules: Vec<_> = RULES.iter().map(|rule| rule.to_vec()).collect();
        draw.shuffle(&mut rules);
        rules.truncate(draw.below(3));
        let one_per_source = (0..SOURCES.len()).filter(|_| draw.chance(0.3)).collect();
        let budget = BudgetSettings {
            pairs_per_record_max: 100_000,
            block_len_max: *draw.pick(&[2, 3, 6, 12, 1_000]),
            refined_pairs_per_record_max: *draw.pick(&[0.0, 0.3, 1.0, 2.5, 100.0]),
        };
        Self {
            rows,
            comparisons,
            rules,
            blocks,
            one_per_source,
            budget,
            seed,
        }
    }

    /// Returns the texts of a field of a record.
    pub(super) fn texts(&self, node: usize, field: &str) -> Vec<&'static str> {
        let index = FIELDS.iter().position(|(name, ..)| *name == field).unwrap();
        self.rows[node].values[index]
            .iter()
            .map(|&value| FIELDS[index].2[value])
            .collect()
    }

    /// Returns the key of a record; keys ascend within a source.
    fn record_key(&self, node: usize) -> String {
        format!("k{node:04}")
    }

    fn nodes_of(&self, source: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.rows.len()).filter(move |&node| self.rows[node].source == source)
    }

    /// Takes the records in as a rebuild does.
    pub(super) fn records(&self) -> Records {
        let kind = |kind: &str| serde_json::from_value(serde_json::Value::from(kind)).unwrap();
        let fields = FIELDS
            .iter()
            .map(|(name, k, _)| ((*name).to_owned(), Some(kind(k))));
        let schema = Schema::new(&fields.collect());
        let sources = (0..SOURCES.len()).map(|source| {
            let fields = schema.ids().zip(1..);
            let plan = SourcePlan {
                name: SOURCES[source].to_owned(),
                locale: Locale::default(),
                duplicate_keys: DuplicateKeys::Refuse,
                columns: Vec::new(),
                fields: fields
                    .map(|(field, column)| FieldPlan {
                        field,
                        columns: vec![column],
                        part: None,
                    })
                    .collect(),
            };
            let mut ingest = PartitionIngest::new(&plan);
            ingest.push(&self.batch(source)).unwrap();
            let parts = vec![ingest.finish()];
            SourceParts { plan, parts }.in_key_order().unwrap()
        });
        let records = assemble(sources.collect(), schema).unwrap();
        self.assert_unchanged(&records);
        records
    }

    fn batch(&self, source: usize) -> RecordBatch {
        let keys = self
            .nodes_of(source)
            .map(|node| Some(self.record_key(node)));
        let mut columns: Vec<(&str, ArrayRef)> =
            vec![("key", Arc::new(keys.collect::<StringArray>()))];
        for (name, ..) in FIELDS {
            let mut lists = ListBuilder::new(StringBuilder::new());
            for node in self.nodes_of(source) {
                self.texts(node, name)
                    .iter()
                    .for_each(|text| lists.values().append_value(text));
                lists.append(true);
            }
            columns.push((name, Arc::new(lists.finish())));
        }
        RecordBatch::try_from_iter(columns).unwrap()
    }

    /// The oracle knows nothing of normalisation, so it must have nothing to do.
    fn assert_unchanged(&self, records: &Records) {
        for (field, (name, ..)) in records.schema().ids().zip(FIELDS) {
            let column = records.column(field);
            for node in 0..records.len() {
                let found: Vec<_> = column
                    .values(node)
                    .map(|v| column.dictionary().text(v))
                    .collect();
                assert_eq!(found, self.texts(node, name), "{name}");
            }
        }
    }

    pub(super) fn plan(&self, records: &Records) -> MatchingPlan {
        let (compare, block, rule) = self.matching();
        MatchingPlan::new(records.schema(), &compare, &block, &rule).unwrap()
    }

    fn matching(&self) -> (Vec<CompareSettings>, Vec<BlockSettings>, Vec<RuleSettings>) {
        let compare = self
            .comparisons
            .iter()
            .enumerate()
            .map(|(index, c)| CompareSettings {
                level: None,
                missing: None,
                name: Some(format!("c{index}")),
                field: c.field.to_owned(),
                kind: None,
                levels: Some(c.levels.iter().map(written).collect()),
                scope: Some(c.scope),
                frequency: c.frequency,
            });
        let block = self.blocks.iter().map(|parts| BlockSettings {
            on: parts
                .iter()
                .map(|(field, form)| format!("{field}.{form}"))
                .collect(),
            ..BlockSettings::default()
        });
        let rule = self.rules.iter().enumerate().map(|(index, tests)| {
            let tests: Level = tests
                .iter()
                .map(|&(field, ask)| (Some(field), ask))
                .collect();
            RuleSettings {
                name: format!("r{index}"),
                when: written(&tests),
            }
        });
        (compare.collect(), block.collect(), rule.collect())
    }

    pub(super) fn exclusive(&self, records: &Records) -> Vec<SourceId> {
        let id = |&source: &usize| records.references().source_id(SOURCES[source]);
        self.one_per_source.iter().filter_map(id).collect()
    }

    /// Returns thresholds that random weights fall on both sides of.
    pub(super) fn threshold(&self) -> Threshold {
        let mut draw = Draw::new(self.seed ^ 0x7e57);
        let link = -1.0 + 6.0 * draw.fraction();
        Threshold {
            link,
            review: link - 4.0 * draw.fraction(),
        }
    }

    /// Returns the secret of all models, which is that of rebuilds in tests.
    pub(super) fn key() -> FrequencyKey {
        FrequencyKey::new(sameas_tests::options(1).new_key)
    }

    /// Makes up a model of any numbers.
    pub(super) fn model(&self, plan: &MatchingPlan) -> Model {
        let mut draw = Draw::new(self.seed ^ 0x0de1);
        let comparisons = plan
            .comparisons
            .iter()
            .zip(&self.comparisons)
            .map(|(planned, c)| {
                let names = planned.level_names().into_iter().skip(1);
                let probability = |draw: &mut Draw| 0.02 + 0.97 * draw.fraction();
                let levels = names.map(|level| LevelParameters {
                    level,
                    m: probability(&mut draw),
                    u: probability(&mut draw),
                    related: draw.chance(0.7).then(|| probability(&mut draw)),
                });
                let levels = levels.collect();
                let frequency = c.frequency.then(|| FrequencyTable {
                    rest: probability(&mut draw),
                    frequent: values_of(c.field)
                        .iter()
                        .filter(|value| Draw::new(self.seed ^ value.len() as u64).chance(0.5))
                        .map(|value| (Self::key().token(planned, value), frequency_of(value)))
                        .collect(),
                });
                ComparisonParameters {
                    conditions: Vec::new(),
                    name: planned.name.clone(),
                    field: c.field.to_owned(),
                    kinds: plan.kinds_of(planned),
                    scope: c.scope,
                    levels,
                    frequency,
                }
            });
        let comparisons: Vec<ComparisonParameters> = comparisons.collect();
        Model {
            format: MODEL_FORMAT,
            prior: 0.05 + 0.4 * draw.fraction(),
            related: draw.chance(0.6).then(|| 0.3 * draw.fraction()),
            records: self.rows.len() as u64,
            key_id: Self::key().id(),
            interactions: self.interactions(&comparisons),
            calibration: draw.chance(0.3).then(|| Calibration {
                slope: 0.3 + draw.fraction(),
                offset: 2.0 * draw.fraction() - 1.0,
                matches: 30,
                others: 30,
            }),
            comparisons,
            words: Self::words(),
        }
    }

    /// Makes up what comparisons say twice.
    fn interactions(&self, comparisons: &[ComparisonParameters]) -> Vec<Interaction> {
        let mut draw = Draw::new(self.seed ^ 0x7a1c);
        let mut interactions: Vec<Interaction> = Vec::new();
        for (index, one) in comparisons.iter().enumerate() {
            for other in &comparisons[index + 1..] {
                let (i, j) = (draw.below(one.levels.len()), draw.below(other.levels.len()));
                if draw.chance(0.5) {
                    interactions.push(Interaction {
                        comparisons: [one.name.clone(), other.name.clone()],
                        levels: [one.levels[i].level.clone(), other.levels[j].level.clone()],
                        bits: 4.0 * draw.fraction(),
                    });
                }
            }
        }
        interactions
    }

    /// Lists how frequent most words of the titles are.
    fn words() -> BTreeMap<String, FrequencyTable> {
        let words = values_of("title").iter().flat_map(|title| title.split(' '));
        let listed = words.filter(|word| word.len() != 3);
        let share = |word: &str| 0.3 / word.len() as f64;
        let token = |word: &str| (Self::key().word_token("title", word), share(word));
        let table = FrequencyTable {
            rest: 0.1,
            frequent: listed.map(token).collect(),
        };
        BTreeMap::from([("title".to_owned(), table)])
    }

    /// Writes the records and settings as files, for a rebuild from end to end.
    pub(super) fn write(&self, folder: &Path) -> PathBuf {
        let mut settings = String::new();
        for (source, name) in SOURCES.iter().enumerate() {
            let mut text = String::new();
            for node in self.nodes_of(source) {
                let mut object = serde_json::json!({ "key": self.record_key(node) });
                for (field, ..) in FIELDS {
                    object[field] = self.texts(node, field).into();
                }
                writeln!(text, "{object}").unwrap();
            }
            fs::write(folder.join(format!("{name}.ndjson")), text).unwrap();
            write!(settings, "[[source]]\nname = \"{name}\"\nuri = \"{name}.ndjson\"\nkey = \"key\"\n[source.fields]\n").unwrap();
            for (field, ..) in FIELDS.iter().filter(|(field, ..)| self.uses(field)) {
                writeln!(settings, "{field} = \"{field}\"").unwrap();
            }
        }
        settings.push_str("[fields]\n");
        for (field, kind, _) in FIELDS.iter().filter(|(field, ..)| self.uses(field)) {
            writeln!(settings, "{field} = \"{kind}\"").unwrap();
        }
        let (compare, block, rule) = self.matching();
        settings.push_str(&tables("compare", &compare));
        settings.push_str(&tables("block", &block));
        settings.push_str(&tables("rule", &rule));
        writeln!(
            settings,
            "[budget]\nblock_len_max = {}\npairs_per_record_max = {}\nrefined_pairs_per_record_max = {}",
            self.budget.block_len_max,
            self.budget.pairs_per_record_max,
            self.budget.refined_pairs_per_record_max
        )
        .unwrap();
        // Bridges that are refused are the business of another test.
        settings.push_str("[decide]\nbridge = 0.0\n");
        let path = folder.join("sameas.toml");
        fs::write(&path, settings).unwrap();
        path
    }

    /// Tells whether any setting reads a field.
    fn uses(&self, field: &str) -> bool {
        let asks = |own: &'static str, level: &Level| {
            level.iter().any(|(named, ask)| {
                named.unwrap_or(own) == field
                    || *ask == Ask::Swapped("surname") && field == "surname"
            })
        };
        self.comparisons
            .iter()
            .any(|c| c.field == field || c.levels.iter().any(|l| asks(c.field, l)))
            || self.blocks.iter().flatten().any(|(name, _)| *name == field)
            || self.rules.iter().flatten().any(|(name, _)| *name == field)
    }
}

/// Writes settings as an array of tables; JSON values of these types are TOML values too.
fn tables<T: serde::Serialize>(name: &str, items: &[T]) -> String {
    let mut text = String::new();
    for item in items {
        writeln!(text, "[[{name}]]").unwrap();
        let serde_json::Value::Object(keys) = serde_json::to_value(item).unwrap() else {
            panic!("a table")
        };
        for (key, value) in keys.iter().filter(|(_, value)| !value.is_null()) {
            writeln!(text, "{key} = {value}").unwrap();
        }
    }
    text
}

fn values_of(field: &str) -> &'static [&'static str] {
    FIELDS.iter().find(|(name, ..)| *name == field).unwrap().2
}

/// Returns how frequent the model says a value is.
pub(super) fn frequency_of(value: &str) -> f64 {
    0.01 + 0.01 * value.len() as f64
}

fn written(level: &Level) -> String {
    let clauses = level.iter().map(|(field, ask)| match field {
        Some(field) => format!("{field}: {ask}"),
        None => ask.to_string(),
    });
    clauses.collect::<Vec<_>>().join(" and ")
}

const BLOCKS: [&[(&str, &str)]; 8] = [
    &[("email", "whole")],
    &[("title", "tokens")],
    &[("surname", "prefix3"), ("dob", "year")],
    &[("title", "tokens"), ("email", "domain")],
    &[("given_name", "initial")],
    &[("dob", "month"), ("size", "whole")],
    &[("email", "user"), ("given_name", "whole")],
    &[("title", "first_token")],
];

const RULES: [&[(&str, Ask)]; 5] = [
    &[
        ("email", Ask::Exact),
        ("title", Ask::SoftTfIdf(0.5)),
        ("place", Ask::Kilometres(1.0)),
    ],
    &[("email", Ask::Exact), ("surname", Ask::JaroWinkler(0.85))],
    &[("surname", Ask::Exact), ("dob", Ask::Exact)],
    &[
        ("title", Ask::Same("tokens")),
        ("given_name", Ask::Exact),
        ("dob", Ask::Days(40)),
    ],
    &[
        ("given_name", Ask::Same("prefix3")),
        ("size", Ask::Difference(2.0)),
    ],
];

/// Every test in some level, alone and together with others, exact first and not.
fn comparisons() -> Vec<Comparison> {
    use Ask::{
        Damerau, Days, Difference, Exact, Initial, Initials, Jaccard, JaroWinkler, Kilometres,
        Levenshtein, MongeElkan, Overlap, Percent, Same, SoftTfIdf, Swapped, TfIdf, Transposed,
        Years,
    };
    let one = |ask| vec![(None, ask)];
    let of = |field, scope, frequency, levels| Comparison {
        field,
        levels,
        scope,
        frequency,
    };
    vec![
        of(
            "given_name",
            Scope::Person,
            true,
            vec![
                one(Exact),
                one(Swapped("surname")),
                one(JaroWinkler(0.92)),
                one(Initial),
            ],
        ),
        of(
            "surname",
            Scope::Household,
            true,
            vec![one(Exact), one(JaroWinkler(0.9)), one(Levenshtein(2))],
        ),
        of(
            "dob",
            Scope::Person,
            false,
            vec![
                one(Exact),
                one(Transposed),
                one(Damerau(1)),
                one(Days(31)),
                one(Years(1)),
            ],
        ),
        of(
            "email",
            Scope::Household,
            true,
            vec![
                one(Exact),
                one(Damerau(1)),
                one(Same("user")),
                one(Same("domain")),
            ],
        ),
        of(
            "title",
            Scope::Open,
            false,
            vec![
                one(Exact),
                one(Same("sorted")),
                one(Jaccard(0.6)),
                one(Overlap(1.0)),
                one(Overlap(0.5)),
            ],
        ),
        of(
            "title",
            Scope::Person,
            true,
            vec![
                one(Exact),
                one(SoftTfIdf(0.9)),
                one(Initials),
                one(TfIdf(0.6)),
                one(SoftTfIdf(0.4)),
                one(MongeElkan(0.8)),
                one(TfIdf(0.2)),
            ],
        ),
        of(
            "place",
            Scope::Household,
            false,
            vec![
                one(Exact),
                one(Kilometres(0.05)),
                vec![(None, Kilometres(1.0)), (Some("title"), TfIdf(0.3))],
                one(Kilometres(1.0)),
                vec![
                    (None, Kilometres(20_000.0)),
                    (Some("title"), MongeElkan(0.7)),
                ],
            ],
        ),
        of(
            "size",
            Scope::Open,
            false,
            vec![one(Exact), one(Difference(1.0)), one(Percent(5.0))],
        ),
        of(
            "surname",
            Scope::Person,
            false,
            vec![
                vec![(None, Exact), (Some("email"), Exact)],
                vec![(None, Damerau(1)), (Some("dob"), Same("year"))],
                one(Same("prefix3")),
            ],
        ),
        of(
            "given_name",
            Scope::Open,
            false,
            vec![
                vec![(None, Same("initial")), (Some("title"), Overlap(0.5))],
                one(Levenshtein(1)),
            ],
        ),
        of(
            "surname",
            Scope::Open,
            false,
            vec![
                vec![(None, Exact), (Some("given_name"), Exact)],
                vec![(None, Damerau(1)), (Some("given_name"), Damerau(2))],
                vec![(None, Exact), (Some("dob"), Same("year"))],
                one(Exact),
                one(Damerau(1)),
            ],
        ),
        of(
            "title",
            Scope::Open,
            false,
            vec![
                one(TfIdf(0.9)),
                vec![(None, Overlap(0.5)), (Some("dob"), Days(31))],
            ],
        ),
    ]
}
