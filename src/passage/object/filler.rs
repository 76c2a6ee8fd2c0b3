//! The writing end of an object.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::state::{CHUNK_COST, Retention, Shared};
use crate::passage::Failure;
use crate::vault::Room;

/// How far a fill that keeps nothing runs ahead of its slowest reader: enough to keep a fast link busy, little enough
/// that a thousand such viewers fit in half a gigabyte.
pub(super) const SLIDING_WINDOW: u64 = 512 * 1024;

/// Nobody reads the object any more, and nobody can begin to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abandoned;

/// Adds to an object; dropped before the end was said, the object has failed.
#[derive(Debug)]
pub struct Filler {
    shared: Arc<Shared>,
    /// Whether what it is given is copied, so that nothing else stays in memory with it.
    copies: bool,
    /// Where it is put together; none: it stays in the pieces it comes in.
    room: Option<Room>,
}

impl Filler {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared, copies: false, room: None }
    }

    /// Makes sure, before they are read, that `bytes` more can be accepted.
    pub fn reserve(&mut self, bytes: u64) -> bool {
        self.shared.lock().reservation.as_mut().is_none_or(|it| it.cover(bytes + CHUNK_COST))
    }

    /// Adds a chunk and wakes those who wait for it.
    ///
    /// # Errors
    /// [`Failure::OutOfMemory`] when the budget has no room for it, [`Failure::Overlong`] when more comes than the
    /// head promised. The chunk is not accepted then, and the object may be failed or the push repeated.
    pub fn push(&mut self, chunk: Bytes) -> Result<(), Failure> {
        if chunk.is_empty() {
            return Ok(());
        }
        let end = self.shared.lock().end + chunk.len() as u64;
        if let Some(promised) = self.shared.head.length.filter(|&it| end > it) {
            return Err(Failure::Overlong { promised });
        }
        if !self.reserve(chunk.len() as u64) {
            return Err(Failure::OutOfMemory);
        }
        let chunk = self.settled(chunk);
        let mut state = self.shared.lock();
        if let Some(reservation) = &mut state.reservation
            && !reservation.spend(chunk.len() as u64 + CHUNK_COST)
        {
            return Err(Failure::OutOfMemory);
        }
        state.push(chunk);
        let waiting = state.readers.wake();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Has the octets kept by themselves, put together where the kernel can send them from if it is known how many they
    /// are: pieces come as slices of all that a connection read at once, and of much that it did not need.
    pub fn settle(&mut self) {
        self.copies = true;
        self.room = self.shared.head.length.and_then(Room::take);
    }

    fn settled(&mut self, chunk: Bytes) -> Bytes {
        if let Some(settled) = self.room.as_mut().and_then(|it| it.put(&chunk)) {
            return settled;
        }
        self.room = None;
        if self.copies { Bytes::copy_from_slice(&chunk) } else { chunk }
    }

    /// From now on keeps only what the slowest reader has not read yet.
    pub fn slide(&mut self) {
        (self.copies, self.room) = (false, None);
        let mut state = self.shared.lock();
        state.retention = Retention::Sliding;
        state.let_go();
    }

    /// Waits until the object may take more: at once, unless it slides and its readers are behind.
    ///
    /// # Errors
    /// [`Abandoned`] when it slides and nobody is left to read it.
    pub async fn room(&mut self) -> Result<(), Abandoned> {
        poll_fn(|context| self.poll_room(context)).await
    }

    pub(super) fn poll_room(&mut self, context: &Context<'_>) -> Poll<Result<(), Abandoned>> {
        let mut state = self.shared.lock();
        match state.retention {
            Retention::All => Poll::Ready(Ok(())),
            Retention::Sliding if !state.reachable && state.readers.is_empty() => Poll::Ready(Err(Abandoned)),
            Retention::Sliding if state.end - state.start < SLIDING_WINDOW => Poll::Ready(Ok(())),
            Retention::Sliding => {
                state.filler = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Says that this was all.
    ///
    /// # Errors
    /// [`Failure::Truncated`] when less came than the head promised; the object has failed then.
    pub fn finish(mut self) -> Result<(), Failure> {
        let mut state = self.shared.lock();
        let got = state.end;
        if let Some(promised) = self.shared.head.length.filter(|&it| it != got) {
            drop(state);
            let failure = Failure::Truncated { got, promised };
            self.fail(failure.clone());
            return Err(failure);
        }
        if let Some(whole) = state.complete(self.room.take().and_then(Room::all)) {
            self.shared.whole.set(whole).expect("a filler finishes once");
        }
        let waiting = state.readers.wake();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Says that no more will come, and why.
    pub fn fail(self, failure: Failure) {
        self.shared.fail(failure);
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        self.shared.fail(Failure::GivenUp);
    }
}
