//! Reads chunks and joins them to messages (RTMP 1.0 section 5.3, live.md 1.3).
//!
//! Takes bytes in any pieces, gives whole messages. Each is copied once, out of what was received: a sound that is a
//! slice would keep all that came with it in memory for as long as a window holds it. One that does not come at once is
//! gathered under one byte budget for the whole connection. Set Chunk Size and Abort change only how chunks are read and
//! are obeyed here.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod header;
mod partial;

use bytes::{Buf, Bytes};

use self::header::{Basic, Field, Opening, Scratch};
use self::partial::{Budget, Partial};
use super::message::{INITIAL_CHUNK_SIZE, Kind, MAX_PAYLOAD, Message, MessageHeader};

/// Most chunk streams of one connection. Real peers use up to eight; each costs us some sixty bytes.
const MAX_STREAMS: usize = 64;

/// What is wrong with the chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A chunk repeats the header of a chunk stream that had none; bytes were lost or are no RTMP.
    #[error("a type-{form} chunk is the first of chunk stream {stream}")]
    NothingToRepeat {
        /// 2 or 3.
        form: u8,
        /// The chunk stream.
        stream: u32,
    },
    /// A header in the middle of a message announces another message.
    #[error("a message of {before} bytes on chunk stream {stream} becomes one of {after} before its end")]
    Changed {
        /// The chunk stream.
        stream: u32,
        /// What the first header said.
        before: u32,
        /// What this header says.
        after: u32,
    },
    /// The message is longer than its kind may be.
    #[error("a message of type {kind} has {length} bytes, at most {longest} are read")]
    TooLong {
        /// The type id.
        kind: u8,
        /// What its header announces.
        length: u32,
        /// The bound.
        longest: usize,
    },
    /// One chunk stream more than a connection may use.
    #[error("chunk stream {0} is one more than {MAX_STREAMS}")]
    TooManyStreams(u32),
    /// Unfinished messages take more than the budget.
    #[error("unfinished messages need {needed} bytes, {budget} are allowed")]
    OverBudget {
        /// What they would take.
        needed: usize,
        /// What they may take.
        budget: usize,
    },
    /// The peer wants chunks of no bytes.
    #[error("the peer sets a chunk size of 0")]
    NoChunkSize,
    /// A control message lacks its number.
    #[error("a control message of type {kind} has {length} bytes")]
    ShortControl {
        /// The type id.
        kind: u8,
        /// Its length.
        length: usize,
    },
}

/// Whether this peer's type-3 chunks repeat the extended timestamp, as the specification says and some old encoders
/// do not. Decided at the first such chunk and then kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Continuations {
    Undecided,
    Repeat,
    Omit,
}

/// Reads the chunks of one direction of a connection.
#[derive(Debug)]
pub struct ChunkReader {
    chunk_size: usize,
    continuations: Continuations,
    streams: Vec<Stream>,
    budget: Budget,
    /// The beginning of a header whose end has not come.
    scratch: Scratch,
    /// The chunk whose payload is being read.
    open: Option<OpenChunk>,
    /// Bytes taken since the handshake.
    at: u64,
}

/// The state of one chunk stream: what a later header may leave out.
#[derive(Debug)]
struct Stream {
    id: u32,
    header: MessageHeader,
    length: u32,
    /// The number the last type 0, 1 or 2 header carried: a time or a delta.
    field: u32,
    extended: bool,
    partial: Option<Partial>,
}

#[derive(Clone, Copy, Debug)]
struct OpenChunk {
    stream: usize,
    left: usize,
}

impl ChunkReader {
    /// A reader that holds at most `budget` bytes of unfinished messages.
    pub fn new(budget: usize) -> Self {
        Self {
            chunk_size: INITIAL_CHUNK_SIZE,
            continuations: Continuations::Undecided,
            streams: Vec::new(),
            budget: Budget::new(budget),
            scratch: Scratch::default(),
            open: None,
            at: 0,
        }
    }

    /// Holds at most `budget` bytes of unfinished messages from here on.
    pub const fn set_budget(&mut self, budget: usize) {
        self.budget.set(budget);
    }

