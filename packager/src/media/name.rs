//! Public names of broadcasts.

use std::fmt;
use std::sync::Arc;

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing was left of it.
    #[error("the name is empty")]
    Empty,
    /// Longer than the bound of 128 bytes.
    #[error("the name is longer than {MAX_NAME} bytes")]
    TooLong,
    /// A character outside letters, digits, `-`, `_`, `.` and (within a name) `~`, or a leading dot.
    #[error("the name has a character at byte {0} that is none of A-Z a-z 0-9 - _ . ~, or begins with a dot")]
    Character(usize),
}

/// Names become path segments, file names in the state directory and metric labels; no real one is longer.
const MAX_NAME: usize = 128;

fn check(text: &str) -> Result<Arc<str>, InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::Empty);
    }
    if text.len() > MAX_NAME {
        return Err(InvalidName::TooLong);
    }
    let legal = |at: usize, byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') || (byte == b'.' && at > 0)
    };
    match text.bytes().enumerate().find(|&(at, byte)| !legal(at, byte)) {
        Some((at, _)) => Err(InvalidName::Character(at)),
        None => Ok(text.into()),
    }
}

/// The application half of a broadcast's name, such as `live`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppName(Arc<str>);

impl AppName {
    /// Checks a text.
    ///
    /// # Errors
    /// [`InvalidName`] when it could not stand in a path.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        check(text).map(Self)
    }

    /// As written in paths.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The public name of a broadcast, `{app}/{name}`; prints so. Never a stream key.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BroadcastName {
    app: AppName,
    name: Arc<str>,
}

impl BroadcastName {
    /// `name` within `app`.
    ///
    /// # Errors
    /// [`InvalidName`] when `name` could not stand in a path.
    pub fn new(app: AppName, name: &str) -> Result<Self, InvalidName> {
        Ok(Self { app, name: check(name)? })
    }

    /// The application half.
    pub const fn app(&self) -> &AppName {
        &self.app
    }

    /// The half after the slash.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for BroadcastName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.app, self.name)
    }
}

impl fmt::Debug for BroadcastName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_climb_out_of_a_path_is_refused() {
        let name =
            |text: &str| BroadcastName::new(AppName::new("live").unwrap(), text).map(|it| it.to_string());
        assert_eq!(name("match-1.main"), Ok("live/match-1.main".into()));
        assert_eq!(name(""), Err(InvalidName::Empty));
        assert_eq!(name(".."), Err(InvalidName::Character(0)));
        assert_eq!(name("a/b"), Err(InvalidName::Character(1)));
        assert_eq!(name(&"a".repeat(129)), Err(InvalidName::TooLong));
    }
}
