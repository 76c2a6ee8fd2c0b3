//! Boxes of encrypted tracks (ISO 23001-7; ISO 14496-12 8.12, 8.7.8, 8.7.9).

use bytes::Bytes;

use super::fragment::{self, Entry};
use super::writer::Writer;
use crate::media::{Timestamp, TrackKind};
use crate::protect::{Auxiliary, ContentKey, KeyId, Scheme};

/// Octets of the vector that each sample has in CTR mode.
const IV: u8 = 8;

/// How a track is encrypted, as far as boxes say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrackProtection {
    pub(crate) scheme: Scheme,
    pub(crate) kind: TrackKind,
    /// The key of the first period.
    pub(crate) key: ContentKey,
    /// `pssh` boxes, whole.
    pub(crate) systems: Vec<Bytes>,
}

impl TrackProtection {
    /// The type that the sample entry has instead of its own.
    pub(super) const fn entry(&self) -> [u8; 4] {
        match self.kind {
            TrackKind::Video => *b"encv",
            TrackKind::Audio => *b"enca",
        }
    }

    /// `sinf`, the last box of the sample entry that else had the type `original`.
    pub(super) fn write(&self, w: &mut Writer, original: [u8; 4]) {
        w.boxed(b"sinf", |w| {
            w.boxed(b"frma", |w| w.raw(&original));
            w.full(b"schm", 0, 0, |w| {
                w.raw(self.scheme.word().as_bytes());
                w.u32(0x0001_0000); // version 1.0
            });
            w.boxed(b"schi", |w| {
                // Only version 1 knows patterns.
                let version = if self.scheme == Scheme::Cbcs { 1 } else { 0 };
                w.full(b"tenc", version, 0, |w| Group::of(self.scheme, self.kind, &self.key).write(w));
            });
        });
    }
}

/// What all samples of a track, or of a group of them, share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Group {
    scheme: Scheme,
    kind: TrackKind,
    key: KeyId,
    iv: [u8; 16],
}

impl Group {
    fn of(scheme: Scheme, kind: TrackKind, key: &ContentKey) -> Self {
        Self { scheme, kind, key: key.id, iv: key.constant_iv() }
    }

    /// The fields that `tenc` and the entries of `seig` have alike.
    fn write(&self, w: &mut Writer) {
        w.u8(0);
        // One block encrypted, nine clear; sound without a pattern is encrypted whole.
        w.u8(match (self.scheme, self.kind) {
            (Scheme::Cbcs, TrackKind::Video) => 0x19,
            (Scheme::Cbcs, TrackKind::Audio) | (Scheme::Cenc, _) => 0,
        });
        w.u8(1); // isProtected
        w.u8(if self.scheme == Scheme::Cenc { IV } else { 0 });
        w.raw(&self.key.0);
        if self.scheme == Scheme::Cbcs {
            w.u8(16);
            w.raw(&self.iv);
        }
    }
}

/// What a fragment says of its encryption.
#[derive(Clone, Debug)]
pub(crate) struct FragmentProtection<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) kind: TrackKind,
    /// Of each sample.
    pub(crate) samples: &'a [Auxiliary],
    /// The key of its period, where keys change.
    pub(crate) changed: Option<&'a ContentKey>,
}

/// The `moof` and the head of the `mdat` of encrypted samples; else as [`fragment::header`].
pub(crate) fn header<I>(
    sequence: u32,
    base: Timestamp,
    entries: I,
    protection: &FragmentProtection<'_>,
) -> Bytes
where
    I: IntoIterator<Item = Entry>,
    I::IntoIter: Clone,
{
    fragment::header_with(sequence, base, entries, |w| protection.write(w))
}

impl FragmentProtection<'_> {
    fn write(&self, w: &mut Writer) {
        if let Some(key) = self.changed {
            self.group(w, key);
        }
        // Where all samples are encrypted whole by one vector there is nothing to say of each.
        if self.samples.iter().all(|it| *it == Auxiliary::default()) {
            return;
        }
        let mut first = 0;
        let subsampled = self.samples.iter().any(|it| !it.subsamples.is_empty());
        w.full(b"senc", 0, if subsampled { 2 } else { 0 }, |w| {
            w.u32(self.samples.len() as u32);
            first = w.len();
            for sample in self.samples {
                sample.iv.iter().for_each(|it| w.raw(it));
                if subsampled {
                    w.u16(sample.subsamples.len() as u16);
                    for it in &sample.subsamples {
                        w.u16(it.clear);
                        w.u32(it.protected);
                    }
                }
            }
        });
        let size = |it: &Auxiliary| {
            let listed = if subsampled { it.subsamples.len().saturating_mul(6).saturating_add(2) } else { 0 };
            it.iv.map_or(0, |it| it.len()).saturating_add(listed)
        };
        // Its sizes have eight bits. Of more than forty slices in a picture `senc` alone tells, which players read anyway.
        let sizes: Result<Vec<u8>, _> = self.samples.iter().map(|it| u8::try_from(size(it))).collect();
        let Ok(sizes) = sizes else { return };
        w.full(b"saiz", 0, 0, |w| {
            let common = sizes.first().filter(|it| sizes.iter().all(|other| other == *it));
            w.u8(common.copied().unwrap_or(0));
            w.u32(sizes.len() as u32);
            if common.is_none() {
                w.raw(&sizes);
            }
        });
        w.full(b"saio", 0, 0, |w| {
            w.u32(1);
            // From the beginning of the `moof`, which is where this writer began.
            w.u32(first as u32);
        });
    }

    /// A group of all samples, described in the fragment itself (ISO 23001-7 6).
    fn group(&self, w: &mut Writer, key: &ContentKey) {
        let mut entry = Writer::with_capacity(40);
        Group::of(self.scheme, self.kind, key).write(&mut entry);
        w.full(b"sgpd", 1, 0, |w| {
            w.raw(b"seig");
            w.u32(entry.len() as u32);
            w.u32(1);
            w.raw(&entry.finish());
        });
        w.full(b"sbgp", 0, 0, |w| {
            w.raw(b"seig");
            w.u32(1);
            w.u32(self.samples.len() as u32);
            w.u32(0x1_0001); // the first description of this fragment
        });
    }
}

/// A `pssh` box: what a license system is told. `keys` are listed where it wants them (version 1).
pub(crate) fn system_box(system: [u8; 16], keys: Option<&[KeyId]>, data: &[u8]) -> Bytes {
    let mut w = Writer::with_capacity(data.len().saturating_add(64));
    w.full(b"pssh", keys.map_or(0, |_| 1), 0, |w| {
        w.raw(&system);
        if let Some(keys) = keys {
            w.u32(keys.len() as u32);
            keys.iter().for_each(|it| w.raw(&it.0));
        }
        w.u32(data.len() as u32);
        w.raw(data);
    });
    w.finish()
}
