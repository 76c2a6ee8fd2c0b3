//! The cache: have we got it, fresh enough? If not, one fetch for all who wait.
//!
//! ```text
//! Admitted ─▶ key ─▶ store ──fresh──▶ Answer
//!                      │ no                ▲
//!                      ▼                   │ the object, while it grows
//!                   flights ──first──▶ fill ──complete──▶ store
//!                      └──────follow───────┘
//! ```
//! It is handed a way to fetch and never knows from where. It keeps answers in memory, large ones in slices, and those
//! that may outlive it on a disk. It never gives what was invalidated; what is stale it validates, and gives while a newer
//! answer is fetched or the origin fails, as far as the origin lets it. An aborted viewer never aborts a fill, a failed
//! fill is never stored,
//! and no request waits on a lock for another.

mod clock;
mod collapse;
mod dictionary;
mod directives;
mod disk;
mod fill;

mod freshness;
mod invalidation;
mod key;

mod recent;
mod renewal;
mod slices;
mod stats;
mod store;
mod verdict;
mod wish;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use config::cache::CachePolicy;
use config::distribution::RangeFill;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use self::collapse::{Flight, Flights, Join, Landed, Landing, Ticket};
use self::disk::Disk;
pub use self::disk::DiskStats;
use self::fill::{Audience, Errand, Fill, Place};
use self::freshness::Freshness;
pub use self::invalidation::{Illegible, Manner, Target};
use self::invalidation::{Invalidations, Moment};
use self::key::Key;
use self::recent::{Fate, Recent};
use self::slices::{Part, Workshop};
pub use self::stats::Stats;
use self::store::{Store, Stored};
use self::verdict::{Approach, Decision};
use self::wish::Wish;
use crate::passage::{
    Admitted, Answer, Excuse, Failure, FetchPlan, Forward, Object, Planned, SaidRange, Verdict,
};

/// How long a follower waits for a fetch that names no deadline; then it goes alone.
const COLLAPSE_WAIT: Duration = Duration::from_secs(10);

/// Fetches under way at once; a viewer who leaves does not end his, so connection limits do not bound them.
const MOST_FILLS: usize = 32_768;

/// Fetches under way at once that send a viewer's body. Each lasts as long as its viewer drips, up to hours, so they have
/// places of their own and leave all others to those who read; each holds a connection to a web server, too.
const MOST_UPLOADS: usize = 2_048;

/// The edge cache. Clones are the same cache.
#[derive(Clone, Debug)]
pub struct Cache {
    inside: Arc<Inside>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// The cache, for what it keeps itself.
#[derive(Clone, Debug)]
struct Weakly {
    inside: Weak<Inside>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Weakly {
    fn upgrade(self) -> Option<Cache> {
        Some(Cache { inside: self.inside.upgrade()?, tasks: self.tasks, stop: self.stop })
    }
}

/// What the cache's tasks share.
#[derive(Debug)]
struct Inside {
    store: Store,
    disk: Option<Disk>,
    flights: Arc<Flights>,
    invalidations: Arc<Invalidations>,
    recent: Recent,
    stats: Arc<Stats>,
    fills: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
}

impl Cache {
    /// An empty cache that takes at most `memory` bytes.
    pub fn new(memory: u64) -> Self {
        Self::build(memory, None)
    }

    /// A cache of these settings, with what its disk has from earlier runs.
    pub fn open(settings: &config::cache::Cache) -> Self {
        Self::build(settings.memory.0, settings.disk.as_ref())
    }

    fn build(memory: u64, disk: Option<&config::cache::Disk>) -> Self {
        let stats = Arc::new(Stats::default());
        let invalidations = Arc::new(Invalidations::new(clock::wall()));
        let disk = disk.map(|it| Disk::open(it, &invalidations));
        let inside = Inside {
            store: Store::new(memory, Arc::clone(&stats)),
            disk,
            flights: Flights::new(),
            invalidations,
            recent: Recent::new(),
            stats,
            fills: Arc::new(Semaphore::new(MOST_FILLS)),
            uploads: Arc::new(Semaphore::new(MOST_UPLOADS)),
        };
        Self { inside: Arc::new(inside), tasks: TaskTracker::new(), stop: CancellationToken::new() }
    }

