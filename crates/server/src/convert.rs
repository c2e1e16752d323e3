//! The one place where messages become questions, and answers become messages.

use std::slice;

use sameas_api::v1 as wire;
use sameas_graph::{
    Decision, EntityState, KEY_LEN_MAX, Legend, LevelPattern, LineageEvent, LineageKind,
    MatchWeight, PastMembership, QuarantineReason, Revision, RuleKind, UnifiedId,
};
use sameas_store::{CorruptError, Located, MemberEvidence, MemberView, Snapshot};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::answer::{Belonging, Explanation, History, Page, Standing, absence};
use crate::config::{
    BATCH_COUNT_MAX, INTO_COUNT_MAX, PAGE_COUNT_DEFAULT, PAGE_COUNT_MAX, SUCCESSOR_COUNT_MAX,
};
use crate::question::{AsOf, PageQuestion, Subject, Wanted};
use crate::refusal::Refusal;

/// Reads a required reference.
pub(crate) fn wanted<'r>(
    reference: Option<&'r wire::Reference>,
    field: &'static str,
) -> Result<Wanted<'r>, Refusal> {
    let reference = reference.ok_or(Refusal::FieldMissing { field })?;
    if reference.source.is_empty() {
        return Err(Refusal::FieldMissing { field: "source" });
    }
    let wanted = Wanted {
        source: &reference.source,
        key: &reference.key,
    };
    match reference.key.len() {
        0 => Err(Refusal::KeyEmpty),
        len if len > KEY_LEN_MAX => Err(Refusal::KeyTooLong),
        _ => Ok(wanted),
    }
}

/// Reads which revision a membership is asked of; 0 is the newest.
pub(crate) fn as_of(revision: u64) -> AsOf {
    match revision {
        0 => AsOf::Newest,
        number => AsOf::Revision(Revision::new(number)),
    }
}

/// Reads a unified id in its one accepted spelling.
fn unified_id(text: &str) -> Result<UnifiedId, Refusal> {
    if text.is_empty() {
        return Err(Refusal::FieldMissing {
            field: "unified_id",
        });
    }
    let uuid = Uuid::try_parse(text).map_err(|_| Refusal::UnifiedIdMalformed)?;
    let mut buffer = Uuid::encode_buffer();
    if uuid.hyphenated().encode_lower(&mut buffer) == text {
        Ok(UnifiedId::new(uuid))
    } else {
        Err(Refusal::UnifiedIdMalformed)
    }
}

/// Reads which page of which entity is asked for.
pub(crate) fn page_question(request: &wire::GetEntityRequest) -> Result<PageQuestion<'_>, Refusal> {
    let count_max = match request.page_size {
        0 => PAGE_COUNT_DEFAULT,
        count if count > PAGE_COUNT_MAX => {
            return Err(Refusal::PageTooLarge {
                count,
                max: PAGE_COUNT_MAX,
            });
        }
        count => count,
    };
    let entity = unified_id(&request.unified_id)?;
    Ok(PageQuestion {
        entity,
        count_max,
        cursor: &request.cursor,
    })
}

/// Reads whose history is asked for.
pub(crate) fn subject(request: &wire::GetHistoryRequest) -> Result<Subject<'_>, Refusal> {
    match &request.subject {
        Some(wire::get_history_request::Subject::UnifiedId(id)) => {
            unified_id(id).map(Subject::Entity)
        }
        Some(wire::get_history_request::Subject::Reference(reference)) => {
            wanted(Some(reference), "reference").map(Subject::Reference)
        }
        None => Err(Refusal::FieldMissing { field: "subject" }),
    }
}

/// Reads whose profile is asked for.
pub(crate) fn profile_subject(request: &wire::GetProfileRequest) -> Result<Subject<'_>, Refusal> {
    match &request.subject {
        Some(wire::get_profile_request::Subject::UnifiedId(id)) => {
            unified_id(id).map(Subject::Entity)
        }
        Some(wire::get_profile_request::Subject::Reference(reference)) => {
            wanted(Some(reference), "reference").map(Subject::Reference)
        }
        None => Err(Refusal::FieldMissing { field: "subject" }),
    }
}

