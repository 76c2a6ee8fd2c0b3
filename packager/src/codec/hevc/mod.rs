//! H.265: `HEVCDecoderConfigurationRecord` (ISO 14496-15 8.3.3.1).

mod references;
pub(crate) mod slice;
mod sps;

use std::fmt::Write as _;

use bytes::Bytes;

use super::picture::Picture;
use super::record::{Error, checked_length};
use sps::Sps;

/// Bytes before the arrays of parameter sets.
const HEAD: usize = 23;

/// Kinds of NAL units.
const VPS: u8 = 32;
const SPS: u8 = 33;
const PPS: u8 = 34;

/// More arrays than there are kinds of NAL units.
const MAX_ARRAYS: u8 = 64;

/// A checked decoder configuration record and what its first SPS says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The record as `hvcC` carries it.
    pub record: Bytes,
    /// How its pictures look.
    pub picture: Picture,
    /// What Dolby Vision adds to it, or makes of it.
    pub dolby_vision: Option<DolbyVision>,
}

/// `DOVIDecoderConfigurationRecord` (Dolby Vision streams within the ISO base media file format, 3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DolbyVision {
    /// The record as `dvcC` or `dvvC` carries it.
    pub record: Bytes,
    /// 5 cannot be shown without it; what 8 adds may be left out.
    pub profile: u8,
    level: u8,
    /// What the pictures are without it: 1 is HDR10, 2 is SDR, 4 is HLG.
    compatibility: u8,
}

impl DolbyVision {
    /// Reads a record.
    ///
    /// # Errors
    /// [`Error`] when it ends early.
    pub fn parse(record: Bytes) -> Result<Self, Error> {
        let &[_, _, high, low, compatibility, ..] = record.as_ref() else { return Err(Error::Truncated) };
        let level = (high & 1) << 5 | low >> 3;
        Ok(Self { profile: high >> 1, level, compatibility: compatibility >> 4, record })
    }

    /// Whether the pictures are of no use to who does not know it.
    pub const fn stands_alone(&self) -> bool {
        matches!(self.profile, 5 | 20)
    }

    /// `dvh1.PP.LL`.
    pub fn codec_string(&self) -> String {
        format!("dvh1.{:02}.{:02}", self.profile, self.level)
    }

    /// What `SUPPLEMENTAL-CODECS` says of pictures that others can show, too (RFC 8216bis 4.4.6.2); none where it has no word.
    pub fn supplemental_codec(&self) -> Option<String> {
        let brand = match self.compatibility {
            1 | 6 => "db1p",
            2 => "db2g",
            4 => "db4h",
            _ => return None,
        };
        (!self.stands_alone()).then(|| format!("{}/{brand}", self.codec_string()))
    }
}

impl Config {
    /// Checks a record. Its NAL length size is left alone: stored samples are sent as they are.
    ///
    /// # Errors
    /// [`Error`] when a decoder could not be configured with it.
    pub fn parse(record: Bytes) -> Result<Self, Error> {
        checked_length(&record)?;
        let head = record.first_chunk::<HEAD>().ok_or(Error::Truncated)?;
        if head[0] != 1 {
            return Err(Error::Value { field: "configurationVersion", value: head[0].into() });
        }
        if head[21] & 0b11 == 2 {
            return Err(Error::Value { field: "lengthSizeMinusOne", value: 2 });
        }
        let sets = parameter_sets(&record, head[22])?;
        let first = |kind| {
            let mut of_kind = sets.iter().filter(move |it| it.0 == kind);
            of_kind.next().map(|it| it.1).ok_or(Error::NoParameterSet(kind))
        };
        first(VPS)?;
        first(PPS)?;
        let sps = Sps::parse(first(SPS)?)?;
        let mut picture = Picture { colour: sps.colour, ..Picture::new(sps.width, sps.height) };
        if let Some((across, down)) = sps.sample_aspect {
            picture.set_sample_aspect(across, down);
        }
        Ok(Self { record, picture, dolby_vision: None })
    }

    /// The type of its sample entry: parameter sets stand in the record alone.
    pub fn entry(&self) -> [u8; 4] {
        let alone = self.dolby_vision.as_ref().is_some_and(DolbyVision::stands_alone);
        if alone { *b"dvh1" } else { *b"hvc1" }
    }

    /// `hvc1.…` (ISO 14496-15 E.3): profile, compatibility, tier and level, constraints; that of Dolby Vision where the
    /// pictures are of no use without it.
    pub fn codec_string(&self) -> String {
        if let Some(dolby) = self.dolby_vision.as_ref().filter(|it| it.stands_alone()) {
            return dolby.codec_string();
        }
        let Some([_, profile, compatibility @ .., level]) = self.record.first_chunk::<13>() else {
            return "hvc1".into();
        };
        let [a, b, c, d, constraints @ ..] = compatibility;
        let space = ["", "A", "B", "C"].get(usize::from(profile >> 6)).copied().unwrap_or_default();
        let tier = if profile & 0x20 == 0 { 'L' } else { 'H' };
        let compatibility = u32::from_be_bytes([*a, *b, *c, *d]).reverse_bits();
        let mut text = format!("hvc1.{space}{}.{compatibility:X}.{tier}{level}", profile & 0x1f);
        let used = constraints.iter().rposition(|it| *it != 0).map_or(0, |it| it.saturating_add(1));
        for byte in constraints.iter().take(used) {
            write!(text, ".{byte:X}").expect("a String takes all that is written to it");
        }
        text
    }
}

