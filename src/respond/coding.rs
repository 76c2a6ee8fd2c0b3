//! Compressed text: for whom, and with what.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};

use crate::passage::{Behavior, Form, Head};

/// Smaller bodies fit a packet either way (http-edge.md 8).
const SMALLEST: u64 = 256;

/// Larger bodies would keep a thread for too long; no manifest of a day comes near.
const LARGEST: u64 = 2 * 1024 * 1024;

/// From here on a body is compressed with less effort.
const LONG: usize = 128 * 1024;

/// Types that gain from it (cloudfront.md 3.8), as far as a media edge meets them, beside all of `text/`.
const COMPRESSIBLE: &[&str] = &[
    "application/dash+xml",
    "application/dash-patch+xml",
    "application/javascript",
    "application/json",
    "application/ttml+xml",
    "application/vnd.apple.mpegurl",
    "application/vnd.apple.steering-list",
    "application/wasm",
    "application/x-mpegurl",
    "application/x-subrip",
    "application/xml",
    "audio/mpegurl",
    "image/svg+xml",
];

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Brotli,
}

impl Coding {
    /// Its name in `Content-Encoding`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
        }
    }

    /// The coding of a form, if it is one.
    pub(super) const fn of(form: Form) -> Option<Self> {
        match form {
            Form::Joined => None,
            Form::Gzip => Some(Self::Gzip),
            Form::Brotli => Some(Self::Brotli),
        }
    }

    pub(super) const fn form(self) -> Form {
        match self {
            Self::Gzip => Form::Gzip,
            Self::Brotli => Form::Brotli,
        }
    }
}

/// How hard it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    /// Once for many viewers.
    Shared,
    /// For one viewer.
    Once,
}

/// Whether the media type of an answer is one of `types`, which are in lower case.
pub(super) fn has_type(head: &Head, types: &[&str]) -> bool {
    media_type(head).is_some_and(|it| types.iter().any(|known| it.eq_ignore_ascii_case(known.as_bytes())))
}

/// The media type of an answer, without parameters.
fn media_type(head: &Head) -> Option<&[u8]> {
    let value = head.headers.get(CONTENT_TYPE)?.as_bytes();
    value.split(|it| *it == b';').next().map(<[u8]>::trim_ascii)
}

fn is_text(head: &Head) -> bool {
    let prefix = media_type(head).and_then(|it| it.get(..5));
    prefix.is_some_and(|it| it.eq_ignore_ascii_case(b"text/"))
}

/// Whether an answer's coding depends on what the viewer accepts; if so its `Vary` says it.
pub(super) fn is_negotiable(head: &Head, behavior: &Behavior) -> bool {
    let policy = &behavior.cache_policy;
    behavior.compress
        && (policy.gzip || policy.brotli)
        && !policy.max_ttl.is_zero()
        && matches!(head.status, StatusCode::OK | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)
        && head.length.is_none_or(|it| (SMALLEST..=LARGEST).contains(&it))
        && !head.headers.contains_key(CONTENT_ENCODING)
        && !is_untouchable(head)
        && (has_type(head, COMPRESSIBLE) || is_text(head))
}

/// Whether the origin forbids to change the octets.
pub(super) fn is_untouchable(head: &Head) -> bool {
    const WORD: &[u8] = b"no-transform";
    let forbids = |line: &http::HeaderValue| {
        line.as_bytes().windows(WORD.len()).any(|it| it.eq_ignore_ascii_case(WORD))
    };
    head.headers.get_all(CACHE_CONTROL).iter().any(forbids)
}

/// The best coding that the viewer accepts and the behavior allows.
pub(super) fn negotiate(request: &HeaderMap, behavior: &Behavior) -> Option<Coding> {
    let policy = &behavior.cache_policy;
    if !policy.gzip && !policy.brotli {
        return None;
    }
    let accepted = Accepted::of(request);
    let offers =
        [(Coding::Brotli, policy.brotli, accepted.brotli), (Coding::Gzip, policy.gzip, accepted.gzip)];
    let (coding, _, quality) = offers
        .into_iter()
        .filter(|(_, allowed, quality)| *allowed && *quality > 0)
        .rev()
        .max_by_key(|it| it.2)?;
    (quality >= accepted.identity).then_some(coding)
}

/// How much a viewer likes each coding, in thousandths; zero: not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Accepted {
    gzip: u16,
    brotli: u16,
    identity: u16,
}

impl Accepted {
    fn of(request: &HeaderMap) -> Self {
        let (mut gzip, mut brotli, mut identity, mut any) = (None, None, None, None);
        let lines = request.get_all(ACCEPT_ENCODING).iter().filter_map(|it| it.to_str().ok());
        for member in lines.flat_map(|it| it.split(',')) {
            let (name, parameters) = member.split_once(';').unwrap_or((member, ""));
            let quality = quality(parameters);
            let name = name.trim();
            let is = |coding: &str| name.eq_ignore_ascii_case(coding);
            match () {
                () if is("gzip") || is("x-gzip") => gzip = Some(quality),
                () if is("br") => brotli = Some(quality),
                () if is("identity") => identity = Some(quality),
                () if name == "*" => any = Some(quality),
                () => {}
            }
        }
        let other = any.unwrap_or(0);
        // Unless it is named, identity is what is sent when nothing else may be.
        Self { gzip: gzip.unwrap_or(other), brotli: brotli.unwrap_or(other), identity: identity.unwrap_or(0) }
    }
}

