//! One accepted connection: it must speak soon, and it counts while it lives.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tonic::transport::server::{Connected, TcpConnectInfo};

use crate::crowd::Place;
use crate::worker::Share;

/// The HTTP/2 preface and the head of the first frame (RFC 9113, sections 3.4 and 4.1).
const GREETING_LEN: usize = 24 + 9;

/// A connection that is cut unless its client greets within a deadline.
///
/// Neither keepalive nor age sees a connection before HTTP/2 begins on it, so one that
/// never speaks would be held for ever.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    greeting: Option<Greeting>,
    /// Given back when the connection ends, as is its share of the worker.
    _place: Place,
    _share: Share,
}

#[derive(Debug)]
struct Greeting {
    missing: usize,
    deadline: Pin<Box<Sleep>>,
}

impl Connection {
    /// Starts the deadline of a connection that was just accepted.
    pub(crate) fn new(stream: TcpStream, place: Place, share: Share, deadline: Duration) -> Self {
        let deadline = Box::pin(tokio::time::sleep(deadline));
        let greeting = Some(Greeting {
            missing: GREETING_LEN,
            deadline,
        });
        Self {
            stream,
            greeting,
            _place: place,
            _share: share,
        }
    }

    fn poll_greeting(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(greeting) = &mut self.greeting else {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        };
        if greeting.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let read = buffer.filled().len() - before;
        greeting.missing = greeting.missing.saturating_sub(read);
        if greeting.missing == 0 {
            self.greeting = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_greeting(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
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
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
