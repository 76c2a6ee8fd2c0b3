//! One live broadcast: what its publishers say goes in, windows come out.
//!
//! ```text
//!            publish                       tracks known               publisher gone
//!  Idle ───────────────▶ PreRoll (gathers) ────────────▶ Run (packs) ─────────────────▶ Idle, grace runs
//!                          ▲                               │
//!                          └── other configuration, jump, ─┘
//!                              track late or lost
//! ```
//!
//! Each run is an epoch: one discontinuity of the playlists, one period of the MPD. Its media time is the wall clock's
//! distance from the broadcast's availability start when the epoch began, so it grows over reconnects and restarts.
//! A heart: no task, no socket, no clock. [`registry`](super::Registry) drives it.

mod dates;
mod numbers;
mod showing;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use self::dates::Dates;
use self::numbers::Numbers;
use crate::dash::FrameRate;
use crate::isobmff::init::init_segment;
use crate::live::cadence::Cadence;
use crate::live::facts::{TrackFacts, Warning};
use crate::live::manifest;
use crate::live::meter::Meter;
use crate::live::moment::Moment;
use crate::live::packer::{Made, Moved, Packer};
use crate::live::preroll::{Needs, PreRoll};
use crate::live::publisher::{Input, Metadata};
use crate::live::run::{Broken, Lane, Run};
use crate::live::settings::{Announced, Record, Settings};
use crate::live::shelf::{Epoch, Init, Shelf, Spare};
use crate::live::tracks::{KINDS, Tracks};
use crate::live::window::Window;
use crate::media::{CodecConfig, Sample, Sync, Timescale, Timestamp, Track, TrackKind};
use crate::segmenter::{Beginning, Cut, Segmenter, part_target, target_duration, usual_segment};

/// Epochs are written to disk one by one, so a publisher that breaks its timeline all the time gets no more than one a
/// second.
const SHORTEST_EPOCH: Duration = Duration::from_secs(1);

/// The zero of a broadcast's timeline lies so long before its first sample, so that no decoding time is below it.
const HEAD_ROOM: Duration = Duration::from_secs(1);

/// A period of the MPD begins so long before its first sample.
///
/// Whoever joins in the first seconds of a broadcast is sent to the beginning of its first period. Browsers report that
/// very place before the player has asked for it, and dash.js, which then need not ask, waits for pictures that the browser
/// looks for elsewhere. Where nothing is at that place, dash.js moves on to the first sample by a seek.
const PERIOD_LEAD: Duration = Duration::from_millis(10);

/// How many key frames the interval shown to the operator is the mean of.
const KEYS: usize = 5;

/// What a broadcast wants its owner to do.
#[derive(Clone, Debug)]
pub enum Event {
    /// Keep this; nothing that comes after may be seen before it is kept.
    Record(Record),
    /// Show this.
    Window(Arc<Window>),
    /// Samples of that track are in a part now; who holds them by themselves may hold the part.
    Packed(TrackKind, Vec<Moved>),
    /// Tell the operator.
    Warning(Warning),
    /// The broadcast is over and nothing of it can be asked for any more.
    Over,
}

/// What is going on.
#[derive(Debug)]
enum Stage {
    /// Nobody publishes. Until then someone may come back; without a time, nobody ever came.
    Idle(Option<Instant>),
    /// Someone publishes, and it is not clear yet what.
    PreRoll(Box<PreRoll>),
    /// Samples become segments.
    Run(Box<Run>),
    /// All playlists have ended; they can be read until then.
    Ended(Instant),
}

/// One live broadcast.
#[derive(Debug)]
pub struct Packager {
    settings: Settings,
    stage: Stage,
    // What goes on over restarts.
    numbers: Numbers,
    announced: Option<Announced>,
    // What the publisher said.
    metadata: Option<Metadata>,
    configs: Tracks<Option<CodecConfig>>,
    /// Tracks that have stopped: nobody waits for them.
    lost: Tracks<bool>,
    /// A track came that the run does not carry; the next key frame begins a run that does.
    late: bool,
    /// What the run carries of sound was configured otherwise: what comes now belongs to the next run.
    retuned: bool,
    // What came of it.
    carried: Tracks<bool>,
    shelves: Tracks<Shelf>,
    inits: Tracks<Vec<Arc<Init>>>,
    cadences: Tracks<Cadence>,
    meters: Tracks<Meter>,
    /// What playlists say of the pictures of the newest epoch that has some.
    frame_rate: Option<FrameRate>,
    /// Where the newest run ended, from the availability start.
    end: Duration,
    /// When the newest epoch began.
    begun: Option<Instant>,
    dates: Dates,
    keys: VecDeque<Timestamp>,
    revision: u64,
    changed: Tracks<bool>,
    /// The last window.
    window: Arc<Window>,
    events: VecDeque<Event>,
}

