//! A request that belongs to no behavior.

use std::sync::Arc;

use super::{Distribution, Reason, Request};
use crate::{behavior, protect};

/// What makes a path unfit to choose a behavior by; all are answered 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// It does not begin with `/`.
    #[error("the path does not begin with a slash")]
    NotAbsolute,
    /// A byte no URL path may have.
    #[error("the path has the byte {0:#04x}")]
    Byte(u8),
    /// `%` without two hexadecimal digits behind it.
    #[error("the path has a broken percent-triplet")]
    Triplet,
    /// A triplet that stands for a control character, NUL among them.
    #[error("the path has an encoded control character")]
    Control,
    /// `%2F` or `%5C`: some would read a separator there, some would not.
    #[error("the path has an encoded slash or backslash")]
    Separator,
    /// Decoded, it is no UTF-8, so it names no file.
    #[error("the path is not UTF-8")]
    Utf8,
    /// `..` beyond the root.
    #[error("the path climbs above the root")]
    AboveRoot,
}

/// Why no behavior can be chosen for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteFault {
    /// Its path is unfit.
    #[error(transparent)]
    Path(#[from] PathFault),
    /// It came over a TLS connection to another distribution, under a certificate that does not speak for its host.
    /// Answered 421, so that browsers who share connections among hosts open another.
    #[error("the TLS connection was made for another distribution")]
    Misdirected,
    /// The distribution of its host is not enabled. Answered 403.
    #[error("the distribution is not enabled")]
    Disabled,
}

/// A request that no behavior can be chosen for.
#[derive(Debug)]
pub struct Unrouted {
    request: Box<Request>,
    distribution: Arc<Distribution>,
    fault: RouteFault,
    refused: Option<Reason>,
}

impl Unrouted {
    /// Made by `behavior` alone.
    pub fn new(
        _: behavior::Witness,
        request: Request,
        distribution: Arc<Distribution>,
        fault: impl Into<RouteFault>,
    ) -> Self {
        Self { request: Box::new(request), distribution, fault: fault.into(), refused: None }
    }

    /// The same, whose viewer is refused whatever he asks for. Said by `protect` alone.
    #[must_use]
    pub fn refused(self, _: protect::Witness, reason: Reason) -> Self {
        Self { refused: Some(reason), ..self }
    }

    /// For whom it came.
    pub const fn distribution(&self) -> &Arc<Distribution> {
        &self.distribution
    }

    /// Why its viewer is refused, if he is; he learns no more then.
    pub const fn refusal(&self) -> Option<&Reason> {
        self.refused.as_ref()
    }

    /// What was asked.
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// Why there is no behavior for it.
    pub const fn fault(&self) -> RouteFault {
        self.fault
    }
}
