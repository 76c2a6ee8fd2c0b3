//! What a viewer asked, before anyone judged it.

use std::fmt;
use std::net::IpAddr;
use std::time::SystemTime;

use http::{HeaderMap, Method, Version};

use crate::viewer;

/// Names one request in headers, logs and traces.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(u128);

impl RequestId {
    /// From 128 random bits.
    pub const fn new(bits: u128) -> Self {
        Self(bits)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
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
}

/// One HTTP request whose framing, target and host are legal.
#[derive(Clone, Debug)]
pub struct Request {
    id: RequestId,
    client: IpAddr,
    client_port: u16,
    scheme: Scheme,
    method: Method,
    version: Version,
    host: String,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    received: SystemTime,
}

/// The facts of a [`Request`], as its maker hands them over.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its name.
    pub id: RequestId,
    /// The viewer's address: the peer's, or what a trusted proxy says.
    pub client: IpAddr,
    /// The viewer's port.
    pub client_port: u16,
    /// How the viewer spoke.
    pub scheme: Scheme,
    /// The method.
    pub method: Method,
    /// The protocol's version.
    pub version: Version,
    /// `Host` or `:authority` as sent, lower case, with its port when it is not the scheme's default.
    pub host: String,
    /// The path as sent, beginning with `/`.
    pub path: String,
    /// What follows the first `?`, as sent.
    pub query: Option<String>,
    /// All fields.
    pub headers: HeaderMap,
    /// When its head had come.
    pub received: SystemTime,
}

impl Request {
    /// Made by `viewer` alone.
    pub fn new(_: viewer::Witness, facts: Facts) -> Self {
        let Facts { id, client, client_port, scheme, method, version, host, path, query, headers, received } =
            facts;
        Self { id, client, client_port, scheme, method, version, host, path, query, headers, received }
    }

    /// Its name.
    pub const fn id(&self) -> RequestId {
        self.id
    }

    /// The viewer's address.
    pub const fn client(&self) -> IpAddr {
        self.client
    }

    /// The viewer's port.
    pub const fn client_port(&self) -> u16 {
        self.client_port
    }

    /// How the viewer spoke.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The method.
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// The protocol's version.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The host as sent, lower case, with a port that is not the scheme's default.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host without its port.
    pub fn host_name(&self) -> &str {
        match self.host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|it| it.is_ascii_digit()) => name,
            _ => &self.host,
        }
    }

    /// The path as sent.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query as sent, without its `?`.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// A field's value, when it is text.
    pub fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All fields.
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// When its head had come.
    pub const fn received(&self) -> SystemTime {
        self.received
    }
}
