//! Where the header of a slice segment ends (ITU-T H.265 7.3.6): what stands before is read by every player, what follows
//! may be encrypted.

use std::collections::BTreeMap;

use super::references::References;
use super::sps::{Slices, Sps};
use super::{Config, PPS, SPS, parameter_sets};
use crate::codec::bits::{Bits, End, escaped_length, unescape};
use crate::codec::record::Error;
use crate::codec::slices::header_window;

/// The parameter sets that slices refer to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sets {
    sequences: BTreeMap<u32, Slices>,
    pictures: BTreeMap<u32, Pps>,
}

/// What a picture parameter set says (7.3.2.3), as far as slices are read by it.
#[derive(Clone, Debug, Default)]
struct Pps {
    sequence: u32,
    dependent_slices: bool,
    output_flag: bool,
    extra_bits: usize,
    cabac_init: bool,
    references: [u32; 2],
    chroma_offsets: bool,
    chroma_offset_lists: bool,
    weighted: bool,
    weighted_bi: bool,
    has_entry_points: bool,
    loop_filter_across: bool,
    deblocking_override: bool,
    deblocking_disabled: bool,
    list_modification: bool,
    header_extension: bool,
}

/// `nal_unit_type` of a NAL unit.
fn kind(nal: &[u8]) -> Option<u8> {
    nal.first().map(|it| it >> 1 & 0x3f)
}

impl Sets {
    /// Those of a record.
    pub(crate) fn of(config: &Config) -> Self {
        let mut sets = Self::default();
        let count = config.record.get(22).copied().unwrap_or(0);
        let units = parameter_sets(&config.record, count).unwrap_or_default();
        units.into_iter().for_each(|(_, it)| sets.take(it));
        sets
    }

    /// Takes a NAL unit when it is a parameter set. A broken one is as good as none: slices that refer to it stay clear.
    pub(crate) fn take(&mut self, nal: &[u8]) {
        match kind(nal) {
            Some(SPS) => {
                if let Ok(sps) = Sps::parse(nal) {
                    self.sequences.insert(sps.id, sps.slices);
                }
            }
            Some(PPS) => {
                if let Ok(Some((id, pps))) = Pps::parse(nal) {
                    self.pictures.insert(id, pps);
                }
            }
            _ => {}
        }
    }

    /// Octets of a slice segment that must stay readable; nothing for what is none, or one that is not understood.
    pub(crate) fn clear(&self, nal: &[u8]) -> Option<usize> {
        let kind = kind(nal).filter(|it| matches!(it, 0..=9 | 16..=21))?;
        header_window(nal, |window| {
            let payload = window.get(2..)?;
            let rbsp = unescape(payload);
            let mut bits = Bits::new(&rbsp);
            self.skip_header(&mut bits, kind).ok()?;
            Some(escaped_length(payload, bits.octets()).saturating_add(2))
        })
    }

    fn skip_header(&self, bits: &mut Bits<'_>, kind: u8) -> Result<(), Error> {
        let first = bits.flag()?;
        if kind >= 16 {
            bits.flag()?; // no_output_of_prior_pics_flag
        }
        let pps = self.pictures.get(&bits.unsigned()?).ok_or(End)?;
        let sps = self.sequences.get(&pps.sequence).filter(|it| !it.is_extended).ok_or(End)?;
        let mut dependent = false;
        if !first {
            dependent = pps.dependent_slices && bits.flag()?;
            bits.read(width(sps.blocks))?;
        }
        if !dependent {
            Independent { pps, sps, idr: matches!(kind, 19 | 20) }.skip(bits)?;
        }
        if pps.has_entry_points {
            let count = bits.unsigned()?;
            if count > 0 {
                let offset = bits.unsigned()?.saturating_add(1) as usize;
                bits.skip((count as usize).saturating_mul(offset))?;
            }
        }
        if pps.header_extension {
            let octets = bits.unsigned()? as usize;
            bits.skip(octets.saturating_mul(8))?;
        }
        // byte_alignment(): a one, and zeros up to the border.
        bits.flag()?;
        Ok(())
    }
}

/// How many bits tell one of so many apart.
const fn width(count: u32) -> u32 {
    u32::BITS.saturating_sub(count.saturating_sub(1).leading_zeros())
}

/// The part of a header that dependent slice segments take from the one before.
struct Independent<'a> {
    pps: &'a Pps,
    sps: &'a Slices,
    idr: bool,
}

/// More references than the standard knows.
const MAX_REFERENCES: u32 = 16;

