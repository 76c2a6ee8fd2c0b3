//! One viewer's connection over QUIC: HTTP/3 until someone has had enough.

use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use h3::error::{Code, StreamError};
use h3::server::{RequestResolver, RequestStream};
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, HeaderName, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body::Body;
use tokio::task::JoinSet;

use super::asked::Behind;
use super::guard::Guard;
use super::streams::{Answering, Beside, Both, Streams, var_int};
use crate::viewer::activity::{Misconduct, Order};
use crate::viewer::body::RequestBody;
use crate::viewer::connection::{self, Shared};
use crate::viewer::listener::Serve;
use crate::viewer::record::Visit;

/// Octets of a request beside its fields, and what their compression may add at the worst.
const FRAMING: u64 = 4096;

/// What became of a request.
enum Fate {
    /// The viewer has all of its answer, or what there is of it.
    Answered,
    /// The viewer did not want an answer, or asked for none that can be given.
    Unanswered,
}

/// Speaks HTTP/3 until the viewer leaves, or was told to.
pub(super) async fn run<S: Serve>(quic: quinn::Connection, visit: Visit, shared: Arc<Shared<S>>) {
    let visit = Arc::new(visit);
    visit.activity.speaks_frames();
    tokio::select! {
        () = converse(quic.clone(), &visit, &shared) => {}
        _ = poll_fn(|cx| visit.activity.poll_told(Order::Late, cx)) => {}
    }
    if visit.activity.misconduct() == Some(Misconduct::Flood) {
        visit.books.stats.floods.add_one();
    }
    quic.close(var_int(Code::H3_NO_ERROR.value()), b"");
}

async fn converse<S: Serve>(quic: quinn::Connection, visit: &Arc<Visit>, shared: &Arc<Shared<S>>) {
    let max_header = shared.limits.max_header as u64;
    let guard = Arc::new(Guard::new(quic.clone(), Arc::clone(&visit.activity)));
    let streams = Streams::new(quic, max_header.saturating_mul(2) + FRAMING, Arc::clone(&guard));
    let latest = streams.latest();
    // Beyond this the engine answers by itself, so our own bound stands before it.
    let mut builder = h3::server::builder();
    let built =
        builder.max_field_section_size(max_header.saturating_mul(2)).send_grease(false).build(streams);
    let mut http = match built.await {
        Ok(it) => it,
        Err(error) => return tracing::debug!(%error, "HTTP/3 could not begin"),
    };
    let mut requests = JoinSet::new();
    let mut known = Order::Stay;
    loop {
        tokio::select! {
            biased;
            Some(fate) = requests.join_next() => {
                // Opening is cheap, and what was begun for it is not.
                if !matches!(fate, Ok(Fate::Answered)) {
                    guard.unanswered();
                }
            }
            told = poll_fn(|cx| visit.activity.poll_told(known, cx)) => {
                known = told;
                if told == Order::Late && visit.activity.owing(Instant::now()).is_some() {
                    return visit.books.stats.slow_heads.add_one();
                }
                // It fails when the connection is over, which is noticed next.
                let _ = http.shutdown(0).await;
            }
            // Whoever was told to finish has until its last answer has arrived.
            () = std::future::ready(()), if known >= Order::Finish && requests.is_empty() => return,
            accepted = http.accept() => match accepted {
                Ok(Some(resolver)) => {
                    let beside = latest.take().expect("it is there with each stream");
                    requests.spawn(answer(resolver, beside, Arc::clone(visit), Arc::clone(shared)));
                }
                Ok(None) => return while_any(&mut requests).await,
                Err(error) => return tracing::debug!(peer = %visit.peer.address, %error, "the viewer left"),
            }
        }
    }
}

async fn while_any(requests: &mut JoinSet<Fate>) {
    while requests.join_next().await.is_some() {}
}

async fn answer<S: Serve>(
    resolver: RequestResolver<Streams, Bytes>,
    beside: Beside,
    visit: Arc<Visit>,
    shared: Arc<Shared<S>>,
) -> Fate {
    let Beside { unwanted, mut body, answering } = beside;
    let Some((head, stream)) = read(resolver, &mut body, &visit, shared.limits.header_timeout).await else {
        return Fate::Unanswered;
    };
    let is_head = head.method == Method::HEAD;
    let mut sending = stream.split().0;
    let has_body = has_body(&head, &mut body, shared.limits.header_timeout).await;
    let body = if has_body { body.into() } else { RequestBody::none() };
    let answered = async {
        let response = connection::answer(head, body, has_body, visit, shared).await;
        send(response, is_head, &mut sending, &answering).await
    };
    tokio::select! {
        biased;
        sent = answered => sent.map_or(Fate::Unanswered, |()| Fate::Answered),
        _ = unwanted => Fate::Unanswered,
    }
}

