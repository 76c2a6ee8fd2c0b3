//! Stored titles cut into segments: nothing lost, nothing moved, and described as they are.

use std::collections::HashMap;
use std::future::Future;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use levada_packager as packager;
use packager::asset::{ReadError, Source, Stored, Version};
use packager::isobmff::reader::Boxed;
use packager::media::TrackKind;
use packager::protect::{ContentKey, KeyId, Method, System, TitleKeys};
use packager::text::Language;
use packager::vod::{
    AboutSound, Asset, Captions, Channel, Header, KeyOf, Labels, Protection, Reason, Segment, SoundRole,
    Take, TitleSegment, TrackName, Unplayable,
};
use proptest::prelude::*;
use quick_xml::events::Event;

const BFRAMES: &[u8] = include_bytes!("media/bframes.mp4");
const FASTSTART: &[u8] = include_bytes!("media/faststart.mp4");
const LATE_AUDIO: &[u8] = include_bytes!("media/late-audio.mp4");
const VARIABLE: &[u8] = include_bytes!("media/variable.mp4");
const AUDIO: &[u8] = include_bytes!("media/audio.m4a");
const FRAGMENTED: &[u8] = include_bytes!("media/fragmented.mp4");
const HYBRID: &[u8] = include_bytes!("media/hybrid.mp4");

/// Short, so that a second and a half has two segments.
const TARGET: Duration = Duration::from_secs(1);

const V0: TrackName = TrackName { kind: TrackKind::Video, index: 0 };
const V1: TrackName = TrackName { kind: TrackKind::Video, index: 1 };
const A0: TrackName = TrackName { kind: TrackKind::Audio, index: 0 };

/// A file in memory.
struct Memory(Bytes);

impl Source for Memory {
    fn stored(&self) -> Pin<Box<dyn Future<Output = Result<Stored, ReadError>> + Send + '_>> {
        let stored = Stored { length: self.0.len() as u64, version: Version::new("1") };
        Box::pin(async { Ok(stored) })
    }

    fn read(
        &self,
        range: Range<u64>,
        _: &Version,
    ) -> Pin<Box<dyn Future<Output = Result<Bytes, ReadError>> + Send + '_>> {
        Box::pin(async move { Ok(self.0.slice(range.start as usize..range.end as usize)) })
    }
}

fn header(file: &[u8]) -> Option<Header> {
    let source = Memory(Bytes::copy_from_slice(file));
    match pin!(Header::read(&source)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(header) => header.ok(),
        Poll::Pending => panic!("memory is always ready"),
    }
}

fn title(files: &[&[u8]]) -> Result<Asset, Unplayable> {
    Asset::new(files.iter().map(|it| header(it).expect("ffmpeg writes whole headers")).collect(), TARGET)
}

/// A segment as a player gets it.
struct Fetched {
    base: i64,
    samples: Vec<Sample>,
}

#[derive(Debug, PartialEq)]
struct Sample {
    duration: u32,
    composition_offset: i32,
    payload: Vec<u8>,
}

fn fetch(file: &[u8], title: &Asset, track: TrackName, n: usize) -> Option<Fetched> {
    let body = title.segment(track, n)?.stored()?.body;
    let length = body.length();
    let mut bytes = body.head.to_vec();
    for read in body.reads(512 * 1024) {
        let range = read.range.start as usize..read.range.end as usize;
        bytes.extend_from_slice(&read.keep(Bytes::copy_from_slice(&file[range])));
    }
    assert_eq!(bytes.len() as u64, length);
    Some(parse(&bytes.into()))
}

fn parse(segment: &Bytes) -> Fetched {
    let mut rest = segment.clone();
    let mut boxes = Vec::new();
    while !rest.is_empty() {
        let it = Boxed::first(&rest, 0).expect("segments are whole boxes");
        rest = rest.slice(it.body().len() + 8..);
        boxes.push(it);
    }
    let [styp, moof, mdat] = boxes.as_slice() else { panic!("{boxes:?}") };
    assert!(styp.is(b"styp") && moof.is(b"moof") && mdat.is(b"mdat"));
    let traf = moof.required(b"traf").unwrap();
    let mut tfdt = traf.required(b"tfdt").unwrap().fields().rest().slice(4..);
    let base = i64::from_be_bytes(tfdt.split_to(8)[..].try_into().unwrap());
    let tfhd = traf.required(b"tfhd").unwrap();
    let mut fields = tfhd.fields();
    let (_, flags) = fields.version_and_flags().unwrap();
    fields.u32().unwrap();
    let mut default = |flag: u32| if flags & flag != 0 { fields.u32().unwrap() } else { 0 };
    let (duration, size, _) = (default(0x8), default(0x10), default(0x20));

    let trun = traf.required(b"trun").unwrap();
    let mut fields = trun.fields();
    let (_, flags) = fields.version_and_flags().unwrap();
    let count = fields.u32().unwrap();
    let offset = fields.u32().unwrap() as usize;
    assert_eq!(segment.len() - mdat.body().len(), styp.body().len() + 8 + offset);
    if flags & 0x4 != 0 {
        fields.u32().unwrap();
    }
    let mut payload = mdat.body().clone();
    let mut samples = Vec::new();
    for _ in 0..count {
        let mut field = |flag: u32, default| if flags & flag != 0 { fields.u32().unwrap() } else { default };
        let (duration, size, _, offset) =
            (field(0x100, duration), field(0x200, size), field(0x400, 0), field(0x800, 0));
        let payload = payload.split_to(size as usize).to_vec();
        samples.push(Sample { duration, composition_offset: offset as i32, payload });
    }
    assert!(payload.is_empty());
    Fetched { base, samples }
}

