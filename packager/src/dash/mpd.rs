//! The model of an MPD and how it is written.
//!
//! Takes facts, gives text; knows no window and no asset. Every set is addressed by `SegmentTemplate` with a
//! `SegmentTimeline`, the one form that is exact for segments of any length.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use crate::codec::picture::{Picture, Range};
use crate::codec::sound::Sound;
use crate::media::{CodecConfig, Sync, Timescale, TrackKind, date_time};
use crate::protect::KeyId;

/// A manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Mpd {
    /// Whether it will change.
    pub kind: Type,
    /// What a player should hold before it begins: the longest segment is enough for a bandwidth that is a peak.
    pub min_buffer: Duration,
    /// At least the longest segment of the whole presentation, also of segments to come.
    pub max_segment: Duration,
    /// In order of time; at least one.
    pub periods: Vec<Period>,
}

/// Whether a manifest will change.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// All is here and stays.
    Static {
        /// From the first presented moment to the last.
        duration: Duration,
    },
    /// Segments come and go.
    Dynamic(Live),
}

/// What a manifest of a live broadcast says beside.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// The wall clock at the manifest's time zero. It never changes for a broadcast, not after a reconnect and not
    /// after a restart of the server: players that saw another value loop or stop.
    pub availability_start: SystemTime,
    /// When this text became true.
    pub published: SystemTime,
    /// How long a player may go on without asking again: half a segment, so that it hears of each soon. None once nothing more will come; then the
    /// last period has a duration.
    pub update_period: Option<Duration>,
    /// How far back segments stay.
    pub time_shift: Duration,
    /// How far behind the newest segment a player should play: three segments suit most.
    pub delay: Duration,
    /// Where players ask the time (`urn:mpeg:dash:utc:http-iso:2014`), such as `/.levada/time`.
    pub clock: String,
}

/// A stretch of the presentation with one set of configurations.
#[derive(Clone, Debug, PartialEq)]
pub struct Period {
    /// Unique in the manifest and stable from one manifest to the next, such as a live epoch.
    pub id: String,
    /// Where it begins, from the manifest's time zero (`availability_start` when live).
    pub start: Duration,
    /// How long it lasts. Left out of the last period while it grows; said of an earlier one that ends before the
    /// next begins, so that players jump the hole instead of waiting for segments in it.
    pub duration: Option<Duration>,
    /// Tracks, grouped.
    pub sets: Vec<AdaptationSet>,
    /// Subtitles.
    pub texts: Vec<TextSet>,
}

/// Subtitles in one language, fetched whole beside the film.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextSet {
    /// Unique among the representations of the period.
    pub id: String,
    /// RFC 5646 language tag; `und` is left out.
    pub language: String,
    /// What menus call it.
    pub label: String,
    /// Words of `urn:mpeg:dash:role:2011`.
    pub roles: Vec<&'static str>,
    /// Bits per second.
    pub bandwidth: u64,
    /// The URI of the WebVTT file, relative to the manifest.
    pub uri: String,
}

/// Representations a player may switch between: one content, cut at the same times.
#[derive(Clone, Debug, PartialEq)]
pub struct AdaptationSet {
    /// What all of them are.
    pub kind: TrackKind,
    /// RFC 5646 language tag; none when unknown.
    pub language: Option<String>,
    /// Whether every segment begins where decoding may begin; [`Sync::Delta`] promises nothing.
    pub starts_with: Sync,
    /// How it is encrypted, and who has the keys; nothing when it is not.
    pub protection: Vec<ContentProtection>,
    /// The place in its period of the set whose key frames alone these are, for scrubbing.
    pub trick_mode_of: Option<usize>,
    /// For whom it is.
    pub about: AboutSet,
    /// Where the segments are, of every representation that does not say otherwise.
    pub segments: Option<Segments>,
    /// At least one.
    pub representations: Vec<Representation>,
}

