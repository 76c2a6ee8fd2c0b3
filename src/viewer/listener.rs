//! Listening sockets, and who may hold a connection.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use config::units::IpNetwork;
use http_body::Body;
use hyper::body::Incoming;
use rustix::net::{AddressFamily, SocketType, sockopt};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::activity::{Activity, Order, Patience};
use super::connection::{self, Shared};
use super::peers::Peers;
use super::plain::Plain;
use super::record::{Books, Names, Record, Visit};
use super::request::Peer;
use super::steady::Steady;
use super::tls::{Certificates, Negotiated};
use super::visitors::{self, Visitors};
use crate::counter::Counter;
use crate::passage::{Request, Scheme};

/// A TLS handshake takes two round trips; who needs longer is not a viewer (http-edge.md 17).
const TLS_HANDSHAKE: Duration = Duration::from_secs(5);
/// Connections are looked after so often within the shortest of their deadlines, though not more than once a second.
const LOOKS: u32 = 4;
const SHORTEST_LOOK: Duration = Duration::from_secs(1);
/// Connections the kernel may hold for us while we are busy.
const BACKLOG: i32 = 4096;

/// What turns a request into a response.
pub trait Serve: Send + Sync + 'static {
    /// The response's octets.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Unpin
        + Send
        + 'static;

    /// Answers one request; every failure is an answer too. `body` is empty unless [`Limits::bodies`] lets it come.
    fn serve(
        &self,
        request: Request,
        body: Incoming,
    ) -> impl Future<Output = http::Response<Self::Body>> + Send;
}

/// Whether requests may have bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bodies {
    /// None is taken.
    Refused,
    /// Whoever serves reads them, within bounds of its own.
    Taken,
}

/// Bounds on viewers; each from `config::listen`.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most connections at once.
    pub max_connections: u32,
    /// Most connections of one client at once.
    pub max_connections_per_client: u32,
    /// How long a request's head may take.
    pub header_timeout: Duration,
    /// How long a connection may idle.
    pub keep_alive: Duration,
    /// How long a viewer may take next to nothing of a response.
    pub send_timeout: Duration,
    /// Octets of a request's head.
    pub max_header: usize,
    /// Whether requests may have bodies.
    pub bodies: Bodies,
    /// Whose `X-Forwarded-*` is believed.
    pub trusted_proxies: Vec<IpNetwork>,
    /// Who is exempt from the bound per client.
    pub trusted_clients: Vec<IpNetwork>,
}

/// The books of this station.
#[derive(Debug, Default)]
pub struct Stats {
    /// Connections taken.
    pub accepted: Counter,
    /// Connections ended.
    pub closed: Counter,
    /// Connections turned away because the server or the client had its most.
    pub turned_away: Counter,
    /// TLS handshakes that failed or took too long.
    pub failed_handshakes: Counter,
    /// Connections closed because a request's head did not come in time.
    pub slow_heads: Counter,
    /// Requests that were refused before anyone asked whose they are.
    pub rude: Counter,
    /// Responses by the hundred of their status, 1xx first.
    pub responses: [Counter; 5],
    /// Octets of responses.
    pub sent_bytes: Counter,
    /// Responses the viewer did not take to their end.
    pub aborted: Counter,
}

impl Stats {
    pub(super) fn answered(&self, record: &Record) {
        let hundred = record.status.map_or(0, |it| usize::from(it.as_u16() / 100));
        if let Some(counter) = self.responses.get(hundred.wrapping_sub(1)) {
            counter.add_one();
        }
        self.sent_bytes.add(record.sent_bytes);
        if !record.complete {
            self.aborted.add_one();
        }
    }
}

/// A bound address that is not yet listened to.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    tls: Option<Tls>,
}

/// How a listener speaks TLS.
#[derive(Clone, Debug)]
pub struct Tls {
    /// What is spoken.
    pub config: Arc<ServerConfig>,
    /// What is shown.
    pub certificates: Arc<Certificates>,
}

impl Listener {
    /// Binds `address`; the unspecified address of either family takes both.
    ///
    /// # Errors
    /// What the system says, with the address and `what` it was for.
    pub fn bind(what: &str, address: SocketAddr, tls: Option<Tls>) -> io::Result<Self> {
        Ok(Self { socket: bind(what, address)?, tls })
    }

    /// Where it listens; tells the port when 0 was asked for.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// What a handshake comes to, unless it fails, takes too long or its viewer is told to leave.
async fn within_handshake<T>(
    handshake: impl Future<Output = io::Result<T>>,
    activity: &Activity,
) -> Option<T> {
    tokio::select! {
        done = tokio::time::timeout(TLS_HANDSHAKE, handshake) => done.ok()?.ok(),
        _ = poll_fn(|cx| activity.poll_told(Order::Late, cx)) => None,
    }
}

/// A dual-stack listening socket for `address`.
///
/// # Errors
/// What the system says, with the address and `what` it was for.
pub fn bind(what: &str, address: SocketAddr) -> io::Result<TcpListener> {
    dual_stack(address).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on {address} for {what}: {error}"))
    })
}

