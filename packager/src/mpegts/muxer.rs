//! Packets of one segment, made while the bytes of its frames are read.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::annex_b::Rewriter;
use super::packet::{self, Continuity, Head, PACKET, PAT, PMT, ROOM, pid_bytes};
use super::program::{Program, Refused, Stream};
use super::{Unit, psi};

/// Octets of packets that room is made for at once: those of the largest segment that is usual.
const MOST_AT_ONCE: u64 = 8 * 1024 * 1024;

/// Makes the packets of units whose frames are fed in the same order. It holds less than a packet back.
#[derive(Clone, Debug)]
pub struct Muxer {
    program: Program,
    units: VecDeque<Unit>,
    counters: Continuity,
    /// The tables, until the first bytes are given; with room for all packets.
    written: BytesMut,
    current: Option<Current>,
}

/// The unit whose bytes come next.
#[derive(Clone, Debug)]
struct Current {
    unit: Unit,
    /// The next of its frames.
    frame: usize,
    /// Bytes of the frame under way that did not come yet.
    left: u32,
    rewriter: Rewriter,
    /// Bytes of the unit that came and are in no packet yet.
    held: Vec<u8>,
    begun: bool,
}

impl Muxer {
    /// Begins with the program's tables; `counters` are those behind the packets of all segments before.
    pub fn new(program: Program, units: Vec<Unit>, mut counters: Continuity) -> Self {
        // Where that is refused, so is the first frame.
        let length = Self::length(&program, &units).unwrap_or_default();
        let mut written = BytesMut::with_capacity(length.min(MOST_AT_ONCE) as usize);
        let counter = counters.next(PAT);
        packet::table(PAT, counter, &psi::pat(), &mut written);
        packet::table(PMT, counter, &psi::pmt(&program), &mut written);
        Self { program, units: units.into(), counters, written, current: None }
    }

    /// Octets of a segment of `units`, known before one of them is read.
    ///
    /// # Errors
    /// [`Refused`] when there is a frame that does not go into a transport stream.
    pub fn length(program: &Program, units: &[Unit]) -> Result<u64, Refused> {
        let packets = units.iter().try_fold(2_u64, |all, it| Ok(all.saturating_add(it.packets(program)?)))?;
        Ok(packets.saturating_mul(PACKET as u64))
    }

    /// Takes the next bytes of the frames, in any pieces, and gives the packets that are whole.
    ///
    /// # Errors
    /// [`Refused`] when there is a frame that [`length`](Self::length) refuses.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<Bytes, Refused> {
        loop {
            let current = match &mut self.current {
                Some(current) => current,
                none => match self.units.pop_front() {
                    Some(unit) => none.insert(Current::new(unit, &self.program)?),
                    None => break,
                },
            };
            let whole = current.take(&mut bytes, &self.program)?;
            current.write(whole, &self.program, &mut self.counters, &mut self.written);
            if whole {
                self.current = None;
            } else {
                break;
            }
        }
        Ok(self.written.split().freeze())
    }

    /// Whether all frames have come.
    pub fn is_done(&self) -> bool {
        self.current.is_none() && self.units.is_empty()
    }
}

impl Current {
    fn new(unit: Unit, program: &Program) -> Result<Self, Refused> {
        let held = unit.head(program)?;
        Ok(Self { unit, frame: 0, left: 0, rewriter: Rewriter::new(), held, begun: false })
    }

    /// Takes bytes of its frames until it has all or there are no more; whether it has all.
    fn take(&mut self, bytes: &mut &[u8], program: &Program) -> Result<bool, Refused> {
        loop {
            if self.left > 0 {
                let (taken, rest) = bytes.split_at_checked(self.left as usize).unwrap_or((bytes, &[]));
                match self.unit.stream {
                    Stream::Video => self.rewriter.push(taken, &mut self.held),
                    Stream::Sound => self.held.extend_from_slice(taken),
                }
                self.left = self.left.saturating_sub(taken.len() as u32);
                *bytes = rest;
                if self.left > 0 {
                    return Ok(false);
                }
                self.rewriter.end(&mut self.held);
            }
            let Some(&size) = self.unit.frames.get(self.frame) else { return Ok(true) };
            self.frame += 1;
            self.left = size;
            self.rewriter = Rewriter::new();
            self.held.extend_from_slice(&program.before(self.unit.stream, size, self.unit.key)?);
        }
    }

    /// Writes the packets that are whole, or, when the unit is, all that are left.
    fn write(&mut self, whole: bool, program: &Program, counters: &mut Continuity, out: &mut BytesMut) {
        let pid = self.unit.stream.pid();
        let mut at = 0;
        loop {
            if self.begun {
                at += write_full(pid, self.held.get(at..).unwrap_or_default(), counters, out);
            }
            let mut head = if self.begun {
                Head { pid, begins: false, counter: 0, clock: None, random_access: false }
            } else {
                first(program, &self.unit)
            };
            let rest = self.held.get(at..).unwrap_or_default();
            let room = ROOM - head.field();
            let payload = match rest.get(..room) {
                Some(full) => full,
                None if whole && !rest.is_empty() => rest,
                None => break,
            };
            head.counter = counters.next(pid);
            head.write(payload, out);
            self.begun = true;
            at += payload.len();
        }
        self.held.drain(..at);
    }
}

