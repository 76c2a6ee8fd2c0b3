//! Where answers come from on a miss: broadcasts, stored assets, web servers. It never knows that it is cached.

mod beneath;
mod books;
mod directory;
mod group;
mod library;
pub mod live;
mod parent;
mod sign;
mod table;
pub mod vod;
mod web;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use config::distribution::RangeFill;
use futures_util::future::BoxFuture;
use http::Method;

use crate::passage::{Admitted, Ask, Failure, FetchPlan, Fetched, Planned, Source, Upload};
pub use books::AskedOf;
use directory::Directory;
use group::Group;
use live::Live;
use parent::Parents;
use vod::Vod;
use web::{Question, Web};

/// The longest a live answer waits: three target durations of at most 10 s, and a little for the way.
const LIVE_DEADLINE: Duration = Duration::from_secs(32);

/// The longest that a viewer may take to send a body and the web server to answer it: the slowest that is borne with
/// sends some twenty megabytes until then, and a line of 30 Mbit/s the most there may be.
const UPLOAD_DEADLINE: Duration = Duration::from_secs(6 * 60 * 60);

/// The number of no origin.
const NOWHERE: u64 = u64::MAX;

/// In the number of an origin that has the same number in every run of the server.
const LASTING: u64 = 1 << 63;

/// Every origin by id. Immutable: a reload builds another, and assets that stay keep their indexes.
pub struct Origins {
    by_id: HashMap<String, Origin>,
    groups: HashMap<String, Group>,
    /// The number of the next origin with contents of its own.
    next: u64,
    /// This server among the caches a request goes through.
    node: Arc<str>,
}

#[derive(Clone)]
struct Origin {
    /// Two have the same when they have the same contents.
    number: u64,
    kind: Kind,
    /// None: the literal prefix of the behavior's pattern.
    strip_prefix: Option<String>,
}

#[derive(Clone)]
enum Kind {
    Live(Live),
    Vod(Arc<Vod>),
    Directory(Arc<Directory>),
    Web(Arc<Web>),
    Parents(Arc<Parents>),
}

impl Origins {
    /// How what was asked would be fetched. `upload` goes to a web server with the first fetch; the cache fetches once what
    /// has one.
    pub fn way<'a>(&'a self, asked: &'a Admitted, upload: Upload) -> Way<'a> {
        let target = &asked.routed().behavior().target_origin;
        let source = match self.groups.get(target) {
            Some(group) => {
                let [primary, secondary] = &group.members;
                let is_alone = !upload.is_none();
                let method = asked.routed().request().method();
                group.source(method, is_alone, self.source(primary, asked), self.source(secondary, asked))
            }
            None => self.source(target, asked),
        };
        Way { origins: self, asked, upload, source }
    }

    /// What an origin is asked for, and where that is.
    fn source(&self, id: &str, asked: &Admitted) -> Source {
        let Some(origin) = self.by_id.get(id) else { return Source { origin: NOWHERE, dropped: 0 } };
        let dropped = asked.path().len() - origin.path(asked).len();
        Source { origin: origin.number, dropped }
    }

    /// How to fetch what was asked; owned, so that a fetch outlives the viewer who caused it.
    fn fetch_plan(&self, asked: &Admitted, upload: Upload) -> FetchPlan {
        let target = &asked.routed().behavior().target_origin;
        match self.groups.get(target) {
            // A body can be sent to one of them.
            Some(group) if upload.is_none() => {
                let [primary, secondary] = &group.members;
                let method = asked.routed().request().method();
                let plan = |id| self.plan(id, asked, Upload::none());
                group.plan(method, plan(primary), plan(secondary))
            }
            Some(group) => self.plan(&group.members[0], asked, upload),
            None => self.plan(target, asked, upload),
        }
    }

