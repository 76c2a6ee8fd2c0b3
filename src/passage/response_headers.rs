//! What a behavior adds to responses and takes from them, as it is sent.

use config::distribution::{AddedHeader, Cors as Rules, ResponseHeadersPolicy};
use http::{HeaderName, HeaderValue};

/// A response headers policy, made into fields once.
#[derive(Clone, Debug, Default)]
pub struct ResponseHeaders {
    /// Cross-origin rules, if any.
    pub cors: Option<Cors>,
    /// Fields added to every response.
    pub added: Vec<Added>,
    /// Fields of the origin that viewers do not get.
    pub removed: Vec<HeaderName>,
    /// Of how many responses in a hundred `Server-Timing` tells, if of any.
    pub server_timing: Option<u32>,
}

/// A field that is added.
#[derive(Clone, Debug)]
pub struct Added {
    /// Its name.
    pub name: HeaderName,
    /// Its value.
    pub value: HeaderValue,
    /// Whether it takes the place of the origin's.
    pub overrides: bool,
    /// Whether it is added over https alone.
    pub https_only: bool,
}

/// Cross-origin rules with their lists as fields have them; a list that is empty is no field.
#[derive(Clone, Debug)]
pub struct Cors {
    /// The rules.
    pub rules: Rules,
    /// Methods for preflights.
    pub allow_methods: Option<HeaderValue>,
    /// Request headers for preflights.
    pub allow_headers: Option<HeaderValue>,
    /// Response headers scripts may read.
    pub expose_headers: Option<HeaderValue>,
}

impl ResponseHeaders {
    /// Makes the fields of a policy. Its names and values are checked when it is read; one that were none would be left
    /// out here.
    pub fn new(policy: &ResponseHeadersPolicy) -> Self {
        let name = |it: &String| HeaderName::try_from(it).ok();
        let ResponseHeadersPolicy { cors, headers, remove_headers, server_timing, .. } = policy;
        Self {
            cors: cors.clone().map(Cors::new),
            added: headers.iter().filter_map(Added::new).collect(),
            removed: remove_headers.iter().filter_map(name).collect(),
            server_timing: *server_timing,
        }
    }
}

impl Added {
    fn new(header: &AddedHeader) -> Option<Self> {
        let &AddedHeader { ref name, ref value, overrides, https_only } = header;
        let (name, value) = (HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
        Some(Self { name, value, overrides, https_only })
    }
}

impl Cors {
    /// Makes the fields of `rules`.
    pub fn new(rules: Rules) -> Self {
        let list = |it: &[String]| HeaderValue::try_from(it.join(", ")).ok().filter(|it| !it.is_empty());
        Self {
            allow_methods: list(&rules.allow_methods),
            allow_headers: list(&rules.allow_headers),
            expose_headers: list(&rules.expose_headers),
            rules,
        }
    }
}
