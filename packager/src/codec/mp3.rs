//! MP3: MPEG-1 and MPEG-2 audio, layers I to III (ISO 11172-3, ISO 13818-3). It needs no configuration.

use super::sound::Sound;

/// The `objectTypeIndication` of MPEG-1 audio.
pub const MPEG_1: u8 = 0x6b;

/// The `objectTypeIndication` of MPEG-2 audio, of half the rates.
pub const MPEG_2: u8 = 0x69;

/// What is said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// `objectTypeIndication`: [`MPEG_1`] or [`MPEG_2`].
    pub object_type: u8,
    /// How it is heard.
    pub sound: Sound,
}

impl Config {
    /// `mp4a.40.34`: what Apple's players know it by.
    pub fn codec_string(&self) -> String {
        "mp4a.40.34".into()
    }

    /// `mp4a.6B` or `mp4a.69` (RFC 6381 3.3): what players of DASH know it by.
    pub fn object_codec_string(&self) -> String {
        format!("mp4a.{:02X}", self.object_type)
    }
}
