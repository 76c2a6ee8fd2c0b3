//! What viewers may fetch of one track: its segments, the open one's parts, and the playlist that lists them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

use super::packer::{Closing, Part, PartName};
use crate::hls::media::{Head, Independence, Kind, Lines};
use crate::media::{CodecConfig, Timestamp};
use crate::segmenter::Fill;

/// More than a track may weigh on the shelf leaves it early, from the oldest: the window of a broadcast of 60 Mbit/s and
/// its afterlife still go in.
const MAX_WEIGHT: usize = 1 << 30;

/// What has left the playlist lasts no more windows than this: of a publisher that keeps time it is one and a little,
/// and one that sends a film as fast as it can would else be kept whole until its afterlife is over.
const MAX_GONE: u32 = 3;

/// An init segment and the epoch that names it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Init {
    pub(super) epoch: u64,
    pub(super) config: CodecConfig,
    pub(super) bytes: Bytes,
}

/// What all segments of a track in one epoch share.
#[derive(Clone, Debug)]
pub(super) struct Epoch {
    pub(super) id: u64,
    pub(super) discontinuity: u64,
    /// Where the epoch's period of the MPD begins, from the availability start: a little before its first sample.
    pub(super) period: Duration,
    /// Where the epoch before it ended.
    pub(super) before: Duration,
    pub(super) init: Arc<Init>,
}

/// A closed segment.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) epoch: Arc<Epoch>,
    pub(super) closing: Closing,
    pub(super) parts: Vec<Part>,
    duration: Duration,
    date: Lines,
    part_lines: Lines,
    line: Lines,
}

impl Segment {
    /// Its octets: those of its parts, one after the other.
    pub(super) fn chunks(&self) -> Vec<Bytes> {
        self.parts.iter().flat_map(|it| it.chunks.iter().cloned()).collect()
    }
}

/// The segment that grows.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) epoch: Arc<Epoch>,
    pub(super) media_sequence: u64,
    pub(super) parts: Vec<Part>,
    date: Lines,
    part_lines: Lines,
}

/// The constants and the length of every playlist of a broadcast.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) target_duration: u32,
    pub(super) part_target: Duration,
    pub(super) window: Duration,
}

impl Layout {
    /// How long playlists become: never less than three target durations (RFC 8216bis 6.2.2), but for the last segment.
    fn longest(&self) -> Duration {
        self.window.max(Duration::from_secs(u64::from(self.target_duration) * 3))
    }
}

/// How a playlist ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// The part of that name comes next.
    Hint(u64, PartName),
    /// Something may come, and nobody knows its name.
    Open,
    /// Whatever comes is of another epoch. Said before it comes: hls.js counts discontinuities up to the end of a
    /// playlist, and gives up when the segment it waits for turns out to lie behind one.
    Break,
    /// Nothing will come.
    End,
}

/// A track's segments in order: those that left the playlist and may still be fetched, those listed, the open one.
#[derive(Debug)]
pub(super) struct Shelf {
    /// Shared with the windows made since the newest segment closed.
    segments: Arc<VecDeque<Arc<Segment>>>,
    /// Index of the first segment listed.
    listed: usize,
    /// When the segments before `listed` may go, in their order.
    leaving: VecDeque<Instant>,
    weight: usize,
    open: Option<Open>,
}

impl Shelf {
    pub(super) fn new() -> Self {
        Self { segments: Arc::default(), listed: 0, leaving: VecDeque::new(), weight: 0, open: None }
    }

    /// A segment begins, at `date` of the wall clock.
    pub(super) fn begin(
        &mut self,
        epoch: Arc<Epoch>,
        media_sequence: u64,
        date: SystemTime,
        layout: &Layout,
        now: Instant,
    ) {
        if self.segments.back().is_some_and(|it| it.closing.media_sequence + 1 != media_sequence) {
            // The track was away for a while; numbers in a playlist have no holes, so it starts over.
            while self.listed < self.segments.len() {
                self.unlist(layout, now);
            }
        }
        let mut lines = Lines::new();
        lines.program_date_time(date);
        self.open =
            Some(Open { epoch, media_sequence, parts: Vec::new(), date: lines, part_lines: Lines::new() });
    }

    /// A part of the open segment closed.
    pub(super) fn part(&mut self, part: Part) {
        let Some(open) = &mut self.open else { return };
        let uri = PartUri(open.epoch.id, part.name);
        let independence = if part.independent { Independence::Independent } else { Independence::Dependent };
        if part.gap {
            open.part_lines.part_gap(part.duration, uri);
        } else {
            open.part_lines.part(part.duration, uri, independence);
        }
        open.parts.push(part);
    }

    /// The open segment closed.
    pub(super) fn close(&mut self, closing: Closing, layout: &Layout, now: Instant) {
        let Some(open) = self.open.take() else { return };
        let duration = Timestamp::new(closing.length, closing.start.timescale()).to_duration();
        let mut line = Lines::new();
        let uri = format_args!("{}-{}.m4s", open.epoch.id, closing.media_sequence).to_string();
        match closing.fill {
            Fill::Samples => line.segment(duration, uri),
            Fill::Nothing => line.gap(duration, uri),
        }
        self.weight += closing.weight;
        Arc::make_mut(&mut self.segments).push_back(Arc::new(Segment {
            epoch: open.epoch,
            closing,
            parts: open.parts,
            duration,
            date: open.date,
            part_lines: open.part_lines,
            line,
        }));
        self.shorten(layout, now);
    }

