//! A body that lies in slices, fetched when they are read.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::{Object, Reader};
use crate::passage::Failure;

/// The slices of one body: all of one size but the last.
pub trait Slices: Send + Sync {
    /// Octets of each slice but the last; at least one.
    fn size(&self) -> u64;

    /// A slice, by its place; it may still grow.
    fn open(&self, index: u64) -> BoxFuture<'static, Result<Arc<Object>, Failure>>;
}

impl fmt::Debug for dyn Slices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slices").field("size", &self.size()).finish_non_exhaustive()
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
    index: u64,
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
        Self { slices, start, position: start, end, at: At::Between, ahead: None }
    }

    pub(super) const fn remaining(&self) -> u64 {
        self.end.saturating_sub(self.position)
    }

    pub(super) fn poll_chunk(&mut self, context: &Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        loop {
            if self.position >= self.end {
                return Poll::Ready(None);
            }
            let size = self.slices.size();
            match &mut self.at {
                At::Between => self.at = self.enter(self.position / size),
                At::Opening { opening, is_early } => {
                    match opening.as_mut().poll(&mut Context::from_waker(context.waker())) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Err(_)) if *is_early => self.at = At::Between,
                        Poll::Ready(Err(failure)) => return self.fail(failure),
                        Poll::Ready(Ok(slice)) => self.at = At::Within(self.read(&slice, self.position)),
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
                    Poll::Ready(None) if self.position.is_multiple_of(size) || self.position >= self.end => {
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

    fn enter(&mut self, index: u64) -> At {
        match self.ahead.take().filter(|it| it.index == index).map(|it| it.state) {
            Some(Early::Open(reader)) => At::Within(reader),
            Some(Early::Opening(opening)) => At::Opening { opening, is_early: true },
            Some(Early::Failed) | None => At::Opening { opening: self.slices.open(index), is_early: false },
        }
    }

    /// What is wanted of a slice, from `position` on, which lies in it.
    fn read(&self, slice: &Arc<Object>, position: u64) -> Box<Reader> {
        let size = self.slices.size();
        let begin = position / size * size;
        let end = self.end.min(begin.saturating_add(size));
        Box::new(slice.read(position - begin..end - begin))
    }

    fn look_ahead(&mut self, context: &Context<'_>) {
        let size = self.slices.size();
        let index = self.position.div_ceil(size);
        let begin = index.saturating_mul(size);
        let is_looked_after = self.ahead.as_ref().is_some_and(|it| it.index == index);
        if begin >= self.end || self.position - self.start < size / 2 || is_looked_after {
            return;
        }
        // It is under way from its first poll on.
        let mut opening = self.slices.open(index);
        let state = match opening.as_mut().poll(&mut Context::from_waker(context.waker())) {
            Poll::Pending => Early::Opening(opening),
            Poll::Ready(Ok(slice)) => Early::Open(self.read(&slice, begin)),
            Poll::Ready(Err(_)) => Early::Failed,
        };
        self.ahead = Some(Ahead { index, state });
    }

    fn fail(&mut self, failure: Failure) -> Poll<Option<Result<Bytes, Failure>>> {
        self.end = self.position;
        Poll::Ready(Some(Err(failure)))
    }
}
