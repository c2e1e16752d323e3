//! Sources that stay open from one question to the next.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use sameas_source::{
    DatabaseFault, FETCH_KEYS_MAX, OpenError, ScanError, ScanRequest, Source, SourceSettings,
    to_the_end,
};
use thiserror::Error;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::timeout;

/// The fetches of one source that go on at once; others wait. As many sessions of a database are
/// kept, so that none is opened for a single fetch.
const FETCH_COUNT_MAX: usize = 4;

/// How long opening may take of a database that a driver may read through to learn its columns.
const DRIVER_OPENING_TIME_MAX: Duration = Duration::from_mins(10);

/// How long whoever asks waits for a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// As long as the settings say, or this if it is less.
    Within(Duration),
    /// As long as the settings say, but until files of this machine are read to their end: whoever
    /// asks once finds nothing learnt, and would wait in vain each time.
    ToTheEnd,
}

impl Waiting {
    /// Returns how long a source may take, which may take so long by the settings.
    pub(crate) fn time_of(self, source: &SourceSettings, time: Duration) -> Duration {
        match self {
            Self::Within(own) => time.min(own),
            Self::ToTheEnd if source.is_local() => Duration::MAX,
            Self::ToTheEnd => time,
        }
    }
}

/// Why a source did not tell what it has. No message quotes a value.
#[derive(Debug, Error)]
pub(crate) enum FetchError {
    #[error("the settings have no source of this name any more")]
    Unknown,
    #[error("{}", told(.0))]
    Open(#[source] OpenError),
    #[error("it could not be opened within {} s", .0.as_secs())]
    Slow(Duration),
    #[error("{}", told(.0))]
    Fetch(#[source] ScanError),
}

/// The sources of some settings, each opened when it is first asked.
///
/// One that fails is opened anew the next time; one that was open already is so at once, and asked
/// again, unless its system has said no. The opening of a local file or of a driver's table goes on
/// when nobody waits for it any more, and the next caller finds it done: to learn what a large one is
/// like takes longer than a caller waits. Other openings end with their caller.
pub(crate) struct OpenedSources {
    base: PathBuf,
    slots: BTreeMap<String, Slot>,
}

struct Slot {
    settings: Arc<SourceSettings>,
    /// Locked by the opening that goes on, if one does.
    opened: Arc<Mutex<Option<Opened>>>,
    turns: Semaphore,
}

/// A source, and the files that it had when it was opened.
#[derive(Clone)]
struct Opened {
    source: Arc<Source>,
    files: Vec<PathBuf>,
}

impl OpenedSources {
    /// Opens nothing yet.
    pub(crate) fn new(sources: &[SourceSettings], base: &Path) -> Self {
        let slots = sources.iter().map(|settings| {
            let slot = Slot {
                settings: Arc::new(settings.clone()),
                opened: Arc::default(),
                turns: Semaphore::new(FETCH_COUNT_MAX),
            };
            (settings.name.clone(), slot)
        });
        Self {
            base: base.to_owned(),
            slots: slots.collect(),
        }
    }

    /// Reads the records with these keys. Dropping the future ends what the system was asked.
    pub(crate) async fn fetch(
        &self,
        name: &str,
        request: &ScanRequest,
        keys: &[&str],
    ) -> Result<Vec<RecordBatch>, FetchError> {
        let slot = self.slots.get(name).ok_or(FetchError::Unknown)?;
        // Never closed, so there is always a turn.
        let _turn = slot.turns.acquire().await;
        let (opened, was_open) = slot.open(&self.base).await?;
        let failure = match fetch(&opened.source, request, keys).await {
            Ok(batches) => return Ok(batches),
            Err(failure) => failure,
        };
        slot.forget(&opened).await;
        if !was_open || is_refusal(&failure) {
            return Err(FetchError::Fetch(failure));
        }
        let (opened, _) = slot.open(&self.base).await?;
        match fetch(&opened.source, request, keys).await {
            Ok(batches) => Ok(batches),
            Err(failure) => {
                slot.forget(&opened).await;
                Err(FetchError::Fetch(failure))
            }
        }
    }

    /// Opens a source anew the next time, with sessions of its own: one that was silent may be
    /// behind a connection that nobody holds any more.
    pub(crate) fn forget(&self, name: &str) {
        // Files are behind no connection, and what is known of them is worth keeping. Whoever holds
        // the lock opens the source at this moment, or has just taken it.
        if let Some(slot) = self.slots.get(name)
            && !slot.settings.is_local()
            && slot.settings.is_database()
            && let Ok(mut opened) = slot.opened.try_lock()
        {
            *opened = None;
        }
    }
}

impl Slot {
    /// Returns the source, and whether it was open already.
    async fn open(&self, base: &Path) -> Result<(Opened, bool), FetchError> {
        let mut kept = Arc::clone(&self.opened).lock_owned().await;
        let files = self.files(base);
        if let Some(opened) = &*kept
            && files == opened.files
        {
            return Ok((opened.clone(), true));
        }
        let (settings, base) = (Arc::clone(&self.settings), base.to_owned());
        let (is_watched, time) = (self.is_watched(), self.opening_time());
        let opening = async move {
            *kept = None;
            let source = timeout(time, Source::open(&settings, &base)).await;
            let source = source.map_err(|_| FetchError::Slow(time))?;
            let source = Arc::new(source.map_err(FetchError::Open)?);
            source.updated_kind().map_err(FetchError::Fetch)?;
            let fresh = Opened { source, files };
            *kept = is_watched.then(|| fresh.clone());
            Ok((fresh, false))
        };
        if self.settings.driver.is_some() || self.settings.is_local() {
            to_the_end(opening).await
        } else {
            opening.await
        }
    }

    fn opening_time(&self) -> Duration {
        let driver = self.settings.driver.as_ref();
        driver.map_or(Duration::MAX, |_| DRIVER_OPENING_TIME_MAX)
    }

    async fn forget(&self, failed: &Opened) {
        let mut opened = self.opened.lock().await;
        let is_same = |opened: &Opened| Arc::ptr_eq(&opened.source, &failed.source);
        if opened.as_ref().is_some_and(is_same) {
            *opened = None;
        }
    }

    /// Returns the files there are now: one more is a source that has to be opened anew.
    fn files(&self, base: &Path) -> Vec<PathBuf> {
        if self.settings.is_database() {
            return Vec::new();
        }
        self.settings.local_files(base)
    }

    /// Tells whether it would be seen that files come or go; in object stores it is not.
    fn is_watched(&self) -> bool {
        self.settings.is_database() || self.settings.is_local()
    }
}

async fn fetch(
    source: &Source,
    request: &ScanRequest,
    keys: &[&str],
) -> Result<Vec<RecordBatch>, ScanError> {
    let mut batches = Vec::new();
    for keys in keys.chunks(FETCH_KEYS_MAX) {
        batches.extend(source.fetch(request, keys).await?);
    }
    Ok(batches)
}

/// Tells whether a system understood what it was asked and says no: asking again does not help.
fn is_refusal(failure: &ScanError) -> bool {
    use DatabaseFault as Fault;
    let ScanError::Database { cause, .. } = failure else {
        return false;
    };
    match cause {
        // Class 42 is a query that does not fit the table: it may be another than when opened.
        Fault::Refused { code } => !code.starts_with("42"),
        cause => matches!(
            cause,
            Fault::Cancelled
                | Fault::Locked
                | Fault::Denied { .. }
                | Fault::NotGranted { .. }
                | Fault::TooLong
                | Fault::Killed
                | Fault::Crowded
                | Fault::Unreadable { .. }
        ),
    }
}

/// Tells an error of a source with its cause, neither of which quotes a value.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
