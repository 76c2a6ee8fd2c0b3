//! What both ends of a connection share: handshake, chunks, acknowledgements, pings, and the bytes to send.
//!
//! Takes bytes, gives the messages that mean something to a session: audio, video, data and commands. AMF3 wrappings
//! and aggregates are taken apart here.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod aggregate;
mod flow;
mod outbox;

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};

use self::aggregate::Aggregate;
use self::flow::Flow;
use self::outbox::Outbox;
use super::amf;
use super::chunk::{self, ChunkReader};
use super::command::Command;
use super::handshake::{self, Handshake, Progress};
use super::message::{Kind, Message};

/// Most bytes of answers that wait to be sent. A peer that asks so much without reading means no good.
const MAX_UNSENT: usize = 256 << 10;

/// Most bytes that may be pushed while what came before still waits for a decision: some reads of a socket.
const MAX_UNREAD: usize = 4 << 20;

/// What ends a connection whichever end one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The handshake is wrong.
    #[error(transparent)]
    Handshake(#[from] handshake::Fault),
    /// The chunks are wrong.
    #[error("at byte {at} after the handshake, {fault}")]
    Chunk {
        /// Before which byte, counted from the end of the handshake, all was understood.
        at: u64,
        /// What is wrong.
        fault: chunk::Fault,
    },
    /// A command is wrong.
    #[error("in the command that ends at byte {at} after the handshake, {fault}")]
    Command {
        /// Where it ends.
        at: u64,
        /// What is wrong; its position counts within the command.
        fault: amf::Error,
    },
    /// An aggregate ends within a message.
    #[error("the aggregate that ends at byte {at} after the handshake breaks off within a message")]
    Aggregate {
        /// Where it ends.
        at: u64,
    },
    /// The peer asks and does not read the answers.
    #[error("{unsent} bytes of answers wait for the peer to read them, at most {MAX_UNSENT} may")]
    Deaf {
        /// How many wait.
        unsent: usize,
    },
    /// More was pushed than may wait for a decision.
    #[error("{unread} bytes wait to be read, at most {MAX_UNREAD} may")]
    Unread {
        /// How many would wait.
        unread: usize,
    },
}

/// A connection below its session.
pub(super) struct Link {
    handshake: Option<Handshake>,
    input: Bytes,
    reader: ChunkReader,
    aggregate: Option<Aggregate>,
    flow: Flow,
    pub(super) outbox: Outbox,
}

impl Link {
    pub(super) fn server(partial_bytes: usize) -> Self {
        Self::new(Some(Handshake::server()), partial_bytes)
    }

    /// A client's link, its first packets already to be sent.
    pub(super) fn client(partial_bytes: usize) -> Self {
        let (handshake, opening) = Handshake::client();
        let mut link = Self::new(Some(handshake), partial_bytes);
        link.outbox.raw(opening);
        link
    }

    /// A link whose handshake is over.
    pub(super) fn open(partial_bytes: usize) -> Self {
        Self::new(None, partial_bytes)
    }

    fn new(handshake: Option<Handshake>, partial_bytes: usize) -> Self {
        Self {
            handshake,
            input: Bytes::new(),
            reader: ChunkReader::new(partial_bytes),
            aggregate: None,
            flow: Flow::default(),
            outbox: Outbox::default(),
        }
    }

    /// Takes what was received.
    pub(super) fn push(&mut self, bytes: Bytes) -> Result<(), Error> {
        let mut bytes = bytes;
        self.shake_hands(&mut bytes)?;
        if self.flow.receive(bytes.len()) {
            self.outbox.control(Kind::Acknowledgement, &self.flow.acknowledge().to_be_bytes());
        }
        if self.input.is_empty() {
            self.input = bytes;
            return Ok(());
        }
        let unread = self.input.len().saturating_add(bytes.len());
        if unread > MAX_UNREAD {
            return Err(Error::Unread { unread });
        }
        let mut joined = BytesMut::with_capacity(unread);
        joined.extend_from_slice(&self.input);
        joined.extend_from_slice(&bytes);
        self.input = joined.freeze();
        Ok(())
    }

