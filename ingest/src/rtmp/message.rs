//! Messages: what chunks carry, and how a message is laid into chunks.

use bytes::Bytes;

/// The chunk size we announce to every peer and write with. Large, since each chunk costs a header and a slice;
/// below 64 KiB, since some old readers keep it in 16 bits.
pub const CHUNK_SIZE: usize = 60_000;

/// The chunk size each direction begins with (RTMP 1.0, 5.4.1).
pub const INITIAL_CHUNK_SIZE: usize = 128;

/// The longest payload that the 24-bit length field can announce.
pub const MAX_PAYLOAD: usize = 0xFF_FFFF;

/// At this value the 24-bit timestamp field is full and 32 bits follow the header (RTMP 1.0, 5.3.1.3).
pub(super) const EXTENDED: u32 = 0xFF_FFFF;

/// What a message is, its type id on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 1: the sender's chunk size from now on.
    SetChunkSize,
    /// 2: forget the partial message of a chunk stream.
    Abort,
    /// 3: so many bytes have been received.
    Acknowledgement,
    /// 4: stream begin, ping and the like.
    UserControl,
    /// 5: acknowledge after so many bytes.
    WindowAckSize,
    /// 6: limit what is sent unacknowledged.
    PeerBandwidth,
    /// 8: an audio tag body.
    Audio,
    /// 9: a video tag body.
    Video,
    /// 15: data, led by a format byte.
    DataAmf3,
    /// 17: a command, led by a format byte.
    CommandAmf3,
    /// 18: data in AMF0.
    Data,
    /// 20: a command in AMF0.
    Command,
    /// 22: several media messages, laid out as FLV tags.
    Aggregate,
    /// Anything else, such as shared objects; skipped.
    Other(u8),
}

impl Kind {
    /// The kind with this type id.
    pub const fn from_id(id: u8) -> Self {
        match id {
            1 => Self::SetChunkSize,
            2 => Self::Abort,
            3 => Self::Acknowledgement,
            4 => Self::UserControl,
            5 => Self::WindowAckSize,
            6 => Self::PeerBandwidth,
            8 => Self::Audio,
            9 => Self::Video,
            15 => Self::DataAmf3,
            17 => Self::CommandAmf3,
            18 => Self::Data,
            20 => Self::Command,
            22 => Self::Aggregate,
            other => Self::Other(other),
        }
    }

    /// Its type id on the wire.
    pub const fn id(self) -> u8 {
        match self {
            Self::SetChunkSize => 1,
            Self::Abort => 2,
            Self::Acknowledgement => 3,
            Self::UserControl => 4,
            Self::WindowAckSize => 5,
            Self::PeerBandwidth => 6,
            Self::Audio => 8,
            Self::Video => 9,
            Self::DataAmf3 => 15,
            Self::CommandAmf3 => 17,
            Self::Data => 18,
            Self::Command => 20,
            Self::Aggregate => 22,
            Self::Other(id) => id,
        }
    }

    /// The longest payload that is read. The largest real key frames are a few megabytes, audio frames and commands
    /// a few kilobytes; control messages have at most ten bytes, and what we skip needs no more than a command.
    pub(super) const fn longest(self) -> usize {
        match self {
            Self::Video | Self::Aggregate => 8 << 20,
            Self::Audio => 1 << 20,
            Self::DataAmf3 | Self::CommandAmf3 | Self::Data | Self::Command | Self::Other(_) => 256 << 10,
            _ => 64,
        }
    }

    /// The chunk stream we write it on. Each kind has its own, as most servers do, so that a strict reader can
    /// interleave; all fit one byte of header.
    const fn chunk_stream(self) -> u8 {
        match self {
            Self::Command | Self::CommandAmf3 => 3,
            Self::Audio => 4,
            Self::Data | Self::DataAmf3 => 5,
            Self::Video | Self::Aggregate => 6,
            _ => 2,
        }
    }
}

/// What stands before a message's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageHeader {
    /// What it is.
    pub kind: Kind,
    /// Milliseconds, wrapping.
    pub timestamp: u32,
    /// The message stream it belongs to; 0 is the connection itself.
    pub stream: u32,
}

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What stands before the payload.
    pub header: MessageHeader,
    /// The payload.
    pub payload: Bytes,
}

/// A payload that no message can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of {0} bytes is longer than the {MAX_PAYLOAD} that RTMP can announce")]
pub struct TooLong(pub usize);

/// Lays a message into chunks: a type-0 chunk and type-3 continuations, so that the bytes depend on nothing sent
/// before and one rendering serves every peer that was told `chunk_size`. Headers are new, payload is sliced.
///
/// # Errors
/// [`TooLong`] when the payload exceeds [`MAX_PAYLOAD`].
pub fn render(header: MessageHeader, payload: &[Bytes], chunk_size: usize) -> Result<Vec<Bytes>, TooLong> {
    let length: usize = payload.iter().map(Bytes::len).sum();
    if length > MAX_PAYLOAD {
        return Err(TooLong(length));
    }
    let chunk_size = chunk_size.max(1);
    let continuation = continuation(header);
    let mut pieces = Vec::with_capacity(1 + payload.len() + 2 * (length / chunk_size));
    pieces.push(first(header, length));
    let mut room = chunk_size;
    for slice in payload {
        let mut slice = slice.clone();
        while !slice.is_empty() {
            if room == 0 {
                pieces.push(continuation.clone());
                room = chunk_size;
            }
            let piece = slice.split_to(slice.len().min(room));
            room -= piece.len();
            pieces.push(piece);
        }
    }
    Ok(pieces)
}

/// The header of the first chunk.
fn first(header: MessageHeader, length: usize) -> Bytes {
    let mut out = Vec::with_capacity(16);
    out.push(header.kind.chunk_stream());
    out.extend_from_slice(&header.timestamp.min(EXTENDED).to_be_bytes()[1..]);
    out.extend_from_slice(&(length as u32).to_be_bytes()[1..]);
    out.push(header.kind.id());
    out.extend_from_slice(&header.stream.to_le_bytes());
    if header.timestamp >= EXTENDED {
        out.extend_from_slice(&header.timestamp.to_be_bytes());
    }
    out.into()
}

/// The header of every further chunk, which repeats an extended timestamp as Flash, librtmp and ffmpeg do.
fn continuation(header: MessageHeader) -> Bytes {
    let mut out = Vec::with_capacity(5);
    out.push(0xC0 | header.kind.chunk_stream());
    if header.timestamp >= EXTENDED {
        out.extend_from_slice(&header.timestamp.to_be_bytes());
    }
    out.into()
}
