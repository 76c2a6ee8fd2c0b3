//! Files below a directory, as they are.
//!
//! What tells one version of a file from another is a digest of its octets, so that two servers with the same files say
//! the same (http-edge.md 24). Reading a large file to its end before its first octet goes out would take too long: what
//! tells its versions is which file it is and when it was changed, to the nanosecond. Two servers say different things of
//! such a file, which costs who goes from one to the other a second fetch, and joins octets of two versions for nobody.

mod content_type;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, LAST_MODIFIED};
use packager::asset::{ReadError, Source as _, Version};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::library::{Library, StoredFile, decoded};
use crate::passage::{Ask, Failure, Fetched, FetchedBody, Lifetime, RangeSpec, SaidRange, Validators};

/// Larger files have no digest: it takes a twentieth of a second to make one of so much.
const LARGEST_DIGEST: u64 = 64 * 1024 * 1024;

/// What is read at once: a few frames of a film, and few enough calls.
const STRETCH: u64 = 256 * 1024;

/// Memory for digests: those of some tens of thousands of files.
const DIGESTS: u64 = 4 * 1024 * 1024;

/// How long a file that is not there stays so: an operator who puts it there looks at once.
const MISSING: Duration = Duration::from_secs(2);

/// The files below a directory.
pub(super) struct Directory {
    library: Library,
    /// By name: which version it was, and its digest.
    digests: moka::sync::Cache<String, (Version, HeaderValue)>,
}

impl Directory {
    pub(super) fn new(root: PathBuf) -> Self {
        let digests = moka::sync::Cache::builder()
            .max_capacity(DIGESTS)
            .weigher(|name: &String, _| u32::try_from(name.len() + 128).unwrap_or(u32::MAX))
            .build();
        Self { library: Library::new(root), digests }
    }

    pub(super) fn root(&self) -> &Path {
        self.library.root()
    }

    /// Answers a canonical path.
    pub(super) async fn fetch(&self, path: &str, ask: &Ask) -> Result<Fetched, Failure> {
        let Some(name) = decoded(path) else { return Ok(missing()) };
        let name = name.strip_prefix('/').unwrap_or(&name);
        let answer = match self.answer(name, ask).await {
            // It was replaced just then, as playlists are every few seconds; now there is the new one.
            Err(ReadError::Changed) => self.answer(name, ask).await,
            answer => answer,
        };
        match answer {
            Ok(fetched) => Ok(fetched),
            Err(ReadError::NotFound) => Ok(missing()),
            Err(error) => {
                tracing::warn!(path, "{error}");
                Err(unreadable(&error))
            }
        }
    }

    async fn answer(&self, name: &str, ask: &Ask) -> Result<Fetched, ReadError> {
        let file = self.library.open(name).await?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type::of(name)));
        headers.insert(ETAG, self.tag(name, &file).await?);
        let modified = httpdate::fmt_http_date(file.modified());
        headers.insert(LAST_MODIFIED, HeaderValue::try_from(modified).expect("a date is text"));
        if name.ends_with(".m3u8") || name.ends_with(".mpd") {
            // Whoever writes a broadcast into a directory writes its manifest anew every few seconds.
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=1"));
        }
        let holds = ask.known.as_ref().is_none_or(|it| is_still(it, &headers));
        if holds && ask.range.is_none() && ask.known.is_some() {
            return Ok(fetched(StatusCode::NOT_MODIFIED, headers, FetchedBody::Whole(Vec::new()), Some(0)));
        }
        let total = file.length();
        let said = ask.as_said.as_ref().and_then(|it| spec(it, &headers));
        if said.is_some_and(|it| it.within(total).is_none()) {
            let none = format!("bytes */{total}");
            headers.insert(CONTENT_RANGE, HeaderValue::try_from(none).expect("digits"));
            let nothing = FetchedBody::Whole(Vec::new());
            return Ok(fetched(StatusCode::RANGE_NOT_SATISFIABLE, headers, nothing, Some(0)));
        }
        let asked = ask.range.clone().or_else(|| said?.within(total));
        let (status, range) = match asked {
            Some(range) if holds && range.start < total.min(range.end) => {
                let range = range.start..total.min(range.end);
                let said = format!("bytes {}-{}/{total}", range.start, range.end - 1);
                headers.insert(CONTENT_RANGE, HeaderValue::try_from(said).expect("digits"));
                (StatusCode::PARTIAL_CONTENT, range)
            }
            _ => (StatusCode::OK, 0..total),
        };
        let length = range.end - range.start;
        let body = if length <= STRETCH {
            FetchedBody::Whole(vec![file.read(range, file.version()).await?])
        } else {
            growing(file, range)
        };
        Ok(fetched(status, headers, body, Some(length)))
    }

    /// What its octets are known by.
    async fn tag(&self, name: &str, file: &StoredFile) -> Result<HeaderValue, ReadError> {
        if file.length() > LARGEST_DIGEST {
            return Ok(tag_of_file(file));
        }
        if let Some((_, digest)) = self.digests.get(name).filter(|(version, _)| version == file.version()) {
            return Ok(digest);
        }
        let mut state = Xxh3::new();
        let mut at = 0;
        while at < file.length() {
            let end = file.length().min(at + STRETCH);
            state.update(&file.read(at..end, file.version()).await?);
            at = end;
        }
        let digest = tag(state.digest128());
        self.digests.insert(name.to_owned(), (file.version().clone(), digest.clone()));
        Ok(digest)
    }
}

