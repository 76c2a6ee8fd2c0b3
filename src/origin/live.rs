//! The broadcasts of this server as an origin whose answer may take a moment.
//!
//! A blocking playlist reload is a fetch that waits for its part; the cache makes one fetch of ten thousand equal
//! waits.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, RETRY_AFTER};
use packager::live::{Answer, NotAResource, Registry, Resource};
use packager::media::{AppName, BroadcastName};

use crate::passage::{Fetched, FetchedBody, Lifetime};

/// How long a name that nobody publishes under stays unknown: a player retries about once a second.
const UNKNOWN: Duration = Duration::from_millis(500);

/// Answers for `/{app}/{name}/…`.
#[derive(Clone)]
pub struct Live {
    registry: Registry,
}

impl Live {
    /// The broadcasts of `registry`.
    pub const fn new(registry: Registry) -> Self {
        Self { registry }
    }

    /// Answers a canonical path and query; waits as long as the resource asks for.
    pub async fn fetch(&self, path: &str, query: Option<&str>) -> Fetched {
        let Some((name, below)) = split(path) else { return missing(UNKNOWN) };
        let resource = match Resource::parse(below, query) {
            Ok(it) => it,
            Err(NotAResource::Unknown) => return missing(UNKNOWN),
            Err(bad @ NotAResource::BadDirective(_)) => {
                return plain(StatusCode::BAD_REQUEST, &bad.to_string());
            }
        };
        let Some(broadcast) = self.registry.find(&name) else { return missing(UNKNOWN) };
        match broadcast.answer(resource).await {
            Answer::Found { content_type, chunks, etag, lifetime } => {
                found(content_type, chunks, etag.as_deref(), lifetime)
            }
            Answer::NotFound { remember } => missing(remember),
            Answer::Bad(reason) => plain(StatusCode::BAD_REQUEST, reason),
            Answer::Unavailable => unavailable(),
        }
    }
}

/// `/live/match/v0/index.m3u8` → `live/match`, `v0/index.m3u8`.
fn split(path: &str) -> Option<(BroadcastName, &str)> {
    let (app, rest) = path.strip_prefix('/')?.split_once('/')?;
    let (name, below) = rest.split_once('/')?;
    let name = BroadcastName::new(AppName::new(app).ok()?, name).ok()?;
    Some((name, below))
}

fn found(
    content_type: &'static str,
    chunks: Vec<Bytes>,
    etag: Option<&str>,
    lifetime: packager::live::Lifetime,
) -> Fetched {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(etag) = etag.and_then(|it| HeaderValue::from_str(it).ok()) {
        headers.insert(ETAG, etag);
    }
    Fetched {
        status: StatusCode::OK,
        headers,
        length: Some(chunks.iter().map(|it| it.len() as u64).sum()),
        body: FetchedBody::Whole(chunks),
        lifetime: Some(match lifetime {
            packager::live::Lifetime::Immutable => Lifetime::Immutable,
            packager::live::Lifetime::Playlist(it) => Lifetime::For(it),
        }),
    }
}

fn missing(remember: Duration) -> Fetched {
    Fetched {
        lifetime: Some(Lifetime::For(remember)),
        ..plain(StatusCode::NOT_FOUND, "there is no such stream")
    }
}

/// It did not come in time, or never will here: another try may fare better, also with the server that comes next.
fn unavailable() -> Fetched {
    let mut fetched = plain(StatusCode::SERVICE_UNAVAILABLE, "it did not come in time");
    fetched.headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    fetched
}

/// An answer in a sentence, for those who wait now and for nobody later.
fn plain(status: StatusCode, sentence: &str) -> Fetched {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    let body = Bytes::from(format!("{sentence}\n"));
    Fetched {
        status,
        headers,
        length: Some(body.len() as u64),
        body: FetchedBody::Whole(vec![body]),
        lifetime: Some(Lifetime::For(Duration::ZERO)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_begins_with_the_name_of_its_broadcast() {
        let check = |path: &str, expected: Option<(&str, &str)>| {
            let found = split(path).map(|(name, below)| (name.to_string(), below.to_owned()));
            assert_eq!(found, expected.map(|(name, below)| (name.into(), below.into())), "{path}");
        };
        check("/live/match/v0/index.m3u8", Some(("live/match", "v0/index.m3u8")));
        check("/live/match/", Some(("live/match", "")));
        check("/live/match", None);
        check("/live/.hidden/index.m3u8", None);
        check("/live//index.m3u8", None);
    }
}
