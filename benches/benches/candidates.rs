//! Blocking, and weighing beside a weigher that compares every pair with `strsim`.
//!
//! Records are made up at a fixed seed: two for three repeat a customer, some with a typo.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sameas_graph::{ReferenceTableBuilder, SourceId};
use sameas_matching::{
    BlockSettings, Blocking, BudgetSettings, CompareSettings, Comparer, DecideSettings,
    FrequencyKey, MatchingPlan, Model, Prepared, Threshold, TrainSettings, Weigher, train,
};
use sameas_record::{Column, FieldKind, Records, Schema, ValueId};
use sameas_tests::{Draw, people};

const RECORD_COUNT: u32 = 100_000;
const RECORDS_PER_PERSON: u32 = 3;
const SEED: u64 = 26;
const FIELDS: [(&str, FieldKind); 6] = [
    ("dob", FieldKind::Date),
    ("email", FieldKind::Email),
    ("given_name", FieldKind::GivenName),
    ("phone", FieldKind::Phone),
    ("postcode", FieldKind::Postcode),
    ("surname", FieldKind::Surname),
];
/// The last is loose, as rules are that find what the strict ones miss: most pairs are strangers.
const RULES: [&[&str]; 5] = [
    &["email"],
    &["phone"],
    &["surname", "dob"],
    &["given_name", "dob"],
    &["postcode"],
];

/// Makes the records as ingestion leaves them: normalised, in node order.
fn records() -> Records {
    let mut draw = Draw::new(SEED);
    let people = people(RECORD_COUNT / RECORDS_PER_PERSON, SEED);
    let mut columns: [Vec<Option<String>>; 6] = Default::default();
    for _ in 0..RECORD_COUNT {
        let person = draw.pick(&people).clone();
        let name = person.given_name.to_lowercase();
        let surname = person.surname.to_lowercase();
        let values = [
            (person.born, 0.1, 0.02),
            (draw.pick(&person.emails).to_lowercase(), 0.3, 0.02),
            (name, 0.02, 0.08),
            (person.phone, 0.3, 0.01),
            (person.postcode, 0.1, 0.02),
            (surname, 0.02, 0.08),
        ];
        for (column, (value, missing, typo)) in columns.iter_mut().zip(values) {
            column.push(dirty(value, (missing, typo), &mut draw));
        }
    }
    let columns = columns
        .iter()
        .map(|column| Column::from_texts(column.iter().map(Option::as_deref)));
    let mut builder = ReferenceTableBuilder::new(vec!["crm".to_owned()]);
    for node in 0..RECORD_COUNT {
        builder.push(SourceId::new(0), &format!("{node:08}"));
    }
    let fields = FIELDS.map(|(name, kind)| (name.to_owned(), Some(kind)));
    Records::new(
        builder.finish(),
        Schema::new(&BTreeMap::from(fields)),
        columns.collect(),
    )
}

/// Leaves a value out, or exchanges two neighbouring characters of it.
fn dirty(value: String, (missing, typo): (f64, f64), draw: &mut Draw) -> Option<String> {
    if draw.chance(missing) {
        return None;
    }
    if !draw.chance(typo) {
        return Some(value);
    }
    let mut letters: Vec<char> = value.chars().collect();
    let at = draw.below(letters.len() - 1);
    letters.swap(at, at + 1);
    Some(letters.into_iter().collect())
}

fn plan(records: &Records) -> MatchingPlan {
    let compare = FIELDS.map(|(field, kind)| CompareSettings {
        field: field.to_owned(),
        frequency: matches!(kind, FieldKind::GivenName | FieldKind::Surname),
        ..CompareSettings::default()
    });
    let block = RULES.map(|on| BlockSettings {
        on: on.iter().map(ToString::to_string).collect(),
        ..BlockSettings::default()
    });
    MatchingPlan::new(records.schema(), &compare, &block, &[]).expect("the settings fit the fields")
}

/// What the naive way knows of a model: bits of three grades of likeness, by field.
struct Naive<'r> {
    records: &'r Records,
    bits: Vec<[f64; 3]>,
    prior: f64,
    review: f64,
}

