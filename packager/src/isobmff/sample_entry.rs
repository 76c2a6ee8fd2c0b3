//! Writing sample entries (ISO 14496-12 12.1.3, 12.2.3), each with the configuration of its codec.

use super::protection::TrackProtection;
use super::writer::Writer;
use crate::codec::dolby;
use crate::codec::picture::{Colour, Picture};
use crate::codec::sound::Sound;
use crate::media::CodecConfig;

pub(super) fn write(w: &mut Writer, config: &CodecConfig, protection: Option<&TrackProtection>) {
    let entry = protection.map_or_else(|| config.entry(), TrackProtection::entry);
    let last = |w: &mut Writer| protection.iter().for_each(|it| it.write(w, config.entry()));
    if let Some(picture) = config.picture() {
        visual(w, &entry, picture, |w| configuration(w, config), last);
    }
    if let Some(sound) = config.sound() {
        audible(w, &entry, &stored_sound(config, sound), |w| {
            configuration(w, config);
            last(w);
        });
    }
}

/// Boxes that configure a decoder.
fn configuration(w: &mut Writer, config: &CodecConfig) {
    match config {
        CodecConfig::Avc(it) => w.boxed(b"avcC", |w| w.raw(&it.record)),
        CodecConfig::Hevc(it) => {
            w.boxed(b"hvcC", |w| w.raw(&it.record));
            if let Some(dolby) = &it.dolby_vision {
                // Later profiles have a box of their own (Dolby Vision streams within the ISO base media file format, 3.2).
                let kind = if dolby.profile > 7 { b"dvvC" } else { b"dvcC" };
                w.boxed(kind, |w| w.raw(&dolby.record));
            }
        }
        CodecConfig::Av1(it) => w.boxed(b"av1C", |w| w.raw(&it.record)),
        CodecConfig::Vp9(it) => w.full(b"vpcC", 1, 0, |w| w.raw(&it.record)),
        CodecConfig::Aac(it) => w.full(b"esds", 0, 0, |w| esds(w, MPEG_4, Some(&it.asc))),
        CodecConfig::Mp3(it) => w.full(b"esds", 0, 0, |w| esds(w, it.object_type, None)),
        CodecConfig::Dolby(it) => {
            let kind = if it.kind == dolby::Kind::Ac3 { b"dac3" } else { b"dec3" };
            w.boxed(kind, |w| w.raw(&it.record));
        }
        CodecConfig::Opus(it) => w.boxed(b"dOps", |w| w.raw(&it.record)),
        CodecConfig::Flac(it) => w.full(b"dfLa", 0, 0, |w| w.raw(&it.record)),
    }
}

/// What the fields of an entry say: of AAC the core's rate and channels, as its configuration does.
fn stored_sound(config: &CodecConfig, sound: Sound) -> Sound {
    match config {
        CodecConfig::Aac(it) => Sound::new(it.sample_rate, it.channels),
        _ => sound,
    }
}

fn visual(
    w: &mut Writer,
    kind: &[u8; 4],
    picture: &Picture,
    configuration: impl FnOnce(&mut Writer),
    last: impl FnOnce(&mut Writer),
) {
    w.boxed(kind, |w| {
        w.zeros(6);
        w.u16(1); // data_reference_index
        w.zeros(16);
        w.u16(picture.width);
        w.u16(picture.height);
        w.u32(0x0048_0000); // 72 dots per inch
        w.u32(0x0048_0000);
        w.u32(0);
        w.u16(1); // frame_count
        w.zeros(32); // compressorname
        w.u16(0x18); // depth
        w.raw(&[0xff; 2]);
        configuration(w);
        // CMAF wants both boxes even where they say the usual (ISO 23000-19 9.2.2).
        let (across, down) = picture.sample_aspect.unwrap_or((1, 1));
        w.boxed(b"pasp", |w| {
            w.u32(across.into());
            w.u32(down.into());
        });
        let colour = picture.colour.unwrap_or(Colour::UNSPECIFIED);
        w.boxed(b"colr", |w| {
            w.raw(b"nclx");
            w.u16(colour.primaries.into());
            w.u16(colour.transfer.into());
            w.u16(colour.matrix.into());
            w.u8(u8::from(colour.full_range) << 7);
        });
        if let Some(display) = picture.mastering.display {
            w.boxed(b"mdcv", |w| w.raw(&display));
        }
        if let Some(light) = picture.mastering.light {
            w.boxed(b"clli", |w| w.raw(&light));
        }
        last(w);
    });
}