/// Where the init segment's edit list lets the presentation begin.
fn media_time(title: &Asset, track: TrackName) -> i64 {
    let init = title.init(track).unwrap();
    let ftyp = Boxed::first(&init, 0).unwrap();
    let moov = Boxed::first(&init.slice(ftyp.body().len() + 8..), 0).unwrap();
    let Some(edts) = moov.required(b"trak").unwrap().child(b"edts").unwrap() else { return 0 };
    let elst = edts.required(b"elst").unwrap();
    i32::from_be_bytes(elst.body()[12..16].try_into().unwrap()).into()
}

fn segments(file: &[u8], title: &Asset, track: TrackName) -> Vec<Fetched> {
    (0..).map_while(|n| fetch(file, title, track, n)).collect()
}

/// Every packet that ffprobe sees in the file is in the segments, in order, byte for byte, and due at its time.
fn check(file: &[u8], csv: &str, tracks: &[(usize, TrackName)]) {
    let title = title(&[file]).unwrap();
    assert_eq!(title.left_out(), []);
    for &(stream, track) in tracks {
        let shift = media_time(&title, track);
        let segments = segments(file, &title, track);
        let mut due = Vec::new();
        let mut expected_base = segments[0].base;
        for segment in &segments {
            assert_eq!(segment.base, expected_base, "decoding times go on from segment to segment");
            for sample in &segment.samples {
                let presented = expected_base + i64::from(sample.composition_offset) - shift;
                due.push((presented, sample.payload.clone()));
                expected_base += i64::from(sample.duration);
            }
        }
        let packet = |line: &str| {
            let fields = line.split(',').collect::<Vec<_>>();
            let number = |at: usize| fields[at].parse::<i64>().unwrap();
            let place = number(5) as usize..(number(5) + number(4)) as usize;
            (number(0) == stream as i64).then(|| (number(1), file[place].to_vec()))
        };
        assert_eq!(due, csv.lines().filter_map(packet).collect::<Vec<_>>(), "{track}");
    }
}

#[test]
fn every_packet_is_sent_once_and_is_due_when_ffprobe_says() {
    check(BFRAMES, include_str!("media/bframes.csv"), &[(0, V0), (1, A0)]);
    check(FASTSTART, include_str!("media/faststart.csv"), &[(0, V0), (1, A0)]);
    check(LATE_AUDIO, include_str!("media/late-audio.csv"), &[(0, V0), (1, A0)]);
    check(VARIABLE, include_str!("media/variable.csv"), &[(0, V0)]);
    check(AUDIO, include_str!("media/audio.csv"), &[(0, A0)]);
}

#[test]
fn segments_begin_at_key_frames_and_sound_is_cut_beside_them() {
    let title = title(&[BFRAMES]).unwrap();
    let counts =
        |track| segments(BFRAMES, &title, track).iter().map(|it| it.samples.len()).collect::<Vec<_>>();
    // 30 pictures of 1001/30000 s are 1.001 s: 47 frames of sound begin before that, and one primes them.
    assert_eq!(counts(V0), [30, 18]);
    assert_eq!(counts(A0), [48, 28]);
}

fn playlist(title: &Asset, track: TrackName) -> m3u8_rs::MediaPlaylist {
    let text = title.media_playlist(track).unwrap();
    m3u8_rs::parse_media_playlist_res(text.as_bytes()).unwrap()
}

#[test]
fn an_independent_reader_reads_the_media_playlist() {
    let title = title(&[BFRAMES]).unwrap();
    for track in [V0, A0] {
        let read = playlist(&title, track);
        assert!(read.end_list && read.independent_segments);
        assert_eq!(read.playlist_type, Some(m3u8_rs::MediaPlaylistType::Vod));
        assert_eq!((read.media_sequence, read.target_duration), (0, 1));
        assert_eq!(read.segments[0].map.as_ref().map(|it| it.uri.as_str()), Some("init.mp4"));
        let uris = read.segments.iter().map(|it| it.uri.as_str()).collect::<Vec<_>>();
        assert_eq!(uris, ["0.m4s", "1.m4s"]);
    }
    let seconds = |track| playlist(&title, track).segments.iter().map(|it| it.duration).collect::<Vec<_>>();
    assert_eq!(seconds(V0), [1.001, 0.600_6]);
    assert_eq!(seconds(A0), [1.002_67, 0.597_33]);
}

