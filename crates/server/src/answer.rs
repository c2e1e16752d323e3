//! What a snapshot answers, before it becomes a message.

use sameas_graph::{
    Decision, EntityState, LineageEvent, LineageKind, PastMembership, Revision, UnifiedId,
};
use sameas_store::{CorruptError, Located, MemberEvidence, MemberView, Snapshot};

use crate::config::{EVIDENCE_COUNT_MAX, HISTORY_COUNT_MAX, PATH_COUNT_MAX};
use crate::cursor::Cursor;
use crate::question::{AsOf, PageQuestion, Subject, Wanted};
use crate::refusal::Refusal;

/// The most members of the smaller of two entities whose evidence an explanation asks for.
const ASKED_COUNT_MAX: usize = 1_000;

/// To which entity a reference belongs, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Belonging {
    pub(crate) entity: UnifiedId,
    pub(crate) since: Revision,
}

/// What an id stands for, and a page of its members.
#[derive(Debug)]
pub(crate) struct Page<'s> {
    pub(crate) entity: UnifiedId,
    pub(crate) standing: Standing,
    pub(crate) born: Option<Revision>,
    pub(crate) member_count: u32,
    pub(crate) members: Vec<MemberView<'s>>,
    pub(crate) next: Option<Cursor>,
}

/// What became of an id, and which active entities it leads to.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) state: EntityState,
    pub(crate) successors: Vec<UnifiedId>,
}

/// The history of an id or of a reference.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) standing: Option<Standing>,
    pub(crate) events: Vec<LineageEvent>,
    pub(crate) past: Vec<PastMembership>,
    pub(crate) present: Option<Belonging>,
}

/// Why two references are together, or why they are not.
#[derive(Debug)]
pub(crate) struct Explanation {
    pub(crate) left: Located,
    pub(crate) right: Located,
    pub(crate) direct: Option<MemberEvidence>,
    pub(crate) path: Vec<MemberEvidence>,
    pub(crate) quarantined: Edges,
    pub(crate) review: Edges,
}

/// The strongest of some edges, and how many there are.
#[derive(Debug, Default)]
pub(crate) struct Edges {
    pub(crate) strongest: Vec<MemberEvidence>,
    pub(crate) count: usize,
}

impl Belonging {
    fn of(located: &Located) -> Self {
        Self {
            entity: located.entity.id,
            since: located.since,
        }
    }
}

/// Returns to which entity a reference belongs or belonged.
pub(crate) fn lookup(
    snapshot: &Snapshot,
    wanted: Wanted<'_>,
    as_of: AsOf,
) -> Result<Belonging, Refusal> {
    let located = snapshot.lookup(wanted.source, wanted.key)?;
    let AsOf::Revision(revision) = as_of else {
        return located
            .map(|located| Belonging::of(&located))
            .ok_or_else(|| absence(snapshot, wanted));
    };
    if revision > snapshot.revision() {
        return Err(Refusal::RevisionInFuture { wanted: revision });
    }
    if let Some(located) = located.filter(|located| located.since <= revision) {
        return Ok(Belonging::of(&located));
    }
    let past = snapshot.past_memberships(wanted.source, wanted.key)?;
    let held = past
        .iter()
        .find(|past| past.began <= revision && revision < past.ended);
    held.map(|held| Belonging {
        entity: held.entity,
        since: held.began,
    })
    .ok_or_else(|| absence(snapshot, wanted))
}

/// Returns why there is no such reference.
pub(crate) fn absence(snapshot: &Snapshot, wanted: Wanted<'_>) -> Refusal {
    match snapshot.source_handle(wanted.source) {
        Some(_) => Refusal::ReferenceUnknown,
        None => Refusal::SourceUnknown,
    }
}

/// Returns what an id stands for and the members from the cursor on.
pub(crate) fn page<'s>(
    snapshot: &'s Snapshot,
    question: &PageQuestion<'_>,
) -> Result<Page<'s>, Refusal> {
    let entity = question.entity;
    let start = start(snapshot, question)?;
    let Some(view) = snapshot.entity(entity)? else {
        let standing = standing(snapshot, entity)?;
        let born = snapshot.history(entity)?.and_then(|events| born(&events));
        return Ok(Page {
            entity,
            standing,
            born,
            member_count: 0,
            members: Vec::new(),
            next: None,
        });
    };
    let member_count = view.member_count();
    let members: Vec<_> = view
        .members_from(start)
        .take(question.count_max as usize)
        .collect::<Result<_, _>>()?;
    let position = start.saturating_add(members.len() as u32);
    let next = (position < member_count).then_some(Cursor {
        revision: snapshot.revision(),
        position,
    });
    let standing = Standing {
        state: EntityState::Active,
        successors: Vec::new(),
    };
    Ok(Page {
        entity,
        standing,
        born: Some(view.entity().born),
        member_count,
        members,
        next,
    })
}

