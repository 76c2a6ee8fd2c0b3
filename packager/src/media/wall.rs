//! Wall-clock times as manifests print them.

use std::time::SystemTime;

/// `at` as RFC 3339 in UTC with three decimals, such as `2026-02-03T10:00:00.000Z`: what `EXT-X-PROGRAM-DATE-TIME`
/// and `xs:dateTime` take. A time no calendar has is the calendar's nearest.
pub fn date_time(at: SystemTime) -> String {
    let at = jiff::Timestamp::try_from(at).unwrap_or(if at < SystemTime::UNIX_EPOCH {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    });
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_time_prints_with_milliseconds_and_a_z() {
        let at = |ms| date_time(SystemTime::UNIX_EPOCH + Duration::from_millis(ms));
        assert_eq!(at(1_770_112_800_000), "2026-02-03T10:00:00.000Z");
        assert_eq!(at(1_770_112_800_123), "2026-02-03T10:00:00.123Z");
        assert_eq!(date_time(SystemTime::UNIX_EPOCH - Duration::from_millis(1)), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn a_time_beyond_the_calendar_is_its_last() {
        assert_eq!(
            date_time(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 50)),
            "9999-12-30T22:00:00.999Z"
        );
    }
}
