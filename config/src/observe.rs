//! Logs.

use std::path::PathBuf;

/// What is written down.
#[derive(Clone, Debug)]
pub struct Observe {
    /// A line per request. None: not written.
    pub access_log: Option<AccessLog>,
    /// A `tracing` filter, such as `info` or `levada=debug`.
    pub log: String,
}

/// The access log.
#[derive(Clone, Debug)]
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
