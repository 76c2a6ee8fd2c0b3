//! How long a disk that failed is left alone.

use std::time::{Duration, Instant};

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// Twice as long after each failure, until something succeeds.
#[derive(Debug, Default)]
pub(super) struct Rest {
    until: Option<Instant>,
    last: Duration,
}

impl Rest {
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.until.is_none_or(|it| it <= now)
    }

    /// After a failure; gives how long it rests.
    pub(super) fn begin(&mut self, now: Instant) -> Duration {
        self.last = (self.last * 2).clamp(SHORTEST, LONGEST);
        self.until = Some(now + self.last);
        self.last
    }

    pub(super) fn end(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_a_minute_and_ends_with_a_success() {
        let (mut rest, now) = (Rest::default(), Instant::now());
        assert!(rest.is_over(now));
        let rests: Vec<_> = (0..8).map(|_| rest.begin(now).as_secs()).collect();
        assert_eq!(rests, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(!rest.is_over(now + Duration::from_secs(59)) && rest.is_over(now + Duration::from_secs(60)));
        rest.end();
        assert_eq!(rest.begin(now), SHORTEST);
    }
}
