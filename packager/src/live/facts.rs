//! What an operator may know of a broadcast.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use crate::media::{CodecConfig, TrackKind};

/// A snapshot of what a broadcast is and how it fares.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Its tracks, in the order video, audio.
    pub tracks: Vec<TrackFacts>,
    /// When its first publisher came.
    pub started: Option<SystemTime>,
    /// Who publishes now; none within the grace time.
    pub publisher: Option<PublisherFacts>,
    /// The mean distance of the newest key frames.
    pub key_frame_interval: Option<Duration>,
    /// What the operator or the publisher should change, one sentence each.
    pub warnings: Vec<Warning>,
    /// Discontinuities since the broadcast began.
    pub discontinuities: u64,
}

/// One track of a broadcast.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackFacts {
    /// Video or audio.
    pub kind: TrackKind,
    /// The codec string of RFC 6381.
    pub codec: String,
    /// Displayed width and height; none for audio.
    pub size: Option<(u32, u32)>,
    /// Pictures per second over the last ten seconds; none for audio.
    pub frame_rate: Option<f64>,
    /// Samples per second of sound; none for video.
    pub sample_rate: Option<u32>,
    /// Channels of sound; none for video.
    pub channels: Option<u8>,
    /// Bits per second over the last ten seconds.
    pub bit_rate: u64,
}

/// Pictures of some seconds are counted as they come, which may be one more or less a second: what is nearer to the rate
/// that viewers are told is that rate.
const RATE_BLUR: f64 = 0.04;

impl TrackFacts {
    /// Of a track with that configuration, that many bits and samples a second, and the rate of pictures that viewers
    /// are told.
    pub(super) fn new(config: &CodecConfig, bit_rate: u64, samples: f64, told: Option<f64>) -> Self {
        let (kind, codec) = (config.kind(), config.codec_string());
        let it =
            Self { kind, codec, size: None, frame_rate: None, sample_rate: None, channels: None, bit_rate };
        if let Some(picture) = config.picture() {
            let frame_rate = told.filter(|it| (samples / it - 1.0).abs() <= RATE_BLUR).unwrap_or(samples);
            return Self { size: Some(picture.display()), frame_rate: Some(frame_rate), ..it };
        }
        let sound = config.sound();
        Self { sample_rate: sound.map(|it| it.sample_rate), channels: sound.map(|it| it.channels), ..it }
    }
}

/// Who publishes a broadcast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublisherFacts {
    /// Its address.
    pub address: SocketAddr,
    /// The encoder, as it names itself.
    pub encoder: Option<String>,
    /// When it came.
    pub since: SystemTime,
}

/// Something about a broadcast that its operator would want to mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// A segment had to be cut between key frames.
    #[error(
        "key frames are more than {target} s apart, so segments begin at pictures that need others before them; \
         set \"Keyframe interval\" to 2 s in OBS (Settings, Output, Streaming; Advanced output mode), or -g in ffmpeg"
    )]
    SparseKeyFrames {
        /// The target duration that could not wait for a key frame, in seconds.
        target: u32,
    },
    /// Pictures come, and none that decoding could begin at.
    #[error(
        "no key frame has come, so the pictures cannot be shown; set \"Keyframe interval\" to 2 s in OBS (Settings, Output, \
         Streaming; Advanced output mode), or -g in ffmpeg, and turn intra refresh off"
    )]
    NoKeyFrame,
    /// A track stopped while the other went on.
    #[error("the {} track has stopped, so the broadcast goes on without it", .0.word())]
    TrackLost(TrackKind),
    /// Segments went before their time.
    #[error(
        "the memory for broadcasts is used up, so viewers cannot go back as far as they should; end other broadcasts, \
         or change packaging.memory or packaging.window"
    )]
    ShortOfMemory,
    /// A record could not be kept.
    #[error("the state directory cannot be written, so numbering restarts from the clock after a restart")]
    Forgetful,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::example::video_config;

    #[test]
    fn a_frame_rate_is_the_nominal_one_unless_pictures_are_missing() {
        let shown = |counted, told| TrackFacts::new(&video_config(), 0, counted, told).frame_rate;
        assert_eq!(shown(30.1, Some(30.0)), Some(30.0));
        assert_eq!(shown(29.0, Some(30_000.0 / 1_001.0)), Some(30_000.0 / 1_001.0));
        assert_eq!(shown(20.0, Some(30.0)), Some(20.0));
        assert_eq!(shown(30.1, None), Some(30.1));
    }
}
