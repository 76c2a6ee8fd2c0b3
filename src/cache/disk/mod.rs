//! The disk: what outlives the server, and more than fits in memory.
//!
//! ```text
//! fill, complete ──offer──▶ written in the background ──▶ a file an answer
//! nothing in memory ──get──▶ the file by its hashed key ──all checksums hold──▶ an object like any other
//! ```
//! - An answer is offered as its fill ends, not as memory lets go of it: what is wanted most never leaves memory, and a
//!   process that is killed writes nothing more. It costs one write a fill.
//! - A file is read whole and checked before its first octet is given. It has at most 16 MiB (larger bodies are slices),
//!   and whoever finds it changed can still ask the origin: a wrong octet is neither given nor ends a request.
//! - Only what an origin says outlives the process is kept. Answers of other web servers do. Segments of broadcasts live
//!   for seconds under names that are never used again; segments of stored titles are made of files that are on a disk
//!   already, and another version of this program may make them otherwise.
//! - Which files there are is found out in the background, and until then nothing is written. Reading needs no list.
//! - A disk that fails is left alone for a while, and everything goes by it. No request waits long for it or fails.
//! - The file system's own directories are not counted: 256 of them, some MB when there are a million files.
//!
//! An invalidation does not touch files either: it is noted, with a flush, and after a restart what it covers is not
//! given. Where it cannot be noted the notes are put aside, and a server that finds none gives nothing from before.
//! What a viewer changed is no invalidation: its file is deleted.

mod files;
mod noted;
mod record;
mod rest;
mod shelf;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use xxhash_rust::xxh3::xxh3_128;

use self::files::{Files, Lock, Opened, Unwritten};
use self::noted::{Entry, Noted};
use self::record::{Record, checksums};
use self::rest::Rest;
use self::shelf::{Name, Room, Shelf};
use super::clock;
use super::freshness::{Freshness, Leeway};
use super::invalidation::{self, Invalidations, Manner, Moment, Target};
use super::key::Key;
use super::stats::Counter;
use super::store;
use crate::passage::{Head, Object, Reservation, body_cost};

/// Reads at once: enough to keep a fast disk busy, and few enough that one that hangs takes no other's threads.
const READERS: usize = 32;

/// How long a request waits for the disk before it goes to the origin.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers that wait to be written; they are in memory anyway. Beyond them nothing is written.
const MOST_WAITING: usize = 256;

/// Writes at once.
const WRITERS: usize = 4;

/// What is stale sooner is not worth a write: a playlist, an error.
const SHORTEST: Duration = Duration::from_secs(30);

/// Files that a writer deletes at most where the file system is full before we are.
const MOST_DELETED: usize = 64;

/// How long a file that is to be deleted is left to those who read it, again and again.
const READ_TO_THE_END: Duration = Duration::from_millis(50);

/// What the disk has done since the server began.
#[derive(Debug, Default)]
pub struct DiskStats {
    /// Answers it gave.
    pub hits: Counter,
    /// Answers it was asked for in vain.
    pub misses: Counter,
    /// Answers that were written.
    pub writes: Counter,
    /// Answers that were not written: too many waited, it rested, or it did not know yet what it has.
    pub skipped: Counter,
    /// Answers it let go for want of room.
    pub evictions: Counter,
    /// Files that were not as they had been written.
    pub corrupt: Counter,
    /// Times that the file system said no.
    pub errors: Counter,
}

/// The disk. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    inside: Arc<Inside>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Inside {
    files: Files,
    limit: u64,
    shelf: Mutex<Shelf>,
    reading: Mutex<Rest>,
    writing: Mutex<Rest>,
    readers: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    writers: Semaphore,
    /// Held while this process may write.
    lock: OnceLock<Lock>,
    /// What was fetched before it is given no more.
    floor: AtomicU64,
    /// Octets of the noted invalidations that were read at the start.
    known: AtomicUsize,
    /// What is still to be noted, since the disk refused it; held by who notes.
    noting: Mutex<String>,
    invalidations: Arc<Invalidations>,
    stats: DiskStats,
}

