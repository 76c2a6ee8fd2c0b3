//! From a stored movie to segments: the index of an asset and the plan of its segments.
//!
//! ```text
//! Source ─▶ Header ─▶ index (what is shown when, key frames) ─▶ plan (boundaries) ─▶ rendition (segments, samples packed)
//!                                                              Asset: manifest, init, Body ─▶ Reads ─▶ Source
//!                                                              record (all of that as octets) ─▶ Pages
//! ```
//! An [`Asset`] is made of headers alone; it never sees a byte of media. A segment is a [`Body`]: boxes written here
//! and ranges of the file, which whoever serves viewers reads and sends on as they come.

mod asset;
mod body;
mod columns;
mod header;
mod index;
mod key_frames;
mod labels;
mod ladder;
mod made;
mod manifest;
mod packed;
mod plan;
mod protection;
mod rate;
mod reason;
mod record;
mod rendition;
mod report;
mod resource;
mod set;
mod subtitles;
mod transport;

pub use asset::{Asset, Segment, TARGET, TitleSegment};
pub use body::{Body, Read, Reads};
pub use header::{Header, HeaderError};
pub use labels::{AboutSound, Captions, Channel, Labels, SoundRole, Take};
pub use made::{Extent, MadeSegment};
pub use protection::Protection;
pub use reason::{Reason, Unplayable};
pub use record::Pages;
pub use report::{LeftOutReport, PictureReport, Report, SoundReport, TrackReport};
pub use resource::{Item, KeyOf, Resource, Tag, TextItem, TextName, TrackName};
pub use set::{MAX_SET_FILE, SET_DIRECTORY, Set, SetError, SetSubtitles};
