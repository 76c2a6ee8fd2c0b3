//! Encryption of the samples of one track.

use super::cipher::{Counter, cbc, pattern};
use super::subsamples::{Pictures, Subsample};
use super::{ContentKey, Scheme};
use crate::media::{CodecConfig, TrackKind};

/// What players are told of an encrypted sample (ISO 23001-7 7.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Auxiliary {
    /// Its initialization vector, where it has one of its own.
    pub(crate) iv: Option<[u8; 8]>,
    /// Which of it is encrypted; none: all of it.
    pub(crate) subsamples: Vec<Subsample>,
}

/// Encrypts samples of a track.
#[derive(Clone, Debug)]
pub(crate) struct TrackCipher {
    scheme: Scheme,
    /// Of pictures.
    pictures: Option<Pictures>,
    /// The vector of sample 0.
    first_iv: u64,
}

impl TrackCipher {
    /// For a track whose vectors begin at `first_iv`; nothing for pictures of a codec whose slices are not known.
    pub(crate) fn new(config: &CodecConfig, scheme: Scheme, first_iv: u64) -> Option<Self> {
        let pictures = Pictures::of(config);
        let known = config.kind() == TrackKind::Audio || pictures.is_some();
        known.then_some(Self { scheme, pictures, first_iv })
    }

    /// Encrypts the sample with that number.
    pub(crate) fn encrypt(&mut self, key: &ContentKey, number: u32, sample: &mut [u8]) -> Auxiliary {
        let subsamples = match &mut self.pictures {
            Some(it) => it.subsamples(sample, self.scheme),
            None => Vec::new(),
        };
        let iv = match self.scheme {
            Scheme::Cenc => Some(self.first_iv.wrapping_add(number.into()).to_be_bytes()),
            Scheme::Cbcs => None,
        };
        let mut counter = iv.map(|it| Counter::new(key.reveal(), it));
        if self.pictures.is_none() {
            match &mut counter {
                Some(counter) => counter.apply(sample),
                None => cbc(key.reveal(), &key.constant_iv(), sample),
            }
            return Auxiliary { iv, subsamples };
        }
        let mut rest = sample;
        for part in &subsamples {
            let Some((_, behind)) = rest.split_at_mut_checked(part.clear.into()) else { break };
            let Some((protected, behind)) = behind.split_at_mut_checked(part.protected as usize) else {
                break;
            };
            match &mut counter {
                Some(counter) => counter.apply(protected),
                None => pattern(key.reveal(), &key.constant_iv(), protected),
            }
            rest = behind;
        }
        Auxiliary { iv, subsamples }
    }
}
