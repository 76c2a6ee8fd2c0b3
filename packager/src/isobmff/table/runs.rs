//! Run-length tables: `stts` and `ctts`, a count and a value per run.

use bytes::{BufMut, Bytes, BytesMut};

use super::super::Error;
use super::super::reader::Boxed;

/// How many runs lie between two remembered sums.
const STRIDE: usize = 256;

const RUN: usize = 8;

/// A table of (count, value) runs with the sums of counts and of count × value at every 256th.
#[derive(Clone, Debug)]
pub(super) struct Runs {
    /// Big-endian pairs; no count is zero.
    raw: Bytes,
    value: fn(u32) -> u32,
    sums: Vec<Sum>,
    /// What all runs cover.
    all: Sum,
}

/// What lies before a run.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    samples: u64,
    time: u64,
}

/// A duration of `stts`. Some writers store small negative ones as two's complement: one tick stands for them.
pub(super) const fn delta(raw: u32) -> u32 {
    if raw >= 1 << 31 { 1 } else { raw }
}

/// An offset of `ctts`, as its bits.
pub(super) const fn offset(raw: u32) -> u32 {
    raw
}

impl Runs {
    pub(super) fn read(table: &Boxed, value: fn(u32) -> u32) -> Result<Self, Error> {
        let mut fields = table.fields();
        fields.version_and_flags()?;
        let count = fields.u32()?;
        let mut raw = fields.entries(count, RUN)?;
        if pairs(&raw).any(|(count, _)| count == 0) {
            raw = without_empty(&raw);
        }
        let mut sums = Vec::with_capacity(raw.len().div_ceil(RUN * STRIDE));
        let mut all = Sum::default();
        for (index, (count, raw_value)) in pairs(&raw).enumerate() {
            if index % STRIDE == 0 {
                sums.push(all);
            }
            all.samples = all.samples.saturating_add(count.into());
            all.time = all.time.saturating_add(u64::from(count).saturating_mul(value(raw_value).into()));
        }
        Ok(Self { raw, value, sums, all })
    }

    /// How many samples the runs cover.
    pub(super) const fn samples(&self) -> u64 {
        self.all.samples
    }

    /// Counts and values.
    pub(super) fn all(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        pairs(&self.raw).map(|(count, raw)| (count, (self.value)(raw)))
    }

    pub(super) const fn weight(&self) -> usize {
        self.sums.len().saturating_mul(size_of::<Sum>())
    }

    /// The sum of values before a sample, and its own.
    pub(super) fn at(&self, sample: u32) -> Option<(u64, u32)> {
        self.cursor(sample).next()
    }

    /// A cursor before `sample`.
    pub(super) fn cursor(&self, sample: u32) -> Cursor<'_> {
        let sample = u64::from(sample);
        let mut cursor = self.near(self.sums.partition_point(|it| it.samples <= sample));
        while let Some((count, value)) = cursor.run {
            let into = sample.saturating_sub(cursor.before.samples);
            if into < count.into() {
                cursor.into = into as u32;
                cursor.time = cursor.before.time.saturating_add(into.saturating_mul(value.into()));
                break;
            }
            cursor.advance();
        }
        cursor
    }

    /// The last sample whose sum of values before it is not above `time`.
    pub(super) fn at_time(&self, time: u64) -> u32 {
        let mut cursor = self.near(self.sums.partition_point(|it| it.time <= time));
        let mut found = cursor.before.samples;
        while let Some((count, value)) = cursor.run {
            let Some(into) = time.checked_sub(cursor.before.time) else { break };
            let last = u64::from(count.saturating_sub(1));
            let steps = into.checked_div(value.into()).map_or(last, |it| it.min(last));
            found = cursor.before.samples.saturating_add(steps);
            cursor.advance();
        }
        u32::try_from(found).unwrap_or(u32::MAX)
    }

    /// A cursor at the run of the sum before the `partition`-th.
    fn near(&self, partition: usize) -> Cursor<'_> {
        let stride = partition.saturating_sub(1);
        let before = self.sums.get(stride).copied().unwrap_or_default();
        let run = stride.saturating_mul(STRIDE);
        Cursor { runs: self, next_run: run, run: None, before, into: 0, time: before.time }.entered()
    }

    fn run(&self, index: usize) -> Option<(u32, u32)> {
        let bytes = self.raw.get(index.checked_mul(RUN)?..)?;
        pairs(bytes).next().map(|(count, raw)| (count, (self.value)(raw)))
    }
}

