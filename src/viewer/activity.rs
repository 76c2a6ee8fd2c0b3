//! Whether a connection is waiting for a request, reading one, or answering.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::Version;

/// Shared by a connection's socket, which sees bytes come, and its service, which sees requests begin and end.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
    /// Whether the viewer speaks HTTP/2. Between its requests come acknowledgements, window updates and pings, which
    /// begin no head; who dribbles one there idles, and is closed for that.
    has_frames: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// No byte of the next request has come.
    Idle { since: Instant },
    /// Bytes came and no request has begun.
    Head { since: Instant },
    /// So many requests are being answered.
    Busy { requests: u32 },
}

impl Activity {
    pub(super) const fn new(now: Instant) -> Self {
        // A new connection owes us a request as if its first byte had come.
        Self { state: Mutex::new(State::Head { since: now }), has_frames: AtomicBool::new(false) }
    }

    /// Bytes came from the viewer.
    pub(super) fn bytes(&self, now: Instant) {
        if self.has_frames.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.lock();
        if let State::Idle { .. } = *state {
            *state = State::Head { since: now };
        }
    }

    /// A request's head is complete.
    pub(super) fn begin(&self, version: Version) {
        if version == Version::HTTP_2 {
            self.has_frames.store(true, Ordering::Relaxed);
        }
        let mut state = self.lock();
        *state = match *state {
            State::Busy { requests } => State::Busy { requests: requests + 1 },
            State::Idle { .. } | State::Head { .. } => State::Busy { requests: 1 },
        };
    }

    /// A request's answer was written or given up.
    pub(super) fn end(&self, now: Instant) {
        let mut state = self.lock();
        *state = match *state {
            State::Busy { requests } if requests > 1 => State::Busy { requests: requests - 1 },
            _ => State::Idle { since: now },
        };
    }

    /// How long the viewer has owed us the rest of a request's head.
    pub(super) fn owing(&self, now: Instant) -> Option<Duration> {
        match *self.lock() {
            State::Head { since } => Some(now.saturating_duration_since(since)),
            State::Idle { .. } | State::Busy { .. } => None,
        }
    }

    /// How long nothing at all has happened.
    pub(super) fn idle(&self, now: Instant) -> Option<Duration> {
        match *self.lock() {
            State::Idle { since } => Some(now.saturating_duration_since(since)),
            State::Head { .. } | State::Busy { .. } => None,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds this lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_owes_a_head_from_its_first_byte_and_idles_after_its_last_answer() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let activity = Activity::new(start);
        assert_eq!(activity.owing(at(3)), Some(Duration::from_secs(3)));
        activity.begin(Version::HTTP_11);
        activity.begin(Version::HTTP_11);
        assert_eq!((activity.owing(at(4)), activity.idle(at(4))), (None, None));
        activity.end(at(5));
        assert_eq!(activity.idle(at(6)), None);
        activity.end(at(6));
        assert_eq!(activity.idle(at(8)), Some(Duration::from_secs(2)));
        activity.bytes(at(9));
        activity.bytes(at(10));
        assert_eq!(activity.owing(at(11)), Some(Duration::from_secs(2)));
    }

    #[test]
    fn frames_between_two_requests_of_http_2_are_no_head_and_no_activity() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let activity = Activity::new(start);
        activity.bytes(at(1));
        assert_eq!(activity.owing(at(2)), Some(Duration::from_secs(2)));
        activity.begin(Version::HTTP_2);
        activity.end(at(3));
        activity.bytes(at(4));
        assert_eq!((activity.owing(at(9)), activity.idle(at(9))), (None, Some(Duration::from_secs(6))));
    }
}
