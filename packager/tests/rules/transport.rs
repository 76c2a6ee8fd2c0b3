//! Transport streams, read by hand.

use std::collections::BTreeMap;

/// A packet of an elementary stream (PES).
pub(crate) struct Unit {
    pub(crate) pid: u16,
    pub(crate) presentation: i64,
    /// Whether the packet it begins in says that decoding may begin there.
    pub(crate) is_random_access: bool,
}

/// What several segments of a stream have in them, in their order.
#[derive(Default)]
pub(crate) struct Stream {
    /// By PID: the next counter.
    counters: BTreeMap<u16, u8>,
    /// Elementary streams: PID and type.
    pub(crate) elementary: Vec<(u16, u8)>,
    program: u16,
}

impl Stream {
    /// Reads a segment that follows those read before: counters must go on.
    pub(crate) fn read(&mut self, segment: &[u8]) -> Vec<Unit> {
        let mut units = Vec::new();
        assert_eq!(segment.len() % 188, 0, "whole packets");
        for (n, packet) in segment.chunks(188).enumerate() {
            assert_eq!(packet[0], 0x47);
            let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
            assert!(n > 0 || pid == 0, "each segment begins with the PAT");
            assert!(n != 1 || self.program == pid, "and the PMT");
            let begins = packet[1] & 0x40 != 0;
            let (has_field, has_payload) = (packet[3] & 0x20 != 0, packet[3] & 0x10 != 0);
            if !has_payload {
                continue;
            }
            let counter = packet[3] & 0x0f;
            if let Some(expected) = self.counters.insert(pid, (counter + 1) % 16) {
                assert_eq!(counter, expected, "the counter of PID {pid:#x} goes on");
            }
            let field = if has_field { 1 + usize::from(packet[4]) } else { 0 };
            let random_access = has_field && packet[4] > 0 && packet[5] & 0x40 != 0;
            let payload = &packet[4 + field..];
            match pid {
                0 => self.program = u16::from_be_bytes([payload[11] & 0x1f, payload[12]]),
                _ if pid == self.program => self.table(payload),
                _ if begins => units.push(unit(pid, payload, random_access)),
                _ => {}
            }
        }
        units
    }

    fn table(&mut self, payload: &[u8]) {
        let section = &payload[1..];
        let end = 3 + usize::from(u16::from_be_bytes([section[1] & 0x0f, section[2]])) - 4;
        let mut at = 12 + usize::from(u16::from_be_bytes([section[10] & 0x0f, section[11]]));
        let mut elementary = Vec::new();
        while at < end {
            elementary.push((u16::from_be_bytes([section[at + 1] & 0x1f, section[at + 2]]), section[at]));
            at += 5 + usize::from(u16::from_be_bytes([section[at + 3] & 0x0f, section[at + 4]]));
        }
        assert!(self.elementary.is_empty() || self.elementary == elementary, "the program stays");
        self.elementary = elementary;
    }
}

fn unit(pid: u16, pes: &[u8], is_random_access: bool) -> Unit {
    assert_eq!(pes[..3], [0, 0, 1]);
    assert_ne!(pes[7] & 0x80, 0, "each has a time");
    let time = |at: &[u8]| {
        let bits = at[..5].iter().fold(0_i64, |sum, it| sum << 8 | i64::from(*it));
        (bits >> 33 & 7) << 30 | (bits >> 17 & 0x7fff) << 15 | (bits >> 1 & 0x7fff)
    };
    Unit { pid, presentation: time(&pes[9..]), is_random_access }
}
