//! Fragments: one `moof` and one `mdat` (ISO 14496-12 8.8).

use bytes::Bytes;

use crate::media::{Sample, Timestamp};

/// A sample that knows how long it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedSample {
    /// The sample.
    pub sample: Sample,
    /// Ticks of the track's timescale until the next sample's dts.
    pub duration: u32,
}

/// Header bytes and payload slices of one `moof` + `mdat`: what goes on the wire, in order, nothing copied.
///
/// `base` is the `tfdt` of the first sample, in the track's timescale; `sequence` is `mfhd`'s number.
/// Track id is always 1 (tracks are never muxed in CMAF).
pub fn fragment(_sequence: u32, _base: Timestamp, _samples: &[TimedSample]) -> Vec<Bytes> {
    Vec::new()
}
