//! Where the header of a slice ends (ITU-T H.264 7.3.3): what stands before is read by every player, what follows may be
//! encrypted.

use std::collections::BTreeMap;

use super::Config;
use super::nal::kind;
use super::sps::{Order, Slices, Sps};
use crate::codec::bits::{Bits, End, escaped_length, unescape};
use crate::codec::slices::header_window;

const SPS: u8 = 7;
const PPS: u8 = 8;

/// The parameter sets that slices refer to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sets {
    sequences: BTreeMap<u32, Slices>,
    pictures: BTreeMap<u32, Pps>,
}

/// What a picture parameter set says (7.3.2.2), as far as slices are read by it.
#[derive(Clone, Copy, Debug)]
struct Pps {
    sequence: u32,
    entropy_coding_mode: bool,
    order_present: bool,
    references: [u32; 2],
    weighted: bool,
    weighted_bi: bool,
    deblocking_control: bool,
    redundant_count: bool,
}

impl Sets {
    /// Those of a record.
    pub(crate) fn of(config: &Config) -> Self {
        let mut sets = Self::default();
        config.parameter_sets().for_each(|it| sets.take(it));
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

    /// Octets of a slice that must stay readable; nothing for what is no slice, or one that is not understood.
    pub(crate) fn clear(&self, nal: &[u8]) -> Option<usize> {
        if !matches!(kind(nal), Some(1 | 5)) {
            return None;
        }
        header_window(nal, |window| {
            let rbsp = unescape(window.get(1..)?);
            let mut bits = Bits::new(&rbsp);
            self.skip_header(&mut bits, *window.first()?).ok()?;
            Some(escaped_length(window.get(1..)?, bits.octets()).saturating_add(1))
        })
    }

    fn skip_header(&self, bits: &mut Bits<'_>, head: u8) -> Result<(), End> {
        let (idr, referred) = (head & 0x1f == 5, head & 0x60 != 0);
        bits.unsigned()?; // first_mb_in_slice
        let slice = Slice::of(bits.unsigned()?)?;
        let pps = self.pictures.get(&bits.unsigned()?).ok_or(End)?;
        let sps = self.sequences.get(&pps.sequence).ok_or(End)?;
        if sps.separate_colour_planes {
            bits.skip(2)?;
        }
        bits.read(sps.frame_num_bits)?;
        let field = !sps.frames_only && bits.flag()?;
        if field {
            bits.flag()?; // bottom_field_flag
        }
        if idr {
            bits.unsigned()?; // idr_pic_id
        }
        skip_order(bits, sps.order, pps.order_present && !field)?;
        if pps.redundant_count {
            bits.unsigned()?;
        }
        if slice == Slice::B {
            bits.flag()?; // direct_spatial_mv_pred_flag
        }
        let references = slice.references(bits, pps)?;
        for _ in references.iter().take(slice.lists()) {
            skip_modification(bits)?;
        }
        if (pps.weighted && slice.is_p()) || (pps.weighted_bi && slice == Slice::B) {
            skip_weights(bits, sps.is_monochrome, references.get(..slice.lists()).unwrap_or_default())?;
        }
        if referred {
            skip_marking(bits, idr)?;
        }
        if pps.entropy_coding_mode && !slice.is_intra() {
            bits.unsigned()?; // cabac_init_idc
        }
        bits.signed()?; // slice_qp_delta
        if slice == Slice::Sp {
            bits.flag()?; // sp_for_switch_flag
        }
        if matches!(slice, Slice::Sp | Slice::Si) {
            bits.signed()?; // slice_qs_delta
        }
        if pps.deblocking_control && bits.unsigned()? != 1 {
            bits.signed()?;
            bits.signed()?;
        }
        Ok(())
    }
}

impl Pps {
    /// The set and its number; nothing of one with slice groups, which no stored film has.
    fn parse(nal: &[u8]) -> Result<Option<(u32, Self)>, End> {
        let rbsp = unescape(nal.get(1..).unwrap_or_default());
        let mut bits = Bits::new(&rbsp);
        let id = bits.unsigned()?;
        let sequence = bits.unsigned()?;
        let entropy_coding_mode = bits.flag()?;
        let order_present = bits.flag()?;
        if bits.unsigned()? != 0 {
            return Ok(None);
        }
        // One more each than the fields say.
        let references = [bits.unsigned()?.saturating_add(1), bits.unsigned()?.saturating_add(1)];
        let weighted = bits.flag()?;
        let weighted_bi = bits.read(2)? == 1;
        bits.signed()?;
        bits.signed()?;
        bits.signed()?;
        let deblocking_control = bits.flag()?;
        bits.flag()?; // constrained_intra_pred_flag
        let redundant_count = bits.flag()?;
        let it = Self {
            sequence,
            entropy_coding_mode,
            order_present,
            references,
            weighted,
            weighted_bi,
            deblocking_control,
            redundant_count,
        };
        Ok(Some((id, it)))
    }
}

/// `slice_type` (table 7-6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slice {
    P,
    B,
    I,
    Sp,
    Si,
}

/// More references than the standard knows.
const MAX_REFERENCES: u32 = 32;

impl Slice {
    const fn of(kind: u32) -> Result<Self, End> {
        match kind {
            0 | 5 => Ok(Self::P),
            1 | 6 => Ok(Self::B),
            2 | 7 => Ok(Self::I),
            3 | 8 => Ok(Self::Sp),
            4 | 9 => Ok(Self::Si),
            _ => Err(End),
        }
    }

