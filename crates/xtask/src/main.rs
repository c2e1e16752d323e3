//! Chores of this repository as code: `cargo xtask <chore>`.

mod ci;
mod codegen;
mod features;
mod layers;
mod metadata;
mod tidy;
mod tree;

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
usage: cargo xtask <chore>

chores:
  codegen           generate crates/api/src/generated from proto/
  codegen --check   compare what is committed with what would be generated
  features          refuse dependencies that tests would have compiled anew
  layers            refuse forbidden dependencies between crates
  tidy              refuse forbidden file names, missing headers and code out of place
  ci                everything that has to hold before a commit
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<()> {
    match words {
        ["codegen"] => codegen::write(),
        ["codegen", "--check"] => codegen::check(),
        ["features"] => features::check(),
        ["layers"] => layers::check(),
        ["tidy"] => tidy::check(),
        ["ci"] => ci::run(),
        _ => bail!("no such chore\n\n{USAGE}"),
    }
}

/// Writes one line to standard error; a closed terminal is no reason to stop a chore.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Fails with one line for each finding, or says that there is none.
fn report(chore: &str, findings: &[String]) -> Result<()> {
    if findings.is_empty() {
        say(&format!("{chore}: ok"));
        return Ok(());
    }
    bail!(
        "{chore}: {} finding(s)\n  {}",
        findings.len(),
        findings.join("\n  ")
    )
}
