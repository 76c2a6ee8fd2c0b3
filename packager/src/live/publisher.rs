//! What a publisher may say to its broadcast.

use bytes::Bytes;

use crate::media::{CodecConfig, Sample, TrackKind};

/// One thing a publisher says, in the order it was said.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// What `onMetaData` promised. Only a promise: used to wait for a late track and for first bandwidth guesses.
    Metadata(Metadata),
    /// A track's decoder configuration; equal repetitions are already filtered out.
    Configure(CodecConfig),
    /// A sample of the track of that kind; its dts is monotonic within its track, on one timeline with the other.
    Sample(TrackKind, Sample),
    /// The timeline broke (encoder restarted in place, a jump, an end-of-sequence tag): what follows starts a new
    /// discontinuity, at any dts.
    Discontinuity,
}

/// What an encoder's `onMetaData` said, where it said something believable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// Whether a video track was announced.
    pub video: bool,
    /// Whether an audio track was announced.
    pub audio: bool,
    /// Frames per second.
    pub frame_rate: Option<f64>,
    /// Bits per second of video.
    pub video_bit_rate: Option<u64>,
    /// Bits per second of audio.
    pub audio_bit_rate: Option<u64>,
    /// The encoder's name, as it gives it, at most 128 bytes.
    pub encoder: Option<String>,
    /// The whole message, AMF0, for RTMP players: name string and value, without `@setDataFrame`.
    pub raw: Bytes,
}
