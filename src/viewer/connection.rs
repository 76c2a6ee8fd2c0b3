//! One viewer's connection: HTTP/1.1 or HTTP/2 over it until someone has had enough.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::header::{ALT_SVC, CONNECTION, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderValue, StatusCode, Version};
use http_body::Body;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::Witness;
use super::activity::{Misconduct, Order};
use super::body::RequestBody;
use super::lent::{Lent, lend};
use super::listener::{Limits, Serve};
use super::record::{Books, Opened, Visit, Watched};
use super::request::{self, Rude};
use super::tls::Protocol;
use crate::passage::{Outcome, Served};

/// Fields of one request; players send about fifteen (http-edge.md 17). It is hyper's own bound over HTTP/1.1, which
/// takes no allocation as long as it is not set.
const MAX_FIELDS: usize = 100;
/// Streams of one HTTP/2 or HTTP/3 connection at once (http-edge.md 18, 19).
pub(super) const MAX_STREAMS: u32 = 128;
/// Streams that the viewer, or we for the viewer's faults, reset before they were answered (http-edge.md 18, 19).
pub(super) const MAX_RESETS: usize = 100;
/// Octets of responses waiting in one connection for its socket (http-edge.md 17).
const MAX_SEND_BUFFER: usize = 256 * 1024;
/// How long a viewer may take to hear that its request did not come in time, and octets of it that may come meanwhile:
/// a socket that is closed on them would take the answer back.
const FAREWELL: Duration = Duration::from_secs(1);
const LAST_OCTETS: u64 = 64 * 1024;

/// What every connection of a server shares.
pub(super) struct Shared<S> {
    pub(super) serve: S,
    pub(super) limits: Limits,
    pub(super) books: Arc<Books>,
    /// Connections, and the tasks of their requests.
    pub(super) tasks: TaskTracker,
}

/// How a connection ended.
enum Ended {
    /// It has nothing more to say, or nobody to say it to.
    Gone,
    /// The head of a request did not come in time.
    Owing(Duration),
}

/// Speaks HTTP until the viewer leaves, or was told to.
pub(super) async fn run<S, IO>(io: IO, visit: Visit, protocol: Protocol, shared: Arc<Shared<S>>)
where
    S: Serve,
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let visit = Arc::new(visit);
    let (io, home) = lend(io, Arc::clone(&visit.activity));
    let ended = converse(io, &visit, protocol, shared).await;
    let stats = &visit.books.stats;
    let (status, reason, owed) = match (visit.activity.misconduct(), ended) {
        (Some(Misconduct::Flood), _) => return stats.floods.add_one(),
        (Some(Misconduct::BareLine), _) => (StatusCode::BAD_REQUEST, BARE_LINE, Duration::ZERO),
        (None, Ended::Owing(owed)) => {
            stats.slow_heads.add_one();
            (StatusCode::REQUEST_TIMEOUT, LATE, owed)
        }
        (None, Ended::Gone) => return,
    };
    let Some(io) = home.understood() else { return };
    visit.refused_unread(status, reason, owed);
    // Who does not listen any more has not been told, and is gone all the same.
    let _ = tokio::time::timeout(FAREWELL, tell(io, status, reason)).await;
}

async fn converse<S, IO>(
    io: Lent<IO>,
    visit: &Arc<Visit>,
    protocol: Protocol,
    shared: Arc<Shared<S>>,
) -> Ended
where
    S: Serve,
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &shared.limits;
    let mut http = auto::Builder::new(Tracked(shared.tasks.clone()));
    http.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(limits.max_header.max(8192));
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        // Beyond this h2 answers by itself and says nothing of it, so our own bound stands before it.
        .max_header_list_size(u32::try_from(limits.max_header.saturating_mul(2)).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(MAX_RESETS)
        .max_send_buf_size(MAX_SEND_BUFFER)
        .keep_alive_interval(limits.keep_alive)
        .keep_alive_timeout(limits.header_timeout);

    let service = service_fn(|request: hyper::Request<Incoming>| {
        let (shared, visit) = (Arc::clone(&shared), Arc::clone(visit));
        let (head, body) = request.into_parts();
        let has_body = !body.is_end_stream();
        // In a place of its own: hyper hands on what it is given, and that would be copied each time.
        let answering = Box::pin(answer(head, body.into(), has_body, visit, shared));
        async move { Ok::<_, Infallible>(answering.await) }
    });
    let http = match protocol {
        Protocol::Either => http,
        Protocol::Http1 => http.http1_only(),
        Protocol::Http2 => http.http2_only(),
    };
    let connection = http.serve_connection(TokioIo::new(io), service);
    tokio::pin!(connection);

    let mut known = Order::Stay;
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(peer = %visit.peer.address, %error, "the viewer's connection ended early");
                    if let Some(status) = answered_by_hyper(&*error) {
                        visit.refused_unread(status, &error.to_string(), Duration::ZERO);
                    }
                }
                return Ended::Gone;
            }
            told = poll_fn(|cx| visit.activity.poll_told(known, cx)) => {
                known = told;
                match told {
                    Order::Stay => {}
                    Order::Finish => connection.as_mut().graceful_shutdown(),
                    Order::Late => match visit.activity.owing(Instant::now()) {
                        Some(owed) => return Ended::Owing(owed),
                        // It came at the last moment.
                        None => connection.as_mut().graceful_shutdown(),
                    },
                    Order::Leave => return Ended::Gone,
                }
            }
        }
    }
}

