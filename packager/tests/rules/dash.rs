//! The rules of static MPDs: the schema of ISO 23009-1 and what DASH-IF's conformance checks beside it.

use std::collections::BTreeSet;

use crate::boxes::{Fragment, Init};
use crate::titles::{self, Title};
use crate::xml::Element;

const MPDS: [&str; 2] = ["manifest.mpd", "manifest-trick.mpd"];

/// Tries something on the MPDs of all titles.
fn each(check: impl Fn(&Title, &Element)) {
    for title in titles::all() {
        for mpd in MPDS {
            check(&title, &Element::parse(&title.text(mpd)));
        }
    }
}

/// The sets of an MPD's periods.
fn sets(mpd: &Element) -> Vec<&Element> {
    mpd.all("Period").into_iter().flat_map(|it| it.all("AdaptationSet")).collect()
}

/// A representation that is cut into segments, with what it inherits.
struct Cut<'a> {
    id: &'a str,
    bandwidth: i64,
    template: &'a Element,
}

fn cut(mpd: &Element) -> Vec<Cut<'_>> {
    let mut all = Vec::new();
    for set in sets(mpd) {
        for it in set.all("Representation") {
            let template = it.one("SegmentTemplate").or_else(|| set.one("SegmentTemplate"));
            let bandwidth = it.number("bandwidth").expect("it is required");
            all.extend(template.map(|template| Cut { id: it.said("id"), bandwidth, template }));
        }
    }
    all
}

impl Cut<'_> {
    fn timescale(&self) -> i64 {
        self.template.number("timescale").unwrap_or(1)
    }

    /// When each segment begins and how long it lasts, in ticks.
    fn timeline(&self) -> Vec<(i64, i64)> {
        let mut segments = Vec::new();
        let mut next = 0;
        for s in self.template.one("SegmentTimeline").expect("it has one").all("S") {
            next = s.number("t").unwrap_or(next);
            let duration = s.number("d").expect("it is required");
            for _ in 0..=s.number("r").unwrap_or(0) {
                segments.push((next, duration));
                next += duration;
            }
        }
        segments
    }

    fn path(&self, what: &str, n: usize) -> String {
        let number = n as i64 + self.template.number("startNumber").unwrap_or(1);
        let path = self.template.said(what).replace("$RepresentationID$", self.id);
        path.replace("$Number$", &number.to_string())
    }

    fn init(&self, title: &Title) -> Init {
        Init::read(&title.bytes(&self.path("initialization", 0)))
    }

    fn segments(&self, title: &Title) -> Vec<Vec<u8>> {
        let count = self.timeline().len();
        let after = self.path("media", count);
        assert!(title.get(&after).is_none(), "{}: {after} is not listed", title.name);
        (0..count).map(|n| title.bytes(&self.path("media", n))).collect()
    }
}

/// Seconds of an `xs:duration` in the one form that is written.
fn seconds(duration: &str) -> f64 {
    let text = duration.strip_prefix("PT").and_then(|it| it.strip_suffix('S')).expect("PT…S");
    assert!(text.bytes().all(|it| it.is_ascii_digit() || it == b'.'), "no exponent: {text}");
    text.parse().expect("it is a number")
}

#[test]
fn dash_10_1_children_stand_in_the_order_of_the_schema() {
    let order = |element: &str| match element {
        "MPD" => "BaseURL Period UTCTiming",
        "Period" => "BaseURL SegmentTemplate EventStream AdaptationSet SupplementalProperty",
        "AdaptationSet" => {
            "FramePacking AudioChannelConfiguration ContentProtection OutputProtection EssentialProperty \
             SupplementalProperty InbandEventStream Label Accessibility Role Rating Viewpoint BaseURL SegmentTemplate \
             Representation"
        }
        "Representation" => {
            "AudioChannelConfiguration ContentProtection EssentialProperty SupplementalProperty BaseURL SegmentTemplate"
        }
        "SegmentTemplate" => "SegmentTimeline",
        "SegmentTimeline" => "S",
        _ => "",
    };
    each(|title, mpd| {
        for element in mpd.everything() {
            let order: Vec<_> = order(&element.name).split_whitespace().collect();
            let places = element.children.iter().map(|child| {
                let place = order.iter().position(|it| *it == child.name);
                place.unwrap_or_else(|| panic!("{} in {}", child.name, element.name))
            });
            assert!(places.is_sorted(), "{}: {} {:?}", title.name, element.name, element.attributes);
        }
    });
}

