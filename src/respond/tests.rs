//! What viewers get, head and body.

#![allow(clippy::disallowed_methods, reason = "bodies of tests have an end")]

use std::io::Read as _;
use std::time::Duration;

use bytes::Bytes;
use config::distribution::{AddedHeader, RewriteManifests, ViewerProtocolPolicy};
use futures_util::FutureExt as _;
use http::HeaderName;
use http::header::{AGE, CACHE_CONTROL, DATE, LOCATION, VARY, VIA};
use http_body::Body as _;
use http_body_util::BodyExt as _;

use super::*;
use crate::access;
use crate::passage::example::Example;
use crate::passage::{
    Credentials, Excuse, Forward, Head, Lifetime, Outcome, Reason, Refusal, RequestId, Scheme, Served,
    Verdict,
};

const TYPE: &str = "video/mp4";
const HLS: &str = "application/vnd.apple.mpegurl";

fn now() -> SystemTime {
    httpdate::parse_http_date("Sun, 15 Jun 2025 12:00:00 GMT").unwrap()
}

fn head(status: u16, lines: &[(&'static str, &str)]) -> Head {
    let field = |&(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    };
    Head {
        status: StatusCode::from_u16(status).unwrap(),
        headers: lines.iter().map(field).collect(),
        length: None,
        lifetime: Some(Lifetime::Immutable),
    }
}

fn video(text: &'static str) -> Arc<Object> {
    Object::whole(
        head(200, &[("content-type", TYPE), ("etag", "\"a\"")]),
        vec![Bytes::from_static(text.as_bytes())],
    )
}

fn hit(object: Arc<Object>) -> Answer {
    Answer {
        object: Ok(object),
        verdict: Verdict::Hit { ttl: Duration::from_millis(30_500), detail: None },
        age: Duration::from_secs(5),
    }
}

fn miss(object: Result<Arc<Object>, Failure>, collapsed: bool) -> Answer {
    let status = object.as_ref().ok().map(|it| it.head().status);
    let verdict = Verdict::Miss { forward: Forward::UriMiss, status, collapsed, stored: object.is_ok() };
    Answer { object, verdict, age: Duration::ZERO }
}

/// A response with its body collected.
struct Got {
    status: u16,
    headers: HeaderMap,
    outcome: Outcome,
    body: Bytes,
}

impl Got {
    fn has(&self, name: HeaderName, value: &str) {
        assert_eq!(self.get(name.clone()), Some(value), "{name}");
    }

    fn is_like(&self, other: &Self) {
        let lines = |got: &Self| {
            let mut lines: Vec<_> = got
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
                .collect();
            lines.sort();
            lines
        };
        assert_eq!((self.status, lines(self), &self.outcome), (other.status, lines(other), &other.outcome));
        // Parts of several ranges stand between boundaries that are drawn anew.
        if self.status != 206 {
            assert_eq!(self.body, other.body);
        }
    }

    fn get(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).map(|it| it.to_str().unwrap())
    }

    fn named(&self, name: &'static str) -> Option<&str> {
        self.get(HeaderName::from_static(name))
    }
}

fn collect(response: Response<Body>) -> Got {
    let (head, body) = response.into_parts();
    let exact = body.size_hint().exact();
    let body = body.collect().now_or_never().expect("it is all here").unwrap().to_bytes();
    assert_eq!(exact, Some(body.len() as u64), "a body tells its length");
    if let Some(length) = head.headers.get(CONTENT_LENGTH).filter(|_| !body.is_empty()) {
        assert_eq!(length.to_str().unwrap(), body.len().to_string());
    }
    let outcome = head.extensions.get::<Outcome>().expect("the log line needs it").clone();
    Got { status: head.status.as_u16(), headers: head.headers, outcome, body }
}

fn get(example: Example, answer: Answer) -> Got {
    let asked = example.admitted();
    let got = get_as(&asked, answer.clone());
    // Whoever asks the same again is answered the same, from what was kept of the first response.
    got.is_like(&get_as(&asked, answer));
    got
}

fn get_as(asked: &Admitted, answer: Answer) -> Got {
    let trusts = |behavior: &Behavior, key: &str| !behavior.trusted_key_groups.is_empty() && key == "K2";
    collect(to(asked, answer, now(), trusts).now_or_never().expect("nothing has to be waited for"))
}

#[test]
fn a_hit_says_that_it_is_one_and_how_old_it_is() {
    let got = get(Example::get("/a"), hit(video("levada")));
    assert_eq!((got.status, &got.body[..]), (200, &b"levada"[..]));
    got.has(AGE, "5");
    got.has(DATE, "Sun, 15 Jun 2025 11:59:55 GMT");
    got.has(VIA, "1.1 Levada");
    got.has(ETAG, "\"a\"");
    got.has(CONTENT_TYPE, TYPE);
    got.has(CONTENT_LENGTH, "6");
    got.has(ACCEPT_RANGES, "bytes");
    got.has(CACHE_CONTROL, "public, max-age=31536000, immutable");
    assert_eq!(got.named("x-cache"), Some("Hit from levada"));
    assert_eq!(got.named("cache-status"), Some("Levada; hit; ttl=30"));
    assert_eq!(got.named("x-levada-id"), Some("00000000000000000000000000000007"));
    assert!(got.headers["x-levada-id"].is_sensitive(), "no table of headers is to keep it");
    assert_eq!(got.named("x-content-type-options"), Some("nosniff"));
    assert_eq!(got.named("access-control-allow-origin"), Some("*"));
    assert_eq!(got.named("access-control-expose-headers"), Some("Age, Date"));
    assert_eq!((got.outcome.served, got.outcome.distribution()), (Served::Hit, "default"));
}

/// Whatever was kept of one response, another is what it would have been without.
fn check_again(rules: impl Fn(Example) -> Example, expected_kept: bool) {
    let playlist = || {
        let text = format!("#EXTM3U\n{}", "a.ts\n".repeat(99));
        Object::whole(head(200, &[("content-type", HLS), ("etag", "\"a\"")]), vec![Bytes::from(text)])
    };
    let first = rules(Example::get("/a")).admitted();
    let mut over_http = Example::get("/a");
    over_http.facts.scheme = Scheme::Http;
    let mut over_http2 = Example::get("/a");
    over_http2.head().version = http::Version::HTTP_2;
    let mut other_id = Example::get("/a");
    other_id.facts.id = RequestId::new(8);
    let with = |name, value| Example::get("/a").header(name, value);
    let others = [
        Example::get("/a"),
        other_id,
        over_http,
        over_http2,
        signed(RewriteManifests::Append, "abc"),
        Example::get("/a").method(Method::HEAD),
        with("accept-encoding", "gzip"),
        with("accept-encoding", "br"),
        with("origin", "https://page.example"),
        with("range", "bytes=0-3"),
        with("if-none-match", "\"a\""),
        with("if-match", "\"b\""),
        with("pragma", "server-timing"),
        with("cdn-loop", "Levada"),
    ];
    let shared = playlist();
    get_as(&first, hit(Arc::clone(&shared)));
    for other in others {
        let asked = other.admitted_beside(&first);
        let written = get_as(&asked, hit(playlist()));
        for _ in 0..2 {
            get_as(&asked, hit(Arc::clone(&shared))).is_like(&written);
        }
    }
    let circumstances = again::circumstances(&first, &hit(Arc::clone(&shared)), &shared).unwrap();
    assert_eq!(shared.written(&circumstances).is_some(), expected_kept);
    let reloaded = rules(Example::get("/a")).admitted();
    let circumstances = again::circumstances(&reloaded, &hit(Arc::clone(&shared)), &shared).unwrap();
    assert!(shared.written(&circumstances).is_none(), "other rules make other responses");
}

#[test]
fn what_is_answered_again_is_what_would_have_been_answered_anew() {
    let with_cors = |change: fn(&mut config::distribution::Cors)| {
        move |mut it: Example| {
            change(it.response_headers.cors.as_mut().unwrap());
            it
        }
    };
    let added = |name: &'static str| {
        move |mut it: Example| {
            let (name, value) = (name.to_owned(), "1".to_owned());
            it.response_headers.headers.push(AddedHeader { name, value, overrides: true, https_only: true });
            it
        }
    };
    let removed = |name: &'static str| {
        move |mut it: Example| {
            it.response_headers.remove_headers.push(name.to_owned());
            it
        }
    };
    check_again(|it| it, true);
    check_again(|it| Example { response_headers: Default::default(), ..it }, true);
    check_again(with_cors(|it| it.allow_credentials = true), false);
    check_again(with_cors(|it| it.allow_origins = vec!["https://page.example".to_owned()]), false);
    check_again(with_cors(|it| it.origin_override = false), true);
    check_again(added("strict-transport-security"), true);
    check_again(added("age"), false);
    check_again(removed("etag"), true);
    check_again(removed("date"), false);
    let timed = |mut it: Example| {
        it.response_headers.server_timing = Some(0);
        it
    };
    check_again(timed, false);
    let rewriting = |mut it: Example| {
        it.behavior.rewrite_manifests = RewriteManifests::Append;
        it.behavior.trusted_key_groups = vec!["viewers".to_owned()];
        it
    };
    check_again(rewriting, true);
}

