//! The two halves of a chunk's header, and the room where an incomplete one waits.

use bytes::{Buf, Bytes};

use crate::rtmp::message::EXTENDED;

/// The longest header: three bytes of chunk stream id, eleven of message header, four of extended timestamp.
const LONGEST: usize = 18;

/// The first one to three bytes: which form the rest has, and whose chunk it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Basic {
    pub(super) form: u8,
    pub(super) stream: u32,
    pub(super) length: usize,
}

impl Basic {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let first = *bytes.first()?;
        let (stream, length) = match first & 0x3F {
            0 => (64 + u32::from(*bytes.get(1)?), 2),
            1 => (64 + u32::from(u16::from_le_bytes([*bytes.get(1)?, *bytes.get(2)?])), 3),
            id => (u32::from(id), 1),
        };
        Some(Self { form: first >> 6, stream, length })
    }
}

/// What a message header says of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// Type 0: absolute.
    Time(u32),
    /// Types 1 and 2: since the message before.
    Delta(u32),
    /// Type 3: as before.
    Nothing,
}

/// The message header that follows, with its extended timestamp unless it is of type 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) field: Field,
    pub(super) extended: bool,
    /// Length and type id, in types 0 and 1.
    pub(super) shape: Option<(u32, u8)>,
    /// Only in type 0, and the one number that is little-endian.
    pub(super) message_stream: Option<u32>,
    pub(super) length: usize,
}

impl Opening {
    pub(super) fn parse(form: u8, mut bytes: &[u8]) -> Option<Self> {
        let before = bytes.len();
        let time = if form < 3 { bytes.try_get_uint(3).ok()? as u32 } else { 0 };
        let shape = match form {
            0 | 1 => Some((bytes.try_get_uint(3).ok()? as u32, bytes.try_get_u8().ok()?)),
            _ => None,
        };
        let message_stream = if form == 0 { Some(bytes.try_get_u32_le().ok()?) } else { None };
        let extended = form < 3 && time == EXTENDED;
        let time = if extended { bytes.try_get_u32().ok()? } else { time };
        let field = match form {
            0 => Field::Time(time),
            1 | 2 => Field::Delta(time),
            _ => Field::Nothing,
        };
        let length = before.saturating_sub(bytes.len());
        Some(Self { field, extended, shape, message_stream, length })
    }
}

/// Holds the beginning of a header until its end comes.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    held: Seen,
}

/// The next bytes, at most a header's worth.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Seen {
    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    pub(super) fn after(&self, start: usize) -> &[u8] {
        self.as_slice().get(start..).unwrap_or_default()
    }

    pub(super) fn number(&self, at: usize) -> Option<u32> {
        self.after(at).try_get_u32().ok()
    }

    /// Adds what there is room for.
    fn add(&mut self, more: &[u8]) {
        let room = self.bytes.get_mut(self.length..).unwrap_or_default();
        let count = room.len().min(more.len());
        for (to, from) in room.iter_mut().zip(more) {
            *to = *from;
        }
        self.length = self.length.saturating_add(count);
    }
}

impl Scratch {
    /// What was held and what follows it.
    pub(super) fn seen(&self, input: &[u8]) -> Seen {
        let mut seen = self.held;
        seen.add(input);
        seen
    }

    /// How many bytes of a header are held.
    pub(super) const fn held(&self) -> usize {
        self.held.length
    }

    /// Holds all of `input`: a header is not complete yet, so there is room for it.
    pub(super) fn keep(&mut self, input: &mut Bytes) {
        self.held.add(input);
        input.clear();
    }

    /// Removes a whole header of `length` bytes from what was held and `input`. What was held beyond it goes back to
    /// `input`: that happens once in a connection, when four bytes were awaited to see whether they repeat a time.
    pub(super) fn consume(&mut self, input: &mut Bytes, length: usize) {
        let beyond = self.held.after(length);
        if beyond.is_empty() {
            input.advance(length.saturating_sub(self.held.length).min(input.len()));
        } else {
            *input = [beyond, input].concat().into();
        }
        self.held.length = 0;
    }
}
