//! Stream keys of a file: lines of TOML, `"secret key" = "public name"`.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use packager::media::{AppName, BroadcastName};

/// A million keys of common length; a larger file was not meant.
const MAX_FILE: u64 = 64 << 20;

/// What an operator has to mend in a file of stream keys. Never quotes a key.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {why}")]
pub struct UnusableKeys {
    file: String,
    why: String,
}

impl UnusableKeys {
    pub(super) fn new(file: &Path, why: &dyn ToString) -> Self {
        Self { file: file.display().to_string(), why: why.to_string() }
    }
}

/// Stream keys and the names they publish under.
///
/// Keys are looked up by their SHA-256, so that the time of a lookup tells nothing of a key.
pub struct Keys {
    names: HashMap<[u8; 32], String>,
    listed: Vec<(String, String)>,
}

impl Keys {
    /// Reads a file.
    ///
    /// # Errors
    /// [`UnusableKeys`] when it cannot be read, is no such TOML, or gives a name that cannot be one.
    pub fn load(file: &Path) -> Result<Self, UnusableKeys> {
        let unusable = |why: &dyn ToString| UnusableKeys::new(file, why);
        let length = fs::metadata(file).map_err(|error| unusable(&error))?.len();
        if length > MAX_FILE {
            return Err(unusable(&"it is larger than 64 MiB and so no file of stream keys"));
        }
        let text = fs::read_to_string(file).map_err(|error| unusable(&error))?;
        Self::read(&text).map_err(|why| unusable(&why))
    }

    fn read(text: &str) -> Result<Self, String> {
        let pairs: BTreeMap<String, String> = toml::from_str(text).map_err(|error| {
            // The library's own message quotes the line, and with it a key.
            let line =
                error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            format!("line {line} is not `\"stream key\" = \"public name\"`: {}", error.message())
        })?;
        let app = AppName::new("live").expect("this is a legal name");
        for name in pairs.values() {
            BroadcastName::new(app.clone(), name)
                .map_err(|why| format!("the public name {name:?}: {why}"))?;
        }
        if pairs.keys().any(|key| key.len() < 8) {
            return Err("a stream key has fewer than 8 characters, which can be guessed".into());
        }
        let names = pairs.iter().map(|(key, name)| (hash(key), name.clone())).collect();
        Ok(Self { names, listed: pairs.into_iter().collect() })
    }

    /// The public name behind a stream key: given as the stream's name, or as `{name}?key=…`.
    pub fn name(&self, stream: &str, key: Option<&str>) -> Option<&str> {
        match key {
            None => self.names.get(&hash(stream)).map(String::as_str),
            Some(key) => self.names.get(&hash(key)).map(String::as_str).filter(|name| *name == stream),
        }
    }

    /// Keys and names, for the operator's eyes.
    pub fn listed(&self) -> Vec<(String, String)> {
        self.listed.clone()
    }
}

fn hash(key: &str) -> [u8; 32] {
    digest(&SHA256, key.as_bytes()).as_ref().try_into().expect("SHA-256 gives 32 octets")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_its_own_name_alone() {
        let keys = Keys::read("\"secret-of-match\" = \"match\"\n\"another-secret\" = \"talk\"\n").unwrap();
        assert_eq!(keys.name("secret-of-match", None), Some("match"));
        assert_eq!(keys.name("match", Some("secret-of-match")), Some("match"));
        assert_eq!(keys.name("talk", Some("secret-of-match")), None);
        assert_eq!(keys.name("match", None), None);
        assert_eq!(keys.name("match", Some("wrong")), None);
    }

    #[test]
    fn a_broken_file_is_told_by_line_and_never_quoted() {
        let check = |text: &str, part: &str| {
            let why = Keys::read(text).err().expect("it is broken");
            assert!(why.contains(part) && !why.contains("secret-of"), "{why}");
        };
        check("\"secret-of-match\" = \"match\"\n\"secret-of-talk\" = 7\n", "line 2");
        check("\"secret-of-match\" = \"match\"\n\"secret-of-match\" = \"talk\"\n", "line 2");
        check("\"secret-of-match\" = \"../match\"\n", "../match");
        check("\"short\" = \"match\"\n", "fewer than 8");
    }
}
