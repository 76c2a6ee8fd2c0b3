//! Media time that carries its scale.

use std::cmp::Ordering;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

/// Ticks per second of a track (ISO 14496-12 8.4.2 `timescale`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timescale(NonZeroU32);

impl Timescale {
    /// What RTMP counts in.
    pub const MILLISECONDS: Self = Self(NonZeroU32::new(1_000).expect("1000 is not zero"));
    /// What live video is written in: divides evenly by every common frame rate and by milliseconds.
    pub const VIDEO: Self = Self(NonZeroU32::new(90_000).expect("90000 is not zero"));

    /// A timescale, or nothing for zero.
    pub const fn new(ticks_per_second: u32) -> Option<Self> {
        match NonZeroU32::new(ticks_per_second) {
            Some(it) => Some(Self(it)),
            None => None,
        }
    }

    /// Ticks per second.
    pub const fn hertz(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Debug for Timescale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

/// A point or a distance on a track's timeline: signed ticks of a [`Timescale`].
///
/// Two timestamps compare by the time they mean, whatever their scales.
#[derive(Clone, Copy)]
pub struct Timestamp {
    ticks: i64,
    timescale: Timescale,
}

impl Timestamp {
    /// `ticks` of `timescale`.
    pub const fn new(ticks: i64, timescale: Timescale) -> Self {
        Self { ticks, timescale }
    }

    /// The origin of a timeline.
    pub const fn zero(timescale: Timescale) -> Self {
        Self::new(0, timescale)
    }

    /// The nearest tick to a wall-clock distance; saturates beyond 2^63 ticks.
    pub fn from_duration(duration: Duration, timescale: Timescale) -> Self {
        let ticks = (duration.as_nanos() * u128::from(timescale.hertz()) + 500_000_000) / 1_000_000_000;
        Self::new(i64::try_from(ticks).unwrap_or(i64::MAX), timescale)
    }

    /// Signed ticks.
    pub const fn ticks(self) -> i64 {
        self.ticks
    }

    /// The scale the ticks count in.
    pub const fn timescale(self) -> Timescale {
        self.timescale
    }

    /// The same time in another scale, rounded to the nearest tick; saturates.
    pub fn rescale(self, timescale: Timescale) -> Self {
        if timescale == self.timescale {
            return self;
        }
        let (from, to) = (i64::from(self.timescale.hertz()), i64::from(timescale.hertz()));
        // Nearly all products have 64 bits, and playlists divide thousands of them.
        let twice = self.ticks.checked_mul(to * 2).and_then(|it| it.checked_add(from));
        if let Some(twice) = twice {
            return Self::new(twice.div_euclid(from * 2), timescale);
        }
        let (from, to) = (i128::from(from), i128::from(to));
        let ticks = (i128::from(self.ticks) * to * 2 + from).div_euclid(from * 2);
        Self::new(ticks.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64, timescale)
    }

    /// `self + ticks` of the same scale; saturates.
    pub const fn plus(self, ticks: i64) -> Self {
        Self::new(self.ticks.saturating_add(ticks), self.timescale)
    }

    /// The distance from `earlier` to `self`, in the scale of `self`; saturates.
    pub fn since(self, earlier: Self) -> Self {
        Self::new(self.ticks.saturating_sub(earlier.rescale(self.timescale).ticks), self.timescale)
    }

    /// Seconds, for printing and for rates.
    pub fn seconds(self) -> f64 {
        self.ticks as f64 / f64::from(self.timescale.hertz())
    }

    /// As an unsigned distance; nothing below zero.
    pub fn to_duration(self) -> Duration {
        let Ok(ticks) = u128::try_from(self.ticks) else { return Duration::ZERO };
        let nanos = ticks * 1_000_000_000 / u128::from(self.timescale.hertz());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl PartialEq for Timestamp {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Timestamp {}

impl PartialOrd for Timestamp {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timestamp {
    fn cmp(&self, other: &Self) -> Ordering {
        let left = i128::from(self.ticks) * i128::from(other.timescale.hertz());
        let right = i128::from(other.ticks) * i128::from(self.timescale.hertz());
        left.cmp(&right)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ticks, self.timescale.hertz())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HZ_44100: Timescale = Timescale::new(44_100).unwrap();

    #[test]
    fn a_timestamp_equals_the_same_time_in_another_scale() {
        assert_eq!(Timestamp::new(1_500, Timescale::MILLISECONDS), Timestamp::new(135_000, Timescale::VIDEO));
        assert!(Timestamp::new(1, Timescale::VIDEO) < Timestamp::new(1, Timescale::MILLISECONDS));
    }

    #[test]
    fn rescaling_rounds_to_the_nearest_tick_on_both_sides_of_zero() {
        let ms = |ticks| Timestamp::new(ticks, Timescale::MILLISECONDS).rescale(HZ_44100).ticks();
        assert_eq!([ms(23), ms(-23), ms(1_000), ms(0)], [1_014, -1_014, 44_100, 0]);
    }

    proptest! {
        #[test]
        fn rescaling_to_a_finer_scale_and_back_is_identity(ms in -1_i64 << 40..1_i64 << 40) {
            let it = Timestamp::new(ms, Timescale::MILLISECONDS);
            prop_assert_eq!(it.rescale(Timescale::VIDEO).rescale(Timescale::MILLISECONDS).ticks(), ms);
        }
    }
}
