//! Which answers stay: S3-FIFO with a SIEVE for what has proved its worth.
//!
//! ```text
//!            ┌─────────── new ───────────┐  asked for   ┌────── proved ──────┐
//! offered ─▶ │ a queue: first in, out    │ ───────────▶ │ a ring and a hand  │ ─not asked since the hand was here─▶ gone
//!            └───────────┬───────────────┘              └────────────────────┘
//!                        │ not asked for                          ▲
//!                        ▼                                        │
//!                     ghosts ─────────── offered again ───────────┘
//! ```
//! Errors have a queue of their own and a small share: a stranger who asks for any number of names that are not there drives
//! out other errors, and nothing of worth (http-edge.md 21).
//!
//! What is asked for once and never again (a crawler, the end of a live window) goes through the queue and drives out
//! nothing of worth. A hit sets one flag and moves nothing, so the order's lock is taken by misses alone. On the drawn
//! trace of `cache::tests::hit_ratio` it has more hits than S3-FIFO as published, where what is proved goes round in a queue
//! as often as it was asked for, and than letting go what was asked for longest ago.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::entry::Entry;
use super::ghost::Ghost;

/// The part of what is stored, in percent, that is new. Larger than the tenth that S3-FIFO is published with: segments of
/// live broadcasts and of popular titles come again only after a while, and a crawler is still kept from the rest.
const NEW: u64 = 30;

/// Entries that are looked at to make room at once: an answer of the largest size among the smallest.
const MOST_STEPS: usize = 32_768;

/// Entries that are spared at once because they were asked for. After that the next is let go: each of them was paid for by
/// a hit, but nobody is to wait for all of them together.
const MOST_SPARED: usize = 1024;

/// Entries that are read and follow one another until the look for others ends; the next one goes on from there. Who reads
/// slowly what fills the memory is not to make every fetch look at all of it.
const MOST_READ: usize = 1024;

/// Entries of each queue that are looked at whenever one comes, for those that are too stale for any use.
const SWEPT: usize = 2;

/// Entries that stand one behind the other, the oldest first.
#[derive(Default)]
struct Queue {
    entries: BTreeMap<u64, Arc<Entry>>,
    bytes: u64,
    /// Where the next look for useless ones begins.
    broom: u64,
}

impl Queue {
    fn put(&mut self, number: u64, entry: Arc<Entry>) {
        self.bytes += entry.cost();
        entry.stand_at(number);
        let before = self.entries.insert(number, entry);
        debug_assert!(before.is_none(), "numbers are given once");
    }

    fn remove(&mut self, number: u64) -> Option<Arc<Entry>> {
        let entry = self.entries.remove(&number)?;
        self.bytes -= entry.cost();
        Some(entry)
    }

    /// The first from `number` on, and after the newest the oldest.
    fn from(&self, number: u64) -> Option<(u64, &Arc<Entry>)> {
        let next = self.entries.range(number..).next().or_else(|| self.entries.first_key_value());
        next.map(|(&number, entry)| (number, entry))
    }

    fn sweep(&mut self, now: Instant, useless: &mut Vec<Arc<Entry>>) {
        for _ in 0..SWEPT {
            let Some((number, entry)) = self.from(self.broom) else { return };
            let is_useless = entry.is_useless(now);
            self.broom = number + 1;
            if is_useless {
                useless.extend(self.remove(number));
            }
        }
    }
}

/// An entry that may go, and where it stood.
pub(super) struct Chosen {
    pub(super) entry: Arc<Entry>,
    number: u64,
    was: Standing,
}

impl Chosen {
    /// Whether it goes for want of room, and not because it is of no use.
    pub(super) fn is_evicted(&self) -> bool {
        self.was != Standing::Useless
    }
}

/// What an entry was when it was chosen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    New,
    Proved,
    /// An error of the origin, wherever it stands among errors.
    Error,
    /// Too stale for any use.
    Useless,
}

/// What is stored, in the order in which it goes.
#[derive(Default)]
pub(super) struct Order {
    new: Queue,
    proved: Queue,
    errors: Queue,
    /// Where in what is proved the next look begins.
    hand: u64,
    ghost: Ghost,
    /// How many places were given.
    numbers: u64,
}

impl Order {
    /// Finds a place for an entry that comes.
    pub(super) fn admit(&mut self, entry: Arc<Entry>) {
        let number = self.number();
        if entry.is_error() {
            self.errors.put(number, entry);
        } else if self.ghost.take(entry.hash) {
            self.proved.put(number, entry);
        } else {
            self.new.put(number, entry);
        }
    }

    /// Gives an entry the place of an earlier answer to the same; somebody asked, or it would not have come.
    pub(super) fn succeed(&mut self, earlier: &Entry, entry: Arc<Entry>) {
        // An error has no place that an answer could take, and takes none of one.
        if earlier.is_error() || entry.is_error() {
            self.remove(earlier);
            return self.admit(entry);
        }
        let number = earlier.number();
        entry.ask();
        let queue = if self.new.remove(number).is_some() { &mut self.new } else { &mut self.proved };
        queue.remove(number);
        queue.put(number, entry);
    }

    pub(super) fn remove(&mut self, entry: &Entry) {
        let number = entry.number();
        let new = self.new.remove(number);
        if new.or_else(|| self.proved.remove(number)).or_else(|| self.errors.remove(number)).is_some() {
            self.ghost.keep(self.len());
        }
    }