    /// The next message in `input`, of which all is consumed if there is none.
    ///
    /// # Errors
    /// A [`Fault`]; nothing can be read after it.
    pub fn read(&mut self, input: &mut Bytes) -> Result<Option<Message>, Fault> {
        loop {
            let before = input.len();
            let message = self.step(input);
            self.at = self.at.saturating_add(before as u64).saturating_sub(input.len() as u64);
            match message? {
                Step::Starved => return Ok(None),
                Step::Onward => {}
                Step::Whole(message) => match message.header.kind {
                    Kind::SetChunkSize => self.set_chunk_size(&message.payload)?,
                    Kind::Abort => self.abort(&message.payload)?,
                    _ => return Ok(Some(message)),
                },
            }
        }
    }

    /// How far the bytes after the handshake have been understood; a header that has begun does not count.
    pub const fn position(&self) -> u64 {
        self.at.saturating_sub(self.scratch.held() as u64)
    }

    /// Bytes that unfinished messages take now.
    pub const fn held(&self) -> usize {
        self.budget.used()
    }

    fn step(&mut self, input: &mut Bytes) -> Result<Step, Fault> {
        match self.open {
            Some(chunk) => self.read_payload(chunk, input),
            None => self.read_header(input),
        }
    }

    /// Reads a chunk's header, all of it at once: what is incomplete waits in the scratch.
    fn read_header(&mut self, input: &mut Bytes) -> Result<Step, Fault> {
        let seen = self.scratch.seen(input);
        let Some(basic) = Basic::parse(seen.as_slice()) else { return Ok(self.starve(input)) };
        let known = self.streams.iter().position(|it| it.id == basic.stream);
        let last = known.and_then(|at| self.streams.get(at));
        if last.is_none() && basic.form >= 2 {
            return Err(Fault::NothingToRepeat { form: basic.form, stream: basic.stream });
        }
        let Some(opening) = Opening::parse(basic.form, seen.after(basic.length)) else {
            return Ok(self.starve(input));
        };
        let mut used = basic.length.saturating_add(opening.length);
        if let (Field::Nothing, Some(last)) = (opening.field, last)
            && last.extended
        {
            if self.continuations == Continuations::Undecided {
                let Some(next) = seen.number(used) else { return Ok(self.starve(input)) };
                self.continuations =
                    if last.is_repeated_by(next) { Continuations::Repeat } else { Continuations::Omit };
            }
            if self.continuations == Continuations::Repeat {
                if seen.number(used).is_none() {
                    return Ok(self.starve(input));
                }
                used = used.saturating_add(4);
            }
        }
        self.scratch.consume(input, used);
        let stream = match known {
            Some(at) => at,
            None if self.streams.len() < MAX_STREAMS => {
                self.streams.push(Stream::fresh(basic.stream));
                self.streams.len().saturating_sub(1)
            }
            None => return Err(Fault::TooManyStreams(basic.stream)),
        };
        self.open_chunk(stream, &opening)
    }

    fn open_chunk(&mut self, at: usize, opening: &Opening) -> Result<Step, Fault> {
        let chunk_size = self.chunk_size;
        let Some(stream) = self.streams.get_mut(at) else { return Ok(Step::Onward) };
        stream.open(opening, &mut self.budget)?;
        let gathered = stream.partial.as_ref().map_or(0, Partial::len);
        let left = (stream.length as usize).saturating_sub(gathered).min(chunk_size);
        if left == 0 {
            return Ok(Step::Whole(Message { header: stream.header, payload: Bytes::new() }));
        }
        self.open = Some(OpenChunk { stream: at, left });
        Ok(Step::Onward)
    }

    fn read_payload(&mut self, chunk: OpenChunk, input: &mut Bytes) -> Result<Step, Fault> {
        let Some(stream) = self.streams.get_mut(chunk.stream) else { return Ok(Step::Starved) };
        if input.is_empty() {
            return Ok(Step::Starved);
        }
        let piece = input.split_to(chunk.left.min(input.len()));
        let left = chunk.left.saturating_sub(piece.len());
        self.open = (left > 0).then_some(OpenChunk { left, ..chunk });
        let length = stream.length as usize;
        let payload = match stream.partial.take() {
            None if piece.len() == length => Bytes::copy_from_slice(&piece),
            partial => {
                let mut partial = partial.unwrap_or_default();
                partial.add(&piece, length, &mut self.budget)?;
                if partial.len() < length {
                    stream.partial = Some(partial);
                    return Ok(Step::Onward);
                }
                partial.finish(&mut self.budget)
            }
        };
        Ok(Step::Whole(Message { header: stream.header, payload }))
    }

