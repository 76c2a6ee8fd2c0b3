//! Indexes of titles in a directory: what was understood of their files is not read from them again after a restart, and
//! the samples of segments that nobody watches take no memory.
//!
//! ```text
//! directory/9a3f…c1.index (a record) · directory/9a3f…c1.new (being written)
//! ```
//! A record is written under another name and then renamed; what a power cut tears is known by its checksum. Only files
//! that are called so are ever deleted. Everything here may wait for a disk.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use packager::asset::Stored;
use packager::vod::{Asset, Pages, TARGET};
use xxhash_rust::xxh3::xxh3_128;

use crate::counter::Counter;

/// So many short clips take little room, but time to list.
const MOST_RECORDS: usize = 65_536;

/// Octets of one: twenty days of film, which is more than a title may have.
const LARGEST: u64 = 512 * 1024 * 1024;

/// Records of titles, by what these are made of.
#[derive(Debug)]
pub struct Indexes {
    directory: PathBuf,
    most_bytes: u64,
    kept: Mutex<Kept>,
    /// What `kept` says, for whoever must not wait for a disk.
    bytes: AtomicU64,
    /// Titles that were opened without their files being read.
    pub opened: Counter,
    /// Titles whose record was written.
    pub written: Counter,
}

/// What is there.
#[derive(Debug, Default)]
struct Kept {
    /// When each was used, and how many octets it has.
    records: HashMap<Name, (SystemTime, u64)>,
    bytes: u64,
}

/// Names a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name(u128);

impl Name {
    /// Of the title that is made of these files at a place, each as it is now.
    pub(super) fn of<'a>(place: &str, files: impl Iterator<Item = (&'a str, &'a Stored)>) -> Self {
        let mut text = place.to_owned();
        for (path, stored) in files {
            text.push_str(&format!("\0{path}\0{:?}", stored.version));
        }
        Self(xxh3_128(text.as_bytes()))
    }

    fn read(file: &Path) -> Option<Self> {
        let name = file.file_stem()?.to_str().filter(|it| it.len() == 32)?;
        u128::from_str_radix(name, 16).ok().map(Self)
    }

    fn file(self, directory: &Path, extension: &str) -> PathBuf {
        directory.join(format!("{:032x}.{extension}", self.0))
    }
}

impl Indexes {
    /// Those in a directory, which is made when it is not there; they take `most_bytes` together.
    ///
    /// # Errors
    /// When it cannot be made or listed, with its name.
    pub fn open(directory: PathBuf, most_bytes: u64) -> io::Result<Arc<Self>> {
        let kept = Kept::list(&directory)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", directory.display())))?;
        let (opened, written) = (Counter::default(), Counter::default());
        let bytes = AtomicU64::new(kept.bytes);
        let it = Self { directory, most_bytes, kept: Mutex::new(kept), bytes, opened, written };
        it.make_room(0);
        Ok(Arc::new(it))
    }

    /// Octets of all records.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, name: Name) -> Option<Vec<u8>> {
        let file = File::open(name.file(&self.directory, "index")).ok()?;
        let length = file.metadata().ok().map(|it| it.len()).filter(|it| *it <= LARGEST)?;
        let mut record = vec![0; usize::try_from(length).ok()?];
        file.read_exact_at(&mut record, 0).ok()?;
        let now = SystemTime::now();
        // What was used last goes last, also after the next restart. Where that cannot be noted it goes sooner.
        let _ = file.set_modified(now);
        self.note(name, now, length);
        Some(record)
    }

    fn write(&self, name: Name, record: &[u8]) -> io::Result<()> {
        let length = record.len() as u64;
        if length > LARGEST.min(self.most_bytes) {
            return Err(io::Error::other("it is too large"));
        }
        self.make_room(length);
        let new = name.file(&self.directory, "new");
        let done =
            fs::write(&new, record).and_then(|()| fs::rename(&new, name.file(&self.directory, "index")));
        if let Err(error) = done {
            let _ = fs::remove_file(new);
            return Err(error);
        }
        self.note(name, SystemTime::now(), length);
        self.written.add_one();
        Ok(())
    }

    fn note(&self, name: Name, used: SystemTime, octets: u64) {
        let mut kept = self.kept();
        kept.note(name, used, octets);
        self.bytes.store(kept.bytes, Ordering::Relaxed);
    }

    /// Deletes those that were used longest ago, until so many octets more are within the bounds.
    fn make_room(&self, octets: u64) {
        let mut kept = self.kept();
        while kept.bytes.saturating_add(octets) > self.most_bytes || kept.records.len() >= MOST_RECORDS {
            let Some(oldest) = kept.records.iter().min_by_key(|it| it.1.0).map(|it| *it.0) else { break };
            self.remove(&mut kept, oldest);
        }
    }

    fn forget(&self, name: Name) {
        self.remove(&mut self.kept(), name);
    }

    fn remove(&self, kept: &mut Kept, name: Name) {
        if let Some((_, octets)) = kept.records.remove(&name) {
            kept.bytes = kept.bytes.saturating_sub(octets);
            self.bytes.store(kept.bytes, Ordering::Relaxed);
        }
        let _ = fs::remove_file(name.file(&self.directory, "index"));
    }
}

