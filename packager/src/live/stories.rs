//! Whole broadcasts in simulated time: what viewers see when publishers do what publishers do.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use m3u8_rs::{MediaPlaylist, parse_master_playlist_res};

use super::example::{
    Encoder, Studio, WALL, audio_config, lines, ms, picture, settings, sized_video_config, sound,
    video_config, wall,
};
use super::laws::{check_laws, playlists, read, uri};
use super::packer::PartName;
use super::{Answer, Input, Lifetime, Look, Record, Settings, Warning};
use crate::codec::aac;
use crate::isobmff::fragment::tests::read_back;
use crate::media::{CodecConfig, Sync, TrackKind};

#[test]
fn the_first_playlists_stand_when_the_first_segment_has_closed() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL).send(Encoder { length: 4_600, ..Encoder::TYPICAL });
    // The key frame at 2,000 ms closes the first segment.
    assert_eq!(studio.windows[0].0, 2_000);
    insta::assert_snapshot!(studio.text("index.m3u8"));
    insta::assert_snapshot!(studio.text("video/index.m3u8"));
    insta::assert_snapshot!(studio.text("audio/index.m3u8"));
    insta::assert_snapshot!(studio.text("manifest.mpd"));
    check_laws(&studio);
}

#[test]
fn nobody_is_shown_pictures_without_their_sound() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL).send(Encoder::TYPICAL);
    let described: Vec<_> = studio.windows.iter().filter_map(|(_, it)| it.multivariant.as_ref()).collect();
    assert!(described.len() > 2);
    for it in described {
        assert!(str::from_utf8(&it.text).unwrap().contains("audio/index.m3u8"));
    }
}

#[test]
fn an_independent_reader_reads_what_players_get() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL).send(Encoder::TYPICAL);
    let text = studio.text("index.m3u8");
    let multivariant = parse_master_playlist_res(text.as_bytes()).unwrap();
    assert_eq!(multivariant.variants.len(), 1);
    assert_eq!(multivariant.variants[0].codecs.as_deref(), Some("avc1.64001f,mp4a.40.2"));
    assert_eq!(multivariant.alternatives[0].uri.as_deref(), Some("audio/index.m3u8"));
    let media = read(&studio.text("video/index.m3u8"));
    assert_eq!(media.segments.iter().map(|it| it.duration).collect::<Vec<_>>(), [2.0; 5]);
    assert_eq!(media.media_sequence, WALL);
    assert!(!media.end_list);
}

#[test]
fn each_part_is_listed_when_its_last_sample_has_come() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL).send(Encoder { audio: false, ..Encoder::TYPICAL });
    let mut seen = 0;
    for (at, text) in playlists(&studio, TrackKind::Video).into_iter().skip(1) {
        let parts = lines(&text, "#EXT-X-PART:").len();
        // Fifty pictures of 40 ms are seven parts, whose last pictures come then. The last picture of a segment comes at
        // 1,960 ms, but that a key frame follows is only known when two groups of pictures were of one length.
        let last = if at < 5_000 { 0 } else { 1_960 };
        let ends = [240, 520, 800, 1_080, 1_360, 1_680, last];
        assert!(ends.contains(&(at % 2_000)), "a playlist at {at} with {parts} parts");
        seen += 1;
    }
    assert!(seen > 20);
}

#[test]
fn where_key_frames_come_evenly_no_segment_ends_with_a_splinter() {
    for (picture, gop) in [(40, 1_000), (40, 2_000), (20, 2_000), (50, 2_000), (40, 480)] {
        let mut studio = Studio::open();
        studio.connect(Encoder::TYPICAL).send(Encoder { picture, gop, length: 12_000, ..Encoder::TYPICAL });
        check_laws(&studio);
        for (_, text) in
            [TrackKind::Video, TrackKind::Audio].into_iter().flat_map(|it| playlists(&studio, it))
        {
            let ends = text.lines().zip(text.lines().skip(1)).filter(|it| it.1.starts_with("#EXTINF:"));
            // hls.js takes a segment for whole when 0.2 s of it are missing. The first segment is shorter than the
            // others, and nobody sees it grow.
            for last in ends.skip(1).filter_map(|it| it.0.strip_prefix("#EXT-X-PART:DURATION=")) {
                let length: f64 = last.split(',').next().unwrap().parse().unwrap();
                assert!(length > 0.2, "{picture} ms, {gop} ms: a last part of {length} s:\n{text}");
            }
        }
    }
}

