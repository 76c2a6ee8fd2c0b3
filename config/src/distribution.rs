//! Host names and behaviors.

use std::collections::BTreeSet;

pub use crate::error_response::{CustomErrorResponse, ErrorPage};
pub use crate::methods::AllowedMethods;
pub use crate::origin_request::OriginRequestPolicy;
pub use crate::response::{AddedHeader, Cors, ResponseHeadersPolicy};

use crate::cache::{self, CachePolicy};
use crate::methods::{self, ALLOWED_METHODS, CACHED_METHODS, MAX_REQUEST_BODY};
use crate::names::{Names, by_id};
use crate::origin::{Origin, OriginGroup, OriginKind};
use crate::protect::{self, Protection};
use crate::section::Section;
use crate::setting::Default::{Absent, Required, Value};
use crate::setting::{Kind, Setting};
use crate::units::{ByteSize, PathPattern};
use crate::{error_response, origin_request, response};

/// A set of behaviors under host names.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// A name for logs and metrics; the first alias, or `default`.
    pub id: String,
    /// Host names, lower case, `*.example.com` allowed.
    pub aliases: Vec<String>,
    /// Whether it answers unknown hosts and bare addresses.
    pub default: bool,
    /// Whether it answers anybody: its hosts are its own all the same.
    pub enabled: bool,
    /// What is asked for by whoever asks for `/`: an object's name without a slash in front; empty: `/` itself.
    pub default_root_object: String,
    /// Who is refused whatever he asks for.
    pub protection: Protection,
    /// What viewers get in place of errors, one for each error.
    pub custom_error_responses: Vec<CustomErrorResponse>,
    /// In the order they are tried; the last is the default behavior, with the pattern `*`.
    pub behaviors: Vec<Behavior>,
}

/// What is done for the paths of one pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Behavior {
    /// `*` for the default behavior.
    pub path_pattern: PathPattern,
    /// The id of an origin or of an origin group, known.
    pub target_origin: String,
    /// Names of key groups, all known; empty: public.
    pub trusted_key_groups: Vec<String>,
    /// A cache policy's name, known.
    pub cache_policy: String,
    /// An origin request policy's name, known; none: only what is in the cache key goes to the origin.
    pub origin_request_policy: Option<String>,
    /// A response headers policy's name, known.
    pub response_headers_policy: String,
    /// Whether manifests carry the viewer's signature on (default: yes where key groups are trusted).
    pub rewrite_manifests: RewriteManifests,
    /// Whether http is allowed.
    pub viewer_protocol_policy: ViewerProtocolPolicy,
    /// Whether text is compressed for viewers who accept it.
    pub compress: bool,
    /// What is fetched where a range is asked for.
    pub range_fill: RangeFill,
    /// Which methods are answered.
    pub allowed_methods: AllowedMethods,
    /// Whether answers to OPTIONS are kept.
    pub caches_options: bool,
    /// Octets that a viewer may send with one request.
    pub max_request_body: ByteSize,
}

/// How manifests carry a viewer's signature on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RewriteManifests {
    /// Not at all.
    No,
    /// Appended to each URI.
    Append,
    /// By `EXT-X-DEFINE:QUERYPARAM` in HLS; appended in DASH.
    Define,
}

/// What is fetched of an answer that is not there, where a viewer may want a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeFill {
    /// Slices of films, sounds and archives, the whole of all else.
    Auto,
    /// Slices, as they are read.
    Slice,
    /// All of it.
    Whole,
    /// The range that is asked for, and later what lies between those that are there.
    Exact,
    /// The range as it was asked for; nothing of that is kept.
    Pass,
}

