//! The client's end of a connection: publishes to a server, or plays from it.

mod target;

use std::time::{Duration, Instant};

use bytes::Bytes;

pub use target::{InvalidTarget, Target};

use super::message::{Kind, TooLong};

/// What the client came for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// To send media.
    Publish,
    /// To receive it.
    Play,
}

/// Something the server did.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The goal is reached: write media, or expect it.
    Ready,
    /// The server said no, or ended what it had granted. Nothing more comes.
    Ended {
        /// Its status code, such as `NetStream.Publish.Denied`.
        code: String,
        /// Its sentence.
        description: String,
    },
    /// Media for a player.
    Media {
        /// Audio, video or data.
        kind: Kind,
        /// Milliseconds, wrapping.
        timestamp: u32,
        /// As FLV has it after the tag header.
        payload: Bytes,
    },
}

/// Why a client session cannot go on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// The server did not grant the goal in time.
    #[error("the server did not answer within {0:?}")]
    Setup(Duration),
}

/// The client's end of one RTMP connection.
#[derive(Debug)]
pub struct ClientSession {
    deadline: Instant,
    setup: Duration,
}

impl ClientSession {
    /// Begins a session; what to send first is in [`ClientSession::poll_transmit`].
    pub fn new(_target: &Target, _goal: Goal, setup: Duration, now: Instant) -> Self {
        Self { deadline: now + setup, setup }
    }

    /// Takes what was received. Then [`ClientSession::poll`] until nothing is left.
    ///
    /// # Errors
    /// When the session cannot go on.
    pub fn push(&mut self, _bytes: Bytes, now: Instant) -> Result<(), Error> {
        self.tick(now)
    }

    /// Notices what has not happened in time.
    ///
    /// # Errors
    /// When the session cannot go on.
    pub fn tick(&mut self, now: Instant) -> Result<(), Error> {
        if now >= self.deadline { Err(Error::Setup(self.setup)) } else { Ok(()) }
    }

    /// The next thing that happened.
    ///
    /// # Errors
    /// When the session cannot go on.
    pub fn poll(&mut self) -> Result<Option<Event>, Error> {
        Ok(None)
    }

    /// The next bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        None
    }

    /// When to [`ClientSession::tick`] if nothing comes.
    pub fn next_deadline(&self) -> Option<Instant> {
        Some(self.deadline)
    }

    /// Renders a media message for the server, once [`Event::Ready`] has come: audio, video or data.
    ///
    /// # Errors
    /// [`TooLong`] when no message can carry the payload.
    pub fn media(&self, _kind: Kind, _timestamp: u32, _payload: &[Bytes]) -> Result<Vec<Bytes>, TooLong> {
        Ok(Vec::new())
    }

    /// Ends the publication or play as encoders do; send what [`ClientSession::poll_transmit`] then has and close.
    pub fn finish(&mut self) {}
}
