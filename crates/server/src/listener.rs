//! Accepts connections: never more than agreed, and never in a spin.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};

use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::ServeError;
use crate::backoff::Backoff;
use crate::crowd::{Crowd, Place};
use crate::tally::Tally;

/// A bound port on which nobody is accepted yet.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: StdListener,
    address: SocketAddr,
}

/// A connection that has its place.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) place: Place,
}

impl Listener {
    /// Takes the port for this process alone.
    ///
    /// The threads share one listener instead of binding one each, because sockets that
    /// share a port also share it with a second server that was started by mistake.
    pub(crate) fn bind(address: SocketAddr) -> Result<Self, ServeError> {
        let socket = StdListener::bind(address).map_err(|cause| match cause.kind() {
            io::ErrorKind::AddrInUse => ServeError::AddressInUse { address },
            _ => ServeError::Bind { address, cause },
        })?;
        let ready = socket
            .set_nonblocking(true)
            .and_then(|()| socket.local_addr());
        let address = ready.map_err(|cause| ServeError::Bind { address, cause })?;
        Ok(Self { socket, address })
    }

    /// Returns the address with the port that was taken.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins to accept, within a runtime.
    pub(crate) fn open(self) -> io::Result<OpenListener> {
        Ok(OpenListener {
            socket: TcpListener::from_std(self.socket)?,
            backoff: Backoff::default(),
            refused: Tally::default(),
        })
    }
}

/// A listener that accepts.
#[derive(Debug)]
pub(crate) struct OpenListener {
    socket: TcpListener,
    backoff: Backoff,
    refused: Tally,
}

impl OpenListener {
    /// Returns the next connection for which there is a place.
    pub(crate) async fn accept(&mut self, crowd: &Crowd) -> Accepted {
        loop {
            // Without room nobody is accepted: the system's queue is the waiting room.
            let room = crowd.room().await;
            let (stream, peer) = self.accept_any().await;
            // Answers are written whole; waiting for more to send would only delay them by
            // the 40 ms after which clients acknowledge.
            match crowd.seat(room, peer.ip()) {
                Some(place) if stream.set_nodelay(true).is_ok() => {
                    return Accepted { stream, place };
                }
                Some(_) => {}
                None => self.tell_of_refused(peer.ip()),
            }
        }
    }

    fn tell_of_refused(&mut self, peer: IpAddr) {
        if let Some(count) = self.refused.note(Instant::now()) {
            tracing::warn!(count, last = %peer, "refused connections of peers that have as many as they may");
        }
    }

    async fn accept_any(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.socket.accept().await {
                Ok(accepted) => {
                    self.backoff.reset();
                    return accepted;
                }
                Err(failure) => {
                    let pause = self.backoff.after(&failure);
                    tracing::warn!(%failure, pause_ms = pause.as_millis(), "cannot accept");
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}
