//! A title that is encrypted: which key each of its segments has, and what players are told.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3;

use super::made::{Form, Fragment, MadeSegment, Sealed, WholeKey};
use super::rendition::Rendition;
use super::resource::KeyOf;
use super::{Item, Tag, TrackName};
use crate::dash::ContentProtection;
use crate::hls::media::Key;
use crate::isobmff::protection::TrackProtection;
use crate::media::TrackKind;
use crate::protect::system::playready;
use crate::protect::{ContentKey, KeyId, Method, Scheme, System, SystemData, TitleKeys, TrackCipher};

/// How a title is encrypted, and for whom.
#[derive(Clone, Debug)]
pub struct Protection {
    /// How.
    pub method: Method,
    /// With which keys.
    pub keys: TitleKeys,
    /// The license systems that manifests name, where samples are encrypted.
    pub systems: Vec<System>,
    /// What a key service said of its keys; of others it is made here.
    pub data: HashMap<(KeyId, System), SystemData>,
    /// Where licenses of [`System::ClearKey`] are had, for MPDs; players may be told otherwise.
    pub license_uri: Option<String>,
    /// The URI that FairPlay is given, with `{kid}` in the place of the key's name.
    pub fairplay_uri: String,
}

impl Protection {
    /// Everything of it that changes bytes. Of keys a block that follows from them: two with one name are two.
    pub(super) fn hash(&self, hash: &mut Xxh3) {
        hash.update(&[self.method as u8]);
        for kind in [TrackKind::Video, TrackKind::Audio] {
            for (period, key) in self.keys.of(kind).enumerate() {
                hash.update(&(period as u64).to_be_bytes());
                hash.update(&key.id.0);
                hash.update(&key.constant_iv());
                hash.update(&key.derive(*b"levada key check"));
            }
        }
        hash.update(&self.keys.segments().map_or(0, |it| it as u64).to_be_bytes());
        let mut data: Vec<_> = self.data.iter().collect();
        data.sort_by_key(|it| it.0);
        hash.update(
            format!("{:?}{data:?}{:?}{}", self.systems, self.license_uri, self.fairplay_uri).as_bytes(),
        );
    }

    /// The key that is at [`Item::Key`], for whoever may have it.
    pub(super) fn key(&self, track: TrackName, of: KeyOf, period: usize) -> Option<[u8; 16]> {
        let key = self.keys.key(track.kind, period)?;
        match self.method {
            Method::Aes128 => Some(whole_key(key, track, of)),
            _ if of == KeyOf::Segments && self.systems.contains(&System::ClearKey) => Some(*key.reveal()),
            _ => None,
        }
    }

    /// See [`Asset::license`](super::Asset::license).
    pub(super) fn license(&self, ids: &[KeyId]) -> Vec<(KeyId, [u8; 16])> {
        let in_the_clear = self.method.scheme().is_some() && self.systems.contains(&System::ClearKey);
        let mut given: Vec<&ContentKey> = ids.iter().filter_map(|it| self.keys.named(*it)).collect();
        if given.is_empty() || !in_the_clear {
            return Vec::new();
        }
        given.extend(self.keys.all());
        let mut license: Vec<(KeyId, [u8; 16])> = Vec::new();
        for key in given {
            if !license.iter().any(|it| it.0 == key.id) {
                license.push((key.id, *key.reveal()));
            }
        }
        license
    }

    /// How players are led to the key of a period, in a media playlist of that form.
    pub(super) fn hls(&self, track: TrackName, of: KeyOf, period: usize) -> Vec<Key> {
        self.hls_below("", track, of, period)
    }

    /// The keys that players may fetch before they have read a media playlist, of a title with such tracks.
    pub(super) fn hls_session(&self, tag: Tag, of: KeyOf, kinds: &[TrackKind]) -> Vec<Key> {
        // Whole segments have a key for each rendition.
        if self.method == Method::Aes128 {
            return Vec::new();
        }
        let mut named: Vec<KeyId> = Vec::new();
        let mut keys = Vec::new();
        for &kind in kinds {
            // Sound may have the key of the pictures.
            if let Some(key) = self.keys.key(kind, 0).filter(|it| !named.contains(&it.id)) {
                named.push(key.id);
                let track = TrackName { kind, index: 0 };
                keys.extend(self.hls_below(&format!("{tag}/{track}/"), track, of, 0));
            }
        }
        keys
    }

