//! The client's end of a connection: publishes to a server, or plays from it.
//!
//! The dialogue is that of OBS for publishing and of ffmpeg for playing (live.md 3.1 and 5).

mod target;

use std::time::{Duration, Instant};

use bytes::Bytes;

pub use target::{InvalidTarget, Target};

use super::amf::Value;
use super::command::Command;
use super::link::{self, Link};
use super::message::{CHUNK_SIZE, Kind, Message, MessageHeader, TooLong, render};

/// Most bytes of unfinished messages: as a server allows by default.
const PARTIAL_BYTES: usize = 16 << 20;

/// The transactions of our calls whose answers we follow.
const CONNECT: f64 = 1.0;
const CREATE_STREAM: f64 = 4.0;

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
    /// The server goes away, as it would say to anybody. Nothing more comes.
    ServerStops {
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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are wrong.
    #[error(transparent)]
    Link(#[from] link::Error),
    /// The server did not grant the goal in time.
    #[error("the server did not answer within {0:?}")]
    Setup(Duration),
}

/// The client's end of one RTMP connection.
#[derive(Debug)]
pub struct ClientSession {
    target: Target,
    goal: Goal,
    link: Link,
    phase: Phase,
    setup: Duration,
    deadline: Instant,
}

/// How far the dialogue has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Until the handshake is over.
    ShakesHands,
    /// Until the server welcomes us.
    Connects,
    /// Until it numbers our stream.
    CreatesStream,
    /// Until it grants the goal.
    Asks { stream: u32 },
    /// From then on.
    Ready { stream: u32 },
    /// The server or we have ended it.
    Ended,
}

impl ClientSession {
    /// Begins a session; what to send first is in [`ClientSession::poll_transmit`].
    pub fn new(target: &Target, goal: Goal, setup: Duration, now: Instant) -> Self {
        Self {
            target: target.clone(),
            goal,
            link: Link::client(PARTIAL_BYTES),
            phase: Phase::ShakesHands,
            setup,
            deadline: now + setup,
        }
    }

    /// Takes what was received. Then [`ClientSession::poll`] until nothing is left.
    ///
    /// # Errors
    /// When the session cannot go on.
    pub fn push(&mut self, bytes: Bytes, now: Instant) -> Result<(), Error> {
        self.tick(now)?;
        self.link.push(bytes)?;
        if self.phase == Phase::ShakesHands && self.link.is_open() {
            self.connect();
        }
        Ok(())
    }

    /// Notices what has not happened in time; for when [`ClientSession::next_deadline`] has passed.
    ///
    /// # Errors
    /// When the session cannot go on.
    pub fn tick(&mut self, now: Instant) -> Result<(), Error> {
        match self.next_deadline() {
            Some(deadline) if now >= deadline => Err(Error::Setup(self.setup)),
            _ => Ok(()),
        }
    }

