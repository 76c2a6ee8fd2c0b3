//! The multivariant playlist (RFC 8216bis 4.4.6).

use std::fmt::{self, Write};

use super::media::Key;
use crate::codec::picture::Range;
use crate::codec::sound::Sound;
use crate::text::Purpose;

/// One `EXT-X-STREAM-INF`.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Relative URI of its media playlist.
    pub uri: String,
    /// Peak bits per second, the costliest rendition of its audio group included.
    pub bandwidth: u64,
    /// Mean bits per second.
    pub average_bandwidth: Option<u64>,
    /// Codec strings of everything a player of it decodes.
    pub codecs: Vec<String>,
    /// What those who know it find in the first of them beside (`SUPPLEMENTAL-CODECS`).
    pub supplemental_codec: Option<String>,
    /// Displayed width and height; none for sound alone.
    pub resolution: Option<(u32, u32)>,
    /// Pictures per second.
    pub frame_rate: Option<f64>,
    /// The dynamic range of its pictures.
    pub range: Option<Range>,
    /// `GROUP-ID` of its audio renditions; none when there are none.
    pub audio_group: Option<String>,
    /// `GROUP-ID` of its subtitles; none when there are none.
    pub subtitles_group: Option<String>,
    /// `GROUP-ID` of the captions in its pictures; none when there are none.
    pub captions_group: Option<String>,
}

/// One `EXT-X-I-FRAME-STREAM-INF`.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyFrames {
    /// Relative URI of its playlist.
    pub uri: String,
    /// Peak bits per second.
    pub bandwidth: u64,
    /// Mean bits per second.
    pub average_bandwidth: u64,
    /// Codec string of the pictures.
    pub codec: String,
    /// Displayed width and height.
    pub resolution: Option<(u32, u32)>,
    /// The dynamic range of its pictures.
    pub range: Option<Range>,
}

/// One `EXT-X-MEDIA:TYPE=AUDIO`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioRendition {
    /// `GROUP-ID`.
    pub group: String,
    /// What a player shows in its menu.
    pub name: String,
    /// RFC 5646 language tag; none when unknown.
    pub language: Option<String>,
    /// Whether a player takes it when its viewer chose none.
    pub default: bool,
    /// Whether a player may take it for its language alone, its viewer unasked.
    pub autoselect: bool,
    /// Whether it tells what is seen (Apple's rule 2.12).
    pub describes_video: bool,
    /// How it is heard, when that is known.
    pub sound: Option<Sound>,
    /// Relative URI of its media playlist; none where it is in the variants themselves.
    pub uri: Option<String>,
}

/// One `EXT-X-MEDIA:TYPE=SUBTITLES`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubtitleRendition {
    /// `GROUP-ID`.
    pub group: String,
    /// What a player shows in its menu; unique in the group.
    pub name: String,
    /// RFC 5646 language tag.
    pub language: String,
    /// Whether a player shows it when its viewer chose none.
    pub default: bool,
    /// For whom it is.
    pub purpose: Purpose,
    /// Relative URI of its media playlist.
    pub uri: String,
}

/// One `EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS`: captions that ride in the pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptionsRendition {
    /// `GROUP-ID`.
    pub group: String,
    /// What a player shows in its menu; unique in the group.
    pub name: String,
    /// RFC 5646 language tag.
    pub language: String,
    /// Whether a player shows it when its viewer chose none.
    pub default: bool,
    /// Where in the pictures: `CC1`, `SERVICE3`.
    pub channel: String,
}

/// What the playlist promises of every segment in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Segments {
    /// Each begins with a key frame (`EXT-X-INDEPENDENT-SEGMENTS`).
    Independent,
    /// Nothing is promised.
    #[default]
    Mixed,
}

