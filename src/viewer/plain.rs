//! A socket without TLS, to which octets of the vault are given without copying them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::{SendAncillaryBuffer, SendFlags};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use crate::vault::{self, Place};

/// A viewer's socket.
pub(super) struct Plain(TcpStream);

impl Plain {
    pub(super) const fn new(socket: TcpStream) -> Self {
        Self(socket)
    }

    /// Writes `before`, and behind it what lies at a place, as far as the socket takes them.
    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        before: &[IoSlice<'_>],
        place: Place,
    ) -> Poll<io::Result<usize>> {
        self.poll_until_done(cx, || send(&self.0, before, place))
    }

    /// Tries it whenever the socket has room. A signal that came in between says nothing of the socket.
    fn poll_until_done(
        &self,
        cx: &mut Context<'_>,
        mut send: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_io(Interest::WRITABLE, &mut send) {
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

/// The head travels in one packet with the first octets of its body.
fn send(socket: &TcpStream, before: &[IoSlice<'_>], place: Place) -> io::Result<usize> {
    let length: usize = before.iter().map(|it| it.len()).sum();
    if length == 0 {
        return vault::send(socket, place);
    }
    let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
    let taken = rustix::net::sendmsg(socket, before, &mut SendAncillaryBuffer::default(), flags)?;
    if taken < length {
        return Ok(taken);
    }
    match vault::send(socket, place) {
        Ok(more) => Ok(taken + more),
        // What was taken was taken; the next write tells of what is wrong.
        Err(_) => Ok(taken),
    }
}

impl AsyncRead for Plain {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Plain {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match vault::place(bytes) {
            Some(place) => self.poll_send(cx, &[], place),
            None => Pin::new(&mut self.0).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut places = slices.iter().map(|it| vault::place(it)).enumerate();
        match places.find_map(|(index, place)| Some((index, place?))) {
            Some((index, place)) => self.poll_send(cx, &slices[..index], place),
            None => Pin::new(&mut self.0).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_signal_ends_no_viewers_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
        let address = listener.local_addr().expect("it has one");
        let _viewer = TcpStream::connect(address).await.expect("it listens");
        let socket = Plain::new(listener.accept().await.expect("somebody came").0);
        let mut answers =
            vec![Ok(7), Err(io::ErrorKind::Interrupted.into()), Err(io::ErrorKind::Interrupted.into())];
        let sent = std::future::poll_fn(|cx| {
            socket.poll_until_done(cx, || answers.pop().expect("it was done before"))
        });
        assert_eq!(sent.await.expect("it was sent"), 7);
    }

    #[tokio::test]
    async fn a_head_and_a_body_of_the_vault_arrive_in_order_whatever_the_socket_takes_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
        let address = listener.local_addr().expect("it has one");
        let expected: Vec<u8> = (0..8_000_000_usize).map(|it| (it % 251) as u8).collect();
        let body = vault::joined(&[expected.clone().into()]);
        assert!(vault::place(&body).is_some());
        let writer = tokio::spawn(async move {
            let mut socket = Plain::new(listener.accept().await.expect("somebody came").0);
            let (mut head, mut body, mut tail) = (&b"head"[..], &body[..], &b"tail"[..]);
            while !head.is_empty() || !body.is_empty() || !tail.is_empty() {
                let slices = [IoSlice::new(head), IoSlice::new(body), IoSlice::new(tail)];
                let mut taken = socket.write_vectored(&slices).await.expect("it is taken");
                for part in [&mut head, &mut body, &mut tail] {
                    let of_it = taken.min(part.len());
                    (*part, taken) = (&part[of_it..], taken - of_it);
                }
            }
            socket.shutdown().await.expect("it ends");
        });
        let mut got = Vec::new();
        TcpStream::connect(address).await.unwrap().read_to_end(&mut got).await.expect("it comes");
        writer.await.expect("it ends");
        assert!(got == [b"head", &*expected, b"tail"].concat());
    }
}
