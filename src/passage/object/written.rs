//! Fields of responses that gave an object, kept for requests to which they would be the same.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::{HeaderMap, Version};

use super::Form;
use crate::passage::{Behavior, Reservation, Scheme};

/// Kept for one object at most: two protocols and three codings, and two more of what is rare.
const MOST: usize = 8;

/// What a field costs beside its texts: a place among the fields, and one in their index.
const FIELD_COST: u64 = 112;

/// What a list of fields costs beside them.
const LIST_COST: u64 = 256;

/// What the fields of a response depend on beside the object, where they depend on nothing else.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// The behavior, the same one: a reload makes another.
    pub behavior: Arc<Behavior>,
    /// How the viewer speaks.
    pub scheme: Scheme,
    /// And in which version.
    pub version: Version,
    /// The form that the viewer likes best, whether the object has it or not.
    pub liked: Option<Form>,
}

impl PartialEq for Circumstances {
    fn eq(&self, other: &Self) -> bool {
        let Self { behavior, scheme, version, liked } = self;
        Arc::ptr_eq(behavior, &other.behavior)
            && (scheme, version, liked) == (&other.scheme, &other.version, &other.liked)
    }
}

/// A response but for its octets.
#[derive(Clone, Debug)]
pub struct Written {
    /// Its fields.
    pub headers: HeaderMap,
    /// The form that its octets have.
    pub form: Option<Form>,
}

impl Written {
    fn cost(&self) -> u64 {
        let field = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            name.as_str().len() as u64 + value.len() as u64 + FIELD_COST
        };
        LIST_COST + self.headers.iter().map(field).sum::<u64>()
    }
}

#[derive(Clone, Debug)]
struct Entry {
    circumstances: Circumstances,
    written: Arc<Written>,
    /// The memory that it takes, where that is counted.
    _reservation: Option<Arc<Reservation>>,
}

/// What was written before, read without a lock.
#[derive(Debug, Default)]
pub(super) struct Shelf(ArcSwapOption<Vec<Entry>>);

impl Shelf {
    pub(super) fn find(&self, circumstances: &Circumstances) -> Option<Arc<Written>> {
        let entries = self.0.load();
        let entry = entries.as_ref()?.iter().find(|it| it.circumstances == *circumstances)?;
        Some(Arc::clone(&entry.written))
    }

    /// Keeps it where there is room; `reserve` takes memory for it, or says that there is none.
    pub(super) fn keep(
        &self,
        circumstances: Circumstances,
        written: Written,
        reserve: impl FnOnce(u64) -> Result<Option<Reservation>, NoRoom>,
    ) {
        let Ok(reservation) = reserve(written.cost()) else { return };
        let (written, reservation) = (Arc::new(written), reservation.map(Arc::new));
        let entry = Entry { circumstances, written, _reservation: reservation };
        self.0.rcu(|entries| {
            let is_other = |it: &&Entry| it.circumstances != entry.circumstances;
            let others = entries.iter().flat_map(|it| it.iter()).filter(is_other);
            // The newest stay: what a reload has made useless goes by itself.
            Some(Arc::new([&entry].into_iter().chain(others).take(MOST).cloned().collect::<Vec<_>>()))
        });
    }
}

/// There is no memory for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoRoom;
