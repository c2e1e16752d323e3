//! Records by key and `sameas source check`, over real systems: PostgreSQL, SQLite, DuckDB, files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use sameas_source::{ScanRequest, Source, SourceSettings};
use sameas_tests::{Draw, Postgres, Ran, connect, driver, sameas};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_stream::StreamExt as _;

/// A value of a record, which no check may show.
const CANARY: &str = "canary-7f3a";

/// Keys that SQL could take for something else.
const ODD_KEYS: &str = "'007', '7', '7.0', '+7', 'a''b', 'a\"b', '100%', '_', 'ключ', 'a b', 'a b ', '?', '$1', \
     ''' OR 1=1 --', 'null'";

fn python(code: &str, arguments: &[&Path]) {
    let ran = Command::new("python3")
        .args(["-c", code])
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
}

fn sqlite(path: &Path, statements: &str) {
    let code = "import sqlite3, sys\nsqlite3.connect(sys.argv[1]).executescript(sys.argv[2])";
    python(code, &[path, Path::new(statements)]);
}

/// Runs statements by DuckDB's own library.
fn duckdb(library: &Path, path: &Path, statement: &str) {
    use adbc_core::{Connection as _, Statement as _};
    let mut connection = connect(library, path);
    let mut running = connection.new_statement().unwrap();
    running.set_sql_query(statement).unwrap();
    running.execute_update().unwrap();
}

pub(crate) fn texts(batches: &[RecordBatch]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter();
        let columns = columns.map(|column| arrow::compute::cast(column, &DataType::Utf8).unwrap());
        let columns: Vec<_> = columns.collect();
        for row in 0..batch.num_rows() {
            let cell = |column: &arrow::array::ArrayRef| match column.is_valid(row) {
                true => column.as_string::<i32>().value(row).to_owned(),
                false => "null".to_owned(),
            };
            rows.push(columns.iter().map(cell).collect());
        }
    }
    rows.sort();
    rows
}

/// Reads all records once, and holds to them what is fetched by key, three times over.
fn fetches_what_a_scan_has(base: &Path, settings: &Value, columns: &[&str]) {
    let about = settings.to_string();
    let settings: SourceSettings = serde_json::from_value(settings.clone()).unwrap();
    let request = ScanRequest {
        key: settings.key.clone(),
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
        filter: None,
    };
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let source = Source::open(&settings, base).await.unwrap();
        let mut batches = Vec::new();
        for mut stream in source.scan(&request, 2).await.unwrap() {
            while let Some(batch) = stream.next().await {
                batches.push(batch.unwrap());
            }
        }
        let all = texts(&batches);
        assert!(all.len() > 10, "{about}");
        let every = all.iter().map(|row| row[0].as_str()).take(1_000);
        let every: Vec<&str> = every.collect();
        let none = [
            "",
            "no such",
            "007 ",
            "7'",
            "99999999999999999999",
            "-",
            "K1",
        ];
        let mixed: Vec<&str> = every.iter().copied().step_by(7).chain(none).collect();
        for keys in [&every[..], &none, &mixed, &every[..1], &[]] {
            let keys: &[&str] = keys;
            let expected: Vec<_> = all
                .iter()
                .filter(|row| keys.contains(&row[0].as_str()))
                .cloned()
                .collect();
            let found = source.fetch(&request, keys).await.unwrap();
            let found = texts(&found);
            assert_eq!(found.len(), expected.len(), "{about}");
            assert!(found == expected, "{about}");
        }
    });
}

