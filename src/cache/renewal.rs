//! What a 304 does to a stored answer (http-edge.md 4).

use http::header::{
    AGE, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, HeaderName,
    LAST_MODIFIED, SET_COOKIE, TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderValue};

use super::directives::Directives;
use super::slices::{Part, Workshop};
use super::store::Stored;
use crate::passage::{DIGESTS_OF_CONTENT, Head, Validators};

/// What describes the octets that are stored, and what belongs to the connection a 304 came over. A 304 that could
/// change a content type would make another thing of octets it does not bring.
const OF_THE_STORED: [HeaderName; 8] = [
    CONNECTION,
    TRANSFER_ENCODING,
    CONTENT_LENGTH,
    CONTENT_ENCODING,
    CONTENT_TYPE,
    CONTENT_RANGE,
    SET_COOKIE,
    ETAG,
];

/// What an origin is asked with, where the stored answer can be validated: one from an origin that leaves lifetimes to
/// header fields. A body in slices is one by the validator that its slices are known by, so that a 304 holds for them all.
pub(super) fn validators(stored: &Stored) -> Option<Validators> {
    let head = stored.object.head();
    if head.lifetime.is_some() {
        return None;
    }
    let field = |name: HeaderName| head.headers.get(name).cloned();
    let known = Validators { etag: field(ETAG), last_modified: field(LAST_MODIFIED) };
    (known.etag.is_some() || known.last_modified.is_some()).then_some(known)
}

/// What a fetch is for where a stale answer may still hold, or stand in for one that does not come. `workshop` is how
/// one in slices is fetched that does not hold.
pub(super) fn part(stored: Option<&Stored>, workshop: Option<Workshop>) -> Option<Part> {
    let stored = stored?;
    let is_sliced = stored.object.is_sliced();
    let stands_in = !stored.freshness.leeway.origin_fails.is_zero() && !is_sliced;
    let is_worth_asking = stands_in || validators(stored).is_some();
    is_worth_asking.then(|| Part::Again(Box::new(stored.clone()), workshop.filter(|_| is_sliced)))
}

/// Whether what is stored may never be given without the origin's word once it is stale.
pub(super) fn needs_consent(stored: &Stored) -> bool {
    Directives::of(&stored.object.head().headers).forbid_stale()
}

/// Whether a 304 speaks of what is stored: it names the same tag, or one that differs in strength alone; else the same
/// date, or nothing that could be another's.
pub(super) fn is_about(news: &HeaderMap, stored: &Stored) -> bool {
    let opaque = |it: &HeaderValue| it.as_bytes().strip_prefix(b"W/").unwrap_or(it.as_bytes()).to_vec();
    match (news.get(ETAG), stored.object.head().headers.get(ETAG)) {
        (Some(new), Some(old)) => opaque(new) == opaque(old),
        // Only a date can have been matched.
        (Some(_), None) => false,
        (None, _) => match (news.get(LAST_MODIFIED), stored.object.head().headers.get(LAST_MODIFIED)) {
            (Some(new), Some(old)) => new == old,
            _ => true,
        },
    }
}

/// The stored fields, with those of the 304 in their place.
pub(super) fn merged(stored: &Head, news: &HeaderMap) -> Head {
    let mut head = stored.clone();
    // They said when the last answer was made, not this one.
    head.headers.remove(AGE);
    head.headers.remove(DATE);
    let is_news = |it: &&HeaderName| !OF_THE_STORED.contains(it) && !DIGESTS_OF_CONTENT.contains(it);
    for name in news.keys().filter(is_news) {
        head.headers.remove(name);
        for value in news.get_all(name) {
            head.headers.append(name.clone(), value.clone());
        }
    }
    head
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn section_4_a_304_replaces_fields_but_those_that_describe_the_octets() {
        let fields = |lines: &[(&'static str, &'static str)]| -> HeaderMap {
            let field = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
            lines.iter().map(field).collect()
        };
        let headers = fields(&[
            ("content-type", "video/mp4"),
            ("etag", "\"a\""),
            ("age", "50"),
            ("date", "Sun, 15 Jun 2025 12:00:00 GMT"),
            ("cache-control", "max-age=1"),
            ("x-stays", "here"),
        ]);
        let stored = Head { status: StatusCode::OK, headers, length: Some(6), lifetime: None };
        let news = [
            ("content-type", "text/html"),
            ("content-encoding", "gzip"),
            ("content-length", "0"),
            ("etag", "W/\"a\""),
            ("set-cookie", "a=b"),
            ("content-digest", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"),
            ("cache-control", "max-age=60"),
            ("vary", "accept-encoding"),
        ];
        let merged = merged(&stored, &fields(&news));
        let expected = fields(&[
            ("content-type", "video/mp4"),
            ("etag", "\"a\""),
            ("x-stays", "here"),
            ("cache-control", "max-age=60"),
            ("vary", "accept-encoding"),
        ]);
        assert_eq!((merged.status, merged.length, merged.headers), (StatusCode::OK, Some(6), expected));
    }
}