    /// The answer to a request: from the store, from a fetch that is under way, or by `plan`.
    ///
    /// Waits for the head only; the body may still grow.
    pub async fn get(&self, asked: &Admitted, plan: impl Planned) -> Answer {
        let (behavior, method) = (asked.routed().behavior(), asked.routed().request().method());
        let policy = &behavior.cache_policy;
        if let Approach::Pass(forward) = verdict::approach(method, behavior, plan.is_uploading()) {
            return Box::pin(self.pass(asked, plan.plan(), forward)).await;
        }
        let key = Key::of(asked, plan.source());
        let now = clock::now();
        let found = self.stored(asked, &key, now);
        let wish = Wish::of(asked.routed().request().headers(), policy);
        let forward = match verdict::decide(found.as_ref().map(|it| &it.freshness), &wish, now) {
            Decision::Hit { ttl } => {
                let stored = found.expect("a hit is a stored answer");
                return self.hit(stored, ttl, now);
            }
            Decision::Stale => {
                let stored = found.expect("what is stale is a stored answer");
                return self.stale(&stored, Excuse::Accepted);
            }
            Decision::Fetch(forward) if wish.only_if_cached => {
                return self.miss(Err(Failure::NotStored), forward, Company::Leader);
            }
            Decision::Fetch(forward) => forward,
        };
        if behavior.range_fill == RangeFill::Pass && SaidRange::of(asked.routed().request()).is_some() {
            return Box::pin(self.pass(asked, plan.plan(), forward)).await;
        }
        // Hits are many, and what is carried from station to station is copied: what only fetches need stands elsewhere.
        Box::pin(self.seek(asked, plan.plan(), Sought { key, found, wish, forward, now })).await
    }

    /// What is not for caches goes to the origin, and may make useless what is stored.
    async fn pass(&self, asked: &Admitted, plan: FetchPlan, forward: Forward) -> Answer {
        if plan.is_looped() {
            return self.miss(Err(Failure::Looped), forward, Company::Leader);
        }
        let policy = &asked.routed().behavior().cache_policy;
        let key = Key::of(asked, plan.source());
        // Of what is not kept nobody needs more than he asks for.
        let part = SaidRange::of(asked.routed().request()).map_or(Part::Whole, Part::Said);
        let errand = Errand { part, ..Errand::alone(plan) };
        let answer = self.fetch(policy, None, None, forward, errand).await;
        if changes_what_is_kept(asked, &answer) {
            self.outdate(&key).await;
        }
        answer
    }