    fn hls_below(&self, below: &str, track: TrackName, of: KeyOf, period: usize) -> Vec<Key> {
        let Some(key) = self.keys.key(track.kind, period) else { return Vec::new() };
        let own = |of| format!("{below}{}", Item::Key(of, period));
        let Some(scheme) = self.method.scheme() else {
            return vec![Key { method: "AES-128", uri: own(of), iv: None, id: None, format: None }];
        };
        // Transport streams know the one way that has their name.
        let cbc = of == KeyOf::TransportStream || scheme == Scheme::Cbcs;
        let method = if cbc { "SAMPLE-AES" } else { "SAMPLE-AES-CTR" };
        let iv = cbc.then(|| key.constant_iv());
        let tag = |system: &System| {
            let said = self.data.get(&(key.id, *system));
            let data =
                |media: &str, octets: &[u8]| format!("data:{media};base64,{}", STANDARD.encode(octets));
            let (uri, id, format) = match system {
                System::ClearKey => (own(KeyOf::Segments), None, "identity".to_owned()),
                System::Widevine => {
                    let pssh = self.system_box(*system, scheme, &[key.id])?;
                    (data("text/plain", &pssh), Some(key.id), format!("urn:uuid:{}", system.id()))
                }
                System::PlayReady => {
                    let object = data("text/plain;charset=UTF-16", &playready(scheme, &[key.id]));
                    (object, Some(key.id), "com.microsoft.playready".to_owned())
                }
                System::FairPlay if cbc => {
                    let uri = self.fairplay_uri.replace("{kid}", &key.id.to_string());
                    (uri, None, "com.apple.streamingkeydelivery".to_owned())
                }
                System::FairPlay => return None,
            };
            let uri = said.and_then(|it| it.uri.clone()).unwrap_or(uri);
            // Apple's rule 13.4: FairPlay has its vector from the license.
            let iv = iv.filter(|_| *system != System::FairPlay);
            Some(Key { method, uri, iv, id, format: Some(format) })
        };
        self.systems.iter().filter_map(tag).collect()
    }

    /// What an adaptation set says of it.
    pub(super) fn dash(&self, kind: TrackKind) -> Vec<ContentProtection> {
        let (Some(scheme), Some(first)) = (self.method.scheme(), self.keys.key(kind, 0)) else {
            return Vec::new();
        };
        let mut told = vec![ContentProtection::Scheme { scheme: scheme.word(), default_key: first.id }];
        let ids: Vec<KeyId> = self.keys.of(kind).map(|it| it.id).collect();
        for system in &self.systems {
            let pssh = self.system_box(*system, scheme, &ids);
            told.extend(match system {
                // HLS alone knows it.
                System::FairPlay => None,
                System::ClearKey => Some(ContentProtection::ClearKey { license: self.license_uri.clone() }),
                System::Widevine => pssh.map(|pssh| ContentProtection::System {
                    system: system.id(),
                    name: "Widevine",
                    pssh,
                    object: None,
                }),
                System::PlayReady => pssh.map(|pssh| ContentProtection::System {
                    system: system.id(),
                    name: "MSPR 2.0",
                    pssh,
                    object: Some(playready(scheme, &ids).into()),
                }),
            });
        }
        told
    }

    /// What the init segment of a track says; nothing where segments are encrypted whole.
    pub(super) fn track(&self, kind: TrackKind) -> Option<TrackProtection> {
        let scheme = self.method.scheme()?;
        let key = self.keys.key(kind, 0)?.clone();
        let ids: Vec<KeyId> = self.keys.of(kind).map(|it| it.id).collect();
        let boxes = self.systems.iter().filter_map(|it| self.system_box(*it, scheme, &ids));
        Some(TrackProtection { scheme, kind, key, systems: boxes.collect() })
    }