#[test]
fn the_hinted_name_is_the_next_part_also_across_segments() {
    // 320 ms divide neither 2,000 ms nor the 2,560 ms of the second publisher; there a segment ends with a full part.
    for gop in [2_000, 2_560] {
        let mut studio = Studio::open();
        studio.connect(Encoder::TYPICAL).send(Encoder { gop, length: 20_000, ..Encoder::TYPICAL });
        for track in [TrackKind::Video, TrackKind::Audio] {
            let mut hint: Option<String> = None;
            let mut listed: HashSet<String> = HashSet::new();
            for (_, text) in playlists(&studio, track) {
                let parts: Vec<_> = lines(&text, "#EXT-X-PART:").iter().map(|it| uri(it)).collect();
                if let Some(hint) = &hint {
                    let new = parts.iter().find(|it| !listed.contains(*it));
                    assert!(new.is_none_or(|it| it == hint), "{hint} was hinted, {new:?} came");
                }
                listed.extend(parts);
                hint = lines(&text, "#EXT-X-PRELOAD-HINT:").first().map(|it| uri(it));
                assert!(hint.is_some());
            }
        }
        check_laws(&studio);
    }
}

#[test]
fn an_encoder_with_even_key_frames_gets_names_that_tell_the_segment() {
    let mut studio = Studio::open();
    // Two seconds are six parts of ten pictures: every segment ends with a full part.
    let even = Encoder { length: 20_000, picture: 33, gop: 1_980, ..Encoder::TYPICAL };
    studio.connect(even).send(even);
    check_laws(&studio);
    for (_, track) in studio.window.tracks.existing() {
        // Two groups of pictures make it even, so the third key frame is the last that comes unforeseen.
        for segment in track.segments.iter().skip(3) {
            let own = PartName { media_sequence: segment.closing.media_sequence, index: 0 };
            assert_eq!(segment.part(0).unwrap().0, own);
        }
    }
}

#[test]
fn parts_joined_are_the_segment() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL).send(Encoder { length: 9_000, gop: 2_560, ..Encoder::TYPICAL });
    let mut compared = 0;
    for track in ["video", "audio"] {
        let text = studio.text(&format!("{track}/index.m3u8"));
        let mut joined: Vec<u8> = Vec::new();
        for line in text.lines() {
            if line.starts_with("#EXT-X-PART:") {
                joined.extend(studio.octets(&format!("{track}/{}", uri(line))));
            } else if !line.starts_with('#') && !joined.is_empty() {
                assert!(studio.octets(&format!("{track}/{line}")) == joined, "{line}");
                joined.clear();
                compared += 1;
            }
        }
    }
    assert!(compared >= 4);
}

#[test]
fn a_killed_publisher_that_comes_back_costs_one_discontinuity() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL).send(Encoder { length: 7_000, ..Encoder::TYPICAL });
    studio.unpublish().wait(5_000);
    let alone = studio.text("video/index.m3u8");
    assert!(!alone.contains("PRELOAD-HINT") && !alone.contains("ENDLIST"), "{alone}");
    // Players that count discontinuities to the end of a playlist learn of this one before it is there.
    assert!(alone.ends_with("#EXT-X-DISCONTINUITY\n"), "{alone}");
    studio.connect(Encoder::TYPICAL).send(Encoder { length: 7_000, origin: 500_000, ..Encoder::TYPICAL });
    check_laws(&studio);
    for track in ["video", "audio"] {
        let text = studio.text(&format!("{track}/index.m3u8"));
        assert_eq!(lines(&text, "#EXT-X-DISCONTINUITY").len(), 2, "the tag and the sequence in\n{text}");
        assert_eq!(lines(&text, "#EXT-X-DISCONTINUITY-SEQUENCE:"), ["0"]);
        assert_eq!(lines(&text, "#EXT-X-MAP:").len(), 2);
        // One configuration, one init segment.
        assert_eq!(lines(&text, "#EXT-X-MAP:").into_iter().collect::<HashSet<_>>().len(), 1);
        assert!(lines(&text, "#EXT-X-PROGRAM-DATE-TIME:").contains(&"2026-02-03T10:00:11.800Z"), "{text}");
    }
    assert!(studio.text("manifest.mpd").contains("<Period id=\"1770112812000\" start=\"PT12.99S\">"));
    // The first picture of the second publisher is listed within a part of its coming.
    let back = playlists(&studio, TrackKind::Video)
        .into_iter()
        .find(|it| it.1.contains("#EXT-X-DISCONTINUITY\n#EXT-X-MAP"));
    assert!(back.unwrap().0 <= 12_000 + 280);
}

#[test]
fn a_publisher_that_does_not_come_back_ends_the_broadcast() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL).send(Encoder { length: 5_000, ..Encoder::TYPICAL });
    studio.unpublish().wait(29_999);
    assert!(!studio.text("video/index.m3u8").contains("ENDLIST"));
    studio.wait(1);
    assert!(studio.text("video/index.m3u8").ends_with("#EXT-X-ENDLIST\n"));
    let mpd = studio.text("manifest.mpd");
    assert!(!mpd.contains("minimumUpdatePeriod") && mpd.contains("duration=\"PT5"), "{mpd}");
    assert!(studio.record.as_ref().unwrap().announced.is_none());
    assert!(!studio.over);
    studio.wait(22_000);
    assert!(studio.over);
}

