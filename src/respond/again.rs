//! What is answered as it was before: the same object, to a viewer who asks as another did.
//!
//! Most responses differ from one another in their name, their age and the cache's word alone. So the fields of one are
//! kept with the object, and those three are put anew. Whatever else a response could depend on (ranges, conditions, a
//! signature that a manifest carries on, the page that asks) makes it one that is written from the beginning.

use std::sync::Arc;

use http::header::{
    ACCEPT_RANGES, AGE, CONTENT_LENGTH, DATE, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    IF_UNMODIFIED_SINCE, RANGE,
};
use http::{HeaderName, Method, Response, StatusCode};

use super::coding::{self, Coding, Effort};
use super::representation::Octets;
use super::stamp::{self, CACHE_STATUS, CDN_LOOP, Mark, X_LEVADA_ID};
use super::{Body, cors, manifest, respond};
use crate::passage::{Admitted, Answer, Circumstances, Object, ResponseHeaders, Served, Written};

/// What makes a response one of its own.
const OWN: [HeaderName; 6] =
    [RANGE, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_MATCH, IF_UNMODIFIED_SINCE, CDN_LOOP];

/// What differs between responses that are the same otherwise.
const DIFFERING: [HeaderName; 3] = [AGE, CACHE_STATUS, X_LEVADA_ID];

/// What the fields depend on; none where they depend on more than that.
pub(super) fn circumstances(asked: &Admitted, answer: &Answer, object: &Object) -> Option<Circumstances> {
    let (request, behavior) = (asked.routed().request(), asked.routed().behavior());
    let fields = request.headers();
    let is_usual = *request.method() == Method::GET
        && object.head().status == StatusCode::OK
        && stamp::served(StatusCode::OK, &answer.verdict) == Served::Hit
        && OWN.iter().all(|it| !fields.contains_key(it));
    is_usual.then(|| Circumstances {
        behavior: Arc::clone(behavior),
        scheme: request.scheme(),
        version: request.version(),
        liked: coding::negotiate(fields, behavior).map(Coding::form),
    })
}

/// The response, if one under the same circumstances was kept.
pub(super) fn response(
    asked: &Admitted,
    answer: &Answer,
    object: &Arc<Object>,
    circumstances: &Circumstances,
) -> Option<Response<Body>> {
    let written = object.written(circumstances)?;
    if asked.credentials().is_some() && manifest::Kind::of(object.head()).is_some() {
        return None;
    }
    let octets = match written.form {
        None => Octets::Object(Arc::clone(object)),
        Some(form) => {
            let (text, coding) = (object.joined()?, Coding::of(form)?);
            Octets::Text(object.form(form, || coding::compress(&text, coding, Effort::Shared)))
        }
    };
    let mut response = respond(StatusCode::OK, written.headers.clone(), octets.whole());
    let headers = response.headers_mut();
    stamp::age(headers, answer);
    headers.insert(CACHE_STATUS, stamp::cache_status(&answer.verdict));
    headers.insert(X_LEVADA_ID, asked.routed().request().id().into());
    stamp::outcome(&mut response, asked.routed(), Mark::of(Served::Hit));
    Some(response)
}

/// Keeps a response's fields where the next one's are the same.
pub(super) fn keep(
    asked: &Admitted,
    object: &Object,
    circumstances: Circumstances,
    form: Option<Coding>,
    response: &Response<Body>,
) {
    let headers = response.headers();
    let is_plain = response.status() == StatusCode::OK
        && headers.contains_key(CONTENT_LENGTH)
        && headers.contains_key(ACCEPT_RANGES)
        && DIFFERING.iter().all(|it| headers.get_all(it).iter().count() == 1)
        && is_same_for_all(&asked.routed().behavior().response_headers);
    let is_signed = asked.credentials().is_some() && manifest::Kind::of(object.head()).is_some();
    if is_plain && !is_signed {
        let written = Written { headers: headers.clone(), form: form.map(Coding::form) };
        object.keep_written(circumstances, written);
    }
}

/// Whether a policy makes of equal responses equal ones, and leaves alone what differs between them.
fn is_same_for_all(policy: &ResponseHeaders) -> bool {
    let ResponseHeaders { cors, added, removed, server_timing } = policy;
    let is_left = |name: &HeaderName| !DIFFERING.contains(name) && *name != DATE;
    server_timing.is_none()
        && cors.as_ref().is_none_or(cors::is_for_everyone)
        && added.iter().all(|it| is_left(&it.name))
        && removed.iter().all(is_left)
}
