//! Delta tables, written by another implementation of their protocol.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, RecordBatch, StringArray, TimestampMicrosecondArray,
    TimestampNanosecondArray,
};
use parquet::arrow::ArrowWriter;
use sameas_source::{ScanRequest, Source, SourceSettings};
use sameas_tests::{Scanner, deltalake, paths_below, sameas, told};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_stream::StreamExt as _;

/// What every script begins with: `write(rows)` adds rows, and `table()` opens the table.
const BEGIN: &str = r#"
import sys
from arro3.core import Array, DataType, Table
from deltalake import DeltaTable, write_deltalake
path = sys.argv[1]
names = ["id", "name", "country"]
def rows(texts):
    columns = zip(*(text.split(",") for text in texts))
    columns = [[cell or None for cell in column] for column in columns]
    made = {n: Array(c, type=DataType.utf8()) for n, c in zip(names, columns)}
    return Table.from_pydict(made)
def write(*texts, **more):
    write_deltalake(path, rows(texts), mode="append", **more)
def table():
    return DeltaTable(path)
"#;

struct Lake {
    packages: PathBuf,
    folder: TempDir,
}

impl Lake {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let packages = deltalake()?;
        Some(Self { packages, folder })
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("customers")
    }

    fn run(&self, script: &str) {
        let ran = Command::new("python3")
            .args(["-c", &format!("{BEGIN}\n{script}")])
            .arg(self.path())
            .env("PYTHONPATH", &self.packages)
            .output();
        let ran = ran.unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{said}");
    }

    fn log(&self, version: u64) -> PathBuf {
        self.path().join(format!("_delta_log/{version:020}.json"))
    }

    /// Adds a commit of these actions.
    fn commit(&self, version: u64, actions: &[Value]) {
        let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
        fs::write(self.log(version), lines.join("\n")).unwrap();
    }

    fn settings(&self) -> SourceSettings {
        let settings = json!({
            "name": "lake", "uri": "customers", "key": "id", "fields": {},
        });
        serde_json::from_value(settings).unwrap()
    }

    /// Writes settings that link records of one name and country, which rules find by a field.
    fn settings_file(&self, block: &str) -> PathBuf {
        let path = self.folder.path().join("sameas.toml");
        let text = format!(
            "[[source]]\nname = \"lake\"\nuri = \"customers\"\nkey = \"id\"\n\
             [source.fields]\nname = \"name\"\ncountry = \"country\"\n\
             [fields]\nname = \"text\"\ncountry = \"text\"\n\
             [[block]]\non = [\"{block}\"]\n\
             [[rule]]\nname = \"name\"\nwhen = \"name: exact and country: exact\"\n"
        );
        fs::write(&path, text).unwrap();
        path
    }

    async fn open(&self) -> Result<Source, String> {
        let opened = Source::open(&self.settings(), self.folder.path()).await;
        opened.map_err(|error| told(&error))
    }
}

fn request() -> ScanRequest {
    ScanRequest {
        key: "id".to_owned(),
        columns: vec!["country".to_owned(), "name".to_owned()],
        filter: None,
    }
}

fn shown(batches: &[arrow::array::RecordBatch]) -> Vec<String> {
    let mut rows = Vec::new();
    for batch in batches {
        let cast = |column: &_| arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8);
        let columns: Vec<_> = batch.columns().iter().map(|c| cast(c).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let cells = columns.iter().map(|column| match column.is_valid(row) {
                true => column.as_string::<i32>().value(row),
                false => "-",
            });
            rows.push(cells.collect::<Vec<_>>().join("|"));
        }
    }
    rows.sort();
    rows
}

async fn scan(source: &Source) -> Vec<String> {
    let mut batches = Vec::new();
    for mut stream in source.scan(&request(), 2).await.unwrap() {
        while let Some(batch) = stream.next().await {
            batches.push(batch.unwrap());
        }
    }
    shown(&batches)
}

async fn fetch(source: &Source, keys: &[&str]) -> Vec<String> {
    shown(&source.fetch(&request(), keys).await.unwrap())
}

