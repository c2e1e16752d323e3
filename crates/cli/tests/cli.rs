//! Runs the binary: exit codes, what goes where, and the demo from end to end.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        Self {
            code: output.status.code(),
            stdout,
            stderr,
        }
    }
}

fn sameas(arguments: &[&str]) -> Ran {
    Command::new(env!("CARGO_BIN_EXE_sameas"))
        .args(arguments)
        .output()
        .unwrap()
        .into()
}

fn on(config: &Path, arguments: &[&str]) -> Ran {
    sameas(&[arguments, &["--config", config.to_str().unwrap()]].concat())
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}\n{}", ran.stdout, ran.stderr))
}

/// The demo, run once for all tests: its settings and what it printed.
fn demo() -> &'static (PathBuf, String) {
    static DEMO: OnceLock<(PathBuf, String)> = OnceLock::new();
    DEMO.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("demo");
        let _ = fs::remove_dir_all(&folder);
        let ran = sameas(&["demo", "--once", "--dir", folder.to_str().unwrap()]);
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
        (folder.join("sameas.toml"), ran.stdout)
    })
}

/// One reference of the demo and its unified id, from the exported map.
fn some_row(config: &Path) -> [String; 3] {
    let map = on(config, &["export"]).stdout;
    let mut columns = map.lines().nth(1).unwrap().split(',').map(str::to_owned);
    std::array::from_fn(|_| columns.next().unwrap())
}

#[test]
fn the_demo_shows_every_step() {
    let (_, told) = demo();
    for words in [
        "Four sample systems",
        "revision 1: ",
        "pairwise",
        "Look up over gRPC, at 127.0.0.1:",
        "not found",
        "the same customer, as of revision 1",
        "lookup --config",
    ] {
        assert!(told.contains(words), "{words}\n{told}");
    }
}

#[test]
fn a_lookup_prints_the_id_and_an_unknown_record_is_a_no() {
    let (config, _) = demo();
    let [source, key, id] = some_row(config);
    let found = on(config, &["lookup", &source, &key]);
    assert_eq!((found.code, found.stdout.trim()), (Some(0), id.as_str()));
    let found = json(&on(
        config,
        &["lookup", &source, &key, "--format", "json", "--as-of", "1"],
    ));
    assert_eq!(found["unified_id"], Value::from(id));
    assert_eq!(found["since"], Value::from(1));
    let unknown = on(config, &["lookup", "crm", "C-99999"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(1), ""));
    assert!(
        unknown.stderr.contains("crm has no record C-99999"),
        "{}",
        unknown.stderr
    );
    let unknown = on(config, &["lookup", "crn", "C-1", "--format", "json"]);
    assert_eq!(
        (unknown.code, &json(&unknown)["unified_id"]),
        (Some(1), &Value::Null)
    );
    assert!(
        unknown
            .stderr
            .contains("sources are crm, loyalty, shop, support")
    );
    let future = on(config, &["lookup", &source, &key, "--as-of", "99"]);
    assert_eq!(future.code, Some(2));
}

#[test]
fn an_entity_lists_its_records_and_a_foreign_id_is_a_no() {
    let (config, _) = demo();
    let [source, key, id] = some_row(config);
    let entity = json(&on(config, &["entity", &id, "--format", "json"]));
    assert_eq!(entity["state"], Value::from("active"));
    assert_eq!(entity["history"][0]["event"], Value::from("born"));
    let members = entity["members"].as_array().unwrap();
    let is_listed = |m: &Value| m["source"] == *source && m["key"] == *key;
    assert!(members.iter().any(is_listed));
    let text = on(config, &["entity", &id]);
    assert!(
        text.stdout.contains(&format!("{id} active")),
        "{}",
        text.stdout
    );
    let foreign = on(config, &["entity", "00000000-0000-4000-8000-000000000000"]);
    assert_eq!((foreign.code, foreign.stdout.as_str()), (Some(1), ""));
    assert_eq!(on(config, &["entity", "nonsense"]).code, Some(2));
}

