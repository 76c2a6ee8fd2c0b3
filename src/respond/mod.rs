//! The last station: what a viewer gets of what was found.
//!
//! Takes an [`Admitted`] and the cache's [`Answer`], gives a response: conditions and ranges are judged here, text is
//! compressed, manifests carry the viewer's signature on, and every response, refusals and failures too, says who may
//! read it. It reads no clock and fetches nothing; it waits only for the end of a text that is to be changed, and for
//! the length of a body that a range is asked of.

mod again;
mod body;
mod coding;
mod conditional;
mod cors;
mod digest;
mod etag;
mod line;
mod manifest;
mod multipart;
mod own;
mod range;
mod representation;
mod stamp;
mod timing;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

pub use self::body::Body;
pub use self::own::{document, in_place_of, options, preflight, refusal, time, unrouted};

use self::conditional::{Condition, Validators};
use self::multipart::{Multipart, content_range};
use self::range::Wanted;
use self::representation::{Octets, Representation};
use self::stamp::{Mark, text};
use crate::passage::{Admitted, Answer, Behavior, Circumstances, Failure, Object, RangeSpec, Request};

/// Room for the fields of nearly all responses, so that they are laid out once.
const FIELDS: usize = 24;

/// Answers a request with what was found. `trusts` says whether a behavior trusts a key, for manifests.
pub async fn to(
    asked: &Admitted,
    answer: Answer,
    now: SystemTime,
    trusts: impl Fn(&Behavior, &str) -> bool,
) -> Response<Body> {
    let object = match &answer.object {
        Ok(object) => Arc::clone(object),
        Err(failure) => return own::failure(asked.routed(), failure, &answer.verdict, now),
    };
    let circumstances = again::circumstances(asked, &answer, &object);
    if let Some(circumstances) = &circumstances
        && let Some(response) = again::response(asked, &answer, &object, circumstances)
    {
        return response;
    }
    // Most responses end above, and are not to carry what it takes to write one from the beginning.
    match Box::pin(found(asked, &answer, object, circumstances, now, trusts)).await {
        Ok(response) => response,
        Err(failure) => own::failure(asked.routed(), &failure, &answer.verdict, now),
    }
}

async fn found(
    asked: &Admitted,
    answer: &Answer,
    object: Arc<Object>,
    circumstances: Option<Circumstances>,
    now: SystemTime,
    trusts: impl Fn(&Behavior, &str) -> bool,
) -> Result<Response<Body>, Failure> {
    let request = asked.routed().request();
    let representation = representation::choose(asked, Arc::clone(&object), trusts).await?;
    let coding = representation.coding;
    let head = object.head();
    let mut headers = HeaderMap::with_capacity(FIELDS);
    let given = head.headers.iter().filter(|(name, _)| **name != CONTENT_LENGTH);
    headers.extend(given.map(|(name, value)| (name.clone(), value.clone())));
    set(&mut headers, ETAG, representation.etag.clone());
    if let Some(coding) = coding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    }
    if representation.negotiable {
        cors::vary(&mut headers, "Accept-Encoding");
    }
    if coding.is_some() || representation.signed {
        digest::drop_all(&mut headers);
    }
    stamp::cache_control(&mut headers, head, representation.signed);
    stamp::lifetime(&mut headers, request, head, representation.signed);
    stamp::age(&mut headers, answer);
    let made = stamp::made(&mut headers, answer.age, now);
    headers.append(stamp::CACHE_STATUS, stamp::cache_status(&answer.verdict));

    // Conditions on a change were the origin's to judge.
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = if head.status == StatusCode::OK && is_read {
        let last_modified = headers.get(LAST_MODIFIED).cloned();
        let current = Validators { etag: representation.etag.clone(), last_modified, date: made };
        match conditional::judge(request.headers(), &current) {
            Condition::Met => send(request, representation, headers, &current).await?,
            Condition::NotModified => not_modified(headers),
            Condition::Failed => bare(StatusCode::PRECONDITION_FAILED, headers),
        }
    } else {
        whole(request, head.status, representation.octets, headers)
    };
    let mark = Mark::of(stamp::served(response.status(), &answer.verdict));
    stamp::routed(&mut response, asked.routed(), mark, now);
    if let Some(circumstances) = circumstances {
        again::keep(asked, &object, circumstances, coding, &response);
    }
    Ok(response)
}

