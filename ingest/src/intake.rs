//! From the messages of one publisher to what its broadcast is told.
//!
//! ```text
//! audio, video ─▶ flv::Reader ─▶ timeline ─▶ Input
//! data ─────────▶ metadata ────────────────▶ Input
//! ```
//! Takes messages in the order they came, gives inputs in the order they are to be sent. What cannot be read is
//! counted and skipped: one broken message of an encoder does not end a broadcast. A codec that is not taken does.

use std::collections::VecDeque;

use bytes::Bytes;
use packager::flv::{self, Codec, Unit};
use packager::live::{Input, Metadata};
use packager::media::{CodecConfig, Sample, Sync, TrackKind};

use crate::metadata;
use crate::timeline::{Continuity, Step, Timeline};

/// The publisher sends what this server cannot package. Printed for whoever set up the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {} is coded as {codec}, which this server does not take: set the encoder to H.264 video and AAC audio", kind.word())]
pub struct Unsupported {
    /// Which track.
    pub kind: TrackKind,
    /// What it is coded as.
    pub codec: Codec,
}

/// What is known of one publisher's messages.
#[derive(Debug, Default)]
pub struct Intake {
    reader: flv::Reader,
    timeline: Timeline,
    /// At most three for one message: all are taken before the next message comes.
    ready: VecDeque<Input>,
    metadata: Option<Metadata>,
    ended: bool,
    malformed: u64,
}

impl Intake {
    /// A publisher that has said nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an audio message. Then [`Self::poll`] until nothing is left.
    ///
    /// # Errors
    /// [`Unsupported`] when its codec is not taken.
    pub fn audio(&mut self, timestamp: u32, payload: Bytes) -> Result<(), Unsupported> {
        match self.reader.audio(payload) {
            Ok(unit) => unit.into_iter().for_each(|it| self.take(timestamp, it)),
            Err(error) => self.skip(error)?,
        }
        Ok(())
    }

    /// Takes a video message. Then [`Self::poll`] until nothing is left.
    ///
    /// # Errors
    /// [`Unsupported`] when its codec is not taken.
    pub fn video(&mut self, timestamp: u32, payload: Bytes) -> Result<(), Unsupported> {
        match self.reader.video(payload) {
            Ok(units) => units.for_each(|it| self.take(timestamp, it)),
            Err(error) => self.skip(error)?,
        }
        Ok(())
    }

    /// Takes a data message. Then [`Self::poll`] until nothing is left.
    pub fn data(&mut self, payload: Bytes) {
        let Some(metadata) = metadata::read(payload) else { return };
        // Some encoders repeat it every few seconds.
        if self.metadata.as_ref() != Some(&metadata) {
            self.metadata = Some(metadata.clone());
            self.ready.push_back(Input::Metadata(metadata));
        }
    }

    /// The next thing to tell the broadcast.
    pub fn poll(&mut self) -> Option<Input> {
        self.ready.pop_front()
    }

    /// Audio and video messages that could not be read.
    pub const fn malformed(&self) -> u64 {
        self.malformed
    }

    fn take(&mut self, timestamp: u32, unit: Unit) {
        match unit {
            Unit::Configure(config) => {
                if let CodecConfig::Aac(audio) = &config {
                    self.timeline.configure_audio(audio);
                }
                self.ready.push_back(Input::Configure(config));
            }
            Unit::Picture { payload, composition_ms, sync } => {
                let step = self.timeline.video(timestamp);
                let ticks_per_ms = step.dts.timescale().hertz() as i32 / 1_000;
                let composition_offset = composition_ms * ticks_per_ms;
                self.sample(TrackKind::Video, step, |dts| Sample { dts, composition_offset, sync, payload });
            }
            Unit::AudioFrame(payload) => {
                let Some(step) = self.timeline.audio(timestamp) else { return };
                self.sample(TrackKind::Audio, step, |dts| Sample {
                    dts,
                    composition_offset: 0,
                    sync: Sync::Key,
                    payload,
                });
            }
            // Encoders say so when they stop, too; only what comes after it is a new beginning.
            Unit::End => self.ended = true,
        }
    }

    fn sample(
        &mut self,
        kind: TrackKind,
        step: Step,
        sample: impl FnOnce(packager::media::Timestamp) -> Sample,
    ) {
        let restarted = kind == TrackKind::Video && std::mem::take(&mut self.ended);
        if restarted || step.continuity == Continuity::Broken {
            self.ready.push_back(Input::Discontinuity);
        }
        self.ready.push_back(Input::Sample(kind, sample(step.dts)));
    }