#[test]
fn an_explanation_adds_up() {
    let (config, _) = demo();
    let map = on(config, &["export"]).stdout;
    let rows: Vec<Vec<&str>> = map
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect())
        .collect();
    let pair = |a: &[&str]| rows.iter().find(|b| b[2] == a[2] && b[0] != a[0]);
    let left = rows.iter().find(|a| pair(a).is_some()).unwrap();
    let right = pair(left).unwrap();
    let apart = rows.iter().find(|b| b[2] != left[2]).unwrap();
    let explain = |other: &[&str]| {
        let names = [
            "explain", left[0], left[1], other[0], other[1], "--format", "json",
        ];
        json(&on(config, &names))
    };
    let together = explain(right);
    assert_eq!(together["together"], Value::from(true));
    let edges = together["path"]
        .as_array()
        .unwrap()
        .iter()
        .chain([&together["direct"]]);
    for edge in edges.filter(|edge| !edge.is_null()) {
        let levels = edge["comparisons"].as_array().unwrap().iter();
        let levels: f64 = levels
            .map(|level| level["weight_bits"].as_f64().unwrap())
            .sum();
        let rest = edge["adjustment_bits"].as_f64().unwrap();
        let prior = together["prior_bits"].as_f64().unwrap();
        let weight = edge["weight_bits"].as_f64().unwrap();
        assert!((prior + levels + rest - weight).abs() < 0.02, "{edge}");
    }
    assert_eq!(explain(apart)["together"], Value::from(false));
    assert_eq!(
        on(config, &["explain", "crm", "?", "shop", "?"]).code,
        Some(1)
    );
}

#[test]
fn an_export_goes_where_it_is_sent() {
    let (config, _) = demo();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.csv");
    let ran = on(config, &["export", "--output", path.to_str().unwrap()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""));
    let map = fs::read_to_string(&path).unwrap();
    assert!(map.starts_with("source,key,unified_id,since\n"));
    assert_eq!(map, on(config, &["export"]).stdout);
    let parquet = folder.path().join("map.parquet");
    let ran = on(
        config,
        &[
            "export",
            "--output",
            parquet.to_str().unwrap(),
            "--format",
            "json",
        ],
    );
    assert_eq!(
        json(&ran)["references"],
        Value::from(map.lines().count() - 1)
    );
    assert_eq!(
        on(config, &["export", "--output", "map.xlsx"]).code,
        Some(2)
    );
}

#[test]
fn an_evaluation_prints_all_measures() {
    let (config, _) = demo();
    let truth = config.with_file_name("data").join("truth.csv");
    let ran = on(
        config,
        &[
            "evaluate",
            "--truth",
            truth.to_str().unwrap(),
            "--format",
            "json",
        ],
    );
    let found = json(&ran);
    for measure in ["pairwise", "b_cubed", "exact_cluster"] {
        for figure in ["precision", "recall", "f1"] {
            assert!(
                found[measure][figure].as_f64().unwrap() > 0.7,
                "{measure} {figure}: {found}"
            );
        }
    }
    let missing = on(config, &["evaluate", "--truth", "/nowhere.csv"]);
    assert_eq!(missing.code, Some(2));
    assert!(
        missing.stderr.contains("/nowhere.csv"),
        "{}",
        missing.stderr
    );
}

