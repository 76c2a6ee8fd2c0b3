//! What behaviors add to responses, and take from them.

mod cors;
mod managed;
mod security;

use crate::cache::is_field_name;
use crate::names::{report_built_in, unique};
use crate::section::Section;
use crate::setting::Default::{Absent, Required, Value};
use crate::setting::{Kind, Setting, between};

use self::cors::CORS;
pub use self::cors::Cors;
pub(crate) use self::managed::IDS;
use self::security::SECURITY;

/// What a behavior adds to responses (cloudfront.md 3.15).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResponseHeadersPolicy {
    /// What behaviors name, such as `Levada-Media` or `Managed-SimpleCORS`.
    pub name: String,
    /// Cross-origin rules, if any.
    pub cors: Option<Cors>,
    /// Fields added to every response.
    pub headers: Vec<AddedHeader>,
    /// The origin's fields that viewers do not get, lower case; they go before others are added.
    pub remove_headers: Vec<String>,
    /// Of how many responses in a hundred `Server-Timing` tells, if of any; viewers may ask for it.
    pub server_timing: Option<u32>,
}

/// A field that is added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedHeader {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whether it takes the place of the origin's; else the origin's stays.
    pub overrides: bool,
    /// Whether it is added over https alone.
    pub https_only: bool,
}

impl AddedHeader {
    fn new(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), value: value.to_owned(), overrides: true, https_only: false }
    }
}

pub(crate) const POLICY: &[Setting] = &[
    Setting::new("name", Kind::Name, Required, "What behaviors name in response_headers_policy.")
        .example("Player"),
    Setting::new(
        "cors",
        Kind::Table(CORS),
        Absent("no CORS headers"),
        "Set it when pages of other origins play what this server sends.",
    ),
    Setting::new(
        "custom_headers",
        Kind::Headers,
        Absent("no other headers"),
        "Set it to header fields that every response gets.",
    )
    .example("{ \"X-Frame-Options\" = \"DENY\" }"),
    Setting::new(
        "security_headers",
        Kind::Table(SECURITY),
        Absent("none of them"),
        "Set it where pages are served that browsers are to protect.",
    ),
    Setting::new(
        "override",
        Kind::Selection,
        Value("all", "what is written here is meant"),
        "Set it to the names of those of these headers that take the place of the origin's; of others the origin's stays.",
    )
    .example("X-Frame-Options"),
    Setting::new(
        "remove_headers",
        Kind::Texts,
        Value("", "what the origin says is passed on"),
        "Set it to header fields of the origin that viewers are not to see.",
    )
    .example("X-Powered-By"),
    Setting::new(
        "server_timing",
        Kind::Count(between("0", "100", "it is a share in percent")),
        Absent("no response says what the cache did and how long it took"),
        "Set it to the share of responses, in percent, that get Server-Timing; `Pragma: server-timing` asks for it always.",
    )
    .example("5"),
];

impl ResponseHeadersPolicy {
    /// The built-in ones and those of the file, whose names must be others.
    pub(crate) fn read_all(root: &Section<'_>) -> Vec<Self> {
        let sections = root.tables("response_headers_policy");
        unique(&sections, "name");
        let mut policies = managed::built_in();
        for section in &sections {
            report_built_in(section, IDS, managed::built_in().iter().map(|it| it.name.as_str()));
            policies.push(Self::read(section));
        }
        policies
    }

    fn read(section: &Section<'_>) -> Self {
        let custom_headers = section.pairs("custom_headers");
        for (name, value) in &custom_headers {
            report_header(section, "custom_headers", name);
            if !value.bytes().all(|it| matches!(it, b' '..=b'~')) {
                section.report(
                    "custom_headers",
                    format!("the value of {name:?} is no header's value"),
                    "write visible ASCII characters",
                );
            }
        }
        let mut headers = match section.has("security_headers") {
            true => security::read(&section.table("security_headers")),
            false => Vec::new(),
        };
        headers.extend(custom_headers.iter().map(|(name, value)| AddedHeader::new(name, value)));
        let overriding = section.selection("override").lower_case();
        for header in &mut headers {
            header.overrides = overriding.has(&header.name.to_ascii_lowercase());
        }
        let known = |name: &&String| headers.iter().any(|it| it.name.eq_ignore_ascii_case(name));
        if let Some(other) = overriding.names().iter().find(|it| !known(it)) {
            section.report("override", format!("{other:?} is not added"), "write names of headers that are");
        }
        let remove_headers: Vec<_> =
            section.texts("remove_headers").iter().map(|it| it.to_ascii_lowercase()).collect();
        for name in &remove_headers {
            report_header(section, "remove_headers", name);
        }
        Self {
            name: section.text("name"),
            cors: section.has("cors").then(|| Cors::read(&section.table("cors"))),
            headers,
            remove_headers,
            server_timing: section.has("server_timing").then(|| section.count("server_timing")),
        }
    }
}

/// Fields that the server computes itself, or that belong to a connection, can be neither promised nor taken away
/// (cloudfront.md 3.15).
fn report_header(section: &Section<'_>, key: &str, name: &str) {
    const OURS: [&str; 19] = [
        "age",
        "cache-status",
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "expect",
        "host",
        "keep-alive",
        "server-timing",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "warning",
        "x-cache",
        "x-forwarded-proto",
        "x-levada-id",
        "x-real-ip",
    ];
    const FAMILIES: [&str; 5] = ["proxy-", "x-accel-", "x-amz-cf-", "x-amzn-", "x-edge-"];
    let lower = name.to_ascii_lowercase();
    if !is_field_name(name) {
        section.report(
            key,
            format!("{name:?} is no header's name"),
            "write a name such as \"X-Frame-Options\"",
        );
    } else if OURS.contains(&lower.as_str()) || FAMILIES.iter().any(|it| lower.starts_with(it)) {
        section.report(key, format!("{name:?} is set by the server itself"), "leave it out");
    }
}