#[test]
fn section_10_what_was_stale_says_why_it_was_given() {
    let stale = |seconds, excuse| Answer {
        verdict: Verdict::Stale { since: Duration::from_secs(seconds), excuse },
        ..hit(video("levada"))
    };
    let said = |answer| get(Example::get("/a"), answer).named("cache-status").map(str::to_owned);
    assert_eq!(said(stale(5, Excuse::Revalidating)).unwrap(), "Levada; hit; ttl=-5; detail=swr");
    assert_eq!(said(stale(0, Excuse::OriginFails)).unwrap(), "Levada; hit; ttl=0; detail=sie");
    let status = Some(StatusCode::NOT_MODIFIED);
    let verdict = Verdict::Miss { forward: Forward::Stale, status, collapsed: false, stored: true };
    let got = get(Example::get("/a"), Answer { verdict, ..hit(video("levada")) });
    assert_eq!(got.named("cache-status"), Some("Levada; fwd=stale; fwd-status=304; stored"));
    assert_eq!(got.named("x-cache"), Some("RefreshHit from levada"));
    assert_eq!(got.outcome.served, Served::RefreshHit);
}

#[test]
fn a_miss_has_no_age_and_a_joined_fetch_counts_as_a_hit() {
    let got = get(Example::get("/a"), miss(Ok(video("levada")), false));
    assert_eq!(got.named("x-cache"), Some("Miss from levada"));
    assert_eq!(got.named("cache-status"), Some("Levada; fwd=uri-miss; fwd-status=200; stored"));
    assert_eq!(got.get(AGE), None);
    let got = get(Example::get("/a"), miss(Ok(video("levada")), true));
    assert_eq!(got.named("x-cache"), Some("Hit from levada"));
    assert_eq!(got.named("cache-status"), Some("Levada; fwd=uri-miss; fwd-status=200; collapsed"));
    got.has(AGE, "0");
}