/// A multivariant playlist; players start with the first variant.
#[derive(Clone, Copy, Debug, Default)]
pub struct Multivariant<'a> {
    /// Qualities to choose among.
    pub variants: &'a [Variant],
    /// Key frames alone.
    pub scrubbing: &'a [KeyFrames],
    /// Members of the audio groups.
    pub audio: &'a [AudioRendition],
    /// Members of the groups of subtitles.
    pub subtitles: &'a [SubtitleRendition],
    /// Keys that players may fetch at once (`EXT-X-SESSION-KEY`).
    pub keys: &'a [Key],
    /// Members of the groups of captions.
    pub captions: &'a [CaptionsRendition],
    /// What holds for all segments.
    pub segments: Segments,
}

impl Multivariant<'_> {
    /// Its text.
    pub fn render(&self) -> String {
        // Services of CEA-708 are newer than all else that stands here.
        let services = self.captions.iter().any(|it| it.channel.starts_with("SERVICE"));
        let version = if services { 7 } else { 6 };
        let mut out = format!("#EXTM3U\n#EXT-X-VERSION:{version}\n");
        if self.segments == Segments::Independent {
            out.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
        }
        self.write(&mut out).expect("a String takes all that is written to it");
        out
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        self.keys.iter().try_for_each(|it| writeln!(out, "#EXT-X-SESSION-KEY:{it}"))?;
        self.audio.iter().try_for_each(|it| write_rendition(out, it))?;
        self.subtitles.iter().try_for_each(|it| write_subtitles(out, it))?;
        self.captions.iter().try_for_each(|it| write_captions(out, it))?;
        // Where all is of standard range nobody needs to hear of it.
        let tell_range = self.variants.iter().any(|it| it.range.unwrap_or_default() != Range::Standard);
        self.variants.iter().try_for_each(|it| write_variant(out, it, tell_range))?;
        self.scrubbing.iter().try_for_each(|it| write_key_frames(out, it, tell_range))
    }
}

fn write_rendition(out: &mut String, it: &AudioRendition) -> fmt::Result {
    write!(out, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{}\",NAME=\"{}\"", Quoted(&it.group), Quoted(&it.name))?;
    if let Some(language) = &it.language {
        write!(out, ",LANGUAGE=\"{}\"", Quoted(language))?;
    }
    let default = if it.default { "YES" } else { "NO" };
    // What is taken unasked is also taken for its language (RFC 8216bis 4.4.6.1).
    let autoselect = if it.autoselect || it.default { "YES" } else { "NO" };
    write!(out, ",DEFAULT={default},AUTOSELECT={autoselect}")?;
    if it.describes_video {
        write!(out, ",CHARACTERISTICS=\"public.accessibility.describes-video\"")?;
    }
    match it.sound {
        Some(Sound { objects: Some(objects), .. }) => write!(out, ",CHANNELS=\"{objects}/JOC\"")?,
        Some(Sound { channels, .. }) => write!(out, ",CHANNELS=\"{channels}\"")?,
        None => {}
    }
    if let Some(uri) = &it.uri {
        write!(out, ",URI=\"{}\"", Quoted(uri))?;
    }
    writeln!(out)
}

fn write_subtitles(out: &mut String, it: &SubtitleRendition) -> fmt::Result {
    let SubtitleRendition { group, name, language, uri, .. } = it;
    let default = if it.default { "YES" } else { "NO" };
    // Players choose by the viewer's language among all of them, as Apple's rules 4.7 and 5.11 want of some.
    write!(
        out,
        "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"{}\",NAME=\"{}\",LANGUAGE=\"{}\",DEFAULT={default},AUTOSELECT=YES",
        Quoted(group),
        Quoted(name),
        Quoted(language)
    )?;
    match it.purpose {
        Purpose::Dialogue => {}
        Purpose::HardOfHearing => {
            write!(out, ",CHARACTERISTICS=\"public.accessibility.transcribes-spoken-dialog,")?;
            write!(out, "public.accessibility.describes-music-and-sound\"")?;
        }
        Purpose::Forced => write!(out, ",FORCED=YES")?,
    }
    writeln!(out, ",URI=\"{}\"", Quoted(uri))
}

