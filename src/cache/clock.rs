//! The one place of the cache that reads a clock; a paused runtime stops it.

use std::time::{Instant, SystemTime};

/// For ages and lifetimes: never goes back.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// For dates that others wrote.
pub(super) fn wall() -> SystemTime {
    SystemTime::now()
}
