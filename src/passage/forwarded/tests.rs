//! What goes on of a request, policy by policy.

use std::sync::Arc;
use std::time::Duration;

use http::Version;

use super::*;
use crate::passage::example::Example;

/// Fields of every kind there is.
fn request() -> Example {
    let mut example = Example::get("/a?b=1&c=2")
        .header("accept-language", "en")
        .header("user-agent", "iPhone")
        .header("origin", "https://page.example")
        .header("authorization", "Basic eA==")
        .header("cookie", "session=1; language=en")
        .header("range", "bytes=0-")
        .header("if-none-match", "\"a\"")
        .header("connection", "close, x-hop")
        .header("x-hop", "1")
        .header("te", "trailers")
        .header("forwarded", "for=203.0.113.9")
        .header("x-forwarded-host", "evil.example")
        .header("x-real-ip", "203.0.113.9")
        .header("x-original-url", "/admin")
        .header("x-http-method-override", "DELETE")
        .header("cloudfront-viewer-country", "XX")
        .header("x-custom", "y");
    example.facts.host = "video.example:8443".into();
    example
}

/// One that adds nothing.
fn policy() -> OriginRequestPolicy {
    OriginRequestPolicy {
        name: "example".to_owned(),
        headers: Selection::None,
        cloudfront_headers: Vec::new(),
        cookies: Selection::None,
        query: Selection::None,
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&it| it.to_owned()).collect()
}

fn under(mut example: Example, policy: OriginRequestPolicy) -> Admitted {
    example.behavior.origin_request = Some(Arc::new(policy));
    example.admitted()
}

