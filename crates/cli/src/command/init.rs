//! `sameas init`: files in, settings out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args as ClapArgs;
use sameas_resolve::{Existing, InitReport, InitRequest, Shrink, init};

use super::Outcome;
use crate::args::Shared;
use crate::job;
use crate::output::{self, Answer};

/// What `init` takes.
#[derive(Debug, ClapArgs)]
pub(crate) struct InitArgs {
    /// The folder that gets `sameas.toml`.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The key column, of every source or of one: COLUMN or SOURCE=COLUMN.
    #[arg(long, value_name = "COLUMN")]
    key: Vec<String>,
    /// Replaces settings that are there.
    #[arg(long)]
    force: bool,
    /// The files, one source each: CSV, NDJSON, Parquet or Arrow; or tables, as
    /// `postgres://user@host/database#schema.table` (the password in PGPASSWORD) or
    /// `mysql://user@host/database#table` (in `MYSQL_PWD`).
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

impl Answer for InitReport {
    fn text(&self) -> String {
        self.render()
    }
}

pub(super) fn run(shared: &Shared, args: &InitArgs) -> Result<Outcome> {
    let keys = args.key.iter().map(|key| match key.split_once('=') {
        Some((source, column)) => (source.to_owned(), column.to_owned()),
        None => (String::new(), key.clone()),
    });
    let request = InitRequest {
        files: args.files.clone(),
        folder: args.out.clone(),
        keys: keys.collect::<BTreeMap<_, _>>(),
        existing: if args.force {
            Existing::Replace
        } else {
            Existing::Keep
        },
    };
    let options = job::options(shared, Shrink::Refuse)?;
    let report = job::run(shared, init(&request, &options))??;
    drop(options);
    output::print(shared.format, &report)?;
    Ok(Outcome::Done)
}