impl Packager {
    /// Goes on where `record` ends, with the numbers, and with what was announced, unless the broadcast was away for
    /// longer than the grace time: then whoever watched it has left.
    pub fn new(settings: Settings, record: Option<Record>, now: Moment) -> Self {
        let gone =
            |it: &Record| now.wall.duration_since(it.published).is_ok_and(|away| away > settings.grace);
        let announced = record.as_ref().filter(|it| !gone(it)).and_then(|it| it.announced);
        let mut it = Self {
            settings,
            stage: Stage::Idle(None),
            numbers: Numbers::new(record.as_ref(), now.wall),
            announced,
            metadata: None,
            configs: Tracks::default(),
            lost: Tracks::default(),
            late: false,
            retuned: false,
            carried: Tracks::default(),
            shelves: Tracks::each(|_| Shelf::new()),
            inits: Tracks::default(),
            cadences: Tracks::each(usual),
            meters: Tracks::default(),
            frame_rate: None,
            end: Duration::ZERO,
            begun: None,
            dates: Dates::default(),
            keys: VecDeque::new(),
            revision: 0,
            changed: Tracks::default(),
            window: Arc::default(),
            events: VecDeque::new(),
        };
        it.show(now);
        it
    }

    /// A publisher has come, or a newer one in the place of another.
    pub fn publish(&mut self, now: Moment) {
        if matches!(self.stage, Stage::Ended(_)) {
            // What has ended does not go on: this is another broadcast under the same name, with the same numbering.
            *self = Self::new(self.settings.clone(), self.numbers.record(None, now.wall), now);
            self.events.push_back(Event::Window(Arc::clone(&self.window)));
        }
        self.leave(now);
        self.metadata = None;
        self.configs = Tracks::default();
        self.lost = Tracks::default();
        self.gather(now);
        self.finish_change(now);
    }

    /// The publisher has gone.
    pub fn unpublish(&mut self, now: Moment) {
        if matches!(self.stage, Stage::Run(_) | Stage::PreRoll(_)) {
            self.leave(now);
            self.stage = Stage::Idle(Some(now.steady + self.settings.grace));
            self.finish_change(now);
        }
    }

    /// The server stops: what was announced is kept for the next one.
    pub fn finish(&mut self, now: Moment) {
        self.unpublish(now);
        if !matches!(self.stage, Stage::Ended(_)) {
            self.events.extend(self.numbers.record(self.announced, now.wall).map(Event::Record));
        }
    }

    /// Takes what the publisher says.
    pub fn push(&mut self, input: Input, now: Moment) {
        match input {
            Input::Metadata(metadata) => self.metadata = Some(metadata),
            Input::Configure(config) => self.configure(config, now),
            Input::Discontinuity => self.interrupt(now),
            Input::Sample(kind, sample) => self.sample(kind, sample, now),
        }
        self.finish_change(now);
    }

    /// Time has passed.
    pub fn advance(&mut self, now: Moment) {
        match &self.stage {
            Stage::PreRoll(_) => self.try_begin(now),
            Stage::Idle(Some(until)) if *until <= now.steady => self.end_all(now),
            Stage::Ended(until) if *until <= now.steady => self.events.push_back(Event::Over),
            _ => {}
        }
        for kind in KINDS {
            self.changed[kind] |= self.shelves[kind].expire(now.steady);
        }
        self.finish_change(now);
    }