/// Writes what a profile begins with: whose it is.
pub(crate) fn profile_response(
    revision: Revision,
    entity: UnifiedId,
    standing: &EntityState,
    successors: &[UnifiedId],
) -> wire::GetProfileResponse {
    wire::GetProfileResponse {
        revision: revision.get(),
        unified_id: id_text(entity),
        state: state(standing).into(),
        successor_unified_ids: id_texts(first(successors, SUCCESSOR_COUNT_MAX)),
        successor_count: successors.len() as u32,
        ..wire::GetProfileResponse::default()
    }
}

/// Writes the answer to a lookup.
pub(crate) fn lookup_response(revision: Revision, belonging: Belonging) -> wire::LookupResponse {
    wire::LookupResponse {
        revision: revision.get(),
        unified_id: id_text(belonging.entity),
        since_revision: belonging.since.get(),
    }
}

/// Looks a batch up and writes the answer in the batch's order.
pub(crate) fn batch_response(
    snapshot: &Snapshot,
    request: &wire::BatchLookupRequest,
) -> Result<wire::BatchLookupResponse, Refusal> {
    let count = request.references.len();
    if count > BATCH_COUNT_MAX {
        return Err(Refusal::BatchTooLarge {
            count,
            max: BATCH_COUNT_MAX,
        });
    }
    let references: Vec<(&str, &str)> = request
        .references
        .iter()
        .map(|reference| (reference.source.as_str(), reference.key.as_str()))
        .collect();
    let located = snapshot.lookup_many(&references)?;
    let results = request
        .references
        .iter()
        .zip(located)
        .map(|(reference, located)| match located {
            Some(located) => found(&located),
            // No key out of bounds is ever found, so only what is not found is checked.
            None => missing(snapshot, reference),
        })
        .collect();
    Ok(wire::BatchLookupResponse {
        revision: snapshot.revision().get(),
        results,
    })
}

/// Writes the result of one reference of a stream.
pub(crate) fn result(answer: Result<Belonging, Refusal>) -> wire::LookupResult {
    match answer {
        Ok(belonging) => wire::LookupResult {
            unified_id: id_text(belonging.entity),
            since_revision: belonging.since.get(),
            error_reason: wire::ErrorReason::Unspecified.into(),
        },
        Err(refusal) => refused(&refusal),
    }
}

fn found(located: &Located) -> wire::LookupResult {
    result(Ok(Belonging {
        entity: located.entity.id,
        since: located.since,
    }))
}

fn missing(snapshot: &Snapshot, reference: &wire::Reference) -> wire::LookupResult {
    match wanted(Some(reference), "reference") {
        Ok(wanted) => refused(&absence(snapshot, wanted)),
        Err(refusal) => refused(&refusal),
    }
}

fn refused(refusal: &Refusal) -> wire::LookupResult {
    wire::LookupResult {
        error_reason: refusal.reason().into(),
        ..wire::LookupResult::default()
    }
}

/// Writes what an id stands for.
pub(crate) fn entity_response(revision: Revision, page: &Page<'_>) -> wire::GetEntityResponse {
    wire::GetEntityResponse {
        revision: revision.get(),
        unified_id: id_text(page.entity),
        state: state(&page.standing.state).into(),
        successor_unified_ids: id_texts(first(&page.standing.successors, SUCCESSOR_COUNT_MAX)),
        successor_count: page.standing.successors.len() as u32,
        born_revision: page.born.map_or(0, Revision::get),
        member_count: page.member_count,
        members: page.members.iter().map(member).collect(),
        next_cursor: page
            .next
            .map(|next| next.encode(page.entity))
            .unwrap_or_default(),
    }
}

