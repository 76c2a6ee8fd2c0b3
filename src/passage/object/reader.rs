//! A body that follows an object.

use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::sliced::Walk;
use super::state::{Next, Shared};
use crate::passage::Failure;

/// From here on octets hold their object until they are written. Less of each response may wait for a viewer uncounted.
const HELD: usize = 64 * 1024;

struct Held {
    chunk: Bytes,
    _shared: Arc<Shared>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.chunk
    }
}

/// Reads an object from an offset, and wakes when more has come.
pub struct Reader(Way);

enum Way {
    Follow(Follow),
    Walk(Walk),
}

impl Reader {
    pub(super) const fn follow(shared: Arc<Shared>, range: Range<u64>, place: Option<usize>) -> Self {
        Self(Way::Follow(Follow { shared, position: range.start, end: range.end, place }))
    }

    pub(super) const fn walk(walk: Walk) -> Self {
        Self(Way::Walk(walk))
    }

    /// The next octets; none at the end.
    ///
    /// # Errors
    /// Why the object will never have them.
    pub fn poll_chunk(&mut self, context: &Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        match &mut self.0 {
            Way::Follow(it) => it.poll_chunk(context),
            Way::Walk(it) => it.poll_chunk(context),
        }
    }

    /// Octets still to come, when known.
    pub fn remaining(&self) -> Option<u64> {
        match &self.0 {
            Way::Follow(it) => it.remaining(),
            Way::Walk(it) => Some(it.remaining()),
        }
    }
}

/// Follows an object that lies here whole, or grows.
struct Follow {
    shared: Arc<Shared>,
    position: u64,
    /// `u64::MAX` while it is not known where the object ends.
    end: u64,
    place: Option<usize>,
}

impl Follow {
    fn poll_chunk(&mut self, context: &Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        if self.position >= self.end {
            return Poll::Ready(None);
        }
        let next = match self.shared.whole.get() {
            Some(whole) => whole.next(self.position, self.end),
            None => self.look(context),
        };
        Poll::Ready(match next {
            Next::Later => return Poll::Pending,
            Next::Chunk(chunk) => {
                self.position += chunk.len() as u64;
                Some(Ok(self.held(chunk)))
            }
            Next::End(got) => match std::mem::replace(&mut self.end, self.position) {
                u64::MAX => None,
                // Somebody counted on octets that the object turned out not to have.
                promised => Some(Err(Failure::Truncated { got, promised })),
            },
            Next::Failed(failure) => {
                self.end = self.position;
                Some(Err(failure))
            }
        })
    }

    /// The octets, and with them the memory that they take: whoever writes them may let go of the reader long before a
    /// slow viewer has taken them, and they must count as read until then.
    fn held(&self, chunk: Bytes) -> Bytes {
        if chunk.len() < HELD {
            return chunk;
        }
        Bytes::from_owner(Held { chunk, _shared: Arc::clone(&self.shared) })
    }

    /// What comes next in an object that was growing a moment ago; arranges to be woken when there is nothing yet.
    fn look(&self, context: &Context<'_>) -> Next {
        let mut state = self.shared.lock();
        let next = match self.shared.whole.get() {
            Some(whole) => whole.next(self.position, self.end),
            None => state.next(self.position, self.end),
        };
        let Some(place) = self.place else { return next };
        match &next {
            Next::Later => state.readers.wait(place, context.waker()),
            Next::Chunk(chunk) => {
                state.readers.move_to(place, self.position + chunk.len() as u64);
                let filler = state.let_go();
                drop(state);
                filler.into_iter().for_each(Waker::wake);
            }
            Next::End(_) | Next::Failed(_) => {}
        }
        next
    }

    fn remaining(&self) -> Option<u64> {
        let end = match self.end {
            u64::MAX => self.shared.whole.get()?.length(),
            end => end,
        };
        Some(end.saturating_sub(self.position))
    }
}

impl Body for Reader {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        self.poll_chunk(context).map(|it| it.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        let mut state = self.shared.lock();
        state.readers.leave(place);
        let filler = state.let_go();
        drop(state);
        filler.into_iter().for_each(Waker::wake);
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("remaining", &self.remaining()).finish_non_exhaustive()
    }
}
