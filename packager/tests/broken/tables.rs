//! Tables of samples that are wrong.

use crate::opened::{check, told};
use crate::surgery::{FILM, at, table};

/// A table with another number of entries than it has, which is said at that place of it.
fn counted(kind: &str, at: usize, count: &dyn Fn(u32) -> u32) -> Vec<u8> {
    table(kind, &|body| {
        let said = u32::from_be_bytes(body[at..at + 4].try_into().expect("four octets"));
        [&body[..at], &count(said).to_be_bytes(), &body[at + 4..]].concat()
    })
}

/// A table with another word at a place.
fn word(kind: &str, at: usize, word: u32) -> Vec<u8> {
    table(kind, &|body| [&body[..at], &word.to_be_bytes(), &body[at + 4..]].concat())
}

/// Tables, and where they say how many entries they have.
const TABLES: [(&str, usize); 6] =
    [("stts", 4), ("ctts", 4), ("stss", 4), ("stsc", 4), ("stsz", 8), ("stco", 4)];

#[test]
fn no_count_is_believed_before_its_entries_are_there() {
    for (kind, place) in TABLES {
        for count in [&(|_| u32::MAX) as &dyn Fn(u32) -> u32, &|it| it + 1] {
            let said =
                u32::from_be_bytes(FILM[at(FILM, kind) + 8 + place..][..4].try_into().expect("four octets"));
            let expected = format!(
                "plays a0 in 2 but not: the box {kind} at byte {} announces {} entries, which it cannot hold",
                at(FILM, kind),
                count(said)
            );
            assert_eq!(told(&counted(kind, place, count)), expected);
        }
        let expected = match kind {
            "stss" => "the video track has no key frame".to_owned(),
            // What is missing is said of what would have it.
            "stsc" => format!("the box stbl at byte {} has no stsc", at(FILM, "stbl")),
            _ => format!("the box stbl at byte {} has no stsz", at(FILM, "stbl")),
        };
        let empty = counted(kind, place, &|_| 0);
        assert_eq!(told(&empty), format!("plays a0 in 2 but not: {expected}"), "{kind}");
    }
}

#[test]
fn entries_that_cannot_be_are_named() {
    check(&[
        (
            "no chunk of that number",
            word("stsc", 8, 0),
            "plays a0 in 2 but not: the box stsc at byte 9902 says first_chunk = 0",
        ),
        (
            "chunks without samples",
            word("stsc", 12, 0),
            "plays a0 in 2 but not: the box stsc at byte 9902 says samples_per_chunk = 0",
        ),
        ("four thousand million samples in a chunk", word("stsc", 12, u32::MAX), "plays v0 in 2, a0 in 2"),
        (
            "a description that is not there",
            word("stsc", 16, 9),
            "plays a0 in 2 but not: the track has 2 decoder configurations",
        ),
        ("fewer sizes than times", counted("stsz", 8, &|it| it - 10), "plays v0 in 1, a0 in 1"),
        (
            "a sample of four gigabytes",
            word("stsz", 12, u32::MAX),
            "plays a0 in 2 but not: the box stsz at byte 9942 says sample_size = 4294967295",
        ),
        (
            "all samples of four gigabytes",
            word("stsz", 4, u32::MAX),
            "plays a0 in 2 but not: the box stsz at byte 9942 says sample_size = 4294967295",
        ),
        (
            "four thousand million samples of one size",
            { table("stsz", &|_| [&[0; 4][..], &1_u32.to_be_bytes(), &u32::MAX.to_be_bytes()].concat()) },
            "plays v0 in 2, a0 in 2",
        ),
        (
            "samples of nothing",
            table("stsz", &|body| [&body[..12], &vec![0; body.len() - 12][..]].concat()),
            "plays a0 in 2 but not: nothing of the track is shown",
        ),
        ("a chunk behind the end", word("stco", 8, u32::MAX), "plays v0 in 1 and 1 that is cut off, a0 in 2"),
        ("fewer chunks than are filled", counted("stco", 4, &|_| 1), "plays v0 in 1, a0 in 2"),
        (
            "key frames out of order",
            word("stss", 8, 40),
            "plays a0 in 2 but not: the box stss at byte 9566 says sample_number = 16",
        ),
        (
            "a key frame that is no sample",
            word("stss", 12, 4_000),
            "plays a0 in 2 but not: the box stss at byte 9566 says sample_number = 31",
        ),
        (
            "key frame zero",
            word("stss", 8, 0),
            "plays a0 in 2 but not: the box stss at byte 9566 says sample_number = 0",
        ),
        (
            "no key frame",
            table("stss", &|_| vec![0; 8]),
            "plays a0 in 2 but not: the video track has no key frame",
        ),
        (
            "samples that last no time",
            word("stts", 12, 0),
            "plays a0 in 2 but not: the box stts at byte 9542 says duration = 0",
        ),
        ("samples that last back", word("stts", 12, 0xffff_fff0), "plays v0 in 1, a0 in 3"),
        ("offsets below zero in a table of none", word("ctts", 12, 0xffff_fc00), "plays v0 in 2, a0 in 2"),
        ("offsets beyond everything", word("ctts", 12, 0x7fff_ffff), "plays v0 in 1, a0 in 1"),
    ]);
}
