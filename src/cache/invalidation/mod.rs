//! What must not be given any more, by path, by tag, by distribution (cloudfront.md 4, http-edge.md 13).
//!
//! An invalidation touches no stored answer. It writes down a moment; an answer remembers the moment its fetch began, and
//! is no hit when what covers it is newer. So an invalidation costs the same whatever is stored, a lookup costs the same
//! however many there were, and a fetch that was under way when its path was invalidated brings nothing that is given
//! after it.

mod outdated;
mod trie;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderMap;

use self::outdated::Outdated;
use self::trie::{Reach, Trie};
use super::key::Key;
use crate::passage::{Admitted, PathFault, canonical, canonical_beginning};

/// Octets of one path (cloudfront.md 4.1).
const LONGEST_PATH: usize = 4_000;

/// Octets of one tag (cloudfront.md 4.3).
const LONGEST_TAG: usize = 256;

/// Tags that are told apart in one distribution; beyond them all that has any tag is invalidated together.
const MOST_TAGS: usize = 100_000;

/// A moment of this cache; later ones are larger, also after a restart.
pub(super) type Moment = u64;

/// Moments that one run gives out at most, one for each that makes something useless: four seconds of the wall clock.
const OF_A_RUN: Moment = 1 << 32;

/// Moments begin as wall-clock time where that goes forward, so that those of a restarted server are later.
pub(super) fn moment(now: SystemTime) -> Moment {
    now.duration_since(UNIX_EPOCH).map_or(0, |it| u64::try_from(it.as_nanos()).unwrap_or(0))
}

/// Something to invalidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A path, with its query where the query is in the key.
    Path(String),
    /// All paths that begin so.
    Below(String),
    /// All answers of a tag, lower case.
    Tag(String),
}

/// How something is invalidated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It is given no more.
    Hard,
    /// It is stale: validated, and given where what is stale may be.
    Soft,
}

/// Why something cannot be invalidated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Illegible {
    /// It is neither a path nor a tag.
    #[error("{0:?} begins with neither a slash nor #")]
    Beginning(String),
    /// A star stands elsewhere than at the end.
    #[error("{0:?} has a * that is not its last character")]
    Star(String),
    /// It is too long.
    #[error("a path has at most {LONGEST_PATH} characters and a tag {LONGEST_TAG}; this one has {0}")]
    Long(usize),
    /// It is a path that no request can have.
    #[error("{0:?}: {1}, so no request for it is answered")]
    Path(String, PathFault),
    /// A character has to be written as a percent-triplet, or may not stand in a tag.
    #[error("{0:?} has a character that is to be written as a percent-triplet, or stands in no tag")]
    Character(String),
}

impl Target {
    /// Reads `/path`, `/path*` or `#tag`, as CloudFront's API has them. However a path is spelled, it is that of the
    /// requests for it.
    ///
    /// # Errors
    /// What is wrong with it, for whoever wrote it.
    pub fn parse(text: &str) -> Result<Self, Illegible> {
        let is_legible = |it: &str| it.bytes().all(|it| it.is_ascii_graphic());
        if let Some(tag) = text.strip_prefix('#') {
            return match tag {
                _ if tag.len() > LONGEST_TAG => Err(Illegible::Long(tag.len())),
                _ if tag.is_empty() || !is_legible(tag) || tag.contains(',') => {
                    Err(Illegible::Character(text.into()))
                }
                _ => Ok(Self::Tag(tag.to_ascii_lowercase())),
            };
        }
        match text {
            _ if !text.starts_with('/') => Err(Illegible::Beginning(text.into())),
            _ if text.len() > LONGEST_PATH => Err(Illegible::Long(text.len())),
            _ if !is_legible(text) => Err(Illegible::Character(text.into())),
            _ => match text.split_once('*') {
                None => spelled(text, Reach::Alone).map(Self::Path),
                Some((front, "")) => spelled(front, Reach::Below).map(Self::Below),
                Some(_) => Err(Illegible::Star(text.into())),
            },
        }
    }
}

/// A path and its query, or what those begin with, in the one spelling that requests are compared in: the path canonical,
/// the query without empty parameters.
fn spelled(text: &str, reach: Reach) -> Result<String, Illegible> {
    let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
    let ends = reach == Reach::Alone || query.is_some();
    let path = if ends { canonical(path) } else { canonical_beginning(path) };
    let path = path.map_err(|fault| Illegible::Path(text.into(), fault))?;
    let Some(query) = query else { return Ok(path) };
    let mut parameters: Vec<_> = query.split('&').filter(|it| !it.is_empty()).collect();
    if reach == Reach::Below && query.ends_with('&') && !parameters.is_empty() {
        // Another parameter follows.
        parameters.push("");
    }
    if reach == Reach::Alone && parameters.is_empty() {
        return Ok(path);
    }
    Ok(format!("{path}?{}", parameters.join("&")))
}

