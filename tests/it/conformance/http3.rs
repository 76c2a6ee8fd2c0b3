//! HTTP/3 that is none, or too much of it (http-edge.md 19).

use h3_quinn::quinn::{Connection, ConnectionError, Endpoint, ReadError, RecvStream, SendStream};

use crate::support::house::House;
use crate::support::quic::{self, GET, Http3, POST};
use crate::support::soon;

const NO_ERROR: u64 = 0x100;
const STREAM_CREATION: u64 = 0x103;
const CLOSED_CRITICAL_STREAM: u64 = 0x104;
const FRAME_UNEXPECTED: u64 = 0x105;
const FRAME: u64 = 0x106;
const EXCESSIVE_LOAD: u64 = 0x107;
const ID: u64 = 0x108;
const SETTINGS: u64 = 0x109;
const MISSING_SETTINGS: u64 = 0x10a;
const REQUEST_INCOMPLETE: u64 = 0x10d;
const MESSAGE: u64 = 0x10e;
const DECOMPRESSION: u64 = 0x200;
const ENCODER_STREAM: u64 = 0x201;
const DECODER_STREAM: u64 = 0x202;

/// The control stream, with settings.
const CONTROL: &[u8] = &[0, 4, 0];

const TIME: &str = "/.levada/time";

fn head(method: u8, fields: &[u8]) -> Vec<u8> {
    quic::head(method, "localhost", TIME, fields)
}

struct Viewer {
    connection: Connection,
    _endpoint: Endpoint,
}

impl Viewer {
    async fn of(house: &House) -> Self {
        let (endpoint, connection) = quic::quic(house.https(), house.path()).await.expect("it speaks QUIC");
        Self { connection, _endpoint: endpoint }
    }

    /// Opens a stream to say this and no more for now.
    async fn says(&self, octets: &[u8]) -> SendStream {
        let mut stream = self.connection.open_uni().await.expect("it may be opened");
        // The server may have had enough already.
        let _ = stream.write_all(octets).await;
        stream
    }

    async fn asks(&self, octets: &[u8]) -> (SendStream, RecvStream) {
        let (mut sending, receiving) = self.connection.open_bi().await.expect("it may be opened");
        let _ = sending.write_all(octets).await;
        (sending, receiving)
    }

