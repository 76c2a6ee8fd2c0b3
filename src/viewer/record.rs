//! One access-log line's worth of facts, gathered while a response is written.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, REFERER, USER_AGENT};
use http::{Method, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;

use super::activity::Activity;
use super::listener::Stats;
use crate::passage::{Outcome, Request, RequestId, Scheme};

/// What is known of a request once its response was written or given up.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its name.
    pub id: RequestId,
    /// When its head had come.
    pub received: SystemTime,
    /// The viewer's address.
    pub client: IpAddr,
    /// The viewer's port.
    pub client_port: u16,
    /// Its scheme.
    pub scheme: Scheme,
    /// Its method.
    pub method: Method,
    /// Its version.
    pub version: Version,
    /// Its host, as normalised.
    pub host: String,
    /// Its path, as sent.
    pub path: String,
    /// Its query, as sent.
    pub query: Option<String>,
    /// `Referer`.
    pub referer: Option<String>,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// `X-Forwarded-For`.
    pub forwarded_for: Option<String>,
    /// TLS version and suite, as OpenSSL names them.
    pub tls: Option<(&'static str, &'static str)>,
    /// Octets of the request's head, as if it had been HTTP/1.1.
    pub received_bytes: u64,
    /// The response's status.
    pub status: StatusCode,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Length`.
    pub content_length: Option<u64>,
    /// First and last octet of `Content-Range`.
    pub range: Option<(u64, u64)>,
    /// Octets of the response, its head counted as if it had been HTTP/1.1.
    pub sent_bytes: u64,
    /// From the request's head to the response's.
    pub first_byte: Duration,
    /// From the request's head to the last octet.
    pub total: Duration,
    /// Whether the viewer took the whole response.
    pub complete: bool,
    /// What the way of the request adds.
    pub outcome: Outcome,
}

impl Record {
    /// CloudFront's `x-edge-result-type`: a response the viewer did not take to its end is an error.
    pub const fn result(&self) -> &'static str {
        if self.complete { self.outcome.served.word() } else { "Error" }
    }
}

/// Where records go: a queue that drops and counts when it is full, never one that waits.
pub(super) type Journal = Arc<dyn Fn(Record) + Send + Sync>;

/// What is known when a request comes.
pub(super) struct Opened {
    record: Record,
    began: Instant,
}

impl Opened {
    pub(super) fn new(request: &Request, tls: Option<(&'static str, &'static str)>) -> Self {
        let text = |name: http::HeaderName| request.header(name).map(str::to_owned);
        let line = request.method().as_str().len() + request.path().len() + " HTTP/1.1\r\n".len() + 1;
        let query = request.query().map_or(0, |it| it.len() + 1);
        let record = Record {
            id: request.id(),
            received: request.received(),
            client: request.client(),
            client_port: request.client_port(),
            scheme: request.scheme(),
            method: request.method().clone(),
            version: request.version(),
            host: request.host().to_owned(),
            path: request.path().to_owned(),
            query: request.query().map(str::to_owned),
            referer: text(REFERER),
            user_agent: text(USER_AGENT),
            forwarded_for: request.header("x-forwarded-for").map(str::to_owned),
            tls,
            received_bytes: (line + query) as u64 + octets(request.headers()),
            status: StatusCode::OK,
            content_type: None,
            content_length: None,
            range: None,
            sent_bytes: 0,
            first_byte: Duration::ZERO,
            total: Duration::ZERO,
            complete: false,
            outcome: Outcome::own(crate::passage::Served::Own),
        };
        Self { record, began: Instant::now() }
    }

    /// The response's head is known; its body will be watched to its end.
    pub(super) fn answered<B>(
        mut self,
        response: http::Response<B>,
        journal: Journal,
        activity: Arc<Activity>,
        stats: Arc<Stats>,
    ) -> http::Response<Watched>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let headers = response.headers();
        let text = |name| headers.get(name).and_then(|it| it.to_str().ok());
        self.record.status = response.status();
        self.record.content_type = text(CONTENT_TYPE).map(str::to_owned);
        self.record.content_length = text(CONTENT_LENGTH).and_then(|it| it.parse().ok());
        self.record.range = text(CONTENT_RANGE).and_then(first_and_last);
        self.record.sent_bytes = "HTTP/1.1 200 OK\r\n".len() as u64 + octets(headers);
        self.record.first_byte = self.began.elapsed();
        if let Some(outcome) = response.extensions().get::<Outcome>() {
            self.record.outcome = outcome.clone();
        }
        let is_head = self.record.method == Method::HEAD;
        activity.hand(self.record.id, 0, Instant::now());
        response.map(|body| Watched {
            // hyper never polls a body to its end that says it is at its end already.
            complete: is_head || body.is_end_stream(),
            body: body.map_err_boxed(),
            opened: Some(self),
            journal,
            activity,
            stats,
        })
    }
}

fn octets(headers: &HeaderMap) -> u64 {
    let lines: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    lines as u64 + 2
}

/// `bytes 0-99/200` → (0, 99).
fn first_and_last(content_range: &str) -> Option<(u64, u64)> {
    let (range, _) = content_range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

trait MapErrBoxed: Body<Data = Bytes> + Sized {
    fn map_err_boxed(self) -> UnsyncBoxBody<Bytes, BoxError>;
}

impl<B> MapErrBoxed for B
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn map_err_boxed(self) -> UnsyncBoxBody<Bytes, BoxError> {
        UnsyncBoxBody::new(http_body_util::BodyExt::map_err(self, Into::into))
    }
}

/// A response's body that is counted, and written down when it ends or is dropped.
pub(super) struct Watched {
    body: UnsyncBoxBody<Bytes, BoxError>,
    complete: bool,
    opened: Option<Opened>,
    journal: Journal,
    activity: Arc<Activity>,
    stats: Arc<Stats>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(opened) = &self.opened {
            // From here on the viewer waits for us.
            self.activity.take(opened.record.id);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                let octets = frame.data_ref().map_or(0, Bytes::len);
                let this = &mut *self;
                if let Some(opened) = &mut this.opened {
                    opened.record.sent_bytes += octets as u64;
                    this.activity.hand(opened.record.id, octets, Instant::now());
                }
                self.complete = self.body.is_end_stream();
            }
            None => self.complete = true,
            Some(Err(_)) => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let Some(Opened { mut record, began }) = self.opened.take() else { return };
        self.activity.take(record.id);
        self.activity.end(Instant::now());
        record.total = began.elapsed();
        record.complete = self.complete;
        self.stats.answered(&record);
        (self.journal)(record);
    }
}
