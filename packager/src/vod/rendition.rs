//! A track cut into segments: when each plays, which samples it holds, how long it is, and its bytes.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::index::{Index, Indexed, Placed};
use super::key_frames::KeyFrames;
use super::packed::{pack_samples, unpack_samples};
use super::plan::Plan;
use super::rate::Rate;
use super::{Body, Reason};
use crate::isobmff::fragment::{self, Entry};
use crate::isobmff::init::Init;
use crate::media::{Sync, Timestamp, TrackKind};

/// Twice what an hour without a key frame at 9 pictures a second has; a crafted table has more.
const MAX_SAMPLES: usize = 65_536;

/// A segment larger than this helps no viewer: ten seconds at 200 Mbit/s.
const MAX_SEGMENT: u64 = 256 * 1024 * 1024;

/// No picture of any format we serve comes near.
const MAX_SAMPLE: u32 = 64 * 1024 * 1024;

/// More segments than a ten-day film has at 10 s each; what is beyond has a target of nothing or no end.
const MAX_SEGMENTS: usize = 100_000;

/// A track of a title, cut.
#[derive(Debug)]
pub(super) struct Rendition {
    /// Which of the title's files it is in.
    pub(super) file: usize,
    pub(super) index: Index,
    pub(super) rate: Rate,
    /// Of pictures, what players scrub by.
    pub(super) key_frames: KeyFrames,
    /// The presentation's first moment, in ticks of the track.
    origin: i64,
    segments: Vec<Segment>,
    /// The first sample that is in none of them.
    end: u32,
    /// The samples of all of them.
    packed: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    /// Its first sample.
    first: u32,
    /// Its first moment, in ticks of the presentation.
    start: i64,
    /// Octets.
    length: u64,
    /// Where its samples are packed.
    at: usize,
}

impl Rendition {
    /// Cuts a track. Pictures are cut at the key frames that stand at the plan's boundaries; sound belongs to the
    /// segment in which it begins to be heard.
    pub(super) fn cut(indexed: Indexed, file: usize, plan: &Plan) -> Result<Self, Reason> {
        let segments = begin_segments(&indexed, plan);
        if segments.len() > MAX_SEGMENTS {
            return Err(Reason::TooManySegments(segments.len()));
        }
        let mut index = indexed.index.clone();
        // What it is a slice of is the whole header of the file.
        index.track.config = index.track.config.detached();
        let mut it = Self {
            file,
            origin: index.ticks(plan.origin),
            segments,
            end: indexed.sent.end,
            packed: Vec::new(),
            rate: Rate::default(),
            key_frames: KeyFrames::default(),
            index,
        };
        it.pack(indexed.sent_samples())?;
        let facts = it.spans().zip(&it.segments).map(|(span, segment)| {
            (it.index.at(span.end.saturating_sub(span.start)).seconds(), segment.length)
        });
        it.rate = Rate::of(facts);
        if it.index.track.kind() == TrackKind::Video {
            it.key_frames = KeyFrames::of(&indexed, &it);
        }
        Ok(it)
    }

    /// Packs the samples of all segments, and finds how long each segment is.
    fn pack(&mut self, mut samples: impl Iterator<Item = Placed>) -> Result<(), Reason> {
        for n in 0..self.len() {
            let samples: Vec<Placed> = samples.by_ref().take(self.numbers(n).len()).collect();
            self.check_size(n, &samples)?;
            let length = self.body_of(n, &samples).map_or(0, |body| body.length());
            let at = self.packed.len();
            pack_samples(&samples, &mut self.packed);
            if let Some(segment) = self.segments.get_mut(n) {
                (segment.length, segment.at) = (length, at);
            }
        }
        self.packed.shrink_to_fit();
        self.segments.shrink_to_fit();
        Ok(())
    }

    /// How many segments there are.
    pub(super) fn len(&self) -> usize {
        self.segments.len()
    }

    /// When segment `n` plays, in ticks from the presentation's first moment.
    pub(super) fn span(&self, n: usize) -> Option<Range<i64>> {
        let start = self.segments.get(n)?.start;
        let end = self.segments.get(n.saturating_add(1)).map_or(self.index.shown.end, |next| next.start);
        Some(self.since_origin(start)..self.since_origin(end))
    }

