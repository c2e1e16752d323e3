//! What Splink says of every pair of its blocking rules, and what we say of it.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int8Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sameas_matching::PairWeight;
use sameas_resolve::{Existing, ImportReport, ImportRequest, RecordName, Settings, import_splink};
use sameas_tests::{options, rebuild};

/// The bound of the issue, in bits.
const DIFFERENCE_MAX: f64 = 1e-6;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("splink")
        .join(name)
}

fn read(name: &str) -> Vec<RecordBatch> {
    let file = File::open(fixture(name)).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    reader.build().unwrap().map(Result::unwrap).collect()
}

fn texts(batch: &RecordBatch, name: &str) -> Vec<Option<String>> {
    let column = cast(batch.column_by_name(name).unwrap(), &DataType::Utf8).unwrap();
    let column = column.as_string::<i32>();
    column.iter().map(|text| text.map(str::to_owned)).collect()
}

fn numbers(batch: &RecordBatch, name: &str) -> Vec<Option<f64>> {
    let column = cast(batch.column_by_name(name).unwrap(), &DataType::Float64).unwrap();
    column.as_primitive::<Float64Type>().iter().collect()
}

fn import(model: &Path, files: &[PathBuf], out: &Path) -> ImportReport {
    let request = ImportRequest {
        model: model.to_owned(),
        folder: out.to_owned(),
        files: files.to_vec(),
        existing: Existing::Keep,
    };
    import_splink(&request, [7; 32]).unwrap_or_else(|error| panic!("{error}"))
}

fn weigh(settings: &Path, pairs: &[(RecordName, RecordName)]) -> Vec<Option<PairWeight>> {
    let settings = Settings::load(settings).unwrap_or_else(|error| panic!("{error}"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime
        .block_on(sameas_resolve::weigh(&settings, &options(2), pairs))
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Weighs all pairs of a set and returns how many there are.
fn hold_to_splink(set: &str, model: &str, scored: &str, sources: [&str; 2]) -> usize {
    let out = tempfile::tempdir().unwrap();
    let mut names = sources.to_vec();
    names.dedup();
    let files = names
        .iter()
        .map(|name| fixture(&format!("{set}/{name}.csv.gz")));
    let files: Vec<PathBuf> = files.collect();
    let report = import(&fixture(&format!("{set}/{model}")), &files, out.path());
    let mut count = 0;
    for batch in read(&format!("{set}/{scored}")) {
        let named = |column: &str, source: &str| -> Vec<RecordName> {
            let keys = texts(&batch, column).into_iter().flatten();
            keys.map(|key| (source.to_owned(), key)).collect()
        };
        let (left, right) = (named("left", sources[0]), named("right", sources[1]));
        let pairs: Vec<_> = left.into_iter().zip(right).collect();
        let weights = weigh(&report.settings, &pairs);
        let expected = numbers(&batch, "weight");
        let schema = batch.schema();
        let gammas = schema.fields().iter().zip(batch.columns());
        let gammas = gammas
            .into_iter()
            .filter(|(field, _)| field.name().starts_with("gamma_"));
        let gammas: Vec<&arrow::array::Int8Array> = gammas
            .map(|(_, column)| column.as_primitive::<Int8Type>())
            .collect();
        let settings = Settings::load(&report.settings).unwrap();
        for (row, weight) in weights.iter().enumerate() {
            let weight = weight.unwrap_or_else(|| panic!("{:?} is not found", pairs[row]));
            for (index, gamma) in gammas.iter().enumerate() {
                let level_count = settings.comparisons[index].level.as_ref().unwrap().len() as i8;
                let level = match weight.pattern.level(index) as i8 {
                    0 => -1,
                    level => level_count + 1 - level,
                };
                let name = settings.comparisons[index].name.as_deref();
                assert_eq!(level, gamma.value(row), "{name:?} of {:?}", pairs[row]);
            }
            let difference = (weight.bits - expected[row].unwrap()).abs();
            assert!(
                difference <= DIFFERENCE_MAX,
                "{:?}: {difference}",
                pairs[row]
            );
        }
        count += batch.num_rows();
    }
    let rebuilt = rebuild(&report.settings, 2);
    assert_eq!(
        rebuilt.pairs, count as u64,
        "the rules make the pairs they make in Splink"
    );
    assert!(rebuilt.trained.is_none(), "the imported model decides");
    count
}

#[test]
fn an_imported_model_weighs_fake_1000_as_splink_does() {
    assert_eq!(
        hold_to_splink("fake_1000", "model.json", "pairs.parquet", ["records"; 2]),
        3_989
    );
}

#[test]
fn an_imported_model_weighs_febrl4_as_splink_does() {
    assert_eq!(
        hold_to_splink("febrl4", "model.json", "pairs.parquet", ["a", "b"]),
        31_956
    );
}

#[test]
fn an_imported_model_of_splink_4_weighs_as_splink_4_does() {
    let pairs = hold_to_splink(
        "fake_1000",
        "model_v4.json",
        "pairs_v4.parquet",
        ["records"; 2],
    );
    assert_eq!(pairs, 2_234);
}

#[test]
fn an_imported_model_of_splink_3_weighs_as_splink_3_does() {
    let pairs = hold_to_splink(
        "fake_1000",
        "model_v3.json",
        "pairs_v3.parquet",
        ["records"; 2],
    );
    assert_eq!(pairs, 1_834);
}
