//! What goes wrong: servers that end, connections that break, writers, and what is told of it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::*;

/// Stands between a client and the server, and cuts all connections when the server has sent so many
/// bytes.
struct Cutter {
    port: u16,
    left: Arc<AtomicUsize>,
    passed: Arc<AtomicUsize>,
}

impl Cutter {
    fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let passed = Arc::new(AtomicUsize::new(0));
        let counts = (Arc::clone(&left), Arc::clone(&passed));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else {
                    continue;
                };
                let counts = counts.clone();
                thread::spawn(move || pass(client, server, counts));
            }
        });
        Self { port, left, passed }
    }

    /// Lets so many bytes through from now on.
    fn allow(&self, bytes: usize) {
        self.passed.store(0, Ordering::SeqCst);
        self.left.store(bytes, Ordering::SeqCst);
    }
}

fn pass(client: TcpStream, server: TcpStream, counts: (Arc<AtomicUsize>, Arc<AtomicUsize>)) {
    let (mut asking, mut asked) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let questions = thread::spawn(move || {
        let _ = std::io::copy(&mut asking, &mut asked);
        let _ = asked.shutdown(Shutdown::Both);
    });
    let (mut client, mut server, mut buffer) = (client, server, [0; 512]);
    while let Ok(count @ 1..) = server.read(&mut buffer) {
        let left = counts.0.load(Ordering::SeqCst);
        let allowed = count.min(left);
        counts.0.store(left - allowed, Ordering::SeqCst);
        counts.1.fetch_add(allowed, Ordering::SeqCst);
        if client.write_all(&buffer[..allowed]).is_err() || allowed < count {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
    questions.join().unwrap();
}

#[test]
fn a_broken_scan_publishes_nothing_and_deletes_nothing() {
    let Some(mut mariadb) = MariaDb::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (_, tables) = settings_over(&mariadb, &Systems::new(120, 5), folder.path());
    must(&sameas(&tables, &["rebuild", "--quiet"]));
    let before = sameas(&tables, &["export"]).stdout;
    let text = fs::read_to_string(&tables).unwrap();
    let current = folder.path().join("graph/current");
    let cutter = Cutter::before(mariadb.port());
    let through = folder.path().join("through.toml");
    let port = mariadb.port().to_string();
    fs::write(&through, text.replace(&port, &cutter.port.to_string())).unwrap();
    must(&sameas(&through, &["rebuild", "--quiet"]));
    let all = cutter.passed.load(Ordering::SeqCst);
    let pointed = fs::read(&current).unwrap();
    let mut draw = Draw::new(78);
    for number in 0..BREAK_COUNT {
        let ran = if number % 20 == 0 {
            // The whole server goes while the scan waits in it.
            mariadb.sql(
                "CREATE OR REPLACE VIEW waiting AS SELECT * FROM customers \
                 WHERE IF(id = (SELECT MAX(id) FROM customers), SLEEP(30), 0) = 0",
            );
            let waiting = folder.path().join("waiting.toml");
            fs::write(&waiting, text.replace("\"customers\"", "\"waiting\"")).unwrap();
            let running = thread::spawn(move || sameas(&waiting, &["rebuild", "--quiet"]));
            let sleeping = "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
                            WHERE STATE = 'User sleep'";
            wait_until(|| mariadb.sql(sleeping).trim() == "1");
            mariadb.stop();
            let ran = running.join().unwrap();
            mariadb.resume();
            ran
        } else {
            cutter.allow(draw.below(all));
            sameas(&through, &["rebuild", "--quiet"])
        };
        assert_eq!(ran.code, Some(2), "break {number}: {}", ran.stderr);
        assert!(ran.stderr.contains("source `crm`"), "{}", ran.stderr);
        assert_eq!(fs::read(&current).unwrap(), pointed);
    }
    assert_eq!(sameas(&tables, &["export"]).stdout, before);
    cutter.allow(usize::MAX);
    must(&sameas(&through, &["rebuild", "--quiet"]));
    assert_eq!(sameas(&tables, &["export"]).stdout, before);
}

fn wait_until(mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(
            began.elapsed() < Duration::from_secs(15),
            "it does not come about"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// Every statement writes its number into all rows and moves their keys, so that a scan without
/// a moment of its own meets some twice.
fn beside_a_writer(mariadb: &MariaDb, engine: &str, writes: &str, scan_count: u64) {
    mariadb.sql(&format!(
        "DROP TABLE IF EXISTS moving; \
         CREATE TABLE moving (id int PRIMARY KEY, a int, filler varchar(500)) ENGINE = {engine}; \
         INSERT INTO moving SELECT seq * 2, 0, repeat('x', 500) FROM seq_1_to_3000",
    ));
    let has_ended = AtomicBool::new(false);
    let runtime = runtime();
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut count = 0_u32;
            while !has_ended.load(Ordering::Relaxed) {
                count += 1;
                mariadb.sql(&writes.replace("{n}", &count.to_string()));
            }
            count
        });
        // Also if a scan fails, or the writer would go on for ever.
        let ending = Ending(&has_ended);
        let settings = settings_of(mariadb, "moving", "id");
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..scan_count {
            let rows = runtime.block_on(async {
                let source = Source::open(&settings, Path::new("")).await.unwrap();
                try_read(&source, &request("id", &["a"])).await.unwrap()
            });
            assert_eq!(rows.len(), 3_000, "{engine}");
            let cells = rows.iter().map(|row| row.split_once('|').unwrap());
            let (mut keys, mut writes): (Vec<&str>, Vec<&str>) = cells.unzip();
            writes.dedup();
            assert_eq!(writes.len(), 1, "{engine}: all of it is of one moment");
            seen.insert(writes[0].to_owned());
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), 3_000, "{engine}: a doubled record");
        }
        drop(ending);
        let count = writer.join().unwrap();
        assert!(
            count > 3 && seen.len() > 3,
            "{engine}: {count} writes, {} seen",
            seen.len()
        );
    });
}

