//! Packetized elementary streams (ISO 13818-1 2.4.3.6): what stands before a picture, or before some frames of sound.

use super::packet::ROOM;
use super::program::{Program, Refused, Stream};
use super::{WRAP, clock};
use crate::media::Timestamp;

/// How long before it is decoded something arrives: what a decoder may buffer.
const LEAD: i64 = 45_000;

/// A picture, or frames of sound that are decoded one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Whose it is.
    pub stream: Stream,
    /// When it, or the first of its frames, is shown: from the presentation's first moment.
    pub presentation: Timestamp,
    /// When it is decoded.
    pub decoding: Timestamp,
    /// Whether decoding may begin here.
    pub key: bool,
    /// Sizes of its frames, of which a picture is one.
    pub frames: Vec<u32>,
}

impl Unit {
    /// Octets behind the head: frames, and what goes before each.
    fn payload(&self, program: &Program) -> Result<u64, Refused> {
        self.frames.iter().try_fold(0_u64, |all, &size| {
            let before = program.before(self.stream, size, self.key)?.len() as u64;
            Ok(all.saturating_add(before).saturating_add(size.into()))
        })
    }

    /// Head and payload, in octets.
    pub(super) fn length(&self, program: &Program) -> Result<u64, Refused> {
        Ok(self.payload(program)?.saturating_add(self.head(program)?.len() as u64))
    }

    /// How many packets it becomes.
    ///
    /// # Errors
    /// [`Refused::LongFrame`] when it becomes none.
    pub fn packets(&self, program: &Program) -> Result<u64, Refused> {
        let field = super::muxer::first(program, self).field() as u64;
        Ok(self.length(program)?.saturating_add(field).div_ceil(ROOM as u64))
    }

    /// When its first byte arrives, on the clock of 33 bits.
    pub(super) fn arrival(&self) -> u64 {
        (clock(self.decoding).saturating_sub(LEAD) & WRAP) as u64
    }

    /// The head. Only pictures may leave their length unsaid.
    pub(super) fn head(&self, program: &Program) -> Result<Vec<u8>, Refused> {
        let (presentation, decoding) = (clock(self.presentation), clock(self.decoding));
        let both = presentation != decoding;
        let (flags, fields) = if both { (0xc0, 10) } else { (0x80, 5) };
        let length = match self.stream {
            Stream::Video => 0,
            Stream::Sound => {
                let length = self.payload(program)?.saturating_add(3 + u64::from(fields));
                u16::try_from(length)
                    .map_err(|_| Refused::LongFrame(length.try_into().unwrap_or(u32::MAX)))?
            }
        };
        let [high, low] = length.to_be_bytes();
        let mut head = vec![0, 0, 1, program.stream_id(self.stream), high, low, 0x84, flags, fields];
        head.extend_from_slice(&time(if both { 3 } else { 2 }, presentation));
        if both {
            head.extend_from_slice(&time(1, decoding));
        }
        Ok(head)
    }
}

/// A time in 33 bits, cut in three by marker bits.
fn time(prefix: u8, at: i64) -> [u8; 5] {
    let at = at & WRAP;
    let pair = |bits: i64| ((bits & 0x7fff) << 1 | 1).to_be_bytes();
    let [.., b, c] = pair(at >> 15);
    let [.., d, e] = pair(at);
    [prefix << 4 | ((at >> 30) as u8) << 1 | 1, b, c, d, e]
}

#[cfg(test)]
mod tests {
    use super::super::program::tests::pictures_and_aac;
    use super::*;
    use crate::codec::avc::tests::hex;
    use crate::media::Timescale;

    #[test]
    fn times_are_laid_out_as_others_read_them() {
        assert_eq!(time(2, 900_000)[..], hex("2100377741"));
        assert_eq!(time(2, (1 << 33) - 1)[..], hex("2fffffffff"));
        assert_eq!(time(2, 1 << 33), time(2, 0));
    }

    #[test]
    fn a_presentation_begins_at_ten_seconds_and_priming_before() {
        let aac = Timescale::new(48_000).unwrap();
        assert_eq!(clock(Timestamp::zero(aac)), 900_000);
        assert_eq!(clock(Timestamp::new(-1_024, aac)), 900_000 - 1_920);
    }

    #[test]
    fn a_head_says_a_second_time_only_where_it_differs_and_a_length_only_of_sound() {
        let at = |it| Timestamp::new(it, Timescale::VIDEO);
        let mut unit =
            Unit { stream: Stream::Video, presentation: at(0), decoding: at(0), key: true, frames: vec![9] };
        let head = |unit: &Unit| unit.head(&pictures_and_aac()).unwrap();
        assert_eq!(head(&unit), hex("000001e0 0000 848005 2100377741"));
        unit.decoding = at(-900_000);
        assert_eq!(head(&unit), hex("000001e0 0000 84c00a 3100377741 1100010001"));
        unit = Unit { stream: Stream::Sound, decoding: at(0), frames: vec![200, 100], ..unit };
        assert_eq!(head(&unit)[..9], hex("000001c0 0142 848005")[..]);
        unit.frames = vec![8_000; 9];
        assert!(unit.head(&pictures_and_aac()).is_err());
    }
}
