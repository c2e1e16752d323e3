//! A graph over tables of a real PostgreSQL server.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use sameas_tests::{Draw, Layout, Postgres, Ran, Scanner, Systems, as_table, run, sameas};

/// How many rebuilds are broken at some point of their scan.
const BREAK_COUNT: u64 = 200;

/// How many scans run beside a writer.
const SCAN_COUNT: u64 = 1_000;

const TABLE: &str = "CREATE TABLE customers (id text PRIMARY KEY, first text, last text, born date, \
     mail text, mail2 text, tel text, street text, city text, zip text);";

/// Copies the records of the CRM into a table.
fn fill(postgres: &Postgres, folder: &Path) {
    let csv = fs::read_to_string(folder.join("crm/part-0.csv")).unwrap();
    postgres.sql(&format!(
        "{TABLE} SET datestyle = 'ISO, DMY';\n\
         COPY customers FROM STDIN (FORMAT csv, HEADER);\n{csv}\\.\nANALYZE customers;"
    ));
}

/// Writes the systems, with the CRM in a table: the settings over files, and over the table.
pub(crate) fn settings_over(
    postgres: &Postgres,
    systems: &Systems,
    folder: &Path,
) -> (PathBuf, PathBuf) {
    let files = systems.write(folder, &Layout::default());
    fill(postgres, folder);
    let text = as_table(
        &files,
        "crm/*.csv",
        &postgres.uri("postgres"),
        "public.customers",
    );
    let tables = folder.join("tables.toml");
    fs::write(&tables, text).unwrap();
    (files, tables)
}

pub(crate) fn must(ran: &Ran) -> &str {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    &ran.stdout
}

#[test]
fn a_table_gives_the_graph_that_its_file_gives() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (files, tables) = settings_over(&postgres, &Systems::new(400, 11), folder.path());
    must(&sameas(&files, &["rebuild", "--quiet"]));
    let before = sameas(&files, &["export"]);
    // Ids stay if and only if the clusters are the same.
    must(&sameas(&tables, &["rebuild", "--quiet"]));
    let after = sameas(&tables, &["export"]);
    assert_eq!(must(&before), must(&after));
    // A view serves as well, and a changed row changes the graph.
    postgres.sql("CREATE VIEW active AS SELECT * FROM customers WHERE id <> 'C-001000'");
    let view = fs::read_to_string(&tables).unwrap();
    fs::write(&tables, view.replace("public.customers", "active")).unwrap();
    must(&sameas(&tables, &["rebuild", "--quiet"]));
    let gone = sameas(&tables, &["lookup", "crm", "C-001000"]);
    assert_eq!(gone.code, Some(1), "{}", gone.stderr);
    must(&sameas(&tables, &["lookup", "crm", "C-001007"]));
}

#[test]
fn values_of_all_types_are_read() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    postgres.sql(
        "CREATE TYPE colour AS ENUM ('red', 'blue'); CREATE DOMAIN code AS varchar(9);
         CREATE TABLE \"Odd \"\"Names\" (\"Key\" int8, num numeric(20, 4), r real, ok bool, day date,
             at timestamptz, colour colour, code code, names text[], mails varchar(40)[], padded char(8),
             id uuid, doc jsonb, far date, \"ünï\" text, free numeric, big numeric(38, 0));
         INSERT INTO \"Odd \"\"Names\" VALUES
             (9007199254740993, 12.5000, 1.5, true, '1999-02-28', '2020-01-01 12:00+02', 'red', 'X-1',
              ARRAY['Ann','Anna',NULL], '{a@b.example}', 'pad', '6a2f0e7c-43d5-4f53-9d1b-0d8a3b8f5a11',
              '{\"a\": 1}', 'infinity', 'Zoë', 1.50, -12345678901234567890123456789),
             (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{}', NULL, NULL, NULL, NULL, NULL, 'NaN', 0)",
    );
    let folder = tempfile::tempdir().unwrap();
    let rows = read(
        &postgres,
        folder.path(),
        "public.\"Odd \"\"Names\"",
        "Key",
        &[
            "num",
            "r",
            "ok",
            "day",
            "at",
            "colour",
            "code",
            "names",
            "mails",
            "padded",
            "id",
            "doc",
            "far",
            "ünï",
            "\"Key\" + 1",
            "free",
            "big",
            "num > 9.5",
            "big < num",
        ],
    );
    assert_eq!(
        rows,
        [
            "2|||||||||[]||||||3|NaN|0||",
            "9007199254740993|12.5000|1.5|true|1999-02-28|2020-01-01T10:00:00Z|red|X-1|\
             [Ann, Anna, ]|[a@b.example]|pad|6a2f0e7c-43d5-4f53-9d1b-0d8a3b8f5a11|\
             {\"a\": 1}||Zoë|9007199254740994|1.50|-12345678901234567890123456789|true|true",
        ]
    );
}

