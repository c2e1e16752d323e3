//! `kill -9` at any moment of a rebuild over a served graph (promise P3).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sameas_api::v1::{BatchLookupRequest, Reference};
use sameas_store::GraphFolder;
use sameas_tests::{Draw, Layout, SOURCES, Serving, Systems, binary, paths_below};

/// How many rebuilds are killed, or as good as.
const KILL_COUNT: u32 = 200;

/// Every so many kills a rebuild runs to its end.
const RECOVERY_EVERY: u32 = 20;

/// A kill that must hit a publication comes at most this long after it began.
const PUBLICATION: Duration = Duration::from_millis(8);

const SIGKILL: i32 = 9;

/// Everything that one revision answers, in the order of the references.
type Answer = Vec<(String, u64)>;

/// One graph over two states of its sources, so that revisions differ.
struct Victim {
    folder: tempfile::TempDir,
    settings: [PathBuf; 2],
    references: Vec<Reference>,
    /// What each revision answers, as read from its snapshot.
    answers: BTreeMap<u64, Answer>,
}

impl Victim {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let one = Systems::new(60, 2);
        let mut other = one.clone();
        // Every fourth record is of somebody else in the other state.
        let strangers: Vec<_> = Systems::new(60, 3).records.into_iter().flatten().collect();
        for (record, stranger) in other.records.iter_mut().flatten().zip(strangers).step_by(4) {
            let key = record.key.clone();
            *record = stranger;
            record.key = key;
        }
        let references = SOURCES
            .iter()
            .zip(&one.records)
            .flat_map(|(source, records)| {
                let reference = |key: &String| Reference {
                    source: (*source).to_owned(),
                    key: key.clone(),
                };
                records.iter().map(move |record| reference(&record.key))
            });
        let references = references.collect();
        let settings = [("one", one), ("other", other)].map(|(name, systems)| {
            let below = folder.path().join(name);
            let path = systems.write(&below, &Layout::default());
            let text = fs::read_to_string(&path).unwrap();
            let shared = "[graph]\npath = \"../graph\"\nmodel = \"../sameas.model.json\"";
            fs::write(&path, text.replacen("[graph]", shared, 1)).unwrap();
            path
        });
        Self {
            folder,
            settings,
            references,
            answers: BTreeMap::new(),
        }
    }

    fn start(&self, state: u32) -> Child {
        Command::new(binary())
            .args(["rebuild", "--quiet", "--threads", "2", "--config"])
            .arg(&self.settings[state as usize % 2])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Rebuilds to the end and returns how long that took.
    fn rebuild(&mut self, state: u32) -> Duration {
        let began = Instant::now();
        let before = self.answers.len();
        let status = self.start(state).wait().unwrap();
        assert!(status.success(), "a rebuild does not succeed: {status}");
        let took = began.elapsed();
        self.read();
        assert_eq!(
            self.answers.len(),
            before + 1,
            "a rebuild that succeeds publishes"
        );
        took
    }

    /// Reads what the current revision answers; it must be whole, and at most one ahead.
    fn read(&mut self) {
        let folder = GraphFolder::open(&self.folder.path().join("graph")).unwrap();
        let snapshot = folder.current().unwrap().unwrap();
        let revision = snapshot.revision().get();
        let latest = self
            .answers
            .last_key_value()
            .map_or(0, |(&revision, _)| revision);
        assert!(
            revision == latest || revision == latest + 1,
            "{latest}, then {revision}"
        );
        if revision == latest {
            return;
        }
        snapshot.verify().unwrap();
        let located = |r: &Reference| snapshot.lookup(&r.source, &r.key).unwrap().unwrap();
        let answer = |r: &Reference| (located(r).entity.id.to_string(), located(r).since.get());
        self.answers
            .insert(revision, self.references.iter().map(answer).collect());
    }

    /// Returns the files that a quiet graph does not have.
    fn leftovers(&self) -> Vec<PathBuf> {
        let all = paths_below(self.folder.path()).into_iter();
        let of_graph = all.filter(|path| !path.starts_with("one") && !path.starts_with("other"));
        of_graph.filter(|path| !self.is_expected(path)).collect()
    }

    fn is_expected(&self, path: &Path) -> bool {
        let known = [
            "sameas.model.json",
            "sameas.model.key",
            "sameas.model.training.json",
            "graph/figures.json",
            "graph/graph.json",
            "graph/current",
            "graph/publications.json",
            "graph/lock",
        ];
        let revision = |name: &str| name.strip_suffix(".sameas")?.parse::<u64>().ok();
        let name = path
            .strip_prefix("graph/snapshots")
            .ok()
            .and_then(Path::to_str);
        // A snapshot that was named and never became current is no leftover of another sort.
        let is_snapshot = name
            .and_then(revision)
            .is_some_and(|r| self.answers.contains_key(&r));
        is_snapshot || known.iter().any(|known| path == Path::new(known))
    }

    /// Returns the names in a folder: the graph's snapshots, or what lies beside the graph.
    fn names(&self, folder: &str) -> BTreeSet<OsString> {
        let entries = fs::read_dir(self.folder.path().join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    }
}

/// Asks a server for everything, again and again.
struct Asking {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<BTreeMap<u64, BTreeSet<Answer>>>,
}

impl Asking {
    fn start(serving: Arc<Serving>, references: Vec<Reference>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime
                .unwrap()
                .block_on(ask(&serving, references, &stopped))
        });
        Self { stop, thread }
    }

    /// Returns every answer that was given, by the revision that it names.
    fn stop(self) -> BTreeMap<u64, BTreeSet<Answer>> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

