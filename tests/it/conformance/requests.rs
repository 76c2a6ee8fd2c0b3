//! http-edge.md 3: what a viewer asks of caches.

use super::Second::{Fetched, Reused, Validated};
use super::{Pair, check_under};
use crate::support::web::WebServer;

const HONOR: &str = "request_directives = \"honor\"";

/// One answer that is ten seconds old and lives for six hundred.
const FRESH: &str = "cache-control: max-age=600\nage: 10";

#[tokio::test]
async fn section_3_a_viewer_cannot_have_the_origin_asked_unless_the_policy_lets_him() {
    for request in
        ["Cache-Control: no-cache", "Cache-Control: max-age=0", "Cache-Control: no-store", "Pragma: no-cache"]
    {
        check_under("", request, &[(FRESH, Reused)]).await;
    }
}

#[tokio::test]
async fn section_3_a_policy_may_honor_what_a_viewer_asks_for() {
    for (request, second) in [
        ("", Reused),
        ("Cache-Control: no-cache", Fetched),
        ("Pragma: no-cache", Fetched),
        ("Pragma: no-cache\nCache-Control: max-age=600", Reused),
        ("Cache-Control: max-age=5", Fetched),
        ("Cache-Control: max-age=500", Reused),
        ("Cache-Control: min-fresh=595", Fetched),
        ("Cache-Control: min-fresh=500", Reused),
        ("Cache-Control: no-store", Fetched),
        ("Cache-Control: max-stale", Reused),
    ] {
        check_under(HONOR, request, &[(FRESH, second)]).await;
    }
    check_under(HONOR, "Cache-Control: no-cache", &[("cache-control: max-age=600\netag: \"a\"", Validated)])
        .await;
}

#[tokio::test]
async fn section_3_only_if_cached_is_never_forwarded() {
    let web = WebServer::saying(&[("200 OK\ncache-control: max-age=600", "stone")]).await;
    let pair = Pair::under(HONOR, web).await;
    let refused = pair.ask("/a.txt", "Cache-Control: only-if-cached").await.expect(504);
    assert_eq!(refused.header("cache-status").as_deref(), Some("Levada; fwd=uri-miss"));
    assert_eq!(pair.fetches(), 0);
    pair.get().await.expect(200);
    pair.get_as("hit").await;
    pair.ask("/a.txt", "Cache-Control: only-if-cached").await.expect(200);
    assert_eq!(pair.fetches(), 1);
}

#[tokio::test]
async fn section_3_a_viewer_who_takes_what_is_stale_gets_it_where_the_origin_lets_him() {
    for (head, status) in
        [("cache-control: max-age=1", 200), ("cache-control: max-age=1, must-revalidate", 504)]
    {
        let web = WebServer::saying(&[(&format!("200 OK\netag: \"a\"\n{head}"), "stone")]).await;
        let pair = Pair::under(HONOR, web).await;
        pair.get().await.expect(200);
        // It is fresh for a second; what is asked in between is a hit.
        let asked = "Cache-Control: max-stale, only-if-cached";
        let over = crate::support::until("the end of its lifetime", async || {
            let answer = pair.ask("/a.txt", asked).await;
            let said = answer.header("cache-status").unwrap_or_default();
            (said.contains("detail=max-stale") || answer.status == 504).then_some(answer)
        });
        assert_eq!(over.await.status, status, "{head}");
        assert_eq!(pair.fetches(), 1, "{head}");
    }
}
