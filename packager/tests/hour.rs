//! What an hour of a film takes in memory. The hour is a second and a half of a real one, whose tables are repeated.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use levada_packager as packager;
use packager::asset::{Stored, Version};
use packager::isobmff::locate::Moov;
use packager::isobmff::reader::Boxed;
use packager::media::TrackKind;
use packager::vod::{Asset, Header, Pages, Segment, TrackName};

const FILM: &[u8] = include_bytes!("media/bframes.mp4");

/// Its 48 pictures last 1.6 s.
const TIMES: u32 = 2_250;

const PICTURES: TrackName = TrackName { kind: TrackKind::Video, index: 0 };

const TARGET: Duration = Duration::from_secs(6);

/// A film of about an hour, without its media.
fn hour() -> Header {
    let at = FILM.windows(4).position(|it| it == b"moov").unwrap() - 4;
    let moov = Boxed::first(&Bytes::from_static(&FILM[at..]), at as u64).unwrap();
    let bytes = repeated(&moov).into();
    let length = FILM.len() as u64 * u64::from(TIMES);
    Header {
        stored: Stored { length, version: Version::new("1") },
        moov: Moov { offset: length, bytes },
        fragments: Vec::new(),
    }
}

/// A box whose tables say everything so many times, one copy of the film after the other.
fn repeated(it: &Boxed) -> Vec<u8> {
    let all = |it: &Boxed| it.children().map(Result::unwrap).collect::<Vec<_>>();
    let body: Vec<u8> = match &it.kind().0 {
        // It would show the first copy alone.
        b"edts" => return Vec::new(),
        b"moov" | b"trak" | b"mdia" | b"minf" => all(it).iter().flat_map(repeated).collect(),
        b"stbl" => {
            let (samples, chunks) = (count(it, b"stsz", 8), count(it, b"stco", 4));
            let table = |it: &Boxed| match &it.kind().0 {
                b"stts" | b"ctts" => table(it, 4, 2, 0),
                b"stsz" => table(it, 8, 1, 0),
                b"stss" => table(it, 4, 1, samples),
                b"stco" => table(it, 4, 1, FILM.len() as u32),
                b"stsc" => table(it, 4, 3, chunks),
                _ => it.body().to_vec(),
            };
            all(it).iter().flat_map(|it| boxed(it, &table(it))).collect()
        }
        _ => it.body().to_vec(),
    };
    boxed(it, &body)
}

fn boxed(like: &Boxed, body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 8).to_be_bytes()[..], &like.kind().0, body].concat()
}

/// How many entries a table has, which is said at that place of it.
fn count(stbl: &Boxed, kind: &[u8; 4], at: usize) -> u32 {
    u32::from_be_bytes(stbl.required(kind).unwrap().body()[at..at + 4].try_into().unwrap())
}

/// A table of rows of so many words, behind their count at `at`; in each copy the first word of a row is larger by `step`.
fn table(it: &Boxed, at: usize, words: usize, step: u32) -> Vec<u8> {
    let (head, rows) = it.body().split_at(at + 4);
    let rows: Vec<u32> = rows.chunks(4).map(|it| u32::from_be_bytes(it.try_into().unwrap())).collect();
    let mut body = head[..at].to_vec();
    body.extend((rows.len() as u32 / words as u32 * TIMES).to_be_bytes());
    for copy in 0..TIMES {
        for row in rows.chunks(words) {
            body.extend((row[0] + copy * step).to_be_bytes());
            body.extend(row[1..].iter().flat_map(|it| it.to_be_bytes()));
        }
    }
    body
}

#[test]
fn an_hour_takes_less_than_half_of_its_header() {
    let header = hour();
    let tables = header.moov.bytes.len();
    let asset = Asset::new(vec![header], TARGET).unwrap();
    let playlist = asset.media_playlist(PICTURES).unwrap();
    assert_eq!(playlist.matches("#EXTINF").count(), 601);
    assert!(asset.weight() < tables / 2, "{} of {tables} octets", asset.weight());
}

/// A record in memory, for who needs no more of it than that it is read.
#[derive(Debug)]
struct Shelf(Bytes);

impl Pages for Shelf {
    fn read(&self, range: Range<u64>) -> Option<Bytes> {
        let range = usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?;
        self.0.get(range).map(|it| self.0.slice_ref(it))
    }

    fn spoilt(&self) {}
}

#[test]
fn an_hour_of_pictures_and_sound_takes_less_than_a_hundred_thousand_octets_each_beside_its_record() {
    let header = hour();
    let stored = vec![header.stored.clone()];
    let mut asset = Asset::new(vec![header], TARGET).unwrap();
    let record = Bytes::from(asset.record().unwrap());
    asset.leave_to(&(Arc::new(Shelf(record.clone())) as _), record.len() as u64);
    assert!(asset.weight() < 2 * 100_000, "{}", asset.weight());
    // What was read again holds no more, and says the same.
    let mut again = Asset::of_record(&record, stored, TARGET).unwrap();
    again.leave_to(&(Arc::new(Shelf(record.clone())) as _), record.len() as u64);
    assert_eq!(again.weight(), asset.weight());
    for n in [0, 300, 600] {
        assert_eq!(
            again.segment(PICTURES, n).and_then(Segment::stored).unwrap(),
            asset.segment(PICTURES, n).and_then(Segment::stored).unwrap()
        );
    }
}
