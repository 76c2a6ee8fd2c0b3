//! The sequence parameter set (ITU-T H.264 7.3.2.1.1 and E.1.1), as far as a packager needs it.

use super::Error;
use crate::codec::bits::{Bits, End, unescape};
use crate::codec::picture::{ASPECTS, Colour};

impl From<End> for Error {
    fn from(_: End) -> Self {
        Self::SpsTruncated
    }
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
    pub(super) id: u32,
    pub(super) slices: Slices,
}

/// What the headers of slices are read by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slices {
    /// `ChromaArrayType` is zero: there are no weights of chroma.
    pub(super) is_monochrome: bool,
    pub(super) separate_colour_planes: bool,
    pub(super) frame_num_bits: u32,
    pub(super) order: Order,
    pub(super) frames_only: bool,
}

/// How slices tell the order of their pictures (`pic_order_cnt_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Lsb { bits: u32 },
    Deltas { always_zero: bool },
    Decoding,
}

impl Sps {
    /// Reads a whole NAL unit, header included.
    pub(super) fn parse(nal: &[u8]) -> Result<Self, Error> {
        let rbsp = unescape(nal.get(1..).unwrap_or_default());
        let mut bits = Bits::new(&rbsp);
        let profile = bits.byte()?;
        bits.skip(16)?;
        let id = limited("seq_parameter_set_id", bits.unsigned()?, 31)?;
        let chroma = Chroma::read(&mut bits, profile)?;
        let frame_num_bits = limited("log2_max_frame_num_minus4", bits.unsigned()?, 12)?.saturating_add(4);
        let order = Order::read(&mut bits)?;
        bits.unsigned()?; // max_num_ref_frames
        bits.flag()?; // gaps_in_frame_num_value_allowed_flag
        let (width, height, frames_only) = read_size(&mut bits, &chroma)?;
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
            id,
            slices: Slices {
                is_monochrome: chroma.format == 0 || chroma.separate,
                separate_colour_planes: chroma.separate,
                frame_num_bits,
                order,
                frames_only,
            },
        })
    }
}

fn limited(field: &'static str, value: u32, most: u32) -> Result<u32, Error> {
    if value > most { Err(Error::SpsRange { field, value }) } else { Ok(value) }
}

struct Chroma {
    written: bool,
    format: u8,
    /// `separate_colour_plane_flag`
    separate: bool,
    luma_minus8: u8,
    chroma_minus8: u8,
}

impl Chroma {
    fn read(bits: &mut Bits<'_>, profile: u8) -> Result<Self, Error> {
        if !matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
            let (luma_minus8, chroma_minus8) = (0, 0);
            return Ok(Self { written: false, format: 1, separate: false, luma_minus8, chroma_minus8 });
        }
        let format = limited("chroma_format_idc", bits.unsigned()?, 3)? as u8;
        let separate = format == 3 && bits.flag()?;
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
        Ok(Self { written: true, format, separate, luma_minus8, chroma_minus8 })
    }
}

fn skip_scaling_list(bits: &mut Bits<'_>, size: u32) -> Result<(), Error> {
    let mut last = 8_i32;
    for _ in 0..size {
        let delta = bits.signed()?;
        if !(-128..=127).contains(&delta) {
            return Err(Error::SpsRange { field: "delta_scale", value: delta.unsigned_abs() });
        }
        // Zero means that the rest repeats the last value: nothing more is coded.
        last = last.saturating_add(delta) & 0xff;
        if last == 0 {
            break;
        }
    }
    Ok(())
}

impl Order {
    fn read(bits: &mut Bits<'_>) -> Result<Self, Error> {
        match limited("pic_order_cnt_type", bits.unsigned()?, 2)? {
            0 => {
                let bits = limited("log2_max_pic_order_cnt_lsb_minus4", bits.unsigned()?, 12)?;
                Ok(Self::Lsb { bits: bits.saturating_add(4) })
            }
            1 => {
                let always_zero = bits.flag()?;
                bits.signed()?;
                bits.signed()?;
                let cycle = limited("num_ref_frames_in_pic_order_cnt_cycle", bits.unsigned()?, 255)?;
                for _ in 0..cycle {
                    bits.signed()?;
                }
                Ok(Self::Deltas { always_zero })
            }
            _ => Ok(Self::Decoding),
        }
    }
}

