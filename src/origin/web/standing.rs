//! How a web server has done lately: whether it is asked at all, and whether it is asked twice (http-edge.md 12).
//!
//! One that keeps failing is left alone for a while, so that viewers learn at once what they would learn after a timeout,
//! and it gets time to recover. Attempts beside the first are a share of all requests, so that they never multiply the
//! load of a server which fails because of its load.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::counter::Counter;
use crate::passage::Failure;

/// So many of the last requests are remembered.
const WINDOW: u32 = 10;

/// So many failures among them, and it is left alone.
const FAILURES: u32 = 5;

/// For so long; then one request is let through to see.
const OUT: Duration = Duration::from_secs(5);

/// What a request adds to the budget of further attempts, of which each takes ten: at most one in ten.
const SHARE: u32 = 1;
const ATTEMPT: u32 = 10;

/// What the budget holds at most, and at first: enough for an origin that is rarely asked.
const MOST: u32 = 10 * ATTEMPT;

/// What was asked of it, for the books.
#[derive(Debug, Default)]
pub(in crate::origin) struct Stats {
    /// Requests, further attempts not counted.
    pub(in crate::origin) requests: Counter,
    /// Requests that got no answer.
    pub(in crate::origin) failures: Counter,
    /// Further attempts.
    pub(in crate::origin) retries: Counter,
    /// Requests it was spared.
    pub(in crate::origin) spared: Counter,
}

/// How it has done lately.
#[derive(Debug)]
pub(super) struct Standing {
    recent: Mutex<Recent>,
    budget: AtomicU32,
    pub(super) stats: Stats,
}

#[derive(Debug, Default)]
struct Recent {
    /// The last requests, the latest in the lowest bit; one is a failure.
    failures: u32,
    /// Since it was left alone: when the next request may go to see.
    out_until: Option<Instant>,
}

impl Standing {
    pub(super) fn new() -> Self {
        Self { recent: Mutex::default(), budget: AtomicU32::new(MOST), stats: Stats::default() }
    }

    /// Whether a request may go to it now.
    pub(super) fn admit(&self, now: Instant) -> Result<(), Failure> {
        let mut recent = self.recent.lock().expect("nothing panics with it");
        match recent.out_until {
            Some(until) if now < until => {
                self.stats.spared.add_one();
                Err(Failure::Unreachable(format!("{FAILURES} of its last {WINDOW} requests failed")))
            }
            out => {
                // One goes to see; who comes while it is under way is spared still.
                recent.out_until = out.map(|_| now + OUT);
                self.stats.requests.add_one();
                self.deposit();
                Ok(())
            }
        }
    }

    /// What became of a request that was sent then; only whether there was an answer counts, whatever it says.
    pub(super) fn record<T>(&self, answer: &Result<T, Failure>, sent: Instant, now: Instant) {
        let failed = match answer {
            Ok(_) => false,
            Err(failure) if failure.is_silence() => true,
            Err(_) => return,
        };
        let mut recent = self.recent.lock().expect("nothing panics with it");
        if failed {
            self.stats.failures.add_one();
        }
        match recent.out_until {
            Some(_) if !failed => *recent = Recent::default(),
            // It went to see.
            Some(until) if until == sent + OUT => recent.out_until = Some(now + OUT),
            // It was under way before: nothing new.
            Some(_) => {}
            None => {
                recent.failures = (recent.failures << 1 | u32::from(failed)) & ((1 << WINDOW) - 1);
                if recent.failures.count_ones() >= FAILURES {
                    recent.out_until = Some(now + OUT);
                }
            }
        }
    }

    /// Whether a request that got no answer may be sent once more.
    pub(super) fn may_retry(&self) -> bool {
        let take = |it: u32| it.checked_sub(ATTEMPT);
        let may = self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        if may {
            self.stats.retries.add_one();
        }
        may
    }

    fn deposit(&self) {
        let add = |it: u32| (it < MOST).then_some(it + SHARE);
        // A full budget stays so.
        let _ = self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Whether it is left alone now.
    pub(super) fn is_out(&self) -> bool {
        self.recent.lock().expect("nothing panics with it").out_until.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn failed() -> Result<(), Failure> {
        Err(Failure::TimedOut(OUT))
    }

    #[test]
    fn five_failures_of_ten_and_it_is_left_alone_until_one_goes_well() {
        let (it, start) = (Standing::new(), Instant::now());
        let at = |ms: u64| start + Duration::from_millis(ms);
        for _ in 0..4 {
            it.record(&failed(), start, start);
            it.record(&Ok(()), start, start);
        }
        assert!(it.admit(start).is_ok());
        it.record(&failed(), start, start);
        assert!(it.admit(at(4_999)).is_err() && it.is_out());
        // One goes to see, the others are spared.
        assert!(it.admit(at(5_000)).is_ok());
        assert!(it.admit(at(5_001)).is_err());
        it.record(&failed(), at(100), at(5_900));
        it.record(&failed(), at(5_000), at(6_000));
        assert!(it.admit(at(10_999)).is_err());
        assert!(it.admit(at(11_000)).is_ok());
        it.record(&Ok(()), at(11_000), at(11_001));
        assert!(it.admit(at(11_002)).is_ok() && !it.is_out());
        // What was before is forgotten.
        for _ in 0..4 {
            it.record(&failed(), at(11_003), at(11_003));
        }
        assert!(it.admit(at(11_004)).is_ok());
    }

    #[test]
    fn one_that_went_to_see_and_never_came_back_is_followed_by_another() {
        let (it, start) = (Standing::new(), Instant::now());
        for _ in 0..5 {
            it.record(&failed(), start, start);
        }
        assert!(it.admit(start + OUT).is_ok());
        assert!(it.admit(start + OUT).is_err());
        assert!(it.admit(start + OUT * 2).is_ok());
    }

    #[test]
    fn failures_that_lie_further_back_do_not_count_nor_does_what_is_no_failure_of_its_own() {
        let (it, now) = (Standing::new(), Instant::now());
        for _ in 0..20 {
            it.record(&failed(), now, now);
            (0..2).for_each(|_| it.record(&Ok(()), now, now));
            it.record(&Err::<(), _>(Failure::Looped), now, now);
        }
        assert!(it.admit(now).is_ok());
    }

    #[test]
    fn one_attempt_in_ten_is_a_further_one() {
        let (it, now) = (Standing::new(), Instant::now());
        assert_eq!((0..100).filter(|_| it.may_retry()).count(), 10);
        let retries = (0..1_000).filter(|_| it.admit(now).is_ok() && it.may_retry()).count();
        assert_eq!(retries, 100);
        assert_eq!((it.stats.requests.count(), it.stats.retries.count()), (1_000, 110));
    }
}
