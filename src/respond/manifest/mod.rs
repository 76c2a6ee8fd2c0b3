//! Manifests that carry a viewer's signature on.
//!
//! Players drop the query of a manifest when they resolve the URIs in it (cloudfront.md 1.12). So where the URIs stand
//! is found once per stored manifest, and each viewer's answer is the shared text with his signature woven in. Only
//! URIs that lead to this distribution, to a behavior that trusts the same key, get it.

mod hls;
mod mpd;
mod target;
mod weave;

use std::ops::Range;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use config::distribution::RewriteManifests;

pub(super) use self::weave::Weave;

use self::target::Target;
use self::weave::{Insertion, Join, Place, Suffix};
use super::coding::has_type;
use crate::passage::{Admitted, Behavior, Credentials, Distribution, Head, Object};

/// The version that `EXT-X-DEFINE:QUERYPARAM` came with (RFC 8216bis 8).
const DEFINE_VERSION: &str = "11";

/// Media types of HLS playlists.
const PLAYLISTS: &[&str] =
    &["application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl", "audio/x-mpegurl"];

/// Which manifest it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Hls,
    Dash,
}

impl Kind {
    /// By its media type; none for what is no manifest.
    pub(super) fn of(head: &Head) -> Option<Self> {
        if has_type(head, PLAYLISTS) {
            return Some(Self::Hls);
        }
        has_type(head, &["application/dash+xml"]).then_some(Self::Dash)
    }
}

/// What is known of a stored manifest, kept beside it.
#[derive(Debug)]
struct Notes {
    /// Whose behaviors the places were matched with; after a reload it is another.
    distribution: Arc<Distribution>,
    places: Arc<[Place]>,
    /// Behind the first line of a playlist.
    body: Option<usize>,
    version: Option<Range<usize>>,
}

impl Notes {
    fn make(text: &Bytes, kind: Kind, asked: &Admitted) -> Self {
        let distribution = asked.routed().distribution();
        let own = Target::own(asked.path());
        let (found, body, version) = match kind {
            Kind::Hls => {
                let found = hls::find(text);
                let target = |uri: Range<usize>| {
                    let written = std::str::from_utf8(&text[uri.clone()]).ok()?;
                    Some((uri, own.resolve(written)))
                };
                (found.uris.into_iter().filter_map(target).collect(), found.body, found.version)
            }
            Kind::Dash => {
                let found = std::str::from_utf8(text).map(|it| mpd::find(it, &own)).unwrap_or_default();
                (found.into_iter().map(|it| (it.uri, it.target)).collect::<Vec<_>>(), None, None)
            }
        };
        let place = |(uri, target): (Range<usize>, Target)| {
            let Target::Path { origin, path } = target else { return None };
            let chosen = distribution.behavior(&path);
            let behavior = distribution.behaviors.iter().position(|it| Arc::ptr_eq(it, chosen))?;
            let (at, join) = joint(text, uri);
            Some(Place { at, join, behavior, origin: origin.map(Into::into) })
        };
        let mut places: Vec<_> = found.into_iter().filter_map(place).collect();
        // An element inside another's text may come out of order.
        places.sort_by_key(|it| it.at);
        // Behind a URI no version counts any more.
        let version = version.filter(|it| places.first().is_none_or(|first| it.end <= first.at));
        Self { distribution: Arc::clone(distribution), places: places.into(), body, version }
    }

    fn cost(&self) -> u64 {
        let origins: usize = self.places.iter().filter_map(|it| it.origin.as_ref()).map(|it| it.len()).sum();
        (size_of::<Self>() + self.places.len() * size_of::<Place>() + origins) as u64
    }
}

/// Where a suffix goes in the URI at `uri`, and how it is joined.
fn joint(text: &[u8], uri: Range<usize>) -> (usize, Join) {
    let written = &text[uri.clone()];
    let written = &written[..memchr::memchr(b'#', written).unwrap_or(written.len())];
    let join = match memchr::memchr(b'?', written) {
        None => Join::Question,
        Some(_) if written.ends_with(b"?") || written.ends_with(b"&") || written.ends_with(b"&amp;") => {
            Join::Nothing
        }
        Some(_) => Join::Ampersand,
    };
    (uri.start + written.len(), join)
}