    /// Forgets the open segment, and lets go what nobody may ask for any more.
    pub(super) fn expire(&mut self, now: Instant) {
        while self.leaving.front().is_some_and(|it| *it <= now) {
            self.drop_oldest();
        }
    }

    /// All that may be fetched and is closed.
    pub(super) const fn segments(&self) -> &Arc<VecDeque<Arc<Segment>>> {
        &self.segments
    }

    /// All that the playlist lists and is closed.
    pub(super) fn listed(&self) -> impl DoubleEndedIterator<Item = &Arc<Segment>> + Clone {
        self.segments.iter().skip(self.listed)
    }

    /// The segment that grows.
    pub(super) const fn open(&self) -> Option<&Open> {
        self.open.as_ref()
    }

    /// The media playlist; nothing before anything is in it.
    pub(super) fn render(&self, layout: &Layout, tail: Tail) -> Option<String> {
        let open = self.open.as_ref().filter(|it| !it.parts.is_empty());
        let first = self.listed().next();
        let (media_sequence, epoch) = match (first, open) {
            (Some(it), _) => (it.closing.media_sequence, &it.epoch),
            (None, Some(it)) => (it.media_sequence, &it.epoch),
            (None, None) => return None,
        };
        let mut out = Lines::with_capacity(512 + 160 * (self.segments.len() - self.listed) + 2048);
        out.head(&Head {
            target_duration: layout.target_duration,
            media_sequence,
            discontinuity_sequence: epoch.discontinuity,
            kind: Kind::LowLatency { part_target: layout.part_target },
        });
        let with_parts = self.parts_from(layout);
        let mut before: Option<&Arc<Epoch>> = None;
        for segment in self.listed() {
            open_epoch(&mut out, before.replace(&segment.epoch), &segment.epoch);
            out.append(&segment.date);
            if with_parts <= segment.closing.media_sequence {
                out.append(&segment.part_lines);
            }
            out.append(&segment.line);
        }
        if let Some(open) = open {
            open_epoch(&mut out, before, &open.epoch);
            out.append(&open.date);
            out.append(&open.part_lines);
        }
        match tail {
            Tail::Hint(epoch, name) => out.preload_hint(PartUri(epoch, name)),
            Tail::Open => {}
            Tail::Break => out.discontinuity(),
            Tail::End => out.end(),
        }
        Some(out.into_string())
    }

    /// The first segment whose parts are listed: none that ends more than three target durations before the end of the
    /// playlist (RFC 8216bis 6.2.2).
    fn parts_from(&self, layout: &Layout) -> u64 {
        let near = Duration::from_secs(u64::from(layout.target_duration) * 3);
        let mut after: Duration = self.open.iter().flat_map(|it| &it.parts).map(|it| it.duration).sum();
        let mut from = u64::MAX;
        for segment in self.listed().rev() {
            if after > near {
                break;
            }
            from = segment.closing.media_sequence;
            after += segment.duration;
        }
        from
    }

    /// Takes from the list what the window has left behind; what stays lasts at least three target durations.
    fn shorten(&mut self, layout: &Layout, now: Instant) {
        let window = layout.longest();
        let mut length: Duration = self.listed().map(|it| it.duration).sum();
        while let Some(first) = self.segments.get(self.listed) {
            length = length.saturating_sub(first.duration);
            if length < window {
                break;
            }
            self.unlist(layout, now);
        }
        while self.weight > MAX_WEIGHT && self.segments.len() > 3 {
            self.drop_oldest();
        }
        let gone = self.segments.iter().take(self.listed);
        let mut length: Duration = gone.map(|it| it.duration).sum();
        while length > window * MAX_GONE {
            let Some(oldest) = self.segments.front() else { break };
            length = length.saturating_sub(oldest.duration);
            self.drop_oldest();
        }
    }

    /// Takes the first segment from the list. It stays for its own length and that of the longest playlist that listed it
    /// (RFC 8216bis 6.2.2).
    fn unlist(&mut self, layout: &Layout, now: Instant) {
        let Some(first) = self.segments.get(self.listed) else { return };
        self.leaving.push_back(now + layout.longest() + first.duration * 2);
        self.listed += 1;
    }

    fn drop_oldest(&mut self) {
        let Some(oldest) = Arc::make_mut(&mut self.segments).pop_front() else { return };
        self.weight = self.weight.saturating_sub(oldest.closing.weight);
        self.leaving.pop_front();
        self.listed = self.listed.saturating_sub(1);
    }
}

/// What stands between two segments of different epochs, and above the first of all.
fn open_epoch(out: &mut Lines, before: Option<&Arc<Epoch>>, epoch: &Arc<Epoch>) {
    if before.is_some_and(|it| it.discontinuity == epoch.discontinuity) {
        return;
    }
    if before.is_some() {
        out.discontinuity();
    }
    out.map(format_args!("{}.mp4", epoch.init.epoch));
}

/// A part's URI in its track's playlist.
struct PartUri(u64, PartName);

impl fmt::Display for PartUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}.{}.m4s", self.0, self.1.media_sequence, self.1.index)
    }
}
