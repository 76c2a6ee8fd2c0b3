//! Fields by which a page is protected in a browser.

use super::AddedHeader;
use crate::section::Section;
use crate::setting::Default::{Absent, Value};
use crate::setting::{Kind, Setting, between};

pub(super) const SECURITY: &[Setting] = &[
    Setting::new(
        "content_security_policy",
        Kind::Text,
        Absent("the field is not sent"),
        "Set it to what a page may load and run.",
    )
    .example("default-src 'self'"),
    Setting::new(
        "content_type_options",
        Kind::Flag,
        Value("true", "a browser that guesses types runs uploads as scripts"),
        "Set it to false for pages that need a browser to guess types.",
    )
    .example("false"),
    Setting::new(
        "frame_options",
        Kind::Word(&["DENY", "SAMEORIGIN"]),
        Absent("the field is not sent"),
        "Set it where no other site may show a page in a frame of its own.",
    )
    .example("DENY"),
    Setting::new(
        "referrer_policy",
        Kind::Word(&[
            "no-referrer",
            "no-referrer-when-downgrade",
            "origin",
            "origin-when-cross-origin",
            "same-origin",
            "strict-origin",
            "strict-origin-when-cross-origin",
            "unsafe-url",
        ]),
        Absent("the field is not sent"),
        "Set it to what other sites may learn of the page a viewer comes from.",
    )
    .example("no-referrer"),
    Setting::new(
        "strict_transport_security",
        Kind::Table(HSTS),
        Absent("the field is not sent"),
        "Set it once every page of the host comes by https; it is sent over https alone.",
    ),
    Setting::new(
        "xss_protection",
        Kind::Word(&["0", "1", "1; mode=block"]),
        Absent("the field is not sent"),
        "Set it for browsers of before 2019.",
    )
    .example("0"),
];

const HSTS: &[Setting] = &[
    Setting::new(
        "max_age",
        Kind::Duration(between("0s", "3650d", "no browser remembers longer")),
        Value("365d", "what lists of preloaded hosts demand"),
        "Set it lower while you are not sure that https stays.",
    )
    .example("1d"),
    Setting::new(
        "include_subdomains",
        Kind::Flag,
        Value("false", "hosts below may be elsewhere, without https"),
        "Set it where all hosts below speak https, too.",
    )
    .example("true"),
    Setting::new(
        "preload",
        Kind::Flag,
        Value("false", "a browser's list is hard to leave"),
        "Set it to ask for a place in the lists that browsers come with.",
    )
    .example("true"),
];

/// The fields of a table of them, in the order of the table.
pub(super) fn read(section: &Section<'_>) -> Vec<AddedHeader> {
    let mut headers = Vec::new();
    if let Some(policy) = section.optional_text("content_security_policy") {
        if policy.is_empty() || !policy.bytes().all(|it| matches!(it, b' '..=b'~')) {
            section.report(
                "content_security_policy",
                "this is no header's value",
                "write visible ASCII characters",
            );
        }
        headers.push(AddedHeader::new("Content-Security-Policy", &policy));
    }
    if section.flag("content_type_options") {
        headers.push(AddedHeader::new("X-Content-Type-Options", "nosniff"));
    }
    for (key, name) in [
        ("frame_options", "X-Frame-Options"),
        ("referrer_policy", "Referrer-Policy"),
        ("xss_protection", "X-XSS-Protection"),
    ] {
        headers.extend(section.word(key).map(|it| AddedHeader::new(name, it)));
    }
    if section.has("strict_transport_security") {
        let value = hsts(&section.table("strict_transport_security"));
        let added = AddedHeader::new("Strict-Transport-Security", &value);
        headers.push(AddedHeader { https_only: true, ..added });
    }
    headers
}

fn hsts(section: &Section<'_>) -> String {
    let mut value = format!("max-age={}", section.duration("max_age").as_secs());
    if section.flag("include_subdomains") {
        value.push_str("; includeSubDomains");
    }
    if section.flag("preload") {
        value.push_str("; preload");
    }
    value
}
