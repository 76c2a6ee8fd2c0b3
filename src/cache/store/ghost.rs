//! What was let go lately, by nothing but the hashes of the keys.

use std::collections::VecDeque;

use super::index::{ByHash, tighten};

/// A queue with fewer places than this is not made smaller.
const SMALL_QUEUE: usize = 64;

/// A memory of keys that came once and went before anyone asked again: who is asked for now was let go too early.
#[derive(Default)]
pub(super) struct Ghost {
    /// When each was noted last.
    noted: ByHash<u64>,
    /// In the order in which they were noted, those that were taken since among them.
    queue: VecDeque<u64>,
    /// When the first in the queue was noted.
    first: u64,
}

impl Ghost {
    /// Notes that an entry was let go.
    pub(super) fn note(&mut self, hash: u64) {
        self.noted.insert(hash, self.first + self.queue.len() as u64);
        self.queue.push_back(hash);
    }

    /// Whether it was let go lately; forgets that.
    pub(super) fn take(&mut self, hash: u64) -> bool {
        self.noted.remove(&hash).is_some()
    }

    /// Forgets the oldest until there are no more than `most`.
    pub(super) fn keep(&mut self, most: usize) {
        while self.queue.len() > most
            && let Some(hash) = self.queue.pop_front()
        {
            // It may have been taken and noted again since.
            if self.noted.get(&hash) == Some(&self.first) {
                self.noted.remove(&hash);
            }
            self.first += 1;
        }
        tighten(&mut self.noted);
        if self.queue.capacity() > SMALL_QUEUE.max(4 * self.queue.len()) {
            self.queue.shrink_to(2 * self.queue.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_remembers_the_latest_and_no_more_than_so_many() {
        let mut ghost = Ghost::default();
        for hash in 0..1000 {
            ghost.note(hash);
            ghost.keep(10);
        }
        assert_eq!((ghost.noted.len(), ghost.queue.len()), (10, 10));
        assert!(!ghost.take(989) && ghost.take(990) && ghost.take(999));
        assert!(!ghost.take(990), "it was taken");
        ghost.keep(0);
        assert!(ghost.noted.is_empty() && ghost.queue.is_empty());
    }

    #[test]
    fn what_was_taken_and_noted_again_is_as_new() {
        let mut ghost = Ghost::default();
        ghost.note(1);
        assert!(ghost.take(1));
        ghost.note(2);
        ghost.note(1);
        ghost.keep(2);
        assert!(ghost.take(1) && ghost.take(2));
    }

    #[test]
    fn what_it_needed_once_comes_back() {
        let mut ghost = Ghost::default();
        (0..100_000).for_each(|hash| ghost.note(hash));
        ghost.keep(100);
        assert!(ghost.noted.capacity() <= 400 && ghost.queue.capacity() <= 400);
    }
}
