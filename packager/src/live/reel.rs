//! Where the parts of a track are written, one behind the other.
//!
//! Parts are kept for minutes by the ten thousand. Memory of its own for each would be rounded up by the allocator, a
//! tenth on average, and memory of its own for each sample by far more. So parts share blocks, whose sizes are powers of
//! two, which allocators have without a rest. Parts go in the order they came, and a block goes with the last of its
//! parts: what a track holds beyond its octets is the rest of its newest block and what has gone of its oldest.

use bytes::{Buf, Bytes, BytesMut};

/// The smallest block holds a second of sound.
const LEAST: usize = 16 << 10;

/// The largest block is the largest that our allocator packs densely: of 128 KiB each it took seven hundredths more
/// memory than was asked for, of 64 KiB one.
const MOST: usize = 64 << 10;

/// Writes the parts of one track.
#[derive(Debug, Default)]
pub(super) struct Reel {
    /// What is left of the newest block.
    block: BytesMut,
}

impl Reel {
    /// The pieces one behind the other, copied: as one chunk, and one more wherever a block ended.
    pub(super) fn write<'a>(&mut self, pieces: impl Iterator<Item = &'a [u8]> + Clone) -> Vec<Bytes> {
        let total: usize = pieces.clone().map(<[u8]>::len).sum();
        let mut chunks = Vec::with_capacity(1);
        for mut piece in pieces {
            while !piece.is_empty() {
                if self.room() == 0 {
                    self.cut(&mut chunks);
                    // About a part: larger blocks leave more unused at either end, smaller ones are more to count.
                    self.block = BytesMut::with_capacity(total.next_power_of_two().clamp(LEAST, MOST));
                }
                let (now, later) = piece.split_at(piece.len().min(self.room()));
                self.block.extend_from_slice(now);
                piece = later;
            }
        }
        self.cut(&mut chunks);
        chunks
    }

    fn room(&self) -> usize {
        self.block.capacity() - self.block.len()
    }

    fn cut(&mut self, chunks: &mut Vec<Bytes>) {
        if !self.block.is_empty() {
            chunks.push(self.block.split().freeze());
        }
    }
}

/// Where pieces of those lengths lie in the chunks they were written to; nothing of one that a block's end divides.
pub(super) fn places<'a>(
    chunks: &'a [Bytes],
    lengths: impl Iterator<Item = usize> + 'a,
) -> impl Iterator<Item = Option<Bytes>> + 'a {
    let mut chunks = chunks.iter();
    let mut rest = Bytes::new();
    lengths.map(move |length| {
        if rest.is_empty() && length > 0 {
            rest = chunks.next()?.clone();
        }
        let place = (length <= rest.len()).then(|| rest.slice(..length));
        let mut left = length;
        while left > rest.len() {
            left -= rest.len();
            rest = chunks.next()?.clone();
        }
        rest.advance(left);
        place
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn write(reel: &mut Reel, pieces: &[Vec<u8>]) -> Vec<Bytes> {
        reel.write(pieces.iter().map(Vec::as_slice))
    }

    #[test]
    fn small_parts_share_a_block_without_a_gap() {
        let mut reel = Reel::default();
        let first = write(&mut reel, &[vec![1; 100], vec![2; 5_000]]);
        let second = write(&mut reel, &[vec![3; 7]]);
        assert_eq!((first.len(), second.len()), (1, 1));
        assert_eq!(first[0].as_ptr().wrapping_add(5_100), second[0].as_ptr());
    }

    #[test]
    fn a_piece_is_found_where_it_was_written_unless_it_was_divided() {
        let mut reel = Reel::default();
        write(&mut reel, &[vec![0; LEAST - 10]]);
        let pieces = [vec![1; 9], vec![2; 2], vec![], vec![3; 5]];
        let chunks = write(&mut reel, &pieces);
        let places: Vec<_> = places(&chunks, pieces.iter().map(Vec::len)).collect();
        let seen: Vec<_> = places.iter().map(|it| it.as_deref()).collect();
        assert_eq!(seen, [Some(&*pieces[0]), None, Some(&[]), Some(&pieces[3])]);
        assert_eq!(places[0].as_ref().unwrap().as_ptr(), chunks[0].as_ptr());
    }

    #[test]
    fn a_block_goes_with_the_last_of_its_parts() {
        let mut reel = Reel::default();
        let mut parts: Vec<_> = (0..9).flat_map(|_| write(&mut reel, &[vec![0; LEAST / 8]])).collect();
        // Eight fill the first block; the ninth lies in the second.
        let ninth = parts.pop().unwrap();
        let last = parts.pop().unwrap();
        assert!(!last.is_unique());
        drop(parts);
        assert!(last.is_unique());
        assert!(!ninth.is_unique(), "the rest of its block is still written to");
        drop(reel);
        assert!(ninth.is_unique());
    }

    #[test]
    fn a_large_part_is_few_chunks_and_a_small_one_takes_no_large_block() {
        let mut reel = Reel::default();
        assert_eq!(write(&mut reel, &[vec![0; 5 * MOST]]).len(), 5);
        write(&mut reel, &[vec![0; 1]]);
        assert_eq!(reel.block.capacity(), LEAST - 1);
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(parts in prop::collection::vec(prop::collection::vec(0..30_000_usize, 0..4), 0..12)) {
            let mut reel = Reel::default();
            for (index, sizes) in parts.iter().enumerate() {
                let pieces: Vec<_> = (0_u8..).zip(sizes).map(|(place, it)| vec![index as u8 * 16 + place; *it]).collect();
                let chunks = write(&mut reel, &pieces);
                prop_assert_eq!(chunks.concat(), pieces.concat());
                let places: Vec<_> = places(&chunks, sizes.iter().copied()).collect();
                prop_assert_eq!(places.len(), pieces.len());
                for (place, piece) in places.into_iter().zip(&pieces) {
                    prop_assert!(place.is_none_or(|it| it == *piece));
                }
            }
        }
    }
}
