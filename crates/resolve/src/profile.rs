//! The profile of an entity: what its systems say of it, asked at the moment of asking.
//!
//! Every source is asked for its own members, all at once, each with a deadline; of all values of
//! a field one survives, by a rule, and what differs stays beside it. A source that does not
//! answer in time leaves a gap that is told. Nothing is kept.

mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use arrow_array::RecordBatch;
use futures::future::join_all;
use sameas_record::{FieldKind, Locale, Normalizer};
use sameas_source::{FETCH_KEYS_MAX, FieldMapping, ScanRequest, Source, SourceSettings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::value::{Cells, Moment};
use crate::Settings;

/// Which value of a field survives when records differ.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Survivorship {
    /// That of the first source in `order`.
    #[default]
    SourceOrder,
    /// That of the record changed last, told by the `updated` column of its source.
    MostRecent,
    /// The one that most records agree on.
    MostFrequent,
    /// The one with the most characters.
    Longest,
}

/// How profiles are made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProfileSettings {
    /// How long a source may take to answer, in milliseconds.
    pub timeout_ms: u64,
    /// The sources, most trusted first; sources that are not named follow in the order of the
    /// settings. Decides, too, where a rule leaves a tie.
    pub order: Vec<String>,
    /// Fields that profiles alone show: mapped, but not compared, and not read by a rebuild.
    pub only: Vec<String>,
    /// The rule of each field; `source_order` where none is set.
    pub keep: BTreeMap<String, Survivorship>,
}

impl Default for ProfileSettings {
    fn default() -> Self {
        Self {
            timeout_ms: 2_000,
            order: Vec::new(),
            only: Vec::new(),
            keep: BTreeMap::new(),
        }
    }
}

/// A record of the entity, and whether its system told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProfileMember {
    /// Its source.
    pub source: String,
    /// Its key.
    pub key: String,
    /// What became of asking for it.
    pub state: MemberState,
}

impl ProfileMember {
    fn is_unread(&self) -> bool {
        matches!(self.state, MemberState::Unread(_))
    }
}

/// What became of asking for a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "reason")]
pub enum MemberState {
    /// It was read.
    Read,
    /// Its system has no such record any more, or `where` leaves it out.
    Gone,
    /// Its system did not tell; the reason names no value.
    Unread(String),
}

/// A value and where it comes from. `Debug` prints no value.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct ProfileValue {
    /// The value as its system has it.
    pub value: String,
    /// The records that say so, source and key, best first: the first says it in these letters,
    /// the others in letters that mean the same.
    pub records: Vec<(String, String)>,
    /// When the first record was changed, if its source says so (RFC 3339, UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<String>,
}

/// What is known of one field. `Debug` prints no value.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct ProfileField {
    /// Its canonical name.
    pub field: String,
    /// The rule that chose the value.
    pub rule: Survivorship,
    /// The value that survives, then those that differ from it; none if no record has one.
    pub values: Vec<ProfileValue>,
}

/// What the systems of an entity say of it. `Debug` prints no value.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// The fields, by name.
    pub fields: Vec<ProfileField>,
    /// The records, in the order asked.
    pub members: Vec<ProfileMember>,
}

