//! Large bodies in slices: so the start of a long film plays while nothing else of it was read (http-edge.md 7).
//!
//! ```text
//! first request ─▶ slice 0 ─206─▶ the whole's length and identity ─▶ an object that opens slices as they are read
//!                     └─200, 404 …─▶ as any other answer
//! ```
//! Where a behavior wants no octet that nobody asked for (`range_fill = "exact"`), the first request goes on as it was said,
//! and slices are what was asked for and the gaps between that.
//!
//! Slices are stored each under a key of its own that holds the identity of the whole: a strong tag, or the last
//! modification and the length. Slices of two identities are never joined: when the origin says other octets, those who
//! read see their body end early, and the next request begins anew.

mod bounds;
mod said;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use config::cache::CachePolicy;
use config::distribution::RangeFill;
use futures_util::future::BoxFuture;
use http::header::{DATE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue, StatusCode};

use self::bounds::Bounds;
use self::said::agrees;
use super::fill::LARGEST;
use super::invalidation::{self, Manner, Moment};
use super::key::Key;
use super::store::Stored;
use super::{Cache, Weakly, renewal};
use crate::passage::{
    Admitted, Ask, ContentRange, Failure, FetchPlan, Fetched, Lifetime, Object, SaidRange, Slices,
    Validators, is_strong_date, parse_date,
};

/// Octets of a slice: a few seconds of a film, and little enough that a seek does not wait for much else.
pub(super) const SLICE: u64 = 2 * 1024 * 1024;

/// What a fetch is for.
pub(super) enum Part {
    /// All of a resource.
    Whole,
    /// What a viewer asked for of it, whom alone the answer concerns.
    Said(SaidRange),
    /// All of a resource of which there is something stale, that may still hold or stand in; and how it is fetched in
    /// slices, where what does not hold was.
    Again(Box<Stored>, Option<Workshop>),
    /// The first slice of what may be large.
    First(Workshop, Opening),
    /// A slice of what was begun.
    Slice { expected: Range<u64>, identity: Identity, whole: Key },
}

/// What is asked for first of what may be large.
pub(super) enum Opening {
    /// A slice of the usual size that begins here.
    At(u64),
    /// What a viewer asked for, as he said it.
    Said(SaidRange),
}

impl Part {
    pub(super) fn ask(&self) -> Ask {
        match self {
            Self::Whole => Ask::default(),
            Self::Said(said) => Ask { as_said: Some(said.clone()), ..Ask::default() },
            Self::Again(earlier, _) => Ask { known: renewal::validators(earlier), ..Ask::default() },
            Self::First(_, Opening::At(begin)) => Ask { range: Some(usual(*begin)), ..Ask::default() },
            Self::First(_, Opening::Said(said)) => Ask { as_said: Some(said.clone()), ..Ask::default() },
            Self::Slice { expected, identity, .. } => {
                Ask { range: Some(expected.clone()), known: Some(identity.known.clone()), ..Ask::default() }
            }
        }
    }
}

/// The slice of the usual size that begins at `begin`.
const fn usual(begin: u64) -> Range<u64> {
    begin..begin.saturating_add(SLICE)
}

/// What is fetched of a resource of which nothing is there.
pub(super) fn part(asked: &Admitted, workshop: Option<Workshop>) -> Part {
    let Some(workshop) = workshop else { return Part::Whole };
    if !workshop.is_exact {
        return Part::First(workshop, Opening::At(0));
    }
    // Who wants all of it has it fetched as one.
    let said = SaidRange::of(asked.routed().request());
    said.map_or(Part::Whole, |it| Part::First(workshop, Opening::Said(it)))
}

/// What tells the octets of one version from those of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    known: Validators,
    total: u64,
}

impl Identity {
    /// Of an answer with these fields; none when they name no octets: a weak tag does not (RFC 9110 8.8.1), and a date only
    /// where it is long past, as it must be for the origin to take it for a condition of a range, too.
    pub(super) fn of(headers: &HeaderMap, total: u64) -> Option<Self> {
        let is_strong = |it: &HeaderValue| it.as_bytes().starts_with(b"\"");
        let known = Validators {
            etag: headers.get(ETAG).filter(|it| is_strong(it)).cloned(),
            last_modified: headers.get(LAST_MODIFIED).filter(|it| is_long_ago(it, headers)).cloned(),
        };
        (known.etag.is_some() || known.last_modified.is_some()).then_some(Self { known, total })
    }

