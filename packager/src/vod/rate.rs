//! Bits per second of a playlist, as Apple's validator measures them (RFC 8216bis 4.4.6.2).

use super::columns::{put, take};

/// As many neighbouring segments as any measure of a peak looks at: real ones last seconds, and a crafted one that lasts
/// days would else be compared with all others.
const MAX_RUN: usize = 32;

/// Bits per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) peak: u64,
    pub(super) average: u64,
}

impl Rate {
    /// The same with so many bits a second more.
    pub(super) const fn and(self, more: u64) -> Self {
        Self { peak: self.peak.saturating_add(more), average: self.average.saturating_add(more) }
    }

    /// Of segments of so many seconds and octets.
    pub(super) fn of(segments: impl Iterator<Item = (f64, u64)>) -> Self {
        let facts: Vec<(f64, f64)> =
            segments.map(|(seconds, octets)| (seconds, octets as f64 * 8.0)).collect();
        let all = facts.iter().fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        Self { peak: peak(&facts), average: rate(all) }
    }

    pub(super) fn put(self, record: &mut Vec<u8>) {
        put(record, self.peak);
        put(record, self.average);
    }

    pub(super) fn take(record: &mut &[u8]) -> Option<Self> {
        Some(Self { peak: take(record)?, average: take(record)? })
    }
}

fn rate((seconds, bits): (f64, f64)) -> u64 {
    if seconds > 0.0 { (bits / seconds).ceil() as u64 } else { 0 }
}

/// The highest mean over neighbouring segments that last half to one and a half target durations together; of single
/// segments where no run is so short.
fn peak(facts: &[(f64, f64)]) -> u64 {
    let target = facts.iter().map(|it| it.0).fold(0.0, f64::max).round();
    let mut peak = None;
    for first in 0..facts.len() {
        let mut run = (0.0, 0.0);
        for it in facts.iter().skip(first).take(MAX_RUN) {
            run = (run.0 + it.0, run.1 + it.1);
            if run.0 > 1.5 * target + 0.5 {
                break;
            }
            if run.0 >= 0.5 * target {
                peak = peak.max(Some(rate(run)));
            }
        }
    }
    peak.or_else(|| facts.iter().copied().map(rate).max()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_that_of_the_worst_run_of_about_a_target() {
        let rate = Rate::of([(6.0, 1_500_000), (6.0, 600_000), (3.0, 900_000)].into_iter());
        assert_eq!(rate, Rate { peak: 2_400_000, average: 1_600_000 });
        assert_eq!(Rate::of(std::iter::empty()), Rate::default());
    }
}
