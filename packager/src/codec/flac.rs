//! FLAC: `dfLa` (Encapsulation of FLAC in ISO Base Media File Format 3.3.2).

use bytes::Bytes;

use super::bits::Bits;
use super::record::{Error, checked_length};
use super::sound::Sound;

/// A checked configuration record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The metadata blocks, as `dfLa` carries them behind version and flags.
    pub record: Bytes,
    /// How it is heard.
    pub sound: Sound,
}

impl Config {
    /// Checks a record.
    ///
    /// # Errors
    /// [`Error`] when a decoder could not be configured with it.
    pub fn parse(record: Bytes) -> Result<Self, Error> {
        checked_length(&record)?;
        let mut bits = Bits::new(&record);
        let kind = bits.byte()? & 0x7f;
        if kind != 0 {
            return Err(Error::Value { field: "the first block's type", value: kind.into() });
        }
        // Its length, two sizes of blocks, two of frames (RFC 9639 8.2).
        bits.skip(24 + 2 * 16 + 2 * 24)?;
        let rate = bits.read(20)?;
        if rate == 0 {
            return Err(Error::Value { field: "sample rate", value: 0 });
        }
        // Three bits cannot exceed eight channels.
        let channels = (bits.read(3)? as u8).saturating_add(1);
        bits.skip(5 + 36 + 128)?; // bits per sample, samples, MD5
        Ok(Self { sound: Sound::new(rate, channels), record })
    }

    /// `fLaC`.
    pub fn codec_string(&self) -> String {
        "fLaC".into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::avc::tests::hex;
    use super::*;

    const STREAMINFO: &str =
        "80000022 12001200 00046d 000508 0ac442f0 000033ae 36567c6137e8d578c431ed191fd85ff5";

    #[test]
    fn what_ffmpeg_writes_is_understood() {
        let config = Config::parse(hex(STREAMINFO)).unwrap();
        assert_eq!((config.sound.sample_rate, config.sound.channels, config.sound.layout), (44_100, 2, 2));
    }

    #[test]
    fn a_broken_record_is_named_by_what_is_wrong() {
        let record = hex(STREAMINFO);
        assert_eq!(Config::parse(record.slice(..37)), Err(Error::Truncated));
        let kind = Config::parse(hex("84000022"));
        assert_eq!(kind, Err(Error::Value { field: "the first block's type", value: 4 }));
    }
}
