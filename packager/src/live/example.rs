//! Made-up publishers for tests: pictures and sounds at chosen times, and a packager they talk to.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::{Answer, Event, Input, Look, Moment, Packager, Record, Resource, Settings, Warning, Window};
use crate::codec::picture::Picture;
use crate::codec::{aac, avc};
use crate::media::{CodecConfig, Sample, Sync, Timescale, Timestamp, TrackKind};

/// 2026-02-03T10:00:00Z.
pub(super) const WALL: u64 = 1_770_112_800;

pub(super) fn ms(it: u64) -> Duration {
    Duration::from_millis(it)
}

pub(super) fn settings() -> Settings {
    Settings {
        segment: ms(2_000),
        part: ms(333),
        window: ms(20_000),
        grace: ms(30_000),
        replace_interval: ms(5_000),
        max_broadcasts: 4,
        ring_bytes: 1 << 20,
        memory: 1 << 30,
    }
}

/// H.264 High 3.1, of which tests read only the codec string and the size.
pub(super) fn video_config() -> CodecConfig {
    sized_video_config(1_280, 720)
}

pub(super) fn sized_video_config(width: u16, height: u16) -> CodecConfig {
    CodecConfig::Avc(avc::Config {
        record: Bytes::from_static(&[1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 1, 0x67, 1, 0, 1, 0x68]),
        picture: Picture::new(width, height),
        frame_rate: None,
    })
}

/// AAC LC, 48 kHz, stereo.
pub(super) fn audio_config() -> CodecConfig {
    CodecConfig::Aac(aac::Config::parse(Bytes::from_static(&[0x11, 0x90])).unwrap())
}

/// A picture at a time in milliseconds.
pub(super) fn picture(at: i64, sync: Sync) -> Input {
    let dts = Timestamp::new(at, Timescale::MILLISECONDS).rescale(Timescale::VIDEO);
    let payload = Bytes::from(format!("picture {at:>8}"));
    Input::Sample(TrackKind::Video, Sample { dts, composition_offset: 0, sync, payload })
}

/// The sound with that number, on a timeline of its own that begins at `origin` milliseconds.
pub(super) fn sound(origin: i64, number: i64) -> Input {
    let rate = Timescale::new(48_000).unwrap();
    let dts = Timestamp::new(origin, Timescale::MILLISECONDS).rescale(rate).plus(number * 1_024);
    let payload = Bytes::from(format!("sound {number:>6}"));
    Input::Sample(TrackKind::Audio, Sample { dts, composition_offset: 0, sync: Sync::Key, payload })
}

/// What an encoder sends: its timeline from `origin` milliseconds on, for `length`, one key frame every `gop`.
#[derive(Clone, Copy)]
pub(super) struct Encoder {
    pub(super) origin: i64,
    pub(super) length: i64,
    pub(super) gop: i64,
    /// Milliseconds between pictures; none at all for zero.
    pub(super) picture: i64,
    pub(super) audio: bool,
}

impl Encoder {
    pub(super) const TYPICAL: Self = Self { origin: 0, length: 10_000, gop: 2_000, picture: 40, audio: true };

    /// Inputs with the time they are said, interleaved as muxers do.
    pub(super) fn samples(self) -> Vec<(i64, Input)> {
        let mut all = Vec::new();
        if self.picture > 0 {
            for at in (0..self.length).step_by(usize::try_from(self.picture).unwrap()) {
                let sync = if at % self.gop == 0 { Sync::Key } else { Sync::Delta };
                all.push((at, picture(self.origin + at, sync)));
            }
        }
        if self.audio {
            all.extend((0..self.length * 48 / 1_024).map(|it| (it * 1_024 / 48, sound(self.origin, it))));
        }
        all.sort_by_key(|it| it.0);
        all
    }
}

/// A packager in simulated time, and what it has shown.
pub(super) struct Studio {
    pub(super) packager: Packager,
    pub(super) start: Instant,
    /// Milliseconds since the studio opened.
    pub(super) clock: i64,
    pub(super) window: Arc<Window>,
    /// Each window with the time it was shown.
    pub(super) windows: Vec<(i64, Arc<Window>)>,
    pub(super) record: Option<Record>,
    pub(super) records: usize,
    pub(super) warnings: Vec<Warning>,
    pub(super) over: bool,
}

