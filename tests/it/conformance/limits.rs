//! Bounds on what one viewer may do (http-edge.md 17, 18).

use tokio::net::TcpStream;

use crate::support::frames;
use crate::support::house::House;
use crate::support::secure::Http2;

const TIME: &str = "/.levada/time";

#[tokio::test]
async fn section_17_a_connection_ends_well_after_its_most_requests() {
    let house = House::with(&["listen.max_requests_per_connection=3"]).await;
    let mut line = house.line().await;
    for expected in ["keep-alive", "keep-alive", "close"] {
        let answer = line.ask(&format!("GET {TIME}")).await.expect(200);
        assert_eq!(answer.header("connection").as_deref().unwrap_or("keep-alive"), expected);
    }
    assert_eq!(line.rest().await, b"");

    let http2 = Http2::over(TcpStream::connect(house.http()).await.expect("it listens")).await;
    for _ in 0..3 {
        http2.get(&format!("http://localhost{TIME}")).await.expect(200);
    }
    house.settles("levada_viewer_connections_open", 0).await;
    assert_eq!(house.metric("levada_viewer_spent_connections_total").await, 2);
}

#[cfg(feature = "http3")]
#[tokio::test]
async fn section_17_a_connection_over_quic_does_so_too() {
    use crate::support::quic::Http3;
    use crate::support::soon;

    let house = House::with(&["listen.max_requests_per_connection=3"]).await;
    let http3 = Http3::to(house.https(), house.path()).await;
    for _ in 0..3 {
        http3.get(&format!("https://localhost{TIME}")).await.expect(200);
    }
    soon("the end of the connection", http3.connection.closed()).await;
    assert_eq!(house.metric("levada_viewer_spent_connections_total").await, 1);
}

#[tokio::test]
async fn section_17_a_client_opens_only_so_many_connections_within_a_second() {
    let settings = [
        "listen.trusted_proxies=127.0.0.0/8",
        "listen.proxy_protocol=true",
        "listen.max_new_connections_per_client=1",
        "listen.max_connections_per_network=3",
    ];
    let house = House::with(&settings).await;
    let mut lines = Vec::new();
    let mut served = Vec::new();
    // One opens many at once; its neighbors have as many as their network may hold.
    for client in [7, 7, 7, 7, 8, 9, 10] {
        let mut line = house.line().await;
        line.say(format!("PROXY TCP4 192.0.2.{client} 192.0.2.1 4711 443\r\n")).await;
        line.say(format!("GET {TIME} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        if line.answer(false).await.is_some() {
            served.push(client);
        }
        lines.push(line);
    }
    let hasty = house.metric("levada_viewer_hasty_connections_total").await;
    let turned_away = house.metric("levada_viewer_turned_away_total").await;
    // The clock may have gone on between two of them.
    assert!(served.len() <= 3 && served.first() == Some(&7), "{served:?}");
    assert_eq!((served.len() as u64 + turned_away, hasty >= 1), (7, true), "{served:?} {hasty}");
}

#[tokio::test]
async fn section_18_who_says_too_much_beside_requests_is_hung_up_on() {
    let house = House::open().await;
    let floods: [(&str, &[u8]); 5] = [
        ("PING", b"\0\0\x08\x06\0\0\0\0\0levada!!"),
        ("SETTINGS", b"\0\0\0\x04\0\0\0\0\0"),
        ("PRIORITY", b"\0\0\x05\x02\0\0\0\0\x01\0\0\0\0\x10"),
        ("WINDOW_UPDATE", b"\0\0\x04\x08\0\0\0\0\0\0\0\0\x01"),
        ("what nobody knows", b"\0\0\x02\xbb\0\0\0\0\0hi"),
    ];
    for (number, (name, frame)) in (1..).zip(floods) {
        let mut line = house.line().await;
        line.say([frames::opening(), frames::get(TIME), frame.repeat(900)].concat()).await;
        line.say(frame.repeat(4_100)).await;
        line.rest().await;
        house.settles("levada_viewer_connections_open", 0).await;
        assert_eq!(house.metric("levada_viewer_floods_total").await, number, "{name}");
    }
    house.get(TIME).await.expect(200);
}

#[tokio::test]
async fn section_18_who_asks_only_to_take_it_back_is_hung_up_on() {
    let house = House::open().await;
    let mut line = house.line().await;
    line.say(frames::opening()).await;
    // One after the other, so that each is begun before it is taken back.
    for stream in (1..2_000).step_by(2) {
        let all = frames::END_STREAM | frames::END_HEADERS;
        line.say(frames::frame(frames::HEADERS, all, stream, &frames::get(TIME)[9..])).await;
        line.say(frames::frame(3, 0, stream, &[0, 0, 0, 8])).await;
    }
    line.rest().await;
    house.settles("levada_viewer_connections_open", 0).await;
    house.get(TIME).await.expect(200);
}

#[tokio::test]
async fn section_18_a_head_is_not_told_without_end() {
    let house = House::open().await;
    // CONTINUATION after CONTINUATION; and a kilobyte that is remembered once and meant a thousand times.
    let begun = frames::frame(frames::HEADERS, frames::END_STREAM, 1, &frames::get(TIME)[9..]);
    let endless = [begun, frames::frame(9, 0, 1, &[]).repeat(5_000)].concat();
    let kept = [&[0x40, 1, b'x', 0x7f, 0x81, 0x07][..], &[b'a'; 1024], &[0xbe; 1_000]].concat();
    let bomb = [frames::get(TIME)[9..].to_vec(), kept].concat();
    let bomb = frames::frame(frames::HEADERS, frames::END_STREAM | frames::END_HEADERS, 1, &bomb);
    for octets in [endless, bomb] {
        let mut line = house.line().await;
        line.say([frames::opening(), octets].concat()).await;
        let answered = loop {
            let head = line.take(9).await;
            let payload = line.take(usize::from(head[1]) << 8 | usize::from(head[2])).await;
            match head[3] {
                frames::HEADERS => break payload[0] == 0x88,
                3 | 7 => break false,
                _ => {}
            }
        };
        assert!(!answered);
    }
    house.get(TIME).await.expect(200);
}
