//! What a track is made of.

use super::Timescale;
use crate::codec::{aac, avc};

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
    /// AAC in any of its object types.
    Aac(aac::Config),
}

impl CodecConfig {
    /// Video or audio.
    pub const fn kind(&self) -> TrackKind {
        match self {
            Self::Avc(_) => TrackKind::Video,
            Self::Aac(_) => TrackKind::Audio,
        }
    }

    /// The codec string of RFC 6381, such as `avc1.64001f` or `mp4a.40.2`.
    pub fn codec_string(&self) -> String {
        match self {
            Self::Avc(it) => it.codec_string(),
            Self::Aac(it) => it.codec_string(),
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
