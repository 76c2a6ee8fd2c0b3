//! The request that is sent to a web server.

use std::sync::{Arc, Mutex, PoisonError};

use config::origin::{HttpOrigin, OriginProtocolPolicy};
use http::header::{
    ACCEPT_ENCODING, ALLOW, AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, MAX_FORWARDS, RANGE, USER_AGENT, VIA,
};
use http::{Method, Request, StatusCode, Uri, Version};
use xxhash_rust::xxh3::xxh3_64;

use super::refusal;
use super::standing::Target;
use crate::passage::{Admitted, Ask, Failure, Fetched, Forwarded, Scheme, Upload};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// RFC 8586.
const CDN_LOOP: HeaderName = HeaderName::from_static("cdn-loop");

/// Octets of `Via` or `CDN-Loop` that caches before us have written: some thirty of them. More is written by a viewer who
/// wants an origin to refuse what others ask for; a longer `Via` goes no further, a longer `CDN-Loop` is a loop.
const LONGEST_WAY: usize = 1024;

/// What of a viewer's request goes on.
#[derive(Clone, Debug)]
pub(in crate::origin) struct Question {
    method: Method,
    scheme: Scheme,
    /// The canonical path, and of the query what the policies tell.
    target: Arc<str>,
    /// What the policies tell it, and who asked.
    headers: HeaderMap,
    /// Names of those of them that are not in the cache key.
    unkeyed: Vec<HeaderName>,
    upload: Arc<Mutex<Upload>>,
    max_body: u64,
    /// Whether this server has had the request before.
    looped: bool,
    may_wait: bool,
}

impl Question {
    /// `node` names this server among the caches a request goes through.
    pub(in crate::origin) fn of(asked: &Admitted, node: &str) -> Self {
        let request = asked.routed().request();
        let behavior = asked.routed().behavior();
        let query = asked.forwarded_query();
        let target =
            if query.is_empty() { asked.path().into() } else { format!("{}?{query}", asked.path()).into() };
        let Forwarded { mut headers, unkeyed } = asked.forwarded();
        // Whom the cache answers to is not whom the origin answers to: HEAD shares what GET brings.
        let shares = matches!(*request.method(), Method::GET | Method::HEAD)
            && !behavior.cache_policy.max_ttl.is_zero();
        let method = if shares { Method::GET } else { request.method().clone() };
        let before = request.headers().get_all(CDN_LOOP);
        let octets: usize = before.iter().map(HeaderValue::len).sum();
        let looped = octets > LONGEST_WAY
            || before.iter().filter_map(|it| it.to_str().ok()).any(|it| names(it, node))
            || times_through(request.headers(), node) > 1;
        for value in before {
            headers.append(CDN_LOOP, value.clone());
        }
        headers.append(CDN_LOOP, HeaderValue::try_from(node).expect("a node's name is a token"));
        let via_octets: usize = request.headers().get_all(VIA).iter().map(HeaderValue::len).sum();
        for value in request.headers().get_all(VIA).iter().filter(|_| via_octets <= LONGEST_WAY) {
            headers.append(VIA, value.clone());
        }
        headers.append(VIA, via(request.version(), node));
        // Where the answer is kept for others, no viewer may have it given by a server in front of the origin.
        if let Some(left) = request.max_forwards().filter(|_| !behavior.caches_options) {
            headers.insert(MAX_FORWARDS, HeaderValue::from(left.saturating_sub(1)));
        }
        if let Ok(client) = HeaderValue::try_from(request.client().to_string()) {
            headers.insert(X_FORWARDED_FOR, client);
        }
        Self {
            method,
            scheme: request.scheme(),
            target,
            headers,
            unkeyed,
            upload: Arc::new(Mutex::new(Upload::none())),
            max_body: behavior.max_request_body,
            looped,
            may_wait: false,
        }
    }

