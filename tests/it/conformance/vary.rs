//! http-edge.md 5: the key alone selects, so what varies on more is not kept.

use super::Second::{Fetched, Reused};
use super::{check, check_under};

#[tokio::test]
async fn section_5_what_varies_on_what_the_key_does_not_have_is_not_kept() {
    check(&[
        ("cache-control: max-age=600\nvary: *", Fetched),
        ("cache-control: max-age=600\nvary: accept\nvary: *", Fetched),
        ("cache-control: max-age=600\nvary: x-forwarded-for", Fetched),
        ("cache-control: max-age=600\nvary: Via", Fetched),
        ("cache-control: max-age=600\nvary: cdn-loop", Fetched),
    ])
    .await;
}

/// The departure of `cache::freshness`: there are no variants beside those of the key, as in CloudFront. An origin sees
/// all other fields alike from everyone, so that what varies on them is the same for everyone.
#[tokio::test]
async fn section_5_what_varies_on_what_the_origin_sees_alike_from_everyone_is_one() {
    check(&[
        ("cache-control: max-age=600\nvary: accept-encoding", Reused),
        ("cache-control: max-age=600\nvary: User-Agent, Cookie, Accept-Language", Reused),
        ("cache-control: max-age=600\nvary: connection", Reused),
    ])
    .await;
}

#[tokio::test]
async fn section_5_what_varies_on_what_is_in_the_key_is_kept_for_each() {
    let keyed = "headers = [\"Accept-Language\"]";
    let cases = &[("cache-control: max-age=600\nvary: accept-language", Reused)];
    check_under(keyed, "Accept-Language: fr", cases).await;
    let web =
        super::WebServer::telling(&[("/a.txt", "200 OK\ncache-control: max-age=600\nvary: accept-language")]);
    let pair = super::Pair::under(keyed, web.await).await;
    // Absent is not empty.
    for (fields, fetches) in
        [("Accept-Language: fr", 1), ("Accept-Language: de", 2), ("", 3), ("Accept-Language:", 4)]
    {
        pair.ask("/a.txt", fields).await.expect(200);
        pair.ask("/a.txt", fields).await.expect(200);
        assert_eq!(pair.fetches(), fetches, "{fields}");
    }
}
