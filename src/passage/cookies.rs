//! The cookies of a request, one by one.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

/// Signed cookies: they are for the edge, and no key and no origin ever sees one (cloudfront.md 1.9).
const SIGNING: [&[u8]; 5] = [
    b"CloudFront-Expires",
    b"CloudFront-Hash-Algorithm",
    b"CloudFront-Key-Pair-Id",
    b"CloudFront-Policy",
    b"CloudFront-Signature",
];

/// The cookies whose names are selected, sorted by name, as one field; none when there is none of them.
pub(super) fn selected(headers: &HeaderMap, is_selected: impl Fn(&str) -> bool) -> Option<HeaderValue> {
    let mut cookies: Vec<(&[u8], &[u8])> = Vec::new();
    for line in headers.get_all(COOKIE) {
        for cookie in line.as_bytes().split(|&it| it == b';').map(<[u8]>::trim_ascii) {
            let name = cookie.split(|&it| it == b'=').next().unwrap_or_default();
            // A name that is no text is nobody's.
            if std::str::from_utf8(name).is_ok_and(|it| !it.is_empty() && is_selected(it))
                && !SIGNING.contains(&name)
            {
                cookies.push((name, cookie));
            }
        }
    }
    if cookies.is_empty() {
        return None;
    }
    // Two of a name stay in their order: which of them counts is the origin's to say.
    cookies.sort_by_key(|(name, _)| *name);
    let line = cookies.iter().map(|(_, cookie)| *cookie).collect::<Vec<_>>().join(&b"; "[..]);
    HeaderValue::from_bytes(&line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&'static str], is_selected: impl Fn(&str) -> bool, expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_static(line));
        }
        let found = selected(&headers, is_selected);
        assert_eq!(found.as_ref().map(|it| it.to_str().unwrap()), expected);
    }

    #[test]
    fn cookies_are_sorted_by_name_over_all_fields() {
        check(&["b=2; a=1", "c=3;;a=0"], |_| true, Some("a=1; a=0; b=2; c=3"));
        check(&["b=2; a=1"], |it| it == "b", Some("b=2"));
        check(&["b=2; a=1"], |it| it == "B", None);
        check(&["b"], |_| true, Some("b"));
        check(&[" ; "], |_| true, None);
        check(&[], |_| true, None);
    }

    #[test]
    fn signed_cookies_end_at_the_edge() {
        let signed = "CloudFront-Policy=a; CloudFront-Signature=b; CloudFront-Key-Pair-Id=c; language=en";
        check(&[signed], |_| true, Some("language=en"));
    }
}