fn member(member: &MemberView<'_>) -> wire::Member {
    wire::Member {
        reference: Some(reference(member.source, member.key)),
        since_revision: member.since.get(),
    }
}

/// Writes a history; the request says whose.
pub(crate) fn history_response(
    revision: Revision,
    request: &wire::GetHistoryRequest,
    history: History,
) -> wire::GetHistoryResponse {
    let Standing {
        state: standing,
        successors,
    } = history.standing.unwrap_or(Standing {
        state: EntityState::Unknown,
        successors: Vec::new(),
    });
    let present = history.present.zip(asked_reference(request));
    let present = present.map(|(belonging, asked)| wire::Membership {
        reference: Some(asked.clone()),
        unified_id: id_text(belonging.entity),
        began_revision: belonging.since.get(),
        ended_revision: 0,
    });
    wire::GetHistoryResponse {
        revision: revision.get(),
        state: state(&standing).into(),
        successor_unified_ids: id_texts(first(&successors, SUCCESSOR_COUNT_MAX)),
        successor_count: successors.len() as u32,
        events: history.events.iter().map(event).collect(),
        memberships: history
            .past
            .iter()
            .map(past_membership)
            .chain(present)
            .collect(),
    }
}

fn asked_reference(request: &wire::GetHistoryRequest) -> Option<&wire::Reference> {
    match &request.subject {
        Some(wire::get_history_request::Subject::Reference(reference)) => Some(reference),
        _ => None,
    }
}

fn past_membership(past: &PastMembership) -> wire::Membership {
    wire::Membership {
        reference: Some(reference(&past.source, &past.key)),
        unified_id: id_text(past.entity),
        began_revision: past.began.get(),
        ended_revision: past.ended.get(),
    }
}

fn event(event: &LineageEvent) -> wire::LineageEvent {
    let (kind, into): (_, &[UnifiedId]) = match &event.kind {
        LineageKind::Born => (wire::LineageKind::Born, &[]),
        LineageKind::Merged { into } => (wire::LineageKind::Merged, slice::from_ref(into)),
        LineageKind::Split { into } => (wire::LineageKind::Split, into),
        LineageKind::Retired => (wire::LineageKind::Retired, &[]),
        LineageKind::Revived => (wire::LineageKind::Revived, &[]),
    };
    let revision = event.revision.get();
    wire::LineageEvent {
        revision,
        kind: kind.into(),
        into_unified_ids: id_texts(first(into, INTO_COUNT_MAX)),
        into_count: into.len() as u32,
    }
}

fn state(state: &EntityState) -> wire::EntityState {
    match state {
        EntityState::Active => wire::EntityState::Active,
        EntityState::Merged { .. } => wire::EntityState::Merged,
        EntityState::Split { .. } => wire::EntityState::Split,
        EntityState::Retired { .. } => wire::EntityState::Retired,
        EntityState::Unknown => wire::EntityState::Unspecified,
    }
}

