//! The handshake of either end, simple or with digests (live.md 1.2).
//!
//! The crate rml_rtmp computes it; it is fed whole packets only, so that it holds and copies nothing else, answers
//! C0 and C1 with S0, S1 and S2 in one piece (Wirecast and some hardware hang on less), and never sees what a peer
//! pipelines behind it.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};
use rml_rtmp::handshake::{Handshake as Exchange, HandshakeProcessResult, PeerType};

/// C1, S1, C2 and S2 are of this size.
const PACKET: usize = 1536;

/// The version a peer must show in its first byte, and we in ours.
const VERSION: u8 = 3;

/// What is wrong with a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The first bytes begin a TLS handshake.
    #[error("the peer speaks TLS to the plain RTMP port")]
    Tls,
    /// The first byte is the first of an HTTP request.
    #[error("the peer speaks HTTP to the RTMP port")]
    Http,
    /// RC4 encryption, obsolete and no protection.
    #[error("the peer asks for RTMPE (version {0}), which is not offered")]
    Encrypted(u8),
    /// The first byte is no version of RTMP.
    #[error("the first byte is {0:#04x}, which is no version of RTMP")]
    NotRtmp(u8),
    /// The exchange failed in a way its library names but its inputs rule out.
    #[error("the handshake failed")]
    Exchange,
}

/// One end of a handshake under way.
pub(super) struct Handshake {
    exchange: Exchange,
    awaited: Awaited,
    received: BytesMut,
}

/// The packets of the peer that come next. Both ends answer the first with all they have left to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    /// C0 and C1, or S0 and S1.
    Opening,
    /// C2 or S2.
    Echo,
}

/// What came of a step.
#[derive(Debug)]
pub(super) enum Progress {
    /// More bytes are needed.
    Waiting,
    /// Send this, then go on.
    Reply(Bytes),
    /// The handshake is over; what is left of the input comes after it.
    Done,
}

impl Handshake {
    pub(super) fn server() -> Self {
        Self::new(PeerType::Server)
    }

    /// A client's end, and its C0 and C1.
    pub(super) fn client() -> (Self, Bytes) {
        let mut handshake = Self::new(PeerType::Client);
        let opening = handshake.exchange.generate_outbound_p0_and_p1();
        let opening = opening.expect("it hashes random bytes, which has no way to fail");
        (handshake, opening.into())
    }

    fn new(peer: PeerType) -> Self {
        Self { exchange: Exchange::new(peer), awaited: Awaited::Opening, received: BytesMut::new() }
    }

    /// Takes from `input` what belongs to the handshake, and no more.
    pub(super) fn step(&mut self, input: &mut Bytes) -> Result<Progress, Fault> {
        let wanted = match self.awaited {
            Awaited::Opening => 1 + PACKET,
            Awaited::Echo => PACKET,
        };
        let missing = wanted.saturating_sub(self.received.len());
        self.received.extend_from_slice(&input.split_to(missing.min(input.len())));
        if self.awaited == Awaited::Opening {
            check_version(&self.received)?;
        }
        if self.received.len() < wanted {
            return Ok(Progress::Waiting);
        }
        let mut packets = self.received.split();
        if let (Awaited::Opening, Some(version)) = (self.awaited, packets.first_mut()) {
            // Any other version is answered with 3 (RTMP 1.0, 5.2.2).
            *version = VERSION;
        }
        self.awaited = Awaited::Echo;
        match self.exchange.process_bytes(&packets).map_err(|_| Fault::Exchange)? {
            HandshakeProcessResult::InProgress { response_bytes } => {
                Ok(Progress::Reply(response_bytes.into()))
            }
            HandshakeProcessResult::Completed { .. } => Ok(Progress::Done),
        }
    }
}

/// Judges the first bytes as soon as they are there: what is not RTMP need not wait for a deadline.
fn check_version(received: &[u8]) -> Result<(), Fault> {
    let mut received = received;
    match received.try_get_u8() {
        Err(_) => Ok(()),
        Ok(0x16) => match received.try_get_u8() {
            Ok(0x03) => Err(Fault::Tls),
            Ok(_) => Err(Fault::NotRtmp(0x16)),
            Err(_) => Ok(()),
        },
        Ok(version @ (6 | 8 | 9)) => Err(Fault::Encrypted(version)),
        // GET, HEAD, POST, PUT, OPTIONS, CONNECT, DELETE.
        Ok(b'G' | b'H' | b'P' | b'O' | b'C' | b'D') => Err(Fault::Http),
        Ok(other) if other >= 32 => Err(Fault::NotRtmp(other)),
        Ok(_) => Ok(()),
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("received", &self.received.len()).finish_non_exhaustive()
    }
}