fn start(snapshot: &Snapshot, question: &PageQuestion<'_>) -> Result<u32, Refusal> {
    if question.cursor.is_empty() {
        return Ok(0);
    }
    let cursor = Cursor::decode(question.cursor, question.entity)?;
    if cursor.revision == snapshot.revision() {
        Ok(cursor.position)
    } else {
        Err(Refusal::CursorExpired {
            revision: cursor.revision,
        })
    }
}

fn standing(snapshot: &Snapshot, entity: UnifiedId) -> Result<Standing, Refusal> {
    let state = snapshot.state_of(entity)?;
    let successors = match &state {
        EntityState::Unknown => return Err(Refusal::UnifiedIdUnknown),
        EntityState::Active | EntityState::Retired { .. } => Vec::new(),
        EntityState::Merged { .. } | EntityState::Split { .. } => snapshot.current_ids(entity)?,
    };
    Ok(Standing { state, successors })
}

fn born(events: &[LineageEvent]) -> Option<Revision> {
    events
        .iter()
        .find(|event| event.kind == LineageKind::Born)
        .map(|event| event.revision)
}

/// Returns the history of an id or of a reference.
pub(crate) fn history(snapshot: &Snapshot, subject: Subject<'_>) -> Result<History, Refusal> {
    match subject {
        Subject::Entity(entity) => {
            let standing = standing(snapshot, entity)?;
            let events = newest(snapshot.history(entity)?.unwrap_or_default());
            Ok(History {
                standing: Some(standing),
                events,
                past: Vec::new(),
                present: None,
            })
        }
        Subject::Reference(wanted) => {
            let located = snapshot.lookup(wanted.source, wanted.key)?;
            let present = located.map(|located| Belonging::of(&located));
            let past = newest(snapshot.past_memberships(wanted.source, wanted.key)?);
            if present.is_none() && past.is_empty() {
                return Err(absence(snapshot, wanted));
            }
            Ok(History {
                standing: None,
                events: Vec::new(),
                past,
                present,
            })
        }
    }
}

/// Keeps the end of a list that is too long for an answer.
fn newest<T>(mut list: Vec<T>) -> Vec<T> {
    list.drain(..list.len().saturating_sub(HISTORY_COUNT_MAX));
    list
}

/// Returns why two references are together, or why they are not.
pub(crate) fn explain(
    snapshot: &Snapshot,
    left: Wanted<'_>,
    right: Wanted<'_>,
) -> Result<Explanation, Refusal> {
    let find = |wanted: Wanted<'_>| {
        let located = snapshot.lookup(wanted.source, wanted.key)?;
        located.ok_or_else(|| absence(snapshot, wanted))
    };
    let (left, right) = (find(left)?, find(right)?);
    let direct = snapshot.evidence_between(left.member, right.member)?;
    let is_together = left.entity.id == right.entity.id;
    let edges = if is_together {
        snapshot.cluster_evidence(left.member)?
    } else {
        evidence_between_entities(snapshot, &left, &right)?
    };
    let is_linked = direct.is_some_and(|direct| direct.decision == Decision::Link);
    let path = if is_together && !is_linked {
        snapshot
            .strongest_path(left.member, right.member)?
            .unwrap_or_default()
    } else {
        Vec::new()
    };
    let path = if path.len() > PATH_COUNT_MAX {
        Vec::new()
    } else {
        path
    };
    let quarantined = Edges::of(&edges, |edge| {
        matches!(edge.decision, Decision::Quarantined(_))
    });
    let review = Edges::of(&edges, |edge| edge.decision == Decision::Review);
    Ok(Explanation {
        left,
        right,
        direct,
        path,
        quarantined,
        review,
    })
}

impl Edges {
    fn of(edges: &[MemberEvidence], is_wanted: impl Fn(&MemberEvidence) -> bool) -> Self {
        let mut strongest: Vec<_> = edges
            .iter()
            .filter(|edge| is_wanted(edge))
            .copied()
            .collect();
        let count = strongest.len();
        strongest.sort_by_key(|edge| (std::cmp::Reverse(edge.weight), edge.left, edge.right));
        strongest.truncate(EVIDENCE_COUNT_MAX);
        Self { strongest, count }
    }
}

fn evidence_between_entities(
    snapshot: &Snapshot,
    left: &Located,
    right: &Located,
) -> Result<Vec<MemberEvidence>, CorruptError> {
    let (one, other) = (
        snapshot.entity_of(left.member)?,
        snapshot.entity_of(right.member)?,
    );
    let (smaller, larger) = if one.member_count() <= other.member_count() {
        (one, other.entity().id)
    } else {
        (other, one.entity().id)
    };
    let mut found = Vec::new();
    for asked in smaller.members().take(ASKED_COUNT_MAX) {
        let asked = asked?.member;
        for edge in snapshot.evidence_of(asked)? {
            let far = if edge.left == asked {
                edge.right
            } else {
                edge.left
            };
            if snapshot.entity_of(far)?.entity().id == larger {
                found.push(edge);
            }
        }
    }
    Ok(found)
}
