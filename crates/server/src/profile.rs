//! `ProfileService`: finds the records of one snapshot, lets their systems be asked, answers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use sameas_api::v1 as wire;
use sameas_api::v1::profile_service_server::{ProfileService, ProfileServiceServer};
use sameas_graph::UnifiedId;
use sameas_store::Snapshot;
use tokio::time::Instant;
use tonic::{Request, Response, Status};

use crate::answer::{self, Page, Standing};
use crate::callers::{Caller, Rights};
use crate::config::{FIELD_COUNT_MAX, PROFILE_MEMBER_COUNT_MAX, REQUEST_LEN_MAX, RESPONSE_LEN_MAX};
use crate::current::Current;
use crate::gate::Gate;
use crate::identity::reached;
use crate::question::{PageQuestion, Subject};
use crate::refusal::Refusal;
use crate::values::{ProfileQuestion, Profiles};
use crate::{convert, status};

/// What is kept of a call's time to send the answer: a tenth, within these bounds.
const RETURN_TIME_MIN: Duration = Duration::from_millis(5);
const RETURN_TIME_MAX: Duration = Duration::from_millis(200);

/// Who makes a call that the porter let in, and until when it waits.
#[derive(Clone, Debug)]
pub(crate) struct Admitted {
    pub(crate) caller: Arc<Caller>,
    pub(crate) until: Instant,
}

/// Answers from the current snapshot and the systems behind it.
#[derive(Clone)]
pub(crate) struct LiveProfiles {
    current: Arc<Current>,
    profiles: Arc<dyn Profiles>,
    /// Bounds the profiles that are being made.
    gate: Arc<Gate>,
}

impl fmt::Debug for LiveProfiles {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("LiveProfiles")
            .field("gate", &self.gate)
            .finish_non_exhaustive()
    }
}

impl LiveProfiles {
    /// Lets at most so many profiles be made at once.
    pub(crate) fn new(
        current: Arc<Current>,
        profiles: Arc<dyn Profiles>,
        in_flight_max: usize,
    ) -> Self {
        Self {
            current,
            profiles,
            gate: Gate::new(in_flight_max),
        }
    }

    /// Makes the service; every worker has one of its own.
    pub(crate) fn service(&self) -> ProfileServiceServer<Self> {
        ProfileServiceServer::new(self.clone())
            .max_decoding_message_size(REQUEST_LEN_MAX)
            .max_encoding_message_size(RESPONSE_LEN_MAX)
    }

    /// Finds whose profile is asked for, in one snapshot.
    fn standing(
        snapshot: &Snapshot,
        request: &wire::GetProfileRequest,
    ) -> Result<(wire::GetProfileResponse, Vec<(String, String)>), Refusal> {
        reached(snapshot, request.min_revision)?;
        let entity = entity(snapshot, convert::profile_subject(request)?)?;
        let page = answer::page(
            snapshot,
            &PageQuestion {
                entity,
                count_max: PROFILE_MEMBER_COUNT_MAX,
                cursor: "",
            },
        )?;
        if page.member_count > PROFILE_MEMBER_COUNT_MAX {
            return Err(Refusal::EntityTooLarge {
                count: page.member_count,
                max: PROFILE_MEMBER_COUNT_MAX,
            });
        }
        let Page { members, .. } = &page;
        let members = members.iter();
        let members = members.map(|m| (m.source.to_owned(), m.key.to_owned()));
        let Standing { state, successors } = &page.standing;
        let begun = convert::profile_response(snapshot.revision(), entity, state, successors);
        Ok((begun, members.collect()))
    }

    async fn answer(
        &self,
        admitted: &Admitted,
        request: &wire::GetProfileRequest,
        begun: wire::GetProfileResponse,
        members: Vec<(String, String)>,
    ) -> Result<wire::GetProfileResponse, Refusal> {
        let rights = &admitted.caller.rights;
        let fields = fields(&request.fields, self.profiles.fields(), &admitted.caller)?;
        if members.is_empty() {
            return Ok(begun);
        }
        let _pass = self.gate.enter().ok_or(Refusal::Overloaded)?;
        let question = ProfileQuestion {
            members,
            fields,
            include_alternatives: request.include_alternatives,
            time: time_of(admitted.until.saturating_duration_since(Instant::now())),
        };
        let told = self.profiles.profile(question).await;
        let mut told = told.map_err(|cause| Refusal::ValuesUnreadable {
            reason: cause.reason,
        })?;
        // Whatever was told, nothing leaves that the caller may not see.
        told.fields.retain(|field| may_see(rights, &field.field));
        let response = wire::GetProfileResponse {
            fields: told.fields,
            members: told.members,
            gaps: told.gaps,
            ..begun
        };
        if response.encoded_len() > RESPONSE_LEN_MAX {
            return Err(Refusal::AnswerTooLarge {
                max: RESPONSE_LEN_MAX,
            });
        }
        Ok(response)
    }
}

