//! What any output must keep.

use std::time::Duration;

use levada_packager::vod::TARGET;

use crate::boxes::{Fragment, Init, tree};
use crate::playlist::{Form, multivariant};
use crate::titles;
use crate::transport::Stream;

#[test]
fn output_every_box_is_read_back_and_stands_where_cmaf_wants_it() {
    for title in titles::all() {
        for media in multivariant(&title, Form::Fragments).expect("all have fragments").all() {
            let init: Vec<_> = tree(&media.init()).into_iter().filter(|it| !it.contains("edts")).collect();
            let expected = "ftyp moov moov/mvhd moov/trak moov/trak/tkhd moov/trak/mdia moov/trak/mdia/mdhd \
                moov/trak/mdia/hdlr moov/trak/mdia/minf moov/trak/mdia/minf/";
            assert!(init.join(" ").starts_with(expected), "{}: {init:?}", media.path);
            let last = &init[init.len() - 3..];
            assert_eq!(last, ["moov/mvex", "moov/mvex/mehd", "moov/mvex/trex"], "{}", media.path);
            for (n, segment) in media.segments().iter().enumerate() {
                assert_eq!(Fragment::read(segment).sequence as usize, n + 1, "{}", media.path);
            }
        }
    }
}

#[test]
fn output_durations_of_samples_add_up_to_the_steps_of_decoding_times() {
    for title in titles::all() {
        for media in multivariant(&title, Form::Fragments).expect("all have fragments").all() {
            let mut expected = None;
            for segment in media.segments() {
                let fragment = Fragment::read(&segment);
                assert_eq!(expected.unwrap_or(fragment.base), fragment.base, "{}", media.path);
                let lasts: i64 = fragment.samples.iter().map(|it| it.duration).sum();
                expected = Some(fragment.base + lasts);
            }
        }
    }
}

#[test]
fn output_playlists_of_pictures_and_sound_last_equally_long_give_or_take_a_frame() {
    for title in titles::all().into_iter().filter(|it| it.name != "late sound") {
        for form in [Form::Fragments, Form::Transport] {
            let Some(playlist) = multivariant(&title, form) else { continue };
            let totals: Vec<_> = playlist.all().iter().map(|it| (it.path.clone(), it.total())).collect();
            let pictures = playlist.variants().filter_map(|it| it.frame_rate).fold(25.0, f64::min);
            for (path, total) in &totals {
                let apart = (total - totals[0].1).abs();
                assert!(apart <= 1.0 / pictures + 1024.0 / 44_100.0, "{}: {path} {totals:?}", title.name);
            }
        }
    }
}

#[test]
fn output_each_segment_is_decoded_alone() {
    for title in titles::all() {
        for media in multivariant(&title, Form::Fragments).expect("all have fragments").all() {
            for segment in media.segments() {
                assert!(Fragment::read(&segment).samples[0].is_sync, "{}: {}", title.name, media.path);
            }
        }
    }
}

#[test]
fn output_of_both_forms_is_due_at_the_same_times() {
    for title in titles::all() {
        let Some(streams) = multivariant(&title, Form::Transport) else { continue };
        let fragments = multivariant(&title, Form::Fragments).expect("all have fragments");
        for variant in streams.variants() {
            let stream = streams.media(&variant.uri);
            let media = fragments.media(&variant.uri.replace("index-ts", "index"));
            assert_eq!(stream.seconds, media.seconds, "{}", title.name);
            let init = Init::read(&media.init());
            let mut read = Stream::default();
            for (transport, fragment) in stream.segments().iter().zip(media.segments()) {
                let units = read.read(transport);
                let lead = read.elementary[0].0;
                let due = units.iter().filter(|it| it.pid == lead).map(|it| it.presentation - 900_000);
                let shown = Fragment::read(&fragment).shown(&init);
                let mut shown = shown.iter().map(|it| it.0 * 90_000 / init.timescale);
                for due in due {
                    // Frames of sound share a time.
                    assert!(shown.any(|it| it.abs_diff(due) <= 1), "{}: {due}", title.name);
                }
            }
        }
    }
}

#[test]
fn output_announces_its_rates_to_a_hundredth() {
    for title in titles::all() {
        for form in [Form::Fragments, Form::Transport] {
            let Some(playlist) = multivariant(&title, form) else { continue };
            for it in playlist.scrubbing() {
                let (peak, average) = playlist.media(&it.uri).rates();
                near(it.bandwidth, peak, title.name);
                near(it.average_bandwidth.expect("it is said"), average, title.name);
            }
            for it in playlist.variants() {
                let mut rates = playlist.media(&it.uri).rates();
                for (group, kind) in [(&it.audio, "AUDIO"), (&it.subtitles, "SUBTITLES")] {
                    let members = playlist.renditions(kind).into_iter();
                    let members = members.filter(|it| group.as_ref() == Some(&it.group_id));
                    let beside: Vec<_> =
                        members.filter_map(|it| Some(playlist.media(it.uri.as_deref()?).rates())).collect();
                    rates.0 += beside.iter().map(|it| it.0).fold(0.0, f64::max);
                    rates.1 += beside.iter().map(|it| it.1).fold(0.0, f64::max);
                }
                near(it.bandwidth, rates.0, title.name);
                near(it.average_bandwidth.expect("it is said"), rates.1, title.name);
            }
        }
    }
}

/// What an octet more or less makes, or a hundredth.
fn near(said: u64, measured: f64, title: &str) {
    let apart = (said as f64 - measured).abs();
    assert!(apart <= (measured / 100.0).max(16.0), "{title}: {said} is announced, {measured:.0} is measured");
}

#[test]
fn output_of_two_servers_is_the_same_to_the_octet() {
    for (one, other) in titles::all().iter().zip(titles::all()) {
        assert_eq!(one.text("manifest-trick.mpd"), other.text("manifest-trick.mpd"));
        for form in [Form::Fragments, Form::Transport] {
            let (Some(playlist), Some(others)) = (multivariant(one, form), multivariant(&other, form)) else {
                continue;
            };
            assert_eq!(playlist.text, others.text);
            for (media, others) in playlist.all().iter().zip(others.all()) {
                assert_eq!((&media.path, &media.text), (&others.path, &others.text));
                assert_eq!(media.segments(), others.segments(), "{}", media.path);
            }
        }
    }
}

#[test]
fn output_is_cut_at_six_seconds_unless_someone_says_otherwise() {
    // Apple's rules 7.5 and 7.6.
    assert_eq!(TARGET, Duration::from_secs(6));
}
