//! Which requests may share an answer.

use std::fmt::Write as _;
use std::sync::Arc;

use http::{HeaderValue, Method};

use crate::passage::{Admitted, Source};

/// What two requests have in common that may share an answer (cloudfront.md 3.1).
///
/// Distribution, canonical path, where it is fetched from, and what the cache policy selects of query, headers and
/// cookies, as the origin is told it. Not
/// the method, but for OPTIONS: HEAD shares what GET brought. Not the content coding: our origins give one representation, and its
/// compressed forms are kept beside it. The whole text is compared, so two keys that hash alike are still two.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(Arc<str>);

impl Key {
    pub(super) fn of(asked: &Admitted, source: Source) -> Self {
        let routed = asked.routed();
        let (id, path, query) = (&routed.distribution().id, asked.path(), asked.keyed_query());
        let mut text = String::with_capacity(id.len() + path.len() + query.len() + 24);
        let mut number = itoa::Buffer::new();
        // Lengths first: no part can be written so that it reads as the next one.
        for part in [&**id, path, query] {
            text.extend([number.format(part.len()), ":", part]);
        }
        text.push_str(number.format(source.origin));
        text.extend(["-", number.format(source.dropped)]);
        let mut add = |name: &str, value: &HeaderValue| {
            // Escaped, since a value may hold octets that are no text.
            let value = value.as_bytes().escape_ascii().to_string();
            let _ = write!(text, "\n{name}:{}:{value}", value.len());
        };
        for name in &routed.behavior().cache_policy.headers {
            for value in asked.told(name) {
                add(name, &value);
            }
        }
        if let Some(cookies) = asked.keyed_cookies() {
            add("cookie", &cookies);
        }
        if *routed.request().method() == Method::OPTIONS {
            text.push_str("\nOPTIONS");
        }
        Self(text.into())
    }

    /// The key of a slice of what has this key; `identity` tells it from slices of what was there before.
    pub(super) fn slice(&self, identity: &str, index: u64) -> Self {
        Self(format!("{}\n\n{}:{identity}{index}", self.0, identity.len()).into())
    }

    /// Distribution, path and query: what all variants of a URL begin with, and its slices.
    pub(super) fn url(&self) -> &str {
        let mut rest = &*self.0;
        for _ in 0..3 {
            let (length, behind) =
                rest.split_once(':').expect("a key begins with three parts and their lengths");
            rest = &behind[length.parse().expect("a length is a number")..];
        }
        &self.0[..self.0.len() - rest.len()]
    }

    /// The canonical path.
    pub(super) fn path(&self) -> &str {
        let mut rest = &*self.0;
        let mut part = "";
        for _ in 0..2 {
            let (length, behind) =
                rest.split_once(':').expect("a key begins with three parts and their lengths");
            (part, rest) = behind.split_at(length.parse().expect("a length is a number"));
        }
        part
    }

