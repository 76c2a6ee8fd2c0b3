//! What goes to an origin and what comes back.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::Request;

/// Why an origin gave nothing, or not all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Its deadline passed.
    #[error("the origin took longer than {0:?}")]
    TimedOut(Duration),
    /// It ended before the length it had promised.
    #[error("the origin ended after {got} of {promised} bytes")]
    Truncated {
        /// Bytes that came.
        got: u64,
        /// Bytes that were promised.
        promised: u64,
    },
    /// It went on past the length it had promised.
    #[error("the origin sent more than the {promised} bytes it had promised")]
    Overlong {
        /// Bytes that were promised.
        promised: u64,
    },
    /// No connection stood.
    #[error("the origin could not be reached: {0}")]
    Unreachable(String),
    /// The connection ended before an answer came.
    #[error("the origin hung up before it answered: {0}")]
    HungUp(String),
    /// The request has been here before: origins point at one another.
    #[error("the request went in a loop: this server asked for it before")]
    Looped,
    /// What is stored may be given with its consent alone, and it does not answer.
    #[error("the origin does not say whether what is stored still holds")]
    Unvalidated,
    /// The viewer wants what is stored, and nothing is.
    #[error("the viewer wants what is stored, and nothing is that will do")]
    NotStored,
    /// Its octets are others than those that went before.
    #[error("the origin's file changed while it was read")]
    Changed,
    /// The fetch was ended from our side: its task stopped, or the server goes down.
    #[error("the fetch was given up")]
    GivenUp,
    /// The viewer sends more than it may; nothing goes wrong with the origin.
    #[error("the viewer sent more than {0} bytes")]
    TooLarge(u64),
    /// The viewer sends its body too slowly.
    #[error("the viewer's body came too slowly")]
    Dripping,
    /// The viewer's body broke off.
    #[error("the viewer's body broke off")]
    BrokenOff,
    /// More fetches are under way than may be.
    #[error("too many fetches are under way")]
    Busy,
    /// It could not be read.
    #[error("the origin could not be read: {0}")]
    Unreadable(String),
    /// The memory for cached objects is all in use.
    #[error("no memory left for the response")]
    OutOfMemory,
}

impl Failure {
    /// Whether nothing of an answer came: another try, or another server, may fare better.
    pub const fn is_silence(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::HungUp(_) | Self::TimedOut(_))
    }
}

/// How long an answer may be kept, as its origin says; none: the behavior's policy decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Never kept, not even for those who wait for the same.
    Uncacheable,
    /// Kept so long, whatever the policy says of errors. Zero: all who wait for it now share it, and then it is gone.
    For(Duration),
    /// Its name is never used for other bytes.
    Immutable,
}

/// How one server tells another of its kind what lifetime an answer has: no field of HTTP says less than a second.
pub const LEVADA_LIFETIME: HeaderName = HeaderName::from_static("levada-lifetime");

/// Fields with a digest of the octets of one message (RFC 9530 2, RFC 1864): of a part, or of a 304's none, they say
/// nothing of the whole.
pub const DIGESTS_OF_CONTENT: [HeaderName; 2] =
    [HeaderName::from_static("content-digest"), HeaderName::from_static("content-md5")];

impl Lifetime {
    /// As the field says it.
    pub fn told(self) -> HeaderValue {
        match self {
            Self::Uncacheable => HeaderValue::from_static("none"),
            Self::For(it) => HeaderValue::from(u64::try_from(it.as_millis()).unwrap_or(u64::MAX)),
            Self::Immutable => HeaderValue::from_static("immutable"),
        }
    }

    /// What the field says, if that can be read.
    pub fn read(field: &HeaderValue) -> Option<Self> {
        match field.to_str().ok()? {
            "none" => Some(Self::Uncacheable),
            "immutable" => Some(Self::Immutable),
            text if text.bytes().all(|it| it.is_ascii_digit()) => {
                text.parse().ok().map(|it| Self::For(Duration::from_millis(it)))
            }
            _ => None,
        }
    }
}