/// An answer of the disk.
pub(super) struct Found {
    pub(super) head: Head,
    pub(super) body: FoundBody,
    pub(super) freshness: Freshness,
    pub(super) born: Moment,
}

/// Its octets.
pub(super) enum FoundBody {
    Here(Vec<bytes::Bytes>, Reservation),
    /// They lie in slices, which are asked for each by its own key.
    Sliced(u64),
}

impl Disk {
    /// Reads from now on; writes when it knows what is there.
    ///
    /// What earlier runs invalidated is so from here on.
    pub(super) fn open(meant: &config::cache::Disk, invalidations: &Arc<Invalidations>) -> Self {
        let files = Files::new(meant.directory.clone());
        // What cannot be known yet is found out before anything is given.
        let (noted, known) = match files.noted() {
            Ok(Some(text)) => (noted::read(&text, invalidation::moment(clock::wall())), text.len()),
            Ok(None) | Err(_) => (Noted { floor: u64::MAX, ..Noted::default() }, usize::MAX),
        };
        if noted.floor != u64::MAX {
            invalidations.resume(noted.newest);
        }
        for Entry { moment, manner, distribution, target } in noted.entries {
            invalidations.restore(&distribution, target, manner, moment);
        }
        let inside = Inside {
            files,
            limit: meant.size.0,
            shelf: Mutex::new(Shelf::new(meant.size.0)),
            reading: Mutex::default(),
            writing: Mutex::default(),
            readers: Arc::new(Semaphore::new(READERS)),
            waiting: Arc::new(Semaphore::new(MOST_WAITING)),
            writers: Semaphore::new(WRITERS),
            lock: OnceLock::new(),
            floor: AtomicU64::new(noted.floor),
            known: AtomicUsize::new(known),
            noting: Mutex::default(),
            invalidations: Arc::clone(invalidations),
            stats: DiskStats::default(),
        };
        let disk =
            Self { inside: Arc::new(inside), tasks: TaskTracker::new(), stop: CancellationToken::new() };
        let inside = Arc::clone(&disk.inside);
        disk.tasks.spawn(disk.stop.clone().run_until_cancelled_owned(inside.take_over()));
        disk
    }

    /// What is kept under a key, if it is fresh and whole; `reserve` gives the memory for it.
    pub(super) async fn get(
        &self,
        key: &Key,
        newest: Moment,
        reserve: impl FnOnce(u64) -> Option<Reservation> + Send + 'static,
    ) -> Option<Found> {
        let found = timeout(PATIENCE, self.look(key.clone(), newest, reserve)).await.unwrap_or_else(|_| {
            self.inside.failed(&self.inside.reading, &io::ErrorKind::TimedOut.into());
            None
        });
        let stats = &self.inside.stats;
        if found.is_some() {
            stats.hits.add_one()
        } else {
            stats.misses.add_one()
        }
        found
    }

    async fn look(
        &self,
        key: Key,
        newest: Moment,
        reserve: impl FnOnce(u64) -> Option<Reservation> + Send + 'static,
    ) -> Option<Found> {
        let inside = &self.inside;
        if !lock(&inside.reading).is_over(clock::now()) {
            return None;
        }
        let name = name(&key);
        let reading = Reading::begin(inside, name)?;
        let permit = Arc::clone(&inside.readers).acquire_owned().await.ok()?;
        spawn_blocking(move || {
            // Both end with the read, also when nobody waits for it any more.
            let (reading, _permit) = (reading, permit);
            reading.read(&key, newest, reserve)
        })
        .await
        .ok()?
    }

