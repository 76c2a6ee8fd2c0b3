//! Any bytes after the handshake: understood or refused, the same however they are split, within the bounds.
#![no_main]

use std::time::Instant;

use bytes::Bytes;
use levada_ingest::rtmp::chunk::Fault;
use levada_ingest::rtmp::link;
use levada_ingest::rtmp::session::{
    ConnectRefusal, Error, Event, Limits, PlayRefusal, PublishRefusal, Session,
};
use libfuzzer_sys::fuzz_target;

/// Small, so that the fuzzer reaches it.
const PARTIAL_BYTES: usize = 16 << 10;

fuzz_target!(|input: (u8, &[u8])| {
    let (seed, bytes) = input;
    let bytes = Bytes::copy_from_slice(bytes);
    let whole = replay(seed, std::iter::once(bytes.clone()));
    let split = replay(seed, split(seed, bytes));
    if !is_of_pieces(&whole.1) && !is_of_pieces(&split.1) {
        assert_eq!(whole, split);
    }
});

/// How many answers wait, and how much is held of messages that did not come in one piece, depends on the pieces.
fn is_of_pieces(error: &Option<Error>) -> bool {
    use link::Error::{Chunk, Deaf};
    matches!(error, Some(Error::Link(Deaf { .. } | Chunk { fault: Fault::OverBudget { .. }, .. })))
}

/// The seed's bits say which wishes are refused.
fn replay(seed: u8, pieces: impl Iterator<Item = Bytes>) -> (Vec<Event>, Option<Error>) {
    let now = Instant::now();
    let limits = Limits { partial_bytes: PARTIAL_BYTES, ..Limits::default() };
    let mut session = Session::after_handshake(limits, now);
    let mut events = Vec::new();
    for piece in pieces {
        if let Err(error) = session.push(piece, now) {
            return (events, Some(error));
        }
        loop {
            let event = match session.poll() {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => return (events, Some(error)),
            };
            decide(seed, &mut session, &event);
            events.push(event);
            assert!(!session.awaits_decision());
            assert!(session.held() <= PARTIAL_BYTES);
        }
        while let Some(piece) = session.poll_transmit() {
            assert!(!piece.is_empty());
        }
    }
    (events, None)
}

fn decide(seed: u8, session: &mut Session, event: &Event) {
    match event {
        Event::Connect(_) if seed & 7 == 1 => session.refuse_connect(ConnectRefusal::Rejected, "No."),
        Event::Connect(_) => session.accept_connect(),
        Event::Publish(it) if seed & 7 == 2 => {
            session.refuse_publish(it.stream, PublishRefusal::Denied, "No.")
        }
        Event::Publish(it) => session.accept_publish(it.stream),
        Event::Play(it) if seed & 7 == 3 => session.refuse_play(it.stream, PlayRefusal::NotFound, "No."),
        Event::Play(it) => {
            session.accept_play(it.stream);
            if seed & 7 == 4 {
                session.end_play(it.stream);
            }
        }
        _ => {}
    }
}

/// Pieces of one to sixteen bytes, or of hundreds.
fn split(seed: u8, bytes: Bytes) -> impl Iterator<Item = Bytes> {
    let (mut rest, mut state) = (bytes, u32::from(seed) + 1);
    std::iter::from_fn(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let most = if seed & 8 == 0 { 16 } else { 600 };
        let length = (1 + (state >> 16) as usize % most).min(rest.len());
        (length > 0).then(|| rest.split_to(length))
    })
}
