//! How many connections each client and each network holds, and how fast it opens them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use config::units::IpNetwork;

use crate::network::Network;
use crate::tally::Tally;

/// Within this, new connections are counted.
const MOMENT: Duration = Duration::from_secs(1);
/// A network may open as many connections as so many of its clients (http-edge.md 17 has the same for those it holds).
const CLIENTS_OF_A_NETWORK: u32 = 4;

/// Most connections of one client, an IPv4 address or an IPv6 /64, and of its network, a /24 or a /48.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    /// Of a client at once.
    pub of_client: u32,
    /// Of a network at once.
    pub of_network: u32,
    /// Of a client within a second.
    pub new_of_client: u32,
}

/// Counts connections. The size of what counts those there are is bounded by the connections themselves: an entry lives as
/// long as one of its [`Place`]s.
#[derive(Debug)]
pub(super) struct Peers {
    crowd: Crowd,
    exempt: Vec<IpNetwork>,
    counts: Mutex<HashMap<Network, u32>>,
    new: Tally,
}

/// One connection's place among its client's and its network's.
#[derive(Debug)]
pub(super) struct Place {
    peers: Arc<Peers>,
    /// None: it is not counted.
    of: Option<[Network; 2]>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TurnedAway {
    /// The client or its network holds its most.
    Full,
    /// It opened too many within a second.
    Hasty,
}

impl Peers {
    pub(super) fn new(crowd: Crowd, exempt: Vec<IpNetwork>) -> Arc<Self> {
        Arc::new(Self { crowd, exempt, counts: Mutex::default(), new: Tally::new(MOMENT) })
    }

    /// A place for one more connection of `address`, which comes now.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr, now: SystemTime) -> Result<Place, TurnedAway> {
        if address.is_loopback() || self.exempt.iter().any(|it| it.contains(address)) {
            return Ok(Place { peers: Arc::clone(self), of: None });
        }
        let Crowd { of_client, of_network, new_of_client } = self.crowd;
        let of = [Network::client(address), Network::site(address)];
        let new_of_network = new_of_client.saturating_mul(CLIENTS_OF_A_NETWORK);
        let [client, network] = [(of[0], new_of_client), (of[1], new_of_network)]
            .map(|(it, most)| self.new.exceeded(it, most, now).is_some());
        if client || network {
            return Err(TurnedAway::Hasty);
        }
        let mut counts = self.counts();
        let held = |it: &Network| counts.get(it).copied().unwrap_or(0);
        if held(&of[0]) >= of_client || held(&of[1]) >= of_network {
            return Err(TurnedAway::Full);
        }
        for it in of {
            *counts.entry(it).or_insert(0) += 1;
        }
        Ok(Place { peers: Arc::clone(self), of: Some(of) })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Network, u32>> {
        self.counts.lock().expect("no code panics while it holds this lock")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(of) = self.of else { return };
        let mut counts = self.peers.counts();
        for it in of {
            if let Some(count) = counts.get_mut(&it) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&it);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn peers(crowd: Crowd) -> Arc<Peers> {
        Peers::new(crowd, vec![IpNetwork { address: "10.0.0.0".parse().unwrap(), prefix: 8 }])
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_client_gets_its_places_and_gets_them_back() {
        let peers = peers(Crowd { of_client: 2, of_network: 9, new_of_client: 100 });
        let enter = |text: &str| peers.enter(text.parse().unwrap(), at(0));
        let first = enter("2001:db8::1");
        let second = enter("2001:db8::2");
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(enter("2001:db8::3").unwrap_err(), TurnedAway::Full);
        assert!(enter("2001:db8:0:1::3").is_ok());
        drop(first);
        assert!(enter("2001:db8::3").is_ok());
        let exempt: Vec<_> = (0..900).map(|_| (enter("10.1.2.3"), enter("127.0.0.1"))).collect();
        assert!(exempt.iter().all(|(a, b)| a.is_ok() && b.is_ok()));
        drop((second, exempt));
        assert!(peers.counts().is_empty(), "who left is not remembered");
    }

    #[test]
    fn a_network_holds_no_more_than_its_most_by_however_many_clients() {
        let peers = peers(Crowd { of_client: 2, of_network: 3, new_of_client: 100 });
        let held = |addresses: &[&str]| {
            let all: Vec<_> = addresses.iter().map(|it| peers.enter(it.parse().unwrap(), at(0))).collect();
            all.iter().filter(|it| it.is_ok()).count()
        };
        assert_eq!(held(&["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.3.1"]), 4);
        assert_eq!(held(&["2001:db8:0:1::", "2001:db8:0:2::", "2001:db8:0:3::", "2001:db8:0:4::"]), 3);
    }

    #[test]
    fn a_client_opens_no_more_than_its_most_within_a_second_and_a_network_four_times_that() {
        let peers = peers(Crowd { of_client: 9, of_network: 99, new_of_client: 2 });
        let taken = |client: u8, times: usize, second: u64| {
            let enter = |_: &usize| peers.enter([192, 0, 2, client].into(), at(second)).is_ok();
            (0..times).filter(enter).count()
        };
        assert_eq!([taken(1, 5, 0), taken(1, 5, 10)], [2, 2]);
        assert_eq!((20..30).map(|it| taken(it, 2, 20)).sum::<usize>(), 8);
    }
}
