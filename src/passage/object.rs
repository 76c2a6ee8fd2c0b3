//! One growing object: a head, and chunks that may still come.
//!
//! ```text
//! Filler ──push──▶ Object ◀──read── Reader (as many as like, from any offset)
//!        ◀─room──            ──wake─▶
//! ```
//! A fill from a slow origin, a fragment being assembled and a stored answer are all this type. An object is growing,
//! complete or failed, and a reader can always tell which: an unfinished object never looks like a clean end. Once
//! complete it is read without a lock.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::places::Places;
use super::{Failure, Lifetime, Reader, Reservation};

/// What a chunk costs beside its octets: the handle, its end, and the allocation behind it.
const CHUNK_COST: u64 = 96;

/// What a head and an entry of the store cost beside the texts in them.
const HEAD_COST: u64 = 512;

/// How far a fill that keeps nothing runs ahead of its slowest reader: enough to keep a fast link busy, little enough
/// that a thousand such viewers fit in half a gigabyte.
const SLIDING_WINDOW: u64 = 512 * 1024;

/// What is known before the first octet of the body.
#[derive(Clone, Debug)]
pub struct Head {
    /// Status.
    pub status: StatusCode,
    /// Fields of the origin.
    pub headers: HeaderMap,
    /// Octets of the whole body, when known.
    pub length: Option<u64>,
    /// How long it may be kept, as its origin says.
    pub lifetime: Option<Lifetime>,
}

impl Head {
    /// Bytes of memory it takes.
    pub fn cost(&self) -> u64 {
        let field =
            |(name, value): (&http::HeaderName, &http::HeaderValue)| name.as_str().len() + value.len() + 64;
        HEAD_COST + self.headers.iter().map(field).sum::<usize>() as u64
    }
}

/// A head and a list of chunks that may still grow, with those who wait for more.
#[derive(Debug)]
pub struct Object {
    shared: Arc<Shared>,
}

impl Object {
    /// An object that is all here.
    pub fn whole(head: Head, chunks: Vec<Bytes>) -> Arc<Self> {
        let length = chunks.iter().map(|it| it.len() as u64).sum();
        let (object, mut filler) = Self::growing(Head { length: Some(length), ..head });
        for chunk in chunks {
            filler
                .push(chunk)
                .expect("without a budget, and below the length counted above, all is accepted");
        }
        filler.finish().expect("the length was counted above");
        object
    }

    /// An object whose octets are still to come.
    pub fn growing(head: Head) -> (Arc<Self>, Filler) {
        Self::grow(head, None)
    }

    /// An object whose octets are still to come, and are accepted only into what `reservation` can get.
    pub fn growing_within(head: Head, reservation: Reservation) -> (Arc<Self>, Filler) {
        Self::grow(head, Some(reservation))
    }

    fn grow(head: Head, reservation: Option<Reservation>) -> (Arc<Self>, Filler) {
        let state = State {
            chunks: VecDeque::new(),
            ends: VecDeque::new(),
            start: 0,
            end: 0,
            outcome: Outcome::More,
            retention: Retention::All,
            readers: Places::default(),
            reachable: true,
            filler: None,
            reservation,
        };
        let shared = Arc::new(Shared { head, whole: OnceLock::new(), state: Mutex::new(state) });
        (Arc::new(Self { shared: Arc::clone(&shared) }), Filler { shared })
    }

    /// What is known before the first octet.
    pub fn head(&self) -> &Head {
        &self.shared.head
    }

    /// Octets of the whole body: promised, or counted once they are all here.
    pub fn length(&self) -> Option<u64> {
        self.head().length.or_else(|| match self.shared.whole.get() {
            Some(whole) => Some(whole.length()),
            None => self.shared.lock().length(),
        })
    }

    /// All chunks, once they are all here and none was let go.
    pub fn completed(&self) -> Option<&[Bytes]> {
        self.shared.whole.get().map(|it| &*it.chunks)
    }

    /// Whether a reader may begin anywhere: an object that keeps nothing can be read once, forwards.
    pub fn seekable(&self) -> bool {
        self.shared.whole.get().is_some() || self.shared.lock().retention == Retention::All
    }

    /// Follows the octets of `range`; its end may be `u64::MAX` for "to the end".
    pub fn read(self: &Arc<Self>, range: Range<u64>) -> Reader {
        let end = self.length().map_or(range.end, |length| range.end.min(length));
        let mut place = None;
        if self.shared.whole.get().is_none() {
            place = Some(self.shared.lock().readers.enter(range.start));
        }
        Reader::new(Arc::clone(&self.shared), range.start..end.max(range.start), place)
    }

    /// Follows all of it.
    pub fn read_all(self: &Arc<Self>) -> Reader {
        self.read(0..u64::MAX)
    }
}

