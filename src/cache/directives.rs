//! What a response's `Cache-Control` says, or the field in its place that is meant for us (http-edge.md 1, 10).

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::time::Duration;

use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue};

use super::dictionary::{self, Value};

/// Larger lifetimes are this one (RFC 9111 1.2.2).
const LONGEST: u64 = 1 << 31;

/// Fields that are meant for caches such as ours, the closest first.
const TARGETED: [&str; 2] = ["levada-cache-control", "cdn-cache-control"];

/// Directives that say for how long.
const SECONDS: [&[u8]; 4] = [b"max-age", b"s-maxage", b"stale-while-revalidate", b"stale-if-error"];

/// Directives that stand for themselves.
const FLAGS: [&[u8]; 7] = [
    b"no-store",
    b"no-cache",
    b"private",
    b"public",
    b"must-revalidate",
    b"proxy-revalidate",
    b"must-understand",
];

/// The directives a shared cache obeys.
///
/// The forms of `private` and `no-cache` that name fields are read as the plain ones, the most careful reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Directives {
    pub(super) no_store: bool,
    pub(super) no_cache: bool,
    pub(super) private: bool,
    pub(super) public: bool,
    /// Zero when it was there and could not be read.
    pub(super) max_age: Option<Duration>,
    /// Zero when it was there and could not be read.
    pub(super) s_maxage: Option<Duration>,
    /// A field meant for caches such as ours said it: `Expires` does not count.
    pub(super) targeted: bool,
    pub(super) must_revalidate: bool,
    pub(super) proxy_revalidate: bool,
    /// Only who knows what the status means may store it; who does need not heed `no-store`.
    pub(super) must_understand: bool,
    /// Zero when it was there and could not be read.
    pub(super) stale_while_revalidate: Option<Duration>,
    /// Zero when it was there and could not be read.
    pub(super) stale_if_error: Option<Duration>,
}

impl Directives {
    /// Of the first targeted field that can be read; else of `Cache-Control`.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        TARGETED
            .iter()
            .find_map(|it| Self::targeted(headers, it))
            .unwrap_or_else(|| Self::untargeted(headers))
    }

    /// Of a structured dictionary (RFC 9213 2.1): one member that cannot be read or has the wrong type, and the field
    /// does not count.
    fn targeted(headers: &HeaderMap, name: &str) -> Option<Self> {
        let members = dictionary::parse(headers.get_all(name).iter().map(HeaderValue::as_bytes))?;
        let mut it = Self { targeted: true, ..Self::default() };
        for &(key, value) in &members {
            match (SECONDS.contains(&key), FLAGS.contains(&key), value) {
                (true, _, Value::Integer(seconds)) => {
                    it.obey(key, Duration::from_secs(u64::try_from(seconds).unwrap_or(0).min(LONGEST)));
                }
                (_, true, Value::Boolean(is_said)) if is_said => it.obey(key, Duration::ZERO),
                (_, true, Value::Boolean(_)) | (false, false, _) => {}
                _ => return None,
            }
        }
        (!members.is_empty()).then_some(it)
    }

    fn untargeted(headers: &HeaderMap) -> Self {
        let mut it = Self::default();
        for member in headers.get_all(CACHE_CONTROL).iter().flat_map(members) {
            it.read(member);
        }
        it
    }

    /// Whether a stored answer may be reused without asking.
    pub(super) const fn forbid_reuse(&self) -> bool {
        self.no_store || self.no_cache || self.private
    }

    /// Whether a stored answer may not be given stale, whatever becomes of its origin.
    pub(super) const fn forbid_stale(&self) -> bool {
        self.must_revalidate || self.proxy_revalidate || self.s_maxage.is_some() || self.forbid_reuse()
    }

    fn read(&mut self, member: &[u8]) {
        let mut halves = member.splitn(2, |&it| it == b'=');
        let name = halves.next().unwrap_or_default();
        let argument = halves.next();
        // White space around the `=` makes a directive invalid; it is not guessed at.
        if name.last().is_some_and(u8::is_ascii_whitespace)
            || argument.and_then(|it| it.first()).is_some_and(u8::is_ascii_whitespace)
        {
            return;
        }
        self.obey(&name.to_ascii_lowercase(), seconds(argument));
    }

    /// Takes a directive by its name, with its seconds where it has some.
    fn obey(&mut self, name: &[u8], seconds: Duration) {
        match name {
            b"no-store" => self.no_store = true,
            b"no-cache" => self.no_cache = true,
            b"private" => self.private = true,
            b"public" => self.public = true,
            b"max-age" => shorter(&mut self.max_age, seconds),
            b"s-maxage" => shorter(&mut self.s_maxage, seconds),
            b"must-revalidate" => self.must_revalidate = true,
            b"proxy-revalidate" => self.proxy_revalidate = true,
            b"must-understand" => self.must_understand = true,
            b"stale-while-revalidate" => shorter(&mut self.stale_while_revalidate, seconds),
            b"stale-if-error" => shorter(&mut self.stale_if_error, seconds),
            _ => {}
        }
    }
}

