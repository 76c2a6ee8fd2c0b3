//! What a response's `Cache-Control` says, or the field in its place that is meant for us (http-edge.md 1, 10).

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::time::Duration;

use http::HeaderMap;
use http::header::CACHE_CONTROL;

/// Larger lifetimes are this one (RFC 9111 1.2.2).
const LONGEST: u64 = 1 << 31;

/// Fields that are meant for caches such as ours, the closest first.
const TARGETED: [&str; 2] = ["levada-cache-control", "cdn-cache-control"];

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
    /// `must-revalidate` or `proxy-revalidate`.
    pub(super) must_revalidate: bool,
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

    /// Of a structured dictionary (RFC 9213 2.1): one member that cannot be read, and the field does not count.
    fn targeted(headers: &HeaderMap, name: &str) -> Option<Self> {
        let mut it = Self { targeted: true, ..Self::default() };
        let mut is_empty = true;
        for line in headers.get_all(name) {
            let mut rest = line.as_bytes();
            while !rest.is_empty() {
                let (member, after) = split_member(rest);
                let member = member.trim_ascii();
                is_well_formed(member).then(|| it.read(member))?;
                (is_empty, rest) = (false, after);
            }
        }
        (!is_empty).then_some(it)
    }

    fn untargeted(headers: &HeaderMap) -> Self {
        let mut it = Self::default();
        for line in headers.get_all(CACHE_CONTROL) {
            let mut rest = line.as_bytes();
            while !rest.is_empty() {
                let (member, after) = split_member(rest);
                it.read(member.trim_ascii());
                rest = after;
            }
        }
        it
    }

    /// Whether a stored answer may be reused without asking.
    pub(super) const fn forbid_reuse(&self) -> bool {
        self.no_store || self.no_cache || self.private
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
        match name.to_ascii_lowercase().as_slice() {
            b"no-store" => self.no_store = true,
            b"no-cache" => self.no_cache = true,
            b"private" => self.private = true,
            b"public" => self.public = true,
            b"max-age" => shorter(&mut self.max_age, seconds(argument)),
            b"s-maxage" => shorter(&mut self.s_maxage, seconds(argument)),
            b"must-revalidate" | b"proxy-revalidate" => self.must_revalidate = true,
            b"stale-while-revalidate" => shorter(&mut self.stale_while_revalidate, seconds(argument)),
            b"stale-if-error" => shorter(&mut self.stale_if_error, seconds(argument)),
            _ => {}
        }
    }
}

/// Whether a member of a dictionary is a key, alone or with a value of the type that its meaning needs.
fn is_well_formed(member: &[u8]) -> bool {
    let mut halves = member.splitn(2, |&it| it == b'=');
    let (key, value) = (halves.next().unwrap_or_default(), halves.next());
    let begins = key.first().is_some_and(|it| it.is_ascii_lowercase() || *it == b'*');
    let goes_on = key.iter().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || b"_-.*".contains(it));
    let is_integer = |it: &[u8]| (1..=15).contains(&it.len()) && it.iter().all(u8::is_ascii_digit);
    let fits = match key {
        b"max-age" | b"s-maxage" | b"stale-while-revalidate" | b"stale-if-error" => {
            value.is_some_and(|it| is_integer(it.strip_prefix(b"-").unwrap_or(it)))
        }
        b"no-store" | b"no-cache" | b"private" | b"must-revalidate" | b"proxy-revalidate" => value.is_none(),
        _ => value.is_none_or(|it| it.iter().all(u8::is_ascii_graphic)),
    };
    begins && goes_on && fits
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
fn seconds(argument: Option<&[u8]>) -> Duration {
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

/// The same directive twice: the smallest counts.
fn shorter(known: &mut Option<Duration>, new: Duration) {
    *known = Some(known.map_or(new, |it| it.min(new)));
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

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
    fn max_age_is_digits_as_a_token_or_quoted() {
        check_max_age("max-age=60", Some(60));
        check_max_age("MAX-AGE=0060", Some(60));
        check_max_age("max-age=\"60\"", Some(60));
        check_max_age("public, max-age=60,, immutable", Some(60));
        check_max_age("max-age=99999999999999999999999", Some(LONGEST));
        check_max_age("public", None);
    }

    #[test]
    fn what_is_no_number_is_stale() {
        for line in
            ["max-age=-1", "max-age=1.5", "max-age=", "max-age", "max-age=x60", "max-age=60x", "max-age='60'"]
        {
            check_max_age(line, Some(0));
        }
    }

    #[test]
    fn white_space_around_the_sign_makes_the_directive_invalid() {
        check_max_age("max-age =60", None);
        check_max_age("max-age= 60", None);
    }

    #[test]
    fn a_directive_inside_quotes_is_none() {
        check_max_age("extension=\"max-age=60, no-store\"", None);
        assert!(!directives(&["extension=\"a\\\", no-store\""]).no_store);
        assert!(directives(&["extension=\"a\\\"\", no-store"]).no_store);
    }

    #[test]
    fn the_stricter_of_two_counts() {
        check_max_age("max-age=60, max-age=30", Some(30));
        let it = directives(&["max-age=60", "No-Store, private=\"x-secret\""]);
        assert!(it.no_store && it.private && it.forbid_reuse());
    }
}
