//! Where samples stand: `stsc` says how many each chunk holds, `stco` or `co64` where each chunk begins.

use bytes::Bytes;

use super::super::Error;
use super::super::reader::{Boxed, FourCc};
use super::sizes::Sizes;

/// Chunks and the samples in them.
#[derive(Clone, Debug)]
pub(super) struct Chunks {
    runs: Vec<Run>,
    offsets: Offsets,
    samples: u64,
}

/// Chunks that hold equally many samples, counted from 0.
#[derive(Clone, Copy, Debug)]
struct Run {
    first_chunk: u32,
    per_chunk: u32,
    first_sample: u64,
}

#[derive(Clone, Debug)]
enum Offsets {
    Narrow(Bytes),
    Wide(Bytes),
}

impl Offsets {
    fn read(stbl: &Boxed) -> Result<Self, Error> {
        let wide = stbl.child(b"co64")?;
        let table = match &wide {
            Some(co64) => co64,
            None => &stbl.required(b"stco")?,
        };
        let mut fields = table.fields();
        fields.version_and_flags()?;
        let count = fields.u32()?;
        if wide.is_some() {
            fields.entries(count, 8).map(Self::Wide)
        } else {
            fields.entries(count, 4).map(Self::Narrow)
        }
    }

    fn count(&self) -> u32 {
        let count = match self {
            Self::Narrow(raw) => raw.len() / 4,
            Self::Wide(raw) => raw.len() / 8,
        };
        // It was a 32-bit count.
        count as u32
    }

    fn get(&self, chunk: u32) -> Option<u64> {
        match self {
            Self::Narrow(raw) => {
                raw.as_chunks().0.get(chunk as usize).map(|&it| u32::from_be_bytes(it).into())
            }
            Self::Wide(raw) => raw.as_chunks().0.get(chunk as usize).map(|&it| u64::from_be_bytes(it)),
        }
    }
}

/// The sample description that all chunks of a track use, from 0.
///
/// A track that changes it midway is refused: one init segment could not describe it.
pub(in super::super) fn description_index(stbl: &Boxed) -> Result<usize, Error> {
    let stsc = stbl.required(b"stsc")?;
    let mut indices = entries(&stsc)?.1.map(|(_, _, index)| index);
    let Some(first) = indices.next() else { return Ok(0) };
    let others = indices.filter(|&it| it != first).count();
    if others > 0 {
        return Err(Error::Configurations(others.saturating_add(1)));
    }
    first.checked_sub(1).map(|it| it as usize).ok_or_else(|| stsc.says("sample_description_index", 0_u32))
}

/// Entries of (first chunk from 1, samples per chunk, sample description from 1), and how many.
fn entries(stsc: &Boxed) -> Result<(usize, impl Iterator<Item = (u32, u32, u32)>), Error> {
    const ENTRY: usize = 12;
    let mut fields = stsc.fields();
    fields.version_and_flags()?;
    let count = fields.u32()?;
    let raw = fields.entries(count, ENTRY)?;
    let entry = move |at: usize| {
        let bytes = raw.get(at.checked_mul(ENTRY)?..)?.first_chunk::<ENTRY>()?;
        let [first, per, index] = *bytes.as_chunks::<4>().0 else { return None };
        Some((u32::from_be_bytes(first), u32::from_be_bytes(per), u32::from_be_bytes(index)))
    };
    Ok((count as usize, (0..count as usize).map_while(entry)))
}

