//! Strangers who do not keep to the rules. After each the house still serves.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::encoder::Encoder;
use crate::support::house::House;
use crate::support::playlist::Playlist;
use crate::support::{film, frames, soon};

const PLAYLIST: &str = "/vod/sample.mp4/index.m3u8";

/// A house with a broadcast that must go on whatever strangers do.
struct Scene {
    house: House,
    encoder: Encoder,
    sent: u32,
}

impl Scene {
    async fn open(settings: &[&str]) -> Self {
        let house = House::with(settings).await;
        let (encoder, _) = house.live(4_100).await;
        Self { house, encoder, sent: 4_100 }
    }

    /// The broadcast goes on, the library is open, and nobody but the encoder is still connected.
    async fn goes_on(&mut self) {
        let before = self.house.playlist("video").await;
        self.encoder.send(self.sent..self.sent + 1_000).await;
        self.sent += 1_000;
        let grown = |it: &Playlist| it.seconds() > before.seconds() + 0.5;
        self.house.playlist_with("more of the match", grown).await;
        self.house.get(PLAYLIST).await.expect(200);
        self.house.settles("levada_rtmp_connections_open", 1).await;
        self.house.settles("levada_viewer_connections_open", 0).await;
        self.house.settles("levada_cache_fills_under_way", 0).await;
        let limit = self.house.metric("levada_cache_memory_limit_bytes").await;
        assert!(self.house.metric("levada_cache_memory_bytes").await < limit);
    }
}

/// Says `request` and returns the one status that comes before the server closes; 0 when it just closes.
async fn refused(house: &House, request: &[u8]) -> u16 {
    let mut line = house.line().await;
    line.say(request).await;
    let Some(answer) = line.answer(false).await else { return 0 };
    if answer.status != 200 {
        let rest = line.rest().await;
        assert!(rest.is_empty(), "nothing is read after a refusal: {}", String::from_utf8_lossy(&rest));
    }
    answer.status
}

