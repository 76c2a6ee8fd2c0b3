//! Finding the fragments of a stored file: all `moof` boxes, and not a byte of media beyond what a window happens to hold.

use std::ops::Range;

use bytes::Bytes;

use super::super::Error;
use super::super::locate::Moov;
use super::super::reader::{Extent, Head};

/// Holds the head of a usual fragment, which has some kilobytes.
const WINDOW: u64 = 16 * 1024;

/// Sixteen bytes, of a box with a long size.
const LONGEST_HEAD: u64 = 16;

/// A day of fragments of half a second, with an `mdat` each and more beside.
const MAX_BOXES: u32 = 600_000;

/// The search for fragments; used as [`super::super::locate::Locator`] is, until nothing more is wanted.
#[derive(Clone, Debug)]
pub struct Walk {
    file_length: u64,
    /// Bytes of fragments that may still be taken.
    room: u64,
    limit: u64,
    wanted: Range<u64>,
    boxes: u32,
    /// A fragment whose media is not known to be whole yet.
    pending: Option<Moov>,
    found: Vec<Moov>,
}

impl Walk {
    /// A search from `start` on, behind the movie header, for fragments of at most `limit` bytes together.
    pub fn new(file_length: u64, start: u64, limit: u64) -> Self {
        let mut it = Self {
            file_length,
            room: limit,
            limit,
            wanted: 0..0,
            boxes: 0,
            pending: None,
            found: Vec::new(),
        };
        it.look_at(start);
        it
    }

    /// The bytes that [`Walk::push`] must be given next; empty at the end.
    pub fn wanted(&self) -> Range<u64> {
        self.wanted.clone()
    }

    /// Takes the wanted bytes.
    ///
    /// # Errors
    /// [`Error::Size`], [`Error::MovieTooLarge`], [`Error::NoMovie`] when the boxes do not end, or [`Error::EndOfFile`] when
    /// fewer bytes came than were wanted.
    pub fn push(&mut self, window: &Bytes) -> Result<(), Error> {
        let Range { start, end } = self.wanted.clone();
        if (window.len() as u64) < end.saturating_sub(start) {
            return Err(Error::EndOfFile(end));
        }
        let mut at = start;
        loop {
            let within = usize::try_from(at.saturating_sub(start)).ok();
            let Some(rest) = within.and_then(|it| window.get(it..)) else { break };
            let Some(head) = Head::read(rest) else { break };
            self.boxes = self.boxes.saturating_add(1);
            if self.boxes > MAX_BOXES {
                return Err(Error::NoMovie(at));
            }
            let size = match head.extent {
                Extent::Whole(size) if size < head.length as u64 => {
                    return Err(Error::Size { kind: head.kind, offset: at, size });
                }
                Extent::Whole(size) => size,
                Extent::ToTheEnd => self.file_length.saturating_sub(at),
            };
            let next = at.saturating_add(size);
            if next > self.file_length {
                // Whoever records is not done with it, or never will be.
                self.pending = None;
                self.wanted = 0..0;
                return Ok(());
            }
            match &head.kind.0 {
                b"moof" => {
                    let Some(bytes) = usize::try_from(size).ok().and_then(|it| rest.get(..it)) else {
                        // Its head is read again, with all of it.
                        self.boxes = self.boxes.saturating_sub(1);
                        return self.ask_for(at..next);
                    };
                    self.take(at, bytes)?;
                }
                b"mdat" => self.found.extend(self.pending.take()),
                _ => {}
            }
            at = next;
        }
        self.look_at(at);
        Ok(())
    }

    /// The fragments whose media is whole, in the order of the file.
    pub fn into_found(self) -> Vec<Moov> {
        self.found
    }

    fn look_at(&mut self, at: u64) {
        let end = at.saturating_add(WINDOW).min(self.file_length);
        // Eight bytes are the shortest head there is.
        self.wanted = if self.file_length.saturating_sub(at) < 8 { 0..0 } else { at..end };
    }

    fn ask_for(&mut self, fragment: Range<u64>) -> Result<(), Error> {
        let size = fragment.end.saturating_sub(fragment.start);
        if size > self.room {
            return Err(Error::MovieTooLarge { size: self.limit.saturating_add(size), limit: self.limit });
        }
        // With it comes the head of the media behind it, which says whether that is whole.
        self.wanted = fragment.start..fragment.end.saturating_add(LONGEST_HEAD).min(self.file_length);
        Ok(())
    }

    /// Copies a fragment out of its window, which is let go.
    fn take(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let too_large = Error::MovieTooLarge {
            size: self.limit.saturating_add(bytes.len() as u64).saturating_sub(self.room),
            limit: self.limit,
        };
        self.room = self.room.checked_sub(bytes.len() as u64).ok_or(too_large)?;
        // A fragment behind another without media between them has its media elsewhere.
        self.found.extend(self.pending.replace(Moov { offset, bytes: Bytes::copy_from_slice(bytes) }));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::reader::FourCc;
    use super::*;

    fn boxed(kind: &[u8; 4], body: usize) -> Vec<u8> {
        [&(body as u32 + 8).to_be_bytes()[..], kind, &vec![0; body]].concat()
    }

    /// Where the fragments are, and how many reads that took.
    fn check(file: &[u8], expected: Result<&[u64], Error>, reads: usize) {
        let mut walk = Walk::new(file.len() as u64, 0, 100_000);
        let mut read = 0;
        let outcome = loop {
            let wanted = walk.wanted();
            if wanted.is_empty() {
                break Ok(());
            }
            read += 1;
            let window = Bytes::copy_from_slice(&file[wanted.start as usize..wanted.end as usize]);
            if let Err(error) = walk.push(&window) {
                break Err(error);
            }
        };
        let found = outcome.map(|()| walk.into_found().iter().map(|it| it.offset).collect::<Vec<_>>());
        assert_eq!((found, read), (expected.map(<[u64]>::to_vec), reads));
    }

    #[test]
    fn fragments_are_found_and_media_is_hopped_over() {
        let small = [boxed(b"styp", 16), boxed(b"moof", 100), boxed(b"mdat", 200)].concat();
        check(&small.repeat(3), Ok(&[24, 364, 704]), 1);
        let large = [boxed(b"moof", 100), boxed(b"mdat", 200_000)].concat();
        check(&large.repeat(3), Ok(&[0, 200_116, 400_232]), 3);
        let long = [boxed(b"moof", 40_000), boxed(b"mdat", 200_000)].concat();
        check(&long, Ok(&[0]), 2);
        check(&[], Ok(&[]), 0);
    }

    #[test]
    fn what_is_not_whole_is_left_to_whoever_records() {
        let file =
            [boxed(b"moof", 100), boxed(b"mdat", 200), boxed(b"moof", 100), boxed(b"mdat", 200)].concat();
        check(&file[..file.len() - 1], Ok(&[0]), 1);
        check(&file[..file.len() - 250], Ok(&[0]), 1);
        check(&file[..320], Ok(&[0]), 1);
    }

    #[test]
    fn what_does_not_end_or_makes_no_sense_is_refused() {
        let mut file = boxed(b"moof", 100);
        file[3] = 4;
        check(&file, Err(Error::Size { kind: FourCc(*b"moof"), offset: 0, size: 4 }), 1);
        let many = [boxed(b"moof", 60_000), boxed(b"mdat", 1)].concat().repeat(2);
        check(&many, Err(Error::MovieTooLarge { size: 160_008, limit: 100_000 }), 3);
    }
}
