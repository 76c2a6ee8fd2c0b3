//! The sequence parameter set (ITU-T H.265 7.3.2.2 and E.2.1), as far as a packager needs it.

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
}

impl Sps {
    /// Reads a whole NAL unit, header included.
    pub(super) fn parse(nal: &[u8]) -> Result<Self, Error> {
        let rbsp = unescape(nal.get(2..).unwrap_or_default());
        let mut bits = Bits::new(&rbsp);
        bits.skip(4)?; // sps_video_parameter_set_id
        let layers = limited("sps_max_sub_layers_minus1", bits.read(3)?, 6)?;
        bits.flag()?; // sps_temporal_id_nesting_flag
        skip_profile_tier_level(&mut bits, layers)?;
        limited("sps_seq_parameter_set_id", bits.unsigned()?, 15)?;
        let (width, height) = read_size(&mut bits)?;
        let mut sps = Self { width, height, sample_aspect: None, colour: None };
        let picture_order_bits = skip_depths_and_order(&mut bits, layers)?;
        skip_coding_tools(&mut bits)?;
        skip_references(&mut bits, picture_order_bits)?;
        bits.skip(2)?; // sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag
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

/// 7.3.3, with all sub-layers.
fn skip_profile_tier_level(bits: &mut Bits<'_>, layers: u32) -> Result<(), Error> {
    const PROFILE: usize = 88;
    const LEVEL: usize = 8;
    bits.skip(PROFILE.saturating_add(LEVEL))?;
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
    Ok(())
}

/// Width and height within the conformance window.
fn read_size(bits: &mut Bits<'_>) -> Result<(u16, u16), Error> {
    let chroma = limited("chroma_format_idc", bits.unsigned()?, 3)?;
    let separate = chroma == 3 && bits.flag()?;
    let (width, height) = (bits.unsigned()?, bits.unsigned()?);
    let [mut left, mut right, mut top, mut bottom] = [0; 4];
    if bits.flag()? {
        [left, right, top, bottom] = [bits.unsigned()?, bits.unsigned()?, bits.unsigned()?, bits.unsigned()?];
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
    Ok((
        cropped("pic_width_in_luma_samples", width, across, left, right)?,
        cropped("pic_height_in_luma_samples", height, down, top, bottom)?,
    ))
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

/// Block sizes, scaling lists, PCM.
fn skip_coding_tools(bits: &mut Bits<'_>) -> Result<(), Error> {
    // Two sizes of coding blocks, two of transform blocks, two depths.
    for _ in 0..6 {
        bits.unsigned()?;
    }
    if bits.flag()? && bits.flag()? {
        skip_scaling_lists(bits)?;
    }
    bits.skip(2)?; // amp_enabled_flag, sample_adaptive_offset_enabled_flag
    if bits.flag()? {
        bits.skip(8)?; // two bit depths
        bits.unsigned()?;
        bits.unsigned()?;
        bits.flag()?;
    }
    Ok(())
}

/// 7.3.4
fn skip_scaling_lists(bits: &mut Bits<'_>) -> Result<(), Error> {
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

fn skip_references(bits: &mut Bits<'_>, picture_order_bits: u32) -> Result<(), Error> {
    let count = limited("num_short_term_ref_pic_sets", bits.unsigned()?, 64)?;
    let mut sets: Vec<References> = Vec::new();
    for _ in 0..count {
        let next = References::read(bits, sets.last())?;
        sets.push(next);
    }
    if bits.flag()? {
        let count = limited("num_long_term_ref_pics_sps", bits.unsigned()?, 32)?;
        for _ in 0..count {
            bits.read(picture_order_bits)?;
            bits.flag()?;
        }
    }
    Ok(())
}

/// A short-term reference picture set (7.3.7, 7.4.8): how far away its pictures are.
struct References {
    before: Vec<i64>,
    after: Vec<i64>,
}

impl References {
    /// More pictures than any level lets a decoder keep.
    const MOST: u32 = 16;

    fn read(bits: &mut Bits<'_>, previous: Option<&Self>) -> Result<Self, Error> {
        match previous {
            Some(previous) if bits.flag()? => previous.predict(bits),
            _ => Self::list(bits),
        }
    }

    fn list(bits: &mut Bits<'_>) -> Result<Self, Error> {
        let before = limited("num_negative_pics", bits.unsigned()?, Self::MOST)?;
        let after = limited("num_positive_pics", bits.unsigned()?, Self::MOST)?;
        let mut read = |count: u32, sign: i64| {
            let mut at = 0_i64;
            let mut distances = Vec::new();
            for _ in 0..count {
                let step = i64::from(bits.unsigned()?).saturating_add(1);
                at = at.saturating_add(step.saturating_mul(sign));
                bits.flag()?; // used_by_curr_pic
                distances.push(at);
            }
            Ok::<_, Error>(distances)
        };
        Ok(Self { before: read(before, -1)?, after: read(after, 1)? })
    }

    /// The set that is told as a change of this one (7-61, 7-62). What counts is how many pictures it has.
    fn predict(&self, bits: &mut Bits<'_>) -> Result<Self, Error> {
        let sign = if bits.flag()? { -1 } else { 1 };
        let delta = i64::from(limited("abs_delta_rps_minus1", bits.unsigned()?, 1 << 15)?)
            .saturating_add(1)
            .saturating_mul(sign);
        let all = self.before.iter().chain(&self.after).copied().chain([0]);
        let mut next = Self { before: Vec::new(), after: Vec::new() };
        for distance in all {
            // used_by_curr_pic_flag; else use_delta_flag
            if !bits.flag()? && !bits.flag()? {
                continue;
            }
            match distance.saturating_add(delta) {
                it @ ..0 => next.before.push(it),
                0 => {}
                it => next.after.push(it),
            }
        }
        if next.before.len().saturating_add(next.after.len()) > Self::MOST as usize {
            return Err(Error::Value { field: "NumDeltaPocs", value: Self::MOST.saturating_add(1) });
        }
        Ok(next)
    }
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
    fn reference_sets_may_be_told_as_changes_of_others() {
        // Two before and one after; then the same two further on, and the picture itself.
        let listed = [0b0110_1011, 0b1111_0000];
        let first = References::read(&mut Bits::new(&listed), None).unwrap();
        assert_eq!((first.before.as_slice(), first.after.as_slice()), (&[-1, -2][..], &[1][..]));
        let changed = [0b1011_1110];
        let next = References::read(&mut Bits::new(&changed), Some(&first)).unwrap();
        assert_eq!((next.before.as_slice(), next.after.as_slice()), (&[-1][..], &[2, 1][..]));
    }

    #[test]
    fn values_out_of_range_are_named() {
        assert_eq!(Sps::parse(&[]), Err(Error::Truncated));
        let layers = Sps::parse(&hex("4201 0f"));
        assert_eq!(layers, Err(Error::Value { field: "sps_max_sub_layers_minus1", value: 7 }));
    }
}