#[test]
fn what_caches_before_us_said_stays_before_us() {
    let head = head(200, &[("cache-status", "Origin; hit"), ("via", "1.1 origin"), ("age", "3")]);
    let got = get(Example::get("/a"), miss(Ok(Object::whole(head, Vec::new())), false));
    let all = |name| got.headers.get_all(name).iter().map(|it| it.to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(all("cache-status"), ["Origin; hit", "Levada; fwd=uri-miss; fwd-status=200; stored"]);
    assert_eq!(all("via"), ["1.1 origin", "1.1 Levada"]);
    got.has(AGE, "0");
}

#[test]
fn section_6_head_is_get_without_octets() {
    let got = get(Example::get("/a").method(Method::HEAD).header("range", "bytes=0-1"), hit(video("levada")));
    assert_eq!((got.status, got.body.len()), (200, 0));
    got.has(CONTENT_LENGTH, "6");
    assert_eq!(got.get(CONTENT_RANGE), None);
}

#[test]
fn section_4_what_the_viewer_has_is_not_sent_again() {
    let got = get(
        Example::get("/a").header("if-none-match", "\"a\"").header("range", "bytes=0-1"),
        hit(video("levada")),
    );
    assert_eq!((got.status, got.body.len()), (304, 0));
    for name in ["etag", "date", "age", "cache-control", "cache-status", "access-control-allow-origin"] {
        assert!(got.named(name).is_some(), "{name}");
    }
    for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_RANGE] {
        assert_eq!(got.get(name), None);
    }
    let got = get(Example::get("/a").header("if-match", "\"b\""), hit(video("levada")));
    assert_eq!((got.status, got.body.len()), (412, 0));
}

