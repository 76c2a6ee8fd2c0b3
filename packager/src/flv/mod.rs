//! FLV tag bodies: RTMP message payload ↔ codec configuration or access unit (FLV 10.1 E.4, live.md 7).
//!
//! A [`Reader`] takes the bodies of one publisher and gives configurations and access units, sliced from the same
//! bytes; [`configuration`] and [`sample`] go the other way, for players. Time is not its business but for the
//! composition time, which the body carries. H.264 and AAC are read; every other codec is refused by name.

#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod audio;
mod exheader;
mod video;

use std::fmt;

use bytes::Bytes;

use crate::codec::{aac, avc};
use crate::media::{CodecConfig, Sample, Sync, TrackKind};

/// One thing that bodies said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A configuration that differs from the one before.
    Configure(CodecConfig),
    /// A picture.
    Picture {
        /// Its NAL units, each behind its 4-byte length.
        payload: Bytes,
        /// Presentation time minus decoding time.
        composition_ms: i32,
        /// Whether decoding may begin here. By its NAL units: encoders flag recovery points as key frames too.
        sync: Sync,
    },
    /// One raw AAC frame.
    AudioFrame(Bytes),
    /// The encoder ended its video sequence; what follows is a new one.
    End,
}

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A codec, or a way to carry one, that is not taken here. It will not get better with the next body.
    #[error("{kind} is coded as {codec}", kind = .0.word(), codec = .1)]
    Unsupported(TrackKind, Codec),
    /// The body ended within its header.
    #[error("the {} message ends within its header", .0.word())]
    Truncated(TrackKind),
    /// The decoder configuration record is not one.
    #[error("video configuration: {0}")]
    Avc(#[from] avc::Error),
    /// The AudioSpecificConfig is not one.
    #[error("audio configuration: {0}")]
    Aac(#[from] aac::Error),
    /// Access units came before anything that would configure a decoder for them.
    #[error("{} came before its configuration", .0.word())]
    Unconfigured(TrackKind),
}

/// The name of a codec for whoever set up the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// As the field calls it.
    Named(&'static str),
    /// A number of FLV's table that nobody gave a meaning.
    Number(u8),
    /// A FourCC of Enhanced RTMP.
    FourCc([u8; 4]),
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Number(number) => write!(f, "number {number}"),
            Self::FourCc(fourcc) => match fourcc {
                b"hvc1" => f.write_str("HEVC"),
                b"vvc1" => f.write_str("VVC"),
                b"av01" => f.write_str("AV1"),
                b"vp08" => f.write_str("VP8"),
                b"vp09" => f.write_str("VP9"),
                b"ac-3" => f.write_str("AC-3"),
                b"ec-3" => f.write_str("E-AC-3"),
                b"Opus" => f.write_str("Opus"),
                b".mp3" => f.write_str("MP3"),
                b"fLaC" => f.write_str("FLAC"),
                other => write!(f, "\"{}\"", other.escape_ascii()),
            },
        }
    }
}

/// Reads the audio and video bodies of one publisher.
#[derive(Debug, Default)]
pub struct Reader {
    video: Option<Video>,
    audio: Option<Audio>,
}

#[derive(Debug)]
struct Video {
    config: avc::Config,
    /// The record as it was sent, by which repetitions are known.
    sent: Bytes,
    length_size: u8,
}

#[derive(Debug)]
struct Audio {
    config: aac::Config,
    sent: Bytes,
}

impl Reader {
    /// A reader that nothing was configured for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The bytes of an FLV video tag's body, or of an RTMP video message.
    ///
    /// # Errors
    /// [`Error`]; all but [`Error::Unsupported`] concern this body alone.
    pub fn video(&mut self, body: Bytes) -> Result<impl Iterator<Item = Unit> + use<>, Error> {
        let units = match video::read(body)? {
            video::Body::Configuration(record) => [self.configure_video(record)?, None],
            video::Body::Picture { composition_ms, payload } => self.picture(composition_ms, payload)?,
            video::Body::End => [Some(Unit::End), None],
            video::Body::Nothing => [None, None],
        };
        Ok(units.into_iter().flatten())
    }

    /// The bytes of an FLV audio tag's body, or of an RTMP audio message.
    ///
    /// # Errors
    /// As [`Self::video`].
    pub fn audio(&mut self, body: Bytes) -> Result<Option<Unit>, Error> {
        match audio::read(body)? {
            audio::Body::Configuration(asc) => self.configure_audio(asc),
            audio::Body::Frame(_) if self.audio.is_none() => Err(Error::Unconfigured(TrackKind::Audio)),
            audio::Body::Frame(frame) => Ok(Some(Unit::AudioFrame(frame))),
            audio::Body::Nothing => Ok(None),
        }
    }

