//! Rows of whole numbers in few bits: of each column the least value and the step that all others are multiples of are said
//! once; a row then says how many steps it is above. What all rows share costs nothing in any of them.
//!
//! ```text
//! ( least: varint, step: varint, width: 1 octet ) for each column, then rows of so many bits, lowest first
//! ```

/// Appends rows to `packed`.
pub(super) fn pack<const N: usize>(rows: &[[i64; N]], packed: &mut Vec<u8>) {
    let columns: [Column; N] = std::array::from_fn(|at| Column::of(rows, at));
    for it in &columns {
        put_signed(packed, it.least);
        put(packed, it.step);
        packed.push(it.width);
    }
    let mut bits = Bits { octets: packed, pending: 0, filled: 0 };
    for row in rows {
        for (value, column) in row.iter().zip(&columns).filter(|it| it.1.width > 0) {
            bits.put(column.steps(*value), column.width);
        }
    }
    bits.finish();
}

/// Reads `count` rows from the front of `packed`; nothing when it ends before they do, or never held any.
pub(super) fn unpack<const N: usize>(mut packed: &[u8], count: usize) -> Option<Vec<[i64; N]>> {
    let mut columns = [Column::default(); N];
    let mut row_bits = 0;
    for it in &mut columns {
        *it =
            Column { least: take_signed(&mut packed)?, step: take(&mut packed)?, width: octet(&mut packed)? };
        if it.width > 64 {
            return None;
        }
        row_bits += usize::from(it.width);
    }
    // All rows are there before room is made for any but those that are nothing but their columns' heads.
    if count.checked_mul(row_bits)?.div_ceil(8) > packed.len() {
        return None;
    }
    let mut at = 0;
    let mut value = |it: &Column| {
        let steps = bits_at(packed, at, it.width);
        at += usize::from(it.width);
        it.least.wrapping_add(steps.wrapping_mul(it.step) as i64)
    };
    Some((0..count).map(|_| columns.each_ref().map(&mut value)).collect())
}

/// Appends rows behind their number and the number of octets they take.
pub(super) fn put_rows<const N: usize>(record: &mut Vec<u8>, rows: &[[i64; N]]) {
    let mut packed = Vec::new();
    pack(rows, &mut packed);
    put(record, rows.len() as u64);
    put_octets(record, &packed);
}

/// Takes those from the front, if there are no more than `most`.
pub(super) fn take_rows<const N: usize>(record: &mut &[u8], most: usize) -> Option<Vec<[i64; N]>> {
    let count = usize::try_from(take(record)?).ok().filter(|it| *it <= most)?;
    unpack(take_octets(record)?, count)
}

/// Appends octets behind their number.
pub(super) fn put_octets(record: &mut Vec<u8>, octets: &[u8]) {
    put(record, octets.len() as u64);
    record.extend_from_slice(octets);
}

/// Takes those from the front.
pub(super) fn take_octets<'a>(record: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take(record)?).ok()?;
    let (octets, rest) = record.split_at_checked(length)?;
    *record = rest;
    Some(octets)
}

/// Takes text from the front.
pub(super) fn take_text(record: &mut &[u8]) -> Option<String> {
    String::from_utf8(take_octets(record)?.to_vec()).ok()
}

/// What is said once of a column.
#[derive(Clone, Copy, Default)]
struct Column {
    least: i64,
    step: u64,
    width: u8,
}

impl Column {
    fn of<const N: usize>(rows: &[[i64; N]], at: usize) -> Self {
        let values = || rows.iter().filter_map(|it| it.get(at).copied());
        let least = values().min().unwrap_or(0);
        let above = |it: i64| it.wrapping_sub(least) as u64;
        let mut step = 0;
        for it in values().map(above) {
            if step == 1 {
                break;
            }
            step = greatest_common_divisor(step, it);
        }
        let step = step.max(1);
        let most = values().map(above).max().unwrap_or(0) / step;
        // At most 64.
        Self { least, step, width: (u64::BITS - most.leading_zeros()) as u8 }
    }

    const fn steps(&self, value: i64) -> u64 {
        let above = value.wrapping_sub(self.least) as u64;
        // Most are packed in steps of one, and a division costs more than all the rest.
        if self.step == 1 { above } else { above / self.step }
    }
}

const fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Writes bits, the lowest first.
struct Bits<'a> {
    octets: &'a mut Vec<u8>,
    pending: u128,
    filled: u8,
}

impl Bits<'_> {
    fn put(&mut self, value: u64, width: u8) {
        // Fewer than 8 are pending, and at most 64 come.
        self.pending |= u128::from(value) << self.filled;
        self.filled += width;
        while self.filled >= 8 {
            self.octets.push(self.pending as u8);
            self.pending >>= 8;
            self.filled -= 8;
        }
    }

    fn finish(self) {
        if self.filled > 0 {
            self.octets.push(self.pending as u8);
        }
    }
}

/// `width` bits from bit `at` on; what lies beyond the end is zero.
fn bits_at(octets: &[u8], at: usize, width: u8) -> u64 {
    let octets = octets.get(at / 8..).unwrap_or_default();
    let shift = at % 8;
    let word = match octets.first_chunk() {
        Some(word) => u128::from_le_bytes(*word),
        None => octets.iter().rev().fold(0, |word, it| word << 8 | u128::from(*it)),
    };
    let mask = (1_u128 << width) - 1;
    // Of 16 octets at most 7 + 64 bits are looked at.
    (word >> shift & mask) as u64
}

/// Appends a number, seven bits at a time (LEB128).
pub(super) fn put(packed: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        packed.push(value as u8 | 0x80);
        value >>= 7;
    }
    packed.push(value as u8);
}

/// Appends a number that may be below zero.
pub(super) fn put_signed(packed: &mut Vec<u8>, value: i64) {
    put(packed, (value << 1 ^ value >> 63) as u64);
}

/// Takes a number from the front.
pub(super) fn take(packed: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let next = octet(packed)?;
        value |= u64::from(next & 0x7f) << shift;
        if next & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Takes a number that may be below zero from the front.
pub(super) fn take_signed(packed: &mut &[u8]) -> Option<i64> {
    let value = take(packed)?;
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}

fn octet(packed: &mut &[u8]) -> Option<u8> {
    let (first, rest) = packed.split_first()?;
    *packed = rest;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packed<const N: usize>(rows: &[[i64; N]]) -> Vec<u8> {
        let mut packed = Vec::new();
        pack(rows, &mut packed);
        packed
    }

    #[test]
    fn what_all_rows_share_costs_nothing_and_steps_are_counted() {
        let rows: Vec<[i64; 2]> = (0..800).map(|it| [1_001, it % 4 * 512]).collect();
        // Two heads of at most five octets, then two bits a row.
        assert!(packed(&rows).len() <= 2 * 5 + 200, "{}", packed(&rows).len());
    }

    #[test]
    fn what_ends_early_or_was_never_packed_is_nothing() {
        let whole = packed(&[[1, 2], [3, 9], [5, 7]]);
        assert_eq!(unpack::<2>(&whole, 3), Some(vec![[1, 2], [3, 9], [5, 7]]));
        assert!((0..whole.len()).all(|end| unpack::<2>(&whole[..end], 3).is_none()));
        assert_eq!(unpack::<2>(&whole, 300), None);
        assert_eq!(unpack::<1>(&[0, 1, 65], 0), None);
        assert_eq!(unpack::<1>(&[0xff; 11], 1), None);
    }

    proptest! {
        #[test]
        fn any_rows_are_read_as_they_were(
            rows in prop::collection::vec(
                (any::<i64>(), -5..5_i64, 0..1_i64 << 40, prop_oneof![Just(i64::MIN), Just(i64::MAX)]),
                0..50,
            ),
        ) {
            let rows: Vec<[i64; 5]> = rows.into_iter().map(|(a, b, c, d)| [a, b, c, d, 7]).collect();
            prop_assert_eq!(unpack(&packed(&rows), rows.len()), Some(rows));
        }

        #[test]
        fn any_octets_are_rows_or_nothing(octets in prop::collection::vec(any::<u8>(), 0..100), count in 0..1_000_usize) {
            let rows = unpack::<3>(&octets, count);
            prop_assert!(rows.is_none_or(|it| it.len() == count));
        }
    }
}
