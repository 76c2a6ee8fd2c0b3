//! What stands on every response: who sent it, from where, under which name, and who may read it.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::{AGE, CACHE_CONTROL, DATE, VIA, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version};

use super::cors;
use super::line::Line;
use super::timing;
use crate::passage::{
    Added, Answer, Detail, Excuse, Forward, Head, LEVADA_LIFETIME, Lifetime, Outcome, Request, Routed,
    Scheme, Served, Verdict, parse_date,
};

/// RFC 9211.
pub(super) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// RFC 8586: who sends it is a cache.
pub(super) const CDN_LOOP: HeaderName = HeaderName::from_static("cdn-loop");

/// CloudFront's word on where an answer came from.
const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The request's name, as logs have it.
pub(super) const X_LEVADA_ID: HeaderName = HeaderName::from_static("x-levada-id");

/// Our name in `Via` and `Cache-Status`.
const PSEUDONYM: &str = "Levada";

/// What becomes of a request, for its headers and its log line.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) served: Served,
    /// Why not, for the operator.
    pub(super) reason: Option<Arc<str>>,
}

impl Mark {
    pub(super) const fn of(served: Served) -> Self {
        Self { served, reason: None }
    }

    pub(super) fn error(reason: &str) -> Self {
        Self { served: Served::Error, reason: Some(reason.into()) }
    }
}

/// Puts on what the behavior adds, and what every response has.
pub(super) fn routed<B>(response: &mut Response<B>, routed: &Routed, mark: Mark, now: SystemTime) {
    let policy = &routed.behavior().response_headers;
    let headers = response.headers_mut();
    // Taken first: what is added under the same name stays.
    for name in &policy.removed {
        headers.remove(name);
    }
    if let Some(cors) = &policy.cors {
        cors::add(headers, routed.request(), cors);
    }
    let is_secure = routed.request().scheme() == Scheme::Https;
    for Added { name, value, overrides, https_only } in &policy.added {
        if (is_secure || !https_only) && (*overrides || !headers.contains_key(name)) {
            headers.insert(name, value.clone());
        }
    }
    if timing::is_told(routed) {
        headers.append(SERVER_TIMING, timing::line(routed.request(), mark.served, now));
    }
    let served = mark.served;
    outcome(response, routed, mark);
    unrouted(response, routed.request(), served, now);
}

/// Tells the log what became of a request.
pub(super) fn outcome<B>(response: &mut Response<B>, routed: &Routed, mark: Mark) {
    let distribution = Some(Arc::clone(&routed.distribution().id));
    let Mark { served, reason } = mark;
    response.extensions_mut().insert(Outcome { served, reason, distribution });
}

/// Puts on what every response has, also where there is no behavior.
pub(super) fn unrouted<B>(response: &mut Response<B>, request: &Request, served: Served, now: SystemTime) {
    let headers = response.headers_mut();
    headers.append(VIA, HeaderValue::from_static(via(request.version())));
    headers.insert(X_CACHE, HeaderValue::from_static(x_cache(served)));
    headers.insert(X_LEVADA_ID, request.id().into());
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(DATE).or_insert_with(|| date(now));
    let extensions = response.extensions_mut();
    if extensions.get::<Outcome>().is_none() {
        extensions.insert(Outcome::own(served));
    }
}

const fn via(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 | Version::HTTP_10 => "1.0 Levada",
        Version::HTTP_2 => "2.0 Levada",
        Version::HTTP_3 => "3.0 Levada",
        _ => "1.1 Levada",
    }
}

const fn x_cache(served: Served) -> &'static str {
    match served {
        Served::Hit => "Hit from levada",
        Served::RefreshHit => "RefreshHit from levada",
        Served::Miss => "Miss from levada",
        Served::Redirect => "Redirect from levada",
        Served::Own => "FunctionGeneratedResponse from levada",
        Served::Error => "Error from levada",
    }
}

/// How an answer of the cache was served. A joined fetch counts as a hit (cloudfront.md 3.11).
pub(super) fn served(status: StatusCode, verdict: &Verdict) -> Served {
    match verdict {
        _ if status.is_client_error() || status.is_server_error() => Served::Error,
        Verdict::Hit { .. } | Verdict::Stale { .. } | Verdict::Miss { collapsed: true, .. } => Served::Hit,
        Verdict::Miss { status: Some(StatusCode::NOT_MODIFIED), .. } => Served::RefreshHit,
        Verdict::Miss { .. } => Served::Miss,
    }
}

