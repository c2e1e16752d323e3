//! A graph over tables of a real MariaDB server.

mod faults;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use arrow::util::display::{ArrayFormatter, FormatOptions};
use sameas_source::{RowCount, ScanError, ScanRequest, Source, SourceSettings};
use sameas_tests::{Draw, Layout, MariaDb, Ran, Scanner, Systems, as_table, run, sameas, told};
use tokio_stream::StreamExt as _;

/// How many rebuilds are broken at some point of their scan.
const BREAK_COUNT: u64 = 200;

/// How many scans run beside a writer.
const SCAN_COUNT: u64 = 1_000;

const TABLE: &str = "CREATE TABLE customers (id varchar(20) PRIMARY KEY, first varchar(80), \
     last varchar(80), born date, mail varchar(120), mail2 varchar(120), tel varchar(40), \
     street varchar(120), city varchar(80), zip varchar(12));";

/// Copies the records of the CRM into a table.
fn fill(mariadb: &MariaDb, folder: &Path) {
    let mut csv = csv::Reader::from_path(folder.join("crm/part-0.csv")).unwrap();
    let quoted = |cell: &str| match cell {
        "" => "NULL".to_owned(),
        text => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
    };
    let rows = csv.records().map(|record| {
        let record = record.unwrap();
        let cells = record.iter().enumerate().map(|(at, cell)| match at {
            3 => format!("STR_TO_DATE({}, '%d.%m.%Y')", quoted(cell)),
            _ => quoted(cell),
        });
        format!("({})", cells.collect::<Vec<_>>().join(", "))
    });
    let rows: Vec<_> = rows.collect();
    mariadb.sql(TABLE);
    mariadb.sql(&format!(
        "INSERT INTO customers VALUES {}",
        rows.join(",\n")
    ));
}

fn settings_over(mariadb: &MariaDb, systems: &Systems, folder: &Path) -> (PathBuf, PathBuf) {
    let files = systems.write(folder, &Layout::default());
    fill(mariadb, folder);
    let text = as_table(&files, "crm/*.csv", &mariadb.uri("root"), "customers");
    let tables = folder.join("tables.toml");
    fs::write(&tables, text).unwrap();
    (files, tables)
}

fn must(ran: &Ran) -> &str {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    &ran.stdout
}

fn settings_of(mariadb: &MariaDb, table: &str, key: &str) -> SourceSettings {
    let settings = serde_json::json!({
        "name": "crm", "uri": mariadb.uri("root"), "table": table, "key": key, "fields": {},
    });
    serde_json::from_value(settings).unwrap()
}

fn request(key: &str, columns: &[&str]) -> ScanRequest {
    ScanRequest {
        key: key.to_owned(),
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
        filter: None,
    }
}

fn shown(batches: &[arrow::array::RecordBatch]) -> Vec<String> {
    let options = FormatOptions::default();
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter();
        let columns: Vec<_> = columns
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        rows.extend((0..batch.num_rows()).map(|row| {
            let cells = columns.iter().map(|column| column.value(row).to_string());
            cells.collect::<Vec<_>>().join("|")
        }));
    }
    rows.sort();
    rows
}

/// Scans a table and prints its rows, or what is wrong.
async fn try_read(source: &Source, request: &ScanRequest) -> Result<Vec<String>, String> {
    let mut batches = Vec::new();
    let streams = source.scan(request, 2).await;
    for mut stream in streams.map_err(|error| told(&error))? {
        while let Some(batch) = stream.next().await {
            batches.push(batch.map_err(|error| told(&ScanError::from_stream("crm", &error)))?);
        }
    }
    Ok(shown(&batches))
}

