//! `IdentityService`: takes one snapshot, asks it, answers.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arc_swap::Guard;
use sameas_api::v1::identity_service_server::IdentityService;
use sameas_api::v1::{
    BatchLookupRequest, BatchLookupResponse, ExplainRequest, ExplainResponse, GetEntityRequest,
    GetEntityResponse, GetHistoryRequest, GetHistoryResponse, LookupRequest, LookupResponse,
    StreamLookupRequest, StreamLookupResponse,
};
use sameas_graph::Revision;
use sameas_store::Snapshot;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use crate::current::Current;
use crate::profile::Admitted;
use crate::question::AsOf;
use crate::refusal::Refusal;
use crate::{answer, convert, status};

/// Answers from the current snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    current: Arc<Current>,
}

impl Identity {
    /// Answers from what is current.
    pub(crate) fn new(current: Arc<Current>) -> Self {
        Self { current }
    }

    /// Asks one snapshot, if it is new enough.
    fn ask<T>(
        &self,
        min_revision: u64,
        question: impl FnOnce(&Snapshot) -> Result<T, Refusal>,
    ) -> Result<Response<T>, Status> {
        let snapshot = self.current.load();
        reached(&snapshot, min_revision)
            .and_then(|()| question(&snapshot))
            .map(Response::new)
            .map_err(|refusal| status::of(&refusal, Some(snapshot.revision())))
    }

    fn stream_answer(&self, request: &StreamLookupRequest) -> StreamLookupResponse {
        let snapshot: Guard<Arc<Snapshot>> = self.current.load();
        let answer = reached(&snapshot, request.min_revision)
            .and_then(|()| convert::wanted(request.reference.as_ref(), "reference"))
            .and_then(|wanted| answer::lookup(&snapshot, wanted, AsOf::Newest));
        StreamLookupResponse {
            revision: snapshot.revision().get(),
            result: Some(convert::result(answer)),
        }
    }
}

/// Refuses a snapshot that is older than a request demands.
pub(crate) fn reached(snapshot: &Snapshot, min_revision: u64) -> Result<(), Refusal> {
    if snapshot.revision().get() < min_revision {
        Err(Refusal::RevisionNotReached {
            wanted: Revision::new(min_revision),
        })
    } else {
        Ok(())
    }
}

#[tonic::async_trait]
impl IdentityService for Identity {
    type StreamLookupStream = Lookups;

    async fn lookup(
        &self,
        request: Request<LookupRequest>,
    ) -> Result<Response<LookupResponse>, Status> {
        let request = request.get_ref();
        self.ask(request.min_revision, |snapshot| {
            let wanted = convert::wanted(request.reference.as_ref(), "reference")?;
            let belonging =
                answer::lookup(snapshot, wanted, convert::as_of(request.as_of_revision))?;
            Ok(convert::lookup_response(snapshot.revision(), belonging))
        })
    }

    async fn batch_lookup(
        &self,
        request: Request<BatchLookupRequest>,
    ) -> Result<Response<BatchLookupResponse>, Status> {
        let request = request.get_ref();
        self.ask(request.min_revision, |snapshot| {
            convert::batch_response(snapshot, request)
        })
    }

    async fn stream_lookup(
        &self,
        request: Request<Streaming<StreamLookupRequest>>,
    ) -> Result<Response<Lookups>, Status> {
        let lookups = Lookups {
            requests: request.into_inner(),
            identity: self.clone(),
        };
        Ok(Response::new(lookups))
    }

    async fn get_entity(
        &self,
        request: Request<GetEntityRequest>,
    ) -> Result<Response<GetEntityResponse>, Status> {
        let request = request.get_ref();
        self.ask(request.min_revision, |snapshot| {
            let page = answer::page(snapshot, &convert::page_question(request)?)?;
            Ok(convert::entity_response(snapshot.revision(), &page))
        })
    }

    async fn explain(
        &self,
        request: Request<ExplainRequest>,
    ) -> Result<Response<ExplainResponse>, Status> {
        if let Some(Admitted { caller, .. }) = request.extensions().get()
            && caller.rights.fields.is_some()
        {
            let caller = caller.name.clone();
            return Err(status::of(&Refusal::ExplanationHidden { caller }, None));
        }
        let request = request.get_ref();
        self.ask(request.min_revision, |snapshot| {
            let left = convert::wanted(request.left.as_ref(), "left")?;
            let right = convert::wanted(request.right.as_ref(), "right")?;
            let explanation = answer::explain(snapshot, left, right)?;
            Ok(convert::explain_response(snapshot, &explanation)?)
        })
    }

    async fn get_history(
        &self,
        request: Request<GetHistoryRequest>,
    ) -> Result<Response<GetHistoryResponse>, Status> {
        let request = request.get_ref();
        self.ask(request.min_revision, |snapshot| {
            let history = answer::history(snapshot, convert::subject(request)?)?;
            Ok(convert::history_response(
                snapshot.revision(),
                request,
                history,
            ))
        })
    }
}

/// Answers each message of a stream when the client has room for the answer.
///
/// One message is read only after the answer to the one before was taken, so a client
/// that does not read costs one message of memory.
#[derive(Debug)]
pub(crate) struct Lookups {
    requests: Streaming<StreamLookupRequest>,
    identity: Identity,
}

impl Stream for Lookups {
    type Item = Result<StreamLookupResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let request = ready!(Pin::new(&mut self.requests).poll_next(context));
        Poll::Ready(request.map(|request| {
            request
                .map(|request| self.identity.stream_answer(&request))
                .map_err(status::explained)
        }))
    }
}