    /// What is not there to be given at once: from a fetch that is under way, or by `plan`; or what is stale, where that
    /// may be given.
    async fn seek(&self, asked: &Admitted, plan: FetchPlan, sought: Sought) -> Answer {
        let Sought { key, found, wish, forward, now } = sought;
        let policy = &asked.routed().behavior().cache_policy;
        let invalidations = &self.inside.invalidations;
        let url = key.clone();
        let spare = |born, tags: &[Box<str>]| {
            invalidations.spare(born, asked, tags) && invalidations.spare_url(born, &url)
        };
        if plan.is_looped() {
            // It would wait for itself.
            return self.miss(Err(Failure::Looped), forward, Company::Leader);
        }
        if wish.no_store {
            return self.fetch(policy, None, None, forward, Errand::alone(plan)).await;
        }
        // Who asks for a part has it by himself where he cannot share it.
        let is_exact = asked.routed().behavior().range_fill == RangeFill::Exact
            && SaidRange::of(asked.routed().request()).is_some();
        // Who wishes for newer than what is stored has nothing of it.
        let is_wish = forward == Forward::Request;
        let leeway = |it: &Stored| (it.freshness.leeway, it.freshness.stale_for(now).unwrap_or_default());
        // What may be given while a newer one is fetched; the fetch then has no one who waits for it.
        let meanwhile = found.as_ref().filter(|it| {
            let (leeway, since) = leeway(it);
            since < leeway.revalidating && !is_wish
        });
        match self.inside.recent.get(&key, now) {
            None => {}
            // What is given meanwhile needs no one to wait.
            Some(Fate::Alone) if meanwhile.is_some() => {}
            Some(Fate::Alone) if is_exact => return self.pass(asked, plan, forward).await,
            Some(Fate::Alone) => {
                let part = renewal::part(found.as_ref(), None).unwrap_or(Part::Whole);
                return self
                    .fetch(policy, Some(key), None, forward, Errand { part, ..Errand::alone(plan) })
                    .await;
            }
            Some(Fate::Stale(_)) => {
                let stands_in = |it: &&Stored| leeway(it).1 < leeway(it).0.origin_fails;
                if let Some(stored) = found.as_ref().filter(stands_in) {
                    return self.stale(stored, Excuse::OriginFails);
                }
                if let Some(stored) = meanwhile {
                    return self.stale(stored, Excuse::Revalidating);
                }
            }
            Some(Fate::Failed(failure)) => {
                return match meanwhile {
                    Some(stored) => self.stale(stored, Excuse::Revalidating),
                    None => self.miss(Err(failure), forward, Company::Follower),
                };
            }
        }
        let patience = plan.deadline().is_none().then_some(COLLAPSE_WAIT);
        let workshop = plan.is_sliceable().then(|| Workshop::new(self, policy, &plan, &key, asked));
        let part =
            renewal::part(found.as_ref(), workshop.clone()).unwrap_or_else(|| slices::part(asked, workshop));
        let again = || {
            let stored = self.stored(asked, &key, now).filter(|_| !is_wish)?;
            let ttl = stored.freshness.ttl(now)?;
            Some((stored, ttl))
        };
        let on_disk = self.inside.disk.is_some() && plan.is_lasting();
        let errand = Errand { plan, part, asked: on_disk.then(|| asked.clone()) };
        let joined = self.inside.flights.join(&key, patience, (now, invalidations.now()), spare, again);
        match (joined, meanwhile) {
            (Join::Stored((stored, ttl)), _) => self.hit(stored, ttl, clock::now()),
            (Join::Follow(_), Some(stored)) => self.stale(stored, Excuse::Revalidating),
            (Join::Lead(ticket), Some(stored)) => {
                // Nobody waits for it: who comes later finds what it brought, or why it brought nothing.
                let _ = self.begin(policy, Some(key), Some(ticket), errand);
                self.stale(stored, Excuse::Revalidating)
            }
            (Join::Lead(ticket), None) => self.fetch(policy, Some(key), Some(ticket), forward, errand).await,
            (Join::Follow(flight), None) => match follow(flight).await {
                (born, Landing::Shared(landed)) if !spare(born, &landed.tags()) => {
                    // Until it came nobody knew its tags, and one of them was invalidated meanwhile.
                    let sought = Sought { key, found: None, wish, forward, now: clock::now() };
                    Box::pin(self.seek(asked, errand.plan, sought)).await
                }
                (_, Landing::Shared(landed)) => self.miss(Ok(landed), forward, Company::Follower),
                (_, Landing::Failed(failure)) => self.miss(Err(failure), forward, Company::Follower),
                (_, Landing::Alone | Landing::Waiting) if is_exact => {
                    self.pass(asked, errand.plan, forward).await
                }
                (_, Landing::Alone | Landing::Waiting) => {
                    // What was found may have been invalidated in so long a time.
                    let found = self.stored(asked, &key, clock::now());
                    let part = renewal::part(found.as_ref(), None).unwrap_or(Part::Whole);
                    let errand = Errand { part, ..Errand::alone(errand.plan) };
                    self.fetch(policy, Some(key), None, forward, errand).await
                }
            },
        }
    }

    /// What is stored under a key and was not invalidated; what is to count as stale does.
    fn stored(&self, asked: &Admitted, key: &Key, now: Instant) -> Option<Stored> {
        let invalidations = &self.inside.invalidations;
        let holds = |it: &Stored| {
            invalidations.spare(it.born, asked, &it.tags) && invalidations.spare_url(it.born, key)
        };
        let stored = self.inside.store.get(key).filter(holds)?;
        let is_outdated = invalidations.outdate(stored.born, asked, &stored.tags);
        let freshness = if is_outdated { stored.freshness.ended(now) } else { stored.freshness };
        Some(Stored { freshness, ..stored })
    }

    fn weakly(&self) -> Weakly {
        Weakly { inside: Arc::downgrade(&self.inside), tasks: self.tasks.clone(), stop: self.stop.clone() }
    }

    /// From now on nothing that was fetched or begun to be is given for what the targets cover in a distribution, or it
    /// counts as stale. When this returns it holds for later runs of the server, too: it waits for the disk.
    ///
    /// # Errors
    /// The disk refused, so it holds for this run alone; what the error says is for operators.
    pub fn invalidate(&self, distribution: &str, targets: &[Target], manner: Manner) -> io::Result<()> {
        self.inside.stats.invalidations.add_one();
        let moment = self.inside.invalidations.put(distribution, targets, manner);
        match &self.inside.disk {
            Some(disk) => disk.invalidated(moment, manner, distribution, targets),
            None => Ok(()),
        }
    }

