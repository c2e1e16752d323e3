//! What every job is given, and why a job fails.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use sameas_graph::Namespace;
use sameas_matching::{MatchingError, ModelError};
use sameas_record::IngestError;
use sameas_source::{OpenError, ScanError};
use sameas_store::{FolderError, PublishError};
use thiserror::Error;

use crate::EvaluateError;
use crate::report::StageReport;

/// Whether a source may have shrunk by more than a fifth since the last rebuild.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shrink {
    /// The rebuild stops: a source that lost records is more often broken than small.
    #[default]
    Refuse,
    /// The rebuild goes on.
    Allow,
}

/// Hears what a job is doing.
pub trait Progress: Send + Sync {
    /// A stage begins; `total` is how much there is to do, if that is known.
    fn stage(&self, name: &'static str, total: Option<u64>);
    /// This much more of the stage is done.
    fn advance(&self, count: u64);
    /// Something worth saying once.
    fn note(&self, text: &str);
}

/// Listens to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn stage(&self, _: &'static str, _: Option<u64>) {}
    fn advance(&self, _: u64) {}
    fn note(&self, _: &str) {}
}

/// What the caller decides about one run of a job.
#[derive(Clone)]
pub struct JobOptions {
    /// Threads to compute with.
    pub threads: usize,
    /// Whether sources may have shrunk.
    pub shrink: Shrink,
    /// The identity of the graph if it is made now and the settings give none: random bytes.
    pub new_namespace: Namespace,
    /// The secret of frequency tokens if it is made now: random bytes.
    pub new_key: [u8; 32],
    /// When a revision made now counts as published, in milliseconds since 1970.
    pub published_at_ms: u64,
    /// Who hears what the job is doing.
    pub progress: Arc<dyn Progress>,
}

impl fmt::Debug for JobOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobOptions({} threads, {:?})", self.threads, self.shrink)
    }
}

/// Why a job could not be done; the previous revision still serves.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JobError {
    /// The settings about matching do not fit the fields.
    #[error("the settings about matching are wrong: {}", .0.first().map_or("", |e| e.message.as_str()))]
    Matching(Vec<MatchingError>),
    /// A source could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A source could not be read.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The records of a source could not be taken in.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// A source has no records at all.
    #[error("source `{source_name}` has no rows; check its address and its `where` condition")]
    NoRows {
        /// The source.
        source_name: String,
    },
    /// By the labels hardly any pair of records is of one entity.
    #[error(
        "by these labels next to no two records are of one entity, so nothing could be learnt and the model stays as it was; look for records of the labels that are said to be one and are not"
    )]
    NoMatches,
    /// A source lost more than a fifth of its records.
    #[error(
        "source `{source_name}` has {now} records, the last rebuild saw {before}: it shrank by more than a fifth; check the source, and pass --allow-shrink if that is right"
    )]
    Shrunk {
        /// The source.
        source_name: String,
        /// Records in the last revision.
        before: u64,
        /// Records now.
        now: u64,
    },
    /// Most records of a source have other keys than before.
    #[error(
        "source `{source_name}`: only {kept} of the {before} keys that the last rebuild saw are still there, so most of its records would lose their ids; check whether the key column is written another way now, and pass --allow-shrink if they are other records"
    )]
    Rekeyed {
        /// The source.
        source_name: String,
        /// Records in the last revision.
        before: u64,
        /// Those of them whose keys are still there.
        kept: u64,
    },
    /// Blocking would make more pairs than the budget allows.
    #[error(
        "{pairs} candidate pairs are more than the budget of {budget} ({} a record); rule `{rule}` makes {rule_pairs} of them, its largest blocks hold {} records: make it narrower, or raise `pairs_per_record_max` under [budget]",
        .pairs_per_record_max, join(.largest)
    )]
    Budget {
        /// Pairs that all rules make.
        pairs: u64,
        /// Pairs allowed.
        budget: u64,
        /// The setting.
        pairs_per_record_max: u64,
        /// The rule that makes most.
        rule: String,
        /// Its pairs.
        rule_pairs: u64,
        /// The sizes of its largest blocks.
        largest: Vec<u64>,
    },
    /// The model file cannot be read or written.
    #[error("model file {}: {what}", .path.display())]
    ModelFile {
        /// The file.
        path: PathBuf,
        /// What was wrong and what to do.
        what: String,
    },
    /// The model does not fit the settings.
    #[error("model file {}: {cause}", .path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        #[source]
        cause: ModelError,
    },
    /// The graph folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The new revision could not be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A revision could not be held to a truth.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// A blocking rule needs values that are not kept in memory.
    #[error(
        "rule `{rule}` brings neighbours together, for which the values of all records must be in memory; set candidates = \"memory\" for source `{source_name}`, or leave the rule out"
    )]
    FindNeighbours {
        /// The rule.
        rule: String,
        /// A source whose candidates are fetched.
        source_name: String,
    },
    /// Threads could not be started.
    #[error("threads could not be started: {what}")]
    Threads {
        /// What the system said.
        what: String,
    },
}

fn join(sizes: &[u64]) -> String {
    sizes
        .iter()
        .map(u64::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Times the stages of a job.
pub(crate) struct Stages<'a> {
    progress: &'a dyn Progress,
    done: Vec<StageReport>,
    open: Option<(&'static str, Instant, f64)>,
}

impl<'a> Stages<'a> {
    pub(crate) fn new(progress: &'a dyn Progress) -> Self {
        Self {
            progress,
            done: Vec::new(),
            open: None,
        }
    }

    pub(crate) fn begin(&mut self, name: &'static str, total: Option<u64>) {
        self.end();
        self.progress.stage(name, total);
        self.open = Some((name, Instant::now(), cpu_seconds()));
    }

    /// Returns who listens.
    pub(crate) fn progress(&self) -> &'a dyn Progress {
        self.progress
    }

    pub(crate) fn finish(mut self) -> Vec<StageReport> {
        self.end();
        self.done
    }

    fn end(&mut self) {
        if let Some((name, started, cpu)) = self.open.take() {
            self.done.push(StageReport {
                stage: name.to_owned(),
                seconds: started.elapsed().as_secs_f64(),
                cpu_seconds: cpu_seconds() - cpu,
                peak_bytes: peak_bytes(),
            });
        }
    }
}

/// Returns the CPU time of this process so far, in seconds; 0 where the system does not tell.
fn cpu_seconds() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND
}

/// Returns the most memory this process has held so far, in bytes; 0 where the system does not tell.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1_024
}
