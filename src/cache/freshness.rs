//! How long an answer is kept, and how old it is.
//!
//! CloudFront's rules (cloudfront.md 3.5, 3.7), under two of our own: an origin of ours says by a [`Lifetime`] what
//! no header can say, and that overrides the rules for errors; and an answer with `Set-Cookie` is never kept.
//! Departures from RFC 9111 are CloudFront's: a policy with a minimum keeps what `no-store` or `private` forbids for
//! that minimum; and an answer that says nothing of its lifetime has the policy's `default_ttl`, where the RFC would guess
//! from `Last-Modified`. Two are ours, against CloudFront: an answer that depends on a field which the origin was told and
//! the key does not have is not kept; nor is a 400 or 403 that has a lifetime and is private, or not to be stored.

use std::time::{Duration, Instant, SystemTime};

use config::cache::CachePolicy;
use http::header::{
    AGE, AUTHORIZATION, CONTENT_TYPE, DATE, ETAG, EXPIRES, HOST, LAST_MODIFIED, LOCATION, SET_COOKIE, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::directives::Directives;
use crate::passage::{Detail, Head, Lifetime, parse_date};

/// Larger ages are this one (RFC 9111 1.2.2).
const OLDEST: u64 = 1 << 31;

/// Whether an answer is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// So long.
    For(Duration),
    /// It is stale after so long, which has passed as it comes: everybody asks the origin whether it still holds.
    ToValidate(Duration),
    /// Only given to all who wait for it now.
    WhileFilling,
    /// Not, and everybody fetches it alone.
    No(Why),
}

impl Keep {
    /// Whether the store gets it.
    pub(super) const fn is_stored(self) -> bool {
        matches!(self, Self::For(_) | Self::ToValidate(_))
    }

    /// Whether those who wait for it now may have it.
    pub(super) const fn is_shared(self) -> bool {
        matches!(self, Self::For(_) | Self::WhileFilling)
    }
}

/// Why an answer is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The behavior's policy keeps nothing.
    Policy,
    /// The origin forbids it.
    Origin,
    /// Answers of that status are not kept, or not without an explicit lifetime.
    Status,
    /// It is stale as it comes.
    Stale,
    /// It sets a cookie.
    SetCookie,
    /// It varies on everything.
    Vary,
    /// It was given to a viewer who said who it is.
    Authorization,
    /// It sends to a place that the viewer may have named.
    Location,
    /// It is an error that a field may have provoked which others do not send.
    Provoked,
    /// It is a page where something else was asked for.
    Type,
}

/// An answer's facts, as far as they decide how long it is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    pub(super) status: StatusCode,
    pub(super) headers: &'a HeaderMap,
    /// What an origin of ours says.
    pub(super) lifetime: Option<Lifetime>,
    /// What it was asked with that is not in the key.
    pub(super) unkeyed: &'a [HeaderName],
    /// What was asked for; nothing where that is kept under no name.
    pub(super) path: &'a str,
    /// When it came.
    pub(super) now: SystemTime,
    /// How long after it was asked for.
    pub(super) waited: Duration,
}

/// Judges an answer under a policy.
pub(super) fn judge(facts: Facts<'_>, policy: &CachePolicy) -> Keep {
    if policy.max_ttl.is_zero() {
        return Keep::No(Why::Policy);
    }
    let is_error = facts.status.is_client_error() || facts.status.is_server_error();
    let keep = match facts.lifetime {
        Some(Lifetime::Uncacheable) => return Keep::No(Why::Origin),
        Some(Lifetime::For(lifetime)) if is_error => Keep::For(lifetime),
        Some(Lifetime::For(lifetime)) => Keep::For(within(policy, lifetime)),
        Some(Lifetime::Immutable) => Keep::For(policy.max_ttl),
        None if is_error => error(facts, policy),
        None => success(facts, policy),
    };
    match keep {
        // Zero by an origin of ours means "as it is now": those who wait for it may share it.
        Keep::For(Duration::ZERO) if facts.lifetime.is_some() => Keep::WhileFilling,
        Keep::For(lifetime) if lifetime <= initial_age(facts) => {
            let given_meanwhile = Directives::of(facts.headers).stale_while_revalidate;
            let is_of_use = has_validator(facts.headers) || given_meanwhile.is_some_and(|it| !it.is_zero());
            if is_of_use && !is_error { Keep::ToValidate(lifetime) } else { Keep::No(Why::Stale) }
        }
        keep => keep,
    }
}

