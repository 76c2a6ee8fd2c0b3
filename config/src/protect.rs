//! Who is refused whatever he asks for: by address, by country, by how much he asks (cloudfront.md 8.1, 8.3).

use std::path::PathBuf;
use std::time::Duration;

use crate::names::unique;
use crate::section::Section;
use crate::setting::Default::{Absent, Required, Value};
use crate::setting::{Kind, Setting, Stands, between};
use crate::units::{IpNetwork, PathPattern};

/// Who is refused whatever he asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Protection {
    /// Refused addresses.
    pub deny: Addresses,
    /// The only addresses that are not refused; none written: all.
    pub allow: Option<Addresses>,
    /// Refused countries.
    pub geo_restriction: Option<GeoRestriction>,
    /// How much one client may ask.
    pub rate_rules: Vec<RateRule>,
}

/// A set of addresses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Addresses {
    /// As written.
    pub networks: Vec<IpNetwork>,
    /// A file with more, one a line; it is read again at reload.
    pub file: Option<PathBuf>,
}

/// A list of countries, by the two letters of ISO 3166-1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeoRestriction {
    /// Whether they are the only ones that may ask, or the ones that may not.
    pub is_whitelist: bool,
    /// In upper case.
    pub locations: Vec<String>,
}

/// How much one client may ask.
#[derive(Clone, Debug, PartialEq)]
pub struct RateRule {
    /// For logs and metrics.
    pub name: String,
    /// Which paths count.
    pub path_pattern: PathPattern,
    /// Requests of one client within `window`.
    pub limit: u32,
    /// How long a request counts.
    pub window: Duration,
    /// What more requests are answered with; none: they are only counted.
    pub block: Option<u16>,
}

pub(crate) const GEO: &[Setting] = &[Setting::new(
    "database",
    Kind::Path(Stands::File),
    Absent("nobody's country is known"),
    "Set it to a database of countries in MaxMind's format; it is read again at reload.",
)
.example("GeoLite2-Country.mmdb")];

pub(crate) const ADDRESSES: &[Setting] = &[
    Setting::new(
        "deny",
        Kind::Networks,
        Value("", "everybody may ask"),
        "Set it to the networks whose requests are refused, before any other rule, whatever they ask this distribution for; \
         they can still connect, and ask other distributions.",
    )
    .example("203.0.113.0/24"),
    Setting::new(
        "deny_file",
        Kind::Path(Stands::File),
        Absent("no others"),
        "Set it to a file of more such networks, one a line, # before remarks; it is read again at reload.",
    )
    .example("denied.txt"),
    Setting::new(
        "allow",
        Kind::Networks,
        Value("", "everybody may ask"),
        "Set it to the only networks whose requests are not refused.",
    )
    .example("198.51.100.0/24"),
    Setting::new(
        "allow_file",
        Kind::Path(Stands::File),
        Absent("no others"),
        "Set it to a file of more such networks; it is read again at reload.",
    )
    .example("allowed.txt"),
];

pub(crate) const GEO_RESTRICTION: &[Setting] = &[
    Setting::new(
        "restriction_type",
        Kind::Word(&["whitelist", "blacklist"]),
        Required,
        "Whether viewers in these countries are the only ones who may ask, or the ones who may not.",
    )
    .example("blacklist"),
    Setting::new(
        "locations",
        Kind::Texts,
        Required,
        "Countries by their two letters (ISO 3166-1); whose country is not known may ask, as in CloudFront, but a whitelist \
         refuses IPv6 viewers where the database has no IPv6.",
    )
    .example("DE,AT"),
];

pub(crate) const RATE_RULE: &[Setting] = &[
    Setting::new("name", Kind::Name, Required, "What logs and metrics call it.").example("logins"),
    Setting::new(
        "path_pattern",
        Kind::Pattern,
        Value("*", "all requests of the distribution count"),
        "Set it to the paths whose requests count, and are refused.",
    )
    .example("/login*"),
    Setting::new(
        "limit",
        Kind::Count(between("1", "2000000000", "CloudFront's limit")),
        Required,
        "Requests of one client (IPv6: one /64) within the window, more are too many; an IPv6 /48 has sixteen times that.",
    )
    .example("100"),
    Setting::new(
        "window",
        Kind::Duration(between("1s", "10m", "CloudFront looks back no further")),
        Value("5m", "CloudFront's default"),
        "Set it to how long a request counts.",
    )
    .example("1m"),
    Setting::new(
        "action",
        Kind::Word(&["block", "count"]),
        Value("block", "a limit is there to be kept"),
        "Set it to count to see first whom it would refuse.",
    )
    .example("count"),
    Setting::new(
        "response_code",
        Kind::Word(&["403", "429"]),
        Value("429", "it tells players to come back later"),
        "Set it to 403 to answer as CloudFront's firewall does; in quotes.",
    )
    .example("403"),
];

/// Rules of one distribution.
const MOST_RULES: usize = 20;

impl Protection {
    /// Of a distribution; `geo` says whether anybody's country can be known.
    pub(crate) fn read(section: &Section<'_>, geo: bool) -> Self {
        let addresses = section.table("addresses");
        let set = |networks: &str, file: &str| Addresses {
            networks: addresses.networks(networks),
            file: addresses.optional_path(file),
        };
        let has_allowed = addresses.has("allow") || addresses.has("allow_file");
        let geo_restriction =
            section.has("geo_restriction").then(|| GeoRestriction::read(&section.table("geo_restriction")));
        if geo_restriction.is_some() && !geo {
            section.report(
                "geo_restriction",
                "nobody's country is known",
                "write the path of a database in geo.database",
            );
        }
        let rules = section.tables("rate_rule");
        unique(&rules, "name");
        if rules.len() > MOST_RULES {
            let found = format!("{} are there", rules.len());
            section.report(
                "rate_rule",
                found,
                format!("write at most {MOST_RULES}: each is asked of each request"),
            );
        }
        Self {
            deny: set("deny", "deny_file"),
            allow: has_allowed.then(|| set("allow", "allow_file")),
            geo_restriction,
            rate_rules: rules.iter().map(RateRule::read).collect(),
        }
    }
}

impl GeoRestriction {
    fn read(section: &Section<'_>) -> Self {
        let locations: Vec<_> = section.texts("locations").iter().map(|it| it.to_ascii_uppercase()).collect();
        let is_country = |it: &str| it.len() == 2 && it.bytes().all(|it| it.is_ascii_uppercase());
        for country in locations.iter().filter(|it| !is_country(it)) {
            section.report(
                "locations",
                format!("{country:?} is no country"),
                "write two letters such as \"DE\"",
            );
        }
        Self { is_whitelist: section.word("restriction_type") == Some("whitelist"), locations }
    }
}

impl RateRule {
    fn read(section: &Section<'_>) -> Self {
        let status = section.word("response_code").and_then(|it| it.parse().ok());
        let blocks = section.word("action") != Some("count");
        if !blocks && section.has("response_code") {
            section.report(
                "response_code",
                "nothing is refused",
                "leave it out, or write `action = \"block\"`",
            );
        }
        Self {
            name: section.text("name"),
            path_pattern: section.pattern("path_pattern").unwrap_or_else(PathPattern::everything),
            limit: section.count("limit"),
            window: section.duration("window"),
            block: status.filter(|_| blocks),
        }
    }
}