/// The body of an origin's answer.
pub enum FetchedBody {
    /// All of it is here.
    Whole(Vec<Bytes>),
    /// It comes as it is made.
    Growing(BoxStream<'static, Result<Bytes, Failure>>),
}

/// An origin's answer.
pub struct Fetched {
    /// Status.
    pub status: StatusCode,
    /// Fields, among them content type and validators; `content-length` is `length`.
    pub headers: HeaderMap,
    /// Octets of the whole body, when known before it comes.
    pub length: Option<u64>,
    /// The octets.
    pub body: FetchedBody,
    /// How long it may be kept.
    pub lifetime: Option<Lifetime>,
}

/// What a stored answer is known by at its origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    /// `ETag` as it came.
    pub etag: Option<HeaderValue>,
    /// `Last-Modified` as it came.
    pub last_modified: Option<HeaderValue>,
}

/// What a fetch asks for beside the resource. An origin may give the whole all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// These octets alone.
    pub range: Option<Range<u64>>,
    /// What a viewer asked for, as it was said.
    pub as_said: Option<SaidRange>,
    /// What is here already: without a range the origin may say that it still holds, with one that it is another now.
    pub known: Option<Validators>,
}

impl Ask {
    /// Whether an answer may be a part.
    pub const fn is_for_part(&self) -> bool {
        self.range.is_some() || self.as_said.is_some()
    }
}

/// A range as a viewer asked for it; the origin judges what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidRange {
    /// `Range` as it came.
    pub range: HeaderValue,
    /// `If-Range` as it came.
    pub if_range: Option<HeaderValue>,
}

impl SaidRange {
    /// What a GET says; none where it says other things too, on which an answer with a part of the octets would say nothing.
    pub fn of(request: &Request) -> Option<Self> {
        const CONDITIONS: [HeaderName; 4] = [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE];
        let headers = request.headers();
        if *request.method() != Method::GET || CONDITIONS.iter().any(|it| headers.contains_key(it)) {
            return None;
        }
        let mut lines = headers.get_all(RANGE).iter();
        let (range, None) = (lines.next()?.clone(), lines.next()) else { return None };
        Some(Self { range, if_range: headers.get(IF_RANGE).cloned() })
    }
}

/// Where a plan goes: two that differ in it may bring different octets for one path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The origin's number: another when a reload gives its id other contents.
    pub origin: u64,
    /// Octets of the path's beginning that the origin does not see.
    pub dropped: usize,
}

type Fetching = BoxFuture<'static, Result<Fetched, Failure>>;

/// How to fetch one resource, owned: it outlives the viewer who caused it, and may be run again.
#[derive(Clone)]
pub struct FetchPlan {
    fetch: Arc<dyn Fn(Ask) -> Fetching + Send + Sync>,
    source: Source,
    deadline: Option<Duration>,
    silence: Option<Duration>,
    sliceable: bool,
    lasting: bool,
    unkeyed: Vec<HeaderName>,
    looped: bool,
    uploading: bool,
}

/// A [`FetchPlan`] that is made where it is needed: what is found in the cache needs only to know where it would come from.
pub trait Planned {
    /// Where the plan goes.
    fn source(&self) -> Source;

    /// Whether a viewer's body goes with it.
    fn is_uploading(&self) -> bool;

    /// The plan.
    fn plan(self) -> FetchPlan;
}

impl Planned for FetchPlan {
    fn source(&self) -> Source {
        self.source
    }

    fn is_uploading(&self) -> bool {
        self.uploading
    }

    fn plan(self) -> FetchPlan {
        self
    }
}

impl FetchPlan {
    /// A plan that goes to `source` by running `fetch` whenever the cache asks for it.
    pub fn new<F>(source: Source, fetch: F) -> Self
    where
        F: Fn(Ask) -> Fetching + Send + Sync + 'static,
    {
        Self {
            fetch: Arc::new(fetch),
            source,
            deadline: None,
            silence: None,
            sliceable: false,
            lasting: false,
            unkeyed: Vec::new(),
            looped: false,
            uploading: false,
        }
    }

