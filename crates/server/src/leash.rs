//! Whether the client of a connection takes its answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Counts the answers of one connection that are not taken, by the period in which they began.
///
/// A client that opens no window for an answer blocks it where nobody asks the answer's body
/// for more, so the body cannot end itself: the connection has to. Counting by period costs
/// a request two additions, and a connection one timer.
#[derive(Debug, Default)]
pub(crate) struct Leash {
    even: AtomicUsize,
    odd: AtomicUsize,
    is_odd: AtomicBool,
}

/// An answer, or a piece of it, that is not taken yet; it is when dropped.
#[derive(Debug)]
pub(crate) struct Untaken {
    leash: Arc<Leash>,
    is_odd: bool,
}

impl Leash {
    /// Notes that the client has something to take.
    pub(crate) fn hold(self: &Arc<Self>) -> Untaken {
        let is_odd = self.is_odd.load(Ordering::Relaxed);
        self.count(is_odd).fetch_add(1, Ordering::Relaxed);
        Untaken {
            leash: Arc::clone(self),
            is_odd,
        }
    }

    /// Begins the next period, and returns whether something was not taken in all of this one.
    pub(crate) fn turn(&self) -> bool {
        let is_odd = self.is_odd.load(Ordering::Relaxed);
        self.is_odd.store(!is_odd, Ordering::Relaxed);
        // What is left of the period before this one has waited since.
        self.count(!is_odd).load(Ordering::Relaxed) > 0
    }

    fn count(&self, is_odd: bool) -> &AtomicUsize {
        if is_odd { &self.odd } else { &self.even }
    }
}

impl Drop for Untaken {
    fn drop(&mut self) {
        self.leash
            .count(self.is_odd)
            .fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_a_whole_period_is_noticed() {
        let leash = Arc::new(Leash::default());
        let waiting = leash.hold();
        assert!(!leash.turn(), "it came in this period");
        assert!(leash.turn());
        drop(waiting);
        assert!(!leash.turn());
        assert!(!leash.turn());
    }

    #[test]
    fn a_client_that_takes_its_answers_is_never_late() {
        let leash = Arc::new(Leash::default());
        let mut last = leash.hold();
        for _ in 0..9 {
            assert!(!leash.turn());
            last = leash.hold();
        }
        drop(last);
    }
}