/// Whether http is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewerProtocolPolicy {
    /// Both.
    AllowAll,
    /// http is redirected (301 for GET and HEAD, 307 else).
    RedirectToHttps,
    /// http is 403.
    HttpsOnly,
}

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::new(
        "id",
        Kind::Name,
        Absent("the first alias, or `default`"),
        "Set it to keep the name in logs, metrics and cache keys when aliases change.",
    )
    .example("tv"),
    Setting::new(
        "aliases",
        Kind::Hosts,
        Value("", "a single distribution needs none"),
        "Set it to the host names it answers; `*.example.com` is every host below.",
    )
    .example("tv.example.com"),
    Setting::new(
        "default",
        Kind::Flag,
        Absent("true for the only distribution, else false"),
        "Set it on the one that answers unknown hosts and bare addresses.",
    )
    .example("true"),
    Setting::new(
        "enabled",
        Kind::Flag,
        Value("true", "who writes a distribution wants it"),
        "Set it to false to refuse every request for its hosts, and keep what was written.",
    )
    .example("false"),
    Setting::new(
        "default_root_object",
        Kind::Text,
        Value("", "`/` is asked for as it is"),
        "Set it to what whoever asks for `/` gets; directories below have no such thing.",
    )
    .example("index.html"),
    Setting::new(
        "addresses",
        Kind::Table(protect::ADDRESSES),
        Absent("every address may ask"),
        "Set it to refuse viewers by their address.",
    ),
    Setting::new(
        "geo_restriction",
        Kind::Table(protect::GEO_RESTRICTION),
        Absent("viewers of every country may ask"),
        "Set it to refuse viewers by their country; it needs geo.database.",
    ),
    Setting::new(
        "rate_rule",
        Kind::Tables(protect::RATE_RULE, &["name"]),
        Absent("clients may ask as much as they want"),
        "One for each limit on how much one client may ask; loopback and listen.trusted_clients have none.",
    ),
    Setting::new(
        "custom_error_response",
        Kind::Tables(error_response::SETTINGS, &["error_code"]),
        Absent("errors are sent as they are"),
        "One for each error that viewers get a page for, or that is kept longer or shorter than others.",
    ),
    Setting::new(
        "default_behavior",
        Kind::Table(BEHAVIOR),
        Required,
        "What is done for paths that no other behavior's pattern matches.",
    )
    .example("{ target_origin = \"films\" }"),
    Setting::new(
        "behavior",
        Kind::Tables(PATTERN_AND_BEHAVIOR, &[]),
        Absent("only the default behavior"),
        "One for each pattern; the first that matches wins.",
    ),
];

const PATTERN: Setting = Setting::new(
    "path_pattern",
    Kind::Pattern,
    Required,
    "`*` is any run of characters, slashes too, `?` is exactly one; case counts, a leading slash means nothing.",
)
.example("/live/*");

const TARGET_ORIGIN: Setting = Setting::new(
    "target_origin",
    Kind::Text,
    Required,
    "The id of the origin, or of the origin group, that answers.",
)
.example("films");

const TRUSTED_KEY_GROUPS: Setting = Setting::new(
    "trusted_key_groups",
    Kind::Texts,
    Value("", "public"),
    "Set it to the key groups whose signed URLs and cookies are demanded.",
)
.example("viewers");

const CACHE_POLICY: Setting = Setting::new(
    "cache_policy",
    Kind::Text,
    Absent("`Levada-Live` for a `live` origin, else `Levada-Media`"),
    "Set it to another built-in policy or one of your own.",
)
.example("Managed-CachingOptimized");

const ORIGIN_REQUEST_POLICY: Setting = Setting::new(
    "origin_request_policy",
    Kind::Text,
    Absent("only what is in the cache key goes to the origin"),
    "Set it to what a web server is told beside the cache key: a built-in policy, or one of your own.",
)
.example("Managed-AllViewerExceptHostHeader");

const RESPONSE_HEADERS_POLICY: Setting = Setting::new(
    "response_headers_policy",
    Kind::Text,
    Value(
        "Levada-Media",
        "players on any page may read the answers; without it a 403 looks like a CORS error to them",
    ),
    "Set it to another built-in policy or one of your own; cookies need one that names the player's origin.",
)
.example("Managed-SimpleCORS");