fn pairs(raw: &[u8]) -> impl Iterator<Item = (u32, u32)> + '_ {
    let (runs, _) = raw.as_chunks::<RUN>();
    runs.iter()
        .map(|&[a, b, c, d, e, f, g, h]| (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])))
}

/// A copy without runs of no samples, which some writers leave and every lookup would have to step over.
fn without_empty(raw: &[u8]) -> Bytes {
    let mut kept = BytesMut::with_capacity(raw.len());
    for (count, value) in pairs(raw).filter(|&(count, _)| count > 0) {
        kept.put_u32(count);
        kept.put_u32(value);
    }
    kept.freeze()
}

/// A position between two samples.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    runs: &'a Runs,
    /// The run after the current one.
    next_run: usize,
    /// Count and value of the current run.
    run: Option<(u32, u32)>,
    /// What lies before the current run.
    before: Sum,
    /// How far into the current run the cursor stands.
    into: u32,
    /// The sum of values before the cursor.
    time: u64,
}

impl Cursor<'_> {
    /// The sum of values before the next sample, and its own value.
    pub(super) fn next(&mut self) -> Option<(u64, u32)> {
        let (count, value) = self.run?;
        let found = (self.time, value);
        self.into = self.into.saturating_add(1);
        self.time = self.time.saturating_add(value.into());
        if self.into == count {
            self.advance();
        }
        Some(found)
    }

    /// Goes to the start of the next run.
    fn advance(&mut self) {
        if let Some((count, value)) = self.run {
            self.before.samples = self.before.samples.saturating_add(count.into());
            let time = u64::from(count).saturating_mul(value.into());
            self.before.time = self.before.time.saturating_add(time);
        }
        self.into = 0;
        self.time = self.before.time;
        self.run = self.runs.run(self.next_run);
        self.next_run = self.next_run.saturating_add(1);
    }

    fn entered(mut self) -> Self {
        self.advance();
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn runs(pairs: &[(u32, u32)]) -> Runs {
        let mut body = vec![0; 4];
        body.extend((pairs.len() as u32).to_be_bytes());
        pairs
            .iter()
            .for_each(|(count, value)| body.extend([count.to_be_bytes(), value.to_be_bytes()].concat()));
        let bytes = [&(body.len() as u32 + 8).to_be_bytes()[..], b"stts", &body].concat();
        Runs::read(&Boxed::first(&bytes.into(), 0).unwrap(), delta).unwrap()
    }

    #[test]
    fn runs_of_no_samples_are_no_runs() {
        let it = runs(&[(0, 9), (2, 10), (0, 9), (1, 20)]);
        assert_eq!([0, 1, 2, 3].map(|at| it.at(at)), [Some((0, 10)), Some((10, 10)), Some((20, 20)), None]);
    }

    #[test]
    fn a_negative_duration_is_one_tick() {
        assert_eq!(runs(&[(3, 0xffff_fffe)]).at(2), Some((2, 1)));
    }

    proptest! {
        // Fewer cases than usual, but each longer than the stride between two sums.
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn every_sample_is_found_as_by_counting(
            pairs in prop::collection::vec((0..4_u32, 0..5_u32), 0..700),
            time in 0..3_000_u64,
        ) {
            let it = runs(&pairs);
            let values = pairs.iter().flat_map(|&(count, value)| std::iter::repeat_n(value, count as usize));
            let mut before = 0;
            let counted = values.map(|value| {
                before += u64::from(value);
                (before - u64::from(value), value)
            });
            let counted = counted.collect::<Vec<_>>();
            prop_assert_eq!(it.samples(), counted.len() as u64);
            let mut cursor = it.cursor(0);
            for (index, &expected) in counted.iter().enumerate() {
                prop_assert_eq!(it.at(index as u32), Some(expected));
                prop_assert_eq!(cursor.next(), Some(expected));
            }
            prop_assert_eq!(cursor.next(), None);
            let last = counted.iter().rposition(|it| it.0 <= time).unwrap_or(0);
            prop_assert_eq!(it.at_time(time), last as u32);
        }
    }
}
