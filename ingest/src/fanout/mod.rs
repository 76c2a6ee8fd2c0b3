//! RTMP players: what a broadcast says, rendered once and shared by all who play it.
//!
//! ```text
//! Subscriber ─▶ one task per broadcast: Renderer ─▶ Ring ◀─ Player (a cursor in each connection)
//! ```
//! The task lives as long as somebody plays and the broadcast lasts. A player never holds the task up: who is slow
//! finds the ring ahead of it, and goes on at the newest key frame.

mod message;
mod ring;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use packager::live::{Broadcast, Claim, Item, Subscriber};
use packager::media::BroadcastName;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use message::Renderer;
use ring::{Cursor, Ring};

pub(crate) use ring::{Next, Wanted};

/// All broadcasts that somebody plays.
#[derive(Debug)]
pub(crate) struct Fanout {
    feeds: Mutex<HashMap<BroadcastName, Weak<Feed>>>,
    ring_bytes: usize,
    tasks: TaskTracker,
}

/// One broadcast that somebody plays.
#[derive(Debug)]
struct Feed {
    ring: Mutex<Ring>,
    progress: watch::Sender<Progress>,
    /// Ends the task that fills it, be the broadcast ever so quiet.
    _played: DropGuard,
}

/// How far a broadcast has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    /// The number of the next message.
    end: u64,
    publishers: Publishers,
    over: bool,
}

/// Who has published a broadcast, which outlives its publishers for a while.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Publishers {
    /// How many have come after the one who was there when the first player came.
    came: u64,
    /// The last of them has gone.
    gone: bool,
}

/// What a player is told of the publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// There is none any more.
    Gone,
    /// Another one is there.
    Came,
}

/// One player's place in a broadcast.
#[derive(Debug)]
pub(crate) struct Player {
    feed: Arc<Feed>,
    cursor: Cursor,
    progress: watch::Receiver<Progress>,
    /// Whom it was told of.
    publishers: Publishers,
}

impl Fanout {
    pub(crate) fn new(ring_bytes: usize, tasks: TaskTracker) -> Self {
        Self { feeds: Mutex::default(), ring_bytes, tasks }
    }

    /// A player of this broadcast, from its newest key frame on.
    pub(crate) fn join(&self, broadcast: &Broadcast) -> Player {
        let mut feeds = self.feeds.lock().expect(UNPOISONED);
        let known =
            feeds.get(broadcast.name()).and_then(Weak::upgrade).filter(|it| !it.progress.borrow().over);
        let feed = known.unwrap_or_else(|| {
            // Those whose players have left go when the next one opens, so there are never more than broadcasts
            // that were played at once.
            feeds.retain(|_, it| it.strong_count() > 0);
            let left = CancellationToken::new();
            let feed = Arc::new(Feed::new(self.ring_bytes, left.clone().drop_guard()));
            feeds.insert(broadcast.name().clone(), Arc::downgrade(&feed));
            let filled = fill(broadcast.subscribe(), broadcast.claim(), Arc::downgrade(&feed));
            self.tasks.spawn(async move { left.run_until_cancelled(filled).await });
            feed
        });
        let cursor = feed.ring.lock().expect(UNPOISONED).begin();
        let progress = feed.progress.subscribe();
        let publishers = Publishers { gone: false, ..progress.borrow().publishers };
        Player { progress, cursor, publishers, feed }
    }
}

/// Fills a feed until the broadcast is over or nobody plays it.
async fn fill(mut subscriber: Subscriber, mut claim: Claim, feed: Weak<Feed>) {
    let mut renderer = Renderer::default();
    while let Some(item) = subscriber.next().await {
        let Some(feed) = feed.upgrade() else { return };
        match item {
            Item::Gone => feed.progress.send_modify(|it| it.publishers.gone = true),
            Item::Came => feed.progress.send_modify(|it| {
                it.publishers = Publishers { came: it.publishers.came + 1, gone: false };
            }),
            _ => {}
        }
        if let Some(message) = renderer.render(item) {
            claim.set(feed.push(message));
        }
    }
    if let Some(feed) = feed.upgrade() {
        feed.progress.send_modify(|it| it.over = true);
    }
}

impl Feed {
    fn new(ring_bytes: usize, played: DropGuard) -> Self {
        Self {
            _played: played,
            ring: Mutex::new(Ring::new(ring_bytes)),
            progress: watch::Sender::new(Progress { end: 0, publishers: Publishers::default(), over: false }),
        }
    }

    /// Adds a message; says what all that are held weigh.
    fn push(&self, message: message::Message) -> u64 {
        let (end, weight) = {
            let mut ring = self.ring.lock().expect(UNPOISONED);
            ring.push(message);
            (ring.end(), ring.weight())
        };
        self.progress.send_modify(|it| it.end = end);
        weight
    }
}

