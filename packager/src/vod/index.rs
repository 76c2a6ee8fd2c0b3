//! One track of one file, walked once: what of it is shown, when, and where decoding may begin.
//!
//! The tables are let go when the track has been cut; what stays of them is [packed](super::packed).

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

use super::Reason;
use super::columns::{put, put_octets, put_signed, take, take_octets, take_signed, take_text};
use crate::dash::FrameRate;
use crate::isobmff::Placement;
use crate::isobmff::init::{Init, Matrix};
use crate::isobmff::movie::{self, StoredTrack};
use crate::isobmff::table::{SampleTable, StoredSample};
use crate::media::{Sync, Timestamp, Track, TrackKind};

/// A track is a day at least ten times over before its numbers are doubted (`u64` products stay far from their end).
const LONGEST: i64 = 10 * 24 * 3_600;

/// Frames kept before the first audible one. Encoders prime with up to 2.6 frames, decoders need one before; more
/// are the leavings of a cut and only cost time.
const MAX_PRIMING: u32 = 5;

/// Of several key frames in a fifth of a second the first is enough to cut at: where every picture is one, a list
/// of all would be as long as the film.
const KEYS_PER_SECOND: i64 = 5;

/// As many key frames as are remembered from one walk to the next: three megabytes of them.
const MAX_KEYS: usize = 65_536;

/// A track of a file.
#[derive(Clone, Debug)]
pub(super) struct Index {
    /// How it is decoded.
    pub(super) track: Track,
    /// A tag of BCP 47; `und` when the file does not say.
    pub(super) language: String,
    /// How its pictures are turned.
    pub(super) matrix: Matrix,
    /// Presentation minus composition time, in ticks.
    pub(super) shift: i64,
    /// The first moment shown and the first no longer shown, in ticks.
    pub(super) shown: Range<i64>,
    /// Of video.
    pub(super) frame_rate: Option<FrameRate>,
    /// The least composition offset, where it is below zero.
    pub(super) earliest: i64,
    /// How long most samples last; what the last one lasts when the file does not say it believably.
    pub(super) usual_duration: u32,
    /// Whether pictures that follow a key frame are shown before it, as in open groups of pictures: who begins to decode at
    /// it may not have what they need.
    pub(super) has_leading: bool,
}

/// A track of a file with its tables.
#[derive(Debug)]
pub(super) struct Indexed {
    pub(super) index: Index,
    /// What is sent: what is shown, and what decoding that needs.
    pub(super) sent: Range<u32>,
    /// Presentation times of key frames, ascending and not too near each other; of video only.
    pub(super) keys: Vec<Timestamp>,
    /// The key frames of what is sent, where they are not too many.
    key_samples: Option<Vec<Placed>>,
    samples: SampleTable,
}

/// A sample in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    /// What the file says of it.
    pub(super) stored: StoredSample,
    /// When it is shown, in ticks of the presentation.
    pub(super) presentation: i64,
}

impl Placed {
    /// When it is no longer shown.
    pub(super) fn end(&self) -> i64 {
        self.presentation.saturating_add(self.stored.duration.into())
    }
}

impl Index {
    /// Ticks of the track for a distance in any scale.
    pub(super) fn ticks(&self, it: Timestamp) -> i64 {
        it.rescale(self.track.timescale).ticks()
    }

    /// A moment of the presentation.
    pub(super) fn at(&self, ticks: i64) -> Timestamp {
        Timestamp::new(ticks, self.track.timescale)
    }

    /// How large its pictures are.
    pub(super) fn pixels(&self) -> u64 {
        self.track.config.picture().map_or(0, |it| u64::from(it.width).saturating_mul(it.height.into()))
    }

    /// Half as long as most samples last.
    pub(super) fn half_a_sample(&self) -> Duration {
        self.at((self.usual_duration / 2).into()).to_duration()
    }

    /// Appends it. Nothing when its description does not survive that.
    pub(super) fn put(&self, record: &mut Vec<u8>) -> Option<()> {
        let init = Init { track: &self.track, duration: 0, media_time: 0, matrix: self.matrix }.render();
        let read = movie::read_init(&init).ok();
        if read.is_none_or(|(track, matrix)| track != self.track || matrix != self.matrix) {
            return None;
        }
        put_octets(record, &init);
        put_octets(record, self.language.as_bytes());
        for it in [self.shift, self.shown.start, self.shown.end, self.earliest] {
            put_signed(record, it);
        }
        put(record, self.usual_duration.into());
        put(record, self.has_leading.into());
        let rate = self.frame_rate.map_or([0, 0], |it| [it.pictures, it.seconds]);
        rate.iter().for_each(|it| put(record, (*it).into()));
        Some(())
    }

