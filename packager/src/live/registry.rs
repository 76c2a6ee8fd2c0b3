//! Broadcasts by name: who may publish, and where they are found.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use super::ring::{Ring, Subscriber};
use super::task::{Arrival, Order, Task};
use super::{Answer, Facts, Input, Ledger, Look, Resource, Settings, Window};
use crate::media::BroadcastName;

/// So many inputs may wait for a broadcast that is busy; then its publisher waits, and TCP slows the encoder.
const QUEUE: usize = 64;

/// So many orders may wait for a broadcast's task: each is a publisher who was let in.
const ORDERS: usize = 4;

/// All broadcasts of this server; clones share them.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    settings: Settings,
    ledger: Arc<dyn Ledger>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<BroadcastName, Entry>,
    tasks: JoinSet<()>,
    stopping: bool,
    /// Publishers so far, of all names.
    publishers: u64,
}

struct Entry {
    broadcast: Broadcast,
    orders: mpsc::Sender<Order>,
    seat: Seat,
}

/// Who publishes under a name.
#[derive(Default)]
struct Seat {
    holder: Option<u64>,
    taken_over: Option<Instant>,
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
#[error("a newer publisher took over this name, or the server is stopping")]
pub struct Superseded;

impl Registry {
    /// No broadcasts yet.
    pub fn new(settings: Settings, ledger: Arc<dyn Ledger>) -> Self {
        Self(Arc::new(Inner { settings, ledger, state: Mutex::default() }))
    }

    /// Gives `name` to a publisher.
    ///
    /// # Errors
    /// [`Refused`] when it may not have it.
    pub async fn publish(&self, name: BroadcastName, publisher: PublisherInfo) -> Result<Publisher, Refused> {
        let (inputs, queue) = mpsc::channel(QUEUE);
        let (id, orders) = self.seat(&name, &publisher)?;
        // From here on the seat is given back whatever happens.
        let seated = Publisher { inputs, registry: self.clone(), name, id };
        let arrival = Arrival {
            id,
            inputs: queue,
            address: publisher.address,
            encoder: publisher.encoder,
            wall: publisher.now,
        };
        orders.send(Order::Publish(arrival)).await.map_err(|_| Refused::Stopping)?;
        Ok(seated)
    }

    /// The broadcast of that name, also within its grace time.
    pub fn find(&self, name: &BroadcastName) -> Option<Broadcast> {
        self.state().entries.get(name).map(|it| it.broadcast.clone())
    }

    /// All broadcasts, in the order of their names.
    pub fn list(&self) -> Vec<Broadcast> {
        self.state().entries.values().map(|it| it.broadcast.clone()).collect()
    }

    /// Takes no more publishers, ends those there are, and waits until every broadcast's record is kept.
    pub async fn close(&self) {
        let (mut tasks, entries) = {
            let mut state = self.state();
            state.stopping = true;
            (std::mem::take(&mut state.tasks), std::mem::take(&mut state.entries))
        };
        for entry in entries.into_values() {
            // A task that is gone has ended its broadcast already.
            let _ = entry.orders.send(Order::Stop).await;
        }
        while let Some(ended) = tasks.join_next().await {
            ended.expect("the task of a broadcast does not panic");
        }
    }

    /// Decides who has the name, and begins its broadcast when there is none.
    fn seat(
        &self,
        name: &BroadcastName,
        publisher: &PublisherInfo,
    ) -> Result<(u64, mpsc::Sender<Order>), Refused> {
        let mut state = self.state();
        let state = &mut *state;
        if state.stopping {
            return Err(Refused::Stopping);
        }
        if !state.entries.contains_key(name) {
            if state.entries.len() >= usize::try_from(self.0.settings.max_broadcasts).unwrap_or(usize::MAX) {
                return Err(Refused::Full);
            }
            // What tasks left behind goes when there is new work.
            while state.tasks.try_join_next().is_some() {}
            let entry = self.spawn(name, publisher.now, &mut state.tasks);
            state.entries.insert(name.clone(), entry);
        }
        let entry = state.entries.get_mut(name).expect("inserted above");
        if entry.seat.holder.is_some() {
            if publisher.on_conflict == OnConflict::Refuse {
                return Err(Refused::Taken);
            }
            let now = Instant::now();
            let since = entry.seat.taken_over.map(|it| now.saturating_duration_since(it));
            if let Some(left) = since.and_then(|it| self.0.settings.replace_interval.checked_sub(it))
                && !left.is_zero()
            {
                return Err(Refused::TooSoon(left));
            }
            entry.seat.taken_over = Some(now);
        }
        state.publishers += 1;
        entry.seat.holder = Some(state.publishers);
        Ok((state.publishers, entry.orders.clone()))
    }

