//! http-edge.md 4: what is asked again, what a 304 does, and what a viewer already has.

use super::Pair;
use crate::support::web::WebServer;

#[tokio::test]
async fn section_4_what_is_stale_is_validated_and_renewed() {
    let pair = Pair::of(&[
        ("200 OK\ncache-control: max-age=1\netag: \"a\"\ncontent-type: text/plain", "stone"),
        ("304 Not Modified\ncache-control: max-age=600\netag: \"a\"\ncontent-type: text/html", ""),
    ])
    .await;
    pair.get().await.expect(200);
    let renewed = pair.get_as("fwd=stale; fwd-status=304; stored").await.expect(200);
    assert_eq!(renewed.header("x-cache").as_deref(), Some("RefreshHit from levada"));
    assert_eq!((renewed.text(), renewed.header("content-type").as_deref()), ("stone", Some("text/plain")));
    assert!(pair.web.asked()[1].contains("if-none-match: \"a\""));
    pair.get_as("hit").await.expect(200);
    assert_eq!(pair.fetches(), 2);
}

#[tokio::test]
async fn section_4_what_says_no_cache_is_validated_at_every_use() {
    let pair = Pair::of(&[
        (
            "200 OK\ncache-control: no-cache\netag: W/\"a\"\nlast-modified: Sun, 15 Jun 2025 12:00:00 GMT",
            "stone",
        ),
        ("304 Not Modified\netag: W/\"a\"\nx-time: second", ""),
        ("304 Not Modified\netag: W/\"a\"\nx-time: third", ""),
        ("200 OK\ncache-control: no-cache\netag: W/\"b\"", "newer"),
        ("304 Not Modified\netag: W/\"b\"", ""),
    ])
    .await;
    for text in ["stone", "stone", "stone", "newer", "newer"] {
        assert_eq!(pair.get().await.expect(200).text(), text);
    }
    let asked = pair.web.asked();
    assert_eq!(asked.len(), 5);
    for again in &asked[1..4] {
        assert!(again.contains("\r\nif-none-match: w/\"a\"\r\n"), "{again}");
        assert!(again.contains("\r\nif-modified-since: sun, 15 jun 2025 12:00:00 gmt\r\n"), "{again}");
    }
    assert!(asked[4].contains("\r\nif-none-match: w/\"b\"\r\n"));
    assert!(!asked[4].contains("if-modified-since"));
}

#[tokio::test]
async fn section_4_a_304_that_nobody_asked_for_is_an_error_of_the_origin() {
    let pair = Pair::of(&[("304 Not Modified\netag: \"a\"", "")]).await;
    pair.get().await.expect(502);
}

#[tokio::test]
async fn section_4_a_viewers_condition_does_not_keep_the_whole_from_being_stored() {
    let pair = Pair::of(&[("200 OK\ncache-control: max-age=600\netag: \"a\"", "stone")]).await;
    pair.ask("/a.txt", "If-None-Match: \"a\"").await.expect(304);
    assert!(!pair.web.asked()[0].contains("if-none-match"));
    assert_eq!(pair.get_as("hit").await.expect(200).text(), "stone");
    assert_eq!(pair.fetches(), 1);
}

#[tokio::test]
async fn section_4_conditions_are_answered_from_what_is_stored() {
    let head = "200 OK\ncache-control: max-age=600\netag: \"a,b\"\nlast-modified: Sun, 15 Jun 2025 12:00:00 GMT\n\
                content-location: /b\nvary: accept-encoding\nexpires: Thu, 01 Jan 2037 00:00:00 GMT";
    let pair = Pair::of(&[(head, "stone")]).await;
    pair.get().await.expect(200);
    pair.get_as("hit").await;
    let (earlier, then, later) =
        ("Sun, 15 Jun 2025 11:00:00 GMT", "Sun, 15 Jun 2025 12:00:00 GMT", "Sun, 15 Jun 2025 13:00:00 GMT");
    let cases = [
        ("If-Match: \"a,b\"".to_owned(), 200),
        ("If-Match: *".to_owned(), 200),
        ("If-Match: W/\"a,b\"".to_owned(), 412),
        ("If-Match: \"a\", \"b\"".to_owned(), 412),
        (format!("If-Unmodified-Since: {earlier}"), 412),
        (format!("If-Unmodified-Since: {then}"), 200),
        (format!("If-Match: \"a,b\"\nIf-Unmodified-Since: {earlier}"), 200),
        ("If-None-Match: \"a,b\"".to_owned(), 304),
        ("If-None-Match: W/\"a,b\"".to_owned(), 304),
        ("If-None-Match: \"x\", \"a,b\"".to_owned(), 304),
        ("If-None-Match: *".to_owned(), 304),
        ("If-None-Match: a,b".to_owned(), 200),
        ("If-None-Match: \"a\", \"b\"".to_owned(), 200),
        (format!("If-None-Match: \"x\"\nIf-Modified-Since: {later}"), 200),
        (format!("If-Modified-Since: {then}"), 304),
        (format!("If-Modified-Since: {earlier}"), 200),
        ("If-Modified-Since: yesterday".to_owned(), 200),
        ("If-None-Match: \"a,b\"\nRange: bytes=0-1".to_owned(), 304),
        ("If-None-Match: \"x\"\nRange: bytes=0-1".to_owned(), 206),
    ];
    for (fields, status) in cases {
        assert_eq!(pair.ask("/a.txt", &fields).await.status, status, "{fields}");
    }
    let known = pair.ask("/a.txt", "If-None-Match: \"a,b\"").await.expect(304);
    for name in
        ["cache-control", "content-location", "date", "etag", "expires", "vary", "age", "cache-status"]
    {
        assert!(known.header(name).is_some(), "a 304 has {name}");
    }
    assert_eq!(pair.fetches(), 1);
}

