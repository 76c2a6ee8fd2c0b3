//! Stored movies, read as ffprobe reads them; and the same movies, broken.

use bytes::Bytes;
use levada_packager as packager;
use packager::isobmff::demux::demux;
use packager::isobmff::init::Matrix;
use packager::isobmff::locate::{Locator, Moov};
use packager::isobmff::movie::{Movie, StoredTrack};
use packager::isobmff::reader::FourCc;
use packager::isobmff::{Error, Placement, Walk};
use packager::media::{CodecConfig, Sync, TrackKind};
use proptest::prelude::*;

const BFRAMES: &[u8] = include_bytes!("media/bframes.mp4");
const FASTSTART: &[u8] = include_bytes!("media/faststart.mp4");
const LATE_AUDIO: &[u8] = include_bytes!("media/late-audio.mp4");
const VARIABLE: &[u8] = include_bytes!("media/variable.mp4");
const FRAGMENTED: &[u8] = include_bytes!("media/fragmented.mp4");
const HYBRID: &[u8] = include_bytes!("media/hybrid.mp4");
const LATE_FRAGMENTS: &[u8] = include_bytes!("media/late-fragments.mp4");
const AUDIO: &[u8] = include_bytes!("media/audio.m4a");

fn locate(file: &[u8]) -> Result<Moov, Error> {
    let mut locator = Locator::new(file.len() as u64, 1 << 20);
    loop {
        let wanted = locator.wanted();
        let bytes = Bytes::copy_from_slice(&file[wanted.start as usize..wanted.end as usize]);
        if let Some(moov) = locator.push(bytes)? {
            return Ok(moov);
        }
    }
}

fn movie(file: &[u8]) -> Result<Movie, Error> {
    let moov = locate(file)?;
    let mut walk = Walk::new(file.len() as u64, moov.end(), 1 << 20);
    while moov.is_fragmented()? && !walk.wanted().is_empty() {
        let wanted = walk.wanted();
        walk.push(&Bytes::copy_from_slice(&file[wanted.start as usize..wanted.end as usize]))?;
    }
    Movie::parse(&moov, &walk.into_found())
}

/// One line as ffprobe prints it: track, pts, dts, size, place, key. Its durations are guesses where rates vary.
type Packet = (usize, i64, i64, u32, u64, bool);

fn golden(csv: &str) -> Vec<Packet> {
    let line = |line: &str| {
        let field = line.split(',').collect::<Vec<_>>();
        let number = |at: usize| field[at].parse::<i64>().expect("ffprobe prints numbers");
        let key = field[6].starts_with('K');
        (number(0) as usize, number(1), number(2), number(4) as u32, number(5) as u64, key)
    };
    csv.lines().map(line).collect()
}

fn packets(index: usize, track: &StoredTrack) -> Vec<Packet> {
    let shift = track.placement.shift;
    // ffprobe moves all decoding times until none is after its presentation time; files need not.
    let early = track.samples.samples(0).map(|it| it.composition_offset).min().unwrap_or(0).min(0);
    let packet = |it: packager::isobmff::table::StoredSample| {
        let pts = it.composition_time() + shift;
        let dts = it.dts + shift + i64::from(early);
        (index, pts, dts, it.size, it.offset, it.sync == Sync::Key)
    };
    track.samples.samples(0).map(packet).collect()
}

fn check(file: &[u8], csv: &str) {
    let movie = movie(file).expect("ffmpeg writes whole movies");
    assert_eq!(movie.left_out, []);
    for (index, track) in movie.tracks.iter().enumerate() {
        let expected = golden(csv).into_iter().filter(|it| it.0 == index).collect::<Vec<_>>();
        assert_eq!(packets(index, track), expected, "track {index}");
        let samples = track.samples.samples(0).collect::<Vec<_>>();
        assert!(samples.windows(2).all(|it| it[0].dts + i64::from(it[0].duration) == it[1].dts));
        assert_eq!(track.samples.duration(), samples.iter().map(|it| u64::from(it.duration)).sum::<u64>());
        assert_eq!(track.samples.left_over(), 0);
    }
}

#[test]
fn every_packet_is_where_and_when_ffprobe_sees_it() {
    check(BFRAMES, include_str!("media/bframes.csv"));
    check(FASTSTART, include_str!("media/faststart.csv"));
    check(LATE_AUDIO, include_str!("media/late-audio.csv"));
    check(VARIABLE, include_str!("media/variable.csv"));
    check(AUDIO, include_str!("media/audio.csv"));
    check(FRAGMENTED, include_str!("media/fragmented.csv"));
    check(HYBRID, include_str!("media/hybrid.csv"));
}

