//! Which octets of a picture are encrypted (ISO 23001-7 9.5): in every slice what follows its header.

use super::Scheme;
use super::cipher::BLOCK;
use crate::codec::{avc, hevc};
use crate::media::CodecConfig;

/// Octets that stay readable, and octets behind them that do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subsample {
    pub(crate) clear: u16,
    pub(crate) protected: u32,
}

/// More NAL units than any picture has; what follows stays readable.
const MAX_UNITS: usize = 4_096;

/// How the slices of a track are found.
#[derive(Clone, Debug)]
pub(super) struct Pictures {
    length_size: usize,
    sets: Sets,
}

#[derive(Clone, Debug)]
enum Sets {
    Avc(avc::slice::Sets),
    Hevc(hevc::slice::Sets),
}

impl Sets {
    fn take(&mut self, nal: &[u8]) {
        match self {
            Self::Avc(it) => it.take(nal),
            Self::Hevc(it) => it.take(nal),
        }
    }

    fn clear(&self, nal: &[u8]) -> Option<usize> {
        match self {
            Self::Avc(it) => it.clear(nal),
            Self::Hevc(it) => it.clear(nal),
        }
    }
}

impl Pictures {
    /// Of a track with that configuration; nothing where no slices are found in its pictures.
    pub(super) fn of(config: &CodecConfig) -> Option<Self> {
        let (size, sets) = match config {
            CodecConfig::Avc(it) => (avc::length_size(&it.record)?, Sets::Avc(avc::slice::Sets::of(it))),
            CodecConfig::Hevc(it) => (hevc::length_size(&it.record)?, Sets::Hevc(hevc::slice::Sets::of(it))),
            _ => return None,
        };
        Some(Self { length_size: size.into(), sets })
    }

    /// The parts of a picture. One that is not understood stays readable: players show it or not, but none breaks.
    pub(super) fn subsamples(&mut self, picture: &[u8], scheme: Scheme) -> Vec<Subsample> {
        let mut parts = Parts::default();
        let mut rest = picture;
        for _ in 0..MAX_UNITS {
            let Some((length, behind)) = rest.split_at_checked(self.length_size) else { break };
            let length = length.iter().fold(0_usize, |all, it| all << 8 | usize::from(*it));
            let Some((nal, behind)) = behind.split_at_checked(length) else { break };
            self.sets.take(nal);
            let clear = self.sets.clear(nal).filter(|it| nal.len() >= it.saturating_add(BLOCK));
            let protected = match (clear, scheme) {
                (None, _) => 0,
                (Some(clear), Scheme::Cbcs) => nal.len().saturating_sub(clear),
                // Whole blocks: the counter is counted in them.
                (Some(clear), Scheme::Cenc) => nal.len().saturating_sub(clear) / BLOCK * BLOCK,
            };
            let clear = self.length_size.saturating_add(nal.len()).saturating_sub(protected);
            parts.push(clear, protected);
            rest = behind;
        }
        parts.push(rest.len(), 0);
        parts.into_list()
    }
}

#[derive(Default)]
struct Parts {
    clear: usize,
    list: Vec<Subsample>,
}

impl Parts {
    fn push(&mut self, clear: usize, protected: usize) {
        self.clear = self.clear.saturating_add(clear);
        if protected > 0 {
            self.flush(protected);
        }
    }

    fn flush(&mut self, protected: usize) {
        while let Some(rest) = self.clear.checked_sub(u16::MAX.into()) {
            self.list.push(Subsample { clear: u16::MAX, protected: 0 });
            self.clear = rest;
        }
        // What is below 65,535 after that; samples are bounded far below 4 GiB.
        self.list.push(Subsample { clear: self.clear as u16, protected: protected as u32 });
        self.clear = 0;
    }

    fn into_list(mut self) -> Vec<Subsample> {
        if self.clear > 0 {
            self.flush(0);
        }
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::avc::tests::hex;

    /// What x264 writes for 1280x720, High, with CABAC.
    fn film() -> Pictures {
        let sps = hex("6764001facd9405005bb016a02020280000003008000001e478c18cb");
        let config = avc::Config::from_parameter_sets(&[sps], &[hex("68ebe3cb22c0")]).unwrap();
        Pictures::of(&CodecConfig::Avc(config)).unwrap()
    }

    fn unit(head: &[u8], length: usize) -> Vec<u8> {
        let mut nal = head.to_vec();
        nal.resize(length, 0xaa);
        [&(length as u32).to_be_bytes()[..], &nal].concat()
    }

    fn check(picture: &[u8], scheme: Scheme, expected: &[(u16, u32)]) {
        let found = film().subsamples(picture, scheme);
        assert_eq!(found.iter().map(|it| (it.clear, it.protected)).collect::<Vec<_>>(), expected);
        let octets = expected.iter().map(|it| usize::from(it.0) + it.1 as usize).sum::<usize>();
        assert_eq!(octets, picture.len());
    }

    /// How an IDR slice of that film may begin.
    const IDR: [u8; 5] = [0x65, 0x88, 0x84, 0x00, 0x3f];

    #[test]
    fn what_is_no_slice_or_too_short_stays_readable() {
        check(&unit(&[0x06, 5], 100), Scheme::Cbcs, &[(104, 0)]);
        check(&unit(&IDR, 12), Scheme::Cbcs, &[(16, 0)]);
        check(&[], Scheme::Cenc, &[]);
        check(&[0, 0, 0], Scheme::Cenc, &[(3, 0)]);
        check(&[0, 0, 1, 0, 0x65], Scheme::Cenc, &[(5, 0)]);
        check(&unit(&[0x06, 5], 70_000), Scheme::Cbcs, &[(65_535, 0), (4_469, 0)]);
    }

    #[test]
    fn of_each_slice_the_header_stays_readable() {
        let picture = [unit(&[0x06, 5], 10), unit(&IDR, 1_000), unit(&IDR, 500)].concat();
        let cbcs = film().subsamples(&picture, Scheme::Cbcs);
        let header = usize::from(cbcs[1].clear) - 4;
        assert!((4..=7).contains(&header), "{header}");
        let (first, second) = (14 + 4 + header, 4 + header);
        check(
            &picture,
            Scheme::Cbcs,
            &[(first as u16, (1_000 - header) as u32), (second as u16, (500 - header) as u32)],
        );
        let blocks = |length: usize| (length - header) / 16 * 16;
        let clear = |length: usize| length - blocks(length);
        check(
            &picture,
            Scheme::Cenc,
            &[
                ((14 + 4 + clear(1_000)) as u16, blocks(1_000) as u32),
                ((4 + clear(500)) as u16, blocks(500) as u32),
            ],
        );
    }
}
