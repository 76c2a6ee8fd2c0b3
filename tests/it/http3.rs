//! Viewers who come over UDP.

use std::time::Duration;

use h3_quinn::quinn::{ConnectionError, Endpoint};

use crate::support::house::House;
use crate::support::http::Line;
use crate::support::quic::{Http3, between, quic, trusting};
use crate::support::secure::{Http2, tls};
use crate::support::{soon, until};

const PLAYLIST: &str = "/vod/sample.mp4/index.m3u8";

fn url(path: &str) -> String {
    format!("https://localhost{path}")
}

#[tokio::test]
async fn http_3_gives_the_same_as_http_1_and_is_written_down() {
    let house = House::open().await;
    let viewer = Http3::to(house.https(), house.path()).await;
    for path in [PLAYLIST, "/vod/sample.mp4/manifest.mpd", "/watch/live/match"] {
        let (expected, found) = (house.get(path).await, viewer.get(&url(path)).await);
        assert_eq!((found.status, &found.body), (expected.status, &expected.body), "{path}");
        assert_eq!(found.header("content-length"), expected.header("content-length"));
    }
    let head = http::Request::head(url(PLAYLIST)).body(()).unwrap();
    let head = viewer.ask(head, None).await.expect("an answer").expect(200);
    assert_eq!((head.body.len(), head.header("content-length").is_some()), (0, true));
    until("the lines of the log", async || {
        let log = std::fs::read_to_string(house.path().join("access.log")).unwrap();
        (log.matches("HTTP/3").count() == 4).then_some(())
    })
    .await;
    house.running.stop().await;
}

#[tokio::test]
async fn viewers_over_tls_are_told_of_http_3_where_it_is_served() {
    let house = House::open().await;
    let offer = Some(format!("h3=\":{}\"; ma=86400", house.https().port()));
    let older = tls(house.https(), house.path(), &["http/1.1"]).await.expect("it is trusted");
    assert_eq!(Line::over(older).ask(&format!("GET {PLAYLIST}")).await.header("alt-svc"), offer);
    let newer = tls(house.https(), house.path(), &["h2"]).await.expect("it is trusted");
    assert_eq!(Http2::over(newer).await.get(&url(PLAYLIST)).await.header("alt-svc"), offer);
    assert_eq!(house.get(PLAYLIST).await.header("alt-svc"), None);
    assert_eq!(
        Http3::to(house.https(), house.path()).await.get(&url(PLAYLIST)).await.header("alt-svc"),
        None
    );
    house.running.stop().await;

    let house = House::with(&["listen.https.http3=false"]).await;
    let older = tls(house.https(), house.path(), &["http/1.1"]).await.expect("it is trusted");
    assert_eq!(Line::over(older).ask(&format!("GET {PLAYLIST}")).await.header("alt-svc"), None);
    house.running.stop().await;
}

#[tokio::test]
async fn requests_that_are_none_are_refused_over_http_3_too() {
    let house = House::open().await;
    let viewer = Http3::to(house.https(), house.path()).await;
    let post = http::Request::post(url(PLAYLIST)).header("content-length", "4").body(()).unwrap();
    viewer.ask(post, Some("body")).await.expect("an answer").expect(403);
    for length in ["4, 5", "+4", "", "18446744073709551616"] {
        let post = http::Request::post(url(PLAYLIST)).header("content-length", length).body(()).unwrap();
        assert!(viewer.ask(post, Some("body")).await.is_none(), "{length}");
    }
    viewer.get(&url(&format!("/{}", "a".repeat(9000)))).await.expect(414);
    viewer.get("https://user@localhost/").await.expect(400);
    viewer.get(&url("/a%zz")).await.expect(400);
    let mut many = http::Request::get(url(PLAYLIST));
    for at in 0..101 {
        many = many.header(format!("x-{at}"), "1");
    }
    viewer.ask(many.body(()).unwrap(), None).await.expect("an answer").expect(431);
    viewer.get(&url(PLAYLIST)).await.expect(200);
    house.running.stop().await;
}