/// One `ContentProtection` (ISO 23009-1 5.8.4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentProtection {
    /// How samples are encrypted, and the name of the key (`urn:mpeg:dash:mp4protection:2011`).
    Scheme {
        /// `cenc` or `cbcs`.
        scheme: &'static str,
        /// That of the init segment.
        default_key: KeyId,
    },
    /// What a license system is told.
    System {
        /// Its UUID.
        system: KeyId,
        /// What it is called.
        name: &'static str,
        /// A `pssh` box.
        pssh: Bytes,
        /// PlayReady's own form of the same.
        object: Option<Bytes>,
    },
    /// Keys in the clear (DASH-IF, "Interoperability Guidelines", 7.7.2).
    ClearKey {
        /// Where players ask for them; none: they are told otherwise.
        license: Option<String>,
    },
}

/// For whom a set is, and what menus call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AboutSet {
    /// What menus call it.
    pub label: Option<String>,
    /// Schemes and values of what helps those who do not see or hear, captions in the pictures among it.
    pub accessibility: Vec<(&'static str, String)>,
    /// Words of `urn:mpeg:dash:role:2011`.
    pub roles: Vec<&'static str>,
    /// Places in the period of the sets that show the same and are cut otherwise.
    pub switch_to: Vec<usize>,
}

impl Default for AboutSet {
    fn default() -> Self {
        Self { label: None, accessibility: Vec::new(), roles: vec!["main"], switch_to: Vec::new() }
    }
}

/// The names and times of the segments of a set.
#[derive(Clone, Debug, PartialEq)]
pub struct Segments {
    /// What all times here count in.
    pub timescale: Timescale,
    /// The init segment's URI, relative to the manifest; `$RepresentationID$` is filled in by players.
    pub initialization: String,
    /// The segments' URI, with `$RepresentationID$` and `$Number$`: for a live epoch `$RepresentationID$/17-$Number$.m4s`.
    pub media: String,
    /// `$Number$` of the first segment listed; the others follow without a hole.
    pub start_number: u64,
    /// The media time at the period's start, constant for a period.
    pub presentation_offset: u64,
    /// In order, with their media times. They may leave holes in time.
    pub timeline: Vec<Segment>,
}

/// When a segment plays, in ticks of its set's timescale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its first moment (its `tfdt` where no edit list shifts it).
    pub start: u64,
    /// How long it lasts.
    pub duration: u64,
}

/// One encoding of a set's content.
#[derive(Clone, Debug, PartialEq)]
pub struct Representation {
    /// Unique in the period; stands in URIs.
    pub id: String,
    /// Bits per second at the peak.
    pub bandwidth: u64,
    /// How it is decoded.
    pub config: CodecConfig,
    /// Of video, when known.
    pub frame_rate: Option<FrameRate>,
    /// Where its segments are, when not where its set's are: cut at the same moments, but counted in other ticks.
    pub segments: Option<Segments>,
}

/// Pictures per second as a fraction, such as 30000/1001.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRate {
    /// Pictures …
    pub pictures: u32,
    /// … in so many seconds.
    pub seconds: u32,
}

impl Mpd {
    /// The manifest as XML.
    pub fn render(&self) -> String {
        let mut writer = Writer::new_with_indent(Vec::with_capacity(4096), b' ', 1);
        self.write(&mut writer).expect("memory takes every byte");
        String::from_utf8(writer.into_inner()).expect("an XML writer given text writes text")
    }