/// Scans a table in two partitions and prints its rows.
fn read(postgres: &Postgres, base: &Path, table: &str, key: &str, columns: &[&str]) -> Vec<String> {
    use arrow::util::display::{ArrayFormatter, FormatOptions};
    use sameas_source::{ScanRequest, Source};
    use tokio_stream::StreamExt as _;

    let settings = serde_json::json!({
        "name": "crm", "uri": postgres.uri("postgres"), "table": table, "key": key, "fields": {},
    });
    let settings = serde_json::from_value(settings).unwrap();
    let request = ScanRequest {
        key: if key == "Key" {
            "\"Key\"".to_owned()
        } else {
            key.to_owned()
        },
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
        filter: None,
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let source = Source::open(&settings, base).await.unwrap();
        let mut rows = Vec::new();
        for mut stream in source.scan(&request, 2).await.unwrap() {
            while let Some(batch) = stream.next().await {
                let batch = batch.unwrap();
                let options = FormatOptions::default();
                let columns: Vec<_> = batch
                    .columns()
                    .iter()
                    .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
                    .collect();
                rows.extend((0..batch.num_rows()).map(|row| {
                    let cells = columns.iter().map(|column| column.value(row).to_string());
                    cells.collect::<Vec<_>>().join("|")
                }));
            }
        }
        rows.sort();
        rows
    })
}

