//! Requests, an origin and a clock that stands still unless told.

#![allow(clippy::disallowed_methods, reason = "bodies of tests have an end")]

mod hit_ratio;
mod policies;
mod trace;

use std::future::pending;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt as _;
use proptest::prelude::*;
use tokio::sync::mpsc;
use tokio::time::{Instant, advance, sleep};

use super::*;
use crate::passage::example::Example;
use crate::passage::{Fetched, FetchedBody, Lifetime, Object, Reader, Source};

const MIB: u64 = 1024 * 1024;

/// An origin that counts how often it is asked.
#[derive(Clone, Default)]
struct Origin(Arc<AtomicUsize>);

impl Origin {
    fn fetches(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Answers after `delay`.
    fn after(
        &self,
        delay: Duration,
        answer: impl FnOnce() -> Result<Fetched, Failure> + Send + 'static,
    ) -> FetchPlan {
        let asked = self.clone();
        once(async move {
            asked.0.fetch_add(1, Ordering::Relaxed);
            sleep(delay).await;
            answer()
        })
    }

    fn at_once(&self, answer: impl FnOnce() -> Result<Fetched, Failure> + Send + 'static) -> FetchPlan {
        self.after(Duration::ZERO, answer)
    }
}

/// A plan that is run once.
fn once(fetch: impl Future<Output = Result<Fetched, Failure>> + Send + 'static) -> FetchPlan {
    let fetch = Mutex::new(Some(fetch));
    FetchPlan::new(Source::default(), move |_| {
        Box::pin(fetch.lock().unwrap().take().expect("it is run once"))
    })
}

fn fetched(status: StatusCode, lifetime: Lifetime, body: FetchedBody) -> Result<Fetched, Failure> {
    Ok(Fetched { status, headers: HeaderMap::new(), length: None, body, lifetime: Some(lifetime) })
}

fn whole(text: &'static str, lifetime: Lifetime) -> Result<Fetched, Failure> {
    fetched(StatusCode::OK, lifetime, FetchedBody::Whole(vec![Bytes::from_static(text.as_bytes())]))
}

/// A body that comes through the sender's hands.
fn growing() -> (mpsc::Sender<Result<Bytes, Failure>>, FetchedBody) {
    let (sender, receiver) = mpsc::channel(4);
    let body = futures_util::stream::unfold(receiver, |mut it| async move { Some((it.recv().await?, it)) });
    (sender, FetchedBody::Growing(body.boxed()))
}

const fn seconds(it: u64) -> Lifetime {
    Lifetime::For(Duration::from_secs(it))
}

/// As a viewer takes it, who holds nothing of it here.
async fn read(mut reader: Reader) -> Result<Bytes, Failure> {
    let mut octets = Vec::new();
    while let Some(frame) = reader.frame().await {
        octets.extend_from_slice(frame?.data_ref().expect("an object has octets alone"));
    }
    Ok(octets.into())
}

async fn body(answer: &Answer) -> Result<Bytes, Failure> {
    match &answer.object {
        Ok(object) => read(object.read_all()).await,
        Err(failure) => Err(failure.clone()),
    }
}

fn ask(target: &str) -> Admitted {
    Example::get(target).admitted()
}

const fn missed(forward: Forward, collapsed: bool, stored: bool) -> Verdict {
    Verdict::Miss { forward, status: Some(StatusCode::OK), collapsed, stored }
}

#[tokio::test(start_paused = true)]
async fn section_11_a_thousand_requests_for_one_cold_key_are_one_fetch() {
    let (cache, origin, asked) = (Cache::new(MIB), Origin::default(), ask("/a"));
    let answers = join_all((0..1000).map(|_| {
        cache.get(&asked, origin.after(Duration::from_secs(3), || whole("stone", Lifetime::Immutable)))
    }))
    .await;
    assert_eq!(origin.fetches(), 1);
    for answer in &answers {
        assert_eq!(body(answer).await.unwrap(), "stone");
        assert_eq!(answer.age, Duration::ZERO);
    }
    assert_eq!(answers[0].verdict, missed(Forward::UriMiss, false, true));
    assert_eq!(answers[999].verdict, missed(Forward::UriMiss, true, true));
    assert_eq!((cache.stats().misses.count(), cache.stats().collapsed.count()), (1000, 999));
}

#[tokio::test(start_paused = true)]
async fn section_11_rule_2_a_follower_in_the_middle_of_a_fill_gets_every_octet() {
    let (cache, origin, asked) = (Cache::new(MIB), Origin::default(), ask("/a"));
    let (sender, coming) = growing();
    let plan = origin.at_once(|| fetched(StatusCode::OK, Lifetime::Immutable, coming));
    let first = cache.get(&asked, plan).await;
    sender.send(Ok(Bytes::from("lev"))).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let second = cache.get(&asked, origin.at_once(|| Err(Failure::Busy))).await;
    assert_eq!(second.verdict, missed(Forward::UriMiss, true, true));
    assert_eq!(second.age, Duration::from_secs(1));
    let tail = read(second.object.as_ref().unwrap().read(4..6));
    let readers = tokio::spawn(async move { (body(&first).await, body(&second).await) });
    sender.send(Ok(Bytes::from("ada"))).await.unwrap();
    drop(sender);
    assert_eq!(readers.await.unwrap(), (Ok(Bytes::from("levada")), Ok(Bytes::from("levada"))));
    assert_eq!(tail.await.unwrap(), "da");
    sleep(Duration::from_secs(1)).await;
    let third = cache.get(&asked, origin.at_once(|| Err(Failure::Busy))).await;
    assert!(matches!(third.verdict, Verdict::Hit { .. }));
    assert_eq!(third.object.unwrap().length(), Some(6));
    assert_eq!(origin.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn section_11_rule_1_a_viewer_who_leaves_does_not_end_the_fill() {
    let (cache, origin, asked) = (Cache::new(MIB), Origin::default(), ask("/a"));
    let plan = origin.after(Duration::from_secs(3), || whole("stone", Lifetime::Immutable));
    let left = timeout(Duration::from_secs(1), cache.get(&asked, plan)).await;
    assert!(left.is_err());
    sleep(Duration::from_secs(3)).await;
    let answer = cache.get(&asked, origin.at_once(|| Err(Failure::Busy))).await;
    assert!(matches!(answer.verdict, Verdict::Hit { .. }));
    assert_eq!(origin.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn section_11_rule_5_a_failed_fetch_fails_all_who_wait_and_is_not_repeated_at_once() {
    let (cache, origin, asked) = (Cache::new(MIB), Origin::default(), ask("/a"));
    let failure = || Failure::Unreadable("no such disk".to_owned());
    let plan = || origin.after(Duration::from_secs(1), move || Err(failure()));
    let (first, second) = tokio::join!(cache.get(&asked, plan()), cache.get(&asked, plan()));
    assert_eq!((first.object.unwrap_err(), second.object.unwrap_err()), (failure(), failure()));
    assert_eq!(cache.get(&asked, plan()).await.object.unwrap_err(), failure());
    assert_eq!(origin.fetches(), 1);
    advance(Duration::from_millis(500)).await;
    let answer = cache.get(&asked, origin.at_once(|| whole("stone", Lifetime::Immutable))).await;
    assert_eq!(body(&answer).await.unwrap(), "stone");
}

#[tokio::test(start_paused = true)]
async fn section_11_rule_6_a_body_that_breaks_off_is_seen_to_break_off_and_is_not_kept() {
    for end in [Some(Failure::Unreadable("no such disk".to_owned())), None] {
        let (cache, origin, asked) = (Cache::new(MIB), Origin::default(), ask("/a"));
        let (sender, coming) = growing();
        let plan = origin.at_once(|| {
            fetched(StatusCode::OK, Lifetime::Immutable, coming).map(|it| Fetched { length: Some(6), ..it })
        });
        let answer = cache.get(&asked, plan).await;
        sender.send(Ok(Bytes::from("lev"))).await.unwrap();
        let expected = end.clone().unwrap_or(Failure::Truncated { got: 3, promised: 6 });
        if let Some(failure) = end {
            sender.send(Err(failure)).await.unwrap();
        }
        drop(sender);
        assert_eq!(body(&answer).await, Err(expected));
        let next = cache.get(&asked, origin.at_once(|| whole("stone", Lifetime::Immutable))).await;
        assert_eq!(next.verdict, missed(Forward::UriMiss, false, true));
        assert_eq!(cache.stats().failed_fills.count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_stands_still_is_given_up() {
    let (cache, origin) = (Cache::new(MIB), Origin::default());
    let hangs = || FetchPlan::new(Source::default(), |_| Box::pin(pending()));
    let began = Instant::now();
    let answer = cache.get(&ask("/a"), hangs().with_deadline(Duration::from_secs(5))).await;
    assert_eq!(answer.object.unwrap_err(), Failure::TimedOut(Duration::from_secs(6)));
    assert_eq!(began.elapsed(), Duration::from_secs(6));

    let (_sender, coming) = growing();
    let plan = origin.at_once(|| fetched(StatusCode::OK, Lifetime::Immutable, coming));
    let answer = cache.get(&ask("/b"), plan).await;
    assert_eq!(body(&answer).await, Err(Failure::TimedOut(Duration::from_secs(30))));

    // One that may be silent for longer ends that itself.
    let (_sender, coming) = growing();
    let plan = origin.at_once(|| fetched(StatusCode::OK, Lifetime::Immutable, coming));
    let answer = cache.get(&ask("/c"), plan.with_silence(Duration::from_secs(60))).await;
    assert_eq!(body(&answer).await, Err(Failure::TimedOut(Duration::from_secs(61))));
}

#[tokio::test(start_paused = true)]
async fn section_11_rule_3_followers_wait_as_long_as_the_fetch_may_take() {
    let (cache, origin, asked) = (Cache::new(MIB), Origin::default(), ask("/a"));
    let blocked = || {
        origin
            .after(Duration::from_secs(18), || whole("playlist", seconds(1)))
            .with_deadline(Duration::from_secs(20))
    };
    let (first, second) = tokio::join!(cache.get(&asked, blocked()), cache.get(&asked, blocked()));
    assert_eq!(
        (body(&first).await.unwrap(), body(&second).await.unwrap()),
        ("playlist".into(), "playlist".into())
    );
    assert_eq!(origin.fetches(), 1);

    // Without a deadline a follower goes alone after a while.
    let unlimited = || origin.after(Duration::from_secs(18), || whole("segment", seconds(60)));
    let asked = ask("/b");
    let (_, second) = tokio::join!(cache.get(&asked, unlimited()), cache.get(&asked, unlimited()));
    assert_eq!(body(&second).await.unwrap(), "segment");
    assert_eq!(origin.fetches(), 3);
}

#[tokio::test(start_paused = true)]
async fn section_11_rule_4_answers_that_may_not_be_shared_are_fetched_by_each_and_not_in_turn() {
    let (cache, origin, asked) = (Cache::new(MIB), Origin::default(), ask("/a"));
    let plan = || origin.after(Duration::from_millis(300), || whole("private", Lifetime::Uncacheable));
    let began = Instant::now();
    let answers = join_all((0..20).map(|_| cache.get(&asked, plan()))).await;
    // The first shows that it cannot be shared; all others then go at once.
    assert_eq!(began.elapsed(), Duration::from_millis(600));
    assert_eq!(origin.fetches(), 20);
    assert!(answers.iter().all(|it| it.verdict == missed(Forward::UriMiss, false, false)));

    let began = Instant::now();
    join_all((0..20).map(|_| cache.get(&asked, plan()))).await;
    assert_eq!(began.elapsed(), Duration::from_millis(300));

    // An answer that may be kept ends that at once.
    cache.get(&asked, origin.at_once(|| whole("public", Lifetime::Immutable))).await;
    let answer = cache.get(&asked, plan()).await;
    assert!(matches!(answer.verdict, Verdict::Hit { .. }));
}

#[tokio::test(start_paused = true)]
async fn an_answer_for_this_moment_goes_to_all_who_wait_and_to_nobody_else() {
    let (cache, origin, asked) = (Cache::new(MIB), Origin::default(), ask("/a"));
    let plan = || {
        origin.after(Duration::from_secs(1), || {
            fetched(StatusCode::SERVICE_UNAVAILABLE, seconds(0), FetchedBody::Whole(Vec::new()))
        })
    };
    join_all((0..20).map(|_| cache.get(&asked, plan()))).await;
    assert_eq!(origin.fetches(), 1);
    cache.get(&asked, plan()).await;
    assert_eq!(origin.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_given_until_it_is_stale() {
    let (cache, origin, asked) = (Cache::new(MIB), Origin::default(), ask("/a"));
    let plan = || origin.at_once(|| whole("stone", seconds(3600)));
    cache.get(&asked, plan()).await;
    advance(Duration::from_secs(3599)).await;
    let answer = cache.get(&asked, plan()).await;
    assert_eq!(answer.verdict, Verdict::Hit { ttl: Duration::from_secs(1), detail: None });
    assert_eq!(answer.age, Duration::from_secs(3599));
    advance(Duration::from_secs(1)).await;
    assert_eq!(cache.get(&asked, plan()).await.verdict, missed(Forward::Stale, false, true));
    assert_eq!(origin.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn section_6_head_shares_what_get_brought_and_brings_it_too() {
    let (cache, origin) = (Cache::new(MIB), Origin::default());
    let head = |target| Example::get(target).method(Method::HEAD).admitted();
    let plan = || origin.at_once(|| whole("stone", Lifetime::Immutable));
    cache.get(&ask("/a"), plan()).await;
    assert!(matches!(cache.get(&head("/a"), plan()).await.verdict, Verdict::Hit { .. }));
    cache.get(&head("/b"), plan()).await;
    let answer = cache.get(&ask("/b"), plan()).await;
    assert!(matches!(answer.verdict, Verdict::Hit { .. }));
    assert_eq!(body(&answer).await.unwrap(), "stone");
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_keeps_nothing_else_in_memory() {
    let (cache, origin) = (Cache::new(MIB), Origin::default());
    let large = Bytes::from(b"a stone, and much that nobody asked for".repeat(1_000));
    let slices = |lifetime| {
        let slices = vec![large.slice(2..5), large.slice(5..7)];
        origin.at_once(move || fetched(StatusCode::OK, lifetime, FetchedBody::Whole(slices)))
    };
    let kept = cache.get(&ask("/a"), slices(Lifetime::Immutable)).await;
    assert!(large.is_unique());
    assert_eq!(body(&kept).await.unwrap(), "stone");
    // What goes by is not copied.
    let passed = cache.get(&ask("/b"), slices(Lifetime::Uncacheable)).await;
    assert!(!large.is_unique());
    assert_eq!(body(&passed).await.unwrap(), "stone");
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_of_an_answer_that_comes_in_pieces_keeps_nothing_else_in_memory() {
    let (cache, origin) = (Cache::new(MIB), Origin::default());
    let read = Bytes::from(b"\"a\" a stone, and what came after it on the connection".repeat(1_000));
    let answer = {
        let pieces = [read.slice(6..9), read.slice(9..11)].map(Ok);
        let tag = http::HeaderValue::from_maybe_shared(read.slice(..3)).unwrap();
        let body = FetchedBody::Growing(futures_util::stream::iter(pieces).boxed());
        fetched(StatusCode::OK, Lifetime::Immutable, body)
            .map(|it| Fetched { headers: HeaderMap::from_iter([(http::header::ETAG, tag)]), ..it })
    };
    let kept = cache.get(&ask("/a"), origin.at_once(|| answer)).await;
    assert_eq!(body(&kept).await.unwrap(), "stone");
    while cache.fills_under_way() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(read.is_unique());
    assert_eq!(kept.object.unwrap().head().headers["etag"], "\"a\"");
}

#[tokio::test(start_paused = true)]
async fn a_policy_without_lifetimes_and_other_methods_go_by() {
    let (cache, origin) = (Cache::new(MIB), Origin::default());
    let check = async |asked: &Admitted, forward| {
        let plan = || origin.after(Duration::from_secs(1), || whole("stone", Lifetime::Immutable));
        let (first, second) = tokio::join!(cache.get(asked, plan()), cache.get(asked, plan()));
        assert_eq!(first.verdict, missed(forward, false, false));
        assert_eq!(second.verdict, missed(forward, false, false));
    };
    check(&Example::get("/a").policy(|it| it.max_ttl = Duration::ZERO).admitted(), Forward::Bypass).await;
    check(&Example::get("/a").method(Method::POST).admitted(), Forward::Method).await;
    assert_eq!(origin.fetches(), 4);
}

/// A body of so many chunks of 64 KiB, and how many of them were asked for.
fn large(chunks: u64) -> (Arc<AtomicU64>, FetchedBody) {
    let taken = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&taken);
    let body = futures_util::stream::iter(0..chunks).map(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(Bytes::from(vec![0; 65_536]))
    });
    (taken, FetchedBody::Growing(body.boxed()))
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_passes_in_step_with_its_reader() {
    let (cache, origin) = (Cache::new(64 * MIB), Origin::default());
    for length in [Some(1000 * 65_536), None] {
        let (taken, coming) = large(1000);
        let plan = origin.at_once(move || {
            fetched(StatusCode::OK, Lifetime::Immutable, coming).map(|it| Fetched { length, ..it })
        });
        let answer = cache.get(&ask("/a"), plan).await;
        let mut reader = answer.object.as_ref().unwrap().read_all();
        drop(answer);
        let first = reader.frame().await.unwrap().unwrap().into_data().unwrap();
        sleep(Duration::from_secs(1)).await;
        assert!(taken.load(Ordering::Relaxed) < 300, "{} chunks", taken.load(Ordering::Relaxed));
        assert!(cache.memory_used() < 18 * MIB);
        assert_eq!(read(reader).await.unwrap().len() + first.len(), 1000 * 65_536);
        drop(first);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(cache.memory_used(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_body_that_nobody_reads_any_more_is_not_fetched_on() {
    let (cache, origin) = (Cache::new(64 * MIB), Origin::default());
    let (taken, coming) = large(1000);
    let plan = origin.at_once(move || {
        fetched(StatusCode::OK, Lifetime::Immutable, coming)
            .map(|it| Fetched { length: Some(1000 * 65_536), ..it })
    });
    drop(cache.get(&ask("/a"), plan).await);
    sleep(Duration::from_secs(1)).await;
    assert!(taken.load(Ordering::Relaxed) < 20);
    assert_eq!((cache.fills_under_way(), cache.stats().abandoned_fills.count()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn stored_answers_make_room_for_new_ones() {
    let (cache, origin) = (Cache::new(MIB), Origin::default());
    for number in 0..100 {
        let plan = origin.at_once(|| {
            fetched(StatusCode::OK, Lifetime::Immutable, FetchedBody::Whole(vec![vec![7; 65_536].into()]))
        });
        let answer = cache.get(&ask(&format!("/{number}")), plan).await;
        assert_eq!(body(&answer).await.unwrap().len(), 65_536);
        assert!(cache.memory_used() <= MIB);
    }
    assert_eq!(cache.stats().out_of_memory.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_memory_an_answer_is_refused_and_comes_again_when_there_is_some() {
    let (cache, origin) = (Cache::new(MIB), Origin::default());
    let plan = |size: usize| {
        origin.at_once(move || {
            fetched(StatusCode::OK, Lifetime::Immutable, FetchedBody::Whole(vec![vec![7; size].into()]))
        })
    };
    let first = cache.get(&ask("/a"), plan(900_000)).await;
    let reader = first.object.as_ref().unwrap().read_all();
    drop(first);
    let refused = cache.get(&ask("/b"), plan(500_000)).await;
    assert_eq!(refused.object.unwrap_err(), Failure::OutOfMemory);
    drop(reader);
    assert!(cache.get(&ask("/b"), plan(500_000)).await.object.is_ok());
}

#[tokio::test(start_paused = true)]
async fn slow_viewers_do_not_empty_the_store() {
    let (cache, origin) = (Cache::new(MIB), Origin::default());
    let plan = |size: usize| {
        origin.at_once(move || {
            fetched(StatusCode::OK, Lifetime::Immutable, FetchedBody::Whole(vec![vec![7; size].into()]))
        })
    };
    cache.get(&ask("/small"), plan(10_000)).await;
    let slow = cache.get(&ask("/a"), plan(800_000)).await.object.unwrap().read_all();
    let refused = cache.get(&ask("/b"), plan(500_000)).await;
    assert_eq!(refused.object.unwrap_err(), Failure::OutOfMemory);
    let answer = cache.get(&ask("/small"), plan(10_000)).await;
    assert!(matches!(answer.verdict, Verdict::Hit { .. }));
    drop(slow);
}

#[tokio::test(start_paused = true)]
async fn octets_that_wait_for_a_slow_viewer_count_until_he_has_them() {
    let (cache, origin) = (Cache::new(MIB), Origin::default());
    let plan = |size: usize| {
        origin.at_once(move || {
            fetched(StatusCode::OK, Lifetime::Immutable, FetchedBody::Whole(vec![vec![7; size].into()]))
        })
    };
    let mut reader = cache.get(&ask("/a"), plan(800_000)).await.object.unwrap().read_all();
    // Whoever writes them lets go of the reader once they are his.
    let handed = reader.frame().await.unwrap().unwrap().into_data().unwrap();
    drop(reader);
    assert_eq!(handed.len(), 800_000);
    let refused = cache.get(&ask("/b"), plan(500_000)).await;
    assert_eq!(refused.object.unwrap_err(), Failure::OutOfMemory);
    drop(handed);
    sleep(Duration::from_secs(1)).await;
    assert!(cache.get(&ask("/b"), plan(500_000)).await.object.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_on_many_threads_see_every_octet() {
    let (cache, origin) = (Cache::new(64 * MIB), Origin::default());
    let (sender, coming) = growing();
    let plan = origin.at_once(|| fetched(StatusCode::OK, Lifetime::Immutable, coming));
    let first = cache.get(&ask("/a"), plan).await.object.unwrap();
    let readers: Vec<_> = (0..200).map(|_| tokio::spawn(read(first.read_all()))).collect();
    let mut all = Vec::new();
    for number in 0..500u32 {
        let chunk = Bytes::from(vec![number as u8; 1 + number as usize % 97]);
        all.extend_from_slice(&chunk);
        sender.send(Ok(chunk)).await.unwrap();
    }
    drop(sender);
    for reader in readers {
        assert_eq!(reader.await.unwrap().unwrap(), all);
    }
}

#[tokio::test(start_paused = true)]
async fn closing_ends_what_is_under_way() {
    let (cache, origin, asked) = (Cache::new(MIB), Origin::default(), ask("/a"));
    let (_sender, coming) = growing();
    let plan = origin.at_once(|| fetched(StatusCode::OK, Lifetime::Immutable, coming));
    let answer = cache.get(&asked, plan).await;
    let waiting = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get(&ask("/b"), FetchPlan::new(Source::default(), |_| Box::pin(pending()))).await }
    });
    tokio::task::yield_now().await;
    cache.close().await;
    assert_eq!(body(&answer).await, Err(Failure::GivenUp));
    assert_eq!(waiting.await.unwrap().object.unwrap_err(), Failure::GivenUp);
    let late = cache.get(&ask("/c"), origin.at_once(|| whole("stone", Lifetime::Immutable))).await;
    assert_eq!(late.object.unwrap_err(), Failure::GivenUp);
}

/// One step of a day in the life of the cache.
#[derive(Clone, Debug)]
enum Step {
    /// A request for one of a few keys, whose answer has so many chunks of so many KiB, told its length or not.
    Ask { key: u8, chunks: u8, kib: u8, told: bool, lifetime: Option<u8> },
    /// Reads one chunk of an answer that is held.
    Read(u8),
    /// Drops an answer that is held.
    Leave(u8),
    /// Lets time pass.
    Wait(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..12u8, 0..20u8, 1..60u8, any::<bool>(), prop::option::of(0..60u8))
            .prop_map(|(key, chunks, kib, told, lifetime)| Step::Ask { key, chunks, kib, told, lifetime }),
        4 => any::<u8>().prop_map(Step::Read),
        2 => any::<u8>().prop_map(Step::Leave),
        1 => (0..30u8).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is asked, read and left: the memory is never exceeded, all of it comes back, and who reads to the end
    /// without a failure has read it all.
    #[test]
    fn the_memory_is_never_exceeded(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let cache = Cache::new(2 * MIB);
            let mut held: Vec<Reader> = Vec::new();
            for step in steps {
                match step {
                    Step::Ask { key, chunks, kib, told, lifetime } => {
                        let size = usize::from(kib) * 1024;
                        let plan = once(async move {
                            let lifetime = lifetime.map_or(Lifetime::Uncacheable, |it| seconds(it.into()));
                            let body = futures_util::stream::iter(0..chunks).then(move |_| async move {
                                sleep(Duration::from_millis(100)).await;
                                Ok(Bytes::from(vec![0; size]))
                            });
                            let length = told.then_some(u64::from(chunks) * size as u64);
                            fetched(StatusCode::OK, lifetime, FetchedBody::Growing(body.boxed()))
                                .map(|it| Fetched { length, ..it })
                        });
                        if let Ok(object) = cache.get(&ask(&format!("/{key}")), plan).await.object {
                            held.push(Object::read_all(&object));
                        }
                    }
                    Step::Read(which) if !held.is_empty() => {
                        let index = usize::from(which) % held.len();
                        let _ = timeout(Duration::from_secs(1), held[index].frame()).await;
                    }
                    Step::Leave(which) if !held.is_empty() => {
                        let index = usize::from(which) % held.len();
                        held.swap_remove(index);
                    }
                    Step::Wait(tenths) => sleep(Duration::from_millis(u64::from(tenths) * 100)).await,
                    Step::Read(_) | Step::Leave(_) => {}
                }
                prop_assert!(cache.memory_used() <= cache.memory_limit());
            }
            drop(held);
            cache.close().await;
            let inside = Arc::try_unwrap(cache.inside).expect("nobody else has it");
            inside.store.clear();
            prop_assert_eq!(inside.store.budget().used(), 0);
            Ok(())
        })?;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_invalidated_is_fetched_anew_and_all_else_is_kept() {
    let (cache, origin) = (Cache::new(16 * MIB), Origin::default());
    let get = async |path: &str, text: &'static str| {
        let answer = cache.get(&ask(path), origin.at_once(move || whole(text, seconds(60)))).await;
        body(&answer).await.unwrap()
    };
    for path in ["/a", "/b/1", "/b/2", "/c"] {
        get(path, "old").await;
    }
    let target = |it: &str| Target::parse(it).unwrap();
    cache
        .invalidate(&ask("/a").routed().distribution().id, &[target("/a"), target("/b/*")], Manner::Hard)
        .unwrap();
    cache.invalidate("another", &[target("/*")], Manner::Hard).unwrap();
    assert_eq!(get("/a", "new").await, "new");
    assert_eq!(get("/b/1", "new").await, "new");
    assert_eq!(get("/b/2", "new").await, "new");
    assert_eq!(get("/c", "new").await, "old");
    assert_eq!(get("/a", "newer").await, "new");
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_began_before_an_invalidation_brings_nothing_that_is_given_after_it() {
    let (cache, origin) = (Cache::new(16 * MIB), Origin::default());
    let second = Duration::from_secs(1);
    let slow = tokio::spawn({
        let (cache, plan) = (cache.clone(), origin.after(second, || whole("old", seconds(60))));
        async move { body(&cache.get(&ask("/a"), plan).await).await.unwrap() }
    });
    sleep(second / 2).await;
    cache
        .invalidate(&ask("/a").routed().distribution().id, &[Target::parse("/a").unwrap()], Manner::Hard)
        .unwrap();
    let joined = cache.get(&ask("/a"), origin.after(second, || whole("new", seconds(60)))).await;
    assert_eq!(body(&joined).await.unwrap(), "new", "it does not follow the old fetch");
    assert_eq!(slow.await.unwrap(), "old", "who asked before has his answer");
    let again = cache.get(&ask("/a"), origin.at_once(|| whole("newest", seconds(60)))).await;
    assert_eq!(body(&again).await.unwrap(), "new");
}

#[tokio::test(start_paused = true)]
async fn a_tag_invalidates_all_answers_that_have_it() {
    let (cache, origin) = (Cache::new(16 * MIB), Origin::default());
    let tagged = |tags: &'static str, text: &'static str| {
        move || {
            let mut fetched = whole(text, seconds(60))?;
            fetched.headers.insert("cache-tag", http::HeaderValue::from_static(tags));
            Ok(fetched)
        }
    };
    let get = async |path: &str, tags: &'static str, text: &'static str| {
        body(&cache.get(&ask(path), origin.at_once(tagged(tags, text))).await).await.unwrap()
    };
    get("/a", "film:7, series", "old").await;
    get("/b", "film:8", "old").await;
    cache
        .invalidate(&ask("/a").routed().distribution().id, &[Target::parse("#Film:7").unwrap()], Manner::Hard)
        .unwrap();
    assert_eq!(get("/a", "film:7", "new").await, "new");
    assert_eq!(get("/b", "film:8", "new").await, "old");
}

#[tokio::test(start_paused = true)]
async fn who_follows_a_fetch_from_before_an_invalidation_by_tag_has_nothing_of_it() {
    let (cache, origin) = (Cache::new(16 * MIB), Origin::default());
    let second = Duration::from_secs(1);
    let tagged = |text: &'static str| {
        move || {
            let mut fetched = whole(text, seconds(60))?;
            fetched.headers.insert("cache-tag", http::HeaderValue::from_static("film:7"));
            Ok(fetched)
        }
    };
    let get = |text: &'static str| {
        let (cache, plan) = (cache.clone(), origin.after(second, tagged(text)));
        tokio::spawn(async move { body(&cache.get(&ask("/a"), plan).await).await.unwrap() })
    };
    let first = get("old");
    sleep(second / 2).await;
    let id = Arc::clone(&ask("/a").routed().distribution().id);
    cache.invalidate(&id, &[Target::parse("#film:7").unwrap()], Manner::Hard).unwrap();
    let later = [get("new"), get("new")];
    assert_eq!(first.await.unwrap(), "old", "who asked before has his answer");
    for it in later {
        assert_eq!(it.await.unwrap(), "new");
    }
    assert_eq!(get("newest").await.unwrap(), "new", "one fetch brought it to both");
}

/// An answer of a web server with these fields.
fn web(status: u16, lines: &[(&'static str, &'static str)], text: &'static str) -> Result<Fetched, Failure> {
    let headers =
        lines.iter().map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    let body = FetchedBody::Whole(vec![Bytes::from_static(text.as_bytes())]);
    let status = StatusCode::from_u16(status).unwrap();
    Ok(Fetched { status, headers, length: None, body, lifetime: None })
}

/// A web server that answers so, and what it was asked with.
type Asks = Arc<Mutex<Vec<crate::passage::Ask>>>;

fn server(asks: &Asks, answer: impl Fn() -> Result<Fetched, Failure> + Send + Sync + 'static) -> FetchPlan {
    let (asks, answer) = (Arc::clone(asks), Arc::new(answer));
    FetchPlan::new(Source::default(), move |ask| {
        asks.lock().unwrap().push(ask);
        let answer = Arc::clone(&answer);
        Box::pin(async move {
            sleep(Duration::from_millis(100)).await;
            answer()
        })
    })
}

const FRESH: &[(&str, &str)] = &[("etag", "\"a\""), ("cache-control", "max-age=10"), ("x-time", "first")];

#[tokio::test(start_paused = true)]
async fn section_4_a_304_renews_what_is_stored_for_all_who_wait() {
    let (cache, asks, asked) = (Cache::new(MIB), Asks::default(), ask("/a"));
    cache.get(&asked, server(&asks, || web(200, FRESH, "stone"))).await;
    advance(Duration::from_secs(11)).await;
    let renewed = || server(&asks, || web(304, &[("etag", "\"a\""), ("x-time", "second")], ""));
    let answers = join_all((0..20).map(|_| cache.get(&asked, renewed()))).await;
    assert_eq!(asks.lock().unwrap().len(), 2);
    assert_eq!(asks.lock().unwrap()[1].known.as_ref().unwrap().etag.as_ref().unwrap(), "\"a\"");
    let status = Some(StatusCode::NOT_MODIFIED);
    let verdict = |collapsed| Verdict::Miss { forward: Forward::Stale, status, collapsed, stored: true };
    assert_eq!((answers[0].verdict, answers[1].verdict), (verdict(false), verdict(true)));
    for answer in &answers {
        let head = answer.object.as_ref().unwrap().head();
        assert_eq!((head.status, &head.headers["x-time"]), (StatusCode::OK, &"second".parse().unwrap()));
        assert_eq!(body(answer).await.unwrap(), "stone");
        assert_eq!(answer.age, Duration::ZERO);
    }
    drop(answers);
    let used = cache.memory_used();
    for _ in 0..5 {
        advance(Duration::from_secs(9)).await;
        let hit = cache.get(&asked, renewed()).await;
        assert!(matches!(hit.verdict, Verdict::Hit { .. }), "{:?}", hit.verdict);
        advance(Duration::from_secs(2)).await;
        cache.get(&asked, renewed()).await;
    }
    assert_eq!(asks.lock().unwrap().len(), 7);
    assert_eq!(cache.memory_used(), used, "a renewal takes no more memory than the one before");
}

#[tokio::test(start_paused = true)]
async fn section_4_what_is_new_or_gone_replaces_what_is_stored() {
    for (status, text) in [(200, "newer"), (404, "gone"), (410, "gone")] {
        let (cache, asks, asked) = (Cache::new(MIB), Asks::default(), ask("/a"));
        cache.get(&asked, server(&asks, || web(200, FRESH, "stone"))).await;
        advance(Duration::from_secs(11)).await;
        let other = || server(&asks, move || web(status, &[("cache-control", "max-age=10")], text));
        assert_eq!(body(&cache.get(&asked, other()).await).await.unwrap(), text);
        let hit = cache.get(&asked, other()).await;
        assert!(matches!(hit.verdict, Verdict::Hit { .. }));
        assert_eq!(body(&hit).await.unwrap(), text);
    }
}

#[tokio::test(start_paused = true)]
async fn section_4_a_304_about_something_else_is_not_believed() {
    let (cache, asks, asked) = (Cache::new(MIB), Asks::default(), ask("/a"));
    cache.get(&asked, server(&asks, || web(200, FRESH, "stone"))).await;
    advance(Duration::from_secs(11)).await;
    let count = AtomicUsize::new(0);
    let odd = server(&asks, move || match count.fetch_add(1, Ordering::Relaxed) {
        0 => web(304, &[("etag", "\"b\"")], ""),
        _ => web(200, FRESH, "newer"),
    });
    assert_eq!(body(&cache.get(&asked, odd).await).await.unwrap(), "newer");
    assert_eq!(asks.lock().unwrap()[2].known, None);
}

#[tokio::test(start_paused = true)]
async fn section_12_a_failing_origin_is_stood_in_for_and_spared_longer_and_longer() {
    for failing in [|| Err(Failure::Unreachable("refused".into())), || web(503, &[], "sorry")] {
        let (cache, asks, asked) = (Cache::new(MIB), Asks::default(), ask("/a"));
        cache.get(&asked, server(&asks, || web(200, FRESH, "stone"))).await;
        advance(Duration::from_secs(11)).await;
        let answers = join_all((0..20).map(|_| cache.get(&asked, server(&asks, failing)))).await;
        for answer in &answers {
            let stale = Verdict::Stale { since: Duration::from_millis(1_100), excuse: Excuse::OriginFails };
            let Verdict::Stale { since, excuse } = answer.verdict else { panic!("{:?}", answer.verdict) };
            assert!(since >= Duration::from_secs(1), "{stale:?}");
            assert_eq!(excuse, Excuse::OriginFails);
            assert_eq!(body(answer).await.unwrap(), "stone");
            assert!(answer.age > Duration::from_secs(10));
        }
        for (rest, fetches) in [1, 2, 4, 8, 16, 30, 30].into_iter().zip(3..) {
            advance(Duration::from_millis(rest * 1000 - 500)).await;
            cache.get(&asked, server(&asks, failing)).await;
            assert_eq!(asks.lock().unwrap().len(), fetches - 1, "the origin is spared for {rest} s");
            advance(Duration::from_millis(600)).await;
            cache.get(&asked, server(&asks, failing)).await;
            assert_eq!(asks.lock().unwrap().len(), fetches, "it is asked again after {rest} s");
        }
        advance(Duration::from_secs(31)).await;
        let newer = cache.get(&asked, server(&asks, || web(200, FRESH, "newer"))).await;
        assert_eq!(body(&newer).await.unwrap(), "newer");
    }
}

#[tokio::test(start_paused = true)]
async fn section_12_nothing_stale_stands_in_where_the_origin_forbids_it() {
    for line in [
        "max-age=10, must-revalidate",
        "max-age=10, proxy-revalidate",
        "s-maxage=10",
        "max-age=10, stale-if-error=0",
        "max-age=10, stale-if-error=1",
    ] {
        let (cache, asks, asked) = (Cache::new(MIB), Asks::default(), ask("/a"));
        let fields: &'static [(&str, &str)] = vec![("etag", "\"a\""), ("cache-control", line)].leak();
        cache.get(&asked, server(&asks, || web(200, fields, "stone"))).await;
        advance(Duration::from_secs(12)).await;
        let answer = cache.get(&asked, server(&asks, || web(503, &[], "sorry"))).await;
        assert_eq!(body(&answer).await.unwrap(), "sorry", "{line}");
    }
    // A 4xx is an answer, and past the policy's most nothing is left.
    let (cache, asks) = (Cache::new(MIB), Asks::default());
    let asked = Example::get("/a").policy(|it| it.max_ttl = Duration::from_secs(20)).admitted();
    cache.get(&asked, server(&asks, || web(200, FRESH, "stone"))).await;
    advance(Duration::from_secs(11)).await;
    let answer = cache.get(&asked, server(&asks, || web(403, &[], "no"))).await;
    assert_eq!(body(&answer).await.unwrap(), "no");
    advance(Duration::from_secs(10)).await;
    let answer = cache.get(&asked, server(&asks, || web(503, &[], "sorry"))).await;
    assert_eq!(body(&answer).await.unwrap(), "sorry");
}

#[tokio::test(start_paused = true)]
async fn section_13_what_is_invalidated_softly_is_validated_and_stands_in_for_a_failing_origin() {
    let (cache, asks) = (Cache::new(16 * MIB), Asks::default());
    let lines = [("cache-control", "max-age=600"), ("etag", "\"a\"")];
    let get = async |status: u16, text: &'static str| {
        let answer = cache.get(&ask("/a"), server(&asks, move || web(status, &lines, text))).await;
        (body(&answer).await.unwrap(), answer.verdict)
    };
    let soften = || {
        let target = Target::parse("/*").unwrap();
        cache.invalidate(&ask("/a").routed().distribution().id, &[target], Manner::Soft).unwrap();
    };
    get(200, "stone").await;
    soften();
    let (text, verdict) = get(304, "").await;
    assert_eq!(text, "stone");
    assert!(matches!(verdict, Verdict::Miss { forward: Forward::Stale, status: Some(it), .. } if it == 304));
    assert!(matches!(get(500, "").await.1, Verdict::Hit { .. }));
    soften();
    let (text, verdict) = get(503, "sorry").await;
    assert_eq!(text, "stone");
    assert!(matches!(verdict, Verdict::Stale { excuse: Excuse::OriginFails, .. }));
}

#[tokio::test(start_paused = true)]
async fn section_12_what_is_stale_is_given_while_one_fetch_brings_a_newer() {
    let (cache, asks, asked) = (Cache::new(MIB), Asks::default(), ask("/a"));
    let fields = &[("cache-control", "max-age=10, stale-while-revalidate=30")];
    cache.get(&asked, server(&asks, || web(200, fields, "stone"))).await;
    advance(Duration::from_secs(15)).await;
    for _ in 0..20 {
        let answer = cache.get(&asked, server(&asks, || web(200, fields, "newer"))).await;
        assert!(matches!(answer.verdict, Verdict::Stale { excuse: Excuse::Revalidating, .. }));
        assert_eq!(body(&answer).await.unwrap(), "stone");
    }
    assert!(asks.lock().unwrap().len() <= 2);
    sleep(Duration::from_secs(1)).await;
    let hit = cache.get(&asked, server(&asks, || web(200, fields, "newest"))).await;
    assert!(matches!(hit.verdict, Verdict::Hit { .. }));
    assert_eq!(body(&hit).await.unwrap(), "newer");
    assert_eq!(asks.lock().unwrap().len(), 2);
    advance(Duration::from_secs(45)).await;
    let late = cache.get(&asked, server(&asks, || web(200, fields, "newest"))).await;
    assert_eq!(body(&late).await.unwrap(), "newest");
}

#[tokio::test(start_paused = true)]
async fn section_3_what_needs_the_origins_word_is_not_given_while_the_origin_is_gone() {
    for line in ["max-age=10, must-revalidate", "max-age=10, proxy-revalidate", "s-maxage=10", "no-cache"] {
        let (cache, asks, asked) = (Cache::new(MIB), Asks::default(), ask("/a"));
        let fields: &'static [(&str, &str)] = vec![("etag", "\"a\""), ("cache-control", line)].leak();
        cache.get(&asked, server(&asks, || web(200, fields, "stone"))).await;
        advance(Duration::from_secs(12)).await;
        let gone = || Err(Failure::Unreachable("refused".into()));
        let answer = cache.get(&asked, server(&asks, gone)).await;
        assert_eq!(answer.object.unwrap_err(), Failure::Unvalidated, "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn section_11_rule_4_what_must_be_validated_is_validated_by_each_and_not_in_turn() {
    let (cache, asks, asked) = (Cache::new(MIB), Asks::default(), ask("/a"));
    let fields = &[("cache-control", "no-cache"), ("etag", "\"a\"")];
    cache.get(&asked, server(&asks, || web(200, fields, "stone"))).await;
    let began = Instant::now();
    let renewed = || server(&asks, || web(304, &[("etag", "\"a\"")], ""));
    let answers = join_all((0..20).map(|_| cache.get(&asked, renewed()))).await;
    assert_eq!(began.elapsed(), Duration::from_millis(100));
    for answer in &answers {
        assert_eq!(body(answer).await.unwrap(), "stone");
        let Verdict::Miss { status, collapsed, .. } = answer.verdict else { panic!("{:?}", answer.verdict) };
        assert_eq!((status, collapsed), (Some(StatusCode::NOT_MODIFIED), false));
    }
    let known = asks.lock().unwrap().iter().filter(|it| it.known.is_some()).count();
    assert_eq!((asks.lock().unwrap().len(), known), (21, 20));
}

#[tokio::test(start_paused = true)]
async fn section_11_rule_7_a_slow_reader_does_not_slow_the_fill() {
    let (cache, origin, asked) = (Cache::new(MIB), Origin::default(), ask("/a"));
    let chunks = futures_util::stream::iter((0..8).map(|_| Ok(Bytes::from(vec![7; 32 * 1024]))));
    let plan =
        origin.at_once(|| fetched(StatusCode::OK, Lifetime::Immutable, FetchedBody::Growing(chunks.boxed())));
    // Who began it reads nothing at all.
    let first = cache.get(&asked, plan).await;
    sleep(Duration::from_secs(1)).await;
    let second = cache.get(&asked, origin.at_once(|| Err(Failure::Busy))).await;
    assert!(matches!(second.verdict, Verdict::Hit { .. }), "{:?}", second.verdict);
    assert_eq!(body(&second).await.unwrap().len(), 256 * 1024);
    assert_eq!(body(&first).await.unwrap().len(), 256 * 1024);
}

#[tokio::test(start_paused = true)]
async fn viewers_who_send_bodies_without_end_leave_all_fetches_to_those_who_read() {
    let (cache, origin) = (Cache::new(MIB), Origin::default());
    let post = Example::get("/a").method(Method::POST).admitted();
    let upload = || once(pending()).uploading(true);
    let uploads =
        join_all((0..=MOST_UPLOADS).map(|_| timeout(Duration::from_secs(1), cache.get(&post, upload()))));
    let busy = |it: &Result<Answer, _>| {
        it.as_ref().is_ok_and(|it| it.object.as_ref().is_err_and(|it| *it == Failure::Busy))
    };
    assert_eq!(uploads.await.iter().filter(|it| busy(it)).count(), 1);
    assert_eq!((cache.stats().busy_uploads.count(), cache.stats().busy.count()), (1, 0));
    assert_eq!(cache.inside.fills.available_permits(), MOST_FILLS, "they take no place of a fill");
    let answer = cache.get(&ask("/b"), origin.at_once(|| whole("stone", Lifetime::Immutable))).await;
    assert_eq!(body(&answer).await.unwrap(), "stone");
    assert!(
        timeout(Duration::from_secs(1), cache.get(&post, once(pending()))).await.is_err(),
        "no body, no bound"
    );
}

#[tokio::test(start_paused = true)]
async fn who_reads_slowly_what_is_not_kept_takes_no_place_of_a_fetch() {
    let (cache, origin, asked) = (Cache::new(MIB), Origin::default(), ask("/a"));
    let places = || cache.inside.fills.available_permits();
    let (sender, coming) = growing();
    let kept = cache.get(&asked, origin.at_once(|| fetched(StatusCode::OK, seconds(60), coming))).await;
    assert_eq!(places(), MOST_FILLS - 1, "what is kept is fetched whoever reads");
    sender.send(Ok(Bytes::from_static(b"stone"))).await.unwrap();
    drop(sender);
    body(&kept).await.unwrap();
    let mut bodies = Vec::new();
    for path in ["/b", "/c", "/d"] {
        let (sender, coming) = growing();
        let passing = web(200, &[("cache-control", "no-store")], "").map(|it| Fetched { body: coming, ..it });
        bodies.push((sender, cache.get(&ask(path), origin.at_once(|| passing)).await));
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!((cache.fills_under_way(), places()), (3, MOST_FILLS));
}

#[tokio::test(start_paused = true)]
async fn section_11_rule_8_followers_of_what_varies_on_more_than_the_key_leave_for_fetches_of_their_own() {
    let (cache, asks, asked) = (Cache::new(MIB), Asks::default(), ask("/a"));
    let fields = &[("cache-control", "max-age=60"), ("vary", "*")];
    let answers =
        join_all((0..5).map(|_| cache.get(&asked, server(&asks, || web(200, fields, "mine"))))).await;
    assert_eq!(asks.lock().unwrap().len(), 5);
    assert!(answers.iter().all(|it| it.verdict == missed(Forward::UriMiss, false, false)));
}

#[tokio::test(start_paused = true)]
async fn section_11_rule_9_an_answer_to_who_says_who_he_is_is_for_him_alone() {
    let (cache, asks, asked) = (Cache::new(MIB), Asks::default(), ask("/a"));
    let fields = &[("cache-control", "max-age=60")];
    let plan = || server(&asks, || web(200, fields, "mine")).telling(vec![http::header::AUTHORIZATION]);
    let answers = join_all((0..5).map(|_| cache.get(&asked, plan()))).await;
    assert_eq!(asks.lock().unwrap().len(), 5);
    assert!(answers.iter().all(|it| it.verdict == missed(Forward::UriMiss, false, false)));
}

#[tokio::test(start_paused = true)]
async fn section_11_rule_10_what_is_stale_is_validated_once_for_all_who_wait() {
    let (cache, asks, asked) = (Cache::new(MIB), Asks::default(), ask("/a"));
    cache.get(&asked, server(&asks, || web(200, FRESH, "stone"))).await;
    advance(Duration::from_secs(11)).await;
    let renewed = || server(&asks, || web(304, &[("etag", "\"a\"")], ""));
    join_all((0..20).map(|_| cache.get(&asked, renewed()))).await;
    assert_eq!(asks.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn section_12_a_validation_in_the_background_that_fails_is_not_tried_again_at_once() {
    let (cache, asks, asked) = (Cache::new(MIB), Asks::default(), ask("/a"));
    let fields = &[("cache-control", "max-age=10, stale-while-revalidate=600"), ("etag", "\"a\"")];
    cache.get(&asked, server(&asks, || web(200, fields, "stone"))).await;
    advance(Duration::from_secs(11)).await;
    let mut excuses = Vec::new();
    for _ in 0..60 {
        let answer = cache.get(&asked, server(&asks, || web(503, &[], "sorry"))).await;
        assert_eq!(body(&answer).await.unwrap(), "stone");
        let Verdict::Stale { excuse, .. } = answer.verdict else { panic!("{:?}", answer.verdict) };
        excuses.push(excuse);
        sleep(Duration::from_secs(1)).await;
    }
    assert!(excuses.contains(&Excuse::Revalidating) && excuses.contains(&Excuse::OriginFails));
    // The rests are 1, 2, 4, 8, 16 and 30 s.
    assert_eq!(asks.lock().unwrap().len(), 7);
}

#[tokio::test(start_paused = true)]
async fn section_12_what_may_be_given_meanwhile_is_not_lost_to_an_error() {
    let (cache, asks, asked) = (Cache::new(MIB), Asks::default(), ask("/a"));
    let fields =
        &[("cache-control", "max-age=10, stale-while-revalidate=600, stale-if-error=0"), ("etag", "\"a\"")];
    cache.get(&asked, server(&asks, || web(200, fields, "stone"))).await;
    advance(Duration::from_secs(11)).await;
    for _ in 0..60 {
        let answer = cache.get(&asked, server(&asks, || web(503, &[], "sorry"))).await;
        assert_eq!(body(&answer).await.unwrap(), "stone");
        assert!(matches!(answer.verdict, Verdict::Stale { excuse: Excuse::Revalidating, .. }));
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(asks.lock().unwrap().len(), 7, "the origin is spared longer and longer");
    advance(Duration::from_secs(540)).await;
    let answer = cache.get(&asked, server(&asks, || web(503, &[], "sorry"))).await;
    assert_eq!(body(&answer).await.unwrap(), "sorry");
}

#[tokio::test(start_paused = true)]
async fn section_12_what_our_own_origins_make_is_never_given_stale() {
    let (cache, origin, asked) = (Cache::new(MIB), Origin::default(), ask("/a.m3u8"));
    let manifest = || {
        let mut fetched = whole("old", seconds(1))?;
        let swr = http::HeaderValue::from_static("max-age=1, stale-while-revalidate=60, stale-if-error=60");
        fetched.headers.insert("cache-control", swr);
        Ok(fetched)
    };
    cache.get(&asked, origin.at_once(manifest)).await;
    advance(Duration::from_secs(2)).await;
    let answer = cache.get(&asked, origin.at_once(|| Err(Failure::Busy))).await;
    assert_eq!(answer.object.unwrap_err(), Failure::Busy);
}

#[tokio::test(start_paused = true)]
async fn rfc_9111_4_4_viewers_who_change_much_make_nothing_else_useless() {
    let (cache, origin) = (Cache::new(MIB), Origin::default());
    let post = async |path: &str| {
        let asked = Example::get(path).method(Method::POST).admitted();
        cache.get(&asked, origin.at_once(|| whole("done", Lifetime::Uncacheable))).await
    };
    for path in ["/changed", "/kept"] {
        cache.get(&ask(path), origin.at_once(|| whole("old", Lifetime::Immutable))).await;
    }
    // As many octets as a trie of paths has nodes.
    for number in 0..80 {
        post(&format!("/{number}/{}", "a".repeat(3_000))).await;
    }
    post("/changed").await;
    let kept = cache.get(&ask("/kept"), origin.at_once(|| Err(Failure::Busy))).await;
    assert!(matches!(kept.verdict, Verdict::Hit { .. }), "{:?}", kept.verdict);
    let anew = cache.get(&ask("/changed"), origin.at_once(|| whole("new", Lifetime::Immutable))).await;
    assert_eq!(body(&anew).await.unwrap(), "new");
    assert_eq!(cache.stats().invalidations.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn rfc_9111_4_4_what_was_under_way_when_a_viewer_changed_it_is_neither_joined_nor_kept() {
    let (cache, origin) = (Cache::new(MIB), Origin::default());
    let asked = ask("/a");
    let slow = cache.get(&asked, origin.after(Duration::from_secs(2), || whole("old", Lifetime::Immutable)));
    let others = async {
        sleep(Duration::from_secs(1)).await;
        let post = Example::get("/a").method(Method::POST).admitted();
        cache.get(&post, origin.at_once(|| whole("done", Lifetime::Uncacheable))).await;
        let during = cache.get(&asked, origin.at_once(|| whole("new", Lifetime::Immutable))).await;
        assert_eq!(body(&during).await.unwrap(), "new");
        sleep(Duration::from_secs(2)).await;
        let after = cache.get(&asked, origin.at_once(|| Err(Failure::Busy))).await;
        assert_eq!(body(&after).await.unwrap(), "new");
    };
    let (first, ()) = tokio::join!(slow, others);
    assert_eq!(body(&first).await.unwrap(), "old", "he asked before");
}
