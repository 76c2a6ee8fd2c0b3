//! What is written behind a response's head.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::manifest::Weave;
use crate::passage::{Failure, Reader};

/// The octets of a response.
#[derive(Debug)]
pub struct Body(Kind);

#[derive(Debug)]
enum Kind {
    /// Texts and parts of an object, one after the other; empty at the end.
    Pieces(VecDeque<Piece>),
    /// A manifest with a signature, and the octets that are left.
    Woven(Box<Weave>, u64),
}

/// A part of a body.
#[derive(Debug)]
pub(super) enum Piece {
    Text(Bytes),
    Object(Reader),
}

impl Piece {
    fn remaining(&self) -> Option<u64> {
        match self {
            Self::Text(text) => Some(text.len() as u64),
            Self::Object(reader) => reader.remaining(),
        }
    }
}

impl Body {
    /// No octets.
    pub(super) const fn empty() -> Self {
        Self(Kind::Pieces(VecDeque::new()))
    }

    pub(super) fn text(text: impl Into<Bytes>) -> Self {
        Self(Kind::Pieces([Piece::Text(text.into())].into()))
    }

    pub(super) fn object(reader: Reader) -> Self {
        Self(Kind::Pieces([Piece::Object(reader)].into()))
    }

    pub(super) fn pieces(pieces: impl IntoIterator<Item = Piece>) -> Self {
        Self(Kind::Pieces(pieces.into_iter().collect()))
    }

    pub(super) fn woven(weave: Weave) -> Self {
        let left = weave.remaining();
        Self(Kind::Woven(Box::new(weave), left))
    }

    fn remaining(&self) -> Option<u64> {
        match &self.0 {
            Kind::Pieces(pieces) => pieces.iter().map(Piece::remaining).sum(),
            Kind::Woven(_, left) => Some(*left),
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        match &mut self.0 {
            Kind::Woven(weave, left) => Poll::Ready(weave.frame().map(|frame| {
                *left = left.saturating_sub(frame.len() as u64);
                Ok(Frame::data(frame))
            })),
            Kind::Pieces(pieces) => loop {
                let Some(piece) = pieces.front_mut() else { return Poll::Ready(None) };
                let chunk = match piece {
                    Piece::Text(text) => Some(Ok(std::mem::take(text))).filter(|it| it != &Ok(Bytes::new())),
                    Piece::Object(reader) => match reader.poll_chunk(context) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(chunk) => chunk,
                    },
                };
                match chunk {
                    Some(chunk) => return Poll::Ready(Some(chunk.map(Frame::data))),
                    None => drop(pieces.pop_front()),
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.remaining() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
