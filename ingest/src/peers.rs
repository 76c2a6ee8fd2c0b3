//! How many connections each client holds.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};

/// Counts connections per client: an IPv4 address, or an IPv6 /64, which is what one customer gets.
///
/// Its size is bounded by the connections themselves: an entry lives as long as one of its [`Place`]s.
pub(crate) struct Peers {
    most: u32,
    trusted: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
    counts: Mutex<HashMap<IpAddr, u32>>,
}

/// One connection's place among its client's.
pub(crate) struct Place {
    peers: Arc<Peers>,
    client: Option<IpAddr>,
}

impl Peers {
    pub(crate) fn new(most: u32, trusted: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>) -> Arc<Self> {
        Arc::new(Self { most, trusted, counts: Mutex::default() })
    }

    /// A place for one more connection of `address`; none when it holds the most already.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        if address.is_loopback() || (self.trusted)(address) {
            return Some(Place { peers: Arc::clone(self), client: None });
        }
        let client = client_of(address);
        let mut counts = self.counts.lock().expect(UNPOISONED);
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
        let mut counts = self.peers.counts.lock().expect(UNPOISONED);
        if let Some(count) = counts.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&client);
            }
        }
    }
}

fn client_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(it) => IpAddr::V6(Ipv6Addr::from_bits(it.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

const UNPOISONED: &str = "no code panics while it holds this lock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_its_places_and_gives_them_back() {
        let peers = Peers::new(1, Arc::new(|it| it == IpAddr::from([10, 0, 0, 1])));
        let enter = |text: &str| peers.enter(text.parse().unwrap());
        let first = enter("2001:db8::1");
        assert!(first.is_some());
        assert!(enter("2001:db8::2").is_none(), "the same /64 is the same client");
        assert!(enter("2001:db8:0:1::1").is_some());
        drop(first);
        assert!(enter("2001:db8::2").is_some());
        let trusted =
            [enter("10.0.0.1"), enter("10.0.0.1"), enter("127.0.0.1"), enter("127.0.0.1"), enter("::1")];
        assert!(trusted.iter().all(Option::is_some));
    }
}
