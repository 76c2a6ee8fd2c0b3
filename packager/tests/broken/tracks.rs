//! Tracks whose description is wrong: clocks, edits, codecs.

use crate::opened::{check, told};
use crate::surgery::{STBL, boxed, table, with, without};

/// The edit list of the pictures with these entries: how long, and from where.
fn edits(entries: &[(u32, i32)]) -> Vec<u8> {
    with(&["moov", "trak", "edts", "elst"], &|_| {
        let mut body = [&[0; 4][..], &(entries.len() as u32).to_be_bytes()].concat();
        for (lasts, from) in entries {
            body.extend([&lasts.to_be_bytes()[..], &from.to_be_bytes(), &[0, 1, 0, 0]].concat());
        }
        body
    })
}

#[test]
fn clocks_that_stand_still_are_named() {
    let still = |path: &[&str]| with(path, &|body| [&body[..12], &[0; 4], &body[16..]].concat());
    check(&[
        ("of the movie", still(&["moov", "mvhd"]), "the box mvhd at byte 8952 says timescale = 0"),
        (
            "of the media",
            still(&["moov", "trak", "mdia", "mdhd"]),
            "plays a0 in 2 but not: the box mdhd at byte 9204 says timescale = 0",
        ),
        (
            "a track without a header",
            without(&["moov", "trak", "tkhd"]),
            "plays a0 in 2 but not: the box trak at byte 9060 has no tkhd",
        ),
        (
            "media without a header",
            without(&["moov", "trak", "mdia", "mdhd"]),
            "plays a0 in 2 but not: the box mdia at byte 9196 has no mdhd",
        ),
    ]);
}

#[test]
fn edits_that_cannot_be_are_left_or_named() {
    check(&[
        ("from before the media", edits(&[(1_600, -2)]), "plays v0 in 2, a0 in 2"),
        ("nothing but a wait", edits(&[(1_600, -1)]), "plays v0 in 2, a0 in 1"),
        (
            "a wait of forty-nine days",
            edits(&[(u32::MAX, -1), (1_600, 0)]),
            "plays a0 in 2 but not: the track lasts longer than ten days, or begins so far away",
        ),
        (
            "overlapping",
            edits(&[(1_000, 0), (1_000, 3_000)]),
            "plays a0 in 2 but not: the edit list cuts the track into 2 pieces",
        ),
        (
            "from behind the media",
            edits(&[(1_600, i32::MAX)]),
            "plays a0 in 2 but not: nothing of the track is shown",
        ),
        ("none", edits(&[]), "plays v0 in 2, a0 in 2"),
        ("65536 of them", edits(&vec![(1, 0); 65_536]), "plays v0 in 2, a0 in 2"),
        ("65536 waits", edits(&vec![(1, -1); 65_536]), "plays v0 in 2, a0 in 2"),
    ]);
}