#[test]
fn the_multivariant_playlist_says_what_the_tracks_are() {
    let text = title(&[BFRAMES]).unwrap().multivariant();
    let read = m3u8_rs::parse_master_playlist_res(text.as_bytes()).unwrap();
    let [variant, scrubbing] = read.variants.as_slice() else { panic!("{text}") };
    assert!(scrubbing.is_i_frame && scrubbing.uri.ends_with("/v0/iframes.m3u8") && scrubbing.audio.is_none());
    assert_eq!(
        (scrubbing.codecs.as_deref(), scrubbing.resolution),
        (Some("avc1.64000a"), variant.resolution)
    );
    assert_eq!(variant.codecs.as_deref(), Some("avc1.64000a,mp4a.40.2"));
    assert_eq!(variant.resolution.map(|it| (it.width, it.height)), Some((85, 36)));
    assert_eq!(variant.frame_rate, Some(29.97));
    let [audio] = read.alternatives.as_slice() else { panic!("{text}") };
    assert_eq!((audio.language.as_deref(), &*audio.name), (Some("pt"), "Português"));
    assert_eq!(Some(&audio.group_id), variant.audio.as_ref());
}

#[test]
fn bandwidths_are_those_of_the_bytes_that_are_sent() {
    let title = title(&[BFRAMES]).unwrap();
    let rates = |track| {
        let seconds = playlist(&title, track).segments.into_iter().map(|it| f64::from(it.duration));
        let bits = (0..).map_while(|n| Some(title.segment(track, n)?.stored()?.body.length() as f64 * 8.0));
        let all = seconds.zip(bits).collect::<Vec<_>>();
        let rate = |(seconds, bits): (f64, f64)| bits / seconds;
        let whole = all.iter().fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        let single = all.iter().copied().map(rate).fold(0.0, f64::max);
        (single.max(rate(whole)), rate(whole))
    };
    let (video, audio) = (rates(V0), rates(A0));
    let text = title.multivariant();
    let variant = &m3u8_rs::parse_master_playlist_res(text.as_bytes()).unwrap().variants[0];
    let near = |said: u64, measured: f64| (said as f64 - measured).abs() < 8.0;
    assert!(near(variant.bandwidth, video.0 + audio.0), "{text} {video:?} {audio:?}");
    assert!(near(variant.average_bandwidth.unwrap(), video.1 + audio.1), "{text} {video:?} {audio:?}");
}

#[test]
fn transport_streams_are_cut_as_fragments_are_and_hold_all_frames() {
    let title = title(&[BFRAMES]).unwrap();
    let text = title.transport_multivariant().unwrap();
    let read = m3u8_rs::parse_master_playlist_res(text.as_bytes()).unwrap();
    let [variant] = read.variants.as_slice() else { panic!("{text}") };
    assert!(variant.uri.ends_with("/v0/index-ts.m3u8") && read.alternatives.is_empty(), "{text}");
    assert_eq!(variant.codecs.as_deref(), Some("avc1.64000a,mp4a.40.2"));
    let list = title.transport_playlist(V0).unwrap();
    let list = m3u8_rs::parse_media_playlist_res(list.as_bytes()).unwrap();
    let durations =
        |list: &m3u8_rs::MediaPlaylist| list.segments.iter().map(|it| it.duration).collect::<Vec<_>>();
    assert_eq!(durations(&list), durations(&playlist(&title, V0)));
    let mut frames = 0;
    for n in 0..list.segments.len() {
        let segment = title.transport_segment(V0, n).unwrap();
        frames += segment.frame_octets();
        let reads = segment.reads(1 << 20);
        assert_eq!(reads.len(), 1, "of an interleaved file a segment is one read");
        let read: Vec<_> = reads
            .into_iter()
            .map(|it| {
                (it.clone(), Bytes::copy_from_slice(&BFRAMES[it.range.start as usize..it.range.end as usize]))
            })
            .collect();
        let packets = segment.make(&read).unwrap().concat();
        assert!(packets.chunks(188).all(|it| it.len() == 188 && it[0] == 0x47));
    }
    let all: u64 = include_str!("media/bframes.csv")
        .lines()
        .map(|it| it.split(',').nth(4).unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(frames, all, "every packet that ffprobe sees is in one of them");
    assert!(title.transport_segment(V0, 2).is_none());
    assert!(title.transport_playlist(A0).is_some(), "sound alone has a stream of its own");
}

#[test]
fn a_report_says_what_is_in_a_title_and_what_is_wrong_with_it() {
    let report = title(&[BFRAMES]).unwrap().report(TARGET);
    let names: Vec<_> =
        report.tracks.iter().map(|it| (it.name.as_str(), it.format, it.codec.as_str())).collect();
    assert_eq!(names, [("v0", "H.264", "avc1.64000a"), ("a0", "AAC", "mp4a.40.2")]);
    let picture = report.tracks[0].picture.as_ref().unwrap();
    assert_eq!((picture.width, picture.height, picture.range), (85, 36, "SDR"));
    assert_eq!(report.tracks[1].sound.as_ref().map(|it| (it.sample_rate, it.channels)), Some((48_000, 1)));
    assert_eq!((report.remarks.len(), report.left_out.len()), (0, 0));
    let silent = title(&[VARIABLE]).unwrap().report(Duration::from_millis(100));
    assert_eq!(silent.remarks.len(), 2, "{:?}", silent.remarks);
    assert!(silent.remarks[0].starts_with("v0: key frames are so far apart"), "{:?}", silent.remarks);
    assert_eq!(silent.remarks[1], "it has no sound");
}

/// Start tags of an MPD with their attributes.
fn elements(mpd: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut reader = quick_xml::Reader::from_str(mpd);
    let mut found = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(it) | Event::Empty(it) => {
                let attributes = it.attributes().map(|it| {
                    let it = it.unwrap();
                    (it.key.as_ref().to_owned(), it.value.to_string())
                });
                found.push((it.name().as_ref().to_owned(), attributes.collect()));
            }
            Event::Eof => return found,
            _ => {}
        }
    }
}

