//! Sample sizes: `stsz` and `stz2`.

use bytes::Bytes;

use super::super::Error;
use super::super::reader::Boxed;

/// How many sizes lie between two remembered sums.
const STRIDE: u32 = 256;

/// A key picture of the largest size at the highest rate has a tenth of it.
const MAX_SIZE: u32 = 64 * 1024 * 1024;

/// A table of sizes with the sum of all before at every 256th.
#[derive(Clone, Debug)]
pub(super) struct Sizes {
    count: u32,
    form: Form,
    sums: Vec<u64>,
}

#[derive(Clone, Debug)]
enum Form {
    /// All samples have one size.
    Constant(u32),
    /// Big-endian fields of 4, 8, 16 or 32 bits.
    Listed { bits: u8, raw: Bytes },
}

impl Sizes {
    pub(super) fn read(stsz: &Boxed) -> Result<Self, Error> {
        let mut fields = stsz.fields();
        fields.version_and_flags()?;
        let constant = fields.u32()?;
        let count = fields.u32()?;
        let form = match constant {
            0 => Form::Listed { bits: 32, raw: fields.entries(count, 4)? },
            size => Form::Constant(size),
        };
        Self::summed(stsz, count, form)
    }

    pub(super) fn read_packed(stz2: &Boxed) -> Result<Self, Error> {
        let mut fields = stz2.fields();
        fields.version_and_flags()?;
        let field = fields.u32()? & 0xff;
        let count = fields.u32()?;
        let raw = match field {
            4 => fields.entries(count.div_ceil(2), 1)?,
            8 => fields.entries(count, 1)?,
            16 => fields.entries(count, 2)?,
            _ => return Err(stz2.says("field_size", field)),
        };
        Self::summed(stz2, count, Form::Listed { bits: field as u8, raw })
    }

    fn summed(table: &Boxed, count: u32, form: Form) -> Result<Self, Error> {
        let mut sizes = Self { count, form, sums: Vec::new() };
        if let Form::Constant(size) = sizes.form {
            return if size > MAX_SIZE { Err(table.says("sample_size", size)) } else { Ok(sizes) };
        }
        let sums = match &sizes.form {
            // Nearly all are, and have hundreds of thousands.
            Form::Listed { bits: 32, raw } => {
                sums(raw.as_chunks().0.iter().map(|&it| u32::from_be_bytes(it)))
            }
            _ => sums((0..count).map(|it| sizes.get(it).unwrap_or(0))),
        };
        sizes.sums = sums.map_err(|size| table.says("sample_size", size))?;
        Ok(sizes)
    }

    pub(super) const fn count(&self) -> u32 {
        self.count
    }

    pub(super) const fn weight(&self) -> usize {
        self.sums.len().saturating_mul(size_of::<u64>())
    }

    pub(super) fn get(&self, index: u32) -> Option<u32> {
        if index >= self.count {
            return None;
        }
        let at = index as usize;
        match &self.form {
            Form::Constant(size) => Some(*size),
            Form::Listed { bits: 4, raw } => {
                // The even samples stand in the high halves.
                let byte = raw.get(at / 2)?;
                Some(u32::from(if at.is_multiple_of(2) { byte >> 4 } else { byte & 0xf }))
            }
            Form::Listed { bits: 8, raw } => raw.get(at).map(|&it| it.into()),
            Form::Listed { bits: 16, raw } => {
                raw.as_chunks().0.get(at).map(|&it| u16::from_be_bytes(it).into())
            }
            Form::Listed { raw, .. } => raw.as_chunks().0.get(at).map(|&it| u32::from_be_bytes(it)),
        }
    }

    /// The bytes of all samples before `index`.
    pub(super) fn before(&self, index: u32) -> u64 {
        if let Form::Constant(size) = self.form {
            return u64::from(size).saturating_mul(index.into());
        }
        let stride = index / STRIDE;
        // The table may end right before a stride that would begin at its end.
        let (from, sum) = match self.sums.get(stride as usize) {
            Some(&sum) => (stride.saturating_mul(STRIDE), sum),
            None => match self.sums.last() {
                Some(&sum) => ((self.sums.len() as u32).saturating_sub(1).saturating_mul(STRIDE), sum),
                None => return 0,
            },
        };
        (from..index).filter_map(|it| self.get(it)).fold(sum, |sum, size| sum.saturating_add(size.into()))
    }
}

/// The sums of all sizes before every 256th; or a size that no sample has.
fn sums(sizes: impl Iterator<Item = u32>) -> Result<Vec<u64>, u32> {
    let (mut sums, mut sum, mut left) = (Vec::new(), 0_u64, 0_u32);
    for size in sizes {
        if left == 0 {
            sums.push(sum);
            left = STRIDE;
        }
        left = left.saturating_sub(1);
        if size > MAX_SIZE {
            return Err(size);
        }
        sum = sum.saturating_add(size.into());
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn boxed(kind: &[u8; 4], fields: &[u32], raw: &[u8]) -> Boxed {
        let fields = fields.iter().flat_map(|it| it.to_be_bytes()).collect::<Vec<_>>();
        let size = (8 + fields.len() + raw.len()) as u32;
        Boxed::first(&[&size.to_be_bytes()[..], kind, &fields, raw].concat().into(), 0).unwrap()
    }

    fn listed(sizes: &Sizes) -> Vec<u32> {
        (0..sizes.count()).map_while(|it| sizes.get(it)).collect()
    }

    #[test]
    fn packed_sizes_are_read_high_half_first() {
        let four = Sizes::read_packed(&boxed(b"stz2", &[0, 4, 3], &[0x12, 0x30])).unwrap();
        assert_eq!(listed(&four), [1, 2, 3]);
        let sixteen = Sizes::read_packed(&boxed(b"stz2", &[0, 16, 2], &[1, 0, 0, 7])).unwrap();
        assert_eq!(listed(&sixteen), [256, 7]);
        let field = boxed(b"stz2", &[0, 5, 0], &[]);
        assert_eq!(Sizes::read_packed(&field).map(|_| ()), Err(field.says("field_size", 5_u32)));
    }

    #[test]
    fn a_constant_size_needs_no_list() {
        let sizes = Sizes::read(&boxed(b"stsz", &[0, 4, u32::MAX], &[])).unwrap();
        assert_eq!((sizes.get(9), sizes.before(1_000)), (Some(4), 4_000));
    }

    #[test]
    fn a_sample_of_gibibytes_is_refused() {
        let stsz = boxed(b"stsz", &[0, 0, 1, u32::MAX], &[]);
        assert_eq!(Sizes::read(&stsz).map(|_| ()), Err(stsz.says("sample_size", u32::MAX)));
        let stsz = boxed(b"stsz", &[0, u32::MAX, 1], &[]);
        assert_eq!(Sizes::read(&stsz).map(|_| ()), Err(stsz.says("sample_size", u32::MAX)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn the_bytes_before_a_sample_are_those_of_all_before_it(sizes in prop::collection::vec(0..9_000_u32, 0..600)) {
            let fields = [&[0, 0, sizes.len() as u32], &sizes[..]].concat();
            let table = Sizes::read(&boxed(b"stsz", &fields, &[])).unwrap();
            let mut sum = 0;
            for (index, &size) in sizes.iter().enumerate() {
                prop_assert_eq!(table.before(index as u32), sum);
                sum += u64::from(size);
            }
            prop_assert_eq!(table.before(sizes.len() as u32), sum);
        }
    }
}
