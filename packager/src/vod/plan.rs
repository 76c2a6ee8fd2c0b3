//! Where the segments of a stored title begin.
//!
//! A pure function of the key frames and the target: the same for a playlist, a segment, any server, any time. The
//! grid of targets does not move with the boundaries chosen, so a title cut at 6 s has its hundredth boundary near
//! 600 s.

use std::time::Duration;

use crate::media::Timestamp;

/// What all tracks of a title are cut by.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The first moment of the presentation.
    pub(super) origin: Timestamp,
    /// Where segments begin; the first is where everything does.
    pub(super) boundaries: Vec<Timestamp>,
    /// How far from a boundary a key frame may stand that is meant by it.
    pub(super) tolerance: Duration,
    /// A rest at the end that is shorter is no segment of its own.
    pub(super) sliver: Duration,
}

/// What is left at the end and shorter than this joins the segment before it.
pub(super) fn sliver(target: Duration) -> Duration {
    (target / 2).min(Duration::from_secs(3))
}

/// Boundaries at key frames: the first of `keys`, then for each line of a grid of `target` the key nearest to it,
/// the earlier of two equally near. A line whose nearest key begins a segment already is passed over, so no segment
/// is empty; what would be left at the end and is short joins the segment before it.
///
/// `keys` ascend.
pub(super) fn at_keys(keys: &[Timestamp], end: Timestamp, target: Duration) -> Vec<Timestamp> {
    let Some(&first) = keys.first() else { return Vec::new() };
    let grid = Grid::new(first, end, target);
    let mut boundaries = vec![first];
    let mut previous = first;
    for line in grid.lines() {
        let Some(key) = nearest(keys, line) else { continue };
        if key.since(previous) >= grid.shortest && key <= grid.last {
            boundaries.push(key);
            previous = key;
        }
    }
    boundaries
}

/// How long the longest of the segments lasts that begin at `boundaries`.
pub(super) fn longest(boundaries: &[Timestamp], end: Timestamp) -> Duration {
    let ends = boundaries.iter().skip(1).copied().chain([end]);
    boundaries.iter().zip(ends).map(|(start, end)| end.since(*start).to_duration()).max().unwrap_or_default()
}

/// Boundaries on the grid itself, for a title without pictures: every frame of sound is a legal start.
pub(super) fn at_grid(start: Timestamp, end: Timestamp, target: Duration) -> Vec<Timestamp> {
    let grid = Grid::new(start, end, target);
    std::iter::once(start).chain(grid.lines().filter(|it| *it <= grid.last)).collect()
}

/// Those of `keys` that `others` has too, give or take `tolerance`. Both ascend.
pub(super) fn common(keys: &[Timestamp], others: &[Timestamp], tolerance: Duration) -> Vec<Timestamp> {
    let near = |key: Timestamp| {
        nearest(others, key).is_some_and(|it| key.since(it).max(it.since(key)).to_duration() <= tolerance)
    };
    keys.iter().copied().filter(|key| near(*key)).collect()
}

/// The one of `times`, which ascend, that is nearest to `to`.
pub(super) fn nearest(times: &[Timestamp], to: Timestamp) -> Option<Timestamp> {
    let after = times.partition_point(|it| *it <= to);
    let earlier = after.checked_sub(1).and_then(|at| times.get(at).copied());
    let later = times.get(after).copied();
    match (earlier, later) {
        (Some(earlier), Some(later)) if later.since(to) < to.since(earlier) => Some(later),
        (earlier, later) => earlier.or(later),
    }
}

struct Grid {
    start: Timestamp,
    end: Timestamp,
    step: Timestamp,
    /// Two boundaries nearer than this are one: a request for less costs more than it brings.
    shortest: Timestamp,
    /// A boundary later than this would leave a sliver at the end.
    last: Timestamp,
}