fn attribute<'a>(element: &'a (String, Vec<(String, String)>), name: &str) -> Option<&'a str> {
    element.1.iter().find(|it| it.0 == name).map(|it| it.1.as_str())
}

#[test]
fn the_timelines_of_the_mpd_are_the_segments() {
    let title = title(&[LATE_AUDIO]).unwrap();
    let mpd = elements(&title.trick_mpd());
    let said = |name: &str| mpd.iter().filter(|it| it.0 == name).collect::<Vec<_>>();
    let templates = said("SegmentTemplate");
    assert_eq!(
        templates.iter().map(|it| attribute(it, "timescale").unwrap()).collect::<Vec<_>>(),
        ["30000", "48000", "30000"]
    );
    let lines = said("S").into_iter().map(|it| (attribute(it, "t"), attribute(it, "d"))).collect::<Vec<_>>();
    // 48 pictures with a key frame after 30; sound begins where ffprobe sees its first packet.
    assert_eq!(
        lines,
        [
            (Some("0"), Some("30030")),
            (None, Some("18018")),
            (Some("22944"), Some("25600")),
            (None, Some("52224")),
            // What players scrub by: the two key frames.
            (Some("0"), Some("30030")),
            (None, Some("18018")),
        ]
    );
    let scheme = "http://dashif.org/guidelines/trickmode";
    let trick = said("EssentialProperty").into_iter().find(|it| attribute(it, "schemeIdUri") == Some(scheme));
    assert_eq!(trick.and_then(|it| attribute(it, "value")), Some("0"));
    assert_eq!(attribute(&mpd[0], "type"), Some("static"));
    assert_eq!(attribute(&mpd[0], "mediaPresentationDuration"), Some("PT2.099333333S"));
}

#[test]
fn renditions_of_a_set_are_cut_at_the_same_moments() {
    let title = title(&[BFRAMES, FASTSTART]).unwrap();
    assert_eq!(playlist(&title, V0).segments, playlist(&title, V1).segments);
    assert_eq!(title.segment(V0, 1).and_then(Segment::stored).map(|it| it.file), Some(0));
    assert_eq!(title.segment(V1, 1).and_then(Segment::stored).map(|it| it.file), Some(1));
    // Sound comes once.
    assert!(title.media_playlist(A0).is_some());
    assert!(title.media_playlist(TrackName { index: 1, ..A0 }).is_none());
    let sets = elements(&title.mpd()).into_iter().filter(|it| it.0 == "AdaptationSet").count();
    assert_eq!(sets, 2, "who does not ask for it is not told what players scrub by");
}

