//! What a viewer of HTTP/2 says beside requests and bodies, within a budget (http-edge.md 18).
//!
//! The engine answers PING and SETTINGS one at a time and bounds CONTINUATION, pieces of bodies, and resets of what nobody
//! has looked at yet. What costs it little, it lets a viewer send without end, and we pay for the reading and for what was
//! begun: so frames are counted before it sees them.

use std::time::{Duration, Instant};

use super::connection::MAX_RESETS;

/// Octets before what a frame carries (RFC 9113 4.1).
const HEAD: usize = 9;

/// Frames that a viewer may have saved up, and those it may send a second beside.
const BURST: u32 = 1_000;
const A_SECOND: u32 = 100;
/// What a request earns: a priority, windows for its answer, a reset.
const A_REQUEST: u32 = 4;
/// An answer earns one for so many octets: viewers open their windows as they read, the eager ones twice for each frame.
const OCTETS: usize = 1024;

/// Within this so many resets are borne with, and beyond them as long as half of all requests stand.
const RESETS_IN: Duration = Duration::from_secs(10);

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;

/// The frames of one connection, whose payloads are passed over.
#[derive(Debug)]
pub(super) struct Frames {
    head: [u8; HEAD],
    /// Octets of the head that have come.
    known: usize,
    /// Octets of the payload that have not.
    left: usize,
    budget: u32,
    since: Instant,
    /// Octets sent that have not earned a frame yet.
    said: usize,
    /// Requests, and resets, since the last count of them began.
    opened: usize,
    reset: usize,
    counted_since: Instant,
}