/// What the cache did; it stands behind what caches before us did (RFC 9211).
pub(super) fn cache_status(verdict: &Verdict) -> HeaderValue {
    let line = Line::new().text(PSEUDONYM);
    match verdict {
        Verdict::Hit { ttl, detail } => line.text("; hit; ttl=").number(ttl.as_secs()).text(match detail {
            None => "",
            Some(Detail::BehaviorTtl) => "; detail=behavior-ttl",
            Some(Detail::Negative) => "; detail=negative",
            Some(Detail::Slice) => "; detail=slice",
        }),
        Verdict::Stale { since, excuse } => {
            let detail = match excuse {
                Excuse::Revalidating => "; detail=swr",
                Excuse::OriginFails => "; detail=sie",
                Excuse::Accepted => "; detail=max-stale",
            };
            // A structured field's integer has no "-0".
            let since = since.as_secs();
            line.text(if since == 0 { "; hit; ttl=" } else { "; hit; ttl=-" }).number(since).text(detail)
        }
        Verdict::Miss { forward, status, collapsed, stored } => {
            let forward = match forward {
                Forward::UriMiss => "uri-miss",
                Forward::Stale => "stale",
                Forward::Bypass => "bypass",
                Forward::Method => "method",
                Forward::Request => "request",
            };
            let line = line.text("; fwd=").text(forward);
            let line = match status {
                Some(status) => line.text("; fwd-status=").text(status.as_str()),
                None => line,
            };
            match (collapsed, stored) {
                // Who began the fetch says what became of it.
                (true, _) => line.text("; collapsed"),
                (false, true) => line.text("; stored"),
                (false, false) => line,
            }
        }
    }
    .value()
}

/// Says how old the answer is, where that is more than the origin's own business: an answer that came just now for this
/// viewer has an age only if the origin gave it one.
pub(super) fn age(headers: &mut HeaderMap, answer: &Answer) {
    let is_reused = !matches!(answer.verdict, Verdict::Miss { collapsed: false, .. });
    if is_reused || headers.contains_key(AGE) {
        headers.insert(AGE, HeaderValue::from(answer.age.as_secs()));
    }
}

/// Says when the answer was made, where the origin did not: a viewer who adds `Age` to `Date` gets the present.
pub(super) fn made(headers: &mut HeaderMap, age: Duration, now: SystemTime) -> SystemTime {
    let said = headers.get(DATE).and_then(|it| parse_date(it, now));
    said.unwrap_or_else(|| {
        let made = now.checked_sub(age).unwrap_or(now);
        headers.insert(DATE, date(made));
        made
    })
}

/// Says how long the viewer may keep the answer (live.md 20): as the origin says, or as long as we may.
pub(super) fn cache_control(headers: &mut HeaderMap, head: &Head, is_signed: bool) {
    if headers.contains_key(CACHE_CONTROL) && !is_signed {
        return;
    }
    let is_error = head.status.is_client_error() || head.status.is_server_error();
    let directives = match head.lifetime {
        None if is_signed => HeaderValue::from_static("private"),
        None => return,
        Some(Lifetime::Uncacheable) => HeaderValue::from_static("no-store"),
        // A signed manifest says other octets tomorrow, when its signature is another.
        Some(Lifetime::Immutable) if is_signed => HeaderValue::from_static("private, max-age=60"),
        Some(Lifetime::Immutable) => HeaderValue::from_static("public, max-age=31536000, immutable"),
        Some(Lifetime::For(lifetime)) => {
            // A playlist's fraction of a second is a second for the viewer, an error's is none.
            let seconds =
                if is_error { lifetime.as_secs() } else { lifetime.as_millis().div_ceil(1000) as u64 };
            let private = if is_signed { "private, " } else { "" };
            Line::new().text(private).text("max-age=").number(seconds).value()
        }
    };
    headers.insert(CACHE_CONTROL, directives);
}

/// Tells another cache how long our origin lets the answer be kept, where that has a say. What an origin writes into our
/// field says nothing.
pub(super) fn lifetime(headers: &mut HeaderMap, request: &Request, head: &Head, is_signed: bool) {
    let is_cache = request.headers().contains_key(CDN_LOOP);
    match head.lifetime.filter(|_| is_cache && !is_signed) {
        Some(it) => drop(headers.insert(LEVADA_LIFETIME, it.told())),
        None => drop(headers.remove(LEVADA_LIFETIME)),
    }
}

thread_local! {
    /// The newest date that was written: thousands of answers say the same one.
    static DATE_LINE: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
}

/// A date as fields have it. What is from before 1970 is of 1970: an upstream may say any age, and there is no older date.
pub(super) fn date(it: SystemTime) -> HeaderValue {
    let it = it.max(SystemTime::UNIX_EPOCH);
    let second = it.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    DATE_LINE.with_borrow_mut(|newest| match newest {
        Some((of, line)) if *of == second => line.clone(),
        _ => newest.insert((second, text(&httpdate::fmt_http_date(it)))).1.clone(),
    })
}

/// A header's value out of text of our own.
pub(super) fn text(it: &str) -> HeaderValue {
    HeaderValue::try_from(it).expect("our own texts are printable")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x_cache_says_cloudfronts_word() {
        for served in
            [Served::Hit, Served::RefreshHit, Served::Miss, Served::Redirect, Served::Own, Served::Error]
        {
            assert_eq!(x_cache(served), format!("{} from levada", served.word()));
        }
    }

    #[test]
    fn a_date_is_that_of_its_second() {
        let at = |seconds| date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(1_750_000_000), "Sun, 15 Jun 2025 15:06:40 GMT");
        assert_eq!(at(1_750_000_000), "Sun, 15 Jun 2025 15:06:40 GMT");
        assert_eq!(at(1_749_999_999), "Sun, 15 Jun 2025 15:06:39 GMT");
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(date(before), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
