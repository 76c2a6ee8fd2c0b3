//! Broadcasts by name.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::ring::Subscriber;
use super::{Answer, Facts, Input, Ledger, Resource, Settings, Window};
use crate::media::BroadcastName;

/// All broadcasts of this server; clones share them.
#[derive(Clone)]
pub struct Registry {
    _settings: Arc<Settings>,
    _ledger: Arc<dyn Ledger>,
}

/// Who wants to publish.
#[derive(Clone, Debug)]
pub struct PublisherInfo {
    /// Its address.
    pub address: SocketAddr,
    /// The encoder, as it names itself.
    pub encoder: Option<String>,
    /// What happens when the name is live.
    pub on_conflict: OnConflict,
    /// The wall clock.
    pub now: SystemTime,
}

/// What happens when a name is already live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// The newer encoder wins, at most once in `Settings::replace_interval`.
    Replace,
    /// The older encoder stays.
    Refuse,
}

/// Why nobody may publish under a name now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another publisher has it and stays.
    #[error("another publisher is live under this name")]
    Taken,
    /// Another publisher took it over a moment ago.
    #[error("this name changed hands a moment ago; try again in {} s", .0.as_secs_f32().ceil())]
    TooSoon(Duration),
    /// There are as many broadcasts as there may be.
    #[error("there are as many broadcasts as this server allows")]
    Full,
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// A publisher's place was taken by a newer one, or the server stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a newer publisher took over this name")]
pub struct Superseded;

/// The right to publish one broadcast; dropping it unpublishes, and the grace time begins.
#[derive(Debug)]
pub struct Publisher {}

impl Publisher {
    /// Hands an input on; waits while the broadcast is busy.
    ///
    /// # Errors
    /// [`Superseded`] when a newer publisher took the name.
    pub async fn send(&mut self, input: Input) -> Result<(), Superseded> {
        let _ = input;
        Ok(())
    }

    /// Resolves when a newer publisher took the name, so that the connection of this one can be closed.
    pub async fn superseded(&self) {
        std::future::pending().await
    }
}

/// One broadcast; a cheap handle.
#[derive(Clone, Debug)]
pub struct Broadcast {
    name: BroadcastName,
    window: watch::Receiver<Arc<Window>>,
}

impl Broadcast {
    /// Its public name.
    pub const fn name(&self) -> &BroadcastName {
        &self.name
    }

    /// What viewers may ask for, as it changes.
    pub fn window(&self) -> watch::Receiver<Arc<Window>> {
        self.window.clone()
    }

    /// Follows it sample by sample, from its newest key frame.
    pub fn subscribe(&self) -> Subscriber {
        unreachable!("no broadcast exists yet")
    }

    /// What it is and how it fares.
    pub fn facts(&self) -> Arc<Facts> {
        Arc::new(Facts::default())
    }

    /// Answers a viewer, waiting as long as the resource asks for.
    pub async fn answer(&self, resource: Resource) -> Answer {
        let _ = resource;
        Answer::Unavailable
    }
}

impl Registry {
    /// No broadcasts yet.
    pub fn new(settings: Settings, ledger: Arc<dyn Ledger>) -> Self {
        Self { _settings: Arc::new(settings), _ledger: ledger }
    }

    /// Gives `name` to a publisher.
    ///
    /// # Errors
    /// [`Refused`] when it may not have it.
    pub async fn publish(&self, name: BroadcastName, publisher: PublisherInfo) -> Result<Publisher, Refused> {
        let _ = (name, publisher);
        Err(Refused::Full)
    }

    /// The broadcast of that name, also within its grace time.
    pub fn find(&self, name: &BroadcastName) -> Option<Broadcast> {
        let _ = name;
        None
    }

    /// All broadcasts, in the order of their names.
    pub fn list(&self) -> Vec<Broadcast> {
        Vec::new()
    }

    /// Takes no more publishers, ends those there are, and waits until every broadcast's record is kept.
    pub async fn close(&self) {}
}
