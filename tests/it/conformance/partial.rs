//! http-edge.md 7: parts of a body.

use super::{Pair, dated};

/// The head of a body that was last modified on this date.
fn modified(date: &str) -> String {
    format!(
        "200 OK\ncache-control: max-age=600\netag: \"a\"\nlast-modified: {date}\ndate: {}\ncontent-location: /b\n\
         expires: Thu, 01 Jan 2037 00:00:00 GMT\nvary: accept-encoding\ncontent-type: application/x",
        dated("{0}")
    )
}

/// The head of a body that is an hour old.
fn an_hour_old() -> String {
    modified(&dated("{-3600}"))
}

async fn stored(head: &str, body: &str) -> Pair {
    let pair = Pair::of(&[(head, body)]).await;
    pair.get().await;
    pair.get_as("hit").await;
    pair
}

#[tokio::test]
async fn section_7_a_range_is_answered_from_what_is_stored() {
    let pair = stored(&an_hour_old(), "0123456789").await;
    let cases = [
        ("bytes=0-0", 206, "0", "bytes 0-0/10"),
        ("bytes=2-5", 206, "2345", "bytes 2-5/10"),
        ("bytes=7-", 206, "789", "bytes 7-9/10"),
        ("bytes=-3", 206, "789", "bytes 7-9/10"),
        ("bytes=-30", 206, "0123456789", "bytes 0-9/10"),
        ("bytes=5-50", 206, "56789", "bytes 5-9/10"),
        ("bytes=0-99999999999999999999", 206, "0123456789", "bytes 0-9/10"),
        ("bytes=-99999999999999999999", 206, "0123456789", "bytes 0-9/10"),
        ("BYTES=8-", 206, "89", "bytes 8-9/10"),
        // Those that touch or are near are one.
        ("bytes=0-1,2-3", 206, "0123", "bytes 0-3/10"),
        ("bytes=50-60,4-5", 206, "45", "bytes 4-5/10"),
        ("bytes=10-", 416, "", "bytes */10"),
        ("bytes=99999999999999999999-", 416, "", "bytes */10"),
        ("bytes=-0", 416, "", "bytes */10"),
        ("bytes=50-60,10-11", 416, "", "bytes */10"),
        ("bytes=5-2", 200, "0123456789", ""),
        ("bytes=a-b", 200, "0123456789", ""),
        ("bytes=", 200, "0123456789", ""),
        ("items=0-1", 200, "0123456789", ""),
    ];
    for (range, status, body, content_range) in cases {
        let answer = pair.ask("/a.txt", &format!("Range: {range}")).await;
        let found = (answer.status, answer.text(), answer.header("content-range").unwrap_or_default());
        assert_eq!(found, (status, body, content_range.to_owned()), "{range}");
        assert_eq!(answer.header("accept-ranges").as_deref(), Some("bytes"), "{range}");
    }
    assert_eq!(pair.fetches(), 1);
}

#[tokio::test]
async fn section_7_a_part_has_all_fields_of_the_whole() {
    let pair = stored(&an_hour_old(), "0123456789").await;
    let part = pair.ask("/a.txt", "Range: bytes=0-1").await.expect(206);
    let whole = pair.get().await;
    for name in ["etag", "cache-control", "expires", "vary", "date", "content-location", "content-type"] {
        assert_eq!(part.header(name), whole.header(name), "{name}");
        assert!(part.header(name).is_some(), "{name}");
    }
    assert_eq!(part.header("content-length").as_deref(), Some("2"));
}

#[tokio::test]
async fn section_7_several_ranges_are_parts_in_the_order_asked() {
    let body = "0123456789".repeat(100);
    let pair = stored(&an_hour_old(), &body).await;
    let answer = pair.ask("/a.txt", "Range: bytes=500-504,0-1").await.expect(206);
    let kind = answer.header("content-type").unwrap();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let expected = format!(
        "--{boundary}\r\nContent-Type: application/x\r\nContent-Range: bytes 500-504/1000\r\n\r\n01234\r\n\
         --{boundary}\r\nContent-Type: application/x\r\nContent-Range: bytes 0-1/1000\r\n\r\n01\r\n\
         --{boundary}--\r\n"
    );
    assert_eq!(answer.text().to_ascii_lowercase(), expected.to_ascii_lowercase());
    let many: Vec<_> = (0..9).map(|it| format!("{0}-{0}", it * 100)).collect();
    let whole = pair.ask("/a.txt", &format!("Range: bytes={}", many.join(","))).await;
    assert_eq!((whole.status, whole.body.len()), (200, 1000), "too many ranges are none");
}

