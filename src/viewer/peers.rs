//! How many connections each client address holds.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};

use config::units::IpNetwork;

/// Counts connections per client: an IPv4 address, or an IPv6 /64, which is what one customer gets.
///
/// Its size is bounded by the connections themselves: an entry lives as long as one of its [`Place`]s.
#[derive(Debug)]
pub(super) struct Peers {
    most: u32,
    exempt: Vec<IpNetwork>,
    counts: Mutex<HashMap<IpAddr, u32>>,
}

/// One connection's place among its client's.
#[derive(Debug)]
pub(super) struct Place {
    peers: Arc<Peers>,
    client: Option<IpAddr>,
}

impl Peers {
    pub(super) fn new(most: u32, exempt: Vec<IpNetwork>) -> Arc<Self> {
        Arc::new(Self { most, exempt, counts: Mutex::default() })
    }

    /// A place for one more connection of `address`; none when it holds the most already.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        if address.is_loopback() || self.exempt.iter().any(|it| it.contains(address)) {
            return Some(Place { peers: Arc::clone(self), client: None });
        }
        let client = client_of(address);
        let mut counts = self.counts.lock().expect("no code panics while it holds this lock");
        let count = counts.entry(client).or_insert(0);
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place { peers: Arc::clone(self), client: Some(client) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(client) = self.client else { return };
        let mut counts = self.peers.counts.lock().expect("no code panics while it holds this lock");
        if let Some(count) = counts.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&client);
            }
        }
    }
}

fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(it) => IpAddr::V6(Ipv6Addr::from_bits(it.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_its_places_and_gets_them_back() {
        let peers = Peers::new(2, vec![IpNetwork { address: "10.0.0.0".parse().unwrap(), prefix: 8 }]);
        let enter = |text: &str| peers.enter(text.parse().unwrap());
        let first = enter("2001:db8::1");
        let second = enter("2001:db8::2");
        assert!(first.is_some() && second.is_some());
        assert!(enter("2001:db8::3").is_none());
        assert!(enter("2001:db8:0:1::3").is_some());
        drop(first);
        assert!(enter("2001:db8::3").is_some());
        let exempt: Vec<_> = (0..9).map(|_| (enter("10.1.2.3"), enter("127.0.0.1"))).collect();
        assert!(exempt.iter().all(|(a, b)| a.is_some() && b.is_some()));
    }
}