impl Frames {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            head: [0; HEAD],
            known: 0,
            left: 0,
            budget: BURST,
            since: now,
            said: 0,
            opened: 0,
            reset: 0,
            counted_since: now,
        }
    }

    /// Octets went to the viewer.
    pub(super) const fn said(&mut self, octets: usize) {
        self.said = self.said.saturating_add(octets);
    }

    /// Octets came; false when they are too much.
    pub(super) fn heard(&mut self, octets: &[u8], now: Instant) -> bool {
        let mut rest = octets;
        while !rest.is_empty() {
            let passed = self.left.min(rest.len());
            self.left -= passed;
            rest = &rest[passed..];
            let taken = rest.len().min(HEAD - self.known);
            self.head[self.known..self.known + taken].copy_from_slice(&rest[..taken]);
            self.known += taken;
            rest = &rest[taken..];
            if self.known == HEAD && !self.begins(now) {
                return false;
            }
        }
        true
    }

    /// A frame begins; false when it is one too many.
    fn begins(&mut self, now: Instant) -> bool {
        let [a, b, c, kind, flags, ..] = self.head;
        (self.known, self.left) = (0, usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c));
        match kind {
            HEADERS => {
                self.opened = self.opened.saturating_add(1);
                self.earn(A_REQUEST);
            }
            RST_STREAM => return !self.resets_too_many(now) && self.spend(now),
            // Of a body's octets and of a block's, others keep count.
            CONTINUATION => {}
            DATA if self.left > 0 || flags & END_STREAM != 0 => {}
            _ => return self.spend(now),
        }
        true
    }

    /// Rapid resets: opening is cheap, and what is begun for it is not.
    fn resets_too_many(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.counted_since) > RESETS_IN {
            (self.opened, self.reset, self.counted_since) = (0, 0, now);
        }
        self.reset = self.reset.saturating_add(1);
        self.reset > MAX_RESETS && self.reset.saturating_mul(2) > self.opened
    }

    fn earn(&mut self, frames: u32) {
        self.budget = self.budget.saturating_add(frames).min(BURST);
    }

    fn spend(&mut self, now: Instant) -> bool {
        if self.budget == 0 {
            // Earned only when there is need, so that most frames ask no clock.
            let passed = now.saturating_duration_since(self.since).as_millis();
            let of_time = u32::try_from(passed.saturating_mul(u128::from(A_SECOND)) / 1000).unwrap_or(BURST);
            let of_answers = u32::try_from(self.said / OCTETS).unwrap_or(BURST);
            if of_time > 0 {
                self.since = now;
            }
            self.said %= OCTETS;
            self.earn(of_time.saturating_add(of_answers));
        }
        match self.budget.checked_sub(1) {
            Some(left) => {
                self.budget = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of so many octets.
    fn frame(kind: u8, flags: u8, length: u16) -> Vec<u8> {
        let [high, low] = length.to_be_bytes();
        let mut frame = vec![0, high, low, kind, flags, 0, 0, 0, 1];
        frame.resize(HEAD + usize::from(length), 0xff);
        frame
    }

    /// How many frames like this one are borne with at once, of as many as would be too many.
    fn borne(frames: &mut Frames, like: &[u8], now: Instant) -> usize {
        (0..5_000).take_while(|_| frames.heard(like, now)).count()
    }

    #[test]
    fn what_is_no_request_and_no_body_has_a_budget() {
        let start = Instant::now();
        // PRIORITY, SETTINGS, PING, WINDOW_UPDATE, nobody knows what, and nothing of a body.
        for (kind, length) in [(2, 5), (4, 0), (4, 6), (6, 8), (8, 4), (0xbb, 300), (DATA, 0)] {
            assert_eq!(borne(&mut Frames::new(start), &frame(kind, 0, length), start), 1_000, "{kind}");
        }
        for (kind, flags, length) in
            [(HEADERS, 5, 40), (CONTINUATION, 4, 9), (DATA, 0, 9), (DATA, END_STREAM, 0)]
        {
            assert_eq!(borne(&mut Frames::new(start), &frame(kind, flags, length), start), 5_000, "{kind}");
        }
    }

    #[test]
    fn the_budget_grows_with_time_with_requests_and_with_what_is_sent() {
        // Without payload, so that the next begins where one was too many.
        let (start, ping) = (Instant::now(), frame(6, 0, 0));
        let mut frames = Frames::new(start);
        assert_eq!(borne(&mut frames, &ping, start), 1_000);
        assert_eq!(borne(&mut frames, &ping, start + Duration::from_secs(2)), 200);
        assert_eq!(borne(&mut frames, &ping, start + Duration::from_secs(900)), 1_000, "and no further");
        assert!(frames.heard(&frame(HEADERS, 5, 40), start));
        assert_eq!(borne(&mut frames, &ping, start + Duration::from_secs(900)), 4);
        frames.said(16 * 1024);
        assert_eq!(borne(&mut frames, &ping, start + Duration::from_secs(900)), 16);
    }

    #[test]
    fn who_resets_more_than_half_of_many_requests_is_too_much() {
        let start = Instant::now();
        let (request, reset) = (frame(HEADERS, 5, 40), frame(RST_STREAM, 0, 4));
        let pairs = |requests: usize, at: fn(u64) -> u64| {
            let mut frames = Frames::new(start);
            let pair = [request.repeat(requests), reset.clone()].concat();
            (0..1_000).take_while(|it| frames.heard(&pair, start + Duration::from_millis(at(*it)))).count()
        };
        assert_eq!(pairs(1, |_| 0), 100);
        assert_eq!(pairs(2, |_| 0), 1_000, "half of them stand");
        assert_eq!(pairs(1, |it| it * 200), 1_000, "five a second are a viewer who seeks");
    }

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let start = Instant::now();
        let octets: Vec<u8> = (0..1_001).flat_map(|it| frame(6, 0, it % 40)).collect();
        for piece in [1, 7, 9, 100, octets.len()] {
            let mut frames = Frames::new(start);
            let borne =
                octets.chunks(piece).take_while(|it| frames.heard(it, start)).map(<[u8]>::len).sum::<usize>();
            let last = octets.len() - HEAD - usize::from(1_000_u16 % 40);
            assert!(borne <= last + HEAD && borne + piece > last, "{piece}: {borne} of {last}");
        }
    }
}
