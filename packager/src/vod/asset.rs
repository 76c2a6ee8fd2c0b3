//! A stored title, understood: everything that can be asked of it but the bytes of its samples.

use std::mem;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3;

use super::index::{Index, Indexed};
use super::manifest::{self, Tracks, TrickMode};
use super::plan::{self, Plan};
use super::protection::{Clear, Protection};
use super::record::{self, Told};
use super::rendition::Rendition;
use super::subtitles::Subtitles;
use super::transport::{self, Laid, Samples};
use super::{
    Body, Header, KeyOf, Labels, LeftOutReport, MadeSegment, Pages, Reason, Report, Tag, Take, TextItem,
    TextName, TrackName, Unplayable,
};
use crate::asset::Stored;
use crate::isobmff::movie::{Movie, StoredTrack};
use crate::media::{CodecConfig, Timestamp, TrackKind};
use crate::mpegts::{Program, Refused};
use crate::protect::KeyId;
use crate::text::Track;

/// How long segments should be: what Apple's rules ask of stored titles (7.5), and a balance between requests and
/// the time a player needs to change its mind.
pub const TARGET: Duration = Duration::from_secs(6);

/// A shorter target would cost more requests than it saves waiting, and is no more than a slip.
const SHORTEST_TARGET: Duration = Duration::from_secs(1);

/// Changes whenever other bytes are made of the same file, so that no cache mixes old and new.
const FORMAT: u64 = 2;

/// Ten hours at 60 pictures a second with eight languages, or six qualities and two. A crafted header of a few
/// kilobytes can announce more, and each is walked several times.
const MAX_SAMPLES: u64 = 1 << 24;

/// Two renditions whose lengths differ by more are not the same film.
const LENGTHS: Duration = Duration::from_secs(6);

/// A stored title.
#[derive(Debug)]
pub struct Asset {
    tag: Tag,
    /// What it was cut by.
    target: Duration,
    stored: Vec<Stored>,
    left_out: Vec<LeftOutReport>,
    video: Vec<Rendition>,
    audio: Vec<Rendition>,
    subtitles: Subtitles,
    labels: Labels,
    /// What its playlists say of their longest segment.
    target_duration: u32,
    /// Transport streams of the pictures, then of the sound, laid out when one is asked for.
    transport: Box<[OnceLock<Result<Laid, Refused>>]>,
    /// How it is encrypted; none when it is not.
    protection: Option<Box<Protection>>,
}

/// A segment of a title, before its media is read.
#[derive(Clone, Debug)]
pub enum Segment {
    /// It is sent as it is read.
    Stored(TitleSegment),
    /// It is made when all of it is read.
    Made(MadeSegment),
}

impl Segment {
    /// The segment where it is sent as it is read.
    pub fn stored(self) -> Option<TitleSegment> {
        match self {
            Self::Stored(it) => Some(it),
            Self::Made(_) => None,
        }
    }
}

/// A segment that is ranges of a file behind boxes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TitleSegment {
    /// Which of the title's files its ranges lie in.
    pub file: usize,
    /// Its bytes.
    pub body: Body,
}

impl Asset {
    /// Understands one file, or several that are one title in several qualities. Pictures come from all of them,
    /// sound from the best of those that have it, and from all files without pictures. Segments are `target` long where
    /// key frames allow.
    ///
    /// # Errors
    /// [`Unplayable`] when one of the files is in the way.
    pub fn new(headers: Vec<Header>, target: Duration) -> Result<Self, Unplayable> {
        Self::taking(headers, &[], target)
    }

    /// The same of files of which perhaps not all tracks are wanted: `takes` says which, in the order of the files.
    ///
    /// # Errors
    /// [`Unplayable`] when one of the files is in the way.
    pub fn taking(headers: Vec<Header>, takes: &[Take], target: Duration) -> Result<Self, Unplayable> {
        let target = target.max(SHORTEST_TARGET);
        let mut left_out = Vec::new();
        let mut files = Vec::new();
        let mut samples = 0_u64;
        for (file, header) in headers.iter().enumerate() {
            let refused = |reason: Reason| Unplayable { file, reason };
            let movie = Movie::parse(&header.moov, &header.fragments).map_err(|it| refused(it.into()))?;
            left_out.extend(movie.left_out.iter().map(|it| LeftOutReport::of(file, it)));
            samples += movie.tracks.iter().map(|it| u64::from(it.samples.count())).sum::<u64>();
            if samples > MAX_SAMPLES {
                return Err(refused(Reason::TooManySamples(samples)));
            }
            let take = takes.get(file).copied().unwrap_or_default();
            files.push(Indexes::of(movie, take, file, &mut left_out).map_err(refused)?);
        }
        let tag = tag(&headers, takes, target);
        // What they say of samples is in our own words from here on.
        let stored = headers.into_iter().map(|it| it.stored).collect();
        let (video, audio) = cut(files, target, &mut left_out)?;
        Ok(Self::of(tag, target, stored, left_out, video, audio))
    }

