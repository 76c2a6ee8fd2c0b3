//! What a broadcast's shelves say, as a multivariant playlist and as an MPD.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::meter::{Meter, quantised, rate};
use super::packer::Closing;
use super::settings::Announced;
use super::shelf::{Epoch, Shelf};
use super::tracks::Tracks;
use crate::codec::picture::Picture;
use crate::dash::{AboutSet, AdaptationSet, FrameRate, Live, Mpd, Period, Representation, Segments, Type};
use crate::hls::multivariant::{AudioRendition, Multivariant, Variant};
use crate::media::{CodecConfig, Sync, Timestamp, TrackKind};

/// Where players ask the time; the edge answers it.
const CLOCK: &str = "/.levada/time";

/// The one group of audio renditions.
const GROUP: &str = "audio";

/// A track that viewers are offered.
#[derive(Clone, Copy)]
pub(super) struct Described<'a> {
    pub(super) shelf: &'a Shelf,
    pub(super) meter: &'a Meter,
    /// Bits a second that the encoder announced.
    pub(super) promised: Option<u64>,
    /// Of pictures.
    pub(super) frame_rate: Option<FrameRate>,
}

impl Described<'_> {
    fn config(&self) -> Option<&CodecConfig> {
        self.shelf.listed().next_back().map(|it| &it.epoch.init.config)
    }

    /// The encoder's word counts, a tenth added for what it does not know of, until a peak above it was measured. The
    /// mean is a peak too where segments were too short to be judged.
    fn bandwidth(&self) -> u64 {
        let promised = self.promised.unwrap_or(0);
        self.meter.bandwidth(promised.saturating_add(promised / 10).max(self.average())).max(1)
    }

    fn average(&self) -> u64 {
        let (octets, duration) =
            self.shelf.listed().fold((0_u64, Duration::ZERO), |(octets, duration), it| {
                let length = Timestamp::new(it.closing.length, it.closing.start.timescale());
                (octets.saturating_add(it.closing.octets), duration + length.to_duration())
            });
        rate(octets, duration)
    }
}

/// The multivariant playlist; nothing before there is something to play.
pub(super) fn multivariant(tracks: &Tracks<Option<Described<'_>>>) -> Option<String> {
    let audio = tracks.audio.as_ref().and_then(|it| Some((it, it.config()?)));
    let video = tracks.video.as_ref().and_then(|it| Some((it, it.config()?)));
    let variant = |it: &Described<'_>, config: &CodecConfig| {
        let picture = config.picture();
        Variant {
            uri: format!("{}/index.m3u8", config.kind().word()),
            bandwidth: it.bandwidth(),
            average_bandwidth: Some(quantised(it.average().max(1))),
            codecs: vec![config.codec_string()],
            supplemental_codec: None,
            resolution: picture.map(Picture::display),
            frame_rate: it.frame_rate.filter(|_| picture.is_some()).map(FrameRate::per_second),
            range: picture.map(Picture::range),
            audio_group: None,
            subtitles_group: None,
            captions_group: None,
        }
    };
    let Some((pictures, pictures_config)) = video else {
        let (sound, config) = audio?;
        let variants = &[variant(sound, config)];
        return Some(Multivariant { variants, ..Multivariant::default() }.render());
    };
    let mut whole = variant(pictures, pictures_config);
    let mut renditions = Vec::new();
    if let Some((sound, config)) = audio {
        whole.bandwidth += sound.bandwidth();
        whole.average_bandwidth =
            Some(quantised(pictures.average().saturating_add(sound.average()).max(1)).min(whole.bandwidth));
        whole.codecs.push(config.codec_string());
        whole.audio_group = Some(GROUP.into());
        renditions.push(AudioRendition {
            group: GROUP.into(),
            name: "Audio".into(),
            language: None,
            default: true,
            autoselect: true,
            describes_video: false,
            sound: config.sound(),
            uri: Some("audio/index.m3u8".into()),
        });
    }
    Some(Multivariant { variants: &[whole], audio: &renditions, ..Multivariant::default() }.render())
}

/// What an MPD says of all tracks.
pub(super) struct Facts<'a> {
    pub(super) announced: &'a Announced,
    pub(super) published: SystemTime,
    pub(super) segment: Duration,
    pub(super) window: Duration,
    pub(super) ended: bool,
}

/// The MPD; nothing before there is something to play.
pub(super) fn mpd(tracks: &Tracks<Option<Described<'_>>>, facts: &Facts<'_>) -> Option<Mpd> {
    let mut epochs: Vec<&Arc<Epoch>> = Vec::new();
    for (_, track) in tracks.existing() {
        for segment in track.shelf.listed() {
            if !epochs.iter().any(|it| it.id == segment.epoch.id) {
                epochs.push(&segment.epoch);
            }
        }
    }
    epochs.sort_by_key(|it| it.id);
    epochs.last()?;
    let periods: Vec<Period> = epochs
        .iter()
        .enumerate()
        .map(|(index, epoch)| {
            let mut end = Duration::ZERO;
            let sets = tracks.existing().filter_map(|(kind, track)| {
                let (set, set_end) = adaptation_set(kind, track, epoch.id)?;
                end = end.max(set_end);
                Some(set)
            });
            let sets = sets.collect();
            // Where the next one knows it to have ended: what is listed of it may change.
            let end = epochs.get(index + 1).map(|next| next.before).or(facts.ended.then_some(end));
            let duration = end.map(|end| end.saturating_sub(epoch.period));
            Period { id: epoch.id.to_string(), start: epoch.period, duration, sets, texts: Vec::new() }
        })
        .collect();
    let target = Duration::from_secs(u64::from(facts.announced.target_duration));
    Some(Mpd {
        kind: Type::Dynamic(Live {
            availability_start: facts.announced.availability_start,
            published: facts.published,
            // A player that asks once a segment learns of one up to a segment late, and stalls where it is near the edge.
            update_period: (!facts.ended).then_some(facts.segment / 2),
            time_shift: facts.window,
            delay: target * 3,
            clock: CLOCK.into(),
        }),
        min_buffer: target,
        max_segment: target + Duration::from_millis(500),
        periods,
    })
}

