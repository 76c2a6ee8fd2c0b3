//! Any bytes as what an encoder says of its codec, and as the pictures it then sends. The first byte chooses.
#![no_main]

use bytes::Bytes;
use levada_packager::codec::{aac, av1, avc, dolby, flac, hevc, opus, vp9};
use levada_packager::isobmff::init::init_segment;
use levada_packager::media::{CodecConfig, Timescale, Track};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let bytes = Bytes::copy_from_slice(bytes);
    match choice {
        0 => described(aac::Config::parse(bytes).ok().map(CodecConfig::Aac)),
        1 => described(avc::Config::parse(bytes).ok().map(CodecConfig::Avc)),
        2 => {
            let pps = Bytes::from_static(&[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0]);
            described(avc::Config::from_parameter_sets(&[bytes], &[pps]).ok().map(CodecConfig::Avc));
        }
        3 => {
            let length = bytes.len();
            assert!(aac::without_adts(bytes).len() <= length);
        }
        4 => described(hevc::Config::parse(bytes).ok().map(CodecConfig::Hevc)),
        5 => described(av1::Config::parse(bytes, 64, 36).ok().map(CodecConfig::Av1)),
        6 => described(vp9::Config::parse(bytes, 64, 36).ok().map(CodecConfig::Vp9)),
        7 => described(dolby::Config::parse(dolby::Kind::Ac3, bytes).ok().map(CodecConfig::Dolby)),
        8 => described(dolby::Config::parse(dolby::Kind::Eac3, bytes).ok().map(CodecConfig::Dolby)),
        9 => described(opus::Config::parse(bytes).ok().map(CodecConfig::Opus)),
        10 => described(flac::Config::parse(bytes).ok().map(CodecConfig::Flac)),
        _ => normalised(bytes, choice % 4 + 1),
    }
});

/// Whatever is accepted can be described in an init segment and is accepted again.
fn described(config: Option<CodecConfig>) {
    let Some(config) = config else { return };
    match &config {
        CodecConfig::Aac(it) => {
            assert!((1..=8).contains(&it.channels) && it.sample_rate > 0 && it.frame_length > 0);
            assert_eq!(aac::Config::parse(it.asc.clone()).as_ref(), Ok(it));
        }
        CodecConfig::Avc(it) => {
            assert!(it.picture.width > 0 && it.picture.height > 0);
            assert_eq!(avc::length_size(&it.record), Some(4));
            assert_eq!(avc::Config::parse(it.record.clone()).as_ref(), Ok(it));
        }
        it => {
            assert!(it.picture().is_none_or(|it| it.width > 0 && it.height > 0));
            assert!(it.sound().is_none_or(|it| it.sample_rate > 0 && it.channels > 0));
            assert!(!it.codec_string().is_empty());
        }
    }
    let track = Track { config, timescale: Timescale::VIDEO, language: *b"und" };
    assert!(init_segment(&track).starts_with(b"\0\0\0\x24ftyp"));
}

/// Whatever comes in, what goes out adds up, and is left alone the second time.
fn normalised(bytes: Bytes, length_size: u8) {
    let picture = avc::normalise(bytes, length_size);
    let total = avc::units(&picture.payload).map(|it| it.len() + 4).sum::<usize>();
    assert_eq!(total, picture.payload.len());
    assert_eq!(avc::is_idr(&picture.payload), picture.idr);
    let again = avc::normalise(picture.payload.clone(), 4);
    assert_eq!((again.payload, again.dropped), (picture.payload, 0));
}
