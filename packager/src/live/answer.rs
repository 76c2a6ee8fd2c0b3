//! What a viewer may ask of a broadcast, and what the answer can be.

use std::time::Duration;

use bytes::Bytes;

use crate::media::TrackKind;

/// Something below `{app}/{name}/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `index.m3u8`: the multivariant playlist.
    Multivariant,
    /// `manifest.mpd`.
    Mpd,
    /// `{track}/index.m3u8`, now or when it has come so far.
    Playlist(TrackKind, Option<Directive>),
    /// `{track}/{epoch}.mp4`: an init segment.
    Init(TrackKind, u64),
    /// `{track}/{epoch}-{msn}.m4s`: a whole segment.
    Segment(TrackKind, u64, u64),
    /// `{track}/{epoch}-{msn}.{part}.m4s`: a part.
    Part(TrackKind, u64, u64, u32),
}

/// What a blocking reload waits for (RFC 8216bis 6.2.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directive {
    /// `_HLS_msn`.
    pub media_sequence: u64,
    /// `_HLS_part`; none asks for the whole segment.
    pub part: Option<u32>,
}

/// Why a path and query are no resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAResource {
    /// Nothing has such a name.
    #[error("no resource of a broadcast has this name")]
    Unknown,
    /// A delivery directive is malformed.
    #[error("{0}")]
    BadDirective(&'static str),
}

/// What a broadcast says to a viewer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Here it is.
    Found {
        /// The media type.
        content_type: &'static str,
        /// The octets, in order.
        chunks: Vec<Bytes>,
        /// A strong validator, quotes included.
        etag: Option<String>,
        /// How long it may be kept.
        lifetime: Lifetime,
    },
    /// There is no such thing, and will not be for so long.
    NotFound {
        /// How long that may be believed.
        remember: Duration,
    },
    /// The directives cannot be met (400).
    Bad(&'static str),
    /// It did not come in time (503); nothing may be remembered of it.
    Unavailable,
}

/// How long an answer may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Its name is never used for other bytes.
    Immutable,
    /// A playlist or MPD, fresh for so long.
    Playlist(Duration),
}

impl Resource {
    /// Reads a path below `{app}/{name}/` and its query, without the `?`.
    ///
    /// Each resource has one spelling: numbers have no sign and no leading zero.
    ///
    /// # Errors
    /// [`NotAResource`] when it names nothing, or asks for it in a malformed way.
    pub fn parse(path: &str, query: Option<&str>) -> Result<Self, NotAResource> {
        match path {
            "index.m3u8" => return Ok(Self::Multivariant),
            "manifest.mpd" => return Ok(Self::Mpd),
            _ => {}
        }
        let (track, file) = path.split_once('/').ok_or(NotAResource::Unknown)?;
        let track = match track {
            "video" => TrackKind::Video,
            "audio" => TrackKind::Audio,
            _ => return Err(NotAResource::Unknown),
        };
        if file == "index.m3u8" {
            return Ok(Self::Playlist(track, Directive::parse(query.unwrap_or_default())?));
        }
        media(track, file).ok_or(NotAResource::Unknown)
    }
}

fn media(track: TrackKind, file: &str) -> Option<Resource> {
    if let Some(epoch) = file.strip_suffix(".mp4") {
        return Some(Resource::Init(track, number(epoch)?));
    }
    let (epoch, rest) = file.strip_suffix(".m4s")?.split_once('-')?;
    let epoch = number(epoch)?;
    match rest.split_once('.') {
        None => Some(Resource::Segment(track, epoch, number(rest)?)),
        Some((sequence, part)) => {
            Some(Resource::Part(track, epoch, number(sequence)?, u32::try_from(number(part)?).ok()?))
        }
    }
}

