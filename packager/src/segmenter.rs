//! Where parts and segments begin; nothing else decides that.
//!
//! Cuts are a function of time and key frames alone: two renditions of one broadcast cut alike without talking.
//! Takes times on a track's timeline, says where something ends. Knows no bytes, no names and no wall clock.
//!
//! ```text
//! key frames ─▶ Segmenter ─▶ cut times ─▶ every track cuts at its first sample there
//! samples of one track ─▶ Slices ─▶ where its open part ends
//! ```

use std::time::Duration;

use crate::media::{Sync, Timescale, Timestamp};

/// No target duration is longer (seconds): a longer group of pictures would cost every viewer as much delay.
pub const MAX_TARGET_DURATION: u32 = 10;

/// The first segment of a broadcast ends at the first key frame so late, whatever the target: what a viewer who waits
/// for the first playlist waits for.
pub const FIRST_SEGMENT: Duration = Duration::from_millis(900);

/// How far a segment may pass the target duration when a key frame is expected there: `EXTINF` rounded to the nearest
/// second must not exceed the target (RFC 8216bis 4.4.3.1), which leaves half a second less what follows.
const SLACK: Duration = Duration::from_millis(300);

/// How much longer the other track waits: of two tracks side by side the leading one decides.
const FOLLOWER_SLACK: Duration = Duration::from_millis(60);

/// A part may end so long before the segment it is the last of, for lack of anything to put into the rest.
const REST: Duration = Duration::from_millis(50);

/// Timestamps of RTMP are whole milliseconds, so a distance may read a millisecond too long or too short.
const ROUNDING: Duration = Duration::from_millis(1);

/// A part other than the last of its segment lasts at least so many hundredths of the part target (RFC 8216bis 4.4.4.9).
const LEAST_PART: i64 = 85;

/// The target duration of a broadcast whose segments aim at `segment` and whose first group of pictures lasts `gop`.
pub fn target_duration(segment: Duration, gop: Duration) -> u32 {
    // A tenth above a whole second still rounds down to it; the jitter of a clock must not cost a second of delay.
    let longest = segment.max(gop.saturating_sub(Duration::from_millis(100)));
    let seconds = longest.as_secs() + u64::from(longest.subsec_nanos() > 0);
    u32::try_from(seconds).unwrap_or(u32::MAX).clamp(1, MAX_TARGET_DURATION)
}

/// No segment of any track is longer under that target duration.
pub fn longest_segment(target_duration: u32) -> Duration {
    Duration::from_secs(u64::from(target_duration)) + SLACK + FOLLOWER_SLACK
}

/// The part target of a broadcast whose slowest track has samples of `sample`: as many of them as go into `part`, at
/// least one, with a millisecond for RTMP's rounding. (That millisecond counts for `part` as well: a third of a second
/// can only be written as 333 ms, and ten pictures at 30 per second are meant to go into it.)
pub fn part_target(part: Duration, sample: Duration) -> Duration {
    let sample = sample.clamp(ROUNDING, Duration::from_secs(u64::from(MAX_TARGET_DURATION)));
    let count = ((part + ROUNDING).as_nanos() / sample.as_nanos()).max(1);
    let exact = sample.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX)).saturating_add(ROUNDING);
    Duration::from_millis(u64::try_from(exact.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX))
}

/// Why a segment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// At a key frame.
    AtKey,
    /// The target duration was reached and no key frame is near.
    Forced,
}

/// Ends segments, looking at the leading track: video, or audio where there is no video.
#[derive(Debug)]
pub struct Segmenter {
    aim: i64,
    target: i64,
    limit: i64,
    timescale: Timescale,
    later_aim: i64,
    start: i64,
    last_key: Option<i64>,
    gop: Option<i64>,
    gop_before: Option<i64>,
    /// The newest cut was made before a sample that has not come yet.
    ahead: bool,
}

/// Whether the first segment is to come early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// Of a broadcast that nobody could watch before: [`FIRST_SEGMENT`] holds.
    Broadcast,
    /// Of an epoch of a broadcast that has a playlist.
    Epoch,
}

impl Segmenter {
    /// A first segment begins at `start`, in the timescale of the leading track.
    pub fn new(segment: Duration, target_duration: u32, beginning: Beginning, start: Timestamp) -> Self {
        let timescale = start.timescale();
        let ticks = |it| Timestamp::from_duration(it, timescale).ticks();
        let target = Duration::from_secs(u64::from(target_duration));
        let later_aim = ticks(segment.min(target));
        Self {
            aim: if beginning == Beginning::Broadcast {
                later_aim.min(ticks(FIRST_SEGMENT))
            } else {
                later_aim
            },
            target: ticks(target),
            limit: ticks(target + SLACK),
            timescale,
            later_aim,
            start: start.ticks(),
            last_key: None,
            gop: None,
            gop_before: None,
            ahead: false,
        }
    }

