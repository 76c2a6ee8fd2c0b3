//! Boxes and fragments, read by hand: nothing here is of the crate.

/// A box: its type and what is in it.
pub(crate) struct Found<'a> {
    pub(crate) kind: &'a str,
    pub(crate) body: &'a [u8],
}

/// All boxes of some octets, which are nothing else.
pub(crate) fn boxes(mut octets: &[u8]) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    while !octets.is_empty() {
        let size = u32_at(octets, 0) as usize;
        assert!(size >= 8 && size <= octets.len(), "a box of {size} octets in {}", octets.len());
        let kind = std::str::from_utf8(&octets[4..8]).expect("types are letters");
        found.push(Found { kind, body: &octets[8..size] });
        octets = &octets[size..];
    }
    found
}

/// What is in the first box at that path.
pub(crate) fn within<'a>(octets: &'a [u8], path: &[&str]) -> Option<&'a [u8]> {
    let (first, rest) = path.split_first()?;
    let found = boxes(octets).into_iter().find(|it| it.kind == *first)?.body;
    if rest.is_empty() { Some(found) } else { within(found, rest) }
}

/// All boxes in a container, and in theirs: each with its path.
pub(crate) fn tree(octets: &[u8]) -> Vec<String> {
    let containers = ["moov", "trak", "edts", "mdia", "minf", "dinf", "stbl", "mvex", "moof", "traf"];
    let below = |it: &Found<'_>| if containers.contains(&it.kind) { tree(it.body) } else { Vec::new() };
    boxes(octets)
        .iter()
        .flat_map(|it| {
            let inner = below(it).into_iter().map(|inner| format!("{}/{inner}", it.kind));
            std::iter::once(it.kind.to_owned()).chain(inner).collect::<Vec<_>>()
        })
        .collect()
}

pub(crate) fn u32_at(octets: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(octets[at..at + 4].try_into().expect("four octets"))
}

fn u64_at(octets: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(octets[at..at + 8].try_into().expect("eight octets"))
}

/// What an init segment says of its one track.
pub(crate) struct Init {
    pub(crate) timescale: i64,
    /// Where the edit list lets the presentation begin.
    pub(crate) media_time: i64,
    /// The type of the sample entry, and all of it.
    pub(crate) entry: String,
    pub(crate) description: Vec<u8>,
}

impl Init {
    pub(crate) fn read(octets: &[u8]) -> Self {
        let of = |path: &[&str]| within(octets, &[&["moov", "trak"], path].concat());
        let stsd = of(&["mdia", "minf", "stbl", "stsd"]).expect("a track is described");
        assert_eq!(u32_at(stsd, 4), 1, "one description");
        let entry = boxes(&stsd[8..]).remove(0);
        let media_time = of(&["edts", "elst"]).map_or(0, |elst| match elst[0] {
            0 => i64::from(u32_at(elst, 12)),
            _ => u64_at(elst, 16) as i64,
        });
        let timescale = u32_at(of(&["mdia", "mdhd"]).expect("media has a header"), 12).into();
        Self { timescale, media_time, entry: entry.kind.to_owned(), description: entry.body.to_vec() }
    }
}

/// A segment: its one fragment.
pub(crate) struct Fragment {
    pub(crate) sequence: u32,
    pub(crate) base: i64,
    pub(crate) samples: Vec<Sample>,
}

pub(crate) struct Sample {
    pub(crate) duration: i64,
    pub(crate) composition: i64,
    pub(crate) is_sync: bool,
    pub(crate) payload: Vec<u8>,
}

impl Fragment {
    /// Reads `styp moof mdat`, and checks that offsets and sizes lead through all of the media data and nowhere else.
    pub(crate) fn read(octets: &[u8]) -> Self {
        let kinds: Vec<_> = boxes(octets).iter().map(|it| it.kind).collect();
        assert_eq!(kinds, ["styp", "moof", "mdat"]);
        let of = |path: &[&str]| within(octets, path).unwrap_or_else(|| panic!("no {path:?}"));
        let (moof, mdat) = (of(&["moof"]), of(&["mdat"]));
        let (tfhd, trun) = (of(&["moof", "traf", "tfhd"]), of(&["moof", "traf", "trun"]));
        let tfdt = of(&["moof", "traf", "tfdt"]);
        assert_eq!(tfdt[0], 1, "64 bits");

        let flags = u32_at(tfhd, 0) & 0xff_ffff;
        assert_eq!(flags & 0x2_0001, 0x2_0000, "offsets count from the moof");
        let mut at = 8;
        let mut default = |flag: u32| {
            let has = flags & flag != 0;
            at += if has { 4 } else { 0 };
            has.then(|| u32_at(tfhd, at - 4))
        };
        let (_, duration, size, own) = (default(0x2), default(0x8), default(0x10), default(0x20));

        let flags = u32_at(trun, 0) & 0xff_ffff;
        let count = u32_at(trun, 4);
        assert_ne!(flags & 1, 0, "a run says where it begins");
        // From the first octet of the moof to the first of the media data.
        assert_eq!(u32_at(trun, 8) as usize, moof.len() + 16);
        let mut at = 12;
        let mut next = |has: bool| {
            at += if has { 4 } else { 0 };
            has.then(|| u32_at(trun, at - 4))
        };
        let first = next(flags & 0x4 != 0);
        let mut payload = mdat;
        let mut samples = Vec::new();
        for n in 0..count {
            let (duration, size) = (next(flags & 0x100 != 0).or(duration), next(flags & 0x200 != 0).or(size));
            let said = next(flags & 0x400 != 0).or(first.filter(|_| n == 0)).or(own).expect("flags are said");
            let composition = next(flags & 0x800 != 0).unwrap_or(0) as i32;
            let (own, rest) = payload.split_at(size.expect("a size is said") as usize);
            payload = rest;
            samples.push(Sample {
                duration: duration.expect("a duration is said").into(),
                composition: composition.into(),
                is_sync: said & 0x1_0000 == 0,
                payload: own.to_vec(),
            });
        }
        assert!(payload.is_empty(), "all of the media data is in samples");
        let base = u64_at(tfdt, 4) as i64;
        Self { sequence: u32_at(of(&["moof", "mfhd"]), 4), base, samples }
    }

    /// When each sample is shown, and until when, on the timeline of the presentation.
    pub(crate) fn shown(&self, init: &Init) -> Vec<(i64, i64)> {
        let mut decoding = self.base - init.media_time;
        let shown = self.samples.iter().map(|it| {
            let start = decoding + it.composition;
            decoding += it.duration;
            (start, start + it.duration)
        });
        shown.collect()
    }
}