#[test]
fn a_profile_is_asked_of_the_systems_as_they_are_now() {
    let Some(mut postgres) = Postgres::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (_, tables) = settings_over(&postgres, &Systems::new(400, 11), folder.path());
    let text = fs::read_to_string(&tables).unwrap();
    let more = "\n[profile]\norder = [\"shop\", \"crm\"]\nonly = [\"extra\"]\n[profile.keep]\nemail = \"most_frequent\"\n";
    let text = text.replacen("phone = \"tel\"", "phone = \"tel\"\nextra = \"zip\"", 1);
    fs::write(&tables, text + more).unwrap();
    must(&sameas(&tables, &["rebuild", "--quiet"]));
    let (key, id) = in_all_systems(&tables);
    let profile = |arguments: &[&str]| {
        let mut all = vec!["profile", "--format", "json"];
        all.extend(arguments);
        let ran = sameas(&tables, &all);
        serde_json::from_str::<serde_json::Value>(must(&ran)).unwrap()
    };
    let by_key = profile(&["crm", &key]);
    assert_eq!(by_key, profile(&[&id]));
    assert_eq!(by_key["is_partial"], false);
    let states = |profile: &serde_json::Value| -> Vec<(String, String)> {
        let members = profile["members"].as_array().unwrap().iter();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        members
            .map(|m| (text(&m["source"]), text(&m["state"]["state"])))
            .collect()
    };
    assert!(states(&by_key).iter().all(|(_, state)| state == "read"));

    // What changes at the source is seen at once, and nothing but the fields asked for is told.
    postgres.sql(&format!(
        "UPDATE customers SET city = 'Canaryville' WHERE id = '{key}'"
    ));
    let changed = profile(&["crm", &key, "--fields", "city"]);
    assert_eq!(changed["fields"].as_array().unwrap().len(), 1);
    assert!(
        changed["fields"][0]["values"]
            .to_string()
            .contains("Canaryville")
    );
    // A record that is gone is told as gone.
    postgres.sql(&format!("DELETE FROM customers WHERE id = '{key}'"));
    let gone = profile(&["crm", &key]);
    assert!(states(&gone).contains(&("crm".to_owned(), "gone".to_owned())));
    // A table that is held answers nothing in time; a server that is down nothing at all.
    let holder = thread::spawn({
        let held =
            "BEGIN; LOCK TABLE customers IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(3); COMMIT";
        let psql = postgres.session();
        move || psql(held)
    });
    thread::sleep(Duration::from_millis(500));
    let began = std::time::Instant::now();
    let held = profile(&["crm", &key, "--timeout", "400"]);
    assert!(began.elapsed() < Duration::from_millis(2_500));
    assert_eq!(held["is_partial"], true);
    assert!(held.to_string().contains("no answer within 400 ms"));
    holder.join().unwrap();
    postgres.stop();
    let down = profile(&["crm", &key]);
    assert_eq!(down["is_partial"], true);
    assert!(down.to_string().contains("does not answer"), "{down}");
    let others = states(&down)
        .into_iter()
        .filter(|(source, _)| source != "crm");
    assert!(others.into_iter().all(|(_, state)| state == "read"));

    let misspelt = fs::read_to_string(&tables).unwrap();
    let misspelt = misspelt
        .replace("\"shop\", \"crm\"", "\"shopp\"")
        .replace("email = \"most", "emial = \"most");
    let wrong = folder.path().join("misspelt.toml");
    fs::write(&wrong, misspelt).unwrap();
    let said = sameas(&wrong, &["plan"]).stderr;
    assert!(
        said.contains("did you mean \"shop\"?") && said.contains("did you mean \"email\"?"),
        "{said}"
    );

    let unknown = sameas(&tables, &["profile", "crm", "nobody"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(1), ""));
    let wrong = sameas(&tables, &["profile", "crm", &key, "--fields", "cty"]);
    assert!(
        wrong.stderr.contains("no source has the field \"cty\""),
        "{}",
        wrong.stderr
    );
    // No value came to rest beside the graph.
    for file in sameas_tests::paths_below(&folder.path().join("graph")) {
        let bytes = fs::read(folder.path().join("graph").join(file)).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&bytes).contains("Canaryville"));
    }
}

#[test]
fn a_new_user_gets_from_a_table_and_a_file_to_a_profile() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    Systems::new(600, 21).write(folder.path(), &Layout::default());
    fill(&postgres, folder.path());
    let table = format!("{}#public.customers", postgres.uri("postgres"));
    let (desk, out) = (
        folder.path().join("desk/part-0.ndjson"),
        folder.path().join("new"),
    );
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
    let none = run(&[
        "init",
        "--out",
        texts[0],
        "--force",
        &postgres.uri("postgres"),
    ]);
    assert!(
        none.stderr.contains("`table` is missing"),
        "{}",
        none.stderr
    );
}

/// Values of one record, mapped and not, and the password.
const CANARIES: [&str; 6] = [
    "Canarysurnamexq",
    "77 Canarystreetwz",
    "canary.bird@canarymail.canarytld",
    "+12025550199",
    "Unmappedcanaryvk",
    "canary-password-jq",
];