#[test]
fn each_key_frame_is_a_segment_that_lasts_until_the_next() {
    let title = title(&[BFRAMES]).unwrap();
    let text = title.key_frames_playlist(V0).unwrap();
    let read = m3u8_rs::parse_media_playlist_res(text.as_bytes()).unwrap();
    assert!(read.i_frames_only && read.end_list);
    assert_eq!(read.segments[0].map.as_ref().map(|it| it.uri.as_str()), Some("init.mp4"));
    let listed: Vec<_> = read.segments.iter().map(|it| (it.uri.as_str(), it.duration)).collect();
    assert_eq!(listed, [("i0.m4s", 1.001), ("i1.m4s", 0.600_6)]);
    // Those of the file that ffprobe calls key frames and that are a second apart.
    let keys =
        include_str!("media/bframes.csv").lines().filter(|it| it.starts_with("0,") && it.contains(",K"));
    let keys: Vec<Vec<i64>> =
        keys.map(|it| it.split(',').filter_map(|it| it.parse().ok()).collect()).collect();
    let expected: Vec<_> = keys.iter().filter(|it| it[1] % 30_030 == 0).collect();
    let shift = media_time(&title, V0);
    for (n, key) in expected.iter().enumerate() {
        let body = title.key_frame(V0, n).unwrap().stored().unwrap().body;
        let place = body.extents[0].start as usize..body.extents[0].end as usize;
        assert_eq!((body.extents.len(), place.start as i64, place.len() as i64), (1, key[5], key[4]));
        let segment = parse(&[&body.head[..], &BFRAMES[place]].concat().into());
        let [sample] = segment.samples.as_slice() else { panic!("one picture") };
        assert_eq!(segment.base + i64::from(sample.composition_offset) - shift, key[1], "it is shown then");
    }
    assert_eq!(expected.len(), 2);
    assert!(title.key_frame(V0, 2).is_none() && title.key_frames_playlist(A0).is_none());
}

#[test]
fn renditions_share_the_key_frames_that_all_have() {
    // Key frames every half second in one, every second in the other.
    let title = title(&[BFRAMES, LATE_AUDIO]).unwrap();
    let seconds = |track| playlist(&title, track).segments.iter().map(|it| it.duration).collect::<Vec<_>>();
    assert_eq!(seconds(V0), [1.001, 0.600_6]);
    assert_eq!(seconds(V1), [1.001, 0.600_6]);
}

#[test]
fn renditions_that_share_too_few_key_frames_are_cut_each_at_its_own() {
    // Key frames every half second in one, at 0.834 s in the other.
    let title = title(&[BFRAMES, VARIABLE]).unwrap();
    let seconds = |track| playlist(&title, track).segments.iter().map(|it| it.duration).collect::<Vec<_>>();
    assert_eq!(seconds(V0)[0], 1.001);
    assert!((seconds(V1)[0] - 0.834_17).abs() < 0.000_01, "{:?}", seconds(V1));
    let mpd = title.mpd();
    assert_eq!(mpd.matches("contentType=\"video\"").count(), 2, "{mpd}");
    let switching = |to| {
        format!(
            "<SupplementalProperty schemeIdUri=\"urn:mpeg:dash:adaptation-set-switching:2016\" value=\"{to}\"/>"
        )
    };
    assert!(mpd.contains(&switching(0)) && mpd.contains(&switching(1)), "{mpd}");
    // Whoever made them is told, with the moment.
    let remarks = title.report(TARGET).remarks;
    assert!(remarks.iter().any(|it| it.starts_with("v1: ") && it.contains("(at 0.834 s)")), "{remarks:?}");

    let alike = self::title(&[BFRAMES, LATE_AUDIO]).unwrap();
    assert_eq!(alike.mpd().matches("contentType=\"video\"").count(), 1);
    assert!(!alike.report(TARGET).remarks.iter().any(|it| it.contains("begin elsewhere")));
}

