//! One track of one epoch: samples in, parts and closed segments out.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::cadence::Cadence;
use super::reel::{Reel, places};
use super::settings::Announced;
use crate::isobmff::fragment::{Entry, TimedSample, header};
use crate::media::{Sample, Sync, Timescale, Timestamp, TrackKind};
use crate::segmenter::{Fill, Slices, longest_segment};

/// A part as large as this ends before its time: no picture of a stream that plays over a network needs more.
const MAX_PART: u64 = 16 << 20;

/// What an open segment may weigh, samples of no length included; beyond it samples are dropped until the next segment.
/// Ten seconds at 200 Mbit/s.
const MAX_SEGMENT: u64 = 256 << 20;

/// What a sample costs beside its payload until its part is closed, and a part from then on.
const OVERHEAD: usize = 128;

/// Room for so many samples of a part stays from one part to the next.
const USUAL_PART: usize = 64;

/// The name of a part below its epoch: `{media_sequence}.{index}`.
///
/// A name is announced before its part exists. When the part announced as the next one of a segment turns out to begin
/// the following segment, because a key frame came that was not foreseen, it keeps the name: so a preload hint is always
/// right, and nobody waits for a part that does not come. Hence the first part of segment 8 may be named 7.6; it is never
/// found under two names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct PartName {
    pub(super) media_sequence: u64,
    pub(super) index: u32,
}

/// A closed part.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) name: PartName,
    pub(super) duration: Duration,
    pub(super) independent: bool,
    /// Nobody need ask for it: it has no sample, and nothing after it needs what is before it.
    pub(super) gap: bool,
    /// Header and payloads, one behind the other.
    pub(super) chunks: Arc<[Bytes]>,
}

impl Part {
    /// Octets on the wire.
    pub(super) fn octets(&self) -> u64 {
        self.chunks.iter().map(|it| it.len() as u64).sum()
    }

    /// What it takes to hold it.
    pub(super) fn weight(&self) -> u64 {
        self.octets() + OVERHEAD as u64
    }
}

/// A payload that was copied into a part: who holds the octets it came with may hold the part's in their place.
#[derive(Clone, Debug)]
pub struct Moved {
    /// As it came.
    pub from: Bytes,
    /// The same octets, in the part.
    pub to: Bytes,
}

/// What a segment was when it closed; its parts were given out before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Closing {
    pub(super) media_sequence: u64,
    pub(super) start: Timestamp,
    pub(super) length: i64,
    /// Where it is written: from where the segment before ends to where the next begins. Given out, it is final.
    pub(super) written: Range<i64>,
    /// Whether any sample begins in it.
    pub(super) fill: Fill,
    /// Its octets on the wire.
    pub(super) octets: u64,
}

/// Something a packer has made.
#[derive(Clone, Debug)]
pub(super) enum Made {
    Part(Part, Vec<Moved>),
    Segment(Closing),
}

/// Packs one track until its epoch ends.
///
/// Two timelines run side by side. Slices and segments are cut on the real one, where samples are at the times they
/// came with. In the boxes each sample begins where the one before ended, so that there is never a hole between
/// `tfdt`s: the last sample of a part is written with its usual duration, because the part must not wait for the next
/// sample, and that next one takes the error up. Only a segment without samples is a hole. What is shown when is exact all the same: composition offsets are
/// counted from where the sample was written. They are kept positive, because ffmpeg shows a whole track late for the sake
/// of one negative offset: pictures are written as much earlier as they are reordered, and where durations are
/// uneven, the guess is a little short.
#[derive(Debug)]
pub(super) struct Packer {
    kind: TrackKind,
    timescale: Timescale,
    slices: Slices,
    part_target: i64,
    longest: i64,
    cadence: Cadence,
    pending: Vec<TimedSample>,
    pending_weight: u64,
    reel: Reel,
    /// Where the next sample is written, but for `delay`.
    next_dts: i64,
    /// How much earlier than shown the first sample is decoded.
    delay: i64,
    /// The newest sample's real time.
    newest: i64,
    /// Whether the sample that is taken in now, and ends the hole before it, needs others; none when no more come.
    coming: Option<Sync>,
    cuts: VecDeque<Timestamp>,
    /// Where the segment after the last cut will probably end.
    expected: Option<i64>,
    name: PartName,
    /// What `name` was when all that was made had been taken: what viewers were told.
    announced: PartName,
    segment: Open,
    sequence: u32,
    made: VecDeque<Made>,
}

