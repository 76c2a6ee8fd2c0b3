//! The RTMP server: takes connections in, and lets them go in order.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use packager::live::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, info_span, warn};

use crate::admission::Admission;
use crate::connection;
use crate::fanout::Fanout;
use crate::peers::Peers;
use crate::rtmp::session::Limits;
use crate::stats::{Present, Stats};

/// What the operator decides about RTMP connections.
#[derive(Clone)]
pub struct Settings {
    /// Most connections at once.
    pub max_connections: u32,
    /// Most connections at once from one client: an IPv4 address or an IPv6 /64.
    pub max_connections_per_client: u32,
    /// Which addresses that does not bind, besides loopback.
    pub trusted: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
    /// Bounds of each session.
    pub limits: Limits,
    /// How many bytes of rendered messages are kept for the players of one broadcast.
    pub ring_bytes: usize,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("max_connections", &self.max_connections)
            .field("max_connections_per_client", &self.max_connections_per_client)
            .field("limits", &self.limits)
            .field("ring_bytes", &self.ring_bytes)
            .finish_non_exhaustive()
    }
}

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) registry: Registry,
    pub(crate) admission: Arc<dyn Admission>,
    pub(crate) fanout: Fanout,
    pub(crate) stats: Arc<Stats>,
}

/// An RTMP server.
pub struct Server {
    shared: Arc<Shared>,
    peers: Arc<Peers>,
    tasks: TaskTracker,
}

impl Server {
    /// A server that publishes to `registry` and plays from it whatever `admission` lets in.
    pub fn new(
        settings: Settings,
        registry: Registry,
        admission: Arc<dyn Admission>,
        stats: Arc<Stats>,
    ) -> Self {
        let tasks = TaskTracker::new();
        let peers = Peers::new(settings.max_connections_per_client, Arc::clone(&settings.trusted));
        let fanout = Fanout::new(settings.ring_bytes, tasks.clone());
        Self { shared: Arc::new(Shared { settings, registry, admission, fanout, stats }), peers, tasks }
    }

    /// Takes connections from `listener` until told to stop; then tells each peer, and returns when all are gone.
    /// How long that may take is the caller's to say.
    pub async fn run(self, listener: TcpListener, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((socket, address)) => self.enter(socket, canonical(address), &stop),
                    Err(error) => rest(&error).await,
                },
            }
        }
        drop(listener);
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn enter(&self, socket: TcpStream, peer: SocketAddr, stop: &CancellationToken) {
        let stats = &self.shared.stats;
        let room = stats.connections.count() < u64::from(self.shared.settings.max_connections);
        let Some(place) = room.then(|| self.peers.enter(peer.ip())).flatten() else {
            stats.turned_away.increment();
            debug!(%peer, "turned a connection away: there are too many");
            return;
        };
        stats.accepted.increment();
        // Without this a reply waits up to 40 ms for the acknowledgement of the one before.
        if let Err(error) = socket.set_nodelay(true) {
            debug!(%peer, %error, "a connection was gone at once");
            return;
        }
        let (shared, stop) = (Arc::clone(&self.shared), stop.clone());
        let span = info_span!("rtmp", %peer, broadcast = tracing::field::Empty);
        let present = Present::count(stats, |it| &it.connections);
        self.tasks.spawn(
            async move {
                let (_place, _present) = (place, present);
                let (reader, writer) = socket.into_split();
                connection::serve(reader, writer, peer, shared, stop).await;
            }
            .instrument(span),
        );
    }
}

/// An IPv4 client of a dual-stack listener is an IPv4 client.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// A failed accept is one client's misfortune, unless the system is out of something; then a moment passes before
/// the next try, so that a full table does not become a full core as well.
async fn rest(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if !matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
        warn!(%error, "cannot accept RTMP connections");
        sleep(Duration::from_millis(200)).await;
    }
}
