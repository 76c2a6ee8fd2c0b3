//! What can be asked of a stored title, by path.

use std::fmt;

use crate::media::TrackKind;

/// Names the bytes of a title: a hash of every file's header and length and of every setting that changes what is
/// made of them. As sixteen hexadecimal digits it stands in the URI of everything that may be kept for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag(pub(super) u64);

impl Tag {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
        (text.len() == 16 && digits).then(|| u64::from_str_radix(text, 16).ok().map(Self))?
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Names a track within a title: `v0`, `v1`, `a0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrackName {
    /// Video or audio.
    pub kind: TrackKind,
    /// Which of its kind.
    pub index: usize,
}

impl TrackName {
    fn parse(text: &str) -> Option<Self> {
        let kind = match text.as_bytes().first()? {
            b'v' => TrackKind::Video,
            b'a' => TrackKind::Audio,
            _ => return None,
        };
        Some(Self { kind, index: number(text.get(1..)?)? })
    }
}

impl fmt::Display for TrackName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self.kind {
            TrackKind::Video => 'v',
            TrackKind::Audio => 'a',
        };
        write!(f, "{letter}{}", self.index)
    }
}

/// Names subtitles within a title: `t0`, `t1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TextName(pub usize);

impl TextName {
    fn parse(text: &str) -> Option<Self> {
        number(text.strip_prefix('t')?).map(Self)
    }
}

impl fmt::Display for TextName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.0)
    }
}

/// What is asked of a title.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// `index.m3u8`: the multivariant playlist.
    Multivariant,
    /// `index-ts.m3u8`: the multivariant playlist of transport streams.
    TransportMultivariant,
    /// `manifest.mpd`.
    Mpd,
    /// `manifest-trick.mpd`: the same, with what players scrub by. Players that do not know it read it as one more track and
    /// end where it does.
    TrickMpd,
    /// `license`: where players ask for keys, by name.
    License,
    /// `{tag}/{track}/…`: bytes that never change under that name.
    Tagged(Tag, TrackName, Item),
    /// `{tag}/{subtitles}/…`: the same of subtitles.
    Text(Tag, TextName, TextItem),
}

/// What is asked of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// `index.m3u8`: its media playlist.
    Playlist,
    /// `init.mp4`.
    Init,
    /// `{n}.m4s`, counted from 0.
    Segment(usize),
    /// `index-ts.m3u8`: its media playlist of a transport stream.
    TransportPlaylist,
    /// `{n}.ts`, counted from 0: a segment of that.
    TransportSegment(usize),
    /// `iframes.m3u8`: the playlist of its key frames.
    KeyFrames,
    /// `i{n}.m4s`: one of its key frames, counted from 0.
    KeyFrame(usize),
    /// `{n}.key`, `ts{n}.key` and `i{n}.key`: what one of its playlists is encrypted with in period `n`.
    Key(KeyOf, usize),
}

/// Which playlist of a track a key belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyOf {
    /// That of its segments.
    Segments,
    /// That of its transport stream.
    TransportStream,
    /// That of its key frames.
    KeyFrames,
}

impl KeyOf {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Segments => "",
            Self::TransportStream => "ts",
            Self::KeyFrames => "i",
        }
    }

    /// Reads the name of a key.
    fn parse(name: &str) -> Option<Item> {
        let of =
            [Self::TransportStream, Self::KeyFrames].into_iter().find(|it| name.starts_with(it.prefix()));
        let of = of.unwrap_or(Self::Segments);
        Some(Item::Key(of, number(name.strip_prefix(of.prefix())?)?))
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Playlist => f.write_str("index.m3u8"),
            Self::Init => f.write_str("init.mp4"),
            Self::Segment(n) => write!(f, "{n}.m4s"),
            Self::TransportPlaylist => f.write_str("index-ts.m3u8"),
            Self::TransportSegment(n) => write!(f, "{n}.ts"),
            Self::KeyFrames => f.write_str("iframes.m3u8"),
            Self::KeyFrame(n) => write!(f, "i{n}.m4s"),
            Self::Key(of, n) => write!(f, "{}{n}.key", of.prefix()),
        }
    }
}

