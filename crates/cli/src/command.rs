//! The commands, one a file.

pub(crate) mod demo;
pub(crate) mod entity;
pub(crate) mod evaluate;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod find;
pub(crate) mod import_splink;
pub(crate) mod init;
pub(crate) mod lookup;
mod plan;
pub(crate) mod profile;
pub(crate) mod rebuild;
pub(crate) mod report;
mod schema;
pub(crate) mod serve;
pub(crate) mod source;
pub(crate) mod train;
pub(crate) mod verify;

use anyhow::Result;

use crate::args::{Args, Command};

/// How a command ended, if it could run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is done.
    Done,
    /// The answer is no: not found, not verified, over budget.
    No,
}

/// Runs the command that the command line names.
pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let shared = &args.shared;
    match &args.command {
        Command::Init(args) => init::run(shared, args),
        Command::Plan => plan::run(shared),
        Command::Train(args) => train::run(shared, args),
        Command::Rebuild(args) => rebuild::run(shared, args),
        Command::ImportSplink(args) => import_splink::run(shared, args),
        Command::Serve(args) => serve::run(shared, args),
        Command::Lookup(args) => lookup::run(shared, args),
        Command::Entity(args) => entity::run(shared, args),
        Command::Explain(args) => explain::run(shared, args),
        Command::Find(args) => find::run(shared, args),
        Command::Profile(args) => profile::run(shared, args),
        Command::Source(args) => source::run(shared, args),
        Command::Export(args) => export::run(shared, args),
        Command::Evaluate(args) => evaluate::run(shared, args),
        Command::Report(args) => report::run(shared, args),
        Command::Verify(args) => verify::run(shared, args),
        Command::Demo(args) => demo::run(shared, args),
        Command::Schema => schema::run(),
    }
}
