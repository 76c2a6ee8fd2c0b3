//! AES with keys of 16 octets, in place.

use aes::Aes128;
use cbc::cipher::{Block, BlockModeEncrypt, KeyIvInit, StreamCipher};

/// Octets of a block.
pub(super) const BLOCK: usize = 16;

type Cbc = cbc::Encryptor<Aes128>;

/// The counter of a sample is that of its blocks, below its own vector (ISO 23001-7 9.3).
type Ctr = ctr::Ctr64BE<Aes128>;

/// A stream of octets in CTR mode that begins with an initialization vector of 8.
pub(super) struct Counter(Ctr);

impl Counter {
    pub(super) fn new(key: &[u8; 16], iv: [u8; 8]) -> Self {
        let mut block = [0; BLOCK];
        if let Some(head) = block.first_chunk_mut() {
            *head = iv;
        }
        Self(Ctr::new(&(*key).into(), &block.into()))
    }

    /// Goes on where the last call ended.
    pub(super) fn apply(&mut self, octets: &mut [u8]) {
        self.0.apply_keystream(octets);
    }
}

/// All whole blocks in CBC mode; what is left at the end stays as it is.
pub(super) fn cbc(key: &[u8; 16], iv: &[u8; 16], octets: &mut [u8]) {
    let mut cipher = Cbc::new(&(*key).into(), &(*iv).into());
    let (blocks, _) = Block::<Cbc>::slice_as_chunks_mut(octets);
    cipher.encrypt_blocks(blocks);
}

/// Of every ten whole blocks the first, in CBC mode (ISO 23001-7 9.6).
pub(super) fn pattern(key: &[u8; 16], iv: &[u8; 16], octets: &mut [u8]) {
    let mut cipher = Cbc::new(&(*key).into(), &(*iv).into());
    let (blocks, _) = Block::<Cbc>::slice_as_chunks_mut(octets);
    for block in blocks.iter_mut().step_by(10) {
        cipher.encrypt_block(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::avc::tests::hex;

    const KEY: &str = "2b7e151628aed2a6abf7158809cf4f3c";

    fn array<const N: usize>(digits: &str) -> [u8; N] {
        hex(digits).as_ref().try_into().unwrap()
    }

    #[test]
    fn the_vectors_of_nist_hold() {
        // SP 800-38A F.2.1: CBC-AES128.
        let mut octets = hex("6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51 ff").to_vec();
        cbc(&array(KEY), &array("000102030405060708090a0b0c0d0e0f"), &mut octets);
        assert_eq!(octets, hex("7649abac8119b246cee98e9b12e9197d 5086cb9b507219ee95db113a917678b2 ff"));
    }

    #[test]
    fn a_counter_goes_on_over_pieces_and_begins_at_its_vector() {
        let mut whole = [7_u8; 100];
        Counter::new(&array(KEY), [1; 8]).apply(&mut whole);
        let mut pieces = [7_u8; 100];
        let mut counter = Counter::new(&array(KEY), [1; 8]);
        pieces.chunks_mut(7).for_each(|it| counter.apply(it));
        assert_eq!(pieces, whole);
        // The first block of the key stream is the vector, encrypted.
        let mut first = [0; BLOCK];
        first[..8].copy_from_slice(&[1; 8]);
        cbc(&array(KEY), &[0; 16], &mut first);
        assert!(first.iter().zip(&whole).all(|(stream, it)| stream ^ 7 == *it));
    }

    #[test]
    fn one_block_of_ten_is_encrypted_and_they_are_chained() {
        let clear = (0..16 * 21 + 5).map(|it| it as u8).collect::<Vec<_>>();
        let mut octets = clear.clone();
        pattern(&array(KEY), &[9; 16], &mut octets);
        let mut chained = [&clear[..16], &clear[160..176], &clear[320..336]].concat();
        cbc(&array(KEY), &[9; 16], &mut chained);
        assert_eq!([&octets[..16], &octets[160..176], &octets[320..336]].concat(), chained);
        assert_eq!((&octets[16..160], &octets[336..]), (&clear[16..160], &clear[336..]));
    }
}
