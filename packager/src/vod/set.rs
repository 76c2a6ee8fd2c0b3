//! Sets: several stored files that are one title in several qualities and languages. A set is a JSON file beside them, a
//! list with commas, or a directory.
//!
//! ```json
//! { "renditions": [ { "file": "film_360.mp4" }, { "file": "film_720.mp4", "language": "en", "default": true },
//!                   { "file": "film.de.m4a", "language": "de", "label": "Deutsch", "role": "dub" } ],
//!   "subtitles": [ { "file": "film.en.vtt", "language": "en", "label": "English", "default": true } ],
//!   "captions": [ { "channel": "CC1", "language": "en", "label": "English" } ] }
//! ```
//! What a rendition says of itself is said of its sound. Beside pictures, sound comes from the best of the files with
//! both, and from every file of sound alone; `"tracks": "audio"` has a film listed for its sound, `"tracks": "video"` for its
//! pictures.

use serde::Deserialize;

use super::labels::{AboutSound, Captions, Channel, Labels, SoundRole, Take};
use crate::text::{About, Format, Language, Purpose, beside};

/// More than any ladder has; each costs an index in memory and a read of its header.
const MAX_RENDITIONS: usize = 32;

/// More languages than any film has.
const MAX_SUBTITLES: usize = 64;

/// More captions than CEA-608 and CEA-708 have room for.
const MAX_CAPTIONS: usize = 67;

/// More letters than any menu shows.
const MAX_LABEL: usize = 128;

/// What the directory of a set is called at its end, so that no other directory is taken for one.
pub const SET_DIRECTORY: &str = ".set";

/// Files that a directory has for its pictures and sound.
const MEDIA: [&str; 5] = ["mp4", "m4v", "m4a", "mov", "cmfv"];

/// No longer set file is read: all entries with names of usual lengths are far below.
pub const MAX_SET_FILE: u64 = 64 * 1024;

/// Why a set file is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// Not the JSON that a set file is; the message names line and column.
    #[error("the set file is not as it should be: {0}")]
    Json(String),
    /// More captions than there are channels.
    #[error("the set file lists {0} captions; there may be {MAX_CAPTIONS}")]
    Captions(usize),
    /// No channel of captions.
    #[error(
        "the set file says {0:?} is a channel of captions; those are CC1 to CC4 and SERVICE1 to SERVICE63"
    )]
    Channel(String),
    /// The same channel twice.
    #[error("the set file lists captions of {0} twice")]
    ChannelTwice(Channel),
    /// What no menu can show.
    #[error(
        "the set file has the label {0:?}; one has 1 to {MAX_LABEL} letters, and no quotes or control characters"
    )]
    Label(String),
    /// More than one of a kind taken unasked.
    #[error("the set file says \"default\" of {count} {of}; players take one")]
    Defaults {
        /// Of what.
        of: &'static str,
        /// How many.
        count: usize,
    },
    /// What is said of sound that is not taken.
    #[error("the set file says what the sound of {0:?} is, but takes its pictures alone")]
    NoSound(String),
    /// No rendition, or more than the bound.
    #[error("the set has {0} renditions; there may be 1 to {MAX_RENDITIONS}")]
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
    #[error("the set names {0:?}: only files beside it or below, without `..`, a leading `.` or `/`")]
    Name(String),
    /// The same file twice.
    #[error("the set names {0:?} twice")]
    Twice(String),
}

/// What a set file says: paths relative to its own directory, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    files: Vec<String>,
    takes: Vec<Take>,
    labels: Labels,
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
    #[serde(default)]
    captions: Vec<CaptionsEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaptionsEntry {
    channel: String,
    language: String,
    label: Option<String>,
    #[serde(default)]
    default: bool,
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
    #[serde(default)]
    tracks: Take,
    language: Option<String>,
    label: Option<String>,
    #[serde(default)]
    default: bool,
    #[serde(default)]
    role: SoundRole,
}

