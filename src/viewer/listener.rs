//! Listening sockets, and who may hold a connection.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use config::units::IpNetwork;
use http::HeaderValue;
use http_body::Body;
use rustix::net::{AddressFamily, SocketType, sockopt};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::activity::{Activity, Order, Patience};
use super::body::RequestBody;
use super::connection::{self, Shared};
use super::peers::{Crowd, Peers, Place, TurnedAway};
use super::plain::Plain;
use super::proxy_protocol;
use super::record::{Books, Names, Record, Visit};
use super::request::Peer;
use super::steady::Steady;
use super::tls::{Certificates, Negotiated, Protocol};
use super::visitors::{self, Visitor, Visitors};
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

    /// Answers one request; every failure is an answer too. Whoever reads `body` does so within bounds of
    /// its own; a request that only reads has none.
    fn serve(
        &self,
        request: Request,
        body: RequestBody,
    ) -> impl Future<Output = http::Response<Self::Body>> + Send;
}

/// Bounds on viewers; each from `config::listen`.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most connections at once.
    pub max_connections: u32,
    /// Most connections of one client, and of its network.
    pub crowd: Crowd,
    /// Requests of one connection, after which it ends.
    pub max_requests_per_connection: u32,
    /// How long a request's head may take.
    pub header_timeout: Duration,
    /// How long a connection may idle.
    pub keep_alive: Duration,
    /// How long a viewer may take next to nothing of a response.
    pub send_timeout: Duration,
    /// Octets of a request's head.
    pub max_header: usize,
    /// Whose `X-Forwarded-*` is believed.
    pub trusted_proxies: Vec<IpNetwork>,
    /// Whether those begin each connection by saying for whom they speak.
    pub proxy_protocol: bool,
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
    /// Those of them whose client, or its network, had opened too many within a second.
    pub hasty: Counter,
    /// Connections that ended because they had made their most requests.
    pub spent: Counter,
    /// Connections closed because they said too much beside requests, or reset what they asked.
    pub floods: Counter,
    /// TLS handshakes, and PROXY headers, that failed or took too long.
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
    /// Where the same is served over HTTP/3, if it is (RFC 7838).
    pub alt_svc: Option<HeaderValue>,
}

impl Listener {
    /// Binds `address`; the unspecified address of either family takes both.
    ///
    /// # Errors
    /// What the system says, with the address and `what` it was for.
    pub fn bind(what: &str, address: SocketAddr, tls: Option<Tls>) -> io::Result<Self> {
        Ok(Self { socket: bind(what, address)?, tls })
    }

    /// Tells viewers that the same is served over HTTP/3 at the same port of UDP, which must be listened to by now.
    ///
    /// # Errors
    /// What the system says.
    #[cfg(feature = "http3")]
    pub fn offer_http3(&mut self) -> io::Result<()> {
        let value = format!("h3=\":{}\"; ma=86400", self.local_address()?.port());
        if let Some(tls) = &mut self.tls {
            tls.alt_svc = Some(HeaderValue::try_from(value).expect("it is text"));
        }
        Ok(())
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
pub(super) async fn within_handshake<T>(
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
    dual_stack(address, SocketType::STREAM, |it| Ok(rustix::net::listen(it, BACKLOG)?))
        .and_then(|it| TcpListener::from_std(it.into()))
        .map_err(|error| cannot_listen(what, address, &error))
}

/// A dual-stack datagram socket for `address`.
#[cfg(feature = "http3")]
pub(super) fn udp(what: &str, address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = dual_stack(address, SocketType::DGRAM, |_| Ok(()));
    socket.map(Into::into).map_err(|error| cannot_listen(what, address, &error))
}

fn cannot_listen(what: &str, address: SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {address} for {what}: {error}"))
}

fn dual_stack(
    address: SocketAddr,
    kind: SocketType,
    ready: impl Fn(&OwnedFd) -> io::Result<()>,
) -> io::Result<OwnedFd> {
    let open = |address: SocketAddr| -> io::Result<OwnedFd> {
        let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
        let flags = rustix::net::SocketFlags::CLOEXEC | rustix::net::SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(family, kind, flags, None)?;
        if kind == SocketType::STREAM {
            sockopt::set_socket_reuseaddr(&socket, true)?;
        }
        if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
            sockopt::set_ipv6_v6only(&socket, false)?;
        }
        rustix::net::bind(&socket, &address)?;
        ready(&socket)?;
        Ok(socket)
    };
    if address.ip().is_unspecified() {
        let both = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), address.port());
        match open(both) {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {} // a system without IPv6
            bound => return bound,
        }
    }
    open(address)
}

/// Everything that takes connections for one server.
pub struct Viewers<S> {
    pub(super) shared: Arc<Shared<S>>,
    permits: Arc<Semaphore>,
    pub(super) peers: Arc<Peers>,
    pub(super) visitors: Arc<Visitors>,
}

