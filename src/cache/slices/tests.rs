//! A film of five slices and a bit, at an origin that counts what is asked of it.

#![allow(clippy::disallowed_methods, reason = "bodies of tests have an end")]

use std::sync::Mutex;

use bytes::Bytes;
use http::header::CONTENT_RANGE;
use http_body_util::BodyExt as _;

use super::*;
use config::distribution::RangeFill;

use crate::cache::Target;
use crate::passage::example::Example;
use crate::passage::{FetchedBody, RangeSpec, Reader, Source};

fn fetched(status: u16, fields: &[(&'static str, &'static str)]) -> Fetched {
    let headers = fields
        .iter()
        .map(|&(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)));
    Fetched {
        status: StatusCode::from_u16(status).unwrap(),
        headers: headers.collect(),
        length: None,
        body: FetchedBody::Whole(vec![Bytes::new()]),
        lifetime: None,
    }
}

#[test]
fn section_7_only_a_slice_that_names_its_octets_begins_a_sliced_body() {
    let check = |status, fields: &[(&'static str, &'static str)], expected: &str| {
        let found = match first(&mut fetched(status, fields), &Opening::At(0)) {
            First::Slice { total, .. } => format!("slice of {total}"),
            First::Answer => "answer".to_owned(),
            First::Useless => "useless".to_owned(),
            First::Own | First::Long(_) => unreachable!("nobody said what to ask for"),
        };
        assert_eq!(found, expected, "{status} {fields:?}");
    };
    let range = ("content-range", "bytes 0-2097151/9000000");
    check(206, &[range, ("etag", "\"a\"")], "slice of 9000000");
    let date = ("last-modified", "Sun, 15 Jun 2025 12:00:00 GMT");
    check(206, &[range, date, ("date", "Sun, 15 Jun 2025 12:30:00 GMT")], "slice of 9000000");
    check(206, &[range, date], "useless");
    check(206, &[("content-range", "bytes 0-4/5"), ("etag", "\"a\"")], "slice of 5");
    check(206, &[range, ("etag", "W/\"a\"")], "useless");
    check(206, &[range], "useless");
    check(206, &[("content-range", "bytes 0-99/9000000"), ("etag", "\"a\"")], "useless");
    check(206, &[("etag", "\"a\"")], "useless");
    check(416, &[], "useless");
    check(200, &[], "answer");
    check(404, &[], "answer");
}

#[test]
fn section_7_a_slice_of_another_version_is_refused() {
    let identity =
        |fields: &[(&'static str, &'static str)]| Identity::of(&fetched(206, fields).headers, 100).unwrap();
    let check = |known: &[(&'static str, &'static str)],
                 status,
                 fields: &[(&'static str, &'static str)],
                 expected| {
        let found = slice(fetched(status, fields), &(10..20), &identity(known)).map(|it| it.length);
        assert_eq!(found, expected, "{known:?} {status} {fields:?}");
    };
    let tag = ("etag", "\"a\"");
    let range = ("content-range", "bytes 10-19/100");
    check(&[tag], 206, &[tag, range], Ok(Some(10)));
    check(&[tag], 206, &[("etag", "\"b\""), range], Err(Failure::Changed));
    check(&[tag], 206, &[range], Err(Failure::Changed));
    check(&[tag], 206, &[tag, ("content-range", "bytes 10-19/101")], Err(Failure::Changed));
    check(&[tag], 206, &[tag, ("content-range", "bytes 10-18/100")], Err(Failure::Changed));
    check(&[tag], 200, &[tag], Err(Failure::Changed));
    check(&[tag], 404, &[], Err(Failure::Changed));
    let date = ("last-modified", "Sun, 15 Jun 2025 12:00:00 GMT");
    let made = ("date", "Sun, 15 Jun 2025 12:30:00 GMT");
    check(&[date, made], 206, &[date, range], Ok(Some(10)));
    check(
        &[date, made],
        206,
        &[("last-modified", "Sun, 15 Jun 2025 12:00:01 GMT"), range],
        Err(Failure::Changed),
    );
}

#[test]
fn section_7_a_date_names_octets_only_where_it_is_past() {
    let date = ("last-modified", "Sun, 15 Jun 2025 12:00:00 GMT");
    let check = |fields: &[(&'static str, &'static str)], expected: bool| {
        let identity = Identity::of(&fetched(206, fields).headers, 100);
        assert_eq!(identity.is_some(), expected, "{fields:?}");
    };
    check(&[date, ("date", "Sun, 15 Jun 2025 12:01:00 GMT")], true);
    check(&[date, ("date", "Sun, 15 Jun 2025 12:00:59 GMT")], false);
    check(&[date, ("date", "yesterday")], false);
    check(&[date], false);
    check(&[date, ("etag", "\"a\"")], true);
    check(&[date, ("etag", "W/\"a\"")], false);
}

