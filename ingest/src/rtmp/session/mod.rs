//! The server's end of a connection: publications and plays.
//!
//! A connection feeds it and obeys it:
//! ```text
//! push(bytes, now)? ─▶ until both are empty: poll()? → Event, perhaps decided by accept_… or refuse_…
//!                                             poll_transmit() → written, each piece at once
//! next_deadline() ─▶ when it has passed: tick(now)?
//! ```
//! While a decision is awaited nothing more is read, so what an encoder sends before it has its answer is neither
//! lost nor heeded too early. Media for players does not pass through here: see [`super::message::render`].

mod dialogue;
mod event;
mod status;
mod stream;

use std::time::{Duration, Instant};

use bytes::Bytes;

use self::stream::{Role, Streams, Wanted};
use super::amf::Value;
use super::command::{Level, status as status_object};
use super::link::{self, Link};
use super::message::{Kind, Message};
use super::name::Name;

pub use event::{
    Connect, ConnectRefusal, Event, PlayRefusal, PlayRequest, PublishKind, PublishRefusal, PublishRequest,
};

/// The window after which we want an acknowledgement, and the bandwidth we name; both what most servers say. Neither
/// is enforced.
const WINDOW: u32 = 2_500_000;

/// Most bytes of unfinished messages of a peer that publishes nothing: two of the longest commands. Strangers get no
/// more than that.
const BEFORE_PUBLISH: usize = 512 << 10;

/// User control events.
const STREAM_BEGIN: u16 = 0;
const STREAM_EOF: u16 = 1;
const STREAM_DRY: u16 = 2;

/// Bounds of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Handshake, connect and the wish to publish or play must have come by then; also how long a connection may
    /// stay that does neither any more.
    pub setup: Duration,
    /// A publisher that sends no audio or video for so long is given up.
    pub silence: Duration,
    /// Most bytes of unfinished messages of a publisher, all chunk streams together.
    pub partial_bytes: usize,
}

impl Default for Limits {
    /// Ten seconds are more than any encoder needs; 16 MiB hold two of the longest messages.
    fn default() -> Self {
        Self { setup: Duration::from_secs(10), silence: Duration::from_secs(10), partial_bytes: 16 << 20 }
    }
}

/// Why a session cannot go on. The connection closes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are wrong.
    #[error(transparent)]
    Link(#[from] link::Error),
    /// A command came before `connect`.
    #[error("`{command}` came before `connect`")]
    NotConnected {
        /// Its name, at most 64 characters.
        command: String,
    },
    /// An application, stream name or URL is longer than any real one.
    #[error("a name of {length} bytes, at most {MAX_NAME} are read")]
    NameTooLong {
        /// Its length.
        length: usize,
    },
    /// The peer did not come to publish or play in time.
    #[error("no publish or play within {0:?}")]
    Setup(Duration),
    /// A publisher fell silent.
    #[error("no media from the publisher for {0:?}")]
    Silence(Duration),
}

/// Longest application, stream name or URL, query included: custom policies of signed names are about 1,500 bytes.
const MAX_NAME: usize = 8192;

/// The server's end of one RTMP connection.
#[derive(Debug)]
pub struct Session {
    limits: Limits,
    link: Link,
    phase: Phase,
    streams: Streams,
    now: Instant,
    /// By when publish or play must be wanted while no stream is in use.
    setup_by: Instant,
    /// When audio or video last came.
    heard: Instant,
}

/// How far the dialogue has come.
#[derive(Debug)]
enum Phase {
    /// `connect` has not come.
    Unconnected,
    /// It came, and our decision is awaited.
    AsksToConnect { transaction: f64, app: Name },
    /// It was granted.
    Connected { app: Name },
    /// It was refused; nothing more is read.
    Refused,
}

impl Session {
    /// A session that has just been accepted.
    pub fn new(limits: Limits, now: Instant) -> Self {
        Self::with_link(Link::server(limits.partial_bytes.min(BEFORE_PUBLISH)), limits, now)
    }

    /// A session whose handshake is over already.
    pub fn after_handshake(limits: Limits, now: Instant) -> Self {
        Self::with_link(Link::open(limits.partial_bytes.min(BEFORE_PUBLISH)), limits, now)
    }

