//! The bundled sample as an encoder sends it: 8 s, over and over.

use std::ops::Range;
use std::sync::LazyLock;

use bytes::Bytes;
use packager::flv;
use packager::isobmff::demux::{Demuxed, demux};
use packager::media::TrackKind;

/// The file: 30 pictures a second with a key frame each second, and 48 kHz sound.
pub(crate) static FILE: &[u8] = include_bytes!("../../samples/media/sample.mp4");

const LENGTH: u32 = 8_000;
const PICTURES: u32 = 240;

/// A message of an encoder.
#[derive(Clone, Debug)]
pub(crate) struct Tag {
    pub(crate) ms: u32,
    pub(crate) kind: TrackKind,
    pub(crate) body: [Bytes; 2],
}

static DEMUXED: LazyLock<Demuxed> =
    LazyLock::new(|| demux(Bytes::from_static(FILE)).expect("the sample is a film"));

static TAGS: LazyLock<Vec<Tag>> = LazyLock::new(|| {
    let kinds: Vec<_> = DEMUXED.tracks().map(|it| it.kind()).collect();
    let samples: Vec<_> = DEMUXED.samples().map(|it| it.expect("the sample is whole")).collect();
    // The first picture is decoded before it is shown; encoders send it at zero.
    let first = samples.iter().map(|(_, it)| it.dts).min().expect("it has samples");
    let tag = |(track, sample): &(usize, packager::media::Sample)| Tag {
        ms: u32::try_from(sample.dts.since(first).to_duration().as_millis()).expect("it is short"),
        kind: kinds[*track],
        body: flv::sample(kinds[*track], sample),
    };
    samples.iter().map(tag).filter(|it| it.ms < LENGTH).collect()
});

/// The configurations of both tracks.
pub(crate) fn configurations() -> impl Iterator<Item = (TrackKind, [Bytes; 2])> {
    DEMUXED.tracks().map(|it| (it.kind(), flv::configuration(&it.config).expect("it is published")))
}

/// The messages of a stretch of time in milliseconds, pass after pass.
pub(crate) fn tags(stretch: Range<u32>) -> impl Iterator<Item = Tag> {
    (stretch.start / LENGTH..=stretch.end / LENGTH)
        .flat_map(|pass| TAGS.iter().map(move |it| Tag { ms: it.ms + pass * LENGTH, ..it.clone() }))
        .filter(move |it| stretch.contains(&it.ms))
}

/// A film like ours whose last picture has so many octets.
pub(crate) fn enlarged(octets: u32) -> Vec<u8> {
    let mut file = FILE.to_vec();
    let sizes = boxes(&file, b"stsz").find(|&at| file[at + 16..at + 20] == PICTURES.to_be_bytes());
    let last = sizes.expect("the pictures have sizes") + 20 + 4 * (PICTURES as usize - 1);
    file[last..last + 4].copy_from_slice(&octets.to_be_bytes());
    file.resize(file.len() + octets as usize, 0x55);
    file
}

/// Where boxes of a kind are in a file; each begins with its size.
pub(crate) fn boxes<'a>(file: &'a [u8], kind: &'a [u8; 4]) -> impl Iterator<Item = usize> + 'a {
    memchr::memmem::find_iter(file, kind).map(|it| it - 4)
}
