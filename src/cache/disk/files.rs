//! The files themselves: found, read, written, deleted. Everything here may wait for a disk.
//!
//! ```text
//! directory/lock · directory/invalidations · directory/3f/9a…c1 (an answer) · directory/3f/9a…c1.new (being written)
//! ```
//! An answer is written under another name and then renamed, so a name always means a whole file as far as a killed
//! process goes; what a power cut tears is known by its checksums. Nothing is flushed for that. Only files that are
//! called so are ever deleted: whoever names a directory with other things in it loses none of them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock, statvfs};
use xxhash_rust::xxh3::xxh3_64;

use super::noted;
use super::record::{EXTENT, LONGEST_HEAD, PREFACE, Record, head_length};
use super::shelf::Name;

/// Octets of the largest body that is read: those of the largest object that is held in one piece.
const LARGEST: u64 = 16 * 1024 * 1024;

const UNFINISHED: &str = ".new";

/// The file of invalidations.
const NOTED: &str = "invalidations";

/// The same while it lacks some that could not be written.
const WITHHELD: &str = "invalidations.held";

const LOCK: &str = "lock";

/// A directory of answers.
#[derive(Debug)]
pub(super) struct Files {
    directory: PathBuf,
}

/// A file of an earlier run.
pub(super) struct Earlier {
    pub(super) name: Name,
    /// As the file system counts them.
    pub(super) bytes: u64,
    pub(super) written: SystemTime,
}

/// The right to write, as long as it is held; the system takes it from a process that was killed.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
    /// What the file system gives out at once.
    pub(super) block: u64,
}

/// What is under a name.
pub(super) enum Opened {
    Nothing,
    /// Nothing that can be read: it is to be deleted.
    Garbage,
    Answer(Box<Record>, Body),
}

/// The octets behind a head.
pub(super) struct Body {
    file: File,
    from: u64,
}

/// Why a file was not written.
pub(super) enum Unwritten {
    Failed(io::Error),
    /// There is no room for one block more than was counted on.
    NoRoom,
}

