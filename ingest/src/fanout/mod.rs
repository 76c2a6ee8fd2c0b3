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

use packager::live::{Broadcast, Subscriber};
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
    over: bool,
}

/// One player's place in a broadcast.
#[derive(Debug)]
pub(crate) struct Player {
    feed: Arc<Feed>,
    cursor: Cursor,
    progress: watch::Receiver<Progress>,
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
            let filled = fill(broadcast.subscribe(), Arc::downgrade(&feed));
            self.tasks.spawn(async move { left.run_until_cancelled(filled).await });
            feed
        });
        let cursor = feed.ring.lock().expect(UNPOISONED).begin();
        Player { progress: feed.progress.subscribe(), cursor, feed }
    }
}

/// Fills a feed until the broadcast is over or nobody plays it.
async fn fill(mut subscriber: Subscriber, feed: Weak<Feed>) {
    let mut renderer = Renderer::default();
    while let Some(item) = subscriber.next().await {
        let Some(feed) = feed.upgrade() else { return };
        if let Some(message) = renderer.render(item) {
            feed.push(message);
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
            progress: watch::Sender::new(Progress { end: 0, over: false }),
        }
    }

    fn push(&self, message: message::Message) {
        let end = {
            let mut ring = self.ring.lock().expect(UNPOISONED);
            ring.push(message);
            ring.end()
        };
        self.progress.send_modify(|it| it.end = end);
    }
}

impl Player {
    /// The next message, if one is there.
    pub(crate) fn next(&mut self, wanted: Wanted) -> Option<Next> {
        self.feed.ring.lock().expect(UNPOISONED).next(&mut self.cursor, wanted)
    }

    /// Waits until there is something this player has not seen.
    pub(crate) async fn progress(&mut self) -> Played {
        let position = self.cursor.position();
        let news = self.progress.wait_for(|it| it.over || it.end > position).await;
        match news {
            Ok(progress) if progress.end > position => Played::On,
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

    use packager::live::{Ledger, OnConflict, PublisherInfo, Record, Registry, Settings};
    use packager::media::AppName;
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

    #[tokio::test]
    async fn nothing_is_left_of_a_player_that_left_a_quiet_broadcast() {
        let second = Duration::from_secs(1);
        let settings = Settings {
            segment: second,
            part: second,
            window: second,
            grace: second,
            replace_interval: second,
            max_broadcasts: 1,
            ring_bytes: 1 << 10,
        };
        let registry = Registry::new(settings, Arc::new(Forgetful));
        let publisher = PublisherInfo {
            address: (Ipv4Addr::LOCALHOST, 1935).into(),
            encoder: None,
            on_conflict: OnConflict::Refuse,
            now: UNIX_EPOCH,
        };
        let name = BroadcastName::new(AppName::new("live").unwrap(), "quiet").unwrap();
        let _publisher = registry.publish(name.clone(), publisher).await.unwrap();
        let tasks = TaskTracker::new();
        let fanout = Fanout::new(1 << 10, tasks.clone());
        let broadcast = registry.find(&name).unwrap();
        let players = (fanout.join(&broadcast), fanout.join(&broadcast));
        assert_eq!(tasks.len(), 1);
        drop(players);
        tasks.close();
        timeout(10 * second, tasks.wait()).await.expect("the task that fed them has ended");
    }
}
