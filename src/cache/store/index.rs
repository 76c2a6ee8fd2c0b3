//! Entries by key, for as many threads as ask.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::Stored;
use super::entry::Entry;
use crate::cache::key::Key;

/// Enough that a thread that stores seldom meets those that look.
const SHARDS: usize = 64;

/// A table with fewer places than this is not made smaller.
const SMALL_TABLE: usize = 64;

/// A table by numbers that are hashes already.
pub(super) type ByHash<T> = HashMap<u64, T, BuildHasherDefault<AsItIs>>;

/// Makes a table smaller that has four times the places it needs, so that what was stored once costs nothing later.
pub(super) fn tighten<T>(table: &mut ByHash<T>) {
    if table.capacity() > SMALL_TABLE.max(4 * table.len()) {
        table.shrink_to(2 * table.len());
    }
}

/// A part of the index on cache lines of its own, so that looking into one does not slow looking into its neighbor.
#[repr(align(128))]
#[derive(Default)]
struct Shard(RwLock<ByHash<Arc<Entry>>>);

impl Shard {
    fn read(&self) -> RwLockReadGuard<'_, ByHash<Arc<Entry>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, ByHash<Arc<Entry>>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Entries by the hash of their keys, which nobody outside can foresee. Of two keys with one hash the later takes the place
/// of the earlier: that costs a fetch once in many lifetimes of a server.
pub(super) struct Index {
    shards: Box<[Shard]>,
    hasher: RandomState,
}

impl Index {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect(), hasher: RandomState::new() }
    }

    pub(super) fn hash(&self, key: &Key) -> u64 {
        self.hasher.hash_one(key)
    }

    /// What is stored under a key, and notes that it was asked for.
    pub(super) fn get(&self, key: &Key) -> Option<Stored> {
        let hash = self.hash(key);
        let shard = self.shard(hash).read();
        let entry = shard.get(&hash).filter(|it| it.key == *key)?;
        entry.ask();
        Some(entry.stored.clone())
    }

    /// Where what is stored under a key stands.
    pub(super) fn entry(&self, key: &Key) -> Option<Arc<Entry>> {
        let hash = self.hash(key);
        self.shard(hash).read().get(&hash).filter(|it| it.key == *key).cloned()
    }

    /// Puts an entry in its place and gives the one that was there.
    pub(super) fn put(&self, entry: &Arc<Entry>) -> Option<Arc<Entry>> {
        self.shard(entry.hash).write().insert(entry.hash, Arc::clone(entry))
    }

    /// Takes an entry out, if it is still the one there.
    pub(super) fn remove(&self, entry: &Arc<Entry>) {
        let mut shard = self.shard(entry.hash).write();
        if shard.get(&entry.hash).is_some_and(|it| Arc::ptr_eq(it, entry)) {
            shard.remove(&entry.hash);
            tighten(&mut shard);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|it| it.read().len()).sum()
    }

    /// Tables look at the lowest and highest bits, so shards go by those between.
    const fn shard(&self, hash: u64) -> &Shard {
        &self.shards[(hash >> 32) as usize % SHARDS]
    }
}

/// Gives a number as its own hash.
#[derive(Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 = self.0.rotate_left(8) ^ u64::from(*octet);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}
