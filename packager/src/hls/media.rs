//! The media playlist (RFC 8216bis 4.4.3 to 4.4.5): its head, and the lines a segment is made of.
//!
//! Lines are written one by one, so that a live broadcast renders a segment once and joins what it has, while a
//! stored asset writes all of them in a row.

use std::fmt::{self, Write};
use std::time::{Duration, SystemTime};

use crate::media::date_time;
use crate::protect::KeyId;

/// What stands above the first segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// In seconds: no segment's duration rounds to more.
    pub target_duration: u32,
    /// The number of the first segment listed.
    pub media_sequence: u64,
    /// How many discontinuities lie before the first segment listed.
    pub discontinuity_sequence: u64,
    /// What kind of playlist it is.
    pub kind: Kind,
}

/// What kind of playlist it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// All segments of a stored asset. Where they are independent, decoding may begin at each.
    Vod(Independence),
    /// Key frames of a stored asset, each alone and shown until the next.
    KeyFrames,
    /// A sliding window with parts and blocking reloads.
    LowLatency {
        /// No part is longer.
        part_target: Duration,
    },
}

/// Whether decoding may begin at a part or segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Independence {
    /// It begins with a key frame.
    Independent,
    /// It needs what is before it.
    Dependent,
}

/// The attributes of `EXT-X-KEY` and `EXT-X-SESSION-KEY` (RFC 8216bis 4.4.4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// `AES-128`, `SAMPLE-AES` or `SAMPLE-AES-CTR`.
    pub method: &'static str,
    /// Where the key is, or what leads to it.
    pub uri: String,
    /// The vector, where it is not the number of the segment.
    pub iv: Option<[u8; 16]>,
    /// The name of the key, for systems that want it.
    pub id: Option<KeyId>,
    /// How the key is had; none: it is what is at the URI.
    pub format: Option<String>,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // URIs are written by us, or were checked to have no quotes.
        write!(f, "METHOD={},URI=\"{}\"", self.method, self.uri)?;
        if let Some(iv) = self.iv {
            write!(f, ",IV=0x{:032x}", u128::from_be_bytes(iv))?;
        }
        if let Some(id) = self.id {
            write!(f, ",KEYID=0x{}", id.hex())?;
        }
        match &self.format {
            Some(format) => write!(f, ",KEYFORMAT=\"{format}\",KEYFORMATVERSIONS=\"1\""),
            None => Ok(()),
        }
    }
}

/// Lines of a media playlist, in the order they are asked for.
///
/// ```text
/// head ─▶ ( discontinuity? map? key* program_date_time? part* segment )* ─▶ part* ─▶ preload_hint | end
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines(String);

impl Lines {
    /// None yet.
    pub const fn new() -> Self {
        Self(String::new())
    }

    /// None yet, with room for `bytes`.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// What stands above the first segment.
    pub fn head(&mut self, head: &Head) {
        // 6 is what EXT-X-MAP outside I-frame playlists needs; nothing here needs more.
        self.line(format_args!("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:{}", head.target_duration));
        match head.kind {
            Kind::Vod(independence) => {
                self.line(format_args!("#EXT-X-PLAYLIST-TYPE:VOD"));
                if independence == Independence::Independent {
                    self.line(format_args!("#EXT-X-INDEPENDENT-SEGMENTS"));
                }
            }
            Kind::KeyFrames => self.line(format_args!("#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-I-FRAMES-ONLY")),
            Kind::LowLatency { part_target } => {
                let hold_back = Seconds(Duration::from_secs(u64::from(head.target_duration) * 3));
                let part_hold_back = Seconds(part_target * 3);
                self.line(format_args!(
                    "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={part_hold_back},HOLD-BACK={hold_back}\n\
                     #EXT-X-PART-INF:PART-TARGET={}",
                    Seconds(part_target)
                ));
            }
        }
        self.line(format_args!("#EXT-X-MEDIA-SEQUENCE:{}", head.media_sequence));
        if matches!(head.kind, Kind::LowLatency { .. }) {
            self.line(format_args!("#EXT-X-DISCONTINUITY-SEQUENCE:{}", head.discontinuity_sequence));
        }
    }

    /// What follows has another timeline or other configurations than what came before.
    pub fn discontinuity(&mut self) {
        self.line(format_args!("#EXT-X-DISCONTINUITY"));
    }

    /// What follows is decoded with the init segment at `uri`.
    pub fn map(&mut self, uri: impl fmt::Display) {
        self.line(format_args!("#EXT-X-MAP:URI=\"{uri}\""));
    }

    /// What follows is encrypted so.
    pub fn key(&mut self, key: &Key) {
        self.line(format_args!("#EXT-X-KEY:{key}"));
    }

    /// The wall clock at the first moment of the next segment.
    pub fn program_date_time(&mut self, at: SystemTime) {
        self.line(format_args!("#EXT-X-PROGRAM-DATE-TIME:{}", date_time(at)));
    }

    /// A part of the segment whose line follows the parts.
    pub fn part(&mut self, duration: Duration, uri: impl fmt::Display, independence: Independence) {
        let independent = if independence == Independence::Independent { ",INDEPENDENT=YES" } else { "" };
        self.line(format_args!("#EXT-X-PART:DURATION={},URI=\"{uri}\"{independent}", Seconds(duration)));
    }

    /// A part of that segment for which there is no media; players do not ask for its URI.
    pub fn part_gap(&mut self, duration: Duration, uri: impl fmt::Display) {
        self.line(format_args!("#EXT-X-PART:DURATION={},URI=\"{uri}\",GAP=YES", Seconds(duration)));
    }

