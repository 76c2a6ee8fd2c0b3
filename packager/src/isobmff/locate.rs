//! Finding the movie header of a stored file with few small reads, wherever it stands.
//!
//! The machine says which bytes it wants next and is given them; media bytes are hopped over, never asked for
//! (beyond what a window happens to hold).

use std::ops::Range;

use bytes::Bytes;

use super::Error;
use super::reader::{Boxed, Extent, Head};

/// One window is one round trip to remote storage, and holds the whole header of a short fast-start file.
const WINDOW: u64 = 64 * 1024;

/// What stands behind the media is the movie header and little else: it is asked for whole, since a window of it would be
/// one round trip more. The header of a two-hour film with its sound has about 5 MiB.
const LONGEST_END: u64 = 8 * 1024 * 1024;

/// Real files have up to a handful of boxes before their movie header: `ftyp`, `free`, `wide`, `mdat`.
const MAX_BOXES: u32 = 16;

/// A file of many large `mdat` boxes must not cost a read each.
const MAX_WINDOWS: u32 = 4;

/// The bytes of a movie header or of a fragment, the box head included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moov {
    /// Where in the file it begins.
    pub offset: u64,
    /// All of it.
    pub bytes: Bytes,
}

impl Moov {
    /// Where in the file it ends.
    pub const fn end(&self) -> u64 {
        self.offset.saturating_add(self.bytes.len() as u64)
    }

    /// Whether it says that there are fragments.
    ///
    /// # Errors
    /// When the boxes in it are broken.
    pub fn is_fragmented(&self) -> Result<bool, Error> {
        Ok(Boxed::first(&self.bytes, self.offset)?.child(b"mvex")?.is_some())
    }
}

/// The search for a movie header.
///
/// ```text
/// loop { match locator.push(read(locator.wanted())) { Ok(None) => continue, found => return found } }
/// ```
#[derive(Clone, Debug)]
pub struct Locator {
    file_length: u64,
    limit: u64,
    wanted: Range<u64>,
    /// Whether `wanted` is the whole movie header and no window.
    found: bool,
    boxes: u32,
    windows: u32,
}

impl Locator {
    /// A search in a file of `file_length` bytes for a header of at most `limit` bytes.
    pub fn new(file_length: u64, limit: u64) -> Self {
        Self { file_length, limit, wanted: 0..WINDOW.min(file_length), found: false, boxes: 0, windows: 0 }
    }

    /// The bytes that [`Locator::push`] must be given next. Never empty, but for an empty file.
    pub fn wanted(&self) -> Range<u64> {
        self.wanted.clone()
    }

    /// Takes the wanted bytes; returns the movie header once it is whole.
    ///
    /// # Errors
    /// [`Error::NoMovie`], [`Error::MovieTooLarge`], [`Error::Size`], or [`Error::EndOfFile`] when fewer bytes
    /// came than were wanted.
    pub fn push(&mut self, bytes: Bytes) -> Result<Option<Moov>, Error> {
        let wanted = self.wanted.end.saturating_sub(self.wanted.start);
        if (bytes.len() as u64) < wanted {
            return Err(Error::EndOfFile(self.wanted.end));
        }
        if self.found {
            return Ok(Some(Moov { offset: self.wanted.start, bytes }));
        }
        self.scan(&bytes)
    }

    fn scan(&mut self, window: &Bytes) -> Result<Option<Moov>, Error> {
        let start = self.wanted.start;
        let mut at = start;
        loop {
            let rest = usize::try_from(at.saturating_sub(start)).ok().and_then(|it| window.get(it..));
            let Some(head) = rest.and_then(Head::read) else { return self.look_at(at) };
            self.boxes = self.boxes.saturating_add(1);
            if self.boxes > MAX_BOXES {
                return Err(Error::NoMovie(at));
            }
            let to_the_end = self.file_length.saturating_sub(at);
            let size = match head.extent {
                Extent::Whole(size) if size < head.length as u64 => {
                    return Err(Error::Size { kind: head.kind, offset: at, size });
                }
                Extent::Whole(size) => size,
                Extent::ToTheEnd => to_the_end,
            };
            if head.kind.0 == *b"moov" {
                return self.take(at, size, start, window);
            }
            // A size beyond the end is that of a truncated or growing `mdat`: nothing stands behind it.
            at = at.saturating_add(size);
        }
    }

    /// Asks for a window at `at`, or for all from there on.
    fn look_at(&mut self, at: u64) -> Result<Option<Moov>, Error> {
        self.windows = self.windows.saturating_add(1);
        let rest = self.file_length.saturating_sub(at);
        // Eight bytes are the shortest head there is. The window that was searched began before `at`, unless the
        // file ends in it.
        if rest < 8 || self.windows >= MAX_WINDOWS || at == self.wanted.start {
            return Err(Error::NoMovie(at.min(self.file_length)));
        }
        let window = if rest <= LONGEST_END { rest } else { WINDOW };
        self.wanted = at..at.saturating_add(window);
        Ok(None)
    }