/// Writes an explanation.
pub(crate) fn explain_response(
    snapshot: &Snapshot,
    explanation: &Explanation,
) -> Result<wire::ExplainResponse, CorruptError> {
    let Explanation {
        left,
        right,
        direct,
        path,
        quarantined,
        review,
    } = explanation;
    let all = |edges: &[MemberEvidence]| {
        edges
            .iter()
            .map(|edge| evidence(snapshot, edge))
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(wire::ExplainResponse {
        revision: snapshot.revision().get(),
        together: left.entity.id == right.entity.id,
        left_unified_id: id_text(left.entity.id),
        right_unified_id: id_text(right.entity.id),
        direct: direct
            .as_ref()
            .map(|edge| evidence(snapshot, edge))
            .transpose()?,
        path: all(path)?,
        quarantined: all(&quarantined.strongest)?,
        quarantined_count: quarantined.count as u32,
        review: all(&review.strongest)?,
        review_count: review.count as u32,
        model: Some(decision_model(snapshot.legend())),
    })
}

/// Returns what decided on the links of a revision, as it goes over the wire.
pub fn decision_model(legend: &Legend) -> wire::DecisionModel {
    wire::DecisionModel {
        prior_bits: legend.prior.bits(),
        link_bits: legend.link.bits(),
        review_bits: legend.review.bits(),
        model_id: format!("{:016x}", legend.model),
    }
}

fn evidence(snapshot: &Snapshot, edge: &MemberEvidence) -> Result<wire::Evidence, CorruptError> {
    let (left, right) = (snapshot.member(edge.left)?, snapshot.member(edge.right)?);
    let legend = snapshot.legend();
    let rule = legend.rules.get(edge.rule.index());
    let (decision, reason) = decision(edge.decision);
    let remainder = legend.remainder(edge.weight, Some(edge.rule), edge.pattern);
    Ok(wire::Evidence {
        left: Some(reference(left.source, left.key)),
        right: Some(reference(right.source, right.key)),
        weight_bits: edge.weight.bits(),
        probability: edge.weight.probability(),
        rule: rule.map(|rule| rule.name.clone()).unwrap_or_default(),
        rule_kind: rule
            .map_or(wire::RuleKind::Unspecified, |rule| rule_kind(rule.kind))
            .into(),
        decision: decision.into(),
        quarantine_reason: reason.into(),
        comparisons: comparisons(legend, edge.pattern),
        adjustment_bits: remainder.adjustment_bits,
        rule_bits: remainder.rule_bits,
    })
}

/// Returns what each comparison said.
fn comparisons(legend: &Legend, pattern: LevelPattern) -> Vec<wire::ComparisonEvidence> {
    let legends = legend.comparisons.iter().enumerate();
    let comparisons = legends.map(|(index, comparison)| {
        let level = comparison.levels.get(usize::from(pattern.level(index)));
        let weight = level.map_or(MatchWeight::default(), |level| level.weight);
        wire::ComparisonEvidence {
            comparison: comparison.name.clone(),
            level: level.map(|level| level.name.clone()).unwrap_or_default(),
            weight_bits: weight.bits(),
        }
    });
    comparisons.collect()
}

fn rule_kind(kind: RuleKind) -> wire::RuleKind {
    match kind {
        RuleKind::Deterministic => wire::RuleKind::Deterministic,
        RuleKind::Blocking => wire::RuleKind::Blocking,
    }
}

fn decision(decision: Decision) -> (wire::Decision, wire::QuarantineReason) {
    use wire::QuarantineReason as Reason;
    let reason = match decision {
        Decision::Link => return (wire::Decision::Link, Reason::Unspecified),
        Decision::Review => return (wire::Decision::Review, Reason::Unspecified),
        Decision::Quarantined(QuarantineReason::OnePerSource) => Reason::OnePerSource,
        Decision::Quarantined(QuarantineReason::CannotLink) => Reason::CannotLink,
        Decision::Quarantined(QuarantineReason::ClusterSize) => Reason::ClusterSize,
        Decision::Quarantined(QuarantineReason::WeakBridge) => Reason::WeakBridge,
    };
    (wire::Decision::Quarantined, reason)
}

fn reference(source: &str, key: &str) -> wire::Reference {
    wire::Reference {
        source: source.to_owned(),
        key: key.to_owned(),
    }
}

fn id_text(id: UnifiedId) -> String {
    let mut buffer = [0; Hyphenated::LENGTH];
    id.uuid().hyphenated().encode_lower(&mut buffer).to_owned()
}

fn first<T>(list: &[T], count_max: usize) -> &[T] {
    list.get(..count_max).unwrap_or(list)
}

fn id_texts(ids: &[UnifiedId]) -> Vec<String> {
    ids.iter().copied().map(id_text).collect()
}
