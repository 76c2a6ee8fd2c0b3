//! A track cut into segments: when each plays, which samples it holds, how long it is, and its bytes.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use xxhash_rust::xxh3::xxh3_64;

use super::columns::{put, put_rows, put_signed, take, take_rows, take_signed};
use super::index::{Index, Indexed, Placed};
use super::key_frames::KeyFrames;
use super::made::{Extent, Fragment};
use super::packed::{Packed, pack_samples, unpack_samples};
use super::plan::Plan;
use super::rate::Rate;
use super::{Body, Pages, Reason};
use crate::isobmff::fragment::{self, Entry};
use crate::isobmff::init::Init;
use crate::isobmff::protection::TrackProtection;
use crate::media::{Timestamp, TrackKind};

/// Twice what an hour without a key frame at 9 pictures a second has; a crafted table has more.
const MAX_SAMPLES: u32 = 65_536;

/// A segment larger than this helps no viewer: ten seconds at 200 Mbit/s.
const MAX_SEGMENT: u64 = 256 * 1024 * 1024;

/// No picture of any format we serve comes near.
const MAX_SAMPLE: u32 = 64 * 1024 * 1024;

/// More segments than a ten-day film has at 10 s each; what is beyond has a target of nothing or no end.
const MAX_SEGMENTS: usize = 100_000;

/// Ticks further than any moment of any track: ten days of the finest scale.
const FURTHEST: u64 = 1 << 52;

/// A track of a title, cut.
#[derive(Debug)]
pub(super) struct Rendition {
    /// Which of the title's files it is in.
    pub(super) file: usize,
    pub(super) index: Index,
    pub(super) rate: Rate,
    /// The peak where the first segment begins no sooner than its samples, as MPDs say; never less than that of playlists.
    pub(super) exact_peak: u64,
    /// Of pictures, what players scrub by.
    pub(super) key_frames: KeyFrames,
    /// The presentation's first moment, in ticks of the track.
    origin: i64,
    segments: Vec<Segment>,
    /// The first sample that is in none of them.
    end: u32,
    /// The samples of all of them.
    packed: Packed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    /// Its first moment, in ticks of the presentation.
    start: i64,
    /// Its first sample.
    first: u32,
    /// Where its samples are packed, and what they hash to.
    at: u32,
    check: u32,
}

