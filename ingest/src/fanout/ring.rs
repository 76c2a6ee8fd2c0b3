//! The newest messages of a broadcast, and where each player is among them.
//!
//! ```text
//!   oldest ─────────────── entry ──────── newest
//!     │                      │              └ players that keep up wait here
//!     │                      └ where a player begins, and where one that fell behind `oldest` goes on
//!     └ no older than LAG, unless it is needed to begin; no more bytes than the bound
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use packager::media::TrackKind;

use super::message::{Message, Setup};

/// How far behind the newest message a player may be before it goes on at a later key frame. Longer than the stalls
/// of a usual network, shorter than viewers of a live event would wish to be behind.
const LAG_MS: i64 = 10_000;

/// The newest messages of one broadcast.
#[derive(Debug)]
pub(crate) struct Ring {
    messages: VecDeque<Arc<Message>>,
    /// The number of the oldest message.
    first: u64,
    /// The number of the newest message that a player may begin with.
    entry: Option<u64>,
    weight: usize,
    bound: usize,
}

/// Where one player is.
#[derive(Debug)]
pub(crate) struct Cursor {
    /// The number of the next message.
    next: u64,
    /// Whether a key frame was sent since the player began or fell behind.
    video: bool,
    setup: Option<Arc<Setup>>,
    /// Messages missed since the last one it got.
    skipped: u64,
}

/// What a player is to be sent next.
#[derive(Debug)]
pub(crate) struct Next {
    pub(crate) message: Arc<Message>,
    /// What it must be told before, where that is new to it.
    pub(crate) setup: Option<Arc<Setup>>,
    /// Messages it missed before this one because it was slow.
    pub(crate) skipped: u64,
}

/// Which tracks a player wants now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) audio: bool,
    pub(crate) video: bool,
}

impl Ring {
    /// A ring that holds at most about so many bytes.
    pub(crate) fn new(bound: usize) -> Self {
        Self { messages: VecDeque::new(), first: 0, entry: None, weight: 0, bound }
    }

    pub(crate) fn push(&mut self, message: Message) {
        if message.entry {
            self.entry = Some(self.end());
        }
        let newest = message.at;
        self.weight += message.weight();
        self.messages.push_back(Arc::new(message));
        while let Some(oldest) = self.messages.front() {
            let late = newest - oldest.at > LAG_MS && self.entry.is_none_or(|entry| entry > self.first);
            if !late && self.weight <= self.bound {
                break;
            }
            self.weight -= oldest.weight();
            self.messages.pop_front();
            self.first += 1;
        }
    }

    /// What the messages hold in memory.
    pub(crate) const fn weight(&self) -> u64 {
        self.weight as u64
    }

    /// The number that the next message will have.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.messages.len() as u64
    }

    /// Where a player that comes now begins: at the newest key frame, without one at the newest message.
    pub(crate) fn begin(&self) -> Cursor {
        Cursor { next: self.resume(), video: false, setup: None, skipped: 0 }
    }

    /// The next message for a player, if there is one.
    pub(crate) fn next(&self, cursor: &mut Cursor, wanted: Wanted) -> Option<Next> {
        if cursor.next < self.first {
            let resume = self.resume();
            cursor.skipped += resume - cursor.next;
            (cursor.next, cursor.video) = (resume, false);
        }
        loop {
            let message = self.messages.get(usize::try_from(cursor.next - self.first).ok()?)?;
            cursor.next += 1;
            if !cursor.takes(message, wanted) {
                continue;
            }
            let known = cursor.setup.as_ref().is_some_and(|it| Arc::ptr_eq(it, &message.setup));
            let setup = (!known).then(|| Arc::clone(&message.setup));
            cursor.setup = Some(Arc::clone(&message.setup));
            return Some(Next {
                message: Arc::clone(message),
                setup,
                skipped: std::mem::take(&mut cursor.skipped),
            });
        }
    }

    fn resume(&self) -> u64 {
        self.entry.filter(|&it| it >= self.first).unwrap_or_else(|| self.end())
    }
}

impl Cursor {
    /// Whether the player gets it: not the pictures before a key frame, and not what it does not want.
    fn takes(&mut self, message: &Message, wanted: Wanted) -> bool {
        match message.kind {
            TrackKind::Audio => wanted.audio,
            TrackKind::Video => {
                self.video = wanted.video && (self.video || message.entry);
                self.video
            }
        }
    }