/// What is asked of subtitles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TextItem {
    /// `index.m3u8`: their media playlist.
    Playlist,
    /// `{n}.vtt`, counted from 0.
    Segment(usize),
    /// `all.vtt`
    Whole,
}

impl fmt::Display for TextItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Playlist => f.write_str("index.m3u8"),
            Self::Segment(n) => write!(f, "{n}.vtt"),
            Self::Whole => f.write_str("all.vtt"),
        }
    }
}

impl Resource {
    /// Splits a path into that of the title and what is asked of it; nothing when it is no such path.
    pub fn split(path: &str) -> Option<(&str, Self)> {
        let (rest, last) = path.rsplit_once('/')?;
        let tagged = |item| {
            let (rest, track) = rest.rsplit_once('/')?;
            let (title, tag) = rest.rsplit_once('/')?;
            Some((title, Self::Tagged(Tag::parse(tag)?, TrackName::parse(track)?, item)))
        };
        let text = |item| {
            let (rest, name) = rest.rsplit_once('/')?;
            let (title, tag) = rest.rsplit_once('/')?;
            Some((title, Self::Text(Tag::parse(tag)?, TextName::parse(name)?, item)))
        };
        match last {
            "index.m3u8" => tagged(Item::Playlist)
                .or_else(|| text(TextItem::Playlist))
                .or(Some((rest, Self::Multivariant))),
            "index-ts.m3u8" => tagged(Item::TransportPlaylist).or(Some((rest, Self::TransportMultivariant))),
            "manifest.mpd" => Some((rest, Self::Mpd)),
            "license" => Some((rest, Self::License)),
            "manifest-trick.mpd" => Some((rest, Self::TrickMpd)),
            "init.mp4" => tagged(Item::Init),
            "iframes.m3u8" => tagged(Item::KeyFrames),
            "all.vtt" => text(TextItem::Whole),
            _ if last.ends_with(".vtt") => text(TextItem::Segment(number(last.strip_suffix(".vtt")?)?)),
            _ if last.ends_with(".key") => tagged(KeyOf::parse(last.strip_suffix(".key")?)?),
            _ if last.ends_with(".ts") => tagged(Item::TransportSegment(number(last.strip_suffix(".ts")?)?)),
            _ => {
                let name = last.strip_suffix(".m4s")?;
                tagged(match name.strip_prefix('i') {
                    Some(n) => Item::KeyFrame(number(n)?),
                    None => Item::Segment(number(name)?),
                })
            }
        }
    }
}