#[test]
fn a_fetch_from_sqlite_finds_what_a_scan_has() {
    let Some(library) = driver("sqlite") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let keys = ODD_KEYS.replace(", ", "), (");
    sqlite(
        &folder.path().join("s.db"),
        &format!(
            "CREATE TABLE odd (id TEXT PRIMARY KEY, name TEXT);
             WITH k(v) AS (VALUES ({keys})) INSERT INTO odd SELECT v, 'n ' || v FROM k;
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
             INSERT INTO odd SELECT 'k' || i, 'n' || i FROM n;
             CREATE TABLE fold (id TEXT COLLATE NOCASE, name); INSERT INTO fold SELECT * FROM odd;
             INSERT INTO fold VALUES ('K1500', 'the same to the column, and asked in another query');
             CREATE TABLE num (id INTEGER PRIMARY KEY, name TEXT);
             INSERT INTO num SELECT row_number() OVER (), name FROM odd;
             CREATE TABLE plain (id, name); INSERT INTO plain SELECT * FROM num;
             INSERT INTO plain SELECT id, name FROM odd WHERE id <> '7';
             CREATE TABLE numeric (id NUMERIC, name); INSERT INTO numeric SELECT id, name FROM odd WHERE id LIKE 'k%';
             INSERT INTO numeric SELECT id, name FROM num;
             CREATE VIEW v AS SELECT * FROM odd; CREATE TABLE bytes (id BLOB, name);
             INSERT INTO bytes SELECT CAST(id AS BLOB), name FROM odd;"
        ),
    );
    for table in [
        "odd", "main.odd", "fold", "num", "plain", "numeric", "v", "bytes",
    ] {
        let settings = json!({
            "name": "shop", "driver": library, "uri": "s.db", "table": table, "key": "id",
            "duplicate_keys": "merge", "fields": {},
        });
        fetches_what_a_scan_has(folder.path(), &settings, &["name"]);
        let mut expression = settings.clone();
        expression["key"] = json!("concat(id, '!')");
        fetches_what_a_scan_has(folder.path(), &expression, &["upper(name)", "id"]);
    }
}

#[test]
fn a_fetch_from_duckdb_finds_what_a_scan_has() {
    let Some(library) = driver("duckdb") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let keys = ODD_KEYS.replace(", ", "), (");
    let path = folder.path().join("d.duckdb");
    for statement in [
        format!("CREATE TABLE odd AS SELECT v AS id, 'n ' || v AS name FROM (VALUES ({keys})) k(v)"),
        "INSERT INTO odd SELECT 'k' || i, 'n' || i FROM range(2000) r(i)".to_owned(),
        "CREATE TABLE typed AS SELECT i::INTEGER AS i4, i::UTINYINT AS u1, i::BIGINT * 1000000007 AS i8, \
         (i * 1.5)::DECIMAL(9, 2) AS dec, DATE '2000-01-01' + i::INTEGER AS day, \
         ('00000000-0000-0000-0000-' || lpad(i::VARCHAR, 12, '0'))::UUID AS uid, \
         TIMESTAMP '2000-01-01' + to_hours(i) AS stamp, ('k' || i)::BLOB AS raw, 'n' || i AS name, \
         i % 2 = 0 AS flag FROM range(250) r(i)"
            .to_owned(),
    ] {
        duckdb(&library, &path, &statement);
    }
    let settings = |table: &str, key: &str| {
        json!({
            "name": "shop", "driver": library, "uri": "d.duckdb", "table": table, "key": key,
            "duplicate_keys": "merge", "fields": {}, "options": {"threads": "1"},
        })
    };
    fetches_what_a_scan_has(folder.path(), &settings("odd", "id"), &["name"]);
    fetches_what_a_scan_has(folder.path(), &settings("odd", "lower(id)"), &["name"]);
    for key in [
        "i4", "u1", "i8", "dec", "day", "uid", "stamp", "raw", "flag",
    ] {
        fetches_what_a_scan_has(folder.path(), &settings("typed", key), &["name", "i4"]);
    }
}

