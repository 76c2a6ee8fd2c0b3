//! A socket that comes back from whoever speaks over it.
//!
//! hyper answers most that is wrong with a request, but hangs up without a word on a viewer whose head does not come.
//! Whoever drives it gets the socket back then, with the knowledge whether a word would be understood.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

use super::activity::{Activity, Misconduct};
use super::frames::Frames;
use super::lines::Lines;

/// What every HTTP/2 connection begins with (RFC 9113 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A socket that goes home when it is dropped. What comes over it is noted in the connection's [`Activity`].
pub(super) struct Lent<S> {
    /// There until it is dropped.
    socket: Option<S>,
    home: Option<oneshot::Sender<Returned<S>>>,
    activity: Arc<Activity>,
    opening: Opening,
    frames: Frames,
    lines: Lines,
    /// Whether the last write took less than it was offered: dropped now, its writer leaves half a sentence.
    is_cut_short: bool,
}

/// What the viewer has shown of how it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    /// So many octets, all of them of HTTP/2's preface.
    Unclear(usize),
    Http1,
    Http2,
}

/// Where a socket comes back to.
pub(super) struct Home<S>(oneshot::Receiver<Returned<S>>);

struct Returned<S> {
    socket: S,
    is_understood: bool,
}

/// Lends a socket; it has come home when the first value is dropped.
pub(super) fn lend<S>(socket: S, activity: Arc<Activity>) -> (Lent<S>, Home<S>) {
    let (home, returned) = oneshot::channel();
    let opening = Opening::Unclear(0);
    let (frames, lines) = (Frames::new(Instant::now()), Lines::new());
    let lent = Lent {
        socket: Some(socket),
        home: Some(home),
        activity,
        opening,
        frames,
        lines,
        is_cut_short: false,
    };
    (lent, Home(returned))
}

impl<S> Home<S> {
    /// The socket, if a response of HTTP/1.1 written to it now would be understood as one.
    pub(super) fn understood(mut self) -> Option<S> {
        self.0.try_recv().ok().filter(|it| it.is_understood).map(|it| it.socket)
    }
}

impl<S: Unpin> Lent<S> {
    fn socket(&mut self) -> Pin<&mut S> {
        Pin::new(self.socket.as_mut().expect("it is there until it is dropped"))
    }

    fn heard(&mut self, bytes: &[u8]) -> io::Result<()> {
        let now = Instant::now();
        let mut behind = bytes;
        if let Opening::Unclear(known) = self.opening {
            self.opening = Opening::of(known, bytes);
            if self.opening == Opening::Http2 {
                self.activity.speaks_frames();
                behind = bytes.get(PREFACE.len() - known..).unwrap_or_default();
            }
        }
        self.activity.bytes(now);
        let misconduct = match self.opening {
            Opening::Http2 if !self.frames.heard(behind, now) => Misconduct::Flood,
            Opening::Http1 | Opening::Unclear(_) if !self.lines.heard(bytes) => Misconduct::BareLine,
            _ => return Ok(()),
        };
        self.activity.misbehaves(misconduct);
        Err(io::ErrorKind::InvalidData.into())
    }

    fn wrote(&mut self, written: &Poll<io::Result<usize>>, offered: usize) {
        if let Poll::Ready(Ok(taken)) = written {
            self.frames.said(*taken);
        }
        self.is_cut_short = !matches!(written, Poll::Ready(Ok(taken)) if *taken >= offered);
    }
}

impl Opening {
    /// After `known` octets of the preface and `more`.
    fn of(known: usize, more: &[u8]) -> Self {
        let expected = &PREFACE[known..];
        let compared = more.len().min(expected.len());
        if more[..compared] != expected[..compared] {
            Self::Http1
        } else if compared == expected.len() {
            Self::Http2
        } else {
            Self::Unclear(known + compared)
        }
    }
}

impl<S> Drop for Lent<S> {
    fn drop(&mut self) {
        if let (Some(socket), Some(home)) = (self.socket.take(), self.home.take()) {
            let is_understood = self.opening == Opening::Http1 && !self.is_cut_short;
            // Nobody waits for it when the connection has ended well.
            let _ = home.send(Returned { socket, is_understood });
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lent<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(self.socket().poll_read(cx, buffer))?;
        let heard = &buffer.filled()[before..];
        if !heard.is_empty() {
            return Poll::Ready(self.heard(heard));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Lent<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.socket().poll_write(cx, bytes);
        self.wrote(&written, bytes.len());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.socket().poll_write_vectored(cx, slices);
        self.wrote(&written, slices.iter().map(|it| it.len()).sum());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket().poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::viewer::activity::Patience;

    /// Whether a socket is understood that has heard and then said this, with room for 8 octets.
    async fn check(heard: &[&[u8]], said: &[u8], expected: bool) {
        let (ours, mut theirs) = tokio::io::duplex(8);
        let second = Duration::from_secs(1);
        let patience = Patience { header: second, keep_alive: second, send: second };
        let activity = Arc::new(Activity::new(Instant::now(), patience));
        let (mut lent, home) = lend(ours, activity);
        let mut buffer = [0; 8];
        for bytes in heard {
            theirs.write_all(bytes).await.unwrap();
            lent.read_exact(&mut buffer[..bytes.len()]).await.unwrap();
        }
        let _ = tokio::time::timeout(Duration::from_secs(1), lent.write_all(said)).await;
        drop(lent);
        assert_eq!(home.understood().is_some(), expected, "{heard:?} {said:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_word_is_understood_by_who_spoke_http_1_and_was_told_all_before_it() {
        check(&[b"G"], b"", true).await;
        check(&[b"GET /"], b"HTTP/1.1", true).await;
        check(&[b"PRI * ", b"GE"], b"", true).await;
        check(&[], b"", false).await;
        check(&[b"PRI * ", b"HTTP"], b"", false).await;
        check(&[b"PRI * HT", b"TP/2.0\r\n", b"\r\nSM\r\n\r\n"], b"", false).await;
        check(&[b"GET /"], b"HTTP/1.1 200 OK", false).await;
    }
}
