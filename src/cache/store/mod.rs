//! The store: complete answers in memory, by key.
//!
//! ```text
//!  hit ──▶ index (key ─▶ entry, a shared lock on a part of it, and a flag)
//! miss ──▶ budget ──too little──▶ order (which entries go) ──▶ index, budget ──▶ room
//! ```
//! One budget decides what fits: memory is reserved before it is filled, and whoever needs it makes room himself, so that
//! the budget is never exceeded and no memory lies idle. What is stored pays for its places in the tables, too.

mod entry;
mod ghost;
mod index;
mod order;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use self::entry::{ENTRY_COST, Entry};
use self::index::Index;
use self::order::{Chosen, Order};
use super::freshness::Freshness;
use super::invalidation::{self, Moment};
use super::key::Key;
use super::stats::Stats;
use crate::passage::{Budget, Detail, Head, Object, Reservation};

/// The part of the memory, one of so many, that is made free beyond what is needed when something has to go: what is made of
/// stored answers, compressed or noted, makes no room for itself.
const SPARE: u64 = 64;

/// The most that is made free so, as a request pays for it.
const MOST_SPARE: u64 = 2 * 1024 * 1024;

/// The part of the memory, one of so many, that errors may take: names that are not there cost a stranger nothing to make
/// up, and each would have a place for as long as errors are kept.
const ERRORS: u64 = 100;

/// How often room is made for one request while others take what was made.
const TRIES: usize = 16;

/// What a tag costs beside its text.
const TAG_COST: u64 = 32;

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

/// Bytes of memory that an answer takes beside its body when it is stored under a key.
pub(super) fn head_cost(key: &Key, head: &Head) -> u64 {
    let tags = invalidation::tags(&head.headers);
    let tags: u64 = tags.iter().map(|it| it.len() as u64 + TAG_COST).sum();
    // The key is held by the store and by the table of fetches.
    head.cost() + ENTRY_COST + tags + 2 * key.cost()
}

/// Complete answers by key.
pub(super) struct Store {
    index: Index,
    /// Whoever holds it may look into the index, and never the other way round.
    order: Mutex<Order>,
    budget: Arc<Budget>,
    stats: Arc<Stats>,
}

impl Store {
    pub(super) fn new(bytes: u64, stats: Arc<Stats>) -> Self {
        Self { index: Index::new(), order: Mutex::default(), budget: Budget::new(bytes), stats }
    }

    pub(super) fn get(&self, key: &Key) -> Option<Stored> {
        self.index.get(key)
    }

    /// Stores an answer, whose memory is reserved already.
    pub(super) fn offer(&self, key: Key, stored: Stored, now: Instant) {
        let entry = Entry::new(self.index.hash(&key), key, stored);
        let mut order = self.order();
        let earlier = self.index.put(&entry);
        match &earlier {
            Some(earlier) if earlier.key == entry.key => order.succeed(earlier, entry),
            Some(other) => {
                order.remove(other);
                order.admit(entry);
            }
            None => order.admit(entry),
        }
        let useless = order.sweep(now);
        let above = order.cap_errors(self.budget.limit() / ERRORS);
        useless.iter().chain(&above).for_each(|it| self.index.remove(it));
        drop(order);
        above.iter().for_each(|_| self.stats.evicted_errors.add_one());
        // After the lock, since this may free many chunks.
        drop((earlier, useless, above));
    }

    /// Forgets an answer.
    pub(super) fn remove(&self, key: &Key) {
        let mut order = self.order();
        let Some(entry) = self.index.entry(key) else { return };
        order.remove(&entry);
        self.index.remove(&entry);
        drop(order);
        drop(entry);
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
        for _ in 0..TRIES {
            let mut order = self.order();
            // Who held it before may have made room for others, too.
            if let Some(done) = attempt() {
                return Some(done);
            }
            let gone = self.drive_out(&mut order, bytes, now)?;
            drop(order);
            // After the lock, since this may free many chunks.
            drop(gone);
            if let Some(done) = attempt() {
                return Some(done);
            }
        }
        None
    }

    /// Lets go of enough for `bytes`. What is being read gives nothing back, and where the rest is not enough nothing is let
    /// go: slow viewers must not empty the store.
    fn drive_out(&self, order: &mut Order, bytes: u64, now: Instant) -> Option<Vec<Chosen>> {
        let limit = self.budget.limit();
        let free = limit.saturating_sub(self.budget.used());
        // An attempt may need a little more than it said, so something goes in any case.
        let missing = bytes.saturating_sub(free).max(1);
        let (chosen, gain) = order.choose(missing + (limit / SPARE).min(MOST_SPARE), now);
        if gain < missing {
            order.put_back(chosen);
            return None;
        }
        order.bury(&chosen);
        for it in &chosen {
            self.index.remove(&it.entry);
            if it.is_evicted() {
                self.stats.evictions.add_one();
            }
        }
        Some(chosen)
    }

    pub(super) const fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of everything, so that a test sees what is left.
    #[cfg(test)]
    pub(super) fn clear(&self) {
        let all = std::mem::take(&mut *self.order()).into_entries();
        all.iter().for_each(|it| self.index.remove(it));
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("entries", &self.order().len()).finish_non_exhaustive()
    }
}
