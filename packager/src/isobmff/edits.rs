//! Edit lists (ISO 14496-12 8.6.6): where a track's media stands in the presentation.

use super::Error;
use super::reader::Boxed;
use crate::media::{Timescale, Timestamp};

/// More edits than any encoder writes; an edit list longer than this is left unread.
const MAX_EDITS: u32 = 64;

/// Where a track's media stands in its presentation, in ticks of the track.
///
/// A sample is presented at `dts + composition_offset + shift`, and is meant to be seen or heard while that lies in
/// `start..end`. What lies before `start` is there to be decoded (pictures before a cut, priming of audio).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// From composition time to presentation time.
    pub shift: i64,
    /// The first presented tick.
    pub start: i64,
    /// The tick after the last presented one; `i64::MAX` when nothing is cut off.
    pub end: i64,
}

impl Placement {
    /// What holds without an edit list: everything is presented when it is composed.
    pub const WHOLE: Self = Self { shift: 0, start: i64::MIN, end: i64::MAX };

    /// Reads `edts`.
    ///
    /// An edit list that asks for another speed, or is absurdly long, is left aside and the media is presented
    /// straight.
    pub(super) fn read(edts: &Boxed, movie: Timescale, track: Timescale) -> Result<Self, Error> {
        let Some(elst) = edts.child(b"elst")? else { return Ok(Self::WHOLE) };
        let mut fields = elst.fields();
        let (version, _) = fields.version_and_flags()?;
        let count = fields.u32()?;
        // The room is checked whether or not the entries are used.
        let mut room = fields;
        room.entries(count, if version == 1 { 20 } else { 12 })?;
        if count > MAX_EDITS {
            return Ok(Self::WHOLE);
        }

        let mut delay = 0_i64;
        let mut pieces: Vec<Piece> = Vec::new();
        for _ in 0..count {
            let duration = i64::try_from(fields.u64_or_u32(version)?).unwrap_or(i64::MAX);
            let media_time = if version == 1 { fields.u64()? as i64 } else { fields.i32()?.into() };
            let rate = fields.u32()?;
            let duration = Timestamp::new(duration, movie).rescale(track).ticks();
            match media_time {
                -1 if pieces.is_empty() => delay = delay.saturating_add(duration),
                // A hole behind the media delays nothing, unless more media follows it.
                -1 => pieces.push(Piece { start: None, duration }),
                // Other negative times mean nothing.
                ..-1 => {}
                _ if rate != 0x1_0000 => return Ok(Self::WHOLE),
                start => pieces.push(Piece { start: Some(start), duration }),
            }
        }
        while pieces.pop_if(|it| it.start.is_none()).is_some() {}
        Self::of(delay, &pieces)
    }

    fn of(delay: i64, pieces: &[Piece]) -> Result<Self, Error> {
        let Some((&Piece { start: Some(media_time), duration }, more)) = pieces.split_first() else {
            // Without a word about the media, only what the delay pushed away is before the start.
            let start = if delay == 0 { i64::MIN } else { delay };
            return Ok(Self { shift: delay, start, end: i64::MAX });
        };
        // Pieces that follow each other without a gap are one piece. Zero lasts to the end of the media.
        let mut length = duration;
        for piece in more {
            if length == 0 || piece.start != media_time.checked_add(length) {
                return Err(Error::Cuts(pieces.len()));
            }
            length = if piece.duration == 0 { 0 } else { length.saturating_add(piece.duration) };
        }
        let end = if length == 0 { i64::MAX } else { delay.saturating_add(length) };
        Ok(Self { shift: delay.saturating_sub(media_time), start: delay, end })
    }
}

/// One edit that is not an initial delay, in ticks of the track.
#[derive(Clone, Copy)]
struct Piece {
    /// Where in the media; nothing for a hole.
    start: Option<i64>,
    duration: i64,
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const TRACK: Timescale = Timescale::new(48_000).unwrap();

    /// Entries of (duration in ms, media time, rate).
    fn read(entries: &[(u32, i32, u32)]) -> Result<Placement, Error> {
        let mut body = vec![0; 4];
        body.extend((entries.len() as u32).to_be_bytes());
        for (duration, media_time, rate) in entries {
            body.extend([duration.to_be_bytes(), media_time.to_be_bytes(), rate.to_be_bytes()].concat());
        }
        let elst = [&(body.len() as u32 + 8).to_be_bytes()[..], b"elst", &body].concat();
        let edts = [&(elst.len() as u32 + 8).to_be_bytes()[..], b"edts", &elst].concat();
        let edts = Boxed::first(&Bytes::from(edts), 0).unwrap();
        Placement::read(&edts, Timescale::MILLISECONDS, TRACK)
    }

    fn check(entries: &[(u32, i32, u32)], shift: i64, start: i64, end: i64) {
        assert_eq!(read(entries), Ok(Placement { shift, start, end }), "of {entries:?}");
    }

    const ONE: u32 = 0x1_0000;

    #[test]
    fn priming_moves_the_media_before_zero() {
        check(&[(2_000, 1_024, ONE)], -1_024, 0, 96_000);
        check(&[(0, 1_024, ONE)], -1_024, 0, i64::MAX);
    }

    #[test]
    fn an_empty_edit_delays() {
        check(&[(500, -1, ONE), (2_000, 1_024, ONE)], 24_000 - 1_024, 24_000, 120_000);
        check(&[(500, -1, ONE)], 24_000, 24_000, i64::MAX);
    }

    #[test]
    fn pieces_that_follow_each_other_are_one_and_others_are_cuts() {
        check(&[(1_000, 0, ONE), (1_000, 48_000, ONE)], 0, 0, 96_000);
        check(&[(1_000, 0, ONE), (1_000, -1, ONE)], 0, 0, 48_000);
        assert_eq!(read(&[(1_000, 0, ONE), (1_000, 96_000, ONE)]), Err(Error::Cuts(2)));
        assert_eq!(read(&[(1_000, 0, ONE), (500, -1, ONE), (1_000, 48_000, ONE)]), Err(Error::Cuts(3)));
    }

    #[test]
    fn a_list_that_makes_no_sense_is_left_aside() {
        assert_eq!(read(&[]), Ok(Placement::WHOLE));
        assert_eq!(read(&[(1_000, 0, 2 * ONE)]), Ok(Placement::WHOLE));
        assert_eq!(read(&[(1_000, 0, ONE); 65]), Ok(Placement::WHOLE));
        check(&[(1_000, -2, ONE), (1_000, 0, ONE)], 0, 0, 48_000);
    }
}
