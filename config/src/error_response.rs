//! What viewers get in place of an error (cloudfront.md 2.7).

use std::collections::BTreeSet;
use std::time::Duration;

use crate::section::Section;
use crate::setting::Default::{Absent, Required};
use crate::setting::{Kind, Setting, between};

/// What is done with one error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomErrorResponse {
    /// The error.
    pub error_code: u16,
    /// What is sent in its place; none: the error itself.
    pub page: Option<ErrorPage>,
    /// How long it is kept at least; none: as long as the cache policy says.
    pub error_caching_min_ttl: Option<Duration>,
}

/// What is sent in place of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorPage {
    /// Where the page is: a path, fetched under the behavior that is its.
    pub path: String,
    /// The status it is sent with.
    pub response_code: u16,
}

/// CloudFront's errors; a page can come as 200, too.
const CODES: [&str; 11] = ["400", "403", "404", "405", "414", "416", "500", "501", "502", "503", "504"];
const RESPONSE_CODES: [&str; 12] =
    ["200", "400", "403", "404", "405", "414", "416", "500", "501", "502", "503", "504"];

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::new("error_code", Kind::Word(&CODES), Required, "The status of the error, in quotes.").example("404"),
    Setting::new(
        "response_page_path",
        Kind::Text,
        Absent("the error itself is sent"),
        "Set it to the path of a page that is sent in the error's place, fetched under the behavior which that path has.",
    )
    .example("/errors/missing.html"),
    Setting::new(
        "response_code",
        Kind::Word(&RESPONSE_CODES),
        Absent("needed with response_page_path"),
        "Set it to the status that the page is sent with, in quotes.",
    )
    .example("200"),
    Setting::new(
        "error_caching_min_ttl",
        Kind::Duration(between("0s", "365d", "an error is not for ever")),
        Absent("the cache policy's error_ttl"),
        "Set it to how long this error is kept at least.",
    )
    .example("1s"),
];

impl CustomErrorResponse {
    pub(crate) fn read_all(distribution: &Section<'_>) -> Vec<Self> {
        let mut seen = BTreeSet::new();
        let sections = distribution.tables("custom_error_response");
        let read = |section: &Section<'_>| {
            let it = Self::read(section);
            if !seen.insert(it.error_code) {
                section.report(
                    "error_code",
                    format!("{} is there twice", it.error_code),
                    "leave one of them out",
                );
            }
            it
        };
        sections.iter().map(read).collect()
    }

    fn read(section: &Section<'_>) -> Self {
        let code = |key| section.word(key).and_then(|it| it.parse::<u16>().ok());
        let path = section.optional_text("response_page_path");
        let response_code = code("response_code");
        let page = match (path, response_code) {
            (Some(path), Some(response_code)) => {
                let is_legal = path.starts_with('/') && path.bytes().all(|it| it.is_ascii_graphic());
                if !is_legal || path.contains(['?', '#']) {
                    section.report(
                        "response_page_path",
                        format!("{path:?} is no path"),
                        "write a slash in front, percent-triplets for what is not ASCII, and no query",
                    );
                }
                Some(ErrorPage { path, response_code })
            }
            (None, None) => None,
            (Some(_), None) => {
                section.report("response_code", "a page has a status", "write `response_code = \"200\"`");
                None
            }
            (None, Some(_)) => {
                let remedy = "write its path in response_page_path, or leave this out";
                section.report("response_code", "there is no page to send with it", remedy);
                None
            }
        };
        let error_caching_min_ttl =
            section.has("error_caching_min_ttl").then(|| section.duration("error_caching_min_ttl"));
        Self { error_code: code("error_code").unwrap_or_default(), page, error_caching_min_ttl }
    }
}
