//! `sameas train`: estimate the model from the records.

use anyhow::Result;
use sameas_resolve::{Shrink, TrainReport};

use super::Outcome;
use crate::args::Shared;
use crate::job;
use crate::output::{self, Answer};

impl Answer for TrainReport {
    fn text(&self) -> String {
        self.render()
    }
}

pub(super) fn run(shared: &Shared) -> Result<Outcome> {
    let settings = job::settings(shared)?;
    let options = job::options(shared, Shrink::Refuse)?;
    let report = job::run(shared, sameas_resolve::train(&settings, &options))??;
    drop(options);
    output::print(shared.format, &report)?;
    Ok(Outcome::Done)
}
