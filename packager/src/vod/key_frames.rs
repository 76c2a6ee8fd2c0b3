//! Key frames alone, for scrubbing (RFC 8216bis 4.4.3.6): each is a segment of its own that lasts until the next.

use std::ops::Range;

use bytes::BytesMut;

use super::Body;
use super::rate::Rate;
use super::rendition::Rendition;
use crate::isobmff::fragment::{self, Entry};
use crate::media::{Sync, Timestamp};

/// The key frames of a track that are offered: about one a second, for more than that no one sees while scrubbing.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyFrames {
    /// Their samples.
    samples: Vec<u32>,
    pub(super) rate: Rate,
}

impl KeyFrames {
    /// Of pictures; there are none of sound.
    pub(super) fn of(rendition: &Rendition) -> Self {
        let mut it = Self { samples: choose(rendition), rate: Rate::default() };
        let facts = (0..it.len()).filter_map(|n| {
            let span = it.span(rendition, n)?;
            let seconds = rendition.index.at(span.end.saturating_sub(span.start)).seconds();
            Some((seconds, it.body(rendition, n)?.length()))
        });
        it.rate = Rate::of(facts);
        it
    }

    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    pub(super) fn weight(&self) -> usize {
        self.samples.capacity().saturating_mul(size_of::<u32>())
    }

    /// When key frame `n` is shown, in ticks from the presentation's first moment.
    pub(super) fn span(&self, rendition: &Rendition, n: usize) -> Option<Range<i64>> {
        let shown = &rendition.index.shown;
        let at = |sample: u32| Some(rendition.index.from(sample).next()?.presentation.max(shown.start));
        let start = at(*self.samples.get(n)?)?;
        let end = match self.samples.get(n.saturating_add(1)) {
            Some(next) => at(*next)?,
            None => shown.end,
        };
        Some(rendition.since_origin(start)..rendition.since_origin(end))
    }

    /// Key frame `n`, as boxes and a range of its file.
    pub(super) fn body(&self, rendition: &Rendition, n: usize) -> Option<Body> {
        let sample = rendition.index.from(*self.samples.get(n)?).next()?.stored;
        let span = self.span(rendition, n)?;
        // What the init segment's edit list takes away again.
        let base = rendition.index.at(span.start.saturating_add(rendition.media_time()));
        let entry = Entry {
            size: sample.size,
            duration: u32::try_from(span.end.saturating_sub(span.start)).unwrap_or(u32::MAX),
            composition_offset: 0,
            sync: Sync::Key,
        };
        let sequence = u32::try_from(n).ok()?.saturating_add(1);
        let mut head = BytesMut::from(fragment::segment_header());
        head.extend_from_slice(&fragment::header(sequence, base, [entry]));
        let extent = sample.offset..sample.offset.saturating_add(sample.size.into());
        Some(Body { head: head.freeze(), extents: vec![extent] })
    }
}

/// The first key frame, then each that comes nearly a second after the last one chosen.
fn choose(rendition: &Rendition) -> Vec<u32> {
    let index = &rendition.index;
    let apart = Timestamp::from_duration(std::time::Duration::from_millis(900), index.track.timescale);
    let mut chosen: Vec<u32> = Vec::new();
    let mut last = None;
    for it in index.from(index.sent.start).filter(|it| it.stored.sync == Sync::Key) {
        let presentation = it.presentation.max(index.shown.start);
        if last.is_none_or(|last| presentation.saturating_sub(last) >= apart.ticks()) {
            chosen.push(it.stored.index);
            last = Some(presentation);
        }
    }
    chosen
}
