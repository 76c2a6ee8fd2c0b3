//! Memory for cached objects, and cache policies.

use std::time::Duration;

use crate::units::ByteSize;

/// The store.
#[derive(Clone, Debug)]
pub struct Cache {
    /// Bytes of memory that held, filling and evicted-but-read objects may take together.
    pub memory: ByteSize,
}

/// What makes a cache key and how long answers live (cloudfront.md 3.2).
#[derive(Clone, Debug)]
pub struct CachePolicy {
    /// What behaviors name, such as `Levada-Live` or `Managed-CachingOptimized`.
    pub name: String,
    /// Lower bound of a lifetime.
    pub min_ttl: Duration,
    /// Lifetime of an answer that says none.
    pub default_ttl: Duration,
    /// Upper bound of a lifetime.
    pub max_ttl: Duration,
    /// Lifetime of error answers that say none.
    pub error_ttl: Duration,
    /// Which query parameters are in the key.
    pub query: Selection,
    /// Which request headers are in the key, lower case.
    pub headers: Vec<String>,
    /// Whether text may be answered with gzip.
    pub gzip: bool,
    /// Whether text may be answered with Brotli.
    pub brotli: bool,
}

/// Which of a set of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// No name.
    None,
    /// Every name.
    All,
    /// These names.
    Only(Vec<String>),
    /// All but these.
    AllExcept(Vec<String>),
}
