//! What is let go, and what comes back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::*;
use crate::cache::freshness::Leeway;
use crate::passage::example::Example;
use crate::passage::{Source, body_cost};

const MIB: u64 = 1024 * 1024;
const KIB: u64 = 1024;

/// A store, and a moment that passes only when it is told.
struct Day {
    store: Store,
    now: Instant,
}

impl Day {
    fn of(bytes: u64) -> Self {
        Self { store: Store::new(bytes, Arc::default()), now: Instant::now() }
    }

    fn key(name: u64) -> Key {
        Key::of(&Example::get(&format!("/{name}")).admitted(), Source::default())
    }

    /// Stores an answer of so many octets if there is room, as a fill does; gives its object.
    fn store(&self, name: u64, octets: u64, lifetime: Duration) -> Option<Arc<Object>> {
        self.store_as(StatusCode::OK, name, octets, lifetime)
    }

    fn store_as(
        &self,
        status: StatusCode,
        name: u64,
        octets: u64,
        lifetime: Duration,
    ) -> Option<Arc<Object>> {
        let head = Head { status, headers: HeaderMap::new(), length: None, lifetime: None };
        let key = Self::key(name);
        let head_cost = head_cost(&key, &head);
        let cost = head_cost + body_cost(octets, 1);
        let mut reservation = self.store.reserve(cost, self.now)?;
        reservation.spend(head_cost);
        let body = Bytes::from(vec![7; usize::try_from(octets).unwrap()]);
        let object = Object::whole_within(head, vec![body], reservation);
        let stored = Stored {
            object: Arc::clone(&object),
            freshness: Freshness {
                received: self.now,
                initial_age: Duration::ZERO,
                lifetime,
                leeway: Leeway::default(),
            },
            born: 0,
            detail: None,
            tags: Arc::default(),
            cost,
        };
        self.store.offer(key, stored, self.now);
        Some(object)
    }

    /// Stores one that is good for an hour and that nobody reads.
    fn keep(&self, name: u64, octets: u64) {
        self.store(name, octets, HOUR).expect("there is room");
    }

    fn has(&self, name: u64) -> bool {
        self.store.index.entry(&Self::key(name)).is_some()
    }

    fn ask(&self, name: u64) -> bool {
        self.store.get(&Self::key(name)).is_some()
    }

    fn used(&self) -> u64 {
        self.store.budget.used()
    }

