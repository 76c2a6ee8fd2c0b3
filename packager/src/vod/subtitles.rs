//! Subtitles of a title: playlists, segments, and what manifests say of them.

use std::iter;
use std::ops::Range;
use std::time::Duration;

use xxhash_rust::xxh3::Xxh3;

use super::rate::Rate;
use super::resource::{TextItem, TextName};
use super::{Tag, manifest};
use crate::dash::TextSet;
use crate::hls::media::{Head, Independence, Kind, Lines};
use crate::hls::multivariant::SubtitleRendition;
use crate::text::{Purpose, Track};

/// The one group of subtitles.
pub(super) const GROUP: &str = "subtitles";

/// Long enough that few are asked for, short enough that a seek waits for little.
const SEGMENT: Duration = Duration::from_secs(30);

/// The subtitles of a title.
#[derive(Debug, Default)]
pub(super) struct Subtitles {
    tracks: Vec<Track>,
    /// What each is called, and how much of it there is to fetch.
    facts: Vec<(String, Rate)>,
    default: Option<usize>,
    /// How long the title lasts.
    duration: Duration,
}

impl Subtitles {
    /// Of a title that lasts `duration`.
    pub(super) fn new(tracks: Vec<Track>, duration: Duration) -> Self {
        let mut it = Self { default: Track::default(&tracks), tracks, facts: Vec::new(), duration };
        let seconds: Vec<f64> = it.windows().map(|it| (it.end - it.start).as_secs_f64()).collect();
        let rate = |track: &Track| {
            let lengths = track.subtitles.lengths(SEGMENT, seconds.len());
            Rate::of(seconds.iter().copied().zip(lengths))
        };
        it.facts = Track::names(&it.tracks).into_iter().zip(it.tracks.iter().map(rate)).collect();
        it
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.tracks.is_empty()
    }

    /// What of them changes bytes, manifests included.
    pub(super) fn hash(&self, hash: &mut Xxh3) {
        hash.update(&SEGMENT.as_nanos().to_be_bytes());
        hash.update(&self.default.map_or(u64::MAX, |it| it as u64).to_be_bytes());
        for (track, (name, _)) in self.tracks.iter().zip(&self.facts) {
            let texts = [track.about.language.tag(), name, &track.subtitles.whole()];
            for text in texts {
                hash.update(&(text.len() as u64).to_be_bytes());
                hash.update(text.as_bytes());
            }
            hash.update(&[track.about.purpose as u8]);
        }
    }

    /// About how many bytes of memory they hold.
    pub(super) fn weight(&self) -> usize {
        self.tracks.iter().map(|it| it.subtitles.weight() + size_of::<Track>()).sum()
    }

    /// The costliest to fetch.
    pub(super) fn costliest(&self, of: fn(&Rate) -> u64) -> u64 {
        self.facts.iter().map(|(_, rate)| of(rate)).max().unwrap_or(0)
    }

    /// What is asked of the track with that number; nothing where there is no such thing.
    pub(super) fn text(&self, track: usize, item: TextItem) -> Option<String> {
        let track = self.tracks.get(track)?;
        match item {
            TextItem::Playlist => Some(self.playlist()),
            TextItem::Segment(n) => Some(track.subtitles.segment(self.windows().nth(n)?)),
            TextItem::Whole => Some(track.subtitles.whole()),
        }
    }

    /// The members of the group, in their order.
    pub(super) fn renditions(&self, tag: Tag) -> Vec<SubtitleRendition> {
        let rendition = |(index, track, name, _): (usize, &Track, &str, &Rate)| SubtitleRendition {
            group: GROUP.into(),
            name: name.to_owned(),
            language: track.about.language.tag().to_owned(),
            default: self.default == Some(index),
            purpose: track.about.purpose,
            uri: format!("{tag}/{}/{}", TextName(index), TextItem::Playlist),
        };
        self.numbered().map(rendition).collect()
    }

    /// A set for each, whose players choose one and fetch it whole.
    pub(super) fn sets(&self, tag: Tag) -> Vec<TextSet> {
        let set = |(index, track, name, rate): (usize, &Track, &str, &Rate)| {
            let main = (self.default == Some(index)).then_some("main");
            let purpose = match track.about.purpose {
                Purpose::Dialogue => "subtitle",
                Purpose::HardOfHearing => "caption",
                Purpose::Forced => "forced-subtitle",
            };
            TextSet {
                id: TextName(index).to_string(),
                language: track.about.language.tag().to_owned(),
                label: name.to_owned(),
                roles: iter::once(purpose).chain(main).collect(),
                bandwidth: rate.average.max(1),
                uri: format!("{tag}/{}/{}", TextName(index), TextItem::Whole),
            }
        };
        self.numbered().map(set).collect()
    }

