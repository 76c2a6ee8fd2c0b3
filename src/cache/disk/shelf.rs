//! Which files there are, what they take, and which goes next.
//!
//! First in, first out, but whoever was asked for since it came or since it was last spared goes round once more. So a
//! hit only counts, nothing is moved, and what was wanted once leaves by itself. Bytes are counted from before a file
//! is written until after it is deleted, so the files never take more than they may. What is being read stays: its
//! bytes would not come back.

use std::collections::{HashMap, HashSet, VecDeque};

/// Files of one directory: some hundred MB of memory at most, beside what the cache is given.
const MOST_FILES: usize = 2 * 1024 * 1024;

/// Rounds that a much wanted file is spared.
const MOST_VISITS: u8 = 3;

/// Files that are to be deleted once all are known; requests that change something come seldom in that minute.
const MOST_DOOMED: usize = 32_768;

/// The hash of a key, which names its file.
pub(super) type Name = u128;

#[derive(Debug)]
struct Entry {
    bytes: u64,
    visits: u8,
    readers: u16,
    /// Which of the places in the queue is its own.
    place: u64,
}

/// Answers of one name that are still to be written.
#[derive(Debug, Default)]
struct Coming {
    count: u32,
    /// The last offer that is to be written no more.
    forgotten: u64,
}

/// The files by name, and the order in which they go.
#[derive(Debug)]
pub(super) struct Shelf {
    limit: u64,
    used: u64,
    entries: HashMap<Name, Entry>,
    queue: VecDeque<(Name, u64)>,
    places: u64,
    writing: HashSet<Name>,
    /// Answers that wait to be written, or are.
    coming: HashMap<Name, Coming>,
    offers: u64,
    /// Files that are to be deleted and are read no more.
    doomed: HashSet<Name>,
    /// Whether all files of earlier runs are known.
    complete: bool,
    /// Files that are read and not known yet.
    early: usize,
}

/// What a writer does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// It has the bytes.
    Granted,
    /// It deletes this file, says so, and asks again.
    Delete(Name, u64),
    /// There is none.
    None,
}

