//! The newest samples of a broadcast, for players that follow it sample by sample.

use crate::live::Metadata;
use crate::media::{CodecConfig, Sample, TrackKind};

/// One thing a player is told.
#[derive(Clone, Debug)]
pub enum Item {
    /// What the encoder said of itself.
    Metadata(Metadata),
    /// A track's decoder configuration.
    Configure(CodecConfig),
    /// A sample of the track of that kind.
    Sample(TrackKind, Sample),
    /// The timeline broke; what follows may be at any dts.
    Discontinuity,
}

/// Follows a broadcast from its newest key frame.
#[derive(Debug)]
pub struct Subscriber {
    skipped: u64,
}

impl Subscriber {
    /// The next item; nothing once the broadcast is over.
    pub async fn next(&mut self) -> Option<Item> {
        None
    }

    /// Samples that were skipped because this subscriber was too slow.
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }
}
