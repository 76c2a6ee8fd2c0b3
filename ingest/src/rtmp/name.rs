//! What an encoder's application and stream name mean (live.md 1.1). Encoders split one URL in many ways.

use std::fmt;

/// A query string, as it came, without the question mark. It may hold a key or a signature, so it does not print.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Query(String);

impl Query {
    /// The value of a parameter, as it came; percent signs are not resolved.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.pairs().find(|&(key, _)| key == name).map(|(_, value)| value)
    }

    /// All parameters, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    /// As it came.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.pairs().map(|(key, _)| key)).finish()
    }
}
