//! SubRip (`.srt`): no standard, but a habit. Read by what all of its files have, which is lines of times.

use super::{Subtitles, TextError, stamp};

/// Character references that a file may have used already.
const REFERENCES: &[&str] = &["&amp;", "&lt;", "&gt;", "&nbsp;", "&lrm;", "&rlm;"];

/// Reads a file whose lines end with a line feed.
pub(super) fn parse(text: &str) -> Result<Subtitles, TextError> {
    let mut it = Subtitles::default();
    let mut cue = None;
    let mut lines: Vec<&str> = Vec::new();
    let mut timed = false;
    for line in text.split('\n').map(str::trim) {
        let Some((shown, _)) = stamp::range(line) else {
            lines.push(line);
            continue;
        };
        timed = true;
        // The number of a cue stands right above its times.
        if lines.last().is_some_and(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit())) {
            lines.pop();
        }
        push(&mut it, cue.replace(shown), &lines)?;
        lines.clear();
    }
    push(&mut it, cue, &lines)?;
    if !timed && !text.trim().is_empty() {
        return Err(TextError::NoTimes);
    }
    Ok(it)
}

fn push(it: &mut Subtitles, shown: Option<std::ops::Range<u64>>, lines: &[&str]) -> Result<(), TextError> {
    let Some(shown) = shown else { return Ok(()) };
    let mut at_top = false;
    let lines = lines.iter().map(|it| webvtt_of(it, &mut at_top));
    // An empty line would end the cue.
    let text = lines.filter(|it| !it.is_empty()).collect::<Vec<_>>().join("\n");
    it.push("", shown, if at_top { "line:0" } else { "" }, &text)
}

/// A line as WebVTT writes it: bold, italic and underlined stay, other tags go, and what is no tag is text.
fn webvtt_of(line: &str, at_top: &mut bool) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(['<', '>', '&', '{']) {
        let (before, mark) = rest.split_at(at);
        out.push_str(before);
        let (written, length) = marked(mark, at_top);
        out.push_str(written);
        rest = mark.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    out.trim().to_owned()
}

/// What to write for the mark that `text` begins with, and how long it is.
fn marked<'a>(text: &'a str, at_top: &mut bool) -> (&'a str, usize) {
    let upto = |end: char| text.find(end).and_then(|it| text.get(..=it));
    match text.as_bytes() {
        [b'&', ..] => match REFERENCES.iter().find(|it| text.starts_with(**it)) {
            Some(it) => (it, it.len()),
            None => ("&amp;", 1),
        },
        [b'>', ..] => ("&gt;", 1),
        // What other formats say of a place: the top is all that is understood.
        [b'{', b'\\', ..] => match upto('}') {
            Some(it) => {
                *at_top |= ["{\\an7", "{\\an8", "{\\an9"].iter().any(|top| it.starts_with(top));
                ("", it.len())
            }
            None => ("{", 1),
        },
        [b'<', ..] => match upto('>') {
            Some(it) => match it.to_ascii_lowercase().as_str() {
                "<b>" => ("<b>", 3),
                "</b>" => ("</b>", 4),
                "<i>" => ("<i>", 3),
                "</i>" => ("</i>", 4),
                "<u>" => ("<u>", 3),
                "</u>" => ("</u>", 4),
                tag if tag.starts_with("<font") || tag == "</font>" => ("", it.len()),
                _ => ("&lt;", 1),
            },
            None => ("&lt;", 1),
        },
        _ => ("{", 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Format;

    fn check(text: &str, expected: &str) {
        let whole = Subtitles::parse(text.as_bytes(), Format::SubRip).map(|it| it.whole());
        assert_eq!(whole, Ok(format!("WEBVTT\n\n{expected}")), "{text}");
    }

    const ONE: &str = "00:00:01.500 --> 00:00:02.000\n";

    #[test]
    fn numbers_may_stand_above_the_times_and_milliseconds_behind_a_dot_or_a_comma() {
        let two = format!("{ONE}a\n\n00:00:03.000 --> 00:00:04.000\nb\n\n");
        check("1\n00:00:01,500 --> 00:00:02,000\na\n\n2\n00:00:03,000 --> 00:00:04,000\nb\n", &two);
        check("00:00:01.500 --> 00:00:02.000\na\n\n00:00:03,000 --> 00:00:04,000\nb", &two);
        check("\r1\r00:00:01,500 --> 00:00:02,000\ra\r\r2\r00:00:03,000 --> 00:00:04,000\rb\r", &two);
    }

    #[test]
    fn a_number_is_text_where_no_times_follow() {
        check(
            "1\n0:0:1,5 --> 0:0:2,0\n1984\n\n0:0:3,0 --> 0:0:4,0\n7",
            &format!("{ONE}1984\n\n00:00:03.000 --> 00:00:04.000\n7\n\n"),
        );
    }

    #[test]
    fn empty_lines_within_a_text_do_not_end_it() {
        check("1\n0:0:1,5 --> 0:0:2,0 X1:10 X2:20\na\n\n  \nb \n\n", &format!("{ONE}a\nb\n\n"));
    }

    #[test]
    fn bold_italic_and_underlined_stay_and_fonts_go() {
        check(
            "0:0:1,5 --> 0:0:2,0\n<I>so</I> <font color=\"#ff0000\">red <b>and</b></FONT> <u>on</u>",
            &format!("{ONE}<i>so</i> red <b>and</b> <u>on</u>\n\n"),
        );
    }

    #[test]
    fn what_is_no_tag_is_text() {
        check(
            "0:0:1,5 --> 0:0:2,0\n3 < 4 & 5 > 4 <script>x</script> R&amp;B --> {ok} <b",
            &format!(
                "{ONE}3 &lt; 4 &amp; 5 &gt; 4 &lt;script&gt;x&lt;/script&gt; R&amp;B --&gt; {{ok}} &lt;b\n\n"
            ),
        );
    }

    #[test]
    fn a_place_at_the_top_is_kept_and_other_marks_go() {
        check("0:0:1,5 --> 0:0:2,0\n{\\an8}up{\\fad(1,2)}", "00:00:01.500 --> 00:00:02.000 line:0\nup\n\n");
        check("0:0:1,5 --> 0:0:2,0\n{\\an2}down{\\", &format!("{ONE}down{{\\\n\n"));
    }

    #[test]
    fn a_text_without_times_is_none() {
        check(" \n\n", "");
        assert_eq!(Subtitles::parse(b"Dear diary", Format::SubRip), Err(TextError::NoTimes));
    }
}