    fn of(
        tag: Tag,
        target: Duration,
        stored: Vec<Stored>,
        left_out: Vec<LeftOutReport>,
        video: Vec<Rendition>,
        audio: Vec<Rendition>,
    ) -> Self {
        let transport = (0..video.len() + audio.len()).map(|_| OnceLock::new()).collect();
        let target_duration = manifest::target_duration(video.iter().chain(&audio));
        let subtitles = Subtitles::default();
        let labels = Labels::default();
        Self {
            tag,
            target,
            stored,
            left_out,
            video,
            audio,
            subtitles,
            labels,
            target_duration,
            transport,
            protection: None,
        }
    }

    /// All that was understood of the files, as octets that can be [read](Self::of_record) instead of them. Nothing when a
    /// track cannot be described so, or when the samples have been [left](Self::leave_to) to a record.
    pub fn record(&self) -> Option<Vec<u8>> {
        let tracks: Vec<_> = self.video.iter().chain(&self.audio).collect();
        record::write(self.tag, self.target, &self.stored, &self.left_out, &tracks)
    }

    /// The title of which `record` was written, if that was made of just these files and cut by that target.
    pub fn of_record(record: &[u8], stored: Vec<Stored>, target: Duration) -> Option<Self> {
        let target = target.max(SHORTEST_TARGET);
        let Told { tag, left_out, tracks } = record::read(record, target, &stored)?;
        let is_video = |it: &Rendition| it.index.track.kind() == TrackKind::Video;
        let (video, audio): (Vec<_>, Vec<_>) = tracks.into_iter().partition(is_video);
        let any = !video.is_empty() || !audio.is_empty();
        any.then(|| Self::of(tag, target, stored, left_out, video, audio))
    }

    /// Keeps no samples in memory any more: `pages` has the title's [record](Self::record), of which so many octets are.
    pub fn leave_to(&mut self, pages: &Arc<dyn Pages>, length: u64) {
        // They are its last octets.
        let mut end = length;
        for it in self.video.iter_mut().chain(&mut self.audio).rev() {
            end = it.leave_to(pages, end);
        }
    }

    /// The same with subtitles; another tag names the whole of it.
    #[must_use]
    pub fn with_subtitles(mut self, tracks: Vec<Track>) -> Self {
        let duration = self.tracks().duration();
        self.subtitles = Subtitles::new(tracks, duration);
        if !self.subtitles.is_empty() {
            let mut hash = Xxh3::new();
            hash.update(&self.tag.0.to_be_bytes());
            self.subtitles.hash(&mut hash);
            self.tag = Tag(hash.digest());
        }
        self
    }

    /// How many segments its longest track has.
    pub fn segments(&self) -> usize {
        self.video.iter().chain(&self.audio).map(Rendition::len).max().unwrap_or(0)
    }

    /// The same, encrypted; another tag names the whole of it.
    ///
    /// # Errors
    /// [`Unplayable`] when there are samples of which nobody knows what may be encrypted.
    pub fn with_protection(mut self, protection: Protection) -> Result<Self, Unplayable> {
        if protection.method.scheme().is_some() {
            for it in &self.video {
                let config = &it.index.track.config;
                if !matches!(config, CodecConfig::Avc(_) | CodecConfig::Hevc(_)) {
                    return Err(Unplayable { file: it.file, reason: Reason::Unencryptable });
                }
            }
        }
        for it in self.video.iter_mut().chain(&mut self.audio) {
            let octets = protection.sample_octets(it.index.track.kind());
            it.rate = it.rate.and((it.samples_per_second() * (octets * 8) as f64).ceil() as u64);
        }
        let mut hash = Xxh3::new();
        hash.update(&self.tag.0.to_be_bytes());
        protection.hash(&mut hash);
        self.tag = Tag(hash.digest());
        self.protection = Some(Box::new(protection));
        Ok(self)
    }

