//! What an HTTP cache owes its viewers and its origins: a web server that says what a story tells it to, behind the edge.

use crate::support::house::House;
use crate::support::http::Answer;
use crate::support::until;
use crate::support::web::WebServer;

/// A web server and the edge in front of it.
struct Pair {
    house: House,
    web: WebServer,
}

impl Pair {
    async fn of(answers: &[(&str, &str)]) -> Self {
        let web = WebServer::saying(answers).await;
        let house = House::beside(&format!(
            "{}[[distribution]]\nid = \"web\"\naliases = [\"web.example\"]\n\
             default_behavior = {{ target_origin = \"web\", cache_policy = \"Levada-Media\" }}\n",
            web.origin("web")
        ))
        .await;
        Self { house, web }
    }

    async fn get(&self) -> Answer {
        self.house.ask("GET /a.txt\nHost: web.example").await
    }

    fn fetches(&self) -> usize {
        self.web.asked().len()
    }

    /// The answer as soon as the cache says so of it.
    async fn get_as(&self, words: &str) -> Answer {
        let said = |it: &Answer| it.header("cache-status").is_some_and(|it| it.contains(words));
        until(words, async || Some(self.get().await).filter(said)).await
    }
}

#[tokio::test]
async fn section_2_what_is_fresh_is_not_fetched_again_and_has_an_age() {
    let pair = Pair::of(&[("200 OK\ncache-control: max-age=600\netag: \"a\"", "stone")]).await;
    let miss = pair.get().await.expect(200);
    assert_eq!(miss.header("x-cache").as_deref(), Some("Miss from levada"));
    let hit = pair.get_as("hit").await.expect(200);
    assert_eq!((hit.text(), hit.header("x-cache").as_deref()), ("stone", Some("Hit from levada")));
    assert!(hit.header("age").is_some());
    assert_eq!(pair.fetches(), 1);
}

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
async fn section_5_what_varies_on_everything_is_not_kept() {
    for vary in ["*", "x-forwarded-for"] {
        let pair = Pair::of(&[(&format!("200 OK\ncache-control: max-age=600\nvary: {vary}"), "stone")]).await;
        pair.get().await.expect(200);
        assert_eq!(pair.get().await.header("x-cache").as_deref(), Some("Miss from levada"));
        assert_eq!(pair.fetches(), 2);
    }
}

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
async fn section_12_a_stale_answer_stands_in_for_a_failing_origin() {
    let pair =
        Pair::of(&[("200 OK\ncache-control: max-age=1", "stone"), ("503 Service Unavailable", "sorry")])
            .await;
    pair.get().await.expect(200);
    let stale = pair.get_as("detail=sie").await.expect(200);
    assert_eq!(stale.text(), "stone");
}
