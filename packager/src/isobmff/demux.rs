//! A whole MP4 in memory as a publisher needs it: configurations, and the samples of all tracks in dts order.

use bytes::Bytes;

use super::Walk;
use super::error::Error;
use super::locate::Locator;
use super::movie::{Movie, StoredTrack};
use super::reader::FourCc;
use super::table::Samples;
use crate::codec::avc;
use crate::flv;
use crate::media::{CodecConfig, Sample, Timestamp, Track};

/// A file and its tracks.
#[derive(Clone, Debug)]
pub struct Demuxed {
    file: Bytes,
    tracks: Vec<DemuxedTrack>,
}

#[derive(Clone, Debug)]
struct DemuxedTrack {
    stored: StoredTrack,
    /// As `stored`, but with 4-byte NAL lengths.
    track: Track,
    /// What its stored samples have.
    length_size: u8,
}

/// Reads the movie header of a file that is wholly at hand. All tracks are kept that can be published over RTMP.
///
/// # Errors
/// As [`Locator::push`] and [`Movie::parse`]; when no track can be published, the reason of the first.
pub fn demux(file: Bytes) -> Result<Demuxed, Error> {
    let length = file.len() as u64;
    let mut locator = Locator::new(length, length);
    let moov = loop {
        let wanted = locator.wanted();
        // The machine asks within the length it was given.
        let window = file.slice(wanted.start as usize..wanted.end as usize);
        if let Some(moov) = locator.push(window)? {
            break moov;
        }
    };
    let mut walk = Walk::new(length, moov.end(), length);
    while moov.is_fragmented()? && !walk.wanted().is_empty() {
        let wanted = walk.wanted();
        walk.push(&file.slice(wanted.start as usize..wanted.end as usize))?;
    }
    let mut movie = Movie::parse(&moov, &walk.into_found())?;
    if movie.tracks.is_empty() {
        return Err(movie.left_out.first().map_or(Error::NoTrack, |it| it.reason));
    }
    let first =
        movie.tracks.first().map_or(Error::NoTrack, |it| Error::Codec(FourCc(it.track.config.entry())));
    movie.tracks.retain(|it| flv::configuration(&it.track.config).is_some());
    if movie.tracks.is_empty() {
        return Err(first);
    }
    let tracks = movie.tracks.into_iter().map(DemuxedTrack::of).collect::<Result<_, _>>()?;
    Ok(Demuxed { file, tracks })
}

impl Demuxed {
    /// The tracks, with 4-byte NAL lengths.
    pub fn tracks(&self) -> impl Iterator<Item = &Track> {
        self.tracks.iter().map(|it| &it.track)
    }

    /// Samples with the index of their track, by dts. Edit lists are applied: times are those of the presentation,
    /// so that the first dts may lie before zero. Payloads are slices of the file.
    pub fn samples(&self) -> Interleaved<'_> {
        let heads = self.tracks.iter().map(|it| it.stored.samples.samples(0)).collect();
        Interleaved { demuxed: self, rest: heads }
    }
}

impl DemuxedTrack {
    fn of(stored: StoredTrack) -> Result<Self, Error> {
        let mut track = stored.track.clone();
        let mut length_size = 4;
        if let CodecConfig::Avc(config) = &mut track.config {
            length_size = avc::length_size(&config.record).unwrap_or(length_size);
            config.record = avc::Config::parse(config.record.clone())?.record;
        }
        Ok(Self { stored, track, length_size })
    }

    /// When the next of `samples` is decoded, in the presentation.
    fn next_dts(&self, samples: &Samples<'_>) -> Option<Timestamp> {
        let ticks = samples.clone().next()?.dts.saturating_add(self.stored.placement.shift);
        Some(Timestamp::new(ticks, self.track.timescale))
    }
}

/// Samples of several tracks in one order.
#[derive(Clone, Debug)]
pub struct Interleaved<'a> {
    demuxed: &'a Demuxed,
    rest: Vec<Samples<'a>>,
}

impl Iterator for Interleaved<'_> {
    type Item = Result<(usize, Sample), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let heads = self.demuxed.tracks.iter().zip(&self.rest).enumerate();
        let dated = heads.filter_map(|(index, (track, rest))| Some((track.next_dts(rest)?, index)));
        let (dts, index) = dated.min()?;
        let track = self.demuxed.tracks.get(index)?;
        let stored = self.rest.get_mut(index)?.next()?;

        let end = stored.offset.saturating_add(stored.size.into());
        if end > self.demuxed.file.len() as u64 {
            return Some(Err(Error::EndOfFile(end)));
        }
        // Both were just compared with the length of something in memory.
        let mut payload = self.demuxed.file.slice(stored.offset as usize..end as usize);
        if track.length_size != 4 {
            payload = avc::normalise(payload, track.length_size).payload;
        }
        let composition_offset = stored.composition_offset;
        Some(Ok((index, Sample { dts, composition_offset, sync: stored.sync, payload })))
    }
}
