//! What audio and video bodies of Enhanced RTMP share: modifiers, then a FourCC.

use bytes::{Buf, Bytes};

use super::{Codec, Error};
use crate::media::TrackKind;

const MULTITRACK: &str = "multitrack";
const MOD_EX: u8 = 7;

/// The packet type behind any `ModEx` packets in front of it. What those modify (nanoseconds) is finer than our clock.
pub(super) fn skip_modifiers(mut packet: u8, body: &mut Bytes, kind: TrackKind) -> Result<u8, Error> {
    let truncated = |_| Error::Truncated(kind);
    while packet == MOD_EX {
        // One less than it is.
        let size = match body.try_get_u8().map_err(truncated)? {
            u8::MAX => usize::from(body.try_get_u16().map_err(truncated)?),
            short => usize::from(short),
        };
        let size = size.saturating_add(1);
        // Behind it stands a byte of which the low half is the packet type.
        if body.len() <= size {
            return Err(Error::Truncated(kind));
        }
        body.advance(size);
        packet = body.get_u8() & 0x0f;
    }
    Ok(packet)
}

/// The FourCC that follows every packet type but multitrack's.
pub(super) fn fourcc(packet: u8, body: &mut Bytes, kind: TrackKind) -> Result<[u8; 4], Error> {
    let multitrack = match kind {
        TrackKind::Video => 6,
        TrackKind::Audio => 5,
    };
    if packet == multitrack {
        return Err(Error::Unsupported(kind, Codec::Named(MULTITRACK)));
    }
    body.try_get_u32().map(u32::to_be_bytes).map_err(|_| Error::Truncated(kind))
}
