//! Holds the clusters of a snapshot to a truth that somebody knows.
//!
//! Time is linear but for one sort; memory is that of the revision, and at most 40 bytes a record
//! of the truth.

mod agreement;
mod assessment;
mod estimate;
pub(crate) mod missed;
mod reliability;
pub(crate) mod rows;
mod sweep;
pub(crate) mod truth;

use std::io;
use std::path::{Path, PathBuf};

use sameas_store::{Snapshot, VerifyError};
use serde::Serialize;
use thiserror::Error;

pub use assessment::{Assessment, assess};
pub(crate) use estimate::wilson;
pub use estimate::{Estimate, Interval};
pub use missed::{MissedPairs, MissedReason, NamedPair, NamedReference};
pub use reliability::{Reliability, ReliabilityPoint};
pub use sweep::{ThresholdPoint, Thresholds};
use truth::Truth;

/// How well one way of counting agrees with the truth; each from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quality {
    /// The share of what was found that is true.
    pub precision: f64,
    /// The share of what is true that was found.
    pub recall: f64,
    /// The harmonic mean of precision and recall.
    pub f1: f64,
}

/// How well the clusters of a graph agree with the truth.
///
/// Only records that the truth names count. One that the graph lacks stands alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Evaluation {
    /// Over pairs of records that are together.
    pub pairwise: Quality,
    /// Over records: how pure, and how complete, the cluster of each is (Bagga and Baldwin 1998).
    pub b_cubed: Quality,
    /// Over clusters that are exactly those of the truth.
    pub exact_cluster: Quality,
    /// Pairs together in both.
    pub true_pairs: u64,
    /// Pairs together in the graph only.
    pub false_pairs: u64,
    /// Pairs together in the truth only.
    pub missed_pairs: u64,
    /// Records that the truth names.
    pub records: u64,
    /// Those of them that the graph lacks.
    pub missing: u64,
    /// Records of the graph that the truth does not name; they do not count.
    pub extra: u64,
    /// Entities of the truth.
    pub true_entities: u64,
    /// Clusters that hold records of the truth.
    pub found_entities: u64,
    /// Records of the truth in the largest cluster.
    pub largest_found: u64,
    /// What the figures do not mean, in words.
    pub warnings: Vec<String>,
}

/// Why a graph cannot be held to a truth.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// The file cannot be read.
    #[error("cannot read the truth {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// A column is not there.
    #[error("the truth {} has no column \"{column}\"; it needs {needs}{hint}", path.display())]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: &'static str,
        /// All columns that it needs.
        needs: &'static str,
        /// What helps beyond that, as the end of the sentence.
        hint: &'static str,
    },
    /// A row cannot be read.
    #[error("the truth {}, row {row}: {what}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The row, from 1, the header not counted.
        row: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The file is not Parquet, or a broken one.
    #[error("the truth {} cannot be read as Parquet", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The truth names no record.
    #[error("the truth {} names no record", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// No row of the truth has an entity.
    #[error(
        "none of the {rows} rows of the truth {} has an entity, so it says nothing; fill in the column \"entity\"",
        path.display()
    )]
    NoEntity {
        /// The file.
        path: PathBuf,
        /// Its rows.
        rows: u64,
    },
    /// The graph holds no record of the truth.
    #[error(
        "the graph holds none of the {records} records of the truth {}, so nothing can be measured: it names the source \"{named}\", the graph has {sources}; spell source and key as the settings do",
        path.display()
    )]
    NothingShared {
        /// The file.
        path: PathBuf,
        /// Records that it names.
        records: u64,
        /// The source that it names first.
        named: String,
        /// The sources of the graph.
        sources: String,
    },
    /// The snapshot is damaged.
    #[error(transparent)]
    Damaged(#[from] VerifyError),
}

/// Compares the clusters of a snapshot with a truth: a CSV or Parquet file of source, key and entity.
///
/// # Errors
/// Fails if the truth cannot be read, names a record twice or none that the graph holds, or if the
/// snapshot is damaged.
pub fn evaluate(snapshot: &Snapshot, truth: &Path) -> Result<Evaluation, EvaluateError> {
    let graph = snapshot.load()?;
    Ok(Truth::read(truth, &graph.references)?.compare(&graph.partition))
}

impl Evaluation {
    /// Returns the figures as text for people.
    pub fn render(&self) -> String {
        let line = |name: &str, quality: &Quality| {
            let Quality {
                precision,
                recall,
                f1,
            } = quality;
            format!("{name:<14}{precision:>10.4}{recall:>10.4}{f1:>10.4}\n")
        };
        let head = format!(
            "{:<14}{:>10}{:>10}{:>10}\n",
            "", "precision", "recall", "f1"
        );
        let body = [
            line("pairwise", &self.pairwise),
            line("b-cubed", &self.b_cubed),
            line("exact cluster", &self.exact_cluster),
        ];
        let tail = format!(
            "records {}, missing in the graph {}, not in the truth {}\n\
             entities {} in the truth, {} found, the largest of {}\n\
             pairs {} right, {} wrong, {} missed\n",
            self.records,
            self.missing,
            self.extra,
            self.true_entities,
            self.found_entities,
            self.largest_found,
            self.true_pairs,
            self.false_pairs,
            self.missed_pairs,
        );
        let warnings = self.warnings.iter();
        let warnings: Vec<String> = warnings
            .map(|warning| format!("warning: {warning}\n"))
            .collect();
        [head, body.concat(), tail, warnings.concat()].concat()
    }
}

#[cfg(test)]
mod tests;
