//! What a viewer asked, before anyone judged it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONNECTION, COOKIE, EXPECT, HOST, HeaderName, MAX_FORWARDS, ORIGIN,
    PRAGMA, RANGE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT, VIA,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Uri, Version};

use super::Behavior;
use crate::{behavior, viewer};

/// Names one request in headers, logs and traces.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(u128);

impl RequestId {
    /// From 128 random bits.
    pub const fn new(bits: u128) -> Self {
        Self(bits)
    }

    /// Whether it is one of so many in a hundred, which nobody can foresee.
    pub const fn is_among(self, percent: u32) -> bool {
        self.0 % 100 < percent as u128
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

impl RequestId {
    /// 32 hexadecimal digits.
    fn digits(self) -> [u8; 32] {
        let mut digits = [0; 32];
        for (at, octet) in self.0.to_be_bytes().into_iter().enumerate() {
            digits[2 * at] = DIGITS[usize::from(octet >> 4)];
            digits[2 * at + 1] = DIGITS[usize::from(octet & 0xf)];
        }
        digits
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.digits()).expect("digits are text"))
    }
}

impl From<RequestId> for HeaderValue {
    /// A value that HPACK and QPACK never index (RFC 7541 6.2.3): no other response has it, and in their tables it would
    /// drive out what the next ones do have.
    fn from(id: RequestId) -> Self {
        let mut value = Self::from_bytes(&id.digits()).expect("digits may stand in a field");
        value.set_sensitive(true);
        value
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How the viewer spoke to us, or to the trusted proxy before us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Clear text.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that its URLs need not name.
    pub const fn usual_port(self) -> &'static str {
        match self {
            Self::Http => "80",
            Self::Https => "443",
        }
    }
}

/// What the edge looks at whatever is asked: who reads it and how, by which signed cookies, from which kind of device, and
/// through whom it came. Cookies go no further than the behavior lets them.
const OF_THE_VIEWER: [HeaderName; 8] =
    [ACCEPT_ENCODING, HeaderName::from_static("cdn-loop"), CONNECTION, COOKIE, HOST, ORIGIN, USER_AGENT, VIA];

/// Whether a field says how one request is meant, and not who makes it: its body, its conditions, what it wishes of caches.
fn is_of_request(name: &HeaderName) -> bool {
    const FAMILIES: [&str; 3] = ["access-control-request-", "content-", "if-"];
    [CACHE_CONTROL, EXPECT, PRAGMA, RANGE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE].contains(name)
        || FAMILIES.iter().any(|it| name.as_str().starts_with(it))
}

/// One HTTP request whose framing, target and host are legal.
#[derive(Clone, Debug)]
pub struct Request(Facts);

/// The facts of a [`Request`], as its maker hands them over.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its name.
    pub id: RequestId,
    /// The viewer's address: the peer's, or what a trusted proxy says.
    pub client: IpAddr,
    /// The viewer's port; none where a proxy speaks for it and does not say.
    pub client_port: Option<u16>,
    /// How the viewer spoke.
    pub scheme: Scheme,
    /// `Host` or `:authority` as sent, lower case, with its port when it is not the scheme's default.
    pub host: Arc<str>,
    /// The name its TLS connection was made for, where the certificate shown for that does not speak for `host`.
    pub other_name: Option<Arc<str>>,
    /// Method, target and fields as sent; the access log reads them, too.
    pub head: Arc<Parts>,
    /// Whether a body comes behind them.
    pub has_body: bool,
    /// When its head had come.
    pub received: SystemTime,
}

impl Request {
    /// Made by `viewer` alone.
    pub const fn new(_: viewer::Witness, facts: Facts) -> Self {
        Self(facts)
    }

    /// How many servers may be asked in turn; none: any number, as with all but `OPTIONS`.
    pub fn max_forwards(&self) -> Option<u32> {
        let said = self.headers().get(MAX_FORWARDS).filter(|_| *self.method() == Method::OPTIONS)?;
        let digits =
            said.to_str().ok().filter(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit()))?;
        // What is more than can be counted is as good as the most.
        Some(digits.parse().unwrap_or(u32::MAX))
    }

    /// It came over a TLS connection that was made for another name. Said by `viewer` alone.
    pub fn over_connection_to(self, _: viewer::Witness, other_name: Arc<str>) -> Self {
        Self(Facts { other_name: Some(other_name), ..self.0 })
    }

    /// What the same viewer would ask to be shown in place of an error: another path, as a whole, whatever was asked first.
    /// Of its fields it has what the page's own behavior tells an origin, and what the edge itself looks at: the rest
    /// belonged to the request that failed.
    #[must_use]
    pub fn for_page(&self, _: behavior::Witness, path: &str, page: &Behavior) -> Self {
        let mut head = Parts::clone(&self.0.head);
        if head.method != Method::HEAD {
            head.method = Method::GET;
        }
        if let Ok(uri) = Uri::try_from(path) {
            head.uri = uri;
        }
        let stays =
            |name: &HeaderName| OF_THE_VIEWER.contains(name) || page.tells(name) && !is_of_request(name);
        head.headers = self
            .headers()
            .iter()
            .filter(|(name, _)| stays(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Self(Facts { head: Arc::new(head), has_body: false, ..self.0.clone() })
    }

    /// Its name.
    pub const fn id(&self) -> RequestId {
        self.0.id
    }

    /// The viewer's address.
    pub const fn client(&self) -> IpAddr {
        self.0.client
    }

    /// The viewer's port, if it is known.
    pub const fn client_port(&self) -> Option<u16> {
        self.0.client_port
    }

    /// How the viewer spoke.
    pub const fn scheme(&self) -> Scheme {
        self.0.scheme
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.0.head.method
    }

    /// Whether a body comes behind it.
    pub const fn has_body(&self) -> bool {
        self.0.has_body
    }

    /// The protocol's version.
    pub fn version(&self) -> Version {
        self.0.head.version
    }

    /// The host as sent, lower case, with a port that is not the scheme's default.
    pub const fn host(&self) -> &Arc<str> {
        &self.0.host
    }

    /// The name its TLS connection was made for, where the certificate shown for that does not speak for the host.
    pub fn other_name(&self) -> Option<&str> {
        self.0.other_name.as_deref()
    }

    /// The host without its port.
    pub fn host_name(&self) -> &str {
        match self.host().rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|it| it.is_ascii_digit()) => name,
            _ => self.host(),
        }
    }

    /// The target as sent.
    pub fn target(&self) -> &Uri {
        &self.0.head.uri
    }

    /// The path as sent, beginning with `/`.
    pub fn path(&self) -> &str {
        self.0.head.uri.path()
    }

    /// The query as sent, without its `?`.
    pub fn query(&self) -> Option<&str> {
        self.0.head.uri.query()
    }

    /// A field's value, when it is text.
    pub fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    /// All fields.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.head.headers
    }

    /// When its head had come.
    pub const fn received(&self) -> SystemTime {
        self.0.received
    }
}
