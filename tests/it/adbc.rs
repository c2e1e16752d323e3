//! Systems with an ADBC driver are sources as files are, and say what is wrong with them.
//!
//! The drivers are real: SQLite and DuckDB read databases that the tests make, those of warehouses
//! are loaded and asked for what they lack.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use adbc_core::options::{AdbcVersion, OptionDatabase, OptionValue};
use adbc_core::{Connection as _, Database as _, Driver as _, Statement as _};
use adbc_driver_manager::ManagedDriver;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use sameas_source::{RowCount, ScanError, ScanRequest, Source, SourceSettings};
use sameas_tests::{Ran, Record, SOURCES, Systems, binary, driver, files_below, sameas};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_stream::StreamExt as _;

/// A value that no message may repeat.
const CANARY: &str = "hunter2";
const COLUMNS: [&str; 8] = [
    "key", "given", "family", "born", "email", "phone", "city", "postcode",
];

pub(crate) const MATCHING: &str = r#"
[[block]]
on = ["email"]
[[block]]
on = ["phone"]
[[block]]
on = ["surname.phonetic", "dob.year"]
[[compare]]
field = "given_name"
[[compare]]
field = "surname"
[[compare]]
field = "dob"
[[compare]]
field = "email"
[[compare]]
field = "phone"
[[compare]]
field = "city"
[[compare]]
field = "postcode"
[decide]
link = 0.9
review = 0.5
"#;

/// Makes an SQLite table of a CSV file's columns.
pub(crate) const MAKE_SQLITE: &str = "
import csv, sqlite3, sys
rows = list(csv.reader(open(sys.argv[1], newline='')))
columns = ', '.join(f'\"{name}\" TEXT' for name in rows[0])
base = sqlite3.connect(sys.argv[2])
base.execute(f'CREATE TABLE customers ({columns})')
marks = ', '.join('?' * len(rows[0]))
rows = [[cell or None for cell in row] for row in rows[1:]]
base.executemany(f'INSERT INTO customers VALUES ({marks})', rows)
base.commit()
";

/// Settings and data of sources in a folder of their own.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs statements of SQLite.
    fn sqlite(&self, name: &str, statements: &str) {
        let code = "import sqlite3, sys\nsqlite3.connect(sys.argv[1]).executescript(sys.argv[2])";
        python(code, &[&self.path(name), Path::new(statements)]);
    }

    /// Runs statements of DuckDB.
    pub(crate) fn duckdb(&self, library: &Path, name: &str, statements: &[&str]) {
        let path = self.path(name).display().to_string();
        for statement in statements {
            execute(library, &[("path", &path)], statement).unwrap();
        }
    }

    /// Runs a command on one source with such settings.
    fn run(&self, command: &str, source: &str) -> Ran {
        let text = format!(
            "[[source]]\nname = \"shop\"\nkey = \"id\"\n{source}\n\
             [source.fields]\nsurname = \"name\"\n\
             [[compare]]\nfield = \"surname\"\n[[block]]\non = [\"surname\"]\n"
        );
        let path = self.path("sameas.toml");
        fs::write(&path, text).unwrap();
        sameas(&path, &[command])
    }
}

pub(crate) fn python(code: &str, arguments: &[&Path]) {
    let ran = Command::new("python3")
        .args(["-c", code])
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
}

/// Runs a statement as the connector's driver would, with options of the test's own.
fn execute(
    library: &Path,
    options: &[(&str, &str)],
    statement: &str,
) -> adbc_core::error::Result<()> {
    let is_duckdb = library.ends_with("libduckdb.so");
    let entry = is_duckdb.then_some(&b"duckdb_adbc_init"[..]);
    let mut driver = ManagedDriver::load_dynamic_from_filename(library, entry, AdbcVersion::V110)?;
    let option = |&(name, value): &(&str, &str)| -> (OptionDatabase, OptionValue) {
        (name.into(), value.into())
    };
    let database = driver.new_database_with_opts(options.iter().map(option))?;
    let mut connection = database.new_connection()?;
    let mut running = connection.new_statement()?;
    running.set_sql_query(statement)?;
    running.execute_update().map(drop)
}

