//! What is taken from a web server's answer.

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE};
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::timeout;

use super::fields::drop_hop_by_hop;
use super::patience::Patience;
use crate::passage::{Ask, Failure, Fetched, FetchedBody};

/// Takes an answer to `ask`.
pub(super) fn take(
    response: Response<Incoming>,
    bodiless: bool,
    ask: &Ask,
    patience: Patience,
) -> Result<Fetched, Failure> {
    let (mut head, body) = response.into_parts();
    let status = head.status;
    if status == StatusCode::NOT_MODIFIED && (ask.known.is_none() || ask.is_for_part()) {
        return Err(Failure::Unreadable("it said 304 to a request without conditions".into()));
    }
    if status == StatusCode::PARTIAL_CONTENT && !ask.is_for_part() {
        return Err(Failure::Unreadable("it said 206 to a request for the whole".into()));
    }
    drop_hop_by_hop(&mut head.headers);
    let length = body.size_hint().exact().or_else(|| {
        // Of a HEAD the length is that of the body that a GET would bring.
        let said = head.headers.get(CONTENT_LENGTH).filter(|_| bodiless)?;
        said.to_str().ok()?.parse().ok()
    });
    head.headers.remove(CONTENT_LENGTH);
    let tells_of_range = matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE);
    if !tells_of_range || !ask.is_for_part() {
        head.headers.remove(CONTENT_RANGE);
    }
    let body = if bodiless || status == StatusCode::NOT_MODIFIED || length == Some(0) {
        FetchedBody::Whole(Vec::new())
    } else {
        FetchedBody::Growing(octets(body, patience))
    };
    Ok(Fetched { status, headers: head.headers, length, body, lifetime: None })
}

/// The octets as they come; trailers are dropped.
fn octets(body: Incoming, patience: Patience) -> BoxStream<'static, Result<Bytes, Failure>> {
    let next = move |mut body: Incoming| async move {
        loop {
            // One that always has something to say is not silent, but may go on for too long.
            if patience.is_over() {
                return Some((Err(patience.failure()), body));
            }
            let frame = match timeout(patience.left(), body.frame()).await {
                Err(_) => return Some((Err(patience.failure()), body)),
                Ok(None) => return None,
                Ok(Some(Err(error))) => return Some((Err(Failure::Unreadable(error.to_string())), body)),
                Ok(Some(Ok(frame))) => frame,
            };
            if let Ok(data) = frame.into_data() {
                return Some((Ok(data), body));
            }
        }
    };
    stream::unfold(body, next).boxed()
}
