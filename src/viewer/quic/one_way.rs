//! Streams that a viewer opens to say something beside requests (RFC 9114 6.2).

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h3::error::Code;
use h3::quic::{RecvStream, StreamErrorIncoming, StreamId};

use super::frames::{
    CANCEL_PUSH, DATA, Frames, GOAWAY, HEADERS, MAX_PUSH_ID, OF_HTTP_2, PUSH_PROMISE, Piece, SETTINGS, number,
};
use super::guard::{Fault, Guard};
use super::streams::{Octets, id};

/// What a stream says that it is for, in its first octets.
const CONTROL: u64 = 0x0;
const PUSH: u64 = 0x1;
const ENCODER: u64 = 0x2;
const DECODER: u64 = 0x3;
/// Octets of a frame on the control stream that means something to us; browsers' settings have about 40.
const MAX_FRAME: u64 = 1024;

/// A stream that has not said yet what it is for.
struct Unclear {
    octets: Octets,
    kind: Vec<u8>,
}

/// All such streams of a connection but the control stream, once that is known. Their number is bounded by QUIC.
#[derive(Default)]
pub(super) struct OneWay {
    unclear: Vec<Unclear>,
    has_control: bool,
    encoder: Option<Octets>,
    decoder: Option<Octets>,
    /// Whether a number on the decoder's stream goes on with the next octet.
    is_within_number: bool,
}

impl OneWay {
    pub(super) fn begins(&mut self, stream: quinn::RecvStream) {
        self.unclear.push(Unclear { octets: Octets::of(stream), kind: Vec::new() });
    }

    /// Hears all of them; ready when one of them is the control stream.
    pub(super) fn poll_control(
        &mut self,
        cx: &mut Context<'_>,
        guard: &Arc<Guard>,
    ) -> Poll<Result<Control, Fault>> {
        let mut control = None;
        for mut stream in std::mem::take(&mut self.unclear) {
            let kind = match stream.poll_kind(cx) {
                Poll::Ready(Some(it)) => it,
                // It may end before it says anything (RFC 9114 6.2).
                Poll::Ready(None) => continue,
                Poll::Pending => {
                    self.unclear.push(stream);
                    continue;
                }
            };
            let mut octets = stream.octets;
            let is_second = match kind {
                CONTROL => std::mem::replace(&mut self.has_control, true),
                ENCODER => self.encoder.is_some(),
                DECODER => self.decoder.is_some(),
                kind => kind == PUSH,
            };
            if is_second {
                return Poll::Ready(Err(guard.broken(Code::H3_STREAM_CREATION_ERROR)));
            }
            match kind {
                CONTROL => control = Some(Control::new(octets, Arc::clone(guard))),
                ENCODER => self.encoder = Some(octets),
                DECODER => self.decoder = Some(octets),
                _ => octets.stop(Code::H3_STREAM_CREATION_ERROR),
            }
        }
        self.hear_encoder(cx, guard)?;
        self.hear_decoder(cx, guard)?;
        control.map_or(Poll::Pending, |it| Poll::Ready(Ok(it)))
    }

    /// We remember nothing of fields, so there is nothing to tell us but that we need not (RFC 9204 3.2.3, 4.3.1).
    fn hear_encoder(&mut self, cx: &mut Context<'_>, guard: &Guard) -> Result<(), Fault> {
        const CAPACITY_0: u8 = 0x20;

        let Some(octets) = &mut self.encoder else { return Ok(()) };
        while let Poll::Ready(said) = octets.poll_said(cx, guard) {
            for octet in said? {
                guard.idle_word()?;
                if octet != CAPACITY_0 {
                    return Err(guard.broken(Code::QPACK_ENCODER_STREAM_ERROR));
                }
            }
        }
        Ok(())
    }