#[tokio::test]
async fn section_13_a_tag_invalidates_the_slices_of_a_body_too() {
    let (cache, films) = (Cache::new(64 << 20), Films { tag: Some("film:7"), ..Films::new() });
    read(films.get(&cache).await.read_all()).await.unwrap();
    let all: Vec<_> = (0..6).map(Some).collect();
    assert_eq!(films.asked(), all);
    let id = Arc::clone(&Example::get("/film.mp4").admitted().routed().distribution().id);
    for (target, expected) in [("#film:8", Vec::new()), ("#film:7", all)] {
        cache.invalidate(&id, &[Target::parse(target).unwrap()], Manner::Hard).unwrap();
        read(films.get(&cache).await.read_all()).await.unwrap();
        assert_eq!(films.asked(), expected, "{target}");
    }
}

const TOTAL: u64 = 5 * SLICE + 1000;

/// The octet at each place of a version of the film.
fn octets(version: u8, range: Range<u64>) -> Bytes {
    range.map(|at| (at % 251) as u8 ^ version).collect()
}

/// An origin with one film.
#[derive(Clone)]
struct Films {
    version: Arc<Mutex<u8>>,
    asked: Arc<Mutex<Vec<Option<Range<u64>>>>>,
    has_ranges: bool,
    cache_control: &'static str,
    tag: Option<&'static str>,
    total: u64,
}

impl Films {
    fn new() -> Self {
        let cache_control = "max-age=60";
        Self {
            version: Arc::default(),
            asked: Arc::default(),
            has_ranges: true,
            cache_control,
            tag: None,
            total: TOTAL,
        }
    }

    fn answer(&self, ask: &Ask) -> Fetched {
        let said = ask
            .as_said
            .as_ref()
            .map(|it| RangeSpec::parse(it.range.to_str().unwrap()).unwrap()[0].within(self.total).unwrap());
        let asked = ask.range.clone().or(said);
        self.asked.lock().unwrap().push(asked.clone());
        let version = *self.version.lock().unwrap();
        let etag = format!("\"{version}\"");
        let changed =
            ask.known.as_ref().and_then(|it| it.etag.as_ref()).is_some_and(|it| it != etag.as_str());
        let range = asked.filter(|_| self.has_ranges && !changed);
        let status = if range.is_some() { 206 } else { 200 };
        let (begin, end) = range.map_or((0, self.total), |it| (it.start, it.end.min(self.total)));
        let mut headers = HeaderMap::new();
        headers.insert(ETAG, HeaderValue::try_from(etag).unwrap());
        headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static(self.cache_control));
        if let Some(tag) = self.tag {
            headers.insert("cache-tag", HeaderValue::from_static(tag));
        }
        if status == 206 {
            let content_range = format!("bytes {begin}-{}/{}", end - 1, self.total);
            headers.insert(CONTENT_RANGE, HeaderValue::try_from(content_range).unwrap());
        }
        Fetched {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            length: Some(end - begin),
            body: FetchedBody::Whole(vec![octets(version, begin..end)]),
            lifetime: None,
        }
    }

    async fn get(&self, cache: &Cache) -> Arc<Object> {
        let films = self.clone();
        let plan = FetchPlan::new(Source::default(), move |ask| {
            let answer = films.answer(&ask);
            Box::pin(async move { Ok(answer) })
        });
        let asked = Example::get("/film.mp4").admitted();
        cache.get(&asked, plan.in_slices(true)).await.object.expect("the origin answers")
    }

    /// What a viewer gets for a range, if he asks for one, where nobody is to fetch more than that.
    async fn exactly(&self, cache: &Cache, range: Option<Range<u64>>) -> (StatusCode, Bytes) {
        let films = self.clone();
        let plan = FetchPlan::new(Source::default(), move |ask| {
            let answer = films.answer(&ask);
            Box::pin(async move { Ok(answer) })
        });
        let mut example = Example::get("/film.mp4");
        example.behavior.range_fill = RangeFill::Exact;
        if let Some(range) = &range {
            let last = if range.end == u64::MAX { String::new() } else { (range.end - 1).to_string() };
            example = example.header("range", &format!("bytes={}-{last}", range.start));
        }
        let answer = cache.get(&example.admitted(), plan.in_slices(true)).await;
        let object = answer.object.expect("the origin answers");
        let range = range.filter(|_| object.head().status == StatusCode::OK).unwrap_or(0..self.total);
        (object.head().status, read(object.read(range)).await.unwrap())
    }

    /// Which octets were asked for since the last time; none for the whole.
    fn ranges(&self) -> Vec<Option<Range<u64>>> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    /// Which slices were asked for since the last time; none for the whole.
    fn asked(&self) -> Vec<Option<u64>> {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.into_iter().map(|it| it.map(|it| it.start / SLICE)).collect()
    }
}