    fn write(&self, xml: &mut Writer<Vec<u8>>) -> io::Result<()> {
        xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        let mut root = xml.create_element("MPD").with_attributes([
            ("xmlns", "urn:mpeg:dash:schema:mpd:2011"),
            ("profiles", "urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019"),
        ]);
        root = match &self.kind {
            Type::Static { duration } => root.with_attributes([
                ("type", "static"),
                ("mediaPresentationDuration", &xs_duration(*duration)),
            ]),
            Type::Dynamic(live) => root
                .with_attributes([
                    ("type", "dynamic"),
                    ("availabilityStartTime", &*date_time(live.availability_start)),
                    ("publishTime", &date_time(live.published)),
                ])
                .with_attributes(
                    live.update_period.map(xs_duration).iter().map(|it| ("minimumUpdatePeriod", &**it)),
                )
                .with_attributes([
                    ("timeShiftBufferDepth", &*xs_duration(live.time_shift)),
                    ("suggestedPresentationDelay", &xs_duration(live.delay)),
                ]),
        };
        let sets = || self.periods.iter().flat_map(|it| &it.sets);
        if sets().any(|it| !it.protection.is_empty()) {
            root = root.with_attributes([
                ("xmlns:cenc", "urn:mpeg:cenc:2013"),
                ("xmlns:mspr", "urn:microsoft:playready"),
                ("xmlns:dashif", "https://dashif.org/CPS"),
            ]);
        }
        root.with_attribute(("maxSegmentDuration", &*xs_duration(self.max_segment)))
            .with_attribute(("minBufferTime", &*xs_duration(self.min_buffer)))
            .write_inner_content(|xml| {
                self.periods.iter().try_for_each(|it| it.write(xml))?;
                if let Type::Dynamic(live) = &self.kind {
                    descriptor(xml, "UTCTiming", "urn:mpeg:dash:utc:http-iso:2014", &live.clock)?;
                }
                Ok(())
            })?;
        Ok(())
    }
}

impl Period {
    fn write(&self, xml: &mut Writer<Vec<u8>>) -> io::Result<()> {
        xml.create_element("Period")
            .with_attributes([("id", &*self.id), ("start", &xs_duration(self.start))])
            .with_attributes(self.duration.map(xs_duration).iter().map(|it| ("duration", &**it)))
            .write_inner_content(|xml| {
                self.sets.iter().enumerate().try_for_each(|(index, set)| set.write(xml, index))?;
                let texts = (self.sets.len()..).zip(&self.texts);
                texts.into_iter().try_for_each(|(index, text)| text.write(xml, index))
            })?;
        Ok(())
    }
}

impl TextSet {
    // Children in the order the schema demands: Label, Role, Representation.
    fn write(&self, xml: &mut Writer<Vec<u8>>, index: usize) -> io::Result<()> {
        let language = Some(&*self.language).filter(|it| *it != "und");
        xml.create_element("AdaptationSet")
            .with_attributes([("id", &*index.to_string()), ("contentType", "text"), ("mimeType", "text/vtt")])
            .with_attributes(language.map(|it| ("lang", it)))
            .write_inner_content(|xml| {
                xml.create_element("Label").write_text_content(BytesText::new(&self.label))?;
                for role in &self.roles {
                    descriptor(xml, "Role", "urn:mpeg:dash:role:2011", role)?;
                }
                xml.create_element("Representation")
                    .with_attributes([("id", &*self.id), ("bandwidth", &self.bandwidth.to_string())])
                    .write_inner_content(|xml| {
                        xml.create_element("BaseURL").write_text_content(BytesText::new(&self.uri))?;
                        Ok(())
                    })?;
                Ok(())
            })?;
        Ok(())
    }
}

impl AdaptationSet {
    // Children in the order the schema demands: ContentProtection, properties, Label, Accessibility, Role, SegmentTemplate,
    // Representation.
    fn write(&self, xml: &mut Writer<Vec<u8>>, index: usize) -> io::Result<()> {
        let bounds = self.bounds();
        xml.create_element("AdaptationSet")
            .with_attributes([
                ("id", &*index.to_string()),
                ("contentType", self.kind.word()),
                ("mimeType", &format!("{}/mp4", self.kind.word())),
            ])
            .with_attributes(self.language.as_deref().map(|it| ("lang", it)))
            .with_attribute(("segmentAlignment", "true"))
            .with_attributes((self.starts_with == Sync::Key).then_some(("startWithSAP", "1")))
            .with_attributes(bounds.iter().map(|(name, value)| (*name, &**value)))
            .write_inner_content(|xml| {
                self.protection.iter().try_for_each(|it| it.write(xml))?;
                if let Some(set) = self.trick_mode_of {
                    // Who does not know it takes it for no ordinary set. It comes before all that is supplemental.
                    let scheme = "http://dashif.org/guidelines/trickmode";
                    descriptor(xml, "EssentialProperty", scheme, &set.to_string())?;
                }
                self.write_range(xml)?;
                if self.trick_mode_of.is_none() {
                    self.about.write(xml)?;
                }
                self.segments.iter().try_for_each(|it| it.write(xml))?;
                self.representations.iter().try_for_each(|it| it.write(xml))
            })?;
        Ok(())
    }

