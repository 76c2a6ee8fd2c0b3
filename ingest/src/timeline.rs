//! From the 32-bit milliseconds of RTMP to media time on one unbroken line per connection.
//!
//! Takes the timestamp of each audio and video message in the order they came, and gives each sample its decoding
//! time: video in ticks of 90 kHz, audio counted in samples. It does not reorder, and knows nothing of codecs.
//!
//! ```text
//!             raw (u32, wraps at 2^32 or 2^31)          line (i64 ms, never breaks)        dts (never repeats)
//! message ──▶ nearest to the track's own last one ──▶ same distance on the line ──▶ ticks, or counted samples
//!             else nearest to the other track's
//!             else a jump: the line goes on, and the step says `Broken`
//! ```

use packager::codec::aac;
use packager::media::{Timescale, Timestamp};

/// Farther than this from everything known, a timestamp is no gap but another clock: an encoder restarted in
/// place, its machine slept, or audio and video never had a common base.
const JUMP: i64 = 3_000;

/// Where a line begins. What comes a little earlier than the first message (the other track, a picture with a
/// negative composition time) must not lie before zero, where a `tfdt` cannot follow.
const START: i64 = 10_000;

/// Audio whose counted time strays farther from the encoder's clock than this is set back to that clock; a broken
/// line goes on as far behind what came last.
/// Millisecond rounding and interleaving stay far below it; a lost frame or two is not yet heard as lip-sync.
const STRAY: i64 = 60;

/// The line of one connection.
#[derive(Debug, Default)]
pub struct Timeline {
    video: Track,
    audio: Track,
    sound: Option<Sound>,
}

/// Where a sample stands, and whether it follows from what came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Decoding time; later than that of every earlier sample of the track.
    pub dts: Timestamp,
    /// Whether the encoder's clock went on or jumped.
    pub continuity: Continuity,
}

/// Whether the encoder's clock went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuity {
    /// It did.
    Unbroken,
    /// It jumped. The line goes on, but what it says about the time between is no longer true.
    Broken,
}

impl Timeline {
    /// A line that nothing stands on yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says how audio time is counted from here on. A new configuration starts counting anew, on the same line.
    pub fn configure_audio(&mut self, config: &aac::Config) {
        let Some(timescale) = Timescale::new(config.sample_rate) else { return };
        self.sound = Some(Sound { timescale, frame: i64::from(config.frame_length), next: None });
    }

    /// Places a picture. The timestamp of a sequence header is not to be given: encoders send it as 0 mid-stream.
    pub fn video(&mut self, timestamp: u32) -> Step {
        let (at, clock) = self.video.place(&self.audio, timestamp);
        let dts = Timestamp::new(at, Timescale::MILLISECONDS).rescale(Timescale::VIDEO);
        Step { dts: self.video.advance(dts), continuity: clock.continuity() }
    }

    /// Places an audio frame; nothing before audio was configured, since there is no scale to count in.
    pub fn audio(&mut self, timestamp: u32) -> Option<Step> {
        let sound = self.sound.as_mut()?;
        let (at, clock) = self.audio.place(&self.video, timestamp);
        let told = Timestamp::new(at, Timescale::MILLISECONDS).rescale(sound.timescale);
        let dts = self.audio.advance(if clock == Clock::Own { sound.counted(told) } else { told });
        sound.next = Some(dts.plus(sound.frame));
        Some(Step { dts, continuity: clock.continuity() })
    }
}

/// How audio time is counted.
#[derive(Debug)]
struct Sound {
    timescale: Timescale,
    frame: i64,
    next: Option<Timestamp>,
}

impl Sound {
    /// The counted time, unless it strayed from what the encoder told.
    fn counted(&self, told: Timestamp) -> Timestamp {
        let Some(next) = self.next else { return told };
        let stray = Timestamp::new(STRAY, Timescale::MILLISECONDS).rescale(self.timescale).ticks();
        if told.since(next).ticks().abs() <= stray { next } else { told }
    }
}

/// By whose clock a timestamp was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    /// The track's, as before.
    Own,
    /// The other track's: this one begins, was silent for a while, or follows the other one's jump.
    Others,
    /// One that nobody knows.
    New,
}

impl Clock {
    const fn continuity(self) -> Continuity {
        match self {
            Self::Own | Self::Others => Continuity::Unbroken,
            Self::New => Continuity::Broken,
        }
    }
}

/// What is known of one track's clock.
#[derive(Debug, Default)]
struct Track {
    last: Option<Mark>,
    dts: Option<Timestamp>,
}

/// A raw timestamp and its place on the line, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Mark {
    raw: u32,
    at: i64,
}

