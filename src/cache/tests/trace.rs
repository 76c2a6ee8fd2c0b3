//! What viewers ask of an edge for media, drawn from a seed: the same in every run.
//!
//! Three kinds take turns: viewers at the live edge of some channels, viewers who watch titles of a library from the
//! beginning until they have enough, and a crawler who walks through the whole library and never comes back.

/// Of a thousand requests so many are for live segments.
const LIVE: u64 = 350;

/// Of a thousand requests so many are the crawler's.
const CRAWLED: u64 = 100;

/// A channel has a new segment each time so many requests have come.
const SEGMENT_TIME: u32 = 250;

/// How far behind the live edge viewers are, in segments.
const WINDOW: u64 = 6;

const CHANNELS: usize = 8;

/// How many titles the library has.
pub(super) const TITLES: u32 = 400;

/// How many segments a title has.
pub(super) const SEGMENTS: u32 = 25;

/// Viewers of titles at a time.
const SESSIONS: usize = 48;

/// Of a thousand segments so many are the last that a viewer wants of a title.
const LEAVING: u64 = 40;

/// How unevenly titles and channels are liked: the one at place n is asked for with the weight of n to the minus this.
const SKEW: f64 = 1.0;

/// A segment of a live channel or of a title.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Segment {
    Live { channel: u32, number: u32 },
    Title { title: u32, number: u32 },
}

impl Segment {
    pub(super) fn path(self) -> String {
        match self {
            Self::Live { channel, number } => format!("/live/{channel}/{number}.m4s"),
            Self::Title { title, number } => format!("/vod/{title}/{number}.m4s"),
        }
    }

    /// Between 2 and 10 KiB, always the same for the same segment: a thousandth of what segments have.
    pub(super) fn octets(self) -> usize {
        let (kind, of, number) = match self {
            Self::Live { channel, number } => (1, channel, number),
            Self::Title { title, number } => (2, title, number),
        };
        let seed = (kind << 60) | (u64::from(of) << 32) | u64::from(number);
        2048 + usize::try_from(Random(seed).below(8192)).expect("it is below 8192")
    }
}

/// A title and what comes next of it.
#[derive(Clone, Copy)]
struct Session {
    title: u32,
    number: u32,
}

/// Requests without end.
pub(super) struct Trace {
    random: Random,
    titles: Zipf,
    channels: Zipf,
    sessions: Vec<Session>,
    asked: u32,
    crawled: u32,
}

impl Trace {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let titles = Zipf::new(TITLES as usize);
        let sessions = (0..SESSIONS).map(|_| Session {
            title: titles.draw(&mut random),
            number: u32::try_from(random.below(u64::from(SEGMENTS))).expect("it is below SEGMENTS"),
        });
        let sessions = sessions.collect();
        Self { random, titles, channels: Zipf::new(CHANNELS), sessions, asked: 0, crawled: 0 }
    }

    fn live(&mut self) -> Segment {
        let behind = self.random.below(WINDOW).min(self.random.below(WINDOW));
        let edge = 100 + self.asked / SEGMENT_TIME;
        let number = edge - u32::try_from(behind).expect("it is below WINDOW");
        Segment::Live { channel: self.channels.draw(&mut self.random), number }
    }

    fn crawl(&mut self) -> Segment {
        let place = self.crawled % (TITLES * SEGMENTS);
        self.crawled += 1;
        Segment::Title { title: place / SEGMENTS, number: place % SEGMENTS }
    }

    fn watch(&mut self) -> Segment {
        let viewer = usize::try_from(self.random.below(SESSIONS as u64)).expect("it is below SESSIONS");
        let Session { title, number } = self.sessions[viewer];
        let last = number + 1 == SEGMENTS || self.random.below(1000) < LEAVING;
        self.sessions[viewer] = if last {
            Session { title: self.titles.draw(&mut self.random), number: 0 }
        } else {
            Session { title, number: number + 1 }
        };
        Segment::Title { title, number }
    }
}

impl Iterator for Trace {
    type Item = Segment;

    fn next(&mut self) -> Option<Segment> {
        self.asked += 1;
        let kind = self.random.below(1000);
        Some(match kind {
            _ if kind < LIVE => self.live(),
            _ if kind < LIVE + CRAWLED => self.crawl(),
            _ => self.watch(),
        })
    }
}

/// Draws places of a list, the first more often than the last.
struct Zipf(Vec<f64>);

impl Zipf {
    fn new(places: usize) -> Self {
        let weights =
            (1..=u32::try_from(places).expect("lists are short")).map(|it| f64::from(it).powf(-SKEW));
        let sums = weights.scan(0.0, |sum, it| {
            *sum += it;
            Some(*sum)
        });
        Self(sums.collect())
    }

    fn draw(&self, random: &mut Random) -> u32 {
        let all = self.0.last().copied().unwrap_or_default();
        let at = random.part() * all;
        u32::try_from(self.0.partition_point(|&it| it <= at)).expect("lists are short")
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let it = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        it ^ (it >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// At least 0 and less than 1.
    fn part(&mut self) -> f64 {
        let it = u32::try_from(self.next() >> 32).expect("it has 32 bits");
        f64::from(it) / 4_294_967_296.0
    }
}
