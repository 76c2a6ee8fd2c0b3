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
const MAX_WEIGHT: u64 = 1 << 30;

/// What a segment costs beside its parts.
const OVERHEAD: u64 = 512;

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

/// A closed segment: its octets and where its parts end. Thousands are held, so nothing else.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) epoch: Arc<Epoch>,
    pub(super) closing: Closing,
    chunks: Box<[Bytes]>,
    /// For each part, how many chunks come before its end.
    ends: Box<[u32]>,
    /// The name of the first part, which may be of the segment before; the others are named by their places.
    first_part: PartName,
    duration: Duration,
    /// What it takes to hold it.
    weight: u64,
}

impl Segment {
    /// Its octets: those of its parts, one after the other.
    pub(super) fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }

    /// How many parts it has.
    pub(super) fn part_count(&self) -> usize {
        self.ends.len()
    }

    /// The names and the octets of its parts.
    #[cfg(test)]
    pub(super) fn parts(&self) -> impl Iterator<Item = (PartName, &[Bytes])> {
        (0..).map_while(|place| self.part(place))
    }

    /// The name and the octets of the part in that place.
    pub(super) fn part(&self, place: usize) -> Option<(PartName, &[Bytes])> {
        let begin = place.checked_sub(1).map_or(Some(0), |it| self.ends.get(it).copied())?;
        let chunks = self.chunks.get(begin as usize..*self.ends.get(place)? as usize)?;
        let named = PartName {
            media_sequence: self.closing.media_sequence,
            index: u32::try_from(place).unwrap_or(u32::MAX),
        };
        Some((if place == 0 { self.first_part } else { named }, chunks))
    }
}

/// What the playlist says of a closed segment.
#[derive(Debug)]
struct Listing {
    date: Box<str>,
    /// Of its parts; nothing any more once the end of the playlist is far.
    parts: Box<str>,
    line: Box<str>,
}

/// The segment that grows.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) epoch: Arc<Epoch>,
    pub(super) media_sequence: u64,
    pub(super) parts: Vec<Part>,
    date: Lines,
    part_lines: Lines,
    weight: u64,
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
        self.window.max(self.shortest())
    }

    /// No playlist is shorter once it was as long.
    fn shortest(&self) -> Duration {
        Duration::from_secs(u64::from(self.target_duration) * 3)
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

/// A segment that may go before its time, and where it begins. The lesser goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Spare {
    /// Nobody but who holds an old playlist misses it.
    Unlisted(Duration),
    /// Viewers can go back less far without it.
    Listed(Duration),
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
    /// Of the segments from `listed` on.
    listings: VecDeque<Listing>,
    /// Of the closed segments.
    weight: u64,
    /// Of those that left the playlist.
    unlisted_weight: u64,
    open: Option<Open>,
}

impl Shelf {
    pub(super) fn new() -> Self {
        Self {
            segments: Arc::default(),
            listed: 0,
            leaving: VecDeque::new(),
            listings: VecDeque::new(),
            weight: 0,
            unlisted_weight: 0,
            open: None,
        }
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
        self.open = Some(Open {
            epoch,
            media_sequence,
            parts: Vec::new(),
            date: lines,
            part_lines: Lines::new(),
            weight: OVERHEAD,
        });
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
        open.weight += part.weight();
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
        self.weight += open.weight;
        self.listings.push_back(Listing {
            date: open.date.into_string().into(),
            parts: open.part_lines.into_string().into(),
            line: line.into_string().into(),
        });
        let mut chunks = Vec::with_capacity(open.parts.iter().map(|it| it.chunks.len()).sum());
        let mut ends = Vec::with_capacity(open.parts.len());
        for part in &open.parts {
            chunks.extend_from_slice(&part.chunks);
            ends.push(u32::try_from(chunks.len()).expect("a segment has fewer chunks than it has octets"));
        }
        let named = PartName { media_sequence: closing.media_sequence, index: 0 };
        Arc::make_mut(&mut self.segments).push_back(Arc::new(Segment {
            epoch: open.epoch,
            closing,
            chunks: chunks.into(),
            ends: ends.into(),
            first_part: open.parts.first().map_or(named, |it| it.name),
            duration,
            weight: open.weight,
        }));
        self.shorten(layout, now);
        let with_parts = self.parts_from(layout);
        for (segment, listing) in self.segments.iter().skip(self.listed).zip(&mut self.listings) {
            if segment.closing.media_sequence < with_parts {
                listing.parts = Box::default();
            }
        }
    }

