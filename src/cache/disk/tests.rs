//! A cache on a directory that outlives it.

#![allow(clippy::disallowed_methods, reason = "bodies of tests have an end")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use bytes::Bytes;
use config::units::ByteSize;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt as _;
use proptest::prelude::*;

use super::*;
use crate::cache::{Cache, Manner, Target};
use crate::passage::example::Example;
use crate::passage::{Ask, Failure, FetchPlan, Fetched, FetchedBody, Lifetime, Source, Verdict};

const MIB: u64 = 1024 * 1024;

fn settings(directory: &Path, size: u64) -> config::cache::Cache {
    let disk = config::cache::Disk { directory: directory.to_owned(), size: ByteSize(size) };
    config::cache::Cache { memory: ByteSize(64 * MIB), disk: Some(disk), titles: ByteSize(64 * MIB) }
}

/// A cache that knows what is on its disk.
async fn open(directory: &Path) -> Cache {
    open_with(directory, 64 * MIB).await
}

async fn open_with(directory: &Path, size: u64) -> Cache {
    let cache = Cache::open(&settings(directory, size));
    settled(&cache).await;
    cache
}

async fn settled(cache: &Cache) {
    let disk = cache.inside.disk.as_ref().unwrap();
    while disk.inside.lock.get().is_none() {
        sleep(Duration::from_millis(2)).await;
    }
}

/// An origin whose answers last, and that counts how often it is asked.
#[derive(Clone, Default)]
struct Origin(Arc<AtomicUsize>);

