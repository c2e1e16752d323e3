//! Runs everything that has to hold before a commit.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{codegen, features, layers, tidy, tree};

/// The cargo commands, in the order in which they fail soonest.
const STEPS: [&[&str]; 4] = [
    &["fmt", "--all", "--check"],
    &[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ],
    // Without a target filter this runs documentation tests too.
    &["test", "--workspace"],
    &["doc", "--workspace", "--no-deps"],
];

/// Runs all steps and stops at the first that fails.
pub(crate) fn run() -> Result<()> {
    tidy::check()?;
    layers::check()?;
    features::check()?;
    codegen::check()?;
    STEPS.iter().try_for_each(|words| cargo(words))?;
    crate::say("ci: ok");
    Ok(())
}

fn cargo(words: &[&str]) -> Result<()> {
    let shown = words.join(" ");
    crate::say(&format!("ci: cargo {shown}"));
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let status = Command::new(program)
        .args(words)
        .env("RUSTDOCFLAGS", "-D warnings")
        .current_dir(tree::root())
        .status()
        .with_context(|| format!("run cargo {shown}"))?;
    ensure!(status.success(), "cargo {shown} failed");
    Ok(())
}
