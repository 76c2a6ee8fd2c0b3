//! Fragments: one `moof` and one `mdat` (ISO 14496-12 8.8).
//!
//! What all samples of a fragment share is said once in `tfhd`; `trun` lists only what differs. So a part of equal
//! durations without B-frames costs four bytes per sample.

use bytes::Bytes;

use super::writer::Writer;
use crate::media::{Sample, Sync, Timestamp};

/// A sample that knows how long it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedSample {
    /// The sample.
    pub sample: Sample,
    /// Ticks of the track's timescale until the next sample's dts.
    pub duration: u32,
}

/// What a fragment's header says of one sample, whose bytes may still be on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Bytes of payload.
    pub size: u32,
    /// Ticks of the track's timescale until the next sample's dts.
    pub duration: u32,
    /// Presentation time minus decoding time; negative ones are legal.
    pub composition_offset: i32,
    /// Whether decoding may begin here.
    pub sync: Sync,
}

impl From<&TimedSample> for Entry {
    fn from(it: &TimedSample) -> Self {
        let size = u32::try_from(it.sample.payload.len());
        Self {
            size: size
                .expect("a sample is smaller than 4 GiB: those who make samples bound them by a thousandth"),
            duration: it.duration,
            composition_offset: it.sample.composition_offset,
            sync: it.sample.sync,
        }
    }
}

/// The `moof` and the head of the `mdat`; the payloads of `entries` must follow without gaps.
///
/// `base` is the `tfdt` of the first sample, in the track's timescale; `sequence` is `mfhd`'s number. Track id is always
/// 1 (tracks are never muxed in CMAF). A `base` below zero cannot be written and becomes zero: whoever plans a timeline begins it at or after zero.
pub fn header<I>(sequence: u32, base: Timestamp, entries: I) -> Bytes
where
    I: IntoIterator<Item = Entry>,
    I::IntoIter: Clone,
{
    header_with(sequence, base, entries, |_| {})
}

/// The same with boxes behind the `trun`: those that encryption needs.
pub(super) fn header_with<I>(
    sequence: u32,
    base: Timestamp,
    entries: I,
    behind: impl FnOnce(&mut Writer),
) -> Bytes
where
    I: IntoIterator<Item = Entry>,
    I::IntoIter: Clone,
{
    let entries = entries.into_iter();
    let count = entries.clone().count();
    let payload = entries.clone().map(|it| u64::from(it.size)).fold(0, u64::saturating_add);
    let shared = Shared::of(entries.clone());

    let mut data_offset_at = 0;
    let mut w = Writer::with_capacity(count.saturating_mul(16).saturating_add(128));
    w.boxed(b"moof", |w| {
        w.full(b"mfhd", 0, 0, |w| w.u32(sequence));
        w.boxed(b"traf", |w| {
            shared.tfhd(w);
            w.full(b"tfdt", 1, 0, |w| w.u64(u64::try_from(base.ticks()).unwrap_or(0)));
            data_offset_at = shared.trun(w, count, entries);
            behind(w);
        });
    });
    let moof = w.len();
    mdat_head(&mut w, payload);
    let data_offset = u32::try_from(w.len()).expect("a header of bounded entries stays far below 4 GiB");
    debug_assert!(data_offset_at < moof, "the offset stands inside the moof");
    w.patch(data_offset_at, data_offset);
    w.finish()
}

/// `styp` of a whole media segment. Parts and later fragments of a segment go without.
pub fn segment_header() -> Bytes {
    Bytes::from_static(b"\0\0\0\x20stypmsdh\0\0\0\0msdhcmfscmffdash")
}

fn mdat_head(w: &mut Writer, payload: u64) {
    if let Ok(size) = u32::try_from(payload.saturating_add(8)) {
        w.u32(size);
        w.raw(b"mdat");
    } else {
        w.u32(1);
        w.raw(b"mdat");
        w.u64(payload.saturating_add(16));
    }
}

/// `sample_flags` (ISO 14496-12 8.8.3.1): depends on no other, or depends on others and is no sync sample.
const fn flags(sync: Sync) -> u32 {
    match sync {
        Sync::Key => 0x0200_0000,
        Sync::Delta => 0x0101_0000,
    }
}

/// What holds for all samples of a fragment and is therefore not repeated for each.
struct Shared {
    duration: Option<u32>,
    size: Option<u32>,
    /// Flags of all samples, or of all but the first.
    flags: Option<u32>,
    /// Flags of the first sample, where only they differ.
    first_flags: Option<u32>,
    composed: bool,
}

