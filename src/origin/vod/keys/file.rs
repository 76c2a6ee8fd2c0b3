//! Keys of a file, in TOML.
//!
//! ```toml
//! [[key]]
//! title = "/films/*"
//! kid = "00112233445566778899aabbccddeeff"
//! key = "0123456789abcdef0123456789abcdef"
//! ```

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use config::units::PathPattern;
use packager::protect::{ContentKey, KeyId};
use serde::Deserialize;

use super::{Edition, Found, Wanted};

/// Octets of a file of keys: ten thousand keys, and then some.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// What is read of a file as long as it stays as it is.
type Read = (SystemTime, Arc<Result<Vec<Entry>, String>>);

pub(super) struct KeysFile {
    path: PathBuf,
    read: Mutex<Option<Read>>,
}

/// One key.
struct Entry {
    title: PathPattern,
    key: ContentKey,
    /// None: both.
    track: Option<Track>,
    period: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    key: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    title: String,
    kid: String,
    key: String,
    iv: Option<String>,
    track: Option<Track>,
    #[serde(default)]
    period: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Track {
    Video,
    Audio,
}

impl KeysFile {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, read: Mutex::new(None) }
    }

    /// When the file was last written.
    pub(super) async fn edition(&self) -> Edition {
        tokio::fs::metadata(&self.path).await.and_then(|it| it.modified()).ok()
    }

    pub(super) async fn keys(&self, wanted: Wanted<'_>) -> Result<Found, String> {
        let entries = self.entries().await?;
        let entries = entries.as_ref().as_ref().map_err(Clone::clone)?;
        let path = format!("/{}", wanted.title);
        let key = |track, period| {
            let mut fitting = entries.iter().filter(|it| {
                it.title.matches(&path) && it.period == period && it.track.is_none_or(|it| it == track)
            });
            let missing = || {
                let name = self.path.display();
                let period = if wanted.periods > 1 { format!(", period {period}") } else { String::new() };
                format!("{name} has no key for {path:?}{period}; add a [[key]] whose title matches")
            };
            fitting.next().map(|it| it.key.clone()).ok_or_else(missing)
        };
        let pair = |period| {
            let pictures = key(Track::Video, period)?;
            let sound = if wanted.separate { key(Track::Audio, period)? } else { pictures.clone() };
            Ok::<_, String>([pictures, sound])
        };
        let periods = (0..wanted.periods).map(pair).collect::<Result<_, _>>()?;
        Ok(Found { periods, ..Found::default() })
    }

    async fn entries(&self) -> Result<Arc<Result<Vec<Entry>, String>>, String> {
        let unreadable = |error: &dyn std::fmt::Display| format!("{}: {error}", self.path.display());
        let modified = self.edition().await.ok_or_else(|| unreadable(&"it cannot be read"))?;
        let kept = || self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, entries)) = kept().as_ref().filter(|it| it.0 == modified) {
            return Ok(Arc::clone(entries));
        }
        let length = tokio::fs::metadata(&self.path).await.map_err(|it| unreadable(&it))?.len();
        if length > MAX_FILE {
            return Err(unreadable(&format!("it has {length} bytes, more than {MAX_FILE}")));
        }
        let text = tokio::fs::read_to_string(&self.path).await.map_err(|it| unreadable(&it))?;
        let entries = Arc::new(parse(&text).map_err(|it| unreadable(&it)));
        *kept() = Some((modified, Arc::clone(&entries)));
        Ok(entries)
    }
}

/// Reads the file. What is wrong is told without a key in it.
fn parse(text: &str) -> Result<Vec<Entry>, String> {
    let place = |at: usize| format!("line {}", text.get(..at).unwrap_or_default().lines().count().max(1));
    let document: Document = toml::from_str(text).map_err(|it| {
        format!("{}: {}", it.span().map_or_else(String::new, |it| place(it.start)), it.message())
    })?;
    document
        .key
        .into_iter()
        .enumerate()
        .map(|(at, it)| it.read().map_err(|it| format!("[[key]] {}: {it}", at + 1)))
        .collect()
}

