//! The country of an address, out of a database in MaxMind's format (MaxMind DB file format 2.0).
//!
//! A tree of records leads from the bits of an address to a value in the data behind it. Nothing of the file is believed:
//! every octet is looked for within its bounds, and a value takes a bounded number of steps to find.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::fmt;
use std::net::IpAddr;

use crate::passage::Country;

/// What stands before the metadata, which is the last thing in the file.
const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";
/// The metadata is within so much of the end.
const LARGEST_METADATA: usize = 128 * 1024;
/// Zero octets between the tree and the data.
const GAP: usize = 16;
/// Values that are looked at to find one; a record of a country has some fifty.
const MOST_STEPS: u32 = 4_096;

/// Why it is no database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// There is no metadata.
    #[error("it is no database in MaxMind's format")]
    NoMetadata,
    /// The metadata lacks what is needed, or says what cannot be.
    #[error("its metadata cannot be understood")]
    Metadata,
    /// The tree is longer than the file.
    #[error("it is cut short")]
    Short,
}

/// A database of countries.
pub(super) struct Database {
    octets: Vec<u8>,
    nodes: u32,
    /// Bits of a record: 24, 28 or 32; a node has two.
    record: usize,
    /// Octets of the tree.
    tree: usize,
    /// Whether IPv6 addresses are in it; IPv4 ones are below ::/96 then.
    is_v6: bool,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("nodes", &self.nodes).finish_non_exhaustive()
    }
}

impl Database {
    pub(super) fn parse(octets: Vec<u8>) -> Result<Self, Fault> {
        let tail = octets.len().saturating_sub(LARGEST_METADATA);
        let end = octets.get(tail..).unwrap_or_default();
        let marker = end.windows(MARKER.len()).rposition(|it| it == MARKER).ok_or(Fault::NoMetadata)?;
        let metadata = Data(end.get(marker.saturating_add(MARKER.len())..).unwrap_or_default());
        let number =
            |key: &str| metadata.find(0, &[key]).and_then(|it| metadata.number(it)).ok_or(Fault::Metadata);
        let nodes = u32::try_from(number("node_count")?).map_err(|_| Fault::Metadata)?;
        let record = match number("record_size")? {
            24 => 24,
            28 => 28,
            32 => 32,
            _ => return Err(Fault::Metadata),
        };
        let is_v6 = match number("ip_version")? {
            4 => false,
            6 => true,
            _ => return Err(Fault::Metadata),
        };
        let tree = usize::try_from(u64::from(nodes).saturating_mul(record / 4)).map_err(|_| Fault::Short)?;
        if tree.saturating_add(GAP) > octets.len() {
            return Err(Fault::Short);
        }
        Ok(Self { nodes, record: record as usize, tree, is_v6, octets })
    }

    /// Whether IPv6 addresses are in it.
    pub(super) const fn has_v6(&self) -> bool {
        self.is_v6
    }

    /// Where an address is; none where the database does not say.
    pub(super) fn country(&self, address: IpAddr) -> Option<Country> {
        let (bits, count) = match (address, self.is_v6) {
            (IpAddr::V4(it), true) => (u128::from(it.to_bits()), 128),
            (IpAddr::V4(it), false) => (u128::from(it.to_bits()) << 96, 32),
            (IpAddr::V6(it), true) => (it.to_bits(), 128),
            (IpAddr::V6(_), false) => return None,
        };
        let mut node = 0;
        for depth in 0..count {
            let is_one = bits.checked_shr(127_u32.saturating_sub(depth)).unwrap_or(0) & 1 == 1;
            node = self.record(node, is_one)?;
            if node >= self.nodes {
                break;
            }
        }
        // The number of nodes itself says that nothing is known; below it no value can be.
        let place = usize::try_from(node.checked_sub(self.nodes)?).ok()?.checked_sub(GAP)?;
        let data = Data(self.octets.get(self.tree.checked_add(GAP)?..)?);
        let code = data.find(place, &["country", "iso_code"])?;
        Country::new(data.text(code)?)
    }

