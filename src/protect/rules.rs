//! The rules of all distributions, compiled from the configuration and the files it names.

use std::collections::HashMap;
use std::fmt::Display;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use config::distribution::Distribution;
use config::protect::{Addresses, Protection};
use config::units::{IpNetwork, PathPattern};

use super::mmdb::Database;
use super::networks::Networks;
use crate::counter::Counter;
use crate::network::Network;
use crate::passage::Country;
use crate::tally::Tally;

/// A database of every network of the world takes a tenth of it.
const LARGEST_FILE: usize = 1 << 30;

/// Of an IPv6 /48, so many clients may ask their most: it is one house, or a quarter's phones of which few ask that much at
/// once; who has it all has 65,536 clients to ask as.
const CLIENTS_OF_A_SITE: u32 = 16;

/// What a reload swaps whole.
#[derive(Debug, Default)]
pub struct Rules {
    countries: Option<Database>,
    guards: HashMap<String, Guard>,
    trusted: Vec<IpNetwork>,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {wrong}")]
pub struct Unusable {
    file: String,
    wrong: String,
}

impl Unusable {
    fn new(file: &Path, wrong: impl Display) -> Self {
        Self { file: file.display().to_string(), wrong: wrong.to_string() }
    }
}

/// The rules of one distribution.
#[derive(Debug)]
pub(super) struct Guard {
    deny: Networks,
    allow: Option<Networks>,
    /// Whether the countries are the only ones that may ask, and the countries.
    geo: Option<(bool, Vec<Country>)>,
    pub(super) rates: Vec<Rate>,
}

/// How much one client may ask.
#[derive(Debug)]
pub(super) struct Rate {
    pub(super) name: Arc<str>,
    pub(super) pattern: PathPattern,
    limit: u32,
    pub(super) block: Option<u16>,
    tally: Arc<Tally>,
    /// Requests that were too many.
    pub(super) matches: Arc<Counter>,
}

impl Rate {
    /// The seconds until it may be worth asking again, when a client has asked too much, or all of its site together.
    pub(super) fn exceeded(&self, client: IpAddr, now: SystemTime) -> Option<u32> {
        let of_client = self.tally.exceeded(Network::client(client), self.limit, now);
        // Of IPv4 sites nothing is said: their addresses are handed out one by one.
        let of_site = client.is_ipv6().then(|| {
            let limit = self.limit.saturating_mul(CLIENTS_OF_A_SITE);
            self.tally.exceeded(Network::site(client), limit, now)
        });
        let left = of_client.max(of_site.flatten())?;
        Some(u32::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u32::MAX))
    }
}

impl Rules {
    /// Rules of these distributions; files are read by `read`. What clients asked so far still counts when `previous` had
    /// the same rule.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn build(
        distributions: &[Distribution],
        geo_database: Option<&Path>,
        trusted: &[IpNetwork],
        read: impl Fn(&Path) -> io::Result<Vec<u8>>,
        previous: Option<&Self>,
    ) -> Result<Self, Unusable> {
        let read = |file: &Path| match read(file) {
            Ok(octets) if octets.len() <= LARGEST_FILE => Ok(octets),
            Ok(_) => Err(Unusable::new(file, "it is larger than 1 GiB")),
            Err(error) => Err(Unusable::new(file, error)),
        };
        let countries = geo_database
            .map(|file| Database::parse(read(file)?).map_err(|error| Unusable::new(file, error)))
            .transpose()?;
        let mut guards = HashMap::new();
        for it in distributions.iter().filter(|it| it.protection != Protection::default()) {
            let before = previous.and_then(|rules| rules.of(&it.id));
            guards.insert(it.id.clone(), Guard::build(&it.protection, read, before)?);
        }
        Ok(Self { countries, guards, trusted: trusted.to_vec() })
    }

    /// Of a distribution, if it has any.
    pub(super) fn of(&self, distribution: &str) -> Option<&Guard> {
        self.guards.get(distribution)
    }

    /// Where an address is, as far as is known.
    pub(super) fn country(&self, client: IpAddr) -> Option<Country> {
        self.countries.as_ref()?.country(client)
    }

    /// Whether the database has no address of this kind, so that it cannot say where one is.
    pub(super) fn cannot_place(&self, client: IpAddr) -> bool {
        client.is_ipv6() && self.countries.as_ref().is_some_and(|it| !it.has_v6())
    }

    /// What an operator should know of rules that can be used all the same.
    pub fn warnings(&self) -> Vec<String> {
        let lacks_v6 = self.countries.as_ref().is_some_and(|it| !it.has_v6());
        let mut restricted: Vec<_> =
            self.guards.iter().filter(|(_, it)| it.geo.is_some()).map(|(id, _)| id.as_str()).collect();
        if !lacks_v6 || restricted.is_empty() {
            return Vec::new();
        }
        restricted.sort_unstable();
        vec![format!(
            "geo.database has no IPv6 addresses: viewers who come by IPv6 pass the blacklists and are refused by the \
             whitelists of {}; use a database that has both",
            restricted.join(", ")
        )]
    }

    /// Whether a client may ask as much as it wants.
    pub(super) fn is_trusted(&self, client: IpAddr) -> bool {
        client.is_loopback() || self.trusted.iter().any(|it| it.contains(client))
    }

    /// Requests that were too many, by distribution and rule.
    pub fn matches(&self) -> impl Iterator<Item = (String, u64)> {
        let of = |(id, guard): (&String, &Guard)| {
            let named = |it: &Rate| (format!("{id}/{}", it.name), it.matches.count());
            guard.rates.iter().map(named).collect::<Vec<_>>()
        };
        self.guards.iter().flat_map(of)
    }
}