impl Chunks {
    pub(super) fn read(stbl: &Boxed) -> Result<Self, Error> {
        let offsets = Offsets::read(stbl)?;
        let chunk_count = offsets.count();
        let stsc = stbl.required(b"stsc")?;
        let (count, entries) = entries(&stsc)?;
        let mut runs: Vec<Run> = Vec::with_capacity(count);
        for (first_chunk, per_chunk, _) in entries {
            let illegal = stsc.says("first_chunk", first_chunk);
            let first_chunk = first_chunk.checked_sub(1).ok_or(illegal)?;
            if per_chunk == 0 {
                return Err(stsc.says("samples_per_chunk", 0_u32));
            }
            let first_sample = match runs.last() {
                None if first_chunk != 0 => return Err(illegal),
                None => 0,
                Some(last) if last.first_chunk >= first_chunk => return Err(illegal),
                Some(last) => last.first_sample_of(first_chunk),
            };
            runs.push(Run { first_chunk, per_chunk, first_sample });
        }
        // Runs of chunks that are not there hold nothing.
        runs.truncate(runs.partition_point(|it| it.first_chunk < chunk_count));
        let samples = runs.last().map_or(0, |it| it.first_sample_of(chunk_count));
        if samples == 0 && chunk_count > 0 {
            let missing = FourCc(*b"stsc");
            return Err(Error::Missing { kind: missing, parent: stbl.kind(), offset: stbl.offset() });
        }
        Ok(Self { runs, offsets, samples })
    }

    /// How many samples all chunks hold.
    pub(super) const fn samples(&self) -> u64 {
        self.samples
    }

    pub(super) const fn weight(&self) -> usize {
        self.runs.len().saturating_mul(size_of::<Run>())
    }

    /// A cursor before `sample`.
    pub(super) fn cursor(&self, sample: u32, sizes: &Sizes) -> Cursor<'_> {
        let end = Cursor { chunks: self, next_chunk: u32::MAX, run: self.runs.len(), left: 0, offset: 0 };
        let run = self.runs.partition_point(|it| it.first_sample <= sample.into()).saturating_sub(1);
        let Some(found) = self.runs.get(run) else { return end };
        // Both are below 2^24: `samples` of a table bounds what is asked for.
        let into = u64::from(sample).saturating_sub(found.first_sample) as u32;
        let Some((whole, rest)) = into.checked_div(found.per_chunk).zip(into.checked_rem(found.per_chunk))
        else {
            return end;
        };
        let chunk = found.first_chunk.saturating_add(whole);
        let Some(start) = self.offsets.get(chunk) else { return end };
        let within = sizes.before(sample).saturating_sub(sizes.before(sample.saturating_sub(rest)));
        Cursor {
            chunks: self,
            next_chunk: chunk.saturating_add(1),
            run,
            left: found.per_chunk.saturating_sub(rest),
            offset: start.saturating_add(within),
        }
    }
}

impl Run {
    /// The first sample of a later chunk, as if this run reached that far.
    const fn first_sample_of(&self, chunk: u32) -> u64 {
        let chunks = chunk.saturating_sub(self.first_chunk) as u64;
        self.first_sample.saturating_add(chunks.saturating_mul(self.per_chunk as u64))
    }
}

/// A position between two samples.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    chunks: &'a Chunks,
    next_chunk: u32,
    run: usize,
    /// Samples left in the current chunk.
    left: u32,
    /// Where the next sample of the current chunk begins.
    offset: u64,
}

impl Cursor<'_> {
    /// Where the next sample begins, which has `size` bytes.
    pub(super) fn next(&mut self, size: u32) -> Option<u64> {
        if self.left == 0 {
            self.enter_chunk()?;
        }
        let offset = self.offset;
        self.left = self.left.saturating_sub(1);
        // An offset near 2^64 is no place in any file: reading there fails.
        self.offset = offset.saturating_add(size.into());
        Some(offset)
    }

    fn enter_chunk(&mut self) -> Option<()> {
        let next_run = self.run.saturating_add(1);
        if self.chunks.runs.get(next_run).is_some_and(|it| it.first_chunk == self.next_chunk) {
            self.run = next_run;
        }
        self.left = self.chunks.runs.get(self.run)?.per_chunk;
        self.offset = self.chunks.offsets.get(self.next_chunk)?;
        self.next_chunk = self.next_chunk.saturating_add(1);
        Some(())
    }
}
