//! Writing boxes: a size is patched in when the body is known.

use bytes::{BufMut, Bytes, BytesMut};

/// Bytes of boxes under construction. Everything written with it is a header: payload never passes through.
pub(super) struct Writer {
    bytes: BytesMut,
}

impl Writer {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { bytes: BytesMut::with_capacity(capacity) }
    }

    /// A box (ISO 14496-12 4.2) whose body `write` writes.
    pub(super) fn boxed(&mut self, kind: &[u8; 4], write: impl FnOnce(&mut Self)) {
        let start = self.len();
        self.u32(0);
        self.raw(kind);
        write(self);
        let size = u32::try_from(self.len().saturating_sub(start));
        self.patch(start, size.expect("headers stay far below 4 GiB"));
    }

    /// A box with version and flags.
    pub(super) fn full(&mut self, kind: &[u8; 4], version: u8, flags: u32, write: impl FnOnce(&mut Self)) {
        self.boxed(kind, |w| {
            w.u32(u32::from(version) << 24 | flags);
            write(w);
        });
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.put_slice(bytes);
    }

    pub(super) fn zeros(&mut self, count: usize) {
        self.bytes.put_bytes(0, count);
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.bytes.put_u8(value);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.bytes.put_u16(value);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.bytes.put_u32(value);
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.bytes.put_i32(value);
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.bytes.put_u64(value);
    }

    /// Overwrites the 32-bit field at `at`, which was written as a place-holder.
    pub(super) fn patch(&mut self, at: usize, value: u32) {
        let field = self.bytes.get_mut(at..at.saturating_add(4)).expect("the field was written before");
        field.copy_from_slice(&value.to_be_bytes());
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn finish(self) -> Bytes {
        self.bytes.freeze()
    }
}