/// A request's head; nothing when it does not come, or is none.
async fn read(
    resolver: RequestResolver<Streams, Bytes>,
    body: &mut Behind,
    visit: &Visit,
    patience: Duration,
) -> Option<(Parts, RequestStream<Both, Bytes>)> {
    let began = Instant::now();
    let refused = match tokio::time::timeout(patience, resolver.resolve_request()).await {
        Ok(Ok((request, mut stream))) => {
            let mut head = request.into_parts().0;
            match length(&head.headers) {
                Ok(None) => return Some((head, stream)),
                Ok(Some(length)) => {
                    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
                    body.says(length);
                    return Some((head, stream));
                }
                Err(reason) => {
                    stream.stop_stream(Code::H3_MESSAGE_ERROR);
                    (StatusCode::BAD_REQUEST, reason.to_owned())
                }
            }
        }
        Err(_) => {
            visit.books.stats.slow_heads.add_one();
            return None;
        }
        Ok(Err(error @ StreamError::HeaderTooBig { .. })) => {
            (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, error.to_string())
        }
        Ok(Err(error @ StreamError::StreamError { .. })) => (StatusCode::BAD_REQUEST, error.to_string()),
        Ok(Err(error)) => {
            tracing::debug!(peer = %visit.peer.address, %error, "a request broke off");
            return None;
        }
    };
    visit.refused_unread(refused.0, &refused.1, began.elapsed());
    None
}

/// What a head says of its body's length: one number, however often (http-edge.md 15).
fn length(headers: &HeaderMap) -> Result<Option<u64>, &'static str> {
    let mut said =
        headers.get_all(CONTENT_LENGTH).iter().flat_map(|it| it.as_bytes().split(|it| *it == b','));
    let Some(first) = said.next().map(<[u8]>::trim_ascii) else { return Ok(None) };
    let number = Some(first).filter(|it| it.iter().all(u8::is_ascii_digit));
    let number = number.and_then(|it| str::from_utf8(it).ok()?.parse().ok());
    match number.filter(|_| said.all(|it| it.trim_ascii() == first)) {
        Some(number) => Ok(Some(number)),
        None => Err("the Content-Length is no number, or more than one"),
    }
}

/// Whether a body comes: the viewer says so, or sends one. Behind a head that reads, one that comes later is never read;
/// else it is waited for, since a request without its body would be another one.
async fn has_body(head: &Parts, body: &mut Behind, patience: Duration) -> bool {
    match head.headers.get(CONTENT_LENGTH) {
        Some(length) => length.as_bytes() != b"0",
        None if matches!(head.method, Method::GET | Method::HEAD) => {
            poll_fn(|cx| Poll::Ready(matches!(body.poll_any(cx), Poll::Ready(true)))).await
        }
        None => {
            let any = tokio::time::timeout(patience, poll_fn(|cx| body.poll_any(cx)));
            any.await.unwrap_or(true)
        }
    }
}

async fn send<B>(
    response: Response<B>,
    is_head: bool,
    sending: &mut RequestStream<Answering, Bytes>,
    answering: &Answering,
) -> Result<(), Box<dyn Error + Send + Sync>>
where
    B: Body<Data = Bytes> + Unpin,
{
    let (mut head, mut body) = response.into_parts();
    let hint = body.size_hint().exact().filter(|_| !is_head);
    complete(&mut head.headers, head.status, hint);
    sending.send_response(Response::from_parts(head, ())).await?;
    if is_head {
        return Ok(sending.finish().await?);
    }
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(frame) = frame else {
            // What was sent is no whole answer, and must not look like one.
            sending.stop_stream(Code::H3_INTERNAL_ERROR);
            return Ok(());
        };
        if let Ok(octets) = frame.into_data() {
            answering.data(octets).await?;
        }
    }
    // What is written down as sent was sent; `body` is let go when it has arrived.
    Ok(sending.finish().await?)
}

/// Takes away what HTTP/3 does not have, and adds what hyper adds over HTTP/1.1 and HTTP/2.
fn complete(headers: &mut HeaderMap, status: StatusCode, length: Option<u64>) {
    // RFC 9114 4.2.
    for name in [CONNECTION, TRANSFER_ENCODING, UPGRADE, HeaderName::from_static("keep-alive")] {
        headers.remove(name);
    }
    let has_no_body = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if let Some(length) = length.filter(|_| !has_no_body && !headers.contains_key(CONTENT_LENGTH)) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if !headers.contains_key(DATE) {
        let date = httpdate::fmt_http_date(SystemTime::now());
        headers.insert(DATE, HeaderValue::try_from(date).expect("a date is text"));
    }
}
