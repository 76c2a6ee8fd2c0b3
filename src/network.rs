//! Which addresses count as one.

use std::net::IpAddr;

/// Addresses that count as one, IPv4 as IPv6 maps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Network {
    first: u128,
    prefix: u32,
}

impl Network {
    /// What one customer has all of: an IPv4 address, or an IPv6 /64.
    pub(crate) fn client(address: IpAddr) -> Self {
        Self::around(address, 32, 64)
    }

    /// What one house or one attacker has all of: an IPv4 /24, or an IPv6 /48.
    pub(crate) fn site(address: IpAddr) -> Self {
        Self::around(address, 24, 48)
    }

    fn around(address: IpAddr, v4: u32, v6: u32) -> Self {
        let (bits, prefix) = match address.to_canonical() {
            IpAddr::V4(it) => (it.to_ipv6_mapped().to_bits(), 96 + v4),
            IpAddr::V6(it) => (it.to_bits(), v6),
        };
        Self { first: bits & !(u128::MAX.checked_shr(prefix).unwrap_or(0)), prefix }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_customer_or_one_site_count_as_one() {
        let check = |one: &str, other: &str, client: bool, site: bool| {
            let [one, other] = [one, other].map(|it| it.parse().unwrap());
            assert_eq!(Network::client(one) == Network::client(other), client, "{one} {other}");
            assert_eq!(Network::site(one) == Network::site(other), site, "{one} {other}");
        };
        check("192.0.2.1", "192.0.2.1", true, true);
        check("192.0.2.1", "::ffff:192.0.2.1", true, true);
        check("192.0.2.1", "192.0.2.2", false, true);
        check("192.0.2.1", "192.0.3.1", false, false);
        check("2001:db8::1", "2001:db8::2", true, true);
        check("2001:db8::1", "2001:db8:0:1::1", false, true);
        check("2001:db8::1", "2001:db8:1::1", false, false);
    }
}