    /// All of it; the same in every run where the source's number is.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// Bytes of memory it takes.
    pub(super) fn cost(&self) -> u64 {
        self.0.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use config::cache::Selection;
    use http::Method;

    use super::*;
    use crate::passage::example::Example;

    fn key(example: Example) -> Key {
        Key::of(&example.admitted(), Source::default())
    }

    fn keyed(target: &str, query: Selection) -> Key {
        key(Example::get(target).policy(|it| it.query = query))
    }

    #[test]
    fn a_url_is_that_of_its_variants_and_slices_and_of_no_other() {
        let by_origin = |it: Example| key(it.policy(|it| it.headers = vec!["origin".parse().unwrap()]));
        let (one, other) =
            (Example::get("/a").header("origin", "a"), Example::get("/a").header("origin", "b"));
        let (one, other) = (by_origin(one), by_origin(other));
        assert_ne!(one, other);
        assert_eq!(one.url(), other.url());
        assert_eq!(one.url(), one.slice("\"a\"/10", 3).url());
        assert_ne!(one.url(), key(Example::get("/a1:")).url());
        assert_ne!(keyed("/a?b=1", Selection::All).url(), keyed("/a", Selection::All).url());
    }

    #[test]
    fn a_path_is_read_back() {
        for target in ["/", "/a:1", "/film.mp4?b=1"] {
            let path = target.split('?').next().unwrap();
            assert_eq!(keyed(target, Selection::All).path(), path);
            assert_eq!(keyed(target, Selection::All).slice("\"a\"/10", 3).path(), path);
        }
    }

    #[test]
    fn head_shares_with_get() {
        assert_eq!(key(Example::get("/a")), key(Example::get("/a").method(Method::HEAD)));
        assert_ne!(key(Example::get("/a")), key(Example::get("/a").method(Method::OPTIONS)));
    }

    #[test]
    fn a_distribution_and_a_path_are_always_in_it() {
        let mut other = Example::get("/a");
        other.distribution = "other";
        assert_ne!(key(Example::get("/a")), key(other));
        assert_ne!(key(Example::get("/a")), key(Example::get("/A")));
    }

    #[test]
    fn where_it_is_fetched_from_is_in_it() {
        let asked = Example::get("/a").admitted();
        let key = |origin, dropped| Key::of(&asked, Source { origin, dropped });
        assert_eq!(key(1, 2), key(1, 2));
        assert_ne!(key(1, 2), key(2, 2));
        assert_ne!(key(1, 2), key(1, 0));
        assert_ne!(key(1, 11), key(11, 1));
    }

    #[test]
    fn only_selected_parameters_are_in_it() {
        let only = || Selection::Only(vec!["_HLS_msn".to_owned()]);
        assert_eq!(keyed("/a?session=1&_HLS_msn=4", only()), keyed("/a?_HLS_msn=4&CMCD=x", only()));
        assert_ne!(keyed("/a?_HLS_msn=4", only()), keyed("/a?_HLS_msn=5", only()));
        assert_ne!(keyed("/a?_hls_msn=4", only()), keyed("/a?_HLS_msn=4", only()));
        assert_eq!(keyed("/a?b=1", Selection::None), keyed("/a", Selection::None));
        let except = || Selection::AllExcept(vec!["CMCD".to_owned()]);
        assert_eq!(keyed("/a?b=1&CMCD=x", except()), keyed("/a?b=1", except()));
    }

    #[test]
    fn the_order_of_parameters_counts() {
        assert_ne!(keyed("/a?b=1&c=2", Selection::All), keyed("/a?c=2&b=1", Selection::All));
    }

    #[test]
    fn a_header_that_is_absent_is_not_an_empty_one() {
        let with = |it: Example| key(it.policy(|it| it.headers = vec!["origin".to_owned()]));
        assert_ne!(with(Example::get("/a")), with(Example::get("/a").header("origin", "")));
        assert_ne!(
            with(Example::get("/a").header("origin", "https://a.example")),
            with(Example::get("/a").header("origin", "https://b.example"))
        );
        assert_eq!(key(Example::get("/a")), key(Example::get("/a").header("origin", "https://a.example")));
    }

    #[test]
    fn selected_cookies_are_in_it_whatever_their_order() {
        let with = |cookies: &str, selection| {
            key(Example::get("/a").header("cookie", cookies).policy(|it| it.cookies = selection))
        };
        let only = || Selection::Only(vec!["language".to_owned()]);
        assert_eq!(with("language=en; session=1", only()), with("session=2; language=en", only()));
        assert_ne!(with("language=en", only()), with("language=de", only()));
        assert_ne!(with("language=en", only()), with("session=1", only()));
        assert_eq!(with("a=1; b=2", Selection::All), with("b=2; a=1", Selection::All));
        assert_eq!(with("a=1", Selection::None), with("b=2", Selection::None));
        let signed = "CloudFront-Policy=x; CloudFront-Signature=y; CloudFront-Key-Pair-Id=z";
        assert_eq!(with(signed, Selection::All), with("", Selection::All));
    }

    #[test]
    fn section_21_what_only_the_edge_says_is_in_it_as_the_edge_says_it() {
        let with = |it: Example| key(it.policy(|it| it.headers = vec!["x-forwarded-for".to_owned()]));
        assert_eq!(
            with(Example::get("/a").header("x-forwarded-for", "203.0.113.9")),
            with(Example::get("/a"))
        );
    }

    #[test]
    fn no_text_can_be_written_to_look_like_another_part() {
        assert_ne!(keyed("/a?1:b", Selection::All), keyed("/a1:b", Selection::All));
        let twice = |it: Example| key(it.policy(|it| it.headers = vec!["x".to_owned()]));
        assert_ne!(
            twice(Example::get("/a").header("x", "1").header("x", "2")),
            twice(Example::get("/a").header("x", "1\\nx:1:2"))
        );
    }
}
