//! Live broadcasts: from pushed samples to the window that viewers may ask for.
//!
//! ```text
//! Publisher ─Input─▶ broadcast (one task owns it) ─▶ ring ─▶ Subscriber (RTMP players)
//!                                                 └─▶ segmenter ─▶ Window ─▶ waiting requests
//! ```

mod answer;
mod facts;
mod publisher;
#[cfg(feature = "net")]
mod registry;
#[cfg(feature = "net")]
mod ring;
mod settings;
mod window;

pub use answer::{Answer, Directive, Lifetime, NotAResource, Resource};
pub use facts::{Facts, PublisherFacts, TrackFacts, Warning};
pub use publisher::{Input, Metadata};
#[cfg(feature = "net")]
pub use registry::{Broadcast, OnConflict, Publisher, PublisherInfo, Refused, Registry, Superseded};
#[cfg(feature = "net")]
pub use ring::{Item, Subscriber};
pub use settings::{Announced, Ledger, Record, Settings};
pub use window::Window;
