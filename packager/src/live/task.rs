//! The task that owns a broadcast: reads its publisher, drives the packager, shows what comes out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use super::broadcast::{Event, Packager};
use super::facts::{Facts, PublisherFacts, Warning};
use super::inbox::{Ended, Inbox};
use super::memory::Account;
use super::moment::Moment;
use super::{Broadcast, Input, Ledger, Record, Registry, Settings, Window};

/// How often a broadcast to which nothing happens renews the facts shown to the operator (an encoder that stands still is
/// seen to stand still) and lets go what is old, or what others have need of.
const LOOK: Duration = Duration::from_secs(1);

/// What the registry tells a broadcast's task.
pub(super) enum Order {
    /// A publisher was let in.
    Publish(Arrival),
    /// The server stops.
    Stop,
}

/// A publisher that was let in.
pub(super) struct Arrival {
    /// Grows with every publisher: of two that were let in one after the other, the later one counts, in whatever order
    /// they are heard of.
    pub(super) id: u64,
    pub(super) inbox: Inbox,
    pub(super) address: SocketAddr,
    pub(super) encoder: Option<String>,
    pub(super) wall: SystemTime,
}

/// All that a task is given.
pub(super) struct Task {
    pub(super) registry: Registry,
    pub(super) settings: Settings,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) broadcast: Broadcast,
    pub(super) account: Account,
    pub(super) window: watch::Sender<Arc<Window>>,
    pub(super) orders: mpsc::Receiver<Order>,
}

/// The wall clock when a publisher came, carried on by the steady one: a wall clock that is set does not shake dates.
#[derive(Clone, Copy)]
struct Clock {
    wall: SystemTime,
    since: Instant,
}

impl Clock {
    fn new(wall: SystemTime) -> Self {
        Self { wall, since: Instant::now() }
    }

    fn now(&self) -> Moment {
        let now = Instant::now();
        Moment { steady: now.into_std(), wall: self.wall + now.saturating_duration_since(self.since) }
    }
}

impl Task {
    /// Runs until the broadcast is over.
    pub(super) async fn run(self, wall: SystemTime) {
        let clock = Clock::new(wall);
        let record = self.load().await;
        let packager = Packager::new(self.settings.clone(), record, clock.now());
        let facts = Facts { started: Some(wall), ..Facts::default() };
        let told = clock.since;
        let mut running = Running { task: self, packager, clock, publisher: None, newest: 0, facts, told };
        running.run().await;
        running.task.broadcast.ring().end();
    }

    async fn load(&self) -> Option<Record> {
        let (ledger, name) = (Arc::clone(&self.ledger), self.broadcast.name().clone());
        let loaded = spawn_blocking(move || ledger.load(&name)).await.expect("a ledger does not panic");
        loaded.unwrap_or_else(|error| {
            tracing::warn!(%error, "the broadcast's record cannot be read; its numbering restarts from the clock");
            None
        })
    }
}

struct Running {
    task: Task,
    packager: Packager,
    clock: Clock,
    publisher: Option<Inbox>,
    /// The newest publisher's id.
    newest: u64,
    facts: Facts,
    told: Instant,
}

enum Next {
    Order(Option<Order>),
    Input(Option<Input>),
    Deadline,
}

impl Running {
    async fn run(&mut self) {
        loop {
            let next = self.next().await;
            let now = self.clock.now();
            match next {
                Next::Order(Some(Order::Publish(arrival))) => self.arrive(arrival),
                Next::Order(Some(Order::Stop) | None) => {
                    self.dismiss(Ended::Stopping);
                    self.packager.finish(now);
                    self.carry_out().await;
                    return;
                }
                Next::Input(Some(input)) => {
                    self.task.broadcast.ring().push(&input);
                    self.packager.push(input, now);
                }
                Next::Input(None) => {
                    self.publisher = None;
                    self.unpublish(now);
                    tracing::info!("the publisher has gone");
                }
                Next::Deadline => self.packager.advance(now),
            }
            self.fit(now);
            if self.carry_out().await == Fate::Over {
                return;
            }
            if self.told.elapsed() >= LOOK {
                self.tell();
            }
        }
    }

