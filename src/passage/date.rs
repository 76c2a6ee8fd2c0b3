//! Dates in fields: the three forms there are, and no fourth (http-edge.md 2, RFC 9110 5.6.7).
//!
//! What reads other forms too keeps an answer that its origin meant to have expired: `Expires: 0` has many spellings.

use std::time::{Duration, SystemTime};

use http::HeaderValue;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// A year of two digits means no year that is further away than this.
const FARTHEST: Duration = Duration::from_secs(50 * 365 * 86_400 + 12 * 86_400);

/// How much earlier than an answer was made a thing must have been changed for that date to name its octets: what changes
/// twice in a second has one date for two versions, and clocks differ (RFC 9110 8.8.2.2; http-edge.md 7).
const STRONG_AFTER: Duration = Duration::from_secs(60);

/// Whether a last modification is a strong validator in an answer that was made at `made`.
pub fn is_strong(modified: SystemTime, made: SystemTime) -> bool {
    modified.checked_add(STRONG_AFTER).is_some_and(|it| it <= made)
}

/// The moment that a field names; none where it names none. The case of letters does not matter.
pub fn parse(value: &HeaderValue, now: SystemTime) -> Option<SystemTime> {
    let text = value.to_str().ok()?.to_ascii_lowercase();
    let words: Vec<&str> = text.splitn(8, ' ').collect();
    match *words.as_slice() {
        [weekday, day, month, year, time, "gmt"] => {
            is_weekday(weekday.strip_suffix(',')?, Some(3)).then_some(())?;
            moment(digits(year, 4)?, month, digits(day, 2)?, time)
        }
        [weekday, date, time, "gmt"] => {
            is_weekday(weekday.strip_suffix(',')?, None).then_some(())?;
            let mut parts = date.split('-');
            let (day, month, year, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
                return None;
            };
            let (day, year) = (digits(day, 2)?, digits(year, 2)?);
            let recent = moment(2000 + year, month, day, time)?;
            let is_too_far = recent.duration_since(now).is_ok_and(|it| it > FARTHEST);
            if is_too_far { moment(1900 + year, month, day, time) } else { Some(recent) }
        }
        [weekday, month, "", day, time, year] => asctime(weekday, month, digits(day, 1)?, time, year),
        [weekday, month, day, time, year] => asctime(weekday, month, digits(day, 2)?, time, year),
        _ => None,
    }
}

fn asctime(weekday: &str, month: &str, day: i16, time: &str, year: &str) -> Option<SystemTime> {
    is_weekday(weekday, Some(3)).then_some(())?;
    moment(digits(year, 4)?, month, day, time)
}

/// Whether it is a day's name, whole or so many letters of it. Which day it was is not held against the date.
fn is_weekday(text: &str, letters: Option<usize>) -> bool {
    WEEKDAYS.iter().any(|it| it.get(..letters.unwrap_or(it.len())) == Some(text))
}

fn moment(year: i16, month: &str, day: i16, time: &str) -> Option<SystemTime> {
    let month = MONTHS.iter().position(|it| *it == month)? + 1;
    let mut parts = time.split(':').map(|it| digits(it, 2));
    let (hour, minute, second, None) = (parts.next()??, parts.next()??, parts.next()??, parts.next()) else {
        return None;
    };
    // The second that is added to some days has no place in the clock's count.
    let second = if second == 60 { 59 } else { second };
    let [month, day, hour, minute, second] =
        [i16::try_from(month).ok()?, day, hour, minute, second].map(|it| i8::try_from(it).ok());
    let date = DateTime::new(year, month?, day?, hour?, minute?, second?, 0).ok()?;
    // The last day of the year 9999 is said by those who mean "never", and is more than can be counted here.
    let moment = SystemTime::from(Offset::UTC.to_timestamp(date).unwrap_or(Timestamp::MAX));
    (moment >= SystemTime::UNIX_EPOCH).then_some(moment)
}

/// So many digits.
fn digits(text: &str, count: usize) -> Option<i16> {
    (text.len() == count && text.bytes().all(|it| it.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT.
    const LONG_AGO: u64 = 784_111_777;

    /// Thu, 30 Dec 9999 22:00:00 GMT.
    const LAST: u64 = 253_402_207_200;

    /// Sun, 15 Jun 2025 12:00:00 GMT.
    const NOW: u64 = 1_749_988_800;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn check(text: &str, expected: Option<u64>) {
        let found = parse(&HeaderValue::try_from(text).unwrap(), at(NOW));
        let seconds = found.map(|it| it.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs());
        assert_eq!(seconds, expected, "{text:?}");
    }

    #[test]
    fn section_2_a_date_has_three_forms_whatever_the_case_of_their_letters() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "sun, 06 NOV 1994 08:49:37 gmt",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "SUNDAY, 06-nov-94 08:49:37 Gmt",
            "Sun Nov  6 08:49:37 1994",
            "Sun Nov 06 08:49:37 1994",
        ] {
            check(text, Some(LONG_AGO));
        }
        check("Thu, 01 Jan 2099 00:00:00 GMT", Some(4_070_908_800));
        check("Fri, 31 Dec 9999 23:59:59 GMT", Some(LAST));
        check("Sat, 31 Dec 2016 23:59:60 GMT", Some(1_483_228_799));
    }

    #[test]
    fn section_2_a_year_of_two_digits_is_within_fifty_years() {
        check("Wednesday, 01-Jan-75 00:00:00 GMT", Some(3_313_526_400));
        check("Thursday, 01-Jan-76 00:00:00 GMT", Some(189_302_400));
        check("Sunday, 15-Jun-25 12:00:00 GMT", Some(NOW));
    }

    #[test]
    fn section_2_whatever_is_almost_a_date_is_none() {
        for text in [
            "0",
            "-1",
            "",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun 06 Nov 1994 08:49:37 GMT",
            "Sun,  06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994  08:49:37 GMT",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 06 Nov 1994 08.49.37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 Noe 1994 08:49:37 GMT",
            "Day, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06-Nov-94 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 UTC",
            "Sun Nov 6 08:49:37 1994",
            "Sun Nov  6 08:49:37 1994 GMT",
            "Sun, Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 GMT ",
            "Sun, 06 Nov 1969 08:49:37 GMT",
        ] {
            check(text, None);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds in 0..LAST) {
            let text = HeaderValue::try_from(httpdate::fmt_http_date(at(seconds))).unwrap();
            prop_assert_eq!(parse(&text, at(NOW)), Some(at(seconds)));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[ -~]{0,40}") {
            let _ = parse(&HeaderValue::try_from(text).unwrap(), at(NOW));
        }
    }
}