impl Origin {
    fn fetches(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn plan(&self, octets: usize, lifetime: Lifetime) -> FetchPlan {
        let origin = self.clone();
        FetchPlan::new(Source::default(), move |_: Ask| {
            origin.0.fetch_add(1, Ordering::Relaxed);
            let mut headers = HeaderMap::new();
            headers.insert("cache-tag", "film".parse().unwrap());
            let body = FetchedBody::Whole(vec![content(octets)]);
            Box::pin(async move {
                Ok(Fetched { status: StatusCode::OK, headers, length: None, body, lifetime: Some(lifetime) })
            })
        })
        .lasting()
    }
}

fn content(octets: usize) -> Bytes {
    (0..octets).map(|it| (it * 7 % 251) as u8).collect()
}

/// Asks, and checks that the answer has the right octets; gives whether it was a hit.
async fn hits(cache: &Cache, path: &str, octets: usize, origin: &Origin) -> bool {
    hits_with(cache, path, octets, origin.plan(octets, Lifetime::Immutable)).await
}

async fn hits_with(cache: &Cache, path: &str, octets: usize, plan: FetchPlan) -> bool {
    let answer = cache.get(&Example::get(path).admitted(), plan).await;
    let body = answer.object.unwrap().read_all().collect().await.unwrap().to_bytes();
    assert!(body == content(octets), "{path} has other octets");
    matches!(answer.verdict, Verdict::Hit { .. })
}

/// The files of answers.
fn files(directory: &Path) -> Vec<PathBuf> {
    let shelves = fs::read_dir(directory).unwrap().flatten().filter(|it| it.path().is_dir());
    shelves.flat_map(|it| fs::read_dir(it.path()).unwrap().flatten()).map(|it| it.path()).collect()
}

fn bytes(directory: &Path) -> u64 {
    files(directory).iter().filter_map(|it| fs::metadata(it).ok()).map(|it| it.blocks() * 512).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_is_there_after_a_restart_from_the_first_request_on() {
    let (directory, origin) = (tempfile::tempdir().unwrap(), Origin::default());
    let sizes = [0, 1, 65_536, 200_000, 5_000_000];
    let cache = open(directory.path()).await;
    for (number, size) in sizes.into_iter().enumerate() {
        assert!(!hits(&cache, &format!("/{number}"), size, &origin).await);
    }
    cache.close().await;
    drop(cache);
    // Not waiting until it knows what is there.
    let cache = Cache::open(&settings(directory.path(), 64 * MIB));
    for (number, size) in sizes.into_iter().enumerate() {
        assert!(hits(&cache, &format!("/{number}"), size, &origin).await, "{size} octets");
    }
    assert_eq!(origin.fetches(), sizes.len());
    settled(&cache).await;
    assert_eq!(cache.disk().unwrap().1, bytes(directory.path()));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_outlives_the_server_is_written() {
    let (directory, origin) = (tempfile::tempdir().unwrap(), Origin::default());
    let cache = open(directory.path()).await;
    let plan = FetchPlan::new(Source::default(), |_| {
        let body = FetchedBody::Whole(vec![content(9)]);
        Box::pin(async move {
            let (status, headers) = (StatusCode::OK, HeaderMap::new());
            Ok(Fetched { status, headers, length: None, body, lifetime: Some(Lifetime::Immutable) })
        })
    });
    hits_with(&cache, "/live", 9, plan).await;
    hits_with(&cache, "/short", 9, origin.plan(9, Lifetime::For(Duration::from_secs(2)))).await;
    cache.close().await;
    assert_eq!(files(directory.path()).len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn section_21_an_error_is_not_written_and_what_it_replaces_does_not_come_back() {
    let (directory, origin) = (tempfile::tempdir().unwrap(), Origin::default());
    let cache = open(directory.path()).await;
    hits(&cache, "/film", 9, &origin).await;
    // Its fill ends a moment after its last octet was read.
    while files(directory.path()).is_empty() {
        sleep(Duration::from_millis(2)).await;
    }
    let asked = Example::get("/film").admitted();
    let id = Arc::clone(&asked.routed().distribution().id);
    cache.invalidate(&id, &[Target::parse("/film").unwrap()], Manner::Soft).unwrap();
    let gone = FetchPlan::new(Source::default(), |_| {
        let (status, headers) = (StatusCode::NOT_FOUND, HeaderMap::new());
        let (body, lifetime) =
            (FetchedBody::Whole(Vec::new()), Some(Lifetime::For(Duration::from_secs(600))));
        Box::pin(async move { Ok(Fetched { status, headers, length: None, body, lifetime }) })
    });
    for _ in 0..2 {
        let answer = cache.get(&asked, gone.clone().lasting()).await;
        assert_eq!(answer.object.unwrap().head().status, StatusCode::NOT_FOUND);
    }
    while !files(directory.path()).is_empty() {
        sleep(Duration::from_millis(2)).await;
    }
    cache.close().await;
    assert_eq!(files(directory.path()), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_or_torn_on_the_disk_is_fetched_again() {
    let (directory, origin) = (tempfile::tempdir().unwrap(), Origin::default());
    let cache = open(directory.path()).await;
    hits(&cache, "/a", 300_000, &origin).await;
    cache.close().await;
    drop(cache);
    let file = files(directory.path()).remove(0);
    let whole = fs::read(&file).unwrap();
    let flipped = |at: usize| {
        let mut it = whole.clone();
        it[at] ^= 1;
        it
    };
    let mut holed = whole.clone();
    holed[200_000..].fill(0);
    let last = whole.len() - 1;
    let broken = [
        flipped(0),
        flipped(8),
        flipped(40),
        flipped(150_000),
        flipped(last),
        whole[..last].to_vec(),
        vec![],
        holed,
    ];
    for (number, broken) in broken.into_iter().enumerate() {
        fs::write(&file, broken).unwrap();
        let cache = open(directory.path()).await;
        assert!(!hits(&cache, "/a", 300_000, &origin).await, "break {number}");
        assert_eq!(cache.disk().unwrap().0.corrupt.count(), 1, "break {number}");
        cache.close().await;
        assert_eq!(fs::read(&file).unwrap().len(), whole.len(), "it is written again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_key_or_another_time_is_no_hit() {
    let (directory, origin) = (tempfile::tempdir().unwrap(), Origin::default());
    let cache = open(directory.path()).await;
    hits(&cache, "/a", 1000, &origin).await;
    hits(&cache, "/b", 2000, &origin).await;
    cache.close().await;
    drop(cache);
    let all = files(directory.path());
    let (a, b) = (fs::read(&all[0]).unwrap(), fs::read(&all[1]).unwrap());
    fs::write(&all[0], b).unwrap();
    fs::write(&all[1], a).unwrap();
    let cache = open(directory.path()).await;
    assert!(!hits(&cache, "/a", 1000, &origin).await);
    assert!(!hits(&cache, "/b", 2000, &origin).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_invalidated_stays_so_after_a_restart_and_all_else_is_kept() {
    let (directory, origin) = (tempfile::tempdir().unwrap(), Origin::default());
    let cache = open(directory.path()).await;
    for path in ["/old", "/softly", "/kept"] {
        hits(&cache, path, 1000, &origin).await;
    }
    let id = Example::get("/").admitted().routed().distribution().id.clone();
    cache.invalidate(&id, &[Target::parse("/old").unwrap()], Manner::Hard).unwrap();
    cache.invalidate(&id, &[Target::parse("/soft*").unwrap()], Manner::Soft).unwrap();
    cache.close().await;
    drop(cache);
    for run in 0..2 {
        let cache = open(directory.path()).await;
        let found = hits(&cache, "/old", 1000, &origin).await;
        assert_eq!(found, run == 1, "it was fetched anew");
        assert_eq!(hits(&cache, "/softly", 1000, &origin).await, run == 1);
        assert!(hits(&cache, "/kept", 1000, &origin).await);
        cache.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invalidations_that_cannot_be_read_cover_all() {
    let (directory, origin) = (tempfile::tempdir().unwrap(), Origin::default());
    let cache = open(directory.path()).await;
    hits(&cache, "/a", 1000, &origin).await;
    cache.close().await;
    drop(cache);
    fs::write(directory.path().join("invalidations"), "1 hard 2:tv /b 0\n").unwrap();
    let cache = open(directory.path()).await;
    assert!(!hits(&cache, "/a", 1000, &origin).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_cannot_be_used_fails_no_request_and_is_used_when_it_can() {
    let (place, origin) = (tempfile::tempdir().unwrap(), Origin::default());
    let directory = place.path().join("cache");
    fs::write(&directory, "a file").unwrap();
    let cache = Cache::open(&settings(&directory, 64 * MIB));
    assert!(!hits(&cache, "/a", 1000, &origin).await);
    fs::remove_file(&directory).unwrap();
    settled(&cache).await;
    assert!(cache.disk().unwrap().0.errors.count() > 0);
    hits(&cache, "/b", 1000, &origin).await;
    cache.close().await;
    assert_eq!(files(&directory).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_left_unfinished_is_deleted_and_what_is_not_ours_stays() {
    let directory = tempfile::tempdir().unwrap();
    let shelf = directory.path().join("3f");
    fs::create_dir(&shelf).unwrap();
    fs::write(shelf.join(format!("{}.new", "a".repeat(30))), "half").unwrap();
    for foreign in ["readme.new", "notes"] {
        fs::write(shelf.join(foreign), "mine").unwrap();
    }
    open(directory.path()).await.close().await;
    let mut left: Vec<_> = fs::read_dir(&shelf).unwrap().flatten().map(|it| it.file_name()).collect();
    left.sort_unstable();
    assert_eq!(left, ["notes", "readme.new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_at_a_time_writes() {
    let (directory, origin) = (tempfile::tempdir().unwrap(), Origin::default());
    let first = open(directory.path()).await;
    hits(&first, "/a", 1000, &origin).await;
    while first.disk().unwrap().0.writes.count() == 0 {
        sleep(Duration::from_millis(2)).await;
    }
    let second = Cache::open(&settings(directory.path(), 64 * MIB));
    assert!(hits(&second, "/a", 1000, &origin).await, "it may read");
    hits(&second, "/b", 1000, &origin).await;
    second.close().await;
    assert_eq!(files(directory.path()).len(), 1);
}

/// A viewer changes something, and the origin lets him.
async fn post(cache: &Cache, path: &str) {
    let asked = Example::get(path).method(Method::POST).admitted();
    let plan = Origin::default().plan(2, Lifetime::Uncacheable);
    let answer = cache.get(&asked, plan).await;
    answer.object.unwrap().read_all().collect().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_viewer_changed_is_off_the_disk_and_noted_nowhere() {
    let (directory, origin) = (tempfile::tempdir().unwrap(), Origin::default());
    let cache = open(directory.path()).await;
    for path in ["/changed", "/kept"] {
        hits(&cache, path, 1000, &origin).await;
    }
    while cache.disk().unwrap().0.writes.count() < 2 {
        sleep(Duration::from_millis(2)).await;
    }
    let noted = || fs::metadata(directory.path().join("invalidations")).map_or(0, |it| it.len());
    let before = noted();
    for path in ["/changed", "/another", "/*"] {
        post(&cache, path).await;
    }
    assert_eq!((files(directory.path()).len(), noted()), (1, before));
    assert_eq!(cache.disk().unwrap().1, bytes(directory.path()));
    cache.close().await;
    drop(cache);
    let cache = open(directory.path()).await;
    assert!(!hits(&cache, "/changed", 1000, &origin).await);
    assert!(hits(&cache, "/kept", 1000, &origin).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_before_a_viewer_changed_it_is_not_written() {
    let (directory, origin) = (tempfile::tempdir().unwrap(), Origin::default());
    let cache = open(directory.path()).await;
    let disk = cache.inside.disk.as_ref().unwrap();
    // Nobody writes until told.
    let writers = disk.inside.writers.acquire_many(WRITERS as u32).await.unwrap();
    hits(&cache, "/a", 1000, &origin).await;
    post(&cache, "/a").await;
    drop(writers);
    cache.close().await;
    assert_eq!(files(directory.path()).len(), 0);
    assert_eq!(cache.disk().unwrap().1, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_that_changed_does_not_come_back_from_the_disk() {
    const SLICE: u64 = 2 * MIB;
    const TOTAL: u64 = 2 * SLICE + 1000;
    let directory = tempfile::tempdir().unwrap();
    let version = Arc::new(AtomicUsize::new(0));
    let plan = || {
        let version = Arc::clone(&version);
        let answer = move |ask: Ask| {
            let etag = format!("\"{}\"", version.load(Ordering::Relaxed));
            let is_other = ask.known.and_then(|it| it.etag).is_some_and(|it| it != etag.as_str());
            let range = ask.range.filter(|_| !is_other).map(|it| it.start..it.end.min(TOTAL));
            let octets = range.clone().map_or(TOTAL, |it| it.end - it.start);
            let mut headers = HeaderMap::new();
            headers.insert("etag", etag.parse().unwrap());
            headers.insert("cache-control", "max-age=600".parse().unwrap());
            let status = match &range {
                None => StatusCode::OK,
                Some(it) => {
                    let of = format!("bytes {}-{}/{TOTAL}", it.start, it.end - 1);
                    headers.insert("content-range", of.parse().unwrap());
                    StatusCode::PARTIAL_CONTENT
                }
            };
            let body = FetchedBody::Whole(vec![content(octets as usize)]);
            let fetched = Fetched { status, headers, length: Some(octets), body, lifetime: None };
            let answer: BoxFuture<'static, _> = Box::pin(async move { Ok(fetched) });
            answer
        };
        FetchPlan::new(Source::default(), answer).in_slices(true).lasting()
    };
    let cache = open(directory.path()).await;
    let play = async || {
        let object = cache.get(&Example::get("/film.mp4").admitted(), plan()).await.object.unwrap();
        let etag = object.head().headers["etag"].clone();
        (etag, object.read_all().collect().await.map(|it| it.to_bytes().len() as u64))
    };
    let start = cache.get(&Example::get("/film.mp4").admitted(), plan()).await.object.unwrap();
    start.read(0..10).collect().await.unwrap();
    while cache.disk().unwrap().0.writes.count() < 2 {
        sleep(Duration::from_millis(2)).await;
    }
    version.store(1, Ordering::Relaxed);
    let (etag, played) = play().await;
    assert_eq!((etag.as_bytes(), played), (b"\"0\"".as_slice(), Err(Failure::Changed)));
    let (etag, played) = play().await;
    assert_eq!((etag.as_bytes(), played), (b"\"1\"".as_slice(), Ok(TOTAL)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_server_invalidated_meanwhile_does_not_make_the_disk_useless_for_this_one() {
    let (directory, origin) = (tempfile::tempdir().unwrap(), Origin::default());
    let first = open(directory.path()).await;
    hits(&first, "/a", 1000, &origin).await;
    let second = Cache::open(&settings(directory.path(), 64 * MIB));
    let id = Example::get("/").admitted().routed().distribution().id.clone();
    first.invalidate(&id, &[Target::parse("/a").unwrap()], Manner::Hard).unwrap();
    first.close().await;
    drop(first);
    settled(&second).await;
    assert!(!hits(&second, "/a", 1000, &origin).await, "it does not know what was invalidated");
    hits(&second, "/b", 1000, &origin).await;
    second.close().await;
    drop(second);
    let third = open(directory.path()).await;
    assert!(hits(&third, "/b", 1000, &origin).await);
    assert!(hits(&third, "/a", 1000, &origin).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn moments_go_on_where_those_of_an_earlier_run_ended_wherever_the_clock_stands() {
    let (directory, origin) = (tempfile::tempdir().unwrap(), Origin::default());
    let cache = open(directory.path()).await;
    hits(&cache, "/a", 1000, &origin).await;
    let began = cache.inside.invalidations.now();
    cache.close().await;
    drop(cache);
    let noted = directory.path().join("invalidations");
    let read = || noted::read(&fs::read_to_string(&noted).unwrap(), 0);
    assert!(read().newest >= began, "it says from when on it keeps answers");
    // As if the clock had been an hour ahead in that run.
    let ahead = began + 3_600_000_000_000;
    fs::write(&noted, noted::mark(ahead)).unwrap();
    let cache = open(directory.path()).await;
    assert!(cache.inside.invalidations.now() > ahead + 1_000_000);
    cache.close().await;
    assert!(read().newest > ahead + 1_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalidation_that_cannot_be_noted_is_told_and_holds_over_a_restart_all_the_same() {
    let (directory, origin) = (tempfile::tempdir().unwrap(), Origin::default());
    let id = Example::get("/").admitted().routed().distribution().id.clone();
    let invalidate =
        |cache: &Cache, path: &str| cache.invalidate(&id, &[Target::parse(path).unwrap()], Manner::Hard);
    let noted = directory.path().join("invalidations");
    for is_mended in [false, true] {
        let cache = open(directory.path()).await;
        for path in ["/a", "/b", "/kept"] {
            hits(&cache, path, 1000, &origin).await;
        }
        while is_mended && files(directory.path()).len() < 3 {
            sleep(Duration::from_millis(2)).await;
        }
        // Nobody can append to a directory.
        let aside = directory.path().join("aside");
        fs::rename(&noted, &aside).unwrap();
        fs::create_dir(&noted).unwrap();
        assert!(invalidate(&cache, "/a").is_err());
        assert!(!noted.exists(), "no later run relies on it");
        let held = directory.path().join("invalidations.held");
        fs::remove_dir(&held).unwrap();
        fs::rename(aside, &held).unwrap();
        if is_mended {
            invalidate(&cache, "/b").unwrap();
            assert!(!held.exists());
        }
        cache.close().await;
        drop(cache);
        let cache = open(directory.path()).await;
        for path in ["/a", "/b"] {
            assert!(!hits(&cache, path, 1000, &origin).await, "{path} {is_mended}");
        }
        assert_eq!(hits(&cache, "/kept", 1000, &origin).await, is_mended);
        cache.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_earlier_does_not_take_the_place_of_what_was_begun_later() {
    let (directory, origin) = (tempfile::tempdir().unwrap(), Origin::default());
    let cache = open(directory.path()).await;
    hits(&cache, "/a", 1000, &origin).await;
    while cache.disk().unwrap().0.writes.count() == 0 {
        sleep(Duration::from_millis(2)).await;
    }
    let key = Key::of(&Example::get("/a").admitted(), Source::default());
    let stored = cache.inside.store.get(&key).unwrap();
    let inside = &cache.inside.disk.as_ref().unwrap().inside;
    let (earlier, later) = (cache.inside.invalidations.advance(), cache.inside.invalidations.advance());
    for born in [later, earlier] {
        inside.keep(&key, 1, &stored.object, stored.freshness, born);
        let Opened::Answer(record, _) = inside.files.open(name(&key)).unwrap() else { panic!() };
        assert_eq!(record.born, later);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever is asked: right octets, and never more on the disk than may be, as the file system counts.
    #[test]
    fn the_files_never_take_more_than_they_may(asks in prop::collection::vec((0..40_usize, any::<bool>()), 1..80)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let (directory, origin) = (tempfile::tempdir().unwrap(), Origin::default());
            let mut cache = open_with(directory.path(), MIB).await;
            for (number, restart) in asks {
                if restart {
                    cache.close().await;
                    drop(cache);
                    cache = open_with(directory.path(), MIB).await;
                    assert_eq!(cache.disk().unwrap().1, bytes(directory.path()));
                }
                hits(&cache, &format!("/{number}"), number * 9_973, &origin).await;
                assert!(cache.disk().unwrap().1 <= MIB);
                assert!(bytes(directory.path()) <= MIB);
            }
        });
    }
}