    /// Where a segment ends in the hole before a sample at `at`; ask again until nothing is said.
    pub fn hole(&mut self, at: Timestamp) -> Option<Timestamp> {
        self.pass(at, self.limit)
    }

    /// As [`hole`](Self::hole), for a sample of the other track: where it has outrun the leading one, its time counts.
    pub fn follower(&mut self, at: Timestamp) -> Option<Timestamp> {
        let slack = Timestamp::from_duration(FOLLOWER_SLACK, self.timescale).ticks();
        self.pass(at, self.limit.saturating_add(slack))
    }

    /// Whether a segment ends before this sample of the leading track, which will last about `lasting`.
    pub fn sample(&mut self, at: Timestamp, lasting: i64, sync: Sync) -> Option<Cut> {
        let at = at.rescale(self.timescale).ticks();
        let cut = match sync {
            Sync::Key => self.at_key(at).then_some(Cut::AtKey),
            Sync::Delta => self.overdue(at, lasting).then_some(Cut::Forced),
        };
        self.ahead = false;
        if cut.is_some() {
            self.begin(at);
        }
        cut
    }

    /// Whether the next sample of the leading track, which is due at `next`, will be a key frame that ends the segment: so
    /// that the segment's last part need not wait for it. Foreseen is only what key frames at even distances promise; one
    /// that comes late all the same leaves a segment that begins some pictures before it.
    pub fn foresee(&mut self, next: Timestamp, lasting: i64) -> bool {
        let next = next.rescale(self.timescale).ticks();
        let (Some(key), Some(gop), Some(before)) = (self.last_key, self.gop, self.gop_before) else {
            return false;
        };
        let near = |a: i64, b: i64| a.saturating_sub(b).saturating_abs().saturating_mul(2) <= lasting;
        if !near(gop, before) || !near(key.saturating_add(gop), next) {
            return false;
        }
        let elapsed = next.saturating_sub(self.start);
        // A key frame a millisecond early counts as on time.
        let rounding = Timestamp::from_duration(ROUNDING, self.timescale).ticks();
        let cut = elapsed.saturating_add(rounding) >= self.aim || elapsed.saturating_add(gop) > self.limit;
        if cut {
            self.begin(next);
            self.ahead = true;
        }
        cut
    }

    fn pass(&mut self, at: Timestamp, limit: i64) -> Option<Timestamp> {
        let at = at.rescale(self.timescale).ticks();
        if at.saturating_sub(self.start) <= limit {
            return None;
        }
        self.begin(self.start.saturating_add(limit));
        self.ahead = true;
        Some(Timestamp::new(self.start, self.timescale))
    }

    fn begin(&mut self, at: i64) {
        self.start = at;
        self.aim = self.later_aim;
    }

    fn at_key(&mut self, at: i64) -> bool {
        let elapsed = at.saturating_sub(self.start);
        let gop = self.last_key.replace(at).map(|it| at.saturating_sub(it));
        if gop.is_some() {
            self.gop_before = std::mem::replace(&mut self.gop, gop);
        }
        // A key frame soon after a cut that was made before it came need not cut again.
        let begins = self.ahead && elapsed <= self.limit - self.target;
        if elapsed <= 0 || begins {
            return false;
        }
        // Waiting for the next key frame must not lead past the limit: better a short segment than one cut between
        // key frames.
        elapsed >= self.aim || elapsed.saturating_add(self.gop.unwrap_or(0)) > self.limit
    }

    fn overdue(&self, at: i64, lasting: i64) -> bool {
        let elapsed = at.saturating_sub(self.start);
        if elapsed < self.target {
            return false;
        }
        let expected = self.last_key.zip(self.gop).map(|(key, gop)| key.saturating_add(gop));
        // One that is overdue may come any moment: it is waited for as long as the limit allows.
        let slack = self.limit - self.target;
        let near = expected
            .is_some_and(|it| it.saturating_add(slack) >= at && it.saturating_sub(self.start) <= self.limit);
        !near || elapsed.saturating_add(lasting) > self.limit
    }
}

/// Cuts one track into parts: slices of its timeline, each at most the part target and, a segment's last aside, at
/// least 85 % of it.
///
/// A slice ends with the sample that fills it, at the time when the next one is due; nobody waits for that next one to
/// come. A sample that lasts longer than its slice has room for reaches into the next slice, which may then be empty:
/// so no part is ever longer than the target, however the frame rate varies.
#[derive(Debug)]
pub struct Slices {
    target: i64,
    rest: i64,
    start: i64,
}

