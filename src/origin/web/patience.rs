//! How long an answer may take.

use std::time::Duration;

use tokio::time::Instant;

use crate::passage::Failure;

/// How long it may be silent, and by when it is to have ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) silence: Duration,
    end: Option<(Instant, Duration)>,
}

impl Patience {
    /// Of who begins to wait now, for no longer than `completion` altogether.
    pub(super) fn from_now(silence: Duration, completion: Option<Duration>) -> Self {
        Self { silence, end: completion.map(|it| (Instant::now() + it, it)) }
    }

    /// The same end, with another bound on silence.
    pub(super) const fn with_silence(self, silence: Duration) -> Self {
        Self { silence, ..self }
    }

    /// How long to wait for what comes next.
    pub(super) fn left(&self) -> Duration {
        let end = self.end.map(|(end, _)| end.saturating_duration_since(Instant::now()));
        end.map_or(self.silence, |it| it.min(self.silence))
    }

    /// Whether all of its time is used up.
    pub(super) fn is_over(&self) -> bool {
        self.end.is_some_and(|(end, _)| end <= Instant::now())
    }

    /// Why it ended.
    pub(super) fn failure(&self) -> Failure {
        match self.end {
            Some((_, whole)) if self.is_over() => Failure::TimedOut(whole),
            _ => Failure::TimedOut(self.silence),
        }
    }
}
