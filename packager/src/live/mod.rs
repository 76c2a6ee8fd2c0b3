//! Live broadcasts: from pushed samples to the window that viewers may ask for.
//!
//! ```text
//! Publisher ─Input─▶ broadcast (one task owns it) ─▶ ring ─▶ Subscriber (RTMP players)
//!                                                 └─▶ segmenter ─▶ Window ─▶ waiting requests
//! ```

mod answer;
mod broadcast;
mod cadence;
#[cfg(test)]
mod example;
mod facts;
#[cfg(feature = "net")]
mod inbox;
#[cfg(test)]
mod laws;
mod manifest;
#[cfg(feature = "net")]
mod memory;
mod meter;
mod moment;
mod packer;
mod preroll;
mod publisher;
mod reel;
#[cfg(feature = "net")]
mod registry;
#[cfg(feature = "net")]
mod ring;
mod run;
mod settings;
mod shelf;
#[cfg(test)]
mod stories;
#[cfg(feature = "net")]
mod task;
mod tracks;
mod window;

pub use answer::{Answer, Directive, Lifetime, NotAResource, Resource};
pub use broadcast::{Event, Packager};
pub use facts::{Facts, PublisherFacts, TrackFacts, Warning};
#[cfg(feature = "net")]
pub use inbox::Ended;
#[cfg(feature = "net")]
pub use memory::Claim;
pub use moment::Moment;
pub use packer::Moved;
pub use publisher::{Input, Metadata};
#[cfg(feature = "net")]
pub use registry::{Broadcast, OnConflict, Publisher, PublisherInfo, Refused, Registry};
#[cfg(feature = "net")]
pub use ring::{Item, Subscriber};
pub use settings::{Announced, Ledger, Record, Settings};
pub use window::{Look, Window};