#[tonic::async_trait]
impl ProfileService for LiveProfiles {
    async fn get_profile(
        &self,
        request: Request<wire::GetProfileRequest>,
    ) -> Result<Response<wire::GetProfileResponse>, Status> {
        // Without a porter there is nobody to answer.
        let admitted = request.extensions().get::<Admitted>().cloned();
        let admitted = admitted.ok_or_else(|| status::of(&Refusal::CallerUnknown, None))?;
        let request = request.into_inner();
        let (begun, revision) = {
            let snapshot = self.current.load();
            let begun = Self::standing(&snapshot, &request);
            (begun, snapshot.revision())
        };
        let answer = match begun {
            Ok((begun, members)) => self.answer(&admitted, &request, begun, members).await,
            Err(refusal) => Err(refusal),
        };
        answer
            .map(Response::new)
            .map_err(|refusal| status::of(&refusal, Some(revision)))
    }
}

fn entity(snapshot: &Snapshot, subject: Subject<'_>) -> Result<UnifiedId, Refusal> {
    match subject {
        Subject::Entity(id) => Ok(id),
        Subject::Reference(wanted) => {
            let located = snapshot.lookup(wanted.source, wanted.key)?;
            let located = located.ok_or_else(|| answer::absence(snapshot, wanted))?;
            Ok(located.entity.id)
        }
    }
}

pub(crate) fn may_see(rights: &Rights, field: &str) -> bool {
    let shown = rights.fields.as_ref();
    shown.is_none_or(|shown| shown.contains(field))
}

/// Returns the fields to ask for: those asked for, or all that the caller may see.
fn fields(asked: &[String], known: &[String], caller: &Caller) -> Result<Vec<String>, Refusal> {
    let (name, rights) = (&caller.name, &caller.rights);
    if asked.len() > FIELD_COUNT_MAX {
        let count = asked.len();
        return Err(Refusal::TooManyFields {
            count,
            max: FIELD_COUNT_MAX,
        });
    }
    if asked.is_empty() {
        let seen = known.iter().filter(|field| may_see(rights, field));
        return Ok(seen.cloned().collect());
    }
    for (position, field) in asked.iter().enumerate() {
        // Asked first: whoever may not see a field does not learn whether it exists.
        if !may_see(rights, field) {
            let caller = name.clone();
            return Err(Refusal::FieldHidden { caller, position });
        }
        if !known.contains(field) {
            return Err(Refusal::FieldUnknown { position });
        }
    }
    let mut fields = asked.to_vec();
    fields.sort_unstable();
    fields.dedup();
    Ok(fields)
}

/// Returns how long the systems may take if the call waits so long.
pub(crate) fn time_of(left: Duration) -> Duration {
    left.saturating_sub((left / 10).clamp(RETURN_TIME_MIN, RETURN_TIME_MAX))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]

    use super::*;

    fn caller(fields: Option<&[&str]>) -> Caller {
        let fields = fields.map(|fields| fields.iter().map(|&f| f.to_owned()).collect());
        Caller {
            name: "ui".into(),
            rights: Rights {
                fields,
                ..Rights::default()
            },
        }
    }

    fn asked(asked: &[&str], caller: &Caller) -> Result<Vec<String>, Refusal> {
        let own = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
        fields(&own(asked), &own(&["city", "email", "surname"]), caller)
    }

    #[test]
    fn a_caller_is_asked_no_more_for_than_it_may_see() {
        let (all, some) = (caller(None), caller(Some(&["city", "surname"])));
        assert_eq!(asked(&[], &all).unwrap(), ["city", "email", "surname"]);
        assert_eq!(asked(&[], &some).unwrap(), ["city", "surname"]);
        let twice = ["surname", "city", "surname"];
        assert_eq!(asked(&twice, &some).unwrap(), ["city", "surname"]);
        let hidden = |position| Refusal::FieldHidden {
            caller: "ui".into(),
            position,
        };
        assert_eq!(asked(&["city", "email"], &some), Err(hidden(1)));
        assert_eq!(asked(&["none"], &some), Err(hidden(0)));
        let unknown = Refusal::FieldUnknown { position: 0 };
        assert_eq!(asked(&["none"], &all), Err(unknown));
        let many = vec!["city"; FIELD_COUNT_MAX + 1];
        assert!(matches!(
            asked(&many, &all),
            Err(Refusal::TooManyFields { .. })
        ));
    }

    #[test]
    fn an_answer_has_time_to_return() {
        let ms = Duration::from_millis;
        assert_eq!(time_of(ms(1_000)), ms(900));
        assert_eq!(time_of(ms(10_000)), ms(9_800));
        assert_eq!(time_of(ms(20)), ms(15));
        assert_eq!(time_of(ms(3)), ms(0));
    }
}
