//! Stored titles as an origin: playlists and segments of the files below a directory, made when they are asked for.
//!
//! Nothing is written beside the files, and a segment is never held whole: its boxes are made, its media is read a
//! stretch at a time as it is sent.

mod files;
mod indexes;
mod keys;
mod license;
mod remote;
mod shelf;
mod subtitles;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use config::origin::{Encryption, HttpOrigin};
use futures_util::StreamExt;
use futures_util::stream;
use http::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, LAST_MODIFIED};
use http::{Method, StatusCode};
use packager::asset::{ReadError, Source};
use packager::media::TrackKind;
use tokio::sync::Semaphore;

use packager::vod::{
    Asset, Item, MadeSegment, Reads, Report, Resource, Segment, TARGET, TextItem, TrackName,
};

use super::library::Library;
use super::library::{decoded, wait};
use super::web::Web;
use crate::passage::{Failure, Fetched, FetchedBody, Lifetime, Upload};
use files::{File, Files};
use keys::Keys;
use remote::Remote;
use shelf::{Failed, Refused, Shelf, Title};

pub use super::library::Reads as FileReads;
pub use indexes::Indexes;

/// A replaced file shows after so long; until then its old playlists lead to segments that caches still have.
const MANIFEST: Duration = Duration::from_secs(5);

/// How long a file that is not there, or cannot be played, stays so: an operator who puts it there looks at once.
const REFUSED: Duration = Duration::from_secs(2);

/// Said when a record is spoilt or deleted again as soon as it is written.
const LOST: &str = "the index of the title cannot be kept";

const PLAYLIST: &str = "application/vnd.apple.mpegurl";
const MPD: &str = "application/dash+xml";
const TRANSPORT: &str = "video/mp2t";

/// Octets of frames in one segment that is made of them, of which all are in memory at once: ten seconds at 25 Mbit/s.
const LARGEST_MADE: u64 = 32 * 1024 * 1024;

/// KiB of such segments under way at once, frames and packets: four of the largest, a hundred usual ones.
const MAKING: usize = 4 * 2 * 32 * 1024;

/// Octets of one read for such a segment.
const LONGEST_MADE_READ: u64 = 4 * 1024 * 1024;
const WEBVTT: &str = "text/vtt; charset=utf-8";

/// What was done, for the books.
#[derive(Debug, Default)]
pub struct Stats {
    /// Segments that were fetched.
    pub segments: AtomicU64,
    /// Manifests and init segments that were fetched.
    pub documents: AtomicU64,
    /// Requests refused: no such title, or one that cannot be played.
    pub refusals: AtomicU64,
}

/// The titles below a directory, or of a web server or bucket.
pub struct Vod {
    files: Files,
    shelf: Shelf,
    stats: Stats,
    /// Memory for segments that are made whole, in KiB.
    making: Semaphore,
}

impl Vod {
    /// The titles below `root`.
    pub fn new(root: PathBuf) -> Self {
        Self::of(Files::Disk(Library::new(root)))
    }

    /// The same, encrypted.
    #[must_use]
    pub(super) fn encrypted(self, encryption: Option<&Encryption>) -> Self {
        Self { shelf: self.shelf.with_keys(encryption.cloned().map(Keys::new)), ..self }
    }

    /// How its titles are encrypted.
    pub(super) fn encryption(&self) -> Option<&Encryption> {
        self.shelf.keys().map(Keys::settings)
    }

    /// The titles of a web server with these settings.
    pub fn of_server(settings: HttpOrigin) -> Self {
        Self::at(Arc::new(Web::new(settings)), "levada-probe".into())
    }

    /// The titles of a web server or bucket.
    pub(super) fn at(web: Arc<Web>, node: Arc<str>) -> Self {
        Self::of(Files::Remote(Remote::new(web, node)))
    }

    fn of(files: Files) -> Self {
        Self { files, shelf: Shelf::new(), stats: Stats::default(), making: Semaphore::new(MAKING) }
    }

    /// The same, which keeps what it understands in `indexes` too.
    #[must_use]
    pub fn with_indexes(self, indexes: Arc<Indexes>) -> Self {
        Self { shelf: self.shelf.with_indexes(indexes), ..self }
    }

    /// The directory; none where the files are elsewhere.
    pub fn root(&self) -> Option<&Path> {
        match &self.files {
            Files::Disk(library) => Some(library.root()),
            Files::Remote(_) => None,
        }
    }