#[test]
fn a_table_is_what_its_log_says() {
    let Some(lake) = Lake::new() else {
        return;
    };
    Runtime::new().unwrap().block_on(async {
        for partition in ["", ", partition_by = [\"country\"]"] {
            let _ = fs::remove_dir_all(lake.path());
            lake.run(&format!(
                "write('1,Ada,D E', '2,Bo,', '3,Cy,x/y%'{partition})\nwrite('4,Di,D E'{partition})"
            ));
            let source = lake.open().await.unwrap();
            let first = ["1|D E|Ada", "2|-|Bo", "3|x/y%|Cy", "4|D E|Di"];
            assert_eq!(scan(&source).await, first);
            assert_eq!(fetch(&source, &["4", "2", "9"]).await, [first[1], first[3]]);
            // Files that hold what was deleted are still there, and a checkpoint stands for the
            // log before it.
            lake.run(
                "table().delete(\"id = '1'\")\ntable().update(updates = {'name': \"'Bob'\"}, predicate = \"id = '2'\")\n\
                 table().create_checkpoint()\nwrite('5,Ed,x/y%')",
            );
            for version in 0..3 {
                fs::remove_file(lake.log(version)).unwrap();
            }
            let then = ["2|-|Bob", "3|x/y%|Cy", "4|D E|Di", "5|x/y%|Ed"];
            // A source that is open sees the new version at the next fetch.
            assert_eq!(fetch(&source, &["1", "2", "5"]).await, [then[0], then[3]]);
            let source = lake.open().await.unwrap();
            assert_eq!(scan(&source).await, then);
            let columns = source.columns().iter().map(|column| column.name.as_str());
            let mut columns: Vec<_> = columns.collect();
            columns.sort_unstable();
            assert_eq!(columns, ["country", "id", "name"]);
        }
    });
}

#[test]
fn a_table_that_cannot_be_read_right_is_refused() {
    let Some(lake) = Lake::new() else {
        return;
    };
    lake.run("write('1,Ada,DE')\nwrite('2,Bo,DE')");
    let last = fs::read_to_string(lake.log(1)).unwrap();
    let vector = json!({ "storageType": "u", "pathOrInlineDv": "ab", "offset": 1,
        "sizeInBytes": 36, "cardinality": 1 });
    let features = |features: &[&str]| {
        json!({ "protocol": { "minReaderVersion": 3, "minWriterVersion": 7,
            "readerFeatures": features, "writerFeatures": features } })
    };
    let mut added: Value = last
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|action| action.get("add").is_some())
        .unwrap();
    added["add"]["deletionVector"] = vector;
    let elsewhere = json!({ "add": { "path": "s3://other/a.parquet", "partitionValues": {},
        "size": 1, "modificationTime": 1, "dataChange": true } });
    let gone = json!({ "add": { "path": "gone.parquet", "partitionValues": {},
        "size": 1, "modificationTime": 1, "dataChange": true } });
    let cases: [(&[Value], &[&str]); 5] = [
        (
            &[features(&["deletionVectors"]), added],
            &["deletion vectors", "REORG TABLE"],
        ),
        (
            &[features(&["typeWidening"])],
            &["`typeWidening`", "DROP FEATURE typeWidening"],
        ),
        (&[elsewhere], &["lie outside of its folder", "deep clone"]),
        (&[gone], &["gone.parquet of version 2 is not there"]),
        (
            &[json!({ "protocol": { "minReaderVersion": 4, "minWriterVersion": 7 } })],
            &["readers of version 4"],
        ),
    ];
    let runtime = Runtime::new().unwrap();
    let refused = || runtime.block_on(lake.open()).unwrap_err();
    for (actions, says) in cases {
        lake.commit(2, actions);
        let error = refused();
        for words in says.iter().chain(&["source `lake`", "customers"]) {
            assert!(error.contains(words), "{words}: {error}");
        }
    }
    // Features that nothing was done with are no hindrance.
    lake.commit(2, &[features(&["deletionVectors", "timestampNtz"])]);
    assert!(runtime.block_on(lake.open()).is_ok());
    fs::write(lake.log(2), "{\"add\":\n").unwrap();
    assert!(refused().contains("00000000000000000002.json, line 1, is no log"));
    fs::remove_file(lake.log(2)).unwrap();
    // The end of the log is lost.
    let last = lake.path().join("_delta_log/_last_checkpoint");
    fs::write(&last, "{\"version\":2,\"size\":3}").unwrap();
    assert!(refused().contains("lacks version 2"));
    fs::remove_file(last).unwrap();
    fs::remove_file(lake.log(0)).unwrap();
    assert!(refused().contains("lacks version 0"));
    fs::remove_file(lake.log(1)).unwrap();
    assert!(refused().contains("neither a protocol nor a schema"));
}

