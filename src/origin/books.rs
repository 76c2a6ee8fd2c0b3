//! What the origins were asked, for who counts it.

use std::sync::Arc;

use super::vod::Vod;
use super::web::Web;
use super::{Kind, Origin, Origins};

impl Origins {
    /// What was asked of web servers and buckets, by id, for the books.
    pub fn asked(&self) -> Vec<AskedOf> {
        let of = |(id, origin): (&String, &Origin)| match &origin.kind {
            Kind::Web(web) => vec![AskedOf::new(id.clone(), web)],
            Kind::Parents(parents) => {
                let named = |it: &Arc<Web>| AskedOf::new(format!("{id} {}", it.authority()), it);
                parents.all().iter().map(named).collect()
            }
            Kind::Live(_) | Kind::Vod(_) | Kind::Directory(_) => Vec::new(),
        };
        let mut all: Vec<_> = self.by_id.iter().flat_map(of).collect();
        all.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        all
    }

    /// How often the secondary of each origin group was asked.
    pub fn failovers(&self) -> Vec<(&str, u64)> {
        let mut all: Vec<_> =
            self.groups.iter().map(|(id, it)| (id.as_str(), it.failovers.count())).collect();
        all.sort_unstable();
        all
    }

    /// The stored libraries, for their books.
    pub fn assets(&self) -> impl Iterator<Item = &Arc<Vod>> {
        self.by_id.values().filter_map(|it| match &it.kind {
            Kind::Vod(vod) => Some(vod),
            Kind::Live(_) | Kind::Directory(_) | Kind::Web(_) | Kind::Parents(_) => None,
        })
    }
}

/// What was asked of a web server, for the books.
#[derive(Clone, Debug)]
pub struct AskedOf {
    /// The origin's id; of a parent, that and where it is.
    pub id: String,
    /// Requests, further attempts not counted.
    pub requests: u64,
    /// Requests that got no answer.
    pub failures: u64,
    /// Further attempts.
    pub retries: u64,
    /// Requests it was spared, because it had failed.
    pub spared: u64,
    /// Whether it is spared now.
    pub is_out: bool,
}

impl AskedOf {
    fn new(id: String, web: &Web) -> Self {
        let it = web.stats();
        Self {
            id,
            requests: it.requests.count(),
            failures: it.failures.count(),
            retries: it.retries.count(),
            spared: it.spared.count(),
            is_out: web.is_out(),
        }
    }
}