/// Whether an origin can be asked if an answer still holds.
fn has_validator(headers: &HeaderMap) -> bool {
    headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED)
}

/// cloudfront.md 3.5.
fn success(facts: Facts<'_>, policy: &CachePolicy) -> Keep {
    if matches!(facts.status, StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED)
        || facts.status.is_informational()
    {
        return Keep::No(Why::Status);
    }
    let directives = Directives::of(facts.headers);
    if let Some(why) = forbidden(facts, directives) {
        return Keep::No(why);
    }
    if policy.deny_type_mismatch
        && facts.status == StatusCode::OK
        && is_page(facts.headers)
        && is_no_page(facts.path)
    {
        return Keep::No(Why::Type);
    }
    let is_understood = is_understood(facts.status);
    if directives.must_understand && !is_understood {
        return Keep::No(Why::Status);
    }
    // Who understands the status is told by the other directives (RFC 9111 5.2.2.3).
    let no_store = directives.no_store && !directives.must_understand;
    if no_store || directives.private || directives.no_cache {
        let may_be_validated = !no_store && !directives.private && has_validator(facts.headers);
        return match policy.min_ttl {
            Duration::ZERO if may_be_validated => Keep::ToValidate(Duration::ZERO),
            Duration::ZERO => Keep::No(Why::Origin),
            least => Keep::For(least),
        };
    }
    match explicit(facts, directives) {
        Some(lifetime) => Keep::For(within(policy, lifetime)),
        None if is_understood => Keep::For(within(policy, policy.default_ttl)),
        None => Keep::No(Why::Status),
    }
}

/// Whether a status means what the cache takes it for. CloudFront keeps 302, 303 and 307 like other redirects
/// (cloudfront.md 3.7); the RFC has them kept only with an explicit lifetime.
fn is_understood(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 203 | 204 | 300 | 301 | 302 | 303 | 307 | 308)
}

/// cloudfront.md 3.7.
fn error(facts: Facts<'_>, policy: &CachePolicy) -> Keep {
    let directives = Directives::of(facts.headers);
    if let Some(why) = forbidden(facts, directives) {
        return Keep::No(why);
    }
    // That something is not there, or no longer, is said of its path; all else may be for a field (http-edge.md 21.4).
    if !facts.unkeyed.is_empty() && !matches!(facts.status, StatusCode::NOT_FOUND | StatusCode::GONE) {
        return Keep::No(Why::Provoked);
    }
    // A lifetime beside a word that others are not to have it is one for the viewer's own cache.
    let explicit = explicit(facts, directives).filter(|_| !directives.forbid_reuse());
    let explicit = explicit.map(|it| it.min(policy.max_ttl));
    let least = policy.error_ttl_of(facts.status.as_u16());
    match facts.status.as_u16() {
        400..500 | 501 if directives.forbid_reuse() => Keep::No(Why::Origin),
        404 | 410 | 414 | 500..=504 => Keep::For(explicit.unwrap_or_default().max(least)),
        400 | 403 | 405 | 412 | 415 if directives.max_age.or(directives.s_maxage).is_some() => {
            Keep::For(explicit.unwrap_or_default().max(least))
        }
        _ => Keep::No(Why::Status),
    }
}

/// Whether what came is a page.
fn is_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let kind = kind.split(|it| *it == b';').next().unwrap_or_default().trim_ascii();
    kind.eq_ignore_ascii_case(b"text/html") || kind.eq_ignore_ascii_case(b"application/xhtml+xml")
}

