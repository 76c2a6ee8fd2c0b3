//! What a server cannot mend, because it is in the pictures and the sound, `levada probe` tells: Apple's rules again.

use std::time::Duration;

use crate::titles::{self, BFRAMES, LATE_AUDIO, Title, VARIABLE};

fn remarks(title: &Title) -> Vec<String> {
    title.asset.report(Duration::from_secs(1)).remarks
}

fn tells(files: &[&[u8]], word: &str) {
    let title = Title::of("told", files, 1);
    let told = remarks(&title);
    assert!(told.iter().any(|it| it.contains(word)), "{told:?} says nothing of {word}");
}

/// The first sample film, whose octets at the first occurrence of `from` are others.
fn changed(from: &[u8], skip: usize, to: &[u8]) -> Vec<u8> {
    let mut film = BFRAMES.to_vec();
    let at = film.windows(from.len()).position(|it| it == from).expect("the film has it") + skip;
    film[at..at + to.len()].copy_from_slice(to);
    film
}

/// The first sample film, whose last picture has a megabyte.
fn uneven() -> Vec<u8> {
    let stsz = BFRAMES.windows(4).position(|it| it == b"stsz").expect("the film has it");
    let count = u32::from_be_bytes(BFRAMES[stsz + 12..stsz + 16].try_into().expect("four octets")) as usize;
    let mut film = BFRAMES.to_vec();
    let last = stsz + 16 + 4 * (count - 1);
    film[last..last + 4].copy_from_slice(&1_000_000_u32.to_be_bytes());
    film
}

#[test]
fn apple_1_13_key_frames_far_apart_are_told() {
    // Key frames two thirds of a second apart, where media counts slower and the edit list does not cut it.
    let at = |kind: &[u8]| VARIABLE.windows(4).position(|it| it == kind).expect("the film has it");
    let mut film = VARIABLE.to_vec();
    film[at(b"elst") + 12..at(b"elst") + 16].fill(0);
    let slow = |hertz: u32| {
        let mut film = film.clone();
        film[at(b"mdhd") + 16..at(b"mdhd") + 20].copy_from_slice(&hertz.to_be_bytes());
        film
    };
    let told = |hertz| {
        let target = Duration::from_secs(6);
        Title::of("slow", &[&slow(hertz)], target.as_secs()).asset.report(target).remarks
    };
    assert!(told(30_000).iter().all(|it| !it.contains("key frames")), "{:?}", told(30_000));
    let told = told(15_000);
    assert!(told.iter().any(|it| it.starts_with("v0: key frames are up to 5.0 s apart")), "{told:?}");
}

#[test]
fn apple_7_4_open_groups_of_pictures_are_told() {
    let told = remarks(&titles::open());
    assert!(told.iter().any(|it| it.contains("closed groups of pictures")), "{told:?}");
}

#[test]
fn apple_1_19_more_than_sixty_pictures_a_second_are_told() {
    tells(&[&changed(b"mdhd", 16, &120_000_u32.to_be_bytes())], "v0: it has 119.88 pictures a second");
}

#[test]
fn apple_1_30_a_peak_of_twice_the_average_is_told() {
    let film = uneven();
    let told = remarks(&Title::of("uneven", &[&film], 1));
    assert!(told.iter().any(|it| it.contains("at its peak it takes")), "{told:?}");
}

#[test]
fn apple_1_33_qualities_of_different_shapes_are_told() {
    tells(&[BFRAMES, LATE_AUDIO], "have different shapes");
}

#[test]
fn apple_2_3_that_no_sound_is_for_all_players_is_told() {
    // An AudioSpecificConfig of six channels.
    tells(
        &[&changed(&[0x05, 0x80, 0x80, 0x80, 0x05, 0x11, 0x88], 6, &[0xb0])],
        "none of its sound is stereo",
    );
}

#[test]
fn apple_2_15_sound_that_ends_before_the_pictures_is_told() {
    // Sound that counts four times as fast.
    let mut film = BFRAMES.to_vec();
    let at = film.windows(4).rposition(|it| it == b"mdhd").expect("the film has it") + 16;
    film[at..at + 4].copy_from_slice(&192_000_u32.to_be_bytes());
    tells(&[&film], "a0: it ends at");
}

#[test]
fn apple_9_21_that_slow_networks_are_not_thought_of_is_told() {
    assert!(remarks(&titles::ladder()).iter().all(|it| !it.contains("slow networks")));
    tells(&[&uneven()], "its smallest quality takes");
}
