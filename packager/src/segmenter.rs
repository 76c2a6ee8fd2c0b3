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

/// More parts are in no segment: ten seconds of ten milliseconds.
const MAX_PARTS: u128 = 1_000;

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

/// How long segments of a broadcast will be whose key frames come every `gop`.
pub fn usual_segment(segment: Duration, target_duration: u32, gop: Duration) -> Duration {
    let target = Duration::from_secs(u64::from(target_duration));
    let nanos = |it: Duration| i64::try_from(it.as_nanos()).unwrap_or(i64::MAX);
    let course =
        Course { aim: nanos(segment.min(target)), target: nanos(target), limit: nanos(target + SLACK) };
    let end = course.end(0, 0, nanos(gop.max(ROUNDING)));
    Duration::from_nanos(u64::try_from(end).unwrap_or(0))
}

/// The part target of a broadcast with tracks of such samples, each lasting so long, and segments of about `segment`:
/// near `part`, and where that can be, such that every track's segments come apart into even parts.
///
/// A last part that is much shorter than the others is legal and good for nobody: it costs each player a request, and
/// hls.js takes a segment for loaded when less than 0.2 s of it are missing, and stands still there.
pub fn part_target(part: Duration, samples: &[Duration], segment: Duration) -> Duration {
    let samples: Vec<_> = samples
        .iter()
        .map(|it| (*it).clamp(ROUNDING, Duration::from_secs(u64::from(MAX_TARGET_DURATION))))
        .collect();
    let near = |target: &Duration| target.abs_diff(part);
    let most = (segment.as_nanos() / part.max(ROUNDING).as_nanos()).min(MAX_PARTS);
    let counts = (most / 2).max(1)..=most.saturating_mul(2).max(1);
    let even = counts.filter_map(|count| even_target(u32::try_from(count).ok()?, &samples, segment));
    let even = even.filter(|it| near(it) * 5 <= part).min_by_key(near);
    even.unwrap_or_else(|| {
        let slowest = samples.iter().max().copied().unwrap_or(ROUNDING);
        let count = ((part + ROUNDING).as_nanos() / slowest.as_nanos()).max(1);
        rounded(slowest.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX)))
    })
}

/// The target of `count` even parts of a segment, where samples are short enough for all to be long enough.
fn even_target(count: u32, samples: &[Duration], segment: Duration) -> Option<Duration> {
    let shares = |sample: &Duration| {
        let all = segment.as_nanos() / sample.as_nanos();
        let count = u128::from(count);
        let (least, most) = (all / count, (all + 1).div_ceil(count));
        // What divides without a rest needs no room for one.
        let most = if segment.as_nanos() - all * sample.as_nanos() < ROUNDING.as_nanos() {
            all.div_ceil(count)
        } else {
            most
        };
        let times = |it: u128| sample.saturating_mul(u32::try_from(it).unwrap_or(u32::MAX));
        (times(least), times(most))
    };
    let target = rounded(samples.iter().map(|it| shares(it).1).max()?);
    let shortest = samples.iter().map(|it| shares(it).0).min()?;
    (shortest * 100 >= target * u32::try_from(LEAST_PART).unwrap_or(100)).then_some(target)
}

