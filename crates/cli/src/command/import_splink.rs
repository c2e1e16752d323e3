//! `sameas import-splink`: settings and a model out of one of Splink.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args as ClapArgs;
use sameas_resolve::{ImportReport, Shrink};

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
}

impl Answer for ImportReport {
    fn text(&self) -> String {
        self.render()
    }
}

pub(super) fn run(shared: &Shared, args: &ImportSplinkArgs) -> Result<Outcome> {
    let key = job::options(shared, Shrink::Refuse)?.new_key;
    let report = sameas_resolve::import_splink(&args.model, &args.out, &args.files, key)?;
    output::print(shared.format, &report)?;
    Ok(Outcome::Done)
}
