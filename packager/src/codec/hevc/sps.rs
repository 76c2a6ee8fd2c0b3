//! The sequence parameter set (ITU-T H.265 7.3.2.2 and E.2.1), as far as a packager needs it.

use super::references::References;
use crate::codec::bits::{Bits, unescape};
use crate::codec::picture::{ASPECTS, Colour};
use crate::codec::record::{Error, limited};

/// What a sequence parameter set says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sps {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) sample_aspect: Option<(u16, u16)>,
    pub(super) colour: Option<Colour>,
    pub(super) id: u32,
    pub(super) slices: Slices,
}

/// What the headers of slices are read by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Slices {
    /// Tools of layers, depth or screens, whose headers have more than is read here.
    pub(super) is_extended: bool,
    /// `ChromaArrayType` is zero.
    pub(super) is_monochrome: bool,
    pub(super) separate_colour_planes: bool,
    pub(super) order_bits: u32,
    /// How many blocks of the coding tree a picture has.
    pub(super) blocks: u32,
    pub(super) references: Vec<References>,
    /// Whether each long-term picture that the set names is used; none where pictures have no such.
    pub(super) long_term: Option<Vec<bool>>,
    pub(super) sample_adaptive_offset: bool,
    pub(super) temporal_motion_vectors: bool,
}

impl Sps {
    /// Reads a whole NAL unit, header included.
    pub(super) fn parse(nal: &[u8]) -> Result<Self, Error> {
        let rbsp = unescape(nal.get(2..).unwrap_or_default());
        let mut bits = Bits::new(&rbsp);
        bits.skip(4)?; // sps_video_parameter_set_id
        let layers = limited("sps_max_sub_layers_minus1", bits.read(3)?, 6)?;
        bits.flag()?; // sps_temporal_id_nesting_flag
        let profile = read_profile(&mut bits, layers)?;
        let id = limited("sps_seq_parameter_set_id", bits.unsigned()?, 15)?;
        let size = Size::read(&mut bits)?;
        let order_bits = skip_depths_and_order(&mut bits, layers)?;
        let mut slices = Slices {
            is_extended: matches!(profile, 6..=11),
            is_monochrome: size.chroma == 0 || size.separate,
            separate_colour_planes: size.separate,
            order_bits,
            ..Slices::default()
        };
        let block = read_coding_tools(&mut bits, &mut slices)?;
        slices.blocks = size.coded.0.div_ceil(block).saturating_mul(size.coded.1.div_ceil(block));
        read_references(&mut bits, &mut slices)?;
        slices.temporal_motion_vectors = bits.flag()?;
        bits.flag()?; // strong_intra_smoothing_enabled_flag
        let (width, height) = size.shown;
        let mut sps = Self { width, height, sample_aspect: None, colour: None, id, slices };
        if bits.flag()? {
            // Usability information that ends early decodes nothing; what was read of it still holds.
            let _ = sps.read_usability(&mut bits);
        }
        Ok(sps)
    }

    fn read_usability(&mut self, bits: &mut Bits<'_>) -> Result<(), Error> {
        if bits.flag()? {
            self.sample_aspect = match bits.byte()? {
                255 => Some((bits.read(16)? as u16, bits.read(16)? as u16)),
                indicator => ASPECTS.get(usize::from(indicator)).copied(),
            };
        }
        if bits.flag()? {
            bits.flag()?; // overscan_appropriate_flag
        }
        if bits.flag()? {
            bits.skip(3)?; // video_format
            let full_range = bits.flag()?;
            let mut colour = Colour { full_range, ..Colour::UNSPECIFIED };
            if bits.flag()? {
                (colour.primaries, colour.transfer, colour.matrix) =
                    (bits.byte()?, bits.byte()?, bits.byte()?);
            }
            self.colour = Some(colour);
        }
        Ok(())
    }
}

/// 7.3.3, with all sub-layers; gives `general_profile_idc`.
fn read_profile(bits: &mut Bits<'_>, layers: u32) -> Result<u32, Error> {
    const PROFILE: usize = 88;
    const LEVEL: usize = 8;
    bits.skip(3)?; // general_profile_space, general_tier_flag
    let profile = bits.read(5)?;
    bits.skip(PROFILE.saturating_sub(8).saturating_add(LEVEL))?;
    let mut present = Vec::new();
    for _ in 0..layers {
        present.push((bits.flag()?, bits.flag()?));
    }
    if layers > 0 {
        // Two bits for each layer that is not there.
        (layers..8).try_for_each(|_| bits.skip(2))?;
    }
    for (profile, level) in present {
        bits.skip(if profile { PROFILE } else { 0 })?;
        bits.skip(if level { LEVEL } else { 0 })?;
    }
    Ok(profile)
}

/// How large pictures are.
struct Size {
    /// `chroma_format_idc`
    chroma: u32,
    /// `separate_colour_plane_flag`
    separate: bool,
    coded: (u32, u32),
    /// Width and height within the conformance window.
    shown: (u16, u16),
}