/// What a file is known by that is too large to be read for it. Not its device, which has another number after a restart.
fn tag_of_file(file: &StoredFile) -> HeaderValue {
    let since = file.modified().duration_since(UNIX_EPOCH).unwrap_or_else(|it| it.duration());
    // A digest: how many files there are is nobody's business.
    tag(xxh3_128(format!("{:x} {:x} {}", file.node(), file.length(), since.as_nanos()).as_bytes()))
}

fn tag(digest: u128) -> HeaderValue {
    HeaderValue::try_from(format!("\"{digest:032x}\"")).expect("digits")
}

/// The one range that a viewer asks for, as far as what he has of the file is of this one; more of them are answered with
/// all.
fn spec(said: &SaidRange, headers: &HeaderMap) -> Option<RangeSpec> {
    let has_others = said.if_range.as_ref().is_some_and(|it| headers.get(ETAG) != Some(it));
    let specs = RangeSpec::parse(said.range.to_str().ok()?)?;
    let [spec] = specs.as_slice() else { return None };
    (!has_others).then_some(*spec)
}

/// Whether what is known is what is there: by the tag, and by the date where there is none.
fn is_still(known: &Validators, headers: &HeaderMap) -> bool {
    match (&known.etag, headers.get(ETAG)) {
        (Some(known), Some(now)) => known == now,
        _ => known.last_modified.is_some() && known.last_modified.as_ref() == headers.get(LAST_MODIFIED),
    }
}

/// One stretch after the other, each when the one before was taken.
fn growing(file: StoredFile, range: Range<u64>) -> FetchedBody {
    let stretches = stream::try_unfold((file, range), |(file, range)| async move {
        if range.is_empty() {
            return Ok(None);
        }
        let end = range.end.min(range.start + STRETCH);
        let bytes: Bytes =
            file.read(range.start..end, file.version()).await.map_err(|error| unreadable(&error))?;
        Ok(Some((bytes, (file, end..range.end))))
    });
    FetchedBody::Growing(stretches.boxed())
}

fn fetched(status: StatusCode, headers: HeaderMap, body: FetchedBody, length: Option<u64>) -> Fetched {
    Fetched { status, headers, length, body, lifetime: None }
}

fn missing() -> Fetched {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    let sentence = Bytes::from_static(b"there is no such file\n");
    let length = Some(sentence.len() as u64);
    Fetched {
        lifetime: Some(Lifetime::For(MISSING)),
        ..fetched(StatusCode::NOT_FOUND, headers, FetchedBody::Whole(vec![sentence]), length)
    }
}

fn unreadable(error: &ReadError) -> Failure {
    Failure::Unreadable(error.to_string())
}
