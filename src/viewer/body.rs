//! What comes behind a request's head.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

#[cfg(feature = "http3")]
use super::quic;

/// The octets behind a request's head, if there can be any.
#[derive(Debug)]
pub struct RequestBody(Source);

/// Whose framing they come out of.
#[derive(Debug)]
enum Source {
    /// None at all.
    #[cfg(feature = "http3")]
    Nothing,
    Hyper(Incoming),
    #[cfg(feature = "http3")]
    Quic(quic::Behind),
}

#[cfg(feature = "http3")]
impl RequestBody {
    pub(super) const fn none() -> Self {
        Self(Source::Nothing)
    }
}

impl From<Incoming> for RequestBody {
    fn from(body: Incoming) -> Self {
        Self(Source::Hyper(body))
    }
}

#[cfg(feature = "http3")]
impl From<quic::Behind> for RequestBody {
    fn from(body: quic::Behind) -> Self {
        Self(Source::Quic(body))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.0 {
            #[cfg(feature = "http3")]
            Source::Nothing => Poll::Ready(None),
            Source::Hyper(it) => Pin::new(it).poll_frame(cx).map_err(Into::into),
            #[cfg(feature = "http3")]
            Source::Quic(it) => Pin::new(it).poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            #[cfg(feature = "http3")]
            Source::Nothing => true,
            Source::Hyper(it) => it.is_end_stream(),
            #[cfg(feature = "http3")]
            Source::Quic(it) => it.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            #[cfg(feature = "http3")]
            Source::Nothing => SizeHint::with_exact(0),
            Source::Hyper(it) => it.size_hint(),
            #[cfg(feature = "http3")]
            Source::Quic(it) => it.size_hint(),
        }
    }
}