impl Set {
    /// Reads a set file.
    ///
    /// # Errors
    /// [`SetError`] that says what is wrong and where.
    pub fn parse(json: &[u8]) -> Result<Self, SetError> {
        let document: Document =
            serde_json::from_slice(json).map_err(|error| SetError::Json(error.to_string()))?;
        let mut it = Self::of(document.renditions.iter().map(|it| it.file.clone()).collect())?;
        it.takes = document.renditions.iter().map(|it| it.tracks).collect();
        it.labels.sounds = document.renditions.into_iter().map(Rendition::read).collect::<Result<_, _>>()?;
        it.labels.captions = read_captions(document.captions)?;
        one_default("sounds", it.labels.sounds.iter().map(|it| it.default))?;
        one_default("captions", it.labels.captions.iter().map(|it| it.default))?;
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

    /// What the files of such a list have in common, as one file would be called: subtitles beside that are the set's.
    /// `film.mp4` for `film_,360,720,.mp4`; nothing where they begin with nothing in common.
    pub fn name_of_commas(name: &str) -> Option<String> {
        let (prefix, rest) = name.split_once(',')?;
        let (_, suffix) = rest.rsplit_once(',')?;
        let stem = prefix.trim_end_matches(['_', '-', '.', ' ']);
        (!stem.is_empty()).then(|| format!("{stem}{suffix}"))
    }

    /// The set that a directory is with these `names` in it: all films and sound, in the order of their names, and all
    /// subtitles, of which a name says the language as it does beside a film: `en.vtt`, `film.de.forced.srt`.
    ///
    /// # Errors
    /// [`SetError`] when it has no film or sound, or too many.
    pub fn of_directory(mut names: Vec<String>) -> Result<Self, SetError> {
        names.retain(|it| plain(it));
        names.sort();
        let is_media = |it: &String| {
            it.rsplit_once('.').is_some_and(|(_, end)| MEDIA.iter().any(|it| end.eq_ignore_ascii_case(it)))
        };
        let mut set = Self::of(names.iter().filter(|it| is_media(it)).cloned().collect())?;
        let about = |name: &String| {
            // With or without a name before the language.
            let (first, _) = name.split_once('.')?;
            let whole = format!(".{name}");
            let (about, format) = beside("", &whole).or_else(|| beside(first, name))?;
            Some(SetSubtitles { file: name.clone(), about, format })
        };
        set.subtitles = names.iter().filter_map(about).take(MAX_SUBTITLES).collect();
        Ok(set)
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
            None => Ok(Self { files, takes: Vec::new(), labels: Labels::default(), subtitles: Vec::new() }),
        }
    }

    /// The files, relative to where the set is.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    /// Which tracks of each file are wanted; of those beyond its end all are.
    pub fn takes(&self) -> &[Take] {
        &self.takes
    }

    /// What it says of the files.
    pub const fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The subtitles, in its order.
    pub fn subtitles(&self) -> &[SetSubtitles] {
        &self.subtitles
    }
}

impl Rendition {
    fn read(self) -> Result<AboutSound, SetError> {
        let about = AboutSound {
            language: self.language.map(read_language).transpose()?,
            label: self.label.map(read_label).transpose()?,
            default: self.default,
            role: self.role,
        };
        if self.tracks == Take::Video && about != AboutSound::default() {
            return Err(SetError::NoSound(self.file));
        }
        Ok(about)
    }
}

fn read_captions(entries: Vec<CaptionsEntry>) -> Result<Vec<Captions>, SetError> {
    if entries.len() > MAX_CAPTIONS {
        return Err(SetError::Captions(entries.len()));
    }
    let mut all: Vec<Captions> = Vec::new();
    for it in entries {
        let channel = Channel::parse(&it.channel).ok_or(SetError::Channel(it.channel))?;
        if all.iter().any(|it| it.channel == channel) {
            return Err(SetError::ChannelTwice(channel));
        }
        let language = read_language(it.language)?;
        let label = it.label.map(read_label).transpose()?.unwrap_or_else(|| language.name());
        all.push(Captions { channel, language, label, default: it.default });
    }
    Ok(all)
}

fn read_language(tag: String) -> Result<Language, SetError> {
    Language::parse(&tag).ok_or(SetError::Language(tag))
}

/// A label that stands between quotes in a playlist as it was written.
fn read_label(label: String) -> Result<String, SetError> {
    let shown = |it: char| !it.is_control() && it != '"';
    let fits = (1..=MAX_LABEL).contains(&label.chars().count()) && label.chars().all(shown);
    if fits { Ok(label) } else { Err(SetError::Label(label)) }
}

fn one_default(of: &'static str, defaults: impl Iterator<Item = bool>) -> Result<(), SetError> {
    match defaults.filter(|it| *it).count() {
        0 | 1 => Ok(()),
        count => Err(SetError::Defaults { of, count }),
    }
}

