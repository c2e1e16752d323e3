//! The front of the house: every request of every service passes here.
//!
//! One lookup costs microseconds, so this path allocates nothing of its own: identity
//! requests go straight to their service, and deadlines and shutdown are only looked at
//! when a request has to wait.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body as HttpBody, Frame, SizeHint};
use sameas_api::v1::identity_service_server::{IdentityServiceServer, SERVICE_NAME};
use tokio::time::Sleep;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Bytes, Service, http};
use tonic::service::Routes;

use crate::gate::{Gate, Pass};
use crate::identity::Identity;
use crate::refusal::Refusal;
use crate::shutdown::Shutdown;
use crate::status;

type Answer = BoxFuture<http::Response<Body>, Infallible>;

/// Admits requests, sends them to their service, and ends them in time.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    house: Arc<House>,
}

#[derive(Debug)]
struct House {
    identity: IdentityServiceServer<Identity>,
    others: Routes,
    gate: Arc<Gate>,
    shutdown: Shutdown,
    request_deadline: Duration,
}

impl Front {
    /// Stands before the identity service and the others.
    pub(crate) fn new(
        identity: IdentityServiceServer<Identity>,
        others: Routes,
        gate: Arc<Gate>,
        shutdown: Shutdown,
        request_deadline: Duration,
    ) -> Self {
        Self {
            house: Arc::new(House {
                identity,
                others,
                gate,
                shutdown,
                request_deadline,
            }),
        }
    }
}

impl Service<http::Request<Body>> for Front {
    type Response = http::Response<Guarded>;
    type Error = Infallible;
    type Future = Visit;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Both services are always ready; a full house is answered, not waited for.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Visit {
        let house = Arc::clone(&self.house);
        let pass = house.gate.enter();
        let answer = pass.is_some().then(|| house.answer(request));
        Visit {
            house,
            pass,
            answer,
            deadline: None,
        }
    }
}

impl House {
    fn answer(&self, request: http::Request<Body>) -> Answer {
        let path = request.uri().path().as_bytes();
        let is_identity = path.get(1..).is_some_and(|path| {
            path.starts_with(SERVICE_NAME.as_bytes()) && path.get(SERVICE_NAME.len()) == Some(&b'/')
        });
        if is_identity {
            return self.identity.clone().call(request);
        }
        let mut others = self.others.clone();
        Box::pin(async move {
            let answer = others.call(request).await;
            Ok(answer.unwrap_or_else(|error| Status::from_error(error.into()).into_http()))
        })
    }
}

/// A request on its way to its answer.
pub(crate) struct Visit {
    house: Arc<House>,
    pass: Option<Pass>,
    answer: Option<Answer>,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Visit {
    fn leave(
        &mut self,
        response: http::Response<Body>,
    ) -> Poll<Result<http::Response<Guarded>, Infallible>> {
        self.answer = None;
        let (pass, house) = (self.pass.take(), Arc::clone(&self.house));
        Poll::Ready(Ok(response.map(|body| Guarded {
            body,
            end: End::Open(house),
            _pass: pass,
        })))
    }
}

impl Future for Visit {
    type Output = Result<http::Response<Guarded>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(answer) = &mut self.answer else {
            return self.leave(status::of(&Refusal::Overloaded, None).into_http());
        };
        if let Poll::Ready(Ok(response)) = answer.as_mut().poll(context) {
            return self.leave(response);
        }
        let patience = self.house.request_deadline;
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        match deadline.as_mut().poll(context) {
            Poll::Ready(()) => self.leave(status::of(&Refusal::DeadlineExceeded, None).into_http()),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// The body of an answer: it holds its pass, and ends when the server stops.
///
/// An open stream would otherwise keep the server from ever stopping, because a graceful
/// shutdown waits for every stream of every connection.
pub(crate) struct Guarded {
    body: Body,
    end: End,
    _pass: Option<Pass>,
}

enum End {
    /// The body has never had to wait.
    Open(Arc<House>),
    /// The body has waited, so that it also listens for the shutdown.
    Listening(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// The shutdown has ended the body.
    Ended,
}

impl End {
    fn poll_fired(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Self::Open(house) = self {
            *self = Self::Listening(Box::pin(house.shutdown.clone().fired()));
        }
        match self {
            Self::Listening(fired) => fired.as_mut().poll(context),
            Self::Open(_) | Self::Ended => Poll::Ready(()),
        }
    }
}

impl HttpBody for Guarded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if matches!(self.end, End::Ended) {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        match self.end.poll_fired(context) {
            Poll::Ready(()) => {
                self.end = End::Ended;
                Poll::Ready(Some(Ok(farewell())))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.end, End::Ended) || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn farewell() -> Frame<Bytes> {
    let mut trailers = http::HeaderMap::new();
    // A status of ours is plain text and always fits a header.
    let _ = status::of(&Refusal::ShuttingDown, None).add_header(&mut trailers);
    Frame::trailers(trailers)
}
