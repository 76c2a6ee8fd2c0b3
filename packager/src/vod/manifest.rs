//! Playlists and the MPD of a stored title.

use std::iter;
use std::ops::Range;
use std::time::Duration;

use super::protection::Protection;
use super::rate::Rate;
use super::rendition::Rendition;
use super::subtitles::{self, Subtitles};
use super::{Item, KeyOf, Labels, SoundRole, Tag, TrackName, ladder};
use crate::codec::hevc::DolbyVision;
use crate::codec::picture::Picture;
use crate::dash::{AboutSet, AdaptationSet, FrameRate, Mpd, Period, Representation, Segment, Segments, Type};
use crate::hls::media::{Head, Independence, Key, Kind, Lines};
use crate::hls::multivariant::{self, AudioRendition, CaptionsRendition, KeyFrames, Multivariant, Variant};
use crate::media::{CodecConfig, Sync, Timescale, Timestamp, TrackKind};
use crate::text::{self, Language};

/// The one audio group.
const GROUP: &str = "audio";

/// The one group of captions in the pictures.
const CAPTIONS: &str = "captions";

/// What playlists count in: the decimals of `EXTINF`.
const HUNDRED_THOUSANDTHS: Timescale = Timescale::new(100_000).expect("it is not zero");

/// Whether an MPD offers key frames alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TrickMode {
    Offered,
    Left,
}

/// A title's tracks.
#[derive(Clone, Copy)]
pub(super) struct Tracks<'a> {
    pub(super) tag: Tag,
    pub(super) video: &'a [Rendition],
    pub(super) audio: &'a [Rendition],
    pub(super) subtitles: &'a Subtitles,
    pub(super) labels: &'a Labels,
    /// See [`target_duration`].
    pub(super) target_duration: u32,
    pub(super) protection: Option<&'a Protection>,
}

/// The same in every playlist of a title (Apple's rule 8.2), so that no playlist of one track can be rendered without all;
/// it is found once.
pub(super) fn target_duration<'a>(tracks: impl Iterator<Item = &'a Rendition>) -> u32 {
    target(tracks.flat_map(|it| durations(it, it.spans())).max().unwrap_or_default())
}