    /// Takes out the oldest errors that stand above `share` bytes together, however well they are asked for.
    pub(super) fn cap_errors(&mut self, share: u64) -> Vec<Arc<Entry>> {
        let mut above = Vec::new();
        while self.errors.bytes > share {
            let Some((&number, _)) = self.errors.entries.first_key_value() else { break };
            above.extend(self.errors.remove(number));
        }
        above
    }

    /// Takes out entries of no use, if any is found among the few that are looked at.
    pub(super) fn sweep(&mut self, now: Instant) -> Vec<Arc<Entry>> {
        let mut useless = Vec::new();
        self.new.sweep(now, &mut useless);
        self.proved.sweep(now, &mut useless);
        self.errors.sweep(now, &mut useless);
        if !useless.is_empty() {
            self.ghost.keep(self.len());
        }
        useless
    }

    /// Takes out entries that nobody reads until they cost `wanted` together, or there are no more; gives them and what
    /// they cost.
    pub(super) fn choose(&mut self, wanted: u64, now: Instant) -> (Vec<Chosen>, u64) {
        let (mut chosen, mut gain) = (Vec::new(), 0);
        // Each new one is looked at once, each proved one once more after it was spared.
        let (mut new, mut proved) = (self.new.entries.len(), 2 * self.proved.entries.len());
        let mut errors = self.errors.entries.len();
        let (mut spared, mut read) = (0, 0);
        for _ in 0..MOST_STEPS {
            if gain >= wanted || read > MOST_READ {
                break;
            }
            let many_new = 100 * self.new.bytes > NEW * (self.new.bytes + self.proved.bytes);
            let step = if new > 0 && (many_new || proved == 0) {
                new -= 1;
                self.step_in_new(now, spared < MOST_SPARED)
            } else if proved > 0 {
                proved -= 1;
                self.step_in_proved(now, spared < MOST_SPARED)
            } else if errors > 0 {
                errors -= 1;
                self.step_in_errors(now)
            } else {
                break;
            };
            match step {
                Step::Chosen(it) => {
                    read = 0;
                    gain += it.entry.cost();
                    chosen.push(it);
                }
                Step::Promoted => {
                    proved += 2;
                    spared += 1;
                }
                Step::Spared => spared += 1,
                Step::Read => read += 1,
            }
        }
        (chosen, gain)
    }

    /// The oldest of the new: proved when it was asked for, as new again when it is being read.
    fn step_in_new(&mut self, now: Instant, spare: bool) -> Step {
        let Some((&number, _)) = self.new.entries.first_key_value() else { return Step::Read };
        let entry = self.new.remove(number).expect("it was just there");
        let was = match () {
            () if entry.is_read() => {
                let number = self.number();
                self.new.put(number, entry);
                return Step::Read;
            }
            () if entry.is_useless(now) => Standing::Useless,
            () if spare && entry.was_asked() => {
                let number = self.number();
                self.proved.put(number, entry);
                return Step::Promoted;
            }
            () => Standing::New,
        };
        Step::Chosen(Chosen { entry, number, was })
    }

    /// The proved one under the hand: passed over when it was asked for since the hand was there, or is being read.
    fn step_in_proved(&mut self, now: Instant, spare: bool) -> Step {
        let Some((number, entry)) = self.proved.from(self.hand) else { return Step::Read };
        self.hand = number + 1;
        let was = match () {
            () if entry.is_read() => return Step::Read,
            () if entry.is_useless(now) => Standing::Useless,
            () if spare && entry.was_asked() => return Step::Spared,
            () => Standing::Proved,
        };
        let entry = self.proved.remove(number).expect("it was just there");
        Step::Chosen(Chosen { entry, number, was })
    }

    /// The oldest of the errors, once there is nothing else: they are few, and a fetch for each would follow.
    fn step_in_errors(&mut self, now: Instant) -> Step {
        let Some((&number, _)) = self.errors.entries.first_key_value() else { return Step::Read };
        let entry = self.errors.remove(number).expect("it was just there");
        if entry.is_read() {
            let number = self.number();
            self.errors.put(number, entry);
            return Step::Read;
        }
        let was = if entry.is_useless(now) { Standing::Useless } else { Standing::Error };
        Step::Chosen(Chosen { entry, number, was })
    }

    /// Puts entries back where they were.
    pub(super) fn put_back(&mut self, chosen: Vec<Chosen>) {
        for Chosen { entry, number, was } in chosen {
            // One of no use goes first wherever it stands.
            let queue = match was {
                _ if entry.is_error() => &mut self.errors,
                Standing::Proved => &mut self.proved,
                _ => &mut self.new,
            };
            queue.put(number, entry);
        }
    }

    /// Remembers those that came and went without having been asked for again.
    pub(super) fn bury(&mut self, chosen: &[Chosen]) {
        for it in chosen.iter().filter(|it| it.was == Standing::New) {
            self.ghost.note(it.entry.hash);
        }
        self.ghost.keep(self.len());
    }

    pub(super) fn len(&self) -> usize {
        self.new.entries.len() + self.proved.entries.len() + self.errors.entries.len()
    }

    #[cfg(test)]
    pub(super) fn into_entries(self) -> Vec<Arc<Entry>> {
        let queues = [self.new, self.proved, self.errors];
        let bytes = queues.iter().map(|it| it.bytes).sum::<u64>();
        let entries: Vec<_> = queues.into_iter().flat_map(|it| it.entries.into_values()).collect();
        assert_eq!(bytes, entries.iter().map(|it| it.cost()).sum::<u64>(), "what is stored is counted once");
        entries
    }

    const fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}

/// What a look at an entry came to.
enum Step {
    Chosen(Chosen),
    Promoted,
    Spared,
    Read,
}