    fn with_link(link: Link, limits: Limits, now: Instant) -> Self {
        Self {
            limits,
            link,
            phase: Phase::Unconnected,
            streams: Streams::default(),
            now,
            setup_by: now + limits.setup,
            heard: now,
        }
    }

    /// Takes what was received. Then [`Session::poll`] until nothing is left.
    ///
    /// # Errors
    /// When the session cannot go on.
    pub fn push(&mut self, bytes: Bytes, now: Instant) -> Result<(), Error> {
        // What came may be the media that was missed, when we were busy ourselves: a publisher is judged after it was
        // read.
        if self.is_publishing() {
            self.now = self.now.max(now);
        } else {
            self.tick(now)?;
        }
        match self.phase {
            // The peer is only being given time to read why.
            Phase::Refused => Ok(()),
            _ => Ok(self.link.push(bytes)?),
        }
    }

    /// Notices what has not happened in time; for when [`Session::next_deadline`] has passed.
    ///
    /// # Errors
    /// When the session cannot go on.
    pub fn tick(&mut self, now: Instant) -> Result<(), Error> {
        self.now = self.now.max(now);
        match self.next_deadline() {
            Some(deadline) if self.now >= deadline => Err(if self.is_publishing() {
                Error::Silence(self.limits.silence)
            } else {
                Error::Setup(self.limits.setup)
            }),
            _ => Ok(()),
        }
    }

    /// The next thing that happened; nothing while a decision is awaited.
    ///
    /// # Errors
    /// When the session cannot go on.
    pub fn poll(&mut self) -> Result<Option<Event>, Error> {
        while !self.awaits_decision() && !matches!(self.phase, Phase::Refused) {
            let Some(message) = self.link.next_message()? else { break };
            if let Some(event) = self.take(message)? {
                return Ok(Some(event));
            }
        }
        if self.is_publishing() {
            self.tick(self.now)?;
        }
        Ok(None)
    }

