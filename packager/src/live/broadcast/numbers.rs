//! The numbers of a broadcast that never go back: epochs, media sequence, discontinuity sequence.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::live::settings::{Announced, Record};
use crate::segmenter::longest_segment;

/// So many media sequence numbers are written down as used before they are, so that a crash never makes numbers go
/// back and the disk is seldom asked.
const RESERVED: u64 = 1_024;

/// Goes on where a record ends; without one, the media sequence begins at the unix time, so that it does not go back
/// even where a record was lost.
#[derive(Clone, Debug)]
pub(super) struct Numbers {
    epoch: u64,
    next: u64,
    reserved: u64,
    discontinuity: Option<u64>,
}

impl Numbers {
    pub(super) fn new(record: Option<&Record>, wall: SystemTime) -> Self {
        match record {
            None => Self { epoch: 0, next: since_1970(wall).as_secs(), reserved: 0, discontinuity: None },
            Some(it) => Self {
                epoch: it.epoch,
                next: it.media_sequence,
                reserved: 0,
                discontinuity: Some(it.discontinuity_sequence),
            },
        }
    }

    /// A new epoch, named by the wall clock's milliseconds unless that would not be new.
    pub(super) fn begin_epoch(&mut self, wall: SystemTime) {
        let clock = u64::try_from(since_1970(wall).as_millis()).unwrap_or(0);
        self.epoch = self.epoch.saturating_add(1).max(clock);
        self.discontinuity = Some(self.discontinuity.map_or(0, |it| it.saturating_add(1)));
        self.reserved = 0;
    }

    /// Every number below `next` is used.
    pub(super) fn used_below(&mut self, next: u64) {
        self.next = self.next.max(next);
    }

    /// What must be kept before the next segment can be shown, if what was kept does not cover it.
    pub(super) fn reserve(&mut self, announced: Option<Announced>, wall: SystemTime) -> Option<Record> {
        if self.next.saturating_add(1) < self.reserved {
            return None;
        }
        self.reserved = self.next.saturating_add(RESERVED);
        // Before they are used up nothing else is written, whenever the server is killed.
        let longest = announced.map_or(Duration::ZERO, |it| longest_segment(it.target_duration));
        let record = self.record(announced, wall + longest * RESERVED as u32)?;
        Some(Record { media_sequence: self.reserved, ..record })
    }

    /// What is to be kept of a broadcast that was published until `published` and uses nothing more; nothing where
    /// nothing ever was.
    pub(super) fn record(&self, announced: Option<Announced>, published: SystemTime) -> Option<Record> {
        Some(Record {
            epoch: self.epoch,
            media_sequence: self.next,
            discontinuity_sequence: self.discontinuity?,
            announced,
            published,
        })
    }

    /// The newest epoch.
    pub(super) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The number of the next segment.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// The discontinuity sequence number of the newest epoch.
    pub(super) fn discontinuity(&self) -> u64 {
        self.discontinuity.unwrap_or(0)
    }
}

fn since_1970(wall: SystemTime) -> Duration {
    wall.duration_since(UNIX_EPOCH).unwrap_or_default()
}
