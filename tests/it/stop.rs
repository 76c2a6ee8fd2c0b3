//! How it ends: listeners, requests, broadcasts, and the log's last line.

use std::fs;

use crate::support::house::House;
use crate::support::http::Line;
use crate::support::{film, soon};

/// A film whose one segment does not fit into the sockets between us and a viewer.
fn long_film(house: &House) -> &'static str {
    house.store("long.mp4", &film::enlarged(24 << 20));
    "/vod/long.mp4"
}

async fn segment(house: &House, title: &str) -> String {
    let multivariant = house.get(&format!("{title}/index.m3u8")).await.expect(200);
    let variant = multivariant.text().lines().last().expect("it has a variant").to_owned();
    format!("{title}/{}/0.m4s", variant.rsplit_once('/').expect("it is in a directory").0)
}

#[tokio::test]
async fn a_stop_lets_downloads_finish_and_tells_everyone_else() {
    let house = House::open().await;
    let title = long_film(&house);
    let path = segment(&house, title).await;
    let (mut encoder, list) = house.live(4_100).await;

    let mut download = house.line().await;
    download.say(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    let head = download.head().await.expect("the download begins").expect(200);
    let length: usize =
        head.header("content-length").and_then(|it| it.parse().ok()).expect("it has a length");
    let first = download.take(100_000).await;

    let mut idle = house.line().await;
    idle.ask("GET /.levada/time").await.expect(200);

    let next = list.open_sequence() + 1;
    let mut blocked = house.line().await;
    let request = format!("GET /live/match/video/index.m3u8?_HLS_msn={next}");
    let blocked = tokio::spawn(async move { blocked.ask(&request).await });
    crate::support::until("the request waits", async || {
        (house.metric("levada_cache_fills_under_way").await >= 1).then_some(())
    })
    .await;

    let (http, directory) = (house.http(), house.directory.clone());
    let stopping = tokio::spawn(house.running.stop());
    assert_eq!(idle.rest().await, b"", "an idle connection is closed at once");
    assert_eq!(encoder.hear().await, None, "the encoder is let go, and comes again");
    let answer = soon("the blocked request's answer", blocked).await.expect("the viewer goes on");
    assert!(matches!(answer.status, 200 | 503), "{answer:?}");
    assert!(tokio::net::TcpStream::connect(http).await.is_err(), "nobody new is let in");

    let rest = download.take(length - first.len()).await;
    assert_eq!(rest.len() + first.len(), length);
    assert_eq!(download.rest().await, b"", "and then the connection closes");
    soon("the end", stopping).await.expect("it stops");
    drop(directory);
}

#[tokio::test]
async fn a_viewer_who_takes_nothing_is_cut_when_the_drain_is_over() {
    let house = House::with(&["listen.drain=1s"]).await;
    let title = long_film(&house);
    let path = segment(&house, title).await;
    let mut download = house.line().await;
    download.say(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    download.head().await.expect("the download begins").expect(200);
    let began = std::time::Instant::now();
    soon("the end", house.running.stop()).await;
    assert!(began.elapsed().as_secs() < 6, "{:?}", began.elapsed());
}

/// Asks three times, stops, and reads the log.
async fn logged(format: &str) -> Vec<String> {
    let house = House::with(&[&format!("observe.access_log.format={format}")]).await;
    let mut line = Line::to(house.http()).await;
    line.ask("GET /vod/sample.mp4/index.m3u8?a=b%20c\nUser-Agent: a player/1").await.expect(200);
    line.ask("GET /members/vod/sample.mp4/index.m3u8").await.expect(403);
    line.ask("HEAD /vod/sample.mp4/index.m3u8").await.expect(200);
    drop(line);
    let directory = house.directory.clone();
    soon("the end", house.running.stop()).await;
    let text = fs::read_to_string(directory.path().join("access.log")).expect("there is a log");
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn every_request_has_its_line_in_json() {
    let lines = logged("json").await;
    let lines: Vec<serde_json::Value> =
        lines.iter().map(|it| serde_json::from_str(it).expect("it is JSON")).collect();
    let all: Vec<_> = lines
        .iter()
        .map(|it| {
            let text = |name: &str| it[name].as_str().unwrap_or_default().to_owned();
            (text("method"), it["status"].as_u64().unwrap_or_default(), text("result"), text("reason"))
        })
        .collect();
    let told = |method: &str, status, result: &str, reason: &str| {
        (method.to_owned(), status, result.to_owned(), reason.to_owned())
    };
    assert_eq!(
        all,
        [
            told("GET", 200, "Miss", ""),
            told("GET", 403, "Error", "missing-key"),
            told("HEAD", 200, "Hit", ""),
        ]
    );
    assert_eq!(lines[0]["distribution"], "main");
    assert_eq!(lines[0]["query"], "a=b%20c");
    assert!(lines.iter().all(|it| it["complete"] == true));
}

#[tokio::test]
async fn every_request_has_its_line_in_cloudfronts_form() {
    let lines = logged("w3c").await;
    assert_eq!(lines[0], "#Version: 1.0");
    let names: Vec<_> =
        lines[1].strip_prefix("#Fields: ").expect("the fields are named").split(' ').collect();
    assert_eq!(lines.len(), 5);
    let field = |line: &str, name: &str| {
        let at = names.iter().position(|it| *it == name).expect("there is such a field");
        let values: Vec<_> = line.split('\t').collect();
        assert_eq!(values.len(), names.len());
        values[at].to_owned()
    };
    assert_eq!(field(&lines[2], "cs-uri-stem"), "/vod/sample.mp4/index.m3u8");
    assert_eq!(field(&lines[2], "cs-uri-query"), "a=b%2520c");
    assert_eq!(field(&lines[2], "cs(User-Agent)"), "a%20player/1");
    assert_eq!(field(&lines[3], "sc-status"), "403");
    assert_eq!(field(&lines[3], "x-edge-result-type"), "Error");
    assert_eq!(field(&lines[4], "cs-method"), "HEAD");
    assert_eq!(field(&lines[4], "x-edge-result-type"), "Hit");
}
