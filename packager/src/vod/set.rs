//! Set files: several stored files that are one title in several qualities.
//!
//! ```json
//! { "renditions": [ { "file": "film_360.mp4" }, { "file": "film_720.mp4" } ],
//!   "subtitles": [ { "file": "film.en.vtt", "language": "en", "label": "English", "default": true } ] }
//! ```

use serde::Deserialize;

use crate::text::{About, Format, Language, Purpose};

/// More than any ladder has; each costs an index in memory and a read of its header.
const MAX_RENDITIONS: usize = 32;

/// More languages than any film has.
const MAX_SUBTITLES: usize = 64;

/// No longer set file is read: all entries with names of usual lengths are far below.
pub const MAX_SET_FILE: u64 = 64 * 1024;

/// Why a set file is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// Not the JSON that a set file is; the message names line and column.
    #[error("the set file is not as it should be: {0}")]
    Json(String),
    /// No rendition, or more than the bound.
    #[error("the set file lists {0} renditions; there may be 1 to {MAX_RENDITIONS}")]
    Count(usize),
    /// More subtitles than the bound.
    #[error("the set file lists {0} subtitles; there may be {MAX_SUBTITLES}")]
    Subtitles(usize),
    /// No tag of a language.
    #[error("the set file says {0:?} is a language; that is a tag such as \"en\" or \"pt-BR\"")]
    Language(String),
    /// A file of subtitles in a format that is not read.
    #[error("the set file names {0:?} as subtitles: only .vtt and .srt are")]
    Format(String),
    /// A name that leads elsewhere.
    #[error("the set file names {0:?}: only files beside it or below, without `..`, a leading `.` or `/`")]
    Name(String),
    /// The same file twice.
    #[error("the set file names {0:?} twice")]
    Twice(String),
}

/// What a set file says: paths relative to its own directory, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    files: Vec<String>,
    subtitles: Vec<SetSubtitles>,
}