impl Drop for Object {
    /// From here on only the readers there are can want more.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.reachable = false;
        let filler = state.filler.take();
        drop(state);
        filler.into_iter().for_each(Waker::wake);
    }
}

/// Nobody reads the object any more, and nobody can begin to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abandoned;

/// Adds to an object; dropped before the end was said, the object has failed.
#[derive(Debug)]
pub struct Filler {
    shared: Arc<Shared>,
}

impl Filler {
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
        let mut state = self.shared.lock();
        let end = state.end + chunk.len() as u64;
        if let Some(promised) = self.shared.head.length.filter(|&it| end > it) {
            return Err(Failure::Overlong { promised });
        }
        if let Some(reservation) = &mut state.reservation
            && !reservation.spend(chunk.len() as u64 + CHUNK_COST)
        {
            return Err(Failure::OutOfMemory);
        }
        state.end = end;
        state.chunks.push_back(chunk);
        state.ends.push_back(end);
        let waiting = state.readers.wake();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// From now on keeps only what the slowest reader has not read yet.
    pub fn slide(&mut self) {
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

    fn poll_room(&mut self, context: &Context<'_>) -> Poll<Result<(), Abandoned>> {
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
    pub fn finish(self) -> Result<(), Failure> {
        let mut state = self.shared.lock();
        let got = state.end;
        if let Some(promised) = self.shared.head.length.filter(|&it| it != got) {
            drop(state);
            let failure = Failure::Truncated { got, promised };
            self.fail(failure.clone());
            return Err(failure);
        }
        state.outcome = Outcome::Complete;
        if let Some(reservation) = &mut state.reservation {
            reservation.trim();
        }
        if state.retention == Retention::All {
            let chunks = std::mem::take(&mut state.chunks).into_iter().collect();
            let ends = std::mem::take(&mut state.ends).into_iter().collect();
            self.shared.whole.set(Whole { chunks, ends }).expect("a filler finishes once");
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

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) head: Head,
    /// Set when complete; readers then need no lock.
    pub(super) whole: OnceLock<Whole>,
    state: Mutex<State>,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it is held")
    }

    fn fail(&self, failure: Failure) {
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
    chunks: Box<[Bytes]>,
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
enum Outcome {
    More,
    Complete,
    Failed(Failure),
}

/// What stays when it has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retention {
    All,
    Sliding,
}

#[derive(Debug)]
pub(super) struct State {
    chunks: VecDeque<Bytes>,
    ends: VecDeque<u64>,
    /// Octets that were let go.
    start: u64,
    /// Octets that have come.
    end: u64,
    outcome: Outcome,
    retention: Retention,
    pub(super) readers: Places,
    /// Whether someone holds the object and may still begin to read it.
    reachable: bool,
    filler: Option<Waker>,
    reservation: Option<Reservation>,
}

impl State {
    /// Octets of the whole, once they have all come.
    fn length(&self) -> Option<u64> {
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use proptest::prelude::*;

    use super::*;
    use crate::passage::Budget;

    fn head(length: Option<u64>) -> Head {
        Head { status: StatusCode::OK, headers: HeaderMap::new(), length, lifetime: None }
    }

    /// What a reader has at this moment, and how it stands then.
    fn drain(reader: &mut Reader) -> (Vec<u8>, Poll<Result<(), Failure>>) {
        let mut got = Vec::new();
        loop {
            match reader.poll_chunk(&Context::from_waker(Waker::noop())) {
                Poll::Ready(Some(Ok(chunk))) => got.extend_from_slice(&chunk),
                Poll::Ready(Some(Err(failure))) => return (got, Poll::Ready(Err(failure))),
                Poll::Ready(None) => return (got, Poll::Ready(Ok(()))),
                Poll::Pending => return (got, Poll::Pending),
            }
        }
    }

    fn check(reader: &mut Reader, bytes: &[u8], end: Poll<Result<(), Failure>>) {
        assert_eq!(drain(reader), (bytes.to_vec(), end));
    }

    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_reader_tells_more_from_complete_from_failed() {
        let (object, mut filler) = Object::growing(head(None));
        let mut reader = object.read_all();
        check(&mut reader, b"", Poll::Pending);
        filler.push(Bytes::from("stone")).unwrap();
        check(&mut reader, b"stone", Poll::Pending);
        filler.finish().unwrap();
        check(&mut reader, b"", Poll::Ready(Ok(())));

        let (object, mut filler) = Object::growing(head(None));
        filler.push(Bytes::from("stone")).unwrap();
        let mut reader = object.read_all();
        filler.fail(Failure::TimedOut(std::time::Duration::from_secs(1)));
        let failed = Poll::Ready(Err(Failure::TimedOut(std::time::Duration::from_secs(1))));
        check(&mut reader, b"stone", failed);
    }

    #[test]
    fn a_dropped_filler_is_a_failure() {
        let (object, filler) = Object::growing(head(None));
        let mut reader = object.read_all();
        drop(filler);
        check(&mut reader, b"", Poll::Ready(Err(Failure::GivenUp)));
    }

    #[test]
    fn less_than_promised_is_a_failure_and_more_is_not_accepted() {
        let (object, mut filler) = Object::growing(head(Some(4)));
        filler.push(Bytes::from("sto")).unwrap();
        let mut reader = object.read_all();
        let truncated = Failure::Truncated { got: 3, promised: 4 };
        assert_eq!(filler.finish(), Err(truncated.clone()));
        check(&mut reader, b"sto", Poll::Ready(Err(truncated)));
        assert!(object.completed().is_none());

        let (_object, mut filler) = Object::growing(head(Some(4)));
        assert_eq!(filler.push(Bytes::from("stone")), Err(Failure::Overlong { promised: 4 }));
    }

    #[test]
    fn an_end_that_was_counted_on_and_does_not_come_is_a_failure() {
        let (object, mut filler) = Object::growing(head(None));
        let mut reader = object.read(2..8);
        filler.push(Bytes::from("stone")).unwrap();
        filler.finish().unwrap();
        check(&mut reader, b"one", Poll::Ready(Err(Failure::Truncated { got: 5, promised: 8 })));
    }

    #[test]
    fn a_reader_who_waits_wakes_once_a_chunk_however_often_it_was_polled() {
        let (object, mut filler) = Object::growing(head(None));
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let mut reader = object.read_all();
        for _ in 0..10 {
            assert!(reader.poll_chunk(&Context::from_waker(&waker)).is_pending());
        }
        filler.push(Bytes::from("stone")).unwrap();
        assert_eq!(bell.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_sliding_object_holds_what_its_slowest_reader_has_not_read() {
        let budget = Budget::new(4 * SLIDING_WINDOW);
        let (object, mut filler) = Object::growing_within(head(None), budget.reserve(0).unwrap());
        filler.slide();
        let mut fast = object.read_all();
        let mut slow = object.read_all();
        let block = Bytes::from(vec![7; SLIDING_WINDOW as usize]);
        let context = Context::from_waker(Waker::noop());
        assert_eq!(filler.poll_room(&context), Poll::Ready(Ok(())));
        filler.push(block.clone()).unwrap();
        assert!(filler.poll_room(&context).is_pending());
        check(&mut fast, &block, Poll::Pending);
        assert!(filler.poll_room(&context).is_pending());
        check(&mut slow, &block, Poll::Pending);
        assert_eq!(filler.poll_room(&context), Poll::Ready(Ok(())));
        assert_eq!(budget.used(), 0);

        filler.push(block).unwrap();
        drop(object);
        drop(fast);
        assert!(filler.poll_room(&context).is_pending());
        drop(slow);
        assert_eq!(filler.poll_room(&context), Poll::Ready(Err(Abandoned)));
        drop(filler);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn memory_that_is_not_there_is_not_accepted() {
        let budget = Budget::new(200);
        let (object, mut filler) = Object::growing_within(head(None), budget.reserve(0).unwrap());
        assert!(filler.reserve(50));
        assert!(!filler.reserve(150));
        filler.push(Bytes::from(vec![0; 100])).unwrap();
        assert_eq!(filler.push(Bytes::from(vec![0; 5])), Err(Failure::OutOfMemory));
        let reader = object.read_all();
        drop((object, filler));
        assert_eq!(budget.used(), 196, "a reader still holds it");
        drop(reader);
        assert_eq!(budget.used(), 0);
    }

    proptest! {
        /// However the octets are cut into chunks, and whenever readers come, each sees exactly its range.
        #[test]
        fn any_range_is_the_same_range_of_the_whole(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..12),
            ranges in prop::collection::vec((0..100u64, 0..100u64, 0..12usize), 1..8),
        ) {
            let all = chunks.concat();
            let total = all.len() as u64;
            let (object, mut filler) = Object::growing(head(None));
            let mut readers = Vec::new();
            for (index, chunk) in chunks.iter().enumerate() {
                for &(start, length, when) in &ranges {
                    if when == index {
                        let end = (start + length).min(total).max(start.min(total));
                        readers.push((start.min(total)..end, object.read(start.min(total)..end), Vec::new()));
                    }
                }
                filler.push(Bytes::from(chunk.clone())).unwrap();
                for (_, reader, got) in &mut readers {
                    got.extend(drain(reader).0);
                }
            }
            filler.finish().unwrap();
            for (range, reader, got) in &mut readers {
                let (rest, end) = drain(reader);
                got.extend(rest);
                prop_assert_eq!(end, Poll::Ready(Ok(())));
                prop_assert_eq!(&got[..], &all[range.start as usize..range.end as usize]);
            }
            prop_assert_eq!(object.length(), Some(total));
            prop_assert_eq!(object.completed().unwrap().concat(), all);
        }
    }
}
