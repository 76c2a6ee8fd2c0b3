//! The origins that the configuration names, made or taken over from before a reload.

use std::collections::HashMap;
use std::sync::Arc;

use config::origin::{Files, OriginKind};
use packager::live::Registry;

use super::directory::Directory;
use super::group::Group;
use super::live::Live;
use super::parent::Parents;
use super::vod::{Indexes, Vod};
use super::web::Web;
use super::{Kind, LASTING, Origin, Origins};

impl Origins {
    /// Builds what the configuration names; `previous` origins with the same contents are taken over. What is understood
    /// of stored titles is kept in `indexes`.
    pub fn new(
        origins: &[config::origin::Origin],
        groups: &[config::origin::OriginGroup],
        registry: &Registry,
        indexes: &Arc<Indexes>,
        previous: Option<&Self>,
    ) -> Self {
        let group = |meant: &config::origin::OriginGroup| {
            Group::new(meant, previous.and_then(|it| it.groups.get(&meant.id)))
        };
        let mut built = Self {
            by_id: HashMap::new(),
            groups: groups.iter().map(|it| (it.id.clone(), group(it))).collect(),
            next: previous.map_or(0, |it| it.next),
            node: previous.map_or_else(node, |it| Arc::clone(&it.node)),
        };
        // What reads its files from another origin is made after that.
        let reads_another = |it: &&config::origin::Origin| {
            matches!(&it.kind, OriginKind::Vod { files: Files::Origin(_), .. })
        };
        let (later, first): (Vec<_>, Vec<_>) = origins.iter().partition(reads_another);
        for meant in first.into_iter().chain(later) {
            let known = match &meant.kind {
                OriginKind::Parent(parent) => {
                    let earlier = match previous.and_then(|it| it.by_id.get(&meant.id)).map(|it| &it.kind) {
                        Some(Kind::Parents(it)) => Some(&**it),
                        _ => None,
                    };
                    let parents = Kind::Parents(Arc::new(Parents::new(parent, earlier)));
                    Some((Parents::number(&meant.id), parents))
                }
                OriginKind::Vod { files: Files::Origin(source), encryption, .. } => {
                    let web = built.web(source);
                    let same = |it: &Origin| match (&it.kind, web) {
                        (Kind::Vod(vod), Some(web)) => {
                            vod.is_at(web) && vod.encryption() == encryption.as_deref()
                        }
                        _ => false,
                    };
                    let all = previous.into_iter().chain([&built]).flat_map(|it| it.by_id.values());
                    all.filter(|it| same(it)).map(|it| (it.number, it.kind.clone())).next()
                }
                kind => previous.into_iter().chain([&built]).find_map(|it| it.with_contents_of(kind)),
            };
            let (number, kind) = known.unwrap_or_else(|| {
                let kind = match &meant.kind {
                    OriginKind::Live { .. } => Kind::Live(Live::new(registry.clone())),
                    OriginKind::Vod { files, encryption, .. } => {
                        let vod = match files {
                            Files::Directory(root) => Vod::new(root.clone()),
                            Files::Origin(source) => {
                                let web = built.web(source).expect("the configuration was checked");
                                Vod::at(Arc::clone(web), Arc::clone(&built.node))
                            }
                        };
                        let vod = vod.with_indexes(Arc::clone(indexes)).encrypted(encryption.as_deref());
                        Kind::Vod(Arc::new(vod))
                    }
                    OriginKind::Directory { root, .. } => {
                        Kind::Directory(Arc::new(Directory::new(root.clone())))
                    }
                    OriginKind::Http(settings) => Kind::Web(Arc::new(Web::new((**settings).clone()))),
                    OriginKind::Bucket(bucket) => Kind::Web(Arc::new(Web::bucket(bucket))),
                    OriginKind::Parent(_) => unreachable!("they are known by their id"),
                };
                if let Kind::Web(web) = &kind {
                    return (LASTING | web.number(), kind);
                }
                built.next += 1;
                (built.next - 1, kind)
            });
            let strip_prefix = match &meant.kind {
                OriginKind::Live { strip_prefix } => Some(strip_prefix.clone()),
                OriginKind::Vod { strip_prefix, .. } | OriginKind::Directory { strip_prefix, .. } => {
                    strip_prefix.clone()
                }
                OriginKind::Http(_) | OriginKind::Bucket(_) | OriginKind::Parent(_) => Some(String::new()),
            };
            built.by_id.insert(meant.id.clone(), Origin { number, kind, strip_prefix });
        }
        built
    }

    /// The web server or bucket of this id.
    fn web(&self, id: &str) -> Option<&Arc<Web>> {
        match &self.by_id.get(id)?.kind {
            Kind::Web(web) => Some(web),
            _ => None,
        }
    }

    /// The origin that has the contents that `meant` is to have.
    fn with_contents_of(&self, meant: &OriginKind) -> Option<(u64, Kind)> {
        let same = |it: &&Origin| match (&it.kind, meant) {
            (Kind::Live(_), OriginKind::Live { .. }) => true,
            (Kind::Vod(vod), OriginKind::Vod { files: Files::Directory(root), encryption, .. }) => {
                vod.root() == Some(root.as_path()) && vod.encryption() == encryption.as_deref()
            }
            (Kind::Directory(directory), OriginKind::Directory { root, .. }) => directory.root() == root,
            (Kind::Web(web), OriginKind::Http(settings)) => web.is_at(settings),
            (Kind::Web(web), OriginKind::Bucket(bucket)) => web.is_bucket(bucket),
            _ => false,
        };
        let known = self.by_id.values().find(same)?;
        let kind = match (&known.kind, meant) {
            // The same server asked in another way: what it said before is not forgotten for that (cloudfront.md 2.5).
            (Kind::Web(web), OriginKind::Http(settings)) if web.settings() != &**settings => {
                Kind::Web(Arc::new(Web::new((**settings).clone()).after(web)))
            }
            // Its secrets may be others now.
            (Kind::Web(web), OriginKind::Bucket(bucket)) => {
                Kind::Web(Arc::new(Web::bucket(bucket).after(web)))
            }
            (kind, _) => kind.clone(),
        };
        Some((known.number, kind))
    }
}

/// A name that no other server has, for `Via` and `CDN-Loop`.
fn node() -> Arc<str> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has randomness");
    format!("levada-{:016x}", u64::from_be_bytes(bytes)).into()
}
