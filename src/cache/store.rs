//! The store: moka decides what stays, one budget decides what fits.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::notification::RemovalCause;
use moka::sync::Cache as Index;

use super::freshness::Freshness;
use super::invalidation::Moment;
use super::key::Key;
use super::stats::Stats;
use crate::passage::{Budget, Detail, Object, Reservation};

/// The part of the memory, one of so many, that stored answers leave to fills and to viewers who still read what was
/// evicted.
const SPARE: u64 = 8;

/// How many answers one reservation may drive out at most: enough for a large answer among small ones, little enough
/// that a request does not pay for a walk through the whole store.
const MOST_EVICTIONS: usize = 256;

/// A stored answer.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) object: Arc<Object>,
    pub(super) freshness: Freshness,
    /// When its fetch began.
    pub(super) born: Moment,
    /// What else is told of it.
    pub(super) detail: Option<Detail>,
    /// By which it can be invalidated.
    pub(super) tags: Arc<[Box<str>]>,
    /// Bytes of memory it takes.
    pub(super) cost: u64,
}

/// Where moka keeps an answer. Emptied when moka lets go of it: moka frees its own entries some time later, and memory
/// must come back at once.
struct Slot(Mutex<Option<Stored>>);

impl Slot {
    fn stored(&self) -> Option<Stored> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn empty(&self) {
        let stored = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Dropped outside the lock: this may free many chunks.
        drop(stored);
    }
}

/// Complete answers by key.
pub(super) struct Store {
    index: Index<Key, Arc<Slot>>,
    budget: Arc<Budget>,
}

impl Store {
    pub(super) fn new(bytes: u64, stats: Arc<Stats>) -> Self {
        let index = Index::builder()
            .max_capacity(bytes - bytes / SPARE)
            .weigher(|_: &Key, slot: &Arc<Slot>| {
                slot.stored().map_or(0, |it| u32::try_from(it.cost).unwrap_or(u32::MAX))
            })
            .expire_after(UntilUseless)
            .eviction_listener(move |_, slot: Arc<Slot>, cause| {
                slot.empty();
                if cause == RemovalCause::Size {
                    stats.evictions.add_one();
                }
            })
            .build();
        Self { index, budget: Budget::new(bytes) }
    }

    pub(super) fn get(&self, key: &Key) -> Option<Stored> {
        self.index.get(key)?.stored()
    }

    /// Offers an answer; moka may find others worth more and let it go at once.
    pub(super) fn offer(&self, key: Key, stored: Stored) {
        self.index.insert(key, Arc::new(Slot(Mutex::new(Some(stored)))));
    }

    /// Forgets an answer.
    pub(super) fn remove(&self, key: &Key) {
        self.index.invalidate(key);
    }

    /// Takes `bytes` of the budget, driving stored answers out where that helps.
    pub(super) fn reserve(&self, bytes: u64, now: Instant) -> Option<Reservation> {
        self.make_room(bytes, now, || self.budget.reserve(bytes))
    }

    /// Makes room until `attempt` succeeds; none when what could be driven out does not make room for `bytes`.
    pub(super) fn make_room<T>(
        &self,
        bytes: u64,
        now: Instant,
        mut attempt: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        if let Some(done) = attempt() {
            return Some(done);
        }
        if bytes > self.budget.limit() {
            return None;
        }
        // Evictions that are due come first; moka's choice is better than ours.
        self.index.run_pending_tasks();
        if let Some(done) = attempt() {
            return Some(done);
        }
        self.drive_out(bytes, now, attempt)
    }

    /// Lets stored answers go one after the other until `attempt` succeeds. What is being read gives nothing back, and
    /// where the rest is not enough nothing is let go: slow viewers must not empty the store.
    fn drive_out<T>(&self, bytes: u64, now: Instant, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
        let candidate = |(key, slot): (Arc<Key>, Arc<Slot>)| {
            let stored = slot.stored().filter(|it| !it.object.is_read())?;
            Some((stored.freshness.ttl(now), stored.freshness.received, stored.cost, key))
        };
        let mut candidates: Vec<_> = self.index.iter().take(MOST_EVICTIONS).filter_map(candidate).collect();
        let free = self.budget.limit().saturating_sub(self.budget.used());
        let gain: u64 = candidates.iter().map(|(.., cost, _)| cost).sum();
        if free + gain < bytes {
            return None;
        }
        // The stale first, then what is stale soonest, then what came first.
        candidates.sort_unstable_by_key(|(ttl, received, ..)| (*ttl, *received));
        candidates.into_iter().find_map(|(.., key)| {
            self.index.invalidate(&*key);
            attempt()
        })
    }

    pub(super) const fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Lets go of everything, so that a test sees what is left.
    #[cfg(test)]
    pub(super) fn clear(&self) {
        self.index.invalidate_all();
        self.index.run_pending_tasks();
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("entries", &self.index.entry_count()).finish_non_exhaustive()
    }
}

/// An answer that is too stale for any use helps nobody, so moka drops it. Whether an answer is fresh is judged elsewhere; this only tidies.
struct UntilUseless;

impl Expiry<Key, Arc<Slot>> for UntilUseless {
    fn expire_after_create(&self, _: &Key, slot: &Arc<Slot>, _: Instant) -> Option<Duration> {
        slot.stored().map(|it| it.freshness.kept().saturating_sub(it.freshness.initial_age))
    }

    fn expire_after_update(
        &self,
        key: &Key,
        slot: &Arc<Slot>,
        now: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(key, slot, now)
    }
}
