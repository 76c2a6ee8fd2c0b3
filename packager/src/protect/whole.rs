//! Whole segments (RFC 8216bis 4.4.4.4, METHOD=AES-128).

use bytes::{Bytes, BytesMut};

use super::cipher::{BLOCK, cbc};

/// The segment in CBC mode with the padding of PKCS #7; its vector is its number in the playlist.
pub(crate) fn encrypt(key: &[u8; 16], number: u64, segment: &[Bytes]) -> Bytes {
    let length = segment.iter().map(Bytes::len).fold(0, usize::saturating_add);
    let padding = BLOCK.saturating_sub(length % BLOCK);
    let mut octets = BytesMut::with_capacity(length.saturating_add(padding));
    segment.iter().for_each(|it| octets.extend_from_slice(it));
    octets.resize(length.saturating_add(padding), padding as u8);
    cbc(key, &u128::from(number).to_be_bytes(), &mut octets);
    octets.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_grows_to_the_next_block_and_a_full_one_by_one() {
        for clear in [0_usize, 1, 15, 16, 17, 32] {
            let sealed = encrypt(b"0123456789abcdef", 7, &[Bytes::from(vec![3; clear])]);
            assert_eq!(sealed.len(), clear / 16 * 16 + 16);
        }
    }

    #[test]
    fn pieces_do_not_matter_but_the_number_does() {
        let one = encrypt(b"0123456789abcdef", 7, &[Bytes::from_static(b"a segment of media")]);
        let pieces = [Bytes::from_static(b"a segment "), Bytes::from_static(b"of media")];
        assert_eq!(encrypt(b"0123456789abcdef", 7, &pieces), one);
        assert_ne!(encrypt(b"0123456789abcdef", 8, &pieces), one);
    }
}
