//! Segment, part and window lengths.

use std::time::Duration;

use crate::section::Section;
use crate::setting::Default::Value;
use crate::setting::{Kind, Setting, between};
use crate::units::{ByteSize, duration};

/// How broadcasts are packaged; section 9 of the design says how each is applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Packaging {
    /// Target length of a segment; segments end at key frames.
    pub segment: Duration,
    /// Longest part of LL-HLS.
    pub part: Duration,
    /// How much a playlist shows.
    pub window: Duration,
    /// How long a broadcast outlives its publisher.
    pub grace: Duration,
    /// Most broadcasts at once.
    pub max_broadcasts: u32,
    /// Bytes of memory that all broadcasts may hold together.
    pub memory: ByteSize,
}

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::new(
        "segment",
        Kind::Duration(between(
            "1s",
            "10s",
            "players buffer three, and the target duration of a playlist is at most 10 s",
        )),
        Value("2s", "the key-frame interval that OBS and the large services recommend"),
        "Set it to your encoders' key-frame interval, or a multiple of it.",
    )
    .example("4s")
    .needs_restart(),
    Setting::new(
        "part",
        Kind::Duration(between(
            "100ms",
            "2s",
            "each part is a request of every viewer, and players stay three parts behind",
        )),
        Value("333ms", "about a second behind, at three playlist requests a second"),
        "Set it higher when requests cost more than delay.",
    )
    .example("500ms")
    .needs_restart(),
    Setting::new(
        "window",
        Kind::Duration(between(
            "6s",
            "1h",
            "players need some segments, and an hour at 6 Mbit/s is 2.7 GB of memory",
        )),
        Value("60s", "a pause of a minute, in 45 MB at 6 Mbit/s"),
        "Set it to how far viewers may go back.",
    )
    .example("2m")
    .needs_restart(),
    Setting::new(
        "grace",
        Kind::Duration(between("0s", "1h", "memory is kept as long as an encoder may come back")),
        Value("60s", "encoders try again for about so long, and players wait about so long"),
        "Set it to how long a broken encoder may take to come back without ending the broadcast.",
    )
    .example("10s")
    .needs_restart(),
    Setting::new(
        "max_broadcasts",
        Kind::Count(between("1", "100000", "each holds its window in memory, within packaging.memory")),
        Value("128", "what packaging.memory holds at 1 Mbit/s"),
        "Set it to how many broadcasts you expect, with room.",
    )
    .example("10")
    .needs_restart(),
    Setting::new(
        "memory",
        Kind::Size(between("64 MiB", "4 TiB", "one broadcast of a high bit rate takes 64 MiB")),
        Value("2 GiB", "half of a small machine: 22 broadcasts at 6 Mbit/s with all that may still be asked for"),
        "Set it to what this machine can spare beside cache.memory. When it is used up, broadcasts that take more than \
         their share keep less of what left their window, then shorten the window, and new broadcasts are refused.",
    )
    .example("8 GiB")
    .needs_restart(),
];

/// RFC 8216 6.2.2: what a playlist shows is at least three target durations long.
const SEGMENTS_OF_A_WINDOW: u32 = 3;

impl Packaging {
    pub(crate) fn read(section: &Section<'_>) -> Self {
        let it = Self {
            segment: section.duration("segment"),
            part: section.duration("part"),
            window: section.duration("window"),
            grace: section.duration("grace"),
            max_broadcasts: section.count("max_broadcasts"),
            memory: section.size("memory"),
        };
        if it.part > it.segment {
            let segment = duration::show(it.segment);
            section.report("part", "parts are longer than segments", format!("write at most {segment:?}"));
        }
        if it.window < it.segment * SEGMENTS_OF_A_WINDOW {
            let least = duration::show(it.segment * SEGMENTS_OF_A_WINDOW);
            section.report(
                "window",
                "a playlist must show at least three segments",
                format!("write at least {least:?}"),
            );
        }
        it
    }
}
