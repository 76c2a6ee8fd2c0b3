//! H.264: `AVCDecoderConfigurationRecord` (ISO 14496-15 5.3.3.1) and the NAL units of a picture.

mod nal;
pub(crate) mod slice;
mod sps;

use bytes::{BufMut, Bytes, BytesMut};

pub(crate) use super::bits::escape;
#[cfg(test)]
pub(crate) use super::bits::unescape as unescaped;
use super::picture;
pub use nal::{Picture, is_idr, normalise, units};
use sps::Sps;

/// What is wrong with a configuration record or a parameter set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The record ends inside a field; encoders send such ones before they know their parameter sets.
    #[error("the record of {0} bytes ends inside a field")]
    Truncated(usize),
    /// More than any encoder writes; the bound keeps init segments small.
    #[error("the record has {0} bytes, more than {MAX_RECORD}")]
    TooLong(usize),
    /// `configurationVersion` is not 1.
    #[error("the record's version is {0}, not 1")]
    Version(u8),
    /// NAL lengths of three bytes do not exist.
    #[error("NAL lengths of 3 bytes are not legal")]
    LengthSize,
    /// A parameter set of another NAL unit type than the place it stands in asks for.
    #[error("a NAL unit of type {found} stands at byte {at}, where a parameter set of type {wanted} belongs")]
    NotAParameterSet {
        /// Where in the record the NAL unit begins.
        at: usize,
        /// 7 for a sequence parameter set, 8 for a picture parameter set.
        wanted: u8,
        /// The type that stands there.
        found: u8,
    },
    /// No sequence parameter set, or no picture parameter set.
    #[error("the record has no parameter set of type {0}")]
    NoParameterSet(u8),
    /// The sequence parameter set ends inside a field.
    #[error("the sequence parameter set ends inside a field")]
    SpsTruncated,
    /// A field of the sequence parameter set is outside its legal range.
    #[error("the sequence parameter set says {field} = {value}")]
    SpsRange {
        /// The field's name in ITU-T H.264.
        field: &'static str,
        /// What it says.
        value: u32,
    },
}

/// Real records have under 200 bytes; with every parameter set of a scalable stream, some thousands.
const MAX_RECORD: usize = 64 * 1024;

const SPS: u8 = 7;
const PPS: u8 = 8;

/// A checked decoder configuration record and what its first SPS says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The record as `avcC` carries it; its NAL length size is 4, unless read by [`Config::as_stored`].
    pub record: Bytes,
    /// How its pictures look.
    pub picture: picture::Picture,
    /// Frames per second as a fraction, when the SPS gives a timing. A promise that encoders do not always keep.
    pub frame_rate: Option<(u32, u32)>,
}

impl Config {
    /// Checks a record and sets its NAL length size to 4, as [`normalise`] writes samples. Parameter sets behind
    /// start codes, which some encoders send instead of a record, become one.
    ///
    /// # Errors
    /// [`Error`] when a decoder could not be configured with it.
    pub fn parse(record: Bytes) -> Result<Self, Error> {
        if nal::starts_with_start_code(&record) {
            let of_kind = |kind| {
                nal::annex_b(&record)
                    .filter(|it| nal::kind(it) == Some(kind))
                    .map(Bytes::copy_from_slice)
                    .collect::<Vec<_>>()
            };
            return Self::from_parameter_sets(&of_kind(SPS), &of_kind(PPS));
        }
        let mut config = Self::as_stored(record)?;
        if length_size(&config.record) != Some(4) {
            let mut record = BytesMut::from(config.record.as_ref());
            if let Some(byte) = record.get_mut(4) {
                *byte |= 0b11;
            }
            config.record = record.freeze();
        }
        Ok(config)
    }

    /// Checks a record and leaves its NAL length size alone, for stored samples that are sent as they are.
    ///
    /// # Errors
    /// [`Error`] when a decoder could not be configured with it.
    pub fn as_stored(record: Bytes) -> Result<Self, Error> {
        if record.len() > MAX_RECORD {
            return Err(Error::TooLong(record.len()));
        }
        let truncated = Error::Truncated(record.len());
        match record.first() {
            Some(1) => {}
            Some(&version) => return Err(Error::Version(version)),
            None => return Err(truncated),
        }
        if length_size(&record).ok_or(truncated)? == 3 {
            return Err(Error::LengthSize);
        }
        let mut sets = ParameterSets { record: &record, at: 5 };
        let first_sps = sets.array(0x1f, SPS)?;
        sets.array(0xff, PPS)?;
        Ok(Self::from_sps(&Sps::parse(first_sps)?, record.clone()))
    }