fn write_captions(out: &mut String, it: &CaptionsRendition) -> fmt::Result {
    let CaptionsRendition { group, name, language, channel, .. } = it;
    let default = if it.default { "YES" } else { "NO" };
    writeln!(
        out,
        "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"{}\",NAME=\"{}\",LANGUAGE=\"{}\",DEFAULT={default},\
         AUTOSELECT=YES,INSTREAM-ID=\"{}\"",
        Quoted(group),
        Quoted(name),
        Quoted(language),
        Quoted(channel)
    )
}

fn write_variant(out: &mut String, it: &Variant, tell_range: bool) -> fmt::Result {
    write!(out, "#EXT-X-STREAM-INF:BANDWIDTH={}", it.bandwidth)?;
    if let Some(average) = it.average_bandwidth {
        write!(out, ",AVERAGE-BANDWIDTH={average}")?;
    }
    write!(out, ",CODECS=\"{}\"", it.codecs.join(","))?;
    if let Some(codec) = &it.supplemental_codec {
        write!(out, ",SUPPLEMENTAL-CODECS=\"{}\"", Quoted(codec))?;
    }
    if let Some((width, height)) = it.resolution {
        write!(out, ",RESOLUTION={width}x{height}")?;
    }
    if let Some(frame_rate) = it.frame_rate {
        write!(out, ",FRAME-RATE={frame_rate:.3}")?;
    }
    if let Some(range) = it.range.filter(|_| tell_range) {
        write!(out, ",VIDEO-RANGE={}", range.word())?;
    }
    if let Some(group) = &it.audio_group {
        write!(out, ",AUDIO=\"{}\"", Quoted(group))?;
    }
    if let Some(group) = &it.subtitles_group {
        write!(out, ",SUBTITLES=\"{}\"", Quoted(group))?;
    }
    match &it.captions_group {
        Some(group) => write!(out, ",CLOSED-CAPTIONS=\"{}\"", Quoted(group))?,
        // Without it Safari shows a captions button that leads nowhere.
        None => write!(out, ",CLOSED-CAPTIONS=NONE")?,
    }
    writeln!(out, "\n{}", it.uri)
}

fn write_key_frames(out: &mut String, it: &KeyFrames, tell_range: bool) -> fmt::Result {
    let KeyFrames { bandwidth, average_bandwidth, codec, .. } = it;
    write!(
        out,
        "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={bandwidth},AVERAGE-BANDWIDTH={average_bandwidth},CODECS=\"{codec}\""
    )?;
    if let Some((width, height)) = it.resolution {
        write!(out, ",RESOLUTION={width}x{height}")?;
    }
    if let Some(range) = it.range.filter(|_| tell_range) {
        write!(out, ",VIDEO-RANGE={}", range.word())?;
    }
    writeln!(out, ",URI=\"{}\"", Quoted(&it.uri))
}

