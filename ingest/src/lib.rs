//! RTMP: publishers in, players out.
//!
//! The crate has never heard of HTTP. The protocol itself is a heart that is driven from bytes; only `server`,
//! `connection` and what they own name sockets, behind the default feature `net`.

#[cfg(feature = "net")]
pub mod admission;
pub mod rtmp;
pub mod timeline;