    /// Builds a record from parameter sets found in the stream, NAL header included and without start codes.
    ///
    /// # Errors
    /// [`Error`] when there is no set of either kind, or the first SPS is broken.
    pub fn from_parameter_sets(sps: &[Bytes], pps: &[Bytes]) -> Result<Self, Error> {
        // The record counts them in five and in eight bits.
        let sps = sps.get(..sps.len().min(31)).unwrap_or_default();
        let pps = pps.get(..pps.len().min(255)).unwrap_or_default();
        let first = sps.first().ok_or(Error::NoParameterSet(SPS))?;
        if pps.is_empty() {
            return Err(Error::NoParameterSet(PPS));
        }
        let &[_, profile, compatibility, level, ..] = first.as_ref() else { return Err(Error::SpsTruncated) };
        let said = Sps::parse(first)?;

        let mut record = BytesMut::new();
        record.put_slice(&[1, profile, compatibility, level, 0xff, 0xe0 | sps.len() as u8]);
        put_sets(&mut record, sps)?;
        record.put_u8(pps.len() as u8);
        put_sets(&mut record, pps)?;
        if said.has_chroma_fields {
            // ISO 14496-15 5.3.3.1.2: chroma format and bit depths follow for the high profiles.
            record.put_slice(&[
                0xfc | said.chroma_format,
                0xf8 | said.bit_depth_luma_minus8,
                0xf8 | said.bit_depth_chroma_minus8,
                0,
            ]);
        }
        Self::as_stored(record.freeze())
    }

    fn from_sps(sps: &Sps, record: Bytes) -> Self {
        let mut picture =
            picture::Picture { colour: sps.colour, ..picture::Picture::new(sps.width, sps.height) };
        if let Some((across, down)) = sps.sample_aspect {
            picture.set_sample_aspect(across, down);
        }
        Self { record, picture, frame_rate: sps.frame_rate }
    }

    /// `avc1.PPCCLL`.
    pub fn codec_string(&self) -> String {
        let byte = |at: usize| self.record.get(at).copied().unwrap_or(0);
        format!("avc1.{:02x}{:02x}{:02x}", byte(1), byte(2), byte(3))
    }

    /// Whether the record carries exactly this parameter set. A set met in the stream that it does not carry means
    /// that the configuration changed.
    pub fn carries(&self, parameter_set: &[u8]) -> bool {
        self.parameter_sets().any(|it| it == parameter_set)
    }

    /// The parameter sets of the record, whole NAL units.
    pub(crate) fn parameter_sets(&self) -> impl Iterator<Item = &[u8]> {
        let mut sets = ParameterSets { record: &self.record, at: 5 };
        let mut masks = [0x1f, 0xff].into_iter();
        let mut left = 0;
        std::iter::from_fn(move || {
            while left == 0 {
                left = sets.count(masks.next()?).ok()?;
            }
            left = left.saturating_sub(1);
            sets.next().ok()
        })
    }
}

/// How many bytes the length before each NAL unit has, as a record says it: 1, 2 or 4.
pub fn length_size(record: &[u8]) -> Option<u8> {
    record.get(4).map(|it| (it & 0b11).saturating_add(1))
}

fn put_sets(record: &mut BytesMut, sets: &[Bytes]) -> Result<(), Error> {
    for set in sets {
        record.put_u16(u16::try_from(set.len()).map_err(|_| Error::TooLong(set.len()))?);
        record.put_slice(set);
    }
    Ok(())
}

/// Walks the two arrays of a record.
struct ParameterSets<'a> {
    record: &'a [u8],
    at: usize,
}

