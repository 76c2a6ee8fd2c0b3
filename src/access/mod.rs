//! May this viewer have it? Protocol, method, then signatures exactly as CloudFront checks them (cloudfront.md 1).
//!
//! Takes a [`Guarded`], gives an [`Admitted`] or a [`Refusal`] with its reason. Signing parameters end here: what goes on
//! has none, so no cache key and no origin ever sees one.
//!
//! ```text
//! query or cookies ─▶ presented ─▶ key ─▶ signature, policy ─▶ known from before? ─▶ verify ─▶ resource, time, address
//! ```
//! The station opens no file and asks no clock: keys are loaded for it, and every question brings its time.

mod encoding;
mod failures;
mod keys;
mod policy;
mod presented;
mod resource;
pub mod sign;
mod signature;
mod stats;
mod stream;
mod transport;
mod verified;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use config::units::IpNetwork;

use crate::passage::{Admitted, Behavior, Credentials, Guarded, Reason, Refusal, Routed};

pub use keys::{KeyFault, KeyProblem, Keys};
pub use stats::Stats;
pub use stream::StreamAsk;

use failures::Failures;
use presented::{Presented, Query, signing_part};
use resource::{Url, canonical, covers};
use signature::Ask;
use stats::Counters;
use verified::{Form, Verified};

/// What a reload may change.
#[derive(Debug, Default)]
pub struct Rules {
    /// Keys and groups.
    pub keys: Keys,
    /// Who may send wrong signatures without limit, beside loopback.
    pub trusted_clients: Vec<IpNetwork>,
    /// Where this server's https is, for redirects.
    pub https_port: Option<u16>,
}

impl Rules {
    fn limits(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        !client.is_loopback() && !self.trusted_clients.iter().any(|it| it.contains(client))
    }
}

/// The station: its rules, and what it remembers.
#[derive(Debug)]
pub struct Access {
    rules: ArcSwap<Rules>,
    verified: Verified,
    failures: Failures,
    counters: Counters,
}

impl Access {
    /// One that has not seen anybody yet.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules: ArcSwap::from_pointee(rules),
            verified: Verified::new(),
            failures: Failures::new(),
            counters: Counters::default(),
        }
    }

    /// Changes the rules whole, for requests that come from now on. To be called before the table with their
    /// behaviors is swapped: until then a new key group trusts nobody.
    pub fn replace(&self, rules: Rules) {
        let rules = Arc::new(rules);
        self.rules.store(Arc::clone(&rules));
        self.verified.retain(|it| rules.keys.has(it.fingerprint()));
    }

    /// Judges a request at `now`.
    ///
    /// # Errors
    /// [`Refusal`] with the first reason in CloudFront's order (cloudfront.md 1.7).
    pub fn admit(&self, guarded: Guarded, now: SystemTime) -> Result<Admitted, Refusal> {
        let routed = guarded.into_routed();
        match self.judge(&routed, now) {
            Ok((query, credentials)) => Ok(Admitted::new(Witness(()), routed, query, credentials)),
            Err(reason) => {
                self.counters.refused(&reason);
                Err(Refusal::new(Witness(()), routed, reason))
            }
        }
    }

    /// Whether a behavior trusts a key: manifests hand a viewer's signature on to such behaviors only.
    pub fn trusts(&self, behavior: &Behavior, key_pair_id: &str) -> bool {
        self.rules.load().keys.find(&behavior.trusted_key_groups, key_pair_id).is_some()
    }

    /// What was done since the start.
    pub fn stats(&self) -> Stats {
        self.counters.read()
    }

    /// What goes on: the viewer's own query, and the signature that manifests hand on.
    fn judge(
        &self,
        routed: &Routed,
        now: SystemTime,
    ) -> Result<(Option<String>, Option<Credentials>), Reason> {
        let (request, behavior) = (routed.request(), routed.behavior());
        let rules = self.rules.load();
        transport::judge(request, behavior, rules.https_port)?;
        if behavior.trusted_key_groups.is_empty() {
            return Ok((request.query().map(str::to_owned), None));
        }
        let Query { own, presented: in_query } = Query::part(request.query())?;
        let presented = in_query.unwrap_or_else(|| Presented::in_cookies(request.headers()));
        let url = Url {
            scheme: request.scheme().as_str(),
            host: request.host(),
            path: request.path(),
            query: own.as_deref(),
        };
        let ask = Ask { presented, key_groups: &behavior.trusted_key_groups, client: request.client(), now };
        let (form, policy) = self.check_signature(&rules, &ask, &[url.to_string()])?;
        // The URL as received and the path that goes on must both be covered, or `/a/../b` would open `/b` for `/a/*`.
        let is_covered = |resource: &str| {
            covers(resource, url)
                && (routed.path() == url.path
                    || covers(&canonical(resource), Url { path: routed.path(), ..url }))
        };
        if !policy.resource.as_deref().is_none_or(is_covered) {
            return Err(Reason::Resource);
        }
        policy.judge(now, request.client())?;
        let credentials = match (form, in_query, request.query(), presented.key_pair_id) {
            (Form::Custom, Some(_), Some(query), Some(id)) => {
                Some(Credentials { query: signing_part(query).into(), key_pair_id: id.into() })
            }
            _ => None,
        };
        Ok((own, credentials))
    }
}

/// Proof that this station speaks; made here alone.
#[derive(Clone, Copy, Debug)]
pub struct Witness(());

#[cfg(test)]
impl Witness {
    /// For tests of the stations behind this one.
    pub(crate) const fn in_tests() -> Self {
        Self(())
    }
}

#[cfg(test)]
mod tests;