/// A manifest with one viewer's signature, and what tells it from another viewer's.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) weave: Weave,
    /// For its entity tag.
    pub(super) tag: String,
}

/// Weaves the viewer's signature into the manifest; none when there is none to weave in, or nowhere to put it.
///
/// `trusts` says whether a behavior trusts a key.
pub(super) fn sign(
    asked: &Admitted,
    object: &Object,
    kind: Kind,
    trusts: impl Fn(&Behavior, &str) -> bool,
) -> Option<Signed> {
    let routed = asked.routed();
    let mode = routed.behavior().rewrite_manifests;
    let credentials = asked.credentials().filter(|_| mode != RewriteManifests::No)?;
    let query = safe(credentials)?;
    let text = object.joined()?;
    let mut notes = object.notes(|| Notes::make(&text, kind, asked), Notes::cost);
    if !Arc::ptr_eq(&notes.distribution, routed.distribution()) {
        notes = Arc::new(Notes::make(&text, kind, asked));
    }
    let behaviors = &routed.distribution().behaviors;
    let trusted: Box<[bool]> = behaviors.iter().map(|it| trusts(it, &credentials.key_pair_id)).collect();
    if !notes.places.iter().any(|it| trusted[it.behavior]) {
        return None;
    }
    let (opening, suffix) = match (kind, mode, notes.body) {
        (Kind::Dash, ..) => (Vec::new(), Suffix::new(&query.replace('&', "&amp;"), "&amp;")),
        (Kind::Hls, RewriteManifests::Define, Some(body)) => define(query, body, notes.version.clone()),
        (Kind::Hls, ..) => (Vec::new(), Suffix::new(query, "&")),
    };
    let own_origins = target::origins_of(routed.request());
    let tag = tag(&opening, &suffix, &trusted);
    let places = Arc::clone(&notes.places);
    let weave = Weave { text, opening, places, suffix, trusted, own_origins, done: 0, next: 0 };
    Some(Signed { weave, tag })
}

/// The signature, if it can stand in any manifest as it is: `access` took it, so it is CF-base64 and an id, but what
/// could end a quoted string is not left to that.
fn safe(credentials: &Credentials) -> Option<&str> {
    let harmless = |it: u8| it.is_ascii_alphanumeric() || b"-_~.=&%+*".contains(&it);
    Some(&*credentials.query).filter(|it| !it.is_empty() && it.bytes().all(harmless))
}

/// `define` mode (RFC 8216bis 4.4.2.3): the player puts the values in, taken from the URL it asked for.
fn define(query: &str, body: usize, version: Option<Range<usize>>) -> (Vec<Insertion>, Suffix) {
    let names = || query.split('&').map(|it| it.split_once('=').map_or(it, |(name, _)| name));
    let mut definitions: String = names().map(|it| format!("#EXT-X-DEFINE:QUERYPARAM=\"{it}\"\n")).collect();
    if version.is_none() {
        definitions.insert_str(0, &format!("#EXT-X-VERSION:{DEFINE_VERSION}\n"));
    }
    let mut opening = vec![Insertion { over: body..body, text: definitions.into() }];
    opening
        .extend(version.map(|over| Insertion { over, text: Bytes::from_static(DEFINE_VERSION.as_bytes()) }));
    let values: Vec<_> = names().map(|it| format!("{it}={{${it}}}")).collect();
    (opening, Suffix::new(&values.join("&"), "&"))
}

/// A hash of all that tells one viewer's manifest from another's.
fn tag(opening: &[Insertion], suffix: &Suffix, trusted: &[bool]) -> String {
    let mut hash = Context::new(&SHA256);
    hash.update(suffix.as_bytes());
    opening.iter().for_each(|it| hash.update(&it.text));
    trusted.iter().for_each(|&it| hash.update(&[u8::from(it)]));
    hash.finish().as_ref().iter().take(8).map(|it| format!("{it:02x}")).collect()
}