    fn stored(&self) -> usize {
        self.store.order().len()
    }
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn what_is_asked_for_again_stays_beside_any_number_that_is_not() {
    let day = Day::of(MIB);
    for name in 0..20_000 {
        day.keep(name, 10 * KIB);
        assert!(name < 10 || (0..10).all(|it| day.ask(it)), "after {name}");
    }
    assert!(day.stored() > 85 && day.store.index.len() == day.stored());
    assert_eq!(day.store.stats.evictions.count(), 20_000 - day.stored() as u64);
}

#[test]
fn what_comes_again_soon_after_it_was_let_go_stays_longer_than_what_is_new() {
    let day = Day::of(MIB);
    (0..150).for_each(|name| day.keep(name, 10 * KIB));
    // One that was let go lately, since the memory takes fewer than a hundred.
    let again = (0..150).rev().find(|&it| !day.has(it)).unwrap();
    day.keep(again, 10 * KIB);
    (1000..1090).for_each(|name| day.keep(name, 10 * KIB));
    assert!(day.has(again));
    assert!(!day.has(149), "it was there when the other came again");
}

#[test]
fn what_is_too_stale_for_any_use_goes_before_what_is_not() {
    let mut day = Day::of(MIB);
    (0..40).for_each(|name| day.keep(name, 10 * KIB));
    for name in 40..80 {
        day.store(name, 10 * KIB, Duration::from_secs(60)).unwrap();
        assert!(day.ask(name));
    }
    day.now += Duration::from_secs(61);
    for name in 80..120 {
        day.keep(name, 10 * KIB);
    }
    assert!((40..80).all(|it| !day.has(it)), "each that comes has a few looked at");
    assert!((0..40).chain(80..120).all(|it| day.has(it)), "there was room for them");
    assert_eq!(day.store.stats.evictions.count(), 0);
}

#[test]
fn a_large_answer_finds_room_among_thousands_of_the_smallest_which_were_all_asked_for() {
    let day = Day::of(32 * MIB);
    (0..30_000).for_each(|name| day.keep(name, 1));
    let before = day.stored();
    assert!(before > 20_000);
    (0..30_000).for_each(|name| assert_eq!(day.ask(name), day.has(name)));
    day.keep(100_000, 16 * MIB);
    assert!(day.ask(100_000) && day.stored() < before * 2 / 3);
}

#[test]
fn what_is_read_is_not_let_go_and_nothing_else_where_the_rest_is_not_enough() {
    let day = Day::of(MIB);
    let read: Vec<_> = (0..8).map(|name| day.store(name, 100 * KIB, HOUR).unwrap()).collect();
    day.keep(8, 100 * KIB);
    assert!(day.store(9, 300 * KIB, HOUR).is_none());
    assert!((0..9).all(|it| day.has(it)));
    assert_eq!(day.store.stats.evictions.count(), 0);
    day.keep(9, 150 * KIB);
    assert!((0..8).all(|it| day.has(it)) && !day.has(8));
    drop(read);
    day.keep(10, 900 * KIB);
    assert!(day.has(10) && day.used() <= MIB);
}

#[test]
fn what_is_read_by_thousands_does_not_hide_for_long_what_is_not() {
    let day = Day::of(16 * MIB);
    let mut read: Vec<_> = (0..6_000).map(|name| day.store(name, 1000, HOUR).unwrap()).collect();
    let room = MIB * 16 - day.used();
    day.keep(10_000, room - 4 * KIB);
    // Whatever comes first in the order of going, what is not read is found by one who looks often enough.
    read.truncate(5_000);
    let tries = (0..).take_while(|_| day.store.reserve(MIB / 2, day.now).is_none()).take(20).count();
    assert!(tries < 20, "{tries}");
    assert!((0..5_000).all(|it| day.has(it)));
}

#[test]
fn a_newer_answer_takes_the_place_of_the_older_and_its_memory_comes_back() {
    let day = Day::of(MIB);
    day.keep(1, 100 * KIB);
    let used = day.used();
    (0..50).for_each(|_| day.keep(1, 100 * KIB));
    assert_eq!((day.used(), day.stored()), (used, 1));
    day.store.remove(&Day::key(1));
    day.store.remove(&Day::key(1));
    assert_eq!((day.used(), day.stored(), day.store.index.len()), (0, 0, 0));
}

#[test]
fn some_memory_stays_for_what_is_made_of_stored_answers() {
    let day = Day::of(MIB);
    (0..1000).for_each(|name| day.keep(name, 1000));
    let missing = |bytes| day.store.budget.reserve(bytes).is_none();
    let least = (1000..1100).map(|name| {
        day.keep(name, 1000);
        MIB - day.used()
    });
    assert!(least.max() > Some(MIB / SPARE - 3000) && missing(MIB / SPARE + 3000));
}

/// Threads that store, ask, read, forget and make room at once: the memory is never exceeded, room is found as long as
/// little is read, index and order hold the same, and all memory comes back.
#[test]
fn many_threads_never_exceed_the_memory_and_lose_none_of_it() {
    let day = Day::of(4 * MIB);
    let hits = AtomicU64::new(0);
    thread::scope(|scope| {
        for thread in 0..8_u64 {
            let (day, hits) = (&day, &hits);
            scope.spawn(move || {
                let mut random = thread + 1;
                let mut read = Vec::new();
                for _ in 0..4_000 {
                    // Xorshift.
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    let name = (random >> 32) % 400;
                    match random % 16 {
                        0..8 => {
                            if let Some(stored) = day.store.get(&Day::key(name)) {
                                hits.fetch_add(1, Ordering::Relaxed);
                                read.push(stored.object);
                            }
                        }
                        8..14 => {
                            let octets = (random >> 20) % (40 * KIB);
                            read.extend(Some(day.store(name, octets, HOUR).expect("little is read")));
                        }
                        14 => day.store.remove(&Day::key(name)),
                        _ => drop(day.store.reserve(100 * KIB, day.now).expect("little is read")),
                    }
                    read.drain(..read.len().saturating_sub(4));
                    assert!(day.used() <= 4 * MIB);
                }
            });
        }
    });
    let order = day.store.order().len();
    assert_eq!(order, day.store.index.len());
    assert!(hits.into_inner() > 0 && order > 0 && day.used() > 2 * MIB);
    day.store.clear();
    assert_eq!((day.used(), day.stored(), day.store.index.len()), (0, 0, 0));
}

#[test]
fn section_21_14_errors_take_a_hundredth_of_the_memory_and_drive_out_errors_alone() {
    let day = Day::of(16 * MIB);
    (0..100).for_each(|name| day.keep(name, 64 * KIB));
    let good = day.used();
    for name in 1_000..3_000 {
        let status = if name % 2 == 0 { StatusCode::NOT_FOUND } else { StatusCode::METHOD_NOT_ALLOWED };
        drop(day.store_as(status, name, 512, HOUR).expect("there is room"));
        // Who asks for his own errors keeps none of them longer.
        day.ask(1_000);
        assert!(day.used() - good <= 16 * MIB / ERRORS, "{name}");
    }
    assert!((0..100).all(|name| day.has(name)), "no good answer went");
    assert!(day.has(2_999) && !day.has(1_000), "the newest errors stay");
    let errors = day.stored() as u64 - 100;
    assert!(errors > 50, "{errors}");
    let stats = &day.store.stats;
    assert_eq!((stats.evicted_errors.count(), stats.evictions.count()), (2_000 - errors, 0));
    // An answer that comes in the place of an error is one like any other, and the other way round.
    day.keep(2_999, 512);
    drop(day.store_as(StatusCode::GONE, 0, 512, HOUR).expect("there is room"));
    assert_eq!(day.stored() as u64, 100 + errors);
    // Where nothing else is left, errors make room, too.
    drop(day.store.reserve(16 * MIB, day.now).expect("errors are no reason to refuse"));
    day.store.clear();
    assert_eq!(day.used(), 0);
}