#[test]
fn descriptions_that_cannot_be_are_named() {
    let entry =
        |change: &dyn Fn(&[u8]) -> Vec<u8>| table("stsd", &|body| [&body[..8], &change(&body[8..])].concat());
    let replaced = |from: &[u8], to: &[u8]| {
        entry(&|body| {
            let at = body.windows(from.len()).position(|it| it == from).expect("it is there");
            [&body[..at], to, &body[at + to.len()..]].concat()
        })
    };
    let record = |change: &dyn Fn(&[u8]) -> Vec<u8>| {
        entry(&|body| {
            let at = body.windows(4).position(|it| it == b"avcC").expect("it is there");
            let size = u32::from_be_bytes(body[at - 4..at].try_into().expect("four octets")) as usize;
            let record = boxed("avcC", &change(&body[at + 4..at - 4 + size]));
            let inner = [&body[8..at - 4], &record[..]].concat();
            boxed("avc1", &inner)
        })
    };
    check(&[
        (
            "of a codec nobody knows",
            replaced(b"avc1", b"xyz1"),
            "plays a0 in 2 but not: the codec xyz1 is not supported",
        ),
        (
            "without its configuration",
            replaced(b"avcC", b"free"),
            "plays a0 in 2 but not: the box avc1 at byte 9369 has no avcC",
        ),
        (
            "said to be encrypted",
            replaced(b"avc1", b"encv"),
            "plays a0 in 2 but not: the track is encrypted (encv)",
        ),
        (
            "two of them",
            { table("stsd", &|body| [&body[..4], &2_u32.to_be_bytes(), &body[8..], &body[8..]].concat()) },
            "plays v0 in 2, a0 in 2",
        ),
        (
            "a configuration without end",
            record(&|it| it[..5].to_vec()),
            "plays a0 in 2 but not: avcC: the record of 5 bytes ends inside a field",
        ),
        (
            "an empty configuration",
            record(&|_| Vec::new()),
            "plays a0 in 2 but not: avcC: the record of 0 bytes ends inside a field",
        ),
        (
            "parameter sets behind the end",
            record(&|it| [&it[..6], &[0xff, 0xff], &it[8..]].concat()),
            "plays a0 in 2 but not: avcC: the record of 43 bytes ends inside a field",
        ),
        (
            "lengths of three octets",
            record(&|it| [&it[..4], &[0xfe], &it[5..]].concat()),
            "plays a0 in 2 but not: avcC: NAL lengths of 3 bytes are not legal",
        ),
        ("garbage behind the sets", record(&|it| [it, &[0xff; 40]].concat()), "plays v0 in 2, a0 in 2"),
        (
            "parameter sets of nothing but ones",
            record(&|it| [&it[..8], &vec![0xff; it.len() - 8]].concat()),
            "plays a0 in 2 but not: avcC: a NAL unit of type 31 stands at byte 8, where a parameter set of type 7 belongs",
        ),
        (
            "H.265 with 255 arrays",
            {
                let mut hevc = vec![1; 22];
                hevc.push(255);
                let inner = |body: &[u8]| [&body[8..86], &boxed("hvcC", &hevc)].concat();
                table("stsd", &|body| [&body[..8], &boxed("hvc1", &inner(&body[8..]))].concat())
            },
            "plays a0 in 2 but not: the box hvcC in the sample entry at byte 9369: the record says numOfArrays = 255",
        ),
    ]);
}

#[test]
fn sound_whose_description_cannot_be_is_left_out() {
    let film = crate::surgery::FILM;
    let esds = crate::surgery::at(film, "esds");
    let patched = |at: usize, octets: &[u8]| crate::surgery::patched(film, esds + at, octets);
    check(&[
        (
            "a descriptor of 268 million octets",
            patched(13, &[0xff, 0xff, 0xff, 0x7f]),
            "plays v0 in 2, a0 in 2",
        ),
        ("a length without end", patched(13, &[0xff; 4]), "plays v0 in 2, a0 in 2"),
        (
            "no descriptor",
            patched(12, &[0; 20]),
            "plays v0 in 2 but not: the box esds at byte 10699 ends inside a field",
        ),
        (
            "sound that is none",
            patched(25, &[0x20]),
            "plays v0 in 2 but not: audio of object type indication 0x20 is not supported",
        ),
    ]);
}

#[test]
fn other_things_in_the_way_are_named() {
    check(&[
        (
            "media in another file",
            {
                with(&["moov", "trak", "mdia", "minf", "dinf", "dref"], &|_| {
                    [&[0, 0, 0, 0, 0, 0, 0, 1][..], &boxed("url ", b"\0\0\0\0file:///etc/passwd\0")].concat()
                })
            },
            "plays a0 in 2 but not: the track's samples stand in another file",
        ),
        (
            "a compressed header",
            {
                with(&["moov"], &|_| {
                    let bomb = [&u32::MAX.to_be_bytes()[..], &[0x78, 0x9c], &[0; 64]].concat();
                    boxed("cmov", &[boxed("dcom", b"zlib"), boxed("cmvd", &bomb)].concat())
                })
            },
            "the movie header is compressed",
        ),
        ("without tables", without(&STBL), "plays a0 in 2 but not: the box minf at byte 9281 has no stbl"),
        (
            "of a kind nobody knows",
            { with(&["moov", "trak", "mdia", "hdlr"], &|body| [&body[..8], b"xyzw", &body[12..]].concat()) },
            "plays a0 in 2 but not: a track of kind xyzw is neither video nor audio",
        ),
    ]);
    assert!(!told(crate::surgery::FILM).contains("but not"));
}