/// The members of a list in one line of a field.
pub(super) fn members(line: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let mut rest = line.as_bytes();
    std::iter::from_fn(move || {
        (!rest.is_empty()).then(|| {
            let (member, after) = split_member(rest);
            rest = after;
            member.trim_ascii()
        })
    })
}

/// The first member of a list and what follows its comma; commas inside quotes belong to the member.
fn split_member(list: &[u8]) -> (&[u8], &[u8]) {
    let (mut quoted, mut escaped) = (false, false);
    let comma = list.iter().position(|&octet| {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' => return !quoted,
            _ => {}
        }
        false
    });
    let (member, rest) = list.split_at(comma.unwrap_or(list.len()));
    (member, rest.get(1..).unwrap_or_default())
}

/// A number of seconds as a token or quoted; zero for whatever is none.
pub(super) fn seconds(argument: Option<&[u8]>) -> Duration {
    let text = argument.unwrap_or_default();
    let text = text.strip_prefix(b"\"").and_then(|it| it.strip_suffix(b"\"")).unwrap_or(text);
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Duration::ZERO;
    }
    let value = text.iter().fold(0u64, |sum, digit| {
        sum.saturating_mul(10).saturating_add(u64::from(digit.saturating_sub(b'0')))
    });
    Duration::from_secs(value.min(LONGEST))
}

/// The same directive twice: the smallest counts, also in a dictionary, where RFC 8941 has the last. Who says two
/// lifetimes is not to be believed about the longer.
fn shorter(known: &mut Option<Duration>, new: Duration) {
    *known = Some(known.map_or(new, |it| it.min(new)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directives(lines: &[&'static str]) -> Directives {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CACHE_CONTROL, HeaderValue::from_static(line));
        }
        Directives::of(&headers)
    }

    fn check_max_age(line: &'static str, expected: Option<u64>) {
        assert_eq!(directives(&[line]).max_age, expected.map(Duration::from_secs), "{line}");
    }

    #[test]
    fn section_1_max_age_is_digits_as_a_token_or_quoted() {
        check_max_age("max-age=60", Some(60));
        check_max_age("MAX-AGE=0060", Some(60));
        check_max_age("max-age=\"60\"", Some(60));
        check_max_age("public, max-age=60,, immutable", Some(60));
        check_max_age("max-age=99999999999999999999999", Some(LONGEST));
        check_max_age("public", None);
    }

    #[test]
    fn section_1_what_is_no_number_is_stale() {
        for line in
            ["max-age=-1", "max-age=1.5", "max-age=", "max-age", "max-age=x60", "max-age=60x", "max-age='60'"]
        {
            check_max_age(line, Some(0));
        }
    }

    #[test]
    fn section_1_white_space_around_the_sign_makes_the_directive_invalid() {
        check_max_age("max-age =60", None);
        check_max_age("max-age= 60", None);
    }

    #[test]
    fn section_1_a_directive_inside_quotes_is_none() {
        check_max_age("extension=\"max-age=60, no-store\"", None);
        assert!(!directives(&["extension=\"a\\\", no-store\""]).no_store);
        assert!(directives(&["extension=\"a\\\"\", no-store"]).no_store);
    }

    #[test]
    fn section_1_the_stricter_of_two_counts() {
        check_max_age("max-age=60, max-age=30", Some(30));
        let it = directives(&["max-age=60", "No-Store, private=\"x-secret\""]);
        assert!(it.no_store && it.private && it.forbid_reuse());
    }
}