impl<'r> Naive<'r> {
    fn new(records: &'r Records, model: &Model, threshold: Threshold) -> Self {
        let bits = model.comparisons.iter().map(|comparison| {
            let bits = |index: usize| comparison.levels[index].bits();
            [bits(0), bits(1), bits(comparison.levels.len() - 1)]
        });
        Self {
            records,
            bits: bits.collect(),
            prior: model.prior_bits(),
            review: threshold.review,
        }
    }

    /// Compares all fields of a pair as texts, one by one.
    fn reaches(&self, a: u32, b: u32) -> bool {
        let fields = self.records.schema().ids().zip(FIELDS).zip(&self.bits);
        let bits: f64 = fields
            .map(|((field, (_, kind)), bits)| {
                let column = self.records.column(field);
                let text = |node: u32| {
                    let value: ValueId = column.first(node as usize);
                    column.dictionary().text(value)
                };
                grade(kind, text(a), text(b)).map_or(0.0, |grade| bits[grade])
            })
            .sum();
        self.prior + bits >= self.review
    }
}

/// Returns 0 for equal, 1 for alike, 2 for different values; nothing if one is missing.
fn grade(kind: FieldKind, a: &str, b: &str) -> Option<usize> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let alike = match kind {
        FieldKind::GivenName | FieldKind::Surname => strsim::jaro_winkler(a, b) >= 0.92,
        _ => strsim::osa_distance(a, b) <= 1,
    };
    Some(if a == b { 0 } else { 2 - usize::from(alike) })
}

fn candidates(criterion: &mut Criterion) {
    let records = records();
    let plan = plan(&records);
    let prepared = Prepared::new(&records, &plan, &[]);
    let blocking = Blocking::new(&prepared, &plan, &BudgetSettings::default());
    let comparer = Comparer::new(&prepared, &plan);
    let key = FrequencyKey::new([7; 32]);
    let settings = TrainSettings::default();
    let (model, _) = train(
        &prepared, &comparer, &blocking, &plan, &settings, &key, None,
    );
    let threshold = Threshold::of(&DecideSettings::default());
    let weigher = Weigher::new(&prepared, &comparer, &plan, &model, &key, threshold);
    let weighed = weigher.weigh_all(&blocking, plan.rules.len(), &|_| {});
    let keys: u64 = blocking.costs().iter().map(|cost| cost.keyed_records).sum();
    let pairs: u64 = weighed.pairs_of_rule.iter().sum();

    let mut group = criterion.benchmark_group("candidates");
    group.throughput(Throughput::Elements(keys));
    group.bench_function(BenchmarkId::new("block", RECORD_COUNT), |bencher| {
        bencher.iter(|| Blocking::new(black_box(&prepared), &plan, &BudgetSettings::default()));
    });
    group.throughput(Throughput::Elements(pairs));
    group.bench_function(BenchmarkId::new("weigh", RECORD_COUNT), |bencher| {
        bencher.iter(|| weigher.weigh_all(black_box(&blocking), plan.rules.len(), &|_| {}));
    });
    let naive = Naive::new(&records, &model, threshold);
    group.bench_function(BenchmarkId::new("weigh_strsim", RECORD_COUNT), |bencher| {
        bencher.iter(|| naive_pairs(black_box(&naive), &blocking, plan.rules.len()));
    });
    group.finish();
}

/// Counts the pairs that reach the review threshold, over the same blocks.
fn naive_pairs(naive: &Naive<'_>, blocking: &Blocking<'_>, rule_count: usize) -> u64 {
    let of_rule = |rule: usize| -> u64 {
        let counts = blocking.map_blocks(
            rule,
            || 0,
            |count, block| {
                for (index, a) in block.rows().enumerate() {
                    let later = block.rows().skip(index + 1);
                    let reached = later
                        .filter(|&b| blocking.owns(&block, a, b) && naive.reaches(a.node, b.node));
                    *count += reached.count() as u64;
                }
            },
        );
        counts.iter().sum()
    };
    (0..rule_count).map(of_rule).sum()
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(5));
    targets = candidates
}
criterion_main!(benches);
