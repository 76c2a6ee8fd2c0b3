//! Keys for those who may have them: access was checked before anybody comes here.

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use packager::protect::KeyId;
use packager::vod::{Asset, Resource};
use serde::{Deserialize, Serialize};

use super::shelf::{Failed, Refused};
use crate::body::read_within;
use crate::passage::{Fetched, FetchedBody, Lifetime, Upload};

/// Octets of a license request: the names of a thousand keys.
const MAX_REQUEST: usize = 32 * 1024;

/// A license request in the clear (Encrypted Media Extensions 9.1.3).
#[derive(Deserialize)]
struct Request {
    kids: Vec<String>,
    #[serde(default = "temporary", rename = "type")]
    kind: String,
}

fn temporary() -> String {
    "temporary".into()
}

/// A license: a set of JSON Web Keys (9.1.4).
#[derive(Serialize)]
struct License {
    keys: Vec<Key>,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Serialize)]
struct Key {
    kty: &'static str,
    kid: String,
    k: String,
}

/// Licenses are asked for by POST, everything else by GET.
pub(super) fn check_method(resource: Resource, method: &Method) -> Result<(), Refused> {
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    if (resource == Resource::License && *method == Method::POST)
        || (resource != Resource::License && is_read)
    {
        return Ok(());
    }
    let sentence = match resource {
        Resource::License => "send a license request by POST: {\"kids\":[\"…\"],\"type\":\"temporary\"}",
        _ => "titles are read, by GET and HEAD",
    };
    Err(Refused { status: StatusCode::METHOD_NOT_ALLOWED, sentence: sentence.into() })
}

/// The keys that a license request names, as far as the title has them.
pub(super) async fn answer(asset: &Asset, upload: Upload) -> Result<Fetched, Failed> {
    let refused = |sentence: String| Refused { status: StatusCode::BAD_REQUEST, sentence };
    let body = read_within(upload, MAX_REQUEST).await;
    let body = body.map_err(|it| refused(format!("the license request cannot be read: {it}")))?;
    let request: Request = serde_json::from_slice(&body).map_err(|it| {
        refused(format!("this is no license request: {it}; send {{\"kids\":[\"…\"],\"type\":\"temporary\"}}"))
    })?;
    let id = |text: &String| {
        let octets = URL_SAFE_NO_PAD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()?;
        octets.try_into().ok().map(KeyId)
    };
    let ids: Option<Vec<KeyId>> = request.kids.iter().map(id).collect();
    let ids = ids.ok_or_else(|| refused("a kid is 16 octets in base64url".into()))?;
    let keys = asset.license(&ids);
    if keys.is_empty() {
        return Err(Refused {
            status: StatusCode::NOT_FOUND,
            sentence: "the title has none of these keys".into(),
        }
        .into());
    }
    let key = |(id, key): (KeyId, [u8; 16])| Key {
        kty: "oct",
        kid: URL_SAFE_NO_PAD.encode(id.0),
        k: URL_SAFE_NO_PAD.encode(key),
    };
    let license = License { keys: keys.into_iter().map(key).collect(), kind: request.kind };
    let text = serde_json::to_vec(&license).expect("texts are always JSON");
    Ok(secret("application/json", text.into()))
}

/// An answer with keys in it, which no cache may keep.
pub(super) fn secret(content_type: &'static str, body: Bytes) -> Fetched {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    Fetched {
        status: StatusCode::OK,
        headers,
        length: Some(body.len() as u64),
        body: FetchedBody::Whole(vec![body]),
        lifetime: Some(Lifetime::Uncacheable),
    }
}

/// What a refused method is told beside.
pub(super) fn allowed(status: StatusCode, path: &str) -> Option<(http::HeaderName, HeaderValue)> {
    let methods = if path.ends_with("/license") { "POST" } else { "GET, HEAD" };
    (status == StatusCode::METHOD_NOT_ALLOWED).then(|| (ALLOW, HeaderValue::from_static(methods)))
}