const REWRITE_MANIFESTS: Setting = Setting::new(
    "rewrite_manifests",
    Kind::Word(&["true", "false", "define"]),
    Absent("true where trusted_key_groups are set, else false"),
    "Set it to false where players carry the signature on themselves, to define for players that know EXT-X-DEFINE.",
)
.example("define");

const VIEWER_PROTOCOL_POLICY: Setting = Setting::new(
    "viewer_protocol_policy",
    Kind::Word(&["allow-all", "redirect-to-https", "https-only"]),
    Value("allow-all", "works before there is a certificate"),
    "Set it once viewers come by https.",
)
.example("https-only");

const COMPRESS: Setting = Setting::new(
    "compress",
    Kind::Flag,
    Value("true", "manifests shrink to a tenth; media is never compressed"),
    "Set it to false to spare the time it takes.",
)
.example("false");

const RANGE_FILL: Setting = Setting::new(
    "range_fill",
    Kind::Word(&["auto", "slice", "whole", "exact", "pass"]),
    Value("auto", "films, sounds and archives come in slices of 2 MiB as they are read, all else whole"),
    "Set it to slice where large files have other names, to whole for an origin that gives no ranges, to exact where \
     octets that nobody asked for are too dear: of what is kept only the gaps are fetched, or to pass where files are \
     rare and large: their ranges go on as they were asked for, and nothing of them is kept.",
)
.example("slice");

const BEHAVIOR: &[Setting] = &[
    TARGET_ORIGIN,
    TRUSTED_KEY_GROUPS,
    CACHE_POLICY,
    ORIGIN_REQUEST_POLICY,
    RESPONSE_HEADERS_POLICY,
    REWRITE_MANIFESTS,
    VIEWER_PROTOCOL_POLICY,
    COMPRESS,
    RANGE_FILL,
    ALLOWED_METHODS,
    CACHED_METHODS,
    MAX_REQUEST_BODY,
];

const PATTERN_AND_BEHAVIOR: &[Setting] = &[
    PATTERN,
    TARGET_ORIGIN,
    TRUSTED_KEY_GROUPS,
    CACHE_POLICY,
    ORIGIN_REQUEST_POLICY,
    RESPONSE_HEADERS_POLICY,
    REWRITE_MANIFESTS,
    VIEWER_PROTOCOL_POLICY,
    COMPRESS,
    RANGE_FILL,
    ALLOWED_METHODS,
    CACHED_METHODS,
    MAX_REQUEST_BODY,
];

/// What behaviors may name.
pub(crate) struct Known<'a> {
    pub(crate) origins: &'a [Origin],
    pub(crate) origin_groups: &'a [OriginGroup],
    pub(crate) key_groups: &'a Names<'a>,
    pub(crate) cache_policies: &'a [CachePolicy],
    pub(crate) origin_request_policies: &'a Names<'a>,
    pub(crate) response_headers_policies: &'a Names<'a>,
    /// Whether anybody's country can be known.
    pub(crate) geo: bool,
    /// Whether a request can come by https: there is a TLS listener, or a proxy that may say so.
    pub(crate) https: bool,
}

impl<'a> Known<'a> {
    /// The origins that answer for an id: one, or the members of a group.
    fn targets(&self, id: &'a str) -> impl Iterator<Item = &'a Origin> {
        let group = self.origin_groups.iter().find(|it| it.id == id);
        let ids = group.map_or([id, id], |it| [&it.members[0], &it.members[1]]);
        self.origins.iter().filter(move |it| ids.contains(&it.id.as_str()))
    }
}

impl Distribution {
    pub(crate) fn read_all(root: &Section<'_>, known: &Known<'_>) -> Vec<Self> {
        let sections = root.tables("distribution");
        let mut all: Vec<_> = sections.iter().map(|it| Self::read(it, known)).collect();
        report_shared_names(&sections, &all);
        if all.len() > MOST_DISTRIBUTIONS {
            let remedy = format!("write at most {MOST_DISTRIBUTIONS}, CloudFront's limit");
            root.report("distribution", format!("{} are there", all.len()), remedy);
        }

        let several = "exactly one distribution answers unknown hosts";
        match (all.as_mut_slice(), sections.as_slice()) {
            ([], _) => root.report("distribution", "there is no distribution", "add one as [[distribution]]"),
            ([only], [section]) => match section.optional_flag("default") {
                Some(false) => section.report("default", several, "write true, or leave it out"),
                _ => only.default = true,
            },
            (all, sections) => {
                let mut defaults = all.iter().zip(sections).filter(|(it, _)| it.default);
                if defaults.next().is_none() {
                    root.report("distribution", several, "write `default = true` in one of them");
                }
                for (_, section) in defaults {
                    section.report("default", several, "leave it out of all but one");
                }
            }
        }
        all
    }

