//! What holds for every broadcast, whatever its publishers do.

mod mpd;

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use m3u8_rs::{MediaPlaylist, parse_media_playlist_res};
use proptest::prelude::*;

use super::example::{
    Encoder, Studio, audio_config, lines, picture, sized_video_config, sound, video_config,
};
use super::{Answer, Input, Look, Resource, Window};
use crate::isobmff::fragment::tests::read_back;
use crate::media::{Sample, Sync, Timescale, TrackKind};

/// The playlists of a track as they were shown, with the time.
pub(super) fn playlists(studio: &Studio, track: TrackKind) -> Vec<(i64, String)> {
    let mut all: Vec<(i64, String)> = Vec::new();
    for (at, window) in &studio.windows {
        if let Some(text) = playlist(window, track)
            && all.last().is_none_or(|it| it.1 != text)
        {
            all.push((*at, text));
        }
    }
    all
}

fn playlist(window: &Window, track: TrackKind) -> Option<String> {
    match window.look(Resource::Playlist(track, None)) {
        Look::Now(Answer::Found { chunks, .. }) => Some(String::from_utf8(chunks.concat()).unwrap()),
        _ => None,
    }
}

pub(super) fn read(text: &str) -> MediaPlaylist {
    parse_media_playlist_res(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// What RFC 8216bis asks of every playlist of a track, and of each after the one before.
pub(super) fn check_laws(studio: &Studio) {
    for track in [TrackKind::Video, TrackKind::Audio] {
        let mut names: HashMap<u64, String> = HashMap::new();
        let mut lengths: HashMap<String, String> = HashMap::new();
        let mut before: Option<(MediaPlaylist, Vec<String>, String)> = None;
        for (_, text) in playlists(studio, track) {
            let now = read(&text);
            let target = now.target_duration;
            let part_target: f64 = lines(&text, "#EXT-X-PART-INF:PART-TARGET=")[0].parse().unwrap();
            let constants: Vec<_> = text.lines().take(5).map(str::to_owned).collect();
            for (number, segment) in (now.media_sequence..).zip(&now.segments) {
                assert!(f64::from(segment.duration).round() <= target as f64, "{text}");
                let named = names.entry(number).or_insert_with(|| segment.uri.clone());
                assert_eq!(*named, segment.uri, "a number changed its segment");
            }
            check_parts(&text, part_target);
            for (uri, length) in lengths_said(&text) {
                let said = lengths.entry(uri.clone()).or_insert_with(|| length.clone());
                assert_eq!(*said, length, "{uri} changed its length");
            }
            if let Some((older, older_constants, older_text)) = &before {
                assert_eq!(*older_constants, constants, "constants changed");
                assert!(now.media_sequence >= older.media_sequence, "{older_text}{text}");
                assert!(now.discontinuity_sequence >= older.discontinuity_sequence);
                let end = |it: &MediaPlaylist| it.media_sequence + it.segments.len() as u64;
                assert!(end(&now) >= end(older), "a segment vanished from the end");
            }
            before = Some((now, constants, text));
        }
        assert_eq!(names.values().collect::<HashSet<_>>().len(), names.len(), "a name was used twice");
    }
    mpd::check(studio);
}

/// All that a playlist says of a part or a segment, by its URI.
fn lengths_said(text: &str) -> Vec<(String, String)> {
    let (mut said, mut above) = (Vec::new(), String::new());
    for line in text.lines() {
        if let Some(attributes) = line.strip_prefix("#EXT-X-PART:") {
            said.push((uri(attributes), attributes.to_owned()));
        } else if line.starts_with("#EXTINF:") || line.starts_with("#EXT-X-PROGRAM-DATE-TIME:") {
            above.push_str(line);
        } else if !line.starts_with('#') {
            said.push((line.to_owned(), std::mem::take(&mut above)));
        }
    }
    said
}

/// Parts are no longer than the target; those that are not the last of their segment no shorter than 85 % of it; those of
/// a segment add up to it.
fn check_parts(text: &str, target: f64) {
    let mut parts: Vec<f64> = Vec::new();
    let check = |parts: &[f64]| {
        for (index, part) in parts.iter().enumerate() {
            assert!(*part <= target + 1e-9, "{part} of {target} in\n{text}");
            assert!(
                index + 1 == parts.len() || *part >= target * 0.85 - 1e-4,
                "{part} of {target} in\n{text}"
            );
        }
    };
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("#EXT-X-PART:DURATION=") {
            parts.push(rest.split(',').next().unwrap().parse().unwrap());
        } else if let Some(rest) = line.strip_prefix("#EXTINF:") {
            let whole: f64 = rest.trim_end_matches(',').parse().unwrap();
            let sum: f64 = parts.iter().sum();
            assert!(parts.is_empty() || (sum - whole).abs() < 1e-3, "{sum} is not {whole} in\n{text}");
            check(&parts);
            parts.clear();
        }
    }
    // The open segment's newest part is not known to be its last.
    if let Some((newest, others)) = parts.split_last() {
        assert!(*newest <= target + 1e-9);
        check(others);
    }
}

/// The URI among a tag's attributes.
pub(super) fn uri(attributes: &str) -> String {
    attributes.split("URI=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

/// What was written of a track over all its parts: where each sample is decoded, where it is shown, and all payload.
fn written(studio: &Studio, track: TrackKind) -> (Vec<i64>, Vec<i64>, Bytes) {
    let (mut decoded, mut shown, mut payload) = (Vec::new(), Vec::new(), Vec::new());
    let (mut seen, mut expected) = (HashSet::new(), None);
    let windows = studio.windows.iter().filter_map(|it| it.1.tracks[track].as_ref());
    let parts = windows.flat_map(|it| {
        let closed = it.segments.iter().flat_map(|it| it.parts());
        closed.chain(it.open_parts.iter().map(|it| (it.name, &*it.chunks)))
    });
    for (name, chunks) in parts {
        if !seen.insert(name) {
            continue;
        }
        let (base, entries, octets) = read_back(&chunks.concat().into()).unwrap();
        let mut at = i64::try_from(base).unwrap();
        assert!(expected.is_none_or(|it| it == at), "a hole before {name:?}: {expected:?} {at}");
        for entry in entries {
            decoded.push(at);
            shown.push(at + i64::from(entry.composition_offset));
            at += i64::from(entry.duration);
        }
        expected = Some(at);
        payload.extend_from_slice(&octets);
    }
    (decoded, shown, payload.into())
}

fn samples(inputs: &[(i64, Input)], track: TrackKind) -> Vec<Sample> {
    let of_track = |it: &(i64, Input)| match &it.1 {
        Input::Sample(kind, sample) if *kind == track => Some(sample.clone()),
        _ => None,
    };
    inputs.iter().filter_map(of_track).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Pictures at any rate, with any reordering, key frames anywhere: what is written is what came, shown exactly
    /// when it should be, decoded without holes.
    #[test]
    fn every_picture_is_written_once_and_shown_at_its_time(
        steps in prop::collection::vec((1_i64..400, 0_i32..20_000, 0_u8..12), 30..200),
        origin in 0_i64..1 << 33,
    ) {
        let mut inputs = Vec::new();
        let mut at = 0;
        for (index, (step, offset, key)) in steps.into_iter().enumerate() {
            let sync = if key == 0 || index == 0 { Sync::Key } else { Sync::Delta };
            let Input::Sample(kind, sample) = picture(origin + at, sync) else { unreachable!() };
            inputs.push((at, Input::Sample(kind, Sample { composition_offset: offset, ..sample })));
            at += step;
        }
        let mut studio = Studio::open();
        studio.publish().say(Input::Configure(video_config()));
        for (at, input) in &inputs {
            studio.wait(at - studio.clock).say(input.clone());
        }
        check_laws(&studio);
        let came = samples(&inputs, TrackKind::Video);
        let (_, shown, payload) = written(&studio, TrackKind::Video);
        prop_assume!(!shown.is_empty());
        let octets: Vec<u8> = came.iter().flat_map(|it| it.payload.to_vec()).collect();
        prop_assert!(octets.starts_with(&payload));
        let shift = shown[0] - came[0].pts().ticks();
        let expected: Vec<_> = came.iter().map(|it| it.pts().ticks() + shift).take(shown.len()).collect();
        prop_assert_eq!(shown, expected);
    }

    /// Sound and pictures of a steady encoder stay together to a tick, whatever the origin and the key frames.
    #[test]
    fn sound_and_pictures_stay_together(
        origin in 0_i64..1 << 33,
        gop in 10_i64..150,
        pictures in prop_oneof![Just(20_i64), Just(40), Just(100)],
    ) {
        let encoder = Encoder { origin, gop: gop * pictures, picture: pictures, length: 14_000, audio: true };
        let mut studio = Studio::open();
        studio.connect(encoder).send(encoder);
        check_laws(&studio);
        let inputs = encoder.samples();
        let (_, video, octets) = written(&studio, TrackKind::Video);
        prop_assert!(octets.len() > 300);
        let (audio, _, octets) = written(&studio, TrackKind::Audio);
        prop_assert!(octets.len() > 300);
        // Both begin at the origin: sound 0 with picture 0.
        let rate = Timescale::new(48_000).unwrap();
        let first = |ticks: i64, timescale| crate::media::Timestamp::new(ticks, timescale).rescale(rate).ticks();
        prop_assert!((first(video[0], Timescale::VIDEO) - audio[0]).abs() <= 1);
        let came = samples(&inputs, TrackKind::Audio);
        let first = came[0].dts.ticks();
        for (written, came) in audio.iter().zip(&came) {
            prop_assert_eq!(written - audio[0], came.dts.ticks() - first);
        }
    }

    /// Key frames that come when they are foreseen, sooner, later or not at all, and pauses now and then: what a playlist or
    /// an MPD has said of a segment stays true.
    #[test]
    fn what_was_said_of_a_segment_is_said_of_it_for_good(
        rate in prop_oneof![Just(24_i64), Just(25), Just(30), Just(60)],
        gop in 20_i64..70,
        jitter in prop::collection::vec(-6_i64..=6, 40..300),
        pauses in prop::collection::vec((0_usize..300, 100_i64..6_000), 0..4),
        odd in prop::collection::vec(0_i64..600, 0..6),
        reordered in any::<bool>(),
        heard in any::<bool>(),
    ) {
        let mut studio = Studio::open();
        studio.publish().say(Input::Configure(video_config()));
        if heard {
            studio.say(Input::Configure(audio_config()));
        }
        let (mut at, mut sounds) = (0, 0);
        for (index, jitter) in (0_i64..).zip(jitter.iter().cycle().take(jitter.len() * 2)) {
            at += pauses.iter().filter(|it| i64::try_from(it.0) == Ok(index)).map(|it| it.1).sum::<i64>();
            let due = at + index * 1_000 / rate + jitter;
            studio.wait((due - studio.clock).max(0));
            let sync = if (index % gop == 0) != odd.contains(&index) { Sync::Key } else { Sync::Delta };
            let Input::Sample(kind, sample) = picture(due.max(0), sync) else { unreachable!() };
            let offset = if reordered { [6_000, 12_000, 3_000][(index % 3) as usize] } else { 0 };
            studio.say(Input::Sample(kind, Sample { composition_offset: offset, ..sample }));
            while heard && sounds * 1_024 / 48 <= due {
                studio.say(sound(0, sounds));
                sounds += 1;
            }
        }
        studio.unpublish().wait(31_000);
        check_laws(&studio);
    }

    /// Whatever is said in whatever order, no law of playlists is broken and nothing panics.
    #[test]
    fn no_publisher_breaks_the_playlists(
        acts in prop::collection::vec((0_u8..40, 0_i64..3_000, any::<bool>()), 1..400),
    ) {
        let mut studio = Studio::open();
        let (mut video, mut audio) = (0, 0);
        for (act, amount, flag) in acts {
            let sync = if flag { Sync::Key } else { Sync::Delta };
            match act {
                0 => { studio.publish(); }
                1 => { studio.unpublish(); }
                2 => { studio.say(Input::Discontinuity); }
                3 => { studio.say(Input::Configure(if flag { video_config() } else { sized_video_config(64, 64) })); }
                4 => { studio.say(Input::Configure(audio_config())); }
                5 => { studio.wait(amount); }
                6 => video += amount * 7 - 9_000,
                7 => audio += amount / 10 - 100,
                8..24 => {
                    video += if act < 10 { amount } else { 33 };
                    studio.say(picture(video, sync)).wait(33);
                }
                _ => {
                    for _ in 0..amount / 500 {
                        audio += 1;
                        studio.say(sound(0, audio));
                    }
                }
            }
        }
        check_laws(&studio);
    }
}
