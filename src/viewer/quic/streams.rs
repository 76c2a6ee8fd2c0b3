//! QUIC as HTTP/3's engine wants it, and no more of it than a viewer of media needs.

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use h3::error::Code;
use h3::quic::{self, ConnectionErrorIncoming, StreamErrorIncoming, StreamId, WriteBuf};
use quinn::{ConnectionError, ReadError, StoppedError, VarInt, WriteError};

use super::asked::{Asked, Behind, Head, readers};
use super::frames;
use super::guard::{Fault, Guard};
use super::one_way::{Control, OneWay};

/// Octets taken at once: heads of requests fit.
const PIECE: usize = 2048;

/// Resolves when the viewer does not want the rest of a response any more, or has all of it.
pub(super) type Unwanted = BoxFuture<'static, Result<Option<VarInt>, StoppedError>>;

/// The streams of a connection.
pub(super) struct Streams {
    connection: quinn::Connection,
    accepting: Option<BoxFuture<'static, Result<(quinn::SendStream, quinn::RecvStream), ConnectionError>>>,
    accepting_one_way: Option<BoxFuture<'static, Result<quinn::RecvStream, ConnectionError>>>,
    opening: Option<BoxFuture<'static, Result<quinn::SendStream, ConnectionError>>>,
    one_way: OneWay,
    /// Octets that a request may have beside its body.
    max_request: u64,
    guard: Arc<Guard>,
    latest: Latest,
}

/// About the request stream that was accepted last.
#[derive(Clone, Default)]
pub(super) struct Latest(Arc<Mutex<Option<Beside>>>);

/// What of a request stream the engine does not show.
pub(super) struct Beside {
    pub(super) unwanted: Unwanted,
    pub(super) body: Behind,
    pub(super) answering: Answering,
}

impl Latest {
    /// To be taken as soon as the engine shows the stream.
    pub(super) fn take(&self) -> Option<Beside> {
        self.0.lock().expect("no code panics while it holds this lock").take()
    }
}

impl Streams {
    /// A request may have so many octets beside its body.
    pub(super) fn new(connection: quinn::Connection, max_request: u64, guard: Arc<Guard>) -> Self {
        Self {
            connection,
            accepting: None,
            accepting_one_way: None,
            opening: None,
            one_way: OneWay::default(),
            max_request,
            guard,
            latest: Latest::default(),
        }
    }

    pub(super) fn latest(&self) -> Latest {
        self.latest.clone()
    }
}

impl quic::Connection<Bytes> for Streams {
    type RecvStream = Control;
    type OpenStreams = Self;

    fn poll_accept_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Control, ConnectionErrorIncoming>> {
        loop {
            let accept = self.accepting_one_way.get_or_insert_with(|| {
                let connection = self.connection.clone();
                async move { connection.accept_uni().await }.boxed()
            });
            let Poll::Ready(accepted) = accept.as_mut().poll(cx) else { break };
            self.accepting_one_way = None;
            self.guard.idle_word().map_err(of_fault)?;
            self.one_way.begins(accepted.map_err(of_connection)?);
        }
        self.one_way.poll_control(cx, &self.guard).map_err(of_fault)
    }

    fn poll_accept_bidi(&mut self, cx: &mut Context<'_>) -> Poll<Result<Both, ConnectionErrorIncoming>> {
        let accept = self.accepting.get_or_insert_with(|| {
            let connection = self.connection.clone();
            async move { connection.accept_bi().await }.boxed()
        });
        let accepted = ready!(accept.as_mut().poll(cx));
        self.accepting = None;
        let (sending, receiving) = accepted.map_err(of_connection)?;
        self.guard.opens();
        let unwanted = sending.stopped().boxed();
        let asked = Asked::new(receiving, Arc::clone(&self.guard), self.max_request);
        let (head, body) = readers(asked);
        let answering = Answering(Arc::new(Mutex::new(Sending::new(sending))));
        let beside = Beside { unwanted, body, answering: answering.clone() };
        *self.latest.0.lock().expect("no code panics while it holds this lock") = Some(beside);
        Poll::Ready(Ok(Both { answering, head }))
    }

