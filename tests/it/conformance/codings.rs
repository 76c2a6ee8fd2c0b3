//! What is compressed at the edge is another representation (http-edge.md 8).

use super::Pair;

/// Text that is worth compressing, and its tag.
fn text(more: &str) -> (String, String) {
    (
        format!("200 OK\ncache-control: max-age=600{more}\ncontent-type: text/css\netag: \"abc\""),
        "a { color: red }\n".repeat(100),
    )
}

async fn giving(more: &str) -> Pair {
    let (head, body) = text(more);
    Pair::of(&[(&head, &body)]).await
}

#[tokio::test]
async fn section_8_a_coding_is_chosen_by_what_the_viewer_likes() {
    let pair = giving("").await;
    for (accepted, expected) in [
        ("gzip", Some("gzip")),
        ("br", Some("br")),
        ("gzip, br", Some("br")),
        ("gzip;q=1, br;q=0.5", Some("gzip")),
        ("gzip;q=0", None),
        ("gzip;q=0, *", Some("br")),
        ("identity", None),
        ("x", None),
        ("gzip;q=0.1, identity", None),
    ] {
        let answer = pair.ask("/a.css", &format!("Accept-Encoding: {accepted}")).await.expect(200);
        assert_eq!(answer.header("content-encoding").as_deref(), expected, "{accepted}");
        assert_eq!(
            answer.header("vary").map(|it| it.to_ascii_lowercase().contains("accept-encoding")),
            Some(true),
            "{accepted}"
        );
    }
    assert_eq!(pair.ask("/a.css", "").await.header("content-encoding"), None);
    let told = pair.web.asked();
    assert!(told.len() <= 2, "one representation is fetched for all who like the same: {told:?}");
}

#[tokio::test]
async fn section_8_no_two_codings_share_a_strong_tag_and_each_is_validated_by_its_own() {
    let pair = giving("").await;
    let mut tags = Vec::new();
    for accepted in ["identity", "gzip", "br"] {
        let ask = async |more: &str| pair.ask("/a.css", &format!("Accept-Encoding: {accepted}{more}")).await;
        let tag = ask("").await.expect(200).header("etag").expect("it has a tag");
        assert!(!tags.contains(&tag) || tag.starts_with("W/"), "{tag}");
        ask(&format!("\nIf-None-Match: {tag}")).await.expect(304);
        tags.push(tag);
    }
    assert_eq!(tags[0], "\"abc\"");
}

#[tokio::test]
async fn section_8_what_must_not_be_changed_is_not() {
    for more in [", no-transform", ", no-transform=\"\"", ", No-Transform"] {
        let answer = giving(more).await.ask("/a.css", "Accept-Encoding: gzip, br").await.expect(200);
        assert_eq!(
            (answer.header("content-encoding"), answer.header("etag").as_deref()),
            (None, Some("\"abc\""))
        );
    }
    // Media gains nothing, what is short little, and what is coded is coded.
    for (head, body) in [
        ("content-type: video/mp4", "stone".repeat(500)),
        ("content-type: text/css", "a{}".to_owned()),
        ("content-type: text/css\ncontent-encoding: zstd", "stone".repeat(500)),
    ] {
        let head = format!("200 OK\ncache-control: max-age=600\n{head}");
        let answer =
            Pair::of(&[(&head, &body)]).await.ask("/a.css", "Accept-Encoding: gzip, br").await.expect(200);
        assert_eq!(answer.body, body.as_bytes(), "{head}");
    }
}
