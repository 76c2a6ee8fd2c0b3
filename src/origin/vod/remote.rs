//! Files at a web server or in a bucket, read by range.
//!
//! The first request for a file brings its beginning, length and validators at once; every later one is made on the
//! condition that the file is still that one, so octets of two versions are never mixed.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use http::StatusCode;
use http::header::{ETAG, HeaderMap, LAST_MODIFIED};
use packager::asset::{ReadError, Stored, Version};

use crate::origin::library::Reads;
use crate::origin::web::{Question, Web};
use crate::passage::{Ask, ContentRange, Failure, Fetched, FetchedBody, Validators, parse_date};

/// The beginning of a file, which holds the whole header of most.
const BEGINNING: u64 = 64 * 1024;

/// A file that was found is taken to be still that one for so long; what is read of it is conditional all the same.
const SURE: Duration = Duration::from_secs(5);

/// Files whose validators are remembered; each takes some hundred octets.
const MOST_KNOWN: u64 = 10_000;

/// The files of a web server or bucket.
pub(super) struct Remote {
    web: Arc<Web>,
    node: Arc<str>,
    reads: Arc<Reads>,
    known: moka::sync::Cache<String, (Instant, RemoteFile)>,
}

impl Remote {
    pub(super) fn new(web: Arc<Web>, node: Arc<str>) -> Self {
        Self { web, node, reads: Arc::default(), known: moka::sync::Cache::new(MOST_KNOWN) }
    }

    pub(super) fn reads(&self) -> &Reads {
        &self.reads
    }

    /// Whether this is the server.
    pub(super) fn is_at(&self, web: &Arc<Web>) -> bool {
        Arc::ptr_eq(&self.web, web)
    }

    /// The server's, in every run alike.
    pub(super) fn number(&self) -> u64 {
        self.web.number()
    }

    /// The file at `path`, names separated by `/`, with its beginning.
    pub(super) async fn open(&self, path: &str) -> Result<RemoteFile, ReadError> {
        if path.split('/').any(|name| name.is_empty() || name.starts_with('.') || name.contains('\0')) {
            return Err(ReadError::NotFound);
        }
        let now = Instant::now();
        let question = Arc::new(Question::for_file(path, &self.node));
        let file = RemoteFile::open(&self.web, question, &self.reads).await;
        match &file {
            Ok(file) => self.known.insert(path.to_owned(), (now, file.without_beginning())),
            Err(_) => self.known.invalidate(path),
        }
        file
    }

    /// The file at `path` as it was when it had the octets of `version`, which are all that is read of it: every read is made
    /// on that condition, so one that is known is not asked after.
    pub(super) async fn open_as(&self, path: &str, version: &Version) -> Result<RemoteFile, ReadError> {
        match self.known.get(path) {
            Some((_, file)) if file.stored.version == *version => Ok(file),
            _ => self.open(path).await,
        }
    }

    /// Which octets are at each of `paths` now; nothing where there are none.
    pub(super) async fn versions(&self, paths: &[String]) -> Result<Vec<Option<Version>>, ReadError> {
        let version = async |path: &String| match self.version(path).await {
            Ok(version) => Ok(Some(version)),
            Err(ReadError::NotFound) => Ok(None),
            Err(error) => Err(error),
        };
        futures_util::future::try_join_all(paths.iter().map(version)).await
    }

    async fn version(&self, path: &str) -> Result<Version, ReadError> {
        let now = Instant::now();
        if let Some((seen, file)) = self.known.get(path) {
            // One octet says as much as all, and costs the server less.
            if now.saturating_duration_since(seen) < SURE {
                return Ok(file.stored.version);
            }
            if file.length() > 0 && file.fetch(0..1).await.is_ok() {
                self.known.insert(path.to_owned(), (now, file.clone()));
                return Ok(file.stored.version);
            }
        }
        Ok(self.open(path).await?.stored.version)
    }
}

/// A file as it was found.
#[derive(Clone)]
pub(super) struct RemoteFile {
    web: Arc<Web>,
    question: Arc<Question>,
    reads: Arc<Reads>,
    stored: Stored,
    validators: Validators,
    modified: SystemTime,
    /// What came when it was opened.
    beginning: Bytes,
}

impl RemoteFile {
    pub(super) const fn stored(&self) -> &Stored {
        &self.stored
    }

    pub(super) const fn modified(&self) -> SystemTime {
        self.modified
    }

    /// Whether the server says something that changes with the file.
    pub(super) const fn has_validator(&self) -> bool {
        self.validators.etag.is_some() || self.validators.last_modified.is_some()
    }

    const fn length(&self) -> u64 {
        self.stored.length
    }