/// With a millisecond for RTMP's rounding, up to a whole one.
fn rounded(target: Duration) -> Duration {
    let exact = target.saturating_add(ROUNDING);
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

/// Where segments aim, and how far they may go.
#[derive(Clone, Copy, Debug)]
struct Course {
    aim: i64,
    target: i64,
    limit: i64,
}

impl Course {
    /// Where a segment from `start` on will end when key frames come every `gop` from `key` on.
    const fn end(&self, start: i64, key: i64, gop: i64) -> i64 {
        let due = start.saturating_add(self.aim);
        let groups = due.saturating_sub(key).saturating_add(gop - 1).div_euclid(gop);
        let at = key.saturating_add(groups.saturating_mul(gop));
        if at.saturating_sub(start) <= self.limit {
            return at;
        }
        let before = at.saturating_sub(gop);
        if before > start { before } else { start.saturating_add(self.target) }
    }
}

/// Ends segments, looking at the leading track: video, or audio where there is no video.
#[derive(Debug)]
pub struct Segmenter {
    course: Course,
    timescale: Timescale,
    later_aim: i64,
    start: i64,
    last_key: Option<i64>,
    gop: Option<i64>,
    gop_before: Option<i64>,
    /// The distance of key frames as long as none was measured.
    promised: Option<i64>,
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
        let aim = match beginning {
            Beginning::Broadcast => later_aim.min(ticks(FIRST_SEGMENT)),
            Beginning::Epoch => later_aim,
        };
        Self {
            course: Course { aim, target: ticks(target), limit: ticks(target + SLACK) },
            timescale,
            later_aim,
            start: start.ticks(),
            last_key: None,
            gop: None,
            gop_before: None,
            promised: None,
            ahead: false,
        }
    }

    /// Key frames will probably come so far apart.
    pub fn promise(&mut self, gop: Duration) {
        self.promised = (gop > ROUNDING).then(|| Timestamp::from_duration(gop, self.timescale).ticks());
    }

    /// Where a segment ends in the hole before a sample at `at`; ask again until nothing is said.
    pub fn hole(&mut self, at: Timestamp) -> Option<Timestamp> {
        self.pass(at, self.course.limit)
    }

    /// As [`hole`](Self::hole), for a sample of the other track: where it has outrun the leading one, its time counts.
    pub fn follower(&mut self, at: Timestamp) -> Option<Timestamp> {
        let slack = Timestamp::from_duration(FOLLOWER_SLACK, self.timescale).ticks();
        self.pass(at, self.course.limit.saturating_add(slack))
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
        let cut = elapsed.saturating_add(rounding) >= self.course.aim
            || elapsed.saturating_add(gop) > self.course.limit;
        if cut {
            self.begin(next);
            self.ahead = true;
        }
        cut
    }

    /// Where the open segment will probably end, by the distance of the last key frames.
    pub fn expected_end(&self) -> Option<Timestamp> {
        let (key, gop) = self.last_key.zip(self.gop.or(self.promised))?;
        let end = self.course.end(self.start, key, gop.max(1));
        Some(Timestamp::new(end, self.timescale))
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
        self.course.aim = self.later_aim;
    }

    fn at_key(&mut self, at: i64) -> bool {
        let elapsed = at.saturating_sub(self.start);
        let gop = self.last_key.replace(at).map(|it| at.saturating_sub(it));
        if gop.is_some() {
            self.gop_before = std::mem::replace(&mut self.gop, gop);
        }
        // A key frame soon after a cut that was made before it came need not cut again.
        let begins = self.ahead && elapsed <= self.course.limit - self.course.target;
        if elapsed <= 0 || begins {
            return false;
        }
        // Waiting for the next key frame must not lead past the limit: better a short segment than one cut between
        // key frames.
        elapsed >= self.course.aim || elapsed.saturating_add(self.gop.unwrap_or(0)) > self.course.limit
    }

    fn overdue(&self, at: i64, lasting: i64) -> bool {
        let elapsed = at.saturating_sub(self.start);
        if elapsed < self.course.target {
            return false;
        }
        let expected = self.last_key.zip(self.gop).map(|(key, gop)| key.saturating_add(gop));
        // One that is overdue may come any moment: it is waited for as long as the limit allows.
        let slack = self.course.limit - self.course.target;
        let near = expected.is_some_and(|it| {
            it.saturating_add(slack) >= at && it.saturating_sub(self.start) <= self.course.limit
        });
        !near || elapsed.saturating_add(lasting) > self.course.limit
    }
}

/// Cuts one track into parts: slices of its timeline, each at most the part target and, a segment's last aside, at
/// least 85 % of it.
///
/// Where the end of the segment can be foreseen, its slices are even, as far as the samples allow. A slice ends with the
/// sample that fills it, at the time when the next one is due; nobody waits for that next one to come. A sample that lasts longer than its slice has room for reaches into the next slice, which may then be empty:
/// so no part is ever longer than the target, however the frame rate varies.
#[derive(Debug)]
pub struct Slices {
    target: i64,
    rest: i64,
    start: i64,
    /// Where the segment will probably end.
    expected: Option<i64>,
}

