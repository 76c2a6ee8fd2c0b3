//! The control address.

use std::net::SocketAddr;

/// Where operators come in.
#[derive(Clone, Debug)]
pub struct Control {
    /// Its address; beyond loopback it is a problem, since it has no TLS. None: no control page.
    pub address: Option<SocketAddr>,
    /// How the control page names this server to encoders and viewers, such as `stream.example.com`. None: the
    /// host the page was asked under.
    pub public_host: Option<String>,
}
