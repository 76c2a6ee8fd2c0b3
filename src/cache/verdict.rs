//! What is done for a request.

use std::time::{Duration, Instant};

use http::Method;

use super::freshness::Freshness;
use super::wish::Wish;
use crate::passage::{Behavior, Forward};

/// Whether a request has to do with the cache at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Approach {
    /// It is looked up, and may share a fetch.
    Share,
    /// It goes to the origin by itself and leaves nothing behind.
    Pass(Forward),
}

/// Judges method, body and policy. A policy without any lifetime neither keeps nor collapses (cloudfront.md 3.5). A body is
/// in no key and can be sent once, so what brings one, be it OPTIONS, shares nothing.
pub(super) fn approach(method: &Method, behavior: &Behavior, has_body: bool) -> Approach {
    let is_kept = !has_body
        && match *method {
            Method::GET | Method::HEAD => true,
            Method::OPTIONS => behavior.caches_options,
            _ => false,
        };
    let policy = &behavior.cache_policy;
    if !is_kept {
        Approach::Pass(Forward::Method)
    } else if policy.max_ttl.is_zero() {
        Approach::Pass(Forward::Bypass)
    } else {
        Approach::Share
    }
}

/// What a stored answer is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It is given, fresh for `ttl` more.
    Hit { ttl: Duration },
    /// It is given though it is stale: the viewer takes it.
    Stale,
    /// The origin is asked.
    Fetch(Forward),
}

/// Judges what is stored under a key, if anything, for a viewer who wishes so.
pub(super) fn decide(stored: Option<&Freshness>, wish: &Wish, now: Instant) -> Decision {
    let Some(stored) = stored else { return Decision::Fetch(Forward::UriMiss) };
    match stored.ttl(now) {
        Some(ttl) if wish.accepts(stored, now) => Decision::Hit { ttl },
        Some(_) => Decision::Fetch(Forward::Request),
        None if wish.accepts_stale(stored, now) => Decision::Stale,
        None => Decision::Fetch(Forward::Stale),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::freshness::Leeway;
    use crate::passage::example::Example;

    #[test]
    fn only_get_and_head_under_a_policy_that_keeps_have_to_do_with_the_cache() {
        let check = |method: Method, max_ttl: u64, expected| {
            let asked = Example::get("/a").policy(|it| it.max_ttl = Duration::from_secs(max_ttl)).admitted();
            assert_eq!(approach(&method, asked.routed().behavior(), false), expected);
        };
        check(Method::GET, 1, Approach::Share);
        check(Method::HEAD, 1, Approach::Share);
        check(Method::GET, 0, Approach::Pass(Forward::Bypass));
        check(Method::POST, 1, Approach::Pass(Forward::Method));
        check(Method::OPTIONS, 1, Approach::Pass(Forward::Method));
        let mut kept = Example::get("/a");
        kept.behavior.caches_options = true;
        let kept = kept.admitted();
        let approach = |has_body| approach(&Method::OPTIONS, kept.routed().behavior(), has_body);
        assert_eq!(approach(false), Approach::Share);
        assert_eq!(approach(true), Approach::Pass(Forward::Method));
    }

    #[test]
    fn an_answer_is_a_hit_until_its_lifetime_is_over() {
        let received = Instant::now();
        let freshness = Freshness {
            received,
            initial_age: Duration::from_secs(4),
            lifetime: Duration::from_secs(10),
            leeway: Leeway::default(),
        };
        let check = |seconds, expected| {
            let now = received + Duration::from_secs(seconds);
            assert_eq!(decide(Some(&freshness), &Wish::default(), now), expected);
        };
        check(0, Decision::Hit { ttl: Duration::from_secs(6) });
        check(5, Decision::Hit { ttl: Duration::from_secs(1) });
        check(6, Decision::Fetch(Forward::Stale));
        check(31_536_000, Decision::Fetch(Forward::Stale));
        assert_eq!(decide(None, &Wish::default(), received), Decision::Fetch(Forward::UriMiss));
    }
}
