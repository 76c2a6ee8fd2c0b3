//! http-edge.md 6: HEAD shares with GET, and what is changed at the origin is not kept here.

use super::Pair;
use crate::support::http::send;
use crate::support::web::WebServer;

#[tokio::test]
async fn section_6_head_is_answered_from_what_get_brought_and_brings_it_itself() {
    let pair = Pair::of(&[("200 OK\ncache-control: max-age=600\netag: \"a\"", "stone")]).await;
    let miss = pair.head("/a.txt").await.expect(200);
    assert_eq!(miss.header("content-length").as_deref(), Some("5"));
    assert!(pair.web.asked()[0].starts_with("get "), "one fetch serves all who come later");
    let hit = pair.get_as("hit").await.expect(200);
    assert_eq!(hit.text(), "stone");
    let head = pair.head("/a.txt").await.expect(200);
    assert_eq!((head.header("etag"), head.header("content-length")), (hit.header("etag"), Some("5".into())));
    assert_eq!(pair.fetches(), 1);
}

#[tokio::test]
async fn section_6_what_changes_a_thing_at_the_origin_outdates_what_is_kept_of_it() {
    let kept = ("200 OK\ncache-control: max-age=600", "stone");
    for (method, answer, fetches) in [
        ("POST", "200 OK", 3),
        ("PUT", "201 Created", 3),
        ("DELETE", "204 No Content", 3),
        ("PATCH", "303 See Other\nlocation: /b", 3),
        ("POST", "404 Not Found", 2),
        ("DELETE", "503 Sorry", 2),
    ] {
        let web = WebServer::saying(&[kept, (answer, ""), kept]).await;
        let options = "cache_policy = \"Levada-Media\"\n\
                       allowed_methods = [\"GET\", \"HEAD\", \"OPTIONS\", \"PUT\", \"POST\", \"PATCH\", \"DELETE\"]";
        let pair = Pair::built(web, options, "").await;
        pair.get().await.expect(200);
        pair.get_as("hit").await;
        send(pair.house.http(), &format!("{method} /a.txt\nHost: web.example"), "{}").await;
        pair.get().await.expect(200);
        assert_eq!(pair.fetches(), fetches, "{method} {answer}");
    }
}
