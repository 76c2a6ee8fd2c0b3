//! What stands on every response: who sent it, from where, under which name, and who may read it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::{AGE, CACHE_CONTROL, DATE, VIA, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version};

use super::cors;
use crate::passage::{Answer, Forward, Head, Lifetime, Outcome, Request, Routed, Served, Verdict};

/// RFC 9211.
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// CloudFront's word on where an answer came from.
const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// The request's name, as logs have it.
const X_LEVADA_ID: HeaderName = HeaderName::from_static("x-levada-id");

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
    let policy = &routed.behavior().response_headers_policy;
    let headers = response.headers_mut();
    if let Some(cors) = &policy.cors {
        cors::add(headers, routed.request(), cors);
    }
    for (name, value) in &policy.custom_headers {
        // They are checked when the policy is read.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    let distribution = routed.distribution().id.as_str().into();
    let Mark { served, reason } = mark;
    response.extensions_mut().insert(Outcome { served, reason, distribution });
    unrouted(response, routed.request(), served, now);
}

/// Puts on what every response has, also where there is no behavior.
pub(super) fn unrouted<B>(response: &mut Response<B>, request: &Request, served: Served, now: SystemTime) {
    let version = match request.version() {
        Version::HTTP_09 | Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2.0",
        Version::HTTP_3 => "3.0",
        _ => "1.1",
    };
    let headers = response.headers_mut();
    headers.append(VIA, text(&format!("{version} {PSEUDONYM}")));
    headers.insert(X_CACHE, text(&format!("{} from levada", served.word())));
    headers.insert(X_LEVADA_ID, text(&request.id().to_string()));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(DATE).or_insert_with(|| date(now));
    let extensions = response.extensions_mut();
    if extensions.get::<Outcome>().is_none() {
        extensions.insert(Outcome::own(served));
    }
}

/// How an answer of the cache was served. A joined fetch counts as a hit (cloudfront.md 3.11).
pub(super) fn served(status: StatusCode, verdict: &Verdict) -> Served {
    match verdict {
        _ if status.is_client_error() || status.is_server_error() => Served::Error,
        Verdict::Hit { .. } | Verdict::Miss { collapsed: true, .. } => Served::Hit,
        Verdict::Miss { .. } => Served::Miss,
    }
}

/// Adds what the cache did, behind what caches before us did (RFC 9211).
pub(super) fn cache_status(headers: &mut HeaderMap, verdict: &Verdict) {
    let mut it = String::from(PSEUDONYM);
    match verdict {
        Verdict::Hit { ttl } => {
            let _ = write!(it, "; hit; ttl={}", ttl.as_secs());
        }
        Verdict::Miss { forward, status, collapsed, stored } => {
            let forward = match forward {
                Forward::UriMiss => "uri-miss",
                Forward::Stale => "stale",
                Forward::Bypass => "bypass",
                Forward::Method => "method",
            };
            let _ = write!(it, "; fwd={forward}");
            if let Some(status) = status {
                let _ = write!(it, "; fwd-status={}", status.as_u16());
            }
            match (collapsed, stored) {
                // Who began the fetch says what became of it.
                (true, _) => it.push_str("; collapsed"),
                (false, true) => it.push_str("; stored"),
                (false, false) => {}
            }
        }
    }
    headers.append(CACHE_STATUS, text(&it));
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
    let said = headers.get(DATE).and_then(|it| httpdate::parse_http_date(it.to_str().ok()?).ok());
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
        None if is_signed => "private".to_owned(),
        None => return,
        Some(Lifetime::Uncacheable) => "no-store".to_owned(),
        // A signed manifest says other octets tomorrow, when its signature is another.
        Some(Lifetime::Immutable) if is_signed => "private, max-age=60".to_owned(),
        Some(Lifetime::Immutable) => "public, max-age=31536000, immutable".to_owned(),
        Some(Lifetime::For(lifetime)) => {
            // A playlist's fraction of a second is a second for the viewer, an error's is none.
            let seconds =
                if is_error { lifetime.as_secs() } else { lifetime.as_millis().div_ceil(1000) as u64 };
            let private = if is_signed { "private, " } else { "" };
            format!("{private}max-age={seconds}")
        }
    };
    headers.insert(CACHE_CONTROL, text(&directives));
}

pub(super) fn date(it: SystemTime) -> HeaderValue {
    text(&httpdate::fmt_http_date(it))
}

/// A header's value out of text of our own.
pub(super) fn text(it: &str) -> HeaderValue {
    HeaderValue::try_from(it).expect("our own texts are printable")
}
