//! Whether a connection is waiting for a request, reading one, or answering; and what that makes of it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;

use crate::passage::RequestId;

/// A viewer who takes less than this per second while we have more for it holds memory for nothing (http-edge.md 17).
/// No player can use so slow a line.
pub(super) const LEAST_RATE: u64 = 1024;
/// What a viewer is thought to take of one response per second, at the least: a line that carries speech and no more.
const SLOWEST: u64 = 8 * 1024;

/// What a connection is told to do; each says more than the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// Nothing.
    Stay,
    /// To end as soon as nothing is being answered.
    Finish,
    /// That the head of its request took too long.
    Late,
    /// To end at once.
    Leave,
}

const ORDERS: [Order; 4] = [Order::Stay, Order::Finish, Order::Late, Order::Leave];

/// What ends a connection before anybody reads what was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misconduct {
    /// Too many frames that ask nothing.
    Flood = 1,
    /// A line of a head that ends in another way than all others read it.
    BareLine,
}

/// How long a viewer may take for what; each from `config::listen`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For the head of a request.
    pub(super) header: Duration,
    /// For the next request.
    pub(super) keep_alive: Duration,
    /// For the octets of a response.
    pub(super) send: Duration,
}

/// Shared by a connection's socket, which sees bytes come, its service, which sees requests begin and end, and whoever
/// looks after all connections.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
    /// Whether the viewer speaks HTTP/2. Between its requests come acknowledgements, window updates and pings, which
    /// begin no head; who dribbles one there idles, and is closed for that.
    has_frames: AtomicBool,
    patience: Patience,
    /// Responses whose viewer has been handed octets and wants no more yet, and until when it has to.
    ///
    /// Over HTTP/2 a viewer can stop one response by its window alone while the socket takes all we write, so the
    /// socket does not tell.
    handed: Mutex<HashMap<RequestId, Instant>>,
    /// A [`Misconduct`], or what is none.
    misconduct: AtomicU8,
    /// An [`Order`]; it only grows.
    order: AtomicU8,
    told: AtomicWaker,
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
    pub(super) fn new(now: Instant, patience: Patience) -> Self {
        Self {
            // A new connection owes us a request as if its first byte had come.
            state: Mutex::new(State::Head { since: now }),
            has_frames: AtomicBool::new(false),
            patience,
            handed: Mutex::default(),
            misconduct: AtomicU8::new(0),
            order: AtomicU8::new(Order::Stay as u8),
            told: AtomicWaker::new(),
        }
    }

    /// Tells the connection what to do, unless it was told more already.
    pub(super) fn tell(&self, order: Order) {
        if self.order.fetch_max(order as u8, Ordering::AcqRel) < order as u8 {
            self.told.wake();
        }
    }

    /// What the connection was told beyond `known`.
    pub(super) fn poll_told(&self, known: Order, cx: &Context<'_>) -> Poll<Order> {
        self.told.register(cx.waker());
        let order = ORDERS[usize::from(self.order.load(Ordering::Acquire))];
        if order > known { Poll::Ready(order) } else { Poll::Pending }
    }

    /// What is to become of the connection.
    pub(super) fn judge(&self, now: Instant) -> Order {
        let Patience { header, keep_alive, send } = self.patience;
        if self.owing(now).is_some_and(|it| it > header) {
            return Order::Late;
        }
        match self.idle(now) {
            // The last octets of a response wait in HTTP/2's own buffer when nobody watches it any more; who has not
            // taken them by now, and so not ended, will not.
            Some(idle) if idle > keep_alive + send => Order::Leave,
            _ if self.is_stalled(now) => Order::Leave,
            Some(idle) if idle > keep_alive => Order::Finish,
            _ => Order::Stay,
        }
    }

    /// The viewer has said that it speaks HTTP/2.
    pub(super) fn speaks_frames(&self) {
        self.has_frames.store(true, Ordering::Relaxed);
    }

    /// What came over the socket is not to be read on.
    pub(super) fn misbehaves(&self, how: Misconduct) {
        self.misconduct.store(how as u8, Ordering::Relaxed);
    }

    /// Why nothing more was read.
    pub(super) fn misconduct(&self) -> Option<Misconduct> {
        let said = self.misconduct.load(Ordering::Relaxed);
        [Misconduct::Flood, Misconduct::BareLine].into_iter().find(|it| *it as u8 == said)
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
    fn idle(&self, now: Instant) -> Option<Duration> {
        match *self.lock() {
            State::Idle { since } => Some(now.saturating_duration_since(since)),
            State::Head { .. } | State::Busy { .. } => None,
        }
    }

    /// A response's next octets, or its head alone, were handed over: they are to be taken within the send timeout
    /// and what the slowest line needs for them.
    pub(super) fn hand(&self, response: RequestId, octets: usize, now: impl FnOnce() -> Instant) {
        if self.has_frames.load(Ordering::Relaxed) {
            let slow = Duration::from_secs(octets as u64 / SLOWEST);
            lock(&self.handed).insert(response, now() + self.patience.send + slow);
        }
    }

    /// A response's viewer wants more, or nothing any more.
    pub(super) fn take(&self, response: RequestId) {
        if self.has_frames.load(Ordering::Relaxed) {
            lock(&self.handed).remove(&response);
        }
    }

    /// Whether a viewer leaves a response standing.
    fn is_stalled(&self, now: Instant) -> bool {
        if !self.has_frames.load(Ordering::Relaxed) {
            return false;
        }
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

    const PATIENCE: Patience = Patience {
        header: Duration::from_secs(10),
        keep_alive: Duration::from_secs(60),
        send: Duration::from_secs(30),
    };

    #[test]
    fn a_connection_owes_a_head_from_its_first_byte_and_idles_after_its_last_answer() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let activity = Activity::new(start, PATIENCE);
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
        let activity = Activity::new(start, PATIENCE);
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
        let activity = Activity::new(start, PATIENCE);
        activity.speaks_frames();
        activity.begin();
        activity.hand(one, 0, || at(0));
        activity.hand(other, 80 * 1024, || at(0));
        assert!(!activity.is_stalled(at(30)));
        assert!(activity.is_stalled(at(31)));
        activity.take(one);
        assert!(!activity.is_stalled(at(40)));
        assert!(activity.is_stalled(at(41)));
        activity.take(other);
        assert!(!activity.is_stalled(at(99)));
    }

    #[test]
    fn who_owes_idles_or_stalls_too_long_is_told() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let activity = Activity::new(start, PATIENCE);
        assert_eq!((activity.judge(at(10)), activity.judge(at(11))), (Order::Stay, Order::Late));
        activity.speaks_frames();
        activity.begin();
        activity.hand(RequestId::new(1), 0, || at(20));
        assert_eq!((activity.judge(at(50)), activity.judge(at(51))), (Order::Stay, Order::Leave));
        activity.take(RequestId::new(1));
        activity.end(at(100));
        assert_eq!((activity.judge(at(160)), activity.judge(at(161))), (Order::Stay, Order::Finish));
        assert_eq!((activity.judge(at(190)), activity.judge(at(191))), (Order::Finish, Order::Leave));
    }

    #[test]
    fn an_order_is_heard_once_and_never_taken_back() {
        let activity = Activity::new(Instant::now(), PATIENCE);
        let cx = Context::from_waker(std::task::Waker::noop());
        let told = |known| activity.poll_told(known, &cx);
        assert_eq!(told(Order::Stay), Poll::Pending);
        activity.tell(Order::Late);
        activity.tell(Order::Finish);
        assert_eq!((told(Order::Stay), told(Order::Late)), (Poll::Ready(Order::Late), Poll::Pending));
        activity.tell(Order::Leave);
        assert_eq!(told(Order::Late), Poll::Ready(Order::Leave));
    }
}