impl<'a> ParameterSets<'a> {
    /// Checks an array of sets of one NAL unit type and returns the first.
    fn array(&mut self, mask: u8, wanted: u8) -> Result<&'a [u8], Error> {
        let count = self.count(mask)?;
        let mut first = None;
        for _ in 0..count {
            let set = self.next()?;
            let at = self.at.saturating_sub(set.len());
            match nal::kind(set) {
                Some(found) if found == wanted => first = first.or(Some(set)),
                Some(found) => return Err(Error::NotAParameterSet { at, wanted, found }),
                None => return Err(Error::NoParameterSet(wanted)),
            }
        }
        first.ok_or(Error::NoParameterSet(wanted))
    }

    fn count(&mut self, mask: u8) -> Result<u8, Error> {
        Ok(self.take(1)?.first().map_or(0, |it| it & mask))
    }

    fn next(&mut self) -> Result<&'a [u8], Error> {
        let &[high, low] = self.take(2)? else { return Err(Error::Truncated(self.record.len())) };
        self.take(usize::from(u16::from_be_bytes([high, low])))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let end = self.at.saturating_add(length);
        let taken = self.record.get(self.at..end).ok_or(Error::Truncated(self.record.len()))?;
        self.at = end;
        Ok(taken)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// x264, 1280x720, High, level 3.1, 30 frames per second, BT.709.
    const SPS_720P: &str = "6764001facd9405005bb016a02020280000003008000001e478c18cb";
    const PPS_720P: &str = "68ebe3cb22c0";

    pub(crate) fn hex(text: &str) -> Bytes {
        let digits = text.bytes().filter(u8::is_ascii_hexdigit).collect::<Vec<_>>();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect::<Vec<_>>()
            .into()
    }

    fn config() -> Config {
        Config::from_parameter_sets(&[hex(SPS_720P)], &[hex(PPS_720P)]).unwrap()
    }

    #[test]
    fn a_record_built_from_parameter_sets_says_what_they_say() {
        let config = config();
        assert_eq!(config.picture.display(), (1280, 720));
        assert_eq!(config.frame_rate, Some((60, 2)));
        assert_eq!(config.codec_string(), "avc1.64001f");
        assert_eq!(Config::parse(config.record.clone()), Ok(config));
    }

    #[test]
    fn a_record_is_brought_to_four_byte_lengths_unless_its_samples_are_stored() {
        let mut short = BytesMut::from(config().record.as_ref());
        short[4] = 0xfd;
        let short = short.freeze();
        assert_eq!(length_size(&short), Some(2));
        assert_eq!(Config::parse(short.clone()), Ok(config()));
        assert_eq!(Config::as_stored(short.clone()).unwrap().record, short);
    }

    #[test]
    fn parameter_sets_behind_start_codes_are_as_good_as_a_record() {
        let annex_b = hex(&format!("00000001{SPS_720P}000001{PPS_720P}"));
        assert_eq!(Config::parse(annex_b), Ok(config()));
    }

    #[test]
    fn a_record_without_its_chroma_fields_is_accepted() {
        let record = config().record;
        let short = record.slice(..record.len() - 4);
        assert_eq!(Config::parse(short).map(|it| it.picture.width), Ok(1280));
    }

    #[test]
    fn a_record_knows_its_own_parameter_sets() {
        assert!(config().carries(&hex(SPS_720P)));
        assert!(config().carries(&hex(PPS_720P)));
        assert!(!config().carries(&hex("68ebe3cb22c1")));
    }

    #[test]
    fn a_broken_record_is_named_by_what_is_wrong() {
        let check = |record: &str, expected| assert_eq!(Config::parse(hex(record)), Err(expected));
        check("", Error::Truncated(0));
        check("0164001fff", Error::Truncated(5));
        check("0264001fffe1", Error::Version(2));
        check("0164001ffee1", Error::LengthSize);
        check("0164001fffe0", Error::NoParameterSet(7));
        check("0164001fffe1ffff67", Error::Truncated(9));
        check("0164001fffe1000168", Error::NotAParameterSet { at: 8, wanted: 7, found: 8 });
        check(&format!("0164001fffe1001c{SPS_720P}00"), Error::NoParameterSet(8));
        assert_eq!(Config::parse(vec![1; MAX_RECORD + 1].into()), Err(Error::TooLong(MAX_RECORD + 1)));
    }

    proptest! {
        #[test]
        fn a_record_of_any_bytes_is_parsed_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Config::parse(bytes.into());
        }
    }
}