#[tokio::test]
async fn section_7_if_range_takes_a_strong_validator_alone() {
    let (date, other, now) = (dated("{-3600}"), dated("{-3000}"), dated("{0}"));
    let pair = stored(&modified(&date), "0123456789").await;
    let cases = [
        ("\"a\"", 206),
        (&date, 206),
        ("W/\"a\"", 200),
        ("\"b\"", 200),
        (&other, 200),
        (&now, 200),
        ("a", 200),
    ];
    for (condition, status) in cases {
        let answer = pair.ask("/a.txt", &format!("Range: bytes=0-1\nIf-Range: {condition}")).await;
        assert_eq!(answer.status, status, "{condition}");
    }
    // It had no time to change again unseen.
    let young = dated("{-30}");
    let pair = stored(&modified(&young), "0123456789").await;
    pair.ask("/a.txt", &format!("Range: bytes=0-1\nIf-Range: {young}")).await.expect(200);
}

#[tokio::test]
async fn section_7_an_error_has_no_parts_and_head_asks_for_none() {
    let pair = stored("404 Not Found\ncache-control: max-age=600", "0123456789").await;
    assert_eq!(pair.ask("/a.txt", "Range: bytes=0-1").await.expect(404).text(), "0123456789");
    let pair = stored(&an_hour_old(), "0123456789").await;
    let head = pair.house.ask("HEAD /a.txt\nHost: web.example\nRange: bytes=0-1").await.expect(200);
    assert_eq!(head.header("content-length").as_deref(), Some("10"));
    let empty = stored("200 OK\ncache-control: max-age=600", "").await;
    let none = empty.ask("/a.txt", "Range: bytes=0-").await.expect(416);
    assert_eq!(none.header("content-range").as_deref(), Some("bytes */0"));
}

#[tokio::test]
async fn section_7_a_part_that_nobody_asked_for_is_an_error_of_the_origin() {
    let pair = Pair::of(&[("206 Partial Content\ncontent-range: bytes 0-4/10\netag: \"a\"", "stone")]).await;
    pair.get().await.expect(502);
    // A viewer's range is never what the origin is asked for: the whole is, and kept.
    pair.ask("/b.txt", "Range: bytes=0-4").await.expect(502);
    assert!(pair.web.asked().iter().all(|it| !it.contains("\r\nrange:")));
}

#[tokio::test]
async fn section_7_a_part_that_is_another_than_it_was_asked_for_is_not_taken() {
    for part in [
        "206 Partial Content\netag: \"a\"\ncontent-range: bytes 4-8/10",
        "206 Partial Content\netag: \"a\"\ncontent-range: bytes 0-9/10",
        "206 Partial Content\netag: \"a\"\ncontent-range: bytes 0-4/*",
        "206 Partial Content\netag: \"a\"\ncontent-range: items 0-4/5",
        "206 Partial Content\netag: \"a\"",
        // Nothing tells these octets from those of another version.
        "206 Partial Content\netag: W/\"a\"\ncontent-range: bytes 0-4/5",
        "206 Partial Content\ncontent-range: bytes 0-4/5",
    ] {
        let pair = Pair::of(&[(part, "wrong"), ("200 OK\ncache-control: max-age=600", "stone")]).await;
        assert_eq!(pair.ask("/film.mp4", "Range: bytes=1-2").await.expect(206).text(), "to", "{part}");
        pair.ask_as("/film.mp4", "hit").await.expect(200);
        let asked = pair.web.asked();
        assert_eq!(asked.len(), 2, "{part}");
        assert!(!asked[1].contains("\r\nrange:"), "{part}");
    }
}

/// Web servers are asked for the whole or for a part of it, as the behavior says.
async fn check_fill(option: &str, path: &str, fields: &str, asked: Option<&str>) {
    let part = "206 Partial Content\ncache-control: max-age=600\netag: \"a\"\ncontent-range: bytes 2-4/10";
    let whole = "200 OK\ncache-control: max-age=600\netag: \"a\"";
    let answers = if asked.is_some() { [(part, "234"); 2] } else { [(whole, "0123456789"); 2] };
    let web = super::WebServer::saying(&answers).await;
    let policy = "cache_policy = \"Levada-Media\"";
    let pair = Pair::built(web, &format!("{policy}\n{option}"), "").await;
    for _ in 0..2 {
        let answer = pair.ask(path, &format!("Range: bytes=2-4{fields}")).await;
        assert_eq!((answer.status, answer.text()), (206, "234"), "{option} {path}");
        assert_eq!(answer.header("content-range").as_deref(), Some("bytes 2-4/10"), "{option} {path}");
        assert_eq!(answer.header("content-length").as_deref(), Some("3"), "{option} {path}");
    }
    let ranges = pair.web.asked();
    let found = ranges[0].lines().find_map(|it| it.strip_prefix("range: "));
    assert_eq!(found, asked, "{option} {path}: {ranges:?}");
    // What passes leaves nothing behind, all else is kept.
    let is_kept = asked.is_none() || !option.contains("pass");
    assert_eq!(ranges.len(), if is_kept { 1 } else { 2 }, "{option} {path}");
}

