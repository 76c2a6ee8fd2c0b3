//! A title's index as octets, for a file that outlives the server.
//!
//! ```text
//! name, format, length, checksum │ tag, target, files, what is left out, tracks │ samples of each track, packed
//! ```
//! Whoever reads such a file may trust none of it: the checksum says that it is whole, not who wrote it.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use super::columns::{put, put_octets, take, take_text};
use super::rendition::Rendition;
use super::{LeftOutReport, Tag};
use crate::asset::Stored;

/// What every record begins with.
const NAME: &[u8; 8] = b"LevIndex";

/// Changes whenever records are written otherwise, or something else stands in them.
const FORMAT: u64 = 3;

/// Name, format, length, checksum.
const HEAD: usize = 32;

/// More tracks than all files of a set may have together.
const MAX_TRACKS: u64 = 4096;

/// A title's record, wherever it is kept, for those parts of it that are not in memory. Opens nothing itself.
pub trait Pages: fmt::Debug + Send + Sync {
    /// The octets of a range of the record; nothing when they can no longer be had. May wait for a disk.
    fn read(&self, range: Range<u64>) -> Option<Bytes>;

    /// What was read is not what was written.
    fn spoilt(&self);
}

/// What a record says.
pub(super) struct Told {
    pub(super) tag: Tag,
    pub(super) left_out: Vec<LeftOutReport>,
    /// Pictures, then sound.
    pub(super) tracks: Vec<Rendition>,
}

/// Writes a record of `tracks`, whose samples are in memory. Nothing when that does not say all there is to say.
pub(super) fn write(
    tag: Tag,
    target: Duration,
    stored: &[Stored],
    left_out: &[LeftOutReport],
    tracks: &[&Rendition],
) -> Option<Vec<u8>> {
    let mut record = vec![0; HEAD];
    put(&mut record, tag.0);
    put_made_of(&mut record, target, stored);
    put(&mut record, left_out.len() as u64);
    for it in left_out {
        put(&mut record, it.file as u64);
        put(&mut record, it.offset);
        put_octets(&mut record, it.reason.as_bytes());
    }
    put(&mut record, tracks.len() as u64);
    tracks.iter().try_for_each(|it| it.put(&mut record))?;
    for it in tracks {
        record.extend_from_slice(it.packed()?);
    }
    let (head, body) = record.split_at_mut_checked(HEAD)?;
    let fields = [u64::from_le_bytes(*NAME), FORMAT, body.len() as u64, xxh3_64(body)];
    head.copy_from_slice(fields.map(u64::to_le_bytes).as_flattened());
    Some(record)
}

/// Reads a record of just these files, cut by that target; nothing when it is another, or none at all.
pub(super) fn read(record: &[u8], target: Duration, stored: &[Stored]) -> Option<Told> {
    let (head, mut rest) = record.split_at_checked(HEAD)?;
    let fields = [u64::from_le_bytes(*NAME), FORMAT, rest.len() as u64, xxh3_64(rest)];
    if head != fields.map(u64::to_le_bytes).as_flattened() {
        return None;
    }
    let rest = &mut rest;
    let tag = Tag(take(rest)?);
    let mut expected = Vec::new();
    put_made_of(&mut expected, target, stored);
    *rest = rest.strip_prefix(&*expected)?;
    let left_out = (0..take(rest).filter(|it| *it <= MAX_TRACKS)?).map(|_| {
        let (file, offset) = (usize::try_from(take(rest)?).ok()?, take(rest)?);
        Some(LeftOutReport { file, offset, reason: take_text(rest)? })
    });
    let left_out = left_out.collect::<Option<_>>()?;
    let tracks = (0..take(rest).filter(|it| *it <= MAX_TRACKS)?).map(|_| Rendition::take(rest));
    let mut tracks = tracks.collect::<Option<Vec<_>>>()?;
    tracks.iter_mut().try_for_each(|it| it.give(rest))?;
    let whole = rest.is_empty() && tracks.iter().all(|it| it.file < stored.len());
    whole.then_some(Told { tag, left_out, tracks })
}

/// What says that a record is of these files.
fn put_made_of(record: &mut Vec<u8>, target: Duration, stored: &[Stored]) {
    put(record, u64::try_from(target.as_nanos()).unwrap_or(u64::MAX));
    put(record, stored.len() as u64);
    for it in stored {
        put(record, it.length);
        put_octets(record, format!("{:?}", it.version).as_bytes());
    }
}