    /// Whether this is the server that has the files.
    pub(super) fn is_at(&self, web: &Arc<Web>) -> bool {
        matches!(&self.files, Files::Remote(it) if it.is_at(web))
    }

    /// What was done.
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// How often and how much was read of the files.
    pub fn reads(&self) -> &FileReads {
        self.files.reads()
    }

    /// Answers a canonical path.
    ///
    /// # Errors
    /// [`Failure`] when the disk fails. What is not there or cannot be played is an answer.
    pub async fn fetch(&self, path: &str) -> Result<Fetched, Failure> {
        self.fetch_with(path, &Method::GET, Upload::none()).await
    }

    /// The same for any method, and for what a request brings with it.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub(super) async fn fetch_with(
        &self,
        path: &str,
        method: &Method,
        upload: Upload,
    ) -> Result<Fetched, Failure> {
        match self.answer(path, method, upload).await {
            Ok(fetched) => Ok(fetched),
            Err(Failed::Refused(refused)) => {
                self.stats.refusals.fetch_add(1, Ordering::Relaxed);
                let mut fetched = refusal(refused);
                fetched.headers.extend(license::allowed(fetched.status, path));
                Ok(fetched)
            }
            Err(Failed::Unreadable(error)) => {
                tracing::warn!(path, "{error}");
                Err(unreadable(&error))
            }
            Err(Failed::Lost) => Err(Failure::Unreadable(LOST.into())),
        }
    }

    /// What is in the title at `path`, names separated by `/`, and which files it is made of.
    ///
    /// # Errors
    /// Why there is none, in a sentence.
    pub async fn inspect(&self, path: &str) -> Result<(Report, Vec<String>), String> {
        match self.shelf.title(&self.files, path).await {
            Ok(title) => Ok((title.asset.report(TARGET), title.files.clone())),
            Err(Failed::Refused(refused)) => Err(refused.sentence),
            Err(Failed::Unreadable(error)) => Err(error.to_string()),
            Err(Failed::Lost) => Err(LOST.into()),
        }
    }

    async fn answer(&self, path: &str, method: &Method, upload: Upload) -> Result<Fetched, Failed> {
        let path = decoded(path).ok_or_else(Refused::missing)?;
        let (path, resource) = Resource::split(&path).ok_or_else(Refused::missing)?;
        let path = path.strip_prefix('/').ok_or_else(Refused::missing)?;
        license::check_method(resource, method)?;
        if resource == Resource::License {
            self.stats.documents.fetch_add(1, Ordering::Relaxed);
            return license::answer(&self.shelf.title(&self.files, path).await?.asset, upload).await;
        }
        // Whoever names the bytes of a title wants those, and what is read for him is read on that condition: the way to a
        // server, to ask whether they are still there, is spared.
        let named = match resource {
            Resource::Tagged(tag, ..) | Resource::Text(tag, ..) if self.files.are_far() => {
                self.shelf.known(path, tag)
            }
            _ => None,
        };
        let title = match named {
            Some(title) => title,
            None => self.shelf.title(&self.files, path).await?,
        };
        match self.give(&title, resource).await {
            Err(Failed::Lost) => {
                // Its record was deleted, or is no longer what was written.
                tracing::info!(path, "the index of the title is made anew");
                self.shelf.forget(path);
                self.give(&self.shelf.title(&self.files, path).await?, resource).await
            }
            given => given,
        }
    }

    async fn give(&self, title: &Arc<Title>, resource: Resource) -> Result<Fetched, Failed> {
        let tag = title.asset.tag();
        match resource {
            Resource::Multivariant => {
                let text = title.asset.multivariant();
                self.document(title, PLAYLIST, &format!("{tag}-hls"), text.into(), Lifetime::For(MANIFEST))
            }
            Resource::Mpd => {
                let text = title.asset.mpd();
                self.document(title, MPD, &format!("{tag}-dash"), text.into(), Lifetime::For(MANIFEST))
            }
            Resource::TransportMultivariant => {
                let text = ask(title, Asset::transport_multivariant).await?;
                let text = text.map_err(|it| Refused::transport(&it))?;
                self.document(title, PLAYLIST, &format!("{tag}-ts"), text.into(), Lifetime::For(MANIFEST))
            }
            Resource::TrickMpd => {
                let text = title.asset.trick_mpd();
                self.document(title, MPD, &format!("{tag}-trick"), text.into(), Lifetime::For(MANIFEST))
            }
            // It was answered before.
            Resource::License => Err(Refused::missing().into()),
            // The tag of a file that was replaced.
            Resource::Tagged(other, ..) | Resource::Text(other, ..) if other != tag => {
                Err(Refused::missing().into())
            }
            Resource::Text(_, subtitles, item) => {
                let text = title.asset.text(subtitles, item).ok_or_else(Refused::missing)?;
                let content_type = match item {
                    TextItem::Playlist => PLAYLIST,
                    TextItem::Segment(_) | TextItem::Whole => WEBVTT,
                };
                let name = format!("{tag}-{subtitles}-{item}");
                self.document(title, content_type, &name, text.into(), Lifetime::Immutable)
            }
            Resource::Tagged(_, track, item) => {
                let name = format!("{tag}-{track}-{item}");
                let document = |content_type, body: Option<Bytes>| {
                    let body = body.ok_or_else(Refused::missing)?;
                    self.document(title, content_type, &name, body, Lifetime::Immutable)
                };
                match item {
                    Item::Playlist => document(PLAYLIST, title.asset.media_playlist(track).map(Bytes::from)),
                    Item::Init => document(media_type(track), title.asset.init(track)),
                    Item::Segment(n) => {
                        let segment = ask(title, move |it| it.segment(track, n)).await?;
                        self.segment(title, track, segment, &name).await
                    }
                    Item::TransportPlaylist => {
                        let text = ask(title, move |it| it.transport_playlist(track)).await?;
                        document(PLAYLIST, text.map(Bytes::from))
                    }
                    Item::TransportSegment(n) => {
                        let segment = ask(title, move |it| it.transport_segment(track, n)).await?;
                        self.made(title, TRANSPORT, segment, &name).await
                    }
                    Item::Key(of, period) => {
                        let key = title.asset.key(track, of, period).ok_or_else(Refused::missing)?;
                        self.stats.documents.fetch_add(1, Ordering::Relaxed);
                        Ok(license::secret("application/octet-stream", key.to_vec().into()))
                    }
                    Item::KeyFrames => {
                        document(PLAYLIST, title.asset.key_frames_playlist(track).map(Bytes::from))
                    }
                    Item::KeyFrame(n) => {
                        self.segment(title, track, title.asset.key_frame(track, n), &name).await
                    }
                }
            }
        }
    }

    fn document(
        &self,
        title: &Title,
        content_type: &'static str,
        name: &str,
        body: Bytes,
        lifetime: Lifetime,
    ) -> Result<Fetched, Failed> {
        self.stats.documents.fetch_add(1, Ordering::Relaxed);
        Ok(Fetched {
            status: StatusCode::OK,
            headers: headers(title, content_type, name),
            length: Some(body.len() as u64),
            body: FetchedBody::Whole(vec![body]),
            lifetime: Some(lifetime),
        })
    }

    async fn segment(
        &self,
        title: &Arc<Title>,
        track: TrackName,
        segment: Option<Segment>,
        name: &str,
    ) -> Result<Fetched, Failed> {
        let segment = match segment.ok_or_else(Refused::missing)? {
            Segment::Stored(segment) => segment,
            Segment::Made(made) => return self.made(title, media_type(track), Some(made), name).await,
        };
        let length = segment.body.length();
        let (Some(path), Some(stored)) =
            (title.files.get(segment.file), title.asset.stored().get(segment.file))
        else {
            return Err(Refused::missing().into());
        };
        if segment.body.extents.iter().any(|it| it.end > stored.length) {
            return Err(Refused::cut().into());
        }
        if segment.body.extents.is_empty() {
            return Err(Refused::empty().into());
        }
        let mut chunks = VecDeque::from([segment.body.head.clone()]);
        let mut reads = segment.body.reads(self.files.longest_read());
        let first = reads.next().unwrap_or_default();
        let range = first.range.clone();
        let opened = self.files.open_reading(path, &stored.version, range).await;
        let (file, bytes) = opened.map_err(replaced)?;
        self.stats.segments.fetch_add(1, Ordering::Relaxed);
        chunks.extend(Some(first.keep(bytes)).filter(|it| !it.is_empty()));
        Ok(Fetched {
            status: StatusCode::OK,
            headers: headers(title, media_type(track), name),
            length: Some(length),
            body: match reads.clone().next() {
                None => FetchedBody::Whole(chunks.into()),
                Some(_) => growing(chunks, file, reads),
            },
            lifetime: Some(Lifetime::Immutable),
        })
    }

    /// A segment that is made of its frames, in another order than the file has them in or encrypted: all are read before
    /// the first is sent.
    async fn made(
        &self,
        title: &Arc<Title>,
        content_type: &'static str,
        segment: Option<MadeSegment>,
        name: &str,
    ) -> Result<Fetched, Failed> {
        let segment = segment.ok_or_else(Refused::missing)?;
        let octets = segment.frame_octets();
        if octets > LARGEST_MADE {
            return Err(Refused::large(octets).into());
        }
        if octets == 0 {
            return Err(Refused::empty().into());
        }
        // What is read, and what is made of it.
        let room = u32::try_from(octets * 2 / 1024 + 1).unwrap_or(u32::MAX);
        let _room = self.making.acquire_many(room).await.expect("the semaphore is never closed");
        let mut read = Vec::new();
        for extent in segment.reads(LONGEST_MADE_READ) {
            let (Some(path), Some(stored)) =
                (title.files.get(extent.file), title.asset.stored().get(extent.file))
            else {
                return Err(Refused::missing().into());
            };
            if extent.range.end > stored.length {
                return Err(Refused::cut().into());
            }
            let opened = self.files.open_reading(path, &stored.version, extent.range.clone()).await;
            let (_, bytes) = opened.map_err(replaced)?;
            read.push((extent, bytes));
        }
        let made =
            wait(move || segment.make(&read).map_err(|it| Failed::from(Refused::transport(&it)))).await?;
        self.stats.segments.fetch_add(1, Ordering::Relaxed);
        Ok(Fetched {
            status: StatusCode::OK,
            headers: headers(title, content_type, name),
            length: Some(made.iter().map(|it| it.len() as u64).sum()),
            body: FetchedBody::Whole(made),
            lifetime: Some(Lifetime::Immutable),
        })
    }
}

