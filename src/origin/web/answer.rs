//! What is taken from a web server's answer.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE};
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::timeout;

use super::fields::drop_hop_by_hop;
use crate::passage::{Ask, Failure, Fetched, FetchedBody};

/// Takes an answer to `ask`; `stall` is the longest it may be silent.
pub(super) fn take(
    response: Response<Incoming>,
    bodiless: bool,
    ask: &Ask,
    stall: Duration,
) -> Result<Fetched, Failure> {
    let (mut head, body) = response.into_parts();
    let status = head.status;
    if status == StatusCode::NOT_MODIFIED && (ask.known.is_none() || ask.range.is_some()) {
        return Err(Failure::Unreadable("it said 304 to a request without conditions".into()));
    }
    if status == StatusCode::PARTIAL_CONTENT && ask.range.is_none() {
        return Err(Failure::Unreadable("it said 206 to a request for the whole".into()));
    }
    drop_hop_by_hop(&mut head.headers);
    let length = body.size_hint().exact().or_else(|| {
        // Of a HEAD the length is that of the body that a GET would bring.
        let said = head.headers.get(CONTENT_LENGTH).filter(|_| bodiless)?;
        said.to_str().ok()?.parse().ok()
    });
    head.headers.remove(CONTENT_LENGTH);
    if status != StatusCode::PARTIAL_CONTENT {
        head.headers.remove(CONTENT_RANGE);
    }
    let body = if bodiless || status == StatusCode::NOT_MODIFIED || length == Some(0) {
        FetchedBody::Whole(Vec::new())
    } else {
        FetchedBody::Growing(octets(body, stall))
    };
    Ok(Fetched { status, headers: head.headers, length, body, lifetime: None })
}

/// The octets as they come; trailers are dropped.
fn octets(body: Incoming, stall: Duration) -> BoxStream<'static, Result<Bytes, Failure>> {
    let next = move |mut body: Incoming| async move {
        loop {
            let frame = match timeout(stall, body.frame()).await {
                Err(_) => return Some((Err(Failure::TimedOut(stall)), body)),
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