#[tokio::test]
async fn section_7_what_is_fetched_for_a_range_is_what_the_behavior_says() {
    check_fill("", "/a.txt", "", None).await;
    check_fill("range_fill = \"whole\"", "/a.mp4", "", None).await;
    check_fill("range_fill = \"pass\"", "/a.mp4", "", Some("bytes=2-4")).await;
    check_fill("range_fill = \"pass\"", "/a.txt", "\nIf-Range: \"a\"", Some("bytes=2-4")).await;
    check_fill("range_fill = \"exact\"", "/a.mp4", "", Some("bytes=2-4")).await;
}

#[tokio::test]
async fn section_7_a_range_passes_as_it_was_asked_for_and_conditions_are_judged_first() {
    let web =
        super::WebServer::saying(&[("200 OK\ncache-control: max-age=600\netag: \"a\"", "0123456789")]).await;
    let pair = Pair::built(web, "cache_policy = \"Levada-Media\"\nrange_fill = \"pass\"", "").await;
    let known = pair.ask("/a.txt", "Range: bytes=2-4\nIf-None-Match: \"a\"").await;
    assert_eq!(known.status, 304);
    // The whole is there now, and parts of it are given.
    let part = pair.ask("/a.txt", "Range: bytes=-3").await;
    assert_eq!((part.status, part.text()), (206, "789"));
    assert_eq!(pair.fetches(), 1);
    let web = super::WebServer::saying(&[("416 Range Not Satisfiable\ncontent-range: bytes */10", "")]).await;
    let pair = Pair::built(web, "cache_policy = \"Managed-CachingDisabled\"", "").await;
    let none = pair.ask("/a.txt", "Range: bytes=20-\nIf-Range: \"b\"").await;
    assert_eq!((none.status, none.header("content-range").as_deref()), (416, Some("bytes */10")));
    assert!(pair.web.asked()[0].contains("\r\nrange: bytes=20-\r\n"), "{:?}", pair.web.asked());
    assert!(pair.web.asked()[0].contains("\r\nif-range: \"b\"\r\n"), "{:?}", pair.web.asked());
}

#[tokio::test]
async fn section_7_a_part_that_is_another_than_a_viewer_asked_for_never_looks_like_what_he_did() {
    let lies = [
        "206 Partial Content\ncache-control: max-age=600\netag: \"a\"\ncontent-range: bytes 1-3/10",
        "206 Partial Content\ncache-control: max-age=600\netag: \"a\"\ncontent-range: bytes 2-5/10",
        "206 Partial Content\ncache-control: max-age=600\netag: \"a\"\ncontent-range: bytes 2-4/4",
        "206 Partial Content\ncache-control: max-age=600\netag: \"a\"\ncontent-range: items 2-4/10",
        "206 Partial Content\ncache-control: max-age=600\netag: \"a\"",
        "206 Partial Content\netag: \"a\"\ncontent-type: multipart/byteranges; boundary=x",
    ];
    let whole = "200 OK\ncache-control: max-age=600\netag: \"a\"";
    for lie in lies {
        let answers = [(lie, "wro"), (whole, "0123456789")];
        let build = async |option: &str| {
            let web = super::WebServer::saying(&answers).await;
            Pair::built(web, &format!("cache_policy = \"Levada-Media\"\n{option}"), "").await
        };
        let pair = build("range_fill = \"pass\"").await;
        pair.ask("/a.mp4", "Range: bytes=2-4").await.expect(502);
        // Nothing was sent yet, and the whole may be right.
        let pair = build("range_fill = \"exact\"").await;
        let answer = pair.ask("/a.mp4", "Range: bytes=2-4").await.expect(206);
        assert_eq!((answer.text(), pair.fetches()), ("234", 2), "{lie}");
        pair.ask_as("/a.mp4", "hit").await.expect(200);
    }
}
