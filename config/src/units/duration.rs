//! Lengths of time, written `333ms`, `2s`, `1h`.

use std::time::Duration;

/// Why a text is no length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It does not begin with a whole number.
    #[error("does not begin with a whole number")]
    Number,
    /// The number has no unit, so nobody knows what was meant.
    #[error("has no unit")]
    NoUnit,
    /// The unit is none we know.
    #[error("has a unit that is none of ms, s, m, h, d")]
    Unit,
    /// More than can be counted.
    #[error("is too long to count")]
    TooLong,
}

/// Units by name, largest first, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a whole number and a unit.
///
/// # Errors
/// [`Invalid`] says which half is wrong.
pub fn parse(text: &str) -> Result<Duration, Invalid> {
    let text = text.trim();
    let digits = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(Invalid::Number);
    }
    let unit = match unit.trim_start() {
        "" if number.bytes().all(|it| it == b'0') => return Ok(Duration::ZERO),
        "" => return Err(Invalid::NoUnit),
        unit => UNITS.iter().find(|(name, _)| *name == unit).ok_or(Invalid::Unit)?.1,
    };
    let number: u64 = number.parse().map_err(|_| Invalid::TooLong)?;
    number.checked_mul(unit).map(Duration::from_millis).ok_or(Invalid::TooLong)
}

/// Writes a length in the largest unit that leaves nothing over, so that reading it gives the same length;
/// what is below a millisecond is dropped.
pub fn show(length: Duration) -> String {
    let milliseconds = length.as_millis();
    let divides = |&&(_, unit): &&(&str, u64)| milliseconds.is_multiple_of(u128::from(unit));
    match UNITS.iter().find(divides) {
        Some((name, unit)) if milliseconds > 0 => format!("{}{name}", milliseconds / u128::from(*unit)),
        _ => "0s".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Result<u64, Invalid>) {
        assert_eq!(parse(text), expected.map(Duration::from_millis), "{text}");
    }

    #[test]
    fn a_number_and_a_unit_are_a_length() {
        check("333ms", Ok(333));
        check("2s", Ok(2_000));
        check(" 2 s ", Ok(2_000));
        check("5m", Ok(300_000));
        check("1h", Ok(3_600_000));
        check("365d", Ok(31_536_000_000));
        check("0", Ok(0));
    }

    #[test]
    fn what_is_no_length_says_which_half_is_wrong() {
        check("", Err(Invalid::Number));
        check("s", Err(Invalid::Number));
        check("-2s", Err(Invalid::Number));
        check("2", Err(Invalid::NoUnit));
        check("1.5s", Err(Invalid::Unit));
        check("2 sec", Err(Invalid::Unit));
        check("18446744073709551616ms", Err(Invalid::TooLong));
        check("18446744073709551615s", Err(Invalid::TooLong));
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(milliseconds: u64) {
            let length = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse(&show(length)), Ok(length));
        }
    }
}