fn audible(w: &mut Writer, kind: &[u8; 4], sound: &Sound, configuration: impl FnOnce(&mut Writer)) {
    w.boxed(kind, |w| {
        w.zeros(6);
        w.u16(1); // data_reference_index
        w.zeros(8);
        w.u16(sound.channels.into());
        w.u16(16); // samplesize
        w.zeros(4);
        // 16.16 cannot say more than 65,535 Hz; players take the rate from the configuration.
        w.u32(u32::from(u16::try_from(sound.sample_rate).unwrap_or(0)) << 16);
        configuration(w);
    });
}

/// The `objectTypeIndication` of MPEG-4 audio.
const MPEG_4: u8 = 0x40;

/// `ES_Descriptor` (ISO 14496-1 7.2.6.5) for audio of any bit rate, with what configures its decoder where it needs that.
fn esds(w: &mut Writer, object_type: u8, specific: Option<&[u8]>) {
    const DECODER_CONFIG: usize = 13;
    const SYNC_LAYER: usize = 1;
    let specific_size = specific.map_or(0, |it| described(it.len()));
    let decoder = described(DECODER_CONFIG.saturating_add(specific_size));
    descriptor(w, 0x03, 3_usize.saturating_add(decoder).saturating_add(described(SYNC_LAYER)));
    w.u16(0); // ES_ID: within a file the track id stands for it
    w.u8(0);
    descriptor(w, 0x04, DECODER_CONFIG.saturating_add(specific_size));
    w.u8(object_type);
    w.u8(0x15); // an audio stream
    w.zeros(3 + 4 + 4); // buffer size and bit rates are unknown
    if let Some(specific) = specific {
        descriptor(w, 0x05, specific.len());
        w.raw(specific);
    }
    descriptor(w, 0x06, SYNC_LAYER);
    w.u8(2); // reserved for use in MP4 files
}

/// The size of a descriptor with a body of `length` bytes.
const fn described(length: usize) -> usize {
    let head = if length < 1 << 7 { 2 } else { 3 };
    length.saturating_add(head)
}

/// Tag and length; the longest body is an AudioSpecificConfig of 1,024 bytes, so two digits of base 128 hold it.
fn descriptor(w: &mut Writer, tag: u8, length: usize) {
    w.u8(tag);
    if length >= 1 << 7 {
        w.u8(0x80 | (length >> 7 & 0x7f) as u8);
    }
    w.u8((length & 0x7f) as u8);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::description;
    use super::super::reader::Boxed;
    use super::*;
    use crate::codec::{aac, avc};

    fn round_trip(config: CodecConfig) {
        let mut w = Writer::with_capacity(0);
        w.full(b"stsd", 0, 0, |w| {
            w.u32(1);
            write(w, &config, None);
        });
        let stsd = Boxed::first(&w.finish(), 0).unwrap();
        assert_eq!(description::read(&stsd, 0), Ok(config));
        assert_eq!(description::read(&stsd, 1), Err(stsd.says("sample_description_index", 1_u64)));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let sps = Bytes::from_static(&[
            0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x6a, 0x02, 0x02, 0x02, 0x80,
            0x00, 0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x1e, 0x47, 0x8c, 0x18, 0xcb,
        ]);
        let pps = Bytes::from_static(&[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0]);
        let mut config = avc::Config::from_parameter_sets(&[sps], &[pps]).unwrap();
        round_trip(CodecConfig::Avc(config.clone()));
        config.picture.set_sample_aspect(16, 11);
        config.picture.colour = Some(Colour { primaries: 9, transfer: 16, matrix: 9, full_range: true });
        round_trip(CodecConfig::Avc(config));
        round_trip(CodecConfig::Aac(aac::Config::parse(Bytes::from_static(&[0x11, 0x90])).unwrap()));
        // A config with a long comment takes lengths of two digits.
        let mut long = vec![0x11, 0x90];
        long.resize(300, 0);
        round_trip(CodecConfig::Aac(aac::Config::parse(long.into()).unwrap()));
    }
}
