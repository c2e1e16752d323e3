//! `sameas verify`: are the published revisions whole?

use std::fmt::Write as _;

use anyhow::Result;
use clap::Args as ClapArgs;
use sameas_graph::Revision;
use sameas_store::{GraphFolder, Snapshot};
use serde::Serialize;

use super::Outcome;
use crate::args::Shared;
use crate::output::{self, Answer};
use crate::{graph, job};

/// What `verify` takes.
#[derive(Debug, ClapArgs)]
pub(crate) struct VerifyArgs {
    /// Checks all kept revisions, not only the newest.
    #[arg(long)]
    all: bool,
    /// Makes a kept revision current again, if it is sound; the next rebuild follows it.
    #[arg(long, value_name = "REVISION")]
    go_back: Option<u64>,
    /// Goes back although a newer revision is whole; ids first issued there no longer resolve.
    #[arg(long, requires = "go_back")]
    forget_newer: bool,
}

/// What was checked, newest first.
#[derive(Debug, Serialize)]
struct VerifyAnswer {
    whole: bool,
    revisions: Vec<RevisionAnswer>,
    /// What to do about a current revision that is damaged or lost.
    remedy: Option<Remedy>,
}

/// How a graph comes back to work.
#[derive(Debug, Serialize)]
struct Remedy {
    /// The newest revision that is sound, if one is.
    go_back: Option<u64>,
    /// The command that goes back to it.
    command: Option<String>,
}

/// What one revision is like.
#[derive(Debug, Serialize)]
struct RevisionAnswer {
    /// Absent if the newest cannot even be told.
    revision: Option<u64>,
    current: bool,
    damage: Option<String>,
    references: Option<u64>,
    entities: Option<u64>,
    edges: Option<u64>,
    bytes: Option<u64>,
}

impl Answer for VerifyAnswer {
    fn text(&self) -> String {
        let mut text = String::new();
        for found in &self.revisions {
            let name = found
                .revision
                .map_or("newest".to_owned(), |number| number.to_string());
            let current = if found.current { " (current)" } else { "" };
            let _ = match &found.damage {
                Some(damage) => writeln!(text, "revision {name}{current}: damaged: {damage}"),
                None => writeln!(
                    text,
                    "revision {name}{current}: whole: {} references, {} entities, {} edges, {} bytes",
                    found.references.unwrap_or_default(),
                    found.entities.unwrap_or_default(),
                    found.edges.unwrap_or_default(),
                    found.bytes.unwrap_or_default(),
                ),
            };
        }
        if let Some(remedy) = &self.remedy {
            let _ = writeln!(text, "{}", remedy.text());
        }
        text
    }
}

impl Remedy {
    /// Returns what helps if the current revision is not sound.
    fn of(shared: &Shared, revisions: &[RevisionAnswer]) -> Option<Self> {
        let is_bad = |found: &RevisionAnswer| found.current && found.damage.is_some();
        if !revisions.iter().any(is_bad) {
            return None;
        }
        let mut sound = revisions.iter().filter(|found| found.damage.is_none());
        let go_back = sound.find_map(|found| found.revision);
        let command =
            go_back.map(|revision| format!("sameas verify --go-back {revision}{}", config(shared)));
        Some(Self { go_back, command })
    }

    fn text(&self) -> String {
        match (self.go_back, &self.command) {
            (Some(revision), Some(command)) => format!(
                "restore the current revision from a backup, or go back to revision {revision}, the newest that is sound:\n  {command}"
            ),
            _ => "no revision that is kept is sound: restore the graph folder from a backup, or name a new one in [graph] path, whose ids start anew".to_owned(),
        }
    }
}

/// Returns the flag that names the settings file, as a shell takes it; nothing if it is the default.
fn config(shared: &Shared) -> String {
    let path = shared.config.to_string_lossy();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
    if path == "sameas.toml" {
        String::new()
    } else if path.chars().all(is_plain) {
        format!(" --config {path}")
    } else {
        format!(" --config '{}'", path.replace('\'', "'\\''"))
    }
}

pub(super) fn run(shared: &Shared, args: &VerifyArgs) -> Result<Outcome> {
    let folder = graph::folder(&job::settings(shared)?)?;
    if let Some(revision) = args.go_back {
        refuse_unkept(&folder, revision)?;
        if !args.forget_newer {
            refuse_forgetting(&folder, revision)?;
        }
        let publisher = folder.publisher()?;
        publisher.go_back_to(Revision::new(revision), job::now_ms()?)?;
        output::note(&format!(
            "revision {revision} is current; the next rebuild follows it, under a number of its own"
        ));
    }
    let revisions = revisions(&folder, args.all)?;
    let whole = revisions.iter().all(|revision| revision.damage.is_none());
    let answer = VerifyAnswer {
        whole,
        remedy: Remedy::of(shared, &revisions),
        revisions,
    };
    output::print(shared.format, &answer)?;
    Ok(if whole { Outcome::Done } else { Outcome::No })
}

