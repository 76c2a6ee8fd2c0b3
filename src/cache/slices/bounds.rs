//! Where the slices of a body begin and end.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::SLICE;

/// Pieces whose bounds are known for one body. One more has them forgotten: what lies between them is then fetched anew,
/// by bounds of its own.
const MOST_PIECES: usize = 256;

/// What a pair of bounds takes of memory.
const PAIR_COST: u64 = 48;

/// Where slices begin and end.
#[derive(Debug)]
pub(super) enum Bounds {
    /// All are of one size but the last.
    Even,
    /// They are what was asked for, and what lay between that.
    AsAsked(Mutex<BTreeMap<u64, u64>>),
}

impl Bounds {
    pub(super) const fn as_asked() -> Self {
        Self::AsAsked(Mutex::new(BTreeMap::new()))
    }

    /// Bytes of memory that they may take.
    pub(super) const fn cost(&self) -> u64 {
        match self {
            Self::Even => 0,
            Self::AsAsked(_) => MOST_PIECES as u64 * PAIR_COST,
        }
    }

    /// The slice of a body of `total` octets that `position` lies in. What is not there yet goes to `end`, where whoever
    /// reads ends, to what is there, and no further than a slice of the usual size.
    pub(super) fn around(&self, position: u64, end: u64, total: u64) -> Range<u64> {
        let Self::AsAsked(pieces) = self else {
            let begin = position / SLICE * SLICE;
            return begin..total.min(begin.saturating_add(SLICE));
        };
        let pieces = pieces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((&begin, &until)) = pieces.range(..=position).next_back()
            && position < until
        {
            return begin..until;
        }
        let next = pieces.range(position..).next().map_or(u64::MAX, |(&begin, _)| begin);
        position..end.min(next).min(total).min(position.saturating_add(SLICE))
    }

    /// There is a slice with these bounds.
    pub(super) fn put(&self, slice: &Range<u64>) {
        let Self::AsAsked(pieces) = self else { return };
        let mut pieces = pieces.lock().unwrap_or_else(PoisonError::into_inner);
        if pieces.len() >= MOST_PIECES && !pieces.contains_key(&slice.start) {
            pieces.clear();
        }
        // Two who met a gap at once may have had other ends in mind: neither covers what is another's.
        let before = pieces.range(..=slice.start).next_back().is_some_and(|(_, &until)| until > slice.start);
        let behind = pieces.range(slice.start..).next().is_some_and(|(&begin, _)| begin < slice.end);
        if !before && !behind {
            pieces.insert(slice.start, slice.end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_slices_are_of_one_size_but_the_last() {
        let total = 2 * SLICE + 5;
        assert_eq!(Bounds::Even.around(7, 8, total), 0..SLICE);
        assert_eq!(Bounds::Even.around(2 * SLICE + 1, u64::MAX, total), 2 * SLICE..total);
    }

    #[test]
    fn section_7_only_gaps_are_wanted_between_what_is_there() {
        let bounds = Bounds::as_asked();
        bounds.put(&(10..20));
        bounds.put(&(30..40));
        for (position, end, expected) in
            [(0, 100, 0..10), (5, 8, 5..8), (12, 15, 10..20), (20, 100, 20..30), (40, 100, 40..60)]
        {
            assert_eq!(bounds.around(position, end, 60), expected, "{position}..{end}");
        }
        bounds.put(&(15..35));
        assert_eq!(bounds.around(20, 100, 60), 20..30, "what overlaps is not taken for one piece");
        assert_eq!(bounds.around(50, u64::MAX, u64::MAX), 50..50 + SLICE);
    }

    #[test]
    fn no_more_bounds_are_kept_than_may_be() {
        let bounds = Bounds::as_asked();
        for piece in 0..10_000 {
            bounds.put(&(3 * piece..3 * piece + 1));
        }
        let Bounds::AsAsked(pieces) = bounds else { unreachable!() };
        assert!(pieces.into_inner().unwrap().len() <= MOST_PIECES);
    }
}