    /// Whether an answer is about the same octets; a tag says more than a date.
    fn is_that_of(&self, headers: &HeaderMap, total: u64) -> bool {
        let same = match (&self.known.etag, &self.known.last_modified) {
            (Some(etag), _) => headers.get(ETAG) == Some(etag),
            (None, date) => headers.get(LAST_MODIFIED) == date.as_ref(),
        };
        same && self.total == total
    }

    fn text(&self) -> String {
        let validator = self.known.etag.as_ref().or(self.known.last_modified.as_ref());
        let validator = validator.map(|it| it.as_bytes().escape_ascii().to_string()).unwrap_or_default();
        format!("{validator}/{}", self.total)
    }
}

/// Whether what an answer brings was last modified long before the answer was made.
fn is_long_ago(modified: &HeaderValue, headers: &HeaderMap) -> bool {
    // The two are read alike, whatever century they are in.
    let read = |it: &HeaderValue| parse_date(it, SystemTime::UNIX_EPOCH);
    let made = headers.get(DATE).and_then(read);
    read(modified).zip(made).is_some_and(|(modified, made)| is_strong_date(modified, made))
}

/// What an answer to the question for the first slice is.
pub(super) enum First {
    /// A slice of so many octets.
    Slice { identity: Identity, slice: Range<u64>, total: u64 },
    /// An answer like any other.
    Answer,
    /// An answer to this request alone.
    Own,
    /// More than is kept as one: it is to be asked for in slices of the usual size, from here on.
    Long(u64),
    /// Of no use: the whole is to be asked for. A part that is another than was asked for is dropped, and no error yet as
    /// http-edge.md 7 has it: nothing was sent, and the whole may be right.
    Useless,
}

/// What an answer to the question for a first slice is.
pub(super) fn first(fetched: &mut Fetched, opening: &Opening) -> First {
    match (fetched.status, opening) {
        (StatusCode::PARTIAL_CONTENT, Opening::At(begin)) => first_usual(fetched, *begin),
        (StatusCode::PARTIAL_CONTENT, Opening::Said(said)) if agrees(fetched, said) => first_said(fetched),
        // Of nothing there is no slice.
        (StatusCode::RANGE_NOT_SATISFIABLE, Opening::Said(_)) => First::Own,
        (StatusCode::PARTIAL_CONTENT, Opening::Said(_))
        | (StatusCode::RANGE_NOT_SATISFIABLE, Opening::At(_)) => First::Useless,
        _ => First::Answer,
    }
}

fn first_usual(fetched: &Fetched, begin: u64) -> First {
    let Some(ContentRange { octets, total: Some(total) }) = ContentRange::of(&fetched.headers) else {
        return First::Useless;
    };
    let expected = begin..usual(begin).end.min(total);
    let is_cut = fetched.length.is_some_and(|it| it != octets.end - octets.start);
    match Identity::of(&fetched.headers, total) {
        Some(identity) if octets == expected && !is_cut => First::Slice { identity, slice: octets, total },
        _ => First::Useless,
    }
}

/// An answer that agrees with what was said. What does not name its octets is of no use but to who asked for them.
fn first_said(fetched: &Fetched) -> First {
    let Some(ContentRange { octets, total: Some(total) }) = ContentRange::of(&fetched.headers) else {
        return First::Own;
    };
    match Identity::of(&fetched.headers, total) {
        Some(_) if octets.end - octets.start > LARGEST => First::Long(octets.start),
        Some(identity) => First::Slice { identity, slice: octets, total },
        None => First::Own,
    }
}

/// Takes an answer to a viewer's own words.
///
/// # Errors
/// It is a part that is not what was asked for.
pub(super) fn said(mut fetched: Fetched, said: &SaidRange) -> Result<Fetched, Failure> {
    let is_that = agrees(&mut fetched, said);
    is_that
        .then_some(fetched)
        .ok_or_else(|| Failure::Unreadable("it sent another range than was asked for".into()))
}