impl Grid {
    fn new(start: Timestamp, end: Timestamp, target: Duration) -> Self {
        let scaled = |it: Duration| Timestamp::from_duration(it, start.timescale());
        let sliver = scaled(sliver(target));
        Self {
            start,
            end,
            step: scaled(target),
            shortest: scaled((target / 4).max(Duration::from_millis(500))),
            last: end.rescale(start.timescale()).plus(sliver.ticks().saturating_neg()),
        }
    }

    fn lines(&self) -> impl Iterator<Item = Timestamp> {
        let step = self.step.ticks().max(1);
        (1..).map(move |n: i64| self.start.plus(step.saturating_mul(n))).take_while(|line| *line < self.end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::Timescale;

    fn ms(ticks: i64) -> Timestamp {
        Timestamp::new(ticks, Timescale::MILLISECONDS)
    }

    fn check(keys: impl IntoIterator<Item = i64>, end: i64, expected: &[i64]) {
        let keys: Vec<Timestamp> = keys.into_iter().map(ms).collect();
        let boundaries = at_keys(&keys, ms(end), Duration::from_secs(6));
        assert_eq!(boundaries.iter().map(|it| it.ticks()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn key_frames_on_the_grid_are_the_boundaries() {
        check((0..9).map(|n| n * 2_000), 18_000, &[0, 6_000, 12_000]);
    }

    #[test]
    fn the_nearest_key_frame_wins_and_the_grid_does_not_drift() {
        check(
            (0..20).map(|n| n * 2_500),
            50_000,
            &[0, 5_000, 12_500, 17_500, 25_000, 30_000, 35_000, 42_500],
        );
    }

    #[test]
    fn a_long_gap_between_key_frames_leaves_no_empty_segment() {
        check([0, 20_000, 40_000], 60_000, &[0, 20_000, 40_000]);
    }

    #[test]
    fn a_short_rest_joins_the_last_segment() {
        check((0..8).map(|n| n * 2_000), 14_500, &[0, 6_000]);
        check((0..8).map(|n| n * 2_000), 15_000, &[0, 6_000, 12_000]);
    }

    #[test]
    fn two_key_frames_beside_each_other_make_no_sliver() {
        check([0, 8_900, 9_100, 18_000], 24_000, &[0, 8_900, 18_000]);
    }

    #[test]
    fn one_key_frame_is_one_segment() {
        check([0], 100_000, &[0]);
    }

    #[test]
    fn sound_alone_is_cut_on_the_grid() {
        let boundaries = at_grid(ms(0), ms(20_000), Duration::from_secs(6));
        assert_eq!(boundaries, [ms(0), ms(6_000), ms(12_000)]);
    }

    #[test]
    fn key_frames_are_common_within_the_tolerance_whatever_their_scales() {
        let other: Vec<_> = [0, 90_080, 270_000].map(|it| Timestamp::new(it, Timescale::VIDEO)).to_vec();
        let keys = [0, 1_000, 2_000, 3_000].map(ms);
        assert_eq!(common(&keys, &other, Duration::from_millis(2)), [ms(0), ms(1_000), ms(3_000)]);
    }

    proptest! {
        #[test]
        fn boundaries_are_key_frames_that_ascend_and_none_is_too_near(
            gaps in prop::collection::vec(1_i64..15_000, 1..200),
            rest in 1_i64..10_000,
        ) {
            let keys: Vec<_> = gaps.iter().scan(0, |at, gap| { let it = *at; *at += gap; Some(ms(it)) }).collect();
            let end = keys[keys.len() - 1].plus(rest);
            let boundaries = at_keys(&keys, end, Duration::from_secs(6));
            prop_assert_eq!(boundaries[0], keys[0]);
            for pair in boundaries.windows(2) {
                prop_assert!(keys.contains(&pair[1]));
                prop_assert!(pair[1].since(pair[0]).ticks() >= 1_500);
            }
            if boundaries.len() > 1 {
                prop_assert!(end.since(boundaries[boundaries.len() - 1]).ticks() >= 3_000);
            }
        }
    }
}