    /// The number of the message the player waits for.
    pub(crate) const fn position(&self) -> u64 {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use packager::codec::aac;
    use packager::live::Item;
    use packager::media::{CodecConfig, Sample, Sync, Timescale, Timestamp};

    use super::super::message::Renderer;
    use super::*;

    const BOTH: Wanted = Wanted { audio: true, video: true };

    fn item(kind: char, ms: i64) -> Item {
        let sample = |sync| Sample {
            dts: Timestamp::new(ms, Timescale::MILLISECONDS),
            composition_offset: 0,
            sync,
            payload: Bytes::from_static(&[0; 744]),
        };
        match kind {
            'K' => Item::Sample(TrackKind::Video, sample(Sync::Key)),
            'p' => Item::Sample(TrackKind::Video, sample(Sync::Delta)),
            'a' => Item::Sample(TrackKind::Audio, sample(Sync::Key)),
            'c' => Item::Configure(CodecConfig::Aac(
                aac::Config::parse(Bytes::from(vec![0x11, ms as u8])).unwrap(),
            )),
            '|' => Item::Discontinuity,
            other => unreachable!("{other} is no item"),
        }
    }

    struct Stage {
        renderer: Renderer,
        ring: Ring,
    }

    impl Stage {
        fn new(bound: usize) -> Self {
            Self { renderer: Renderer::default(), ring: Ring::new(bound) }
        }

        /// `K0 p40 a42`: key frame, picture, audio at milliseconds; `c144` a configuration; `|` a broken line.
        fn push(&mut self, script: &str) {
            for word in script.split_whitespace() {
                let (kind, ms) = word.split_at(1);
                let item = item(kind.chars().next().unwrap(), ms.parse().unwrap_or(0));
                if let Some(message) = self.renderer.render(item) {
                    self.ring.push(message);
                }
            }
        }

        /// What a player gets: as pushed, `+` where it is set up before, `-n` where it missed n.
        fn read(&self, cursor: &mut Cursor, wanted: Wanted) -> String {
            let next = || self.ring.next(cursor, wanted);
            let word = |it: Next| {
                let kind = match (it.message.kind, it.message.entry) {
                    (TrackKind::Video, true) => 'K',
                    (TrackKind::Video, false) => 'p',
                    (TrackKind::Audio, _) => 'a',
                };
                let setup = if it.setup.is_some() { "+" } else { "" };
                let skipped = if it.skipped > 0 { format!("-{} ", it.skipped) } else { String::new() };
                format!("{skipped}{setup}{kind}{}", it.message.at)
            };
            std::iter::from_fn(next).map(word).collect::<Vec<_>>().join(" ")
        }
    }

    #[test]
    fn a_player_begins_at_the_newest_key_frame_and_goes_on() {
        let mut stage = Stage::new(1 << 20);
        stage.push("K0 a1 p40 K2000 a2001 p2040");
        let mut cursor = stage.ring.begin();
        assert_eq!(stage.read(&mut cursor, BOTH), "+K2000 a2001 p2040");
        stage.push("a2022 p2080");
        assert_eq!(stage.read(&mut cursor, BOTH), "a2022 p2080");
    }

    #[test]
    fn without_a_key_frame_a_player_hears_and_does_not_see() {
        let mut stage = Stage::new(1 << 20);
        let mut cursor = stage.ring.begin();
        stage.push("a0 p0 a21 K40 p80");
        assert_eq!(stage.read(&mut cursor, BOTH), "+a0 a21 K40 p80");
    }

    #[test]
    fn a_slow_player_goes_on_at_the_newest_key_frame_and_knows_what_it_missed() {
        let mut stage = Stage::new(1 << 20);
        stage.push("K0");
        let mut cursor = stage.ring.begin();
        assert_eq!(stage.read(&mut cursor, BOTH), "+K0");
        stage.push("p40 a41 K5000 p5040 K11000 p11040 K15100 p15140");
        assert_eq!(stage.read(&mut cursor, BOTH), "-6 K15100 p15140");
    }

    #[test]
    fn what_is_needed_to_begin_is_kept_however_old() {
        let mut stage = Stage::new(1 << 20);
        stage.push("K0 p5000 p11000 p20000");
        assert_eq!(stage.read(&mut stage.ring.begin(), BOTH), "+K0 p5000 p11000 p20000");
    }

    #[test]
    fn the_bound_in_bytes_holds_even_where_no_key_frame_comes() {
        let mut stage = Stage::new(3_000);
        stage.push("K0 p40 p80");
        let mut cursor = stage.ring.begin();
        assert_eq!(stage.read(&mut cursor, BOTH), "+K0 p40 p80");
        stage.push("p120 p160 p200 p240 p280 K320 p360");
        assert_eq!(stage.ring.messages.len(), 3);
        assert_eq!(stage.read(&mut cursor, BOTH), "-5 K320 p360");
    }

    #[test]
    fn a_player_is_set_up_again_when_that_changes_and_only_then() {
        let mut stage = Stage::new(1 << 20);
        stage.push("c144 K0 a0 c144 p40 c136 a42");
        assert_eq!(stage.read(&mut stage.ring.begin(), BOTH), "+K0 a0 p40 +a42");
    }

    #[test]
    fn what_players_are_told_before_counts_for_what_it_holds() {
        let mut stage = Stage::new(20_000);
        for index in 0..100_u8 {
            let metadata = packager::live::Metadata { raw: vec![index; 5_000].into(), ..Default::default() };
            stage.renderer.render(Item::Metadata(metadata));
            stage.push("a0 a0");
        }
        assert_eq!(stage.ring.messages.len(), 5);
    }

    #[test]
    fn players_count_from_the_beginning_and_no_time_lies_before_it() {
        let mut stage = Stage::new(1 << 20);
        stage.push("K10000 a9980 a10001 p10040");
        assert_eq!(stage.read(&mut stage.ring.begin(), BOTH), "+K0 a0 a1 p40");
    }

    #[test]
    fn a_broken_line_goes_on_for_players() {
        let mut stage = Stage::new(1 << 20);
        stage.push("K90000 a90010 | K0 a5 p40");
        let mut cursor = stage.ring.begin();
        assert_eq!(stage.read(&mut cursor, BOTH), "+K50 a55 p90");
    }

    #[test]
    fn what_a_player_does_not_want_is_left_out_and_pictures_resume_at_a_key_frame() {
        let mut stage = Stage::new(1 << 20);
        stage.push("K0 a0");
        let mut cursor = stage.ring.begin();
        assert_eq!(stage.read(&mut cursor, Wanted { audio: false, video: true }), "+K0");
        stage.push("p40");
        assert_eq!(stage.read(&mut cursor, Wanted { audio: true, video: false }), "");
        stage.push("p80 a85 K120");
        assert_eq!(stage.read(&mut cursor, BOTH), "a85 K120");
    }
}
