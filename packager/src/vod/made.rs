//! Segments that are made of the octets of their frames: transport streams, and what is encrypted.
//!
//! Their frames change their order or themselves, so all of a segment is read before the first octet of it is sent.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::isobmff::fragment::{self, Entry};
use crate::isobmff::protection::{self, FragmentProtection};
use crate::media::{Timestamp, TrackKind};
use crate::mpegts::{Continuity, Muxer, Program, Refused, Stream, Unit};
use crate::protect::{ContentKey, Scheme, TrackCipher, sample_aes, whole};

/// Two ranges of a file that are nearer than this are read as one: in an interleaved file all of a segment is.
const WIDEST_GAP: u64 = 64 * 1024;

/// Octets that one more packet of a transport stream takes.
const PACKET_ROOM: usize = 184;

/// Octets of one of a title's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Which of the title's files.
    pub file: usize,
    /// Where in it.
    pub range: Range<u64>,
}

/// A segment before its frames are read.
#[derive(Clone, Debug)]
pub struct MadeSegment {
    /// Where the frames are, in the order they are taken.
    pub(super) frames: Vec<Extent>,
    pub(super) form: Form,
    /// How the whole is encrypted.
    pub(super) whole: Option<WholeKey>,
}

/// A key for whole segments.
#[derive(Clone, Copy)]
pub(super) struct WholeKey {
    pub(super) key: [u8; 16],
    /// Where the segment stands in its playlist.
    pub(super) number: u64,
}

impl std::fmt::Debug for WholeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WholeKey(***, {})", self.number)
    }
}

/// What is made of the frames.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// Packets.
    Transport {
        program: Program,
        units: Vec<Unit>,
        counters: Continuity,
        /// How frames are encrypted.
        key: Option<ContentKey>,
    },
    /// A fragment.
    Fragment(Fragment),
}

/// A fragment of frames that follow each other.
#[derive(Clone, Debug)]
pub(super) struct Fragment {
    pub(super) kind: TrackKind,
    pub(super) sequence: u32,
    pub(super) base: Timestamp,
    pub(super) entries: Vec<Entry>,
    pub(super) sealed: Option<Sealed>,
}

/// How the frames of a fragment are encrypted.
#[derive(Clone, Debug)]
pub(super) struct Sealed {
    pub(super) scheme: Scheme,
    pub(super) cipher: TrackCipher,
    pub(super) key: ContentKey,
    /// Whether the fragment names its key, because others have another.
    pub(super) names_key: bool,
    /// The number of the first frame in its track.
    pub(super) first: u32,
}

impl MadeSegment {
    /// Octets of the frames in it.
    pub fn frame_octets(&self) -> u64 {
        self.frames.iter().map(|it| it.range.end.saturating_sub(it.range.start)).fold(0, u64::saturating_add)
    }

    /// What must be read of the files: few ranges, ascending, at most `longest` octets each where frames allow.
    pub fn reads(&self, longest: u64) -> Vec<Extent> {
        let mut all = self.frames.clone();
        all.retain(|it| !it.range.is_empty());
        all.sort_by_key(|it| (it.file, it.range.start));
        let mut reads: Vec<Extent> = Vec::new();
        for it in all {
            match reads.last_mut() {
                Some(last)
                    if last.file == it.file
                        && it.range.start.saturating_sub(last.range.end) <= WIDEST_GAP
                        && it.range.end.saturating_sub(last.range.start) <= longest =>
                {
                    last.range.end = last.range.end.max(it.range.end);
                }
                _ => reads.push(it),
            }
        }
        reads
    }

    /// The segment, of what was read: each of [`reads`](Self::reads) with its octets.
    ///
    /// # Errors
    /// [`Refused`] when a frame is not as its file said, so that it does not fit.
    pub fn make(self, read: &[(Extent, Bytes)]) -> Result<Vec<Bytes>, Refused> {
        let Self { frames, form, whole } = self;
        let frames = frames.iter().map(|it| match it.range.is_empty() {
            true => Ok(&[][..]),
            false => within(read, it).ok_or(Refused::Nothing),
        });
        let frames = frames.collect::<Result<Vec<_>, _>>()?;
        let made = match form {
            Form::Transport { program, units, counters, key: None } => {
                packets(program, units, counters, &frames)?
            }
            Form::Transport { program, units, counters, key: Some(key) } => {
                sealed_packets(program, units, counters, &frames, &key)?
            }
            Form::Fragment(fragment) => fragment.make(&frames),
        };
        Ok(match whole {
            Some(WholeKey { key, number }) => vec![whole::encrypt(&key, number, &made)],
            None => made,
        })
    }
}

