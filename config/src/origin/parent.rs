//! Other Levadas as origins: a tier of caches before the origin (cloudfront.md 9).

use super::bucket::Endpoint;
use super::{HttpOrigin, Origin, OriginKind, OriginProtocolPolicy};
use crate::names::Names;
use crate::section::Section;
use crate::setting::Default::Absent;
use crate::setting::{Kind, Setting};

/// Other Levadas, asked for what viewers ask of this one.
#[derive(Clone, Debug, PartialEq)]
pub struct ParentOrigin {
    /// Where they are.
    pub parents: Vec<HttpOrigin>,
    /// The origin that is asked when none of them answers, and for what no cache may keep: its id, known.
    pub fallback: Option<String>,
}

/// The options of its own.
pub(super) const KEYS: [&str; 2] = ["parents", "fallback"];

/// Rendezvous hashing looks at each of them for each fetch.
const MOST: usize = 64;

pub(super) const PARENTS: Setting = Setting::new(
    "parents",
    Kind::Texts,
    Absent("needed for `parent`, meaningless for others"),
    "The URLs of other Levadas, without paths; each path has one that is asked first. They are asked under the first alias \
     of the distribution that has no `*`, and are to list this server in listen.trusted_proxies and \
     listen.trusted_clients. Behaviors for broadcasts behind them want cache_policy = \"Levada-Live\".",
)
.example("http://10.0.0.5:8080, http://10.0.0.6:8080");

pub(super) const FALLBACK: Setting = Setting::new(
    "fallback",
    Kind::Text,
    Absent("none: viewers get an error"),
    "Set it to the id of the origin that is asked when no parent answers, and for what no cache may keep.",
)
.example("films");

impl ParentOrigin {
    pub(super) fn read(section: &Section<'_>) -> Self {
        section.require("parents");
        let urls = section.texts("parents");
        if section.has("parents") && !(1..=MOST).contains(&urls.len()) {
            section.report("parents", format!("there are {}", urls.len()), format!("write one to {MOST}"));
        }
        let rest = HttpOrigin::read_rest(section);
        let parent = |url: &String| match Endpoint::parse(url) {
            Some(Endpoint { host, port, secure }) => HttpOrigin {
                domain_name: host,
                protocol_policy: if secure {
                    OriginProtocolPolicy::HttpsOnly
                } else {
                    OriginProtocolPolicy::HttpOnly
                },
                http_port: port,
                https_port: port,
                // The next parent is a better second attempt.
                connection_attempts: 1,
                ..rest.clone()
            },
            None => {
                section.report(
                    "parents",
                    format!("{url:?} is no parent"),
                    "write \"http://host:port\" or \"https://host\", without a path",
                );
                rest.clone()
            }
        };
        Self { parents: urls.iter().map(parent).collect(), fallback: section.optional_text("fallback") }
    }

    /// Reports fallbacks that are no origin that answers by itself.
    pub(super) fn report_fallbacks(sections: &[Section<'_>], origins: &[Origin]) {
        let answers = |it: &&Origin| !matches!(it.kind, OriginKind::Parent(_));
        let ids = origins.iter().filter(answers).map(|it| it.id.as_str());
        let ids = Names::new("origin that is no parent", "[[origin]]", ids);
        for (section, origin) in sections.iter().zip(origins) {
            if let OriginKind::Parent(parent) = &origin.kind {
                ids.check(section, "fallback", parent.fallback.as_slice());
            }
        }
    }
}
