//! Reading fields of single bits, and the byte stuffing of NAL units.

/// The input ended inside a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End;

/// A position in a bit string; every read is bounded by its end.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// An unsigned field of at most 32 bits.
    pub(super) fn read(&mut self, width: u32) -> Result<u32, End> {
        debug_assert!(width <= 32, "a field has at most 32 bits");
        let mut value = 0;
        for _ in 0..width {
            value = value << 1 | u32::from(self.flag()?);
        }
        Ok(value)
    }

    pub(super) fn byte(&mut self) -> Result<u8, End> {
        // Eight bits cannot exceed a byte.
        self.read(8).map(|it| it as u8)
    }

    pub(super) fn flag(&mut self) -> Result<bool, End> {
        let byte = self.bytes.get(self.at / 8).ok_or(End)?;
        let bit = byte << (self.at % 8) & 0x80;
        self.at = self.at.saturating_add(1);
        Ok(bit != 0)
    }

    /// ue(v): an unsigned Exp-Golomb number (ITU-T H.264 9.1).
    pub(super) fn unsigned(&mut self) -> Result<u32, End> {
        let mut zeros = 0_u32;
        while !self.flag()? {
            zeros = zeros.saturating_add(1);
            // The longest number a 32-bit field can carry; more zeros are no number.
            if zeros > 31 {
                return Err(End);
            }
        }
        let rest = self.read(zeros)?;
        Ok((1_u32 << zeros).saturating_sub(1).saturating_add(rest))
    }

    /// se(v): a signed Exp-Golomb number (ITU-T H.264 9.1.1).
    pub(super) fn signed(&mut self) -> Result<i32, End> {
        let coded = i64::from(self.unsigned()?);
        let magnitude = coded.saturating_add(1) / 2;
        let value = if coded % 2 == 0 { magnitude.saturating_neg() } else { magnitude };
        i32::try_from(value).map_err(|_| End)
    }

    pub(super) fn skip(&mut self, width: usize) -> Result<(), End> {
        let next = self.at.checked_add(width).ok_or(End)?;
        if next > self.bytes.len().saturating_mul(8) {
            return Err(End);
        }
        self.at = next;
        Ok(())
    }

    /// Moves to the next byte boundary.
    pub(super) const fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }

    /// How many octets hold what was read.
    pub(super) const fn octets(&self) -> usize {
        self.at.div_ceil(8)
    }

    /// Bits not read yet.
    pub(super) const fn left(&self) -> usize {
        self.bytes.len().saturating_mul(8).saturating_sub(self.at)
    }
}

/// The payload of a NAL unit without its emulation prevention bytes (ITU-T H.264 7.4.1).
pub(crate) fn unescape(nal: &[u8]) -> Vec<u8> {
    let mut rbsp = Vec::with_capacity(nal.len());
    let mut zeros = 0_usize;
    for &byte in nal {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros.saturating_add(1) } else { 0 };
        rbsp.push(byte);
    }
    rbsp
}

/// Writes a payload as a NAL unit has it: no three octets in it look like a start code (ITU-T H.264 7.4.1.1).
pub(crate) fn escape(rbsp: &[u8], out: &mut Vec<u8>) {
    let mut zeros = 0_usize;
    for &byte in rbsp {
        if zeros >= 2 && byte <= 3 {
            out.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros.saturating_add(1) } else { 0 };
        out.push(byte);
    }
    // A payload may not end in a zero, or the next unit would begin early.
    if zeros > 0 {
        out.push(3);
    }
}

/// How many octets of a NAL unit the first `octets` of its payload are, emulation prevention bytes included.
pub(super) fn escaped_length(nal: &[u8], octets: usize) -> usize {
    let (mut zeros, mut left, mut length) = (0_usize, octets, 0_usize);
    for &byte in nal {
        if left == 0 {
            break;
        }
        length = length.saturating_add(1);
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros.saturating_add(1) } else { 0 };
        left = left.saturating_sub(1);
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_golomb_numbers_count_up_and_alternate_in_sign() {
        // 1 010 011 00100 00101
        let bytes = [0b1010_0110, 0b0100_0010, 0b1000_0000];
        let mut bits = Bits::new(&bytes);
        assert_eq!((0..5).map(|_| bits.unsigned()).collect::<Vec<_>>(), [0, 1, 2, 3, 4].map(Ok));
        let mut bits = Bits::new(&bytes);
        assert_eq!((0..5).map(|_| bits.signed()).collect::<Vec<_>>(), [0, 1, -1, 2, -2].map(Ok));
    }

    #[test]
    fn no_read_goes_beyond_the_end() {
        let mut bits = Bits::new(&[0xff]);
        assert_eq!(bits.read(9), Err(End));
        assert_eq!(Bits::new(&[0; 9]).unsigned(), Err(End));
        assert_eq!(Bits::new(&[0; 1]).skip(9), Err(End));
    }

    #[test]
    fn only_a_three_after_two_zeros_is_stuffing() {
        let nal = [0, 0, 3, 1, 0, 3, 0, 0, 3];
        assert_eq!(unescape(&nal), [0, 0, 1, 0, 3, 0, 0]);
        let lengths = (0..=7).map(|it| escaped_length(&nal, it)).collect::<Vec<_>>();
        assert_eq!(lengths, [0, 1, 2, 4, 5, 6, 7, 8]);
    }
}
