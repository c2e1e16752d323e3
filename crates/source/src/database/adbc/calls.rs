//! Calls of drivers, each of which holds a thread until the driver returns, whether or not somebody
//! still waits for it.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// The calls of one source at once, those among them that were given up. tokio has 512 threads for
/// calls that block, and files need some of them.
const CALLS_MAX: usize = 8;

/// The turns of each source by its name, for as long as the program runs: a source that is opened
/// anew still has the calls that do not return.
static TURNS: LazyLock<Mutex<BTreeMap<String, Arc<Semaphore>>>> = LazyLock::new(Mutex::default);

/// Starts a call as soon as the source has a turn.
pub(crate) async fn start<T: Send + 'static>(
    source: &str,
    call: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let turns = turns_of(source);
    // Never closed, so there is always a turn.
    let turn = turns.acquire_owned().await;
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        call()
    })
}

fn turns_of(source: &str) -> Arc<Semaphore> {
    let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(turns) = turns.get(source) {
        return Arc::clone(turns);
    }
    let own = Arc::new(Semaphore::new(CALLS_MAX));
    turns.insert(source.to_owned(), Arc::clone(&own));
    own
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::sync::mpsc::channel;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn calls_that_do_not_return_leave_other_sources_their_threads() {
        let mut ends = Vec::new();
        for _ in 0..CALLS_MAX {
            let (end, wait) = channel::<()>();
            // Given up at once.
            drop(start("hangs", move || wait.recv()).await);
            ends.push(end);
        }
        let short = Duration::from_millis(50);
        assert!(timeout(short, start("hangs", || 1)).await.is_err());
        assert_eq!(start("answers", || 2).await.await.unwrap(), 2);
        drop(ends);
        assert_eq!(start("hangs", || 3).await.await.unwrap(), 3);
    }
}
