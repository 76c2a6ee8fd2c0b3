//! What a behavior adds to responses, as it is sent.

use config::distribution::{Cors as Rules, ResponseHeadersPolicy};
use http::{HeaderName, HeaderValue};

/// A response headers policy, made into fields once.
#[derive(Clone, Debug, Default)]
pub struct ResponseHeaders {
    /// Cross-origin rules, if any.
    pub cors: Option<Cors>,
    /// Fields added to every response, over the origin's.
    pub custom: Vec<(HeaderName, HeaderValue)>,
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
        let field = |(name, value): &(String, String)| {
            Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
        };
        Self {
            cors: policy.cors.clone().map(Cors::new),
            custom: policy.custom_headers.iter().filter_map(field).collect(),
        }
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
