//! The newest samples of a broadcast, for players that follow it sample by sample.
//!
//! It holds what a new subscriber would begin with, from the newest key frame on, and what those who are here have not
//! read yet: of a broadcast that nobody plays, no more than a group of pictures, and of that the octets of its closed
//! parts are shared with those. Bounded in octets: a subscriber that is too slow finds its place gone and goes on at the
//! newest key frame; a number says what it missed.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::tracks::Tracks;
use super::{Input, Metadata, Moved};
use crate::media::{CodecConfig, Sample, Sync, TrackKind};

/// What an item costs beside its payload.
const OVERHEAD: u64 = 128;

/// Room for so many items stays when fewer are held.
const USUAL: usize = 64;

/// One thing a player is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// What the encoder said of itself.
    Metadata(Metadata),
    /// A track's decoder configuration.
    Configure(CodecConfig),
    /// A sample of the track of that kind.
    Sample(TrackKind, Sample),
    /// The timeline broke; what follows may be at any dts.
    Discontinuity,
    /// The publisher has gone; another may come within the grace time.
    Gone,
    /// Another publisher has come; what follows may be at any dts.
    Came,
}

/// The items of one broadcast, written by its task and read by any number of subscribers.
#[derive(Debug)]
pub(super) struct Ring {
    items: Mutex<Items>,
    /// Counts what was pushed; closes with the broadcast.
    pushed: watch::Sender<u64>,
}

#[derive(Debug)]
struct Items {
    limit: u64,
    held: VecDeque<Held>,
    /// The position of the first one held.
    first: u64,
    octets: u64,
    samples: u64,
    now: Preamble,
    /// Where a new subscriber begins.
    key: Option<(u64, Preamble)>,
    /// What each subscriber reads next, of those that have a place.
    readers: BTreeMap<u64, u64>,
    /// No sample of the track before is still to be found in a part.
    packed: Tracks<u64>,
    /// Subscribers so far.
    subscribers: u64,
    over: bool,
}

#[derive(Debug)]
struct Held {
    item: Item,
    cost: u64,
    /// How many samples came before.
    samples: u64,
}

/// What must be known before a sample.
#[derive(Clone, Debug, Default)]
struct Preamble {
    metadata: Option<Metadata>,
    configs: Tracks<Option<CodecConfig>>,
}

impl Ring {
    pub(super) fn new(limit: u64) -> Self {
        let items = Items {
            limit,
            held: VecDeque::new(),
            first: 0,
            octets: 0,
            samples: 0,
            now: Preamble::default(),
            key: None,
            readers: BTreeMap::new(),
            packed: Tracks::default(),
            subscribers: 0,
            over: false,
        };
        Self { items: Mutex::new(items), pushed: watch::Sender::new(0) }
    }

    /// Another publisher: what the last one said of itself holds no more.
    pub(super) fn restart(&self) {
        self.with(|it| {
            it.now = Preamble::default();
            it.push(Item::Came, 0);
        });
    }

    /// The publisher has gone.
    pub(super) fn pause(&self) {
        self.with(|it| it.push(Item::Gone, 0));
    }

    /// Adds what a publisher said.
    pub(super) fn push(&self, input: &Input) {
        self.with(|it| match input {
            Input::Metadata(metadata) => {
                it.now.metadata = Some(metadata.clone());
                it.push(Item::Metadata(metadata.clone()), metadata.raw.len());
            }
            Input::Configure(config) => {
                it.now.configs[config.kind()] = Some(config.clone());
                it.push(Item::Configure(config.clone()), config.record_length());
            }
            Input::Sample(kind, sample) => {
                // Where there are pictures, players begin at a key frame; sound alone begins anywhere.
                let begins = match kind {
                    TrackKind::Video => sample.sync == Sync::Key,
                    TrackKind::Audio => it.now.configs.video.is_none(),
                };
                if begins {
                    it.key = Some((it.end(), it.now.clone()));
                }
                it.push(Item::Sample(*kind, sample.clone()), sample.payload.len());
                it.samples += 1;
            }
            Input::Discontinuity => it.push(Item::Discontinuity, 0),
        });
    }

    /// Samples of a track are in a part now, in the order they came: what is held of them is the part's.
    pub(super) fn replace(&self, kind: TrackKind, moved: Vec<Moved>) {
        self.items.lock().unwrap_or_else(PoisonError::into_inner).replace(kind, moved);
    }

