//! The front of the house: every request of every service passes here.
//!
//! One lookup costs microseconds, so this path allocates nothing of its own: identity
//! requests go straight to their service, and deadlines and shutdown are only looked at
//! when a request has to wait.

mod guarded;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body::Body as _;
use sameas_api::v1::identity_service_server::{IdentityServiceServer, SERVICE_NAME};
use tokio::time::{Instant, Sleep};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::service::Routes;

use crate::doors::{Doors, Passes};
use crate::flow::Flow;
use crate::groups::Steps;
use crate::identity::Identity;
use crate::origin::Origin;
use crate::patience::patience;
use crate::porter::{Need, Porter, take_token};
use crate::profile::Admitted;
use crate::refusal::Refusal;
use crate::shutdown::Shutdown;
use crate::status;
use guarded::Guarded;

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
    rules: Rules,
}

/// What holds for every request, whatever it asks.
#[derive(Debug)]
pub(crate) struct Rules {
    /// Count who is inside.
    pub(crate) doors: Arc<Doors>,
    /// Asks for tokens, if anything needs one.
    pub(crate) porter: Option<Arc<Porter>>,
    /// Ends streams.
    pub(crate) shutdown: Shutdown,
    /// How long a request may take to arrive and be answered.
    pub(crate) request_deadline: Duration,
    /// How long a stream may be without a message.
    pub(crate) stream_deadline: Duration,
}

impl Front {
    /// Stands before the identity service and the others.
    pub(crate) fn new(
        identity: IdentityServiceServer<Identity>,
        others: Routes,
        rules: Rules,
    ) -> Self {
        Self {
            house: Arc::new(House {
                identity,
                others,
                rules,
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
        let flow = Flow::of(request.uri().path());
        let origin = request.extensions().get::<Origin>().cloned();
        let admission = Admission::of(&house.rules.doors, origin.as_ref(), flow);
        let until = patience(request.headers()).map(|patience| Instant::now() + patience);
        let answer = admission.is_some().then(|| House::answer(&house, request));
        Visit {
            house,
            flow,
            origin,
            admission,
            answer,
            until,
            deadline: None,
            steps: Steps::default(),
        }
    }
}

impl House {
    fn answer(house: &Arc<Self>, request: http::Request<Body>) -> Answer {
        let porter = house.rules.porter.as_ref();
        match porter.and_then(|porter| porter.need(request.uri().path())) {
            Some(need) => Box::pin(Arc::clone(house).answer_caller(request, need)),
            None => house.answer_anybody(request),
        }
    }

    /// Answers whoever has what the call needs.
    async fn answer_caller(
        self: Arc<Self>,
        mut request: http::Request<Body>,
        need: Need,
    ) -> Result<http::Response<Body>, Infallible> {
        let latest = self.rules.request_deadline;
        let patience = patience(request.headers()).unwrap_or(latest);
        let until = Instant::now() + patience.min(latest);
        let shown = take_token(request.headers_mut());
        let Some(porter) = &self.rules.porter else {
            return Ok(status::of(&Refusal::CallerUnknown, None).into_http());
        };
        match porter.admit(shown, need).await {
            Ok(caller) => {
                request.extensions_mut().insert(Admitted { caller, until });
                self.answer_anybody(request).await
            }
            Err(refusal) => Ok(status::of(&refusal, None).into_http()),
        }
    }

    fn answer_anybody(&self, request: http::Request<Body>) -> Answer {
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

/// What a request holds of the house, and of its peer's share of it.
#[derive(Debug)]
struct Admission {
    _house: Passes,
    _peer: Option<Passes>,
}

impl Admission {
    fn of(doors: &Doors, origin: Option<&Origin>, flow: Flow) -> Option<Self> {
        // A peer without room must not even for a moment take that of the others.
        let peer = match origin.and_then(Origin::doors) {
            Some(doors) => Some(doors.enter(flow)?),
            None => None,
        };
        let house = doors.enter(flow)?;
        Some(Self {
            _house: house,
            _peer: peer,
        })
    }
}

/// A request on its way to its answer.
pub(crate) struct Visit {
    house: Arc<House>,
    flow: Flow,
    origin: Option<Origin>,
    admission: Option<Admission>,
    answer: Option<Answer>,
    /// When the client stops waiting, if it said so.
    until: Option<Instant>,
    deadline: Option<Pin<Box<Sleep>>>,
    steps: Steps,
}

impl Visit {
    /// Is ready when the client does not wait any more: nothing is made for it then.
    fn poll_over(&self) -> Poll<http::Response<Body>> {
        match self.until {
            Some(until) if until <= Instant::now() => Poll::Ready(late()),
            _ => Poll::Pending,
        }
    }

    /// Makes the answer when its group has its turn.
    fn poll_in_turn(&mut self, context: &mut Context<'_>) -> Poll<http::Response<Body>> {
        if let Some(origin) = &self.origin {
            ready!(origin.groups().poll_turn(&mut self.steps, context));
        }
        let began = Instant::now();
        let answer = ready!(self.poll_answer(context));
        if let Some(origin) = &self.origin {
            origin.groups().leave(began.elapsed());
        }
        Poll::Ready(answer)
    }

    fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<http::Response<Body>> {
        let Some(answer) = &mut self.answer else {
            return Poll::Ready(status::of(&Refusal::Overloaded, None).into_http());
        };
        if let Poll::Ready(Ok(response)) = answer.as_mut().poll(context) {
            return Poll::Ready(explained(response));
        }
        ready!(self.poll_late(context));
        Poll::Ready(late())
    }

    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline.get_or_insert_with(|| {
            let latest = Instant::now() + self.house.rules.request_deadline;
            let deadline = self.until.map_or(latest, |until| until.min(latest));
            Box::pin(tokio::time::sleep_until(deadline))
        });
        // tonic keeps the client's deadline too and would answer for us, without a reason, if
        // our timer came a moment later than its own; but it asks us before it does.
        if deadline.deadline() <= Instant::now() {
            return Poll::Ready(());
        }
        deadline.as_mut().poll(context)
    }
}

impl Future for Visit {
    type Output = Result<http::Response<Guarded>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = match self.poll_over() {
            Poll::Ready(late) => late,
            Poll::Pending => ready!(self.poll_in_turn(context)),
        };
        self.answer = None;
        Poll::Ready(Ok(answer.map(|body| Guarded::new(body, &mut self))))
    }
}

fn late() -> http::Response<Body> {
    status::of(&Refusal::DeadlineExceeded, None).into_http()
}

/// Gives a reason to a refusal that has none.
fn explained(response: http::Response<Body>) -> http::Response<Body> {
    let headers = response.headers();
    // Only what is refused has no body.
    if !response.body().is_end_stream() || headers.contains_key("grpc-status-details-bin") {
        return response;
    }
    match Status::from_header_map(headers) {
        Some(refused) => status::explained(refused).into_http(),
        None => response,
    }
}