#[test]
fn no_value_and_no_password_is_left_behind_or_told() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let scanner = Scanner::new(CANARIES.map(|value| (value, None)));
    let folder = tempfile::tempdir().unwrap();
    let (_, tables) = settings_over(&postgres, &Systems::new(200, 9), folder.path());
    let [surname, street, mail, phone, note, password] = CANARIES;
    postgres.sql(&format!(
        "CREATE ROLE reader LOGIN PASSWORD '{password}'; GRANT SELECT ON customers TO reader; \
         ALTER TABLE customers ADD note text; UPDATE customers SET last = '{surname}', \
         street = '{street}', mail = '{mail}', tel = '{phone}', note = '{note}' \
         WHERE id IN ('C-001000', 'C-001007'); \
         CREATE VIEW failing AS SELECT customers.*, last::int AS number FROM customers; \
         GRANT SELECT ON failing TO reader"
    ));
    postgres.require_passwords();
    fs::write(folder.path().join("password"), password).unwrap();
    let text = fs::read_to_string(&tables).unwrap();
    let uri = postgres.uri("postgres");
    let secret = format!(
        "{}\"\npassword = {{ file = \"password\" }}",
        postgres.uri("reader")
    );
    let text = text.replace(&format!("{uri}\""), &secret);
    fs::write(&tables, &text).unwrap();
    let said = |arguments: &[&str], code: i32| {
        let ran = sameas(&tables, &[arguments, &["--log-level", "trace"]].concat());
        assert_eq!(ran.code, Some(code), "{arguments:?}: {}", ran.stderr);
        let leaks = scanner.scan("stderr", ran.stderr.as_bytes());
        assert!(
            leaks.is_empty(),
            "{arguments:?}: {leaks:?} in {}",
            ran.stderr
        );
        ran
    };
    for command in [
        vec!["plan"],
        vec!["rebuild"],
        vec!["export"],
        vec!["lookup", "crm", "C-001000"],
    ] {
        let ran = said(&command, 0);
        assert!(
            scanner.scan("stdout", ran.stdout.as_bytes()).is_empty(),
            "{command:?}"
        );
    }
    // A profile tells values to whoever asked, and to nobody else.
    let profile = said(&["profile", "crm", "C-001000"], 0);
    for value in [surname, street, mail, phone] {
        assert!(
            profile.stdout.contains(value),
            "{value}: {}",
            profile.stdout
        );
    }
    assert!(!profile.stdout.contains(note) && !profile.stdout.contains(password));
    // The server's own words quote the value that cannot be cast.
    let failing = text
        .replace("public.customers", "failing")
        .replacen("\"tel\"", "\"number\"", 1);
    fs::write(&tables, failing).unwrap();
    let failed = said(&["rebuild"], 2);
    assert!(
        failed.stderr.contains("SQLSTATE 22P02"),
        "{}",
        failed.stderr
    );
    let partial = said(&["profile", "crm", "C-001000"], 0);
    assert!(
        partial.stdout.contains("SQLSTATE 22P02"),
        "{}",
        partial.stdout
    );
    let leaks = scanner.scan("stdout", partial.stdout.as_bytes());
    assert!(leaks.is_empty(), "{leaks:?} in {}", partial.stdout);
    let left = sameas_tests::paths_below(folder.path()).into_iter();
    for path in left
        .filter(|path| path.starts_with("graph") || path.extension().is_some_and(|e| e == "json"))
    {
        let leaks = scanner.scan("at rest", &fs::read(folder.path().join(&path)).unwrap());
        assert!(leaks.is_empty(), "{}: {leaks:?}", path.display());
    }
    let planted = scanner.scan("itself", format!("x{surname}y").as_bytes());
    assert!(!planted.is_empty(), "the scanner finds what is planted");
}

/// Finds an entity with records in all systems: its key in the CRM, and its id.
pub(crate) fn in_all_systems(settings: &Path) -> (String, String) {
    let ran = sameas(settings, &["export"]);
    let mut by_id: std::collections::BTreeMap<&str, Vec<(&str, &str)>> = Default::default();
    for line in must(&ran).lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        by_id
            .entry(cells[2])
            .or_default()
            .push((cells[0], cells[1]));
    }
    let (id, members) = by_id
        .into_iter()
        .find(|(_, members)| {
            ["crm", "desk", "shop"]
                .iter()
                .all(|s| members.iter().any(|m| m.0 == *s))
        })
        .unwrap();
    let (_, key) = members.iter().find(|(source, _)| *source == "crm").unwrap();
    ((*key).to_owned(), id.to_owned())
}

