//! From fragments to sample tables: what a movie without fragments would say of the same samples.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::super::Error;
use super::super::locate::Moov;
use super::super::reader::{Boxed, Fields};
use super::super::table::{MAX_SAMPLES, SampleTable, StoredSample};
use super::super::writer::Writer;
use crate::media::Sync;

/// What the samples of a track are unless their fragment says otherwise (`trex`, 8.8.3).
#[derive(Clone, Copy, Debug, Default)]
struct Defaults {
    duration: u32,
    size: u32,
    flags: u32,
}

/// The sample tables of a track.
pub(in super::super) struct Gathered {
    /// A sample table box.
    pub(in super::super) stbl: Bytes,
    /// When its first sample is decoded, in ticks of the track.
    pub(in super::super) begins: u64,
}

/// Gathers the samples of all fragments by the tracks' numbers; `stored` are those that stand in the movie header.
pub(in super::super) fn gather(
    moov: &Boxed,
    fragments: &[Moov],
    stored: &BTreeMap<u32, SampleTable>,
) -> Result<BTreeMap<u32, Gathered>, Error> {
    let defaults = read_defaults(moov)?;
    let mut tracks = Tracks { by_id: BTreeMap::new(), room: MAX_SAMPLES };
    for (id, table) in stored {
        tracks.make_room(moov, table.count())?;
        tracks.by_id.entry(*id).or_default().take_stored(table.samples(0));
    }
    for fragment in fragments {
        read_fragment(&Boxed::first(&fragment.bytes, fragment.offset)?, &defaults, &mut tracks)?;
    }
    Ok(tracks.by_id.into_iter().filter_map(|(id, it)| Some((id, it.finish()?))).collect())
}

/// What is gathered of all tracks. A run of a few bytes may tell of millions of samples, so they are counted for all tracks
/// together.
struct Tracks {
    by_id: BTreeMap<u32, Track>,
    room: u32,
}

impl Tracks {
    fn make_room(&mut self, boxed: &Boxed, samples: u32) -> Result<(), Error> {
        self.room = self.room.checked_sub(samples).ok_or_else(|| boxed.says("sample_count", samples))?;
        Ok(())
    }
}

fn read_defaults(moov: &Boxed) -> Result<BTreeMap<u32, Defaults>, Error> {
    let mut defaults = BTreeMap::new();
    let Some(mvex) = moov.child(b"mvex")? else { return Ok(defaults) };
    for trex in mvex.children() {
        let trex = trex?;
        if trex.is(b"trex") {
            let mut fields = trex.fields();
            fields.version_and_flags()?;
            let id = fields.u32()?;
            fields.u32()?; // default_sample_description_index
            let it = Defaults { duration: fields.u32()?, size: fields.u32()?, flags: fields.u32()? };
            defaults.insert(id, it);
        }
    }
    Ok(defaults)
}

fn read_fragment(moof: &Boxed, defaults: &BTreeMap<u32, Defaults>, tracks: &mut Tracks) -> Result<(), Error> {
    // Where the data of the traf before ended, for those that do not say where theirs begins.
    let mut end = None;
    for traf in moof.children() {
        let traf = traf?;
        if !traf.is(b"traf") {
            continue;
        }
        let head = TrackHead::read(&traf.required(b"tfhd")?, defaults)?;
        let base =
            head.base.unwrap_or(if head.from_moof { moof.offset() } else { end.unwrap_or(moof.offset()) });
        if let Some(tfdt) = traf.child(b"tfdt")? {
            let mut fields = tfdt.fields();
            let (version, _) = fields.version_and_flags()?;
            tracks.by_id.entry(head.id).or_default().goes_on_at(fields.u64_or_u32(version)?);
        }
        let mut at = base;
        for run in traf.children() {
            let run = run?;
            if run.is(b"trun") {
                tracks.make_room(&run, announced(&run)?)?;
                at = tracks.by_id.entry(head.id).or_default().take_run(&run, head.defaults, base, at)?;
            }
        }
        end = Some(at);
    }
    Ok(())
}

/// How many samples `trun` says that it has.
fn announced(trun: &Boxed) -> Result<u32, Error> {
    let mut fields = trun.fields();
    fields.version_and_flags()?;
    fields.u32()
}

/// `tfhd` (8.8.7).
struct TrackHead {
    id: u32,
    base: Option<u64>,
    from_moof: bool,
    defaults: Defaults,
}

impl TrackHead {
    fn read(tfhd: &Boxed, defaults: &BTreeMap<u32, Defaults>) -> Result<Self, Error> {
        let mut fields = tfhd.fields();
        let (_, flags) = fields.version_and_flags()?;
        let id = fields.u32()?;
        let base = if flags & 0x1 == 0 { None } else { Some(fields.u64()?) };
        if flags & 0x2 != 0 && fields.u32()? > 1 {
            // Another decoder configuration than the one init segment can tell of.
            return Err(Error::Configurations(2));
        }
        let mut defaults = defaults.get(&id).copied().unwrap_or_default();
        for (flag, field) in
            [(0x8, &mut defaults.duration), (0x10, &mut defaults.size), (0x20, &mut defaults.flags)]
        {
            if flags & flag != 0 {
                *field = fields.u32()?;
            }
        }
        Ok(Self { id, base, from_moof: flags & 0x2_0000 != 0, defaults })
    }
}

/// What is gathered of one track.
#[derive(Default)]
struct Track {
    begins: Option<u64>,
    /// When the next sample is decoded.
    next: u64,
    /// How long the last sample lasts, which is certain once the next one is known.
    last: Option<u32>,
    durations: Vec<(u32, u32)>,
    offsets: Vec<(u32, u32)>,
    sizes: Vec<u32>,
    /// Where each run of samples begins, and how many it has.
    chunks: Vec<(u64, u32)>,
    syncs: Vec<u32>,
}

