//! Init segments: `ftyp` and `moov` of one CMAF track (ISO 23000-19 7.2, 7.3).

use bytes::Bytes;

use super::protection::TrackProtection;
use super::sample_entry;
use super::writer::Writer;
use crate::media::{Track, TrackKind};

/// The init segment of `track`; a live one, whose durations are zero.
pub fn init_segment(track: &Track) -> Bytes {
    Init::live(track).render()
}

/// All that an init segment says. Equal ones render to equal bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Init<'a> {
    /// The one track.
    pub track: &'a Track,
    /// The length of the presentation in ticks of the track, zero when it is not known yet.
    pub duration: u64,
    /// Where on the decoding timeline the presentation begins, when not at zero: what an edit list of one
    /// entry says.
    pub media_time: u64,
    /// How pictures are turned before they are shown.
    pub matrix: Matrix,
}

impl<'a> Init<'a> {
    /// What a live track says: no duration, no edit, upright.
    pub const fn live(track: &'a Track) -> Self {
        Self { track, duration: 0, media_time: 0, matrix: Matrix::IDENTITY }
    }

    /// The bytes of `ftyp` and `moov`.
    pub fn render(&self) -> Bytes {
        self.render_protected(None)
    }

    /// The same of a track whose samples are encrypted.
    pub(crate) fn render_protected(&self, protection: Option<&TrackProtection>) -> Bytes {
        let mut w = Writer::with_capacity(1_024);
        w.boxed(b"ftyp", |w| {
            w.raw(b"iso6");
            w.u32(0);
            w.raw(b"iso6iso8mp41dashcmfc");
        });
        w.boxed(b"moov", |w| {
            self.mvhd(w);
            w.boxed(b"trak", |w| {
                self.tkhd(w);
                self.edts(w);
                w.boxed(b"mdia", |w| self.mdia(w, protection));
            });
            w.boxed(b"mvex", |w| self.mvex(w));
            protection.iter().flat_map(|it| &it.systems).for_each(|it| w.raw(it));
        });
        w.finish()
    }

    fn mvhd(&self, w: &mut Writer) {
        w.full(b"mvhd", 0, 0, |w| {
            w.zeros(8); // creation and modification: equal bytes on every server
            w.u32(self.track.timescale.hertz());
            w.u32(0); // duration: of the samples in this moov, and there are none
            w.u32(0x0001_0000); // rate
            w.u16(0x0100); // volume
            w.zeros(10);
            Matrix::IDENTITY.write(w);
            w.zeros(24);
            w.u32(2); // next_track_ID
        });
    }

    fn tkhd(&self, w: &mut Writer) {
        let (volume, (width, height)) = match self.track.config.picture() {
            Some(picture) => (0, picture.display()),
            None => (0x0100, (0, 0)),
        };
        // Enabled, in the movie, in the preview.
        w.full(b"tkhd", 0, 7, |w| {
            w.zeros(8);
            w.u32(1); // track_ID
            w.zeros(4 + 4 + 8 + 2 + 2); // duration, reserved, layer, alternate_group
            w.u16(volume);
            w.zeros(2);
            self.matrix.write(w);
            // 16.16; an aspect ratio so odd that it overflows is not worth an error.
            w.u32(width.min(0xffff) << 16);
            w.u32(height.min(0xffff) << 16);
        });
    }

    fn edts(&self, w: &mut Writer) {
        if self.media_time == 0 {
            return;
        }
        w.boxed(b"edts", |w| match i32::try_from(self.media_time) {
            Ok(media_time) => w.full(b"elst", 0, 0, |w| {
                w.u32(1);
                w.u32(0); // to the end
                w.i32(media_time);
                w.u32(0x0001_0000); // rate
            }),
            Err(_) => w.full(b"elst", 1, 0, |w| {
                w.u32(1);
                w.u64(0);
                w.u64(self.media_time);
                w.u32(0x0001_0000);
            }),
        });
    }

    fn mdia(&self, w: &mut Writer, protection: Option<&TrackProtection>) {
        w.full(b"mdhd", 0, 0, |w| {
            w.zeros(8);
            w.u32(self.track.timescale.hertz());
            w.u32(0);
            w.u16(pack_language(self.track.language));
            w.u16(0);
        });
        let (handler, name) = match self.track.kind() {
            TrackKind::Video => (b"vide", b"VideoHandler\0"),
            TrackKind::Audio => (b"soun", b"SoundHandler\0"),
        };
        w.full(b"hdlr", 0, 0, |w| {
            w.u32(0);
            w.raw(handler);
            w.zeros(12);
            w.raw(name);
        });
        w.boxed(b"minf", |w| {
            match self.track.kind() {
                TrackKind::Video => w.full(b"vmhd", 0, 1, |w| w.zeros(8)),
                TrackKind::Audio => w.full(b"smhd", 0, 0, |w| w.zeros(4)),
            }
            w.boxed(b"dinf", |w| {
                w.full(b"dref", 0, 0, |w| {
                    w.u32(1);
                    w.full(b"url ", 0, 1, |_| {}); // in this very file
                });
            });
            w.boxed(b"stbl", |w| self.stbl(w, protection));
        });
    }

    fn stbl(&self, w: &mut Writer, protection: Option<&TrackProtection>) {
        w.full(b"stsd", 0, 0, |w| {
            w.u32(1);
            sample_entry::write(w, &self.track.config, protection);
        });
        w.full(b"stts", 0, 0, |w| w.u32(0));
        w.full(b"stsc", 0, 0, |w| w.u32(0));
        w.full(b"stsz", 0, 0, |w| w.zeros(8));
        w.full(b"stco", 0, 0, |w| w.u32(0));
    }

    fn mvex(&self, w: &mut Writer) {
        if self.duration > 0 {
            w.full(b"mehd", 1, 0, |w| w.u64(self.duration));
        }
        w.full(b"trex", 0, 0, |w| {
            w.u32(1); // track_ID
            w.u32(1); // default_sample_description_index
            w.zeros(12); // fragments bring their own defaults
        });
    }
}

/// The transformation of a track's pictures (ISO 14496-12 6.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matrix(pub [i32; 9]);

impl Matrix {
    /// Pictures are shown as they are coded.
    pub const IDENTITY: Self = Self([0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000]);

    /// Whether pictures are shown a quarter turned, so that width and height change places.
    pub const fn swaps_sides(&self) -> bool {
        let [a, b, _, c, d, ..] = self.0;
        a == 0 && d == 0 && b != 0 && c != 0
    }

    fn write(&self, w: &mut Writer) {
        self.0.iter().for_each(|&it| w.i32(it));
    }
}

/// Three letters of five bits each (ISO 14496-12 8.4.2.3); anything else is `und`.
fn pack_language(letters: [u8; 3]) -> u16 {
    let letters = if letters.iter().all(u8::is_ascii_lowercase) { letters } else { *b"und" };
    letters.iter().fold(0, |all, letter| all << 5 | u16::from(letter & 0x1f))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_packed_in_fifteen_bits() {
        assert_eq!([*b"und", *b"eng", *b"E N"].map(pack_language), [0x55c4, 0x15c7, 0x55c4]);
    }

    #[test]
    fn a_quarter_turn_swaps_the_sides() {
        let turn = Matrix([0, 0x1_0000, 0, -0x1_0000, 0, 0, 0, 0, 0x4000_0000]);
        assert!(turn.swaps_sides());
        assert!(!Matrix::IDENTITY.swaps_sides());
    }
}