#[test]
fn what_has_ended_is_followed_by_another_broadcast_with_higher_numbers() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL).send(Encoder { length: 5_000, ..Encoder::TYPICAL });
    studio.unpublish().wait(31_000);
    let ended = read(&studio.text("video/index.m3u8"));
    let gop = 4_000;
    studio.connect(Encoder::TYPICAL);
    assert_eq!(studio.look("index.m3u8", ""), Look::Later(ms(12_000)));
    studio.send(Encoder { length: 9_000, gop, ..Encoder::TYPICAL });
    let next = read(&studio.text("video/index.m3u8"));
    assert_eq!((ended.target_duration, next.target_duration), (2, 4));
    assert!(next.media_sequence >= ended.media_sequence + ended.segments.len() as u64);
    assert!(next.discontinuity_sequence > ended.discontinuity_sequence);
}

#[test]
fn a_restarted_server_goes_on_with_the_numbers_and_the_constants() {
    let mut first = Studio::open();
    first.connect(Encoder::TYPICAL).send(Encoder { length: 7_000, ..Encoder::TYPICAL });
    let old = read(&first.text("video/index.m3u8"));
    // Killed: nothing was said to the packager, only what was kept is left.
    let other = Settings { segment: ms(6_000), part: ms(500), ..settings() };
    let mut second = Studio::reopen(other, first.record.clone(), 9_000);
    assert_eq!(second.look("video/index.m3u8", "_HLS_msn=1770112803"), Look::Later(ms(12_000)));
    second.connect(Encoder::TYPICAL).send(Encoder { length: 7_000, ..Encoder::TYPICAL });
    let text = second.text("video/index.m3u8");
    let new = read(&text);
    assert_eq!(new.target_duration, old.target_duration);
    assert!(text.contains("PART-TARGET=0.321"));
    assert!(new.media_sequence > old.media_sequence + old.segments.len() as u64);
    assert_eq!(new.discontinuity_sequence, old.discontinuity_sequence + 1);
    let start = |studio: &Studio| lines(&studio.text("manifest.mpd"), "<MPD")[0].to_owned();
    let of = |text: String| text.split("availabilityStartTime=\"").nth(1).unwrap()[..24].to_owned();
    assert_eq!(of(start(&first)), of(start(&second)));
    let names = |it: &MediaPlaylist| it.segments.iter().map(|it| it.uri.clone()).collect::<HashSet<_>>();
    assert!(names(&old).is_disjoint(&names(&new)));
}

#[test]
fn constants_are_forgotten_when_nobody_can_still_be_watching() {
    let mut first = Studio::open();
    first.connect(Encoder::TYPICAL).send(Encoder { length: 7_000, ..Encoder::TYPICAL });
    let killed = first.record.clone();
    let now = first.now();
    first.packager.finish(now);
    first.collect();
    let stopped = first.record.clone();
    let target_after = |record: &Option<Record>, clock: i64| {
        let other = Settings { segment: ms(6_000), ..settings() };
        let mut studio = Studio::reopen(other, record.clone(), clock);
        studio.connect(Encoder::TYPICAL).send(Encoder { length: 14_000, ..Encoder::TYPICAL });
        let playlist = read(&studio.text("video/index.m3u8"));
        assert!(playlist.media_sequence > WALL + 2);
        playlist.target_duration
    };
    assert_eq!(target_after(&stopped, 7_000 + 30_000), 2);
    assert_eq!(target_after(&stopped, 7_000 + 30_001), 6);
    // Nobody knows how long one that was killed was on air, but that it did not use up the numbers it had written down.
    assert_eq!(target_after(&killed, 20 * 60_000), 2);
    assert_eq!(target_after(&killed, 24 * 3_600_000), 6);
}

#[test]
fn an_epoch_is_above_the_stored_one_even_when_the_clock_went_back() {
    let record = Record {
        epoch: 9_000_000_000_000,
        media_sequence: 77,
        discontinuity_sequence: 4,
        announced: None,
        published: wall(0),
    };
    let mut studio = Studio::reopen(settings(), Some(record), 0);
    studio.connect(Encoder::TYPICAL).send(Encoder { length: 3_000, ..Encoder::TYPICAL });
    let text = studio.text("video/index.m3u8");
    assert!(text.contains("\n9000000000001-77.m4s\n"), "{text}");
    assert_eq!(lines(&text, "#EXT-X-DISCONTINUITY-SEQUENCE:"), ["5"]);
}

#[test]
fn numbers_are_kept_before_they_are_used_up() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL);
    studio.send(Encoder { length: 2_200_000, picture: 500, audio: false, ..Encoder::TYPICAL });
    let next = read(&studio.text("video/index.m3u8"));
    let next = next.media_sequence + next.segments.len() as u64;
    assert!(studio.record.as_ref().unwrap().media_sequence > next);
    assert_eq!(studio.records, 2);
}