    const fn is_p(self) -> bool {
        matches!(self, Self::P | Self::Sp)
    }

    const fn is_intra(self) -> bool {
        matches!(self, Self::I | Self::Si)
    }

    /// How many lists of references it has.
    const fn lists(self) -> usize {
        match self {
            Self::P | Self::Sp => 1,
            Self::B => 2,
            Self::I | Self::Si => 0,
        }
    }

    /// How many pictures each list names.
    fn references(self, bits: &mut Bits<'_>, pps: &Pps) -> Result<[u32; 2], End> {
        let mut references = pps.references;
        if !self.is_intra() && bits.flag()? {
            for it in references.iter_mut().take(self.lists()) {
                *it = bits.unsigned()?.saturating_add(1);
            }
        }
        if references.iter().any(|it| *it > MAX_REFERENCES) { Err(End) } else { Ok(references) }
    }
}

fn skip_order(bits: &mut Bits<'_>, order: Order, both_fields: bool) -> Result<(), End> {
    match order {
        Order::Lsb { bits: width } => {
            bits.read(width)?;
            if both_fields {
                bits.signed()?;
            }
        }
        Order::Deltas { always_zero: false } => {
            bits.signed()?;
            if both_fields {
                bits.signed()?;
            }
        }
        Order::Deltas { always_zero: true } | Order::Decoding => {}
    }
    Ok(())
}

/// `ref_pic_list_modification` of one list.
fn skip_modification(bits: &mut Bits<'_>) -> Result<(), End> {
    if !bits.flag()? {
        return Ok(());
    }
    // One for each reference, and the end.
    for _ in 0..=MAX_REFERENCES.saturating_mul(2) {
        if bits.unsigned()? == 3 {
            return Ok(());
        }
        bits.unsigned()?;
    }
    Err(End)
}

/// `pred_weight_table`.
fn skip_weights(bits: &mut Bits<'_>, monochrome: bool, references: &[u32]) -> Result<(), End> {
    bits.unsigned()?;
    if !monochrome {
        bits.unsigned()?;
    }
    for _ in references.iter().flat_map(|it| 0..*it) {
        if bits.flag()? {
            bits.signed()?;
            bits.signed()?;
        }
        if !monochrome && bits.flag()? {
            for _ in 0..4 {
                bits.signed()?;
            }
        }
    }
    Ok(())
}

/// `dec_ref_pic_marking`.
fn skip_marking(bits: &mut Bits<'_>, idr: bool) -> Result<(), End> {
    if idr {
        return bits.skip(2);
    }
    if !bits.flag()? {
        return Ok(());
    }
    for _ in 0..=MAX_REFERENCES.saturating_mul(2) {
        match bits.unsigned()? {
            0 => return Ok(()),
            1 | 2 | 4 | 6 => {
                bits.unsigned()?;
            }
            3 => {
                bits.unsigned()?;
                bits.unsigned()?;
            }
            5 => {}
            _ => return Err(End),
        }
    }
    Err(End)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::hex;
    use super::*;

    #[test]
    fn behind_every_header_stand_the_ones_that_align_what_follows() {
        let mut slices = 0;
        // Parameter sets, and the first 40 octets of slices, as x264 wrote them: all are followed by arithmetic codes, which
        // begin at a border of octets behind ones (7.3.4).
        for film in include_str!("slices.txt").split("# ").skip(1) {
            let mut sets = Sets::default();
            for nal in film.lines().skip(1).map(hex) {
                sets.take(&nal);
                let Some(clear) = sets.clear(&nal) else { continue };
                let rbsp = unescape(&nal[1..]);
                let mut bits = Bits::new(&rbsp);
                sets.skip_header(&mut bits, nal[0]).unwrap();
                let to_border = bits.left() % 8;
                let aligned = (0..to_border).all(|_| bits.flag() == Ok(true));
                assert!(aligned, "{} of {film}", nal.len());
                assert_eq!(escaped_length(&nal[1..], bits.octets()) + 1, clear);
                slices += 1;
            }
        }
        assert_eq!(slices, 64, "none was left out");
    }

    proptest! {
        #[test]
        fn any_damage_is_borne(film in 1_usize..5, at in 0_usize..40, byte: u8, cut in 0_usize..41) {
            let film = include_str!("slices.txt").split("# ").nth(film).unwrap();
            let mut sets = Sets::default();
            for nal in film.lines().skip(1).map(hex) {
                let mut nal = nal.to_vec();
                if let Some(place) = nal.get_mut(at) {
                    *place = byte;
                }
                nal.truncate(cut.max(1));
                sets.take(&nal);
                prop_assert!(sets.clear(&nal).is_none_or(|clear| (1..=nal.len()).contains(&clear)));
            }
        }
    }

    #[test]
    fn what_is_not_understood_has_no_header() {
        let film = include_str!("slices.txt").split("# ").nth(1).unwrap();
        let nals: Vec<_> = film.lines().skip(1).map(hex).collect();
        let mut sets = Sets::default();
        assert_eq!(sets.clear(&nals[2]), None, "it has no parameter sets");
        nals.iter().for_each(|it| sets.take(it));
        assert_eq!(sets.clear(&nals[2][..3]), None, "it is cut");
        assert_eq!(sets.clear(&[]), None);
        assert_eq!(sets.clear(&nals[0]), None, "it is a parameter set");
    }
}
