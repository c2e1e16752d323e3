//! The same records, settings and previous graph give the same bytes (promise P2).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sameas_resolve::Settings;
use sameas_store::GraphFolder;
use sameas_tests::{Layout, Systems, files_below, rebuild, sameas};
use tempfile::TempDir;

/// Everything a rebuild leaves on disk: the graph folder, the model and its key.
type Left = BTreeMap<PathBuf, Vec<u8>>;

/// The same records on disk in one of many ways.
struct Variant {
    name: String,
    threads: usize,
    shuffle: Option<u64>,
    layout: Layout,
}

fn variants() -> Vec<Variant> {
    let shape = |files, batch_rows, order| Layout {
        files,
        batch_rows,
        order,
        ..Layout::default()
    };
    let layouts = [
        (1, None, shape(1, 8_192, [0, 1, 2])),
        (2, None, shape(1, 8_192, [0, 1, 2])),
        (4, None, shape(1, 8_192, [0, 1, 2])),
        (4, Some(1), shape(1, 8_192, [2, 0, 1])),
        (1, Some(2), shape(5, 64, [1, 2, 0])),
        (2, Some(3), shape(3, 37, [2, 1, 0])),
        (4, Some(4), shape(7, 200, [0, 2, 1])),
    ];
    let named = |(threads, shuffle, layout): (usize, Option<u64>, Layout)| Variant {
        name: format!("{threads} threads, shuffle {shuffle:?}, {layout:?}"),
        threads,
        shuffle,
        layout,
    };
    layouts.into_iter().map(named).collect()
}

/// One graph that is rebuilt again and again.
struct Graph {
    folder: TempDir,
}

impl Graph {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes the records as a variant has them, rebuilds, and returns what lies there then.
    fn rebuild(&self, systems: &Systems, variant: &Variant) -> Left {
        let mut systems = systems.clone();
        variant.shuffle.inspect(|&seed| systems.shuffle(seed));
        let settings = systems.write(self.path(), &variant.layout);
        rebuild(&settings, variant.threads);
        self.left()
    }

    fn left(&self) -> Left {
        let mut left = files_below(&self.path().join("graph"));
        for name in ["sameas.model.json", "sameas.model.key"] {
            left.insert(name.into(), fs::read(self.path().join(name)).unwrap());
        }
        left
    }
}

fn assert_same(expected: &Left, found: &Left, variant: &str) {
    let names = |left: &Left| left.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(expected), names(found), "{variant}");
    for (path, bytes) in expected {
        let differ = bytes.iter().zip(&found[path]).position(|(a, b)| a != b);
        let same = differ.is_none() && bytes.len() == found[path].len();
        assert!(same, "{} differs at {differ:?}: {variant}", path.display());
    }
}

/// A history of three revisions: some records go, some come, some change.
fn history() -> [Systems; 3] {
    let first = Systems::new(420, 11);
    let mut second = first.clone();
    let newcomers = Systems::new(460, 11);
    for (records, more) in second.records.iter_mut().zip(newcomers.records) {
        let known = records.len();
        records.extend(more.into_iter().skip(known));
        let mut number = 0;
        records.retain(|_| {
            number += 1;
            number % 9 != 0
        });
    }
    let mut third = second.clone();
    for record in third.records.iter_mut().flatten().step_by(5) {
        record.emails.clear();
        record.phone = None;
    }
    [first, second, third]
}

#[test]
fn a_rebuild_gives_the_same_bytes_at_any_thread_count_and_order_of_input() {
    let history = history();
    let all = variants();
    let graphs: Vec<Graph> = all.iter().map(|_| Graph::new()).collect();
    for systems in &history {
        let mut left = graphs
            .iter()
            .zip(&all)
            .map(|(graph, variant)| graph.rebuild(systems, variant));
        let expected = left.next().unwrap();
        for (found, variant) in left.zip(&all[1..]) {
            assert_same(&expected, &found, &variant.name);
        }
    }
    assert_meaningful(&graphs[0]);
}

