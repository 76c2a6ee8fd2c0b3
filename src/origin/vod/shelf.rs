//! Titles that were understood, kept in memory as long as their files stay as they are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

use futures_util::StreamExt as _;
use futures_util::stream;
use http::StatusCode;
use packager::asset::{ReadError, Source, Stored, Version};
use packager::vod::{
    Asset, Header, HeaderError, Labels, MAX_SET_FILE, Reason, SET_DIRECTORY, Set, TARGET, Tag, Take,
};
use tokio::sync::Semaphore;

use super::files::{File, Files};
use super::indexes::{Indexes, Name, Record};
use super::keys::{Edition, Keys};
use super::subtitles::{self, Beside, MAX_ENTRIES, Wanted, below};
use crate::origin::library::wait;

/// A two-hour film takes about 120 KB beside its record, and 2 MB without one: thousands of films, or all of a small library.
const MEMORY: u64 = 256 * 1024 * 1024;

/// Titles understood at once: each may hold a header of 128 MiB and use a processor.
const BUILDERS: usize = 2;

/// Files of one title that are opened at once: as many as a usual ladder has.
pub(super) const AT_ONCE: usize = 8;

/// A title that cannot be answered for, in words for whoever asked and for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) sentence: String,
}

/// A title and where its media is.
#[derive(Debug)]
pub(super) struct Title {
    pub(super) asset: Asset,
    /// Paths of its files, in the order the asset numbers them.
    pub(super) files: Vec<String>,
    /// When the latest of them was changed.
    pub(super) modified: SystemTime,
    /// Where its samples may be.
    record: Option<Arc<Record>>,
}

impl Title {
    /// Whether its record is no more, so that something asked of it could not be answered.
    pub(super) fn is_lost(&self) -> bool {
        self.record.as_ref().is_some_and(|it| it.is_lost())
    }
}

/// A path, and what was there when it was read; nothing where it was looked for in vain.
pub(super) type Witness = (String, Option<Version>);

/// What is known of a path, as long as every file that was read for it stays as it was.
#[derive(Clone)]
struct Kept {
    witnesses: Arc<[Witness]>,
    /// Of a single file: what else is beside it and may come and go.
    beside: Option<Arc<Beside>>,
    /// Of the keys it is encrypted with.
    edition: Edition,
    title: Result<Arc<Title>, Refused>,
}

/// Titles by path.
pub(super) struct Shelf {
    kept: moka::sync::Cache<String, Kept>,
    /// Who asks for a title that is being understood waits here for the one that does it.
    under_way: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
    builders: Semaphore,
    /// Where they are kept beyond this run.
    indexes: Option<Arc<Indexes>>,
    /// Titles are encrypted with them.
    keys: Option<Keys>,
}

impl Shelf {
    pub(super) fn new() -> Self {
        let weigh = |path: &String, kept: &Kept| {
            let title = kept.title.as_ref().map_or(0, |it| it.asset.weight());
            u32::try_from(path.len() + size_of::<Kept>() + title).unwrap_or(u32::MAX)
        };
        let kept = moka::sync::Cache::builder()
            .max_capacity(MEMORY)
            .weigher(weigh)
            // The newest is what is being watched: to refuse it would mean to read its header for each segment.
            .eviction_policy(moka::policy::EvictionPolicy::lru())
            .build();
        let builders = Semaphore::new(BUILDERS);
        Self { kept, under_way: Mutex::default(), builders, indexes: None, keys: None }
    }

    /// The same, which keeps titles in `indexes` too.
    pub(super) fn with_indexes(self, indexes: Arc<Indexes>) -> Self {
        Self { indexes: Some(indexes), ..self }
    }

    /// The same, which encrypts titles.
    pub(super) fn with_keys(self, keys: Option<Keys>) -> Self {
        Self { keys, ..self }
    }

    pub(super) const fn keys(&self) -> Option<&Keys> {
        self.keys.as_ref()
    }

    /// The title at `path` as it is now.
    pub(super) async fn title(&self, library: &Files, path: &str) -> Result<Arc<Title>, Failed> {
        if let Some(title) = self.still_kept(library, path).await? {
            return Ok(title?);
        }
        let turn = self.turn(path);
        let _turn = turn.lock().await;
        // Who waited finds what the other built.
        if let Some(title) = self.still_kept(library, path).await? {
            return Ok(title?);
        }
        let _builder = self.builders.acquire().await.expect("the semaphore is never closed");
        let kept = understand(library, path, self.indexes.as_ref(), self.keys.as_ref()).await?;
        if let Err(refused) = &kept.title {
            tracing::warn!(path, "{}", refused.sentence);
        }
        self.kept.insert(path.to_owned(), kept.clone());
        Ok(kept.title?)
    }

