//! What `serve` offers to callers beyond the graph: values, asked of the systems.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use sameas_api::v1 as wire;
use sameas_resolve::{
    CallerRight, MemberState, Profile, ProfileField, ProfileValue, Profiler, Settings,
    Survivorship, Waiting,
};
use sameas_server::{
    ALTERNATIVE_COUNT_MAX, Answering, Callers, ProfileAnswer, ProfileQuestion, Profiles, Right,
    Rights, VALUE_REFERENCE_COUNT_MAX, Values, ValuesError,
};
use tokio::runtime::Runtime;
use tokio::task::{AbortHandle, JoinHandle};

use crate::args::Shared;
use crate::matches::Known;
use crate::{job, output};

/// How often the log repeats why a source cannot be asked.
const LOG_INTERVAL: Duration = Duration::from_mins(1);
/// How many reasons it tells in that time.
const LOGGED_COUNT_MAX: usize = 1_000;

/// Returns what the settings offer: nothing without callers.
pub(crate) fn offered(
    shared: &Shared,
    settings: &Settings,
    revision: u64,
    lookup_only: bool,
) -> Result<Values> {
    let needs_caller = settings.serve.lookup_needs_caller;
    if settings.callers.is_empty() || (lookup_only && !needs_caller) {
        return Ok(Values::default());
    }
    let mut values = Values::new(callers(settings)?);
    if needs_caller {
        values = values.with_caller_for_lookups();
    }
    if lookup_only {
        return Ok(values);
    }
    if is_wanted(settings, CallerRight::Profile) {
        values = values.with_profiles(Arc::new(Systems::new(shared, settings)?));
    }
    if is_wanted(settings, CallerRight::Find) {
        values = values.with_matches(Arc::new(Known::new(shared, settings, revision)?));
    }
    Ok(values)
}

fn is_wanted(settings: &Settings, right: CallerRight) -> bool {
    settings
        .callers
        .iter()
        .any(|caller| caller.may.contains(&right))
}

fn callers(settings: &Settings) -> Result<Callers> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).context("draw a random key")?;
    let mut callers = Callers::new(key);
    let tokens = settings.caller_tokens()?;
    for (caller, token) in settings.callers.iter().zip(&tokens) {
        let rights = Rights {
            may: caller.may.iter().map(|right| wire_right(*right)).collect(),
            fields: caller
                .fields
                .as_ref()
                .map(|fields| fields.iter().cloned().collect()),
        };
        callers.admit(&caller.name, token.reveal(), rights);
        if let Some(file) = caller.token.exposed_file(&settings.base) {
            let path = settings.base.join(file);
            output::note(&format!(
                "caller `{}`: everybody on this machine may read its token; end that with `chmod o= {}`",
                caller.name,
                path.display()
            ));
        }
    }
    Ok(callers)
}

fn wire_right(right: CallerRight) -> Right {
    match right {
        CallerRight::Find => Right::Find,
        CallerRight::Profile => Right::Profile,
    }
}

/// The systems of the settings, asked on threads of their own, so that look-ups never wait for
/// them.
struct Systems {
    /// Always there until it is dropped.
    runtime: Option<Runtime>,
    profiler: Arc<Profiler>,
    fields: Vec<String>,
    log: Arc<GapLog>,
}

impl Systems {
    fn new(shared: &Shared, settings: &Settings) -> Result<Self> {
        let fields = settings.mapped_fields().into_iter().map(str::to_owned);
        Ok(Self {
            runtime: Some(job::runtime(shared)?),
            profiler: Arc::new(Profiler::new(settings.clone())),
            fields: fields.collect(),
            log: Arc::default(),
        })
    }
}

