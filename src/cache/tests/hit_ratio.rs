//! How many of the requests of an edge for media the cache answers itself, with memory for a tenth of the library.

use super::policies::{Lru, Policy, S3Fifo};
use super::trace::{SEGMENTS, Segment, TITLES, Trace};
use super::*;
use crate::cache::store;
use crate::passage::{Head, body_cost};

/// Requests that only fill the cache, and those that count.
const FIRST: usize = 10_000;
const COUNTED: usize = 30_000;

/// Longer than the longest segment.
static OCTETS: [u8; 16 * 1024] = [7; 16 * 1024];

fn fetched_of(segment: Segment) -> Result<Fetched, Failure> {
    let octets = Bytes::from_static(&OCTETS[..segment.octets()]);
    fetched(StatusCode::OK, Lifetime::Immutable, FetchedBody::Whole(vec![octets]))
}

/// A segment, asked for.
struct Wanted {
    segment: Segment,
    asked: Admitted,
    /// Memory that it takes in the cache.
    cost: u64,
}

impl Wanted {
    fn of(segment: Segment) -> Self {
        let asked = ask(&segment.path());
        let (status, lifetime) = (StatusCode::OK, Some(Lifetime::Immutable));
        let head = Head { status, headers: HeaderMap::new(), length: None, lifetime };
        let key = Key::of(&asked, Source::default());
        let cost = store::head_cost(&key, &head) + body_cost(segment.octets() as u64, 1);
        Self { segment, asked, cost }
    }
}

/// A tenth of what the whole library would take.
fn cap() -> u64 {
    let segments = (0..TITLES).flat_map(|title| (0..SEGMENTS).map(move |number| (title, number)));
    let costs = segments.map(|(title, number)| Wanted::of(Segment::Title { title, number }).cost);
    costs.sum::<u64>() / 10
}

fn percent(hits: usize) -> f64 {
    100.0 * hits as f64 / COUNTED as f64
}

/// Hits of another policy, in percent.
fn hits_of(mut policy: impl Policy, trace: &[Wanted]) -> f64 {
    let hits = trace.iter().map(|it| policy.ask(it.segment, it.cost));
    percent(hits.skip(FIRST).filter(|&is_hit| is_hit).count())
}

/// Hits of ours, which never takes more than `cap`.
async fn hits_of_ours(trace: &[Wanted], cap: u64) -> f64 {
    let (cache, origin) = (Cache::new(cap), Origin::default());
    let mut hits = 0;
    for (now, &Wanted { segment, ref asked, .. }) in trace.iter().enumerate() {
        let answer = cache.get(asked, origin.at_once(move || fetched_of(segment))).await;
        assert_eq!(answer.object.expect("it is given").length(), Some(segment.octets() as u64));
        hits += usize::from(now >= FIRST && matches!(answer.verdict, Verdict::Hit { .. }));
        assert!(cache.memory_used() <= cap, "{} of {cap}", cache.memory_used());
    }
    percent(hits)
}

/// The trace is the same in every run, and so is the order in which the store lets answers go.
#[tokio::test(start_paused = true)]
async fn more_than_61_percent_are_hits_with_a_tenth_of_the_memory_beside_a_crawler_and_not_a_byte_more_is_used()
 {
    let cap = cap();
    for seed in 1..=4 {
        let trace: Vec<_> = Trace::new(seed).take(FIRST + COUNTED).map(Wanted::of).collect();
        let ours = hits_of_ours(&trace, cap).await;
        let (lru, s3_fifo) = (hits_of(Lru::new(cap), &trace), hits_of(S3Fifo::new(cap), &trace));
        println!("seed {seed}: {ours:.2} %; LRU has {lru:.2} %, S3-FIFO {s3_fifo:.2} %");
        assert!(
            ours >= 61.0 && ours > lru + 2.0 && ours > s3_fifo,
            "{ours:.2} %, {lru:.2} %, {s3_fifo:.2} %"
        );
    }
}
