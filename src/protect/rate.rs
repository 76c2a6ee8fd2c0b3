//! How much each client asked within a window that slides.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::recent::Recent;

/// Clients remembered, about 100 bytes each. Who asks as more clients than that is not stopped here.
const MOST_CLIENTS: usize = 65_536;

/// Enough that two requests seldom meet at one lock.
const SHARDS: usize = 16;

/// Counts of clients: each request counts fully in the window of the clock it comes in, and in the next by the share of
/// the sliding window that still covers its own.
#[derive(Debug)]
pub(super) struct Tally {
    window: Duration,
    shards: Box<[Mutex<Recent<u128, Count>>]>,
    hasher: RandomState,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// Which window of the clock `current` is of.
    number: u128,
    current: u32,
    previous: u32,
}

impl Tally {
    pub(super) fn new(window: Duration) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::new(Recent::new(MOST_CLIENTS / SHARDS)));
        Self { window, shards: shards.collect(), hasher: RandomState::new() }
    }

    pub(super) const fn window(&self) -> Duration {
        self.window
    }

    /// Counts a request; when its client has asked more than `limit`, the seconds until it may be worth asking again.
    pub(super) fn exceeded(&self, client: IpAddr, limit: u32, now: SystemTime) -> Option<u32> {
        let client = subscriber(client);
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let window = self.window.as_millis().max(1);
        let (number, elapsed) = (now / window, now % window);
        let shard = self.hasher.hash_one(client) as usize % SHARDS;
        let mut shard = self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner);
        if shard.get_mut(&client).is_none() {
            shard.insert(client, Count::default(), 1);
        }
        let count = shard.get_mut(&client)?;
        // A clock that goes back gives nothing and takes nothing.
        if number > count.number {
            count.previous = if number == count.number + 1 { count.current } else { 0 };
            (count.number, count.current) = (number, 0);
        }
        count.current = count.current.saturating_add(1);
        let of_before = u128::from(count.previous) * (window - elapsed) / window;
        let asked = u128::from(count.current) + of_before;
        (asked > u128::from(limit))
            .then(|| u32::try_from((window - elapsed).div_ceil(1000)).unwrap_or(u32::MAX))
    }
}

/// A client: an IPv4 address, or a /64, which one subscriber has all of.
fn subscriber(client: IpAddr) -> u128 {
    match client {
        IpAddr::V4(it) => it.to_ipv6_mapped().to_bits(),
        IpAddr::V6(it) => it.to_bits() >> 64 << 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "192.0.2.1";

    /// Which of requests at these milliseconds are too many, under 10 in 10 s.
    fn refused(client: &str, times: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let tally = Tally::new(Duration::from_secs(10));
        let at = |it| UNIX_EPOCH + Duration::from_millis(it);
        let exceeded = |it: &u64| tally.exceeded(client.parse().unwrap(), 10, at(*it)).is_some();
        times.into_iter().filter(exceeded).collect()
    }

    #[test]
    fn what_is_asked_beyond_the_limit_is_too_much_until_the_window_has_slid_on() {
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
    fn clients_are_counted_apart_and_a_subscribers_network_together() {
        let tally = Tally::new(Duration::from_secs(10));
        let ask =
            |client: &str| tally.exceeded(client.parse().unwrap(), 1, UNIX_EPOCH + Duration::from_secs(3));
        assert_eq!([ask("192.0.2.1"), ask("192.0.2.2"), ask("192.0.2.1")], [None, None, Some(7)]);
        assert_eq!([ask("2001:db8::1"), ask("2001:db8:0:1::1"), ask("2001:db8::2")], [None, None, Some(7)]);
    }

    #[test]
    fn memory_is_bounded_whoever_asks() {
        let tally = Tally::new(Duration::from_secs(10));
        for client in 0..200_000_u32 {
            let address = IpAddr::V4(std::net::Ipv4Addr::from_bits(client));
            assert_eq!(tally.exceeded(address, 1, UNIX_EPOCH), None);
        }
    }
}