    /// The code that the server closes the connection with.
    async fn closed(&self) -> u64 {
        match soon("the end of the connection", self.connection.closed()).await {
            ConnectionError::ApplicationClosed(it) => it.error_code.into_inner(),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn section_19_what_none_may_say_beside_requests_closes_the_connection_with_its_code() {
    let house = House::open().await;
    let mut wrong = Vec::new();
    let after = |frames: &[u8]| [CONTROL, frames].concat();
    for (name, streams, is_over, code) in [
        ("a second control stream", vec![CONTROL.to_vec(), CONTROL.to_vec()], false, STREAM_CREATION),
        ("a second encoder", vec![vec![2], vec![2]], false, STREAM_CREATION),
        ("a second decoder", vec![vec![3], vec![3]], false, STREAM_CREATION),
        ("a push", vec![vec![1, 0]], false, STREAM_CREATION),
        ("no SETTINGS", vec![vec![0, 7, 1, 0]], false, MISSING_SETTINGS),
        ("something before SETTINGS", vec![vec![0, 0x21, 0]], false, MISSING_SETTINGS),
        ("SETTINGS twice", vec![after(&[4, 0])], false, FRAME_UNEXPECTED),
        ("DATA", vec![after(&[0, 1, b'a'])], false, FRAME_UNEXPECTED),
        ("HEADERS", vec![after(&head(GET, b""))], false, FRAME_UNEXPECTED),
        ("PUSH_PROMISE", vec![after(&[5, 1, 0])], false, FRAME_UNEXPECTED),
        ("PRIORITY of HTTP/2", vec![after(&[2, 0])], false, FRAME_UNEXPECTED),
        ("PING of HTTP/2", vec![after(&[6, 0])], false, FRAME_UNEXPECTED),
        ("WINDOW_UPDATE of HTTP/2", vec![after(&[8, 0])], false, FRAME_UNEXPECTED),
        ("CONTINUATION of HTTP/2", vec![after(&[9, 0])], false, FRAME_UNEXPECTED),
        ("ENABLE_PUSH of HTTP/2", vec![vec![0, 4, 2, 2, 1]], false, SETTINGS),
        ("MAX_CONCURRENT_STREAMS of HTTP/2", vec![vec![0, 4, 2, 3, 1]], false, SETTINGS),
        ("INITIAL_WINDOW_SIZE of HTTP/2", vec![vec![0, 4, 2, 4, 1]], false, SETTINGS),
        ("MAX_FRAME_SIZE of HTTP/2", vec![vec![0, 4, 2, 5, 1]], false, SETTINGS),
        ("one setting twice", vec![vec![0, 4, 4, 6, 1, 6, 1]], false, SETTINGS),
        ("settings without end", vec![vec![0, 4, 0x80, 1, 0, 0]], false, EXCESSIVE_LOAD),
        ("a GOAWAY that takes back another", vec![after(&[7, 1, 0, 7, 1, 4])], false, ID),
        ("CANCEL_PUSH of nothing", vec![after(&[3, 1, 0])], false, ID),
        ("an end of the control stream", vec![CONTROL.to_vec()], true, CLOSED_CRITICAL_STREAM),
        ("an end of the encoder", vec![vec![2]], true, CLOSED_CRITICAL_STREAM),
        ("an end of the decoder", vec![vec![3]], true, CLOSED_CRITICAL_STREAM),
        ("an end within a frame", vec![vec![0, 4, 2, 6]], true, FRAME),
        ("fields to remember", vec![vec![2, 0x41, b'x', 1, b'y']], false, ENCODER_STREAM),
        ("an acknowledgement of nothing", vec![vec![3, 0x80]], false, DECODER_STREAM),
    ] {
        let viewer = Viewer::of(&house).await;
        let mut open = Vec::new();
        for octets in streams {
            let mut stream = viewer.says(&octets).await;
            if is_over {
                let _ = stream.finish();
            }
            open.push(stream);
        }
        let found = viewer.closed().await;
        if found != code {
            wrong.push((name, format!("{found:#x}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    house.running.stop().await;
}

#[tokio::test]
async fn section_19_frames_that_are_no_request_close_the_connection_with_their_code() {
    let house = House::open().await;
    let mut wrong = Vec::new();
    let trailers = [head(POST, b""), head(GET, b""), vec![0, 1, b'a']].concat();
    for (name, octets, is_over, code) in [
        ("DATA before HEADERS", vec![0, 1, b'a'], false, FRAME_UNEXPECTED),
        ("DATA behind trailers", trailers, false, FRAME_UNEXPECTED),
        ("CANCEL_PUSH", vec![3, 1, 0], false, FRAME_UNEXPECTED),
        ("SETTINGS", vec![4, 0], false, FRAME_UNEXPECTED),
        ("PUSH_PROMISE", vec![5, 1, 0], false, FRAME_UNEXPECTED),
        ("GOAWAY", vec![7, 1, 0], false, FRAME_UNEXPECTED),
        ("MAX_PUSH_ID", vec![13, 1, 0], false, FRAME_UNEXPECTED),
        ("PRIORITY of HTTP/2", vec![2, 0], false, FRAME_UNEXPECTED),
        ("PING of HTTP/2", vec![6, 0], false, FRAME_UNEXPECTED),
        ("WINDOW_UPDATE of HTTP/2", vec![8, 0], false, FRAME_UNEXPECTED),
        ("CONTINUATION of HTTP/2", vec![9, 0], false, FRAME_UNEXPECTED),
        ("an end within the head", vec![1, 5, 0, 0], true, FRAME),
        ("a field that nobody told", vec![1, 3, 0, 0, 0x80], false, DECOMPRESSION),
    ] {
        let viewer = Viewer::of(&house).await;
        let (mut sending, _receiving) = viewer.asks(&octets).await;
        if is_over {
            let _ = sending.finish();
        }
        let found = viewer.closed().await;
        if found != code {
            wrong.push((name, format!("{found:#x}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    house.running.stop().await;
}

#[tokio::test]
async fn section_19_a_malformed_request_is_reset_and_costs_no_other() {
    let house = House::open().await;
    let viewer = Viewer::of(&house).await;
    let mut wrong = Vec::new();
    for (name, octets, code) in [
        ("nothing", Vec::new(), REQUEST_INCOMPLETE),
        ("a name in capitals", head(GET, &[0x23, b'X', b'-', b'A', 1, b'b']), MESSAGE),
        ("two lengths", head(GET, &[0x54, 1, b'1', 0x54, 1, b'2']), MESSAGE),
        ("no path", vec![1, 5, 0, 0, 0xc0 | GET, 0xc0 | 23, 0xc0], MESSAGE),
    ] {
        let (mut sending, mut receiving) = viewer.asks(&octets).await;
        let _ = sending.finish();
        match soon("the end of the stream", receiving.read_to_end(4096)).await {
            Err(h3_quinn::quinn::ReadToEndError::Read(ReadError::Reset(it))) if it.into_inner() == code => {}
            other => wrong.push((name, format!("{other:?}"))),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");

    // Malformed as well (RFC 9114 4.3), but the engine does not tell where a pseudo-field stood, nor how often. What it
    // makes of them is all that anybody here and behind us sees of them.
    for fields in [&[0x23, b'x', b'-', b'a', 1, b'b', 0xc0 | GET][..], &[0xc0 | GET]] {
        let (mut sending, mut receiving) = viewer.asks(&head(GET, fields)).await;
        let _ = sending.finish();
        let answer = soon("the answer", receiving.read_to_end(4096)).await.expect("it is answered");
        assert_eq!(answer[5], 0xc0 | 25, "status 200");
    }
    house.running.stop().await;
}

#[tokio::test]
async fn section_19_what_nobody_knows_means_nothing() {
    let house = House::open().await;
    let viewer = Viewer::of(&house).await;
    let priority = [0x80, 0x0f, 0x07, 0, 4, 0, b'u', b'=', b'1'];
    let _control = viewer.says(&[CONTROL, &[0x21, 2, 1, 2], &priority].concat()).await;
    let _qpack = (viewer.says(&[2, 0x20]).await, viewer.says(&[3, 0x7f, 0x80, 1, 0x44]).await);
    let unknown = viewer.says(&[0x21, 1, 2, 3]).await;
    let asked = [&[0x21, 3, 1, 2, 3], &*head(GET, b"")].concat();
    let (mut sending, mut receiving) = viewer.asks(&asked).await;
    let _ = sending.finish();
    let answer = soon("the answer", receiving.read_to_end(4096)).await.expect("it is answered");
    // HEADERS of two octets' length, of no fields of the dynamic table, with status 200.
    assert_eq!((answer[0], &answer[3..6]), (1, &[0, 0, 0xc0 | 25][..]));
    assert_eq!(unknown.stopped().await.unwrap().map(|it| it.into_inner()), Some(STREAM_CREATION));
    viewer.connection.close((NO_ERROR as u32).into(), b"");
    house.running.stop().await;
}

#[tokio::test]
async fn section_19_who_says_too_much_beside_requests_is_hung_up_on() {
    let house = House::open().await;
    let priority: &[u8] = &[0x80, 0x0f, 0x07, 0, 4, 0, b'u', b'=', b'1'];
    for (number, (name, opening, frame)) in (1..).zip([
        ("MAX_PUSH_ID", CONTROL, &[13, 1, 0][..]),
        ("PRIORITY_UPDATE", CONTROL, priority),
        ("what nobody knows", CONTROL, &[0x21, 2, b'h', b'i']),
        ("streams that nobody wants any more", &[3], &[0x40]),
        ("capacities of a table that is none", &[2], &[0x20]),
    ]) {
        let viewer = Viewer::of(&house).await;
        let _stream = viewer.says(&[opening, &frame.repeat(4_100)].concat()).await;
        assert_eq!(viewer.closed().await, EXCESSIVE_LOAD, "{name}");
        house.settles("levada_viewer_floods_total", number).await;
    }

    // Within a request, between pieces of its body, and streams for nothing.
    let nothing = [head(POST, b""), [0, 0].repeat(4_100)].concat();
    for octets in [[0x21, 0].repeat(4_100), nothing] {
        let viewer = Viewer::of(&house).await;
        let _stream = viewer.asks(&octets).await;
        assert_eq!(viewer.closed().await, EXCESSIVE_LOAD);
    }
    let viewer = Viewer::of(&house).await;
    let flood = async {
        while let Ok(mut stream) = viewer.connection.open_uni().await {
            let _ = stream.write_all(&[0x21]).await;
        }
    };
    soon("the server to have enough", flood).await;
    assert_eq!(viewer.closed().await, EXCESSIVE_LOAD);
    house.settles("levada_viewer_floods_total", 8).await;
    Http3::to(house.https(), house.path()).await.get(&format!("https://localhost{TIME}")).await.expect(200);
    house.running.stop().await;
}
