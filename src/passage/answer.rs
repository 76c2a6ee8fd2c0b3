//! What the cache found, with its reason.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::{Failure, Object};

/// Why the cache went to the origin (`fwd` of RFC 9211).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// Nothing was stored under the key.
    UriMiss,
    /// What was stored is stale.
    Stale,
    /// The policy keeps nothing.
    Bypass,
    /// The method is not for caches.
    Method,
    /// The viewer wants it so.
    Request,
}

/// Why a stale answer is given (RFC 5861).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excuse {
    /// A newer one is being fetched.
    Revalidating,
    /// The origin fails.
    OriginFails,
    /// The viewer takes it so.
    Accepted,
}

/// What else is told of what is stored (`detail` of RFC 9211).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The behavior's policy says how long it lives, not the origin.
    BehaviorTtl,
    /// It is an error.
    Negative,
    /// Its octets lie in slices.
    Slice,
}

/// What the cache did (RFC 9211).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// From the store, fresh for `ttl` more.
    Hit {
        /// Freshness left.
        ttl: Duration,
        /// What else is told of it.
        detail: Option<Detail>,
    },
    /// From the store though it is stale.
    Stale {
        /// For how long it has been.
        since: Duration,
        /// Why it is given all the same.
        excuse: Excuse,
    },
    /// From the origin; or, where it says 304, from the store with its consent.
    Miss {
        /// Why.
        forward: Forward,
        /// What the origin said; none while it failed.
        status: Option<StatusCode>,
        /// Whether another request's fetch was joined.
        collapsed: bool,
        /// Whether the answer was kept.
        stored: bool,
    },
}

/// What the cache gives.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The object, or why there is none.
    pub object: Result<Arc<Object>, Failure>,
    /// What was done.
    pub verdict: Verdict,
    /// How old the object is; zero when it comes from the origin just now.
    pub age: Duration,
}

impl Answer {
    /// Whether there is none because we have too much to do: no page says that better, and each costs.
    pub const fn is_overload(&self) -> bool {
        matches!(self.object, Err(Failure::Busy | Failure::OutOfMemory | Failure::GivenUp))
    }
}