/// Tags of one answer; CloudFront drops the rest (cloudfront.md 4.3).
const MOST_TAGS_EACH: usize = 50;

/// The fields in which origins name an answer's tags: CloudFront's usual one and other caches', by commas or spaces.
const TAG_FIELDS: [&str; 4] = ["cache-tag", "surrogate-key", "xkey", "x-amz-meta-cache-tag"];

/// The tags of an answer with these fields, lower case.
pub(super) fn tags(headers: &HeaderMap) -> Arc<[Box<str>]> {
    let values = TAG_FIELDS.iter().flat_map(|it| headers.get_all(*it)).filter_map(|it| it.to_str().ok());
    let tags = values.flat_map(|it| it.split([',', ' '])).map(str::trim);
    let tags = tags.filter(|it| !it.is_empty() && it.len() <= LONGEST_TAG);
    tags.take(MOST_TAGS_EACH).map(|it| it.to_ascii_lowercase().into_boxed_str()).collect()
}

/// All invalidations that may still matter.
#[derive(Debug)]
pub(super) struct Invalidations {
    /// The newest moment that was given out.
    moment: AtomicU64,
    /// Whether there was any: most servers see none for days, and their hits need not look further.
    any: AtomicU64,
    distributions: RwLock<HashMap<String, Distribution>>,
    outdated: Outdated,
}

#[derive(Debug, Default)]
struct Distribution {
    hard: Covered,
    soft: Covered,
}

impl Distribution {
    const fn covered(&self, manner: Manner) -> &Covered {
        match manner {
            Manner::Hard => &self.hard,
            Manner::Soft => &self.soft,
        }
    }
}

/// What was invalidated in one manner, and when.
#[derive(Debug, Default)]
struct Covered {
    paths: Trie,
    tags: HashMap<String, Moment>,
    /// When all tags were.
    all_tags: Moment,
}

impl Invalidations {
    pub(super) fn new(now: SystemTime) -> Self {
        Self {
            moment: AtomicU64::new(moment(now)),
            any: AtomicU64::new(0),
            distributions: RwLock::default(),
            outdated: Outdated::new(),
        }
    }

    /// Now: what is fetched from here on is newer than all that was invalidated.
    pub(super) fn now(&self) -> Moment {
        self.moment.load(Ordering::Acquire)
    }

