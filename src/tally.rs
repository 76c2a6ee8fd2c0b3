//! How often each of very many came within a window that slides, in memory that is bounded.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::network::Network;

/// Enough that two who come seldom meet at one lock.
const SHARDS: usize = 16;
/// Buckets of a shard, and counts of a bucket, 24 octets each: 131,072 at the most, 3 MiB. Who comes as more networks than
/// that is not stopped here.
const BUCKETS: usize = 512;
const DEPTH: usize = 16;

/// Counts of networks: each time counts fully in the window of the clock it is in, and in the next by the share of the
/// sliding window that still covers its own.
///
/// Where the bucket of a newcomer is full, the smallest count gives way, and none that is over its limit does: with however
/// many addresses somebody comes, he makes nobody forget who came too often. Buckets are chosen by a hash that
/// nobody outside can foresee.
#[derive(Debug)]
pub(crate) struct Tally {
    window: Duration,
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
}

/// Buckets, each of few counts.
#[derive(Debug)]
struct Shard(Box<[Vec<Count>]>);

#[derive(Clone, Copy, Debug)]
struct Count {
    /// The network's hash: two that share one are as good as never there at once.
    who: u64,
    /// Which window of the clock `current` is of.
    number: u64,
    current: u32,
    previous: u32,
}

/// A moment: which window of the clock it is in, and how far in that.
#[derive(Clone, Copy)]
struct Moment {
    number: u64,
    elapsed: u64,
    window: u64,
}

impl Tally {
    pub(crate) fn new(window: Duration) -> Self {
        let buckets = || Mutex::new(Shard(vec![Vec::new(); BUCKETS].into_boxed_slice()));
        Self { window, shards: (0..SHARDS).map(|_| buckets()).collect(), hasher: RandomState::new() }
    }

    pub(crate) const fn window(&self) -> Duration {
        self.window
    }

    /// Counts one more of `network`; when that came more often than `limit`, how long until it may be worth coming again.
    pub(crate) fn exceeded(&self, network: Network, limit: u32, now: SystemTime) -> Option<Duration> {
        let now = Moment::of(now, self.window);
        let who = self.hasher.hash_one(network);
        let (shard, bucket) = (who as usize % SHARDS, who as usize / SHARDS % BUCKETS);
        let mut shard = self.lock(shard);
        let bucket = shard.0.get_mut(bucket)?;
        let count = place(bucket, who, limit, now)?;
        // A clock that goes back gives nothing and takes nothing.
        if now.number > count.number {
            count.previous = if now.number == count.number + 1 { count.current } else { 0 };
            (count.number, count.current) = (now.number, 0);
        }
        count.current = count.current.saturating_add(1);
        let left = Duration::from_millis(now.window - now.elapsed);
        (count.at(now) > u64::from(limit)).then_some(left)
    }

    fn lock(&self, shard: usize) -> MutexGuard<'_, Shard> {
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where somebody is counted: his place of before, a free one, or that of the smallest count. None where all who are there
/// are over the limit.
fn place(bucket: &mut Vec<Count>, who: u64, limit: u32, now: Moment) -> Option<&mut Count> {
    let newcomer = Count { who, number: now.number, current: 0, previous: 0 };
    let index = if let Some(index) = bucket.iter().position(|it| it.who == who) {
        index
    } else if bucket.len() < DEPTH {
        bucket.push(newcomer);
        bucket.len() - 1
    } else {
        let smallest = bucket.iter().enumerate().min_by_key(|(_, it)| it.at(now));
        let (index, _) = smallest.filter(|(_, it)| it.at(now) <= u64::from(limit))?;
        bucket[index] = newcomer;
        index
    };
    bucket.get_mut(index)
}

impl Moment {
    fn of(now: SystemTime, window: Duration) -> Self {
        let millis = |it: Duration| u64::try_from(it.as_millis()).unwrap_or(u64::MAX);
        let now = millis(now.duration_since(UNIX_EPOCH).unwrap_or_default());
        let window = millis(window).max(1);
        Self { number: now / window, elapsed: now % window, window }
    }
}

impl Count {
    /// What it comes to at a moment.
    fn at(&self, now: Moment) -> u64 {
        let share = |count: u32| u64::from(count) * (now.window - now.elapsed) / now.window;
        match now.number.checked_sub(self.number) {
            None | Some(0) => u64::from(self.current) + share(self.previous),
            Some(1) => share(self.current),
            Some(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const ONE: &str = "192.0.2.1";

    fn of(client: &str) -> Network {
        Network::client(client.parse().unwrap())
    }

    fn stranger(number: u32) -> Network {
        Network::client(IpAddr::V4(Ipv4Addr::from_bits(number)))
    }

    /// Which of requests at these milliseconds are too many, under 10 in 10 s.
    fn refused(client: &str, times: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let tally = Tally::new(Duration::from_secs(10));
        let at = |it| UNIX_EPOCH + Duration::from_millis(it);
        let exceeded = |it: &u64| tally.exceeded(of(client), 10, at(*it)).is_some();
        times.into_iter().filter(exceeded).collect()
    }

    #[test]
    fn what_comes_beyond_the_limit_is_too_much_until_the_window_has_slid_on() {
        assert_eq!(refused(ONE, 1_000..1_010), [0; 0]);
        assert_eq!(refused(ONE, 1_000..1_012), [1_010, 1_011]);
        // Half of the window before still counts, and what was refused does, too.
        assert_eq!(refused(ONE, (1_000..1_010).chain(15_000..15_007)), [15_006]);
        assert_eq!(refused(ONE, (1_000..1_010).chain(20_000..20_010)), [0; 0]);
        assert_eq!(
            refused(ONE, (1_000..1_010).chain([500])),
            [500],
            "a clock that goes back forgives nothing"
        );
    }

    #[test]
    fn networks_are_counted_apart() {
        let tally = Tally::new(Duration::from_secs(10));
        let ask = |client| tally.exceeded(of(client), 1, UNIX_EPOCH + Duration::from_secs(3));
        let left = Some(Duration::from_secs(7));
        assert_eq!([ask("192.0.2.1"), ask("192.0.2.2"), ask("192.0.2.1")], [None, None, left]);
        assert_eq!([ask("2001:db8::1"), ask("2001:db8:0:1::1"), ask("2001:db8::2")], [None, None, left]);
    }

    #[test]
    fn however_many_come_nobody_who_came_too_often_is_forgotten_and_memory_is_bounded() {
        let tally = Tally::new(Duration::from_secs(10));
        let over = || tally.exceeded(of(ONE), 2, UNIX_EPOCH).is_some();
        assert_eq!([over(), over(), over()], [false, false, true]);
        for number in 0..400_000 {
            assert_eq!(tally.exceeded(stranger(number), 2, UNIX_EPOCH), None);
        }
        assert!(over());
        let counts: usize =
            (0..SHARDS).map(|it| tally.lock(it).0.iter().map(Vec::capacity).sum::<usize>()).sum();
        assert!(counts <= SHARDS * BUCKETS * DEPTH);
        // Where all are over the limit, a newcomer is none too many.
        for number in (0..3 * 200_000).map(|it| it % 200_000) {
            tally.exceeded(stranger(number), 0, UNIX_EPOCH);
        }
        assert!(over());
    }
}
