//! `sameas import-splink`: settings and a model out of one of Splink.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args as ClapArgs;
use sameas_resolve::{Existing, ImportReport, ImportRequest, Shrink};

use super::Outcome;
use crate::args::Shared;
use crate::job;
use crate::output::{self, Answer};

/// What `import-splink` takes.
#[derive(Debug, ClapArgs)]
pub(crate) struct ImportSplinkArgs {
    /// The file that `save_model_to_json` of Splink 3, 4 or 5 wrote.
    model: PathBuf,
    /// The files that hold the records, one for each data set.
    files: Vec<PathBuf>,
    /// The folder for sameas.toml and the model.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replaces settings and a model that are there.
    #[arg(long)]
    force: bool,
}

impl Answer for ImportReport {
    fn text(&self) -> String {
        self.render()
    }
}

pub(super) fn run(shared: &Shared, args: &ImportSplinkArgs) -> Result<Outcome> {
    let key = job::options(shared, Shrink::Refuse)?.new_key;
    let request = ImportRequest {
        model: args.model.clone(),
        folder: args.out.clone(),
        files: args.files.clone(),
        existing: if args.force {
            Existing::Replace
        } else {
            Existing::Keep
        },
    };
    let report = sameas_resolve::import_splink(&request, key)?;
    output::print(shared.format, &report)?;
    Ok(Outcome::Done)
}