    /// Of pictures of high dynamic range, what screens must know: PQ is of no use to others, HLG is.
    fn write_range(&self, xml: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let picture = self.representations.iter().find_map(|it| it.config.picture());
        let Some(colour) = picture.and_then(|it| it.colour) else { return Ok(()) };
        let told: &[(&str, &str, u8)] = match colour.range() {
            Range::Standard => &[],
            Range::Pq => &[("EssentialProperty", "TransferCharacteristics", colour.transfer)],
            Range::Hlg => &[
                ("EssentialProperty", "TransferCharacteristics", 14),
                ("SupplementalProperty", "TransferCharacteristics", colour.transfer),
            ],
        };
        let essential = [
            ("EssentialProperty", "ColourPrimaries", colour.primaries),
            ("EssentialProperty", "MatrixCoefficients", colour.matrix),
        ];
        let essential = if told.is_empty() { &[][..] } else { &essential };
        // All that is essential comes before all that is supplemental.
        essential.iter().chain(told).try_for_each(|(element, name, value)| {
            descriptor(xml, element, &format!("urn:mpeg:mpegB:cicp:{name}"), &value.to_string())
        })
    }

    /// What holds for every representation of a video set, so that players can judge it before they read them.
    fn bounds(&self) -> Vec<(&'static str, String)> {
        let pictures: Vec<&Picture> =
            self.representations.iter().filter_map(|it| it.config.picture()).collect();
        let Some(largest) = pictures.iter().max_by_key(|it| it.width) else { return Vec::new() };
        let height = pictures.iter().map(|it| it.height).max().unwrap_or(largest.height);
        let (width, height_shown) = largest.display();
        let (across, down) = reduced(width, height_shown);
        let mut bounds = vec![
            ("par", format!("{across}:{down}")),
            ("maxWidth", largest.width.to_string()),
            ("maxHeight", height.to_string()),
        ];
        let rates: Option<Vec<FrameRate>> = self.representations.iter().map(|it| it.frame_rate).collect();
        let fastest =
            rates.unwrap_or_default().into_iter().max_by(|a, b| a.per_second().total_cmp(&b.per_second()));
        bounds.extend(fastest.map(|it| ("maxFrameRate", it.text())));
        bounds
    }
}

impl ContentProtection {
    fn write(&self, xml: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let element = xml.create_element("ContentProtection");
        match self {
            Self::Scheme { scheme, default_key } => {
                element
                    .with_attributes([
                        ("schemeIdUri", "urn:mpeg:dash:mp4protection:2011"),
                        ("value", scheme),
                        ("cenc:default_KID", &default_key.to_string()),
                    ])
                    .write_empty()?;
            }
            Self::System { system, name, pssh, object } => {
                let scheme = format!("urn:uuid:{system}");
                element.with_attributes([("schemeIdUri", &*scheme), ("value", name)]).write_inner_content(
                    |xml| {
                        let told = [("cenc:pssh", Some(pssh)), ("mspr:pro", object.as_ref())];
                        for (name, octets) in told {
                            let Some(octets) = octets else { continue };
                            let text = STANDARD.encode(octets);
                            xml.create_element(name).write_text_content(BytesText::new(&text))?;
                        }
                        Ok(())
                    },
                )?;
            }
            Self::ClearKey { license } => {
                let element = element.with_attributes([
                    ("schemeIdUri", "urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e"),
                    ("value", "ClearKey1.0"),
                ]);
                match license {
                    None => element.write_empty()?,
                    Some(uri) => element.write_inner_content(|xml| {
                        xml.create_element("dashif:Laurl")
                            .with_attribute(("licenseType", "EME-1.0"))
                            .write_text_content(BytesText::new(uri))?;
                        Ok(())
                    })?,
                };
            }
        }
        Ok(())
    }
}

