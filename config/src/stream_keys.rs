//! Files of stream keys: which secret key publishes under which public name.
//!
//! ```toml
//! "7fTq-ws92-kd03" = "main-stage"
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::document::{Table, Value};
use crate::problem::{Problem, Problems};
use crate::units::Secret;
use crate::value;

/// Public names by secret key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamKeys(BTreeMap<Secret, String>);

impl StreamKeys {
    /// Reads lines of `"key" = "name"`; `file` is how problems call it.
    ///
    /// # Errors
    /// Every line that is wrong, by number, since a key is never printed.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        let file: Arc<str> = file.into();
        let table = Table::parse(text, &file).map_err(Problems::new)?;
        let mut names = BTreeMap::new();
        let mut problems = Vec::new();
        for (key, node) in table.entries {
            let mut report = |wrong: &str, remedy: &str| {
                let (wrong, remedy) = (wrong.to_owned(), remedy.to_owned());
                problems.push(Problem { place: node.place.clone(), key: String::new(), wrong, remedy });
            };
            match &node.value {
                _ if key.len() < SHORTEST_KEY => {
                    report("the key is shorter than 8 characters", "write one that nobody guesses")
                }
                Value::Text(name) if value::name(name).is_ok() => {
                    names.insert(Secret::new(key), name.clone());
                }
                Value::Text(_) => {
                    report(
                        "this cannot be a name",
                        "write 1 to 128 of A-Z a-z 0-9 - _ . ~, not beginning with a dot",
                    );
                }
                _ => report("the name is not a text", "write \"secret key\" = \"public-name\""),
            }
        }
        if problems.is_empty() { Ok(Self(names)) } else { Err(Problems::new(problems)) }
    }

    /// Every key with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&Secret, &str)> {
        self.0.iter().map(|(key, name)| (key, name.as_str()))
    }
}

/// Whoever tries keys over RTMP is slow, but not that slow.
const SHORTEST_KEY: usize = 8;