    /// The title at `path`, where it is known and its bytes are those of `tag`, whether or not they are still there.
    pub(super) fn known(&self, path: &str, tag: Tag) -> Option<Arc<Title>> {
        let title = self.kept.get(path)?.title.ok()?;
        (title.asset.tag() == tag).then_some(title)
    }

    /// Whoever asks for that title next has it understood anew.
    pub(super) fn forget(&self, path: &str) {
        self.kept.invalidate(path);
    }

    async fn still_kept(
        &self,
        library: &Files,
        path: &str,
    ) -> Result<Option<Result<Arc<Title>, Refused>>, ReadError> {
        let Some(kept) = self.kept.get(path) else { return Ok(None) };
        if kept.edition != edition(self.keys.as_ref()).await {
            return Ok(None);
        }
        let directory = kept.beside.iter().map(|it| &it.directory);
        let witnesses = || kept.witnesses.iter().chain(directory.clone());
        let now = library.versions(witnesses().map(|(path, _)| path.clone()).collect()).await?;
        let same = |(now, (_, then)): (&Option<Version>, &Witness)| now == then;
        if !now.iter().zip(kept.witnesses.iter()).all(same) {
            return Ok(None);
        }
        if now.iter().zip(witnesses()).all(same) {
            return Ok(Some(kept.title));
        }
        // Other files came or went beside it, of which most are none of its own.
        let beside = match &kept.beside {
            Some(it) => Beside::look(library, &it.title).await,
            None => None,
        };
        let wanted = |it: Option<&Beside>| it.map(|it| it.wanted.clone()).unwrap_or_default();
        if wanted(beside.as_ref()) != wanted(kept.beside.as_deref()) {
            return Ok(None);
        }
        let kept = Kept { beside: beside.map(Arc::new), ..kept.clone() };
        self.kept.insert(path.to_owned(), kept.clone());
        Ok(Some(kept.title))
    }

    fn turn(&self, path: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = under_way.get(path).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        under_way.insert(path.to_owned(), Arc::downgrade(&turn));
        turn
    }
}

/// Why there is no title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// It is not there or cannot be played.
    Refused(Refused),
    /// The disk failed.
    Unreadable(ReadError),
    /// What was known of the title is no more.
    Lost,
}

impl From<Refused> for Failed {
    fn from(it: Refused) -> Self {
        Self::Refused(it)
    }
}

impl From<ReadError> for Failed {
    fn from(it: ReadError) -> Self {
        match it {
            ReadError::NotFound => Self::Refused(Refused::missing()),
            it => Self::Unreadable(it),
        }
    }
}

impl Refused {
    pub(super) fn missing() -> Self {
        Self { status: StatusCode::NOT_FOUND, sentence: "there is no such title".into() }
    }

    /// Whether it stays so as long as the files do.
    fn is_in_the_file(&self) -> bool {
        !matches!(self.status, StatusCode::NOT_FOUND | StatusCode::SERVICE_UNAVAILABLE)
    }

    /// The file has lost its end.
    pub(super) fn cut() -> Self {
        let sentence = "the file ends before the media of this segment".into();
        Self { status: StatusCode::NOT_FOUND, sentence }
    }

    /// Players stall at a segment of nothing, and do not say why.
    pub(super) fn empty() -> Self {
        let sentence = "there is no media for this segment in the file".into();
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, sentence }
    }

    /// Its tracks go into fragments, but not into a transport stream.
    pub(super) fn transport(reason: &impl std::fmt::Display) -> Self {
        let sentence = format!("there is no transport stream of this title: {reason}");
        Self { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence }
    }

    pub(super) fn large(octets: u64) -> Self {
        let sentence = format!("the segment has {octets} bytes, too many to be made at once");
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, sentence }
    }

    fn media(file: &str, reason: &Reason) -> Self {
        let status = if reason.is_unsupported() {
            StatusCode::UNSUPPORTED_MEDIA_TYPE
        } else {
            StatusCode::UNPROCESSABLE_ENTITY
        };
        let name = file.rsplit('/').next().unwrap_or(file);
        Self { status, sentence: format!("{name} cannot be played: {reason}") }
    }

    fn set(path: &str, reason: impl std::fmt::Display) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, sentence: format!("{name}: {reason}") }
    }
}