#[test]
fn dash_10_1_attributes_are_those_of_the_schema_and_the_required_are_there() {
    let known = |element: &str| match element {
        "MPD" => "xmlns profiles type mediaPresentationDuration maxSegmentDuration minBufferTime",
        "Period" => "id start duration",
        "AdaptationSet" => {
            "id contentType mimeType lang segmentAlignment startWithSAP par maxWidth maxHeight maxFrameRate"
        }
        "Representation" => "id bandwidth codecs width height sar frameRate audioSamplingRate",
        "SegmentTemplate" => "timescale initialization media startNumber presentationTimeOffset",
        "S" => "t d r",
        "Role"
        | "Accessibility"
        | "EssentialProperty"
        | "SupplementalProperty"
        | "AudioChannelConfiguration" => "schemeIdUri value",
        _ => "",
    };
    let required = [
        ("MPD", "profiles"),
        ("MPD", "minBufferTime"),
        ("Representation", "id"),
        ("Representation", "bandwidth"),
        ("S", "d"),
        ("Role", "schemeIdUri"),
        ("EssentialProperty", "schemeIdUri"),
        ("SupplementalProperty", "schemeIdUri"),
        ("AudioChannelConfiguration", "schemeIdUri"),
    ];
    each(|title, mpd| {
        for element in mpd.everything() {
            for (name, _) in &element.attributes {
                let is_known = known(&element.name).split_whitespace().any(|it| it == name);
                assert!(is_known, "{}: {} of {}", title.name, name, element.name);
            }
            for (_, name) in required.iter().filter(|it| it.0 == element.name) {
                element.said(name);
            }
        }
    });
}

#[test]
fn dash_10_1_a_static_mpd_says_how_long_it_is_and_nothing_of_a_clock() {
    each(|title, mpd| {
        assert_eq!(mpd.attribute("xmlns"), Some("urn:mpeg:dash:schema:mpd:2011"));
        assert_eq!(mpd.attribute("type"), Some("static"));
        assert!(mpd.said("profiles").contains("urn:mpeg:dash:profile:isoff-live:2011"));
        assert!(seconds(mpd.said("mediaPresentationDuration")) > 1.0, "{}", title.name);
        for it in mpd.all("Period") {
            assert!(it.attribute("id").is_some());
        }
    });
}

#[test]
fn dash_10_1_no_segment_is_longer_than_it_says() {
    each(|title, mpd| {
        let longest = seconds(mpd.said("maxSegmentDuration"));
        assert!(seconds(mpd.said("minBufferTime")) >= longest);
        let ordinary = |it: &Cut<'_>| !it.id.ends_with("trick");
        for it in cut(mpd).into_iter().filter(ordinary) {
            for (_, duration) in it.timeline() {
                let lasts = duration as f64 / it.timescale() as f64;
                assert!(lasts <= longest + 1e-9, "{}: {} {lasts} {longest}", title.name, it.id);
            }
        }
    });
}

