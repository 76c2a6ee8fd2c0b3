//! RTMP on the wire, as a heart: bytes and the time go in, events and bytes come out. No socket, no clock.
//!
//! ```text
//! bytes ─▶ handshake ─▶ chunk ─▶ message ─▶ command, amf ─▶ session ─▶ Event
//!                                                             │
//! bytes ◀───────────────── message::render ◀── command, amf ◀─┘ replies
//! ```
//!
//! [`session::Session`] is the server's end, [`client::ClientSession`] the other. Media that goes to players passes
//! by the session: [`message::render`] lays it into chunks once for all of them.

pub mod amf;
pub mod chunk;
pub mod client;
mod command;
pub mod handshake;
pub mod link;
pub mod message;
pub mod name;
pub mod session;
