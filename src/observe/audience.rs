//! How many viewers each broadcast has: who asked for something of it in the last moments.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use http::header::USER_AGENT;

use crate::viewer::Record;

/// A player asks for something at least once in a target duration, which is at most 10 s.
const RECENT: Duration = Duration::from_secs(12);
/// Viewers remembered over all broadcasts, 32 bytes each; beyond it the counts stop growing.
const MOST: usize = 200_000;

/// Counts viewers by address and user agent, remembering only keyed hashes of them.
#[derive(Debug, Default)]
pub struct Audience {
    hasher: RandomState,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    broadcasts: HashMap<u64, HashMap<u64, Instant>>,
    viewers: usize,
    swept: Option<Instant>,
}

impl Audience {
    /// Takes note of a served request.
    pub fn saw(&self, record: &Record, now: Instant) {
        let Some(name) = broadcast_of(record.path()) else { return };
        if !record.status.is_some_and(|it| it.is_success()) {
            return;
        }
        let viewer = self.hasher.hash_one((record.client, record.header(USER_AGENT)));
        let broadcast = self.hasher.hash_one(name);
        let mut seen = self.seen.lock().expect("no code panics while it holds this lock");
        seen.sweep(now);
        let full = seen.viewers >= MOST;
        let viewers = seen.broadcasts.entry(broadcast).or_default();
        if full && !viewers.contains_key(&viewer) {
            return;
        }
        if viewers.insert(viewer, now).is_none() {
            seen.viewers += 1;
        }
    }

    /// Viewers of `{app}/{name}` in the last moments.
    pub fn viewers(&self, broadcast: &str, now: Instant) -> u64 {
        let key = self.hasher.hash_one(broadcast);
        let seen = self.seen.lock().expect("no code panics while it holds this lock");
        let viewers = seen.broadcasts.get(&key);
        viewers.map_or(0, |it| it.values().filter(|&&at| is_recent(at, now)).count() as u64)
    }
}

impl Seen {
    /// Forgets who is gone, once in [`RECENT`].
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|at| is_recent(at, now)) {
            return;
        }
        self.swept = Some(now);
        self.broadcasts.retain(|_, viewers| {
            viewers.retain(|_, at| is_recent(*at, now));
            !viewers.is_empty()
        });
        self.viewers = self.broadcasts.values().map(HashMap::len).sum();
    }
}

fn is_recent(at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(at) < RECENT
}

/// `/live/match/v0/index.m3u8` → `live/match`.
fn broadcast_of(path: &str) -> Option<&str> {
    let path = path.strip_prefix('/')?;
    let (app, rest) = path.split_once('/')?;
    let (name, _) = rest.split_once('/')?;
    path.get(..app.len() + 1 + name.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::access_log::{example_head, example_record};

    #[test]
    fn a_viewer_counts_once_and_is_forgotten_after_a_while() {
        let audience = Audience::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let saw = |path: &str, client: &str, seconds| {
            let (head, client) = (Some(example_head(path)), client.parse().unwrap());
            let record = Record { head, client, ..example_record() };
            audience.saw(&record, at(seconds));
        };
        saw("/live/a/index.m3u8", "192.0.2.1", 0);
        saw("/live/a/v0/index.m3u8", "192.0.2.1", 1);
        saw("/live/a/v0/index.m3u8", "192.0.2.2", 2);
        saw("/live/b/v0/index.m3u8", "192.0.2.2", 3);
        saw("/favicon.ico", "192.0.2.3", 3);
        let count = |name: &str, seconds| audience.viewers(name, at(seconds));
        assert_eq!((count("live/a", 3), count("live/b", 3), count("live/c", 3)), (2, 1, 0));
        assert_eq!((count("live/a", 13), count("live/a", 15)), (1, 0));
        saw("/live/b/v0/index.m3u8", "192.0.2.9", 30);
        assert_eq!(audience.seen.lock().unwrap().viewers, 1);
    }
}
