//! Stored movies as transport streams: every time as ffprobe reads it of the movie, over segments made apart.

use bytes::Bytes;
use levada_packager as packager;
use packager::isobmff::Walk;
use packager::isobmff::locate::Locator;
use packager::isobmff::movie::{Movie, StoredTrack};
use packager::media::{Sync, Timescale, Timestamp, TrackKind};
use packager::mpegts::{Continuity, Muxer, PACKET, Program, Stream, Unit};

/// Frames of sound in a unit.
const TOGETHER: usize = 4;

fn movie(file: &[u8]) -> Movie {
    let slice = |it: std::ops::Range<u64>| Bytes::copy_from_slice(&file[it.start as usize..it.end as usize]);
    let mut locator = Locator::new(file.len() as u64, 1 << 20);
    let moov = loop {
        if let Some(moov) = locator.push(slice(locator.wanted())).expect("ffmpeg writes whole movies") {
            break moov;
        }
    };
    let mut walk = Walk::new(file.len() as u64, moov.end(), 1 << 20);
    while moov.is_fragmented().unwrap() && !walk.wanted().is_empty() {
        let wanted = slice(walk.wanted());
        walk.push(&wanted).unwrap();
    }
    Movie::parse(&moov, &walk.into_found()).expect("ffmpeg writes whole movies")
}

/// Units of a track, each with the bytes of its frames.
fn units(file: &[u8], track: &StoredTrack) -> Vec<(Unit, Vec<u8>)> {
    let (stream, together) = match track.track.kind() {
        TrackKind::Video => (Stream::Video, 1),
        TrackKind::Audio => (Stream::Sound, TOGETHER),
    };
    let shift = track.placement.shift;
    let early = track.samples.samples(0).map(|it| it.composition_offset).min().unwrap_or(0).min(0);
    let at = |ticks| Timestamp::new(ticks, track.track.timescale);
    let samples = track.samples.samples(0).collect::<Vec<_>>();
    let unit = |group: &[packager::isobmff::table::StoredSample]| {
        let unit = Unit {
            stream,
            presentation: at(group[0].composition_time() + shift),
            decoding: at(group[0].dts + shift + i64::from(early)),
            key: group[0].sync == Sync::Key,
            frames: group.iter().map(|it| it.size).collect(),
        };
        let bytes = group.iter().flat_map(|it| &file[it.offset as usize..][..it.size as usize]);
        (unit, bytes.copied().collect())
    };
    samples.chunks(together).map(unit).collect()
}

/// What stands in the head of a unit: its stream's PID, when it is shown and when it is decoded.
type Times = (u16, i64, i64);

/// Reads packets as strictly as they are written: each counter follows the one before, over all segments, and the
/// clock never passes a time that it announces.
fn read(stream: &[u8]) -> Vec<Times> {
    let time = |it: &[u8]| {
        assert_eq!((it[0] & 1, it[2] & 1, it[4] & 1), (1, 1, 1), "marker bits");
        let low = |high: u8, low: u8| i64::from(u16::from_be_bytes([high, low]) >> 1);
        i64::from(it[0] >> 1 & 7) << 30 | low(it[1], it[2]) << 15 | low(it[3], it[4])
    };
    let (mut counters, mut times, mut clock) = (std::collections::HashMap::new(), Vec::new(), 0);
    for packet in stream.chunks(PACKET) {
        assert_eq!(packet[0], 0x47);
        let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        let counter = counters.entry(pid).or_insert(packet[3] & 15);
        assert_eq!(*counter, packet[3] & 15, "of PID {pid}");
        *counter = (*counter + 1) & 15;
        let field = if packet[3] & 0x20 == 0 { 0 } else { usize::from(packet[4]) + 1 };
        if field > 1 && packet[5] & 0x10 != 0 {
            let bytes: [u8; 4] = packet[6..10].try_into().unwrap();
            let now = i64::from(u32::from_be_bytes(bytes)) << 1 | i64::from(packet[10] >> 7);
            assert!(now >= clock, "the clock goes on");
            clock = now;
        }
        let payload = &packet[4 + field..];
        if packet[1] & 0x40 != 0 && payload.starts_with(&[0, 0, 1]) {
            let presentation = time(&payload[9..14]);
            let decoding = if payload[7] == 0xc0 { time(&payload[14..19]) } else { presentation };
            assert!(clock <= decoding && decoding <= presentation);
            times.push((pid, presentation, decoding));
        }
    }
    times
}

