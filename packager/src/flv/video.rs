//! Video bodies (FLV 10.1 E.4.3, Enhanced RTMP v2 "ExVideoTagHeader").

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{Codec, Error, exheader};
use crate::codec::avc;
use crate::media::{Sample, Sync, Timescale, TrackKind};

/// What a video body says, before anybody looked into its NAL units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// An `AVCDecoderConfigurationRecord`.
    Configuration(Bytes),
    /// The NAL units of a picture, as the encoder framed them.
    Picture {
        /// Presentation time minus decoding time.
        composition_ms: i32,
        /// The NAL units.
        payload: Bytes,
    },
    /// The encoder ended the sequence; what follows is a new one.
    End,
    /// Nothing for a packager: an empty body, a seek command, colour metadata.
    Nothing,
}

/// Composition times beyond ten seconds are mistakes of encoders; no reorder buffer is that deep.
const MAX_COMPOSITION_MS: i32 = 10_000;

const EXTENDED: u8 = 0x80;
const FRAME_KEY: u8 = 1;
const FRAME_INTER: u8 = 2;
const FRAME_COMMAND: u8 = 5;
const AVC: u8 = 7;

pub(super) fn read(mut body: Bytes) -> Result<Body, Error> {
    let Ok(first) = body.try_get_u8() else { return Ok(Body::Nothing) };
    if first & EXTENDED != 0 {
        return read_extended(first, body);
    }
    // A command frame is one byte for players that seek, whatever codec it names.
    if first >> 4 == FRAME_COMMAND {
        return Ok(Body::Nothing);
    }
    let codec = first & 0x0f;
    if codec != AVC {
        return Err(Error::Unsupported(TrackKind::Video, legacy(codec)));
    }
    if body.is_empty() {
        return Ok(Body::Nothing);
    }
    let truncated = |_| Error::Truncated(TrackKind::Video);
    let packet = body.try_get_u8().map_err(truncated)?;
    if packet == 2 {
        // The composition time of an end-of-sequence body is often left out.
        return Ok(Body::End);
    }
    let composition_ms = composition(&mut body)?;
    Ok(match packet {
        0 => Body::Configuration(body),
        1 => picture(composition_ms, body),
        _ => Body::Nothing,
    })
}

fn read_extended(first: u8, mut body: Bytes) -> Result<Body, Error> {
    let packet = exheader::skip_modifiers(first & 0x0f, &mut body, TrackKind::Video)?;
    const METADATA: u8 = 4;
    if packet == METADATA || (first >> 4) & 0x07 == FRAME_COMMAND {
        return Ok(Body::Nothing);
    }
    let fourcc = exheader::fourcc(packet, &mut body, TrackKind::Video)?;
    if &fourcc != b"avc1" {
        return Err(Error::Unsupported(TrackKind::Video, Codec::FourCc(fourcc)));
    }
    Ok(match packet {
        0 => Body::Configuration(body),
        1 => picture(composition(&mut body)?, body),
        2 => Body::End,
        3 => picture(0, body),
        _ => Body::Nothing,
    })
}

fn picture(composition_ms: i32, payload: Bytes) -> Body {
    if payload.is_empty() { Body::Nothing } else { Body::Picture { composition_ms, payload } }
}

/// A signed 24-bit number of milliseconds.
fn composition(body: &mut Bytes) -> Result<i32, Error> {
    let ms = body.try_get_int(3).map_err(|_| Error::Truncated(TrackKind::Video))?;
    Ok((ms as i32).clamp(-MAX_COMPOSITION_MS, MAX_COMPOSITION_MS))
}

fn legacy(codec: u8) -> Codec {
    Codec::Named(match codec {
        1 => "JPEG",
        2 => "H.263",
        3 => "Screen video",
        4 => "VP6",
        5 => "VP6 with alpha",
        6 => "Screen video 2",
        // Not Adobe's, but what encoders agreed on before Enhanced RTMP.
        12 => "HEVC",
        13 => "AV1",
        14 => "VVC",
        other => return Codec::Number(other),
    })
}