/// Subtitles that a set names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetSubtitles {
    /// Their file, relative to where the set is.
    pub file: String,
    /// What the set says of them.
    pub about: About,
    /// What they are written in, by the file's name.
    pub format: Format,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    renditions: Vec<Rendition>,
    #[serde(default)]
    subtitles: Vec<Subtitles>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subtitles {
    file: String,
    language: Option<String>,
    label: Option<String>,
    #[serde(default)]
    default: bool,
    #[serde(default)]
    forced: bool,
    /// For the deaf and hard of hearing.
    #[serde(default)]
    sdh: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rendition {
    file: String,
}

impl Set {
    /// Reads a set file.
    ///
    /// # Errors
    /// [`SetError`] that says what is wrong and where.
    pub fn parse(json: &[u8]) -> Result<Self, SetError> {
        let document: Document =
            serde_json::from_slice(json).map_err(|error| SetError::Json(error.to_string()))?;
        let mut it = Self::of(document.renditions.into_iter().map(|it| it.file).collect())?;
        if document.subtitles.len() > MAX_SUBTITLES {
            return Err(SetError::Subtitles(document.subtitles.len()));
        }
        it.subtitles = document.subtitles.into_iter().map(Subtitles::read).collect::<Result<_, _>>()?;
        Ok(it)
    }

    /// The comma form known from nginx-vod: a common prefix, what differs, and a common suffix that is nothing or
    /// begins with a dot; `film_,360,720,.mp4` is `film_360.mp4` and `film_720.mp4`. Nothing for a name without
    /// two commas.
    ///
    /// # Errors
    /// [`SetError`] when the list is too long or names a file twice.
    pub fn from_commas(name: &str) -> Option<Result<Self, SetError>> {
        let (prefix, rest) = name.split_once(',')?;
        let (middle, suffix) = rest.rsplit_once(',')?;
        Some(Self::of(middle.split(',').map(|it| format!("{prefix}{it}{suffix}")).collect()))
    }

    fn of(files: Vec<String>) -> Result<Self, SetError> {
        if files.is_empty() || files.len() > MAX_RENDITIONS {
            return Err(SetError::Count(files.len()));
        }
        if let Some(astray) = files.iter().find(|it| !below(it)) {
            return Err(SetError::Name(astray.clone()));
        }
        match files.iter().enumerate().find(|(at, file)| files.iter().take(*at).any(|it| it == *file)) {
            Some((_, twice)) => Err(SetError::Twice(twice.clone())),
            None => Ok(Self { files, subtitles: Vec::new() }),
        }
    }

    /// The files, relative to where the set is.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    /// The subtitles, in its order.
    pub fn subtitles(&self) -> &[SetSubtitles] {
        &self.subtitles
    }
}

impl Subtitles {
    fn read(self) -> Result<SetSubtitles, SetError> {
        if !below(&self.file) {
            return Err(SetError::Name(self.file));
        }
        let Some((_, format)) = Format::split(&self.file) else { return Err(SetError::Format(self.file)) };
        let language = match self.language {
            Some(tag) => Language::parse(&tag).ok_or(SetError::Language(tag))?,
            None => Language::unknown(),
        };
        let purpose = match (self.forced, self.sdh) {
            (true, _) => Purpose::Forced,
            (false, true) => Purpose::HardOfHearing,
            (false, false) => Purpose::Dialogue,
        };
        let about = About { language, label: self.label, default: self.default, purpose };
        Ok(SetSubtitles { file: self.file, about, format })
    }
}

/// Whether a path leads to what is beside the set or below.
fn below(path: &str) -> bool {
    path.split('/').all(plain)
}

/// Whether a path's part names something that is below and is not hidden.
fn plain(part: &str) -> bool {
    !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<const N: usize>(json: &str, expected: Result<[&str; N], SetError>) {
        let files = |set: Set| set.files().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(Set::parse(json.as_bytes()).map(files), expected.map(|it| it.map(str::to_owned).to_vec()));
    }

    #[test]
    fn a_set_file_lists_files_beside_it() {
        check(r#"{"renditions":[{"file":"a_360.mp4"},{"file":"hd/a.mp4"}]}"#, Ok(["a_360.mp4", "hd/a.mp4"]));
    }

    #[test]
    fn a_name_that_leads_out_is_refused() {
        for name in ["../a.mp4", "/etc/passwd", ".hidden.mp4", "a//b.mp4", "", "a/../b.mp4", "a\\b.mp4"] {
            let json = serde_json::json!({ "renditions": [{ "file": name }] }).to_string();
            check::<0>(&json, Err(SetError::Name(name.into())));
        }
    }

    #[test]
    fn too_few_too_many_and_twice_are_refused() {
        check::<0>(r#"{"renditions":[]}"#, Err(SetError::Count(0)));
        let many = (0..33).map(|n| format!(r#"{{"file":"{n}.mp4"}}"#)).collect::<Vec<_>>().join(",");
        check::<0>(&format!(r#"{{"renditions":[{many}]}}"#), Err(SetError::Count(33)));
        check::<0>(r#"{"renditions":[{"file":"a"},{"file":"a"}]}"#, Err(SetError::Twice("a".into())));
    }

    #[test]
    fn subtitles_may_be_listed_beside() {
        let listed = |subtitles: &str| {
            Set::parse(
                format!(r#"{{"renditions":[{{"file":"a.mp4"}}],"subtitles":[{subtitles}]}}"#).as_bytes(),
            )
            .map(|it| it.subtitles)
        };
        let all = listed(
            r#"{"file":"s/a.vtt","language":"eng","label":"English","default":true},{"file":"a.SRT","forced":true},
               {"file":"b.vtt","language":"pt-BR","sdh":true}"#,
        );
        let all = all.unwrap();
        let seen = |it: &SetSubtitles| {
            (it.file.clone(), it.about.language.tag().to_owned(), it.about.purpose, it.format)
        };
        assert_eq!(
            all.iter().map(seen).collect::<Vec<_>>(),
            [
                ("s/a.vtt".into(), "en".into(), Purpose::Dialogue, Format::WebVtt),
                ("a.SRT".into(), "und".into(), Purpose::Forced, Format::SubRip),
                ("b.vtt".into(), "pt-BR".into(), Purpose::HardOfHearing, Format::WebVtt),
            ]
        );
        assert_eq!((all[0].about.default, all[0].about.label.as_deref()), (true, Some("English")));
        assert_eq!(listed(r#"{"file":"../a.vtt"}"#), Err(SetError::Name("../a.vtt".into())));
        assert_eq!(listed(r#"{"file":"a.txt"}"#), Err(SetError::Format("a.txt".into())));
        assert_eq!(listed(r#"{"file":"a.vtt","language":"\""}"#), Err(SetError::Language("\"".into())));
        assert_eq!(listed(&[r#"{"file":"a.vtt"}"#; 65].join(",")), Err(SetError::Subtitles(65)));
    }

    #[test]
    fn a_mistake_is_named_with_its_place() {
        let wrong = |json: &str| match Set::parse(json.as_bytes()) {
            Err(SetError::Json(text)) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            wrong("{\"renditions\":[\n{\"file\":\"a\",\"lang\":\"en\"}]}"),
            "unknown field `lang`, expected `file` at line 2 column 18"
        );
        assert_eq!(wrong("{}"), "missing field `renditions` at line 1 column 2");
        assert!(wrong(&"[".repeat(10_000)).contains("invalid type"));
        assert!(wrong(r#"{"renditions":[{"file":7}]}"#).contains("expected a string"));
        assert!(wrong(r#"{"renditions":[{"file":"a"}]} x"#).contains("trailing characters"));
    }

    #[test]
    fn the_comma_form_names_the_same_files() {
        let files = |name| Set::from_commas(name).map(|it| it.map(|set| set.files));
        assert_eq!(files("film_,360,720,.mp4"), Some(Ok(vec!["film_360.mp4".into(), "film_720.mp4".into()])));
        assert_eq!(files("film_,360,.mp4"), Some(Ok(vec!["film_360.mp4".into()])));
        assert_eq!(files("film.mp4"), None);
        assert_eq!(files("a,b"), None);
        assert_eq!(files(",../x,.mp4"), Some(Err(SetError::Name("../x.mp4".into()))));
    }
}
