//! Packets of 188 bytes (ISO 13818-1 2.4.3) and the counters that show a lost one.

use bytes::{BufMut, BytesMut};

/// Octets of a packet.
pub const PACKET: usize = 188;

/// Octets behind a packet's head.
pub(super) const ROOM: usize = 184;

pub(super) const PAT: u16 = 0;
pub(super) const PMT: u16 = 0x1000;
pub(super) const VIDEO: u16 = 0x100;
pub(super) const SOUND: u16 = 0x101;

/// The adaptation field with a clock reference: length, flags, six bytes of clock.
pub(super) const CLOCK_FIELD: usize = 8;

/// How many packets of each kind came before, modulo 16: what the next one of that kind is numbered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Continuity {
    /// Of each of the two tables, which every segment has once.
    pub tables: u8,
    /// Of pictures.
    pub video: u8,
    /// Of sound.
    pub sound: u8,
}

impl Continuity {
    /// How many more packets of pictures it takes until the counter is as here; fewer than sixteen.
    pub const fn missing_pictures(self, now: Self) -> u8 {
        self.video.wrapping_sub(now.video) & 15
    }

    pub(super) fn next(&mut self, pid: u16) -> u8 {
        let counter = match pid {
            VIDEO => &mut self.video,
            SOUND => &mut self.sound,
            _ => &mut self.tables,
        };
        let number = *counter & 15;
        *counter = number.wrapping_add(1) & 15;
        number
    }
}

pub(super) const fn pid_bytes(pid: u16) -> [u8; 2] {
    (pid & 0x1fff).to_be_bytes()
}

/// What stands in front of a packet's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) pid: u16,
    /// Whether a unit or a section begins here.
    pub(super) begins: bool,
    pub(super) counter: u8,
    /// The program's clock, in 90 kHz, and that decoding may begin here.
    pub(super) clock: Option<u64>,
    pub(super) random_access: bool,
}

impl Head {
    /// How many bytes its adaptation field takes at least.
    pub(super) const fn field(&self) -> usize {
        match (self.clock.is_some(), self.random_access) {
            (true, _) => CLOCK_FIELD,
            (false, true) => 2,
            (false, false) => 0,
        }
    }

    /// Writes a whole packet. `payload` is at most what the adaptation field leaves; what it does not fill, stuffing
    /// in that field does.
    pub(super) fn write(&self, payload: &[u8], out: &mut BytesMut) {
        let field = ROOM.saturating_sub(payload.len());
        debug_assert!(field >= self.field(), "a payload that is too long makes a packet that is");
        let [high, low] = pid_bytes(self.pid);
        let field_and_payload = if field == 0 { 0x10 } else { 0x30 };
        out.put_slice(&[
            0x47,
            if self.begins { 0x40 | high } else { high },
            low,
            field_and_payload | self.counter,
        ]);
        if field > 0 {
            out.put_u8((field - 1) as u8);
        }
        if field > 1 {
            let clock = if self.clock.is_some() { 0x10 } else { 0 };
            out.put_u8(clock | if self.random_access { 0x40 } else { 0 });
            if let Some(clock) = self.clock {
                out.put_slice(&reference(clock));
            }
            let said = if self.clock.is_some() { CLOCK_FIELD } else { 2 };
            out.put_bytes(0xff, field.saturating_sub(said));
        }
        out.put_slice(payload);
    }
}

/// A program clock reference without its 27 MHz part: 33 bits, six reserved, nine of zero.
fn reference(clock: u64) -> [u8; 6] {
    let [_, _, bytes @ ..] = (clock << 15 | 0x7e00).to_be_bytes();
    bytes
}

/// Writes a section of a table, alone in its packet.
pub(super) fn table(pid: u16, counter: u8, section: &[u8], out: &mut BytesMut) {
    let end = out.len() + PACKET;
    let [high, low] = pid_bytes(pid);
    out.put_slice(&[0x47, 0x40 | high, low, 0x10 | counter, 0]);
    out.put_slice(section);
    // Sections are followed by ones, not by an adaptation field (2.4.4).
    out.resize(end, 0xff);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::avc::tests::hex;

    fn write(head: &Head, payload: usize) -> Vec<u8> {
        let mut out = BytesMut::new();
        head.write(&vec![0xaa; payload], &mut out);
        assert_eq!(out.len(), PACKET);
        out.to_vec()
    }

    const PLAIN: Head = Head { pid: VIDEO, begins: false, counter: 5, clock: None, random_access: false };

    #[test]
    fn a_clock_reference_is_laid_out_as_others_read_it() {
        assert_eq!(reference(855_000)[..], hex("000685ec7e00"));
        let head = Head { begins: true, clock: Some(855_000), random_access: true, ..PLAIN };
        assert_eq!(write(&head, 176)[..12], hex("47410035 07 50 000685ec7e00"));
    }

    #[test]
    fn what_a_payload_leaves_is_stuffed_in_front_of_it() {
        assert_eq!(write(&PLAIN, 184)[..5], hex("47010015aa"));
        assert_eq!(write(&PLAIN, 183)[..6], hex("4701003500aa"));
        assert_eq!(write(&PLAIN, 182)[..7], hex("470100350100aa"));
        assert_eq!(write(&PLAIN, 181)[..8], hex("470100350200ffaa"));
        assert_eq!(write(&Head { random_access: true, ..PLAIN }, 181)[..8], hex("470100350240ffaa"));
    }

    #[test]
    fn counters_are_those_of_their_packets_and_begin_again_after_fifteen() {
        let mut counters = Continuity { tables: 3, video: 15, sound: 0 };
        assert_eq!([VIDEO, VIDEO, SOUND, PMT].map(|pid| counters.next(pid)), [15, 0, 0, 3]);
        assert_eq!(counters, Continuity { tables: 4, video: 1, sound: 1 });
    }
}
