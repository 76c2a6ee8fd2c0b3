//! A request's stream as it is read: its head by HTTP/3's engine, its body by us.
//!
//! The engine holds a frame until it is whole, and believes the length that it begins with; behind an empty piece of a body
//! it takes the body to be over, and of small pieces it reads ahead without end. So it is shown the frame with the head
//! alone, and that one only if it is not too long.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h3::error::Code;
use h3::quic::{RecvStream, StreamErrorIncoming, StreamId};
use http_body::{Body, Frame, SizeHint};

use super::frames::{
    CANCEL_PUSH, DATA, Frames, GOAWAY, HEADERS, MAX_PUSH_ID, OF_HTTP_2, PUSH_PROMISE, Piece, SETTINGS,
};
use super::guard::{Fault, Guard};
use super::streams::{Octets, id};

/// What has come of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing, or some of its head.
    Head,
    Body,
    /// Fields behind the body, which nobody wants.
    Trailers,
    End,
}

/// A request's stream.
pub(super) struct Asked {
    octets: Octets,
    guard: Arc<Guard>,
    frames: Frames,
    /// Of the frame that began last.
    kind: u64,
    stage: Stage,
    /// Octets that it may still have beside its body.
    left: u64,
}

impl Asked {
    pub(super) fn new(stream: quinn::RecvStream, guard: Arc<Guard>, most: u64) -> Self {
        let octets = Octets::of(stream);
        Self { octets, guard, frames: Frames::default(), kind: DATA, stage: Stage::Head, left: most }
    }

    /// The next octets of the frame with the head; nothing when the stream ends before it.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Fault>> {
        while self.stage == Stage::Head {
            match ready!(self.poll_piece(cx))? {
                None => break,
                Some(Piece::Head { octets, .. } | Piece::Payload(octets)) if self.kind == HEADERS => {
                    if self.frames.is_whole() {
                        self.stage = Stage::Body;
                    }
                    return Poll::Ready(Ok(Some(octets)));
                }
                Some(_) => {}
            }
        }
        Poll::Ready(Ok(None))
    }

    /// The next octets of the body; nothing at its end.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Fault>> {
        while self.stage != Stage::End {
            match ready!(self.poll_piece(cx))? {
                None => self.stage = Stage::End,
                Some(Piece::Head { .. }) if self.kind == HEADERS => self.stage = Stage::Trailers,
                Some(Piece::Payload(octets)) if self.kind == DATA => return Poll::Ready(Ok(Some(octets))),
                Some(_) => {}
            }
        }
        Poll::Ready(Ok(None))
    }

    /// The next piece of a frame that may stand here; nothing at the end of the stream.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Piece>, Fault>> {
        loop {
            if let Some(piece) = self.frames.cut(self.octets.unread()) {
                if let Piece::Head { kind, length, .. } = piece {
                    self.kind = kind;
                    self.judge(length)?;
                }
                return Poll::Ready(Ok(Some(piece)));
            }
            if !ready!(self.octets.poll_more(cx))? {
                let whole = self.frames.is_between();
                return Poll::Ready(if whole {
                    Ok(None)
                } else {
                    Err(self.guard.broken(Code::H3_FRAME_ERROR))
                });
            }
        }
    }

    /// A frame begins (RFC 9114 4.1, 7.2).
    fn judge(&mut self, length: u64) -> Result<(), Fault> {
        match (self.kind, self.stage) {
            (HEADERS, Stage::Head | Stage::Body) => self.take(length),
            // Its octets are counted by who sends them on.
            (DATA, Stage::Body) if length > 0 => Ok(()),
            (DATA, Stage::Body) => self.guard.idle_word(),
            (DATA | HEADERS | CANCEL_PUSH | SETTINGS | PUSH_PROMISE | GOAWAY | MAX_PUSH_ID, _) => {
                Err(self.guard.broken(Code::H3_FRAME_UNEXPECTED))
            }
            (kind, _) if OF_HTTP_2.contains(&kind) => Err(self.guard.broken(Code::H3_FRAME_UNEXPECTED)),
            _ => {
                self.guard.idle_word()?;
                self.take(length)
            }
        }
    }

    fn take(&mut self, octets: u64) -> Result<(), Fault> {
        let Some(left) = self.left.checked_sub(octets) else {
            self.octets.stop(Code::H3_EXCESSIVE_LOAD);
            return Err(Fault::Overrun);
        };
        self.left = left;
        Ok(())
    }
}

/// The head of a request, as the engine reads it.
pub(super) struct Head(Arc<Mutex<Asked>>);

/// The octets behind the head of a request.
pub(in crate::viewer) struct Behind {
    asked: Arc<Mutex<Asked>>,
    /// What was waited for to know that there is something.
    first: Option<Result<Bytes, Fault>>,
    /// Octets that its head says it has, and those that have not come.
    left: Option<u64>,
    is_over: bool,
}

/// The two readers of one stream, the second to begin when the first has a head.
pub(super) fn readers(asked: Asked) -> (Head, Behind) {
    let asked = Arc::new(Mutex::new(asked));
    (Head(Arc::clone(&asked)), Behind { asked, first: None, left: None, is_over: false })
}

impl RecvStream for Head {
    type Buf = Bytes;

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        lock(&self.0).poll_head(cx).map_err(Into::into)
    }

    fn stop_sending(&mut self, error_code: u64) {
        lock(&self.0).octets.stop(error_code.into());
    }

    fn recv_id(&self) -> StreamId {
        id(lock(&self.0).octets.id())
    }
}

impl Behind {
    /// The head says that so many octets come.
    pub(super) const fn says(&mut self, length: u64) {
        self.left = Some(length);
    }

    /// Whether there is something; ready when that is known.
    pub(super) fn poll_any(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.first.is_none() && !self.is_over {
            self.first = ready!(self.poll_next(cx)).transpose();
        }
        Poll::Ready(self.first.is_some())
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Fault>> {
        let mut asked = lock(&self.asked);
        let next = ready!(asked.poll_body(cx))?;
        let came = next.as_ref().map_or(0, |it| it.len() as u64);
        let left = self.left.map(|it| it.checked_sub(came));
        self.is_over = next.is_none();
        if left == Some(None) || self.is_over && left.flatten().is_some_and(|it| it > 0) {
            asked.octets.stop(Code::H3_MESSAGE_ERROR);
            return Poll::Ready(Err(Fault::Length));
        }
        self.left = left.flatten();
        Poll::Ready(Ok(next))
    }
}

impl Body for Behind {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if let Some(octets) = self.first.take() {
            return Poll::Ready(Some(octets.map(Frame::data)));
        }
        if self.is_over {
            return Poll::Ready(None);
        }
        self.poll_next(cx).map(|it| it.map(|it| it.map(Frame::data)).transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.is_over
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.iter().flatten().map(|it| it.len() as u64).sum::<u64>();
        self.left.map_or_else(SizeHint::default, |it| SizeHint::with_exact(first + it))
    }
}

impl fmt::Debug for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Behind")
    }
}

fn lock(asked: &Mutex<Asked>) -> MutexGuard<'_, Asked> {
    asked.lock().expect("no code panics while it holds this lock")
}