impl Files {
    pub(super) const fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes the directory and takes it for this process.
    pub(super) fn lock(&self) -> io::Result<Lock> {
        self.make()?;
        let file = private().truncate(false).open(self.directory.join(LOCK))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| io::Error::other("another server uses it"))?;
        let block = statvfs(&self.directory)?.f_frsize.max(512);
        Ok(Lock { _file: file, block })
    }

    fn make(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)
    }

    /// All answers, the oldest first; deletes what was being written when a process ended.
    pub(super) fn earlier(&self) -> io::Result<Vec<Earlier>> {
        let mut found = Vec::new();
        for shelf in 0..=u8::MAX {
            let shelf = format!("{shelf:02x}");
            let entries = match fs::read_dir(self.directory.join(&shelf)) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                let name = entry.file_name();
                let Some(name) = name.to_str() else { continue };
                let (stem, finished) = name.strip_suffix(UNFINISHED).map_or((name, true), |it| (it, false));
                let Some(parsed) = parse(&shelf, stem) else { continue };
                if !finished {
                    fs::remove_file(entry.path())?;
                    continue;
                }
                // Nobody else writes here, so what is gone was deleted by hand.
                let Ok(metadata) = entry.metadata() else { continue };
                let written = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                found.push(Earlier { name: parsed, bytes: metadata.blocks() * 512, written });
            }
        }
        found.sort_unstable_by_key(|it| it.written);
        Ok(found)
    }

    /// Reads the head of an answer.
    pub(super) fn open(&self, name: Name) -> io::Result<Opened> {
        let file = match File::open(self.path(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Opened::Nothing),
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        if length > LARGEST + LONGEST_HEAD as u64 {
            return Ok(Opened::Garbage);
        }
        let mut preface = [0; PREFACE];
        let Some(head) = read(&file, &mut preface, 0)?.then(|| head_length(&preface)).flatten() else {
            return Ok(Opened::Garbage);
        };
        let mut octets = vec![0; head];
        let record = read(&file, &mut octets, 0)?.then(|| Record::read(&octets)).flatten();
        Ok(match record.filter(|it| it.length.checked_add(head as u64) == Some(length)) {
            Some(record) => Opened::Answer(Box::new(record), Body { file, from: head as u64 }),
            None => Opened::Garbage,
        })
    }

    /// Writes an answer, which gets its name by [`Self::put`]; `granted` is asked whether the file may take so many bytes.
    pub(super) fn write(
        &self,
        name: Name,
        head: &[u8],
        chunks: &[Bytes],
        granted: impl FnOnce(u64) -> bool,
    ) -> Result<(), Unwritten> {
        let path = self.unfinished(name);
        let written = self.try_write(&path, head, chunks, granted);
        if written.is_err() {
            self.discard(name);
        }
        written
    }

    fn try_write(
        &self,
        path: &Path,
        head: &[u8],
        chunks: &[Bytes],
        granted: impl FnOnce(u64) -> bool,
    ) -> Result<(), Unwritten> {
        let mut file = match private().truncate(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let shelf = path.parent().expect("it is below a shelf");
                fs::DirBuilder::new().recursive(true).mode(0o700).create(shelf)?;
                private().truncate(true).open(path)
            }
            opened => opened,
        }?;
        let length = head.len() as u64 + chunks.iter().map(|it| it.len() as u64).sum::<u64>();
        match fallocate(&file, FallocateFlags::empty(), 0, length) {
            // A file system that cannot do this is merely slower.
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(Unwritten::Failed(error.into())),
        }
        if !granted(file.metadata()?.blocks() * 512) {
            return Err(Unwritten::NoRoom);
        }
        file.write_all(head)?;
        for chunk in chunks {
            file.write_all(chunk)?;
        }
        Ok(())
    }

    /// Gives what was written its name; gives its bytes as the file system counts them.
    pub(super) fn put(&self, name: Name) -> io::Result<u64> {
        let from = self.unfinished(name);
        let put =
            fs::metadata(&from).and_then(|it| fs::rename(&from, self.path(name)).map(|()| it.blocks() * 512));
        if put.is_err() {
            self.discard(name);
        }
        put
    }

    /// Lets go of what was written and gets no name.
    pub(super) fn discard(&self, name: Name) {
        // If that fails, the next start deletes it.
        let _ = fs::remove_file(self.unfinished(name));
    }

    /// Deletes an answer; it is no mistake if it is gone.
    pub(super) fn delete(&self, name: Name) -> io::Result<()> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// What was invalidated, as it was noted; none where that is withheld: whoever writes answers has such a file.
    pub(super) fn noted(&self) -> io::Result<Option<String>> {
        match fs::read(self.directory.join(NOTED)) {
            Ok(text) => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let was_used = self.directory.join(LOCK).try_exists()?;
                Ok((!was_used).then(String::new))
            }
            Err(error) => Err(error),
        }
    }

    /// Has no later run rely on what is noted until it is whole again. It takes no room on a full disk.
    pub(super) fn withhold(&self) -> io::Result<()> {
        match fs::rename(self.directory.join(NOTED), self.directory.join(WITHHELD)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => File::open(&self.directory)?.sync_all(),
        }
    }

    fn withheld(&self) -> io::Result<String> {
        match fs::read(self.directory.join(WITHHELD)) {
            Ok(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(error),
        }
    }

    /// Notes invalidations for later runs; flushed, since a resurrected answer would be wrong. Where there are too many,
    /// `all` takes the place of every line. Tells how long the file was and is.
    pub(super) fn note(&self, lines: &str, all: &str) -> io::Result<(usize, usize)> {
        self.make()?;
        let path = self.directory.join(NOTED);
        let known = fs::metadata(&path).map_or(0, |it| it.len());
        let before = known as usize;
        if known == 0 || known + lines.len() as u64 > noted::LONGEST {
            let earlier = self.withheld()?;
            let text = if known > 0 || (earlier.len() + lines.len()) as u64 > noted::LONGEST {
                all.to_owned()
            } else {
                earlier + lines
            };
            let new = self.directory.join(format!("{NOTED}{UNFINISHED}"));
            let mut file = private().truncate(true).open(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(new, path)?;
            File::open(&self.directory)?.sync_all()?;
            // If that fails, the next that is withheld takes its place.
            let _ = fs::remove_file(self.directory.join(WITHHELD));
            return Ok((before, text.len()));
        }
        let mut file = OpenOptions::new().read(true).append(true).open(&path)?;
        let mut last = [0];
        file.read_exact_at(&mut last, known - 1)?;
        // A process that was killed may have left half a line.
        let lead = if last == *b"\n" { "" } else { "\n" };
        let written = file.write_all(format!("{lead}{lines}").as_bytes()).and_then(|()| file.sync_data());
        if written.is_err() {
            // Half a line would be read as one that could have been anything.
            file.set_len(known)?;
        }
        written?;
        Ok((before, before + lead.len() + lines.len()))
    }

    fn path(&self, name: Name) -> PathBuf {
        let hex = format!("{name:032x}");
        self.directory.join(&hex[..2]).join(&hex[2..])
    }

    fn unfinished(&self, name: Name) -> PathBuf {
        let mut path = self.path(name).into_os_string();
        path.push(UNFINISHED);
        path.into()
    }
}

impl Body {
    /// All octets, an extent a chunk; none when one is not what was written.
    pub(super) fn read(&self, record: &Record) -> io::Result<Option<Vec<Bytes>>> {
        let (mut chunks, mut at) = (Vec::with_capacity(record.checksums.len()), 0);
        for checksum in &record.checksums {
            let mut octets = vec![0; (record.length - at).min(EXTENT as u64) as usize];
            if !read(&self.file, &mut octets, self.from + at)? || xxh3_64(&octets) != *checksum {
                return Ok(None);
            }
            at += octets.len() as u64;
            chunks.push(octets.into());
        }
        Ok(Some(chunks))
    }
}

impl From<io::Error> for Unwritten {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// Whether so many octets were there.
fn read(file: &File, into: &mut [u8], at: u64) -> io::Result<bool> {
    match file.read_exact_at(into, at) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        done => done.map(|()| true),
    }
}

/// For this process's user alone: answers may be meant for few.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

fn parse(shelf: &str, stem: &str) -> Option<Name> {
    let is_ours =
        stem.len() == 30 && stem.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it));
    is_ours.then(|| u128::from_str_radix(&format!("{shelf}{stem}"), 16).ok()).flatten()
}