/// A connection's being here, within all bounds.
pub(super) struct Presence {
    pub(super) activity: Arc<Activity>,
    _permit: OwnedSemaphorePermit,
    /// None as long as a proxy has not said for whom it speaks, or an address has not proved that it is there.
    pub(super) place: Option<Place>,
    _visitor: Visitor,
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
            peers: Peers::new(limits.crowd, limits.trusted_clients.clone()),
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

    /// One more connection, of `client` if it is known yet, unless the server or the client has its most.
    pub(super) fn enter(&self, client: Option<IpAddr>) -> Option<Presence> {
        let stats = &self.shared.books.stats;
        let place = match client {
            Some(client) => Some(place(client, &self.peers, stats)?),
            None => None,
        };
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            stats.turned_away.add_one();
            return None;
        };
        stats.accepted.add_one();
        let Limits { header_timeout: header, keep_alive, send_timeout: send, .. } = self.shared.limits;
        let activity = Arc::new(Activity::new(Instant::now(), Patience { header, keep_alive, send }));
        let visitor = self.visitors.enter(Arc::clone(&activity));
        Some(Presence { activity, _permit: permit, place, _visitor: visitor })
    }

    fn welcome(&self, stream: TcpStream, address: SocketAddr, tls: Option<Tls>) {
        let address = canonical(address);
        // Without it the last packet of a response waits for an acknowledgement, 40 ms on common systems.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let Limits { proxy_protocol, trusted_proxies, .. } = &self.shared.limits;
        let is_proxy = *proxy_protocol && trusted_proxies.iter().any(|it| it.contains(address.ip()));
        let Some(mut presence) = self.enter((!is_proxy).then(|| address.ip())) else { return };
        let (shared, peers) = (Arc::clone(&self.shared), Arc::clone(&self.peers));
        self.shared.tasks.spawn(async move {
            let mut stream = stream;
            let address = if is_proxy {
                Box::pin(announced(&mut stream, address, &mut presence, &peers, &shared.books.stats)).await
            } else {
                Some(address)
            };
            if let Some(address) = address {
                receive(stream, address, tls, &presence.activity, &shared).await;
            }
            shared.books.stats.closed.add_one();
            drop(presence);
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

/// Whom a proxy speaks for, who takes a place of its own then; nothing when it does not say, or there is no place.
async fn announced(
    stream: &mut TcpStream,
    proxy: SocketAddr,
    presence: &mut Presence,
    peers: &Arc<Peers>,
    stats: &Stats,
) -> Option<SocketAddr> {
    let header = proxy_protocol::read(stream);
    let Some(announced) = within_handshake(header, &presence.activity).await else {
        tracing::debug!(%proxy, "a proxy did not say for whom it speaks");
        stats.failed_handshakes.add_one();
        return None;
    };
    let address = announced.unwrap_or(proxy);
    presence.place = Some(place(address.ip(), peers, stats)?);
    Some(address)
}

/// A place for one more connection of a client, unless it or its network has too many or opens too many at once.
pub(super) fn place(client: IpAddr, peers: &Arc<Peers>, stats: &Stats) -> Option<Place> {
    let turned_away = match peers.enter(client, SystemTime::now()) {
        Ok(place) => return Some(place),
        Err(it) => it,
    };
    stats.turned_away.add_one();
    if turned_away == TurnedAway::Hasty {
        stats.hasty.add_one();
    }
    None
}

/// Speaks to a viewer until one has had enough.
async fn receive<S: Serve>(
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<Tls>,
    activity: &Arc<Activity>,
    shared: &Arc<Shared<S>>,
) {
    let socket = Steady::new(Plain::new(stream), shared.limits.send_timeout);
    let visit = |scheme, tls, alt_svc| Visit {
        peer: Peer { address, scheme },
        tls,
        alt_svc,
        activity: Arc::clone(activity),
        requests: AtomicU32::new(0),
        books: Arc::clone(&shared.books),
    };
    let Some(Tls { config, certificates, alt_svc }) = tls else {
        let visit = visit(Scheme::Http, None, None);
        return connection::run(socket, visit, Protocol::Either, Arc::clone(shared)).await;
    };
    // In a place of its own: without TLS a connection needs half as much, and thousands rest for most of the time.
    Box::pin(async move {
        // What a handshake needs is let go of before the connection begins.
        let handshake = Box::pin(TlsAcceptor::from(config).accept(socket));
        let Some(socket) = within_handshake(handshake, activity).await else {
            return shared.books.stats.failed_handshakes.add_one();
        };
        let session = socket.get_ref().1;
        let protocol = Protocol::agreed(session);
        let visit = visit(Scheme::Https, Some(Negotiated::over_tcp(session, certificates)), alt_svc);
        connection::run(socket, visit, protocol, Arc::clone(shared)).await;
    })
    .await;
}

/// Mapped IPv4 addresses become IPv4.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
