//! The movie header (`moov`, ISO 14496-12 8.2) of a stored file: its tracks, each judged by itself.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::description;
use super::edits::Placement;
use super::error::Error;
use super::fragmented::{Gathered, gather};
use super::init::Matrix;
use super::locate::Moov;
use super::reader::{Boxed, FourCc};
use super::table::{SampleTable, description_index};
use crate::codec::aac;
use crate::media::{CodecConfig, Timescale, Track};

/// More tracks than any player offers.
const MAX_TRACKS: usize = 64;

/// The longest language tag of any use has some dozens of characters (RFC 5646 4.4.1).
const MAX_LANGUAGE: usize = 64;

/// What a file offers.
#[derive(Clone, Debug)]
pub struct Movie {
    /// The tracks that can be played, in the order of the file.
    pub tracks: Vec<StoredTrack>,
    /// The tracks that cannot, and why. One broken track does not take the others down.
    pub left_out: Vec<LeftOut>,
}

/// A track that cannot be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Where its `trak` begins.
    pub offset: u64,
    /// What is in the way.
    pub reason: Error,
}

/// One track of a stored file.
#[derive(Clone, Debug)]
pub struct StoredTrack {
    /// Where its `trak` begins.
    pub offset: u64,
    /// Its number in the file.
    pub id: u32,
    /// Whether it is meant to be played unless the viewer chooses otherwise.
    pub enabled: bool,
    /// Configuration (an avcC keeps its NAL length size), timescale and language.
    pub track: Track,
    /// A language tag of BCP 47, which says more than the three letters of `track`.
    pub language_tag: Option<String>,
    /// How its pictures are turned.
    pub matrix: Matrix,
    /// Where its media stands in the presentation.
    pub placement: Placement,
    /// When the first of its samples is decoded, in ticks of the track; zero where there are no fragments. The placement
    /// counts it in.
    begins: u64,
    /// Its samples.
    pub samples: SampleTable,
}

impl Movie {
    /// Reads a movie header, with the fragments behind it, if it has any.
    ///
    /// # Errors
    /// When nothing of it can be used: broken at its top level or in a fragment, compressed, or
    /// [`Error::NoTrack`] when it has no track of sound or pictures at all. Tracks that are broken or unknown are
    /// in `left_out`.
    pub fn parse(moov: &Moov, fragments: &[Moov]) -> Result<Self, Error> {
        let moov = Boxed::first(&moov.bytes, moov.offset)?;
        let mut timescale = None;
        let mut traks = Vec::new();
        let mut gathered = None;
        for child in moov.children() {
            let child = child?;
            match &child.kind().0 {
                b"mvhd" if timescale.is_none() => timescale = Some(read_mvhd(&child)?),
                b"trak" => traks.push(child),
                b"mvex" => gathered = Some(BTreeMap::new()),
                b"cmov" => return Err(Error::Compressed),
                _ => {}
            }
        }
        let missing = Error::Missing { kind: FourCc(*b"mvhd"), parent: moov.kind(), offset: moov.offset() };
        let timescale = timescale.ok_or(missing)?;

        if let Some(gathered) = &mut gathered {
            *gathered = gather(&moov, fragments, &stored_samples(&traks))?;
        }
        let mut movie = Self { tracks: Vec::new(), left_out: Vec::new() };
        for (index, trak) in traks.iter().enumerate() {
            if index >= MAX_TRACKS {
                movie.left_out.push(LeftOut { offset: trak.offset(), reason: Error::TooManyTracks });
                break;
            }
            match movie.read_trak(trak, timescale, gathered.as_ref()) {
                Ok(track) => movie.tracks.push(track),
                Err(reason) => movie.left_out.push(LeftOut { offset: trak.offset(), reason }),
            }
        }
        if movie.tracks.is_empty() && movie.left_out.is_empty() {
            return Err(Error::NoTrack);
        }
        movie.begin_near_zero();
        Ok(movie)
    }

