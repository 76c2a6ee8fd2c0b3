//! Key frames alone, for scrubbing (RFC 8216bis 4.4.3.6): each is a segment of its own that lasts until the next.

use std::ops::Range;
use std::time::Duration;

use bytes::BytesMut;

use super::Body;
use super::columns::{pack, put, put_octets, put_rows, take, take_octets, take_rows, unpack};
use super::index::{Indexed, Placed};
use super::made::{Extent, Fragment};
use super::rate::Rate;
use super::rendition::Rendition;
use crate::isobmff::fragment::{self, Entry};
use crate::media::{Sync, Timestamp, TrackKind};

/// So many are packed together, and unpacked to find one.
const TOGETHER: usize = 64;

/// As many as ten days have, which is longer than any track.
const MOST: usize = 1_000_000;

/// The key frames of a track that are offered: about one a second, for more than that no one sees while scrubbing.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyFrames {
    count: usize,
    /// Of each [`TOGETHER`].
    blocks: Vec<Block>,
    packed: Vec<u8>,
    pub(super) rate: Rate,
}

/// Where some of them begin.
#[derive(Clone, Copy, Debug)]
struct Block {
    /// When the first is shown.
    start: i64,
    /// Where the first stands in the file.
    offset: u64,
    /// Where they are packed.
    at: usize,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyFrame {
    /// When it is shown, in ticks from the presentation's first moment.
    pub(super) span: Range<i64>,
    offset: u64,
    size: u32,
}

impl KeyFrames {
    /// Of pictures; there are none of sound. `rendition` is the same track, cut.
    pub(super) fn of(indexed: &Indexed, rendition: &Rendition) -> Self {
        let frames = choose(indexed, rendition);
        let mut it = Self { count: frames.len(), ..Self::default() };
        for together in frames.chunks(TOGETHER) {
            it.push(together);
        }
        it.packed.shrink_to_fit();
        it.blocks.shrink_to_fit();
        let seconds = rendition.listed(frames.iter().map(|it| it.span.clone()));
        let lengths = frames.iter().enumerate().map(|(n, it)| it.body(rendition, n).length());
        it.rate = Rate::of(seconds.zip(lengths));
        it
    }

    fn push(&mut self, frames: &[KeyFrame]) {
        let Some(first) = frames.first() else { return };
        self.blocks.push(Block { start: first.span.start, offset: first.offset, at: self.packed.len() });
        let mut end = first.offset;
        let row = |it: &KeyFrame| {
            let gap = it.offset.wrapping_sub(end) as i64;
            end = it.offset.wrapping_add(it.size.into());
            [it.span.end.wrapping_sub(it.span.start), it.size.into(), gap]
        };
        let rows: Vec<[i64; 3]> = frames.iter().map(row).collect();
        pack(&rows, &mut self.packed);
    }

    /// Those of block `n`.
    fn block(&self, n: usize) -> Vec<KeyFrame> {
        let Some(block) = self.blocks.get(n) else { return Vec::new() };
        let count = self.count.saturating_sub(n.saturating_mul(TOGETHER)).min(TOGETHER);
        let rows = unpack::<3>(self.packed.get(block.at..).unwrap_or_default(), count).unwrap_or_default();
        let (mut start, mut end) = (block.start, block.offset);
        let frame = |[lasts, size, gap]: [i64; 3]| {
            let span = start..start.wrapping_add(lasts);
            // It was of so many bits when it was packed.
            let it = KeyFrame { span, offset: end.wrapping_add(gap as u64), size: size as u32 };
            (start, end) = (it.span.end, it.offset.wrapping_add(it.size.into()));
            it
        };
        rows.into_iter().map(frame).collect()
    }

    pub(super) fn put(&self, record: &mut Vec<u8>) {
        put(record, self.count as u64);
        let row = |it: &Block| [it.start, it.offset as i64, it.at as i64];
        put_rows(record, &self.blocks.iter().map(row).collect::<Vec<_>>());
        put_octets(record, &self.packed);
        self.rate.put(record);
    }

