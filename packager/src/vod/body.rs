//! The bytes of one segment before they are read: boxes written here, then ranges of the stored file.

use std::ops::Range;
use std::vec;

use bytes::{Bytes, BytesMut};

/// Bytes between two wanted ranges that are read and thrown away: cheaper than to ask again. In an interleaved file
/// it is the sound between two pictures.
const WIDEST_GAP: u64 = 64 * 1024;

/// A segment: its length is known before a byte of media is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// What comes first.
    pub head: Bytes,
    /// What follows: ranges of the stored file, in the order they are sent.
    pub extents: Vec<Range<u64>>,
}

impl Body {
    /// Octets in all.
    pub fn length(&self) -> u64 {
        self.extents.iter().map(|it| it.end - it.start).fold(self.head.len() as u64, u64::saturating_add)
    }

    /// How the extents are read, at most `longest` octets at a time: enough that whatever has them is asked seldom, little
    /// enough that what is held for a slow viewer stays small.
    pub fn reads(self, longest: u64) -> Reads {
        let mut extents = self.extents.into_iter();
        Reads { longest: longest.max(1), pending: extents.next(), extents }
    }
}

/// One read, and what of it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// What to ask the source for.
    pub range: Range<u64>,
    /// Where in it the bytes are that are sent, in order.
    pub kept: Vec<Range<usize>>,
}

impl Read {
    /// What is sent of the bytes that came. Where little is left out, such as sound between pictures, the rest moves
    /// together where it is; where much is, it is copied, so that what is kept does not hold what is not.
    pub fn keep(&self, bytes: Bytes) -> Bytes {
        let kept = || self.kept.iter().filter_map(|it| bytes.get(it.clone()));
        let length = kept().map(<[u8]>::len).sum::<usize>();
        if length == bytes.len() {
            return bytes;
        }
        if length < bytes.len() / 4 * 3 || kept().count() < self.kept.len() {
            return kept().collect::<Vec<_>>().concat().into();
        }
        // Whoever has it alone need not copy it.
        let mut bytes = bytes.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&*shared));
        let mut end = 0;
        for it in &self.kept {
            bytes.copy_within(it.clone(), end);
            end += it.len();
        }
        bytes.truncate(end);
        bytes.freeze()
    }
}

/// The reads of a [`Body`], in order.
#[derive(Clone, Debug)]
pub struct Reads {
    longest: u64,
    pending: Option<Range<u64>>,
    extents: vec::IntoIter<Range<u64>>,
}

impl Iterator for Reads {
    type Item = Read;

    fn next(&mut self) -> Option<Read> {
        let start = self.pending.as_ref()?.start;
        let mut read = Read { range: start..start, kept: Vec::new() };
        while let Some(extent) = self.pending.take() {
            // What comes next may lie before, or too far away: then it waits for its own read.
            let near = extent.start >= read.range.end && extent.start - read.range.end <= WIDEST_GAP;
            let room = start.saturating_add(self.longest);
            if !near || extent.start >= room {
                self.pending = Some(extent);
                break;
            }
            let end = extent.end.min(room);
            read.kept.push((extent.start - start) as usize..(end - start) as usize);
            read.range.end = end;
            if end < extent.end {
                self.pending = Some(end..extent.end);
                break;
            }
            self.pending = self.extents.next();
        }
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LONGEST_READ: u64 = 512 * 1024;

    fn check(extents: &[(u64, u64)], expected: &[&str]) {
        let extents = extents.iter().map(|&(start, end)| start..end).collect();
        let reads = Body { head: Bytes::new(), extents }.reads(LONGEST_READ);
        assert_eq!(
            reads.map(|it| format!("{:?} keeps {:?}", it.range, it.kept)).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn ranges_with_a_small_gap_are_one_read() {
        check(&[(10, 20), (30, 40)], &["10..40 keeps [0..10, 20..30]"]);
    }

    #[test]
    fn ranges_far_apart_or_out_of_order_are_read_apart() {
        check(&[(0, 10), (100_000, 100_010)], &["0..10 keeps [0..10]", "100000..100010 keeps [0..10]"]);
        check(&[(50, 60), (0, 10)], &["50..60 keeps [0..10]", "0..10 keeps [0..10]"]);
    }

    #[test]
    fn a_long_range_is_read_in_pieces() {
        check(
            &[(0, 600_000), (610_000, 620_000)],
            &["0..524288 keeps [0..524288]", "524288..620000 keeps [0..75712, 85712..95712]"],
        );
    }

    #[test]
    fn what_lies_between_is_not_kept() {
        let mut reads = Body { head: Bytes::new(), extents: vec![10..12, 15..17] }.reads(LONGEST_READ);
        assert_eq!(reads.next().unwrap().keep(Bytes::from_static(b"abcdefg")), "abfg");
        let mut reads =
            Body { head: Bytes::new(), extents: vec![10..16, 17..18, 19..20] }.reads(LONGEST_READ);
        let read = reads.next().unwrap();
        assert_eq!(read.keep(Bytes::from_static(b"abcdef-h-j")), "abcdefhj");
        let alone = Bytes::from(b"abcdef-h-j".to_vec());
        let place = alone.as_ptr();
        let kept = read.keep(alone);
        assert_eq!((&*kept, kept.as_ptr()), (&b"abcdefhj"[..], place));
        assert_eq!(read.keep(Bytes::from_static(b"abcdef-")), "abcdef");
        let mut reads = Body { head: Bytes::new(), extents: vec![10..12, 12..14] }.reads(LONGEST_READ);
        let bytes = Bytes::from_static(b"abcd");
        assert_eq!(reads.next().unwrap().keep(bytes.clone()).as_ptr(), bytes.as_ptr());
    }

    proptest! {
        #[test]
        fn what_the_reads_keep_is_the_extents(
            extents in prop::collection::vec((0_u64..1 << 22, 1_u64..1 << 20), 0..40),
        ) {
            let extents: Vec<_> = extents.into_iter().map(|(start, length)| start..start + length).collect();
            let body = Body { head: Bytes::new(), extents: extents.clone() };
            let length = body.length();
            let mut sent = Vec::new();
            for read in body.reads(LONGEST_READ) {
                prop_assert!(read.range.end - read.range.start <= LONGEST_READ);
                for kept in read.kept {
                    sent.push(read.range.start + kept.start as u64..read.range.start + kept.end as u64);
                }
            }
            prop_assert_eq!(sent.iter().map(|it| it.end - it.start).sum::<u64>(), length);
            let mut sent = sent.into_iter().peekable();
            for mut extent in extents {
                while extent.start < extent.end {
                    let piece = sent.next().unwrap();
                    prop_assert_eq!(piece.start, extent.start);
                    prop_assert!(piece.end <= extent.end);
                    extent.start = piece.end;
                }
            }
            prop_assert_eq!(sent.next(), None);
        }
    }
}