impl Independent<'_> {
    fn skip(&self, bits: &mut Bits<'_>) -> Result<(), Error> {
        let Self { pps, sps, idr } = self;
        bits.skip(pps.extra_bits)?;
        let (b, p) = match bits.unsigned()? {
            0 => (true, false),
            1 => (false, true),
            2 => (false, false),
            _ => return Err(End.into()),
        };
        if pps.output_flag {
            bits.flag()?;
        }
        if sps.separate_colour_planes {
            bits.skip(2)?;
        }
        let mut current = 0;
        let mut temporal = false;
        if !idr {
            bits.read(sps.order_bits)?;
            current = self.short_term(bits)?.saturating_add(self.long_term(bits)?);
            temporal = sps.temporal_motion_vectors && bits.flag()?;
        }
        let mut offset = false;
        if sps.sample_adaptive_offset {
            offset |= bits.flag()?;
            offset |= !sps.is_monochrome && bits.flag()?;
        }
        if b || p {
            self.prediction(bits, b, current, temporal)?;
        }
        bits.signed()?; // slice_qp_delta
        if pps.chroma_offsets {
            bits.signed()?;
            bits.signed()?;
        }
        if pps.chroma_offset_lists {
            bits.flag()?;
        }
        let mut disabled = pps.deblocking_disabled;
        if pps.deblocking_override && bits.flag()? {
            disabled = bits.flag()?;
            if !disabled {
                bits.signed()?;
                bits.signed()?;
            }
        }
        if pps.loop_filter_across && (offset || !disabled) {
            bits.flag()?;
        }
        Ok(())
    }

    /// The short-term references; how many the picture uses.
    fn short_term(&self, bits: &mut Bits<'_>) -> Result<u32, Error> {
        let sets = &self.sps.references;
        if !bits.flag()? {
            return Ok(References::read_in_slice(bits, sets)?.used());
        }
        let at = bits.read(width(sets.len() as u32))? as usize;
        Ok(sets.get(at).ok_or(End)?.used())
    }

    /// The long-term references; how many the picture uses.
    fn long_term(&self, bits: &mut Bits<'_>) -> Result<u32, Error> {
        let Some(named) = &self.sps.long_term else { return Ok(0) };
        let of_set = if named.is_empty() { 0 } else { bits.unsigned()? };
        let own = bits.unsigned()?;
        if of_set.saturating_add(own) > MAX_REFERENCES.saturating_mul(2) {
            return Err(End.into());
        }
        let mut used = 0_u32;
        for at in 0..of_set.saturating_add(own) {
            let is_used = if at < of_set {
                let at = bits.read(width(named.len() as u32))? as usize;
                *named.get(at).ok_or(End)?
            } else {
                bits.read(self.sps.order_bits)?;
                bits.flag()?
            };
            used = used.saturating_add(is_used.into());
            if bits.flag()? {
                bits.unsigned()?; // delta_poc_msb_cycle_lt
            }
        }
        Ok(used)
    }

    /// What slices have that are predicted from other pictures, of which `current` can be named.
    fn prediction(&self, bits: &mut Bits<'_>, b: bool, current: u32, temporal: bool) -> Result<(), Error> {
        let pps = self.pps;
        let lists = if b { 2 } else { 1 };
        let mut references = pps.references;
        if bits.flag()? {
            for it in references.iter_mut().take(lists) {
                *it = bits.unsigned()?.saturating_add(1);
            }
        }
        if references.iter().any(|it| *it > MAX_REFERENCES) {
            return Err(End.into());
        }
        let used = references.get(..lists).unwrap_or_default();
        if pps.list_modification && current > 1 {
            for count in used {
                if bits.flag()? {
                    bits.skip((*count).saturating_mul(width(current)) as usize)?;
                }
            }
        }
        if b {
            bits.flag()?; // mvd_l1_zero_flag
        }
        if pps.cabac_init {
            bits.flag()?;
        }
        if temporal {
            let list = usize::from(b && !bits.flag()?);
            if references.get(list).is_some_and(|it| *it > 1) {
                bits.unsigned()?; // collocated_ref_idx
            }
        }
        if if b { pps.weighted_bi } else { pps.weighted } {
            self.weights(bits, used)?;
        }
        bits.unsigned()?; // five_minus_max_num_merge_cand
        Ok(())
    }

    fn weights(&self, bits: &mut Bits<'_>, references: &[u32]) -> Result<(), Error> {
        let chroma = !self.sps.is_monochrome;
        bits.unsigned()?;
        if chroma {
            bits.signed()?;
        }
        for count in references {
            let mut flags = |wanted: bool| -> Result<Vec<bool>, End> {
                (0..*count).map(|_| Ok(wanted && bits.flag()?)).collect()
            };
            let (luma, colour) = (flags(true)?, flags(chroma)?);
            for (luma, colour) in luma.into_iter().zip(colour) {
                for _ in (0..2).filter(|_| luma).chain((0..4).filter(|_| colour)) {
                    bits.signed()?;
                }
            }
        }
        Ok(())
    }
}

