//! Answers that the edge makes itself: preflights, refusals, failures, pages, the time.

use std::time::SystemTime;

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
    EXPIRES, LAST_MODIFIED, LOCATION, RETRY_AFTER,
};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use jiff::Timestamp;

use super::body::Body;
use super::cors;
use super::stamp::{self, Mark};
use crate::passage::LEVADA_LIFETIME;
use crate::passage::{
    Failure, Outcome, Reason, Refusal, Request, RouteFault, Routed, Served, Unrouted, Verdict,
};

/// The answer to a preflight, if this is one and the behavior has rules for other origins. It is given before access:
/// a preflight carries neither query nor cookies of the request that follows it.
pub fn preflight(routed: &Routed, now: SystemTime) -> Option<Response<Body>> {
    let cors = routed.behavior().response_headers.cors.as_ref()?;
    if !cors::is_preflight(routed.request()) {
        return None;
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    stamp::routed(&mut response, routed, Mark::of(Served::Own), now);
    cors::add_preflight(response.headers_mut(), routed.request(), cors);
    Some(response)
}

/// The answer to who asks what may be asked for, and wants no other server to be asked (RFC 9110 7.6.2).
pub fn options(routed: &Routed, now: SystemTime) -> Option<Response<Body>> {
    if routed.request().max_forwards() != Some(0) {
        return None;
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let methods = HeaderValue::from_static(routed.behavior().allowed_methods.list());
    response.headers_mut().insert(ALLOW, methods);
    stamp::routed(&mut response, routed, Mark::of(Served::Own), now);
    Some(response)
}

/// The answer to a viewer who may not have what he asks for.
pub fn refusal(refusal: &Refusal, now: SystemTime) -> Response<Body> {
    let (routed, reason) = (refusal.routed(), refusal.reason());
    let request = routed.request();
    let mut response = match reason.error() {
        Some((code, message)) => xml(request, reason.status(), code, message),
        None => page(request, reason.status(), sentence(reason)),
    };
    let headers = response.headers_mut();
    let mark = match reason {
        Reason::Redirect { location, .. } => {
            // It was made of a target that was legal.
            if let Ok(location) = HeaderValue::try_from(location) {
                headers.insert(LOCATION, location);
            }
            Mark { reason: Some(reason.name().into()), ..Mark::of(Served::Redirect) }
        }
        Reason::Rate { rule, .. } => Mark::error(&format!("{} {rule}", reason.name())),
        _ => Mark::error(reason.name()),
    };
    if let Reason::Rate { retry_after, .. } = reason {
        headers.insert(RETRY_AFTER, HeaderValue::from(*retry_after));
    }
    if *reason == Reason::Method {
        headers.insert(ALLOW, HeaderValue::from_static(routed.behavior().allowed_methods.list()));
    }
    stamp::routed(&mut response, routed, mark, now);
    response
}

const fn sentence(reason: &Reason) -> &'static str {
    match reason {
        Reason::Redirect { .. } => "This is served over https only; follow the redirect.",
        Reason::HttpsOnly => "This is served over https only.",
        Reason::Method => "This request method is not allowed here.",
        Reason::TooLarge => "The request's body is too large.",
        Reason::Country => "This is not served in your country.",
        Reason::Rate { .. } => "Too many requests; try again later.",
        _ => "Access denied.",
    }
}

/// Fields that say to caches alone how long an answer lives (RFC 9213).
const TARGETED: [HeaderName; 2] =
    [HeaderName::from_static("cdn-cache-control"), HeaderName::from_static("levada-cache-control")];

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// A page in place of an error, with a status of its own; the log has the error's reason. A page that fails is its own
/// answer.
pub fn in_place_of(error: Response<Body>, status: StatusCode, mut page: Response<Body>) -> Response<Body> {
    if page.status() != StatusCode::OK {
        return page;
    }
    *page.status_mut() = status;
    let headers = page.headers_mut();
    // What a viewer keeps of it, and asks for in parts, is the page's, and not what it asked for. Nor may a cache on the
    // way give others what was said to this viewer.
    for name in [ACCEPT_RANGES, ETAG, EXPIRES, LAST_MODIFIED, LEVADA_LIFETIME].iter().chain(&TARGETED) {
        headers.remove(name);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for name in [ALLOW, CACHE_CONTROL, RETRY_AFTER, X_CACHE] {
        if let Some(value) = error.headers().get(&name) {
            headers.insert(name, value.clone());
        }
    }
    if let Some(outcome) = error.extensions().get::<Outcome>() {
        let outcome = outcome.clone();
        page.extensions_mut().insert(outcome);
    }
    page
}

/// The answer to a request whose path nobody can choose a behavior by.
pub fn unrouted(unrouted: &Unrouted, now: SystemTime) -> Response<Body> {
    let request = unrouted.request();
    if let Some(reason) = unrouted.refusal() {
        let mut response = page(request, reason.status(), sentence(reason));
        if let Reason::Rate { retry_after, .. } = reason {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(*retry_after));
        }
        let outcome = Outcome { reason: Some(reason.name().into()), ..Outcome::own(Served::Error) };
        response.extensions_mut().insert(outcome);
        stamp::unrouted(&mut response, request, Served::Error, now);
        return response;
    }
    let (status, sentence) = match unrouted.fault() {
        RouteFault::Path(_) => (StatusCode::BAD_REQUEST, "Bad request."),
        RouteFault::Misdirected => {
            (StatusCode::MISDIRECTED_REQUEST, "This connection was made for another host.")
        }
        RouteFault::Disabled => (StatusCode::FORBIDDEN, "Nothing is served here at present."),
    };
    let mut response = page(request, status, sentence);
    let reason = Some(unrouted.fault().to_string().into());
    let distribution = None;
    response.extensions_mut().insert(crate::passage::Outcome { served: Served::Error, reason, distribution });
    stamp::unrouted(&mut response, request, Served::Error, now);
    response
}

/// The answer when an origin gave none.
pub(super) fn failure(
    routed: &Routed,
    failure: &Failure,
    verdict: &Verdict,
    now: SystemTime,
) -> Response<Body> {
    let (status, sentence) = match failure {
        Failure::NotStored => (StatusCode::GATEWAY_TIMEOUT, "This is not in the cache."),
        Failure::TimedOut(_) | Failure::Unvalidated => {
            (StatusCode::GATEWAY_TIMEOUT, "The origin did not answer in time.")
        }
        Failure::Truncated { .. } | Failure::Overlong { .. } | Failure::Unreadable(_) | Failure::Changed => {
            (StatusCode::BAD_GATEWAY, "The origin could not be read.")
        }
        Failure::Unreachable(_) | Failure::HungUp(_) => {
            (StatusCode::BAD_GATEWAY, "The origin could not be reached.")
        }
        Failure::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "The request's body is too large."),
        Failure::Dripping => (StatusCode::REQUEST_TIMEOUT, "The request's body came too slowly."),
        Failure::BrokenOff => (StatusCode::BAD_REQUEST, "The request's body did not come to its end."),
        Failure::Looped => (StatusCode::LOOP_DETECTED, "The request went in a loop."),
        Failure::GivenUp | Failure::Busy | Failure::OutOfMemory => {
            (StatusCode::SERVICE_UNAVAILABLE, "The server is busy; try again.")
        }
    };
    let mut response = page(routed.request(), status, sentence);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response.headers_mut().append(stamp::CACHE_STATUS, stamp::cache_status(verdict));
    stamp::routed(&mut response, routed, Mark::error(&failure.to_string()), now);
    response
}