    /// What was recorded from the middle of a broadcast begins with hours: whole seconds that all tracks have are dropped.
    fn begin_near_zero(&mut self) {
        let seconds = |it: &StoredTrack| it.begins.checked_div(it.track.timescale.hertz().into());
        let all = self.tracks.iter().filter_map(seconds).min().unwrap_or(0);
        for it in &mut self.tracks {
            let dropped = all.saturating_mul(it.track.timescale.hertz().into());
            it.begins = it.begins.saturating_sub(dropped);
            let begins = i64::try_from(it.begins).unwrap_or(i64::MAX);
            it.placement.shift = it.placement.shift.saturating_add(begins);
        }
    }

    fn read_trak(
        &self,
        trak: &Boxed,
        movie: Timescale,
        fragmented: Option<&BTreeMap<u32, Gathered>>,
    ) -> Result<StoredTrack, Error> {
        let mdia = trak.required(b"mdia")?;
        let hdlr = mdia.required(b"hdlr")?;
        let mut fields = hdlr.fields();
        fields.skip(8)?;
        let handler = FourCc(fields.bytes()?);
        if !matches!(&handler.0, b"vide" | b"soun") {
            return Err(Error::Handler(handler));
        }
        let tkhd = trak.required(b"tkhd")?;
        let (id, enabled, matrix) = read_tkhd(&tkhd)?;
        if self.tracks.iter().any(|it| it.id == id) {
            return Err(tkhd.says("track_ID", id));
        }
        let (timescale, language) = read_mdhd(&mdia.required(b"mdhd")?)?;
        let minf = mdia.required(b"minf")?;
        refuse_other_files(&minf)?;
        let stbl = minf.required(b"stbl")?;
        let config = description::read(&stbl.required(b"stsd")?, description_index(&stbl)?)?;
        let placement = match trak.child(b"edts")? {
            Some(edts) => Placement::read(&edts, movie, timescale)?,
            None => Placement::WHOLE,
        };
        let (mut samples, begins) = match fragmented {
            None => (SampleTable::read(&stbl, timescale)?, 0),
            Some(gathered) => {
                let it = gathered.get(&id).ok_or(Error::NoFragment)?;
                (SampleTable::read(&Boxed::first(&it.stbl, 0)?, timescale)?, it.begins)
            }
        };
        if samples.count() == 0 {
            return Err(Error::Missing {
                kind: FourCc(*b"stsz"),
                parent: stbl.kind(),
                offset: stbl.offset(),
            });
        }
        if matches!(config, CodecConfig::Aac(aac::Config { object_type, .. }) if object_type != 42) {
            // Every AAC frame but those of xHE-AAC can be decoded from; lists of some of them are muxers' slips.
            samples.forget_syncs();
        }
        let track = Track { config, timescale, language };
        let language_tag = read_elng(&mdia)?;
        let offset = trak.offset();
        Ok(StoredTrack { offset, id, enabled, track, language_tag, matrix, placement, begins, samples })
    }
}

/// What an init segment of ours says of its track, and how pictures are turned.
///
/// # Errors
/// When it is none.
pub fn read_init(init: &Bytes) -> Result<(Track, Matrix), Error> {
    let ftyp = Boxed::first(init, 0)?;
    let behind = ftyp.body().len().saturating_add(8);
    let moov = init.get(behind..).map(|it| init.slice_ref(it)).unwrap_or_default();
    let trak = Boxed::first(&moov, behind as u64)?.required(b"trak")?;
    let mdia = trak.required(b"mdia")?;
    let (_, _, matrix) = read_tkhd(&trak.required(b"tkhd")?)?;
    let (timescale, language) = read_mdhd(&mdia.required(b"mdhd")?)?;
    let stsd = mdia.required(b"minf")?.required(b"stbl")?.required(b"stsd")?;
    Ok((Track { config: description::read(&stsd, 0)?, timescale, language }, matrix))
}