impl Pps {
    /// The set and its number; nothing of one with tools of layers, depth or screens.
    fn parse(nal: &[u8]) -> Result<Option<(u32, Self)>, Error> {
        let rbsp = unescape(nal.get(2..).unwrap_or_default());
        let bits = &mut Bits::new(&rbsp);
        let mut it = Self::default();
        let id = bits.unsigned()?;
        it.sequence = bits.unsigned()?;
        it.dependent_slices = bits.flag()?;
        it.output_flag = bits.flag()?;
        it.extra_bits = bits.read(3)? as usize;
        bits.flag()?; // sign_data_hiding_enabled_flag
        it.cabac_init = bits.flag()?;
        // One more each than the fields say.
        it.references = [bits.unsigned()?.saturating_add(1), bits.unsigned()?.saturating_add(1)];
        bits.signed()?; // init_qp_minus26
        bits.flag()?; // constrained_intra_pred_flag
        let transform_skip = bits.flag()?;
        if bits.flag()? {
            bits.unsigned()?; // diff_cu_qp_delta_depth
        }
        bits.signed()?;
        bits.signed()?;
        it.chroma_offsets = bits.flag()?;
        it.weighted = bits.flag()?;
        it.weighted_bi = bits.flag()?;
        bits.flag()?; // transquant_bypass_enabled_flag
        let (tiles, wavefronts) = (bits.flag()?, bits.flag()?);
        it.has_entry_points = tiles || wavefronts;
        if tiles {
            skip_tiles(bits)?;
        }
        it.loop_filter_across = bits.flag()?;
        if bits.flag()? {
            it.deblocking_override = bits.flag()?;
            it.deblocking_disabled = bits.flag()?;
            if !it.deblocking_disabled {
                bits.signed()?;
                bits.signed()?;
            }
        }
        if bits.flag()? {
            super::sps::skip_scaling_lists(bits)?;
        }
        it.list_modification = bits.flag()?;
        bits.unsigned()?; // log2_parallel_merge_level_minus2
        it.header_extension = bits.flag()?;
        if bits.flag()? {
            let range = bits.flag()?;
            if bits.read(7)? != 0 {
                return Ok(None);
            }
            if range {
                if transform_skip {
                    bits.unsigned()?;
                }
                bits.flag()?; // cross_component_prediction_enabled_flag
                it.chroma_offset_lists = bits.flag()?;
            }
        }
        Ok(Some((id, it)))
    }
}

fn skip_tiles(bits: &mut Bits<'_>) -> Result<(), Error> {
    let (columns, rows) = (bits.unsigned()?, bits.unsigned()?);
    if !bits.flag()? {
        // A set that announces more than it has ends soon.
        for _ in 0..columns.saturating_add(rows) {
            bits.unsigned()?;
        }
    }
    bits.flag()?; // loop_filter_across_tiles_enabled_flag
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::avc::tests::hex;
    use super::*;

    #[test]
    fn every_header_ends_with_a_one_and_zeros_up_to_the_border() {
        let mut slices = 0;
        // Parameter sets, and the first 48 octets of slices, as x265 wrote them.
        for film in include_str!("slices.txt").split("# ").skip(1) {
            let mut sets = Sets::default();
            for nal in film.lines().skip(1).map(hex) {
                sets.take(&nal);
                let Some(clear) = sets.clear(&nal) else {
                    assert!(matches!(kind(&nal), Some(SPS | PPS)), "{film}: {nal:02x?}");
                    continue;
                };
                let rbsp = unescape(&nal[2..]);
                let mut bits = Bits::new(&rbsp);
                sets.skip_header(&mut bits, kind(&nal).unwrap()).unwrap();
                let last = rbsp[bits.octets() - 1];
                let to_border = bits.left() % 8;
                assert_eq!(u32::from(last) & ((2 << to_border) - 1), 1 << to_border, "{film}: {nal:02x?}");
                assert_eq!(escaped_length(&nal[2..], bits.octets()) + 2, clear);
                slices += 1;
            }
        }
        assert_eq!(slices, 72, "none was left out");
    }

    proptest! {
        #[test]
        fn any_damage_is_borne(film in 1_usize..5, at in 0_usize..48, byte: u8, cut in 0_usize..49) {
            let film = include_str!("slices.txt").split("# ").nth(film).unwrap();
            let mut sets = Sets::default();
            for nal in film.lines().skip(1).map(hex) {
                let mut nal = nal.to_vec();
                if let Some(place) = nal.get_mut(at) {
                    *place = byte;
                }
                nal.truncate(cut.max(2));
                sets.take(&nal);
                prop_assert!(sets.clear(&nal).is_none_or(|clear| (2..=nal.len()).contains(&clear)));
            }
        }
    }

    #[test]
    fn as_many_bits_are_read_as_tell_one_of_so_many_apart() {
        assert_eq!([0, 1, 2, 3, 4, 5, 64].map(width), [0, 0, 1, 2, 2, 3, 6]);
    }
}