pub(crate) fn write_csv(path: &Path, records: &[Record]) {
    let mut writer = csv::Writer::from_path(path).unwrap();
    writer.write_record(COLUMNS).unwrap();
    for record in records {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let row = [
            record.key.clone(),
            text(&record.given_name),
            text(&record.surname),
            text(&record.born),
            record.emails.first().cloned().unwrap_or_default(),
            text(&record.phone),
            text(&record.city),
            text(&record.postcode),
        ];
        writer.write_record(row).unwrap();
    }
    writer.flush().unwrap();
}

pub(crate) fn source(name: &str, place: &str) -> String {
    format!(
        "[[source]]\nname = \"{name}\"\nkey = \"key\"\nregion = \"US\"\n{place}\n[source.fields]\n\
         given_name = \"given\"\nsurname = \"family\"\ndob = \"born\"\nemail = \"email\"\n\
         phone = \"phone\"\ncity = \"city\"\npostcode = \"postcode\"\n\n"
    )
}

/// Rebuilds a graph of three sources and returns which references each entity has.
fn clusters(place: &Place, folder: &str, sources: [&str; 3]) -> BTreeSet<BTreeSet<String>> {
    let named = std::iter::zip(SOURCES, sources).map(|(name, place)| source(name, place));
    let graph = format!("[graph]\npath = \"{folder}\"\nmodel = \"{folder}.json\"\n\n");
    let settings = graph + &named.collect::<String>() + MATCHING;
    let path = place.path(&format!("{folder}.toml"));
    fs::write(&path, settings).unwrap();
    let ran = sameas(&path, &["rebuild"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let map = place.path(&format!("{folder}.csv"));
    let ran = sameas(&path, &["export", "--output", map.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let mut entities: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in csv::Reader::from_path(&map).unwrap().records() {
        let row = row.unwrap();
        let reference = format!("{}/{}", &row[0], &row[1]);
        entities
            .entry(row[2].to_owned())
            .or_default()
            .insert(reference);
    }
    entities.into_values().collect()
}

#[test]
fn databases_give_the_clusters_that_the_same_records_in_files_give() {
    let (Some(sqlite), Some(duckdb)) = (driver("sqlite"), driver("duckdb")) else {
        return;
    };
    let place = Place::new();
    let systems = Systems::new(900, 4);
    for (name, records) in SOURCES.iter().zip(&systems.records) {
        write_csv(&place.path(&format!("{name}.csv")), records);
    }
    python(
        MAKE_SQLITE,
        &[&place.path("desk.csv"), &place.path("desk.db")],
    );
    let shop = place.path("shop.csv");
    let make = format!(
        "CREATE SCHEMA crm; CREATE TABLE crm.customers AS SELECT * REPLACE (born::DATE AS born) \
         FROM read_csv('{}', all_varchar = true)",
        shop.display()
    );
    place.duckdb(&duckdb, "shop.duckdb", &[&make]);
    let before: Vec<_> = ["desk.db", "shop.duckdb"]
        .map(|name| fs::read(place.path(name)).unwrap())
        .into();
    let files = [
        "uri = \"crm.csv\"",
        "uri = \"desk.csv\"",
        "uri = \"shop.csv\"",
    ];
    let expected = clusters(&place, "files", files);
    let desk = format!(
        "driver = {:?}\nuri = \"desk.db\"\ntable = \"main.customers\"",
        sqlite.display().to_string()
    );
    let shop = format!(
        "driver = {:?}\nuri = \"shop.duckdb\"\ntable = \"crm.customers\"",
        duckdb.display().to_string()
    );
    let found = clusters(&place, "databases", ["uri = \"crm.csv\"", &desk, &shop]);
    assert!(expected.len() > 500 && expected.iter().any(|entity| entity.len() > 2));
    assert_eq!(found, expected);
    // Nothing was written, neither into the databases nor beside them.
    let after: Vec<_> = ["desk.db", "shop.duckdb"]
        .map(|name| fs::read(place.path(name)).unwrap())
        .into();
    assert_eq!(before, after);
    let left = files_below(place.folder.path());
    let beside = |path: &&PathBuf| {
        let name = path.to_string_lossy();
        name.starts_with("desk.db-") || name.starts_with("shop.duckdb.")
    };
    assert_eq!(left.keys().find(beside), None);
}

/// Opens a source and reads its columns, ordered by the first of them.
fn read(runtime: &Runtime, settings: &str, base: &Path, columns: &[&str]) -> Vec<Vec<String>> {
    let settings: SourceSettings = serde_json::from_str(settings).unwrap();
    let request = ScanRequest {
        key: settings.key.clone(),
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
        filter: None,
    };
    let batches = runtime.block_on(async {
        let source = Source::open(&settings, base).await.unwrap();
        assert!(matches!(
            source.row_count().await,
            Ok(RowCount::Exact(3_000))
        ));
        let mut batches: Vec<RecordBatch> = Vec::new();
        for mut stream in source.scan(&request, 2).await.unwrap() {
            while let Some(batch) = stream.next().await {
                batches.push(batch.unwrap());
            }
        }
        batches
    });
    let mut rows = Vec::new();
    for batch in &batches {
        assert!(batch.num_rows() <= 8_192);
        let texts = batch.columns().iter();
        let texts = texts.map(|c| arrow::compute::cast(c, &DataType::Utf8).unwrap());
        let texts: Vec<_> = texts.collect();
        for row in 0..batch.num_rows() {
            let cell = |column: &arrow::array::ArrayRef| match column.is_valid(row) {
                true => column.as_string::<i32>().value(row).to_owned(),
                false => "null".to_owned(),
            };
            rows.push(texts.iter().map(cell).collect());
        }
    }
    rows.sort();
    rows
}

/// The driver takes types from the first thousand rows and fails at what comes later.
#[test]
fn columns_of_sqlite_whose_types_show_late_are_read_to_the_end() {
    let Some(sqlite) = driver("sqlite") else {
        return;
    };
    let place = Place::new();
    place.sqlite(
        "shop.db",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, late TEXT, mixed, part REAL, none INTEGER);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
         INSERT INTO t SELECT i, iif(i > 2500, 'x' || i, NULL),
             iif(i > 2500, 'y' || i, i), iif(i > 2500, i / 2.0, NULL), NULL FROM n;
         CREATE VIEW v AS SELECT * FROM t;",
    );
    let runtime = Runtime::new().unwrap();
    for table in ["t", "v", "main.t"] {
        let settings = serde_json::json!({
            "name": "shop", "driver": sqlite, "uri": "shop.db", "table": table,
            "key": "id", "fields": {},
        });
        let columns = ["late", "mixed", "part", "none"];
        let rows = read(
            &runtime,
            &settings.to_string(),
            place.folder.path(),
            &columns,
        );
        assert_eq!(rows.len(), 3_000);
        let row = |id: &str| rows.iter().find(|row| row[0] == id).unwrap();
        assert_eq!(row("7"), &["7", "null", "7", "null", "null"]);
        assert_eq!(row("2999"), &["2999", "x2999", "y2999", "1499.5", "null"]);
        // A key alone, and a constant for it: no column is asked for.
        let keys = read(&runtime, &settings.to_string(), place.folder.path(), &[]);
        assert_eq!(keys.len(), 3_000);
    }
    let settings = serde_json::json!({
        "name": "shop", "driver": sqlite, "uri": "shop.db", "table": "t",
        "key": "'one'", "fields": {},
    });
    let keys = read(&runtime, &settings.to_string(), place.folder.path(), &[]);
    assert_eq!(keys, vec![vec!["one".to_owned()]; 3_000]);
}

#[test]
fn typed_columns_of_duckdb_are_read_as_they_are() {
    let Some(duckdb) = driver("duckdb") else {
        return;
    };
    let place = Place::new();
    let make = "CREATE TABLE t AS SELECT i AS id, (i * 1.5)::DECIMAL(9, 2) AS amount, \
        TIMESTAMPTZ '2024-02-29 23:30:00+00' AS seen, DATE '1980-05-06' AS born, ['a', 'b'] AS mails, \
        uuid() AS number FROM range(3000) r(i)";
    place.duckdb(&duckdb, "shop.duckdb", &[make]);
    let settings = serde_json::json!({
        "name": "shop", "driver": duckdb, "uri": "shop.duckdb", "table": "t",
        "key": "id", "fields": {}, "options": {"threads": "1"},
    });
    let runtime = Runtime::new().unwrap();
    let columns = ["amount", "seen", "born"];
    let rows = read(
        &runtime,
        &settings.to_string(),
        place.folder.path(),
        &columns,
    );
    let row = rows.iter().find(|row| row[0] == "7").unwrap();
    assert_eq!(row, &["7", "10.50", "2024-02-29T23:30:00Z", "1980-05-06"]);
}

/// One way to write a source wrongly.
struct Case {
    name: &'static str,
    /// The settings; `$sqlite` and `$duckdb` stand for the libraries.
    source: &'static str,
    says: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "a driver that is not there",
        source: "driver = \"adbc_driver_no_sqlite\"\nuri = \"shop.db\"\ntable = \"t\"",
        says: &[
            "there is no driver adbc_driver_no_sqlite",
            "adbc_driver_no_sqlite.toml",
            "pip install adbc-driver-sqlite",
        ],
    },
    Case {
        name: "a path of a driver that is not there",
        source: "driver = \"lib/libduckdb.so\"\nuri = \"shop.db\"\ntable = \"t\"",
        says: &["there is no driver lib/libduckdb.so", "npm pack"],
    },
    Case {
        name: "an entry point that is not there",
        source: "driver = \"$duckdb\"\nentry_point = \"begin\"\nuri = \"shop.duckdb\"\ntable = \"t\"",
        says: &["has no such entry point", "set `entry_point`"],
    },
    Case {
        name: "a library that is no driver",
        source: "driver = \"shop.db\"\nuri = \"shop.db\"\ntable = \"t\"",
        says: &["shop.db cannot be loaded as a driver"],
    },
    Case {
        name: "a table that is not there",
        source: "driver = \"$sqlite\"\nuri = \"shop.db\"\ntable = \"nope\"",
        says: &["there is no table or view nope", "check `table`"],
    },
    Case {
        name: "a table of DuckDB that is not there",
        source: "driver = \"$duckdb\"\nuri = \"shop.duckdb\"\ntable = \"main.nope\"",
        says: &["there is no table or view main.nope", "check `table`"],
    },
    Case {
        name: "a table whose name is SQL",
        source: "driver = \"$duckdb\"\nuri = \"shop.duckdb\"\ntable = \"t; DROP TABLE t\"",
        says: &["there is no table or view t; DROP TABLE t"],
    },
    Case {
        name: "a source without table",
        source: "driver = \"$duckdb\"\nuri = \"shop.duckdb\"",
        says: &["source[0]", "\"table\" is missing"],
    },
    Case {
        name: "a file that is not there",
        source: "driver = \"$sqlite\"\nuri = \"none.db\"\ntable = \"t\"",
        says: &["there is no file at", "none.db", "check `uri`"],
    },
    Case {
        name: "a file of DuckDB that is not there",
        source: "driver = \"$duckdb\"\nuri = \"none.db\"\ntable = \"t\"",
        says: &["there is no file at", "none.db", "check `uri`"],
    },
    Case {
        name: "a file of another kind",
        source: "driver = \"$sqlite\"\nuri = \"text.db\"\ntable = \"t\"",
        says: &["text.db", "no database of this kind"],
    },
    Case {
        name: "a file of SQLite for DuckDB",
        source: "driver = \"$duckdb\"\nuri = \"text.db\"\ntable = \"t\"",
        says: &["text.db", "no database of this kind"],
    },
    Case {
        name: "no address",
        source: "driver = \"$sqlite\"\ntable = \"t\"",
        says: &["uri is empty"],
    },
    Case {
        name: "a secret that is not there",
        source: "driver = \"$sqlite\"\nuri = \"shop.db\"\ntable = \"t\"\n\
                 options = { password = { env = \"SAMEAS_NOT_SET\" } }",
        says: &["environment variable SAMEAS_NOT_SET is not set"],
    },
    Case {
        name: "a file of a secret that is not there",
        source: "driver = \"$sqlite\"\nuri = \"shop.db\"\ntable = \"t\"\n\
                 options = { password = { file = \"secret\" } }",
        says: &["the file secret cannot be read"],
    },
    Case {
        name: "a secret in the settings",
        source: "driver = \"$sqlite\"\nuri = \"shop.db\"\ntable = \"t\"\n\
                 options = { \"x.auth_token\" = \"hunter2\" }",
        says: &["options.x.auth_token", "holds a secret", "{ env = "],
    },
    Case {
        name: "a secret in the address",
        source: "driver = \"snowflake\"\nuri = \"reader:hunter2@account/db\"\ntable = \"t\"",
        says: &["source[0].uri", "holds a secret"],
    },
    Case {
        name: "an option that is misspelt",
        source: "driver = \"$sqlite\"\nuri = \"shop.db\"\ntable = \"t\"\n\
                 options = { password = { evn = \"hunter2\" } }",
        says: &["unknown key \"evn\""],
    },
    Case {
        name: "an option that is a number",
        source: "driver = \"$sqlite\"\nuri = \"shop.db\"\ntable = \"t\"\noptions = { threads = 4 }",
        says: &[
            "options.threads",
            "expected a text or a table such as { env = … } or { file = … }, found an integer",
        ],
    },
    Case {
        name: "an option that the driver does not know",
        source: "driver = \"$sqlite\"\nuri = \"shop.db\"\ntable = \"t\"\noptions = { speed = \"hunter2\" }",
        says: &["does not take the options", "speed"],
    },
    Case {
        name: "an option that DuckDB does not know",
        source: "driver = \"$duckdb\"\nuri = \"shop.duckdb\"\ntable = \"t\"\noptions = { speed = \"hunter2\" }",
        says: &["does not take the options", "speed"],
    },
    Case {
        name: "what is of files",
        source: "driver = \"$sqlite\"\nuri = \"shop.db\"\ntable = \"t\"\nformat = \"csv\"\ndelimiter = \";\"",
        says: &[
            "source[0].format: is of files",
            "source[0].delimiter: is of files",
        ],
    },
    Case {
        name: "what is of drivers",
        source: "uri = \"shop.csv\"\nentry_point = \"x\"\noptions = { a = \"b\" }",
        says: &["entry_point: is for a driver", "options: is for a driver"],
    },
    Case {
        name: "a driver for PostgreSQL's own address",
        source: "driver = \"$sqlite\"\nuri = \"postgres://reader@db/crm\"\ntable = \"t\"",
        says: &["source[0].driver", "remove \"driver\""],
    },
    Case {
        name: "a source without address",
        source: "table = \"t\"",
        says: &["source[0]: the key \"uri\" is missing"],
    },
    Case {
        name: "text that is no text",
        source: "driver = \"$sqlite\"\nuri = \"shop.db\"\ntable = \"raw\"",
        says: &["text that is not UTF-8"],
    },
    Case {
        name: "bytes in a column of texts",
        source: "driver = \"$sqlite\"\nuri = \"shop.db\"\ntable = \"bytes\"",
        says: &["a value of another type than its column"],
    },
    Case {
        name: "a key that is no column",
        source: "driver = \"$sqlite\"\nuri = \"shop.db\"\ntable = \"t2\"",
        says: &["there is no column \"id\"", "did you mean \"idd\""],
    },
];

#[test]
fn what_is_wrong_with_a_driver_is_told_with_its_remedy_and_without_secrets() {
    let (Some(sqlite), Some(duckdb)) = (driver("sqlite"), driver("duckdb")) else {
        return;
    };
    let place = Place::new();
    place.sqlite(
        "shop.db",
        "CREATE TABLE t (id TEXT, name TEXT); INSERT INTO t VALUES ('1', 'a');
         CREATE TABLE t2 (idd TEXT, name TEXT); CREATE TABLE raw (id TEXT, name TEXT);
         INSERT INTO raw VALUES ('1', CAST(x'ff' AS TEXT));
         CREATE TABLE bytes (id TEXT, name TEXT); INSERT INTO bytes VALUES ('1', x'ff')",
    );
    let make = "CREATE TABLE t AS SELECT '1' AS id, 'a' AS name";
    place.duckdb(&duckdb, "shop.duckdb", &[make]);
    fs::write(place.path("text.db"), CANARY.repeat(500)).unwrap();
    for case in CASES {
        let written = case.source.replace("$sqlite", sqlite.to_str().unwrap());
        let ran = place.run(
            "plan",
            &written.replace("$duckdb", duckdb.to_str().unwrap()),
        );
        assert_eq!(
            ran.code,
            Some(2),
            "{}: {}{}",
            case.name,
            ran.stdout,
            ran.stderr
        );
        for part in case.says {
            assert!(ran.stderr.contains(part), "{}: {}", case.name, ran.stderr);
        }
        assert!(
            !ran.stderr.contains(CANARY),
            "{}: {}",
            case.name,
            ran.stderr
        );
    }
}

/// A name, with or without a manifest, is looked for in the folders of ADBC; a manifest has a path, too.
#[test]
fn drivers_are_found_by_name_and_by_manifest() {
    let Some(sqlite) = driver("sqlite") else {
        return;
    };
    let place = Place::new();
    place.sqlite(
        "shop.db",
        "CREATE TABLE t (id TEXT, name TEXT); INSERT INTO t VALUES ('1', 'a'), ('2', 'b')",
    );
    let library = sqlite.display().to_string();
    let manifest = format!("manifest_version = 1\n[Driver]\nshared = {library:?}\n");
    fs::create_dir(place.path("manifests")).unwrap();
    fs::write(place.path("manifests/our_sqlite.toml"), manifest).unwrap();
    let folders = [sqlite.parent().unwrap(), &place.path("manifests")];
    let folders = std::env::join_paths(folders).unwrap();
    for name in [
        "adbc_driver_sqlite",
        "our_sqlite",
        "manifests/our_sqlite.toml",
        &library,
    ] {
        let source = format!("driver = {name:?}\nuri = \"shop.db\"\ntable = \"t\"");
        place.run("plan", &source);
        let ran = Command::new(binary())
            .args(["plan", "--config"])
            .arg(place.path("sameas.toml"))
            .env("ADBC_DRIVER_PATH", &folders)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{name}: {said}");
    }
}

#[test]
fn a_warehouse_without_account_is_told_in_plain_words() {
    for (name, options, says) in [
        (
            "snowflake",
            "",
            "needs the account; set \"adbc.snowflake.sql.account\"",
        ),
        (
            "bigquery",
            "",
            "needs the project; set \"adbc.bigquery.sql.project_id\"",
        ),
        ("flightsql", "", "needs the server's address"),
        (
            "flightsql",
            "uri = \"grpc://127.0.0.1:1\"",
            "it does not answer",
        ),
        (
            "bigquery",
            "options = { \"adbc.bigquery.sql.project_id\" = \"p\" }",
            "has no credentials",
        ),
        (
            "bigquery",
            "options = { \"adbc.bigquery.sql.project_id\" = \"p\", \"adbc.bigquery.sql.auth_type\" = \
             \"adbc.bigquery.sql.auth_type.json_credential_string\", \
             \"adbc.bigquery.sql.auth_credentials\" = { file = \"secret\" } }",
            "cannot use the credentials",
        ),
        (
            "snowflake",
            "options = { \"adbc.snowflake.sql.account\" = \"a\", username = \"u\" }",
            "has no credentials",
        ),
        (
            "snowflake",
            "password = { file = \"secret\" }\noptions = { \"adbc.snowflake.sql.account\" = \"a\", \
             username = \"u\", \"adbc.snowflake.sql.auth_type\" = \"nonsense\" }",
            "does not take the options",
        ),
        (
            "snowflake",
            "password = { file = \"secret\" }\noptions = { \"adbc.snowflake.sql.account\" = \"a\", \
             username = \"u\", \"adbc.snowflake.sql.uri.host\" = \"127.0.0.1\", \
             \"adbc.snowflake.sql.uri.port\" = \"1\", \"adbc.snowflake.sql.uri.protocol\" = \"http\", \
             \"adbc.snowflake.sql.client_option.login_timeout\" = \"2s\" }",
            "no host of this account answers",
        ),
    ] {
        let Some(library) = driver(name) else {
            continue;
        };
        let place = Place::new();
        fs::write(place.path("secret"), CANARY).unwrap();
        let library = library.display().to_string();
        let ran = place.run(
            "plan",
            &format!("driver = {library:?}\ntable = \"t\"\n{options}"),
        );
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{name}: {}", ran.stderr);
        assert!(!ran.stderr.contains(CANARY), "{name}: {}", ran.stderr);
    }
}

#[test]
fn what_databases_are_opened_with_refuses_writing() {
    let (Some(sqlite), Some(duckdb)) = (driver("sqlite"), driver("duckdb")) else {
        return;
    };
    let place = Place::new();
    place.sqlite("shop.db", "CREATE TABLE t (id TEXT)");
    place.duckdb(&duckdb, "shop.duckdb", &["CREATE TABLE t (id TEXT)"]);
    let uri = format!("file:{}?mode=ro", place.path("shop.db").display());
    let path = place.path("shop.duckdb").display().to_string();
    let insert = "INSERT INTO t VALUES ('1')";
    assert!(execute(&sqlite, &[("uri", &uri)], insert).is_err());
    let options = [("path", path.as_str()), ("access_mode", "READ_ONLY")];
    assert!(execute(&duckdb, &options, insert).is_err());
}

/// Whoever stops reading early stops the query, and the next one is read as a whole.
#[test]
fn a_scan_that_is_given_up_leaves_nothing_behind() {
    let Some(duckdb) = driver("duckdb") else {
        return;
    };
    let place = Place::new();
    let make = "CREATE TABLE t AS SELECT i AS id, 'n' || i AS name FROM range(1000000) r(i)";
    place.duckdb(&duckdb, "shop.duckdb", &[make]);
    let settings = serde_json::json!({
        "name": "shop", "driver": duckdb, "uri": "shop.duckdb", "table": "t",
        "key": "id", "fields": {},
    });
    let settings: SourceSettings = serde_json::from_value(settings).unwrap();
    let request = ScanRequest {
        key: "id".to_owned(),
        columns: vec!["name".to_owned()],
        filter: None,
    };
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let source = Source::open(&settings, place.folder.path()).await.unwrap();
        for _ in 0..20 {
            let mut streams = source.scan(&request, 1).await.unwrap();
            assert!(streams[0].next().await.unwrap().is_ok());
        }
        let mut rows = 0;
        for mut stream in source.scan(&request, 1).await.unwrap() {
            while let Some(batch) = stream.next().await {
                rows += batch.unwrap().num_rows();
            }
        }
        assert_eq!(rows, 1_000_000);
    });
}

