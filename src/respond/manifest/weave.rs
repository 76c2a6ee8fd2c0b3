//! A shared text with one viewer's signature woven in, rendered a frame at a time.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

/// Octets of one frame: one DATA frame of HTTP/2 (RFC 9113 4.2), and few enough that thousands of waiting viewers
/// cost little.
const FRAME: usize = 16 * 1024;

/// Where a signature may go, and with what before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Behind the URI, before its fragment.
    pub(super) at: usize,
    pub(super) join: Join,
    /// The index of the behavior that it leads to.
    pub(super) behavior: usize,
    /// The origin that the URI names, if it names one.
    pub(super) origin: Option<Box<str>>,
}

/// What stands between a URI and the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Join {
    /// The URI has no query.
    Question,
    /// It has one.
    Ampersand,
    /// Its query ends with a separator.
    Nothing,
}

/// What is put in, and in place of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Insertion {
    pub(super) over: Range<usize>,
    pub(super) text: Bytes,
}

/// The signature in each form it is put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suffix {
    question: Bytes,
    ampersand: Bytes,
    nothing: Bytes,
}

impl Suffix {
    /// `query` behind its separators, `ampersand` being one as the document writes it.
    pub(super) fn new(query: &str, ampersand: &str) -> Self {
        let all = Bytes::from(format!("{ampersand}{query}"));
        let nothing = all.slice(ampersand.len()..);
        Self { question: Bytes::from(format!("?{query}")), ampersand: all, nothing }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.nothing
    }

    const fn behind(&self, join: Join) -> &Bytes {
        match join {
            Join::Question => &self.question,
            Join::Ampersand => &self.ampersand,
            Join::Nothing => &self.nothing,
        }
    }
}

/// A text and what is woven into it. The text and the places are shared, the signature is the viewer's.
#[derive(Clone, Debug)]
pub(crate) struct Weave {
    pub(super) text: Bytes,
    /// Changes before the first place, in order.
    pub(super) opening: Vec<Insertion>,
    pub(super) places: Arc<[Place]>,
    pub(super) suffix: Suffix,
    /// Whether the signature goes to a place, by the index of its behavior.
    pub(super) trusted: Box<[bool]>,
    /// The origin the viewer asked, for places that name one.
    pub(super) own_origins: [String; 2],
    /// How far it is rendered: the octets of `text` that are done, and the next change.
    pub(super) done: usize,
    pub(super) next: usize,
}

impl Weave {
    /// The change number `index`: what it replaces, and by what.
    fn change(&self, index: usize) -> Option<(Range<usize>, &Bytes)> {
        if let Some(it) = self.opening.get(index) {
            return Some((it.over.clone(), &it.text));
        }
        let place = self.places.get(index - self.opening.len())?;
        static NOTHING: Bytes = Bytes::new();
        let is_ours = place.origin.as_deref().is_none_or(|it| self.own_origins.iter().any(|own| own == it));
        let gets_it = is_ours && self.trusted.get(place.behavior).copied().unwrap_or(false);
        Some((place.at..place.at, if gets_it { self.suffix.behind(place.join) } else { &NOTHING }))
    }

    /// Octets that are still to be rendered.
    pub(crate) fn remaining(&self) -> u64 {
        let mut octets = self.text.len() - self.done;
        let mut index = self.next;
        while let Some((over, text)) = self.change(index) {
            octets = octets + text.len() - over.len();
            index += 1;
        }
        octets as u64
    }

    /// The next frame; none at the end.
    pub(crate) fn frame(&mut self) -> Option<Bytes> {
        let mut frame = BytesMut::new();
        while frame.len() < FRAME {
            let space = FRAME - frame.len();
            let upto = self.change(self.next).map_or(self.text.len(), |(over, _)| over.start);
            let end = upto.min(self.done + space);
            frame.extend_from_slice(&self.text[self.done..end]);
            self.done = end;
            if end < upto {
                break;
            }
            let Some((over, text)) = self.change(self.next) else { break };
            frame.extend_from_slice(text);
            self.done = over.end;
            self.next += 1;
        }
        (!frame.is_empty()).then(|| frame.freeze())
    }

    /// All of it, in one piece.
    pub(crate) fn render(mut self) -> Vec<u8> {
        let mut all = Vec::with_capacity(usize::try_from(self.remaining()).unwrap_or(0));
        while let Some(frame) = self.frame() {
            all.extend_from_slice(&frame);
        }
        all
    }
}
