//! Playlists and the MPD of a stored title.

use std::fmt::Write;
use std::ops::Range;
use std::time::Duration;

use super::rendition::Rendition;
use super::{Item, Tag, TrackName};
use crate::dash::{AdaptationSet, Mpd, Period, Representation, Segment, Segments, Type};
use crate::hls::multivariant::{self, AudioRendition, Variant};
use crate::media::{CodecConfig, Sync, Timestamp, TrackKind};

/// The one audio group.
const GROUP: &str = "audio";

/// A title's tracks.
#[derive(Clone, Copy)]
pub(super) struct Tracks<'a> {
    pub(super) tag: Tag,
    pub(super) video: &'a [Rendition],
    pub(super) audio: &'a [Rendition],
}

impl Tracks<'_> {
    /// The multivariant playlist. Tracks are never muxed: where there are pictures, sound is a group beside them.
    pub(super) fn multivariant(&self) -> String {
        let loudest = |of: fn(&Rendition) -> u64| self.audio.iter().map(of).max().unwrap_or(0);
        let mut audio_codecs: Vec<String> = Vec::new();
        for it in self.audio {
            let codec = it.index.track.config.codec_string();
            if !audio_codecs.contains(&codec) {
                audio_codecs.push(codec);
            }
        }
        let mut variants: Vec<Variant> = Vec::new();
        for (index, it) in self.video.iter().enumerate() {
            let codec = it.index.track.config.codec_string();
            variants.push(Variant {
                uri: self.uri(TrackName { kind: TrackKind::Video, index }, Item::Playlist),
                bandwidth: it.rate.peak + loudest(|it| it.rate.peak),
                average_bandwidth: Some(it.rate.average + loudest(|it| it.rate.average)),
                codecs: [vec![codec], audio_codecs.clone()].concat(),
                resolution: resolution(it),
                frame_rate: it.index.frame_rate.map(|it| it.per_second()),
                audio_group: (!self.audio.is_empty()).then(|| GROUP.into()),
            });
        }
        in_order_of_start(&mut variants);
        if !variants.is_empty() {
            return multivariant::render(
                &variants,
                &self.audio_renditions(),
                multivariant::Segments::Independent,
            );
        }
        for (index, it) in self.audio.iter().enumerate() {
            variants.push(Variant {
                uri: self.uri(TrackName { kind: TrackKind::Audio, index }, Item::Playlist),
                bandwidth: it.rate.peak,
                average_bandwidth: Some(it.rate.average),
                codecs: vec![it.index.track.config.codec_string()],
                resolution: None,
                frame_rate: None,
                audio_group: None,
            });
        }
        in_order_of_start(&mut variants);
        multivariant::render(&variants, &[], multivariant::Segments::Independent)
    }

    fn audio_renditions(&self) -> Vec<AudioRendition> {
        let rendition = |(index, it): (usize, &Rendition)| {
            let language = language(it);
            // Names are unique in their group, also where two tracks have one language.
            let name = match (language, self.audio.len()) {
                ("und", 1) => "Audio".to_owned(),
                ("und", _) => format!("Audio {}", index + 1),
                (language, 1) => language.to_owned(),
                (language, _) => format!("{language} {}", index + 1),
            };
            AudioRendition {
                group: GROUP.into(),
                name,
                // Apple's rules want it always; `und` is a legal tag (RFC 5646 4.1).
                language: Some(language.into()),
                default: index == 0,
                channels: match &it.index.track.config {
                    CodecConfig::Aac(config) => config.output_channels(),
                    CodecConfig::Avc(_) => 0,
                },
                uri: self.uri(TrackName { kind: TrackKind::Audio, index }, Item::Playlist),
            }
        };
        self.audio.iter().enumerate().map(rendition).collect()
    }

    /// The media playlist of one track; its URIs are relative to its own place.
    pub(super) fn media(&self, rendition: &Rendition) -> String {
        // The target is the same in every playlist of a title (Apple's rule 8.2).
        let hundred_thousandths = |it: Timestamp| {
            let hertz = i128::from(it.timescale().hertz());
            (i128::from(it.ticks()) * 200_000 + hertz).div_euclid(2 * hertz)
        };
        let durations = |it: &Rendition| {
            // Absolute times are rounded, not durations: so errors do not add up. The first segment begins with
            // the presentation, also where its first picture comes a little later.
            let mut previous = 0;
            let ends: Vec<i128> = it.spans().map(|span| hundred_thousandths(it.index.at(span.end))).collect();
            ends.into_iter()
                .map(|end| {
                    let duration = end - previous;
                    previous = end;
                    duration
                })
                .collect::<Vec<i128>>()
        };
        let all = self.video.iter().chain(self.audio).flat_map(durations);
        let target = all.map(|it| (it + 50_000) / 100_000).max().unwrap_or(1).max(1);
        let mut out = format!(
            "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-TARGETDURATION:{target}\n\
             #EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-MAP:URI=\"init.mp4\"\n"
        );
        for (n, duration) in durations(rendition).into_iter().enumerate() {
            let (seconds, rest) = (duration / 100_000, duration % 100_000);
            writeln!(out, "#EXTINF:{seconds}.{rest:05},\n{n}.m4s")
                .expect("a String takes all that is written to it");
        }
        out.push_str("#EXT-X-ENDLIST\n");
        out
    }

    /// The static MPD.
    pub(super) fn mpd(&self) -> String {
        let all = || self.video.iter().chain(self.audio);
        let longest = all()
            .flat_map(|it| it.spans().map(|span| it.index.at(span.end - span.start)))
            .max()
            .map_or(Duration::ZERO, rounded_up);
        // One set of pictures to switch within; of sound one for each track, as its viewers choose, unless sound
        // is all there is.
        let mut groups = vec![(TrackKind::Video, 0..self.video.len())];
        if self.video.is_empty() {
            groups.push((TrackKind::Audio, 0..self.audio.len()));
        } else {
            groups.extend((0..self.audio.len()).map(|index| (TrackKind::Audio, index..index + 1)));
        }
        let sets = groups.into_iter().filter_map(|(kind, range)| self.set(kind, range)).collect();
        Mpd {
            kind: Type::Static {
                duration: all().map(Rendition::end).max().map_or(Duration::ZERO, Timestamp::to_duration),
            },
            min_buffer: longest,
            max_segment: longest,
            periods: vec![Period { id: "0".into(), start: Duration::ZERO, duration: None, sets }],
        }
        .render()
    }

    fn set(&self, kind: TrackKind, range: Range<usize>) -> Option<AdaptationSet> {
        let tracks = match kind {
            TrackKind::Video => self.video,
            TrackKind::Audio => self.audio,
        };
        let first = tracks.get(range.start)?;
        let segments = self.segments(first);
        let representation = |index: usize| {
            let it = tracks.get(index)?;
            let own = self.segments(it);
            Some(Representation {
                id: TrackName { kind, index }.to_string(),
                bandwidth: it.rate.peak,
                config: it.index.track.config.clone(),
                frame_rate: it.index.frame_rate,
                segments: (own != segments).then_some(own),
            })
        };
        Some(AdaptationSet {
            kind,
            language: first.index.track.language,
            starts_with: Sync::Key,
            representations: range.filter_map(representation).collect(),
            segments,
        })
    }

    fn segments(&self, it: &Rendition) -> Segments {
        let ticks = |it: i64| u64::try_from(it).unwrap_or(0);
        let timeline = it
            .spans()
            .map(|it| Segment { start: ticks(it.start), duration: ticks(it.end.saturating_sub(it.start)) });
        Segments {
            timescale: it.index.track.timescale,
            initialization: format!("{}/$RepresentationID$/init.mp4", self.tag),
            media: format!("{}/$RepresentationID$/$Number$.m4s", self.tag),
            start_number: 0,
            presentation_offset: 0,
            timeline: timeline.collect(),
        }
    }

    /// Relative to the title's own manifests.
    fn uri(&self, track: TrackName, item: Item) -> String {
        format!("{}/{track}/{item}", self.tag)
    }
}

