//! RTMP: publishers in, players out.
//!
//! The crate has never heard of HTTP. The protocol itself is a heart that is driven from bytes; only `server`,
//! `connection` and what they own name sockets, behind the default feature `net`.
//!
//! ```text
//! server ─▶ connection ─▶ rtmp::session ─▶ admission ─▶ intake (flv, timeline) ─▶ packager::live::Publisher
//!               ▲                              │
//!               └── messages, rendered once ── fanout ◀───────────────────────── packager::live::Subscriber
//! ```

#[cfg(feature = "net")]
pub mod admission;
#[cfg(feature = "net")]
mod connection;
#[cfg(feature = "net")]
mod fanout;
pub mod intake;
mod metadata;
#[cfg(feature = "net")]
mod outgoing;
#[cfg(feature = "net")]
mod peers;
#[cfg(feature = "net")]
pub mod publish;
pub mod rtmp;
#[cfg(feature = "net")]
pub mod server;
#[cfg(feature = "net")]
pub mod stats;
pub mod timeline;
