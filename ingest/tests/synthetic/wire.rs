//! How encoders put messages on the wire: chunk headers as short as each library makes them, and its departures.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use hmac::{Hmac, Mac, NewMac};
use levada_ingest::rtmp::amf::Value;
use sha2::Sha256;

pub(crate) const CONTROL: u32 = 2;

/// What an encoder's chunk writer does otherwise than the specification, or need not do.
#[derive(Clone, Copy)]
pub(crate) struct Habits {
    /// Whether it shortens headers at all.
    pub(crate) shortens: bool,
    /// Whether it begins messages with type 3 headers.
    pub(crate) repeats_whole_headers: bool,
    /// Whether continuations repeat an extended timestamp.
    pub(crate) repeats_extended_time: bool,
}

/// The usual: librtmp, OBS, ffmpeg.
pub(crate) const USUAL: Habits =
    Habits { shortens: true, repeats_whole_headers: true, repeats_extended_time: true };

/// An encoder's end of the wire.
pub(crate) struct Wire {
    pub(crate) out: Vec<u8>,
    habits: Habits,
    chunk_size: usize,
    last: HashMap<u32, Last>,
}

/// The last header of a chunk stream.
#[derive(Clone, Copy)]
struct Last {
    timestamp: u32,
    field: u32,
    length: usize,
    kind: u8,
    stream: u32,
}

impl Wire {
    pub(crate) fn new(habits: Habits) -> Self {
        Self { out: Vec::new(), habits, chunk_size: 128, last: HashMap::new() }
    }

    /// C0, C1 and, as if our answer had come, C2. Four zero bytes make the simple form.
    pub(crate) fn shake_hands(&mut self, version: [u8; 4]) {
        self.out.push(3);
        let start = self.out.len();
        self.out.extend([0; 4]);
        self.out.extend(version);
        self.out.extend((0..1528_u32).map(|at| (at * 31 % 253) as u8));
        if version == [9, 0, 124, 2] {
            sign(&mut self.out[start..]);
        }
        self.out.extend([0xC2; 1536]);
    }

    pub(crate) fn set_chunk_size(&mut self, size: u32) {
        self.message(CONTROL, 1, 0, 0, &size.to_be_bytes());
        self.chunk_size = size as usize;
    }

    pub(crate) fn command(
        &mut self,
        chunk_stream: u32,
        stream: u32,
        name: &str,
        transaction: f64,
        rest: &[Value],
    ) {
        let payload = [amf(&[Value::text(name.to_owned()), Value::Number(transaction)]), amf(rest)].concat();
        self.message(chunk_stream, 20, stream, 0, &payload);
    }

    /// Writes a message with the shortest header that the habits allow.
    pub(crate) fn message(
        &mut self,
        chunk_stream: u32,
        kind: u8,
        stream: u32,
        timestamp: u32,
        payload: &[u8],
    ) {
        let last = self.last.get(&chunk_stream).filter(|it| {
            self.habits.shortens && it.stream == stream && timestamp.wrapping_sub(it.timestamp) < 1 << 31
        });
        let length = payload.len();
        let (form, field) = match last {
            None => (0, timestamp),
            Some(last) => {
                let delta = timestamp.wrapping_sub(last.timestamp);
                let same = last.length == length && last.kind == kind;
                let whole = same && last.field == delta && self.habits.repeats_whole_headers;
                (if whole { 3 } else { 1 + u8::from(same) }, delta)
            }
        };
        self.write(chunk_stream, form, field, kind, stream, payload);
        self.last.insert(chunk_stream, Last { timestamp, field, length, kind, stream });
    }

    /// Writes a message with a header of that form, true or not.
    pub(crate) fn write(
        &mut self,
        chunk_stream: u32,
        form: u8,
        field: u32,
        kind: u8,
        stream: u32,
        payload: &[u8],
    ) {
        let extended = field >= 0xFF_FFFF;
        self.basic_header(form, chunk_stream);
        if form < 3 {
            self.out.extend(&field.min(0xFF_FFFF).to_be_bytes()[1..]);
        }
        if form < 2 {
            self.out.extend(&(payload.len() as u32).to_be_bytes()[1..]);
            self.out.push(kind);
        }
        if form < 1 {
            self.out.extend(stream.to_le_bytes());
        }
        if extended && (form < 3 || self.habits.repeats_extended_time) {
            self.out.extend(field.to_be_bytes());
        }
        for (at, piece) in payload.chunks(self.chunk_size).enumerate() {
            if at > 0 {
                self.basic_header(3, chunk_stream);
                if extended && self.habits.repeats_extended_time {
                    self.out.extend(field.to_be_bytes());
                }
            }
            self.out.extend(piece);
        }
    }

    fn basic_header(&mut self, form: u8, chunk_stream: u32) {
        let form = form << 6;
        match chunk_stream {
            0..64 => self.out.push(form | chunk_stream as u8),
            64..320 => self.out.extend([form, (chunk_stream - 64) as u8]),
            _ => {
                self.out.push(form | 1);
                self.out.extend(((chunk_stream - 64) as u16).to_le_bytes());
            }
        }
    }
}

pub(crate) fn amf(values: &[Value]) -> Bytes {
    let mut out = BytesMut::new();
    values.iter().for_each(|value| value.write(&mut out));
    out.freeze()
}

/// Puts the digest of a Flash player into C1, in the layout with the digest first, as ffmpeg does.
fn sign(packet: &mut [u8]) {
    let at = 12 + packet[8..12].iter().map(|&it| usize::from(it)).sum::<usize>() % 728;
    let mut mac = Hmac::<Sha256>::new_varkey(b"Genuine Adobe Flash Player 001").unwrap();
    mac.update(&packet[..at]);
    mac.update(&packet[at + 32..]);
    packet[at..at + 32].copy_from_slice(&mac.finalize().into_bytes());
}