    /// Offers an answer, which is written when there is time.
    pub(super) fn offer(&self, key: &Key, object: &Arc<Object>, freshness: Freshness, born: Moment) {
        let inside = &self.inside;
        let now = clock::now();
        if freshness.ttl(now).is_none_or(|it| it < SHORTEST) {
            return;
        }
        let resting = !lock(&inside.writing).is_over(now);
        let waiting = Arc::clone(&inside.waiting).try_acquire_owned();
        let (Ok(place), false, true) = (waiting, resting, inside.lock.get().is_some()) else {
            return inside.stats.skipped.add_one();
        };
        let (inside, key, object) = (Arc::clone(inside), key.clone(), Arc::clone(object));
        let name = name(&key);
        let offer = lock(&inside.shelf).offer(name);
        self.tasks.spawn(async move {
            let _place = place;
            if let Ok(_turn) = inside.writers.acquire().await {
                let inside = Arc::clone(&inside);
                // A writer that panicked is a bug that its message tells.
                let _ = spawn_blocking(move || inside.keep(&key, offer, &object, freshness, born)).await;
            }
            lock(&inside.shelf).came(name);
        });
    }

    /// Reads what is kept under a key no more and deletes it, which can be waited for; none where nothing is there. What is
    /// still to be written is not.
    pub(super) fn forget(&self, key: &Key) -> Option<JoinHandle<()>> {
        let name = name(key);
        lock(&self.inside.shelf)
            .doom(name)
            .then(|| self.tasks.spawn(Arc::clone(&self.inside).delete_doomed(name, self.stop.clone())))
    }

    /// Notes an invalidation for later runs; waits for the disk.
    ///
    /// # Errors
    /// The disk refused. It is noted with the next one; until then a later run gives nothing that is on the disk now.
    pub(super) fn invalidated(
        &self,
        moment: Moment,
        manner: Manner,
        distribution: &str,
        targets: &[Target],
    ) -> io::Result<()> {
        let inside = &self.inside;
        let mut lines = lock(&inside.noting);
        lines.push_str(&noted::lines(moment, manner, distribution, targets));
        if lines.len() as u64 > noted::LONGEST {
            *lines = noted::floor(moment);
        }
        let error = match inside.files.note(&lines, &noted::floor(moment)) {
            Ok((before, after)) => {
                lines.clear();
                // Only what this process wrote is known.
                let known = &inside.known;
                let _ = known.compare_exchange(before, after, Ordering::AcqRel, Ordering::Acquire);
                return Ok(());
            }
            Err(error) => error,
        };
        inside.stats.errors.add_one();
        let directory = inside.files.directory().display();
        let after = match inside.files.withhold() {
            Ok(()) => "a restart begins with an empty disk unless a later one can be noted".to_owned(),
            Err(other) => format!("delete that directory before the next start ({other})"),
        };
        let sentence =
            format!("the invalidation holds, but could not be noted in {directory}: {error}; {after}");
        tracing::error!("{sentence}");
        Err(io::Error::new(error.kind(), sentence))
    }

    pub(super) fn used(&self) -> u64 {
        lock(&self.inside.shelf).used()
    }

    pub(super) fn limit(&self) -> u64 {
        self.inside.limit
    }

    pub(super) fn stats(&self) -> &DiskStats {
        &self.inside.stats
    }

