//! Reading sample entries of `stsd` (ISO 14496-12 8.5.2): from a box to a decoder configuration.

use super::Error;
use super::esds;
use super::reader::{Boxed, FourCc};
use crate::codec::avc::{self, Colour};
use crate::media::CodecConfig;

/// More than the handful that a file with several configurations has.
const MAX_ENTRIES: usize = 32;

/// The decoder configuration in the entry `index` (from 0) of `stsd`.
pub(super) fn read(stsd: &Boxed, index: usize) -> Result<CodecConfig, Error> {
    let mut fields = stsd.fields();
    let (version, _) = fields.version_and_flags()?;
    fields.u32()?; // the count; the boxes themselves are counted instead
    let mut entries = stsd.children_from(fields.position()).take(MAX_ENTRIES);
    let none = stsd.says("sample_description_index", index as u64);
    let entry = entries.nth(index).ok_or(none)??;
    match &entry.kind().0 {
        b"avc1" | b"avc3" => avc(&entry).map(CodecConfig::Avc),
        b"mp4a" => esds::read(&find_esds(&entry, version)?).map(CodecConfig::Aac),
        b"encv" | b"enca" => Err(Error::Encrypted(entry.kind())),
        _ => Err(Error::Codec(entry.kind())),
    }
}

/// A visual sample entry has 78 bytes of fields (ISO 14496-12 12.1.3.2).
const VISUAL_FIELDS: usize = 78;

/// An audio sample entry has 28 bytes of fields (ISO 14496-12 12.2.3.2).
const AUDIO_FIELDS: usize = 28;

fn avc(entry: &Boxed) -> Result<avc::Config, Error> {
    let mut config = None;
    let mut aspect = None;
    let mut colour = None;
    for child in entry.children_from(VISUAL_FIELDS) {
        let child = child?;
        match &child.kind().0 {
            b"avcC" if config.is_none() => config = Some(avc::Config::as_stored(child.body().clone())?),
            b"pasp" if aspect.is_none() => aspect = Some(pasp(&child)?),
            b"colr" if colour.is_none() => colour = colr(&child)?,
            _ => {}
        }
    }
    let missing = Error::Missing { kind: FourCc(*b"avcC"), parent: entry.kind(), offset: entry.offset() };
    let mut config = config.ok_or(missing)?;
    if let Some((across, down)) = aspect {
        config.set_sample_aspect(across, down);
    }
    config.colour = colour.or(config.colour).filter(|&it| it != Colour::UNSPECIFIED);
    Ok(config)
}

/// The ratio in lowest terms that fit; zeros, which say nothing, where it does not.
fn pasp(pasp: &Boxed) -> Result<(u16, u16), Error> {
    let mut fields = pasp.fields();
    let (across, down) = (fields.u32()?, fields.u32()?);
    let divisor = greatest_common_divisor(across, down).max(1);
    let term = |it: u32| it.checked_div(divisor).and_then(|it| u16::try_from(it).ok());
    Ok(term(across).zip(term(down)).unwrap_or((0, 0)))
}

const fn greatest_common_divisor(mut a: u32, mut b: u32) -> u32 {
    while let Some(rest) = a.checked_rem(b) {
        (a, b) = (b, rest);
    }
    a
}

/// Code points of `nclx`, or of QuickTime's `nclc`, which has no range flag. Colour profiles say nothing we use.
fn colr(colr: &Boxed) -> Result<Option<Colour>, Error> {
    let mut fields = colr.fields();
    let kind = fields.bytes::<4>()?;
    if !matches!(&kind, b"nclx" | b"nclc") {
        return Ok(None);
    }
    let mut point = || fields.u16().map(|it| u8::try_from(it).unwrap_or(2));
    let (primaries, transfer, matrix) = (point()?, point()?, point()?);
    let full_range = kind == *b"nclx" && fields.u8()? & 0x80 != 0;
    Ok(Some(Colour { primaries, transfer, matrix, full_range }))
}

/// `esds` stands in the entry, or in QuickTime's `wave` within it.
fn find_esds(entry: &Boxed, stsd_version: u8) -> Result<Boxed, Error> {
    let mut fields = entry.fields();
    fields.skip(8)?;
    let entry_version = fields.u16()?;
    // QuickTime inserts fields by the entry's version; ISO has version 1 too, but says so in stsd and inserts none.
    let inserted = match (stsd_version, entry_version) {
        (0, 1) => 16,
        (0, 2) => 36,
        _ => 0,
    };
    for child in entry.children_from(AUDIO_FIELDS.saturating_add(inserted)) {
        let child = child?;
        if child.is(b"esds") {
            return Ok(child);
        }
        if child.is(b"wave") {
            return child.required(b"esds");
        }
    }
    Err(Error::Missing { kind: FourCc(*b"esds"), parent: entry.kind(), offset: entry.offset() })
}
