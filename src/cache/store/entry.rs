//! A stored answer in its place.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use super::Stored;
use crate::cache::key::Key;

/// What an entry costs beside its texts and its object: itself, its places in the index and in the order, and one record
/// of what was let go, of which there are never more than entries. Tables may have four times the places they need.
pub(super) const ENTRY_COST: u64 = 480;

/// An answer, whether somebody asked for it, and where it stands in the order.
pub(super) struct Entry {
    pub(super) hash: u64,
    pub(super) key: Key,
    pub(super) stored: Stored,
    /// Since the order looked last.
    asked: AtomicBool,
    /// Read and written by the order alone, under its lock.
    number: AtomicU64,
}

impl Entry {
    pub(super) fn new(hash: u64, key: Key, stored: Stored) -> Arc<Self> {
        Arc::new(Self { hash, key, stored, asked: AtomicBool::new(false), number: AtomicU64::new(0) })
    }

    /// Notes that somebody asks for it. Threads that ask for the same at once write nothing, and so do not wait for one
    /// another's memory.
    pub(super) fn ask(&self) {
        if !self.asked.load(Ordering::Relaxed) {
            self.asked.store(true, Ordering::Relaxed);
        }
    }

    /// Whether somebody asked for it since this was called last.
    pub(super) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed) && self.asked.swap(false, Ordering::Relaxed)
    }

    /// Whether somebody holds or reads it, so that its memory would not come back.
    pub(super) fn is_read(&self) -> bool {
        Arc::strong_count(&self.stored.object) > 1 || self.stored.object.is_read()
    }

    /// Whether it is too stale for any use.
    pub(super) fn is_useless(&self, now: Instant) -> bool {
        let freshness = &self.stored.freshness;
        freshness.age(now) >= freshness.kept()
    }

    /// Whether the origin had nothing to give.
    pub(super) fn is_error(&self) -> bool {
        self.stored.object.head().status.as_u16() >= 400
    }

    pub(super) fn cost(&self) -> u64 {
        self.stored.cost
    }

    pub(super) fn number(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    pub(super) fn stand_at(&self, number: u64) {
        self.number.store(number, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_entry_is_said_to_cost_covers_it_and_its_places() {
        // Counts of an `Arc`, and what an allocator may round up by.
        let itself = (size_of::<Entry>() + 16).next_multiple_of(32);
        // A table of hashes and words, with a fourth of its places in use, which are seven of eight it has.
        let table = (8 + 8 + 1) * 4 * 8 / 7;
        // Leaves of a tree have eleven places and at least five in use, and every five leaves have one above them.
        let tree = 16 * 11 / 5 + 16 * 11 / 25 + 8 * 12 / 25;
        let record = table + 8 * 4;
        let all = itself + table + tree + record;
        assert!(all as u64 <= ENTRY_COST, "{all}: {itself}, {table}, {tree}, {record}");
    }
}
