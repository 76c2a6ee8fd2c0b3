//! From a stored movie to segments: the index of an asset and the plan of its segments.

mod body;
mod resource;
mod set;

pub use body::{Body, Read, Reads};
pub use resource::{Item, Resource, Tag, TrackName};
pub use set::{MAX_SET_FILE, Set, SetError};
