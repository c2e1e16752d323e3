//! `sameas export`: the identity map, for joins in the warehouse.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args as ClapArgs;
use sameas_resolve::{ExportReport, export, export_csv};

use super::Outcome;
use crate::args::{Format, Shared};
use crate::output::{self, Answer};
use crate::{graph, job};

/// What `export` takes.
#[derive(Debug, ClapArgs)]
pub(crate) struct ExportArgs {
    /// The file to write, .csv or .parquet; `-` writes CSV to stdout.
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

impl Answer for ExportReport {
    fn text(&self) -> String {
        format!(
            "{} references of revision {}",
            self.references, self.revision
        )
    }
}

pub(super) fn run(shared: &Shared, args: &ExportArgs) -> Result<Outcome> {
    let settings = job::settings(shared)?;
    let snapshot = graph::snapshot(&settings)?;
    if args.output == Path::new("-") {
        let report = export_csv(&snapshot, io::stdout().lock())?;
        output::note(&report.text());
        return Ok(Outcome::Done);
    }
    job::refuse_output(shared, &settings, &[], &args.output)?;
    let report = export(&snapshot, &args.output)?;
    match shared.format {
        Format::Json => output::print(shared.format, &report)?,
        Format::Text => output::note(&format!("{}: {}", args.output.display(), report.text())),
    }
    Ok(Outcome::Done)
}
