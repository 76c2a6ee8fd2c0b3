//! Times as subtitles write them.

use std::fmt;
use std::ops::Range;

/// Longer than anything is; no sum of these comes near the end of its type.
const MAX_HOURS: u64 = 999_999;

/// Milliseconds, written `hh:mm:ss.mmm`.
pub(super) struct Stamp(pub(super) u64);

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, milliseconds) = (self.0 / 1_000, self.0 % 1_000);
        let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(f, "{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}")
    }
}

/// Milliseconds of `[h:]m:s[.f]`, also with a comma: both formats are seen with the sign of the other.
pub(super) fn parse(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let scale = match fraction.len() {
        1 => 100,
        2 => 10,
        3 => 1,
        _ => return None,
    };
    let mut fields = whole.rsplit(':');
    let (seconds, minutes) = (number(fields.next()?)?, number(fields.next()?)?);
    let hours = fields.next().map_or(Some(0), number)?;
    let sensible = seconds < 60 && minutes < 60 && hours <= MAX_HOURS && fields.next().is_none();
    sensible.then_some(())?;
    Some(((hours * 60 + minutes) * 60 + seconds) * 1_000 + number(fraction)? * scale)
}

/// A line of times: from when to when, and what stands behind.
pub(super) fn range(line: &str) -> Option<(Range<u64>, &str)> {
    let (start, rest) = line.split_once("-->")?;
    let rest = rest.trim();
    let (end, rest) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    Some((parse(start.trim())?..parse(end)?, rest.trim()))
}

fn number(digits: &str) -> Option<u64> {
    let plain = (1..=6).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_may_be_missing_or_have_many_digits() {
        assert_eq!(parse("01:02.003"), Some(62_003));
        assert_eq!(parse("100:00:00.000"), Some(360_000_000));
        assert_eq!(parse("1:02:03,4"), Some(3_723_400));
        assert_eq!(parse("00:00:07"), Some(7_000));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "1",
            "00:60.000",
            "60:00.000",
            "1:1:1:1.000",
            "-1:00.000",
            "00:01.0000",
            "+1:00",
            "9999999:00:00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(range("1 --> 2"), None);
    }

    #[test]
    fn a_time_is_written_with_two_digits_of_hours_at_least() {
        assert_eq!(Stamp(3_723_004).to_string(), "01:02:03.004");
        assert_eq!(Stamp(360_000_000).to_string(), "100:00:00.000");
    }

    #[test]
    fn a_line_of_times_may_say_more_behind_them() {
        assert_eq!(
            range("00:01.000 --> 00:02.000\tline:0  align:start "),
            Some((1_000..2_000, "line:0  align:start"))
        );
        assert_eq!(range("00:01.000-->00:02.000"), Some((1_000..2_000, "")));
    }
}
