//! How the sound of a track is heard, whatever codes it.

/// Rate and channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound {
    /// Samples per second that come out of a decoder.
    pub sample_rate: u32,
    /// Channels that come out of a decoder.
    pub channels: u8,
    /// How they are arranged: a ChannelConfiguration of ISO 23001-8. What it has no number for counts as the usual
    /// arrangement of as many.
    pub layout: u8,
    /// Objects that are mixed into the bed of channels, where there are any (Dolby Atmos).
    pub objects: Option<u8>,
}

impl Sound {
    /// Channels in their usual arrangement.
    pub const fn new(sample_rate: u32, channels: u8) -> Self {
        Self { sample_rate, channels, layout: usual_layout(channels), objects: None }
    }
}

/// The number of the usual arrangement of so many channels; 0 where there is none.
pub(super) const fn usual_layout(channels: u8) -> u8 {
    match channels {
        1..=6 => channels,
        7 => 11,
        8 => 12,
        _ => 0,
    }
}
