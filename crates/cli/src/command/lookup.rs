//! `sameas lookup`: from a record to its unified id.

use anyhow::{Result, ensure};
use clap::Args as ClapArgs;
use sameas_graph::Revision;
use serde::Serialize;

use super::Outcome;
use crate::args::{Format, Shared};
use crate::output::{self, Answer};
use crate::{graph, job};

/// What `lookup` takes.
#[derive(Debug, ClapArgs)]
pub(crate) struct LookupArgs {
    /// The source that holds the record.
    source: String,
    /// The key of the record in its source.
    #[arg(allow_negative_numbers = true)]
    key: String,
    /// Asks for the id the record had in this revision.
    #[arg(long, value_name = "REVISION")]
    as_of: Option<u64>,
}

/// The unified id of a record.
#[derive(Debug, Serialize)]
struct LookupAnswer {
    revision: u64,
    source: String,
    key: String,
    unified_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<u64>,
}

impl Answer for LookupAnswer {
    fn text(&self) -> String {
        self.unified_id.clone().unwrap_or_default()
    }
}

pub(super) fn run(shared: &Shared, args: &LookupArgs) -> Result<Outcome> {
    let snapshot = graph::snapshot(&job::settings(shared)?)?;
    let newest = snapshot.revision().get();
    let revision = args.as_of.unwrap_or(newest);
    ensure!(
        (1..=newest).contains(&revision),
        "revision {revision} is not one from 1 to {newest}"
    );
    let located = graph::find(&snapshot, &args.source, &args.key)?;
    let unified_id = match args.as_of {
        Some(_) => snapshot.entity_as_of(&args.source, &args.key, Revision::new(revision))?,
        None => located.as_ref().ok().map(|located| located.entity.id),
    };
    let since = located.as_ref().ok().map(|located| located.since.get());
    let answer = LookupAnswer {
        revision,
        source: args.source.clone(),
        key: args.key.clone(),
        unified_id: unified_id.map(|id| id.to_string()),
        since: since.filter(|&since| since <= revision),
    };
    if answer.unified_id.is_some() {
        output::print(shared.format, &answer)?;
        return Ok(Outcome::Done);
    }
    if shared.format == Format::Json {
        output::print(shared.format, &answer)?;
    }
    let absence = format!(
        "{} {} was unknown in revision {revision}",
        args.source, args.key
    );
    output::note(&located.err().unwrap_or(absence));
    Ok(Outcome::No)
}
