//! AAC: `AudioSpecificConfig` (ISO 14496-3 1.6.2.1).

use bytes::Bytes;

/// A checked AudioSpecificConfig and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The AudioSpecificConfig, as `esds` carries it.
    pub asc: Bytes,
    /// The audio object type that the codec string names: 2 LC, 5 HE, 29 HEv2, 42 xHE.
    pub object_type: u8,
    /// Samples per second of the core; what the timescale of a live track is.
    pub sample_rate: u32,
    /// Channels of the core, 1 to 8.
    pub channels: u8,
    /// Core samples per frame: 1024 or 960.
    pub frame_length: u16,
}

impl Config {
    /// `mp4a.40.N`.
    pub fn codec_string(&self) -> String {
        format!("mp4a.40.{}", self.object_type)
    }
}