impl Table {
    fn read(self) -> Result<Entry, String> {
        let octets = |name: &str, text: &str| {
            KeyId::parse(text).map(|it| it.0).ok_or_else(|| format!("{name} has 32 hexadecimal digits"))
        };
        let title = PathPattern::new(&self.title).map_err(|it| format!("title: {it}"))?;
        let iv = self.iv.map(|it| octets("iv", &it)).transpose()?;
        let key = ContentKey::new(KeyId(octets("kid", &self.kid)?), octets("key", &self.key)?, iv);
        Ok(Entry { title, key, track: self.track, period: self.period })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KID: &str = "00112233-4455-6677-8899-aabbccddeeff";
    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn table(rest: &str) -> String {
        format!("[[key]]\nkid = \"{KID}\"\nkey = \"{KEY}\"\n{rest}\n")
    }

    async fn keys(
        text: &str,
        title: &str,
        periods: usize,
        separate: bool,
    ) -> Result<Vec<[KeyId; 2]>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let found = KeysFile::new(file.path().to_owned()).keys(Wanted { title, periods, separate }).await;
        let name = file.path().display().to_string();
        found
            .map(|it| it.periods.into_iter().map(|it| it.map(|it| it.id)).collect())
            .map_err(|it| it.replace(&name, "keys.toml"))
    }

    #[tokio::test]
    async fn the_first_key_that_fits_holds() {
        let other = "[[key]]\nkid = \"11112233445566778899aabbccddeeff\"\nkey = \"1123456789abcdef0123456789abcdef\"\n";
        let text = format!("{}{other}title = \"/*\"\n", table("title = \"/films/*\""));
        let id = |text| KeyId::parse(text).unwrap();
        let other = id("11112233445566778899aabbccddeeff");
        assert_eq!(keys(&text, "films/a.mp4", 1, true).await, Ok(vec![[id(KID); 2]]));
        assert_eq!(keys(&text, "other.mp4", 1, false).await, Ok(vec![[other; 2]]));
        let tracks = table("title = \"/*\"\ntrack = \"video\"");
        assert_eq!(keys(&tracks, "a.mp4", 1, false).await, Ok(vec![[id(KID); 2]]));
        let missing = "keys.toml has no key for \"/a.mp4\"; add a [[key]] whose title matches";
        assert_eq!(keys(&tracks, "a.mp4", 1, true).await, Err(missing.into()));
        let missing = "keys.toml has no key for \"/a.mp4\", period 1; add a [[key]] whose title matches";
        assert_eq!(keys(&tracks, "a.mp4", 2, false).await, Err(missing.into()));
    }

    #[tokio::test]
    async fn a_mistake_is_told_with_its_place_and_without_a_key() {
        let told = async |text: &str| {
            let told = keys(text, "a.mp4", 1, false).await.unwrap_err();
            assert!(!told.contains(KEY), "{told}");
            told
        };
        let short = table("title = \"/*\"").replace(KEY, "0123");
        assert_eq!(told(&short).await, "keys.toml: [[key]] 1: key has 32 hexadecimal digits");
        let unknown = told(&table("titel = \"/*\"")).await;
        assert!(unknown.starts_with("keys.toml: line 3: unknown field `titel`"), "{unknown}");
        assert!(told(&table("title = \"/*\"\ntrack = \"text\"")).await.contains("unknown variant `text`"));
        assert!(told("[[key]").await.starts_with("keys.toml: line 1: "));
    }

    #[tokio::test]
    async fn a_changed_file_is_read_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let keys = KeysFile::new(file.path().to_owned());
        let wanted = Wanted { title: "a.mp4", periods: 1, separate: false };
        assert!(keys.keys(wanted).await.is_err());
        std::fs::write(file.path(), table("title = \"/*\"")).unwrap();
        std::fs::File::open(file.path()).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(keys.edition().await, Some(SystemTime::UNIX_EPOCH));
        assert!(keys.keys(wanted).await.is_ok());
    }
}
