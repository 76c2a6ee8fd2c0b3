//! Requests that passed all stations before the one under test.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use config::cache::{CachePolicy, Selection};
use config::distribution::{
    AllowedMethods, Cors, RangeFill, ResponseHeadersPolicy, RewriteManifests, ViewerProtocolPolicy,
};
use config::units::PathPattern;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method};

use super::{
    Admitted, Behavior, Credentials, Distribution, Facts, Guarded, Request, RequestId, ResponseHeaders,
    Routed, Scheme,
};
use crate::{access, behavior, protect, viewer};

/// A request to be, with the rules it comes under.
pub(crate) struct Example {
    pub(crate) facts: Facts,
    /// None: the path as sent is canonical.
    pub(crate) canonical_path: Option<String>,
    pub(crate) behavior: Behavior,
    /// What `behavior` adds to responses.
    pub(crate) response_headers: ResponseHeadersPolicy,
    /// What the distribution has beside `behavior`, which comes first.
    pub(crate) neighbors: Vec<Behavior>,
    pub(crate) distribution: &'static str,
    pub(crate) credentials: Option<Credentials>,
}

impl Example {
    /// `GET target`, under a policy that keys on nothing, allows every origin, compresses, and trusts nobody.
    pub(crate) fn get(target: &str) -> Self {
        let head = http::Request::get(target).body(()).expect("a test's target is legal").into_parts().0;
        let facts = Facts {
            id: RequestId::new(7),
            client: IpAddr::V4(Ipv4Addr::LOCALHOST),
            client_port: Some(4242),
            scheme: Scheme::Https,
            host: "video.example".into(),
            other_name: None,
            head: Arc::new(head),
            has_body: false,
            received: SystemTime::UNIX_EPOCH + Duration::from_secs(1_750_000_000),
        };
        let cors = Cors {
            allow_origins: vec!["*".to_owned()],
            allow_methods: vec!["GET".to_owned(), "HEAD".to_owned(), "OPTIONS".to_owned()],
            allow_headers: vec!["Range".to_owned()],
            expose_headers: vec!["Age".to_owned(), "Date".to_owned()],
            allow_credentials: false,
            max_age: 86_400,
            origin_override: true,
        };
        let behavior = Behavior {
            path_pattern: PathPattern::everything(),
            target_origin: "films".to_owned(),
            trusted_key_groups: Vec::new(),
            cache_policy: Arc::new(CachePolicy {
                name: "example".to_owned(),
                min_ttl: Duration::ZERO,
                default_ttl: Duration::from_secs(86_400),
                max_ttl: Duration::from_secs(31_536_000),
                error_ttl: Duration::from_secs(10),
                error_ttls: Vec::new(),
                query: Selection::None,
                headers: Vec::new(),
                cookies: Selection::None,
                deny_type_mismatch: true,
                gzip: true,
                request_directives: config::cache::RequestDirectives::Ignore,
                brotli: true,
            }),
            origin_request: None,
            response_headers: Arc::default(),
            rewrite_manifests: RewriteManifests::No,
            viewer_protocol_policy: ViewerProtocolPolicy::AllowAll,
            compress: true,
            range_fill: RangeFill::Auto,
            allowed_methods: AllowedMethods::Read,
            caches_options: false,
            max_request_body: 1 << 20,
        };
        let response_headers = ResponseHeadersPolicy {
            name: "example".to_owned(),
            cors: Some(cors),
            ..ResponseHeadersPolicy::default()
        };
        Self {
            facts,
            canonical_path: None,
            behavior,
            response_headers,
            neighbors: Vec::new(),
            distribution: "default",
            credentials: None,
        }
    }

    /// `GET url`.
    pub(crate) fn get_url(url: &str) -> Self {
        let (scheme, rest) = url.split_once("://").expect("a test's URL is absolute");
        let (host, target) = rest.split_at(rest.find('/').expect("a test's URL has a path"));
        let mut example = Self::get(target);
        example.facts.scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
        example.facts.host = host.into();
        example
    }

    /// The head as it is sent.
    pub(crate) fn head(&mut self) -> &mut Parts {
        Arc::make_mut(&mut self.facts.head)
    }

    pub(crate) fn method(mut self, method: Method) -> Self {
        self.head().method = method;
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("a test's value is legal");
        self.head().headers.append(HeaderName::from_static(name), value);
        self
    }

    pub(crate) fn policy(mut self, change: impl FnOnce(&mut CachePolicy)) -> Self {
        change(Arc::make_mut(&mut self.behavior.cache_policy));
        self
    }

    pub(crate) fn request(self) -> Request {
        Request::new(viewer::Witness::in_tests(), self.facts)
    }

    pub(crate) fn routed(self) -> Routed {
        let response_headers = Arc::new(ResponseHeaders::new(&self.response_headers));
        let behavior = Arc::new(Behavior { response_headers, ..self.behavior });
        let behaviors =
            std::iter::once(Arc::clone(&behavior)).chain(self.neighbors.into_iter().map(Arc::new));
        let distribution = Distribution {
            id: self.distribution.into(),
            enabled: true,
            error_pages: Vec::new(),
            host: Some("video.example".to_owned()),
            root: None,
            behaviors: behaviors.collect(),
        };
        let path = self.canonical_path.unwrap_or_else(|| self.facts.head.uri.path().to_owned());
        let request = Request::new(viewer::Witness::in_tests(), self.facts);
        Routed::new(behavior::Witness::in_tests(), request, path, Arc::new(distribution), behavior)
    }

    pub(crate) fn guarded(self) -> Guarded {
        Guarded::new(protect::Witness::in_tests(), self.routed(), None)
    }

    pub(crate) fn admitted(self) -> Admitted {
        let query = self.facts.head.uri.query().map(str::to_owned);
        let credentials = self.credentials.clone();
        Admitted::new(access::Witness::in_tests(), self.routed(), query, credentials)
    }

    /// The same under the rules of another request: the very same behavior.
    pub(crate) fn admitted_beside(self, other: &Admitted) -> Admitted {
        let query = self.facts.head.uri.query().map(str::to_owned);
        let request = Request::new(viewer::Witness::in_tests(), self.facts);
        let (distribution, behavior) = (other.routed().distribution(), other.routed().behavior());
        let path = request.path().to_owned();
        let (distribution, behavior) = (Arc::clone(distribution), Arc::clone(behavior));
        let routed = Routed::new(behavior::Witness::in_tests(), request, path, distribution, behavior);
        Admitted::new(access::Witness::in_tests(), routed, query, self.credentials)
    }
}
