//! One timed unit of a track.

use bytes::Bytes;

use super::Timestamp;

/// Whether decoding may begin at a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// A stream access point of type 1: an IDR picture, or any audio sample.
    Key,
    /// Needs samples before it.
    Delta,
}

/// One timed unit of a track: the NAL units of one picture, each behind its 4-byte length, or one raw AAC frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Decoding time, in the track's timescale.
    pub dts: Timestamp,
    /// Presentation time minus decoding time, in ticks of the track's timescale.
    pub composition_offset: i32,
    /// Whether decoding may begin here.
    pub sync: Sync,
    /// The coded bytes, shared with every reader and never copied.
    pub payload: Bytes,
}

impl Sample {
    /// Presentation time, in the track's timescale.
    pub fn pts(&self) -> Timestamp {
        self.dts.plus(i64::from(self.composition_offset))
    }
}