impl Subtitles {
    fn read(self) -> Result<SetSubtitles, SetError> {
        if !below(&self.file) {
            return Err(SetError::Name(self.file));
        }
        let Some((_, format)) = Format::split(&self.file) else { return Err(SetError::Format(self.file)) };
        let language = match self.language {
            Some(tag) => read_language(tag)?,
            None => Language::unknown(),
        };
        let purpose = match (self.forced, self.sdh) {
            (true, _) => Purpose::Forced,
            (false, true) => Purpose::HardOfHearing,
            (false, false) => Purpose::Dialogue,
        };
        let about = About {
            language,
            label: self.label.map(read_label).transpose()?,
            default: self.default,
            purpose,
        };
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
            "unknown field `lang`, expected one of `file`, `tracks`, `language`, `label`, `default`, `role` at line 2 column 18"
        );
        assert_eq!(wrong("{}"), "missing field `renditions` at line 1 column 2");
        assert!(wrong(&"[".repeat(10_000)).contains("invalid type"));
        assert!(wrong(r#"{"renditions":[{"file":7}]}"#).contains("expected a string"));
        assert!(wrong(r#"{"renditions":[{"file":"a"}]} x"#).contains("trailing characters"));
    }

    #[test]
    fn sound_and_captions_are_said_to_be_for_someone() {
        let set = Set::parse(
            r#"{"renditions":[{"file":"a.mp4","language":"eng","default":true},
                {"file":"b.mp4","tracks":"video"},
                {"file":"de.m4a","language":"de","label":"Deutsch","role":"dub"},
                {"file":"c.mp4","tracks":"audio","role":"commentary"}],
                "captions":[{"channel":"CC1","language":"en"},{"channel":"SERVICE2","language":"es","label":"E"}]}"#
                .as_bytes(),
        );
        let set = set.unwrap();
        assert_eq!(set.takes(), [Take::All, Take::Video, Take::All, Take::Audio]);
        let language = |it: &AboutSound| it.language.as_ref().map(|it| it.tag().to_owned());
        let seen: Vec<_> = set.labels().sounds.iter().map(|it| (language(it), it.default, it.role)).collect();
        assert_eq!(
            seen,
            [
                (Some("en".into()), true, SoundRole::Main),
                (None, false, SoundRole::Main),
                (Some("de".into()), false, SoundRole::Dub),
                (None, false, SoundRole::Commentary)
            ]
        );
        let captions: Vec<_> =
            set.labels().captions.iter().map(|it| (it.channel, it.label.as_str())).collect();
        assert_eq!(captions, [(Channel::Cc(1), "English"), (Channel::Service(2), "E")]);
    }

    #[test]
    fn each_mistake_of_a_set_has_its_own_sentence() {
        let wrong = |renditions: &str, captions: &str| {
            let json = format!(r#"{{"renditions":[{renditions}],"captions":[{captions}]}}"#);
            Set::parse(json.as_bytes()).unwrap_err()
        };
        let cc1 = r#"{"channel":"CC1","language":"en"}"#;
        let film = r#"{"file":"a.mp4"}"#;
        assert_eq!(wrong(film, &[cc1, cc1].join(",")), SetError::ChannelTwice(Channel::Cc(1)));
        assert_eq!(wrong(film, r#"{"channel":"CC9","language":"en"}"#), SetError::Channel("CC9".into()));
        assert_eq!(wrong(film, &[cc1; 68].join(",")), SetError::Captions(68));
        assert!(
            matches!(wrong(film, r#"{"channel":"CC1"}"#), SetError::Json(text) if text.contains("language"))
        );
        assert_eq!(wrong(r#"{"file":"a","language":"english"}"#, ""), SetError::Language("english".into()));
        assert_eq!(wrong(r#"{"file":"a","label":"x\"y"}"#, ""), SetError::Label("x\"y".into()));
        assert_eq!(wrong(r#"{"file":"a","label":""}"#, ""), SetError::Label(String::new()));
        let two = r#"{"file":"a","default":true},{"file":"b","default":true}"#;
        assert_eq!(wrong(two, ""), SetError::Defaults { of: "sounds", count: 2 });
        assert_eq!(wrong(r#"{"file":"a","tracks":"video","role":"dub"}"#, ""), SetError::NoSound("a".into()));
        for (json, expected) in [
            (r#"{"file":"a","role":"director"}"#, "unknown variant `director`, expected one of `main`"),
            (r#"{"file":"a","tracks":"text"}"#, "expected one of `all`, `video`, `audio`"),
        ] {
            assert!(matches!(wrong(json, ""), SetError::Json(text) if text.contains(expected)), "{json}");
        }
    }

    #[test]
    fn a_directory_is_the_films_sound_and_subtitles_in_it() {
        let set = |names: &[&str]| Set::of_directory(names.iter().map(|it| (*it).to_owned()).collect());
        let all = set(&[
            "notes.txt",
            "720.mp4",
            "360.MP4",
            ".hidden.mp4",
            "de.m4a",
            "en.vtt",
            "film.de.forced.srt",
            "x.y.z.vtt",
        ]);
        let all = all.unwrap();
        assert_eq!(all.files().collect::<Vec<_>>(), ["360.MP4", "720.mp4", "de.m4a"]);
        let seen: Vec<_> =
            all.subtitles().iter().map(|it| (it.about.language.tag(), it.about.purpose)).collect();
        assert_eq!(seen, [("en", Purpose::Dialogue), ("de", Purpose::Forced)]);
        assert_eq!(set(&["notes.txt"]), Err(SetError::Count(0)));
    }

    #[test]
    fn the_comma_form_names_the_same_files() {
        let files = |name| Set::from_commas(name).map(|it| it.map(|set| set.files));
        assert_eq!(files("film_,360,720,.mp4"), Some(Ok(vec!["film_360.mp4".into(), "film_720.mp4".into()])));
        assert_eq!(files("film_,360,.mp4"), Some(Ok(vec!["film_360.mp4".into()])));
        assert_eq!(files("film.mp4"), None);
        let names = ["film_,360,720,.mp4", "film,,_sd,.mp4", ",a,b,.mp4"].map(Set::name_of_commas);
        assert_eq!(names, [Some("film.mp4".into()), Some("film.mp4".into()), None]);
        assert_eq!(files("a,b"), None);
        assert_eq!(files(",../x,.mp4"), Some(Err(SetError::Name("../x.mp4".into()))));
    }
}
