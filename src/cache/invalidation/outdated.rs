//! What is made useless by requests rather than by operators: URLs that an origin let a viewer change (RFC 9111 4.4),
//! and bodies that were found to be others.
//!
//! Any viewer who may POST causes these, so they are kept apart from what operators invalidate: a place for each URL, so
//! many of them, and nothing that waits for a disk. The answer itself is taken out of memory and off the disk; what
//! stands here keeps fetches that were under way from bringing it back, and other variants of the URL from being given.
//! When there are too many the one that was used least recently is forgotten, and costs one of those at most.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::policy::EvictionPolicy;
use moka::sync::Cache as Index;
use xxhash_rust::xxh3::xxh3_128;

use super::Moment;
use crate::cache::key::Key;

/// URLs that are remembered: some MB.
const MOST_URLS: u64 = 32_768;

/// The moments of URLs.
pub(super) struct Outdated {
    /// By the hash of the URL; two that hash alike share a moment, which costs a fetch.
    urls: Index<u128, Moment>,
    /// The newest of them: most hits are of something newer and need not look further.
    newest: AtomicU64,
}

impl Outdated {
    pub(super) fn new() -> Self {
        let urls = Index::builder().max_capacity(MOST_URLS).eviction_policy(EvictionPolicy::lru()).build();
        Self { urls, newest: AtomicU64::new(0) }
    }

    /// What was begun before `moment` for the URL of a key is given no more.
    pub(super) fn put(&self, key: &Key, moment: Moment) {
        let later = |earlier: Option<moka::Entry<u128, Moment>>| {
            earlier.map_or(moment, |it| it.into_value().max(moment))
        };
        self.urls.entry(xxh3_128(key.url().as_bytes())).and_upsert_with(later);
        // After it: who sees that there is one finds it.
        self.newest.fetch_max(moment, Ordering::AcqRel);
    }

    /// When the URL of a key was outdated; zero: never.
    pub(super) fn since(&self, key: &Key) -> Moment {
        if self.newest.load(Ordering::Acquire) == 0 {
            return 0;
        }
        self.urls.get(&xxh3_128(key.url().as_bytes())).unwrap_or(0)
    }

    /// Whether what was begun at `born` for a key may be given.
    pub(super) fn spares(&self, born: Moment, key: &Key) -> bool {
        self.newest.load(Ordering::Acquire) <= born || self.since(key) <= born
    }
}

impl fmt::Debug for Outdated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outdated").field(&self.urls.entry_count()).finish()
    }
}
