//! What a viewer sends behind the head of a request.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;

/// What goes wrong with a body is the connection's to say.
type Broken = Box<dyn std::error::Error + Send + Sync>;

/// A request's body as it comes, whatever the protocol. It can be read once, so a request that has one is sent on once.
pub struct Upload(Option<UnsyncBoxBody<Bytes, Broken>>);

impl Upload {
    /// A body that may turn out to be empty.
    pub fn new<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error: Into<Broken>> + Send + 'static,
    {
        Self((!body.is_end_stream()).then(|| body.map_err(Into::into).boxed_unsync()))
    }

    /// Nothing.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Whether there is nothing to send.
    pub const fn is_none(&self) -> bool {
        self.0.is_none()
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_none() { "Upload(none)" } else { "Upload" })
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut self.0 {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
