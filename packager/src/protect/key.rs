//! Content keys and their names.

use std::fmt;

use aes::Aes128;
use aes::cipher::{Block, BlockCipherEncrypt, KeyInit};

use crate::media::TrackKind;

/// The name of a key (`KID`), as players and license servers know it: a UUID in the order it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 16]);

impl KeyId {
    /// Reads `00112233-4455-6677-8899-aabbccddeeff`, hyphens or not.
    pub fn parse(text: &str) -> Option<Self> {
        octets(&text.replace('-', "")).map(Self)
    }

    /// Thirty-two hexadecimal digits.
    pub fn hex(self) -> String {
        self.0.iter().map(|it| format!("{it:02x}")).collect()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, octet) in self.0.iter().enumerate() {
            let hyphen = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{hyphen}{octet:02x}")?;
        }
        Ok(())
    }
}

/// A key and what belongs to it. It prints without the key.
#[derive(Clone, PartialEq, Eq)]
pub struct ContentKey {
    /// Its name.
    pub id: KeyId,
    key: [u8; 16],
    /// The constant initialization vector of `cbcs` and SAMPLE-AES.
    iv: [u8; 16],
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentKey({}, ***)", self.id)
    }
}

impl ContentKey {
    /// A key of 16 octets. Where no initialization vector comes with it, one follows from the key: it is no secret, but
    /// it must be the same on every server.
    pub fn new(id: KeyId, key: [u8; 16], iv: Option<[u8; 16]>) -> Self {
        let iv = iv.unwrap_or_else(|| block(&key, *b"levada const. iv"));
        Self { id, key, iv }
    }

    /// Thirty-two hexadecimal digits.
    pub fn parse_key(text: &str) -> Option<[u8; 16]> {
        octets(text)
    }

    /// The key itself, for those who may have it.
    pub const fn reveal(&self) -> &[u8; 16] {
        &self.key
    }

    /// The vector that all samples share in CBC mode.
    pub(crate) const fn constant_iv(&self) -> [u8; 16] {
        self.iv
    }

    /// Sixteen octets that follow from the key and a label, and do not tell the key: one block of the cipher.
    pub(crate) fn derive(&self, label: [u8; 16]) -> [u8; 16] {
        block(&self.key, label)
    }
}

fn block(key: &[u8; 16], label: [u8; 16]) -> [u8; 16] {
    let mut block = Block::<Aes128>::from(label);
    Aes128::new(&(*key).into()).encrypt_block(&mut block);
    block.into()
}

fn octets(digits: &str) -> Option<[u8; 16]> {
    let digits = digits.as_bytes();
    let mut octets = [0; 16];
    if digits.len() != 32 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (octet, pair) in octets.iter_mut().zip(digits.chunks(2)) {
        *octet = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(octets)
}

/// The keys of a title: for each period one for its pictures and one for its sound, which may be the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TitleKeys {
    periods: Vec<[ContentKey; 2]>,
    /// How many segments a period has; none: one key for all.
    segments: Option<usize>,
}

impl TitleKeys {
    /// Those of a title whose keys do not change.
    pub fn constant(pictures: ContentKey, sound: ContentKey) -> Self {
        Self { periods: vec![[pictures, sound]], segments: None }
    }

    /// Those of periods of `segments` segments each, pictures first. Nothing without a period or a segment.
    pub fn rotating(periods: Vec<[ContentKey; 2]>, segments: usize) -> Option<Self> {
        (!periods.is_empty() && segments > 0).then_some(Self { periods, segments: Some(segments) })
    }

    /// How many segments a key opens; none: all.
    pub const fn segments(&self) -> Option<usize> {
        self.segments
    }

    /// The period of a segment.
    pub fn period(&self, segment: usize) -> usize {
        let period = self.segments.and_then(|it| segment.checked_div(it)).unwrap_or(0);
        // What lies behind the last period is of it: the title was counted when its keys were fetched.
        period.min(self.periods.len().saturating_sub(1))
    }

    /// The key of a kind of track in a period.
    pub fn key(&self, kind: TrackKind, period: usize) -> Option<&ContentKey> {
        let [pictures, sound] = self.periods.get(period)?;
        Some(match kind {
            TrackKind::Video => pictures,
            TrackKind::Audio => sound,
        })
    }

    /// All keys of a kind of track, one for each period.
    pub fn of(&self, kind: TrackKind) -> impl Iterator<Item = &ContentKey> {
        (0..self.periods.len()).filter_map(move |it| self.key(kind, it))
    }

    /// All keys, those of one period behind those of the other.
    pub fn all(&self) -> impl Iterator<Item = &ContentKey> {
        self.periods.iter().flatten()
    }

    /// The key with that name.
    pub fn named(&self, id: KeyId) -> Option<&ContentKey> {
        self.all().find(|it| it.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_a_name_that_may_be_seen_and_octets_that_may_not() {
        let id = KeyId::parse("00112233-4455-6677-8899-aabbccddeeff").unwrap();
        assert_eq!(KeyId::parse(&id.hex()), Some(id));
        assert_eq!(id.to_string(), "00112233-4455-6677-8899-aabbccddeeff");
        let key = ContentKey::new(id, *b"0123456789abcdef", None);
        assert_eq!(format!("{key:?}"), "ContentKey(00112233-4455-6677-8899-aabbccddeeff, ***)");
        for wrong in ["", "00", "zz112233445566778899aabbccddeeff", "+0112233445566778899aabbccddeeff", "é"]
        {
            assert_eq!(ContentKey::parse_key(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_period_lasts_so_many_segments_and_the_last_to_the_end() {
        let key = |n: u8| ContentKey::new(KeyId([n; 16]), [n; 16], None);
        let keys = TitleKeys::rotating(vec![[key(1), key(2)], [key(3), key(4)]], 10).unwrap();
        assert_eq!([0, 9, 10, 19, 20, 500].map(|it| keys.period(it)), [0, 0, 1, 1, 1, 1]);
        assert_eq!(keys.key(TrackKind::Audio, 1), Some(&key(4)));
        assert_eq!(keys.named(KeyId([3; 16])), Some(&key(3)));
        assert_eq!((keys.key(TrackKind::Video, 2), keys.named(KeyId([9; 16]))), (None, None));
        assert_eq!(TitleKeys::constant(key(1), key(1)).period(99), 0);
    }
}