    /// What was kept under a key, and of its URL in this run, is given no more (RFC 9111 4.4).
    ///
    /// It is no invalidation: whoever may send such a request could have as many noted as he likes.
    async fn outdate(&self, key: &Key) {
        if let Some(deleted) = self.inside.forget(key, self.inside.invalidations.now()) {
            // After the answer not even a crash brings it back.
            let _ = deleted.await;
        }
    }

    /// What the cache has done since it began.
    pub fn stats(&self) -> &Stats {
        &self.inside.stats
    }

    /// Bytes of memory in use: held, filling, and let go but still read.
    pub fn memory_used(&self) -> u64 {
        self.inside.store.budget().used()
    }

    /// Bytes of memory there are.
    pub fn memory_limit(&self) -> u64 {
        self.inside.store.budget().limit()
    }

    /// Fetches under way.
    pub fn fills_under_way(&self) -> usize {
        self.tasks.len()
    }

    /// Ends all fetches and waits until they have; their readers see them fail.
    pub async fn close(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        if let Some(disk) = &self.inside.disk {
            disk.close().await;
        }
    }

    /// What the disk has done, what it holds and what it may; none where there is none.
    pub fn disk(&self) -> Option<(&DiskStats, u64, u64)> {
        self.inside.disk.as_ref().map(|it| (it.stats(), it.used(), it.limit()))
    }

    /// Begins a fetch and waits for its head.
    async fn fetch(
        &self,
        policy: &Arc<CachePolicy>,
        key: Option<Key>,
        followers: Option<Ticket>,
        forward: Forward,
        errand: Errand,
    ) -> Answer {
        self.miss(self.land(policy, key, followers, errand).await, forward, Company::Leader)
    }

    async fn land(
        &self,
        policy: &Arc<CachePolicy>,
        key: Option<Key>,
        followers: Option<Ticket>,
        errand: Errand,
    ) -> Result<Landed, Failure> {
        // A task that ended without a word was stopped.
        self.begin(policy, key, followers, errand)?.await.unwrap_or(Err(Failure::GivenUp))
    }

    /// A slice of a body: from the store, from a fetch that is under way, or by `plan`.
    async fn slice(
        &self,
        key: Key,
        policy: &Arc<CachePolicy>,
        plan: &FetchPlan,
        part: impl Fn() -> Part,
    ) -> Result<Arc<Object>, Failure> {
        if let Some(stored) = self.inside.store.get(&key) {
            return Ok(stored.object);
        }
        let now = clock::now();
        let stored = || self.inside.store.get(&key);
        let born = self.inside.invalidations.now();
        let errand = || Errand { plan: plan.clone(), part: part(), asked: None };
        // Its key is that of a body which was not invalidated.
        let landed = match self.inside.flights.join(&key, None, (now, born), |_, _| true, stored) {
            Join::Stored(stored) => return Ok(stored.object),
            Join::Lead(ticket) => self.land(policy, Some(key), Some(ticket), errand()).await,
            Join::Follow(flight) => match follow(flight).await.1 {
                Landing::Shared(landed) => Ok(landed),
                Landing::Failed(failure) => Err(failure),
                Landing::Alone | Landing::Waiting => self.land(policy, Some(key), None, errand()).await,
            },
        };
        landed.map(|it| it.object)
    }

    fn begin(
        &self,
        policy: &Arc<CachePolicy>,
        key: Option<Key>,
        followers: Option<Ticket>,
        errand: Errand,
    ) -> Result<oneshot::Receiver<Result<Landed, Failure>>, Failure> {
        let inside = &self.inside;
        let is_uploading = errand.plan.is_uploading();
        let (places, busy) = if is_uploading {
            (&inside.uploads, &inside.stats.busy_uploads)
        } else {
            (&inside.fills, &inside.stats.busy)
        };
        let Ok(permit) = Arc::clone(places).try_acquire_owned() else {
            busy.add_one();
            return Err(Failure::Busy);
        };
        if self.stop.is_cancelled() {
            return Err(Failure::GivenUp);
        }
        let (audience, landing) = Audience::new(followers);
        let fill = Fill {
            inside: Arc::clone(inside),
            policy: Arc::clone(policy),
            key,
            born: inside.invalidations.now(),
            lasting: errand.plan.is_lasting(),
            unkeyed: errand.plan.unkeyed().to_vec(),
            audience,
            stall: fill::stall(&errand.plan),
            place: Place::new(permit, is_uploading),
        };
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(fill.run(errand)).in_current_span());
        Ok(landing)
    }

