//! Opus: `dOps` (Encapsulation of Opus in ISO Base Media File Format 4.3.2).

use bytes::Bytes;

use super::record::{Error, checked_length};
use super::sound::Sound;

/// What every decoder gives, whatever was encoded (RFC 6716).
const RATE: u32 = 48_000;

/// A checked configuration record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The record as `dOps` carries it.
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
        let &[version, channels, _, _, _, _, _, _, _, _, family, ref mapping @ ..] = record.as_ref() else {
            return Err(Error::Truncated);
        };
        if version != 0 {
            return Err(Error::Value { field: "Version", value: version.into() });
        }
        if channels == 0 || (family == 0 && channels > 2) {
            return Err(Error::Value { field: "OutputChannelCount", value: channels.into() });
        }
        if family != 0 && mapping.len() < usize::from(channels).saturating_add(2) {
            return Err(Error::Truncated);
        }
        Ok(Self { sound: Sound::new(RATE, channels), record })
    }

    /// `opus`.
    pub fn codec_string(&self) -> String {
        "opus".into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::avc::tests::hex;
    use super::*;

    #[test]
    fn what_libopus_writes_is_understood() {
        let channels = |record| Config::parse(hex(record)).map(|it| it.sound.channels);
        assert_eq!(channels("000201380000bb80000000"), Ok(2));
        assert_eq!(channels("000601380000bb800000010402000401020305"), Ok(6));
        assert_eq!(channels("000601380000bb8000000104020004010203"), Err(Error::Truncated));
        assert_eq!(channels("010201380000bb80000000"), Err(Error::Value { field: "Version", value: 1 }));
        let none = Error::Value { field: "OutputChannelCount", value: 3 };
        assert_eq!(channels("000301380000bb80000000"), Err(none));
        assert_eq!(channels("0002"), Err(Error::Truncated));
    }
}
