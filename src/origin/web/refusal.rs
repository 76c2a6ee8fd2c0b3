//! What viewers learn of a store that gives no object.
//!
//! Its own words are for whoever has its keys: they repeat what was signed and who signed, the token of a session among it.
//! So the status goes on and a sentence of ours with it; the store's name for what is wrong goes to the log.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AGE, CACHE_CONTROL, CONTENT_TYPE, DATE, EXPIRES, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::body::read_within;
use crate::passage::{Fetched, FetchedBody};

/// What a store's own words may take, to be read for the log: more is no error of a store.
const LONGEST: usize = 16 * 1024;

/// How long they are waited for.
const MOMENT: Duration = Duration::from_secs(1);

/// Whether an answer brings neither an object nor a part of one, nor that it is the same still.
pub(super) fn is_refusal(status: StatusCode) -> bool {
    !status.is_success() && status != StatusCode::NOT_MODIFIED
}

/// Whether another key might be told something else: an expired one, and one that is known no more.
pub(super) fn is_about_the_key(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// Takes a refusal: its status, how long it holds, and nothing else.
pub(super) async fn take(response: Response<Incoming>, origin: &str) -> Fetched {
    let (head, body) = response.into_parts();
    let words = timeout(MOMENT, read_within(body, LONGEST)).await;
    let words = words.ok().and_then(Result::ok).unwrap_or_default();
    tracing::debug!(origin, status = head.status.as_u16(), code = code(&words), "a bucket gave no object");
    let sentence = match head.status {
        StatusCode::NOT_FOUND => "the bucket has no such object\n",
        status if status.is_client_error() => "the bucket refused the request\n",
        _ => "the bucket did not give the object\n",
    };
    let mut fetched = ours(head.status, sentence);
    for name in [CACHE_CONTROL, EXPIRES, AGE, DATE, RETRY_AFTER] {
        for value in head.headers.get_all(&name) {
            fetched.headers.append(name.clone(), value.clone());
        }
    }
    fetched
}

/// An answer of ours in a bucket's place.
pub(super) fn ours(status: StatusCode, sentence: &'static str) -> Fetched {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    let body = Bytes::from_static(sentence.as_bytes());
    let length = Some(body.len() as u64);
    Fetched { status, headers, length, body: FetchedBody::Whole(vec![body]), lifetime: None }
}

/// The name of what is wrong, which S3, Google's and Azure's stores tell alike. Only what looks like a name is one.
fn code(words: &[u8]) -> Option<&str> {
    let words = std::str::from_utf8(words).ok()?;
    let (name, _) = words.split_once("<Code>")?.1.split_once("</Code>")?;
    (name.len() <= 64 && name.bytes().all(|it| it.is_ascii_alphabetic())).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_gets_a_name_and_nothing_else() {
        let check = |words: &str, expected: Option<&str>| assert_eq!(code(words.as_bytes()), expected);
        check(
            "<?xml?><Error><Code>ExpiredToken</Code><Token-0>secret</Token-0></Error>",
            Some("ExpiredToken"),
        );
        check("<Error><Code>a b</Code></Error>", None);
        check("<Error><Code>FwoGZXIvYXdzE2</Code></Error>", None);
        check(&format!("<Code>{}</Code>", "a".repeat(65)), None);
        check("<Error><Token-0>secret</Token-0></Error>", None);
    }
}
