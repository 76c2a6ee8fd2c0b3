//! Where answers come from.

mod web;

use std::path::PathBuf;

use crate::names::unique;
use crate::section::Section;
use crate::setting::Default::{Absent, Required};
use crate::setting::{Kind, Setting, Stands};

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
    /// Files below a directory, packaged at request time.
    Vod {
        /// The directory, absolute.
        root: PathBuf,
        /// Dropped from the front of the path. None: the behavior's literal prefix up to its first wildcard.
        strip_prefix: Option<String>,
    },
    /// A web server.
    Http(Box<HttpOrigin>),
}

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::new("id", Kind::Name, Required, "What behaviors name in target_origin.").example("films"),
    Setting::new(
        "kind",
        Kind::Word(&["live", "vod", "http"]),
        Required,
        "`live` are the broadcasts of this server, `vod` are files, packaged when they are asked for, `http` is a web server.",
    )
    .example("vod"),
    Setting::new(
        "root",
        Kind::Path(Stands::Directory),
        Absent("needed for `vod`, meaningless for others"),
        "The directory of the files.",
    )
    .example("media"),
    Setting::new(
        "strip_prefix",
        Kind::Text,
        Absent("for `vod` the behavior's pattern up to its first wildcard, for `live` nothing"),
        "Set it when viewers' paths begin with something that the files' paths, or the broadcasts' names, do not.",
    )
    .example("/library"),
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
    web::KEEPALIVE_TIMEOUT,
];

impl Origin {
    pub(crate) fn read_all(root: &Section<'_>) -> Vec<Self> {
        let sections = root.tables("origin");
        unique(&sections, "id");
        sections.iter().map(Self::read).collect()
    }

    fn read(section: &Section<'_>) -> Self {
        Self { id: section.text("id"), kind: OriginKind::read(section) }
    }
}

impl OriginKind {
    fn read(section: &Section<'_>) -> Self {
        let strip_prefix = section.optional_text("strip_prefix");
        if strip_prefix.as_ref().is_some_and(|it| !it.is_empty() && !it.starts_with('/')) {
            section.report("strip_prefix", "paths begin with a slash", "write it in front");
        }
        let kind = section.word("kind");
        if kind == Some("http") {
            report_foreign(
                section,
                &["root", "strip_prefix"],
                "a web server has paths of its own",
                "leave it out",
            );
            return Self::Http(Box::new(HttpOrigin::read(section)));
        }
        report_foreign(
            section,
            &web::KEYS,
            "it is for web servers",
            "leave it out, or write `kind = \"http\"`",
        );
        if kind == Some("vod") {
            section.require("root");
            return Self::Vod { root: section.path("root"), strip_prefix };
        }
        if kind == Some("live") {
            report_foreign(
                section,
                &["root"],
                "broadcasts have no directory",
                "leave it out, or write `kind = \"vod\"`",
            );
        }
        Self::Live { strip_prefix: strip_prefix.unwrap_or_default() }
    }
}

/// Options that mean nothing for this kind of origin.
fn report_foreign(section: &Section<'_>, keys: &[&str], wrong: &str, remedy: &str) {
    for key in keys.iter().filter(|it| section.has(it)) {
        section.report(key, wrong, remedy);
    }
}
