//! The handshake of either end, simple or with digests (live.md 1.2).
//!
//! The crate rml_rtmp computes it; it is fed whole packets only, so that it holds and copies nothing else, answers
//! C0 and C1 with S0, S1 and S2 in one piece (Wirecast and some hardware hang on less), and never sees what a peer
//! pipelines behind it.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

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

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test may panic")]
mod tests {
    use hmac::{Hmac, Mac, NewMac};
    use sha2::Sha256;

    use super::*;

    const PLAYER: &[u8] = b"Genuine Adobe Flash Player 001";
    const SERVER: &[u8] = b"Genuine Adobe Flash Media Server 001";
    const TAIL: [u8; 32] = [
        0xF0, 0xEE, 0xC2, 0x4A, 0x80, 0x68, 0xBE, 0xE8, 0x2E, 0x00, 0xD0, 0xD1, 0x02, 0x9E, 0x7E, 0x57, 0x6E,
        0xEC, 0x5D, 0x2D, 0x29, 0x80, 0x6F, 0xAB, 0x93, 0xB8, 0xE6, 0x36, 0xCF, 0xEB, 0x31, 0xAE,
    ];

    /// A C0 and C1 with that version in bytes 4 to 7, and noise that repeats.
    fn opening(version: [u8; 4]) -> Vec<u8> {
        let mut bytes = vec![3];
        bytes.extend((0..PACKET).map(|at| (at * 7 % 251) as u8));
        bytes[5..9].copy_from_slice(&version);
        bytes
    }

    fn digest(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_varkey(key).unwrap();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().to_vec()
    }

    /// Puts a digest into C1 where the four bytes at `pointer` say.
    fn sign(packets: &mut [u8], pointer: usize) -> Vec<u8> {
        let packet = &mut packets[1..];
        let sum: usize = packet[pointer..pointer + 4].iter().map(|&it| usize::from(it)).sum();
        let at = pointer + 4 + sum % 728;
        let digest = digest(PLAYER, &[&packet[..at], &packet[at + 32..]]);
        packet[at..at + 32].copy_from_slice(&digest);
        digest
    }

    /// Feeds C0 and C1 in pieces; the answer must come at their last byte, whole.
    fn answer(packets: &[u8], size: usize) -> (Handshake, Bytes) {
        let mut handshake = Handshake::server();
        let mut replies = Vec::new();
        for piece in packets.chunks(size) {
            assert_eq!(replies.len(), 0);
            let mut input = Bytes::copy_from_slice(piece);
            match handshake.step(&mut input).unwrap() {
                Progress::Waiting => {}
                Progress::Reply(reply) => replies.push(reply),
                Progress::Done => panic!("C2 has not come"),
            }
            assert!(input.is_empty());
        }
        assert_eq!(replies[0].len(), 1 + 2 * PACKET);
        (handshake, replies.remove(0))
    }

    #[test]
    fn a_simple_opening_is_echoed_in_one_piece_with_our_own() {
        let packets = opening([0; 4]);
        for size in [1, 700, 4096] {
            let (_, reply) = answer(&packets, size);
            assert_eq!(reply[0], 3);
            assert_eq!(reply[1 + PACKET..], packets[1..]);
        }
    }

    #[test]
    fn a_digest_in_either_layout_is_answered_with_the_digest_of_a_server() {
        for pointer in [8, 772] {
            let mut packets = opening([9, 0, 124, 2]);
            let theirs = sign(&mut packets, pointer);
            let (_, reply) = answer(&packets, 4096);
            let echo = &reply[1 + PACKET..];
            let key = digest(&[SERVER, &TAIL].concat(), &[&theirs]);
            assert_eq!(echo[PACKET - 32..], digest(&key, &[&echo[..PACKET - 32]])[..]);
            // S1 carries a digest of its own, in the layout with the key first.
            let ours = &reply[1..1 + PACKET];
            let at = 776 + ours[772..776].iter().map(|&it| usize::from(it)).sum::<usize>() % 728;
            assert_eq!(ours[at..at + 32], digest(SERVER, &[&ours[..at], &ours[at + 32..]])[..]);
        }
    }

    #[test]
    fn a_version_without_a_digest_is_taken_for_the_simple_form() {
        let packets = opening([9, 0, 124, 2]);
        let (_, reply) = answer(&packets, 4096);
        assert_eq!(reply[1 + PACKET..], packets[1..]);
    }

    #[test]
    fn what_follows_c2_is_left_in_the_input_and_c2_itself_is_not_judged() {
        let (mut handshake, _) = answer(&opening([0; 4]), 4096);
        let mut input = Bytes::from([&[0xAB; PACKET][..], b"connect"].concat());
        assert!(matches!(handshake.step(&mut input), Ok(Progress::Done)));
        assert_eq!(input, "connect");
    }

    #[test]
    fn everything_may_come_at_once() {
        let mut input = Bytes::from([&opening([0; 4])[..], &[0; PACKET], b"connect"].concat());
        let mut handshake = Handshake::server();
        assert!(matches!(handshake.step(&mut input), Ok(Progress::Reply(_))));
        assert!(matches!(handshake.step(&mut input), Ok(Progress::Done)));
        assert_eq!(input, "connect");
    }

    #[test]
    fn a_client_and_a_server_shake_hands() {
        let (mut client, hello) = Handshake::client();
        let (mut server, reply) = answer(&hello, 4096);
        let mut reply = reply;
        let Ok(Progress::Reply(mut echo)) = client.step(&mut reply) else { panic!("S0 and S1 have come") };
        assert!(matches!(client.step(&mut reply), Ok(Progress::Done)));
        assert!(matches!(server.step(&mut echo), Ok(Progress::Done)));
    }

    #[test]
    fn what_is_not_rtmp_is_named_at_its_first_bytes() {
        let check = |bytes: &'static [u8], expected: Result<(), Fault>| {
            let outcome = Handshake::server().step(&mut Bytes::from_static(bytes)).map(|_| ());
            assert_eq!(outcome, expected, "{bytes:02x?}");
        };
        check(b"GET / HTTP/1.1", Err(Fault::Http));
        check(b"\x16\x03\x01", Err(Fault::Tls));
        check(b"\x16", Ok(()));
        check(b"\x16\x04", Err(Fault::NotRtmp(0x16)));
        check(b"\x06", Err(Fault::Encrypted(6)));
        check(b"\xff", Err(Fault::NotRtmp(0xff)));
        // Any other small version is answered with 3.
        check(b"\x1f\0\0", Ok(()));
        check(b"", Ok(()));
    }

    #[test]
    fn a_strange_version_is_answered_with_ours() {
        let mut packets = opening([0; 4]);
        packets[0] = 31;
        let (_, reply) = answer(&packets, 4096);
        assert_eq!(reply[0], 3);
    }
}
