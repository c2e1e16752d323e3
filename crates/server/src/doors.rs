//! The doors of the house, and of the share of it that one peer may fill.

use std::sync::Arc;

use crate::flow::Flow;
use crate::gate::{Gate, Pass};

/// Bounds the requests inside, and how many of them are streams.
#[derive(Debug)]
pub(crate) struct Doors {
    requests: Arc<Gate>,
    streams: Arc<Gate>,
}

/// What one request holds while it is inside.
#[derive(Debug)]
pub(crate) struct Passes {
    _request: Pass,
    _stream: Option<Pass>,
}

impl Doors {
    /// Makes doors for at most so many requests, and so many streams among them.
    pub(crate) fn new(requests_max: usize, streams_max: usize) -> Self {
        Self {
            requests: Gate::new(requests_max),
            streams: Gate::new(streams_max),
        }
    }

    /// Lets one more request in, or says at once that there is no room.
    pub(crate) fn enter(&self, flow: Flow) -> Option<Passes> {
        let request = self.requests.enter()?;
        let stream = match flow {
            Flow::Whole => None,
            Flow::Stream | Flow::Watch => Some(self.streams.enter()?),
        };
        Some(Passes {
            _request: request,
            _stream: stream,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]

    use super::*;

    #[test]
    fn streams_are_counted_twice_and_a_refused_one_holds_nothing() {
        let doors = Doors::new(2, 1);
        let stream = doors.enter(Flow::Watch).unwrap();
        assert!(doors.enter(Flow::Stream).is_none());
        let whole = doors.enter(Flow::Whole).unwrap();
        assert!(doors.enter(Flow::Whole).is_none());
        drop(whole);
        drop(stream);
        assert!(doors.enter(Flow::Stream).is_some());
    }
}
