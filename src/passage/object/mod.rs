//! One growing object: a head, and chunks that may still come.
//!
//! ```text
//! Filler ──push──▶ Object ◀──read── Reader (as many as like, from any offset)
//!        ◀─room──            ──wake─▶
//! ```
//! A fill from a slow origin, a fragment being assembled and a stored answer are all this type. An object is growing,
//! complete or failed, and a reader can always tell which: an unfinished object never looks like a clean end. Once
//! complete it is read without a lock.

mod derived;
mod filler;
mod places;
mod reader;
mod sliced;
mod state;
mod written;

#[cfg(test)]
mod tests;

use std::any::Any;
use std::future::poll_fn;
use std::ops::Range;
use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};

pub use self::derived::Form;
pub use self::filler::{Abandoned, Filler};
pub use self::reader::Reader;
pub use self::sliced::Slices;
pub use self::written::{Circumstances, Written};

use self::derived::Notes;
use self::sliced::Walk;
use self::state::{CHUNK_COST, Retention, Shared};
use self::written::Shelf;
use super::{Failure, Lifetime, Reservation};

/// What a head and what it is held in cost beside the texts in them.
const HEAD_COST: u64 = 640;

/// What a place for a field costs: name, value, links, and its part of an index.
const FIELD_COST: usize = 112;

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
        let texts: usize = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        HEAD_COST + (self.headers.capacity() * FIELD_COST + texts) as u64
    }

    /// The same, holding nothing else in memory: values come as slices of all that a connection read at once.
    #[must_use]
    pub fn settled(self) -> Self {
        let octets = self.headers.values().flat_map(HeaderValue::as_bytes).copied().collect::<Vec<_>>();
        let mut octets = Bytes::from(octets.into_boxed_slice());
        let mut headers = HeaderMap::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            let own = octets.split_to(value.len());
            let mut own = HeaderValue::from_maybe_shared(own).expect("it was a value before");
            own.set_sensitive(value.is_sensitive());
            headers.append(name, own);
        }
        Self { headers, ..self }
    }
}

/// Bytes of memory that so many octets in so many chunks take.
pub const fn body_cost(octets: u64, chunks: u64) -> u64 {
    octets.saturating_add(chunks.saturating_mul(CHUNK_COST))
}

/// A head and a list of chunks that may still grow, with those who wait for more.
#[derive(Debug)]
pub struct Object {
    shared: Arc<Shared>,
    /// Where its octets are, when they are not here.
    slices: Option<Arc<dyn Slices>>,
    /// What its origin says of the octets by now, with the memory that takes.
    renewed: Option<Box<(Head, Reservation)>>,
    /// How it was given before; under another head it is given otherwise.
    written: Shelf,
}

impl Object {
    /// An object that is all here.
    pub fn whole(head: Head, chunks: Vec<Bytes>) -> Arc<Self> {
        Self::fill_whole(head, chunks, None)
    }

    /// An object that is all here, within a reservation that covers [`body_cost`] of it.
    pub fn whole_within(head: Head, chunks: Vec<Bytes>, reservation: Reservation) -> Arc<Self> {
        Self::fill_whole(head, chunks, Some(reservation))
    }

