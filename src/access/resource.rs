//! Which URLs the `Resource` of a policy covers (cloudfront.md 1.5).
//!
//! Pattern and URL have four sections: protocol, domain, path, query. A wildcard stays in its section, but for a `*` at
//! the very end of path or domain. A `?` of the pattern is one character or the mark before the query, whatever fits:
//! signers are told to escape the mark as `\?` by one edition of the manual and not to by another.

use std::fmt;

/// A URL as its sections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Url<'a> {
    pub(super) scheme: &'a str,
    /// With its port, when that is not the scheme's default. Lower case.
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
}

impl fmt::Display for Url<'_> {
    /// As a canned policy names it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.host, self.path)?;
        self.query.map_or(Ok(()), |it| write!(f, "?{it}"))
    }
}

/// Whether `resource` covers `url`.
pub(super) fn covers(resource: &str, url: Url<'_>) -> bool {
    if resource == "*" {
        return true;
    }
    let (protocol, rest) = match resource.split_once("://") {
        // A `://` behind the first slash or question mark is part of a path or query.
        Some((protocol, rest)) if !protocol.contains(['/', '?']) => (protocol, rest),
        _ if resource.starts_with('*') => ("*", resource),
        _ => return false,
    };
    if !covers_scheme(protocol, url.scheme) {
        return false;
    }
    let Some(slash) = rest.find('/') else {
        // Without a path, a `*` at the end stands for all paths, and nothing stands for the root.
        let is_whole_url = rest.ends_with('*') || (url.path == "/" && url.query.is_none());
        return is_whole_url && matches(&rest.to_ascii_lowercase(), url.host, None);
    };
    let (domain, target) = rest.split_at(slash);
    matches(&domain.to_ascii_lowercase(), url.host, None) && matches(target, url.path, url.query)
}

/// The resource as it must be written to cover canonical paths: what needs no percent-triplet has none, the other
/// triplets are in upper case. A `*` or `?` that the signer encoded stays encoded, so it stays no wildcard.
pub(super) fn canonical(resource: &str) -> String {
    let mut pieces = resource.split('%');
    let mut canonical = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let triplet = piece.split_at_checked(2).and_then(|(digits, rest)| {
            let is_hex = digits.bytes().all(|it| it.is_ascii_hexdigit());
            Some((digits, u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?, rest))
        });
        match triplet {
            Some((_, it, rest)) if it.is_ascii_alphanumeric() || b"-._~".contains(&it) => {
                canonical.push(char::from(it));
                canonical.push_str(rest);
            }
            Some((digits, _, rest)) => canonical.extend(["%", &digits.to_ascii_uppercase(), rest]),
            None => canonical.extend(["%", piece]),
        }
    }
    canonical
}

/// Whether `pattern` matches all of `path`, and of the query if there is one.
pub(super) fn matches(pattern: &str, path: &str, query: Option<&str>) -> bool {
    let (literal, wild) = pattern.split_at(pattern.find(['*', '?', '\\']).unwrap_or(pattern.len()));
    let Some(path) = path.strip_prefix(literal) else { return false };
    match wild {
        "" => path.is_empty() && query.is_none(),
        // The shape of nearly every policy for a presentation.
        "*" => true,
        _ => Machine::compile(wild).takes(path, query),
    }
}

/// Patterns with a protocol begin with one of these; any other never matches. RTMP's are ours (cloudfront.md 1.13).
fn covers_scheme(protocol: &str, scheme: &str) -> bool {
    match protocol.to_ascii_lowercase().as_str() {
        "*" => true,
        "http*" => matches!(scheme, "http" | "https"),
        "rtmp*" => matches!(scheme, "rtmp" | "rtmps"),
        exact @ ("http" | "https" | "rtmp" | "rtmps") => exact == scheme,
        _ => false,
    }
}

/// A pattern as a machine with one step per character other than `*`, run in all its states at once: bit `n` says that
/// `n` steps were taken. URLs come from strangers, and however they are chosen, one character costs a few operations
/// per 64 characters of the pattern.
struct Machine {
    /// Words in a set of states.
    words: usize,
    /// For each octet, and for the mark before the query: the states whose next step takes it.
    taking: Vec<u64>,
    /// The states whose next step takes any character.
    taking_any: Vec<u64>,
    /// The states in which a `*` lets any octet pass.
    idle: Vec<u64>,
    steps: usize,
    /// Whether the pattern ends with `*`, which also takes the query.
    ends_open: bool,
}

/// The mark before the query, as a character beside the 256 octets.
const MARK: usize = 256;