impl Studio {
    pub(super) fn open() -> Self {
        Self::reopen(settings(), None, 0)
    }

    /// As after a restart of the server, `clock` milliseconds after the first start.
    pub(super) fn reopen(settings: Settings, record: Option<Record>, clock: i64) -> Self {
        let start = Instant::now();
        let mut it = Self {
            packager: Packager::new(settings, record.clone(), moment(start, clock)),
            start,
            clock,
            window: Arc::default(),
            windows: Vec::new(),
            record,
            records: 0,
            warnings: Vec::new(),
            over: false,
        };
        it.collect();
        it
    }

    pub(super) fn now(&self) -> Moment {
        moment(self.start, self.clock)
    }

    pub(super) fn publish(&mut self) -> &mut Self {
        self.packager.publish(self.now());
        self.collect();
        self
    }

    pub(super) fn unpublish(&mut self) -> &mut Self {
        self.packager.unpublish(self.now());
        self.collect();
        self
    }

    pub(super) fn say(&mut self, input: Input) -> &mut Self {
        self.packager.push(input, self.now());
        self.collect();
        self
    }

    /// Lets time pass, with every deadline in it.
    pub(super) fn wait(&mut self, milliseconds: i64) -> &mut Self {
        let until = self.clock + milliseconds;
        while let Some(deadline) = self.packager.next_deadline(self.now().steady) {
            let at = deadline.saturating_duration_since(self.start).as_nanos().div_ceil(1_000_000);
            let at = i64::try_from(at).unwrap();
            if at > until || self.over {
                break;
            }
            self.clock = at.max(self.clock);
            self.packager.advance(self.now());
            self.collect();
        }
        self.clock = until;
        self
    }

    /// Sends what an encoder sends, each sample at its time.
    pub(super) fn send(&mut self, encoder: Encoder) -> &mut Self {
        let begun = self.clock;
        for (at, input) in encoder.samples() {
            self.wait(begun + at - self.clock);
            self.say(input);
        }
        self.wait(begun + encoder.length - self.clock)
    }

    /// A publisher comes and sends its headers.
    pub(super) fn connect(&mut self, encoder: Encoder) -> &mut Self {
        self.publish();
        if encoder.picture > 0 {
            self.say(Input::Configure(video_config()));
        }
        if encoder.audio {
            self.say(Input::Configure(audio_config()));
        }
        self
    }

    pub(super) fn look(&self, path: &str, query: &str) -> Look {
        self.window.look(Resource::parse(path, Some(query)).unwrap())
    }

    /// The text of a document, or what was said in its place.
    pub(super) fn text(&self, path: &str) -> String {
        match self.look(path, "") {
            Look::Now(Answer::Found { chunks, .. }) => String::from_utf8(chunks.concat()).unwrap(),
            other => format!("{other:?}"),
        }
    }

    /// The octets of a resource that must be there.
    pub(super) fn octets(&self, path: &str) -> Vec<u8> {
        match self.look(path, "") {
            Look::Now(Answer::Found { chunks, .. }) => chunks.concat(),
            other => panic!("{path}: {other:?}"),
        }
    }

    pub(super) fn collect(&mut self) {
        while let Some(event) = self.packager.poll() {
            match event {
                Event::Record(it) => {
                    self.record = Some(it);
                    self.records += 1;
                }
                Event::Window(it) => {
                    self.windows.push((self.clock, Arc::clone(&it)));
                    self.window = it;
                }
                Event::Packed(..) => {}
                Event::Warning(it) => self.warnings.push(it),
                Event::Over => self.over = true,
            }
        }
    }
}

fn moment(start: Instant, clock: i64) -> Moment {
    let clock = Duration::from_millis(u64::try_from(clock).unwrap());
    Moment { steady: start + clock, wall: UNIX_EPOCH + Duration::from_secs(WALL) + clock }
}

/// The lines of a playlist that begin so, without what they begin with.
pub(super) fn lines<'a>(text: &'a str, tag: &'a str) -> Vec<&'a str> {
    text.lines().filter_map(|it| it.strip_prefix(tag)).collect()
}

/// The wall clock of a studio's moment.
pub(super) fn wall(milliseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(WALL) + ms(milliseconds)
}
