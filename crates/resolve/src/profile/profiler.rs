//! Asks the systems, all at once, each within its time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use arrow_array::RecordBatch;
use futures::future::join_all;
use sameas_record::{FieldKind, Normalizer};
use sameas_source::{FieldMapping, ScanRequest, SourceSettings};

use super::survive::{Candidate, survive};
use super::value::Cells;
use super::{MemberState, Profile, ProfileError, ProfileField, ProfileMember};
use crate::Settings;
use crate::opened::{OpenedSources, Waiting};

/// Makes profiles, and keeps the sources open from one to the next; of values it keeps nothing.
pub struct Profiler {
    settings: Settings,
    sources: OpenedSources,
}

impl fmt::Debug for Profiler {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Profiler")
            .field("source_count", &self.settings.sources.len())
            .finish_non_exhaustive()
    }
}

/// Asks the systems for the records of one entity, (source, key) each, and for these fields of
/// them, or for all fields if none is named. Sources may take so long, or as long as the settings
/// say; then files of this machine are read to their end.
///
/// # Errors
/// Fields that no source has. What systems fail with is told in the profile, not as an error.
pub async fn profile(
    settings: &Settings,
    members: &[(String, String)],
    fields: &[String],
    time: Option<Duration>,
) -> Result<Profile, ProfileError> {
    let mut settings = settings.clone();
    let waiting = match time {
        Some(time) => {
            settings.profile.timeout_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            Waiting::Within(time)
        }
        None => Waiting::ToTheEnd,
    };
    let all = || settings.mapped_fields().into_iter().map(str::to_owned);
    let fields = match fields {
        [] => all().collect(),
        fields => fields.to_vec(),
    };
    let profiler = Profiler::new(settings);
    profiler.profile(members, &fields, waiting).await
}

impl Profiler {
    /// Opens nothing yet.
    pub fn new(settings: Settings) -> Self {
        let sources = OpenedSources::new(&settings.sources, &settings.base);
        Self { settings, sources }
    }

    /// Asks the systems for the records of one entity, (source, key) each, and for these fields of
    /// them.
    ///
    /// Dropping the future ends what the systems were asked. What a file or a driver's table is like
    /// is learnt to the end all the same, once for all who ask.
    ///
    /// # Errors
    /// Fields that no source has. What systems fail with is told in the profile, not as an error.
    pub async fn profile(
        &self,
        members: &[(String, String)],
        fields: &[String],
        waiting: Waiting,
    ) -> Result<Profile, ProfileError> {
        let known = self.settings.mapped_fields();
        if let Some(field) = fields.iter().find(|field| !known.contains(field.as_str())) {
            return Err(ProfileError::UnknownField {
                field: field.clone(),
                known: known.into_iter().collect::<Vec<_>>().join(", "),
            });
        }
        let wanted: BTreeSet<&str> = fields.iter().map(String::as_str).collect();
        let asked = members_by_source(members);
        let mut asking = Vec::new();
        for (&name, keys) in &asked {
            let answer = self.ask(name, keys, &wanted, waiting);
            asking.push(async move { (name, answer.await) });
        }
        let answers: Answers<'_> = join_all(asking).await.into_iter().collect();
        Ok(Profile {
            fields: self.fields(&wanted, &answers),
            members: states(members, &answers),
        })
    }

    /// Chooses the values of the fields.
    fn fields(&self, wanted: &BTreeSet<&str>, answers: &Answers<'_>) -> Vec<ProfileField> {
        let ranks = ranks(&self.settings);
        let mut by_field: BTreeMap<&str, Vec<&Candidate>> = BTreeMap::new();
        for candidate in answers.values().flatten().flat_map(|a| &a.candidates) {
            by_field
                .entry(&candidate.field)
                .or_default()
                .push(candidate);
        }
        let fields = wanted.iter().map(|&field| {
            let rule = self.settings.profile.keep.get(field).copied();
            let rule = rule.unwrap_or_default();
            let candidates = by_field.get(field).map_or(&[][..], Vec::as_slice);
            ProfileField {
                field: field.to_owned(),
                rule,
                values: survive(candidates, rule, &ranks),
            }
        });
        fields.collect()
    }

