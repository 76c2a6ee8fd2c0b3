//! H.264: `AVCDecoderConfigurationRecord` (ISO 14496-15 5.3.3.1) and the NAL units of a picture.

use bytes::Bytes;

/// A checked decoder configuration record and what its first SPS says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The record as `avcC` carries it; its NAL length size is always 4.
    pub record: Bytes,
    /// Displayed width in pixels after cropping and sample aspect ratio.
    pub display_width: u32,
    /// Displayed height in pixels after cropping.
    pub display_height: u32,
    /// Coded width in pixels after cropping.
    pub width: u16,
    /// Coded height in pixels after cropping.
    pub height: u16,
    /// Sample aspect ratio, when the SPS gives one other than square.
    pub sample_aspect: Option<(u16, u16)>,
}

impl Config {
    /// `avc1.PPCCLL`.
    pub fn codec_string(&self) -> String {
        let byte = |at: usize| self.record.get(at).copied().unwrap_or(0);
        format!("avc1.{:02x}{:02x}{:02x}", byte(1), byte(2), byte(3))
    }
}