/// How many bytes the length before each NAL unit has, as a record says it: 1, 2 or 4.
pub fn length_size(record: &[u8]) -> Option<u8> {
    record.get(21).map(|it| (it & 0b11).saturating_add(1))
}

/// All parameter sets of a record, with their kinds; `count` arrays begin behind its head.
fn parameter_sets(record: &[u8], count: u8) -> Result<Vec<(u8, &[u8])>, Error> {
    if count > MAX_ARRAYS {
        return Err(Error::Value { field: "numOfArrays", value: count.into() });
    }
    let mut sets = Vec::new();
    let mut rest = record.get(HEAD..).unwrap_or_default();
    for _ in 0..count {
        let (&[kind, high, low], mut units) = rest.split_first_chunk::<3>().ok_or(Error::Truncated)?;
        for _ in 0..u16::from_be_bytes([high, low]) {
            let (length, behind) = units.split_first_chunk::<2>().ok_or(Error::Truncated)?;
            let length = usize::from(u16::from_be_bytes(*length));
            sets.push((kind & 0x3f, behind.get(..length).ok_or(Error::Truncated)?));
            units = behind.get(length..).unwrap_or_default();
        }
        rest = units;
    }
    Ok(sets)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::avc::tests::hex;
    use super::*;

    /// x265, 64x36, Main, 25 frames a second.
    const X265: &str = "0101600000009000000000001ef000fcfdf8f800000f03a00001001840010c01ffff0160000003009000000300000300 \
        1e959809a10001002942010101600000030090000003000003001ea020829f796566b932bc05a0200000030020000003 \
        0321a2000100064401c173d089";

    #[test]
    fn what_x265_writes_is_understood() {
        let config = Config::parse(hex(X265)).unwrap();
        assert_eq!((config.picture.width, config.picture.height), (64, 36));
        assert_eq!(config.codec_string(), "hvc1.1.6.L30.90");
    }

    #[test]
    fn the_codec_string_tells_tier_space_and_constraints() {
        let mut config = Config::parse(hex(X265)).unwrap();
        let mut check = |head: &str, expected: &str| {
            config.record = hex(head);
            assert_eq!(config.codec_string(), expected);
        };
        // The examples of ISO 14496-15 E.3 and of a 10 bit stream.
        check("01 01 60000000 b00000000000 5d", "hvc1.1.6.L93.B0");
        check("01 84 00000008 000000000000 5d", "hvc1.B4.10000000.L93");
        check("01 22 20000000 900000000000 99", "hvc1.2.4.H153.90");
        check("01 04 08000000 9d0800000000 7b", "hvc1.4.10.L123.9D.8");
    }

    #[test]
    fn dolby_vision_is_told_beside_or_instead() {
        let five = DolbyVision::parse(hex("01000a2d00")).unwrap();
        assert_eq!((five.codec_string().as_str(), five.supplemental_codec()), ("dvh1.05.05", None));
        let eight = DolbyVision::parse(hex("0100103510")).unwrap();
        assert_eq!(eight.supplemental_codec().as_deref(), Some("dvh1.08.06/db1p"));
        let mut config = Config::parse(hex(X265)).unwrap();
        config.dolby_vision = Some(eight);
        assert_eq!((&config.entry(), config.codec_string().as_str()), (b"hvc1", "hvc1.1.6.L30.90"));
        config.dolby_vision = Some(five);
        assert_eq!((&config.entry(), config.codec_string().as_str()), (b"dvh1", "dvh1.05.05"));
        assert_eq!(DolbyVision::parse(hex("0100")), Err(Error::Truncated));
    }

    #[test]
    fn a_broken_record_is_named_by_what_is_wrong() {
        let good = hex(X265);
        let with = |at: usize, byte| {
            let mut record = good.to_vec();
            record[at] = byte;
            Config::parse(record.into())
        };
        assert_eq!(Config::parse(good.slice(..22)), Err(Error::Truncated));
        assert_eq!(Config::parse(good.slice(..40)), Err(Error::Truncated));
        assert_eq!(with(0, 2), Err(Error::Value { field: "configurationVersion", value: 2 }));
        assert_eq!(with(21, 0xfe), Err(Error::Value { field: "lengthSizeMinusOne", value: 2 }));
        assert_eq!(with(22, 0), Err(Error::NoParameterSet(32)));
        assert_eq!(with(22, 255), Err(Error::Value { field: "numOfArrays", value: 255 }));
    }

    proptest! {
        #[test]
        fn a_record_of_any_bytes_is_parsed_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Config::parse(bytes.into());
        }

        #[test]
        fn a_damaged_record_is_parsed_or_refused(at in 0_usize..200, byte: u8) {
            let mut record = hex(X265).to_vec();
            if let Some(place) = record.get_mut(at) {
                *place = byte;
            }
            let _ = Config::parse(record.into());
        }
    }
}
