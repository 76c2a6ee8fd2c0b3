//! How a web server has done lately: whether it is asked at all, and whether it is asked twice (http-edge.md 12).
//!
//! One that keeps failing is left alone for a while, so that viewers learn at once what they would learn after a timeout,
//! and it gets time to recover. Attempts beside the first are a share of all requests, so that they never multiply the
//! load of a server which fails because of its load.
//!
//! Viewers choose what is asked, and one who knows a path that takes for ever must not take the server from all others.
//! So what no connection stood for tells of the server, but what was not answered tells of it only where nothing else was
//! answered meanwhile; and while it is left alone for that, a request for another directory may see whether that was all.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::counter::Counter;
use crate::passage::Failure;

/// So many of the last requests are remembered.
const WINDOW: u32 = 10;

/// So many failures among them, or so many requests unanswered on end, and it is left alone.
const FAILURES: u32 = 5;

/// For so long; then one request is let through to see.
const OUT: Duration = Duration::from_secs(5);

/// Directories of unanswered requests that are remembered, of the thousands that there may be.
const DIRECTORIES: usize = 16;

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

/// What a request tells about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// Whether it goes over TLS: to another port, where viewers may choose.
    pub(super) secure: bool,
    /// A digest of its path without the last name.
    pub(super) directory: u64,
}

/// How it has done lately.
#[derive(Debug)]
pub(super) struct Standing {
    /// In the clear and over TLS.
    ports: [Mutex<Recent>; 2],
    budget: AtomicU32,
    pub(super) stats: Stats,
}

#[derive(Debug, Default)]
struct Recent {
    /// The last requests, the latest in the lowest bit; one is a connection that did not stand.
    unconnected: u32,
    /// Where requests were not answered since one was.
    unanswered: Vec<u64>,
    answered: Option<Instant>,
    out: Option<Out>,
}

/// Since it was left alone.
#[derive(Debug)]
struct Out {
    /// When the next request may go to see.
    until: Instant,
    /// When one for a directory in which all was answered may go; none: when any may.
    elsewhere: Option<Instant>,
}

impl Standing {
    pub(super) fn new() -> Self {
        Self { ports: Default::default(), budget: AtomicU32::new(MOST), stats: Stats::default() }
    }

    /// Whether a request may go to it now.
    pub(super) fn admit(&self, target: Target, now: Instant) -> Result<(), Failure> {
        if !self.recent(target.secure).admits(target.directory, now) {
            self.stats.spared.add_one();
            return Err(Failure::Unreachable("too many of its last requests failed".into()));
        }
        self.stats.requests.add_one();
        self.deposit();
        Ok(())
    }

    /// What became of a request that was sent then; only whether there was an answer counts, whatever it says.
    pub(super) fn record<T>(&self, target: Target, answer: &Result<T, Failure>, sent: Instant, now: Instant) {
        let mut recent = self.recent(target.secure);
        match answer {
            Ok(_) => return recent.answers(now),
            Err(Failure::Unreachable(_)) => recent.is_unconnected(sent, now),
            Err(failure) if failure.is_silence() => recent.is_silent(target.directory, sent, now),
            Err(_) => return,
        }
        self.stats.failures.add_one();
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
        [false, true].into_iter().any(|secure| self.recent(secure).out.is_some())
    }

    fn recent(&self, secure: bool) -> MutexGuard<'_, Recent> {
        self.ports[usize::from(secure)].lock().expect("nothing panics with it")
    }
}

impl Recent {
    fn admits(&mut self, directory: u64, now: Instant) -> bool {
        let is_elsewhere = !self.unanswered.contains(&directory);
        let Some(out) = &mut self.out else { return true };
        let gate = match &mut out.elsewhere {
            Some(elsewhere) if is_elsewhere => elsewhere,
            _ => &mut out.until,
        };
        if now < *gate {
            return false;
        }
        // One goes to see; who comes while it is under way is spared still.
        *gate = now + OUT;
        true
    }

    fn answers(&mut self, now: Instant) {
        if self.out.take().is_some() {
            self.unconnected = 0;
        }
        self.unconnected = (self.unconnected << 1) & ((1 << WINDOW) - 1);
        self.unanswered.clear();
        self.answered = Some(now);
    }

    fn is_unconnected(&mut self, sent: Instant, now: Instant) {
        if let Some(out) = &mut self.out {
            return out.saw_nothing(sent, now);
        }
        self.unconnected = (self.unconnected << 1 | 1) & ((1 << WINDOW) - 1);
        if self.unconnected.count_ones() >= FAILURES {
            self.out = Some(Out { until: now + OUT, elsewhere: None });
        }
    }

    fn is_silent(&mut self, directory: u64, sent: Instant, now: Instant) {
        // Others were answered while it waited: it tells of its path.
        if self.answered.is_some_and(|it| it > sent) {
            return;
        }
        if self.unanswered.len() < DIRECTORIES {
            self.unanswered.push(directory);
        }
        match &mut self.out {
            Some(out) => out.saw_nothing(sent, now),
            None if self.unanswered.len() >= FAILURES as usize => {
                self.out = Some(Out { until: now + OUT, elsewhere: Some(now) });
            }
            None => {}
        }
    }
}

