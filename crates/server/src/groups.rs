//! Answers of one connection leave in small groups, so that client and server work at once.
//!
//! A client with many calls open on a connection writes their requests together, and their
//! answers come due together: clients end a request with a frame of its own, all of them in the
//! last bytes. Sent as one, they would have client and server wait for each other in turn, each
//! on a processor of its own. On two processors groups more than double the rate of small calls
//! and raise that of batches, with no more processor time for each (`examples/measure_server`).

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// How many answers leave before the connection has its turn to send them.
const LEN_MAX: usize = 4;
/// How long answers are made before the connection has its turn to send those there are.
///
/// Waking a client takes some ten microseconds: a group that took longer is worth sending.
const WORK_MAX: Duration = Duration::from_micros(100);
/// How often one answer lets the connection go first.
const STEPS_MAX: u8 = 8;

/// The group of answers that leaves next.
#[derive(Debug)]
pub(crate) struct Groups {
    /// The answers that left since the connection last had its turn.
    len: AtomicUsize,
    /// When that was, in microseconds since the connection was made.
    begun_us: AtomicU64,
    start: Instant,
}

/// How often an answer has let the connection go first.
#[derive(Debug, Default)]
pub(crate) struct Steps(u8);

impl Default for Groups {
    fn default() -> Self {
        Self {
            len: AtomicUsize::new(0),
            begun_us: AtomicU64::new(0),
            start: Instant::now(),
        }
    }
}

impl Groups {
    /// Begins a new group: the connection sends what has left.
    pub(crate) fn begin(&self) {
        self.len.store(0, Ordering::Relaxed);
        self.begun_us.store(self.now_us(), Ordering::Relaxed);
    }

    /// Notes that an answer leaves.
    pub(crate) fn leave(&self) {
        self.len.fetch_add(1, Ordering::Relaxed);
    }

    /// Is ready when the next answer may be made, and leave with the group.
    ///
    /// All tasks of a connection run on one thread in the order in which they were woken, and the
    /// first answer of a group wakes the connection. One that steps back comes after it.
    pub(crate) fn poll_turn(&self, steps: &mut Steps, context: &Context<'_>) -> Poll<()> {
        if !self.is_full() || steps.0 == STEPS_MAX {
            return Poll::Ready(());
        }
        steps.0 += 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_full(&self) -> bool {
        let len = self.len.load(Ordering::Relaxed);
        len >= LEN_MAX || (len > 0 && self.work() > WORK_MAX)
    }

    fn work(&self) -> Duration {
        let begun = self.begun_us.load(Ordering::Relaxed);
        Duration::from_micros(self.now_us().saturating_sub(begun))
    }

    fn now_us(&self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn may_leave(groups: &Groups, steps: &mut Steps) -> bool {
        let context = Context::from_waker(Waker::noop());
        let may_leave = groups.poll_turn(steps, &context).is_ready();
        if may_leave {
            groups.leave();
        }
        may_leave
    }

    #[test]
    fn a_full_group_is_sent_before_the_next_begins() {
        let groups = Groups::default();
        for _ in 0..3 {
            let began = Instant::now();
            let left = (0..LEN_MAX).filter(|_| may_leave(&groups, &mut Steps::default()));
            assert!(left.count() == LEN_MAX || began.elapsed() > WORK_MAX);
            let mut late = Steps::default();
            assert!(!may_leave(&groups, &mut late));
            groups.begin();
            assert!(may_leave(&groups, &mut late));
            groups.begin();
        }
    }

    #[test]
    fn an_answer_that_took_long_is_sent_before_the_next_is_made() {
        let groups = Groups::default();
        groups.begin();
        std::thread::sleep(2 * WORK_MAX);
        assert!(may_leave(&groups, &mut Steps::default()), "it is the first");
        let mut late = Steps::default();
        assert!(!may_leave(&groups, &mut late));
        groups.begin();
        assert!(may_leave(&groups, &mut late));
    }

    #[test]
    fn an_answer_waits_for_a_connection_that_is_not_polled_only_so_long() {
        let groups = Groups::default();
        while may_leave(&groups, &mut Steps::default()) {}
        let mut steps = Steps::default();
        let waited = (0..100).take_while(|_| !may_leave(&groups, &mut steps));
        assert_eq!(waited.count(), usize::from(STEPS_MAX));
    }
}