impl Shelf {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            used: 0,
            entries: HashMap::new(),
            queue: VecDeque::new(),
            places: 0,
            writing: HashSet::new(),
            coming: HashMap::new(),
            offers: 0,
            doomed: HashSet::new(),
            complete: false,
            early: 0,
        }
    }

    pub(super) const fn used(&self) -> u64 {
        self.used
    }

    /// Files of an earlier run, the oldest first.
    pub(super) fn found(&mut self, files: impl Iterator<Item = (Name, u64)>) {
        for (name, bytes) in files {
            self.used += bytes;
            self.shelve(name, bytes);
        }
        self.complete = true;
        self.doomed.retain(|it| self.entries.contains_key(it));
    }

    /// An answer is to be written; gives the number of the offer.
    pub(super) fn offer(&mut self, name: Name) -> u64 {
        self.offers += 1;
        self.coming.entry(name).or_default().count += 1;
        self.offers
    }

    /// Whether what was offered is not to be there any more.
    pub(super) fn is_forgotten(&self, name: Name, offer: u64) -> bool {
        self.coming.get(&name).is_some_and(|it| offer <= it.forgotten)
    }

    /// Ends what [`Self::offer`] began.
    pub(super) fn came(&mut self, name: Name) {
        if let Some(it) = self.coming.get_mut(&name) {
            it.count -= 1;
            if it.count == 0 {
                self.coming.remove(&name);
            }
        }
    }

    /// Has a file read no more, and what was offered until now not be written; whether the file is there to be taken out.
    /// Where that is not known yet it is looked for later.
    pub(super) fn doom(&mut self, name: Name) -> bool {
        if let Some(it) = self.coming.get_mut(&name) {
            it.forgotten = self.offers;
        }
        if !self.complete {
            if self.doomed.len() < MOST_DOOMED {
                self.doomed.insert(name);
            }
            return false;
        }
        let is_here = self.entries.contains_key(&name);
        if is_here {
            self.doomed.insert(name);
        }
        is_here
    }

    /// Whether a file is to be deleted and still there.
    pub(super) fn is_doomed(&self, name: Name) -> bool {
        self.doomed.contains(&name)
    }

    /// Takes out one file that was doomed before all files were known, to be deleted.
    pub(super) fn next_doomed(&mut self) -> Option<(Name, u64)> {
        let is_free = |it: &&Name| self.entries.get(*it).is_some_and(|it| it.readers == 0);
        let name = *self.doomed.iter().find(is_free)?;
        self.doomed.remove(&name);
        self.entries.remove(&name).map(|it| (name, it.bytes))
    }

    /// Whether a file is worth opening; it stays until [`Self::read`] is called.
    pub(super) fn reading(&mut self, name: Name) -> bool {
        if self.doomed.contains(&name) {
            return false;
        }
        if !self.complete {
            self.early += 1;
            return true;
        }
        let Some(entry) = self.entries.get_mut(&name).filter(|it| it.readers < u16::MAX) else {
            return false;
        };
        entry.readers += 1;
        entry.visits = MOST_VISITS.min(entry.visits + 1);
        true
    }

    /// Ends what [`Self::reading`] began.
    pub(super) fn read(&mut self, name: Name, early: bool) {
        if early {
            self.early -= 1;
        } else if let Some(entry) = self.entries.get_mut(&name) {
            entry.readers = entry.readers.saturating_sub(1);
        }
    }

    pub(super) const fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether a file may be written now, by nobody else.
    pub(super) fn begin(&mut self, name: Name) -> bool {
        self.complete && self.early == 0 && self.writing.insert(name)
    }

    /// Ends what [`Self::begin`] began.
    pub(super) fn end(&mut self, name: Name) {
        self.writing.remove(&name);
    }

    /// Asks for bytes.
    pub(super) fn room(&mut self, bytes: u64) -> Room {
        if bytes > self.limit {
            return Room::None;
        }
        if self.used.saturating_add(bytes) <= self.limit && self.entries.len() < MOST_FILES {
            self.used += bytes;
            return Room::Granted;
        }
        self.next().map_or(Room::None, |(name, bytes)| Room::Delete(name, bytes))
    }

    /// The file that goes next, which nobody finds any more; its bytes count until they are freed.
    pub(super) fn next(&mut self) -> Option<(Name, u64)> {
        let rounds = self.queue.len().saturating_mul(usize::from(MOST_VISITS) + 1);
        for _ in 0..rounds {
            let (name, place) = self.queue.pop_front()?;
            let Some(entry) = self.entries.get_mut(&name).filter(|it| it.place == place) else { continue };
            if entry.visits == 0 && entry.readers == 0 {
                self.doomed.remove(&name);
                return self.entries.remove(&name).map(|it| (name, it.bytes));
            }
            entry.visits = entry.visits.saturating_sub(1);
            self.queue.push_back((name, place));
        }
        None
    }

    /// Takes one file out, to be deleted or replaced; none when it is not there or is being read.
    pub(super) fn take(&mut self, name: Name) -> Option<u64> {
        self.entries.get(&name).filter(|it| it.readers == 0)?;
        self.doomed.remove(&name);
        self.entries.remove(&name).map(|it| it.bytes)
    }

    pub(super) fn has(&self, name: Name) -> bool {
        self.entries.contains_key(&name)
    }

    /// Bytes came back.
    pub(super) const fn free(&mut self, bytes: u64) {
        self.used = self.used.saturating_sub(bytes);
    }

    /// A file that was written, within bytes that were granted.
    pub(super) fn shelve(&mut self, name: Name, bytes: u64) {
        self.places += 1;
        self.queue.push_back((name, self.places));
        self.entries.insert(name, Entry { bytes, visits: 0, readers: 0, place: self.places });
        // Files that were taken out leave their places behind.
        if self.queue.len() > 2 * self.entries.len() + 1024 {
            let entries = &self.entries;
            self.queue.retain(|(name, place)| entries.get(name).is_some_and(|it| it.place == *place));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn put(shelf: &mut Shelf, name: Name, bytes: u64) {
        assert!(shelf.begin(name));
        while let Room::Delete(_, bytes) = shelf.room(bytes) {
            shelf.free(bytes);
        }
        shelf.shelve(name, bytes);
        shelf.end(name);
    }

    #[test]
    fn what_is_forgotten_before_it_was_written_is_not_written() {
        let mut shelf = Shelf::new(30);
        shelf.found(std::iter::empty());
        let (old, other) = (shelf.offer(1), shelf.offer(2));
        assert!(!shelf.doom(1), "there is no file yet");
        let new = shelf.offer(1);
        assert_eq!(
            [(1, old), (2, other), (1, new)].map(|(name, it)| shelf.is_forgotten(name, it)),
            [true, false, false]
        );
        for name in [1, 2, 1] {
            shelf.came(name);
        }
        assert!(shelf.coming.is_empty());
    }

    #[test]
    fn what_was_asked_for_outlives_what_was_not() {
        let mut shelf = Shelf::new(30);
        shelf.found([(1, 10), (2, 10), (3, 10)].into_iter());
        assert!(shelf.reading(1));
        shelf.read(1, false);
        put(&mut shelf, 4, 10);
        put(&mut shelf, 5, 10);
        assert_eq!([1, 2, 3, 4, 5].map(|it| shelf.has(it)), [true, false, false, true, true]);
    }

    #[test]
    fn what_is_read_stays_and_a_writer_goes_without() {
        let mut shelf = Shelf::new(10);
        shelf.found([(1, 10)].into_iter());
        assert!(shelf.reading(1));
        assert_eq!((shelf.room(10), shelf.take(1)), (Room::None, None));
        shelf.read(1, false);
        assert_eq!(shelf.room(10), Room::Delete(1, 10));
        assert_eq!(shelf.room(10), Room::None, "its bytes are not free yet");
        shelf.free(10);
        assert_eq!(shelf.room(10), Room::Granted);
    }

    #[test]
    fn nothing_is_written_before_all_that_is_there_is_known() {
        let mut shelf = Shelf::new(10);
        assert!(shelf.reading(1) && !shelf.begin(2));
        shelf.found([].into_iter());
        assert!(!shelf.begin(2), "somebody reads a file that may not be counted");
        shelf.read(1, true);
        assert!(shelf.begin(2) && !shelf.begin(2));
    }

    #[test]
    fn what_is_doomed_is_read_no_more_and_goes_when_it_is_read_to_the_end() {
        let mut shelf = Shelf::new(100);
        assert!(!shelf.doom(1) && !shelf.doom(9), "nobody knows yet");
        shelf.found([(1, 10), (2, 10)].into_iter());
        assert!(!shelf.reading(1) && !shelf.is_doomed(9));
        assert_eq!((shelf.next_doomed(), shelf.next_doomed()), (Some((1, 10)), None));
        assert!(shelf.reading(2) && shelf.doom(2));
        assert!(!shelf.reading(2) && shelf.take(2).is_none());
        shelf.read(2, false);
        assert_eq!((shelf.take(2), shelf.is_doomed(2)), (Some(10), false));
    }

    proptest! {
        /// A model that holds what was written: the bytes counted are those of the files, and never more than allowed.
        #[test]
        fn the_limit_is_never_exceeded(steps in prop::collection::vec((0..3_u8, 0..20_u128, 1..60_u64), 1..300)) {
            let mut shelf = Shelf::new(100);
            shelf.found([].into_iter());
            let mut files: HashMap<Name, u64> = HashMap::new();
            for (step, name, bytes) in steps {
                match step {
                    0 => {
                        prop_assert_eq!(shelf.reading(name), files.contains_key(&name));
                        shelf.read(name, false);
                    }
                    1 => {
                        let taken = shelf.take(name);
                        prop_assert_eq!(taken, files.remove(&name));
                        shelf.free(taken.unwrap_or(0));
                    }
                    _ => {
                        if let Some(old) = shelf.take(name) {
                            prop_assert_eq!(files.remove(&name), Some(old));
                            shelf.free(old);
                        }
                        while let Room::Delete(victim, freed) = shelf.room(bytes) {
                            prop_assert_eq!(files.remove(&victim), Some(freed));
                            shelf.free(freed);
                        }
                        shelf.shelve(name, bytes);
                        files.insert(name, bytes);
                    }
                }
                prop_assert_eq!(shelf.used(), files.values().sum::<u64>());
                prop_assert!(shelf.used() <= 100);
            }
        }
    }
}
