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
use super::rate::Tally;
use crate::counter::Counter;
use crate::passage::Country;

/// A database of every network of the world takes a tenth of it.
const LARGEST_FILE: usize = 1 << 30;

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
    pub(super) fn exceeded(&self, client: IpAddr, now: SystemTime) -> Option<u32> {
        self.tally.exceeded(client, self.limit, now)
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

    /// Whose country is not known is taken, as by CloudFront.
    pub(super) fn takes_country(&self, country: Option<Country>) -> bool {
        match (&self.geo, country) {
            (Some((is_whitelist, countries)), Some(country)) => countries.contains(&country) == *is_whitelist,
            _ => true,
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