    /// Lets the oldest segments go before their time, until `bytes` have come back or playlists would be shorter than
    /// they may be.
    pub fn shed(&mut self, bytes: u64, now: Moment) {
        let Some(announced) = self.announced else { return };
        let layout = self.layout(&announced);
        let goal = self.weight().saturating_sub(bytes);
        while self.weight() > goal {
            // The older one of both tracks', so that their playlists begin together.
            let spare = KINDS.into_iter().filter_map(|kind| Some((self.shelves[kind].spare(&layout)?, kind)));
            let Some((spare, kind)) = spare.min_by_key(|it| it.0) else { break };
            self.shelves[kind].let_go();
            self.changed[kind] = true;
            if let Spare::Listed(_) = spare {
                self.events.push_back(Event::Warning(Warning::ShortOfMemory));
            }
        }
        self.finish_change(now);
    }

    /// What samples and segments take in memory.
    pub fn weight(&self) -> u64 {
        let open = match &self.stage {
            Stage::Run(run) => run.weight(),
            Stage::PreRoll(gathered) => gathered.weight(),
            Stage::Idle(_) | Stage::Ended(_) => 0,
        };
        open + self.shelves.iter().map(|(_, it)| it.weight()).sum::<u64>()
    }

    /// What those segments take that no playlist lists any more.
    pub fn unlisted_weight(&self) -> u64 {
        self.shelves.iter().map(|(_, it)| it.unlisted_weight()).sum()
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`advance`](Self::advance) has something to do.
    pub fn next_deadline(&self, now: Instant) -> Option<Instant> {
        match &self.stage {
            Stage::PreRoll(it) => it.next_deadline(now),
            Stage::Idle(until) => *until,
            Stage::Ended(until) => Some(*until),
            Stage::Run(_) => None,
        }
    }

    /// What the publisher announced of itself.
    pub const fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// The tracks that viewers are offered.
    pub fn tracks(&self, now: Instant) -> Vec<TrackFacts> {
        let carried = KINDS.into_iter().filter(|&kind| self.carried[kind]);
        let facts = carried.filter_map(|kind| {
            let config = &self.inits[kind].last()?.config;
            let (bit_rate, samples) = self.meters[kind].recent(now);
            Some(TrackFacts::new(config, bit_rate, samples, self.frame_rate.map(FrameRate::per_second)))
        });
        facts.collect()
    }

    /// The mean distance of the newest key frames.
    pub fn key_frame_interval(&self) -> Option<Duration> {
        let (first, last) = (self.keys.front()?, self.keys.back()?);
        let count = u32::try_from(self.keys.len()).ok()?.checked_sub(1).filter(|it| *it > 0)?;
        Some(last.since(*first).to_duration() / count)
    }

    /// How often viewers saw a discontinuity in this broadcast and those before it under its name.
    pub fn discontinuities(&self) -> u64 {
        self.numbers.discontinuity()
    }

    fn configure(&mut self, config: CodecConfig, now: Moment) {
        let kind = config.kind();
        if self.configs[kind].as_ref() == Some(&config) {
            return;
        }
        let cadence = match &config {
            CodecConfig::Aac(it) => Some(Cadence::new(i64::from(it.frame_length), it.sample_rate)),
            _ => None,
        };
        let before = self.configs[kind].replace(config);
        match &mut self.stage {
            // Pictures go on until one comes that the next run can begin with; sound alone must be silent until then.
            Stage::Run(run) if run.carries(kind) && run.lead() != kind => self.retuned = true,
            Stage::Run(run) if run.carries(kind) => self.interrupt(now),
            // What was gathered of it belongs to the old configuration.
            Stage::PreRoll(it) if before.is_some() && it.has(kind) => it.clear(),
            _ => {}
        }
        if let Some(cadence) = cadence {
            self.cadences.audio = cadence;
        }
    }

