//! Apple's authoring rules, by their numbers (edition of June 2025).

use crate::boxes::{Fragment, Init, boxes, within};
use crate::playlist::{Form, Media, Multivariant, multivariant};
use crate::titles::{self, Title};
use crate::transport::Stream;

const FORMS: [Form; 2] = [Form::Fragments, Form::Transport];

/// Tries something on the multivariant playlists of all titles.
fn each(form: Form, check: impl Fn(&Title, &Multivariant<'_>)) {
    let mut tried = 0;
    for title in titles::all() {
        if let Some(playlist) = multivariant(&title, form) {
            check(&title, &playlist);
            tried += 1;
        }
    }
    assert!(tried > 3, "a rule is tried on something");
}

fn is_video(media: &Media<'_>) -> bool {
    media.path.contains("/v")
}

#[test]
fn apple_1_2_only_what_transport_streams_may_hold_is_offered_in_them() {
    each(Form::Transport, |title, playlist| {
        for it in playlist.variants() {
            for codec in it.codecs.as_deref().unwrap_or_default().split(',') {
                assert!(codec.starts_with("avc1") || codec.starts_with("mp4a.40"), "{}: {codec}", title.name);
            }
        }
    });
    assert!(multivariant(&titles::pq(), Form::Transport).is_none(), "H.265 is in fragments alone");
}

#[test]
fn apple_1_10_parameter_sets_stand_in_the_description() {
    each(Form::Fragments, |title, playlist| {
        for it in playlist.all().iter().filter(|it| is_video(it)) {
            let init = Init::read(&it.init());
            assert!(["avc1", "hvc1"].contains(&&*init.entry), "{}: {}", title.name, init.entry);
            let record = boxes(&init.description[78..]);
            let record = record.iter().find(|it| ["avcC", "hvcC"].contains(&it.kind)).expect("it is there");
            assert!(record.body.len() > 30, "with its sets");
        }
    });
}

#[test]
fn apple_1_26_the_average_rate_is_within_a_tenth() {
    each(Form::Fragments, |_, playlist| {
        for it in playlist.variants().filter(|it| it.audio.is_none() && it.subtitles.is_none()) {
            let measured = playlist.media(&it.uri).rates().1;
            let said = it.average_bandwidth.expect("it is said") as f64;
            assert!((said / measured - 1.0).abs() < 0.1);
        }
    });
}

#[test]
fn apple_1_27_the_peak_is_within_a_tenth() {
    each(Form::Fragments, |_, playlist| {
        for it in playlist.variants().filter(|it| it.audio.is_none() && it.subtitles.is_none()) {
            let measured = playlist.media(&it.uri).rates().0;
            assert!((it.bandwidth as f64 / measured - 1.0).abs() < 0.1);
        }
    });
}

#[test]
fn apple_1_32_the_first_variant_is_nearest_to_two_megabits_and_the_others_ascend() {
    for form in FORMS {
        each(form, |_, playlist| {
            let rates: Vec<u64> = playlist.variants().filter_map(|it| it.average_bandwidth).collect();
            let distance = |it: &u64| it.abs_diff(2_000_000);
            assert_eq!(rates.iter().map(distance).min(), rates.first().map(distance));
            assert!(rates.len() < 2 || rates[1..].is_sorted());
        });
    }
}

#[test]
fn apple_2_17_no_segment_holds_two_kinds_of_sound() {
    each(Form::Fragments, |_, playlist| {
        for it in playlist.all() {
            let moov = it.init();
            let tracks = boxes(within(&moov, &["moov"]).expect("it is there"));
            assert_eq!(tracks.iter().filter(|it| it.kind == "trak").count(), 1);
        }
    });
    each(Form::Transport, |title, playlist| {
        for it in playlist.all() {
            let mut stream = Stream::default();
            stream.read(&it.segments()[0]);
            let sounds = stream.elementary.iter().filter(|it| it.1 == 0x0f).count();
            assert!(sounds <= 1 && stream.elementary.len() <= 2, "{}", title.name);
        }
    });
}

#[test]
fn apple_2_24_what_a_file_says_of_its_aac_is_said_again() {
    // Two octets of an AudioSpecificConfig: HE-AAC says explicitly what it is where its encoder did.
    let init = Title::of("29.97", &[titles::BFRAMES], 1);
    let playlist = multivariant(&init, Form::Fragments).expect("it has fragments");
    let sound = playlist.all().into_iter().find(|it| !is_video(it)).expect("it has sound");
    let of = |octets: &[u8]| {
        let at = octets.windows(4).position(|it| it == b"esds").expect("it is there");
        let config = octets[at..].windows(2).position(|it| it == [0x11, 0x88]).expect("48 kHz, mono");
        octets[at + config..at + config + 2].to_vec()
    };
    assert_eq!(of(&sound.init()), of(titles::BFRAMES));
}

#[test]
fn apple_4_5_who_is_subtitled_for_the_deaf_is_found_by_players() {
    let title = titles::ladder();
    let playlist = multivariant(&title, Form::Fragments).expect("it has fragments");
    let marked: Vec<_> =
        playlist.renditions("SUBTITLES").into_iter().filter_map(|it| it.characteristics.as_deref()).collect();
    assert_eq!(
        marked,
        ["public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound"]
    );
    for it in playlist.renditions("SUBTITLES") {
        assert!(it.autoselect && it.language.is_some());
    }
}

#[test]
fn apple_5_2_subtitles_are_segments_of_webvtt_with_a_time_and_cover_the_title() {
    let title = titles::ladder();
    let playlist = multivariant(&title, Form::Fragments).expect("it has fragments");
    let pictures = playlist.all()[0].total();
    for it in playlist.renditions("SUBTITLES") {
        let media = playlist.media(it.uri.as_deref().expect("they are beside"));
        assert!((media.total() - pictures).abs() < 0.1, "{}", media.total());
        for segment in media.segments() {
            let text = String::from_utf8(segment).expect("it is text");
            assert!(text.starts_with("WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n"), "{text}");
        }
    }
}

#[test]
fn apple_5_10_codecs_name_the_subtitles() {
    let title = titles::ladder();
    let playlist = multivariant(&title, Form::Fragments).expect("it has fragments");
    for it in playlist.variants() {
        assert!(it.subtitles.is_some() && it.codecs.as_deref().is_some_and(|it| it.ends_with(",wvtt")));
    }
}

#[test]
fn apple_5_11_what_is_forced_is_selected_by_players() {
    let title = titles::ladder();
    let playlist = multivariant(&title, Form::Fragments).expect("it has fragments");
    let forced: Vec<_> = playlist.renditions("SUBTITLES").into_iter().filter(|it| it.forced).collect();
    assert!(forced.len() == 1 && forced[0].autoselect && !forced[0].default);
}

#[test]
fn apple_6_1_pictures_have_playlists_of_their_key_frames() {
    each(Form::Fragments, |title, playlist| {
        let has_pictures = playlist.variants().any(|it| it.resolution.is_some());
        assert_eq!(playlist.scrubbing().count() > 0, has_pictures, "{}", title.name);
        for it in playlist.scrubbing() {
            let media = playlist.media(&it.uri);
            assert!(media.read.i_frames_only && media.read.version >= Some(5), "{}", media.text);
        }
    });
}

#[test]
fn apple_6_10_a_key_frame_has_its_moof_and_nothing_else() {
    each(Form::Fragments, |title, playlist| {
        for it in playlist.scrubbing() {
            let media = playlist.media(&it.uri);
            for segment in media.segments() {
                let fragment = Fragment::read(&segment);
                assert_eq!(fragment.samples.len(), 1, "{}", title.name);
                assert!(is_key(&media, &fragment.samples[0].payload), "{}", title.name);
            }
        }
    });
}

/// Whether the first slice of a picture is of an IDR, or in H.265 of any picture at which decoding may begin.
fn is_key(media: &Media<'_>, mut picture: &[u8]) -> bool {
    let is_avc = Init::read(&media.init()).entry == "avc1";
    while let Some((length, rest)) = picture.split_first_chunk::<4>() {
        let (unit, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        let kind = if is_avc { unit[0] & 0x1f } else { unit[0] >> 1 & 0x3f };
        match (is_avc, kind) {
            (true, 1..=5) => return kind == 5,
            (false, 0..=31) => return (16..=21).contains(&kind),
            _ => picture = rest,
        }
    }
    false
}

#[test]
fn apple_7_1_counters_and_times_of_transport_streams_go_on() {
    each(Form::Transport, |title, playlist| {
        for media in playlist.all() {
            let mut stream = Stream::default();
            let mut latest = None;
            for segment in media.segments() {
                // Reading looks at the counters.
                let units = stream.read(&segment);
                let lead = stream.elementary[0].0;
                let first = units.iter().find(|it| it.pid == lead).expect("it has some");
                assert!(latest.is_none_or(|it| it < first.presentation), "{}", title.name);
                let own = units.iter().filter(|it| it.pid == lead).map(|it| it.presentation);
                latest = own.max();
            }
        }
    });
}

#[test]
fn apple_7_4_every_segment_of_pictures_begins_with_a_key_frame() {
    each(Form::Fragments, |title, playlist| {
        for media in playlist.all().iter().filter(|it| is_video(it)) {
            for segment in media.segments() {
                let fragment = Fragment::read(&segment);
                assert!(is_key(media, &fragment.samples[0].payload), "{}", title.name);
            }
        }
    });
    each(Form::Transport, |title, playlist| {
        for media in playlist.all().iter().filter(|it| is_video(it)) {
            let mut stream = Stream::default();
            for segment in media.segments() {
                let units = stream.read(&segment);
                let pictures = stream.elementary[0].0;
                let first = units.iter().find(|it| it.pid == pictures).expect("it has pictures");
                assert!(first.is_random_access, "{}", title.name);
            }
        }
    });
}

#[test]
fn apple_7_4_where_groups_of_pictures_are_open_nothing_is_promised() {
    let title = titles::open();
    let playlist = multivariant(&title, Form::Fragments).expect("it has fragments");
    assert!(!playlist.is_independent());
    let (pictures, sound) = (&playlist.all()[0], &playlist.all()[1]);
    assert!(!pictures.read.independent_segments && sound.read.independent_segments);
}

#[test]
fn apple_7_7_no_segment_exceeds_the_target_by_more_than_half_a_second() {
    for form in FORMS {
        each(form, |title, playlist| {
            for media in playlist.all() {
                let target = media.read.target_duration as f64;
                assert!(media.seconds.iter().all(|it| *it <= target + 0.5), "{}", title.name);
            }
        });
    }
}

#[test]
fn apple_8_1_any_run_of_segments_lasts_what_it_says_give_or_take_a_frame() {
    each(Form::Fragments, |title, playlist| {
        for media in playlist.all().iter().filter(|it| is_video(it)) {
            let init = Init::read(&media.init());
            let shown: Vec<_> = media.segments().iter().map(|it| Fragment::read(it).shown(&init)).collect();
            let starts = shown.iter().map(|it| it.iter().map(|it| it.0).min().expect("it has pictures"));
            let end = shown.iter().flatten().map(|it| it.1).max().expect("it has pictures");
            let mut moments: Vec<i64> = starts.chain([end]).collect();
            // The first segment lasts from the beginning, also where its first picture comes a little later.
            moments[0] = 0;
            let frame = shown[0][0].1 - shown[0][0].0;
            for first in 0..media.seconds.len() {
                for last in first..media.seconds.len() {
                    let said: f64 = media.seconds[first..=last].iter().sum();
                    let lasts = (moments[last + 1] - moments[first]) as f64;
                    let apart = (said * init.timescale as f64 - lasts).abs();
                    assert!(apart < frame as f64, "{}: {first}..={last}", title.name);
                }
            }
        }
    });
}

#[test]
fn apple_8_2_pictures_and_sound_have_one_target_duration() {
    for form in FORMS {
        each(form, |_, playlist| {
            let targets: Vec<_> = playlist.all().iter().map(|it| it.read.target_duration).collect();
            assert!(targets.iter().all(|it| *it == targets[0]), "{targets:?}");
        });
    }
}

#[test]
fn apple_8_6_playlists_say_that_they_are_whole() {
    for form in FORMS {
        each(form, |_, playlist| {
            for it in playlist.all() {
                assert!(it.read.end_list);
                assert_eq!(it.read.playlist_type, Some(m3u8_rs::MediaPlaylistType::Vod));
            }
        });
    }
}

#[test]
fn apple_8_10_renditions_have_a_language_and_names_of_their_own() {
    for form in FORMS {
        each(form, |_, playlist| {
            for kind in ["AUDIO", "SUBTITLES"] {
                let renditions = playlist.renditions(kind);
                assert!(renditions.iter().all(|it| it.language.as_deref().is_some_and(|it| !it.is_empty())));
                let mut names: Vec<_> = renditions.iter().map(|it| &it.name).collect();
                names.sort();
                names.dedup();
                assert_eq!(names.len(), renditions.len());
                assert!(renditions.iter().filter(|it| it.default).count() <= 1);
                assert!(renditions.iter().all(|it| it.autoselect || !it.default));
            }
        });
    }
}

#[test]
fn apple_8_20_fragments_have_a_map_and_transport_streams_none() {
    each(Form::Fragments, |_, playlist| {
        assert!(playlist.all().iter().all(|it| it.text.matches("#EXT-X-MAP:").count() == 1));
    });
    each(Form::Transport, |_, playlist| {
        assert!(playlist.all().iter().all(|it| !it.text.contains("#EXT-X-MAP")));
    });
}

#[test]
fn apple_8_22_all_qualities_are_cut_at_the_same_moments() {
    let title = titles::ladder();
    for form in FORMS {
        let playlist = multivariant(&title, form).expect("it has both");
        let pictures: Vec<_> = playlist.all().into_iter().filter(is_video).map(|it| it.seconds).collect();
        assert!(pictures.len() == 2 && pictures[0] == pictures[1] && pictures[0].len() == 4, "{pictures:?}");
    }
}

#[test]
fn apple_9_1_codecs_and_resolution_are_always_said() {
    for form in FORMS {
        each(form, |title, playlist| {
            for it in playlist.variants().chain(playlist.scrubbing()) {
                assert!(it.codecs.is_some(), "{}", title.name);
                assert_eq!(it.resolution.is_some(), it.uri.contains("/v"), "{}", title.name);
                if form == Form::Fragments {
                    let entry = Init::read(&playlist.media(&it.uri).init()).entry;
                    assert!(it.codecs.as_deref().is_some_and(|it| it.starts_with(&entry)), "{entry}");
                }
            }
        });
    }
}

#[test]
fn apple_9_6_sound_in_several_languages_is_a_group_of_its_own() {
    let title = titles::ladder();
    let fragments = multivariant(&title, Form::Fragments).expect("it has fragments");
    let languages = |it: &Multivariant<'_>| {
        let renditions = it.renditions("AUDIO").into_iter();
        renditions.map(|it| (it.language.clone().unwrap_or_default(), it.uri.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(languages(&fragments), [("en".into(), true), ("fr".into(), true)]);
    // Departed from in transport streams: players of that age want sound with the pictures.
    let transport = multivariant(&title, Form::Transport).expect("it has transport streams");
    assert_eq!(languages(&transport), [("en".into(), false), ("fr".into(), true)]);
}

#[test]
fn apple_9_11_the_multivariant_playlist_says_that_segments_are_independent() {
    for form in FORMS {
        each(form, |_, playlist| assert!(playlist.is_independent(), "{}", playlist.text));
    }
}

#[test]
fn apple_9_15_pictures_have_a_rate_and_a_range_unless_all_are_standard() {
    for form in FORMS {
        each(form, |title, playlist| {
            let is_hdr = ["PQ", "HLG"].contains(&title.name);
            for it in playlist.variants().filter(|it| it.resolution.is_some()) {
                assert!(it.frame_rate.is_some_and(|it| it > 1.0), "{}", title.name);
                assert_eq!(it.hdcp_level, None);
            }
            let range = format!("VIDEO-RANGE={}", title.name);
            assert_eq!(playlist.text.contains(&range), is_hdr, "{}", playlist.text);
            assert_eq!(playlist.text.contains("VIDEO-RANGE"), is_hdr, "{}", playlist.text);
        });
    }
}

#[test]
fn apple_9_20_no_variant_is_sound_alone_beside_pictures() {
    for form in FORMS {
        each(form, |_, playlist| {
            let with_pictures = playlist.variants().filter(|it| it.resolution.is_some()).count();
            assert!(with_pictures == 0 || with_pictures == playlist.variants().count());
            // 9.19: a score on all or on none.
            assert!(!playlist.text.contains("SCORE="));
        });
    }
}
