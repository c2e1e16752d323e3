//! Binds, serves, drains.

use std::net::SocketAddr;
use std::path::PathBuf;

use sameas_graph::Revision;

use crate::crew::Crew;
use crate::crowd::Crowd;
use crate::current::Follower;
use crate::listener::{Listener, OpenListener};
use crate::{ServeError, ServerConfig, Values};

/// The service over the newest revision of one graph folder.
///
/// ```no_run
/// use sameas_server::{Server, ServerConfig, asked_to_stop};
///
/// let bound = Server::bind(ServerConfig::default(), "graph".into())?;
/// let drained = bound.serve(async {
///     asked_to_stop().await.expect("signals can be listened for");
/// })?;
/// assert_eq!(drained.connections_cut, 0);
/// # Ok::<(), sameas_server::ServeError>(())
/// ```
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Opens and verifies the current revision and takes the port; nobody is answered yet.
    ///
    /// # Errors
    /// Fails if the folder holds no revision that can be served, if the port is taken, or if
    /// other machines could reach it although nothing is encrypted.
    pub fn bind(config: ServerConfig, folder: PathBuf) -> Result<Bound, ServeError> {
        Self::bind_with(config, folder, Values::default())
    }

    /// As [`bind`](Self::bind), and offers values to callers.
    ///
    /// # Errors
    /// As [`bind`](Self::bind); and if other machines could reach the address, whatever
    /// `insecure_plaintext` says, unless the configuration says that a proxy encrypts.
    pub fn bind_with(
        config: ServerConfig,
        folder: PathBuf,
        values: Values,
    ) -> Result<Bound, ServeError> {
        let address = config.listen;
        let is_encrypted = address.ip().is_loopback() || config.behind_tls_proxy;
        if !is_encrypted && values.takes_tokens() {
            return Err(ServeError::TokensInClear { address });
        }
        if !is_encrypted && !config.insecure_plaintext {
            return Err(ServeError::Plaintext { address });
        }
        let follower = Follower::open(folder)?;
        let listener = Listener::bind(address)?;
        Ok(Bound {
            config,
            listener,
            follower,
            values,
        })
    }
}

/// A server that has its graph and its port.
#[derive(Debug)]
pub struct Bound {
    config: ServerConfig,
    listener: Listener,
    follower: Follower,
    values: Values,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// How many connections were still busy when the time to drain was over.
    pub connections_cut: usize,
}

impl Bound {
    /// Returns the address it listens on, with the port that was taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Returns the revision it will serve first.
    pub fn revision(&self) -> Revision {
        self.follower.current().load().revision()
    }

    /// Serves until the future ends, then finishes what is open and returns.
    ///
    /// Blocks the calling thread, which accepts connections and follows the graph folder; the
    /// answers come from threads of its own. The future is polled within a tokio runtime. After
    /// it has ended, no connection is accepted, streams end with `UNAVAILABLE`, and what is not
    /// finished by the drain deadline is cut.
    ///
    /// # Errors
    /// Fails if the system gives no threads or a thread dies.
    ///
    /// # Panics
    /// Panics if called from within an async task; use a thread of its own there.
    pub fn serve(self, shutdown: impl Future<Output = ()>) -> Result<Drained, ServeError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|cause| ServeError::Threads { cause })?;
        let result = runtime.block_on(self.run(shutdown));
        // A new snapshot that is being verified at this moment is of no use any more.
        runtime.shutdown_background();
        result
    }

    async fn run(self, shutdown: impl Future<Output = ()>) -> Result<Drained, ServeError> {
        let Self {
            config,
            listener,
            follower,
            values,
        } = self;
        let mut listener = listener
            .open()
            .map_err(|cause| ServeError::Threads { cause })?;
        let crowd = Crowd::new(&config);
        let crew = Crew::start(&config, &follower.current(), &values).await?;
        tokio::select! {
            () = shutdown => {}
            () = crew.any_ended() => {}
            () = follower.follow(config.poll_interval) => {}
            () = accept_all(&mut listener, &crowd, &crew) => {}
        }
        // New clients are refused at once, and not left in a queue that nobody serves.
        drop(listener);
        crew.drain(config.drain_deadline).await
    }
}

async fn accept_all(listener: &mut OpenListener, crowd: &Crowd, crew: &Crew) {
    loop {
        crew.take(listener.accept(crowd).await).await;
    }
}
