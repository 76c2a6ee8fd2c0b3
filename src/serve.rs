//! From a [`Config`] to a running server, and back to silence.
//!
//! Everything is built here and handed its own section of the configuration. It stops in order: listeners, requests,
//! broadcasts, stores.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::slice;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use config::Config;
use config::ingest::Publish;
use config::listen::{Certificate, Https};
use config::problem::Problems;
use ingest::server::Server as Rtmp;
use packager::live::{Broadcast, Registry, Settings};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::sign::{Signer, Terms};
use crate::access::{Access, KeyProblem, Keys, Rules, StreamAsk};
use crate::acme::{self, Challenges};
use crate::behavior::Table;
use crate::cache::{Cache, Manner, Target};
use crate::control::{self, Control, Desk, IngestApp, Invalidations, NotInvalidated, StreamKey, Token};
use crate::edge::{Edge, Tables};
use crate::hook::{self, Gate};
use crate::ledger::Ledger;
use crate::observe::access_log::AccessLog;
use crate::observe::audience::Audience;
use crate::observe::metrics::Books;
use crate::origin::Origins;
use crate::origin::vod::Indexes;
use crate::protect::{self, Protect};
use crate::viewer::tls::{self, Certificates, Unusable};
use crate::viewer::{self, Crowd, Limits, Listener, Tls, Viewers};

/// How long links that the control page makes stay valid.
const LINK_LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// How long each of the last steps of a stop may take, once everybody has gone: they end in milliseconds, or hang.
const LAST: Duration = Duration::from_secs(5);

/// Connections to the control address: a few pages that are left open, a scraper, a balancer's probes, scripts.
const OPERATORS: u32 = 128;

/// Descriptors for files, the control address and the runtime itself.
const SPARE_DESCRIPTORS: u64 = 128 + OPERATORS as u64;

/// Free ports that are tried until one is free for TCP and UDP.
#[cfg(feature = "http3")]
const PORTS_TRIED: u32 = 8;

/// How the server gets its configuration again.
pub type Load = Box<dyn Fn() -> Result<Config, String> + Send + Sync>;

/// What a server is given beside its configuration.
pub struct Extras {
    /// Loads the configuration again.
    pub load: Load,
    /// Signs the links of the control page; none: pages that need a signature are not linked.
    pub signer: Option<Signer>,
}