    /// How to fetch it from one origin.
    fn plan(&self, id: &str, asked: &Admitted, upload: Upload) -> FetchPlan {
        let source = self.source(id, asked);
        let Some(origin) = self.by_id.get(id) else {
            let missing = format!("there is no origin {id:?}");
            return FetchPlan::new(source, move |_| {
                let missing = missing.clone();
                Box::pin(async { Err(Failure::Unreadable(missing)) })
            });
        };
        let path: Arc<str> = origin.path(asked).into();
        match origin.kind.clone() {
            Kind::Live(live) => {
                let query = asked.keyed_query();
                let query: Option<Arc<str>> = (!query.is_empty()).then(|| query.into());
                FetchPlan::new(source, move |_| {
                    let (live, path, query) = (live.clone(), Arc::clone(&path), query.clone());
                    Box::pin(async move { Ok(live.fetch(&path, query.as_deref()).await) })
                })
                .with_deadline(LIVE_DEADLINE)
            }
            Kind::Web(web) => {
                let question = web.question(asked, &self.node);
                let silence = web.settings().read_timeout;
                let deadline = if upload.is_none() { web.deadline(&question) } else { UPLOAD_DEADLINE };
                over_http(source, asked, question.bringing(upload), deadline, move |question, ask| {
                    let web = Arc::clone(&web);
                    Box::pin(async move { web.fetch(&question, &ask).await })
                })
                .with_silence(silence)
            }
            Kind::Parents(parents) => self.tier(&parents, source, asked, upload),
            Kind::Directory(directory) => FetchPlan::new(source, move |ask| {
                let (directory, path) = (Arc::clone(&directory), Arc::clone(&path));
                Box::pin(async move { directory.fetch(&path, &ask).await })
            })
            .in_slices(is_in_slices(asked)),
            Kind::Vod(vod) => {
                let method = asked.routed().request().method().clone();
                // Whoever asks for a license brings it; nobody brings it twice.
                let uploading = !upload.is_none();
                let upload = Arc::new(Mutex::new(upload));
                FetchPlan::new(source, move |_| {
                    let (vod, path, method) = (Arc::clone(&vod), Arc::clone(&path), method.clone());
                    let upload = &mut *upload.lock().unwrap_or_else(PoisonError::into_inner);
                    let upload = std::mem::replace(upload, Upload::none());
                    Box::pin(async move { vod.fetch_with(&path, &method, upload).await })
                })
                .uploading(uploading)
            }
        }
    }

    /// How to fetch it from parents, and where none answers from the origin in their place; what no cache may keep goes
    /// there at once (cloudfront.md 9).
    fn tier(&self, parents: &Arc<Parents>, source: Source, asked: &Admitted, upload: Upload) -> FetchPlan {
        let may_keep = !asked.routed().behavior().cache_policy.max_ttl.is_zero();
        let is_read = matches!(*asked.routed().request().method(), Method::GET | Method::HEAD);
        let fallback = match &parents.fallback {
            Some(id) if !(may_keep && is_read && upload.is_none()) => {
                return self.plan(id, asked, upload).under(source);
            }
            Some(id) => Some(self.plan(id, asked, Upload::none())),
            None => None,
        };
        let question = Parents::question(asked, &self.node);
        let deadline = if upload.is_none() { parents.deadline(&question) } else { UPLOAD_DEADLINE };
        let (parents, silence) = (Arc::clone(parents), parents.silence());
        let plan = over_http(source, asked, question.bringing(upload), deadline, move |question, ask| {
            let parents = Arc::clone(&parents);
            Box::pin(async move { parents.fetch(&question, &ask).await })
        })
        .with_silence(silence);
        let is_silence = |it: &Result<Fetched, Failure>| it.as_ref().is_err_and(Failure::is_silence);
        match fallback {
            Some(fallback) => plan.or(fallback, source, is_silence),
            None => plan,
        }
    }
}

/// A plan that asks a question of another server, or of several.
fn over_http(
    source: Source,
    asked: &Admitted,
    question: Question,
    deadline: Duration,
    ask_it: impl Fn(Arc<Question>, Ask) -> BoxFuture<'static, Result<Fetched, Failure>> + Send + Sync + 'static,
) -> FetchPlan {
    let (unkeyed, looped) = (question.unkeyed().to_vec(), question.is_looped());
    let uploading = question.is_uploading();
    let question = Arc::new(question);
    FetchPlan::new(source, move |ask| ask_it(Arc::clone(&question), ask))
        .with_deadline(deadline)
        .telling(unkeyed)
        .looped(looped)
        .uploading(uploading)
        .in_slices(is_in_slices(asked))
        .lasting()
}

/// Whether what was asked for comes in slices.
fn is_in_slices(asked: &Admitted) -> bool {
    match asked.routed().behavior().range_fill {
        RangeFill::Auto => web::may_be_large(asked.path()),
        RangeFill::Slice | RangeFill::Exact => true,
        RangeFill::Whole | RangeFill::Pass => false,
    }
}

impl Origin {
    /// The path as it knows it.
    fn path<'a>(&self, asked: &'a Admitted) -> &'a str {
        match &self.strip_prefix {
            Some(prefix) => without_prefix(asked.path(), prefix),
            None => without_prefix(asked.path(), &asked.routed().behavior().path_pattern.literal_prefix()),
        }
    }
}

/// How what was asked would be fetched.
pub struct Way<'a> {
    origins: &'a Origins,
    asked: &'a Admitted,
    upload: Upload,
    source: Source,
}

