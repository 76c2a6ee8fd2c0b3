//! What behaviors add to responses.

use crate::cache::is_field_name;
use crate::names::unique;
use crate::section::Section;
use crate::setting::Default::{Absent, Required, Value};
use crate::setting::{Kind, Setting, between};

/// What a behavior adds to responses (cloudfront.md 3.15).
#[derive(Clone, Debug, PartialEq)]
pub struct ResponseHeadersPolicy {
    /// What behaviors name, such as `Levada-Media` or `Managed-SimpleCORS`.
    pub name: String,
    /// Cross-origin rules, if any.
    pub cors: Option<Cors>,
    /// Fields added to every response, over the origin's.
    pub custom_headers: Vec<(String, String)>,
}

/// Cross-origin rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Cors {
    /// `*`, exact origins, or `https://*.example.com`.
    pub allow_origins: Vec<String>,
    /// Methods for preflights.
    pub allow_methods: Vec<String>,
    /// Request headers for preflights; `*` is all.
    pub allow_headers: Vec<String>,
    /// Response headers scripts may read.
    pub expose_headers: Vec<String>,
    /// Whether cookies may be sent. The answer then names the asking origin, never `*`.
    pub allow_credentials: bool,
    /// Seconds a preflight may be remembered.
    pub max_age: u32,
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
        "Set it to header fields that every response gets, over the origin's.",
    )
    .example("{ \"X-Frame-Options\" = \"DENY\" }"),
];

const CORS: &[Setting] = &[
    Setting::new(
        "allow_origins",
        Kind::Texts,
        Value("*", "any page may play it"),
        "Set it to the origins of your pages; cookies need it.",
    )
    .example("https://app.example.com"),
    Setting::new(
        "allow_methods",
        Kind::Texts,
        Value("GET,HEAD,OPTIONS", "players only read"),
        "Set it when pages send something.",
    )
    .example("GET"),
    Setting::new(
        "allow_headers",
        Kind::Texts,
        Value("*", "players send Range, and some send headers of their own"),
        "Set it to allow only some request headers.",
    )
    .example("Range"),
    Setting::new(
        "expose_headers",
        Kind::Texts,
        Value(
            "Accept-Ranges,Age,Cache-Status,CMSD-Dynamic,CMSD-Static,Content-Encoding,Content-Length,Content-Range,Date,\
             ETag,Last-Modified,Server-Timing,X-Amz-Cf-Id,X-Cache",
            "what players measure by, and what finds the cause of trouble",
        ),
        "Set it when scripts read other response headers.",
    )
    .example("Date"),
    Setting::new(
        "allow_credentials",
        Kind::Flag,
        Value("false", "pages of other origins play without cookies"),
        "Set it for signed cookies on pages of another origin, which allow_origins must then name.",
    )
    .example("true"),
    Setting::new(
        "max_age",
        Kind::Duration(between("0s", "1d", "no browser remembers longer")),
        Value("2h", "Chromium remembers no longer"),
        "Set it lower while you change the others.",
    )
    .example("1m"),
];

impl ResponseHeadersPolicy {
    /// The built-in ones and those of the file, whose names must be others.
    pub(crate) fn read_all(root: &Section<'_>) -> Vec<Self> {
        let sections = root.tables("response_headers_policy");
        unique(&sections, "name");
        let mut policies = Self::built_in();
        for section in &sections {
            let policy = Self::read(section);
            if Self::built_in().iter().any(|it| it.name == policy.name) {
                section.report("name", format!("{:?} is built in", policy.name), "write another name");
            }
            policies.push(policy);
        }
        policies
    }

    fn read(section: &Section<'_>) -> Self {
        let custom_headers = section.pairs("custom_headers");
        for (name, value) in &custom_headers {
            report_header(section, name, value);
        }
        let cors = section.has("cors").then(|| Cors::read(&section.table("cors")));
        Self { name: section.text("name"), cors, custom_headers }
    }

