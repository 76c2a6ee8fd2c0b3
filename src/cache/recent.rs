//! What became of a key a moment ago: answers that may not be shared, and failures.

use std::fmt;
use std::time::{Duration, Instant};

use moka::sync::Cache as Index;

use super::key::Key;
use crate::passage::Failure;

/// How long the requests for a key that brought an uncacheable answer do not wait for one another.
const ALONE: Duration = Duration::from_secs(10);

/// How long a key that failed is not fetched again: a failing origin is not stormed by those who waited.
const BACK_OFF: Duration = Duration::from_millis(500);

/// How long a failing origin is spared at first while a stale answer stands in for it: twice as long each time that it
/// still fails, and at most [`LONGEST_REST`] (http-edge.md 12).
const FIRST_REST: Duration = Duration::from_secs(1);

/// CloudFront spares it for the error TTL each time (cloudfront.md 3.6), which is long for a hiccup and short for a night.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// How long a key's last fate is remembered, so that the next rest is longer.
const MEMORY: Duration = Duration::from_secs(60);

/// How many keys are remembered; a forgotten one costs a request some waiting.
const MOST_KEYS: u64 = 10_000;

/// What became of a key.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    /// Its answer may not be shared, so requests for it do not wait for one another.
    Alone,
    /// Its fetch failed.
    Failed(Failure),
    /// Its fetch failed, and what was stored before is given: the origin rests for so long.
    Stale(Duration),
}

/// The fates of keys, each for a while.
pub(super) struct Recent(Index<Key, (Fate, Instant)>);

impl Recent {
    pub(super) fn new() -> Self {
        Self(Index::builder().max_capacity(MOST_KEYS).time_to_live(MEMORY).build())
    }

    pub(super) fn get(&self, key: &Key, now: Instant) -> Option<Fate> {
        let (fate, until) = self.0.get(key)?;
        (now < until).then_some(fate)
    }

    pub(super) fn put(&self, key: Key, fate: Fate, now: Instant) {
        let lasts = match fate {
            Fate::Alone => ALONE,
            Fate::Failed(_) => BACK_OFF,
            Fate::Stale(rest) => rest,
        };
        self.0.insert(key, (fate, now + lasts));
    }

    /// Its origin fails and something stale stands in: how long it is spared now.
    pub(super) fn rest(&self, key: Key, now: Instant) {
        let rest = match self.0.get(&key) {
            Some((Fate::Stale(last), _)) => last.saturating_mul(2).min(LONGEST_REST),
            _ => FIRST_REST,
        };
        self.put(key, Fate::Stale(rest), now);
    }

    pub(super) fn forget(&self, key: &Key) {
        self.0.invalidate(key);
    }
}

impl fmt::Debug for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recent").field(&self.0.entry_count()).finish()
    }
}
