//! What viewers of a broadcast may ask for now.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::answer::{Answer, Directive, Lifetime, Resource};
use super::packer::{Part, PartName};
use super::shelf::{Init, Segment};
use super::tracks::Tracks;
use crate::dash::Mpd;
use crate::media::TrackKind;

/// How long the first playlist is waited for: longer than the longest first segment (DESIGN: ten seconds) lasts.
const FIRST_PLAYLIST: Duration = Duration::from_secs(12);

/// How long it may be believed that something behind the window is gone; it is gone for good.
const BEHIND: Duration = Duration::from_secs(10);

/// How long a multivariant playlist is fresh: its rates and tracks seldom change.
const MULTIVARIANT: Duration = Duration::from_secs(1);

const M3U8: &str = "application/vnd.apple.mpegurl";
const MPD: &str = "application/dash+xml";

/// An immutable picture of a broadcast: made once per change, shared by all who ask.
#[derive(Debug, Default)]
pub struct Window {
    pub(super) timing: Option<Timing>,
    pub(super) multivariant: Option<Document>,
    pub(super) manifest: Option<Arc<Manifest>>,
    pub(super) tracks: Tracks<Option<Arc<TrackWindow>>>,
    pub(super) ended: bool,
}

/// What answers last and wait for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    pub(super) segment: Duration,
    pub(super) target: Duration,
    pub(super) part_target: Duration,
}

/// A text that was rendered once.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub(super) text: Bytes,
    pub(super) etag: String,
}

/// An MPD, rendered when the first viewer asks: it changes with every segment, and many broadcasts have no viewer of it.
#[derive(Debug)]
pub(super) struct Manifest {
    /// When it became true; no two of a broadcast have one date.
    pub(super) published: SystemTime,
    pub(super) mpd: Mpd,
    pub(super) etag: String,
    pub(super) text: OnceLock<Bytes>,
}

/// One track of a window.
#[derive(Debug)]
pub(super) struct TrackWindow {
    pub(super) playlist: Document,
    pub(super) segments: Arc<VecDeque<Arc<Segment>>>,
    /// The number of the first segment that the playlist lists.
    pub(super) listed: u64,
    /// The number of the open segment, also where it has no part yet.
    pub(super) open: u64,
    pub(super) open_epoch: u64,
    pub(super) open_parts: Vec<Part>,
    pub(super) hint: Option<(u64, PartName)>,
    pub(super) inits: Arc<[Arc<Init>]>,
}

/// What a window says to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// That is it.
    Now(Answer),
    /// A later window may say more; the request waits at most so long, counted from when it came.
    Later(Duration),
}

impl Window {
    /// Whether there is something to play.
    pub const fn is_live(&self) -> bool {
        self.multivariant.is_some() && !self.ended
    }

    /// Answers a request, or has it wait.
    pub fn look(&self, resource: Resource) -> Look {
        let Some(timing) = &self.timing else {
            return match resource {
                Resource::Multivariant | Resource::Mpd | Resource::Playlist(..) => {
                    Look::Later(FIRST_PLAYLIST)
                }
                _ => missing(BEHIND),
            };
        };
        let soon = timing.segment / 4;
        match resource {
            Resource::Multivariant => match &self.multivariant {
                Some(it) => found(M3U8, it, MULTIVARIANT),
                None => Look::Later(FIRST_PLAYLIST),
            },
            Resource::Mpd => match &self.manifest {
                Some(it) => found(MPD, &it.document(), MULTIVARIANT.min(timing.segment / 2)),
                None => Look::Later(FIRST_PLAYLIST),
            },
            _ => {
                let kind = resource.track();
                match kind.and_then(|it| self.tracks[it].as_ref()) {
                    Some(track) => self.look_at(track, resource, timing),
                    // The leading track may be visible a moment before the other one is.
                    None if self.multivariant.is_none() && matches!(resource, Resource::Playlist(..)) => {
                        Look::Later(FIRST_PLAYLIST)
                    }
                    None => missing(soon),
                }
            }
        }
    }

    fn look_at(&self, track: &TrackWindow, resource: Resource, timing: &Timing) -> Look {
        match resource {
            Resource::Playlist(_, None) => found(M3U8, &track.playlist, self.plain(timing)),
            Resource::Playlist(_, Some(_)) if self.ended => found(M3U8, &track.playlist, self.plain(timing)),
            Resource::Playlist(_, Some(directive)) => match track.reached(directive, timing) {
                Reached::Now => found(M3U8, &track.playlist, timing.target * 6),
                Reached::Before => found(M3U8, &track.playlist, self.plain(timing)),
                Reached::Later => Look::Later(timing.target * 3),
                Reached::Beyond => Look::Now(Answer::Bad("the directives ask for what is too far ahead")),
            },
            Resource::Init(kind, epoch) => match track.inits.iter().find(|it| it.epoch == epoch) {
                Some(init) => media(kind, vec![init.bytes.clone()], format!("\"{epoch}\"")),
                None => missing(timing.segment / 4),
            },
            Resource::Segment(kind, epoch, number) => match track.segment(epoch, number) {
                Some(it) => media(kind, it.chunks().to_vec(), format!("\"{epoch}-{number}\"")),
                None => missing(track.remember(number, timing)),
            },
            Resource::Part(kind, epoch, media_sequence, index) => {
                let name = PartName { media_sequence, index };
                match track.part(epoch, name) {
                    Some(it) => media(kind, it.to_vec(), format!("\"{epoch}-{media_sequence}.{index}\"")),
                    None if track.hint == Some((epoch, name)) => Look::Later(timing.target * 3),
                    None => missing(track.remember(media_sequence, timing)),
                }
            }
            Resource::Multivariant | Resource::Mpd => missing(timing.segment / 4),
        }
    }

