//! From the document to what it means.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use crate::Config;
use crate::access::{self, Access};
use crate::cache::{self, Cache, CachePolicy};
use crate::control::{self, Control};
use crate::distribution::{self, Distribution, Known};
use crate::document::Table;
use crate::ingest::{self, App, Publish, Rtmp};
use crate::listen::{self, Listen};
use crate::names::Names;
use crate::observe::{self, Observe};
use crate::origin::{self, Origin, OriginGroup};
use crate::origin_request::{self, OriginRequestPolicy};
use crate::overrides::Overrides;
use crate::packaging::{self, Packaging};
use crate::problem::{Place, Problem, Problems};
use crate::protect;
use crate::response::{self, ResponseHeadersPolicy};
use crate::section::{Found, Reading, Section};
use crate::setting::Default::{Absent, Value};
use crate::setting::{Kind, Setting, Stands};

/// Every option there is.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting::new(
        "state_dir",
        Kind::Path(Stands::Anything),
        Value("levada-state", "beside the configuration file"),
        "Set it to a directory that outlives the server: names of segments are never used twice because it remembers, and stored titles it has understood are not read again (cache.titles).",
    )
    .example("/var/lib/levada")
    .needs_restart(),
    Setting::new("listen", Kind::Table(listen::SETTINGS), Absent("its defaults"), "Addresses, TLS, limits of viewers' connections."),
    Setting::new("app", Kind::Tables(ingest::APP, &["name"]), Absent("`live`, open"), "What may be published, one for each RTMP application."),
    Setting::new("rtmp", Kind::Table(ingest::RTMP), Absent("its defaults"), "Limits of RTMP connections."),
    Setting::new("packaging", Kind::Table(packaging::SETTINGS), Absent("its defaults"), "How broadcasts are cut."),
    Setting::new("public_key", Kind::Tables(access::PUBLIC_KEY, &["id"]), Absent("none"), "Keys that check signatures."),
    Setting::new("key_group", Kind::Tables(access::KEY_GROUP, &["name"]), Absent("none"), "Keys that are trusted together."),
    Setting::new("cache", Kind::Table(cache::SETTINGS), Absent("its defaults"), "The store of the edge cache."),
    Setting::new(
        "cache_policy",
        Kind::Tables(cache::POLICY, &["name"]),
        Absent("the built-in ones"),
        "What is in a cache key, and how long answers live. Built in are Levada-Live, Levada-Media, and CloudFront's own \
         under their names and ids: Managed-CachingOptimized, Managed-CachingOptimizedForUncompressedObjects, \
         Managed-CachingDisabled, Managed-Elemental-MediaPackage, Managed-UseOriginCacheControlHeaders, \
         Managed-UseOriginCacheControlHeaders-QueryStrings and Managed-Amplify.",
    ),
    Setting::new(
        "origin_request_policy",
        Kind::Tables(origin_request::POLICY, &["name"]),
        Absent("the built-in ones"),
        "What goes on to web servers beside what is in the cache key. Built in are CloudFront's own under their names and \
         ids: Managed-AllViewer, Managed-AllViewerExceptHostHeader, Managed-AllViewerAndCloudFrontHeaders-2022-06, \
         Managed-CORS-CustomOrigin, Managed-CORS-S3Origin, Managed-Elemental-MediaTailor-PersonalizedManifests, \
         Managed-HostHeaderOnly and Managed-UserAgentRefererHeaders.",
    ),
    Setting::new(
        "response_headers_policy",
        Kind::Tables(response::POLICY, &["name"]),
        Absent("the built-in ones"),
        "What is added to responses, and taken from them. Built in are Levada-Media, and CloudFront's own under their names \
         and ids: Managed-SimpleCORS, Managed-CORS-With-Preflight, Managed-SecurityHeadersPolicy, \
         Managed-CORS-and-SecurityHeadersPolicy and Managed-CORS-with-preflight-and-SecurityHeadersPolicy.",
    ),
    Setting::new("origin", Kind::Tables(origin::SETTINGS, &["id"]), Absent("`live` and `films`"), "Where answers come from."),
    Setting::new(
        "origin_group",
        Kind::Tables(origin::GROUP, &["id"]),
        Absent("none"),
        "Two origins for one content: the second answers where the first fails.",
    ),
    Setting::new(
        "distribution",
        Kind::Tables(distribution::SETTINGS, &["id", "aliases"]),
        Absent("one with `/live/*` and `/vod/*`"),
        "Host names and their behaviors.",
    ),
    Setting::new("geo", Kind::Table(protect::GEO), Absent("nobody's country is known"), "Where viewers are."),
    Setting::new("control", Kind::Table(control::SETTINGS), Absent("its defaults"), "The control page, whose address is listen.control."),
    Setting::new("observe", Kind::Table(observe::SETTINGS), Absent("its defaults"), "Logs."),
];

/// What a configuration is made of.
pub struct Sources<'a> {
    /// The file: how problems call it, and its text. None: the embedded default alone.
    pub file: Option<(&'a str, &'a str)>,
    /// Relative paths in the file are relative to this, which is absolute.
    pub base: &'a Path,
    /// Relative paths in overrides are relative to this, which is absolute.
    pub here: &'a Path,
    /// Environment variables; those that begin with `LEVADA_` override the file.
    pub environment: Vec<(String, String)>,
    /// `key=value`, over the environment.
    pub sets: &'a [String],
    /// What stands at a path.
    pub look: &'a dyn Fn(&Path) -> Found,
}