/// Reads what is at `path` and makes a title of it.
async fn understand(
    library: &Files,
    path: &str,
    indexes: Option<&Arc<Indexes>>,
    keys: Option<&Keys>,
) -> Result<Kept, Failed> {
    let edition = edition(keys).await;
    let mut witnesses = Vec::new();
    let mut beside = None;
    let title = match files_of(library, path, &mut witnesses).await {
        Ok(files) => build(library, files, indexes, &mut witnesses, &mut beside).await,
        Err(failed) => Err(failed),
    };
    let title = match (title, keys) {
        (Ok(title), Some(keys)) => {
            keys.protect(path, title.asset).await.map(|asset| Title { asset, ..title })
        }
        (title, _) => title,
    };
    let beside = beside.map(Arc::new);
    match title {
        Ok(title) => Ok(Kept { witnesses: witnesses.into(), beside, edition, title: Ok(Arc::new(title)) }),
        // Only what lies in the bytes of files that were found is remembered.
        Err(Failed::Refused(refused)) if refused.is_in_the_file() => {
            Ok(Kept { witnesses: witnesses.into(), beside, edition, title: Err(refused) })
        }
        Err(failed) => Err(failed),
    }
}

async fn edition(keys: Option<&Keys>) -> Edition {
    match keys {
        Some(keys) => keys.edition().await,
        None => None,
    }
}

/// What a title is made of.
struct Parts {
    media: Vec<String>,
    /// Which tracks of each are wanted.
    takes: Vec<Take>,
    labels: Labels,
    subtitles: Words,
}

/// Where the subtitles of a title are.
enum Words {
    /// A set names them.
    Named(Vec<Wanted>),
    /// Beside a file of this name, which for a list with commas is none of its files.
    Beside(String),
}

/// The files that `path` stands for: itself, or those of a set.
async fn files_of(library: &Files, path: &str, witnesses: &mut Vec<Witness>) -> Result<Parts, Failed> {
    let (directory, name) = path.rsplit_once('/').map_or(("", path), |(directory, name)| (directory, name));
    let mut beside = None;
    let mut inside = directory;
    let set = if let Some(list) = name.strip_suffix(".urlset") {
        beside = Set::name_of_commas(list).map(|it| below(directory, &it));
        Set::from_commas(list).ok_or_else(Refused::missing)?
    } else if name.ends_with(SET_DIRECTORY) {
        inside = path;
        let Some((version, names)) = library.list(path, MAX_ENTRIES).await? else {
            return Err(
                Refused::set(path, "a server does not say what is in a directory: write a set file").into()
            );
        };
        witnesses.push((path.to_owned(), Some(version)));
        let names =
            names.ok_or_else(|| Refused::set(path, format!("it has more than {MAX_ENTRIES} entries")))?;
        Set::of_directory(names)
    } else if name.ends_with(".json") {
        let file = library.open(path).await?;
        witnesses.push((path.to_owned(), Some(file.version().clone())));
        if file.length() > MAX_SET_FILE {
            let reason = format!("a set file has at most {MAX_SET_FILE} bytes");
            return Err(Refused::set(path, reason).into());
        }
        Set::parse(&file.read(0..file.length(), file.version()).await?)
    } else {
        return Ok(Parts {
            media: vec![path.to_owned()],
            takes: Vec::new(),
            labels: Labels::default(),
            subtitles: Words::Beside(path.to_owned()),
        });
    };
    let set = set.map_err(|reason| Refused::set(path, reason))?;
    let subtitles = set.subtitles().iter().map(|it| Wanted {
        path: below(inside, &it.file),
        about: it.about.clone(),
        format: it.format,
    });
    Ok(Parts {
        media: set.files().map(|file| below(inside, file)).collect(),
        takes: set.takes().to_vec(),
        labels: set.labels().clone(),
        subtitles: beside.map_or_else(|| Words::Named(subtitles.collect()), Words::Beside),
    })
}

