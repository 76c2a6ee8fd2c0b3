//! What a viewer of HTTP/2 says beside requests and bodies (http-edge.md 18).
//!
//! The engine answers PING and SETTINGS one at a time and bounds CONTINUATION, pieces of bodies, and resets of what nobody
//! has looked at yet. What costs it little, it lets a viewer send without end, and we pay for the reading and for what was
//! begun: so frames are counted before it sees them, within the connection's [`Budget`].

use std::time::Instant;

use super::budget::Budget;

/// Octets before what a frame carries (RFC 9113 4.1).
const HEAD: usize = 9;

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
    budget: Budget,
}

impl Frames {
    pub(super) const fn new(now: Instant) -> Self {
        Self { head: [0; HEAD], known: 0, left: 0, budget: Budget::new(now) }
    }

    /// Octets went to the viewer.
    pub(super) const fn said(&mut self, octets: usize) {
        self.budget.said(octets);
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
            HEADERS => self.budget.opens(),
            RST_STREAM => return self.budget.resets(now) && self.budget.spend(now),
            // Of a body's octets and of a block's, others keep count.
            CONTINUATION => {}
            DATA if self.left > 0 || flags & END_STREAM != 0 => {}
            _ => return self.budget.spend(now),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