impl Tracks<'_> {
    /// The multivariant playlist. Tracks are never muxed: where there are pictures, sound is a group beside them.
    pub(super) fn multivariant(&self) -> String {
        let tracks = if self.video.is_empty() { self.audio } else { self.video };
        let variants =
            in_order(tracks.iter().enumerate().map(|(index, it)| self.variant(index, it)).collect());
        Multivariant {
            variants: &variants,
            scrubbing: &self.scrubbing(),
            audio: &self.audio_group(),
            subtitles: &self.subtitles.renditions(self.tag),
            captions: &self.captions(),
            keys: &self.session_keys(KeyOf::Segments),
            segments: self.promise(),
        }
        .render()
    }

    /// What holds for the segments of all tracks.
    fn promise(&self) -> multivariant::Segments {
        if self.all().all(|it| independence(it) == Independence::Independent) {
            multivariant::Segments::Independent
        } else {
            multivariant::Segments::Mixed
        }
    }

    fn session_keys(&self, of: KeyOf) -> Vec<Key> {
        let pictures = (!self.video.is_empty()).then_some(TrackKind::Video);
        let sound = (!self.audio.is_empty()).then_some(TrackKind::Audio);
        let kinds: Vec<_> = pictures.into_iter().chain(sound).collect();
        self.protection.map(|it| it.hls_session(self.tag, of, &kinds)).unwrap_or_default()
    }

    /// The keys of a segment, where they are others than those of the segment before.
    fn keys(&self, track: TrackName, of: KeyOf, before: Option<usize>, segment: usize) -> Vec<Key> {
        let Some(protection) = self.protection else { return Vec::new() };
        let period = protection.keys.period(segment);
        if before.map(|it| protection.keys.period(it)) == Some(period) {
            return Vec::new();
        }
        protection.hls(track, of, period)
    }

    /// Key frames of the cheapest rendition of each size.
    fn scrubbing(&self) -> Vec<KeyFrames> {
        let mut cheapest: Vec<(usize, &Rendition)> = Vec::new();
        for (index, it) in self.video.iter().enumerate() {
            match cheapest.iter_mut().find(|(_, other)| resolution(other) == resolution(it)) {
                Some(other) if other.1.key_frames.rate.peak > it.key_frames.rate.peak => *other = (index, it),
                Some(_) => {}
                None => cheapest.push((index, it)),
            }
        }
        let playlist = |(index, it): (usize, &Rendition)| {
            let rate = it.key_frames.rate;
            KeyFrames {
                uri: format!(
                    "{}/{}/{}",
                    self.tag,
                    TrackName { kind: TrackKind::Video, index },
                    Item::KeyFrames
                ),
                bandwidth: rate.peak,
                average_bandwidth: rate.average,
                codec: it.index.track.config.codec_string(),
                resolution: resolution(it),
                range: it.index.track.config.picture().map(Picture::range),
            }
        };
        cheapest.into_iter().map(playlist).collect()
    }

    /// A quality of the pictures with the costliest sound; of sound alone, where there are no pictures.
    fn variant(&self, index: usize, it: &Rendition) -> Variant {
        let kind = it.index.track.kind();
        let beside = if kind == TrackKind::Video { self.audio } else { &[] };
        let costliest = |of: fn(&Rendition) -> u64| beside.iter().map(of).max().unwrap_or(0);
        let mut codecs: Vec<String> = Vec::new();
        for codec in iter::once(it).chain(beside).map(|it| it.index.track.config.codec_string()) {
            if !codecs.contains(&codec) {
                codecs.push(codec);
            }
        }
        // Apple's rule 5.10.
        codecs.extend((!self.subtitles.is_empty()).then(|| "wvtt".into()));
        let peaks = [it.rate.peak, costliest(|it| it.rate.peak), self.subtitles.costliest(|it| it.peak)];
        let averages =
            [it.rate.average, costliest(|it| it.rate.average), self.subtitles.costliest(|it| it.average)];
        Variant {
            uri: self.playlist(TrackName { kind, index }),
            bandwidth: peaks.into_iter().fold(0, u64::saturating_add),
            average_bandwidth: Some(averages.into_iter().fold(0, u64::saturating_add)),
            codecs,
            supplemental_codec: match &it.index.track.config {
                CodecConfig::Hevc(hevc) => {
                    hevc.dolby_vision.as_ref().and_then(DolbyVision::supplemental_codec)
                }
                _ => None,
            },
            resolution: resolution(it),
            frame_rate: it.index.frame_rate.map(FrameRate::per_second),
            range: it.index.track.config.picture().map(Picture::range),
            audio_group: (!beside.is_empty()).then(|| GROUP.into()),
            subtitles_group: (!self.subtitles.is_empty()).then(|| subtitles::GROUP.into()),
            captions_group: self.captions_group(),
        }
    }

    fn audio_group(&self) -> Vec<AudioRendition> {
        if self.video.is_empty() {
            return Vec::new();
        }
        // In the same tags as subtitles: players show those that are forced beside the sound of their language.
        let language = |it: &Rendition| Language::parse(&it.index.language).unwrap_or_else(Language::unknown);
        let default = self.default_sound();
        let rendition = |(index, (it, name)): (usize, (&Rendition, String))| AudioRendition {
            group: GROUP.into(),
            name,
            // Apple's rules want it always; `und` is a legal tag (RFC 5646 4.1).
            language: Some(language(it).tag().to_owned()),
            default: index == default,
            // Nobody is to hear someone talk over the film who did not ask for it.
            autoselect: self.role(it) != SoundRole::Commentary,
            describes_video: self.role(it) == SoundRole::Description,
            sound: it.index.track.config.sound(),
            uri: Some(self.playlist(TrackName { kind: TrackKind::Audio, index })),
        };
        self.audio.iter().zip(self.sound_names()).enumerate().map(rendition).collect()
    }

    /// What menus call each sound: no two alike, also where two tracks have one language.
    fn sound_names(&self) -> Vec<String> {
        let name = |it: &Rendition| match self.labels.sound(it.file).and_then(|it| it.label.clone()) {
            Some(label) => label,
            None => match Language::parse(&it.index.language) {
                Some(language) if language != Language::unknown() => language.name(),
                _ => "Audio".to_owned(),
            },
        };
        text::unique(self.audio.iter().map(name))
    }

    fn role(&self, sound: &Rendition) -> SoundRole {
        self.labels.sound(sound.file).map(|it| it.role).unwrap_or_default()
    }

    /// Which sound players take unasked: what the set says; else the first that is made with the pictures; else the first.
    fn default_sound(&self) -> usize {
        let is_default = |it: &Rendition| self.labels.sound(it.file).is_some_and(|it| it.default);
        let chosen = self.audio.iter().position(is_default);
        let main = || self.audio.iter().position(|it| self.role(it) == SoundRole::Main);
        chosen.or_else(main).unwrap_or(0)
    }

    fn captions(&self) -> Vec<CaptionsRendition> {
        let captions = if self.video.is_empty() { &[][..] } else { &self.labels.captions };
        let names = text::unique(captions.iter().map(|it| it.label.clone()));
        let rendition = |(it, name): (&super::Captions, String)| CaptionsRendition {
            group: CAPTIONS.into(),
            name,
            language: it.language.tag().to_owned(),
            default: it.default,
            channel: it.channel.to_string(),
        };
        captions.iter().zip(names).map(rendition).collect()
    }

    fn captions_group(&self) -> Option<String> {
        (!self.video.is_empty() && !self.labels.captions.is_empty()).then(|| CAPTIONS.into())
    }

    /// The URI of a media playlist, relative to the title's own manifests.
    fn playlist(&self, track: TrackName) -> String {
        format!("{}/{track}/{}", self.tag, Item::Playlist)
    }

    /// The media playlist of one track; its URIs are relative to its own place.
    pub(super) fn media(&self, track: TrackName, rendition: &Rendition) -> String {
        let mut lines = Lines::with_capacity(rendition.len().saturating_mul(24).saturating_add(256));
        lines.head(&Head {
            target_duration: self.target_duration,
            media_sequence: 0,
            discontinuity_sequence: 0,
            kind: Kind::Vod(independence(rendition)),
        });
        lines.map(Item::Init);
        for (n, duration) in durations(rendition, rendition.spans()).enumerate() {
            let keys = self.keys(track, KeyOf::Segments, n.checked_sub(1), n);
            keys.iter().for_each(|it| lines.key(it));
            lines.segment(duration, Item::Segment(n));
        }
        lines.end();
        lines.into_string()
    }

    /// The multivariant playlist of transport streams with these rates: pictures have the first of `sounds` in them.
    pub(super) fn transport_multivariant(
        &self,
        streams: &[(TrackName, Rate)],
        sounds: &[(usize, Rate)],
    ) -> String {
        let with_pictures = !self.video.is_empty();
        let sounds = if with_pictures { sounds } else { &[] };
        let audio = |index: usize| self.audio.get(index);
        let others = sounds.get(1..).unwrap_or_default();
        let variant = |(name, rate): &(TrackName, Rate)| {
            let tracks = if with_pictures { self.video } else { self.audio };
            let it = tracks.get(name.index)?;
            let mut codecs = vec![it.index.track.config.codec_string()];
            for codec in sounds.iter().filter_map(|it| Some(audio(it.0)?.index.track.config.codec_string())) {
                if !codecs.contains(&codec) {
                    codecs.push(codec);
                }
            }
            let beside = |of: fn(&Rate) -> u64| others.iter().map(|it| of(&it.1)).max().unwrap_or(0);
            Some(Variant {
                uri: format!("{}/{name}/{}", self.tag, Item::TransportPlaylist),
                bandwidth: rate.peak.saturating_add(beside(|it| it.peak)),
                average_bandwidth: Some(rate.average.saturating_add(beside(|it| it.average))),
                codecs,
                supplemental_codec: None,
                resolution: resolution(it),
                frame_rate: it.index.frame_rate.map(FrameRate::per_second),
                range: it.index.track.config.picture().map(Picture::range),
                audio_group: (!others.is_empty()).then(|| GROUP.into()),
                subtitles_group: None,
                captions_group: self.captions_group(),
            })
        };
        let variants = in_order(streams.iter().filter_map(variant).collect());
        let group = if others.is_empty() { &[] } else { sounds };
        let group: Vec<_> = self
            .audio_group()
            .into_iter()
            .enumerate()
            .filter(|(index, _)| group.iter().any(|it| it.0 == *index))
            .map(|(index, it)| {
                let name = TrackName { kind: TrackKind::Audio, index };
                let is_muxed = sounds.first().is_some_and(|it| it.0 == index);
                let uri = format!("{}/{name}/{}", self.tag, Item::TransportPlaylist);
                AudioRendition { default: is_muxed, uri: (!is_muxed).then_some(uri), ..it }
            })
            .collect();
        let segments = self.promise();
        let keys = &self.session_keys(KeyOf::TransportStream);
        let captions = &self.captions();
        Multivariant {
            variants: &variants,
            audio: &group,
            captions,
            keys,
            segments,
            ..Multivariant::default()
        }
        .render()
    }

    /// The media playlist of the transport stream of one track.
    pub(super) fn transport(&self, track: TrackName, rendition: &Rendition) -> String {
        let mut lines = Lines::with_capacity(rendition.len().saturating_mul(24).saturating_add(256));
        lines.head(&Head {
            target_duration: self.target_duration,
            media_sequence: 0,
            discontinuity_sequence: 0,
            kind: Kind::Vod(independence(rendition)),
        });
        for (n, duration) in durations(rendition, rendition.spans()).enumerate() {
            let keys = self.keys(track, KeyOf::TransportStream, n.checked_sub(1), n);
            keys.iter().for_each(|it| lines.key(it));
            lines.segment(duration, Item::TransportSegment(n));
        }
        lines.end();
        lines.into_string()
    }

    /// The playlist of one track's key frames.
    pub(super) fn key_frames(&self, track: TrackName, rendition: &Rendition) -> String {
        let frames = &rendition.key_frames;
        let durations: Vec<_> = durations(rendition, frames.spans()).collect();
        let mut lines = Lines::with_capacity(frames.len().saturating_mul(24).saturating_add(256));
        lines.head(&Head {
            target_duration: target(durations.iter().copied().max().unwrap_or_default()),
            media_sequence: 0,
            discontinuity_sequence: 0,
            kind: Kind::KeyFrames,
        });
        lines.map(Item::Init);
        let changing = self.protection.is_some_and(|it| it.keys.segments().is_some());
        let spans = frames.spans().take_while(|_| changing);
        let segments: Vec<usize> = spans.map(|it| rendition.segment_at(it.start)).collect();
        for (n, duration) in durations.into_iter().enumerate() {
            let segment = |n: usize| segments.get(n).copied().unwrap_or(0);
            let keys = self.keys(track, KeyOf::KeyFrames, n.checked_sub(1).map(segment), segment(n));
            keys.iter().for_each(|it| lines.key(it));
            lines.segment(duration, Item::KeyFrame(n));
        }
        lines.end();
        lines.into_string()
    }

    /// From the first presented moment to the last.
    pub(super) fn duration(&self) -> Duration {
        self.all().map(Rendition::end).max().map_or(Duration::ZERO, Timestamp::to_duration)
    }

    fn all(&self) -> impl Iterator<Item = &Rendition> {
        self.video.iter().chain(self.audio)
    }

    /// The static MPD.
    pub(super) fn mpd(&self, trick: TrickMode) -> String {
        let longest = |it: &Rendition| it.index.at(it.spans().map(|it| it.end - it.start).max().unwrap_or(0));
        let longest = self.all().map(longest).max().map_or(Duration::ZERO, rounded_up);
        // One set of pictures to switch within, or one for each way they are cut; of sound one for each track, as its
        // viewers choose, unless sound is all there is.
        let ladder = ladder::groups(self.video);
        let mut groups: Vec<_> = ladder.iter().map(|it| (TrackKind::Video, it.clone())).collect();
        if self.video.is_empty() {
            groups.push((TrackKind::Audio, (0..self.audio.len()).collect()));
        } else {
            groups.extend((0..self.audio.len()).map(|index| (TrackKind::Audio, vec![index])));
        }
        let mut sets: Vec<_> = groups.iter().filter_map(|(kind, group)| self.set(*kind, group)).collect();
        // Players switch between sets of pictures too, if they are told that they may.
        for (own, set) in sets.iter_mut().take(ladder.len()).enumerate() {
            set.about.switch_to = (0..ladder.len()).filter(|it| *it != own).collect();
        }
        if trick == TrickMode::Offered {
            sets.extend(self.trick_mode(&ladder));
        }
        Mpd {
            kind: Type::Static { duration: self.duration() },
            min_buffer: longest,
            max_segment: longest,
            periods: vec![Period {
                id: "0".into(),
                start: Duration::ZERO,
                duration: None,
                sets,
                texts: self.subtitles.sets(self.tag),
            }],
        }
        .render()
    }

    fn set(&self, kind: TrackKind, group: &[usize]) -> Option<AdaptationSet> {
        let tracks = match kind {
            TrackKind::Video => self.video,
            TrackKind::Audio => self.audio,
        };
        let first_index = *group.first()?;
        let first = tracks.get(first_index)?;
        let segments = self.segments(first);
        let representation = |index: usize| {
            let it = tracks.get(index)?;
            let own = self.segments(it);
            Some(Representation {
                id: TrackName { kind, index }.to_string(),
                bandwidth: it.exact_peak,
                config: it.index.track.config.clone(),
                frame_rate: it.index.frame_rate,
                segments: (own != segments).then_some(own),
            })
        };
        Some(AdaptationSet {
            kind,
            language: Language::parse(&first.index.language)
                .map(|it| it.tag().to_owned())
                .filter(|it| it != "und"),
            starts_with: if tracks.iter().any(|it| it.index.has_leading) { Sync::Delta } else { Sync::Key },
            protection: self.protection.map(|it| it.dash(kind)).unwrap_or_default(),
            about: match kind {
                TrackKind::Video => {
                    AboutSet { accessibility: self.labels.accessibility(), ..AboutSet::default() }
                }
                TrackKind::Audio => self.about_sound(first_index, first),
            },
            representations: group.iter().copied().filter_map(representation).collect(),
            trick_mode_of: None,
            segments: Some(segments),
        })
    }

    /// One set of each kind is the main one, which players take unasked; others in another language are dubs.
    fn about_sound(&self, index: usize, it: &Rendition) -> AboutSet {
        let default = self.default_sound();
        let is_default = self.video.is_empty() || index == default;
        let same_language =
            || self.audio.get(default).is_some_and(|main| main.index.language == it.index.language);
        let role = match self.role(it) {
            SoundRole::Main if is_default => SoundRole::Main,
            SoundRole::Main if same_language() => SoundRole::Alternate,
            SoundRole::Main => SoundRole::Dub,
            other => other,
        };
        let main = (is_default && role != SoundRole::Main).then_some("main");
        let described = role == SoundRole::Description;
        let accessibility = described.then(|| ("urn:tva:metadata:cs:AudioPurposeCS:2007", "1".to_owned()));
        let label = if self.video.is_empty() { None } else { self.sound_names().into_iter().nth(index) };
        AboutSet {
            label: label.filter(|_| self.audio.len() > 1 || self.labels.sound(it.file).is_some()),
            accessibility: accessibility.into_iter().collect(),
            roles: iter::once(role.word()).chain(main).collect(),
            switch_to: Vec::new(),
        }
    }

    /// The key frames that players scrub by, of the sets of pictures, which are the first.
    fn trick_mode(&self, ladder: &[Vec<usize>]) -> Option<AdaptationSet> {
        let representation = |index: usize| {
            let it = self.video.get(index)?;
            let track = TrackName { kind: TrackKind::Video, index };
            Some(Representation {
                id: format!("{track}-trick"),
                bandwidth: it.key_frames.rate.peak,
                config: it.index.track.config.clone(),
                frame_rate: None,
                segments: Some(Segments {
                    timescale: it.index.track.timescale,
                    initialization: format!("{}/{track}/{}", self.tag, Item::Init),
                    media: format!("{}/{track}/i$Number$.m4s", self.tag),
                    start_number: 0,
                    presentation_offset: 0,
                    timeline: timeline(it.key_frames.spans()),
                }),
            })
        };
        // The smallest is enough: while scrubbing nobody counts pixels.
        let smallest =
            (0..self.video.len()).min_by_key(|it| self.video.get(*it).map(|it| it.index.pixels()))?;
        let representation = representation(smallest)?;
        Some(AdaptationSet {
            kind: TrackKind::Video,
            language: None,
            starts_with: Sync::Key,
            protection: self.protection.map(|it| it.dash(TrackKind::Video)).unwrap_or_default(),
            trick_mode_of: ladder.iter().position(|it| it.contains(&smallest)),
            about: AboutSet::default(),
            segments: None,
            representations: vec![representation],
        })
    }

    fn segments(&self, it: &Rendition) -> Segments {
        Segments {
            timescale: it.index.track.timescale,
            initialization: format!("{}/$RepresentationID$/init.mp4", self.tag),
            media: format!("{}/$RepresentationID$/$Number$.m4s", self.tag),
            start_number: 0,
            presentation_offset: 0,
            timeline: timeline(it.spans()),
        }
    }
}