    fn opener(&self) -> Self {
        Self::new(self.connection.clone(), self.max_request, Arc::clone(&self.guard))
    }
}

impl quic::OpenStreams<Bytes> for Streams {
    type BidiStream = Both;
    type SendStream = Sending;

    fn poll_open_bidi(&mut self, _: &mut Context<'_>) -> Poll<Result<Both, StreamErrorIncoming>> {
        Poll::Ready(Err(StreamErrorIncoming::Unknown("a server sends no request".into())))
    }

    fn poll_open_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<Sending, StreamErrorIncoming>> {
        let open = self.opening.get_or_insert_with(|| {
            let connection = self.connection.clone();
            async move { connection.open_uni().await }.boxed()
        });
        let opened = ready!(open.as_mut().poll(cx));
        self.opening = None;
        Poll::Ready(opened.map(Sending::new).map_err(of_stream))
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        self.connection.close(var_int(code.value()), reason);
    }
}

/// What we say on a stream.
pub(super) struct Sending {
    stream: quinn::SendStream,
    unsent: Option<WriteBuf<Bytes>>,
    arriving: Option<Unwanted>,
}

impl Sending {
    const fn new(stream: quinn::SendStream) -> Self {
        Self { stream, unsent: None, arriving: None }
    }
}

impl quic::SendStream<Bytes> for Sending {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        while let Some(unsent) = self.unsent.as_mut().filter(|it| it.has_remaining()) {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, unsent.chunk()));
            let written = written.map_err(|error| match error {
                WriteError::Stopped(code) => {
                    StreamErrorIncoming::StreamTerminated { error_code: code.into_inner() }
                }
                WriteError::ConnectionLost(error) => of_stream(error),
                other => StreamErrorIncoming::Unknown(other.into()),
            })?;
            unsent.advance(written);
        }
        self.unsent = None;
        Poll::Ready(Ok(()))
    }

    fn send_data<T: Into<WriteBuf<Bytes>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        if self.unsent.is_some() {
            return Err(StreamErrorIncoming::Unknown(
                "the engine did not wait for what it wrote before".into(),
            ));
        }
        self.unsent = Some(data.into());
        Ok(())
    }

    /// Ready when the viewer has everything, so that a connection can be closed then.
    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        let stream = &mut self.stream;
        let arriving = self.arriving.get_or_insert_with(|| {
            // It fails when the viewer has stopped the stream, which is told below.
            let _ = stream.finish();
            stream.stopped().boxed()
        });
        Poll::Ready(match ready!(arriving.as_mut().poll(cx)) {
            Ok(None) => Ok(()),
            Ok(Some(code)) => Err(StreamErrorIncoming::StreamTerminated { error_code: code.into_inner() }),
            Err(StoppedError::ConnectionLost(error)) => Err(of_stream(error)),
            Err(other) => Err(StreamErrorIncoming::Unknown(other.into())),
        })
    }

    fn reset(&mut self, reset_code: u64) {
        // A stream that is over already needs no reset.
        let _ = self.stream.reset(var_int(reset_code));
    }

    fn send_id(&self) -> StreamId {
        id(self.stream.id())
    }
}

impl Drop for Sending {
    /// An answer that was given up must not look like a whole one.
    fn drop(&mut self) {
        if self.arriving.is_none() {
            // A stream that is over already needs no reset.
            let _ = self.stream.reset(var_int(Code::H3_REQUEST_CANCELLED.value()));
        }
    }
}

/// What we answer on a request's stream: its head is written by the engine, its body by us, who copy none of it.
#[derive(Clone)]
pub(super) struct Answering(Arc<Mutex<Sending>>);

impl Answering {
    /// Sends some of the body, as far as the viewer's window and ours let us.
    pub(super) async fn data(&self, octets: Bytes) -> Result<(), WriteError> {
        if octets.is_empty() {
            return Ok(());
        }
        let mut frame = [frames::head(frames::DATA, octets.len() as u64), octets];
        while frame.iter().any(|it| !it.is_empty()) {
            // A future that has to wait has taken nothing, so each poll may begin with a new one.
            poll_fn(|cx| pin!(self.lock().stream.write_chunks(&mut frame)).poll(cx)).await?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Sending> {
        self.0.lock().expect("no code panics while it holds this lock")
    }
}

impl quic::SendStream<Bytes> for Answering {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.lock().poll_ready(cx)
    }

    fn send_data<T: Into<WriteBuf<Bytes>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.lock().send_data(data)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.lock().poll_finish(cx)
    }

