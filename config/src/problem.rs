//! What is wrong with a configuration, said so that it can be mended without a manual.

use std::fmt;
use std::sync::Arc;

/// One thing that is wrong, where, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it was written.
    pub place: Place,
    /// The option, as `--set` would name it; empty when it is the file as a whole.
    pub key: String,
    /// What is wrong, as half a sentence. Never quotes a secret.
    pub wrong: String,
    /// What to do about it.
    pub remedy: String,
}

/// Where something was written; problems are sorted by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A line of a file, counted from one.
    File {
        /// As it was named to us.
        file: Arc<str>,
        /// Counted from one; zero is the file as a whole.
        line: u32,
    },
    /// An environment variable.
    Environment(Arc<str>),
    /// The key of a `--set`.
    Set(Arc<str>),
    /// Nobody wrote it: a built-in default.
    BuiltIn,
}

/// Everything that is wrong, in the order it stands in the file, overrides last.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Sorts them by place; equal ones are said once.
    pub fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|one, other| (&one.place, &one.key).cmp(&(&other.place, &other.key)));
        problems.dedup();
        Self(problems)
    }

    /// In order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Problem> {
        self.0.iter()
    }

    /// How many; at least one in an error.
    pub const fn count(&self) -> usize {
        self.0.len()
    }
}

/// A line each.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

/// `levada.toml:12: listen.http: what is wrong; what to do`, which editors can jump to.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}; {}", self.wrong, self.remedy)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line: 0 } => f.write_str(file),
            Self::File { file, line } => write!(f, "{file}:{line}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Set(key) => write!(f, "--set {key}"),
            Self::BuiltIn => f.write_str("built-in default"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(place: Place, key: &str) -> Problem {
        Problem { place, key: key.into(), wrong: "is wrong".into(), remedy: "mend it".into() }
    }

    #[test]
    fn problems_stand_in_the_order_of_the_file_and_once_each() {
        let file = |line| Place::File { file: "levada.toml".into(), line };
        let problems = Problems::new(vec![
            problem(Place::BuiltIn, "origin"),
            problem(Place::Set("listen.http".into()), "listen.http"),
            problem(file(12), "app.live"),
            problem(file(3), "listen.http"),
            problem(file(3), "listen.http"),
            problem(file(0), ""),
        ]);
        assert_eq!(
            problems.to_string(),
            "levada.toml: is wrong; mend it\n\
             levada.toml:3: listen.http: is wrong; mend it\n\
             levada.toml:12: app.live: is wrong; mend it\n\
             --set listen.http: listen.http: is wrong; mend it\n\
             built-in default: origin: is wrong; mend it"
        );
    }
}
