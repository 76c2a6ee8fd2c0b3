//! Sample tables (ISO 14496-12 8.6.1, 8.7): which bytes of the file are sample n, and when it is due.
//!
//! The tables stay as they came, big-endian slices of the movie header; beside them stand sums at every 256th
//! entry, so that any sample is found by one binary search and a short walk. Walking on from there costs a few
//! loads per sample.
//!
//! ```text
//! stts ─▶ runs  (dts, duration)       stsz, stz2       ─▶ sizes  (size, bytes before it)
//! ctts ─▶ runs  (composition offset)  stsc, stco, co64 ─▶ chunks (file offset)
//! stss ─▶ syncs (key samples)
//! ```

mod chunks;
mod runs;
mod sizes;
mod syncs;

use std::ops::Range;

use super::Error;
use super::reader::Boxed;
use crate::media::{Sync, Timescale};

pub(super) use chunks::description_index;

use chunks::Chunks;
use runs::Runs;
use sizes::Sizes;
use syncs::Syncs;

/// 8 hours at 500 samples per second.
pub(super) const MAX_SAMPLES: u32 = 1 << 24;

/// Longer than any film or recording; keeps every sum of ticks far from the ends of 63 bits.
const MAX_SECONDS: u64 = 10 * 24 * 60 * 60;

/// One sample of a stored track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredSample {
    /// Which one, from 0 in decoding order.
    pub index: u32,
    /// Where in the file its bytes begin. Not checked against the file's length.
    pub offset: u64,
    /// How many bytes it has.
    pub size: u32,
    /// Decoding time in ticks of the track; the first sample's is 0.
    pub dts: i64,
    /// Composition time minus decoding time.
    pub composition_offset: i32,
    /// Ticks until the next sample's dts.
    pub duration: u32,
    /// Whether decoding may begin here.
    pub sync: Sync,
}

impl StoredSample {
    /// When it is composed, on the timeline of the media; [`super::Placement`] leads on to the presentation.
    pub const fn composition_time(&self) -> i64 {
        self.dts.saturating_add(self.composition_offset as i64)
    }
}

/// The samples of one track.
#[derive(Clone, Debug)]
pub struct SampleTable {
    count: u32,
    left_over: u32,
    duration: u64,
    /// What stands in for a last duration of zero.
    last_duration: Option<u32>,
    times: Runs,
    offsets: Option<Runs>,
    sizes: Sizes,
    chunks: Chunks,
    syncs: Option<Syncs>,
}

impl SampleTable {
    /// Reads the tables in `stbl` and checks all that later lookups rely on.
    pub(super) fn read(stbl: &Boxed, timescale: Timescale) -> Result<Self, Error> {
        let stts = stbl.required(b"stts")?;
        let times = Runs::read(&stts, runs::delta)?;
        let offsets = stbl.child(b"ctts")?.map(|it| Runs::read(&it, runs::offset)).transpose()?;
        let sizes = match stbl.child(b"stz2")? {
            Some(stz2) => Sizes::read_packed(&stz2)?,
            None => Sizes::read(&stbl.required(b"stsz")?)?,
        };
        let chunks = Chunks::read(stbl)?;
        let syncs = stbl.child(b"stss")?.map(|it| Syncs::read(&it)).transpose()?;

        // Tables that disagree are believed as far as all of them reach.
        let reach = [times.samples(), chunks.samples(), offsets.as_ref().map_or(u64::MAX, Runs::samples)];
        let reach = reach.into_iter().fold(sizes.count().into(), u64::min);
        let count = u32::try_from(reach).ok().filter(|&it| it <= MAX_SAMPLES);
        let count = count.ok_or_else(|| stbl.says("sample_count", reach))?;
        let mut table = Self {
            count,
            left_over: sizes.count().saturating_sub(count),
            duration: 0,
            last_duration: None,
            times,
            offsets,
            sizes,
            chunks,
            syncs,
        };
        table.measure(&stts, timescale)?;
        Ok(table)
    }

    /// Sums up the duration, and finds a last one where the file gives none.
    fn measure(&mut self, stts: &Boxed, timescale: Timescale) -> Result<(), Error> {
        let Some(last) = self.count.checked_sub(1) else { return Ok(()) };
        let (start, delta) = self.times.at(last).unwrap_or_default();
        if delta == 0 && last > 0 {
            // Writers that do not know how long the last sample lasts write zero; its neighbour is the best guess.
            let (_, before) = self.times.at(last.saturating_sub(1)).unwrap_or_default();
            self.last_duration = Some(before);
        }
        self.duration = start.saturating_add(self.last_duration.unwrap_or(delta).into());
        let most = MAX_SECONDS.saturating_mul(timescale.hertz().into());
        if self.duration > most || (start == 0 && last > 0) {
            return Err(stts.says("duration", self.duration));
        }
        Ok(())
    }

