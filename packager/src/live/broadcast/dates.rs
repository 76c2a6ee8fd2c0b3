//! The dates of playlists: media time laid on the wall clock.

use std::time::{Duration, SystemTime};

use crate::live::settings::Announced;
use crate::media::Timestamp;

/// How far behind the wall clock dates are laid, so that what an encoder sends a little early or late in its turn moves
/// no date: players lay their timelines by dates, and a date that does not follow from the one before and the length
/// between (RFC 8216bis 4.4.4.6) lets them look for media where none is.
const RESERVE: Duration = Duration::from_millis(200);

/// How far dates may be behind the wall clock before they are moved: networks hold packets back and let them go.
const LATENESS: Duration = Duration::from_millis(1_000);

/// Of a segment's length, how much its dates are moved at most: more than any clock is off, and too little for a player
/// to lose its place over all that a playlist lists.
const SLEW: u32 = 1_000;

/// Keeps dates near the wall clock, however an encoder's clock drifts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dates {
    /// What is added to the media time, in nanoseconds.
    shift: i64,
}

impl Dates {
    /// Media time is so far ahead of the wall clock, as far as one can tell from a publisher's first moment.
    pub(super) fn ahead_by(lead: Duration) -> Self {
        Self { shift: nanos(lead + RESERVE).saturating_neg() }
    }

    /// The wall clock at a media time.
    pub(super) fn at(&self, media: Timestamp, announced: &Announced) -> SystemTime {
        let date = announced.availability_start + media.to_duration();
        let shift = Duration::from_nanos(self.shift.unsigned_abs());
        if self.shift < 0 { date.checked_sub(shift).unwrap_or(date) } else { date + shift }
    }

    /// A segment of that duration ended at `end` just now. What would lie in the future is put back at once (a publisher
    /// may begin with what it has kept, faster than time); what lags is moved by a thousandth at most.
    pub(super) fn follow(
        &mut self,
        end: Timestamp,
        duration: Duration,
        announced: &Announced,
        now: SystemTime,
    ) {
        match now.duration_since(self.at(end, announced)) {
            Ok(late) if late > LATENESS => {
                self.shift = self.shift.saturating_add(nanos((duration / SLEW).min(late - LATENESS)));
            }
            Ok(_) => {}
            Err(early) => self.shift = self.shift.saturating_sub(nanos(early.duration() + RESERVE)),
        }
    }
}

fn nanos(it: Duration) -> i64 {
    i64::try_from(it.as_nanos()).unwrap_or(i64::MAX)
}
