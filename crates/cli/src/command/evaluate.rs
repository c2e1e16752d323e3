//! `sameas evaluate`: how good is a revision, with a truth or without?

use std::path::PathBuf;

use anyhow::Result;
use clap::Args as ClapArgs;
use sameas_resolve::{Assessment, Settings, Shrink, assess};
use sameas_store::Snapshot;

use super::Outcome;
use crate::args::Shared;
use crate::output::{self, Answer};
use crate::{graph, job};

/// What `evaluate` takes.
#[derive(Debug, ClapArgs)]
pub(crate) struct EvaluateArgs {
    #[command(flatten)]
    pub(super) labels: Labels,
}

/// The truth, if there is one, and how closely it is looked at.
#[derive(Debug, ClapArgs)]
pub(crate) struct Labels {
    /// The truth: CSV or Parquet with the columns source, key and entity; without one, precision
    /// and recall are estimated.
    #[arg(long, value_name = "FILE")]
    pub(super) truth: Option<PathBuf>,
    /// Reads the sources again to tell which rules make the pairs of the truth and why pairs are
    /// missed.
    #[arg(long, requires = "truth")]
    trace: bool,
}

impl Answer for Assessment {
    fn text(&self) -> String {
        self.render()
    }
}

pub(super) fn run(shared: &Shared, args: &EvaluateArgs) -> Result<Outcome> {
    let settings = job::settings(shared)?;
    let snapshot = graph::snapshot(&settings)?;
    let assessment = assessed(shared, &settings, &snapshot, &args.labels)?;
    output::print(shared.format, &assessment)?;
    Ok(Outcome::Done)
}

/// Assesses a snapshot as the labels allow.
pub(super) fn assessed(
    shared: &Shared,
    settings: &Settings,
    snapshot: &Snapshot,
    labels: &Labels,
) -> Result<Assessment> {
    let mut assessment = assess(snapshot, settings, labels.truth.as_deref())?;
    if let (Some(truth), true) = (&labels.truth, labels.trace) {
        let options = job::options(shared, Shrink::Refuse)?;
        let trace = sameas_resolve::trace(settings, &options, snapshot, truth);
        assessment.trace = Some(job::run(shared, trace)??);
    }
    Ok(assessment)
}
