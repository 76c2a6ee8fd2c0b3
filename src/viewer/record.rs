//! What is known of one request, gathered while it is answered and written down at its end.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use config::units::IpNetwork;
use http::header::{AsHeaderName, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode};
use http_body::{Body, Frame, SizeHint};

use super::activity::{Activity, Order};
use super::listener::Stats;
use super::request::Peer;
use super::tls::Negotiated;
use crate::passage::{Outcome, Request, RequestId, Scheme, Served};

/// What is known of a request once its response was written or given up.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its name.
    pub id: RequestId,
    /// When its head had come.
    pub received: SystemTime,
    /// The viewer's address.
    pub client: IpAddr,
    /// The viewer's port; none where a proxy speaks for it and does not say.
    pub client_port: Option<u16>,
    /// Its scheme.
    pub scheme: Scheme,
    /// What was asked, as it was sent; none where no head could be read.
    pub head: Option<Arc<Parts>>,
    /// Its host, as normalised; none where it named none.
    pub host: Option<Arc<str>>,
    /// TLS version and suite, as OpenSSL names them.
    pub tls: Option<(&'static str, &'static str)>,
    /// Octets of the request's head, as if it had been HTTP/1.1.
    pub received_bytes: u64,
    /// The response's status; none when the viewer left before there was one.
    pub status: Option<StatusCode>,
    /// `Content-Type`.
    pub content_type: Option<HeaderValue>,
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

    /// Its method; empty where no head could be read.
    pub fn method(&self) -> &str {
        self.head.as_ref().map_or("", |it| it.method.as_str())
    }

    /// Its path, as sent; empty where no head could be read.
    pub fn path(&self) -> &str {
        self.head.as_ref().map_or("", |it| it.uri.path())
    }

    /// Its query, as sent.
    pub fn query(&self) -> Option<&str> {
        self.head.as_ref()?.uri.query()
    }

    /// A field of its, when it is text.
    pub fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.head.as_ref()?.headers.get(name)?.to_str().ok()
    }
}

/// What the requests of one connection share.
pub(super) struct Visit {
    pub(super) peer: Peer,
    pub(super) tls: Option<Negotiated>,
    /// Where the same is served over HTTP/3, if the viewer could go there.
    pub(super) alt_svc: Option<HeaderValue>,
    pub(super) activity: Arc<Activity>,
    /// Requests it has made.
    pub(super) requests: AtomicU32,
    pub(super) books: Arc<Books>,
}

/// Where a server writes down what it answered.
pub(super) struct Books {
    pub(super) names: Names,
    pub(super) stats: Arc<Stats>,
    /// Never waits.
    pub(super) journal: Box<dyn Fn(&Record) + Send + Sync>,
}

/// Names for requests: keyed hashes of a count, which nobody outside can foresee and which cost next to nothing.
#[derive(Default)]
pub(super) struct Names {
    halves: [RandomState; 2],
    count: AtomicU64,
}

impl Names {
    pub(super) fn next(&self) -> RequestId {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let [high, low] = self.halves.each_ref().map(|it| u128::from(it.hash_one(count)));
        RequestId::new(high << 64 | low)
    }
}

impl Books {
    fn enter(&self, record: &Record) {
        self.stats.answered(record);
        (self.journal)(record);
    }
}

impl Visit {
    /// Counts a request; says whether it is the last of at most `most`, after which the connection ends.
    pub(super) fn spend(&self, most: u32) -> bool {
        let requests = self.requests.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if requests == most {
            self.books.stats.spent.add_one();
            self.activity.tell(Order::Finish);
        }
        requests >= most
    }

    /// The name that its TLS connection was made for, if that does not cover the request's host. A proxy that we trust
    /// sends requests for all hosts over one connection.
    pub(super) fn other_name(&self, request: &Request, trusted_proxies: &[IpNetwork]) -> Option<Arc<str>> {
        let other = self.tls.as_ref()?.other_name(request.host_name())?;
        let is_trusted = trusted_proxies.iter().any(|it| it.contains(self.peer.address.ip()));
        (!is_trusted).then_some(other)
    }

    /// Writes down a request that was refused with `status` before a head could be read of it, after `total`.
    pub(super) fn refused_unread(&self, status: StatusCode, reason: &str, total: Duration) {
        self.books.stats.rude.add_one();
        self.books.enter(&Record {
            status: Some(status),
            first_byte: total,
            total,
            complete: true,
            outcome: Outcome { reason: Some(reason.into()), ..Outcome::own(Served::Error) },
            ..self.record(None)
        });
    }

