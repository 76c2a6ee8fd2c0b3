//! The cache's books, for `observe` to read.

pub(super) use crate::counter::Counter;

/// What the cache has done since it began.
#[derive(Debug, Default)]
pub struct Stats {
    /// Requests answered from the store.
    pub hits: Counter,
    /// Requests answered by a fetch.
    pub misses: Counter,
    /// Misses that joined the fetch of another request.
    pub collapsed: Counter,
    /// Fetches begun.
    pub fills: Counter,
    /// Fetches that brought no answer, or not all of it.
    pub failed_fills: Counter,
    /// Fetches that nobody waited for any more and that nobody could have used.
    pub abandoned_fills: Counter,
    /// Answers that the store let go for want of room.
    pub evictions: Counter,
    /// Stored errors that were let go because errors had more than their share of the memory.
    pub evicted_errors: Counter,
    /// Answers that were not kept, or not given at all, for want of memory.
    pub out_of_memory: Counter,
    /// Invalidations.
    pub invalidations: Counter,
    /// Requests turned away because too many fetches were under way.
    pub busy: Counter,
    /// Requests turned away because too many viewers were sending bodies.
    pub busy_uploads: Counter,
}
