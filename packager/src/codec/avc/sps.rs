//! The sequence parameter set (ITU-T H.264 7.3.2.1.1 and E.1.1), as far as a packager needs it.

use super::Error;
use crate::codec::bits::{Bits, End, unescape};

impl From<End> for Error {
    fn from(_: End) -> Self {
        Self::SpsTruncated
    }
}

/// Code points of ITU-T H.273, as `colr` carries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// `colour_primaries`; 1 is BT.709.
    pub primaries: u8,
    /// `transfer_characteristics`; 16 is PQ, 18 is HLG.
    pub transfer: u8,
    /// `matrix_coefficients`.
    pub matrix: u8,
    /// Whether sample values use the whole range.
    pub full_range: bool,
}

impl Colour {
    /// Says nothing: players guess from the picture's size.
    pub const UNSPECIFIED: Self = Self { primaries: 2, transfer: 2, matrix: 2, full_range: false };
}

/// What a sequence parameter set says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sps {
    /// Whether the profile is one whose sets carry chroma format and bit depths.
    pub(super) has_chroma_fields: bool,
    pub(super) chroma_format: u8,
    pub(super) bit_depth_luma_minus8: u8,
    pub(super) bit_depth_chroma_minus8: u8,
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) sample_aspect: Option<(u16, u16)>,
    pub(super) frame_rate: Option<(u32, u32)>,
    pub(super) colour: Option<Colour>,
}

impl Sps {
    /// Reads a whole NAL unit, header included.
    pub(super) fn parse(nal: &[u8]) -> Result<Self, Error> {
        let rbsp = unescape(nal.get(1..).unwrap_or_default());
        let mut bits = Bits::new(&rbsp);
        let profile = bits.byte()?;
        bits.skip(16)?;
        limited("seq_parameter_set_id", bits.unsigned()?, 31)?;
        let chroma = Chroma::read(&mut bits, profile)?;
        skip_picture_order(&mut bits)?;
        bits.unsigned()?; // max_num_ref_frames
        bits.flag()?; // gaps_in_frame_num_value_allowed_flag
        let (width, height) = read_size(&mut bits, &chroma)?;
        let mut vui = Vui::default();
        if bits.flag()? {
            // Encoders have written usability information that ends early; what was read of it still holds, and
            // nothing decodes by it.
            let _ = vui.read(&mut bits);
        }
        Ok(Self {
            has_chroma_fields: chroma.written,
            chroma_format: chroma.format,
            bit_depth_luma_minus8: chroma.luma_minus8,
            bit_depth_chroma_minus8: chroma.chroma_minus8,
            width,
            height,
            sample_aspect: vui.sample_aspect,
            frame_rate: vui.frame_rate,
            colour: vui.colour,
        })
    }
}

fn limited(field: &'static str, value: u32, most: u32) -> Result<u32, Error> {
    if value > most { Err(Error::SpsRange { field, value }) } else { Ok(value) }
}

struct Chroma {
    written: bool,
    format: u8,
    luma_minus8: u8,
    chroma_minus8: u8,
}