/// Writes the packets that are nothing but a head and payload, of which a segment has thousands; tells how much payload
/// they took.
fn write_full(pid: u16, payload: &[u8], counters: &mut Continuity, out: &mut BytesMut) -> usize {
    let (full, _) = payload.as_chunks::<ROOM>();
    let [high, low] = pid_bytes(pid);
    for payload in full {
        let mut packet = [0; PACKET];
        let (head, room) = packet.split_at_mut(PACKET - ROOM);
        head.copy_from_slice(&[0x47, high, low, 0x10 | counters.next(pid)]);
        room.copy_from_slice(payload);
        out.extend_from_slice(&packet);
    }
    full.len() * ROOM
}

impl Continuity {
    /// The counters behind a segment of `units`, told from sizes alone: so the next segment can be made without it.
    ///
    /// # Errors
    /// [`Refused`] when there is a frame that does not go into a transport stream.
    pub fn after(mut self, program: &Program, units: &[Unit]) -> Result<Self, Refused> {
        self.tables = self.tables.wrapping_add(1) & 15;
        for unit in units {
            let packets = (unit.packets(program)? & 15) as u8;
            let counter = match unit.stream {
                Stream::Video => &mut self.video,
                Stream::Sound => &mut self.sound,
            };
            *counter = counter.wrapping_add(packets) & 15;
        }
        Ok(self)
    }
}

/// The head of a unit's first packet, not yet counted.
pub(super) fn first(program: &Program, unit: &Unit) -> Head {
    Head {
        pid: unit.stream.pid(),
        begins: true,
        counter: 0,
        clock: (unit.stream == program.clock_stream()).then(|| unit.arrival()),
        random_access: unit.key,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::program::tests::pictures_and_aac;
    use super::*;
    use crate::media::{Timescale, Timestamp};

    /// What a strict reader finds: per unit its PID and its bytes, after all of its packets' rules were checked.
    fn read(stream: &[u8], mut counters: Continuity) -> (Vec<(u16, Vec<u8>)>, Continuity) {
        let mut units: Vec<(u16, Vec<u8>)> = Vec::new();
        let mut tables = Vec::new();
        for packet in stream.chunks(PACKET) {
            assert_eq!((packet.len(), packet[0]), (PACKET, 0x47));
            let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
            let field = if packet[3] & 0x20 == 0 { 0 } else { usize::from(packet[4]) + 1 };
            let payload = &packet[4 + field..];
            assert!(!payload.is_empty(), "every packet carries something");
            if matches!(pid, PAT | PMT) {
                tables.push((pid, packet[3] & 15));
                continue;
            }
            assert_eq!(packet[3] & 15, counters.next(pid), "counters are sequential");
            if packet[1] & 0x40 != 0 {
                units.push((pid, Vec::new()));
            }
            let open = units.iter_mut().rev().find(|it| it.0 == pid).unwrap();
            open.1.extend_from_slice(payload);
        }
        let counter = counters.next(PAT);
        assert_eq!(tables, [(PAT, counter), (PMT, counter)], "a segment begins with its tables");
        (units, counters)
    }

    fn unit(stream: Stream, n: i64, frames: Vec<u32>) -> Unit {
        let at = Timestamp::new(n * 3_000, Timescale::VIDEO);
        Unit { stream, presentation: at, decoding: at, key: n == 0 || stream == Stream::Sound, frames }
    }

    /// A picture of one NAL unit, or noise.
    fn frame(size: u32, stream: Stream) -> Vec<u8> {
        let mut bytes = (0..size).map(|it| it as u8 | 0x41).collect::<Vec<_>>();
        if let (Stream::Video, Some(head)) = (stream, bytes.first_chunk_mut()) {
            *head = size.saturating_sub(4).to_be_bytes();
        }
        bytes
    }

    proptest! {
        #[test]
        fn a_strict_reader_finds_what_was_put_in_and_lengths_are_as_foretold(
            frames in prop::collection::vec((any::<bool>(), 5..1_500_u32), 1..12),
            piece in 1..700_usize,
            before in 0..16_u8,
        ) {
            let program = pictures_and_aac();
            let units = frames.iter().enumerate().map(|(n, &(video, size))| match video {
                true => unit(Stream::Video, n as i64, vec![size]),
                false => unit(Stream::Sound, n as i64, vec![size, 9]),
            }).collect::<Vec<_>>();
            let bytes = units.iter().flat_map(|it| it.frames.iter().flat_map(|&size| frame(size, it.stream)))
                .collect::<Vec<_>>();
            let counters = Continuity { tables: before, video: before, sound: 15 - before };
            let mut muxer = Muxer::new(program.clone(), units.clone(), counters);
            let mut out = Vec::new();
            for piece in bytes.chunks(piece) {
                out.extend_from_slice(&muxer.push(piece).unwrap());
            }
            prop_assert!(muxer.is_done());
            prop_assert_eq!(out.len() as u64, Muxer::length(&program, &units).unwrap());
            let (found, after) = read(&out, counters);
            prop_assert_eq!(counters.after(&program, &units), Ok(after));
            prop_assert_eq!(found.len(), units.len());
            for (unit, (pid, found)) in units.iter().zip(found) {
                prop_assert_eq!(pid, unit.stream.pid());
                let mut expected = unit.head(&program).unwrap();
                for &size in &unit.frames {
                    expected.extend(program.before(unit.stream, size, unit.key).unwrap());
                    let mut frame = frame(size, unit.stream);
                    if unit.stream == Stream::Video {
                        frame[..4].copy_from_slice(&[0, 0, 0, 1]);
                    }
                    expected.extend(frame);
                }
                prop_assert_eq!(found, expected);
            }
        }
    }
}