    /// The same, with a time by which the origin answers; those who wait for the same then wait as long.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// The same, with how long its origin may be silent while a body comes. It keeps to that itself.
    #[must_use]
    pub fn with_silence(self, silence: Duration) -> Self {
        Self { silence: Some(silence), ..self }
    }

    /// The same, of a body that may be large and whose origin may give ranges of it: it is fetched in slices, as they are
    /// read.
    #[must_use]
    pub fn in_slices(self, sliceable: bool) -> Self {
        Self { sliceable, ..self }
    }

    /// The same, known as what goes to `source`, in whose place it is run.
    #[must_use]
    pub fn under(self, source: Source) -> Self {
        Self { source, ..self }
    }

    /// The same, with another plan that is run where what this one brings `fails`. What they bring together has a source of
    /// its own.
    #[must_use]
    pub fn or(
        self,
        other: Self,
        source: Source,
        fails: impl Fn(&Result<Fetched, Failure>) -> bool + Send + Sync + 'static,
    ) -> Self {
        let (first, second, fails) = (self.fetch, other.fetch, Arc::new(fails));
        let fetch = move |ask: Ask| {
            let (first, second, fails) = (Arc::clone(&first), Arc::clone(&second), Arc::clone(&fails));
            let fetching: Fetching = Box::pin(async move {
                let answer = first(ask.clone()).await;
                if fails(&answer) { second(ask).await } else { answer }
            });
            fetching
        };
        Self {
            fetch: Arc::new(fetch),
            source,
            deadline: self.deadline.zip(other.deadline).map(|(one, other)| one + other),
            silence: self.silence.max(other.silence),
            sliceable: self.sliceable && other.sliceable,
            lasting: self.lasting && other.lasting,
            unkeyed: [self.unkeyed, other.unkeyed].concat(),
            looped: self.looped || other.looped,
            uploading: self.uploading || other.uploading,
        }
    }

    /// Whether it is worth fetching in slices.
    pub const fn is_sliceable(&self) -> bool {
        self.sliceable
    }

    /// The same, whose answers may be kept for later runs of the server: its source has the same number in each.
    #[must_use]
    pub fn lasting(self) -> Self {
        Self { lasting: true, ..self }
    }

    /// Whether its answers may be kept for later runs of the server.
    pub const fn is_lasting(&self) -> bool {
        self.lasting
    }

    /// The same, of a request that this server has had before: it would wait for itself.
    #[must_use]
    pub fn looped(self, looped: bool) -> Self {
        Self { looped, ..self }
    }

    /// Whether this server has had the request before.
    pub const fn is_looped(&self) -> bool {
        self.looped
    }

    /// The same, that sends a viewer's body: it lasts as long as the viewer likes, within bounds.
    #[must_use]
    pub fn uploading(self, uploading: bool) -> Self {
        Self { uploading, ..self }
    }

    /// Whether it sends a viewer's body.
    pub const fn is_uploading(&self) -> bool {
        self.uploading
    }

    /// The same, that tells the origin fields which are not in the key: answers that depend on them are not for others.
    #[must_use]
    pub fn telling(self, unkeyed: Vec<HeaderName>) -> Self {
        Self { unkeyed, ..self }
    }

    /// Names of fields that it tells the origin and that are not in the key.
    pub fn unkeyed(&self) -> &[HeaderName] {
        &self.unkeyed
    }

    /// When the origin answers at the latest, if it says so.
    pub const fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// How long the origin may be silent while a body comes, if it says so.
    pub const fn silence(&self) -> Option<Duration> {
        self.silence
    }

    /// Goes to the origin.
    ///
    /// # Errors
    /// [`Failure`] when no answer came.
    pub async fn run(&self, ask: Ask) -> Result<Fetched, Failure> {
        (self.fetch)(ask).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_told_and_read() {
        for it in [Lifetime::Uncacheable, Lifetime::Immutable, Lifetime::For(Duration::from_millis(321))] {
            assert_eq!(Lifetime::read(&it.told()), Some(it));
        }
        for text in ["", "1.5", "-1", "+1", "99999999999999999999999"] {
            let read = Lifetime::read(&HeaderValue::from_static(text));
            assert_eq!(read, None, "{text}");
        }
    }
}