#[test]
fn a_writer_beside_a_scan_never_tears_or_doubles_a_record() {
    let Some(mariadb) = MariaDb::start() else {
        return;
    };
    // Some replace the whole table, as exports do.
    let transactions = "START TRANSACTION; UPDATE moving SET a = {n}, id = id + 1 ORDER BY id DESC; \
         DELETE FROM moving WHERE id % 7 = 1; UPDATE moving SET id = id - 1 ORDER BY id; \
         INSERT INTO moving SELECT s.seq * 2, {n}, repeat('y', 500) FROM seq_1_to_3000 s \
         LEFT JOIN moving m ON m.id = s.seq * 2 WHERE m.id IS NULL; COMMIT; \
         DROP TABLE IF EXISTS fresh, old; CREATE TABLE fresh LIKE moving; \
         INSERT INTO fresh SELECT * FROM moving; RENAME TABLE moving TO old, fresh TO moving";
    beside_a_writer(&mariadb, "InnoDB", transactions, SCAN_COUNT);
    let statements = "UPDATE moving SET a = {n}, id = id + 1 ORDER BY id DESC; \
         UPDATE moving SET id = id - 1 ORDER BY id";
    for engine in ["MyISAM", "Aria"] {
        beside_a_writer(&mariadb, engine, statements, SCAN_COUNT / 10);
    }
}