impl Fragment {
    fn make(self, frames: &[&[u8]]) -> Vec<Bytes> {
        let Self { kind, sequence, base, entries, sealed } = self;
        let octets = frames.iter().map(|it| it.len()).fold(0, usize::saturating_add);
        let mut media = BytesMut::with_capacity(octets);
        let header = match sealed {
            None => {
                frames.iter().for_each(|it| media.extend_from_slice(it));
                fragment::header(sequence, base, entries)
            }
            Some(Sealed { scheme, mut cipher, key, names_key, first }) => {
                let mut samples = Vec::with_capacity(frames.len());
                for (frame, number) in frames.iter().zip(first..) {
                    let at = media.len();
                    media.extend_from_slice(frame);
                    let sample = media.get_mut(at..).unwrap_or_default();
                    samples.push(cipher.encrypt(&key, number, sample));
                }
                let changed = names_key.then_some(&key);
                let protection = FragmentProtection { scheme, kind, samples: &samples, changed };
                protection::header(sequence, base, entries, &protection)
            }
        };
        vec![fragment::segment_header(), header, media.freeze()]
    }
}

fn packets(
    program: Program,
    units: Vec<Unit>,
    counters: Continuity,
    frames: &[&[u8]],
) -> Result<Vec<Bytes>, Refused> {
    let mut muxer = Muxer::new(program, units, counters);
    let mut packets = vec![muxer.push(&[])?];
    for frame in frames.iter().filter(|it| !it.is_empty()) {
        packets.push(muxer.push(frame)?);
    }
    packets.retain(|it| !it.is_empty());
    Ok(packets)
}

/// Packets of encrypted frames. A picture may grow or shrink by an octet here and there, and the next segment counts on
/// the packets that its clear frames would have had: what is missing is filler data behind the last picture.
fn sealed_packets(
    program: Program,
    mut units: Vec<Unit>,
    counters: Continuity,
    frames: &[&[u8]],
    key: &ContentKey,
) -> Result<Vec<Bytes>, Refused> {
    let foretold = counters.after(&program, &units)?;
    let mut sealed: Vec<Vec<u8>> = Vec::with_capacity(frames.len());
    let mut rest = frames.iter();
    let mut last_picture = None;
    for (index, unit) in units.iter_mut().enumerate() {
        for (size, frame) in unit.frames.iter_mut().zip(rest.by_ref()) {
            let frame = match unit.stream {
                Stream::Video => {
                    last_picture = Some((index, sealed.len()));
                    sample_aes::picture(key, frame)
                }
                Stream::Sound => {
                    let mut frame = frame.to_vec();
                    sample_aes::sound(key, &mut frame);
                    frame
                }
            };
            *size = u32::try_from(frame.len()).map_err(|_| Refused::Nothing)?;
            sealed.push(frame);
        }
    }
    if let Some((unit, frame)) = last_picture {
        let packets = foretold.missing_pictures(counters.after(&program, &units)?);
        if let (Some(unit), Some(frame)) = (units.get_mut(unit), sealed.get_mut(frame)) {
            fill(frame, usize::from(packets).saturating_mul(PACKET_ROOM));
            unit.frames = vec![u32::try_from(frame.len()).map_err(|_| Refused::Nothing)?];
        }
    }
    let frames: Vec<&[u8]> = sealed.iter().map(Vec::as_slice).collect();
    packets(program, units, counters, &frames)
}

/// Adds so many octets of filler data to a picture (ITU-T H.264 7.3.2.7): zeros would pass for octets of its last slice.
fn fill(picture: &mut Vec<u8>, octets: usize) {
    const FILLER: u8 = 12;
    let Some(inside) = octets.checked_sub(6) else { return };
    picture.extend_from_slice(&(inside.saturating_add(2) as u32).to_be_bytes());
    picture.push(FILLER);
    picture.resize(picture.len().saturating_add(inside), 0xff);
    picture.push(0x80);
}

/// The octets of a frame, among those read.
fn within<'a>(read: &'a [(Extent, Bytes)], frame: &Extent) -> Option<&'a [u8]> {
    let before = read.partition_point(|(it, _)| (it.file, it.range.start) <= (frame.file, frame.range.start));
    let (extent, octets) = read.get(before.checked_sub(1)?)?;
    let begin = usize::try_from(frame.range.start.checked_sub(extent.range.start)?).ok()?;
    let length = usize::try_from(frame.range.end.checked_sub(frame.range.start)?).ok()?;
    octets.get(begin..begin.checked_add(length)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::avc;

    #[test]
    fn filler_data_is_a_unit_of_its_own() {
        let mut picture = vec![0, 0, 0, 2, 0x65, 0xaa];
        fill(&mut picture, 0);
        assert_eq!(picture.len(), 6);
        fill(&mut picture, PACKET_ROOM);
        assert_eq!(picture.len(), 6 + PACKET_ROOM);
        let units: Vec<&[u8]> = avc::units(&picture).collect();
        assert_eq!((units.len(), units[1][0], units[1][1], *units[1].last().unwrap()), (2, 12, 0xff, 0x80));
        assert_eq!(units[1].len(), PACKET_ROOM - 4);
    }
}
