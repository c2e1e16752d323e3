//! `sameas evaluate`: how well do the clusters agree with a truth?

use std::path::PathBuf;

use anyhow::Result;
use clap::Args as ClapArgs;
use sameas_resolve::{Evaluation, evaluate};

use super::Outcome;
use crate::args::Shared;
use crate::output::{self, Answer};
use crate::{graph, job};

/// What `evaluate` takes.
#[derive(Debug, ClapArgs)]
pub(crate) struct EvaluateArgs {
    /// The truth: CSV or Parquet with the columns source, key and entity.
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,
}

impl Answer for Evaluation {
    fn text(&self) -> String {
        self.render()
    }
}

pub(super) fn run(shared: &Shared, args: &EvaluateArgs) -> Result<Outcome> {
    let snapshot = graph::whole_snapshot(&job::settings(shared)?)?;
    output::print(shared.format, &evaluate(&snapshot, &args.truth)?)?;
    Ok(Outcome::Done)
}
