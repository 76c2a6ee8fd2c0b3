//! What an origin is told of a viewer's request (cloudfront.md 3.3, 3.4).
//!
//! One place says it for all: the cache's key is made of what the origin is told, octet for octet, so nothing that the
//! key does not have can be told by accident (http-edge.md 21).

use std::borrow::Cow;

use config::cache::Selection;
use config::distribution::OriginRequestPolicy;
use http::header::{
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONNECTION, CONTENT_LENGTH,
    COOKIE, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    IF_UNMODIFIED_SINCE, ORIGIN,
};
use http::{Method, Version};

use super::{Admitted, Request, cookies, device};

/// What goes on of a request's fields.
#[derive(Clone, Debug, Default)]
pub struct Forwarded {
    /// The fields.
    pub headers: HeaderMap,
    /// Names of those that are not in the cache key: an answer that depends on one of them is for this viewer alone.
    pub unkeyed: Vec<HeaderName>,
}

impl Admitted {
    /// What goes on of its fields: those of the cache policy, and those of the origin request policy.
    pub fn forwarded(&self) -> Forwarded {
        let (request, behavior) = (self.routed().request(), self.routed().behavior());
        let mut it = Forwarded::default();
        for name in &behavior.cache_policy.headers {
            it.add(name, self.told(name));
        }
        if let Some(policy) = &behavior.origin_request {
            for name in self.beside(policy) {
                self.tell_beside(&mut it, name);
            }
        }
        it.describe_body(request, behavior.caches_options);
        let also = behavior.origin_request.as_ref().map_or(&Selection::None, |it| &it.cookies);
        let keyed = &behavior.cache_policy.cookies;
        if *keyed != Selection::None || *also != Selection::None {
            let cookies = cookies::selected(request.headers(), |it| keyed.has(it) || also.has(it));
            it.headers.extend(cookies.map(|it| (COOKIE, it)));
            if cookies::selected(request.headers(), |it| also.has(it) && !keyed.has(it)).is_some() {
                it.unkeyed.push(COOKIE);
            }
        }
        it
    }

    /// The parameters that go on, in the viewer's order; the key's are always among them.
    pub fn forwarded_query(&self) -> Cow<'_, str> {
        let behavior = self.routed().behavior();
        match (&behavior.origin_request, self.query()) {
            (Some(policy), Some(query)) => {
                let keyed = &behavior.cache_policy.query;
                Cow::Owned(super::admitted::selected(query, |it| keyed.has(it) || policy.query.has(it)))
            }
            _ => Cow::Borrowed(self.keyed_query()),
        }
    }

    /// The cookies that are in the key, sorted by name.
    pub fn keyed_cookies(&self) -> Option<HeaderValue> {
        let keyed = &self.routed().behavior().cache_policy.cookies;
        let headers = self.routed().request().headers();
        (*keyed != Selection::None).then(|| cookies::selected(headers, |it| keyed.has(it))).flatten()
    }

    /// What an origin is told under a name, in lower case: what the viewer sent, what is made here, or nothing.
    pub fn told(&self, name: &str) -> impl Iterator<Item = Cow<'_, HeaderValue>> {
        let request = self.routed().request();
        let (made, sent) = match name {
            "host" => (HeaderValue::try_from(&**request.host()).ok(), None),
            "x-forwarded-for" => (HeaderValue::try_from(request.client().to_string()).ok(), None),
            "cloudfront-viewer-country" => (self.country(), None),
            _ if name.starts_with("cloudfront-") => (made(request, name), None),
            _ if is_of_the_connection(request, name) => (None, None),
            _ => (None, Some(request.headers().get_all(name).iter())),
        };
        made.map(Cow::Owned).into_iter().chain(sent.into_iter().flatten().map(Cow::Borrowed))
    }

    fn country(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(self.routed().country()?.as_str()).ok()
    }

    /// The names that an origin request policy adds.
    fn beside<'a>(&'a self, policy: &'a OriginRequestPolicy) -> impl Iterator<Item = &'a str> {
        let (all, names) = match &policy.headers {
            Selection::None => (false, [].as_slice()),
            Selection::Only(names) => (false, names.as_slice()),
            Selection::All | Selection::AllExcept(_) => (true, [].as_slice()),
        };
        let shared = !self.routed().behavior().cache_policy.max_ttl.is_zero();
        let sent = self.routed().request().headers().keys().map(HeaderName::as_str);
        // HTTP/2 has it under another name.
        let sent = sent.filter(|it| *it != "host").chain(["host"]);
        let sent = sent.filter(move |it| all && policy.headers.has(it));
        let sent = sent.filter(move |it| !(is_made_anew(it) || shared && is_poison(it)));
        let names = names.iter().chain(&policy.cloudfront_headers).map(String::as_str);
        sent.chain(names)
    }

    /// Tells what is not in the key.
    fn tell_beside(&self, it: &mut Forwarded, name: &str) {
        let behavior = self.routed().behavior();
        // Cookies are chosen one by one.
        if name == COOKIE.as_str() || behavior.cache_policy.headers.iter().any(|it| it == name) {
            return;
        }
        let shared = !behavior.cache_policy.max_ttl.is_zero();
        if name == "host" && shared {
            // A port is not what a host is known by, and would be reflected to others (http-edge.md 21).
            let host = HeaderValue::try_from(self.routed().request().host_name()).ok();
            it.add(name, host.map(Cow::Owned).into_iter());
        } else {
            it.add(name, self.told(name));
        }
        // Where the edge says itself who may read an answer, what the origin says of it does not count.
        let of_cors = [ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD];
        let cors_is_ours = behavior.response_headers.cors.as_ref().is_some_and(|it| it.rules.origin_override);
        if let Ok(name) = HeaderName::try_from(name)
            && !(cors_is_ours && of_cors.contains(&name))
        {
            it.unkeyed.push(name);
        }
    }
}