#[test]
fn sound_alone_is_a_broadcast() {
    let mut studio = Studio::open();
    let radio = Encoder { picture: 0, ..Encoder::TYPICAL };
    studio.connect(radio).send(radio);
    check_laws(&studio);
    insta::assert_snapshot!(studio.text("index.m3u8"));
    let media = read(&studio.text("audio/index.m3u8"));
    assert_eq!(media.target_duration, 2);
    assert!((media.segments[0].duration - 0.917_33).abs() < 1e-4, "{:?}", media.segments[0]);
    assert!(media.segments[1..].iter().all(|it| (it.duration - 2.0).abs() < 0.03));
    assert_eq!(studio.look("video/index.m3u8", ""), Look::Now(Answer::NotFound { remember: ms(500) }));
}

#[test]
fn pictures_alone_are_a_broadcast() {
    let mut studio = Studio::open();
    let silent = Encoder { audio: false, ..Encoder::TYPICAL };
    studio.connect(silent).send(silent);
    check_laws(&studio);
    let text = studio.text("index.m3u8");
    assert!(!text.contains("AUDIO") && text.contains("CODECS=\"avc1.64001f\""), "{text}");
}

#[test]
fn key_frames_ten_seconds_apart_from_the_start_set_the_target_duration() {
    let mut studio = Studio::open();
    let slow = Encoder { gop: 10_000, length: 31_000, ..Encoder::TYPICAL };
    studio.connect(slow).send(slow);
    check_laws(&studio);
    let media = read(&studio.text("video/index.m3u8"));
    assert_eq!(media.target_duration, 10);
    assert!(media.segments.iter().all(|it| it.duration == 10.0));
    assert!(studio.warnings.is_empty());
}

#[test]
fn an_operator_learns_of_pictures_without_any_key_frame() {
    for audio in [false, true] {
        let mut studio = Studio::open();
        studio.connect(Encoder { audio, ..Encoder::TYPICAL });
        for at in 0..300 {
            studio.say(picture(at * 40, Sync::Delta));
            if audio {
                studio.say(sound(0, at * 2));
            }
            let expected: &[Warning] = if at < 250 { &[] } else { &[Warning::NoKeyFrame] };
            assert_eq!(studio.warnings, expected, "at {} ms, audio: {audio}", at * 40);
            studio.wait(40);
        }
        assert_eq!(studio.text("index.m3u8").contains("audio/index.m3u8"), audio);
    }
}

#[test]
fn key_frames_that_become_rare_are_warned_of_and_cut_between() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL).send(Encoder { length: 4_000, ..Encoder::TYPICAL });
    studio.send(Encoder { origin: 4_000, gop: 10_000, length: 21_000, ..Encoder::TYPICAL });
    check_laws(&studio);
    let text = studio.text("video/index.m3u8");
    assert!(read(&text).segments.iter().all(|it| it.duration < 2.5));
    assert!(studio.warnings.contains(&Warning::SparseKeyFrames { target: 2 }));
    assert!(studio.warnings[0].to_string().contains("\"Keyframe interval\""));
    let independent = |it: &&&str| it.contains("INDEPENDENT");
    let parts = lines(&text, "#EXT-X-PART:");
    assert!(parts.iter().filter(independent).count() < parts.len() / 4, "{text}");
}

#[test]
fn pictures_at_a_varying_rate_make_no_part_too_long() {
    let mut studio = Studio::open();
    studio.publish().say(Input::Configure(video_config())).say(Input::Configure(audio_config()));
    let steps = [40, 33, 50, 200, 40, 1_300, 40, 40, 700, 16, 17, 90, 2_500, 40, 33];
    let mut at = 0;
    let mut said: Vec<(i64, Input)> = (0..1_400).map(|it| (it * 1_024 / 48, sound(0, it))).collect();
    for (index, step) in steps.iter().cycle().take(90).enumerate() {
        said.push((at, picture(at, if index % 7 == 0 { Sync::Key } else { Sync::Delta })));
        at += step;
    }
    said.sort_by_key(|it| it.0);
    for (at, input) in said {
        studio.wait(at - studio.clock).say(input);
    }
    assert!(studio.windows.len() > 50);
    check_laws(&studio);
}

/// The tags of all video parts that were ever listed, and whether the part has no sample.
fn parts_listed(studio: &Studio) -> Vec<(String, bool)> {
    let (mut seen, mut parts) = (HashSet::new(), Vec::new());
    for (_, text) in playlists(studio, TrackKind::Video) {
        for tag in lines(&text, "#EXT-X-PART:").into_iter().filter(|it| seen.insert(uri(it))) {
            let octets = studio.octets(&format!("video/{}", uri(tag)));
            parts.push((tag.to_owned(), read_back(&octets.into()).unwrap().1.is_empty()));
        }
    }
    parts
}

