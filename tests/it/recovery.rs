//! The way back from a current revision that is damaged or lost.

use std::fs;
use std::path::{Path, PathBuf};

use sameas_tests::{Layout, Ran, Systems, files_below, sameas};
use serde_json::Value;
use tempfile::TempDir;

/// A graph that was rebuilt three times; the third time with a person more.
struct Graph {
    folder: TempDir,
    settings: PathBuf,
}

impl Graph {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Systems::new(40, 9).write(folder.path(), &Layout::default());
        let graph = Self { folder, settings };
        graph.rebuild();
        graph.rebuild();
        Systems::new(41, 9).write(graph.folder.path(), &Layout::default());
        graph.rebuild();
        graph
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("graph").join(name)
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        sameas(&self.settings, arguments)
    }

    fn rebuild(&self) -> Value {
        let ran = self.run(&["rebuild", "--quiet", "--format", "json"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        serde_json::from_str(&ran.stdout).unwrap()
    }

    fn map(&self) -> String {
        let ran = self.run(&["export"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stdout
    }

    /// Each of these cannot run, and says how to go on.
    fn expect_refused(&self, says: &[&str]) {
        let before = files_below(&self.path(""));
        for arguments in [
            &["rebuild", "--quiet"][..],
            &["serve", "--listen", "127.0.0.1:0"],
        ] {
            let ran = self.run(arguments);
            assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
            let known = ["`sameas verify`", "`sameas verify --go-back REVISION`"];
            for words in known.iter().chain(says) {
                assert!(
                    ran.stderr.contains(words),
                    "{arguments:?}: no {words}: {}",
                    ran.stderr
                );
            }
        }
        assert!(
            files_below(&self.path("")) == before,
            "a refusal changed the graph"
        );
    }

    /// Takes the way that `verify` shows and returns what the next rebuild reports.
    fn recover(&self, revision: u64) -> Value {
        let ran = self.run(&["verify", "--format", "json"]);
        let told: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(
            (ran.code, &told["whole"]),
            (Some(1), &false.into()),
            "{ran:?}"
        );
        assert_eq!(told["remedy"]["go_back"], revision, "{ran:?}");
        let command = told["remedy"]["command"].as_str().unwrap();
        let expected = format!(
            "sameas verify --go-back {revision} --config {}",
            self.settings.display()
        );
        assert_eq!(command, expected);
        let text = self.run(&["verify"]).stdout;
        assert!(text.contains(command), "{text}");
        let number = revision.to_string();
        let back = self.run(&["verify", "--go-back", &number]);
        assert_eq!(back.code, Some(0), "{back:?}");
        let names = files_below(&self.path("snapshots"));
        assert!(
            names.contains_key(Path::new("0001.sameas")),
            "{:?}",
            names.keys()
        );
        self.rebuild()
    }
}

/// Returns the unified ids of a map, by reference.
fn ids(map: &str) -> Vec<(String, String)> {
    let lines = map.lines().skip(1);
    let row = |line: &str| {
        let mut columns = line.split(',').map(str::to_owned);
        let mut next = || columns.next().unwrap();
        (format!("{} {}", next(), next()), next())
    };
    lines.map(row).collect()
}

/// A rebuild has to read the revision it follows, so a damaged one could not be repaired by the
/// rebuild that every message advised, and nothing made an older one current.
#[test]
fn a_damaged_current_revision_is_left_by_going_back() {
    let graph = Graph::new();
    let newest = graph.path("snapshots/0003.sameas");
    let mut bytes = fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(&newest).unwrap();
    fs::write(&newest, bytes).unwrap();
    graph.expect_refused(&[]);
    let told = graph.run(&["rebuild", "--quiet"]).stderr;
    for words in [newest.to_str().unwrap(), "revision 3"] {
        assert!(told.contains(words), "no {words}: {told}");
    }
    for (unfit, why) in [("3", "not sound"), ("9", "there is no revision 9")] {
        let ran = graph.run(&["verify", "--go-back", unfit]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
    }

    let report = graph.recover(2);
    assert_eq!(
        report["revision"], 4,
        "3 was published and is not used again"
    );
    let map = graph.map();
    let kept = ids(&map);
    // Ids that revision 4 issued would be gone, so that has to be asked for.
    let back = graph.run(&["verify", "--go-back", "2"]);
    assert_eq!(back.code, Some(2), "{back:?}");
    assert!(back.stderr.contains("revision 4 is whole"), "{back:?}");
    let back = graph.run(&["verify", "--go-back", "2", "--forget-newer"]);
    assert_eq!(back.code, Some(0), "{back:?}");
    for row in ids(&graph.map()) {
        assert!(kept.contains(&row), "{row:?} has lost its id");
    }
    assert_eq!(graph.rebuild()["revision"], 5);
    assert_eq!(graph.run(&["verify"]).code, Some(0));
}

/// Without `current` a graph of three revisions was taken for one that never published.
#[test]
fn a_lost_current_is_not_taken_for_a_new_graph() {
    let graph = Graph::new();
    let before = ids(&graph.map());
    fs::remove_file(graph.path("current")).unwrap();
    graph.expect_refused(&["`current` is missing"]);
    let report = graph.recover(3);
    assert_eq!(
        (&report["revision"], &report["ids_issued"]),
        (&4.into(), &0.into())
    );
    assert_eq!(ids(&graph.map()), before);
}

/// The weakest evidence of crowded records is dropped, which no figure told.
#[test]
fn a_rebuild_tells_what_evidence_it_keeps() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..40)
        .map(|key| format!("{key},quinn.berg@nordpost.net\n"))
        .collect();
    fs::write(folder.path().join("crm.csv"), format!("id,mail\n{rows}")).unwrap();
    let settings = folder.path().join("sameas.toml");
    let text = "[[source]]\nname = \"crm\"\nuri = \"crm.csv\"\nkey = \"id\"\n[source.fields]\n\
        email = \"mail\"\n[[block]]\non = [\"email\"]\n[[compare]]\nfield = \"email\"\n\
        [[rule]]\nname = \"same address\"\nwhen = \"email: exact\"\n";
    fs::write(&settings, text).unwrap();
    let ran = sameas(&settings, &["rebuild", "--quiet", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let count = |name: &str| report[name].as_u64().unwrap();
    assert_eq!(count("links"), 40 * 39 / 2);
    assert!(
        (39..count("links")).contains(&count("links_kept")),
        "{report}"
    );
    let verified = sameas(&settings, &["verify", "--format", "json"]);
    let verified: Value = serde_json::from_str(&verified.stdout).unwrap();
    let kept = count("links_kept") + count("review_kept") + count("quarantined_kept");
    assert_eq!(verified["revisions"][0]["edges"], kept);
}