impl Mark {
    /// Where `raw` lies if it is of this mark's clock, and how far that is.
    ///
    /// Distances are taken modulo 2^31, not 2^32: ffmpeg's muxer masks timestamps to 31 bits, and for an encoder
    /// that counts all 32 the answer is the same unless it jumps by 24 days and 20 hours to within three seconds.
    fn reach(self, raw: u32) -> (i64, i64) {
        const HALF: i64 = 1 << 30;
        const WHOLE: i64 = 1 << 31;
        let distance = (i64::from(raw) - i64::from(self.raw) + HALF).rem_euclid(WHOLE) - HALF;
        (self.at + distance, distance)
    }
}

impl Track {
    /// Finds `raw` a place on the line.
    fn place(&mut self, other: &Self, raw: u32) -> (i64, Clock) {
        let (at, clock) = self.find(other, raw);
        self.last = Some(Mark { raw, at });
        (at, clock)
    }

    fn find(&self, other: &Self, raw: u32) -> (i64, Clock) {
        let near = |mark: Mark| Some(mark.reach(raw)).filter(|(_, distance)| distance.abs() <= JUMP);
        match (self.last, other.last) {
            (None, None) => (START, Clock::Own),
            // Tracks that begin far apart have separate bases, and only their arrival says how they belong together.
            (None, Some(other)) => (near(other).map_or(other.at, |(at, _)| at), Clock::Others),
            (Some(own), other) => {
                if let Some((at, _)) = near(own) {
                    return (at, Clock::Own);
                }
                if let Some((at, _)) = other.and_then(near).filter(|(at, _)| *at >= own.at - JUMP) {
                    return (at, Clock::Others);
                }
                (own.at.max(other.map_or(own.at, |it| it.at)) + STRAY, Clock::New)
            }
        }
    }

