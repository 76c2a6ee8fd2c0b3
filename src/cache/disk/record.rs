//! What a file says: a head with everything but the octets, and the octets.
//!
//! ```text
//! "levada01" · length of the head · status … · key · fields · a checksum for each extent · checksum of the head │ body
//! ```
//! The checksums stand in front, so a body that was torn or changed is known before one octet of it is given. A head
//! that is not exactly as it was written is no head.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::passage::Lifetime;

/// Octets under one checksum: read at once, and little enough to check while they are in the processor's cache.
pub(super) const EXTENT: usize = 64 * 1024;

/// Octets of the longest head: the fields an origin may send, a long key, the checksums of the largest body.
pub(super) const LONGEST_HEAD: usize = 256 * 1024;

/// Octets that say how long the head is.
pub(super) const PREFACE: usize = 12;

const MAGIC: &[u8; 8] = b"levada01";

/// An answer without its octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) key: Box<str>,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) lifetime: Option<Lifetime>,
    /// Octets of a body that lies in slices, each of which has a file of its own.
    pub(super) sliced: Option<u64>,
    /// The moment its fetch began, for invalidations.
    pub(super) born: u64,
    pub(super) received: SystemTime,
    pub(super) initial_age: Duration,
    pub(super) fresh_for: Duration,
    /// How long after that it may be given meanwhile, be given for one that failed, and be held.
    pub(super) leeway: [Duration; 3],
    /// Octets in this file.
    pub(super) length: u64,
    pub(super) checksums: Vec<u64>,
}

impl Record {
    /// How old it is; none when it comes from the future: the clock was set back, and nobody knows.
    pub(super) fn age(&self, now: SystemTime) -> Option<Duration> {
        self.initial_age.checked_add(now.duration_since(self.received).ok()?)
    }

    /// The head as it is written; none when it is longer than any that is read.
    pub(super) fn write(&self) -> Option<Vec<u8>> {
        let mut to = Writer(Vec::with_capacity(1024));
        to.0.extend_from_slice(MAGIC);
        to.0.extend_from_slice(&[0; 4]);
        to.number(self.status.as_u16().into());
        let (kind, lifetime) = match self.lifetime {
            None => (0, Duration::ZERO),
            Some(Lifetime::Immutable) => (1, Duration::ZERO),
            Some(Lifetime::For(it)) => (2, it),
            Some(Lifetime::Uncacheable) => return None,
        };
        to.number(kind);
        to.time(lifetime);
        to.number(self.sliced.unwrap_or(u64::MAX));
        to.number(self.born);
        to.time(self.received.duration_since(UNIX_EPOCH).ok()?);
        to.time(self.initial_age);
        to.time(self.fresh_for);
        self.leeway.iter().for_each(|it| to.time(*it));
        to.text(self.key.as_bytes());
        to.number(self.headers.len() as u64);
        for (name, value) in &self.headers {
            to.text(name.as_str().as_bytes());
            to.text(value.as_bytes());
        }
        to.number(self.length);
        self.checksums.iter().for_each(|it| to.number(*it));
        let mut octets = to.0;
        let whole = octets.len().checked_add(8).filter(|it| *it <= LONGEST_HEAD)?;
        octets.get_mut(8..PREFACE)?.copy_from_slice(&u32::try_from(whole).ok()?.to_le_bytes());
        let checksum = xxh3_64(&octets);
        octets.extend_from_slice(&checksum.to_le_bytes());
        Some(octets)
    }

    /// Reads what [`Self::write`] wrote; none when it is anything else.
    pub(super) fn read(octets: &[u8]) -> Option<Self> {
        let (said, checksum) = octets.split_last_chunk::<8>()?;
        if head_length(octets)? != octets.len() || xxh3_64(said) != u64::from_le_bytes(*checksum) {
            return None;
        }
        let mut from = Reader(said.get(PREFACE..)?);
        let status = StatusCode::from_u16(u16::try_from(from.number()?).ok()?).ok()?;
        let (kind, lifetime) = (from.number()?, from.time()?);
        let lifetime = match kind {
            0 => None,
            1 => Some(Lifetime::Immutable),
            2 => Some(Lifetime::For(lifetime)),
            _ => return None,
        };
        let sliced = Some(from.number()?).filter(|it| *it != u64::MAX);
        let born = from.number()?;
        let received = UNIX_EPOCH.checked_add(from.time()?)?;
        let (initial_age, fresh_for) = (from.time()?, from.time()?);
        let leeway = [from.time()?, from.time()?, from.time()?];
        let key = std::str::from_utf8(from.text()?).ok()?.into();
        let mut headers = HeaderMap::new();
        for _ in 0..from.number()? {
            let name = HeaderName::from_bytes(from.text()?).ok()?;
            headers.try_append(name, HeaderValue::from_bytes(from.text()?).ok()?).ok()?;
        }
        let length = from.number()?;
        let mut checksums = Vec::new();
        while !from.0.is_empty() {
            checksums.push(from.number()?);
        }
        (checksums.len() as u64 == length.div_ceil(EXTENT as u64)).then_some(Self {
            key,
            status,
            headers,
            lifetime,
            sliced,
            born,
            received,
            initial_age,
            fresh_for,
            leeway,
            length,
            checksums,
        })
    }
}

