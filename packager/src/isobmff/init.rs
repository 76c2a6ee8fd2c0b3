//! Init segments: `ftyp` and `moov` of one CMAF track (ISO 23000-19 7.2, 7.3).

use bytes::Bytes;

use crate::media::Track;

/// The init segment of `track`; a live one, whose durations are zero.
pub fn init_segment(_track: &Track) -> Bytes {
    Bytes::new()
}
