//! A socket that gives up on a reader who takes next to nothing.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::activity::LEAST_RATE;

/// Wraps a viewer's socket: ends in `TimedOut` when a write makes no progress to speak of.
pub(super) struct Steady<S> {
    socket: S,
    send_timeout: Duration,
    blocked: Option<Blocked>,
}

/// The socket took less than it was offered; how much it has taken since.
struct Blocked {
    taken: u64,
    alarm: Pin<Box<Sleep>>,
}

impl<S> Steady<S> {
    pub(super) const fn new(socket: S, send_timeout: Duration) -> Self {
        Self { socket, send_timeout, blocked: None }
    }

    /// Counts what a write did; a full write shows that the reader is not the limit.
    fn took(&mut self, taken: usize, offered: usize) {
        if taken >= offered {
            self.blocked = None;
        } else if let Some(blocked) = &mut self.blocked {
            blocked.taken += taken as u64;
        }
    }

    /// A write has to wait: ready when it has waited too long.
    fn poll_too_slow(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let timeout = self.send_timeout;
        let blocked =
            self.blocked.get_or_insert_with(|| Blocked { taken: 0, alarm: Box::pin(sleep(timeout)) });
        loop {
            ready!(blocked.alarm.as_mut().poll(cx));
            if blocked.taken < LEAST_RATE * timeout.as_secs() {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            blocked.taken = 0;
            blocked.alarm.as_mut().reset(Instant::now() + timeout);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Steady<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Steady<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.socket).poll_write(cx, bytes) {
            Poll::Ready(Ok(taken)) => {
                self.took(taken, bytes.len());
                Poll::Ready(Ok(taken))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.poll_too_slow(cx).map(Err),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.socket).poll_write_vectored(cx, slices) {
            Poll::Ready(Ok(taken)) => {
                let offered = slices.iter().map(|it| it.len()).sum();
                self.took(taken, offered);
                Poll::Ready(Ok(taken))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.poll_too_slow(cx).map(Err),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reader_who_takes_nothing_is_given_up() {
        let (ours, _theirs) = tokio::io::duplex(1024);
        let mut steady = Steady::new(ours, Duration::from_secs(30));
        let error = steady.write_all(&[0; 4096]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_who_keeps_taking_is_not() {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let mut steady = Steady::new(ours, Duration::from_secs(30));
        let reader = tokio::spawn(async move {
            let mut taken = 0;
            let mut buffer = [0; 2048];
            while taken < 200 * 1024 {
                tokio::time::sleep(Duration::from_millis(500)).await;
                taken += theirs.read(&mut buffer).await.unwrap();
            }
            taken
        });
        steady.write_all(&vec![0; 200 * 1024]).await.unwrap();
        drop(steady);
        assert_eq!(reader.await.unwrap(), 200 * 1024);
    }
}
