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
}

/// What was checked, newest first.
#[derive(Debug, Serialize)]
struct VerifyAnswer {
    whole: bool,
    revisions: Vec<RevisionAnswer>,
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
        text
    }
}

pub(super) fn run(shared: &Shared, args: &VerifyArgs) -> Result<Outcome> {
    let folder = graph::folder(&job::settings(shared)?)?;
    let revisions = revisions(&folder, args.all)?;
    let whole = revisions.iter().all(|revision| revision.damage.is_none());
    output::print(shared.format, &VerifyAnswer { whole, revisions })?;
    Ok(if whole { Outcome::Done } else { Outcome::No })
}

fn revisions(folder: &GraphFolder, all: bool) -> Result<Vec<RevisionAnswer>> {
    let (newest, number) = match folder.current() {
        Ok(Some(snapshot)) => (checked(&snapshot), Some(snapshot.revision())),
        Ok(None) => anyhow::bail!("nothing is published yet; run `sameas rebuild` first"),
        Err(error) => (damaged(None, &error.into()), None),
    };
    let mut found = vec![RevisionAnswer {
        current: true,
        ..newest
    }];
    // A damaged newest revision leaves the question which older one could take its place.
    if all || found.iter().any(|newest| newest.damage.is_some()) {
        let older = folder.kept_revisions()?.into_iter().rev();
        found.extend(
            older
                .filter(|&kept| Some(kept) != number)
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
