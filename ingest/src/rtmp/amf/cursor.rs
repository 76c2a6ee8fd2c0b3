//! A place in a message, and what may still be read of it.

use bytes::Bytes;

use super::{Error, MAX_DEPTH, MAX_VALUES};

/// Reads forward through a message. Every value costs one of a fixed number.
#[derive(Clone, Debug)]
pub(super) struct Cursor {
    message: Bytes,
    at: usize,
    values_left: u32,
}

impl Cursor {
    pub(super) const fn new(message: Bytes) -> Self {
        Self { message, at: 0, values_left: MAX_VALUES }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    pub(super) const fn left(&self) -> usize {
        self.message.len().saturating_sub(self.at)
    }

    /// Pays for a value that begins here, at that depth.
    pub(super) fn admit(&mut self, depth: u8) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(Error::TooDeep { at: self.at });
        }
        self.values_left = self.values_left.checked_sub(1).ok_or(Error::TooMany { at: self.at })?;
        Ok(())
    }

    /// Whether these bytes come next.
    pub(super) fn looks_at(&self, bytes: &[u8]) -> bool {
        self.message.get(self.at..).is_some_and(|rest| rest.starts_with(bytes))
    }

    pub(super) fn skip(&mut self, count: usize) {
        self.at = self.at.saturating_add(count).min(self.message.len());
    }

    /// The next bytes, as a slice of the message.
    pub(super) fn bytes(&mut self, count: usize) -> Result<Bytes, Error> {
        if count > self.left() {
            return Err(Error::Truncated { at: self.at });
        }
        let start = self.at;
        self.skip(count);
        Ok(self.message.slice(start..self.at))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let bytes = self.message.get(self.at..).and_then(|rest| rest.first_chunk::<N>());
        let bytes = *bytes.ok_or(Error::Truncated { at: self.at })?;
        self.skip(N);
        Ok(bytes)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Error> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn i16(&mut self) -> Result<i16, Error> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, Error> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn f64(&mut self) -> Result<f64, Error> {
        self.array().map(f64::from_be_bytes)
    }
}
