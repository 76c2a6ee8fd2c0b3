//! A body that lies in slices, fetched when they are read.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::{Object, Reader};
use crate::passage::Failure;

/// The slices of one body.
pub trait Slices: Send + Sync {
    /// The bounds of the slice that `position` lies in, for one who reads to `end`; the slice is not empty.
    fn around(&self, position: u64, end: u64) -> Range<u64>;

    /// The slice with these bounds; it may still grow.
    fn open(&self, slice: &Range<u64>) -> BoxFuture<'static, Result<Arc<Object>, Failure>>;
}

impl fmt::Debug for dyn Slices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slices").finish_non_exhaustive()
    }
}

/// Reads a range slice by slice. Who has read half a slice has the next one opened before it is due, and no other: who
/// stops reading stops fetching.
pub(super) struct Walk {
    slices: Arc<dyn Slices>,
    /// Where it began to read.
    start: u64,
    position: u64,
    end: u64,
    /// The bounds of the slice that is read.
    slice: Range<u64>,
    at: At,
    ahead: Option<Ahead>,
}

enum At {
    /// Between two slices.
    Between,
    Opening {
        opening: BoxFuture<'static, Result<Arc<Object>, Failure>>,
        /// It began before it was due.
        is_early: bool,
    },
    Within(Box<Reader>),
}

/// The slice that comes after the one that is read.
struct Ahead {
    slice: Range<u64>,
    state: Early,
}

enum Early {
    Opening(BoxFuture<'static, Result<Arc<Object>, Failure>>),
    Open(Box<Reader>),
    /// It is opened anew when it is due: its failure concerns nobody yet.
    Failed,
}

impl Walk {
    pub(super) fn new(slices: Arc<dyn Slices>, range: Range<u64>) -> Self {
        let Range { start, end } = range;
        Self { slices, start, position: start, end, slice: 0..0, at: At::Between, ahead: None }
    }

    pub(super) const fn remaining(&self) -> u64 {
        self.end.saturating_sub(self.position)
    }

    pub(super) fn poll_chunk(&mut self, context: &Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        loop {
            if self.position >= self.end {
                return Poll::Ready(None);
            }
            match &mut self.at {
                At::Between => self.at = self.enter(),
                At::Opening { opening, is_early } => {
                    match opening.as_mut().poll(&mut Context::from_waker(context.waker())) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Err(_)) if *is_early => self.at = At::Between,
                        Poll::Ready(Err(failure)) => return self.fail(failure),
                        Poll::Ready(Ok(slice)) => {
                            self.at = At::Within(self.read(&slice, &self.slice, self.position));
                        }
                    }
                }
                At::Within(reader) => match reader.poll_chunk(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Some(Ok(chunk))) => {
                        self.position += chunk.len() as u64;
                        self.look_ahead(context);
                        return Poll::Ready(Some(Ok(chunk)));
                    }
                    Poll::Ready(Some(Err(failure))) => return self.fail(failure),
                    Poll::Ready(None) if self.position == self.slice.end || self.position >= self.end => {
                        self.at = At::Between;
                    }
                    Poll::Ready(None) => {
                        let (got, promised) = (self.position, self.end);
                        return self.fail(Failure::Truncated { got, promised });
                    }
                },
            }
        }
    }

    fn enter(&mut self) -> At {
        let ahead = self.ahead.take().filter(|it| it.slice.contains(&self.position));
        let Some(Ahead { slice, state }) = ahead else { return self.open() };
        self.slice = slice;
        match state {
            Early::Open(reader) => At::Within(reader),
            Early::Opening(opening) => At::Opening { opening, is_early: true },
            Early::Failed => self.open(),
        }
    }

    fn open(&mut self) -> At {
        self.slice = self.slices.around(self.position, self.end);
        At::Opening { opening: self.slices.open(&self.slice), is_early: false }
    }

    /// What is wanted of an object that is a slice, from `position` on, which lies in it.
    fn read(&self, object: &Arc<Object>, slice: &Range<u64>, position: u64) -> Box<Reader> {
        let end = self.end.min(slice.end);
        Box::new(object.read(position - slice.start..end - slice.start))
    }

    fn look_ahead(&mut self, context: &Context<'_>) {
        let begin = self.slice.end;
        let half = (begin - self.slice.start) / 2;
        let is_looked_after = self.ahead.as_ref().is_some_and(|it| it.slice.start == begin);
        if begin >= self.end || self.position - self.start < half || is_looked_after {
            return;
        }
        let slice = self.slices.around(begin, self.end);
        // It is under way from its first poll on.
        let mut opening = self.slices.open(&slice);
        let state = match opening.as_mut().poll(&mut Context::from_waker(context.waker())) {
            Poll::Pending => Early::Opening(opening),
            Poll::Ready(Ok(object)) => Early::Open(self.read(&object, &slice, begin.max(slice.start))),
            Poll::Ready(Err(_)) => Early::Failed,
        };
        self.ahead = Some(Ahead { slice, state });
    }

    fn fail(&mut self, failure: Failure) -> Poll<Option<Result<Bytes, Failure>>> {
        self.end = self.position;
        Poll::Ready(Some(Err(failure)))
    }
}