#[tokio::test]
async fn requests_that_are_none_are_refused_and_nothing_after_them_is_read() {
    let mut scene = Scene::open(&[]).await;
    let smuggled = "GET /.levada/time HTTP/1.1\r\nHost: a\r\n\r\n";
    let get = "GET /.levada/time HTTP/1.1\r\n";
    let long = "a".repeat(9_000);
    let fields = (0..120).map(|it| format!("x-{it}: y\r\n")).collect::<String>();
    let mut wrong = Vec::new();
    for (request, expected) in [
        ("\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03 and so on\r\n\r\n".to_owned(), 400),
        (format!("{get}\r\n"), 400),
        (format!("{get}Host: a\r\nHost: a\r\n\r\n"), 400),
        (format!("{get}Host: a\r\nHost: b\r\n\r\n"), 400),
        (format!("{get}Host: user@a\r\n\r\n"), 400),
        (format!("{get}Host: a/b\r\n\r\n"), 400),
        ("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n".to_owned(), 400),
        (format!("{get}Host : a\r\n\r\n"), 400),
        (format!("{get}Host: a\r\nx: \0\r\n\r\n"), 400),
        (format!("{get}Host: a\r\n : y\r\n\r\n"), 400),
        (format!("{get}Host: a\r\nx: y\r\n folded\r\n\r\n"), 400),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n".to_owned(), 400),
        ("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400),
        ("GET /% HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400),
        ("GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400),
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), 414),
        (format!("{get}Host: a\r\nCookie: {}\r\n\r\n", "a".repeat(40_000)), 431),
        (format!("{get}Host: a\r\n{fields}\r\n"), 431),
        (format!("{get}Host: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400),
        (format!("{get}Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"), 400),
        (format!("{get}Host: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd"), 400),
        (format!("{get}Host: a\r\nContent-Length: +4\r\n\r\nabcd"), 400),
        (format!("{get}Host: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"), 400),
        ("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(), 400),
        (format!("{get}Host: a\r\nContent-Length: 4\r\n\r\nabcd"), 403),
        (format!("{get}Host: a\r\nExpect: a-miracle\r\n\r\n"), 417),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n".to_owned(), 400),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"
                .to_owned(),
            403,
        ),
        (format!("{get}Host: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n"), 400),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 405),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n".to_owned(), 405),
    ] {
        let status = refused(&scene.house, format!("{request}{smuggled}").as_bytes()).await;
        if status != expected {
            wrong.push((status, expected, request[..request.len().min(120)].to_owned()));
        }
    }
    assert_eq!(wrong, []);
    scene.goes_on().await;
}

#[tokio::test]
async fn heads_that_drip_and_connections_that_idle_are_closed() {
    let mut scene = Scene::open(&["listen.header_timeout=1s", "listen.keep_alive=1s"]).await;
    let mut silent = scene.house.line().await;
    let mut dripping = scene.house.line().await;
    let mut idle = scene.house.line().await;
    idle.ask(&format!("GET {PLAYLIST}")).await.expect(200);
    let drip = async {
        dripping.say("GET / HTTP/1.1\r\nHost: a\r\n").await;
        for _ in 0..30 {
            dripping.say("x: y\r\n").await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        dripping.rest().await
    };
    let (dripped, silence, idled) = tokio::join!(drip, silent.rest(), idle.rest());
    let dripped = String::from_utf8_lossy(&dripped);
    assert!(
        dripped.starts_with("HTTP/1.1 408 ") && dripped.contains("\r\nconnection: close\r\n"),
        "{dripped}"
    );
    assert!(silence.is_empty() && idled.is_empty(), "who asks nothing is answered nothing");
    assert_eq!(scene.house.metric("levada_viewer_slow_heads_total").await, 2);
    scene.goes_on().await;
}

#[tokio::test]
async fn a_viewer_who_stops_reading_is_given_up_and_frees_what_it_held() {
    let mut scene = Scene::open(&["listen.send_timeout=1s"]).await;
    scene.house.store("long.mp4", &film::enlarged(24 << 20));
    let multivariant = scene.house.get("/vod/long.mp4/index.m3u8").await.expect(200);
    let variant =
        multivariant.text().lines().find(|it| !it.starts_with('#')).expect("it has a variant").to_owned();
    let path = format!("/vod/long.mp4/{}/0.m4s", variant.rsplit_once('/').expect("it is in a directory").0);
    let mut line = scene.house.line().await;
    line.say(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    line.head().await.expect("the download begins").expect(200);
    scene.goes_on().await;
    assert_eq!(scene.house.metric("levada_viewer_aborted_responses_total").await, 1);
    // Those who read get all of it.
    assert!(scene.house.get(&path).await.expect(200).body.len() > 24 << 20);
}

#[tokio::test]
async fn viewers_who_leave_in_the_middle_harm_nobody() {
    let mut scene = Scene::open(&[]).await;
    scene.house.store("long.mp4", &film::enlarged(24 << 20));
    let multivariant = scene.house.get("/vod/long.mp4/index.m3u8").await.expect(200);
    let variant =
        multivariant.text().lines().find(|it| !it.starts_with('#')).expect("it has a variant").to_owned();
    let path = format!("/vod/long.mp4/{}/0.m4s", variant.rsplit_once('/').expect("it is in a directory").0);
    for _ in 0..20 {
        let mut line = scene.house.line().await;
        line.say(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        line.head().await.expect("the download begins").expect(200);
    }
    let whole = scene.house.get(&path).await.expect(200);
    assert_eq!(whole.header("content-length"), Some(whole.body.len().to_string()));
    scene.goes_on().await;
}

/// Connects and shakes hands, as plainly as the protocol allows.
async fn shaken(house: &House) -> TcpStream {
    let mut socket = TcpStream::connect(house.rtmp()).await.expect("the server listens");
    let mut hello = vec![3];
    hello.resize(1 + 1536, 0);
    socket.write_all(&hello).await.expect("the server listens");
    let mut answer = vec![0; 1 + 2 * 1536];
    soon("the server's half", socket.read_exact(&mut answer)).await.expect("the server shakes hands");
    socket.write_all(&answer[1..1537]).await.expect("the server listens");
    socket
}

/// Writes as much as the server takes and waits until it hangs up.
async fn hung_up(mut socket: TcpStream, bytes: &[u8]) {
    let _ = soon("a reader", socket.write_all(bytes)).await;
    let mut rest = Vec::new();
    let _ = soon("the end of the connection", socket.read_to_end(&mut rest)).await;
}

/// A first chunk: stream, kind, announced length, then the payload.
fn chunk(stream: u8, kind: u8, length: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![stream, 0, 0, 0];
    bytes.extend(&length.to_be_bytes()[1..]);
    bytes.extend([kind, 0, 0, 0, 0]);
    bytes.extend(payload);
    bytes
}

fn chunk_size(size: u32) -> Vec<u8> {
    chunk(2, 1, 4, &size.to_be_bytes())
}

/// `connect` with an object in an object in an object.
fn nested(depth: usize) -> Vec<u8> {
    let mut payload = b"\x02\0\x07connect\0\x3f\xf0\0\0\0\0\0\0".to_vec();
    payload.extend(b"\x03\0\x01a".repeat(depth));
    let size = chunk_size(1 << 20);
    [size, chunk(3, 20, u32::try_from(payload.len()).expect("it is short"), &payload)].concat()
}

/// Messages on many chunk streams, none of which ends.
fn interleaved() -> Vec<u8> {
    let mut bytes = chunk_size(65_536);
    for stream in 3..60 {
        bytes.extend(chunk(stream, 9, 0xff_ffff, &[0; 65_536]));
    }
    bytes
}

#[tokio::test]
async fn publishers_that_break_the_protocol_are_hung_up_on() {
    let mut scene = Scene::open(&["rtmp.max_partial=1MiB", "rtmp.handshake_timeout=2s"]).await;
    let house = &scene.house;
    let dial = async || TcpStream::connect(house.rtmp()).await.expect("the server listens");
    tokio::join!(
        async { hung_up(dial().await, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await },
        async { hung_up(dial().await, &[0xff; 5_000]).await },
        async { hung_up(dial().await, &[3; 700]).await },
        async { hung_up(dial().await, b"").await },
        async { hung_up(shaken(house).await, b"").await },
        async { hung_up(shaken(house).await, &chunk_size(0)).await },
        async { hung_up(shaken(house).await, &chunk_size(u32::MAX)).await },
        async { hung_up(shaken(house).await, &nested(100)).await },
        async { hung_up(shaken(house).await, &nested(150_000)).await },
        async { hung_up(shaken(house).await, &interleaved()).await },
        async { hung_up(shaken(house).await, &[0xc3; 10_000]).await },
        async { hung_up(shaken(house).await, &chunk(3, 20, 0xff_ffff, &[2; 128])).await },
    );
    let errors = house.metric("levada_rtmp_protocol_errors_total").await;
    let timeouts = house.metric("levada_rtmp_timeouts_total").await;
    assert!(errors >= 6 && errors + timeouts == 12, "{errors} errors and {timeouts} timeouts");
    scene.goes_on().await;
}

#[tokio::test]
async fn an_encoder_that_falls_silent_is_given_up() {
    let house = House::with(&["rtmp.silence_timeout=1s"]).await;
    let (_encoder, _) = house.live(4_100).await;
    house.settles("levada_rtmp_publishers", 0).await;
    assert_eq!(house.metric("levada_rtmp_timeouts_total").await, 1);
    house.get("/live/match/index.m3u8").await.expect(200);
}

#[tokio::test]
async fn malformed_files_are_refused_in_a_sentence_and_their_neighbour_plays() {
    let mut scene = Scene::open(&[]).await;
    let whole = film::FILE;
    let moov = film::boxes(whole, b"moov").next().expect("it has a header");
    // Every box of a kind with four of its octets changed.
    let with = |kind: &[u8; 4], at: usize, value: u32| {
        let mut file = whole.to_vec();
        for start in film::boxes(whole, kind) {
            file[start + at..start + at + 4].copy_from_slice(&value.to_be_bytes());
        }
        file
    };
    for (name, file) in [
        ("empty.mp4", Vec::new()),
        ("text.mp4", b"This is not a film, but a sentence about one.".to_vec()),
        ("truncated-moov.mp4", whole[..moov + 600].to_vec()),
        ("headless.mp4", [&whole[..32.min(moov)], &[0; 4096]].concat()),
        ("zero-trak.mp4", with(b"trak", 0, 0)),
        ("zero-stbl.mp4", with(b"stbl", 0, 0)),
        ("tiny-stbl.mp4", with(b"stbl", 0, 7)),
        ("huge-moov.mp4", with(b"moov", 0, u32::MAX)),
        ("sizes.mp4", with(b"stsz", 16, u32::MAX)),
        ("times.mp4", with(b"stts", 12, u32::MAX)),
        ("chunks.mp4", with(b"stsc", 12, u32::MAX)),
        ("offsets.mp4", with(b"stco", 12, u32::MAX)),
        ("no-time.mp4", with(b"mdhd", 20, 0)),
    ] {
        scene.house.store(name, &file);
        for manifest in ["index.m3u8", "manifest.mpd"] {
            let answer = scene.house.get(&format!("/vod/{name}/{manifest}")).await;
            assert!(matches!(answer.status, 404 | 415 | 422), "{name}: {answer:?}");
            assert!(answer.text().trim().contains(' '), "{name}: {}", answer.text());
        }
    }
    scene.goes_on().await;
}

#[tokio::test]
async fn an_http_2_viewer_with_a_window_of_nothing_is_given_up() {
    let mut scene = Scene::open(&["listen.send_timeout=1s"]).await;
    let mut line = scene.house.line().await;
    line.say(frames::opening_with_no_window()).await;
    line.say(frames::get("/vod/sample.mp4/manifest.mpd")).await;
    line.rest().await;
    scene.goes_on().await;
}