/// The samples that stand in the header of a movie that goes on in fragments, by the tracks' numbers. Of a track that is
/// broken there are none; it is judged later.
fn stored_samples(traks: &[Boxed]) -> BTreeMap<u32, SampleTable> {
    let samples = |trak: &Boxed| {
        let (id, ..) = read_tkhd(&trak.required(b"tkhd")?)?;
        let mdia = trak.required(b"mdia")?;
        let (timescale, _) = read_mdhd(&mdia.required(b"mdhd")?)?;
        let table = SampleTable::read(&mdia.required(b"minf")?.required(b"stbl")?, timescale)?;
        Ok::<_, Error>((id, table))
    };
    traks.iter().take(MAX_TRACKS).filter_map(|it| samples(it).ok()).collect()
}

fn read_mvhd(mvhd: &Boxed) -> Result<Timescale, Error> {
    let mut fields = mvhd.fields();
    let (version, _) = fields.version_and_flags()?;
    fields.skip(if version == 1 { 16 } else { 8 })?;
    let timescale = fields.u32()?;
    checked_timescale(mvhd, timescale)
}

fn checked_timescale(within: &Boxed, timescale: u32) -> Result<Timescale, Error> {
    let checked = Timescale::new(timescale).filter(|it| it.hertz() <= 1 << 31);
    checked.ok_or_else(|| within.says("timescale", timescale))
}

fn read_tkhd(tkhd: &Boxed) -> Result<(u32, bool, Matrix), Error> {
    let mut fields = tkhd.fields();
    let (version, flags) = fields.version_and_flags()?;
    fields.skip(if version == 1 { 16 } else { 8 })?;
    let id = fields.u32()?;
    if id == 0 {
        return Err(tkhd.says("track_ID", id));
    }
    fields.u32()?; // reserved
    fields.u64_or_u32(version)?; // duration
    fields.skip(16)?; // reserved, layer, alternate group, volume, reserved
    let mut matrix = Matrix::IDENTITY;
    for value in &mut matrix.0 {
        *value = fields.i32()?;
    }
    Ok((id, flags & 1 != 0, matrix))
}

fn read_mdhd(mdhd: &Boxed) -> Result<(Timescale, [u8; 3]), Error> {
    let mut fields = mdhd.fields();
    let (version, _) = fields.version_and_flags()?;
    fields.skip(if version == 1 { 16 } else { 8 })?;
    let timescale = fields.u32()?;
    fields.u64_or_u32(version)?;
    Ok((checked_timescale(mdhd, timescale)?, unpack_language(fields.u16()?)))
}

/// Three letters of five bits each. Values below 0x400 are QuickTime's codes, which are not worth a table.
fn unpack_language(packed: u16) -> [u8; 3] {
    let letters = [packed >> 10, packed >> 5, packed].map(|it| (it & 0x1f) as u8 | 0x60);
    if packed >= 0x400 && letters.iter().all(u8::is_ascii_lowercase) { letters } else { *b"und" }
}

/// A language tag, if one is there and could be one.
fn read_elng(mdia: &Boxed) -> Result<Option<String>, Error> {
    let Some(elng) = mdia.child(b"elng")? else { return Ok(None) };
    let text = elng.body().get(4..).unwrap_or_default();
    let text = text.split(|&it| it == 0).next().unwrap_or_default();
    let legal = |it: &u8| it.is_ascii_alphanumeric() || *it == b'-';
    if text.is_empty() || text.len() > MAX_LANGUAGE || !text.iter().all(legal) {
        return Ok(None);
    }
    Ok(String::from_utf8(text.to_vec()).ok())
}

/// A path or URL that a media file names is never opened.
fn refuse_other_files(minf: &Boxed) -> Result<(), Error> {
    let Some(dinf) = minf.child(b"dinf")? else { return Ok(()) };
    let Some(dref) = dinf.child(b"dref")? else { return Ok(()) };
    for entry in dref.children_from(8) {
        if entry?.fields().version_and_flags()?.1 & 1 == 0 {
            return Err(Error::External);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_three_letters_or_unknown() {
        assert_eq!(
            [0x55c4, 0x15c7, 0, 0x3ff, 0xffff].map(unpack_language),
            [*b"und", *b"eng", *b"und", *b"und", *b"und"]
        );
    }
}