    fn record(&self, node: u32, is_one: bool) -> Option<u32> {
        let size = self.record.checked_div(4)?;
        let at = usize::try_from(node).ok()?.checked_mul(size)?;
        let node = self.octets.get(at..at.checked_add(size)?)?;
        Some(match *node {
            [a, b, c, _, _, _] if !is_one => u32::from_be_bytes([0, a, b, c]),
            [_, _, _, a, b, c] => u32::from_be_bytes([0, a, b, c]),
            [a, b, c, middle, _, _, _] if !is_one => u32::from_be_bytes([middle >> 4, a, b, c]),
            [_, _, _, middle, a, b, c] => u32::from_be_bytes([middle & 0x0f, a, b, c]),
            [a, b, c, d, _, _, _, _] if !is_one => u32::from_be_bytes([a, b, c, d]),
            [_, _, _, _, a, b, c, d] => u32::from_be_bytes([a, b, c, d]),
            _ => return None,
        })
    }
}

const POINTER: u8 = 1;
const TEXT: u8 = 2;
const MAP: u8 = 7;
const ARRAY: u8 = 11;
const BOOLEAN: u8 = 14;

/// Values behind one another.
#[derive(Clone, Copy)]
struct Data<'a>(&'a [u8]);

/// The head of a value: what it is, its size or where it points to, and where what it says begins.
struct Head {
    kind: u8,
    size: usize,
    body: usize,
}

