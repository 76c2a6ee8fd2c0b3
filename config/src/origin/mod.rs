//! Where answers come from.

mod bucket;
mod encryption;
mod group;
mod parent;
mod web;

use std::path::PathBuf;

use crate::names::{Names, unique};
use crate::section::Section;
use crate::setting::Default::{Absent, Required};
use crate::setting::{Kind, Setting, Stands};

pub use self::bucket::{BucketOrigin, Credentials, Signing};
pub use self::encryption::{Encryption, EncryptionMethod, KeySource, LicenseSystem};
pub(crate) use self::group::GROUP;
pub use self::group::OriginGroup;
pub use self::parent::ParentOrigin;
pub use self::web::{HttpOrigin, OriginProtocolPolicy};

/// An origin by id.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// What behaviors name.
    pub id: String,
    /// What it is.
    pub kind: OriginKind,
}

/// What an origin is.
#[derive(Clone, Debug, PartialEq)]
pub enum OriginKind {
    /// The broadcasts of this server.
    Live {
        /// Dropped from the front of the path; none when empty.
        strip_prefix: String,
    },
    /// Files, packaged at request time.
    Vod {
        /// Where they are.
        files: Files,
        /// Dropped from the front of the path. None: the behavior's literal prefix up to its first wildcard.
        strip_prefix: Option<String>,
        /// How titles are encrypted; none: they are not.
        encryption: Option<Box<Encryption>>,
    },
    /// Files below a directory, as they are.
    Directory {
        /// The directory, absolute.
        root: PathBuf,
        /// Dropped from the front of the path. None: the behavior's literal prefix up to its first wildcard.
        strip_prefix: Option<String>,
    },
    /// A web server.
    Http(Box<HttpOrigin>),
    /// A bucket of an object store.
    Bucket(Box<BucketOrigin>),
    /// Other Levadas.
    Parent(ParentOrigin),
}

/// Where the files of stored titles are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Files {
    /// Below this directory, which is absolute.
    Directory(PathBuf),
    /// At the web server or in the bucket that is the origin of this id.
    Origin(String),
}

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::new("id", Kind::Name, Required, "What behaviors name in target_origin.").example("films"),
    Setting::new(
        "kind",
        Kind::Word(&["live", "vod", "directory", "http", "bucket", "parent"]),
        Required,
        "`live` are the broadcasts of this server, `vod` are files, packaged when they are asked for, `directory` are files as \
         they are, `http` is a web server, `bucket` is one of S3 and its like, `parent` are other Levadas.",
    )
    .example("vod"),
    Setting::new(
        "root",
        Kind::Path(Stands::Directory),
        Absent("needed for `directory`, and for `vod` without `source`; meaningless for others"),
        "The directory of the files.",
    )
    .example("media"),
    Setting::new(
        "source",
        Kind::Name,
        Absent("the files are below `root`"),
        "Set it, in place of root, to the id of an http or bucket origin where the files are: of each only what is needed is \
         read, by ranges.",
    )
    .example("bucket"),
    Setting::new(
        "strip_prefix",
        Kind::Text,
        Absent("for `vod` and `directory` the behavior's pattern up to its first wildcard, for `live` nothing"),
        "Set it when viewers' paths begin with something that the files' paths, or the broadcasts' names, do not.",
    )
    .example("/library"),
    encryption::ENCRYPTION,
    web::DOMAIN_NAME,
    web::ORIGIN_PATH,
    web::PROTOCOL_POLICY,
    web::HTTP_PORT,
    web::HTTPS_PORT,
    web::CA_FILE,
    web::CUSTOM_HEADERS,
    web::ATTEMPTS,
    web::CONNECTION_TIMEOUT,
    web::READ_TIMEOUT,
    web::COMPLETION_TIMEOUT,
    web::KEEPALIVE_TIMEOUT,
    bucket::URL,
    bucket::ENDPOINT,
    bucket::REGION,
    bucket::PATH_STYLE,
    bucket::CREDENTIALS,
    parent::PARENTS,
    parent::FALLBACK,
];

