//! Sizes in bytes, written `512 MiB`.

use std::fmt;
use std::str::FromStr;

/// Bytes, written `512 MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// Why a text is no size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It does not begin with a whole number.
    #[error("does not begin with a whole number")]
    Number,
    /// The number has no unit, so nobody knows what was meant.
    #[error("has no unit")]
    NoUnit,
    /// The unit is none we know.
    #[error("has a unit that is none of B, KiB, MiB, GiB, TiB, kB, MB, GB, TB")]
    Unit,
    /// More than can be counted.
    #[error("is too large to count")]
    TooLarge,
}

/// Binary units by name, largest first.
const BINARY: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Decimal units are read, since disks are sold in them, and never written.
const DECIMAL: [(&str, u64); 4] =
    [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];

impl FromStr for ByteSize {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        let digits = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        if number.is_empty() {
            return Err(Invalid::Number);
        }
        let unit = match unit.trim_start() {
            "" => return Err(Invalid::NoUnit),
            unit => BINARY.iter().chain(&DECIMAL).find(|(name, _)| *name == unit).ok_or(Invalid::Unit)?.1,
        };
        let number: u64 = number.parse().map_err(|_| Invalid::TooLarge)?;
        number.checked_mul(unit).map(Self).ok_or(Invalid::TooLarge)
    }
}

/// In the largest binary unit that leaves nothing over, so that reading it gives the same size.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match BINARY.iter().find(|(_, unit)| self.0.is_multiple_of(*unit)) {
            Some((name, unit)) if self.0 > 0 => write!(f, "{} {name}", self.0 / unit),
            _ => write!(f, "{} B", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Result<u64, Invalid>) {
        assert_eq!(text.parse(), expected.map(ByteSize), "{text}");
    }

    #[test]
    fn a_number_and_a_unit_are_a_size() {
        check("512 MiB", Ok(536_870_912));
        check("512MiB", Ok(536_870_912));
        check("0 B", Ok(0));
        check("3 kB", Ok(3_000));
        check("2 GB", Ok(2_000_000_000));
    }

    #[test]
    fn what_is_no_size_says_which_half_is_wrong() {
        check("MiB", Err(Invalid::Number));
        check("512", Err(Invalid::NoUnit));
        check("512 mb", Err(Invalid::Unit));
        check("1.5 GiB", Err(Invalid::Unit));
        check("99999999999 TiB", Err(Invalid::TooLarge));
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(bytes: u64) {
            prop_assert_eq!(ByteSize(bytes).to_string().parse(), Ok(ByteSize(bytes)));
        }
    }
}
