//! Tapes: what real encoders sent, replayed byte for byte through session, FLV reader and timeline. However the
//! bytes are split, the broadcast is told the same. Encoders that could not be recorded are [`synthetic`].
//!
//! Tapes are recorded with `examples/tape.rs`. `LEVADA_TAPE_SPLITS` sets the number of random splits of each.

mod synthetic;

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use levada_ingest::intake::Intake;
use levada_ingest::rtmp::session::{Event, Limits, Session};
use packager::live::Input;
use packager::media::CodecConfig;

#[test]
fn ffmpeg_copying_a_file_is_understood() {
    check("ffmpeg-copy");
}

#[test]
fn ffmpeg_encoding_b_frames_is_understood() {
    check("ffmpeg-x264-b-frames");
}

#[test]
fn gstreamer_rtmp2sink_is_understood() {
    check("gstreamer-rtmp2sink");
}

#[test]
fn obs_studio_is_understood() {
    check("obs-x264");
}

#[test]
fn flash_media_live_encoder_is_understood() {
    check_bytes("synthetic-fmle", synthetic::fmle());
}

#[test]
fn applications_with_librtmp_are_understood() {
    check_bytes("synthetic-librtmp", synthetic::librtmp());
}

#[test]
fn wirecast_is_understood() {
    check_bytes("synthetic-wirecast", synthetic::wirecast());
}

#[test]
fn phones_are_understood() {
    check_bytes("synthetic-phone", synthetic::phone());
}

#[test]
fn hardware_encoders_are_understood() {
    check_bytes("synthetic-hardware", synthetic::hardware());
}

#[test]
fn servers_that_push_are_understood() {
    check_bytes("synthetic-relay", synthetic::relay());
}

/// One read of the recorder.
struct Read {
    at: Duration,
    bytes: Bytes,
}

#[track_caller]
fn check(name: &str) {
    check_reads(name, &load(name));
}

#[track_caller]
fn check_bytes(name: &str, bytes: Bytes) {
    check_reads(name, &[piece(bytes)]);
}

#[track_caller]
fn check_reads(name: &str, tape: &[Read]) {
    let told = replay(tape);
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(name, summary(&told)) });

    let whole: Bytes = tape.iter().flat_map(|it| it.bytes.iter().copied()).collect();
    let single: Vec<Read> = (0..whole.len()).map(|at| piece(whole.slice(at..=at))).collect();
    assert!(replay(&single) == told, "byte by byte, {name} says something else");
    assert!(replay(&[piece(whole.clone())]) == told, "in one piece, {name} says something else");

    let splits = std::env::var("LEVADA_TAPE_SPLITS").map_or(32, |it| it.parse().expect("a number of splits"));
    for seed in 1..=splits {
        assert!(replay(&split(&whole, seed)) == told, "split with seed {seed}, {name} says something else");
    }
}

fn load(name: &str) -> Vec<Read> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tapes").join(name).with_extension("rtmp");
    let mut tape = Bytes::from(std::fs::read(path).expect("the tape is there"));
    let mut reads = Vec::new();
    while !tape.is_empty() {
        let header = tape.split_to(8);
        let [at, length] = [0, 4].map(|it| u32::from_be_bytes(header[it..it + 4].try_into().unwrap()));
        reads.push(Read { at: Duration::from_millis(at.into()), bytes: tape.split_to(length as usize) });
    }
    reads
}

fn piece(bytes: Bytes) -> Read {
    Read { at: Duration::ZERO, bytes }
}

/// Splits at places that depend on the seed alone: many small pieces, some large ones.
fn split(whole: &Bytes, seed: u64) -> Vec<Read> {
    let (mut rest, mut reads, mut state) =
        (whole.clone(), Vec::new(), seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    while !rest.is_empty() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let most = if state.is_multiple_of(3) { 4_000 } else { 40 };
        let length = 1 + (state >> 32) as usize % most;
        reads.push(piece(rest.split_to(length.min(rest.len()))));
    }
    reads
}

fn replay(tape: &[Read]) -> Vec<Input> {
    let begin = Instant::now();
    let mut session = Session::new(Limits::default(), begin);
    let (mut intake, mut told) = (Intake::new(), Vec::new());
    for read in tape {
        session.push(read.bytes.clone(), begin + read.at).expect("the encoder keeps to the protocol");
        while let Some(event) = session.poll().expect("the encoder keeps to the protocol") {
            match event {
                Event::Connect(_) => session.accept_connect(),
                Event::Publish(it) => {
                    assert_eq!((&*it.app, &*it.name), ("live", "tape"));
                    session.accept_publish(it.stream);
                }
                Event::Audio { timestamp, payload, .. } => intake.audio(timestamp, payload).expect("AAC"),
                Event::Video { timestamp, payload, .. } => intake.video(timestamp, payload).expect("H.264"),
                Event::Data { payload, .. } => intake.data(payload),
                _ => {}
            }
            told.extend(std::iter::from_fn(|| intake.poll()));
        }
        while session.poll_transmit().is_some() {}
    }
    assert_eq!(intake.malformed(), 0);
    told
}

/// A line for each input; payloads as length and hash.
fn summary(told: &[Input]) -> String {
    let mut out = String::new();
    for input in told {
        match input {
            Input::Metadata(it) => writeln!(
                out,
                "metadata video={} audio={} rates={:?} {:?} {:?} encoder={:?}",
                it.video, it.audio, it.frame_rate, it.video_bit_rate, it.audio_bit_rate, it.encoder
            ),
            Input::Configure(CodecConfig::Avc(it)) => {
                writeln!(out, "configure {} {}x{}", it.codec_string(), it.picture.width, it.picture.height)
            }
            Input::Configure(CodecConfig::Aac(it)) => {
                writeln!(out, "configure {} {} Hz x{}", it.codec_string(), it.sample_rate, it.channels)
            }
            Input::Configure(other) => writeln!(out, "configure {}", other.codec_string()),
            Input::Sample(kind, it) => writeln!(
                out,
                "{} dts={:?} offset={} {:?} {} bytes {:08x}",
                kind.word(),
                it.dts,
                it.composition_offset,
                it.sync,
                it.payload.len(),
                hash(&it.payload)
            ),
            Input::Discontinuity => writeln!(out, "discontinuity"),
        }
        .expect("a string takes everything");
    }
    out
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