/// `/.levada/time`, for players that set their clock by it (`urn:mpeg:dash:utc:http-iso:2014`). Everybody may ask.
pub fn time(request: &Request, now: SystemTime) -> Response<Body> {
    let now_text = Timestamp::try_from(now).map_or_else(|_| String::new(), |it| format!("{it:.3}"));
    let body = Bytes::from(now_text);
    let mut response = text(request, StatusCode::OK, "text/plain; charset=utf-8", body);
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    stamp::unrouted(&mut response, request, Served::Own, now);
    response
}

/// A page of the server's own, such as the watch page.
pub fn document(
    request: &Request,
    content_type: &'static str,
    body: Bytes,
    now: SystemTime,
) -> Response<Body> {
    let mut response = text(request, StatusCode::OK, content_type, body);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    stamp::unrouted(&mut response, request, Served::Own, now);
    response
}

/// cloudfront.md 1.7.
fn xml(request: &Request, status: StatusCode, code: &str, message: &str) -> Response<Body> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    text(request, status, "text/xml", body.into())
}

/// cloudfront.md 3.14. Nothing of the request stands in it but its id.
fn page(request: &Request, status: StatusCode, sentence: &str) -> Response<Body> {
    let body = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <title>{title}: The request could not be satisfied</title></head>\
         <body><h1>{status} {title}</h1><h2>The request could not be satisfied.</h2><p>{sentence}</p>\
         <hr><p>Generated by Levada<br>Request ID: {id}</p></body></html>\n",
        title = if status.is_redirection() { "REDIRECT" } else { "ERROR" },
        status = status.as_u16(),
        id = request.id(),
    );
    text(request, status, "text/html; charset=utf-8", body.into())
}

/// A small answer that nobody keeps.
fn text(request: &Request, status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Body> {
    let length = body.len();
    let is_head = *request.method() == Method::HEAD;
    let mut response = Response::new(if is_head { Body::empty() } else { Body::text(body) });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
