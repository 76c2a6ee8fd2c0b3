//! How many bits a track costs: what playlists announce, and what an operator sees.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Over which time an operator sees rates.
const RECENT: usize = 10;

/// Announced rates are powers of this: a rate that moves by less does not change a playlist.
const STEP: f64 = 1.05;

/// Measures one track.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter {
    peak: u64,
    /// Segments too short to be judged alone are judged with what follows.
    short: (u64, Duration),
    /// What the newest seconds brought: which second, octets, samples.
    recent: VecDeque<(u64, u64, u32)>,
    first: Option<Instant>,
}

impl Meter {
    /// A sample came.
    pub(super) fn sample(&mut self, octets: usize, now: Instant) {
        let first = *self.first.get_or_insert(now);
        let second = now.saturating_duration_since(first).as_secs();
        if self.recent.back().is_none_or(|it| it.0 != second) {
            self.recent.push_back((second, 0, 0));
        }
        while self.recent.len() > RECENT + 1 {
            self.recent.pop_front();
        }
        if let Some(newest) = self.recent.back_mut() {
            newest.1 = newest.1.saturating_add(octets as u64);
            newest.2 = newest.2.saturating_add(1);
        }
    }

    /// A segment closed. The peak is the highest rate of any run of segments that lasts at least half a target duration
    /// (RFC 8216bis 4.4.6.2): a longer run is never above the highest of its parts.
    pub(super) fn segment(&mut self, octets: u64, duration: Duration, target: Duration) {
        let (octets, duration) = (self.short.0.saturating_add(octets), self.short.1 + duration);
        if duration < target / 2 {
            self.short = (octets, duration);
            return;
        }
        self.short = (0, Duration::ZERO);
        self.peak = self.peak.max(rate(octets, duration));
    }

    /// The peak so far, at least `promised`, rounded up so that it seldom moves.
    pub(super) fn bandwidth(&self, promised: u64) -> u64 {
        quantised(self.peak.max(promised))
    }

    /// Bits and samples a second over the last ten whole seconds.
    pub(super) fn recent(&self, now: Instant) -> (u64, f64) {
        let Some(first) = self.first else { return (0, 0.0) };
        // The second that runs is not counted: it is not full.
        let current = now.saturating_duration_since(first).as_secs();
        let whole = current.min(RECENT as u64);
        if whole == 0 {
            return (0, 0.0);
        }
        let counted = self.recent.iter().filter(|it| it.0 < current && it.0 >= current - whole);
        let (octets, samples) =
            counted.fold((0_u64, 0_u64), |sum, it| (sum.0.saturating_add(it.1), sum.1 + u64::from(it.2)));
        (octets.saturating_mul(8) / whole, samples as f64 / whole as f64)
    }
}

/// Bits a second.
pub(super) fn rate(octets: u64, duration: Duration) -> u64 {
    let nanos = duration.as_nanos().max(1);
    u64::try_from(u128::from(octets) * 8 * 1_000_000_000 / nanos).unwrap_or(u64::MAX)
}

/// The next step above a rate, never more than five hundredths above.
pub(super) fn quantised(rate: u64) -> u64 {
    if rate == 0 {
        return 0;
    }
    let steps = (rate as f64).ln() / STEP.ln();
    // A rate that is a step stays where it is, whatever the logarithm's last digit.
    let step = (steps - 1e-6).ceil();
    STEP.powf(step).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Duration = Duration::from_secs(2);

    #[test]
    fn the_peak_never_falls_and_moves_in_steps() {
        let mut meter = Meter::default();
        let mut announced = Vec::new();
        for octets in [250_000, 251_000, 200_000, 300_000] {
            meter.segment(octets, TARGET, TARGET);
            announced.push(meter.bandwidth(0));
        }
        assert_eq!(announced[0], announced[1]);
        assert_eq!(announced[1], announced[2]);
        assert!(announced[3] > announced[2]);
        assert!((1_200_000..1_260_001).contains(&announced[3]), "{announced:?}");
    }

    #[test]
    fn a_short_segment_is_judged_with_the_next() {
        let mut meter = Meter::default();
        meter.segment(100_000, Duration::from_millis(100), TARGET);
        assert_eq!(meter.bandwidth(0), 0);
        meter.segment(150_000, Duration::from_millis(1_900), TARGET);
        assert_eq!(meter.bandwidth(0), quantised(1_000_000));
    }

    #[test]
    fn a_quantised_rate_is_its_own() {
        for rate in [1_000, 64_000, 1_000_000, 50_000_000] {
            let it = quantised(rate);
            assert!(it >= rate && it as f64 <= rate as f64 * 1.05 + 1.0);
            assert_eq!(quantised(it - 1), it);
        }
    }

    #[test]
    fn the_recent_rate_is_that_of_ten_whole_seconds() {
        let mut meter = Meter::default();
        let start = Instant::now();
        for tick in 0..200 {
            meter.sample(if tick < 100 { 10_000 } else { 1_250 }, start + Duration::from_millis(tick * 100));
        }
        assert_eq!(meter.recent(start + Duration::from_millis(20_500)), (100_000, 10.0));
        assert_eq!(Meter::default().recent(start), (0, 0.0));
    }
}
