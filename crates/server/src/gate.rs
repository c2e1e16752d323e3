//! How many requests are in the house at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Lets in so many requests and no more, over all connections and threads.
///
/// A handler never waits once it has its request, so what this bounds is the queue:
/// requests that are arriving, waiting for a thread, or being written to their client.
#[derive(Debug)]
pub(crate) struct Gate {
    inside: AtomicUsize,
    max: usize,
}

/// One request inside; it is outside again when dropped.
#[derive(Debug)]
pub(crate) struct Pass(Arc<Gate>);

impl Gate {
    /// Makes a gate for at most so many requests.
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            inside: AtomicUsize::new(0),
            max,
        })
    }

    /// Lets one more request in, or says at once that there is no room.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Pass> {
        // Made before the check, so that a refused request leaves as others do.
        let pass = Pass(Arc::clone(self));
        let before = self.inside.fetch_add(1, Ordering::Relaxed);
        (before < self.max).then_some(pass)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_gate_refuses_and_a_left_place_is_free() {
        let gate = Gate::new(2);
        let first = gate.enter();
        let second = gate.enter();
        assert!(first.is_some() && second.is_some());
        assert!(gate.enter().is_none());
        assert!(gate.enter().is_none(), "a refusal takes no place");
        drop(first);
        assert!(gate.enter().is_some());
        drop(second);
        assert_eq!(gate.inside.load(Ordering::Relaxed), 0);
    }
}