/// The segments of one epoch on a track's shelf, and where they end.
fn adaptation_set(kind: TrackKind, track: &Described<'_>, epoch: u64) -> Option<(AdaptationSet, Duration)> {
    let listed = track.shelf.listed().filter(|it| it.epoch.id == epoch);
    let (first, last) = (listed.clone().next()?, listed.clone().next_back()?);
    let timescale = first.closing.start.timescale();
    let period = Timestamp::from_duration(first.epoch.period, timescale);
    let timeline = listed.map(|it| timed(&it.closing)).collect();
    let config = first.epoch.init.config.clone();
    let set = AdaptationSet {
        kind,
        language: None,
        // A segment of a long group of pictures may begin between key frames, and nobody knows before it does.
        starts_with: if kind == TrackKind::Audio { Sync::Key } else { Sync::Delta },
        protection: Vec::new(),
        trick_mode_of: None,
        about: AboutSet::default(),
        segments: Some(Segments {
            timescale,
            initialization: format!("$RepresentationID$/{}.mp4", first.epoch.init.epoch),
            media: format!("$RepresentationID$/{epoch}-$Number$.m4s"),
            start_number: first.closing.media_sequence,
            presentation_offset: u64::try_from(period.ticks()).unwrap_or(0),
            timeline,
        }),
        representations: vec![Representation {
            id: kind.word().into(),
            bandwidth: track.bandwidth(),
            config,
            frame_rate: track.frame_rate,
            segments: None,
        }],
    };
    Some((set, Timestamp::new(last.closing.written.end, timescale).to_duration()))
}

/// When a segment plays, as its boxes say: its earliest presentation time is `S@t`, and the next one's follows `S@d` later
/// (ISO 23009-1 5.3.9.6). Known when it closes, and the same in every MPD that lists it: players compare.
fn timed(closing: &Closing) -> crate::dash::Segment {
    let start = u64::try_from(closing.written.start).unwrap_or(0);
    let end = u64::try_from(closing.written.end).unwrap_or(0);
    crate::dash::Segment { start, duration: end.saturating_sub(start).max(1) }
}

/// The rate of pictures that usually last `usual` ticks of 90 kHz. Millisecond timestamps cannot tell 30 from 29.97, so a
/// promise is believed when it fits: the stream's own before the encoder's.
pub(super) fn frame_rate(usual: i64, config: &CodecConfig, promised: Option<f64>) -> Option<FrameRate> {
    config.picture()?;
    let usual = usual.max(1) as f64;
    let fits = |rate: &f64| (90_000.0 / rate - usual).abs() <= usual / 50.0;
    let said = match config {
        CodecConfig::Avc(avc) => avc.frame_rate,
        _ => None,
    };
    let said = said.map(|(pictures, seconds)| f64::from(pictures) / f64::from(seconds.max(1)));
    let rate = said.filter(fits).or(promised.filter(fits)).unwrap_or(90_000.0 / usual);
    Some(nearest(rate))
}

/// The common rate that `rate` is a rounding of, or what it is to a hundredth.
fn nearest(rate: f64) -> FrameRate {
    const COMMON: [(u32, u32); 10] = [
        (24_000, 1_001),
        (24, 1),
        (25, 1),
        (30_000, 1_001),
        (30, 1),
        (50, 1),
        (60_000, 1_001),
        (60, 1),
        (100, 1),
        (120, 1),
    ];
    let off = |(pictures, seconds): (u32, u32)| (f64::from(pictures) / f64::from(seconds) / rate - 1.0).abs();
    let (pictures, seconds) =
        COMMON.into_iter().min_by(|a, b| off(*a).total_cmp(&off(*b))).unwrap_or((30, 1));
    // 24 and 23.976 differ by a thousandth; RTMP's milliseconds blur a mean over sixteen pictures by some thousandths.
    if off((pictures, seconds)) <= 0.004 {
        FrameRate { pictures, seconds }
    } else {
        FrameRate { pictures: (rate * 100.0).round().max(1.0) as u32, seconds: 100 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::example::{audio_config, video_config};

    #[test]
    fn a_frame_rate_is_what_was_promised_where_that_fits_and_a_common_one_otherwise() {
        let check = |usual, promised, expected: (u32, u32)| {
            let it = frame_rate(usual, &video_config(), promised).unwrap();
            assert_eq!((it.pictures, it.seconds), expected, "{usual} {promised:?}");
        };
        check(2_998, Some(30.0), (30, 1));
        check(3_002, Some(29.97), (30_000, 1_001));
        check(3_000, Some(29.97), (30_000, 1_001));
        check(2_998, None, (30, 1));
        check(3_600, Some(30.0), (25, 1));
        check(3_600, Some(f64::NAN), (25, 1));
        check(3_600, Some(0.0), (25, 1));
        check(6_428, None, (1_400, 100));
        check(0, None, (9_000_000, 100));
        assert_eq!(frame_rate(1_024, &audio_config(), None), None);
    }
}