impl Forwarded {
    /// What a body is goes with it, and so do conditions on which something is changed, and who changes it
    /// (cloudfront.md 3.4).
    fn describe_body(&mut self, request: &Request, caches_options: bool) {
        // What others may be given depends on no field that is not in the key.
        let keeps_options = caches_options && *request.method() == Method::OPTIONS && !request.has_body();
        if matches!(*request.method(), Method::GET | Method::HEAD) || keeps_options {
            return;
        }
        let changes = *request.method() != Method::OPTIONS;
        for name in request.headers().keys() {
            let described = name.as_str().starts_with("content-") && *name != CONTENT_LENGTH;
            let on_condition =
                [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE, AUTHORIZATION]
                    .contains(name);
            if (described || changes && on_condition) && !self.headers.contains_key(name) {
                for value in request.headers().get_all(name) {
                    self.headers.append(name.clone(), value.clone());
                }
            }
        }
    }

    fn add<'a>(&mut self, name: &str, values: impl Iterator<Item = Cow<'a, HeaderValue>>) {
        let Ok(name) = HeaderName::try_from(name) else { return };
        for value in values {
            self.headers.append(name.clone(), value.into_owned());
        }
    }
}

/// What belongs to the viewer's connection, frames its message, or is another's to say: who came through whom, which
/// part is wanted.
fn is_of_the_connection(request: &Request, name: &str) -> bool {
    const NOT_TOLD: [&str; 21] = [
        "cdn-loop",
        "connection",
        "content-length",
        "cookie",
        "expect",
        "forwarded",
        "http2-settings",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "keep-alive",
        "max-forwards",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-real-ip",
    ];
    const FAMILIES: [&str; 3] = ["proxy-", "x-edge-", "x-forwarded-"];
    if NOT_TOLD.contains(&name) || FAMILIES.iter().any(|it| name.starts_with(it)) {
        return true;
    }
    let named = |line: &HeaderValue| {
        line.to_str().is_ok_and(|it| it.split(',').any(|it| it.trim().eq_ignore_ascii_case(name)))
    };
    request.headers().get_all(CONNECTION).iter().any(named)
}

/// What is written anew though a policy lets everything through: codings are made here, and what is made here is made
/// for who names it.
fn is_made_anew(name: &str) -> bool {
    name == "accept-encoding" || name == "x-forwarded-for" || name.starts_with("cloudfront-")
}

/// What some origin takes for the URL, the method or the scheme: an answer to it is kept for others only where a policy
/// names the field (http-edge.md 21).
fn is_poison(name: &str) -> bool {
    const POISON: [&str; 7] = [
        "front-end-https",
        "x-host",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "x-original-url",
        "x-rewrite-url",
    ];
    POISON.contains(&name) || name.starts_with("x-amz-") || name.starts_with("x-levada-")
}

/// What is known here of a viewer, under CloudFront's names; none for what is not.
fn made(request: &Request, name: &str) -> Option<HeaderValue> {
    let fact = name.strip_prefix("cloudfront-")?;
    let truth = |it: bool| HeaderValue::from_static(if it { "true" } else { "false" });
    if let Some(device) = fact.strip_prefix("is-").and_then(|it| it.strip_suffix("-viewer")) {
        return device::is(request.headers(), device).map(truth);
    }
    let text = match fact {
        "forwarded-proto" => request.scheme().as_str().to_owned(),
        "viewer-address" => match request.client_port() {
            Some(port) => format!("{}:{port}", request.client()),
            // A proxy spoke for the viewer; its own port is not the viewer's.
            None => request.client().to_string(),
        },
        "viewer-header-count" => request.headers().len().to_string(),
        "viewer-http-version" => match request.version() {
            Version::HTTP_09 | Version::HTTP_10 => "1.0".to_owned(),
            Version::HTTP_2 => "2.0".to_owned(),
            Version::HTTP_3 => "3.0".to_owned(),
            _ => "1.1".to_owned(),
        },
        _ => return None,
    };
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests;