impl AboutSet {
    fn write(&self, xml: &mut Writer<Vec<u8>>) -> io::Result<()> {
        if !self.switch_to.is_empty() {
            let sets: Vec<String> = self.switch_to.iter().map(usize::to_string).collect();
            let scheme = "urn:mpeg:dash:adaptation-set-switching:2016";
            descriptor(xml, "SupplementalProperty", scheme, &sets.join(","))?;
        }
        if let Some(label) = &self.label {
            xml.create_element("Label").write_text_content(BytesText::new(label))?;
        }
        for (scheme, value) in &self.accessibility {
            descriptor(xml, "Accessibility", scheme, value)?;
        }
        self.roles.iter().try_for_each(|role| descriptor(xml, "Role", "urn:mpeg:dash:role:2011", role))
    }
}

impl Segments {
    fn write(&self, xml: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let mut template = xml.create_element("SegmentTemplate").with_attributes([
            ("timescale", &*self.timescale.hertz().to_string()),
            ("initialization", &self.initialization),
            ("media", &self.media),
            ("startNumber", &self.start_number.to_string()),
        ]);
        if self.presentation_offset != 0 {
            let offset = self.presentation_offset.to_string();
            template = template.with_attribute(("presentationTimeOffset", &*offset));
        }
        template.write_inner_content(|xml| {
            xml.create_element("SegmentTimeline").write_inner_content(|xml| {
                let mut expected = None;
                for run in self.timeline.chunk_by(|a, b| a.duration == b.duration && a.end() == b.start) {
                    let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
                    // An hour of sound has hundreds of these, which are numbers alone: nothing is to be escaped.
                    xml.write_indent()?;
                    let text = xml.get_mut();
                    text.extend_from_slice(b"<S");
                    if expected != Some(first.start) {
                        write!(text, " t=\"{}\"", first.start)?;
                    }
                    write!(text, " d=\"{}\"", first.duration)?;
                    if run.len() > 1 {
                        write!(text, " r=\"{}\"", run.len() - 1)?;
                    }
                    text.extend_from_slice(b"/>");
                    expected = Some(last.end());
                }
                Ok(())
            })?;
            Ok(())
        })?;
        Ok(())
    }
}

impl Segment {
    const fn end(self) -> u64 {
        self.start.saturating_add(self.duration)
    }
}

impl Representation {
    fn write(&self, xml: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let codec = match &self.config {
            CodecConfig::Mp3(it) => it.object_codec_string(),
            other => other.codec_string(),
        };
        let element = xml.create_element("Representation").with_attributes([
            ("id", &*self.id),
            ("bandwidth", &self.bandwidth.to_string()),
            ("codecs", &codec),
        ]);
        if let Some(picture) = self.config.picture() {
            let (across, down) = picture.sample_aspect.unwrap_or((1, 1));
            let element = element
                .with_attributes([
                    ("width", &*picture.width.to_string()),
                    ("height", &picture.height.to_string()),
                    ("sar", &format!("{across}:{down}")),
                ])
                .with_attributes(self.frame_rate.map(FrameRate::text).iter().map(|it| ("frameRate", &**it)));
            match &self.segments {
                Some(segments) => element.write_inner_content(|xml| segments.write(xml))?,
                None => element.write_empty()?,
            };
        } else if let Some(sound) = self.config.sound() {
            element
                .with_attribute(("audioSamplingRate", &*sound.sample_rate.to_string()))
                .write_inner_content(|xml| {
                    write_channels(xml, sound)?;
                    self.segments.iter().try_for_each(|it| it.write(xml))
                })?;
        }
        Ok(())
    }
}