    /// Asks one source, within its time.
    async fn ask(
        &self,
        name: &str,
        keys: &[&str],
        wanted: &BTreeSet<&str>,
        waiting: Waiting,
    ) -> Result<Answer, MemberState> {
        let mut sources = self.settings.sources.iter();
        let source = sources.find(|source| source.name == name);
        let source = source.ok_or_else(|| {
            let reason = "the settings have no source of this name any more";
            MemberState::Unread(reason.to_owned())
        })?;
        let most = Duration::from_millis(self.settings.profile.timeout_ms);
        let time = waiting.time_of(source, most);
        let fetched = tokio::time::timeout(time, self.fetch(source, keys, wanted));
        if let Ok(answer) = fetched.await {
            return answer.map_err(MemberState::Unread);
        }
        // A caller that did not wait tells nothing about the source.
        if time >= most {
            self.sources.forget(name);
        }
        let reason = format!("no answer within {} ms", time.as_millis());
        Err(MemberState::Late(reason))
    }

    async fn fetch(
        &self,
        source: &SourceSettings,
        keys: &[&str],
        wanted: &BTreeSet<&str>,
    ) -> Result<Answer, String> {
        let mut asked = source.clone();
        asked
            .fields
            .retain(|field, _| wanted.contains(field.as_str()));
        let (mut request, columns) = ScanRequest::for_settings(&asked);
        let updated = asked.updated.as_ref().map(|text| {
            request.columns.push(text.clone());
            request.columns.len()
        });
        let batches = self.sources.fetch(&source.name, &request, keys).await;
        let mut answer = Answer::default();
        for batch in batches.map_err(|error| error.to_string())? {
            answer.take(&self.settings, &asked, &columns, updated, &batch);
        }
        Ok(answer)
    }
}

fn members_by_source(members: &[(String, String)]) -> BTreeMap<&str, Vec<&str>> {
    let mut by_source: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (source, key) in members {
        by_source.entry(source).or_default().push(key);
    }
    by_source
}

fn states(members: &[(String, String)], answers: &Answers<'_>) -> Vec<ProfileMember> {
    let members = members.iter().map(|(source, key)| ProfileMember {
        source: source.clone(),
        key: key.clone(),
        state: match answers.get(source.as_str()) {
            Some(Ok(answer)) if answer.found.contains(key) => MemberState::Read,
            Some(Err(state)) => state.clone(),
            Some(Ok(_)) | None => MemberState::Gone,
        },
    });
    members.collect()
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

/// What became of asking each source.
type Answers<'s> = BTreeMap<&'s str, Result<Answer, MemberState>>;

/// What one source told.
#[derive(Default)]
struct Answer {
    found: BTreeSet<String>,
    candidates: Vec<Candidate>,
}

impl Answer {
    /// Takes the values of a batch: the key, then the columns.
    fn take(
        &mut self,
        settings: &Settings,
        source: &SourceSettings,
        columns: &[Vec<usize>],
        updated: Option<usize>,
        batch: &RecordBatch,
    ) {
        let locale = source.locale();
        let cells: Vec<Cells> = batch.columns().iter().map(Cells::of).collect();
        let fields = source.fields.iter().zip(columns);
        let fields = fields.map(|((field, mapping), columns)| {
            let kind = settings.fields.get(field).copied();
            let kind = kind.unwrap_or_else(|| FieldKind::of_name(field));
            let part = match mapping {
                FieldMapping::Part { part, .. } => Some(*part),
                FieldMapping::From(_) => None,
            };
            let normalizer = Normalizer::new(kind, part, &locale);
            (field, columns, part.is_some(), normalizer)
        });
        let fields: Vec<_> = fields.collect();
        for row in 0..batch.num_rows() {
            let texts_of = |column: usize| cells.get(column).map_or(Vec::new(), |c| c.texts(row));
            let Some(key) = texts_of(0).pop() else {
                continue;
            };
            let updated = updated.and_then(|column| cells.get(column));
            let version = updated.and_then(|cells| cells.number(row));
            let updated = updated.and_then(|cells| cells.moment(row));
            for (field, columns, is_part, normalizer) in &fields {
                let raw = columns.iter().flat_map(|&column| texts_of(column + 1));
                for (position, raw) in raw.enumerate() {
                    let mut meaning = String::new();
                    if !normalizer.normalize(&raw, &mut meaning) {
                        continue;
                    }
                    // Of a composite value the part is what the field has.
                    let raw = match is_part {
                        true => normalizer.spelling(&raw, &meaning).unwrap_or(&meaning),
                        false => &raw,
                    };
                    self.candidates.push(Candidate {
                        field: (*field).clone(),
                        raw: raw.to_owned(),
                        meaning,
                        source: source.name.clone(),
                        key: key.clone(),
                        updated,
                        version,
                        position,
                    });
                }
            }
            self.found.insert(key);
        }
    }
}