impl Shared {
    fn of(entries: impl Iterator<Item = Entry> + Clone) -> Self {
        let same = |field: fn(&Entry) -> u32, skip: usize| {
            let mut values = entries.clone().skip(skip).map(|it| field(&it));
            let first = values.next()?;
            values.all(|it| it == first).then_some(first)
        };
        let sync = |it: &Entry| flags(it.sync);
        let all = same(sync, 0);
        let rest = same(sync, 1);
        Self {
            duration: same(|it| it.duration, 0),
            size: same(|it| it.size, 0),
            flags: all.or(rest),
            first_flags: match all.or(rest) {
                Some(shared) => entries.clone().next().map(|it| sync(&it)).filter(|&it| it != shared),
                None => None,
            },
            composed: entries.clone().any(|it| it.composition_offset != 0),
        }
    }

    fn tfhd(&self, w: &mut Writer) {
        let said = [(0x08, self.duration), (0x10, self.size), (0x20, self.flags)];
        let present = said.iter().filter(|it| it.1.is_some()).fold(0, |all, it| all | it.0);
        // default-base-is-moof, as CMAF asks (ISO 23000-19 7.5.16).
        w.full(b"tfhd", 0, 0x02_0000 | present, |w| {
            w.u32(1);
            said.iter().filter_map(|it| it.1).for_each(|it| w.u32(it));
        });
    }

