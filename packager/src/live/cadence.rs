//! How long the samples of a track usually last.

use std::collections::VecDeque;

/// Enough to outvote some dropped pictures, few enough to follow a changed frame rate within half a second.
const MEMORY: usize = 16;

/// The usual distance of a track's samples, in ticks, from those that came last.
#[derive(Clone, Debug)]
pub(super) struct Cadence {
    usual: i64,
    last: Option<i64>,
    distances: VecDeque<i64>,
    /// Two distances are the same when they differ by no more: timestamps of RTMP are whole milliseconds.
    rounding: i64,
}

impl Cadence {
    /// Until samples say otherwise, `usual` ticks of a timescale of `hertz`.
    pub(super) fn new(usual: i64, hertz: u32) -> Self {
        Self {
            usual: usual.max(1),
            last: None,
            distances: VecDeque::with_capacity(MEMORY),
            rounding: i64::from(hertz) / 1_000,
        }
    }

    /// A sample came.
    pub(super) fn observe(&mut self, at: i64) {
        let Some(last) = self.last.replace(at) else { return };
        if self.distances.len() == MEMORY {
            self.distances.pop_front();
        }
        self.distances.push_back(at.saturating_sub(last).max(1));
        self.usual = self.settled();
    }

    /// What comes next stands on another timeline.
    pub(super) fn interrupt(&mut self) {
        self.last = None;
    }

    /// How much shorter than usual the next sample may last for rounding alone; nothing where all lasted the same.
    pub(super) fn rounding(&self) -> i64 {
        let even = self.distances.iter().all(|it| *it == self.usual);
        if even { 0 } else { self.rounding }
    }

    /// How long the next sample will probably last.
    pub(super) const fn usual(&self) -> i64 {
        self.usual
    }

    /// The mean of those distances that differ from the median by rounding alone: 33, 33, 34 and a dropped picture's 67
    /// make 33 1/3.
    fn settled(&self) -> i64 {
        let mut sorted: [i64; MEMORY] = [i64::MAX; MEMORY];
        for (slot, distance) in sorted.iter_mut().zip(&self.distances) {
            *slot = *distance;
        }
        sorted.sort_unstable();
        let median = sorted[self.distances.len() / 2];
        let alike = self.distances.iter().filter(|it| (**it - median).abs() <= self.rounding + 1);
        let (sum, count) = alike.fold((0, 0), |(sum, count), it| (sum + it, count + 1));
        // Rounded to the nearest tick; the median itself is always among those counted.
        (sum + count / 2) / count.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual(distances: &[i64]) -> i64 {
        let mut it = Cadence::new(40, 1_000);
        let mut at = 0;
        it.observe(at);
        for distance in distances {
            at += distance;
            it.observe(at);
        }
        it.usual()
    }

    #[test]
    fn the_usual_distance_averages_rounding_and_forgets_dropped_pictures() {
        assert_eq!(usual(&[]), 40);
        assert_eq!(usual(&[33]), 33);
        assert_eq!(usual(&[330, 330, 340].repeat(5)), 330);
        assert_eq!(usual(&[33, 33, 34, 67, 33, 33, 34, 1_000]), 33);
        assert_eq!(usual(&[&[33; 20][..], &[100; 16]].concat()), 100);
    }

    #[test]
    fn only_uneven_samples_are_rounded() {
        let mut it = Cadence::new(3_000, 90_000);
        (0..20).for_each(|at| it.observe(at * 3_000));
        assert_eq!(it.rounding(), 0);
        it.observe(20 * 3_000 + 60);
        assert_eq!(it.rounding(), 90);
    }

    #[test]
    fn samples_at_one_time_still_have_a_distance() {
        assert_eq!(usual(&[0; 20]), 1);
    }
}