/// How sound is arranged, and which objects are mixed into it.
fn write_channels(xml: &mut Writer<Vec<u8>>, sound: Sound) -> io::Result<()> {
    // Of the schemes that say this, the one that no player takes for a number of channels; it has no number for some
    // arrangements.
    let (scheme, value) = match sound.layout {
        0 => ("urn:mpeg:dash:23003:3:audio_channel_configuration:2011", sound.channels),
        layout => ("urn:mpeg:mpegB:cicp:ChannelConfiguration", layout),
    };
    descriptor(xml, "AudioChannelConfiguration", scheme, &value.to_string())?;
    let Some(objects) = sound.objects else { return Ok(()) };
    descriptor(xml, "SupplementalProperty", "tag:dolby.com,2018:dash:EC3_ExtensionType:2018", "JOC")?;
    let scheme = "tag:dolby.com,2018:dash:EC3_ExtensionComplexityIndex:2018";
    descriptor(xml, "SupplementalProperty", scheme, &objects.to_string())
}

impl FrameRate {
    /// The rate of pictures that each last `duration` ticks; nothing for zero.
    pub fn of_duration(duration: u32, timescale: Timescale) -> Option<Self> {
        let (pictures, seconds) = reduced(timescale.hertz(), duration);
        (seconds != 0).then_some(Self { pictures, seconds })
    }

    /// The nearest rate in thousandths; nothing for what is no rate.
    pub fn rounded(per_second: f64) -> Option<Self> {
        let thousandths = (per_second * 1_000.0).round();
        let (pictures, seconds) = reduced(thousandths as u32, 1_000);
        (thousandths.is_finite() && pictures != 0).then_some(Self { pictures, seconds })
    }

    /// As a number.
    pub fn per_second(self) -> f64 {
        f64::from(self.pictures) / f64::from(self.seconds)
    }

    fn text(self) -> String {
        match self.seconds {
            1 => self.pictures.to_string(),
            seconds => format!("{}/{seconds}", self.pictures),
        }
    }
}

/// The same ratio in the smallest numbers.
const fn reduced(a: u32, b: u32) -> (u32, u32) {
    let (mut divisor, mut rest) = (a, b);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    let divisor = if divisor == 0 { 1 } else { divisor };
    (a / divisor, b / divisor)
}

fn descriptor(xml: &mut Writer<Vec<u8>>, element: &str, scheme: &str, value: &str) -> io::Result<()> {
    xml.create_element(element).with_attributes([("schemeIdUri", scheme), ("value", value)]).write_empty()?;
    Ok(())
}

