//! Whether a connection is waiting for a request, reading one, or answering.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::passage::RequestId;

/// A viewer who takes less than this per second while we have more for it holds memory for nothing (http-edge.md 17).
/// No player can use so slow a line.
pub(super) const LEAST_RATE: u64 = 1024;
/// What a viewer is thought to take of one response per second, at the least: a line that carries speech and no more.
const SLOWEST: u64 = 8 * 1024;

/// Shared by a connection's socket, which sees bytes come, and its service, which sees requests begin and end.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
    /// Whether the viewer speaks HTTP/2. Between its requests come acknowledgements, window updates and pings, which
    /// begin no head; who dribbles one there idles, and is closed for that.
    has_frames: AtomicBool,
    send_timeout: Duration,
    /// Responses whose viewer has been handed octets and wants no more yet, and until when it has to.
    ///
    /// Over HTTP/2 a viewer can stop one response by its window alone while the socket takes all we write, so the
    /// socket does not tell.
    handed: Mutex<HashMap<RequestId, Instant>>,
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
    pub(super) fn new(now: Instant, send_timeout: Duration) -> Self {
        Self {
            // A new connection owes us a request as if its first byte had come.
            state: Mutex::new(State::Head { since: now }),
            has_frames: AtomicBool::new(false),
            send_timeout,
            handed: Mutex::default(),
        }
    }

    /// The viewer has said that it speaks HTTP/2.
    pub(super) fn speaks_frames(&self) {
        self.has_frames.store(true, Ordering::Relaxed);
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
    pub(super) fn begin(&self) {
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

    /// A response's next octets, or its head alone, were handed over: they are to be taken within the send timeout
    /// and what the slowest line needs for them.
    pub(super) fn hand(&self, response: RequestId, octets: usize, now: Instant) {
        if self.has_frames.load(Ordering::Relaxed) {
            let slow = Duration::from_secs(octets as u64 / SLOWEST);
            lock(&self.handed).insert(response, now + self.send_timeout + slow);
        }
    }

    /// A response's viewer wants more, or nothing any more.
    pub(super) fn take(&self, response: RequestId) {
        if self.has_frames.load(Ordering::Relaxed) {
            lock(&self.handed).remove(&response);
        }
    }

    /// Whether a viewer leaves a response standing.
    pub(super) fn is_stalled(&self, now: Instant) -> bool {
        lock(&self.handed).values().any(|&until| now > until)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().expect("no code panics while it holds this lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEND_TIMEOUT: Duration = Duration::from_secs(30);

    #[test]
    fn a_connection_owes_a_head_from_its_first_byte_and_idles_after_its_last_answer() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let activity = Activity::new(start, SEND_TIMEOUT);
        assert_eq!(activity.owing(at(3)), Some(Duration::from_secs(3)));
        activity.begin();
        activity.begin();
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
        let activity = Activity::new(start, SEND_TIMEOUT);
        activity.speaks_frames();
        activity.bytes(at(1));
        assert_eq!(activity.owing(at(2)), Some(Duration::from_secs(2)));
        activity.begin();
        activity.end(at(3));
        activity.bytes(at(4));
        assert_eq!((activity.owing(at(9)), activity.idle(at(9))), (None, Some(Duration::from_secs(6))));
    }

    #[test]
    fn a_response_of_http_2_that_is_left_standing_is_told() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (one, other) = (RequestId::new(1), RequestId::new(2));
        let activity = Activity::new(start, SEND_TIMEOUT);
        activity.speaks_frames();
        activity.begin();
        activity.hand(one, 0, at(0));
        activity.hand(other, 80 * 1024, at(0));
        assert!(!activity.is_stalled(at(30)));
        assert!(activity.is_stalled(at(31)));
        activity.take(one);
        assert!(!activity.is_stalled(at(40)));
        assert!(activity.is_stalled(at(41)));
        activity.take(other);
        assert!(!activity.is_stalled(at(99)));
    }
}
