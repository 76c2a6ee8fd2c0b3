//! What the edge does to every request, whoever answers it.

use std::io::Read as _;

use crate::support::film;
use crate::support::house::House;
use crate::support::http::{Line, ask};
use crate::support::secure::{Http2, tls, write_certificate};
use tokio::net::TcpStream;

const PLAYLIST: &str = "/vod/sample.mp4/index.m3u8";

/// The path of the film's one video segment.
async fn segment(house: &House) -> String {
    let multivariant = house.get(PLAYLIST).await.expect(200);
    let variant = multivariant.text().lines().find(|it| !it.starts_with('#')).expect("it has a variant");
    let directory = variant.rsplit_once('/').expect("it is in a directory").0;
    format!("/vod/sample.mp4/{directory}/0.m4s")
}

#[tokio::test]
async fn the_host_chooses_the_distribution_and_the_path_the_behavior() {
    let house = House::open().await;
    let status = async |path: &str, host: &str| house.ask(&format!("GET {path}\nHost: {host}")).await.status;
    assert_eq!(status(PLAYLIST, "localhost").await, 200);
    assert_eq!(status("/sample.mp4/index.m3u8", "bare.example").await, 200);
    assert_eq!(status("/sample.mp4/index.m3u8", "deep.BARE.example.:8080").await, 200);
    assert_eq!(status(PLAYLIST, "bare.example").await, 404);
    assert_eq!(status(PLAYLIST, "unknown.example").await, 200, "the default distribution answers");
    assert_eq!(status("/members/vod/sample.mp4/index.m3u8", "localhost").await, 403);
    // What chooses the behavior is the canonical path.
    assert_eq!(status("/vod/../members/vod/sample.mp4/index.m3u8", "localhost").await, 403);
    assert_eq!(status("/%6dembers/vod/sample.mp4/index.m3u8", "localhost").await, 403);
    let bare =
        house.ask("GET /sample.mp4/index.m3u8\nHost: bare.example\nOrigin: https://page.example").await;
    assert_eq!(bare.header("access-control-allow-origin"), None, "its policy has no CORS");
}

#[tokio::test]
async fn a_preflight_is_answered_before_anyone_asks_for_a_signature() {
    let house = House::open().await;
    let preflight = house
        .ask(
            "OPTIONS /members/vod/sample.mp4/index.m3u8\nOrigin: https://page.example\n\
              Access-Control-Request-Method: GET\nAccess-Control-Request-Headers: range",
        )
        .await
        .expect(204);
    assert_eq!(preflight.header("access-control-allow-origin").as_deref(), Some("*"));
    assert!(preflight.header("access-control-allow-methods").is_some_and(|it| it.contains("GET")));
    assert!(preflight.header("access-control-allow-headers").is_some());
    assert_eq!(house.ask("DELETE /vod/sample.mp4/index.m3u8").await.status, 403);
}