    /// Takes from the front what was put there.
    pub(super) fn take(record: &mut &[u8]) -> Option<Self> {
        let init = Bytes::copy_from_slice(take_octets(record)?);
        let (track, matrix) = movie::read_init(&init).ok()?;
        let language = take_text(record)?;
        let mut ticks = || take_signed(record);
        let (shift, shown, earliest) = (ticks()?, ticks()?..ticks()?, ticks()?);
        let mut narrow = || u32::try_from(take(record)?).ok();
        let (usual_duration, has_leading) = (narrow()?, narrow()? != 0);
        let (pictures, seconds) = (narrow()?, narrow()?);
        let frame_rate = (pictures != 0 && seconds != 0).then_some(FrameRate { pictures, seconds });
        let it =
            Self { track, language, matrix, shift, shown, frame_rate, earliest, usual_duration, has_leading };
        (it.shown.start < it.shown.end && it.is_near(&it.shown)).then_some(it)
    }

    /// Whether all of it is within [`LONGEST`] of zero.
    fn is_near(&self, shown: &Range<i64>) -> bool {
        let far = LONGEST as f64;
        self.at(shown.end).seconds() <= far && self.at(shown.start).seconds() >= -far
    }

    /// What is in memory of its own, beside itself.
    pub(super) const fn weight(&self) -> usize {
        self.language.capacity().saturating_add(self.track.config.record_length())
    }
}

impl Indexed {
    /// Walks `track`.
    pub(super) fn walk(track: StoredTrack) -> Result<Self, Reason> {
        let placement = track.placement;
        let usual_duration = majority(track.samples.durations());
        let index = Index {
            language: track
                .language_tag
                .unwrap_or_else(|| String::from_utf8_lossy(&track.track.language).into_owned()),
            matrix: track.matrix,
            shift: placement.shift,
            shown: placement.start..placement.start,
            frame_rate: None,
            earliest: 0,
            usual_duration,
            has_leading: false,
            track: track.track,
        };
        let mut it = Self {
            index,
            sent: 0..0,
            keys: Vec::new(),
            key_samples: Some(Vec::new()),
            samples: track.samples,
        };
        it.survey(&placement)?;
        if it.index.track.kind() == TrackKind::Video {
            it.keys = it.find_keys();
        }
        Ok(it)
    }

    /// What is sent, in decoding order.
    pub(super) fn sent_samples(&self) -> impl Iterator<Item = Placed> + Clone + '_ {
        self.placed(self.sent.start).take(self.sent.len())
    }

    /// Those of what is sent at which decoding may begin.
    pub(super) fn sent_keys(&self) -> impl Iterator<Item = Placed> + '_ {
        let all = self.key_samples.is_none().then(|| self.sent_samples());
        let all = all.into_iter().flatten().filter(|it| it.stored.sync == Sync::Key);
        self.key_samples.iter().flatten().copied().chain(all)
    }

    fn placed(&self, first: u32) -> impl Iterator<Item = Placed> + Clone + '_ {
        let last = self.samples.count().saturating_sub(1);
        self.samples.samples(first).map(move |mut stored| {
            if stored.index == last && stored.duration / 2 > self.index.usual_duration {
                stored.duration = self.index.usual_duration;
            }
            Placed { stored, presentation: stored.composition_time().saturating_add(self.index.shift) }
        })
    }

    /// Decoding begins at the last key frame not after the first moment shown, or with the frames that prime it.
    fn find_first(&self, begin: i64) -> Result<u32, Reason> {
        match self.index.track.kind() {
            TrackKind::Video => {
                let mut keys = self.placed(0).filter(|it| it.stored.sync == Sync::Key);
                let first = keys.next().ok_or(Reason::NoKeyFrame)?;
                Ok(keys.take_while(|it| it.presentation <= begin).last().unwrap_or(first).stored.index)
            }
            TrackKind::Audio => {
                let audible = self.placed(0).find(|it| it.end() > begin).ok_or(Reason::NothingShown)?;
                Ok(audible.stored.index.saturating_sub(MAX_PRIMING))
            }
        }
    }

    /// Finds all that is to be known of the samples together, in one walk: a film has hundreds of thousands, and somebody
    /// waits. They end with the last, in decoding order, of which something is shown.
    fn survey(&mut self, placement: &Placement) -> Result<(), Reason> {
        let first = self.find_first(placement.start)?;
        let video = self.index.track.kind() == TrackKind::Video;
        let (mut seen, mut keys) = (Seen::default(), Vec::new());
        let mut sent = None;
        for it in self.placed(first) {
            let before = seen;
            seen.take(&it, self.index.usual_duration);
            if video && it.stored.sync == Sync::Key && keys.len() <= MAX_KEYS {
                keys.push(it);
            }
            if it.presentation < placement.end && it.end() > placement.start {
                sent = Some((it.stored.index.saturating_add(1), seen, before));
            }
        }
        let (end, seen, before_last) = sent.ok_or(Reason::NothingShown)?;
        self.sent = first..end;
        let shown = seen.start.max(placement.start)..seen.end;
        if shown.end <= shown.start || !seen.has_octets {
            return Err(Reason::NothingShown);
        }
        if !self.index.is_near(&shown) {
            return Err(Reason::TooLong);
        }
        self.index.shown = shown;
        if video {
            self.key_samples = (keys.len() <= MAX_KEYS).then(|| {
                keys.retain(|it| it.stored.index < end);
                keys
            });
            self.index.earliest = seen.earliest;
            self.index.has_leading = seen.has_leading;
            self.index.frame_rate = before_last.frame_rate(&self.index);
        }
        Ok(())
    }

    fn find_keys(&self) -> Vec<Timestamp> {
        let slot = |it: i64| {
            let hertz = i64::from(self.index.track.timescale.hertz());
            (i128::from(it) * i128::from(KEYS_PER_SECOND)).div_euclid(i128::from(hertz))
        };
        let mut keys: Vec<i64> = Vec::new();
        for key in self.sent_keys() {
            // A first key frame before the presentation begins it; one that goes back in time begins nothing.
            let presentation = key.presentation.max(self.index.shown.start);
            if keys.last().is_none_or(|last| slot(presentation) > slot(*last)) {
                keys.push(presentation);
            }
        }
        keys.into_iter().map(|it| self.index.at(it)).collect()
    }
}

