//! Addresses, TLS and connection limits.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::units::{ByteSize, IpNetwork};

/// Where viewers and publishers come in.
#[derive(Clone, Debug)]
pub struct Listen {
    /// RTMP; `0.0.0.0` and `[::]` listen dual-stack. None: no RTMP.
    pub rtmp: Option<SocketAddr>,
    /// HTTP/1.1 and HTTP/2 with prior knowledge, clear text.
    pub http: Option<SocketAddr>,
    /// HTTP/1.1 and HTTP/2 over TLS.
    pub https: Option<Https>,
    /// Most viewer connections at once, both listeners together.
    pub max_connections: u32,
    /// Most viewer connections at once from one address (IPv6: one /64); loopback and trusted clients are exempt.
    pub max_connections_per_client: u32,
    /// How long a request's head may take to arrive.
    pub header_timeout: Duration,
    /// How long a connection may idle between requests.
    pub keep_alive: Duration,
    /// Longest a viewer may take no byte of a response before it is cut.
    pub send_timeout: Duration,
    /// Most bytes of a request's line and headers.
    pub max_header: ByteSize,
    /// Peers whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<IpNetwork>,
    /// Peers exempt from per-address limits, beside loopback.
    pub trusted_clients: Vec<IpNetwork>,
    /// How long a shutdown waits for requests in flight.
    pub drain: Duration,
}

/// The TLS listener.
#[derive(Clone, Debug)]
pub struct Https {
    /// Where it listens.
    pub address: SocketAddr,
    /// PEM chain, leaf first. Read again at reload.
    pub certificate: PathBuf,
    /// PEM private key. Read again at reload.
    pub private_key: PathBuf,
}