#[tokio::test]
async fn head_says_what_get_would_and_sends_nothing() {
    let house = House::open().await;
    let path = segment(&house).await;
    let mut line = house.line().await;
    let head = line.ask(&format!("HEAD {path}")).await.expect(200);
    let get = line.ask(&format!("GET {path}")).await.expect(200);
    assert!(head.body.is_empty());
    for name in ["content-length", "content-type", "etag", "accept-ranges", "cache-control"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
    assert_eq!(get.header("content-length"), Some(get.body.len().to_string()));
}

#[tokio::test]
async fn what_a_viewer_has_already_is_not_sent_again() {
    let house = House::open().await;
    for coding in ["identity", "gzip", "br"] {
        let first = house.ask(&format!("GET {PLAYLIST}\nAccept-Encoding: {coding}")).await.expect(200);
        let etag = first.header("etag").expect("it has a tag");
        let again = format!("GET {PLAYLIST}\nAccept-Encoding: {coding}\nIf-None-Match: \"other\", {etag}");
        let same = house.ask(&again).await.expect(304);
        assert_eq!(same.header("etag"), Some(etag));
        assert!(same.header("cache-control").is_some());
    }
    assert_eq!(house.ask(&format!("GET {PLAYLIST}\nIf-None-Match: \"other\"")).await.status, 200);
    assert_eq!(house.ask(&format!("GET {PLAYLIST}\nIf-Match: \"other\"")).await.status, 412);
    let path = segment(&house).await;
    let modified = house.get(&path).await.header("last-modified").expect("a file has a time");
    assert_eq!(house.ask(&format!("GET {path}\nIf-Modified-Since: {modified}")).await.status, 304);
}

#[tokio::test]
async fn ranges_are_cut_from_the_same_octets() {
    let house = House::open().await;
    let path = segment(&house).await;
    let whole = house.get(&path).await.expect(200).body;
    let length = whole.len();
    let range = async |it: &str| house.ask(&format!("GET {path}\nRange: {it}")).await;
    for (asked, first, last) in [
        ("bytes=0-99".to_owned(), 0, 99),
        ("bytes=100-".to_owned(), 100, length - 1),
        ("bytes=-7".to_owned(), length - 7, length - 1),
        (format!("bytes={}-{}", length - 1, length + 50), length - 1, length - 1),
    ] {
        let part = range(&asked).await.expect(206);
        assert_eq!(part.header("content-range"), Some(format!("bytes {first}-{last}/{length}")));
        assert_eq!(part.body, whole[first..=last], "{asked}");
    }
    let several = range("bytes=0-9,1000-1019").await.expect(206);
    let content_type = several.header("content-type").expect("it says what it is");
    let boundary = content_type.strip_prefix("multipart/byteranges; boundary=").expect("it has parts");
    let mut expected = Vec::new();
    for cut in [0..10, 1000..1020] {
        let (first, last) = (cut.start, cut.end - 1);
        let head = format!(
            "\r\n--{boundary}\r\nContent-Type: video/mp4\r\nContent-Range: bytes {first}-{last}/{length}\r\n\r\n"
        );
        expected.extend(head.into_bytes());
        expected.extend(&whole[cut]);
    }
    expected.extend(format!("\r\n--{boundary}--\r\n").into_bytes());
    assert_eq!(
        String::from_utf8_lossy(&several.body).trim_start(),
        String::from_utf8_lossy(&expected).trim_start()
    );
    let beyond = range(&format!("bytes={length}-")).await.expect(416);
    assert_eq!(beyond.header("content-range"), Some(format!("bytes */{length}")));
    for ignored in ["bytes=9-1", "octets=0-1", "bytes=", "bytes=a-b"] {
        assert_eq!(range(ignored).await.expect(200).body, whole, "{ignored}");
    }
    let stale = house.ask(&format!("GET {path}\nRange: bytes=0-9\nIf-Range: \"other\"")).await;
    assert_eq!(stale.expect(200).body, whole);
}

#[tokio::test]
async fn playlists_are_compressed_for_those_who_take_it_and_media_never() {
    let house = House::open().await;
    let plain = house.get(PLAYLIST).await.expect(200);
    assert_eq!(plain.header("content-encoding"), None);
    let gzip = house.ask(&format!("GET {PLAYLIST}\nAccept-Encoding: gzip")).await.expect(200);
    assert_eq!(gzip.header("content-encoding").as_deref(), Some("gzip"));
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(gzip.body.as_slice()).read_to_end(&mut text).expect("it is gzip");
    assert_eq!(text, plain.body);
    let brotli = house.ask(&format!("GET {PLAYLIST}\nAccept-Encoding: gzip, br")).await.expect(200);
    assert_eq!(brotli.header("content-encoding").as_deref(), Some("br"));
    text.clear();
    brotli::Decompressor::new(brotli.body.as_slice(), 4096).read_to_end(&mut text).expect("it is brotli");
    assert_eq!(text, plain.body);
    for answer in [&plain, &gzip, &brotli] {
        assert_eq!(answer.header("vary").as_deref(), Some("Accept-Encoding"));
    }
    let path = segment(&house).await;
    let media = house.ask(&format!("GET {path}\nAccept-Encoding: gzip, br")).await.expect(200);
    assert_eq!(media.header("content-encoding"), None);
}

#[tokio::test]
async fn an_answer_says_where_it_came_from_and_how_old_it_is() {
    let house = House::open().await;
    let path = segment(&house).await;
    let cold = house.get(&path).await.expect(200);
    let warm = house.get(&path).await.expect(200);
    assert_eq!(cold.header("x-cache").as_deref(), Some("Miss from levada"));
    assert_eq!(warm.header("x-cache").as_deref(), Some("Hit from levada"));
    assert!(cold.header("cache-status").is_some_and(|it| it.starts_with("Levada; fwd=uri-miss")));
    assert!(warm.header("cache-status").is_some_and(|it| it.starts_with("Levada; hit; ttl=")));
    assert_eq!(cold.header("age"), None);
    assert!(warm.header("age").is_some_and(|it| it.parse::<u64>().is_ok()));
    assert_eq!(warm.header("via").as_deref(), Some("1.1 Levada"));
    assert_ne!(cold.header("x-levada-id"), warm.header("x-levada-id"));
    assert_eq!(cold.body, warm.body);
    // A query that is not in the key asks for the same.
    let asked = house.get(&format!("{path}?player=7")).await;
    assert_eq!(asked.header("x-cache").as_deref(), Some("Hit from levada"));
    let missing = house.get("/vod/nothing.mp4/index.m3u8").await.expect(404);
    assert_eq!(missing.header("x-cache").as_deref(), Some("Error from levada"));
}

#[tokio::test]
async fn the_time_and_the_watch_page_are_everybodys() {
    let house = House::open().await;
    let time = house.ask("GET /.levada/time\nHost: unknown.example").await.expect(200);
    assert_eq!(time.header("access-control-allow-origin").as_deref(), Some("*"));
    assert!(time.text().parse::<jiff::Timestamp>().is_ok(), "{}", time.text());
    let page = house.get("/watch/members/live/match?Policy=x").await.expect(200);
    assert_eq!(page.header("content-type").as_deref(), Some("text/html; charset=utf-8"));
    assert!(!page.text().contains("Policy=x"), "nothing of the request stands in the page");
    for part in page.text().split('"').filter(|it| it.starts_with("/.levada/")) {
        house.get(part).await.expect(200);
    }
}

#[tokio::test]
async fn one_http_2_connection_without_tls_carries_many_requests() {
    let house = House::open().await;
    let path = segment(&house).await;
    let plain = house.get(&path).await.expect(200).body;
    let http2 = Http2::over(TcpStream::connect(house.http()).await.expect("it listens")).await;
    let url = format!("http://localhost{path}");
    let answers = futures_util::future::join_all((0..50).map(|_| http2.get(&url))).await;
    for answer in answers {
        assert_eq!(answer.header("via").as_deref(), Some("2.0 Levada"));
        assert!(answer.expect(200).body == plain);
    }
}

#[tokio::test]
async fn tls_speaks_both_versions_and_takes_a_new_certificate_at_reload() {
    let house = House::open().await;
    let secure = tls(house.https(), house.path(), &["h2", "http/1.1"]).await.expect("it is trusted");
    assert_eq!(secure.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let http2 = Http2::over(secure).await;
    http2.get(&format!("https://localhost{PLAYLIST}")).await.expect(200);
    let older = tls(house.https(), house.path(), &["http/1.1"]).await.expect("it is trusted");
    assert_eq!(older.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
    Line::over(older).ask(&format!("GET {PLAYLIST}")).await.expect(200);

    write_certificate(house.path());
    assert!(tls(house.https(), house.path(), &["h2"]).await.is_none(), "the old one is still shown");
    house.operate("POST /api/reload").await.expect(200);
    assert!(tls(house.https(), house.path(), &["h2"]).await.is_some());
    http2.get(&format!("https://localhost{PLAYLIST}")).await.expect(200);
}

#[tokio::test]
async fn who_comes_without_encryption_is_sent_to_it() {
    let house = House::open().await;
    let path = "/encrypted/sample.mp4/index.m3u8?a=b";
    let answer = house.get(path).await.expect(301);
    let port = house.https().port();
    assert_eq!(answer.header("location"), Some(format!("https://localhost:{port}{path}")));
    let secure = tls(house.https(), house.path(), &["http/1.1"]).await.expect("it is trusted");
    Line::over(secure).ask(&format!("GET {path}")).await.expect(200);
}

#[tokio::test]
async fn a_proxy_is_believed_only_when_it_is_trusted() {
    let path = "/encrypted/sample.mp4/index.m3u8";
    let forwarded = format!("GET {path}\nX-Forwarded-Proto: https\nX-Forwarded-For: 192.0.2.7");
    let house = House::open().await;
    house.ask(&forwarded).await.expect(301);
    let house = House::with(&["listen.trusted_proxies=[\"127.0.0.0/8\"]"]).await;
    house.ask(&forwarded).await.expect(200);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let house = House::open().await;
    let path = segment(&house).await;
    let mut line = house.line().await;
    let request = |path: &str| crate::support::http::written(&format!("GET {path}"), "keep-alive");
    line.say([request(&path), request(PLAYLIST), request("/.levada/time")].concat()).await;
    let first = line.answer(false).await.expect("an answer").expect(200);
    let second = line.answer(false).await.expect("an answer").expect(200);
    let third = line.answer(false).await.expect("an answer").expect(200);
    assert_eq!(&first.body[4..8], b"styp");
    assert!(second.text().starts_with("#EXTM3U"));
    assert!(third.text().ends_with('Z'));
}

#[tokio::test]
async fn what_is_gone_from_the_library_is_told_soon_but_not_asked_for_each_time() {
    let house = House::open().await;
    house.get("/vod/late.mp4/index.m3u8").await.expect(404);
    house.store("late.mp4", film::FILE);
    let again = house.get("/vod/late.mp4/index.m3u8").await.expect(404);
    assert!(again.header("cache-status").is_some_and(|it| it.starts_with("Levada; hit")), "{again:?}");
    assert_eq!(ask(house.http(), "GET /vod/late.mp4/manifest.mpd").await.status, 200);
}
