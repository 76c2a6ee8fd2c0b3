//! Writing sample entries: `avc1` (ISO 14496-15 5.4.2) and `mp4a` (ISO 14496-14 5.6).

use super::writer::Writer;
use crate::codec::avc::Colour;
use crate::codec::{aac, avc};
use crate::media::CodecConfig;

pub(super) fn write(w: &mut Writer, config: &CodecConfig) {
    match config {
        CodecConfig::Avc(config) => avc1(w, config),
        CodecConfig::Aac(config) => mp4a(w, config),
    }
}

fn avc1(w: &mut Writer, config: &avc::Config) {
    w.boxed(b"avc1", |w| {
        w.zeros(6);
        w.u16(1); // data_reference_index
        w.zeros(16);
        w.u16(config.width);
        w.u16(config.height);
        w.u32(0x0048_0000); // 72 dots per inch
        w.u32(0x0048_0000);
        w.u32(0);
        w.u16(1); // frame_count
        w.zeros(32); // compressorname
        w.u16(0x18); // depth
        w.raw(&[0xff; 2]);
        w.boxed(b"avcC", |w| w.raw(&config.record));
        // CMAF wants both boxes even where they say the usual (ISO 23000-19 9.2.2).
        let (across, down) = config.sample_aspect.unwrap_or((1, 1));
        w.boxed(b"pasp", |w| {
            w.u32(across.into());
            w.u32(down.into());
        });
        let colour = config.colour.unwrap_or(Colour::UNSPECIFIED);
        w.boxed(b"colr", |w| {
            w.raw(b"nclx");
            w.u16(colour.primaries.into());
            w.u16(colour.transfer.into());
            w.u16(colour.matrix.into());
            w.u8(u8::from(colour.full_range) << 7);
        });
    });
}

fn mp4a(w: &mut Writer, config: &aac::Config) {
    w.boxed(b"mp4a", |w| {
        w.zeros(6);
        w.u16(1); // data_reference_index
        w.zeros(8);
        w.u16(config.channels.into());
        w.u16(16); // samplesize
        w.zeros(4);
        // 16.16 cannot say more than 65,535 Hz; players take the rate from the AudioSpecificConfig.
        w.u32(u32::from(u16::try_from(config.sample_rate).unwrap_or(0)) << 16);
        w.full(b"esds", 0, 0, |w| esds(w, &config.asc));
    });
}

/// `ES_Descriptor` (ISO 14496-1 7.2.6.5) for MPEG-4 audio of any bit rate.
fn esds(w: &mut Writer, asc: &[u8]) {
    const DECODER_CONFIG: usize = 13;
    const SYNC_LAYER: usize = 1;
    let specific = described(asc.len());
    let decoder = described(DECODER_CONFIG.saturating_add(specific));
    descriptor(w, 0x03, 3_usize.saturating_add(decoder).saturating_add(described(SYNC_LAYER)));
    w.u16(0); // ES_ID: within a file the track id stands for it
    w.u8(0);
    descriptor(w, 0x04, DECODER_CONFIG.saturating_add(specific));
    w.u8(0x40); // MPEG-4 audio
    w.u8(0x15); // an audio stream
    w.zeros(3 + 4 + 4); // buffer size and bit rates are unknown
    descriptor(w, 0x05, asc.len());
    w.raw(asc);
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

    fn round_trip(config: CodecConfig) {
        let mut w = Writer::with_capacity(0);
        w.full(b"stsd", 0, 0, |w| {
            w.u32(1);
            write(w, &config);
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
        config.set_sample_aspect(16, 11);
        config.colour = Some(Colour { primaries: 9, transfer: 16, matrix: 9, full_range: true });
        round_trip(CodecConfig::Avc(config));
        round_trip(CodecConfig::Aac(aac::Config::parse(Bytes::from_static(&[0x11, 0x90])).unwrap()));
        // A config with a long comment takes lengths of two digits.
        let mut long = vec![0x11, 0x90];
        long.resize(300, 0);
        round_trip(CodecConfig::Aac(aac::Config::parse(long.into()).unwrap()));
    }
}
