//! SAMPLE-AES of transport streams ("MPEG-2 Stream Encryption Format for HTTP Live Streaming"): parts of each frame, so
//! that a stream can still be taken apart without the key.

use super::ContentKey;
use super::cipher::{BLOCK, cbc};
use crate::codec::avc;

/// Slices of no more octets stay readable.
const SHORT_SLICE: usize = 48;

/// Octets of a slice before the first that is encrypted.
const SLICE_HEAD: usize = 32;

/// Octets between two blocks that are encrypted.
const BETWEEN: usize = 144;

/// Octets of a frame of sound before the first that is encrypted.
const FRAME_HEAD: usize = 16;

/// Encrypts a frame of sound, without the header of its transport.
pub(crate) fn sound(key: &ContentKey, frame: &mut [u8]) {
    if let Some(body) = frame.get_mut(FRAME_HEAD..) {
        cbc(key.reveal(), &key.constant_iv(), body);
    }
}

/// Encrypts the slices of a picture whose NAL units stand behind 4-byte lengths. What was encrypted may look like a start
/// code, so that emulation prevention is applied once more, over the encoder's own: lengths may change.
pub(crate) fn picture(key: &ContentKey, picture: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(picture.len().saturating_add(64));
    for nal in avc::units(picture) {
        let kind = nal.first().map_or(0, |it| it & 0x1f);
        let sealed = matches!(kind, 1 | 5) && nal.len() > SHORT_SLICE;
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        if sealed {
            let mut nal = nal.to_vec();
            slice(key, &mut nal);
            avc::escape(&nal, &mut out);
        } else {
            out.extend_from_slice(nal);
        }
        let length = out.len().saturating_sub(at).saturating_sub(4) as u32;
        if let Some(field) = out.get_mut(at..).and_then(|it| it.first_chunk_mut()) {
            *field = length.to_be_bytes();
        }
    }
    out
}

/// One block, then nine that stay, as long as more than a block is left.
fn slice(key: &ContentKey, nal: &mut [u8]) {
    let mut iv = key.constant_iv();
    let mut rest = nal.get_mut(SLICE_HEAD..).unwrap_or_default();
    while rest.len() > BLOCK {
        let Some((block, behind)) = rest.split_first_chunk_mut::<BLOCK>() else { break };
        cbc(key.reveal(), &iv, block);
        iv = *block;
        let between = behind.len().min(BETWEEN);
        rest = behind.get_mut(between..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::KeyId;
    use super::*;

    fn key() -> ContentKey {
        ContentKey::new(KeyId([1; 16]), *b"0123456789abcdef", Some([7; 16]))
    }

    #[test]
    fn the_first_sixteen_octets_of_sound_and_its_tail_stay() {
        let clear = (0..60).collect::<Vec<u8>>();
        let mut frame = clear.clone();
        sound(&key(), &mut frame);
        assert_eq!((&frame[..16], &frame[48..]), (&clear[..16], &clear[48..]));
        assert_ne!(frame[16..48], clear[16..48]);
        let mut short = [1, 2, 3];
        sound(&key(), &mut short);
        assert_eq!(short, [1, 2, 3]);
    }

    #[test]
    fn of_a_slice_one_block_of_ten_is_encrypted_and_the_last_never() {
        let nal = |length: usize| [&[0x65], &vec![0x55; length - 1][..]].concat();
        let sealed = |length: usize| {
            let whole = [&(length as u32).to_be_bytes()[..], &nal(length)].concat();
            picture(&key(), &whole)[4..].to_vec()
        };
        assert_eq!(sealed(48), nal(48), "short ones stay");
        let changed = |length: usize| {
            let sealed = sealed(length);
            assert_eq!(sealed.len(), length, "nothing in it needs escaping");
            let blocks = (0..length).filter(|at| sealed[*at] != nal(length)[*at]).map(|at| (at - 32) / 16);
            blocks.collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        };
        assert_eq!(changed(49), [0]);
        assert_eq!(changed(32 + 160 + 16), [0], "what is left is not more than a block");
        assert_eq!(changed(32 + 160 + 17), [0, 10]);
    }

    proptest! {
        #[test]
        fn a_player_gets_the_picture_back(body in prop::collection::vec(prop_oneof![Just(0_u8), 0..4_u8, any::<u8>()], 60..600)) {
            let mut escaped = vec![0x65];
            avc::escape(&body, &mut escaped);
            let whole = [&(escaped.len() as u32).to_be_bytes()[..], &escaped].concat();
            let sealed = picture(&key(), &whole);
            let nal = avc::units(&sealed).next().unwrap();
            prop_assert!(!nal.windows(3).any(|it| it[0] == 0 && it[1] == 0 && it[2] < 3), "no start code stands in it");
            // Players drop what the second prevention added, decrypt, and have the encoder's unit.
            let mut clear = escaped;
            slice(&key(), &mut clear);
            prop_assert_eq!(avc::unescaped(nal), clear);
        }
    }
}