    fn take(&mut self, at: u64, size: u64, start: u64, window: &Bytes) -> Result<Option<Moov>, Error> {
        if size > self.limit {
            return Err(Error::MovieTooLarge { size, limit: self.limit });
        }
        let end = at.saturating_add(size);
        if end > self.file_length {
            return Err(Error::EndOfFile(end));
        }
        let within = |it: u64| usize::try_from(it.saturating_sub(start)).unwrap_or(usize::MAX);
        if within(end) <= window.len() {
            return Ok(Some(Moov { offset: at, bytes: window.slice(within(at)..within(end)) }));
        }
        self.found = true;
        self.wanted = at..end;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::super::reader::FourCc;
    use super::*;

    fn boxed(kind: &[u8; 4], body: usize) -> Vec<u8> {
        [&(body as u32 + 8).to_be_bytes()[..], kind, &vec![0; body]].concat()
    }

    /// Where the header is and which reads it took.
    fn check(file: &[u8], expected: Result<Range<u64>, Error>, reads: &[(u64, u64)]) {
        let mut locator = Locator::new(file.len() as u64, 1 << 20);
        let mut seen = Vec::new();
        let found = loop {
            let wanted = locator.wanted();
            seen.push((wanted.start, wanted.end));
            let bytes = Bytes::copy_from_slice(&file[wanted.start as usize..wanted.end as usize]);
            match locator.push(bytes) {
                Ok(None) => {}
                Ok(Some(moov)) => break Ok(moov.offset..moov.offset + moov.bytes.len() as u64),
                Err(error) => break Err(error),
            }
        };
        assert_eq!((found, &seen[..]), (expected, reads));
    }

    #[test]
    fn a_header_in_front_costs_one_read() {
        let file = [boxed(b"ftyp", 16), boxed(b"moov", 100), boxed(b"mdat", 200_000)].concat();
        check(&file, Ok(24..132), &[(0, 65_536)]);
    }

    #[test]
    fn a_header_behind_the_media_is_hopped_to() {
        let file = [boxed(b"ftyp", 16), boxed(b"mdat", 200_000), boxed(b"moov", 100)].concat();
        check(&file, Ok(200_032..200_140), &[(0, 65_536), (200_032, 200_140)]);
    }

    #[test]
    fn a_long_header_behind_the_media_comes_at_once() {
        let file = [boxed(b"mdat", 200_000), boxed(b"free", 0), boxed(b"moov", 500_000)].concat();
        check(&file, Ok(200_016..700_024), &[(0, 65_536), (200_008, 700_024)]);
    }

    #[test]
    fn a_long_header_is_read_whole_and_once() {
        let file = [boxed(b"ftyp", 16), boxed(b"moov", 100_000), boxed(b"mdat", 10)].concat();
        check(&file, Ok(24..100_032), &[(0, 65_536), (24, 100_032)]);
    }

    #[test]
    fn a_head_across_the_edge_of_a_window_is_looked_at_again() {
        let file = [boxed(b"free", 65_536 - 8 - 4), boxed(b"moov", 100)].concat();
        check(&file, Ok(65_532..65_640), &[(0, 65_536), (65_532, 65_640)]);
    }

    #[test]
    fn a_last_box_may_run_to_the_end() {
        let mut file = [boxed(b"ftyp", 16), boxed(b"moov", 100)].concat();
        file[24..28].fill(0);
        check(&file, Ok(24..132), &[(0, 132)]);
        let mut file = [boxed(b"mdat", 16), boxed(b"moov", 100)].concat();
        file[..4].fill(0);
        check(&file, Err(Error::NoMovie(132)), &[(0, 132)]);
    }

    #[test]
    fn what_has_no_header_ends_within_few_reads() {
        check(&[], Err(Error::NoMovie(0)), &[(0, 0)]);
        check(b"short", Err(Error::NoMovie(0)), &[(0, 5)]);
        check(&boxed(b"free", 0).repeat(20), Err(Error::NoMovie(128)), &[(0, 160)]);
        let many = boxed(b"mdat", 100_000).repeat(9);
        check(&many, Err(Error::NoMovie(900_072)), &[(0, 65_536), (100_008, 900_072)]);
        let long = boxed(b"mdat", 3_000_000).repeat(9);
        check(
            &long,
            Err(Error::NoMovie(12_000_032)),
            &[(0, 65_536), (3_000_008, 3_065_544), (6_000_016, 6_065_552), (9_000_024, 9_065_560)],
        );
    }

    #[test]
    fn a_broken_size_or_a_cut_header_is_named() {
        let mut file = boxed(b"ftyp", 16);
        file[3] = 4;
        check(&file, Err(Error::Size { kind: FourCc(*b"ftyp"), offset: 0, size: 4 }), &[(0, 24)]);
        let file = boxed(b"moov", 100);
        check(&file[..60], Err(Error::EndOfFile(108)), &[(0, 60)]);
        let mut file = boxed(b"moov", 100);
        file[1] = 0x40;
        check(&file, Err(Error::MovieTooLarge { size: 0x40_006c, limit: 1 << 20 }), &[(0, 108)]);
        let mut growing = boxed(b"mdat", 16);
        growing[0] = 0x7f;
        check(&growing, Err(Error::NoMovie(24)), &[(0, 24)]);
    }

    #[test]
    fn a_file_that_shrank_is_noticed() {
        let mut locator = Locator::new(1_000, 1_000);
        assert_eq!(locator.push(Bytes::from_static(b"short")), Err(Error::EndOfFile(1_000)));
    }
}
