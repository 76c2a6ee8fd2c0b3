//! The NAL units of a picture: finding them however an encoder wrote them, and writing them one way.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};

const IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;
const ACCESS_UNIT_DELIMITER: u8 = 9;
const FILLER: u8 = 12;

/// More NAL units in one picture than any encoder makes of 4,095 macroblock rows.
const MAX_UNITS: usize = 4_096;

/// A picture whose NAL units each stand behind a 4-byte length, and what was learned on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The NAL units; empty when nothing whole was found.
    pub payload: Bytes,
    /// Whether a slice of an IDR picture is among them: decoding may begin here.
    pub idr: bool,
    /// Whether parameter sets are among them, see [`super::Config::carries`].
    pub parameter_sets: bool,
    /// NAL units dropped because they were empty, reached beyond the payload, or came after the first 4,096.
    pub dropped: u32,
}

/// Brings a payload to 4-byte NAL lengths. It is copied only when it has another form, or holes.
///
/// `length_size` is what the encoder's record said (1, 2 or 4, see [`super::length_size`]). Encoders have sent
/// start codes in spite of their record: they are believed where the lengths do not add up. Delimiters and filler
/// at either end are left out, since players need neither and that costs no copy.
pub fn normalise(payload: Bytes, length_size: u8) -> Picture {
    let mut seen = Seen::default();
    for unit in Lengths::new(&payload, length_size) {
        seen.take(&payload, unit);
    }
    if seen.dropped > 0 && starts_with_start_code(&payload) {
        return rewrite(annex_b(&payload), payload.len());
    }
    let Seen { idr, parameter_sets, dropped, .. } = seen;
    if length_size != 4 || seen.hole {
        let whole = Lengths::new(&payload, length_size).filter_map(|it| it.body);
        let picture = rewrite(whole.filter_map(|it| payload.get(it)), payload.len());
        return Picture { dropped, ..picture };
    }
    Picture { payload: payload.slice(seen.kept.unwrap_or(0..0)), idr, parameter_sets, dropped }
}

/// Whether a payload with 4-byte NAL lengths holds a slice of an IDR picture.
pub fn is_idr(payload: &[u8]) -> bool {
    units(payload).any(|it| kind(it) == Some(IDR))
}

/// The NAL units of a payload with 4-byte lengths, without those lengths.
pub fn units(payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    Lengths::new(payload, 4).filter_map(|it| it.body).filter_map(|it| payload.get(it))
}

/// `nal_unit_type`.
pub(super) fn kind(unit: &[u8]) -> Option<u8> {
    unit.first().map(|it| it & 0x1f)
}

pub(super) fn starts_with_start_code(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0, 0, 1]) || bytes.starts_with(&[0, 0, 0, 1])
}

/// The NAL units between start codes (ITU-T H.264 annex B), without trailing zeros.
pub(super) fn annex_b(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(bytes);
    std::iter::from_fn(move || {
        let unit = rest?;
        let end = unit.windows(3).position(|it| it == [0, 0, 1]);
        rest = end.and_then(|it| unit.get(it..)).and_then(after_start_code);
        let unit = unit.get(..end.unwrap_or(unit.len()))?;
        let trailing = unit.iter().rev().take_while(|&&it| it == 0).count();
        unit.get(..unit.len().saturating_sub(trailing))
    })
}

fn after_start_code(bytes: &[u8]) -> Option<&[u8]> {
    let at = bytes.windows(3).position(|it| it == [0, 0, 1])?;
    bytes.get(at.saturating_add(3)..)
}

fn rewrite<'a>(units: impl Iterator<Item = &'a [u8]>, size_hint: usize) -> Picture {
    let mut picture = Picture { payload: Bytes::new(), idr: false, parameter_sets: false, dropped: 0 };
    let mut payload = BytesMut::with_capacity(size_hint);
    for (index, unit) in units.enumerate() {
        let (Some(kind), Ok(length), true) = (kind(unit), u32::try_from(unit.len()), index < MAX_UNITS)
        else {
            picture.dropped = picture.dropped.saturating_add(1);
            continue;
        };
        if matches!(kind, ACCESS_UNIT_DELIMITER | FILLER) {
            continue;
        }
        picture.idr |= kind == IDR;
        picture.parameter_sets |= matches!(kind, SPS | PPS);
        payload.put_u32(length);
        payload.put_slice(unit);
    }
    picture.payload = payload.freeze();
    picture
}

/// What one walk over a payload finds out.
#[derive(Default)]
struct Seen {
    /// From the length of the first unit worth keeping to the end of the last.
    kept: Option<Range<usize>>,
    /// Something unusable was met since the last kept unit.
    gap: bool,
    /// Something unusable lies between kept units.
    hole: bool,
    idr: bool,
    parameter_sets: bool,
    dropped: u32,
}