    /// For the octets of a stored file, of which no viewer decides anything; `path` is that of the file, decoded.
    pub(in crate::origin) fn for_file(path: &str, node: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CDN_LOOP, HeaderValue::try_from(node).expect("a node's name is a token"));
        headers.insert(VIA, via(Version::HTTP_11, node));
        let named = path.replace('%', "%25");
        Self {
            method: Method::GET,
            scheme: Scheme::Https,
            target: format!("/{}", spelled(&named)).into(),
            headers,
            unkeyed: Vec::new(),
            upload: Arc::new(Mutex::new(Upload::none())),
            max_body: 0,
            looped: false,
            may_wait: false,
        }
    }

    /// The same for a bucket: the name of an object, and nothing that could steer the store. Under our signature a query
    /// of a viewer's could list the bucket, or a field change what an answer is.
    #[must_use]
    pub(super) fn for_bucket(mut self) -> Self {
        let path = self.target.split('?').next().unwrap_or_default();
        self.target = spelled(path).into();
        let steers =
            |it: &HeaderName| it.as_str().starts_with("x-") || [AUTHORIZATION, COOKIE, HOST].contains(it);
        let steering: Vec<_> = self.headers.keys().filter(|it| steers(it)).cloned().collect();
        for name in steering {
            self.headers.remove(name);
        }
        self.unkeyed.retain(|it| self.headers.contains_key(it));
        self
    }

    /// The same for another server of this kind: under the name that it has the distribution by, which is one for all who
    /// share an answer, and as if the viewer had come there.
    #[must_use]
    pub(in crate::origin) fn for_parent(mut self, host: Option<&str>) -> Self {
        self.headers.remove(HOST);
        if let Some(Ok(host)) = host.map(HeaderValue::try_from) {
            self.headers.insert(HOST, host);
        }
        self.headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(self.scheme.as_str()));
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        self.may_wait = path.ends_with(".m3u8") || path.ends_with(".mpd") || query.contains("_HLS_msn=");
        self
    }

    /// Whether its answer may have to wait for a part of a broadcast.
    pub(super) const fn may_wait(&self) -> bool {
        self.may_wait
    }

    /// Whether it names a host other than the server's own.
    pub(super) fn names_host(&self) -> bool {
        self.headers.contains_key(HOST)
    }

    /// What is asked for, as a text that no other has.
    pub(in crate::origin) fn name(&self) -> String {
        let host = self.headers.get(HOST).map(|it| String::from_utf8_lossy(it.as_bytes()));
        format!("{}{}", host.unwrap_or_default(), self.target)
    }

    /// What is answered in place of a bucket, which would list itself to whoever names no object, and obey whoever may
    /// write.
    pub(super) fn refused_by_buckets(&self) -> Option<Fetched> {
        let (status, sentence) = if !matches!(self.method, Method::GET | Method::HEAD) {
            (StatusCode::METHOD_NOT_ALLOWED, "a bucket is only read here\n")
        } else if &*self.target == "/" {
            (StatusCode::NOT_FOUND, "an object has a name\n")
        } else {
            return None;
        };
        let mut fetched = refusal::ours(status, sentence);
        if status == StatusCode::METHOD_NOT_ALLOWED {
            fetched.headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        Some(fetched)
    }

    /// The same, with a body.
    #[must_use]
    pub(in crate::origin) fn bringing(mut self, upload: Upload) -> Self {
        self.upload = Arc::new(Mutex::new(upload));
        self
    }

    /// Whether it has a body to send.
    pub(in crate::origin) fn is_uploading(&self) -> bool {
        !self.upload.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Its body; who asks again has none.
    pub(super) fn take_upload(&self) -> Upload {
        let upload = &mut *self.upload.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(upload, Upload::none())
    }

    /// Octets that its body may have.
    pub(super) const fn max_body(&self) -> u64 {
        self.max_body
    }

    /// Whether this server has had the request before.
    pub(in crate::origin) const fn is_looped(&self) -> bool {
        self.looped
    }

    /// Names of the fields it tells that are not in the cache key.
    pub(in crate::origin) fn unkeyed(&self) -> &[HeaderName] {
        &self.unkeyed
    }

    /// Whether its answer has no body.
    pub(super) fn is_for_head(&self) -> bool {
        self.method == Method::HEAD
    }

    /// Whether it may be sent twice.
    pub(in crate::origin) fn is_repeatable(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS)
    }

    /// Whether it goes over TLS to an origin with these settings.
    fn is_secure(&self, settings: &HttpOrigin) -> bool {
        match settings.protocol_policy {
            OriginProtocolPolicy::HttpOnly => false,
            OriginProtocolPolicy::HttpsOnly => true,
            OriginProtocolPolicy::MatchViewer => self.scheme == Scheme::Https,
        }
    }

    /// What of an origin with these settings it tells about.
    pub(super) fn target_at(&self, settings: &HttpOrigin) -> Target {
        let name = self.name();
        let path = name.split('?').next().unwrap_or_default();
        let directory = path.rsplit_once('/').map_or(path, |(directory, _)| directory);
        Target { secure: self.is_secure(settings), directory: xxh3_64(directory.as_bytes()) }
    }

    /// The request, for an origin with these settings.
    pub(super) fn request(&self, settings: &HttpOrigin, ask: &Ask) -> Result<Request<()>, Failure> {
        let (scheme, port, usual) = if self.is_secure(settings) {
            ("https", settings.https_port, 443)
        } else {
            ("http", settings.http_port, 80)
        };
        let authority = if port == usual {
            settings.domain_name.clone()
        } else {
            format!("{}:{port}", settings.domain_name)
        };
        let uri = format!("{scheme}://{authority}{}{}", settings.path, self.target);
        let uri =
            Uri::try_from(uri).map_err(|error| Failure::Unreadable(format!("{error} in the request")))?;

        let mut request = Request::new(());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        *headers = self.headers.clone();
        if !headers.contains_key(HOST) {
            let host =
                HeaderValue::try_from(authority).map_err(|error| Failure::Unreadable(error.to_string()))?;
            headers.insert(HOST, host);
        }
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static("Levada"));
        // One representation is kept; its compressed forms are made here, for those who take them.
        headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
        for (name, value) in &settings.custom_headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
        condition(headers, ask);
        Ok(request)
    }
}

