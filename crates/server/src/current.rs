//! The served snapshot, and who replaces it when a newer one is published.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use sameas_graph::Namespace;
use sameas_store::{CurrentToken, FolderError, GraphFolder, Snapshot, VerifyError};
use thiserror::Error;
use tokio::time::{Instant, MissedTickBehavior};

use crate::ServeError;

/// The first pause before a snapshot that could not be served is tried again.
const RETRY_MIN: Duration = Duration::from_secs(1);
/// The longest such pause.
const RETRY_MAX: Duration = Duration::from_mins(1);

/// The snapshot that answers.
#[derive(Debug)]
pub(crate) struct Current(ArcSwap<Snapshot>);

impl Current {
    /// Returns the snapshot of this moment; a request takes one for its whole answer.
    pub(crate) fn load(&self) -> Guard<Arc<Snapshot>> {
        self.0.load()
    }
}

/// Looks for newer snapshots and puts them in the place of the current one.
#[derive(Debug)]
pub(crate) struct Follower {
    folder: Arc<GraphFolder>,
    current: Arc<Current>,
    seen: CurrentToken,
    failure: Option<Failure>,
}

/// A publication that could not be served, and when it is tried again.
#[derive(Debug)]
struct Failure {
    /// None if not even the token could be read.
    token: Option<CurrentToken>,
    pause: Duration,
    retry: Instant,
}

/// Why a publication is not served.
#[derive(Debug, Error)]
enum RefuseError {
    #[error("open it")]
    Folder(#[source] FolderError),
    #[error("verify it")]
    Verify(#[source] VerifyError),
    #[error("it belongs to another graph")]
    OtherGraph,
    #[error("the folder has no current revision any more")]
    Gone,
}

impl Follower {
    /// Opens and verifies what is current now.
    pub(crate) fn open(path: PathBuf) -> Result<Self, ServeError> {
        let opened = GraphFolder::open(&path);
        let folder = opened.map_err(|cause| ServeError::Folder { cause })?;
        // The token comes first: a publication between the two is then looked at once more.
        let seen = folder
            .current_token()
            .map_err(|cause| ServeError::Folder { cause })?;
        let current = folder
            .current()
            .map_err(|cause| ServeError::Folder { cause })?;
        let Some(snapshot) = current else {
            return Err(ServeError::NothingPublished { folder: path });
        };
        if let Err(cause) = snapshot.verify() {
            return Err(ServeError::Damaged {
                folder: path,
                cause,
            });
        }
        let current = Arc::new(Current(ArcSwap::from_pointee(snapshot)));
        Ok(Self {
            folder: Arc::new(folder),
            current,
            seen,
            failure: None,
        })
    }

    /// Returns the place where the served snapshot stands.
    pub(crate) fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current)
    }

    /// Looks for a newer snapshot again and again.
    pub(crate) async fn follow(mut self, interval: Duration) {
        let mut ticks = tokio::time::interval(interval.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look().await;
        }
    }

    async fn look(&mut self) {
        let Ok(token) = self.token().await else {
            return;
        };
        let is_waiting = self
            .failure
            .as_ref()
            .is_some_and(|failure| failure.token == Some(token) && Instant::now() < failure.retry);
        if token == self.seen || is_waiting {
            return;
        }
        let namespace = self.current.load().namespace();
        let folder = Arc::clone(&self.folder);
        let opened = blocking(move || open_other(&folder, namespace)).await;
        match opened {
            Some(Ok(snapshot)) => self.replace(snapshot, token),
            Some(Err(error)) => self.keep(&error, Some(token)),
            // The runtime is ending.
            None => {}
        }
    }

    /// Reads the small file that names the current snapshot.
    async fn token(&mut self) -> Result<CurrentToken, ()> {
        let folder = Arc::clone(&self.folder);
        match blocking(move || folder.current_token()).await {
            Some(Ok(token)) => Ok(token),
            Some(Err(cause)) => {
                self.keep(&RefuseError::Folder(cause), None);
                Err(())
            }
            None => Err(()),
        }
    }

    fn replace(&mut self, snapshot: Snapshot, token: CurrentToken) {
        tracing::info!(revision = %snapshot.revision(), "serving a new revision");
        self.current.0.store(Arc::new(snapshot));
        self.seen = token;
        self.failure = None;
    }

    /// Keeps what is served, and says so once for each attempt.
    fn keep(&mut self, error: &RefuseError, token: Option<CurrentToken>) {
        let now = Instant::now();
        let last = self.failure.take().filter(|failure| failure.token == token);
        if last.as_ref().is_some_and(|failure| now < failure.retry) {
            self.failure = last;
            return;
        }
        let pause = last.map_or(RETRY_MIN, |failure| (failure.pause * 2).min(RETRY_MAX));
        let served = self.current.load().revision();
        let error: &dyn std::error::Error = error;
        tracing::error!(error, %served, "a new revision cannot be served, the old one stays");
        self.failure = Some(Failure {
            token,
            pause,
            retry: now + pause,
        });
    }
}

fn open_other(folder: &GraphFolder, namespace: Namespace) -> Result<Snapshot, RefuseError> {
    let snapshot = folder
        .current()
        .map_err(RefuseError::Folder)?
        .ok_or(RefuseError::Gone)?;
    if snapshot.namespace() != namespace {
        return Err(RefuseError::OtherGraph);
    }
    snapshot.verify().map_err(RefuseError::Verify)?;
    Ok(snapshot)
}

/// Does what may wait for a disk where nobody waits for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}
