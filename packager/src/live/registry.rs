//! Broadcasts by name: who may publish, and where they are found.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use super::inbox::{self, Ended, Outbox};
use super::memory::{Claim, Memory};
use super::ring::{Ring, Subscriber};
use super::task::{Arrival, Order, Task};
use super::{Answer, Facts, Input, Ledger, Look, Resource, Settings, Window};
use crate::media::BroadcastName;

/// So many orders may wait for a broadcast's task: each is a publisher who was let in.
const ORDERS: usize = 4;

/// All broadcasts of this server; clones share them.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    settings: Settings,
    ledger: Arc<dyn Ledger>,
    state: Mutex<State>,
    memory: Arc<Memory>,
    /// Whether nothing new comes any more, for those who wait for it.
    draining: watch::Sender<bool>,
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
    /// What there are already takes all memory for broadcasts.
    #[error("the memory for broadcasts is used up; this server has no room for another one")]
    ShortOfMemory,
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

impl Registry {
    /// No broadcasts yet.
    pub fn new(settings: Settings, ledger: Arc<dyn Ledger>) -> Self {
        Self(Arc::new(Inner {
            memory: Memory::new(settings.memory),
            settings,
            ledger,
            state: Mutex::default(),
            draining: watch::Sender::new(false),
        }))
    }

    /// Gives `name` to a publisher.
    ///
    /// # Errors
    /// [`Refused`] when it may not have it.
    pub async fn publish(&self, name: BroadcastName, publisher: PublisherInfo) -> Result<Publisher, Refused> {
        let (outbox, inbox) = inbox::open();
        let (id, orders) = self.seat(&name, &publisher)?;
        // From here on the seat is given back whatever happens.
        let seated = Publisher { outbox, registry: self.clone(), name, id };
        let arrival = Arrival {
            id,
            inbox,
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

    /// Bytes that all broadcasts hold together.
    pub fn memory_held(&self) -> u64 {
        self.0.memory.held()
    }

    /// Bytes that they may hold.
    pub fn memory_limit(&self) -> u64 {
        self.0.memory.limit()
    }

    /// Takes no more publishers, and lets nobody wait any longer: what is not here now will not come. Who asks for what
    /// is here still gets it.
    pub fn drain(&self) {
        self.state().stopping = true;
        self.0.draining.send_replace(true);
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
            // Who comes back to its broadcast finds it as it was; only newcomers find no room.
            if !self.0.memory.has_room() {
                return Err(Refused::ShortOfMemory);
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
            memory: Arc::clone(&self.0.memory),
            draining: self.0.draining.subscribe(),
        }));
        let task = Task {
            registry: self.clone(),
            settings: self.0.settings.clone(),
            ledger: Arc::clone(&self.0.ledger),
            broadcast: broadcast.clone(),
            account: self.0.memory.open(),
            window,
            orders: queue,
        };
        tasks.spawn(task.run(wall).instrument(tracing::info_span!(parent: None, "broadcast", %name)));
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
    outbox: Outbox,
    registry: Registry,
    name: BroadcastName,
    id: u64,
}

impl Publisher {
    /// Hands an input on; waits while the broadcast is busy.
    ///
    /// # Errors
    /// [`Ended`] when the broadcast takes no more from this publisher.
    pub async fn send(&mut self, input: Input) -> Result<(), Ended> {
        self.outbox.send(input).await
    }

