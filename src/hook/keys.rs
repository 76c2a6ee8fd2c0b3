//! Stream keys of a file: lines of TOML, `"secret key" = "public name"`.

use std::collections::HashMap;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use config::problem::Problems;
use config::stream_keys::StreamKeys;

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
    /// Every line an operator has to mend; none quotes a key.
    pub fn load(file: &Path) -> Result<Self, Problems> {
        config::load_stream_keys(file).map(|it| Self::new(&it))
    }

    fn new(keys: &StreamKeys) -> Self {
        let listed: Vec<_> =
            keys.iter().map(|(key, name)| (key.reveal().to_owned(), name.to_owned())).collect();
        let names = listed.iter().map(|(key, name)| (hash(key), name.clone())).collect();
        Self { names, listed }
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
        let text = "\"secret-of-match\" = \"match\"\n\"another-secret\" = \"talk\"\n";
        let keys = Keys::new(&StreamKeys::parse("keys.toml", text).unwrap());
        assert_eq!(keys.name("secret-of-match", None), Some("match"));
        assert_eq!(keys.name("match", Some("secret-of-match")), Some("match"));
        assert_eq!(keys.name("talk", Some("secret-of-match")), None);
        assert_eq!(keys.name("match", None), None);
        assert_eq!(keys.name("match", Some("wrong")), None);
    }
}
