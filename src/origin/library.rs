//! A directory of media files, read by range.
//!
//! Every call here may wait for a disk and is made where waiting is allowed.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use packager::asset::{ReadError, Source, Stored, Version};
use rustix::buffer::spare_capacity;
use rustix::fs::Dir;
use rustix::io::Errno;

use super::beneath;

/// What a library was asked to do.
#[derive(Debug, Default)]
pub struct Reads {
    /// How many times a file was read.
    pub count: AtomicU64,
    /// How many bytes came of it.
    pub bytes: AtomicU64,
}

/// The files below a directory.
#[derive(Clone, Debug)]
pub(super) struct Library {
    root: PathBuf,
    reads: Arc<Reads>,
}

impl Library {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, reads: Arc::default() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn reads(&self) -> &Reads {
        &self.reads
    }

    /// Opens the file at `path`, names separated by `/`. A link is followed as long as it stays below the root;
    /// hidden files and what is no file are not there.
    pub(super) async fn open(&self, path: &str) -> Result<StoredFile, ReadError> {
        let (library, path) = (self.clone(), path.to_owned());
        wait(move || library.open_now(&path)).await
    }

    /// Opens the file and reads a range of it, as long as its bytes are those of `version`.
    pub(super) async fn open_reading(
        &self,
        path: &str,
        version: &Version,
        range: Range<u64>,
    ) -> Result<(StoredFile, Bytes), ReadError> {
        let (library, path, version) = (self.clone(), path.to_owned(), version.clone());
        wait(move || {
            let file = library.open_now(&path)?;
            let bytes = file.read_now(&range, &version)?;
            Ok((file, bytes))
        })
        .await
    }

    /// Which bytes are at each of `paths` now, or which entries of a directory; nothing where there are none.
    pub(super) async fn versions(&self, paths: Vec<String>) -> Result<Vec<Option<Version>>, ReadError> {
        let library = self.clone();
        wait(move || {
            let version = |path: &String| match library.find(path) {
                Ok((_, metadata)) => Ok(Some(version(&metadata))),
                Err(ReadError::NotFound) => Ok(None),
                Err(error) => Err(error),
            };
            paths.iter().map(version).collect()
        })
        .await
    }

    /// The names in a directory, where there are no more than `most` entries, and what changes as they do.
    pub(super) async fn list(
        &self,
        directory: &str,
        most: usize,
    ) -> Result<(Version, Option<Vec<String>>), ReadError> {
        let (library, directory) = (self.clone(), directory.to_owned());
        wait(move || library.list_now(&directory, most)).await
    }

    fn list_now(&self, directory: &str, most: usize) -> Result<(Version, Option<Vec<String>>), ReadError> {
        let (file, metadata) = self.find(directory)?;
        let entries = Dir::read_from(&file).map_err(|it| read_error(it.into()))?;
        let mut names = Vec::new();
        for (n, entry) in entries.enumerate() {
            let entry = entry.map_err(|it| read_error(it.into()))?;
            if n >= most {
                return Ok((version(&metadata), None));
            }
            // Names that are no text are in no URL either.
            names.extend(entry.file_name().to_str().map(str::to_owned));
        }
        Ok((version(&metadata), Some(names)))
    }

    fn open_now(&self, path: &str) -> Result<StoredFile, ReadError> {
        let (file, metadata) = self.find(path)?;
        if !metadata.is_file() {
            return Err(ReadError::NotFound);
        }
        Ok(StoredFile {
            file: Arc::new(file),
            stored: Stored { length: metadata.len(), version: version(&metadata) },
            node: metadata.ino(),
            modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            reads: Arc::clone(&self.reads),
        })
    }

    /// What is at a path; at the empty one is the root.
    fn find(&self, path: &str) -> Result<(File, fs::Metadata), ReadError> {
        if path.is_empty() {
            let root = File::open(&self.root).map_err(read_error)?;
            let metadata = root.metadata().map_err(read_error)?;
            return Ok((root, metadata));
        }
        if path.split('/').any(|name| name.is_empty() || name.starts_with('.') || name.contains('\0')) {
            return Err(ReadError::NotFound);
        }
        let file = beneath::open(&self.root, path).map_err(read_error)?;
        let metadata = file.metadata().map_err(read_error)?;
        Ok((file, metadata))
    }
}

