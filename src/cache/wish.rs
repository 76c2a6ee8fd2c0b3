//! What a viewer's `Cache-Control` asks of caches, under a policy that honors it (http-edge.md 3, RFC 9111 5.2.1).

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::time::{Duration, Instant};

use config::cache::{CachePolicy, RequestDirectives};
use http::HeaderMap;
use http::header::{CACHE_CONTROL, PRAGMA};

use super::directives::{members, seconds};
use super::freshness::Freshness;

/// What a viewer asks for; nothing in particular by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    /// What comes is kept nowhere.
    pub(super) no_store: bool,
    /// The origin is not asked.
    pub(super) only_if_cached: bool,
    no_cache: bool,
    max_age: Option<Duration>,
    min_fresh: Duration,
    /// How stale an answer may be.
    max_stale: Duration,
}

impl Wish {
    /// What these fields of a request come to under a policy. CloudFront ignores them, and so does a policy that does not
    /// say otherwise (cloudfront.md 3.4): any viewer could have every origin asked as often as he likes.
    pub(super) fn of(headers: &HeaderMap, policy: &CachePolicy) -> Self {
        let mut it = Self::default();
        if policy.request_directives == RequestDirectives::Ignore {
            return it;
        }
        if !headers.contains_key(CACHE_CONTROL) {
            let pragma = headers.get_all(PRAGMA).iter();
            it.no_cache = pragma.flat_map(members).any(|member| member.eq_ignore_ascii_case(b"no-cache"));
            return it;
        }
        for member in headers.get_all(CACHE_CONTROL).iter().flat_map(members) {
            let mut halves = member.splitn(2, |&it| it == b'=');
            let (name, argument) = (halves.next().unwrap_or_default(), halves.next());
            match name.to_ascii_lowercase().as_slice() {
                b"no-store" => it.no_store = true,
                b"no-cache" => it.no_cache = true,
                b"only-if-cached" => it.only_if_cached = true,
                b"max-age" => it.max_age = Some(seconds(argument)),
                b"min-fresh" => it.min_fresh = seconds(argument),
                // Without a number any staleness is fine.
                b"max-stale" => it.max_stale = argument.map_or(Duration::MAX, |it| seconds(Some(it))),
                _ => {}
            }
        }
        it
    }

    /// Whether an answer that is fresh is fresh enough.
    pub(super) fn accepts(&self, freshness: &Freshness, now: Instant) -> bool {
        let is_young = self.max_age.is_none_or(|it| freshness.age(now) <= it);
        let lasts = freshness.ttl(now).is_some_and(|it| it >= self.min_fresh);
        !self.no_cache && is_young && lasts
    }

    /// Whether an answer that is stale will do, where its origin does not forbid it.
    pub(super) fn accepts_stale(&self, freshness: &Freshness, now: Instant) -> bool {
        let is_young = self.max_age.is_none_or(|it| freshness.age(now) <= it);
        let may_be_given = !freshness.leeway.origin_fails.is_zero() && self.min_fresh.is_zero();
        let since = freshness.stale_for(now).unwrap_or_default();
        !self.no_cache && is_young && may_be_given && since < self.max_stale
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::freshness::Leeway;
    use crate::passage::example::Example;

    fn wish(honored: RequestDirectives, lines: &[(&'static str, &'static str)]) -> Wish {
        let asked = Example::get("/a").policy(|it| it.request_directives = honored).admitted();
        let headers = lines.iter().map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Wish::of(&headers.collect(), &asked.routed().behavior().cache_policy)
    }

    /// Of an answer that is four seconds old and lives for ten, looked at some time later.
    fn check(line: &'static str, later: u64, fresh: bool, stale: bool) {
        let wish = wish(RequestDirectives::Honor, &[("cache-control", line)]);
        let (received, minute) = (Instant::now(), Duration::from_secs(60));
        let freshness = Freshness {
            received,
            initial_age: Duration::from_secs(4),
            lifetime: Duration::from_secs(10),
            leeway: Leeway { origin_fails: minute, keep: minute, ..Leeway::default() },
        };
        let now = received.checked_add(Duration::from_secs(later)).expect("it is soon");
        assert_eq!(wish.accepts(&freshness, now), fresh, "{line} {later}");
        assert_eq!(wish.accepts_stale(&freshness, now), stale, "{line} {later}");
    }

    #[test]
    fn section_3_a_viewer_may_ask_for_younger_or_take_older() {
        check("max-age=4", 0, true, false);
        check("max-age=3", 0, false, false);
        check("max-age=x", 0, false, false);
        check("min-fresh=6", 0, true, false);
        check("min-fresh=7", 0, false, false);
        check("no-cache", 0, false, false);
        check("max-stale", 7, false, true);
        check("max-stale=2", 7, false, true);
        check("max-stale=1", 7, false, false);
        check("max-stale=60, max-age=5", 7, false, false);
        check("unknown, other=\"no-cache\"", 0, true, false);
    }

    #[test]
    fn section_3_pragma_counts_where_there_is_no_cache_control() {
        let of = |lines: &[(&'static str, &'static str)]| wish(RequestDirectives::Honor, lines).no_cache;
        assert!(of(&[("pragma", "No-Cache")]));
        assert!(!of(&[("pragma", "no-cache"), ("cache-control", "max-age=60")]));
        assert!(!of(&[("pragma", "cache")]));
    }

    #[test]
    fn section_3_a_viewer_is_not_heard_unless_the_policy_says_so() {
        let lines = [("cache-control", "no-cache, no-store, only-if-cached"), ("pragma", "no-cache")];
        assert_eq!(wish(RequestDirectives::Ignore, &lines), Wish::default());
        let heard = wish(RequestDirectives::Honor, &lines);
        assert!(heard.no_cache && heard.no_store && heard.only_if_cached);
    }
}