impl Track {
    /// The next sample is decoded then. A hole prolongs the sample before it; what goes back further than that one lasts
    /// follows on it, for no player goes back in time.
    fn goes_on_at(&mut self, time: u64) {
        let Some(last) = self.last else {
            (self.begins, self.next) = (Some(time), time);
            return;
        };
        let before = self.next.saturating_sub(last.into());
        if let Some(lasts) = time.checked_sub(before).and_then(|it| u32::try_from(it).ok()) {
            (self.last, self.next) = (Some(lasts), time);
        }
    }

    /// Samples of `trun` (8.8.8) from `at` on, or where it says; gives where they end.
    fn take_run(&mut self, trun: &Boxed, defaults: Defaults, base: u64, at: u64) -> Result<u64, Error> {
        let mut fields = trun.fields();
        let (_, flags) = fields.version_and_flags()?;
        let count = fields.u32()?;
        let mut at = if flags & 0x1 == 0 { at } else { base.saturating_add_signed(fields.i32()?.into()) };
        let first_flags = if flags & 0x4 == 0 { None } else { Some(fields.u32()?) };
        let told = [0x100, 0x200, 0x400, 0x800].map(|it| flags & it != 0);
        // All samples are there before one is read.
        let each = told.iter().filter(|it| **it).count().saturating_mul(4);
        Fields::entries(&mut { fields }, count, each)?;
        if count == 0 {
            return Ok(at);
        }
        self.chunks.push((at, count));
        for index in 0..count {
            let mut field = |is_told: bool, otherwise| if is_told { fields.u32() } else { Ok(otherwise) };
            let [duration, size, flags, offset] = told;
            let duration = field(duration, defaults.duration)?;
            let size = field(size, defaults.size)?;
            let flags = field(flags, defaults.flags)?;
            let offset = field(offset, 0)?;
            let flags = first_flags.filter(|_| index == 0).unwrap_or(flags);
            self.push(duration, offset, size, is_sync(flags));
            at = at.saturating_add(size.into());
        }
        Ok(at)
    }

    /// Samples of the movie header, in their order.
    fn take_stored(&mut self, samples: impl Iterator<Item = StoredSample>) {
        let mut end = None;
        for it in samples {
            match self.chunks.last_mut() {
                Some((_, count)) if end == Some(it.offset) => *count = count.saturating_add(1),
                _ => self.chunks.push((it.offset, 1)),
            }
            end = Some(it.offset.saturating_add(it.size.into()));
            self.push(it.duration, it.composition_offset as u32, it.size, it.sync == Sync::Key);
        }
    }

    fn push(&mut self, duration: u32, offset: u32, size: u32, sync: bool) {
        if let Some(last) = self.last.replace(duration) {
            push_run(&mut self.durations, last);
        }
        self.begins.get_or_insert(self.next);
        self.next = self.next.saturating_add(duration.into());
        push_run(&mut self.offsets, offset);
        self.sizes.push(size);
        if sync {
            // Bounded by the number of samples, which was checked.
            self.syncs.push(self.sizes.len() as u32);
        }
    }

    /// A sample table box that says all this; none of a track without samples.
    fn finish(mut self) -> Option<Gathered> {
        push_run(&mut self.durations, self.last?);
        let mut w = Writer::with_capacity(self.sizes.len().saturating_mul(5).saturating_add(256));
        w.boxed(b"stbl", |w| self.write(w));
        Some(Gathered { stbl: w.finish(), begins: self.begins.unwrap_or(0) })
    }

    fn write(&self, w: &mut Writer) {
        fn pairs(w: &mut Writer, runs: &[(u32, u32)]) {
            w.u32(runs.len() as u32);
            for (count, value) in runs {
                w.u32(*count);
                w.u32(*value);
            }
        }
        w.full(b"stts", 0, 0, |w| pairs(w, &self.durations));
        w.full(b"ctts", 1, 0, |w| pairs(w, &self.offsets));
        w.full(b"stsz", 0, 0, |w| {
            w.u32(0);
            w.u32(self.sizes.len() as u32);
            self.sizes.iter().for_each(|it| w.u32(*it));
        });
        w.full(b"stsc", 0, 0, |w| {
            let mut runs: Vec<(u32, u32)> = Vec::new();
            for (chunk, (_, count)) in (1_u32..).zip(&self.chunks) {
                if runs.last().is_none_or(|it| it.1 != *count) {
                    runs.push((chunk, *count));
                }
            }
            w.u32(runs.len() as u32);
            for (first, count) in runs {
                w.u32(first);
                w.u32(count);
                w.u32(1); // sample_description_index
            }
        });
        w.full(b"co64", 0, 0, |w| {
            w.u32(self.chunks.len() as u32);
            self.chunks.iter().for_each(|it| w.u64(it.0));
        });
        if self.syncs.len() < self.sizes.len() {
            w.full(b"stss", 0, 0, |w| {
                w.u32(self.syncs.len() as u32);
                self.syncs.iter().for_each(|it| w.u32(*it));
            });
        }
    }
}

fn push_run(runs: &mut Vec<(u32, u32)>, value: u32) {
    match runs.last_mut() {
        Some((count, last)) if *last == value => *count = count.saturating_add(1),
        _ => runs.push((1, value)),
    }
}

/// `sample_is_non_sync_sample` is not set (8.8.3.1).
const fn is_sync(flags: u32) -> bool {
    flags & 0x1_0000 == 0
}
