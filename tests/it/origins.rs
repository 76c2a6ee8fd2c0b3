//! Origins that fail, and those that answer in their place.

use crate::support::house::House;
use crate::support::web::WebServer;

const STONE: (&str, &str) = ("200 OK\ncache-control: max-age=600", "stone");

/// A house that has these two as a group, under a host of its own.
async fn with_group(primary: &WebServer, secondary: &WebServer) -> House {
    House::beside(&format!(
        "{}{}[[origin_group]]\nid = \"pair\"\nmembers = [\"one\", \"other\"]\n\
         [[distribution]]\nid = \"web\"\naliases = [\"web.example\"]\n\
         default_behavior = {{ target_origin = \"pair\" }}\n",
        primary.origin("one"),
        secondary.origin("other")
    ))
    .await
}

#[tokio::test]
async fn the_second_of_a_group_answers_where_the_first_fails() {
    let failing = WebServer::saying(&[("503 Service Unavailable", "sorry")]).await;
    for primary in [failing, WebServer::away().await] {
        let secondary = WebServer::saying(&[STONE]).await;
        let house = with_group(&primary, &secondary).await;
        for words in ["stored", "hit"] {
            let answer = house.ask("GET /a\nHost: web.example").await.expect(200);
            assert_eq!(answer.text(), "stone");
            assert!(answer.header("cache-status").is_some_and(|it| it.contains(words)), "{answer:?}");
        }
        assert_eq!(house.metric("levada_origin_failovers_total{origin_group=\"pair\"}").await, 1);
        assert_eq!(secondary.asked().len(), 1);
    }
}

#[tokio::test]
async fn an_answer_that_is_no_failure_is_final() {
    let primary = WebServer::saying(&[("404 Not Found", "no stone")]).await;
    let secondary = WebServer::saying(&[STONE]).await;
    let house = with_group(&primary, &secondary).await;
    house.ask("GET /a\nHost: web.example").await.expect(404);
    assert!(secondary.asked().is_empty());
}

#[tokio::test]
async fn a_web_server_that_keeps_failing_is_left_alone_for_a_while() {
    let house = House::beside(&format!(
        "{}connection_attempts = 1\n[[distribution]]\nid = \"web\"\naliases = [\"web.example\"]\n\
         default_behavior = {{ target_origin = \"gone\" }}\n",
        WebServer::away().await.origin("gone")
    ))
    .await;
    for at in 0..6 {
        house.ask(&format!("GET /{at}\nHost: web.example")).await.expect(502);
    }
    for (metric, count) in [("requests_total", 5), ("failures_total", 5), ("spared_total", 1), ("out", 1)] {
        assert_eq!(
            house.metric(&format!("levada_origin_{metric}{{origin=\"gone\"}}")).await,
            count,
            "{metric}"
        );
    }
}
