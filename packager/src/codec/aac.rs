//! AAC: `AudioSpecificConfig` (ISO 14496-3 1.6.2.1).

use bytes::Bytes;

use super::bits::{Bits, End};
use super::sound::{Sound, usual_layout};

/// What is wrong with an AudioSpecificConfig.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It ends inside a field.
    #[error("the AudioSpecificConfig ends inside a field")]
    Truncated,
    /// More than a program config element with its comment can make it.
    #[error("the AudioSpecificConfig has {0} bytes, more than {MAX_ASC}")]
    TooLong(usize),
    /// An audio object type that is no AAC.
    #[error("audio object type {0} is not AAC")]
    ObjectType(u8),
    /// A reserved frequency index, or a rate that no AAC encoder has.
    #[error("a sampling rate of {0} Hz (or a reserved index) is not AAC's")]
    SampleRate(u32),
    /// A reserved channel configuration, or one with no channel or more than eight.
    #[error("channel configuration {configuration} with {channels} channels")]
    Channels {
        /// As the config numbers it; 0 is a program config element.
        configuration: u8,
        /// How many that means.
        channels: u32,
    },
}

impl From<End> for Error {
    fn from(_: End) -> Self {
        Self::Truncated
    }
}

/// A program config element with the longest comment has under 400 bytes.
const MAX_ASC: usize = 1_024;

const SBR: u8 = 5;
const PS: u8 = 29;
const USAC: u8 = 42;

/// Two channels, and the number of their arrangement.
const STEREO: u8 = 2;

/// A checked AudioSpecificConfig and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The AudioSpecificConfig, as `esds` carries it.
    pub asc: Bytes,
    /// The audio object type that the codec string names: 2 LC, 5 HE, 29 HEv2, 42 xHE.
    pub object_type: u8,
    /// Samples per second of the core; what the timescale of a live track is.
    pub sample_rate: u32,
    /// Channels of the core, 1 to 8.
    pub channels: u8,
    /// How they are arranged: a ChannelConfiguration of ISO 23001-8, which AAC numbers alike. What is listed instead of
    /// numbered counts as the usual arrangement of as many.
    pub layout: u8,
    /// Core samples per frame: 1024 or 960; of low-delay types 512 or 480, of xHE-AAC 768, 1024, 2048 or 4096.
    pub frame_length: u16,
}

impl Config {
    /// Reads all legal forms: escaped object types and rates, SBR and PS signalled explicitly, hierarchically or by
    /// the backward-compatible extension. (SBR that is not signalled at all cannot be known before decoding.)
    ///
    /// # Errors
    /// [`Error`] when it is no AAC, or not whole.
    pub fn parse(asc: Bytes) -> Result<Self, Error> {
        if asc.len() > MAX_ASC {
            return Err(Error::TooLong(asc.len()));
        }
        let mut bits = Bits::new(&asc);
        let named = object_type(&mut bits)?;
        let sample_rate = sample_rate(&mut bits, 4)?;
        let configuration = bits.byte_of(4)?;
        let mut core = named;
        if matches!(named, SBR | PS) {
            self::sample_rate(&mut bits, 4)?; // what comes out of the SBR tool
            core = object_type(&mut bits)?;
        }
        let coder = match core {
            1..=4 | 6 | 7 | 17 | 19..=23 => Coder::general(&mut bits, core, configuration)?,
            39 => Coder {
                frame_length: if bits.flag()? { 480 } else { 512 },
                rate: None,
                configuration: None,
                element_channels: None,
            },
            USAC => Coder::usac(&mut bits)?,
            _ => return Err(Error::ObjectType(core)),
        };
        let configuration = coder.configuration.unwrap_or(configuration);
        let channels = channels(configuration, coder.element_channels)?;
        let object_type = if named == core && core != USAC {
            extension(&mut bits).unwrap_or(None).unwrap_or(named)
        } else {
            named
        };
        Ok(Self {
            object_type,
            sample_rate: coder.rate.unwrap_or(sample_rate),
            channels,
            layout: if configuration == 0 { usual_layout(channels) } else { configuration },
            frame_length: coder.frame_length,
            asc,
        })
    }