    /// Takes from the front what was put there. Each lasts until the next begins.
    pub(super) fn take(record: &mut &[u8]) -> Option<Self> {
        let count = usize::try_from(take(record)?).ok()?;
        let rows: Vec<[i64; 3]> = take_rows(record, MOST.div_ceil(TOGETHER))?;
        let block = |[start, offset, at]: [i64; 3]| {
            Some(Block { start, offset: offset as u64, at: usize::try_from(at).ok()? })
        };
        let blocks = rows.into_iter().map(block).collect::<Option<Box<[_]>>>()?.into_vec();
        let it = Self { count, blocks, packed: take_octets(record)?.to_vec(), rate: Rate::take(record)? };
        let mut spans = it.spans().peekable();
        let mut seen = 0_usize;
        while let Some(span) = spans.next() {
            let goes_on = spans.peek().is_none_or(|next| next.start == span.end);
            if span.start < 0 || span.end < span.start || !goes_on {
                return None;
            }
            seen = seen.saturating_add(1);
        }
        drop(spans);
        (seen == count && it.blocks.len() == count.div_ceil(TOGETHER)).then_some(it)
    }

    pub(super) const fn len(&self) -> usize {
        self.count
    }

    pub(super) const fn weight(&self) -> usize {
        let blocks = self.blocks.capacity().saturating_mul(size_of::<Block>());
        blocks.saturating_add(self.packed.capacity())
    }

    /// When each is shown, in ticks from the presentation's first moment.
    pub(super) fn spans(&self) -> impl Iterator<Item = Range<i64>> + '_ {
        (0..self.blocks.len()).flat_map(|n| self.block(n)).map(|it| it.span)
    }

    /// When key frame `n` is shown.
    pub(super) fn span(&self, n: usize) -> Option<Range<i64>> {
        Some(self.frame(n)?.span)
    }

    /// Key frame `n`, as boxes and a range of its file.
    pub(super) fn body(&self, rendition: &Rendition, n: usize) -> Option<Body> {
        let frame = self.frame(n)?;
        Some(frame.body(rendition, n))
    }

    /// Key frame `n`, as a frame of which a fragment is made.
    pub(super) fn fragment(&self, rendition: &Rendition, n: usize) -> Option<(Fragment, Extent)> {
        let frame = self.frame(n)?;
        let fragment = frame.fragment(rendition, n);
        Some((fragment, Extent { file: rendition.file, range: frame.range() }))
    }

    fn frame(&self, n: usize) -> Option<KeyFrame> {
        self.block(n / TOGETHER).into_iter().nth(n % TOGETHER)
    }
}

impl KeyFrame {
    fn range(&self) -> Range<u64> {
        self.offset..self.offset.saturating_add(self.size.into())
    }

    fn fragment(&self, rendition: &Rendition, n: usize) -> Fragment {
        let span = &self.span;
        let entry = Entry {
            size: self.size,
            duration: u32::try_from(span.end.saturating_sub(span.start)).unwrap_or(u32::MAX),
            composition_offset: 0,
            sync: Sync::Key,
        };
        Fragment {
            kind: TrackKind::Video,
            sequence: u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1),
            // What the init segment's edit list takes away again.
            base: rendition.index.at(span.start.saturating_add(rendition.media_time())),
            entries: vec![entry],
            sealed: None,
        }
    }

    fn body(&self, rendition: &Rendition, n: usize) -> Body {
        let fragment = self.fragment(rendition, n);
        let mut head = BytesMut::from(fragment::segment_header());
        head.extend_from_slice(&fragment::header(fragment.sequence, fragment.base, fragment.entries));
        Body { head: head.freeze(), extents: vec![self.range()] }
    }
}

/// The first key frame, then each that comes nearly a second after the last one chosen.
fn choose(indexed: &Indexed, rendition: &Rendition) -> Vec<KeyFrame> {
    let index = &rendition.index;
    let apart = Timestamp::from_duration(Duration::from_millis(900), index.track.timescale).ticks();
    let mut chosen: Vec<KeyFrame> = Vec::new();
    let shown = |it: &Placed| rendition.since_origin(it.presentation.max(index.shown.start));
    for it in indexed.sent_keys() {
        let start = shown(&it);
        if let Some(last) = chosen.last_mut() {
            if start.saturating_sub(last.span.start) < apart {
                continue;
            }
            last.span.end = start;
        }
        let end = rendition.since_origin(index.shown.end);
        chosen.push(KeyFrame { span: start..end, offset: it.stored.offset, size: it.stored.size });
    }
    chosen
}