/// Tells the writer to stop when it is dropped.
struct Ending<'e>(&'e AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_table_is_held_while_it_is_read_and_checked_before() {
    let Some(mariadb) = MariaDb::start() else {
        return;
    };
    mariadb.sql(
        "CREATE TABLE held (id int PRIMARY KEY, t varchar(200)); \
         INSERT INTO held SELECT seq, repeat('x', 200) FROM seq_1_to_50000",
    );
    let runtime = runtime();
    let settings = settings_of(&mariadb, "held", "id");
    runtime.block_on(async {
        let source = Source::open(&settings, Path::new("")).await.unwrap();
        let asked = request("id", &["t"]);
        // From when a scan begins, though nothing of it was read yet.
        let streams = source.scan(&asked, 1).await.unwrap();
        let truncate = mariadb.session();
        let truncating = thread::spawn(move || truncate("TRUNCATE held"));
        let waits = "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
                     WHERE STATE LIKE 'Waiting for table metadata lock'";
        wait_until(|| mariadb.sql(waits).trim() == "1");
        let mut count = 0;
        for mut stream in streams {
            while let Some(batch) = stream.next().await {
                count += batch.unwrap().num_rows();
            }
        }
        assert_eq!(count, 50_000);
        truncating.join().unwrap();
        assert_eq!(try_read(&source, &asked).await.unwrap().len(), 0);
        // Another definition than the one that was checked is no longer read.
        mariadb.sql("ALTER TABLE held MODIFY t int");
        let said = try_read(&source, &asked).await.unwrap_err();
        assert!(said.contains("the columns of held changed"), "{said}");
        mariadb.sql("ALTER TABLE held DROP COLUMN t");
        let said = try_read(&source, &asked).await.unwrap_err();
        assert!(said.contains("the columns of held changed"), "{said}");
    });
}

#[test]
fn what_is_given_up_ends_at_the_server() {
    let Some(mariadb) = MariaDb::start() else {
        return;
    };
    mariadb.sql(
        "CREATE TABLE a (id int PRIMARY KEY, t varchar(200)); \
         INSERT INTO a SELECT seq, repeat('x', 200) FROM seq_1_to_200000; \
         CREATE VIEW slow AS SELECT id, t FROM a WHERE SLEEP(20) = 0",
    );
    let running = "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
                   WHERE ID <> CONNECTION_ID() AND COMMAND <> 'Daemon' AND COMMAND <> 'Sleep'";
    let runtime = runtime();
    runtime.block_on(async {
        let slow = settings_of(&mariadb, "slow", "id");
        let source = Source::open(&slow, Path::new("")).await.unwrap();
        let asked = request("id", &["t"]);
        let fetching = source.fetch(&asked, &["1"]);
        let fetched = tokio::time::timeout(Duration::from_millis(400), fetching).await;
        assert!(fetched.is_err());
        wait_until_async(|| mariadb.sql(running).trim() == "0").await;
        let reading = try_read(&source, &asked);
        assert!(
            tokio::time::timeout(Duration::from_millis(400), reading)
                .await
                .is_err()
        );
        wait_until_async(|| mariadb.sql(running).trim() == "0").await;
        // A scan that somebody stops reading is not read to its end by anybody else.
        let whole = settings_of(&mariadb, "a", "id");
        let source = Source::open(&whole, Path::new("")).await.unwrap();
        let mut streams = source.scan(&asked, 1).await.unwrap();
        streams[0].next().await.unwrap().unwrap();
        drop(streams);
        wait_until_async(|| mariadb.sql(running).trim() == "0").await;
        let reads = "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS \
                     WHERE VARIABLE_NAME = 'BYTES_SENT'";
        let sent: u64 = mariadb.sql(reads).trim().parse().unwrap();
        assert!(sent < 40_000_000, "{sent} bytes are the whole table");
    });
}