impl Size {
    fn read(bits: &mut Bits<'_>) -> Result<Self, Error> {
        let chroma = limited("chroma_format_idc", bits.unsigned()?, 3)?;
        let separate = chroma == 3 && bits.flag()?;
        let (width, height) = (bits.unsigned()?, bits.unsigned()?);
        let [mut left, mut right, mut top, mut bottom] = [0; 4];
        if bits.flag()? {
            [left, right, top, bottom] =
                [bits.unsigned()?, bits.unsigned()?, bits.unsigned()?, bits.unsigned()?];
        }
        let (across, down) = match chroma {
            1 if !separate => (2, 2),
            2 if !separate => (2, 1),
            _ => (1, 1),
        };
        let cropped = |field, size: u32, unit: u32, before: u32, after: u32| {
            let cut = u64::from(unit).saturating_mul(u64::from(before).saturating_add(after.into()));
            let rest = u64::from(size).checked_sub(cut).filter(|&it| it > 0);
            rest.and_then(|it| u16::try_from(it).ok()).ok_or(Error::Value { field, value: size })
        };
        let shown = (
            cropped("pic_width_in_luma_samples", width, across, left, right)?,
            cropped("pic_height_in_luma_samples", height, down, top, bottom)?,
        );
        Ok(Self { chroma, separate, coded: (width, height), shown })
    }
}

/// Up to the sub-layers' buffers; gives how many bits a picture order count has.
fn skip_depths_and_order(bits: &mut Bits<'_>, layers: u32) -> Result<u32, Error> {
    limited("bit_depth_luma_minus8", bits.unsigned()?, 8)?;
    limited("bit_depth_chroma_minus8", bits.unsigned()?, 8)?;
    let order = limited("log2_max_pic_order_cnt_lsb_minus4", bits.unsigned()?, 12)?;
    let told = if bits.flag()? { layers.saturating_add(1) } else { 1 };
    for _ in 0..told.saturating_mul(3) {
        bits.unsigned()?;
    }
    Ok(order.saturating_add(4))
}

/// Block sizes, scaling lists, PCM; gives the size of the coding tree's blocks.
fn read_coding_tools(bits: &mut Bits<'_>, slices: &mut Slices) -> Result<u32, Error> {
    let least = limited("log2_min_luma_coding_block_size_minus3", bits.unsigned()?, 3)?;
    let more = limited("log2_diff_max_min_luma_coding_block_size", bits.unsigned()?, 3)?;
    // Two sizes of transform blocks, two depths.
    for _ in 0..4 {
        bits.unsigned()?;
    }
    if bits.flag()? && bits.flag()? {
        skip_scaling_lists(bits)?;
    }
    bits.flag()?; // amp_enabled_flag
    slices.sample_adaptive_offset = bits.flag()?;
    if bits.flag()? {
        bits.skip(8)?; // two bit depths
        bits.unsigned()?;
        bits.unsigned()?;
        bits.flag()?;
    }
    Ok(1 << least.saturating_add(more).saturating_add(3))
}

/// 7.3.4
pub(super) fn skip_scaling_lists(bits: &mut Bits<'_>) -> Result<(), Error> {
    for size in 0..4_u32 {
        for _ in (0..6).step_by(if size == 3 { 3 } else { 1 }) {
            if !bits.flag()? {
                bits.unsigned()?; // scaling_list_pred_matrix_id_delta
                continue;
            }
            if size > 1 {
                bits.signed()?; // scaling_list_dc_coef_minus8
            }
            let coefficients = if size == 0 { 16 } else { 64 };
            for _ in 0..coefficients {
                bits.signed()?;
            }
        }
    }
    Ok(())
}

fn read_references(bits: &mut Bits<'_>, slices: &mut Slices) -> Result<(), Error> {
    let count = limited("num_short_term_ref_pic_sets", bits.unsigned()?, 64)?;
    for _ in 0..count {
        let next = References::read(bits, slices.references.last())?;
        slices.references.push(next);
    }
    if bits.flag()? {
        let count = limited("num_long_term_ref_pics_sps", bits.unsigned()?, 32)?;
        let mut used = Vec::new();
        for _ in 0..count {
            bits.read(slices.order_bits)?;
            used.push(bits.flag()?);
        }
        slices.long_term = Some(used);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::avc::tests::hex;
    use super::*;

    /// What x265 wrote: size, sample aspect and colour.
    fn check(sps: &str, size: (u16, u16), aspect: (u16, u16), colour: Option<[u8; 3]>, full_range: bool) {
        let sps = Sps::parse(&hex(sps)).unwrap();
        let colour =
            colour.map(|[primaries, transfer, matrix]| Colour { primaries, transfer, matrix, full_range });
        assert_eq!(
            (sps.width, sps.height, sps.sample_aspect, sps.colour),
            (size.0, size.1, Some(aspect), colour)
        );
    }

    #[test]
    fn what_x265_writes_is_understood() {
        let unspecified = Some([2, 2, 2]);
        // Plain; 4:2:2 with ten bits, full range and HDR10; three temporal layers; 4:4:4; scaling lists of its own.
        check(
            "42010101600000030090000003000003001ea020829f796566b932bc05a02000000300200000030321",
            (64, 36),
            (1, 1),
            unspecified,
            false,
        );
        check(
            "4201010408000003009d0800000300001eb034839dced96566b9395e1cdc244024100000030010000003019080",
            (100, 50),
            (4, 3),
            Some([9, 16, 9]),
            true,
        );
        check(
            "420101216000000300900000030000030096a01020496599964932bc05a02000000300200000030321",
            (128, 72),
            (1, 1),
            unspecified,
            false,
        );
        check(
            "4201010408000003009e0800000300001e900490539ef2cacd7265780b4040000003004000000642",
            (66, 38),
            (1, 1),
            unspecified,
            false,
        );
        check(include_str!("scaling_lists.hex"), (80, 46), (4, 3), unspecified, false);
    }

    #[test]
    fn values_out_of_range_are_named() {
        assert_eq!(Sps::parse(&[]), Err(Error::Truncated));
        let layers = Sps::parse(&hex("4201 0f"));
        assert_eq!(layers, Err(Error::Value { field: "sps_max_sub_layers_minus1", value: 7 }));
    }
}
