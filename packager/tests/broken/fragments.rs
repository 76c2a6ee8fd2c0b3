//! Fragments that are wrong.

use crate::opened::{check, told};
use crate::surgery::{FRAGMENTS, at, boxed, patched, sized};

/// The film in fragments, with something before the first.
fn before(extra: &[u8]) -> Vec<u8> {
    let moof = at(FRAGMENTS, "moof");
    [&FRAGMENTS[..moof], extra, &FRAGMENTS[moof..]].concat()
}

#[test]
fn fragments_that_cannot_be_are_left_or_named() {
    let sidx = |first: u32, reference: u32| {
        let head = [0, 1, 30_000, 0, first, 1].map(u32::to_be_bytes).concat();
        boxed("sidx", &[head, [reference, 30_000, 0x9000_0000].map(u32::to_be_bytes).concat()].concat())
    };
    let trun = at(FRAGMENTS, "trun");
    check(&[
        ("an index that leads to itself", before(&sidx(0, 0x8000_0000)), "plays v0 in 2, a0 in 2"),
        ("an index that leads nowhere", before(&sidx(u32::MAX, 0x7fff_ffff)), "plays v0 in 2, a0 in 2"),
        ("an index of nothing", before(&boxed("sidx", &[0; 12])), "plays v0 in 2, a0 in 2"),
        (
            "four thousand million samples",
            patched(FRAGMENTS, trun + 12, &[0xff; 4]),
            "the box trun at byte 1427 says sample_count = 4294967295",
        ),
        ("no samples", patched(FRAGMENTS, trun + 12, &[0; 4]), "plays v0 in 1, a0 in 1"),
        ("media before its fragment", patched(FRAGMENTS, trun + 16, &[0xff; 4]), "plays v0 in 2, a0 in 2"),
        (
            "a track that is not there",
            patched(FRAGMENTS, at(FRAGMENTS, "tfhd") + 12, &[9; 4]),
            "plays v0 in 1, a0 in 1",
        ),
        (
            "a time beyond all",
            patched(FRAGMENTS, at(FRAGMENTS, "tfdt") + 12, &[0x7f; 4]),
            "plays a0 in 2 but not: the track lasts longer than ten days, or begins so far away",
        ),
        (
            "a fragment that ends nowhere",
            sized(FRAGMENTS, "moof", u32::MAX),
            "the movie is fragmented, and no fragment of the track is whole",
        ),
        ("a fragment of nothing", sized(FRAGMENTS, "traf", 8), "the box traf at byte 1371 has no tfhd"),
        (
            "a table of access that leads nowhere",
            {
                let tfra = [&[0; 4][..], &[1_u32, 0x3f, u32::MAX].map(u32::to_be_bytes).concat()].concat();
                let mfro = boxed("mfro", &[0, 60].map(u32::to_be_bytes).concat());
                [FRAGMENTS, &boxed("mfra", &[boxed("tfra", &tfra), mfro].concat())].concat()
            },
            "plays v0 in 2, a0 in 2",
        ),
    ]);
}

#[test]
fn a_hundred_thousand_empty_fragments_are_not_kept() {
    let film = before(&boxed("moof", &[]).repeat(100_000));
    assert_eq!(told(&film), "plays v0 in 2, a0 in 2");
}