    /// Writes what waits to be written, and lets go.
    pub(super) async fn close(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Inside {
    /// Finds out what is there, again and again until that succeeds.
    async fn take_over(self: Arc<Self>) {
        let mut rest = Rest::default();
        loop {
            let inside = Arc::clone(&self);
            let Err(error) =
                spawn_blocking(move || inside.try_take_over()).await.unwrap_or_else(|it| Err(it.into()))
            else {
                return;
            };
            self.stats.errors.add_one();
            let pause = rest.begin(clock::now());
            tracing::warn!("nothing is kept in {}: {error}; trying again", self.files.directory().display());
            sleep(pause).await;
        }
    }

    fn try_take_over(&self) -> io::Result<()> {
        let lock_file = self.files.lock()?;
        self.mark_time()?;
        let earlier = self.files.earlier()?;
        tracing::info!(files = earlier.len(), "answers are kept in {}", self.files.directory().display());
        let mut shelf = lock(&self.shelf);
        shelf.found(earlier.into_iter().map(|it| (it.name, it.bytes)));
        drop(shelf);
        loop {
            let doomed = lock(&self.shelf).next_doomed();
            let Some((name, bytes)) = doomed else { break };
            self.remove(name, bytes);
        }
        // Where it may have less than before.
        while let Some((name, bytes)) = self.surplus() {
            self.delete(name, bytes)?;
        }
        let _ = self.lock.set(lock_file);
        Ok(())
    }

    /// Notes from when on this run keeps answers, and what it gives none from before of.
    fn mark_time(&self) -> io::Result<()> {
        let _one_at_a_time = lock(&self.noting);
        let known = self.known.load(Ordering::Acquire);
        // Where there was nothing, there is nothing now but the lock.
        let noted = self.files.noted()?.map_or(usize::MAX, |it| it.len());
        let is_new = known == 0 && noted == usize::MAX;
        if known == usize::MAX || noted != known && !is_new {
            // It could not be read before, or the server that had the directory has invalidated more since. What is
            // fetched from here on is newer.
            self.floor.store(self.invalidations.advance(), Ordering::Release);
        }
        let (floor, now) = (self.floor.load(Ordering::Acquire), self.invalidations.now());
        let floor = if floor == 0 { String::new() } else { noted::floor(floor) };
        let (_, after) =
            self.files.note(&(floor + &noted::mark(now)), &(noted::floor(now) + &noted::mark(now)))?;
        self.known.store(after, Ordering::Release);
        Ok(())
    }

    /// Deletes a file once nobody reads it.
    async fn delete_doomed(self: Arc<Self>, name: Name, stop: CancellationToken) {
        loop {
            let taken = lock(&self.shelf).take(name);
            if let Some(bytes) = taken {
                let _ = spawn_blocking(move || self.remove(name, bytes)).await;
                return;
            }
            if !lock(&self.shelf).is_doomed(name) || stop.is_cancelled() {
                return;
            }
            sleep(READ_TO_THE_END).await;
        }
    }

    /// Deletes a file that was taken out because it is of no use.
    fn remove(&self, name: Name, bytes: u64) {
        match self.files.delete(name) {
            Ok(()) => lock(&self.shelf).free(bytes),
            Err(error) => self.failed(&self.writing, &error),
        }
    }

    fn surplus(&self) -> Option<(Name, u64)> {
        let mut shelf = lock(&self.shelf);
        (shelf.used() > self.limit).then(|| shelf.next()).flatten()
    }

    /// Deletes a file that nobody finds any more.
    fn delete(&self, name: Name, bytes: u64) -> io::Result<()> {
        // One that cannot be deleted counts until the next start.
        self.files.delete(name)?;
        lock(&self.shelf).free(bytes);
        self.stats.evictions.add_one();
        Ok(())
    }

    /// Writes an answer.
    fn keep(&self, key: &Key, offer: u64, object: &Object, freshness: Freshness, born: Moment) {
        let name = name(key);
        if !lock(&self.shelf).begin(name) {
            return self.stats.skipped.add_one();
        }
        let kept = self.try_keep(name, key, offer, object, freshness, born);
        lock(&self.shelf).end(name);
        match kept {
            Ok(true) => {
                self.stats.writes.add_one();
                lock(&self.writing).end();
            }
            Ok(false) => self.stats.skipped.add_one(),
            Err(error) => self.failed(&self.writing, &error),
        }
    }

    fn try_keep(
        &self,
        name: Name,
        key: &Key,
        offer: u64,
        object: &Object,
        freshness: Freshness,
        born: Moment,
    ) -> io::Result<bool> {
        if self.has_newer(name, key, born) {
            return Ok(false);
        }
        let sliced = object.is_sliced().then(|| object.length()).flatten();
        let chunks = if sliced.is_some() { &[] } else { object.completed().unwrap_or_default() };
        let held = clock::now().saturating_duration_since(freshness.received);
        let record = Record {
            key: key.text().into(),
            status: object.head().status,
            headers: object.head().headers.clone(),
            lifetime: object.head().lifetime,
            sliced,
            born,
            received: clock::wall() - held,
            initial_age: freshness.initial_age,
            fresh_for: freshness.lifetime,
            leeway: [freshness.leeway.revalidating, freshness.leeway.origin_fails, freshness.leeway.keep],
            length: chunks.iter().map(|it| it.len() as u64).sum(),
            checksums: checksums(chunks),
        };
        let (Some(head), Some(lock_file)) = (record.write(), self.lock.get()) else { return Ok(false) };
        let mut granted = (head.len() as u64 + record.length).next_multiple_of(lock_file.block);
        if !self.make_room(granted)? {
            return Ok(false);
        }
        let mut tries = MOST_DELETED;
        let written = loop {
            let mut more = |bytes: u64| {
                let extra = bytes.saturating_sub(granted);
                let covered = extra == 0 || self.make_room(extra).unwrap_or(false);
                granted += if covered { extra } else { 0 };
                covered
            };
            match self.files.write(name, &head, chunks, &mut more) {
                // Others filled the file system: what we have here makes room, so that it does not stay as it is for ever.
                Err(Unwritten::Failed(error)) if error.kind() == io::ErrorKind::StorageFull && tries > 0 => {
                    tries -= 1;
                    let Some((victim, bytes)) = lock(&self.shelf).next() else { break Err(error) };
                    self.delete(victim, bytes)?;
                }
                Err(Unwritten::Failed(error)) => break Err(error),
                Err(Unwritten::NoRoom) => break Ok(false),
                Ok(()) => break Ok(true),
            }
        };
        let put = match written {
            Ok(true) => self.replace(name, key, offer, born),
            Ok(false) => Ok(None),
            Err(error) => Err(error),
        };
        let mut shelf = lock(&self.shelf);
        let taken = put.as_ref().ok().copied().flatten().unwrap_or(0);
        shelf.free(granted.saturating_sub(taken));
        if let Ok(Some(bytes)) = put {
            shelf.shelve(name, bytes);
        }
        // Forgotten between the last look and now.
        let late = shelf.is_forgotten(name, offer).then(|| shelf.take(name)).flatten();
        drop(shelf);
        if let Some(bytes) = late {
            self.remove(name, bytes);
        }
        put.map(|it| it.is_some() && late.is_none())
    }

    /// Whether what is kept under a key was begun after `born`, and not in a time that has not come.
    fn has_newer(&self, name: Name, key: &Key, born: Moment) -> bool {
        if !lock(&self.shelf).has(name) {
            return false;
        }
        // What cannot be read is no reason not to write.
        let Ok(Opened::Answer(record, _)) = self.files.open(name) else { return false };
        *record.key == *key.text() && record.born > born && record.born <= self.invalidations.now()
    }

    /// Puts what was written in the place of what was there; none when that is being read, or what was written has been
    /// outdated meanwhile.
    fn replace(&self, name: Name, key: &Key, offer: u64, born: Moment) -> io::Result<Option<u64>> {
        let old = {
            let mut shelf = lock(&self.shelf);
            let is_outdated = !self.invalidations.spare_url(born, key) || shelf.is_forgotten(name, offer);
            let old = if is_outdated { None } else { shelf.take(name) };
            if is_outdated || old.is_none() && shelf.has(name) {
                drop(shelf);
                self.files.discard(name);
                return Ok(None);
            }
            old
        };
        let put = self.files.put(name);
        if put.is_ok() {
            lock(&self.shelf).free(old.unwrap_or(0));
        }
        put.map(Some)
    }

    /// Deletes until so many bytes are granted; whether they are.
    fn make_room(&self, bytes: u64) -> io::Result<bool> {
        loop {
            let room = lock(&self.shelf).room(bytes);
            match room {
                Room::Granted => return Ok(true),
                Room::None => return Ok(false),
                Room::Delete(name, freed) => self.delete(name, freed)?,
            }
        }
    }

    fn failed(&self, rest: &Mutex<Rest>, error: &io::Error) {
        self.stats.errors.add_one();
        let pause = lock(rest).begin(clock::now());
        tracing::warn!(
            ?pause,
            "{}: {error}; going by the disk for a while",
            self.files.directory().display()
        );
    }
}

/// A file that is being read and stays meanwhile.
struct Reading {
    inside: Arc<Inside>,
    name: Name,
    /// Whether it was begun before all files were known.
    early: bool,
}

impl Reading {
    fn begin(inside: &Arc<Inside>, name: Name) -> Option<Self> {
        let mut shelf = lock(&inside.shelf);
        let early = !shelf.is_complete();
        shelf.reading(name).then(|| Self { inside: Arc::clone(inside), name, early })
    }

    fn read(
        self,
        key: &Key,
        newest: Moment,
        reserve: impl FnOnce(u64) -> Option<Reservation>,
    ) -> Option<Found> {
        match self.try_read(key, newest, reserve) {
            Ok(Some(read)) => {
                lock(&self.inside.reading).end();
                read
            }
            Ok(None) => {
                self.inside.stats.corrupt.add_one();
                self.forget();
                None
            }
            Err(error) => {
                self.inside.failed(&self.inside.reading, &error);
                None
            }
        }
    }

    /// The answer, if it may be given; none when there is no such file as was written.
    fn try_read(
        &self,
        key: &Key,
        newest: Moment,
        reserve: impl FnOnce(u64) -> Option<Reservation>,
    ) -> io::Result<Option<Option<Found>>> {
        let (record, body) = match self.inside.files.open(self.name)? {
            Opened::Nothing if self.early => return Ok(Some(None)),
            Opened::Nothing | Opened::Garbage => return Ok(None),
            Opened::Answer(record, body) => (record, body),
        };
        let floor = self.inside.floor.load(Ordering::Acquire);
        // Another key with the same hash, an answer from before an invalidation, or from a time that has not come.
        if *record.key != *key.text() || record.born < floor || record.born > newest {
            return Ok(Some(None));
        }
        let age = record.age(clock::wall()).filter(|it| *it < record.fresh_for);
        let Some(age) = age else { return Ok(Some(None)) };
        let head = Head {
            status: record.status,
            headers: record.headers.clone(),
            length: Some(record.sliced.unwrap_or(record.length)),
            lifetime: record.lifetime,
        };
        let [revalidating, origin_fails, keep] = record.leeway;
        let freshness = Freshness {
            received: clock::now(),
            initial_age: age,
            lifetime: record.fresh_for,
            leeway: Leeway { revalidating, origin_fails, keep },
        };
        let body = match record.sliced {
            Some(total) => FoundBody::Sliced(total),
            None => {
                let cost =
                    store::head_cost(key, &head) + body_cost(record.length, record.checksums.len() as u64);
                let Some(reservation) = reserve(cost) else { return Ok(Some(None)) };
                let Some(chunks) = body.read(&record)? else { return Ok(None) };
                FoundBody::Here(chunks, reservation)
            }
        };
        Ok(Some(Some(Found { head, body, freshness, born: record.born })))
    }

    /// Deletes what is no answer.
    fn forget(self) {
        let (inside, name, early) = (Arc::clone(&self.inside), self.name, self.early);
        drop(self);
        if early {
            // It is not counted yet; whoever comes when it is deletes it.
            return;
        }
        let taken = lock(&inside.shelf).take(name);
        if let Some(bytes) = taken {
            inside.remove(name, bytes);
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        lock(&self.inside.shelf).read(self.name, self.early);
    }
}

fn name(key: &Key) -> Name {
    xxh3_128(key.text().as_bytes())
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}
