//! Web servers as origins, in CloudFront's words (cloudfront.md 2.5).

use std::path::PathBuf;
use std::time::Duration;

use crate::section::Section;
use crate::setting::Default::{Absent, Value};
use crate::setting::{Kind, Setting, Stands, between};

/// A web server.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpOrigin {
    /// Its host name or address, lower case: what is connected to, named in TLS and sent as `Host`.
    pub domain_name: String,
    /// Put before the path; empty, or with a slash in front and none behind.
    pub path: String,
    /// Whether it is spoken to by TLS.
    pub protocol_policy: OriginProtocolPolicy,
    /// Its port for clear text.
    pub http_port: u16,
    /// Its port for TLS.
    pub https_port: u16,
    /// Certificates of authorities trusted beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// Sent with every request, by name.
    pub custom_headers: Vec<(String, String)>,
    /// How often a GET is tried.
    pub connection_attempts: u32,
    /// How long a connection may take to stand, TLS included.
    pub connection_timeout: Duration,
    /// How long it may take to the first octet, and between two.
    pub read_timeout: Duration,
    /// How long it may take to the last octet, all attempts together; none: as long as it goes on.
    pub completion_timeout: Option<Duration>,
    /// How long an idle connection is kept.
    pub keepalive_timeout: Duration,
}

/// Whether an origin is spoken to by TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginProtocolPolicy {
    /// Never.
    HttpOnly,
    /// Always.
    HttpsOnly,
    /// As the viewer came.
    MatchViewer,
}

/// The options that say where it is.
pub(super) const PLACE: [&str; 5] =
    ["domain_name", "origin_path", "origin_protocol_policy", "http_port", "https_port"];

/// The options that say how it is asked, wherever it is.
pub(super) const MANNER: [&str; 6] = [
    "origin_ca_file",
    "custom_headers",
    "connection_timeout",
    "origin_read_timeout",
    "response_completion_timeout",
    "origin_keepalive_timeout",
];

pub(super) const DOMAIN_NAME: Setting = Setting::new(
    "domain_name",
    Kind::Text,
    Absent("needed for `http`, meaningless for others"),
    "The host name or address of the web server, without scheme and port.",
)
.example("origin.example.com");

pub(super) const ORIGIN_PATH: Setting = Setting::new(
    "origin_path",
    Kind::Text,
    Value("", "the web server knows the paths that viewers ask for"),
    "Set it to what is put in front of the path at the web server, with a slash in front and none behind.",
)
.example("/production");

pub(super) const PROTOCOL_POLICY: Setting = Setting::new(
    "origin_protocol_policy",
    Kind::Word(&["http-only", "https-only", "match-viewer"]),
    Value("https-only", "what is fetched over clear text can be changed on its way, and is then kept"),
    "Set it to http-only for a web server beside this one.",
)
.example("http-only");

/// Any port that a server may have.
const PORTS: crate::setting::Bounds = between("1", "65535", "ports have sixteen bits");

pub(super) const HTTP_PORT: Setting = Setting::new(
    "http_port",
    Kind::Count(PORTS),
    Value("80", "the port of http"),
    "Set it where the web server has another port for clear text.",
)
.example("8081");

pub(super) const HTTPS_PORT: Setting = Setting::new(
    "https_port",
    Kind::Count(PORTS),
    Value("443", "the port of https"),
    "Set it where the web server has another port for TLS.",
)
.example("8443");

pub(super) const CA_FILE: Setting = Setting::new(
    "origin_ca_file",
    Kind::Path(Stands::File),
    Absent("the public authorities alone"),
    "Set it to the certificate of a private authority that signed the web server's, in PEM.",
)
.example("ca.pem");

pub(super) const CUSTOM_HEADERS: Setting = Setting::new(
    "custom_headers",
    Kind::Headers,
    Absent("none"),
    "Set it to what the web server is to know its edge by, such as a secret.",
)
.example("{ \"X-Origin-Secret\" = \"s3\" }");

pub(super) const ATTEMPTS: Setting = Setting::new(
    "connection_attempts",
    Kind::Count(between("1", "3", "CloudFront's bounds")),
    Value("3", "CloudFront's default"),
    "Set it lower where another origin can answer sooner than this one gets well.",
)
.example("1");

pub(super) const CONNECTION_TIMEOUT: Setting = Setting::new(
    "connection_timeout",
    Kind::Duration(between("100ms", "10s", "CloudFront waits no longer")),
    Value("10s", "CloudFront's default"),
    "Set it to a second or two for live media.",
)
.example("2s");

