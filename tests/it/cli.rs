//! The contract that scripts rely on: exit codes, what goes where, names in JSON.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use sameas_api::v1::{Reference, StreamLookupRequest};
use sameas_tests::{Layout, Serving, Systems, binary, run, sameas};
use serde_json::Value;
use tempfile::TempDir;

/// The first records of two systems.
const CRM: &str = "C-001000";
const SHOP: &str = "S-001000";
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// A graph of one revision, for tests that only read.
fn graph() -> &'static Path {
    static GRAPH: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let make = || {
        let folder = tempfile::tempdir().unwrap();
        let settings = rebuilt(folder.path());
        (folder, settings)
    };
    &GRAPH.get_or_init(make).1
}

fn rebuilt(folder: &Path) -> PathBuf {
    let settings = Systems::new(80, 9).write(folder, &Layout::default());
    let ran = sameas(&settings, &["rebuild", "--quiet"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    settings
}

fn unified_id() -> String {
    sameas(graph(), &["lookup", "crm", CRM])
        .stdout
        .trim()
        .to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What a command prints on stdout.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Prints {
    Something,
    Nothing,
}

#[test]
fn every_command_ends_as_its_answer_says() {
    use Prints::{Nothing, Something};
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let (csv, parquet, odd) = (place("map.csv"), place("map.parquet"), place("map.xlsx"));
    let page = place("page.html");
    let truth = graph().with_file_name("truth.csv");
    let id = unified_id();
    let cases: &[(&[&str], i32, Prints, &str)] = &[
        (&["plan"], 0, Something, ""),
        (&["lookup", "crm", CRM], 0, Something, ""),
        (
            &["lookup", "crm", "C-9"],
            1,
            Nothing,
            "crm has no record C-9 in revision 1",
        ),
        (
            &["lookup", "crn", CRM],
            1,
            Nothing,
            "sources are crm, desk, shop",
        ),
        (
            &["lookup", "crm", CRM, "--as-of", "2"],
            2,
            Nothing,
            "revision 2 is not one from 1 to 1",
        ),
        (&["lookup", "crm"], 2, Nothing, "Usage"),
        (&["entity", &id], 0, Something, ""),
        (&["entity", NOBODY], 1, Nothing, NOBODY),
        (&["entity", "nobody"], 2, Nothing, "not a unified id"),
        (&["explain", "crm", CRM, "shop", SHOP], 0, Something, ""),
        (
            &["explain", "crm", CRM, "shop", "S-9"],
            1,
            Nothing,
            "shop has no record S-9",
        ),
        (&["export"], 0, Something, "references of revision 1"),
        (&["export", "--output", text(&csv)], 0, Nothing, "map.csv"),
        (
            &["export", "--output", text(&parquet)],
            0,
            Nothing,
            "map.parquet",
        ),
        (&["export", "--output", text(&odd)], 2, Nothing, "map.xlsx"),
        (&["evaluate", "--truth", text(&truth)], 0, Something, ""),
        (&["evaluate", "--truth", text(&odd)], 2, Nothing, "map.xlsx"),
        (&["evaluate"], 0, Something, ""),
        (&["evaluate", "--trace"], 2, Nothing, "--truth"),
        (&["report"], 2, Nothing, "--output"),
        (
            &["report", "--output", text(&page)],
            0,
            Nothing,
            "page.html",
        ),
        (
            &["report", "--output", "/nowhere/page.html"],
            2,
            Nothing,
            "/nowhere/page.html",
        ),
        (&["verify"], 0, Something, ""),
        (&["verify", "--all"], 0, Something, ""),
        (&["serve", "--listen", "nowhere"], 2, Nothing, "nowhere"),
        (
            &["serve", "--listen", "0.0.0.0:0"],
            2,
            Nothing,
            "nothing would be encrypted",
        ),
        (&["rebuild", "--thread", "2"], 2, Nothing, "--threads"),
        (&["rebuild", "--threads", "0"], 2, Nothing, "--threads"),
        (
            &["lookup", "crm", CRM, "--format", "yaml"],
            2,
            Nothing,
            "json",
        ),
        (&["loookup", "crm", CRM], 2, Nothing, "lookup"),
        (&["schema"], 0, Something, ""),
    ];
    for (arguments, code, prints, says) in cases {
        let ran = sameas(graph(), arguments);
        assert_eq!(ran.code, Some(*code), "{arguments:?}: {ran:?}");
        assert_eq!(
            ran.stdout.is_empty(),
            *prints == Nothing,
            "{arguments:?}: {}",
            ran.stdout
        );
        assert!(
            ran.stderr.contains(says),
            "{arguments:?}: no {says:?} in {}",
            ran.stderr
        );
    }
    let map = fs::read_to_string(&csv).unwrap();
    assert!(
        map.starts_with("source,key,unified_id,since\n"),
        "{}",
        &map[..40]
    );
    assert!(map.contains(&format!("crm,{CRM},{id},1\n")));
    assert_eq!(map, sameas(graph(), &["export"]).stdout);
}

/// Lists the names in JSON with their places; items of a list share one place.
fn names(value: &Value, place: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let place = if place.is_empty() {
                    name.clone()
                } else {
                    format!("{place}.{name}")
                };
                found.insert(place.clone());
                names(value, &place, found);
            }
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| names(item, &format!("{place}[]"), found)),
        _ => {}
    }
}

