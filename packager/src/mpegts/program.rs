//! What is in a transport stream.

use crate::codec::aac;
use crate::codec::avc;
use crate::codec::{dolby, mp3};
use crate::media::CodecConfig;

use super::packet::{SOUND, VIDEO};

/// Why tracks cannot go into a transport stream, where they can in fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Apple's rules want newer pictures and sound in fragments only, and old players know none of them.
    #[error("a transport stream carries H.264, AAC, AC-3, E-AC-3 and MP3 only")]
    Codec,
    /// Rewriting shorter lengths as start codes would change the size of pictures.
    #[error("NAL lengths are not of 4 bytes")]
    LengthSize,
    /// ADTS has no place for its object type, rate or channels.
    #[error("this kind of AAC does not go into ADTS")]
    Adts,
    /// A frame of sound is longer than its header can say.
    #[error("a frame of sound has {0} bytes")]
    LongFrame(u32),
    /// Apple defines how samples of H.264, AAC, AC-3 and E-AC-3 are encrypted in a transport stream, and of nothing else.
    #[error(
        "there is no way to encrypt samples of MP3, or of sound with so long a configuration, in a transport stream"
    )]
    SampleAes,
    /// Neither pictures nor sound.
    #[error("a program has pictures, sound, or both")]
    Nothing,
}

/// One of a program's streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Its pictures.
    Video,
    /// Its sound.
    Sound,
}

impl Stream {
    pub(super) const fn pid(self) -> u16 {
        match self {
            Self::Video => VIDEO,
            Self::Sound => SOUND,
        }
    }
}

/// How a frame of sound is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sound {
    /// The fixed part of an ADTS header (ISO 14496-3 1.A.3.2) goes before each frame.
    Adts([u8; 4]),
    Dolby(dolby::Kind),
    /// MPEG-1 audio, or MPEG-2 audio.
    Mpeg {
        first: bool,
    },
}

/// The streams of a transport stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// A delimiter, and the parameter sets that key frames are preceded by, behind start codes.
    video: Option<Vec<u8>>,
    sound: Option<Sound>,
    /// Whether samples are encrypted, and how decoders of the sound are then set up.
    sealed: Option<Vec<u8>>,
}

/// No configuration of sound that goes into a transport stream is as long; a section of tables has room for it.
const MAX_SETUP: usize = 100;

/// An access unit delimiter that promises nothing of the slices behind it.
pub(super) const DELIMITER: [u8; 6] = [0, 0, 0, 1, 9, 0xf0];

impl Program {
    /// Of pictures, sound, or both.
    ///
    /// # Errors
    /// [`Refused`] when one of them does not go into a transport stream.
    pub fn new(video: Option<&CodecConfig>, sound: Option<&CodecConfig>) -> Result<Self, Refused> {
        let it = Self {
            video: match video {
                Some(CodecConfig::Avc(config)) => Some(key_frame_head(config)?),
                Some(_) => return Err(Refused::Codec),
                None => None,
            },
            sound: match sound {
                Some(CodecConfig::Aac(config)) => Some(Sound::Adts(adts(config)?)),
                Some(CodecConfig::Dolby(config)) => Some(Sound::Dolby(config.kind)),
                Some(CodecConfig::Mp3(config)) => {
                    Some(Sound::Mpeg { first: config.object_type == mp3::MPEG_1 })
                }
                Some(_) => return Err(Refused::Codec),
                None => None,
            },
            sealed: None,
        };
        if it.streams().next().is_none() { Err(Refused::Nothing) } else { Ok(it) }
    }

    /// The same with encrypted samples, as the tables then say; `sound` is what it was made of.
    ///
    /// # Errors
    /// [`Refused::SampleAes`] for sound of which samples cannot be encrypted.
    pub fn sample_aes(mut self, sound: Option<&CodecConfig>) -> Result<Self, Refused> {
        let setup = match sound {
            Some(CodecConfig::Aac(it)) => {
                let kind = match it.object_type {
                    5 => b"zach",
                    29 => b"zacp",
                    _ => b"zaac",
                };
                setup(kind, &it.asc)?
            }
            Some(CodecConfig::Dolby(it)) => {
                setup(if it.kind == dolby::Kind::Ac3 { b"zac3" } else { b"zec3" }, &it.record)?
            }
            Some(_) => return Err(Refused::SampleAes),
            None => Vec::new(),
        };
        self.sealed = Some(setup);
        Ok(self)
    }

    /// Whether samples are encrypted.
    pub const fn is_sealed(&self) -> bool {
        self.sealed.is_some()
    }