    fn record(&self, head: Option<Arc<Parts>>) -> Record {
        Record {
            id: self.books.names.next(),
            received: SystemTime::now(),
            client: self.peer.address.ip(),
            client_port: Some(self.peer.address.port()),
            scheme: self.peer.scheme,
            received_bytes: head.as_ref().map_or(0, |it| octets_of_request(it)),
            head,
            host: None,
            tls: self.tls.as_ref().and_then(|it| it.names),
            status: None,
            content_type: None,
            content_length: None,
            range: None,
            sent_bytes: 0,
            first_byte: Duration::ZERO,
            total: Duration::ZERO,
            complete: false,
            outcome: Outcome::own(Served::Error),
        }
    }
}

/// A request that is being answered. Dropped, it is written down, whatever became of it.
pub(super) struct Opened {
    /// Apart, because its owner is handed on with the response's body.
    record: Box<Record>,
    began: Instant,
    visit: Arc<Visit>,
}

impl Opened {
    /// A head has come.
    pub(super) fn new(visit: Arc<Visit>, head: Arc<Parts>) -> Self {
        visit.activity.begin();
        Self { record: Box::new(visit.record(Some(head))), began: Instant::now(), visit }
    }

    /// Its name.
    pub(super) const fn id(&self) -> RequestId {
        self.record.id
    }

    /// When it came.
    pub(super) const fn received(&self) -> SystemTime {
        self.record.received
    }

    /// Octets of its head, as if it had been HTTP/1.1.
    pub(super) const fn head_octets(&self) -> u64 {
        self.record.received_bytes
    }

    /// It is one that can be judged.
    pub(super) fn understood(&mut self, request: &Request) {
        self.record.client = request.client();
        self.record.client_port = request.client_port();
        self.record.scheme = request.scheme();
        self.record.host = Some(Arc::clone(request.host()));
    }

    /// The response's head is known; its body will be watched to its end.
    pub(super) fn answered<B: Body<Data = Bytes>>(
        mut self,
        response: http::Response<B>,
    ) -> http::Response<Watched<B>> {
        let (record, headers) = (&mut self.record, response.headers());
        let text = |name| headers.get(name).and_then(|it| it.to_str().ok());
        record.status = Some(response.status());
        record.content_type = headers.get(CONTENT_TYPE).cloned();
        record.content_length = text(CONTENT_LENGTH).and_then(|it| it.parse().ok());
        record.range = text(CONTENT_RANGE).and_then(first_and_last);
        record.sent_bytes = "HTTP/1.1 200 OK\r\n".len() as u64 + octets(headers);
        let now = Instant::now();
        record.first_byte = now.saturating_duration_since(self.began);
        if let Some(outcome) = response.extensions().get::<Outcome>() {
            record.outcome = outcome.clone();
        }
        // hyper never polls a body to its end that says it is at its end already.
        record.complete = record.method() == Method::HEAD.as_str() || response.body().is_end_stream();
        self.visit.activity.hand(record.id, 0, || now);
        response.map(|body| Watched { body, opened: self })
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let Self { record, began, visit } = self;
        visit.activity.take(record.id);
        let now = Instant::now();
        visit.activity.end(now);
        record.total = now.saturating_duration_since(*began);
        visit.books.enter(record);
    }
}

fn octets_of_request(head: &Parts) -> u64 {
    let target = head.uri.path().len() + head.uri.query().map_or(0, |it| it.len() + 1);
    let line = head.method.as_str().len() + 1 + target + " HTTP/1.1\r\n".len();
    line as u64 + octets(&head.headers)
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

/// A response's body that is counted to its end.
pub(super) struct Watched<B> {
    body: B,
    opened: Opened,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Watched<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let Self { body, opened: Opened { record, visit, .. } } = &mut *self;
        // From here on the viewer waits for us.
        visit.activity.take(record.id);
        let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                let octets = frame.data_ref().map_or(0, Bytes::len);
                record.sent_bytes += octets as u64;
                visit.activity.hand(record.id, octets, Instant::now);
                record.complete = body.is_end_stream();
            }
            None => record.complete = true,
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_name_is_given_twice_and_two_servers_give_others() {
        let (one, other) = (Names::default(), Names::default());
        let names: HashSet<_> = (0..1_000).flat_map(|_| [one.next(), other.next()]).collect();
        assert_eq!(names.len(), 2_000);
    }
}