    /// `mp4a.40.N`.
    pub fn codec_string(&self) -> String {
        format!("mp4a.40.{}", self.object_type)
    }

    /// How it is heard: spectral band replication doubles the core's rate.
    pub const fn sound(&self) -> Sound {
        let doubled = if matches!(self.object_type, SBR | PS) { 2 } else { 1 };
        let sample_rate = self.sample_rate.saturating_mul(doubled);
        Sound { layout: self.output_layout(), ..Sound::new(sample_rate, self.output_channels()) }
    }

    /// Channels that come out of a decoder: parametric stereo makes two of one.
    pub const fn output_channels(&self) -> u8 {
        if self.makes_stereo() { STEREO } else { self.channels }
    }

    /// How the channels that come out of a decoder are arranged, as [`layout`](Self::layout) counts.
    pub const fn output_layout(&self) -> u8 {
        if self.makes_stereo() { STEREO } else { self.layout }
    }

    const fn makes_stereo(&self) -> bool {
        self.object_type == PS && self.channels == 1
    }
}

/// A raw frame without the ADTS header that some encoders leave before it.
///
/// The header is believed only where its frame length is the payload's: a raw frame may begin with the same bits.
pub fn without_adts(payload: Bytes) -> Bytes {
    let &[0xff, second, _, fourth, fifth, sixth, _, ..] = payload.as_ref() else { return payload };
    let length = usize::from(fourth & 0b11) << 11 | usize::from(fifth) << 3 | usize::from(sixth >> 5);
    let header = if second & 1 == 1 { 7 } else { 9 };
    if second & 0xf6 != 0xf0 || length != payload.len() || length < header {
        return payload;
    }
    payload.slice(header..)
}

/// What the part behind the common head says.
struct Coder {
    frame_length: u16,
    /// Where it overrides the head's.
    rate: Option<u32>,
    configuration: Option<u8>,
    /// Channels that are listed instead of numbered.
    element_channels: Option<u32>,
}

impl Coder {
    /// `GASpecificConfig` (ISO 14496-3 4.4.1).
    fn general(bits: &mut Bits<'_>, core: u8, configuration: u8) -> Result<Self, Error> {
        let short = bits.flag()?;
        if bits.flag()? {
            bits.skip(14)?; // coreCoderDelay
        }
        let extended = bits.flag()?;
        let element_channels = if configuration == 0 { Some(program_config(bits)?) } else { None };
        if matches!(core, 6 | 20) {
            bits.skip(3)?; // layerNr
        }
        if extended {
            match core {
                22 => bits.skip(16)?,
                17 | 19 | 20 | 23 => bits.skip(3)?,
                _ => {}
            }
            bits.flag()?; // extensionFlag3
        }
        if matches!(core, 17 | 19..=23) {
            bits.skip(2)?; // epConfig
        }
        let frame_length = match (core == 23, short) {
            (true, true) => 480,
            (true, false) => 512,
            (false, true) => 960,
            (false, false) => 1_024,
        };
        Ok(Self { frame_length, rate: None, configuration: None, element_channels })
    }

    /// The head of `UsacConfig` (ISO 23003-3 5.2): rate, frame length and channels stand here, not in front.
    fn usac(bits: &mut Bits<'_>) -> Result<Self, Error> {
        let rate = sample_rate(bits, 5)?;
        let frame_length = match bits.read(3)? {
            0 => 768,
            1 => 1_024,
            2 | 3 => 2_048,
            _ => 4_096,
        };
        let configuration = bits.byte_of(5)?;
        let element_channels = Some(match configuration {
            0 => bits.unsigned_escape()?,
            8 => 2,
            9 => 3,
            10 => 4,
            numbered => channels(numbered, None)?.into(),
        });
        Ok(Self { frame_length, rate: Some(rate), configuration: Some(configuration), element_channels })
    }
}