impl Seen {
    fn take(&mut self, payload: &[u8], unit: Unit) {
        let Some(body) = unit.body else {
            self.gap = true;
            self.dropped = self.dropped.saturating_add(1);
            return;
        };
        let kind = payload.get(body.clone()).and_then(kind);
        if matches!(kind, Some(ACCESS_UNIT_DELIMITER | FILLER)) {
            return;
        }
        self.idr |= kind == Some(IDR);
        self.parameter_sets |= matches!(kind, Some(SPS | PPS));
        let start = match &self.kept {
            Some(kept) => {
                self.hole |= self.gap;
                kept.start
            }
            None => unit.start,
        };
        self.gap = false;
        self.kept = Some(start..body.end);
    }
}

/// A length and the unit behind it.
struct Unit {
    /// Where the length stands.
    start: usize,
    /// Where the unit stands; nothing when it is empty, reaches beyond the payload, or is one too many.
    body: Option<Range<usize>>,
}

/// Walks lengths and units; the first broken length ends it.
struct Lengths<'a> {
    payload: &'a [u8],
    length_size: usize,
    at: usize,
    count: usize,
}

impl<'a> Lengths<'a> {
    fn new(payload: &'a [u8], length_size: u8) -> Self {
        Self { payload, length_size: usize::from(length_size.clamp(1, 4)), at: 0, count: 0 }
    }
}

impl Iterator for Lengths<'_> {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        let start = self.at;
        if start >= self.payload.len() {
            return None;
        }
        self.at = self.payload.len();
        self.count = self.count.saturating_add(1);
        let broken = Some(Unit { start, body: None });
        let from = start.saturating_add(self.length_size);
        let Some(length) = self.payload.get(start..from) else { return broken };
        let length = length.iter().fold(0_usize, |all, &byte| all << 8 | usize::from(byte));
        let end = from.saturating_add(length);
        if end > self.payload.len() || self.count > MAX_UNITS {
            return broken;
        }
        self.at = end;
        if length == 0 { broken } else { Some(Unit { start, body: Some(from..end) }) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::hex;
    use super::*;

    fn check(payload: &str, length_size: u8, expected: &str, dropped: u32) {
        let picture = normalise(hex(payload), length_size);
        assert_eq!((picture.payload, picture.dropped), (hex(expected), dropped), "of {payload}");
    }

    #[test]
    fn a_payload_already_in_form_is_shared_and_not_copied() {
        let payload = hex("00000002 6588 00000003 06aabb");
        let picture = normalise(payload.clone(), 4);
        assert_eq!(picture.payload.as_ptr(), payload.as_ptr());
        assert_eq!(picture.payload, payload);
        assert!(picture.idr);
    }

    #[test]
    fn delimiters_and_filler_at_the_ends_are_left_out_without_a_copy() {
        let payload = hex("00000002 09f0 00000002 6588 00000003 0cffff");
        let picture = normalise(payload.clone(), 4);
        assert_eq!(picture.payload, hex("00000002 6588"));
        assert_eq!(picture.payload.as_ptr(), payload.slice(6..).as_ptr());
    }

    #[test]
    fn shorter_lengths_become_four_bytes() {
        check("02 6588 03 06aabb", 1, "00000002 6588 00000003 06aabb", 0);
        check("0002 6588 0001 0a", 2, "00000002 6588 00000001 0a", 0);
    }

    #[test]
    fn start_codes_instead_of_lengths_are_converted() {
        check("00000001 09f0 00000001 6588 000001 4199 00", 4, "00000002 6588 00000002 4199", 0);
        check("000001 6588 00000001 4199", 4, "00000002 6588 00000002 4199", 0);
    }

    #[test]
    fn a_unit_that_is_empty_or_too_long_is_dropped_and_counted() {
        check("00000000 00000002 6588", 4, "00000002 6588", 1);
        check("00000002 6588 00000000 00000002 4199", 4, "00000002 6588 00000002 4199", 1);
        check("00000002 6588 ffffffff 4199", 4, "00000002 6588", 1);
        check("00000002 6588 0000", 4, "00000002 6588", 1);
        check("ff", 4, "", 1);
        check("", 4, "", 0);
    }

    #[test]
    fn an_idr_slice_makes_a_key_picture_and_a_frame_type_does_not() {
        assert!(is_idr(&hex("00000002 06aa 00000002 6588")));
        assert!(!is_idr(&hex("00000002 06aa 00000002 4188")));
        assert!(normalise(hex("00000001 67 00000002 6588"), 4).parameter_sets);
    }

    proptest! {
        #[test]
        fn whatever_comes_in_what_goes_out_adds_up(
            bytes in prop::collection::vec(prop_oneof![3 => Just(0), 2 => 0..12_u8, 1 => any::<u8>()], 0..80),
            length_size in 1..=4_u8,
        ) {
            let picture = normalise(bytes.into(), length_size);
            let total = units(&picture.payload).map(|it| it.len() + 4).sum::<usize>();
            prop_assert_eq!(total, picture.payload.len());
            prop_assert_eq!(is_idr(&picture.payload), picture.idr);
            let again = normalise(picture.payload.clone(), 4);
            prop_assert_eq!(again.dropped, 0);
            prop_assert_eq!(again.payload, picture.payload);
        }
    }
}
