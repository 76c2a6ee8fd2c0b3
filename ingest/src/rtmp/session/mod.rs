//! The server's end of a connection: handshake, chunks, commands; publications and plays.
//!
//! A connection feeds it and obeys it:
//! ```text
//! push(bytes, now)?; loop { poll()? → Event, decided by accept_… or refuse_… ; poll_transmit() → written at once }
//! next_deadline() → tick(now)? when it has passed
//! ```

mod event;

use std::time::{Duration, Instant};

use bytes::Bytes;

pub use event::{
    Connect, ConnectRefusal, Event, PlayRefusal, PlayRequest, PublishKind, PublishRefusal, PublishRequest,
};

/// Bounds of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Handshake, connect and the wish to publish or play must have come by then.
    pub setup: Duration,
    /// A publisher that sends no media for so long is given up.
    pub silence: Duration,
    /// Most bytes of unfinished messages, all chunk streams together.
    pub partial_bytes: usize,
}

impl Default for Limits {
    /// Ten seconds are more than any encoder needs; 16 MiB hold two of the longest messages.
    fn default() -> Self {
        Self { setup: Duration::from_secs(10), silence: Duration::from_secs(10), partial_bytes: 16 << 20 }
    }
}

/// Why a session cannot go on. The connection closes.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// The peer did not come to publish or play in time.
    #[error("no publish or play within {0:?}")]
    Setup(Duration),
    /// A publisher fell silent.
    #[error("no media from the publisher for {0:?}")]
    Silence(Duration),
}

/// The server's end of one RTMP connection.
#[derive(Debug)]
pub struct Session {
    limits: Limits,
    deadline: Instant,
}

impl Session {
    /// A session that has just been accepted.
    pub fn new(limits: Limits, now: Instant) -> Self {
        Self { limits, deadline: now + limits.setup }
    }

    /// Takes what was received. Then [`Session::poll`] until nothing is left.
    ///
    /// # Errors
    /// When the session cannot go on.
    pub fn push(&mut self, _bytes: Bytes, now: Instant) -> Result<(), Error> {
        self.tick(now)
    }

    /// Notices what has not happened in time; for when [`Session::next_deadline`] has passed.
    ///
    /// # Errors
    /// When the session cannot go on.
    pub fn tick(&mut self, now: Instant) -> Result<(), Error> {
        if now >= self.deadline { Err(Error::Setup(self.limits.setup)) } else { Ok(()) }
    }

    /// The next thing that happened; nothing while a decision is awaited.
    ///
    /// # Errors
    /// When the session cannot go on.
    pub fn poll(&mut self) -> Result<Option<Event>, Error> {
        Ok(None)
    }

    /// The next bytes to send. Each piece answers one thing and wants one write: Wirecast fails on split replies.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        None
    }

    /// When to [`Session::tick`] if nothing comes.
    pub fn next_deadline(&self) -> Option<Instant> {
        Some(self.deadline)
    }

    /// The application exists.
    pub fn accept_connect(&mut self) {}

    /// It does not, or not for this peer. Flush, wait a moment, close.
    pub fn refuse_connect(&mut self, _why: ConnectRefusal, _description: &str) {}

    /// The encoder may publish; its media follows as events.
    pub fn accept_publish(&mut self, _stream: u32) {}

    /// The encoder may not publish, or no longer. Flush, wait a moment, close: OBS shows the description.
    pub fn refuse_publish(&mut self, _stream: u32, _why: PublishRefusal, _description: &str) {}

    /// The player gets its broadcast: write media on `stream` after this reply.
    pub fn accept_play(&mut self, _stream: u32) {}

    /// The player does not.
    pub fn refuse_play(&mut self, _stream: u32, _why: PlayRefusal, _description: &str) {}

    /// The broadcast of an accepted player is over.
    pub fn end_play(&mut self, _stream: u32) {}

    /// Tells the peer that the server goes away.
    pub fn announce_shutdown(&mut self) {}
}