impl Bits<'_> {
    /// A field of at most eight bits.
    fn byte_of(&mut self, width: u32) -> Result<u8, End> {
        self.read(width).map(|it| it as u8)
    }

    /// `escapedValue(5, 8, 16)` (ISO 23003-3 5.2), as `numOutChannels` is coded.
    fn unsigned_escape(&mut self) -> Result<u32, End> {
        let mut value = self.read(5)?;
        if value == 31 {
            let more = self.read(8)?;
            value = value.saturating_add(more);
            if more == 255 {
                value = value.saturating_add(self.read(16)?);
            }
        }
        Ok(value)
    }
}

fn object_type(bits: &mut Bits<'_>) -> Result<u8, Error> {
    match bits.byte_of(5)? {
        31 => Ok(bits.byte_of(6)?.saturating_add(32)),
        short => Ok(short),
    }
}

/// A frequency index of `width` bits; all ones announce the rate itself.
fn sample_rate(bits: &mut Bits<'_>, width: u32) -> Result<u32, Error> {
    const RATES: [u32; 13] = [
        96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
    ];
    let index = bits.byte_of(width)?;
    let rate = if index.count_ones() == width {
        bits.read(24)?
    } else {
        // The indices beyond the table are reserved in four bits and rates of speech coding in five.
        RATES.get(usize::from(index)).copied().ok_or(Error::SampleRate(0))?
    };
    // The rates that anything is recorded at; zero would be divided by.
    if (1_000..=192_000).contains(&rate) { Ok(rate) } else { Err(Error::SampleRate(rate)) }
}

fn channels(configuration: u8, listed: Option<u32>) -> Result<u8, Error> {
    let channels = match (listed, configuration) {
        (Some(listed), _) => listed,
        (None, 1..=6) => u32::from(configuration),
        (None, 7 | 12 | 14) => 8,
        (None, 11) => 7,
        (None, 13) => 24,
        _ => 0,
    };
    match u8::try_from(channels) {
        Ok(count @ 1..=8) => Ok(count),
        _ => Err(Error::Channels { configuration, channels }),
    }
}

/// The channels that a `program_config_element` (ISO 14496-3 4.4.1.1) lists.
fn program_config(bits: &mut Bits<'_>) -> Result<u32, Error> {
    bits.skip(4 + 2 + 4)?;
    let [front, side, back] = [bits.read(4)?, bits.read(4)?, bits.read(4)?];
    let effects = bits.read(2)?;
    let associated = bits.read(3)?;
    let coupling = bits.read(4)?;
    for width in [4, 4, 3] {
        if bits.flag()? {
            bits.skip(width)?; // the mixdowns
        }
    }
    let mut channels = effects;
    // At most 45 elements, by the widths of their counts.
    for _ in 0..front.saturating_add(side).saturating_add(back) {
        channels = channels.saturating_add(if bits.flag()? { 2 } else { 1 });
        bits.skip(4)?;
    }
    bits.skip((effects as usize).saturating_mul(4))?;
    bits.skip((associated as usize).saturating_mul(4))?;
    bits.skip((coupling as usize).saturating_mul(5))?;
    bits.align();
    let comment = bits.read(8)? as usize;
    bits.skip(comment.saturating_mul(8))?;
    Ok(channels)
}

