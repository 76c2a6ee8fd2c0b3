//! Reading the beginnings of slices, of which only the header is wanted.

/// What nearly every header fits into.
const USUAL: usize = 128;

/// What any fits into: tables of weights for 32 references are below 2 KiB.
const LONGEST: usize = 4_096;

/// What `read` finds in the beginning of a NAL unit, asked with more of it where the first look does not reach.
pub(super) fn header_window<T>(nal: &[u8], read: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    let window = |length: usize| nal.get(..nal.len().min(length)).unwrap_or_default();
    read(window(USUAL)).or_else(|| if nal.len() > USUAL { read(window(LONGEST)) } else { None })
}