#[test]
fn nobody_is_asked_to_fetch_a_part_without_samples() {
    let mut studio = Studio::open();
    studio.connect(Encoder { audio: false, ..Encoder::TYPICAL });
    studio.send(Encoder { audio: false, length: 5_000, ..Encoder::TYPICAL });
    // Five seconds of nothing, of which a whole segment and the ends of two others have no picture.
    studio.wait(5_000);
    studio.send(Encoder { audio: false, origin: 10_000, length: 5_000, ..Encoder::TYPICAL });
    check_laws(&studio);
    let (mut gaps, mut all) = (0, 0);
    for (tag, empty) in parts_listed(&studio) {
        assert_eq!(tag.contains("GAP=YES"), empty, "{tag}");
        gaps += i32::from(empty);
        all += 1;
    }
    assert!(gaps >= 10 && gaps < all / 2, "{gaps} of {all}");
    let text = studio.text("video/index.m3u8");
    assert_eq!(lines(&text, "#EXT-X-GAP").len(), 2, "{text}");
}

#[test]
fn pictures_that_need_those_before_a_pause_are_not_cut_off_from_them() {
    let mut studio = Studio::open();
    studio.publish().say(Input::Configure(video_config()));
    let mut at = 0;
    for index in 0..60 {
        studio
            .wait(at - studio.clock)
            .say(picture(at, if index % 30 == 0 { Sync::Key } else { Sync::Delta }));
        at += if index % 10 == 9 { 900 } else { 40 };
    }
    check_laws(&studio);
    let empty = parts_listed(&studio).into_iter().filter(|it| it.1);
    let (gaps, others): (Vec<_>, Vec<_>) = empty.partition(|it| it.0.contains("GAP=YES"));
    assert!(!gaps.is_empty() && !others.is_empty());
    // hls.js takes nothing after a gap but what begins with a key frame.
    for (_, text) in playlists(&studio, TrackKind::Video) {
        let tags: Vec<_> = text.lines().filter(|it| it.starts_with("#EXT-X-PART:")).collect();
        for pair in tags.windows(2).filter(|it| it[0].contains("GAP=YES")) {
            assert!(pair[1].contains("GAP=YES") || pair[1].contains("INDEPENDENT=YES"), "{pair:?}");
        }
    }
}

#[test]
fn audio_that_comes_late_is_a_discontinuity_and_changes_the_multivariant_playlist() {
    let mut studio = Studio::open();
    let silent = Encoder { audio: false, length: 5_000, ..Encoder::TYPICAL };
    studio.connect(silent).send(silent);
    assert!(!studio.text("index.m3u8").contains("AUDIO"));
    studio.say(Input::Configure(audio_config()));
    studio.send(Encoder { origin: 5_000, length: 5_000, gop: 1_000, ..Encoder::TYPICAL });
    check_laws(&studio);
    assert!(studio.text("index.m3u8").contains("AUDIO=\"audio\""));
    let video = studio.text("video/index.m3u8");
    assert_eq!(lines(&video, "#EXT-X-DISCONTINUITY").len(), 2);
    // Both playlists number the new stretch alike.
    let audio = read(&studio.text("audio/index.m3u8"));
    assert_eq!((audio.discontinuity_sequence, audio.segments[0].discontinuity), (1, false));
    let number = read(&video).segments.iter().position(|it| it.discontinuity).unwrap() as u64;
    assert_eq!(audio.media_sequence, WALL + number);
}

#[test]
fn a_promised_track_is_waited_for_and_no_longer_than_two_seconds() {
    let promise = super::Metadata { video: true, audio: true, ..super::Metadata::default() };
    let mut studio = Studio::open();
    studio.publish().say(Input::Metadata(promise)).say(Input::Configure(video_config()));
    studio.send(Encoder { audio: false, length: 3_000, gop: 1_000, ..Encoder::TYPICAL });
    assert_eq!(studio.windows[0].0, 2_000);
    assert!(!studio.text("index.m3u8").contains("AUDIO"));
}

#[test]
fn pictures_that_come_are_waited_for_until_their_key_frame() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL).send(Encoder { length: 5_000, ..Encoder::TYPICAL });
    // The timeline breaks, and the next key frame is 4 s away.
    studio.say(Input::Discontinuity);
    let long = Encoder { gop: 9_000, length: 20_000, ..Encoder::TYPICAL };
    let begun = studio.clock;
    for (at, input) in long.samples().into_iter().filter(|it| it.0 >= 5_000) {
        studio.wait(begun + at - 5_000 - studio.clock).say(input);
    }
    check_laws(&studio);
    let described = studio.windows.iter().filter_map(|(_, it)| it.multivariant.as_ref());
    let alone = |text: &[u8]| !text.windows(5).any(|it| it == b"avc1.");
    assert_eq!(described.filter(|it| alone(&it.text)).count(), 0, "sound was shown alone");
    assert_eq!(studio.packager.discontinuities(), 1);
}

#[test]
fn a_changed_configuration_is_a_discontinuity_with_its_own_init_segment() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL).send(Encoder { length: 5_000, ..Encoder::TYPICAL });
    studio.say(Input::Configure(sized_video_config(640, 360)));
    studio.send(Encoder { origin: 5_000, length: 5_000, ..Encoder::TYPICAL });
    check_laws(&studio);
    let text = studio.text("video/index.m3u8");
    let maps: Vec<_> = lines(&text, "#EXT-X-MAP:").iter().map(|it| uri(it)).collect();
    assert_eq!(maps.len(), 2);
    let init = |uri: &String| studio.octets(&format!("video/{uri}"));
    assert_ne!(init(&maps[0]), init(&maps[1]));
    assert!(studio.text("index.m3u8").contains("RESOLUTION=640x360"));
    let audio = studio.text("audio/index.m3u8");
    assert_eq!(lines(&audio, "#EXT-X-MAP:").into_iter().collect::<HashSet<_>>().len(), 1);
}

