//! What `onMetaData` promises, out of the AMF0 of a data message (live.md 10).
//!
//! Nothing here is trusted for decoding; the bitstream wins. Encoders write numbers as text, flags as numbers, and
//! zeros where they do not know, so a field counts only where it is believable.

use bytes::Bytes;
#[cfg(feature = "net")]
use bytes::BytesMut;
use packager::live::Metadata;
#[cfg(feature = "net")]
use packager::media::CodecConfig;

use crate::rtmp::amf::{Reader, Value};

/// `@setDataFrame` as an AMF0 string. It is meant for the server; players get what follows.
const SET_DATA_FRAME: &[u8] = b"\x02\x00\x0d@setDataFrame";
const ON_META_DATA: &[u8] = b"\x02\x00\x0aonMetaData";

/// Longer than any encoder's name; it becomes a line on the control page.
const MAX_ENCODER: usize = 128;

/// The metadata in a data message; nothing when the message is another one, or cannot be read.
pub(crate) fn read(payload: Bytes) -> Option<Metadata> {
    let raw = match payload.strip_prefix(SET_DATA_FRAME) {
        Some(rest) => payload.slice_ref(rest),
        None => payload,
    };
    let value = raw.strip_prefix(ON_META_DATA)?;
    let value = Reader::new(raw.slice_ref(value)).next_value().ok()??;
    let number = |name| value.property(name).and_then(Value::as_number);
    let rate =
        |name| number(name).filter(|it| (1.0..1e6).contains(it)).map(|kilobits| (kilobits * 1e3) as u64);
    let said = |name| match value.property(name) {
        // A FourCC, where encoders follow Enhanced RTMP.
        Some(Value::String(codec)) => !codec.as_bytes().is_empty(),
        _ => number(name).is_some_and(|it| it > 0.0),
    };
    Some(Metadata {
        video: said("videocodecid") || said("width"),
        audio: said("audiocodecid") || said("audiosamplerate"),
        frame_rate: number("framerate").filter(|it| (0.1..=1e3).contains(it)),
        video_bit_rate: rate("videodatarate"),
        audio_bit_rate: rate("audiodatarate"),
        encoder: value.property("encoder").and_then(encoder),
        raw,
    })
}

/// The data message in which a publisher of ours announces these tracks.
#[cfg(feature = "net")]
pub(crate) fn write<'a>(configs: impl Iterator<Item = &'a CodecConfig>, frame_rate: Option<f64>) -> Bytes {
    let mut fields = Vec::new();
    let mut say = |name: &'static str, value: f64| fields.push((name.into(), Value::Number(value)));
    for config in configs {
        match config {
            CodecConfig::Avc(it) => {
                say("videocodecid", 7.0);
                say("width", it.picture.width.into());
                say("height", it.picture.height.into());
                frame_rate.into_iter().for_each(|it| say("framerate", it));
            }
            CodecConfig::Aac(it) => {
                say("audiocodecid", 10.0);
                say("audiosamplerate", it.sample_rate.into());
                say("audiochannels", it.output_channels().into());
            }
            // What FLV has no number for is not sent.
            _ => {}
        }
    }
    fields.push(("encoder".into(), Value::text(concat!("Levada ", env!("CARGO_PKG_VERSION")))));
    let mut message = BytesMut::from(SET_DATA_FRAME);
    message.extend_from_slice(ON_META_DATA);
    Value::EcmaArray(fields).write(&mut message);
    message.freeze()
}

fn encoder(value: &Value) -> Option<String> {
    let mut name = String::new();
    for character in value.as_text()?.lossy().trim().chars().filter(|it| !it.is_control()) {
        if name.len() + character.len_utf8() > MAX_ENCODER {
            break;
        }
        name.push(character);
    }
    Some(name).filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(name: &[u8], value: Value) -> Bytes {
        let mut out = bytes::BytesMut::from(name);
        value.write(&mut out);
        out.freeze()
    }

    #[test]
    fn what_ffmpeg_says_is_understood() {
        let value = Value::object([
            ("duration", Value::Number(0.0)),
            ("width", Value::Number(1280.0)),
            ("videodatarate", Value::Number(1_953.125)),
            ("framerate", Value::Number(29.97)),
            ("videocodecid", Value::Number(7.0)),
            ("audiodatarate", Value::Number(125.0)),
            ("audiocodecid", Value::Number(10.0)),
            ("encoder", Value::text("Lavf59.27.100")),
        ]);
        let raw = message(ON_META_DATA, value.clone());
        let expected = Metadata {
            video: true,
            audio: true,
            frame_rate: Some(29.97),
            video_bit_rate: Some(1_953_125),
            audio_bit_rate: Some(125_000),
            encoder: Some("Lavf59.27.100".into()),
            raw: raw.clone(),
        };
        assert_eq!(read(raw), Some(expected.clone()));
        assert_eq!(read(message(&[SET_DATA_FRAME, ON_META_DATA].concat(), value)), Some(expected));
    }

    #[test]
    fn what_is_not_believable_is_not_believed() {
        let value = Value::object([
            ("videocodecid", Value::text("avc1")),
            ("framerate", Value::Number(f64::NAN)),
            ("videodatarate", Value::text("2500")),
            ("audiodatarate", Value::Number(-1.0)),
            ("audiocodecid", Value::Number(0.0)),
            ("encoder", Value::text("\u{7}")),
        ]);
        let said = read(message(ON_META_DATA, value)).unwrap();
        let expected = Metadata {
            video: true,
            video_bit_rate: Some(2_500_000),
            raw: said.raw.clone(),
            ..Metadata::default()
        };
        assert_eq!(said, expected);
    }

    #[test]
    fn a_long_name_of_an_encoder_is_cut_between_characters() {
        let value = Value::object([("encoder", Value::text("é".repeat(100)))]);
        let encoder = read(message(ON_META_DATA, value)).unwrap().encoder.unwrap();
        assert_eq!(encoder, "é".repeat(64));
    }

    #[test]
    fn other_messages_and_broken_ones_say_nothing() {
        assert_eq!(read(message(b"\x02\x00\x0aonTextData", Value::Null)), None);
        assert_eq!(read(Bytes::from_static(ON_META_DATA)), None);
        assert_eq!(read(Bytes::from_static(b"\x02\x00\x0aonMetaData\x03\x00\x05wid")), None);
    }
}