#[test]
fn a_plan_costs_nothing_and_an_expensive_one_is_a_no() {
    let (config, _) = demo();
    let ran = on(config, &["plan", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(json(&ran)["pairs"].as_u64().unwrap() > 0);
    let dear = config.with_file_name("dear.toml");
    let settings = fs::read_to_string(config).unwrap();
    fs::write(
        &dear,
        format!("{settings}\n[budget]\npairs_per_record_max = 1\n"),
    )
    .unwrap();
    let ran = on(&dear, &["plan"]);
    assert_eq!(ran.code, Some(1), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("exceeds the budget"), "{}", ran.stderr);
}

#[test]
fn a_damaged_revision_does_not_verify() {
    let (config, _) = demo();
    let ran = on(config, &["verify", "--format", "json"]);
    assert_eq!(
        (ran.code, &json(&ran)["whole"]),
        (Some(0), &Value::from(true))
    );
    let copy = tempfile::tempdir().unwrap();
    copy_folder(config.parent().unwrap(), copy.path());
    let files = files_below(&copy.path().join("graph"));
    let snapshot = files
        .iter()
        .max_by_key(|path| fs::metadata(path).unwrap().len())
        .unwrap();
    let mut bytes = fs::read(snapshot).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(snapshot, bytes).unwrap();
    let ran = on(&copy.path().join("sameas.toml"), &["verify"]);
    assert_eq!(ran.code, Some(1), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("damaged"), "{}", ran.stdout);
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn what_cannot_run_says_why_on_stderr_alone() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("sameas.toml");
    let cases = [
        (None, "cannot read the settings file"),
        (
            Some("[grpah]\n"),
            "sameas.toml:1:2: grpah: unknown key \"grpah\"; did you mean \"graph\"?",
        ),
        (Some("[graph"), "sameas.toml:1:"),
    ];
    for (text, expected) in cases {
        if let Some(text) = text {
            fs::write(&config, text).unwrap();
        }
        for command in ["plan", "train", "rebuild", "serve", "verify"] {
            let ran = on(&config, &[command]);
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{command}");
            assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
            assert!(ran.stderr.contains(expected), "{}", ran.stderr);
        }
    }
    assert_eq!(sameas(&["nonsense"]).code, Some(2));
    assert_eq!(sameas(&["--help"]).code, Some(0));
}

#[test]
fn the_readme_shows_settings_that_are_good_and_commands_that_exist() {
    let readme = include_str!("../../../README.md");
    let shown = readme
        .split("```toml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("sameas.toml");
    fs::write(&config, shown).unwrap();
    let ran = on(&config, &["plan"]);
    // The settings pass; the files they name are not there.
    assert!(ran.stderr.contains("no file matches"), "{}", ran.stderr);
    let help = sameas(&["--help"]).stdout;
    let table = readme.split("| command |").nth(1).unwrap();
    let commands = table
        .lines()
        .take_while(|line| line.starts_with('|') || line.starts_with(' '))
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    for command in commands {
        // Of a command with commands of its own the first word is listed.
        let word = command.split(' ').next().unwrap();
        assert!(help.contains(&format!("\n  {word} ")), "{command}");
    }
}

#[test]
fn the_schema_is_json() {
    assert_eq!(
        json(&sameas(&["schema"]))["title"],
        Value::from("sameas settings")
    );
}

#[test]
#[cfg(unix)]
fn a_server_says_where_it_listens_and_ends_when_told() {
    let (config, _) = demo();
    let mut server = Command::new(env!("CARGO_BIN_EXE_sameas"))
        .args([
            "serve",
            "--format",
            "json",
            "--listen",
            "127.0.0.1:0",
            "--config",
        ])
        .arg(config)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = String::new();
    let mut stdout = BufReader::new(server.stdout.take().unwrap());
    while !told.trim_end().ends_with('}') {
        assert_ne!(stdout.read_line(&mut told).unwrap(), 0, "{told}");
    }
    let told: Value = serde_json::from_str(&told).unwrap();
    let address = told["listen"].as_str().unwrap();
    std::net::TcpStream::connect(address).unwrap();
    let taken = on(config, &["serve", "--listen", address]);
    assert_eq!(taken.code, Some(2));
    assert!(
        taken.stderr.contains("another process listens there"),
        "{}",
        taken.stderr
    );
    let id = server.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(server.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    server
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut rest)
        .unwrap();
    assert!(rest.contains("stopping"), "{rest}");
}
