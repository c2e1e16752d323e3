//! One accepted connection: it must speak soon, take its answers, and end one day.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tonic::transport::server::Connected;

use crate::crowd::Place;
use crate::origin::Origin;
use crate::worker::Share;

/// The HTTP/2 preface and the head of the first frame (RFC 9113, sections 3.4 and 4.1).
const GREETING_LEN: usize = 24 + 9;

/// How long a connection may take for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    /// To greet.
    pub(crate) preface: Duration,
    /// To take an answer; one that is not taken is noticed after at most twice as long.
    pub(crate) answer: Duration,
    /// To end.
    pub(crate) age: Duration,
}

/// A connection that is cut unless its client greets, takes its answers, and leaves in time.
///
/// Neither keepalive nor age sees a connection before HTTP/2 begins on it, so one that
/// never speaks would be held for ever. Nor do they end one on which a stream stays open.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// How many bytes of the greeting are still to come.
    missing: usize,
    alarm: Pin<Box<Sleep>>,
    answer_deadline: Duration,
    end: Instant,
    origin: Origin,
    /// Given back when the connection ends, as is its share of the worker.
    _place: Place,
    _share: Share,
}

impl Connection {
    /// Starts the deadlines of a connection that was just accepted.
    pub(crate) fn new(stream: TcpStream, place: Place, share: Share, deadlines: Deadlines) -> Self {
        Self {
            stream,
            missing: GREETING_LEN,
            alarm: Box::pin(tokio::time::sleep(deadlines.preface)),
            answer_deadline: deadlines.answer,
            end: Instant::now() + deadlines.age,
            origin: Origin::new(place.doors()),
            _place: place,
            _share: share,
        }
    }

    /// Is ready when the connection is to be cut.
    fn poll_cut(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        // Asked first, because a task that reads a lot is not told that its time has come.
        while self.alarm.is_elapsed() || self.alarm.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            if let Some(fault) = self.fault(now) {
                tracing::debug!(fault, "cutting a connection");
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.begin_period(now);
        }
        Poll::Pending
    }

    fn begin_period(&mut self, now: Instant) {
        let next = (now + self.answer_deadline).min(self.end);
        self.alarm.as_mut().reset(next);
    }

    fn note_greeting(&mut self, read: usize) {
        self.missing = self.missing.saturating_sub(read);
        if self.missing == 0 && !self.alarm.is_elapsed() {
            self.begin_period(Instant::now());
        }
    }

    /// Returns why the connection is to be cut, if it is.
    fn fault(&self, now: Instant) -> Option<&'static str> {
        if self.missing > 0 {
            Some("it did not greet")
        } else if now >= self.end {
            Some("it did not leave")
        } else if self.origin.turn() {
            Some("it did not take an answer")
        } else {
            None
        }
    }

    /// Looks at the deadlines when the client has to be waited for.
    fn unless_cut<T>(
        &mut self,
        done: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if done.is_ready() && !self.alarm.is_elapsed() {
            return done;
        }
        match self.poll_cut(context) {
            Poll::Ready(error) => Poll::Ready(Err(error)),
            Poll::Pending => done,
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = Origin;

    fn connect_info(&self) -> Origin {
        self.origin.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // HTTP/2 always looks for input before it sends.
        self.origin.groups().begin();
        let before = buffer.filled().len();
        let done = Pin::new(&mut self.stream).poll_read(context, buffer);
        let read = buffer.filled().len() - before;
        if self.missing > 0 {
            self.note_greeting(read);
        }
        self.unless_cut(done, context)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.unless_cut(done, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.unless_cut(done, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
