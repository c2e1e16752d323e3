//! Records by key: the same as a search of everything finds, however they are found.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};

use arrow_array::{ArrayRef, Int32Array, StringArray};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use sameas_record::DuplicateKeys;

use super::binary::{batch, write_arrow};
use super::*;

/// Keys that SQL, CSV, JSON or statistics could take for something else.
const ODD_KEYS: [&str; 14] = [
    "7", "007", "7.0", "+7", "a'b", "a''b", "100%", "_", "ключ", "a b", "a b ", "x,\"y\"", "l\nb",
    "null",
];

/// Returns the keys and names of so many records.
fn records(count: usize) -> Vec<(String, String)> {
    let odd = ODD_KEYS.iter().map(|key| (*key).to_owned());
    let keys = odd.chain((0..count).map(|at| format!("k{}", at * 7_919 % 10_007)));
    keys.enumerate()
        .map(|(at, key)| (key, format!("name {at}")))
        .collect()
}

fn csv_of(records: &[(String, String)]) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let rows = records
        .iter()
        .map(|(key, name)| format!("x,{},{}\r\n", quoted(key), quoted(name)));
    format!("\u{feff}other,id,name\r\n{}", rows.collect::<String>())
}

fn ndjson_of(records: &[(String, String)]) -> String {
    let rows = records
        .iter()
        .map(|(key, name)| format!("{}\n\n", serde_json::json!({"id": key, "name": name})));
    rows.collect()
}

fn arrow_of(records: &[(String, String)]) -> RecordBatch {
    let column = |text: fn(&(String, String)) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(records.iter().map(text)))
    };
    batch(vec![
        ("id", column(|record| &record.0)),
        ("name", column(|record| &record.1)),
    ])
}

fn write_with_bloom(path: &Path, records: &[(String, String)]) {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(100))
        .set_data_page_row_count_limit(20)
        .set_write_batch_size(20)
        .set_bloom_filter_enabled(true)
        .build();
    let batch = arrow_of(records);
    let mut writer = ArrowWriter::try_new(
        File::create(path).unwrap(),
        batch.schema(),
        Some(properties),
    )
    .unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// A folder with the same records in files of all kinds.
fn all_kinds(records: &[(String, String)]) -> Folder {
    let folder = Folder::with("a.csv", csv_of(records));
    folder.write("a.ndjson", ndjson_of(records));
    write_arrow(&folder.path("a.arrow"), &[arrow_of(records)]);
    write_with_bloom(&folder.path("a.parquet"), records);
    let packed = zstd::encode_all(csv_of(records).as_bytes(), 1).unwrap();
    folder.write("a.csv.zst", packed);
    folder
}

const KINDS: [&str; 5] = ["a.csv", "a.ndjson", "a.arrow", "a.parquet", "a.csv.zst"];

async fn opened(folder: &Folder, uri: &str, duplicates: DuplicateKeys) -> Source {
    let settings = SourceSettings {
        name: "crm".to_owned(),
        uri: Some(OneOrMany::One(uri.to_owned())),
        key: "id".to_owned(),
        duplicate_keys: duplicates,
        ..SourceSettings::default()
    };
    Source::open(&settings, folder.dir.path()).await.unwrap()
}

async fn fetched(source: &Source, request: &ScanRequest, keys: &[&str]) -> Rows {
    let batches = source.fetch(request, keys).await.unwrap();
    let mut rows: Rows = batches.iter().flat_map(texts).collect();
    rows.sort();
    rows
}

/// Returns those of the records that have one of the keys, as rows.
fn expected(records: &[(String, String)], keys: &[&str]) -> Rows {
    let keys: BTreeSet<_> = keys.iter().copied().collect();
    let has_key = records
        .iter()
        .filter(|(key, _)| keys.contains(key.as_str()));
    let mut rows: Rows = has_key
        .map(|(key, name)| vec![Some(key.clone()), Some(name.clone())])
        .collect();
    rows.sort();
    rows
}

