//! The cache policies that nobody has to write: ours, and CloudFront's own (cloudfront.md 3.2).

use std::time::Duration;

use super::{CachePolicy, RequestDirectives, Selection};

/// What CloudFront's own are called in its API and in templates.
pub(crate) const IDS: &[(&str, &str)] = &[
    ("658327ea-f89d-4fab-a63d-7e88639e58f6", "Managed-CachingOptimized"),
    ("b2884449-e4de-46a7-ac36-70bc7f1ddd6d", "Managed-CachingOptimizedForUncompressedObjects"),
    ("4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "Managed-CachingDisabled"),
    ("08627262-05a9-4f76-9ded-b50ca2e3a84f", "Managed-Elemental-MediaPackage"),
    ("83da9c7e-98b4-4e11-a168-04f0df8e2c65", "Managed-UseOriginCacheControlHeaders"),
    ("4cc15a8a-d715-48a4-82b8-cc0b614638fe", "Managed-UseOriginCacheControlHeaders-QueryStrings"),
    ("2e54312d-136d-493c-8eb9-b001f22f67d2", "Managed-Amplify"),
];

const YEAR: u64 = 31_536_000;

pub(super) fn built_in() -> Vec<CachePolicy> {
    let of_the_origin = CachePolicy {
        headers: names(&["host", "origin", "x-http-method-override", "x-http-method", "x-method-override"]),
        cookies: Selection::All,
        ..plain("Managed-UseOriginCacheControlHeaders", [0, 0, YEAR])
    };
    vec![
        // Playlists say how long they live; what is not there yet may be there in a third of a second.
        CachePolicy {
            error_ttl: Duration::ZERO,
            query: Selection::Only(names(&CachePolicy::LIVE_QUERY)),
            ..plain("Levada-Live", [0, 0, YEAR])
        },
        // Names of VOD segments change with their bytes, so a day for what says nothing is safe.
        plain("Levada-Media", [0, 86_400, YEAR]),
        plain("Managed-CachingOptimized", [1, 86_400, YEAR]),
        CachePolicy {
            gzip: false,
            brotli: false,
            ..plain("Managed-CachingOptimizedForUncompressedObjects", [1, 86_400, YEAR])
        },
        CachePolicy {
            error_ttl: Duration::ZERO,
            gzip: false,
            brotli: false,
            ..plain("Managed-CachingDisabled", [0, 0, 0])
        },
        CachePolicy {
            query: Selection::Only(names(&["aws.manifestfilter", "start", "end", "m"])),
            headers: names(&["origin"]),
            brotli: false,
            ..plain("Managed-Elemental-MediaPackage", [0, 86_400, YEAR])
        },
        CachePolicy {
            name: "Managed-UseOriginCacheControlHeaders-QueryStrings".to_owned(),
            query: Selection::All,
            ..of_the_origin.clone()
        },
        of_the_origin,
        CachePolicy {
            query: Selection::All,
            headers: names(&["authorization", "cloudfront-viewer-country", "host"]),
            cookies: Selection::All,
            ..plain("Managed-Amplify", [2, 2, 600])
        },
    ]
}

/// One that keys on nothing and compresses; times are in seconds: least, default, most.
fn plain(name: &str, [least, usual, most]: [u64; 3]) -> CachePolicy {
    CachePolicy {
        name: name.to_owned(),
        min_ttl: Duration::from_secs(least),
        default_ttl: Duration::from_secs(usual),
        max_ttl: Duration::from_secs(most),
        error_ttl: Duration::from_secs(10),
        error_ttls: Vec::new(),
        query: Selection::None,
        headers: Vec::new(),
        cookies: Selection::None,
        deny_type_mismatch: name.starts_with("Levada-"),
        gzip: true,
        request_directives: RequestDirectives::Ignore,
        brotli: true,
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&it| it.to_owned()).collect()
}