/// A decimal number written in the one way it is written: no sign, no leading zero. Two names for one thing would
/// be two entries in every cache.
fn number(text: &str) -> Option<usize> {
    let plain = text.bytes().all(|it| it.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "00c0ffee00c0ffee";

    fn check(path: &str, expected: Option<(&str, Resource)>) {
        assert_eq!(Resource::split(path), expected, "{path}");
    }

    fn tagged(kind: TrackKind, index: usize, item: Item) -> Resource {
        Resource::Tagged(Tag(0x00c0_ffee_00c0_ffee), TrackName { kind, index }, item)
    }

    #[test]
    fn subtitles_have_names_of_their_own() {
        let text = |n, item| Some(("/f.mp4", Resource::Text(Tag(0x00c0_ffee_00c0_ffee), TextName(n), item)));
        check(&format!("/f.mp4/{TAG}/t0/index.m3u8"), text(0, TextItem::Playlist));
        check(&format!("/f.mp4/{TAG}/t12/3.vtt"), text(12, TextItem::Segment(3)));
        check(&format!("/f.mp4/{TAG}/t0/all.vtt"), text(0, TextItem::Whole));
        for wrong in
            ["t0/03.vtt", "t0/.vtt", "t00/1.vtt", "v0/1.vtt", "v0/all.vtt", "t0/init.mp4", "t0/1.m4s"]
        {
            check(&format!("/f.mp4/{TAG}/{wrong}"), None);
        }
    }

    #[test]
    fn a_path_names_a_title_and_what_is_asked_of_it() {
        check("/a/film.mp4/index.m3u8", Some(("/a/film.mp4", Resource::Multivariant)));
        check("/film.mp4/manifest.mpd", Some(("/film.mp4", Resource::Mpd)));
        check("/film.ts/index-ts.m3u8", Some(("/film.ts", Resource::TransportMultivariant)));
        check(
            &format!("/f.mp4/{TAG}/a1/index-ts.m3u8"),
            Some(("/f.mp4", tagged(TrackKind::Audio, 1, Item::TransportPlaylist))),
        );
        check(
            &format!("/f.mp4/{TAG}/v0/3.ts"),
            Some(("/f.mp4", tagged(TrackKind::Video, 0, Item::TransportSegment(3)))),
        );
        for (name, of) in
            [("7.key", KeyOf::Segments), ("ts7.key", KeyOf::TransportStream), ("i7.key", KeyOf::KeyFrames)]
        {
            let expected = Some(("/f.mp4", tagged(TrackKind::Audio, 0, Item::Key(of, 7))));
            check(&format!("/f.mp4/{TAG}/a0/{name}"), expected);
            assert_eq!(Item::Key(of, 7).to_string(), name);
        }
        check("/film.mp4/license", Some(("/film.mp4", Resource::License)));
        check("/film.mp4/manifest-trick.mpd", Some(("/film.mp4", Resource::TrickMpd)));
        check(
            &format!("/f.mp4/{TAG}/v0/index.m3u8"),
            Some(("/f.mp4", tagged(TrackKind::Video, 0, Item::Playlist))),
        );
        check(
            &format!("/f.mp4/{TAG}/a1/init.mp4"),
            Some(("/f.mp4", tagged(TrackKind::Audio, 1, Item::Init))),
        );
        check(
            &format!("/f.mp4/{TAG}/v12/345.m4s"),
            Some(("/f.mp4", tagged(TrackKind::Video, 12, Item::Segment(345)))),
        );
        check(
            &format!("/f.mp4/{TAG}/v0/iframes.m3u8"),
            Some(("/f.mp4", tagged(TrackKind::Video, 0, Item::KeyFrames))),
        );
        check(
            &format!("/f.mp4/{TAG}/v0/i7.m4s"),
            Some(("/f.mp4", tagged(TrackKind::Video, 0, Item::KeyFrame(7)))),
        );
    }

    #[test]
    fn what_is_written_otherwise_is_no_name() {
        for name in [
            "v0/01.m4s",
            "v0/+1.m4s",
            "v0/i01.m4s",
            "v0/07.key",
            "v0/x7.key",
            "v0/.key",
            "t0/7.key",
            "v0/ii1.m4s",
            "v0/-1.m4s",
            "v0/1.mp4",
            "v00/1.m4s",
            "x0/1.m4s",
            "v/1.m4s",
            "v0/.m4s",
            "v0/99999999999999999999.m4s",
        ] {
            check(&format!("/f.mp4/{TAG}/{name}"), None);
        }
        check("/f.mp4/00C0FFEE00C0FFEE/v0/0.m4s", None);
        check("/f.mp4/c0ffee/v0/0.m4s", None);
        check("/f.mp4/é/v0/0.m4s", None);
        check("/f.mp4", None);
        check("", None);
    }

    #[test]
    fn names_print_as_they_are_read() {
        let name = TrackName { kind: TrackKind::Audio, index: 3 };
        assert_eq!(TrackName::parse(&name.to_string()), Some(name));
        assert_eq!(Tag::parse(TAG).map(|it| it.to_string()).as_deref(), Some(TAG));
    }
}
