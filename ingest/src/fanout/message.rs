//! From what a broadcast says to messages on the wire, each rendered once for all players.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use packager::flv;
use packager::live::Item;
use packager::media::{Sample, Sync, Timescale, TrackKind};

use crate::rtmp::message::{self, CHUNK_SIZE, Kind, MessageHeader};

/// The message stream that nearly every player plays on: the first it was given.
const COMMON_STREAM: u32 = 1;

/// How far behind the last message of the old timeline a new one goes on. About one picture.
const STEP_MS: i64 = 40;

/// One audio or video message, ready for the socket.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) kind: TrackKind,
    /// Whether a player may begin with it.
    pub(crate) entry: bool,
    /// Milliseconds, on the line that all players of the broadcast share.
    pub(crate) at: i64,
    /// What a player must have been told before.
    pub(crate) setup: Arc<Setup>,
    body: [Bytes; 2],
    rendered: Vec<Bytes>,
    weight: usize,
}

impl Message {
    fn new(kind: TrackKind, at: i64, sample: &Sample, setup: Arc<Setup>, setup_weight: usize) -> Self {
        let body = flv::sample(kind, sample);
        let rendered = render(kind_of(kind), at, COMMON_STREAM, &body);
        let entry = kind == TrackKind::Video && sample.sync == Sync::Key;
        let weight = body[1].len() + 256 + setup_weight;
        Self { kind, entry, at, setup, body, rendered, weight }
    }

    /// The bytes for a player on this message stream.
    pub(crate) fn pieces(&self, stream: u32) -> Cow<'_, [Bytes]> {
        if stream == COMMON_STREAM {
            Cow::Borrowed(&self.rendered)
        } else {
            Cow::Owned(render(kind_of(self.kind), self.at, stream, &self.body))
        }
    }

    /// What it holds in memory, more or less. A setup weighs with the first message that has it.
    pub(crate) const fn weight(&self) -> usize {
        self.weight
    }
}

/// What a player is told before its first message, and again when it changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    metadata: Option<Bytes>,
    video: Option<[Bytes; 2]>,
    audio: Option<[Bytes; 2]>,
}

impl Setup {
    fn weight(&self) -> usize {
        let bodies = self.video.iter().chain(&self.audio).flatten();
        bodies.chain(&self.metadata).map(Bytes::len).sum()
    }

    /// The messages, at the time of the one that follows. Metadata has none: at any but 0, ffmpeg takes it for text.
    pub(crate) fn pieces(&self, at: i64, stream: u32) -> impl Iterator<Item = Bytes> {
        let metadata =
            self.metadata.iter().flat_map(move |it| render(Kind::Data, 0, stream, std::slice::from_ref(it)));
        let video = self.video.iter().flat_map(move |it| render(Kind::Video, at, stream, it));
        let audio = self.audio.iter().flat_map(move |it| render(Kind::Audio, at, stream, it));
        metadata.chain(video).chain(audio)
    }
}

/// Renders what one broadcast says, on one timeline whatever its publishers do.
#[derive(Debug, Default)]
pub(crate) struct Renderer {
    setup: Arc<Setup>,
    /// Whether a message has it already.
    said: bool,
    /// What is added to the time of samples.
    offset: i64,
    last: Option<i64>,
    broken: bool,
}

impl Renderer {
    /// The message that an item becomes, if it becomes one by itself.
    pub(crate) fn render(&mut self, item: Item) -> Option<Message> {
        match item {
            Item::Metadata(it) => {
                let metadata = Some(it.raw).filter(|it| !it.is_empty());
                self.set_up(|setup| &mut setup.metadata, metadata);
            }
            Item::Configure(config) => {
                let body = flv::configuration(&config);
                match config.kind() {
                    TrackKind::Video => self.set_up(|setup| &mut setup.video, body),
                    TrackKind::Audio => self.set_up(|setup| &mut setup.audio, body),
                }
            }
            Item::Discontinuity | Item::Came => self.broken = true,
            Item::Gone => {}
            Item::Sample(kind, sample) => {
                let at = self.place(&sample);
                let setup_weight =
                    if std::mem::replace(&mut self.said, true) { 0 } else { self.setup.weight() };
                return Some(Message::new(kind, at, &sample, Arc::clone(&self.setup), setup_weight));
            }
        }
        None
    }

    /// Players are told again only what differs: they know by the pointer.
    fn set_up<T: PartialEq>(&mut self, field: fn(&mut Setup) -> &mut T, value: T) {
        let mut setup = Setup::clone(&self.setup);
        if *field(&mut setup) != value {
            *field(&mut setup) = value;
            self.setup = Arc::new(setup);
            self.said = false;
        }
    }

    fn place(&mut self, sample: &Sample) -> i64 {
        let told = sample.dts.rescale(Timescale::MILLISECONDS).ticks();
        match (std::mem::take(&mut self.broken), self.last) {
            // Players count from the beginning: some show nothing until a clock of theirs has come to the first time.
            (_, None) => self.offset = -told,
            (true, Some(last)) => self.offset = last + STEP_MS - told,
            (false, Some(_)) => {}
        }
        // The wire knows no time before zero, where the other track may begin.
        let at = (told + self.offset).max(0);
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
        at
    }
}

fn kind_of(kind: TrackKind) -> Kind {
    match kind {
        TrackKind::Video => Kind::Video,
        TrackKind::Audio => Kind::Audio,
    }
}

fn render(kind: Kind, at: i64, stream: u32, body: &[Bytes]) -> Vec<Bytes> {
    // The wire counts 32 bits of milliseconds and wraps.
    let header = MessageHeader { kind, timestamp: at as u32, stream };
    // What no message can carry is left out; it cannot have come in one.
    message::render(header, body, CHUNK_SIZE).unwrap_or_default()
}
