//! One fetch, from asking the origin to the last octet in the store.
//!
//! A fill is a task of its own and owns all it needs, so it goes on when the viewer who caused it leaves.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use config::cache::CachePolicy;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use http::header::CONTENT_RANGE;
use http::{HeaderMap, HeaderName, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::timeout;

use super::collapse::{Join, Landed, Landing, Ticket};
use super::disk::{Found, FoundBody};
use super::freshness::{self, Facts, Freshness, Keep, Why};
use super::invalidation::{self, Moment};
use super::key::Key;
use super::recent::Fate;
use super::slices::{self, Identity, Opening, Part, Sliced};
use super::store::{self, Stored};
use super::{Inside, clock, renewal};
use crate::passage::{
    Admitted, Ask, DIGESTS_OF_CONTENT, Failure, FetchPlan, Fetched, FetchedBody, Filler, Head, Lifetime,
    Object, body_cost,
};
use crate::vault;

/// Larger answers are not kept whole: a few of them would drive out a thousand others.
pub(super) const LARGEST: u64 = 16 * 1024 * 1024;

/// What is reserved before the next chunk is read when nobody said how long the body is; the chunk size of most origins.
const STEP: u64 = 64 * 1024;

/// How long an origin that names no deadline may take for its head.
const LONGEST_FETCH: Duration = Duration::from_secs(60);

/// What the fetch may take beyond the deadline it named: it is to answer by itself, this is for one that hangs.
const DEADLINE_GRACE: Duration = Duration::from_secs(1);

/// How long the body of an answer may stand still whose origin names no longer time.
const STALL: Duration = Duration::from_secs(30);

type Body = BoxStream<'static, Result<Bytes, Failure>>;

/// What a fetch is sent for.
pub(super) struct Errand {
    pub(super) plan: FetchPlan,
    pub(super) part: Part,
    /// Who asks, where an answer of the disk is to be held against what was invalidated.
    pub(super) asked: Option<Admitted>,
}

impl Errand {
    /// Of who fetches a whole for himself.
    pub(super) const fn alone(plan: FetchPlan) -> Self {
        Self { plan, part: Part::Whole, asked: None }
    }
}

/// A fetch and what becomes of its answer.
pub(super) struct Fill {
    pub(super) inside: Arc<Inside>,
    pub(super) policy: Arc<CachePolicy>,
    /// Where the answer is kept; none: nowhere.
    pub(super) key: Option<Key>,
    /// When it began.
    pub(super) born: Moment,
    /// Whether the answer may be kept for later runs of the server.
    pub(super) lasting: bool,
    /// What the origin is told and the key does not have.
    pub(super) unkeyed: Vec<HeaderName>,
    pub(super) audience: Audience,
    /// How long the body may stand still.
    pub(super) stall: Duration,
    /// Its place among all fills.
    pub(super) place: Place,
}

/// A place among those that are under way at once.
#[derive(Debug)]
pub(super) struct Place {
    permit: Option<OwnedSemaphorePermit>,
    is_upload: bool,
}

impl Place {
    pub(super) const fn new(permit: OwnedSemaphorePermit, is_upload: bool) -> Self {
        Self { permit: Some(permit), is_upload }
    }

    /// What only passes through lasts as long as its reader likes: connections bound it, a window of memory, and how slowly
    /// a viewer may read. In the place of a fetch it would keep others from being made. Whoever sends a body keeps his
    /// place until he is done.
    fn leave(&mut self) {
        if !self.is_upload {
            self.permit = None;
        }
    }
}

impl Fill {
    pub(super) async fn run(mut self, errand: Errand) {
        let Errand { plan, part, asked } = errand;
        let found = match part {
            // What is in memory is no older than what is on the disk.
            Part::Again(..) => None,
            _ => self.found(asked.as_ref()).await,
        };
        let mut part = match found {
            Some(found) => match self.land_found(found, part) {
                None => return,
                Some(part) => part,
            },
            None => part,
        };
        self.inside.stats.fills.add_one();
        let began = clock::now();
        let waited = || clock::now().saturating_duration_since(began);
        let fetched = loop {
            break match (ask(&plan, part.ask()).await, part) {
                (Ok(mut fetched), Part::First(workshop, opening)) => {
                    match slices::first(&mut fetched, &opening) {
                        slices::First::Slice { identity, slice, total } => {
                            let sliced = workshop.open(identity, &fetched.headers);
                            match (self.judge_sliced(&fetched, waited()), opening) {
                                (Some(freshness), _) => {
                                    return self.land_sliced(fetched, slice, total, sliced, freshness).await;
                                }
                                // What may not be kept is for who asked for it.
                                (None, Opening::Said(_)) => {
                                    self.key = None;
                                    Ok(fetched)
                                }
                                (None, Opening::At(_)) => ask(&plan, Ask::default()).await,
                            }
                        }
                        slices::First::Long(begin) if self.judge_sliced(&fetched, waited()).is_some() => {
                            part = Part::First(workshop, Opening::At(begin));
                            continue;
                        }
                        slices::First::Answer => Ok(fetched),
                        slices::First::Own | slices::First::Long(_) => {
                            self.key = None;
                            Ok(fetched)
                        }
                        slices::First::Useless => ask(&plan, Ask::default()).await,
                    }
                }
                (Ok(fetched), Part::Said(said)) => slices::said(fetched, &said),
                (Ok(fetched), Part::Slice { expected, identity, whole }) => {
                    let slice = slices::slice(fetched, &expected, &identity);
                    if slice.is_err() {
                        // Who comes next begins with what is there now.
                        let _ = self.inside.forget(&whole, self.born);
                    }
                    slice
                }
                (fetched, Part::Again(earlier, workshop)) => {
                    match (self.again(&plan, fetched, &earlier, waited).await, workshop) {
                        (Again::Landed, _) => return,
                        // Other octets came, all of them at once: a body of that size is begun anew.
                        (Again::Other(Ok(it)), Some(workshop)) if it.status == StatusCode::OK => {
                            part = Part::First(workshop, Opening::At(0));
                            continue;
                        }
                        (Again::Other(fetched), _) => fetched,
                    }
                }
                (fetched, _) => fetched,
            };
        };
        match fetched {
            Ok(fetched) => self.land(fetched, waited()).await,
            Err(failure) => {
                if let Some(key) = self.key.take() {
                    self.inside.recent.put(key, Fate::Failed(failure.clone()), clock::now());
                }
                self.fail(failure);
            }
        }
    }

    /// What becomes of an answer that was asked for because an earlier one is stale: 304 renews that, and where the
    /// origin fails it stands in (http-edge.md 4, 12).
    async fn again(
        &mut self,
        plan: &FetchPlan,
        fetched: Result<Fetched, Failure>,
        earlier: &Stored,
        waited: impl Fn() -> Duration,
    ) -> Again {
        let fetched = match fetched {
            Ok(it) if it.status == StatusCode::NOT_MODIFIED => {
                if renewal::is_about(&it.headers, earlier) {
                    return match self.renew(earlier, &it.headers, waited()) {
                        Ok(()) => Again::Landed,
                        Err(failure) => Again::Other(Err(failure)),
                    };
                }
                // It speaks of something that is not here.
                ask(plan, Ask::default()).await
            }
            fetched => fetched,
        };
        let fails = fetched.as_ref().map_or(true, |it| it.status.is_server_error());
        let freshness = earlier.freshness;
        // Who may be given it while a newer one is fetched is not to find it gone because that fetch fails.
        let longest = freshness.leeway.origin_fails.max(freshness.leeway.revalidating);
        let stands_in = freshness.stale_for(clock::now()).is_none_or(|it| it < longest);
        // Where the origin's word is needed its silence is not a failure like others (RFC 9111 5.2.2.2).
        let fetched = match fetched {
            Err(it) if it.is_silence() && renewal::needs_consent(earlier) => Err(Failure::Unvalidated),
            fetched => fetched,
        };
        if !fails || !stands_in {
            return Again::Other(fetched);
        }
        // Of a body in slices nobody knows which are here, so it is not given; but it does not make room for an error.
        if earlier.object.is_sliced() {
            self.key = None;
            return Again::Other(fetched);
        }
        self.inside.stats.failed_fills.add_one();
        if let Some(key) = self.key.take() {
            self.inside.recent.rest(key, clock::now());
        }
        let object = Arc::clone(&earlier.object);
        self.audience.land(Landed { object, freshness, kept: false, said: None, found: false }, Reach::All);
        Again::Landed
    }

    /// Keeps what is stored, under the fields that a 304 has brought.
    fn renew(&mut self, earlier: &Stored, news: &HeaderMap, waited: Duration) -> Result<(), Failure> {
        let head = renewal::merged(earlier.object.head(), news);
        let facts = Facts {
            status: head.status,
            headers: &head.headers,
            lifetime: None,
            unkeyed: &self.unkeyed,
            path: self.path(),
            now: clock::wall(),
            waited,
        };
        let keep = freshness::judge(facts, &self.policy);
        let freshness = Freshness::begin(facts, keep, &self.policy, clock::now());
        let head = head.settled();
        let head_cost = self.head_cost(&head);
        let Some(mut reservation) = self.inside.store.reserve(head_cost, clock::now()) else {
            self.inside.stats.out_of_memory.add_one();
            return Err(Failure::OutOfMemory);
        };
        reservation.spend(head_cost);
        // Slices lie by themselves, however many they are.
        let octets = if earlier.object.is_sliced() { 0 } else { head.length.unwrap_or(0) };
        self.remember(keep, Some(octets));
        let object = earlier.object.renewed(head, reservation);
        let kept = keep.is_stored();
        if let Some(key) = self.key.take() {
            if kept {
                // The first head stays with the octets.
                let chunks = object.completed().unwrap_or_default().len() as u64;
                let cost = 2 * head_cost + body_cost(octets, chunks);
                self.store(key, &object, freshness, cost);
            } else {
                let _ = self.inside.forget(&key, self.born);
            }
        }
        let said = Some(StatusCode::NOT_MODIFIED);
        self.audience.land(Landed { object, freshness, kept, said, found: false }, Reach::of(keep));
        Ok(())
    }

    /// What the disk has. Only who leads asks it, and only for what may be there.
    async fn found(&self, asked: Option<&Admitted>) -> Option<Found> {
        let (Some(disk), Some(key), true) = (&self.inside.disk, &self.key, self.lasting) else { return None };
        if self.audience.is_one() {
            return None;
        }
        let (inside, invalidations) = (Arc::clone(&self.inside), &self.inside.invalidations);
        let reserve = move |bytes| inside.store.reserve(bytes, clock::now());
        let found = disk.get(key, invalidations.now(), reserve).await;
        let found = found.filter(|it| invalidations.spare_url(it.born, key))?;
        // A slice has no request of its own: its key is that of a body which was not invalidated.
        let tags = invalidation::tags(&found.head.headers);
        let holds = |it: &Admitted| {
            invalidations.spare(found.born, it, &tags) && !invalidations.outdate(found.born, it, &tags)
        };
        asked.is_none_or(holds).then_some(found)
    }

    /// Gives what the disk had, and holds it in memory; gives back what it is for when it is of no use after all.
    fn land_found(&mut self, found: Found, part: Part) -> Option<Part> {
        let Found { head, body, freshness, born } = found;
        let head_cost = self.head_cost(&head);
        let (object, cost) = match (body, part) {
            (FoundBody::Here(chunks, mut reservation), _) => {
                reservation.spend(head_cost);
                let cost = head_cost + body_cost(head.length.unwrap_or(0), chunks.len() as u64);
                (Object::whole_within(head, chunks, reservation), cost)
            }
            (FoundBody::Sliced(total), Part::First(workshop, opening)) => {
                let Some(identity) = Identity::of(&head.headers, total) else {
                    return Some(Part::First(workshop, opening));
                };
                let Some(reservation) = self.inside.store.reserve(head_cost, clock::now()) else {
                    return Some(Part::First(workshop, opening));
                };
                let slices = workshop.open(identity, &head.headers);
                (Object::sliced(head, total, slices, Some(reservation)), head_cost)
            }
            (FoundBody::Sliced(_), part) => return Some(part),
        };
        self.born = born;
        if let Some(key) = self.key.take() {
            self.hold(key, &object, freshness, cost);
        }
        let said = Some(object.head().status);
        self.audience.land(Landed { object, freshness, kept: true, said, found: true }, Reach::All);
        None
    }

    /// Tells all who wait that there is no answer.
    fn fail(self, failure: Failure) {
        self.inside.stats.failed_fills.add_one();
        self.audience.fail(failure);
    }

    /// How long a body in slices is kept; none when it is not. One that is to be validated at every use is none: it would
    /// have to be shared with those who may not have it.
    fn judge_sliced(&self, fetched: &Fetched, waited: Duration) -> Option<Freshness> {
        let status = StatusCode::OK;
        let unkeyed = &*self.unkeyed;
        let (path, now) = (self.path(), clock::wall());
        let facts = Facts { status, headers: &fetched.headers, lifetime: None, unkeyed, path, now, waited };
        let keep = freshness::judge(facts, &self.policy);
        let Keep::For(_) = keep else { return None };
        Some(Freshness::begin(facts, keep, &self.policy, clock::now()))
    }

    /// A body that lies in slices, of which `fetched` is the first that came.
    async fn land_sliced(
        mut self,
        mut fetched: Fetched,
        slice: Range<u64>,
        total: u64,
        sliced: Arc<Sliced>,
        freshness: Freshness,
    ) {
        let mut headers = std::mem::take(&mut fetched.headers);
        for name in DIGESTS_OF_CONTENT.iter().chain([&CONTENT_RANGE]) {
            headers.remove(name);
        }
        let head = Head { status: StatusCode::OK, headers, length: Some(total), lifetime: None }.settled();
        let cost = self.head_cost(&head) + sliced.cost();
        let Some(reservation) = self.inside.store.reserve(cost, clock::now()) else {
            self.inside.stats.out_of_memory.add_one();
            return self.fail(Failure::OutOfMemory);
        };
        // Before anyone can ask for the first slice, so that it is not fetched again.
        sliced.put(&slice);
        let key = sliced.key(&slice);
        let now = clock::now();
        let ticket = match self.inside.flights.join(
            &key,
            None,
            (now, self.born),
            |_, _| true,
            || self.inside.store.get(&key),
        ) {
            Join::Lead(ticket) => Some(ticket),
            Join::Stored(_) | Join::Follow(_) => None,
        };
        let object = Object::sliced(head, total, sliced, Some(reservation));
        if let Some(key) = self.key.take() {
            self.store(key, &object, freshness, cost);
        }
        let said = Some(StatusCode::PARTIAL_CONTENT);
        self.audience.land(Landed { object, freshness, kept: true, said, found: false }, Reach::All);
        let Some(ticket) = ticket else { return };
        let fetched = Fetched {
            status: StatusCode::OK,
            length: Some(slice.end - slice.start),
            lifetime: Some(Lifetime::Immutable),
            ..fetched
        };
        let (audience, _) = Audience::new(Some(ticket));
        let Self { inside, policy, place, born, lasting, unkeyed, stall, .. } = self;
        Self { inside, policy, key: Some(key), born, lasting, unkeyed, audience, stall, place }
            .land(fetched, Duration::ZERO)
            .await;
    }

    /// Takes the head of an answer and decides what it is good for.
    async fn land(mut self, fetched: Fetched, waited: Duration) {
        let Fetched { status, headers, length, body, lifetime } = fetched;
        let unkeyed = &*self.unkeyed;
        let (path, now) = (self.path(), clock::wall());
        let facts = Facts { status, headers: &headers, lifetime, unkeyed, path, now, waited };
        let keep = match &self.key {
            Some(_) => freshness::judge(facts, &self.policy),
            None => Keep::No(Why::Policy),
        };
        let freshness = Freshness::begin(facts, keep, &self.policy, clock::now());
        self.remember(keep, length);
        let head = Head { status, headers, length, lifetime };
        let head = if keep.is_stored() { head.settled() } else { head };
        match body {
            FetchedBody::Whole(chunks) => self.land_whole(head, chunks, keep, freshness),
            FetchedBody::Growing(body) => self.land_growing(head, body, keep, freshness).await,
        }
    }

    /// What the next requests for the key need to know: not to wait for one another, or that they may again.
    fn remember(&mut self, keep: Keep, length: Option<u64>) {
        let Some(key) = &self.key else { return };
        if !keep.is_shared() || length.is_some_and(|it| it > LARGEST) {
            self.inside.recent.put(key.clone(), Fate::Alone, clock::now());
        } else {
            self.inside.recent.forget(key);
        }
    }

    /// An answer that is all here.
    fn land_whole(mut self, head: Head, chunks: Vec<Bytes>, keep: Keep, freshness: Freshness) {
        let length = chunks.iter().map(|it| it.len() as u64).sum();
        let head_cost = self.head_cost(&head);
        let kept = keep.is_stored() && length <= LARGEST;
        let pieces = if kept { 1 } else { chunks.len() as u64 };
        let cost = head_cost + body_cost(length, pieces);
        let Some(mut reservation) = self.inside.store.reserve(cost, clock::now()) else {
            self.inside.stats.out_of_memory.add_one();
            return self.fail(Failure::OutOfMemory);
        };
        reservation.spend(head_cost);
        // Slices keep all that they are slices of in memory, so what outlives this request is copied, once for everybody.
        let chunks = if kept { vec![vault::joined(&chunks)] } else { chunks };
        let object = Object::whole_within(head, chunks, reservation);
        if kept && let Some(key) = self.key.take() {
            self.store(key, &object, freshness, cost);
        }
        let said = Some(object.head().status);
        let landed = Landed { object, freshness, kept, said, found: false };
        self.audience.land(landed, Reach::of(keep));
    }

    /// An answer whose body is still to come.
    async fn land_growing(mut self, head: Head, body: Body, keep: Keep, freshness: Freshness) {
        let head_cost = self.head_cost(&head);
        let hold = !matches!(keep, Keep::No(_)) && head.length.is_none_or(|it| it <= LARGEST);
        let held = hold
            .then(|| head_cost + head.length.map_or(STEP, |it| body_cost(it, 1)))
            .and_then(|cost| self.inside.store.reserve(cost, clock::now()));
        if hold && held.is_none() {
            self.inside.stats.out_of_memory.add_one();
        }
        let hold = held.is_some();
        // What is not held passes through, a window of it at a time.
        let Some(mut reservation) =
            held.or_else(|| self.inside.store.reserve(head_cost + STEP, clock::now()))
        else {
            self.inside.stats.out_of_memory.add_one();
            return self.fail(Failure::OutOfMemory);
        };
        reservation.spend(head_cost);
        let (object, mut filler) = Object::growing_within(head, reservation);
        if hold {
            filler.settle();
        } else {
            filler.slide();
            self.place.leave();
        }
        let kept = hold && keep.is_stored();
        let reach = if hold { Reach::of(keep) } else { Reach::One };
        let said = Some(object.head().status);
        let landed = Landed { object: Arc::clone(&object), freshness, kept, said, found: false };
        self.audience.land(landed, reach);
        let whole = self.pump(filler, body, hold.then_some(object)).await;
        if kept && let (Some(object), Some(key)) = (whole, self.key.take()) {
            let octets = object.completed().unwrap_or_default();
            let cost = head_cost + body_cost(object.length().unwrap_or(0), octets.len() as u64);
            self.store(key, &object, freshness, cost);
        }
    }

    /// Keeps an answer of the origin, in memory and where it may on the disk.
    fn store(&self, key: Key, object: &Arc<Object>, freshness: Freshness, cost: u64) {
        if !self.inside.invalidations.spare_url(self.born, &key) {
            return;
        }
        let status = object.head().status;
        match &self.inside.disk {
            // A later run asks anew whether it is still so; what was there before is not to come back in its place.
            Some(disk) if status.is_client_error() || status.is_server_error() => drop(disk.forget(&key)),
            Some(disk) if self.lasting => disk.offer(&key, object, freshness, self.born),
            _ => {}
        }
        self.hold(key, object, freshness, cost);
    }

    fn hold(&self, key: Key, object: &Arc<Object>, freshness: Freshness, cost: u64) {
        let tags = invalidation::tags(&object.head().headers);
        let (object, born) = (Arc::clone(object), self.born);
        let detail = freshness::detail(object.head(), object.is_sliced(), &self.policy, clock::wall());
        let stored = Stored { object, freshness, born, detail, tags, cost };
        self.inside.store.offer(key, stored, clock::now());
    }

    /// Moves the body into the object; gives the object when it is complete and nothing of it was let go.
    ///
    /// `object` is none when it passes through: whoever reads it then is all who want it, and the fill ends with them.
    async fn pump(
        &mut self,
        mut filler: Filler,
        mut body: Body,
        object: Option<Arc<Object>>,
    ) -> Option<Arc<Object>> {
        let promised = object.as_ref().and_then(|it| it.head().length);
        let mut object = object;
        let mut got = 0;
        let failure = loop {
            if filler.room().await.is_err() {
                self.inside.stats.abandoned_fills.add_one();
                return None;
            }
            let step = promised.map_or(STEP, |it| STEP.min(it.saturating_sub(got)));
            if !self.cover(&mut filler, step, &mut object) {
                break Failure::OutOfMemory;
            }
            let chunk = match timeout(self.stall, body.next()).await {
                Err(_) => break Failure::TimedOut(self.stall),
                Ok(Some(Err(failure))) => break failure,
                Ok(Some(Ok(chunk))) => chunk,
                Ok(None) => match filler.finish() {
                    Ok(()) => return object,
                    Err(_) => {
                        self.inside.stats.failed_fills.add_one();
                        return None;
                    }
                },
            };
            got += chunk.len() as u64;
            if got > LARGEST && object.is_some() {
                self.pass_on(&mut filler, &mut object);
            }
            if !self.cover(&mut filler, chunk.len() as u64, &mut object) {
                break Failure::OutOfMemory;
            }
            if let Err(failure) = filler.push(chunk) {
                break failure;
            }
        };
        self.inside.stats.failed_fills.add_one();
        filler.fail(failure);
        None
    }

    /// Reserves memory for what is read next. When there is none the object is no longer held whole, which gives back
    /// what its readers have read.
    fn cover(&mut self, filler: &mut Filler, bytes: u64, object: &mut Option<Arc<Object>>) -> bool {
        let inside = Arc::clone(&self.inside);
        let mut covered =
            || inside.store.make_room(bytes, clock::now(), || filler.reserve(bytes).then_some(())).is_some();
        if covered() {
            return true;
        }
        self.inside.stats.out_of_memory.add_one();
        if object.is_none() {
            return false;
        }
        self.pass_on(filler, object);
        filler.reserve(bytes)
    }

    /// Stops holding the object: those who read it go on, nobody joins them, and nothing is kept.
    fn pass_on(&mut self, filler: &mut Filler, object: &mut Option<Arc<Object>>) {
        self.audience.dismiss();
        filler.slide();
        self.place.leave();
        *object = None;
    }

    /// What is asked for; nothing where it is kept nowhere.
    fn path(&self) -> &str {
        self.key.as_ref().map_or("", Key::path)
    }

    fn head_cost(&self, head: &Head) -> u64 {
        self.key.as_ref().map_or_else(|| head.cost(), |key| store::head_cost(key, head))
    }
}

/// Asks the origin, for no longer than it says that it takes.
async fn ask(plan: &FetchPlan, ask: Ask) -> Result<Fetched, Failure> {
    let deadline = plan.deadline().map_or(LONGEST_FETCH, |it| it + DEADLINE_GRACE);
    timeout(deadline, plan.run(ask)).await.unwrap_or(Err(Failure::TimedOut(deadline)))
}

/// How long a body may stand still: an origin that may be silent for longer gives up by itself.
pub(super) fn stall(plan: &FetchPlan) -> Duration {
    plan.silence().map_or(STALL, |it| STALL.max(it + DEADLINE_GRACE))
}

/// How a fetch goes on whose answer was stored before.
enum Again {
    /// All who wait have it.
    Landed,
    /// With this.
    Other(Result<Fetched, Failure>),
}

/// Who may have an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// All who wait for it or come while it grows.
    All,
    /// Who began the fetch.
    One,
}