#[tokio::test]
async fn section_4_a_body_in_slices_is_validated_and_not_read_again() {
    const SLICE: usize = 2 * 1024 * 1024;
    let film = "levada ".repeat(SLICE / 7 + 10_000);
    let (first, total) = (&film[..SLICE], film.len());
    let head = format!(
        "206 Partial Content\ncontent-range: bytes 0-{}/{total}\netag: \"a\"\ncache-control: max-age=1",
        SLICE - 1
    );
    let renewed = "304 Not Modified\netag: \"a\"\ncache-control: max-age=600";
    let web = WebServer::scripted(&[("/film.mp4", &[(&head, first), (renewed, "")])]).await;
    let pair = Pair::before(web).await;
    let begin = pair.ask("/film.mp4", "Range: bytes=0-6").await.expect(206);
    assert_eq!(begin.text(), "levada ");
    pair.ask_ranged_as("/film.mp4", "fwd=stale; fwd-status=304; stored").await;
    let asked = pair.web.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked[1].contains("if-none-match: \"a\"") && !asked[1].contains("\r\nrange:"), "{}", asked[1]);
}

#[tokio::test]
async fn section_4_a_body_in_slices_that_is_another_now_is_begun_anew() {
    let slice = |tag: &str, text: &str| {
        format!(
            "206 Partial Content\ncontent-range: bytes 0-4/5\netag: \"{tag}\"\ncache-control: max-age={text}"
        )
    };
    let (old, new) = (slice("a", "1"), slice("b", "600"));
    let answers = [(&*old, "stone"), ("200 OK\netag: \"b\"", "flint"), (&*new, "flint")];
    let pair = Pair::before(WebServer::scripted(&[("/film.mp4", &answers)]).await).await;
    assert_eq!(pair.ask("/film.mp4", "").await.expect(200).text(), "stone");
    let newer = pair.ask_as("/film.mp4", "fwd=stale; fwd-status=206; stored").await;
    assert_eq!(newer.text(), "flint");
    let asked = pair.web.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked[2].contains("\r\nrange: bytes=0-2097151\r\n"));
}

#[tokio::test]
async fn section_4_a_304_is_about_what_it_names_or_about_nothing_else() {
    const DATE: &str = "Sun, 15 Jun 2025 12:00:00 GMT";
    let (tag, date) = ("etag: \"a\"", format!("last-modified: {DATE}"));
    let cases = [
        (tag.to_owned(), tag.to_owned(), true),
        (tag.to_owned(), "etag: W/\"a\"".to_owned(), true),
        (tag.to_owned(), String::new(), true),
        (tag.to_owned(), "etag: \"b\"".to_owned(), false),
        (date.clone(), date.clone(), true),
        (date.clone(), String::new(), true),
        (date.clone(), "last-modified: Sun, 15 Jun 2025 13:00:00 GMT".to_owned(), false),
        (date.clone(), "etag: \"b\"".to_owned(), false),
        (format!("{tag}\n{date}"), "last-modified: Sun, 15 Jun 2025 13:00:00 GMT".to_owned(), false),
    ];
    for (stored, news, holds) in cases {
        let pair = Pair::of(&[
            (&format!("200 OK\ncache-control: no-cache\n{stored}"), "stone"),
            (&super::full(&news).replacen("200 OK", "304 Not Modified", 1), ""),
            ("200 OK\ncache-control: max-age=600", "newer"),
        ])
        .await;
        pair.get().await.expect(200);
        let second = pair.get().await.expect(200);
        assert_eq!(second.text(), if holds { "stone" } else { "newer" }, "{stored} {news}");
        let asked = pair.web.asked();
        assert_eq!(asked.len(), if holds { 2 } else { 3 }, "{stored} {news}");
        assert!(asked[1].contains("\r\nif-"), "{}", asked[1]);
        assert!(holds || !asked[2].contains("\r\nif-"), "it is fetched with no condition");
    }
}
