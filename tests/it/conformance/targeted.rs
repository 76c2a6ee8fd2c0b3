//! http-edge.md 10: fields that are meant for caches such as ours, and what ours says of itself.

use super::Second::{Fetched, Reused, Validated};
use super::{Pair, check};

#[tokio::test]
async fn section_10_a_targeted_field_counts_and_is_passed_on() {
    let head = "200 OK\ncache-control: no-store\ncdn-cache-control: max-age=600";
    let pair = Pair::of(&[(head, "stone")]).await;
    pair.get().await.expect(200);
    let hit = pair.get_as("hit").await.expect(200);
    assert_eq!(hit.header("cdn-cache-control").as_deref(), Some("max-age=600"));
    assert_eq!(hit.header("cache-control").as_deref(), Some("no-store"));
    assert_eq!(pair.fetches(), 1);
}

#[tokio::test]
async fn section_10_the_first_targeted_field_that_can_be_read_is_all_that_counts() {
    check(&[
        ("cache-control: no-store\ncdn-cache-control: max-age=600", Reused),
        ("cache-control: max-age=0\ncdn-cache-control: s-maxage=600", Reused),
        ("cache-control: max-age=600\ncdn-cache-control: max-age=0", Fetched),
        ("cache-control: max-age=600\ncdn-cache-control: no-store", Fetched),
        ("cache-control: max-age=600\ncdn-cache-control: private", Fetched),
        ("cache-control: max-age=600\ncdn-cache-control: no-cache\netag: \"a\"", Validated),
        ("cdn-cache-control: no-store\nlevada-cache-control: max-age=600", Reused),
        ("cdn-cache-control: max-age=600\nlevada-cache-control: no-store", Fetched),
        ("expires: {-60}\ncdn-cache-control: max-age=600", Reused),
        ("cdn-cache-control: max-age=600\nage: 700", Fetched),
        ("cache-control: no-store\ncdn-cache-control: max-age=600, unknown=\"a,b\", other;x=1", Reused),
        ("cache-control: no-store\ncdn-cache-control: max-age=600;x=y", Reused),
        ("cache-control: max-age=600\ncdn-cache-control: no-store=?1", Fetched),
        ("cache-control: max-age=0\ncdn-cache-control: no-store=?0, max-age=600", Reused),
    ])
    .await;
}

#[tokio::test]
async fn section_10_a_targeted_field_that_cannot_be_read_does_not_count() {
    check(&[
        ("cache-control: max-age=600\ncdn-cache-control: max-age=\"0\"", Reused),
        ("cache-control: max-age=600\ncdn-cache-control: max-age=0.5", Reused),
        ("cache-control: max-age=600\ncdn-cache-control: max-age=", Reused),
        ("cache-control: max-age=600\ncdn-cache-control: max-age", Reused),
        ("cache-control: max-age=600\ncdn-cache-control: MAX-AGE=0", Reused),
        ("cache-control: max-age=600\ncdn-cache-control: no-store=5", Reused),
        ("cache-control: max-age=600\ncdn-cache-control: no-store,", Reused),
        ("cache-control: max-age=600\ncdn-cache-control: no-store, &", Reused),
        ("cache-control: max-age=600\ncdn-cache-control: no-store max-age=0", Reused),
        ("cache-control: no-store\ncdn-cache-control:", Fetched),
    ])
    .await;
}

#[tokio::test]
async fn section_10_a_cache_status_says_what_was_done() {
    let pair = Pair::of(&[("200 OK\ncache-control: max-age=600\ncache-status: Before; hit", "stone")]).await;
    let said = |it: &super::Answer| it.header("cache-status").unwrap();
    assert_eq!(said(&pair.get().await), "Before; hit, Levada; fwd=uri-miss; fwd-status=200; stored");
    let hit = said(&pair.get_as("Levada; hit").await);
    assert!(hit.starts_with("Before; hit, Levada; hit; ttl="), "{hit}");
    assert!(!hit.contains("fwd"), "{hit}");
}

#[tokio::test]
async fn section_10_a_cache_status_tells_what_is_odd_about_a_hit() {
    for (head, detail) in [
        ("200 OK\ncache-control: max-age=600", None),
        ("200 OK", Some("behavior-ttl")),
        ("404 Not Found\ncache-control: max-age=600", Some("negative")),
    ] {
        let pair = Pair::of(&[(head, "stone")]).await;
        pair.get().await;
        let said = pair.get_as("hit").await.header("cache-status").unwrap();
        let found = said.split_once("; detail=").map(|(_, it)| it);
        assert_eq!(found, detail, "{head}: {said}");
    }
    let slice = "206 Partial Content\ncontent-range: bytes 0-4/5\netag: \"a\"\ncache-control: max-age=600";
    let pair = Pair::of(&[(slice, "stone")]).await;
    pair.ask("/film.mp4", "").await.expect(200);
    pair.ask_as("/film.mp4", "; detail=slice").await.expect(200);
}
