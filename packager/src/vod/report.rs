//! What is in a title, in words and figures: for whoever asks why it plays as it does.

use std::time::Duration;

use serde::Serialize;

use super::rendition::Rendition;
use super::{TrackName, ladder};
use crate::codec::dolby;
use crate::codec::hevc::DolbyVision;
use crate::dash::FrameRate;
use crate::isobmff::movie::LeftOut;
use crate::media::CodecConfig;

/// Segments that last longer than this many targets are worth a word.
const LONG: f64 = 1.5;

/// Sound that ends so many seconds before the pictures, or after them, is worth a word.
const UNEQUAL: f64 = 1.0;

/// A peak so many times the mean surprises players (Apple's rule 1.30).
const UNEVEN: u64 = 2;

/// Key frames should be two seconds apart (Apple's rule 1.13). Those offered for scrubbing are looked at, which leave out
/// what comes less than 0.9 s after another: what is less than this apart may be right.
const KEY_FRAMES_APART: f64 = 2.9;

/// Players show no more pictures a second (Apple's rule 1.19).
const FASTEST: f64 = 60.0;

/// Bits per second that the slowest networks carry (Apple's rule 9.21).
const SLOWEST: u64 = 192_000;

/// What is in a title.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// How long it lasts.
    pub seconds: f64,
    /// What is played of it.
    pub tracks: Vec<TrackReport>,
    /// What is not, and why.
    pub left_out: Vec<LeftOutReport>,
    /// What its maker should know, a sentence each.
    pub remarks: Vec<String>,
}

/// A track that is played.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrackReport {
    /// What URIs call it: `v0`, `a0`.
    pub name: String,
    /// Which of the title's files it is in, from 0.
    pub file: usize,
    /// What its codec is called.
    pub format: &'static str,
    /// The codec string of RFC 6381.
    pub codec: String,
    /// A tag of BCP 47; `und` when the file does not say.
    pub language: String,
    /// How long it lasts.
    pub seconds: f64,
    /// Bits per second on average.
    pub average_bit_rate: u64,
    /// Bits per second at the peak.
    pub peak_bit_rate: u64,
    /// How many segments it is served in.
    pub segments: usize,
    /// How long the longest of them lasts.
    pub longest_segment: f64,
    /// Of pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<PictureReport>,
    /// Of sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sound: Option<SoundReport>,
    /// Which players play it.
    pub players: &'static str,
}

/// How pictures look.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PictureReport {
    /// As viewers see it, turned.
    pub width: u32,
    /// As viewers see it, turned.
    pub height: u32,
    /// Pictures per second, where that is known.
    pub frame_rate: Option<f64>,
    /// `SDR`, `HLG` or `PQ`.
    pub range: &'static str,
    /// Seconds from one key frame to the next, at most; of several within a second one counts.
    pub key_frames_apart: f64,
    /// Whether pictures that follow a key frame are shown before it.
    pub open_groups: bool,
}

/// How sound is heard.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SoundReport {
    /// Samples per second.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u8,
}

/// A track that is not played.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOutReport {
    /// Which of the title's files it is in, from 0.
    pub file: usize,
    /// Where in the file its description begins.
    pub offset: u64,
    /// Why.
    pub reason: String,
}

impl Report {
    pub(super) fn of(
        video: &[Rendition],
        audio: &[Rendition],
        left_out: &[LeftOutReport],
        target: Duration,
    ) -> Self {
        let track = |(index, it): (usize, &Rendition)| TrackReport::of(index, it);
        let pictures: Vec<_> = video.iter().enumerate().map(track).collect();
        let sound: Vec<_> = audio.iter().enumerate().map(track).collect();
        let mut remarks = remarks(&pictures, &sound, target.as_secs_f64());
        remarks.extend(ladder::remarks(video));
        let tracks: Vec<_> = pictures.into_iter().chain(sound).collect();
        let seconds = tracks.iter().map(|it| it.seconds).fold(0.0, f64::max);
        Self { seconds, left_out: left_out.to_vec(), tracks, remarks }
    }
}