impl Slices {
    /// The first slice begins at `start`, in the track's timescale.
    pub fn new(part_target: Duration, start: Timestamp) -> Self {
        let nanos = part_target.as_nanos() * u128::from(start.timescale().hertz());
        let target = i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX).max(1);
        let rest = Timestamp::from_duration(REST, start.timescale()).ticks().min(target / 2);
        Self { target, rest, start: start.ticks(), expected: None }
    }

    /// The segment that the open slice belongs to will probably end there.
    pub const fn expect(&mut self, end: Option<i64>) {
        self.expected = end;
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
        (fill == Fill::Samples && self.is_full(filled, lasting)).then_some(at)
    }

    /// Where the open slice ends now that it has a sample that is due to end at `end` and to be followed by one as long.
    pub fn end_after(&self, end: i64, lasting: i64) -> Option<i64> {
        let filled = end.saturating_sub(self.start);
        if filled > self.target {
            return Some(self.start.saturating_add(self.target));
        }
        self.is_full(filled, lasting).then_some(end)
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

    /// Whether no other sample of that length belongs into the open slice.
    fn is_full(&self, filled: i64, lasting: i64) -> bool {
        let fits = filled.saturating_add(lasting) <= self.target;
        let share_met = self.share(lasting).is_some_and(|it| filled.saturating_add(lasting / 2) > it);
        (share_met || !fits) && self.is_long_enough(filled)
    }

    /// How long the open slice is to be for the rest of the segment to come apart evenly, when that can be.
    fn share(&self, lasting: i64) -> Option<i64> {
        let rest = self.expected?.saturating_sub(self.start);
        // Half a sample too many is a rounding, and no reason for another part.
        let count = rest.saturating_sub(lasting / 2).max(1).saturating_add(self.target - 1) / self.target;
        // The last one ends where the segment does, whether that was foreseen well or not.
        let share = (count > 1).then_some(rest / count)?;
        self.is_long_enough(share).then_some(share)
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
    fn the_part_target_lets_segments_come_apart_evenly() {
        let check = |part, samples: &[f64], segment, expected| {
            let samples: Vec<_> = samples.iter().map(|it| Duration::from_secs_f64(*it)).collect();
            assert_eq!(part_target(ms(part), &samples, ms(segment)), ms(expected));
        };
        const AAC: f64 = 1024.0 / 48_000.0;
        check(333, &[1.0 / 30.0, AAC], 2_000, 343);
        check(333, &[1.0 / 25.0, AAC], 2_000, 321);
        check(333, &[1.0 / 60.0, AAC], 2_000, 343);
        check(333, &[1.0 / 30.0, 1024.0 / 44_100.0], 2_000, 350);
        check(333, &[1.0 / 30.0], 2_000, 335);
        check(333, &[AAC], 2_000, 343);
        check(200, &[AAC, 1.0 / 30.0], 4_000, 215);
    }

    #[test]
    fn the_part_target_is_a_whole_number_of_samples_where_nothing_is_even() {
        let check = |part, sample: f64, expected| {
            assert_eq!(part_target(ms(part), &[Duration::from_secs_f64(sample)], ms(10)), ms(expected));
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

    #[test]
    fn a_segment_is_foreseen_to_end_where_it_does() {
        let check = |gop, expected| assert_eq!(usual_segment(ms(2_000), 2, ms(gop)), ms(expected));
        check(500, 2_000);
        check(1_000, 2_000);
        check(1_500, 1_500);
        check(2_200, 2_200);
        check(10_000, 2_000);
        check(0, 2_000);
        let mut it = Segmenter::new(ms(2_000), 2, Beginning::Broadcast, at(0));
        let mut expected = Vec::new();
        for index in 0..60 {
            let key = index % 10 == 0;
            it.sample(at(index * 100), 100, if key { Sync::Key } else { Sync::Delta });
            expected.push(it.expected_end().map(Timestamp::ticks));
        }
        expected.dedup();
        assert_eq!(expected, [None, Some(3_000), Some(5_000), Some(7_000)]);
    }

    #[test]
    fn slices_of_a_foreseen_segment_are_even() {
        let check = |target, sample: i64, expected: &[i64]| {
            let mut it = Slices::new(ms(target), at(0));
            it.expect(Some(2_000));
            let mut lengths = Vec::new();
            for end in (1..).map(|it| it * sample).take_while(|it| *it < 2_000) {
                lengths.extend(it.end_after(end, sample).map(|end| it.end(end)));
            }
            lengths.extend(it.end_at_segment(2_000, Fill::Samples).map(|end| it.end(end)));
            assert_eq!(lengths, expected);
        };
        check(343, 21, &[336, 336, 336, 336, 336, 320]);
        check(321, 40, &[280, 280, 280, 280, 280, 320, 280]);
        check(335, 33, &[330, 330, 330, 330, 330, 330, 20]);
        check(343, 20, &[340, 340, 340, 320, 340, 320]);
        // Seven would be too short, six too long.
        check(335, 20, &[320, 320, 320, 320, 320, 320, 80]);
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
            expected in prop::option::of(-1_000_i64..100_000),
        ) {
            let mut it = Slices::new(ms(target), at(0));
            it.expect(expected);
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
