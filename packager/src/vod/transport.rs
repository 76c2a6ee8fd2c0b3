//! A title as transport streams, for players that know no fragmented MP4: pictures with their sound in one stream.
//!
//! ```text
//! renditions ─▶ Laid (program; length and counters of each segment) ─▶ MadeSegment ─frames─▶ packets
//! ```
//! Segments begin where those in fragments do. Each is made by itself, yet its counters follow the one before.

use std::ops::Range;
use std::time::Duration;

use super::index::Placed;
use super::made::{Extent, Form, MadeSegment};
use super::rate::Rate;
use super::rendition::Rendition;
use crate::media::{Sync, Timestamp, TrackKind};
use crate::mpegts::{Continuity, Muxer, Program, Refused, Stream, Unit};

/// Frames of sound that share one head: players want some at a time, and not too many.
const TOGETHER: Duration = Duration::from_millis(170);

/// Octets of sound in one unit, whose length has 16 bits, headers of frames included.
const MOST_SOUND: u32 = 32 * 1024;

/// A stream, laid out: what is in it, and what is known of each segment before it is made.
#[derive(Clone, Debug)]
pub(super) struct Laid {
    program: Program,
    /// Octets, and the counters before it.
    segments: Box<[(u64, Continuity)]>,
    pub(super) rate: Rate,
}

/// Whether samples are encrypted each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Samples {
    Clear,
    Sealed,
}

/// What goes into a stream.
#[derive(Clone, Copy)]
pub(super) struct Tracks<'a> {
    /// The track whose segments these are.
    pub(super) lead: &'a Rendition,
    /// The sound that goes with pictures.
    pub(super) sound: Option<&'a Rendition>,
}

impl Laid {
    /// Lays out all segments of a stream.
    ///
    /// # Errors
    /// [`Refused`] when something of it does not go into a transport stream.
    pub(super) fn of(tracks: Tracks<'_>, samples: Samples) -> Result<Self, Refused> {
        let sound = tracks.sound.map(|it| &it.index.track.config);
        let lead = &tracks.lead.index.track.config;
        let program = match tracks.lead.index.track.kind() {
            TrackKind::Video => Program::new(Some(lead), sound)?,
            TrackKind::Audio => Program::new(None, Some(lead))?,
        };
        let program = match (samples, tracks.lead.index.track.kind()) {
            (Samples::Clear, _) => program,
            (Samples::Sealed, TrackKind::Video) => program.sample_aes(sound)?,
            (Samples::Sealed, TrackKind::Audio) => program.sample_aes(Some(lead))?,
        };
        let mut counters = Continuity::default();
        let mut segments = Vec::new();
        for n in 0..tracks.lead.len() {
            let units = tracks.units(n).ok_or(Refused::Nothing)?;
            let units: Vec<Unit> = units.into_iter().map(|it| it.0).collect();
            segments.push((Muxer::length(&program, &units)?, counters));
            counters = counters.after(&program, &units)?;
        }
        let seconds = tracks.lead.listed(tracks.lead.spans());
        let rate = Rate::of(seconds.zip(&segments).map(|(seconds, it)| (seconds, it.0)));
        Ok(Self { program, segments: segments.into(), rate })
    }

    /// What the stream of a track holds in memory.
    pub(super) fn weight(lead: &Rendition) -> usize {
        lead.len().saturating_mul(size_of::<(u64, Continuity)>()).saturating_add(size_of::<Self>())
    }

    /// Segment `n` of those tracks, which are the ones it was laid out for.
    pub(super) fn segment(&self, tracks: Tracks<'_>, n: usize) -> Option<MadeSegment> {
        let (_, counters) = *self.segments.get(n)?;
        let (units, frames): (Vec<_>, Vec<_>) = tracks.units(n)?.into_iter().unzip();
        let frames = frames.into_iter().flatten().collect();
        let form = Form::Transport { program: self.program.clone(), units, counters, key: None };
        Some(MadeSegment { frames, form, whole: None })
    }
}