#[test]
fn a_changed_configuration_of_sound_costs_no_picture() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL).send(Encoder { length: 5_000, ..Encoder::TYPICAL });
    let mono = aac::Config::parse(Bytes::from_static(&[0x11, 0x88])).unwrap();
    studio.say(Input::Configure(CodecConfig::Aac(mono)));
    let begun = studio.clock;
    for (at, input) in (Encoder { length: 15_000, ..Encoder::TYPICAL }).samples() {
        if at >= 5_000 {
            studio.wait(begun + at - 5_000 - studio.clock).say(input);
        }
    }
    check_laws(&studio);
    let all = |track: &str| {
        let playlist = read(&studio.text(&format!("{track}/index.m3u8")));
        let segments = playlist.segments.iter().flat_map(|it| studio.octets(&format!("{track}/{}", it.uri)));
        String::from_utf8_lossy(&segments.collect::<Vec<_>>()).into_owned()
    };
    let (pictures, sounds) = (all("video"), all("audio"));
    assert!((0..14_000).step_by(40).all(|at| pictures.contains(&format!("picture {at:>8}"))));
    // Sound of the new configuration begins with the key frame at 6,000 ms; that at 4,992 ms was never sent.
    let missing = (0..600).filter(|it| !sounds.contains(&format!("sound {it:>6}")));
    assert_eq!(
        missing.map(|it| it * 1_024 / 48).fold((i64::MAX, 0), |all, it| (all.0.min(it), all.1.max(it))),
        (4_992, 5_994)
    );
    assert_eq!(studio.packager.discontinuities(), 1);
    let text = studio.text("audio/index.m3u8");
    assert_eq!(lines(&text, "#EXT-X-MAP:").into_iter().collect::<HashSet<_>>().len(), 2);
}

#[test]
fn a_track_that_stops_is_left_behind_and_taken_up_again() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL).send(Encoder { length: 5_000, ..Encoder::TYPICAL });
    studio.send(Encoder { origin: 5_000, length: 15_000, picture: 0, ..Encoder::TYPICAL });
    check_laws(&studio);
    assert!(studio.warnings.contains(&Warning::TrackLost(TrackKind::Video)));
    assert!(studio.text("index.m3u8").contains("CODECS=\"mp4a.40.2\""));
    studio.send(Encoder { origin: 20_000, length: 8_000, ..Encoder::TYPICAL });
    check_laws(&studio);
    assert!(studio.text("index.m3u8").contains("RESOLUTION=1280x720"));
}

#[test]
fn what_a_track_had_before_it_was_away_stays_as_long_as_its_playlist_was() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL).send(Encoder { length: 5_000, ..Encoder::TYPICAL });
    let text = studio.text("video/index.m3u8");
    let newest = read(&text).segments.last().unwrap().uri.clone();
    studio.send(Encoder { origin: 5_000, length: 13_000, picture: 0, ..Encoder::TYPICAL });
    studio.send(Encoder { origin: 18_000, length: 20_000, ..Encoder::TYPICAL });
    assert!(!studio.text("video/index.m3u8").contains(&newest));
    studio.octets(&format!("video/{newest}"));
    studio.send(Encoder { origin: 38_000, length: 20_000, ..Encoder::TYPICAL });
    let gone = Look::Now(Answer::NotFound { remember: ms(10_000) });
    assert_eq!(studio.look(&format!("video/{newest}"), ""), gone);
}

#[test]
fn a_blocking_reload_waits_for_its_part() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL).send(Encoder { length: 4_600, ..Encoder::TYPICAL });
    // Listed: 0 and 1 with seven parts each, and parts 0 and 1 of 2.
    let check = |query: &str, expected: &str| {
        let look = studio.look("video/index.m3u8", query);
        let found = match look {
            Look::Now(Answer::Found { lifetime: Lifetime::Playlist(it), .. }) => format!("fresh {it:?}"),
            Look::Now(Answer::Bad(_)) => "bad".into(),
            Look::Later(it) => format!("within {it:?}"),
            other => format!("{other:?}"),
        };
        assert_eq!(found, expected, "{query}");
    };
    check("", "fresh 321ms");
    check("_HLS_msn=1770112799", "fresh 321ms");
    check("_HLS_msn=1770112800", "fresh 321ms");
    check("_HLS_msn=1770112801", "fresh 321ms");
    check("_HLS_msn=1770112801&_HLS_part=6", "fresh 321ms");
    check("_HLS_msn=1770112801&_HLS_part=7", "fresh 321ms");
    check("_HLS_msn=1770112802&_HLS_part=0", "fresh 321ms");
    check("_HLS_msn=1770112802&_HLS_part=1", "fresh 12s");
    check("_HLS_msn=1770112802&_HLS_part=2", "within 6s");
    check("_HLS_msn=1770112802", "within 6s");
    check("_HLS_msn=1770112802&_HLS_part=11", "within 6s");
    check("_HLS_msn=1770112802&_HLS_part=12", "bad");
    check("_HLS_msn=1770112803", "within 6s");
    check("_HLS_msn=1770112803&_HLS_part=10", "bad");
    check("_HLS_msn=1770112804", "bad");
    check("_HLS_msn=0", "fresh 321ms");
}