impl Drop for Systems {
    fn drop(&mut self) {
        // Whoever drops it may be a task, which must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Ends a task when nobody waits for it any more.
pub(crate) struct Ending(AbortHandle);

impl Ending {
    pub(crate) fn of<T>(task: &JoinHandle<T>) -> Self {
        Self(task.abort_handle())
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Profiles for Systems {
    fn fields(&self) -> &[String] {
        &self.fields
    }

    fn profile(&self, question: ProfileQuestion) -> Answering<ProfileAnswer> {
        let (profiler, log) = (Arc::clone(&self.profiler), Arc::clone(&self.log));
        let Some(runtime) = &self.runtime else {
            return Box::pin(std::future::ready(Err(failed("the server is stopping"))));
        };
        let asking = runtime.spawn(async move {
            let ProfileQuestion {
                members,
                fields,
                include_alternatives,
                time,
            } = question;
            let profile = profiler
                .profile(&members, &fields, Waiting::Within(time))
                .await;
            profile.map(|profile| answer(profile, include_alternatives, &log))
        });
        let ending = Ending::of(&asking);
        Box::pin(async move {
            let _ending = ending;
            let told = asking
                .await
                .map_err(|_| failed("the task that asks has died"))?;
            told.map_err(|error| failed(&error.to_string()))
        })
    }
}

fn failed(reason: &str) -> ValuesError {
    let reason = reason.to_owned();
    ValuesError { reason }
}

fn answer(profile: Profile, include_alternatives: bool, log: &GapLog) -> ProfileAnswer {
    let mut gaps: BTreeMap<String, wire::ProfileGap> = BTreeMap::new();
    let members = profile.members.into_iter().map(|member| {
        let (state, reason) = match member.state {
            MemberState::Read => (wire::ProfileMemberState::Read, None),
            MemberState::Gone => (wire::ProfileMemberState::Gone, None),
            MemberState::Late(reason) => (wire::ProfileMemberState::Unread, Some(reason)),
            MemberState::Unread(reason) => {
                log.note(&member.source, &reason);
                // Where a system lies, and who may read it, is the operator's business.
                let reason = "its system cannot be read now; the server's log says why";
                (wire::ProfileMemberState::Unread, Some(reason.to_owned()))
            }
        };
        if let Some(reason) = reason {
            let gap = gaps.entry(member.source.clone()).or_default();
            gap.source.clone_from(&member.source);
            gap.reason = reason;
            gap.member_count += 1;
        }
        wire::ProfileMember {
            reference: Some(reference(member.source, member.key)),
            state: state.into(),
        }
    });
    let members = members.collect();
    let fields = profile.fields.into_iter();
    ProfileAnswer {
        fields: fields.map(|f| field(f, include_alternatives)).collect(),
        members,
        gaps: gaps.into_values().collect(),
    }
}

fn field(field: ProfileField, include_alternatives: bool) -> wire::ProfileField {
    let alternative_count = field.values.len().saturating_sub(1) as u32;
    let mut values = field.values.into_iter().map(value);
    let kept = values.next();
    let alternatives = values.take(if include_alternatives {
        ALTERNATIVE_COUNT_MAX
    } else {
        0
    });
    wire::ProfileField {
        field: field.field,
        rule: rule(field.rule).into(),
        value: kept,
        alternative_count,
        alternatives: alternatives.collect(),
    }
}

fn value(value: ProfileValue) -> wire::ProfileValue {
    let reference_count = value.records.len() as u32;
    let references = value.records.into_iter().take(VALUE_REFERENCE_COUNT_MAX);
    wire::ProfileValue {
        value: value.value,
        references: references.map(|(s, key)| reference(s, key)).collect(),
        reference_count,
        updated: value.updated.unwrap_or_default(),
    }
}

fn rule(rule: Survivorship) -> wire::SurvivorshipRule {
    match rule {
        Survivorship::SourceOrder => wire::SurvivorshipRule::SourceOrder,
        Survivorship::MostRecent => wire::SurvivorshipRule::MostRecent,
        Survivorship::MostFrequent => wire::SurvivorshipRule::MostFrequent,
        Survivorship::Longest => wire::SurvivorshipRule::Longest,
    }
}

fn reference(source: String, key: String) -> wire::Reference {
    wire::Reference { source, key }
}

/// Tells the log why sources cannot be asked: once for each reason, and again after a while.
#[derive(Default)]
pub(crate) struct GapLog(Mutex<BTreeMap<(String, String), Instant>>);

impl GapLog {
    pub(crate) fn note(&self, source: &str, reason: &str) {
        let now = Instant::now();
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| now < *at + LOG_INTERVAL);
        let gap = (source.to_owned(), reason.to_owned());
        if told.contains_key(&gap) || told.len() >= LOGGED_COUNT_MAX {
            return;
        }
        told.insert(gap, now);
        tracing::warn!(source, reason, "a source cannot be asked");
    }
}
