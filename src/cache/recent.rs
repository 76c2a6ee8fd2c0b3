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

/// How long a failing origin is spared at most while a stale answer stands in for it.
const LONGEST: Duration = Duration::from_secs(60);

/// How many keys are remembered; a forgotten one costs a request some waiting.
const MOST_KEYS: u64 = 10_000;

/// What became of a key.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    /// Its answer may not be shared, so requests for it do not wait for one another.
    Alone,
    /// Its fetch failed.
    Failed(Failure),
    /// Its fetch failed, and what was stored before is given so long.
    Stale(Duration),
}

/// The fates of keys, each for a while.
pub(super) struct Recent(Index<Key, (Fate, Instant)>);

impl Recent {
    pub(super) fn new() -> Self {
        Self(Index::builder().max_capacity(MOST_KEYS).time_to_live(LONGEST).build())
    }

    pub(super) fn get(&self, key: &Key, now: Instant) -> Option<Fate> {
        let (fate, until) = self.0.get(key)?;
        (now < until).then_some(fate)
    }

    pub(super) fn put(&self, key: Key, fate: Fate, now: Instant) {
        let lasts = match fate {
            Fate::Alone => ALONE,
            Fate::Failed(_) => BACK_OFF,
            Fate::Stale(lasts) => lasts.clamp(BACK_OFF, LONGEST),
        };
        self.0.insert(key, (fate, now + lasts));
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
