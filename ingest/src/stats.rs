//! The books of the RTMP server: plain counters that whoever observes it may read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows, or, where its field says so, one that goes up and down.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn increment(&self) {
        self.add(1);
    }

    /// The number now.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What an RTMP server has done.
#[derive(Debug, Default)]
pub struct Stats {
    /// Connections that were let in.
    pub accepted: Counter,
    /// Connections closed at once because there were too many, in all or of one client.
    pub turned_away: Counter,
    /// Connections now.
    pub connections: Counter,
    /// Publishers now.
    pub publishers: Counter,
    /// Players now.
    pub players: Counter,
    /// Octets from publishers and players.
    pub received_bytes: Counter,
    /// Octets to publishers and players.
    pub sent_bytes: Counter,
    /// Publishers and players refused: application, key, signature or name.
    pub denied: Counter,
    /// Publishers refused because the name is taken.
    pub taken: Counter,
    /// Publishers refused because of what they publish.
    pub unsupported: Counter,
    /// Publishers and players refused because we could not serve them.
    pub unavailable: Counter,
    /// Players whose broadcast was not there.
    pub not_found: Counter,
    /// Publishers whose place a newer one took.
    pub superseded: Counter,
    /// Connections that ended because the peer broke the protocol.
    pub protocol_errors: Counter,
    /// Connections that ended because the peer was silent or did not read.
    pub timeouts: Counter,
    /// Audio and video messages that could not be read.
    pub malformed_messages: Counter,
    /// Messages that players missed because they were slow.
    pub skipped_messages: Counter,
}

/// Counted in for as long as it lives.
pub(crate) struct Present {
    stats: Arc<Stats>,
    counter: fn(&Stats) -> &Counter,
}

impl Present {
    pub(crate) fn count(stats: &Arc<Stats>, counter: fn(&Stats) -> &Counter) -> Self {
        counter(stats).increment();
        Self { stats: Arc::clone(stats), counter }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        (self.counter)(&self.stats).0.fetch_sub(1, Ordering::Relaxed);
    }
}