    fn sample(&mut self, kind: TrackKind, sample: Sample, now: Moment) {
        if self.configs[kind].is_none() {
            return;
        }
        self.meters[kind].sample(sample.payload.len(), now.steady);
        if kind == TrackKind::Video && sample.sync == Sync::Key {
            self.keys.push_back(sample.dts);
            if self.keys.len() > KEYS {
                self.keys.pop_front();
            }
        }
        self.lost[kind] = false;
        let key = sample.sync == Sync::Key;
        let Stage::Run(run) = &mut self.stage else {
            if let Stage::PreRoll(it) = &mut self.stage {
                it.push(kind, sample, now.wall);
                self.try_begin(now);
            }
            return;
        };
        if !run.carries(kind) || kind == TrackKind::Audio && self.retuned {
            // Video that comes late leads from its first key frame on. Audio that comes late waits for the next key
            // frame, because pictures cannot begin anywhere else.
            self.late = true;
            if kind == TrackKind::Audio || !key {
                return;
            }
        }
        if self.late && kind == TrackKind::Video && key {
            self.regather(kind, sample, now);
            return;
        }
        match run.push(kind, sample.clone()) {
            Ok(cut) => {
                let sparse = cut == Some(Cut::Forced) && run.lead() == TrackKind::Video;
                let lost = run.lost();
                if sparse {
                    self.warn_of_sparse_key_frames();
                }
                self.drain(now);
                if let Some(kind) = lost {
                    self.lost[kind] = true;
                    self.events.push_back(Event::Warning(Warning::TrackLost(kind)));
                    self.interrupt(now);
                }
            }
            Err(Broken) => self.regather(kind, sample, now),
        }
    }

    fn warn_of_sparse_key_frames(&mut self) {
        if let Some(announced) = self.announced {
            let target = announced.target_duration;
            self.events.push_back(Event::Warning(Warning::SparseKeyFrames { target }));
        }
    }

    /// Ends the run; `sample` is the first of what follows.
    fn regather(&mut self, kind: TrackKind, sample: Sample, now: Moment) {
        self.interrupt(now);
        if let Stage::PreRoll(it) = &mut self.stage {
            it.push(kind, sample, now.wall);
        }
        self.try_begin(now);
    }

    /// What follows is another run.
    fn interrupt(&mut self, now: Moment) {
        if matches!(self.stage, Stage::Run(_) | Stage::PreRoll(_)) {
            self.leave(now);
            self.gather(now);
        }
    }

    fn gather(&mut self, now: Moment) {
        self.late = false;
        self.retuned = false;
        // Two key frames on different timelines have no distance.
        self.keys.clear();
        let not_before = self.begun.map_or(now.steady, |it| it + SHORTEST_EPOCH);
        self.stage = Stage::PreRoll(Box::new(PreRoll::new(now.steady, not_before)));
    }

    /// Ends the run, if there is one: all that came is shown.
    fn leave(&mut self, now: Moment) {
        let Stage::Run(run) = &mut self.stage else { return };
        run.finish();
        for kind in KINDS {
            let outdated = kind == TrackKind::Audio && self.retuned;
            if let Some(packer) = run.packer(kind).filter(|_| !outdated) {
                self.cadences[kind] = packer.cadence().clone();
                self.cadences[kind].interrupt();
            }
        }
        self.end = run.end().to_duration();
        self.drain(now);
        self.stage = Stage::Idle(None);
        self.changed = Tracks::each(|kind| self.carried[kind]);
    }

    /// Nobody came back in time.
    fn end_all(&mut self, now: Moment) {
        let Some(announced) = self.announced else {
            self.events.push_back(Event::Over);
            return;
        };
        let lasting = self.settings.window + Duration::from_secs(u64::from(announced.target_duration));
        self.stage = Stage::Ended(now.steady + lasting);
        // The next broadcast of this name goes on with the numbers and announces constants of its own.
        self.events.extend(self.numbers.record(None, now.wall).map(Event::Record));
        self.changed = Tracks::each(|kind| self.carried[kind]);
    }

    fn try_begin(&mut self, now: Moment) {
        let Stage::PreRoll(gathering) = &mut self.stage else { return };
        if gathering.misses_key_frame(now.steady) {
            self.events.push_back(Event::Warning(Warning::NoKeyFrame));
        }
        let promised = self.metadata.as_ref();
        let expected = Tracks {
            video: self.configs.video.is_some() || promised.is_some_and(|it| it.video),
            audio: self.configs.audio.is_some() || promised.is_some_and(|it| it.audio),
        };
        let expected = Tracks::each(|kind| expected[kind] && !self.lost[kind]);
        let needs = if self.announced.is_some() { Needs::Tracks } else { Needs::Segment };
        let Some(here) = gathering.ready(&expected, needs, now.steady) else { return };
        let Stage::PreRoll(gathered) = std::mem::replace(&mut self.stage, Stage::Idle(None)) else { return };
        self.begin(*gathered, &here, now);
    }

