//! The samples of a track, segment by segment, packed: about four octets each, where the tables of a file have ten to
//! twenty and an array of them would have fifty.

use std::ops::Range;
use std::sync::Arc;

use super::Pages;
use super::columns::{pack, put, put_signed, take, take_signed, unpack};
use super::index::Placed;
use crate::isobmff::table::StoredSample;
use crate::media::Sync;

/// Where the samples of all segments of a track are.
#[derive(Debug)]
pub(super) enum Packed {
    /// In memory.
    Held(Box<[u8]>),
    /// In a record, from `begin` on.
    Left { pages: Arc<dyn Pages>, begin: u64, length: u32 },
    /// Nowhere yet; so many octets are to come.
    Wanted(u32),
}

impl Default for Packed {
    fn default() -> Self {
        Self::Wanted(0)
    }
}

impl Packed {
    pub(super) fn length(&self) -> u32 {
        match self {
            Self::Held(it) => u32::try_from(it.len()).unwrap_or(u32::MAX),
            Self::Left { length, .. } | Self::Wanted(length) => *length,
        }
    }

    pub(super) const fn weight(&self) -> usize {
        match self {
            Self::Held(it) => it.len(),
            Self::Left { .. } | Self::Wanted(_) => 0,
        }
    }

    /// What `unpack` makes of these octets. Where that is nothing of what a record has, the record is spoilt.
    pub(super) fn read<T>(&self, range: Range<u32>, unpack: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
        match self {
            Self::Held(it) => unpack(it.get(range.start as usize..range.end as usize)?),
            Self::Left { pages, begin, .. } => {
                let at = |it: u32| begin.saturating_add(it.into());
                let unpacked = unpack(&pages.read(at(range.start)..at(range.end))?);
                if unpacked.is_none() {
                    pages.spoilt();
                }
                unpacked
            }
            Self::Wanted(_) => None,
        }
    }
}

/// Appends the samples of a segment, which follow each other without a hole in decoding time.
pub(super) fn pack_samples(samples: &[Placed], packed: &mut Vec<u8>) {
    let Some(first) = samples.first() else { return };
    put_signed(packed, first.stored.dts);
    put(packed, first.stored.offset);
    let mut end = first.stored.offset;
    let row = |Placed { stored: it, .. }: &Placed| {
        // Between samples of a track stand those of others.
        let gap = it.offset.wrapping_sub(end) as i64;
        end = it.offset.wrapping_add(it.size.into());
        let sync = i64::from(it.sync == Sync::Key);
        [it.duration.into(), it.size.into(), it.composition_offset.into(), gap, sync]
    };
    let rows: Vec<[i64; 5]> = samples.iter().map(row).collect();
    pack(&rows, packed);
}

/// Reads `count` samples back, of which the first has the number `first`; `shift` leads from composition to presentation.
pub(super) fn unpack_samples(mut packed: &[u8], first: u32, count: u32, shift: i64) -> Option<Vec<Placed>> {
    let mut dts = take_signed(&mut packed)?;
    let mut end = take(&mut packed)?;
    let rows = unpack::<5>(packed, count as usize)?;
    let sample = |(index, [duration, size, composition_offset, gap, sync]): (u32, [i64; 5])| {
        let stored = StoredSample {
            index,
            offset: end.wrapping_add(gap as u64),
            // They were of so many bits when they were packed.
            size: size as u32,
            dts,
            composition_offset: composition_offset as i32,
            duration: duration as u32,
            sync: if sync == 0 { Sync::Delta } else { Sync::Key },
        };
        end = stored.offset.wrapping_add(stored.size.into());
        dts = dts.saturating_add(stored.duration.into());
        Placed { stored, presentation: stored.composition_time().saturating_add(shift) }
    };
    Some((first..).zip(rows).map(sample).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn samples_of_any_table_are_read_as_they_were(
            facts in prop::collection::vec((any::<u64>(), any::<u32>(), any::<i32>(), any::<u32>(), any::<bool>()), 1..40),
            first in 0..1_u32 << 24,
            mut dts in -1_i64 << 40..1_i64 << 40,
            shift in -1_i64 << 40..1_i64 << 40,
        ) {
            let place = |(index, (offset, size, composition_offset, duration, key)): (u32, _)| {
                let sync = if key { Sync::Key } else { Sync::Delta };
                let stored = StoredSample { index, offset, size, dts, composition_offset, duration, sync };
                dts += i64::from(duration);
                Placed { stored, presentation: stored.composition_time() + shift }
            };
            let samples: Vec<Placed> = (first..).zip(facts).map(place).collect();
            let mut packed = Vec::new();
            pack_samples(&samples, &mut packed);
            let read = unpack_samples(&packed, first, samples.len() as u32, shift);
            prop_assert_eq!(read, Some(samples));
        }
    }
}