impl Slices {
    /// The first slice begins at `start`, in the track's timescale.
    pub fn new(part_target: Duration, start: Timestamp) -> Self {
        let nanos = part_target.as_nanos() * u128::from(start.timescale().hertz());
        let target = i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX).max(1);
        let rest = Timestamp::from_duration(REST, start.timescale()).ticks().min(target / 2);
        Self { target, rest, start: start.ticks() }
    }

    /// Where the open slice begins.
    pub const fn start(&self) -> i64 {
        self.start
    }

    /// A part may end so long before its segment does.
    pub const fn rest(&self) -> i64 {
        self.rest
    }

    /// Ends the open slice at `end`; gives its length.
    pub const fn end(&mut self, end: i64) -> i64 {
        let length = end.saturating_sub(self.start);
        self.start = end;
        length
    }

    /// Where the open slice ends before a sample at `at` is taken in; ask again until nothing is said.
    pub fn end_before(&self, at: i64, lasting: i64, fill: Fill) -> Option<i64> {
        let filled = at.saturating_sub(self.start);
        if filled >= self.target {
            return Some(self.start.saturating_add(self.target));
        }
        let fits = filled.saturating_add(lasting) <= self.target;
        (fill == Fill::Samples && !fits && self.is_long_enough(filled)).then_some(at)
    }

    /// Where the open slice ends now that it has a sample that is due to end at `end` and to be followed by one as long.
    pub fn end_after(&self, end: i64, lasting: i64) -> Option<i64> {
        let filled = end.saturating_sub(self.start);
        if filled > self.target {
            return Some(self.start.saturating_add(self.target));
        }
        let next_fits = filled.saturating_add(lasting) <= self.target;
        (!next_fits && self.is_long_enough(filled)).then_some(end)
    }

    /// Where the open slice ends when its segment ends at `end`; ask again until nothing is said.
    ///
    /// A small rest without samples is left to the next segment: it comes of jitter.
    pub fn end_at_segment(&self, end: i64, fill: Fill) -> Option<i64> {
        let rest = end.saturating_sub(self.start);
        if rest > self.target {
            return Some(self.start.saturating_add(self.target));
        }
        match fill {
            Fill::Samples => Some(end.max(self.start.saturating_add(1))),
            Fill::Nothing => (rest > self.rest).then_some(end),
        }
    }

    const fn is_long_enough(&self, length: i64) -> bool {
        length.saturating_mul(100) >= self.target.saturating_mul(LEAST_PART)
    }
}

