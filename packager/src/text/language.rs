//! Language tags (RFC 5646), and what a language is called by those who speak it.

use std::fmt;

/// Tag, codes of three letters that stand for it in files' names, and its own name.
const NAMES: &[(&str, &[&str], &str)] = &[
    ("ar", &["ara"], "العربية"),
    ("bg", &["bul"], "Български"),
    ("bn", &["ben"], "বাংলা"),
    ("ca", &["cat"], "Català"),
    ("cs", &["ces", "cze"], "Čeština"),
    ("da", &["dan"], "Dansk"),
    ("de", &["deu", "ger"], "Deutsch"),
    ("el", &["ell", "gre"], "Ελληνικά"),
    ("en", &["eng"], "English"),
    ("es", &["spa"], "Español"),
    ("et", &["est"], "Eesti"),
    ("eu", &["eus", "baq"], "Euskara"),
    ("fa", &["fas", "per"], "فارسی"),
    ("fi", &["fin"], "Suomi"),
    ("fr", &["fra", "fre"], "Français"),
    ("ga", &["gle"], "Gaeilge"),
    ("gl", &["glg"], "Galego"),
    ("he", &["heb"], "עברית"),
    ("hi", &["hin"], "हिन्दी"),
    ("hr", &["hrv"], "Hrvatski"),
    ("hu", &["hun"], "Magyar"),
    ("id", &["ind"], "Bahasa Indonesia"),
    ("is", &["isl", "ice"], "Íslenska"),
    ("it", &["ita"], "Italiano"),
    ("ja", &["jpn"], "日本語"),
    ("ko", &["kor"], "한국어"),
    ("lt", &["lit"], "Lietuvių"),
    ("lv", &["lav"], "Latviešu"),
    ("ms", &["msa", "may"], "Bahasa Melayu"),
    ("nb", &["nob"], "Norsk bokmål"),
    ("nl", &["nld", "dut"], "Nederlands"),
    ("nn", &["nno"], "Norsk nynorsk"),
    ("no", &["nor"], "Norsk"),
    ("pl", &["pol"], "Polski"),
    ("pt", &["por"], "Português"),
    ("ro", &["ron", "rum"], "Română"),
    ("ru", &["rus"], "Русский"),
    ("sk", &["slk", "slo"], "Slovenčina"),
    ("sl", &["slv"], "Slovenščina"),
    ("sr", &["srp"], "Српски"),
    ("sv", &["swe"], "Svenska"),
    ("ta", &["tam"], "தமிழ்"),
    ("th", &["tha"], "ไทย"),
    ("tr", &["tur"], "Türkçe"),
    ("uk", &["ukr"], "Українська"),
    ("ur", &["urd"], "اردو"),
    ("vi", &["vie"], "Tiếng Việt"),
    ("zh", &["zho", "chi"], "中文"),
];

/// Longer tags are legal and name no language that anybody subtitles.
const MAX_TAG: usize = 35;

/// A language tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Language(Box<str>);

impl Language {
    /// A language that is not known (`und`).
    pub fn unknown() -> Self {
        Self("und".into())
    }

    /// A tag: two or three letters and what stands behind them, with a hyphen or, as files' names have it, an
    /// underscore. The three letters of a language that has two become those.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.replace('_', "-");
        let (language, rest) = text.split_once('-').map_or((&*text, None), |(it, rest)| (it, Some(rest)));
        let alphanumeric =
            |it: &str| matches!(it.len(), 1..=8) && it.bytes().all(|it| it.is_ascii_alphanumeric());
        let letters = matches!(language.len(), 2..=3) && language.bytes().all(|it| it.is_ascii_alphabetic());
        if text.len() > MAX_TAG || !letters || !rest.is_none_or(|it| it.split('-').all(alphanumeric)) {
            return None;
        }
        let language = language.to_ascii_lowercase();
        let short = NAMES.iter().find(|(_, codes, _)| codes.contains(&&*language)).map(|it| it.0);
        let language = short.unwrap_or(&language);
        Some(Self(rest.map_or_else(|| language.into(), |rest| format!("{language}-{rest}").into())))
    }

    /// The tag.
    pub fn tag(&self) -> &str {
        &self.0
    }

    /// Three letters that stand for the language (ISO 639-2/T), where the table has them; else what the tag has.
    pub fn three_letters(&self) -> &str {
        let language = self.0.split('-').next().unwrap_or_default();
        let known = NAMES.iter().find(|it| it.0 == language).and_then(|it| it.1.first());
        known.copied().unwrap_or(language)
    }

    /// Its name in itself, with what tells it from others of that name; the tag of one that is not in the table.
    pub fn name(&self) -> String {
        let (language, rest) = self.0.split_once('-').map_or((&*self.0, None), |(it, rest)| (it, Some(rest)));
        match (NAMES.iter().find(|it| it.0 == language), rest) {
            (Some((_, _, name)), None) => (*name).to_owned(),
            (Some((_, _, name)), Some(rest)) => format!("{name} ({rest})"),
            (None, _) if &*self.0 == "und" => "Subtitles".to_owned(),
            (None, _) => self.0.to_string(),
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(&str, &str)>) {
        let language = Language::parse(text);
        let seen = language.as_ref().map(|it| (it.tag().to_owned(), it.name()));
        assert_eq!(seen, expected.map(|(tag, name)| (tag.to_owned(), name.to_owned())), "{text}");
    }

    #[test]
    fn a_tag_is_as_short_as_it_may_be_and_has_a_name() {
        check("en", Some(("en", "English")));
        check("GER", Some(("de", "Deutsch")));
        check("pt_BR", Some(("pt-BR", "Português (BR)")));
        check("tlh", Some(("tlh", "tlh")));
        check("und", Some(("und", "Subtitles")));
    }

    #[test]
    fn what_is_no_tag_is_none() {
        for text in ["", "e", "english", "en-", "en--US", "1080p", "e1", "en-\"", "en-US-a23456789", "dé"] {
            check(text, None);
        }
    }

    #[test]
    fn the_table_is_in_order_and_names_nothing_twice() {
        assert!(NAMES.is_sorted_by(|a, b| a.0 < b.0));
        let mut codes: Vec<_> = NAMES.iter().flat_map(|it| it.1).collect();
        codes.sort();
        assert!(codes.is_sorted_by(|a, b| a < b));
    }
}