    /// Nothing more will come.
    pub(super) fn end(&self) {
        self.with(|it| it.over = true);
    }

    /// What it takes in memory.
    pub(super) fn weight(&self) -> u64 {
        self.items.lock().unwrap_or_else(PoisonError::into_inner).octets
    }

    pub(super) fn subscribe(self: &Arc<Self>) -> Subscriber {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        items.subscribers += 1;
        let id = items.subscribers;
        drop(items);
        Subscriber {
            ring: Arc::clone(self),
            id,
            pushed: self.pushed.subscribe(),
            place: Place::Lost { samples: None },
            preamble: VecDeque::new(),
            skipped: 0,
        }
    }

    fn with(&self, change: impl FnOnce(&mut Items)) {
        change(&mut self.items.lock().unwrap_or_else(PoisonError::into_inner));
        self.pushed.send_modify(|it| *it = it.wrapping_add(1));
    }
}

impl Items {
    fn end(&self) -> u64 {
        self.first + self.held.len() as u64
    }

    fn push(&mut self, item: Item, payload: usize) {
        let cost = payload as u64 + OVERHEAD;
        self.octets += cost;
        self.held.push_back(Held { item, cost, samples: self.samples });
        self.trim();
    }

    /// Lets go what nobody needs, and what is too much.
    fn trim(&mut self) {
        let begin = self.key.as_ref().map_or(self.end(), |it| it.0);
        let needed = self.readers.values().fold(begin, |needed, it| needed.min(*it));
        while (self.first < needed || self.octets > self.limit)
            && let Some(oldest) = self.held.pop_front()
        {
            self.octets -= oldest.cost;
            self.first += 1;
        }
        self.key.take_if(|it| it.0 < self.first);
        if self.held.len() < self.held.capacity() / 4 {
            self.held.shrink_to(USUAL);
        }
    }

    fn replace(&mut self, kind: TrackKind, moved: Vec<Moved>) {
        // Each still holds what it came from, so no two of them are in one place.
        let mut moved: HashMap<usize, Moved> =
            moved.into_iter().map(|it| (it.from.as_ptr().addr(), it)).collect();
        let begin = self.packed[kind].saturating_sub(self.first);
        let mut position = self.first + begin;
        for held in self.held.iter_mut().skip(usize::try_from(begin).unwrap_or(usize::MAX)) {
            if moved.is_empty() {
                break;
            }
            position += 1;
            if let Item::Sample(of, sample) = &mut held.item
                && *of == kind
                && let Some(it) = moved.remove(&sample.payload.as_ptr().addr())
            {
                sample.payload = it.to;
                self.packed[kind] = position;
            }
        }
    }

    fn at(&self, position: u64) -> Option<&Held> {
        self.held.get(usize::try_from(position.checked_sub(self.first)?).ok()?)
    }
}

/// Follows a broadcast from its newest key frame.
#[derive(Debug)]
pub struct Subscriber {
    ring: Arc<Ring>,
    id: u64,
    pushed: watch::Receiver<u64>,
    place: Place,
    preamble: VecDeque<Item>,
    skipped: u64,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// The next item, and how many samples came before the one read last.
    At(u64, u64),
    /// Waits for a key frame; how many samples had come before it lost its place.
    Lost { samples: Option<u64> },
}

enum Step {
    Item(Item),
    Wait,
    Over,
}

impl Subscriber {
    /// The next item; nothing once the broadcast is over.
    pub async fn next(&mut self) -> Option<Item> {
        loop {
            // Before looking, so that what comes after the look wakes.
            self.pushed.borrow_and_update();
            match self.step() {
                Step::Item(it) => return Some(it),
                Step::Over => return None,
                Step::Wait => self.pushed.changed().await.ok()?,
            }
        }
    }

    /// The next item if it is here already, so that many can be written at once.
    pub fn try_next(&mut self) -> Option<Item> {
        match self.step() {
            Step::Item(it) => Some(it),
            Step::Wait | Step::Over => None,
        }
    }

