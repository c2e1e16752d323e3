//! How long to wait after the system refused a connection.

use std::io;
use std::time::Duration;

/// The first pause; too short to notice, long enough not to burn a processor.
const PAUSE_MIN: Duration = Duration::from_millis(5);
/// The longest pause: how late the server notices that descriptors are free again.
const PAUSE_MAX: Duration = Duration::from_millis(640);

/// Doubles the pause between failures to accept, and forgets them on success.
///
/// When a process has no descriptor left, the connection stays in the queue and the
/// listener stays ready, so asking again at once would spin.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    pause: Option<Duration>,
}

impl Backoff {
    /// Returns how long to wait after this failure.
    pub(crate) fn after(&mut self, failure: &io::Error) -> Duration {
        if is_the_peers(failure) {
            return Duration::ZERO;
        }
        let pause = self
            .pause
            .map_or(PAUSE_MIN, |last| (last * 2).min(PAUSE_MAX));
        self.pause = Some(pause);
        pause
    }

    /// Notes that a connection was accepted.
    pub(crate) fn reset(&mut self) {
        self.pause = None;
    }
}

/// Returns whether one connection failed, and not the act of accepting.
fn is_the_peers(failure: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        failure.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Too many open files, on every system that Rust knows.
    const EMFILE: i32 = 24;

    #[test]
    fn a_process_without_descriptors_asks_less_than_ten_times_a_second_and_a_half() {
        let mut backoff = Backoff::default();
        let failure = io::Error::from_raw_os_error(EMFILE);
        let mut elapsed = Duration::ZERO;
        let mut asked = 0;
        while elapsed < Duration::from_millis(1_500) {
            elapsed += backoff.after(&failure);
            asked += 1;
        }
        assert!(asked < 10, "asked {asked} times");
        assert_eq!(backoff.after(&failure), PAUSE_MAX);
    }

    #[test]
    fn an_accepted_connection_ends_the_pause() {
        let mut backoff = Backoff::default();
        let failure = io::Error::from_raw_os_error(EMFILE);
        backoff.after(&failure);
        backoff.after(&failure);
        backoff.reset();
        assert_eq!(backoff.after(&failure), PAUSE_MIN);
    }

    #[test]
    fn a_peer_that_hung_up_delays_nobody() {
        let mut backoff = Backoff::default();
        let failure = io::Error::from(io::ErrorKind::ConnectionAborted);
        assert_eq!(backoff.after(&failure), Duration::ZERO);
    }
}
