//! Boxes whose sizes are wrong.

use crate::opened::{check, told};
use crate::surgery::{FILM, at, boxed, sized, with};

#[test]
fn sizes_that_cannot_be_are_named() {
    check(&[
        (
            "to the end, inside of another",
            sized(FILM, "mdia", 0),
            "plays a0 in 2 but not: the box mdia at byte 9196 has the impossible size 0",
        ),
        (
            "one, without the larger size",
            sized(FILM, "mdia", 1),
            "plays a0 in 2 but not: the box mdia at byte 9196 has the impossible size 139274250340",
        ),
        (
            "less than a head",
            sized(FILM, "mdia", 4),
            "plays a0 in 2 but not: the box mdia at byte 9196 has the impossible size 4",
        ),
        (
            "a head but for an octet",
            sized(FILM, "mdia", 7),
            "plays a0 in 2 but not: the box mdia at byte 9196 has the impossible size 7",
        ),
        (
            "behind its parent",
            sized(FILM, "stbl", 0x7fff_ffff),
            "plays a0 in 2 but not: the box stbl at byte 9345 has the impossible size 2147483647",
        ),
        (
            "behind everything",
            sized(FILM, "trak", u32::MAX),
            "the box trak at byte 9060 has the impossible size 4294967295",
        ),
        (
            "less than it holds",
            sized(FILM, "trak", 40),
            "the box \\x00\\x00\\x00\\x00 at byte 9100 has the impossible size 0",
        ),
        ("to the end, first of all", sized(FILM, "ftyp", 0), "no movie header was found up to byte 11985"),
        (
            "media that says nothing",
            sized(FILM, "mdat", 7),
            "the box mdat at byte 40 has the impossible size 7",
        ),
    ]);
}

#[test]
fn boxes_nested_ten_thousand_deep_are_not_followed() {
    for kind in ["trak", "mdia", "moov", "udta", "free"] {
        let nested = (0..10_000).fold(Vec::new(), |body, _| boxed(kind, &body));
        let film = with(&["moov"], &|body| [body, &nested].concat());
        assert!(told(&film).starts_with("plays v0 in 2, a0 in 2"), "{kind}: {}", told(&film));
        let film = with(&["moov"], &|body| [&nested, body].concat());
        assert!(!told(&film).is_empty());
    }
    // Where they are in the way.
    let minf = (0..10_000).fold(Vec::new(), |body, _| boxed("minf", &body));
    assert_eq!(
        told(&with(&["moov", "trak", "mdia", "minf"], &|_| minf.clone())),
        "plays a0 in 2 but not: the box minf at byte 9281 has no stbl"
    );
}

#[test]
fn more_boxes_than_any_writer_makes_are_not_walked() {
    let film = with(&["moov"], &|body| [&boxed("free", b"").repeat(50_000)[..], body].concat());
    assert_eq!(told(&film), "the box moov at byte 8944 holds too many boxes");
    let film = with(&["moov"], &|body| {
        let trak = &body[at(body, "trak")..][..at(&body[at(body, "trak") + 8..], "trak") + 8];
        [body, &trak.repeat(200)].concat()
    });
    assert!(told(&film).starts_with("plays v0 in 2, a0 in 2"), "{}", told(&film));
}

#[test]
fn no_box_of_fields_may_end_within_them() {
    for path in PATHS {
        let path: Vec<&str> = path.split('/').collect();
        let kind = path[path.len() - 1];
        let ends = format!("the box {kind} at byte {} ends inside a field", at(FILM, kind));
        // Without the header of the movie there is none; without that of a track there are the others.
        let expected = if kind == "mvhd" { ends } else { format!("plays a0 in 2 but not: {ends}") };
        for length in [0, 3, 7] {
            let cut = with(&path, &|body| body[..length.min(body.len())].to_vec());
            assert_eq!(told(&cut), expected, "{length}");
        }
    }
}

/// Boxes of fields, on the way down to the pictures.
const PATHS: [&str; 11] = [
    "moov/mvhd",
    "moov/trak/tkhd",
    "moov/trak/edts/elst",
    "moov/trak/mdia/mdhd",
    "moov/trak/mdia/hdlr",
    "moov/trak/mdia/minf/stbl/stsd",
    "moov/trak/mdia/minf/stbl/stts",
    "moov/trak/mdia/minf/stbl/stss",
    "moov/trak/mdia/minf/stbl/ctts",
    "moov/trak/mdia/minf/stbl/stsc",
    "moov/trak/mdia/minf/stbl/stsz",
];
