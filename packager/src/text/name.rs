//! What the name of a file says of the subtitles in it.

use super::{About, Format, Language, Purpose};

/// What `file` says of itself when it stands beside `title`: `film.en.forced.vtt` beside `film.mp4`. Nothing when it
/// is no file of subtitles, or of another title.
pub fn beside(title: &str, file: &str) -> Option<(About, Format)> {
    let stem = title.rsplit_once('.').map_or(title, |(stem, _)| stem);
    let (name, format) = Format::split(file)?;
    let mut marks = name.strip_prefix(stem)?.split('.');
    if !marks.next()?.is_empty() {
        return None;
    }
    let mut about = About { language: Language::unknown(), ..About::default() };
    for (at, mark) in marks.enumerate() {
        match &*mark.to_ascii_lowercase() {
            "forced" => about.purpose = Purpose::Forced,
            "sdh" | "cc" => about.purpose = Purpose::HardOfHearing,
            "default" => about.default = true,
            _ if at == 0 => about.language = Language::parse(mark)?,
            _ => return None,
        }
    }
    Some((about, format))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &str, expected: Option<(&str, Purpose, Format)>) {
        let seen = beside("film.mp4", file);
        let seen = seen.as_ref().map(|(about, format)| (about.language.tag(), about.purpose, *format));
        assert_eq!(seen, expected, "{file}");
    }

    #[test]
    fn language_and_purpose_stand_behind_the_titles_own_name() {
        check("film.vtt", Some(("und", Purpose::Dialogue, Format::WebVtt)));
        check("film.en.vtt", Some(("en", Purpose::Dialogue, Format::WebVtt)));
        check("film.de.SRT", Some(("de", Purpose::Dialogue, Format::SubRip)));
        check("film.en.forced.vtt", Some(("en", Purpose::Forced, Format::WebVtt)));
        check("film.pt-BR.sdh.srt", Some(("pt-BR", Purpose::HardOfHearing, Format::SubRip)));
        check("film.eng.cc.vtt", Some(("en", Purpose::HardOfHearing, Format::WebVtt)));
        check("film.forced.vtt", Some(("und", Purpose::Forced, Format::WebVtt)));
        assert!(beside("film.mp4", "film.en.default.vtt").unwrap().0.default);
    }

    #[test]
    fn files_of_other_titles_and_of_other_kinds_are_not_taken() {
        for file in [
            "film.mp4",
            "film.txt",
            "film2.en.vtt",
            "film.en.extra.vtt",
            "film.1080p.vtt",
            "other.vtt",
            ".vtt",
            "film..vtt",
        ] {
            check(file, None);
        }
    }
}
