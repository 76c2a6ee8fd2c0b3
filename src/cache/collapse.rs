//! One fetch for many: the fetches under way, by key.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::sync::watch;

use super::freshness::Freshness;
use super::invalidation::{self, Moment};
use crate::passage::{Failure, Object};

use super::key::Key;

/// Enough that two requests for different keys seldom meet at one lock.
const SHARDS: usize = 64;

/// The head of an answer that came.
#[derive(Clone, Debug)]
pub(super) struct Landed {
    pub(super) object: Arc<Object>,
    pub(super) freshness: Freshness,
    /// Whether it is going to be kept.
    pub(super) kept: bool,
    /// What the origin said; none when it failed and this is what was stored before.
    pub(super) said: Option<StatusCode>,
    /// Whether it was kept before, so that no origin was asked.
    pub(super) found: bool,
}

impl Landed {
    /// By which it can be invalidated.
    pub(super) fn tags(&self) -> Arc<[Box<str>]> {
        invalidation::tags(&self.object.head().headers)
    }
}

/// How a fetch stands, for those who wait for the same.
#[derive(Clone, Debug)]
pub(super) enum Landing {
    /// No head has come.
    Waiting,
    /// All may read it.
    Shared(Landed),
    /// It is for one viewer alone; the others fetch for themselves.
    Alone,
    /// None came.
    Failed(Failure),
}

/// A fetch under way.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    number: u64,
    /// When it began.
    pub(super) born: Moment,
    pub(super) landing: watch::Receiver<Landing>,
    /// How long a follower waits for the head before it fetches for itself; none: as long as it takes, since the
    /// fetch has a deadline of its own.
    pub(super) patience: Option<Duration>,
}

impl Flight {
    /// Whether a request that comes now may have what it brings; `spare` says whether what was begun then, with those
    /// tags, was not invalidated since.
    fn takes_more(&self, now: Instant, spare: impl Fn(Moment, &[Box<str>]) -> bool) -> bool {
        match &*self.landing.borrow() {
            Landing::Waiting => spare(self.born, &[]),
            Landing::Shared(landed) => {
                landed.freshness.ttl(now).is_some() && spare(self.born, &landed.tags())
            }
            Landing::Alone | Landing::Failed(_) => false,
        }
    }
}

/// What a request does that found nothing stored.
pub(super) enum Join<T> {
    /// It was stored just now.
    Stored(T),
    /// Another request fetches the same.
    Follow(Flight),
    /// It fetches, and others may follow.
    Lead(Ticket),
}

/// Fetches under way.
#[derive(Debug)]
pub(super) struct Flights {
    shards: Box<[Mutex<HashMap<Key, Flight>>]>,
    hasher: RandomState,
    numbers: AtomicU64,
}

impl Flights {
    pub(super) fn new() -> Arc<Self> {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Arc::new(Self { shards, hasher: RandomState::new(), numbers: AtomicU64::new(0) })
    }

    /// Joins the fetch of `key`, or begins one that is `born` now. `stored` looks into the store once more, since a fetch leaves this
    /// table only after its answer is there.
    pub(super) fn join<T>(
        self: &Arc<Self>,
        key: &Key,
        patience: Option<Duration>,
        (now, born): (Instant, Moment),
        spare: impl Fn(Moment, &[Box<str>]) -> bool,
        stored: impl FnOnce() -> Option<T>,
    ) -> Join<T> {
        let mut shard = self.shard(key);
        if let Some(flight) = shard.get(key).filter(|it| it.takes_more(now, spare)) {
            return Join::Follow(flight.clone());
        }
        if let Some(it) = stored() {
            return Join::Stored(it);
        }
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let (landing, receiver) = watch::channel(Landing::Waiting);
        shard.insert(key.clone(), Flight { number, born, landing: receiver, patience });
        drop(shard);
        Join::Lead(Ticket { flights: Arc::clone(self), key: key.clone(), number, landing })
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, HashMap<Key, Flight>> {
        let index = self.hasher.hash_one(key) as usize % SHARDS;
        self.shards[index].lock().expect("nothing panics while it is held")
    }
}

/// The right to say how a fetch ends. Dropped, it takes the fetch off the table, whatever became of its task.
#[derive(Debug)]
pub(super) struct Ticket {
    flights: Arc<Flights>,
    key: Key,
    number: u64,
    landing: watch::Sender<Landing>,
}

impl Ticket {
    /// Tells those who wait.
    pub(super) fn land(&self, landing: Landing) {
        self.landing.send_replace(landing);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut shard = self.flights.shard(&self.key);
        // A later fetch may have taken the place of one that was stale before it ended.
        if let Entry::Occupied(entry) = shard.entry(self.key.clone())
            && entry.get().number == self.number
        {
            entry.remove();
        }
    }
}
