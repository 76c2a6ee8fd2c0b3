//! AC-3 and E-AC-3: `dac3` and `dec3` (ETSI TS 102 366 F.4, F.6).

use bytes::Bytes;

use super::bits::Bits;
use super::record::{Error, checked_length};
use super::sound::Sound;

/// Samples per second by `fscod`; those of 3 stand elsewhere in the stream.
const RATES: [u32; 3] = [48_000, 44_100, 32_000];

/// Channels by `acmod`, and the numbers of their arrangements with and without low-frequency effects.
const MODES: [(u8, u8, u8); 8] =
    [(2, 2, 0), (1, 1, 0), (2, 2, 0), (3, 3, 0), (3, 9, 0), (4, 4, 0), (4, 10, 0), (5, 5, 6)];

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Dolby Digital.
    Ac3,
    /// Dolby Digital Plus.
    Eac3,
}

/// A checked configuration record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Which of the two.
    pub kind: Kind,
    /// The record as `dac3` or `dec3` carries it.
    pub record: Bytes,
    /// How it is heard.
    pub sound: Sound,
}

impl Config {
    /// Checks a record.
    ///
    /// # Errors
    /// [`Error`] when a decoder could not be configured with it.
    pub fn parse(kind: Kind, record: Bytes) -> Result<Self, Error> {
        checked_length(&record)?;
        let mut bits = Bits::new(&record);
        let sound = match kind {
            Kind::Ac3 => ac3(&mut bits)?,
            Kind::Eac3 => eac3(&mut bits)?,
        };
        Ok(Self { kind, record, sound })
    }

    /// The type of its sample entry.
    pub const fn entry(&self) -> [u8; 4] {
        match self.kind {
            Kind::Ac3 => *b"ac-3",
            Kind::Eac3 => *b"ec-3",
        }
    }

    /// `ac-3` or `ec-3`.
    pub fn codec_string(&self) -> String {
        self.entry().escape_ascii().to_string()
    }
}

fn ac3(bits: &mut Bits<'_>) -> Result<Sound, Error> {
    let rate = rate(bits)?;
    bits.skip(5 + 3)?; // bsid, bsmod
    Ok(bed(rate, bits.read(3)?, bits.flag()?, 0))
}

/// The first independent substream, with what depends on it.
fn eac3(bits: &mut Bits<'_>) -> Result<Sound, Error> {
    bits.skip(13)?; // data_rate
    let more = bits.read(3)?;
    let mut sound = None;
    for _ in 0..=more {
        let rate = rate(bits)?;
        bits.skip(5 + 1 + 1 + 3)?; // bsid, reserved, asvc, bsmod
        let (mode, effects) = (bits.read(3)?, bits.flag()?);
        bits.skip(3)?;
        let dependent = bits.read(4)?;
        let places = if dependent > 0 {
            bits.read(9)?
        } else {
            bits.skip(1)?;
            0
        };
        sound = sound.or(Some(bed(rate, mode, effects, places)));
    }
    let mut sound = sound.ok_or(Error::Truncated)?;
    // Older writers end here.
    if bits.left() >= 16 {
        bits.skip(7)?;
        if bits.flag()? {
            sound.objects = Some(bits.byte()?);
        }
    }
    Ok(sound)
}

fn rate(bits: &mut Bits<'_>) -> Result<u32, Error> {
    let code = bits.read(2)?;
    RATES.get(code as usize).copied().ok_or(Error::Value { field: "fscod", value: code })
}

/// `places` are those of the dependent substreams (`chan_loc`): most are pairs.
fn bed(rate: u32, mode: u32, effects: bool, places: u32) -> Sound {
    /// Centre surround, top surround, vertical height centre, second low-frequency effects.
    const SINGLES: u32 = 0b1_1000_1100;
    let (channels, plain, with_effects) = MODES.get(mode as usize).copied().unwrap_or_default();
    let more = places.count_ones().saturating_mul(2).saturating_sub((places & SINGLES).count_ones());
    let channels = channels.saturating_add(u8::from(effects)).saturating_add(more as u8);
    match (places, effects) {
        (0, false) => Sound { layout: plain, ..Sound::new(rate, channels) },
        (0, true) => Sound { layout: with_effects, ..Sound::new(rate, channels) },
        _ => Sound::new(rate, channels),
    }
}

#[cfg(test)]
mod tests {
    use super::super::avc::tests::hex;
    use super::*;

    fn check(kind: Kind, record: &str, expected: (u32, u8, u8, Option<u8>)) {
        let sound = Config::parse(kind, hex(record)).unwrap().sound;
        assert_eq!((sound.sample_rate, sound.channels, sound.layout, sound.objects), expected, "{record}");
    }

    #[test]
    fn what_encoders_write_is_understood() {
        check(Kind::Ac3, "103de0", (48_000, 6, 6, None));
        check(Kind::Ac3, "5010c0", (44_100, 2, 2, None));
        check(Kind::Eac3, "0e00200f00", (48_000, 6, 6, None));
        // 7.1 by a dependent substream with the left and right rear surrounds; Atmos with 16 objects.
        check(Kind::Eac3, "180020 0f 02 02", (48_000, 8, 12, None));
        check(Kind::Eac3, "180020 0f 00 01 10", (48_000, 6, 6, Some(16)));
    }

    #[test]
    fn a_broken_record_is_named_by_what_is_wrong() {
        assert_eq!(Config::parse(Kind::Ac3, hex("10")), Err(Error::Truncated));
        assert_eq!(Config::parse(Kind::Eac3, hex("0e0020")), Err(Error::Truncated));
        let rate = Config::parse(Kind::Ac3, hex("d03de0"));
        assert_eq!(rate, Err(Error::Value { field: "fscod", value: 3 }));
    }
}