/// As a viewer takes it, who holds nothing of it here.
async fn read(mut reader: Reader) -> Result<Bytes, Failure> {
    let mut octets = Vec::new();
    while let Some(frame) = reader.frame().await {
        octets.extend_from_slice(frame?.data_ref().expect("an object has octets alone"));
    }
    Ok(octets.into())
}

#[tokio::test]
async fn section_7_only_the_slices_that_are_read_are_fetched_and_each_once() {
    let (cache, films) = (Cache::new(64 << 20), Films::new());
    let object = films.get(&cache).await;
    assert_eq!((object.length(), object.head().status), (Some(TOTAL), StatusCode::OK));
    assert!(!object.head().headers.contains_key(CONTENT_RANGE));
    let across = 3 * SLICE - 10..3 * SLICE + 10;
    assert_eq!(read(object.read(across.clone())).await.unwrap(), octets(0, across));
    assert_eq!(films.asked(), [Some(0), Some(2), Some(3)]);

    let again = films.get(&cache).await;
    assert_eq!(read(again.read(0..100)).await.unwrap(), octets(0, 0..100));
    assert_eq!(films.asked(), [], "the first slice came with the first answer");
    assert_eq!(read(again.read_all()).await.unwrap(), octets(0, 0..TOTAL));
    assert_eq!(films.asked(), [Some(1), Some(4), Some(5)], "only the gaps");
    assert_eq!(read(films.get(&cache).await.read_all()).await.unwrap().len() as u64, TOTAL);
    assert_eq!(films.asked(), []);
}

#[tokio::test]
async fn section_7_many_who_read_one_slice_cause_one_fetch() {
    let (cache, films) = (Cache::new(64 << 20), Films::new());
    let object = films.get(&cache).await;
    films.asked();
    let range = 4 * SLICE..4 * SLICE + 5;
    let reads = (0..100).map(|_| read(object.read(range.clone())));
    for octets in futures_util::future::join_all(reads).await {
        assert_eq!(octets.unwrap(), self::octets(0, range.clone()));
    }
    assert_eq!(films.asked(), [Some(4)]);
}

#[tokio::test]
async fn section_7_versions_are_never_joined() {
    let (cache, films) = (Cache::new(64 << 20), Films::new());
    let object = films.get(&cache).await;
    assert_eq!(read(object.read(0..10)).await.unwrap(), octets(0, 0..10));
    *films.version.lock().unwrap() = 1;
    assert_eq!(read(object.read_all()).await, Err(Failure::Changed));
    let anew = films.get(&cache).await;
    assert_eq!(read(anew.read_all()).await.unwrap(), octets(1, 0..TOTAL));
}

#[tokio::test]
async fn section_7_an_origin_without_ranges_is_asked_for_the_whole() {
    let (cache, films) = (Cache::new(64 << 20), Films { has_ranges: false, ..Films::new() });
    let object = films.get(&cache).await;
    assert!(!object.is_sliced());
    assert_eq!(read(object.read_all()).await.unwrap(), octets(0, 0..TOTAL));
    assert_eq!(films.asked(), [Some(0)], "its answer to the first question is the whole");
}

#[tokio::test]
async fn section_7_what_may_not_be_kept_is_not_sliced() {
    let (cache, films) = (Cache::new(64 << 20), Films { cache_control: "no-store", ..Films::new() });
    let object = films.get(&cache).await;
    assert_eq!(read(object.read_all()).await.unwrap(), octets(0, 0..TOTAL));
    assert_eq!(films.asked(), [Some(0), None]);
    let object = films.get(&cache).await;
    assert_eq!(read(object.read_all()).await.unwrap().len() as u64, TOTAL);
    assert_eq!(films.asked(), [None], "it is remembered");
}