    /// Begins an epoch with what was gathered.
    fn begin(&mut self, gathered: PreRoll, here: &Tracks<bool>, now: Moment) {
        let Some((lead, (decoded, shown, came))) =
            gathered.lead().and_then(|lead| Some((lead, gathered.first(lead)?)))
        else {
            return;
        };
        for kind in KINDS {
            let timescale = timescale(kind, &self.configs);
            for time in gathered.times(kind) {
                self.cadences[kind].observe(time.rescale(timescale).ticks());
            }
            self.cadences[kind].interrupt();
        }
        if here.video
            && let Some(config) = &self.configs.video
        {
            let promised = self.metadata.as_ref().and_then(|it| it.frame_rate);
            self.frame_rate = manifest::frame_rate(self.cadences.video.usual(), config, promised);
        }
        let beginning = if self.announced.is_some() { Beginning::Epoch } else { Beginning::Broadcast };
        let announced = *self.announced.get_or_insert_with(|| {
            let samples = KINDS.into_iter().filter(|&kind| here[kind]).map(|kind| {
                let usual = self.cadences[kind].usual();
                Timestamp::new(usual, timescale(kind, &self.configs)).to_duration()
            });
            let gop = gathered.longest_gop(lead);
            let target_duration = target_duration(self.settings.segment, gop);
            let segment = usual_segment(self.settings.segment, target_duration, gop);
            Announced {
                availability_start: whole_second(came.checked_sub(HEAD_ROOM).unwrap_or(came)),
                target_duration,
                part_target: part_target(self.settings.part, &samples.collect::<Vec<_>>(), segment),
            }
        });

        let clock = came.duration_since(announced.availability_start).unwrap_or_default();
        let start = clock.max(self.end + PERIOD_LEAD).max(HEAD_ROOM);
        // What a publisher sent faster than time is not undone by the next one's coming, so its end may lie ahead.
        self.dates = Dates::ahead_by(start.saturating_sub(clock) + gathered.rush(lead));
        let period = start.saturating_sub(PERIOD_LEAD);
        self.begun = Some(now.steady);
        self.numbers.begin_epoch(now.wall);
        self.reserve(now);

        let lanes = Tracks::each(|kind| {
            if !here[kind] {
                return None;
            }
            let timescale = timescale(kind, &self.configs);
            let start = Timestamp::from_duration(start, timescale);
            // Pictures are decoded as early as they are shown at the run's first moment; sounds are shown when decoded.
            let origin = if kind == lead { decoded } else { shown };
            let shift = start.ticks().saturating_sub(origin.rescale(timescale).ticks());
            let shown_shift = start.ticks().saturating_sub(shown.rescale(timescale).ticks());
            let cadence = self.cadences[kind].clone();
            let first = match gathered.first(kind) {
                Some((first, ..)) if kind != lead => first.rescale(timescale).plus(shift).max(start),
                _ => start,
            };
            let delay = if kind == lead { shift.saturating_sub(shown_shift) } else { 0 };
            let most = Timestamp::from_duration(HEAD_ROOM, timescale).ticks();
            let delay = delay.clamp(0, most);
            let packer = Packer::new(kind, first, delay, self.numbers.next(), &announced, cadence);
            self.shelve(kind, period, first, &announced, now);
            Some(Lane { packer, shift, shown_shift })
        });
        self.carried = here.clone();
        let start = Timestamp::from_duration(start, timescale(lead, &self.configs));
        let mut segmenter =
            Segmenter::new(self.settings.segment, announced.target_duration, beginning, start);
        segmenter.promise(gathered.longest_gop(lead));
        self.stage = Stage::Run(Box::new(Run::new(start, segmenter, lanes)));
        for it in gathered.into_gathered() {
            match &mut self.stage {
                Stage::Run(run) => match run.push(it.kind, it.sample.clone()) {
                    Ok(Some(Cut::Forced)) if lead == TrackKind::Video => self.warn_of_sparse_key_frames(),
                    Ok(_) => {}
                    Err(Broken) => {
                        self.leave(now);
                        self.gather(now);
                        self.keep_gathering(it.kind, it.sample, it.came);
                    }
                },
                _ => self.keep_gathering(it.kind, it.sample, it.came),
            }
        }
        self.drain(now);
    }