    pub(super) fn streams(&self) -> impl Iterator<Item = Stream> {
        let video = self.video.is_some().then_some(Stream::Video);
        video.into_iter().chain(self.sound.is_some().then_some(Stream::Sound))
    }

    /// Whose packets carry the clock.
    pub(super) const fn clock_stream(&self) -> Stream {
        if self.video.is_some() { Stream::Video } else { Stream::Sound }
    }

    /// `stream_type`, and the descriptors behind it.
    pub(super) fn stream_type(&self, stream: Stream) -> (u8, Vec<u8>) {
        if let Some(setup) = &self.sealed {
            return self.sealed_type(stream, setup);
        }
        match (stream, self.sound) {
            (Stream::Video, _) => (0x1b, Vec::new()),
            // Private stream types mean different things to different readers.
            (Stream::Sound, Some(Sound::Dolby(dolby::Kind::Ac3))) => {
                (0x81, descriptor(REGISTRATION, b"AC-3"))
            }
            (Stream::Sound, Some(Sound::Dolby(dolby::Kind::Eac3))) => {
                (0x87, descriptor(REGISTRATION, b"EAC3"))
            }
            (Stream::Sound, Some(Sound::Mpeg { first: true })) => (0x03, Vec::new()),
            (Stream::Sound, Some(Sound::Mpeg { first: false })) => (0x04, Vec::new()),
            (Stream::Sound, Some(Sound::Adts(_)) | None) => (0x0f, Vec::new()),
        }
    }

    /// The same of encrypted samples ("MPEG-2 Stream Encryption Format for HTTP Live Streaming", 2.4).
    fn sealed_type(&self, stream: Stream, setup: &[u8]) -> (u8, Vec<u8>) {
        const PRIVATE_DATA: u8 = 15;
        let (kind, mark): (u8, &[u8; 4]) = match (stream, self.sound) {
            (Stream::Video, _) => return (0xdb, descriptor(PRIVATE_DATA, b"zavc")),
            (Stream::Sound, Some(Sound::Dolby(dolby::Kind::Ac3))) => (0xc1, b"ac3d"),
            (Stream::Sound, Some(Sound::Dolby(dolby::Kind::Eac3))) => (0xc2, b"ec3d"),
            (Stream::Sound, _) => (0xcf, b"aacd"),
        };
        (
            kind,
            [descriptor(PRIVATE_DATA, mark), descriptor(REGISTRATION, &[b"apad", setup].concat())].concat(),
        )
    }

    /// `stream_id` of its units.
    pub(super) const fn stream_id(&self, stream: Stream) -> u8 {
        match (stream, self.sound) {
            (Stream::Video, _) => 0xe0,
            (Stream::Sound, Some(Sound::Dolby(_))) => 0xbd,
            (Stream::Sound, _) => 0xc0,
        }
    }

    /// What goes before a frame of `size` bytes.
    ///
    /// # Errors
    /// [`Refused::LongFrame`] when that cannot be said.
    pub(super) fn before(&self, stream: Stream, size: u32, key: bool) -> Result<Vec<u8>, Refused> {
        match (stream, &self.video, self.sound) {
            (Stream::Video, Some(head), _) if key => Ok(head.clone()),
            (Stream::Video, ..) => Ok(DELIMITER.to_vec()),
            (Stream::Sound, _, Some(Sound::Adts([a, b, c, d]))) => {
                let length = size.saturating_add(7);
                if length > 0x1fff {
                    return Err(Refused::LongFrame(size));
                }
                let [.., high, low] = (length << 5 | 0x1f).to_be_bytes();
                Ok(vec![a, b, c, d | (length >> 11) as u8, high, low, 0xfc])
            }
            (Stream::Sound, ..) => Ok(Vec::new()),
        }
    }
}

/// A registration descriptor (ISO 13818-1 2.6.8).
const REGISTRATION: u8 = 5;

/// A descriptor with that tag; what it says is far below 255 octets.
fn descriptor(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag, body.len() as u8], body].concat()
}

/// How a decoder of encrypted sound is set up: its kind, no priming, version 1, its configuration.
fn setup(kind: &[u8; 4], configuration: &[u8]) -> Result<Vec<u8>, Refused> {
    if configuration.len() > MAX_SETUP {
        return Err(Refused::SampleAes);
    }
    Ok([&kind[..], &[0, 0, 1, configuration.len() as u8], configuration].concat())
}

