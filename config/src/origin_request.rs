//! What goes on to a web server beside what is in the cache key (cloudfront.md 3.3).

use crate::cache::{Selection, is_field_name, report_names};
use crate::names::{report_built_in, unique};
use crate::section::Section;
use crate::setting::Default::{Required, Value};
use crate::setting::{Kind, Setting};

/// What goes on to a web server beside what is in the cache key.
#[derive(Clone, Debug, PartialEq)]
pub struct OriginRequestPolicy {
    /// What behaviors name, such as `Managed-AllViewer`.
    pub name: String,
    /// Which of the viewer's header fields, lower case; only written names can be of those that are made here.
    pub headers: Selection,
    /// Fields made here that go on beside all of the viewer's, lower case.
    pub cloudfront_headers: Vec<String>,
    /// Which cookies.
    pub cookies: Selection,
    /// Which query parameters.
    pub query: Selection,
}

/// What CloudFront's own are called in its API and in templates.
pub(crate) const IDS: &[(&str, &str)] = &[
    ("216adef6-5c7f-47e4-b989-5492eafa07d3", "Managed-AllViewer"),
    ("b689b0a8-53d0-40ab-baf2-68738e2966ac", "Managed-AllViewerExceptHostHeader"),
    ("33f36d7e-f396-46d9-90e0-52428a34d9dc", "Managed-AllViewerAndCloudFrontHeaders-2022-06"),
    ("59781a5b-3903-41f3-afcb-af62929ccde1", "Managed-CORS-CustomOrigin"),
    ("88a5eaf4-2fd4-4709-b370-b4c650ea3fcf", "Managed-CORS-S3Origin"),
    ("775133bc-15f2-49f9-abea-afb2e0bf67d2", "Managed-Elemental-MediaTailor-PersonalizedManifests"),
    ("bf0718e1-ba1e-49d1-88b1-f726733018ae", "Managed-HostHeaderOnly"),
    ("acba4595-bd28-49b8-b9fe-13317c0390fa", "Managed-UserAgentRefererHeaders"),
];

/// The fields that CloudFront could make in June 2022, as far as they are made here.
const OF_JUNE_2022: [&str; 11] = [
    "cloudfront-forwarded-proto",
    "cloudfront-is-android-viewer",
    "cloudfront-is-desktop-viewer",
    "cloudfront-is-ios-viewer",
    "cloudfront-is-mobile-viewer",
    "cloudfront-is-smarttv-viewer",
    "cloudfront-is-tablet-viewer",
    "cloudfront-viewer-address",
    "cloudfront-viewer-country",
    "cloudfront-viewer-header-count",
    "cloudfront-viewer-http-version",
];

pub(crate) const POLICY: &[Setting] = &[
    Setting::new("name", Kind::Name, Required, "What behaviors name in origin_request_policy.").example("Api"),
    Setting::new(
        "headers",
        Kind::Selection,
        Value("none", "what is not in the key must not change an answer that others get"),
        "Set it to the request headers that the web server reads; names such as CloudFront-Viewer-Country are made here.",
    )
    .example("User-Agent"),
    Setting::new(
        "cloudfront_headers",
        Kind::Texts,
        Value("", "only what the viewer sent"),
        "Set it to headers made here that go on beside `headers = \"all\"`.",
    )
    .example("CloudFront-Viewer-Country"),
    Setting::new(
        "cookies",
        Kind::Selection,
        Value("none", "cookies are one viewer's, answers are everyone's"),
        "Set it to the cookies that the web server reads.",
    )
    .example("session"),
    Setting::new(
        "query_strings",
        Kind::Selection,
        Value("none", "what is not in the key must not change an answer that others get"),
        "Set it to the parameters that the web server reads.",
    )
    .example("utm_source"),
];

impl OriginRequestPolicy {
    /// The built-in ones and those of the file, whose names must be others.
    pub(crate) fn read_all(root: &Section<'_>) -> Vec<Self> {
        let sections = root.tables("origin_request_policy");
        unique(&sections, "name");
        let mut policies = built_in();
        for section in &sections {
            report_built_in(section, IDS, built_in().iter().map(|it| it.name.as_str()));
            policies.push(Self::read(section));
        }
        policies
    }

    fn read(section: &Section<'_>) -> Self {
        let headers = section.selection("headers").lower_case();
        report_names(section, "headers", headers.names(), is_field_name);
        if headers.names().iter().any(|it| it == "cookie") {
            section.report("headers", "cookies are chosen one by one", "write them in `cookies`");
        }
        let cloudfront_headers: Vec<_> =
            section.texts("cloudfront_headers").iter().map(|it| it.to_ascii_lowercase()).collect();
        for name in cloudfront_headers.iter().filter(|it| !it.starts_with("cloudfront-")) {
            let remedy = "write a name such as \"CloudFront-Viewer-Country\", and others in `headers`";
            section.report("cloudfront_headers", format!("{name:?} is not made here"), remedy);
        }
        let cookies = section.selection("cookies");
        report_names(section, "cookies", cookies.names(), is_field_name);
        let query = section.selection("query_strings");
        report_names(section, "query_strings", query.names(), |it| !it.is_empty());
        Self { name: section.text("name"), headers, cloudfront_headers, cookies, query }
    }
}

fn built_in() -> Vec<OriginRequestPolicy> {
    let names = |names: &[&str]| names.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
    let everything = |name: &str, headers| OriginRequestPolicy {
        name: name.to_owned(),
        headers,
        cloudfront_headers: Vec::new(),
        cookies: Selection::All,
        query: Selection::All,
    };
    let only = |name: &str, headers: &[&str]| OriginRequestPolicy {
        name: name.to_owned(),
        headers: Selection::Only(names(headers)),
        cloudfront_headers: Vec::new(),
        cookies: Selection::None,
        query: Selection::None,
    };
    let cors = ["origin", "access-control-request-headers", "access-control-request-method"];
    vec![
        everything("Managed-AllViewer", Selection::All),
        everything("Managed-AllViewerExceptHostHeader", Selection::AllExcept(names(&["host"]))),
        OriginRequestPolicy {
            cloudfront_headers: names(&OF_JUNE_2022),
            ..everything("Managed-AllViewerAndCloudFrontHeaders-2022-06", Selection::All)
        },
        only("Managed-CORS-CustomOrigin", &cors[..1]),
        only("Managed-CORS-S3Origin", &cors),
        OriginRequestPolicy {
            query: Selection::All,
            ..only(
                "Managed-Elemental-MediaTailor-PersonalizedManifests",
                &[&cors[..], &["user-agent", "x-forwarded-for"]].concat(),
            )
        },
        only("Managed-HostHeaderOnly", &["host"]),
        only("Managed-UserAgentRefererHeaders", &["user-agent", "referer"]),
    ]
}
