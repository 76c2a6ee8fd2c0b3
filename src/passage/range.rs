//! What a `Range` asks for (http-edge.md 7, RFC 9110 14.1.2).

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::ops::Range;

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

/// Digits; numbers without an end are as good as the largest.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}
