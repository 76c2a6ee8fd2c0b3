//! An edge, its parents, and the origin behind them.

use futures_util::future::join_all;

use crate::support::house::House;
use crate::support::playlist::Playlist;
use crate::support::web::WebServer;

const STONE: (&str, &str) = ("200 OK\ncache-control: max-age=600", "stone");

/// An edge that asks these parents for what is asked of it as `tv.example`.
async fn edge(parents: &[String], more: &str, policy: &str) -> House {
    House::beside(&format!(
        "[[origin]]\nid = \"tier\"\nkind = \"parent\"\nparents = {parents:?}\n{more}\n\
         [[distribution]]\nid = \"tv\"\naliases = [\"tv.example\"]\n\
         default_behavior = {{ target_origin = \"tier\", cache_policy = \"{policy}\" }}\n"
    ))
    .await
}

fn url(house: &House) -> String {
    format!("http://{}", house.http())
}

async fn metric(house: &House, what: &str, parent: &str) -> u64 {
    let authority = parent.trim_start_matches("http://");
    house.metric(&format!("levada_origin_{what}{{origin=\"tier {authority}\"}}")).await
}

#[tokio::test]
async fn a_hundred_who_wait_for_a_part_at_an_edge_are_one_who_waits_at_its_parent() {
    let parent = House::open().await;
    let edge = edge(&[url(&parent)], "", "Levada-Live").await;
    let (mut encoder, list) = parent.live(4_100).await;
    let (sequence, part) = (list.open_sequence(), list.open.len());
    let request =
        format!("GET /live/match/video/index.m3u8?_HLS_msn={sequence}&_HLS_part={part}\nHost: tv.example");
    let viewers = join_all((0..100).map(|_| edge.ask(&request)));
    let told = async {
        edge.settles("levada_cache_fills_under_way", 1).await;
        parent.settles("levada_cache_fills_under_way", 1).await;
        encoder.send(4_000..6_000).await;
    };
    let (answers, ()) = tokio::join!(viewers, told);
    for answer in answers {
        let list = Playlist::read(answer.expect(200).text());
        assert!(list.open_sequence() > sequence || list.open.len() > part, "{list:?}");
    }
    assert_eq!(metric(&edge, "requests_total", &url(&parent)).await, 1);
}

#[tokio::test]
async fn lifetimes_go_from_tier_to_tier_and_no_further() {
    let parent = House::open().await;
    let edge = edge(&[url(&parent)], "", "Levada-Live").await;
    let (_encoder, list) = parent.live(4_100).await;
    let part = format!("/live/match/video/{}", list.open[0].uri);
    let missing = "/live/match/video/1-1.m4s";
    for (path, status, told) in [(part.as_str(), 200, "immutable"), (missing, 404, "10000")] {
        let answer = parent.ask(&format!("GET {path}\nCDN-Loop: another")).await.expect(status);
        assert_eq!(answer.header("levada-lifetime").as_deref(), Some(told), "{path}");
        assert_eq!(parent.get(path).await.header("levada-lifetime"), None);
        for words in ["stored", "hit"] {
            let answer = edge.ask(&format!("GET {path}\nHost: tv.example")).await.expect(status);
            assert!(answer.header("cache-status").is_some_and(|it| it.contains(words)), "{answer:?}");
            assert_eq!(answer.header("levada-lifetime"), None);
        }
    }
}

#[tokio::test]
async fn a_parent_is_asked_as_the_viewer_would_have_asked_it() {
    let parent = WebServer::saying(&[STONE]).await;
    let edge = edge(&[parent.url()], "", "Levada-Media").await;
    edge.ask("GET /a.txt?b=1&Signature=x\nHost: tv.example").await.expect(200);
    let head = parent.asked().remove(0);
    assert!(head.starts_with("get /a.txt http/1.1\r\n"), "{head}");
    for line in
        ["host: tv.example", "x-forwarded-for: 127.0.0.1", "x-forwarded-proto: http", "cdn-loop: levada-"]
    {
        assert!(head.contains(&format!("\r\n{line}")), "{line} in {head}");
    }
}

#[tokio::test]
async fn the_next_parent_takes_over_and_at_last_the_origin() {
    let (away, gone) = (WebServer::away().await, WebServer::away().await);
    let there = WebServer::saying(&[STONE]).await;
    let origin = WebServer::saying(&[("200 OK\ncache-control: max-age=600", "pebble")]).await;
    let fallback = format!("fallback = \"web\"\n{}", origin.origin("web"));

    let edge_of = async |parents: &[String]| edge(parents, &fallback, "Levada-Media").await;
    let house = edge_of(&[away.url(), there.url()]).await;
    for at in 0..4 {
        let answer = house.ask(&format!("GET /{at}.txt\nHost: tv.example")).await.expect(200);
        assert_eq!(answer.text(), "stone");
    }
    assert!(origin.asked().is_empty());
    let house = edge_of(&[away.url(), gone.url()]).await;
    let answer = house.ask("GET /a.txt\nHost: tv.example").await.expect(200);
    assert_eq!(answer.text(), "pebble");
    let house = edge(&[away.url()], "", "Levada-Media").await;
    house.ask("GET /a.txt\nHost: tv.example").await.expect(502);
}

#[tokio::test]
async fn what_no_cache_may_keep_skips_the_parents() {
    let parent = WebServer::saying(&[STONE]).await;
    let origin = WebServer::saying(&[("200 OK", "pebble")]).await;
    let fallback = format!("fallback = \"web\"\n{}", origin.origin("web"));
    let house = edge(&[parent.url()], &fallback, "Managed-CachingDisabled").await;
    assert_eq!(house.ask("GET /a.txt\nHost: tv.example").await.expect(200).text(), "pebble");
    assert!(parent.asked().is_empty());
}

#[tokio::test]
async fn a_server_that_is_its_own_parent_says_so() {
    let house = edge(&["http://127.0.0.1:1".to_owned()], "", "Levada-Media").await;
    let itself = house.configuration().replace("http://127.0.0.1:1", &url(&house));
    house.write_configuration(&itself);
    house.running.reload().expect("it is right");
    house.ask("GET /a.txt\nHost: tv.example").await.expect(508);
}