#[test]
fn names_in_json_are_those_that_scripts_know() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Systems::new(80, 9).write(folder.path(), &Layout::default());
    let truth = settings.with_file_name("truth.csv");
    let map = settings.with_file_name("map.csv");
    let mut told = String::new();
    let mut note = |arguments: &[&str]| {
        let ran = sameas(&settings, &[arguments, &["--format", "json"]].concat());
        let value = serde_json::from_str::<Value>(&ran.stdout);
        let value = value.unwrap_or_else(|error| panic!("{arguments:?}: {error}: {ran:?}"));
        let mut found = BTreeSet::new();
        names(&value, "", &mut found);
        told.push_str(&format!("{}\n", arguments[0]));
        found
            .iter()
            .for_each(|name| told.push_str(&format!("    {name}\n")));
        value
    };
    note(&["plan"]);
    note(&["train"]);
    note(&["rebuild"]);
    let id = note(&["lookup", "crm", CRM])["unified_id"]
        .as_str()
        .unwrap()
        .to_owned();
    note(&["entity", &id]);
    note(&["explain", "crm", CRM, "shop", SHOP]);
    note(&["export", "--output", text(&map)]);
    note(&["evaluate", "--truth", text(&truth), "--trace"]);
    note(&["verify"]);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/cli/json_names.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(golden.parent().unwrap()).unwrap();
        fs::write(&golden, &told).unwrap();
    }
    let known = fs::read_to_string(&golden).unwrap();
    let only_in = |one: &str, other: &str| {
        let known: Vec<&str> = other.lines().collect();
        let new = one.lines().filter(|line| !known.contains(line));
        new.map(str::trim).collect::<Vec<_>>().join(", ")
    };
    assert!(
        told == known,
        "{}: new: {}; gone: {} (UPDATE_GOLDEN=1 accepts them)",
        golden.display(),
        only_in(&told, &known),
        only_in(&known, &told)
    );
}

#[test]
fn an_unknown_record_is_null_in_json() {
    let ran = sameas(graph(), &["lookup", "crm", "C-9", "--format", "json"]);
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, &answer["unified_id"]), (Some(1), &Value::Null));
}

#[test]
fn a_second_rebuild_keeps_every_id() {
    let folder = tempfile::tempdir().unwrap();
    let settings = rebuilt(folder.path());
    let before = sameas(&settings, &["export"]).stdout;
    let ran = sameas(
        &settings,
        &["rebuild", "--threads", "1", "--format", "json"],
    );
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (&report["revision"], &report["ids_issued"]),
        (&2.into(), &0.into())
    );
    assert_eq!(
        report["trained"],
        Value::Null,
        "a model that is there is taken"
    );
    assert_eq!(sameas(&settings, &["export"]).stdout, before);
}

#[test]
fn who_reads_only_the_first_line_has_read_enough() {
    let mut child = Command::new(binary())
        .args(["export", "--config"])
        .arg(graph())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::with_capacity(16, child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.starts_with("source,key,unified_id"), "{line}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut told = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut told)
        .unwrap();
    assert!(!told.contains("error"), "{told}");
}

#[test]
fn the_demo_runs_to_its_end_and_leaves_a_graph() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("demo");
    let ran = run(&["demo", "--once", "--dir", text(&place)]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for words in [
        "Four sample systems",
        "revision 1: ",
        "Look up over gRPC",
        "not found",
        "Try next",
    ] {
        assert!(ran.stdout.contains(words), "no {words:?} in {}", ran.stdout);
    }
    let settings = place.join("sameas.toml");
    assert_eq!(sameas(&settings, &["verify"]).code, Some(0));
    // Again over what is there: a new revision, the same ids.
    let again = run(&["demo", "--once", "--dir", text(&place)]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.stdout.contains("revision 2: "), "{}", again.stdout);
    assert!(again.stdout.contains(" kept, 0 issued"), "{}", again.stdout);
}

#[test]
fn a_flipped_byte_anywhere_does_not_verify() {
    const PLACE_COUNT: usize = 24;
    let folder = tempfile::tempdir().unwrap();
    let settings = rebuilt(folder.path());
    let snapshot = folder.path().join("graph/snapshots/0001.sameas");
    let good = fs::read(&snapshot).unwrap();
    for place in (0..PLACE_COUNT).map(|n| n * (good.len() - 1) / (PLACE_COUNT - 1)) {
        let mut bytes = good.clone();
        bytes[place] ^= 0x10;
        fs::write(&snapshot, bytes).unwrap();
        let ran = sameas(&settings, &["verify", "--format", "json"]);
        let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(
            (ran.code, &answer["whole"]),
            (Some(1), &false.into()),
            "byte {place}: {ran:?}"
        );
        assert!(
            answer["revisions"][0]["damage"].is_string(),
            "byte {place}: {}",
            ran.stdout
        );
    }
    fs::write(&snapshot, good).unwrap();
    assert_eq!(sameas(&settings, &["verify"]).code, Some(0));
}

#[test]
fn a_server_that_is_told_to_stop_ends_its_streams_and_exits_with_0() {
    let serving = Serving::start(graph(), &[]);
    let id = unified_id();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (ask, asked) = tokio::sync::mpsc::channel(1);
    let mut answers = runtime.block_on(async {
        let mut client = serving.client().await;
        let reference = Reference {
            source: "crm".to_owned(),
            key: CRM.to_owned(),
        };
        let request = StreamLookupRequest {
            reference: Some(reference),
            ..StreamLookupRequest::default()
        };
        ask.send(request).await.unwrap();
        let asked = tokio_stream::wrappers::ReceiverStream::new(asked);
        let mut answers = client.stream_lookup(asked).await.unwrap().into_inner();
        let answer = answers.message().await.unwrap().unwrap();
        assert!(format!("{answer:?}").contains(&id), "{answer:?}");
        answers
    });
    // The client keeps its side of the stream open; the server must not wait for it.
    let ran = serving.stop();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("stopping"), "{}", ran.stderr);
    let end = runtime.block_on(answers.message()).unwrap_err();
    assert_eq!(end.code(), tonic::Code::Unavailable, "{end}");
    drop(ask);
}