    async fn next(&mut self) -> Next {
        let look = self.told + LOOK;
        let deadline = self.packager.next_deadline(self.clock.now().steady).map(Instant::from_std);
        let deadline = deadline.map_or(look, |it| it.min(look));
        let input = async {
            match &mut self.publisher {
                Some(it) => it.receive().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            order = self.task.orders.recv() => Next::Order(order),
            input = input => Next::Input(input),
            () = sleep_until(deadline) => Next::Deadline,
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        if arrival.id < self.newest {
            arrival.inbox.close(Ended::Superseded);
            return;
        }
        self.newest = arrival.id;
        self.dismiss(Ended::Superseded);
        self.publisher = Some(arrival.inbox);
        self.clock = Clock::new(arrival.wall);
        self.facts.publisher =
            Some(PublisherFacts { address: arrival.address, encoder: arrival.encoder, since: arrival.wall });
        self.facts.warnings.clear();
        tracing::info!(publisher = %arrival.address, "a publisher has come");
        self.task.broadcast.ring().restart();
        self.packager.publish(self.clock.now());
        self.tell();
    }

    /// Takes nothing more from the publisher, if there is one.
    fn dismiss(&mut self, why: Ended) {
        if let Some(inbox) = self.publisher.take() {
            inbox.close(why);
        }
    }

    fn unpublish(&mut self, now: Moment) {
        self.facts.publisher = None;
        self.task.broadcast.ring().pause();
        self.packager.unpublish(now);
        self.tell();
    }

    /// Lets go what is too much for the memory that all broadcasts share; where nothing may go, the publisher.
    fn fit(&mut self, now: Moment) {
        self.count();
        let excess = self.task.account.excess();
        if excess > 0 {
            self.packager.shed(excess, now);
            self.count();
        }
        if self.task.account.is_too_much() && self.publisher.is_some() {
            self.dismiss(Ended::ShortOfMemory);
            self.unpublish(now);
            tracing::warn!("the publisher was turned away: the memory for broadcasts is used up");
        }
    }

    fn count(&mut self) {
        let held = self.packager.weight() + self.task.broadcast.ring().weight();
        self.task.account.set(held, self.packager.unlisted_weight());
    }

    /// Does what the packager wants done, in its order: a record is kept before anything with its numbers is shown.
    async fn carry_out(&mut self) -> Fate {
        while let Some(event) = self.packager.poll() {
            match event {
                Event::Record(record) => self.store(record).await,
                Event::Window(window) => {
                    self.task.window.send_replace(window);
                }
                Event::Packed(kind, moved) => self.task.broadcast.ring().replace(kind, moved),
                Event::Warning(warning) => self.warn(warning),
                Event::Over if self.task.registry.forget(self.task.broadcast.name()) => return Fate::Over,
                // Somebody has just been let in; the order is on its way.
                Event::Over => tokio::task::yield_now().await,
            }
        }
        Fate::On
    }

    async fn store(&mut self, record: Record) {
        let (ledger, name) = (Arc::clone(&self.task.ledger), self.task.broadcast.name().clone());
        let stored =
            spawn_blocking(move || ledger.store(&name, &record)).await.expect("a ledger does not panic");
        if let Err(error) = stored {
            tracing::warn!(%error, "the broadcast's record cannot be written");
            self.warn(Warning::Forgetful);
        }
    }

    fn warn(&mut self, warning: Warning) {
        if !self.facts.warnings.contains(&warning) {
            tracing::warn!("{warning}");
            self.facts.warnings.push(warning);
        }
    }

    fn tell(&mut self) {
        let now = self.clock.now();
        self.told = Instant::now();
        if let (Some(publisher), Some(metadata)) = (&mut self.facts.publisher, self.packager.metadata()) {
            publisher.encoder = publisher.encoder.take().or_else(|| metadata.encoder.clone());
        }
        self.facts.key_frame_interval = self.packager.key_frame_interval();
        self.facts.discontinuities = self.packager.discontinuities();
        self.facts.tracks = self.packager.tracks(now.steady);
        self.task.broadcast.tell(self.facts.clone());
    }
}

/// What becomes of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It goes on.
    On,
    /// The broadcast is over and forgotten.
    Over,
}
