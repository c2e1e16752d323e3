#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::*;
use crate::fixture::snapshot;

const KEYS: [&str; 5] = ["a,b", "plain", "say \"hi\"", "two\nlines", "ünï"];

fn graph() -> Snapshot {
    let members: Vec<_> = KEYS.iter().map(|&key| ("crm", key, 1)).collect();
    snapshot(&[&members[..], &[("shop", "1", 1), ("shop", "2", 2)]].concat())
}

#[test]
fn csv_reads_back_with_every_key_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.csv");
    let report = export(&graph(), &path).unwrap();
    assert_eq!((report.revision, report.references), (1, 7));
    let mut reader = csv::Reader::from_path(&path).unwrap();
    assert_eq!(
        reader.headers().unwrap(),
        vec!["source", "key", "unified_id", "since"]
    );
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    let keys: Vec<_> = rows.iter().map(|row| &row[1]).collect();
    assert_eq!(keys, [&KEYS[..], &["1", "2"]].concat());
    assert_eq!(rows[0][2], rows[5][2]);
    assert_ne!(rows[5][2], rows[6][2]);
    assert!(rows.iter().all(|row| row[2].len() == 36 && &row[3] == "1"));
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no partial file is left"
    );
}

#[test]
fn a_stream_gets_the_same_csv() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.csv");
    export(&graph(), &path).unwrap();
    let mut bytes = Vec::new();
    export_csv(&graph(), &mut bytes).unwrap();
    assert_eq!(bytes, fs::read(&path).unwrap());
}

#[test]
fn parquet_holds_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.parquet");
    export(&graph(), &path).unwrap();
    let reader = ParquetRecordBatchReader::try_new(File::open(&path).unwrap(), 100).unwrap();
    let batches: Vec<_> = reader.map(Result::unwrap).collect();
    assert_eq!(batches.len(), 1);
    let keys = batches[0].column_by_name("key").unwrap().as_string::<i32>();
    assert_eq!(
        keys.iter().flatten().collect::<Vec<_>>(),
        [&KEYS[..], &["1", "2"]].concat()
    );
    let since = batches[0]
        .column_by_name("since")
        .unwrap()
        .as_primitive::<Int64Type>();
    assert_eq!(since.value(0), 1);
}

#[test]
fn a_failed_export_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.txt");
    fs::write(&path, "mine").unwrap();
    let message = export(&graph(), &path).unwrap_err().to_string();
    assert!(
        message.contains("map.txt") && message.contains(".parquet"),
        "{message}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    let nowhere = folder.path().join("none/map.csv");
    let message = export(&graph(), &nowhere).unwrap_err().to_string();
    assert!(message.contains("none/map.csv"), "{message}");
}