/// Whether a name is one that pages do not have: a page under it is the origin's error with the wrong status, or somebody's
/// own page that he was made to ask for by a name that is kept for all (http-edge.md 21.3).
fn is_no_page(path: &str) -> bool {
    const NO_PAGES: [&str; 34] = [
        "m3u8", "mpd", "m4s", "mp4", "m4v", "m4a", "cmfv", "cmfa", "ts", "aac", "mp3", "ac3", "ec3", "webm",
        "mkv", "mov", "vtt", "srt", "ttml", "key", "jpg", "jpeg", "png", "gif", "webp", "avif", "svg", "ico",
        "css", "js", "mjs", "woff", "woff2", "pdf",
    ];
    let name = path.rsplit('/').next().unwrap_or_default();
    let ending = name.rsplit_once('.').map(|it| it.1);
    ending.is_some_and(|it| NO_PAGES.iter().any(|other| other.eq_ignore_ascii_case(it)))
}

fn forbidden(facts: Facts<'_>, directives: Directives) -> Option<Why> {
    let Facts { status, headers, unkeyed, .. } = facts;
    if headers.contains_key(SET_COOKIE) {
        return Some(Why::SetCookie);
    }
    // RFC 9111 3.5.
    let is_for_all = directives.public || directives.must_revalidate || directives.s_maxage.is_some();
    if unkeyed.contains(&AUTHORIZATION) && !is_for_all {
        return Some(Why::Authorization);
    }
    let location = headers.get(LOCATION).filter(|_| status.is_redirection() && unkeyed.contains(&HOST));
    if location.is_some_and(|it| !it.as_bytes().starts_with(b"/") || it.as_bytes().starts_with(b"//")) {
        return Some(Why::Location);
    }
    varies(headers, unkeyed).then_some(Why::Vary)
}

/// Whether an answer depends on what its key does not have (http-edge.md 5).
///
/// The key alone selects (cloudfront.md 3.9), and a request to an origin is written anew: of the viewer's fields an
/// origin sees what is in the key, which may select, and those named here or by a policy, which differ from viewer to
/// viewer. All others it sees alike from everyone, so that an answer that varies on them is the same for everyone.
fn varies(headers: &HeaderMap, unkeyed: &[HeaderName]) -> bool {
    const NOT_KEYED: [&[u8]; 4] = [b"*", b"x-forwarded-for", b"via", b"cdn-loop"];
    let mut names = headers.get_all(VARY).iter().flat_map(|it| it.as_bytes().split(|&it| it == b','));
    let not_keyed = || NOT_KEYED.into_iter().chain(unkeyed.iter().map(|it| it.as_str().as_bytes()));
    names.any(|name| not_keyed().any(|it| it.eq_ignore_ascii_case(name.trim_ascii())))
}

/// What the headers say: `s-maxage`, else `max-age`, else `Expires`; a date that cannot be read has passed.
fn explicit(facts: Facts<'_>, directives: Directives) -> Option<Duration> {
    directives.s_maxage.or(directives.max_age).or_else(|| {
        let counts = !directives.targeted && facts.headers.contains_key(EXPIRES);
        counts.then(|| {
            let from = date(facts, DATE).unwrap_or(facts.now);
            let until = date(facts, EXPIRES).unwrap_or(SystemTime::UNIX_EPOCH);
            until.duration_since(from).unwrap_or_default()
        })
    })
}

fn within(policy: &CachePolicy, lifetime: Duration) -> Duration {
    lifetime.max(policy.min_ttl).min(policy.max_ttl)
}