impl fmt::Debug for ProfileValue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ProfileValue")
            .field("record_count", &self.records.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ProfileField {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ProfileField")
            .field("field", &self.field)
            .field("value_count", &self.values.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Profile")
            .field("field_count", &self.fields.len())
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}

impl Profile {
    /// Returns whether some system did not tell what it has.
    pub fn is_partial(&self) -> bool {
        self.members.iter().any(ProfileMember::is_unread)
    }

    /// Returns whether no system told anything.
    pub fn is_silent(&self) -> bool {
        self.members.iter().all(ProfileMember::is_unread)
    }
}

/// Why no profile could be made at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// A field that no source maps.
    #[error("no source has the field {field:?}; fields are {known}")]
    UnknownField {
        /// What was asked for.
        field: String,
        /// The fields there are.
        known: String,
    },
}

/// Asks the systems for the records of one entity, (source, key) each, and for these fields of
/// them, or for all fields if none is named.
///
/// # Errors
/// Fields that no source has. What systems fail with is told in the profile, not as an error.
pub async fn profile(
    settings: &Settings,
    members: &[(String, String)],
    fields: &[String],
) -> Result<Profile, ProfileError> {
    let known = settings.mapped_fields();
    if let Some(field) = fields.iter().find(|field| !known.contains(field.as_str())) {
        return Err(ProfileError::UnknownField {
            field: field.clone(),
            known: known.into_iter().collect::<Vec<_>>().join(", "),
        });
    }
    let wanted: BTreeSet<&str> = match fields {
        [] => known,
        fields => fields.iter().map(String::as_str).collect(),
    };
    let asked = members_by_source(members);
    let wanted_here = &wanted;
    let answers = asked.iter().map(|(&name, keys)| async move {
        let answer = ask(settings, name, keys, wanted_here).await;
        (name, answer)
    });
    let answers: BTreeMap<&str, _> = join_all(answers).await.into_iter().collect();
    let mut candidates = Vec::new();
    for answer in answers.values() {
        candidates.extend(answer.iter().flat_map(|answer| &answer.candidates).cloned());
    }
    let ranks = ranks(settings);
    let fields = wanted.into_iter().map(|field| {
        let rule = settings
            .profile
            .keep
            .get(field)
            .copied()
            .unwrap_or_default();
        let of_field = candidates.iter().filter(|c| c.field == field).cloned();
        let values = survive(&of_field.collect::<Vec<_>>(), rule, &ranks);
        let field = field.to_owned();
        ProfileField {
            field,
            rule,
            values,
        }
    });
    let fields = fields.collect();
    let members = members.iter().map(|(source, key)| ProfileMember {
        source: source.clone(),
        key: key.clone(),
        state: match answers.get(source.as_str()) {
            Some(Ok(answer)) if answer.found.contains(key) => MemberState::Read,
            Some(Err(reason)) => MemberState::Unread(reason.clone()),
            Some(Ok(_)) | None => MemberState::Gone,
        },
    });
    Ok(Profile {
        fields,
        members: members.collect(),
    })
}

fn members_by_source(members: &[(String, String)]) -> BTreeMap<&str, Vec<&str>> {
    let mut by_source: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (source, key) in members {
        by_source.entry(source).or_default().push(key);
    }
    by_source
}

/// Returns how much each source is trusted, the most trusted first.
fn ranks(settings: &Settings) -> BTreeMap<&str, usize> {
    let named = settings.profile.order.iter().map(String::as_str);
    let others = settings.sources.iter().map(|source| source.name.as_str());
    let mut ranks = BTreeMap::new();
    for name in named.chain(others) {
        let next = ranks.len();
        ranks.entry(name).or_insert(next);
    }
    ranks
}

/// A value that some record has in a field.
#[derive(Clone)]
struct Candidate {
    field: String,
    raw: String,
    /// What it means: equal for values that only letters, case or signs tell apart.
    meaning: String,
    source: String,
    key: String,
    updated: Option<Moment>,
    /// Where it stands among the values of its record.
    position: usize,
}

/// What one source told.
struct Answer {
    found: BTreeSet<String>,
    candidates: Vec<Candidate>,
}

/// Asks one source, within its time.
async fn ask(
    settings: &Settings,
    name: &str,
    keys: &[&str],
    wanted: &BTreeSet<&str>,
) -> Result<Answer, String> {
    let source = settings.sources.iter().find(|source| source.name == name);
    let source = source.ok_or("the settings have no source of this name any more")?;
    let time = Duration::from_millis(settings.profile.timeout_ms);
    match tokio::time::timeout(time, fetch(settings, source, keys, wanted)).await {
        Ok(answer) => answer,
        Err(_) => Err(format!(
            "no answer within {} ms",
            settings.profile.timeout_ms
        )),
    }
}

async fn fetch(
    settings: &Settings,
    source_settings: &SourceSettings,
    keys: &[&str],
    wanted: &BTreeSet<&str>,
) -> Result<Answer, String> {
    let mut asked = source_settings.clone();
    asked
        .fields
        .retain(|field, _| wanted.contains(field.as_str()));
    let (mut request, columns) = ScanRequest::for_settings(&asked);
    let updated = asked.updated.as_ref().map(|text| {
        request.columns.push(text.clone());
        request.columns.len()
    });
    let source = Source::open(&asked, &settings.base).await;
    let source = source.map_err(|error| told(&error))?;
    source.updated_kind().map_err(|error| told(&error))?;
    let mut answer = Answer {
        found: BTreeSet::new(),
        candidates: Vec::new(),
    };
    for keys in keys.chunks(FETCH_KEYS_MAX) {
        let batches = source.fetch(&request, keys).await;
        for batch in batches.map_err(|error| told(&error))? {
            take(&mut answer, settings, &asked, &columns, updated, &batch);
        }
    }
    Ok(answer)
}

/// Takes the values of a batch: the key, then the columns.
fn take(
    answer: &mut Answer,
    settings: &Settings,
    source: &SourceSettings,
    columns: &[Vec<usize>],
    updated: Option<usize>,
    batch: &RecordBatch,
) {
    let locale = Locale {
        region: source.region.clone(),
        date_order: source.date_order,
    };
    let cells: Vec<Cells> = batch.columns().iter().map(Cells::of).collect();
    let fields = source.fields.iter().zip(columns);
    let fields = fields.map(|((field, mapping), columns)| {
        let kind = settings.fields.get(field).copied();
        let kind = kind.unwrap_or_else(|| FieldKind::of_name(field));
        let part = match mapping {
            FieldMapping::Part { part, .. } => Some(*part),
            FieldMapping::From(_) => None,
        };
        (field, columns, part, Normalizer::new(kind, part, &locale))
    });
    let fields: Vec<_> = fields.collect();
    for row in 0..batch.num_rows() {
        let texts_of = |column: usize| cells.get(column).map_or(Vec::new(), |c| c.texts(row));
        let Some(key) = texts_of(0).pop() else {
            continue;
        };
        let updated = updated.and_then(|column| cells.get(column)?.moment(row));
        for (field, columns, part, normalizer) in &fields {
            let raw = columns.iter().flat_map(|&column| texts_of(column + 1));
            for (position, raw) in raw.enumerate() {
                let mut meaning = String::new();
                if !normalizer.normalize(&raw, &mut meaning) {
                    continue;
                }
                answer.candidates.push(Candidate {
                    field: (*field).clone(),
                    // Of a composite value the part is what the field has.
                    raw: if part.is_some() { meaning.clone() } else { raw },
                    meaning,
                    source: source.name.clone(),
                    key: key.clone(),
                    updated,
                    position,
                });
            }
        }
        answer.found.insert(key);
    }
}

/// Returns the value that survives, and after it those that differ, best first.
fn survive(
    candidates: &[Candidate],
    rule: Survivorship,
    ranks: &BTreeMap<&str, usize>,
) -> Vec<ProfileValue> {
    let mut by_meaning: BTreeMap<&str, Vec<&Candidate>> = BTreeMap::new();
    for candidate in candidates {
        by_meaning
            .entry(&candidate.meaning)
            .or_default()
            .push(candidate);
    }
    let rank = |candidate: &Candidate| ranks.get(candidate.source.as_str()).copied();
    // Smaller is better; the last two make the order total.
    let place = |candidate: &Candidate| {
        (
            rank(candidate).unwrap_or(usize::MAX),
            candidate.position,
            std::cmp::Reverse(candidate.updated),
            candidate.key.clone(),
            candidate.raw.clone(),
        )
    };
    let record_count = |group: &[&Candidate]| {
        let records = group.iter().map(|c| (c.source.as_str(), c.key.as_str()));
        records.collect::<BTreeSet<_>>().len()
    };
    let score = |group: &[&Candidate]| match rule {
        Survivorship::SourceOrder => 0,
        Survivorship::MostRecent => {
            let newest = group.iter().filter_map(|candidate| candidate.updated).max();
            newest.map_or(i64::MIN, Moment::micros)
        }
        Survivorship::MostFrequent => record_count(group) as i64,
        Survivorship::Longest => {
            let len = |candidate: &&Candidate| candidate.raw.chars().count() as i64;
            group.iter().map(len).max().unwrap_or(0)
        }
    };
    let mut groups: Vec<Vec<&Candidate>> = by_meaning.into_values().collect();
    for group in &mut groups {
        group.sort_by_cached_key(|candidate| {
            let own = score(&[*candidate]);
            let own = if rule == Survivorship::MostFrequent {
                0
            } else {
                own
            };
            (std::cmp::Reverse(own), place(candidate))
        });
    }
    groups.sort_by_cached_key(|group| {
        let best = group.iter().map(|candidate| place(candidate)).min();
        (std::cmp::Reverse(score(group)), best)
    });
    groups.iter().filter_map(|group| value_of(group)).collect()
}

fn value_of(group: &[&Candidate]) -> Option<ProfileValue> {
    let best = group.first()?;
    let mut seen = BTreeSet::new();
    let records = group.iter().map(|c| (c.source.clone(), c.key.clone()));
    Some(ProfileValue {
        value: best.raw.clone(),
        records: records
            .filter(|record| seen.insert(record.clone()))
            .collect(),
        updated: best.updated.map(|moment| moment.to_string()),
    })
}

/// Tells an error of a source with its cause, neither of which quotes a value.
fn told(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn candidate(source: &str, key: &str, raw: &str, updated: Option<i64>) -> Candidate {
        Candidate {
            field: "name".to_owned(),
            raw: raw.to_owned(),
            meaning: raw.to_lowercase(),
            source: source.to_owned(),
            key: key.to_owned(),
            updated: updated.map(Moment::of_micros),
            position: 0,
        }
    }

    #[test]
    fn each_rule_keeps_its_value_and_tells_the_others() {
        let candidates = vec![
            candidate("crm", "1", "Ann", Some(5)),
            candidate("shop", "2", "ANNA", Some(9)),
            candidate("shop", "3", "Anna", None),
            candidate("desk", "4", "Annabelle", Some(1)),
        ];
        let ranks = BTreeMap::from([("crm", 0), ("desk", 1), ("shop", 2)]);
        for (rule, expected) in [
            (Survivorship::SourceOrder, ["Ann", "Annabelle", "ANNA"]),
            (Survivorship::MostRecent, ["ANNA", "Ann", "Annabelle"]),
            (Survivorship::MostFrequent, ["ANNA", "Ann", "Annabelle"]),
            (Survivorship::Longest, ["Annabelle", "ANNA", "Ann"]),
        ] {
            let values = survive(&candidates, rule, &ranks);
            let found: Vec<&str> = values.iter().map(|value| value.value.as_str()).collect();
            assert_eq!(found, expected, "{rule:?}");
            let anna = values.iter().find(|value| value.value == "ANNA").unwrap();
            assert_eq!(anna.records.len(), 2, "who means the same agrees");
            assert_eq!(anna.updated.as_deref(), Some("1970-01-01T00:00:00.000009Z"));
        }
    }

    #[test]
    fn the_order_of_arrival_changes_nothing() {
        let mut candidates = vec![
            candidate("crm", "2", "Ann", None),
            candidate("crm", "1", "Bea", None),
            candidate("crm", "3", "Cleo", None),
        ];
        let ranks = BTreeMap::from([("crm", 0)]);
        let first = survive(&candidates, Survivorship::SourceOrder, &ranks);
        candidates.reverse();
        let second = survive(&candidates, Survivorship::SourceOrder, &ranks);
        assert!(first == second && first[0].value == "Bea");
    }
}