/// Makes of an answer what is stored as a slice: its octets alone, which are these for ever.
pub(super) fn slice(
    fetched: Fetched,
    expected: &Range<u64>,
    identity: &Identity,
) -> Result<Fetched, Failure> {
    if fetched.status != StatusCode::PARTIAL_CONTENT {
        // If-Range did not hold, or the file is gone.
        return Err(Failure::Changed);
    }
    let length = expected.end - expected.start;
    match ContentRange::of(&fetched.headers) {
        Some(ContentRange { octets, total: Some(total) })
            if octets == *expected && identity.is_that_of(&fetched.headers, total) => {}
        _ => return Err(Failure::Changed),
    }
    if fetched.length.is_some_and(|it| it != length) {
        return Err(Failure::Unreadable("it sent another range than it said".into()));
    }
    Ok(Fetched {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        length: Some(length),
        body: fetched.body,
        lifetime: Some(Lifetime::Immutable),
    })
}

/// What it takes to fetch slices later. It does not keep the cache alive, which keeps it.
#[derive(Clone)]
pub(super) struct Workshop {
    cache: Weakly,
    policy: Arc<CachePolicy>,
    plan: FetchPlan,
    whole: Key,
    asked: Arc<Admitted>,
    /// Whether slices have the bounds of what is asked for.
    is_exact: bool,
}

impl Workshop {
    pub(super) fn new(
        cache: &Cache,
        policy: &Arc<CachePolicy>,
        plan: &FetchPlan,
        whole: &Key,
        asked: &Admitted,
    ) -> Self {
        Self {
            cache: cache.weakly(),
            policy: Arc::clone(policy),
            plan: plan.clone(),
            whole: whole.clone(),
            asked: Arc::new(asked.clone()),
            is_exact: asked.routed().behavior().range_fill == RangeFill::Exact,
        }
    }

    /// The slices of a body of that identity, whose answer has these fields. Slices from before it was last invalidated
    /// are not its own.
    pub(super) fn open(self, identity: Identity, headers: &HeaderMap) -> Arc<Sliced> {
        let text = format!("{}/{}", identity.text(), self.purged(headers));
        let bounds = if self.is_exact { Bounds::as_asked() } else { Bounds::Even };
        Arc::new(Sliced { workshop: self, identity, text, bounds })
    }

    /// When the body was last invalidated, be it by one of its tags.
    fn purged(&self, headers: &HeaderMap) -> Moment {
        // Of a server that goes down nothing is fetched.
        let Some(inside) = self.cache.inside.upgrade() else { return 0 };
        let invalidations = &inside.invalidations;
        let tags = invalidation::tags(headers);
        invalidations.newest(&self.asked, &tags, Manner::Hard).max(invalidations.url_since(&self.whole))
    }
}

/// The slices of one version of a body.
pub(super) struct Sliced {
    workshop: Workshop,
    identity: Identity,
    text: String,
    bounds: Bounds,
}

impl Sliced {
    /// Under which a slice is kept. Slices of one size are known by their place, others by both bounds.
    pub(super) fn key(&self, slice: &Range<u64>) -> Key {
        match self.bounds {
            Bounds::Even => self.workshop.whole.slice(&self.text, slice.start / SLICE),
            Bounds::AsAsked(_) => {
                self.workshop.whole.slice(&format!("{} from {}", self.text, slice.start), slice.end)
            }
        }
    }

    /// There is a slice with these bounds.
    pub(super) fn put(&self, slice: &Range<u64>) {
        self.bounds.put(slice);
    }

    /// Bytes of memory that it takes beside its head.
    pub(super) const fn cost(&self) -> u64 {
        self.bounds.cost()
    }
}

impl Slices for Sliced {
    fn around(&self, position: u64, end: u64) -> Range<u64> {
        self.bounds.around(position, end, self.identity.total)
    }

    fn open(&self, slice: &Range<u64>) -> BoxFuture<'static, Result<Arc<Object>, Failure>> {
        self.bounds.put(slice);
        let (key, identity, expected) = (self.key(slice), self.identity.clone(), slice.clone());
        let Workshop { cache, policy, plan, whole, .. } = self.workshop.clone();
        Box::pin(async move {
            // A server that goes down has no more slices.
            let cache = cache.upgrade().ok_or(Failure::GivenUp)?;
            let part = || Part::Slice {
                expected: expected.clone(),
                identity: identity.clone(),
                whole: whole.clone(),
            };
            cache.slice(key, &policy, &plan, part).await
        })
    }
}