#[test]
fn what_is_wrong_is_told_with_its_remedy_and_without_secrets() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (_, tables) = settings_over(&postgres, &Systems::new(30, 3), folder.path());
    let text = fs::read_to_string(&tables).unwrap();
    postgres.sql("CREATE ROLE reader LOGIN PASSWORD 'hunter2'; CREATE TABLE secret (id int)");
    postgres.require_passwords();
    fs::write(folder.path().join("wrong"), "canary-password\n").unwrap();
    fs::write(folder.path().join("right"), "hunter2\n").unwrap();
    let (uri, table) = (postgres.uri("postgres"), "public.customers");
    let port = postgres.port();
    let reader = |password: &str| {
        let uri = postgres.uri("reader");
        format!("uri = \"{uri}\"\npassword = {password}")
    };
    let old = format!("uri = \"{uri}\"");
    let cases = [
        (
            old.clone(),
            reader("{ file = \"wrong\" }"),
            "refuses user or password",
        ),
        (
            old.clone(),
            reader("{ file = \"none\" }"),
            "the file none cannot be read",
        ),
        (
            old.clone(),
            reader("{ env = \"NO_SUCH\" }"),
            "environment variable NO_SUCH is not set",
        ),
        (
            old.clone(),
            reader("{ file = \"right\" }"),
            "USAGE on the schema and SELECT on the table: `sameas source check`",
        ),
        (
            old.clone(),
            format!("uri = \"postgres://reader@127.0.0.1:{port}/crm\""),
            "asks for a password",
        ),
        (
            old.clone(),
            format!("uri = \"postgres://u:canary-password@127.0.0.1:{port}/crm\""),
            "secret",
        ),
        (
            old.clone(),
            format!("uri = \"postgres://postgres@127.0.0.1:{port}/none\""),
            "no such database",
        ),
        (
            old.clone(),
            "uri = \"postgres://postgres@127.0.0.1:9/crm\"".to_owned(),
            "does not answer",
        ),
        (
            old.clone(),
            "uri = \"postgres://postgres:canary-password:x@@[/crm\"".to_owned(),
            "secret",
        ),
        (
            old.clone(),
            format!("uri = \"postgres://postgres@127.0.0.1:{port}/crm?sslmode=require\""),
            "no encrypted connection",
        ),
        (
            table.to_owned(),
            "public.nothing".to_owned(),
            "no table or view public.nothing",
        ),
        (table.to_owned(), "a.b.c".to_owned(), "no name of a table"),
        (
            old.clone(),
            format!("uri = [\"{uri}\", \"{uri}\"]"),
            "source[0].uri: a database has one address",
        ),
        (
            format!("table = \"{table}\"\n"),
            String::new(),
            "\"table\" is missing",
        ),
        ("last".to_owned(), "lasst".to_owned(), "there is no column"),
    ];
    for (from, to, expected) in cases {
        assert!(text.contains(&from), "{from}");
        fs::write(&tables, text.replacen(&from, &to, 1)).unwrap();
        let ran = sameas(&tables, &["rebuild"]);
        assert_eq!(ran.code, Some(2), "{to}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{to}: {}", ran.stderr);
        assert!(
            !ran.stderr.contains("canary-password"),
            "{to}: {}",
            ran.stderr
        );
    }
    postgres.sql("GRANT SELECT ON customers TO reader");
    fs::write(
        &tables,
        text.replacen(&old, &reader("{ file = \"right\" }"), 1),
    )
    .unwrap();
    must(&sameas(&tables, &["rebuild", "--quiet"]));
}

