//! Any bytes as a file of subtitles. The first byte chooses the format.
#![no_main]

use std::time::Duration;

use levada_packager::text::{Format, Subtitles};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let format = if choice % 2 == 0 { Format::WebVtt } else { Format::SubRip };
    let Ok(subtitles) = Subtitles::parse(bytes, format) else { return };
    // What is sent is read as what it was.
    assert_eq!(Subtitles::parse(subtitles.whole().as_bytes(), Format::WebVtt).as_ref(), Ok(&subtitles));
    let every = Duration::from_secs(30);
    for (n, length) in (0..).zip(subtitles.lengths(every, 20)) {
        let segment = subtitles.segment(every * n..every * (n + 1));
        assert_eq!(segment.len() as u64, length);
        assert!(Subtitles::parse(segment.as_bytes(), Format::WebVtt).is_ok());
    }
});
