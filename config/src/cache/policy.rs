//! What makes a cache key, and how long answers live (cloudfront.md 3.2).

use std::time::Duration;

use super::managed;
use crate::names::{report_built_in, unique};
use crate::section::Section;
use crate::setting::Default::{Required, Value};
use crate::setting::{Bounds, Kind, Setting, between};
use crate::units::duration;

/// What makes a cache key and how long answers live (cloudfront.md 3.2).
#[derive(Clone, Debug, PartialEq)]
pub struct CachePolicy {
    /// What behaviors name, such as `Levada-Live` or `Managed-CachingOptimized`.
    pub name: String,
    /// Lower bound of a lifetime.
    pub min_ttl: Duration,
    /// Lifetime of an answer that says none.
    pub default_ttl: Duration,
    /// Upper bound of a lifetime.
    pub max_ttl: Duration,
    /// Lifetime of error answers that say none.
    pub error_ttl: Duration,
    /// Lifetimes of error answers by their status, where a distribution has others than `error_ttl`.
    pub error_ttls: Vec<(u16, Duration)>,
    /// Which query parameters are in the key.
    pub query: Selection,
    /// Which request headers are in the key, lower case.
    pub headers: Vec<String>,
    /// Which cookies are in the key.
    pub cookies: Selection,
    /// Whether what a viewer's `Cache-Control` asks of caches counts.
    pub request_directives: RequestDirectives,
    /// Whether a page is left unkept that comes where media, a script or an image was asked for.
    pub deny_type_mismatch: bool,
    /// Whether text may be answered with gzip.
    pub gzip: bool,
    /// Whether text may be answered with Brotli.
    pub brotli: bool,
}

impl CachePolicy {
    /// The query parameters of an LL-HLS blocking reload. A key without one of them would answer a request for
    /// something to come with what was there before.
    pub const LIVE_QUERY: [&str; 3] = ["_HLS_msn", "_HLS_part", "_HLS_skip"];

    /// The least lifetime of an error answer with that status.
    pub fn error_ttl_of(&self, status: u16) -> Duration {
        self.error_ttls.iter().find(|(of, _)| *of == status).map_or(self.error_ttl, |(_, ttl)| *ttl)
    }
}

/// What becomes of a viewer's `Cache-Control` and `Pragma`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestDirectives {
    /// They count for nothing, as in CloudFront.
    #[default]
    Ignore,
    /// They are heard (RFC 9111 5.2.1).
    Honor,
}

/// Which of a set of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// No name.
    None,
    /// Every name.
    All,
    /// These names.
    Only(Vec<String>),
    /// All but these.
    AllExcept(Vec<String>),
}

impl Selection {
    /// Whether `name` is one of them.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Only(names) => names.iter().any(|it| it == name),
            Self::AllExcept(names) => names.iter().all(|it| it != name),
        }
    }

    /// The names that are written, whichever way they count.
    pub fn names(&self) -> &[String] {
        match self {
            Self::None | Self::All => &[],
            Self::Only(names) | Self::AllExcept(names) => names,
        }
    }

    /// The same with every name in lower case, for names whose case does not matter.
    pub(crate) fn lower_case(self) -> Self {
        let lower = |names: Vec<String>| names.iter().map(|it| it.to_ascii_lowercase()).collect();
        match self {
            Self::None | Self::All => self,
            Self::Only(names) => Self::Only(lower(names)),
            Self::AllExcept(names) => Self::AllExcept(lower(names)),
        }
    }
}

/// CloudFront's own bounds.
const TTL: Bounds = between("0s", "36500d", "CloudFront's limit is 100 years");

pub(crate) const POLICY: &[Setting] = &[
    Setting::new("name", Kind::Name, Required, "What behaviors name in cache_policy.").example("Weekly"),
    Setting::new(
        "min_ttl",
        Kind::Duration(TTL),
        Value("0s", "the origin's word counts"),
        "Set it above zero to keep answers longer than the origin says.",
    )
    .example("1s"),
    Setting::new(
        "default_ttl",
        Kind::Duration(TTL),
        Value("1d", "CloudFront's default"),
        "Set it to how long answers live whose origin says nothing.",
    )
    .example("2h"),
    Setting::new(
        "max_ttl",
        Kind::Duration(TTL),
        Value("365d", "CloudFront's default"),
        "Set it to keep answers shorter than the origin says.",
    )
    .example("30d"),
    Setting::new(
        "error_ttl",
        Kind::Duration(TTL),
        Value("10s", "CloudFront's default; spares an origin in trouble"),
        "Set it lower where what is missing now may be there at once.",
    )
    .example("1s"),
    Setting::new(
        "query_strings",
        Kind::Selection,
        Value("none", "every parameter in the key is a way to ask past the cache"),
        "Set it to the parameters that change the answer.",
    )
    .example("start,end"),
    Setting::new(
        "headers",
        Kind::Texts,
        Value("", "every header in the key is a way to ask past the cache"),
        "Set it to the request headers that change the answer.",
    )
    .example("Origin"),
    Setting::new(
        "cookies",
        Kind::Selection,
        Value(
            "none",
            "every cookie in the key is a way to ask past the cache, and most are one viewer's alone",
        ),
        "Set it to the cookies that change the answer.",
    )
    .example("language"),
    Setting::new(
        "request_directives",
        Kind::Word(&["ignore", "honor"]),
        Value("ignore", "as in CloudFront, no viewer can have the origin asked past the cache"),
        "Set it to honor where viewers may ask for newer answers (no-cache, max-age) or older ones (max-stale).",
    )
    .example("honor"),
    Setting::new(
        "deny_type_mismatch",
        Kind::Flag,
        Value("true", "a page under such a name is an error or a trick, and would be given to everyone"),
        "Set it to false where pages have names of media, scripts, styles or images. Of the built-in policies Levada's own \
         have it, CloudFront's do not.",
    )
    .example("false"),
    Setting::new(
        "gzip",
        Kind::Flag,
        Value("true", "manifests shrink to a tenth"),
        "Set it to false to send text as it is.",
    )
    .example("false"),
    Setting::new(
        "brotli",
        Kind::Flag,
        Value("true", "manifests shrink further than with gzip"),
        "Set it to false to spare the time it takes.",
    )
    .example("false"),
];