/// The backward-compatible extension behind an otherwise whole config. Old decoders do not look there, and what is
/// there may be padding: the first field that does not fit ends it.
fn extension(bits: &mut Bits<'_>) -> Result<Option<u8>, Error> {
    if bits.left() < 16 || bits.read(11)? != 0x2b7 || object_type(bits)? != SBR || !bits.flag()? {
        return Ok(None);
    }
    if sample_rate(bits, 4).is_err() {
        return Ok(Some(SBR));
    }
    let stereo = bits.left() >= 12 && bits.read(11)? == 0x548 && bits.flag()?;
    Ok(Some(if stereo { PS } else { SBR }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(asc: &[u8]) -> Result<(u8, u32, u8, u16), Error> {
        let it = Config::parse(Bytes::copy_from_slice(asc))?;
        Ok((it.object_type, it.sample_rate, it.channels, it.frame_length))
    }

    /// Packs (value, width) fields.
    fn pack(fields: &[(u32, u32)]) -> Vec<u8> {
        let bits =
            fields.iter().flat_map(|&(value, width)| (0..width).rev().map(move |at| value >> at & 1 == 1));
        let bits = bits.collect::<Vec<_>>();
        bits.chunks(8)
            .map(|byte| byte.iter().enumerate().fold(0, |all, (at, &bit)| all | u8::from(bit) << (7 - at)))
            .collect()
    }

    #[test]
    fn what_encoders_send_is_understood() {
        assert_eq!(read(&[0x12, 0x10]), Ok((2, 44_100, 2, 1_024)));
        assert_eq!(read(&[0x11, 0x90]), Ok((2, 48_000, 2, 1_024)));
        assert_eq!(read(&[0x11, 0xb0]), Ok((2, 48_000, 6, 1_024)));
        assert_eq!(read(&[0x11, 0x94]), Ok((2, 48_000, 2, 960)));
        // FFmpeg and FDK: LC at 48 kHz, told that there is no SBR.
        assert_eq!(read(&[0x11, 0x90, 0x56, 0xe5, 0x00]), Ok((2, 48_000, 2, 1_024)));
        // FDK HE-AAC, hierarchical: 22.05 kHz core, 44.1 kHz out.
        assert_eq!(read(&[0x2b, 0x92, 0x08, 0x00]), Ok((5, 22_050, 2, 1_024)));
        // The same, backward compatible.
        assert_eq!(read(&[0x13, 0x90, 0x56, 0xe5, 0xa0]), Ok((5, 22_050, 2, 1_024)));
        // HEv2, backward compatible.
        assert_eq!(read(&[0x13, 0x88, 0x56, 0xe5, 0xa5, 0x48, 0x80]), Ok((29, 22_050, 1, 1_024)));
        // HEv2, hierarchical.
        assert_eq!(read(&[0xeb, 0x8a, 0x08, 0x00]), Ok((29, 22_050, 1, 1_024)));
    }

    #[test]
    fn parametric_stereo_makes_two_channels_of_one() {
        let config = Config::parse(Bytes::from_static(&[0xeb, 0x8a, 0x08, 0x00])).unwrap();
        assert_eq!((config.channels, config.output_channels()), (1, 2));
        assert_eq!(config.codec_string(), "mp4a.40.29");
    }

    #[test]
    fn escapes_are_followed() {
        let rate_written_out = pack(&[(2, 5), (15, 4), (48_000, 24), (2, 4), (0, 3)]);
        assert_eq!(read(&rate_written_out), Ok((2, 48_000, 2, 1_024)));
        let low_delay = pack(&[(31, 5), (39 - 32, 6), (3, 4), (2, 4), (1, 1), (0, 20)]);
        assert_eq!(read(&low_delay), Ok((39, 48_000, 2, 480)));
        let usac = pack(&[(31, 5), (42 - 32, 6), (3, 4), (2, 4), (4, 5), (3, 3), (2, 5), (0, 8)]);
        assert_eq!(read(&usac), Ok((42, 44_100, 2, 2_048)));
    }

    #[test]
    fn channels_are_counted_in_every_configuration() {
        let channels =
            |configuration| read(&pack(&[(2, 5), (3, 4), (configuration, 4), (0, 3)])).map(|it| it.2);
        assert_eq!([1, 2, 3, 4, 5, 6, 7].map(channels), [1, 2, 3, 4, 5, 6, 8].map(Ok));
        assert_eq!([11, 12, 14].map(channels), [7, 8, 8].map(Ok));
        let none = |configuration, channels| Err(Error::Channels { configuration, channels });
        assert_eq!([8, 13, 15].map(channels), [none(8, 0), none(13, 24), none(15, 0)]);
        // A program config element: a centre, a front pair, a back pair and an effects channel; then the extension.
        let head =
            [(2, 5), (6, 4), (0, 4), (0, 3), (0, 4), (1, 2), (6, 4), (2, 4), (0, 4), (1, 4), (1, 2), (0, 7)];
        let elements = [(0, 3), (0, 1), (0, 4), (1, 1), (0, 4), (1, 1), (1, 4), (0, 4)];
        let used = head.iter().chain(&elements).map(|it| it.1).sum::<u32>();
        let comment = [(0, used.next_multiple_of(8) - used), (1, 8), (0xaa, 8)];
        let extension = [(0x2b7, 11), (5, 5), (1, 1), (3, 4)];
        let asc = [&head[..], &elements, &comment, &extension].concat();
        assert_eq!(read(&pack(&asc)), Ok((5, 24_000, 6, 1_024)));
    }

    #[test]
    fn an_arrangement_keeps_its_number() {
        let layout = |asc: &[u8]| Config::parse(Bytes::copy_from_slice(asc)).unwrap().output_layout();
        let numbered = |configuration| layout(&pack(&[(2, 5), (3, 4), (configuration, 4), (0, 3)]));
        assert_eq!([1, 2, 6, 7, 11, 12, 14].map(numbered), [1, 2, 6, 7, 11, 12, 14]);
        let extended = |configuration| {
            layout(&pack(&[
                (31, 5),
                (42 - 32, 6),
                (3, 4),
                (0, 4),
                (4, 5),
                (3, 3),
                (configuration, 5),
                (0, 8),
            ]))
        };
        assert_eq!([2, 8, 10, 11].map(extended), [2, 8, 10, 11]);
        // Seven channels that are listed.
        let listed = [(31, 5), (42 - 32, 6), (3, 4), (0, 4), (4, 5), (3, 3), (0, 5), (7, 5), (0, 8)];
        assert_eq!(layout(&pack(&listed)), 11);
        // Parametric stereo.
        assert_eq!(layout(&[0xeb, 0x8a, 0x08, 0x00]), 2);
    }

    #[test]
    fn what_is_no_aac_is_named() {
        assert_eq!(read(&[]), Err(Error::Truncated));
        assert_eq!(read(&[0x12]), Err(Error::Truncated));
        assert_eq!(read(&pack(&[(31, 5), (2, 6), (3, 4), (2, 4), (0, 32)])), Err(Error::ObjectType(34)));
        assert_eq!(read(&pack(&[(2, 5), (13, 4), (2, 4), (0, 3)])), Err(Error::SampleRate(0)));
        assert_eq!(read(&pack(&[(2, 5), (15, 4), (1, 24), (2, 4), (0, 3)])), Err(Error::SampleRate(1)));
        assert_eq!(read(&[0; 1_025]), Err(Error::TooLong(1_025)));
    }

    #[test]
    fn an_adts_header_is_taken_off_only_where_it_fits() {
        let framed = Bytes::from_static(&[0xff, 0xf1, 0x4c, 0x80, 0x01, 0x3f, 0xfc, 0x21, 0x22]);
        assert_eq!(without_adts(framed.clone()), Bytes::from_static(&[0x21, 0x22]));
        assert_eq!(without_adts(framed.slice(..8)), framed.slice(..8));
        assert_eq!(without_adts(Bytes::new()), Bytes::new());
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(config) = Config::parse(bytes.into()) {
                prop_assert!((1..=8).contains(&config.channels));
                prop_assert!(config.sample_rate >= 1_000);
            }
        }
    }
}
