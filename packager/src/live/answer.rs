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
    /// # Errors
    /// [`NotAResource`] when it names nothing, or asks for it in a malformed way.
    pub fn parse(path: &str, query: Option<&str>) -> Result<Self, NotAResource> {
        let _ = (path, query);
        Err(NotAResource::Unknown)
    }
}