    fn fill_whole(head: Head, chunks: Vec<Bytes>, reservation: Option<Reservation>) -> Arc<Self> {
        let length = chunks.iter().map(|it| it.len() as u64).sum();
        let (object, mut filler) = Self::grow(Head { length: Some(length), ..head }, reservation);
        for chunk in chunks {
            filler.push(chunk).expect("the length was counted above, and the reservation covers it");
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
        let shared = Arc::new(Shared::new(head, reservation));
        (Arc::new(Self::of(Arc::clone(&shared), None, None)), Filler::new(shared))
    }

    /// An object of `length` octets that lie in slices; the reservation covers its head.
    pub fn sliced(
        head: Head,
        length: u64,
        slices: Arc<dyn Slices>,
        reservation: Option<Reservation>,
    ) -> Arc<Self> {
        let head = Head { length: Some(length), ..head };
        Arc::new(Self::of(Arc::new(Shared::new(head, reservation)), Some(slices), None))
    }

    fn of(
        shared: Arc<Shared>,
        slices: Option<Arc<dyn Slices>>,
        renewed: Option<Box<(Head, Reservation)>>,
    ) -> Self {
        Self { shared, slices, renewed, written: Shelf::default() }
    }

    /// The same octets, and all that was made of them, under another head; `reservation` covers that head.
    ///
    /// Of complete objects alone: who grows has readers that were told the first head.
    pub fn renewed(&self, head: Head, reservation: Reservation) -> Arc<Self> {
        let head = Head { length: self.length(), ..head };
        let (shared, slices) = (Arc::clone(&self.shared), self.slices.clone());
        Arc::new(Self::of(shared, slices, Some(Box::new((head, reservation)))))
    }

    /// Whether its octets lie in slices, and are never here as one.
    pub const fn is_sliced(&self) -> bool {
        self.slices.is_some()
    }

    /// What is known before the first octet.
    pub fn head(&self) -> &Head {
        self.renewed.as_ref().map_or(&self.shared.head, |it| &it.0)
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

    /// All octets in one piece, once they are all here and none was let go.
    pub fn joined(&self) -> Option<Bytes> {
        match self.completed()? {
            [] => Some(Bytes::new()),
            [one] => Some(one.clone()),
            chunks => Some(self.form(Form::Joined, || chunks.concat().into())),
        }
    }

    /// Another form of the octets, made once and shared; where memory is short it is made again each time.
    pub fn form(&self, form: Form, make: impl FnOnce() -> Bytes) -> Bytes {
        let slot = self.shared.derived.form(form);
        slot.get_or_make(make, |made| self.shared.afford(body_cost(made.len() as u64, 1)))
    }

    /// What a station works out about the octets, once; `cost` is the memory it takes. Notes are of one type.
    pub fn notes<T>(&self, make: impl FnOnce() -> T, cost: impl FnOnce(&T) -> u64) -> Arc<T>
    where
        T: Any + Send + Sync,
    {
        let keep = |notes: &Notes| {
            let notes = notes.0.downcast_ref().expect("it was just made");
            self.shared.afford(cost(notes))
        };
        let notes = self.shared.derived.notes.get_or_make(|| Notes(Arc::new(make())), keep);
        notes.0.downcast().expect("notes are of one type")
    }

    /// How it was given before under the same circumstances.
    pub fn written(&self, circumstances: &Circumstances) -> Option<Arc<Written>> {
        self.written.find(circumstances)
    }

    /// Keeps how it was given, where there is memory for that; the newest few are kept.
    pub fn keep_written(&self, circumstances: Circumstances, written: Written) {
        self.written.keep(circumstances, written, |cost| self.shared.beside(cost));
    }

    /// Whether a reader may begin anywhere: an object that keeps nothing can be read once, forwards.
    pub fn seekable(&self) -> bool {
        self.shared.whole.get().is_some() || self.shared.lock().retention == Retention::All
    }

    /// Whether somebody reads it, so that its memory would not come back if it were let go.
    pub fn is_read(&self) -> bool {
        Arc::strong_count(&self.shared) > 1
    }

    /// Follows the octets of `range`; its end may be `u64::MAX` for "to the end".
    pub fn read(self: &Arc<Self>, range: Range<u64>) -> Reader {
        let end = self.length().map_or(range.end, |length| range.end.min(length));
        if let Some(slices) = &self.slices {
            return Reader::walk(Walk::new(Arc::clone(slices), range.start..end.max(range.start)));
        }
        let mut place = None;
        if self.shared.whole.get().is_none() {
            place = Some(self.shared.lock().readers.enter(range.start));
        }
        Reader::follow(Arc::clone(&self.shared), range.start..end.max(range.start), place)
    }

    /// Waits until all octets are here; those in slices are where they are.
    ///
    /// # Errors
    /// Why they will never be.
    pub async fn ended(self: &Arc<Self>) -> Result<(), Failure> {
        if self.is_sliced() {
            return Ok(());
        }
        let place = self.shared.lock().readers.enter(u64::MAX - 1);
        let mut reader = Reader::follow(Arc::clone(&self.shared), u64::MAX - 1..u64::MAX, Some(place));
        poll_fn(|context| reader.poll_chunk(context)).await.map_or(Ok(()), |it| it.map(drop))
    }

    /// Waits until there are so many octets, or it is known that there are fewer.
    ///
    /// # Errors
    /// Why neither will be.
    pub async fn reached(self: &Arc<Self>, octets: u64) -> Result<(), Failure> {
        let mut reader = self.read(octets.saturating_sub(1)..octets);
        match poll_fn(|context| reader.poll_chunk(context)).await {
            Some(Err(_)) if self.length().is_some() => Ok(()),
            Some(Err(failure)) => Err(failure),
            None | Some(Ok(_)) => Ok(()),
        }
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
