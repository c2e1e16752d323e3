//! A thread that serves its share of the connections on a runtime of its own.
//!
//! One request costs a few microseconds, less than waking another thread: a runtime that
//! moves tasks between threads costs about twice as much for each request.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::Server;

use crate::config::{
    CONNECTION_WINDOW_LEN, FRAME_LEN_MAX, HEADER_LIST_LEN_MAX, KEEPALIVE_INTERVAL,
    KEEPALIVE_TIMEOUT, STREAM_WINDOW_LEN, STREAMS_PER_CONNECTION_MAX,
};
use crate::connection::{Connection, Deadlines};
use crate::front::Front;
use crate::listener::Accepted;
use crate::shutdown::Shutdown;

/// The most connections that wait for a thread to take them.
const QUEUE_COUNT_MAX: usize = 128;

/// A thread that serves.
#[derive(Debug)]
pub(crate) struct Worker {
    queue: mpsc::Sender<Handed>,
    open: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

/// What a worker serves, and until when.
#[derive(Debug)]
pub(crate) struct Duty {
    pub(crate) number: u32,
    pub(crate) front: Front,
    /// When a client is asked to open another connection.
    pub(crate) age: Duration,
    /// When a connection is cut.
    pub(crate) deadlines: Deadlines,
    /// Asks to finish what is open.
    pub(crate) shutdown: Shutdown,
    /// Asks to drop what is still open.
    pub(crate) cut: Shutdown,
    /// Counts the workers that have ended.
    pub(crate) ended: watch::Sender<usize>,
}

/// Counts a worker as ended, however it ends.
struct Farewell(watch::Sender<usize>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count += 1);
    }
}

#[derive(Debug)]
struct Handed {
    stream: std::net::TcpStream,
    place: crate::crowd::Place,
    share: Share,
}

/// Counts a connection as one of its worker's.
#[derive(Debug)]
pub(crate) struct Share(Arc<AtomicUsize>);

impl Drop for Share {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Worker {
    /// Starts the thread.
    pub(crate) fn start(duty: Duty) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (queue, handed) = mpsc::channel(QUEUE_COUNT_MAX);
        let farewell = Farewell(duty.ended.clone());
        let name = format!("serve-{}", duty.number);
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            let _farewell = farewell;
            // Connections that are still open end with the runtime and its tasks.
            runtime.block_on(duty.serve(handed));
            drop(runtime);
        })?;
        Ok(Self {
            queue,
            open: Arc::default(),
            thread,
        })
    }

    /// Returns how many connections it serves.
    pub(crate) fn open_count(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Hands it a connection.
    pub(crate) async fn take(&self, accepted: Accepted) {
        let Ok(stream) = accepted.stream.into_std() else {
            return;
        };
        self.open.fetch_add(1, Ordering::Relaxed);
        let share = Share(Arc::clone(&self.open));
        // A worker that is gone drops the connection, and with it place and share.
        let _ = self
            .queue
            .send(Handed {
                stream,
                place: accepted.place,
                share,
            })
            .await;
    }

    /// Waits for the thread and returns whether it panicked.
    pub(crate) fn join(self) -> bool {
        self.thread.join().is_err()
    }
}

impl Duty {
    async fn serve(self, handed: mpsc::Receiver<Handed>) {
        let cut = self.cut.clone();
        let connections = connections(handed, self.deadlines);
        let serving = builder(self.age).serve_with_incoming_shutdown(
            self.front,
            connections,
            self.shutdown.fired(),
        );
        tokio::select! {
            result = serving => if let Err(failure) = result {
                tracing::error!(%failure, "a worker stopped serving");
            },
            () = cut.fired() => {}
        }
    }
}

fn connections(
    handed: mpsc::Receiver<Handed>,
    deadlines: Deadlines,
) -> impl Stream<Item = Result<Connection, Infallible>> {
    ReceiverStream::new(handed).filter_map(move |handed| {
        let stream = TcpStream::from_std(handed.stream).ok()?;
        Some(Ok(Connection::new(
            stream,
            handed.place,
            handed.share,
            deadlines,
        )))
    })
}

/// The one place where HTTP/2 is configured.
///
/// `max_connection_age_grace` stays unset: with it, tonic 0.14 cuts connections without
/// the notice that lets clients finish. The [`Connection`] cuts itself.
fn builder(age: Duration) -> Server {
    Server::builder()
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        // A client whose calls are all given up at once is no flood.
        .http2_max_pending_accept_reset_streams(Some(2 * STREAMS_PER_CONNECTION_MAX as usize))
        .initial_stream_window_size(STREAM_WINDOW_LEN)
        .initial_connection_window_size(CONNECTION_WINDOW_LEN)
        .http2_max_header_list_size(HEADER_LIST_LEN_MAX)
        .max_frame_size(FRAME_LEN_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .max_connection_age(age)
}