/// The records must give the tests above something to disagree about.
fn assert_meaningful(graph: &Graph) {
    let settings = graph.path().join("sameas.toml");
    let folder = GraphFolder::open(&Settings::load(&settings).unwrap().graph_path()).unwrap();
    let graph = folder.current().unwrap().unwrap().load().unwrap();
    assert_eq!(graph.revision.get(), 3);
    assert!(
        graph.references.len() > 900,
        "{} records",
        graph.references.len()
    );
    assert!(graph.evidence.len() > 400, "{} edges", graph.evidence.len());
    assert!(graph.lineage.len() > 5, "{} events", graph.lineage.len());
    assert!(
        graph.past.len() > 50,
        "{} past memberships",
        graph.past.len()
    );
}

#[test]
fn a_rebuild_of_the_same_records_changes_nothing_but_the_revision() {
    let graph = Graph::new();
    let systems = Systems::new(150, 3);
    let settings = systems.write(graph.path(), &Layout::default());
    let first = rebuild(&settings, 2);
    assert!(
        first.rules.iter().any(|rule| rule.hot_blocks > 0),
        "no block is hot"
    );
    assert!(
        first.rules.iter().all(|rule| rule.first_pairs > Some(0)),
        "an idle rule"
    );
    let before = rows(&settings);
    let second = rebuild(&settings, 2);
    assert_eq!(
        (second.revision, second.ids_issued, second.retired),
        (2, 0, 0)
    );
    assert_eq!((second.merges, second.splits), (0, 0));
    assert_eq!(second.ids_kept, first.clusters);
    assert_eq!(rows(&settings), before);
}

#[test]
fn records_that_repeat_count_once_wherever_they_lie() {
    let once = Systems::new(80, 6);
    let mut twice = once.clone();
    let mut number = 0;
    for records in &mut twice.records {
        let again: Vec<_> = records
            .iter()
            .filter(|_| tick(&mut number).is_multiple_of(3))
            .cloned()
            .collect();
        records.extend(again);
    }
    twice.shuffle(8);
    let left = [(once, 1), (twice, 4)].map(|(systems, files)| {
        let graph = Graph::new();
        let layout = Layout {
            files,
            ..Layout::default()
        };
        let settings = systems.write(graph.path(), &layout);
        let text = fs::read_to_string(&settings).unwrap();
        let merging = text.replace("region = ", "duplicate_keys = \"merge\"\nregion = ");
        fs::write(&settings, merging).unwrap();
        rebuild(&settings, 2);
        graph.left()
    });
    assert_same(&left[0], &left[1], "records that repeat");
}

fn tick(number: &mut u32) -> u32 {
    *number += 1;
    *number
}

#[test]
fn the_binary_gives_the_bytes_of_the_library() {
    let by_library = Graph::new();
    let systems = Systems::new(150, 5);
    let settings = systems.write(by_library.path(), &Layout::default());
    rebuild(&settings, 1);
    let by_binary = Graph::new();
    let settings = systems.write(by_binary.path(), &Layout::default());
    // The key is drawn at random when a model is first made.
    for name in ["sameas.model.json", "sameas.model.key"] {
        fs::copy(by_library.path().join(name), by_binary.path().join(name)).unwrap();
    }
    let ran = sameas(&settings, &["rebuild", "--threads", "3", "--quiet"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let snapshot = Path::new("snapshots").join("0001.sameas");
    let of = |mut left: Left| Left::from([(snapshot.clone(), left.remove(&snapshot).unwrap())]);
    assert_same(
        &of(by_library.left()),
        &of(by_binary.left()),
        "by the binary",
    );
}

fn rows(settings: &Path) -> Vec<String> {
    let folder = GraphFolder::open(&Settings::load(settings).unwrap().graph_path()).unwrap();
    let snapshot = folder.current().unwrap().unwrap();
    snapshot
        .rows()
        .map(|row| format!("{:?}", row.unwrap()))
        .collect()
}
