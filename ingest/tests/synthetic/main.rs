//! Synthetic tapes: the dialogues of many encoders, replayed byte for byte. However the bytes are split, the session
//! says the same, and it is what the encoder meant. `LEVADA_TAPE_SPLITS` sets the number of random splits of each.

mod encoders;
mod wire;

use std::time::Instant;

use bytes::Bytes;
use levada_ingest::rtmp::session::{Event, Limits, Session};

use encoders::Tape;

#[test]
fn every_encoder_is_understood() {
    for tape in encoders::all() {
        let events = replay(std::iter::once(tape.bytes.clone()));
        let [Event::Connect(_), Event::Publish(publish), media @ .., Event::Unpublish { .. }] = &events[..]
        else {
            panic!("{}: {events:?}", tape.name)
        };
        assert_eq!((&*publish.app, &*publish.name), tape.target, "{}", tape.name);
        check_media(&tape, media);
    }
}

#[test]
fn any_splitting_of_the_bytes_says_the_same() {
    let splits = std::env::var("LEVADA_TAPE_SPLITS").map_or(32, |it| it.parse().expect("a number of splits"));
    for tape in encoders::all() {
        let events = replay(std::iter::once(tape.bytes.clone()));
        let single = (0..tape.bytes.len()).map(|at| tape.bytes.slice(at..=at));
        assert!(replay(single) == events, "byte by byte, {} says something else", tape.name);
        for seed in 1..=splits {
            let pieces = split(&tape.bytes, seed);
            assert!(replay(pieces) == events, "split with seed {seed}, {} says something else", tape.name);
        }
    }
}

#[test]
fn a_tape_cut_anywhere_is_no_error() {
    for tape in encoders::all() {
        for seed in 1..=32 {
            let cut = (random(seed) as usize) % tape.bytes.len();
            replay(std::iter::once(tape.bytes.slice(..cut)));
        }
    }
}

#[track_caller]
fn check_media(tape: &Tape, events: &[Event]) {
    let media: Vec<_> = events
        .iter()
        .map(|event| match event {
            Event::Audio { timestamp, payload, .. } => (8, *timestamp, payload.clone()),
            Event::Video { timestamp, payload, .. } => (9, *timestamp, payload.clone()),
            Event::Data { timestamp, payload, .. } => (18, *timestamp, payload.clone()),
            other => panic!("{}: {other:?}", tape.name),
        })
        .collect();
    let first_other = media.iter().zip(&tape.media).position(|(found, sent)| found != sent);
    assert_eq!((first_other, media.len()), (None, tape.media.len()), "{}", tape.name);
}

fn replay(pieces: impl IntoIterator<Item = Bytes>) -> Vec<Event> {
    let now = Instant::now();
    let mut session = Session::new(Limits::default(), now);
    let mut events = Vec::new();
    for piece in pieces {
        session.push(piece, now).expect("the encoder keeps to the protocol");
        while let Some(event) = session.poll().expect("the encoder keeps to the protocol") {
            match &event {
                Event::Connect(_) => session.accept_connect(),
                Event::Publish(request) => session.accept_publish(request.stream),
                _ => {}
            }
            events.push(event);
        }
        while session.poll_transmit().is_some() {}
    }
    events
}

/// Splits at places that depend on the seed alone: many small pieces, some large ones.
fn split(bytes: &Bytes, seed: u64) -> Vec<Bytes> {
    let (mut rest, mut pieces, mut state) = (bytes.clone(), Vec::new(), random(seed));
    while !rest.is_empty() {
        state = random(state);
        let most = if state.is_multiple_of(3) { 5000 } else { 40 };
        pieces.push(rest.split_to((1 + (state >> 32) as usize % most).min(rest.len())));
    }
    pieces
}

/// SplitMix64.
const fn random(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
