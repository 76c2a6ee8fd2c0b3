//! A request that belongs to a behavior.

use std::sync::Arc;

use config::cache::CachePolicy;
use config::distribution::{
    AllowedMethods, OriginRequestPolicy, RangeFill, RewriteManifests, ViewerProtocolPolicy,
};
use config::units::PathPattern;
use http::{HeaderName, StatusCode};

use super::{Country, Request, ResponseHeaders};
use crate::behavior;

/// A distribution as requests see it.
#[derive(Debug)]
pub struct Distribution {
    /// For logs, metrics and cache keys.
    pub id: Arc<str>,
    /// Whether it answers anybody.
    pub enabled: bool,
    /// The host name that other servers know it by: its first alias without a wildcard.
    pub host: Option<String>,
    /// What whoever asks for `/` asks for: a path; none: `/` itself.
    pub root: Option<String>,
    /// What is sent in place of errors.
    pub error_pages: Vec<ErrorPage>,
    /// In the order they are tried; the last matches everything.
    pub behaviors: Vec<Arc<Behavior>>,
}

impl Distribution {
    /// The first behavior whose pattern matches a canonical path.
    pub fn behavior(&self, path: &str) -> &Arc<Behavior> {
        let (default, others) =
            self.behaviors.split_last().expect("a distribution ends with its default behavior");
        others.iter().find(|it| it.path_pattern.matches(path)).unwrap_or(default)
    }
}

/// What is sent in place of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorPage {
    /// The error.
    pub error: StatusCode,
    /// The canonical path of what is sent in its place.
    pub path: String,
    /// The status it is sent with.
    pub status: StatusCode,
}

/// A behavior with its policies looked up.
#[derive(Debug)]
pub struct Behavior {
    /// Which paths are its.
    pub path_pattern: PathPattern,
    /// The origin's id.
    pub target_origin: String,
    /// Names of trusted key groups; empty: public.
    pub trusted_key_groups: Vec<String>,
    /// Cache key and lifetimes.
    pub cache_policy: Arc<CachePolicy>,
    /// What goes to the origin beside what is in the key.
    pub origin_request: Option<Arc<OriginRequestPolicy>>,
    /// What responses get beside.
    pub response_headers: Arc<ResponseHeaders>,
    /// How manifests carry a signature on.
    pub rewrite_manifests: RewriteManifests,
    /// Whether http is allowed.
    pub viewer_protocol_policy: ViewerProtocolPolicy,
    /// Whether text is compressed.
    pub compress: bool,
    /// What is fetched where a range is asked for.
    pub range_fill: RangeFill,
    /// Which methods are answered.
    pub allowed_methods: AllowedMethods,
    /// Whether answers to OPTIONS are kept.
    pub caches_options: bool,
    /// Octets that a viewer may send with one request.
    pub max_request_body: u64,
}

impl Behavior {
    /// Whether a policy has an origin told a field of the viewer's, if it sends one.
    pub fn tells(&self, name: &HeaderName) -> bool {
        let beside = |it: &Arc<OriginRequestPolicy>| it.headers.has(name.as_str());
        self.cache_policy.headers.iter().any(|it| it == name.as_str())
            || self.origin_request.as_ref().is_some_and(beside)
    }
}

/// A request, the distribution it came for and the behavior its path chose.
#[derive(Clone, Debug)]
pub struct Routed {
    request: Request,
    path: String,
    distribution: Arc<Distribution>,
    behavior: Arc<Behavior>,
    country: Option<Country>,
}

impl Routed {
    /// Made by `behavior` alone, which chose by `path`: the canonical one.
    pub fn new(
        _: behavior::Witness,
        request: Request,
        path: String,
        distribution: Arc<Distribution>,
        behavior: Arc<Behavior>,
    ) -> Self {
        Self { request, path, distribution, behavior, country: None }
    }

    pub(super) fn with_country(self, country: Option<Country>) -> Self {
        Self { country, ..self }
    }

    /// Where the viewer is, if that is known yet.
    pub const fn country(&self) -> Option<Country> {
        self.country
    }

    /// What was asked.
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// The canonical path: one spelling for behaviors, signatures, cache keys and origins. It is still a URL path:
    /// unreserved characters are decoded, other percent-triplets are in upper case, dot segments are gone, and no
    /// triplet stands for a slash, a backslash, a control character or broken UTF-8.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// For whom.
    pub const fn distribution(&self) -> &Arc<Distribution> {
        &self.distribution
    }

    /// Under which rules.
    pub const fn behavior(&self) -> &Arc<Behavior> {
        &self.behavior
    }
}