/// Runs what HTTP/2 does beside the connection where the server waits for it.
#[derive(Clone)]
struct Tracked(TaskTracker);

impl<F> Executor<F> for Tracked
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

/// Answers one request, however it was framed.
pub(super) async fn answer<S: Serve>(
    head: Parts,
    body: RequestBody,
    has_body: bool,
    visit: Arc<Visit>,
    shared: Arc<Shared<S>>,
) -> http::Response<Either<Watched<S::Body>, Watched<Full<Bytes>>>> {
    let is_coded = head.headers.contains_key(TRANSFER_ENCODING);
    let is_last = visit.spend(shared.limits.max_requests_per_connection) && head.version <= Version::HTTP_11;
    let head = Arc::new(head);
    let mut opened = Opened::new(Arc::clone(&visit), Arc::clone(&head));
    let id = opened.id();
    let is_long = head.headers.len() > MAX_FIELDS || opened.head_octets() > shared.limits.max_header as u64;
    let read = if is_long {
        Err(Rude::Fields)
    } else {
        let (proxies, received) = (&shared.limits.trusted_proxies, opened.received());
        request::read(head, has_body, visit.peer, proxies, id, received)
    };
    match read {
        Ok(request) => {
            opened.understood(&request);
            let request = match visit.other_name(&request, &shared.limits.trusted_proxies) {
                Some(other) => request.over_connection_to(Witness(()), other),
                None => request,
            };
            let span = tracing::debug_span!("request", %id);
            let serving = shared.serve.serve(request, body);
            let mut response = match span.is_disabled() {
                true => serving.await,
                false => Box::pin(serving.instrument(span)).await,
            };
            if let Some(elsewhere) = &visit.alt_svc {
                response.headers_mut().insert(ALT_SVC, elsewhere.clone());
            }
            if is_coded || is_last {
                // Where its end lay others may have understood otherwise, so nothing behind it is read (RFC 9112 6.1).
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            opened.answered(response).map(Either::Left)
        }
        Err(rude) => {
            visit.books.stats.rude.add_one();
            opened.answered(refuse(rude)).map(Either::Right)
        }
    }
}

/// Octets after a request that was refused are never parsed, so the connection closes.
fn refuse(rude: Rude) -> http::Response<Full<Bytes>> {
    let mut response = http::Response::new(Full::from(format!("{rude}\n")));
    *response.status_mut() = rude.status();
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    if rude.status() == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(http::header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    }
    let reason = Some(rude.to_string().into());
    response.extensions_mut().insert(Outcome { reason, ..Outcome::own(Served::Error) });
    response
}

/// The status that hyper answered with itself, where it could not read a head.
fn answered_by_hyper(error: &(dyn Error + 'static)) -> Option<StatusCode> {
    let error = error.downcast_ref::<hyper::Error>()?;
    if error.is_parse_too_large() {
        // The longest target that hyper takes is longer than any head that we let it read.
        return Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    error.is_parse().then_some(StatusCode::BAD_REQUEST)
}

const LATE: &str = "the request did not come in time";
const BARE_LINE: &str = "a line of the request does not end with CR and LF";

/// Says over HTTP/1.1 why nothing more is read.
async fn tell(
    mut io: impl AsyncRead + AsyncWrite + Unpin,
    status: StatusCode,
    reason: &str,
) -> std::io::Result<()> {
    let date = httpdate::fmt_http_date(SystemTime::now());
    let response = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n\
         content-length: {}\r\ndate: {date}\r\n\r\n{reason}\n",
        reason.len() + 1,
    );
    io.write_all(response.as_bytes()).await?;
    io.shutdown().await?;
    tokio::io::copy(&mut io.take(LAST_OCTETS), &mut tokio::io::sink()).await?;
    Ok(())
}