    fn configure_video(&mut self, record: Bytes) -> Result<Option<Unit>, Error> {
        // Encoders repeat their record, some before every key frame.
        if self.video.as_ref().is_some_and(|it| it.sent == record) {
            return Ok(None);
        }
        let config = avc::Config::parse(record.clone())?;
        let changed = self.video.as_ref().is_none_or(|it| it.config != config);
        let length_size = length_size(&record);
        self.video = Some(Video { config: config.clone(), sent: record, length_size });
        Ok(changed.then_some(Unit::Configure(CodecConfig::Avc(config))))
    }

    fn configure_audio(&mut self, asc: Bytes) -> Result<Option<Unit>, Error> {
        if self.audio.as_ref().is_some_and(|it| it.sent == asc) {
            return Ok(None);
        }
        let config = aac::Config::parse(asc.clone())?;
        let changed = self.audio.as_ref().is_none_or(|it| it.config != config);
        self.audio = Some(Audio { config: config.clone(), sent: asc });
        Ok(changed.then_some(Unit::Configure(CodecConfig::Aac(config))))
    }

    fn picture(&mut self, composition_ms: i32, payload: Bytes) -> Result<[Option<Unit>; 2], Error> {
        let length_size = self.video.as_ref().map_or(4, |it| it.length_size);
        let picture = avc::normalise(payload, length_size);
        let configure = if picture.parameter_sets { self.configure_in_band(&picture.payload) } else { None };
        if self.video.is_none() {
            return Err(Error::Unconfigured(TrackKind::Video));
        }
        if picture.payload.is_empty() {
            return Ok([configure, None]);
        }
        let sync = if picture.idr { Sync::Key } else { Sync::Delta };
        Ok([configure, Some(Unit::Picture { payload: picture.payload, composition_ms, sync })])
    }

    /// Some encoders never send a record, or change their parameter sets without one; then the NAL units tell.
    fn configure_in_band(&mut self, payload: &Bytes) -> Option<Unit> {
        const SPS: u8 = 7;
        const PPS: u8 = 8;
        let of_type =
            |wanted| avc::units(payload).filter(move |it| it.first().is_some_and(|it| it & 0x1f == wanted));
        let known = |set| self.video.as_ref().is_some_and(|it| it.config.carries(set));
        if of_type(SPS).chain(of_type(PPS)).all(known) {
            return None;
        }
        let sets = |wanted| of_type(wanted).map(|it| payload.slice_ref(it)).collect::<Vec<_>>();
        let config = avc::Config::from_parameter_sets(&sets(SPS), &sets(PPS)).ok()?;
        // What the encoder framed before, it frames now; a record it repeats is still the old one.
        let (sent, length_size) = self.video.take().map_or((Bytes::new(), 4), |it| (it.sent, it.length_size));
        self.video = Some(Video { config: config.clone(), sent, length_size });
        Some(Unit::Configure(CodecConfig::Avc(config)))
    }
}

/// How NAL lengths are written under a record; the parsed record says 4, whatever the sent one says. What some
/// encoders send in place of a record says nothing, and then start codes are looked for anyway.
fn length_size(record: &[u8]) -> u8 {
    if record.first() == Some(&1) { avc::length_size(record).unwrap_or(4) } else { 4 }
}

/// The body that configures players of a track: header, then payload; none for a codec that FLV has no number for.
pub fn configuration(config: &CodecConfig) -> Option<[Bytes; 2]> {
    match config {
        CodecConfig::Avc(it) => Some(video::configuration(it)),
        CodecConfig::Aac(it) => Some(audio::configuration(it)),
        _ => None,
    }
}

/// The body of a sample: header, then the sample's own payload, shared.
pub fn sample(kind: TrackKind, sample: &Sample) -> [Bytes; 2] {
    match kind {
        TrackKind::Video => video::sample(sample),
        TrackKind::Audio => audio::sample(sample),
    }
}