async fn ask(
    serving: &Serving,
    references: Vec<Reference>,
    stopped: &AtomicBool,
) -> BTreeMap<u64, BTreeSet<Answer>> {
    let mut client = serving.client().await;
    let mut seen: BTreeMap<u64, BTreeSet<Answer>> = BTreeMap::new();
    let mut newest = 0;
    let request = BatchLookupRequest {
        references,
        min_revision: 0,
    };
    // The pace leaves the processors to the rebuilds.
    let mut pace = tokio::time::interval(Duration::from_millis(5));
    while !stopped.load(Ordering::Relaxed) {
        pace.tick().await;
        let answer = client
            .batch_lookup(request.clone())
            .await
            .unwrap()
            .into_inner();
        assert!(
            answer.revision >= newest,
            "{newest}, then {}",
            answer.revision
        );
        newest = answer.revision;
        let results = answer
            .results
            .into_iter()
            .map(|r| (r.unified_id, r.since_revision));
        seen.entry(newest).or_default().insert(results.collect());
    }
    seen
}

/// Kills a rebuild after a while; tells whether it was still alive.
fn kill_after(child: &mut Child, wait: Duration) -> bool {
    thread::sleep(wait);
    kill(child)
}

fn kill(child: &mut Child) -> bool {
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(
        status.success() || status.signal() == Some(SIGKILL),
        "{status}"
    );
    status.signal() == Some(SIGKILL)
}

/// Kills a rebuild soon after a file appears in a folder, which is when it begins to write there.
fn kill_in_writing(victim: &Victim, child: &mut Child, folder: &str, wait: Duration) -> bool {
    let before = victim.names(folder);
    while child.try_wait().unwrap().is_none() {
        if victim.names(folder) != before {
            thread::sleep(wait);
            return kill(child);
        }
        thread::sleep(Duration::from_micros(100));
    }
    false
}

#[test]
fn a_rebuild_may_be_killed_at_any_moment() {
    let mut victim = Victim::new();
    victim.rebuild(0);
    let mut length = (0..3).map(|state| victim.rebuild(state)).max().unwrap();
    let serving = Arc::new(Serving::start(
        &victim.settings[0],
        &["--log-level", "warn"],
    ));
    let asking = Asking::start(Arc::clone(&serving), victim.references.clone());
    let mut draw = Draw::new(9);
    let (mut hit, mut torn, mut leftovers_most) = (0, 0, 0);
    let mut number = 0;
    while hit < KILL_COUNT {
        number += 1;
        assert!(
            number <= 3 * KILL_COUNT,
            "the kills come too late: {hit} hit"
        );
        // Sometimes the model must be trained and written as well.
        if number % 5 == 0 {
            let _ = fs::remove_file(victim.folder.path().join("sameas.model.json"));
        }
        let mut child = victim.start(number);
        let wait = PUBLICATION.mul_f64(draw.fraction());
        let died = match number % 15 {
            5 | 10 => kill_in_writing(&victim, &mut child, "", wait / 16),
            3 | 6 | 9 | 12 => kill_in_writing(&victim, &mut child, "graph/snapshots", wait),
            _ => kill_after(&mut child, length.mul_f64(draw.fraction())),
        };
        hit += u32::from(died);
        victim.read();
        let leftovers = victim.leftovers();
        torn += u32::from(!leftovers.is_empty());
        leftovers_most = leftovers_most.max(leftovers.len());
        assert!(
            leftovers.len() <= 4,
            "what kills leave behind piles up: {leftovers:?}"
        );
        if number % RECOVERY_EVERY == 0 {
            length = victim.rebuild(number);
            assert_eq!(victim.leftovers(), Vec::<PathBuf>::new());
        }
    }
    let seen = asking.stop();
    let told = format!(
        "{hit} of {number} rebuilds died, {torn} left something behind (at most \
         {leftovers_most} files), {} revisions were published, {} were seen",
        victim.answers.len(),
        seen.len()
    );
    assert!(torn > 10, "no kill hits a publication: {told}");
    assert!(seen.len() > 5, "the server hardly follows: {told}");
    for (revision, answers) in &seen {
        let expected = BTreeSet::from([victim.answers[revision].clone()]);
        assert!(
            *answers == expected,
            "an answer of revision {revision} is not of it: {told}"
        );
    }
    let different: BTreeSet<_> = victim.answers.values().collect();
    assert!(different.len() > 5, "revisions hardly differ: {told}");
    let ran = Arc::into_inner(serving).unwrap().stop();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}