/// What an open slice has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// No sample begins in it.
    Nothing,
    /// Some do.
    Samples,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(it: u64) -> Duration {
        Duration::from_millis(it)
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::new(ms, Timescale::MILLISECONDS)
    }

    #[test]
    fn the_target_duration_is_the_longer_of_setting_and_first_gop_rounded_up() {
        let check = |segment, gop, expected| assert_eq!(target_duration(ms(segment), ms(gop)), expected);
        check(2_000, 1_000, 2);
        check(2_000, 2_001, 2);
        check(2_000, 2_500, 3);
        check(1_500, 1_000, 2);
        check(2_000, 10_000, 10);
        check(2_000, 30_000, 10);
        check(0, 0, 1);
    }

    #[test]
    fn the_part_target_is_a_whole_number_of_samples_and_a_millisecond() {
        let check = |part, sample: f64, expected| {
            assert_eq!(part_target(ms(part), Duration::from_secs_f64(sample)), ms(expected));
        };
        check(333, 1.0 / 30.0, 335);
        check(333, 1.0 / 25.0, 321);
        check(333, 1024.0 / 44_100.0, 327);
        check(200, 1.0, 1_001);
        check(500, 0.0, 502);
    }

    /// `keys` and pictures every 100 ms up to `end`; the cuts, forced ones negative.
    fn cuts(target_duration: u32, keys: &[i64], end: i64) -> Vec<i64> {
        let mut it = Segmenter::new(ms(2_000), target_duration, Beginning::Broadcast, at(0));
        (0..=end / 100)
            .filter_map(|index| {
                let time = index * 100;
                let sync = if keys.contains(&time) { Sync::Key } else { Sync::Delta };
                it.sample(at(time), 100, sync).map(|cut| if cut == Cut::AtKey { time } else { -time })
            })
            .collect()
    }

    #[test]
    fn the_first_segment_ends_early_and_later_ones_at_the_target() {
        let every = |gop: i64| (0..200).map(|it| it * gop).collect::<Vec<_>>();
        assert_eq!(cuts(2, &every(500), 7_000), [1_000, 3_000, 5_000, 7_000]);
        assert_eq!(cuts(2, &every(2_000), 6_000), [2_000, 4_000, 6_000]);
        assert_eq!(cuts(3, &every(2_500), 7_500), [2_500, 5_000, 7_500]);
    }

    #[test]
    fn a_segment_ends_at_a_key_frame_before_the_target_when_the_next_would_come_too_late() {
        let every: Vec<_> = (0..20).map(|it| it * 1_500).collect();
        assert_eq!(cuts(2, &every, 6_000), [1_500, 3_000, 4_500, 6_000]);
    }

    #[test]
    fn a_key_frame_a_little_after_the_target_is_waited_for() {
        assert_eq!(cuts(2, &[0, 2_000, 4_200], 4_300), [2_000, 4_200]);
        assert_eq!(cuts(2, &[0, 2_200, 4_400, 6_600], 7_000), [-2_000, 2_200, 4_400, 6_600]);
    }

    #[test]
    fn a_gop_longer_than_the_target_is_cut_at_the_target() {
        assert_eq!(cuts(2, &[0, 10_000], 10_500), [-2_000, -4_000, -6_000, -8_000, 10_000]);
        assert_eq!(cuts(2, &[0], 6_000), [-2_000, -4_000, -6_000]);
    }

    #[test]
    fn a_track_that_outran_the_leading_one_makes_a_cut() {
        let mut it = Segmenter::new(ms(2_000), 2, Beginning::Epoch, at(0));
        assert_eq!(it.follower(at(2_360)), None);
        assert_eq!(it.follower(at(2_381)), Some(at(2_360)));
        assert_eq!(it.follower(at(2_381)), None);
        assert_eq!(it.sample(at(2_500), 33, Sync::Key), None);
    }

    #[test]
    fn segments_end_in_a_hole_without_samples() {
        let mut it = Segmenter::new(ms(2_000), 2, Beginning::Epoch, at(0));
        assert_eq!(it.sample(at(0), 40, Sync::Key), None);
        assert_eq!(it.hole(at(40)), None);
        assert_eq!(
            [it.hole(at(4_700)), it.hole(at(4_700)), it.hole(at(4_700))],
            [Some(at(2_300)), Some(at(4_600)), None]
        );
        assert_eq!(it.sample(at(4_700), 40, Sync::Key), None);
        assert_eq!(it.sample(at(6_700), 40, Sync::Key), Some(Cut::AtKey));
    }

    #[test]
    fn a_key_frame_is_foreseen_when_the_last_ones_came_at_even_distances() {
        let mut it = Segmenter::new(ms(2_000), 2, Beginning::Epoch, at(0));
        let mut foreseen = Vec::new();
        for index in 0..=200 {
            let time = index * 40;
            // From 6,000 ms on, key frames come half as often.
            let key = if time <= 6_000 { time % 1_000 == 0 } else { time % 2_000 == 0 };
            it.sample(at(time), 40, if key { Sync::Key } else { Sync::Delta });
            if it.foresee(at(time + 40), 40) {
                foreseen.push(time + 40);
            }
        }
        assert_eq!(foreseen, [4_000, 6_000]);
    }

    proptest! {
        #[test]
        fn no_segment_is_longer_than_its_target_rounds_to(
            steps in prop::collection::vec((1_i64..6_000, any::<bool>()), 1..400),
            target in 1_u32..=10,
        ) {
            let mut it = Segmenter::new(ms(2_000), target, Beginning::Broadcast, at(0));
            let (mut now, mut start) = (0, 0);
            for (step, key) in steps {
                now += step;
                let limit = i64::from(target) * 1_000 + 300;
                while let Some(cut) = it.hole(at(now)) {
                    prop_assert!(cut.ticks() - start <= limit);
                    start = cut.ticks();
                }
                if it.sample(at(now), step, if key { Sync::Key } else { Sync::Delta }).is_some() {
                    prop_assert!(now - start <= limit);
                    start = now;
                }
            }
        }

        #[test]
        fn no_slice_is_longer_than_the_target_and_only_the_last_is_short(
            steps in prop::collection::vec(1_i64..2_000, 1..200),
            target in 1_u64..400,
        ) {
            let mut it = Slices::new(ms(target), at(0));
            let (mut now, mut fill) = (0, Fill::Nothing);
            let mut lengths = Vec::new();
            for step in steps {
                now += step;
                while let Some(end) = it.end_before(now, step, fill) {
                    lengths.push(it.end(end));
                    fill = Fill::Nothing;
                }
                fill = Fill::Samples;
                if let Some(end) = it.end_after(now + step, step) {
                    lengths.push(it.end(end));
                    fill = Fill::Nothing;
                }
            }
            let target = i64::try_from(target).unwrap();
            for length in lengths {
                prop_assert!(length <= target && length * 100 >= target * 85, "{} of {}", length, target);
            }
        }
    }
}
