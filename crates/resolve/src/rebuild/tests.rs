#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use sameas_graph::Namespace;

use super::*;
use crate::Progress;

const SETTINGS: &str = r#"
[[source]]
name = "crm"
uri = "crm.csv"
key = "id"
[source.fields]
surname = "surname"
email = "email"
[[compare]]
field = "surname"
[[compare]]
field = "email"
[[block]]
on = ["email"]
[[block]]
on = ["surname"]
"#;

/// Keeps every stage, with the total and the number of threads where it began, and every note.
#[derive(Default)]
struct Heard(
    Mutex<Vec<(&'static str, Option<u64>, usize)>>,
    Mutex<Vec<String>>,
);

impl Progress for Heard {
    fn stage(&self, name: &'static str, total: Option<u64>) {
        let threads = rayon::current_num_threads();
        self.0.lock().unwrap().push((name, total, threads));
    }

    fn advance(&self, _: u64) {}

    fn note(&self, text: &str) {
        self.1.lock().unwrap().push(text.to_owned());
    }
}

fn settings(folder: &Path) -> Settings {
    let mut text = "id,surname,email\n".to_owned();
    for n in 0..60 {
        writeln!(text, "{n},name{},mail{}@example.org", n / 3, n / 2).unwrap();
    }
    std::fs::write(folder.join("crm.csv"), text).unwrap();
    Settings::parse(SETTINGS, &folder.join("sameas.toml")).unwrap()
}

fn options(threads: usize, progress: Arc<dyn Progress>) -> JobOptions {
    JobOptions {
        threads,
        shrink: Shrink::Refuse,
        new_namespace: Namespace::new(uuid::Uuid::from_u128(7)),
        new_key: [7; 32],
        published_at_ms: 1,
        progress,
    }
}

fn wait<T>(job: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.unwrap().block_on(job)
}

/// Records were coded outside the job's threads, so `--threads` did not bound that and no test of
/// thread counts varied it. Every stage that computes now begins, and runs, in one pool.
#[test]
fn all_that_computes_runs_on_the_threads_of_the_job() {
    const THREADS: usize = 5;
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let heard = Arc::new(Heard::default());
    let options = options(THREADS, heard.clone());
    wait(plan(&settings, &options)).unwrap();
    wait(train(&settings, &options, None)).unwrap();
    std::fs::remove_file(settings.model_path()).unwrap();
    let report = wait(rebuild(&settings, &options)).unwrap();
    let heard = heard.0.lock().unwrap();
    let names: Vec<_> = heard.iter().map(|(name, ..)| *name).collect();
    assert_eq!(
        names.join(" "),
        "open read encode prepare block \
         load open read encode prepare block train \
         load open read encode prepare block train weigh cluster name publish"
    );
    let waits = ["load", "open", "read", "publish"];
    for (name, _, threads) in heard.iter().filter(|(name, ..)| !waits.contains(name)) {
        assert_eq!(*threads, THREADS, "{name}");
    }
    let made = report.rules.iter().map(|rule| rule.pairs).sum();
    assert!(heard.contains(&("weigh", Some(made), THREADS)));
}

/// `train` took no lock, so a rebuild beside it could weigh by one model and name another.
#[test]
fn training_and_rebuilding_exclude_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let options = options(2, Arc::new(crate::Silent));
    let graph = GraphFolder::create_or_open(&settings.graph_path(), options.new_namespace);
    let graph = graph.unwrap();
    let at_work = graph.publisher().unwrap();
    for error in [
        wait(train(&settings, &options, None)).unwrap_err(),
        wait(rebuild(&settings, &options)).unwrap_err(),
    ] {
        assert!(
            matches!(
                error,
                JobError::Publish(sameas_store::PublishError::Busy { .. })
            ),
            "{error}"
        );
    }
    assert!(!settings.model_path().exists());
    drop(at_work);
    wait(train(&settings, &options, None)).unwrap();
    assert!(settings.model_path().exists());
    assert!(graph.publisher().is_ok(), "training has let the lock go");
}

#[test]
fn training_needs_no_graph_folder_and_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    wait(train(&settings, &options(2, Arc::new(crate::Silent)), None)).unwrap();
    assert!(settings.model_path().exists());
    assert!(!settings.graph_path().exists());
}

/// `plan` multiplied unchecked where `rebuild` saturated, and overflowed with large settings.
#[test]
fn a_budget_beyond_all_numbers_is_the_largest_number() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.budget.pairs_per_record_max = u64::MAX / 2;
    let options = options(2, Arc::new(crate::Silent));
    let planned = wait(plan(&settings, &options)).unwrap();
    assert_eq!(planned.budget, u64::MAX);
    assert!(wait(rebuild(&settings, &options)).is_ok());
}

/// Files that a folder holds beside records were left out in silence.
#[test]
fn files_that_are_not_read_are_reported_and_noted() {
    let folder = tempfile::tempdir().unwrap();
    settings(folder.path());
    let files = folder.path().join("crm");
    std::fs::create_dir(&files).unwrap();
    std::fs::rename(folder.path().join("crm.csv"), files.join("crm.csv")).unwrap();
    let skipped = files.join("notes.txt").display().to_string();
    std::fs::write(&skipped, "canary").unwrap();
    let text = SETTINGS.replace("crm.csv", "crm");
    let settings = Settings::parse(&text, &folder.path().join("sameas.toml")).unwrap();
    let heard = Arc::new(Heard::default());
    let options = options(2, heard.clone());
    let planned = wait(plan(&settings, &options)).unwrap();
    let rebuilt = wait(rebuild(&settings, &options)).unwrap();
    for (sources, text) in [
        (&planned.sources, planned.render()),
        (&rebuilt.sources, rebuilt.render()),
    ] {
        assert_eq!(sources[0].skipped_files, 1);
        assert_eq!(sources[0].skipped_names, [skipped.as_str()]);
        let says = format!("60 records, 1 file not read ({skipped})");
        assert!(text.contains(&says), "{text}");
    }
    let notes = heard.1.lock().unwrap();
    assert_eq!(notes.len(), 2, "once a job");
    let says = format!("source `crm`: 1 file not read ({skipped}); name files one by one");
    assert!(notes[0].starts_with(&says), "{notes:?}");
}