    fn keep_gathering(&mut self, kind: TrackKind, sample: Sample, came: SystemTime) {
        if let Stage::PreRoll(it) = &mut self.stage {
            it.push(kind, sample, came);
        }
    }

    /// Prepares the shelf of a track for the new epoch, whose period begins at `period` and first segment at `first`.
    fn shelve(
        &mut self,
        kind: TrackKind,
        period: Duration,
        first: Timestamp,
        announced: &Announced,
        now: Moment,
    ) {
        let Some(config) = self.configs[kind].clone() else { return };
        let known = self.inits[kind].iter().rposition(|it| it.config == config);
        let init = match known {
            // The newest stands last: it is what the track is now.
            Some(at) => self.inits[kind].remove(at),
            None => {
                let track = Track { config, timescale: timescale(kind, &self.configs), language: *b"und" };
                let bytes = init_segment(&track);
                Arc::new(Init { epoch: self.numbers.epoch(), config: track.config, bytes })
            }
        };
        self.inits[kind].push(Arc::clone(&init));
        let in_use = self.shelves[kind].segments();
        self.inits[kind].retain(|it| {
            Arc::ptr_eq(it, &init) || in_use.iter().any(|used| Arc::ptr_eq(it, &used.epoch.init))
        });
        let (id, discontinuity) = (self.numbers.epoch(), self.numbers.discontinuity());
        let epoch = Epoch { id, discontinuity, period, before: self.end, init };
        let date = self.dates.at(first, announced);
        let layout = self.layout(announced);
        self.shelves[kind].begin(Arc::new(epoch), self.numbers.next(), date, &layout, now.steady);
    }

    /// Puts what the run has made on the shelves.
    fn drain(&mut self, now: Moment) {
        let Some(announced) = self.announced else { return };
        let layout = self.layout(&announced);
        let target = Duration::from_secs(u64::from(announced.target_duration));
        while let Stage::Run(run) = &mut self.stage
            && let Some((kind, made)) = run.poll()
        {
            self.changed[kind] = true;
            let closing = match made {
                Made::Part(part, moved) => {
                    self.shelves[kind].part(part);
                    self.events.push_back(Event::Packed(kind, moved));
                    continue;
                }
                Made::Segment(closing) => closing,
            };
            let end = closing.start.plus(closing.length);
            let duration = end.since(closing.start).to_duration();
            self.meters[kind].segment(closing.octets, duration, target);
            if kind == run.lead() {
                self.dates.follow(end, duration, &announced, now.wall);
            }
            let next = closing.media_sequence.saturating_add(1);
            self.numbers.used_below(next);
            let epoch = self.shelves[kind].open().map(|it| Arc::clone(&it.epoch));
            self.shelves[kind].close(closing, &layout, now.steady);
            self.shelves[kind].expire(now.steady);
            if let Some(epoch) = epoch {
                let date = self.dates.at(end, &announced);
                self.shelves[kind].begin(epoch, next, date, &layout, now.steady);
            }
        }
        self.reserve(now);
    }

    /// Keeps the numbers that come next, before they are shown.
    fn reserve(&mut self, now: Moment) {
        self.events.extend(self.numbers.reserve(self.announced, now.wall).map(Event::Record));
    }
}

fn usual(kind: TrackKind) -> Cadence {
    match kind {
        TrackKind::Video => Cadence::new(3_000, 90_000),
        TrackKind::Audio => Cadence::new(1_024, 48_000),
    }
}

/// What a track counts in: sound in its samples, all else in what divides by every frame rate.
fn timescale(kind: TrackKind, configs: &Tracks<Option<CodecConfig>>) -> Timescale {
    match &configs[kind] {
        Some(CodecConfig::Aac(it)) => Timescale::new(it.sample_rate).unwrap_or(Timescale::MILLISECONDS),
        _ => Timescale::VIDEO,
    }
}

/// Rounded down: manifests print it, and a whole second is easiest on the eye.
fn whole_second(at: SystemTime) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}
