//! Audio bodies (FLV 10.1 E.4.2, Enhanced RTMP v2 "ExAudioTagHeader").

use bytes::{Buf, Bytes};

use super::{Codec, Error, exheader};
use crate::codec::aac;
use crate::media::{Sample, TrackKind};

/// What an audio body says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// An `AudioSpecificConfig`.
    Configuration(Bytes),
    /// One raw AAC frame.
    Frame(Bytes),
    /// Nothing for a packager: silence, an end of sequence (a gap tells as much), a speaker layout.
    Nothing,
}

const AAC: u8 = 10;
const ENHANCED: u8 = 9;
/// AAC, and then what the specification fixes because decoders look into the configuration instead: 44 kHz, 16
/// bits, stereo.
const AAC_TAG: u8 = 0xaf;

pub(super) fn read(mut body: Bytes) -> Result<Body, Error> {
    let Ok(first) = body.try_get_u8() else { return Ok(Body::Nothing) };
    match first >> 4 {
        AAC => {}
        ENHANCED => return read_extended(first, body),
        other => return Err(Error::Unsupported(TrackKind::Audio, legacy(other))),
    }
    let Ok(packet) = body.try_get_u8() else { return Ok(Body::Nothing) };
    Ok(match packet {
        0 => Body::Configuration(body),
        1 => frame(body),
        _ => Body::Nothing,
    })
}

fn read_extended(first: u8, mut body: Bytes) -> Result<Body, Error> {
    let packet = exheader::skip_modifiers(first & 0x0f, &mut body, TrackKind::Audio)?;
    let fourcc = exheader::fourcc(packet, &mut body, TrackKind::Audio)?;
    if &fourcc != b"mp4a" {
        return Err(Error::Unsupported(TrackKind::Audio, Codec::FourCc(fourcc)));
    }
    Ok(match packet {
        0 => Body::Configuration(body),
        1 => frame(body),
        _ => Body::Nothing,
    })
}

fn frame(body: Bytes) -> Body {
    let raw = aac::without_adts(body);
    if raw.is_empty() { Body::Nothing } else { Body::Frame(raw) }
}

fn legacy(format: u8) -> Codec {
    Codec::Named(match format {
        0 | 3 => "PCM",
        1 => "ADPCM",
        2 | 14 => "MP3",
        4..=6 => "Nellymoser",
        7 => "G.711 A-law",
        8 => "G.711 mu-law",
        11 => "Speex",
        // Not Adobe's, but seen.
        13 => "Opus",
        other => return Codec::Number(other),
    })
}

/// The body that configures players of a track.
pub(super) fn configuration(config: &aac::Config) -> [Bytes; 2] {
    [Bytes::from_static(&[AAC_TAG, 0]), config.asc.clone()]
}

/// The body of a frame.
pub(super) fn sample(sample: &Sample) -> [Bytes; 2] {
    [Bytes::from_static(&[AAC_TAG, 1]), sample.payload.clone()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flv::hex;

    #[track_caller]
    fn check(body: &str, expected: Result<Body, Error>) {
        assert_eq!(read(hex(body)), expected);
    }

    #[test]
    fn configurations_and_frames_are_told() {
        check("af 00 1190", Ok(Body::Configuration(hex("1190"))));
        check("af 01 2110", Ok(Body::Frame(hex("2110"))));
        check("90 6d703461 1190", Ok(Body::Configuration(hex("1190"))));
        check("91 6d703461 2110", Ok(Body::Frame(hex("2110"))));
    }

    #[test]
    fn empty_bodies_are_silence() {
        for body in ["", "af", "af 01", "92 6d703461", "94 6d703461 0102"] {
            check(body, Ok(Body::Nothing));
        }
    }

    #[test]
    fn an_adts_header_is_taken_off() {
        check("af 01 fff15080013ffc aabb", Ok(Body::Frame(hex("aabb"))));
    }

    #[test]
    fn other_codecs_are_refused_by_name() {
        let refused = |it| Err(Error::Unsupported(TrackKind::Audio, it));
        check("2f ffff", refused(Codec::Named("MP3")));
        check("b2 00", refused(Codec::Named("Speex")));
        check("c2 00", refused(Codec::Number(12)));
        check("90 4f707573", refused(Codec::FourCc(*b"Opus")));
    }
}
