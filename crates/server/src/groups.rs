//! Answers of one connection leave in small groups, so that client and server work at once.
//!
//! A client with many calls open on a connection writes their requests together, and their
//! answers come due together: clients end a request with a frame of its own, all of them in the
//! last bytes. Sent as one, they would have client and server wait for each other in turn, each
//! on a processor of its own. On two processors groups more than double the rate of small calls
//! and raise that of batches, with no more processor time for each (`examples/measure_server`).

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

/// How many answers leave before the connection has its turn to send them.
const LEN_MAX: usize = 4;
/// How long answers are made before the connection has its turn to send those there are.
///
/// Waking a client takes some ten microseconds: a group that took longer is worth sending.
const WORK_MAX: Duration = Duration::from_micros(100);
/// How often one answer lets the connection go first without that having its turn.
const STEPS_MAX: u8 = 8;

/// The group of answers that leaves next.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    /// How often the connection has had its turn.
    number: AtomicUsize,
    /// The answers that left since it last had.
    len: AtomicUsize,
    /// The nanoseconds that making them took.
    work_ns: AtomicU64,
}

/// How often an answer has let the connection go first, in which group.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    count: u8,
    group: usize,
}

impl Groups {
    /// Begins a new group: the connection sends what has left.
    pub(crate) fn begin(&self) {
        self.number.fetch_add(1, Ordering::Relaxed);
        self.len.store(0, Ordering::Relaxed);
        self.work_ns.store(0, Ordering::Relaxed);
    }

    /// Notes that an answer leaves which took so long to make.
    pub(crate) fn leave(&self, work: Duration) {
        self.len.fetch_add(1, Ordering::Relaxed);
        let work = u64::try_from(work.as_nanos()).unwrap_or(u64::MAX);
        self.work_ns.fetch_add(work, Ordering::Relaxed);
    }

    /// Is ready when the next answer may be made, and leave with the group.
    ///
    /// All tasks of a connection run on one thread in the order in which they were woken, and the
    /// first answer of a group wakes the connection. One that steps back comes after it.
    pub(crate) fn poll_turn(&self, steps: &mut Steps, context: &Context<'_>) -> Poll<()> {
        if !self.is_full() {
            return Poll::Ready(());
        }
        let group = self.number.load(Ordering::Relaxed);
        if group != steps.group {
            *steps = Steps { count: 0, group };
        }
        if steps.count == STEPS_MAX {
            return Poll::Ready(());
        }
        steps.count += 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_full(&self) -> bool {
        let work = Duration::from_nanos(self.work_ns.load(Ordering::Relaxed));
        self.len.load(Ordering::Relaxed) >= LEN_MAX || work > WORK_MAX
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
            groups.leave(Duration::from_micros(1));
        }
        may_leave
    }

    #[test]
    fn a_full_group_is_sent_before_the_next_begins() {
        let groups = Groups::default();
        for _ in 0..3 {
            for _ in 0..LEN_MAX {
                assert!(may_leave(&groups, &mut Steps::default()));
            }
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
        let mut late = Steps::default();
        for _ in 0..100 {
            assert!(may_leave(&groups, &mut Steps::default()));
            groups.leave(2 * WORK_MAX);
            assert!(!may_leave(&groups, &mut late));
            groups.begin();
        }
        assert!(may_leave(&groups, &mut late), "a new group has room");
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
