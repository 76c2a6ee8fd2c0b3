//! Which pages of other origins may read answers.

use crate::cache::is_field_name;
use crate::section::Section;
use crate::setting::Default::Value;
use crate::setting::{Kind, Setting, between};

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
    /// Whether they hold over what the origin says; else what it says stands.
    pub origin_override: bool,
}

pub(super) const CORS: &[Setting] = &[
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
    Setting::new(
        "origin_override",
        Kind::Flag,
        Value("true", "a web server that answers everyone alike cannot know who asks"),
        "Set it to false where the web server decides who may read an answer, and this is for those it says nothing of.",
    )
    .example("false"),
];

impl Cors {
    pub(super) fn read(section: &Section<'_>) -> Self {
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
            origin_override: section.flag("origin_override"),
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
