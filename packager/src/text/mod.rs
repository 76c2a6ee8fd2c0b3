//! Subtitles: stored files in, WebVTT for players out.
//!
//! ```text
//! bytes ─▶ encoding ─▶ webvtt | subrip ─▶ Subtitles ─▶ segments (HLS), one whole file (DASH)
//! ```
//! A cue is written down once, when its file is read. Every segment it touches repeats those very bytes: players tell
//! by them that the cue is the one they show already.

mod encoding;
mod language;
mod name;
mod stamp;
mod subrip;
mod track;
mod webvtt;

use std::ops::Range;
use std::time::Duration;

pub use language::Language;
pub use name::beside;
pub(crate) use track::unique;
pub use track::{About, Purpose, Track};

/// No longer file of subtitles is read, nor is a longer text made of one.
pub const MAX_FILE: u64 = 16 * 1024 * 1024;

/// A film has some two thousand; ten days of talk have fewer than this.
const MAX_CUES: usize = 100_000;

/// Many screens full. What is longer is no cue but a mark that was forgotten.
const MAX_BLOCK: usize = 16 * 1024;

/// Why a file holds no subtitles.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// More than is read.
    #[error("it has more than {MAX_FILE} bytes")]
    TooLong,
    /// A file that is named WebVTT and is none.
    #[error("it does not begin with WEBVTT")]
    NoSignature,
    /// A file that is named SubRip and has text, but no line of times.
    #[error("no line in it says from when to when a text is shown")]
    NoTimes,
    /// More cues than the bound.
    #[error("it has more than {MAX_CUES} cues")]
    TooManyCues,
    /// A cue, or styles, longer than the bound.
    #[error("a cue, or its styles together, have more than {MAX_BLOCK} bytes")]
    LongBlock,
}

/// What a file of subtitles is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `.vtt`
    WebVtt,
    /// `.srt`
    SubRip,
}

impl Format {
    /// By the end of a file's name, and the name without it; nothing for names of other files.
    pub fn split(name: &str) -> Option<(&str, Self)> {
        let (stem, end) = name.rsplit_once('.')?;
        let is = |it: &str| end.eq_ignore_ascii_case(it);
        let format = if is("vtt") {
            Self::WebVtt
        } else if is("srt") {
            Self::SubRip
        } else {
            return None;
        };
        Some((stem, format))
    }
}

/// The subtitles of a film in one language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subtitles {
    /// `STYLE` and `REGION` blocks, each with the empty line behind it.
    styles: String,
    /// In order of their beginnings.
    cues: Vec<Cue>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Cue {
    /// Milliseconds from the beginning of the film.
    shown: Range<u64>,
    /// As it is sent, with the empty line behind it.
    block: Box<str>,
}

impl Subtitles {
    /// Reads a file.
    ///
    /// # Errors
    /// [`TextError`] when it is none, or beyond the bounds. A single cue that says nothing sensible is left out.
    pub fn parse(bytes: &[u8], format: Format) -> Result<Self, TextError> {
        let too_long = |length: usize| length as u64 > MAX_FILE;
        if too_long(bytes.len()) {
            return Err(TextError::TooLong);
        }
        let text = encoding::decoded(bytes);
        if too_long(text.len()) {
            return Err(TextError::TooLong);
        }
        let mut it = match format {
            Format::WebVtt => webvtt::parse(&text)?,
            Format::SubRip => subrip::parse(&text)?,
        };
        // Also where they stand in another order: cues that begin together keep theirs.
        it.cues.sort_by_key(|cue| cue.shown.start);
        it.cues.shrink_to_fit();
        Ok(it)
    }

    /// How many cues there are.
    pub const fn len(&self) -> usize {
        self.cues.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.cues.is_empty()
    }

    /// About how many bytes of memory it holds.
    pub fn weight(&self) -> usize {
        let cues = self.cues.capacity().saturating_mul(size_of::<Cue>());
        self.cues
            .iter()
            .map(|it| it.block.len())
            .fold(cues.saturating_add(self.styles.len()), usize::saturating_add)
    }