/// `;q=0.5` in thousandths; 1 without a weight, 0 for what is no weight.
fn quality(parameters: &str) -> u16 {
    let weight = parameters.split(';').map(str::trim).find_map(|it| {
        let (name, value) = it.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    let Some(weight) = weight else { return 1000 };
    match weight.split_once('.').unwrap_or((weight, "")) {
        ("1", _) => 1000,
        ("0", decimals) if decimals.len() <= 3 && decimals.bytes().all(|it| it.is_ascii_digit()) => {
            format!("{decimals:0<3}").parse().unwrap_or(0)
        }
        _ => 0,
    }
}

/// Compresses `text`.
pub(super) fn compress(text: &[u8], coding: Coding, effort: Effort) -> Bytes {
    const IN_MEMORY: &str = "writing to memory does not fail";
    let light = effort == Effort::Once || text.len() > LONG;
    match coding {
        Coding::Gzip => {
            let level = if light { Compression::fast() } else { Compression::default() };
            let mut encoder = GzEncoder::new(Vec::new(), level);
            encoder.write_all(text).expect(IN_MEMORY);
            encoder.finish().expect(IN_MEMORY).into()
        }
        Coding::Brotli => {
            let params = brotli::enc::BrotliEncoderParams {
                quality: if light { 2 } else { 5 },
                // A window of a quarter megabyte: what is larger is rare, and a window costs memory at both ends.
                lgwin: 18,
                size_hint: text.len(),
                ..Default::default()
            };
            let mut compressed = Vec::new();
            brotli::BrotliCompress(&mut &text[..], &mut compressed, &params).expect(IN_MEMORY);
            compressed.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;
    use crate::passage::example::Example;

    fn check(accept: Option<&'static str>, expected: Option<Coding>) {
        let headers: HeaderMap =
            accept.map(|it| (ACCEPT_ENCODING, HeaderValue::from_static(it))).into_iter().collect();
        let routed = Example::get("/a").routed();
        assert_eq!(negotiate(&headers, routed.behavior()), expected, "{accept:?}");
    }

    #[test]
    fn the_coding_liked_best_is_sent() {
        check(None, None);
        check(Some(""), None);
        check(Some("gzip, deflate, br, zstd"), Some(Coding::Brotli));
        check(Some("gzip"), Some(Coding::Gzip));
        check(Some("x-gzip"), Some(Coding::Gzip));
        check(Some("BR"), Some(Coding::Brotli));
        check(Some("br;q=0.5, gzip;q=0.8"), Some(Coding::Gzip));
        check(Some("br;q=0.8, gzip;q=0.800"), Some(Coding::Brotli));
        check(Some("*"), Some(Coding::Brotli));
        check(Some("*, br;q=0"), Some(Coding::Gzip));
        check(Some("deflate"), None);
    }

    #[test]
    fn what_is_refused_is_not_sent() {
        check(Some("gzip;q=0"), None);
        check(Some("gzip;q=0.000, *;q=0"), None);
        check(Some("identity, gzip;q=0.5"), None);
        check(Some("identity;q=0.5, gzip;q=0.5"), Some(Coding::Gzip));
        check(Some("gzip;q=2"), None);
        check(Some("gzip;q=x"), None);
        check(Some("identity;q=0"), None);
    }

    #[test]
    fn a_behavior_chooses_what_it_offers() {
        let accept = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("gzip, br"))]);
        let offered = |gzip, brotli| {
            let routed = Example::get("/a").policy(|it| (it.gzip, it.brotli) = (gzip, brotli)).routed();
            negotiate(&accept, routed.behavior())
        };
        assert_eq!(offered(true, false), Some(Coding::Gzip));
        assert_eq!(offered(false, true), Some(Coding::Brotli));
        assert_eq!(offered(false, false), None);
    }

    #[test]
    fn only_text_of_some_length_is_compressed() {
        let check = |content_type: &'static str, length, expected| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
            let head = Head { status: StatusCode::OK, headers, length, lifetime: None };
            assert_eq!(
                is_negotiable(&head, Example::get("/a").routed().behavior()),
                expected,
                "{content_type}"
            );
        };
        check("application/vnd.apple.mpegurl", Some(1000), true);
        check("Application/DASH+XML; charset=utf-8", Some(1000), true);
        check("text/vtt", None, true);
        check("text/vtt", Some(255), false);
        check("text/vtt", Some(LARGEST + 1), false);
        check("video/mp4", Some(1000), false);
    }

    proptest! {
        #[test]
        fn compressed_text_is_the_same_text(text in prop::collection::vec(0..9u8, 0..3000)) {
            for effort in [Effort::Shared, Effort::Once] {
                let mut gzip = Vec::new();
                let compressed = compress(&text, Coding::Gzip, effort);
                flate2::read::GzDecoder::new(&compressed[..]).read_to_end(&mut gzip).unwrap();
                prop_assert_eq!(&gzip, &text);
                let mut brotli = Vec::new();
                let compressed = compress(&text, Coding::Brotli, effort);
                brotli::BrotliDecompress(&mut &compressed[..], &mut brotli).unwrap();
                prop_assert_eq!(&brotli, &text);
            }
        }

        #[test]
        fn no_accept_encoding_makes_it_panic(text in "[ -~]{0,60}") {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_str(&text).unwrap())]);
            negotiate(&headers, Example::get("/a").routed().behavior());
        }
    }
}