/// Sends all of it, or the ranges asked for.
async fn send(
    request: &Request,
    representation: Representation,
    mut headers: HeaderMap,
    current: &Validators,
) -> Result<Response<Body>, Failure> {
    let octets = representation.octets;
    let asked =
        asked_ranges(request, &octets).filter(|_| conditional::range_counts(request.headers(), current));
    let Some(asked) = asked else { return Ok(whole(request, StatusCode::OK, octets, headers)) };
    let wanted = match (octets.length(), &octets) {
        (Some(length), _) => range::resolve(&asked, length),
        (None, Octets::Object(object)) => match still_growing(object, &asked).await? {
            Some(wanted) => wanted,
            None => return Ok(whole(request, StatusCode::OK, octets, headers)),
        },
        (None, _) => unreachable!("only an object grows"),
    };
    let total = octets.length();
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    Ok(match (wanted, total) {
        (Wanted::Whole, _) => whole(request, StatusCode::OK, octets, headers),
        (Wanted::One(range), _) => {
            let length = range.end - range.start;
            let content_range = match total {
                Some(total) => content_range(&range, total),
                // The total is not known yet (RFC 9110 14.4).
                None => format!("bytes {}-{}/*", range.start, range.end - 1),
            };
            headers.insert(CONTENT_RANGE, text(&content_range));
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
            partial(Body::pieces([octets.read(range)]), headers)
        }
        (Wanted::Several(ranges), total) => several(request, &octets, ranges, total.unwrap_or(0), headers),
        (Wanted::Nothing, total) => {
            let mut response = bare(StatusCode::RANGE_NOT_SATISFIABLE, headers);
            let total = total.map_or_else(|| "*".to_owned(), |it| it.to_string());
            response.headers_mut().insert(CONTENT_RANGE, text(&format!("bytes */{total}")));
            response
        }
    })
}

/// The ranges of a GET, if they are understood and can be read.
fn asked_ranges(request: &Request, octets: &Octets) -> Option<Vec<RangeSpec>> {
    if *request.method() != Method::GET || !octets.has_ranges() {
        return None;
    }
    let mut lines = request.headers().get_all(RANGE).iter();
    let (line, None) = (lines.next()?, lines.next()) else { return None };
    RangeSpec::parse(line.to_str().ok()?)
}

/// What is sent of an object whose length nobody knows yet: one range between two octets as soon as both are there, a
/// range from the first as all of it, and for anything else the length is waited for.
async fn still_growing(object: &Arc<Object>, asked: &[RangeSpec]) -> Result<Option<Wanted>, Failure> {
    match *asked {
        [RangeSpec::From(0)] => return Ok(None),
        [RangeSpec::Between(first, last)] if last < u64::MAX => {
            object.reached(last + 1).await?;
            if object.length().is_none() {
                return Ok(Some(Wanted::One(first..last + 1)));
            }
        }
        _ => object.ended().await?,
    }
    Ok(object.length().map(|length| range::resolve(asked, length)))
}

fn several(
    request: &Request,
    octets: &Octets,
    ranges: Vec<Range<u64>>,
    total: u64,
    mut headers: HeaderMap,
) -> Response<Body> {
    let content_type = headers.get(CONTENT_TYPE);
    let multipart = Multipart::new(ranges, total, content_type, request.id(), |range| octets.read(range));
    headers.insert(CONTENT_TYPE, multipart.content_type);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(multipart.length));
    partial(multipart.body, headers)
}

fn partial(body: Body, mut headers: HeaderMap) -> Response<Body> {
    digest::drop_of_content(&mut headers);
    respond(StatusCode::PARTIAL_CONTENT, headers, body)
}

/// All of it, or its head.
fn whole(request: &Request, status: StatusCode, octets: Octets, mut headers: HeaderMap) -> Response<Body> {
    if let Some(length) = octets.length() {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        if status == StatusCode::OK && octets.has_ranges() {
            headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        }
    }
    let body = if *request.method() == Method::HEAD { Body::empty() } else { octets.whole() };
    respond(status, headers, body)
}

/// RFC 9110 15.4.5: what describes the octets is left out, what describes their use stays.
fn not_modified(mut headers: HeaderMap) -> Response<Body> {
    digest::drop_of_content(&mut headers);
    for name in [CONTENT_ENCODING, CONTENT_TYPE] {
        headers.remove(name);
    }
    // Where there is a tag the date adds nothing.
    if headers.contains_key(ETAG) {
        headers.remove(LAST_MODIFIED);
    }
    respond(StatusCode::NOT_MODIFIED, headers, Body::empty())
}

/// An answer without octets that does not describe any.
fn bare(status: StatusCode, mut headers: HeaderMap) -> Response<Body> {
    digest::drop_all(&mut headers);
    for name in [CONTENT_ENCODING, CONTENT_TYPE] {
        headers.remove(name);
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
    respond(status, headers, Body::empty())
}

fn respond(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn set(headers: &mut HeaderMap, name: http::HeaderName, value: Option<HeaderValue>) {
    match value {
        Some(value) => drop(headers.insert(name, value)),
        None => drop(headers.remove(name)),
    }
}