fn read(mariadb: &MariaDb, table: &str, key: &str, columns: &[&str]) -> Vec<String> {
    let settings = settings_of(mariadb, table, key);
    runtime().block_on(async {
        let source = Source::open(&settings, Path::new("")).await.unwrap();
        try_read(&source, &request(key, columns)).await.unwrap()
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}

#[test]
fn a_table_gives_the_graph_that_its_file_gives() {
    let Some(mariadb) = MariaDb::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (files, tables) = settings_over(&mariadb, &Systems::new(400, 11), folder.path());
    must(&sameas(&files, &["rebuild", "--quiet"]));
    let before = sameas(&files, &["export"]);
    // Ids stay if and only if the clusters are the same.
    must(&sameas(&tables, &["rebuild", "--quiet"]));
    let after = sameas(&tables, &["export"]);
    assert_eq!(must(&before), must(&after));
    // A view serves as well, and a changed row changes the graph.
    mariadb.sql("CREATE VIEW active AS SELECT * FROM customers WHERE id <> 'C-001000'");
    let view = fs::read_to_string(&tables).unwrap();
    let view = view
        .replace("\"customers\"", "\"crm.active\"")
        .replace("mysql://", "mariadb://");
    fs::write(&tables, view).unwrap();
    must(&sameas(&tables, &["rebuild", "--quiet"]));
    let gone = sameas(&tables, &["lookup", "crm", "C-001000"]);
    assert_eq!(gone.code, Some(1), "{}", gone.stderr);
    must(&sameas(&tables, &["lookup", "crm", "C-001007"]));
}

const ODD: &str = "CREATE TABLE `odd ``na.mes` (`Key` bigint unsigned PRIMARY KEY, small smallint, \
     num decimal(20,4), big decimal(38,0), huge decimal(65,30), r float, d double, day date, \
     at datetime(3), ts timestamp(6) NULL, t time(1), y year, padded char(8), \
     old varchar(20) CHARACTER SET latin1, jp varchar(20) CHARACTER SET sjis, long_text longtext, \
     kind enum('red','blue'), many set('a','b'), doc json, flag bit(1), bits bit(12), \
     raw varbinary(9), `blob` longblob, id uuid, place point, `ünï ``x` varchar(9)) CHARACTER SET utf8mb4;
     SET sql_mode = ''; SET time_zone = '+02:00';
     INSERT INTO `odd ``na.mes` VALUES (18446744073709551615, -7, 12.5, -12345678901234567890123456789, \
     0.5, 1.5, 0.1, '1999-02-28', '2020-01-01 12:00:00.25', '2020-01-01 12:00:00', '-25:00:01.5', 2020, \
     'pad', 'Zoë', '表', repeat('ab', 100000), 'red', 'a,b', '{\"a\": 1}', b'1', b'100000000001', \
     x'00ff', x'41', '6a2f0e7c-43d5-4f53-9d1b-0d8a3b8f5a11', POINT(1, 2), 'Zoë'),
     (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
     NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
     (3, 0, 0, 0, 0, 0, 0, '0000-00-00', '2020-00-10', '0000-00-00', '0:0:0', 0, '', '', '', '', '', \
     '', '[]', b'0', b'0', '', '', NULL, NULL, '')";

#[test]
fn values_of_all_types_are_read() {
    let Some(mariadb) = MariaDb::start() else {
        return;
    };
    mariadb.sql(ODD);
    let columns = [
        "small",
        "num",
        "big",
        "huge",
        "r",
        "d",
        "day",
        "at",
        "ts",
        "t",
        "y",
        "padded",
        "old",
        "jp",
        "character_length(long_text)",
        "kind",
        "many",
        "doc",
        "flag",
        "bits",
        "raw",
        "blob",
        "id",
        "place",
        "\"ünï `x\"",
        "num > 9.5",
    ];
    let rows = read(&mariadb, "crm.\"odd `na.mes\"", "\"Key\"", &columns);
    assert_eq!(
        rows,
        [
            "18446744073709551615|-7|12.5000|-12345678901234567890123456789|\
             0.500000000000000000000000000000|1.5|0.1|1999-02-28|2020-01-01T12:00:00.250|\
             2020-01-01T10:00:00Z|-25:00:01.5|2020|pad|Zoë|表|131072|red|a,b|{\"a\": 1}|true|2049|\
             \\x00ff|\\x41|6a2f0e7c-43d5-4f53-9d1b-0d8a3b8f5a11|POINT(1 2)|Zoë|true",
            "2||||||||||||||||||||||||||",
            "3|0|0.0000|0|0.000000000000000000000000000000|0.0|0.0||||00:00:00.0|||||0|||[]|false|0|\
             \\x|\\x||||false",
        ]
    );
}

#[test]
fn records_are_fetched_by_keys_of_any_type_and_no_key_is_sql() {
    let Some(mariadb) = MariaDb::start() else {
        return;
    };
    mariadb.sql(ODD);
    // The column calls all of these equal.
    mariadb.sql(
        "CREATE TABLE texts (k varchar(30) COLLATE utf8mb4_general_ci, n int, INDEX (k)); \
         INSERT INTO texts VALUES ('a', 1), ('A', 2), ('a ', 3), ('ä', 4), ('x'' OR ''1''=''1', 5), \
         ('\\\\', 6), ('', 7), ('%', 8), ('?', 9); \
         CREATE TABLE many (k int, n int); INSERT INTO many SELECT 7, seq FROM seq_1_to_100001",
    );
    let runtime = runtime();
    let fetch = |table: &str, key: &str, column: &str, keys: &[&str]| {
        let settings = settings_of(&mariadb, table, key);
        runtime.block_on(async {
            let source = Source::open(&settings, Path::new("")).await.unwrap();
            let fetched = source.fetch(&request(key, &[column]), keys).await;
            fetched
                .map(|batches| shown(&batches))
                .map_err(|error| told(&error))
        })
    };
    for (keys, expected) in [
        (vec!["a"], vec!["a|1"]),
        (vec!["A", "a "], vec!["A|2", "a |3"]),
        (vec!["x' OR '1'='1"], vec!["x' OR '1'='1|5"]),
        (vec!["' OR ''='", "a' OR 1 -- ", "b"], vec![]),
        (vec!["\\", "%", "?", ""], vec!["%|8", "?|9", "\\|6", "|7"]),
        (vec!["ä", "a\u{308}", "\0", "a\0"], vec!["ä|4"]),
    ] {
        assert_eq!(
            fetch("texts", "k", "n", &keys).unwrap(),
            expected,
            "{keys:?}"
        );
    }
    let many: Vec<String> = (0..1_000).map(|number| format!("k{number}")).collect();
    let mut many: Vec<&str> = many.iter().map(String::as_str).collect();
    many[999] = "A";
    assert_eq!(fetch("texts", "k", "n", &many).unwrap(), ["A|2"]);
    assert_eq!(fetch("texts", "k", "n", &[]).unwrap(), Vec::<String>::new());
    for (key, text) in [
        ("\"Key\"", "18446744073709551615"),
        ("small", "-7"),
        ("num", "12.5000"),
        ("big", "-12345678901234567890123456789"),
        ("huge", "0.500000000000000000000000000000"),
        ("day", "1999-02-28"),
        ("at", "2020-01-01T12:00:00.250"),
        ("ts", "2020-01-01T10:00:00Z"),
        ("t", "-25:00:01.5"),
        ("y", "2020"),
        ("padded", "pad"),
        ("old", "Zoë"),
        ("jp", "表"),
        ("kind", "red"),
        ("many", "a,b"),
        ("flag", "true"),
        ("bits", "2049"),
        ("raw", "\\x00ff"),
        ("blob", "\\x41"),
        ("id", "6a2f0e7c-43d5-4f53-9d1b-0d8a3b8f5a11"),
        ("\"ünï `x\"", "Zoë"),
    ] {
        let keys = [
            text,
            "' OR 1=1 -- ",
            "\\xZZ",
            "1e999",
            "99999999999999999999999",
        ];
        let found = fetch("crm.\"odd `na.mes\"", key, "small", &keys).unwrap();
        assert_eq!(found, [format!("{text}|-7")], "{key}");
    }
    let refused = fetch("many", "k", "n", &["7"]).unwrap_err();
    assert!(refused.contains("more than 100,000 records"), "{refused}");
    // What was asked went by parameters: the server saw no key in a statement's text.
    mariadb.sql("SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = ON");
    fetch("texts", "k", "n", &["canary-key", "a"]).unwrap();
    let seen = "SELECT command_type, argument LIKE '%canary-key%' FROM mysql.general_log \
                WHERE argument LIKE '%texts%' AND argument NOT LIKE '%general_log%' AND command_type IN ('Prepare', 'Query')";
    let seen = mariadb.sql(seen);
    assert!(
        seen.contains("Prepare\t0") && !seen.contains("\t1"),
        "{seen}"
    );
}

#[test]
fn counts_are_exact_of_small_tables_and_estimates_of_large_ones() {
    let Some(mariadb) = MariaDb::start() else {
        return;
    };
    mariadb.sql(
        "CREATE TABLE small (id int PRIMARY KEY); INSERT INTO small SELECT seq FROM seq_1_to_777; \
         CREATE VIEW some AS SELECT * FROM small; \
         CREATE TABLE large (id int PRIMARY KEY, t char(250) CHARACTER SET ascii); \
         INSERT INTO large SELECT seq, repeat('x', 250) FROM seq_1_to_150000; ANALYZE TABLE large",
    );
    let runtime = runtime();
    let count = |table: &str| {
        let settings = settings_of(&mariadb, table, "id");
        runtime.block_on(async {
            let source = Source::open(&settings, Path::new("")).await.unwrap();
            source.row_count().await.unwrap()
        })
    };
    assert_eq!(count("small"), RowCount::Exact(777));
    assert_eq!(count("some"), RowCount::Unknown);
    let RowCount::Estimate(rows) = count("large") else {
        panic!("a large table is not counted");
    };
    assert!((100_000..200_000).contains(&rows), "{rows}");
}

#[test]
fn a_profile_is_asked_of_the_systems_as_they_are_now() {
    let Some(mut mariadb) = MariaDb::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (_, tables) = settings_over(&mariadb, &Systems::new(400, 11), folder.path());
    must(&sameas(&tables, &["rebuild", "--quiet"]));
    let profile = |arguments: &[&str]| {
        let ran = sameas(
            &tables,
            &[
                &["profile", "--format", "json", "crm", "C-001000"],
                arguments,
            ]
            .concat(),
        );
        serde_json::from_str::<serde_json::Value>(must(&ran)).unwrap()
    };
    let state = |profile: &serde_json::Value| {
        let members = profile["members"].as_array().unwrap().iter();
        let mut own = members.filter(|member| member["key"] == "C-001000");
        own.next().unwrap()["state"]["state"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let whole = profile(&[]);
    assert_eq!(
        (whole["is_partial"].as_bool(), state(&whole).as_str()),
        (Some(false), "read")
    );
    // What changes at the source is seen at once, and nothing but the fields asked for is told.
    mariadb.sql("UPDATE customers SET city = 'Canaryville' WHERE id = 'C-001000'");
    let changed = profile(&["--fields", "city"]);
    assert_eq!(changed["fields"].as_array().unwrap().len(), 1);
    assert!(
        changed["fields"][0]["values"]
            .to_string()
            .contains("Canaryville")
    );
    // A table that is held answers nothing in time; a server that is down nothing at all.
    let holding = mariadb.session();
    let holder = thread::spawn(move || holding("LOCK TABLES customers WRITE; DO SLEEP(2)"));
    thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    let held = profile(&["--timeout", "400"]);
    assert!(began.elapsed() < Duration::from_millis(1_500));
    assert_eq!(held["is_partial"], true);
    assert!(
        held.to_string().contains("no answer within 400 ms"),
        "{held}"
    );
    holder.join().unwrap();
    mariadb.sql("DELETE FROM customers WHERE id = 'C-001000'");
    assert_eq!(state(&profile(&[])), "gone");
    mariadb.stop();
    let down = profile(&[]);
    assert_eq!(down["is_partial"], true);
    assert!(down.to_string().contains("does not answer"), "{down}");
}

#[test]
fn a_new_user_gets_from_a_table_and_a_file_to_a_profile() {
    let Some(mariadb) = MariaDb::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    Systems::new(600, 21).write(folder.path(), &Layout::default());
    fill(&mariadb, folder.path());
    let table = format!("{}#crm.customers", mariadb.uri("root"));
    let desk = folder.path().join("desk/part-0.ndjson");
    let out = folder.path().join("new");
    let texts = [out.to_str().unwrap(), &table, desk.to_str().unwrap()];
    must(&run(&["init", "--out", texts[0], texts[1], texts[2]]));
    let settings = out.join("sameas.toml");
    must(&sameas(&settings, &["rebuild", "--quiet"]));
    let ran = sameas(&settings, &["profile", "customers", "C-001000"]);
    assert!(
        must(&ran).contains("customers C-001000: read"),
        "{}",
        ran.stdout
    );
    let none = run(&["init", "--out", texts[0], "--force", &mariadb.uri("root")]);
    assert!(
        none.stderr.contains("`table` is missing"),
        "{}",
        none.stderr
    );
}
