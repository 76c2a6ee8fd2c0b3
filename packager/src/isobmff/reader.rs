//! Walking boxes (ISO 14496-12 4.2) of a file that nobody vouches for.
//!
//! Everything is bounded by the bytes at hand: no box reaches beyond the one it stands in, no count is believed
//! before its entries fit, and nothing recurses. Bodies are slices of the bytes that came in.

use std::fmt;

use bytes::Bytes;

use super::Error;

/// Real files nest ten deep.
const MAX_DEPTH: u8 = 16;

/// Real containers hold some dozens; a bound on the work that one container can cost.
const MAX_CHILDREN: usize = 4_096;

/// The type of a box.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FourCc(pub [u8; 4]);

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The size field of a box, before it is compared with what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Header and body together.
    Whole(u64),
    /// To the end of the file; legal at the top level only.
    ToTheEnd,
}

/// The head of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: FourCc,
    pub(super) extent: Extent,
    /// Bytes of the head itself: 8 or 16.
    pub(super) length: usize,
}

impl Head {
    /// Reads the head at the front of `bytes`; nothing when it is not whole.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (size, rest) = bytes.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first_chunk::<4>()?;
        let kind = FourCc(*kind);
        let head = |extent, length| Some(Self { kind, extent, length });
        match u32::from_be_bytes(*size) {
            0 => head(Extent::ToTheEnd, 8),
            1 => head(Extent::Whole(u64::from_be_bytes(*rest.first_chunk()?)), 16),
            size => head(Extent::Whole(size.into()), 8),
        }
    }
}

/// A box whose bytes are all there.
#[derive(Clone, Debug)]
pub struct Boxed {
    kind: FourCc,
    offset: u64,
    body: Bytes,
    body_offset: u64,
    depth: u8,
}

impl Boxed {
    /// The box that `bytes` begin with, standing at `offset` of its file.
    ///
    /// # Errors
    /// [`Error::Truncated`] or [`Error::Size`] when its size is not that of something within `bytes`.
    pub fn first(bytes: &Bytes, offset: u64) -> Result<Self, Error> {
        Self::at(bytes, offset, 0)
    }

    fn at(bytes: &Bytes, offset: u64, depth: u8) -> Result<Self, Error> {
        let unknown = FourCc(*b"????");
        let head = Head::read(bytes).ok_or(Error::Truncated { kind: unknown, offset })?;
        let Extent::Whole(size) = head.extent else {
            return Err(Error::Size { kind: head.kind, offset, size: 0 });
        };
        let impossible = Error::Size { kind: head.kind, offset, size };
        let end = usize::try_from(size).map_err(|_| impossible)?;
        if end < head.length || end > bytes.len() {
            return Err(impossible);
        }
        if depth > MAX_DEPTH {
            return Err(Error::TooDeep { kind: head.kind, offset });
        }
        let body_offset = offset.saturating_add(head.length as u64);
        Ok(Self { kind: head.kind, offset, body: bytes.slice(head.length..end), body_offset, depth })
    }

    /// Its type.
    pub const fn kind(&self) -> FourCc {
        self.kind
    }

    /// Whether it is of this type.
    pub fn is(&self, kind: &[u8; 4]) -> bool {
        self.kind.0 == *kind
    }

    /// Where in the file its head begins.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// What stands behind its head.
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// Reads its body field by field.
    pub const fn fields(&self) -> Fields<'_> {
        Fields { boxed: self, at: 0 }
    }

    /// The boxes in its body.
    pub const fn children(&self) -> Children<'_> {
        self.children_from(0)
    }

    /// The boxes in its body behind `skip` bytes of fields.
    pub const fn children_from(&self, skip: usize) -> Children<'_> {
        Children { parent: self, at: skip, count: 0 }
    }

    /// The first box of a type in its body.
    ///
    /// # Errors
    /// When the boxes before it are broken.
    pub fn child(&self, kind: &[u8; 4]) -> Result<Option<Self>, Error> {
        self.children().find(|it| it.as_ref().map_or(true, |it| it.is(kind))).transpose()
    }

    /// The first box of a type in its body, which must be there.
    ///
    /// # Errors
    /// [`Error::Missing`], or when the boxes before it are broken.
    pub fn required(&self, kind: &[u8; 4]) -> Result<Self, Error> {
        let missing = Error::Missing { kind: FourCc(*kind), parent: self.kind, offset: self.offset };
        self.child(kind)?.ok_or(missing)
    }

    /// An error about one of its fields.
    pub(super) fn says(&self, field: &'static str, value: impl Into<u64>) -> Error {
        Error::Value { kind: self.kind, offset: self.offset, field, value: value.into() }
    }
}

