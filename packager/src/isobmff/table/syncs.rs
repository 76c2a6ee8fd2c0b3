//! Key samples: `stss`, ascending numbers from 1.

use bytes::Bytes;

use super::super::Error;
use super::super::reader::Boxed;

/// The list as it came, checked to ascend.
#[derive(Clone, Debug)]
pub(super) struct Syncs {
    raw: Bytes,
}

impl Syncs {
    pub(super) fn read(stss: &Boxed) -> Result<Self, Error> {
        let mut fields = stss.fields();
        fields.version_and_flags()?;
        let count = fields.u32()?;
        let raw = fields.entries(count, 4)?;
        let mut last = 0;
        for number in raw.as_chunks().0.iter().map(|&it| u32::from_be_bytes(it)) {
            if number <= last {
                return Err(stss.says("sample_number", number));
            }
            last = number;
        }
        Ok(Self { raw })
    }

    /// The key samples that are not before `sample`.
    pub(super) fn from(&self, sample: u32) -> Ascending<'_> {
        let first = self.numbers().partition_point(|it| from_zero(it) < sample);
        Ascending { rest: self.numbers().get(first..).unwrap_or_default() }
    }

    /// The last key sample that is not after `sample`.
    pub(super) fn last_until(&self, sample: u32) -> Option<u32> {
        let after = self.numbers().partition_point(|it| from_zero(it) <= sample);
        self.numbers().get(after.checked_sub(1)?).map(from_zero)
    }

    fn numbers(&self) -> &[[u8; 4]] {
        self.raw.as_chunks().0
    }
}

/// Key samples in ascending order, counted from 0.
#[derive(Clone, Debug)]
pub(super) struct Ascending<'a> {
    rest: &'a [[u8; 4]],
}

impl Ascending<'_> {
    /// Passes over `sample` if it is the next one, and says whether it was.
    pub(super) fn pass(&mut self, sample: u32) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if from_zero(first) == sample => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }
}

impl Iterator for Ascending<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(from_zero(first))
    }
}

fn from_zero(number: &[u8; 4]) -> u32 {
    u32::from_be_bytes(*number).saturating_sub(1)
}