/// A quoted-string holds no quote and no line break (RFC 8216bis 4.2); there is no escape, so they are left out.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().filter(|it| !matches!(it, '"' | '\r' | '\n')).try_for_each(|it| f.write_char(it))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video() -> Variant {
        Variant {
            uri: "video/index.m3u8".into(),
            bandwidth: 2_200_000,
            average_bandwidth: Some(2_000_000),
            codecs: vec!["avc1.64001f".into(), "mp4a.40.2".into()],
            supplemental_codec: None,
            range: None,
            resolution: Some((1280, 720)),
            frame_rate: Some(30_000.0 / 1_001.0),
            audio_group: Some("audio".into()),
            subtitles_group: None,
            captions_group: None,
        }
    }

    #[test]
    fn a_variant_with_an_audio_group_is_written_whole() {
        let audio = AudioRendition {
            group: "audio".into(),
            name: "Say \"hi\"".into(),
            language: Some("en".into()),
            default: true,
            autoselect: true,
            describes_video: false,
            sound: Some(Sound::new(48_000, 2)),
            uri: Some("audio/index.m3u8".into()),
        };
        assert_eq!(
            Multivariant { variants: &[video()], audio: &[audio], ..Multivariant::default() }.render(),
            "#EXTM3U\n#EXT-X-VERSION:6\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"Say hi\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,\
             CHANNELS=\"2\",URI=\"audio/index.m3u8\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH=2200000,AVERAGE-BANDWIDTH=2000000,CODECS=\"avc1.64001f,mp4a.40.2\",\
             RESOLUTION=1280x720,FRAME-RATE=29.970,AUDIO=\"audio\",CLOSED-CAPTIONS=NONE\nvideo/index.m3u8\n"
        );
    }

    #[test]
    fn subtitles_say_for_whom_they_are() {
        let subtitles = |name: &str, default, purpose| SubtitleRendition {
            group: "subtitles".into(),
            name: name.into(),
            language: "en".into(),
            default,
            purpose,
            uri: "t0/index.m3u8".into(),
        };
        let written = Multivariant {
            variants: &[Variant { subtitles_group: Some("subtitles".into()), ..video() }],
            subtitles: &[
                subtitles("English", true, Purpose::Dialogue),
                subtitles("SDH", false, Purpose::HardOfHearing),
                subtitles("Forced", false, Purpose::Forced),
            ],
            ..Multivariant::default()
        };
        let written = written.render();
        let media = "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"subtitles\",NAME=";
        for line in [
            "\"English\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,URI=\"t0/index.m3u8\"",
            "\"SDH\",LANGUAGE=\"en\",DEFAULT=NO,AUTOSELECT=YES,CHARACTERISTICS=\"public.accessibility.\
             transcribes-spoken-dialog,public.accessibility.describes-music-and-sound\",URI=\"t0/index.m3u8\"",
            "\"Forced\",LANGUAGE=\"en\",DEFAULT=NO,AUTOSELECT=YES,FORCED=YES,URI=\"t0/index.m3u8\"",
        ] {
            assert!(written.contains(&format!("{media}{line}\n")), "{written}");
        }
        assert!(
            written.contains(",AUDIO=\"audio\",SUBTITLES=\"subtitles\",CLOSED-CAPTIONS=NONE\n"),
            "{written}"
        );
    }

    #[test]
    fn captions_and_descriptions_are_told_as_players_look_for_them() {
        let captions = |channel: &str| CaptionsRendition {
            group: "captions".into(),
            name: channel.into(),
            language: "en".into(),
            default: false,
            channel: channel.into(),
        };
        let description = AudioRendition {
            group: "audio".into(),
            name: "Described".into(),
            language: Some("en".into()),
            default: false,
            autoselect: true,
            describes_video: true,
            sound: None,
            uri: Some("a1/index.m3u8".into()),
        };
        let commentary = AudioRendition { autoselect: false, describes_video: false, ..description.clone() };
        let with = |captions: &[CaptionsRendition]| {
            let variants = &[Variant { captions_group: Some("captions".into()), ..video() }];
            let audio = &[description.clone(), commentary.clone()];
            Multivariant { variants, audio, captions, ..Multivariant::default() }.render()
        };
        let text = with(&[captions("CC1")]);
        assert!(text.starts_with("#EXTM3U\n#EXT-X-VERSION:6\n"), "{text}");
        for part in [
            "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"captions\",NAME=\"CC1\",LANGUAGE=\"en\",DEFAULT=NO,\
             AUTOSELECT=YES,INSTREAM-ID=\"CC1\"\n",
            ",CLOSED-CAPTIONS=\"captions\"\nvideo/index.m3u8\n",
            "AUTOSELECT=YES,CHARACTERISTICS=\"public.accessibility.describes-video\",URI=",
            "DEFAULT=NO,AUTOSELECT=NO,URI=",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(with(&[captions("SERVICE1")]).contains("#EXT-X-VERSION:7\n"));
    }

    #[test]
    fn an_independent_reader_reads_what_was_written() {
        let variants = &[video()];
        let text = Multivariant { variants, segments: Segments::Independent, ..Multivariant::default() };
        let text = text.render();
        let read = m3u8_rs::parse_master_playlist_res(text.as_bytes()).unwrap();
        assert!(read.independent_segments);
        assert_eq!(read.variants[0].uri, "video/index.m3u8");
        assert_eq!(read.variants[0].bandwidth, 2_200_000);
        assert_eq!(read.variants[0].codecs.as_deref(), Some("avc1.64001f,mp4a.40.2"));
    }
}
