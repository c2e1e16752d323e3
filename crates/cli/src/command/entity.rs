//! `sameas entity`: what a unified id stands for.

use std::fmt::Write as _;

use anyhow::Result;
use clap::Args as ClapArgs;
use sameas_graph::{EntityState, LineageEvent, LineageKind, UnifiedId};
use sameas_store::Snapshot;
use serde::Serialize;

use super::Outcome;
use crate::args::{Format, Shared};
use crate::output::{self, Answer};
use crate::{graph, job};

/// What `entity` takes.
#[derive(Debug, ClapArgs)]
pub(crate) struct EntityArgs {
    /// The unified id.
    unified_id: String,
}

/// An entity, past or present.
#[derive(Debug, Serialize)]
struct EntityAnswer {
    revision: u64,
    unified_id: String,
    state: &'static str,
    successors: Vec<String>,
    members: Vec<MemberAnswer>,
    history: Vec<EventAnswer>,
}

/// One record of an entity.
#[derive(Debug, Serialize)]
struct MemberAnswer {
    source: String,
    key: String,
    since: u64,
}

/// One line of an entity's history.
#[derive(Debug, Serialize)]
struct EventAnswer {
    revision: u64,
    event: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    into: Vec<String>,
}

impl Answer for EntityAnswer {
    fn text(&self) -> String {
        let mut text = format!("{} {}\n", self.unified_id, self.state);
        for successor in &self.successors {
            let _ = writeln!(text, "  now {successor}");
        }
        for MemberAnswer { source, key, since } in &self.members {
            let _ = writeln!(text, "  {source} {key}  since revision {since}");
        }
        for EventAnswer {
            revision,
            event,
            into,
        } in &self.history
        {
            let _ = write!(text, "  revision {revision}: {event}");
            for id in into {
                let _ = write!(text, " {id}");
            }
            text.push('\n');
        }
        text
    }
}

pub(super) fn run(shared: &Shared, args: &EntityArgs) -> Result<Outcome> {
    let id = graph::unified_id(&args.unified_id)?;
    let snapshot = graph::snapshot(&job::settings(shared)?)?;
    let answer = entity(&snapshot, id)?;
    let is_known = answer.state != "unknown";
    if is_known || shared.format == Format::Json {
        output::print(shared.format, &answer)?;
    }
    if is_known {
        return Ok(Outcome::Done);
    }
    output::note(&format!(
        "{id} was never issued, as of revision {}",
        snapshot.revision()
    ));
    Ok(Outcome::No)
}

fn entity(snapshot: &Snapshot, id: UnifiedId) -> Result<EntityAnswer> {
    let state = match snapshot.state_of(id)? {
        EntityState::Active => "active",
        EntityState::Merged { .. } => "merged",
        EntityState::Split { .. } => "split",
        EntityState::Retired { .. } => "retired",
        EntityState::Unknown => "unknown",
    };
    let mut members = Vec::new();
    if let Some(view) = snapshot.entity(id)? {
        for member in view.members() {
            let member = member?;
            let (source, key) = (member.source.to_owned(), member.key.to_owned());
            members.push(MemberAnswer {
                source,
                key,
                since: member.since.get(),
            });
        }
    }
    let current = snapshot
        .current_ids(id)?
        .into_iter()
        .filter(|&current| current != id);
    let history = snapshot.history(id)?.unwrap_or_default();
    Ok(EntityAnswer {
        revision: snapshot.revision().get(),
        unified_id: id.to_string(),
        state,
        successors: current.map(|id| id.to_string()).collect(),
        members,
        history: history.into_iter().map(event).collect(),
    })
}

fn event(event: LineageEvent) -> EventAnswer {
    let (name, into) = match event.kind {
        LineageKind::Born => ("born", Vec::new()),
        LineageKind::Merged { into } => ("merged into", vec![into]),
        LineageKind::Split { into } => ("split into", into),
        LineageKind::Retired => ("retired", Vec::new()),
        LineageKind::Revived => ("revived", Vec::new()),
    };
    let into = into.into_iter().map(|id| id.to_string()).collect();
    EventAnswer {
        revision: event.revision.get(),
        event: name,
        into,
    }
}
