//! The files of stored titles, wherever they are.

use std::ops::Range;
use std::pin::Pin;
use std::time::SystemTime;

use bytes::Bytes;
use packager::asset::{ReadError, Source, Stored, Version};

use super::remote::{Remote, RemoteFile};
use crate::origin::library::{Library, Reads, StoredFile};

/// Octets of one read of a disk: little enough that what is held for a slow viewer stays small.
const LONGEST_DISK_READ: u64 = 512 * 1024;

/// Octets of one request to a server: each costs a way there and back, so a usual segment is one.
const LONGEST_REMOTE_READ: u64 = 4 * 1024 * 1024;

/// Where files are.
pub(super) enum Files {
    /// Below a directory.
    Disk(Library),
    /// At a web server or in a bucket.
    Remote(Remote),
}

impl Files {
    /// The file at `path`, names separated by `/`.
    pub(super) async fn open(&self, path: &str) -> Result<File, ReadError> {
        match self {
            Self::Disk(library) => library.open(path).await.map(File::Stored),
            Self::Remote(remote) => remote.open(path).await.map(File::Remote),
        }
    }

    /// The same, as long as its octets are those of `version`.
    pub(super) async fn open_as(&self, path: &str, version: &Version) -> Result<File, ReadError> {
        let file = match self {
            Self::Disk(library) => File::Stored(library.open(path).await?),
            Self::Remote(remote) => File::Remote(remote.open_as(path, version).await?),
        };
        if file.version() == version { Ok(file) } else { Err(ReadError::Changed) }
    }

    /// The same, and a range of it.
    pub(super) async fn open_reading(
        &self,
        path: &str,
        version: &Version,
        range: Range<u64>,
    ) -> Result<(File, Bytes), ReadError> {
        match self {
            // Each call to a disk goes to another thread and back.
            Self::Disk(library) => {
                let (file, bytes) = library.open_reading(path, version, range).await?;
                Ok((File::Stored(file), bytes))
            }
            Self::Remote(_) => {
                let file = self.open_as(path, version).await?;
                let bytes = file.read(range, version).await?;
                Ok((file, bytes))
            }
        }
    }

    /// Octets that one read should not exceed.
    pub(super) const fn longest_read(&self) -> u64 {
        match self {
            Self::Disk(_) => LONGEST_DISK_READ,
            Self::Remote(_) => LONGEST_REMOTE_READ,
        }
    }

    /// Whether a look at a file is a way to a server and back.
    pub(super) const fn are_far(&self) -> bool {
        matches!(self, Self::Remote(_))
    }

    /// Which octets are at each of `paths` now; nothing where there are none.
    pub(super) async fn versions(&self, paths: Vec<String>) -> Result<Vec<Option<Version>>, ReadError> {
        match self {
            Self::Disk(library) => library.versions(paths).await,
            Self::Remote(remote) => remote.versions(&paths).await,
        }
    }

    /// The names in a directory, where there are no more than `most`, and what changes as they do. A server lists
    /// nothing.
    pub(super) async fn list(
        &self,
        directory: &str,
        most: usize,
    ) -> Result<Option<(Version, Option<Vec<String>>)>, ReadError> {
        match self {
            Self::Disk(library) => library.list(directory, most).await.map(Some),
            Self::Remote(_) => Ok(None),
        }
    }

    /// Names where they are, in every run of the server alike.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Disk(library) => library.root().display().to_string(),
            Self::Remote(remote) => format!("{:016x}", remote.number()),
        }
    }

    /// How often and how much was read.
    pub(super) fn reads(&self) -> &Reads {
        match self {
            Self::Disk(library) => library.reads(),
            Self::Remote(remote) => remote.reads(),
        }
    }
}

/// One of them.
#[derive(Clone)]
pub(super) enum File {
    /// On a disk.
    Stored(StoredFile),
    /// Elsewhere.
    Remote(RemoteFile),
}

impl File {
    pub(super) const fn version(&self) -> &Version {
        match self {
            Self::Stored(it) => it.version(),
            Self::Remote(it) => &it.stored().version,
        }
    }

    /// Which octets it is.
    pub(super) fn stored_now(&self) -> Stored {
        Stored { length: self.length(), version: self.version().clone() }
    }

    /// Whether its version would change if it were replaced by another of the same length.
    pub(super) const fn is_certain(&self) -> bool {
        match self {
            Self::Stored(_) => true,
            Self::Remote(it) => it.has_validator(),
        }
    }

    pub(super) const fn length(&self) -> u64 {
        match self {
            Self::Stored(it) => it.length(),
            Self::Remote(it) => it.stored().length,
        }
    }

    pub(super) const fn modified(&self) -> SystemTime {
        match self {
            Self::Stored(it) => it.modified(),
            Self::Remote(it) => it.modified(),
        }
    }
}

impl Source for File {
    fn stored(&self) -> Pin<Box<dyn Future<Output = Result<Stored, ReadError>> + Send + '_>> {
        match self {
            Self::Stored(it) => it.stored(),
            Self::Remote(it) => Box::pin(async { Ok(it.stored().clone()) }),
        }
    }

    fn read(
        &self,
        range: Range<u64>,
        if_match: &Version,
    ) -> Pin<Box<dyn Future<Output = Result<Bytes, ReadError>> + Send + '_>> {
        match self {
            Self::Stored(it) => it.read(range, if_match),
            Self::Remote(it) => {
                let if_match = if_match.clone();
                Box::pin(async move { it.read(range, &if_match).await })
            }
        }
    }
}