    fn skip(&mut self, error: flv::Error) -> Result<(), Unsupported> {
        if let flv::Error::Unsupported(kind, codec) = error {
            return Err(Unsupported { kind, codec });
        }
        self.malformed += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AAC: &[u8] = &[0xaf, 0, 0x11, 0x90];
    const FRAME: &[u8] = &[0xaf, 1, 0x21, 0x10];
    const AVC: &[u8] =
        b"\x17\0\0\0\0\x01\x42\xc0\x0b\xff\xe1\0\x18\x67\x42\xc0\x0b\xda\x0a\x37\xe4\xc0\x44\0\0\x03\0\x04\
        \0\0\x03\0\xc8\x3c\x50\xaa\x80\x01\0\x04\x68\xce\x0f\xc8";
    const PICTURE: &[u8] = b"\x27\x01\0\0\x28\0\0\0\x02\x41\x88";
    const END: &[u8] = &[0x17, 2, 0, 0, 0];

    /// `c`onfigure, `a`udio, `v`ideo with milliseconds after the start, `|` discontinuity.
    #[track_caller]
    fn check(messages: &[(u32, &'static [u8])], expected: &str) {
        let mut intake = Intake::new();
        let mut told = Vec::new();
        for &(timestamp, payload) in messages {
            let payload = Bytes::from_static(payload);
            let video = payload[0] & 0x0f == 7;
            if video { intake.video(timestamp, payload) } else { intake.audio(timestamp, payload) }.unwrap();
            while let Some(input) = intake.poll() {
                told.push(match input {
                    Input::Configure(_) => "c".to_owned(),
                    Input::Discontinuity => "|".to_owned(),
                    Input::Sample(kind, it) => {
                        format!("{}{:.0}", &kind.word()[..1], (it.pts().seconds() - 10.0) * 1e3)
                    }
                    Input::Metadata(_) => "m".to_owned(),
                });
            }
        }
        assert_eq!(told.join(" "), expected);
    }

    #[test]
    fn messages_become_configurations_and_samples_on_one_line() {
        check(
            &[(0, AVC), (0, AAC), (500, PICTURE), (500, FRAME), (540, PICTURE), (521, FRAME)],
            "c c v40 a0 v80 a21",
        );
    }

    #[test]
    fn the_timestamps_of_configurations_count_for_nothing() {
        check(&[(9_999_999, AVC), (500, PICTURE), (0, AVC), (540, PICTURE)], "c v40 v80");
    }

    #[test]
    fn what_follows_an_end_of_sequence_is_a_new_beginning() {
        check(&[(0, AVC), (0, AAC), (0, PICTURE), (40, END), (21, FRAME)], "c c v40 a21");
        check(
            &[(0, AVC), (0, PICTURE), (40, END), (40, AVC), (40, PICTURE), (80, PICTURE)],
            "c v40 | v80 v120",
        );
    }

    #[test]
    fn a_jump_is_told_before_the_sample_that_jumped_and_once() {
        check(&[(0, AVC), (0, PICTURE), (9_000, PICTURE), (9_040, PICTURE)], "c v40 | v100 v140");
        check(&[(0, AVC), (0, PICTURE), (0, END), (9_000, PICTURE)], "c v40 | v100");
    }

    #[test]
    fn what_cannot_be_read_is_counted_and_skipped() {
        let mut intake = Intake::new();
        assert_eq!(intake.video(0, Bytes::from_static(PICTURE)), Ok(()));
        assert_eq!(intake.video(0, Bytes::from_static(&[0x17, 0, 0, 0, 0, 1])), Ok(()));
        assert_eq!((intake.poll(), intake.malformed()), (None, 2));
    }

    #[test]
    fn a_codec_that_is_not_taken_is_named() {
        let hevc = Intake::new().video(0, Bytes::from_static(b"\x90hvc1\x01")).unwrap_err();
        let mp3 = Intake::new().audio(0, Bytes::from_static(&[0x2f, 0xff])).unwrap_err();
        assert_eq!((hevc.codec.to_string(), mp3.codec.to_string()), ("HEVC".into(), "MP3".into()));
    }
}