#[test]
fn section_7_a_range_is_exactly_that() {
    let ranged = |range, more: &[(&'static str, &str)]| {
        let example = Example::get("/a").header("range", range);
        let example = more.iter().fold(example, |it, (name, value)| it.header(name, value));
        get(example, hit(video("levada")))
    };
    let got = ranged("bytes=2-3", &[]);
    assert_eq!((got.status, &got.body[..]), (206, &b"va"[..]));
    got.has(CONTENT_RANGE, "bytes 2-3/6");
    got.has(CONTENT_LENGTH, "2");
    got.has(CONTENT_TYPE, TYPE);
    let got = ranged("bytes=6-", &[]);
    assert_eq!((got.status, got.body.len()), (416, 0));
    got.has(CONTENT_RANGE, "bytes */6");
    assert!(got.named("access-control-allow-origin").is_some());
    assert_eq!(ranged("items=2-3", &[]).status, 200);
    assert_eq!(ranged("bytes=2-3", &[("if-range", "\"a\"")]).status, 206);
    assert_eq!(ranged("bytes=2-3", &[("if-range", "\"b\"")]).status, 200);
    assert_eq!(ranged("bytes=2-3", &[("range", "bytes=4-5")]).status, 200);
}

#[test]
fn section_7_several_ranges_come_in_parts() {
    let octets: Vec<u8> = (0..=255).collect();
    let head = head(200, &[("content-type", TYPE)]);
    let object = Object::whole(head, octets.chunks(7).map(Bytes::copy_from_slice).collect());
    let got = get(Example::get("/a").header("range", "bytes=200-201, 0-2"), hit(object));
    assert_eq!(got.status, 206);
    let id = "00000000000000000000000000000007";
    got.has(CONTENT_TYPE, &format!("multipart/byteranges; boundary={id}"));
    got.has(CONTENT_LENGTH, &got.body.len().to_string());
    let expected = [
        format!("--{id}\r\nContent-Type: video/mp4\r\nContent-Range: bytes 200-201/256\r\n\r\n").as_bytes(),
        &[200, 201],
        format!("\r\n--{id}\r\nContent-Type: video/mp4\r\nContent-Range: bytes 0-2/256\r\n\r\n").as_bytes(),
        &[0, 1, 2],
        format!("\r\n--{id}--\r\n").as_bytes(),
    ]
    .concat();
    assert_eq!(got.body, expected);
}

#[test]
fn section_7_an_answer_that_is_no_200_has_no_ranges_and_no_conditions() {
    let object = Object::whole(head(404, &[("etag", "\"a\"")]), vec![Bytes::from("not here")]);
    let got = get(Example::get("/a").header("range", "bytes=0-1").header("if-none-match", "*"), hit(object));
    assert_eq!((got.status, &got.body[..]), (404, &b"not here"[..]));
    assert_eq!(got.named("x-cache"), Some("Error from levada"));
    assert_eq!(got.named("access-control-allow-origin"), Some("*"));
    assert_eq!(got.outcome.served, Served::Error);
}

#[tokio::test]
async fn section_7_a_range_of_a_growing_body_does_not_wait_for_more_than_it_needs() {
    let growing = |length| Object::growing(Head { length, ..head(200, &[]) });
    let ranged = async |object: &Arc<Object>, range: &str| {
        let asked = Example::get("/a").header("range", range).admitted();
        to(&asked, miss(Ok(Arc::clone(object)), false), now(), |_, _| true).await
    };
    let text = |response: &Response<Body>, name| {
        response.headers().get(name).map(|it: &HeaderValue| it.to_str().unwrap().to_owned())
    };

    // The length is known: any range can be promised at once.
    let (object, mut filler) = growing(Some(6));
    let response = ranged(&object, "bytes=-2").await;
    assert_eq!(text(&response, CONTENT_RANGE).unwrap(), "bytes 4-5/6");
    filler.push(Bytes::from("levada")).unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "da");

    // It is not: what is there can be sent, and the end of the rest is waited for.
    let (object, mut filler) = growing(None);
    filler.push(Bytes::from("leva")).unwrap();
    let response = ranged(&object, "bytes=1-2").await;
    assert_eq!(text(&response, CONTENT_RANGE).unwrap(), "bytes 1-2/*");
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ev");
    let response = ranged(&object, "bytes=0-").await;
    assert_eq!((response.status().as_u16(), text(&response, CONTENT_LENGTH)), (200, None));
    assert!(ranged(&object, "bytes=-2").now_or_never().is_none());
    let waiting = tokio::spawn({
        let object = Arc::clone(&object);
        async move {
            let asked = Example::get("/a").header("range", "bytes=3-100").admitted();
            to(&asked, miss(Ok(object), false), now(), |_, _| true).await
        }
    });
    tokio::task::yield_now().await;
    filler.push(Bytes::from("da")).unwrap();
    filler.finish().unwrap();
    let response = waiting.await.unwrap();
    assert_eq!(text(&response, CONTENT_RANGE).unwrap(), "bytes 3-5/6");
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ada");
}

