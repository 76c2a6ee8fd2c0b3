//! Logs.

use std::path::PathBuf;

use crate::section::Section;
use crate::setting::Default::{Absent, Value};
use crate::setting::{Kind, Setting, Stands};

/// What is written down.
#[derive(Clone, Debug, PartialEq)]
pub struct Observe {
    /// A line per request. None: not written.
    pub access_log: Option<AccessLog>,
    /// A `tracing` filter, such as `info` or `levada=debug`.
    pub log: String,
}

/// The access log.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessLog {
    /// Where to; `-` is standard output.
    pub file: PathBuf,
    /// How a line looks.
    pub format: AccessLogFormat,
}

/// How a line of the access log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLogFormat {
    /// A JSON object.
    Json,
    /// CloudFront's standard log (cloudfront.md 6.1).
    W3c,
}

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::new(
        "log",
        Kind::Text,
        Value("info", "what an operator would act on, and no more"),
        "Set it to a `tracing` filter such as levada=debug while you look for the cause of something.",
    )
    .example("levada=debug")
    .needs_restart(),
    Setting::new(
        "access_log",
        Kind::Table(ACCESS_LOG),
        Absent("no access log, since a log that nobody rotates fills the disk"),
        "Set it to have a line per request.",
    )
    .needs_restart(),
];

const ACCESS_LOG: &[Setting] = &[
    Setting::new(
        "file",
        Kind::Path(Stands::Output),
        Value("-", "standard output, where containers and systemd collect"),
        "Set it to write to a file.",
    )
    .example("access.log")
    .needs_restart(),
    Setting::new(
        "format",
        Kind::Word(&["json", "w3c"]),
        Value("json", "names its fields"),
        "Set it to w3c to feed tools made for CloudFront's standard logs.",
    )
    .example("w3c")
    .needs_restart(),
];

impl Observe {
    pub(crate) fn read(section: &Section<'_>) -> Self {
        let access_log = section.has("access_log").then(|| AccessLog::read(&section.table("access_log")));
        Self { access_log, log: section.text("log") }
    }
}

impl AccessLog {
    fn read(section: &Section<'_>) -> Self {
        let format = match section.word("format") {
            Some("w3c") => AccessLogFormat::W3c,
            _ => AccessLogFormat::Json,
        };
        Self { file: section.path("file"), format }
    }
}
