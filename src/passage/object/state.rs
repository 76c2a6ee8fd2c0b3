//! What an object, its filler and its readers share.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::task::Waker;

use bytes::Bytes;

use super::Head;
use super::derived::Derived;
use super::places::Places;
use super::written::NoRoom;
use crate::passage::{Failure, Reservation};

/// What a chunk costs beside its octets: the handle, its end, and the allocation behind it.
pub(super) const CHUNK_COST: u64 = 96;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) head: Head,
    /// Set when complete; readers then need no lock.
    pub(super) whole: OnceLock<Whole>,
    pub(super) derived: Derived,
    state: Mutex<State>,
}

impl Shared {
    pub(super) const fn new(head: Head, reservation: Option<Reservation>) -> Self {
        let state = State {
            chunks: VecDeque::new(),
            ends: VecDeque::new(),
            start: 0,
            end: 0,
            outcome: Outcome::More,
            retention: Retention::All,
            readers: Places::new(),
            reachable: true,
            filler: None,
            reservation,
        };
        Self { head, whole: OnceLock::new(), derived: Derived::new(), state: Mutex::new(state) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it is held")
    }

    /// Whether there is memory for what was made of the octets; takes it.
    pub(super) fn afford(&self, bytes: u64) -> bool {
        self.lock().reservation.as_mut().is_none_or(|it| it.spend(bytes))
    }

    /// Memory for what does not live as long as the octets; none where theirs is not counted either.
    pub(super) fn beside(&self, bytes: u64) -> Result<Option<Reservation>, NoRoom> {
        match &self.lock().reservation {
            Some(it) => it.beside(bytes).map(Some).ok_or(NoRoom),
            None => Ok(None),
        }
    }

    /// Says that no more will come; the first word on the end counts.
    pub(super) fn fail(&self, failure: Failure) {
        let mut state = self.lock();
        if state.outcome != Outcome::More {
            return;
        }
        state.outcome = Outcome::Failed(failure);
        if let Some(reservation) = &mut state.reservation {
            reservation.trim();
        }
        let waiting = state.readers.wake();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// All chunks of a complete object, each with the offset of its end.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) chunks: Box<[Bytes]>,
    ends: Box<[u64]>,
}

impl Whole {
    pub(super) fn length(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// What a reader at `position`, who wants nothing past `end`, gets next.
    pub(super) fn next(&self, position: u64, end: u64) -> Next {
        let index = self.ends.partition_point(|&it| it <= position);
        match self.chunks.get(index) {
            Some(chunk) => Next::Chunk(cut(chunk, self.ends[index], position, end)),
            None => Next::End(self.length()),
        }
    }
}

/// What a reader gets next.
#[derive(Debug)]
pub(super) enum Next {
    Chunk(Bytes),
    /// It has not come yet.
    Later,
    /// The object ends here, after so many octets.
    End(u64),
    Failed(Failure),
}

/// How far an object has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    More,
    Complete,
    Failed(Failure),
}

/// What stays when it has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retention {
    All,
    Sliding,
}

#[derive(Debug)]
pub(super) struct State {
    chunks: VecDeque<Bytes>,
    ends: VecDeque<u64>,
    /// Octets that were let go.
    pub(super) start: u64,
    /// Octets that have come.
    pub(super) end: u64,
    outcome: Outcome,
    pub(super) retention: Retention,
    pub(super) readers: Places,
    /// Whether someone holds the object and may still begin to read it.
    pub(super) reachable: bool,
    pub(super) filler: Option<Waker>,
    pub(super) reservation: Option<Reservation>,
}

impl State {
    pub(super) fn push(&mut self, chunk: Bytes) {
        self.end += chunk.len() as u64;
        self.chunks.push_back(chunk);
        self.ends.push_back(self.end);
    }

    /// Ends it well; gives the whole, unless some of it was let go. `joined` is all of it in one piece, if it was put
    /// together.
    pub(super) fn complete(&mut self, joined: Option<Bytes>) -> Option<Whole> {
        self.outcome = Outcome::Complete;
        if let Some(reservation) = &mut self.reservation {
            reservation.trim();
        }
        if self.retention == Retention::All
            && let Some(joined) = joined
        {
            self.chunks.clear();
            self.ends.clear();
            return Some(Whole { ends: [joined.len() as u64].into(), chunks: [joined].into() });
        }
        (self.retention == Retention::All).then(|| Whole {
            chunks: std::mem::take(&mut self.chunks).into_iter().collect(),
            ends: std::mem::take(&mut self.ends).into_iter().collect(),
        })
    }

    /// Octets of the whole, once they have all come.
    pub(super) fn length(&self) -> Option<u64> {
        (self.outcome == Outcome::Complete).then_some(self.end)
    }

    /// What a reader at `position`, who wants nothing past `end`, gets next.
    pub(super) fn next(&self, position: u64, end: u64) -> Next {
        if position < self.start {
            return Next::Failed(Failure::GivenUp);
        }
        let index = self.ends.partition_point(|&it| it <= position);
        match (self.chunks.get(index), &self.outcome) {
            (Some(chunk), _) => Next::Chunk(cut(chunk, self.ends[index], position, end)),
            (None, Outcome::More) => Next::Later,
            (None, Outcome::Complete) => Next::End(self.end),
            (None, Outcome::Failed(failure)) => Next::Failed(failure.clone()),
        }
    }

    /// Lets go of what every reader has read, if nothing is to be kept; gives who waits for the room.
    pub(super) fn let_go(&mut self) -> Option<Waker> {
        if self.retention == Retention::All {
            return None;
        }
        let slowest = self.readers.slowest();
        while let (Some(&end), Some(slowest)) = (self.ends.front(), slowest)
            && end <= slowest
        {
            self.ends.pop_front();
            let chunk = self.chunks.pop_front().expect("as many chunks as ends");
            self.start = end;
            if let Some(reservation) = &mut self.reservation {
                reservation.release(chunk.len() as u64 + CHUNK_COST);
            }
        }
        self.filler.take()
    }
}

/// The part of `chunk`, which ends at `chunk_end`, from `position` on and not past `end`.
fn cut(chunk: &Bytes, chunk_end: u64, position: u64, end: u64) -> Bytes {
    let chunk_start = chunk_end - chunk.len() as u64;
    let from = (position - chunk_start) as usize;
    let to = (end.min(chunk_end) - chunk_start) as usize;
    chunk.slice(from..to)
}