impl Chroma {
    fn read(bits: &mut Bits<'_>, profile: u8) -> Result<Self, Error> {
        if !matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
            let (luma_minus8, chroma_minus8) = (0, 0);
            return Ok(Self { written: false, format: 1, luma_minus8, chroma_minus8 });
        }
        let format = limited("chroma_format_idc", bits.unsigned()?, 3)? as u8;
        if format == 3 {
            bits.flag()?; // separate_colour_plane_flag
        }
        let luma_minus8 = limited("bit_depth_luma_minus8", bits.unsigned()?, 6)? as u8;
        let chroma_minus8 = limited("bit_depth_chroma_minus8", bits.unsigned()?, 6)? as u8;
        bits.flag()?; // qpprime_y_zero_transform_bypass_flag
        if bits.flag()? {
            for list in 0..if format == 3 { 12 } else { 8 } {
                if bits.flag()? {
                    skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
        Ok(Self { written: true, format, luma_minus8, chroma_minus8 })
    }
}

fn skip_scaling_list(bits: &mut Bits<'_>, size: u32) -> Result<(), Error> {
    let mut last = 8;
    for _ in 0..size {
        let delta = bits.signed()?;
        if !(-128..=127).contains(&delta) {
            return Err(Error::SpsRange { field: "delta_scale", value: delta.unsigned_abs() });
        }
        // Zero means that the rest repeats the last value: nothing more is coded.
        last = (last + delta) & 0xff;
        if last == 0 {
            break;
        }
    }
    Ok(())
}

fn skip_picture_order(bits: &mut Bits<'_>) -> Result<(), Error> {
    limited("log2_max_frame_num_minus4", bits.unsigned()?, 12)?;
    match limited("pic_order_cnt_type", bits.unsigned()?, 2)? {
        0 => {
            limited("log2_max_pic_order_cnt_lsb_minus4", bits.unsigned()?, 12)?;
        }
        1 => {
            bits.flag()?;
            bits.signed()?;
            bits.signed()?;
            let cycle = limited("num_ref_frames_in_pic_order_cnt_cycle", bits.unsigned()?, 255)?;
            for _ in 0..cycle {
                bits.signed()?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Width and height after cropping (ITU-T H.264 7-18 to 7-22).
fn read_size(bits: &mut Bits<'_>, chroma: &Chroma) -> Result<(u16, u16), Error> {
    // 4095 macroblocks are 65,520 pixels: what the 16 bits of a sample entry can say.
    let across = limited("pic_width_in_mbs_minus1", bits.unsigned()?, 4094)? + 1;
    let down = limited("pic_height_in_map_units_minus1", bits.unsigned()?, 4094)? + 1;
    let fields = if bits.flag()? { 1 } else { 2 };
    if fields == 2 {
        bits.flag()?; // mb_adaptive_frame_field_flag
    }
    bits.flag()?; // direct_8x8_inference_flag
    let (width, height) = (across * 16, down * 16 * fields);
    if !bits.flag()? {
        return Ok((
            narrow("pic_width_in_mbs_minus1", width)?,
            narrow("pic_height_in_map_units_minus1", height)?,
        ));
    }
    let (unit_across, unit_down) = match chroma.format {
        1 => (2, 2 * fields),
        2 => (2, fields),
        _ => (1, fields),
    };
    let [left, right, top, bottom] = [bits.unsigned()?, bits.unsigned()?, bits.unsigned()?, bits.unsigned()?];
    let cropped = |field, size: u32, unit: u32, before: u32, after: u32| {
        let cut = u64::from(unit) * (u64::from(before) + u64::from(after));
        match u64::from(size).checked_sub(cut) {
            Some(rest) if rest > 0 => narrow(field, rest as u32),
            _ => Err(Error::SpsRange { field, value: before.saturating_add(after) }),
        }
    };
    Ok((
        cropped("frame_crop_right_offset", width, unit_across, left, right)?,
        cropped("frame_crop_bottom_offset", height, unit_down, top, bottom)?,
    ))
}

fn narrow(field: &'static str, pixels: u32) -> Result<u16, Error> {
    u16::try_from(pixels).map_err(|_| Error::SpsRange { field, value: pixels })
}

/// Video usability information, up to the timing.
#[derive(Default)]
struct Vui {
    sample_aspect: Option<(u16, u16)>,
    frame_rate: Option<(u32, u32)>,
    colour: Option<Colour>,
}

impl Vui {
    fn read(&mut self, bits: &mut Bits<'_>) -> Result<(), End> {
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
                colour.primaries = bits.byte()?;
                colour.transfer = bits.byte()?;
                colour.matrix = bits.byte()?;
            }
            self.colour = Some(colour);
        }
        if bits.flag()? {
            bits.unsigned()?; // chroma_sample_loc_type_top_field
            bits.unsigned()?; // chroma_sample_loc_type_bottom_field
        }
        if bits.flag()? {
            let units = bits.read(32)?;
            let scale = bits.read(32)?;
            // A tick is a field's time, so a frame lasts two (ITU-T H.264 E.2.1).
            self.frame_rate = units.checked_mul(2).filter(|&it| it > 0 && scale > 0).map(|it| (scale, it));
        }
        Ok(())
    }
}

/// `aspect_ratio_idc` (ITU-T H.264 table E-1); 0 is unspecified, and zeros change nothing.
const ASPECTS: [(u16, u16); 17] = [
    (0, 0),
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];
