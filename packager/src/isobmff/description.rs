//! Reading sample entries of `stsd` (ISO 14496-12 8.5.2): from a box to a decoder configuration.

use bytes::Bytes;

use super::Error;
use super::esds::{self, Described};
use super::reader::{Boxed, FourCc};
use crate::codec::hevc::DolbyVision;
use crate::codec::picture::{Colour, Mastering, Picture};
use crate::codec::sound::Sound;
use crate::codec::{av1, avc, dolby, flac, hevc, mp3, opus, record, vp9};
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
        b"avc1" | b"avc3" => avc(&Visual::read(entry)?).map(CodecConfig::Avc),
        b"hvc1" | b"hev1" | b"dvh1" | b"dvhe" => hevc(&Visual::read(entry)?).map(CodecConfig::Hevc),
        b"av01" => av1(&Visual::read(entry)?).map(CodecConfig::Av1),
        b"vp09" => vp9(&Visual::read(entry)?).map(CodecConfig::Vp9),
        b"mp4a" | b".mp3" | b"ac-3" | b"ec-3" | b"Opus" | b"fLaC" => Audible::read(entry, version)?.config(),
        b"encv" | b"enca" => Err(Error::Encrypted(entry.kind())),
        _ => Err(Error::Codec(entry.kind())),
    }
}

/// A visual sample entry (ISO 14496-12 12.1.3.2).
struct Visual {
    entry: Boxed,
    children: Vec<Boxed>,
}

impl Visual {
    const FIELDS: usize = 78;

    fn read(entry: Boxed) -> Result<Self, Error> {
        Ok(Self { children: entry.children_from(Self::FIELDS).collect::<Result<_, _>>()?, entry })
    }

    /// Coded width and height.
    fn size(&self) -> Result<(u16, u16), Error> {
        let mut fields = self.entry.fields();
        fields.skip(24)?;
        let size = (fields.u16()?, fields.u16()?);
        if size.0 == 0 || size.1 == 0 { Err(self.entry.says("width or height", 0_u32)) } else { Ok(size) }
    }

    fn record(&self, kind: &[u8; 4]) -> Result<Bytes, Error> {
        child(&self.entry, &self.children, kind).map(|it| it.body().clone())
    }

    /// What the entry says of the pictures goes before what their own stream says.
    fn tell(&self, picture: &mut Picture) -> Result<(), Error> {
        let find = |kind| self.children.iter().find(move |it| it.is(kind));
        if let Some(aspect) = find(b"pasp") {
            let (across, down) = pasp(aspect)?;
            picture.set_sample_aspect(across, down);
        }
        let colours = self.children.iter().filter(|it| it.is(b"colr"));
        let colour = colours.map(colr).find_map(Result::transpose).transpose()?;
        picture.colour = colour.or(picture.colour).filter(|&it| it != Colour::UNSPECIFIED);
        picture.mastering = Mastering {
            display: find(b"mdcv").and_then(|it| it.body().first_chunk().copied()),
            light: find(b"clli").and_then(|it| it.body().first_chunk().copied()),
        };
        Ok(())
    }
}

fn avc(entry: &Visual) -> Result<avc::Config, Error> {
    let mut config = avc::Config::as_stored(entry.record(b"avcC")?)?;
    entry.tell(&mut config.picture)?;
    Ok(config)
}

fn hevc(entry: &Visual) -> Result<hevc::Config, Error> {
    let broken = |kind: &[u8; 4]| broken(&entry.entry, *kind);
    let mut config = hevc::Config::parse(entry.record(b"hvcC")?).map_err(broken(b"hvcC"))?;
    let dolby = entry.children.iter().find(|it| it.is(b"dvcC") || it.is(b"dvvC"));
    let dolby = dolby.map(|it| DolbyVision::parse(it.body().clone()).map_err(broken(&it.kind().0)));
    config.dolby_vision = dolby.transpose()?;
    entry.tell(&mut config.picture)?;
    Ok(config)
}

fn av1(entry: &Visual) -> Result<av1::Config, Error> {
    let (width, height) = entry.size()?;
    let config = av1::Config::parse(entry.record(b"av1C")?, width, height);
    let mut config = config.map_err(broken(&entry.entry, *b"av1C"))?;
    entry.tell(&mut config.picture)?;
    Ok(config)
}