#[tokio::test]
async fn a_store_smaller_than_the_film_plays_it_all_the_same() {
    let (cache, films) = (Cache::new(6 << 20), Films::new());
    for _ in 0..3 {
        let object = films.get(&cache).await;
        assert_eq!(read(object.read_all()).await.unwrap(), octets(0, 0..TOTAL));
        assert!(cache.memory_used() <= cache.memory_limit());
    }
}

#[tokio::test]
async fn section_7_of_what_is_fetched_exactly_only_the_gaps_are_fetched() {
    let (cache, films) = (Cache::new(64 << 20), Films::new());
    let check = async |range: Range<u64>, fetched: &[(u64, u64)]| {
        let (status, got) = films.exactly(&cache, Some(range.clone())).await;
        assert_eq!(status, StatusCode::OK);
        assert!(got == octets(0, range.clone()), "{range:?}");
        let asked = films.ranges().into_iter().map(|it| it.expect("a part alone is asked for"));
        let asked: Vec<_> = asked.map(|it| (it.start, it.end)).collect();
        assert_eq!(asked, fetched, "{range:?}");
    };
    check(1_000..2_000, &[(1_000, 2_000)]).await;
    check(1_000..2_000, &[]).await;
    check(1_200..1_300, &[]).await;
    check(1_500..3_000, &[(2_000, 3_000)]).await;
    check(0..5_000, &[(0, 1_000), (3_000, 5_000)]).await;
    check(TOTAL - 10..TOTAL, &[(TOTAL - 10, TOTAL)]).await;
    // A request for all of it fetches what is missing, in slices of the usual size.
    let (_, all) = films.exactly(&cache, None).await;
    assert!(all == octets(0, 0..TOTAL));
    let asked: Vec<_> = films.ranges().into_iter().flatten().collect();
    assert_eq!(asked.first(), Some(&(5_000..5_000 + SLICE)));
    assert_eq!(asked.iter().map(|it| it.end - it.start).sum::<u64>(), TOTAL - 5_000 - 10);
    films.exactly(&cache, None).await;
    assert_eq!(films.ranges(), []);
}

#[tokio::test]
async fn section_7_more_than_is_kept_as_one_is_fetched_in_slices_from_where_it_was_asked_for() {
    let (cache, films) = (Cache::new(64 << 20), Films { total: LARGEST + 3 * SLICE, ..Films::new() });
    let from = SLICE + 7;
    for fetched in [true, false] {
        let (status, got) = films.exactly(&cache, Some(from..u64::MAX)).await;
        assert_eq!(status, StatusCode::OK);
        assert!(got == octets(0, from..films.total));
        let asked: Vec<_> = films.ranges().into_iter().flatten().collect();
        let Some((said, slices)) = asked.split_first() else {
            assert!(!fetched);
            continue;
        };
        assert_eq!(*said, from..films.total, "its words go on first");
        assert_eq!(slices.iter().map(|it| it.end - it.start).sum::<u64>(), films.total - from);
        assert_eq!(slices[0], from..from + SLICE);
        assert!(fetched, "{slices:?}");
    }
}

#[tokio::test]
async fn section_7_two_versions_are_never_joined_where_ranges_are_exact() {
    let (cache, films) = (Cache::new(64 << 20), Films::new());
    films.exactly(&cache, Some(0..1_000)).await;
    let object = films.get(&cache).await;
    *films.version.lock().unwrap() = 1;
    assert_eq!(read(object.read(500..2_000)).await, Err(Failure::Changed));
    let (_, got) = films.exactly(&cache, Some(500..2_000)).await;
    assert!(got == octets(1, 500..2_000));
}

#[tokio::test]
async fn section_7_what_cannot_be_kept_exactly_is_given_to_who_asked_for_it() {
    let origin_without_ranges = Films { has_ranges: false, ..Films::new() };
    let cache = Cache::new(64 << 20);
    for fetches in [1, 0] {
        let (status, got) = origin_without_ranges.exactly(&cache, Some(5..10)).await;
        assert_eq!((status, got), (StatusCode::OK, octets(0, 5..10)));
        assert_eq!(origin_without_ranges.ranges().len(), fetches, "the whole came, and is kept");
    }
    let uncacheable = Films { cache_control: "no-store", ..Films::new() };
    let cache = Cache::new(64 << 20);
    for _ in 0..2 {
        let (status, got) = uncacheable.exactly(&cache, Some(5..10)).await;
        assert_eq!((status, got), (StatusCode::PARTIAL_CONTENT, octets(0, 5..10)));
        assert_eq!(uncacheable.ranges(), [Some(5..10)]);
    }
}
