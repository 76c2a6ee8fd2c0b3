//! http-edge.md 1: which answers are kept.

use super::Pair;
use super::Second::{Fetched, Reused, Validated};
use super::{check, check_under};
use crate::support::web::WebServer;

#[tokio::test]
async fn section_1_the_first_rule_that_matches_says_whether_an_answer_is_stored() {
    check(&[
        // 5, 6
        ("cache-control: no-store, max-age=600", Fetched),
        ("cache-control: No-Store", Fetched),
        ("cache-control: max-age=600, no-store=\"a\"", Fetched),
        ("cache-control: must-understand, no-store, max-age=600", Reused),
        ("299 Odd\ncache-control: must-understand, no-store, max-age=600", Fetched),
        ("299 Odd\ncache-control: must-understand, max-age=600", Fetched),
        // 8
        ("cache-control: private, max-age=600", Fetched),
        ("cache-control: private=\"x-secret\", max-age=600", Fetched),
        // 10, 11
        ("cache-control: max-age=600\nvary: *", Fetched),
        ("cache-control: max-age=600\nvary: accept, *", Fetched),
        ("cache-control: max-age=600\nset-cookie: a=b", Fetched),
        // 12, 13
        ("203 Copied\ncache-control: max-age=600", Reused),
        ("204 No Content\ncache-control: max-age=600", Reused),
        ("299 Odd\ncache-control: max-age=600", Reused),
        ("299 Odd", Fetched),
        ("301 Moved\nlocation: /b", Reused),
        ("308 Moved\nlocation: /b", Reused),
        ("404 Not Found\ncache-control: max-age=600", Reused),
        ("410 Gone\ncache-control: max-age=600", Reused),
        ("403 Forbidden", Fetched),
        ("418 Teapot", Fetched),
        ("429 Slow Down\ncache-control: max-age=600", Fetched),
        ("503 Sorry\ncache-control: max-age=600", Reused),
        // Directives nobody knows.
        ("cache-control: max-age=600, unknown, other=\"a, no-store\"", Reused),
        ("cache-control: no-storex, max-age=600", Reused),
    ])
    .await;
}

/// The departure of `cache::freshness`: CloudFront keeps these like other redirects.
#[tokio::test]
async fn section_1_a_redirect_for_now_is_kept_for_the_policys_default() {
    check(&[
        ("302 Found\nlocation: /b", Reused),
        ("303 See Other\nlocation: /b", Reused),
        ("307 Temporary\nlocation: /b", Reused),
        ("302 Found\nlocation: /b\ncache-control: no-store", Fetched),
    ])
    .await;
}

#[tokio::test]
async fn section_1_what_may_not_be_reused_unasked_is_kept_to_be_validated() {
    check(&[
        ("cache-control: no-cache\netag: \"a\"", Validated),
        ("cache-control: no-cache\nlast-modified: {-600}", Validated),
        ("cache-control: no-cache=\"x-secret\", max-age=600\netag: \"a\"", Validated),
        ("cache-control: max-age=0\netag: \"a\"", Validated),
        ("cache-control: max-age=0, must-revalidate\netag: W/\"a\"", Validated),
        ("cache-control: s-maxage=0\netag: \"a\"", Validated),
        ("cache-control: max-age=60\nage: 60\netag: \"a\"", Validated),
        ("expires: 0\netag: \"a\"", Validated),
        ("cache-control: no-cache", Fetched),
        ("cache-control: no-cache, no-store\netag: \"a\"", Fetched),
        ("cache-control: no-cache, private\netag: \"a\"", Fetched),
    ])
    .await;
}

/// The departure of `cache::freshness`: a minimum is the operator's word against the origin's.
#[tokio::test]
async fn section_1_a_policy_with_a_minimum_keeps_what_it_may_not_for_that_long() {
    let minimum = "min_ttl = \"60s\"";
    check_under(
        minimum,
        "",
        &[
            ("cache-control: no-store", Reused),
            ("cache-control: no-cache\netag: \"a\"", Reused),
            ("cache-control: max-age=0", Reused),
            ("cache-control: max-age=600\nset-cookie: a=b", Fetched),
        ],
    )
    .await;
}

#[tokio::test]
async fn section_1_what_ends_early_is_not_kept_and_is_seen_to_end_early() {
    for head in [
        "HTTP/1.1 200 OK\r\ncache-control: max-age=600\r\ncontent-length: 9\r\nconnection: close\r\n\r\nstone",
        "HTTP/1.1 200 OK\r\ncache-control: max-age=600\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n\
         5\r\nstone\r\n",
    ] {
        let pair = Pair::before(WebServer::speaking(head).await).await;
        for fetches in 1..3 {
            let mut line = crate::support::http::Line::to(pair.house.http()).await;
            line.say("GET /a.txt HTTP/1.1\r\nHost: web.example\r\nConnection: close\r\n\r\n").await;
            let rest = String::from_utf8(line.rest().await).unwrap();
            assert!(!rest.ends_with("0\r\n\r\n"), "no clean end: {rest:?}");
            assert!(rest.contains("content-length: 9") || rest.contains("chunked"), "{rest:?}");
            assert_eq!(pair.fetches(), fetches);
        }
    }
}

#[tokio::test]
async fn section_1_an_answer_to_who_says_who_he_is_is_kept_only_where_it_is_for_all() {
    let told = "[[origin_request_policy]]\nname = \"Tells\"\nheaders = \"all\"\n";
    let cases = [
        ("cache-control: max-age=600", 2),
        ("cache-control: max-age=600, proxy-revalidate", 2),
        ("cache-control: max-age=600, public", 1),
        ("cache-control: s-maxage=600", 1),
        ("cache-control: max-age=600, must-revalidate", 1),
    ];
    for (fields, fetches) in cases {
        let web = WebServer::saying(&[(&format!("200 OK\n{fields}"), "stone")]).await;
        let options = "cache_policy = \"Levada-Media\"\norigin_request_policy = \"Tells\"";
        let pair = Pair::built(web, options, told).await;
        for _ in 0..2 {
            pair.ask("/a.txt", "Authorization: Basic YTpi").await.expect(200);
        }
        assert_eq!(pair.fetches(), fetches, "{fields}");
    }
}

#[tokio::test]
async fn section_1_an_error_that_is_for_one_viewer_is_kept_for_no_other() {
    for status in [400, 403, 404, 405, 410, 412, 414, 415, 501] {
        for word in ["private", "no-store", "no-cache"] {
            check(&[(&format!("{status} No\ncache-control: {word}, max-age=600"), Fetched)]).await;
        }
    }
}