    /// The same with what a set says of its files; another tag names the whole of it.
    #[must_use]
    pub fn with_labels(mut self, labels: Labels) -> Self {
        if !labels.is_empty() {
            let mut hash = Xxh3::new();
            hash.update(&self.tag.0.to_be_bytes());
            labels.hash(&mut hash);
            self.tag = Tag(hash.digest());
        }
        for it in &mut self.audio {
            if let Some(language) = labels.sound(it.file).and_then(|it| it.language.as_ref()) {
                it.index.language = language.tag().to_owned();
            }
        }
        self.labels = labels;
        self
    }

    /// Names its bytes.
    pub const fn tag(&self) -> Tag {
        self.tag
    }

    /// Which bytes it is made of: its files, in their order.
    pub fn stored(&self) -> &[Stored] {
        &self.stored
    }

    /// Tracks that are not played, each with its file and the reason.
    pub fn left_out(&self) -> &[LeftOutReport] {
        &self.left_out
    }

    /// About how many bytes of memory it holds.
    pub fn weight(&self) -> usize {
        let tracks = || self.video.iter().chain(&self.audio);
        // They are laid out when somebody asks; then it is too late to find room for them.
        let laid = tracks().map(Laid::weight);
        let own = size_of::<Self>()
            .saturating_add(self.subtitles.weight())
            .saturating_add(self.left_out.capacity().saturating_mul(size_of::<LeftOutReport>()));
        tracks().map(Rendition::weight).chain(laid).fold(own, usize::saturating_add)
    }

    /// What is in it. `target` is what it was cut by.
    pub fn report(&self, target: Duration) -> Report {
        Report::of(&self.video, &self.audio, &self.left_out, target)
    }

    /// Its multivariant playlist.
    pub fn multivariant(&self) -> String {
        self.tracks().multivariant()
    }

    /// Its MPD.
    pub fn mpd(&self) -> String {
        self.tracks().mpd(TrickMode::Left)
    }

    /// Its MPD, with what players scrub by.
    pub fn trick_mpd(&self) -> String {
        self.tracks().mpd(TrickMode::Offered)
    }

    /// The media playlist of a track; nothing when it has no such track.
    pub fn media_playlist(&self, track: TrackName) -> Option<String> {
        Some(self.tracks().media(track, self.rendition(track)?))
    }

    /// The multivariant playlist of its transport streams.
    ///
    /// # Errors
    /// [`Refused`] when its tracks do not go into any.
    pub fn transport_multivariant(&self) -> Result<String, Refused> {
        let kind = if self.video.is_empty() { TrackKind::Audio } else { TrackKind::Video };
        let count = if self.video.is_empty() { self.audio.len() } else { self.video.len() };
        let mut streams = Vec::new();
        let mut refused = Refused::Nothing;
        for name in (0..count).map(|index| TrackName { kind, index }) {
            match self.laid(name) {
                Some(Ok(laid)) => streams.push((name, laid.rate)),
                Some(Err(it)) => refused = *it,
                None => {}
            }
        }
        if streams.is_empty() {
            return Err(refused);
        }
        let beside = |(index, _): (usize, &Rendition)| {
            let name = TrackName { kind: TrackKind::Audio, index };
            Some((index, self.laid(name)?.as_ref().ok()?.rate))
        };
        let sounds: Vec<_> = self.audio.iter().enumerate().filter_map(beside).collect();
        Ok(self.tracks().transport_multivariant(&streams, &sounds))
    }

    /// The media playlist of a track's transport stream; nothing when it has none.
    pub fn transport_playlist(&self, track: TrackName) -> Option<String> {
        self.laid(track)?.as_ref().ok()?;
        Some(self.tracks().transport(track, self.rendition(track)?))
    }

    /// Segment `n` of a track's transport stream; nothing when there is none.
    pub fn transport_segment(&self, track: TrackName, n: usize) -> Option<MadeSegment> {
        let made = self.laid(track)?.as_ref().ok()?.segment(self.streams(track)?, n)?;
        match &self.protection {
            Some(protection) => protection.seal_transport(track, n, made),
            None => Some(made),
        }
    }

