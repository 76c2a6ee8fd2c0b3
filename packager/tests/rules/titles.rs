//! Titles to try rules on, and how a viewer gets what is made of them.

use std::future::Future;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use levada_packager as packager;
use packager::asset::{ReadError, Source, Stored, Version};
use packager::text::{About, Format, Language, Purpose, Subtitles, Track};
use packager::vod::{Asset, Header, Item, Resource, TitleSegment};

pub(crate) const BFRAMES: &[u8] = include_bytes!("../media/bframes.mp4");
pub(crate) const LATE_AUDIO: &[u8] = include_bytes!("../media/late-audio.mp4");
pub(crate) const VARIABLE: &[u8] = include_bytes!("../media/variable.mp4");
const AUDIO: &[u8] = include_bytes!("../media/audio.m4a");
const FRAGMENTED: &[u8] = include_bytes!("../media/fragmented.mp4");
const HYBRID: &[u8] = include_bytes!("../media/hybrid.mp4");
pub(crate) const HIGH: &[u8] = include_bytes!("media/ladder-high.mp4");
const LOW: &[u8] = include_bytes!("media/ladder-low.mp4");
const PQ: &[u8] = include_bytes!("media/pq.mp4");
const HLG: &[u8] = include_bytes!("media/hlg.mp4");

/// A title and its files.
pub(crate) struct Title {
    pub(crate) name: &'static str,
    files: Vec<Bytes>,
    pub(crate) asset: Asset,
}

impl Title {
    pub(crate) fn of(name: &'static str, files: &[&[u8]], target: u64) -> Self {
        let files: Vec<Bytes> = files.iter().map(|it| Bytes::copy_from_slice(it)).collect();
        let headers = files.iter().map(header).collect();
        let asset = Asset::new(headers, Duration::from_secs(target)).expect("the sample can be played");
        Self { name, files, asset }
    }

    /// What a viewer gets at a path, relative to that of the title.
    pub(crate) fn get(&self, path: &str) -> Option<Vec<u8>> {
        let path = format!("title/{path}");
        let asset = &self.asset;
        let text = |it: String| Some(it.into_bytes());
        match Resource::split(&path)?.1 {
            Resource::Multivariant => text(asset.multivariant()),
            Resource::TransportMultivariant => text(asset.transport_multivariant().ok()?),
            Resource::Mpd => text(asset.mpd()),
            Resource::TrickMpd => text(asset.trick_mpd()),
            Resource::Tagged(tag, ..) | Resource::Text(tag, ..) if tag != asset.tag() => None,
            Resource::Text(_, name, item) => text(asset.text(name, item)?),
            Resource::License => None,
            Resource::Tagged(_, track, item) => match item {
                Item::Playlist => text(asset.media_playlist(track)?),
                Item::TransportPlaylist => text(asset.transport_playlist(track)?),
                Item::KeyFrames => text(asset.key_frames_playlist(track)?),
                Item::Init => Some(asset.init(track)?.to_vec()),
                Item::Key(..) => None,
                Item::Segment(n) => Some(self.read(asset.segment(track, n)?.stored()?)),
                Item::KeyFrame(n) => Some(self.read(asset.key_frame(track, n)?.stored()?)),
                Item::TransportSegment(n) => {
                    let segment = asset.transport_segment(track, n)?;
                    let reads = segment.reads(1 << 20).into_iter();
                    let read: Vec<_> =
                        reads.map(|it| (it.clone(), range(&self.files[it.file], it.range))).collect();
                    Some(segment.make(&read).expect("the frames are as the file says").concat())
                }
            },
        }
    }

    pub(crate) fn text(&self, path: &str) -> String {
        let bytes = self.get(path).unwrap_or_else(|| panic!("{}: nothing is at {path}", self.name));
        String::from_utf8(bytes).expect("it is text")
    }

    pub(crate) fn bytes(&self, path: &str) -> Vec<u8> {
        self.get(path).unwrap_or_else(|| panic!("{}: nothing is at {path}", self.name))
    }

    fn read(&self, TitleSegment { file, body }: TitleSegment) -> Vec<u8> {
        let length = body.length();
        let mut bytes = body.head.to_vec();
        for read in body.reads(512 * 1024) {
            bytes.extend_from_slice(&read.keep(range(&self.files[file], read.range.clone())));
        }
        assert_eq!(bytes.len() as u64, length, "{}: the length is known before", self.name);
        bytes
    }
}

fn range(file: &Bytes, range: Range<u64>) -> Bytes {
    file.slice(range.start as usize..range.end as usize)
}

/// A file in memory.
struct Memory(Bytes);

impl Source for Memory {
    fn stored(&self) -> Pin<Box<dyn Future<Output = Result<Stored, ReadError>> + Send + '_>> {
        let stored = Stored { length: self.0.len() as u64, version: Version::new("1") };
        Box::pin(async { Ok(stored) })
    }

    fn read(
        &self,
        wanted: Range<u64>,
        _: &Version,
    ) -> Pin<Box<dyn Future<Output = Result<Bytes, ReadError>> + Send + '_>> {
        Box::pin(async move { Ok(range(&self.0, wanted)) })
    }
}

fn header(file: &Bytes) -> Header {
    match pin!(Header::read(&Memory(file.clone()))).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(header) => header.expect("ffmpeg writes whole headers"),
        Poll::Pending => panic!("memory is always ready"),
    }
}

/// Two qualities, two languages, three subtitles.
pub(crate) fn ladder() -> Title {
    let title = Title::of("ladder", &[HIGH, LOW], 2);
    let track = |language: &str, purpose, default| Track {
        about: About {
            language: Language::parse(language).expect("it is a tag"),
            label: None,
            default,
            purpose,
        },
        subtitles: Subtitles::parse(b"WEBVTT\n\n00:01.000 --> 00:06.500\nHello\n", Format::WebVtt)
            .expect("they are well-formed"),
    };
    let tracks = vec![
        track("en", Purpose::Dialogue, true),
        track("en", Purpose::HardOfHearing, false),
        track("de", Purpose::Forced, false),
    ];
    Title { asset: title.asset.with_subtitles(tracks), ..title }
}

pub(crate) fn pq() -> Title {
    Title::of("PQ", &[PQ], 2)
}

/// Pictures that follow a key frame and are shown before it.
pub(crate) fn open() -> Title {
    Title::of("open groups", &[include_bytes!("media/open.mp4")], 2)
}

/// One of each kind.
pub(crate) fn all() -> Vec<Title> {
    let one = |name, file| Title::of(name, &[file], 1);
    vec![
        ladder(),
        one("29.97", BFRAMES),
        one("late sound", LATE_AUDIO),
        one("varying rate", VARIABLE),
        one("sound alone", AUDIO),
        one("fragmented", FRAGMENTED),
        one("partly fragmented", HYBRID),
        pq(),
        Title::of("HLG", &[HLG], 2),
    ]
}