impl LeftOutReport {
    pub(super) fn of(file: usize, it: &LeftOut) -> Self {
        Self { file, offset: it.offset, reason: it.reason.to_string() }
    }
}

impl TrackReport {
    fn of(index: usize, it: &Rendition) -> Self {
        let track = &it.index.track;
        let longest = it.spans().map(|it| it.end.saturating_sub(it.start)).max().unwrap_or(0);
        let sound = track.config.sound();
        Self {
            name: TrackName { kind: track.kind(), index }.to_string(),
            file: it.file,
            format: format(&track.config),
            codec: track.config.codec_string(),
            language: it.index.language.clone(),
            seconds: it.end().seconds(),
            average_bit_rate: it.rate.average,
            peak_bit_rate: it.rate.peak,
            segments: it.len(),
            longest_segment: it.index.at(longest).seconds(),
            picture: track.config.picture().map(|picture| {
                let (width, height) = picture.display();
                let turned = it.index.matrix.swaps_sides();
                let (width, height) = if turned { (height, width) } else { (width, height) };
                let frame_rate = it.index.frame_rate.map(FrameRate::per_second);
                let apart =
                    it.key_frames.spans().map(|it| it.end.saturating_sub(it.start)).max().unwrap_or(0);
                let key_frames_apart = it.index.at(apart).seconds();
                let open_groups = it.index.has_leading;
                let range = picture.range().word();
                PictureReport { width, height, frame_rate, range, key_frames_apart, open_groups }
            }),
            sound: sound.map(|it| SoundReport { sample_rate: it.sample_rate, channels: it.channels }),
            players: players(&track.config),
        }
    }
}

fn remarks(pictures: &[TrackReport], sound: &[TrackReport], target: f64) -> Vec<String> {
    let mut remarks = Vec::new();
    for it in pictures.iter().filter(|it| it.longest_segment > LONG * target) {
        remarks.push(format!(
            "{}: key frames are so far apart that a segment lasts {:.1} s, where {target:.0} s are meant: players switch and \
             seek late; encode it with a key frame every two seconds",
            it.name, it.longest_segment
        ));
    }
    for (it, picture) in pictures.iter().filter_map(|it| Some((it, it.picture.as_ref()?))) {
        if it.longest_segment <= LONG * target && picture.key_frames_apart > KEY_FRAMES_APART {
            remarks.push(format!(
                "{}: key frames are up to {:.1} s apart: players seek and switch late; encode it with one every two seconds",
                it.name, picture.key_frames_apart
            ));
        }
        if picture.open_groups {
            remarks.push(format!(
                "{}: pictures that follow a key frame are shown before it: players that switch or seek there drop them; encode \
                 it with closed groups of pictures",
                it.name
            ));
        }
        if let Some(rate) = picture.frame_rate.filter(|it| *it > FASTEST) {
            remarks.push(format!(
                "{}: it has {rate:.2} pictures a second, and many players show {FASTEST:.0} at most; encode it with those",
                it.name
            ));
        }
    }
    for it in pictures.iter().chain(sound).filter(|it| it.peak_bit_rate > UNEVEN * it.average_bit_rate) {
        remarks.push(format!(
            "{}: at its peak it takes {:.1} times as much as on average: players that count on the average stall; encode it \
             with a lower maximum",
            it.name,
            it.peak_bit_rate as f64 / it.average_bit_rate as f64
        ));
    }
    if let Some(video) = pictures.first() {
        for it in sound.iter().filter(|it| (it.seconds - video.seconds).abs() > UNEQUAL) {
            remarks.push(format!(
                "{}: it ends at {:.1} s, the pictures at {:.1} s; cut both to one length",
                it.name, it.seconds, video.seconds
            ));
        }
        if sound.is_empty() {
            remarks.push("it has no sound".into());
        }
    } else {
        remarks.push("it has no pictures".into());
    }
    remarks.extend(of_sound_for_all(sound));
    remarks.extend(of_slow_networks(pictures, sound));
    let sizes = |a: &TrackReport, b: &TrackReport| {
        let shape =
            |it: &TrackReport| it.picture.as_ref().map(|it| f64::from(it.width) / f64::from(it.height));
        shape(a).zip(shape(b)).is_some_and(|(a, b)| (a / b - 1.0).abs() > 0.02)
    };
    if let Some((first, rest)) = pictures.split_first()
        && let Some(other) = rest.iter().find(|it| sizes(first, it))
    {
        remarks.push(format!(
            "{} and {} have different shapes: the picture jumps when players switch",
            first.name, other.name
        ));
    }
    remarks
}

