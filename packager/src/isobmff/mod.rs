//! ISO base media files: a bounded reader, a writer, fragments and init segments.
//!
//! ```text
//! locate (which bytes are the moov?) ─▶ reader (boxes) ─▶ movie ─▶ tracks with a sample table each
//! fragmented (which are the moofs?) ────────────────────────┘
//! init, fragment ◀─ writer
//! ```

#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub mod demux;
mod description;
mod edits;
mod error;
mod esds;
pub mod fragment;
mod fragmented;
pub mod init;
pub mod locate;
pub mod movie;
pub(crate) mod protection;
pub mod reader;
mod sample_entry;
pub mod table;
mod writer;

pub use edits::Placement;
pub use error::Error;
pub use fragmented::Walk;