fn lines(asked: &Admitted) -> Vec<String> {
    let headers = asked.forwarded().headers;
    let mut lines: Vec<_> =
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn without_a_policy_only_what_is_in_the_key_goes_on() {
    assert_eq!(lines(&request().admitted()), [""; 0]);
    let keyed = request().policy(|it| {
        it.headers = names(&["origin", "x-http-method-override", "host"]);
        it.cookies = Selection::Only(names(&["language"]));
        it.query = Selection::Only(names(&["c"]));
    });
    let asked = keyed.admitted();
    assert_eq!(
        lines(&asked),
        [
            "cookie: language=en",
            "host: video.example:8443",
            "origin: https://page.example",
            "x-http-method-override: DELETE"
        ]
    );
    assert_eq!(asked.forwarded_query(), "c=2");
    assert_eq!(asked.keyed_cookies().unwrap(), "language=en");
    assert!(asked.forwarded().unkeyed.is_empty());
}

#[test]
fn section_21_all_of_the_viewers_is_nothing_that_others_could_be_harmed_by() {
    let everything = OriginRequestPolicy {
        headers: Selection::All,
        cookies: Selection::All,
        query: Selection::All,
        ..policy()
    };
    let asked = under(request(), everything.clone());
    assert_eq!(
        lines(&asked),
        [
            "accept-language: en",
            "authorization: Basic eA==",
            "cookie: language=en; session=1",
            "host: video.example",
            "origin: https://page.example",
            "user-agent: iPhone",
            "x-custom: y",
        ]
    );
    assert_eq!(asked.forwarded_query(), "b=1&c=2");
    assert_eq!(asked.keyed_query(), "");
    // What is kept for nobody else can harm nobody else.
    let alone = under(request().policy(|it| it.max_ttl = Duration::ZERO), everything);
    let more: Vec<_> = lines(&alone).into_iter().filter(|it| !lines(&asked).contains(it)).collect();
    assert_eq!(
        more,
        ["host: video.example:8443", "x-http-method-override: DELETE", "x-original-url: /admin"]
    );
}

#[test]
fn what_a_body_is_goes_with_it_and_so_do_conditions_on_a_change() {
    let sent = |method: http::Method| {
        let example = Example::get("/a").method(method);
        let example = example.header("content-type", "text/plain").header("content-length", "4");
        let example = example.header("if-match", "\"a\"").header("authorization", "Basic eA==");
        lines(&example.header("if-range", "\"a\"").admitted())
    };
    use http::Method;
    assert_eq!(sent(Method::GET), [""; 0]);
    assert_eq!(sent(Method::OPTIONS), ["content-type: text/plain"]);
    let changing = ["authorization: Basic eA==", "content-type: text/plain", "if-match: \"a\""];
    assert_eq!(sent(Method::POST), changing);
    assert_eq!(sent(Method::DELETE), changing);
}

#[test]
fn an_exception_is_left_out_unless_it_is_in_the_key() {
    let but = |excepted: &[&str]| OriginRequestPolicy {
        headers: Selection::AllExcept(names(excepted)),
        cookies: Selection::AllExcept(names(&["session"])),
        query: Selection::AllExcept(names(&["b"])),
        ..policy()
    };
    let most = ["host", "origin", "user-agent", "authorization", "x-custom"];
    let asked = under(request(), but(&most));
    assert_eq!(lines(&asked), ["accept-language: en", "cookie: language=en"]);
    assert_eq!(asked.forwarded_query(), "c=2");
    let keyed = request().policy(|it| {
        it.headers = names(&["host"]);
        it.cookies = Selection::Only(names(&["session"]));
        it.query = Selection::Only(names(&["b"]));
    });
    let asked = under(keyed, but(&most));
    assert_eq!(
        lines(&asked),
        ["accept-language: en", "cookie: language=en; session=1", "host: video.example:8443"]
    );
    assert_eq!(asked.forwarded_query(), "b=1&c=2");
}

#[test]
fn what_is_made_here_is_made_for_who_names_it_and_never_taken_from_a_viewer() {
    let headers = [
        "cloudfront-forwarded-proto",
        "cloudfront-is-desktop-viewer",
        "cloudfront-is-mobile-viewer",
        "cloudfront-viewer-address",
        "cloudfront-viewer-country",
        "cloudfront-viewer-http-version",
        "x-forwarded-for",
        "x-forwarded-host",
    ];
    let mut example = request();
    example.head().version = Version::HTTP_2;
    let asked = under(example, OriginRequestPolicy { headers: Selection::Only(names(&headers)), ..policy() });
    assert_eq!(
        lines(&asked),
        [
            "cloudfront-forwarded-proto: https",
            "cloudfront-is-desktop-viewer: false",
            "cloudfront-is-mobile-viewer: true",
            "cloudfront-viewer-address: 127.0.0.1:4242",
            "cloudfront-viewer-http-version: 2.0",
            "x-forwarded-for: 127.0.0.1",
        ]
    );
}

#[test]
fn names_that_are_not_in_the_key_are_told_apart() {
    let only =
        |headers: &[&str]| OriginRequestPolicy { headers: Selection::Only(names(headers)), ..policy() };
    let unkeyed = |example: Example| {
        let asked = under(example, only(&["origin", "user-agent", "x-custom"]));
        asked.forwarded().unkeyed.iter().map(|it| it.as_str().to_owned()).collect::<Vec<_>>()
    };
    let keyed = || request().policy(|it| it.headers = names(&["x-custom"]));
    // The example's policy says itself which pages may read an answer.
    assert_eq!(unkeyed(keyed()), ["user-agent"]);
    let mut theirs = keyed();
    theirs.response_headers.cors = None;
    assert_eq!(unkeyed(theirs), ["origin", "user-agent"]);
}

#[test]
fn a_cookie_that_is_told_and_not_keyed_makes_an_answer_that_varies_on_it_one_viewers_own() {
    let unkeyed = |keyed: &[&str], told: Selection| {
        let example = request().policy(|it| it.cookies = Selection::Only(names(keyed)));
        let asked = under(example, OriginRequestPolicy { cookies: told, ..policy() });
        asked.forwarded().unkeyed.contains(&COOKIE)
    };
    assert!(unkeyed(&[], Selection::All));
    assert!(unkeyed(&["language"], Selection::Only(names(&["session"]))));
    assert!(!unkeyed(&["session"], Selection::Only(names(&["session"]))));
    assert!(!unkeyed(&["session", "language"], Selection::All));
    assert!(!unkeyed(&[], Selection::Only(names(&["another"]))));
}