    fn numbered(&self) -> impl Iterator<Item = (usize, &Track, &str, &Rate)> {
        let tracks = self.tracks.iter().zip(&self.facts).enumerate();
        tracks.map(|(index, (track, (name, rate)))| (index, track, &**name, rate))
    }

    /// When each segment plays: on a grid, up to the end of the title.
    fn windows(&self) -> impl Iterator<Item = Range<Duration>> {
        let end = self.duration;
        let starts = iter::successors(Some(Duration::ZERO), |it| it.checked_add(SEGMENT));
        let within = starts.take_while(move |it| *it < end || it.is_zero());
        within.map(move |start| start..(start + SEGMENT).min(end))
    }

    fn playlist(&self) -> String {
        let mut lines = Lines::new();
        lines.head(&Head {
            target_duration: manifest::target(SEGMENT.min(self.duration)),
            media_sequence: 0,
            discontinuity_sequence: 0,
            kind: Kind::Vod(Independence::Independent),
        });
        for (n, window) in self.windows().enumerate() {
            lines.segment(window.end - window.start, TextItem::Segment(n));
        }
        lines.end();
        lines.into_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{About, Format, Language};

    fn track(language: &str, purpose: Purpose, default: bool) -> Track {
        let text = "WEBVTT\n\n00:20.000 --> 00:40.000\nover the edge\n";
        Track {
            about: About { language: Language::parse(language).unwrap(), label: None, default, purpose },
            subtitles: crate::text::Subtitles::parse(text.as_bytes(), Format::WebVtt).unwrap(),
        }
    }

    fn film() -> Subtitles {
        let tracks = vec![track("en", Purpose::Dialogue, true), track("de", Purpose::Forced, true)];
        Subtitles::new(tracks, Duration::from_millis(70_500))
    }

    #[test]
    fn a_playlist_covers_the_whole_title() {
        assert_eq!(
            film().text(1, TextItem::Playlist).unwrap(),
            "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:30\n#EXT-X-PLAYLIST-TYPE:VOD\n\
             #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:30.0,\n0.vtt\n#EXTINF:30.0,\n1.vtt\n\
             #EXTINF:10.5,\n2.vtt\n#EXT-X-ENDLIST\n"
        );
        assert_eq!(film().text(2, TextItem::Playlist), None);
    }

    #[test]
    fn every_listed_segment_is_there_and_no_other() {
        let film = film();
        let has = |n| film.text(0, TextItem::Segment(n)).map(|it| it.contains("over the edge"));
        assert_eq!([0, 1, 2, 3].map(has), [Some(true), Some(true), Some(false), None]);
        let short = Subtitles::new(vec![track("en", Purpose::Dialogue, false)], Duration::from_secs(30));
        assert_eq!(short.windows().count(), 1);
    }

    #[test]
    fn one_track_at_most_is_shown_unasked() {
        let tag = Tag(0x00c0_ffee_00c0_ffee);
        let film = film();
        let renditions = film.renditions(tag);
        let seen = renditions.iter().map(|it| (&*it.name, it.default, &*it.uri)).collect::<Vec<_>>();
        assert_eq!(
            seen,
            [
                ("English", true, "00c0ffee00c0ffee/t0/index.m3u8"),
                ("Deutsch (forced)", false, "00c0ffee00c0ffee/t1/index.m3u8")
            ]
        );
        let roles = film.sets(tag).into_iter().map(|it| it.roles).collect::<Vec<_>>();
        assert_eq!(roles, [vec!["subtitle", "main"], vec!["forced-subtitle"]]);
    }

    #[test]
    fn the_rate_is_that_of_the_segments() {
        let film = Subtitles::new(vec![track("en", Purpose::Dialogue, false)], Duration::from_secs(60));
        let longest = film.text(0, TextItem::Segment(0)).unwrap().len() as u64;
        assert_eq!(film.costliest(|it| it.peak), (longest * 8).div_ceil(30));
    }
}
