//! Any target and header fields on the way of a request: read, routed, admitted and answered from a body at hand.
//!
//! The input is the request target in its first line and a header field in each other one. What is answered must be
//! true: octets are those the response claims, and as many.
#![no_main]

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use levada::access::{Access, Rules};
use levada::behavior::Table;
use levada::passage::{Answer, Head, Lifetime, Object, RequestId, Scheme, Verdict, canonical};
use levada::protect::{self, Protect};
use levada::respond;
use levada::viewer::{Peer, read_request};
use levada_config::{Found, Sources, resolve};
use libfuzzer_sys::fuzz_target;

/// The first second of 2026.
static NOW: LazyLock<SystemTime> = LazyLock::new(|| UNIX_EPOCH + Duration::from_secs(1_767_225_600));

static MEDIA: LazyLock<Bytes> = LazyLock::new(|| (0..=255).cycle().take(3_000).collect());

static PLAYLIST: Bytes = Bytes::from_static(b"#EXTM3U\n#EXT-X-MAP:URI=\"a/init.mp4\"\n#EXTINF:2,\na/0.m4s\n");

/// The embedded default: everything is public.
static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let here = Path::new("/");
    let sources = Sources {
        file: None,
        base: here,
        here,
        environment: Vec::new(),
        sets: &[],
        look: &|_| Found::Directory,
    };
    let config = resolve(&sources).expect("the embedded default is right");
    let levada_config::Config {
        distributions,
        cache_policies,
        origin_request_policies,
        response_headers_policies,
        ..
    } = &config;
    Table::new(distributions, cache_policies, origin_request_policies, response_headers_policies)
});

static PROTECT: LazyLock<Protect> = LazyLock::new(|| Protect::new(protect::Rules::default()));

static ACCESS: LazyLock<Access> = LazyLock::new(|| Access::new(Rules::default()));

fuzz_target!(|input: &[u8]| {
    let mut lines = input.split(|it| *it == b'\n');
    let target = lines.next().unwrap_or_default();
    let mut head = http::Request::builder().uri(target).header("host", "h.example");
    for line in lines {
        let Some(at) = line.iter().position(|it| *it == b':') else { return };
        head = head.header(&line[..at], line[at + 1..].trim_ascii());
    }
    let Ok(head) = head.body(()) else { return };
    let peer = Peer { address: ([192, 0, 2, 1], 4711).into(), scheme: Scheme::Http };
    let Ok(request) = read_request(head.into_parts().0.into(), false, peer, &[], RequestId::new(1), *NOW)
    else {
        return;
    };
    if let Ok(once) = canonical(request.path()) {
        assert_eq!(canonical(&once).as_ref(), Ok(&once), "a canonical path is canonical");
        assert!(!once.split('/').any(|it| it == ".." || it == "."), "no dots are left in {once}");
    }
    let Ok(routed) = TABLE.route(request) else { return };
    let Ok(guarded) = PROTECT.judge(routed, *NOW) else { return };
    let Ok(asked) = ACCESS.admit(guarded, *NOW) else { return };
    let (content_type, whole) = if asked.path().ends_with(".m3u8") {
        ("application/vnd.apple.mpegurl", PLAYLIST.clone())
    } else {
        ("video/mp4", MEDIA.clone())
    };
    let response = respond::to(&asked, hit(content_type, whole.clone()), *NOW, |_, _| false);
    let response = response.now_or_never().expect("nothing is waited for: the body is at hand");
    check(response, &whole);
});

/// An answer in two chunks.
fn hit(content_type: &'static str, mut whole: Bytes) -> Answer {
    let mut headers = http::HeaderMap::new();
    headers.insert("content-type", http::HeaderValue::from_static(content_type));
    headers.insert("etag", http::HeaderValue::from_static("\"tag\""));
    headers.insert("last-modified", http::HeaderValue::from_static("Thu, 01 Jan 2026 00:00:00 GMT"));
    let head =
        Head { status: http::StatusCode::OK, headers, length: None, lifetime: Some(Lifetime::Immutable) };
    let second = whole.split_off(whole.len() / 3);
    let object: Arc<Object> = Object::whole(head, vec![whole, second]);
    Answer {
        object: Ok(object),
        verdict: Verdict::Hit { ttl: Duration::from_secs(9), detail: None },
        age: Duration::ZERO,
    }
}

fn check(response: http::Response<respond::Body>, whole: &Bytes) {
    let (head, body) = response.into_parts();
    let body =
        body.collect().now_or_never().expect("the body is at hand").expect("it does not fail").to_bytes();
    let field = |name: &str| head.headers.get(name).map(|it| it.to_str().expect("our fields are text"));
    let status = head.status.as_u16();
    let claimed = field("content-length").and_then(|it| it.parse::<usize>().ok());
    match status {
        200 if field("content-encoding").is_none() => assert!(body.is_empty() || body == whole),
        200 => {}
        206 => {
            assert_eq!(claimed, Some(body.len()));
            if let Some(range) = field("content-range") {
                assert_eq!(body, whole[range_of(range, whole.len())]);
            }
        }
        304 | 412 | 416 => assert!(body.is_empty()),
        _ => panic!("{status} for a body that is there"),
    }
}

/// `bytes 0-99/3000` as a range within the whole.
fn range_of(content_range: &str, total: usize) -> std::ops::Range<usize> {
    let (range, length) =
        content_range.strip_prefix("bytes ").and_then(|it| it.split_once('/')).expect("a range");
    assert_eq!(length.parse(), Ok(total));
    let (first, last) = range.split_once('-').expect("two ends");
    let (first, last): (usize, usize) = (first.parse().expect("a number"), last.parse().expect("a number"));
    assert!(first <= last && last < total);
    first..last + 1
}