    /// The next thing that happened.
    ///
    /// # Errors
    /// When the session cannot go on.
    pub fn poll(&mut self) -> Result<Option<Event>, Error> {
        while let Some(message) = self.link.next_message()? {
            if let Some(event) = self.take(message)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// The next bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.link.outbox.pop()
    }

    /// Renders a media message for the server; nothing unless the goal is to publish and [`Event::Ready`] has come.
    ///
    /// # Errors
    /// [`TooLong`] when no message can carry the payload.
    pub fn media(&self, kind: Kind, timestamp: u32, payload: &[Bytes]) -> Result<Vec<Bytes>, TooLong> {
        match (self.goal, self.phase) {
            (Goal::Publish, Phase::Ready { stream }) => {
                render(MessageHeader { kind, timestamp, stream }, payload, CHUNK_SIZE)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Ends the publication or play as encoders do; send what [`ClientSession::poll_transmit`] then has and close.
    pub fn finish(&mut self) {
        if let Phase::Asks { stream } | Phase::Ready { stream } = self.phase {
            if self.goal == Goal::Publish {
                self.call("FCUnpublish", 6.0, &[self.name()]);
            }
            self.call("deleteStream", 7.0, &[Value::Number(stream.into())]);
        }
        self.phase = Phase::Ended;
    }

    /// When to [`ClientSession::tick`] if nothing comes.
    pub const fn next_deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Ready { .. } | Phase::Ended => None,
            _ => Some(self.deadline),
        }
    }

    fn take(&mut self, message: Message) -> Result<Option<Event>, Error> {
        let Message { header, payload } = message;
        if header.kind == Kind::Command {
            let command = self.link.read_command(payload)?;
            return Ok(command.and_then(|it| self.hear(&it)));
        }
        let is_wanted = self.goal == Goal::Play && matches!(self.phase, Phase::Ready { .. });
        Ok(is_wanted.then_some(Event::Media { kind: header.kind, timestamp: header.timestamp, payload }))
    }

    fn hear(&mut self, command: &Command) -> Option<Event> {
        match (command.name.as_bytes(), self.phase) {
            (_, Phase::Ended) => None,
            (b"_result", Phase::Connects) if command.transaction == CONNECT => {
                self.create_stream();
                None
            }
            (b"_result", Phase::CreatesStream) if command.transaction == CREATE_STREAM => {
                // A server that numbers no stream means the first.
                let stream = command.argument(0).as_number().unwrap_or(1.0) as u32;
                self.ask(stream);
                None
            }
            (b"_error", Phase::Connects) if command.transaction == CONNECT => Some(self.end(command)),
            (b"_error", Phase::CreatesStream) if command.transaction == CREATE_STREAM => {
                Some(self.end(command))
            }
            (b"onStatus", _) => self.hear_status(command),
            _ => None,
        }
    }

    fn hear_status(&mut self, command: &Command) -> Option<Event> {
        let status = command.argument(0);
        let is = |name: &str, value: &str| {
            status.property(name).and_then(Value::as_text).is_some_and(|it| it == value)
        };
        let granted = is("code", "NetStream.Publish.Start") || is("code", "NetStream.Play.Start");
        let over = is("code", "NetStream.Play.Stop") || is("code", "NetStream.Play.UnpublishNotify");
        match self.phase {
            _ if is("code", "NetConnection.Connect.AppShutdown") => {
                self.phase = Phase::Ended;
                Some(Event::ServerStops { description: said(command, "description") })
            }
            Phase::Asks { stream } if granted => {
                self.phase = Phase::Ready { stream };
                Some(Event::Ready)
            }
            _ if over || is("level", "error") => Some(self.end(command)),
            _ => None,
        }
    }

    fn end(&mut self, command: &Command) -> Event {
        self.phase = Phase::Ended;
        Event::Ended { code: said(command, "code"), description: said(command, "description") }
    }

    fn connect(&mut self) {
        // What Adobe's programs say of themselves; some servers look for these words.
        let version = match self.goal {
            Goal::Publish => "FMLE/3.0 (compatible; Levada)",
            Goal::Play => "LNX 9,0,124,2",
        };
        let about = Value::object([
            ("app", Value::text(self.target.app.clone())),
            ("type", Value::text("nonprivate")),
            ("flashVer", Value::text(version)),
            ("tcUrl", Value::text(self.target.tc_url())),
        ]);
        self.link.outbox.announce_chunk_size();
        self.link.outbox.command(0, "connect", CONNECT, &[about]);
        self.phase = Phase::Connects;
    }

    fn create_stream(&mut self) {
        if self.goal == Goal::Publish {
            self.call("releaseStream", 2.0, &[self.name()]);
            self.call("FCPublish", 3.0, &[self.name()]);
        }
        self.call("createStream", CREATE_STREAM, &[]);
        self.phase = Phase::CreatesStream;
    }

    fn ask(&mut self, stream: u32) {
        let (call, how) = match self.goal {
            Goal::Publish => ("publish", Value::text("live")),
            // Live if there is, else recorded.
            Goal::Play => ("play", Value::Number(-2000.0)),
        };
        self.link.outbox.command(stream, call, 5.0, &[Value::Null, self.name(), how]);
        self.phase = Phase::Asks { stream };
    }

    fn call(&mut self, name: &'static str, transaction: f64, arguments: &[Value]) {
        self.link.outbox.command(0, name, transaction, &[&[Value::Null], arguments].concat());
    }

    fn name(&self) -> Value {
        Value::text(self.target.name.clone())
    }
}

/// What the status object of a command says under that name.
fn said(command: &Command, name: &str) -> String {
    let text = command.argument(0).property(name).and_then(Value::as_text);
    text.map_or_else(String::new, |it| it.lossy().into_owned())
}

#[cfg(test)]
mod tests;
