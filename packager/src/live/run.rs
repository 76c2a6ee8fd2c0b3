//! One unbroken stretch of a broadcast: its tracks, cut alike.

use std::collections::VecDeque;
use std::time::Duration;

use super::packer::{Made, Packer, PartName};
use super::tracks::{KINDS, Tracks};
use crate::media::{Sample, Timestamp, TrackKind};
use crate::segmenter::{Cut, Segmenter};

/// Audio that is ahead of video waits so long for the key frame that may belong before it. Encoders interleave better
/// than this, or do not interleave at all.
const PATIENCE: Duration = Duration::from_millis(500);

/// What waiting audio may weigh.
const MAX_HELD: u64 = 4 << 20;

/// What a waiting sound costs beside its payload.
const OVERHEAD: u64 = 128;

/// A step forward beyond this on one track, and a step back beyond a second, is no step but another timeline.
const MAX_STEP: Duration = Duration::from_secs(10);
const MAX_STEP_BACK: Duration = Duration::from_secs(1);

/// A track that is so far behind the other has stopped. Slide shows have pictures some seconds apart.
const LOST: Duration = Duration::from_secs(10);

/// The sample stands on another timeline than those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// A track on its way through a run.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) packer: Packer,
    /// From the publisher's decoding times to the run's.
    pub(super) shift: i64,
    /// From the publisher's presentation times to the run's.
    pub(super) shown_shift: i64,
}

/// The tracks of an epoch on their way into segments.
///
/// Where there is video, its key frames make the cuts; audio follows them at its next sample.
#[derive(Debug)]
pub(super) struct Run {
    start: Timestamp,
    segmenter: Segmenter,
    lead: TrackKind,
    lanes: Tracks<Option<Lane>>,
    held: VecDeque<(i64, Sample)>,
    held_bytes: u64,
}

impl Run {
    /// `start` is in the timescale of the leading track: video, where there is a lane for it.
    pub(super) fn new(start: Timestamp, segmenter: Segmenter, lanes: Tracks<Option<Lane>>) -> Self {
        let lead = if lanes.video.is_some() { TrackKind::Video } else { TrackKind::Audio };
        Self { start, segmenter, lead, lanes, held: VecDeque::new(), held_bytes: 0 }
    }

    /// The track that makes the cuts.
    pub(super) const fn lead(&self) -> TrackKind {
        self.lead
    }

    /// Whether there is a track of that kind.
    pub(super) const fn carries(&self, kind: TrackKind) -> bool {
        match kind {
            TrackKind::Video => self.lanes.video.is_some(),
            TrackKind::Audio => self.lanes.audio.is_some(),
        }
    }

    /// Takes a sample of a track that it carries; says whether it ended a segment, and why.
    pub(super) fn push(&mut self, kind: TrackKind, sample: Sample) -> Result<Option<Cut>, Broken> {
        let Some(lane) = &self.lanes[kind] else { return Ok(None) };
        let newest = lane.packer.newest();
        let at = sample.dts.rescale(newest.timescale()).plus(lane.shift);
        // Sound from before the first picture has nothing to be shown with. It is no step back either: it may have been
        // gathered for as long as a key frame was waited for.
        if kind != self.lead && at.plus(lane.packer.cadence().usual() / 2) < self.start {
            return Ok(None);
        }
        let step = at.since(newest).ticks();
        let ticks = |it| Timestamp::from_duration(it, newest.timescale()).ticks();
        let waiting = if kind == self.lead { 0 } else { ticks(PATIENCE) };
        if step > ticks(MAX_STEP) + waiting || step < -ticks(MAX_STEP_BACK) {
            return Err(Broken);
        }
        if kind != self.lead {
            self.held_bytes += cost(&sample);
            self.held.push_back((at.ticks(), sample));
            self.release();
            return Ok(None);
        }
        let usual = lane.packer.cadence().usual();
        while let Some(at) = self.segmenter.hole(at) {
            self.cut(at);
        }
        let cut = self.segmenter.sample(at, usual, sample.sync);
        if cut.is_some() {
            self.cut(at);
        }
        self.expect();
        self.pack(kind, at.ticks(), sample);
        self.cut_ahead();
        self.release();
        Ok(cut)
    }

    /// The next thing that was made, and of which track.
    pub(super) fn poll(&mut self) -> Option<(TrackKind, Made)> {
        KINDS.into_iter().find_map(|kind| Some((kind, self.lanes[kind].as_mut()?.packer.poll()?)))
    }

    /// The name of the next part of a track.
    pub(super) fn next_name(&self, kind: TrackKind) -> Option<PartName> {
        self.lanes[kind].as_ref().map(|it| it.packer.next_name())
    }