    /// How long a playlist is fresh for those who asked for no position in it: until the next part.
    fn plain(&self, timing: &Timing) -> Duration {
        if self.ended { timing.target } else { timing.part_target.min(Duration::from_secs(1)) }
    }
}

/// Whether a position is in a playlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    /// Since just now: this text is the answer to it for ever.
    Now,
    /// For a while.
    Before,
    /// Not yet.
    Later,
    /// And will not be for long.
    Beyond,
}

impl TrackWindow {
    fn reached(&self, asked: Directive, timing: &Timing) -> Reached {
        let Directive { mut media_sequence, mut part } = asked;
        // RFC 8216bis 6.2.5.2: more than two after the last segment is a mistake, and so is a part farther ahead than
        // the advance part limit.
        if media_sequence > self.open.saturating_add(1) {
            return Reached::Beyond;
        }
        // A part beyond the last of a closed segment is the first of the next.
        if let (true, Some(index)) = (media_sequence < self.open, part) {
            let parts = self.by_number(media_sequence).map_or(usize::MAX, |it| it.part_count());
            if usize::try_from(index).is_ok_and(|it| it >= parts) {
                (media_sequence, part) = (media_sequence + 1, Some(0));
            }
        }
        let here = u32::try_from(self.open_parts.len()).unwrap_or(u32::MAX);
        let newest = if here == 0 { self.open.checked_sub(1) } else { Some(self.open) };
        if media_sequence < self.open {
            return if newest == Some(media_sequence) { Reached::Now } else { Reached::Before };
        }
        let listed = if media_sequence == self.open { here } else { 0 };
        match part {
            None => Reached::Later,
            Some(index) if index >= listed.saturating_add(advance_part_limit(timing.part_target)) => {
                Reached::Beyond
            }
            Some(index) if index + 1 == listed => Reached::Now,
            Some(index) if index < listed => Reached::Before,
            Some(_) => Reached::Later,
        }
    }

    fn by_number(&self, number: u64) -> Option<&Arc<Segment>> {
        let at = self.segments.partition_point(|it| it.closing.media_sequence < number);
        self.segments.get(at).filter(|it| it.closing.media_sequence == number)
    }

    fn segment(&self, epoch: u64, number: u64) -> Option<&Arc<Segment>> {
        self.by_number(number).filter(|it| it.epoch.id == epoch)
    }

    /// A part has its index as its place, but the first of a segment may carry the name that was announced as the next
    /// of the segment before.
    fn part(&self, epoch: u64, name: PartName) -> Option<&[Bytes]> {
        let own = self.part_at(epoch, name.media_sequence, usize::try_from(name.index).ok()?);
        let next = name.media_sequence.checked_add(1).and_then(|it| self.part_at(epoch, it, 0));
        [own, next].into_iter().flatten().find(|it| it.0 == name).map(|it| it.1)
    }

    fn part_at(&self, epoch: u64, number: u64, place: usize) -> Option<(PartName, &[Bytes])> {
        if number == self.open && epoch == self.open_epoch {
            self.open_parts.get(place).map(|it| (it.name, &*it.chunks))
        } else {
            self.segment(epoch, number).and_then(|it| it.part(place))
        }
    }

    /// How long it may be believed that something with this number is not there.
    fn remember(&self, number: u64, timing: &Timing) -> Duration {
        if number < self.open { BEHIND } else { timing.segment / 4 }
    }
}

/// RFC 8216bis 6.2.5.2.
fn advance_part_limit(part_target: Duration) -> u32 {
    if part_target >= Duration::from_secs(1) {
        return 3;
    }
    u32::try_from(3_000_000_000_u128.div_ceil(part_target.as_nanos().max(1))).unwrap_or(u32::MAX)
}

impl Manifest {
    fn document(&self) -> Document {
        let text = self.text.get_or_init(|| self.mpd.render().into()).clone();
        Document { text, etag: self.etag.clone() }
    }
}

impl Resource {
    const fn track(self) -> Option<TrackKind> {
        match self {
            Self::Multivariant | Self::Mpd => None,
            Self::Playlist(kind, _)
            | Self::Init(kind, _)
            | Self::Segment(kind, ..)
            | Self::Part(kind, ..) => Some(kind),
        }
    }
}

fn found(content_type: &'static str, document: &Document, fresh: Duration) -> Look {
    Look::Now(Answer::Found {
        content_type,
        chunks: vec![document.text.clone()],
        etag: Some(document.etag.clone()),
        lifetime: Lifetime::Playlist(fresh),
    })
}

fn media(kind: TrackKind, chunks: Vec<Bytes>, etag: String) -> Look {
    let content_type = match kind {
        TrackKind::Video => "video/mp4",
        TrackKind::Audio => "audio/mp4",
    };
    Look::Now(Answer::Found { content_type, chunks, etag: Some(etag), lifetime: Lifetime::Immutable })
}

const fn missing(remember: Duration) -> Look {
    Look::Now(Answer::NotFound { remember })
}