/// Octets of the head that begins so.
pub(super) fn head_length(preface: &[u8]) -> Option<usize> {
    let (magic, rest) = preface.split_first_chunk::<8>()?;
    let length = u32::from_le_bytes(*rest.first_chunk::<4>()?) as usize;
    (magic == MAGIC && (PREFACE..=LONGEST_HEAD).contains(&length)).then_some(length)
}

/// The checksum of each extent of a body, however it is cut into chunks.
pub(super) fn checksums(chunks: &[Bytes]) -> Vec<u64> {
    let (mut sums, mut sum, mut room) = (Vec::new(), Xxh3::new(), EXTENT);
    for chunk in chunks {
        let mut rest = chunk.as_ref();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(room));
            sum.update(now);
            room = room.saturating_sub(now.len());
            rest = later;
            if room == 0 {
                sums.push(sum.digest());
                (sum, room) = (Xxh3::new(), EXTENT);
            }
        }
    }
    if room < EXTENT {
        sums.push(sum.digest());
    }
    sums
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, it: u64) {
        self.0.extend_from_slice(&it.to_le_bytes());
    }

    fn time(&mut self, it: Duration) {
        self.number(u64::try_from(it.as_millis()).unwrap_or(u64::MAX));
    }

    fn text(&mut self, it: &[u8]) {
        self.number(it.len() as u64);
        self.0.extend_from_slice(it);
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> Option<u64> {
        let (it, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*it))
    }

    fn time(&mut self) -> Option<Duration> {
        self.number().map(Duration::from_millis)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (it, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(it)
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test may stop")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(body: &[Bytes]) -> Record {
        let mut headers = HeaderMap::new();
        headers.append("etag", HeaderValue::from_static("\"a\""));
        headers.append("x", HeaderValue::from_static("1"));
        headers.append("x", HeaderValue::from_bytes(b"\xff").unwrap());
        Record {
            key: "7:default2:/a".into(),
            status: StatusCode::OK,
            headers,
            lifetime: Some(Lifetime::For(Duration::from_secs(3))),
            sliced: None,
            born: 42,
            received: UNIX_EPOCH + Duration::from_secs(1_750_000_000),
            initial_age: Duration::from_secs(1),
            fresh_for: Duration::from_secs(60),
            leeway: [1, 2, 3].map(Duration::from_secs),
            length: body.iter().map(|it| it.len() as u64).sum(),
            checksums: checksums(body),
        }
    }

    #[test]
    fn a_head_is_read_as_it_was_written_and_not_when_one_octet_is_another() {
        let record = record(&[Bytes::from(vec![7; 200_000])]);
        let mut written = record.write().unwrap();
        assert_eq!(Record::read(&written), Some(record));
        for at in 0..written.len() {
            written[at] ^= 1;
            assert_eq!(Record::read(&written), None, "octet {at}");
            assert_eq!(Record::read(&written[..at]), None, "the first {at} octets");
            written[at] ^= 1;
        }
    }

    #[test]
    fn what_came_after_now_has_no_age() {
        let record = record(&[]);
        assert_eq!(record.age(record.received + Duration::from_secs(4)), Some(Duration::from_secs(5)));
        assert_eq!(record.age(record.received - Duration::from_secs(1)), None);
    }

    proptest! {
        #[test]
        fn checksums_do_not_depend_on_how_a_body_is_cut(cuts in prop::collection::vec(1..90_000_usize, 0..8)) {
            let body: Bytes = (0..cuts.iter().sum::<usize>()).map(|it| (it % 251) as u8).collect();
            let mut rest = body.clone();
            let chunks: Vec<_> = cuts.iter().map(|it| rest.split_to(*it)).collect();
            let whole: Vec<_> = body.chunks(EXTENT).map(xxh3_64).collect();
            prop_assert_eq!(checksums(&chunks), whole);
        }

        #[test]
        fn no_octets_are_read_wrongly(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(Record::read(&octets), None);
        }
    }
}