    async fn open(web: &Arc<Web>, question: Arc<Question>, reads: &Arc<Reads>) -> Result<Self, ReadError> {
        let range = 0..BEGINNING;
        let fetched = ask(web, &question, Ask { range: Some(range.clone()), ..Ask::default() }).await?;
        let now = SystemTime::now();
        let last_modified = fetched.headers.get(LAST_MODIFIED).cloned();
        let modified = last_modified.as_ref().and_then(|it| parse_date(it, now));
        let validators = Validators { etag: fetched.headers.get(ETAG).cloned(), last_modified };
        let length = length(&fetched)?;
        let stored = Stored { length, version: version(&fetched.headers, length) };
        let beginning = if length == 0 {
            Bytes::new()
        } else {
            take(fetched, &(0..length.min(range.end)), reads).await?
        };
        Ok(Self {
            web: Arc::clone(web),
            question,
            reads: Arc::clone(reads),
            stored,
            validators,
            modified: modified.unwrap_or(SystemTime::UNIX_EPOCH),
            beginning,
        })
    }

    fn without_beginning(&self) -> Self {
        Self { beginning: Bytes::new(), ..self.clone() }
    }

    /// Exactly the octets of `range`, as long as they are those of `if_match`.
    pub(super) async fn read(&self, range: Range<u64>, if_match: &Version) -> Result<Bytes, ReadError> {
        if range.end > self.stored.length || *if_match != self.stored.version {
            return Err(ReadError::Changed);
        }
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        if range.end <= self.beginning.len() as u64 {
            return Ok(self.beginning.slice(range.start as usize..range.end as usize));
        }
        self.fetch(range).await
    }

    async fn fetch(&self, range: Range<u64>) -> Result<Bytes, ReadError> {
        let known = Some(self.validators.clone());
        let fetched =
            ask(&self.web, &self.question, Ask { range: Some(range.clone()), known, as_said: None }).await?;
        // The condition did not hold, or it was passed over and these are others.
        let is_that = fetched.status == StatusCode::PARTIAL_CONTENT
            && version(&fetched.headers, length(&fetched)?) == self.stored.version;
        if is_that { take(fetched, &range, &self.reads).await } else { Err(ReadError::Changed) }
    }
}

async fn ask(web: &Web, question: &Question, ask: Ask) -> Result<Fetched, ReadError> {
    let fetched = web.fetch(question, &ask).await.map_err(|it| read_error(&it))?;
    match fetched.status {
        StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(fetched),
        // Of nothing there is no range.
        StatusCode::RANGE_NOT_SATISFIABLE => Ok(fetched),
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(ReadError::NotFound),
        // Buckets that may not be listed say this of what is not there.
        StatusCode::FORBIDDEN => Err(ReadError::NotFound),
        StatusCode::PRECONDITION_FAILED => Err(ReadError::Changed),
        status => Err(ReadError::Store(format!("the server of the files said {status}").into())),
    }
}

/// Octets of the whole file.
fn length(fetched: &Fetched) -> Result<u64, ReadError> {
    if fetched.status == StatusCode::RANGE_NOT_SATISFIABLE {
        return Ok(0);
    }
    let part = ContentRange::of(&fetched.headers).and_then(|it| it.total);
    part.ok_or_else(|| {
        let sentence = if fetched.status == StatusCode::OK {
            "the server of the files gives no ranges (it said 200 to one); stored titles are read by range"
        } else {
            "the server of the files does not say how long the file is"
        };
        ReadError::Store(sentence.into())
    })
}

/// What changes when the file does.
fn version(headers: &HeaderMap, length: u64) -> Version {
    let validator = headers.get(ETAG).or_else(|| headers.get(LAST_MODIFIED));
    let validator = validator.map(|it| it.as_bytes().escape_ascii().to_string()).unwrap_or_default();
    Version::new(&format!("{validator}/{length}"))
}

/// The octets of `range`, neither more nor less.
async fn take(fetched: Fetched, range: &Range<u64>, reads: &Reads) -> Result<Bytes, ReadError> {
    let Some(part) = ContentRange::of(&fetched.headers) else { return Err(ReadError::Changed) };
    if part.octets != *range {
        return Err(ReadError::Store(
            "the server of the files sent another range than it was asked for".into(),
        ));
    }
    let wanted = (range.end - range.start) as usize;
    let mut octets = BytesMut::with_capacity(wanted);
    let mut put = |chunk: Bytes| {
        let fits = octets.len() + chunk.len() <= wanted;
        if fits {
            octets.extend_from_slice(&chunk);
        }
        fits.then_some(()).ok_or_else(|| ReadError::Store("the server of the files sent too much".into()))
    };
    match fetched.body {
        FetchedBody::Whole(chunks) => chunks.into_iter().try_for_each(&mut put)?,
        FetchedBody::Growing(mut body) => {
            while let Some(chunk) = body.next().await {
                put(chunk.map_err(|it| read_error(&it))?)?;
            }
        }
    }
    if octets.len() < wanted {
        return Err(ReadError::Store("the server of the files sent too little".into()));
    }
    reads.count.fetch_add(1, Ordering::Relaxed);
    reads.bytes.fetch_add(wanted as u64, Ordering::Relaxed);
    Ok(octets.freeze())
}

fn read_error(failure: &Failure) -> ReadError {
    ReadError::Store(failure.to_string().into())
}