impl Reach {
    const fn of(keep: Keep) -> Self {
        if keep.is_shared() { Self::All } else { Self::One }
    }
}

/// Those who wait for a fetch.
#[derive(Debug)]
pub(super) struct Audience {
    /// Who began it, until told.
    leader: Option<oneshot::Sender<Result<Landed, Failure>>>,
    /// All others; none: there can be none, or no more.
    followers: Option<Ticket>,
}

impl Audience {
    pub(super) fn new(followers: Option<Ticket>) -> (Self, oneshot::Receiver<Result<Landed, Failure>>) {
        let (leader, landing) = oneshot::channel();
        (Self { leader: Some(leader), followers }, landing)
    }

    const fn is_one(&self) -> bool {
        self.followers.is_none()
    }

    fn land(&mut self, landed: Landed, reach: Reach) {
        match (reach, &self.followers) {
            (Reach::All, Some(ticket)) => ticket.land(Landing::Shared(landed.clone())),
            (Reach::One, Some(ticket)) => {
                ticket.land(Landing::Alone);
                self.dismiss();
            }
            (_, None) => {}
        }
        if let Some(leader) = self.leader.take() {
            // Who began it may have left; what may be shared is filled all the same.
            let _ = leader.send(Ok(landed));
        }
    }

    fn fail(mut self, failure: Failure) {
        if let Some(ticket) = &self.followers {
            ticket.land(Landing::Failed(failure.clone()));
        }
        if let Some(leader) = self.leader.take() {
            let _ = leader.send(Err(failure));
        }
    }

    /// Nobody may join any more.
    fn dismiss(&mut self) {
        self.followers = None;
    }
}
