//! Where viewers come in: listeners, TLS, HTTP framing, slow and rude clients.
//!
//! Takes connections, gives a legal [`Request`](crate::passage::Request) to whoever serves, and writes the response.
//! It knows nothing of distributions, signatures or caches.

mod activity;
mod body;
mod budget;
mod connection;
mod frames;
mod lent;
mod lines;
mod listener;
mod peers;
mod plain;
mod proxy_protocol;
#[cfg(feature = "http3")]
mod quic;
mod record;
mod request;
mod steady;
pub mod tls;
mod visitors;

pub use body::RequestBody;
pub use listener::{Limits, Listener, Serve, Stats, Tls, Viewers, bind};
pub use peers::Crowd;
#[cfg(feature = "http3")]
pub use quic::QuicListener;
pub use record::Record;
pub use request::{Peer, Rude, read as read_request};

/// Proof that this station speaks; made here alone.
#[derive(Clone, Copy, Debug)]
pub struct Witness(());

#[cfg(test)]
impl Witness {
    /// For tests of the stations behind this one.
    pub(crate) const fn in_tests() -> Self {
        Self(())
    }
}
