//! What a `Range` asks for, and a `Content-Range` says (http-edge.md 7, RFC 9110 14).

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::ops::Range;

use http::HeaderMap;
use http::header::CONTENT_RANGE;

/// Ranges of one field that are looked at before it is ignored.
const MOST_ASKED: usize = 64;

/// One range, as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeSpec {
    /// `a-b`
    Between(u64, u64),
    /// `a-`
    From(u64),
    /// `-n`
    Last(u64),
}

impl RangeSpec {
    /// Reads a `Range`; none for another unit or a form that is not understood, which is ignored.
    pub fn parse(value: &str) -> Option<Vec<Self>> {
        let (unit, set) = value.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let mut asked = Vec::new();
        for spec in set.split(',').map(|it| it.trim_matches([' ', '\t'])).filter(|it| !it.is_empty()) {
            if asked.len() == MOST_ASKED {
                return None;
            }
            let (first, last) = spec.split_once('-')?;
            asked.push(match (first, last) {
                ("", last) => Self::Last(number(last)?),
                (first, "") => Self::From(number(first)?),
                (first, last) => {
                    let (first, last) = (number(first)?, number(last)?);
                    if first > last {
                        return None;
                    }
                    Self::Between(first, last)
                }
            });
        }
        (!asked.is_empty()).then_some(asked)
    }

    /// The octets of it that are there in a body of that length; none when there are none.
    pub fn within(self, length: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::Between(first, last) => first..last.saturating_add(1).min(length),
            Self::From(first) => first..length,
            Self::Last(count) => length.saturating_sub(count)..length,
        };
        (range.start < range.end).then_some(range)
    }
}

/// What an origin says of the part that it sends: `bytes 0-9/100` (RFC 9110 14.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// Which octets of the whole.
    pub octets: Range<u64>,
    /// Octets of the whole; none where it says `*`.
    pub total: Option<u64>,
}

impl ContentRange {
    /// Of an answer with these fields; none where it says none, or something that cannot be.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(CONTENT_RANGE).iter();
        let (value, None) = (values.next()?.to_str().ok()?, values.next()) else { return None };
        let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let number = |it: &str| it.parse::<u64>().ok().filter(|_| !it.starts_with('+'));
        let (first, last) = (number(first)?, number(last)?);
        let total = if total == "*" { None } else { Some(number(total)?) };
        let is_legal = first <= last && last < total.unwrap_or(u64::MAX);
        is_legal.then(|| Self { octets: first..last.saturating_add(1), total })
    }
}

/// Digits; numbers without an end are as good as the largest.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        fields.iter().map(field).collect()
    }

    #[test]
    fn section_7_a_content_range_is_read_whole_or_not_at_all() {
        let check = |value: &'static str, expected: Option<(Range<u64>, Option<u64>)>| {
            let found = ContentRange::of(&headers(&[("content-range", value)]));
            assert_eq!(found, expected.map(|(octets, total)| ContentRange { octets, total }), "{value}");
        };
        check("bytes 0-9/100", Some((0..10, Some(100))));
        check("bytes 90-99/100", Some((90..100, Some(100))));
        check("bytes 0-9/*", Some((0..10, None)));
        for wrong in [
            "bytes */100",
            "bytes 9-0/100",
            "bytes 0-100/100",
            "bytes 0-18446744073709551615/*",
            "items 0-9/100",
            "bytes 0-9",
            "bytes +0-9/100",
        ] {
            check(wrong, None);
        }
        let twice = [("content-range", "bytes 0-9/100"), ("content-range", "bytes 0-9/100")];
        assert_eq!(ContentRange::of(&headers(&twice)), None);
    }
}
