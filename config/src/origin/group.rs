//! Two origins for one content, in CloudFront's words (cloudfront.md 2.6).

use super::Origin;
use crate::names::{Names, unique};
use crate::section::Section;
use crate::setting::Default::{Required, Value};
use crate::setting::{Kind, Setting};

/// Two origins, of which the second is asked when the first fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginGroup {
    /// What behaviors name.
    pub id: String,
    /// The primary and the secondary: ids of origins, known, and two.
    pub members: [String; 2],
    /// The statuses of the primary that are failures.
    pub status_codes: Vec<u16>,
}

/// What CloudFront lets be a failure.
const STATUSES: &[u16] = &[400, 403, 404, 416, 429, 500, 502, 503, 504];

pub(crate) const GROUP: &[Setting] = &[
    Setting::new("id", Kind::Name, Required, "What behaviors name in target_origin, as they name an origin.")
        .example("films-somewhere"),
    Setting::new(
        "members",
        Kind::Texts,
        Required,
        "The ids of two origins: every request tries the first; what it does not answer, or answers with a failure, the \
         second answers.",
    )
    .example("films, web"),
    Setting::new(
        "failover_status_codes",
        Kind::Statuses(STATUSES),
        Value("500, 502, 503, 504", "what a server says that fails"),
        "Set it to what the first origin says where the second may know better, such as 404 while files are copied.",
    )
    .example("404, 503"),
];

impl OriginGroup {
    pub(crate) fn read_all(root: &Section<'_>, origins: &[Origin]) -> Vec<Self> {
        let sections = root.tables("origin_group");
        unique(&sections, "id");
        let ids = Names::new("origin", "[[origin]]", origins.iter().map(|it| it.id.as_str()));
        sections.iter().map(|it| Self::read(it, &ids, origins)).collect()
    }

    fn read(section: &Section<'_>, ids: &Names<'_>, origins: &[Origin]) -> Self {
        let id = section.text("id");
        if origins.iter().any(|it| it.id == id) {
            section.report("id", format!("{id:?} is the id of an origin"), "give each its own");
        }
        let members = section.texts("members");
        ids.check(section, "members", &members);
        let members = <[String; 2]>::try_from(members).unwrap_or_default();
        if section.has("members") && members[0] == members[1] {
            section.report("members", "a group has two members", "write the ids of two origins");
        }
        Self { id, members, status_codes: section.statuses("failover_status_codes") }
    }
}
