//! What we write, read by someone else: the `mp4` crate. It is given our own bytes only.

use std::io::Cursor;

use bytes::Bytes;
use levada_packager as packager;
use packager::codec::{aac, avc};
use packager::isobmff::fragment::{Entry, TimedSample, header};
use packager::isobmff::init::{Init, Matrix, init_segment};
use packager::media::{CodecConfig, Sample, Sync, Timescale, Timestamp, Track};

fn video() -> Track {
    let sps = Bytes::from_static(b"\x67\x64\x00\x1f\xac\xd9\x40\x50\x05\xbb\x01\x6a\x02\x02\x02\x80\x00\x00\x03\x00\x80\x00\x00\x1e\x47\x8c\x18\xcb");
    let pps = Bytes::from_static(b"\x68\xeb\xe3\xcb\x22\xc0");
    let config = avc::Config::from_parameter_sets(&[sps], &[pps]).expect("the sets are whole");
    Track { config: CodecConfig::Avc(config), timescale: Timescale::VIDEO, language: *b"und" }
}

fn audio() -> Track {
    let config = aac::Config::parse(Bytes::from_static(&[0x11, 0x90])).expect("the config is whole");
    let timescale = Timescale::new(48_000).expect("48000 is not zero");
    Track { config: CodecConfig::Aac(config), timescale, language: *b"por" }
}

fn samples(track: &Track, dts: i64, sizes: &[usize]) -> Vec<TimedSample> {
    let sample = |(index, &size): (usize, &usize)| TimedSample {
        sample: Sample {
            dts: Timestamp::new(dts + index as i64 * 3_000, track.timescale),
            composition_offset: if index % 2 == 1 { -3_000 } else { 3_000 },
            sync: if index == 0 { Sync::Key } else { Sync::Delta },
            payload: vec![index as u8; size].into(),
        },
        duration: 3_000,
    };
    sizes.iter().enumerate().map(sample).collect()
}

fn read(bytes: &[u8]) -> mp4::Mp4Reader<Cursor<&[u8]>> {
    mp4::Mp4Reader::read_header(Cursor::new(bytes), bytes.len() as u64)
        .expect("a stranger reads what we write")
}

#[test]
fn a_stranger_reads_our_video_init_segment() {
    let init = init_segment(&video());
    let movie = read(&init);
    let track = &movie.tracks()[&1];
    assert_eq!(movie.major_brand().to_string(), "iso6");
    assert_eq!((track.width(), track.height(), track.timescale()), (1280, 720, 90_000));
    assert_eq!(track.sequence_parameter_set().map(<[u8]>::len).unwrap(), 28);
    assert_eq!(track.picture_parameter_set().unwrap(), b"\x68\xeb\xe3\xcb\x22\xc0");
    assert_eq!(track.language(), "und");
}

#[test]
fn a_stranger_reads_our_audio_init_segment() {
    let init = init_segment(&audio());
    let movie = read(&init);
    let track = &movie.tracks()[&1];
    assert_eq!(track.audio_profile().unwrap(), mp4::AudioObjectType::AacLowComplexity);
    assert_eq!(track.channel_config().unwrap(), mp4::ChannelConfig::Stereo);
    assert_eq!(track.sample_freq_index().unwrap(), mp4::SampleFreqIndex::Freq48000);
    assert_eq!((track.language(), track.timescale()), ("por", 48_000));
}

#[test]
fn a_stranger_reads_edit_duration_and_matrix() {
    let track = video();
    let turn = Matrix([0, 0x1_0000, 0, -0x1_0000, 0, 0, 0, 0, 0x4000_0000]);
    for media_time in [6_000, 1 << 33] {
        let init = Init { track: &track, duration: 900_000, media_time, matrix: turn };
        let bytes = init.render();
        let movie = read(&bytes);
        let trak = &movie.tracks()[&1].trak;
        let edit = &trak.edts.as_ref().unwrap().elst.as_ref().unwrap().entries;
        assert_eq!((edit.len(), edit[0].media_time, edit[0].segment_duration), (1, media_time, 0));
        assert_eq!((trak.tkhd.matrix.b, trak.tkhd.matrix.c), (0x1_0000, -0x1_0000));
        assert_eq!(movie.moov.mvex.as_ref().unwrap().mehd.as_ref().unwrap().fragment_duration, 900_000);
    }
}

#[test]
fn a_stranger_reads_our_fragments() {
    let track = video();
    let first = samples(&track, 90_000, &[900, 30, 20]);
    let second = samples(&track, 99_000, &[50, 50, 50, 50]);
    let mut bytes = init_segment(&track).to_vec();
    for (sequence, samples) in [(1, &first), (2, &second)] {
        let entries = samples.iter().map(Entry::from);
        bytes.extend_from_slice(&header(sequence, samples[0].sample.dts, entries));
        samples.iter().for_each(|it| bytes.extend_from_slice(&it.sample.payload));
    }

    let movie = read(&bytes);
    assert_eq!(movie.moofs.len(), 2);
    let moof = &movie.moofs[0];
    let traf = &moof.trafs[0];
    assert_eq!((moof.mfhd.sequence_number, traf.tfhd.track_id), (1, 1));
    assert_eq!(traf.tfdt.as_ref().unwrap().base_media_decode_time, 90_000);
    assert_eq!(traf.tfhd.default_sample_duration, Some(3_000));
    assert_eq!(traf.tfhd.default_sample_flags, Some(0x0101_0000));
    let trun = traf.trun.as_ref().unwrap();
    assert_eq!((trun.sample_count, trun.first_sample_flags), (3, Some(0x0200_0000)));
    assert_eq!(trun.sample_sizes, [900, 30, 20]);
    assert_eq!(trun.sample_cts.iter().map(|&it| it as i32).collect::<Vec<_>>(), [3_000, -3_000, 3_000]);
    assert_eq!(movie.moofs[1].trafs[0].tfhd.default_sample_size, Some(50));
    assert!(movie.moofs[1].trafs[0].trun.as_ref().unwrap().sample_sizes.is_empty());
}
