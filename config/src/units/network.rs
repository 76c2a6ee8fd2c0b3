//! Networks, written `10.0.0.0/8`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An address and a prefix length, such as `10.0.0.0/8`; a bare address is itself alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpNetwork {
    /// The network's address, host bits zero.
    pub address: IpAddr,
    /// Leading bits that count.
    pub prefix: u8,
}

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// What stands before the slash is no address.
    #[error("does not begin with an IP address")]
    Address,
    /// What stands after the slash is no prefix length of that family.
    #[error("needs a prefix length of 0 to {0} after the slash")]
    Prefix(u8),
    /// Bits behind the prefix are set: is one host meant, or the whole network?
    #[error("has bits set behind its prefix; the network is {0}")]
    HostBits(IpNetwork),
}

impl IpNetwork {
    /// The network of `prefix` leading bits that `address` lies in; None when the family has fewer bits.
    pub fn around(address: IpAddr, prefix: u8) -> Option<Self> {
        let address = match address {
            IpAddr::V4(it) if prefix <= 32 => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(it.to_bits() & mask))
            }
            IpAddr::V6(it) if prefix <= 128 => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(it.to_bits() & mask))
            }
            _ => return None,
        };
        Some(Self { address, prefix })
    }

    /// Whether `address` lies in it. An IPv4-mapped IPv6 address is judged as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        Self::around(address.to_canonical(), self.prefix).is_some_and(|it| it.address == self.address)
    }
}

impl FromStr for IpNetwork {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| Invalid::Address)?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(it) if it.bytes().all(|it| it.is_ascii_digit()) => {
                it.parse().map_err(|_| Invalid::Prefix(bits))?
            }
            Some(_) => return Err(Invalid::Prefix(bits)),
        };
        let network = Self::around(address, prefix).ok_or(Invalid::Prefix(bits))?;
        if network.address == address { Ok(network) } else { Err(Invalid::HostBits(network)) }
    }
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(network: &str, address: &str, expected: bool) {
        let network: IpNetwork = network.parse().unwrap();
        assert_eq!(network.contains(address.parse().unwrap()), expected, "{address} in {network}");
    }

    #[test]
    fn an_address_lies_in_the_network_that_shares_its_leading_bits() {
        check("10.0.0.0/8", "10.255.0.1", true);
        check("10.0.0.0/8", "11.0.0.0", false);
        check("192.0.2.7", "192.0.2.7", true);
        check("192.0.2.7", "192.0.2.8", false);
        check("0.0.0.0/0", "203.0.113.9", true);
        check("2001:db8::/32", "2001:db8:ffff::1", true);
        check("2001:db8::/32", "2001:db9::", false);
        check("::/0", "2001:db8::1", true);
        check("::1", "::1", true);
    }

    #[test]
    fn a_mapped_address_is_judged_as_ipv4_and_families_never_mix() {
        check("10.0.0.0/8", "::ffff:10.1.2.3", true);
        check("0.0.0.0/0", "2001:db8::1", false);
        check("::/0", "10.0.0.1", false);
        check("::/0", "::ffff:10.0.0.1", false);
    }

    #[test]
    fn what_is_no_network_says_why() {
        let no = |text: &str| text.parse::<IpNetwork>().unwrap_err();
        assert_eq!(no("example.com/8"), Invalid::Address);
        assert_eq!(no("10.0.0.0/33"), Invalid::Prefix(32));
        assert_eq!(no("10.0.0.0/+8"), Invalid::Prefix(32));
        assert_eq!(no("::/129"), Invalid::Prefix(128));
        assert_eq!(no("10.1.0.0/8").to_string(), "has bits set behind its prefix; the network is 10.0.0.0/8");
    }
}
