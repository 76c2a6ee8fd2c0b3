//! What the operator decides about broadcasts, and what is remembered of each beyond the process.

use std::io;
use std::time::{Duration, SystemTime};

use crate::media::BroadcastName;

/// How broadcasts are packaged and bounded.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Target length of a segment; segments end at key frames.
    pub segment: Duration,
    /// Longest part, before it is fitted to the broadcast's sample durations.
    pub part: Duration,
    /// How much a playlist shows.
    pub window: Duration,
    /// How long a broadcast outlives its publisher.
    pub grace: Duration,
    /// The shortest time between two takeovers of one name.
    pub replace_interval: Duration,
    /// Most broadcasts at once.
    pub max_broadcasts: u32,
    /// How many bytes of a broadcast's newest samples are kept for players of the ring.
    pub ring_bytes: u64,
    /// How many bytes all broadcasts may hold together.
    pub memory: u64,
}

/// What must outlive the process so that no name is used twice and no number goes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The newest epoch that was used.
    pub epoch: u64,
    /// The lowest media sequence number that was certainly not used.
    pub media_sequence: u64,
    /// The discontinuity sequence number of the newest epoch.
    pub discontinuity_sequence: u64,
    /// What a playlist has announced and must never change; none once the broadcast has ended.
    pub announced: Option<Announced>,
    /// Until then it may have been published; certainly not later.
    pub published: SystemTime,
}

/// The constants of a broadcast: announced once, kept for as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// The zero of the media timeline (`MPD@availabilityStartTime`).
    pub availability_start: SystemTime,
    /// `EXT-X-TARGETDURATION`, in seconds.
    pub target_duration: u32,
    /// `PART-TARGET`.
    pub part_target: Duration,
}

/// Where records are kept.
pub trait Ledger: Send + Sync {
    /// The record of a broadcast, or nothing when there never was one.
    ///
    /// # Errors
    /// When the store cannot be read. The broadcast then goes on as if it had lost its record.
    fn load(&self, name: &BroadcastName) -> io::Result<Option<Record>>;

    /// Replaces the record of a broadcast; durable when it returns.
    ///
    /// # Errors
    /// When the store cannot be written. The broadcast goes on, and says so.
    fn store(&self, name: &BroadcastName, record: &Record) -> io::Result<()>;
}