/// A playlist of some length, as a live origin sends it.
fn playlist() -> Arc<Object> {
    let text = format!(
        "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-MAP:URI=\"5.mp4\"\n{}",
        "#EXTINF:2,\n5-268.m4s\n".repeat(20)
    );
    let head = Head {
        lifetime: Some(Lifetime::For(Duration::from_millis(500))),
        ..head(200, &[("content-type", HLS), ("etag", "\"p\"")])
    };
    Object::whole(head, vec![text.into()])
}

fn brotli(body: &[u8]) -> Bytes {
    let mut text = Vec::new();
    brotli::BrotliDecompress(&mut &body[..], &mut text).unwrap();
    text.into()
}

#[test]
fn text_is_compressed_once_for_all_who_accept_it() {
    let object = playlist();
    let plain = object.joined().unwrap();
    let accept = |it| Example::get("/a").header("accept-encoding", it);
    let got = get(accept("gzip, br"), hit(Arc::clone(&object)));
    assert_eq!(brotli(&got.body), plain);
    got.has(CONTENT_ENCODING, "br");
    got.has(ETAG, "\"p-br\"");
    got.has(VARY, "Accept-Encoding");
    got.has(CONTENT_LENGTH, &got.body.len().to_string());
    got.has(CACHE_CONTROL, "max-age=1");
    let again = get(accept("br"), hit(Arc::clone(&object)));
    assert_eq!(again.body.as_ptr(), got.body.as_ptr(), "the octets are shared");

    let got = get(accept("gzip"), hit(Arc::clone(&object)));
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&got.body[..]).read_to_end(&mut text).unwrap();
    assert_eq!(text, plain);
    got.has(ETAG, "\"p-gzip\"");

    let got = get(accept("identity"), hit(Arc::clone(&object)));
    assert_eq!(got.body, plain);
    got.has(ETAG, "\"p\"");
    got.has(VARY, "Accept-Encoding");

    // A tag of one coding is no tag of another, and ranges are of the coded octets.
    let got = get(accept("br").header("if-none-match", "\"p\""), hit(Arc::clone(&object)));
    assert_eq!(got.status, 200);
    let got = get(accept("br").header("if-none-match", "\"p-br\""), hit(Arc::clone(&object)));
    assert_eq!(got.status, 304);
    got.has(VARY, "Accept-Encoding");
    let got = get(accept("br").header("range", "bytes=0-9"), hit(object));
    assert_eq!((got.status, got.body), (206, again.body.slice(..10)));
}

#[test]
fn a_behavior_that_does_not_compress_does_not_vary() {
    let mut example = Example::get("/a").header("accept-encoding", "br");
    example.behavior.compress = false;
    let got = get(example, hit(playlist()));
    assert_eq!((got.get(VARY), got.get(CONTENT_ENCODING)), (None, None));
    let head = head(200, &[("content-type", HLS), ("cache-control", "no-transform")]);
    let object = Object::whole(head, vec![vec![b'#'; 1000].into()]);
    let got = get(Example::get("/a").header("accept-encoding", "br"), hit(object));
    assert_eq!(got.get(CONTENT_ENCODING), None);
    got.has(CACHE_CONTROL, "no-transform");
}