#[tokio::test]
async fn a_frame_that_says_it_is_endless_is_not_waited_for() {
    let house = House::open().await;
    let (_endpoint, connection) = quic(house.https(), house.path()).await.unwrap();
    for kind in [0x01, 0x21] {
        let (mut sending, _receiving) = connection.open_bi().await.unwrap();
        // The frame's kind, and 2^40 as its length.
        sending.write_all(&[kind, 0xc0, 0, 1, 0, 0, 0, 0, 0]).await.unwrap();
        let drip = async { while sending.write_all(&[0; 4096]).await.is_ok() {} };
        soon("the server to stop it", drip).await;
    }
    drop(connection);
    house.settles("levada_viewer_connections_open", 0).await;
    house.running.stop().await;
}

#[tokio::test]
async fn who_begins_requests_only_to_reset_them_is_closed() {
    let house = House::open().await;
    let (_endpoint, connection) = quic(house.https(), house.path()).await.unwrap();
    let flood = async {
        while let Ok((mut sending, _receiving)) = connection.open_bi().await {
            let _ = sending.write_all(&[0x01]).await;
            let _ = sending.reset(0_u32.into());
        }
    };
    soon("the server to have enough", flood).await;
    match connection.close_reason() {
        Some(ConnectionError::ApplicationClosed(it)) => assert_eq!(it.error_code.into_inner(), 0x107),
        other => panic!("{other:?}"),
    }
    house.running.stop().await;
}

#[tokio::test]
async fn section_19_while_many_handshakes_stand_open_addresses_must_prove_that_they_are_there() {
    /// The form of a long header, and the type of a Retry packet in it (RFC 9000 17.2.5).
    const RETRY: u8 = 0xf0;

    let house = House::open().await;
    let first_word = async || {
        let (address, told) = between(house.https(), true).await;
        let http3 = Http3::to(address, house.path()).await;
        http3.get(&url(PLAYLIST)).await.expect(200);
        soon("the server's first word", told).await.expect("it said something") & 0xf0
    };
    assert_ne!(first_word().await, RETRY);

    // Clients who hear nothing of what the server says, as those whose address is another's.
    let (address, _told) = between(house.https(), false).await;
    let endpoint = Endpoint::client((address.ip(), 0).into()).expect("there is a port");
    let config = trusting(house.path());
    let flood = tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            open.push(endpoint.connect_with(config.clone(), address, "localhost"));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    house.settles("levada_viewer_connections_open", 64).await;
    assert_eq!(first_word().await, RETRY);
    flood.abort();
    house.running.stop().await;
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let house = House::with(&["listen.header_timeout=1s"]).await;
    let (_endpoint, connection) = quic(house.https(), house.path()).await.unwrap();
    soon("the end of the connection", connection.closed()).await;
    house.running.stop().await;
}

#[tokio::test]
async fn who_comes_beyond_the_most_is_refused() {
    let house = House::with(&["listen.max_connections=1"]).await;
    let first = Http3::to(house.https(), house.path()).await;
    first.get(&url(PLAYLIST)).await.expect(200);
    assert!(quic(house.https(), house.path()).await.is_err());
    house.running.stop().await;
}

#[tokio::test]
async fn a_stop_lets_answers_arrive_and_closes_what_idles() {
    let house = House::open().await;
    let (_encoder, list) = house.live(4_100).await;
    let viewer = Http3::to(house.https(), house.path()).await;
    // The segment after the one that grows: nobody sends it.
    let sequence = list.open_sequence() + 1;
    let waiting = url(&format!("/live/match/video/index.m3u8?_HLS_msn={sequence}"));
    let waits = tokio::spawn(async move { (viewer.get(&waiting).await, viewer) });
    house.settles("levada_cache_fills_under_way", 1).await;
    house.running.stop().await;
    let (answer, viewer) = waits.await.expect("it is answered");
    assert_eq!(answer.status, 503, "the player is told to ask again");
    soon("the end of the connection", viewer.connection.closed()).await;
}