    /// A `pssh` box; that of a key service, where it gave one for the first of the keys.
    fn system_box(&self, system: System, scheme: Scheme, keys: &[KeyId]) -> Option<Bytes> {
        let said = keys.first().and_then(|it| self.data.get(&(*it, system))?.pssh.clone());
        said.or_else(|| system.initialization(scheme, keys))
    }

    /// Segment `n` of a track, or of its key frames, before its frames are read.
    pub(super) fn seal(&self, rendition: &Rendition, it: Clear, tag: Tag) -> Option<MadeSegment> {
        let Clear { track, of, number, segment, fragment, frames, first } = it;
        let key = self.keys.key(track.kind, self.keys.period(segment))?;
        let sealed = match self.method.scheme() {
            None => None,
            Some(scheme) => {
                let config = &rendition.index.track.config;
                Some(Sealed {
                    scheme,
                    cipher: TrackCipher::new(config, scheme, first_vector(key, track, of, tag))?,
                    key: key.clone(),
                    names_key: self.keys.segments().is_some(),
                    first,
                })
            }
        };
        let whole = (self.method == Method::Aes128)
            .then(|| WholeKey { key: whole_key(key, track, of), number: number as u64 });
        Some(MadeSegment { frames, form: Form::Fragment(Fragment { sealed, ..fragment }), whole })
    }

    /// The same of segment `n` of a transport stream, which is not encrypted yet.
    pub(super) fn seal_transport(
        &self,
        track: TrackName,
        n: usize,
        made: MadeSegment,
    ) -> Option<MadeSegment> {
        let content = self.keys.key(track.kind, self.keys.period(n))?;
        let MadeSegment { frames, form, .. } = made;
        let Form::Transport { program, units, counters, .. } = form else { return None };
        let samples = self.method.scheme().is_some();
        let key = samples.then(|| content.clone());
        let whole = (!samples)
            .then(|| WholeKey { key: whole_key(content, track, KeyOf::TransportStream), number: n as u64 });
        Some(MadeSegment { frames, form: Form::Transport { program, units, counters, key }, whole })
    }

    /// Octets that encryption adds to each sample, about.
    pub(super) const fn sample_octets(&self, kind: TrackKind) -> u64 {
        match (self.method, kind) {
            // A count of parts, a part, and a vector; its size is told too.
            (Method::Cenc, TrackKind::Video) => 17,
            (Method::Cenc, TrackKind::Audio) | (Method::Cbcs, TrackKind::Video) => 8,
            (Method::Cbcs, TrackKind::Audio) | (Method::Aes128, _) => 0,
        }
    }
}

/// A segment, or a key frame, that is not encrypted yet.
pub(super) struct Clear {
    pub(super) track: TrackName,
    pub(super) of: KeyOf,
    /// Where it stands in its playlist.
    pub(super) number: usize,
    /// The segment that it is, or is of: its key is that one's.
    pub(super) segment: usize,
    pub(super) fragment: Fragment,
    pub(super) frames: Vec<super::made::Extent>,
    /// The number of the first frame in its track, or among its key frames.
    pub(super) first: u32,
}

/// The key of whole segments: one for each playlist, because their vectors are the numbers in it.
fn whole_key(key: &ContentKey, track: TrackName, of: KeyOf) -> [u8; 16] {
    let mut label = *b"aes-128 ........";
    let [a, b, c, d] = (track.index as u32).to_be_bytes();
    let name = [track.kind as u8, of as u8, 0, 0, a, b, c, d];
    if let Some(place) = label.last_chunk_mut() {
        *place = name;
    }
    key.derive(label)
}

/// The vector of a track's first sample: far from those of all other tracks that may have the same key.
fn first_vector(key: &ContentKey, track: TrackName, of: KeyOf, tag: Tag) -> u64 {
    let [a, b, c, d] = (track.index as u32).to_be_bytes();
    let [e, f, g, h, i, j, k, l] = tag.0.to_be_bytes();
    let block = key.derive([b'i', b'v', track.kind as u8, of as u8, a, b, c, d, e, f, g, h, i, j, k, l]);
    block.first_chunk().map_or(0, |it| u64::from_be_bytes(*it))
}