#[derive(Debug)]
struct Open {
    media_sequence: u64,
    start: i64,
    /// Where it begins in the boxes.
    written: i64,
    parts: u32,
    fill: Fill,
    octets: u64,
    weight: u64,
}

impl Packer {
    /// The first segment begins at `start` as `media_sequence`; its first sample is decoded `delay` before it is shown.
    pub(super) fn new(
        kind: TrackKind,
        start: Timestamp,
        delay: i64,
        media_sequence: u64,
        announced: &Announced,
        cadence: Cadence,
    ) -> Self {
        let ticks = |it| Timestamp::from_duration(it, start.timescale()).ticks().max(1);
        let part_target = announced.part_target;
        Self {
            kind,
            timescale: start.timescale(),
            slices: Slices::new(part_target, start),
            part_target: ticks(part_target),
            longest: ticks(longest_segment(announced.target_duration)),
            cadence,
            pending: Vec::new(),
            pending_weight: 0,
            reel: Reel::default(),
            next_dts: start.ticks(),
            delay,
            newest: start.ticks(),
            coming: None,
            cuts: VecDeque::new(),
            expected: None,
            name: PartName { media_sequence, index: 0 },
            announced: PartName { media_sequence, index: 0 },
            segment: Open {
                media_sequence,
                start: start.ticks(),
                written: start.ticks(),
                parts: 0,
                fill: Fill::Nothing,
                octets: 0,
                weight: 0,
            },
            sequence: 0,
            made: VecDeque::new(),
        }
    }

    /// The segment after those whose cuts are made already will probably end at `end`.
    pub(super) fn expect(&mut self, end: Option<Timestamp>) {
        self.expected = end.map(|it| it.rescale(self.timescale).ticks());
        self.plan();
    }

    /// The segment ends before the first sample at or after `at`.
    pub(super) fn cut(&mut self, at: Timestamp) {
        self.cuts.push_back(at.rescale(self.timescale));
        self.plan();
        self.cut_ahead();
    }

    /// The segment ends now, at `at`, where the next sample is due.
    pub(super) fn cut_here(&mut self, at: Timestamp) {
        let at = at.rescale(self.timescale).ticks();
        self.end_segment(at, at);
    }

    /// Takes a sample whose decoding time on the epoch's timeline is `at` and whose presentation time is `shown`.
    pub(super) fn push(&mut self, at: i64, shown: i64, sample: Sample) {
        let at = at.max(self.newest);
        self.newest = at;
        self.coming = Some(sample.sync);
        self.settle(at);
        self.make_cuts(at);
        self.cadence.observe(at);
        let lasting = self.usual();
        while let Some(end) = self.slices.end_before(at, lasting, self.fill()) {
            self.close_part(end);
        }
        if self.segment.weight.saturating_add(self.pending_weight) > MAX_SEGMENT {
            return;
        }
        let short = match self.kind {
            TrackKind::Video => self.cadence.rounding().min(lasting / 8),
            // Sound is counted in samples: its guess is no guess.
            TrackKind::Audio => 0,
        };
        let duration = at.saturating_add(lasting - short).saturating_sub(self.next_dts).max(1);
        let dts = Timestamp::new(self.next_dts.saturating_sub(self.delay), self.timescale);
        let offset = match self.kind {
            TrackKind::Video => shown.saturating_sub(dts.ticks()),
            // Sound is shown where it is written: a few ticks are below hearing, and players expect no offsets there.
            TrackKind::Audio => 0,
        };
        self.pending_weight += (sample.payload.len() + OVERHEAD) as u64;
        self.segment.fill = Fill::Samples;
        self.pending.push(TimedSample {
            sample: Sample { dts, composition_offset: clamp(offset), ..sample },
            duration: ticks(duration),
        });
        self.next_dts = self.next_dts.saturating_add(duration);
        if let Some(end) = self.slices.end_after(at.saturating_add(lasting), lasting) {
            self.close_part_early(end);
        } else if self.pending_weight > MAX_PART {
            self.close_part(at.max(self.slices.start()).saturating_add(1));
        }
        self.cut_ahead();
    }

