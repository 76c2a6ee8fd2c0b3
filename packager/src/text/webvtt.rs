//! WebVTT (W3C), read as browsers read it.

use super::{Subtitles, TextError, stamp};

const ARROW: &str = "-->";

/// Reads a file whose lines end with a line feed.
pub(super) fn parse(text: &str) -> Result<Subtitles, TextError> {
    let mut lines = text.split('\n').peekable();
    let first = lines.next().and_then(|it| it.strip_prefix("WEBVTT")).ok_or(TextError::NoSignature)?;
    if !first.is_empty() && !first.starts_with([' ', '\t']) {
        return Err(TextError::NoSignature);
    }
    // What else the header says ends with it, or where a cue was begun without an empty line.
    let mut early = 0;
    while let Some(line) = lines.next_if(|it| !it.is_empty() && !it.contains(ARROW)) {
        early = local_of_map(line).unwrap_or(early);
    }

    let mut it = Subtitles::default();
    let mut block: Vec<&str> = Vec::new();
    for line in lines.chain([""]) {
        // A line of times that is not the first or the second begins a cue of its own, also without an empty line.
        let again = line.contains(ARROW) && (block.len() > 1 || block.iter().any(|it| it.contains(ARROW)));
        if line.is_empty() || again {
            push(&mut it, &block, early)?;
            block.clear();
        }
        if !line.is_empty() {
            block.push(line);
        }
    }
    Ok(it)
}

/// How much later than the film the cues' own clock runs. What the other clock said was true of a stream of which
/// this file is a part no more.
fn local_of_map(line: &str) -> Option<u64> {
    let map = line.strip_prefix("X-TIMESTAMP-MAP=")?;
    stamp::parse(map.split(',').find_map(|it| it.trim().strip_prefix("LOCAL:"))?)
}

fn push(it: &mut Subtitles, block: &[&str], early: u64) -> Result<(), TextError> {
    let (id, times, lines) = match block {
        [times, lines @ ..] if times.contains(ARROW) => ("", times, lines),
        [id, times, lines @ ..] if times.contains(ARROW) => (id.trim_end(), times, lines),
        [kind, ..] if matches!(kind.trim_end(), "STYLE" | "REGION") && it.is_empty() => {
            return it.push_styles(&joined(block));
        }
        // A NOTE, or what nobody knows.
        _ => return Ok(()),
    };
    let Some((shown, settings)) = stamp::range(times) else { return Ok(()) };
    let settings = if settings.contains(ARROW) { "" } else { settings };
    // What was over before the film began is not shown; what is shown as it begins is.
    let shown = shown.start.saturating_sub(early)..shown.end.saturating_sub(early);
    it.push(id, shown, settings, &joined(lines))
}

/// Lines without the spaces at their ends, by which players would take two copies of a cue for two cues.
fn joined(lines: &[&str]) -> String {
    let lines = lines.iter().map(|it| it.trim_end()).filter(|it| !it.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Format;

    fn check(text: &str, expected: &str) {
        let whole = Subtitles::parse(text.as_bytes(), Format::WebVtt).map(|it| it.whole());
        assert_eq!(whole, Ok(format!("WEBVTT\n\n{expected}")), "{text}");
    }

    #[test]
    fn the_first_line_is_the_signature_and_what_it_likes_to_add() {
        for first in [
            "WEBVTT",
            "\u{feff}WEBVTT",
            "WEBVTT - A film",
            "WEBVTT\tA film",
            "WEBVTT\n",
            "WEBVTT\nKind: captions",
        ] {
            check(first, "");
        }
        for other in ["", "WEBVTTX", "webvtt", " WEBVTT", "1\n00:01.000 --> 00:02.000\nx"] {
            assert_eq!(
                Subtitles::parse(other.as_bytes(), Format::WebVtt),
                Err(TextError::NoSignature),
                "{other}"
            );
        }
    }

    #[test]
    fn a_cue_has_an_id_times_settings_and_lines() {
        check(
            "WEBVTT\n\nintro\n00:01.000 --> 100:00:02.500 line:0 position:20%,line-left align:start\n<v Ann>Hi &amp; bye\nyou\n",
            "intro\n00:00:01.000 --> 100:00:02.500 line:0 position:20%,line-left align:start\n<v Ann>Hi &amp; bye\nyou\n\n",
        );
        check("WEBVTT\n00:01.000 --> 00:02.000\nat once", "00:00:01.000 --> 00:00:02.000\nat once\n\n");
    }

    #[test]
    fn every_line_end_ends_a_line_and_nul_is_replaced() {
        check(
            "WEBVTT\r\r00:01.000 --> 00:02.000\ra\0b\r\n\r\n00:03.000 --> 00:04.000\nc",
            "00:00:01.000 --> 00:00:02.000\na\u{fffd}b\n\n00:00:03.000 --> 00:00:04.000\nc\n\n",
        );
    }

    #[test]
    fn notes_go_and_styles_and_regions_before_the_first_cue_stay() {
        check(
            "WEBVTT\n\nNOTE by nobody\n\nSTYLE\n::cue { }\n\nREGION\nid:r\n\n00:01.000 --> 00:02.000 region:r\na\n\nSTYLE\nlate\n",
            "STYLE\n::cue { }\n\nREGION\nid:r\n\n00:00:01.000 --> 00:00:02.000 region:r\na\n\n",
        );
    }

    #[test]
    fn spaces_at_the_ends_of_lines_go() {
        check("WEBVTT\n\n00:01.000 --> 00:02.000  \na \t\n \nb ", "00:00:01.000 --> 00:00:02.000\na\nb\n\n");
    }

    #[test]
    fn a_timestamp_map_is_subtracted() {
        check(
            "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:10.000\n\n00:00:09.000 --> 00:00:12.000\na\n\n00:05.000 --> 00:09.000\nb",
            "00:00:00.000 --> 00:00:02.000\na\n\n",
        );
    }

    #[test]
    fn a_cue_that_is_none_is_left_out_and_the_next_is_read() {
        for broken in [
            "x --> y\nlost",
            "00:02.000 --> 00:02.000\nnever",
            "00:01.000 --> 00:02.000",
            "00:01 -> 00:02\nx",
        ] {
            check(
                &format!("WEBVTT\n\n{broken}\n\n00:01.000 --> 00:02.000\nkept\n"),
                "00:00:01.000 --> 00:00:02.000\nkept\n\n",
            );
        }
        check(
            "WEBVTT\n\n00:01.000 --> 00:02.000\na\n00:03.000 --> 00:04.000 -->\nb",
            "00:00:01.000 --> 00:00:02.000\na\n\n00:00:03.000 --> 00:00:04.000\nb\n\n",
        );
    }
}