    /// Lets go what nobody may ask for any more; says whether that was anything.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        let before = self.segments.len();
        while self.leaving.front().is_some_and(|it| *it <= now) {
            self.drop_oldest();
        }
        self.segments.len() < before
    }

    /// All that may be fetched and is closed.
    pub(super) const fn segments(&self) -> &Arc<VecDeque<Arc<Segment>>> {
        &self.segments
    }

    /// All that the playlist lists and is closed.
    pub(super) fn listed(&self) -> impl DoubleEndedIterator<Item = &Arc<Segment>> + Clone {
        self.segments.iter().skip(self.listed)
    }

    /// What all of it takes in memory.
    pub(super) fn weight(&self) -> u64 {
        self.weight + self.open.as_ref().map_or(0, |it| it.weight)
    }

    /// What those segments take that left the playlist: nobody but who holds an old playlist misses them.
    pub(super) const fn unlisted_weight(&self) -> u64 {
        self.unlisted_weight
    }

    /// The oldest segment, if it may go before its time: the playlist keeps three target durations.
    pub(super) fn spare(&self, layout: &Layout) -> Option<Spare> {
        let oldest = self.segments.front()?;
        let start = oldest.closing.start.to_duration();
        if self.listed > 0 {
            return Some(Spare::Unlisted(start));
        }
        let length: Duration = self.listed().map(|it| it.duration).sum();
        let shorter = length.saturating_sub(oldest.duration);
        (shorter >= layout.shortest()).then_some(Spare::Listed(start))
    }

    /// Lets the oldest segment go before its time.
    pub(super) fn let_go(&mut self) {
        self.drop_oldest();
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
        let lines = self.listings.iter().map(|it| it.date.len() + it.parts.len() + it.line.len());
        let open_lines = open.map_or(0, |it| it.date.as_str().len() + it.part_lines.as_str().len());
        let mut out = Lines::with_capacity(512 + lines.sum::<usize>() + open_lines);
        out.head(&Head {
            target_duration: layout.target_duration,
            media_sequence,
            discontinuity_sequence: epoch.discontinuity,
            kind: Kind::LowLatency { part_target: layout.part_target },
        });
        let with_parts = self.parts_from(layout);
        let mut before: Option<&Arc<Epoch>> = None;
        for (segment, listing) in self.listed().zip(&self.listings) {
            open_epoch(&mut out, before.replace(&segment.epoch), &segment.epoch);
            out.append(&listing.date);
            if with_parts <= segment.closing.media_sequence {
                out.append(&listing.parts);
            }
            out.append(&listing.line);
        }
        if let Some(open) = open {
            open_epoch(&mut out, before, &open.epoch);
            out.append(open.date.as_str());
            out.append(open.part_lines.as_str());
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
        self.unlisted_weight += first.weight;
        self.leaving.push_back(now + layout.longest() + first.duration * 2);
        self.listings.pop_front();
        self.listed += 1;
    }

    fn drop_oldest(&mut self) {
        let Some(oldest) = Arc::make_mut(&mut self.segments).pop_front() else { return };
        self.weight -= oldest.weight;
        if self.listed > 0 {
            self.unlisted_weight -= oldest.weight;
            self.leaving.pop_front();
            self.listed -= 1;
        } else {
            self.listings.pop_front();
        }
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
