//! A request whose viewer may have what it asks for.

use std::sync::Arc;

use super::Routed;
use crate::access;

/// The signature a viewer came with in the URL, as a manifest hands it on.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// `Policy=…&Signature=…&Key-Pair-Id=…[&Hash-Algorithm=…]`, as received; never of a canned policy.
    pub query: Arc<str>,
    /// The key it was made with; only behaviors that trust it get the signature.
    pub key_pair_id: Arc<str>,
}

/// A request that passed all restrictions; only such can be looked up or fetched.
#[derive(Clone, Debug)]
pub struct Admitted {
    routed: Routed,
    query: Option<String>,
    keyed: String,
    credentials: Option<Credentials>,
}

impl Admitted {
    /// Made by `access` alone: `query` has no signing parameters left.
    pub fn new(
        _: access::Witness,
        routed: Routed,
        query: Option<String>,
        credentials: Option<Credentials>,
    ) -> Self {
        let selection = &routed.behavior().cache_policy.query;
        let keyed = query.as_deref().map(|it| selected(it, |it| selection.has(it))).unwrap_or_default();
        Self { routed, query, keyed, credentials }
    }

    /// What was asked and under which rules.
    pub const fn routed(&self) -> &Routed {
        &self.routed
    }

    /// The canonical path: what cache keys and origins see, [`Routed::path`].
    pub fn path(&self) -> &str {
        self.routed.path()
    }

    /// The viewer's own query, signing parameters removed.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The parameters of [`query`](Self::query) that the cache policy selects, in the viewer's order; empty when it
    /// selects none. They are in the cache key, and nothing else of the query goes to an origin unless an origin request
    /// policy says so: what is not in the key must not change an answer that others get.
    pub fn keyed_query(&self) -> &str {
        &self.keyed
    }

    /// What manifests hand on.
    pub const fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }
}

/// The parameters of a query that are selected by name. Only `&` separates, order and case matter (cloudfront.md 3.1).
pub(super) fn selected(query: &str, is_selected: impl Fn(&str) -> bool) -> String {
    let is_selected =
        |parameter: &&str| is_selected(parameter.split_once('=').map_or(*parameter, |(name, _)| name));
    let mut kept = String::new();
    for parameter in query.split('&').filter(|it| !it.is_empty()).filter(is_selected) {
        if kept.is_empty() {
            kept.reserve(query.len());
        } else {
            kept.push('&');
        }
        kept.push_str(parameter);
    }
    kept
}