fn vp9(entry: &Visual) -> Result<vp9::Config, Error> {
    let (width, height) = entry.size()?;
    let record = child(&entry.entry, &entry.children, b"vpcC")?;
    let config = vp9::Config::parse(behind_flags(record)?, width, height);
    let mut config = config.map_err(broken(&entry.entry, *b"vpcC"))?;
    entry.tell(&mut config.picture)?;
    Ok(config)
}

/// An audio sample entry (ISO 14496-12 12.2.3.2), or one of QuickTime's.
struct Audible {
    entry: Boxed,
    children: Vec<Boxed>,
    channels: u8,
    rate: u32,
}

impl Audible {
    const FIELDS: usize = 28;

    fn read(entry: Boxed, stsd_version: u8) -> Result<Self, Error> {
        let mut fields = entry.fields();
        fields.skip(8)?;
        let version = fields.u16()?;
        fields.skip(6)?;
        let channels = u8::try_from(fields.u16()?).unwrap_or(u8::MAX);
        fields.skip(6)?;
        let rate = fields.u32()? >> 16;
        // QuickTime inserts fields by the entry's version; ISO has version 1 too, but says so in stsd and inserts none.
        let inserted = match (stsd_version, version) {
            (0, 1) => 16,
            (0, 2) => 36,
            _ => 0,
        };
        let mut children = Vec::new();
        for child in entry.children_from(Self::FIELDS.saturating_add(inserted)) {
            let child = child?;
            if child.is(b"wave") {
                // QuickTime keeps what others have in the entry one box deeper.
                children.extend(child.children().collect::<Result<Vec<_>, _>>()?);
            } else {
                children.push(child);
            }
        }
        Ok(Self { entry, children, channels, rate })
    }

    fn config(&self) -> Result<CodecConfig, Error> {
        let record = |kind: &[u8; 4]| child(&self.entry, &self.children, kind);
        let broken = |kind: &[u8; 4]| broken(&self.entry, *kind);
        let dolby = |kind, name: &[u8; 4]| {
            let config = dolby::Config::parse(kind, record(name)?.body().clone());
            config.map(CodecConfig::Dolby).map_err(broken(name))
        };
        match &self.entry.kind().0 {
            b"mp4a" => match esds::read(record(b"esds")?)? {
                Described::Aac(config) => Ok(CodecConfig::Aac(config)),
                Described::Mpeg(object_type) => self.mp3(object_type),
            },
            b".mp3" => self.mp3(mp3::MPEG_1),
            b"ac-3" => dolby(dolby::Kind::Ac3, b"dac3"),
            b"ec-3" => dolby(dolby::Kind::Eac3, b"dec3"),
            b"Opus" => {
                let config = opus::Config::parse(record(b"dOps")?.body().clone());
                config.map(CodecConfig::Opus).map_err(broken(b"dOps"))
            }
            b"fLaC" => {
                let config = flac::Config::parse(behind_flags(record(b"dfLa")?)?);
                config.map(CodecConfig::Flac).map_err(broken(b"dfLa"))
            }
            _ => Err(Error::Codec(self.entry.kind())),
        }
    }

    /// What has no record is told by the entry's own fields.
    fn mp3(&self, object_type: u8) -> Result<CodecConfig, Error> {
        if !matches!(self.channels, 1 | 2) {
            return Err(self.entry.says("channelcount", self.channels));
        }
        if self.rate == 0 {
            return Err(self.entry.says("samplerate", 0_u32));
        }
        let sound = Sound::new(self.rate, self.channels);
        Ok(CodecConfig::Mp3(mp3::Config { object_type, sound }))
    }
}

fn child<'a>(entry: &Boxed, children: &'a [Boxed], kind: &[u8; 4]) -> Result<&'a Boxed, Error> {
    let missing = Error::Missing { kind: FourCc(*kind), parent: entry.kind(), offset: entry.offset() };
    children.iter().find(|it| it.is(kind)).ok_or(missing)
}

/// The body of a full box behind version and flags.
fn behind_flags(full: &Boxed) -> Result<Bytes, Error> {
    let mut fields = full.fields();
    fields.version_and_flags()?;
    Ok(fields.rest())
}

/// An error about the record in a box of `entry`.
fn broken(entry: &Boxed, kind: [u8; 4]) -> impl Fn(record::Error) -> Error {
    let offset = entry.offset();
    move |error| Error::Record { kind: FourCc(kind), offset, error }
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
