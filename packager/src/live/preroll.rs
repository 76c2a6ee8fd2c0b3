//! What is gathered before an epoch can begin: which tracks there are, and the first samples of each.

use std::time::{Duration, Instant, SystemTime};

use super::tracks::{KINDS, Tracks};
use crate::media::{Sample, Sync, Timestamp, TrackKind};
use crate::segmenter::{FIRST_SEGMENT, MAX_TARGET_DURATION};

/// How long a track that was promised is waited for.
pub(super) const PROMISE: Duration = Duration::from_secs(2);

/// A segment that no key frame ends is as long as one may be.
const LONGEST: Duration = Duration::from_secs(MAX_TARGET_DURATION as u64);

/// What may be gathered; beyond it the epoch begins with what there is.
const MAX_BYTES: usize = 64 << 20;

/// What a sample costs beside its payload.
const OVERHEAD: usize = 128;

/// A sample and the wall clock when it came.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) kind: TrackKind,
    pub(super) sample: Sample,
    pub(super) came: SystemTime,
}

/// Samples on their way to the beginning of an epoch.
#[derive(Debug)]
pub(super) struct PreRoll {
    since: Instant,
    /// No epoch begins before: epochs are written to disk one by one.
    not_before: Instant,
    gathered: Vec<Gathered>,
    bytes: usize,
    seen: Tracks<Option<Seen>>,
    /// Pictures come, and no key frame has: it is a group of pictures away at most.
    coming: Tracks<bool>,
    /// It was said that no key frame comes.
    said: bool,
}

/// What is known of a track, so that nothing is looked at twice.
#[derive(Clone, Copy, Debug)]
struct Seen {
    first: Timestamp,
    came: SystemTime,
    shown: Timestamp,
    last_key: Timestamp,
    longest_gop: Duration,
    has_segment: bool,
}

/// What must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// A sample of each expected track.
    Tracks,
    /// And a whole segment: nobody has announced anything yet, and what is announced must fit it.
    Segment,
}

impl PreRoll {
    pub(super) fn new(since: Instant, not_before: Instant) -> Self {
        let (seen, coming) = (Tracks::default(), Tracks::default());
        Self { since, not_before, gathered: Vec::new(), bytes: 0, seen, coming, said: false }
    }

    /// Takes a sample. Pictures before the first key frame help nobody.
    pub(super) fn push(&mut self, kind: TrackKind, sample: Sample, came: SystemTime) {
        let (at, sync) = (sample.dts, sample.sync);
        match &mut self.seen[kind] {
            None if sync == Sync::Delta => {
                self.coming[kind] = true;
                return;
            }
            none @ None => {
                let shown = sample.pts();
                let longest_gop = Duration::ZERO;
                *none = Some(Seen { first: at, came, shown, last_key: at, longest_gop, has_segment: false });
            }
            Some(seen) => {
                let length = at.since(seen.first).to_duration();
                if sync == Sync::Key || length >= LONGEST {
                    seen.longest_gop = seen.longest_gop.max(at.since(seen.last_key).to_duration());
                    seen.last_key = at;
                }
                seen.has_segment |= (sync == Sync::Key && length >= FIRST_SEGMENT) || length >= LONGEST;
            }
        }
        self.bytes = self.bytes.saturating_add(sample.payload.len()).saturating_add(OVERHEAD);
        self.gathered.push(Gathered { kind, sample, came });
    }

    /// What was gathered stands on another timeline than what follows.
    pub(super) fn clear(&mut self) {
        self.gathered.clear();
        self.bytes = 0;
        self.seen = Tracks::default();
    }

    /// Whether a track has come.
    pub(super) const fn has(&self, kind: TrackKind) -> bool {
        match kind {
            TrackKind::Video => self.seen.video.is_some(),
            TrackKind::Audio => self.seen.audio.is_some(),
        }
    }

    /// The tracks that have come, where an epoch of them can begin now.
    pub(super) fn ready(&self, expected: &Tracks<bool>, needs: Needs, now: Instant) -> Option<Tracks<bool>> {
        let seen = self.seen[self.lead()?]?;
        let here = Tracks::each(|kind| self.has(kind));
        let waited_for = |kind: TrackKind| {
            let patience = if self.coming[kind] { LONGEST } else { PROMISE };
            expected[kind] && !here[kind] && now < self.since + patience
        };
        if self.bytes < MAX_BYTES {
            if KINDS.into_iter().any(waited_for) || now < self.not_before {
                return None;
            }
            if needs == Needs::Segment && !seen.has_segment {
                return None;
            }
        }
        Some(here)
    }

    /// Whether a key frame was waited for as long as groups of pictures last, in vain: says so once.
    pub(super) fn misses_key_frame(&mut self, now: Instant) -> bool {
        let misses = self.coming.video && !self.has(TrackKind::Video) && now >= self.since + LONGEST;
        misses && !std::mem::replace(&mut self.said, true)
    }

    /// What is gathered takes in memory.
    pub(super) const fn weight(&self) -> u64 {
        self.bytes as u64
    }

    /// When [`ready`](Self::ready) may say something else though no sample came.
    pub(super) fn next_deadline(&self, now: Instant) -> Option<Instant> {
        self.lead()?;
        let times = [self.since + PROMISE, self.since + LONGEST, self.not_before];
        times.into_iter().filter(|it| *it > now).min()
    }

    /// The track that makes the cuts.
    pub(super) fn lead(&self) -> Option<TrackKind> {
        KINDS.into_iter().find(|&kind| self.has(kind))
    }

    /// The first sample of a track: when it is decoded, when it is shown, when it came.
    pub(super) fn first(&self, kind: TrackKind) -> Option<(Timestamp, Timestamp, SystemTime)> {
        self.seen[kind].map(|it| (it.first, it.shown, it.came))
    }

    /// The length of the longest group of pictures.
    pub(super) fn longest_gop(&self, kind: TrackKind) -> Duration {
        self.seen[kind].map_or(Duration::ZERO, |it| it.longest_gop)
    }

    /// Decoding times of a track, in the order they came.
    pub(super) fn times(&self, kind: TrackKind) -> impl Iterator<Item = Timestamp> {
        self.gathered.iter().filter(move |it| it.kind == kind).map(|it| it.sample.dts)
    }

    /// By how much its samples outran the clock: a publisher may begin with what it has kept, faster than time.
    pub(super) fn rush(&self, kind: TrackKind) -> Duration {
        let Some((first, _, since)) = self.first(kind) else { return Duration::ZERO };
        let ahead = |it: &Gathered| {
            let passed = it.came.duration_since(since).unwrap_or_default();
            it.sample.dts.since(first).to_duration().saturating_sub(passed)
        };
        self.gathered.iter().filter(|it| it.kind == kind).map(ahead).max().unwrap_or_default()
    }

    /// All that was gathered, in the order it came.
    pub(super) fn into_gathered(self) -> Vec<Gathered> {
        self.gathered
    }
}
