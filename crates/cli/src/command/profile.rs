//! `sameas profile`: what the systems say of one customer, now.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args as ClapArgs;
use sameas_graph::UnifiedId;
use sameas_resolve::{
    MemberState, Profile, ProfileField, ProfileMember, ProfileValue, Settings, Survivorship,
    counted,
};
use sameas_store::Snapshot;
use serde::Serialize;

use super::Outcome;
use crate::args::{Format, Shared};
use crate::output::{self, Answer, one_line};
use crate::{graph, job};

/// The records that one profile asks its systems for.
const MEMBER_COUNT_MAX: usize = 10_000;

/// What `profile` takes.
#[derive(Debug, ClapArgs)]
pub(crate) struct ProfileArgs {
    /// A unified id, or a source and a key.
    #[arg(required = true, num_args = 1..=2, value_name = "ID | SOURCE KEY", allow_negative_numbers = true)]
    whose: Vec<String>,
    /// Only these fields, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "FIELD,…")]
    fields: Vec<String>,
    /// How long a source may take to answer, in milliseconds; when absent, as in the settings, and
    /// files of this machine are read to their end.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    timeout: Option<u64>,
}

/// A profile and the revision that says whose records it is made of.
#[derive(Serialize)]
struct ProfileAnswer {
    revision: u64,
    unified_id: String,
    is_partial: bool,
    #[serde(flatten)]
    profile: Profile,
}

impl Answer for ProfileAnswer {
    fn text(&self) -> String {
        let mut text = format!(
            "{}, {}, as of revision {}\n",
            self.unified_id,
            counted(self.profile.members.len() as u64, "record"),
            self.revision
        );
        let fields = &self.profile.fields;
        let width = fields.iter().map(|field| field.field.len()).max();
        for field in fields {
            push_field(&mut text, field, width.unwrap_or(0));
        }
        for ProfileMember { source, key, state } in &self.profile.members {
            let _ = match state {
                MemberState::Read => writeln!(text, "  {source} {}: read", one_line(key)),
                MemberState::Gone => writeln!(
                    text,
                    "  {source} {}: no longer in its system",
                    one_line(key)
                ),
                MemberState::Late(reason) | MemberState::Unread(reason) => {
                    writeln!(text, "  {source} {}: {reason}", one_line(key))
                }
            };
        }
        text
    }
}

fn push_field(text: &mut String, field: &ProfileField, width: usize) {
    let name = &field.field;
    let Some((kept, others)) = field.values.split_first() else {
        let _ = writeln!(text, "  {name:<width$}  -");
        return;
    };
    let _ = writeln!(
        text,
        "  {name:<width$}  {}  ({})",
        one_line(&kept.value),
        origin(kept)
    );
    for other in others {
        let _ = writeln!(
            text,
            "  {:<width$}    or {}  ({})",
            "",
            one_line(&other.value),
            origin(other)
        );
    }
}

fn origin(value: &ProfileValue) -> String {
    let records = value
        .records
        .iter()
        .map(|(source, key)| format!("{source} {}", one_line(key)));
    let records = records.collect::<Vec<_>>().join(", ");
    match &value.updated {
        Some(updated) => format!("{records}; changed {updated}"),
        None => records,
    }
}

pub(super) fn run(shared: &Shared, args: &ProfileArgs) -> Result<Outcome> {
    let settings = job::settings(shared)?;
    let snapshot = graph::snapshot(&settings)?;
    let id = match whose(&snapshot, &args.whose)? {
        Ok(id) => id,
        Err(absence) => {
            output::note(&absence);
            return Ok(Outcome::No);
        }
    };
    let members = members(&snapshot, id)?;
    let time = args.timeout.map(Duration::from_millis);
    let profile = sameas_resolve::profile(&settings, &members, &args.fields, time);
    let profile = job::run(shared, profile)??;
    let is_partial = profile.is_partial();
    let is_silent = profile.is_silent();
    let answer = ProfileAnswer {
        revision: snapshot.revision().get(),
        unified_id: id.to_string(),
        is_partial,
        profile,
    };
    output::print(shared.format, &answer)?;
    note_idle_rules(&settings);
    if is_silent {
        bail!("no system of this customer told what it has");
    }
    if is_partial && shared.format == Format::Text {
        output::note("the profile is partial: not every system told what it has");
    }
    Ok(Outcome::Done)
}

/// Notes the rules that have nothing to choose by.
fn note_idle_rules(settings: &Settings) {
    let tells = settings
        .sources
        .iter()
        .any(|source| source.updated.is_some());
    let recent = |rule: &Survivorship| *rule == Survivorship::MostRecent;
    if !tells && settings.profile.keep.values().any(recent) {
        output::note(
            "`most_recent` chose by the order of the sources: none of them has `updated`, which says \
             when a record was changed",
        );
    }
}

/// Finds the entity, or says what is not there.
fn whose(snapshot: &Snapshot, whose: &[String]) -> Result<std::result::Result<UnifiedId, String>> {
    match whose {
        [source, key] => {
            let located = graph::find(snapshot, source, key)?;
            Ok(located.map(|located| located.entity.id))
        }
        [id] => {
            let id = graph::unified_id(id)?;
            let current = snapshot.current_ids(id)?;
            match current.as_slice() {
                [only] => Ok(Ok(*only)),
                [] => Ok(Err(format!("{id} stands for nobody (any more)"))),
                several => {
                    let several: Vec<_> = several.iter().map(UnifiedId::to_string).collect();
                    Ok(Err(format!(
                        "{id} was split into {}; ask for one of them",
                        several.join(", ")
                    )))
                }
            }
        }
        _ => bail!("name a unified id, or a source and a key"),
    }
}

fn members(snapshot: &Snapshot, id: UnifiedId) -> Result<Vec<(String, String)>> {
    let view = snapshot.entity(id)?;
    let view = view.with_context(|| format!("{id} has no records in this revision"))?;
    let mut members = Vec::new();
    for member in view.members() {
        let member = member?;
        members.push((member.source.to_owned(), member.key.to_owned()));
        if members.len() > MEMBER_COUNT_MAX {
            bail!("{id} has more than {MEMBER_COUNT_MAX} records, too many for a profile");
        }
    }
    Ok(members)
}