/// `xs:duration`, exact to the nanosecond and never with an exponent.
fn xs_duration(it: Duration) -> String {
    let mut text = format!("PT{}", it.as_secs());
    if it.subsec_nanos() != 0 {
        let decimals = format!("{:09}", it.subsec_nanos());
        let _ = write!(text, ".{}", decimals.trim_end_matches('0'));
    }
    text + "S"
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::codec::{aac, avc};

    fn video(id: &str, width: u16, height: u16, bandwidth: u64) -> Representation {
        Representation {
            id: id.into(),
            bandwidth,
            config: CodecConfig::Avc(avc::Config {
                record: Bytes::from_static(&[1, 0x64, 0, 0x1f]),
                picture: Picture::new(width, height),
                frame_rate: None,
            }),
            frame_rate: FrameRate::of_duration(3_003, Timescale::VIDEO),
            segments: None,
        }
    }

    fn audio() -> Representation {
        Representation {
            id: "a0".into(),
            bandwidth: 134_000,
            config: CodecConfig::Aac(aac::Config {
                asc: Bytes::new(),
                object_type: 2,
                sample_rate: 48_000,
                channels: 7,
                layout: 11,
                frame_length: 1_024,
            }),
            frame_rate: None,
            segments: None,
        }
    }

    fn set(timescale: u32, timeline: &[(u64, u64)], representations: Vec<Representation>) -> AdaptationSet {
        AdaptationSet {
            kind: representations[0].config.kind(),
            language: None,
            starts_with: Sync::Key,
            protection: Vec::new(),
            trick_mode_of: None,
            about: AboutSet::default(),
            segments: Some(Segments {
                timescale: Timescale::new(timescale).unwrap(),
                initialization: "$RepresentationID$/init.mp4".into(),
                media: "$RepresentationID$/$Number$.m4s".into(),
                start_number: 0,
                presentation_offset: 0,
                timeline: timeline.iter().map(|&(start, duration)| Segment { start, duration }).collect(),
            }),
            representations,
        }
    }

    #[test]
    fn a_static_manifest_lists_sets_with_exact_timelines() {
        let mpd = Mpd {
            kind: Type::Static { duration: Duration::new(18, 5_333_333) },
            min_buffer: Duration::from_millis(6_016),
            max_segment: Duration::from_millis(6_016),
            periods: vec![Period {
                id: "0".into(),
                start: Duration::ZERO,
                duration: None,
                sets: vec![
                    set(
                        15_360,
                        &[(0, 92_160), (92_160, 92_160), (184_320, 92_160)],
                        vec![video("v0", 1_280, 720, 2_270_000), video("v1", 640, 360, 846_000)],
                    ),
                    AdaptationSet {
                        language: Some("de".into()),
                        ..set(48_000, &[(0, 288_768), (288_768, 287_744), (576_512, 287_744)], vec![audio()])
                    },
                ],
                texts: vec![TextSet {
                    id: "t0".into(),
                    language: "en".into(),
                    label: "Q & A".into(),
                    roles: vec!["subtitle", "main"],
                    bandwidth: 100,
                    uri: "t0/all.vtt".into(),
                }],
            }],
        };
        insta::assert_snapshot!(mpd.render(), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019" type="static" mediaPresentationDuration="PT18.005333333S" maxSegmentDuration="PT6.016S" minBufferTime="PT6.016S">
         <Period id="0" start="PT0S">
          <AdaptationSet id="0" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1" par="16:9" maxWidth="1280" maxHeight="720" maxFrameRate="30000/1001">
           <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
           <SegmentTemplate timescale="15360" initialization="$RepresentationID$/init.mp4" media="$RepresentationID$/$Number$.m4s" startNumber="0">
            <SegmentTimeline>
             <S t="0" d="92160" r="2"/>
            </SegmentTimeline>
           </SegmentTemplate>
           <Representation id="v0" bandwidth="2270000" codecs="avc1.64001f" width="1280" height="720" sar="1:1" frameRate="30000/1001"/>
           <Representation id="v1" bandwidth="846000" codecs="avc1.64001f" width="640" height="360" sar="1:1" frameRate="30000/1001"/>
          </AdaptationSet>
          <AdaptationSet id="1" contentType="audio" mimeType="audio/mp4" lang="de" segmentAlignment="true" startWithSAP="1">
           <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
           <SegmentTemplate timescale="48000" initialization="$RepresentationID$/init.mp4" media="$RepresentationID$/$Number$.m4s" startNumber="0">
            <SegmentTimeline>
             <S t="0" d="288768"/>
             <S d="287744" r="1"/>
            </SegmentTimeline>
           </SegmentTemplate>
           <Representation id="a0" bandwidth="134000" codecs="mp4a.40.2" audioSamplingRate="48000">
            <AudioChannelConfiguration schemeIdUri="urn:mpeg:mpegB:cicp:ChannelConfiguration" value="11"/>
           </Representation>
          </AdaptationSet>
          <AdaptationSet id="2" contentType="text" mimeType="text/vtt" lang="en">
           <Label>Q &amp; A</Label>
           <Role schemeIdUri="urn:mpeg:dash:role:2011" value="subtitle"/>
           <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
           <Representation id="t0" bandwidth="100">
            <BaseURL>t0/all.vtt</BaseURL>
           </Representation>
          </AdaptationSet>
         </Period>
        </MPD>
        "#);
    }

    #[test]
    fn a_live_manifest_keeps_a_period_for_each_epoch() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let epoch = |id: &str, first: u64, timeline: &[(u64, u64)]| {
            let mut it = set(90_000, timeline, vec![video("v0", 1_280, 720, 2_270_000)]);
            let segments = it.segments.as_mut().unwrap();
            segments.initialization = format!("$RepresentationID$/{id}.mp4");
            segments.media = format!("$RepresentationID$/{id}-$Number$.m4s");
            segments.start_number = first;
            segments.presentation_offset = 7_000;
            it.starts_with = Sync::Delta;
            it
        };
        let mpd = Mpd {
            kind: Type::Dynamic(Live {
                availability_start: at(1_770_112_800),
                published: at(1_770_116_400),
                update_period: Some(Duration::from_secs(2)),
                time_shift: Duration::from_secs(60),
                delay: Duration::from_secs(6),
                clock: "/.levada/time".into(),
            }),
            min_buffer: Duration::from_secs(2),
            max_segment: Duration::from_secs(2),
            periods: vec![
                Period {
                    id: "17".into(),
                    start: Duration::ZERO,
                    duration: Some(Duration::from_millis(4_500)),
                    sets: vec![epoch("17", 261, &[(187_000, 180_000), (367_000, 45_000)])],
                    texts: Vec::new(),
                },
                Period {
                    id: "18".into(),
                    start: Duration::from_secs(10),
                    duration: None,
                    sets: vec![epoch("18", 263, &[(7_000, 180_000), (190_000, 180_000)])],
                    texts: Vec::new(),
                },
            ],
        };
        insta::assert_snapshot!(mpd.render(), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019" type="dynamic" availabilityStartTime="2026-02-03T10:00:00.000Z" publishTime="2026-02-03T11:00:00.000Z" minimumUpdatePeriod="PT2S" timeShiftBufferDepth="PT60S" suggestedPresentationDelay="PT6S" maxSegmentDuration="PT2S" minBufferTime="PT2S">
         <Period id="17" start="PT0S" duration="PT4.5S">
          <AdaptationSet id="0" contentType="video" mimeType="video/mp4" segmentAlignment="true" par="16:9" maxWidth="1280" maxHeight="720" maxFrameRate="30000/1001">
           <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
           <SegmentTemplate timescale="90000" initialization="$RepresentationID$/17.mp4" media="$RepresentationID$/17-$Number$.m4s" startNumber="261" presentationTimeOffset="7000">
            <SegmentTimeline>
             <S t="187000" d="180000"/>
             <S d="45000"/>
            </SegmentTimeline>
           </SegmentTemplate>
           <Representation id="v0" bandwidth="2270000" codecs="avc1.64001f" width="1280" height="720" sar="1:1" frameRate="30000/1001"/>
          </AdaptationSet>
         </Period>
         <Period id="18" start="PT10S">
          <AdaptationSet id="0" contentType="video" mimeType="video/mp4" segmentAlignment="true" par="16:9" maxWidth="1280" maxHeight="720" maxFrameRate="30000/1001">
           <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
           <SegmentTemplate timescale="90000" initialization="$RepresentationID$/18.mp4" media="$RepresentationID$/18-$Number$.m4s" startNumber="263" presentationTimeOffset="7000">
            <SegmentTimeline>
             <S t="7000" d="180000"/>
             <S t="190000" d="180000"/>
            </SegmentTimeline>
           </SegmentTemplate>
           <Representation id="v0" bandwidth="2270000" codecs="avc1.64001f" width="1280" height="720" sar="1:1" frameRate="30000/1001"/>
          </AdaptationSet>
         </Period>
         <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/.levada/time"/>
        </MPD>
        "#);
    }

    #[test]
    fn what_stands_in_an_attribute_cannot_leave_it() {
        let mut representation = audio();
        representation.id = "\"><x a='&".into();
        let mpd = Mpd {
            kind: Type::Static { duration: Duration::ZERO },
            min_buffer: Duration::ZERO,
            max_segment: Duration::ZERO,
            periods: vec![Period {
                id: "0".into(),
                start: Duration::ZERO,
                duration: None,
                sets: vec![set(1, &[(0, 1)], vec![representation])],
                texts: Vec::new(),
            }],
        };
        assert!(mpd.render().contains(r#"id="&quot;&gt;&lt;x a=&apos;&amp;""#));
    }

    #[test]
    fn durations_are_exact_and_plain() {
        assert_eq!(xs_duration(Duration::ZERO), "PT0S");
        assert_eq!(xs_duration(Duration::from_millis(6_016)), "PT6.016S");
        assert_eq!(xs_duration(Duration::new(90_000, 1)), "PT90000.000000001S");
    }
}
