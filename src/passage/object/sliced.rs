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

/// Reads a range slice by slice. The next slice is opened when the one before has been read: who stops reading stops
/// fetching.
pub(super) struct Walk {
    slices: Arc<dyn Slices>,
    position: u64,
    end: u64,
    at: At,
}

enum At {
    /// Between two slices.
    Between,
    Opening(BoxFuture<'static, Result<Arc<Object>, Failure>>),
    Within(Box<Reader>),
}

impl Walk {
    pub(super) fn new(slices: Arc<dyn Slices>, range: Range<u64>) -> Self {
        Self { slices, position: range.start, end: range.end, at: At::Between }
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
                At::Between => self.at = At::Opening(self.slices.open(self.position / size)),
                At::Opening(opening) => {
                    let mut context = Context::from_waker(context.waker());
                    match opening.as_mut().poll(&mut context) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Err(failure)) => return self.fail(failure),
                        Poll::Ready(Ok(slice)) => {
                            let begin = self.position / size * size;
                            let end = self.end.min(begin.saturating_add(size));
                            let range = self.position - begin..end - begin;
                            self.at = At::Within(Box::new(slice.read(range)));
                        }
                    }
                }
                At::Within(reader) => match reader.poll_chunk(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Some(Ok(chunk))) => {
                        self.position += chunk.len() as u64;
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

    fn fail(&mut self, failure: Failure) -> Poll<Option<Result<Bytes, Failure>>> {
        self.end = self.position;
        Poll::Ready(Some(Err(failure)))
    }
}