impl Player {
    /// The next message, if one is there.
    pub(crate) fn next(&mut self, wanted: Wanted) -> Option<Next> {
        self.feed.ring.lock().expect(UNPOISONED).next(&mut self.cursor, wanted)
    }

    /// What it is to be told of the publisher: that one has come before what that one says, that one has gone after what
    /// that one said.
    pub(crate) fn turn(&mut self) -> Option<Turn> {
        let Progress { publishers, end, .. } = *self.progress.borrow();
        if publishers.came != self.publishers.came {
            self.publishers = Publishers { gone: false, ..publishers };
            return Some(Turn::Came);
        }
        let heard = end <= self.cursor.position();
        let gone = heard && publishers.gone && !std::mem::replace(&mut self.publishers.gone, true);
        gone.then_some(Turn::Gone)
    }

    /// Waits until there is something this player has not seen.
    pub(crate) async fn progress(&mut self) -> Played {
        let (position, told) = (self.cursor.position(), self.publishers);
        let news = self.progress.wait_for(|it| it.over || it.end > position || it.publishers != told).await;
        match news {
            Ok(progress) if progress.end > position || progress.publishers != told => Played::On,
            // The sender lives in the feed, which this player holds.
            Ok(_) | Err(_) => Played::Over,
        }
    }
}

/// What a player waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Played {
    /// There is more.
    On,
    /// The broadcast is over, and everything was seen.
    Over,
}

const UNPOISONED: &str = "no code panics while it holds this lock";

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::Ipv4Addr;
    use std::time::{Duration, UNIX_EPOCH};

    use bytes::Bytes;
    use packager::codec::aac;
    use packager::live::{Input, Ledger, OnConflict, Publisher, PublisherInfo, Record, Registry, Settings};
    use packager::media::{AppName, CodecConfig, Sample, Sync, Timescale, Timestamp, TrackKind};
    use tokio::time::timeout;

    use super::*;

    struct Forgetful;

    impl Ledger for Forgetful {
        fn load(&self, _: &BroadcastName) -> io::Result<Option<Record>> {
            Ok(None)
        }

        fn store(&self, _: &BroadcastName, _: &Record) -> io::Result<()> {
            Ok(())
        }
    }

    /// A registry, and somebody who publishes.
    async fn published() -> (Registry, Publisher, Broadcast) {
        let second = Duration::from_secs(1);
        let settings = Settings {
            segment: second,
            part: second,
            window: second,
            grace: second,
            replace_interval: second,
            max_broadcasts: 1,
            ring_bytes: 1 << 20,
            memory: 1 << 30,
        };
        let registry = Registry::new(settings, Arc::new(Forgetful));
        let publisher = PublisherInfo {
            address: (Ipv4Addr::LOCALHOST, 1935).into(),
            encoder: None,
            on_conflict: OnConflict::Refuse,
            now: UNIX_EPOCH,
        };
        let name = BroadcastName::new(AppName::new("live").unwrap(), "quiet").unwrap();
        let publisher = registry.publish(name.clone(), publisher).await.unwrap();
        let broadcast = registry.find(&name).unwrap();
        (registry, publisher, broadcast)
    }

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn nothing_is_left_of_a_player_that_left_a_quiet_broadcast() {
        let (_registry, _publisher, broadcast) = published().await;
        let tasks = TaskTracker::new();
        let fanout = Fanout::new(1 << 10, tasks.clone());
        let players = (fanout.join(&broadcast), fanout.join(&broadcast));
        assert_eq!(tasks.len(), 1);
        drop(players);
        tasks.close();
        timeout(PATIENCE, tasks.wait()).await.expect("the task that fed them has ended");
    }

    #[tokio::test]
    async fn what_is_held_for_players_counts_for_as_long_as_somebody_plays() {
        let (registry, mut publisher, broadcast) = published().await;
        let tasks = TaskTracker::new();
        let fanout = Fanout::new(1 << 20, tasks.clone());
        let mut player = fanout.join(&broadcast);
        let config = aac::Config::parse(Bytes::from_static(&[0x11, 0x90])).unwrap();
        publisher.send(Input::Configure(CodecConfig::Aac(config))).await.unwrap();
        let sample = Sample {
            dts: Timestamp::zero(Timescale::MILLISECONDS),
            composition_offset: 0,
            sync: Sync::Key,
            payload: Bytes::from(vec![0; 100_000]),
        };
        publisher.send(Input::Sample(TrackKind::Audio, sample)).await.unwrap();
        timeout(PATIENCE, player.progress()).await.unwrap();
        let held = async |most: u64| {
            // The broadcast itself holds it twice over: on its way into a part, and for whoever plays next.
            while registry.memory_held() / 100_000 != most {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, held(3)).await.expect("the player's counts");
        drop(player);
        tasks.close();
        tasks.wait().await;
        timeout(PATIENCE, held(2)).await.expect("the player's counts no more");
    }
}
