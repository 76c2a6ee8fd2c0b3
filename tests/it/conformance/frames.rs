//! HTTP/2 that is none (http-edge.md 18).

use crate::support::frames::{END_HEADERS, END_STREAM, HEADERS, frame, get, headers, opening};
use crate::support::house::House;
use crate::support::http::Line;

const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;

/// `:status: 200`, of the static table.
const OK: u8 = 0x88;

const TIME: &str = "/.levada/time";

/// The first frame that answers something, or ends it: kind and payload.
async fn verdict(line: &mut Line) -> (u8, Vec<u8>) {
    loop {
        let head = line.take(9).await;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let payload = line.take(length as usize).await;
        if [HEADERS, RST_STREAM, GOAWAY].contains(&head[3]) {
            return (head[3], payload);
        }
    }
}

#[tokio::test]
async fn section_18_a_malformed_request_is_answered_with_nothing_of_what_it_asks() {
    let house = House::open().await;
    let good = [(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", TIME)];
    let with = |more: &[(&'static str, &'static str)]| [&good[..], more].concat();
    let without = |name: &str| good.iter().copied().filter(|it| it.0 != name).collect::<Vec<_>>();
    let late = [&[("x-a", "b")][..], &good].concat();
    let replaced = |name: &'static str, value: &'static str| [without(name), vec![(name, value)]].concat();
    let mut answered = Vec::new();
    for fields in [
        with(&[("X-A", "b")]),
        with(&[("x a", "b")]),
        with(&[("", "b")]),
        with(&[("connection", "close")]),
        with(&[("keep-alive", "1")]),
        with(&[("proxy-connection", "close")]),
        with(&[("upgrade", "h2c")]),
        with(&[("transfer-encoding", "chunked")]),
        with(&[("te", "gzip")]),
        with(&[("x-a", "b\r\nc: d")]),
        with(&[("x-a", "b\0")]),
        with(&[(":path", TIME)]),
        with(&[(":method", "GET")]),
        with(&[(":x", "y")]),
        with(&[(":status", "200")]),
        with(&[("host", "other.example")]),
        with(&[("content-length", "5")]),
        with(&[("content-length", "x")]),
        without(":method"),
        without(":path"),
        without(":scheme"),
        replaced(":path", ""),
        replaced(":path", "nothing"),
        replaced(":authority", "me@localhost"),
        late,
    ] {
        let mut line = house.line().await;
        line.say([opening(), headers(&fields)].concat()).await;
        let (kind, payload) = verdict(&mut line).await;
        if kind == HEADERS && payload[0] == OK {
            answered.push(fields);
        }
    }
    assert!(answered.is_empty(), "{answered:#?}");
    let mut line = house.line().await;
    line.say([opening(), headers(&good)].concat()).await;
    let (kind, payload) = verdict(&mut line).await;
    assert_eq!((kind, payload[0]), (HEADERS, OK));
}

#[tokio::test]
async fn section_18_a_frame_that_none_may_send_ends_the_connection_with_its_code() {
    const PROTOCOL: u8 = 1;
    const FLOW_CONTROL: u8 = 3;
    const FRAME_SIZE: u8 = 6;
    /// The engine says so where FRAME_SIZE_ERROR (RFC 9113 6.5, 6.7) or COMPRESSION_ERROR (4.3) is due: the connection ends
    /// all the same.
    const GENERAL: u8 = PROTOCOL;

    let house = House::open().await;
    let all = END_STREAM | END_HEADERS;
    let most = 0x7fff_ffff_u32.to_be_bytes();
    let mut wrong = Vec::new();
    for (name, octets, code) in [
        ("DATA on an idle stream", frame(0, 0, 5, b"a"), PROTOCOL),
        ("DATA on stream 0", frame(0, 0, 0, b"a"), PROTOCOL),
        ("HEADERS on stream 0", frame(HEADERS, all, 0, &get(TIME)[9..]), PROTOCOL),
        ("a stream of ours", frame(HEADERS, all, 2, &get(TIME)[9..]), PROTOCOL),
        ("RST_STREAM of an idle stream", frame(RST_STREAM, 0, 5, &[0; 4]), PROTOCOL),
        ("SETTINGS on a stream", frame(4, 0, 1, &[]), PROTOCOL),
        ("SETTINGS of a strange length", frame(4, 0, 0, &[0; 5]), GENERAL),
        ("PING of a strange length", frame(6, 0, 0, &[0; 7]), GENERAL),
        ("WINDOW_UPDATE by nothing", frame(8, 0, 0, &[0; 4]), PROTOCOL),
        ("WINDOW_UPDATE beyond all bounds", frame(8, 0, 0, &most), FLOW_CONTROL),
        (
            "an interrupted head",
            [frame(HEADERS, END_STREAM, 1, &[0x82]), frame(6, 0, 0, &[0; 8])].concat(),
            PROTOCOL,
        ),
        ("CONTINUATION of nothing", frame(9, END_HEADERS, 1, &[0x82]), PROTOCOL),
        ("padding beyond the frame", frame(HEADERS, all | 8, 1, &[9, 0x82]), PROTOCOL),
        ("PUSH_PROMISE", frame(5, END_HEADERS, 1, &[0, 0, 0, 2, 0x82]), PROTOCOL),
        ("an index of nothing", frame(HEADERS, all, 1, &[0xff, 0xff, 0x01]), GENERAL),
        ("a frame larger than any", frame(HEADERS, all, 1, &[0x82; 16_385]), FRAME_SIZE),
    ] {
        let mut line = house.line().await;
        line.say([opening(), octets].concat()).await;
        let (kind, payload) = verdict(&mut line).await;
        if (kind, payload.get(7)) != (GOAWAY, Some(&code)) {
            wrong.push((name, kind, payload));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    house.get(TIME).await.expect(200);
}