    /// Ends the open segment and all that cuts had been asked for, at `end` at the latest.
    pub(super) fn finish(&mut self, end: Timestamp) {
        self.coming = None;
        let end = end.rescale(self.timescale).ticks().max(self.end().ticks());
        while let Some(cut) = self.cuts.pop_front() {
            self.end_segment(cut.ticks(), cut.ticks());
        }
        let end = end.min(self.segment.start.saturating_add(self.longest));
        self.end_segment(end, end);
    }

    /// The next thing that was made.
    pub(super) fn poll(&mut self) -> Option<Made> {
        let made = self.made.pop_front();
        if made.is_none() {
            self.announced = self.name;
        }
        made
    }

    /// Where the newest sample is.
    pub(super) const fn newest(&self) -> Timestamp {
        Timestamp::new(self.newest, self.timescale)
    }

    /// Where the newest sample will probably end.
    pub(super) fn end(&self) -> Timestamp {
        Timestamp::new(self.newest.saturating_add(self.usual()).max(self.slices.start()), self.timescale)
    }

    /// How long samples usually last.
    pub(super) const fn cadence(&self) -> &Cadence {
        &self.cadence
    }

    /// What the open part holds.
    pub(super) const fn weight(&self) -> u64 {
        self.pending_weight
    }

    /// The name of the part that comes next.
    pub(super) const fn next_name(&self) -> PartName {
        self.name
    }

    /// How long the newest sample will probably last. A sample that outlasts a part is no guide to the next.
    fn usual(&self) -> i64 {
        self.cadence.usual().min(self.part_target)
    }

    const fn fill(&self) -> Fill {
        if self.pending.is_empty() { Fill::Nothing } else { Fill::Samples }
    }

    /// The newest sample's duration is known now that the next one begins at `at`, unless it was given out already.
    fn settle(&mut self, at: i64) {
        let Some(last) = self.pending.last_mut() else { return };
        let begun = last.sample.dts.ticks().saturating_add(self.delay);
        last.duration = ticks(at.saturating_sub(begun).max(1));
        self.next_dts = begun.saturating_add(i64::from(last.duration));
    }

    /// Sounds last as long as they say: where the next one belongs to the next segment, the open one need not wait for it.
    fn cut_ahead(&mut self) {
        let begun = self.segment.parts > 0 || !self.pending.is_empty();
        if self.kind == TrackKind::Audio && begun {
            self.make_cuts(self.newest.saturating_add(self.usual()));
        }
    }

    /// Makes the cuts that come before a sample at `at`.
    fn make_cuts(&mut self, at: i64) {
        // Video is cut exactly; a sound belongs where the larger half of it is.
        let near = match self.kind {
            TrackKind::Video => at,
            TrackKind::Audio => at.saturating_add(self.usual() / 2),
        };
        while let Some(cut) = self.cuts.front().map(|it| it.ticks()).filter(|it| *it <= near) {
            self.cuts.pop_front();
            // The sample begins the segment, unless the cut was made in a hole before it.
            let follows = at.saturating_sub(cut) <= self.usual().min(self.slices.rest());
            // No sample of this segment reaches over the next one that has none.
            let lies_in_hole = self.cuts.front().is_some_and(|it| it.ticks() <= near);
            if lies_in_hole {
                self.settle(cut);
            }
            self.end_segment(if follows { at } else { cut }, if lies_in_hole { cut } else { at });
        }
    }

