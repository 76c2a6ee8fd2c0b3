//! A type for each kind of value, in a file with its parsing and its tests.
//!
//! Each parser takes what the operator wrote and gives a value that needs no second look, or an error whose text is
//! the middle of a sentence: "`2x` …".

pub mod duration;
pub mod network;
pub mod pattern;
pub mod secret;
pub mod size;

pub use network::IpNetwork;
pub use pattern::PathPattern;
pub use secret::Secret;
pub use size::ByteSize;
