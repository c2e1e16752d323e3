//! `sameas train`: estimate the model from the records.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use sameas_resolve::{Shrink, TrainReport, training_html, write_text};

use super::Outcome;
use crate::args::Shared;
use crate::job;
use crate::output::{self, Answer};

/// What `train` takes.
#[derive(Debug, ClapArgs)]
pub(crate) struct TrainArgs {
    /// Also shows convergence, m and u, levels never seen and warnings in this HTML file.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Labels that teach beside the records: CSV or Parquet of pairs (`source_l`, `key_l`, `source_r`,
    /// `key_r`, `is_match`) or of entities (source, key, entity).
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
}

impl Answer for TrainReport {
    fn text(&self) -> String {
        self.render()
    }
}

pub(super) fn run(shared: &Shared, args: &TrainArgs) -> Result<Outcome> {
    let settings = job::settings(shared)?;
    if let Some(path) = &args.report {
        job::refuse_output(shared, &settings, &[], path)?;
    }
    let options = job::options(shared, Shrink::Refuse)?;
    let training = sameas_resolve::train(&settings, &options, args.labels.as_deref());
    let report = job::run(shared, training)??;
    drop(options);
    if let Some(path) = &args.report {
        write_text(path, &training_html(&report))
            .with_context(|| format!("write the report to {}", path.display()))?;
    }
    output::print(shared.format, &report)?;
    Ok(Outcome::Done)
}