/// Refuses to go back to a revision that there is not.
fn refuse_unkept(folder: &GraphFolder, revision: u64) -> Result<()> {
    let kept = folder.kept_revisions()?;
    if kept.contains(&Revision::new(revision)) {
        return Ok(());
    }
    let kept: Vec<u64> = kept.into_iter().map(Revision::get).collect();
    anyhow::bail!("there is no revision {revision}; {}", kept_text(&kept))
}

/// Names revisions in order, runs of them by their ends.
fn kept_text(kept: &[u64]) -> String {
    let runs = kept.chunk_by(|a, b| a + 1 == *b);
    let runs = runs.filter_map(|run| match (run.first()?, run.last()?) {
        (one, other) if one == other => Some(one.to_string()),
        (first, last) => Some(format!("{first} to {last}")),
    });
    let runs: Vec<String> = runs.collect();
    match kept.len() {
        0 => "none is kept".to_owned(),
        1 => format!("kept is {}", runs.concat()),
        _ => format!("kept are {}", runs.join(", ")),
    }
}

/// Refuses to go back behind a newer revision that could be served.
fn refuse_forgetting(folder: &GraphFolder, revision: u64) -> Result<()> {
    let revisions = revisions(folder, true)?;
    let is_newer = |found: &&RevisionAnswer| {
        found.damage.is_none() && found.revision.is_some_and(|number| number > revision)
    };
    if let Some(newer) = revisions.iter().find(is_newer) {
        anyhow::bail!(
            "revision {} is whole and newer than {revision}: ids first issued after {revision} would no longer resolve; add --forget-newer to go back all the same",
            newer.revision.unwrap_or_default()
        );
    }
    Ok(())
}

fn revisions(folder: &GraphFolder, all: bool) -> Result<Vec<RevisionAnswer>> {
    let (newest, number) = match folder.current() {
        Ok(Some(snapshot)) => match folder.next_revision() {
            Ok(_) => (checked(&snapshot), Some(snapshot.revision())),
            // An old `current` names a sound snapshot, and yet nothing may follow it.
            Err(error) => (damaged(None, &error.into()), None),
        },
        Ok(None) => anyhow::bail!("nothing is published yet; run `sameas rebuild` first"),
        Err(error) => (damaged(None, &error.into()), None),
    };
    let mut found = vec![RevisionAnswer {
        current: true,
        ..newest
    }];
    // A damaged newest revision leaves the question which older one could take its place.
    if all || found.iter().any(|newest| newest.damage.is_some()) {
        // What is not published although its `current` can be trusted was left by a publisher that
        // died: the next one removes it, so it is nothing to go back to.
        let next = folder.next_revision().ok();
        let is_published = |kept: Revision| next.is_none_or(|next| kept < next);
        let older = folder.kept_revisions()?.into_iter().rev();
        found.extend(
            older
                .filter(|&kept| Some(kept) != number && is_published(kept))
                .map(|kept| older_one(folder, kept)),
        );
    }
    Ok(found)
}

fn older_one(folder: &GraphFolder, revision: Revision) -> RevisionAnswer {
    match folder.snapshot(revision) {
        Ok(snapshot) => checked(&snapshot),
        Err(error) => damaged(Some(revision), &error.into()),
    }
}

fn checked(snapshot: &Snapshot) -> RevisionAnswer {
    if let Err(error) = snapshot.verify() {
        return damaged(Some(snapshot.revision()), &error.into());
    }
    RevisionAnswer {
        revision: Some(snapshot.revision().get()),
        current: false,
        damage: None,
        references: Some(snapshot.reference_count()),
        entities: Some(snapshot.entity_count()),
        edges: Some(snapshot.edge_count()),
        bytes: Some(snapshot.file_len()),
    }
}

fn damaged(revision: Option<Revision>, error: &anyhow::Error) -> RevisionAnswer {
    RevisionAnswer {
        revision: revision.map(Revision::get),
        current: false,
        damage: Some(output::error_text(error)),
        references: None,
        entities: None,
        edges: None,
        bytes: None,
    }
}

#[cfg(test)]
mod tests;