/// The body that configures players of a track.
pub(super) fn configuration(config: &avc::Config) -> [Bytes; 2] {
    [Bytes::from_static(&[FRAME_KEY << 4 | AVC, 0, 0, 0, 0]), config.record.clone()]
}

/// The body of a picture.
pub(super) fn sample(sample: &Sample) -> [Bytes; 2] {
    let ms = |it: crate::media::Timestamp| it.rescale(Timescale::MILLISECONDS).ticks();
    // From rounded times, so that what a player adds up is the presentation time, rounded once.
    let composition = ms(sample.pts()).saturating_sub(ms(sample.dts));
    let frame = if sample.sync == Sync::Key { FRAME_KEY } else { FRAME_INTER };
    let mut header = BytesMut::with_capacity(5);
    header.put_u8(frame << 4 | AVC);
    header.put_u8(1);
    header.put_int(composition.clamp(-(1 << 23), (1 << 23) - 1), 3);
    [header.freeze(), sample.payload.clone()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flv::hex;

    #[track_caller]
    fn check(body: &str, expected: Result<Body, Error>) {
        assert_eq!(read(hex(body)), expected);
    }

    fn shown(composition_ms: i32, payload: &str) -> Result<Body, Error> {
        Ok(Body::Picture { composition_ms, payload: hex(payload) })
    }

    fn unsupported(name: &'static str) -> Result<Body, Error> {
        Err(Error::Unsupported(TrackKind::Video, Codec::Named(name)))
    }

    #[test]
    fn a_picture_is_told_with_its_composition_time() {
        check("17 01 000028 aabb", shown(40, "aabb"));
        check("27 01 ffffff aabb", shown(-1, "aabb"));
    }

    #[test]
    fn absurd_composition_times_are_clamped() {
        check("27 01 7fffff aa", shown(10_000, "aa"));
        check("27 01 800000 aa", shown(-10_000, "aa"));
    }

    #[test]
    fn a_record_is_told_whatever_its_composition_time() {
        check("17 00 000000 01640c", Ok(Body::Configuration(hex("01640c"))));
    }

    #[test]
    fn the_end_of_a_sequence_may_lack_its_composition_time() {
        check("17 02 000000", Ok(Body::End));
        check("17 02", Ok(Body::End));
    }

    #[test]
    fn empty_bodies_and_commands_say_nothing() {
        for body in ["", "17", "27 01 000000", "57 00", "52 01", "d0 01"] {
            check(body, Ok(Body::Nothing));
        }
    }

    #[test]
    fn a_body_that_ends_within_its_header_is_an_error() {
        for body in ["17 01", "17 01 00", "17 00 0000", "90", "90 617663", "91 61766331 0000"] {
            check(body, Err(Error::Truncated(TrackKind::Video)));
        }
    }

    #[test]
    fn enhanced_avc_is_avc() {
        check("90 61766331 01640c", Ok(Body::Configuration(hex("01640c"))));
        check("91 61766331 000021 aabb", shown(33, "aabb"));
        check("a3 61766331 aabb", shown(0, "aabb"));
        check("92 61766331", Ok(Body::End));
        check("94 61766331 02", Ok(Body::Nothing));
    }

    #[test]
    fn modifiers_before_a_fourcc_are_skipped() {
        check("97 02 07a120 01 61766331 000000 aa", shown(0, "aa"));
    }

    #[test]
    fn other_codecs_are_refused_by_name() {
        check("12 00", unsupported("H.263"));
        check("1c 00 000000 01", unsupported("HEVC"));
        check("90 68766331 01", Err(Error::Unsupported(TrackKind::Video, Codec::FourCc(*b"hvc1"))));
        check("96 01 61766331 01 000021 aa", unsupported("multitrack"));
    }

    #[test]
    fn what_is_written_reads_back() {
        let picture = Sample {
            dts: crate::media::Timestamp::new(90, Timescale::VIDEO),
            composition_offset: -180,
            sync: Sync::Delta,
            payload: hex("aabb"),
        };
        let body = |parts: [Bytes; 2]| Bytes::from(parts.concat());
        assert_eq!(body(sample(&picture)), hex("27 01 fffffe aabb"));
        assert_eq!(read(body(sample(&picture))), shown(-2, "aabb"));
    }
}