#[tokio::test]
async fn records_of_any_key_are_found_in_files_of_all_kinds() {
    let records = records(5_000);
    let folder = all_kinds(&records);
    let asked: Vec<&str> = records
        .iter()
        .step_by(97)
        .map(|(key, _)| key.as_str())
        .collect();
    for kind in KINDS {
        let source = opened(&folder, kind, DuplicateKeys::Refuse).await;
        let request = request("id", &["name"]);
        // The first time by a search, then by places where they are kept.
        for _ in 0..3 {
            for keys in [
                &ODD_KEYS[..],
                &asked,
                &["k1", "no such key", "K1", ""],
                &["none"],
                &[],
            ] {
                let found = fetched(&source, &request, keys).await;
                assert_eq!(found, expected(&records, keys), "{kind}, {keys:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_key_that_several_records_have_gives_all_of_them() {
    let mut records = records(300);
    records.push(("k0".to_owned(), "again".to_owned()));
    let folder = all_kinds(&records);
    for kind in KINDS {
        let source = opened(&folder, kind, DuplicateKeys::Merge).await;
        for _ in 0..3 {
            let found = fetched(&source, &request("id", &["name"]), &["k0", "7"]).await;
            assert_eq!(found, expected(&records, &["k0", "7"]), "{kind}");
            assert_eq!(found.len(), 3);
        }
    }
}

#[tokio::test]
async fn expressions_and_conditions_mean_what_they_mean_in_a_scan() {
    let records = records(300);
    let folder = all_kinds(&records);
    for kind in KINDS {
        let source = opened(&folder, kind, DuplicateKeys::Refuse).await;
        for _ in 0..3 {
            let expression = request("concat(id, '!')", &["upper(name)"]);
            let found = fetched(&source, &expression, &["a'b!", "k0!", "k0"]).await;
            let row = |key: &str, name: &str| vec![Some(key.to_owned()), Some(name.to_owned())];
            assert_eq!(
                found,
                [row("a'b!", "NAME 4"), row("k0!", "NAME 14")],
                "{kind}"
            );
            let mut conditioned = request("id", &[]);
            conditioned.filter = Some("name <> 'name 4'".to_owned());
            let found = fetched(&source, &conditioned, &["a'b", "k0"]).await;
            assert_eq!(found, [vec![Some("k0".to_owned())]], "{kind}");
        }
    }
}

/// A key of numbers is asked for by numbers, and `007` is none of them.
#[tokio::test]
async fn numbers_are_keys_in_their_own_spelling() {
    let folder = Folder::new();
    let ids: ArrayRef = Arc::new(Int32Array::from_iter_values(0..1_000));
    write_arrow(
        &folder.path("n.arrow"),
        &[batch(vec![("id", Arc::clone(&ids))])],
    );
    super::binary::write_parquet(&folder.path("n.parquet"), &[batch(vec![("id", ids)])], 100);
    let lines: Vec<_> = (0..1_000).map(|id| format!("{{\"id\":{id}}}")).collect();
    folder.write("n.ndjson", lines.join("\n"));
    for kind in ["n.arrow", "n.parquet", "n.ndjson"] {
        let source = opened(&folder, kind, DuplicateKeys::Refuse).await;
        for _ in 0..3 {
            let keys = [
                "7",
                "007",
                "7.0",
                "+7",
                " 7",
                "99999999999",
                "-1",
                "x",
                "999",
            ];
            let found = fetched(&source, &request("id", &[]), &keys).await;
            let row = |key: &str| vec![Some(key.to_owned())];
            assert_eq!(found, [row("7"), row("999")], "{kind}");
        }
    }
    // A cast of the user's own changes the texts of keys.
    folder.write("c.csv", "id\n007\n8\n");
    let source = opened(&folder, "c.csv", DuplicateKeys::Refuse).await;
    for _ in 0..3 {
        let found = fetched(
            &source,
            &request("cast(id as bigint)", &["id"]),
            &["7", "007"],
        )
        .await;
        assert_eq!(found, [["7", "007"].map(|text| Some(text.to_owned()))]);
    }
}

/// Writes a file so that neither its length nor its time tells that it changed.
fn write_unseen(path: &Path, content: &str) {
    let before = std::fs::metadata(path).unwrap();
    assert_eq!(before.len(), content.len() as u64);
    std::fs::write(path, content).unwrap();
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
}

#[tokio::test]
async fn a_file_that_changes_between_two_fetches_is_read_as_it_is_now() {
    let two = |a: &str, b: &str| {
        vec![
            (a.to_owned(), "n1".to_owned()),
            (b.to_owned(), "n2".to_owned()),
        ]
    };
    for (kind, write) in [
        ("a.csv", csv_of as fn(&[(String, String)]) -> String),
        ("a.ndjson", ndjson_of),
    ] {
        let many = records(2_000);
        let folder = Folder::with(kind, write(&many));
        let source = opened(&folder, kind, DuplicateKeys::Refuse).await;
        let request = request("id", &["name"]);
        let found = async |records: &[(String, String)]| {
            let keys = ["k0", "ключ", "one", "other", "lone"];
            let found = fetched(&source, &request, &keys).await;
            assert_eq!(found, expected(records, &keys), "{kind}");
        };
        for _ in 0..3 {
            found(&many).await;
        }
        // Replaced by others.
        let others = two("k0", "one");
        folder.write(kind, write(&others));
        for _ in 0..2 {
            found(&others).await;
        }
        // Written over, without a trace in length or time: at the places of keys stand others.
        let moved = two("one", "k0");
        write_unseen(&folder.path(kind), &write(&moved));
        found(&moved).await;
        // Cut to its first record.
        let text = write(&moved);
        let first = write(&moved[..1]);
        assert!(text.starts_with(&first));
        folder.write(kind, &first);
        found(&moved[..1]).await;
        // Gone, and there again.
        std::fs::remove_file(folder.path(kind)).unwrap();
        let gone = source.fetch(&request, &["one"]).await.err().unwrap();
        let said = gone.to_string();
        assert!(
            said.contains("changed and cannot be opened") && said.contains(kind),
            "{said}"
        );
        folder.write(kind, write(&many));
        found(&many).await;
    }
}

#[tokio::test]
async fn a_record_that_a_condition_rules_out_does_not_stand_for_its_key() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("d")).unwrap();
    let pair = |key: &str, name: &str| (key.to_owned(), name.to_owned());
    write_with_bloom(&folder.path("d/a.parquet"), &[pair("one", "old")]);
    write_with_bloom(&folder.path("d/b.parquet"), &[pair("one", "new")]);
    let source = opened(&folder, "d", DuplicateKeys::Refuse).await;
    let request = ScanRequest {
        filter: Some("name = 'new'".to_owned()),
        ..request("id", &["name"])
    };
    let found = fetched(&source, &request, &["one"]).await;
    assert_eq!(found, expected(&[pair("one", "new")], &["one"]));
}

#[tokio::test]
async fn parquet_that_changes_and_files_that_are_added_are_seen() {
    let records = records(500);
    let folder = Folder::new();
    std::fs::create_dir(folder.path("d")).unwrap();
    let (first, more) = records.split_at(250);
    write_with_bloom(&folder.path("d/a.parquet"), first);
    folder.write("c/a.csv", csv_of(first));
    let request = request("id", &["name"]);
    let parquet = opened(&folder, "d", DuplicateKeys::Refuse).await;
    let csv = opened(&folder, "c", DuplicateKeys::Refuse).await;
    let last = records.last().unwrap().0.as_str();
    for source in [&parquet, &csv] {
        for _ in 0..3 {
            let found = fetched(source, &request, &["007", last]).await;
            assert_eq!(found, expected(first, &["007", last]));
        }
    }
    write_with_bloom(&folder.path("d/b.parquet"), more);
    folder.write("c/b.csv", csv_of(more));
    for source in [&parquet, &csv] {
        let found = fetched(source, &request, &["007", last]).await;
        assert_eq!(found, expected(&records, &["007", last]));
    }
    write_with_bloom(&folder.path("d/a.parquet"), &first[20..]);
    let found = fetched(&parquet, &request, &["007", last]).await;
    assert_eq!(found, expected(more, &[last]));
}

/// Without a bound, a column of one value for a key would be read into memory as a whole.
#[tokio::test]
async fn a_key_that_is_none_does_not_fill_the_memory() {
    let text = "id\n".to_owned() + &"same\n".repeat(100_001);
    let folder = Folder::with("a.csv", text);
    let source = opened(&folder, "a.csv", DuplicateKeys::Merge).await;
    for _ in 0..3 {
        let refused = source
            .fetch(&request("id", &[]), &["same"])
            .await
            .err()
            .unwrap();
        assert!(
            matches!(refused, ScanError::TooManyFetched { .. }),
            "{refused}"
        );
    }
}
