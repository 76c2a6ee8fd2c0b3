//! A server on loopback, open to all but one key.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use levada_ingest::admission::{Admission, Admitted, PlayAsk, PublishAsk, Reason, Refusal};
use levada_ingest::rtmp::session::Limits;
use levada_ingest::server::{Server, Settings};
use levada_ingest::stats::Stats;
use packager::live::{self, Broadcast, Item, Ledger, OnConflict, Record, Registry, Subscriber};
use packager::media::{AppName, BroadcastName};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Nothing in these stories takes longer; only a failing test waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Stage {
    pub(crate) address: SocketAddr,
    pub(crate) stats: Arc<Stats>,
    pub(crate) registry: Registry,
    pub(crate) stop: CancellationToken,
    pub(crate) server: JoinHandle<()>,
}

/// What differs from story to story.
pub(crate) struct Setting {
    pub(crate) on_conflict: OnConflict,
    pub(crate) max_connections: u32,
    pub(crate) limits: Limits,
    pub(crate) grace: Duration,
    pub(crate) memory: u64,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            on_conflict: OnConflict::Replace,
            max_connections: 100,
            limits: Limits::default(),
            grace: Duration::from_secs(5),
            memory: 1 << 30,
        }
    }
}

impl Stage {
    pub(crate) async fn open(setting: Setting) -> Self {
        Self::open_at("127.0.0.1:0".parse().unwrap(), setting).await
    }

    pub(crate) async fn open_at(address: SocketAddr, setting: Setting) -> Self {
        let registry = Registry::new(
            live::Settings {
                segment: Duration::from_secs(2),
                part: Duration::from_millis(333),
                window: Duration::from_secs(10),
                grace: setting.grace,
                replace_interval: Duration::ZERO,
                max_broadcasts: 10,
                ring_bytes: 1 << 20,
                memory: setting.memory,
            },
            Arc::new(Memory::default()),
        );
        let settings = Settings {
            max_connections: setting.max_connections,
            max_connections_per_client: 1,
            trusted: Arc::new(|_| false),
            limits: setting.limits,
            ring_bytes: 1 << 20,
        };
        let stats = Arc::new(Stats::default());
        let admission = Arc::new(Doorman(setting.on_conflict));
        let server = Server::new(settings, registry.clone(), admission, Arc::clone(&stats));
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let server = tokio::spawn(server.run(listener, stop.clone()));
        Self { address, stats, registry, stop, server }
    }

    /// The broadcast of that name, as soon as there is one.
    pub(crate) async fn broadcast(&self, name: &str) -> Broadcast {
        let name = BroadcastName::new(AppName::new("live").unwrap(), name).unwrap();
        eventually(|| self.registry.find(&name)).await
    }
}

/// What becomes of a question that is asked again and again.
pub(crate) async fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("it happens within the time of a test")
}

/// The next items of a broadcast, a word for each, up to the wanted number of samples.
pub(crate) async fn heard(subscriber: &mut Subscriber, samples: usize) -> String {
    let mut words = Vec::new();
    let mut left = samples;
    while left > 0 {
        let next = tokio::time::timeout(PATIENCE, subscriber.next()).await.expect("more is said");
        let word = match next.expect("the broadcast goes on") {
            Item::Metadata(_) => "metadata",
            Item::Configure(config) => config.kind().word(),
            Item::Discontinuity => "discontinuity",
            Item::Gone => "gone",
            Item::Came => "came",
            Item::Sample(kind, sample) => {
                left -= 1;
                words.push(format!("{}:{}", &kind.word()[..1], sample.payload.len()));
                continue;
            }
        };
        words.push(word.to_owned());
    }
    words.join(" ")
}

/// Knows one secret: the key `wrong` is not one.
struct Doorman(OnConflict);

impl Admission for Doorman {
    fn has_app(&self, app: &str) -> bool {
        app == "live"
    }

    fn admit_publish(&self, ask: PublishAsk) -> BoxFuture<'_, Result<Admitted, Refusal>> {
        let denied = || Refusal::new(Reason::Denied, "this stream key is not known here");
        let name = broadcast(&ask.name).filter(|_| ask.name != "wrong").ok_or_else(denied);
        ready(name.map(|name| Admitted { name, on_conflict: self.0 })).boxed()
    }

    fn admit_play(&self, ask: PlayAsk) -> BoxFuture<'_, Result<BroadcastName, Refusal>> {
        let invalid = || Refusal::new(Reason::InvalidName, "this is no name");
        ready(broadcast(&ask.name).ok_or_else(invalid)).boxed()
    }
}

fn broadcast(name: &str) -> Option<BroadcastName> {
    BroadcastName::new(AppName::new("live").unwrap(), name).ok()
}

/// Records for as long as a test lasts.
#[derive(Default)]
struct Memory(Mutex<HashMap<BroadcastName, Record>>);

impl Ledger for Memory {
    fn load(&self, name: &BroadcastName) -> io::Result<Option<Record>> {
        Ok(self.0.lock().unwrap().get(name).cloned())
    }

    fn store(&self, name: &BroadcastName, record: &Record) -> io::Result<()> {
        self.0.lock().unwrap().insert(name.clone(), record.clone());
        Ok(())
    }
}
