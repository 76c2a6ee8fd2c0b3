//! A set of networks of any size, asked in the time of a few comparisons.

use std::net::IpAddr;

use config::units::IpNetwork;

/// Ranges of addresses, IPv4 as IPv6 maps it, in order and apart from each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Networks(Box<[(u128, u128)]>);

impl Networks {
    pub(super) fn new(networks: impl IntoIterator<Item = IpNetwork>) -> Self {
        let mut ranges: Vec<_> = networks.into_iter().map(range).collect();
        ranges.sort_unstable();
        let mut apart: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match apart.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                _ => apart.push((first, last)),
            }
        }
        Self(apart.into())
    }

    pub(super) fn has(&self, address: IpAddr) -> bool {
        let bits = bits(address);
        let begun = self.0.partition_point(|(first, _)| *first <= bits);
        begun.checked_sub(1).and_then(|it| self.0.get(it)).is_some_and(|(_, last)| bits <= *last)
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(it) => it.to_ipv6_mapped().to_bits(),
        IpAddr::V6(it) => it.to_bits(),
    }
}

fn range(network: IpNetwork) -> (u128, u128) {
    let prefix = u32::from(network.prefix) + if network.address.is_ipv4() { 96 } else { 0 };
    let first = bits(network.address);
    (first, first | u128::MAX.checked_shr(prefix).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_the_set_when_it_is_in_one_of_its_networks() {
        let set = Networks::new(
            ["10.0.0.0/8", "10.1.0.0/16", "192.0.2.7", "2001:db8::/32", "11.0.0.0/8"]
                .map(|it| it.parse().unwrap()),
        );
        let check =
            |address: &str, expected| assert_eq!(set.has(address.parse().unwrap()), expected, "{address}");
        for inside in
            ["10.0.0.0", "10.1.2.3", "11.255.255.255", "192.0.2.7", "2001:db8:ffff::1", "::ffff:10.0.0.1"]
        {
            check(inside, true);
        }
        for outside in ["9.255.255.255", "12.0.0.0", "192.0.2.6", "192.0.2.8", "2001:db9::", "::1", "::a00:1"]
        {
            check(outside, false);
        }
        assert_eq!(set.0.len(), 3);
        assert!(Networks::new(["0.0.0.0/0".parse().unwrap()]).has("255.0.0.1".parse().unwrap()));
        assert!(Networks::new(["::/0".parse().unwrap()]).has("255.0.0.1".parse().unwrap()));
        assert!(!Networks::default().has("::".parse().unwrap()));
    }
}