impl CachePolicy {
    /// The built-in ones and those of the file, whose names must be others.
    pub(crate) fn read_all(root: &Section<'_>) -> Vec<Self> {
        let sections = root.tables("cache_policy");
        unique(&sections, "name");
        let mut policies = managed::built_in();
        for section in &sections {
            let policy = Self::read(section);
            report_built_in(section, managed::IDS, managed::built_in().iter().map(|it| it.name.as_str()));
            policies.push(policy);
        }
        policies
    }

    fn read(section: &Section<'_>) -> Self {
        let (min_ttl, mut max_ttl) = (section.duration("min_ttl"), section.duration("max_ttl"));
        let mut default_ttl = section.duration("default_ttl");
        // As in CloudFront, bounds that were written move the defaults that were not.
        if !section.has("max_ttl") {
            max_ttl = max_ttl.max(min_ttl).max(default_ttl);
        }
        if !section.has("default_ttl") {
            default_ttl = default_ttl.min(max_ttl).max(min_ttl);
        }
        if min_ttl > max_ttl || default_ttl < min_ttl || default_ttl > max_ttl {
            let [least, usual, most] = [min_ttl, default_ttl, max_ttl].map(duration::show);
            let key = ["default_ttl", "min_ttl"].into_iter().find(|it| section.has(it)).unwrap_or("max_ttl");
            section.report(
                key,
                format!("min_ttl {least}, default_ttl {usual} and max_ttl {most} are out of order"),
                "write them so that min_ttl <= default_ttl <= max_ttl",
            );
        }
        let query = section.selection("query_strings");
        report_names(section, "query_strings", query.names(), |it| !it.is_empty());
        let cookies = section.selection("cookies");
        report_names(section, "cookies", cookies.names(), is_field_name);
        let headers: Vec<_> = section.texts("headers").iter().map(|it| it.to_ascii_lowercase()).collect();
        report_names(section, "headers", &headers, is_field_name);
        report_unkeyable(section, &headers);
        Self {
            name: section.text("name"),
            min_ttl,
            default_ttl,
            max_ttl,
            error_ttl: section.duration("error_ttl"),
            error_ttls: Vec::new(),
            query,
            headers,
            cookies,
            request_directives: match section.word("request_directives") {
                Some("honor") => RequestDirectives::Honor,
                _ => RequestDirectives::Ignore,
            },
            deny_type_mismatch: section.flag("deny_type_mismatch"),
            gzip: section.flag("gzip"),
            brotli: section.flag("brotli"),
        }
    }
}

/// Reports names that are none, and more of them than CloudFront takes (cloudfront.md 2.8).
pub(crate) fn report_names(section: &Section<'_>, key: &str, names: &[String], is_legal: fn(&str) -> bool) {
    for name in names.iter().filter(|it| !is_legal(it)) {
        section.report(key, format!("{name:?} is no name"), "write a name such as \"Origin\"");
    }
    if names.len() > MOST_NAMES || names.iter().map(String::len).sum::<usize>() > MOST_OCTETS {
        section.report(
            key,
            format!("more than {MOST_NAMES} names, or {MOST_OCTETS} octets of them, are there"),
            "write \"all\", or fewer: these are CloudFront's limits",
        );
    }
}

/// Headers that are each viewer's own, of which a key would be, too; cookies have an option of their own.
fn report_unkeyable(section: &Section<'_>, headers: &[String]) {
    const OF_ONE_VIEWER: [&str; 5] = [
        "cloudfront-viewer-address",
        "cloudfront-viewer-asn",
        "cloudfront-viewer-ja3-fingerprint",
        "cloudfront-viewer-ja4-fingerprint",
        "cloudfront-viewer-tls",
    ];
    for name in headers {
        if OF_ONE_VIEWER.contains(&name.as_str()) {
            let remedy = "leave it out, or write it in an origin_request_policy";
            section.report("headers", format!("{name:?} may not be in a key"), remedy);
        } else if name == "cookie" {
            section.report("headers", "cookies are chosen one by one", "write them in `cookies`");
        }
    }
}

/// CloudFront's limits on the names of each kind in a policy.
const MOST_NAMES: usize = 10;
const MOST_OCTETS: usize = 1024;

/// RFC 9110 5.6.2.
pub(crate) fn is_field_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it))
}
