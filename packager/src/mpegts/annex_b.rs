//! Pictures with lengths before their NAL units become pictures with start codes (ITU-T H.264 annex B), a piece at a
//! time and without a change of size.

const DELIMITER: u8 = 9;

/// Where in a picture the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// In a length, of which so many bytes came.
    Length { came: u8, length: u32 },
    /// Before the first byte of a unit of so many.
    Kind(u32),
    /// In a unit of which so many bytes are left.
    Unit(u32),
    /// In a delimiter of which so many bytes are left.
    Delimiter(u32),
}

/// Rewrites one picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rewriter(At);

impl Rewriter {
    /// Before a picture's first byte.
    pub(super) const fn new() -> Self {
        Self(At::Length { came: 0, length: 0 })
    }

    /// Takes the next bytes of the picture and leaves as many.
    ///
    /// The source's own delimiters become zeros, which may stand behind any unit: a second one would begin another
    /// picture. Whether the last byte of a length becomes a one depends on what follows, so it is written with that.
    pub(super) fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while let Some((&first, rest)) = bytes.split_first() {
            let at = self.0;
            (self.0, bytes) = match at {
                At::Length { came, length } => {
                    let length = length << 8 | u32::from(first);
                    let whole = came == 3;
                    if !whole {
                        out.push(0);
                    }
                    let next = match (whole, length) {
                        (false, _) => At::Length { came: came + 1, length },
                        (true, 0) => {
                            out.push(0);
                            Self::new().0
                        }
                        (true, length) => At::Kind(length),
                    };
                    (next, rest)
                }
                At::Kind(length) => {
                    let delimiter = first & 0x1f == DELIMITER;
                    out.extend_from_slice(&if delimiter { [0, 0] } else { [1, first] });
                    let left = length - 1;
                    (Self::inside(left, delimiter), rest)
                }
                At::Unit(left) | At::Delimiter(left) => {
                    let (taken, rest) = bytes.split_at_checked(left as usize).unwrap_or((bytes, &[]));
                    let delimiter = matches!(at, At::Delimiter(_));
                    if delimiter {
                        out.resize(out.len() + taken.len(), 0);
                    } else {
                        out.extend_from_slice(taken);
                    }
                    (Self::inside(left - taken.len() as u32, delimiter), rest)
                }
            };
        }
    }

    /// Ends the picture. One that ends behind a length has held a byte back.
    pub(super) fn end(self, out: &mut Vec<u8>) {
        if matches!(self.0, At::Kind(_)) {
            out.push(0);
        }
    }

    const fn inside(left: u32, delimiter: bool) -> At {
        match (left, delimiter) {
            (0, _) => Self::new().0,
            (_, true) => At::Delimiter(left),
            (_, false) => At::Unit(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::avc::tests::hex;

    fn rewrite(picture: &[u8], piece: usize) -> Vec<u8> {
        let (mut rewriter, mut out) = (Rewriter::new(), Vec::new());
        picture.chunks(piece).for_each(|it| rewriter.push(it, &mut out));
        rewriter.end(&mut out);
        out
    }

    fn check(picture: &str, expected: &str) {
        for piece in [1, 2, 3, 100] {
            assert_eq!(rewrite(&hex(picture), piece), hex(expected), "{picture} in pieces of {piece}");
        }
    }

    #[test]
    fn lengths_become_start_codes_and_delimiters_zeros() {
        check("00000003 65aabb 00000001 41", "00000001 65aabb 00000001 41");
        check("00000002 09f0 00000002 65aa", "00000000 0000 00000001 65aa");
    }

    #[test]
    fn a_broken_picture_keeps_its_size() {
        check("00000000 00000002 65aa", "00000000 00000001 65aa");
        check("ffffffff 65aa", "00000001 65aa");
        check("00000002", "00000000");
        check("000000", "000000");
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter_and_no_byte_is_lost(
            picture in prop::collection::vec(0..12_u8, 0..64), piece in 1..9_usize,
        ) {
            let whole = rewrite(&picture, 64);
            prop_assert_eq!(whole.len(), picture.len());
            prop_assert_eq!(rewrite(&picture, piece), whole);
        }
    }
}