/// The options that each kind has beside `id` and `kind`.
const KINDS: [(&str, &[&[&str]]); 6] = [
    ("live", &[&["strip_prefix"]]),
    ("vod", &[&["root", "source", "strip_prefix", "encryption"]]),
    ("directory", &[&["root", "strip_prefix"]]),
    ("http", &[&web::PLACE, &web::MANNER, &[web::ATTEMPTS.key]]),
    ("bucket", &[&bucket::KEYS, &web::MANNER, &[web::ATTEMPTS.key]]),
    ("parent", &[&parent::KEYS, &web::MANNER]),
];

impl Origin {
    pub(crate) fn read_all(root: &Section<'_>) -> Vec<Self> {
        let sections = root.tables("origin");
        unique(&sections, "id");
        let origins: Vec<_> = sections.iter().map(Self::read).collect();
        ParentOrigin::report_fallbacks(&sections, &origins);
        Self::report_sources(&sections, &origins);
        origins
    }

    /// Reports sources that have no files.
    fn report_sources(sections: &[Section<'_>], origins: &[Self]) {
        let has_files = |it: &&Self| matches!(it.kind, OriginKind::Http(_) | OriginKind::Bucket(_));
        let ids = origins.iter().filter(has_files).map(|it| it.id.as_str());
        let ids = Names::new("http or bucket origin", "[[origin]]", ids);
        for (section, origin) in sections.iter().zip(origins) {
            if let OriginKind::Vod { files: Files::Origin(source), .. } = &origin.kind {
                ids.check(section, "source", std::slice::from_ref(source));
            }
        }
    }

    fn read(section: &Section<'_>) -> Self {
        Self { id: section.text("id"), kind: OriginKind::read(section) }
    }
}

impl OriginKind {
    /// Whether requests that bring a body mean something to it: any to a web server, those for licenses to titles.
    pub(crate) fn takes_bodies(&self) -> bool {
        match self {
            Self::Http(_) => true,
            Self::Vod { encryption: Some(it), .. } => it.gives_licenses(),
            _ => false,
        }
    }

    fn read(section: &Section<'_>) -> Self {
        let strip_prefix = section.optional_text("strip_prefix");
        if strip_prefix.as_ref().is_some_and(|it| !it.is_empty() && !it.starts_with('/')) {
            section.report("strip_prefix", "paths begin with a slash", "write it in front");
        }
        let kind = section.word("kind").unwrap_or("live");
        report_foreign(section, kind);
        match kind {
            "http" => Self::Http(Box::new(HttpOrigin::read(section))),
            "bucket" => Self::Bucket(Box::new(BucketOrigin::read(section))),
            "parent" => Self::Parent(ParentOrigin::read(section)),
            "vod" => {
                let source = section.optional_text("source");
                if source.is_none() {
                    section.require("root");
                } else if section.has("root") {
                    section.report("source", "the files are in one place", "leave out root, or source");
                }
                let files = source.map_or_else(|| Files::Directory(section.path("root")), Files::Origin);
                let encryption = Encryption::read(section).map(Box::new);
                Self::Vod { files, strip_prefix, encryption }
            }
            "directory" => {
                section.require("root");
                Self::Directory { root: section.path("root"), strip_prefix }
            }
            _ => Self::Live { strip_prefix: strip_prefix.unwrap_or_default() },
        }
    }
}

/// Options that mean nothing for this kind of origin.
fn report_foreign(section: &Section<'_>, kind: &str) {
    let has = |options: &[&[&str]], key: &str| options.iter().any(|it| it.contains(&key));
    let own = KINDS.iter().find(|(it, _)| *it == kind).map_or(&[][..], |(_, own)| own);
    let others = SETTINGS.iter().map(|it| it.key).filter(|it| !matches!(*it, "id" | "kind") && !has(own, it));
    for key in others.filter(|it| section.has(it)) {
        let kinds: Vec<_> =
            KINDS.iter().filter(|(_, own)| has(own, key)).map(|(it, _)| format!("`kind = {it:?}`")).collect();
        section.report(
            key,
            format!("it means nothing for `kind = {kind:?}`"),
            format!("leave it out, or write {}", kinds.join(" or ")),
        );
    }
}