impl Directive {
    /// `_HLS_msn` and `_HLS_part` of a query; what else stands in it is others' business.
    fn parse(query: &str) -> Result<Option<Self>, NotAResource> {
        let (mut media_sequence, mut part) = (None, None);
        for (name, value) in query.split('&').filter_map(|it| it.split_once('=')) {
            let (slot, reason) = match name {
                "_HLS_msn" => (&mut media_sequence, "_HLS_msn must be one decimal integer"),
                "_HLS_part" => (&mut part, "_HLS_part must be one decimal integer"),
                _ => continue,
            };
            let value = decimal(value).ok_or(NotAResource::BadDirective(reason))?;
            if slot.replace(value).is_some() {
                return Err(NotAResource::BadDirective(reason));
            }
        }
        match (media_sequence, part) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(NotAResource::BadDirective("_HLS_part needs _HLS_msn")),
            // A part index beyond any segment's is as good as the largest.
            (Some(media_sequence), part) => {
                Ok(Some(Self { media_sequence, part: part.map(|it| u32::try_from(it).unwrap_or(u32::MAX)) }))
            }
        }
    }
}

fn decimal(text: &str) -> Option<u64> {
    text.bytes().all(|it| it.is_ascii_digit()).then(|| text.parse().ok())?
}

fn number(text: &str) -> Option<u64> {
    let padded = text.len() > 1 && text.starts_with('0');
    if padded { None } else { decimal(text) }
}

#[cfg(test)]
mod tests {
    use TrackKind::{Audio, Video};

    use super::*;

    #[test]
    fn every_resource_has_one_name() {
        let check = |path, expected| assert_eq!(Resource::parse(path, None), expected, "{path}");
        check("index.m3u8", Ok(Resource::Multivariant));
        check("manifest.mpd", Ok(Resource::Mpd));
        check("video/index.m3u8", Ok(Resource::Playlist(Video, None)));
        check("audio/1790000000000.mp4", Ok(Resource::Init(Audio, 1_790_000_000_000)));
        check("video/17-8.m4s", Ok(Resource::Segment(Video, 17, 8)));
        check("video/17-8.0.m4s", Ok(Resource::Part(Video, 17, 8, 0)));
        for unknown in [
            "",
            "/",
            "index.m3u",
            "Video/index.m3u8",
            "video/",
            "video/17.m4s",
            "video/017-8.m4s",
            "video/+7-8.m4s",
            "video/17-8.mp4",
            "video/-8.m4s",
            "video/17-.m4s",
            "video/17-8..m4s",
            "video/17-8.4294967296.m4s",
            "video/18446744073709551616-8.m4s",
            "video/x/index.m3u8",
        ] {
            check(unknown, Err(NotAResource::Unknown));
        }
    }

    #[test]
    fn delivery_directives_are_read_and_malformed_ones_refused() {
        let check = |query, expected: Result<Option<(u64, Option<u32>)>, &'static str>| {
            let expected = expected
                .map(|it| {
                    Resource::Playlist(
                        Video,
                        it.map(|(media_sequence, part)| Directive { media_sequence, part }),
                    )
                })
                .map_err(NotAResource::BadDirective);
            assert_eq!(Resource::parse("video/index.m3u8", Some(query)), expected, "{query}");
        };
        let (msn, part) = ("_HLS_msn must be one decimal integer", "_HLS_part must be one decimal integer");
        check("", Ok(None));
        check("token=x&_HLS_skip=YES", Ok(None));
        check("_HLS_msn=7", Ok(Some((7, None))));
        check("a=b&_HLS_msn=07&_HLS_part=2&_HLS_push=1", Ok(Some((7, Some(2)))));
        check("_HLS_msn=7&_HLS_part=99999999999", Ok(Some((7, Some(u32::MAX)))));
        check("_HLS_part=2", Err("_HLS_part needs _HLS_msn"));
        check("_HLS_msn=", Err(msn));
        check("_HLS_msn=-1", Err(msn));
        check("_HLS_msn=1.5", Err(msn));
        check("_HLS_msn=1&_HLS_msn=2", Err(msn));
        check("_HLS_msn=99999999999999999999", Err(msn));
        check("_HLS_msn=1&_HLS_part=x", Err(part));
    }
}
