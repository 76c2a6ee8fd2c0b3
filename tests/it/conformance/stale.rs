//! http-edge.md 12: what is stale, and when it is given all the same.

use super::Pair;

#[tokio::test]
async fn section_12_a_stale_answer_stands_in_for_a_failing_origin() {
    let pair =
        Pair::of(&[("200 OK\ncache-control: max-age=1", "stone"), ("503 Service Unavailable", "sorry")])
            .await;
    pair.get().await.expect(200);
    let stale = pair.get_as("detail=sie").await.expect(200);
    assert_eq!(stale.text(), "stone");
}

#[tokio::test]
async fn section_12_what_comes_stale_may_be_given_while_a_newer_is_fetched() {
    let pair = Pair::of(&[
        ("200 OK\ncache-control: max-age=0, stale-while-revalidate=600", "stone"),
        ("200 OK\ncache-control: max-age=600", "newer"),
    ])
    .await;
    pair.get().await.expect(200);
    assert_eq!(pair.get_as("detail=swr").await.expect(200).text(), "stone");
    assert_eq!(pair.get_as("hit; ttl=5").await.expect(200).text(), "newer");
    assert_eq!(pair.fetches(), 2);
}
