//! `sameas explain`: why two records are one customer, or why they are not.

use anyhow::Result;
use clap::Args as ClapArgs;

use super::Outcome;
use crate::args::Shared;
use crate::explanation::Explanation;
use crate::{graph, job, output};

/// What `explain` takes.
#[derive(Debug, ClapArgs)]
pub(crate) struct ExplainArgs {
    /// The source of one record.
    left_source: String,
    /// The key of one record.
    #[arg(allow_negative_numbers = true)]
    left_key: String,
    /// The source of the other record.
    right_source: String,
    /// The key of the other record.
    #[arg(allow_negative_numbers = true)]
    right_key: String,
}

pub(super) fn run(shared: &Shared, args: &ExplainArgs) -> Result<Outcome> {
    let snapshot = graph::snapshot(&job::settings(shared)?)?;
    let left = graph::find(&snapshot, &args.left_source, &args.left_key)?;
    let right = graph::find(&snapshot, &args.right_source, &args.right_key)?;
    match (left, right) {
        (Ok(left), Ok(right)) => {
            output::print(shared.format, &Explanation::of(&snapshot, &left, &right)?)?;
            Ok(Outcome::Done)
        }
        (left, right) => {
            [left.err(), right.err()]
                .iter()
                .flatten()
                .for_each(|absence| output::note(absence));
            Ok(Outcome::No)
        }
    }
}
