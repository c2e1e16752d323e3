//! `sameas plan`: what would a rebuild cost?

use anyhow::Result;
use sameas_resolve::{PlanReport, Shrink};

use super::Outcome;
use crate::args::Shared;
use crate::job;
use crate::output::{self, Answer};

impl Answer for PlanReport {
    fn text(&self) -> String {
        self.render()
    }
}

pub(super) fn run(shared: &Shared) -> Result<Outcome> {
    let settings = job::settings(shared)?;
    let options = job::options(shared, Shrink::Refuse)?;
    let report = job::run(shared, sameas_resolve::plan(&settings, &options))??;
    drop(options);
    output::print(shared.format, &report)?;
    if report.pairs > report.budget {
        output::note("the plan exceeds the budget; a rebuild would refuse it");
        return Ok(Outcome::No);
    }
    Ok(Outcome::Done)
}
