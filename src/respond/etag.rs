//! Entity tags: lists of them, and whether two are the same.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use http::HeaderValue;
use http::header::GetAll;

/// How two tags are compared (RFC 9110 8.8.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    /// Both must be strong.
    Strong,
    /// `W/` is not looked at.
    Weak,
}

/// A tag: whether it is weak, and what stands between its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tag<'a> {
    weak: bool,
    opaque: &'a [u8],
}

impl<'a> Tag<'a> {
    /// The tag at the beginning of `text`, and what follows it.
    fn split(text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (weak, quoted) = match text.strip_prefix(b"W/") {
            Some(quoted) => (true, quoted),
            None => (false, text),
        };
        let inner = quoted.strip_prefix(b"\"")?;
        let end = inner.iter().position(|&it| it == b'"')?;
        let (opaque, rest) = inner.split_at_checked(end)?;
        Some((Self { weak, opaque }, rest.get(1..)?))
    }

    fn of(value: &'a HeaderValue) -> Option<Self> {
        let (tag, rest) = Self::split(value.as_bytes().trim_ascii())?;
        rest.is_empty().then_some(tag)
    }

    fn is(&self, other: &Self, compare: Compare) -> bool {
        let strong_enough = compare == Compare::Weak || !(self.weak || other.weak);
        strong_enough && self.opaque == other.opaque
    }
}

/// Whether a list of tags, as a request sends it, is `*` or has `current`.
///
/// Commas inside quotes belong to the tag; what is not quoted matches nothing.
pub(super) fn listed(
    lists: GetAll<'_, HeaderValue>,
    current: Option<&HeaderValue>,
    compare: Compare,
) -> bool {
    let current = current.and_then(Tag::of);
    lists.iter().any(|list| {
        if list.as_bytes().trim_ascii() == b"*" {
            return true;
        }
        let Some(current) = current else { return false };
        let mut rest = list.as_bytes();
        loop {
            rest = rest.trim_ascii_start();
            match Tag::split(rest) {
                Some((tag, _)) if tag.is(&current, compare) => return true,
                Some((_, after)) => rest = after,
                None => {}
            }
            match rest.iter().position(|&it| it == b',').and_then(|it| rest.get(it.saturating_add(1)..)) {
                Some(after) => rest = after,
                None => return false,
            }
        }
    })
}

/// Whether one tag, as `If-Range` sends it, is `current`; none when it is no tag.
pub(super) fn same(value: &HeaderValue, current: Option<&HeaderValue>) -> Option<bool> {
    let tag = Tag::of(value)?;
    Some(current.and_then(Tag::of).is_some_and(|it| it.is(&tag, Compare::Strong)))
}

/// `"x"` → `"x-br"`: another form of the octets has another tag, as strong as the first. None for what is no tag.
pub(super) fn suffixed(etag: &HeaderValue, suffix: &str) -> Option<HeaderValue> {
    let tag = Tag::of(etag)?;
    let mut text = Vec::with_capacity(etag.len().saturating_add(suffix.len()).saturating_add(1));
    text.extend_from_slice(if tag.weak { b"W/\"" } else { b"\"" });
    text.extend_from_slice(tag.opaque);
    text.push(b'-');
    text.extend_from_slice(suffix.as_bytes());
    text.push(b'"');
    HeaderValue::from_bytes(&text).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::IF_NONE_MATCH;

    use super::*;

    fn check(list: &'static str, current: Option<&'static str>, compare: Compare, expected: bool) {
        let headers: HeaderMap = [(IF_NONE_MATCH, HeaderValue::from_static(list))].into_iter().collect();
        let current = current.map(HeaderValue::from_static);
        assert_eq!(listed(headers.get_all(IF_NONE_MATCH), current.as_ref(), compare), expected, "{list}");
    }

    #[test]
    fn section_4_weak_comparison_does_not_look_at_the_mark() {
        check("W/\"a\"", Some("\"a\""), Compare::Weak, true);
        check("\"a\"", Some("W/\"a\""), Compare::Weak, true);
        check("W/\"a\"", Some("\"a\""), Compare::Strong, false);
        check("W/\"a\"", Some("W/\"a\""), Compare::Strong, false);
        check("\"a\"", Some("\"a\""), Compare::Strong, true);
    }

    #[test]
    fn section_4_a_list_is_looked_through_to_its_end() {
        check("\"b\", \"a\"", Some("\"a\""), Compare::Strong, true);
        check("\"b\",,\"a\"", Some("\"a\""), Compare::Strong, true);
        check("\"x,\\\", \"a\"", Some("\"a\""), Compare::Strong, true);
        check("\"a,b\"", Some("\"a,b\""), Compare::Strong, true);
        check("\"a,b\"", Some("\"b\""), Compare::Strong, false);
        check("*", None, Compare::Strong, true);
        check("\"a\"", None, Compare::Weak, false);
    }

    #[test]
    fn section_4_what_is_not_quoted_matches_nothing() {
        check("a", Some("\"a\""), Compare::Weak, false);
        check("\"a", Some("\"a\""), Compare::Weak, false);
        check("a, \"a\"", Some("\"a\""), Compare::Weak, true);
        check("w/\"a\"", Some("\"a\""), Compare::Weak, false);
        check("\"a\"", Some("a"), Compare::Weak, false);
    }

    #[test]
    fn a_form_of_the_octets_has_a_tag_of_its_own() {
        let check = |etag: &'static str, expected: Option<&'static str>| {
            let suffixed = suffixed(&HeaderValue::from_static(etag), "br");
            assert_eq!(suffixed, expected.map(HeaderValue::from_static));
        };
        check("\"a\"", Some("\"a-br\""));
        check("W/\"a\"", Some("W/\"a-br\""));
        check("a", None);
    }
}