#[test]
fn files_of_sound_alone_are_choices_beside_the_pictures() {
    let headers = || [BFRAMES, AUDIO].iter().map(|it| header(it).unwrap()).collect::<Vec<_>>();
    let plain = Asset::new(headers(), TARGET).unwrap();
    let labels = Labels {
        sounds: vec![
            AboutSound { language: Language::parse("en"), ..AboutSound::default() },
            AboutSound {
                language: Language::parse("de"),
                label: Some("Hörfassung".into()),
                role: SoundRole::Description,
                ..AboutSound::default()
            },
        ],
        captions: vec![Captions {
            channel: Channel::Cc(1),
            language: Language::parse("en").unwrap(),
            label: "English".into(),
            default: false,
        }],
    };
    let labelled = Asset::new(headers(), TARGET).unwrap().with_labels(labels);
    // What is said of a title stands in its manifests, so they have other tags.
    assert_ne!(plain.tag(), labelled.tag());
    assert!(plain.multivariant().contains(",CLOSED-CAPTIONS=NONE\n"));
    let text = labelled.multivariant();
    for part in [
        "NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,",
        "NAME=\"Hörfassung\",LANGUAGE=\"de\",DEFAULT=NO,AUTOSELECT=YES,CHARACTERISTICS=\"public.accessibility.describes-video\"",
        "TYPE=CLOSED-CAPTIONS,GROUP-ID=\"captions\",NAME=\"English\",LANGUAGE=\"en\",DEFAULT=NO,AUTOSELECT=YES,INSTREAM-ID=\"CC1\"",
        ",CLOSED-CAPTIONS=\"captions\"\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let mpd = labelled.mpd();
    for part in [
        "<Accessibility schemeIdUri=\"urn:scte:dash:cc:cea-608:2015\" value=\"CC1=eng\"/>",
        "<Label>Hörfassung</Label>",
        "<Accessibility schemeIdUri=\"urn:tva:metadata:cs:AudioPurposeCS:2007\" value=\"1\"/>",
        "<Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"description\"/>",
    ] {
        assert!(mpd.contains(part), "{part}: {mpd}");
    }
    assert_eq!(mpd.matches("value=\"main\"").count(), 2, "one of pictures, one of sound: {mpd}");
}

#[test]
fn a_set_takes_the_tracks_it_wants() {
    let headers = |files: &[&[u8]]| files.iter().map(|it| header(it).unwrap()).collect::<Vec<_>>();
    let sounds = |takes: &[Take]| {
        let title = Asset::taking(headers(&[BFRAMES, LATE_AUDIO]), takes, TARGET).unwrap();
        let text = title.multivariant();
        (text.matches("TYPE=AUDIO").count(), text.matches("#EXT-X-STREAM-INF").count(), title.tag())
    };
    let (all, none, other) =
        (sounds(&[]), sounds(&[Take::Video, Take::Video]), sounds(&[Take::All, Take::Audio]));
    assert_eq!([(all.0, all.1), (none.0, none.1), (other.0, other.1)], [(1, 2), (0, 2), (2, 1)]);
    assert!(all.2 != none.2 && none.2 != other.2);
    let wrong = |take| Asset::taking(headers(&[AUDIO]), &[take], TARGET).unwrap_err().reason;
    assert_eq!(wrong(Take::Video), Reason::NoVideo);
}

#[test]
fn the_tag_changes_with_the_bytes_and_the_target_alone() {
    let tag = |file, target| Asset::new(vec![header(file).unwrap()], target).unwrap().tag();
    assert_eq!(tag(BFRAMES, TARGET), tag(BFRAMES, TARGET));
    assert_ne!(tag(BFRAMES, TARGET), tag(FASTSTART, TARGET));
    assert_ne!(tag(BFRAMES, TARGET), tag(BFRAMES, 2 * TARGET));
    let longer = [BFRAMES, b"\0\0\0\x08free"].concat();
    assert_ne!(tag(BFRAMES, TARGET), tag(&longer, TARGET));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_a_header_says_the_answer_is_a_title_or_a_reason(
        changes in prop::collection::vec((0_usize..2_000, any::<u8>()), 1..6),
        front in any::<bool>(),
    ) {
        let mut file = if front { FASTSTART.to_vec() } else { BFRAMES.to_vec() };
        let moov = file.windows(4).position(|it| it == b"moov").unwrap();
        for (at, value) in changes {
            if let Some(byte) = file.get_mut(moov + at) {
                *byte = value;
            }
        }
        let Some(header) = header(&file) else { return Ok(()) };
        let Ok(title) = Asset::new(vec![header], TARGET) else { return Ok(()) };
        prop_assert!(!title.multivariant().is_empty() && !title.mpd().is_empty());
        for track in [V0, A0] {
            let Some(text) = title.media_playlist(track) else { continue };
            let read = m3u8_rs::parse_media_playlist_res(text.as_bytes());
            prop_assert!(read.is_ok(), "{}", text);
            for n in 0..read.unwrap().segments.len() {
                prop_assert!(title.segment(track, n).and_then(Segment::stored).is_some_and(|it| it.body.length() > 0));
            }
        }
    }
}

/// Everything that viewers are given of a file's media, in one number: fragments, key frames and transport streams.
fn fingerprint(file: &'static [u8]) -> String {
    fingerprint_of(&Bytes::from_static(file), &title(&[file]).unwrap())
}

fn fingerprint_of(file: &Bytes, title: &Asset) -> String {
    let within = |range: &Range<u64>| file.slice(range.start as usize..range.end as usize);
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    for track in [V0, A0] {
        let segments = (0..).map_while(|n| title.segment(track, n));
        let key_frames = (0..).map_while(|n| title.key_frame(track, n));
        for TitleSegment { body, .. } in segments.chain(key_frames).filter_map(Segment::stored) {
            hash.update(&body.head);
            body.extents.iter().for_each(|it| hash.update(&within(it)));
        }
        for segment in (0..).map_while(|n| title.transport_segment(track, n)) {
            let reads = segment.reads(1 << 20);
            let read: Vec<_> = reads.into_iter().map(|it| (it.clone(), within(&it.range))).collect();
            segment.make(&read).unwrap().iter().for_each(|it| hash.update(it));
        }
    }
    format!("{:016x}", hash.digest())
}

/// The title of a file, of the record of it alone.
fn of_record(record: &[u8], file: &[u8]) -> Option<Asset> {
    Asset::of_record(record, vec![header(file)?.stored], TARGET)
}

#[test]
fn a_title_of_a_record_is_the_title_of_the_file() {
    for file in [BFRAMES, FASTSTART, LATE_AUDIO, VARIABLE, AUDIO, FRAGMENTED, HYBRID] {
        let built = title(&[file]).unwrap();
        let record = built.record().unwrap();
        let read = of_record(&record, file).unwrap();
        assert_eq!(read.record(), Some(record));
        assert_eq!((read.tag(), read.weight()), (built.tag(), built.weight()));
        assert_eq!(read.report(TARGET), built.report(TARGET));
        assert_eq!((read.multivariant(), read.trick_mpd()), (built.multivariant(), built.trick_mpd()));
        assert_eq!(read.transport_multivariant(), built.transport_multivariant());
        for track in [V0, A0] {
            assert_eq!(read.init(track), built.init(track));
            assert_eq!(read.media_playlist(track), built.media_playlist(track));
            assert_eq!(read.key_frames_playlist(track), built.key_frames_playlist(track));
        }
        assert_eq!(fingerprint_of(&Bytes::from_static(file), &read), fingerprint(file));
    }
}

#[test]
fn a_record_of_other_files_or_of_another_target_is_none() {
    let record = title(&[BFRAMES]).unwrap().record().unwrap();
    assert!(of_record(&record, FASTSTART).is_none());
    let stored = vec![header(BFRAMES).unwrap().stored];
    let twice = [stored.clone(), stored.clone()].concat();
    let renamed = vec![Stored { version: Version::new("2"), ..stored[0].clone() }];
    assert!(Asset::of_record(&record, stored, 2 * TARGET).is_none());
    assert!(Asset::of_record(&record, twice, TARGET).is_none());
    assert!(Asset::of_record(&record, renamed, TARGET).is_none());
    for end in 0..record.len() {
        assert!(of_record(&record[..end], BFRAMES).is_none(), "{end}");
    }
}

/// Everything that can be asked of a title, whatever the answer.
fn ask_everything(title: &Asset) {
    title.multivariant();
    title.trick_mpd();
    title.report(TARGET);
    let _ = title.transport_multivariant();
    for track in [V0, A0] {
        title.init(track);
        title.media_playlist(track);
        title.key_frames_playlist(track);
        title.transport_playlist(track);
        for n in 0..4 {
            title.segment(track, n).and_then(Segment::stored).map(|it| it.body.length());
            title.key_frame(track, n).and_then(Segment::stored).map(|it| it.body.length());
            title.transport_segment(track, n).map(|it| it.reads(1 << 20));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whoever can write to the directory can also write checksums.
    #[test]
    fn whatever_a_record_says_the_answer_is_a_title_or_nothing(
        changes in prop::collection::vec((32_usize..2_000, any::<u8>()), 1..6),
        long in any::<bool>(),
    ) {
        let file = if long { BFRAMES } else { AUDIO };
        let mut record = title(&[file]).unwrap().record().unwrap();
        let length = record.len();
        for (at, value) in changes {
            record[32 + at % (length - 32)] = value;
        }
        let check = xxhash_rust::xxh3::xxh3_64(&record[32..]);
        record[24..32].copy_from_slice(&check.to_le_bytes());
        if let Some(title) = of_record(&record, file) {
            ask_everything(&title);
        }
    }
}

/// Servers of different age give the same bytes under the same names; whoever changes them on purpose changes `FORMAT` of
/// the asset, and these.
#[test]
fn the_same_file_gives_the_same_bytes_for_ever() {
    let files = [BFRAMES, FASTSTART, LATE_AUDIO, VARIABLE, AUDIO, FRAGMENTED, HYBRID];
    let expected = [
        "fd01cfa95ff45dd7",
        "e2e31aa0970674fb",
        "0f6d2cba01ada8ba",
        "d1108a79f6521681",
        "1f2c398dc40d382b",
        "fd01cfa95ff45dd7",
        "35847be8c1821a98",
    ];
    assert_eq!(files.map(fingerprint), expected);
}

/// A title encrypted by `method`, with a key for each of two periods of one segment.
fn sealed(file: &[u8], method: Method) -> Asset {
    let key = |n: u8| ContentKey::new(KeyId([n; 16]), [n; 16], None);
    let protection = Protection {
        method,
        keys: TitleKeys::rotating(vec![[key(1), key(2)], [key(3), key(4)]], 1).unwrap(),
        systems: vec![System::ClearKey, System::Widevine, System::PlayReady, System::FairPlay],
        data: HashMap::new(),
        license_uri: None,
        fairplay_uri: "skd://{kid}".into(),
    };
    title(&[file]).unwrap().with_protection(protection).unwrap()
}

fn made(segment: Option<Segment>, file: &[u8]) -> Vec<u8> {
    let Some(Segment::Made(segment)) = segment else { panic!("it is not encrypted") };
    let read = segment.reads(1 << 20).into_iter().map(|it| {
        let octets = &file[it.range.start as usize..it.range.end as usize];
        (it.clone(), Bytes::copy_from_slice(octets))
    });
    segment.make(&read.collect::<Vec<_>>()).unwrap().concat()
}

#[test]
fn every_encrypted_sample_says_which_of_its_octets_are() {
    for (method, scheme, vector) in [(Method::Cenc, &b"cenc"[..], 8), (Method::Cbcs, b"cbcs", 0)] {
        let title = sealed(BFRAMES, method);
        let init = title.init(V0).unwrap();
        let stands = |what: &[u8]| init.windows(what.len()).any(|it| it == what);
        assert!(stands(b"encv") && stands(b"frmaavc1") && stands(scheme) && stands(&[1; 16]), "{method:?}");
        for segment in [title.segment(V0, 1), title.key_frame(V0, 1)] {
            let segment = Bytes::from(made(segment, BFRAMES));
            let moof = Boxed::first(&segment.slice(32..), 0).unwrap();
            let traf = moof.required(b"traf").unwrap();
            let fields = |kind: &[u8; 4]| traf.required(kind).unwrap();
            // The fragment names the key of its period.
            assert!(fields(b"sgpd").body().windows(16).any(|it| it == [3; 16]));
            let (senc, saio) = (fields(b"senc"), fields(b"saio"));
            let at = u32::from_be_bytes(saio.body()[8..12].try_into().unwrap()) as usize;
            assert_eq!(&segment[32 + at..][..8], &senc.body()[8..16], "it points at the first sample");
            let mut rest = &senc.body()[8..];
            let count = u32::from_be_bytes(senc.body()[4..8].try_into().unwrap());
            let mut octets = 0;
            for _ in 0..count {
                rest = &rest[vector..];
                let parts = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
                for part in rest[2..2 + parts * 6].chunks(6) {
                    let protected = u32::from_be_bytes(part[2..].try_into().unwrap());
                    assert!(method == Method::Cbcs || protected % 16 == 0);
                    octets += u32::from(u16::from_be_bytes([part[0], part[1]])) + protected;
                }
                rest = &rest[2 + parts * 6..];
            }
            assert!(rest.is_empty());
            let media = segment.len() - 32 - moof.body().len() - 8 - 8;
            assert_eq!(octets as usize, media, "every octet is one or the other");
        }
        assert_eq!(made(title.segment(V0, 0), BFRAMES), made(title.segment(V0, 0), BFRAMES));
    }
}

#[test]
fn players_are_told_of_each_key_where_it_begins() {
    let keys = |text: &str, what: &str| text.lines().filter(|it| it.starts_with(what)).count();
    let film = sealed(BFRAMES, Method::Cbcs);
    let playlist = film.media_playlist(V0).unwrap();
    assert_eq!(keys(&playlist, "#EXT-X-KEY:METHOD=SAMPLE-AES,"), 8, "four systems, twice: {playlist}");
    assert!(
        playlist.find("#EXT-X-MAP").unwrap() < playlist.find("#EXT-X-KEY").unwrap(),
        "init segments are clear"
    );
    assert_eq!(
        keys(&film.multivariant(), "#EXT-X-SESSION-KEY:"),
        8,
        "pictures and sound, each for four systems"
    );
    assert!(film.mpd().contains("cenc:default_KID=\"01010101-0101-0101-0101-010101010101\""));
    let license = film.license(&[KeyId([4; 16]), KeyId([9; 16])]);
    assert_eq!(license.iter().map(|it| it.0.0[0]).collect::<Vec<_>>(), [4, 1, 2, 3]);
    assert!(film.license(&[KeyId([9; 16])]).is_empty());

    let song = sealed(AUDIO, Method::Cenc);
    let multivariant = song.multivariant();
    assert_eq!(keys(&multivariant, "#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES-CTR,"), 3, "FairPlay knows no CENC");
    assert!(!multivariant.contains("/v0/"), "{multivariant}");

    let whole = sealed(BFRAMES, Method::Aes128);
    assert_eq!(keys(&whole.multivariant(), "#EXT-X-SESSION-KEY:"), 0);
    assert!(whole.license(&[KeyId([1; 16])]).is_empty());
    let names = [KeyOf::Segments, KeyOf::TransportStream, KeyOf::KeyFrames];
    let mut own: Vec<_> =
        [V0, A0].iter().flat_map(|it| names.map(|of| whole.key(*it, of, 0).unwrap())).collect();
    own.sort_unstable();
    own.dedup();
    assert_eq!(own.len(), 6, "each playlist has a key of its own");
    assert_eq!(whole.key(V0, KeyOf::Segments, 2), None);
    assert!(!own.contains(&[1; 16]), "and none is the title's");
}