fn dual_stack(address: SocketAddr) -> io::Result<TcpListener> {
    let listen = |address: SocketAddr| -> io::Result<TcpListener> {
        let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
        let flags = rustix::net::SocketFlags::CLOEXEC | rustix::net::SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
            sockopt::set_ipv6_v6only(&socket, false)?;
        }
        rustix::net::bind(&socket, &address)?;
        rustix::net::listen(&socket, BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    if address.ip().is_unspecified() {
        let both = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), address.port());
        match listen(both) {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {} // a system without IPv6
            bound => return bound,
        }
    }
    listen(address)
}

/// Everything that takes connections for one server.
pub struct Viewers<S> {
    shared: Arc<Shared<S>>,
    permits: Arc<Semaphore>,
    peers: Arc<Peers>,
    visitors: Arc<Visitors>,
}

impl<S: Serve> Viewers<S> {
    /// Viewers served by `serve`, each response written down by `journal`. To be called within a runtime: a task looks
    /// after them.
    pub fn new(
        serve: S,
        limits: Limits,
        stats: Arc<Stats>,
        journal: impl Fn(&Record) + Send + Sync + 'static,
    ) -> Self {
        let visitors = Visitors::new();
        let shortest = limits.header_timeout.min(limits.keep_alive).min(limits.send_timeout);
        let period = (shortest / LOOKS).max(SHORTEST_LOOK);
        tokio::spawn(visitors::look_after(Arc::downgrade(&visitors), period));
        Self {
            visitors,
            permits: Arc::new(Semaphore::new(limits.max_connections as usize)),
            peers: Peers::new(limits.max_connections_per_client, limits.trusted_clients.clone()),
            shared: Arc::new(Shared {
                serve,
                limits,
                books: Arc::new(Books { names: Names::default(), stats, journal: Box::new(journal) }),
                tasks: TaskTracker::new(),
            }),
        }
    }

    /// Takes connections until `stop`; the listening socket closes then, and connections end with what they answer.
    pub async fn listen(&self, listener: Listener, stop: CancellationToken) {
        let Listener { socket, tls } = listener;
        loop {
            let accepted = tokio::select! {
                it = socket.accept() => it,
                () = stop.cancelled() => {
                    self.visitors.tell_all(Order::Finish);
                    return;
                }
            };
            match accepted {
                Ok((stream, address)) => self.welcome(stream, address, tls.clone()),
                Err(error) => {
                    // Out of descriptors, or the viewer left already: waiting a little lets others finish.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    fn welcome(&self, stream: TcpStream, address: SocketAddr, tls: Option<Tls>) {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let stats = Arc::clone(&self.shared.books.stats);
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok();
        let (Some(permit), Some(place)) = (permit, self.peers.enter(address.ip())) else {
            stats.turned_away.add_one();
            return;
        };
        // Without it the last packet of a response waits for an acknowledgement, 40 ms on common systems.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        stats.accepted.add_one();
        let shared = Arc::clone(&self.shared);
        let Limits { header_timeout: header, keep_alive, send_timeout: send, .. } = shared.limits;
        let activity = Arc::new(Activity::new(Instant::now(), Patience { header, keep_alive, send }));
        let visitor = self.visitors.enter(Arc::clone(&activity));
        self.shared.tasks.spawn(async move {
            let socket = Steady::new(Plain::new(stream), send);
            let visit = |scheme, tls| Visit {
                peer: Peer { address, scheme },
                tls,
                activity: Arc::clone(&activity),
                books: Arc::clone(&shared.books),
            };
            match tls {
                None => {
                    connection::run(socket, visit(Scheme::Http, None), Arc::clone(&shared)).await;
                }
                Some(Tls { config, certificates }) => {
                    let handshake = TlsAcceptor::from(config).accept(socket);
                    match within_handshake(handshake, &activity).await {
                        Some(socket) => {
                            let agreed = Negotiated::over_tcp(socket.get_ref().1, certificates);
                            let visit = visit(Scheme::Https, Some(agreed));
                            connection::run(socket, visit, Arc::clone(&shared)).await;
                        }
                        None => stats.failed_handshakes.add_one(),
                    }
                }
            }
            stats.closed.add_one();
            drop((permit, place, visitor));
        });
    }

    /// Waits until the last connection has ended; call after every `listen` has returned.
    pub async fn drained(&self) {
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    /// Ends the connections there are, wherever they are, and waits until each of their requests was written down.
    pub async fn cut(&self) {
        self.visitors.tell_all(Order::Leave);
        self.drained().await;
    }
}
