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

/// What comes stale and has a tag is validated at every use, so that no test waits for the end of a lifetime.
async fn failing(said: &str, failure: &str) -> Pair {
    let head = format!("200 OK\netag: \"a\"\nage: 60\ncache-control: {said}");
    let pair = Pair::of(&[(&head, "stone"), (failure, "sorry")]).await;
    pair.get().await.expect(200);
    pair
}

/// 501 and 505 beside 500, 502, 503 and 504 (cloudfront.md 3.6).
#[tokio::test]
async fn section_12_an_error_of_the_origin_is_stood_in_for_and_an_answer_is_not() {
    for status in [500, 501, 502, 503, 504, 505] {
        for said in ["max-age=60", "max-age=60, stale-if-error=600"] {
            let answer = failing(said, &format!("{status} Sorry")).await.get().await.expect(200);
            let (text, said) = (answer.text(), answer.header("cache-status").unwrap());
            assert!(
                text == "stone" && said.starts_with("Levada; hit; ttl=") && said.ends_with("; detail=sie"),
                "{said}"
            );
            assert!(answer.header("age").unwrap().parse::<u64>().unwrap() >= 60);
        }
        for said in [
            "max-age=60, stale-if-error=0",
            "max-age=60, must-revalidate",
            "max-age=60, proxy-revalidate",
            "s-maxage=60",
            "no-cache",
            "no-cache, stale-if-error=600",
        ] {
            let answer = failing(said, &format!("{status} Sorry")).await.get().await;
            assert_eq!((answer.status, answer.text()), (status, "sorry"), "{said}");
        }
    }
    for status in [400, 401, 403, 404, 410, 429] {
        let answer = failing("max-age=60", &format!("{status} No")).await.get().await;
        assert_eq!((answer.status, answer.text()), (status, "sorry"));
    }
}

#[tokio::test]
async fn section_12_nothing_is_given_meanwhile_where_the_origin_forbids_it() {
    for (said, meanwhile) in [
        ("max-age=60", true),
        ("max-age=60, must-revalidate", false),
        ("max-age=60, proxy-revalidate", false),
        ("s-maxage=60", false),
        ("no-cache", false),
    ] {
        let said = format!("{said}, stale-while-revalidate=600");
        let answer = failing(&said, "200 OK\ncache-control: max-age=600").await.get().await.expect(200);
        let status = answer.header("cache-status").unwrap();
        assert_eq!(
            (answer.text() == "stone", status.contains("detail=swr")),
            (meanwhile, meanwhile),
            "{said} {status}"
        );
        assert!(meanwhile || status.ends_with("fwd=stale; fwd-status=200; stored"), "{said} {status}");
    }
}
