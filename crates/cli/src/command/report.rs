//! `sameas report`: the newest revision and how good it is, as one HTML file.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use sameas_resolve::{report_html, write_text};

use super::Outcome;
use super::evaluate::{Labels, assessed};
use crate::args::Shared;
use crate::{graph, job, output};

/// What `report` takes.
#[derive(Debug, ClapArgs)]
pub(crate) struct ReportArgs {
    /// The HTML file to write.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    labels: Labels,
}

pub(super) fn run(shared: &Shared, args: &ReportArgs) -> Result<Outcome> {
    let settings = job::settings(shared)?;
    let truth = args.labels.truth.as_deref();
    let truth: Vec<_> = truth.map(|path| (path, "the truth")).into_iter().collect();
    job::refuse_output(shared, &settings, &truth, &args.output)?;
    let snapshot = graph::snapshot(&settings)?;
    let assessment = assessed(shared, &settings, &snapshot, &args.labels)?;
    let page = report_html(&snapshot, &settings, &assessment)?;
    write_text(&args.output, &page)
        .with_context(|| format!("write the report to {}", args.output.display()))?;
    output::note(&format!(
        "{}: revision {}, open it in a browser",
        args.output.display(),
        snapshot.revision().get()
    ));
    Ok(Outcome::Done)
}