    /// The next bytes to send. Each piece answers one thing and wants one write: Wirecast fails on split replies.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.link.outbox.pop()
    }

    /// The application exists.
    pub fn accept_connect(&mut self) {
        match std::mem::replace(&mut self.phase, Phase::Refused) {
            Phase::AsksToConnect { transaction, app } => {
                self.phase = Phase::Connected { app };
                self.welcome(transaction);
            }
            other => self.phase = other,
        }
    }

    /// It does not, or not for this peer. Flush, wait a moment, close.
    pub fn refuse_connect(&mut self, why: ConnectRefusal, description: &str) {
        if let Phase::AsksToConnect { transaction, .. } = self.phase {
            let status = status_object(Level::Error, why.code(), description);
            self.link.outbox.command(0, "_error", transaction, &[Value::Null, status]);
            self.phase = Phase::Refused;
        }
    }

    /// The encoder may publish; its media follows as events.
    pub fn accept_publish(&mut self, stream: u32) {
        let Some(role) = self.streams.role(stream) else { return };
        if let Role::AsksToPublish(publication) = role {
            *role = Role::Publishes(std::mem::take(publication));
            self.heard = self.now;
            self.link.allow_partial(self.limits.partial_bytes);
            self.link.outbox.user_control(STREAM_BEGIN, stream);
            self.say_status(stream, Level::Status, status::PUBLISH_START, "Publishing.");
        }
    }

    /// The encoder may not publish, or no longer. Flush, wait a moment, close: OBS shows the description.
    pub fn refuse_publish(&mut self, stream: u32, why: PublishRefusal, description: &str) {
        let Some(role) = self.streams.role(stream) else { return };
        if matches!(role, Role::AsksToPublish(_) | Role::Publishes(_)) {
            *role = Role::Idle;
            self.wait_for_use();
            self.say_status(stream, Level::Error, why.code(), description);
        }
    }

    /// The player gets its broadcast: write media on `stream` after this reply.
    pub fn accept_play(&mut self, stream: u32) {
        let Some(role) = self.streams.role(stream) else { return };
        if let Role::AsksToPlay { reset } = *role {
            *role = Role::Plays(Wanted { audio: true, video: true, paused: false });
            self.announce_play(stream, reset);
        }
    }

    /// The player does not.
    pub fn refuse_play(&mut self, stream: u32, why: PlayRefusal, description: &str) {
        let Some(role) = self.streams.role(stream) else { return };
        if matches!(role, Role::AsksToPlay { .. }) {
            *role = Role::Idle;
            self.wait_for_use();
            self.say_status(stream, Level::Error, why.code(), description);
        }
    }

    /// Nobody publishes what an accepted player plays; somebody may again. Not said by `NetStream.Play.UnpublishNotify`,
    /// which ffmpeg, VLC and librtmp take for the end: they would miss who comes back.
    pub fn suspend_play(&mut self, stream: u32) {
        if let Some(Role::Plays(_)) = self.streams.role(stream) {
            self.link.outbox.user_control(STREAM_DRY, stream);
        }
    }

    /// Somebody publishes it again.
    pub fn resume_play(&mut self, stream: u32) {
        if let Some(Role::Plays(_)) = self.streams.role(stream) {
            self.link.outbox.user_control(STREAM_BEGIN, stream);
            self.say_status(stream, Level::Status, status::PLAY_PUBLISH_NOTIFY, "A publisher has come.");
        }
    }

    /// The broadcast of an accepted player is over.
    pub fn end_play(&mut self, stream: u32) {
        let Some(role) = self.streams.role(stream) else { return };
        if matches!(role, Role::Plays(_)) {
            *role = Role::Idle;
            self.wait_for_use();
            self.announce_end_of_play(stream);
        }
    }

    /// Tells the peer that the server goes away.
    pub fn announce_shutdown(&mut self) {
        self.say_status(0, Level::Status, status::CONNECT_APP_SHUTDOWN, "The server is shutting down.");
    }

    /// When to [`Session::tick`] if nothing comes. Nothing is due while a decision is awaited, which has a deadline
    /// of its own, and while a player plays.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.awaits_decision() {
            None
        } else if self.is_publishing() {
            Some(self.heard + self.limits.silence)
        } else if self.streams.any(|role| matches!(role, Role::Plays(_))) {
            None
        } else {
            Some(self.setup_by)
        }
    }

    /// Whether the session waits for an `accept_…` or `refuse_…`.
    pub fn awaits_decision(&self) -> bool {
        matches!(self.phase, Phase::AsksToConnect { .. })
            || self.streams.any(|role| matches!(role, Role::AsksToPublish(_) | Role::AsksToPlay { .. }))
    }

    /// Bytes that unfinished messages take now; never more than [`Limits::partial_bytes`].
    pub const fn held(&self) -> usize {
        self.link.held()
    }

    fn is_publishing(&self) -> bool {
        self.streams.any(|role| matches!(role, Role::Publishes(_)))
    }

    fn wait_for_use(&mut self) {
        self.setup_by = self.now + self.limits.setup;
    }

    fn take(&mut self, message: Message) -> Result<Option<Event>, Error> {
        if message.header.kind == Kind::Command {
            let Some(command) = self.link.read_command(message.payload)? else { return Ok(None) };
            return self.obey(message.header.stream, &command);
        }
        Ok(self.take_media(message))
    }

    /// Media of an accepted publication; any other is dropped, such as what an encoder still sends after a refusal.
    fn take_media(&mut self, message: Message) -> Option<Event> {
        let Message { header, payload } = message;
        let stream = self.streams.publishing(header.stream)?;
        let timestamp = header.timestamp;
        if header.kind != Kind::Data {
            self.heard = self.now;
        }
        match header.kind {
            Kind::Audio => Some(Event::Audio { stream, timestamp, payload }),
            Kind::Video => Some(Event::Video { stream, timestamp, payload }),
            _ => Some(Event::Data { stream, timestamp, payload }),
        }
    }

    fn say_status(&mut self, stream: u32, level: Level, code: &'static str, description: &str) {
        let status = status_object(level, code, description);
        self.link.outbox.command(stream, "onStatus", 0.0, &[Value::Null, status]);
    }
}

#[cfg(test)]
mod tests;
