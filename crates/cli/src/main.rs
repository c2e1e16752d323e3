//! The `sameas` binary: parses a command line, calls the library crates, prints.
//!
//! It decides nothing. Data goes to stdout and everything else to stderr; the exit code
//! is 0 if it is done, 1 if the answer is no, 2 if it could not run.

mod args;
mod command;
mod defect;
mod demo;
mod explanation;
mod graph;
mod job;
mod logging;
mod matches;
mod output;
mod progress;
mod service;
mod values;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use args::Args;
use command::Outcome;

/// The exit code of what could not run.
const COULD_NOT_RUN: u8 = 2;

fn main() -> ExitCode {
    defect::guard();
    let args = Args::parse();
    logging::start(args.shared.log_level);
    match defect::caught(|| command::run(&args)) {
        Ok(Ok(Outcome::Done)) => ExitCode::SUCCESS,
        Ok(Ok(Outcome::No)) => ExitCode::from(1),
        // Who closes the pipe early has read enough.
        Ok(Err(error)) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            let mut stderr = io::stderr().lock();
            for line in output::harmless(&output::error_text(&error)).lines() {
                // If stderr is gone nobody is left to tell.
                let _ = writeln!(stderr, "error: {line}");
            }
            ExitCode::from(COULD_NOT_RUN)
        }
        // The panic has told where it was.
        Err(_) => ExitCode::from(COULD_NOT_RUN),
    }
}