    fn laid(&self, track: TrackName) -> Option<&Result<Laid, Refused>> {
        let streams = self.streams(track)?;
        let at = match track.kind {
            TrackKind::Video => track.index,
            TrackKind::Audio => self.video.len().checked_add(track.index)?,
        };
        let sealed = self.protection.as_ref().is_some_and(|it| it.method.scheme().is_some());
        let samples = if sealed { Samples::Sealed } else { Samples::Clear };
        Some(self.transport.get(at)?.get_or_init(|| Laid::of(streams, samples)))
    }

    /// What is in the transport stream of a track: pictures have the first sound with them that such a stream can have, or
    /// what there is, which then is refused.
    fn streams(&self, track: TrackName) -> Option<transport::Tracks<'_>> {
        let fits = |it: &&Rendition| Program::new(None, Some(&it.index.track.config)).is_ok();
        let sound = self.audio.iter().find(fits).or(self.audio.first());
        let sound = sound.filter(|_| track.kind == TrackKind::Video);
        Some(transport::Tracks { lead: self.rendition(track)?, sound })
    }

    /// The init segment of a track; nothing when it has no such track.
    pub fn init(&self, track: TrackName) -> Option<Bytes> {
        let protection = self.protection.as_ref().and_then(|it| it.track(track.kind));
        Some(self.rendition(track)?.init(protection.as_ref()))
    }

    /// The playlist of a track's key frames; nothing of sound.
    pub fn key_frames_playlist(&self, track: TrackName) -> Option<String> {
        let rendition = self.rendition(track)?;
        (rendition.key_frames.len() > 0).then(|| self.tracks().key_frames(track, rendition))
    }

    /// Key frame `n` of a track; nothing when there is none.
    pub fn key_frame(&self, track: TrackName, n: usize) -> Option<Segment> {
        let rendition = self.rendition(track)?;
        let frames = &rendition.key_frames;
        let Some(protection) = &self.protection else {
            return Some(Segment::Stored(self.clear_key_frame(track, n)?));
        };
        let (fragment, frame) = frames.fragment(rendition, n)?;
        let segment = rendition.segment_at(frames.span(n)?.start);
        let (of, frames) = (KeyOf::KeyFrames, vec![frame]);
        let first = u32::try_from(n).ok()?;
        let clear = Clear { track, of, number: n, segment, fragment, frames, first };
        Some(Segment::Made(protection.seal(rendition, clear, self.tag)?))
    }

    /// Key frame `n` of a track as it is stored, for what is made here of pictures; never for viewers.
    pub fn clear_key_frame(&self, track: TrackName, n: usize) -> Option<TitleSegment> {
        let rendition = self.rendition(track)?;
        Some(TitleSegment { file: rendition.file, body: rendition.key_frames.body(rendition, n)? })
    }

    /// Segment `n` of a track; nothing when there is none.
    pub fn segment(&self, track: TrackName, n: usize) -> Option<Segment> {
        let rendition = self.rendition(track)?;
        let Some(protection) = &self.protection else {
            return Some(Segment::Stored(TitleSegment { file: rendition.file, body: rendition.body(n)? }));
        };
        let (fragment, frames, first) = rendition.fragment(n)?;
        let of = KeyOf::Segments;
        let clear = Clear { track, of, number: n, segment: n, fragment, frames, first };
        Some(Segment::Made(protection.seal(rendition, clear, self.tag)?))
    }

    /// The key that a playlist of a track leads to in a period, for whoever may have it; nothing when there is none.
    pub fn key(&self, track: TrackName, of: KeyOf, period: usize) -> Option<[u8; 16]> {
        self.rendition(track)?;
        self.protection.as_ref()?.key(track, of, period)
    }

    /// The keys of those names, and behind them all others of the title: players that ask for the first period's alone are
    /// not left without in the next. Nothing when it has none of those names, or where licenses are another server's.
    pub fn license(&self, ids: &[KeyId]) -> Vec<(KeyId, [u8; 16])> {
        self.protection.as_ref().map(|it| it.license(ids)).unwrap_or_default()
    }

    /// What is asked of subtitles; nothing when it has none of that number, or no such segment.
    pub fn text(&self, name: TextName, item: TextItem) -> Option<String> {
        self.subtitles.text(name.0, item)
    }

    fn rendition(&self, name: TrackName) -> Option<&Rendition> {
        match name.kind {
            TrackKind::Video => self.video.get(name.index),
            TrackKind::Audio => self.audio.get(name.index),
        }
    }

    fn tracks(&self) -> Tracks<'_> {
        Tracks {
            tag: self.tag,
            video: &self.video,
            audio: &self.audio,
            subtitles: &self.subtitles,
            labels: &self.labels,
            target_duration: self.target_duration,
            protection: self.protection.as_deref(),
        }
    }
}