/// Every player plays stereo in AAC (Apple's rule 2.3), and not every one more channels or another codec.
fn of_sound_for_all(sound: &[TrackReport]) -> Option<String> {
    let is_for_all = |it: &TrackReport| {
        it.codec.starts_with("mp4a.40") && it.sound.as_ref().is_some_and(|it| it.channels <= 2)
    };
    (!sound.is_empty() && !sound.iter().any(is_for_all))
        .then(|| "none of its sound is stereo in AAC, which every player plays; add a track that is".into())
}

/// What the smallest quality takes, with the sound that takes most.
fn of_slow_networks(pictures: &[TrackReport], sound: &[TrackReport]) -> Option<String> {
    let smallest = pictures.iter().map(|it| it.peak_bit_rate).min()?;
    let beside = sound.iter().map(|it| it.peak_bit_rate).max().unwrap_or(0);
    let takes = smallest.saturating_add(beside);
    (takes > SLOWEST).then(|| {
        format!(
            "its smallest quality takes {} kbit/s with sound: on slow networks of phones it stalls; add one below {}",
            takes / 1_000,
            SLOWEST / 1_000
        )
    })
}

const fn format(config: &CodecConfig) -> &'static str {
    match config {
        CodecConfig::Avc(_) => "H.264",
        CodecConfig::Hevc(it) if it.dolby_vision.is_some() => "Dolby Vision",
        CodecConfig::Hevc(_) => "H.265",
        CodecConfig::Av1(_) => "AV1",
        CodecConfig::Vp9(_) => "VP9",
        CodecConfig::Aac(it) => match it.object_type {
            5 => "HE-AAC",
            29 => "HE-AAC v2",
            42 => "xHE-AAC",
            _ => "AAC",
        },
        CodecConfig::Dolby(it) => match (it.kind, it.sound.objects) {
            (dolby::Kind::Ac3, _) => "Dolby Digital",
            (dolby::Kind::Eac3, None) => "Dolby Digital Plus",
            (dolby::Kind::Eac3, Some(_)) => "Dolby Atmos",
        },
        CodecConfig::Opus(_) => "Opus",
        CodecConfig::Flac(_) => "FLAC",
        CodecConfig::Mp3(_) => "MP3",
    }
}

/// What is known of players by their makers' lists.
fn players(config: &CodecConfig) -> &'static str {
    match config {
        CodecConfig::Hevc(it) if it.dolby_vision.as_ref().is_some_and(DolbyVision::stands_alone) => {
            "Apple's devices and televisions with Dolby Vision"
        }
        CodecConfig::Aac(it) if it.object_type == 42 => "Apple's devices, Android, Windows 11",
        CodecConfig::Avc(_) | CodecConfig::Aac(_) => "all",
        CodecConfig::Hevc(_) => "Apple's devices, Android, Chrome and Edge where the system decodes it",
        CodecConfig::Av1(_) => "Chrome, Firefox, Edge, Android, Apple's newest devices",
        CodecConfig::Vp9(_) => "Chrome, Firefox, Edge, Android; not Apple's",
        CodecConfig::Dolby(_) => "Apple's devices, Edge, televisions",
        CodecConfig::Opus(_) => "Chrome, Firefox, Edge, Android; not Apple's",
        CodecConfig::Flac(_) => "Apple's devices, Chrome, Firefox, Edge, Android",
        CodecConfig::Mp3(_) => "Apple's devices; browsers do not play it out of MP4",
    }
}
