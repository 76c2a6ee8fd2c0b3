//! Bytes to send: each answer one piece.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};

use crate::rtmp::amf::Value;
use crate::rtmp::command;
use crate::rtmp::message::{CHUNK_SIZE, INITIAL_CHUNK_SIZE, Kind, MessageHeader, render};

/// Collects messages to answers. What is added becomes one piece when it is sealed, for one write: Wirecast fails on
/// a reply that is split across TCP segments.
#[derive(Debug)]
pub(in crate::rtmp) struct Outbox {
    sealed: VecDeque<Bytes>,
    sealed_bytes: usize,
    open: BytesMut,
    chunk_size: usize,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            sealed: VecDeque::new(),
            sealed_bytes: 0,
            open: BytesMut::new(),
            chunk_size: INITIAL_CHUNK_SIZE,
        }
    }
}

impl Outbox {
    /// Adds bytes that are no message, as a piece of their own.
    pub(in crate::rtmp) fn raw(&mut self, bytes: Bytes) {
        self.seal();
        self.sealed_bytes = self.sealed_bytes.saturating_add(bytes.len());
        self.sealed.push_back(bytes);
    }

    /// Adds a control message.
    pub(in crate::rtmp) fn control(&mut self, kind: Kind, payload: &[u8]) {
        let header = MessageHeader { kind, timestamp: 0, stream: 0 };
        self.message(header, Bytes::copy_from_slice(payload));
    }

    /// Adds a user control message about a stream.
    pub(in crate::rtmp) fn user_control(&mut self, event: u16, stream: u32) {
        let mut payload = [0; 6];
        let mut out = &mut payload[..];
        out.put_u16(event);
        out.put_u32(stream);
        self.control(Kind::UserControl, &payload);
    }

    /// Adds a command.
    pub(in crate::rtmp) fn command(
        &mut self,
        stream: u32,
        name: &'static str,
        transaction: f64,
        values: &[Value],
    ) {
        let header = MessageHeader { kind: Kind::Command, timestamp: 0, stream };
        self.message(header, command::write(name, transaction, values));
    }

    /// Adds a data message.
    pub(in crate::rtmp) fn data(&mut self, stream: u32, values: &[Value]) {
        let mut payload = BytesMut::new();
        values.iter().for_each(|value| value.write(&mut payload));
        self.message(MessageHeader { kind: Kind::Data, timestamp: 0, stream }, payload.freeze());
    }

    /// Announces our chunk size, which then holds.
    pub(in crate::rtmp) fn announce_chunk_size(&mut self) {
        self.control(Kind::SetChunkSize, &(CHUNK_SIZE as u32).to_be_bytes());
        self.chunk_size = CHUNK_SIZE;
    }

    fn message(&mut self, header: MessageHeader, payload: Bytes) {
        let pieces = render(header, &[payload], self.chunk_size).expect(
            "what we say ourselves repeats at most one text of a command, far below the longest message",
        );
        pieces.iter().for_each(|piece| self.open.extend_from_slice(piece));
    }

    /// Makes one piece of what was added since.
    pub(in crate::rtmp) fn seal(&mut self) {
        if !self.open.is_empty() {
            self.sealed_bytes = self.sealed_bytes.saturating_add(self.open.len());
            self.sealed.push_back(self.open.split().freeze());
        }
    }

    /// The next piece to send.
    pub(in crate::rtmp) fn pop(&mut self) -> Option<Bytes> {
        self.seal();
        let piece = self.sealed.pop_front()?;
        self.sealed_bytes = self.sealed_bytes.saturating_sub(piece.len());
        Some(piece)
    }

    pub(super) const fn unsent(&self) -> usize {
        self.sealed_bytes
    }
}