pub(super) const READ_TIMEOUT: Setting = Setting::new(
    "origin_read_timeout",
    Kind::Duration(between("100ms", "2m", "CloudFront waits no longer")),
    Value("30s", "CloudFront's default"),
    "Set it to how long the web server may take to its first octet, and between two.",
)
.example("5s");

pub(super) const COMPLETION_TIMEOUT: Setting = Setting::new(
    "response_completion_timeout",
    Kind::Duration(between("1s", "1d", "no answer takes longer that anybody waits for")),
    Absent("no limit"),
    "Set it to how long a whole answer may take to its last octet, at the pace of whoever reads it.",
)
.example("5m");

pub(super) const KEEPALIVE_TIMEOUT: Setting = Setting::new(
    "origin_keepalive_timeout",
    Kind::Duration(between("1s", "2m", "CloudFront keeps them no longer")),
    Value("5s", "CloudFront's default"),
    "Set it below the web server's own, so that it never closes first.",
)
.example("60s");

impl HttpOrigin {
    pub(super) fn read(section: &Section<'_>) -> Self {
        section.require("domain_name");
        let domain_name = section.text("domain_name").to_ascii_lowercase();
        if section.has("domain_name") && !is_host(&domain_name) {
            section.report(
                "domain_name",
                format!("{domain_name:?} is no host name"),
                "write it without scheme, port and path",
            );
        }
        let path = section.text("origin_path");
        if !path.is_empty()
            && (!path.starts_with('/')
                || path.ends_with('/')
                || !path.bytes().all(|it| it.is_ascii_graphic()))
        {
            section.report(
                "origin_path",
                format!("{path:?} cannot stand before a path"),
                "write a slash in front and none behind",
            );
        }
        let port = |key| u16::try_from(section.count(key)).unwrap_or(u16::MAX);
        Self {
            domain_name,
            path,
            protocol_policy: match section.word("origin_protocol_policy") {
                Some("http-only") => OriginProtocolPolicy::HttpOnly,
                Some("match-viewer") => OriginProtocolPolicy::MatchViewer,
                _ => OriginProtocolPolicy::HttpsOnly,
            },
            http_port: port("http_port"),
            https_port: port("https_port"),
            ..Self::read_rest(section)
        }
    }

    /// What does not depend on where the server is; the place is left open.
    pub(super) fn read_rest(section: &Section<'_>) -> Self {
        let custom_headers = section.pairs("custom_headers");
        report_headers(section, &custom_headers);
        let read_timeout = section.duration("origin_read_timeout");
        let completion_timeout = section.optional_duration("response_completion_timeout");
        if completion_timeout.is_some_and(|it| it < read_timeout) {
            section.report(
                "response_completion_timeout",
                "this is less than origin_read_timeout",
                "write a longer time, or a shorter one there",
            );
        }
        Self {
            domain_name: String::new(),
            path: String::new(),
            protocol_policy: OriginProtocolPolicy::HttpsOnly,
            http_port: 80,
            https_port: 443,
            ca_file: section.optional_path("origin_ca_file"),
            custom_headers,
            connection_attempts: section.count("connection_attempts"),
            connection_timeout: section.duration("connection_timeout"),
            read_timeout,
            completion_timeout,
            keepalive_timeout: section.duration("origin_keepalive_timeout"),
        }
    }
}

/// A host name, an IPv4 address, or an IPv6 address in brackets.
pub(super) fn is_host(text: &str) -> bool {
    if let Some(inner) = text.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        return inner.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let is_label = |it: &str| {
        !it.is_empty()
            && it.len() <= 63
            && it.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// What CloudFront denies: fields that frame or steer a request (cloudfront.md 2.5).
fn report_headers(section: &Section<'_>, headers: &[(String, String)]) {
    const DENIED: [&str; 21] = [
        "cache-control",
        "cdn-loop",
        "connection",
        "content-length",
        "cookie",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "max-forwards",
        "pragma",
        "proxy-authorization",
        "proxy-connection",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
    ];
    for (name, value) in headers {
        if !crate::cache::is_field_name(name) || DENIED.contains(&name.to_ascii_lowercase().as_str()) {
            section.report(
                "custom_headers",
                format!("{name:?} may not be set"),
                "write a name of your own, such as \"X-Origin-Secret\"",
            );
        } else if !value.bytes().all(|it| matches!(it, b' '..=b'~')) {
            section.report(
                "custom_headers",
                format!("the value of {name:?} is no header's value"),
                "write visible ASCII characters",
            );
        }
    }
    if headers.len() > 30 {
        section.report("custom_headers", "more than 30 are there", "CloudFront's limit is 30");
    }
}
