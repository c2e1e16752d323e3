//! `MatchService`: lets a record be looked for, and answers by one snapshot.

use std::fmt;
use std::sync::Arc;

use prost::Message as _;
use sameas_api::v1 as wire;
use sameas_api::v1::match_service_server::{MatchService, MatchServiceServer};
use sameas_graph::KEY_LEN_MAX;
use sameas_store::Snapshot;
use tokio::time::Instant;
use tonic::{Request, Response, Status};

use crate::config::{
    ATTRIBUTE_COUNT_MAX, FOUND_COUNT_DEFAULT, FOUND_COUNT_MAX, REQUEST_LEN_MAX, RESPONSE_LEN_MAX,
};
use crate::current::Current;
use crate::gate::Gate;
use crate::identity::reached;
use crate::profile::{Admitted, may_see, time_of};
use crate::refusal::Refusal;
use crate::status;
use crate::values::{FindFailure, FindQuestion, Matches};

/// Answers from what records are found among, and the current snapshot.
#[derive(Clone)]
pub(crate) struct LiveMatches {
    current: Arc<Current>,
    matches: Arc<dyn Matches>,
    /// Bounds the records that are being looked for.
    gate: Arc<Gate>,
}

impl fmt::Debug for LiveMatches {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("LiveMatches")
            .field("gate", &self.gate)
            .finish_non_exhaustive()
    }
}

impl LiveMatches {
    /// Lets at most so many records be looked for at once.
    pub(crate) fn new(
        current: Arc<Current>,
        matches: Arc<dyn Matches>,
        in_flight_max: usize,
    ) -> Self {
        Self {
            current,
            matches,
            gate: Gate::new(in_flight_max),
        }
    }

    /// Makes the service; every worker has one of its own.
    pub(crate) fn service(&self) -> MatchServiceServer<Self> {
        MatchServiceServer::new(self.clone())
            .max_decoding_message_size(REQUEST_LEN_MAX)
            .max_encoding_message_size(RESPONSE_LEN_MAX)
    }

    async fn answer(
        &self,
        admitted: &Admitted,
        request: wire::FindRequest,
        snapshot: Arc<Snapshot>,
    ) -> Result<wire::FindResponse, Refusal> {
        reached(&snapshot, request.min_revision)?;
        let limit = limit(&request)?;
        let revision = snapshot.revision().get();
        let _pass = self.gate.enter().ok_or(Refusal::Overloaded)?;
        let question = question(request, limit, admitted)?;
        let told = self.matches.find(question, snapshot).await;
        let told = told.map_err(refusal)?;
        let response = wire::FindResponse {
            revision,
            entities: told.entities,
            gaps: told.gaps,
            unreadable_fields: told.unreadable_fields,
            decision_model: Some(told.decision_model),
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
impl MatchService for LiveMatches {
    async fn find(
        &self,
        request: Request<wire::FindRequest>,
    ) -> Result<Response<wire::FindResponse>, Status> {
        // Without a porter there is nobody to answer.
        let admitted = request.extensions().get::<Admitted>().cloned();
        let admitted = admitted.ok_or_else(|| status::of(&Refusal::CallerUnknown, None))?;
        let snapshot = Arc::clone(&self.current.load());
        let revision = snapshot.revision();
        let answer = self.answer(&admitted, request.into_inner(), snapshot);
        answer
            .await
            .map(Response::new)
            .map_err(|refusal| status::of(&refusal, Some(revision)))
    }
}

fn limit(request: &wire::FindRequest) -> Result<usize, Refusal> {
    match request.limit {
        0 => Ok(FOUND_COUNT_DEFAULT as usize),
        limit if limit <= FOUND_COUNT_MAX => Ok(limit as usize),
        _ => Err(Refusal::OutOfBounds {
            field: "limit",
            max: FOUND_COUNT_MAX,
        }),
    }
}

fn question(
    request: wire::FindRequest,
    limit: usize,
    admitted: &Admitted,
) -> Result<FindQuestion, Refusal> {
    let count = request.attributes.len();
    if count > ATTRIBUTE_COUNT_MAX {
        let max = ATTRIBUTE_COUNT_MAX;
        return Err(Refusal::TooManyAttributes { count, max });
    }
    if !(0.0..=1.0).contains(&request.min_probability) {
        return Err(Refusal::OutOfBounds {
            field: "min_probability",
            max: 1,
        });
    }
    if request.key.len() > KEY_LEN_MAX {
        return Err(Refusal::KeyTooLong);
    }
    if request.source.is_empty() && !request.key.is_empty() {
        return Err(Refusal::FieldMissing { field: "source" });
    }
    // What one may not see one may not guess at either.
    let (caller, rights) = (&admitted.caller.name, &admitted.caller.rights);
    let mut fields = request.attributes.iter().map(|one| &one.field);
    if let Some(position) = fields.position(|field| !may_see(rights, field)) {
        let caller = caller.clone();
        return Err(Refusal::AttributeHidden { caller, position });
    }
    let given = |text: String| (!text.is_empty()).then_some(text);
    let attributes = request.attributes.into_iter();
    Ok(FindQuestion {
        attributes: attributes.map(|one| (one.field, one.value)).collect(),
        source: given(request.source),
        key: given(request.key),
        visible: rights.fields.clone(),
        min_probability: request.min_probability,
        limit,
        time: time_of(admitted.until.saturating_duration_since(Instant::now())),
    })
}

fn refusal(failure: FindFailure) -> Refusal {
    match failure {
        FindFailure::NotReady => Refusal::NotReady,
        FindFailure::FieldUnknown { position } => Refusal::AttributeUnknown { position },
        FindFailure::TooLarge { position } => Refusal::AttributeTooLarge { position },
        FindFailure::SourceUnknown => Refusal::SourceNotInSettings,
        FindFailure::Insufficient { what } => Refusal::AttributesInsufficient { what },
        FindFailure::Failed(cause) => Refusal::ValuesUnreadable {
            reason: cause.reason,
        },
    }
}