    /// `dts`, or the tick after the last one where the encoder repeated itself or went back a little.
    fn advance(&mut self, dts: Timestamp) -> Timestamp {
        let dts = match self.dts {
            Some(last) if dts <= last => last.rescale(dts.timescale()).plus(1),
            _ => dts,
        };
        self.dts = Some(dts);
        dts
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn aac(sample_rate: u32) -> aac::Config {
        aac::Config {
            asc: Bytes::new(),
            object_type: 2,
            sample_rate,
            channels: 2,
            layout: 2,
            frame_length: 1024,
        }
    }

    /// `v0 a23` → the steps as milliseconds after the start of the line; `|` stands before a broken one.
    fn steps(script: &str) -> String {
        let mut timeline = Timeline::new();
        timeline.configure_audio(&aac(48_000));
        let step = |word: &str| {
            let (kind, raw) = word.split_at(1);
            let raw = raw.parse().unwrap();
            let step = if kind == "v" { timeline.video(raw) } else { timeline.audio(raw).unwrap() };
            let broken = if step.continuity == Continuity::Broken { "|" } else { "" };
            format!("{broken}{kind}{}", step.dts.rescale(Timescale::MILLISECONDS).ticks() - START)
        };
        script.split_whitespace().map(step).collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn check(script: &str, expected: &str) {
        assert_eq!(steps(script), expected);
    }

    #[test]
    fn a_line_begins_where_its_first_message_is_whatever_that_says() {
        check("v0 v33 v67", "v0 v33 v67");
        check("v4000000000 v4000000033", "v0 v33");
        check("v1000 a900 v1033", "v0 a-100 v33");
    }

    #[test]
    fn the_border_of_extended_timestamps_is_no_border() {
        check("v16777200 v16777214 v16777215 v16777216", "v0 v14 v15 v16");
    }

    #[test]
    fn a_clock_of_32_bits_wraps_unnoticed() {
        check("v4294967286 a4294967290 v20 a15 v60", "v0 a4 v30 a25 v70");
    }

    #[test]
    fn a_clock_masked_to_31_bits_wraps_unnoticed() {
        check("v2147483640 a2147483647 v32 a20", "v0 a7 v40 a28");
    }

    #[test]
    fn a_track_that_lags_behind_the_wrap_stays_on_its_side_of_it() {
        check("v2147483640 v5 a2147483630 a2147483640", "v0 v13 a-10 a11");
        check("v4294967290 v4 a4294967280", "v0 v10 a-10");
    }

    #[test]
    fn a_forward_jump_breaks_the_line_once_for_both_tracks() {
        check("v0 a0 v40 v9000 a9000 v9040", "v0 a0 v40 |v100 a100 v140");
    }

    #[test]
    fn a_backward_jump_breaks_the_line_and_what_follows_is_still_later() {
        check("v90000 a90000 v90040 v0 a0 v40 a21", "v0 a0 v40 |v100 a100 v140 a121");
    }

    #[test]
    fn late_messages_of_the_old_clock_do_not_break_the_line_again() {
        check("v90000 a90000 v90040 v0 a90021 v40 a0", "v0 a0 v40 |v100 a21 v140 a100");
    }

    #[test]
    fn a_gap_of_up_to_three_seconds_is_a_gap() {
        check("v0 v3000 v6001", "v0 v3000 |v3060");
    }

    #[test]
    fn a_track_that_was_silent_while_the_other_went_on_comes_back_in_its_place() {
        check("v0 a0 v2500 v5000 v7500 a7500", "v0 a0 v2500 v5000 v7500 a7500");
        check("a0 a2500 a5000 v5020", "a0 a2500 a5000 v5020");
    }

    #[test]
    fn tracks_that_begin_on_different_clocks_are_put_together_by_their_arrival() {
        check("v0 a86400000 v40 a86400021 v80", "v0 a0 v40 a21 v80");
    }

    #[test]
    fn a_second_or_two_of_difference_at_the_start_is_kept() {
        check("v0 a1500 v40", "v0 a1500 v40");
    }

    #[test]
    fn pictures_with_one_timestamp_stay_in_order_a_tick_apart() {
        let mut timeline = Timeline::new();
        let ticks = [0, 8, 8, 8, 7, 17].map(|raw| timeline.video(raw).dts.ticks() - START * 90);
        assert_eq!(ticks, [0, 720, 721, 722, 723, 1_530]);
    }

    #[test]
    fn audio_is_counted_in_samples_not_in_rounded_milliseconds() {
        let mut timeline = Timeline::new();
        timeline.configure_audio(&aac(44_100));
        let start = START * 44_100 / 1_000;
        let ticks = [0, 23, 46, 70, 70, 116].map(|raw| timeline.audio(raw).unwrap().dts.ticks() - start);
        assert_eq!(ticks, [0, 1_024, 2_048, 3_072, 4_096, 5_120]);
    }

    #[test]
    fn audio_that_strays_from_the_encoders_clock_is_set_back_to_it() {
        check("a0 a21 a102 a124", "a0 a21 a43 a64");
        check("a0 a21 a104 a125", "a0 a21 a104 a125");
    }

    #[test]
    fn audio_that_counts_too_fast_waits_for_the_clock_without_going_back() {
        let mut timeline = Timeline::new();
        timeline.configure_audio(&aac(48_000));
        let start = START * 48;
        let ticks = [0, 1, 2, 3, 4, 4].map(|raw| timeline.audio(raw).unwrap().dts.ticks() - start);
        assert_eq!(ticks, [0, 1_024, 2_048, 2_049, 2_050, 2_051]);
    }

    #[test]
    fn another_sample_rate_goes_on_along_the_same_line() {
        let mut timeline = Timeline::new();
        timeline.configure_audio(&aac(48_000));
        let before = timeline.audio(0).unwrap().dts;
        timeline.configure_audio(&aac(44_100));
        let after = timeline.audio(21).unwrap().dts;
        assert_eq!(before.ticks(), START * 48);
        assert_eq!((after.ticks(), after.timescale().hertz()), ((START + 21) * 44_100 / 1_000, 44_100));
    }

    #[test]
    fn audio_without_a_configuration_has_no_place() {
        assert_eq!(Timeline::new().audio(0), None);
    }

    proptest! {
        #[test]
        fn any_timestamps_give_each_track_times_that_only_grow(raws in prop::collection::vec((any::<bool>(), any::<u32>()), 0..200)) {
            let mut timeline = Timeline::new();
            timeline.configure_audio(&aac(44_100));
            let mut last = [None; 2];
            for (video, raw) in raws {
                let dts = if video { timeline.video(raw).dts } else { timeline.audio(raw).unwrap().dts };
                prop_assert!(last[usize::from(video)] < Some(dts));
                prop_assert!(dts.ticks() >= 0);
                last[usize::from(video)] = Some(dts);
            }
        }

        #[test]
        fn a_steady_clock_never_breaks_and_keeps_its_distances(
            start in any::<u32>(),
            deltas in prop::collection::vec(1_u32..3_000, 1..200),
            bits in 31_u32..=32,
        ) {
            let mask = u32::MAX >> (32 - bits);
            let (mut timeline, mut elapsed) = (Timeline::new(), 0);
            timeline.video(start & mask);
            for delta in deltas {
                elapsed += delta;
                let step = timeline.video(start.wrapping_add(elapsed) & mask);
                prop_assert_eq!(step.continuity, Continuity::Unbroken);
                prop_assert_eq!(step.dts.ticks(), (START + i64::from(elapsed)) * 90);
            }
        }
    }
}