async fn wait_until_async(mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(5), "it goes on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
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
    let Some(mariadb) = MariaDb::start() else {
        return;
    };
    let scanner = Scanner::new(CANARIES.map(|value| (value, None)));
    let folder = tempfile::tempdir().unwrap();
    let (_, tables) = settings_over(&mariadb, &Systems::new(200, 9), folder.path());
    let [surname, street, mail, phone, note, password] = CANARIES;
    mariadb.sql(
        "DELIMITER //\nCREATE FUNCTION telling(t text) RETURNS int BEGIN \
         SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = t; RETURN 1; END //",
    );
    mariadb.sql(&format!(
        "CREATE USER reader IDENTIFIED BY '{password}'; GRANT SELECT ON crm.customers TO reader; \
         ALTER TABLE customers ADD note text; UPDATE customers SET last = '{surname}', \
         street = '{street}', mail = '{mail}', tel = '{phone}', note = '{note}' \
         WHERE id IN ('C-001000', 'C-001007'); \
         CREATE VIEW failing AS SELECT customers.*, telling(last) AS number FROM customers; \
         GRANT SELECT ON crm.failing TO reader; \
         GRANT EXECUTE ON FUNCTION telling TO reader"
    ));
    fs::write(folder.path().join("password"), password).unwrap();
    let text = fs::read_to_string(&tables).unwrap();
    let uri = mariadb.uri("root");
    let reader = mariadb.uri("reader");
    let secret = format!("{reader}\"\npassword = {{ file = \"password\" }}");
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
        let leaks = scanner.scan("stdout", ran.stdout.as_bytes());
        assert!(leaks.is_empty(), "{command:?}");
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
    // The server's own words quote what it could not read.
    let failing = text
        .replace("\"customers\"", "\"failing\"")
        .replacen("\"tel\"", "\"number\"", 1);
    fs::write(&tables, failing).unwrap();
    let failed = said(&["rebuild"], 2);
    assert!(
        failed.stderr.contains("SQLSTATE 45000, error 1644"),
        "{}",
        failed.stderr
    );
    let partial = said(&["profile", "crm", "C-001000"], 0);
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

#[test]
fn what_is_wrong_is_told_with_its_remedy_and_without_secrets() {
    let Some(mariadb) = MariaDb::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (_, tables) = settings_over(&mariadb, &Systems::new(30, 3), folder.path());
    let text = fs::read_to_string(&tables).unwrap();
    mariadb.sql(
        "CREATE USER reader IDENTIFIED BY 'hunter2'; CREATE TABLE other (id int); \
         GRANT SELECT ON crm.other TO reader; \
         CREATE VIEW broken AS SELECT * FROM other; DROP TABLE other",
    );
    fs::write(folder.path().join("wrong"), "canary-password\n").unwrap();
    fs::write(folder.path().join("right"), "hunter2\n").unwrap();
    let (port, root) = (mariadb.port(), mariadb.uri("root"));
    let reader = |password: &str| {
        let uri = mariadb.uri("reader");
        format!("uri = \"{uri}\"\npassword = {password}")
    };
    let old = format!("uri = \"{root}\"");
    let at = |rest: &str| format!("uri = \"mysql://{rest}\"");
    let table = "table = \"customers\"";
    let cases = [
        (
            &*old,
            reader("{ file = \"wrong\" }"),
            "refuses user or password",
        ),
        (
            &*old,
            reader("{ file = \"none\" }"),
            "the file none cannot be read",
        ),
        (
            &*old,
            reader("{ env = \"NO_SUCH\" }"),
            "environment variable NO_SUCH is not set",
        ),
        (
            &*old,
            reader("{ file = \"right\" }"),
            "GRANT SELECT ON customers TO",
        ),
        (
            &*old,
            at(&format!("reader@127.0.0.1:{port}/crm")),
            "asks for a password",
        ),
        (
            &*old,
            at(&format!("u:canary-password@127.0.0.1:{port}/crm")),
            "secret",
        ),
        (&*old, at("root:canary-password:x@@[/crm"), "secret"),
        (&*old, at("root@[canary-password/crm"), "expected mysql://"),
        (&*old, at(&format!("127.0.0.1:{port}/crm")), "names no user"),
        (
            &*old,
            at(&format!("root@127.0.0.1:{port}")),
            "names no database",
        ),
        (
            &*old,
            at(&format!("root@127.0.0.1:{port}/none")),
            "no such database",
        ),
        (&*old, at("root@127.0.0.1:9/crm"), "does not answer"),
        (
            &*old,
            at("root@no-such-host.invalid/crm?sslmode=disable"),
            "does not answer",
        ),
        (
            &*old,
            at(&format!("root@127.0.0.1:{port}/crm?sslmode=require")),
            "no encrypted connection",
        ),
        (
            &*old,
            at(&format!("root@127.0.0.1:{port}/crm?x=canary-password")),
            "of parameters",
        ),
        (
            &*old,
            format!("{old}\ndriver = \"x\""),
            "an address of MySQL, which needs none",
        ),
        (
            &*old,
            format!("uri = [\"{root}\", \"{root}\"]"),
            "source[0].uri: a database has one address",
        ),
        (
            table,
            "table = \"nothing\"".to_owned(),
            "no table or view nothing",
        ),
        (
            table,
            "table = \"nowhere.customers\"".to_owned(),
            "no table or view nowhere.customers",
        ),
        (table, "table = \"a.b.c\"".to_owned(), "no name of a table"),
        (table, "table = \"broken\"".to_owned(), "error 1356"),
        (table, String::new(), "\"table\" is missing"),
        ("last", "lasst".to_owned(), "there is no column"),
    ];
    for (from, to, expected) in cases {
        assert!(text.contains(from), "{from}");
        fs::write(&tables, text.replacen(from, &to, 1)).unwrap();
        let ran = sameas(&tables, &["rebuild"]);
        assert_eq!(ran.code, Some(2), "{to}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{to}: {}", ran.stderr);
        assert!(
            !ran.stderr.contains("canary-password"),
            "{to}: {}",
            ran.stderr
        );
    }
    // Mapped columns are all that a user has to be granted.
    let columns = "id, first, last, born, mail, mail2, tel, street, city, zip";
    mariadb.sql(&format!(
        "ALTER TABLE customers ADD secret text; GRANT SELECT ({columns}) ON customers TO reader"
    ));
    fs::write(
        &tables,
        text.replacen(&old, &reader("{ file = \"right\" }"), 1),
    )
    .unwrap();
    must(&sameas(&tables, &["rebuild", "--quiet"]));
}

/// Answers like a server until a client asks for something, and then asks the client for a file.
fn asks_for_a_file() -> (u16, thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asking = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(3)))
            .unwrap();
        let packet = |number: u8, body: &[u8]| {
            let len = body.len() as u32;
            [&len.to_le_bytes()[..3], &[number], body].concat()
        };
        let hello = [
            b"\x0a5.7.0\0\x01\0\0\0abcdefgh\0\xff\xf7\x2d\x02\0\xff\x81\x15".as_slice(),
            &[0; 10],
            b"abcdefghijkl\0mysql_native_password\0",
        ];
        client.write_all(&packet(0, &hello.concat())).unwrap();
        let mut buffer = [0; 4_096];
        assert!(
            client.read(&mut buffer).unwrap() > 0,
            "an answer to the greeting"
        );
        client.write_all(&packet(2, b"\0\0\0\x02\0\0\0")).unwrap();
        assert!(client.read(&mut buffer).unwrap() > 0, "a query");
        client.write_all(&packet(1, b"\xfb/etc/passwd")).unwrap();
        let mut given = Vec::new();
        let _ = client.read_to_end(&mut given);
        given
    });
    (port, asking)
}

#[test]
fn a_server_that_asks_for_a_file_is_refused() {
    let (port, asking) = asks_for_a_file();
    let settings = serde_json::json!({
        "name": "crm", "uri": format!("mysql://root@127.0.0.1:{port}/crm"), "table": "t",
        "key": "id", "fields": {},
    });
    let settings: SourceSettings = serde_json::from_value(settings).unwrap();
    let opened = runtime().block_on(Source::open(&settings, Path::new("")));
    let said = told(&opened.err().unwrap());
    assert!(
        said.contains("a request for a file of this machine"),
        "{said}"
    );
    let given = asking.join().unwrap();
    assert!(given.is_empty(), "the client sent {} bytes", given.len());
}
