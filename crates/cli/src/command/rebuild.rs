//! `sameas rebuild`: resolve all records and publish a revision.

use anyhow::Result;
use clap::Args as ClapArgs;
use sameas_resolve::{RebuildReport, Shrink};

use super::Outcome;
use crate::args::Shared;
use crate::job;
use crate::output::{self, Answer};

/// What `rebuild` takes.
#[derive(Debug, ClapArgs)]
pub(crate) struct RebuildArgs {
    /// Goes on if a source has lost more than a fifth of its records since the last rebuild.
    #[arg(long)]
    allow_shrink: bool,
}

impl Answer for RebuildReport {
    fn text(&self) -> String {
        self.render()
    }
}

pub(super) fn run(shared: &Shared, args: &RebuildArgs) -> Result<Outcome> {
    let settings = job::settings(shared)?;
    let shrink = if args.allow_shrink {
        Shrink::Allow
    } else {
        Shrink::Refuse
    };
    let options = job::options(shared, shrink)?;
    let report = job::run(shared, sameas_resolve::rebuild(&settings, &options))??;
    drop(options);
    output::print(shared.format, &report)?;
    Ok(Outcome::Done)
}