#[test]
fn what_is_not_there_is_said_to_be_missing_for_as_long_as_that_holds() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL).send(Encoder { length: 50_000, ..Encoder::TYPICAL });
    let text = studio.text("video/index.m3u8");
    let media = read(&text);
    let epoch = WALL * 1_000 + 2_000;
    let next = media.media_sequence + media.segments.len() as u64;
    let check = |path: String, expected: Look| assert_eq!(studio.look(&path, ""), expected, "{path}");
    let missing = |it| Look::Now(Answer::NotFound { remember: ms(it) });
    check(format!("video/{epoch}-{next}.m4s"), missing(500));
    check(format!("video/{epoch}-{}.m4s", next + 7), missing(500));
    check(format!("video/{epoch}-{WALL}.m4s"), missing(10_000));
    check(format!("video/{}-{}.m4s", epoch + 1, media.media_sequence), missing(10_000));
    check(format!("video/{epoch}-{next}.99.m4s"), missing(500));
    check("video/7.mp4".into(), missing(500));
    let hint = uri(lines(&text, "#EXT-X-PRELOAD-HINT:")[0]);
    check(format!("video/{hint}"), Look::Later(ms(6_000)));
    // What has left the playlist stays for the length of the longest that listed it.
    studio.octets(&format!("video/{epoch}-{}.m4s", media.media_sequence - 9));
}

#[test]
fn nothing_is_listed_for_longer_than_the_window() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL).send(Encoder { length: 120_000, ..Encoder::TYPICAL });
    check_laws(&studio);
    for (_, text) in playlists(&studio, TrackKind::Video) {
        let length: f32 = read(&text).segments.iter().map(|it| it.duration).sum();
        assert!(length <= 22.0, "{length} s");
    }
}

#[test]
fn dates_follow_a_drifting_encoder_and_are_never_in_the_future() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL);
    // The encoder's clock runs a thousandth fast.
    let begun = studio.clock;
    for (at, input) in (Encoder { length: 600_000, audio: false, picture: 200, ..Encoder::TYPICAL }).samples()
    {
        studio.wait(begun + at * 999 / 1_000 - studio.clock).say(input);
    }
    let text = studio.text("video/index.m3u8");
    let newest = lines(&text, "#EXT-X-PROGRAM-DATE-TIME:").last().unwrap().to_string();
    let now = crate::media::date_time(wall(u64::try_from(studio.clock).unwrap()));
    assert!(newest <= now, "{newest} > {now}");
}

#[test]
fn dates_are_as_far_apart_as_segments_are_long_though_samples_come_unevenly() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL);
    let begun = studio.clock;
    for (at, input) in (Encoder { length: 40_000, ..Encoder::TYPICAL }).samples() {
        // At first a second too fast, then in bursts of a hundred milliseconds, a tenth of which come late.
        let due = if at < 1_000 { 0 } else { at - 1_000 + 100 - at % 100 + i64::from(at % 700 < 70) * 90 };
        studio.wait((begun + due - studio.clock).max(0)).say(input);
    }
    for (_, text) in
        [TrackKind::Video, TrackKind::Audio].into_iter().flat_map(|kind| playlists(&studio, kind))
    {
        for pair in read(&text).segments.windows(2) {
            let [a, b] = [&pair[0], &pair[1]].map(|it| it.program_date_time.unwrap().timestamp_millis());
            let length = f64::from(pair[0].duration) * 1_000.0;
            assert!(((b - a) as f64 - length).abs() <= 1.1, "{} ms after {length}:\n{text}", b - a);
        }
    }
}

#[test]
fn a_publisher_faster_than_time_has_no_dates_in_the_future() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL).wait(500);
    let check = |studio: &Studio| {
        let now = crate::media::date_time(wall(u64::try_from(studio.clock).unwrap()));
        let text = studio.text("video/index.m3u8");
        let dates = lines(&text, "#EXT-X-PROGRAM-DATE-TIME:");
        assert!(dates.iter().all(|it| **it <= *now), "{now}:\n{text}");
    };
    for (_, input) in (Encoder { length: 9_000, ..Encoder::TYPICAL }).samples() {
        studio.say(input);
    }
    check(&studio);
    studio.unpublish().wait(1_500).connect(Encoder::TYPICAL);
    studio.send(Encoder { length: 5_000, ..Encoder::TYPICAL });
    check(&studio);
    check_laws(&studio);
}

