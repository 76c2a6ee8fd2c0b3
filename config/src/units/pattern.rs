//! Path patterns of behaviors (cloudfront.md 2.4).

use std::fmt;
use std::str::FromStr;

/// A CloudFront path pattern: `*` is any run of characters, slashes too; `?` is exactly one; case counts; a leading
/// slash means nothing. Query strings are not looked at.
///
/// Matching takes time in proportion to the path, whatever the pattern: paths come from strangers.
#[derive(Clone, PartialEq, Eq)]
pub struct PathPattern {
    text: String,
    prefix: usize,
    rest: Rest,
}

/// Why a text is no path pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Nothing was written.
    #[error("is empty")]
    Empty,
    /// CloudFront's limit.
    #[error("is longer than 255 characters")]
    TooLong,
    /// A character CloudFront does not allow.
    #[error("has {0:?}, which is none of A-Z a-z 0-9 _ - . * ? $ / ~ \" ' @ : + &")]
    Character(char),
}

const MAX_CHARACTERS: usize = 255;

/// What follows the literal beginning.
#[derive(Clone, PartialEq, Eq)]
enum Rest {
    /// Nothing: the path ends here.
    Nothing,
    /// One `*`, as in `/live/*`, the shape of nearly every pattern: anything may follow.
    Anything,
    /// More wildcards.
    Steps(Steps),
}

impl PathPattern {
    /// Checks and compiles a pattern.
    ///
    /// # Errors
    /// [`Invalid`] when CloudFront would not take it.
    pub fn new(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Err(Invalid::Empty);
        }
        if let Some(other) = text.chars().find(|&it| !is_legal(it)) {
            return Err(Invalid::Character(other));
        }
        if text.len() > MAX_CHARACTERS {
            return Err(Invalid::TooLong);
        }
        let bare = without_slash(text);
        let (prefix, wild) = bare.split_at(bare.find(['*', '?']).unwrap_or(bare.len()));
        let rest = match wild {
            "" => Rest::Nothing,
            "*" => Rest::Anything,
            wild => Rest::Steps(Steps::compile(wild)),
        };
        Ok(Self { text: text.to_owned(), prefix: prefix.len(), rest })
    }

    /// `*`, the pattern of every default behavior.
    pub fn everything() -> Self {
        Self { text: "*".to_owned(), prefix: 0, rest: Rest::Anything }
    }

    /// Whether it matches the whole of `path`, as the viewer sent it and without its query.
    pub fn matches(&self, path: &str) -> bool {
        let Some(rest) = without_slash(path).strip_prefix(self.prefix()) else { return false };
        match &self.rest {
            Rest::Nothing => rest.is_empty(),
            Rest::Anything => true,
            Rest::Steps(steps) => steps.match_whole(rest),
        }
    }

    /// The directory that every matching path lies in, with both slashes: `/live/` for `/live/*` and for
    /// `live/a?.mp4`; `/` when the first segment already has a wildcard.
    pub fn literal_prefix(&self) -> String {
        let directory = self.prefix().rfind('/').map_or("", |at| &self.prefix()[..=at]);
        format!("/{directory}")
    }

    /// As the operator wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands before the first wildcard, the leading slash aside.
    fn prefix(&self) -> &str {
        &without_slash(&self.text)[..self.prefix]
    }
}

impl FromStr for PathPattern {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::new(text)
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PathPattern({:?})", self.text)
    }
}

fn without_slash(path: &str) -> &str {
    path.strip_prefix('/').unwrap_or(path)
}

const fn is_legal(it: char) -> bool {
    it.is_ascii_alphanumeric()
        || matches!(it, '_' | '-' | '.' | '*' | '?' | '$' | '/' | '~' | '"' | '\'' | '@' | ':' | '+' | '&')
}

/// The wildcards as a machine with one step per character other than `*`, run in all its states at once: bit `n` of a
/// state set says that `n` steps were taken. So a path can make it do no more than a few operations per character.
#[derive(Clone, PartialEq, Eq)]
struct Steps {
    /// By ASCII character: the states whose next step takes it.
    taking: Vec<States>,
    /// The states whose next step takes any character.
    taking_any: States,
    /// The states in which a `*` lets any character pass.
    idle: States,
    /// How many steps there are.
    count: usize,
}

impl Steps {
    fn compile(wild: &str) -> Self {
        let mut steps =
            Self { taking: vec![States::NONE; 128], taking_any: States::NONE, idle: States::NONE, count: 0 };
        for character in wild.bytes() {
            match character {
                b'*' => steps.idle.insert(steps.count),
                b'?' => steps.taking_any.insert(steps.count),
                other => steps.taking[usize::from(other)].insert(steps.count),
            }
            steps.count += usize::from(character != b'*');
        }
        steps
    }

    fn match_whole(&self, text: &str) -> bool {
        let mut states = States::NONE;
        states.insert(0);
        for character in text.chars() {
            let literal = self.taking.get(character as usize).copied().unwrap_or(States::NONE);
            states = states.and(literal.or(self.taking_any)).advanced().or(states.and(self.idle));
            if states == States::NONE {
                return false;
            }
        }
        states.has(self.count)
    }
}