#[test]
fn a_failure_says_whose_it_is_and_is_not_kept() {
    let failed = |failure| get(Example::get("/a"), miss(Err(failure), false));
    let got = failed(Failure::TimedOut(Duration::from_secs(1)));
    assert_eq!(got.status, 504);
    got.has(CACHE_CONTROL, "no-store");
    assert_eq!(got.named("x-cache"), Some("Error from levada"));
    assert_eq!(got.named("cache-status"), Some("Levada; fwd=uri-miss"));
    assert_eq!(got.named("access-control-allow-origin"), Some("*"));
    assert_eq!(got.outcome.reason.as_deref(), Some("the origin took longer than 1s"));
    let got = failed(Failure::Unreadable("/secret/path".to_owned()));
    assert_eq!(got.status, 502);
    assert!(!String::from_utf8_lossy(&got.body).contains("secret"));
    for failure in [Failure::Unvalidated, Failure::NotStored] {
        assert_eq!(failed(failure).status, 504);
    }
    let got = failed(Failure::OutOfMemory);
    assert_eq!((got.status, got.named("retry-after")), (503, Some("1")));
}

#[test]
fn a_refusal_has_cloudfronts_body_and_the_behaviors_cors() {
    let refused = |reason| {
        let routed = Example::get("/a").routed();
        collect(refusal(&Refusal::new(access::Witness::in_tests(), routed, reason), now()))
    };
    let got = refused(Reason::Expired);
    assert_eq!(got.status, 403);
    got.has(CONTENT_TYPE, "text/xml");
    assert_eq!(
        got.body,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>AccessDenied</Code><Message>Access denied</Message></Error>"
    );
    assert_eq!(got.named("access-control-allow-origin"), Some("*"));
    assert_eq!(got.named("x-cache"), Some("Error from levada"));
    assert_eq!(got.outcome.reason.as_deref(), Some("expired"));

    let location = "https://video.example/a".to_owned();
    let got = refused(Reason::Redirect { status: StatusCode::MOVED_PERMANENTLY, location });
    assert_eq!((got.status, got.named("x-cache")), (301, Some("Redirect from levada")));
    got.has(LOCATION, "https://video.example/a");
}

#[test]
fn a_preflight_is_answered_where_there_are_rules() {
    let example = || {
        Example::get("/a")
            .method(Method::OPTIONS)
            .header("origin", "https://page.example")
            .header("access-control-request-method", "GET")
    };
    let got = collect(preflight(&example().routed(), now()).unwrap());
    assert_eq!((got.status, got.body.len()), (204, 0));
    assert_eq!(got.named("access-control-allow-origin"), Some("*"));
    assert_eq!(got.named("access-control-allow-methods"), Some("GET, HEAD, OPTIONS"));
    assert_eq!(got.named("access-control-max-age"), Some("86400"));
    assert!(preflight(&Example::get("/a").routed(), now()).is_none());
    let mut named = example();
    named.response_headers.cors.as_mut().unwrap().allow_origins = vec!["https://page.example".to_owned()];
    let got = collect(preflight(&named.routed(), now()).unwrap());
    assert_eq!(got.headers.get_all(VARY).iter().collect::<Vec<_>>(), ["Origin"]);
    let mut none = example();
    none.response_headers.cors = None;
    assert!(preflight(&none.routed(), now()).is_none());
}