/// Makes a configuration of its sources; opens nothing itself.
///
/// # Errors
/// Every problem there is.
pub fn resolve(sources: &Sources<'_>) -> Result<Config, Problems> {
    let mut document = read_document(sources.file).map_err(Problems::new)?;
    let overrides = Overrides { environment: &sources.environment, sets: sources.sets };
    let problems = overrides.apply(&mut document, SETTINGS);
    let Sources { base, here, look, .. } = *sources;
    let reading = Reading { base, here, look, problems: problems.into() };
    let config = read(&Section::root(&reading, &document, SETTINGS));
    let problems = reading.problems.into_inner();
    if problems.is_empty() { Ok(config) } else { Err(Problems::new(problems)) }
}

/// The file over the embedded default. Lists that belong together are taken from one of them, since half of each
/// would point into the void.
fn read_document(file: Option<(&str, &str)>) -> Result<Table, Vec<Problem>> {
    let mut built_in = Table::parse(include_str!("default.toml"), &"default.toml".into())
        .unwrap_or_else(|_| unreachable!("the embedded default is TOML, as a test proves"));
    built_in.set_place(&Place::BuiltIn);
    let Some((name, text)) = file else { return Ok(built_in) };
    let mut document = Table::parse(text, &Arc::from(name))?;
    let bundles: [&[&str]; 2] = [&["app"], &["origin", "distribution"]];
    for bundle in bundles {
        if bundle.iter().all(|key| !document.entries.contains_key(*key)) {
            document.entries.extend(bundle.iter().filter_map(|key| built_in.entries.remove_entry(*key)));
        }
    }
    Ok(document)
}

fn read(root: &Section<'_>) -> Config {
    let listen_section = root.table("listen");
    let listen = Listen::read(&listen_section);
    let control = Control::read(&root.table("control"), &listen_section);
    report_shared_addresses(&listen_section, &listen, &control);

    let access = Access::read(root);
    let key_groups =
        Names::new("key group", "[[key_group]]", access.key_groups.iter().map(|it| it.name.as_str()));
    let apps = App::read_all(root, &key_groups);
    report_open_to_all(root, &listen_section, &listen, &apps);

    let cache_policies = CachePolicy::read_all(root);
    let origin_request_policies = OriginRequestPolicy::read_all(root);
    let response_headers_policies = ResponseHeadersPolicy::read_all(root);
    let origins = Origin::read_all(root);
    let origin_groups = OriginGroup::read_all(root, &origins);
    let geo_database = root.table("geo").optional_path("database");
    let known = Known {
        geo: geo_database.is_some(),
        origins: &origins,
        origin_groups: &origin_groups,
        key_groups: &key_groups,
        cache_policies: &cache_policies,
        origin_request_policies: &Names::new(
            "origin request policy",
            "[[origin_request_policy]]",
            origin_request_policies.iter().map(|it| it.name.as_str()),
        ),
        response_headers_policies: &Names::new(
            "response headers policy",
            "[[response_headers_policy]]",
            response_headers_policies.iter().map(|it| it.name.as_str()),
        ),
        https: listen.https.is_some() || !listen.trusted_proxies.is_empty(),
    };
    let distributions = Distribution::read_all(root, &known);
    Config {
        state_dir: root.path("state_dir"),
        listen,
        apps,
        rtmp: Rtmp::read(&root.table("rtmp")),
        packaging: Packaging::read(&root.table("packaging")),
        access,
        cache: Cache::read(&root.table("cache")),
        cache_policies,
        origin_request_policies,
        response_headers_policies,
        origins,
        origin_groups,
        distributions,
        geo_database,
        control,
        observe: Observe::read(&root.table("observe")),
    }
}

fn report_shared_addresses(section: &Section<'_>, listen: &Listen, control: &Control) {
    let https = listen.https.as_ref().map(|it| it.address);
    let all = [("rtmp", listen.rtmp), ("http", listen.http), ("https", https), ("control", control.address)];
    for (at, (key, address)) in all.iter().enumerate() {
        // Port 0 asks for any free port, so two of them never meet.
        let Some(address) = address.filter(|it| it.port() != 0) else { continue };
        let meets = |it: &SocketAddr| {
            it.port() == address.port()
                && (it.ip() == address.ip() || it.ip().is_unspecified() || address.ip().is_unspecified())
        };
        if let Some((other, _)) = all[..at].iter().find(|(_, other)| other.as_ref().is_some_and(meets)) {
            section.report(
                key,
                format!("{address} meets the address of listen.{other}"),
                "give each its own port",
            );
        }
    }
}

/// The embedded default lets everyone publish who reaches the port, which is meant for this machine.
fn report_open_to_all(root: &Section<'_>, section: &Section<'_>, listen: &Listen, apps: &[App]) {
    let beyond = listen.rtmp.is_some_and(|it| !it.ip().to_canonical().is_loopback());
    let by_default = |(app, place): (&App, &Place)| app.publish == Publish::Open && *place == Place::BuiltIn;
    if beyond && apps.iter().zip(root.places("app", "publish")).any(by_default) {
        section.report(
            "rtmp",
            "everyone who reaches this address could publish, since no app says who may",
            "add [[app]] with name = \"live\" and publish = { keys_file = \"stream-keys.toml\" }, or publish = \"open\" to allow it",
        );
    }
}
