//! The body of an answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Bytes, http};

use super::{Admission, House, Visit};
use crate::config::PIECE_LEN_MAX;
use crate::flow::Flow;
use crate::leash::Untaken;
use crate::origin::Origin;
use crate::refusal::Refusal;
use crate::status;

/// The body of an answer: it holds its request's passes until it is taken, and ends when the
/// server stops or a stream is idle.
///
/// An open stream would otherwise keep the server from ever stopping, because a graceful
/// shutdown waits for every stream of every connection.
pub(crate) struct Guarded {
    body: Body,
    /// What is left of the last message.
    rest: Bytes,
    flow: Flow,
    end: End,
    idle: Idle,
    /// Rings when the client of a stream stops waiting, if it said when.
    until: Option<Pin<Box<Sleep>>>,
    /// What the client has to take: a whole answer, or the last message of a stream.
    untaken: Option<Untaken>,
    origin: Option<Origin>,
    _admission: Option<Admission>,
}

enum End {
    /// The body has never had to wait.
    Open(Arc<House>),
    /// The body has waited, so that it also listens for the shutdown.
    Listening(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// The body has ended before its time.
    Ended,
}

/// How long a stream has been without a message.
struct Idle {
    deadline: Duration,
    has_moved: bool,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Guarded {
    /// Takes over what a visit holds.
    pub(super) fn new(body: Body, visit: &mut Visit) -> Self {
        let (flow, origin) = (visit.flow, visit.origin.take());
        let until = visit.until.filter(|_| flow != Flow::Whole);
        let untaken = match flow {
            Flow::Whole => origin.as_ref().map(Origin::hold),
            Flow::Stream | Flow::Watch => None,
        };
        Self {
            body,
            rest: Bytes::new(),
            flow,
            end: End::Open(Arc::clone(&visit.house)),
            idle: Idle {
                deadline: visit.house.rules.stream_deadline,
                has_moved: false,
                alarm: None,
            },
            until: until.map(|until| Box::pin(tokio::time::sleep_until(until))),
            untaken,
            origin,
            _admission: visit.admission.take(),
        }
    }

    /// Hands a frame on, or as much of it as goes at once.
    fn hand_on(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        match frame.into_data() {
            Ok(data) => self.hand_on_data(data),
            Err(trailers) => trailers,
        }
    }

    fn hand_on_data(&mut self, mut data: Bytes) -> Frame<Bytes> {
        if data.len() > PIECE_LEN_MAX {
            self.rest = data.split_off(PIECE_LEN_MAX);
        }
        if self.flow != Flow::Whole {
            self.untaken = self.origin.as_ref().map(Origin::hold);
            self.idle.has_moved = true;
        }
        Frame::data(data)
    }

    /// Returns why the body is to end while it waits for its next message, if it is.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Refusal> {
        if self.end.poll_fired(context).is_ready() {
            return Poll::Ready(Refusal::ShuttingDown);
        }
        if let Some(until) = &mut self.until
            && until.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Refusal::DeadlineExceeded);
        }
        if self.flow == Flow::Watch {
            return Poll::Pending;
        }
        self.idle
            .poll_over(context)
            .map(|()| Refusal::DeadlineExceeded)
    }
}

impl End {
    fn poll_fired(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Self::Open(house) = self {
            *self = Self::Listening(Box::pin(house.rules.shutdown.clone().fired()));
        }
        match self {
            Self::Listening(fired) => fired.as_mut().poll(context),
            Self::Open(_) | Self::Ended => Poll::Ready(()),
        }
    }
}

impl Idle {
    /// Is ready when there was no message for a whole deadline.
    ///
    /// A message only leaves a mark, because moving the alarm each time would cost more than
    /// the message; so it may be up to two deadlines.
    fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline;
        let alarm = self
            .alarm
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(deadline)));
        loop {
            ready!(alarm.as_mut().poll(context));
            if !std::mem::take(&mut self.has_moved) {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(Instant::now() + deadline);
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
        if self.flow != Flow::Whole {
            // Whoever asks for more has taken what was before.
            self.untaken = None;
        }
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            return Poll::Ready(Some(Ok(self.hand_on_data(rest))));
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map(|frame| self.hand_on(frame))));
        }
        let refusal = ready!(self.poll_end(context));
        self.end = End::Ended;
        self.body = Body::empty();
        Poll::Ready(Some(Ok(farewell(&refusal))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.end, End::Ended) || (self.rest.is_empty() && self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        if self.rest.is_empty() {
            self.body.size_hint()
        } else {
            SizeHint::default()
        }
    }
}

fn farewell(refusal: &Refusal) -> Frame<Bytes> {
    let mut trailers = http::HeaderMap::new();
    // A status of ours is plain text and always fits a header.
    let _ = status::of(refusal, None).add_header(&mut trailers);
    Frame::trailers(trailers)
}