/// Width and height after cropping (ITU-T H.264 7-18 to 7-22), and whether all pictures are frames.
#[expect(clippy::arithmetic_side_effects, reason = "every factor is limited to 4095 or widened first")]
fn read_size(bits: &mut Bits<'_>, chroma: &Chroma) -> Result<(u16, u16, bool), Error> {
    // 4095 macroblocks are 65,520 pixels: what the 16 bits of a sample entry can say.
    let across = limited("pic_width_in_mbs_minus1", bits.unsigned()?, 4094)? + 1;
    let down = limited("pic_height_in_map_units_minus1", bits.unsigned()?, 4094)? + 1;
    let frames_only = bits.flag()?;
    let fields = if frames_only { 1 } else { 2 };
    if !frames_only {
        bits.flag()?; // mb_adaptive_frame_field_flag
    }
    bits.flag()?; // direct_8x8_inference_flag
    let (width, height) = (across * 16, down * 16 * fields);
    if !bits.flag()? {
        return Ok((
            narrow("pic_width_in_mbs_minus1", width)?,
            narrow("pic_height_in_map_units_minus1", height)?,
            frames_only,
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
        frames_only,
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

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::*;

    /// What x264 wrote: size, sample aspect and frame rate.
    fn check(sps: &str, size: (u16, u16), aspect: Option<(u16, u16)>, rate: (u32, u32)) {
        let sps = Sps::parse(&hex(sps)).unwrap();
        assert_eq!(((sps.width, sps.height), sps.sample_aspect, sps.frame_rate), (size, aspect, Some(rate)));
    }

    #[test]
    fn what_x264_writes_is_understood() {
        let interlaced = "674d4028f403c0227ef016a020202800000300080000030190f8b175";
        check(interlaced, (1920, 1080), Some((1, 1)), (50, 2));
        let ten_bit_422 = "677a0020b6cb402882ef111f80880000030008000003032078c195";
        check(ten_bit_422, (1282, 722), Some((1, 1)), (100, 2));
        check("67f4000a919687278c88c04400000fa40002ee003c489a80", (101, 57), Some((1, 1)), (48_000, 2_002));
        check("6742c00cda05067e7ffc0010001440000003004000000783c50aa8", (320, 180), Some((4, 5)), (30, 2));
        check("6764000af2d0e4f1b1f80b64000003000400000300f03c489a80", (100, 50), Some((1, 1)), (60, 2));
    }

    #[test]
    fn colour_is_said_by_code_points_or_range_alone() {
        let colour = |sps| Sps::parse(&hex(sps)).unwrap().colour;
        let bt709 = Colour { primaries: 1, transfer: 1, matrix: 1, full_range: false };
        assert_eq!(colour("674d4028f403c0227ef016a020202800000300080000030190f8b175"), Some(bt709));
        let full = Colour { full_range: true, ..Colour::UNSPECIFIED };
        assert_eq!(colour("6764000af2d0e4f1b1f80b64000003000400000300f03c489a80"), Some(full));
        assert_eq!(colour("67f4000a919687278c88c04400000fa40002ee003c489a80"), None);
    }

    /// A whole NAL unit of Exp-Golomb numbers and of bits, written as `u5` and as `101`.
    fn nal(fields: &str) -> Vec<u8> {
        let bits = fields.split_whitespace().map(|field| match field.strip_prefix('u') {
            Some(number) => {
                let number = number.parse::<u32>().unwrap() + 1;
                format!("{}{number:b}", "0".repeat(number.ilog2() as usize))
            }
            None => field.to_owned(),
        });
        let bits = bits.collect::<String>();
        let byte = |it: &[u8]| it.iter().fold(0, |all, bit| all << 1 | (bit - b'0')) << (8 - it.len());
        [vec![0x67], bits.as_bytes().chunks(8).map(byte).collect()].concat()
    }

    const HIGH: &str = "01100100 00000000 00011111 u0";

    #[test]
    fn scaling_lists_are_passed_over_however_they_end() {
        // Two lists: one that ends at once (a delta of -8, coded 16), one of sixteen zeros; then 64x48 pixels.
        let lists = format!("1 u16 1 {} 000000", "u0 ".repeat(16));
        let sps = nal(&format!("{HIGH} u1 u0 u0 0 1 {lists} u0 u2 u1 0 u3 u2 1 1 0 0 1"));
        let sps = Sps::parse(&sps).unwrap();
        assert_eq!((sps.width, sps.height, sps.chroma_format), (64, 48, 1));
    }

    #[test]
    fn usability_information_may_end_early() {
        let sps = Sps::parse(&nal(&format!("{HIGH} u1 u0 u0 0 0 u0 u2 u1 0 u3 u2 1 1 0 1 1 00001110 0 1")))
            .unwrap();
        assert_eq!((sps.width, sps.sample_aspect, sps.frame_rate), (64, Some((4, 3)), None));
    }

    #[test]
    fn values_out_of_range_are_named() {
        let check = |fields: &str, field, value| {
            let sps = Sps::parse(&nal(&format!("{HIGH} {fields}")));
            assert_eq!(sps, Err(Error::SpsRange { field, value }));
        };
        check("u4", "chroma_format_idc", 4);
        check("u1 u7", "bit_depth_luma_minus8", 7);
        check("u1 u0 u0 0 0 u13", "log2_max_frame_num_minus4", 13);
        check("u1 u0 u0 0 0 u0 u3", "pic_order_cnt_type", 3);
        check("u1 u0 u0 0 0 u0 u1 0 u0 u0 u256", "num_ref_frames_in_pic_order_cnt_cycle", 256);
        check("u1 u0 u0 0 0 u0 u2 u1 0 u4095", "pic_width_in_mbs_minus1", 4_095);
        check("u1 u0 u0 0 0 u0 u2 u1 0 u3 u4094 0 0 1 0", "pic_height_in_map_units_minus1", 131_040);
        check("u1 u0 u0 0 0 u0 u2 u1 0 u3 u2 1 1 1 u16 u16 u0 u0", "frame_crop_right_offset", 32);
        assert_eq!(Sps::parse(&nal(HIGH)), Err(Error::SpsTruncated));
        assert_eq!(Sps::parse(&[]), Err(Error::SpsTruncated));
    }
}
