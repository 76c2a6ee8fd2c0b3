//! How many wrong signatures an address may have checked.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::policy::unix_seconds;
use crate::recent::Recent;

/// Wrong signatures an address may send at once: a player with a broken link asks for a few dozen files before anyone
/// notices.
const BURST: u32 = 100;

/// Wrong signatures per second and address after that. One costs about 20 microseconds, so an address can take 0.02 %
/// of a core.
const PER_SECOND: u32 = 10;

/// Addresses remembered, about 100 bytes each. Who has more addresses than that is not stopped here.
const MAX_ADDRESSES: usize = 65_536;

/// A bucket of allowed failures for each address that had one. A whole /64 is one IPv6 address here, as one subscriber
/// has all of it.
#[derive(Debug)]
pub(super) struct Failures {
    buckets: Mutex<Recent<IpAddr, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    left: u32,
    filled: i64,
}

impl Bucket {
    fn refill(&mut self, now: i64) {
        let seconds = u32::try_from(now.saturating_sub(self.filled)).unwrap_or(0);
        self.left = self.left.saturating_add(seconds.saturating_mul(PER_SECOND)).min(BURST);
        self.filled = now;
    }
}

impl Failures {
    pub(super) fn new() -> Self {
        Self { buckets: Mutex::new(Recent::new(MAX_ADDRESSES)) }
    }

    /// Whether no more signatures of `client` are looked at just now.
    pub(super) fn is_exhausted(&self, client: IpAddr, now: SystemTime) -> bool {
        let now = unix_seconds(now);
        self.with(|buckets| {
            let Some(bucket) = buckets.get_mut(&subscriber(client)) else { return false };
            bucket.refill(now);
            bucket.left == 0
        })
    }

    /// Notes a wrong signature.
    pub(super) fn count(&self, client: IpAddr, now: SystemTime) {
        let (client, now) = (subscriber(client), unix_seconds(now));
        self.with(|buckets| match buckets.get_mut(&client) {
            Some(bucket) => {
                bucket.refill(now);
                bucket.left = bucket.left.saturating_sub(1);
            }
            None => buckets.insert(client, Bucket { left: BURST - 1, filled: now }, 1),
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Recent<IpAddr, Bucket>) -> T) -> T {
        act(&mut self.buckets.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn subscriber(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(it) => IpAddr::V6(Ipv6Addr::from_bits(it.to_bits() >> 64 << 64)),
        it @ IpAddr::V4(_) => it,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn failures(client: &str, count: u32) -> Failures {
        let failures = Failures::new();
        for _ in 0..count {
            failures.count(client.parse().unwrap(), at(1000));
        }
        failures
    }

    fn check(failures: &Failures, client: &str, seconds: u64, exhausted: bool) {
        assert_eq!(
            failures.is_exhausted(client.parse().unwrap(), at(seconds)),
            exhausted,
            "{client} at {seconds}"
        );
    }

    #[test]
    fn an_address_is_stopped_after_its_burst_and_recovers_slowly() {
        check(&failures("192.0.2.1", BURST - 1), "192.0.2.1", 1000, false);
        let failures = failures("192.0.2.1", BURST);
        check(&failures, "192.0.2.1", 1000, true);
        check(&failures, "192.0.2.2", 1000, false);
        check(&failures, "192.0.2.1", 1001, false);
        for _ in 0..PER_SECOND {
            failures.count("192.0.2.1".parse().unwrap(), at(1001));
        }
        check(&failures, "192.0.2.1", 1001, true);
        check(&failures, "192.0.2.1", 2000, false);
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_and_takes_nothing() {
        let failures = failures("192.0.2.1", BURST);
        check(&failures, "192.0.2.1", 10, true);
        check(&failures, "192.0.2.1", 11, false);
    }

    #[test]
    fn a_mapped_address_is_its_ipv4_address_and_an_ipv6_network_is_one_subscriber() {
        check(&failures("192.0.2.1", BURST), "::ffff:192.0.2.1", 1000, true);
        let failures = failures("2001:db8::1", BURST);
        check(&failures, "2001:db8::2", 1000, true);
        check(&failures, "2001:db8:0:1::1", 1000, false);
    }
}