impl Machine {
    fn compile(pattern: &str) -> Self {
        let words = pattern.len() / 64 + 1;
        let mut machine = Self {
            words,
            taking: vec![0; (MARK + 1) * words],
            taking_any: vec![0; words],
            idle: vec![0; words],
            steps: 0,
            ends_open: pattern.ends_with('*'),
        };
        let mut octets = pattern.bytes().peekable();
        while let Some(octet) = octets.next() {
            let (word, bit) = (machine.steps / 64, 1 << (machine.steps % 64));
            match octet {
                b'*' => {
                    machine.idle[word] |= bit;
                    continue;
                }
                b'?' => machine.taking_any[word] |= bit,
                b'\\' if octets.next_if_eq(&b'?').is_some() => machine.taking[MARK * words + word] |= bit,
                other => machine.taking[usize::from(other) * words + word] |= bit,
            }
            machine.steps += 1;
        }
        machine
    }

    fn takes(&self, path: &str, query: Option<&str>) -> bool {
        let mut states = vec![0; self.words];
        states[0] = 1;
        if !path.bytes().all(|it| self.advance(&mut states, it.into())) {
            return false;
        }
        let Some(query) = query else { return self.is_done(&states) };
        // All that was open at the end of the path stays open to the end of the query.
        if self.ends_open && self.is_done(&states) {
            return true;
        }
        self.advance(&mut states, MARK)
            && query.bytes().all(|it| self.advance(&mut states, it.into()))
            && self.is_done(&states)
    }

    /// Takes one character. False when no state is left.
    fn advance(&self, states: &mut [u64], symbol: usize) -> bool {
        let taking = &self.taking[symbol * self.words..][..self.words];
        let (mut carry, mut left) = (0, 0);
        for (at, state) in states.iter_mut().enumerate() {
            let stepping = *state & (taking[at] | self.taking_any[at]);
            let staying = if symbol == MARK { 0 } else { *state & self.idle[at] };
            *state = stepping << 1 | carry | staying;
            carry = stepping >> 63;
            left |= *state;
        }
        left != 0
    }

    fn is_done(&self, states: &[u64]) -> bool {
        states[self.steps / 64] & (1 << (self.steps % 64)) != 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(url: &str) -> Url<'_> {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (host, target) = rest.split_at(rest.find('/').unwrap());
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        Url { scheme, host, path, query }
    }

    fn check(resource: &str, covered: &[&str], other: &[&str]) {
        for url in covered {
            assert!(covers(resource, parse(url)), "{resource} should cover {url}");
        }
        for url in other {
            assert!(!covers(resource, parse(url)), "{resource} should not cover {url}");
        }
    }

    #[test]
    fn a_resource_without_wildcards_is_one_url() {
        check(
            "https://h/a/b?c=d",
            &["https://h/a/b?c=d"],
            &[
                "http://h/a/b?c=d",
                "https://h/a/b",
                "https://h/a/b?c=de",
                "https://h/a/b?",
                "https://g/a/b?c=d",
            ],
        );
        check(
            "https://h/a",
            &["https://h/a"],
            &["https://h/a?", "https://h/a?b", "https://h/a/", "https://h/A"],
        );
        check("HTTPS://H.Example/a", &["https://h.example/a"], &[]);
        check("https://h:8443/a", &["https://h:8443/a"], &["https://h/a"]);
    }

    #[test]
    fn the_examples_of_the_manual_hold() {
        check(
            "https://d/*game_download.zip*",
            &["https://d/game_download.zip", "https://d/example_game_download.zip?license=yes"],
            &["https://d/game.zip", "http://d/game_download.zip"],
        );
        check("https://*", &["https://any.example/a/b?c"], &["http://any.example/a/b?c"]);
        check(
            "https://host/training/*",
            &["https://host/training/", "https://host/training/a/b?c=d"],
            &["https://host/training", "https://host/other/training/a"],
        );
    }

    #[test]
    fn a_wildcard_stays_in_its_section() {
        check("http://*.example.com/a", &["http://x.y.example.com/a"], &["http://evil/.example.com/a"]);
        check("http://h/*/x", &["http://h/a/b/x"], &["http://h/a?b/x", "http://h/a?/x"]);
        check("http://h/*.m3u8", &["http://h/a/b.m3u8"], &["http://h/secret.m4s?x=.m3u8"]);
        check("http://h/a?x=*&y=1", &["http://h/a?x=2&y=1"], &["http://h/a/b?x=2&y=1", "http://h/a?x=2"]);
        check("http://h/*?y", &["http://h/a?y", "http://h/axy"], &["http://h/a?xy", "http://h/a?y?y"]);
    }