/// A delimiter and the parameter sets of a record, which was checked when it was read.
fn key_frame_head(config: &avc::Config) -> Result<Vec<u8>, Refused> {
    if avc::length_size(&config.record) != Some(4) {
        return Err(Refused::LengthSize);
    }
    let mut out = DELIMITER.to_vec();
    let mut rest = config.record.get(5..).unwrap_or_default();
    for mask in [0x1f, 0xff] {
        let Some((&count, sets)) = rest.split_first() else { break };
        rest = sets;
        for _ in 0..count & mask {
            let Some((&[high, low], sets)) = rest.split_first_chunk::<2>() else { break };
            let length = usize::from(u16::from_be_bytes([high, low]));
            let Some((set, sets)) = sets.split_at_checked(length) else { break };
            out.extend_from_slice(&[0, 0, 0, 1]);
            out.extend_from_slice(set);
            rest = sets;
        }
    }
    Ok(out)
}

/// The fixed part of the header: no protection, the core's object type and rate. SBR and PS are found by decoders in
/// the frames themselves, which old ones play without.
fn adts(config: &aac::Config) -> Result<[u8; 4], Refused> {
    const RATES: [u32; 13] = [
        96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
    ];
    let profile = match config.object_type {
        it @ 1..=4 => it - 1,
        // HE-AAC and its parametric stereo have a core of low complexity.
        5 | 29 => 1,
        _ => return Err(Refused::Adts),
    };
    let rate = RATES.iter().position(|it| *it == config.sample_rate).ok_or(Refused::Adts)? as u8;
    // Eight channels are configuration 7; other arrangements are not numbered in three bits.
    let channels = match (config.layout, config.channels) {
        (layout @ 1..=6, channels) if layout == channels => layout,
        (7, 8) => 7,
        _ => return Err(Refused::Adts),
    };
    if config.frame_length != 1_024 {
        return Err(Refused::Adts);
    }
    Ok([0xff, 0xf1, profile << 6 | rate << 2 | channels >> 2, (channels & 3) << 6])
}

#[cfg(test)]
pub(crate) mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::codec::avc::tests::hex;

    /// x264, 1280x720, High, level 3.1.
    const SPS: [u8; 28] = [
        0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x6a, 0x02, 0x02, 0x02, 0x80, 0x00,
        0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x1e, 0x47, 0x8c, 0x18, 0xcb,
    ];

    fn aac(asc: &str) -> CodecConfig {
        CodecConfig::Aac(aac::Config::parse(hex(asc)).unwrap())
    }

    pub(crate) fn pictures(length_size_minus_one: u8) -> CodecConfig {
        let mut record = vec![1, 0x64, 0, 0x1f, 0xfc | length_size_minus_one, 0xe1, 0, SPS.len() as u8];
        record.extend_from_slice(&SPS);
        record.extend_from_slice(&[1, 0, 2, 0x68, 0xcc]);
        CodecConfig::Avc(avc::Config::as_stored(Bytes::from(record)).unwrap())
    }

    pub(crate) fn pictures_and_aac() -> Program {
        Program::new(Some(&pictures(3)), Some(&aac("1190"))).unwrap()
    }

    pub(crate) fn sound_alone() -> Program {
        let config = dolby::Config::parse(dolby::Kind::Ac3, hex("103de0")).unwrap();
        Program::new(None, Some(&CodecConfig::Dolby(config))).unwrap()
    }

    #[test]
    fn a_frame_of_aac_is_wrapped_as_others_unwrap_it() {
        let head = |size| pictures_and_aac().before(Stream::Sound, size, true);
        assert_eq!(head(200), Ok(hex("fff14c8019fffc").to_vec()));
        assert_eq!(head(8_184).map(|it| it[3] & 3), Ok(3));
        assert_eq!(head(8_185), Err(Refused::LongFrame(8_185)));
    }

    #[test]
    fn key_frames_follow_a_delimiter_and_parameter_sets() {
        let before = |key| pictures_and_aac().before(Stream::Video, 9, key).unwrap();
        let start: &[u8] = &[0, 0, 0, 1];
        assert_eq!(before(true), [&DELIMITER, start, &SPS, start, &[0x68, 0xcc]].concat());
        assert_eq!(before(false), hex("0000000109f0"));
    }

    #[test]
    fn what_old_players_do_not_know_is_refused() {
        assert_eq!(Program::new(Some(&pictures(1)), None), Err(Refused::LengthSize));
        assert_eq!(Program::new(Some(&aac("1190")), None), Err(Refused::Codec));
        assert_eq!(Program::new(None, Some(&aac("1194"))), Err(Refused::Adts));
        assert_eq!(Program::new(None, None), Err(Refused::Nothing));
    }
}