/// What a fragment says of a sample.
const fn entry(it: &Placed) -> Entry {
    Entry {
        size: it.stored.size,
        duration: it.stored.duration,
        composition_offset: it.stored.composition_offset,
        sync: it.stored.sync,
    }
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
            packed: Packed::default(),
            rate: Rate::default(),
            exact_peak: 0,
            key_frames: KeyFrames::default(),
            index,
        };
        let lengths = it.pack(indexed.sent_samples())?;
        it.rate = Rate::of(it.listed(it.spans()).zip(lengths.iter().copied()));
        let exact = it.spans().map(|span| it.index.at(span.end.saturating_sub(span.start)).seconds());
        it.exact_peak = Rate::of(exact.zip(lengths)).peak.max(it.rate.peak);
        if it.index.track.kind() == TrackKind::Video {
            it.key_frames = KeyFrames::of(&indexed, &it);
        }
        Ok(it)
    }

    /// Packs the samples of all segments; gives how many octets each segment has.
    fn pack(&mut self, mut samples: impl Iterator<Item = Placed>) -> Result<Vec<u64>, Reason> {
        let (mut packed, mut lengths) = (Vec::new(), Vec::new());
        for n in 0..self.len() {
            let count = self.numbers(n).len();
            // So many are not even held together for a moment.
            if count > MAX_SAMPLES as usize {
                let bytes = samples.by_ref().take(count).map(|it| u64::from(it.stored.size)).sum();
                return Err(Reason::LargeSegment { at: self.begins(n), samples: count, bytes });
            }
            let samples: Vec<Placed> = samples.by_ref().take(count).collect();
            self.check_size(n, &samples)?;
            lengths.push(self.body_of(n, &samples).map_or(0, |body| body.length()));
            let at = packed.len();
            pack_samples(&samples, &mut packed);
            if let Some(segment) = self.segments.get_mut(n) {
                // A title has no more samples than take a gigabyte.
                segment.at = u32::try_from(at).unwrap_or(u32::MAX);
                segment.check = check(packed.get(at..).unwrap_or_default());
            }
        }
        self.packed = Packed::Held(packed.into());
        self.segments.shrink_to_fit();
        Ok(lengths)
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

    /// The segment in which a moment of the presentation is, in ticks from its first.
    pub(super) fn segment_at(&self, at: i64) -> usize {
        self.segments.partition_point(|it| self.since_origin(it.start) <= at).saturating_sub(1)
    }

    /// Ticks from the presentation's first moment to one of the track's.
    pub(super) const fn since_origin(&self, at: i64) -> i64 {
        at.saturating_sub(self.origin)
    }

    /// When each segment plays.
    pub(super) fn spans(&self) -> impl Iterator<Item = Range<i64>> + '_ {
        (0..self.len()).filter_map(|n| self.span(n))
    }

    /// How many seconds playlists say that segments last: the first lasts from the presentation's first moment.
    pub(super) fn listed<'a>(
        &'a self,
        spans: impl Iterator<Item = Range<i64>> + 'a,
    ) -> impl Iterator<Item = f64> + 'a {
        spans.enumerate().map(|(n, it)| {
            let start = if n == 0 { it.start.min(0) } else { it.start };
            self.index.at(it.end.saturating_sub(start)).seconds()
        })
    }

    /// When the last segment ends, from the presentation's first moment.
    pub(super) fn end(&self) -> Timestamp {
        self.index.at(self.index.shown.end.saturating_sub(self.origin))
    }

    /// What is held in memory.
    pub(super) fn weight(&self) -> usize {
        let segments = self.segments.capacity().saturating_mul(size_of::<Segment>());
        [size_of::<Self>(), segments, self.packed.weight(), self.index.weight(), self.key_frames.weight()]
            .into_iter()
            .fold(0, usize::saturating_add)
    }

    /// The init segment. What the file's edit list says is said again, against the title's common origin.
    pub(super) fn init(&self, protection: Option<&TrackProtection>) -> Bytes {
        Init {
            track: &self.index.track,
            duration: u64::try_from(self.end().ticks()).unwrap_or(0),
            media_time: u64::try_from(self.media_time()).unwrap_or(0),
            matrix: self.index.matrix,
        }
        .render_protected(protection)
    }

    /// Segment `n`, as boxes and ranges of its file.
    pub(super) fn body(&self, n: usize) -> Option<Body> {
        self.body_of(n, &self.samples(n)?)
    }

    fn body_of(&self, n: usize, samples: &[Placed]) -> Option<Body> {
        let base = self.base(samples.first()?);
        let sequence = u32::try_from(n).ok()?.saturating_add(1);
        let entries = samples.iter().map(entry);
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

    /// Segment `n`, as frames of which a fragment is made; and the number of the first.
    pub(super) fn fragment(&self, n: usize) -> Option<(Fragment, Vec<Extent>, u32)> {
        let samples = self.samples(n)?;
        let first = samples.first()?;
        let fragment = Fragment {
            kind: self.index.track.kind(),
            sequence: u32::try_from(n).ok()?.saturating_add(1),
            base: self.base(first),
            entries: samples.iter().map(entry).collect(),
            sealed: None,
        };
        Some((fragment, samples.iter().map(|it| self.extent(it)).collect(), first.stored.index))
    }

    /// Where a sample is.
    pub(super) fn extent(&self, it: &Placed) -> Extent {
        let begin = it.stored.offset;
        Extent { file: self.file, range: begin..begin.saturating_add(it.stored.size.into()) }
    }

    /// When a fragment that begins with this sample is decoded.
    fn base(&self, first: &Placed) -> Timestamp {
        self.index.at(first.stored.dts.saturating_add(self.offset().max(0)))
    }

    /// Samples in a second, about.
    pub(super) fn samples_per_second(&self) -> f64 {
        let samples = f64::from(self.end.saturating_sub(self.segments.first().map_or(0, |it| it.first)));
        let shown = self.index.shown.end.saturating_sub(self.index.shown.start);
        samples / self.index.at(shown).seconds().max(0.001)
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

    /// The samples of segment `n`; nothing when there is none, or when they were left to a record that is no more.
    pub(super) fn samples(&self, n: usize) -> Option<Vec<Placed>> {
        let segment = self.segments.get(n)?;
        let end = self.segments.get(n.saturating_add(1)).map_or(self.packed.length(), |it| it.at);
        let numbers = self.numbers(n);
        let count = numbers.end.saturating_sub(numbers.start);
        self.packed.read(segment.at..end, |packed| {
            let whole = Some(packed).filter(|it| check(it) == segment.check)?;
            let samples = unpack_samples(whole, numbers.start, count, self.index.shift)?;
            let far =
                |it: &Placed| [it.stored.dts, it.presentation].iter().any(|it| it.unsigned_abs() > FURTHEST);
            (self.check_size(n, &samples).is_ok() && !samples.iter().any(far)).then_some(samples)
        })
    }

    /// Keeps the samples in memory no longer: they are in the record that `pages` has, and end there; gives where they
    /// begin.
    pub(super) fn leave_to(&mut self, pages: &Arc<dyn Pages>, end: u64) -> u64 {
        let length = self.packed.length();
        let begin = end.saturating_sub(length.into());
        self.packed = Packed::Left { pages: Arc::clone(pages), begin, length };
        begin
    }

    /// The samples of all segments, as they are packed, as long as they are in memory.
    pub(super) const fn packed(&self) -> Option<&[u8]> {
        match &self.packed {
            Packed::Held(it) => Some(it),
            Packed::Left { .. } | Packed::Wanted(_) => None,
        }
    }

    /// Appends all but the samples. Nothing when its description does not survive that.
    pub(super) fn put(&self, record: &mut Vec<u8>) -> Option<()> {
        put(record, self.file as u64);
        self.index.put(record)?;
        put_signed(record, self.origin);
        self.rate.put(record);
        put(record, self.exact_peak);
        put(record, self.end.into());
        let row = |it: &Segment| [it.start, it.first.into(), it.at.into(), it.check.into()];
        put_rows(record, &self.segments.iter().map(row).collect::<Vec<_>>());
        self.key_frames.put(record);
        put(record, self.packed.length().into());
        Some(())
    }

    /// Takes from the front what was put there, to which its samples are still to be [given](Self::give).
    pub(super) fn take(record: &mut &[u8]) -> Option<Self> {
        let file = usize::try_from(take(record)?).ok()?;
        let index = Index::take(record)?;
        let origin = take_signed(record).filter(|it| it.unsigned_abs() < FURTHEST)?;
        let (rate, exact_peak) = (Rate::take(record)?, take(record)?);
        let end = narrow(take(record)?)?;
        let rows: Vec<[i64; 4]> = take_rows(record, MAX_SEGMENTS)?;
        let segment = |[start, first, at, check]: [i64; 4]| {
            let narrow = |it: i64| u32::try_from(it).ok();
            Some(Segment { start, first: narrow(first)?, at: narrow(at)?, check: narrow(check)? })
        };
        let segments = rows.into_iter().map(segment).collect::<Option<Box<[_]>>>()?.into_vec();
        let key_frames = KeyFrames::take(record)?;
        let length = narrow(take(record)?)?;
        let it = Self {
            file,
            index,
            rate,
            exact_peak,
            key_frames,
            origin,
            segments,
            end,
            packed: Packed::Wanted(length),
        };
        it.makes_sense().then_some(it)
    }

    /// Gives it the samples of its segments from the front of what they are packed in.
    pub(super) fn give(&mut self, packed: &mut &[u8]) -> Option<()> {
        let (own, rest) = packed.split_at_checked(self.packed.length() as usize)?;
        (self.packed, *packed) = (Packed::Held(own.into()), rest);
        Some(())
    }

    /// Whether segments ascend, have samples and no more than any may have, and lie within the presentation.
    fn makes_sense(&self) -> bool {
        let (shown, length) = (&self.index.shown, self.packed.length());
        let ascend = self.segments.windows(2).all(|it| match it {
            [a, b] => a.start < b.start && a.at < b.at && a.first < b.first,
            _ => true,
        });
        let first = self.segments.first().is_some_and(|it| it.start >= shown.start && it.at == 0);
        let last = self
            .segments
            .last()
            .is_some_and(|it| it.start < shown.end && it.at < length && it.first < self.end);
        let few = (0..self.len()).all(|n| self.numbers(n).len() <= MAX_SAMPLES as usize);
        ascend && first && last && few
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
        if count > MAX_SAMPLES as usize || bytes > MAX_SEGMENT {
            return Err(Reason::LargeSegment { at: self.begins(n), samples: count, bytes });
        }
        Ok(())
    }

    /// The second in which segment `n` begins.
    fn begins(&self, n: usize) -> u64 {
        self.span(n).map_or(0.0, |it| self.index.at(it.start).seconds()) as u64
    }
}

/// Which octets they are, as far as thirty-two bits tell.
fn check(octets: &[u8]) -> u32 {
    xxh3_64(octets) as u32
}

fn narrow(it: u64) -> Option<u32> {
    u32::try_from(it).ok()
}

/// Where the segments begin. A last one that is too short is a part of the one before.
fn begin_segments(indexed: &Indexed, plan: &Plan) -> Vec<Segment> {
    let index = &indexed.index;
    let video = index.track.kind() == TrackKind::Video;
    let tolerance = match index.track.kind() {
        TrackKind::Video => Timestamp::from_duration(plan.tolerance, index.track.timescale).ticks(),
        TrackKind::Audio => 0,
    };
    let segment = |first, start| Segment { start, first, at: 0, check: 0 };
    let mut rest = plan.boundaries.iter().skip(1).map(|it| index.ticks(*it)).peekable();
    let mut segments = vec![segment(indexed.sent.start, index.shown.start)];
    // The first sample that is sent begins the first.
    let first = indexed.sent.start;
    let keys = indexed.sent_keys().filter(|it| it.stored.index > first);
    let others = (!video).then(|| indexed.sent_samples().skip(1)).into_iter().flatten();
    for sample in keys.chain(others) {
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