/// `17 01 …` → bytes, for tests.
#[cfg(test)]
fn hex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.bytes().filter(|it| !it.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 160x90 from x264, baseline, 4-byte lengths.
    const RECORD: &str =
        "0142c00b ffe1 0018 6742c00bda0a37e4c044000003000400000300c83c50aa80 01 0004 68ce0fc8";

    fn told(bodies: &[&str]) -> Vec<Result<Vec<Unit>, Error>> {
        let mut reader = Reader::new();
        let mut tell = |body: &&str| match body.split_at(1) {
            ("v", body) => reader.video(hex(body)).map(Iterator::collect),
            (_, body) => reader.audio(hex(body)).map(|it| it.into_iter().collect()),
        };
        bodies.iter().map(&mut tell).collect()
    }

    fn avc() -> Unit {
        Unit::Configure(CodecConfig::Avc(avc::Config::parse(hex(RECORD)).unwrap()))
    }

    fn picture(payload: &str, sync: Sync) -> Unit {
        Unit::Picture { payload: hex(payload), composition_ms: 0, sync }
    }

    #[test]
    fn a_configuration_is_told_once_however_often_it_is_sent() {
        let record = format!("v17 00 000000 {RECORD}");
        assert_eq!(told(&[&record, &record]), [Ok(vec![avc()]), Ok(vec![])]);
        let aac = |asc| Unit::Configure(CodecConfig::Aac(aac::Config::parse(hex(asc)).unwrap()));
        let audio = told(&["aaf 00 1190", "aaf 00 1190", "aaf 00 1210"]);
        assert_eq!(audio, [Ok(vec![aac("1190")]), Ok(vec![]), Ok(vec![aac("1210")])]);
    }

    #[test]
    fn pictures_are_known_by_their_nal_units_not_by_their_flag() {
        let record = format!("v17 00 000000 {RECORD}");
        let bodies = told(&[&record, "v17 01 000000 00000002 4188", "v27 01 000000 00000002 6588"]);
        assert_eq!(bodies[1], Ok(vec![picture("000000024188", Sync::Delta)]));
        assert_eq!(bodies[2], Ok(vec![picture("000000026588", Sync::Key)]));
    }

    #[test]
    fn shorter_nal_lengths_and_start_codes_become_four_byte_lengths() {
        let record = RECORD.replace("ffe1", "fde1");
        let bodies = told(&[
            &format!("v17 00 000000 {record}"),
            "v17 01 000000 0002 6588 0002 6589",
            "v17 01 000000 00000001 6588 000001 6589",
        ]);
        assert_eq!(bodies[0], Ok(vec![avc()]));
        assert_eq!(bodies[1], Ok(vec![picture("000000026588 000000026589", Sync::Key)]));
        assert_eq!(bodies[2], bodies[1]);
    }

    #[test]
    fn a_broken_nal_length_costs_that_nal_unit_alone() {
        let record = format!("v17 00 000000 {RECORD}");
        let bodies = told(&[&record, "v17 01 000000 00000002 6588 000000ff 41", "v17 01 000000 000000ff 41"]);
        assert_eq!(bodies[1], Ok(vec![picture("000000026588", Sync::Key)]));
        assert_eq!(bodies[2], Ok(vec![]));
    }

    #[test]
    fn without_a_record_the_parameter_sets_of_a_picture_configure() {
        let sets = "00000018 6742c00bda0a37e4c044000003000400000300c83c50aa80 00000004 68ce0fc8";
        let body = format!("v17 01 000000 {sets} 00000002 6588");
        let first = told(&[&body]).remove(0).unwrap();
        assert_eq!(first, [avc(), picture(&format!("{sets} 00000002 6588"), Sync::Key)]);
        // And once the record has come, they say nothing new.
        let bodies = told(&[&format!("v17 00 000000 {RECORD}"), &body]);
        assert_eq!(bodies[1].as_ref().map(Vec::len), Ok(1));
    }

    #[test]
    fn access_units_before_any_configuration_are_refused_one_by_one() {
        assert_eq!(
            told(&["v27 01 000000 00000002 4188", "aaf 01 2110"]),
            [Err(Error::Unconfigured(TrackKind::Video)), Err(Error::Unconfigured(TrackKind::Audio))]
        );
    }

    #[test]
    fn a_truncated_record_leaves_what_was_known() {
        let record = format!("v17 00 000000 {RECORD}");
        let bodies = told(&[&record, "v17 00 000000 0142", "v27 01 000000 00000002 4188", "v17 02"]);
        assert!(matches!(bodies[1], Err(Error::Avc(_))));
        assert_eq!(bodies[2], Ok(vec![picture("000000024188", Sync::Delta)]));
        assert_eq!(bodies[3], Ok(vec![Unit::End]));
    }

    #[test]
    fn what_is_written_for_players_reads_back() {
        let config = avc::Config::parse(hex(RECORD)).unwrap();
        let mut reader = Reader::new();
        let body = Bytes::from(configuration(&CodecConfig::Avc(config)).unwrap().concat());
        assert_eq!(reader.video(body).unwrap().collect::<Vec<_>>(), [avc()]);
    }
}