    /// Resolves when the broadcast takes no more from this publisher, so that its connection can be closed.
    pub async fn ended(&self) -> Ended {
        self.outbox.ended().await
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
    memory: Arc<Memory>,
    draining: watch::Receiver<bool>,
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

    /// Counts what somebody holds of it beside, such as messages made of its samples.
    pub fn claim(&self) -> Claim {
        self.0.memory.claim()
    }

    /// What it is and how it fares.
    pub fn facts(&self) -> Arc<Facts> {
        Arc::clone(&self.0.facts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers a viewer, waiting as long as the resource asks for.
    pub async fn answer(&self, resource: Resource) -> Answer {
        let came = Instant::now();
        let mut windows = self.window();
        let mut draining = self.0.draining.clone();
        loop {
            let window = Arc::clone(&windows.borrow_and_update());
            let patience = match window.look(resource) {
                Look::Now(answer) => return answer,
                Look::Later(patience) => patience,
            };
            let news = async {
                tokio::select! {
                    changed = windows.changed() => changed.is_ok(),
                    _ = draining.wait_for(|it| *it) => false,
                }
            };
            // No news in time, or the broadcast or the whole server has gone while the request waited.
            if !timeout_at(came + patience, news).await.unwrap_or(false) {
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::io;
    use std::net::Ipv4Addr;
    use std::time::UNIX_EPOCH;

    use tokio::time::sleep;

    use super::*;
    use crate::live::example::{Encoder, WALL, audio_config, ms, settings, video_config};
    use crate::live::{Directive, Item, Record};
    use crate::media::{AppName, TrackKind};

    /// Keeps records in memory, and counts.
    #[derive(Default)]
    struct Memory {
        records: Mutex<HashMap<BroadcastName, Record>>,
        broken: bool,
    }

    impl Ledger for Memory {
        fn load(&self, name: &BroadcastName) -> io::Result<Option<Record>> {
            if self.broken {
                return Err(io::Error::other("broken"));
            }
            Ok(self.records.lock().unwrap().get(name).cloned())
        }

        fn store(&self, name: &BroadcastName, record: &Record) -> io::Result<()> {
            if self.broken {
                return Err(io::Error::other("broken"));
            }
            self.records.lock().unwrap().insert(name.clone(), record.clone());
            Ok(())
        }
    }

    fn registry() -> Registry {
        Registry::new(settings(), Arc::new(Memory::default()))
    }

    fn name(text: &str) -> BroadcastName {
        BroadcastName::new(AppName::new("live").unwrap(), text).unwrap()
    }

    fn info(on_conflict: OnConflict) -> PublisherInfo {
        PublisherInfo {
            address: (Ipv4Addr::LOCALHOST, 1935).into(),
            encoder: Some("test".into()),
            on_conflict,
            now: UNIX_EPOCH + Duration::from_secs(WALL),
        }
    }

    async fn send(publisher: &mut Publisher, encoder: Encoder) {
        publisher.send(Input::Configure(video_config())).await.unwrap();
        publisher.send(Input::Configure(audio_config())).await.unwrap();
        let begun = Instant::now();
        for (at, input) in encoder.samples() {
            tokio::time::sleep_until(begun + ms(u64::try_from(at).unwrap())).await;
            publisher.send(input).await.unwrap();
        }
    }

    fn text(answer: Answer) -> String {
        let Answer::Found { chunks, .. } = answer else { panic!("{answer:?}") };
        String::from_utf8(chunks.concat()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_viewer_who_comes_early_gets_the_first_playlist_when_it_stands() {
        let registry = registry();
        let mut publisher = registry.publish(name("a"), info(OnConflict::Refuse)).await.unwrap();
        let broadcast = registry.find(&name("a")).unwrap();
        let begun = Instant::now();
        let viewer = tokio::spawn(async move {
            let it = text(broadcast.answer(Resource::Multivariant).await);
            (it, begun.elapsed())
        });
        send(&mut publisher, Encoder { length: 3_000, gop: 1_000, ..Encoder::TYPICAL }).await;
        let (playlist, waited) = viewer.await.unwrap();
        assert!(playlist.contains("video/index.m3u8"));
        assert!((ms(1_000)..ms(1_050)).contains(&waited), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_playlist_that_never_stands_is_unavailable_after_twelve_seconds() {
        let registry = registry();
        let _publisher = registry.publish(name("a"), info(OnConflict::Refuse)).await.unwrap();
        let broadcast = registry.find(&name("a")).unwrap();
        let begun = Instant::now();
        assert_eq!(broadcast.answer(Resource::Mpd).await, Answer::Unavailable);
        assert_eq!(begun.elapsed(), ms(12_000));
    }

    #[tokio::test(start_paused = true)]
    async fn thousands_who_wait_for_one_part_get_one_rendering() {
        let registry = registry();
        let mut publisher = registry.publish(name("a"), info(OnConflict::Refuse)).await.unwrap();
        let encoder = Encoder { length: 2_400, ..Encoder::TYPICAL };
        send(&mut publisher, encoder).await;
        sleep(ms(1)).await;
        let broadcast = registry.find(&name("a")).unwrap();
        let next = Directive { media_sequence: WALL + 1, part: Some(1) };
        let waiting: Vec<_> = (0..2_000)
            .map(|_| {
                let broadcast = broadcast.clone();
                tokio::spawn(async move {
                    broadcast.answer(Resource::Playlist(TrackKind::Video, Some(next))).await
                })
            })
            .collect();
        sleep(ms(50)).await;
        assert!(waiting.iter().all(|it| !it.is_finished()));
        for (_, input) in (Encoder { origin: 2_400, length: 400, ..Encoder::TYPICAL }).samples() {
            publisher.send(input).await.unwrap();
        }
        let mut texts = Vec::new();
        for it in waiting {
            let Answer::Found { chunks, .. } = it.await.unwrap() else { panic!() };
            texts.push(chunks[0].as_ptr());
        }
        assert!(texts.iter().all(|it| *it == texts[0]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_for_what_does_not_come_ends_after_three_target_durations() {
        let registry = registry();
        let mut publisher = registry.publish(name("a"), info(OnConflict::Refuse)).await.unwrap();
        send(&mut publisher, Encoder { length: 2_400, ..Encoder::TYPICAL }).await;
        sleep(ms(1)).await;
        let broadcast = registry.find(&name("a")).unwrap();
        let begun = Instant::now();
        let next = Directive { media_sequence: WALL + 1, part: None };
        let answer = broadcast.answer(Resource::Playlist(TrackKind::Video, Some(next))).await;
        assert_eq!((answer, begun.elapsed()), (Answer::Unavailable, ms(6_000)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_taken_name_is_refused_or_taken_over_as_the_newcomer_says() {
        let registry = registry();
        let mut first = registry.publish(name("a"), info(OnConflict::Refuse)).await.unwrap();
        let refused = registry.publish(name("a"), info(OnConflict::Refuse)).await;
        assert_eq!(refused.unwrap_err(), Refused::Taken);
        let second = registry.publish(name("a"), info(OnConflict::Replace)).await.unwrap();
        assert_eq!(first.ended().await, Ended::Superseded);
        assert_eq!(first.send(Input::Discontinuity).await, Err(Ended::Superseded));
        // Two encoders with one key take the name from each other no faster than this.
        let third = registry.publish(name("a"), info(OnConflict::Replace)).await;
        assert_eq!(third.unwrap_err(), Refused::TooSoon(ms(5_000)));
        // A publisher that lost its seat does not give up the seat of the one who has it.
        drop(first);
        let refused = registry.publish(name("a"), info(OnConflict::Refuse)).await;
        assert_eq!(refused.unwrap_err(), Refused::Taken);
        sleep(ms(5_000)).await;
        registry.publish(name("a"), info(OnConflict::Replace)).await.unwrap();
        assert_eq!(second.ended().await, Ended::Superseded);
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_no_more_broadcasts_than_allowed() {
        let registry = registry();
        let mut publishers = Vec::new();
        for it in ["a", "b", "c", "d"] {
            publishers.push(registry.publish(name(it), info(OnConflict::Refuse)).await.unwrap());
        }
        let refused = registry.publish(name("e"), info(OnConflict::Refuse)).await;
        assert_eq!(refused.unwrap_err(), Refused::Full);
        assert_eq!(registry.list().len(), 4);
        // Nothing was ever shown of it, so nothing of it stays after the grace time.
        publishers.pop();
        sleep(ms(30_001)).await;
        assert_eq!(registry.list().len(), 3);
        registry.publish(name("e"), info(OnConflict::Refuse)).await.unwrap();
    }

    /// What one typical broadcast takes once its window and what is behind it are full.
    async fn usual_weight() -> u64 {
        let registry = registry();
        let mut publisher = registry.publish(name("a"), info(OnConflict::Refuse)).await.unwrap();
        send(&mut publisher, Encoder { length: 60_000, ..Encoder::TYPICAL }).await;
        sleep(ms(1)).await;
        registry.memory_held()
    }

    async fn stretch(registry: &Registry, it: &str) -> u64 {
        let answer =
            registry.find(&name(it)).unwrap().answer(Resource::Playlist(TrackKind::Video, None)).await;
        text(answer).matches("#EXTINF").count() as u64
    }

    #[tokio::test(start_paused = true)]
    async fn a_newcomer_finds_no_room_and_those_who_are_here_keep_their_windows() {
        let usual = usual_weight().await;
        let registry =
            Registry::new(Settings { memory: usual * 3 / 2, ..settings() }, Arc::new(Memory::default()));
        let mut first = registry.publish(name("a"), info(OnConflict::Refuse)).await.unwrap();
        let mut second = registry.publish(name("b"), info(OnConflict::Refuse)).await.unwrap();
        let long = Encoder { length: 60_000, ..Encoder::TYPICAL };
        tokio::join!(send(&mut first, long), send(&mut second, long));
        sleep(ms(1)).await;
        // What left the playlists went, as far as it had to.
        assert!(registry.memory_held() <= usual * 3 / 2);
        assert_eq!((stretch(&registry, "a").await, stretch(&registry, "b").await), (10, 10));
        let refused = registry.publish(name("c"), info(OnConflict::Refuse)).await;
        assert_eq!(refused.unwrap_err(), Refused::ShortOfMemory);
        // Who is here may come back.
        drop(first);
        sleep(ms(10)).await;
        registry.publish(name("a"), info(OnConflict::Refuse)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_publishes_and_memory_comes_back_all_the_same() {
        let usual = usual_weight().await;
        let registry =
            Registry::new(Settings { memory: usual * 3 / 2, ..settings() }, Arc::new(Memory::default()));
        let long = Encoder { length: 60_000, ..Encoder::TYPICAL };
        let mut first = registry.publish(name("a"), info(OnConflict::Refuse)).await.unwrap();
        send(&mut first, long).await;
        drop(first);
        let mut second = registry.publish(name("b"), info(OnConflict::Refuse)).await.unwrap();
        send(&mut second, Encoder { length: 20_000, ..Encoder::TYPICAL }).await;
        sleep(ms(1_001)).await;
        assert!(registry.memory_held() <= usual * 3 / 2);
        assert!(stretch(&registry, "b").await >= 9);
    }

    #[tokio::test(start_paused = true)]
    async fn a_publisher_that_takes_more_than_all_memory_is_turned_away_with_the_reason() {
        let registry = Registry::new(Settings { memory: 20_000, ..settings() }, Arc::new(Memory::default()));
        let mut publisher = registry.publish(name("a"), info(OnConflict::Refuse)).await.unwrap();
        publisher.send(Input::Configure(video_config())).await.unwrap();
        let mut sent = Ok(());
        for (_, input) in
            (Encoder { length: 60_000, audio: false, gop: 60_000, ..Encoder::TYPICAL }).samples()
        {
            sent = publisher.send(input).await;
            if sent.is_err() {
                break;
            }
            sleep(ms(1)).await;
            assert!(registry.memory_held() <= 21_000, "{}", registry.memory_held());
        }
        assert_eq!((sent, publisher.ended().await), (Err(Ended::ShortOfMemory), Ended::ShortOfMemory));
    }

    #[tokio::test(start_paused = true)]
    async fn a_publisher_that_comes_back_within_the_grace_time_goes_on_with_its_broadcast() {
        let registry = registry();
        let mut first = registry.publish(name("a"), info(OnConflict::Refuse)).await.unwrap();
        let broadcast = registry.find(&name("a")).unwrap();
        send(&mut first, Encoder { length: 5_000, ..Encoder::TYPICAL }).await;
        drop(first);
        sleep(ms(5_000)).await;
        let later =
            PublisherInfo { now: UNIX_EPOCH + Duration::from_secs(WALL + 10), ..info(OnConflict::Refuse) };
        let mut second = registry.publish(name("a"), later).await.unwrap();
        send(&mut second, Encoder { length: 5_000, origin: 70_000, ..Encoder::TYPICAL }).await;
        sleep(ms(1)).await;
        let playlist = text(broadcast.answer(Resource::Playlist(TrackKind::Video, None)).await);
        assert_eq!(playlist.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{playlist}");
        assert_eq!(broadcast.facts().discontinuities, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_stops_keeps_its_records_and_the_next_goes_on() {
        let ledger = Arc::new(Memory::default());
        let registry = Registry::new(settings(), Arc::clone(&ledger) as Arc<dyn Ledger>);
        let mut publisher = registry.publish(name("a"), info(OnConflict::Refuse)).await.unwrap();
        send(&mut publisher, Encoder { length: 5_000, ..Encoder::TYPICAL }).await;
        registry.close().await;
        assert_eq!(publisher.ended().await, Ended::Stopping);
        let refused = registry.publish(name("a"), info(OnConflict::Refuse)).await;
        assert_eq!(refused.unwrap_err(), Refused::Stopping);
        // Three segments closed, the last when the server stopped: no number is left out.
        assert_eq!(ledger.records.lock().unwrap()[&name("a")].media_sequence, WALL + 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_drains_answers_who_waits_at_once_and_gives_what_it_has() {
        let registry = registry();
        let mut publisher = registry.publish(name("a"), info(OnConflict::Refuse)).await.unwrap();
        send(&mut publisher, Encoder { length: 5_000, ..Encoder::TYPICAL }).await;
        let broadcast = registry.find(&name("a")).unwrap();
        let next = Directive { media_sequence: WALL + 3, part: None };
        let blocked = Resource::Playlist(TrackKind::Video, Some(next));
        let viewer = broadcast.clone();
        let viewer = tokio::spawn(async move { viewer.answer(blocked).await });
        sleep(ms(1)).await;
        let drained = Instant::now();
        registry.drain();
        assert_eq!(viewer.await.unwrap(), Answer::Unavailable);
        assert_eq!(broadcast.answer(blocked).await, Answer::Unavailable);
        text(broadcast.answer(Resource::Playlist(TrackKind::Video, None)).await);
        assert_eq!(drained.elapsed(), Duration::ZERO);
        let refused = registry.publish(name("b"), info(OnConflict::Refuse)).await;
        assert_eq!(refused.unwrap_err(), Refused::Stopping);
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_ledger_stops_no_broadcast() {
        let registry = Registry::new(settings(), Arc::new(Memory { broken: true, ..Memory::default() }));
        let mut publisher = registry.publish(name("a"), info(OnConflict::Refuse)).await.unwrap();
        send(&mut publisher, Encoder { length: 5_000, ..Encoder::TYPICAL }).await;
        let broadcast = registry.find(&name("a")).unwrap();
        assert!(text(broadcast.answer(Resource::Multivariant).await).contains("video/index.m3u8"));
        assert_eq!(broadcast.facts().warnings, [crate::live::Warning::Forgetful]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_operator_sees_what_is_published() {
        let registry = registry();
        let mut publisher = registry.publish(name("a"), info(OnConflict::Refuse)).await.unwrap();
        send(&mut publisher, Encoder { length: 12_500, ..Encoder::TYPICAL }).await;
        let facts = registry.find(&name("a")).unwrap().facts();
        assert_eq!(facts.key_frame_interval, Some(ms(2_000)));
        assert_eq!(facts.publisher.as_ref().unwrap().encoder.as_deref(), Some("test"));
        let tracks: Vec<_> = facts.tracks.iter().map(|it| (&*it.codec, it.size, it.sample_rate)).collect();
        assert_eq!(tracks, [("avc1.64001f", Some((1_280, 720)), None), ("mp4a.40.2", None, Some(48_000))]);
        assert_eq!(facts.tracks[0].frame_rate, Some(25.0));
        assert_eq!(facts.tracks[0].bit_rate, 25 * 16 * 8);
        sleep(ms(20_000)).await;
        let facts = registry.find(&name("a")).unwrap().facts();
        assert_eq!(
            (facts.tracks[0].bit_rate, facts.publisher.is_some()),
            (0, true),
            "it is seen to stand still"
        );
        drop(publisher);
        sleep(ms(1)).await;
        assert_eq!(registry.find(&name("a")).unwrap().facts().publisher, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_player_follows_the_ring_over_a_change_of_publishers() {
        let registry = registry();
        let mut first = registry.publish(name("a"), info(OnConflict::Refuse)).await.unwrap();
        let mut player = registry.find(&name("a")).unwrap().subscribe();
        send(&mut first, Encoder { length: 200, audio: false, ..Encoder::TYPICAL }).await;
        sleep(ms(1)).await;
        let second = registry.publish(name("a"), info(OnConflict::Replace)).await.unwrap();
        drop(first);
        sleep(ms(1)).await;
        drop(second);
        let mut seen = String::new();
        while let Some(item) = player.next().await {
            seen.push(match item {
                Item::Metadata(_) => 'm',
                Item::Configure(_) => 'c',
                Item::Sample(..) => 's',
                Item::Discontinuity => 'd',
                Item::Gone => 'g',
                Item::Came => 'n',
            });
        }
        assert_eq!(seen, "ccsssssng");
    }
}