#[test]
fn a_broken_scan_publishes_nothing_and_deletes_nothing() {
    let Some(mut postgres) = Postgres::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (_, tables) = settings_over(&postgres, &Systems::new(300, 5), folder.path());
    must(&sameas(&tables, &["rebuild", "--quiet"]));
    let before = sameas(&tables, &["export"]).stdout;
    let row_count: usize = postgres
        .sql("SELECT count(*) FROM customers")
        .trim()
        .parse()
        .unwrap();
    let mut draw = Draw::new(77);
    let mut broken = 0;
    for number in 0..BREAK_COUNT {
        // Rows that take a while, so that the scan can be met at any of them.
        let at = draw.below(row_count);
        let kill = match number % 20 {
            0 => None,
            _ => Some("pg_terminate_backend(pg_backend_pid())"),
        };
        let fault = kill.unwrap_or("pg_sleep(30)");
        postgres.sql(&format!(
            "DROP VIEW IF EXISTS breaking; CREATE VIEW breaking AS SELECT customers.* FROM customers, \
             LATERAL (SELECT CASE WHEN id = (SELECT id FROM customers ORDER BY ctid OFFSET {at} LIMIT 1) \
             THEN {fault}::text END AS f) x WHERE f IS NULL OR f <> 'x'"
        ));
        let text = fs::read_to_string(&tables)
            .unwrap()
            .replace("public.customers", "breaking");
        let breaking = folder.path().join("breaking.toml");
        fs::write(&breaking, text).unwrap();
        let ran = if kill.is_some() {
            sameas(&breaking, &["rebuild", "--quiet"])
        } else {
            // The whole server goes while the scan waits in it.
            let running = thread::spawn(move || sameas(&breaking, &["rebuild", "--quiet"]));
            thread::sleep(Duration::from_millis(300));
            postgres.stop();
            let ran = running.join().unwrap();
            postgres.resume();
            ran
        };
        if ran.code == Some(2) {
            assert!(ran.stderr.contains("source `crm`"), "{}", ran.stderr);
            broken += 1;
        } else {
            must(&ran);
        }
        assert_eq!(sameas(&tables, &["export"]).stdout, before);
    }
    assert_eq!(broken, BREAK_COUNT, "all scans were broken");
    must(&sameas(&tables, &["rebuild", "--quiet"]));
    assert_eq!(sameas(&tables, &["export"]).stdout, before);
}

#[test]
fn a_writer_beside_a_scan_never_tears_or_doubles_a_record() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    // Every transaction writes its number into all rows, which moves them to other pages, and
    // replaces one of them; some empty the table first, as exports do.
    postgres.sql(
        "CREATE TABLE moving (id int PRIMARY KEY, a int, filler text); \
         INSERT INTO moving SELECT i, 0, repeat('x', 1000) FROM generate_series(1, 4000) i; \
         ANALYZE moving",
    );
    let has_ended = AtomicBool::new(false);
    let folder = tempfile::tempdir().unwrap();
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut writes = 0_u32;
            while !has_ended.load(Ordering::Relaxed) {
                postgres.sql(&format!(
                    "BEGIN; UPDATE moving SET a = {writes}; DELETE FROM moving WHERE id = 5; \
                     INSERT INTO moving SELECT 5, a, filler FROM moving WHERE id = 6; COMMIT; \
                     VACUUM moving; BEGIN; CREATE TEMP TABLE kept AS SELECT * FROM moving; \
                     TRUNCATE moving; INSERT INTO moving SELECT * FROM kept; COMMIT"
                ));
                writes += 1;
            }
            writes
        });
        // Also if a scan fails, or the writer would go on for ever.
        let ending = Ending(&has_ended);
        for _ in 0..SCAN_COUNT {
            let rows = read(&postgres, folder.path(), "moving", "id", &["a"]);
            assert_eq!(rows.len(), 4_000);
            let cells = rows.iter().map(|row| row.split_once('|').unwrap());
            let (mut keys, mut writes): (Vec<&str>, Vec<&str>) = cells.unzip();
            writes.dedup();
            assert_eq!(writes.len(), 1, "all of it is of one moment");
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), 4_000, "a doubled record");
        }
        drop(ending);
        assert!(
            writer.join().unwrap() > 3,
            "the writer wrote beside the scans"
        );
    });
}

/// Tells the writer to stop when it is dropped.
struct Ending<'e>(&'e AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