/// What was seen of some samples.
#[derive(Clone, Copy)]
struct Seen {
    start: i64,
    end: i64,
    earliest: i64,
    pictures: u32,
    ticks: u64,
    even: bool,
    /// When the last key frame is shown.
    key: i64,
    has_leading: bool,
    has_octets: bool,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            start: i64::MAX,
            end: i64::MIN,
            earliest: 0,
            pictures: 0,
            ticks: 0,
            even: true,
            key: i64::MIN,
            has_leading: false,
            has_octets: false,
        }
    }
}

impl Seen {
    fn take(&mut self, it: &Placed, usual_duration: u32) {
        self.start = self.start.min(it.presentation);
        self.end = self.end.max(it.end());
        self.earliest = self.earliest.min(it.stored.composition_offset.into());
        self.pictures = self.pictures.saturating_add(1);
        self.ticks = self.ticks.saturating_add(it.stored.duration.into());
        self.even &= it.stored.duration == usual_duration;
        if it.stored.sync == Sync::Key {
            self.key = it.presentation;
        }
        self.has_octets |= it.stored.size > 0;
        self.has_leading |= it.presentation < self.key;
    }

    /// Exact where all pictures stay equally long, else the mean to a thousandth.
    fn frame_rate(&self, index: &Index) -> Option<FrameRate> {
        if self.even {
            return FrameRate::of_duration(index.usual_duration, index.track.timescale);
        }
        let hertz = index.track.timescale.hertz();
        FrameRate::rounded(f64::from(self.pictures) * f64::from(hertz) / self.ticks as f64)
    }
}

/// The value that more than half of all have; of any other crowd, one of them (Boyer and Moore). `values` are how many
/// follow each other, and what each of them is.
fn majority(values: impl Iterator<Item = (u32, u32)>) -> u32 {
    let (mut candidate, mut lead) = (0, 0_u32);
    for (count, value) in values {
        if value == candidate {
            lead = lead.saturating_add(count);
        } else if let Some(ahead) = lead.checked_sub(count) {
            lead = ahead;
        } else {
            (candidate, lead) = (value, count.saturating_sub(lead));
        }
    }
    candidate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_most_samples_last_is_found_run_by_run() {
        let check = |runs: &[(u32, u32)], expected| assert_eq!(majority(runs.iter().copied()), expected);
        check(&[], 0);
        check(&[(1, 7)], 7);
        check(&[(3, 512), (1, 7), (2, 512), (4, 9)], 512);
        check(&[(3, 7), (4, 9)], 9);
        check(&[(2, 1), (2, 2), (1, 3)], 3);
    }
}
