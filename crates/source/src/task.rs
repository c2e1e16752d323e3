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
    use std::time::Duration;

    use tokio::sync::Mutex;
    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_done_once_for_those_who_come() {
        let kept = Arc::new(Mutex::new(0));
        let learn = || async {
            let mut kept = Arc::clone(&kept).lock_owned().await;
            if *kept == 0 {
                to_the_end(async move {
                    sleep(Duration::from_millis(300)).await;
                    *kept += 1;
                })
                .await;
            }
        };
        for _ in 0..3 {
            let late = timeout(Duration::from_millis(1), learn()).await;
            assert!(late.is_err());
        }
        let in_time = timeout(Duration::from_mins(1), learn()).await;
        assert!(in_time.is_ok());
        assert_eq!(*kept.lock().await, 1);
    }
}