#[test]
fn dash_10_2_ids_are_unique() {
    each(|_, mpd| {
        for period in mpd.all("Period") {
            let sets = period.all("AdaptationSet");
            let ids: BTreeSet<_> = sets.iter().map(|it| it.said("id")).collect();
            assert_eq!(ids.len(), sets.len());
            let representations: Vec<_> = sets.iter().flat_map(|it| it.all("Representation")).collect();
            let ids: BTreeSet<_> = representations.iter().map(|it| it.said("id")).collect();
            assert_eq!(ids.len(), representations.len());
            assert!(ids.iter().all(|it| it.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')));
        }
    });
}

#[test]
fn dash_10_2_sets_say_what_players_choose_by() {
    each(|title, mpd| {
        for set in sets(mpd) {
            let kind = set.said("contentType");
            if kind == "text" {
                assert_eq!(set.attribute("mimeType"), Some("text/vtt"));
                continue;
            }
            assert_eq!(set.attribute("mimeType"), Some(&*format!("{kind}/mp4")));
            assert_eq!(set.attribute("segmentAlignment"), Some("true"));
            assert_eq!(set.attribute("startWithSAP"), Some("1"));
            for it in set.all("Representation") {
                it.said("codecs");
                if kind == "audio" {
                    it.said("audioSamplingRate");
                    assert!(it.one("AudioChannelConfiguration").is_some(), "{}", title.name);
                    continue;
                }
                let below = |name: &str, bound: &str| it.number(name) <= set.number(bound);
                assert!(below("width", "maxWidth") && below("height", "maxHeight"), "{}", title.name);
                for shape in [it.said("sar"), set.said("par")] {
                    assert!(shape.split(':').all(|it| it.parse().is_ok_and(|it: u32| it > 0)), "{shape}");
                }
            }
        }
    });
}

#[test]
fn dash_10_2_where_groups_of_pictures_are_open_no_access_point_is_promised() {
    let title = titles::open();
    let mpd = Element::parse(&title.text("manifest.mpd"));
    let said: Vec<_> = sets(&mpd).into_iter().map(|it| it.attribute("startWithSAP")).collect();
    assert_eq!(said, [None, Some("1")]);
}

#[test]
fn dash_10_2_rates_of_pictures_are_fractions() {
    let rate = |title: &Title| {
        let mpd = Element::parse(&title.text("manifest.mpd"));
        let set = sets(&mpd)[0].said("maxFrameRate").to_owned();
        let own = sets(&mpd)[0].all("Representation")[0].said("frameRate").to_owned();
        assert_eq!(set, own);
        own
    };
    assert_eq!(rate(&titles::ladder()), "25");
    assert_eq!(rate(&titles::pq()), "24000/1001");
}

#[test]
fn dash_10_2_codecs_are_those_of_the_init_segments() {
    each(|title, mpd| {
        for set in sets(mpd) {
            for it in set.all("Representation") {
                let Some(cut) = cut(mpd).into_iter().find(|cut| cut.id == it.said("id")) else { continue };
                let entry = cut.init(title).entry;
                assert!(it.said("codecs").starts_with(&entry), "{}: {entry}", title.name);
            }
        }
    });
}

#[test]
fn dash_10_2_exactly_one_set_of_each_kind_is_main() {
    each(|title, mpd| {
        for kind in ["video", "audio"] {
            let of: Vec<_> =
                sets(mpd).into_iter().filter(|it| it.attribute("contentType") == Some(kind)).collect();
            let roles = of.iter().flat_map(|it| it.all("Role"));
            let main = roles.filter(|it| it.attribute("value") == Some("main")).count();
            assert_eq!(main, usize::from(!of.is_empty()), "{}: {kind}", title.name);
        }
        let text = sets(mpd).into_iter().filter(|it| it.attribute("contentType") == Some("text"));
        let main = text.flat_map(|it| it.all("Role")).filter(|it| it.attribute("value") == Some("main"));
        assert!(main.count() <= 1, "{}: of subtitles none need be", title.name);
    });
}

#[test]
fn dash_10_2_descriptors_have_values_of_their_schemes() {
    let roles = ["main", "alternate", "dub", "subtitle", "caption", "forced-subtitle"];
    let is_number = |it: &str| it.parse::<u32>().is_ok();
    each(|title, mpd| {
        for it in mpd.everything() {
            let (scheme, value) = (it.attribute("schemeIdUri"), it.attribute("value"));
            let known = match (it.name.as_str(), scheme, value) {
                (_, None, None) => true,
                ("Role", Some("urn:mpeg:dash:role:2011"), Some(value)) => roles.contains(&value),
                ("EssentialProperty", Some("http://dashif.org/guidelines/trickmode"), Some(set)) => {
                    sets(mpd).iter().any(|it| it.attribute("id") == Some(set))
                }
                (
                    "AudioChannelConfiguration",
                    Some(
                        "urn:mpeg:mpegB:cicp:ChannelConfiguration"
                        | "urn:mpeg:dash:23003:3:audio_channel_configuration:2011",
                    ),
                    Some(value),
                ) => is_number(value),
                ("EssentialProperty" | "SupplementalProperty", Some(scheme), Some(value)) => {
                    scheme.starts_with("urn:mpeg:mpegB:cicp:") && is_number(value)
                }
                _ => false,
            };
            assert!(known, "{}: {} {:?}", title.name, it.name, it.attributes);
        }
    });
}

#[test]
fn dash_10_2_high_dynamic_range_is_said_as_essential_and_hlg_as_supplemental() {
    let said = |name: &str| {
        let title = titles::all().into_iter().find(|it| it.name == name).expect("it is one of them");
        let mpd = Element::parse(&title.text("manifest.mpd"));
        let of = |element: &str| {
            let told = sets(&mpd)[0].all(element).into_iter();
            told.map(|it| {
                let name = it.said("schemeIdUri").rsplit(':').next().expect("a name").to_owned();
                format!("{name} {}", it.said("value"))
            })
            .collect::<Vec<_>>()
        };
        (of("EssentialProperty"), of("SupplementalProperty"))
    };
    let colours = |transfer: u8| {
        let transfer = format!("TransferCharacteristics {transfer}");
        vec!["ColourPrimaries 9".to_owned(), "MatrixCoefficients 9".to_owned(), transfer]
    };
    assert_eq!(said("PQ"), (colours(16), vec![]));
    assert_eq!(said("HLG"), (colours(14), vec!["TransferCharacteristics 18".to_owned()]));
    assert_eq!(said("29.97"), (vec![], vec![]));
}

#[test]
fn dash_10_3_timelines_have_neither_gaps_nor_overlaps() {
    each(|title, mpd| {
        for it in cut(mpd) {
            let timeline = it.timeline();
            assert!(timeline.iter().all(|it| it.1 > 0), "{}", title.name);
            assert!(timeline.windows(2).all(|it| it[0].0 + it[0].1 == it[1].0), "{}: {}", title.name, it.id);
        }
    });
}

#[test]
fn dash_10_3_segments_begin_and_end_when_the_timeline_says() {
    each(|title, mpd| {
        for it in cut(mpd) {
            let init = it.init(title);
            assert_eq!(init.timescale, it.timescale(), "{}: {}", title.name, it.id);
            let offset = it.template.number("presentationTimeOffset").unwrap_or(0);
            let timeline = it.timeline();
            for (n, (segment, (start, duration))) in it.segments(title).iter().zip(&timeline).enumerate() {
                let shown = Fragment::read(segment).shown(&init);
                // What comes before the presentation primes a decoder, and is not shown.
                let first = shown.iter().map(|it| it.0).min().expect("it has samples").max(0);
                let first = if n == 0 { first.max(*start - offset) } else { first };
                assert_eq!(first, start - offset, "{}: {} {n}", title.name, it.id);
                let last = shown.iter().map(|it| it.1).max().expect("it has samples");
                let frame = shown[0].1 - shown[0].0;
                let apart = (last - (start - offset + duration)).abs();
                assert!(apart <= frame, "{}: {} {n} ends {apart} beside", title.name, it.id);
            }
        }
    });
}

#[test]
fn dash_10_3_every_set_covers_the_period_but_for_less_than_a_segment() {
    each(|title, mpd| {
        let period = seconds(mpd.said("mediaPresentationDuration"));
        let longest = seconds(mpd.said("maxSegmentDuration"));
        for it in cut(mpd) {
            let timeline = it.timeline();
            let at = |ticks: i64| ticks as f64 / it.timescale() as f64;
            let (first, last) = (timeline[0], timeline[timeline.len() - 1]);
            assert!(at(first.0) < longest, "{}: {}", title.name, it.id);
            let end = at(last.0 + last.1);
            assert!(
                end > period - longest && end <= period + 1e-6,
                "{}: {} {end} {period}",
                title.name,
                it.id
            );
            assert!(at(last.0) < period, "no segment begins behind the end");
        }
    });
}

#[test]
fn dash_11_3_the_bandwidth_is_never_exceeded() {
    each(|title, mpd| {
        let buffer = seconds(mpd.said("minBufferTime"));
        for it in cut(mpd).into_iter().filter(|it| !it.id.ends_with("trick")) {
            let timeline = it.timeline();
            let at = |n: usize| timeline[n].0 as f64 / it.timescale() as f64;
            let bits: Vec<f64> = it.segments(title).iter().map(|it| it.len() as f64 * 8.0).collect();
            for first in 0..bits.len() {
                for last in first..bits.len() {
                    // A player that begins anywhere, and waits for its buffer, never waits again.
                    let sent: f64 = bits[first..=last].iter().sum();
                    let room = it.bandwidth as f64 * (buffer + at(last) - at(first));
                    assert!(sent <= room + 8.0, "{}: {} {first}..={last}", title.name, it.id);
                }
            }
        }
    });
}

#[test]
fn dash_8_5_subtitles_beside_the_title_are_whole_files_under_a_base_url() {
    let title = titles::ladder();
    let mpd = Element::parse(&title.text("manifest.mpd"));
    let texts: Vec<_> =
        sets(&mpd).into_iter().filter(|it| it.attribute("contentType") == Some("text")).collect();
    assert_eq!(texts.len(), 3);
    for it in texts {
        assert!(it.one("SegmentTemplate").is_none() && it.one("Label").is_some());
        let representation = it.all("Representation")[0];
        let uri = &representation.one("BaseURL").expect("it is a file").text;
        assert!(title.text(uri).starts_with("WEBVTT\n"), "{uri}");
    }
}

#[test]
fn dash_9_key_frames_are_a_set_that_says_whose_they_are() {
    each(|title, mpd| {
        let is_trick = |it: &&Element| {
            let told = it.all("EssentialProperty").into_iter();
            told.filter_map(|it| it.attribute("schemeIdUri")).any(|it| it.ends_with("trickmode"))
        };
        for set in sets(mpd).into_iter().filter(is_trick) {
            for it in cut(mpd).into_iter().filter(|it| it.id == set.all("Representation")[0].said("id")) {
                for segment in it.segments(title) {
                    assert_eq!(Fragment::read(&segment).samples.len(), 1, "{}", title.name);
                }
            }
        }
    });
}