impl Planned for Way<'_> {
    fn source(&self) -> Source {
        self.source
    }

    fn is_uploading(&self) -> bool {
        !self.upload.is_none()
    }

    fn plan(self) -> FetchPlan {
        let plan = self.origins.fetch_plan(self.asked, self.upload);
        debug_assert_eq!(Planned::source(&plan), self.source, "a way and its plan lead to one place");
        plan
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
    use std::io;
    use std::path::PathBuf;

    use config::origin::{Files, Origin as Meant, OriginKind};
    use packager::live::{Ledger, Record, Registry, Settings};
    use packager::media::BroadcastName;

    use super::*;
    use crate::passage::example::Example;

    struct Forgetful;

    impl Ledger for Forgetful {
        fn load(&self, _: &BroadcastName) -> io::Result<Option<Record>> {
            Ok(None)
        }

        fn store(&self, _: &BroadcastName, _: &Record) -> io::Result<()> {
            Ok(())
        }
    }

    fn indexes() -> Arc<vod::Indexes> {
        vod::Indexes::open(tempfile::tempdir().unwrap().path().to_owned(), 1 << 20).unwrap()
    }

    fn registry() -> Registry {
        let second = Duration::from_secs(1);
        let settings = Settings {
            segment: second,
            part: second,
            window: second,
            grace: second,
            replace_interval: second,
            max_broadcasts: 1,
            ring_bytes: 1,
            memory: 1 << 20,
        };
        Registry::new(settings, Arc::new(Forgetful))
    }

    fn vod(id: &str, root: &str) -> Meant {
        let kind = OriginKind::Vod {
            files: Files::Directory(PathBuf::from(root)),
            strip_prefix: None,
            encryption: None,
        };
        Meant { id: id.to_owned(), kind }
    }

    fn live(id: &str, strip_prefix: &str) -> Meant {
        let kind = OriginKind::Live { strip_prefix: strip_prefix.to_owned() };
        Meant { id: id.to_owned(), kind }
    }

    #[test]
    fn a_source_is_another_when_an_answer_may_be_another() {
        let registry = registry();
        let source = |origins: &Origins, id: &str| {
            let mut example = Example::get("/live/a/index.m3u8");
            example.behavior.target_origin = id.to_owned();
            origins.fetch_plan(&example.admitted(), Upload::none()).source()
        };
        let first = [vod("films", "/srv/a"), vod("more", "/srv/b"), live("live", "")];
        let first = Origins::new(&first, &[], &registry, &indexes(), None);
        let films = source(&first, "films");
        assert_ne!(source(&first, "more"), films);
        assert_ne!(source(&first, "live"), films);

        let second =
            [vod("films", "/srv/c"), vod("copy", "/srv/a"), vod("same", "/srv/c"), live("live", "/live")];
        let second = Origins::new(&second, &[], &registry, &indexes(), Some(&first));
        assert_eq!(source(&second, "copy"), films);
        assert_eq!(source(&second, "same"), source(&second, "films"));
        for (before, id) in [("films", "films"), ("more", "films"), ("live", "films"), ("live", "live")] {
            assert_ne!(source(&first, before), source(&second, id), "{before} and {id}");
        }
        assert_ne!(source(&second, "gone"), films);
    }

    #[test]
    fn a_body_may_be_silent_for_as_long_as_its_web_server_may() {
        let server = config::origin::HttpOrigin {
            domain_name: "web.example".into(),
            path: String::new(),
            protocol_policy: config::origin::OriginProtocolPolicy::HttpsOnly,
            http_port: 80,
            https_port: 443,
            ca_file: None,
            custom_headers: Vec::new(),
            connection_attempts: 1,
            connection_timeout: Duration::from_secs(1),
            read_timeout: Duration::from_secs(50),
            completion_timeout: None,
            keepalive_timeout: Duration::from_secs(1),
        };
        let tier =
            config::origin::ParentOrigin { parents: vec![server.clone()], fallback: Some("live".into()) };
        let meant = [
            Meant { id: "web".to_owned(), kind: OriginKind::Http(Box::new(server)) },
            Meant { id: "tier".to_owned(), kind: OriginKind::Parent(tier) },
            live("live", ""),
        ];
        let origins = Origins::new(&meant, &[], &registry(), &indexes(), None);
        let silence = |id: &str| {
            let mut example = Example::get("/film.mp4");
            example.behavior.target_origin = id.to_owned();
            origins.fetch_plan(&example.admitted(), Upload::none()).silence()
        };
        let fifty = Some(Duration::from_secs(50));
        assert_eq!((silence("web"), silence("tier"), silence("live")), (fifty, fifty, None));
    }

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