/// Returns the cells of one column of the records with a key.
async fn fetched(source: &Source, key: &str) -> Result<Vec<String>, ScanError> {
    let request = ScanRequest {
        key: "id".to_owned(),
        columns: vec!["name".to_owned()],
        filter: None,
    };
    let batches = source.fetch(&request, &[key]).await?;
    let names = batches.iter().flat_map(|batch| {
        let names = batch.column(1).as_string::<i32>();
        (0..batch.num_rows()).map(|row| names.value(row).to_owned())
    });
    Ok(names.collect())
}

fn opened(runtime: &Runtime, place: &Place, driver: &Path, uri: &str) -> Source {
    let settings = serde_json::json!({
        "name": "shop", "driver": driver, "uri": uri, "table": "t", "key": "id", "fields": {},
    });
    let settings: SourceSettings = serde_json::from_value(settings).unwrap();
    let opening = Source::open(&settings, place.folder.path());
    runtime.block_on(opening).unwrap()
}

/// SQLite takes a quoted name that is no column for a text, which every record then would have.
#[test]
fn a_column_of_sqlite_that_was_renamed_is_an_error_and_no_value() {
    let Some(sqlite) = driver("sqlite") else {
        return;
    };
    let (place, runtime) = (Place::new(), Runtime::new().unwrap());
    place.sqlite(
        "shop.db",
        "CREATE TABLE t (id TEXT, name TEXT); INSERT INTO t VALUES ('1', 'Ann')",
    );
    let source = opened(&runtime, &place, &sqlite, "shop.db");
    assert_eq!(runtime.block_on(fetched(&source, "1")).unwrap(), ["Ann"]);
    place.sqlite("shop.db", "ALTER TABLE t RENAME COLUMN name TO surname");
    let error = runtime.block_on(fetched(&source, "1")).unwrap_err();
    assert!(error.to_string().contains("shop"), "{error}");
    let request = ScanRequest {
        key: "id".to_owned(),
        columns: vec!["name".to_owned()],
        filter: None,
    };
    let scanned = runtime.block_on(async {
        let mut streams = source.scan(&request, 1).await?;
        streams[0]
            .next()
            .await
            .unwrap()
            .map(|batch| batch.num_rows())
    });
    assert!(scanned.is_err(), "{scanned:?}");
}

/// A file that stays open is locked against who writes, and one in its place is not seen.
#[test]
fn a_file_of_duckdb_that_was_replaced_is_seen_and_its_largest_numbers_keep_all_digits() {
    let Some(duckdb) = driver("duckdb") else {
        return;
    };
    let (place, runtime) = (Place::new(), Runtime::new().unwrap());
    let largest = i128::MAX.to_string();
    let make =
        |name: &str| format!("CREATE TABLE t AS SELECT {largest}::HUGEINT AS id, '{name}' AS name");
    place.duckdb(&duckdb, "shop.duckdb", &[&make("Ann")]);
    let source = opened(&runtime, &place, &duckdb, "shop.duckdb");
    assert_eq!(
        runtime.block_on(fetched(&source, &largest)).unwrap(),
        ["Ann"]
    );
    place.duckdb(&duckdb, "next.duckdb", &[&make("Anna")]);
    fs::rename(place.path("next.duckdb"), place.path("shop.duckdb")).unwrap();
    assert_eq!(
        runtime.block_on(fetched(&source, &largest)).unwrap(),
        ["Anna"]
    );
}