    /// A segment.
    pub fn segment(&mut self, duration: Duration, uri: impl fmt::Display) {
        // A film has thousands of these, which formatting would make three times as dear.
        self.0.push_str("#EXTINF:");
        Seconds(duration).push_to(&mut self.0);
        self.0.push_str(",\n");
        self.line(format_args!("{uri}"));
    }

    /// A stretch of time for which there is no media; players do not ask for its URI.
    pub fn gap(&mut self, duration: Duration, uri: impl fmt::Display) {
        self.line(format_args!("#EXT-X-GAP"));
        self.segment(duration, uri);
    }

    /// The name that the next part will have.
    pub fn preload_hint(&mut self, uri: impl fmt::Display) {
        self.line(format_args!("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{uri}\""));
    }

    /// Nothing will change any more.
    pub fn end(&mut self) {
        self.line(format_args!("#EXT-X-ENDLIST"));
    }

    /// Lines that were written before.
    pub fn append(&mut self, written: &str) {
        self.0.push_str(written);
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text itself.
    pub fn into_string(self) -> String {
        self.0
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a String takes all that is written to it");
    }
}

/// Seconds with five decimals at most and no trailing zeros: finer than a tick of any timescale in use, so sums stay
/// within a frame over a day.
#[derive(Clone, Copy)]
struct Seconds(Duration);

impl Seconds {
    fn push_to(self, text: &mut String) {
        let units = u64::from(self.0.subsec_nanos() + 5_000) / 10_000;
        let (whole, mut fraction) = (self.0.as_secs().saturating_add(units / 100_000), units % 100_000);
        push_number(text, whole);
        text.push('.');
        for place in [10_000, 1_000, 100, 10, 1] {
            // A digit is below ten.
            text.push(char::from(b'0' + (fraction / place) as u8));
            fraction %= place;
            if fraction == 0 {
                break;
            }
        }
    }
}

fn push_number(text: &mut String, mut number: u64) {
    let (mut digits, mut first) = ([b'0'; 20], 20);
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        (*digit, first) = (b'0' + (number % 10) as u8, at);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    text.extend(digits.iter().skip(first).map(|it| char::from(*it)));
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(16);
        self.push_to(&mut text);
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(it: u64) -> Duration {
        Duration::from_millis(it)
    }

    #[test]
    fn a_low_latency_playlist_is_written_line_by_line() {
        let mut lines = Lines::new();
        lines.head(&Head {
            target_duration: 4,
            media_sequence: 268,
            discontinuity_sequence: 1,
            kind: Kind::LowLatency { part_target: ms(500) },
        });
        lines.discontinuity();
        lines.map("5.mp4");
        lines.program_date_time(SystemTime::UNIX_EPOCH + ms(1_770_112_800_000));
        lines.part(ms(500), "5-268.0.m4s", Independence::Independent);
        lines.part(ms(433), "5-268.1.m4s", Independence::Dependent);
        lines.segment(ms(4_000), "5-268.m4s");
        lines.part_gap(ms(500), "5-269.0.m4s");
        lines.gap(ms(2_000), "5-269.m4s");
        lines.preload_hint("5-270.0.m4s");
        assert_eq!(
            lines.as_str(),
            "#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:4
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5,HOLD-BACK=12.0
#EXT-X-PART-INF:PART-TARGET=0.5
#EXT-X-MEDIA-SEQUENCE:268
#EXT-X-DISCONTINUITY-SEQUENCE:1
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI=\"5.mp4\"
#EXT-X-PROGRAM-DATE-TIME:2026-02-03T10:00:00.000Z
#EXT-X-PART:DURATION=0.5,URI=\"5-268.0.m4s\",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.433,URI=\"5-268.1.m4s\"
#EXTINF:4.0,
5-268.m4s
#EXT-X-PART:DURATION=0.5,URI=\"5-269.0.m4s\",GAP=YES
#EXT-X-GAP
#EXTINF:2.0,
5-269.m4s
#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"5-270.0.m4s\"
"
        );
    }

    #[test]
    fn seconds_have_the_decimals_they_need_and_one_at_least() {
        let shown = |nanos| Seconds(Duration::from_nanos(nanos)).to_string();
        assert_eq!([0, 4_999, 5_000, 100_000_000].map(shown), ["0.0", "0.0", "0.00001", "0.1"]);
        assert_eq!([6_006_000_000, 1_234_567_890_123].map(shown), ["6.006", "1234.56789"]);
        assert_eq!(shown(5_999_995_000), "6.0");
        let longest = Seconds(Duration::MAX).to_string();
        assert_eq!(longest, format!("{}.0", u64::MAX));
    }

    #[test]
    fn an_independent_reader_reads_a_stored_playlist() {
        let mut lines = Lines::new();
        lines.head(&Head {
            target_duration: 6,
            media_sequence: 1,
            discontinuity_sequence: 0,
            kind: Kind::Vod(Independence::Independent),
        });
        lines.map("init.mp4");
        lines.segment(Duration::from_nanos(5_999_999_999), "1.m4s");
        lines.segment(Duration::from_nanos(33_366_667), "2.m4s");
        lines.end();
        let read = m3u8_rs::parse_media_playlist_res(lines.as_str().as_bytes()).unwrap();
        assert_eq!((read.target_duration, read.media_sequence, read.end_list), (6, 1, true));
        assert_eq!(read.segments.iter().map(|it| it.duration).collect::<Vec<_>>(), [6.0, 0.033_37]);
        assert_eq!(read.segments[0].map.as_ref().unwrap().uri, "init.mp4");
    }
}
