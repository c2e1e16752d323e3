//! `sameas source check`: what works of a source, what is missing, and what mends it.

use std::fmt::Write as _;

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};
use sameas_resolve::{Finding, SourceCheck, SourceCheckReport, Standing, Topic};

use super::Outcome;
use crate::args::Shared;
use crate::job;
use crate::output::{self, Answer, one_line};

/// What `source` takes.
#[derive(Debug, ClapArgs)]
pub(crate) struct SourceArgs {
    #[command(subcommand)]
    command: SourceCommand,
}

/// What is done with sources.
#[derive(Debug, Subcommand)]
enum SourceCommand {
    /// Opens sources, reads their keys once, and says what works, what is missing and what mends it.
    ///
    /// Exit codes: 0 nothing is missing, 1 something is, 2 it could not run.
    Check {
        /// The source; all of them when absent.
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
}

impl Answer for SourceCheckReport {
    fn text(&self) -> String {
        let mut text = String::new();
        for source in &self.sources {
            push_source(&mut text, source);
        }
        text
    }
}

fn push_source(text: &mut String, source: &SourceCheck) {
    let _ = writeln!(text, "{}", source.source);
    for finding in &source.findings {
        let Finding {
            topic,
            standing,
            says,
            remedy,
            ..
        } = finding;
        let _ = writeln!(
            text,
            "  {:<8} {:<11} {}",
            standing_of(*standing),
            topic_of(*topic),
            one_line(says)
        );
        for line in remedy.iter().flat_map(|remedy| remedy.lines()) {
            let _ = writeln!(text, "{:22}> {line}", "");
        }
    }
}

fn standing_of(standing: Standing) -> &'static str {
    match standing {
        Standing::Fine => "fine",
        Standing::Advice => "advice",
        Standing::Missing => "missing",
    }
}

fn topic_of(topic: Topic) -> &'static str {
    match topic {
        Topic::Driver => "driver",
        Topic::Opening => "opening",
        Topic::Files => "files",
        Topic::Columns => "columns",
        Topic::Key => "key",
        Topic::Rows => "records",
        Topic::Updated => "updated",
        Topic::Snapshot => "snapshot",
        Topic::Parts => "parts",
        Topic::Fetch => "by key",
        Topic::Privileges => "privileges",
        Topic::Encryption => "encryption",
    }
}

pub(super) fn run(shared: &Shared, args: &SourceArgs) -> Result<Outcome> {
    let SourceCommand::Check { name } = &args.command;
    let settings = job::settings(shared)?;
    let threads = job::thread_count(shared);
    let check = sameas_resolve::check_sources(&settings, name.as_deref(), threads);
    let report = job::run(shared, check)??;
    output::print(shared.format, &report)?;
    if report.is_fine() {
        Ok(Outcome::Done)
    } else {
        Ok(Outcome::No)
    }
}