    fn starve(&mut self, input: &mut Bytes) -> Step {
        self.scratch.keep(input);
        Step::Starved
    }

    fn set_chunk_size(&mut self, payload: &Bytes) -> Result<(), Fault> {
        // The top bit must be zero and is ignored; no chunk is longer than the longest message.
        let size = control_number(Kind::SetChunkSize, payload)? & 0x7FFF_FFFF;
        if size == 0 {
            return Err(Fault::NoChunkSize);
        }
        self.chunk_size = (size as usize).min(MAX_PAYLOAD);
        Ok(())
    }

    fn abort(&mut self, payload: &Bytes) -> Result<(), Fault> {
        let id = control_number(Kind::Abort, payload)?;
        if let Some(stream) = self.streams.iter_mut().find(|it| it.id == id) {
            stream.discard(&mut self.budget);
        }
        Ok(())
    }
}

enum Step {
    /// More bytes are needed.
    Starved,
    /// Something was read.
    Onward,
    /// A message is whole.
    Whole(Message),
}

impl Stream {
    /// Some clients (librtmp's ping) open a chunk stream with a type 1 header, which names no message stream and a
    /// delta: they mean stream 0 and a delta from 0.
    const fn fresh(id: u32) -> Self {
        let header = MessageHeader { kind: Kind::Other(0), timestamp: 0, stream: 0 };
        Self { id, header, length: 0, field: 0, extended: false, partial: None }
    }

    /// Takes in a chunk's header: it begins a message or goes on with one.
    fn open(&mut self, opening: &Opening, budget: &mut Budget) -> Result<(), Fault> {
        // A full header amid a message: the peer gave that message up (some do so without an Abort).
        if matches!(opening.field, Field::Time(_)) {
            self.discard(budget);
        }
        if self.partial.is_some() {
            return self.check_unchanged(opening);
        }
        match opening.field {
            Field::Time(time) => self.header.timestamp = time,
            Field::Delta(delta) => self.header.timestamp = self.header.timestamp.wrapping_add(delta),
            // After a type 0 header the "delta" that is repeated is that header's time itself (5.3.1.2.4); OBS,
            // librtmp and ffmpeg write by this rule.
            Field::Nothing => self.header.timestamp = self.header.timestamp.wrapping_add(self.field),
        }
        if let Field::Time(number) | Field::Delta(number) = opening.field {
            self.field = number;
            self.extended = opening.extended;
        }
        if let Some((length, kind)) = opening.shape {
            let kind = Kind::from_id(kind);
            if length as usize > kind.longest() {
                return Err(Fault::TooLong { kind: kind.id(), length, longest: kind.longest() });
            }
            self.length = length;
            self.header.kind = kind;
        }
        if let Some(stream) = opening.message_stream {
            self.header.stream = stream;
        }
        Ok(())
    }

    /// A type 1 or 2 header amid a message is a redundant continuation if it announces the same.
    fn check_unchanged(&self, opening: &Opening) -> Result<(), Fault> {
        match opening.shape {
            Some(shape) if shape != (self.length, self.header.kind.id()) => {
                Err(Fault::Changed { stream: self.id, before: self.length, after: shape.0 })
            }
            _ => Ok(()),
        }
    }

    /// Whether a type 3 chunk that begins with these four bytes repeats the extended timestamp: the field, or the
    /// absolute time that came of it; some peers write only 31 bits of either.
    const fn is_repeated_by(&self, next: u32) -> bool {
        const MASK: u32 = 0x7FFF_FFFF;
        next == self.field
            || next == self.header.timestamp
            || next == self.field & MASK
            || next == self.header.timestamp & MASK
    }

    fn discard(&mut self, budget: &mut Budget) {
        if let Some(partial) = self.partial.take() {
            partial.discard(budget);
        }
    }
}

fn control_number(kind: Kind, payload: &Bytes) -> Result<u32, Fault> {
    let mut payload = payload.as_ref();
    payload.try_get_u32().map_err(|_| Fault::ShortControl { kind: kind.id(), length: payload.len() })
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may panic")]
mod tests;