/// A canonical path as a signature has it: what is neither unreserved nor a slash becomes a triplet, also where a URL could
/// have it plain. Some stores read a plain `+` as a space.
fn spelled(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/%".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// Says what is known already, and which octets are wanted.
fn condition(headers: &mut HeaderMap, ask: &Ask) {
    let known = ask.known.as_ref();
    let etag = known.and_then(|it| it.etag.clone());
    let last_modified = known.and_then(|it| it.last_modified.clone());
    if let Some(said) = &ask.as_said {
        headers.insert(RANGE, said.range.clone());
        if let Some(condition) = &said.if_range {
            headers.insert(IF_RANGE, condition.clone());
        }
        return;
    }
    if let Some(range) = &ask.range {
        let last = range.end.saturating_sub(1);
        headers
            .insert(RANGE, HeaderValue::try_from(format!("bytes={}-{last}", range.start)).expect("digits"));
        // A weak tag names no octets, and who has a tag has no need of a date (RFC 9110 13.1.5).
        let is_weak = etag.as_ref().is_some_and(|it| !it.as_bytes().starts_with(b"\""));
        if let Some(condition) = etag.or(last_modified).filter(|_| !is_weak) {
            headers.insert(IF_RANGE, condition);
        }
        return;
    }
    if let Some(etag) = etag {
        headers.insert(IF_NONE_MATCH, etag);
    }
    if let Some(date) = last_modified {
        headers.insert(IF_MODIFIED_SINCE, date);
    }
}

/// Whether a `CDN-Loop` names a CDN.
fn names(field: &str, node: &str) -> bool {
    field.split(',').any(|it| it.split(';').next().is_some_and(|it| it.trim().eq_ignore_ascii_case(node)))
}

/// How often a request went through a cache of this name, as far as its `Via` says. Once may be a namesake; who comes a
/// second time comes for ever, also where something on the way drops `CDN-Loop`.
fn times_through(headers: &HeaderMap, node: &str) -> usize {
    let lines = headers.get_all(VIA).iter().filter_map(|it| it.to_str().ok());
    let by =
        |member: &str| member.split_ascii_whitespace().nth(1).is_some_and(|it| it.eq_ignore_ascii_case(node));
    lines.flat_map(|it| it.split(',')).filter(|it| by(it)).count()
}

fn via(version: Version, node: &str) -> HeaderValue {
    let version = match version {
        Version::HTTP_09 | Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    };
    HeaderValue::try_from(format!("{version} {node}")).expect("a node's name is a token")
}