#[test]
fn a_fetch_from_postgres_finds_what_a_scan_has() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let keys = ODD_KEYS.replace(", ", "), (");
    postgres.sql(&format!(
        "CREATE TABLE odd (id text PRIMARY KEY, name text);
         INSERT INTO odd SELECT v, 'n ' || v FROM (VALUES ({keys})) k(v);
         INSERT INTO odd SELECT 'k' || i, 'n' || i FROM generate_series(1, 2000) i;
         CREATE TABLE typed AS SELECT i::int4 AS i4, i::int8 * 1000000007 AS i8,
             (i * 1.5)::numeric(9, 2) AS dec, i * 1.50 AS free, date '2000-01-01' + i AS day,
             lpad(i::text, 32, '0')::uuid AS uid, ('k' || i)::char(6) AS padded, 'n' || i AS name
             FROM generate_series(1, 300) i"
    ));
    let folder = tempfile::tempdir().unwrap();
    let settings = |table: &str, key: &str| {
        json!({
            "name": "crm", "uri": postgres.uri("postgres"), "table": table, "key": key, "fields": {},
        })
    };
    fetches_what_a_scan_has(folder.path(), &settings("odd", "id"), &["name"]);
    fetches_what_a_scan_has(folder.path(), &settings("odd", "lower(id)"), &["name"]);
    fetches_what_a_scan_has(
        folder.path(),
        &settings("odd", "cast(substr(name, 3, 1) = ' ' as varchar)"),
        &["name"],
    );
    for key in ["i4", "i8", "dec", "free", "day", "uid", "padded"] {
        fetches_what_a_scan_has(folder.path(), &settings("typed", key), &["name", "i4"]);
    }
}

/// A settings file with one source, checked.
struct Checked {
    folder: TempDir,
}

impl Checked {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn check(&self, source: &str, arguments: &[&str]) -> Ran {
        let only = ["city", "dob"].into_iter();
        let only = only.filter(|field| source.contains(&format!("{field} = ")));
        let only: Vec<_> = only.map(|field| format!("{field:?}")).collect();
        let text = format!(
            "[[source]]\nname = \"shop\"\n{source}\n[profile]\nonly = [{}]\n\
             [[compare]]\nfield = \"surname\"\n[[block]]\non = [\"surname\"]\n",
            only.join(", ")
        );
        let path = self.path("sameas.toml");
        fs::write(&path, text).unwrap();
        let all = [&["source", "check"], arguments].concat();
        let ran = sameas(&path, &all);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!said.contains(CANARY), "{said}");
        ran
    }

    /// Returns what is said of each topic, its standing first, its remedy last.
    fn findings(&self, source: &str) -> (Option<i32>, BTreeMap<String, String>, Value) {
        let ran = self.check(source, &["--format", "json"]);
        let report: Value = serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|_| panic!("{}{}", ran.stdout, ran.stderr));
        let mut by_topic: BTreeMap<String, String> = BTreeMap::new();
        for finding in report["sources"][0]["findings"].as_array().unwrap() {
            let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
            let told = format!(
                "{}: {} > {}\n",
                text("standing"),
                text("says"),
                text("remedy")
            );
            by_topic.entry(text("topic")).or_default().push_str(&told);
        }
        (ran.code, by_topic, report["sources"][0].clone())
    }
}

/// Asserts what is said of a topic.
fn says(findings: &BTreeMap<String, String>, topic: &str, parts: &[&str]) {
    let told = findings.get(topic).map_or("", String::as_str);
    for part in parts {
        assert!(told.contains(part), "{topic} lacks {part:?}: {findings:#?}");
    }
}