    /// Tells the slices where the open segment will end.
    fn plan(&mut self) {
        let cut = self.cuts.front().map(|it| it.ticks());
        self.slices.expect(cut.or(self.expected.filter(|it| *it > self.segment.start)));
    }

    /// Ends the open segment at `end`. Where it has no sample, what is written goes on at `resumes`.
    fn end_segment(&mut self, end: i64, resumes: i64) {
        // A segment without any part would be no segment.
        let end = if self.segment.parts == 0 { end.max(self.segment.start.saturating_add(1)) } else { end };
        while let Some(part_end) = self.slices.end_at_segment(end, self.fill()) {
            self.close_part(part_end);
        }
        if self.segment.parts == 0 {
            self.close_part(end);
        }
        let media_sequence = self.segment.media_sequence;
        let (start, end) = (self.segment.start, self.slices.start());
        if self.segment.fill == Fill::Nothing {
            self.next_dts = self.next_dts.max(self.segment.written.saturating_add(1)).max(resumes);
        }
        let written = self.segment.written..self.next_dts;
        self.made.push_back(Made::Segment(Closing {
            media_sequence,
            start: Timestamp::new(start, self.timescale),
            length: end.saturating_sub(start),
            written: written.clone(),
            fill: self.segment.fill,
            octets: self.segment.octets,
        }));
        let media_sequence = media_sequence.saturating_add(1);
        self.segment = Open {
            media_sequence,
            start: end,
            written: written.end,
            parts: 0,
            fill: Fill::Nothing,
            octets: 0,
            weight: 0,
        };
        if self.name != self.announced {
            self.name = PartName { media_sequence, index: 0 };
        }
        self.plan();
    }

    /// Ends the open part at a time that has not come yet, unless the segment must end before: what is given out cannot
    /// be taken back.
    fn close_part_early(&mut self, end: i64) {
        if end.saturating_sub(self.segment.start) <= self.longest {
            self.close_part(end);
        }
    }

    fn close_part(&mut self, end: i64) {
        let length = self.slices.end(end);
        let next = Timestamp::new(self.next_dts.saturating_sub(self.delay), self.timescale);
        let base = self.pending.first().map_or(next, |it| it.sample.dts);
        self.sequence = self.sequence.wrapping_add(1);
        let header = header(self.sequence, base, self.pending.iter().map(Entry::from));
        let payloads = self.pending.iter().map(|it| &*it.sample.payload);
        let part = Part {
            name: self.name,
            duration: Timestamp::new(length, self.timescale).to_duration(),
            independent: self.pending.first().is_some_and(|it| it.sample.sync == Sync::Key),
            gap: self.pending.is_empty()
                && (self.segment.fill == Fill::Nothing || self.coming != Some(Sync::Delta)),
            chunks: self.reel.write(std::iter::once(&*header).chain(payloads)).into(),
        };
        let lengths =
            std::iter::once(header.len()).chain(self.pending.iter().map(|it| it.sample.payload.len()));
        let moved = self.pending.iter().zip(places(&part.chunks, lengths).skip(1));
        let moved =
            moved.filter_map(|(it, to)| Some(Moved { from: it.sample.payload.clone(), to: to? })).collect();
        // From here on nothing is held for each sample.
        self.pending.clear();
        self.pending.shrink_to(USUAL_PART);
        self.pending_weight = 0;
        self.segment.weight += part.weight();
        self.segment.octets += part.octets();
        self.made.push_back(Made::Part(part, moved));
        self.segment.parts = self.segment.parts.saturating_add(1);
        self.name = PartName { media_sequence: self.segment.media_sequence, index: self.segment.parts };
    }
}

fn ticks(duration: i64) -> u32 {
    u32::try_from(duration).unwrap_or(u32::MAX)
}

fn clamp(offset: i64) -> i32 {
    i32::try_from(offset.clamp(i64::from(i32::MIN), i64::from(i32::MAX))).expect("clamped to its range")
}