#[test]
fn a_policys_headers_win_over_the_origins_unless_it_says_otherwise() {
    let added = |overrides, https_only| AddedHeader {
        name: "Timing-Allow-Origin".to_owned(),
        value: "*".to_owned(),
        overrides,
        https_only,
    };
    let sent = |url: &str, header: AddedHeader, origin: &[(&'static str, &str)]| {
        let mut example = Example::get_url(url);
        example.response_headers.headers = vec![header];
        let got = get(example, hit(Object::whole(head(200, origin), Vec::new())));
        got.named("timing-allow-origin").map(str::to_owned)
    };
    let (https, http, said) = ("https://a/", "http://a/", [("timing-allow-origin", "https://a.example")]);
    assert_eq!(sent(https, added(true, false), &said).unwrap(), "*");
    assert_eq!(sent(https, added(false, false), &said).unwrap(), "https://a.example");
    assert_eq!(sent(https, added(false, false), &[]).unwrap(), "*");
    assert_eq!(sent(https, added(true, true), &[]).unwrap(), "*");
    assert_eq!(sent(http, added(true, true), &[]), None, "HSTS over clear text is no promise");
}

#[test]
fn what_a_policy_removes_is_the_origins_alone() {
    let mut example = Example::get("/a");
    example.response_headers.remove_headers =
        ["x-powered-by", "date", "access-control-allow-origin"].map(str::to_owned).to_vec();
    example.response_headers.server_timing = Some(100);
    let origin = [("x-powered-by", "PHP"), ("date", "Sun, 15 Jun 2025 11:00:00 GMT"), ("x-stays", "here")];
    let got = get(example, hit(Object::whole(head(200, &origin), Vec::new())));
    assert_eq!((got.named("x-powered-by"), got.named("x-stays")), (None, Some("here")));
    assert_eq!(got.named("date"), Some("Sun, 15 Jun 2025 12:00:00 GMT"));
    assert_eq!(got.named("access-control-allow-origin"), Some("*"));
    assert!(got.named("server-timing").unwrap().starts_with("cdn-cache-hit,"));
}

#[test]
fn the_time_is_told_to_everybody() {
    let routed = Example::get("/.levada/time").routed();
    let got = collect(time(routed.request(), now() + Duration::from_millis(250)));
    assert_eq!(got.body, "2025-06-15T12:00:00.250Z");
    got.has(CACHE_CONTROL, "no-store");
    assert_eq!(got.named("access-control-allow-origin"), Some("*"));
}

/// A signed request for `/live/m/index.m3u8`, under a distribution whose `/live/*` trusts the viewer's key.
fn signed(mode: RewriteManifests, signature: &str) -> Example {
    let mut example = Example::get("/live/m/index.m3u8");
    example.behavior.path_pattern = "/live/*".parse().unwrap();
    example.neighbors = vec![Example::get("/").behavior];
    example.behavior.trusted_key_groups = vec!["viewers".to_owned()];
    example.behavior.rewrite_manifests = mode;
    example.behavior.viewer_protocol_policy = ViewerProtocolPolicy::AllowAll;
    example.credentials = Some(Credentials {
        query: format!("Policy=eyJ~&Signature={signature}&Key-Pair-Id=K2").into(),
        key_pair_id: "K2".into(),
    });
    example
}

fn document(content_type: &str, text: &str) -> Arc<Object> {
    Object::whole(
        head(200, &[("content-type", content_type), ("etag", "\"m\"")]),
        vec![text.to_owned().into()],
    )
}

fn rewritten(mode: RewriteManifests, content_type: &str, text: &str) -> Got {
    get(signed(mode, "abc"), hit(document(content_type, text)))
}

const SUFFIX: &str = "Policy=eyJ~&Signature=abc&Key-Pair-Id=K2";

#[test]
fn a_playlist_carries_the_signature_to_every_uri_of_ours() {
    let got = rewritten(
        RewriteManifests::Append,
        HLS,
        "#EXTM3U\n#EXT-X-MAP:URI=\"5.mp4\"\n5-1.m4s\n5-2.m4s?a=b#c\n5-3.m4s?\n\
         https://video.example/live/x.m4s\nhttp://video.example/live/x.m4s\nhttps://other.example/x.m4s\n\
         #EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://key\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"5-4.0.m4s\"\n",
    );
    let s = SUFFIX;
    let expected = format!(
        "#EXTM3U\n#EXT-X-MAP:URI=\"5.mp4?{s}\"\n5-1.m4s?{s}\n5-2.m4s?a=b&{s}#c\n5-3.m4s?{s}\n\
         https://video.example/live/x.m4s?{s}\nhttp://video.example/live/x.m4s\nhttps://other.example/x.m4s\n\
         #EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://key\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"5-4.0.m4s?{s}\"\n",
    );
    assert_eq!(got.body, expected);
    got.has(CONTENT_LENGTH, &expected.len().to_string());
    got.has(CACHE_CONTROL, "private, max-age=60");
    assert_eq!(got.get(ACCEPT_RANGES), None);
}

#[test]
fn a_uri_of_a_behavior_that_does_not_trust_the_key_is_left_alone() {
    let text = "#EXTM3U\n/vod/a.m4s\n../../vod/b.m4s\n/live/m/../../vod/c.m4s\nd.m4s\n";
    let got = rewritten(RewriteManifests::Append, HLS, text);
    assert_eq!(got.body, text.replace("d.m4s", &format!("d.m4s?{SUFFIX}")));
}

#[test]
fn an_mpd_carries_it_escaped() {
    let got = rewritten(
        RewriteManifests::Define,
        "application/dash+xml",
        "<MPD><SegmentTemplate media=\"$Number$.m4s\" initialization='i.mp4?a=b'/><UTCTiming value=\"/.levada/time\"/></MPD>",
    );
    let s = SUFFIX.replace('&', "&amp;");
    let expected = format!(
        "<MPD><SegmentTemplate media=\"$Number$.m4s?{s}\" initialization='i.mp4?a=b&amp;{s}'/><UTCTiming value=\"/.levada/time\"/></MPD>"
    );
    assert_eq!(got.body, expected);
}

#[test]
fn in_define_mode_the_player_puts_it_in() {
    let values = "Policy={$Policy}&Signature={$Signature}&Key-Pair-Id={$Key-Pair-Id}";
    let definitions = "#EXT-X-DEFINE:QUERYPARAM=\"Policy\"\n#EXT-X-DEFINE:QUERYPARAM=\"Signature\"\n\
                       #EXT-X-DEFINE:QUERYPARAM=\"Key-Pair-Id\"\n";
    let got = rewritten(RewriteManifests::Define, HLS, "#EXTM3U\n#EXT-X-VERSION:9\n5-1.m4s\n");
    assert_eq!(got.body, format!("#EXTM3U\n{definitions}#EXT-X-VERSION:11\n5-1.m4s?{values}\n"));
    let got = rewritten(RewriteManifests::Define, HLS, "#EXTM3U\n5-1.m4s\n");
    assert_eq!(got.body, format!("#EXTM3U\n#EXT-X-VERSION:11\n{definitions}5-1.m4s?{values}\n"));
}

#[test]
fn viewers_share_the_text_and_not_the_tag() {
    let object = document(HLS, "#EXTM3U\n5-1.m4s\n");
    let tag = |signature| {
        let got = get(signed(RewriteManifests::Append, signature), hit(Arc::clone(&object)));
        got.get(ETAG).unwrap().to_owned()
    };
    assert_ne!(tag("abc"), tag("xyz"));
    assert_eq!(tag("abc"), tag("abc"));
    assert!(tag("abc").starts_with("\"m-"));
    let got = get(
        signed(RewriteManifests::Append, "abc").header("if-none-match", &tag("abc")),
        hit(Arc::clone(&object)),
    );
    assert_eq!(got.status, 304);
    let got = get(signed(RewriteManifests::Append, "abc").header("range", "bytes=0-3"), hit(object));
    assert_eq!(got.status, 200);
}

#[test]
fn a_signed_manifest_is_compressed_too() {
    let text = format!("#EXTM3U\n{}", "5-1.m4s\n".repeat(100));
    let plain = get(signed(RewriteManifests::Append, "abc"), hit(document(HLS, &text)));
    let got = get(
        signed(RewriteManifests::Append, "abc").header("accept-encoding", "br"),
        hit(document(HLS, &text)),
    );
    assert_eq!(brotli(&got.body), plain.body);
    assert!(got.get(ETAG).unwrap().ends_with("-br\""));
    assert!(plain.body.len() > 1000);
}

#[test]
fn nobody_else_gets_the_signature() {
    let text = "#EXTM3U\n5-1.m4s\n";
    let unchanged = |example: Example, trusts: bool| {
        let asked = example.admitted();
        let object = document(HLS, text);
        let response = to(&asked, hit(object), now(), |_, key| trusts && key == "K2").now_or_never().unwrap();
        let got = collect(response);
        assert_eq!(got.body, text);
        got.has(ETAG, "\"m\"");
        got.has(CACHE_CONTROL, "public, max-age=31536000, immutable");
    };
    unchanged(signed(RewriteManifests::Append, "abc"), false);
    unchanged(signed(RewriteManifests::No, "abc"), true);
    unchanged(Example { credentials: None, ..signed(RewriteManifests::Append, "abc") }, true);
    // Were such a thing admitted, it would still not stand in a manifest.
    unchanged(signed(RewriteManifests::Append, "a\"b"), true);
}

#[test]
fn a_long_signed_playlist_comes_in_frames_of_one_text() {
    let text = format!("#EXTM3U\n{}", "5-1.m4s\n".repeat(5000));
    let got = get(signed(RewriteManifests::Append, "abc"), hit(document(HLS, &text)));
    assert_eq!(got.body, text.replace(".m4s", &format!(".m4s?{SUFFIX}")));
}