    fn hit(&self, stored: Stored, ttl: Duration, now: Instant) -> Answer {
        self.inside.stats.hits.add_one();
        Answer {
            age: stored.freshness.age(now),
            object: Ok(stored.object),
            verdict: Verdict::Hit { ttl, detail: stored.detail },
        }
    }

    fn stale(&self, stored: &Stored, excuse: Excuse) -> Answer {
        self.stale_object(Arc::clone(&stored.object), stored.freshness, excuse)
    }

    fn stale_object(&self, object: Arc<Object>, freshness: Freshness, excuse: Excuse) -> Answer {
        self.inside.stats.hits.add_one();
        let now = clock::now();
        let since = freshness.stale_for(now).unwrap_or_default();
        Answer { object: Ok(object), verdict: Verdict::Stale { since, excuse }, age: freshness.age(now) }
    }

    fn miss(&self, landed: Result<Landed, Failure>, forward: Forward, company: Company) -> Answer {
        if let Ok(Landed { object, freshness, said: None, .. }) = landed {
            return self.stale_object(object, freshness, Excuse::OriginFails);
        }
        if let Ok(Landed { object, freshness, found: true, .. }) = landed {
            self.inside.stats.hits.add_one();
            let now = clock::now();
            let ttl = freshness.ttl(now).unwrap_or_default();
            let verdict = Verdict::Hit { ttl, detail: None };
            return Answer { object: Ok(object), verdict, age: freshness.age(now) };
        }
        let collapsed = company == Company::Follower;
        self.inside.stats.misses.add_one();
        if collapsed {
            self.inside.stats.collapsed.add_one();
        }
        let verdict = |status, stored| Verdict::Miss { forward, status, collapsed, stored };
        match landed {
            Ok(landed) => Answer {
                verdict: verdict(landed.said, landed.kept),
                age: landed.freshness.age(clock::now()),
                object: Ok(landed.object),
            },
            Err(failure) => {
                Answer { verdict: verdict(None, false), age: Duration::ZERO, object: Err(failure) }
            }
        }
    }
}

impl Inside {
    /// Has nothing any more that was begun for a key at `begun` or before; gives what to wait for until it is off the
    /// disk, too, where it is there.
    fn forget(&self, key: &Key, begun: Moment) -> Option<JoinHandle<()>> {
        self.invalidations.outdate_url(key, begun);
        self.store.remove(key);
        self.disk.as_ref().and_then(|it| it.forget(key))
    }
}

/// Whether the origin took a request that changes something there of which answers are kept here. Where it refused,
/// nothing changed.
fn changes_what_is_kept(asked: &Admitted, answer: &Answer) -> bool {
    let is_safe = asked.routed().request().method().is_safe();
    let keeps = !asked.routed().behavior().cache_policy.max_ttl.is_zero();
    let taken = |it: &Arc<Object>| it.head().status.is_success() || it.head().status.is_redirection();
    !is_safe && keeps && answer.object.as_ref().is_ok_and(taken)
}

/// What a request seeks that was not found, or not so that it could be given.
struct Sought {
    key: Key,
    found: Option<Stored>,
    wish: Wish,
    forward: Forward,
    /// When it was looked for.
    now: Instant,
}

/// Whether a request began the fetch that answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Company {
    Leader,
    Follower,
}

/// Waits for the head of a fetch, and says when that began; [`Landing::Waiting`] when it took too long.
async fn follow(mut flight: Flight) -> (Moment, Landing) {
    let (born, patience) = (flight.born, flight.patience);
    let landing = async {
        match flight.landing.wait_for(|it| !matches!(it, Landing::Waiting)).await {
            Ok(landing) => landing.clone(),
            // Its task was stopped before a head came.
            Err(_) => Landing::Failed(Failure::GivenUp),
        }
    };
    let landing = match patience {
        Some(patience) => timeout(patience, landing).await.unwrap_or(Landing::Waiting),
        None => landing.await,
    };
    (born, landing)
}
