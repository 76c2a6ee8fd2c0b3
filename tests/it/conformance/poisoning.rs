//! What one viewer asks changes nothing of what others are given (http-edge.md 21).

use crate::support::web::WebServer;

use super::Pair;

const STONE: (&str, &str) = ("200 OK\ncache-control: max-age=600", "stone");

/// A behavior whose origin is told all that a viewer sends.
const ALL_VIEWER: &str = "cache_policy = \"Levada-Media\"\norigin_request_policy = \"Managed-AllViewer\"";

#[tokio::test]
async fn section_21_1_what_steers_an_origin_and_is_not_in_the_key_is_not_told() {
    for field in [
        "X-Forwarded-Host: evil",
        "X-Forwarded-Scheme: evil",
        "X-Forwarded-Prefix: /evil",
        "X-Original-URL: /evil",
        "X-Rewrite-URL: /evil",
        "X-HTTP-Method-Override: EVIL",
        "X-HTTP-Method: EVIL",
        "X-Method-Override: EVIL",
        "X-Host: evil",
        "Forwarded: host=evil",
        "Front-End-Https: evil",
        "X-Amz-Website-Redirect-Location: /evil",
        "X-Levada-Evil: evil",
        "Range: bytes=evil",
        "If-None-Match: \"evil\"",
    ] {
        let pair = Pair::built(WebServer::saying(&[STONE]).await, ALL_VIEWER, "").await;
        pair.ask("/a.txt", &format!("{field}\nX-Mine: 1")).await.expect(200);
        let asked = pair.web.asked().remove(0);
        assert!(asked.contains("\r\nx-mine: 1\r\n") && !asked.contains("evil"), "{field}: {asked}");
    }
    let pair = Pair::built(WebServer::saying(&[STONE]).await, ALL_VIEWER, "").await;
    pair.house.ask("GET /a.txt\nHost: web.example:1234").await.expect(200);
    assert!(!pair.web.asked()[0].contains("1234"), "a port is not what a host is known by");
    let mut line = pair.house.line().await;
    line.say("GET /b.txt HTTP/1.1\r\nHost: web.example\r\nContent-Length: 4\r\n\r\nevil").await;
    line.answer(false).await.expect("it is refused").expect(403);
    assert_eq!(pair.fetches(), 1);
}

#[tokio::test]
async fn section_21_2_the_key_has_the_query_as_the_origin_sees_it() {
    let web = WebServer::saying(&[STONE]).await;
    let policy = "query_strings = [\"a\", \"b\"]";
    let pair = Pair::under(policy, web).await;
    for query in ["a=1", "a=1;b=2", "a=1&a=2", "a=2&a=1", "A=1", "a=%31", "b=1"] {
        pair.ask(&format!("/a.txt?{query}"), "").await.expect(200);
        pair.ask(&format!("/a.txt?{query}&utm=3"), "").await.expect(200);
    }
    let told: Vec<_> =
        pair.web.asked().iter().map(|it| it.split(' ').nth(1).unwrap_or_default().to_owned()).collect();
    let expected = ["a=1", "a=1;b=2", "a=1&a=2", "a=2&a=1", "", "a=%31", "b=1"];
    assert_eq!(
        told,
        expected.map(|it| if it.is_empty() { "/a.txt".to_owned() } else { format!("/a.txt?{it}") })
    );
}

#[tokio::test]
async fn section_21_3_a_page_under_the_name_of_media_is_kept_for_nobody() {
    let cases = [
        ("/account/a.m4s", "text/html; charset=utf-8", "", 2),
        ("/account/a.CSS", "application/xhtml+xml", "", 2),
        ("/account/a.m4s", "video/mp4", "", 1),
        ("/account/a.html", "text/html", "", 1),
        ("/account/a", "text/html", "", 1),
        ("/m4s", "text/html", "", 1),
        ("/account/a.m4s", "text/html", "deny_type_mismatch = false", 1),
    ];
    for (path, kind, policy, fetches) in cases {
        let head = format!("200 OK\ncache-control: max-age=600\ncontent-type: {kind}");
        let pair = Pair::under(policy, WebServer::saying(&[(&head, "mine")]).await).await;
        for _ in 0..2 {
            assert_eq!(pair.ask(path, "").await.expect(200).text(), "mine");
        }
        assert_eq!(pair.fetches(), fetches, "{path} {kind} {policy}");
    }
}

#[tokio::test]
async fn section_21_4_an_error_that_a_viewer_provokes_is_given_to_no_other() {
    for status in [
        "400 Bad Request",
        "413 Content Too Large",
        "431 Request Header Fields Too Large",
        "429 Too Many Requests",
        "400 Bad Request\ncache-control: max-age=600",
        "405 Method Not Allowed\ncache-control: max-age=600",
        "414 URI Too Long\ncache-control: max-age=600",
        "500 Internal Server Error\ncache-control: max-age=600",
        "503 Service Unavailable",
    ] {
        let web = WebServer::saying(&[(status, "no"), STONE]).await;
        let pair = Pair::built(web, ALL_VIEWER, "").await;
        pair.ask("/a.txt", "X-Mine: too much").await;
        assert_eq!(pair.ask("/a.txt", "").await.expect(200).text(), "stone", "{status}");
    }
    // That it is not there is said of the path alone.
    let web = WebServer::saying(&[("404 Not Found\ncache-control: max-age=600", "no"), STONE]).await;
    let pair = Pair::built(web, ALL_VIEWER, "").await;
    pair.ask("/a.txt", "X-Mine: too much").await.expect(404);
    pair.ask("/a.txt", "").await.expect(404);
}

