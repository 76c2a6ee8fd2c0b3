//! Viewers whose connections a proxy passes on.

use crate::support::house::House;
use crate::support::until;

const PLAYLIST: &str = "/vod/sample.mp4/index.m3u8";
const REQUEST: &[u8] =
    b"GET /vod/sample.mp4/index.m3u8 HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n";

async fn clients(house: &House, count: usize) -> Vec<String> {
    until("the lines of the log", async || {
        let log = std::fs::read_to_string(house.path().join("access.log")).unwrap();
        let clients: Vec<_> = log
            .lines()
            .filter_map(|it| Some(it.split_once("\"client\":\"")?.1.split_once('"')?.0.to_owned()))
            .collect();
        (clients.len() == count).then_some(clients)
    })
    .await
}

#[tokio::test]
async fn a_trusted_proxy_says_for_whom_it_speaks() {
    let house = House::with(&["listen.trusted_proxies=127.0.0.0/8", "listen.proxy_protocol=true"]).await;
    let mut line = house.line().await;
    line.say(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n").await;
    line.say(REQUEST).await;
    line.answer(false).await.expect("an answer").expect(200);
    let mut line = house.line().await;
    line.say(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x08\xc0\0\x02\x01\x12\x67\x01\xbb").await;
    line.say(REQUEST).await;
    line.answer(false).await.expect("an answer").expect(200);
    // What a viewer says of itself by a field is not believed: it is no proxy.
    assert_eq!(clients(&house, 2).await, ["192.0.2.7", "192.0.2.8"]);
    house.running.stop().await;
}

#[tokio::test]
async fn a_trusted_proxy_that_does_not_say_is_hung_up_on() {
    let house = House::with(&["listen.trusted_proxies=127.0.0.0/8", "listen.proxy_protocol=true"]).await;
    for said in [REQUEST, b"PROXY TCP4 nobody nowhere 1 2\r\n", &[b'P'; 300]] {
        let mut line = house.line().await;
        line.say(said).await;
        assert_eq!(line.rest().await, b"");
    }
    house.settles("levada_viewer_connections_open", 0).await;
    house.running.stop().await;
}

#[tokio::test]
async fn viewers_behind_a_proxy_have_places_of_their_own() {
    let settings = [
        "listen.trusted_proxies=127.0.0.0/8",
        "listen.proxy_protocol=true",
        "listen.max_connections_per_client=1",
    ];
    let house = House::with(&settings).await;
    let mut lines = Vec::new();
    for (client, is_served) in [("192.0.2.7", true), ("192.0.2.8", true), ("192.0.2.7", false)] {
        let mut line = house.line().await;
        line.say(format!("PROXY TCP4 {client} 192.0.2.1 4711 443\r\n")).await;
        line.say(REQUEST).await;
        assert_eq!(line.answer(false).await.is_some(), is_served, "{client}");
        lines.push(line);
    }
    house.running.stop().await;
}

#[tokio::test]
async fn strangers_are_served_as_ever_and_may_not_say_so() {
    let house = House::with(&["listen.trusted_proxies=192.0.2.0/24", "listen.proxy_protocol=true"]).await;
    house.get(PLAYLIST).await.expect(200);
    let mut line = house.line().await;
    line.say(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n").await;
    line.say(REQUEST).await;
    line.answer(false).await.expect("an answer").expect(400);
    house.running.stop().await;
}
