//! How much a viewer may say beside requests and bodies, over HTTP/2 and HTTP/3 alike (http-edge.md 18, 19).

use std::time::{Duration, Instant};

use super::connection::MAX_RESETS;

/// Frames that a viewer may have saved up, and those it may send a second beside.
const BURST: u32 = 1_000;
const A_SECOND: u32 = 100;
/// What a request earns: a priority, windows for its answer, a reset.
const A_REQUEST: u32 = 4;
/// An answer earns one for so many octets: viewers open their windows as they read, the eager ones twice for each frame.
const OCTETS: usize = 1024;

/// Within this so many resets are borne with, and beyond them as long as half of all requests stand.
const RESETS_IN: Duration = Duration::from_secs(10);

/// What is left of it to one connection.
#[derive(Debug)]
pub(super) struct Budget {
    frames: u32,
    since: Instant,
    /// Octets sent that have not earned a frame yet.
    said: usize,
    /// Requests, and resets, since the last count of them began.
    opened: usize,
    reset: usize,
    counted_since: Instant,
}

impl Budget {
    pub(super) const fn new(now: Instant) -> Self {
        Self { frames: BURST, since: now, said: 0, opened: 0, reset: 0, counted_since: now }
    }

    /// Octets went to the viewer.
    pub(super) const fn said(&mut self, octets: usize) {
        self.said = self.said.saturating_add(octets);
    }

    /// A request begins.
    pub(super) fn opens(&mut self) {
        self.opened = self.opened.saturating_add(1);
        self.earn(A_REQUEST);
    }

    /// A request is taken back; false when too many are. Rapid resets: opening is cheap, and what is begun for it is not.
    pub(super) fn resets(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.counted_since) > RESETS_IN {
            (self.opened, self.reset, self.counted_since) = (0, 0, now);
        }
        self.reset = self.reset.saturating_add(1);
        self.reset <= MAX_RESETS || self.reset.saturating_mul(2) <= self.opened
    }

    /// A frame came that asks nothing; false when it is one too many.
    pub(super) fn spend(&mut self, now: Instant) -> bool {
        if self.frames == 0 {
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
        match self.frames.checked_sub(1) {
            Some(left) => {
                self.frames = left;
                true
            }
            None => false,
        }
    }

    fn earn(&mut self, frames: u32) {
        self.frames = self.frames.saturating_add(frames).min(BURST);
    }
}
