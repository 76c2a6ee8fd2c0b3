//! A type for each kind of value, with its parsing and its tests.

use std::fmt;
use std::net::IpAddr;

/// Bytes, written `512 MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// A text that prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text; the caller keeps it out of logs.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// An address and a prefix length, such as `10.0.0.0/8`; a bare address is itself alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpNetwork {
    /// The network's address, host bits zero.
    pub address: IpAddr,
    /// Leading bits that count.
    pub prefix: u8,
}

impl IpNetwork {
    /// Whether `address` lies in it. An IPv4-mapped IPv6 address is judged as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = |ip: IpAddr| match ip {
            IpAddr::V4(it) => (u128::from(it.to_bits()) << 96, 4),
            IpAddr::V6(it) => (it.to_bits(), 6),
        };
        let ((network, family), (asked, asked_family)) = (bits(self.address), bits(address.to_canonical()));
        let shift = 128 - u32::from(self.prefix);
        family == asked_family && (shift >= 128 || network >> shift == asked >> shift)
    }
}

/// A CloudFront path pattern (cloudfront.md 2.4): `*` is any run of characters, `?` exactly one; a leading slash
/// means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    text: String,
}

impl PathPattern {
    /// A pattern that was already checked.
    pub fn unchecked(text: &str) -> Self {
        Self { text: text.to_owned() }
    }

    /// As the operator wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}
