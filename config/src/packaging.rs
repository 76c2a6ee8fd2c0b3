//! Segment, part and window lengths.

use std::time::Duration;

/// How broadcasts are packaged; section 9 of the design says how each is applied.
#[derive(Clone, Debug)]
pub struct Packaging {
    /// Target length of a segment; segments end at key frames.
    pub segment: Duration,
    /// Longest part of LL-HLS.
    pub part: Duration,
    /// How much a playlist shows.
    pub window: Duration,
    /// How long a broadcast outlives its publisher.
    pub grace: Duration,
    /// Most broadcasts at once.
    pub max_broadcasts: u32,
}