impl Kept {
    fn list(directory: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let mut kept = Self::default();
        for entry in fs::read_dir(directory)? {
            let file = entry?.path();
            let Some(name) = Name::read(&file) else { continue };
            match file.extension().and_then(|it| it.to_str()) {
                Some("index") => {
                    let Ok(metadata) = file.metadata() else { continue };
                    kept.note(name, metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), metadata.len());
                }
                // Whoever wrote it was killed.
                Some("new") => fs::remove_file(file)?,
                _ => {}
            }
        }
        Ok(kept)
    }

    fn note(&mut self, name: Name, used: SystemTime, octets: u64) {
        let before = self.records.insert(name, (used, octets)).map_or(0, |it| it.1);
        self.bytes = self.bytes.saturating_sub(before).saturating_add(octets);
    }
}

/// The record of one title.
#[derive(Debug)]
pub(super) struct Record {
    indexes: Arc<Indexes>,
    name: Name,
    is_lost: AtomicBool,
}

impl Record {
    pub(super) fn new(indexes: Arc<Indexes>, name: Name) -> Arc<Self> {
        Arc::new(Self { indexes, name, is_lost: AtomicBool::new(false) })
    }

    /// The title, if it was kept. What is no record of it is deleted.
    pub(super) fn open(self: &Arc<Self>, stored: Vec<Stored>) -> Option<Asset> {
        let record = self.indexes.read(self.name)?;
        let Some(mut asset) = Asset::of_record(&record, stored, TARGET) else {
            self.indexes.forget(self.name);
            return None;
        };
        self.indexes.opened.add_one();
        self.take_samples(&mut asset, record.len());
        Some(asset)
    }

    /// Keeps a title. Where that fails it stays in memory as it is.
    pub(super) fn keep(self: &Arc<Self>, asset: &mut Asset) {
        let Some(record) = asset.record() else { return };
        match self.indexes.write(self.name, &record) {
            Ok(()) => self.take_samples(asset, record.len()),
            Err(error) => {
                let directory = self.indexes.directory.display();
                tracing::warn!(%directory, "the index of a title is kept in memory alone: {error}");
            }
        }
    }

    fn take_samples(self: &Arc<Self>, asset: &mut Asset, length: usize) {
        let pages: Arc<dyn Pages> = Arc::<Self>::clone(self);
        asset.leave_to(&pages, length as u64);
    }

    /// Whether something of it could not be had: the title is to be understood anew.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed)
    }
}

impl Pages for Record {
    fn read(&self, range: Range<u64>) -> Option<Bytes> {
        let read = || {
            let file = File::open(self.name.file(&self.indexes.directory, "index"))?;
            let mut octets = vec![0; usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(0)];
            file.read_exact_at(&mut octets, range.start)?;
            io::Result::Ok(octets.into())
        };
        read().map_err(|_| self.spoilt()).ok()
    }

    fn spoilt(&self) {
        self.is_lost.store(true, Ordering::Relaxed);
        self.indexes.forget(self.name);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn names(directory: &Path) -> usize {
        fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let root = tempfile::tempdir().unwrap();
        let indexes = Indexes::open(root.path().to_owned(), 100).unwrap();
        let old = SystemTime::now() - Duration::from_secs(60);
        for n in 0..4 {
            indexes.write(Name(n), &[0; 25]).unwrap();
            indexes.note(Name(n), old + Duration::from_secs(n as u64), 25);
        }
        assert!(indexes.read(Name(0)).is_some());
        indexes.write(Name(9), &[0; 30]).unwrap();
        let there = [0, 1, 2, 3, 9].map(|it| indexes.read(Name(it)).is_some());
        assert_eq!(there, [true, false, false, true, true]);
        assert_eq!((indexes.bytes(), names(root.path())), (80, 3));
        assert!(indexes.write(Name(5), &[0; 101]).is_err());

        // The next run finds them, and holds to a lower bound.
        assert_eq!(Indexes::open(root.path().to_owned(), 100).unwrap().bytes(), 80);
        assert!(Indexes::open(root.path().to_owned(), 60).unwrap().bytes() <= 60);
    }

    #[test]
    fn what_is_not_ours_stays_and_what_was_not_finished_goes() {
        let root = tempfile::tempdir().unwrap();
        let unfinished = Name(1).file(root.path(), "new");
        fs::write(&unfinished, "half").unwrap();
        fs::write(root.path().join("notes.index"), "mine").unwrap();
        let indexes = Indexes::open(root.path().to_owned(), 1).unwrap();
        assert_eq!((indexes.bytes(), names(root.path()), unfinished.exists()), (0, 1, false));
    }
}
