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

#[tokio::test]
async fn section_10_one_member_that_cannot_be_read_is_all_of_the_field() {
    let read = ["x=token", "x=\"a, b\"", "x=:YQ==:", "x=(a \"b\");q=1", "x=1.5;y", "x=?0", "x;y=-1", "x=@1"];
    let unread = [
        "x=&", "x=\"a", "x=(a", "x=1x", "x=1;", "x;=1", "X", "1", "x =1", "x= 1", "x=?2", "x=:a", "x y",
        "x,,y",
    ];
    let line = |member: &str| format!("cache-control: max-age=600\ncdn-cache-control: {member}, no-store");
    let lines: Vec<_> = read.iter().chain(&unread).map(|it| line(it)).collect();
    let expected = read.iter().map(|_| Fetched).chain(unread.iter().map(|_| Reused));
    check(&lines.iter().map(String::as_str).zip(expected).collect::<Vec<_>>()).await;
    check(&[
        ("cache-control: max-age=600\ncdn-cache-control: max-age=-1", Fetched),
        ("cache-control: no-store\ncdn-cache-control: max-age=99999999999", Reused),
        ("cache-control: max-age=600\ncdn-cache-control: max-age=9999999999999999", Reused),
        ("cache-control: no-store\ncdn-cache-control: max-age=600\ncdn-cache-control: public", Reused),
        ("cache-control: max-age=600\ncdn-cache-control: max-age=600\ncdn-cache-control: no-store", Fetched),
        ("cache-control: max-age=600\ncdn-cache-control: max-age=600, must-revalidate=1", Reused),
        ("cache-control: no-store\ncdn-cache-control: &\nlevada-cache-control: max-age=600", Reused),
        ("cache-control: no-store\ncdn-cache-control: max-age=600\nlevada-cache-control: &", Reused),
        // Another family's field is nobody's here.
        ("cache-control: max-age=600\nsurrogate-control: no-store", Reused),
        ("cache-control: no-store\nsurrogate-control: max-age=600", Fetched),
    ])
    .await;
}

#[tokio::test]
async fn section_10_a_cache_status_says_why_the_origin_was_asked() {
    let methods =
        "allowed_methods = [\"GET\", \"HEAD\", \"OPTIONS\", \"PUT\", \"POST\", \"PATCH\", \"DELETE\"]";
    let media = "cache_policy = \"Levada-Media\"";
    let honor = "cache_policy = \"Ours\"";
    let section = "[[cache_policy]]\nname = \"Ours\"\nrequest_directives = \"honor\"\n";
    let none = "cache_policy = \"Managed-CachingDisabled\"";
    let (fresh, checked) = ("cache-control: max-age=600", "cache-control: no-cache\netag: \"a\"");
    for (behavior, sections, head, request, first, second) in [
        (none, "", fresh, "GET", "fwd=bypass; fwd-status=200", "fwd=bypass; fwd-status=200"),
        (media, "", fresh, "POST", "fwd=method; fwd-status=200", "fwd=method; fwd-status=200"),
        (
            media,
            "",
            "cache-control: no-store",
            "GET",
            "fwd=uri-miss; fwd-status=200",
            "fwd=uri-miss; fwd-status=200",
        ),
        (
            media,
            "",
            checked,
            "GET",
            "fwd=uri-miss; fwd-status=200; stored",
            "fwd=stale; fwd-status=200; stored",
        ),
    ] {
        let web = super::WebServer::saying(&[(&format!("200 OK\n{head}"), "stone")]).await;
        let pair = Pair::built(web, &format!("{behavior}\n{methods}"), sections).await;
        for expected in [first, second] {
            let answer =
                pair.house.ask(&format!("{request} /a.txt\nHost: web.example\nContent-Length: 0")).await;
            assert_eq!(
                answer.header("cache-status"),
                Some(format!("Levada; {expected}")),
                "{request} {head}"
            );
        }
    }
    let web = super::WebServer::saying(&[(&format!("200 OK\n{fresh}"), "stone")]).await;
    let pair = Pair::built(web, honor, section).await;
    pair.get().await.expect(200);
    pair.get_as("hit").await;
    let asked = pair.ask("/a.txt", "Cache-Control: no-cache").await.header("cache-status");
    assert_eq!(asked.as_deref(), Some("Levada; fwd=request; fwd-status=200; stored"));
}
