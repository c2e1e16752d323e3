//! Counts what happens too often to be told each time.

use std::time::Duration;

use tokio::time::Instant;

/// How long it is silent after it spoke.
const PAUSE: Duration = Duration::from_secs(10);

/// Speaks up at most once in a while, for all that was counted since.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    count: u64,
    silent_until: Option<Instant>,
}

impl Tally {
    /// Counts one more, and returns how many to tell of if it is time to.
    pub(crate) fn note(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        if self.silent_until.is_some_and(|until| now < until) {
            return None;
        }
        self.silent_until = Some(now + PAUSE);
        Some(std::mem::take(&mut self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_others_together() {
        let mut tally = Tally::default();
        let start = Instant::now();
        assert_eq!(tally.note(start), Some(1));
        assert_eq!(tally.note(start), None);
        assert_eq!(tally.note(start + PAUSE / 2), None);
        assert_eq!(tally.note(start + PAUSE), Some(3));
        assert_eq!(tally.note(start + PAUSE), None);
    }
}