/// Why a server did not start, in one sentence each.
#[derive(Debug, thiserror::Error)]
pub enum CannotStart {
    /// A socket, a file or a directory.
    #[error(transparent)]
    System(#[from] io::Error),
    /// A TLS certificate.
    #[error(transparent)]
    Certificate(#[from] Unusable),
    /// Stream keys.
    #[error(transparent)]
    StreamKeys(#[from] Problems),
    /// Public keys.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    PublicKeys(Vec<KeyProblem>),
    /// A file of addresses or countries.
    #[error(transparent)]
    Protection(protect::Unusable),
}

/// A server that takes viewers and publishers.
pub struct Running {
    /// Where viewers come in without TLS.
    pub http: Option<SocketAddr>,
    /// Where viewers come in with TLS.
    pub https: Option<SocketAddr>,
    /// Where publishers come in.
    pub rtmp: Option<SocketAddr>,
    /// Where operators come in.
    pub control: Option<SocketAddr>,
    /// The operators' token.
    pub token: Token,
    parts: Arc<Parts>,
    viewers: Arc<Viewers<Edge>>,
    operators: Option<Arc<Viewers<Desk>>>,
    tasks: Tasks,
}

/// What goes on in the background, in the order it is told to stop.
struct Tasks {
    stop: CancellationToken,
    listening: TaskTracker,
    rtmp: TaskTracker,
    control_stop: CancellationToken,
    control: TaskTracker,
    background: TaskTracker,
}

/// What lives as long as the server and may be changed by a reload.
struct Parts {
    config: ArcSwap<Config>,
    /// One reload at a time: a signal and the control address may ask at once, and tables of two must not mix.
    reloading: Mutex<()>,
    load: Load,
    signer: Option<Signer>,
    tables: Arc<ArcSwap<Tables>>,
    protect: Arc<Protect>,
    access: Arc<Access>,
    https_port: Option<u16>,
    gate: Arc<Gate>,
    certificates: Option<Arc<Certificates>>,
    registry: Registry,
    indexes: Arc<Indexes>,
    cache: Cache,
    audience: Arc<Audience>,
    access_log: Option<AccessLog>,
    books: Books,
    ready: AtomicBool,
}

/// Starts a server.
///
/// # Errors
/// [`CannotStart`]; nothing is left running.
pub async fn start(config: Config, extras: Extras) -> Result<Running, CannotStart> {
    std::fs::create_dir_all(&config.state_dir).map_err(|error| named(&config.state_dir, error))?;
    let token = Token::open(&config.state_dir)?;
    raise_descriptors(&config);

    let listen = &config.listen;
    let certificates = match &listen.https {
        Some(it) => Some(Certificates::load(&present(it, &config.state_dir))?),
        None => None,
    };
    let http = listen.http.map(|it| Listener::bind("HTTP", it, None)).transpose()?;
    let secure = match (&listen.https, &certificates) {
        (Some(it), Some(certificates)) => Some(Secure::bind(it, certificates)?),
        _ => None,
    };
    let rtmp = listen.rtmp.map(|it| viewer::bind("RTMP", it)).transpose()?;
    let address = config.control.address;
    let control = address.map(|it| Listener::bind("the control address", it, None)).transpose()?;

    let ledger = Arc::new(Ledger::open(&config.state_dir)?);
    let indexes = Indexes::open(config.state_dir.join("titles"), config.cache.titles.0)?;
    let registry = Registry::new(live_settings(&config), ledger);
    let cache = Cache::open(&config.cache);
    let https_port = secure.as_ref().map(|it| it.tcp.local_address()).transpose()?.map(|it| it.port());
    let access = Arc::new(Access::new(rules(&config, https_port)?));
    let protect = Arc::new(Protect::new(protection(&config, None)?));
    let gate = Arc::new(Gate::new(&config.apps, signed_names(&access))?);
    let tables = Arc::new(ArcSwap::from_pointee(Tables {
        routes: routes(&config),
        origins: Origins::new(&config.origins, &config.origin_groups, &registry, &indexes, None),
    }));
    let (access_log, writer) = match &config.observe.access_log {
        Some(it) => {
            let (log, writer) = AccessLog::open(it).await?;
            (Some(log), Some(writer))
        }
        None => (None, None),
    };
    let viewer_stats = Arc::new(viewer::Stats::default());
    let operator_stats = Arc::new(viewer::Stats::default());
    let rtmp_stats = Arc::new(ingest::stats::Stats::default());
    let audience = Arc::new(Audience::default());
    let books = Books {
        viewer: Arc::clone(&viewer_stats),
        operators: Arc::clone(&operator_stats),
        access: Arc::clone(&access),
        protect: Arc::clone(&protect),
        cache: cache.clone(),
        tables: Arc::clone(&tables),
        rtmp: Arc::clone(&rtmp_stats),
        registry: registry.clone(),
        indexes: Arc::clone(&indexes),
        access_log: access_log.clone(),
    };

    let challenges = Challenges::default();
    let edge = Edge::new(
        Arc::clone(&tables),
        Arc::clone(&protect),
        Arc::clone(&access),
        cache.clone(),
        challenges.clone(),
    );
    let journal = {
        let (log, audience) = (access_log.clone(), Arc::clone(&audience));
        move |record: &viewer::Record| {
            audience.saw(record, Instant::now());
            if let Some(log) = &log {
                log.record(record);
            }
        }
    };
    let viewers = Arc::new(Viewers::new(edge, limits(&config), viewer_stats, journal));

    let parts = Arc::new(Parts {
        load: extras.load,
        signer: extras.signer,
        tables,
        protect,
        access,
        https_port,
        gate,
        certificates,
        registry,
        indexes,
        cache,
        audience,
        access_log,
        books,
        ready: AtomicBool::new(true),
        reloading: Mutex::default(),
        config: ArcSwap::from_pointee(config),
    });

    let tasks = Tasks {
        stop: CancellationToken::new(),
        listening: TaskTracker::new(),
        rtmp: TaskTracker::new(),
        control_stop: CancellationToken::new(),
        control: TaskTracker::new(),
        background: TaskTracker::new(),
    };
    let mut running = Running {
        http: http.as_ref().map(Listener::local_address).transpose()?,
        https: secure.as_ref().map(|it| it.tcp.local_address()).transpose()?,
        rtmp: rtmp.as_ref().map(TcpListener::local_addr).transpose()?,
        control: control.as_ref().map(Listener::local_address).transpose()?,
        token: token.clone(),
        parts: Arc::clone(&parts),
        viewers: Arc::clone(&viewers),
        operators: None,
        tasks,
    };
    if let Some(writer) = writer {
        running.tasks.background.spawn(writer.run());
    }
    if let Some(keeper) = keeper(&parts.config.load(), challenges) {
        let (parts, stop) = (Arc::clone(&parts), running.tasks.stop.clone());
        running.tasks.background.spawn(keeper.run(move || parts.show_certificates(), stop));
    }
    let https = secure.map(|it| {
        #[cfg(feature = "http3")]
        if let Some(quic) = it.quic {
            let (viewers, stop) = (Arc::clone(&viewers), running.tasks.stop.clone());
            running.tasks.listening.spawn(async move { viewers.listen_quic(quic, stop).await });
        }
        it.tcp
    });
    for listener in [http, https].into_iter().flatten() {
        let (viewers, stop) = (Arc::clone(&viewers), running.tasks.stop.clone());
        running.tasks.listening.spawn(async move { viewers.listen(listener, stop).await });
    }
    if let Some(socket) = rtmp {
        let server = Rtmp::new(
            rtmp_settings(&parts.config.load()),
            parts.registry.clone(),
            Arc::clone(&parts.gate) as _,
            rtmp_stats,
        );
        running.tasks.rtmp.spawn(server.run(socket, running.tasks.stop.clone()));
    }
    if let Some(listener) = control {
        let addresses = Addresses::of(&running);
        let config = parts.config.load();
        let hosts = config.control.public_host.iter().cloned().collect();
        let server = Box::new(Operated { parts: Arc::clone(&parts), addresses });
        let desk = Desk::new(Control { token, hosts, server, invalidations: Invalidations::default() });
        let operators = Arc::new(Viewers::new(desk, operators_limits(&config), operator_stats, |_| {}));
        let stop = running.tasks.control_stop.clone();
        running.operators = Some(Arc::clone(&operators));
        running.tasks.control.spawn(async move { operators.listen(listener, stop).await });
    }
    Ok(running)
}

/// The sockets of `listen.https`.
struct Secure {
    tcp: Listener,
    #[cfg(feature = "http3")]
    quic: Option<viewer::QuicListener>,
}

impl Secure {
    fn bind(https: &Https, certificates: &Arc<Certificates>) -> io::Result<Self> {
        let config = tls::server_config(certificates, https.security_policy)?;
        let tls = Tls { config, certificates: Arc::clone(certificates), alt_svc: None };
        let bind = || Listener::bind("HTTPS", https.address, Some(tls.clone()));
        #[cfg(not(feature = "http3"))]
        {
            Ok(Self { tcp: bind()? })
        }
        #[cfg(feature = "http3")]
        {
            let mut tcp = bind()?;
            let mut tries = if https.address.port() == 0 { PORTS_TRIED } else { 1 };
            let quic = loop {
                if !https.http3 {
                    break None;
                }
                let address = tcp.local_address()?;
                match viewer::QuicListener::bind(address, certificates, https.security_policy) {
                    Ok(quic) => break Some(quic),
                    Err(error) if tries == 1 => return Err(error),
                    // A port that the system chose for TCP may be in use for UDP.
                    Err(_) => tcp = bind()?,
                }
                tries -= 1;
            };
            if quic.is_some() {
                tcp.offer_http3()?;
            }
            Ok(Self { tcp, quic })
        }
    }
}

impl Running {
    /// Loads the configuration again, and opens the access log anew.
    ///
    /// # Errors
    /// Why nothing changed.
    pub fn reload(&self) -> Result<String, String> {
        self.parts.reload()
    }

    /// Where a viewer watches a broadcast, signed when it has to be and the server can.
    pub fn watch_link(&self, broadcast: &str) -> Option<String> {
        self.parts.watch_link(&Addresses::of(self), broadcast)
    }

    /// Stops in order: listeners close, who waits for what will not come is told so, other requests finish within the
    /// drain time, broadcasts are written down, the cache lets go.
    pub async fn stop(self) {
        let drain = self.parts.config.load().listen.drain;
        self.parts.ready.store(false, Ordering::Release);
        self.tasks.stop.cancel();
        self.tasks.listening.close();
        self.tasks.listening.wait().await;
        self.tasks.rtmp.close();
        // Nobody publishes any more, so a player that waits for the next part had better ask elsewhere.
        self.parts.registry.drain();
        let quiet = async {
            tokio::join!(self.viewers.drained(), self.tasks.rtmp.wait());
        };
        if tokio::time::timeout(drain, quiet).await.is_err() {
            tracing::warn!(?drain, "some connections were cut: they had not finished in time");
        }
        within_last("some connections do not end", self.viewers.cut()).await;
        within_last("some broadcasts were not written down", self.parts.registry.close()).await;
        within_last("some fetches do not end", self.parts.cache.close()).await;
        self.tasks.control_stop.cancel();
        self.tasks.control.close();
        self.tasks.control.wait().await;
        if let Some(operators) = &self.operators
            && tokio::time::timeout(LAST, operators.drained()).await.is_err()
        {
            within_last("some operators do not leave", operators.cut()).await;
        }
        let Self { parts, viewers, operators, tasks, .. } = self;
        // The access log's writer ends when nobody can send it anything any more.
        drop((viewers, operators, parts));
        tasks.background.close();
        within_last("the access log may lack its last lines", tasks.background.wait()).await;
    }
}

/// Waits a little for what takes a moment unless a disk hangs, and says what may be lost when it does.
async fn within_last(lost: &str, done: impl Future<Output = ()>) {
    if tokio::time::timeout(LAST, done).await.is_err() {
        tracing::error!("{lost}: stopped without");
    }
}

/// The certificates there are: those that are configured, and the one of an authority once it can be used.
fn present(https: &Https, state_dir: &Path) -> Vec<Certificate> {
    let mut present = https.certificates.clone();
    if https.acme.is_some() {
        let file = acme::file(state_dir);
        let kept = Certificate { chain: file.clone(), private_key: file };
        // What is not there yet, or was spoilt, is got from the authority and holds nobody up.
        if Certificates::load(slice::from_ref(&kept)).is_ok() {
            present.push(kept);
        }
    }
    present
}

/// Who keeps the certificate of an authority, if there is to be one.
fn keeper(config: &Config, challenges: Challenges) -> Option<acme::Keeper> {
    let it = config.listen.https.as_ref()?.acme.clone()?;
    let config::listen::Acme { names, contact, directory, authority } = it;
    let settings = acme::Settings { names, contact, directory, authority };
    Some(acme::Keeper::new(settings, config.state_dir.clone(), challenges))
}

impl Parts {
    /// Shows viewers the certificates that there are now.
    fn show_certificates(&self) {
        let _one = self.reloading.lock().expect("a reload does not panic");
        let config = self.config.load();
        let (Some(certificates), Some(https)) = (&self.certificates, &config.listen.https) else { return };
        if let Err(error) = certificates.reload(&present(https, &config.state_dir)) {
            tracing::error!(%error, "the new certificate is not shown");
        }
    }

    fn reload(&self) -> Result<String, String> {
        let _one = self.reloading.lock().expect("a reload does not panic");
        if let Some(log) = &self.access_log {
            log.reopen();
        }
        let new = (self.load)()?;
        let old = self.config.load_full();
        let rules = rules(&new, self.https_port).map_err(|error| error.to_string())?;
        let protection = protection(&new, Some(&self.protect.rules())).map_err(|error| error.to_string())?;
        let apps = hook::Compiled::read(&new.apps).map_err(|error| error.to_string())?;
        // The last that can fail; from here on everything is swapped.
        if let (Some(certificates), Some(https)) = (&self.certificates, &new.listen.https) {
            certificates.reload(&present(https, &new.state_dir)).map_err(|error| error.to_string())?;
        }
        self.gate.replace(apps);
        self.protect.replace(protection);
        self.access.replace(rules);
        let previous = self.tables.load_full();
        self.tables.store(Arc::new(Tables {
            routes: routes(&new),
            origins: Origins::new(
                &new.origins,
                &new.origin_groups,
                &self.registry,
                &self.indexes,
                Some(&previous.origins),
            ),
        }));
        let late = old.needs_restart(&new);
        self.config.store(Arc::new(new));
        Ok(match late.as_slice() {
            [] => "the configuration was loaded".into(),
            keys => format!("the configuration was loaded; only a restart changes {}", keys.join(", ")),
        })
    }

    fn watch_link(&self, addresses: &Addresses, broadcast: &str) -> Option<String> {
        let base = addresses.viewer_base(self.config.load().control.public_host.as_deref())?;
        let page = format!("{base}/watch/{broadcast}");
        let host = base.split_once("://").map_or("", |(_, host)| host);
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let tables = self.tables.load();
        let path = format!("/{broadcast}/index.m3u8");
        if tables.routes.distribution(name).behavior(&path).trusted_key_groups.is_empty() {
            return Some(page);
        }
        let terms = Terms {
            resource: Some(format!("{base}/{broadcast}/*")),
            expires: SystemTime::now() + LINK_LIFETIME,
            not_before: None,
            network: None,
        };
        let signed = self.signer.as_ref()?.sign_custom(&terms).ok()?;
        Some(signed.append_to(&page))
    }
}

/// Where the listeners are, for links.
#[derive(Clone, Copy)]
struct Addresses {
    http: Option<SocketAddr>,
    https: Option<SocketAddr>,
    rtmp: Option<SocketAddr>,
}

impl Addresses {
    const fn of(running: &Running) -> Self {
        Self { http: running.http, https: running.https, rtmp: running.rtmp }
    }

    /// `https://host[:port]`, or http where there is no TLS.
    fn viewer_base(&self, public_host: Option<&str>) -> Option<String> {
        let host = public_host.unwrap_or("localhost");
        match (self.https, self.http) {
            (Some(it), _) if it.port() == 443 => Some(format!("https://{host}")),
            (Some(it), _) => Some(format!("https://{host}:{}", it.port())),
            (None, Some(it)) if it.port() == 80 => Some(format!("http://{host}")),
            (None, Some(it)) => Some(format!("http://{host}:{}", it.port())),
            (None, None) => None,
        }
    }

    /// OBS's "Server" box.
    fn rtmp_server(&self, public_host: Option<&str>, app: &str) -> Option<String> {
        let (host, port) = (public_host.unwrap_or("localhost"), self.rtmp?.port());
        Some(if port == 1935 {
            format!("rtmp://{host}/{app}")
        } else {
            format!("rtmp://{host}:{port}/{app}")
        })
    }
}

/// The running server as the control address sees it.
struct Operated {
    parts: Arc<Parts>,
    addresses: Addresses,
}

impl control::Server for Operated {
    fn broadcasts(&self) -> Vec<Broadcast> {
        self.parts.registry.list()
    }

    fn viewers(&self, broadcast: &str) -> u64 {
        self.parts.audience.viewers(broadcast, Instant::now())
    }

    fn watch_link(&self, broadcast: &str) -> Option<String> {
        self.parts.watch_link(&self.addresses, broadcast)
    }

    fn apps(&self) -> Vec<IngestApp> {
        let config = self.parts.config.load();
        let host = config.control.public_host.as_deref();
        let app = |it: &config::ingest::App| {
            Some(IngestApp {
                server: self.addresses.rtmp_server(host, &it.name)?,
                publish: match it.publish {
                    Publish::Open => "open",
                    Publish::KeysFile(_) => "keys_file",
                    Publish::Webhook { .. } => "webhook",
                },
                keys: self
                    .parts
                    .gate
                    .keys(&it.name)
                    .into_iter()
                    .map(|(key, name)| StreamKey { key, name })
                    .collect(),
            })
        };
        config.apps.iter().filter_map(app).collect()
    }

    fn metrics(&self) -> String {
        self.parts.books.print()
    }

    fn is_ready(&self) -> bool {
        self.parts.ready.load(Ordering::Acquire)
    }

    fn reload(&self) -> Result<String, String> {
        self.parts.reload()
    }

    fn invalidate(
        &self,
        distribution: Option<&str>,
        items: &[String],
        is_soft: bool,
    ) -> Result<String, NotInvalidated> {
        let config = self.parts.config.load();
        let known = |it: &&config::distribution::Distribution| distribution.is_none_or(|id| id == it.id);
        let mut meant = config.distributions.iter().filter(known);
        let id = match (meant.next(), meant.next()) {
            (Some(only), None) => &only.id,
            _ => {
                let ids: Vec<_> = config.distributions.iter().map(|it| it.id.as_str()).collect();
                let wrong = match distribution {
                    Some(id) => format!("there is no distribution {id:?}"),
                    None => "there are several distributions".into(),
                };
                let sentence = format!("{wrong}; name one of {}", ids.join(", "));
                return Err(NotInvalidated::Meaningless(sentence));
            }
        };
        let targets = items.iter().map(|it| Target::parse(it)).collect::<Result<Vec<_>, _>>();
        let targets = targets.map_err(|error| NotInvalidated::Meaningless(error.to_string()))?;
        let manner = if is_soft { Manner::Soft } else { Manner::Hard };
        self.parts.cache.invalidate(id, &targets, manner).map_err(NotInvalidated::Unsaved)?;
        tracing::info!(distribution = %id, items = items.len(), "invalidated");
        Ok(id.clone())
    }
}

fn routes(config: &Config) -> Table {
    let Config { distributions, cache_policies, origin_request_policies, response_headers_policies, .. } =
        config;
    Table::new(distributions, cache_policies, origin_request_policies, response_headers_policies)
}

/// `https_port` is where it listens, which a reload does not change.
fn rules(config: &Config, https_port: Option<u16>) -> Result<Rules, CannotStart> {
    Ok(Rules {
        keys: Keys::load(&config.access, |file| std::fs::read(file)).map_err(CannotStart::PublicKeys)?,
        trusted_clients: config.listen.trusted_clients.clone(),
        https_port,
    })
}

/// What clients asked so far still counts under the rules that `previous` had, too.
fn protection(config: &Config, previous: Option<&protect::Rules>) -> Result<protect::Rules, CannotStart> {
    let Config { distributions, geo_database, .. } = config;
    let (database, trusted) = (geo_database.as_deref(), &config.listen.trusted_clients);
    let rules = protect::Rules::build(distributions, database, trusted, |file| std::fs::read(file), previous)
        .map_err(CannotStart::Protection)?;
    rules.warnings().iter().for_each(|it| tracing::warn!("{it}"));
    Ok(rules)
}

fn signed_names(access: &Arc<Access>) -> Arc<crate::hook::SignedNames> {
    let access = Arc::clone(access);
    Arc::new(move |stream: &StreamAsk<'_>| access.admit_stream(stream, SystemTime::now()).is_ok())
}

fn limits(config: &Config) -> Limits {
    let listen = &config.listen;
    Limits {
        max_connections: listen.max_connections,
        crowd: Crowd {
            of_client: listen.max_connections_per_client,
            of_network: listen.max_connections_per_network,
            new_of_client: listen.max_new_connections_per_client,
        },
        max_requests_per_connection: listen.max_requests_per_connection,
        header_timeout: listen.header_timeout,
        keep_alive: listen.keep_alive,
        send_timeout: listen.send_timeout,
        max_header: usize::try_from(listen.max_header.0).unwrap_or(usize::MAX),
        trusted_proxies: listen.trusted_proxies.clone(),
        proxy_protocol: listen.proxy_protocol,
        trusted_clients: listen.trusted_clients.clone(),
    }
}

/// Operators are as patiently waited for as viewers, and fewer.
fn operators_limits(config: &Config) -> Limits {
    Limits {
        max_connections: OPERATORS,
        crowd: Crowd { of_client: OPERATORS, of_network: OPERATORS, new_of_client: OPERATORS },
        trusted_proxies: Vec::new(),
        ..limits(config)
    }
}

fn live_settings(config: &Config) -> Settings {
    let packaging = &config.packaging;
    Settings {
        segment: packaging.segment,
        part: packaging.part,
        window: packaging.window,
        grace: packaging.grace,
        replace_interval: config.rtmp.replace_interval,
        max_broadcasts: packaging.max_broadcasts,
        ring_bytes: config.rtmp.ring.0,
        memory: packaging.memory.0,
    }
}

fn rtmp_settings(config: &Config) -> ingest::server::Settings {
    let (rtmp, trusted) = (&config.rtmp, config.listen.trusted_clients.clone());
    ingest::server::Settings {
        max_connections: rtmp.max_connections,
        max_connections_per_client: rtmp.max_connections_per_client,
        trusted: Arc::new(move |address| trusted.iter().any(|it| it.contains(address))),
        limits: ingest::rtmp::session::Limits {
            setup: rtmp.handshake_timeout,
            silence: rtmp.silence_timeout,
            partial_bytes: usize::try_from(rtmp.max_partial.0).unwrap_or(usize::MAX),
        },
        ring_bytes: usize::try_from(rtmp.ring.0).unwrap_or(usize::MAX),
    }
}

fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Raises the limit on open files as far as it goes, and says when that is too little for the connections allowed.
fn raise_descriptors(config: &Config) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let have = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let needed =
        u64::from(config.listen.max_connections) + u64::from(config.rtmp.max_connections) + SPARE_DESCRIPTORS;
    if have.is_some_and(|it| it < needed) {
        tracing::warn!(
            "this process may open {} files, which is too few for listen.max_connections and rtmp.max_connections \
             ({needed}); raise it with `ulimit -n` or LimitNOFILE=, or lower them",
            have.unwrap_or_default()
        );
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A server on free ports with a certificate and a stream key, and its directory.
    async fn running() -> (Running, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().to_owned();
        write_certificate(&at);
        fs::write(at.join("stream-keys.toml"), "\"a-secret-key\" = \"match\"\n").unwrap();
        let text = r#"
            state_dir = "state"
            [listen]
            rtmp = "off"
            http = "off"
            control = "off"
            [listen.https]
            address = "127.0.0.1:0"
            certificate = "certificate.pem"
            private_key = "key.pem"
            [[app]]
            name = "live"
            publish = { keys_file = "stream-keys.toml" }
            [[origin]]
            id = "live"
            kind = "live"
            [[distribution]]
            default = true
            default_behavior = { target_origin = "live", cache_policy = "Levada-Live" }
        "#;
        fs::write(at.join("levada.toml"), text).unwrap();
        let file = at.join("levada.toml");
        let load = move || config::load(Some(&file), std::iter::empty(), &[]).map_err(|it| it.to_string());
        let config = load().unwrap();
        (start(config, Extras { load: Box::new(load), signer: None }).await.unwrap(), directory)
    }

    fn write_certificate(at: &Path) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(at.join("certificate.pem"), made.cert.pem()).unwrap();
        fs::write(at.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    }

    #[tokio::test]
    async fn a_reload_changes_everything_or_nothing() {
        let (running, directory) = running().await;
        let certificate = || format!("{:?}", running.parts.certificates);
        let names = || running.parts.gate.keys("live").into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        let first = certificate();

        write_certificate(directory.path());
        fs::write(directory.path().join("stream-keys.toml"), "not TOML").unwrap();
        running.reload().unwrap_err();
        assert_eq!((certificate(), names()), (first.clone(), vec!["match".to_owned()]));

        fs::write(directory.path().join("stream-keys.toml"), "\"a-secret-key\" = \"talk\"\n").unwrap();
        running.reload().unwrap();
        assert_ne!(certificate(), first);
        assert_eq!(names(), ["talk"]);
        running.stop().await;
    }
}