/// Players begin with the first variant before they have measured anything: the one nearest to 2 Mbit/s (Apple's rule
/// 1.32). The others ascend.
fn in_order(mut variants: Vec<Variant>) -> Vec<Variant> {
    variants.sort_by_key(|it| it.bandwidth);
    let distance = |it: &Variant| it.average_bandwidth.unwrap_or(it.bandwidth).abs_diff(2_000_000);
    if let Some((start, _)) = variants.iter().enumerate().min_by_key(|(_, it)| distance(it)) {
        variants.get_mut(..=start).into_iter().for_each(|it| it.rotate_right(1));
    }
    variants
}

/// Segments begin at key frames; where pictures behind those lean on what was before, not all of one can be decoded alone.
const fn independence(it: &Rendition) -> Independence {
    if it.index.has_leading { Independence::Dependent } else { Independence::Independent }
}

fn timeline(spans: impl Iterator<Item = Range<i64>>) -> Vec<Segment> {
    let ticks = |it: i64| u64::try_from(it).unwrap_or(0);
    let segment =
        |it: Range<i64>| Segment { start: ticks(it.start), duration: ticks(it.end.saturating_sub(it.start)) };
    spans.map(segment).collect()
}

/// What `EXTINF` says of each segment. Absolute times are rounded, not durations, so errors do not add up. The first
/// segment begins with the presentation, also where its first picture comes a little later.
fn durations(it: &Rendition, spans: impl Iterator<Item = Range<i64>>) -> impl Iterator<Item = Duration> {
    let mut previous = 0;
    let timescale = it.index.track.timescale;
    spans.map(move |span| {
        let units = Timestamp::new(span.end, timescale).rescale(HUNDRED_THOUSANDTHS).ticks();
        let duration = u64::try_from(units.saturating_sub(previous)).unwrap_or(0);
        previous = units;
        Duration::from_micros(duration.saturating_mul(10))
    })
}

/// What no duration rounds to more than (RFC 8216bis 4.4.3.1).
pub(super) fn target(longest: Duration) -> u32 {
    let rounded = (longest.as_millis() + 500) / 1_000;
    u32::try_from(rounded).unwrap_or(u32::MAX).max(1)
}

/// To the next nanosecond: a segment longer than announced is an error to validators.
fn rounded_up(it: Timestamp) -> Duration {
    let down = it.to_duration();
    let exact = down.as_nanos() * u128::from(it.timescale().hertz());
    let rest = u128::try_from(it.ticks()).unwrap_or(0) * 1_000_000_000 > exact;
    if rest { down + Duration::from_nanos(1) } else { down }
}

fn resolution(it: &Rendition) -> Option<(u32, u32)> {
    let (width, height) = it.index.track.config.picture()?.display();
    Some(if it.index.matrix.swaps_sides() { (height, width) } else { (width, height) })
}