    #[test]
    fn a_star_at_the_end_of_path_or_domain_takes_all_that_follows() {
        check(
            "http://h/hello*",
            &["http://h/hello", "http://h/hello/a?b", "http://h/hello?b"],
            &["http://h/hell"],
        );
        check("http://example.com*", &["http://example.com/", "http://example.com:81/a?b"], &["http://h/a"]);
        check("*", &["http://a/", "https://b/c?d"], &[]);
        check("*://h/a*", &["http://h/a", "https://h/ab?c"], &["https://g/a"]);
        check("http*://h/a", &["http://h/a", "https://h/a"], &["rtmp://h/a"]);
        check("rtmp*://h/a/*", &["rtmp://h/a/b", "rtmps://h/a/b?c"], &["http://h/a/b"]);
    }

    #[test]
    fn without_a_protocol_a_leading_star_is_of_the_domain() {
        check(
            "*example.com",
            &["http://www.example.com/"],
            &["http://www.example.com/a", "http://h/example.com"],
        );
        check("*/live/*", &["https://h/live/a?b"], &["https://h/vod/live/a"]);
        check("*h/r?u=http://x", &["http://h/r?u=http://x"], &["http://h/r"]);
    }

    #[test]
    fn a_mark_before_the_query_may_be_escaped() {
        check(r"https://h/a\?b=c", &["https://h/a?b=c"], &["https://h/axb=c", "https://h/a"]);
        check(r"https://h/seg_??.m4s\?v=?", &["https://h/seg_01.m4s?v=7"], &["https://h/seg_1.m4s?v=7"]);
        check("https://h/seg_??.m4s?v=?", &["https://h/seg_01.m4s?v=7"], &["https://h/seg_01.m4s?v=77"]);
        // The earliest `b` leads nowhere; the later one stands right before the mark.
        check("https://h/*b?*cd", &["https://h/xbxxb?ccd"], &["https://h/xbxx?ccd"]);
    }

    #[test]
    fn a_canonical_resource_has_no_triplet_it_does_not_need() {
        assert_eq!(canonical("https://h/a%7eb%2fc%2A*?%zz%"), "https://h/a~b%2Fc%2A*?%zz%");
        assert_eq!(canonical("https://h/%+1"), "https://h/%+1");
    }

    #[test]
    fn other_beginnings_cover_nothing() {
        let urls = &["http://h/a", "https://h/a"];
        for resource in
            ["", "h/a", "/a", "ftp://h/a", "ht*://h/a", "?ttp://h/a", "://h/a", "http:/h/a", "https:///a"]
        {
            check(resource, &[], urls);
        }
    }

    #[test]
    fn no_url_makes_a_pattern_slow() {
        let pattern = format!("http://h/*{}b", "a?*".repeat(900));
        let url = format!("http://h/{}", "a".repeat(8000));
        check(&pattern, &[], &[&url]);
        check(
            &format!("http://h/{}", "?".repeat(3000)),
            &[&format!("http://h/{}", "x".repeat(3000))],
            &[&url],
        );
    }

    /// The rules word by word, in exponential time.
    fn naive(pattern: &[u8], text: &[u8], mark: bool) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*'], _) => true,
            ([b'*', rest @ ..], _) => {
                naive(rest, text, mark)
                    || matches!(text, [it, ..] if mark || *it != b'?') && naive(pattern, &text[1..], mark)
            }
            ([b'\\', b'?', pattern @ ..], [it, text @ ..]) => {
                *it == b'?' && !mark && naive(pattern, text, true)
            }
            ([b'?', pattern @ ..], [it, text @ ..]) => naive(pattern, text, mark || *it == b'?'),
            ([one, pattern @ ..], [it, text @ ..]) => {
                one == it && (*it != b'?' || mark) && naive(pattern, text, mark)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn machine_and_rules_agree(
            pattern in r"/([ab*?]|\\\?){0,8}",
            path in "/[ab]{0,8}",
            query in proptest::option::of(r"[ab?]{0,6}"),
        ) {
            let text = query.as_ref().map_or_else(|| path.clone(), |it| format!("{path}?{it}"));
            let expected = naive(pattern.as_bytes(), text.as_bytes(), false);
            prop_assert_eq!(matches(&pattern, &path, query.as_deref()), expected);
        }

        #[test]
        fn more_than_a_word_of_steps_is_no_different(length in 1_usize..200, extra in 0_usize..3) {
            let pattern = format!("*b{}", "?".repeat(length));
            let path = format!("aab{}", "a".repeat(length + extra));
            prop_assert_eq!(matches(&pattern, &path, None), extra == 0);
        }
    }
}