/// What is told of an answer that is kept.
pub(super) fn detail(head: &Head, is_sliced: bool, policy: &CachePolicy, now: SystemTime) -> Option<Detail> {
    let Head { status, headers, lifetime, .. } = head;
    if status.is_client_error() || status.is_server_error() {
        return Some(Detail::Negative);
    }
    let facts = Facts {
        status: *status,
        headers,
        lifetime: *lifetime,
        unkeyed: &[],
        path: "",
        now,
        waited: Duration::ZERO,
    };
    let directives = Directives::of(headers);
    let said = explicit(facts, directives).filter(|_| !directives.forbid_reuse());
    if lifetime.is_none() && said.is_none_or(|it| within(policy, it) != it) {
        return Some(Detail::BehaviorTtl);
    }
    is_sliced.then_some(Detail::Slice)
}

/// How old an answer already was when it came (RFC 9111 4.2.3).
pub(super) fn initial_age(facts: Facts<'_>) -> Duration {
    // A lifetime below a second would not outlive what dates, and clocks beside each other, are off by. An origin of ours
    // waits before it answers, and says its age as of then.
    if facts.lifetime.is_some() {
        return age(facts.headers).unwrap_or_default();
    }
    let apparent = date(facts, DATE).and_then(|it| facts.now.duration_since(it).ok()).unwrap_or_default();
    // Only what an upstream cache says counts the waiting too; an origin may take its time to make something new.
    let corrected = age(facts.headers).map(|it| it.saturating_add(facts.waited)).unwrap_or_default();
    apparent.max(corrected)
}

/// The first member of the first line; what cannot be read is not there.
fn age(headers: &HeaderMap) -> Option<Duration> {
    let first = headers.get(AGE)?.to_str().ok()?.split(',').next()?.trim();
    if first.is_empty() || !first.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    Some(Duration::from_secs(first.parse().unwrap_or(OLDEST).min(OLDEST)))
}

/// A date in a field that is there once.
fn date(facts: Facts<'_>, name: HeaderName) -> Option<SystemTime> {
    let mut values = facts.headers.get_all(name).iter();
    let (first, None) = (values.next()?, values.next()) else { return None };
    parse_date(first, facts.now)
}

/// Since when an answer is held, and how long it is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Freshness {
    pub(super) received: Instant,
    pub(super) initial_age: Duration,
    pub(super) lifetime: Duration,
    /// What it is good for after that.
    pub(super) leeway: Leeway,
}

impl Freshness {
    /// Of an answer that comes now.
    pub(super) fn begin(facts: Facts<'_>, keep: Keep, policy: &CachePolicy, received: Instant) -> Self {
        let (lifetime, leeway) = match keep {
            Keep::For(lifetime) | Keep::ToValidate(lifetime) => {
                (lifetime, Leeway::of(facts, lifetime, policy))
            }
            Keep::WhileFilling | Keep::No(_) => (Duration::ZERO, Leeway::default()),
        };
        Self { received, initial_age: initial_age(facts), lifetime, leeway }
    }

    /// The age at which it is of no use any more.
    pub(super) fn kept(&self) -> Duration {
        self.lifetime.saturating_add(self.leeway.keep)
    }

    /// The same, stale from now on if it is not already.
    pub(super) fn ended(self, now: Instant) -> Self {
        Self { lifetime: self.lifetime.min(self.age(now)), ..self }
    }

    /// For how long it has been stale; none when fresh.
    pub(super) fn stale_for(&self, now: Instant) -> Option<Duration> {
        self.age(now).checked_sub(self.lifetime)
    }

    /// How old it is.
    pub(super) fn age(&self, now: Instant) -> Duration {
        self.initial_age + now.saturating_duration_since(self.received)
    }

    /// How long it is still good; none when stale.
    pub(super) fn ttl(&self, now: Instant) -> Option<Duration> {
        self.lifetime.checked_sub(self.age(now)).filter(|it| !it.is_zero())
    }
}

/// How long after its lifetime an answer may still serve (RFC 5861, cloudfront.md 3.6). No age goes beyond the policy's
/// most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Leeway {
    /// Given while a newer one is fetched.
    pub(super) revalidating: Duration,
    /// Given when the origin fails.
    pub(super) origin_fails: Duration,
    /// Kept to be validated.
    pub(super) keep: Duration,
}