    fn built_in() -> Vec<Self> {
        let names = |names: &[&str]| names.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
        let any = |methods: &[&str], expose: Vec<String>, max_age| Cors {
            allow_origins: names(&["*"]),
            allow_methods: names(methods),
            allow_headers: names(&["*"]),
            expose_headers: expose,
            allow_credentials: false,
            max_age,
        };
        let media = any(&["GET", "HEAD", "OPTIONS"], default_texts(CORS, "expose_headers"), 7_200);
        let all = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"];
        vec![
            // Resource timing is how players on other origins measure bandwidth.
            Self {
                name: "Levada-Media".into(),
                cors: Some(media),
                custom_headers: vec![("Timing-Allow-Origin".into(), "*".into())],
            },
            Self {
                name: "Managed-SimpleCORS".into(),
                cors: Some(any(&["GET", "HEAD"], Vec::new(), 600)),
                custom_headers: Vec::new(),
            },
            Self {
                name: "Managed-CORS-With-Preflight".into(),
                cors: Some(any(&all, names(&["*"]), 600)),
                custom_headers: Vec::new(),
            },
        ]
    }
}

/// The default of a list of texts, so that it stands in one place.
fn default_texts(settings: &[Setting], key: &str) -> Vec<String> {
    let setting = settings.iter().find(|it| it.key == key);
    match setting.map(|it| &it.default) {
        Some(Value(text, _)) => text.split(',').map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn report_header(section: &Section<'_>, name: &str, value: &str) {
    // cloudfront.md 3.15; what we compute ourselves cannot be promised by a policy.
    const OURS: [&str; 14] = [
        "age",
        "cache-status",
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "expect",
        "host",
        "keep-alive",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-cache",
    ];
    let lower = name.to_ascii_lowercase();
    if !is_field_name(name) {
        section.report(
            "custom_headers",
            format!("{name:?} is no header's name"),
            "write a name such as \"X-Frame-Options\"",
        );
    } else if OURS.contains(&lower.as_str()) || lower.starts_with("proxy-") || lower.starts_with("x-amz-cf-")
    {
        section.report("custom_headers", format!("{name:?} is set by the server itself"), "leave it out");
    } else if !value.bytes().all(|it| matches!(it, b' '..=b'~')) {
        section.report(
            "custom_headers",
            format!("the value of {name:?} is no header's value"),
            "write visible ASCII characters",
        );
    }
}

impl Cors {
    fn read(section: &Section<'_>) -> Self {
        let allow_origins: Vec<_> =
            section.texts("allow_origins").iter().map(|it| it.to_ascii_lowercase()).collect();
        for origin in allow_origins.iter().filter(|it| !is_origin(it)) {
            section.report(
                "allow_origins",
                format!("{origin:?} is no origin"),
                "write \"*\", \"https://app.example.com\" or \"https://*.example.com\", without a path",
            );
        }
        let allow_credentials = section.flag("allow_credentials");
        if allow_credentials && allow_origins.iter().any(|it| it == "*") {
            section.report(
                "allow_credentials",
                "every page in the world could read with a viewer's cookies",
                "name the origins of your pages in allow_origins",
            );
        }
        for key in ["allow_methods", "allow_headers", "expose_headers"] {
            for name in section.texts(key).iter().filter(|it| !is_field_name(it)) {
                section.report(key, format!("{name:?} is no name"), "write names without blanks or commas");
            }
        }
        Self {
            allow_origins,
            allow_methods: section.texts("allow_methods").iter().map(|it| it.to_ascii_uppercase()).collect(),
            allow_headers: section.texts("allow_headers"),
            expose_headers: section.texts("expose_headers"),
            allow_credentials,
            max_age: u32::try_from(section.duration("max_age").as_secs()).unwrap_or(u32::MAX),
        }
    }
}

/// `*`, or scheme, host (`*.` in front allowed) and perhaps a port, as browsers send it.
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return text == "*" };
    let host = host.strip_prefix("*.").unwrap_or(host);
    let legal = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.' | b':' | b'[' | b']');
    matches!(scheme, "http" | "https") && !host.is_empty() && host.bytes().all(legal)
}