    /// All of it, as one file.
    pub fn whole(&self) -> String {
        let mut out = format!("WEBVTT\n\n{}", self.styles);
        out.extend(self.cues.iter().map(|it| &*it.block));
        out
    }

    /// The segment of an HLS playlist that plays in `window`, beside fragments whose media times begin with the film:
    /// every cue that is shown in it, with the times it has, whole.
    pub fn segment(&self, window: Range<Duration>) -> String {
        let mut out = String::from(SEGMENT_HEAD);
        for (n, cue) in self.touching(&window).enumerate() {
            if n == 0 {
                out.push_str(&self.styles);
            }
            out.push_str(&cue.block);
        }
        out
    }

    fn touching(&self, window: &Range<Duration>) -> impl Iterator<Item = &Cue> {
        let milliseconds = |it: Duration| u64::try_from(it.as_millis()).unwrap_or(u64::MAX);
        // A window that ends within a millisecond has a part of it.
        let start = milliseconds(window.start);
        let end = milliseconds(window.end + Duration::from_nanos(999_999));
        let begun = self.cues.partition_point(|it| it.shown.start < end);
        self.cues.iter().take(begun).filter(move |it| it.shown.end > start)
    }

    /// The octets of each of `count` segments of `every`, without writing them: each cue adds to those it touches.
    pub fn lengths(&self, every: Duration, count: usize) -> Vec<u64> {
        let every = every.as_millis().max(1);
        let place = |at: u64| usize::try_from(u128::from(at) / every).unwrap_or(usize::MAX).min(count);
        let mut steps = vec![(0_i64, 0_i64); count.saturating_add(1)];
        for cue in &self.cues {
            let (first, behind) =
                (place(cue.shown.start), place(cue.shown.end.saturating_sub(1)).saturating_add(1));
            for (at, sign) in [(first, 1), (behind, -1)] {
                if let Some(step) = steps.get_mut(at) {
                    *step = (step.0 + sign, step.1 + sign * cue.block.len() as i64);
                }
            }
        }
        let mut sum = (0, 0);
        let length = |step: &(i64, i64)| {
            sum = (sum.0 + step.0, sum.1 + step.1);
            let styles = if sum.0 > 0 { self.styles.len() } else { 0 };
            (SEGMENT_HEAD.len() + styles) as u64 + u64::try_from(sum.1).unwrap_or(0)
        };
        steps.iter().take(count).map(length).collect()
    }

    /// Adds a `STYLE` or `REGION` block.
    fn push_styles(&mut self, block: &str) -> Result<(), TextError> {
        if self.styles.len().saturating_add(block.len()) > MAX_BLOCK {
            return Err(TextError::LongBlock);
        }
        self.styles.push_str(block);
        self.styles.push_str("\n\n");
        Ok(())
    }

    /// Writes a cue down. One that is never shown, or shows nothing, is left out.
    fn push(&mut self, id: &str, shown: Range<u64>, settings: &str, text: &str) -> Result<(), TextError> {
        if shown.is_empty() || text.is_empty() {
            return Ok(());
        }
        if self.cues.len() >= MAX_CUES {
            return Err(TextError::TooManyCues);
        }
        if id.len().saturating_add(settings.len()).saturating_add(text.len()) > MAX_BLOCK {
            return Err(TextError::LongBlock);
        }
        let (first, gap) =
            (if id.is_empty() { "" } else { "\n" }, if settings.is_empty() { "" } else { " " });
        let (start, end) = (stamp::Stamp(shown.start), stamp::Stamp(shown.end));
        let block = format!("{id}{first}{start} --> {end}{gap}{settings}\n{text}\n\n").into();
        self.cues.push(Cue { shown, block });
        Ok(())
    }
}