    fn spawn(&self, name: &BroadcastName, wall: SystemTime, tasks: &mut JoinSet<()>) -> Entry {
        let (orders, queue) = mpsc::channel(ORDERS);
        let (window, seen) = watch::channel(Arc::default());
        let broadcast = Broadcast(Arc::new(Shared {
            name: name.clone(),
            window: seen,
            ring: Arc::new(Ring::new(self.0.settings.ring_bytes)),
            facts: Mutex::default(),
        }));
        let task = Task {
            registry: self.clone(),
            settings: self.0.settings.clone(),
            ledger: Arc::clone(&self.0.ledger),
            broadcast: broadcast.clone(),
            window,
            orders: queue,
        };
        tasks.spawn(task.run(wall).instrument(tracing::info_span!("broadcast", %name)));
        Entry { broadcast, orders, seat: Seat::default() }
    }

    /// Gives a seat back, if it was not taken meanwhile.
    fn leave(&self, name: &BroadcastName, id: u64) {
        if let Some(entry) = self.state().entries.get_mut(name) {
            entry.seat.holder.take_if(|it| *it == id);
        }
    }

    /// Forgets a broadcast that is over, unless someone has just sat down to publish it again.
    pub(super) fn forget(&self, name: &BroadcastName) -> bool {
        let mut state = self.state();
        let free = state.entries.get(name).is_none_or(|it| it.seat.holder.is_none());
        if free {
            state.entries.remove(name);
        }
        free
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to publish one broadcast; dropping it unpublishes, and the grace time begins.
pub struct Publisher {
    inputs: mpsc::Sender<Input>,
    registry: Registry,
    name: BroadcastName,
    id: u64,
}

impl Publisher {
    /// Hands an input on; waits while the broadcast is busy.
    ///
    /// # Errors
    /// [`Superseded`] when a newer publisher took the name.
    pub async fn send(&mut self, input: Input) -> Result<(), Superseded> {
        self.inputs.send(input).await.map_err(|_| Superseded)
    }

    /// Resolves when a newer publisher took the name, so that the connection of this one can be closed.
    pub async fn superseded(&self) {
        self.inputs.closed().await;
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.registry.leave(&self.name, self.id);
    }
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").field("name", &self.name).field("id", &self.id).finish_non_exhaustive()
    }
}

/// One broadcast; a cheap handle.
#[derive(Clone, Debug)]
pub struct Broadcast(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: BroadcastName,
    window: watch::Receiver<Arc<Window>>,
    ring: Arc<Ring>,
    facts: Mutex<Arc<Facts>>,
}

impl Broadcast {
    /// Its public name.
    pub fn name(&self) -> &BroadcastName {
        &self.0.name
    }

    /// What viewers may ask for, as it changes.
    pub fn window(&self) -> watch::Receiver<Arc<Window>> {
        self.0.window.clone()
    }

    /// Follows it sample by sample, from its newest key frame.
    pub fn subscribe(&self) -> Subscriber {
        self.0.ring.subscribe()
    }

    /// What it is and how it fares.
    pub fn facts(&self) -> Arc<Facts> {
        Arc::clone(&self.0.facts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers a viewer, waiting as long as the resource asks for.
    pub async fn answer(&self, resource: Resource) -> Answer {
        let came = Instant::now();
        let mut windows = self.window();
        loop {
            let window = Arc::clone(&windows.borrow_and_update());
            let patience = match window.look(resource) {
                Look::Now(answer) => return answer,
                Look::Later(patience) => patience,
            };
            // No news in time, or the broadcast has gone while the request waited.
            if !matches!(timeout_at(came + patience, windows.changed()).await, Ok(Ok(()))) {
                return Answer::Unavailable;
            }
        }
    }

    pub(super) fn ring(&self) -> &Ring {
        &self.0.ring
    }

    pub(super) fn tell(&self, facts: Facts) {
        *self.0.facts.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(facts);
    }
}