#[test]
fn a_publisher_faster_than_time_is_not_kept_whole() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL);
    for (_, input) in (Encoder { length: 600_000, picture: 200, ..Encoder::TYPICAL }).samples() {
        studio.say(input);
    }
    // The window of 20 s, three times as much, and the segment that crosses a border on either side.
    assert!(studio.window.tracks.video.as_ref().unwrap().segments.len() <= 42);
}

#[test]
fn the_key_frame_interval_is_that_of_the_publisher_who_is_here() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL).send(Encoder { length: 5_000, ..Encoder::TYPICAL });
    studio.unpublish().wait(2_000).connect(Encoder::TYPICAL);
    studio.send(Encoder { origin: 500_000, length: 2_100, gop: 1_000, ..Encoder::TYPICAL });
    assert_eq!(studio.packager.key_frame_interval(), Some(ms(1_000)));
}

#[test]
fn an_unchanged_track_is_not_rendered_again() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL).send(Encoder::TYPICAL);
    let pairs = studio.windows.windows(2);
    let shared = pairs.filter(|it| {
        let (a, b) = (&it[0].1.tracks, &it[1].1.tracks);
        let same = |a: &Option<Arc<_>>, b: &Option<Arc<_>>| matches!((a, b), (Some(a), Some(b)) if Arc::ptr_eq(a, b));
        same(&a.video, &b.video) || same(&a.audio, &b.audio)
    });
    assert!(shared.count() * 10 > studio.windows.len() * 8);
}

#[test]
fn nothing_of_a_sample_is_held_once_its_part_has_closed() {
    let mut studio = Studio::open();
    let inputs = Encoder { length: 9_000, ..Encoder::TYPICAL }.samples();
    studio.connect(Encoder::TYPICAL);
    let mut payloads = Vec::new();
    for (at, input) in inputs {
        let Input::Sample(_, sample) = &input else { unreachable!("encoders send samples") };
        // With a reference count from the start.
        payloads.push((at, sample.payload.clone()));
        studio.wait(at - studio.clock).say(input);
    }
    // The open parts are no longer than their target, and sound waits for the picture it may belong before.
    let held = payloads.iter().filter(|it| !it.1.is_unique()).map(|it| it.0).min().unwrap();
    assert!(held >= 9_000 - 333 - 40, "{held}");
}

#[test]
fn what_left_the_playlist_goes_first_when_memory_is_short() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL).send(Encoder { length: 60_000, ..Encoder::TYPICAL });
    let listed = studio.text("video/index.m3u8");
    let unlisted = studio.packager.unlisted_weight();
    let oldest = read(&listed).media_sequence - 1;
    assert!(unlisted > 10_000);
    let (before, now) = (studio.packager.weight(), studio.now());
    studio.packager.shed(unlisted, now);
    studio.collect();
    assert_eq!(studio.packager.unlisted_weight(), 0);
    assert_eq!(studio.packager.weight(), before - unlisted);
    assert_eq!(lines(&studio.text("video/index.m3u8"), "#EXTINF"), lines(&listed, "#EXTINF"));
    let epoch = WALL * 1_000 + 2_000;
    let gone = Look::Now(Answer::NotFound { remember: ms(10_000) });
    assert_eq!(studio.look(&format!("video/{epoch}-{oldest}.m4s"), ""), gone);
    assert!(studio.warnings.is_empty());
}

#[test]
fn playlists_keep_three_target_durations_however_short_memory_is() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL).send(Encoder { length: 60_000, ..Encoder::TYPICAL });
    let now = studio.now();
    studio.packager.shed(u64::MAX, now);
    studio.collect();
    for track in ["video", "audio"] {
        let playlist = read(&studio.text(&format!("{track}/index.m3u8")));
        let length: f32 = playlist.segments.iter().map(|it| it.duration).sum();
        assert!((6.0..8.1).contains(&length), "{track}: {length}");
    }
    assert!(studio.warnings.contains(&Warning::ShortOfMemory));
    // It goes on as if nothing had been.
    studio.send(Encoder { origin: 60_000, length: 40_000, ..Encoder::TYPICAL });
    check_laws(&studio);
    assert_eq!(studio.packager.discontinuities(), 0);
}

#[test]
fn what_nobody_may_ask_for_any_more_goes_though_nobody_publishes() {
    let mut studio = Studio::open();
    studio.connect(Encoder::TYPICAL).send(Encoder { length: 60_000, ..Encoder::TYPICAL });
    studio.unpublish().wait(25_000);
    let now = studio.now();
    assert!(studio.packager.unlisted_weight() > 0);
    studio.packager.advance(now);
    studio.collect();
    assert_eq!(studio.packager.unlisted_weight(), 0);
    let track = studio.window.tracks.video.as_ref().unwrap();
    let listed = read(&studio.text("video/index.m3u8")).segments.len();
    assert_eq!(track.segments.len(), listed, "windows hold nothing either");
}
