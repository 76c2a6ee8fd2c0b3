//! VP9: `VPCodecConfigurationRecord` (VP Codec ISO Media File Format Binding 1.0).

use bytes::Bytes;

use super::picture::{Colour, Picture};
use super::record::{Error, checked_length, limited};

/// Levels and the most samples of a picture that each allows (VP9 levels, "max luma picture size").
const LEVELS: [(u8, u32); 9] = [
    (10, 36_864),
    (11, 73_728),
    (20, 122_880),
    (21, 245_760),
    (30, 552_960),
    (31, 983_040),
    (40, 2_228_224),
    (50, 8_912_896),
    (60, 35_651_584),
];

/// A checked configuration record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The body of `vpcC`, behind version and flags.
    pub record: Bytes,
    /// How its pictures look; their size is the sample entry's.
    pub picture: Picture,
    profile: u8,
    level: u8,
    depth: u8,
    chroma: u8,
}

impl Config {
    /// Checks a record.
    ///
    /// # Errors
    /// [`Error`] when a decoder could not be configured with it.
    pub fn parse(record: Bytes, width: u16, height: u16) -> Result<Self, Error> {
        checked_length(&record)?;
        let &[profile, level, depth, primaries, transfer, matrix, ..] = record.as_ref() else {
            return Err(Error::Truncated);
        };
        limited("profile", profile.into(), 3)?;
        let colour = Colour { primaries, transfer, matrix, full_range: depth & 1 != 0 };
        let picture = Picture { colour: Some(colour), ..Picture::new(width, height) };
        let samples = u32::from(width).saturating_mul(height.into());
        // Writers that do not know the level say 0.
        let smallest = LEVELS.iter().find(|it| samples <= it.1).or(LEVELS.last()).map_or(level, |it| it.0);
        let level = if level == 0 { smallest } else { level };
        Ok(Self { record, picture, profile, level, depth: depth >> 4, chroma: depth >> 1 & 7 })
    }

    /// `vp09.PP.LL.DD.CC.cp.tc.mc.FF`.
    pub fn codec_string(&self) -> String {
        let Colour { primaries, transfer, matrix, full_range } =
            self.picture.colour.unwrap_or(Colour::UNSPECIFIED);
        let Self { profile, level, depth, chroma, .. } = self;
        format!(
            "vp09.{profile:02}.{level:02}.{depth:02}.{chroma:02}.{primaries:02}.{transfer:02}.{matrix:02}.{:02}",
            u8::from(full_range)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::avc::tests::hex;
    use super::super::picture::Range;
    use super::*;

    #[test]
    fn what_libvpx_writes_is_understood() {
        let check = |record: &str, size: (u16, u16), codec: &str, range: Range| {
            let config = Config::parse(hex(record), size.0, size.1).unwrap();
            assert_eq!((config.codec_string().as_str(), config.picture.range()), (codec, range));
        };
        check("000a820202020000", (64, 36), "vp09.00.10.08.01.02.02.02.00", Range::Standard);
        check("020aa20910090000", (128, 72), "vp09.02.10.10.01.09.16.09.00", Range::Pq);
        check("0000820202020000", (1920, 1080), "vp09.00.40.08.01.02.02.02.00", Range::Standard);
    }

    #[test]
    fn a_broken_record_is_named_by_what_is_wrong() {
        assert_eq!(Config::parse(hex("000a8202"), 1, 1), Err(Error::Truncated));
        let profile = Config::parse(hex("040a820202020000"), 1, 1);
        assert_eq!(profile, Err(Error::Value { field: "profile", value: 4 }));
    }
}