    /// Returns where the data offset stands.
    fn trun(&self, w: &mut Writer, count: usize, entries: impl Iterator<Item = Entry>) -> usize {
        let listed = [
            (0x001, true),
            (0x004, self.first_flags.is_some()),
            (0x100, self.duration.is_none()),
            (0x200, self.size.is_none()),
            (0x400, self.flags.is_none()),
            (0x800, self.composed),
        ];
        let present = listed.iter().filter(|it| it.1).fold(0, |all, it| all | it.0);
        let mut data_offset_at = 0;
        // Version 1: composition offsets are signed.
        w.full(b"trun", 1, present, |w| {
            w.u32(u32::try_from(count).expect("entries are bounded by whoever plans a fragment"));
            data_offset_at = w.len();
            w.u32(0);
            if let Some(flags) = self.first_flags {
                w.u32(flags);
            }
            for entry in entries {
                if self.duration.is_none() {
                    w.u32(entry.duration);
                }
                if self.size.is_none() {
                    w.u32(entry.size);
                }
                if self.flags.is_none() {
                    w.u32(flags(entry.sync));
                }
                if self.composed {
                    w.i32(entry.composition_offset);
                }
            }
        });
        data_offset_at
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::super::Error;
    use super::super::reader::Boxed;
    use super::*;
    use crate::media::Timescale;

    fn entry(size: u32, duration: u32, composition_offset: i32, sync: Sync) -> Entry {
        Entry { size, duration, composition_offset, sync }
    }

    fn words(header: &Bytes, from: usize) -> Vec<u32> {
        header[from..].chunks(4).map(|it| u32::from_be_bytes(it.try_into().unwrap())).collect()
    }

    fn check(entries: &[Entry], tfhd: &[u32], trun: &[u32]) {
        let header = header(7, Timestamp::new(90_000, Timescale::VIDEO), entries.iter().copied());
        // moof head, mfhd and traf head are 32 bytes; tfdt is 20.
        let tfhd_at = 32 + 8;
        let trun_at = 32 + 8 + tfhd.len() * 4 + 20 + 8;
        assert_eq!(words(&header, tfhd_at)[..tfhd.len()], *tfhd, "tfhd of {entries:?}");
        assert_eq!(words(&header, trun_at)[..trun.len()], *trun, "trun of {entries:?}");
        assert_eq!(trun_at + trun.len() * 4 + 8, header.len(), "of {entries:?}");
    }

    #[test]
    fn what_all_samples_share_is_said_once() {
        check(
            &[entry(300, 1_024, 0, Sync::Key), entry(310, 1_024, 0, Sync::Key)],
            &[0x02_0028, 1, 1_024, 0x0200_0000],
            &[0x0100_0201, 2, 0x70, 300, 310],
        );
        check(
            &[entry(300, 1_024, 0, Sync::Key), entry(300, 1_024, 0, Sync::Key)],
            &[0x02_0038, 1, 1_024, 300, 0x0200_0000],
            &[0x0100_0001, 2, 0x6c],
        );
    }

    #[test]
    fn a_key_picture_in_front_costs_one_word() {
        check(
            &[
                entry(9, 3_000, 0, Sync::Key),
                entry(8, 3_000, 0, Sync::Delta),
                entry(7, 3_000, 0, Sync::Delta),
            ],
            &[0x02_0028, 1, 3_000, 0x0101_0000],
            &[0x0100_0205, 3, 0x78, 0x0200_0000, 9, 8, 7],
        );
    }

    #[test]
    fn what_differs_is_listed_and_offsets_may_be_negative() {
        check(
            &[
                entry(9, 3_000, 6_000, Sync::Key),
                entry(8, 3_001, -1, Sync::Delta),
                entry(7, 3_000, 0, Sync::Key),
            ],
            &[0x02_0000, 1],
            &[
                0x0100_0f01,
                3,
                0x90,
                3_000,
                9,
                0x0200_0000,
                6_000,
                3_001,
                8,
                0x0101_0000,
                u32::MAX,
                3_000,
                7,
                0x0200_0000,
                0,
            ],
        );
    }

    #[test]
    fn more_than_four_gibibytes_take_a_large_size() {
        let huge = entry(u32::MAX, 1, 0, Sync::Key);
        let header = header(1, Timestamp::zero(Timescale::VIDEO), [huge]);
        let mdat = &header[header.len() - 16..];
        assert_eq!(mdat, b"\0\0\0\x01mdat\0\0\0\x01\0\0\0\x0f");
        // default size in tfhd; the data begin behind the larger head.
        let offset = words(&header, header.len() - 16 - 4)[0];
        assert_eq!(offset as usize, header.len());
    }

    #[test]
    fn a_segment_header_is_a_whole_box() {
        assert_eq!(segment_header().len(), 0x20);
    }

    /// Sizes, durations, offsets and keys as a reader finds them, and the payload they stand for.
    pub(crate) fn read_back(fragment: &Bytes) -> Result<(u64, Vec<Entry>, Bytes), Error> {
        let moof = Boxed::first(fragment, 0)?;
        let traf = moof.required(b"traf")?;
        let tfhd = traf.required(b"tfhd")?;
        let mut fields = tfhd.fields();
        let present = fields.version_and_flags()?.1;
        fields.u32()?;
        let mut default = |flag| if present & flag != 0 { fields.u32().map(Some) } else { Ok(None) };
        let (duration, size, flags) = (default(0x08)?, default(0x10)?, default(0x20)?);
        let tfdt = traf.required(b"tfdt")?;
        let mut fields = tfdt.fields();
        fields.version_and_flags()?;
        let base = fields.u64()?;

        let trun = traf.required(b"trun")?;
        let mut fields = trun.fields();
        let present = fields.version_and_flags()?.1;
        let count = fields.u32()?;
        let data = fields.u32()? as usize;
        let mut first_flags = if present & 0x004 != 0 { Some(fields.u32()?) } else { None };
        let mut entries = Vec::new();
        for _ in 0..count {
            let mut own = |flag| if present & flag != 0 { fields.u32().map(Some) } else { Ok(None) };
            let (duration, size) = (own(0x100)?.or(duration), own(0x200)?.or(size));
            let flags = first_flags.take().or(own(0x400)?).or(flags);
            let composition_offset = own(0x800)?.unwrap_or(0) as i32;
            let sync = if flags.unwrap() & 0x1_0000 == 0 { Sync::Key } else { Sync::Delta };
            entries.push(Entry {
                size: size.unwrap(),
                duration: duration.unwrap(),
                composition_offset,
                sync,
            });
        }
        let mdat = Boxed::first(&fragment.slice(moof.body().len() + 8..), 0)?;
        assert_eq!(&fragment[data..], mdat.body());
        Ok((base, entries, mdat.body().clone()))
    }

    proptest! {
        #[test]
        fn whatever_is_shared_every_sample_is_read_back_as_it_was(
            samples in prop::collection::vec(
                (0..3_usize, 1..3_u32, prop_oneof![Just(0), -2..3_i32], any::<bool>()),
                0..12,
            ),
            base in 0..i64::MAX,
        ) {
            let base = Timestamp::new(base, Timescale::VIDEO);
            let sample = |&(size, duration, composition_offset, key): &(usize, u32, i32, bool)| {
                let sync = if key { Sync::Key } else { Sync::Delta };
                let payload = Bytes::from(vec![size as u8; size]);
                TimedSample { sample: Sample { dts: base, composition_offset, sync, payload }, duration }
            };
            let samples = samples.iter().map(sample).collect::<Vec<_>>();
            let mut fragment = header(9, base, samples.iter().map(Entry::from)).to_vec();
            let expected = samples.iter().flat_map(|it| it.sample.payload.clone()).collect::<Vec<_>>();
            fragment.extend_from_slice(&expected);
            let (seen_base, entries, payload) = read_back(&fragment.into()).unwrap();
            prop_assert_eq!(seen_base, base.ticks() as u64);
            prop_assert_eq!(entries, samples.iter().map(Entry::from).collect::<Vec<_>>());
            prop_assert_eq!(&payload[..], &expected[..]);
        }
    }
}
