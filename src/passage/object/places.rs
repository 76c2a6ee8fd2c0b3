//! Where the readers of an object stand, and whom to wake.

use std::task::Waker;

/// A slot per reader, used again when a reader leaves: a reader that is polled often while it waits takes one waker,
/// not one a poll.
#[derive(Debug)]
pub(super) struct Places {
    slots: Vec<Option<Place>>,
    free: Vec<usize>,
}

#[derive(Debug)]
struct Place {
    position: u64,
    waker: Option<Waker>,
}

impl Places {
    pub(super) const fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }

    /// A slot for a reader at `position`.
    pub(super) fn enter(&mut self, position: u64) -> usize {
        let place = Some(Place { position, waker: None });
        match self.free.pop() {
            Some(slot) => {
                self.slots[slot] = place;
                slot
            }
            None => {
                self.slots.push(place);
                self.slots.len() - 1
            }
        }
    }

    pub(super) fn leave(&mut self, slot: usize) {
        self.slots[slot] = None;
        self.free.push(slot);
    }

    pub(super) fn move_to(&mut self, slot: usize, position: u64) {
        if let Some(place) = &mut self.slots[slot] {
            place.position = position;
        }
    }

    pub(super) fn wait(&mut self, slot: usize, waker: &Waker) {
        if let Some(place) = &mut self.slots[slot] {
            match &mut place.waker {
                Some(known) => known.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
        }
    }

    /// All who wait; the caller wakes them when it has let go of its lock.
    pub(super) fn wake(&mut self) -> Vec<Waker> {
        self.slots.iter_mut().flatten().filter_map(|it| it.waker.take()).collect()
    }

    /// The position of the reader who has read least.
    pub(super) fn slowest(&self) -> Option<u64> {
        self.slots.iter().flatten().map(|it| it.position).min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.len() == self.free.len()
    }
}
