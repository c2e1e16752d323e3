//! Work that is worth finishing whether or not somebody still waits for it.

use std::future::{Future, pending};
use std::panic::resume_unwind;

/// Does some work as a task of its own: who drops the future stops waiting, and the work goes on. A
/// panic of the work is one of whoever waits.
pub async fn to_the_end<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
        // The runtime ends, and with it whoever waits.
        Err(_) => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::{Mutex, Notify};

    use super::*;

    #[tokio::test]
    async fn work_that_was_given_up_is_done_once_for_those_who_come() {
        let (kept, begun, may_end) = (
            Arc::new(Mutex::new(false)),
            Arc::new(AtomicUsize::new(0)),
            Arc::new(Notify::new()),
        );
        let learn = || async {
            let mut kept = Arc::clone(&kept).lock_owned().await;
            if !*kept {
                begun.fetch_add(1, Ordering::Relaxed);
                let may_end = Arc::clone(&may_end);
                to_the_end(async move {
                    may_end.notified().await;
                    *kept = true;
                })
                .await;
            }
        };
        for _ in 0..3 {
            assert!(futures::poll!(Box::pin(learn())).is_pending());
        }
        may_end.notify_one();
        learn().await;
        assert!(*kept.lock().await);
        assert_eq!(begun.load(Ordering::Relaxed), 1);
    }
}