    /// We refer to nothing, so there is nothing to be acknowledged, and what is canceled is no loss (RFC 9204 4.4).
    fn hear_decoder(&mut self, cx: &mut Context<'_>, guard: &Guard) -> Result<(), Fault> {
        let Some(octets) = &mut self.decoder else { return Ok(()) };
        while let Poll::Ready(said) = octets.poll_said(cx, guard) {
            for octet in said? {
                if self.is_within_number {
                    self.is_within_number = octet >= 0x80;
                    continue;
                }
                guard.idle_word()?;
                if octet >> 6 != 0b01 {
                    return Err(guard.broken(Code::QPACK_DECODER_STREAM_ERROR));
                }
                self.is_within_number = octet & 0x3f == 0x3f;
            }
        }
        Ok(())
    }
}

impl Unclear {
    fn poll_kind(&mut self, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        loop {
            while !self.octets.unread().is_empty() {
                self.kind.push(self.octets.unread().split_to(1)[0]);
                if let Some((kind, _)) = number(&self.kind) {
                    return Poll::Ready(Some(kind));
                }
            }
            if !matches!(ready!(self.octets.poll_more(cx)), Ok(true)) {
                return Poll::Ready(None);
            }
        }
    }
}

impl Octets {
    /// The next octets of a stream that must not end (RFC 9204 4.2).
    fn poll_said(&mut self, cx: &mut Context<'_>, guard: &Guard) -> Poll<Result<Bytes, Fault>> {
        if self.unread().is_empty() && !matches!(ready!(self.poll_more(cx)), Ok(true)) {
            return Poll::Ready(Err(guard.broken(Code::H3_CLOSED_CRITICAL_STREAM)));
        }
        Poll::Ready(Ok(std::mem::take(self.unread())))
    }
}

/// The control stream, as HTTP/3's engine reads it: without what means nothing.
pub(super) struct Control {
    octets: Octets,
    guard: Arc<Guard>,
    frames: Frames,
    has_begun: bool,
    has_settings: bool,
    is_meant: bool,
}

impl Control {
    fn new(octets: Octets, guard: Arc<Guard>) -> Self {
        let frames = Frames::default();
        Self { octets, guard, frames, has_begun: false, has_settings: false, is_meant: false }
    }

    fn poll_meant(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Fault>> {
        if !std::mem::replace(&mut self.has_begun, true) {
            return Poll::Ready(Ok(Some(Bytes::from_static(&[CONTROL as u8]))));
        }
        loop {
            match self.frames.cut(self.octets.unread()) {
                Some(Piece::Head { kind, length, octets }) => {
                    self.is_meant = self.judge(kind, length)?;
                    if self.is_meant {
                        return Poll::Ready(Ok(Some(octets)));
                    }
                }
                Some(Piece::Payload(octets)) if self.is_meant => return Poll::Ready(Ok(Some(octets))),
                Some(Piece::Payload(_)) => {}
                None => {
                    if !ready!(self.octets.poll_more(cx))? {
                        return Poll::Ready(Ok(None));
                    }
                }
            }
        }
    }

    /// Whether the engine is to see a frame (RFC 9114 6.2.1, 7.2).
    fn judge(&mut self, kind: u64, length: u64) -> Result<bool, Fault> {
        self.guard.idle_word()?;
        if !std::mem::replace(&mut self.has_settings, true) && kind != SETTINGS {
            return Err(self.guard.broken(Code::H3_MISSING_SETTINGS));
        }
        match kind {
            SETTINGS | GOAWAY | MAX_PUSH_ID if length > MAX_FRAME => {
                Err(self.guard.broken(Code::H3_EXCESSIVE_LOAD))
            }
            SETTINGS | GOAWAY | MAX_PUSH_ID => Ok(true),
            // We have promised nothing that could be canceled.
            CANCEL_PUSH => Err(self.guard.broken(Code::H3_ID_ERROR)),
            DATA | HEADERS | PUSH_PROMISE => Err(self.guard.broken(Code::H3_FRAME_UNEXPECTED)),
            kind if OF_HTTP_2.contains(&kind) => Err(self.guard.broken(Code::H3_FRAME_UNEXPECTED)),
            _ => Ok(false),
        }
    }
}

impl RecvStream for Control {
    type Buf = Bytes;

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        self.poll_meant(cx).map_err(Into::into)
    }

    fn stop_sending(&mut self, error_code: u64) {
        self.octets.stop(error_code.into());
    }

    fn recv_id(&self) -> StreamId {
        id(self.octets.id())
    }
}