/// A set of states; 255 characters make at most 256 of them.
#[derive(Clone, Copy, PartialEq, Eq)]
struct States([u64; 4]);

impl States {
    const NONE: Self = Self([0; 4]);

    const fn insert(&mut self, state: usize) {
        self.0[state / 64] |= 1 << (state % 64);
    }

    const fn has(self, state: usize) -> bool {
        self.0[state / 64] & (1 << (state % 64)) != 0
    }

    fn and(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] & other.0[at]))
    }

    fn or(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] | other.0[at]))
    }

    /// One step further, each.
    fn advanced(self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] << 1 | if at == 0 { 0 } else { self.0[at - 1] >> 63 }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(pattern: &str, matching: &[&str], other: &[&str]) {
        let compiled = PathPattern::new(pattern).unwrap();
        for path in matching {
            assert!(compiled.matches(path), "{pattern} should match {path}");
        }
        for path in other {
            assert!(!compiled.matches(path), "{pattern} should not match {path}");
        }
    }

    #[test]
    fn the_examples_of_cloudfront_match_as_documented() {
        check(
            "images/*.jpg",
            &["/images/a.jpg", "/images/sub/b.jpg", "/images/.jpg"],
            &["/images/a.gif", "/a.jpg"],
        );
        check("a*.jpg", &["/apple.jpg", "/abra/cadabra/magic.jpg"], &["/bapple.jpg", "/apple.jpg/"]);
        check("a??.jpg", &["/ant.jpg", "/abe.jpg"], &["/a.jpg", "/anna.jpg"]);
        check("*.doc*", &["/a.doc", "/b.docx", "/c/d.docm"], &["/a.do"]);
        check("*.jpg", &["/logo.jpg"], &["/LOGO.JPG"]);
    }

    #[test]
    fn a_leading_slash_means_nothing() {
        check("/live/*", &["/live/", "live/a"], &["/live", "//live/a"]);
        check("live/*", &["/live/a/b"], &["/alive/a"]);
        check("/", &["/", ""], &["/a"]);
        check("*", &["/", "", "/a/b.c"], &[]);
    }

    #[test]
    fn a_question_mark_is_one_character_even_of_several_bytes() {
        check("/a?c", &["/abc", "/a/c", "/a\u{e9}c"], &["/ac", "/abbc"]);
    }

    #[test]
    fn the_literal_prefix_is_a_directory() {
        let prefix = |text: &str| PathPattern::new(text).unwrap().literal_prefix();
        assert_eq!(prefix("/vod/*"), "/vod/");
        assert_eq!(prefix("vod/film_*.mp4/*"), "/vod/");
        assert_eq!(prefix("/a/b.mp4"), "/a/");
        assert_eq!(prefix("*.m3u8"), "/");
        assert_eq!(PathPattern::everything().literal_prefix(), "/");
    }

    #[test]
    fn what_cloudfront_would_not_take_is_refused() {
        assert_eq!(PathPattern::new(""), Err(Invalid::Empty));
        assert_eq!(PathPattern::new("/a b"), Err(Invalid::Character(' ')));
        assert_eq!(PathPattern::new("/%41"), Err(Invalid::Character('%')));
        assert_eq!(PathPattern::new(&"a".repeat(256)), Err(Invalid::TooLong));
        assert!(PathPattern::new(&"?".repeat(255)).unwrap().matches(&"x".repeat(255)));
    }

    /// The rules word by word, in exponential time.
    fn naive(pattern: &[char], path: &[char]) -> bool {
        match (pattern, path) {
            ([], []) => true,
            (['*', rest @ ..], _) => naive(rest, path) || (!path.is_empty() && naive(pattern, &path[1..])),
            (['?', pattern @ ..], [_, path @ ..]) => naive(pattern, path),
            ([one, pattern @ ..], [other, path @ ..]) => one == other && naive(pattern, path),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn compiled_and_naive_agree(pattern in "[ab/*?]{1,9}", path in "/?[ab/]{0,12}") {
            let compiled = PathPattern::new(&pattern).unwrap();
            let letters = |text: &str| without_slash(text).chars().collect::<Vec<_>>();
            prop_assert_eq!(compiled.matches(&path), naive(&letters(&pattern), &letters(&path)));
        }

        #[test]
        fn every_matching_path_lies_in_the_literal_prefix(pattern in "[ab/*?]{1,9}", path in "/[ab/]{0,12}") {
            let compiled = PathPattern::new(&pattern).unwrap();
            prop_assert!(!compiled.matches(&path) || path.starts_with(&compiled.literal_prefix()));
        }

        #[test]
        fn more_than_a_word_of_states_is_no_different(count in 60_usize..250, tail in "[ab]{0,3}") {
            let compiled = PathPattern::new(&format!("*{}b", "a".repeat(count))).unwrap();
            let path = format!("/{}{tail}", "a".repeat(count + 3));
            prop_assert_eq!(compiled.matches(&path), tail == "b" || tail == "ab" || tail == "aab");
        }
    }
}
