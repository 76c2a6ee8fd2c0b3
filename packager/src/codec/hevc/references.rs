//! Short-term reference picture sets (ITU-T H.265 7.3.7, 7.4.8).

use crate::codec::bits::Bits;
use crate::codec::record::{Error, limited};

/// A set: the pictures before and after in order of display, the nearest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct References {
    before: Vec<Reference>,
    after: Vec<Reference>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reference {
    /// How far away the picture is.
    distance: i64,
    /// Whether the picture itself refers to it, rather than a later one.
    used: bool,
}

impl References {
    /// More pictures than any level lets a decoder keep.
    const MOST: u32 = 16;

    /// The next set of a sequence parameter set, where `previous` came before it.
    pub(super) fn read(bits: &mut Bits<'_>, previous: Option<&Self>) -> Result<Self, Error> {
        match previous {
            Some(previous) if bits.flag()? => previous.predict(bits),
            _ => Self::list(bits),
        }
    }

    /// A slice's own set, where those are the sequence parameter set's.
    pub(super) fn read_in_slice(bits: &mut Bits<'_>, sets: &[Self]) -> Result<Self, Error> {
        if sets.is_empty() || !bits.flag()? {
            return Self::list(bits);
        }
        let back = bits.unsigned()? as usize;
        let set = sets.len().checked_sub(1).and_then(|it| it.checked_sub(back)).and_then(|it| sets.get(it));
        set.ok_or(Error::Truncated)?.predict(bits)
    }

    /// How many pictures the picture itself refers to.
    pub(super) fn used(&self) -> u32 {
        self.before.iter().chain(&self.after).filter(|it| it.used).count() as u32
    }

    fn list(bits: &mut Bits<'_>) -> Result<Self, Error> {
        let before = limited("num_negative_pics", bits.unsigned()?, Self::MOST)?;
        let after = limited("num_positive_pics", bits.unsigned()?, Self::MOST)?;
        let mut read = |count: u32, sign: i64| {
            let mut distance = 0_i64;
            let mut all = Vec::new();
            for _ in 0..count {
                let step = i64::from(bits.unsigned()?).saturating_add(1);
                distance = distance.saturating_add(step.saturating_mul(sign));
                all.push(Reference { distance, used: bits.flag()? });
            }
            Ok::<_, Error>(all)
        };
        Ok(Self { before: read(before, -1)?, after: read(after, 1)? })
    }

    /// A set told as changes of this one: each picture of it, and the one it was for, moved by a distance, used, kept for
    /// later, or dropped (7-61, 7-62).
    fn predict(&self, bits: &mut Bits<'_>) -> Result<Self, Error> {
        let sign = if bits.flag()? { -1 } else { 1 };
        let delta = i64::from(limited("abs_delta_rps_minus1", bits.unsigned()?, 1 << 15)?)
            .saturating_add(1)
            .saturating_mul(sign);
        let mut moved = |from: i64| {
            let used = bits.flag()?;
            let kept = used || bits.flag()?;
            let distance = from.saturating_add(delta);
            Ok::<_, Error>(kept.then_some(Reference { distance, used }))
        };
        let mut all =
            |of: &[Reference]| of.iter().map(|it| moved(it.distance)).collect::<Result<Vec<_>, _>>();
        let (before, after) = (all(&self.before)?, all(&self.after)?);
        let own = moved(0)?;
        let is_before = |it: &Reference| it.distance < 0;
        let is_after = |it: &Reference| it.distance > 0;
        let next = Self {
            before: after
                .iter()
                .rev()
                .chain([&own])
                .chain(&before)
                .copied()
                .flatten()
                .filter(is_before)
                .collect(),
            after: before
                .iter()
                .rev()
                .chain([&own])
                .chain(&after)
                .copied()
                .flatten()
                .filter(is_after)
                .collect(),
        };
        if next.before.len().saturating_add(next.after.len()) > Self::MOST as usize {
            return Err(Error::Value { field: "NumDeltaPocs", value: Self::MOST.saturating_add(1) });
        }
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(it: &References) -> (Vec<i64>, Vec<i64>, u32) {
        let distances = |of: &[Reference]| of.iter().map(|it| it.distance).collect();
        (distances(&it.before), distances(&it.after), it.used())
    }

    #[test]
    fn reference_sets_may_be_told_as_changes_of_others() {
        // Two before and one after; then the same two further on, and the picture itself.
        let listed = [0b0110_1011, 0b1111_0000];
        let first = References::read(&mut Bits::new(&listed), None).unwrap();
        assert_eq!(seen(&first), (vec![-1, -2], vec![1], 3));
        // By one: -1 becomes the picture itself and falls out, -2 is -1, 1 is 2, 0 is 1.
        let changed = [0b1011_1110];
        let next = References::read(&mut Bits::new(&changed), Some(&first)).unwrap();
        assert_eq!(seen(&next), (vec![-1], vec![1, 2], 3));
    }

    #[test]
    fn a_slice_may_change_any_set_of_its_sequence() {
        let listed = [0b0110_1011, 0b1111_0000];
        let first = References::read(&mut Bits::new(&listed), None).unwrap();
        let sets = [first, References::default()];
        // One back; then as above.
        let changed = [0b1010_0111, 0b1100_0000];
        let own = References::read_in_slice(&mut Bits::new(&changed), &sets).unwrap();
        assert_eq!(seen(&own), (vec![-1], vec![1, 2], 3));
        let beyond = [0b1011_0111, 0b1100_0000];
        assert_eq!(References::read_in_slice(&mut Bits::new(&beyond), &sets), Err(Error::Truncated));
    }
}