/// Asks a title for what may have to be read from its record.
async fn ask<T: Send + 'static>(
    title: &Arc<Title>,
    of: impl FnOnce(&Asset) -> T + Send + 'static,
) -> Result<T, Failed> {
    let title = Arc::clone(title);
    wait(move || {
        let answer = of(&title.asset);
        if title.is_lost() { Err(Failed::Lost) } else { Ok(answer) }
    })
    .await
}

/// What is there already, then one read after the other, each when the one before was taken.
fn growing(chunks: VecDeque<Bytes>, file: File, reads: Reads) -> FetchedBody {
    let rest = stream::try_unfold((file, reads), |(file, mut reads)| async move {
        let Some(read) = reads.next() else { return Ok(None) };
        let bytes = file.read(read.range.clone(), file.version()).await.map_err(|it| unreadable(&it))?;
        Ok(Some((read.keep(bytes), (file, reads))))
    });
    FetchedBody::Growing(stream::iter(chunks).map(Ok).chain(rest).boxed())
}

/// Of a file that was replaced since its title was looked up nothing is there: its new self has another tag.
fn replaced(error: ReadError) -> Failed {
    match error {
        ReadError::Changed => Refused::missing().into(),
        error => error.into(),
    }
}

fn headers(title: &Title, content_type: &'static str, name: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    let texts = [(ETAG, format!("\"{name}\"")), (LAST_MODIFIED, httpdate::fmt_http_date(title.modified))];
    for (field, text) in texts {
        headers.insert(
            field,
            HeaderValue::try_from(text).expect("hexadecimal digits, names and dates are legal"),
        );
    }
    headers
}

const fn media_type(track: TrackName) -> &'static str {
    match track.kind {
        TrackKind::Video => "video/mp4",
        TrackKind::Audio => "audio/mp4",
    }
}

fn refusal(refused: Refused) -> Fetched {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    let body = Bytes::from(refused.sentence + "\n");
    Fetched {
        status: refused.status,
        headers,
        length: Some(body.len() as u64),
        body: FetchedBody::Whole(vec![body]),
        lifetime: Some(Lifetime::For(REFUSED)),
    }
}

fn unreadable(error: &ReadError) -> Failure {
    Failure::Unreadable(error.to_string())
}