    fn read(section: &Section<'_>, known: &Known<'_>) -> Self {
        let aliases = section.texts("aliases");
        let id = section
            .optional_text("id")
            .or_else(|| aliases.first().cloned())
            .unwrap_or_else(|| "default".into());
        let mut behaviors: Vec<_> = section
            .tables("behavior")
            .iter()
            .map(|it| Behavior::read(it, it.pattern("path_pattern"), known))
            .collect();
        if section.require("default_behavior") {
            behaviors.push(Behavior::read(&section.table("default_behavior"), None, known));
        }
        for (key, found, most) in
            [("behavior", behaviors.len(), MOST_BEHAVIORS), ("aliases", aliases.len(), MOST_ALIASES)]
        {
            if found > most {
                section.report(
                    key,
                    format!("{found} are there"),
                    format!("write at most {most}, CloudFront's limit, and others in another distribution"),
                );
            }
        }
        let default_root_object = section.text("default_root_object");
        let is_legal = |it: u8| it.is_ascii_alphanumeric() || b"_-.*$/~\"'&".contains(&it);
        if default_root_object.starts_with('/')
            || default_root_object.len() > 255
            || !default_root_object.bytes().all(is_legal)
        {
            section.report(
                "default_root_object",
                format!("{default_root_object:?} is no object's name"),
                "write a name such as \"index.html\", without a slash in front",
            );
        }
        Self {
            id,
            aliases,
            default: section.flag("default"),
            enabled: section.flag("enabled"),
            default_root_object,
            protection: Protection::read(section, known.geo),
            custom_error_responses: CustomErrorResponse::read_all(section),
            behaviors,
        }
    }
}

/// CloudFront's limits (cloudfront.md 2.8); the behaviors are tried one after the other.
const MOST_BEHAVIORS: usize = 75;
const MOST_ALIASES: usize = 100;
const MOST_DISTRIBUTIONS: usize = 500;

fn report_shared_names(sections: &[Section<'_>], all: &[Distribution]) {
    let (mut ids, mut aliases) = (BTreeSet::new(), BTreeSet::new());
    for (section, distribution) in sections.iter().zip(all) {
        let shared: Vec<_> = distribution.aliases.iter().filter(|it| !aliases.insert(it.as_str())).collect();
        for alias in &shared {
            section.report(
                "aliases",
                format!("{alias:?} is there twice"),
                "one distribution may own a host name",
            );
        }
        if !ids.insert(distribution.id.as_str()) && shared.is_empty() {
            section.report(
                "id",
                format!("{:?} is the id of another one", distribution.id),
                "give each its own",
            );
        }
        if all.len() > 1 && !distribution.default && distribution.aliases.is_empty() {
            section.report("aliases", "no request could come here", "write the host names it answers");
        }
    }
}

impl Behavior {
    fn read(section: &Section<'_>, path_pattern: Option<PathPattern>, known: &Known<'_>) -> Self {
        let target_origin = section.text("target_origin");
        if section.has("target_origin") {
            let ids = known.origins.iter().map(|it| it.id.as_str());
            let ids = ids.chain(known.origin_groups.iter().map(|it| it.id.as_str()));
            Names::new("origin", "[[origin]]", ids).check(section, "target_origin", &[&target_origin]);
        }

        let trusted_key_groups = section.texts("trusted_key_groups");
        known.key_groups.check(section, "trusted_key_groups", &trusted_key_groups);

        let live = known.targets(&target_origin).any(|it| matches!(it.kind, OriginKind::Live { .. }));
        let usual = if live { "Levada-Live" } else { "Levada-Media" };
        let cache_policy =
            by_id(cache::IDS, section.optional_text("cache_policy").unwrap_or_else(|| usual.to_owned()));
        let policies = Names::new(
            "cache policy",
            "[[cache_policy]]",
            known.cache_policies.iter().map(|it| it.name.as_str()),
        );
        policies.check(section, "cache_policy", &[&cache_policy]);
        if live && let Some(policy) = known.cache_policies.iter().find(|it| it.name == cache_policy) {
            report_live_without_query(section, policy);
        }

        let origin_request_policy =
            section.optional_text("origin_request_policy").map(|it| by_id(origin_request::IDS, it));
        known.origin_request_policies.check(
            section,
            "origin_request_policy",
            origin_request_policy.as_slice(),
        );
        let is_web = |it: &Origin| {
            matches!(it.kind, OriginKind::Http(_) | OriginKind::Bucket(_) | OriginKind::Parent(_))
        };
        let no_web =
            known.targets(&target_origin).next().is_some() && !known.targets(&target_origin).any(is_web);
        if origin_request_policy.is_some() && no_web {
            section.report("origin_request_policy", "the origin is no web server", "leave it out");
        }

        let response_headers_policy = by_id(response::IDS, section.text("response_headers_policy"));
        known.response_headers_policies.check(
            section,
            "response_headers_policy",
            &[&response_headers_policy],
        );

        let rewrite_manifests = match section.word("rewrite_manifests") {
            Some("define") => RewriteManifests::Define,
            Some("false") => RewriteManifests::No,
            None if trusted_key_groups.is_empty() => RewriteManifests::No,
            _ => RewriteManifests::Append,
        };
        let viewer_protocol_policy = match section.word("viewer_protocol_policy") {
            Some("redirect-to-https") => ViewerProtocolPolicy::RedirectToHttps,
            Some("https-only") => ViewerProtocolPolicy::HttpsOnly,
            _ => ViewerProtocolPolicy::AllowAll,
        };
        if viewer_protocol_policy != ViewerProtocolPolicy::AllowAll && !known.https {
            section.report(
                "viewer_protocol_policy",
                "no request can come by https",
                "add [listen.https], or the TLS proxy in front to listen.trusted_proxies",
            );
        }
        let (allowed_methods, caches_options) = methods::read(section);
        if allowed_methods != AllowedMethods::Read
            && known.targets(&target_origin).next().is_some_and(|it| !it.kind.takes_bodies())
        {
            section.report(
                "allowed_methods",
                "the origin is only read",
                "write GET and HEAD, or leave it out",
            );
        }
        Self {
            path_pattern: path_pattern.unwrap_or_else(PathPattern::everything),
            target_origin,
            trusted_key_groups,
            cache_policy,
            origin_request_policy,
            response_headers_policy,
            rewrite_manifests,
            viewer_protocol_policy,
            compress: section.flag("compress"),
            range_fill: match section.word("range_fill") {
                Some("slice") => RangeFill::Slice,
                Some("whole") => RangeFill::Whole,
                Some("exact") => RangeFill::Exact,
                Some("pass") => RangeFill::Pass,
                _ => RangeFill::Auto,
            },
            allowed_methods,
            caches_options,
            max_request_body: section.size("max_request_body"),
        }
    }
}

/// Without these names in its key the cache would answer a wait for the next part with the last playlist.
fn report_live_without_query(section: &Section<'_>, policy: &CachePolicy) {
    let missing: Vec<_> = CachePolicy::LIVE_QUERY.into_iter().filter(|it| !policy.query.has(it)).collect();
    if !missing.is_empty() {
        section.report(
            "cache_policy",
            format!("{:?} leaves {} out of the key of a live origin", policy.name, missing.join(", ")),
            "write \"Levada-Live\", or add them to its query_strings",
        );
    }
}