impl Tracks<'_> {
    /// The units of segment `n`, each with the places of its frames, in the order of decoding; nothing when its samples
    /// cannot be had.
    fn units(self, n: usize) -> Option<Vec<(Unit, Vec<Extent>)>> {
        let samples = self.lead.samples(n)?.into_iter();
        let mut units = match self.lead.index.track.kind() {
            TrackKind::Video => pictures(self.lead, samples),
            TrackKind::Audio => sound(self.lead, samples),
        };
        if let (Some(beside), Some(span)) = (self.sound, self.lead.span(n)) {
            let at = |ticks: i64| beside.index.ticks(self.lead.index.at(ticks));
            // Sound before the first picture, and after the last, has no other segment to be in.
            let begins = if n == 0 { i64::MIN } else { at(span.start) };
            let ends = if n.saturating_add(1) == self.lead.len() { i64::MAX } else { at(span.end) };
            units.extend(sound(beside, heard_within(beside, begins..ends)?.into_iter()));
        }
        units.sort_by_key(|it| it.0.decoding);
        Some(units)
    }
}

/// The frames of sound that begin to be heard in a time.
fn heard_within(sound: &Rendition, time: Range<i64>) -> Option<Vec<Placed>> {
    let mut frames: Vec<Placed> = Vec::new();
    for n in sound.segment_at(time.start)..sound.len() {
        for it in sound.samples(n)? {
            let heard = sound.since_origin(it.presentation);
            if frames.is_empty() && heard < time.start {
                continue;
            }
            if heard >= time.end {
                return Some(frames);
            }
            frames.push(it);
        }
    }
    Some(frames)
}

/// One unit for each picture.
fn pictures(rendition: &Rendition, samples: impl Iterator<Item = Placed>) -> Vec<(Unit, Vec<Extent>)> {
    let at = |ticks| rendition.index.at(rendition.since_origin(ticks));
    let unit = |it: Placed| {
        let stored = it.stored;
        // No picture is shown before it is decoded: what composition takes back is taken off all decoding times.
        let decoding =
            stored.dts.saturating_add(rendition.index.shift).saturating_add(rendition.index.earliest);
        let unit = Unit {
            stream: Stream::Video,
            presentation: at(it.presentation),
            decoding: at(decoding),
            key: stored.sync == Sync::Key,
            frames: vec![stored.size],
        };
        (unit, vec![rendition.extent(&it)])
    };
    samples.map(unit).collect()
}

/// Units of a few frames each.
fn sound(rendition: &Rendition, samples: impl Iterator<Item = Placed>) -> Vec<(Unit, Vec<Extent>)> {
    let index = &rendition.index;
    let together = Timestamp::from_duration(TOGETHER, index.track.timescale).ticks();
    let mut units: Vec<(Unit, Vec<Extent>)> = Vec::new();
    let (mut begun, mut octets, mut goes_on) = (i64::MIN, 0_u32, false);
    for it in samples {
        let size = it.stored.size;
        // Within a unit each frame is heard right after the one before.
        let fits =
            it.presentation.saturating_sub(begun) < together && octets.saturating_add(size) <= MOST_SOUND;
        match units.last_mut().filter(|_| fits && goes_on) {
            Some((unit, places)) => {
                unit.frames.push(size);
                places.push(rendition.extent(&it));
                octets = octets.saturating_add(size);
            }
            None => {
                let at = index.at(rendition.since_origin(it.presentation));
                let unit = Unit {
                    stream: Stream::Sound,
                    presentation: at,
                    decoding: at,
                    key: true,
                    frames: vec![size],
                };
                units.push((unit, vec![rendition.extent(&it)]));
                (begun, octets) = (it.presentation, size);
            }
        }
        goes_on = it.stored.duration.abs_diff(index.usual_duration) <= 1;
    }
    units
}
