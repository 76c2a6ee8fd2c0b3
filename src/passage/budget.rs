//! The memory that all objects share, reserved before it is filled.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number of bytes that reservations are taken from.
///
/// It counts what is held, what is being filled, and what the store has let go while a viewer still reads it: a
/// reservation ends with the last one who holds the object.
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    used: AtomicU64,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicU64::new(0) })
    }

    /// All there is.
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// Bytes that are reserved now.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes `bytes`, or nothing when they are not there.
    pub fn reserve(self: &Arc<Self>, bytes: u64) -> Option<Reservation> {
        self.take(bytes).then(|| Reservation { budget: Arc::clone(self), reserved: bytes, spent: 0 })
    }

    fn take(&self, bytes: u64) -> bool {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|&after| after <= self.limit)
            })
            .is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Bytes of a [`Budget`], given back when it is dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Budget>,
    reserved: u64,
    spent: u64,
}

impl Reservation {
    /// Makes sure that `bytes` more can be spent; false, and nothing changed, when the budget has too few.
    pub fn cover(&mut self, bytes: u64) -> bool {
        let missing = bytes.saturating_sub(self.reserved - self.spent);
        let covered = self.budget.take(missing);
        if covered {
            self.reserved += missing;
        }
        covered
    }

    /// Spends `bytes`, reserving what was not reserved before; false, and nothing changed, when the budget has too few.
    pub fn spend(&mut self, bytes: u64) -> bool {
        let covered = self.cover(bytes);
        if covered {
            self.spent += bytes;
        }
        covered
    }

    /// Another reservation of the same budget.
    pub fn beside(&self, bytes: u64) -> Option<Self> {
        self.budget.reserve(bytes)
    }

    /// Gives back `bytes` that were spent.
    pub fn release(&mut self, bytes: u64) {
        let bytes = bytes.min(self.spent);
        self.spent -= bytes;
        self.reserved -= bytes;
        self.budget.give_back(bytes);
    }

    /// Gives back what was reserved and not spent.
    pub fn trim(&mut self) {
        self.budget.give_back(self.reserved - self.spent);
        self.reserved = self.spent;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.give_back(self.reserved);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_is_refused_whole_or_granted_whole() {
        let budget = Budget::new(100);
        let mut first = budget.reserve(60).expect("there is room");
        assert!(budget.reserve(41).is_none());
        assert!(first.spend(70));
        assert_eq!(budget.used(), 70);
        assert!(!first.spend(31));
        assert_eq!(budget.used(), 70);
    }

    #[test]
    fn everything_comes_back() {
        let budget = Budget::new(100);
        let mut it = budget.reserve(50).expect("there is room");
        assert!(it.spend(20));
        it.release(5);
        assert_eq!(budget.used(), 45);
        it.trim();
        assert_eq!(budget.used(), 15);
        drop(it);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_number_near_the_end_of_u64_does_not_wrap() {
        let budget = Budget::new(u64::MAX - 1);
        let _all = budget.reserve(u64::MAX - 1).expect("there is room");
        assert!(budget.reserve(u64::MAX).is_none());
    }
}
