//! AV1: `AV1CodecConfigurationRecord` (AV1 in ISOBMFF 2.3) and the sequence header in it.

use bytes::Bytes;

use super::bits::Bits;
use super::picture::{Colour, Picture};
use super::record::{Error, checked_length, limited};

/// Marker and version 1.
const MARKER: u8 = 0x81;

const OBU_SEQUENCE_HEADER: u8 = 1;

/// A checked configuration record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The record as `av1C` carries it.
    pub record: Bytes,
    /// How its pictures look; their size is the sample entry's.
    pub picture: Picture,
}

impl Config {
    /// Checks a record.
    ///
    /// # Errors
    /// [`Error`] when a decoder could not be configured with it.
    pub fn parse(record: Bytes, width: u16, height: u16) -> Result<Self, Error> {
        checked_length(&record)?;
        let (&[marker, profile, ..], obus) = record.split_first_chunk::<4>().ok_or(Error::Truncated)?;
        if marker != MARKER {
            return Err(Error::Value { field: "marker and version", value: marker.into() });
        }
        limited("seq_profile", u32::from(profile >> 5), 2)?;
        // It may be left out of the record: every key frame brings it.
        let colour = if obus.is_empty() { None } else { sequence_header(obus)? };
        Ok(Self { picture: Picture { colour, ..Picture::new(width, height) }, record })
    }

    /// `av01.P.LLT.DD`, and the rest where it is not the usual (AV1 in ISOBMFF 5).
    pub fn codec_string(&self) -> String {
        let Some(&[_, profile, flags, _]) = self.record.first_chunk::<4>() else { return "av01".into() };
        let tier = if flags & 0x80 == 0 { 'M' } else { 'H' };
        let depth = match flags & 0x60 {
            0 => 8,
            0x40 => 10,
            _ => 12,
        };
        let short = format!("av01.{}.{:02}{tier}.{depth:02}", profile >> 5, profile & 0x1f);
        let monochrome = flags >> 4 & 1;
        let (across, down, position) = (flags >> 3 & 1, flags >> 2 & 1, flags & 3);
        // Where chroma samples stand is told of 4:2:0 alone.
        let position = if across & down == 1 { position } else { 0 };
        let colour = self.picture.colour.unwrap_or(Colour::UNSPECIFIED);
        let is_told = self.picture.colour.is_some_and(|it| it != Colour::UNSPECIFIED);
        if (monochrome, across, down, position) == (0, 1, 1, 0) && !is_told {
            return short;
        }
        let Colour { primaries, transfer, matrix, full_range } = colour;
        format!(
            "{short}.{monochrome}.{across}{down}{position}.{primaries:02}.{transfer:02}.{matrix:02}.{}",
            u8::from(full_range)
        )
    }
}

/// What the sequence header among `obus` says of colour (AV1 5.5).
fn sequence_header(mut obus: &[u8]) -> Result<Option<Colour>, Error> {
    while let Some((&header, rest)) = obus.split_first() {
        let has_extension = header & 0b100 != 0;
        let rest = rest.get(usize::from(has_extension)..).ok_or(Error::Truncated)?;
        let (length, rest) = if header & 0b10 == 0 { (rest.len(), rest) } else { leb128(rest)? };
        let payload = rest.get(..length).ok_or(Error::Truncated)?;
        if header >> 3 & 0xf == OBU_SEQUENCE_HEADER {
            return read_sequence_header(&mut Bits::new(payload)).map(Some);
        }
        obus = rest.get(length..).unwrap_or_default();
    }
    Ok(None)
}

/// A length of seven bits a byte, the lowest first (AV1 4.10.5).
fn leb128(bytes: &[u8]) -> Result<(usize, &[u8]), Error> {
    let mut value = 0_u64;
    for at in 0..8_u32 {
        let byte = *bytes.get(at as usize).ok_or(Error::Truncated)?;
        value |= u64::from(byte & 0x7f) << at.saturating_mul(7);
        if byte & 0x80 == 0 {
            let rest = bytes.get(at.saturating_add(1) as usize..).unwrap_or_default();
            return usize::try_from(value).map(|it| (it, rest)).map_err(|_| Error::Truncated);
        }
    }
    Err(Error::Truncated)
}

fn read_sequence_header(bits: &mut Bits<'_>) -> Result<Colour, Error> {
    let profile = bits.read(3)?;
    bits.flag()?; // still_picture
    if bits.flag()? {
        bits.skip(5)?; // seq_level_idx of a reduced still picture
        skip_size(bits)?;
    } else {
        skip_operating_points(bits)?;
        skip_size(bits)?;
        skip_tools(bits)?;
    }
    bits.skip(3)?; // enable_superres, enable_cdef, enable_restoration
    read_colour(bits, profile)
}