    fn reset(&mut self, reset_code: u64) {
        self.lock().reset(reset_code);
    }

    fn send_id(&self) -> StreamId {
        self.lock().send_id()
    }
}

/// What a viewer says on a stream, as it comes.
pub(super) struct Octets {
    stream: quinn::RecvStream,
    unread: Bytes,
}

impl Octets {
    pub(super) const fn of(stream: quinn::RecvStream) -> Self {
        Self { stream, unread: Bytes::new() }
    }

    /// What came and was not taken yet.
    pub(super) const fn unread(&mut self) -> &mut Bytes {
        &mut self.unread
    }

    /// Reads on when there is nothing unread; false at the end.
    pub(super) fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
        let mut piece = [0; PIECE];
        let read = ready!(self.stream.poll_read(cx, &mut piece)).map_err(|error| {
            if !matches!(error, ReadError::Reset(_) | ReadError::ConnectionLost(_)) {
                tracing::debug!(%error, "a stream could not be read");
            }
            Fault::BrokenOff
        })?;
        self.unread = Bytes::copy_from_slice(&piece[..read]);
        Poll::Ready(Ok(read > 0))
    }

    pub(super) fn stop(&mut self, code: Code) {
        // A stream that is over already needs no stop.
        let _ = self.stream.stop(var_int(code.value()));
    }

    pub(super) fn id(&self) -> quinn::StreamId {
        self.stream.id()
    }
}

impl Drop for Octets {
    /// Nobody wants the rest, and nothing is wrong with it (RFC 9114 4.1).
    fn drop(&mut self) {
        self.stop(Code::H3_NO_ERROR);
    }
}

/// A request's stream.
pub(super) struct Both {
    answering: Answering,
    head: Head,
}

impl quic::BidiStream<Bytes> for Both {
    type SendStream = Answering;
    type RecvStream = Head;

    fn split(self) -> (Answering, Head) {
        (self.answering, self.head)
    }
}

impl quic::SendStream<Bytes> for Both {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.answering.poll_ready(cx)
    }

    fn send_data<T: Into<WriteBuf<Bytes>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.answering.send_data(data)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.answering.poll_finish(cx)
    }

    fn reset(&mut self, reset_code: u64) {
        self.answering.reset(reset_code);
    }

    fn send_id(&self) -> StreamId {
        self.answering.send_id()
    }
}

impl quic::RecvStream for Both {
    type Buf = Bytes;

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        self.head.poll_data(cx)
    }

    fn stop_sending(&mut self, error_code: u64) {
        self.head.stop_sending(error_code);
    }

    fn recv_id(&self) -> StreamId {
        self.head.recv_id()
    }
}

/// The connection is closed already, with the code of what was wrong.
fn of_fault(fault: Fault) -> ConnectionErrorIncoming {
    ConnectionErrorIncoming::Undefined(Arc::new(fault))
}

fn of_stream(error: ConnectionError) -> StreamErrorIncoming {
    StreamErrorIncoming::ConnectionErrorIncoming { connection_error: of_connection(error) }
}

fn of_connection(error: ConnectionError) -> ConnectionErrorIncoming {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            ConnectionErrorIncoming::ApplicationClose { error_code: close.error_code.into_inner() }
        }
        ConnectionError::TimedOut => ConnectionErrorIncoming::Timeout,
        other => ConnectionErrorIncoming::Undefined(Arc::new(other)),
    }
}

pub(super) fn id(stream: quinn::StreamId) -> StreamId {
    VarInt::from(stream).into_inner().try_into().expect("both count as QUIC does")
}

pub(super) fn var_int(code: u64) -> VarInt {
    VarInt::from_u64(code).unwrap_or(VarInt::MAX)
}