impl Leeway {
    /// What our own origins give has a lifetime they know, and an old playlist stalls players; an error is no stand-in
    /// for anything.
    fn of(facts: Facts<'_>, lifetime: Duration, policy: &CachePolicy) -> Self {
        if facts.lifetime.is_some() || facts.status.is_client_error() || facts.status.is_server_error() {
            return Self::default();
        }
        let keep = policy.max_ttl.saturating_sub(lifetime);
        let it = Directives::of(facts.headers);
        if it.forbid_stale() {
            return Self { keep, ..Self::default() };
        }
        let revalidating = it.stale_while_revalidate.unwrap_or_default().min(keep);
        // Who says nothing is treated as CloudFront does: an old answer is better than an error.
        let origin_fails = it.stale_if_error.unwrap_or(keep).min(keep);
        Self { revalidating, origin_fails, keep }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::passage::example::Example;

    const NOON: &str = "Sun, 15 Jun 2025 12:00:00 GMT";

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        lines.iter().map(field).collect()
    }

    fn facts(headers: &HeaderMap, status: u16, lifetime: Option<Lifetime>) -> Facts<'_> {
        let status = StatusCode::from_u16(status).unwrap();
        let now = httpdate::parse_http_date(NOON).unwrap();
        Facts { status, headers, lifetime, unkeyed: &[], path: "/a", now, waited: Duration::from_secs(2) }
    }

    /// Under lifetimes of `ttl` (least, default, most) and ten seconds for errors.
    fn judged(
        ttl: [u64; 3],
        status: u16,
        lines: &[(&'static str, &'static str)],
        it: Option<Lifetime>,
    ) -> Keep {
        let asked = Example::get("/a")
            .policy(|policy| {
                [policy.min_ttl, policy.default_ttl, policy.max_ttl] = ttl.map(Duration::from_secs);
            })
            .admitted();
        judge(facts(&headers(lines), status, it), &asked.routed().behavior().cache_policy)
    }

    fn check(ttl: [u64; 3], status: u16, lines: &[(&'static str, &'static str)], expected: Keep) {
        assert_eq!(judged(ttl, status, lines, None), expected, "{status} {lines:?}");
    }

    const fn seconds(it: u64) -> Keep {
        Keep::For(Duration::from_secs(it))
    }

    #[test]
    fn section_2_lifetimes_stay_between_least_and_most() {
        let usual = [0, 86_400, 31_536_000];
        check(usual, 200, &[("cache-control", "max-age=60")], seconds(60));
        check(usual, 200, &[("cache-control", "max-age=60, s-maxage=90")], seconds(90));
        check(usual, 200, &[("cache-control", "max-age=99999999")], seconds(31_536_000));
        check(usual, 200, &[], seconds(86_400));
        check(usual, 302, &[], seconds(86_400));
        check([30, 60, 90], 200, &[("cache-control", "max-age=1")], seconds(30));
        check([30, 60, 90], 200, &[("cache-control", "max-age=100")], seconds(90));
        check([0, 0, 90], 200, &[], Keep::No(Why::Stale));
        check([0, 0, 0], 200, &[("cache-control", "max-age=60")], Keep::No(Why::Policy));
    }

    #[test]
    fn section_2_expires_counts_only_without_max_age() {
        let usual = [0, 86_400, 31_536_000];
        let later = ("expires", "Sun, 15 Jun 2025 12:01:00 GMT");
        check(usual, 200, &[("date", NOON), later], seconds(60));
        check(usual, 200, &[later], seconds(60));
        check(usual, 200, &[later, ("cache-control", "max-age=5")], seconds(5));
        check(usual, 200, &[later, ("cache-control", "max-age=x")], Keep::No(Why::Stale));
        check(usual, 200, &[("expires", "0")], Keep::No(Why::Stale));
        check(usual, 200, &[later, later], Keep::No(Why::Stale));
    }

    #[test]
    fn section_1_what_may_not_be_kept_is_kept_for_the_least_time() {
        for line in ["no-store", "no-cache", "private", "max-age=60, no-store"] {
            check([0, 60, 90], 200, &[("cache-control", line)], Keep::No(Why::Origin));
            check([5, 60, 90], 200, &[("cache-control", line)], seconds(5));
        }
        check([5, 60, 90], 200, &[("set-cookie", "a=b")], Keep::No(Why::SetCookie));
        check([5, 60, 90], 200, &[("vary", "accept, *")], Keep::No(Why::Vary));
        check([5, 60, 90], 206, &[], Keep::No(Why::Status));
        check([5, 60, 90], 304, &[], Keep::No(Why::Status));
    }

    #[test]
    fn section_5_what_varies_on_what_the_key_does_not_have_is_not_kept() {
        for line in ["X-Forwarded-For", "accept-encoding, via", "CDN-Loop"] {
            check([0, 60, 90], 200, &[("vary", line)], Keep::No(Why::Vary));
        }
        // An origin sees these alike from everyone, or they are in the key.
        check([0, 60, 90], 200, &[("vary", "Accept-Encoding, User-Agent, Cookie, X-Via")], seconds(60));
    }

    #[test]
    fn section_21_what_depends_on_what_only_this_viewer_said_is_not_kept() {
        let check = |unkeyed: &[HeaderName], status, lines: &[(&'static str, &'static str)], expected| {
            let asked = Example::get("/a").admitted();
            let headers = headers(lines);
            let facts = Facts { unkeyed, ..facts(&headers, status, None) };
            assert_eq!(judge(facts, &asked.routed().behavior().cache_policy), expected, "{lines:?}");
        };
        let day = seconds(86_400);
        check(&[AUTHORIZATION], 200, &[], Keep::No(Why::Authorization));
        check(&[AUTHORIZATION], 404, &[], Keep::No(Why::Authorization));
        check(&[AUTHORIZATION], 200, &[("cache-control", "public")], day);
        check(&[AUTHORIZATION], 200, &[("cache-control", "s-maxage=60")], seconds(60));
        let language = HeaderName::from_static("accept-language");
        check(std::slice::from_ref(&language), 200, &[("vary", "Accept-Language")], Keep::No(Why::Vary));
        check(&[language], 200, &[("vary", "Accept")], day);
        check(&[HOST], 301, &[("location", "https://evil.example/")], Keep::No(Why::Location));
        check(&[HOST], 301, &[("location", "//evil.example/")], Keep::No(Why::Location));
        check(&[HOST], 301, &[("location", "/elsewhere")], day);
        check(&[], 301, &[("location", "https://other.example/")], day);
    }

    #[test]
    fn section_10_a_targeted_field_is_all_that_counts() {
        let usual = [0, 86_400, 31_536_000];
        let expires = ("expires", "Sun, 15 Jun 2025 12:01:00 GMT");
        let [cdn, levada] = ["cdn-cache-control", "levada-cache-control"];
        check(usual, 200, &[("cache-control", "no-store"), (cdn, "max-age=60")], seconds(60));
        check(usual, 200, &[(levada, "max-age=5"), (cdn, "max-age=60")], seconds(5));
        check(usual, 200, &[expires, (cdn, "must-revalidate")], seconds(86_400));
        check(usual, 200, &[("cache-control", "max-age=60"), (cdn, "no-store")], Keep::No(Why::Origin));
        check(usual, 200, &[("cache-control", "max-age=60"), (cdn, "max-age=\"5\"")], seconds(60));
        check(usual, 200, &[("cache-control", "max-age=60"), (cdn, "max-age=5 , &")], seconds(60));
        check(usual, 200, &[("cache-control", "max-age=60"), (cdn, "")], seconds(60));
    }

    #[test]
    fn section_1_errors_have_a_lifetime_of_their_own() {
        let usual = [0, 86_400, 100];
        for status in [404, 410, 414, 500, 501, 502, 503, 504] {
            check(usual, status, &[], seconds(10));
            check(usual, status, &[("cache-control", "max-age=1")], seconds(10));
            check(usual, status, &[("cache-control", "max-age=60")], seconds(60));
            check(usual, status, &[("cache-control", "max-age=600")], seconds(100));
        }
        for status in [400, 403, 405, 412, 415] {
            check(usual, status, &[], Keep::No(Why::Status));
            check(usual, status, &[("cache-control", "max-age=60")], seconds(60));
        }
        let asked =
            Example::get("/a").policy(|it| it.error_ttls = vec![(404, Duration::from_secs(1))]).admitted();
        let kept =
            |status| judge(facts(&headers(&[]), status, None), &asked.routed().behavior().cache_policy);
        assert_eq!([kept(404), kept(410)], [seconds(1), seconds(10)]);
        check(usual, 404, &[("cache-control", "no-store")], Keep::No(Why::Origin));
        check(usual, 503, &[("cache-control", "no-store")], seconds(10));
        check(usual, 503, &[("cache-control", "private, max-age=60")], seconds(10));
        for line in ["private, max-age=60", "no-store, s-maxage=60", "no-cache, max-age=60"] {
            check(usual, 403, &[("cache-control", line)], Keep::No(Why::Origin));
        }
        check(usual, 416, &[("cache-control", "max-age=60")], Keep::No(Why::Status));
    }

    #[test]
    fn our_own_origins_say_what_headers_cannot() {
        let check = |status, lifetime, expected| {
            assert_eq!(judged([0, 0, 31_536_000], status, &[], Some(lifetime)), expected);
        };
        check(200, Lifetime::Immutable, seconds(31_536_000));
        check(200, Lifetime::For(Duration::from_secs(1)), seconds(1));
        check(404, Lifetime::For(Duration::from_millis(250)), Keep::For(Duration::from_millis(250)));
        check(503, Lifetime::For(Duration::ZERO), Keep::WhileFilling);
        check(200, Lifetime::Uncacheable, Keep::No(Why::Origin));
        let brief = Some(Lifetime::For(Duration::from_millis(250)));
        assert_eq!(judged([1, 2, 3], 200, &[], brief), seconds(1));
        assert_eq!(judged([1, 2, 3], 404, &[], brief), Keep::For(Duration::from_millis(250)));
    }

    #[test]
    fn section_2_an_answer_is_as_old_as_its_date_or_its_age_says() {
        let check = |lines: &[(&'static str, &'static str)], expected| {
            assert_eq!(
                initial_age(facts(&headers(lines), 200, None)),
                Duration::from_secs(expected),
                "{lines:?}"
            );
        };
        check(&[], 0);
        check(&[("age", "7")], 9);
        check(&[("age", "7"), ("age", "100")], 9);
        check(&[("age", "7, 100")], 9);
        check(&[("age", "-7")], 0);
        check(&[("age", "7.5")], 0);
        check(&[("age", "99999999999999999999999")], OLDEST + 2);
        check(&[("date", "Sun, 15 Jun 2025 11:59:00 GMT"), ("age", "7")], 60);
        check(&[("date", "Sun, 15 Jun 2025 12:59:00 GMT")], 0);
    }

    #[test]
    fn what_an_origin_of_ours_says_is_as_old_as_it_says() {
        let headers = headers(&[("date", "Sun, 15 Jun 2025 11:59:00 GMT"), ("age", "7")]);
        let lifetime = Some(Lifetime::For(Duration::from_millis(321)));
        assert_eq!(initial_age(facts(&headers, 200, lifetime)), Duration::from_secs(7));
    }

    #[test]
    fn section_2_what_is_too_old_as_it_comes_is_not_kept() {
        let lines = [("cache-control", "max-age=60"), ("age", "60")];
        check([0, 60, 90], 200, &lines, Keep::No(Why::Stale));
    }
}
