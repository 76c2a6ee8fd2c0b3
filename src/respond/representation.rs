//! Which octets a viewer gets: the object's, a compressed form of them, or a manifest with his signature.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http::header::ETAG;
use http::{HeaderValue, StatusCode};

use super::body::{Body, Piece};
use super::coding::{self, Coding, Effort};
use super::etag;
use super::manifest::{self, Weave};
use crate::passage::{Admitted, Behavior, Failure, Object};

/// Larger manifests are sent as they are: they would be held twice.
const LARGEST_MANIFEST: u64 = 10_000_000;

/// What is sent, and what it is known by.
#[derive(Debug)]
pub(super) struct Representation {
    pub(super) octets: Octets,
    pub(super) coding: Option<Coding>,
    pub(super) etag: Option<HeaderValue>,
    /// Whether another viewer could get another coding of it.
    pub(super) negotiable: bool,
    /// Whether it holds the viewer's signature.
    pub(super) signed: bool,
}

/// The octets themselves.
#[derive(Debug)]
pub(super) enum Octets {
    Object(Arc<Object>),
    Text(Bytes),
    Woven(Box<Weave>),
}

impl Octets {
    /// How many there are, when known.
    pub(super) fn length(&self) -> Option<u64> {
        match self {
            Self::Object(object) => object.length(),
            Self::Text(text) => Some(text.len() as u64),
            Self::Woven(weave) => Some(weave.remaining()),
        }
    }

    /// Whether any range of them can be read; what is rendered for one viewer is sent whole.
    pub(super) fn has_ranges(&self) -> bool {
        match self {
            Self::Object(object) => object.seekable(),
            Self::Text(_) => true,
            Self::Woven(_) => false,
        }
    }

    pub(super) fn read(&self, range: Range<u64>) -> Piece {
        match self {
            Self::Object(object) => Piece::Object(object.read(range)),
            Self::Text(text) => Piece::Text(text.slice(range.start as usize..range.end as usize)),
            Self::Woven(_) => unreachable!("it has no ranges"),
        }
    }

    pub(super) fn whole(self) -> Body {
        match self {
            Self::Object(object) => Body::object(object.read_all()),
            Self::Text(text) => Body::text(text),
            Self::Woven(weave) => Body::woven(*weave),
        }
    }
}

/// Chooses what the viewer gets of `object`. Waits for the end of a text that is to be changed.
///
/// # Errors
/// Why the object did not come to its end.
pub(super) async fn choose(
    asked: &Admitted,
    object: Arc<Object>,
    trusts: impl Fn(&Behavior, &str) -> bool,
) -> Result<Representation, Failure> {
    let (head, behavior) = (object.head(), asked.routed().behavior());
    let etag = head.headers.get(ETAG).cloned();
    let negotiable = coding::is_negotiable(head, behavior);
    let coding = coding::negotiate(asked.routed().request().headers(), behavior).filter(|_| negotiable);
    let manifest = manifest::Kind::of(head)
        .filter(|_| head.status == StatusCode::OK && asked.credentials().is_some())
        .filter(|_| !coding::is_untouchable(head) && head.length.is_none_or(|it| it <= LARGEST_MANIFEST));
    if (coding.is_none() && manifest.is_none()) || !object.seekable() || object.is_sliced() {
        return Ok(Representation {
            octets: Octets::Object(object),
            coding: None,
            etag,
            negotiable,
            signed: false,
        });
    }
    object.ended().await?;
    let text = object.joined().ok_or(Failure::GivenUp)?;
    let signed = manifest.and_then(|kind| manifest::sign(asked, &object, kind, trusts));
    let mut suffix = String::new();
    let is_signed = signed.is_some();
    let octets = match (signed, coding) {
        (None, None) => Octets::Object(object),
        (None, Some(coding)) => {
            Octets::Text(object.form(coding.form(), || coding::compress(&text, coding, Effort::Shared)))
        }
        (Some(signed), coding) => {
            suffix.push_str(&signed.tag);
            match coding {
                None => Octets::Woven(Box::new(signed.weave)),
                Some(coding) => Octets::Text(coding::compress(&signed.weave.render(), coding, Effort::Once)),
            }
        }
    };
    if let Some(coding) = coding {
        let separator = if suffix.is_empty() { "" } else { "-" };
        suffix = format!("{suffix}{separator}{}", coding.name());
    }
    let etag = etag.and_then(|it| if suffix.is_empty() { Some(it) } else { etag::suffixed(&it, &suffix) });
    Ok(Representation { octets, coding, etag, negotiable, signed: is_signed })
}