/// The boxes of a container in order; ends after the first broken one.
#[derive(Debug)]
pub struct Children<'a> {
    parent: &'a Boxed,
    at: usize,
    count: usize,
}

impl Iterator for Children<'_> {
    type Item = Result<Boxed, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let Boxed { kind, offset, body, body_offset, depth } = self.parent;
        // QuickTime ends some containers with four zero bytes; nothing so short can be a box.
        if body.len().saturating_sub(self.at) < 8 {
            return None;
        }
        self.count = self.count.saturating_add(1);
        let child = if self.count > MAX_CHILDREN {
            Err(Error::TooManyBoxes { kind: *kind, offset: *offset })
        } else {
            let at = body_offset.saturating_add(self.at as u64);
            Boxed::at(&body.slice(self.at..), at, depth.saturating_add(1))
        };
        self.at = match &child {
            Ok(child) => {
                (child.body_offset.saturating_sub(*body_offset) as usize).saturating_add(child.body.len())
            }
            Err(_) => body.len(),
        };
        Some(child)
    }
}

/// Reads the fields of one box in order.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    boxed: &'a Boxed,
    at: usize,
}

impl Fields<'_> {
    /// The next `N` bytes.
    ///
    /// # Errors
    /// [`Error::Truncated`] when there are fewer; so for all that follow.
    pub fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let taken = self.boxed.body.get(self.at..).and_then(|it| it.first_chunk::<N>());
        let taken = *taken.ok_or_else(|| self.truncated())?;
        self.at = self.at.saturating_add(N);
        Ok(taken)
    }

    /// An 8-bit field.
    pub fn u8(&mut self) -> Result<u8, Error> {
        self.bytes().map(u8::from_be_bytes)
    }

    /// A 16-bit field.
    pub fn u16(&mut self) -> Result<u16, Error> {
        self.bytes().map(u16::from_be_bytes)
    }

    /// A 32-bit field.
    pub fn u32(&mut self) -> Result<u32, Error> {
        self.bytes().map(u32::from_be_bytes)
    }

    /// A signed 32-bit field.
    pub fn i32(&mut self) -> Result<i32, Error> {
        self.bytes().map(i32::from_be_bytes)
    }

    /// A 64-bit field.
    pub fn u64(&mut self) -> Result<u64, Error> {
        self.bytes().map(u64::from_be_bytes)
    }

    /// Version and flags of a full box.
    pub fn version_and_flags(&mut self) -> Result<(u8, u32), Error> {
        let [version, flags @ ..] = self.bytes::<4>()?;
        let [high, middle, low] = flags;
        Ok((version, u32::from_be_bytes([0, high, middle, low])))
    }

    /// A field of 64 bits in version 1 and of 32 in version 0.
    pub fn u64_or_u32(&mut self, version: u8) -> Result<u64, Error> {
        if version == 1 { self.u64() } else { self.u32().map(u64::from) }
    }

    /// Passes over bytes.
    pub fn skip(&mut self, length: usize) -> Result<(), Error> {
        let next = self.at.saturating_add(length);
        if next > self.boxed.body.len() {
            return Err(self.truncated());
        }
        self.at = next;
        Ok(())
    }

    /// The next `count` entries of `size` bytes each, unread; refused unless all are there.
    pub fn entries(&mut self, count: u32, size: usize) -> Result<Bytes, Error> {
        let Boxed { kind, offset, body, .. } = self.boxed;
        let refused = Error::Count { kind: *kind, offset: *offset, count };
        let length = (count as usize).checked_mul(size).ok_or(refused)?;
        let end = self.at.checked_add(length).filter(|&end| end <= body.len()).ok_or(refused)?;
        let entries = body.slice(self.at..end);
        self.at = end;
        Ok(entries)
    }

    /// Everything not read yet.
    pub fn rest(&self) -> Bytes {
        self.boxed.body.slice(self.at.min(self.boxed.body.len())..)
    }

    /// How many bytes were read.
    pub const fn position(&self) -> usize {
        self.at
    }

    const fn truncated(&self) -> Error {
        Error::Truncated { kind: self.boxed.kind, offset: self.boxed.offset }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOOV: FourCc = FourCc(*b"moov");

    fn of(bytes: &[u8]) -> Result<Boxed, Error> {
        Boxed::first(&Bytes::copy_from_slice(bytes), 100)
    }

    fn wrap(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32 + 8).to_be_bytes(), &kind[..], body].concat()
    }

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        let check = |size: u32, rest: &[u8], expected| {
            let bytes = [&size.to_be_bytes(), b"moov", rest].concat();
            assert_eq!(of(&bytes).map(|_| ()), Err(Error::Size { kind: MOOV, offset: 100, size: expected }));
        };
        check(0, &[], 0);
        check(4, &[], 4);
        check(7, &[0; 8], 7);
        check(17, &[0; 8], 17);
        check(1, &15_u64.to_be_bytes(), 15);
        check(1, &(1_u64 << 63).to_be_bytes(), 1 << 63);
        check(1, &u64::MAX.to_be_bytes(), u64::MAX);
        assert!(matches!(of(b"\0\0\0"), Err(Error::Truncated { .. })));
    }

    #[test]
    fn children_are_found_with_their_offsets_and_padding_is_none() {
        let body = [wrap(b"mvhd", &[1, 2, 3]), wrap(b"trak", &[]), vec![0; 4]].concat();
        let moov = of(&wrap(b"moov", &body)).unwrap();
        let seen = moov.children().map(|it| it.map(|it| (it.kind(), it.offset(), it.body().len())));
        let expected = [(FourCc(*b"mvhd"), 108, 3), (FourCc(*b"trak"), 119, 0)];
        assert_eq!(seen.collect::<Result<Vec<_>, _>>().unwrap(), expected);
        let missing = Error::Missing { kind: FourCc(*b"cmov"), parent: MOOV, offset: 100 };
        assert_eq!(moov.required(b"cmov").map(|_| ()), Err(missing));
    }

    #[test]
    fn a_large_size_shifts_the_body() {
        let bytes = [&1_u32.to_be_bytes()[..], b"moov", &24_u64.to_be_bytes(), &wrap(b"free", &[])].concat();
        let moov = of(&bytes).unwrap();
        assert_eq!(moov.children().next().unwrap().map(|it| it.offset()), Ok(116));
    }

    #[test]
    fn a_broken_child_ends_its_container() {
        let body = [wrap(b"free", &[]), vec![0; 8], wrap(b"free", &[])].concat();
        let moov = of(&wrap(b"moov", &body)).unwrap();
        let seen = moov.children().map(|it| it.is_ok()).collect::<Vec<_>>();
        assert_eq!(seen, [true, false]);
    }

    #[test]
    fn ten_thousand_boxes_in_each_other_end_at_a_bounded_depth() {
        let mut bytes = Vec::new();
        for _ in 0..10_000 {
            bytes = wrap(b"moov", &bytes);
        }
        let mut inner = of(&bytes).unwrap();
        let mut depth = 0;
        let error = loop {
            match inner.children().next().unwrap() {
                Ok(child) => (inner, depth) = (child, depth + 1),
                Err(error) => break error,
            }
        };
        assert_eq!((depth, error), (MAX_DEPTH, Error::TooDeep { kind: MOOV, offset: 100 + 8 * 17 }));
    }

    #[test]
    fn a_container_of_crumbs_is_bounded() {
        let moov = of(&wrap(b"moov", &wrap(b"free", &[]).repeat(5_000))).unwrap();
        assert_eq!(moov.children().count(), MAX_CHILDREN + 1);
        assert_eq!(
            moov.children().last().unwrap().map(|_| ()),
            Err(Error::TooManyBoxes { kind: MOOV, offset: 100 })
        );
    }

    #[test]
    fn no_count_is_believed_before_its_entries_are_there() {
        let stts = of(&wrap(b"stts", &[0xff; 20])).unwrap();
        let mut fields = stts.fields();
        let count = fields.u32().unwrap();
        let refused = Error::Count { kind: FourCc(*b"stts"), offset: 100, count: u32::MAX };
        assert_eq!(fields.entries(count, 8), Err(refused));
        assert_eq!(fields.entries(2, 8).map(|it| it.len()), Ok(16));
        assert_eq!(fields.u8(), Err(Error::Truncated { kind: FourCc(*b"stts"), offset: 100 }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked_within_their_length(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let moov = of(&wrap(b"moov", &bytes)).unwrap();
            let total = moov.children().flatten().map(|it| it.body().len() + 8).sum::<usize>();
            prop_assert!(total <= bytes.len() + 8);
        }
    }
}
