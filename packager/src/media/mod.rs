//! Time, tracks and samples: the words all the rest is written in.

mod name;
mod sample;
mod time;
mod track;
mod wall;

pub use name::{AppName, BroadcastName, InvalidName};
pub use sample::{Sample, Sync};
pub use time::{Timescale, Timestamp};
pub use track::{CodecConfig, Track, TrackKind};
pub use wall::date_time;