#[test]
fn a_movie_in_fragments_is_the_movie_without() {
    let times = |file: &[u8]| {
        let tracks = movie(file).unwrap().tracks;
        let time = |it: &Packet| (it.0, it.1, it.2, it.3, it.5);
        let tracks = tracks.iter().enumerate().map(|(index, it)| packets(index, it));
        tracks.map(|it| it.iter().map(time).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let whole = times(BFRAMES);
    assert_eq!(times(FRAGMENTED), whole);
    // What is still being written is played as far as it is there.
    let rest = place(FRAGMENTED, b"moof", 2);
    let growing = times(&FRAGMENTED[..rest + 500]);
    for (growing, whole) in growing.iter().zip(&whole) {
        assert!(growing.len() < whole.len() && growing[..] == whole[..growing.len()]);
    }
    let none = movie(&FRAGMENTED[..place(FRAGMENTED, b"moof", 0) + 500]).unwrap();
    assert_eq!(none.left_out.iter().map(|it| it.reason).collect::<Vec<_>>(), [Error::NoFragment; 2]);
}

#[test]
fn fragments_recorded_from_the_middle_of_a_broadcast_begin_near_zero() {
    let late = movie(LATE_FRAGMENTS).unwrap();
    let first = |it: &StoredTrack| packets(0, it)[0].2 as f64 / f64::from(it.track.timescale.hertz());
    let begins: Vec<f64> = late.tracks.iter().map(first).collect();
    assert!(begins.iter().all(|it| (-1.0..1.5).contains(it)), "{begins:?}");
    assert!((begins[0] - begins[1]).abs() < 0.2, "{begins:?}");
}

#[test]
fn tracks_say_what_their_encoder_was_told() {
    let movie = movie(BFRAMES).unwrap();
    let [video, audio] = &movie.tracks[..] else { panic!("two tracks") };
    let CodecConfig::Avc(config) = &video.track.config else { panic!("pictures first") };
    assert_eq!((config.picture.width, config.picture.height, config.picture.display().0), (64, 36, 85));
    assert_eq!((config.picture.sample_aspect, config.frame_rate), (Some((4, 3)), Some((60_000, 2_002))));
    assert_eq!((video.track.timescale.hertz(), video.track.language), (30_000, *b"und"));
    assert_eq!((video.enabled, video.matrix), (true, Matrix::IDENTITY));
    assert_eq!(video.samples.syncs().collect::<Vec<_>>(), [0, 15, 30, 45]);
    assert_eq!((audio.track.kind(), audio.track.language), (TrackKind::Audio, *b"por"));
    assert_eq!(audio.track.config.codec_string(), "mp4a.40.2");
    assert_eq!(audio.samples.syncs().count(), audio.samples.count() as usize);
}

#[test]
fn edit_lists_place_tracks_against_each_other() {
    let placements = |file| movie(file).unwrap().tracks.iter().map(|it| it.placement).collect::<Vec<_>>();
    let at = |shift, start, end| Placement { shift, start, end };
    assert_eq!(placements(BFRAMES), [at(-2_002, 0, 48_060), at(-1_024, 0, 76_800)]);
    assert_eq!(placements(FASTSTART), [at(0, 0, 48_060), at(-1_024, 0, 76_800)]);
    assert_eq!(placements(LATE_AUDIO), [at(0, 0, 48_060), at(22_944, 22_944, 100_800)]);
}

#[test]
fn any_sample_is_found_as_by_walking() {
    for file in [BFRAMES, LATE_AUDIO, VARIABLE, AUDIO] {
        for track in movie(file).unwrap().tracks {
            let table = track.samples;
            let walked = table.samples(0).collect::<Vec<_>>();
            assert_eq!(walked.len(), table.count() as usize);
            for (index, sample) in (0_u32..).zip(&walked) {
                assert_eq!(table.get(index), Some(*sample));
                assert_eq!(table.at_or_before(sample.dts as u64), index);
                let sync = walked[..=index as usize].iter().rfind(|it| it.sync == Sync::Key).unwrap();
                assert_eq!(table.sync_at_or_before(index), Some(sync.index));
                let size = walked[index as usize..].iter().map(|it| u64::from(it.size)).sum::<u64>();
                assert_eq!(table.size_of(index..table.count()), size);
            }
            assert_eq!(table.get(table.count()), None);
            assert_eq!(table.at_or_before(u64::MAX), table.count() - 1);
        }
    }
}

#[test]
fn a_whole_file_is_taken_apart_in_the_order_of_decoding() {
    let file = Bytes::from_static(BFRAMES);
    let demuxed = demux(file.clone()).unwrap();
    assert_eq!(
        demuxed.tracks().map(|it| it.kind()).collect::<Vec<_>>(),
        [TrackKind::Video, TrackKind::Audio]
    );
    let samples = demuxed.samples().collect::<Result<Vec<_>, _>>().unwrap();
    assert!(samples.is_sorted_by_key(|it| it.1.dts));
    let mut seen =
        samples.iter().map(|(track, it)| (*track, it.pts().ticks(), it.payload.len())).collect::<Vec<_>>();
    let expected = golden(include_str!("media/bframes.csv"));
    let mut expected = expected.iter().map(|it| (it.0, it.1, it.3 as usize)).collect::<Vec<_>>();
    seen.sort_unstable();
    expected.sort_unstable();
    assert_eq!(seen, expected);
    let whole = file.as_ptr_range();
    assert!(
        samples.iter().all(|it| whole.contains(&it.1.payload.as_ptr())),
        "payloads are slices of the file"
    );
}

#[test]
fn a_file_that_ends_within_its_media_says_so_at_that_sample() {
    let demuxed = demux(Bytes::from_static(&FASTSTART[..8_000])).unwrap();
    let last = demuxed.samples().last().unwrap();
    assert!(matches!(last, Err(Error::EndOfFile(8_001..))), "{last:?}");
}

// From here on: broken movies.

/// Where the `nth` box of a type stands in a movie header, found by its name.
fn place(file: &[u8], kind: &[u8; 4], nth: usize) -> usize {
    let find = |kind: &[u8; 4]| {
        let kind = *kind;
        file.windows(4).enumerate().filter(move |it| *it.1 == kind).map(|it| it.0 - 4)
    };
    let moov = find(b"moov").next().expect("the movie has a header");
    find(kind).filter(|&it| it >= moov).nth(nth).expect("the movie has such a box")
}

/// The movie with bytes of a box overwritten, counted from the start of its head.
fn patch(file: &[u8], kind: &[u8; 4], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    let at = place(&file, kind, 0) + at;
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

/// Breaks the first track of the movie with B-frames; the second must live on.
fn check_broken(kind: &[u8; 4], at: usize, bytes: &[u8], expected: impl FnOnce(FourCc, u64) -> Error) {
    let file = patch(BFRAMES, kind, at, bytes);
    let movie = movie(&file).expect("a broken track does not take the movie down");
    let offset = place(BFRAMES, kind, 0) as u64;
    assert_eq!(
        movie.left_out.iter().map(|it| it.reason).collect::<Vec<_>>(),
        [expected(FourCc(*kind), offset)]
    );
    assert_eq!(movie.tracks.len(), 1, "of {kind:?}");
}

fn says(field: &'static str, value: u64) -> impl FnOnce(FourCc, u64) -> Error {
    move |kind, offset| Error::Value { kind, offset, field, value }
}

#[test]
fn counts_of_four_billion_are_refused_by_name() {
    for (kind, at) in
        [(b"stts", 12), (b"ctts", 12), (b"stsc", 12), (b"stsz", 16), (b"stco", 12), (b"stss", 12)]
    {
        check_broken(kind, at, &[0xff; 4], |kind, offset| Error::Count { kind, offset, count: u32::MAX });
    }
    check_broken(b"elst", 12, &[0xff; 4], |kind, offset| Error::Count { kind, offset, count: u32::MAX });
}

#[test]
fn a_count_larger_than_its_body_by_one_is_refused() {
    let count = BFRAMES[place(BFRAMES, b"stss", 0) + 15] + 1;
    check_broken(b"stss", 15, &[count], |kind, offset| Error::Count { kind, offset, count: count.into() });
}

#[test]
fn impossible_sizes_within_a_track_are_refused() {
    let size = |size| move |kind, offset| Error::Size { kind, offset, size };
    check_broken(b"tkhd", 0, &[0, 0, 0, 0], size(0));
    check_broken(b"mdia", 0, &[0, 0, 0, 4], size(4));
    check_broken(b"stbl", 0, &[0, 0, 0, 7], size(7));
    check_broken(b"avcC", 0, &[0x7f, 0, 0, 0], size(0x7f00_0000));
    check_broken(b"stsz", 0, &[0, 0, 0, 1], |kind, offset| Error::Size { kind, offset, size: 0 });
}

#[test]
fn fields_that_later_arithmetic_relies_on_are_checked() {
    check_broken(b"mdhd", 20, &[0; 4], says("timescale", 0));
    check_broken(b"mdhd", 20, &[0xff; 4], says("timescale", u32::MAX.into()));
    check_broken(b"tkhd", 20, &[0; 4], says("track_ID", 0));
    check_broken(b"stsc", 16, &[0; 4], says("first_chunk", 0));
    check_broken(b"stsc", 16, &[0, 0, 0, 2], says("first_chunk", 2));
    check_broken(b"stsc", 20, &[0; 4], says("samples_per_chunk", 0));
    check_broken(b"stss", 16, &[0; 4], says("sample_number", 0));
    check_broken(b"stss", 20, &[0, 0, 0, 1], says("sample_number", 1));
    check_broken(b"stsz", 20, &[0xff; 4], says("sample_size", u32::MAX.into()));
    check_broken(b"stts", 20, &[0; 4], says("duration", 0));
    check_broken(b"stts", 20, &[0x7f, 0, 0, 0], says("duration", 0x7f00_0000 * 48));
}

#[test]
fn tracks_that_cannot_be_played_are_named() {
    check_broken(b"hdlr", 16, b"tmcd", |_, _| Error::Handler(FourCc(*b"tmcd")));
    check_broken(b"avc1", 4, b"ap4h", |_, _| Error::Codec(FourCc(*b"ap4h")));
    check_broken(b"avc1", 4, b"encv", |_, _| Error::Encrypted(FourCc(*b"encv")));
    check_broken(b"url ", 11, &[0], |_, _| Error::External);
    let parent = place(BFRAMES, b"avc1", 0) as u64;
    check_broken(b"avcC", 4, b"free", |_, _| Error::Missing {
        kind: FourCc(*b"avcC"),
        parent: FourCc(*b"avc1"),
        offset: parent,
    });
    check_broken(b"avcC", 8, &[9], |_, _| Error::Avc(packager::codec::avc::Error::Version(9)));
}

#[test]
fn two_tracks_of_one_number_are_one_too_many() {
    let mut file = BFRAMES.to_vec();
    let second = place(&file, b"tkhd", 1);
    file[second + 23] = 1;
    let movie = movie(&file).unwrap();
    let says = says("track_ID", 1)(FourCc(*b"tkhd"), second as u64);
    assert_eq!((movie.tracks.len(), movie.left_out[0].reason), (1, says));
}

#[test]
fn a_movie_broken_at_its_top_level_is_refused() {
    let check = |file: &[u8], expected| assert_eq!(movie(file).map(|_| ()), Err(expected));
    let value = says("timescale", 0)(FourCc(*b"mvhd"), place(BFRAMES, b"mvhd", 0) as u64);
    check(&patch(BFRAMES, b"mvhd", 20, &[0; 4]), value);
    let trak = Error::Size { kind: FourCc(*b"trak"), offset: place(BFRAMES, b"trak", 0) as u64, size: 0 };
    check(&patch(BFRAMES, b"trak", 0, &[0; 4]), trak);
    check(&patch(BFRAMES, b"trak", 4, b"cmov"), Error::Compressed);
    check(&BFRAMES[..BFRAMES.len() - 1], Error::EndOfFile(BFRAMES.len() as u64));
    check(&BFRAMES[..place(BFRAMES, b"moov", 0)], Error::NoMovie(place(BFRAMES, b"moov", 0) as u64));
    assert_eq!(movie(&patch(AUDIO, b"trak", 4, b"free")).map(|_| ()), Err(Error::NoTrack));
}

#[test]
fn tables_that_disagree_are_believed_as_far_as_all_reach() {
    let whole = movie(BFRAMES).unwrap().tracks.swap_remove(0).samples;
    let short = movie(&patch(BFRAMES, b"stts", 19, &[10])).unwrap().tracks.swap_remove(0).samples;
    assert_eq!((short.count(), short.left_over()), (10, whole.count() - 10));
    assert_eq!(short.samples(0).collect::<Vec<_>>(), whole.samples(0).take(10).collect::<Vec<_>>());
}

#[test]
fn samples_may_overlap_and_stand_outside_the_file() {
    // Every chunk at one place: legal, if odd. Whoever reads bytes checks the place.
    let mut file = BFRAMES.to_vec();
    let stco = place(&file, b"stco", 0);
    let count = u32::from_be_bytes(file[stco + 12..stco + 16].try_into().unwrap()) as usize;
    file[stco + 16..stco + 16 + count * 4].fill(0xff);
    let movie = movie(&file).unwrap();
    assert_eq!(movie.tracks[0].samples.get(0).unwrap().offset, u64::from(u32::MAX));
    assert!(demux(file.into()).unwrap().samples().any(|it| it.is_err()));
}

#[test]
fn pictures_may_be_turned() {
    let quarter = [0, 0x1_0000, 0, -0x1_0000, 0, 0, 0, 0, 0x4000_0000];
    let bytes = quarter.iter().flat_map(|it: &i32| it.to_be_bytes()).collect::<Vec<_>>();
    let movie = movie(&patch(BFRAMES, b"tkhd", 48, &bytes)).unwrap();
    assert_eq!(movie.tracks[0].matrix, Matrix(quarter));
}

proptest! {
    #[test]
    fn a_movie_header_with_any_bytes_changed_is_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let mut file = BFRAMES.to_vec();
        let moov = place(&file, b"moov", 0);
        for (at, byte) in changes {
            let at = moov + at.index(file.len() - moov);
            file[at] = byte;
        }
        if let Ok(demuxed) = demux(file.into()) {
            let _ = demuxed.samples().take(10_000).filter(Result::is_ok).count();
        }
    }
}