    /// A new moment, behind all that were given out.
    pub(super) fn advance(&self) -> Moment {
        self.moment.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Begins behind all moments of a run that began at `newest` and gave out fewer than [`OF_A_RUN`].
    pub(super) fn resume(&self, newest: Moment) {
        if newest > 0 {
            self.moment.fetch_max(newest.saturating_add(OF_A_RUN), Ordering::AcqRel);
        }
    }

    /// Invalidates targets of a distribution: what was fetched, or begun to be, before this returns.
    pub(super) fn put(&self, distribution: &str, targets: &[Target], manner: Manner) -> Moment {
        let mut distributions = self.write();
        let it = distributions.entry(distribution.to_owned()).or_default();
        // Under the lock: a reader who sees the moment sees what was written with it.
        let moment = self.advance();
        it.put(targets, manner, moment);
        self.any.store(moment, Ordering::Release);
        moment
    }

    /// The same, of an earlier run of the server.
    pub(super) fn restore(&self, distribution: &str, target: Target, manner: Manner, moment: Moment) {
        let mut distributions = self.write();
        distributions.entry(distribution.to_owned()).or_default().put(&[target], manner, moment);
        self.moment.fetch_max(moment, Ordering::AcqRel);
        self.any.fetch_max(moment, Ordering::AcqRel);
    }

    /// What was begun for the URL of a key at `begun` or before is given and kept no more; what is begun from here on is.
    pub(super) fn outdate_url(&self, key: &Key, begun: Moment) {
        self.moment.fetch_max(begun.saturating_add(1), Ordering::AcqRel);
        self.outdated.put(key, begun.saturating_add(1));
    }

    /// Whether what was begun to be fetched at `born` may be kept under a key, as far as its URL goes.
    pub(super) fn spare_url(&self, born: Moment, key: &Key) -> bool {
        self.outdated.spares(born, key)
    }

    /// When the URL of a key was last outdated; zero: never.
    pub(super) fn url_since(&self, key: &Key) -> Moment {
        self.outdated.since(key)
    }

    /// Whether what was begun to be fetched at `born` may still be given to who asks.
    pub(super) fn spare(&self, born: Moment, asked: &Admitted, tags: &[Box<str>]) -> bool {
        self.any.load(Ordering::Acquire) <= born || self.newest(asked, tags, Manner::Hard) <= born
    }

    /// Whether what was begun to be fetched at `born` counts as stale.
    pub(super) fn outdate(&self, born: Moment, asked: &Admitted, tags: &[Box<str>]) -> bool {
        self.any.load(Ordering::Acquire) > born && self.newest(asked, tags, Manner::Soft) > born
    }

    /// When what is asked for, or one of its tags, was last invalidated in a manner; zero: never.
    pub(super) fn newest(&self, asked: &Admitted, tags: &[Box<str>], manner: Manner) -> Moment {
        if self.any.load(Ordering::Acquire) == 0 {
            return 0;
        }
        let distributions = self.read();
        let Some(it) = distributions.get(&*asked.routed().distribution().id) else { return 0 };
        let it = it.covered(manner);
        let query = asked.keyed_query();
        if query.is_empty() {
            return it.newest(asked.path(), tags);
        }
        it.newest(&format!("{}?{query}", asked.path()), tags)
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<String, Distribution>> {
        self.distributions.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<String, Distribution>> {
        self.distributions.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Distribution {
    fn put(&mut self, targets: &[Target], manner: Manner, moment: Moment) {
        let covered = match manner {
            Manner::Hard => &mut self.hard,
            Manner::Soft => &mut self.soft,
        };
        for target in targets {
            covered.put(target, moment);
        }
    }
}

impl Covered {
    fn put(&mut self, target: &Target, moment: Moment) {
        match target {
            Target::Path(path) => self.put_path(path, Reach::Alone, moment),
            Target::Below(path) => self.put_path(path, Reach::Below, moment),
            Target::Tag(tag) => {
                if self.tags.len() >= MOST_TAGS && !self.tags.contains_key(tag) {
                    self.tags.clear();
                    self.all_tags = moment;
                    return;
                }
                self.tags.insert(tag.clone(), moment);
            }
        }
    }

    fn put_path(&mut self, path: &str, reach: Reach, moment: Moment) {
        if self.paths.is_full(path.len()) {
            // All at once is right too, only dearer for the origin.
            self.paths = Trie::default();
            self.paths.put(b"", Reach::Below, moment);
            return;
        }
        self.paths.put(path.as_bytes(), reach, moment);
    }

    fn newest(&self, path: &str, tags: &[Box<str>]) -> Moment {
        let of_tags = tags.iter().filter_map(|it| self.tags.get(&**it)).copied().max().unwrap_or(0);
        let all_tags = if tags.is_empty() { 0 } else { self.all_tags };
        self.paths.newest(path.as_bytes()).max(of_tags).max(all_tags)
    }
}

#[cfg(test)]
mod tests {
    use config::cache::Selection;

    use super::*;
    use crate::passage::example::Example;

    fn target(text: &str) -> Target {
        Target::parse(text).unwrap()
    }

    #[test]
    fn targets_are_written_as_in_cloudfronts_api() {
        let check = |text: &str, expected: Result<Target, Illegible>| {
            assert_eq!(Target::parse(text), expected, "{text}")
        };
        check("/a.jpg?x=1", Ok(Target::Path("/a.jpg?x=1".into())));
        check("/live/*", Ok(Target::Below("/live/".into())));
        check("/*", Ok(Target::Below("/".into())));
        check("/caf%c3%a9.mp4", Ok(Target::Path("/caf%C3%A9.mp4".into())));
        check("/%61.mp4", Ok(Target::Path("/a.mp4".into())));
        check("/a/./b", Ok(Target::Path("/a/b".into())));
        check("/a/../b/.*", Ok(Target::Below("/b/.".into())));
        check("/%61?&x=1&&y=%61&", Ok(Target::Path("/a?x=1&y=%61".into())));
        check("/a?", Ok(Target::Path("/a".into())));
        check("/%61?*", Ok(Target::Below("/a?".into())));
        check("/a?&x=1&*", Ok(Target::Below("/a?x=1&".into())));
        check("/a/../../b", Err(Illegible::Path("/a/../../b".into(), PathFault::AboveRoot)));
        check("/a%2Fb*", Err(Illegible::Path("/a%2Fb".into(), PathFault::Separator)));
        check("/a#b", Err(Illegible::Path("/a#b".into(), PathFault::Byte(b'#'))));
        check("#Product:Shoes", Ok(Target::Tag("product:shoes".into())));
        check("a.jpg", Err(Illegible::Beginning("a.jpg".into())));
        check("", Err(Illegible::Beginning(String::new())));
        check("/a*b", Err(Illegible::Star("/a*b".into())));
        check("/a b", Err(Illegible::Character("/a b".into())));
        check("/ä", Err(Illegible::Character("/ä".into())));
        check("#", Err(Illegible::Character("#".into())));
        check("#a,b", Err(Illegible::Character("#a,b".into())));
        check(&format!("/{}", "a".repeat(4_000)), Err(Illegible::Long(4_001)));
        check(&format!("#{}", "a".repeat(257)), Err(Illegible::Long(257)));
    }

    /// Whether it is given what was begun at `born`, of distribution `tv`.
    fn spared(all: &Invalidations, born: Moment, path: &str, tags: &[&str]) -> bool {
        let mut example = Example::get(path).policy(|it| it.query = Selection::All);
        example.distribution = "tv";
        let tags: Vec<Box<str>> = tags.iter().map(|&it| it.into()).collect();
        all.spare(born, &example.admitted(), &tags)
    }

    #[test]
    fn what_was_begun_before_is_given_no_more_and_what_is_begun_after_is() {
        let all = Invalidations::new(UNIX_EPOCH);
        let before = all.now();
        assert!(spared(&all, before, "/a", &[]));
        all.put("tv", &[target("/a"), target("/b/*"), target("#x")], Manner::Hard);
        all.put("radio", &[target("/*")], Manner::Hard);
        let after = all.now();
        assert!(!spared(&all, before, "/a", &[]));
        assert!(!spared(&all, before, "/b/c?d=1", &[]));
        assert!(!spared(&all, before, "/c", &["w", "x"]));
        assert!(spared(&all, before, "/a?q=1", &[]), "a bare path leaves its queries");
        assert!(spared(&all, before, "/c", &["w"]));
        assert!(spared(&all, after, "/a", &["x"]));
    }

    #[test]
    fn what_is_invalidated_softly_is_stale_and_given_all_the_same() {
        let all = Invalidations::new(UNIX_EPOCH);
        let before = all.now();
        all.put("tv", &[target("/a")], Manner::Soft);
        let mut example = Example::get("/a");
        example.distribution = "tv";
        let asked = example.admitted();
        assert!(all.spare(before, &asked, &[]) && all.outdate(before, &asked, &[]));
        assert!(!all.outdate(all.now(), &asked, &[]));
    }

    #[test]
    fn what_an_earlier_run_invalidated_stays_so() {
        let all = Invalidations::new(UNIX_EPOCH);
        all.restore("tv", target("/a"), Manner::Hard, 70);
        assert!(!spared(&all, 69, "/a", &[]));
        assert!(spared(&all, 70, "/a", &[]) && spared(&all, 69, "/b", &[]));
        assert!(all.now() >= 70);
    }

    #[test]
    fn tags_are_read_from_the_fields_of_several_caches() {
        let mut headers = HeaderMap::new();
        headers.insert("cache-tag", "Film:7, shoes".parse().unwrap());
        headers.append("cache-tag", "b".parse().unwrap());
        headers.insert("surrogate-key", "c  d".parse().unwrap());
        headers.insert("xkey", format!("{} e", "x".repeat(300)).parse().unwrap());
        let found = tags(&headers);
        assert_eq!(found.iter().map(|it| &**it).collect::<Vec<_>>(), ["film:7", "shoes", "b", "c", "d", "e"]);
        headers.insert("cache-tag", "t,".repeat(100).parse().unwrap());
        assert_eq!(tags(&headers).len(), 50);
    }

    #[test]
    fn a_restarted_server_counts_on() {
        let second = |it| UNIX_EPOCH + std::time::Duration::from_secs(it);
        assert!(Invalidations::new(second(2)).now() > Invalidations::new(second(1)).now() + 1_000_000);
    }

    #[test]
    fn more_than_can_be_told_apart_is_everything() {
        let all = Invalidations::new(UNIX_EPOCH);
        let before = all.now();
        let paths: Vec<_> = (0..80).map(|it| target(&format!("/{it}/{}", "a".repeat(3_000)))).collect();
        all.put("tv", &paths, Manner::Hard);
        assert!(!spared(&all, before, "/other", &[]));
        let after = all.now();
        assert!(spared(&all, after, "/other", &[]));
        let tags: Vec<_> = (0..=MOST_TAGS).map(|it| target(&format!("#{it}"))).collect();
        all.put("tv", &tags, Manner::Hard);
        assert!(!spared(&all, after, "/other", &["another"]));
        assert!(spared(&all, after, "/other", &[]));
    }
}
