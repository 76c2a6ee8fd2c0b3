//! Files that end early, or lack a part.

use crate::opened::{File, check, told, told_of};
use crate::surgery::{FAST, FILM, FRAGMENTS, at, boxed, patched, sized, without};

#[test]
fn a_file_may_end_anywhere() {
    for film in [FILM, FAST, FRAGMENTS] {
        for end in (0..film.len()).step_by(13).chain(film.len() - 40..film.len()) {
            assert!(!told(&film[..end]).is_empty());
        }
    }
}

#[test]
fn what_is_missing_or_too_large_is_named() {
    check(&[
        ("nothing at all", vec![], "no movie header was found up to byte 0"),
        ("half a head", FILM[..6].to_vec(), "no movie header was found up to byte 0"),
        ("no movie header", FILM[..at(FILM, "moov")].to_vec(), "no movie header was found up to byte 8944"),
        ("half a movie header", FILM[..FILM.len() - 1_000].to_vec(), "the file ends before byte 11985"),
        ("no brands", patched(FILM, at(FILM, "ftyp") + 4, b"free"), "plays v0 in 2, a0 in 2"),
        (
            "half the media",
            FAST[..FAST.len() - 3_000].to_vec(),
            "plays v0 in 1 and 1 that is cut off, a0 in 0 and 2 that is cut off",
        ),
        (
            "an empty movie header",
            [&FILM[..at(FILM, "moov")], &boxed("moov", b"")].concat(),
            "the box moov at byte 8944 has no mvhd",
        ),
        ("no track", without(&["moov", "trak"]), "plays a0 in 2"),
        (
            "a web page",
            b"<!doctype html><title>404</title>".to_vec(),
            "no movie header was found up to byte 33",
        ),
    ]);
}

#[test]
fn a_movie_header_that_says_it_is_huge_is_not_read() {
    let said = |size: u32| sized(FILM, "moov", size);
    let told = |film: &[u8], length| told_of(&File::as_long_as(film, length));
    assert_eq!(
        told(&said(u32::MAX), 1 << 33),
        "the movie header has 4294967295 bytes, more than the limit of 134217728"
    );
    // With a size of 64 bits, to the last of them.
    let moov = at(FILM, "moov");
    let large = |size: u64| [&FILM[..moov], b"\0\0\0\x01moov", &size.to_be_bytes()].concat();
    assert_eq!(
        told(&large(1 << 62), u64::MAX >> 1),
        "the movie header has 4611686018427387904 bytes, more than the limit of 134217728"
    );
    assert_eq!(
        told(&large(1 << 63), u64::MAX),
        "the movie header has 9223372036854775808 bytes, more than the limit of 134217728"
    );
    assert_eq!(
        told(&large(u64::MAX), u64::MAX),
        "the movie header has 18446744073709551615 bytes, more than the limit of 134217728"
    );
    assert_eq!(told(&large(15), 1 << 20), "the box moov at byte 8944 has the impossible size 15");
}

#[test]
fn many_boxes_before_the_movie_header_are_not_walked_for_ever() {
    let film = [boxed("free", b"").repeat(100_000), FILM.to_vec()].concat();
    assert_eq!(told(&film), "no movie header was found up to byte 128");
}
