//! The response headers policies that nobody has to write: ours, and CloudFront's own (cloudfront.md 3.15).

use super::cors::CORS;
use super::{AddedHeader, Cors, ResponseHeadersPolicy};
use crate::setting::Default::Value;

/// What CloudFront's own are called in its API and in templates.
pub(crate) const IDS: &[(&str, &str)] = &[
    ("60669652-455b-4ae9-85a4-c4c02393f86c", "Managed-SimpleCORS"),
    ("5cc3b908-e619-4b99-88e5-2cf7f45965bd", "Managed-CORS-With-Preflight"),
    ("67f7725c-6f97-4210-82d7-5512b31e9d03", "Managed-SecurityHeadersPolicy"),
    ("e61eb60c-9c35-4d20-a928-2b84e02af89c", "Managed-CORS-and-SecurityHeadersPolicy"),
    ("eaab4381-ed33-4a86-88ca-d9558dc6cd63", "Managed-CORS-with-preflight-and-SecurityHeadersPolicy"),
];

pub(super) fn built_in() -> Vec<ResponseHeadersPolicy> {
    let names = |names: &[&str]| names.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
    let any = |methods: &[&str], expose: Vec<String>| Cors {
        allow_origins: names(&["*"]),
        allow_methods: names(methods),
        allow_headers: names(&["*"]),
        expose_headers: expose,
        allow_credentials: false,
        max_age: 600,
        origin_override: false,
    };
    let simple = any(&["GET", "HEAD"], Vec::new());
    let preflight = any(&["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"], names(&["*"]));
    let media = Cors {
        max_age: 7_200,
        origin_override: true,
        ..any(&["GET", "HEAD", "OPTIONS"], default_texts("expose_headers"))
    };
    let policy = |name: &str, cors, headers| ResponseHeadersPolicy {
        name: name.to_owned(),
        cors,
        headers,
        ..ResponseHeadersPolicy::default()
    };
    vec![
        // Resource timing is how players on other origins measure bandwidth.
        policy("Levada-Media", Some(media), vec![AddedHeader::new("Timing-Allow-Origin", "*")]),
        policy("Managed-SimpleCORS", Some(simple.clone()), Vec::new()),
        policy("Managed-CORS-With-Preflight", Some(preflight.clone()), Vec::new()),
        policy("Managed-SecurityHeadersPolicy", None, security()),
        policy("Managed-CORS-and-SecurityHeadersPolicy", Some(simple), security()),
        policy("Managed-CORS-with-preflight-and-SecurityHeadersPolicy", Some(preflight), security()),
    ]
}

fn security() -> Vec<AddedHeader> {
    let unless_said = |name, value| AddedHeader { overrides: false, ..AddedHeader::new(name, value) };
    vec![
        unless_said("Referrer-Policy", "strict-origin-when-cross-origin"),
        AddedHeader { https_only: true, ..unless_said("Strict-Transport-Security", "max-age=31536000") },
        AddedHeader::new("X-Content-Type-Options", "nosniff"),
        unless_said("X-Frame-Options", "SAMEORIGIN"),
        unless_said("X-XSS-Protection", "1; mode=block"),
    ]
}

/// The default of a list of texts, so that it stands in one place.
fn default_texts(key: &str) -> Vec<String> {
    let setting = CORS.iter().find(|it| it.key == key);
    match setting.map(|it| &it.default) {
        Some(Value(text, _)) => text.split(',').map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