async fn build(
    library: &Files,
    Parts { media: files, takes, labels, subtitles }: Parts,
    indexes: Option<&Arc<Indexes>>,
    witnesses: &mut Vec<Witness>,
    beside: &mut Option<Beside>,
) -> Result<Title, Failed> {
    // At a server each is a way there and back, or two; one after the other they would keep the first viewer waiting.
    let media = async {
        let opened = files.clone().into_iter().map(|path| async move { library.open(&path).await });
        let opened: Vec<_> = stream::iter(opened).buffered(AT_ONCE).collect().await;
        let all = opened.into_iter().zip(&files).map(|(file, path)| {
            file.map_err(|error| match error {
                // The title is there, a file of it is not: to be told apart by whoever wrote the set.
                ReadError::NotFound if files.len() > 1 => {
                    tracing::warn!(path, "the file is in a set but not there");
                    Failed::Refused(Refused::missing())
                }
                error => error.into(),
            })
        });
        let opened = all.collect::<Result<Vec<File>, Failed>>()?;
        let record = record_of(library, &files, &takes, &opened, indexes);
        let kept = match &record {
            Some(record) => {
                let (record, stored) = (Arc::clone(record), opened.iter().map(File::stored_now).collect());
                wait(move || Ok::<_, Failed>(record.open(stored))).await?
            }
            None => None,
        };
        let unknown = if kept.is_none() { opened.clone() } else { Vec::new() };
        let headers = unknown.into_iter().map(|file| async move { Header::read(&file).await });
        let headers: Vec<_> = stream::iter(headers).buffered(AT_ONCE).collect().await;
        Ok::<_, Failed>((opened, record, kept, headers))
    };
    let words = async {
        let wanted = match subtitles {
            Words::Named(wanted) => wanted,
            Words::Beside(path) => {
                *beside = Beside::look(library, &path).await;
                beside.as_ref().map(|it| it.wanted.clone()).unwrap_or_default()
            }
        };
        subtitles::read(library, wanted).await
    };
    let (media, words) = tokio::join!(media, words);
    let (opened, record, kept, headers) = media?;
    let mut modified = words.modified;
    for (path, file) in files.iter().zip(&opened) {
        witnesses.push((path.clone(), Some(file.version().clone())));
        modified = modified.max(file.modified());
    }
    let headers = files.iter().zip(headers).map(|(path, header)| {
        header.map_err(|error| match error {
            HeaderError::Read(error) => error.into(),
            HeaderError::Movie(reason) => Failed::Refused(Refused::media(path, &reason.into())),
        })
    });
    let headers = headers.collect::<Result<Vec<Header>, Failed>>()?;
    witnesses.extend(words.witnesses);
    wait(move || {
        let asset = match kept {
            Some(asset) => asset,
            None => understood(headers, &files, &takes, record.as_ref())?,
        };
        let asset = asset.with_labels(labels).with_subtitles(subtitles::tracks(words.read));
        Ok(Title { asset, files, modified, record })
    })
    .await
}

/// Where a title of these files is kept beyond this run; nowhere when nobody could tell whether they were replaced.
fn record_of(
    library: &Files,
    files: &[String],
    takes: &[Take],
    opened: &[File],
    indexes: Option<&Arc<Indexes>>,
) -> Option<Arc<Record>> {
    let indexes = indexes.filter(|_| opened.iter().all(File::is_certain))?;
    let stored: Vec<Stored> = opened.iter().map(File::stored_now).collect();
    // Of the same files another set may take other tracks.
    let mut place = library.place();
    for (file, take) in takes.iter().enumerate().filter(|it| *it.1 != Take::All) {
        place.push_str(&format!("\0{file} {take:?}"));
    }
    let name = Name::of(&place, files.iter().map(String::as_str).zip(&stored));
    Some(Record::new(Arc::clone(indexes), name))
}

/// Makes a title of headers, and keeps it.
fn understood(
    headers: Vec<Header>,
    files: &[String],
    takes: &[Take],
    record: Option<&Arc<Record>>,
) -> Result<Asset, Failed> {
    let mut asset = Asset::taking(headers, takes, TARGET).map_err(|it| {
        let file = files.get(it.file).map_or("", String::as_str);
        Failed::Refused(Refused::media(file, &it.reason))
    })?;
    for left_out in asset.left_out() {
        let path = files.get(left_out.file);
        let (offset, reason) = (left_out.offset, &left_out.reason);
        tracing::info!(path, "the track at byte {offset} is left out: {reason}");
    }
    if let Some(record) = record {
        record.keep(&mut asset);
    }
    Ok(asset)
}