#[test]
fn files_of_a_table_are_not_read_past_its_log() {
    let Some(lake) = Lake::new() else {
        return;
    };
    let part = ", partition_by = ['country']";
    lake.run(&format!(
        "write('1,Ada,DE'{part})\nwrite('2,Bo,DE'{part})\ntable().delete(\"id = '2'\")"
    ));
    let runtime = Runtime::new().unwrap();
    for uri in [
        json!("."),
        json!("customers/*/*.parquet"),
        json!("customers/country=DE"),
        json!("**/*.parquet"),
    ] {
        let settings = json!({ "name": "lake", "uri": uri, "key": "id", "fields": {} });
        let settings: SourceSettings = serde_json::from_value(settings).unwrap();
        let opened = runtime.block_on(Source::open(&settings, lake.folder.path()));
        let error = told(&opened.unwrap_err());
        for words in ["customers", "is a Delta table", "a source of its own"] {
            assert!(error.contains(words), "{uri}: {error}");
        }
    }
    fs::write(lake.folder.path().join("more.parquet"), "PAR1").unwrap();
    let settings =
        json!({ "name": "lake", "uri": ["customers", "more.parquet"], "key": "id", "fields": {} });
    let settings: SourceSettings = serde_json::from_value(settings).unwrap();
    let opened = runtime.block_on(Source::open(&settings, lake.folder.path()));
    assert!(told(&opened.unwrap_err()).contains("name it alone"));
}

#[test]
fn a_graph_over_a_table_follows_its_versions() {
    let Some(lake) = Lake::new() else {
        return;
    };
    lake.run("write('1,Ada,DE', '2,Ada,DE', '3,Bo,DE', partition_by = ['country'])");
    let settings = lake.settings_file("name");
    let run = |arguments: &[&str]| {
        let ran = sameas(&settings, arguments);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stdout
    };
    run(&["rebuild", "--quiet"]);
    let id = |key: &str| run(&["lookup", "lake", key]);
    assert_eq!(id("1"), id("2"));
    assert_ne!(id("1"), id("3"));
    let checked = run(&["source", "check", "lake"]);
    assert!(checked.contains("version 0 of a Delta table"), "{checked}");
    lake.run("table().delete(\"id = '3'\")\nwrite('4,Ada,DE')");
    let profile = run(&["profile", "lake", "1"]);
    assert!(
        profile.contains("Ada") && profile.contains("DE"),
        "{profile}"
    );
    let rename = |to: &str| {
        let script =
            format!("table().update(updates = {{'name': \"'{to}'\"}}, predicate = \"id = '2'\")");
        lake.run(&script);
    };
    rename("Eve");
    let profile = run(&["profile", "lake", "1"]);
    assert!(profile.contains("Eve"), "{profile}");
    rename("Ada");
    run(&["rebuild", "--quiet", "--allow-shrink"]);
    assert_eq!(id("1"), id("4"));
    assert_eq!(sameas(&settings, &["lookup", "lake", "3"]).code, Some(1));
}