impl Out {
    /// What was under way before is nothing new; who went to see is.
    fn saw_nothing(&mut self, sent: Instant, now: Instant) {
        for gate in [Some(&mut self.until), self.elsewhere.as_mut()].into_iter().flatten() {
            if *gate == sent + OUT {
                *gate = now + OUT;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Target = Target { secure: false, directory: 1 };

    const fn silent() -> Result<(), Failure> {
        Err(Failure::TimedOut(OUT))
    }

    fn unconnected() -> Result<(), Failure> {
        Err(Failure::Unreachable("refused".into()))
    }

    #[test]
    fn five_failures_of_ten_and_it_is_left_alone_until_one_goes_well() {
        let (it, start) = (Standing::new(), Instant::now());
        let at = |ms: u64| start + Duration::from_millis(ms);
        for _ in 0..4 {
            it.record(HERE, &unconnected(), start, start);
            it.record(HERE, &Ok(()), start, start);
        }
        assert!(it.admit(HERE, start).is_ok());
        it.record(HERE, &unconnected(), start, start);
        assert!(it.admit(HERE, at(4_999)).is_err() && it.is_out());
        // One goes to see, the others are spared.
        assert!(it.admit(HERE, at(5_000)).is_ok());
        assert!(it.admit(HERE, at(5_001)).is_err());
        it.record(HERE, &unconnected(), at(100), at(5_900));
        it.record(HERE, &unconnected(), at(5_000), at(6_000));
        assert!(it.admit(HERE, at(10_999)).is_err());
        assert!(it.admit(HERE, at(11_000)).is_ok());
        it.record(HERE, &Ok(()), at(11_000), at(11_001));
        assert!(it.admit(HERE, at(11_002)).is_ok() && !it.is_out());
        // What was before is forgotten.
        for _ in 0..4 {
            it.record(HERE, &unconnected(), at(11_003), at(11_003));
        }
        assert!(it.admit(HERE, at(11_004)).is_ok());
    }

    #[test]
    fn one_that_answers_nobody_five_times_on_end_is_left_alone() {
        let (it, start) = (Standing::new(), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        for _ in 0..4 {
            it.record(HERE, &silent(), at(0), at(30));
        }
        assert!(it.admit(HERE, at(30)).is_ok());
        it.record(HERE, &Err::<(), _>(Failure::HungUp("reset".into())), at(0), at(30));
        assert!(it.admit(HERE, at(31)).is_err() && it.is_out());
        assert_eq!(it.stats.failures.count(), 5);
    }

    #[test]
    fn a_path_that_takes_for_ever_is_taken_from_nobody_else() {
        let (it, start) = (Standing::new(), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        for round in 0..10 {
            it.record(HERE, &Ok(()), at(round), at(round + 20));
            (0..10).for_each(|_| it.record(HERE, &silent(), at(round), at(round + 30)));
        }
        assert!(it.admit(HERE, at(100)).is_ok() && !it.is_out());
    }

    #[test]
    fn while_one_directory_answers_nobody_another_is_asked_whether_it_does() {
        let (it, start) = (Standing::new(), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let (there, far) = (Target { directory: 2, ..HERE }, Target { directory: 3, ..HERE });
        (0..5).for_each(|_| it.record(HERE, &silent(), at(0), at(30)));
        assert!(it.admit(HERE, at(30)).is_err());
        assert!(it.admit(there, at(31)).is_ok());
        assert!(it.admit(far, at(32)).is_err(), "one at a time");
        // It was not answered either, and counts to the same from then on.
        it.record(there, &silent(), at(31), at(60));
        assert!(it.admit(HERE, at(60)).is_ok());
        assert!(it.admit(there, at(60)).is_err());
        assert!(it.admit(far, at(65)).is_ok());
        it.record(far, &Ok(()), at(65), at(66));
        assert!(it.admit(HERE, at(66)).is_ok() && !it.is_out());
        // Those that were under way meanwhile say nothing of the server.
        (0..9).for_each(|_| it.record(HERE, &silent(), at(60), at(90)));
        assert!(!it.is_out());
    }

    #[test]
    fn a_port_that_nobody_listens_on_is_not_the_other_one() {
        let (it, now) = (Standing::new(), Instant::now());
        let secure = Target { secure: true, ..HERE };
        (0..5).for_each(|_| it.record(secure, &unconnected(), now, now));
        assert!(it.admit(secure, now).is_err() && it.admit(HERE, now).is_ok());
    }

    #[test]
    fn one_that_went_to_see_and_never_came_back_is_followed_by_another() {
        let (it, start) = (Standing::new(), Instant::now());
        for _ in 0..5 {
            it.record(HERE, &unconnected(), start, start);
        }
        assert!(it.admit(HERE, start + OUT).is_ok());
        assert!(it.admit(HERE, start + OUT).is_err());
        assert!(it.admit(HERE, start + OUT * 2).is_ok());
    }

    #[test]
    fn failures_that_lie_further_back_do_not_count_nor_does_what_is_no_failure_of_its_own() {
        let (it, now) = (Standing::new(), Instant::now());
        for _ in 0..20 {
            it.record(HERE, &unconnected(), now, now);
            (0..2).for_each(|_| it.record(HERE, &Ok(()), now, now));
            it.record(HERE, &Err::<(), _>(Failure::Looped), now, now);
        }
        assert!(it.admit(HERE, now).is_ok());
    }

    #[test]
    fn one_attempt_in_ten_is_a_further_one() {
        let (it, now) = (Standing::new(), Instant::now());
        assert_eq!((0..100).filter(|_| it.may_retry()).count(), 10);
        let retries = (0..1_000).filter(|_| it.admit(HERE, now).is_ok() && it.may_retry()).count();
        assert_eq!(retries, 100);
        assert_eq!((it.stats.requests.count(), it.stats.retries.count()), (1_000, 110));
    }
}