fn skip_operating_points(bits: &mut Bits<'_>) -> Result<(), Error> {
    let mut delay_bits = None;
    if bits.flag()? {
        bits.skip(64)?; // two tick lengths
        if bits.flag()? {
            bits.unsigned()?; // num_ticks_per_picture_minus_1, coded as ue(v) is
        }
        if bits.flag()? {
            delay_bits = Some(bits.read(5)?.saturating_add(1) as usize);
            bits.skip(32 + 10)?; // num_units_in_decoding_tick, two lengths of times
        }
    }
    let initial_delays = bits.flag()?;
    for _ in 0..=bits.read(5)? {
        bits.skip(12)?; // operating_point_idc
        if bits.read(5)? > 7 {
            bits.flag()?; // seq_tier
        }
        if let Some(delay) = delay_bits
            && bits.flag()?
        {
            bits.skip(delay.saturating_mul(2).saturating_add(1))?;
        }
        if initial_delays && bits.flag()? {
            bits.skip(4)?;
        }
    }
    Ok(())
}

fn skip_size(bits: &mut Bits<'_>) -> Result<(), Error> {
    let (width, height) = (bits.read(4)?, bits.read(4)?);
    bits.skip(width.saturating_add(height).saturating_add(2) as usize)?;
    Ok(())
}

/// Between the size and the filters, of what is no reduced still picture.
fn skip_tools(bits: &mut Bits<'_>) -> Result<(), Error> {
    const CHOOSE: u32 = 2;
    if bits.flag()? {
        bits.skip(4 + 3)?; // lengths of frame ids
    }
    bits.skip(3)?; // use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter
    bits.skip(4)?; // interintra, masked, warped motion, dual filter
    let has_order = bits.flag()?;
    if has_order {
        bits.skip(2)?; // enable_jnt_comp, enable_ref_frame_mvs
    }
    let screen_content = if bits.flag()? { CHOOSE } else { bits.read(1)? };
    if screen_content > 0 && !bits.flag()? {
        bits.flag()?; // seq_force_integer_mv
    }
    if has_order {
        bits.skip(3)?; // order_hint_bits_minus_1
    }
    Ok(())
}

/// AV1 5.5.2
fn read_colour(bits: &mut Bits<'_>, profile: u32) -> Result<Colour, Error> {
    let high_depth = bits.flag()?;
    if profile == 2 && high_depth {
        bits.flag()?; // twelve_bit
    }
    let monochrome = profile != 1 && bits.flag()?;
    let mut colour = Colour::UNSPECIFIED;
    if bits.flag()? {
        (colour.primaries, colour.transfer, colour.matrix) = (bits.byte()?, bits.byte()?, bits.byte()?);
    }
    // sRGB is always of full range and says nothing of it.
    let is_srgb = !monochrome && (colour.primaries, colour.transfer, colour.matrix) == (1, 13, 0);
    colour.full_range = is_srgb || bits.flag()?;
    Ok(colour)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::avc::tests::hex;
    use super::*;

    fn check(record: &str, codec: &str, colour: (u8, u8, u8, bool)) {
        let config = Config::parse(hex(record), 64, 36).unwrap();
        let found = config.picture.colour.map(|it| (it.primaries, it.transfer, it.matrix, it.full_range));
        assert_eq!((config.codec_string().as_str(), found), (codec, Some(colour)), "{record}");
    }

    #[test]
    fn what_encoders_write_is_understood() {
        // libaom, 4:2:0 and 4:4:4; SVT-AV1, ten bits and HLG.
        check("81000c000a0a00000002aff19b5f2008", "av01.0.00M.08", (2, 2, 2, false));
        check("812000000a0a20000002aff19b5f2040", "av01.1.00M.08.0.000.02.02.02.0", (2, 2, 2, false));
        check("81004c000a0d0000000337f8e017c284890482", "av01.0.00M.10.0.110.09.18.09.0", (9, 18, 9, false));
    }

    #[test]
    fn the_sequence_header_may_come_with_the_pictures() {
        let config = Config::parse(hex("81454c00"), 64, 36).unwrap();
        assert_eq!((config.codec_string().as_str(), config.picture.colour), ("av01.2.05M.10", None));
    }

    #[test]
    fn a_broken_record_is_named_by_what_is_wrong() {
        let check =
            |record, expected| assert_eq!(Config::parse(hex(record), 1, 1), Err(expected), "{record}");
        check("8100", Error::Truncated);
        check("01000c00", Error::Value { field: "marker and version", value: 1 });
        check("81600c00", Error::Value { field: "seq_profile", value: 3 });
        check("81000c000a0a0000", Error::Truncated);
        check("81000c000affffffffffffffffff", Error::Truncated);
    }

    proptest! {
        #[test]
        fn a_record_of_any_bytes_is_parsed_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Config::parse([&[0x81, 0, 0, 0, 0x0a, 56][..], &bytes].concat().into(), 1, 1);
        }
    }
}