impl Guard {
    fn build(
        meant: &Protection,
        read: impl Fn(&Path) -> Result<Vec<u8>, Unusable>,
        before: Option<&Self>,
    ) -> Result<Self, Unusable> {
        let set = |it: &Addresses| -> Result<Networks, Unusable> {
            let more = match &it.file {
                Some(file) => listed(file, &read(file)?)?,
                None => Vec::new(),
            };
            Ok(Networks::new(it.networks.iter().copied().chain(more)))
        };
        let countries = |it: &[String]| it.iter().filter_map(|it| Country::new(it)).collect();
        let rate = |it: &config::protect::RateRule| {
            let known = before.and_then(|guard| guard.rates.iter().find(|old| *old.name == *it.name));
            let tally = known.filter(|old| old.tally.window() == it.window).map(|old| Arc::clone(&old.tally));
            Rate {
                name: it.name.as_str().into(),
                pattern: it.path_pattern.clone(),
                limit: it.limit,
                block: it.block,
                tally: tally.unwrap_or_else(|| Arc::new(Tally::new(it.window))),
                matches: known.map_or_else(Arc::default, |old| Arc::clone(&old.matches)),
            }
        };
        Ok(Self {
            deny: set(&meant.deny)?,
            allow: meant.allow.as_ref().map(set).transpose()?,
            geo: meant.geo_restriction.as_ref().map(|it| (it.is_whitelist, countries(&it.locations))),
            rates: meant.rate_rules.iter().map(rate).collect(),
        })
    }

    pub(super) fn takes_address(&self, client: IpAddr) -> bool {
        !self.deny.has(client) && self.allow.as_ref().is_none_or(|it| it.has(client))
    }

    /// Whose country is not known is taken, as by CloudFront. Of whom the database cannot know anything at all, only lists
    /// of the refused take: a whitelist that half of the internet goes around would be none.
    pub(super) fn takes_country(&self, country: Option<Country>, is_unplaced: bool) -> bool {
        match (&self.geo, country) {
            (Some((is_whitelist, countries)), Some(country)) => countries.contains(&country) == *is_whitelist,
            (Some((is_whitelist, _)), None) => !(is_unplaced && *is_whitelist),
            (None, _) => true,
        }
    }
}

/// Networks, one a line, with remarks behind `#`.
fn listed(file: &Path, octets: &[u8]) -> Result<Vec<IpNetwork>, Unusable> {
    let text = std::str::from_utf8(octets).map_err(|_| Unusable::new(file, "it is no text"))?;
    let mut networks = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let network = line.split('#').next().unwrap_or_default().trim();
        if network.is_empty() {
            continue;
        }
        let wrong = |why| Unusable::new(file, format!("line {}: {network:?} {why}", number + 1));
        networks
            .push(network.parse().map_err(|why: config::units::network::Invalid| wrong(why.to_string()))?);
    }
    Ok(networks)
}
