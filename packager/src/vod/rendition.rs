//! A track cut into segments: when each plays, which samples it holds, how long it is, and its bytes.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::index::{Index, Placed};
use super::key_frames::KeyFrames;
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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    /// Its first sample.
    first: u32,
    /// Its first moment, in ticks of the presentation.
    start: i64,
    /// Octets.
    length: u64,
}

impl Rendition {
    /// Cuts a track. Pictures are cut at the key frames that stand at the plan's boundaries; sound belongs to the
    /// segment in which it begins to be heard.
    pub(super) fn cut(mut index: Index, file: usize, plan: &Plan) -> Result<Self, Reason> {
        // The plan was made of them; nobody asks again.
        index.keys = Vec::new();
        let mut it = Self {
            file,
            origin: index.ticks(plan.origin),
            segments: Vec::new(),
            rate: Rate::default(),
            key_frames: KeyFrames::default(),
            index,
        };
        it.segments = it.begin_segments(plan);
        let rest = it.segments.last().map(|last| it.index.shown.end.saturating_sub(last.start));
        if it.segments.len() > 1 && rest.is_some_and(|rest| it.index.at(rest).to_duration() < plan.sliver) {
            it.segments.pop();
        }
        if it.segments.len() > MAX_SEGMENTS {
            return Err(Reason::TooManySegments(it.segments.len()));
        }
        for n in 0..it.segments.len() {
            it.check_size(n)?;
            let length = it.body(n).map_or(0, |body| body.length());
            if let Some(segment) = it.segments.get_mut(n) {
                segment.length = length;
            }
        }
        let facts = it.spans().zip(&it.segments).map(|(span, segment)| {
            (it.index.at(span.end.saturating_sub(span.start)).seconds(), segment.length)
        });
        it.rate = Rate::of(facts);
        if it.index.track.kind() == TrackKind::Video {
            it.key_frames = KeyFrames::of(&it);
        }
        Ok(it)
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
    pub(super) fn starting_in(&self, at: i64) -> impl Iterator<Item = Placed> + Clone + '_ {
        let after = self.segments.partition_point(|it| self.since_origin(it.start) <= at);
        let first = self.segments.get(after.saturating_sub(1)).map_or(self.index.sent.start, |it| it.first);
        self.index.from(first)
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

    /// What is held in memory beside the file's header.
    pub(super) fn weight(&self) -> usize {
        let segments = self.segments.capacity().saturating_mul(size_of::<Segment>());
        [segments, self.index.weight(), self.key_frames.weight()].into_iter().fold(0, usize::saturating_add)
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
        let samples = self.samples(n)?;
        let first = samples.clone().next()?;
        let base = self.index.at(first.stored.dts.saturating_add(self.offset().max(0)));
        let sequence = u32::try_from(n).ok()?.saturating_add(1);
        let entries = samples.clone().map(|it| Entry {
            size: it.stored.size,
            duration: it.stored.duration,
            composition_offset: it.stored.composition_offset,
            sync: it.stored.sync,
        });
        let mut head = BytesMut::from(fragment::segment_header());
        head.extend_from_slice(&fragment::header(sequence, base, entries));

        let mut extents: Vec<Range<u64>> = Vec::new();
        for it in samples.map(|it| it.stored).filter(|it| it.size > 0) {
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
    pub(super) fn samples(&self, n: usize) -> Option<impl Iterator<Item = Placed> + Clone + '_> {
        let first = self.segments.get(n)?.first;
        let end = self.segments.get(n.saturating_add(1)).map_or(self.index.sent.end, |next| next.first);
        Some(self.index.from(first).take(end.saturating_sub(first) as usize))
    }

    fn begin_segments(&self, plan: &Plan) -> Vec<Segment> {
        let index = &self.index;
        let video = index.track.kind() == TrackKind::Video;
        let tolerance = match index.track.kind() {
            TrackKind::Video => Timestamp::from_duration(plan.tolerance, index.track.timescale).ticks(),
            TrackKind::Audio => 0,
        };
        let mut rest = plan.boundaries.iter().skip(1).map(|it| index.ticks(*it)).peekable();
        let mut segments = vec![Segment { first: index.sent.start, start: index.shown.start, length: 0 }];
        for sample in index.from(index.sent.start).skip(1).filter(|it| !video || it.stored.sync == Sync::Key)
        {
            let reached = sample.presentation.saturating_add(tolerance);
            let mut passed = false;
            // A hole in the track may pass several boundaries: one segment begins behind it, none is empty.
            while rest.next_if(|boundary| *boundary <= reached).is_some() {
                passed = true;
            }
            if passed && sample.presentation > index.shown.start {
                segments.push(Segment { first: sample.stored.index, start: sample.presentation, length: 0 });
            }
        }
        segments
    }

    fn check_size(&self, n: usize) -> Result<(), Reason> {
        let (mut count, mut bytes) = (0_usize, 0_u64);
        for Placed { stored: it, .. } in self.samples(n).into_iter().flatten() {
            if it.size > MAX_SAMPLE {
                return Err(Reason::LargeSample { number: it.index, size: it.size });
            }
            count = count.saturating_add(1);
            bytes = bytes.saturating_add(it.size.into());
        }
        let at = self.span(n).map_or(0.0, |it| self.index.at(it.start).seconds());
        if count > MAX_SAMPLES || bytes > MAX_SEGMENT {
            return Err(Reason::LargeSegment { at: at as u64, samples: count, bytes });
        }
        Ok(())
    }
}
