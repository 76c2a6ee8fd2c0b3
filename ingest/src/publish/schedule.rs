//! When each sample of a file is sent, pass after pass, on one timeline.

use std::time::Duration;

use bytes::Bytes;
use packager::flv;
use packager::isobmff::Error;
use packager::isobmff::demux::{Demuxed, Interleaved};
use packager::media::{CodecConfig, Sample, Timescale, Timestamp, TrackKind};

/// How often the file is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passes {
    /// Once.
    One,
    /// Until told to stop, one pass following the other without a gap.
    Endless,
}

/// The first video and the first audio track of a file, measured.
#[derive(Clone, Debug)]
pub(super) struct Programme<'a> {
    file: &'a Demuxed,
    video: Option<usize>,
    audio: Option<usize>,
    /// When the first sample that is sent is decoded.
    origin: Timestamp,
    /// The presentation begins here and has this length: that of the pictures, or of the sound if there are none.
    length: Timestamp,
    frame_rate: Option<f64>,
}

/// A sample and when it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// Since the first sample.
    pub(super) at: Duration,
    pub(super) kind: TrackKind,
    pub(super) body: [Bytes; 2],
}

impl<'a> Programme<'a> {
    pub(super) fn new(file: &'a Demuxed) -> Result<Self, Error> {
        let first = |kind| file.tracks().position(|it| it.kind() == kind);
        let (video, audio) = (first(TrackKind::Video), first(TrackKind::Audio));
        let zero = Timestamp::zero(Timescale::VIDEO);
        let mut programme = Self { file, video, audio, origin: zero, length: zero, frame_rate: None };
        programme.measure()?;
        Ok(programme)
    }

    fn measure(&mut self) -> Result<(), Error> {
        let leading = self.video.or(self.audio).ok_or(Error::NoTrack)?;
        let (mut first, mut last, mut step, mut count) = (None, None, 1, 0_u32);
        for sample in self.file.samples() {
            let (track, Sample { dts, .. }) = sample?;
            if track == leading {
                // The last one lasts as long as the one before it.
                step = last.map_or(step, |last| dts.since(last).ticks());
                first = first.or(Some(dts));
                last = Some(dts);
                count += 1;
            }
        }
        let (first, last) = first.zip(last).ok_or(Error::NoTrack)?;
        self.length = last.plus(step.max(1)).since(first);
        let rate = f64::from(count) / self.length.seconds();
        self.frame_rate = self.video.map(|_| rate);
        self.origin = Timestamp::zero(first.timescale()).min(first);
        Ok(())
    }

    /// What the encoder says of itself and of its tracks.
    pub(super) fn configs(&self) -> impl Iterator<Item = &CodecConfig> {
        let tracks = self.file.tracks().enumerate();
        tracks.filter(|(index, _)| self.kind(*index).is_some()).map(|(_, it)| &it.config)
    }

    pub(super) const fn frame_rate(&self) -> Option<f64> {
        self.frame_rate
    }

    pub(super) fn schedule(&self, passes: Passes) -> Schedule<'_> {
        Schedule { programme: self, passes, pass: 0, rest: self.file.samples(), empty: true }
    }

    fn kind(&self, track: usize) -> Option<TrackKind> {
        let is = |it: Option<usize>| it == Some(track);
        is(self.video).then_some(TrackKind::Video).or_else(|| is(self.audio).then_some(TrackKind::Audio))
    }

    /// Sound before the pictures begin or after they end would make each pass begin later than the pictures of the
    /// one before end; encoders leave such frames (priming, padding) in files.
    fn is_within(&self, kind: TrackKind, sample: &Sample) -> bool {
        kind == TrackKind::Video
            || self.video.is_none()
            || (sample.dts.ticks() >= 0 && sample.dts < self.length)
    }
}

/// The samples of a programme in the order they are sent.
#[derive(Clone, Debug)]
pub(super) struct Schedule<'a> {
    programme: &'a Programme<'a>,
    passes: Passes,
    pass: u32,
    rest: Interleaved<'a>,
    /// Whether this pass had no sample so far.
    empty: bool,
}

impl Iterator for Schedule<'_> {
    type Item = Result<Due, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.rest.next() {
                Some(Ok((track, sample))) => {
                    let kind = self.programme.kind(track).filter(|&it| self.programme.is_within(it, &sample));
                    if let Some(kind) = kind {
                        self.empty = false;
                        return Some(Ok(self.due(kind, &sample)));
                    }
                }
                Some(Err(error)) => return Some(Err(error)),
                None if self.passes == Passes::One || self.empty => return None,
                None => {
                    self.pass = self.pass.wrapping_add(1);
                    self.rest = self.programme.file.samples();
                    self.empty = true;
                }
            }
        }
    }
}

impl Schedule<'_> {
    fn due(&self, kind: TrackKind, sample: &Sample) -> Due {
        let Programme { origin, length, .. } = self.programme;
        let at = sample.dts.since(*origin).to_duration() + length.to_duration() * self.pass;
        Due { at, kind, body: flv::sample(kind, sample) }
    }
}

#[cfg(test)]
mod tests {
    use packager::isobmff::demux::demux;

    use super::*;

    /// 8 s of 30 pictures a second with B-frames, and of sound that is 21 ms longer.
    fn sample() -> Demuxed {
        demux(Bytes::from_static(include_bytes!("../../../samples/media/sample.mp4"))).unwrap()
    }

    fn millis(dues: &[Due], kind: TrackKind) -> Vec<u128> {
        dues.iter().filter(|it| it.kind == kind).map(|it| it.at.as_micros().div_ceil(1_000)).collect()
    }

    #[test]
    fn samples_are_due_in_order_from_zero() {
        let file = sample();
        let programme = Programme::new(&file).unwrap();
        let dues: Vec<Due> = programme.schedule(Passes::One).map(Result::unwrap).collect();
        assert!(dues.is_sorted_by_key(|it| it.at));
        assert_eq!(dues[0].at, Duration::ZERO);
        assert_eq!(millis(&dues, TrackKind::Video)[..4], [0, 34, 67, 100]);
        assert_eq!(programme.frame_rate(), Some(30.0));
    }

    #[test]
    fn a_pass_follows_the_one_before_as_if_the_file_went_on() {
        let file = sample();
        let programme = Programme::new(&file).unwrap();
        let dues: Vec<Due> = programme.schedule(Passes::Endless).map(Result::unwrap).take(2_000).collect();
        for kind in [TrackKind::Video, TrackKind::Audio] {
            let times: Vec<_> = dues.iter().filter(|it| it.kind == kind).map(|it| it.at).collect();
            assert!(times.len() > 500, "more than two passes");
            let steps = times.windows(2).map(|it| (it[1] - it[0]).as_secs_f64());
            let (shortest, longest) = steps.fold((f64::MAX, 0.0_f64), |(a, b), it| (a.min(it), b.max(it)));
            assert!(longest - shortest < 1e-6, "{kind:?} steps from {shortest} to {longest}");
        }
    }
}