/// Players begin with the first variant before they have measured anything: that is the one nearest to 2 Mbit/s
/// (Apple's rule 1.32). The others ascend.
fn in_order_of_start(variants: &mut [Variant]) {
    variants.sort_by_key(|it| it.bandwidth);
    let distance = |it: &Variant| it.average_bandwidth.unwrap_or(it.bandwidth).abs_diff(2_000_000);
    if let Some((start, _)) = variants.iter().enumerate().min_by_key(|(_, it)| distance(it)) {
        variants.get_mut(..=start).into_iter().for_each(|it| it.rotate_right(1));
    }
}

/// To the next nanosecond: a segment longer than announced is an error to validators.
fn rounded_up(it: Timestamp) -> Duration {
    let down = it.to_duration();
    let exact = down.as_nanos() * u128::from(it.timescale().hertz());
    let rest = u128::try_from(it.ticks()).unwrap_or(0) * 1_000_000_000 > exact;
    if rest { down + Duration::from_nanos(1) } else { down }
}

fn resolution(it: &Rendition) -> Option<(u32, u32)> {
    match &it.index.track.config {
        CodecConfig::Avc(config) if it.index.matrix.swaps_sides() => {
            Some((config.display_height, config.display_width))
        }
        CodecConfig::Avc(config) => Some((config.display_width, config.display_height)),
        CodecConfig::Aac(_) => None,
    }
}

fn language(it: &Rendition) -> &str {
    std::str::from_utf8(&it.index.track.language).unwrap_or("und")
}