    /// Samples that were skipped because this subscriber was too slow.
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    fn step(&mut self) -> Step {
        if let Some(item) = self.preamble.pop_front() {
            return Step::Item(item);
        }
        let mut items = self.ring.items.lock().unwrap_or_else(PoisonError::into_inner);
        if let Place::At(next, samples) = self.place {
            if let Some(held) = items.at(next) {
                self.place =
                    Place::At(next + 1, held.samples + u64::from(matches!(held.item, Item::Sample(..))));
                let item = held.item.clone();
                items.readers.insert(self.id, next + 1);
                return Step::Item(item);
            }
            if next >= items.first {
                return if items.over { Step::Over } else { Step::Wait };
            }
            items.readers.remove(&self.id);
            self.place = Place::Lost { samples: Some(samples) };
        }
        let Place::Lost { samples } = self.place else { return Step::Wait };
        let Some((position, preamble)) = items.key.clone() else {
            return if items.over { Step::Over } else { Step::Wait };
        };
        let before = items.at(position).map_or(0, |it| it.samples);
        self.skipped += samples.map_or(0, |it| before.saturating_sub(it));
        self.place = Place::At(position, before);
        items.readers.insert(self.id, position);
        drop(items);
        if samples.is_some() {
            self.preamble.push_back(Item::Discontinuity);
        }
        self.preamble.extend(preamble.metadata.map(Item::Metadata));
        let Tracks { video, audio } = preamble.configs;
        self.preamble.extend([video, audio].into_iter().flatten().map(Item::Configure));
        self.step()
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let mut items = self.ring.items.lock().unwrap_or_else(PoisonError::into_inner);
        items.readers.remove(&self.id);
        items.trim();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::live::example::{audio_config, video_config};
    use crate::media::{Timescale, Timestamp};

    fn sample(at: i64, sync: Sync) -> Sample {
        let dts = Timestamp::new(at, Timescale::MILLISECONDS);
        Sample { dts, composition_offset: 0, sync, payload: Bytes::from(vec![0; 872]) }
    }

    fn picture(at: i64) -> Input {
        Input::Sample(TrackKind::Video, sample(at, if at % 4 == 0 { Sync::Key } else { Sync::Delta }))
    }

    fn drain(subscriber: &mut Subscriber) -> Vec<String> {
        std::iter::from_fn(|| subscriber.try_next())
            .map(|it| match it {
                Item::Metadata(_) => "metadata".into(),
                Item::Configure(it) => it.kind().word().into(),
                Item::Sample(kind, sample) => format!("{}{}", &kind.word()[..1], sample.dts.ticks()),
                Item::Discontinuity => "discontinuity".into(),
                Item::Gone => "gone".into(),
                Item::Came => "came".into(),
            })
            .collect()
    }

    #[test]
    fn a_subscriber_begins_at_the_newest_key_frame_with_what_must_be_known() {
        let ring = Arc::new(Ring::new(1 << 20));
        let mut early = ring.subscribe();
        assert_eq!(drain(&mut early), [""; 0]);
        ring.push(&Input::Metadata(Metadata::default()));
        ring.push(&Input::Configure(video_config()));
        ring.push(&Input::Configure(audio_config()));
        (0..6).for_each(|at| ring.push(&picture(at)));
        assert_eq!(drain(&mut ring.subscribe()), ["metadata", "video", "audio", "v4", "v5"]);
        assert_eq!(drain(&mut early), ["metadata", "video", "audio", "v4", "v5"]);
        ring.push(&picture(6));
        assert_eq!(drain(&mut early), ["v6"]);
    }

    #[test]
    fn a_slow_subscriber_goes_on_at_the_newest_key_frame_and_counts_what_it_missed() {
        let ring = Arc::new(Ring::new(6_000));
        ring.push(&Input::Configure(video_config()));
        let mut slow = ring.subscribe();
        (0..2).for_each(|at| ring.push(&picture(at)));
        assert_eq!(drain(&mut slow), ["video", "v0", "v1"]);
        (2..15).for_each(|at| ring.push(&picture(at)));
        assert_eq!(drain(&mut slow), ["discontinuity", "video", "v12", "v13", "v14"]);
        assert_eq!(slow.skipped(), 10);
    }

    #[test]
    fn a_broadcast_that_nobody_plays_holds_its_newest_group_of_pictures() {
        let ring = Arc::new(Ring::new(1 << 20));
        ring.push(&Input::Configure(video_config()));
        (0..11).for_each(|at| ring.push(&picture(at)));
        assert_eq!(ring.weight(), 3_000);
        // What a subscriber has not read is held for it, and no longer.
        let mut slow = ring.subscribe();
        assert!(slow.try_next().is_some());
        (11..15).for_each(|at| ring.push(&picture(at)));
        assert_eq!(ring.weight(), 7_000);
        assert_eq!(drain(&mut slow), ["v8", "v9", "v10", "v11", "v12", "v13", "v14"]);
        ring.push(&picture(15));
        assert_eq!(ring.weight(), 4_000);
        ring.push(&picture(16));
        ring.push(&picture(17));
        assert_eq!(ring.weight(), 3_000);
        drop(slow);
        assert_eq!(ring.weight(), 2_000);
    }

    #[test]
    fn samples_of_a_closed_part_are_held_as_slices_of_it() {
        let ring = Arc::new(Ring::new(1 << 20));
        let pictures: Vec<_> = (0..3).map(picture).collect();
        pictures.iter().for_each(|it| ring.push(it));
        let payload = |at: usize| match &pictures[at] {
            Input::Sample(_, sample) => sample.payload.clone(),
            other => unreachable!("{other:?}"),
        };
        let part = Bytes::from([payload(0), payload(1)].concat());
        let moved = |at: usize| Moved { from: payload(at), to: part.slice(at * 872..(at + 1) * 872) };
        // One that is not held any more disturbs nothing.
        let gone = Moved { from: Bytes::from(vec![1; 872]), to: Bytes::from(vec![1; 872]) };
        ring.replace(TrackKind::Video, vec![gone, moved(0), moved(1)]);
        let mut subscriber = ring.subscribe();
        let mut next = || match subscriber.try_next() {
            Some(Item::Sample(_, sample)) => sample.payload,
            other => unreachable!("{other:?}"),
        };
        assert_eq!(next().as_ptr(), part.as_ptr());
        assert_eq!(next().as_ptr(), part[872..].as_ptr());
        assert_eq!(next().as_ptr(), payload(2).as_ptr());
    }

    #[test]
    fn pictures_that_nobody_can_begin_with_are_not_held() {
        let ring = Ring::new(1 << 20);
        ring.push(&Input::Configure(video_config()));
        (1..4).for_each(|at| ring.push(&picture(at)));
        assert_eq!(ring.weight(), 0);
    }

    #[test]
    fn a_group_of_pictures_larger_than_the_ring_is_waited_out() {
        let ring = Arc::new(Ring::new(2_500));
        ring.push(&Input::Configure(video_config()));
        (0..4).for_each(|at| ring.push(&picture(at)));
        let mut late = ring.subscribe();
        assert_eq!(drain(&mut late), [""; 0]);
        ring.push(&picture(4));
        assert_eq!(drain(&mut late), ["video", "v4"]);
    }

    #[test]
    fn configurations_count_for_what_they_hold() {
        let ring = Arc::new(Ring::new(10_000));
        let mut subscriber = ring.subscribe();
        ring.push(&picture(0));
        assert!(subscriber.try_next().is_some());
        let CodecConfig::Avc(mut config) = video_config() else { unreachable!("it is video") };
        config.record = Bytes::from(vec![1; 4_000]);
        (0..100).for_each(|_| ring.push(&Input::Configure(CodecConfig::Avc(config.clone()))));
        assert_eq!(ring.items.lock().unwrap().held.len(), 2);
    }

    #[test]
    fn sound_alone_begins_anywhere() {
        let ring = Arc::new(Ring::new(1 << 20));
        ring.push(&Input::Configure(audio_config()));
        (0..3).for_each(|at| ring.push(&Input::Sample(TrackKind::Audio, sample(at, Sync::Key))));
        assert_eq!(drain(&mut ring.subscribe()), ["audio", "a2"]);
    }

    #[tokio::test]
    async fn a_subscriber_waits_for_what_comes_and_sees_the_end() {
        let ring = Arc::new(Ring::new(1 << 20));
        let mut subscriber = ring.subscribe();
        ring.push(&Input::Configure(video_config()));
        ring.push(&picture(0));
        assert_eq!(subscriber.next().await, Some(Item::Configure(video_config())));
        assert!(matches!(subscriber.next().await, Some(Item::Sample(TrackKind::Video, _))));
        let (next, ()) = tokio::join!(subscriber.next(), async { ring.push(&picture(1)) });
        assert!(matches!(next, Some(Item::Sample(..))));
        let (next, ()) = tokio::join!(subscriber.next(), async { ring.end() });
        assert_eq!(next, None);
    }
}
