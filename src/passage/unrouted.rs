//! A request that belongs to no behavior.

use super::Request;
use crate::behavior;

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
    fault: RouteFault,
}

impl Unrouted {
    /// Made by `behavior` alone.
    pub fn new(_: behavior::Witness, request: Request, fault: impl Into<RouteFault>) -> Self {
        Self { request: Box::new(request), fault: fault.into() }
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
