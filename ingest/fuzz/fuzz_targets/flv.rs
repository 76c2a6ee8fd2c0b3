//! Any audio, video and data bodies with any timestamps: what the broadcast is told keeps its promises, and what is
//! written for players reads back.
//!
//! The input is a row of messages: kind, timestamp (32 bits), length (16 bits), body.
#![no_main]

use std::collections::HashMap;

use bytes::{Buf, Bytes};
use levada_ingest::intake::Intake;
use levada_packager::flv::{self, Reader, Unit};
use levada_packager::live::Input;
use levada_packager::media::{CodecConfig, Sample, TrackKind};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut input = Bytes::copy_from_slice(input);
    let mut intake = Intake::new();
    let mut last = HashMap::new();
    let mut configs = HashMap::new();
    while input.len() >= 7 {
        let (kind, timestamp) = (input.get_u8(), input.get_u32());
        let length = usize::from(input.get_u16()).min(input.len());
        let body = input.split_to(length);
        let taken = match kind % 3 {
            0 => intake.audio(timestamp, body),
            1 => intake.video(timestamp, body),
            _ => {
                intake.data(body);
                Ok(())
            }
        };
        if taken.is_err() {
            return;
        }
        while let Some(told) = intake.poll() {
            match told {
                Input::Sample(kind, sample) => {
                    let dts = sample.dts;
                    assert!(dts.ticks() >= 0);
                    assert!(last.insert(kind, dts).is_none_or(|last| last < dts), "{kind:?} goes back");
                    reads_back(kind, &configs[&kind], &sample);
                }
                Input::Configure(config) => {
                    // Equal repetitions are filtered out.
                    assert!(configs.insert(config.kind(), config.clone()) != Some(config));
                }
                Input::Metadata(_) | Input::Discontinuity => {}
            }
        }
    }
});

fn reads_back(kind: TrackKind, config: &CodecConfig, sample: &Sample) {
    let body = |parts: [Bytes; 2]| Bytes::from(parts.concat());
    let configuration = || body(flv::configuration(config).expect("it was read from FLV"));
    let mut reader = Reader::new();
    match kind {
        TrackKind::Audio => {
            assert!(matches!(reader.audio(configuration()), Ok(Some(Unit::Configure(_)))));
            let read = reader.audio(body(flv::sample(kind, sample)));
            assert_eq!(read, Ok(Some(Unit::AudioFrame(sample.payload.clone()))));
        }
        TrackKind::Video => {
            assert_eq!(reader.video(configuration()).map(Iterator::count), Ok(1));
            let units = reader.video(body(flv::sample(kind, sample))).expect("our own body").last();
            let Some(Unit::Picture { payload, composition_ms, sync }) = units else { panic!("{units:?}") };
            assert_eq!((&payload, sync), (&sample.payload, sample.sync));
            assert_eq!(composition_ms * 90, sample.composition_offset);
        }
    }
}