    /// The next message for the session: audio, video, data or a command.
    pub(super) fn next_message(&mut self) -> Result<Option<Message>, Error> {
        loop {
            self.outbox.seal();
            if self.outbox.unsent() > MAX_UNSENT {
                return Err(Error::Deaf { unsent: self.outbox.unsent() });
            }
            if let Some(message) = self.next_of_aggregate()? {
                return Ok(Some(message));
            }
            let read = self.reader.read(&mut self.input);
            let at = self.reader.position();
            let Some(message) = read.map_err(|fault| Error::Chunk { at, fault })? else { return Ok(None) };
            if let Some(message) = self.sort(message) {
                return Ok(Some(message));
            }
        }
    }

    /// Reads a command, which [`Link::next_message`] gave last.
    pub(super) fn read_command(&self, payload: Bytes) -> Result<Option<Command>, Error> {
        Command::read(payload).map_err(|fault| Error::Command { at: self.reader.position(), fault })
    }

    /// Lets unfinished messages take so many bytes from here on.
    pub(super) const fn allow_partial(&mut self, bytes: usize) {
        self.reader.set_budget(bytes);
    }

    /// Whether the handshake is over.
    pub(super) const fn is_open(&self) -> bool {
        self.handshake.is_none()
    }

    /// Bytes of unfinished messages.
    pub(super) const fn held(&self) -> usize {
        self.reader.held()
    }

    fn shake_hands(&mut self, bytes: &mut Bytes) -> Result<(), Error> {
        while let Some(handshake) = &mut self.handshake {
            match handshake.step(bytes)? {
                Progress::Waiting => return Ok(()),
                Progress::Reply(packets) => self.outbox.raw(packets),
                Progress::Done => self.handshake = None,
            }
        }
        Ok(())
    }

    /// Obeys control messages and unwraps the rest.
    fn sort(&mut self, message: Message) -> Option<Message> {
        let mut message = message;
        match message.header.kind {
            Kind::Audio | Kind::Video | Kind::Data | Kind::Command => Some(message),
            Kind::DataAmf3 => Some(without_format(message, Kind::Data)),
            Kind::CommandAmf3 => Some(without_format(message, Kind::Command)),
            Kind::Aggregate => {
                self.aggregate = Some(Aggregate::new(message));
                None
            }
            Kind::WindowAckSize => {
                if let Ok(window) = message.payload.try_get_u32() {
                    self.flow.set_window(window);
                }
                None
            }
            Kind::UserControl => {
                self.answer_ping(&message.payload);
                None
            }
            // We hold nothing back for want of acknowledgements: encoders that never send one are common.
            Kind::Acknowledgement | Kind::PeerBandwidth => None,
            // The chunk reader has obeyed the first two.
            Kind::SetChunkSize | Kind::Abort | Kind::Other(_) => None,
        }
    }

    fn answer_ping(&mut self, payload: &[u8]) {
        const PING: [u8; 2] = [0, 6];
        const PONG: [u8; 2] = [0, 7];
        if let Some((&PING, stamp)) = payload.split_first_chunk::<2>()
            && let Some(stamp) = stamp.first_chunk::<4>()
        {
            self.outbox.control(Kind::UserControl, &[&PONG[..], stamp].concat());
        }
    }

    fn next_of_aggregate(&mut self) -> Result<Option<Message>, Error> {
        let Some(aggregate) = &mut self.aggregate else { return Ok(None) };
        let next = aggregate.next_message().map_err(|_| Error::Aggregate { at: self.reader.position() })?;
        if next.is_none() {
            self.aggregate = None;
        }
        Ok(next)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What came and what waits to be sent may hold a key.
        f.debug_struct("Link").field("at", &self.reader.position()).finish_non_exhaustive()
    }
}

/// Messages of AMF3 begin with a format byte that is 0, and go on in AMF0.
fn without_format(message: Message, kind: Kind) -> Message {
    let mut message = message;
    message.header.kind = kind;
    if message.payload.first() == Some(&0) {
        message.payload.advance(1);
    }
    message
}