/// Fragments count from the film's first moment, so both clocks say zero there. It is also longer than the ten bytes
/// below which old players refuse a segment.
const SEGMENT_HEAD: &str = "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(range: Range<u64>) -> Range<Duration> {
        Duration::from_secs(range.start)..Duration::from_secs(range.end)
    }

    fn film() -> Subtitles {
        let text = "WEBVTT\n\nSTYLE\n::cue { color: lime }\n\n\
                    00:40.000 --> 01:10.000\nlong\n\n00:01.000 --> 00:30.000 line:0\nfirst\n";
        Subtitles::parse(text.as_bytes(), Format::WebVtt).unwrap()
    }

    #[test]
    fn a_segment_repeats_whole_every_cue_that_it_touches() {
        let long = "00:00:40.000 --> 00:01:10.000\nlong\n\n";
        let styles = "STYLE\n::cue { color: lime }\n\n";
        let film = film();
        assert_eq!(
            film.segment(seconds(0..30)),
            format!("{SEGMENT_HEAD}{styles}00:00:01.000 --> 00:00:30.000 line:0\nfirst\n\n")
        );
        assert_eq!(film.segment(seconds(30..60)), format!("{SEGMENT_HEAD}{styles}{long}"));
        assert_eq!(film.segment(seconds(60..90)), format!("{SEGMENT_HEAD}{styles}{long}"));
    }

    #[test]
    fn a_segment_without_cues_is_its_head_alone() {
        assert_eq!(
            film().segment(seconds(90..120)),
            "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n"
        );
    }

    #[test]
    fn the_whole_file_has_cues_in_order_and_no_map() {
        assert_eq!(
            film().whole(),
            "WEBVTT\n\nSTYLE\n::cue { color: lime }\n\n00:00:01.000 --> 00:00:30.000 line:0\nfirst\n\n\
             00:00:40.000 --> 00:01:10.000\nlong\n\n"
        );
    }

    #[test]
    fn what_is_beyond_the_bounds_is_refused() {
        let check = |text: &str, expected| {
            assert_eq!(Subtitles::parse(text.as_bytes(), Format::WebVtt).map(|it| it.len()), expected);
        };
        let cue = "0:01.000 --> 0:02.000\nx\n\n";
        check(&format!("WEBVTT\n\n{}", cue.repeat(MAX_CUES)), Ok(MAX_CUES));
        check(&format!("WEBVTT\n\n{}", cue.repeat(MAX_CUES + 1)), Err(TextError::TooManyCues));
        let long = "x".repeat(MAX_BLOCK + 1);
        check(&format!("WEBVTT\n\n0:01.000 --> 0:02.000\n{long}"), Err(TextError::LongBlock));
        check(&format!("WEBVTT\n\nSTYLE\n{long}"), Err(TextError::LongBlock));
        check(&" ".repeat(MAX_FILE as usize + 1), Err(TextError::TooLong));
        // Each of these is three bytes as UTF-8.
        let wide = vec![0x80; MAX_FILE as usize / 2];
        assert_eq!(Subtitles::parse(&wide, Format::SubRip), Err(TextError::TooLong));
    }

    proptest! {
        #[test]
        fn whatever_a_file_holds_what_is_made_of_it_is_read_again_as_the_same(
            text in "(WEBVTT\n\n)?([0-9]{1,2}\n)?(00:0[0-9]:[0-5][0-9][.,]000 --> 00:0[0-9]:30[.,]000\n|[a<>&{}\\\\\r\n -]{0,6}|-->|\n){0,24}",
        ) {
            for format in [Format::WebVtt, Format::SubRip] {
                let Ok(first) = Subtitles::parse(text.as_bytes(), format) else { continue };
                let second = Subtitles::parse(first.whole().as_bytes(), Format::WebVtt);
                prop_assert_eq!(Ok(first), second);
            }
        }

        #[test]
        fn lengths_are_those_of_the_segments(
            cues in prop::collection::vec((0_u64..400_000, 1_u64..200_000, "[a-z]{1,9}"), 0..20),
            count in 1_usize..12,
        ) {
            let mut it = Subtitles { styles: "STYLE\nx\n\n".into(), cues: Vec::new() };
            for (start, length, text) in cues {
                it.push("", start..start + length, "", &text).unwrap();
            }
            it.cues.sort_by_key(|cue| cue.shown.start);
            let every = Duration::from_secs(30);
            let window = |n: usize| every * n as u32..every * (n as u32 + 1);
            let written: Vec<u64> = (0..count).map(|n| it.segment(window(n)).len() as u64).collect();
            prop_assert_eq!(it.lengths(every, count), written);
        }
    }
}
