//! Figures of a rebuild that its snapshot does not hold, kept beside the snapshots for reports.
//!
//! A snapshot keeps the strongest evidence of each record and knows no blocking; what is counted
//! over *all* evidence and all candidate pairs is kept here, a few kilobytes that name rules,
//! fields, levels and sources. They hold for one snapshot, whose checksum they bear.

mod capture;
mod tally;

use std::fs;
use std::path::{Path, PathBuf};

use sameas_store::{Published, Snapshot};
use serde::{Deserialize, Serialize};

pub use self::capture::Captures;
pub(crate) use self::tally::Tally;
pub use self::tally::{LevelCount, WeightBin};
use crate::report::RebuildReport;
use crate::{JobError, model_file};

/// The version of the file's form.
const FORMAT: u32 = 2;
const FILE: &str = "figures.json";

/// What a rebuild counted, as reports on it need it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RebuildFigures {
    format: u32,
    revision: u64,
    /// The checksum of the snapshot, hexadecimal.
    snapshot: String,
    /// When it was published, in milliseconds since 1970.
    pub published_at_ms: u64,
    /// The report of the rebuild, without what differs from run to run.
    pub report: RebuildReport,
    /// Pairs of records that could be of one entity, candidates or not.
    pub possible_pairs: f64,
    /// All evidence by weight, ascending.
    pub weights: Vec<WeightBin>,
    /// All evidence by comparison and level, the missing level first.
    pub levels: Vec<Vec<LevelCount>>,
    /// By which rules links are made.
    pub captures: Captures,
}

impl RebuildFigures {
    /// Binds figures to the snapshot that the rebuild published.
    pub(crate) fn bind(mut self, published: &Published, published_at_ms: u64) -> Self {
        self.format = FORMAT;
        self.revision = published.revision.get();
        self.snapshot = hexadecimal(published.checksum);
        self.published_at_ms = published_at_ms;
        self
    }

    /// Writes the figures into a graph's folder, in place of those of the revision before.
    pub(crate) fn write(&self, graph: &Path) -> Result<(), JobError> {
        let mut text =
            serde_json::to_string_pretty(self).expect("figures are finite numbers and names");
        text.push('\n');
        model_file::write_report(&path(graph), text.as_bytes())
    }

    /// Reads the figures of a snapshot, if the folder holds those of this one.
    ///
    /// A file of another snapshot, of another version or none at all means that they are not
    /// known: a report can do without them.
    pub fn read(graph: &Path, snapshot: &Snapshot) -> Option<Self> {
        let text = fs::read_to_string(path(graph)).ok()?;
        let figures: Self = serde_json::from_str(&text).ok()?;
        let is_of = (figures.format, figures.revision) == (FORMAT, snapshot.revision().get())
            && figures.snapshot == hexadecimal(snapshot.checksum());
        is_of.then_some(figures)
    }
}

fn path(graph: &Path) -> PathBuf {
    graph.join(FILE)
}

fn hexadecimal(checksum: u64) -> String {
    format!("{checksum:016x}")
}
