//! Host names, behaviors and what they add to responses.

use crate::units::PathPattern;

/// A set of behaviors under host names.
#[derive(Clone, Debug)]
pub struct Distribution {
    /// A name for logs and metrics; the first alias, or `default`.
    pub id: String,
    /// Host names, lower case, `*.example.com` allowed.
    pub aliases: Vec<String>,
    /// Whether it answers unknown hosts and bare addresses.
    pub default: bool,
    /// In the order they are tried; the last is the default behavior, with the pattern `*`.
    pub behaviors: Vec<Behavior>,
}

/// What is done for the paths of one pattern.
#[derive(Clone, Debug)]
pub struct Behavior {
    /// `*` for the default behavior.
    pub path_pattern: PathPattern,
    /// An origin's id, known.
    pub target_origin: String,
    /// Names of key groups, all known; empty: public.
    pub trusted_key_groups: Vec<String>,
    /// A cache policy's name, known.
    pub cache_policy: String,
    /// A response headers policy's name, known.
    pub response_headers_policy: String,
    /// Whether manifests carry the viewer's signature on (default: yes where key groups are trusted).
    pub rewrite_manifests: RewriteManifests,
    /// Whether http is allowed.
    pub viewer_protocol_policy: ViewerProtocolPolicy,
    /// Whether text is compressed for viewers who accept it.
    pub compress: bool,
}

/// How manifests carry a viewer's signature on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RewriteManifests {
    /// Not at all.
    No,
    /// Appended to each URI.
    Append,
    /// By `EXT-X-DEFINE:QUERYPARAM` in HLS; appended in DASH.
    Define,
}

/// Whether http is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewerProtocolPolicy {
    /// Both.
    AllowAll,
    /// http is redirected (301 for GET and HEAD, 307 else).
    RedirectToHttps,
    /// http is 403.
    HttpsOnly,
}

/// What a behavior adds to responses (cloudfront.md 3.15).
#[derive(Clone, Debug)]
pub struct ResponseHeadersPolicy {
    /// What behaviors name, such as `Levada-Media` or `Managed-SimpleCORS`.
    pub name: String,
    /// Cross-origin rules, if any.
    pub cors: Option<Cors>,
    /// Fields added to every response, over the origin's.
    pub custom_headers: Vec<(String, String)>,
}

/// Cross-origin rules.
#[derive(Clone, Debug)]
pub struct Cors {
    /// `*`, exact origins, or `https://*.example.com`.
    pub allow_origins: Vec<String>,
    /// Methods for preflights.
    pub allow_methods: Vec<String>,
    /// Request headers for preflights; `*` is all.
    pub allow_headers: Vec<String>,
    /// Response headers scripts may read.
    pub expose_headers: Vec<String>,
    /// Whether cookies may be sent. The answer then names the asking origin, never `*`.
    pub allow_credentials: bool,
    /// Seconds a preflight may be remembered.
    pub max_age: u32,
}
