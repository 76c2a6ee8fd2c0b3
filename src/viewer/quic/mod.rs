//! HTTP/3: viewers who come over UDP.

mod asked;
mod connection;
mod frames;
mod guard;
mod one_way;
mod streams;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use config::listen::SecurityPolicy;
use quinn::crypto::rustls::{HandshakeData, QuicServerConfig};
use quinn::{
    Endpoint, EndpointConfig, IdleTimeout, Incoming, ServerConfig, TokioRuntime, TransportConfig, VarInt,
};
use tokio_util::sync::CancellationToken;

pub(super) use self::asked::Behind;
use super::activity::Order;
use super::connection::MAX_STREAMS;
use super::listener::{Serve, Viewers, canonical, place, udp, within_handshake};
use super::record::Visit;
use super::request::Peer;
use super::tls::{self, Certificates, Negotiated};
use crate::passage::Scheme;

/// A connection without a packet for so long has gone (http-edge.md 17): browsers keep one alive while they wait.
const IDLE: Duration = Duration::from_secs(30);
/// Streams beside requests: three are HTTP/3's own, and some browsers open others to keep servers from minding.
const ONE_WAY_STREAMS: u32 = 16;
/// What may be under way of a request, and of all requests of one connection: heads and bodies, which are small.
const RECEIVE_STREAM: u32 = 64 * 1024;
const RECEIVE: u32 = 256 * 1024;
/// What may be under way of all responses of one connection: 400 Mbit/s over 20 ms.
const SEND: u64 = 1024 * 1024;
/// What a client is told that has too many connections (RFC 9114 8.1).
const EXCESSIVE_LOAD: u32 = 0x107;
/// Handshakes at once above which addresses must prove that they are there (http-edge.md 19).
const RETRY_ABOVE: usize = 64;
/// Connections that nobody has looked at yet, and octets of theirs.
const WAITING: usize = 1024;
const WAITING_OCTETS: u64 = 16 * 1024;
const ALL_WAITING_OCTETS: u64 = 4 * 1024 * 1024;

/// A bound address that is not yet listened to.
#[derive(Debug)]
pub struct QuicListener {
    endpoint: Endpoint,
    certificates: Arc<Certificates>,
}

impl QuicListener {
    /// Binds `address`; the unspecified address of either family takes both. To be called within a runtime.
    ///
    /// # Errors
    /// What the system says, with the address.
    pub fn bind(
        address: SocketAddr,
        certificates: &Arc<Certificates>,
        policy: SecurityPolicy,
    ) -> io::Result<Self> {
        let mut transport = TransportConfig::default();
        transport
            .max_concurrent_bidi_streams(MAX_STREAMS.into())
            .max_concurrent_uni_streams(ONE_WAY_STREAMS.into())
            .stream_receive_window(RECEIVE_STREAM.into())
            .receive_window(RECEIVE.into())
            .send_window(SEND)
            .datagram_receive_buffer_size(None)
            .max_idle_timeout(Some(IdleTimeout::try_from(IDLE).expect("it is no age")));
        let tls = tls::quic_config(certificates, policy)?;
        let crypto = QuicServerConfig::try_from(tls).map_err(io::Error::other)?;
        let mut server = ServerConfig::with_crypto(Arc::new(crypto));
        server
            .transport_config(Arc::new(transport))
            .max_incoming(WAITING)
            .incoming_buffer_size(WAITING_OCTETS)
            .incoming_buffer_size_total(ALL_WAITING_OCTETS);
        let socket = udp("HTTP/3", address)?;
        let endpoint =
            Endpoint::new(EndpointConfig::default(), Some(server), socket, Arc::new(TokioRuntime))?;
        Ok(Self { endpoint, certificates: Arc::clone(certificates) })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }
}

impl<S: Serve> Viewers<S> {
    /// Takes connections over QUIC until `stop`; connections end with what they answer.
    pub async fn listen_quic(&self, listener: QuicListener, stop: CancellationToken) {
        let QuicListener { endpoint, certificates } = listener;
        // Each handshake holds one of them.
        let handshakes = Arc::new(());
        loop {
            let incoming = tokio::select! {
                it = endpoint.accept() => it,
                () = stop.cancelled() => None,
            };
            let Some(incoming) = incoming else { break };
            let busy = Arc::strong_count(&handshakes) > RETRY_ABOVE;
            if busy && !incoming.remote_address_validated() && incoming.may_retry() {
                // It fails only for those who have been asked before.
                let _ = incoming.retry();
                continue;
            }
            self.welcome_quic(incoming, Arc::clone(&handshakes), Arc::clone(&certificates));
        }
        endpoint.set_server_config(None);
        self.visitors.tell_all(Order::Finish);
        // The last word to each viewer is sent after its connection has ended here.
        self.shared.tasks.spawn(async move { endpoint.wait_idle().await });
    }

    fn welcome_quic(&self, incoming: Incoming, handshake: Arc<()>, certificates: Arc<Certificates>) {
        let address = canonical(incoming.remote_address());
        // Whoever writes another's address into a packet takes none of that one's places.
        let client = incoming.remote_address_validated().then(|| address.ip());
        let Some(mut presence) = self.enter(client) else { return incoming.refuse() };
        let (shared, peers) = (Arc::clone(&self.shared), Arc::clone(&self.peers));
        self.shared.tasks.spawn(async move {
            let activity = Arc::clone(&presence.activity);
            let connecting =
                async { incoming.accept().map_err(io::Error::from)?.await.map_err(io::Error::from) };
            let connection = within_handshake(connecting, &activity).await;
            drop(handshake);
            match connection {
                Some(quic) => {
                    if presence.place.is_none() {
                        presence.place = place(address.ip(), &peers, &shared.books.stats);
                    }
                    if presence.place.is_none() {
                        quic.close(VarInt::from_u32(EXCESSIVE_LOAD), b"");
                        return shared.books.stats.closed.add_one();
                    }
                    let visit = Visit {
                        peer: Peer { address, scheme: Scheme::Https },
                        tls: Some(Negotiated::over_quic(server_name(&quic), certificates)),
                        alt_svc: None,
                        activity,
                        requests: AtomicU32::new(0),
                        books: Arc::clone(&shared.books),
                    };
                    connection::run(quic, visit, Arc::clone(&shared)).await;
                }
                None => shared.books.stats.failed_handshakes.add_one(),
            }
            shared.books.stats.closed.add_one();
            drop(presence);
        });
    }
}

fn server_name(connection: &quinn::Connection) -> Option<String> {
    connection.handshake_data()?.downcast::<HandshakeData>().ok()?.server_name
}
