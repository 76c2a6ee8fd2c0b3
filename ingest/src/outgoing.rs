//! Bytes on their way to a peer: pieces that are written together and never copied.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// Pieces in order. As a [`Buf`] it is written with one system call for many pieces.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pieces: VecDeque<Bytes>,
    bytes: usize,
}

impl Outgoing {
    pub(crate) fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.bytes += piece.len();
            self.pieces.push_back(piece);
        }
    }
}

impl Buf for Outgoing {
    fn remaining(&self) -> usize {
        self.bytes
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&[], |it| it)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let filled = slices.iter_mut().zip(&self.pieces);
        filled.map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }

    fn advance(&mut self, mut count: usize) {
        self.bytes -= count;
        while let Some(piece) = self.pieces.front_mut() {
            if count < piece.len() {
                piece.advance(count);
                return;
            }
            count -= piece.len();
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_leave_in_order_wherever_a_write_stops() {
        for stop in 0..=6 {
            let mut outgoing = Outgoing::default();
            for piece in ["ab", "", "c", "def"] {
                outgoing.push(Bytes::from_static(piece.as_bytes()));
            }
            outgoing.advance(stop);
            assert_eq!(outgoing.remaining(), 6 - stop);
            let mut slices = [IoSlice::new(&[]); 8];
            let count = outgoing.chunks_vectored(&mut slices);
            let left: Vec<u8> = slices[..count].iter().flat_map(|it| it.iter().copied()).collect();
            assert_eq!(left, b"abcdef"[stop..]);
        }
    }
}
