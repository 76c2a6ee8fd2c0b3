//! What a viewer already has (http-edge.md 4, RFC 9110 13).

use std::time::SystemTime;

use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::etag::{self, Compare};
use crate::passage::{is_strong_date, parse_date};

/// What the representation that would be sent is known by.
#[derive(Clone, Debug)]
pub(super) struct Validators {
    pub(super) etag: Option<HeaderValue>,
    pub(super) last_modified: Option<HeaderValue>,
    pub(super) date: SystemTime,
}

/// What the conditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// It is answered as if there were none.
    Met,
    /// 304: the viewer has it.
    NotModified,
    /// 412: it is not what the viewer counts on.
    Failed,
}

/// Judges the conditions of a GET or HEAD that would be answered with 200.
pub(super) fn judge(request: &HeaderMap, current: &Validators) -> Condition {
    let etag = current.etag.as_ref();
    if request.contains_key(IF_MATCH) {
        if !etag::listed(request.get_all(IF_MATCH), etag, Compare::Strong) {
            return Condition::Failed;
        }
    } else if let Some(since) = current.named(request, IF_UNMODIFIED_SINCE)
        && current.modified().is_some_and(|it| it > since)
    {
        return Condition::Failed;
    }
    if request.contains_key(IF_NONE_MATCH) {
        if etag::listed(request.get_all(IF_NONE_MATCH), etag, Compare::Weak) {
            return Condition::NotModified;
        }
    } else if let Some(since) = current.named(request, IF_MODIFIED_SINCE)
        && current.modified().unwrap_or(current.date) <= since
    {
        return Condition::NotModified;
    }
    Condition::Met
}

/// Whether a `Range` counts, as far as `If-Range` says.
pub(super) fn range_counts(request: &HeaderMap, current: &Validators) -> bool {
    let Some(condition) = request.get(IF_RANGE) else { return true };
    if let Some(same) = etag::same(condition, current.etag.as_ref()) {
        return same;
    }
    let is_strong = current.modified().is_some_and(|it| is_strong_date(it, current.date));
    let is_date = current.named(request, IF_RANGE).is_some();
    is_date && is_strong && current.last_modified.as_ref() == Some(condition)
}

impl Validators {
    fn modified(&self) -> Option<SystemTime> {
        parse_date(self.last_modified.as_ref()?, self.date)
    }

    /// The date that a field of the request names.
    fn named(&self, request: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
        parse_date(request.get(name)?, self.date)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EARLIER: &str = "Sun, 15 Jun 2025 11:00:00 GMT";
    const MODIFIED: &str = "Sun, 15 Jun 2025 11:30:00 GMT";
    const JUST_BEFORE: &str = "Sun, 15 Jun 2025 11:59:30 GMT";
    const NOON: &str = "Sun, 15 Jun 2025 12:00:00 GMT";

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        lines.iter().map(field).collect()
    }

    fn validators(etag: Option<&'static str>, last_modified: Option<&'static str>) -> Validators {
        Validators {
            etag: etag.map(HeaderValue::from_static),
            last_modified: last_modified.map(HeaderValue::from_static),
            date: httpdate::parse_http_date(NOON).unwrap(),
        }
    }

    fn check(lines: &[(&'static str, &'static str)], expected: Condition) {
        assert_eq!(judge(&headers(lines), &validators(Some("\"a\""), Some(MODIFIED))), expected, "{lines:?}");
    }

    #[test]
    fn section_4_conditions_are_judged_in_their_order() {
        check(&[], Condition::Met);
        check(&[("if-match", "\"a\"")], Condition::Met);
        check(&[("if-match", "*")], Condition::Met);
        check(&[("if-match", "W/\"a\"")], Condition::Failed);
        check(&[("if-match", "\"a\""), ("if-unmodified-since", EARLIER)], Condition::Met);
        check(&[("if-unmodified-since", EARLIER)], Condition::Failed);
        check(&[("if-unmodified-since", MODIFIED)], Condition::Met);
        check(&[("if-unmodified-since", "yesterday")], Condition::Met);
        check(&[("if-none-match", "W/\"a\"")], Condition::NotModified);
        check(&[("if-none-match", "*")], Condition::NotModified);
        check(&[("if-none-match", "\"b\"")], Condition::Met);
        check(&[("if-none-match", "\"b\""), ("if-modified-since", NOON)], Condition::Met);
        check(&[("if-modified-since", MODIFIED)], Condition::NotModified);
        check(&[("if-modified-since", EARLIER)], Condition::Met);
        check(&[("if-modified-since", "yesterday")], Condition::Met);
        check(&[("if-match", "\"b\""), ("if-none-match", "\"a\"")], Condition::Failed);
        check(&[("if-match", "\"a\""), ("if-none-match", "\"a\"")], Condition::NotModified);
    }

    #[test]
    fn section_4_without_last_modified_the_date_stands_for_it() {
        let current = validators(None, None);
        let modified_since = |it| judge(&headers(&[("if-modified-since", it)]), &current);
        assert_eq!(modified_since(NOON), Condition::NotModified);
        assert_eq!(modified_since(MODIFIED), Condition::Met);
    }

    #[test]
    fn section_7_a_range_counts_only_for_the_same_octets() {
        let check = |current: &Validators, value, expected| {
            assert_eq!(range_counts(&headers(&[("if-range", value)]), current), expected, "{value}");
        };
        let strong = validators(Some("\"a\""), Some(MODIFIED));
        assert!(range_counts(&HeaderMap::new(), &strong));
        check(&strong, "\"a\"", true);
        check(&strong, "\"b\"", false);
        check(&strong, "W/\"a\"", false);
        check(&strong, MODIFIED, true);
        check(&strong, EARLIER, false);
        check(&strong, NOON, false);
        check(&strong, "a", false);
        check(&validators(Some("W/\"a\""), None), "W/\"a\"", false);
        check(&validators(None, Some(JUST_BEFORE)), JUST_BEFORE, false);
    }
}
