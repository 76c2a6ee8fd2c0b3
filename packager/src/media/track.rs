//! What a track is made of.

use bytes::Bytes;

use super::Timescale;
use crate::codec::picture::Picture;
use crate::codec::sound::Sound;
use crate::codec::{aac, av1, avc, dolby, flac, hevc, mp3, opus, vp9};

/// What a track carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TrackKind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

impl TrackKind {
    /// `video` or `audio`, as `hdlr`, HLS and DASH spell it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Audio => "audio",
        }
    }
}

/// The decoder configuration of a track: everything an init segment says about its codec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodecConfig {
    /// H.264 with its parameter sets.
    Avc(avc::Config),
    /// H.265, and Dolby Vision.
    Hevc(hevc::Config),
    /// AV1.
    Av1(av1::Config),
    /// VP9.
    Vp9(vp9::Config),
    /// AAC in any of its object types.
    Aac(aac::Config),
    /// AC-3 and E-AC-3.
    Dolby(dolby::Config),
    /// Opus.
    Opus(opus::Config),
    /// FLAC.
    Flac(flac::Config),
    /// MPEG audio of layers I to III.
    Mp3(mp3::Config),
}

impl CodecConfig {
    /// Video or audio.
    pub const fn kind(&self) -> TrackKind {
        match self {
            Self::Avc(_) | Self::Hevc(_) | Self::Av1(_) | Self::Vp9(_) => TrackKind::Video,
            Self::Aac(_) | Self::Dolby(_) | Self::Opus(_) | Self::Flac(_) | Self::Mp3(_) => TrackKind::Audio,
        }
    }

    /// How its pictures look; none of sound.
    pub const fn picture(&self) -> Option<&Picture> {
        match self {
            Self::Avc(it) => Some(&it.picture),
            Self::Hevc(it) => Some(&it.picture),
            Self::Av1(it) => Some(&it.picture),
            Self::Vp9(it) => Some(&it.picture),
            Self::Aac(_) | Self::Dolby(_) | Self::Opus(_) | Self::Flac(_) | Self::Mp3(_) => None,
        }
    }

    /// How it is heard; none of pictures.
    pub const fn sound(&self) -> Option<Sound> {
        match self {
            Self::Avc(_) | Self::Hevc(_) | Self::Av1(_) | Self::Vp9(_) => None,
            Self::Aac(it) => Some(it.sound()),
            Self::Dolby(it) => Some(it.sound),
            Self::Opus(it) => Some(it.sound),
            Self::Flac(it) => Some(it.sound),
            Self::Mp3(it) => Some(it.sound),
        }
    }

    /// The codec string of RFC 6381, such as `avc1.64001f` or `mp4a.40.2`.
    pub fn codec_string(&self) -> String {
        match self {
            Self::Avc(it) => it.codec_string(),
            Self::Hevc(it) => it.codec_string(),
            Self::Av1(it) => it.codec_string(),
            Self::Vp9(it) => it.codec_string(),
            Self::Aac(it) => it.codec_string(),
            Self::Dolby(it) => it.codec_string(),
            Self::Opus(it) => it.codec_string(),
            Self::Flac(it) => it.codec_string(),
            Self::Mp3(it) => it.codec_string(),
        }
    }

    /// The type of its sample entry, such as `avc1`.
    pub fn entry(&self) -> [u8; 4] {
        match self {
            Self::Avc(_) => *b"avc1",
            Self::Hevc(it) => it.entry(),
            Self::Av1(_) => *b"av01",
            Self::Vp9(_) => *b"vp09",
            Self::Aac(_) | Self::Mp3(_) => *b"mp4a",
            Self::Dolby(it) => it.entry(),
            Self::Opus(_) => *b"Opus",
            Self::Flac(_) => *b"fLaC",
        }
    }

    /// The same with a configuration record in memory of its own, so that what it was read from can be let go.
    #[must_use]
    pub fn detached(mut self) -> Self {
        let own = |record: &mut Bytes| *record = Bytes::copy_from_slice(record);
        match &mut self {
            Self::Avc(it) => own(&mut it.record),
            Self::Hevc(it) => {
                own(&mut it.record);
                it.dolby_vision.iter_mut().for_each(|it| own(&mut it.record));
            }
            Self::Av1(it) => own(&mut it.record),
            Self::Vp9(it) => own(&mut it.record),
            Self::Aac(it) => own(&mut it.asc),
            Self::Dolby(it) => own(&mut it.record),
            Self::Opus(it) => own(&mut it.record),
            Self::Flac(it) => own(&mut it.record),
            Self::Mp3(_) => {}
        }
        self
    }

    /// Octets of its configuration record.
    pub const fn record_length(&self) -> usize {
        match self {
            Self::Avc(it) => it.record.len(),
            Self::Hevc(it) => it.record.len(),
            Self::Av1(it) => it.record.len(),
            Self::Vp9(it) => it.record.len(),
            Self::Aac(it) => it.asc.len(),
            Self::Dolby(it) => it.record.len(),
            Self::Opus(it) => it.record.len(),
            Self::Flac(it) => it.record.len(),
            Self::Mp3(_) => 0,
        }
    }
}

/// A timed sequence of samples with one configuration, as an init segment describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// How the samples are decoded.
    pub config: CodecConfig,
    /// What `dts`, offsets and durations of its samples count in.
    pub timescale: Timescale,
    /// The language as three letters of ISO 639-2, `und` when unknown.
    pub language: [u8; 3],
}

impl Track {
    /// Video or audio.
    pub const fn kind(&self) -> TrackKind {
        self.config.kind()
    }
}
