//! The command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use crate::command::demo::DemoArgs;
use crate::command::entity::EntityArgs;
use crate::command::evaluate::EvaluateArgs;
use crate::command::explain::ExplainArgs;
use crate::command::export::ExportArgs;
use crate::command::find::FindArgs;
use crate::command::import_splink::ImportSplinkArgs;
use crate::command::init::InitArgs;
use crate::command::lookup::LookupArgs;
use crate::command::profile::ProfileArgs;
use crate::command::rebuild::RebuildArgs;
use crate::command::report::ReportArgs;
use crate::command::serve::ServeArgs;
use crate::command::source::SourceArgs;
use crate::command::train::TrainArgs;
use crate::command::verify::VerifyArgs;

/// Which records, in which systems, are the same customer?
///
/// Exit codes: 0 done, 1 the answer is no (not found, verification failed), 2 it could not run.
#[derive(Debug, Parser)]
#[command(name = "sameas", version, propagate_version = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) shared: Shared,
}

/// What every command takes.
#[derive(Debug, ClapArgs)]
pub(crate) struct Shared {
    /// The settings file.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "sameas.toml"
    )]
    pub(crate) config: PathBuf,
    /// How data is printed; JSON is stable, text is for people.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// How many threads compute or answer; all processors when absent.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// What is logged to stderr.
    #[arg(long, global = true, value_enum, default_value_t = LogLevel::Info)]
    pub(crate) log_level: LogLevel,
    /// Shows no progress.
    #[arg(long, global = true)]
    pub(crate) quiet: bool,
}

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

/// What is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Reads files and writes settings for them, with what it found and why.
    Init(InitArgs),
    /// Checks settings and sources and predicts what a rebuild costs.
    Plan,
    /// Trains the model from the records, without labels.
    Train(TrainArgs),
    /// Resolves all records and publishes a new revision.
    Rebuild(RebuildArgs),
    /// Writes settings and a model that weigh pairs as a model of Splink does.
    ImportSplink(ImportSplinkArgs),
    /// Answers lookups over gRPC.
    Serve(ServeArgs),
    /// Prints the unified id of a record.
    Lookup(LookupArgs),
    /// Prints what a unified id stands for, its records and its history.
    Entity(EntityArgs),
    /// Says why two records are one customer, or why they are not.
    Explain(ExplainArgs),
    /// Finds whose record this may be: entities by probability, and why.
    Find(FindArgs),
    /// Asks the systems of one customer for its records, and prints what they say of it now.
    Profile(ProfileArgs),
    /// Looks at sources: what works, what is missing, and the command that mends it.
    Source(SourceArgs),
    /// Writes the identity map: source, key, unified id, since.
    Export(ExportArgs),
    /// Says how good the newest revision is: measured by a truth, or estimated without one.
    Evaluate(EvaluateArgs),
    /// Shows the newest revision and how good it is, as one HTML file.
    Report(ReportArgs),
    /// Checks all checksums and invariants of the published revisions.
    Verify(VerifyArgs),
    /// Makes four sample systems, resolves them, serves them and looks some records up.
    Demo(DemoArgs),
    /// Prints the JSON Schema of the settings file.
    Schema,
}