/// Over everything that changes bytes. The length of a file stands for its media: an encoder that writes other
/// pictures of the very same sizes at the very same places has yet to be seen.
fn tag(headers: &[Header], takes: &[Take], target: Duration) -> Tag {
    let mut hash = Xxh3::new();
    hash.update(&FORMAT.to_be_bytes());
    hash.update(&target.as_nanos().to_be_bytes());
    for header in headers {
        hash.update(&header.stored.length.to_be_bytes());
        for part in [&header.moov].into_iter().chain(&header.fragments) {
            hash.update(&(part.bytes.len() as u64).to_be_bytes());
            hash.update(&part.bytes);
        }
    }
    for (file, take) in takes.iter().enumerate().filter(|it| *it.1 != Take::All) {
        hash.update(&(file as u64).to_be_bytes());
        hash.update(&[*take as u8]);
    }
    Tag(hash.digest())
}

/// The tracks of one file.
struct Indexes {
    video: Option<Indexed>,
    audio: Vec<Indexed>,
    /// Sound beside pictures, which is walked when it is to be heard.
    unheard: Vec<StoredTrack>,
}

impl Indexes {
    /// The first video track that is meant to be seen, and all sound. A track that cannot be played is in the way
    /// only when no other of its kind can.
    fn of(movie: Movie, take: Take, file: usize, left_out: &mut Vec<LeftOutReport>) -> Result<Self, Reason> {
        let no_track = movie.left_out.first().map(|it| Reason::Movie(it.reason));
        let (mut video, mut audio): (Vec<StoredTrack>, Vec<_>) =
            movie.tracks.into_iter().partition(|it| it.track.kind() == TrackKind::Video);
        match take {
            Take::All => {}
            Take::Video if video.is_empty() => return Err(no_track.unwrap_or(Reason::NoVideo)),
            Take::Audio if audio.is_empty() => return Err(no_track.unwrap_or(Reason::NoAudio)),
            Take::Video => audio.clear(),
            Take::Audio => video.clear(),
        }
        for tracks in [&mut video, &mut audio] {
            tracks.sort_by_key(|it| !it.enabled);
        }
        let mut refused = no_track;
        let mut walk = |track: StoredTrack| {
            let offset = track.offset;
            let told = |reason: Reason| {
                left_out.push(LeftOutReport { file, offset, reason: reason.to_string() });
                refused = Some(reason);
            };
            Indexed::walk(track).map_err(told).ok()
        };
        let mut it =
            Self { video: video.into_iter().find_map(&mut walk), audio: Vec::new(), unheard: Vec::new() };
        if it.video.is_some() {
            it.unheard = audio;
        } else {
            it.audio = audio.into_iter().filter_map(&mut walk).collect();
        }
        match (it.video.is_none() && it.audio.is_empty(), refused) {
            (true, reason) => Err(reason.unwrap_or(Reason::NothingShown)),
            (false, _) => Ok(it),
        }
    }

    /// What makes a rendition better than another: its pictures' size.
    fn pixels(&self) -> u64 {
        self.video.as_ref().map_or(0, |it| it.index.pixels())
    }
}

