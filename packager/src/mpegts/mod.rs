//! MPEG-2 transport streams (ISO 13818-1) for players that know no fragmented MP4.
//!
//! ```text
//! Program (what is in it) ─▶ psi: PAT, PMT ─┐
//! Unit (times, sizes of frames) ─▶ pes ─────┴▶ Muxer ─▶ packets of 188 bytes
//! bytes of the frames, as they are read ─────▶
//! ```
//! A unit's packets can be counted before a byte of it is read: each begins a packet, and no byte of a frame is
//! dropped or added by what stands in it. So a segment's length, and the counters of the next one, follow from tables.

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod annex_b;
mod muxer;
mod packet;
mod pes;
mod program;
mod psi;

pub use muxer::Muxer;
pub use packet::{Continuity, PACKET};
pub use pes::Unit;
pub use program::{Program, Refused, Stream};

use crate::media::{Timescale, Timestamp};

/// Ten seconds: where the presentation begins, so that what is decoded before it has a time too.
const OFFSET: i64 = 900_000;

/// Times are counted in 33 bits and begin again after a day and two hours.
const WRAP: i64 = (1 << 33) - 1;

/// A moment of the presentation on the clock of 90 kHz, before it is cut to 33 bits.
fn clock(at: Timestamp) -> i64 {
    at.rescale(Timescale::VIDEO).ticks().saturating_add(OFFSET)
}