impl<'a> Data<'a> {
    /// Where the value is that these keys lead to, from a map.
    fn find(self, at: usize, keys: &[&str]) -> Option<usize> {
        let mut steps = MOST_STEPS;
        let mut at = at;
        'keys: for key in keys {
            let map = self.resolved(at)?;
            if map.kind != MAP {
                return None;
            }
            let mut entry = map.body;
            for _ in 0..map.size {
                let value = self.behind(entry, &mut steps)?;
                if self.text(entry)? == *key {
                    at = value;
                    continue 'keys;
                }
                entry = self.behind(value, &mut steps)?;
            }
            return None;
        }
        Some(at)
    }

    fn text(self, at: usize) -> Option<&'a str> {
        let head = self.resolved(at)?;
        let octets = self.0.get(head.body..head.body.checked_add(head.size)?)?;
        (head.kind == TEXT).then(|| std::str::from_utf8(octets).ok()).flatten()
    }

    /// Any unsigned number.
    fn number(self, at: usize) -> Option<u64> {
        let head = self.resolved(at)?;
        let octets = self.0.get(head.body..head.body.checked_add(head.size)?)?;
        let fits = matches!(head.kind, 5 | 6 | 9) && octets.len() <= 8;
        fits.then(|| octets.iter().fold(0, |sum, octet| sum << 8 | u64::from(*octet)))
    }

    /// The value at a place, or where that points to; a pointer never points to another.
    fn resolved(self, at: usize) -> Option<Head> {
        let head = self.head(at)?;
        if head.kind != POINTER {
            return Some(head);
        }
        self.head(head.size).filter(|it| it.kind != POINTER)
    }

    /// Where the next value begins.
    fn behind(self, at: usize, steps: &mut u32) -> Option<usize> {
        // Values that hold others are walked through by a count, not by depth: none is deeper than it is long.
        let mut left = 1_usize;
        let mut at = at;
        while left > 0 {
            *steps = steps.checked_sub(1)?;
            left = left.checked_sub(1)?;
            let head = self.head(at)?;
            (at, left) = match head.kind {
                MAP => (head.body, left.checked_add(head.size.checked_mul(2)?)?),
                ARRAY => (head.body, left.checked_add(head.size)?),
                POINTER | BOOLEAN => (head.body, left),
                _ => (head.body.checked_add(head.size)?, left),
            };
        }
        Some(at)
    }

    fn head(self, at: usize) -> Option<Head> {
        let control = *self.0.get(at)?;
        let mut body = at.checked_add(1)?;
        let mut take = |count: usize| -> Option<usize> {
            let octets = self.0.get(body..body.checked_add(count)?)?;
            body = body.checked_add(count)?;
            Some(octets.iter().fold(0_usize, |sum, octet| sum << 8 | usize::from(*octet)))
        };
        if control >> 5 == POINTER {
            let high = usize::from(control & 0b111);
            let size = match control >> 3 & 0b11 {
                0 => take(1)? | high << 8,
                1 => (take(2)? | high << 16).checked_add(2_048)?,
                2 => (take(3)? | high << 24).checked_add(526_336)?,
                _ => take(4)?,
            };
            return Some(Head { kind: POINTER, size, body });
        }
        let kind = match control >> 5 {
            0 => u8::try_from(take(1)?.checked_add(7)?).ok()?,
            kind => kind,
        };
        let size = match control & 0b1_1111 {
            29 => take(1)?.checked_add(29)?,
            30 => take(2)?.checked_add(285)?,
            31 => take(3)?.checked_add(65_821)?,
            size => usize::from(size),
        };
        Some(Head { kind, size, body })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixture::database;
    use super::*;

    const WORLD: &[(&str, &str)] = &[
        ("192.0.2.0/24", "DE"),
        ("198.51.100.0/25", "FR"),
        ("2001:db8::/32", "JP"),
        ("2001:db8:1::/48", "AT"),
    ];

    fn found(database: &Database, address: &str) -> Option<String> {
        database.country(address.parse().unwrap()).map(|it| it.as_str().to_owned())
    }

    #[test]
    fn an_address_is_where_its_most_special_network_is() {
        for record in [24, 28, 32] {
            let database = Database::parse(database(WORLD, record)).unwrap();
            let check = |address: &str, expected: Option<&str>| {
                assert_eq!(found(&database, address).as_deref(), expected, "{address} {record}");
            };
            check("192.0.2.0", Some("DE"));
            check("192.0.2.255", Some("DE"));
            check("192.0.3.0", None);
            check("198.51.100.127", Some("FR"));
            check("198.51.100.128", None);
            check("2001:db8::1", Some("JP"));
            check("2001:db8:1::1", Some("AT"));
            check("2001:db9::", None);
        }
    }

    #[test]
    fn a_stranger_reads_the_same_in_the_fixture() {
        let octets = database(WORLD, 24);
        let stranger = maxminddb::Reader::from_source(octets.clone()).unwrap();
        let own = Database::parse(octets).unwrap();
        for address in ["192.0.2.77", "198.51.100.1", "203.0.113.1", "2001:db8:1:2::3", "::1"] {
            let theirs = stranger.lookup(address.parse().unwrap()).unwrap();
            let theirs: Option<maxminddb::geoip2::Country<'_>> = theirs.decode().unwrap();
            let theirs = theirs.and_then(|it| it.country.iso_code.map(str::to_owned));
            assert_eq!(found(&own, address), theirs, "{address}");
        }
    }

    #[test]
    fn what_is_no_database_says_so() {
        assert_eq!(Database::parse(Vec::new()).unwrap_err(), Fault::NoMetadata);
        assert_eq!(Database::parse(b"\xab\xcd\xefMaxMind.com".to_vec()).unwrap_err(), Fault::Metadata);
        let whole = database(WORLD, 24);
        let marker = whole.windows(MARKER.len()).position(|it| it == MARKER).unwrap();
        assert_eq!(Database::parse(whole.split_at(marker).1.to_vec()).unwrap_err(), Fault::Short);
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic_or_search_for_ever(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
            addresses in proptest::collection::vec(any::<u128>(), 1..20),
        ) {
            let mut octets = database(WORLD, 28);
            for (at, octet) in changes {
                *at.get_mut(&mut octets) = octet;
            }
            if let Ok(database) = Database::parse(octets) {
                for address in addresses {
                    database.country(IpAddr::V6(address.into()));
                    database.country(IpAddr::V4((address as u32).into()));
                }
                found(&database, "192.0.2.1");
            }
        }
    }
}
