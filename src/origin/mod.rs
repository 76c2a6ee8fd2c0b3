//! Where answers come from on a miss: broadcasts, stored assets. It never knows that it is cached.

pub mod live;
pub mod vod;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use config::origin::OriginKind;
use packager::live::Registry;

use crate::passage::{Admitted, Failure, FetchPlan};
use live::Live;
use vod::Vod;

/// The longest a live answer waits: three target durations of at most 10 s, and a little for the way.
const LIVE_DEADLINE: Duration = Duration::from_secs(32);

/// Every origin by id. Immutable: a reload builds another, and assets that stay keep their indexes.
pub struct Origins {
    by_id: HashMap<String, Origin>,
}

#[derive(Clone)]
struct Origin {
    kind: Kind,
    /// None: the literal prefix of the behavior's pattern.
    strip_prefix: Option<String>,
}

#[derive(Clone)]
enum Kind {
    Live(Live),
    Vod(Arc<Vod>),
}

impl Origins {
    /// Builds what the configuration names; `previous` origins with the same files are taken over.
    pub fn new(origins: &[config::origin::Origin], registry: &Registry, previous: Option<&Self>) -> Self {
        let built = |it: &config::origin::Origin| match &it.kind {
            OriginKind::Live { strip_prefix } => {
                let strip_prefix = Some(strip_prefix.clone());
                Origin { kind: Kind::Live(Live::new(registry.clone())), strip_prefix }
            }
            OriginKind::Vod { root, strip_prefix } => {
                let known = previous.into_iter().flat_map(Self::assets).find(|it| it.root() == root);
                let vod = known.cloned().unwrap_or_else(|| Arc::new(Vod::new(root.clone())));
                Origin { kind: Kind::Vod(vod), strip_prefix: strip_prefix.clone() }
            }
        };
        Self { by_id: origins.iter().map(|it| (it.id.clone(), built(it))).collect() }
    }

    /// How to fetch what was asked; owned, so that a fetch outlives the viewer who caused it.
    pub fn fetch_plan(&self, asked: &Admitted) -> FetchPlan {
        let behavior = asked.routed().behavior();
        let Some(origin) = self.by_id.get(&behavior.target_origin).cloned() else {
            let missing = format!("there is no origin {:?}", behavior.target_origin);
            return FetchPlan::new(move |_| {
                let missing = missing.clone();
                Box::pin(async { Err(Failure::Unreadable(missing)) })
            });
        };
        let prefix = origin.strip_prefix.unwrap_or_else(|| behavior.path_pattern.literal_prefix());
        let path: Arc<str> = without_prefix(asked.path(), &prefix).into();
        match origin.kind {
            Kind::Live(live) => {
                let query = asked.keyed_query();
                let query: Option<Arc<str>> = Some(query).filter(|it| !it.is_empty()).map(Into::into);
                FetchPlan::new(move |_| {
                    let (live, path, query) = (live.clone(), Arc::clone(&path), query.clone());
                    Box::pin(async move { Ok(live.fetch(&path, query.as_deref()).await) })
                })
                .with_deadline(LIVE_DEADLINE)
            }
            Kind::Vod(vod) => FetchPlan::new(move |_| {
                let (vod, path) = (Arc::clone(&vod), Arc::clone(&path));
                Box::pin(async move { vod.fetch(&path).await })
            }),
        }
    }

    /// The stored libraries, for their books.
    pub fn assets(&self) -> impl Iterator<Item = &Arc<Vod>> {
        self.by_id.values().filter_map(|it| match &it.kind {
            Kind::Vod(vod) => Some(vod),
            Kind::Live(_) => None,
        })
    }
}

/// `/vod/film.mp4` without `/vod` or `/vod/` → `/film.mp4`; a path that does not begin so stays as it is.
fn without_prefix<'a>(path: &'a str, prefix: &str) -> &'a str {
    let prefix = prefix.trim_matches('/');
    let below = path.strip_prefix('/').and_then(|it| it.strip_prefix(prefix));
    match below {
        Some(rest) if rest.starts_with('/') && !prefix.is_empty() => rest,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_dropped_at_a_slash_alone() {
        let check = |path: &str, prefix: &str, expected: &str| {
            assert_eq!(without_prefix(path, prefix), expected, "{path} without {prefix}");
        };
        check("/vod/film.mp4/index.m3u8", "/vod/", "/film.mp4/index.m3u8");
        check("/vod/film.mp4", "vod", "/film.mp4");
        check("/vodka/film.mp4", "/vod", "/vodka/film.mp4");
        check("/film.mp4", "", "/film.mp4");
        check("/film.mp4", "/", "/film.mp4");
    }
}
