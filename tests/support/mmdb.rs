//! A database of countries in MaxMind's format, of a few networks.

use std::net::IpAddr;

/// A node of the tree: two records.
#[derive(Clone, Copy)]
struct Node([Record; 2]);

#[derive(Clone, Copy)]
enum Record {
    Nothing,
    Node(usize),
    Value(usize),
}

/// Networks and the countries they are in, wider networks first; records of so many bits.
pub(crate) fn database(world: &[(&str, &str)], record: u16) -> Vec<u8> {
    database_of(world, record, 6)
}

/// As [`database`], of addresses of this version of IP alone, if it is 4.
pub(crate) fn database_of(world: &[(&str, &str)], record: u16, ip_version: u32) -> Vec<u8> {
    let mut nodes = vec![Node([Record::Nothing; 2])];
    let mut data = Vec::new();
    for (network, country) in world {
        let (address, prefix) = network.split_once('/').expect("a network");
        let (bits, prefix) = match address.parse().expect("an address") {
            IpAddr::V4(it) if ip_version == 4 => {
                (u128::from(it.to_bits()) << 96, prefix.parse().expect("a prefix"))
            }
            IpAddr::V4(it) => (u128::from(it.to_bits()), prefix.parse::<u32>().expect("a prefix") + 96),
            IpAddr::V6(it) => (it.to_bits(), prefix.parse().expect("a prefix")),
        };
        let value = data.len();
        map(&mut data, 1);
        text(&mut data, "country");
        map(&mut data, 2);
        text(&mut data, "geoname_id");
        data.extend([0b1100_0001, 7]);
        text(&mut data, "iso_code");
        text(&mut data, country);
        put(&mut nodes, bits, prefix, value);
    }
    let mut octets = Vec::new();
    let count = nodes.len();
    for node in &nodes {
        let [left, right] = node.0.map(|it| match it {
            Record::Nothing => count as u32,
            Record::Node(number) => number as u32,
            Record::Value(at) => (count + 16 + at) as u32,
        });
        let ([a, left @ ..], [b, right @ ..]) = (left.to_be_bytes(), right.to_be_bytes());
        match record {
            24 => octets.extend([left, right].concat()),
            28 => octets.extend([&left[..], &[a << 4 | b], &right].concat()),
            _ => octets.extend([&[a], &left[..], &[b], &right].concat()),
        }
    }
    octets.extend([0; 16]);
    octets.extend(data);
    octets.extend(b"\xab\xcd\xefMaxMind.com");
    map(&mut octets, 9);
    for (key, value) in [
        ("node_count", count as u32),
        ("record_size", u32::from(record)),
        ("ip_version", ip_version),
        ("binary_format_major_version", 2),
        ("binary_format_minor_version", 0),
        ("build_epoch", 1_750_000_000),
    ] {
        text(&mut octets, key);
        let number = value.to_be_bytes();
        if key == "build_epoch" {
            octets.extend([4, 2]);
        } else {
            octets.push(if key == "node_count" { 0b1100_0100 } else { 0b1010_0010 });
        }
        octets.extend(if matches!(key, "node_count" | "build_epoch") { &number[..] } else { &number[2..] });
    }
    text(&mut octets, "database_type");
    text(&mut octets, "Test-Country");
    text(&mut octets, "languages");
    octets.extend([0, 4]);
    text(&mut octets, "description");
    map(&mut octets, 0);
    octets
}

fn put(nodes: &mut Vec<Node>, bits: u128, prefix: u32, value: usize) {
    let mut at = 0;
    for depth in 0..prefix {
        let side = usize::from(bits >> (127 - depth) & 1 == 1);
        if depth + 1 == prefix {
            nodes[at].0[side] = Record::Value(value);
            return;
        }
        at = match nodes[at].0[side] {
            Record::Node(next) => next,
            // What is within a wider network is in its place where nothing else is said.
            wider => {
                nodes.push(Node([wider; 2]));
                nodes[at].0[side] = Record::Node(nodes.len() - 1);
                nodes.len() - 1
            }
        };
    }
}

fn map(octets: &mut Vec<u8>, size: u8) {
    octets.push(0b1110_0000 | size);
}

fn text(octets: &mut Vec<u8>, text: &str) {
    octets.push(0b0100_0000 | text.len() as u8);
    octets.extend(text.as_bytes());
}