    /// The samples from the segment on in which a moment of the presentation is, in ticks from its first.
    pub(super) fn starting_in(&self, at: i64) -> impl Iterator<Item = Placed> + '_ {
        let after = self.segments.partition_point(|it| self.since_origin(it.start) <= at);
        (after.saturating_sub(1)..self.len()).flat_map(|n| self.samples(n).unwrap_or_default())
    }

    /// Ticks from the presentation's first moment to one of the track's.
    pub(super) const fn since_origin(&self, at: i64) -> i64 {
        at.saturating_sub(self.origin)
    }

    /// When each segment plays.
    pub(super) fn spans(&self) -> impl Iterator<Item = Range<i64>> + '_ {
        (0..self.len()).filter_map(|n| self.span(n))
    }

    /// When the last segment ends, from the presentation's first moment.
    pub(super) fn end(&self) -> Timestamp {
        self.index.at(self.index.shown.end.saturating_sub(self.origin))
    }

    /// What is held in memory.
    pub(super) fn weight(&self) -> usize {
        let segments = self.segments.capacity().saturating_mul(size_of::<Segment>());
        [size_of::<Self>(), segments, self.packed.capacity(), self.index.weight(), self.key_frames.weight()]
            .into_iter()
            .fold(0, usize::saturating_add)
    }

    /// The init segment. What the file's edit list says is said again, against the title's common origin.
    pub(super) fn init(&self) -> Bytes {
        Init {
            track: &self.index.track,
            duration: u64::try_from(self.end().ticks()).unwrap_or(0),
            media_time: u64::try_from(self.media_time()).unwrap_or(0),
            matrix: self.index.matrix,
        }
        .render()
    }

    /// Segment `n`, as boxes and ranges of its file.
    pub(super) fn body(&self, n: usize) -> Option<Body> {
        self.body_of(n, &self.samples(n)?)
    }

    fn body_of(&self, n: usize, samples: &[Placed]) -> Option<Body> {
        let first = samples.first()?;
        let base = self.index.at(first.stored.dts.saturating_add(self.offset().max(0)));
        let sequence = u32::try_from(n).ok()?.saturating_add(1);
        let entries = samples.iter().map(|it| Entry {
            size: it.stored.size,
            duration: it.stored.duration,
            composition_offset: it.stored.composition_offset,
            sync: it.stored.sync,
        });
        let mut head = BytesMut::from(fragment::segment_header());
        head.extend_from_slice(&fragment::header(sequence, base, entries));

        let mut extents: Vec<Range<u64>> = Vec::new();
        for it in samples.iter().map(|it| it.stored).filter(|it| it.size > 0) {
            let end = it.offset.saturating_add(it.size.into());
            match extents.last_mut() {
                Some(last) if last.end == it.offset => last.end = end,
                _ => extents.push(it.offset..end),
            }
        }
        Some(Body { head: head.freeze(), extents })
    }

    /// Ticks from media time to the time of the presentation. Where it is negative the init segment says so by an
    /// edit list, because decoding times cannot.
    const fn offset(&self) -> i64 {
        self.index.shift.saturating_sub(self.origin)
    }

    /// Where on the decoding timeline the presentation begins.
    pub(super) const fn media_time(&self) -> i64 {
        let before = self.offset().saturating_neg();
        if before > 0 { before } else { 0 }
    }

    /// The samples of segment `n`.
    pub(super) fn samples(&self, n: usize) -> Option<Vec<Placed>> {
        let packed = self.packed.get(self.segments.get(n)?.at..)?;
        let numbers = self.numbers(n);
        unpack_samples(packed, numbers.start, numbers.end.saturating_sub(numbers.start), self.index.shift)
    }

    /// Which samples segment `n` has.
    fn numbers(&self, n: usize) -> Range<u32> {
        let first = |n: usize| self.segments.get(n).map_or(self.end, |it| it.first);
        first(n)..first(n.saturating_add(1))
    }

    fn check_size(&self, n: usize, samples: &[Placed]) -> Result<(), Reason> {
        if let Some(large) = samples.iter().map(|it| it.stored).find(|it| it.size > MAX_SAMPLE) {
            return Err(Reason::LargeSample { number: large.index, size: large.size });
        }
        let (count, bytes) = (samples.len(), samples.iter().map(|it| u64::from(it.stored.size)).sum());
        let at = self.span(n).map_or(0.0, |it| self.index.at(it.start).seconds());
        if count > MAX_SAMPLES || bytes > MAX_SEGMENT {
            return Err(Reason::LargeSegment { at: at as u64, samples: count, bytes });
        }
        Ok(())
    }
}

/// Where the segments begin. A last one that is too short is a part of the one before.
fn begin_segments(indexed: &Indexed, plan: &Plan) -> Vec<Segment> {
    let index = &indexed.index;
    let video = index.track.kind() == TrackKind::Video;
    let tolerance = match index.track.kind() {
        TrackKind::Video => Timestamp::from_duration(plan.tolerance, index.track.timescale).ticks(),
        TrackKind::Audio => 0,
    };
    let segment = |first, start| Segment { first, start, length: 0, at: 0 };
    let mut rest = plan.boundaries.iter().skip(1).map(|it| index.ticks(*it)).peekable();
    let mut segments = vec![segment(indexed.sent.start, index.shown.start)];
    for sample in indexed.sent_samples().skip(1).filter(|it| !video || it.stored.sync == Sync::Key) {
        let reached = sample.presentation.saturating_add(tolerance);
        let mut passed = false;
        // A hole in the track may pass several boundaries: one segment begins behind it, none is empty.
        while rest.next_if(|boundary| *boundary <= reached).is_some() {
            passed = true;
        }
        if passed && sample.presentation > index.shown.start {
            segments.push(segment(sample.stored.index, sample.presentation));
        }
    }
    let rest = segments.last().map(|last| index.shown.end.saturating_sub(last.start));
    if segments.len() > 1 && rest.is_some_and(|rest| index.at(rest).to_duration() < plan.sliver) {
        segments.pop();
    }
    segments
}
