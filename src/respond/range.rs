//! Which parts of a body are sent (http-edge.md 7, RFC 9110 14).

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::ops::Range;

use crate::passage::RangeSpec;

/// Ranges of one answer, after joining; more are a burden and never a player's.
const MOST: usize = 8;

/// Ranges nearer than this are joined: the head of a part takes as much.
const NEAR: u64 = 80;

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it: the ranges are too many to be served apart.
    Whole,
    /// 206 with one part.
    One(Range<u64>),
    /// 206 with several parts, in the order asked.
    Several(Vec<Range<u64>>),
    /// 416: nothing that was asked for is there.
    Nothing,
}

/// What `asked` comes to in a body of `length` octets.
pub(super) fn resolve(asked: &[RangeSpec], length: u64) -> Wanted {
    let mut found: Vec<Range<u64>> = asked.iter().filter_map(|it| it.within(length)).collect();
    if found.is_empty() {
        return Wanted::Nothing;
    }
    join(&mut found);
    match found.len() {
        1 => found.pop().map_or(Wanted::Nothing, Wanted::One),
        2..=MOST => Wanted::Several(found),
        _ => Wanted::Whole,
    }
}

/// Joins what overlaps or is near; each stands where the first of its parts stood.
fn join(ranges: &mut Vec<Range<u64>>) {
    let mut order: Vec<(usize, Range<u64>)> = std::mem::take(ranges).into_iter().enumerate().collect();
    order.sort_unstable_by_key(|(place, range)| (range.start, *place));
    let mut joined: Vec<(usize, Range<u64>)> = Vec::new();
    for (place, range) in order {
        match joined.last_mut() {
            Some((first, last)) if range.start <= last.end.saturating_add(NEAR) => {
                last.end = last.end.max(range.end);
                *first = place.min(*first);
            }
            _ => joined.push((place, range)),
        }
    }
    joined.sort_unstable_by_key(|(place, _)| *place);
    ranges.extend(joined.into_iter().map(|(_, range)| range));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(value: &str, length: u64, expected: Option<Wanted>) {
        assert_eq!(RangeSpec::parse(value).map(|it| resolve(&it, length)), expected, "{value}");
    }

    const fn one(start: u64, end: u64) -> Option<Wanted> {
        Some(Wanted::One(start..end))
    }

    #[test]
    fn section_7_one_range() {
        check("bytes=0-0", 10, one(0, 1));
        check("bytes=2-5", 10, one(2, 6));
        check("bytes=2-", 10, one(2, 10));
        check("bytes=-3", 10, one(7, 10));
        check("bytes=-30", 10, one(0, 10));
        check("Bytes=5-50", 10, one(5, 10));
        check("bytes=0-99999999999999999999", 10, one(0, 10));
        check("bytes= 1-2 , ", 10, one(1, 3));
    }

    #[test]
    fn section_7_what_is_not_there() {
        check("bytes=10-", 10, Some(Wanted::Nothing));
        check("bytes=10-20", 10, Some(Wanted::Nothing));
        check("bytes=-0", 10, Some(Wanted::Nothing));
        check("bytes=0-", 0, Some(Wanted::Nothing));
        check("bytes=-5", 0, Some(Wanted::Nothing));
        check("bytes=99999999999999999999-", 10, Some(Wanted::Nothing));
        check("bytes=20-30, 4-5", 10, one(4, 6));
    }

    #[test]
    fn section_7_what_is_not_understood_is_ignored() {
        for value in
            ["bytes=5-2", "bytes=a-b", "bytes=", "bytes", "items=0-1", "bytes=1", "bytes=--1", "bytes=+1-2"]
        {
            check(value, 10, None);
        }
        check("bytes=5-2, 0-1", 10, None);
        check(&format!("bytes={}", vec!["0-0"; 65].join(",")), 10, None);
    }

    #[test]
    fn section_7_several_ranges_stand_in_the_order_asked() {
        check("bytes=500-509, 0-9", 1000, Some(Wanted::Several(vec![500..510, 0..10])));
        check("bytes=500-509, 0-9, 505-600", 1000, Some(Wanted::Several(vec![500..601, 0..10])));
    }

    #[test]
    fn section_7_what_overlaps_or_is_near_is_joined() {
        check("bytes=0-9, 5-20", 1000, one(0, 21));
        check("bytes=0-9, 90-99", 1000, one(0, 100));
        check("bytes=0-9, 91-99", 1000, Some(Wanted::Several(vec![0..10, 91..100])));
    }

    #[test]
    fn section_7_too_many_ranges_are_answered_with_all() {
        let ranges =
            |count: u64| (0..count).map(|it| format!("{0}-{0}", it * 1000)).collect::<Vec<_>>().join(",");
        assert!(matches!(
            resolve(&RangeSpec::parse(&format!("bytes={}", ranges(8))).unwrap(), 100_000),
            Wanted::Several(it) if it.len() == 8
        ));
        check(&format!("bytes={}", ranges(9)), 100_000, Some(Wanted::Whole));
    }

    proptest! {
        /// Whatever is asked: what is sent lies within the body, does not overlap, and holds every octet asked for.
        #[test]
        fn ranges_are_true(
            asked in prop::collection::vec(
                prop_oneof![
                    (0..2000u64, 0..2000u64).prop_map(|(a, b)| RangeSpec::Between(a.min(b), a.max(b))),
                    (0..2000u64).prop_map(RangeSpec::From),
                    (0..2000u64).prop_map(RangeSpec::Last),
                ],
                1..12,
            ),
            length in 0..1500u64,
        ) {
            let sent = match resolve(&asked, length) {
                Wanted::Whole => return Ok(()),
                Wanted::Nothing => Vec::new(),
                Wanted::One(it) => vec![it],
                Wanted::Several(it) => it,
            };
            for range in &sent {
                prop_assert!(range.start < range.end && range.end <= length);
                let others = sent.iter().filter(|it| *it != range);
                prop_assert!(others.clone().all(|it| it.end <= range.start || range.end <= it.start));
            }
            for range in asked.iter().filter_map(|it| it.within(length)) {
                prop_assert!(sent.iter().any(|it| it.start <= range.start && range.end <= it.end));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,80}") {
            let _ = RangeSpec::parse(&format!("bytes={text}")).map(|it| resolve(&it, 100));
        }
    }
}
