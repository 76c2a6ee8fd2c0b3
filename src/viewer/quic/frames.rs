//! The frames of a stream of HTTP/3 (RFC 9114 7.1), cut out of its octets however they come.

use bytes::Bytes;

pub(super) const DATA: u64 = 0x0;
pub(super) const HEADERS: u64 = 0x1;
pub(super) const CANCEL_PUSH: u64 = 0x3;
pub(super) const SETTINGS: u64 = 0x4;
pub(super) const PUSH_PROMISE: u64 = 0x5;
pub(super) const GOAWAY: u64 = 0x7;
pub(super) const MAX_PUSH_ID: u64 = 0xd;
/// PRIORITY, PING, WINDOW_UPDATE and CONTINUATION, which are HTTP/2's alone (RFC 9114 7.2.8).
pub(super) const OF_HTTP_2: [u64; 4] = [0x2, 0x6, 0x8, 0x9];

/// Two numbers of at most eight octets.
const MAX_HEAD: usize = 16;

/// Where in its frames a stream is.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: [u8; MAX_HEAD],
    /// Octets of the head that have come.
    known: usize,
    /// Octets of the payload that have not.
    left: u64,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A frame begins; the octets that say so.
    Head { kind: u64, length: u64, octets: Bytes },
    /// Some of what it carries.
    Payload(Bytes),
}

impl Frames {
    /// Takes the next piece from `octets`; nothing when there is not enough of them.
    pub(super) fn cut(&mut self, octets: &mut Bytes) -> Option<Piece> {
        if self.left > 0 && !octets.is_empty() {
            let taken = usize::try_from(self.left).unwrap_or(usize::MAX).min(octets.len());
            self.left -= taken as u64;
            return Some(Piece::Payload(octets.split_to(taken)));
        }
        while !octets.is_empty() {
            self.head[self.known] = octets.split_to(1)[0];
            self.known += 1;
            let head = &self.head[..self.known];
            if let Some((kind, behind)) = number(head)
                && let Some((length, _)) = number(behind)
            {
                let octets = Bytes::copy_from_slice(head);
                (self.known, self.left) = (0, length);
                return Some(Piece::Head { kind, length, octets });
            }
        }
        None
    }

    /// Whether a stream can end here.
    pub(super) const fn is_between(&self) -> bool {
        self.known == 0 && self.left == 0
    }

    /// Whether all of the frame that began last has come.
    pub(super) const fn is_whole(&self) -> bool {
        self.left == 0
    }
}

/// A number as QUIC writes them (RFC 9000 16), and what is behind it.
pub(super) fn number(octets: &[u8]) -> Option<(u64, &[u8])> {
    let first = *octets.first()?;
    let (number, behind) = octets.split_at_checked(1 << (first >> 6))?;
    let begun = u64::from(first & 0x3f);
    Some((number[1..].iter().fold(begun, |sum, it| sum << 8 | u64::from(*it)), behind))
}

/// What a frame of so many octets begins with.
pub(super) fn head(kind: u64, length: u64) -> Bytes {
    let mut head = Vec::with_capacity(MAX_HEAD);
    for number in [kind, length] {
        match number {
            0..=0x3f => head.push(number as u8),
            0x40..=0x3fff => head.extend_from_slice(&(number as u16 | 0x4000).to_be_bytes()),
            0x4000..=0x3fff_ffff => head.extend_from_slice(&(number as u32 | 0x8000_0000).to_be_bytes()),
            _ => head.extend_from_slice(&(number | 0xc000_0000_0000_0000).to_be_bytes()),
        }
    }
    head.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_written() {
        for length in [0, 0x3f, 0x40, 0x3fff, 0x4000, 0x3fff_ffff, 0x4000_0000] {
            let octets = head(DATA, length);
            let piece = Frames::default().cut(&mut octets.clone());
            assert_eq!(piece, Some(Piece::Head { kind: DATA, length, octets }));
        }
    }

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let stream =
            [&[0x01, 2, b'h', b'i'][..], &[0x40, 0x21, 0x40, 0x00], &[0xc0, 0, 0, 0, 0, 0, 0, 4, 1, 9]];
        let stream = stream.concat();
        for size in 1..=stream.len() {
            let (mut frames, mut found, mut payload) = (Frames::default(), Vec::new(), Vec::new());
            for octets in stream.chunks(size) {
                let mut octets = Bytes::copy_from_slice(octets);
                while let Some(piece) = frames.cut(&mut octets) {
                    match piece {
                        Piece::Head { kind, length, octets } => found.push((kind, length, octets.len())),
                        Piece::Payload(it) => payload.extend_from_slice(&it),
                    }
                }
            }
            assert_eq!(found, [(HEADERS, 2, 2), (0x21, 0, 4), (SETTINGS, 1, 9)], "{size}");
            assert_eq!((payload, frames.is_between()), (vec![b'h', b'i', 9], true), "{size}");
        }
    }

    #[test]
    fn a_stream_does_not_end_within_a_frame() {
        for begun in [&[0x40][..], &[0x00], &[0x00, 1]] {
            let mut frames = Frames::default();
            frames.cut(&mut Bytes::copy_from_slice(begun));
            assert!(!frames.is_between(), "{begun:?}");
        }
    }
}
