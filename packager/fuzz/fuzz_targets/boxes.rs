//! Any bytes as a stored movie: found or not, read or refused, but never out of bounds and never for ever.
#![no_main]

use bytes::Bytes;
use levada_packager::isobmff::demux::demux;
use levada_packager::isobmff::locate::Moov;
use levada_packager::isobmff::movie::Movie;
use libfuzzer_sys::fuzz_target;

/// A movie may claim millions of samples of no bytes; walking some thousands shows what there is to see.
const WALK: usize = 5_000;

fuzz_target!(|file: &[u8]| {
    let file = Bytes::copy_from_slice(file);
    if let Ok(demuxed) = demux(file.clone()) {
        assert!(demuxed.tracks().count() > 0);
        for sample in demuxed.samples().take(WALK) {
            let Ok((_, sample)) = sample else { break };
            assert!(sample.payload.len() <= file.len());
        }
    }
    let Ok(movie) = Movie::parse(&Moov { offset: 0, bytes: file.clone() }, &[Moov { offset: 0, bytes: file }]) else { return };
    for track in movie.tracks {
        let table = track.samples;
        let mut dts = None;
        for walked in table.samples(0).take(WALK) {
            assert!(dts.is_none_or(|it| it == walked.dts), "durations lead from sample to sample");
            dts = Some(walked.dts + i64::from(walked.duration));
        }
        for index in [0, 1, 300, table.count() / 2, table.count() - 1] {
            let found = table.get(index);
            assert_eq!(found.is_some(), index < table.count());
            if let Some(found) = found {
                let at = table.at_or_before(found.dts as u64);
                assert_eq!(table.get(at).map(|it| it.dts), Some(found.dts));
            }
            assert!(table.sync_at_or_before(index).is_none_or(|it| it <= index));
        }
        let half = table.count() / 2;
        let all = table.size_of(0..table.count());
        assert_eq!(all, table.size_of(0..half).saturating_add(table.size_of(half..table.count())));
    }
});
