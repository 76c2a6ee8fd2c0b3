//! One viewer's connection: HTTP/1.1 or HTTP/2 over it until someone has had enough.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use http_body::Body;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::activity::Activity;
use super::listener::{Limits, Serve, Stats};
use super::record::{Journal, Opened, Watched};
use super::request::{self, Peer, Rude};
use crate::passage::{Outcome, RequestId, Served};

/// Fields of one request; players send about fifteen (http-edge.md 17).
const MAX_FIELDS: usize = 100;
/// Streams of one HTTP/2 connection at once (http-edge.md 18).
const MAX_STREAMS: u32 = 128;
/// Streams that the viewer, or we for the viewer's faults, reset before they were answered (http-edge.md 18).
const MAX_RESETS: usize = 100;
/// Octets of responses waiting in one connection for its socket (http-edge.md 17).
const MAX_SEND_BUFFER: usize = 256 * 1024;
/// A connection looks at its own deadlines so often within the shortest of them, though not more than once a second:
/// thousands that rest should cost next to nothing.
const LOOKS: u32 = 4;
const SHORTEST_WATCH: Duration = Duration::from_secs(1);

/// What every connection of a server shares.
pub(super) struct Shared<S> {
    pub(super) serve: S,
    pub(super) limits: Limits,
    pub(super) journal: Journal,
    pub(super) stats: Arc<Stats>,
}

/// Speaks HTTP until the viewer leaves, owes us a head for too long, idles, or `stop` says so.
pub(super) async fn run<S, IO>(
    io: IO,
    peer: Peer,
    tls: Option<(&'static str, &'static str)>,
    activity: Arc<Activity>,
    shared: Arc<Shared<S>>,
    stop: CancellationToken,
) where
    S: Serve,
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &shared.limits;
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_headers(MAX_FIELDS)
        .max_buf_size(limits.max_header.max(8192));
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(limits.max_header).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(MAX_RESETS)
        .max_send_buf_size(MAX_SEND_BUFFER)
        .keep_alive_interval(limits.keep_alive)
        .keep_alive_timeout(limits.header_timeout);

    let service = {
        let (shared, activity) = (Arc::clone(&shared), Arc::clone(&activity));
        service_fn(move |request| {
            let (shared, activity) = (Arc::clone(&shared), Arc::clone(&activity));
            async move { Ok::<_, Infallible>(answer(request, peer, tls, activity, shared).await) }
        })
    };
    let connection = http.serve_connection(TokioIo::new(io), service);
    tokio::pin!(connection);

    let shortest = limits.header_timeout.min(limits.keep_alive).min(limits.send_timeout);
    let mut watch = tokio::time::interval((shortest / LOOKS).max(SHORTEST_WATCH));
    watch.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(peer = %peer.address, %error, "the viewer's connection ended early");
                }
                return;
            }
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            _ = watch.tick() => {
                let now = Instant::now();
                if activity.owing(now).is_some_and(|it| it > limits.header_timeout) {
                    shared.stats.slow_heads.increment();
                    return;
                }
                // The last octets of a response wait in HTTP/2's own buffer when nobody watches it any more; who has not
                // taken them by now, and so not ended, will not.
                let is_gone = activity.idle(now).is_some_and(|it| it > limits.keep_alive + limits.send_timeout);
                if is_gone || activity.is_stalled(now) {
                    return;
                }
                if !stopping && activity.idle(now).is_some_and(|it| it > limits.keep_alive) {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

async fn answer<S: Serve>(
    request: hyper::Request<Incoming>,
    peer: Peer,
    tls: Option<(&'static str, &'static str)>,
    activity: Arc<Activity>,
    shared: Arc<Shared<S>>,
) -> http::Response<Either<Watched, Full<Bytes>>> {
    activity.begin(request.version());
    let (head, body) = request.into_parts();
    let has_body = !body.is_end_stream();
    drop(body);
    let id = RequestId::new(random_bits());
    let now = SystemTime::now();
    match request::read(head, has_body, peer, &shared.limits.trusted_proxies, id, now) {
        Ok(request) => {
            let opened = Opened::new(&request, tls);
            let span = tracing::debug_span!("request", %id);
            let response = shared.serve.serve(request).instrument(span).await;
            let (journal, stats) = (Arc::clone(&shared.journal), Arc::clone(&shared.stats));
            opened.answered(response, journal, activity, stats).map(Either::Left)
        }
        Err(rude) => {
            shared.stats.rude.increment();
            activity.end(Instant::now());
            refuse(rude).map(Either::Right)
        }
    }
}

/// Octets after a request that was refused are never parsed, so the connection closes.
fn refuse(rude: Rude) -> http::Response<Full<Bytes>> {
    let mut response = http::Response::new(Full::from(format!("{rude}\n")));
    *response.status_mut() = rude.status();
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(http::header::CONNECTION, HeaderValue::from_static("close"));
    if rude.status() == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(http::header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    }
    response.extensions_mut().insert(Outcome::own(Served::Error));
    response
}

fn random_bits() -> u128 {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
    u128::from_ne_bytes(bytes)
}
