//! The memory that all broadcasts share, and who lets go when it is short.
//!
//! Each broadcast says what it holds after everything that happened to it. While all together hold little, nobody is
//! asked for anything. Near the bound, broadcasts with more than their share (the bound, divided by their number) let
//! their oldest segments go, until there is enough again or they hold no more than their share: a broadcast within its
//! share never pays for another. Beyond the bound a publisher whose broadcast has more than its share, and nothing left
//! that may go, is turned away; so all together never hold more than the bound and one message of each publisher.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Broadcasts let go what they can from here on: a sixteenth below the bound, so that those that nobody publishes, which
/// look seldom, come in time.
const EASE: u64 = 16;

/// What all broadcasts hold, and may hold.
#[derive(Debug)]
pub(super) struct Memory {
    limit: u64,
    held: AtomicU64,
    /// What of that may go without anybody's playlist naming it.
    unlisted: AtomicU64,
    broadcasts: AtomicU64,
}

impl Memory {
    pub(super) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            limit,
            held: AtomicU64::new(0),
            unlisted: AtomicU64::new(0),
            broadcasts: AtomicU64::new(0),
        })
    }

    /// The bound.
    pub(super) const fn limit(&self) -> u64 {
        self.limit
    }

    /// What is held now.
    pub(super) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether one broadcast more, like those there are, has room beside what their playlists name.
    pub(super) fn has_room(&self) -> bool {
        let listed = self.held().saturating_sub(self.unlisted.load(Ordering::Relaxed));
        let mean = listed / self.broadcasts.load(Ordering::Relaxed).max(1);
        listed.saturating_add(mean) <= self.eased()
    }

    /// Opens the account of a broadcast.
    pub(super) fn open(self: &Arc<Self>) -> Account {
        self.broadcasts.fetch_add(1, Ordering::Relaxed);
        Account { claim: self.claim(), unlisted: 0 }
    }

    /// Counts what somebody else holds of broadcasts.
    pub(super) fn claim(self: &Arc<Self>) -> Claim {
        Claim { memory: Arc::clone(self), bytes: 0 }
    }

    const fn eased(&self) -> u64 {
        self.limit - self.limit / EASE
    }

    fn share(&self) -> u64 {
        self.eased() / self.broadcasts.load(Ordering::Relaxed).max(1)
    }
}

/// What one broadcast holds; it counts until this is dropped.
#[derive(Debug)]
pub(super) struct Account {
    claim: Claim,
    unlisted: u64,
}

impl Account {
    /// It holds so many bytes now, of which so many are in no playlist any more.
    pub(super) fn set(&mut self, held: u64, unlisted: u64) {
        self.claim.set(held);
        exchange(&self.claim.memory.unlisted, &mut self.unlisted, unlisted);
    }

    /// How much of it should go.
    pub(super) fn excess(&self) -> u64 {
        let memory = &self.claim.memory;
        let over = memory.held().saturating_sub(memory.eased());
        over.min(self.claim.bytes.saturating_sub(memory.share()))
    }

    /// Whether the bound is passed, and this broadcast has more than its share.
    pub(super) fn is_too_much(&self) -> bool {
        let memory = &self.claim.memory;
        memory.held() > memory.limit && self.claim.bytes > memory.share()
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.set(0, 0);
        self.claim.memory.broadcasts.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A number of bytes in the memory that broadcasts share; it counts until this is dropped.
#[derive(Debug)]
pub struct Claim {
    memory: Arc<Memory>,
    bytes: u64,
}

impl Claim {
    /// It is so many bytes now.
    pub fn set(&mut self, bytes: u64) {
        exchange(&self.memory.held, &mut self.bytes, bytes);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// Puts `new` in the place of `old` in a sum.
fn exchange(sum: &AtomicU64, old: &mut u64, new: u64) {
    if new != *old {
        sum.fetch_add(new.wrapping_sub(*old), Ordering::Relaxed);
        *old = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_more_than_its_share_lets_go_and_nobody_else() {
        let memory = Memory::new(1_600);
        let (mut small, mut large) = (memory.open(), memory.open());
        small.set(700, 0);
        large.set(800, 0);
        assert_eq!((small.excess(), large.excess()), (0, 0));
        large.set(850, 0);
        // 1,500 are at ease, and half of that is a share.
        assert_eq!((small.excess(), large.excess()), (0, 50));
        small.set(400, 0);
        large.set(1_000, 0);
        assert_eq!(large.excess(), 0, "there is enough, so nobody keeps to a share");
    }

    #[test]
    fn beyond_the_bound_whoever_has_more_than_its_share_is_too_much() {
        let memory = Memory::new(1_600);
        let (mut small, mut large) = (memory.open(), memory.open());
        small.set(700, 0);
        large.set(900, 0);
        assert!(!large.is_too_much());
        large.set(901, 0);
        assert_eq!((small.is_too_much(), large.is_too_much()), (false, true));
    }

    #[test]
    fn there_is_room_while_one_more_like_the_others_fits_beside_what_is_listed() {
        let memory = Memory::new(1_600);
        assert!(memory.has_room());
        let (mut a, mut b) = (memory.open(), memory.open());
        a.set(900, 400);
        b.set(900, 400);
        assert!(memory.has_room());
        b.set(900, 399);
        assert!(!memory.has_room());
    }

    #[test]
    fn everything_comes_back() {
        let memory = Memory::new(1_600);
        let (mut account, mut claim) = (memory.open(), memory.claim());
        account.set(900, 400);
        account.set(300, 100);
        claim.set(50);
        assert_eq!(memory.held(), 350);
        drop((account, claim));
        let left = [&memory.held, &memory.unlisted, &memory.broadcasts].map(|it| it.load(Ordering::Relaxed));
        assert_eq!(left, [0; 3]);
    }
}