/// Plans all tracks together and cuts each.
fn cut(
    mut files: Vec<Indexes>,
    target: Duration,
    left_out: &mut Vec<LeftOutReport>,
) -> Result<(Vec<Rendition>, Vec<Rendition>), Unplayable> {
    let pictures = files.iter().enumerate().filter(|(_, it)| it.video.is_some());
    let best = pictures.max_by_key(|(_, it)| it.pixels()).map(|(file, _)| file);
    let sound = best.and_then(|_| listen(&mut files, left_out));
    // Where there are no pictures every file is a quality of sound; beside pictures a file of sound alone is a choice.
    let alone: Vec<bool> = files.iter().map(|it| it.video.is_none()).collect();
    let heard = |file: usize| sound == Some(file) || alone.get(file) == Some(&true);

    let reference = best.and_then(|best| files.get(best)?.video.as_ref());
    let tracks = files
        .iter()
        .enumerate()
        .flat_map(|(file, it)| it.video.iter().chain(it.audio.iter().filter(move |_| heard(file))));
    let origin = tracks.map(|it| it.index.at(it.index.shown.start)).min();
    let origin = origin.ok_or(Unplayable { file: 0, reason: Reason::NothingShown })?;
    let mut plan = Plan {
        origin,
        boundaries: Vec::new(),
        tolerance: reference.map_or(Duration::ZERO, |it| it.index.half_a_sample()),
        sliver: plan::sliver(target),
    };
    let pictures_end = reference.map(|it| end_of(&it.index));
    let mut apart = Vec::new();
    if let (Some(best), Some(reference)) = (best, reference) {
        let keys;
        (keys, apart) = common_keys(&files, best, reference, target)?;
        plan.boundaries = plan::at_keys(&keys, end_of(&reference.index), target);
    }

    let (mut video, mut audio) = (Vec::new(), Vec::new());
    for (file, it) in files.into_iter().enumerate() {
        let refused = |reason: Reason| Unplayable { file, reason };
        if let Some(index) = it.video {
            let own = apart.contains(&file).then(|| Plan {
                boundaries: plan::at_keys(&index.keys, end_of(&index.index), target),
                tolerance: index.index.half_a_sample(),
                ..plan.clone()
            });
            video.push(Rendition::cut(index, file, own.as_ref().unwrap_or(&plan)).map_err(refused)?);
        }
        for index in it.audio.into_iter().filter(|_| heard(file)) {
            // Sound without pictures, or after them, is cut on the grid.
            let mut plan = plan.clone();
            let end = end_of(&index.index);
            plan.boundaries.extend(plan::at_grid(pictures_end.unwrap_or(origin), end, target));
            audio.push(Rendition::cut(index, file, &plan).map_err(refused)?);
        }
    }
    Ok((video, audio))
}

/// Walks the sound of the best file whose sound can be played, and tells which that is.
fn listen(files: &mut [Indexes], left_out: &mut Vec<LeftOutReport>) -> Option<usize> {
    loop {
        let any = |it: &Indexes| it.video.is_some() && (!it.audio.is_empty() || !it.unheard.is_empty());
        let audible = files.iter_mut().enumerate().filter(|(_, it)| any(it));
        let (file, it) = audible.max_by_key(|(_, it)| it.pixels())?;
        for track in mem::take(&mut it.unheard) {
            let offset = track.offset;
            match Indexed::walk(track) {
                Ok(track) => it.audio.push(track),
                Err(reason) => left_out.push(LeftOutReport { file, offset, reason: reason.to_string() }),
            }
        }
        if !it.audio.is_empty() {
            return Some(file);
        }
    }
}

/// The first moment that is no longer shown.
fn end_of(index: &Index) -> Timestamp {
    index.at(index.shown.end)
}

/// Those key frames of a ladder's best rendition that the others have too, and the files of those that have too few of
/// them: these are cut at their own. Where a shared one begins is a boundary of its own, be it a little beside the others'.
fn common_keys(
    files: &[Indexes],
    best: usize,
    reference: &Indexed,
    target: Duration,
) -> Result<(Vec<Timestamp>, Vec<usize>), Unplayable> {
    let end = end_of(&reference.index);
    let longest = |keys: &[Timestamp]| plan::longest(&plan::at_keys(keys, end, target), end);
    // Segments of twice the target are what players bear, unless the best rendition has longer ones anyway.
    let most = longest(&reference.keys).max(target.saturating_mul(2));
    let mut keys = reference.keys.clone();
    let mut apart = Vec::new();
    let others = files.iter().enumerate().filter(|(file, _)| *file != best);
    for (file, other) in others.filter_map(|(file, it)| Some((file, it.video.as_ref()?))) {
        let others_end = end_of(&other.index);
        if end.since(others_end).max(others_end.since(end)).to_duration() > LENGTHS {
            let seconds = |it: Timestamp| it.to_duration().as_secs();
            let reason = Reason::OtherLength { seconds: seconds(others_end), expected: seconds(end) };
            return Err(Unplayable { file, reason });
        }
        let first = keys.iter().take(1).copied();
        let later = keys.get(1..).unwrap_or_default();
        let shared = first
            .chain(plan::common(later, &other.keys, reference.index.half_a_sample()))
            .collect::<Vec<_>>();
        let none_left = shared.len() == 1 && !later.is_empty() && other.keys.len() > 1;
        if none_left || longest(&shared) > most {
            apart.push(file);
        } else {
            keys = shared;
        }
    }
    Ok((keys, apart))
}