#[tokio::test]
async fn section_21_5_a_redirect_to_where_a_viewer_says_is_kept_for_no_other() {
    for (location, fetches) in [("https://evil.example/", 2), ("//evil.example/", 2), ("/b.txt", 1)] {
        let head = format!("301 Moved Permanently\ncache-control: max-age=600\nlocation: {location}");
        let pair = Pair::built(WebServer::saying(&[(&head, "")]).await, ALL_VIEWER, "").await;
        for _ in 0..2 {
            pair.ask("/a.txt", "").await.expect(301);
        }
        assert_eq!(pair.fetches(), fetches, "{location}");
    }
}

#[tokio::test]
async fn section_21_6_an_answer_that_depends_on_what_is_not_in_the_key_is_for_one() {
    for vary in ["Origin", "Cookie", "User-Agent", "*", "X-Mine"] {
        let head = format!("200 OK\ncache-control: max-age=600\nvary: {vary}");
        let pair = Pair::built(WebServer::saying(&[(&head, "mine")]).await, ALL_VIEWER, "").await;
        for who in ["evil", "good"] {
            let fields =
                format!("Origin: https://{who}.example\nCookie: id={who}\nUser-Agent: {who}\nX-Mine: {who}");
            pair.ask("/a.txt", &fields).await.expect(200);
        }
        let with_cors = vary == "Origin" && pair.fetches() == 1;
        assert!(pair.fetches() == 2 || with_cors, "{vary}");
    }
}

#[tokio::test]
async fn section_21_7_no_decoded_part_of_a_target_becomes_a_line_of_a_head() {
    let pair = Pair::of(&[STONE]).await;
    for path in ["/a%0d%0aset-cookie:%20evil=1", "/a%0aX:%20y", "/%0d"] {
        assert_eq!(pair.ask(path, "").await.status, 400, "{path}");
    }
    let answer = pair.ask("/a.txt?b=%0d%0aset-cookie:%20evil=1", "").await.expect(200);
    assert_eq!(answer.header("set-cookie"), None);
}

#[tokio::test]
async fn section_21_9_what_only_a_signature_opens_is_private_where_a_cookie_brings_it() {
    let sections = "[[distribution.behavior]]\npath_pattern = \"/members/*\"\ntarget_origin = \"web\"\ntrusted_key_groups = [\"viewers\"]\n";
    let web = WebServer::saying(&[("200 OK\ncache-control: public, max-age=600", "stone")]).await;
    let pair = Pair::built(web, "cache_policy = \"Levada-Media\"", sections).await;
    let signed = pair.house.signed("KVIEWERS", "http://web.example/members/*");
    let query = signed.query();
    pair.ask(&format!("/members/a.txt?{query}"), "").await.expect(200);
    let other = pair.house.signed("KVIEWERS", "http://web.example/members/a.txt").query();
    let hit = pair.ask(&format!("/members/a.txt?{other}"), "").await.expect(200);
    assert!(
        hit.header("cache-status").is_some_and(|it| it.contains("hit")),
        "the key has no signature: {hit:?}"
    );
    pair.ask("/members/a.txt", "").await.expect(403);
    assert_eq!(pair.fetches(), 1);
}

#[tokio::test]
async fn section_21_11_a_304_changes_nothing_of_what_the_octets_are() {
    let first = ("200 OK\ncache-control: max-age=0\netag: \"a\"\ncontent-type: text/plain", "stone");
    let renewed = "304 Not Modified\ncache-control: max-age=600\netag: \"a\"\ncontent-type: text/html\ncontent-encoding: br\ncontent-length: 1\nx-new: 1";
    let pair = Pair::of(&[first, (renewed, "")]).await;
    pair.get().await.expect(200);
    for _ in 0..2 {
        let answer = pair.get().await.expect(200);
        assert_eq!(answer.text(), "stone");
        assert_eq!(answer.header("content-type").as_deref(), Some("text/plain"));
        assert_eq!((answer.header("content-encoding"), answer.header("x-new").as_deref()), (None, Some("1")));
    }
}

#[tokio::test]
async fn section_21_12_a_head_leaves_nothing_that_a_get_is_answered_with() {
    let pair = Pair::of(&[STONE]).await;
    pair.head("/a.txt").await.expect(200);
    assert_eq!(pair.get().await.expect(200).text(), "stone");
    assert!(pair.web.asked().iter().all(|it| it.starts_with("get ")));
}