/// What ffprobe read of the movie: track, presentation and decoding time in the track's ticks.
fn golden(csv: &str, movie: &Movie) -> Vec<Times> {
    let mut seen = [0; 2];
    let line = |line: &str| {
        let field = line.split(',').map(|it| it.parse::<i64>().unwrap_or(0)).collect::<Vec<_>>();
        let track = &movie.tracks[field[0] as usize].track;
        let sound = track.kind() == TrackKind::Audio;
        let nth = &mut seen[usize::from(sound)];
        *nth += 1;
        let ticks = |at| 900_000 + Timestamp::new(at, track.timescale).rescale(Timescale::VIDEO).ticks();
        let first = !sound || (*nth - 1) % TOGETHER == 0;
        first.then(|| (if sound { 0x101 } else { 0x100 }, ticks(field[1]), ticks(field[2])))
    };
    csv.lines().filter_map(line).collect()
}

fn check(file: &[u8], csv: &str) {
    let movie = movie(file);
    let of_kind = |kind| movie.tracks.iter().find(|it| it.track.kind() == kind);
    let (video, sound) = (of_kind(TrackKind::Video), of_kind(TrackKind::Audio));
    let program = Program::new(video.map(|it| &it.track.config), sound.map(|it| &it.track.config));
    let program = program.expect("H.264 and AAC go into a transport stream");
    let mut all = video.into_iter().chain(sound).flat_map(|it| units(file, it)).collect::<Vec<_>>();
    all.sort_by_key(|(unit, _)| unit.decoding.rescale(Timescale::VIDEO).ticks());

    let (mut stream, mut counters) = (Vec::new(), Continuity::default());
    let begins = |(unit, _): &(Unit, Vec<u8>)| unit.stream == Stream::Video && unit.key;
    let segments = all.chunk_by(|_, next| !begins(next)).collect::<Vec<_>>();
    for segment in segments {
        let units = segment.iter().map(|(unit, _)| unit.clone()).collect::<Vec<_>>();
        let foretold = Muxer::length(&program, &units).unwrap();
        let next = counters.after(&program, &units).unwrap();
        let mut muxer = Muxer::new(program.clone(), units, counters);
        let before = stream.len();
        for piece in segment.iter().flat_map(|(_, bytes)| bytes.chunks(100)) {
            stream.extend_from_slice(&muxer.push(piece).unwrap());
        }
        assert!(muxer.is_done());
        assert_eq!((stream.len() - before) as u64, foretold);
        counters = next;
    }
    let sorted = |mut times: Vec<Times>| {
        times.sort_unstable();
        times
    };
    assert_eq!(sorted(read(&stream)), sorted(golden(csv, &movie)));
}

#[test]
fn pictures_that_wait_for_others_and_primed_sound_keep_their_times() {
    check(include_bytes!("media/bframes.mp4"), include_str!("media/bframes.csv"));
    check(include_bytes!("media/faststart.mp4"), include_str!("media/faststart.csv"));
}

#[test]
fn movies_in_fragments_and_sound_that_begins_late_keep_their_times() {
    check(include_bytes!("media/fragmented.mp4"), include_str!("media/fragmented.csv"));
    check(include_bytes!("media/late-audio.mp4"), include_str!("media/late-audio.csv"));
}

#[test]
fn sound_alone_has_a_clock_of_its_own() {
    check(include_bytes!("media/audio.m4a"), include_str!("media/audio.csv"));
}