    /// The track that has stopped while the other went on.
    pub(super) fn lost(&self) -> Option<TrackKind> {
        let (video, audio) = (self.lanes.video.as_ref()?, self.lanes.audio.as_ref()?);
        // What is held back counts: it has come.
        let heard = self.held.back().map(|it| Timestamp::new(it.0, audio.packer.newest().timescale()));
        let (seen, heard) = (video.packer.newest(), heard.unwrap_or(audio.packer.newest()));
        if seen.since(heard).to_duration() > LOST {
            Some(TrackKind::Audio)
        } else if heard.since(seen).to_duration() > LOST {
            Some(TrackKind::Video)
        } else {
            None
        }
    }

    /// What is held of samples whose parts have not closed.
    pub(super) fn weight(&self) -> u64 {
        let open: u64 = self.lanes.existing().map(|(_, it)| it.packer.weight()).sum();
        open + self.held_bytes
    }

    /// Ends the open segments of all tracks with what they have.
    pub(super) fn finish(&mut self) {
        while let Some((at, sample)) = self.held.pop_front() {
            self.follow(at, sample);
        }
        let end = self.end();
        for kind in KINDS {
            if let Some(lane) = &mut self.lanes[kind] {
                lane.packer.finish(end);
            }
        }
    }

    /// Where the last sample of all tracks ends.
    pub(super) fn end(&self) -> Timestamp {
        self.lanes.existing().map(|(_, it)| it.packer.end()).max().unwrap_or(self.start)
    }

    /// How a track's samples follow each other.
    pub(super) fn packer(&self, kind: TrackKind) -> Option<&Packer> {
        self.lanes[kind].as_ref().map(|it| &it.packer)
    }

    /// Lets go the held samples that no cut can come before any more, or that have waited long enough.
    fn release(&mut self) {
        while let (Some(due), Some((at, _)), Some(audio)) = (self.due(), self.held.front(), &self.lanes.audio)
        {
            let timescale = audio.packer.newest().timescale();
            let newest = self.held.back().map_or(*at, |it| it.0);
            let waited = Timestamp::new(newest.saturating_sub(*at), timescale).to_duration();
            let early = Timestamp::new(*at, timescale) > due;
            if early && waited < PATIENCE && self.held_bytes <= MAX_HELD {
                break;
            }
            let Some((at, sample)) = self.held.pop_front() else { break };
            self.held_bytes = self.held_bytes.saturating_sub(cost(&sample));
            self.follow(at, sample);
        }
    }

    /// When the next picture is due, with a little more for jitter.
    fn due(&self) -> Option<Timestamp> {
        let lead = &self.lanes[self.lead].as_ref()?.packer;
        let usual = lead.cadence().usual();
        Some(lead.newest().plus(usual + usual / 8))
    }

    fn follow(&mut self, at: i64, sample: Sample) {
        let Some(audio) = &self.lanes.audio else { return };
        let time = Timestamp::new(at, audio.packer.newest().timescale());
        while let Some(at) = self.segmenter.follower(time) {
            self.cut(at);
        }
        self.pack(TrackKind::Audio, at, sample);
    }

    fn cut(&mut self, at: Timestamp) {
        for kind in KINDS {
            if let Some(lane) = &mut self.lanes[kind] {
                lane.packer.cut(at);
            }
        }
    }

    /// Tells all tracks where the open segment will probably end, so that its parts come out even.
    fn expect(&mut self) {
        let end = self.segmenter.expected_end();
        for kind in KINDS {
            if let Some(lane) = &mut self.lanes[kind] {
                lane.packer.expect(end);
            }
        }
    }

    /// Ends the segments before a key frame that is foreseen as the next sample.
    fn cut_ahead(&mut self) {
        let Some(lead) = &self.lanes[self.lead] else { return };
        let (next, usual) = (lead.packer.end(), lead.packer.cadence().usual());
        if !self.segmenter.foresee(next, usual) {
            return;
        }
        for kind in KINDS {
            match &mut self.lanes[kind] {
                Some(lane) if kind == self.lead => lane.packer.cut_here(next),
                Some(lane) => lane.packer.cut(next),
                None => {}
            }
        }
        self.expect();
    }

    fn pack(&mut self, kind: TrackKind, at: i64, sample: Sample) {
        let Some(lane) = &mut self.lanes[kind] else { return };
        let shown = sample.pts().rescale(lane.packer.newest().timescale()).plus(lane.shown_shift).ticks();
        lane.packer.push(at, shown, sample);
    }
}

const fn cost(sample: &Sample) -> u64 {
    sample.payload.len() as u64 + OVERHEAD
}