/// Files that say the same in types of their own, and a column that none of them has yet: the table
/// tells the types.
#[test]
fn types_are_those_of_the_table_where_files_do_not_agree() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("customers");
    fs::create_dir_all(table.join("_delta_log")).unwrap();
    let moments: [ArrayRef; 2] = [
        Arc::new(TimestampMicrosecondArray::from(vec![1_000_000]).with_timezone("UTC")),
        Arc::new(TimestampNanosecondArray::from(vec![2_000_000_000])),
    ];
    let mut adds = Vec::new();
    for (number, moment) in (1..).zip(moments) {
        let id: ArrayRef = Arc::new(StringArray::from(vec![number.to_string()]));
        let columns = [("id", id), ("country", moment)];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let name = format!("part-{number}.parquet");
        let file = fs::File::create(table.join(&name)).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        adds.push(json!({"add": {"path": name, "partitionValues": {}, "dataChange": true}}));
    }
    let field =
        |name: &str, of: &str| json!({"name": name, "type": of, "nullable": true, "metadata": {}});
    let fields = [
        field("id", "string"),
        field("country", "timestamp"),
        field("name", "string"),
    ];
    let schema = json!({"type": "struct", "fields": fields}).to_string();
    let mut actions = vec![
        json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
        json!({"metaData": {"id": "x", "format": {"provider": "parquet"}, "schemaString": schema, "partitionColumns": []}}),
    ];
    actions.extend(adds);
    let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
    let log = table.join("_delta_log").join(format!("{:020}.json", 0));
    fs::write(log, lines.join("\n")).unwrap();
    let settings = json!({"name": "lake", "uri": "customers", "key": "id", "fields": {}});
    let settings: SourceSettings = serde_json::from_value(settings).unwrap();
    Runtime::new().unwrap().block_on(async {
        let source = Source::open(&settings, folder.path()).await.unwrap();
        let all = ["1|1970-01-01T00:00:01Z|-", "2|1970-01-01T00:00:02Z|-"];
        assert_eq!(scan(&source).await, all);
        assert_eq!(fetch(&source, &["2"]).await, all[1..]);
    });
}

/// Values that name folders are values: neither commands that succeed nor those that fail tell them,
/// not at trace level either, and nothing keeps them.
#[test]
fn values_that_folders_are_named_by_are_told_to_nobody() {
    let Some(lake) = Lake::new() else {
        return;
    };
    let values = ["Canarylandqx", "Canarylandqy", "Canarynameqz"];
    let [country, other, name] = values;
    let scanner = Scanner::new(values.map(|value| (value, Some(value.to_lowercase()))));
    lake.run(&format!(
        "write('1,{name},{country}', '2,{name},{country}', '3,Bo,{other}', partition_by = ['country'])"
    ));
    let settings = lake.settings_file("country");
    let clean = |arguments: &[&str], code: i32| {
        let ran = sameas(&settings, &[&["--log-level", "trace"], arguments].concat());
        assert_eq!(ran.code, Some(code), "{arguments:?}: {ran:?}");
        for said in [&ran.stdout, &ran.stderr] {
            let leaks = scanner.scan("output", said.as_bytes());
            assert!(leaks.is_empty(), "{arguments:?}: {leaks:?} in {said}");
        }
    };
    clean(&["rebuild"], 0);
    clean(&["source", "check", "lake"], 0);
    clean(&["explain", "lake", "1", "lake", "2"], 0);
    let shown = sameas(&settings, &["profile", "lake", "1"]);
    assert!(!scanner.scan("profile", shown.stdout.as_bytes()).is_empty());
    // A file of a partition is cut short, then gone; then the log itself breaks inside of a value.
    let files = paths_below(&lake.path()).into_iter();
    let file = files.map(|path| lake.path().join(path)).find(|path| {
        let path = path.to_string_lossy();
        path.ends_with(".parquet") && path.contains(country)
    });
    let file = file.unwrap();
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    clean(&["rebuild"], 2);
    clean(&["profile", "lake", "1"], 2);
    fs::remove_file(&file).unwrap();
    clean(&["rebuild"], 2);
    clean(&["profile", "lake", "1"], 2);
    let log = fs::read_to_string(lake.log(0)).unwrap();
    let inside = log.find(country).unwrap() + country.len();
    fs::write(lake.log(0), &log[..inside]).unwrap();
    clean(&["rebuild"], 2);
    clean(&["source", "check", "lake"], 1);
    let graph = lake.folder.path().join("graph");
    let leaks = scanner.scan_folder(&graph);
    assert!(leaks.is_empty(), "{leaks:?}");
}
