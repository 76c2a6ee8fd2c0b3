//! What became of a request, for its access-log line; travels as an extension of the response.

use std::sync::Arc;

/// How a request was served (`x-edge-result-type`, cloudfront.md 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// From the store.
    Hit,
    /// From the store after asking the origin.
    RefreshHit,
    /// From the origin.
    Miss,
    /// By sending the viewer elsewhere.
    Redirect,
    /// By an answer the edge made itself: a preflight, a page, the time.
    Own,
    /// Not: 4xx or 5xx.
    Error,
}

impl Served {
    /// CloudFront's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hit => "Hit",
            Self::RefreshHit => "RefreshHit",
            Self::Miss => "Miss",
            Self::Redirect => "Redirect",
            Self::Own => "FunctionGeneratedResponse",
            Self::Error => "Error",
        }
    }
}

/// What the way of one request adds to its log line.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// How it was served.
    pub served: Served,
    /// Why it was refused or failed, in words for the operator; viewers are not told.
    pub reason: Option<Arc<str>>,
    /// The distribution's id, if it is any's.
    pub distribution: Option<Arc<str>>,
}

impl Outcome {
    /// The distribution's id; empty where there is none.
    pub fn distribution(&self) -> &str {
        self.distribution.as_deref().unwrap_or_default()
    }

    /// One without a reason and a distribution.
    pub const fn own(served: Served) -> Self {
        Self { served, reason: None, distribution: None }
    }
}