/// An open file of a library.
#[derive(Clone, Debug)]
pub(super) struct StoredFile {
    file: Arc<File>,
    stored: Stored,
    node: u64,
    modified: SystemTime,
    reads: Arc<Reads>,
}

impl StoredFile {
    pub(super) const fn version(&self) -> &Version {
        &self.stored.version
    }

    pub(super) const fn length(&self) -> u64 {
        self.stored.length
    }

    /// Which file of its file system it is.
    pub(super) const fn node(&self) -> u64 {
        self.node
    }

    pub(super) const fn modified(&self) -> SystemTime {
        self.modified
    }

    fn read_now(&self, range: &Range<u64>, if_match: &Version) -> Result<Bytes, ReadError> {
        let length = range.end.saturating_sub(range.start);
        if range.end > self.stored.length || *if_match != self.stored.version {
            return Err(ReadError::Changed);
        }
        let bytes = read_exact(&self.file, range.start, length as usize).map_err(read_error)?;
        // A file that is written to while it is read gives neither its old bytes nor its new ones.
        let now = self.file.metadata().map_err(read_error)?;
        if version(&now) != *if_match {
            return Err(ReadError::Changed);
        }
        self.reads.count.fetch_add(1, Ordering::Relaxed);
        self.reads.bytes.fetch_add(length, Ordering::Relaxed);
        Ok(bytes.into())
    }
}

/// So many octets of a file, into memory that need not be cleared for them.
fn read_exact(file: &File, begin: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let at = begin + bytes.len() as u64;
        match rustix::io::pread(file, spare_capacity(&mut bytes), at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // Memory may have come with a little more room than was asked for.
    bytes.truncate(length);
    Ok(bytes)
}

impl Source for StoredFile {
    fn stored(&self) -> Pin<Box<dyn Future<Output = Result<Stored, ReadError>> + Send + '_>> {
        Box::pin(async { Ok(self.stored.clone()) })
    }

    fn read(
        &self,
        range: Range<u64>,
        if_match: &Version,
    ) -> Pin<Box<dyn Future<Output = Result<Bytes, ReadError>> + Send + '_>> {
        let (file, if_match) = (self.clone(), if_match.clone());
        Box::pin(wait(move || file.read_now(&range, &if_match)))
    }
}

/// A file by identity, length and time: what changes when a file is replaced or written to.
fn version(metadata: &fs::Metadata) -> Version {
    let (device, node, length) = (metadata.dev(), metadata.ino(), metadata.len());
    Version::new(&format!(
        "{device:x}-{node:x}-{length:x}-{:x}.{:09}",
        metadata.mtime(),
        metadata.mtime_nsec()
    ))
}

fn read_error(error: io::Error) -> ReadError {
    // A socket, and a link that became one while it was looked for, are no files.
    if matches!(Errno::from_io_error(&error), Some(Errno::NXIO | Errno::LOOP)) {
        return ReadError::NotFound;
    }
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => {
            ReadError::NotFound
        }
        io::ErrorKind::UnexpectedEof => ReadError::Changed,
        _ => ReadError::Store(error.to_string().into()),
    }
}

/// Runs what may wait for a disk beside the tasks that must not.
pub(super) async fn wait<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<ReadError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(ReadError::Store("the server is going down".into()).into()),
    }
}

/// A canonical path with its triplets decoded: the names of files. Nothing when a name would hold a separator.
pub(super) fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        let byte = match (first, behind) {
            (b'%', [high, low, behind @ ..]) => {
                rest = behind;
                let digit = |it: u8| char::from(it).to_digit(16);
                let decoded = u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?;
                if matches!(decoded, b'/' | 0) {
                    return None;
                }
                decoded
            }
            (b'%', _) => return None,
            (plain, _) => plain,
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok()
}
