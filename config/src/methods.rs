//! Which methods a behavior answers, and which answers it keeps (cloudfront.md 2.3).

use crate::section::Section;
use crate::setting::Default::Value;
use crate::setting::{Kind, Setting, between};

/// Which methods a behavior answers: one of three sets, as in CloudFront.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowedMethods {
    /// GET and HEAD.
    Read,
    /// OPTIONS, too.
    ReadAndOptions,
    /// GET, HEAD, OPTIONS, PUT, POST, PATCH and DELETE.
    All,
}

impl AllowedMethods {
    /// The methods, as `Allow` lists them.
    pub const fn list(self) -> &'static str {
        match self {
            Self::Read => "GET, HEAD",
            Self::ReadAndOptions => "GET, HEAD, OPTIONS",
            Self::All => "GET, HEAD, OPTIONS, PUT, POST, PATCH, DELETE",
        }
    }

    /// Whether a method is one of them.
    pub fn has(self, method: &str) -> bool {
        self.list().split(", ").any(|it| it == method)
    }
}

pub(crate) const ALLOWED_METHODS: Setting = Setting::new(
    "allowed_methods",
    Kind::Texts,
    Value("GET,HEAD", "players only read"),
    "Set it to GET, HEAD and OPTIONS, or to those with PUT, POST, PATCH and DELETE, for a web server that takes them.",
)
.example("GET,HEAD,OPTIONS,PUT,POST,PATCH,DELETE");

pub(crate) const CACHED_METHODS: Setting = Setting::new(
    "cached_methods",
    Kind::Texts,
    Value("GET,HEAD", "what is answered to OPTIONS is seldom asked for twice"),
    "Set it to GET, HEAD and OPTIONS to keep what the web server answers to OPTIONS, too.",
)
.example("GET,HEAD,OPTIONS");

pub(crate) const MAX_REQUEST_BODY: Setting = Setting::new(
    "max_request_body",
    Kind::Size(between("0 B", "64 GiB", "CloudFront's limit is 64 GB")),
    Value("1 MiB", "forms and calls of an API are smaller"),
    "Set it to the largest that viewers may send in one request.",
)
.example("100 MiB");

/// Methods that are answered, and whether the answers to OPTIONS are kept.
pub(crate) fn read(section: &Section<'_>) -> (AllowedMethods, bool) {
    let allowed = set(section, "allowed_methods").unwrap_or(AllowedMethods::Read);
    let cached = match set(section, "cached_methods") {
        Some(AllowedMethods::All) => {
            section.report(
                "cached_methods",
                "a cache must not answer what is meant to change something",
                "write GET, HEAD and perhaps OPTIONS",
            );
            AllowedMethods::Read
        }
        it => it.unwrap_or(AllowedMethods::Read),
    };
    let keeps_options = cached == AllowedMethods::ReadAndOptions;
    if keeps_options && allowed == AllowedMethods::Read {
        section.report(
            "cached_methods",
            "OPTIONS is not answered",
            "add it to allowed_methods, or leave it out",
        );
    }
    (allowed, keeps_options)
}

fn set(section: &Section<'_>, key: &str) -> Option<AllowedMethods> {
    let mut written = section.texts(key);
    written.sort_unstable();
    let is = |it: &&AllowedMethods| {
        let mut methods: Vec<_> = it.list().split(", ").collect();
        methods.sort_unstable();
        methods == written
    };
    let found =
        [AllowedMethods::Read, AllowedMethods::ReadAndOptions, AllowedMethods::All].iter().find(is).copied();
    if found.is_none() {
        section.report(
            key,
            "this is none of CloudFront's sets of methods",
            "write GET and HEAD, or those and OPTIONS, or all of GET, HEAD, OPTIONS, PUT, POST, PATCH and DELETE",
        );
    }
    found
}