#[test]
fn files_are_checked() {
    let place = Checked::new();
    let rows = format!(
        "id,name,at,n,text\n1,{CANARY},2024-05-01T10:00:00Z,5,x\n2,{CANARY},2025-01-02,7,y\n3,b,,,\n"
    );
    fs::write(place.path("a.csv"), rows).unwrap();
    let source = |more: &str, fields: &str| {
        format!(
            "uri = \"a.csv\"\nkey = \"id\"\n{more}\n[source.fields]\nsurname = \"name\"\n{fields}"
        )
    };
    let (code, told, report) = place.findings(&source("updated = \"at\"", ""));
    assert_eq!(code, Some(0), "{told:#?}");
    says(&told, "files", &["fine: 1 file of CSV"]);
    says(&told, "rows", &["fine: 3 records"]);
    says(&told, "key", &["fine: every record has one of its own"]);
    says(
        &told,
        "updated",
        &["fine: the newest is 2025-01-02T00:00:00Z"],
    );
    says(
        &told,
        "fetch",
        &["fine: by a search at first, and by remembered places"],
    );
    says(&told, "parts", &["one part"]);
    assert_eq!(report["newest"], "2025-01-02T00:00:00Z");
    assert_eq!(report["records"], 3);

    // Columns that are missing, and those that they may be.
    let (code, told, _) = place.findings(&source("", "city = \"naem\"\ndob = \"nothing\""));
    assert_eq!(code, Some(1));
    says(
        &told,
        "columns",
        &[
            "missing: there is no column \"naem\"; did you mean \"name\"",
            "\"nothing\"",
        ],
    );
    let (code, told, _) = place.findings(&source("", "").replace("\"id\"", "\"idd\""));
    assert_eq!(code, Some(1));
    says(
        &told,
        "key",
        &["missing: there is no column \"idd\"; did you mean \"id\""],
    );

    // What says no time.
    let (code, told, _) = place.findings(&source("updated = \"text\"", ""));
    assert_eq!(code, Some(1));
    says(
        &told,
        "updated",
        &["do not read as times", "to_timestamp(text, "],
    );
    let (code, told, _) = place.findings(&source("updated = \"cast(n as bigint)\"", ""));
    assert_eq!(code, Some(0), "{told:#?}");
    says(
        &told,
        "updated",
        &["advice", "the newest is 7", "to_timestamp_seconds"],
    );
    let of_another_type = source("updated = \"id = '1'\"", "");
    let (code, told, _) = place.findings(&of_another_type);
    assert_eq!(code, Some(1));
    says(
        &told,
        "updated",
        &["missing: `updated` \"id = '1'\" is true or false, which says no time"],
    );
    // It is an error of a rebuild, too.
    let ran = sameas(&place.path("sameas.toml"), &["plan"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("says no time"), "{}", ran.stderr);

    // Keys that are missing or repeated, and files that are not read.
    fs::write(place.path("a.csv"), "id,name\n1,a\n1,b\n,c\n").unwrap();
    let (code, told, _) = place.findings(&source("", ""));
    assert_eq!(code, Some(1));
    says(
        &told,
        "key",
        &[
            "1 records have no key",
            "1 records repeat a key",
            "duplicate_keys",
        ],
    );
    let (_, told, _) = place.findings(&source(
        "where = \"id is not null\"\nduplicate_keys = \"merge\"",
        "",
    ));
    says(&told, "key", &["advice: 1 records repeat a key"]);
    let (code, told, _) = place.findings(&source("", "").replace("a.csv", "none.csv"));
    assert_eq!(code, Some(1));
    says(
        &told,
        "opening",
        &["missing: there is no file at", "none.csv"],
    );
    fs::write(place.path("a.csv"), format!("id,name\n1,\"{CANARY}")).unwrap();
    let (code, told, _) = place.findings(&source("", ""));
    assert_eq!(code, Some(1), "{told:#?}");

    let ran = place.check(&source("", ""), &["nobody"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr
            .contains("no source \"nobody\"; sources are shop"),
        "{}",
        ran.stderr
    );
}

#[test]
fn postgres_is_checked_and_told_the_statements_that_mend_it() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    postgres.sql(&format!(
        "CREATE TABLE people (id text NOT NULL, last text, born date, at timestamptz, secret text);
         INSERT INTO people SELECT 'k' || i, '{CANARY}', '1980-01-01', \
             timestamptz '2024-01-01 00:00:00+00' + i * interval '1 hour', 'x' FROM generate_series(1, 100) i;
         CREATE ROLE owner LOGIN; ALTER TABLE people OWNER TO owner;
         CREATE ROLE reader LOGIN; CREATE ROLE part LOGIN; CREATE ROLE nobody LOGIN;
         GRANT SELECT ON people TO reader; GRANT SELECT (id, at) ON people TO part;
         CREATE SCHEMA hidden; CREATE TABLE hidden.people AS SELECT * FROM people;
         CREATE VIEW v AS SELECT * FROM people; GRANT SELECT ON v TO reader"
    ));
    let place = Checked::new();
    let source = |user: &str, table: &str| {
        format!(
            "uri = \"{}\"\ntable = \"{table}\"\nkey = \"id\"\nupdated = \"at\"\n\
             [source.fields]\nsurname = \"last\"\ndob = \"born\"",
            postgres.uri(user)
        )
    };
    let (code, told, report) = place.findings(&source("reader", "public.people"));
    assert_eq!(code, Some(0), "{told:#?}");
    let index = "CREATE UNIQUE INDEX CONCURRENTLY ON public.people (id);";
    says(&told, "fetch", &["advice: by a search", index]);
    says(&told, "snapshot", &["fine: yes", "locked against TRUNCATE"]);
    says(&told, "parts", &["one part", "the table is small"]);
    says(
        &told,
        "privileges",
        &["fine: reader may read what is mapped and write nothing"],
    );
    says(&told, "encryption", &["none, within this machine"]);
    says(&told, "rows", &["fine: 100 records"]);
    assert_eq!(report["newest"], "2024-01-05T04:00:00Z");

    // What is proposed does what it says.
    postgres.sql(index);
    let (_, told, _) = place.findings(&source("reader", "public.people"));
    says(
        &told,
        "fetch",
        &["fine: by bound keys and the unique index on id"],
    );
    let (_, told, _) = place.findings(&source("reader", "v"));
    says(&told, "fetch", &["fine: by bound keys", "a view"]);
    says(&told, "parts", &["a view is read as a whole"]);

    let (code, told, _) = place.findings(&source("owner", "people"));
    assert_eq!(code, Some(0));
    says(
        &told,
        "privileges",
        &[
            "advice: owner may also write",
            "CREATE ROLE sameas_reader LOGIN;",
            "GRANT CONNECT ON DATABASE crm TO sameas_reader;\nGRANT USAGE ON SCHEMA public TO sameas_reader;\n\
         GRANT SELECT ON public.people TO sameas_reader;",
        ],
    );

    let (code, told, _) = place.findings(&source("part", "people"));
    assert_eq!(code, Some(1));
    let grant = "GRANT SELECT (last, born) ON public.people TO part;";
    let order = "GRANT SELECT (born, last) ON public.people TO part;";
    let told_grant = &told["privileges"];
    assert!(
        told_grant.contains(grant) || told_grant.contains(order),
        "{told:#?}"
    );
    postgres.sql(grant);
    let (code, told, _) = place.findings(&source("part", "people"));
    assert_eq!(code, Some(0), "{told:#?}");
    says(
        &told,
        "snapshot",
        &["cannot be locked", "GRANT SELECT ON public.people TO part;"],
    );

    let (code, told, _) = place.findings(&source("nobody", "hidden.people"));
    assert_eq!(code, Some(1));
    says(
        &told,
        "opening",
        &[
            "missing",
            "GRANT USAGE ON SCHEMA hidden TO nobody;",
            "GRANT SELECT ON \"hidden\".\"people\" TO nobody;",
        ],
    );
    postgres.sql(
        "GRANT USAGE ON SCHEMA hidden TO nobody; GRANT SELECT ON \"hidden\".\"people\" TO nobody;",
    );
    let (code, told, _) = place.findings(&source("nobody", "hidden.people"));
    assert_eq!(code, Some(0), "{told:#?}");
    let (_, told, _) = place.findings(&source("postgres", "people"));
    says(&told, "privileges", &["postgres is a superuser"]);
    let (code, told, _) = place.findings(&source("reader", "nothing"));
    assert_eq!(code, Some(1));
    says(&told, "opening", &["there is no table or view nothing"]);
}

#[test]
fn databases_with_a_driver_are_checked() {
    let (Some(sqlite_driver), Some(duckdb_driver)) = (driver("sqlite"), driver("duckdb")) else {
        return;
    };
    let place = Checked::new();
    sqlite(
        &place.path("s.db"),
        &format!(
            "CREATE TABLE t (id TEXT, name TEXT, at INTEGER); INSERT INTO t VALUES ('1', '{CANARY}', 5), ('2', 'b', 9);"
        ),
    );
    let source = |library: &Path, uri: &str| {
        format!(
            "driver = \"{}\"\nuri = \"{uri}\"\ntable = \"t\"\nkey = \"id\"\nupdated = \"at\"\n\
             [source.fields]\nsurname = \"name\"",
            library.display()
        )
    };
    let of_sqlite = source(&sqlite_driver, "s.db");
    let (code, told, _) = place.findings(&of_sqlite);
    assert_eq!(code, Some(0), "{told:#?}");
    says(&told, "driver", &["fine", sqlite_driver.to_str().unwrap()]);
    let index = "CREATE INDEX sameas_key ON \"t\" (\"id\");";
    says(
        &told,
        "fetch",
        &["advice: by keys as parameters, but without an index", index],
    );
    says(&told, "privileges", &["opened for reading only"]);
    says(
        &told,
        "updated",
        &["advice", "the newest is 9", "to_timestamp_seconds(at)"],
    );
    sqlite(&place.path("s.db"), index);
    let (_, told, _) = place.findings(&of_sqlite);
    says(
        &told,
        "fetch",
        &["fine: by keys as parameters and an index"],
    );

    let make = "CREATE TABLE t AS SELECT i::VARCHAR AS id, 'n' AS name, TIMESTAMP '2024-01-01' AS at FROM range(9) r(i)";
    duckdb(&duckdb_driver, &place.path("d.duckdb"), make);
    let (code, told, _) = place.findings(&source(&duckdb_driver, "d.duckdb"));
    assert_eq!(code, Some(0), "{told:#?}");
    says(&told, "fetch", &["fine: by keys as parameters"]);
    says(
        &told,
        "updated",
        &["fine: the newest is 2024-01-01T00:00:00Z"],
    );

    let missing = source(Path::new("adbc_driver_no_sqlite"), "s.db");
    let (code, told, _) = place.findings(&missing);
    assert_eq!(code, Some(1));
    says(
        &told,
        "opening",
        &[
            "missing",
            "adbc_driver_no_sqlite.toml",
            "> pip install adbc-driver-sqlite",
        ],
    );
    let ran = place.check(&missing, &[]);
    assert!(
        ran.stdout.contains("> pip install adbc-driver-sqlite"),
        "{}",
        ran.stdout
    );
}

/// Draws a condition of the kinds that are computed at the server.
fn condition(draw: &mut Draw, depth: usize) -> String {
    let pick = |draw: &mut Draw, from: &[&str]| (*draw.pick(from)).to_owned();
    if depth > 0 && draw.below(3) > 0 {
        let left = condition(draw, depth - 1);
        return match draw.below(3) {
            0 => format!("not ({left})"),
            1 => format!("({left} and {})", condition(draw, depth - 1)),
            _ => format!("({left} or {})", condition(draw, depth - 1)),
        };
    }
    let texts = [
        "'a'",
        "'A'",
        "''",
        "'a''b'",
        "'100%'",
        r"'back\slash'",
        "'é'",
        "'a '",
    ];
    let days = [
        "'2000-01-01'",
        "'1999-12-31'",
        "DATE '2000-02-29'",
        "'0001-01-01'",
    ];
    let stamps = ["'2000-01-01T00:00:00'", "'2000-01-02T12:30:00'"];
    let moments = ["'2000-01-01T00:00:00Z'", "'2000-01-02T12:30:00Z'"];
    let numbers = [
        "0",
        "1",
        "-1",
        "2",
        "32767",
        "2147483648",
        "-9223372036854775807",
    ];
    let (column, values, is_ordered) = match draw.below(8) {
        0 => ("n2", &numbers[..], true),
        1 => ("n8", &numbers[..], true),
        2 => ("word", &texts[..], false),
        3 => ("day", &days[..], true),
        4 => ("stamp", &stamps[..], true),
        5 => ("moment", &moments[..], true),
        6 => {
            return pick(
                draw,
                &[
                    "ok",
                    "ok = true",
                    "ok <> true",
                    "ok is null",
                    "ok is not null",
                ],
            );
        }
        _ => {
            return pick(
                draw,
                &[
                    "n2 is null",
                    "word is not null",
                    "word is null",
                    "n8 is not null",
                ],
            );
        }
    };
    let (one, other) = (pick(draw, values), pick(draw, values));
    let not = pick(draw, &["", "not "]);
    match draw.below(if is_ordered { 5 } else { 2 }) {
        0 => format!("{column} {} {one}", pick(draw, &["=", "<>"])),
        1 => format!("{column} {not}in ({one}, {other})"),
        2 => format!("{column} {not}between {one} and {other}"),
        3 => format!("{one} {} {column}", pick(draw, &["<", "<=", ">", ">="])),
        _ => format!("{column} {} {one}", pick(draw, &["<", "<=", ">", ">="])),
    }
}

/// A condition that the server computes leaves the rows that it leaves when it is computed here: a
/// function around it keeps it here.
#[test]
fn conditions_mean_the_same_at_the_server() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    postgres.sql(
        "CREATE COLLATION fold (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         CREATE TABLE t AS SELECT row_number() OVER ()::text AS id, n::int2 AS n2, n::int8 * 1000000 AS n8,
             word COLLATE fold AS word, day, day::timestamp + interval '12:30' * n AS stamp,
             day::timestamptz + interval '12:30' * n AS moment, ok
         FROM (VALUES (0), (1), (-1), (2), (NULL)) a(n),
             (VALUES ('a'), ('A'), (''), ('a''b'), ('100%'), ('back\\slash'), ('é'), ('a '), (NULL)) b(word),
             (VALUES (date '2000-01-01'), ('1999-12-31'), ('2000-02-29'), ('infinity'), ('-infinity'),
                 ('0044-03-15 BC'), ('12000-01-01'), (NULL)) c(day),
             (VALUES (true), (false), (NULL)) d(ok)",
    );
    let settings = json!({
        "name": "crm", "uri": postgres.uri("postgres"), "table": "t", "key": "id", "fields": {},
    });
    let settings: SourceSettings = serde_json::from_value(settings).unwrap();
    let runtime = Runtime::new().unwrap();
    let mut draw = Draw::new(17);
    let mut kept = 0;
    runtime.block_on(async {
        let source = Source::open(&settings, Path::new("")).await.unwrap();
        for _ in 0..150 {
            let condition = condition(&mut draw, 3);
            let mut found = Vec::new();
            for filter in [condition.clone(), format!("coalesce({condition}, false)")] {
                let request = ScanRequest {
                    key: "id".to_owned(),
                    columns: Vec::new(),
                    filter: Some(filter),
                };
                let mut batches = Vec::new();
                for mut stream in source.scan(&request, 1).await.unwrap() {
                    while let Some(batch) = stream.next().await {
                        batches.push(batch.unwrap());
                    }
                }
                found.push(texts(&batches));
            }
            assert!(
                found[0] == found[1],
                "{condition}: {} and {}",
                found[0].len(),
                found[1].len()
            );
            kept += usize::from(!found[0].is_empty());
        }
    });
    assert!(kept > 100, "only {kept} conditions hold for some row");
}