    /// Makes every sample a key sample.
    pub(super) fn forget_syncs(&mut self) {
        self.syncs = None;
    }

    /// How many samples there are.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// How many samples have a size but no time or place, because the tables disagree. They are left out.
    pub const fn left_over(&self) -> u32 {
        self.left_over
    }

    /// The sum of all durations in ticks of the track.
    pub const fn duration(&self) -> u64 {
        self.duration
    }

    /// How long samples last, in decoding order: how many, and each of them.
    pub fn durations(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let mut left = self.count;
        let runs = self.times.all().map_while(move |(count, duration)| {
            let count = count.min(left);
            left = left.saturating_sub(count);
            (count > 0).then_some((count, duration))
        });
        // Zero is what the last would last.
        let last = self.last_duration;
        let count = self.count;
        let mut seen = 0_u32;
        runs.flat_map(move |(run, duration)| {
            seen = seen.saturating_add(run);
            match last.filter(|_| seen == count) {
                Some(last) => [(run.saturating_sub(1), duration), (1, last)],
                None => [(run, duration), (0, 0)],
            }
        })
        .filter(|it| it.0 > 0)
    }

    /// Sample `index`.
    pub fn get(&self, index: u32) -> Option<StoredSample> {
        self.samples(index).next()
    }

    /// The samples from `first` on.
    pub fn samples(&self, first: u32) -> Samples<'_> {
        let first = first.min(self.count);
        Samples {
            table: self,
            index: first,
            times: self.times.cursor(first),
            offsets: self.offsets.as_ref().map(|it| it.cursor(first)),
            place: self.chunks.cursor(first, &self.sizes),
            syncs: self.syncs.as_ref().map(|it| it.from(first)),
        }
    }

    /// The last sample whose dts is not after `dts`; the first one when all are.
    pub fn at_or_before(&self, dts: u64) -> u32 {
        self.times.at_time(dts).min(self.count.saturating_sub(1))
    }

    /// The last key sample that is not after `index`.
    pub fn sync_at_or_before(&self, index: u32) -> Option<u32> {
        match &self.syncs {
            Some(syncs) => syncs.last_until(index),
            None => Some(index).filter(|&it| it < self.count),
        }
    }

    /// The indices of all key samples, ascending.
    pub fn syncs(&self) -> impl Iterator<Item = u32> + '_ {
        let all = if self.syncs.is_none() { 0..self.count } else { 0..0 };
        let listed = self.syncs.iter().flat_map(|it| it.from(0)).take_while(|&it| it < self.count);
        all.chain(listed)
    }

    /// The bytes of the samples in a range of indices together.
    pub fn size_of(&self, samples: Range<u32>) -> u64 {
        let before = |index: u32| self.sizes.before(index.min(self.count));
        before(samples.end).saturating_sub(before(samples.start))
    }

    /// About how many bytes of memory the table holds, the slices of the movie header not counted.
    pub fn weight(&self) -> usize {
        let offsets = self.offsets.as_ref().map_or(0, Runs::weight);
        [self.times.weight(), offsets, self.sizes.weight(), self.chunks.weight()].iter().sum()
    }
}

/// Samples of one track in decoding order.
#[derive(Clone, Debug)]
pub struct Samples<'a> {
    table: &'a SampleTable,
    index: u32,
    times: runs::Cursor<'a>,
    offsets: Option<runs::Cursor<'a>>,
    place: chunks::Cursor<'a>,
    /// The key samples that are still to come.
    syncs: Option<syncs::Ascending<'a>>,
}

impl Iterator for Samples<'_> {
    type Item = StoredSample;

    fn next(&mut self) -> Option<StoredSample> {
        if self.index >= self.table.count {
            return None;
        }
        let index = self.index;
        self.index = index.saturating_add(1);
        let (dts, delta) = self.times.next()?;
        let last = self.index == self.table.count;
        let duration = self.table.last_duration.filter(|_| last).unwrap_or(delta);
        let composition_offset = match &mut self.offsets {
            // Some writers put negative offsets into version 0, so both versions are read as signed.
            Some(offsets) => offsets.next()?.1 as i32,
            None => 0,
        };
        let size = self.table.sizes.get(index)?;
        let key = self.syncs.as_mut().is_none_or(|it| it.pass(index));
        Some(StoredSample {
            index,
            offset: self.place.next(size)?,
            size,
            dts: i64::try_from(dts).ok()?,
            composition_offset,
            duration,
            sync: if key { Sync::Key } else { Sync::Delta },
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.table.count.saturating_sub(self.index) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Samples<'_> {}
