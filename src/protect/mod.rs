//! Is this viewer refused, whatever he asks for? By address, by country, by how much he asks (cloudfront.md 8.1, 8.3).
//!
//! Takes a [`Routed`], gives a [`Guarded`] or a [`Refusal`]. It stands before signatures: a refused viewer costs no
//! verification and no fetch, and gets none of our own pages either. The station opens no file and asks no clock: what it
//! needs is read for it, and every question brings its time.
//!
//! Its rules are a distribution's, which the host names, so they do not cover what is no request yet: connections, TLS
//! handshakes and heads that are no HTTP are bounded by `viewer` alone. Nor do they cover what an authority asks for to
//! see that a name is ours.

#[cfg(test)]
#[path = "../../tests/support/mmdb.rs"]
mod fixture;
mod mmdb;
mod networks;
mod rules;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use http::StatusCode;

pub use self::rules::{Rules, Unusable};

use self::rules::Guard;
use crate::counter::Counter;
use crate::passage::{Country, Guarded, Reason, Refusal, Request, Routed, Unrouted};

/// The station: its rules, and its book.
#[derive(Debug)]
pub struct Protect {
    rules: ArcSwap<Rules>,
    stats: Stats,
}

/// The book of this station.
#[derive(Debug, Default)]
pub struct Stats {
    /// Requests refused by address.
    pub addresses: Counter,
    /// Requests refused by country.
    pub countries: Counter,
    /// Requests refused because their client asks too much.
    pub rates: Counter,
}

impl Protect {
    /// One with these rules.
    pub fn new(rules: Rules) -> Self {
        Self { rules: ArcSwap::from_pointee(rules), stats: Stats::default() }
    }

    /// Changes the rules whole, for requests that come from now on.
    pub fn replace(&self, rules: Rules) {
        self.rules.store(Arc::new(rules));
    }

    /// The rules of now.
    pub fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// What was done since the start.
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Judges who asks at `now`.
    ///
    /// # Errors
    /// [`Refusal`] with the first reason: address, country, rate.
    pub fn judge(&self, routed: Routed, now: SystemTime) -> Result<Guarded, Refusal> {
        let id = &routed.distribution().id;
        match self.verdict(id, routed.path(), routed.request(), now) {
            Ok(country) => Ok(Guarded::new(Witness(()), routed, country)),
            Err(reason) => Err(Refusal::before_access(Witness(()), routed, reason)),
        }
    }

    /// Judges who asks for what no behavior can be chosen for: whoever is refused learns nothing else. Rules look at the
    /// path as it was sent.
    #[must_use]
    pub fn judge_unrouted(&self, unrouted: Unrouted, now: SystemTime) -> Unrouted {
        let request = unrouted.request();
        match self.verdict(&unrouted.distribution().id, request.path(), request, now) {
            Ok(_) => unrouted,
            Err(reason) => unrouted.refused(Witness(()), reason),
        }
    }

    /// Lets a page through that is sent in place of an error: who is shown it has been judged, and refused perhaps.
    pub fn excuse(&self, page: Routed) -> Guarded {
        let country = self.rules.load().country(page.request().client().to_canonical());
        Guarded::new(Witness(()), page, country)
    }

    /// Where the viewer is, if he may ask.
    fn verdict(
        &self,
        distribution: &str,
        path: &str,
        request: &Request,
        now: SystemTime,
    ) -> Result<Option<Country>, Reason> {
        let rules = self.rules.load();
        let client = request.client().to_canonical();
        let country = rules.country(client);
        if let Some(guard) = rules.of(distribution) {
            self.check(guard, path, &Client { address: client, country, rules: &rules }, now)?;
        }
        Ok(country)
    }

    fn check(&self, guard: &Guard, path: &str, client: &Client<'_>, now: SystemTime) -> Result<(), Reason> {
        let is_trusted = client.rules.is_trusted(client.address);
        if !guard.takes_address(client.address) {
            self.stats.addresses.add_one();
            return Err(Reason::AddressDenied);
        }
        let is_unplaced = !is_trusted && client.rules.cannot_place(client.address);
        if !guard.takes_country(client.country, is_unplaced) {
            self.stats.countries.add_one();
            return Err(Reason::Country);
        }
        if is_trusted {
            return Ok(());
        }
        // Every rule counts every request that it is about, also one that another refuses.
        let mut verdict = Ok(());
        for rule in guard.rates.iter().filter(|it| it.pattern.matches(path)) {
            let Some(retry_after) = rule.exceeded(client.address, now) else { continue };
            rule.matches.add_one();
            if let (Some(status), true) = (rule.block, verdict.is_ok()) {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::TOO_MANY_REQUESTS);
                self.stats.rates.add_one();
                verdict = Err(Reason::Rate { status, retry_after, rule: Arc::clone(&rule.name) });
            }
        }
        verdict
    }
}

/// Who asks.
struct Client<'a> {
    address: IpAddr,
    country: Option<Country>,
    rules: &'a Rules,
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
